"""Payloads may hold anything: whatever stands where, a comparison ends in a report or in one of the tool's errors."""

import json
import random
import tempfile
import unittest
from pathlib import Path
from typing import Any

import diff_events
from tests import generator
from tests.support import seeds

SEEDS = seeds(15)
KINDS = (*diff_events.SKIPPED_FIELDS, "kernel.call", "kernel.return", "thread.exit")
KEYS = (
    "name",
    "status",
    "args",
    "return_value",
    "handle_semantic_id",
    "raw_handle_id",
    "handles_semantic_ids",
    "woken_by_semantic_id",
    "child_tid",
    "entry_point",
    "object_type",
    "object_name",
)
VALUES: tuple[Any, ...] = (None, True, 0, -1, 1.5, "", [], {}, [[]], {"a": []}, "x" * 300, 2**70, -(2**31))
VALUES += (0xC000000F, "0xC000000F", "NtSetEvent", ["WAKE", 1], {"name": 1}, "\u202e`|<script>")


def with_odd_values(rng: random.Random, log: bytes) -> bytes:
    """The log with odd values in the payloads of some lines, and some of these of another kind."""
    return b"\n".join(odd_line(rng, line) if rng.random() < 0.15 else line for line in log.split(b"\n"))


def odd_line(rng: random.Random, line: bytes) -> bytes:
    """One line with odd values, if it is an event's."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or "kind" not in event or not isinstance(event.get("payload"), dict):
        return line
    for _ in range(rng.randint(1, 3)):
        event["payload"][rng.choice(KEYS)] = rng.choice(VALUES)
    if rng.random() < 0.2:
        event["kind"] = rng.choice(KINDS)
    return json.dumps(event).replace("Infinity", "1e400").encode()


class OddValues(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.paths = [Path(directory.name, name) for name in ("canary.jsonl", "ours.jsonl")]
        self.baseline = Path(directory.name, "baseline.json")

    def render_all(self, report: diff_events.Report) -> None:
        """Every format, and the report against itself."""
        for render in diff_events.REPORT_RENDERERS.values():
            self.assertTrue(render(report))
        self.baseline.write_text(diff_events.render_json(report))
        compared = diff_events.compare_with_baseline(report, diff_events.read_baseline(str(self.baseline)))
        self.assertTrue(compared.holds)

    def test_any_value_anywhere(self) -> None:
        rendered = 0
        for seed in SEEDS:
            rng = random.Random(seed)
            pair = generator.random_pair(seed)
            for path, log in zip(self.paths, (pair.canary, pair.ours), strict=True):
                path.write_bytes(with_odd_values(rng, log))
            options = diff_events.DiffOptions(max_divergences=rng.choice((0, 1, 3)), check_identity=rng.random() < 0.5)
            with self.subTest(seed=seed):
                try:
                    report = diff_events.diff_logs(str(self.paths[0]), str(self.paths[1]), options)
                except diff_events.DiffEventsError:
                    continue
                self.render_all(report)
                rendered += 1
        self.assertGreater(rendered, len(SEEDS) // 2)
