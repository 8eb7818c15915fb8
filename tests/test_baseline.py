"""Against an earlier run: later, earlier, new, gone, same, and the ratchet that holds on to it."""

import io
import json
import re
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import diff_events
from diff_events import ExitCode, Streams
from tests.support import compiled_file, not_tested, run

README = Path(diff_events.__file__).with_name("README.md")

HEADER = '{"schema_version":1}'


def log(streams: Mapping[int, Sequence[object]], first_idx: int = 0) -> str:
    """A log of threads that make one call an event; the call's argument is what the stream lists."""
    lines = [HEADER]
    for tid, arguments in streams.items():
        for idx, argument in enumerate(arguments, first_idx):
            payload = {"name": "NtReadFile", "thread": len(arguments), "argument": argument}
            event = {"kind": "kernel.call", "tid": tid, "tid_event_idx": idx, "payload": payload}
            lines.append(json.dumps(event))
    return "\n".join(lines) + "\n"


def changed(arguments: Sequence[object], place: int, value: object = "other") -> list[object]:
    """The arguments with another value at a place."""
    return [*arguments[:place], value, *arguments[place + 1 :]]


MAIN, LOADER, AUDIO = (list[object](range(start, start + count)) for start, count in ((0, 40), (100, 50), (200, 60)))


