"""The reports: golden ones as files, Markdown that no event text can break, and numbers that both formats have.

``python3 -m tests.test_report --rewrite`` writes the golden reports anew; read the difference before committing it.
"""

import json
import re
import sys
import tempfile
import unicodedata
import unittest
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diff_events
from tests.support import HEADER, LogTestCase, calls, event, log_bytes, run, shared_create

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "`",
    "``` ",
    "a`b``c```d",
    "|",
    "a|b||c",
    "a\\|b",
    "\\",
    "\\\\|",
    "<script>alert(1)</script>",
    "<!-- ",
    "\n# heading\n\n- list",
    "\r\n| a | b |",
    "\n```\n",
    "\x1b[31mred\x1b[0m\x07\x9b31m",
    "\u202eright\u2066to left\u200f",
    "\ud800lone",
    "\u2028\u2029\x85\x00\x7f",
    "[link](javascript:alert(1)) ![image](x) <a href=x>",
    "*bold* _it_ ~~gone~~ &amp; $math$",
    "  spaces  ",
    " ",
    "",
    "x" * 5000,
    "`" * 300,
    "|" * 300,
)


def pairs() -> Iterator[tuple[str, bytes, bytes, tuple[str, ...]]]:
    """Name, canary, ours and options of each golden pair."""
    yield "identical", log_bytes(calls(3)), log_bytes(calls(3)), ()
    result = event(3, "kernel.return", {"name": "NtClose", "status": 0, "out": {"list": [1, 2], "gone": None}})
    other = event(3, "kernel.return", {"name": "NtClose", "status": 3221225480, "out": {"list": [1, True, "x" * 200]}})
    yield (
        "payload",
        log_bytes([*calls(3), result, *calls(9)[4:]]),
        log_bytes([*calls(3), other, *calls(6)[4:]]),
        ("--context=2",),
    )
    canary = [event(0, payload={"name": "f"}), shared_create(1), event(2, payload={"name": "g"}), event(0, tid=9)]
    ours = [event(0, payload={"name": "f"}, tid=1), event(1, "wait.end", {"status": 0}, tid=1)]
    yield "floats_and_kinds", log_bytes(canary), log_bytes(ours), ("--tid-map=6=1", "--no-auto-map")
    holed = [one for one in calls(6) if one["tid_event_idx"] not in (2, 3)]
    ended = [*calls(2, 7), *calls(4, 8)]
    torn = log_bytes(calls(6)) + log_bytes([*calls(3, 7), *calls(2, 8)], b"") + b'{"kind":"ker'
    yield "missing_and_ended", log_bytes([*holed, *ended]), torn, ()


def reports(canary: bytes, ours: bytes, options: tuple[str, ...], directory: str) -> dict[str, str]:
    """The Markdown and the JSON report, with the directory left out of their names."""
    paths = [str(Path(directory, name)) for name in ("canary.jsonl", "ours.jsonl")]
    for path, data in zip(paths, (canary, ours), strict=True):
        Path(path).write_bytes(data)
    argv = ("--canary", paths[0], "--ours", paths[1], "--quiet", *options)
    texts = {}
    for suffix, name in (("md", "markdown"), ("json", "json")):
        outcome = run(*argv, "--report", f"{name}:-")
        assert outcome.code == 0, outcome.err
        texts[suffix] = outcome.out.replace(directory + "/", "").replace(directory + "\\\\", "")
    return texts


def golden_texts() -> Iterator[tuple[Path, str]]:
    for name, canary, ours, options in pairs():
        with tempfile.TemporaryDirectory() as directory:
            for suffix, text in reports(canary, ours, options, directory).items():
                yield GOLDEN / f"{name}.{suffix}", text


class Warnings(unittest.TestCase):
    def test_every_kind_has_words(self) -> None:
        for kind in diff_events.WarningKind:
            text = diff_events.warning_text(diff_events.LogWarning(kind, tid=6, lineno=7, idx=8, count=9))
            self.assertRegex(text, r"\A\S.{15,}", f"give {kind} its words in warning_text")


class Golden(unittest.TestCase):
    maxDiff = None

    def test_golden_reports(self) -> None:
        seen = set()
        for path, text in golden_texts():
            with self.subTest(report=path.name):
                self.assertEqual(text, path.read_text(encoding="utf-8"))
            seen.add(path)
        self.assertEqual(seen, {path for path in GOLDEN.iterdir() if path.suffix != ".txt"})  # those are of others


