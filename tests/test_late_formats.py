"""A writer that spells payloads differently only behind a divergence must not change what is said of it."""

import json
import tempfile
import unittest
from pathlib import Path

import diff_events
from diff_events import Change
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


class EmptyNames(unittest.TestCase):
    def test_an_empty_name_is_shown(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            log = str(Path(directory, "log"))
            Path(log).write_text('{"schema_version":1}\n')
            for options in (("--ours", ""), ("--ours", log + "2", "--out", "")):
                outcome = run("--canary", log, *options)
                self.assertEqual(outcome.code, 2)
                self.assertIn("error: '': cannot be", outcome.err)