class BaselineFixture(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.baseline = self.directory / "baseline.json"
        self.canary = {6: MAIN, 7: LOADER, 8: AUDIO}

    def run_tool(self, canary: str, ours: str, *options: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one comparison."""
        for name, text in (("c.jsonl", canary), ("o.jsonl", ours)):
            (self.directory / name).write_text(text)
        out, err = io.StringIO(), io.StringIO()
        paths = ["--canary", str(self.directory / "c.jsonl"), "--ours", str(self.directory / "o.jsonl")]
        code = diff_events.run([*paths, *options], Streams(out, err))
        return code, out.getvalue(), err.getvalue()


class BaselineTest(BaselineFixture):
    def keep(self, ours: Mapping[int, Sequence[object]]) -> None:
        """Makes the baseline of a run."""
        code, _, err = self.run_tool(log(self.canary), log(ours), "--report", f"json:{self.baseline}", "--quiet")
        self.assertEqual((code, err), (ExitCode.OK, ""))

    def against(self, ours: str, canary: str | None = None) -> tuple[int, dict[str, Any], str, str]:
        """Exit code of the ratchet, the JSON's baseline, Markdown and standard error."""
        report = self.directory / "now.json"
        options = ("--baseline", str(self.baseline), "--ratchet", "--report", f"json:{report}")
        code, markdown, err = self.run_tool(canary or log(self.canary), ours, *options)
        return code, json.loads(report.read_text())["baseline"], markdown, err

    def progressions(self, baseline: dict[str, Any]) -> dict[int, tuple[str, int]]:
        return {t["canary_tid"]: (t["progression"], t["events"]) for t in baseline["threads"]}

    def test_where_the_earlier_run_stopped_looking_nothing_is_new(self) -> None:
        ours = log({1: [-n if n % 10 == 5 else n for n in range(40)], 2: LOADER, 3: AUDIO})
        with mock.patch.object(diff_events, "MOST_SCORED_DIFFERENCES", 2):
            options = ("--quiet", "--max-divergences", "2", "--report", f"json:{self.baseline}")
            self.run_tool(log(self.canary), ours, *options)
        code, baseline, _, _ = self.against(ours)
        self.assertEqual((code, [thread["new"] for thread in baseline["threads"]]), (ExitCode.OK, [[], [], []]))

    def test_later_earlier_new_gone_and_same(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: changed(LOADER, 30), 3: AUDIO})
        code, baseline, markdown, err = self.against(log({1: changed(MAIN, 25), 2: changed(LOADER, 20), 3: AUDIO}))
        self.assertEqual(self.progressions(baseline), {6: ("later", 15), 7: ("earlier", -10), 8: ("same", 0)})
        moved = "canary tid 7: earlier, 10 matching events fewer, 1 new divergence from #20 on; earlier: 1, later: 1, "
        moved += "new divergences: 1."
        failed = f"diff_events.py: The gate does not hold: --ratchet: {moved}\n"
        self.assertEqual((code, err), (ExitCode.GATE, failed))
        self.assertIn(f"**Against the baseline:** {moved}", markdown)
        code, baseline, _, _ = self.against(log({1: MAIN, 2: changed(LOADER, 30), 3: changed(AUDIO, 5)}))
        self.assertEqual(self.progressions(baseline), {6: ("gone", 30), 7: ("same", 0), 8: ("new", -55)})
        self.assertEqual(code, ExitCode.GATE)

    def test_a_damaged_report_is_refused(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: LOADER, 3: AUDIO})
        report = json.loads(self.baseline.read_text())
        odd = {**report["threads"][0], "marks": [[]]}
        damages: tuple[dict[str, Any], ...] = {"sorts": []}, {"threads": [odd]}
        for damage in damages:
            self.baseline.write_text(json.dumps({**report, **damage}))
            code, out, err = self.run_tool(log(self.canary), log(self.canary), "--baseline", str(self.baseline))
            self.assertEqual((code, out, err.count("\n")), (ExitCode.ERROR, "", 1))
            self.assertIn("baseline.json: expected a JSON report of this tool, found a field of another form: ", err)

    def test_the_ratchet_holds_where_all_is_the_same_or_later(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: changed(LOADER, 30), 3: AUDIO})
        for main in (changed(MAIN, 10), changed(MAIN, 39), MAIN):
            code, baseline, _, _ = self.against(log({1: main, 2: changed(LOADER, 30), 3: AUDIO}))
            self.assertEqual((code, baseline["holds"]), (ExitCode.OK, True))

    def test_tids_and_indexes_may_shift(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: changed(LOADER, 30), 3: AUDIO})
        canary = {9: [*"ab", *MAIN], 11: LOADER, 12: AUDIO}
        ours = {4: [*"ab", *changed(MAIN, 10)], 5: changed(LOADER, 30), 6: AUDIO}
        # The argument counts are part of the payload, so keep them as they were.
        shifted = [log(side).replace('"thread": 42', '"thread": 40') for side in (canary, ours)]
        code, baseline, _, err = self.against(shifted[1], canary=shifted[0])
        self.assertEqual({t[0] for t in self.progressions(baseline).values()}, {"same"})
        self.assertEqual(code, ExitCode.OK)
        self.assertRegex(err, r"^diff_events.py: warning: .*baseline.json: .*another canary log.*\n$")

    def test_a_thread_that_lost_its_partner_is_earlier(self) -> None:
        self.keep({1: MAIN, 2: LOADER, 3: AUDIO})
        code, baseline, markdown, _ = self.against(log({1: MAIN, 2: LOADER}))
        self.assertEqual(self.progressions(baseline)[8], ("earlier", -60))
        self.assertEqual((code, baseline["new_unmapped"]), (ExitCode.GATE, 1))
        self.assertIn("more threads without a partner: 1", markdown)

    def test_a_divergence_where_only_the_log_had_ended_is_new(self) -> None:
        ended = log({1: MAIN[:10], 2: LOADER, 3: AUDIO}).replace('"thread": 10,', '"thread": 40,')
        self.run_tool(log(self.canary), ended, "--report", f"json:{self.baseline}", "--quiet")
        code, baseline, _, _ = self.against(log({1: changed(MAIN, 10), 2: LOADER, 3: AUDIO}))
        self.assertEqual((self.progressions(baseline)[6], code), (("new", 0), ExitCode.GATE))
        self.assertEqual([thread["new"] for thread in baseline["threads"]], [[10], [], []])
        code, baseline, _, _ = self.against(log({1: changed(MAIN, 11), 2: LOADER, 3: AUDIO}))
        self.assertEqual((self.progressions(baseline)[6], code), (("later", 1), ExitCode.OK))

    def test_an_earlier_end_in_another_recording_is_not_the_same_one(self) -> None:
        def side(calls: int) -> str:
            names = ({"name": f"Call{idx}"} for idx in range(calls))
            events = ({"kind": "kernel.call", "tid": 6, "tid_event_idx": n, "payload": p} for n, p in enumerate(names))
            return "\n".join([HEADER, *map(json.dumps, events)]) + "\n"

        self.run_tool(side(20), side(15), "--report", f"json:{self.baseline}", "--quiet")
        for ours, progress in ((2, ("earlier", -13)), (15, ("same", 0)), (18, ("later", 3))):
            with self.subTest(ours=ours):
                code, baseline, _, err = self.against(side(ours), canary=side(21))
                self.assertEqual(self.progressions(baseline), {6: progress})
                self.assertEqual(code, ExitCode.GATE if ours == 2 else ExitCode.OK)
                self.assertIn("another canary log", err)

    def test_a_report_with_the_pinned_fields_alone_will_do(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: LOADER, 3: AUDIO})
        document = json.loads(self.baseline.read_text())
        pinned = {key: document[key] for key in ("format", "format_version", "unmapped", "shared_globals")}
        names = ("canary_tid", "ours_tid", "status", "matched")
        pinned["threads"] = [{name: thread[name] for name in names} for thread in document["threads"]]
        self.baseline.write_text(json.dumps(pinned))
        code, baseline, _, _ = self.against(log({1: changed(MAIN, 12), 2: LOADER, 3: AUDIO}))
        self.assertEqual(self.progressions(baseline)[6], ("later", 2))
        self.assertEqual(code, ExitCode.OK)

    def new(self, ours: Sequence[object], canary: str | None = None) -> tuple[int, list[int]]:
        """Exit code of the ratchet, and where the main thread's new divergences are."""
        code, baseline, _, _ = self.against(log({1: ours, 2: LOADER, 3: AUDIO}), canary)
        return code, next(thread["new"] for thread in baseline["threads"] if thread["ours_tid"] == 1)

    def test_a_divergence_behind_an_unchanged_first_one_is_new(self) -> None:
        first = changed(MAIN, 5)
        self.keep({1: changed(first, 20), 2: LOADER, 3: AUDIO})
        self.assertEqual(self.new(changed(first, 20)), (ExitCode.OK, []))
        self.assertEqual(self.new(first), (ExitCode.OK, []))
        self.assertEqual(self.new(changed(first, 22)), (ExitCode.OK, []), "the same sort, later")
        self.assertEqual(self.new(changed(first, 15)), (ExitCode.GATE, [15]), "the same sort, earlier")
        self.assertEqual(self.new(changed(changed(first, 20), 30)), (ExitCode.GATE, [30]))
        more = changed(changed(changed(first, 12), 20), 33)
        self.assertEqual(self.new(more), (ExitCode.GATE, [12, 33]))
        longer = [6, 6]  # another recording of canary, in which indexes shift
        recording = log({6: [*longer, *MAIN], 7: LOADER, 8: AUDIO}).replace('"thread": 42', '"thread": 40')
        # There the same calls may differ half as often again: the last of four is one too many for two.
        for now, count in ((changed(first, 20), 0), (changed(changed(first, 12), 20), 0), (more, 1)):
            ours = log({1: [*longer, *now], 2: LOADER, 3: AUDIO}).replace('"thread": 42', '"thread": 40')
            code, baseline, _, _ = self.against(ours, recording)
            found = code, len(baseline["threads"][0]["new"]), baseline["same_canary"]
            self.assertEqual(found, (ExitCode.GATE if count else ExitCode.OK, count, False))

    def test_in_another_recording_the_calls_that_differed_may_differ_otherwise(self) -> None:
        def side(tid: int, names: Sequence[str], **values: object) -> str:
            payloads = [{"name": name, **(values if n == 9 else {})} for n, name in enumerate(names)]
            event = {"kind": "kernel.call", "tid": tid}
            events = ({**event, "tid_event_idx": n, "payload": payload} for n, payload in enumerate(payloads))
            return "\n".join([HEADER, *map(json.dumps, events)]) + "\n"

        calls = [f"Call{n}" for n in range(20)]
        self.run_tool(side(6, calls, size=1), side(1, calls, size=2), "--report", f"json:{self.baseline}", "--quiet")
        longer = [*calls, "Last"]
        for ours, code in (
            (side(1, longer, size=3, mode=4), ExitCode.OK),  # another field of the same call
            (side(1, [*longer[:9], *longer[10:]]), ExitCode.OK),  # the same call is missing
            (side(1, [*longer[:12], *longer[13:]], size=1), ExitCode.GATE),  # another call is missing
            (side(1, [*longer[:12], "KeDelayExecutionThread", *longer[12:]], size=1), ExitCode.OK),  # it is timing
        ):
            with self.subTest(ours=ours):
                self.assertEqual(self.against(ours, canary=side(6, longer, size=1))[0], code)

    def test_another_sort_in_the_same_place_is_new_and_a_smaller_difference_is_not(self) -> None:
        ours = log({1: MAIN, 2: LOADER, 3: AUDIO})
        line = next(line for line in ours.splitlines() if '"tid": 1,' in line and '"tid_event_idx": 9,' in line)
        argument = line.replace('"argument": 9', '"argument": 7')
        two_fields = argument.replace('"thread": 40', '"thread": 41')
        other_call = line.replace("NtReadFile", "NtClose")
        for before, now, code in (
            (argument, argument, ExitCode.OK),
            (two_fields, argument, ExitCode.OK),
            (argument, two_fields, ExitCode.GATE),
            (other_call, argument, ExitCode.OK),
            (argument, other_call, ExitCode.GATE),
        ):
            with self.subTest(before=before, now=now):
                kept = ours.replace(line, before)
                self.run_tool(log(self.canary), kept, "--report", f"json:{self.baseline}", "--quiet")
                self.assertEqual(self.against(ours.replace(line, now))[0], code)

    def test_parity_that_falls_is_worse(self) -> None:
        def without(end: int) -> list[object]:
            return [*MAIN[:10], *(f"other {n}" for n in range(10, end)), *MAIN[end:]]

        self.keep({1: without(12), 2: LOADER, 3: AUDIO})
        for end, code in ((11, ExitCode.OK), (12, ExitCode.OK), (16, ExitCode.GATE)):
            found, baseline, markdown, _ = self.against(log({1: without(end), 2: LOADER, 3: AUDIO}))
            self.assertEqual((found, baseline["threads"][0]["new"]), (code, []))
        self.assertIn("tid 6: same, parity lower; parity 98.66 % before, 96 % now.", markdown.replace("96.00", "96"))

    def test_a_baseline_is_replaced_only_where_the_ratchet_holds(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: LOADER, 3: AUDIO})
        kept = self.baseline.read_bytes()
        reports = ("--report", f"json:{self.baseline}", "--report", f"html:{self.directory / 'r.html'}")
        again = ("--baseline", str(self.baseline), "--ratchet", "--quiet", *reports)
        for _ in range(2):
            code, _, err = self.run_tool(log(self.canary), log({1: changed(MAIN, 9), 2: LOADER, 3: AUDIO}), *again)
            self.assertEqual((code, self.baseline.read_bytes()), (ExitCode.GATE, kept))
            self.assertIn("canary tid 6: earlier, 1 matching event fewer, 1 new divergence from #9 on; ", err)
            self.assertTrue((self.directory / "r.html").exists())
        self.assertEqual(self.run_tool(log(self.canary), log({1: MAIN, 2: LOADER, 3: AUDIO}), *again)[0], ExitCode.OK)
        self.assertEqual({t["status"] for t in json.loads(self.baseline.read_text())["threads"]}, {"identical"})
        self.assertEqual([path.name for path in self.directory.glob(".*")], [])


