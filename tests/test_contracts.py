"""Contract and matrix files, and the strict reader of plain YAML."""

from __future__ import annotations

import json
import random
import unittest

import diff_events as d
from tests.traces import FIXTURES, YAML_PIECES, FolderCase

READ: list[tuple[str, object]] = [
    ("", None),
    ("# only a comment\n", None),
    ("---\na: 1\n", {"a": 1}),
    ("a: 1\nb: two\nc: 0.5 # why\n", {"a": 1, "b": "two", "c": 0.5}),
    ("a:\n  b:\n    c: true\n  d: null\n", {"a": {"b": {"c": True}, "d": None}}),
    ("a:\nb: ~\n", {"a": None, "b": None}),
    ("a:\n- 1\n- 2\nb: 3\n", {"a": [1, 2], "b": 3}),
    ("a:\n  - 1\n  -\n  - x: 1\n    y: 2\n  - - 5\n    - 6\n", {"a": [1, None, {"x": 1, "y": 2}, [5, 6]]}),
    (
        "- id: a\n  status: SHIPPED\n-   id: b\n    list:\n    - 1\n",
        [{"id": "a", "status": "SHIPPED"}, {"id": "b", "list": [1]}],
    ),
    ("-\n  a: 1\n", [{"a": 1}]),
    (
        "a: {}\nb: []\nc: [1, x y, 'z, w', \"q\"]\nd: {e: 1, f: [}\n".replace(", f: [", ""),
        {"a": {}, "b": [], "c": [1, "x y", "z, w", "q"], "d": {"e": 1}},
    ),
    ("a: {b: , c: 'x'}\n", {"a": {"b": None, "c": "x"}}),
    ("a: 'it''s'\nb: \"x\\n\\u00e9\"\n", {"a": "it's", "b": "x\né"}),
    ("'a b': 1\n\"c: d\": 2\n", {"a b": 1, "c: d": 2}),
    ("a: x#y\nb: 'x # y' # z\nc: http://h:80/x\n", {"a": "x#y", "b": "x # y", "c": "http://h:80/x"}),
    (
        "a: yes\nb: no\nc: on\nd: 1.2.3\ne: 0x1F\nf: 0o17\ng: 010\nh: -5\ni: .5\nj: 1e3\n",
        {"a": "yes", "b": "no", "c": "on", "d": "1.2.3", "e": 31, "f": 15, "g": 10, "h": -5, "i": 0.5, "j": 1000.0},
    ),
    ("a: True\nb: FALSE\nc: NULL\nd: .inf\n", {"a": True, "b": False, "c": None, "d": float("inf")}),
    ("a: >\n  one\n  two\n\n  three\n    four\n  five\nb: 1\n", {"a": "one two\nthree\n  four\nfive\n", "b": 1}),
    (
        "a: |\n  one # no comment\n\n   two\n\n\nb: |-\n  x\nc: |+\n  y\n\n",
        {"a": "one # no comment\n\n two\n", "b": "x", "c": "y\n\n"},
    ),
    ("a: >-\n  one\n  two\n", {"a": "one two"}),
    ("a: |\nb: 1\n", {"a": "", "b": 1}),
    ("- |\n  x\n- >\n  y\n", ["x\n", "y\n"]),
    ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ("just text\n", "just text"),
    ("a: a 'b # c' d\n", {"a": "a 'b"}),
    ("a : 1\n", {"a": 1}),
    ("a: [1, [2, {b: 3}], {c: [4]}]\n", {"a": [1, [2, {"b": 3}], {"c": [4]}]}),
    ("a: { type: string, enum: [a, b] }\n", {"a": {"type": "string", "enum": ["a", "b"]}}),
    ("a: [1, # one\n  2,\n]\nb: {\n  c: 1, d:\n  2}\n", {"a": [1, 2], "b": {"c": 1, "d": 2}}),
    ("a: [it's, b:c, -1]\n", {"a": ["it's", "b:c", -1]}),
    ("a: {'b':1, \"c\" : 2, d: }\n", {"a": {"b": 1, "c": 2, "d": None}}),
    ("a: one\n  two\n\n  three # no more\nb: 1\n", {"a": "one two\nthree", "b": 1}),
    ("text\nmore\n", "text more"),
    ("a: 'it''s\n  one\n\n  text'\n", {"a": "it's one\ntext"}),
    ('a: "x\\\n  y \\"\\x41\\u00e9\\t\n z"\n', {"a": 'xy "Aé\t z'}),
    ("a: |2\n   x\n  y\n", {"a": " x\ny\n"}),
    ("a: >+\n  x\n  y\n\n", {"a": "x y\n\n"}),
    ("a: >\n\n  x\n   y\n\n   z\n  w", {"a": "\nx\n y\n\n z\nw"}),
    ("a: |\n  x", {"a": "x"}),
    ("a:\n  |\n   x\n", {"a": "x\n"}),
    ("2: a\ntrue: b\n~: c\n", {2: "a", True: "b", None: "c"}),
]

