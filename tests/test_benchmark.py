"""The benchmark on few events: its tables are there, and all who know the rules agree. No timing is asserted."""

import contextlib
import functools
import gc
import io
import json
import shutil
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from tests import benchmark, generator, reference, rivals
from tests.support import run

EVENTS = 2_000
MEASURE = benchmark.measure


def rivals_here() -> list[str]:
    """The rivals that know the rules and are installed."""
    found = ["in-memory", "in-memory-without-gc"]
    found += [module for module in ("orjson", "duckdb") if benchmark.installed(module)]
    return found + (["jq"] if all(map(shutil.which, benchmark.JQ_NEEDS)) else [])


class Benchmark(unittest.TestCase):
    directory: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    @staticmethod
    def measured_here(argv: Sequence[str]) -> benchmark.Sample:
        """One run of our program, which need not be started for it; what the others need is measured as it is."""
        if argv[1] != str(benchmark.TOOL):
            return MEASURE(argv)
        start = time.process_time()
        outcome = run(*argv[2:])
        spent = time.process_time() - start
        return benchmark.Sample(spent, spent, 50 * benchmark.MB, outcome.out)

    def setUp(self) -> None:
        self.enterContext(mock.patch.object(benchmark, "measure", self.measured_here))

    def run_sections(self, *names: str, events: int = EVENTS) -> str:
        """What the benchmark prints of these sections."""
        argv = ["--events", str(events), "--threads", "4", "--runs", "1", "--directory", str(self.directory)]
        argv += [word for name in names for word in ("--only", name)]
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(benchmark.main(argv), 0)
        return out.getvalue()

    def test_rivals_agree_and_ratios_are_printed(self) -> None:
        text = self.run_sections("plain", "formats")
        for title in ("## plain", "## formats", "faster than the in-memory walk, at least 20 ×", "at least 3 ×"):
            self.assertIn(title, text)
        rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
        own = [row for row in rows if row[0] == "diff_events.py"]
        self.assertEqual([row[1:5:3] for row in own], [["identical", "1.0"]] * 2)
        programs = [row for row in rows if row[1] in ("identical", "divergent", "(knows no rules)")]
        self.assertGreaterEqual(len(programs), 6)
        self.assertNotIn("divergent", [row[1] for row in programs])
        for row in programs:
            self.assertTrue(all(float(figure.replace(",", "")) >= 0 for figure in row[2:]), row)

    def test_layouts_and_skewed_sizes(self) -> None:
        text = self.run_sections("layouts", "skewed")
        self.assertEqual(text.count("× the plain time"), len(benchmark.LAYOUTS) - 1)
        self.assertIn("| ten to one | ", text)
        self.assertNotIn("wrong verdict", text)

    def test_sizes(self) -> None:
        text = self.run_sections("growth", "memory")
        self.assertIn("| 200 |", text)
        self.assertIn("| 2,000 |", text)
        self.assertIn("bytes for each further event", text)

    def test_planted_changes_are_scored(self) -> None:
        text = self.run_sections("resync", events=10_000)
        self.assertIn("usual log: changes found with class and place, at least 99 %: 6 of 6", text)
        self.assertIn("loop-heavy log: changes reported that nobody planted, none: 0", text)

    def test_pools_are_scored(self) -> None:
        short = functools.partial(generator.pool_pair, threads=16, pool=6, lengths=(210, 300))
        with mock.patch.object(generator, "pool_pair", short):
            self.assertEqual(benchmark.right_pairs(self.directory / "pool", 1), (16, 16))
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertGreater(benchmark.pool_seconds(benchmark.Bench(self.directory, EVENTS, 4, 1)), 0)

    def test_rivals_skip_what_is_skipped(self) -> None:
        self.assertEqual(rivals.SKIPPED, reference.SKIPPED)

    def test_rivals_see_a_divergence(self) -> None:
        self.addCleanup(gc.enable)  # one of them does without
        here = rivals_here()
        absent = {"orjson", "duckdb", "jq"} - set(here)
        if absent:
            print(f"NOT TESTED: the rivals {', '.join(sorted(absent))}, which are not here", file=sys.stderr)
        canary, ours = generator.write_big_pair(self.directory / "bad", events=2000, threads=2, diverge_after=500)
        for key in here:
            for other, verdict in ((ours, "divergent"), (canary, "identical")):
                pairs = "6=1,7=2" if other is ours else "6=6,7=7"
                with self.subTest(key, verdict=verdict), contextlib.redirect_stdout(io.StringIO()) as out:
                    rivals.main([key, str(canary), str(other), pairs])
                    self.assertEqual(json.loads(out.getvalue()), {"verdict": verdict})

    def test_runs_as_a_file_and_as_a_module(self) -> None:
        for how in ([str(benchmark.ROOT / "tests" / "benchmark.py")], ["-m", "tests.benchmark"]):
            self.assertIn("--only SECTION", MEASURE([sys.executable, *how, "--help"]).output)

    def test_a_program_that_fails_is_no_figure(self) -> None:
        with self.assertRaisesRegex(benchmark.Failed, "exit 3: no"):
            MEASURE([sys.executable, "-c", "import sys; sys.stderr.write('no'); sys.exit(3)"])


class Scores(unittest.TestCase):
    def test_class_place_and_extent_count(self) -> None:
        planted = [generator.Change("missing_on_ours", 10, 2, 10, 0), generator.Change("repeated", 40, 8, 38, 4)]
        found = {"change": "missing_on_ours", "canary_idx": 10, "canary_count": 2, "ours_idx": 10, "ours_count": 0}
        turns = {"change": "repeated", "canary_idx": 44, "canary_count": 4, "ours_idx": 42, "ours_count": 0}
        self.assertEqual(benchmark.score(planted, [found, turns]), benchmark.Score(2, 2, 0))
        for wrong in ({"change": "replaced"}, {"canary_idx": 11}, {"ours_count": 1}):
            self.assertEqual(benchmark.score(planted, [found | wrong, turns]), benchmark.Score(2, 1, 1))
        self.assertEqual(benchmark.score(planted, [found, found]), benchmark.Score(2, 1, 1))


if __name__ == "__main__":
    unittest.main()
