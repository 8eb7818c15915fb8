"""A folder of fixtures: scores, gates, coverage, broken fixtures."""

from __future__ import annotations

import json
import unittest

from tests.traces import FIXTURES, FolderCase, turn, whole

CALL = turn(("a", "Bash", {"command": "make"}))
OTHER = turn(("a", "Bash", {"command": "ls"}))
HEADER = {"schema_version": 1, "engine": "x"}


def log(*names: str) -> str:
    events = [
        {"kind": "kernel.call", "tid": 6, "tid_event_idx": n, "payload": {"name": name}} for n, name in enumerate(names)
    ]
    return "".join(json.dumps(event) + "\n" for event in (HEADER, *events))


class CorpusCase(FolderCase):
    def traces(self, name: str, *, drift: bool = False, meta: str | None = "", total: int = 1) -> None:
        teacher = [turn((f"{n}", "Bash", {"command": "make"})) for n in range(total)]
        self.put(f"{name}/teacher.ccpa-trace.jsonl", whole(*teacher))
        self.put(f"{name}/student.ccpa-trace.jsonl", whole(*teacher[:-1], OTHER if drift else teacher[-1]))
        if meta is not None:
            self.put(f"{name}/meta.toml", f'[fixture]\nid = "{name}"\n{meta}')

    def logs(self, name: str, *, drift: bool = False, meta: str = "") -> None:
        self.put(f"{name}/canary.jsonl", log("NtClose", "NtOpenFile"))
        self.put(f"{name}/ours.jsonl", log("NtClose", "NtClose" if drift else "NtOpenFile"))
        self.put(f"{name}/meta.toml", f'[fixture]\nid = "{name}"\n{meta}')

    def corpus(self, *argv: str) -> tuple[int, str, str]:
        return self.run_tool("corpus", str(self.folder), *argv)

    def value(self, *argv: str) -> dict[str, object]:
        value = json.loads(self.corpus("--json", *argv)[1])
        assert isinstance(value, dict)
        return value


class Gate(CorpusCase):
    def test_both_kinds_pass(self) -> None:
        self.traces("b")
        self.logs("a", meta='tid_map = "6=6"\n')
        value = self.value()
        self.assertEqual(
            (value["format"], value["format_version"], value["fixture_count"]), ("diff-events-corpus", 1, 2)
        )
        self.assertEqual((value["aggregate_score"], value["passes"], value["coverage"]), (1.0, True, None))
        self.assertEqual(value["thresholds"], {"aggregate_min": 0.95, "individual_min": 0.8})
        first = value["fixtures"][0]  # type: ignore[index]
        self.assertEqual(
            first, {"id": "a", "score": 1.0, "drift_count": 0, "passes": True, "worst_tier": 0, "reasons": []}
        )
        self.assertEqual(self.corpus()[0], 0)

    def test_one_score_too_low(self) -> None:
        for n in range(20):
            self.traces(f"f{n:02}")
        self.traces("low", drift=True, total=2)
        code, out, _ = self.corpus()
        self.assertEqual(code, 1)
        self.assertTrue(out.splitlines()[7].startswith("| low | FAIL | 0.5000"), out)

    def test_the_mean_at_its_threshold_passes(self) -> None:
        for n in range(3):
            self.traces(f"f{n}", drift=True, total=20)
        self.assertEqual(self.corpus()[0], 0)
        self.traces("g", drift=True, total=19)
        self.assertEqual(self.corpus()[0], 1)

    def test_event_logs_that_diverge(self) -> None:
        self.logs("a", drift=True)
        code, out, _ = self.corpus("--json")
        fixture = json.loads(out)["fixtures"][0]
        self.assertEqual(code, 1)
        self.assertLess(fixture["score"], 1.0)
        self.assertGreaterEqual(fixture["drift_count"], 1)
        self.assertEqual(fixture["worst_tier"], 2)

    def test_must_fail(self) -> None:
        self.traces("a", drift=True)
        self.logs("b", drift=True)
        self.assertEqual(self.corpus("--must-fail")[0], 0)
        self.traces("c")
        code, out, _ = self.corpus("--must-fail")
        self.assertEqual(code, 1)
        self.assertIn("| c | FAIL | 1.0000", out)

    def test_allowed_hosts(self) -> None:
        egress = whole(turn(("a", "Bash", {"command": "curl http://h.example"})))
        for side in ("teacher", "student"):
            self.put(f"a/{side}.ccpa-trace.jsonl", egress)
        self.assertEqual(self.corpus()[0], 1)
        self.assertEqual(self.corpus("--allow-host", "*.example")[0], 0)
        self.put("a/meta.toml", '[fixture]\nid = "a"\nallow_hosts = ["h.example"]\n')
        self.assertEqual(self.corpus()[0], 0)

    def test_shelves_and_hidden_folders_are_passed_over(self) -> None:
        self.traces("a", meta=None)
        self.traces("shelf/b", meta=None)
        self.put(".git/x", "")
        self.put("README.md", "")
        self.assertEqual([fixture["id"] for fixture in self.value()["fixtures"]], ["a"])  # type: ignore[attr-defined]


