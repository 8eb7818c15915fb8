"""The JSON of the commands is what schema-v1.md says: same fields, same kinds of values, in the same order."""

from __future__ import annotations

import json
import re

from tests.traces import ROOT, START, FolderCase, jsonl, result, turn

DOCUMENT = (ROOT / "schema-v1.md").read_text(encoding="utf-8")


def documented(name: str) -> object:
    block = re.search(rf"<!-- json {name} -->\n```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block is not None, name
    return json.loads(block[1])


def shape(value: object) -> object:
    """A value without what its texts and numbers say; of a list, its first member stands for all."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    return type(value).__name__


class Documentation(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        write = turn(("w", "Write", {"path": "a", "content": "one two"}))
        edits = ({"old_string": "one", "new_string": "1"}, {"old_string": "one two", "new_string": "1 two"})
        script = turn(("s", "Bash", {"command": "./deploy.sh"}))
        for side, edit in zip(("teacher", "student"), edits, strict=True):
            records = (START, write, result("w"), turn(("e", "Edit", {"path": "a", **edit})), result("e"), script)
            self.put(f"corpus/0001-edit/{side}.ccpa-trace.jsonl", jsonl(*records))
        self.put("corpus/0001-edit/meta.toml", '[fixture]\nid = "0001-edit"\ncovers = ["edits"]\n')
        self.traces = [f"{self.folder}/corpus/0001-edit/{side}.ccpa-trace.jsonl" for side in ("teacher", "student")]
        self.corpus = str(self.folder / "corpus")
        self.matrix = self.put("matrix.yaml", "categories: [{id: hooks, status: SHIPPED}]\n")

    def check(self, name: str, *argv: str) -> None:
        expected, found = documented(name), json.loads(self.run_tool(*argv, "--json")[1])
        self.assertEqual(shape(found), shape(expected))
        self.assertEqual(json.dumps(shape(found)), json.dumps(shape(expected)), "the order of the fields")
        assert isinstance(expected, dict)
        self.assertEqual((found["format"], found["format_version"]), (expected["format"], expected["format_version"]))

    def test_parity(self) -> None:
        self.check("parity", "diff", *self.traces)

    def test_corpus(self) -> None:
        text = '{"format": "diff-events-corpus", "fixtures": [{"id": "0001-edit", "score": 1.0}]}'
        self.check("corpus", "corpus", self.corpus, "--matrix", self.matrix, "--baseline", self.put("b.json", text))

    def test_coverage(self) -> None:
        self.check("coverage", "coverage", self.corpus, "--matrix", self.matrix)

    def test_validate(self) -> None:
        self.check("validate", "validate", self.traces[0])