class Structure:
    """What a Markdown text consists of, read by the rules of code hosts for tables, code spans and fences."""

    def __init__(self, text: str) -> None:
        self.prose: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.fences: list[list[str]] = []
        fence, table = "", False
        for line in text.split("\n"):
            marks = re.match(r"(`{3,})([a-z]*)$", line)
            if fence:
                if line == fence:
                    fence = ""
                else:
                    self.fences[-1].append(line)
            elif marks:
                fence = marks[1]
                self.fences.append([])
            elif line.startswith("|"):
                if not table:
                    self.tables.append([])
                self.tables[-1].append(self.cells(line))
            else:
                self.prose.append(line)
            table = line.startswith("|") and not fence
        self.open_fence = fence

    @staticmethod
    def cells(line: str) -> list[str]:
        """The cells of a row: a backslash takes the next character with it, whatever that is, also in code."""
        parts = re.findall(r"((?:\\.|[^\\|])*)\|", line + " ")
        return [part.strip() for part in parts[1:]]

    def outside_code(self) -> str:
        """All text that is not in a fence or a code span."""
        text = "\n".join([*self.prose, *(cell for table in self.tables for row in table for cell in row)])
        return re.sub(r"(?<!`)(`+)(?!`)(?:.*?[^`])\1(?!`)", "", text)


