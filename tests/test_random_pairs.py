"""The tool against the slow, obvious reading of the rules, on random pairs of logs.

``DIFF_EVENTS_EFFORT=40 python3 -m unittest tests.test_random_pairs`` tries 80 times as many pairs as usual.
"""

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import diff_events
from tests import generator, reference
from tests.support import seeds

THREAD_FIELDS = ("canary_tid", "ours_tid", "status", "canary_events", "ours_events", "matched", "floating_skipped")
SEEDS = seeds(40)


def pinned_fields(document: dict[str, Any]) -> dict[str, Any]:
    """What schema v1 pins of the JSON report: what the reference reading answers as well."""
    threads = [
        {key: thread[key] for key in THREAD_FIELDS}
        | {"divergence": thread["divergence"] and pinned_divergence(thread["divergence"])}
        for thread in document["threads"]
    ]
    return {
        "verdict": document["verdict"],
        "threads": sorted(threads, key=lambda thread: thread["canary_tid"]),
        "unmapped": document["unmapped"],
        "shared_globals": {side: document["shared_globals"][side] for side in ("canary_only", "ours_only")},
    }


def pinned_divergence(divergence: dict[str, Any]) -> dict[str, Any]:
    """The pinned fields of one divergence; that two values are one in two spellings is a hint, and not pinned."""
    fields = [{key: value for key, value in field.items() if key != "same_value"} for field in divergence["fields"]]
    return {**{key: divergence[key] for key in ("class", "canary_idx", "ours_idx")}, "fields": fields}


class RandomPairs(unittest.TestCase):
    """Each seed makes a pair; both readings must say the same of it."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.canary, self.ours = (str(Path(directory.name, name)) for name in ("canary.jsonl", "ours.jsonl"))

    def expected(self, pair: generator.Pair) -> dict[str, Any] | int:
        """The reference's answer: the report, or the number of the line that it refuses."""
        try:
            return pinned_fields(reference.compare(self.canary, self.ours, list(pair.tid_map)))
        except reference.Refused as refusal:
            return refusal.lineno

    def found(self, pair: generator.Pair) -> dict[str, Any] | int | None:
        options = diff_events.DiffOptions(tid_map=dict(pair.tid_map), auto_map=False)
        try:
            report = diff_events.diff_logs(self.canary, self.ours, options)
        except diff_events.InputError as error:
            return error.lineno
        except diff_events.UsageError:  # nothing to compare
            self.assertEqual(pair.tid_map, [])
            return None
        return pinned_fields(json.loads(diff_events.render_json(report)))

    def test_agrees_with_the_reference_reading(self) -> None:
        compared = 0
        for seed in SEEDS:
            with self.subTest(seed=seed):
                pair = generator.random_pair(seed)
                Path(self.canary).write_bytes(pair.canary)
                Path(self.ours).write_bytes(pair.ours)
                found = self.found(pair)
                if found is not None:  # None: nothing to compare, of which the reference has no opinion
                    self.assertEqual(found, self.expected(pair))
                    compared += 1
        self.assertGreater(compared, len(SEEDS) * 9 // 10)
