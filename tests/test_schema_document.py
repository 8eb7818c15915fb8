"""``schema-v1.md`` tells the truth: its examples and tables are read out of it and held against the program.

What stands in the line before a block of ``jsonl`` says what must become of that log:

- ``Refused, line 3: `reason``` – refused with that reason, naming that line;
- ``Accepted with a warning: `text``` – accepted, with just that warning;
- ``Canary's log:`` – to be compared with each following block marked ``Ours, identical`` or ``Ours, divergent``;
- anything else – accepted without a warning.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import diff_events
from diff_events import DiffOptions, InputError, LogIndex, Verdict
from tests.support import not_tested

DOCUMENT = Path(__file__).resolve().parent.parent / "schema-v1.md"
TEXT = DOCUMENT.read_text(encoding="utf-8").partition("\n## Agent traces")[0]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the line of text before it."""

    mark: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    """The fenced blocks in one language."""
    fenced = re.compile(r"(?ms)^(?P<mark>[^\n]*)\n\n?^```(?P<language>\w+)\n(?P<text>.*?)\n^```$")
    found = (Block(**match.groupdict()) for match in fenced.finditer(TEXT))
    return [block for block in found if block.language == language]


def table(*headings: str) -> list[list[str]]:
    """The rows of the table with these headings, their cells without code marks."""
    head = re.escape(f"| {' | '.join(headings)} |").replace(r"\ \ ", r"\ +")
    [body] = re.findall(rf"(?m)^{head}\n\|[-|]+\|\n((?:\|.*\|\n)+)", TEXT)
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in body.splitlines()]


def code(cell: str) -> str:
    """What stands between the backticks of a cell."""
    [text] = re.findall("`([^`]*)`", cell)
    return str(text)


class DocumentCase(unittest.TestCase):
    """A test that gives the document's logs to the program."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def log(self, name: str, text: str) -> str:
        """A file with this text, which ends as the block does: without a line end."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def index(self, text: str) -> LogIndex:
        """The index of a log. Raises `InputError` where it is refused."""
        source = diff_events.LogSource(self.log("log.jsonl", text))
        self.addCleanup(source.close)
        return diff_events.index_logs([source], processes=1)[0]


class Logs(DocumentCase):
    """Every log in the document."""

    def test_refused_ones_are_refused_for_the_reason_given(self) -> None:
        refused = [block for block in blocks("jsonl") if block.mark.startswith("Refused")]
        self.assertGreater(len(refused), 5)
        for block in refused:
            with self.subTest(block.mark):
                said = re.fullmatch(r"Refused, line (\d+): `(.*)`", block.mark)
                assert said is not None, block.mark
                with self.assertRaises(InputError) as refusal:
                    self.index(block.text)
                name = str(self.directory / "log.jsonl")
                self.assertEqual(str(refusal.exception), f"{name}:{said[1]}: {said[2]}")

    def test_warned_of_are_warned_of_in_the_words_given(self) -> None:
        warned = [block for block in blocks("jsonl") if block.mark.startswith("Accepted with a warning")]
        self.assertGreater(len(warned), 1)
        for block in warned:
            with self.subTest(block.mark):
                [warning] = self.index(block.text).warnings
                self.assertEqual(diff_events.warning_text(warning), code(block.mark))

    def test_all_others_are_accepted(self) -> None:
        others = [block for block in blocks("jsonl") if not block.mark.startswith(("Refused", "Accepted with"))]
        self.assertGreater(len(others), 4)
        for block in others:
            with self.subTest(block.mark):
                self.assertEqual(self.index(block.text).warnings, [])
                self.assert_self_diff_is_identical(block.text)

    def test_what_is_good_and_what_is_bad_to_the_validation(self) -> None:
        marks = []
        for block in blocks("jsonl"):
            said = re.fullmatch(r"Bad, (?:advice|an error to `validate`) on line (\d+): `(.*)`", block.mark)
            if said or block.mark.startswith("Good: "):
                with self.subTest(block.mark):
                    checked = diff_events.validate_file(self.log("log.jsonl", block.text + "\n"))
                    found = [(note.lineno, note.text) for note in checked.notes]
                    self.assertEqual(found, [(int(said[1]), said[2])] if said else [])
                    self.assertEqual(checked.conforms, "error" not in block.mark)
                    marks.append(block.mark[:4])
        self.assertGreater(marks.count("Good"), 5)
        self.assertGreater(marks.count("Bad,"), 4)

    def assert_self_diff_is_identical(self, text: str) -> None:
        path = self.log("self.jsonl", text)
        self.assertIs(diff_events.diff_logs(path, path).verdict, Verdict.IDENTICAL)

    def test_pairs_compare_as_is_said(self) -> None:
        verdicts = []
        canary = ""
        for block in blocks("jsonl"):
            if block.mark == "Canary's log:":
                canary = self.log("canary.jsonl", block.text)
            elif said := re.match(r"Ours, (identical|divergent)", block.mark):
                with self.subTest(block.mark):
                    report = diff_events.diff_logs(canary, self.log("ours.jsonl", block.text))
                    self.assertEqual(report.verdict.value, said[1])
                    verdicts.append(report.verdict)
        self.assertLessEqual(set(Verdict), set(verdicts))

    def test_single_events_are_events_of_every_kind_in_the_table(self) -> None:
        events = [diff_events.decode_event(line.encode(), 1) for block in blocks("json") for line in lines_of(block)]
        listed = {code(kind): members for kind, members, _ in table("kind", "payload", "skipped") if "`" in kind}
        self.assertLessEqual(set(listed), {event.kind for event in events})
        listed["handle.destroy"] = listed["handle.create"]  # "the same"
        for event in events:
            for member in re.findall("`([^`]*)`", listed.get(event.kind, "")):
                if member not in ("return_value", "status"):  # the one or the other
                    self.assertIn(member, event.payload, event.kind)


