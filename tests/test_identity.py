"""Events that match and are about different objects: found where it is sure, and never where it is not."""

import json
import time
import unittest
from random import Random

from diff_events import (
    ExitCode,
    IdentityFinding,
    Report,
    StartReason,
    Verdict,
    render_json,
    render_markdown,
    semantic_number,
)
from tests import generator
from tests.small_logs import Line, called, closed, compare, compare_lines, log_text, made, spawned, waited
from tests.support import LogTestCase, enough, run, seeds

SEEDS = seeds(25)

A, B, C = (digit * 16 for digit in "abc")
X, Y, Z = (digit * 16 for digit in "123")  # what ours calls them
LATER = called(6, "NtYieldExecution")


def only(report: Report) -> IdentityFinding:
    """The one finding of a report."""
    assert len(report.identity) == 1, report.identity
    return report.identity[0]


def numbered(words: str, *, ours: bool = False) -> list[Line]:
    """Events on thread 6: ``+a`` creates an object, ``-a`` destroys it, ``a`` waits for it, ``.`` is a call.

    Objects of ours are called by capitals, so that no id is the same on both sides.
    """
    lines: list[Line] = []
    for word in words.split():
        sid = f"{ord(word[-1]) + (0x1000 if ours else 0x2000):016x}"
        if word[0] == "+":
            lines.append(made(6, sid))
        elif word[0] == "-":
            lines.append(closed(6, sid))
        else:
            lines += waited(6, sid) if word != "." else called(6, "NtYieldExecution")
    return lines


def findings(canary: str, ours: str) -> list[tuple[int, int]]:
    """The indexes at which objects are mistaken."""
    report = compare_lines(numbered(canary), numbered(ours, ours=True))
    return [(finding.events.canary.idx, finding.events.ours.idx) for finding in report.identity]


def borrowed(program: Random, timing: Random, side: str) -> list[Line]:
    """Three threads that wait for events of a common store; now and then one is made anew, perhaps by its old id."""
    ids = [f"{ord(side):04x}{number:012x}" for number in range(1, 30)]
    store = [ids.pop() for _ in range(6)]
    lines = [made(6, sid) for sid in store]
    work = {tid: [program.random() < 0.1 for _ in range(60)] for tid in (6, 7, 8)}
    for tid in (7, 8):
        lines += called(tid, f"NtStart{tid}")
    while any(work.values()):
        tid = timing.choice([tid for tid, steps in work.items() if steps])
        taken = timing.randrange(len(store))
        if work[tid].pop(0):
            lines.append(closed(tid, store[taken]))
            ids.append(store.pop(taken))
            store.append(ids.pop(timing.choice((0, -1))))
            lines.append(made(tid, store[-1]))
        else:
            lines += waited(tid, store[taken])
    return lines


