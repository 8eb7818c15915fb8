"""The reader of plain YAML against PyYAML: what it accepts has the value that PyYAML gives it.

Without PyYAML these tests are skipped, and that is said. ``DIFF_EVENTS_REQUIRE_ALL=1`` makes its absence a failure.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diff_events as d
from tests.support import not_tested, seeds
from tests.traces import FIXTURES, YAML_PIECES

try:
    import yaml  # type: ignore[import-untyped]
except ImportError:
    raise not_tested("the reader of YAML against PyYAML, which is not installed") from None

SEEDS = len(seeds(300))


class CoreLoader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML with the core schema of YAML 1.2 in place of its own, of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for tag, pattern, first in (
    ("null", r"(?:null|Null|NULL|~|)", [*"nN~", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", [*"tTfF"]),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", [*"-+0123456789"]),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))", [*"-+."]),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^{pattern}\Z"), first)
CoreLoader.add_constructor(
    "tag:yaml.org,2002:int", lambda _, node: int(node.value, 0 if node.value[:2] in ("0x", "0o") else 10)
)
CoreLoader.add_constructor(
    "tag:yaml.org,2002:float",
    lambda _, node: float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan")),
)


def same(ours: object, theirs: object) -> bool:
    """Equal, types and the order of keys included."""
    return repr(ours) == repr(theirs)


class AgainstPyYaml(unittest.TestCase):
    outcomes: Counter[str]

    def setUp(self) -> None:
        self.outcomes = Counter()

    def compare(self, text: str) -> None:
        try:
            ours = d.PlainYaml(text, "c.yaml").document()
        except d.InputError as error:
            self.assertIsNotNone(error.lineno)
            self.outcomes["refused"] += 1
            return
        try:
            theirs = yaml.load(text, CoreLoader)
        except (yaml.YAMLError, ValueError) as error:
            self.fail(f"PyYAML refuses {text!r}: {error}; here it is {ours!r}")
        self.assertTrue(same(ours, theirs), f"{text!r} is {theirs!r} to PyYAML, here {ours!r}")
        self.outcomes["read"] += 1

    def test_random_texts(self) -> None:
        rng = random.Random(1)
        for _ in range(60 * SEEDS):
            self.compare("".join(rng.choices(YAML_PIECES, k=rng.randrange(1, 16))))
        self.assertGreater(self.outcomes["read"], 10 * SEEDS)
        self.assertGreater(self.outcomes["refused"], 20 * SEEDS)

    def test_written_documents_and_mutants_of_them(self) -> None:
        rng = random.Random(2)
        for _ in range(5 * SEEDS):
            text = "\n".join(block(rng, 0, 0)) + rng.choice(("", "\n", "\n\n"))
            self.compare(text)
            self.compare(mutant(rng, text))
        self.assertGreater(self.outcomes["read"], 6 * SEEDS)

    def test_what_pyyaml_writes_is_read(self) -> None:
        rng = random.Random(3)
        for _ in range(SEEDS):
            value = {f"key {n}": json_value(rng, 0) for n in range(3)}
            text = yaml.safe_dump(
                value, default_flow_style=rng.choice((None, True, False)), allow_unicode=True, width=40
            )
            if "? " not in text and "!!" not in text:
                self.assertTrue(same(d.PlainYaml(text, "c.yaml").document(), yaml.load(text, CoreLoader)), text)

    def test_the_files_of_the_repository(self) -> None:
        for path in FIXTURES.glob("*.yaml"):
            text = Path(path).read_text(encoding="utf-8")
            self.assertTrue(same(d.PlainYaml(text, "c").document(), yaml.load(text, CoreLoader)))

    def test_a_long_contract(self) -> None:
        gate = """\
  - id: G{0}  # one of many
    rule: >-
      Every fixture
      passes.
    enum: [a,
      {{b: 'it''s'}}, "c\\td"]
    note: plain text
      on two lines
