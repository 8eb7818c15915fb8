"""Helpers of the tests: traces written as records, and the command line called in-process."""

from __future__ import annotations

import io
import json
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

import diff_events as d

ROOT = Path(d.__file__).resolve().parent
FIXTURES = ROOT / "fixtures"

START: dict[str, object] = {
    "v": 1,
    "kind": "session_start",
    "session_id": "s",
    "ts": "2026-04-27T12:00:00Z",
    "actor": "apr-code",
    "model": "m",
    "cwd_sha256": "0" * 64,
}
END: dict[str, object] = {"v": 1, "kind": "session_end", "turn": 9, "stop_reason": "end_turn"}

_WORDS = r"""a : ' " [ ] { } , # | > 1 & '' \n \ ? - ~ true 0.5 |- >+ 2 "q" 's' ! * % @ << = 0x1 1e3 .5 yes 0o7 é"""
YAML_PIECES = [
    *_WORDS.split(" "),
    *("b c", ": ", "- ", "\n", "\n  ", "\n    ", "\n ", " ", ", ", " #", "|\n", ">\n  ", "\t", "- -", "\n\n", "---\n"),
    *("x: ", "\n- ", "k:\n", "[1, 2]", "{a: 1}", "\u2028", "\x85", "\r\n", "\r", "null"),
]
"""What random YAML is made of."""


def turn(*calls: tuple[str, str, dict[str, object]], number: int = 1) -> dict[str, object]:
    """An assistant turn with one tool use for each (id, name, input)."""
    blocks = [{"type": "tool_use", "id": use, "name": name, "input": tool_input} for use, name, tool_input in calls]
    return {"v": 1, "kind": "assistant_turn", "turn": number, "blocks": blocks, "stop_reason": "tool_use"}


def result(use: str, content: str = "", **more: object) -> dict[str, object]:
    return {"v": 1, "kind": "tool_result", "turn": 2, "tool_use_id": use, "ok": True, "content": content, **more}


def hook(event: str = "PreToolUse", **more: object) -> dict[str, object]:
    return {"v": 1, "kind": "hook_event", "turn": 1, "event": event, "decision": "allow", "exit_code": 0, **more}


def skill(name: str = "debug", **more: object) -> dict[str, object]:
    return {"v": 1, "kind": "skill_invocation", "turn": 0, "name": name, "source": "auto_matched", **more}


def jsonl(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def whole(*records: object) -> str:
    """A trace with its start and its end."""
    return jsonl(START, *records, END)


def taught(*records: object) -> str:
    """The same of a teacher."""
    return jsonl({**START, "actor": "claude-code"}, *records, END)


class FolderCase(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def put(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def trace(self, *records: object, name: str = "t.jsonl") -> d.Trace:
        return d.parse_trace(self.put(name, whole(*records)))

    def run_tool(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        return int(call_main(list(argv), out, err)), out.getvalue(), err.getvalue()

    def refused(self, *argv: str) -> str:
        """The one line of an error that exits 2."""
        code, _, err = self.run_tool(*argv)
        self.assertEqual(code, 2, err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertTrue(err.startswith("diff_events.py: error: "), err)
        return err.removeprefix("diff_events.py: error: ").rstrip("\n")


def call_main(argv: list[str], out: io.StringIO, err: io.StringIO) -> int:
    """The one place that knows how the command line is called."""
    return d.run(argv, d.Streams(out, err))