class WrongObject(LogTestCase):
    CANARY = (made(6, A, name="Frame"), made(6, B, "0xF8000008", name="Audio"), *waited(6, A))
    OURS = (made(6, X, "0x10", name="Frame"), made(6, Y, "0x14", name="Audio"), *waited(6, Y))

    def test_both_creations_are_named(self) -> None:
        report = compare_lines(self.CANARY, self.OURS)
        finding = only(report)
        self.assertEqual(
            (finding.events.canary.kind, finding.events.canary.idx, finding.events.ours.idx), ("wait.begin", 3, 3)
        )
        self.assertEqual((finding.objects.canary.sid, finding.objects.ours.sid), (A, Y))
        self.assertEqual((finding.objects.canary.event.idx, finding.objects.ours.event.lineno), (0, 3))
        self.assertTrue(finding.certain and finding.objects.canary.created and finding.objects.ours.created)
        assert finding.expected is not None
        self.assertEqual(finding.expected.sid, X)
        text = render_markdown(report)
        self.assertIn("## Identity", text)
        self.assertIn(f'`{Y}` `"Event"` `"Audio"` (created by tid 6 at #1 line 3)', text)
        self.assertEqual(json.loads(render_json(report))["identity"][0]["expected"]["object_name"], "Frame")

    def test_it_is_advice_unless_the_gate_asks(self) -> None:
        advised = compare_lines(self.CANARY, self.OURS)
        self.assertIs(advised.verdict, Verdict.IDENTICAL)
        self.assertIn("Some are about different objects: see Identity (1 certain finding; ", render_markdown(advised))
        self.assertIs(compare_lines(self.CANARY, self.OURS, check_identity=True).verdict, Verdict.DIVERGENT)
        start = advised.start_here
        assert start is not None
        self.assertEqual((start.reason, start.canary_tid), (StartReason.WRONG_OBJECT, 6))

    def test_the_command_line(self) -> None:
        paths = self.write("c.jsonl", log_text(self.CANARY)), self.write("o.jsonl", log_text(self.OURS))
        same = self.write("same.jsonl", log_text(self.CANARY))
        for log, flags, code in (
            (paths[1], ["--validate-identical"], ExitCode.OK),
            (paths[1], ["--validate-identical", "--check-identity"], ExitCode.GATE),
            (paths[1], ["--check-identity"], ExitCode.GATE),
            (same, ["--validate-identical", "--check-identity"], ExitCode.OK),
        ):
            with self.subTest(flags=flags, log=log):
                self.assertEqual(run("--canary", paths[0], "--ours", log, "--quiet", *flags).code, code)

    def test_created_on_one_thread_and_waited_for_on_another(self) -> None:
        def side(one: str, other: str, awaited: str) -> list[Line]:
            return [made(6, one), made(6, other), spawned(6, 7), *LATER, *called(7, "XamInit"), *waited(7, awaited)]

        self.assertEqual(compare_lines(side(A, B, A), side(X, Y, X)).identity, ())
        finding = only(compare_lines(side(A, B, A), side(X, Y, Y)))
        self.assertEqual((finding.pair.canary_tid, finding.objects.canary.event.tid), (7, 6))

    def test_the_wait_may_stand_before_the_creation_in_the_file(self) -> None:
        ours = [*waited(7, Y), made(6, X), made(6, Y)]
        canary = [*waited(7, A), made(6, A), made(6, B)]
        self.assertEqual(compare_lines(canary, ours).identity, ())  # as if it were another object: not known

    def test_the_wrong_object_is_closed(self) -> None:
        self.assertEqual(findings("+a +b -a", "+a +b -b"), [(2, 2)])

    def test_told_once_a_thread_with_the_number_of_events(self) -> None:
        report = compare_lines(numbered("+a +b a a a"), numbered("+a +b b b b", ours=True))
        self.assertEqual(only(report).count, 3)

    def test_woken_by_the_wrong_object(self) -> None:
        canary = [made(6, A), made(6, B), *waited(6, A, B, woken_by=A)]
        ours = [made(6, X), made(6, Y), *waited(6, X, Y, woken_by=Y)]
        self.assertEqual(only(compare_lines(canary, ours)).events.canary.kind, "wait.end")

    def test_which_of_all_comes_last_is_timing(self) -> None:
        canary = [made(6, A), made(6, B), *waited(6, A, B, woken_by=A, wait_type="all")]
        ours = [made(6, X), made(6, Y), *waited(6, X, Y, woken_by=Y, wait_type="all")]
        self.assertEqual(compare_lines(canary, ours).identity, ())

    def test_the_order_within_a_wait_counts(self) -> None:
        canary = [made(6, A), made(6, B), *waited(6, A, B)]
        ours = [made(6, X), made(6, Y), *waited(6, Y, X)]
        self.assertEqual({f.objects.ours.sid for f in compare_lines(canary, ours).identity}, {X, Y})

    def test_shared_objects_are_themselves(self) -> None:
        one, other = "59fe0438b2bb0cfb", "91ea6738412a462e"
        shared = [made(6, one, "0x828f0010"), made(6, other, "0x82a4c000")]
        self.assertEqual(compare_lines([*shared, *waited(6, one)], [*shared, *waited(6, one)]).identity, ())
        ours = [*waited(6, other), *shared]
        finding = only(compare_lines([*shared, *waited(6, one)], ours))
        self.assertEqual((finding.objects.canary.sid, finding.objects.ours.sid), (one, other))

    def test_before_a_divergence_it_is_said_where_to_start(self) -> None:
        canary = [*self.CANARY, *called(6, "NtOpenFile")]
        ours = [*self.OURS, *called(6, "NtOpenFile", 0xC000000F)]
        report = compare_lines(canary, ours)
        assert report.start_here is not None
        self.assertEqual(report.start_here.finding, only(report))
        self.assertIn("ours means the wrong object: `wait.begin`", render_markdown(report))

    def test_behind_a_divergence_it_is_not_certain(self) -> None:
        waits = "d e f d e f d e f d e f . . "
        canary = [*called(6, "NtOpenFile"), *numbered("+d +e +f " + waits + "d")]
        ours = [*called(6, "NtOpenFile", 1), *numbered("+d +e +f " + waits + "e", ours=True)]
        report = compare_lines(canary, ours, check_identity=True)
        self.assertFalse(only(report).certain)
        self.assertFalse(report.mistaken)
        self.assertIn("the alignment is a guess", render_markdown(report))


