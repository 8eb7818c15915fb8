"""Threads that go on with other work altogether are not said to be together again, however alike their loops are."""

import tempfile
import unittest
from pathlib import Path

import diff_events
from diff_events import Change
from tests import generator


class UnrelatedRest(unittest.TestCase):
    def diverged(self, seed: int) -> list[diff_events.ThreadReport]:
        """The threads of a pool pair that part for good after 200 events."""
        pair = generator.pool_pair(seed, threads=12, pool=5, lengths=(400, 600), diverging=0.8)
        with tempfile.TemporaryDirectory() as directory:
            paths = [Path(directory, name) for name in ("canary.jsonl", "ours.jsonl")]
            for path, log in zip(paths, (pair.canary, pair.ours), strict=True):
                path.write_bytes(log)
            options = diff_events.DiffOptions(tid_map=dict(pair.tid_map), max_divergences=0)
            report = diff_events.diff_logs(str(paths[0]), str(paths[1]), options)
        return [thread for thread in report.threads if thread.divergence]

    def test_most_are_unrecovered_at_once(self) -> None:
        threads = self.diverged(3)
        at_once = [t for t in threads if t.divergence and t.divergence.change is Change.UNRECOVERED]
        self.assertGreaterEqual(len(threads), 8)
        self.assertGreaterEqual(len(at_once) / len(threads), 0.8)
        # A coincidence that passes for more is short: no more of the rest matches than a few events.
        self.assertLess(sum(d.matched_after for t in threads for d in t.divergences), 10 * len(threads))
