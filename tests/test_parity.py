"""Agent traces: parsing, the rules, the tiers and reasons, the score, the command."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import random
import re
import unittest
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import diff_events as d
from tests.traces import END, FIXTURES, ROOT, START, FolderCase, hook, jsonl, result, skill, taught, turn, whole

Call = tuple[dict[str, object], dict[str, object], str | None, str | None]

FALSIFIERS: dict[str, list[Call]] = {
    "Bash": [
        ({"command": "ls"}, {"command": "ls -l"}, None, None),
        ({"command": "a | b"}, {"command": "a '|' b"}, None, None),
        ({"command": "echo 'a"}, {"command": "echo 'b"}, None, None),
        ({"command": 1}, {"command": 2}, None, None),
    ],
    "Shell": [({"command": "make"}, {"command": "make test"}, None, None)],
    "Read": [
        ({"path": "a"}, {"path": "b"}, None, None),
        ({"path": "a", "pages": "1-2"}, {"path": "a"}, None, None),
        ({"path": "a"}, {"path": "a"}, "     1→x\n", "     1\ty"),
        ({"path": "a"}, {"path": "a"}, "1\tx\n", "x\n"),
        ({"path": "a"}, {"path": "a"}, "1→x\n3→y\n", "1\tx\n3\ty\n"),
        ({"path": "a", "limit": 2}, {"path": "a", "offset": 3}, None, None),
        ({"path": "a"}, {"path": "a"}, "x", "y"),
        ({"path": "a"}, {"path": "a"}, "x", None),
        ({"path": "a"}, {"path": "a", "offset": 2}, "x\ny\n", "z\n"),
        ({"path": "a", "offset": "1"}, {"path": "a", "offset": 1}, None, None),
    ],
    "Write": [
        ({"path": "a", "content": "x"}, {"path": "b", "content": "x"}, None, None),
        ({"path": "a", "content": "x"}, {"path": "a", "content": "y"}, None, None),
        ({"path": "a", "content": "x"}, {"path": "a", "content": "x", "post_state_sha256": "0" * 64}, None, None),
        ({"path": "a", "content": "x"}, {"path": "a"}, None, None),
    ],
    "Edit": [
        ({"path": "a", "old_string": "x"}, {"path": "a", "old_string": "y"}, None, None),
        ({"path": "a", "new_string": "x"}, {"path": "a", "new_string": "y"}, None, None),
        ({"path": "a", "replace_all": True}, {"path": "a"}, None, None),
        ({"path": "a"}, {"path": "a", "post_state_sha256": "0" * 64}, None, None),
    ],
    "Agent": [
        ({"prompt": "x"}, {"prompt": "y"}, None, None),
        ({"prompt": "x", "subagent_type": "a"}, {"prompt": "x", "subagent_type": "b"}, None, None),
        ({"prompt": "x", "subagent_type": "a"}, {"prompt": "x"}, None, None),
    ],
    "Task": [
        ({"prompt": "x", "model": "a"}, {"prompt": "x", "model": "b"}, None, None),
        ({"path": "a"}, {"path": "a", "file_path": "b"}, None, None),
    ],
    "Glob": [
        ({"pattern": "*", "path": "x"}, {"pattern": "*"}, None, None),
        ({"pattern": "*"}, {"pattern": "*"}, "No files found", "a"),
        ({"pattern": "*.py"}, {"pattern": "*.rs"}, None, None),
        ({"pattern": "*"}, {"pattern": "*"}, "a\nb", "a\nc"),
        ({"pattern": "*"}, {"pattern": "*"}, "a\na", "a"),
        ({"pattern": "*"}, {"pattern": "*"}, "a", None),
    ],
    "Grep": [
        ({"pattern": "x", "flags": "-m 0"}, {"pattern": "x"}, None, None),
        ({"pattern": "x", "-A": 2, "flags": "-A 3"}, {"pattern": "x", "-A": 2}, None, None),
        ({"pattern": "x", "flags": "-m 0"}, {"pattern": "x", "flags": "-m 1"}, None, None),
        ({"pattern": "x"}, {"pattern": "y"}, None, None),
        ({"pattern": "x", "path": "a"}, {"pattern": "x"}, None, None),
        ({"pattern": "x", "-i": True}, {"pattern": "x"}, None, None),
        ({"pattern": "x", "-C": 2}, {"pattern": "x", "-A": 2}, None, None),
        ({"pattern": "x", "-C": 2, "-A": 0}, {"pattern": "x", "-C": 2}, None, None),
        ({"pattern": "x"}, {"pattern": "x"}, "No matches found", "a"),
        ({"pattern": "x", "flags": "-A 1 -B 2"}, {"pattern": "x", "flags": "-A 2 -B 1"}, None, None),
        ({"pattern": "x", "output_mode": "count"}, {"pattern": "x"}, None, None),
        ({"pattern": "x", "glob": "*.py"}, {"pattern": "x", "glob": "*.rs"}, None, None),
        ({"pattern": "x"}, {"pattern": "x"}, "a\nb", "a"),
        ({"pattern": "x"}, {"pattern": "x"}, None, "a"),
    ],
}

EQUIVALENT: dict[str, list[Call]] = {
    "Bash": [
        ({"command": "ls  -l;"}, {"command": "ls -l", "description": "x", "timeout": 5}, "a", "b"),
        ({"command": "echo 'a"}, {"command": "echo  'a "}, None, None),
        ({"command": 1}, {"command": 1.0}, None, None),
        ({"command": "cat /tmp/tmp.aB3dE6gH9j"}, {"command": "cat /tmp/tmp.0123456789"}, None, None),
        ({"command": "make &&\n  make test"}, {"command": "make && make test"}, None, None),
    ],
    "Read": [
        ({"path": "a/../b"}, {"file_path": "./b"}, "x\ny", "x\ny"),
        ({"path": "b"}, {"path": "b", "offset": 2}, "x\ny\n", "y\n"),
        ({"path": "b"}, {"path": "b"}, "     1→x\n     2→y", "1\tx\n2\ty\n"),
        ({"path": "b", "offset": 9}, {"path": "b", "offset": 10, "limit": 1}, "  9→x\n 10→y", "10\ty\n"),
        ({"path": "b", "offset": None}, {"path": "b", "offset": 0}, "x\ny", "x\ny"),
        ({"path": "b", "offset": 2, "limit": 2}, {"path": "b", "limit": 2}, "y\nz", "x\ny"),
        ({"path": "b", "limit": 0}, {"path": "b", "limit": 0}, "", ""),
    ],
    "Write": [
        ({"path": "a", "content": "x"}, {"path": "a", "content": "x"}, "ok", None),
        ({"path": "a", "post_state_sha256": d.sha256("x").upper()}, {"path": "a", "content": "x"}, None, None),
        ({"path": None, "file_path": "a", "content": "x"}, {"path": "a", "content": "x"}, None, None),
        ({"path": "a"}, {"path": "a"}, None, None),
        ({"path": 1, "content": ""}, {"path": 1, "content": ""}, None, None),
    ],
    "Edit": [({"path": "a", "replace_all": False}, {"path": "a", "replace_all": None}, "x", None)],
    "Other": [({"query": "x", "n": 1}, {"n": 1.0, "query": "x"}, "a", "b")],
    "Agent": [({"prompt": "x", "description": "a"}, {"prompt": "x"}, "said", None)],
    "Glob": [
        ({"pattern": "*", "path": "./"}, {"pattern": "*"}, "b\n./a\n", "a\nb"),
        ({"pattern": "*"}, {"pattern": "*"}, "No files found\n", ""),
    ],
    "Grep": [
        ({"pattern": "x", "-A": 0, "-C": 0}, {"pattern": "x"}, None, None),
        ({"pattern": "x", "-A": 0, "-B": 0, "-C": 0, "head_limit": 0, "offset": 0}, {"pattern": "x"}, None, None),
        (
            {"pattern": " x"},
            {"pattern": "x ", "path": "./", "-i": False, "output_mode": "files_with_matches"},
            None,
            None,
        ),
        ({"pattern": "x", "flags": ["-i", "-n"]}, {"pattern": "x", "flags": "-ni"}, "a\nb\n", "c\nd"),
        ({"pattern": "x", "-A": 3, "-n": True}, {"pattern": "x", "flags": ["-n", "-A", "3"]}, None, None),
        ({"pattern": 1}, {"pattern": 1}, None, None),
        ({"pattern": "x", "-C": 2}, {"pattern": "x", "flags": "-B 2 -A 2"}, None, None),
        ({"pattern": "x", "-A": 2, "flags": "-A 2"}, {"pattern": "x", "-A": 2}, None, None),
        ({"pattern": "x", "-A": 5, "-C": 2}, {"pattern": "x", "-A": 5, "-B": 2}, None, None),
        ({"pattern": "x", "context": 2, "-A": 5}, {"pattern": "x", "-A": 5, "-B": 2}, None, None),
        ({"pattern": "x"}, {"pattern": "x"}, "No matches found", ""),
    ],
}


def verdict(
    name: str,
    teacher: Mapping[str, object],
    student: Mapping[str, object],
    said: str | None = None,
    too: str | None = None,
) -> str:
    """What is said of two calls of a tool, and of the contents of their results."""
    results = [None if content is None else d.ToolResult(content) for content in (said, too)]
    calls = [d.ToolCall(name, use, found) for use, found in zip((teacher, student), results, strict=True)]
    category, reason = d.classify_drift(list(d.action_differences(*calls)))
    return f"{category.value}({reason.value})" if reason else category.value


class Rules(unittest.TestCase):
    def test_every_tool_has_a_rule_a_falsifier_and_a_row_in_the_documentation(self) -> None:
        text = (ROOT / "schema-v1.md").read_text(encoding="utf-8")
        table = text[text.index("<!-- tools -->") : text.index("<!-- /tools -->")]
        first_cells = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
        self.assertEqual(set(re.findall(r"`(\w+)`", first_cells)), set(d.RULES))
        self.assertEqual(set(FALSIFIERS), set(d.RULES))

    def test_falsifiers_drift(self) -> None:
        for name, calls in FALSIFIERS.items():
            for call in calls:
                with self.subTest(name=name, call=call):
                    self.assertNotEqual(verdict(name, *call), "Tier0NoDrift")
                    self.assertNotEqual(verdict(name, call[1], call[0], call[3], call[2]), "Tier0NoDrift")

    def test_equivalent_pairs(self) -> None:
        for name, calls in EQUIVALENT.items():
            for call in calls:
                with self.subTest(name=name, call=call):
                    self.assertEqual(verdict(name, *call), "Tier0NoDrift")
                    self.assertEqual(verdict(name, call[1], call[0], call[3], call[2]), "Tier0NoDrift")

    def test_paths(self) -> None:
        def same(left: str, right: str, left_cwd: str | None = "/w/p", right_cwd: str | None = "/w/p") -> bool:
            return bool(d.canonical_paths(left, left_cwd) & d.canonical_paths(right, right_cwd))

        self.assertTrue(same("/w/p/a//b", "./a/b"))
        self.assertTrue(same("../x", "/w/x"))
        self.assertTrue(same("/w/p", "."))
        self.assertTrue(same("/t/p/a", "/s/p/a", "/t/p", "/s/p"))
        self.assertTrue(same("../x", "../x", "/t/p", "/s/q"))
        self.assertTrue(same("//etc/passwd", "/etc/passwd", None, None))
        self.assertFalse(same("/w/p/a", "a", None, None))
        self.assertFalse(same("/t/p/a", "/t/p/a", "/t/p", "/s/p"))
        self.assertFalse(same("/w/pa", "a"))
        self.assertFalse(same("", ".", None, None))

    def test_a_trace_need_not_say_its_cwd(self) -> None:
        for name in ("Read", "LS"):
            paths = (("/w/a", "/w"), ("/w/a", None), ("a", None))
            calls = [d.ToolCall(name, {"path": path}, cwd=cwd) for path, cwd in paths]
            for other in calls[1:]:
                self.assertEqual(list(d.action_differences(calls[0], other)), [])
            self.assertEqual(len(list(d.action_differences(calls[1], calls[2]))), 1)

    def test_cosmetic_needs_every_difference_to_be_cosmetic(self) -> None:
        edit = {"path": "a", "old_string": "x y", "new_string": "z 2026-01-01T00:00:00Z"}
        later = {"path": "a", "old_string": "x  y", "new_string": "z 2026-01-01 00:00:01"}
        other = {**later, "new_string": "q"}
        self.assertEqual(verdict("Edit", edit, later), "Tier1Cosmetic(timestamp)")
        self.assertEqual(verdict("Edit", edit, {**edit, "old_string": "x  y"}), "Tier1Cosmetic(whitespace)")
        self.assertEqual(verdict("Edit", edit, other), "Tier2Semantic(tool_input)")
        self.assertEqual(verdict("Other", {"n": 1}, {"n": True}), "Tier2Semantic(tool_input)")
        self.assertEqual(
            verdict("Bash", {"command": "echo 'a  b'"}, {"command": "echo 'a b'"}), "Tier1Cosmetic(whitespace)"
        )
        self.assertEqual(
            verdict("Other", {"a": ["x y", {"b": "c"}]}, {"a": ["x  y", {"b": "c"}]}),
            "Tier1Cosmetic(whitespace)",
        )

    def test_a_wildcard_is_held_against_so_many_tools(self) -> None:
        tools = [f"tool{n}" for n in range(1000)]
        self.assertEqual(len(d.matching_tools("tool*", tools)), 256)
        self.assertEqual(d.matching_tools("tool999|x*", tools), {"tool999"})

    def test_hooks_meet_the_calls_of_their_tools_in_order(self) -> None:
        calls: list[tuple[str, str, dict[str, object]]] = [(name, name[0], {"n": name}) for name in ("A1", "B1", "A2")]
        text = whole(turn(*calls), *(hook(matcher="A|B") for _ in range(5)), hook(matcher="C"))
        hooks = [action for action in d.parse_trace(text).actions if isinstance(action, d.HookEvent)]
        met = [event.call and event.call.input["n"] for event in hooks]
        self.assertEqual(met, ["A1", "B1", "A2", "A2", "A2", None])

    def test_matchers(self) -> None:
        for matcher, accepts in ((None, True), ("", True), ("Bash|Edit", True), ("Edit", False), ("mcp__.*", False)):
            self.assertEqual(bool(d.matching_tools(matcher, ["Bash"])), accepts, matcher)
        for matcher, accepts in (("(Edit|Bash)", True), ("^Bash$", True), ("(?:Edit|Write)", False), ("[AB]ash", True)):
            self.assertEqual(bool(d.matching_tools(matcher, ["Bash"])), accepts, matcher)
        self.assertEqual(d.matching_tools("Edit|B*", ["Bash", "Edit", "Batch", "Read"]), {"Bash", "Edit", "Batch"})


class StateOfAFile(FolderCase):
    def test_a_call_that_failed_is_not_one_that_succeeded(self) -> None:
        for name, tool_input in (
            ("Write", {"path": "a", "content": "x"}),
            ("Edit", {"path": "a", "old_string": "x", "new_string": "y"}),
        ):
            use: dict[str, object] = dict(tool_input)
            good = self.trace(turn(("a", name, use)), result("a", "done"), name="good")
            bad = self.trace(turn(("a", name, use)), result("a", "no such file", ok=False), name="bad")
            (drift,) = d.compute_parity_score(good, bad).drifts
            self.assertEqual((drift.reason, drift.differences[0].field), ("result", "result.ok"))
            self.assertEqual(d.compute_parity_score(bad, bad).score, 1.0)

    def test_paths_of_every_tool_are_canonical(self) -> None:
        for name, one, other in (
            ("LS", {"path": "./src/"}, {"path": "src"}),
            ("NotebookEdit", {"notebook_path": "a//b"}, {"notebook_path": "a/b"}),
            ("MultiEdit", {"file_path": "x/../a", "edits": []}, {"file_path": "a", "edits": []}),
        ):
            traces = [
                self.trace(turn(("a", name, dict(use))), name=name) for use in (one, other, {**other, "path": "b"})
            ]
            self.assertEqual(d.compute_parity_score(traces[0], traces[1]).score, 1.0)
            self.assertEqual(d.compute_parity_score(traces[0], traces[2]).worst_tier, 2)

    def test_absent_arguments_of_a_skill_are_null(self) -> None:
        report = d.compute_parity_score(self.trace(skill(), name="t"), self.trace(skill(args=None)))
        self.assertEqual(report.score, 1.0)

    def test_the_case_of_a_hash_does_not_count(self) -> None:
        call, state = turn(("a", "Write", {"path": "a", "content": "x"})), d.sha256("x").upper()
        upper = self.trace(call, result("a", side_effects={"post_state_sha256": state}), name="upper")
        self.assertEqual(d.compute_parity_score(upper, self.trace(call, result("a"))).score, 1.0)


class ReplayedFiles(FolderCase):
    """What Write, Edit and Read say about a file, followed through a trace."""

    def states(self, *records: object) -> list[tuple[bool, bool]]:
        """Of each call that wrote: whether the file after it is known, and whether the trace contradicts itself."""
        states = d.replay_files(self.trace(*records).actions)
        return [(bool(state.known), state.is_contradictory) for _, state in sorted(states.items())]

    def edit(self, old: str, new: str, use: str = "e", **more: object) -> dict[str, object]:
        return turn((use, "Edit", {"path": "a", "old_string": old, "new_string": new, **more}))

    def test_contents(self) -> None:
        write = turn(("w", "Write", {"path": "./a", "content": "one two one\n"}))
        state = {"post_state_sha256": d.sha256("1 two 1\n")}
        read = [turn(("r", "Read", {"file_path": "a"})), result("r", "one two one\n")]
        gutter = [turn(("r", "Read", {"file_path": "a"})), result("r", "     1→one two one")]
        part = [turn(("r", "Read", {"file_path": "a", "limit": 1})), result("r", "one two one\n")]
        reminded = [
            turn(("r", "Read", {"path": "a"})),
            result("r", "one two one\n<system-reminder>x</system-reminder>"),
        ]
        good = self.edit("one", "1", replace_all=True, **state)
        bash = [turn(("b", "Bash", {"command": "make"})), result("b")]
        for records, expected in (
            ([write, good], [(True, False), (True, False)]),
            ([*read, good], [(True, False)]),
            ([*gutter, good], [(True, False)]),
            ([*part, good], [(True, False)]),
            ([*part, self.edit("one", "1", replace_all=True)], [(False, False)]),
            ([write, self.edit("two", "2", **state)], [(True, False), (True, True)]),
            (
                [write, self.edit("two", "2"), self.edit("2", "3", **state)],
                [(True, False), (True, False), (True, True)],
            ),
            ([write, self.edit("one", "1")], [(True, False), (False, False)]),
            ([write, self.edit("none", "1")], [(True, False), (False, False)]),
            ([write, *bash, self.edit("two", "2", **state)], [(True, False), (True, False)]),
            ([write, hook("PostToolUse"), self.edit("two", "2", **state)], [(True, False), (True, False)]),
            ([write, hook("PreToolUse"), skill(), self.edit("two", "2", **state)], [(True, False), (True, True)]),
            ([write, self.edit("two", "2", "x"), result("x", ok=False), good], [(True, False), (True, False)]),
            ([self.edit("two", "2")], [(False, False)]),
            ([*reminded, self.edit("one two", "1", **state)], [(True, False)]),
            (
                [write, self.edit("two", "2", **state), self.edit("2", "3")],
                [(True, False), (True, True), (False, False)],
            ),
            ([turn(("w", "Write", {"path": "a", "content": 5}))], [(False, False)]),
            ([turn(("w", "Write", {"path": "a", "content": "x", **state}))], [(True, True)]),
        ):
            with self.subTest(records=records):
                self.assertEqual(self.states(*records), expected)

    def test_several_edits_at_once(self) -> None:
        write = turn(("w", "Write", {"path": "a", "content": "x y"}))
        edits = [{"old_string": "x", "new_string": "y"}, {"old_string": "y y", "new_string": "z"}]
        both = turn(("m", "MultiEdit", {"path": "a", "edits": edits, "post_state_sha256": d.sha256("z")}))
        self.assertEqual(self.states(write, both), [(True, False), (True, False)])
        odd = turn(("m", "MultiEdit", {"path": "a", "edits": [5]}))
        self.assertEqual(self.states(write, odd), [(True, False), (False, False)])

    def test_other_words_same_file(self) -> None:
        write = turn(("w", "Write", {"path": "a", "content": "one two\n"}))
        teacher = self.trace(write, self.edit("one", "1"), name="t")
        student = self.trace(write, self.edit("one two", "1 two"))
        (drift,) = d.compute_parity_score(teacher, student).drifts
        self.assertTrue(drift.same_file)
        self.assertTrue(drift.detail.endswith("; the file after it is the same"), drift.detail)
        other = self.trace(write, self.edit("one two", "1 2"))
        self.assertFalse(d.compute_parity_score(teacher, other).drifts[0].same_file)
        elsewhere = self.trace(
            turn(("w", "Write", {"path": "b", "content": "one two\n"})),
            turn(("e", "Edit", {"path": "b", "old_string": "one two", "new_string": "1 two"})),
        )
        self.assertFalse(d.compute_parity_score(teacher, elsewhere).drifts[1].same_file)
        unknown = [self.trace(self.edit(old, "1"), name=old) for old in ("x", "y")]
        self.assertFalse(d.compute_parity_score(unknown[0], unknown[1]).drifts[0].same_file)

    def test_a_long_replay_ends(self) -> None:
        big = turn(("w", "Write", {"path": "a", "content": "x" * (1 << 20) + "0"}))
        edits = [self.edit(str(n), str(n + 1)) for n in range(200)]
        states = self.states(big, *edits)
        self.assertLess(len(states), 100)


class Aligned(unittest.TestCase):
    """Lists of actions that fit together when one skips some."""

    def calls(self, text: str) -> list[d.ToolCall]:
        return [d.ToolCall("Bash", {"command": letter}) for letter in text]

    def aligned(self, teacher: str, student: str) -> tuple[int, int, tuple[int, ...], tuple[int, ...], int]:
        found = d.align_actions(self.calls(teacher), self.calls(student))
        return found.matched, found.paired, found.insertions, found.deletions, found.turn_order_skew

    def test_examples(self) -> None:
        self.assertEqual(self.aligned("abcdef", "Xabcdef"), (6, 6, (0,), (), 0))
        self.assertEqual(self.aligned("abcdef", "abdef"), (5, 5, (), (2,), 0))
        self.assertEqual(self.aligned("abcdef", "abXdef"), (5, 6, (), (), 0))
        self.assertEqual(self.aligned("abcdef", "bcdefa"), (5, 5, (5,), (0,), 1))
        self.assertEqual(self.aligned("aaXbc", "bcaY"), (2, 2, (2, 3), (0, 1, 2), 1))
        self.assertEqual(self.aligned("", ""), (0, 0, (), (), 0))
        self.assertEqual(self.aligned("", "ab"), (0, 0, (0, 1), (), 0))

    def test_it_is_a_longest_common_subsequence(self) -> None:
        rng = random.Random(11)
        for _ in range(300):
            teacher, student = ("".join(rng.choices("abc", k=rng.randrange(12))) for _ in range(2))
            matched, paired, insertions, deletions, _ = self.aligned(teacher, student)
            longest = [[0] * (len(student) + 1) for _ in range(len(teacher) + 1)]
            for x, one in enumerate(teacher):
                for y, other in enumerate(student):
                    best = max(longest[x][y + 1], longest[x + 1][y])
                    longest[x + 1][y + 1] = longest[x][y] + 1 if one == other else best
            self.assertEqual(matched, longest[-1][-1], (teacher, student))
            self.assertEqual((paired + len(deletions), paired + len(insertions)), (len(teacher), len(student)))

    def test_many_edits(self) -> None:
        self.assertEqual(self.aligned("a" * 100, "b" * 100), (0, 100, (), (), 0))
        self.assertEqual(self.aligned("a" * 5000, "a" * 100), (100, 100, (), tuple(range(100, 5000)), 0))
        letters = "".join(map(chr, range(0x4E00, 0x4E00 + 900)))
        turned = letters[300:] + letters[:300]
        self.assertEqual(self.aligned(letters, turned), (600, 600, tuple(range(600, 900)), tuple(range(300)), 300))

    def test_ranges_that_overlap_with_a_third_only(self) -> None:
        def reads(*ranges: tuple[int, int]) -> list[d.ToolCall]:
            return [d.ToolCall("Read", {"path": "a", "offset": at, "limit": size}) for at, size in ranges]

        found = d.align_actions(reads((1, 10), (1, 4)), reads((5, 4), (7, 4)))
        self.assertEqual((found.matched, found.paired), (1, 2))


TWO_EDITS = [turn(("a", "Edit", {"path": "x", "old_string": "1", "new_string": "2"})), result("a")]
BASH = [turn(("b", "Bash", {"command": "make"})), result("b", "ok")]

EVERY_REASON: list[tuple[str, int, list[dict[str, object]], list[dict[str, object]]]] = [
    (
        "whitespace",
        1,
        [turn(("a", "Bash", {"command": "echo 'a b'"}))],
        [turn(("a", "Bash", {"command": "echo 'a  b'"}))],
    ),
    (
        "timestamp",
        1,
        [hook("Stop", output="at 2026-01-01T00:00:00Z")],
        [hook("Stop", output="at 2026-01-02T00:00:00Z")],
    ),
    ("tool_input", 2, BASH, [turn(("b", "Bash", {"command": "make all"}))]),
    ("tool_name", 2, BASH, [turn(("b", "Shell", {"command": "make"}))]),
    (
        "file_state",
        2,
        [turn(("a", "Write", {"path": "a", "content": "1"}))],
        [turn(("a", "Write", {"path": "a", "content": "2"}))],
    ),
    (
        "result",
        2,
        [turn(("a", "Read", {"path": "a"})), result("a", "1")],
        [turn(("a", "Read", {"path": "a"})), result("a", "2")],
    ),
    ("missing_tool_call", 2, BASH, []),
    ("extra_tool_call", 2, [], BASH),
    ("hook_event", 2, [hook("Stop")], [hook("Stop", decision="block")]),
    ("missing_hook_event", 2, [hook("Stop")], []),
    ("extra_hook_event", 2, [], [hook("Stop")]),
    ("skill_invocation", 2, [skill()], [skill(args=[])]),
    ("missing_skill_invocation", 2, [skill()], []),
    ("extra_skill_invocation", 2, [], [skill()]),
    ("action_kind", 2, [skill()], [hook("Stop")]),
    ("network_egress", 3, BASH, [turn(("b", "Bash", {"command": "curl https://example.com"}))]),
    (
        "credential_read",
        3,
        [turn(("b", "Bash", {"command": "echo $API_KEY"}))],
        [turn(("b", "Bash", {"command": "echo $API_KEY"}))],
    ),
    ("spawn_outside_cwd", 3, [], [turn(("b", "Bash", {"command": "cd /etc && make"}))]),
]


class Score(FolderCase):
    def score(
        self, teacher: list[dict[str, object]], student: list[dict[str, object]], **options: object
    ) -> d.ParityReport:
        traces = self.trace(*teacher, name="t"), self.trace(*student, name="s")
        return d.compute_parity_score(*traces, **options)  # type: ignore[arg-type]

    def test_every_reason_is_reached_and_no_other(self) -> None:
        reached = set()
        for reason, tier, teacher, student in EVERY_REASON:
            with self.subTest(reason=reason):
                report = self.score(teacher, student)
                self.assertEqual([(drift.reason, drift.tier) for drift in report.drifts], [(reason, tier)])
                self.assertTrue(report.drifts[0].detail.startswith(f"{reason}: "), report.drifts[0].detail)
                self.assertLess(report.score, 1.0)
                reached.add(reason)
        self.assertEqual(reached, {reason.value for reason in d.Reason})
        self.assertEqual(len(d.Reason), 18)
        self.assertEqual([category.tier for category in d.DriftCategory], [0, 1, 2, 3])

    def test_no_action_at_all(self) -> None:
        report = self.score([], [])
        self.assertEqual((report.score, report.total, report.worst_tier), (1.0, 0, 0))

    def test_an_extra_action_never_scores_one(self) -> None:
        report = self.score(BASH, [*BASH, *TWO_EDITS])
        self.assertEqual((report.score, report.matched, report.total), (0.5, 1, 2))
        self.assertEqual(report.drifts[0].label, "Edit")

    def test_sovereignty_is_the_students_alone(self) -> None:
        network = [turn(("b", "Bash", {"command": "curl https://a.example.org"}))]
        self.assertEqual(self.score(network, BASH).worst_tier, 2)
        self.assertEqual(self.score(network, network).worst_tier, 3)
        self.assertEqual(self.score(network, network, allow_hosts=["*.example.org"]).score, 1.0)
        self.assertEqual(self.score(network, network, allow_hosts=["example.org"]).worst_tier, 3)

    def test_other_tools_and_files(self) -> None:
        cases: list[tuple[str, dict[str, object], int]] = [
            ("WebFetch", {"url": "https://example.com"}, 3),
            ("WebFetch", {"url": "example.com/x"}, 3),
            ("WebFetch", {"url": "http://localhost:8080"}, 0),
            ("mcp__x", {"urls": ["http://localhost", "https://example.com"]}, 3),
            ("mcp__x", {"text": "https://example.com", "url": 5}, 0),
            ("Write", {"path": "a", "content": "https://example.com $API_KEY"}, 0),
            ("Write", {"path": ".env", "content": ""}, 0),
            ("Read", {"path": "/home/x/.aws/credentials"}, 3),
            ("Read", {"file_path": "~/.ssh/id_rsa.pub"}, 0),
            ("Edit", {"path": ".npmrc"}, 3),
            ("Grep", {"pattern": "x", "path": ".netrc"}, 3),
            ("Grep", {"pattern": ".netrc"}, 0),
            ("Bash", {"command": "make", "cwd": "/etc"}, 3),
            ("Bash", {"command": "make", "workdir": "src"}, 0),
            ("Bash", {}, 0),
        ]
        for name, tool_input, tier in cases:
            with self.subTest(name=name, input=tool_input):
                action = [turn(("a", name, tool_input))]
                self.assertEqual(self.score(action, action).worst_tier, tier)

    def test_the_hash_of_the_cwd_tells_what_is_inside(self) -> None:
        start = {**START, "cwd_sha256": d.sha256("/w/p")}
        for command, outside in (("cd /w/p && make", 0), ("cd /w/p/src && make", 0), ("cd /w && make", 3)):
            path = self.put("t", jsonl(start, turn(("a", "Bash", {"command": command}))))
            trace = d.parse_trace(path)
            self.assertEqual(d.compute_parity_score(trace, trace).worst_tier, outside, command)

    def test_hooks_look_at_their_tool_call(self) -> None:
        def run(command: str, number: int = 1, event: str = "PreToolUse", **more: object) -> list[dict[str, object]]:
            return [turn(("a", "Bash", {"command": command}), number=1), result("a"), hook(event, turn=number, **more)]

        self.assertEqual(self.score(run("make"), run("make ;")).score, 1.0)
        self.assertEqual([drift.position for drift in self.score(run("make"), run("ls")).drifts], [0, 1])
        self.assertEqual(
            [drift.position for drift in self.score(run("make", event="Stop"), run("ls", event="Stop")).drifts], [0]
        )
        two = [turn(("a", "Bash", {"command": "make"}), ("b", "Bash", {"command": "ls"})), hook(), hook()]
        changed = [turn(("a", "Bash", {"command": "make"}), ("b", "Bash", {"command": "pwd"})), hook(), hook()]
        self.assertEqual([drift.position for drift in self.score(two, changed).drifts], [1, 3])
        post = run("make", 2, "PostToolUse"), run("ls", 2, "PostToolUse")
        self.assertEqual([drift.position for drift in self.score(*post).drifts], [0, 1])
        other = self.score(run("make", matcher="Bash"), run("make", 5, matcher="Bash"))
        self.assertEqual([(drift.position, drift.reason) for drift in other.drifts], [(1, "hook_event")])

    def test_mktemp_under_its_own_directory(self) -> None:
        def run(name: str, *, make: bool) -> list[dict[str, object]]:
            first = [turn(("m", "Bash", {"command": "mktemp -p build"}))] if make else []
            return [*first, skill(), turn(("a", "Bash", {"command": f"cat build/tmp.{name}"})), hook()]

        self.assertEqual(self.score(run("aB3dE6gH9j", make=True), run("0123456789", make=True)).score, 1.0)
        self.assertLess(self.score(run("aB3dE6gH9j", make=False), run("0123456789", make=False)).score, 1.0)

    def test_a_score_is_never_rounded_up(self) -> None:
        self.assertEqual(
            [d.score_text(score) for score in (0.99999, 0.8, 0.95, 1 / 3, 0.0)],
            ["0.9999", "0.8000", "0.9500", "0.3333", "0.0000"],
        )


REFUSED: list[tuple[str, str, dict[str, object]]] = [
    ("v", "the version 1", {**START, "v": 2}),
    ("v", "the version 1", {**START, "v": True}),
    ("v", "the version 1", {**START, "v": "1"}),
    ("v", "the version 1", {key: value for key, value in START.items() if key != "v"}),
    ("kind", "one of", {"v": 1, "kind": "nonsense"}),
    ("kind", "one of", {"v": 1}),
    ("kind", "one of", {"v": 1, "kind": ["x"]}),
    ("actor", "one of", {**START, "actor": "someone"}),
    ("ts", "ISO-8601", {**START, "ts": "yesterday"}),
    ("ts", "ISO-8601", {**START, "ts": "2026-04-27"}),
    ("cwd_sha256", "64 hex digits", {**START, "cwd_sha256": "12"}),
    ("cwd", "a string", {**START, "cwd": None}),
    ("turn", "from 0", {"v": 1, "kind": "user_prompt", "turn": -1, "text": ""}),
    ("turn", "from 0", {"v": 1, "kind": "user_prompt", "turn": 1.0, "text": ""}),
    ("text", "a string", {"v": 1, "kind": "user_prompt", "turn": 0}),
    ("turn", "from 1", turn(number=0)),
    ("stop_reason", "one of", {**turn(), "stop_reason": "error"}),
    ("blocks", "an array", {**turn(), "blocks": {}}),
    ("blocks[0]", "an object", {**turn(), "blocks": [1]}),
    ("blocks[0].type", "one of", {**turn(), "blocks": [{"type": "image"}]}),
    ("blocks[1].text", "a string", {**turn(), "blocks": [{"type": "text", "text": ""}, {"type": "text"}]}),
    ("blocks[0].thinking", "a string", {**turn(), "blocks": [{"type": "thinking"}]}),
    ("blocks[0].input", "an object", {**turn(), "blocks": [{"type": "tool_use", "id": "a", "name": "b", "input": []}]}),
    ("tool_use_id", "earlier tool use", result("nobody")),
    ("turn", "from 2", {**result("a"), "turn": 1}),
    ("ok", "a boolean", {**result("a"), "ok": 1}),
    ("content", "a string", {**result("a"), "content": ["x"]}),
    ("side_effects", "an object", result("a", side_effects=[])),
    ("side_effects.exit_code", "a whole number", result("a", side_effects={"exit_code": "0"})),
    ("side_effects.files_read", "an array", result("a", side_effects={"files_read": "x"})),
    ("decision", "one of", hook(decision="maybe")),
    ("exit_code", "a whole number", hook(exit_code=True)),
    ("matcher", "a string", hook(matcher=1)),
    ("source", "one of", skill(source="x")),
    ("instructions_injected", "a boolean", skill(instructions_injected="yes")),
    ("stop_reason", "one of", {**END, "stop_reason": "x"}),
    ("tokens_in", "from 0", {**END, "tokens_in": -5}),
]


class Parsing(FolderCase):
    def test_what_is_refused_names_file_line_and_field(self) -> None:
        for field, expected, record in REFUSED:
            with self.subTest(field=field, record=record), self.assertRaises(d.InputError) as caught:
                is_first = record.get("kind") == "session_start" or field in ("v", "kind")
                d.parse_trace(self.put("t", "\n" + jsonl(record) if is_first else jsonl(START, record)))
            self.assertEqual((caught.exception.field, caught.exception.lineno), (field, 2))
            self.assertIn(expected, caught.exception.problem)

    def test_other_broken_files(self) -> None:
        for text, problem in (
            ("", "empty file"),
            ("\n\n", "empty file"),
            ("{", "invalid JSON"),
            ("[]", "expected an object"),
            (jsonl(START) + '{"v": NaN}', "NaN"),
            (jsonl(END), "session_start first"),
            (jsonl(START, START), "one session_start only"),
            ("[" * 100000, "nested deeper"),
            (b"\xff", "UTF-8"),
            (b"\x1f\x8bxx", "cannot be read"),
        ):
            with self.subTest(text=text[:20]), self.assertRaisesRegex(d.InputError, problem):
                d.parse_trace(self.put("t", text))
        with self.assertRaisesRegex(d.InputError, "cannot be read"):
            d.parse_trace(self.folder / "nothing")

    def test_a_text_may_begin_with_a_byte_order_mark(self) -> None:
        for text in ("\ufeff" + whole(), whole().encode()):
            self.assertEqual(d.parse_trace(text).source, "<text>")

    def test_what_is_tolerated(self) -> None:
        text = (
            "\ufeff"
            + jsonl({**START, "more": 1})
            + "\r\n\n  \n"
            + jsonl(turn(("a", "X", {})), result("a"), {**END, "x": {}})
        )
        trace = d.parse_trace(self.put("t", text.replace("\n", "\r\n")), cwd="/w")
        self.assertEqual([type(action).__name__ for action in trace.actions], ["ToolCall"])
        self.assertEqual(trace.cwd, "/w")

    def test_results_of_an_id_that_is_used_twice_answer_in_order(self) -> None:
        use = turn(("a", "X", {}))
        trace = self.trace(use, result("a", "1"), use, result("a", "2"), result("a", "3"))
        self.assertEqual(
            [action.result.content for action in trace.actions if isinstance(action, d.ToolCall) and action.result],
            ["1", "3"],
        )

    def test_a_line_that_is_too_long(self) -> None:
        limit, d.MAX_LINE_BYTES = d.MAX_LINE_BYTES, 50  # type: ignore[misc]
        try:
            with self.assertRaisesRegex(d.InputError, "expected lines of less than"):
                self.trace()
        finally:
            d.MAX_LINE_BYTES = limit  # type: ignore[misc]


def canonical_pairs() -> Iterator[tuple[str, list[dict[str, object]], d.Trace, tuple[str, ...]]]:
    """Each canonical fixture of traces: its name, the student's records, the teacher's trace, the hosts it allows."""
    contract = next((d.read_contract(str(path)) for path in sorted(FIXTURES.glob("contract.*"))), d.DEFAULT_CONTRACT)
    for folder in sorted((FIXTURES / "canonical").iterdir()):
        student = folder / "student.ccpa-trace.jsonl"
        if student.exists():
            records = [json.loads(line) for line in student.read_text(encoding="utf-8").splitlines() if line.strip()]
            teacher = d.parse_trace(folder / "teacher.ccpa-trace.jsonl")
            yield folder.name, records, teacher, (*contract.allow_hosts, *d.read_meta(str(folder)).allow_hosts)


Place = tuple[int, int | None]


def action_places(records: list[dict[str, object]]) -> list[Place]:
    """Where the actions stand: the record, and the block in it."""
    places: list[Place] = []
    for index, record in enumerate(records):
        if record["kind"] == "assistant_turn":
            blocks = record["blocks"]
            assert isinstance(blocks, list)
            places += [(index, place) for place, block in enumerate(blocks) if block["type"] == "tool_use"]
        elif record["kind"] in ("hook_event", "skill_invocation"):
            places.append((index, None))
    return places


def blocks_of(record: dict[str, object]) -> list[dict[str, object]]:
    return record["blocks"]  # type: ignore[return-value]


def dropped(records: list[dict[str, object]], place: Place) -> list[dict[str, object]]:
    index, block = place
    if block is None:
        del records[index]
        return records
    use = blocks_of(records[index]).pop(block)["id"]
    return [record for record in records if record.get("tool_use_id") != use]


def doubled(records: list[dict[str, object]], place: Place) -> list[dict[str, object]]:
    index, block = place
    if block is None:
        return [*records[: index + 1], copy.deepcopy(records[index]), *records[index + 1 :]]
    twin = {**copy.deepcopy(blocks_of(records[index])[block]), "id": "twin"}
    blocks_of(records[index]).insert(block + 1, twin)
    return records


def renamed(records: list[dict[str, object]], place: Place) -> list[dict[str, object]]:
    index, block = place
    action = records[index] if block is None else blocks_of(records[index])[block]
    name = "event" if "event" in action else "name"
    action[name] = f"{action[name]}X"
    return records


LOOKED_AT = {
    "Bash": ("command",),
    "Shell": ("command",),
    "Read": ("path", "file_path"),
    "Write": ("path", "file_path"),
    "Edit": ("path", "file_path", "old_string", "new_string", "replace_all"),
    "Glob": ("pattern",),
    "Grep": ("pattern", "path", "output_mode"),
}


def field_changes(records: list[dict[str, object]], place: Place) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """The records with one field changed that the rule of the action at this place looks at."""
    index, block = place
    record = records[index]
    if block is None:
        names = ("event", "matcher", "decision", "exit_code", "name", "source", "instructions_injected")
        fields = [name for name in names if name in record]
        if str(record.get("output", "")).strip():
            fields.append("output")
    else:
        tool_input = blocks_of(record)[block]["input"]
        assert isinstance(tool_input, dict)
        looked_at = LOOKED_AT.get(str(blocks_of(record)[block]["name"]), tuple(tool_input))
        fields = [name for name in looked_at if name in tool_input]
    for name in fields:
        mutant = copy.deepcopy(records)
        target = mutant[index] if block is None else blocks_of(mutant[index])[block]["input"]
        assert isinstance(target, dict)
        target[name] = changed(name, target[name])
        yield name, mutant


def changed(name: str, value: object) -> object:
    """Another value of the same sort."""
    closed = {"decision": ("allow", "block"), "source": ("auto_matched", "user_invoked")}
    if name in closed:
        return next(other for other in closed[name] if other != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"changed {value}" if name == "command" else f"{value}-changed"
    return [value, "changed"]


def not_compared(records: list[dict[str, object]]) -> list[dict[str, object]]:
    """Everything changed that is not compared: text, ids, timestamps, tokens, model."""
    mutants = []
    for record in copy.deepcopy(records):
        match record["kind"]:
            case "session_start":
                record.update(session_id="other", ts="2020-01-01T00:00:00+02:00", actor="claude-code", model="other")
            case "user_prompt":
                record["text"] = "something else"
            case "session_end":
                record.update(stop_reason="error", elapsed_ms=1, tokens_in=2, tokens_out=3)
            case "assistant_turn":
                record["stop_reason"] = "max_tokens"
                new = [{**block, "id": f"x{block['id']}"} for block in blocks_of(record) if block["type"] == "tool_use"]
                record["blocks"] = [{"type": "thinking", "thinking": "hm"}, *new, {"type": "text", "text": "said"}]
            case "tool_result":
                record["tool_use_id"] = f"x{record['tool_use_id']}"
        mutants.append({**record, "unknown": 1})
    return mutants


class Mutations(unittest.TestCase):
    def score(self, teacher: d.Trace, records: list[dict[str, object]], hosts: tuple[str, ...]) -> float:
        student = d.parse_trace(jsonl(*records))
        return d.compute_parity_score(teacher, student, allow_hosts=hosts).score

    def test_the_meter_sees_every_change_that_counts_and_no_other(self) -> None:
        changes: list[Callable[[list[dict[str, object]], Place], list[dict[str, object]]]] = [dropped, doubled, renamed]
        seen = 0
        for name, records, teacher, hosts in canonical_pairs():
            self.assertEqual(self.score(teacher, records, hosts), 1.0, name)
            self.assertEqual(self.score(teacher, not_compared(records), hosts), 1.0, name)
            for place in action_places(records):
                for change in changes:
                    mutant = change(copy.deepcopy(records), place)
                    self.assertLess(self.score(teacher, mutant, hosts), 1.0, (name, place, change.__name__))
                    seen += 1
                for field, mutant in field_changes(records, place):
                    self.assertLess(self.score(teacher, mutant, hosts), 1.0, (name, place, field))
                    seen += 1
        self.assertGreater(seen, 100)

    def test_the_result_of_a_search_or_a_read_counts(self) -> None:
        for name, records, teacher, hosts in canonical_pairs():
            looked_at = {
                block["id"]
                for record in records
                if record["kind"] == "assistant_turn"
                for block in blocks_of(record)
                if block["type"] == "tool_use" and block["name"] in ("Read", "Glob", "Grep")
            }
            for index, record in enumerate(records):
                if record.get("tool_use_id") in looked_at:
                    gone = [*records[:index], *records[index + 1 :]]
                    self.assertLess(self.score(teacher, gone, hosts), 1.0, (name, index))


class RandomRecords(FolderCase):
    def test_nothing_but_the_tools_own_errors(self) -> None:
        rng = random.Random(4)
        names = sorted({field.name for fields in d.RECORD_FIELDS.values() for field in fields} | {"v", "kind"})
        values: list[object] = [None, True, 0, 1, -1, 1.5, "", "a", [], {}, "PreToolUse", "allow", "0" * 64, "end_turn"]
        good = [START, turn(("a", "Bash", {"command": "ls"})), result("a"), hook(), skill(args=[1]), END]
        accepted = 0
        for _ in range(300):
            records = copy.deepcopy(good[: rng.randrange(1, len(good) + 1)])
            for _ in range(rng.randrange(3)):
                rng.choice(records)[rng.choice(names)] = rng.choice(values)
            try:
                trace = d.parse_trace(self.put("t", jsonl(*records)))
            except d.DiffEventsError:
                continue
            accepted += 1
            self.assertLessEqual(d.compute_parity_score(trace, trace).score, 1.0)
        self.assertGreater(accepted, 50)

    def test_random_inputs_of_every_tool(self) -> None:
        rng = random.Random(5)
        values: list[object] = [
            None,
            True,
            0,
            7,
            -3,
            2.5,
            "",
            "a b",
            ["-i"],
            [1],
            {"a": 1},
            "curl $(",
            "/x/../y",
            "https://h/",
        ]
        fields = [
            "command",
            "path",
            "file_path",
            "offset",
            "limit",
            "content",
            "old_string",
            "replace_all",
            "pattern",
            "flags",
        ]
        fields += ["post_state_sha256", "url", "-A", "output_mode", "cwd"]
        for _ in range(2000):
            name = rng.choice([*d.RULES, "WebFetch", "Other"])
            tool_input = {rng.choice(fields): rng.choice(values) for _ in range(rng.randrange(5))}
            content = rng.choice([None, "", "a\nb\n", "\n"])
            call = d.ToolCall(
                name, tool_input, None if content is None else d.ToolResult(content), cwd=rng.choice([None, "/w"])
            )
            other = dataclasses.replace(call, input={**tool_input, rng.choice(fields): rng.choice(values)})
            d.check_sovereignty(other, d.Policy())
            list(d.action_differences(call, other))
            self.assertEqual(list(d.action_differences(call, call)), [], call)

    def test_random_commands(self) -> None:
        rng = random.Random(6)
        words = "curl wget git clone -C .. cd /etc && | ; ( ) $( ) ` ' \" $API_KEY env sudo -u bash -c eval xargs find "
        words += "-exec \\; declare -p set trap su watch nc python3 pushd popd -m pip install "
        words += (
            "https://a.example <<EOF EOF > < /dev/tcp/h/1 - for u in do done case esac if [[ ]] x=1 ${A:-b} ~ echo \n"
        )
        pieces = words.split(" ")
        for _ in range(1500):
            command = " ".join(rng.choices(pieces, k=rng.randrange(1, 14)))
            d.check_sovereignty(d.ToolCall("Bash", {"command": command}), d.Policy(cwd=rng.choice([None, "/w"])))

    def test_commands_that_nest_or_grow_without_end(self) -> None:
        for command in (
            "sudo " * 400 + "ls",
            "find -exec " * 400 + "ls",
            "python -m " * 400,
            "a=x; " + "a=$a$a$a$a; " * 60 + "echo $a",
            "a=x; " + "for a in $a $a $a; do :; done; " * 60,
            "(" * 400,
            "{ " * 400,
            "[" * 3000,
            "{," * 3000,
            "$((1)) " * 400,
            "python -c " + "a" * 100000,
            "eval " * 400,
            "bash -c '" * 500,
        ):
            with self.subTest(command=command[:20]):
                call = d.ToolCall("Bash", {"command": command})
                self.assertLessEqual(len(d.check_sovereignty(call, d.Policy()).violations), 1)
                other = dataclasses.replace(call, input={"command": command + " "})
                self.assertEqual(list(d.action_differences(call, other)), [])


class Interface(FolderCase):
    """What a program that imports the module relies on."""

    def test_what_is_no_trace(self) -> None:
        trace = self.trace(*BASH)
        with self.assertRaisesRegex(TypeError, "teacher: expected a Trace, as parse_trace returns it, found str"):
            d.compute_parity_score("t.jsonl", trace)  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "allow_hosts: expected a list of hosts, found str"):
            d.compute_parity_score(trace, trace, allow_hosts="a.example")

    def test_a_trace_from_its_path_its_text_or_a_file(self) -> None:
        text = whole(*BASH)
        path = self.put("t", text)
        trace = d.parse_trace(path)
        with open(path, encoding="utf-8") as as_text, open(path, "rb") as as_bytes:
            files = [as_text, as_bytes, io.StringIO(text), io.BytesIO(text.encode())]
            sources = [Path(path), text, text.encode(), *files]
            for source in sources:
                read = d.parse_trace(source)  # type: ignore[arg-type]
                self.assertEqual(dataclasses.replace(read, source=path), trace)
        with self.assertRaisesRegex(d.InputError, "^<text>:1: invalid JSON"):
            d.parse_trace("{x}")
        with self.assertRaisesRegex(d.InputError, "^<file>: expected a session_start record"):
            d.parse_trace(io.StringIO(""))
        with self.assertRaisesRegex(TypeError, "expected a path, a text or an open file, found int"):
            d.parse_trace(5)  # type: ignore[arg-type]

    def test_what_the_module_offers(self) -> None:
        for name in d.__all__:
            self.assertTrue(hasattr(d, name), name)
        self.assertEqual(d.__all__, sorted(d.__all__))

    def test_passes(self) -> None:
        teacher, student = self.trace(*BASH, *TWO_EDITS, name="t"), self.trace(*BASH)
        self.assertFalse(d.compute_parity_score(teacher, student).passes)
        self.assertTrue(d.compute_parity_score(teacher, student, individual_min=0.5).passes)
        egress = self.trace(turn(("a", "WebFetch", {"url": "https://h.example"})))
        report = d.compute_parity_score(egress, egress, allow_hosts=["h.example"], forbidden_hosts=["*.example"])
        self.assertEqual((report.worst_tier, report.passes), (3, False))
        other = turn(("b", "Bash", {"command": "make all"}))
        both = self.trace(other, turn(("a", "WebFetch", {"url": "https://h.example"})), name="both")
        report = d.compute_parity_score(teacher, both)
        self.assertEqual(([drift.tier for drift in report.drifts], report.worst_tier), ([2, 3], 3))
        self.assertTrue(d.parity_markdown(report).startswith("# Parity: FAIL"))

    def test_one_is_not_many(self) -> None:
        one, two = self.trace(*BASH, name="one"), self.trace(*BASH, *BASH, name="two")
        text = d.parity_markdown(d.compute_parity_score(one, one))
        self.assertIn("`, 1 action\n", text)
        self.assertIn("1 of 1 position without drift", text)
        self.assertIn("`, 2 actions\n", d.parity_markdown(d.compute_parity_score(two, two)))


class Comparable(FolderCase):
    """Two traces that may not belong together."""

    def mismatches(self, **more: object) -> list[str]:
        starts = {**START, "actor": "claude-code"}, {**START, **more}
        prompts = ({"v": 1, "kind": "user_prompt", "turn": 0, "text": text} for text in ("do  it", "do it"))
        traces = [
            d.parse_trace(self.put("t", jsonl(start, prompt))) for start, prompt in zip(starts, prompts, strict=True)
        ]
        return [mismatch.value for mismatch in d.compute_parity_score(*traces).mismatches]

    def test_each(self) -> None:
        self.assertEqual(self.mismatches(), [])
        self.assertEqual(self.mismatches(actor="claude-code"), ["roles"])
        self.assertEqual(self.mismatches(cwd_sha256="1" * 64), ["cwd_sha256"])
        one, two = d.Trace("t", (), prompts=("a",)), d.Trace("s", (), prompts=("b",))
        self.assertEqual([m.value for m in d.compute_parity_score(one, two).mismatches], ["prompts"])


class Command(FolderCase):
    def pair(self, student: list[dict[str, object]] | None = None) -> list[str]:
        teacher = self.put("t", taught(*BASH, *TWO_EDITS))
        path = self.put("s", whole(*(BASH if student is None else student)))
        return ["parity", "--teacher", teacher, "--student", path]

    def test_markdown(self) -> None:
        code, out, err = self.run_tool(*self.pair())
        self.assertEqual((code, err), (1, ""))
        self.assertTrue(out.startswith("# Parity: FAIL, score 0.5000\n"), out)
        self.assertIn("missing_tool_call", out)
        code, out, _ = self.run_tool(*self.pair([*BASH, *TWO_EDITS]))
        self.assertEqual(code, 0)
        self.assertIn("No drift.", out)

    def test_one_insertion_is_said(self) -> None:
        extra = [turn(("x", "Bash", {"command": "git status"})), result("x")]
        code, out, _ = self.run_tool(*self.pair([*extra, *BASH, *TWO_EDITS]))
        self.assertEqual(code, 1)
        self.assertIn("\n- with 1 insertion at 0, 2 of 2 match\n", out)
        value = json.loads(self.run_tool(*self.pair([*extra, *BASH, *TWO_EDITS]), "--json")[1])
        self.assertEqual(value["alignment"], {"matched": 2, "paired": 2, "insertions": [0], "deletions": []})
        self.assertEqual((value["score"], value["turn_order_skew"]), (0.0, 0))
        value = json.loads(self.run_tool(*self.pair([*TWO_EDITS, *BASH]), "--json")[1])
        self.assertEqual((value["score"], value["turn_order_skew"], value["mismatches"]), (0.0, 1, []))

    def test_all_kinds_of_actions_are_shown(self) -> None:
        _, out, _ = self.run_tool(*self.pair([hook(matcher="Bash"), hook("Stop"), skill("x|`y`\x1b[31m")]))
        self.assertIn("hook PreToolUse Bash: allow, exit code 0", out)
        self.assertNotIn("\x1b", out)

    def test_json(self) -> None:
        code, out, _ = self.run_tool(*self.pair(), "--json")
        value = json.loads(out)
        drift = value["drifts"][0]
        self.assertEqual(code, 1)
        self.assertEqual((value["format"], value["format_version"], value["score"]), ("diff-events-parity", 1, 0.5))
        self.assertEqual(
            (value["matched"], value["total"], value["teacher_count"], value["student_count"]), (1, 2, 2, 1)
        )
        self.assertEqual((drift["position"], drift["tier"], drift["category"]), (1, 2, "Tier2Semantic"))
        self.assertEqual((drift["reason"], drift["label"], value["passes"]), ("missing_tool_call", "Edit", False))

    def test_tier_three_fails_whatever_the_score(self) -> None:
        egress = [turn((f"{n}", "Bash", {"command": "curl http://h.example" if n == 9 else "ls"})) for n in range(10)]
        path = self.put("x", whole(*egress))
        argv = ["parity", "--teacher", path, "--student", path]
        self.assertEqual(self.run_tool(*argv)[0], 1)
        self.assertEqual(self.run_tool(*argv, "--allow-host", "h.example")[0], 0)
        contract = self.put(
            "c.toml",
            "parity_score.thresholds = {aggregate_min = 1, individual_min = 1}\nsovereignty.allow_hosts=['*.example']",
        )
        self.assertEqual(self.run_tool(*argv, "--contract", contract)[0], 0)

    def test_where_the_reports_go(self) -> None:
        made, also = self.folder / "r.json", self.folder / "r.md"
        argv = [*self.pair(), "--report", f"json:{made}", "--out", str(also)]
        self.assertEqual(self.run_tool(*argv), (1, "", ""))
        self.assertEqual(json.loads(made.read_text(encoding="utf-8"))["score"], 0.5)
        self.assertTrue(also.read_text(encoding="utf-8").startswith("# Parity"))
        code, out, _ = self.run_tool(*self.pair(), "--report", "json:-", "--report", f"markdown:{also}")
        self.assertEqual((code, json.loads(out)["score"]), (1, 0.5))
        self.assertTrue(self.run_tool(*self.pair(), "--report", f"json:{made}")[1].startswith("# Parity"))

    def test_traces_that_do_not_belong_together(self) -> None:
        argv = self.pair([*BASH, *TWO_EDITS])
        self.assertEqual(self.run_tool(*argv, "--strict")[0], 0)
        exchanged = ["parity", "--teacher", argv[4], "--student", argv[2]]
        code, out, err = self.run_tool(*exchanged)
        self.assertEqual((code, err.count("\n")), (0, 1))
        self.assertIn("are the traces exchanged?", err)
        self.assertIn("**are they comparable?** the teacher is not claude-code", out)
        self.assertEqual(self.run_tool(*exchanged, "--quiet"), (0, "", ""))
        self.assertIn("it does not belong to", self.refused(*exchanged, "--strict"))

    def test_the_short_form(self) -> None:
        argv = self.pair()
        self.assertEqual(self.run_tool("diff", argv[2], argv[4]), self.run_tool(*argv))
        self.assertIn("STUDENT", self.refused("diff", argv[2]))

    def test_thresholds_as_options(self) -> None:
        self.assertEqual(self.run_tool(*self.pair(), "--individual-min", "0.5")[0], 0)
        contract = self.put("c.yaml", "parity_score: {thresholds: {individual_min: 0.5}}\n")
        self.assertEqual(self.run_tool(*self.pair(), "--contract", contract)[0], 0)
        self.assertEqual(self.run_tool(*self.pair(), "--contract", contract, "--individual-min", "1")[0], 1)
        for wrong in ("80%", "1.1", "-1", "nan", "."):
            self.assertIn("expected a number from 0 to 1", self.refused(*self.pair(), f"--individual-min={wrong}"))

    def test_forbidden_hosts_are_so_whoever_allows_them(self) -> None:
        use = turn(("a", "WebFetch", {"url": "https://a.example"}))
        argv = ["parity", "--teacher", self.put("t", taught(use)), "--student", self.put("s", whole(use))]
        self.assertEqual(self.run_tool(*argv, "--allow-host", "a.example")[0], 0)
        contract = self.put("c.yaml", "sovereignty: {forbidden_replay_egress: ['*.example']}\n")
        self.assertEqual(self.run_tool(*argv, "--allow-host", "a.example", "--contract", contract)[0], 1)

    def test_bad_usage_and_nothing_half_written(self) -> None:
        made = self.folder / "r.json"
        for extra, problem in (
            (["--report", "pdf:x"], "expected FORMAT:PATH"),
            (["--report", "json"], "expected FORMAT:PATH"),
            (["--report", "json:"], "expected FORMAT:PATH"),
            (["--json", "--report", "json:-"], "takes one document"),
            (["--report", f"json:{made}", "--out", str(made)], "takes one document"),
            (["--report", f"json:{self.folder}/none/r"], "cannot be written"),
            (["--report", f"json:{made}", "--out", f"{self.folder}/none/r"], "cannot be written"),
            (["--allow-host", "https://x"], "expected a host"),
            (["--contract", "nothing.toml"], "cannot be read"),
            (["--nonsense"], "there is no option --nonsense ("),
            (["--jso"], "there is no option --jso: --json?"),
        ):
            with self.subTest(extra=extra):
                self.assertIn(problem, self.refused(*self.pair(), *extra))
        self.assertIn("cannot be read", self.refused(*self.pair()[:-1], "nothing", "--report", f"json:{made}"))
        self.assertEqual(sorted(path.name for path in Path(self.folder).iterdir()), ["s", "t"])
        self.assertIn("--teacher", self.refused("parity"))


if __name__ == "__main__":
    unittest.main()
