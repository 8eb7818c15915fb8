"""Names: what the two engines call the same objects is bound along the alignment, and a wrong one stands out."""

import json
import re
import tempfile
import unittest
from pathlib import Path
from random import Random
from typing import Any

from diff_events import (
    Change,
    DiffOptions,
    ExitCode,
    Explained,
    Novelty,
    PairStatus,
    Report,
    Side,
    StartReason,
    Verdict,
    diff_logs,
    read_profile,
    render_json,
    render_markdown,
)
from tests.small_logs import Line, called, closed, compare_lines, log_text, made, spawned
from tests.support import run, seeds

MAIN, WORKER = 6, 7


def sid(number: int) -> str:
    """The semantic id of an object: the same in both logs, though it need not be."""
    return f"{number:016x}"


def handle(number: int, shift: int = 0) -> str:
    """The raw handle of an object."""
    return f"0x{0xF8000000 + 4 * (number + shift):x}"


def used(tid: int, number: int, shift: int, **more: Any) -> list[Line]:
    """A call that is given a handle."""
    return called(tid, "NtSetEvent", handle=handle(number, shift), **more)


def life(shift: int, wrong: int | None = None) -> list[Line]:
    """Three objects that are used on two threads; ``wrong`` is what is used in the one place where it should be 1."""
    lines = [made(MAIN, sid(n + 1), handle(n, shift)) for n in range(3)]
    for turn in range(6):
        lines += used(MAIN, turn % 3, shift, turn=turn)
        lines += called(WORKER, "KeWaitForSingleObject", 0, args=[handle(turn % 3, shift), {"timeout": turn}])
    lines += used(MAIN, 1 if wrong is None else wrong, shift, turn=7)
    lines += [closed(MAIN, sid(n + 1), handle(n, shift)) for n in range(3)]
    return [*lines, *called(WORKER, "NtYieldExecution")]


def both_ways(canary: list[Line], ours: list[Line]) -> tuple[Report, Report]:
    """The strict report, and the one in which names match."""
    return compare_lines(canary, ours, max_divergences=0), compare_lines(
        canary, ours, max_divergences=0, match_names=True
    )


def explanations(report: Report) -> set[Explained | None]:
    """What explains the divergences of a report."""
    return {divergence.explained_by for thread in report.threads for divergence in thread.divergences}


