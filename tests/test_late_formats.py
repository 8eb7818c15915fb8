"""A writer that spells payloads differently only behind a divergence must not change what is said of it."""

import json
import tempfile
import unittest
from pathlib import Path

import diff_events
from diff_events import Change
from tests.small_logs import Line, called, compare_lines
from tests.support import run


class LateFormats(unittest.TestCase):
    def test_the_rest_is_compared_by_value(self) -> None:
        lines: dict[str, list[str]] = {"canary": ['{"schema_version":1}'], "ours": ['{"schema_version":1}']}
        for side, found in lines.items():
            for idx in range(360):
                late = side == "ours" and idx > 300
                payload = {"name": "NtReadFile", "offset": -1 if side == "ours" and idx == 300 else idx}
                event = {"kind": "kernel.call", "tid": 6, "tid_event_idx": idx, "payload": payload}
                found.append(json.dumps(event, separators=None if late else (",", ":")))
        with tempfile.TemporaryDirectory() as directory:
            paths = {side: Path(directory, side) for side in lines}
            for side, path in paths.items():
                path.write_text("\n".join(lines[side]) + "\n")
            report = diff_events.diff_logs(str(paths["canary"]), str(paths["ours"]))
        thread = report.threads[0]
        assert thread.divergence is not None
        self.assertEqual(thread.divergence.change, Change.CHANGED)
        self.assertEqual((thread.parity.matched, thread.parity.comparable), (359, 360))

    def test_equal_numbers_that_are_spelled_differently_are_found_within_a_block(self) -> None:
        def side(*middle: Line) -> list[Line]:
            head, tail = ([(6, "kernel.call", {"name": name, "i": n}) for n in range(12)] for name in "HT")
            return [*head, *middle, *tail]

        lost, end = (called(6, name)[0] for name in "PQ")
        for value, spelled in ((1.0, 1), (0, -0.0), (1e22, 10**22), ([1.0], [1])):
            with self.subTest(value=value):
                canary = side(lost, called(6, "A", v=value)[0], called(6, "B", v=value)[0], end)
                ours = side(called(6, "A", v=spelled)[0], called(6, "B", v=spelled)[0])
                (thread,) = compare_lines(canary, ours).threads
                self.assertEqual([found.change for found in thread.divergences], [Change.MISSING_ON_OURS] * 2)


class EmptyNames(unittest.TestCase):
    def test_an_empty_name_is_shown(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            log = str(Path(directory, "log"))
            Path(log).write_text('{"schema_version":1}\n')
            for options in (("--ours", ""), ("--ours", log + "2", "--out", "")):
                outcome = run("--canary", log, *options)
                self.assertEqual(outcome.code, 2)
                self.assertIn("error: '': cannot be", outcome.err)