class OtherRecordingTest(BaselineFixture):
    """Baselines of one recording of canary, held against another, whose indexes and noise differ."""

    @staticmethod
    def side(threads: Mapping[int, Sequence[tuple[str, object]]]) -> str:
        lines = [HEADER]
        for tid, calls in threads.items():
            for idx, (name, value) in enumerate(calls):
                payload = {"name": name, "value": value}
                lines.append(json.dumps({"kind": "kernel.call", "tid": tid, "tid_event_idx": idx, "payload": payload}))
        return "\n".join(lines) + "\n"

    def ratchet(
        self, before: tuple[str, str], now: tuple[str, str], *more: str
    ) -> tuple[int, dict[str, Any], str, bool]:
        """Exit code, the JSON's baseline, standard error, and whether the baseline was replaced."""
        options = ("--quiet", "--report", f"json:{self.baseline}")
        self.run_tool(*before, *options)
        kept, report = self.baseline.read_bytes(), self.directory / "now.json"
        code, _, err = self.run_tool(
            *now, *options, "--baseline", str(self.baseline), "--ratchet", "--report", f"json:{report}", *more
        )
        return code, json.loads(report.read_text())["baseline"], err, self.baseline.read_bytes() != kept

    CALLS: Sequence[tuple[str, object]] = [(f"Call{n}", f"value {n}") for n in range(40)]

    def test_what_was_identical_must_stay_so(self) -> None:
        longer = [*self.CALLS, ("Last", 0)]
        named: list[tuple[str, object]] = [*longer[:30], ("Call30", "value 12345"), *longer[31:]]
        # The text differs in a number alone: that is more often the engine's own business, and doubtful.
        canary = [(name, "value 54321" if name == "Call30" else value) for name, value in longer]
        before = self.side({6: self.CALLS}), self.side({1: self.CALLS})
        code, baseline, err, replaced = self.ratchet(before, (self.side({6: canary}), self.side({1: named})))
        self.assertEqual((code, baseline["summary"]["new"], replaced), (ExitCode.GATE, 1, False))
        self.assertIn("newly different: 1, new divergences: 1; parity 100 %", err)
        held = self.ratchet(before, (self.side({6: longer}), self.side({1: longer})))
        self.assertEqual((held[0], held[1]["summary"]["same"], held[3]), (ExitCode.OK, 1, True))

    def test_a_thread_of_which_all_matched_is_held_to_the_end(self) -> None:
        before = [self.CALLS[:20]] * 2  # another recording is longer, and differs where the first one had ended
        now: list[Sequence[tuple[str, object]]] = [self.CALLS, [*self.CALLS[:30], ("Call30", 1), *self.CALLS[31:]]]
        sides = [tuple(self.side({6 if n == 0 else 1: one}) for n, one in enumerate(pair)) for pair in (before, now)]
        code, baseline, _, _ = self.ratchet((sides[0][0], sides[0][1]), (sides[1][0], sides[1][1]))
        self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.GATE, [30]))

    def test_a_thread_of_which_ours_had_ended_is_held_up_to_there(self) -> None:
        canary, longer = self.CALLS, [*self.CALLS, ("Last", 0)]
        for place, new in ((30, []), (10, [10])):
            now = [*longer[:place], (f"Call{place}", 1), *longer[place + 1 :]]
            with self.subTest(place=place):
                before = self.side({6: canary}), self.side({1: canary[:20]})
                code, baseline, _, _ = self.ratchet(before, (self.side({6: longer}), self.side({1: now})))
                self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.GATE if new else ExitCode.OK, new))

    def test_a_divergence_is_known_by_the_call_of_either_side(self) -> None:
        longer = [*self.CALLS, ("Last", 0)]
        canary, recording = self.side({6: self.CALLS}), self.side({6: longer})
        replaced: list[tuple[str, object]] = [("Other", 0)]
        missing: list[tuple[str, object]] = []
        extra = [self.CALLS[10], *replaced]
        for then, now in ((replaced, missing), (missing, replaced), (replaced, extra), (extra, replaced)):
            with self.subTest(then=then, now=now):
                before = self.side({1: [*self.CALLS[:10], *then, *self.CALLS[11:]]})
                ours = self.side({1: [*longer[:10], *now, *longer[11:]]})
                code, baseline, _, _ = self.ratchet((canary, before), (recording, ours))
                self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.OK, []))

    def test_a_difference_may_show_in_two_parts_but_not_at_another_place(self) -> None:
        calls: list[tuple[str, object]] = [("Read" if n % 2 else f"Call{n}", f"part {n}") for n in range(40)]
        longer = [*calls, ("Last", 0)]

        def ours(*places: int) -> str:
            return self.side({1: [(name, 0 if n in places else value) for n, (name, value) in enumerate(longer)]})

        before = self.side({6: calls}), ours(11).replace('"name": "Last"', '"name": "End"')
        canary = self.side({6: longer})
        for places, new in (((11,), []), ((11, 15), []), ((11, 25), [25])):
            with self.subTest(places=places):
                code, baseline, _, _ = self.ratchet(before, (canary, ours(*places)))
                self.assertEqual(baseline["threads"][0]["new"], new)
                self.assertEqual(code, ExitCode.GATE if new else ExitCode.OK)

    def test_a_call_whose_name_has_a_slash_is_one_call(self) -> None:
        def sides(name: str, tail: int) -> tuple[str, str]:
            calls: list[tuple[str, object]] = [*self.CALLS[:20], (name, 1), *self.CALLS[20:], *self.CALLS[:tail]]
            return self.side({6: calls}), self.side({1: [(call, 2 if call == name else v) for call, v in calls]})

        for name, new in (("Read / Write", []), ("Write", [20])):
            code, baseline, _, _ = self.ratchet(sides("Read / Write", 1), sides(name, 2))
            self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.GATE if new else ExitCode.OK, new))

    def test_the_same_calls_may_not_lose_far_more(self) -> None:
        def sides(missing: int, tail: int) -> tuple[str, str]:
            calls: list[tuple[str, object]] = [*self.CALLS, *[("Read", n) for n in range(30)], *self.CALLS[:tail]]
            return self.side({6: calls}), self.side({1: [*calls[:40], *calls[40 + missing :]]})

        for missing, code in ((3, ExitCode.OK), (4, ExitCode.OK), (12, ExitCode.GATE)):
            with self.subTest(missing=missing):
                found, baseline, err, _ = self.ratchet(sides(3, 20), sides(missing, 21))
                self.assertEqual((found, baseline["threads"][0]["new"]), (code, []))
                self.assertEqual("--ratchet: parity" in err, code is ExitCode.GATE)

    def test_the_work_of_one_thread_is_in_another_recording_that_of_another(self) -> None:
        other = [*self.CALLS[:10], ("Call10", "other"), *self.CALLS[11:]]
        more = [("Last", 0)]
        before = self.side({6: self.CALLS, 7: self.CALLS}), self.side({1: self.CALLS, 2: other})
        now = self.side({6: [*self.CALLS, *more], 7: self.CALLS}), self.side({1: [*other, *more], 2: self.CALLS})
        code, baseline, _, _ = self.ratchet(before, now, "--tid-map", "6=1,7=2")
        self.assertEqual((code, baseline["summary"]["same"]), (ExitCode.OK, 2))

    def test_each_thread_keeps_its_parity(self) -> None:
        def ours(missing: int, other: int) -> str:
            first, second = self.CALLS, [(f"Work{n}", n) for n in range(40)]
            return self.side({1: [*first[:5], *first[5 + missing :]], 2: [*second[:5], *second[5 + other :]]})

        canary = ours(0, 0)
        code, _, err, _ = self.ratchet((canary, ours(2, 9)), (canary, ours(4, 2)))
        self.assertEqual((code, "canary tid 1: same, parity lower" in err), (ExitCode.GATE, True))

    def test_a_result_against_itself_holds_where_two_divergences_share_a_place(self) -> None:
        def with_returns(tid: int, calls: Sequence[tuple[str, object]]) -> str:
            payloads = [{"name": name, **more} for name, value in calls for more in ({"value": value}, {"status": 0})]
            lines = [HEADER]
            for idx, payload in enumerate(payloads):
                kind = "kernel.return" if "status" in payload else "kernel.call"
                lines.append(json.dumps({"kind": kind, "tid": tid, "tid_event_idx": idx, "payload": payload}))
            return "\n".join(lines) + "\n"

        changed_behind_extra = [*self.CALLS[:10], ("Extra", 7), ("Call10", "other"), *self.CALLS[11:]]
        sides = with_returns(6, self.CALLS), with_returns(1, changed_behind_extra)
        code, baseline, _, _ = self.ratchet(sides, sides)
        self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.OK, []))
        marks = json.loads((self.directory / "now.json").read_text())["threads"][0]["marks"]
        self.assertEqual([mark[0] for mark in marks], [20, 20])

    def test_a_thread_that_now_ends_early_is_named(self) -> None:
        canary, ended = self.side({6: self.CALLS}), self.side({1: self.CALLS[:20]})
        _, baseline, err, _ = self.ratchet((canary, self.side({1: self.CALLS})), (canary, ended))
        self.assertEqual(baseline["threads"][0]["new"], [])
        self.assertIn("newly different: 1; parity 100 % before, 50.00 % now.", err)

    def test_of_several_threads_that_now_end_early_the_first_is_named(self) -> None:
        canary = self.side({6: self.CALLS, 7: self.CALLS[::-1]})
        sides = [self.side({1: self.CALLS[:end], 2: self.CALLS[::-1][:end]}) for end in (40, 20)]
        _, _, err, _ = self.ratchet((canary, sides[0]), (canary, sides[1]))
        self.assertIn("newly different: 2; parity", err)

    def test_what_is_left_of_a_block_is_not_new(self) -> None:
        canary, other = self.side({6: self.CALLS}), [(f"Other{n}", 0) for n in range(10)]
        block = [*self.CALLS[:10], *other, *self.CALLS[20:]]
        left = [*self.CALLS[:10], other[0], *self.CALLS[11:15], ("Call15", 0), *self.CALLS[16:]]
        code, baseline, _, _ = self.ratchet((canary, self.side({1: block})), (canary, self.side({1: left})))
        self.assertEqual((code, baseline["threads"][0]["new"]), (ExitCode.OK, []))

    def test_what_is_fixed_and_another_profile_are_said(self) -> None:
        canary = self.side({6: self.CALLS})
        ours = self.side({1: [*self.CALLS[:10], ("Call10", 0), *self.CALLS[11:20], ("Call20", 0), *self.CALLS[21:]]})
        self.run_tool(canary, ours, "--report", f"json:{self.baseline}", "--quiet")
        against = ("--baseline", str(self.baseline), "--ratchet")
        one_fixed = ours.replace('"Call10", "value": 0', '"Call10", "value": "value 10"')
        _, out, _ = self.run_tool(canary, one_fixed, *against)
        self.assertIn("baseline:** later: 1, fixed: 1; parity 95.00 % before", out)
        self.assertIn("- canary tid 6 / ours tid 1: later, 10 matching events more, 1 divergence fixed", out)
        self.assertNotIn("another profile", out)
        profile = self.directory / "p.toml"
        rule = 'kind = "kernel.call"\ncall = "Call10"\nfield = "value"\nreason = "it is noise"\n'
        profile.write_text(f"version = 1\n[[ignore]]\n{rule}")
        _, out, err = self.run_tool(canary, self.side({1: self.CALLS}), *against, "--profile", str(profile))
        self.assertIn("**Against the baseline:** now identical: 1, fixed: 2", out)
        self.assertIn("another profile than the baseline's", out)
        self.assertIn("it was made under another profile than this run", err)

    def test_rules_for_one_field_are_told_apart_by_all_that_they_say(self) -> None:
        profile, sides = self.directory / "p.toml", (self.side({6: self.CALLS}), self.side({1: self.CALLS}))
        field = '[[{}]]\nkind = "kernel.call"\ncall = "Call10"\nfield = "value"\n{}\n'
        texts = [field.format("ignore", more) for more in ("", "values = [1, 2]", "values = [1, 3]", 'only = "absent"')]
        texts += [field.format("tolerance", more) for more in ("abs = 1", "abs = 0.5", "rel = 0.5")]
        texts += [f'[[float]]\nkind = "kernel.call"\n[float.where]\n"payload.value" = {value}\n' for value in (1, 2)]
        texts += [f'[[pool]]\n{more}\n' for more in ('first_call = "M"', 'first_call = "N"', "entry_point = 5")]
        for earlier, text in zip((texts[-1], *texts), texts, strict=False):
            for then, now in ((earlier, text), (text, text)):
                options = ("--profile", str(profile), "--report", f"json:{self.baseline}")
                for of_run, more in ((then, ()), (now, ("--baseline", str(self.baseline)))):
                    lines = of_run.replace("]]\n", ']]\nreason = "noise"\n')
                    profile.write_text(f"version = 1\n{lines}")
                    code, _, err = self.run_tool(*sides, "--quiet", *options, *more)
                    self.assertEqual((code, err), (ExitCode.OK, ""))
                same = json.loads(self.baseline.read_text())["baseline"]["same_profile"]
                self.assertEqual(same, then == now, (then, now))

    def test_what_is_learned_from_other_runs_is_no_other_profile(self) -> None:
        reference = self.directory / "reference.jsonl"
        reference.write_text(self.side({6: [*self.CALLS[:10], ("Call10", 1234567), *self.CALLS[11:]]}))
        sides, options = (self.side({6: self.CALLS}), self.side({1: self.CALLS})), ("--reference", str(reference))
        for then, now in (((), options), (options, options), (options, ())):
            self.run_tool(*sides, *then, "--report", f"json:{self.baseline}", "--quiet")
            _, out, err = self.run_tool(*sides, *now, "--baseline", str(self.baseline), "--ratchet")
            self.assertIn("**Against the baseline:**", out)
            self.assertNotIn("another profile", out + err)


