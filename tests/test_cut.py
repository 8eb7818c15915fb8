"""Small fixtures that reproduce one divergence of big logs."""

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tests import generator
from tests.small_logs import Line, called, log_text, made, waited
from tests.support import SID, LogTestCase, Outcome, enough, event, log_bytes, run, seeds

NAMES = [f"Call{n}" for n in range(300)]
SKIPPED = re.compile(r'"tid_event_idx": ?[0-9]+')


def steps(tid: int, **changed: Any) -> list[Line]:
    """A thread of many calls and returns; some calls return something else, by name."""
    return [line for name in NAMES for line in called(tid, name, changed.get(name, 0), path=f"game:\\{name}")]


class Cut(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.out = self.directory / "small" / "fixture"

    def paths(self, canary: bytes, ours: bytes) -> tuple[str, ...]:
        return "--canary", self.write("c.jsonl", canary), "--ours", self.write("o.jsonl", ours)

    def cut(self, canary: bytes, ours: bytes, *options: str) -> Outcome:
        return run("cut", *self.paths(canary, ours), "--out", str(self.out), "--quiet", *options)

    def events(self, side: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / f"{side}.jsonl").read_text().splitlines()[1:]]

    def compare_cut(self, *options: str) -> dict[str, Any]:
        """The report of the cut pair."""
        paths = "--canary", str(self.out / "canary.jsonl"), "--ours", str(self.out / "ours.jsonl")
        outcome = run(*paths, "--report", "json:-", "--quiet", *options)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        report: dict[str, Any] = json.loads(outcome.out)
        return report

    def divergence(self, *options: str) -> dict[str, Any]:
        """The only divergence of the cut pair."""
        threads = self.compare_cut(*options)["threads"]
        self.assertEqual([thread["divergences_found"] for thread in threads if thread["divergence"]], [1])
        found: dict[str, Any] = next(thread["divergence"] for thread in threads if thread["divergence"])
        return found