class Broken(CorpusCase):
    def test_broken_fixtures_are_named_after_the_others(self) -> None:
        self.traces("good")
        self.traces("half")
        (self.folder / "half/student.ccpa-trace.jsonl").unlink()
        code, out, err = self.corpus("--json")
        value = json.loads(out)
        self.assertEqual((code, err.count("\n"), value["passes"]), (2, 1, False))
        self.assertEqual([fixture["passes"] for fixture in value["fixtures"]], [True, False])
        self.assertIn("1 of 2 fixtures broken: half: ", err)
        self.assertIn("| half | BROKEN |", self.corpus()[1])

    def test_what_is_broken(self) -> None:
        for name, text, problem in (
            ("a/canary.jsonl", log("x"), "found canary.jsonl and teacher"),
            ("a/meta.toml", "[", "TOML"),
            ("a/meta.toml", "x = 1", "fixture: expected a table"),
            ("a/meta.toml", "[fixture]", "fixture.id: expected a string, found nothing"),
            ("a/meta.toml", "[fixture]\nid = ''", "fixture.id: expected a string"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ndescription = 1", "fixture.description"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ncovers = 'x'", "fixture.covers: expected a list"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ntid_map = '6'", "fixture.tid_map"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ntid_map = 6", "fixture.tid_map"),
            ("a/meta.toml", "[fixture]\nid = 'a'\nallow_hosts = [1]", "fixture.allow_hosts[0]"),
            ("a/student.ccpa-trace.jsonl", "{}", "a/student.ccpa-trace.jsonl:1: v: expected"),
        ):
            with self.subTest(problem=problem):
                self.traces("a")
                self.put(name, text)
                message = self.refused("corpus", str(self.folder))
                if "teacher" in problem:
                    self.assertIn(
                        "found teacher.ccpa-trace.jsonl and student.ccpa-trace.jsonl and canary.jsonl", message
                    )
                    (self.folder / "a/canary.jsonl").unlink()
                else:
                    self.assertIn(problem, message)

    def test_two_fixtures_of_one_id(self) -> None:
        self.traces("a")
        self.traces("b")
        self.put("b/meta.toml", '[fixture]\nid = "a"\n')
        self.assertIn("fixture.id: a is that of a already", self.refused("corpus", str(self.folder)))

    def test_no_fixture(self) -> None:
        self.assertIn("found no fixture", self.refused("corpus", str(self.folder)))
        self.assertIn("cannot be read", self.refused("corpus", str(self.folder / "none")))
        (self.folder / "empty").mkdir()
        self.assertIn("found neither", self.refused("corpus", str(self.folder)))

    def test_tables_as_tid_map(self) -> None:
        self.logs("a", meta="tid_map = {6 = 6}\n")
        self.assertEqual(self.corpus()[0], 0)

    def test_usage(self) -> None:
        for argv in (["--jobs", "2"], ["--oos", "a"], ["--must"]):
            with self.subTest(argv=argv):
                self.refused("corpus", str(self.folder), *argv)


class CoverageOfTheMatrix(CorpusCase):
    MATRIX = "categories:\n- {id: hooks, status: SHIPPED}\n- {id: mcp, status: PARTIAL}\n- {id: x, status: MISSING}\n"

    def setUp(self) -> None:
        super().setUp()
        self.traces("a", meta='covers = ["hooks", "other"]\n')
        self.matrix = self.put(
            "m.yaml", self.MATRIX.replace("- {id: ", "- id: ").replace(", status", "\n  status").replace("}", "")
        )

    def test_a_gap_is_a_structured_error(self) -> None:
        code, out, err = self.corpus("--matrix", self.matrix)
        gap = {"error": "coverage_gap", "uncovered": ["mcp"], "required": 2, "covered": 1, "oos": []}
        self.assertEqual((code, json.loads(err)), (2, gap))
        self.assertIn("not covered: `mcp`", out)
        self.assertIn("covered, but not a row: `other`", out)
        self.assertTrue(out.startswith("# Corpus: FAIL"), out)
        self.assertFalse(json.loads(self.corpus("--matrix", self.matrix, "--json")[1])["passes"])

    def test_out_of_scope(self) -> None:
        value = self.value("--matrix", self.matrix, "--oos", "mcp,x")
        coverage = {"required": 1, "covered": 1, "uncovered": [], "oos": ["mcp", "x"], "unknown": ["other"]}
        self.assertEqual((value["coverage"], value["passes"]), (coverage, True))
        self.assertIn(
            "has no such row", self.refused("corpus", str(self.folder), "--matrix", self.matrix, "--oos", "nothing")
        )


class Fixtures(FolderCase):
    def test_the_canonical_corpus_passes(self) -> None:
        contract = str(next(FIXTURES.glob("contract.*")))
        code, out, err = self.run_tool("corpus", str(FIXTURES / "canonical"), "--contract", contract)
        self.assertEqual((code, err), (0, ""), out)

    def test_the_regression_corpus_fails_throughout(self) -> None:
        code, out, err = self.run_tool("corpus", str(FIXTURES / "regression"), "--must-fail")
        self.assertEqual((code, err), (0, ""), out)


if __name__ == "__main__":
    unittest.main()