def numbers_in(value: Any) -> set[str]:
    """Every number in a JSON document, also those in its strings."""
    if isinstance(value, dict):
        return set().union(*(numbers_in(key) | numbers_in(item) for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    if isinstance(value, float):
        value = f"{value} {value:.2f}"  # as precise as it is, and as it is shown
    return set(re.findall(r"\d+", str(value)))


class Markdown(LogTestCase):
    def structure(self, canary: bytes, ours: bytes, *options: str) -> Structure:
        text = reports(canary, ours, options, str(self.directory))["md"]
        bad = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")]
        self.assertEqual(bad, [])
        text.encode()
        structure = Structure(text)
        self.assertEqual(structure.open_fence, "")
        for table in structure.tables:
            self.assertEqual({len(row) for row in table}, {len(table[0])}, table)
            self.assertTrue(all(re.fullmatch(r":?-+:?", cell) for cell in table[1]), table[1])
        self.assertNotIn("<", structure.outside_code().replace("\\<", ""))
        return structure

    def test_structure_of_the_golden_pairs(self) -> None:
        for _, canary, ours, options in pairs():
            structure = self.structure(canary, ours, *options)
            self.assertTrue(structure.prose[0].startswith("# "))
            self.assertRegex(structure.prose[2], r"\A\*\*(Identical|Divergent):\*\* .*\.\Z")
            self.assertTrue(any("parity" in table[0] for table in structure.tables))

    def test_hostile_text_anywhere(self) -> None:
        plain = self.structure(*self.hostile_logs("plain"), "--tid-map=6=6", "--no-auto-map")
        for text in HOSTILE:
            with self.subTest(text=text[:30]):
                structure = self.structure(*self.hostile_logs(text), "--tid-map=6=6", "--no-auto-map")
                self.assertEqual(
                    [[len(row) for row in table] for table in structure.tables],
                    [[len(row) for row in table] for table in plain.tables],
                )
                self.assertEqual(list(map(len, structure.fences)), list(map(len, plain.fences)))
                self.assertEqual(len(structure.prose), len(plain.prose))
                self.assertLess(max(len(line) for lines in structure.fences for line in lines), 400)
                cells = [cell for table in structure.tables for row in table for cell in row]
                self.assertLess(max(map(len, cells)), 1200)

    @staticmethod
    def hostile_logs(text: str) -> tuple[bytes, bytes]:
        """The text as kind, key, value, call name, object type; in the context, at the difference and in the rest."""
        first = [event(0, f"k{text}", {f"a{text}": text, "name": text}), event(1, payload={"name": text})]
        lone = {"raw_handle_id": 1, "object_type": f"T{text}", "object_name": text}
        try:
            lone["handle_semantic_id"] = diff_events.shared_global_sid(1, f"T{text}")
        except UnicodeEncodeError:
            lone |= {"object_type": "T", "handle_semantic_id": diff_events.shared_global_sid(1, "T")}
        left = [event(0, payload={"name": text}, tid=9), event(1, payload={}, tid=9)]
        canary = [
            *first,
            event(2, payload={"name": "f", f"b{text}": f"x{text}"}),
            *left,
            event(2, "handle.create", lone, 9),
        ]
        ours = [
            *first,
            event(2, payload={"name": "f", f"b{text}": f"y{text}", f"c{text}": 1}),
            event(3, text, {text: text}),
        ]
        return log_bytes(canary), log_bytes(ours)

    def test_long_values_are_shortened_with_their_length(self) -> None:
        name, value = "n" * 7000, "v" * 5000
        canary = [event(0, payload={"name": name, "key" * 900: value}), event(0, payload={"name": name}, tid=9)]
        ours = [event(0, payload={"name": name})]
        text = reports(log_bytes(canary), log_bytes(ours), ("--tid-map=6=6",), str(self.directory))["md"]
        self.assertLess(len(text), 6000)
        for length in ("7,000", "5,002"):
            self.assertIn(f"{length} characters", text)

    def test_a_long_name_is_shortened_among_the_sorts(self) -> None:
        long: dict[int, dict[str, object]] = {nth: {"name": str(nth) * 7000} for nth in (2, 5)}
        sides = ({nth: {**payload, "v": v} for nth, payload in long.items()} for v in (0, 1))
        canary, ours = ([event(n, payload=side.get(n)) for n in range(8)] for side in sides)
        text = reports(log_bytes(canary), log_bytes(ours), (), str(self.directory))["md"]
        self.assertIn("changed: kernel.call 222", text)
        self.assertNotIn("2" * 1000, text)

    def test_the_length_of_a_long_event_is_that_of_its_text(self) -> None:
        canary, ours = ([event(0, payload={f"f{n}": "a" * 70 + end for n in range(9)})] for end in "xy")
        text = reports(log_bytes(canary), log_bytes(ours), (), str(self.directory))["md"]
        whole = "kernel.call " + " ".join(f'f{n}="{"a" * 70}x"' for n in range(9))
        self.assertIn(f"{whole[:50]}", text)
        self.assertEqual(set(re.findall(r"\((\d+) characters\)", text)), {str(len(whole))})

    def test_start_here_shows_where_long_values_differ(self) -> None:
        canary, ours = ([event(0, payload={"name": "f", "path": "x" * 300 + c + "y" * 300})] for c in "AB")
        text = reports(log_bytes(canary), log_bytes(ours), (), str(self.directory))["md"]
        start = text.partition("## Start here")[2]
        for side, character in (("canary", "A"), ("ours", "B")):
            self.assertRegex(start, f"- `kernel.call f path=…x+{character}y+….*` \\({side} #0")

    def test_every_number_of_the_markdown_is_in_the_json(self) -> None:
        for name, canary, ours, options in pairs():
            texts = reports(canary, ours, options, str(self.directory))
            structure, known = Structure(texts["md"]), numbers_in(json.loads(texts["json"]))
            known |= {number.lstrip("0") for number in known}
            # The table of each thread, the places of the events, and the inputs; sums are left to the reader.
            cells = [
                cell for table in structure.tables for row in table[2:] for cell in row if not cell.startswith("`")
            ]
            places = [
                place for fence in structure.fences for line in fence for place in re.findall(r"#\d+ line \d+", line)
            ]
            shown = set(re.findall(r"\d+", re.sub(r"[\d.]+ ?%", "", " ".join([*cells, *places]).replace(",", ""))))
            with self.subTest(pair=name):
                self.assertEqual(
                    {n for n in shown if n not in known and n.lstrip("0") not in known} - {"0", "00"}, set()
                )

    def test_a_pipe_is_escaped_in_a_table_alone(self) -> None:
        writer = diff_events.MarkdownWriter()
        for foreign, in_cell in (("a|b", "`a\\|b`"), ("a\\|b", "`a\\\\x7cb`"), ("a\\\\|b", "`a\\\\\\|b`")):
            text = diff_events.quoted(foreign)
            self.assertEqual(writer.block([text]), f"- `{foreign}`")
            self.assertEqual(writer.block(f"is {text}"), f"is `{foreign}`")
            table = diff_events.Table(("what", "n>"), [[text, 1]])
            self.assertEqual(writer.block(table).splitlines()[-1], f"| {in_cell} | 1 |")

    def test_code_spans(self) -> None:
        for text in HOSTILE:
            table = diff_events.MarkdownWriter().block(diff_events.Table(("a", "b"), [[diff_events.quoted(text), 1]]))
            span = table.splitlines()[-1][2:-6]
            fence = re.match("`+", span)
            assert fence is not None
            inner = span[len(fence[0]) : -len(fence[0])]
            self.assertNotIn(len(fence[0]), map(len, re.findall("`+", inner)))
            self.assertEqual(len(Structure.cells(f"| {span} | x |")), 2, span)
            self.assertTrue(span.isprintable())

    def test_escaped_text(self) -> None:
        for text in HOSTILE:
            escaped = diff_events.md_text(text)
            self.assertEqual(len(Structure.cells(f"| {escaped} | x |")), 2, escaped)
            self.assertEqual(re.sub(r"\\(.)", r"\1", escaped), diff_events.printable(text))
            self.assertIsNone(re.search(r"(?<!\\)(?:\\\\)*[<>`*_|\[\]]", escaped))

    def test_fences(self) -> None:
        for text in HOSTILE:
            row = diff_events.DiffRow(diff_events.Both(diff_events.DiffLine(text, text), None))
            lines = diff_events.MarkdownWriter().block(diff_events.Diff([row, diff_events.gap(text)])).split("\n")
            self.assertEqual(len(lines), 5)
            self.assertFalse(any(line.startswith(lines[-1]) for line in lines[1:-1]))


class Json(LogTestCase):
    def test_pinned_fields(self) -> None:
        for _, canary, ours, options in pairs():
            document = json.loads(reports(canary, ours, options, str(self.directory))["json"])
            self.assertEqual((document["format"], document["format_version"]), ("diff-events-report", 1))
            self.assertIn(document["verdict"], ("identical", "divergent"))
            self.assertEqual(set(document["unmapped"]), {"canary", "ours"})
            self.assertLessEqual({"canary_only", "ours_only"}, set(document["shared_globals"]))
            for thread in document["threads"]:
                for name in ("canary_tid", "ours_tid", "canary_events", "ours_events", "matched"):
                    self.assertIs(type(thread[name]), int)
                self.assertEqual(set(thread["floating_skipped"]), {"canary", "ours"})
                self.assertEqual(thread["status"] == "diverged", thread["divergence"] is not None)

    def test_a_side_that_lacks_a_field_lacks_the_key(self) -> None:
        document = self.compare([event(0, payload={"a": None})], [event(0, payload={"b": None})])
        fields = document["threads"][0]["divergence"]["fields"]
        self.assertEqual(fields, [{"path": "payload.a", "canary": None}, {"path": "payload.b", "ours": None}])

    def test_values_come_through_unchanged(self) -> None:
        for value in ("\ud800\x00\u202e|`", 10**4000, -0.5, True, None, [1, {"a": []}], "x" * 5000, "é"):
            fields = self.compare([event(0, payload={"v": value})], [event(0, payload={"v": "other"})])["threads"][0]
            self.assertEqual(fields["divergence"]["fields"][0]["canary"], value)

    def test_is_ascii(self) -> None:
        text = reports(log_bytes([event(0, "é\u202e")]), HEADER + log_bytes(calls(1), b""), (), str(self.directory))[
            "json"
        ]
        self.assertTrue(text.isascii())

    def test_an_ambiguous_pair_says_what_settles_it(self) -> None:
        for name, text in (("canary.jsonl", log_bytes(calls(3))), ("ours.jsonl", log_bytes(calls(3)))):
            (self.directory / name).write_bytes(text)
        paths = [str(self.directory / name) for name in ("canary.jsonl", "ours.jsonl")]
        report = diff_events.diff_logs(paths[0], paths[1])
        thread = report.threads[0]
        unsure = replace(report, threads=(replace(thread, pair=replace(thread.pair, alternative=9)),))
        for render in (diff_events.render_markdown, diff_events.render_html):
            self.assertNotIn("--tid-map", render(report))
            for line in ("--tid-map 6=6", "--tid-map 6=9"):
                self.assertIn(line, render(unsure))


if __name__ == "__main__":
    if sys.argv[1:] == ["--rewrite"]:
        GOLDEN.mkdir(exist_ok=True)
        for path, text in golden_texts():
            path.write_text(text, encoding="utf-8", newline="\n")
    else:
        unittest.main()