def lines_of(block: Block) -> Iterator[str]:
    """The lines of a block, each one JSON text of its own."""
    for line in block.text.splitlines():
        json.loads(line)
        yield line


class Tables(DocumentCase):
    """Every table in the document."""

    def test_skipped_members(self) -> None:
        rows = table("kind", "payload", "skipped")
        said = {code(kind): frozenset(re.findall("`([^`]*)`", skipped)) for kind, _, skipped in rows if "`" in kind}
        self.assertEqual({kind: members for kind, members in said.items() if members}, diff_events.SKIPPED_FIELDS)

    def test_object_types(self) -> None:
        [names] = re.findall(r"(?s)`object_type` is one of the names (.*?)\.", TEXT)
        said = set(re.split(r",\s+", names))
        self.assertEqual(said, set(diff_events.OBJECT_TYPE.expected.removeprefix("one of ").split(", ")))

    def test_skipped_fields_of_every_event(self) -> None:
        rows = table("field", "type", "required", "in the comparison")
        said = {code(name) for name, _, _, how in rows if how == "skipped"}
        self.assertEqual(said, set(diff_events.SKIPPED_OF_EVERY_EVENT))

    def test_required_fields_are_required(self) -> None:
        event = {"kind": "thread.exit", "tid": 6, "tid_event_idx": 0, "payload": {}}
        required = {code(name) for name, _, needed, _ in table("field", "type", "required", "in the comparison")
                    if needed == "yes"}  # fmt: skip
        self.assertEqual(required, set(event))
        for name in required:
            rest = {key: value for key, value in event.items() if key != name}
            with self.subTest(name), self.assertRaises(InputError) as refusal:
                self.index('{"schema_version":1}\n' + json.dumps(rest))
            self.assertEqual(refusal.exception.field, name)

    def test_sid_vectors(self) -> None:
        rows = [[code(cell) for cell in row] for row in table("pointer", "object_type", "SID")]
        self.assertEqual(len(rows), 5)
        for pointer, object_type, sid in rows:
            self.assertEqual(diff_events.shared_global_sid(int(pointer, 16), object_type), sid)

    def test_ids_of_ordinary_objects(self) -> None:
        for thread_key, object_type, ordinal, expected in table("thread key", "object_type", "ordinal", "id"):
            sid = 0xCBF29CE484222325
            for byte in f"object\0{code(thread_key)}\0{code(object_type)}\0{code(ordinal)}".encode():
                sid = (sid ^ byte) * 0x100000001B3 % 2**64
            self.assertEqual(code(expected), f"{sid:016x}")

    def test_shared_global_or_local(self) -> None:
        for raw, object_type, sid, verdict in table("`raw_handle_id`", "`object_type`", "`handle_semantic_id`", ""):
            names = ("raw_handle_id", "object_type", "handle_semantic_id")
            payload = {name: json.loads(code(cell)) for name, cell in zip(names, (raw, object_type, sid), strict=True)}
            with self.subTest(verdict, **payload):
                found = diff_events.shared_global_of(payload)
                self.assertEqual(found is not None, verdict == "shared-global")

    def test_equality_of_values(self) -> None:
        for one, other, verdict in table("one side", "other side", ""):
            with self.subTest(one=one, other=other):
                left, right = (diff_events.parse_json(code(cell)) for cell in (one, other))
                self.assertIn(verdict, ("equal", "different"))
                self.assertEqual(diff_events.json_equal(left, right), verdict == "equal")
                self.assertEqual(diff_events.json_equal(right, left), verdict == "equal")

    def test_equality_of_values_in_logs(self) -> None:
        for one, other, verdict in table("one side", "other side", ""):
            with self.subTest(one=one, other=other):
                event = '{"schema_version":1}\n{"kind":"k","tid":1,"tid_event_idx":0,"payload":{"value":%s}}\n'
                canary, ours = self.log("c.jsonl", event % code(one)), self.log("o.jsonl", event % code(other))
                report = diff_events.diff_logs(canary, ours, DiffOptions(tid_map={1: 1}))
                self.assertEqual(report.verdict is Verdict.IDENTICAL, verdict == "equal")

    def test_limits(self) -> None:
        line, nesting, index, digits = (most for _, most in table("what", "at most"))
        self.assertEqual(line, f"{diff_events.MAX_LINE_BYTES >> 20} MiB")
        self.assertEqual(nesting, f"{diff_events.MAX_NESTING} levels")
        self.assertEqual(index, f"2^62 − 1 ({2**62 - 1})")
        self.assertEqual(diff_events.MAX_IDX, 2**62 - 1)
        self.assertEqual(int(digits), sys.int_info.default_max_str_digits)
        diff_events.parse_json("9" * int(digits))
        with self.assertRaises(diff_events.NotJsonError):
            diff_events.parse_json("9" * (int(digits) + 1))