class ShiftedHandles(unittest.TestCase):
    def test_they_match_everywhere_if_names_match_and_are_explained_if_not(self) -> None:
        strict, named = both_ways(life(0), life(1))
        self.assertEqual(strict.verdict, Verdict.DIVERGENT)
        self.assertEqual(explanations(strict), {Explained.NAME})
        self.assertIsNone(strict.start_here)
        self.assertEqual(named.verdict, Verdict.IDENTICAL)
        self.assertEqual({thread.status for thread in named.threads}, {PairStatus.IDENTICAL})
        uses = {use.source: (use.bound, use.renamed) for use in named.names.uses}
        self.assertEqual(uses["handle.create raw_handle_id"], (3, 3))
        self.assertGreater(sum(use.used for use in named.names.uses), 10)
        self.assertIn("count as different (`--match-names` lets them match)", render_markdown(strict))
        self.assertEqual(json.loads(render_json(strict))["sorts"][0]["explained_by"], "name")

    def test_on_the_command_line(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            paths = Path(directory, "canary.jsonl"), Path(directory, "ours.jsonl")
            for path, lines in zip(paths, (life(0), life(1)), strict=True):
                path.write_bytes(log_text(lines))
            compared = ("--canary", str(paths[0]), "--ours", str(paths[1]), "--validate-identical")
            self.assertEqual(run(*compared).code, ExitCode.GATE)
            self.assertEqual(run(*compared, "--match-names").code, ExitCode.OK)

    def test_the_one_wrong_use_stands_out(self) -> None:
        """Also where ours uses the very value that canary does, which names another object there."""
        for wrong in (0, 2):
            for report in both_ways(life(0), life(1, wrong)):
                with self.subTest(wrong=wrong, match_names=report.options.match_names):
                    (broken,) = report.names.breaks
                    self.assertEqual((broken.events.canary.tid, broken.events.canary.payload["turn"]), (MAIN, 7))
                    self.assertEqual((broken.expected, broken.stands_for), (0xF8000008, 0xF8000000 + 4 * wrong))
                    start = report.start_here
                    assert start is not None
                    self.assertEqual((start.reason, start.canary_tid), (StartReason.WRONG_OBJECT, MAIN))
                    self.assertIn("ours means the wrong object: `payload.handle` at", render_markdown(report))
            named = both_ways(life(0), life(1, wrong))[1]
            self.assertEqual(named.verdict, Verdict.DIVERGENT)
            self.assertEqual([len(thread.divergences) for thread in named.threads], [1, 0])

    def test_handles_with_a_sign(self) -> None:
        """Two engines that write them as integers of 32 bits; a number may end in .0."""

        def signed(lines: list[Line], end: str) -> list[Line]:
            text = re.sub(r'"0x(f80000..)"', lambda raw: f"{int(raw[1], 16) - (1 << 32)}{end}", json.dumps(lines))
            return [(tid, kind, payload) for tid, kind, payload in json.loads(text)]

        for end in ("", ".0"):
            with self.subTest(end=end):
                strict, named = both_ways(signed(life(0), end), signed(life(1), end))
                self.assertEqual((strict.verdict, explanations(strict)), (Verdict.DIVERGENT, {Explained.NAME}))
                self.assertEqual(named.verdict, Verdict.IDENTICAL)
        for wrong in (0, 2):
            for report in both_ways(signed(life(0), ""), signed(life(1, wrong), "")):
                with self.subTest(wrong=wrong, match_names=report.options.match_names):
                    (broken,) = report.names.breaks
                    self.assertEqual((broken.expected, broken.stands_for), (0xF8000008, 0xF8000000 + 4 * wrong))
                    self.assertIn("ours calls canary's object `-134217720`", render_markdown(report))

    def test_a_value_that_names_nothing(self) -> None:
        _, named = both_ways(life(0), life(1, 99))
        (broken,) = named.names.breaks
        self.assertEqual((broken.expected, broken.stands_for), (0xF8000008, None))


def frames(shift: int, wrong: int | None = None, lost: int | None = None) -> list[Line]:
    """Six objects, set and waited for in turn; ours calls each as canary calls the next one, if ``shift`` is 1.

    In the sixth turn object 3 is set; or, with ``wrong``, another one. ``lost`` is a use that is not made.
    """
    lines = [line for n in range(5) for line in called(MAIN, f"NtStep{n}", n=n)]
    for n in range(6):
        begin, end = called(MAIN, "NtCreateEvent", 0, kind=1)
        lines += [begin, made(MAIN, sid(n + 1), handle(n, shift)), end]
        lines[-1][2]["handle"] = handle(n, shift)
    for use in range(48):
        meant = wrong if wrong is not None and use == 33 else use % 6
        if use != lost:
            lines += used(MAIN, meant, shift)
            lines += called(MAIN, "NtWaitForSingleObjectEx", 0, handle=handle(use % 6, shift))
        if use % 6 == 5:
            lines += called(MAIN, f"NtFrame{use % 4}", turn=use)
    return lines + [closed(MAIN, sid(n + 1), handle(n, shift)) for n in range(6)]


class NamesOfOtherObjects(unittest.TestCase):
    """Each value that ours uses is one that canary uses, too, for another object: equal values mislead."""

    def test_what_only_has_other_names_is_explained(self) -> None:
        strict, named = both_ways(frames(0), frames(1))
        self.assertEqual((strict.verdict, named.verdict), (Verdict.DIVERGENT, Verdict.IDENTICAL))
        self.assertEqual(explanations(strict), {Explained.NAME})
        self.assertIsNone(strict.start_here)
        self.assertEqual([thread.ending for thread in strict.threads], [None])
        for sort in strict.sorts:
            (differing,) = sort.differing  # the same object, by the name that each engine gives it
            self.assertEqual(int(str(differing.values.ours), 16) - int(str(differing.values.canary), 16), 4)
        self.assertIn("`--match-names` lets them match", render_markdown(strict))

    def test_the_wrong_object_is_told_by_what_each_engine_calls_it(self) -> None:
        for wrong in (0, 2, 5):
            for report in both_ways(frames(0), frames(1, wrong)):
                with self.subTest(wrong=wrong, match_names=report.options.match_names):
                    (broken,) = report.names.breaks
                    values = tuple(int(str(value), 16) - 0xF8000000 for value in broken.values)
                    self.assertEqual(values, (12, 4 * wrong + 4))
                    self.assertEqual((broken.expected, broken.stands_for), (0xF8000010, 0xF8000000 + 4 * wrong))
                    start = report.start_here
                    assert start is not None and start.events is not None
                    self.assertEqual((start.reason, start.events), (StartReason.WRONG_OBJECT, broken.events))

    def test_a_lost_event_is_not_taken_for_a_name(self) -> None:
        for lost in (0, 33, 46):
            for report in both_ways(frames(0), frames(1, lost=lost)):
                with self.subTest(lost=lost, match_names=report.options.match_names):
                    start = report.start_here
                    assert start is not None and start.events is not None
                    self.assertEqual(start.reason, StartReason.EVENTS_MISSING)
                    self.assertEqual(start.events.canary.payload.get("handle"), handle(lost % 6))
                    self.assertEqual(report.names.breaks, ())

    def test_several_wrong_objects_in_one_stretch_are_all_told(self) -> None:
        canary, ours = frames(0), frames(1)
        uses = [n for n, (_, kind, payload) in enumerate(canary) if kind == "kernel.call" and "handle" in payload]
        wrong = uses[60], uses[61]
        for n in wrong:
            ours[n] = (MAIN, "kernel.call", {**ours[n][2], "handle": handle(5, 1)})
        for report in both_ways(canary, ours):
            with self.subTest(match_names=report.options.match_names):
                places = [(broken.events.canary.idx, broken.events.ours.idx) for broken in report.names.breaks]
                self.assertEqual(sorted(places), [(n, n) for n in wrong])

    def test_a_log_that_ends_where_only_names_differ_has_ended(self) -> None:
        """Whether both logs use the same values or not, and though the streams are never together again."""
        for shift in (1, 9):
            for cut in (40, 150):
                for report in both_ways(frames(0), frames(shift)[:-cut]):
                    with self.subTest(shift=shift, cut=cut, match_names=report.options.match_names):
                        (thread,) = report.threads
                        assert thread.ending is not None and report.start_here is not None
                        self.assertEqual((thread.ending.side, thread.ending.last.idx), (Side.OURS, 241 - cut))
                        self.assertEqual(report.start_here.reason, StartReason.LOG_ENDED)

    def test_what_is_novel_is_told_by_the_values_as_they_are(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            paths = [Path(directory, name) for name in ("canary.jsonl", "ours.jsonl")]
            for shift, path in enumerate(paths):
                path.write_bytes(log_text(frames(shift)))
            canary, ours = map(str, paths)
            report = diff_logs(canary, ours, DiffOptions(references=(canary,)))
        for divergence in report.threads[0].divergences:
            novelty = Novelty.LOST if divergence.change is Change.MISSING_ON_OURS else Novelty.NOVEL
            self.assertIs(divergence.novelty, novelty)

    def test_the_same_the_other_way_round(self) -> None:
        for wrong, reason in ((None, None), (2, StartReason.WRONG_OBJECT)):
            for report in both_ways(frames(1), frames(0, wrong)):
                with self.subTest(wrong=wrong, match_names=report.options.match_names):
                    self.assertEqual(report.start_here and report.start_here.reason, reason)


class Bindings(unittest.TestCase):
    def test_values_that_are_used_again_are_bound_anew(self) -> None:
        """The second object gets the handle of the first in canary, and another one in ours."""

        def side(first: int, second: int, third: int) -> list[Line]:
            lines = [made(MAIN, sid(1), handle(first)), *used(MAIN, first, 0), closed(MAIN, sid(1), handle(first))]
            lines += [made(MAIN, sid(2), handle(second)), *used(MAIN, second, 0, again=True)]
            return [*lines, made(MAIN, sid(3), handle(third)), *used(MAIN, third, 0, last=True)]

        self.assertEqual(both_ways(side(0, 0, 1), side(0, 1, 0))[1].verdict, Verdict.IDENTICAL)
        self.assertEqual(both_ways(side(0, 0, 1), side(5, 6, 5))[1].verdict, Verdict.IDENTICAL)

    def test_a_handle_is_bound_without_a_semantic_id(self) -> None:
        """Which is each engine's own, and may be missing on one side or on both."""

        def side(shift: int, semantic: Any) -> list[Line]:
            lines = life(shift)
            for _, _, payload in lines:
                if "handle_semantic_id" in payload and semantic != "as it is":
                    payload["handle_semantic_id"] = semantic
            return lines

        for one, other in (("as it is", None), (None, None), (sid(0), sid(0)), (0, "as it is"), ("none", [])):
            with self.subTest(canary=one, ours=other):
                strict, named = both_ways(side(0, one), side(1, other))
                self.assertEqual(explanations(strict), {Explained.NAME})
                self.assertEqual(named.verdict, Verdict.IDENTICAL)
                self.assertEqual([use.bound for use in named.names.uses], [3, 2])
                self.assertEqual(named.identity, ())

    def test_what_was_destroyed_names_nothing(self) -> None:
        def side(number: int) -> list[Line]:
            return [made(MAIN, sid(1), handle(number)), closed(MAIN, sid(1), handle(number)), *used(MAIN, number, 0)]

        self.assertEqual(both_ways(side(0), side(1))[1].verdict, Verdict.DIVERGENT)

    def test_what_another_thread_made_is_settled_by_the_order_of_the_lines(self) -> None:
        def side(first: int, second: int) -> list[Line]:
            lines = [*called(MAIN, "NtYieldExecution"), made(WORKER, sid(1), handle(first)), *used(MAIN, first, 0)]
            lines += [closed(WORKER, sid(1), handle(first)), made(WORKER, sid(2), handle(second))]
            return [*lines, *used(MAIN, second, 0, again=True), *called(WORKER, "NtYieldExecution")]

        strict, named = both_ways(side(0, 0), side(3, 4))
        self.assertEqual(explanations(strict), {Explained.NAME})
        self.assertEqual(named.verdict, Verdict.IDENTICAL)
        crossed = [*side(3, 4)]
        place = next(n for n, line in enumerate(crossed) if line[2].get("again"))
        crossed[place] = (MAIN, "kernel.call", {**crossed[place][2], "handle": handle(3)})
        self.assertEqual(both_ways(side(0, 0), crossed)[1].verdict, Verdict.DIVERGENT)

    def test_thread_ids_and_every_spelling(self) -> None:
        def side(child: int, raw: Any) -> list[Line]:
            lines = [
                spawned(MAIN, child),
                made(MAIN, sid(1), raw),
                *called(MAIN, "NtResumeThread", args=[[{"id": child}]]),
            ]
            return [*lines, *called(MAIN, "NtSetEvent", args=[str(int(raw, 16)), int(raw, 16)], handle=raw)]

        self.assertEqual(both_ways(side(0x1A4, "0xF8000004"), side(0x1B8, "0xf8000044"))[1].verdict, Verdict.IDENTICAL)

    def test_the_wrong_thread_is_the_wrong_object(self) -> None:
        """Small ids only in a field that is called so: elsewhere they are counts. Values are spelled as in the log."""

        def side(main: int, child: int, field: str, value: object) -> list[Line]:
            wake: list[Line] = [(main, "kernel.call", {"name": "KeResumeThread", field: value})]
            return [spawned(main, child), *called(child, "NtYieldExecution") * 4, *wake, *called(main, "NtClose")]

        for (main, child), field, is_wrong in (
            ((10000, 10010), "which", True), ((6, 7), "tid", True), ((6, 7), "args_thread", True), ((6, 7), "n", False),
        ):  # fmt: skip
            tids = {main: main + 1000, child: child + 1000}
            for spelled in (int, str, hex):
                canary = side(main, child, field, spelled(child))
                ours = side(tids[main], tids[child], field, spelled(tids[main]))
                report = compare_lines(canary, ours, match_names=True, tid_map=tids)
                with self.subTest(main=main, field=field, spelled=spelled):
                    found = [(b.path, tuple(b.values), b.expected, b.stands_for) for b in report.names.breaks]
                    wrong = (f"payload.{field}", (spelled(child), spelled(tids[main])), tids[child], main)
                    self.assertEqual(found, [wrong] if is_wrong else [])
                    if is_wrong:
                        assert report.start_here is not None
                        self.assertEqual(report.start_here.reason, StartReason.WRONG_OBJECT)
                        expected, stands_for = (json.dumps(spelled(tid)) for tid in (tids[child], main))
                        said = f"what canary calls `{stands_for}`; ours calls canary's object `{expected}`"
                        self.assertIn(said, render_markdown(report))

    def test_what_is_no_thread_on_either_side_is_no_wrong_thread(self) -> None:
        for tids in ((6, 99), (99, 6), (98, 99)):
            sides = [
                [spawned(6, 7), *called(7, "NtYieldExecution") * 4, (6, "kernel.call", {"name": "Ke", "tid": tid})]
                for tid in tids
            ]
            report = compare_lines(*sides, match_names=True, tid_map={6: 6, 7: 7})
            with self.subTest(tids=tids):
                self.assertEqual(report.names.breaks, ())
                self.assertEqual(report.threads[0].divergences_found, 1)

    def test_what_only_ours_made_and_sizes_are_no_wrong_object(self) -> None:
        def side(used_one: str, *, more: bool) -> list[Line]:
            lines = [made(MAIN, sid(1), handle(0)), *called(MAIN, "NtClose") * 3]
            lines += [*called(MAIN, "NtMore"), made(MAIN, sid(2), handle(7))] if more else []
            return [*lines, *called(MAIN, "NtStep") * 3, *called(MAIN, "NtSetEvent", handle=used_one)]

        canary = side(handle(0), more=False)
        for value, more, count in ((handle(7), True, 0), ("0xFFFFFF", False, 0), ("0x1000000", False, 1)):
            for report in both_ways(canary, side(value, more=more)):
                with self.subTest(value=value, match_names=report.options.match_names):
                    self.assertEqual(len(report.names.breaks), count)

    def test_a_small_name_of_a_profile_that_is_bound_to_another_object(self) -> None:
        def side(first: int, wrong: int) -> list[Line]:
            lines = [line for n in range(4) for line in called(MAIN, "open", str(first + n), path=f"f{n}")]
            return lines + [line for n in (0, 1, 2, wrong) for line in called(MAIN, "read", args=[str(first + n), "x"])]

        rule = '[[name]]\nkind = "kernel.return"\ncall = "open"\nfield = "return_value"\nreason = "descriptors"\n'
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "fd.toml")
            path.write_text(f"version = 1\n{rule}")
            profile = read_profile([str(path)])
        report = compare_lines(side(10, 3), side(30, 0), match_names=True, profile=profile)
        found = [(tuple(broken.values), broken.expected, broken.stands_for) for broken in report.names.breaks]
        self.assertEqual(found, [(("13", "30"), 33, 10)])
        self.assertIn('what canary calls `"10"`; ours calls canary\'s object `"33"`', render_markdown(report))

    def test_a_result_that_is_another_name_is_no_other_result(self) -> None:
        def side(number: int) -> list[Line]:
            opening = called(MAIN, "NtOpenEvent", handle(number))
            return [made(MAIN, sid(1), handle(number)), *opening, *called(MAIN, "NtClose")]

        strict, _ = both_ways(side(1), side(2))
        self.assertEqual(explanations(strict), {Explained.NAME})
        self.assertEqual(strict.calls, ())

    def test_numbers_within_a_text_are_no_names(self) -> None:
        def side(number: int) -> list[Line]:
            return [made(MAIN, sid(1), handle(number)), *called(MAIN, "DbgPrint", text=f"handle {handle(number)}")]

        self.assertEqual(both_ways(side(0), side(1))[1].verdict, Verdict.DIVERGENT)

    def test_counts_that_happen_to_be_handles_are_not_wrong(self) -> None:
        def side(raw: int, count: int) -> list[Line]:
            return [made(MAIN, sid(1), hex(raw)), made(MAIN, sid(2), hex(raw + 1)), *called(MAIN, "NtRead", count)]

        report = both_ways(side(3, 3), side(4, 3))[1]
        self.assertEqual((report.names.breaks, report.verdict), ((), Verdict.IDENTICAL))

    def test_random_renamings_match_and_one_swap_is_found(self) -> None:
        for seed in seeds(12):
            rng = Random(seed)
            names = rng.sample(range(200), 20)
            kinds = [rng.randrange(20) for _ in range(60)]
            swap = rng.randrange(20, 60)
            wrong = rng.choice([n for n in range(20) if n != kinds[swap]])

            def side(
                call_it: Any, swapped: bool, kinds: list[int] = kinds, swap: int = swap, wrong: int = wrong
            ) -> Any:
                lines = [made(MAIN, sid(n + 1), handle(call_it(n))) for n in range(20)]
                for at, number in enumerate(kinds):
                    meant = wrong if swapped and at == swap else number
                    lines += used(thread_of(at), call_it(meant), 0, at=at)
                return lines

            canary = side(lambda n: n, False)
            with self.subTest(seed=seed):
                same = compare_lines(canary, side(lambda n, names=names: names[n], False), match_names=True)
                self.assertEqual(same.verdict, Verdict.IDENTICAL)
                other = compare_lines(canary, side(lambda n, names=names: names[n], True), match_names=True)
                found = [broken.events.canary.payload["at"] for broken in other.names.breaks]
                self.assertEqual((found, other.verdict), ([swap], Verdict.DIVERGENT))


def thread_of(at: int) -> int:
    """The thread that makes a call."""
    return MAIN if at % 3 else WORKER


if __name__ == "__main__":
    unittest.main()