REFUSED: list[tuple[str, int]] = [
    ("a: &x 1\n", 1),
    ("a: *x\n", 1),
    ("a: !!str 1\n", 1),
    ("a: !x 1\n", 1),
    ("a: 1\n---\nb: 2\n", 2),
    ("%YAML 1.2\n---\na: 1\n", 1),
    ("a: 1\n...\n", 2),
    ("--- a\n", 1),
    ("? a\n: b\n", 1),
    ("? a: 1\n", 1),
    ("<<: 1\n", 1),
    (": 1\n", 1),
    ("a: 1\na: 2\n", 2),
    ("a: {b: 1, b: 2}\n", 1),
    ("a: [1, , 2]\n", 1),
    ("a: [\n", 1),
    ("a: {1}\n", 1),
    ("a: [] x\n", 1),
    ("a: [b: 1]\n", 1),
    ("a: ['b' 'c']\n", 1),
    ("a: {b: 'c' d: 1}\n", 1),
    ("a: [1]#b\n", 1),
    ("a: [\n  1\n", 1),
    ("a: {\n  b\n  : 1}\n", 2),
    ("a: |\n    x\n  y\n", 3),
    ("a: - x\n", 1),
    ("a: |\n x\n\ty\n", 3),
    ('a: "\\ud800"\n', 1),
    ("a: b\u2028c\n", 1),
    ("a: " + "1" * 5000 + "\n", 1),
    ("k" * 1001 + ": 1\n", 1),
    ("a: 'x\n", 1),
    ("a: 'x' y\n", 1),
    ('a: "x\\q"\n', 1),
    ("a: 1\n  b: 2\n", 2),
    ("a:\n    b: 1\n  c: 2\n", 3),
    ("a:\n  - 1\n b: 2\n", 3),
    ("- 1\nb: 2\n", 2),
    ("a: 1\n- 2\n", 2),
    ("\ta: 1\n", 1),
    ("a:\n\t- 1\n", 2),
    ("a: x: y\n", 1),
    ("a: @x\n", 1),
    ("a: `x`\n", 1),
    ("a: %x\n", 1),
    ("&a b: 1\n", 1),
    ("a: b\nno key here\n", 2),
    ("- " * 2000 + "x\n", 1),
    ("a: " + "[" * 2000 + "]" * 2000, 1),
]

CONTRACT = "parity_score:\n  thresholds:\n    aggregate_min: 0.9\n    individual_min: 0.5\n"

TOML_CONTRACT = """
[parity_score.thresholds]
aggregate_min = 0.9
individual_min = 0.5
[sovereignty]
allow_hosts = ['a.example', '*.b.example']
"""
JSON_CONTRACT = """
{"parity_score": {"thresholds": {"aggregate_min": 0.9, "individual_min": 0.5}},
 "sovereignty": {"allow_hosts": ["a.example", "*.b.example"]}}
"""


class Yaml(unittest.TestCase):
    def test_what_is_read(self) -> None:
        for text, value in READ:
            with self.subTest(text=text):
                self.assertEqual(d.PlainYaml(text, "c.yaml").document(), value)

    def test_what_is_refused_by_its_line(self) -> None:
        for text, lineno in REFUSED:
            with self.subTest(text=text), self.assertRaises(d.InputError) as caught:
                d.PlainYaml(text, "c.yaml").document()
            self.assertEqual(caught.exception.lineno, lineno, text)

    def test_any_text_is_read_or_refused(self) -> None:
        rng = random.Random(3)
        for _ in range(3000):
            text = "".join(rng.choices(YAML_PIECES, k=rng.randrange(1, 25)))
            try:
                d.PlainYaml(text, "c.yaml").document()
            except d.InputError:
                continue


