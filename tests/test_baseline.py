"""Against an earlier run: later, earlier, new, gone, same, and the ratchet that holds on to it."""

import io
import json
import tempfile
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diff_events
from diff_events import ExitCode, Streams

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


MAIN, LOADER, AUDIO = (list(range(start, start + count)) for start, count in ((0, 40), (100, 50), (200, 60)))


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

    def test_later_earlier_new_gone_and_same(self) -> None:
        self.keep({1: changed(MAIN, 10), 2: changed(LOADER, 30), 3: AUDIO})
        code, baseline, markdown, err = self.against(log({1: changed(MAIN, 25), 2: changed(LOADER, 20), 3: AUDIO}))
        self.assertEqual(self.progressions(baseline), {6: ("later", 15), 7: ("earlier", -10), 8: ("same", 0)})
        failed = "diff_events.py: The gate does not hold: --ratchet: 1 thread later, 1 earlier, 1 same.\n"
        self.assertEqual((code, err), (ExitCode.GATE, failed))
        self.assertIn("**Against the baseline:** 1 thread later, 1 earlier, 1 same.", markdown)
        code, baseline, _, _ = self.against(log({1: MAIN, 2: changed(LOADER, 30), 3: changed(AUDIO, 5)}))
        self.assertEqual(self.progressions(baseline), {6: ("gone", 30), 7: ("same", 0), 8: ("new", -55)})
        self.assertEqual(code, ExitCode.GATE)

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
        self.assertIn("1 more thread without a partner", markdown)

    def test_a_divergence_where_only_the_log_had_ended_is_new(self) -> None:
        ended = log({1: MAIN[:10], 2: LOADER, 3: AUDIO}).replace('"thread": 10,', '"thread": 40,')
        self.run_tool(log(self.canary), ended, "--report", f"json:{self.baseline}", "--quiet")
        code, baseline, _, _ = self.against(log({1: changed(MAIN, 10), 2: LOADER, 3: AUDIO}))
        self.assertEqual((self.progressions(baseline)[6], code), (("new", 0), ExitCode.GATE))
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