class NoFalseAlarm(unittest.TestCase):
    def test_first_sight_is_never_wrong(self) -> None:
        for canary, ours in (
            ("p p", "q q"),  # created before the log began
            ("+a p a", "+a a p"),  # canary's p may be what ours has as a
            ("+a +b a b", "+b +a b a"),
        ):
            with self.subTest(canary=canary, ours=ours):
                self.assertEqual(findings(canary, ours), [])

    def test_what_was_learnt_at_first_sight_is_held_against(self) -> None:
        self.assertEqual(findings("p q p q p", "s t s t t"), [(17, 17)])

    def test_ids_that_are_used_again(self) -> None:
        for canary, ours in (
            ("+a -a +a a -a +a a", "+a -a +b b -b +c c"),
            ("+a -a +b -b +a -a +c c", "+a -a +a -a +a -a +a a"),
            ("+a a +a a +a a", "+a a +b b +a a"),  # never destroyed, as far as the log tells
        ):
            with self.subTest(canary=canary, ours=ours):
                self.assertEqual(findings(canary, ours), [])
                self.assertEqual(findings(ours, canary), [])

    def test_the_wrong_one_of_reused_ids_is_found(self) -> None:
        self.assertEqual(findings("+a -a +a +b a", "+a -a +c +d d"), [(5, 5)])

    def test_several_handles_of_one_object(self) -> None:
        self.assertEqual(findings("+a +a a -a a -a", "+a +a a -a a -a"), [])

    def test_a_creation_on_a_thread_without_partner(self) -> None:
        canary = [made(6, A), *LATER, *waited(6, A), *waited(6, B)]
        ours = [made(6, X), *LATER, made(9, Y), *waited(6, X), *waited(6, Y)]
        self.assertEqual(compare_lines(canary, ours, tid_map={6: 6}, auto_map=False).identity, ())

    def test_ids_of_another_form(self) -> None:
        canary = [made(6, "frame"), *waited(6, "frame"), *waited(6)]
        self.assertEqual(compare_lines(canary, [made(6, "x"), *waited(6, "y"), *waited(6, X)]).identity, ())
        for value in ("frame", None, -1, "", True, "1_0", 1.0, [1], "f" * 17):
            self.assertIsNone(semantic_number(value))
        self.assertEqual([semantic_number(value) for value in (0, "0", "f" * 16)], [0, 0, (1 << 64) - 1])

    def test_twins_that_may_be_paired_crosswise(self) -> None:
        def side(first: tuple[int, str], second: tuple[int, str]) -> list[Line]:
            lines = [*called(6, "XamInit"), made(6, A), made(6, B)]
            for tid, sid in (first, second):
                lines += called(tid, "KeTlsAlloc") + waited(tid, sid)
            return lines

        canary, ours = side((7, A), (8, B)), side((8, B), (7, A))
        self.assertEqual(compare(log_text(canary), log_text(ours)).identity, ())

    def test_objects_that_are_alike_are_taken_as_they_are_free(self) -> None:
        """Threads wait for any event of a store, and now and then make one anew: which one they take is timing."""
        reported = 0
        for seed in seeds(8):
            report = compare_lines(*(borrowed(Random(seed), Random(f"{seed} {side}"), side) for side in "co"))
            self.assertEqual(report.verdict, Verdict.IDENTICAL)
            self.assertEqual([finding for finding in report.identity if finding.certain], [])
            reported += len(report.identity)
        self.assertGreater(reported, 0)  # else this tests nothing

    def test_a_loop_that_is_aligned_wrongly(self) -> None:
        """Behind a difference the alignment of a loop is a guess, so nothing is certain, and no turn is told twice."""
        turns = "a b c " * 40
        report = compare_lines(numbered("+a +b +c a " + turns), numbered("+a +b +c . b c " + turns, ours=True))
        self.assertLessEqual(len(report.identity), 1)
        self.assertFalse(any(finding.certain for finding in report.identity))

    def test_thousands_of_unclear_wake_ups_take_no_time(self) -> None:
        def side(one: str, other: str, woken_by: str) -> list[Line]:
            begin, end = waited(6, one, other, woken_by=woken_by, wait_type="all")[1:3]
            return [made(6, one), made(6, other), begin, *[end] * 8000]

        start = time.process_time()
        self.assertEqual(compare_lines(side(A, B, A), side(X, Y, Y)).identity, ())
        self.assertLess(time.process_time() - start, 2)

    def test_a_loop_that_starts_elsewhere(self) -> None:
        """Nothing but the objects differs, from the first turn on: that is no matter of alignment."""
        turns = "a b c " * 9
        self.assertEqual(findings("+a +b +c " + turns, "+a +b +c b c " + turns), [(4, 4), (8, 8), (12, 12)])

    def test_random_pairs_that_are_identical(self) -> None:
        compared = 0
        for seed in SEEDS:
            pair = generator.random_pair(seed)
            if pair.identical:
                with self.subTest(seed=seed):
                    report = compare(pair.canary, pair.ours, tid_map=dict(pair.tid_map), auto_map=False)
                    self.assertEqual(report.identity, ())
                    compared += 1
        self.assertGreater(compared, len(SEEDS) // 20)

    def test_pools_of_workers(self) -> None:
        pair = generator.pool_pair(1, threads=16, pool=6, lengths=(210, 300))
        self.assertEqual(compare(pair.canary, pair.ours).identity, ())


class Lives(unittest.TestCase):
    """Random threads that share objects: ids are used again, lines of threads interleave as they like."""

    STEPS = 60

    def life(self, rng: Random) -> list[tuple[int, str, int]]:
        """What happens in every engine: thread, what, and which object of all that there ever are."""
        steps: list[tuple[int, str, int]] = []
        alive: list[int] = []
        for number in range(self.STEPS):
            tid = rng.choice((6, 7, 8))
            if not alive or rng.random() < 0.2:
                alive.append(number)
                steps.append((tid, "+", number))
            elif rng.random() < 0.15:
                steps.append((tid, "-", alive.pop(rng.randrange(len(alive)))))
            else:
                steps.append((tid, "?", rng.choice(alive)))
        return steps

    def timing(self, rng: Random, life: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
        """Another order of the same, in which each thread and each object has the same past."""
        left, ordered = list(life), []
        while left:
            free = [
                n
                for n, (tid, _, thing) in enumerate(left)
                if all(tid != other_tid and thing != other for other_tid, _, other in left[:n])
            ]
            ordered.append(left.pop(rng.choice(free)))
        return ordered

    def written(self, rng: Random, life: list[tuple[int, str, int]], reuse: bool) -> list[Line]:
        """One engine's log of it, with its own ids, which it may use again at once."""
        free = [f"{0xE000 + number:016x}" for number in rng.sample(range(self.STEPS), self.STEPS)]
        own: dict[int, str] = {}
        lines: list[Line] = []
        for tid, what, thing in life:
            if what == "+":
                own[thing] = free.pop()
                lines.append(made(tid, own[thing]))
            elif what == "-":
                lines.append(closed(tid, own[thing]))
                free += [own.pop(thing)] * reuse
            else:
                lines += waited(tid, own[thing])
        return lines

    def sides(self, rng: Random, *, reuse: bool) -> tuple[list[Line], list[Line]]:
        """The logs of two engines that live the same."""
        life = self.life(rng)
        one, other = (self.written(rng, self.timing(rng, life), reuse) for _ in range(2))
        return one, other

    def test_the_same_life_in_two_engines(self) -> None:
        for seed in seeds(20):
            with self.subTest(seed=seed):
                self.assertEqual(compare_lines(*self.sides(Random(seed), reuse=True)).identity, ())

    def found(self, *, reuse: bool) -> tuple[int, int]:
        """Of how many lives with one wrong wait in them that is found, and of how many there are."""
        found = tried = 0
        for seed in seeds(25):
            rng = Random(f"wrong {seed}")
            canary, ours = self.sides(rng, reuse=reuse)
            place = rng.choice([n for n, line in enumerate(ours) if line[1] == "wait.begin"])
            before = [line for line in ours[:place] if line[1].startswith("handle.")]
            alive = {line[2]["handle_semantic_id"]: line[1] == "handle.create" for line in before}
            right = ours[place][2]["handles_semantic_ids"][0]
            wrong = [sid for sid, is_alive in alive.items() if is_alive and sid != right]
            if wrong:
                ours[place] = (ours[place][0], "wait.begin", ours[place][2] | {"handles_semantic_ids": wrong[:1]})
                tried += 1
                found += any(f.objects.ours.sid == wrong[0] for f in compare_lines(canary, ours).identity)
        return found, tried

    def test_a_wrong_wait_is_found(self) -> None:
        found, tried = self.found(reuse=False)
        self.assertGreaterEqual(tried, enough(15))
        self.assertEqual(found, tried)

    def test_a_wrong_wait_among_ids_used_again_at_once(self) -> None:
        """Where an id was the right one's a moment ago, it is given the benefit of the doubt."""
        found, tried = self.found(reuse=True)
        self.assertGreaterEqual(found, tried * 8 // 10)


if __name__ == "__main__":
    unittest.main()
