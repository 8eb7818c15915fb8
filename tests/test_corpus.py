"""A folder of fixtures: scores, gates, coverage, broken fixtures."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import unittest
from pathlib import Path
from xml.etree import ElementTree

from tests.traces import END, FIXTURES, START, FolderCase, jsonl, taught, turn, whole

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
        self.put(f"{name}/teacher.ccpa-trace.jsonl", taught(*teacher))
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
        expected = {"id": "a", "folder": "a", "score": 1.0, "drift_count": 0, "passes": True, "worst_tier": 0}
        self.assertEqual({name: first[name] for name in expected}, expected)
        self.assertEqual(self.corpus()[0], 0)

    def test_one_score_too_low(self) -> None:
        for n in range(20):
            self.traces(f"f{n:02}")
        self.traces("low", drift=True, total=2)
        code, out, _ = self.corpus()
        self.assertEqual(code, 1)
        self.assertTrue(out.splitlines()[8].startswith("| low | FAIL | 0.5000"), out)

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

    def test_event_logs_under_names_and_a_profile(self) -> None:
        for side, raw, count in (("canary", 16777216, 1), ("ours", 16777220, 2)):
            created = {"raw_handle_id": raw, "handle_semantic_id": "a" * 16, "object_type": "Event"}
            payloads = created, {"name": "NtClose", "handle": raw}, {"name": "Poll", "count": count}
            kinds = "handle.create", "kernel.call", "kernel.call"
            events = [
                {"kind": kind, "tid": 6, "tid_event_idx": n, "payload": payload}
                for n, (kind, payload) in enumerate(zip(kinds, payloads, strict=True))
            ]
            self.put(f"a/{side}.jsonl", "".join(json.dumps(event) + "\n" for event in (HEADER, *events)))
        rule = '[[ignore]]\nkind = "kernel.call"\ncall = "Poll"\nfield = "count"\nreason = "time"\n'
        self.put("a/poll.toml", f"version = 1\n{rule}")
        self.put("a/meta.toml", '[fixture]\nid = "a"\nmatch_names = true\nprofile = "poll.toml"\n')
        self.assertEqual(self.corpus()[0], 0)
        for fewer in ("match_names = true\n", 'profile = "poll.toml"\n'):
            self.put("a/meta.toml", f'[fixture]\nid = "a"\n{fewer}')
            code, out, _ = self.corpus()
            option = "--match-names" if "names" in fewer else f"--profile {self.folder}/a/poll.toml"
            self.assertEqual((code, f"ours.jsonl {option}" in out), (1, True))
        name = '[[name]]\nkind = "kernel.call"\ncall = "NtClose"\nfield = "handle"\nreason = "a handle"\n'
        self.put("a/poll.toml", (self.folder / "a/poll.toml").read_text() + name)
        for side, raw in (("canary", 16777216), ("ours", 16777220)):
            use = {"kind": "kernel.call", "tid": 6, "tid_event_idx": 3, "payload": {"name": "NtRead", "file": raw}}
            path = self.folder / f"a/{side}.jsonl"
            path.write_text(path.read_text() + json.dumps(use) + "\n")
        self.assertEqual(self.corpus()[0], 0)  # who has a rule for a name need not ask for names

    def test_no_fixture_allows_what_the_contract_forbids(self) -> None:
        use = turn(("a", "WebFetch", {"url": "https://a.example"}))
        self.put("a/teacher.ccpa-trace.jsonl", taught(use))
        self.put("a/student.ccpa-trace.jsonl", whole(use))
        self.put("a/meta.toml", '[fixture]\nid = "a"\nallow_hosts = ["a.example"]\n')
        self.assertEqual(self.corpus()[0], 0)
        contract = self.put("c.yaml", "sovereignty: {forbidden_replay_egress: ['*.example']}\n")
        self.assertEqual(self.corpus("--contract", contract)[0], 1)

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

    def test_folders_of_folders_are_searched_and_hidden_ones_are_not(self) -> None:
        self.traces("a", meta=None)
        self.traces("more/deeper/b", drift=True, meta=None)
        self.put(".git/x", "")
        self.put("README.md", "")
        value = self.value()
        found = [(fixture["id"], fixture["folder"]) for fixture in value["fixtures"]]  # type: ignore[attr-defined]
        self.assertEqual((found, value["passes"]), ([("a", "a"), ("more/deeper/b", "more/deeper/b")], False))

    def test_no_nested_fixture_is_passed_over(self) -> None:
        self.traces("a")
        self.put("a/workspace/README.md", "")
        self.put("group/README.md", "")
        self.traces("group/b", meta=None)
        self.assertEqual(self.corpus()[0], 0)
        self.traces("a/old", drift=True, meta=None)
        self.assertEqual([f["folder"] for f in self.value()["fixtures"]], ["a", "a/old", "group/b"])  # type: ignore[attr-defined]
        (self.folder / "none" / "at" / "all").mkdir(parents=True)
        self.assertIn("1 of 4 fixtures broken: none: ", self.refused("corpus", str(self.folder)))

    def test_a_missed_mean_is_said_as_the_reason(self) -> None:
        for n in range(3):
            self.traces(f"f{n}", drift=True, total=10)
        code, out, _ = self.corpus()
        self.assertEqual(code, 1)
        self.assertIn("- **why it fails:** the mean score, 0.9000, is under 0.9500\n", out)
        self.assertEqual(self.value()["failures"], ["mean"])
        self.assertEqual(self.corpus("--aggregate-min", "0.9")[0], 0)
        self.assertEqual(self.corpus("--aggregate-min", "0.9", "--individual-min", "0.91")[0], 1)

    def test_fixtures_without_an_action_are_vacuous(self) -> None:
        for side, start in (("teacher", {**START, "actor": "claude-code"}), ("student", START)):
            self.put(f"talk/{side}.ccpa-trace.jsonl", jsonl(start, END))
        self.assertIn("no fixture has an action", self.refused("corpus", str(self.folder)))
        self.traces("a")
        code, out, _ = self.corpus()
        self.assertEqual(code, 0)
        self.assertIn("- 1 as they should be, 0 broken, 1 vacuous", out)
        self.assertIn("| talk | vacuous | 1.0000", out)
        value = self.value()
        self.assertEqual((value["vacuous_count"], value["fixtures"][1]["vacuous"]), (1, True))  # type: ignore[index]

    def test_the_first_drift_and_what_shows_more(self) -> None:
        self.traces("a", drift=True, total=4)
        self.traces("b")
        self.logs("c", drift=True)
        _, out, _ = self.corpus()
        self.assertIn('position 3: tool_input: command "make" ≠ "ls"', out)
        self.assertIn("<summary>1 fixture as expected</summary>", out)
        commands = re.findall(r"`diff_events\.py (.*)`", out)
        self.assertEqual([self.run_tool(*shlex.split(command))[0] for command in commands], [0, 1])

    def test_what_shows_more_compares_in_the_same_way(self) -> None:
        self.traces("a", drift=True, meta="allow_hosts = ['a.example']\n")
        self.logs("c", drift=True, meta="tid_map = '6=6'\n")
        contract = self.put(".c.toml", "[sovereignty]\nforbidden_replay_egress = ['b.example']\n")
        _, out, _ = self.corpus("--contract", contract)
        commands = re.findall(r"`diff_events\.py (.*)`", out)
        self.assertTrue(commands[0].endswith(f"--contract {contract} --allow-host a.example"), commands)
        self.assertTrue(commands[1].endswith("--tid-map=6=6"), commands)
        self.assertEqual([self.run_tool(*shlex.split(command))[0] for command in commands], [1, 0])

    def test_traces_that_do_not_belong_together(self) -> None:
        self.traces("a")
        self.put("a/teacher.ccpa-trace.jsonl", whole(CALL))
        self.assertEqual(self.value()["fixtures"][0]["mismatches"], ["roles"])  # type: ignore[index]
        self.assertIn("are they comparable?", self.corpus()[1])
        self.assertIn("it does not belong to", self.refused("corpus", str(self.folder), "--strict"))

    def test_what_is_undecided_is_counted_and_may_be_gated(self) -> None:
        self.traces("a")
        for side, text in (("teacher", taught), ("student", whole)):
            self.put(f"b/{side}.ccpa-trace.jsonl", text(turn(("a", "Bash", {"command": "./deploy.sh"}))))
        code, out, _ = self.corpus()
        self.assertEqual(code, 0)
        self.assertIn("- 1 finding undecided", out)
        self.assertEqual(self.corpus("--strict-sovereignty")[0], 1)
        value = self.value("--strict-sovereignty")
        self.assertEqual([fixture["passes"] for fixture in value["fixtures"]], [True, False])  # type: ignore[attr-defined]


class Reports(CorpusCase):
    def test_junit(self) -> None:
        self.traces("good")
        self.traces("low", drift=True)
        self.traces("broken")
        (self.folder / "broken/student.ccpa-trace.jsonl").unlink()
        out = self.folder.parent / f"{self.folder.name}.xml"
        self.addCleanup(out.unlink)
        self.assertEqual(self.corpus("--report", f"junit:{out}", "--quiet")[0], 2)
        cases = {case.attrib["name"]: case for case in ElementTree.parse(out).getroot().iter("testcase")}
        failures = {name: case.find("failure") for name, case in cases.items()}
        self.assertEqual(list(cases), ["broken", "good", "low", "mean and coverage"])
        self.assertIsNone(failures["good"])
        types = {name: failure.attrib["type"] for name, failure in failures.items() if failure is not None}
        self.assertEqual(types, {"broken": "broken", "low": "fail", "mean and coverage": "mean"})
        self.assertIn("diff_events.py diff", failures["low"].text or "")  # type: ignore[union-attr]

    def test_html(self) -> None:
        self.traces("a<b>", drift=True)
        _, out, _ = self.corpus("--report", "html:-")
        self.assertIn("a&lt;b&gt;", out)
        self.assertNotIn("a<b>", out)


class Ratchet(CorpusCase):
    LIMITS = ("--aggregate-min", "0", "--individual-min", "0")

    def ratchet(self, *argv: str) -> tuple[int, str, str]:
        return self.corpus("--baseline", self.baseline, "--ratchet", *self.LIMITS, *argv)

    def setUp(self) -> None:
        super().setUp()
        self.traces("a")
        self.traces("b", drift=True, total=2)
        self.traces("c", total=3)
        text = self.corpus("--json", *self.LIMITS)[1]
        self.baseline = self.put(".baseline.json", text)

    def test_no_score_may_fall(self) -> None:
        self.assertEqual(self.ratchet()[0], 0)
        self.traces("b", total=2)
        self.traces("d")
        code, out, _ = self.ratchet()
        self.assertEqual(code, 0)
        self.assertIn("since the baseline: 0 scores lower, 2 higher or new", out)
        self.traces("c", drift=True, total=3)
        code, out, _ = self.ratchet()
        self.assertEqual(code, 1)
        self.assertIn("- lower: c, 1.0000 → 0.6666\n", out)
        changes = json.loads(self.ratchet("--json")[1])["changes"]
        self.assertIn({"id": "b", "before": 0.5, "now": 1.0}, changes)
        self.assertEqual(self.corpus("--baseline", self.baseline, *self.LIMITS)[0], 0)

    def test_the_next_baseline_is_written_only_where_it_holds(self) -> None:
        replacing, kept = ("--report", f"json:{self.baseline}"), Path(self.baseline).read_text()
        self.traces("c", drift=True, total=3)
        for _ in range(2):
            self.assertEqual(self.ratchet(*replacing)[0], 1)
            self.assertEqual(Path(self.baseline).read_text(), kept)
        self.traces("c", total=3)
        self.put("c/meta.toml", "junk")
        self.assertEqual((self.ratchet(*replacing)[0], Path(self.baseline).read_text()), (2, kept))
        self.traces("c", total=3)
        self.traces("b", total=2)
        self.assertEqual(self.ratchet(*replacing)[0], 0)
        self.assertNotEqual(Path(self.baseline).read_text(), kept)

    def test_no_fixture_may_go(self) -> None:
        shutil.rmtree(self.folder / "c")
        self.assertEqual(self.ratchet()[0], 1)

    def test_bad_baselines(self) -> None:
        self.assertIn("--ratchet needs --baseline", self.refused("corpus", str(self.folder), "--ratchet"))
        for text, problem in (
            ("{", ".b.json: invalid JSON"),
            ("[]", "expected a map, found an empty array"),
            ('{"format": "x", "fixtures": []}', "format: expected the JSON report of a corpus"),
            ('{"format": "diff-events-corpus", "fixtures": 1}', "fixtures: expected an array"),
            ('{"format": "diff-events-corpus", "fixtures": [1]}', "fixtures[0]: expected a map, found a number: 1"),
            (
                '{"format": "diff-events-corpus", "fixtures": [{"id": "a", "score": 2}]}',
                "expected a number from 0 to 1",
            ),
        ):
            path = self.put(".b.json", text)
            self.assertIn(problem, self.refused("corpus", str(self.folder), "--baseline", path), text)


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
            ("a/meta.toml", "x = 1", "fixture: expected a map"),
            ("a/meta.toml", "[fixture]", "fixture.id: expected a name, found nothing"),
            ("a/meta.toml", "[fixture]\nid = ''", "fixture.id: expected a name"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ndescription = 1", "fixture.description"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ncovers = 'x'", "fixture.covers: expected a list"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ntid_map = '6'", "fixture.tid_map"),
            ("a/meta.toml", "[fixture]\nid = 'a'\ntid_map = 6", "fixture.tid_map"),
            ("a/meta.toml", "[fixture]\nid = 'a'\nallow_hosts = [1]", "fixture.allow_hosts[0]"),
            ("a/meta.toml", "[fixture]\nid = 'a'\nmatch_names = 1", "fixture.match_names: expected"),
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

    def test_a_profile_that_is_not_there(self) -> None:
        self.logs("a", meta='profile = "gone.toml"\n')
        self.assertIn("gone.toml: cannot be read", self.refused("corpus", str(self.folder)))

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

    def test_a_tid_twice(self) -> None:
        for pairs in ('"6=6,6=7"', '"6=6,7=6"', "{6 = 6, 06 = 7}", "{6 = 1, 7 = 1}"):
            self.logs("a", meta=f"tid_map = {pairs}\n")
            message = self.refused("corpus", str(self.folder))
            self.assertRegex(message, r"fixture.tid_map: \d=\d names a thread that an earlier pair has")

    def test_tables_as_tid_map(self) -> None:
        self.logs("a", meta="tid_map = {6 = 6}\n")
        self.assertEqual(self.corpus()[0], 0)

    def test_usage(self) -> None:
        for argv in (["--jobs", "2"], ["--oos", "a"], ["--must"]):
            with self.subTest(argv=argv):
                self.refused("corpus", str(self.folder), *argv)


class MatrixCase(CorpusCase):
    """A corpus that covers one of two rows."""

    MATRIX = "categories:\n- {id: hooks, status: SHIPPED}\n- {id: mcp, status: PARTIAL}\n- {id: x, status: MISSING}\n"

    def setUp(self) -> None:
        super().setUp()
        self.traces("a", meta='covers = ["hooks", "other"]\n')
        self.matrix = self.put(
            "m.yaml", self.MATRIX.replace("- {id: ", "- id: ").replace(", status", "\n  status").replace("}", "")
        )


class CoverageOfTheMatrix(MatrixCase):
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
        self.assertIn("coverage: 1 of 1 row of the matrix", self.corpus("--matrix", self.matrix, "--oos", "mcp,x")[1])
        self.assertIn(
            "has no such row", self.refused("corpus", str(self.folder), "--matrix", self.matrix, "--oos", "nothing")
        )


class CoverageCommand(MatrixCase):
    """The short form, which scores nothing."""

    def coverage(self, *argv: str) -> tuple[int, str, str]:
        return self.run_tool("coverage", str(self.folder), "--matrix", self.matrix, *argv)

    def test_a_gap(self) -> None:
        (self.folder / "a/student.ccpa-trace.jsonl").unlink()
        code, out, err = self.coverage()
        self.assertEqual((code, out, json.loads(err)["uncovered"]), (2, "1 of 2 rows covered\n", ["mcp"]))
        value = json.loads(self.coverage("--json")[1])
        self.assertEqual(
            (value["format"], value["passes"], value["unknown"]), ("diff-events-coverage", False, ["other"])
        )

    def test_rows_out_of_scope(self) -> None:
        self.assertEqual(self.coverage("--oos", "mcp"), (0, "1 of 1 row covered\n", ""))
        contract = self.put(".c.yaml", "oos_rows: [mcp]\n")
        self.assertEqual(self.coverage("--contract", contract)[0], 0)
        self.assertEqual(self.corpus("--matrix", self.matrix, "--contract", contract)[0], 0)
        contract = self.put(".c.yaml", "oos_rows: [none]\n")
        self.assertIn(
            "oos_rows none: ", self.refused("corpus", str(self.folder), "--matrix", self.matrix, "--contract", contract)
        )

    def test_a_broken_fixture_covers_and_both_faults_are_reported(self) -> None:
        (self.folder / "a/student.ccpa-trace.jsonl").unlink()
        code, _, err = self.corpus("--matrix", self.matrix)
        gap, error = err.splitlines()
        self.assertEqual((code, json.loads(gap)["covered"]), (2, 1))
        self.assertIn("1 of 1 fixtures broken", error)
        self.assertIsNone(self.value()["fixtures"][0]["score"])  # type: ignore[index]


class Fixtures(FolderCase):
    def test_the_canonical_corpus_passes(self) -> None:
        contract = str(next(FIXTURES.glob("contract.*")))
        code, out, err = self.run_tool("corpus", str(FIXTURES / "canonical"), "--contract", contract)
        self.assertEqual((code, err), (0, ""), out)

    def test_the_strict_gate_fails_what_is_undecided_and_nothing_else(self) -> None:
        contract = str(next(FIXTURES.glob("contract.*")))
        argv = ["corpus", str(FIXTURES / "canonical"), "--contract", contract, "--strict-sovereignty", "--json"]
        code, out, _ = self.run_tool(*argv)
        fixtures = json.loads(out)["fixtures"]
        failing = {fixture["id"] for fixture in fixtures if not fixture["passes"]}
        self.assertEqual(failing, {fixture["id"] for fixture in fixtures if fixture["undecided_count"]})
        self.assertEqual((code, len(failing)), (1, 8))

    def test_the_regression_corpus_fails_throughout(self) -> None:
        code, out, err = self.run_tool("corpus", str(FIXTURES / "regression"), "--must-fail")
        self.assertEqual((code, err), (0, ""), out)


if __name__ == "__main__":
    unittest.main()
