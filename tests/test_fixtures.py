"""The event-log fixtures: written as their script writes them, and judged as they say they must be."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import tomllib
import unittest
from pathlib import Path
from typing import Any

import diff_events
from diff_events import ExitCode, PairStatus, Report
from tests import make_fixtures
from tests.make_fixtures import FIXTURES, ROOT, Fixture

CANONICAL = [fixture for fixture in FIXTURES if fixture.expect is None]
REGRESSIONS = [fixture for fixture in FIXTURES if fixture.expect is not None]

DIVERGED_THREADS: dict[str, set[int]] = {
    "0015-unmapped-thread": set(),
    "0016-shared-global-on-one-side": set(),
    "0020-repeated-loop": {6},
    "0024-one-cause-two-threads": {6, 7},
}
"""Canary's tids of the threads in which the mistake shows; elsewhere it is in the loader, 7, alone."""


def logs(fixture: Fixture) -> tuple[Path, Path]:
    """Both logs of a fixture."""
    directory = ROOT / fixture.directory
    return directory / "canary.jsonl", directory / "ours.jsonl"


def meta(fixture: Fixture) -> dict[str, Any]:
    """What a fixture says of itself."""
    return tomllib.loads((ROOT / fixture.directory / "meta.toml").read_text(encoding="utf-8"))


def tid_map(fixture: Fixture) -> dict[int, int]:
    """The threads that a fixture pairs itself."""
    return {int(canary): ours for canary, ours in meta(fixture).get("tid_map", {}).items()}


def gate(canary: Path, ours: Path, *options: str) -> tuple[ExitCode, str]:
    """What the command line says of two logs under the gate, and on standard error."""
    streams = diff_events.Streams(io.StringIO(), io.StringIO())
    argv = ["--canary", str(canary), "--ours", str(ours), "--validate-identical", "--quiet", *options]
    code = diff_events.run(argv, streams)
    assert isinstance(streams.err, io.StringIO)
    return code, streams.err.getvalue()


@functools.cache
def report_of(fixture: Fixture) -> Report:
    """What a comparison of both logs finds."""
    canary, ours = logs(fixture)
    return diff_events.diff_logs(str(canary), str(ours))


def found_classes(report: Report) -> set[str]:
    """The classes of everything that a comparison found, in the words that the fixtures use."""
    found = {thread.divergence.mismatch.value for thread in report.threads if thread.divergence}
    found |= {thread.status.value for thread in report.threads if thread.status is not PairStatus.IDENTICAL}
    if any(report.unmapped):
        found.add("unmapped")
    if any(report.lone_globals):
        found.add("shared_global")
    return found - {PairStatus.DIVERGED.value}


class CommittedFiles(unittest.TestCase):
    """What lies in the folder is what the script writes."""

    def test_are_what_the_script_writes(self) -> None:
        for path, data in make_fixtures.all_files().items():
            with self.subTest(path=str(path)):
                # compared in whole, told in brief: the first line that differs says more than a megabyte
                committed = (ROOT / path).read_bytes()
                self.assertTrue(committed == data, "differs: run python3 -m tests.make_fixtures and look at the change")

    def test_no_others_lie_among_them(self) -> None:
        for fixture in FIXTURES:
            names = sorted(path.name for path in (ROOT / fixture.directory).iterdir())
            self.assertEqual(names, ["canary.jsonl", "meta.toml", "ours.jsonl"], fixture.id)

    def test_say_what_they_are(self) -> None:
        for fixture in FIXTURES:
            with self.subTest(fixture=fixture.id):
                about = meta(fixture)["fixture"]
                self.assertEqual(about["id"], fixture.id)
                self.assertEqual(about.get("expect"), fixture.expect)
                self.assertLessEqual(set(about["covers"]), {"event-log-walk", "event-log-floating"})
                self.assertTrue(about["covers"] and about["description"])

    def test_are_small_enough_to_read(self) -> None:
        for fixture in FIXTURES:
            limit = 150_000 if fixture.expect is None else 40_000
            for log in logs(fixture):
                self.assertLess(log.stat().st_size, limit, log)