"""
        self.compare("gates:\n" + "".join(map(gate.format, range(100))))
        self.assertEqual(self.outcomes["read"], 1)


class Time(unittest.TestCase):
    def test_no_text_takes_quadratic_time(self) -> None:
        for piece in (
            *(
                "[",
                "{",
                "- ",
                "'",
                '"',
                "a ",
                " ",
                "\n",
                "a\n",
                "- a\n",
                "a: [1]\n#\n",
                "'' ",
                "\\",
                '"\\"',
                "#",
                ":",
                "a:b",
            ),
            *("a: |\n  x\n\n", "\t", "k1: &", "---\n", "[1, ", "{a: ", "a: 'b", "x y z\n  "),
        ):
            times = []
            for before in ("", "k: ", "k: ["):
                text = before + piece * (80_000 // len(piece))
                start = time.process_time()
                with contextlib.suppress(d.InputError):
                    d.PlainYaml(text, "c.yaml").document()
                times.append(time.process_time() - start)
            self.assertLess(max(times), 2.0, piece)


SCALARS = [
    *("a", "b c", "1", "-2.5", "true", "~", "null", "yes", "it's", "a:b", "x#y", "-x", "http://h:80/x", "0x1F", "1e3"),
    *("'q'", "'it''s'", '"d"', '"\\u00e9 \\x41\\t"', '"a, b"', "'# no'", "''", '""', "2026-01-01", "1:30", "=", "a,b"),
]


def flow(rng: random.Random, depth: int) -> str:
    gap = rng.choice(("", "", " ", "\n  ", "\n      ", "  # why\n   "))
    if depth > 3 or rng.random() < 0.4:
        return rng.choice(SCALARS[:-1])
    entries = [flow(rng, depth + 1) for _ in range(rng.randrange(4))]
    if rng.random() < 0.5:
        return "[" + gap + f",{gap or ' '}".join(entries) + gap + "]"
    pairs = [f"k{n}: {entry}" for n, entry in enumerate(entries)]
    return "{" + gap + f",{gap or ' '}".join(pairs) + gap + "}"


def inline(rng: random.Random, indent: int) -> Iterator[str]:
    """A value that begins on the line of its key, and the lines below it."""
    kind, pad = rng.randrange(6), " " * (indent + rng.randrange(1, 4))
    if kind == 0:
        yield rng.choice("|>") + rng.choice(("", "-", "+", "2", "1-"))
        for _ in range(rng.randrange(4)):
            yield rng.choice(("", pad + "text", pad + "  more", pad + "# text", pad + "\ttab", "  "))
    elif kind == 1:
        yield "plain text"
        for _ in range(rng.randrange(3)):
            yield rng.choice(("", pad + "further words", pad + "- dash", pad + "'quote'"))
    elif kind == 2:
        quote = rng.choice("'\"")
        yield quote + "some"
        yield rng.choice(("", pad + "quoted  text", "\t\\\\ x" if quote == '"' else pad + "''"))
        yield pad + "end" + quote
    elif kind == 3:
        yield from flow(rng, 0).split("\n")
    else:
        yield rng.choice(SCALARS) + rng.choice(("", "", "  # comment"))


def block(rng: random.Random, indent: int, depth: int) -> Iterator[str]:
    """The lines of a map or list."""
    pad, is_list = " " * indent, rng.random() < 0.4
    for n in range(rng.randrange(1, 4)):
        head = f"{pad}-" if is_list else f"{pad}key{n}:"
        if rng.random() < 0.15:
            yield rng.choice(("", "  # a comment", "    "))
        if depth < 4 and rng.random() < 0.45:
            inner = list(block(rng, indent + rng.choice((2, 2, 3)), depth + 1))
            if is_list and rng.random() < 0.5 and inner[0].strip() and not inner[0].lstrip().startswith("#"):
                yield head + inner[0][len(head) :] if inner[0][: indent + 2].isspace() else head
                yield from inner[1:]
            else:
                yield head
                yield from inner
        else:
            first, *more = inline(rng, indent)
            yield f"{head} {first}"
            yield from more


def mutant(rng: random.Random, text: str) -> str:
    place, length = rng.randrange(len(text) + 1), rng.randrange(3)
    return text[:place] + rng.choice(("", *YAML_PIECES)) + text[place + length :]


def json_value(rng: random.Random, depth: int) -> object:
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [json_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {f"k{n}": json_value(rng, depth + 1) for n in range(rng.randrange(4))}
    words = [
        "a",
        "it's",
        "b: c",
        "# no",
        "- x",
        "long words " * 6,
        "two\nlines",
        "",
        " pad ",
        "yes",
        "é",
        "x\ty",
        "\n\nz\n",
    ]
    return rng.choice([None, True, 0, -3, 2.5, *words])


if __name__ == "__main__":
    unittest.main()