class Snippets(DocumentCase):
    """The code in the document, where a compiler is at hand."""

    def compiled(self, name: str, text: str, compiler: str, *options: str) -> Path:
        """The program that a text is."""
        path = shutil.which(compiler)
        if path is None:
            raise not_tested(f"the document's code for {compiler}, which is not here")
        source, program = Path(self.log(name, text)), self.directory / f"{name}.program"
        subprocess.run([path, *options, str(source), "-o", str(program)], check=True, capture_output=True)
        return program

    CPP = ("g++", "-std=c++17", "-pthread", "-Wall", "-Wextra", "-Werror")
    RUST = ("rustc", "--edition", "2021", "-D", "warnings")

    def test_cpp(self) -> None:
        function = blocks("cpp")[0].text
        rows = [[code(cell) for cell in row] for row in table("pointer", "object_type", "SID")]
        checks = (f'static_assert(SharedGlobalSid({row[0]}, "{row[1]}") == 0x{row[2]}ull);' for row in rows)
        self.compiled("sid.cpp", "\n".join([function, *checks, "int main() {}", ""]), *self.CPP)

    def test_rust(self) -> None:
        program = self.compiled("sid.rs", blocks("rust")[0].text, *self.RUST, "--test")
        subprocess.run([program], check=True, capture_output=True)

    EMITTERS: ClassVar = (
        ("cpp", CPP, "#include <cstdlib>\n",
         'std::this_thread::sleep_for(std::chrono::hours(std::getenv("HANG") ? 1 : 0));'),
        ("rust", RUST, "", 'std::thread::sleep(Duration::from_secs(std::env::var_os("HANG").map_or(0, |_| 3600)));'),
    )  # fmt: skip
    """Language, compiler, and what makes an emitter hang if it is told to, before it destroys a handle."""

    def test_the_two_emitters_agree_and_one_that_is_killed_has_written_what_is_a_second_old(self) -> None:
        logs = []
        for language, command, above, hang in self.EMITTERS:
            copied = blocks(language)[1].text  # as the document has it
            program = self.compiled(f"emitter.{language}", f"{copied}\n", *command)
            logs.append(str(self.directory / f"{language}.jsonl"))
            subprocess.run([program, logs[-1]], check=True, capture_output=True, timeout=60)
            bare = subprocess.run([program], check=False, capture_output=True, timeout=60)
            self.assertEqual((bare.returncode, bare.stderr.startswith(b"usage: emitter LOG")), (2, True))
            text = re.sub(r"(?i)guest\.emit\(\"handle\.destroy", rf"{hang} \g<0>", copied)
            self.assertIn(hang, text)
            with self.subTest(language):
                hanging = self.compiled(f"hanging.{language}", f"{above}{text}\n", *command)
                self.check_killed(hanging, self.directory / f"{language}-killed.jsonl")
        for log in logs:
            checked = diff_events.validate_file(log)
            self.assertEqual((checked.notes, checked.records), ((), 10))
        report = diff_events.diff_logs(logs[0], logs[1], DiffOptions(check_identity=True))
        self.assertIs(report.verdict, Verdict.IDENTICAL)
        self.assertEqual((report.parity.matched, report.identity), (10, ()))
        ids = [set(re.findall('"handle_semantic_id":"([^"]*)"', Path(log).read_text())) for log in logs]
        self.assertEqual(ids, [{"979c96270666fe78", "59fe0438b2bb0cfb"}] * 2)  # as the document's tables have them

    def check_killed(self, program: Path, log: Path) -> None:
        """What an emitter that hangs has written when it is killed."""
        with subprocess.Popen([program, log], env=os.environ | {"HANG": "1"}) as emitter:
            deadline = time.monotonic() + 10
            written = 0
            while written < 8 and time.monotonic() < deadline:  # the last of them no thread.exit has flushed
                time.sleep(0.05)
                written = log.read_bytes().count(b"\n") - 1 if log.exists() else 0
            emitter.kill()
        self.assertEqual((written, diff_events.validate_file(str(log)).records), (8, 8))


if __name__ == "__main__":
    unittest.main()