class Fixtures(Cut):
    CANARY, OURS = log_text(steps(6)), log_text(steps(1, Call100=5, Call200=7))

    def test_it_has_few_events_and_says_how_many(self) -> None:
        outcome = self.cut(self.CANARY, self.OURS)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        self.assertEqual(outcome.out, f"{self.out}: 7 + 7 events of 1,200\n")
        self.assertEqual([len(self.events(side)) for side in ("canary", "ours")], [7, 7])
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["canary.jsonl", "meta.toml", "ours.jsonl"])

    def test_a_folder_of_any_name_is_one_that_corpus_reads(self) -> None:
        canary, ours = log_text(steps(1)), log_text(steps(1, Call0=5))
        for name, known_as in (("\U0001f600", "\U0001f600"), ("\udcff", "?")):
            self.out = self.directory / known_as / name
            self.assertEqual(self.cut(canary, ours).code, 0)
            corpus = run("corpus", str(self.out.parent), "--must-fail", "--json")
            self.assertEqual([fixture["id"] for fixture in json.loads(corpus.out)["fixtures"]], [known_as])

    def test_lines_keep_their_bytes_but_for_the_index(self) -> None:
        self.cut(self.CANARY, self.OURS)
        for side, log in (("canary", self.CANARY), ("ours", self.OURS)):
            lines = (self.out / f"{side}.jsonl").read_text().splitlines()
            known = {SKIPPED.sub("", line) for line in log.decode().splitlines()}
            self.assertEqual({SKIPPED.sub("", line) for line in lines} - known, set())
            self.assertEqual([one["tid_event_idx"] for one in self.events(side)], list(range(7)))

    def test_the_same_divergence_comes_first_and_no_other_is_there(self) -> None:
        for at, name, value in (("start", "Call100", 5), ("6:201", "Call100", 5), ("6:300", "Call200", 7)):
            with self.subTest(at=at):
                self.cut(self.CANARY, self.OURS, "--at", at)
                found = self.divergence()
                self.assertEqual(found["fields"], [{"path": "payload.return_value", "canary": 0, "ours": value}])
                self.assertEqual(found["event"]["canary"]["payload"]["name"], name)
                self.out = self.directory / f"other{at.replace(':', '')}"

    def test_it_conforms_and_is_a_fixture(self) -> None:
        self.cut(self.CANARY, self.OURS)
        logs = [str(self.out / f"{side}.jsonl") for side in ("canary", "ours")]
        self.assertEqual(run("validate", "--strict", *logs).code, 0)
        corpus = run("corpus", str(self.out.parent), "--must-fail")
        self.assertEqual(corpus.code, 0)
        self.assertIn("fixture | pass |", corpus.out)
        self.assertIn('tid_map = "6=1"', (self.out / "meta.toml").read_text())
        self.assertIn("kernel.return Call100: payload.return_value", (self.out / "meta.toml").read_text())

    def test_events_that_only_one_side_has(self) -> None:
        ours = [line for line in steps(1) if line[2]["name"] not in ("Call70", "Call71", "Call72")]
        self.cut(self.CANARY, log_text(ours))
        found = self.divergence()
        self.assertEqual((found["change"], found["canary_count"], found["ours_count"]), ("missing_on_ours", 6, 0))
        self.assertLess(len(self.events("canary")), 20)

    def test_a_hole_stays_a_hole(self) -> None:
        events = [event(idx) for idx in range(100)]
        self.cut(log_bytes(events), log_bytes(events[:50] + events[53:]))
        found = self.divergence()
        self.assertEqual((found["class"], found["change"]), ("missing", "missing_on_ours"))
        indexes = [one["tid_event_idx"] for one in self.events("ours")]
        self.assertEqual(indexes[0], 0)
        self.assertEqual([b - a for a, b in itertools.pairwise(indexes) if b != a + 1], [4])

    def test_a_hole_before_the_first_event_stays_a_hole(self) -> None:
        """Where it is what is cut, and not where it is but a hole in front of that."""
        events = [event(idx, payload={"name": f"Call{idx}"}) for idx in range(3, 100)]
        ours = [*events[:5], event(8, payload={"name": "Other"}), *events[6:]]
        for at, (first, found) in {"6:5": (2, "missing"), "6:8": (0, "payload")}.items():
            with self.subTest(at=at):
                self.out = self.directory / f"hole{first}"
                self.cut(log_bytes(events[2:]), log_bytes(ours), "--at", at)
                self.assertEqual(self.divergence()["class"], found)
                firsts = [self.events(side)[0]["tid_event_idx"] for side in ("canary", "ours")]
                self.assertEqual(firsts, [first, 0])
                self.assertLess(len(self.events("ours")), 10)

    def test_so_many_comparisons_and_no_more(self) -> None:
        with mock.patch("diff_events._MOST_COMPARISONS", 1):
            self.cut(self.CANARY, self.OURS)
        self.assertGreater(len(self.events("ours")), 40)
        self.assertEqual(self.divergence()["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])

    def test_a_long_block_becomes_shorter(self) -> None:
        ours = [*steps(1)[:100], *((1, "kernel.call", {"name": f"Lost{n}"}) for n in range(500)), *steps(1)[100:]]
        self.cut(self.CANARY, log_text(ours))
        self.assertEqual(self.divergence()["change"], "extra_on_ours")
        self.assertLess(len(self.events("ours")), 30)


class OtherThanDivergences(Cut):
    def shown(self, canary: bytes, ours: bytes, *options: str) -> dict[str, Any]:
        """The report of the cut pair, which is a fixture that differs; on the way, what the file says of it."""
        self.out = self.directory / f"small{len(self.listing())}" / "fixture"
        outcome = self.cut(canary, ours, *options)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        self.assertEqual(run("corpus", str(self.out.parent), "--must-fail", "--quiet").code, 0)
        tid_map = re.search('tid_map = "(.*)"', (self.out / "meta.toml").read_text())
        assert tid_map is not None
        return self.compare_cut("--tid-map", tid_map[1])

    def test_a_thread_whose_log_ends(self) -> None:
        whole = log_text(steps(6))
        for canary, ours, status in ((whole, steps(1)[:301], "ours_ended"), (steps(6)[:301], whole, "canary_ended")):
            one, other = (log if isinstance(log, bytes) else log_text(log) for log in (canary, ours))
            (thread,) = self.shown(one, other)["threads"]
            self.assertEqual((thread["status"], thread["ending"]["call"]["payload"]["name"]), (status, "Call150"))
            self.assertLess(thread["canary_events"] + thread["ours_events"], 14)

    def test_a_thread_that_hangs_while_the_others_go_on(self) -> None:
        def log(tid: int, stuck: list[Line]) -> bytes:
            return log_text([*steps(tid)[:100], *stuck, *steps(tid)[100:]])

        went_on = waited(7, "1" * 16) + called(7, "After")
        report = self.shown(log(6, went_on), log(1, [(2, *line[1:]) for line in went_on[:2]]))
        self.assertEqual((report["start_here"]["reason"], report["start_here"]["canary_tid"]), ("stuck", 7))
        self.assertLess(sum(thread["canary_events"] for thread in report["threads"]), 24)
        self.assertIn('"ours ended: kernel.call NtWaitFor', (self.out / "meta.toml").read_text())

    def test_a_matching_event_about_the_wrong_object(self) -> None:
        def log(tid: int, last: str) -> bytes:
            objects = [made(tid, sid * 16, raw=f"0xF800000{sid}") for sid in "48"]
            return log_text([*objects, *steps(tid)[:200], *waited(tid, last * 16), *steps(tid)[200:]])

        report = self.shown(log(6, "4"), log(1, "8"))
        (finding,) = report["identity"]
        self.assertTrue(finding["certain"])
        self.assertLess(report["threads"][0]["canary_events"], 12)
        self.assertIn("check_identity = true", (self.out / "meta.toml").read_text())

    def test_a_wrong_object_that_another_thread_created(self) -> None:
        def log(tid: int, last: str) -> bytes:
            objects = [*(made(tid + 1, sid * 16, name=f"Object{sid}") for sid in "48"), *steps(tid + 1)[:40]]
            return log_text([*objects, *steps(tid)[:200], *waited(tid, last * 16), *steps(tid)[200:]])

        (finding,) = self.shown(log(6, "4"), log(1, "8"))["identity"]
        self.assertEqual([finding[f"{side}_object"]["tid"] for side in ("canary", "ours")], [7, 2])
        self.assertLess(len(self.events("ours")), 12)

    def test_a_thread_that_hangs_since_another_never_signals(self) -> None:
        sid = "f" * 16
        wait, signal = waited(7, sid), called(6, "NtSetEvent", handle=f"0x{sid}")
        canary = [*wait[:2], *steps(6), *signal, *wait[2:], *steps(7)[:20], *steps(8)[:40]]
        ours = [*wait[:2], *steps(8)[:40], *steps(6)]
        report = self.shown(log_text(canary), log_text(ours), "--at", "7:1")
        ending = next(thread["ending"] for thread in report["threads"] if thread["canary_tid"] == 7)
        self.assertEqual(ending["signaller"]["payload"]["name"], "NtSetEvent")
        self.assertLess(sum(thread["canary_events"] for thread in report["threads"]), 24)

    def test_a_shared_global_object_of_one_log(self) -> None:
        created = made(1, SID, raw="0x828f0010")
        ours = log_text([*steps(1)[:100], created, *steps(1)[100:]])
        self.assertEqual(self.shown(Fixtures.CANARY, ours)["shared_globals"]["ours_only"], [SID])
        self.assertLess(len(self.events("ours")), 9)

    def test_a_thread_without_a_partner_is_refused(self) -> None:
        canary = log_text([*steps(6), *called(9, "Lone")])
        outcome = self.cut(canary, log_text(steps(1)), "--tid-map", "6=1", "--no-auto-map")
        self.assertEqual(outcome.code, 2)
        self.assertIn("canary's tid 9 has no partner", outcome.err)


class Comparison(Cut):
    """What a fixture needs of names and rules goes with it."""

    RULES = """
    version = 1
    [[ignore]]
    kind = "kernel.call"
    field = "time"
    reason = "a clock"
    [[tolerance]]
    kind = "kernel.return"
    field = "ticks"
    abs = 2
    reason = "another one"
    [[ignore]]
    kind = "kernel.call"
    call = "Call1"
    field = "rare"
    reason = "of another place"
    """

    def log(self, tid: int, start: int, **changed: int) -> bytes:
        lines = steps(tid, **changed)
        for number, (_, kind, payload) in enumerate(lines):
            payload.update({"time": number * start} if kind == "kernel.call" else {"ticks": start})
        lines[2][2]["rare"] = start
        return log_text(lines)

    def test_a_profile_goes_with_it(self) -> None:
        profile = "--profile", self.write("rules.toml", self.RULES.encode())
        self.assertEqual(self.cut(self.log(6, 5), self.log(1, 6, Call100=5), *profile).code, 0)
        self.assertIn('profile = "profile.toml"', (self.out / "meta.toml").read_text())
        rules = (self.out / "profile.toml").read_text()
        self.assertEqual(re.findall('field = "(.*)"', rules), ["time", "rare", "ticks"])
        found = self.divergence("--profile", str(self.out / "profile.toml"))
        self.assertEqual(found["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])
        corpus = run("corpus", str(self.out.parent), "--report", "json:-", "--quiet")
        self.assertEqual([one["drift_count"] for one in json.loads(corpus.out)["fixtures"]], [1])

    def test_names_go_with_it_where_events_match_by_them(self) -> None:
        def log(tid: int, raw: str, result: int) -> bytes:
            use = [line for n in range(20) for line in called(tid, f"Use{n}", result if n == 10 else 0, handle=raw)]
            return log_text([made(tid, "1" * 16, raw=raw), *steps(tid)[:200], *use, *steps(tid)[200:]])

        self.assertEqual(self.cut(log(6, "0xF8000004", 0), log(1, "0xF8000008", 5), "--match-names").code, 0)
        self.assertIn("match_names = true", (self.out / "meta.toml").read_text())
        self.assertEqual(self.divergence("--match-names")["event"]["canary"]["payload"]["name"], "Use10")
        self.assertLess(len(self.events("canary")), 10)

    def test_work_that_a_pool_did_on_another_thread_is_left_out(self) -> None:
        """Also where the block stands beside such work, and in the fixture beside something else."""

        def log(tids: Sequence[int], jobs: Sequence[Sequence[int | str]]) -> bytes:
            lines = [line for tid in tids for line in called(tid, "Begin")]
            for tid, of_thread in zip(tids, jobs, strict=True):
                lines += [line for job in of_thread for line in called(tid, f"Job{job}", path=f"file {job}")]
            return log_text([*lines, *(line for tid in tids for line in called(tid, "End"))])

        pool = 'version = 1\n[[pool]]\nfirst_call = "Begin"\nreason = "any member does it"\n'
        profile = "--profile", self.write("rules.toml", pool.encode())
        for new in ((), ("New",)), (("New",), ()):
            with self.subTest(new=new):
                self.out = self.directory / f"pool{len(new[0])}" / "fixture"
                canary = log((6, 7), ((*range(5), *new[0], *range(5, 10)), range(10, 20)))
                ours = log((1, 2), ((*range(5), *new[1], *range(15, 20)), range(5, 15)))
                outcome = self.cut(canary, ours, "--tid-map", "6=1,7=2", *profile)
                self.assertEqual((outcome.code, outcome.err), (0, ""))
                names = [[one["payload"]["name"] for one in self.events(side)] for side in ("canary", "ours")]
                self.assertEqual(["JobNew" in of_side for of_side in names], list(map(bool, new)))
                self.assertLess(len(self.events("ours")), 10)
                self.assertEqual(run("corpus", str(self.out.parent), "--must-fail", "--quiet").code, 0)


class Names(Cut):
    def log(self, tid: int, used: str, raws: Sequence[str]) -> bytes:
        """Two handles are made on another thread, long before one is used."""
        lines = [made(tid + 1, digit * 16, raw=raw) for digit, raw in zip("12", raws, strict=True)]
        lines += steps(tid)[:200]
        lines += called(tid, "NtSetEvent", handle=used)
        return log_text([*lines, *steps(tid)[200:]])

    def test_what_made_the_names_comes_along(self) -> None:
        canary = self.log(6, "0xF8000004", ("0xF8000004", "0xF8000008"))
        wrong = self.log(6, "0xF8000020", ("0xF8000010", "0xF8000020"))
        self.assertEqual(self.cut(canary, wrong, "--match-names").code, 0)
        self.assertIn("handle.create", [one["kind"] for one in self.events("canary")])
        report = self.compare_cut("--match-names", "--tid-map", "6=6,7=7")
        (broken,) = report["names"]["breaks"]
        self.assertEqual((broken["path"], broken["expected"]), ("payload.handle", 0xF8000010))
        self.assertLess(len(self.events("canary")), 12)

    def test_the_corpus_compares_under_the_same_names(self) -> None:
        canary = self.log(6, "0xF8000004", ("0xF8000004", "0xF8000008"))
        wrong = self.log(6, "0xF8000020", ("0xF8000010", "0xF8000020"))
        self.cut(canary, wrong, "--match-names")
        self.assertIn("match_names = true", (self.out / "meta.toml").read_text())
        self.assertEqual(run("corpus", str(self.out.parent), "--must-fail").code, 0)
        right = (self.out / "ours.jsonl").read_text().replace('"0xF8000020"}', '"0xF8000010"}')
        (self.out / "ours.jsonl").write_text(right)
        self.assertEqual(run("corpus", str(self.out.parent)).code, 0)


class Profiles(Cut):
    RULE = 'version = 1\n[[ignore]]\nkind = "kernel.return"\ncall = "{}"\nfield = "return_value"\nreason = "noise"\n'

    def test_the_corpus_compares_under_the_same_rules(self) -> None:
        paths = [self.write(f"{call}.toml", self.RULE.format(call).encode()) for call in ("Call99", "Call101")]
        profile = [word for path in paths for word in ("--profile", path)]
        ours = log_text(steps(1, Call99=4, Call100=5, Call101=6))
        self.assertEqual(self.cut(log_text(steps(6)), ours, *profile, "--at", "6:199").code, 0)
        for rule in paths:
            Path(rule).unlink()
        report = json.loads(run("corpus", str(self.out.parent), "--must-fail", "--report", "json:-").out)
        self.assertEqual(report["passes"], True)
        found = self.divergence("--profile", str(self.out / "profile.toml"))
        self.assertEqual(found["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])
        text = (self.out / "profile.toml").read_text()
        self.assertEqual([text.count(word) for word in ("version", "Call99", "Call101")], [1, 1, 1])


class Neighbours(Cut):
    RULE = 'version = 1\n[[ignore]]\nkind = "kernel.call"\nfield = "args[*]"\nonly = "absent"\nreason = "noise"\n'

    def test_behind_the_block_stands_another_difference(self) -> None:
        """Under the profile the ends of both sides are one event with another value, of which the cut needs both."""
        lost = [line for n in range(6) for line in called(6, f"Lost{n}")]
        logs = []
        for tid, block, code in ((6, lost, "0"), (1, [], "123")):
            names = ("Wait", "1"), ("Exit", code)
            ends = [(tid, "kernel.call", {"name": name, "args": [argument]}) for name, argument in names]
            logs.append(log_text([ends[0], (tid, "note", {"text": "x"}), *block, ends[1]]))
        profile = self.write("absent.toml", self.RULE.encode())
        outcome = self.cut(logs[0], logs[1], "--profile", profile, "--at", "6:2")
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        found = self.compare_cut("--profile", profile)["threads"][0]["divergence"]
        self.assertEqual((found["change"], found["event"]["canary"]["payload"]["name"]), ("missing_on_ours", "Lost0"))


class Scrub(Cut):
    def test_texts_say_nothing_any_more_and_equal_ones_stay_equal(self) -> None:
        self.assertEqual(self.cut(Fixtures.CANARY, Fixtures.OURS, "--scrub").code, 0)
        for side in ("canary", "ours"):
            self.assertNotIn("game:", (self.out / f"{side}.jsonl").read_text())
        paths = [[one["payload"].get("path") for one in self.events(side)] for side in ("canary", "ours")]
        self.assertEqual(*paths)
        self.assertEqual(len({path for path in paths[0] if path}), sum(path is not None for path in paths[0]))
        self.assertIn("Call100", [one["payload"]["name"] for one in self.events("canary")])
        self.assertEqual(self.divergence()["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])


    def test_nothing_but_calls_kinds_statuses_and_numbers_is_left(self) -> None:
        numbers = {"raw": "0x828F0010", "id": "00112233aabbccdd", "count": "-12", "wait": "any", "empty": ""}

        def log(tid: int, status: int) -> bytes:
            note = {"name": "secret", "text": ["secret"], "secret key": 5, "wait_type": "secret", "status": "STATUS_OK"}
            note |= numbers
            events = [event(n, tid=tid) | {"user": "secret", "engine": "secret"} for n in range(9)]
            events[4] |= {"kind": "process.note", "payload": note}
            events[5] |= {"kind": "kernel.return", "payload": {"name": "Call", "secret key": {"secret key": status}}}
            header = {"schema_version": 1, "user": "secret", "engine": "secret", "payload": {"command": "secret"}}
            return log_bytes(events, json.dumps(header).encode() + b"\n")

        self.assertEqual(self.cut(log(6, 1), log(1, 2), "--scrub").code, 0)
        for path in self.out.iterdir():
            self.assertNotIn("secret", path.read_text())
        note = next(one["payload"] for one in self.events("canary") if one["kind"] == "process.note")
        self.assertEqual((note["status"], list(note.values())[2]), ("STATUS_OK", 5))
        self.assertEqual({key: note[key] for key in numbers}, numbers)
        self.assertEqual([(f["canary"], f["ours"]) for f in self.divergence()["fields"]], [(1, 2)])
        self.assertEqual(run("validate", "--strict", str(self.out / "canary.jsonl")).code, 0)


class Refused(Cut):
    def refused(self, canary: bytes, ours: bytes, *options: str) -> str:
        before = self.listing()
        outcome = self.cut(canary, ours, *options)
        self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
        self.assertEqual(set(self.listing()) - set(before) - {"c.jsonl", "o.jsonl", "small"}, set())
        return outcome.err

    def test_nothing_is_written_where_there_is_nothing_to_cut(self) -> None:
        self.assertIn("nothing differs", self.refused(Fixtures.CANARY, Fixtures.CANARY))
        self.assertIn("no divergence there or after it", self.refused(Fixtures.CANARY, Fixtures.OURS, "--at", "6:500"))
        self.assertFalse(self.out.exists())

    def test_a_folder_that_is_not_empty_stays_as_it_is(self) -> None:
        self.out.mkdir(parents=True)
        (self.out / "meta.toml").write_text("mine")
        self.assertIn("not empty", self.refused(Fixtures.CANARY, Fixtures.OURS))
        self.assertEqual([path.read_text() for path in self.out.iterdir()], ["mine"])


class RandomPairs(Cut):
    def test_any_divergence_is_the_same_in_its_fixture(self) -> None:
        tried = 0
        for seed in seeds(12):
            pair = generator.random_pair(seed)
            pins = "--tid-map", ",".join(f"{canary}={ours}" for canary, ours in pair.tid_map), "--no-auto-map"
            compared = run(*self.paths(pair.canary, pair.ours), *pins, "--report", "json:-", "--quiet")
            for thread in json.loads(compared.out)["threads"] if compared.code == 0 else ():
                if found := thread["divergence"]:
                    with self.subTest(seed=seed, tid=thread["canary_tid"]):
                        self.out = Path(self.directory, f"{seed}-{thread['canary_tid']}")
                        at = "--at", f"{thread['canary_tid']}:{found['canary_idx']}"
                        outcome = self.cut(pair.canary, pair.ours, *pins, *at)
                        tried += 1
                        self.assertEqual(outcome.code, 0, outcome.err)
                        tid_map = re.search('tid_map = "(.*)"', (self.out / "meta.toml").read_text())
                        assert tid_map is not None
                        again = self.compare_cut("--tid-map", tid_map[1], "--no-auto-map")["threads"]
                        same = next(one for one in again if one["canary_tid"] == thread["canary_tid"])["divergence"]
                        for name in ("class", "change", "fields"):
                            self.assertEqual(same[name], found[name])
        self.assertGreater(tried, enough(6))


class Help(Cut):
    def test_it_fits_a_screen(self) -> None:
        self.assertLessEqual(len(run("cut", "--help").out.splitlines()), 40)