class SelfDiff(unittest.TestCase):
    """A log is identical with itself."""

    def test_holds_the_gate(self) -> None:
        for fixture in FIXTURES:
            for log in logs(fixture):
                with self.subTest(fixture=fixture.id, log=log.name):
                    self.assertEqual(gate(log, log), (ExitCode.OK, ""))


class Canonical(unittest.TestCase):
    """Two engines that behave alike."""

    def test_hold_the_gate(self) -> None:
        for fixture in CANONICAL:
            pins = ",".join(f"{canary}={ours}" for canary, ours in tid_map(fixture).items())
            for options in ((), ("--tid-map", pins)) if pins else ((),):
                with self.subTest(fixture=fixture.id, options=options):
                    self.assertEqual(gate(*logs(fixture), *options), (ExitCode.OK, ""))

    def test_threads_are_found_to_be_whom_they_were_written_as(self) -> None:
        for fixture in CANONICAL:
            with self.subTest(fixture=fixture.id):
                canary, ours = fixture.engines()
                written = {(tid, ours.tids[name]) for name, tid in canary.tids.items()}
                report = report_of(fixture)
                self.assertEqual({(t.pair.canary_tid, t.pair.ours_tid) for t in report.threads}, written)

    def test_something_floats(self) -> None:
        for fixture in CANONICAL:
            with self.subTest(fixture=fixture.id):
                report = report_of(fixture)
                self.assertTrue(any(thread.floated.canary for thread in report.threads))
                self.assertTrue(any(thread.floated.ours for thread in report.threads))

    def test_the_boot_corrupted_on_its_50th_line_does_not(self) -> None:
        canary, ours = logs(FIXTURES[0])
        lines = canary.read_text(encoding="utf-8").splitlines(keepends=True)
        self.assertIn('"kind":"kernel.call"', lines[49])
        lines[49] = lines[49].replace('"kernel.call"', '"kernel.CORRUPT"', 1)
        with tempfile.TemporaryDirectory() as directory:
            corrupted = Path(directory, "corrupted.jsonl")
            corrupted.write_text("".join(lines), encoding="utf-8")
            for pair in ((canary, corrupted), (corrupted, ours)):
                self.assertEqual(gate(*pair)[0], ExitCode.GATE)
            report = diff_events.diff_logs(str(canary), str(corrupted))
        self.assertEqual(found_classes(report), {"kind"})
        [divergence] = [thread.divergence for thread in report.threads if thread.divergence]
        self.assertEqual(divergence.events.ours.lineno, 50)


class Regressions(unittest.TestCase):
    """One mistake each."""

    def test_turn_the_gate_red(self) -> None:
        for fixture in REGRESSIONS:
            with self.subTest(fixture=fixture.id):
                self.assertEqual(gate(*logs(fixture))[0], ExitCode.GATE)

    def test_are_of_the_class_that_they_name(self) -> None:
        for fixture in REGRESSIONS:
            with self.subTest(fixture=fixture.id):
                found = found_classes(report_of(fixture))
                stranger = {"shared_global"} if fixture.id == "0023-wrong-sid" else set()
                self.assertEqual(found, {fixture.expect} | stranger)

    def test_show_in_the_threads_that_went_wrong_and_in_no_other(self) -> None:
        for fixture in REGRESSIONS:
            with self.subTest(fixture=fixture.id):
                report = report_of(fixture)
                found = {t.pair.canary_tid for t in report.threads if t.status is not PairStatus.IDENTICAL}
                self.assertEqual(found, DIVERGED_THREADS.get(fixture.id, {7}))

    def test_an_effect_comes_after_its_cause(self) -> None:
        _, ours = logs(next(fixture for fixture in FIXTURES if fixture.id == "0024-one-cause-two-threads"))
        kinds = [json.loads(line).get("payload", {}) for line in ours.read_text(encoding="utf-8").splitlines()]
        cause = next(n for n, payload in enumerate(kinds) if payload.get("status") == make_fixtures.END_OF_FILE)
        effect = next(n for n, payload in enumerate(kinds) if payload.get("name") == "XamShowMessageBoxUI")
        self.assertLess(cause, effect)


if __name__ == "__main__":
    unittest.main()