class Contracts(FolderCase):
    def test_three_formats_say_the_same(self) -> None:
        for name, text in (
            ("c.yaml", CONTRACT + "sovereignty:\n  allow_hosts: [a.example, '*.b.example']\n"),
            ("c.yml", CONTRACT + 'sovereignty:\n  allow_hosts:\n    - a.example\n    - "*.b.example"\n'),
            (
                "c.toml",
                TOML_CONTRACT,
            ),
            (
                "c.json",
                JSON_CONTRACT,
            ),
        ):
            with self.subTest(name=name):
                self.assertEqual(
                    d.read_contract(self.put(name, text)), d.Contract(0.9, 0.5, ("a.example", "*.b.example"))
                )

    def test_contracts_that_are_refused(self) -> None:
        for name, text, problem in (
            ("c.yaml", "", "expected a map"),
            ("c.yaml", "sovereignty: 1\n", "c.yaml:1: sovereignty: expected a map, found a number: 1"),
            ("c.yaml", CONTRACT + "sovereignty:\n  allow_host: []\n", "c.yaml:6: sovereignty.allow_host: no such key"),
            ("c.yaml", CONTRACT.replace("aggregate_min", "agregate_min"), "c.yaml:3: .*is .*aggregate_min meant"),
            (
                "c.yaml",
                "parity_score:\n  individual_min: 1\n",
                "c.yaml:2: .* is parity_score.thresholds.individual_min",
            ),
            ("c.toml", "[sovereignty]\n# allow_host\nallow_host = []\n", "c.toml:3: sovereignty.allow_host: no such"),
            ("c.json", '{"sovereignty":\n {"forbidden_egress": []}}', "c.json:2: .*is .*forbidden_replay_egress meant"),
            ("c.yaml", "sovereignty: {oos_rows: []}\n", "sovereignty.oos_rows: no such key; is oos_rows meant"),
            ("c.yaml", "oos_rows: x\n", "oos_rows: expected a list, each item a string"),
            ("c.yaml", CONTRACT.replace("0.9", "1.5"), "expected a number from 0 to 1, found a number: 1.5"),
            ("c.yaml", CONTRACT.replace("0.9", "-0.1"), "aggregate_min"),
            ("c.yaml", CONTRACT.replace("0.5", "'0.5'"), "individual_min: expected a number"),
            ("c.yaml", CONTRACT.replace("0.5", "true"), "individual_min: expected a number"),
            ("c.yaml", CONTRACT.replace("0.5", ".nan"), "individual_min: expected a number"),
            ("c.yaml", CONTRACT + "sovereignty:\n  allow_hosts: a.example\n", "allow_hosts: expected a list, each"),
            (
                "c.yaml",
                CONTRACT + "sovereignty:\n  allow_hosts: ['https://a.example']\n",
                r"allow_hosts\[0\]: expected a host",
            ),
            ("c.yaml", CONTRACT + "sovereignty:\n  allow_hosts: ['*']\n", "expected a host"),
            ("c.yaml", CONTRACT + "x: &a 1\n", "c.yaml:5: YAML: beyond the subset"),
            ("c.toml", "a = ", "TOML"),
            ("c.json", '{"a": 1, "a": 2}', "a second time"),
            ("c.json", "{", "invalid JSON"),
            ("c.txt", "", "expected a name that ends in"),
            ("c.json", b"\xff", "not UTF-8"),
        ):
            with self.subTest(text=text), self.assertRaisesRegex(d.InputError, problem):
                d.read_contract(self.put(name, text))

    def test_addresses_are_hosts(self) -> None:
        for host in ("10.0.0.1", "[2001:db8::1]", "a_b.example", "*.example"):
            path = self.put("c.json", json.dumps({"sovereignty": {"allow_hosts": [host]}}))
            self.assertEqual(d.read_contract(path).allow_hosts, (host,))
        for wrong in ("", "a b", "*.", "a/b", "*.*.x", 5, "cafe:80"):
            path = self.put("c.json", json.dumps({"sovereignty": {"allow_hosts": [wrong]}}))
            with self.assertRaisesRegex(d.InputError, r"allow_hosts\[0\]: expected a host"):
                d.read_contract(path)

    def test_matrix(self) -> None:
        text = "categories:\n  - id: hooks\n    status: SHIPPED\n  - id: mcp\n    status: MISSING\n    note: later\n"
        self.assertEqual(
            d.read_matrix(self.put("m.yaml", text)), {"hooks": "SHIPPED", "mcp": "MISSING"}
        )
        for broken, problem in (
            ("a: 1\n", "categories: expected rows with a status"),
            ("categories: []\n", "categories: expected rows with a status"),
            (text.replace("mcp", "hooks"), r"categories\[1\].id: expected a name that no other row has"),
            (text.replace("id: mcp", "idx: mcp"), r"categories\[1\].id"),
            (text.replace("MISSING", "GONE"), r"categories\[1\].status: expected one of"),
            (text.replace("MISSING", "shipped"), "expected one of SHIPPED, PARTIAL, MISSING, NONE"),
            (text.replace("    status: MISSING\n", ""), r"categories\[1\].status: expected one of"),
            ("categories:\n  - x\n", "categories: expected rows"),
            (
                "categories:\n  - rows:\n    - {id: a, status: SHIPPED}\n    - {id: b}\n",
                r"categories\[0\].rows\[1\].status",
            ),
            ("categories:\n  - name: tools\n    rows: []\n", "categories: expected rows"),
        ):
            with self.subTest(broken=broken), self.assertRaisesRegex(d.InputError, problem):
                d.read_matrix(self.put("m.yaml", broken))

    def test_what_may_be_absent(self) -> None:
        for text, contract in (
            ("name: x\n", d.Contract()),
            ("parity_score: {thresholds: {individual_min: 1}}\n", d.Contract(individual_min=1.0)),
            ("sovereignty: {rationale: because, enforcement: {a: b}}\noos_rows: [a]\n", d.Contract(oos_rows=("a",))),
            ("sovereignty:\n  forbidden_replay_egress: [x.example]\n", d.Contract(forbidden_hosts=("x.example",))),
        ):
            with self.subTest(text=text):
                self.assertEqual(d.read_contract(self.put("c.yaml", text)), contract)

    def test_rows_nested_under_categories(self) -> None:
        rows = {"a": "SHIPPED", "b": "NONE", "c": "PARTIAL"}
        for text in (
            "- name: x\n  rows:\n  - {id: a, status: SHIPPED, tags: [t], notes: [{id: n}]}\n  - {id: b, status: NONE}\n"
            "- name: y\n  rows: [{id: c, status: PARTIAL}]\n",
            "  x:\n  - {id: a, status: SHIPPED}\n  - {id: b, status: NONE}\n  y: {z: {id: c, status: PARTIAL}}\n",
            "- {id: a, status: SHIPPED, rows: [{id: b, status: NONE}]}\n- {id: c, status: PARTIAL}\n",
        ):
            self.assertEqual(d.read_matrix(self.put("m.yaml", "categories:\n" + text)), rows)

    def test_random_contracts_and_matrices_are_read_or_refused(self) -> None:
        rng = random.Random(5)
        names = [
            "parity_score",
            "thresholds",
            "aggregate_min",
            "individual_min",
            "sovereignty",
            "allow_hosts",
            "allow_host",
        ]
        names += ["forbidden_replay_egress", "oos_rows", "categories", "id", "status", "rows", "enforcement", "", "a.b"]
        leaves: list[object] = [
            None,
            True,
            0,
            1,
            0.5,
            2,
            -1,
            "",
            "a",
            "SHIPPED",
            "NONE",
            "*.a.example",
            [],
            {},
            "x" * 99,
        ]

        def value(depth: int) -> object:
            kind = rng.randrange(6)
            if kind < 2 and depth < 5:
                return {rng.choice(names): value(depth + 1) for _ in range(rng.randrange(5))}
            return (
                [value(depth + 1) for _ in range(rng.randrange(4))] if kind == 2 and depth < 5 else rng.choice(leaves)
            )

        read = 0
        for _ in range(500):
            whole = {name: value(1) for name in rng.sample(names, 4)}
            path = self.put("c.json", json.dumps(whole))
            for reader in (d.read_contract, d.read_matrix):
                try:
                    reader(path)
                except d.InputError as error:
                    self.assertIn("c.json", str(error))
                else:
                    read += 1
        self.assertGreater(read, 50)

    def test_the_projects_own_files(self) -> None:
        self.assertIsInstance(d.read_contract(str(next(FIXTURES.glob("contract.*")))), d.Contract)
        self.assertGreater(len(d.read_matrix(str(next(FIXTURES.glob("*matrix.*"))))), 5)


if __name__ == "__main__":
    unittest.main()