class UntilTest(BaselineFixture):
    def gate(self, place: str, ours: Mapping[int, Sequence[object]], *options: str) -> tuple[int, str]:
        code, _, err = self.run_tool(log(self.canary), log(ours), "--quiet", "--until", place, *options)
        return code, err

    def test_a_thread_must_match_up_to_an_index(self) -> None:
        ours = {1: changed(MAIN, 10), 2: changed(LOADER, 20), 3: AUDIO}
        for place, code in (("6:10", 0), ("/NtReadFile/0:10", 0), ("8:60", 0), ("7:20", 0)):
            self.assertEqual(self.gate(place, ours, "--tid-map", "6=1,7=2"), (code, ""))
        for place, why in (("6:11", "diverged at #10"), ("7:50", "diverged at #20")):
            code, err = self.gate(place, ours)
            message = f"diff_events.py: The gate does not hold: --until {place}: {why}.\n"
            self.assertEqual((code, err), (ExitCode.GATE, message))
        self.assertIn("--until 7:1: no partner", self.gate("7:1", {1: MAIN, 3: AUDIO})[1])

    def test_a_thread_that_ended_before_that_index_does_not_match_up_to_it(self) -> None:
        ended = log({1: MAIN[:10], 2: LOADER, 3: AUDIO}).replace('"thread": 10,', '"thread": 40,')
        for place, expected in (("6:10", 0), ("6:11", 1)):
            code, _, err = self.run_tool(log(self.canary), ended, "--quiet", "--until", place)
            self.assertEqual((code, "ours ended at #10.\n" in err), (expected, expected == 1))

    def test_a_key_needs_no_quotes_that_a_shell_would_take(self) -> None:
        for given in ('"0x82000000"/Work/0', "0x82000000/Work/0", "7"):
            self.assertTrue(diff_events.ThreadPlace(given, 1).names('"0x82000000"/Work/0', 7))
        self.assertFalse(diff_events.ThreadPlace("0x82000000/Work/1", 1).names('"0x82000000"/Work/0', 7))

    def test_what_canary_does_not_have_is_refused(self) -> None:
        for place, why in (("5:1", "no thread 5 (6 is"), ("6:41", "ends before index 41"), ("6", "expected the key")):
            code, err = self.gate(place, {1: MAIN})
            self.assertEqual((code, err.count("\n")), (ExitCode.ERROR, 1))
            self.assertIn(why, err)

    def test_bisect_skips_what_cannot_be_told(self) -> None:
        ours = {1: changed(MAIN, 10), 2: LOADER, 3: AUDIO}
        self.assertEqual(self.gate("6:5", ours, "--bisect")[0], 0)
        self.assertEqual(self.gate("6:15", ours, "--bisect")[0], 1)
        self.assertEqual(self.gate("6:15", {}, "--bisect")[0], 125)
        self.assertEqual(self.gate("6:15", ours, "--bisect", "--unknown")[0], 125)
        self.assertEqual(run("parity", "--bisect").code, 2)  # which has no such option
        code, _, err = self.run_tool(log(self.canary), log(ours), "--bisect")
        self.assertEqual(code, 125)
        self.assertIn("--bisect needs a gate", err)


class GitBisectTest(BaselineFixture):
    """The recipe of the README, on a repository of five commits whose engine writes another log in each."""

    LATER = changed(MAIN, 35)
    RUNS: tuple[Mapping[int, Sequence[object]], ...] = (
        {1: LATER},  # it diverges, but behind the index that is asked for
        {1: changed(LATER, 20)},
        {},  # it does not run: git tries this one first, and must skip it
        {1: changed(LATER, 20)},
        {1: changed(LATER, 10)},
    )

    def test_it_names_the_commit_that_broke_it(self) -> None:
        if shutil.which("git") is None:
            raise not_tested("git bisect run: there is no git")
        (self.directory / "c.jsonl").write_text(log({6: MAIN}))
        engine = self.directory / "engine"
        engine.mkdir()
        who = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]

        def git(*words: str) -> str:
            argv = ["git", *who, *words]
            return subprocess.run(argv, cwd=engine, capture_output=True, text=True, check=True).stdout

        git("init", "--quiet", "--initial-branch=main")
        for number, streams in enumerate(self.RUNS):
            (engine / "run.sh").write_text(f"cat <<'END'\n{log(streams)}END\n")
            git("add", "run.sh")
            git("commit", "--quiet", "--no-gpg-sign", "-m", f"commit {number}")
        git("bisect", "start", "HEAD", "HEAD~4")
        recipe = re.search(r"```sh\n(sh run.sh > .*?\n)```", README.read_text(encoding="utf-8"), re.DOTALL)
        assert recipe is not None
        script = recipe[1].replace("diff_events.py", compiled_file()).replace("canary.jsonl", "../c.jsonl")
        (self.directory / "check.sh").write_text(script.replace("6:1234", "6:25"))
        said = git("bisect", "run", "sh", "../check.sh")
        self.assertIn("commit 1", said[said.rindex("is the first bad commit") :])


class BadBaselineTest(BaselineFixture):
    def refused(self, *options: str) -> str:
        code, out, err = self.run_tool(log({6: MAIN}), log({1: MAIN}), *options)
        self.assertEqual((code, out, err.count("\n")), (ExitCode.ERROR, "", 1))
        return err

    def test_what_is_no_report_is_refused(self) -> None:
        cases = {
            "": "JSON report",
            "[]": "another form",
            '{"format": "diff-events-report", "format_version": 1, "shared_globals": []}': "threads",
            '{"format": "other"}': "format",
            '{"format": "diff-events-report", "format_version": 2}': "format_version: expected 1, found 2",
            '{"format": "diff-events-report", "format_version": "1"}': 'format_version: expected 1, found "1"',
            '{"format": "diff-events-report", "format_version": 1}': "shared_globals",
        }
        for text, expected in cases.items():
            with self.subTest(text=text):
                self.baseline.write_text(text)
                message = self.refused("--baseline", str(self.baseline))
                self.assertIn("baseline.json", message)
                self.assertIn(expected, message)

    def test_a_missing_file_and_a_ratchet_without_baseline_are_refused(self) -> None:
        self.assertIn("No such file", self.refused("--baseline", str(self.directory / "none.json")))
        self.assertIn("--baseline", self.refused("--ratchet"))
