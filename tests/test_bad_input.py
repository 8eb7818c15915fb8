"""Input that gets one clear line on standard error and exit code 2, with nothing half-written."""

import bz2
import gzip
import json
import lzma
import os
import random
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import diff_events
from tests.support import (
    HEADER,
    LogTestCase,
    Outcome,
    calls,
    event,
    log_bytes,
    run,
    several_processes,
    shared_create,
    without_privileges,
)

GOOD = log_bytes(calls(4))


def lines(*texts: bytes | dict[str, Any]) -> bytes:
    """A log with these lines behind the header and one good event: the first of them is line 3."""
    written = [text if isinstance(text, bytes) else json.dumps(text).encode() for text in texts]
    return log_bytes(calls(1)) + b"\n".join(written) + b"\n"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in event(1).items() if key != name}


def with_payload(payload: bytes, kind: str = "kernel.call", idx: int = 1) -> bytes:
    return b'{"kind":"%b","tid":6,"tid_event_idx":%d,"payload":%b}' % (kind.encode(), idx, payload)


class BadInput(LogTestCase):
    def run_on(self, canary: str, ours: str, *options: str) -> Outcome:
        return run("--canary", canary, "--ours", ours, "--out", str(self.directory / "report.md"), *options)

    def assert_refused(self, outcome: Outcome, *words: str) -> None:
        """Exit 2, one line that has the words, nothing else said and nothing left behind."""
        self.assertEqual((outcome.code, outcome.out), (2, ""))
        self.assertRegex(outcome.err, r"\Adiff_events\.py: error: [^\n]+\n\Z")
        self.assertNotIn("Traceback", outcome.err)
        for word in words:
            self.assertIn(word, outcome.err)
        self.assertEqual([name for name in self.listing() if "report" in name or "diff-events" in name], [])

    def refuse(self, bad: bytes, lineno: int | None, *words: str, other: bytes = GOOD) -> None:
        """The log is refused on either side, by name and by line if there is one."""
        path, good = self.write("bad.log", bad), self.write("good.log", other)
        place = f"{path}: " if lineno is None else f"{path}:{lineno}: "
        self.assert_refused(self.run_on(path, good), place, *words)
        if other is GOOD:  # else canary's, which is bad as well, is named
            self.assert_refused(self.run_on(good, path), place, *words)

    def test_no_file_to_read(self) -> None:
        good = self.write("good.log", GOOD)
        for name in ("missing", ".", "good.log/x", "x" * 300):
            with self.subTest(name=name):
                path = str(self.directory / name)
                self.assert_refused(self.run_on(path, good), f"{path}: ")
                self.assert_refused(self.run_on(good, path), f"{path}: ")

    def test_unreadable_file(self) -> None:
        path, good = self.write("bad.log", GOOD), self.write("good.log", GOOD)
        self.directory.chmod(0o755)
        os.chmod(path, 0)
        self.assert_refused(without_privileges(["--canary", path, "--ours", good]), path, "Permission denied")

    def test_no_header(self) -> None:
        event_line = GOOD.splitlines(keepends=True)[1]
        cases: dict[str, tuple[bytes, int | None]] = {
            "empty": (b"", None),
            "only a mark": (b"\xef\xbb\xbf", None),
            "only blank lines": (b"\n \n\t\r\n", None),
            "an event": (event_line, 1),
            "an event behind blank lines": (b"\n\n" + event_line, 3),
            "empty object": (b"{}\n", 1),
            "an array": (b"[1]\n", 1),
            "torn": (HEADER[:20], None),
            "not JSON in it": (b'{"schema_version":1,"payload":{"a":NaN}}\n', 1),
            "two marks": (b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD, 1),
        }
        for name, (data, lineno) in cases.items():
            with self.subTest(name):
                self.refuse(data, lineno)

    def test_other_versions(self) -> None:
        for version in (
            b"2",
            b"0",
            b"-1",
            b"true",
            b'"1"',
            b"1.0",
            b"1e0",
            b"null",
            b"[1]",
            b"{}",
            b"NaN",
            b"1" * 9999,
        ):
            with self.subTest(version=version[:9]):
                self.refuse(b'{"schema_version":' + version + b"}\n" + GOOD, 1)
                later = with_payload(b"{}")[:-1] + b',"schema_version":' + version + b"}"
                self.refuse(lines(later), 3, "schema_version")
        self.refuse(b'{"schema_version":1,"schema_version":2}\n', 1)

    def test_two_logs_stuck_together(self) -> None:
        self.refuse(GOOD + GOOD, 6, "schema_version", "stuck together")

    def test_junk(self) -> None:
        junk = random.Random(1).randbytes(5000)
        for name, data in {
            "noise": b"\x80" + junk,
            "a picture": b"\x89PNG\r\n\x1a\n" + junk,
            "UTF-16": GOOD.decode().encode("utf-16"),
            "zeros": bytes(5000) + b"\n",
            "text": b"Hello, world\n",
        }.items():
            with self.subTest(name):
                self.refuse(data, 1)

    def test_invalid_utf8_at_its_line(self) -> None:
        bad = with_payload(b'{"name":"\xff"}')
        self.refuse(lines(bad), 3, "UTF-8")
        self.refuse(lines(event(1), b"", with_payload(b'{"name":"\xc3\xa9 \xed\xa0\x80"}', idx=2)), 5, "UTF-8")
        self.refuse(HEADER[:-2] + b',"x":"\xff"}\n' + GOOD, 1, "UTF-8")
        many = [json.dumps(event(idx)).encode() for idx in range(1, 6000)]
        many[4321] = with_payload(b'{"name":"\xff"}', idx=4322)
        self.assertGreater(sum(map(len, many[:4321])), diff_events.CHUNK_BYTES)
        self.refuse(lines(*many), 4324, "UTF-8")

    def test_broken_lines(self) -> None:
        whole = with_payload(b"{}")
        cases: dict[str, bytes] = {
            "cut": whole[:-5],
            "cut at the end": whole[:-1],
            "a bracket more": whole + b"}",
            "two on a line": whole + whole,
            "a comma more": whole[:-1] + b",}",
            "no comma": whole.replace(b',"tid"', b'"tid"', 1),
            "no colon": whole.replace(b'"tid":', b'"tid" ', 1),
            "single quotes": whole.replace(b'"', b"'"),
            "bare key": whole.replace(b'"tid"', b"tid", 1),
            "bare word": whole[:-1] + b',"x":undefined}',
            "bare word, then the field again": whole[:-1] + b',"tid":bogus,"tid":6}',
            "NaN beside the payload": whole[:-1] + b',"x":NaN}',
            "control character": whole[:-1] + b',"x":"\x01"}',
            "bad escape": whole[:-1] + b',"x":"\\q"}',
            "bad escape in a key": whole[:-1] + b',"\\q":1}',
            "form feed": b"\x0c" + whole,
            "mark": b"\xef\xbb\xbf" + whole,
            "number with a zero": whole.replace(b":6", b":06", 1),
            "deep beside the payload": whole[:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
            "long number beside the payload": whole[:-1] + b',"x":' + b"1" * 10_000 + b"}",
        }
        for name, line in cases.items():
            with self.subTest(name):
                self.refuse(lines(line, event(2)), 3)
                self.refuse(lines(event(1), b"\r", event(2), line, event(3)), 6)

    def test_lines_that_are_no_objects(self) -> None:
        for line in (b"[]", b"1", b'"text"', b"null", b"true", b"[" * 100_000, b"9" * 10_000, b"-", b"NaN"):
            with self.subTest(line=line[:10]):
                self.refuse(lines(line), 3)

    def test_required_fields(self) -> None:
        values: tuple[Any, ...] = (None, True, False, -1, 1.0, 1.5, "6", [], {}, [6], "", -(10**30))
        fits: dict[str, Callable[[Any], bool]] = {
            "kind": lambda value: isinstance(value, str),
            "tid": lambda _: False,
            "tid_event_idx": lambda _: False,
            "payload": lambda value: isinstance(value, dict),
        }
        for name, good in fits.items():
            with self.subTest(name=name):
                self.refuse(lines(without(name)), 3, name)
            for value in values:
                if not good(value):
                    with self.subTest(name=name, value=value):
                        self.refuse(lines(event(1) | {name: value}), 3, name)
        self.refuse(lines({}), 3, "kind")
        self.refuse(lines(event(2**62)), 3, "tid_event_idx")

    def test_doubled_index(self) -> None:
        self.refuse(lines(event(1), event(0)), 4, "tid_event_idx", "line 2")
        self.refuse(lines(event(1), event(1)), 4, "line 3")
        self.refuse(lines(event(5), event(2), event(3), event(9), b"", event(2), event(2)), 8, "line 4")
        self.refuse(lines(event(0, tid=7), event(0, tid=7)), 4, "tid 7", "line 3")
        many = [event(idx) for idx in range(1, 6000)]
        self.refuse(lines(*many, event(17, "x", {})), 6002, "line 19")

    def test_payloads_that_have_to_be_read(self) -> None:
        deep = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
        for payload in (
            b'{"name":NaN}',
            b'{"name":-Infinity}',
            b'{"name":word}',
            b'{"name":"open}',
            deep,
            b'{"name":' + b"1" * 10_000 + b"}",
            b'{"name":1e' + b"9" * 100 + b"}",
            b'{"name":"\x00"}',
        ):
            with self.subTest(payload=payload[:20]):
                self.refuse(lines(with_payload(payload)), 3)  # differs from the other side's
                create = with_payload(payload, "handle.create")
                self.refuse(lines(create), 3, other=lines(create))  # may be shared-global
                first = HEADER + with_payload(payload, idx=0) + b"\n"
                self.refuse(first, 2, other=first)  # a first call serves the pairing

    def test_by_those_that_read_whole_logs(self) -> None:
        bad = self.write("bad.log", lines(*map(event, range(1, 30)), with_payload(b'{"a":NaN}', idx=30)))
        well = self.write("good.log", lines(*map(event, range(1, 31))))
        commands = (
            ("calibrate", well, bad, "--out", str(self.directory / "out")),
            ("audit", "--canary", bad),
            ("--canary", well, "--ours", well, "--reference", bad),
        )
        for command in commands:
            with self.subTest(command=command[0]):
                self.assert_refused(run(*command), f"{bad}:32: payload: NaN is not JSON")

    def test_invalid_utf_8_in_the_beginning_that_tells_the_format(self) -> None:
        for at in range(1, 12):
            events = [event(idx, payload={"name": "caf~" if idx == at else "cafe"}) for idx in range(1, 14)]
            log = lines(*events).replace(b"~", b"\xe9")
            self.refuse(log, at + 2, "UTF-8")

    def test_payloads_that_nobody_reads(self) -> None:
        for payload in (b'{"a":NaN}', b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"a":' + b"1" * 10_000 + b"}", b"{a}"):
            with self.subTest(payload=payload[:20]):
                self.assertEqual(self.gate(*[lines(with_payload(payload))] * 2), 0)
        # far behind a divergence: what stands near to it, and at the end, is shown as evidence and read for that
        rest = [event(idx) for idx in range(2, 600) if idx != 400]
        behind = lines(event(1, "x", {}), *rest, with_payload(b'{"a":NaN}', idx=400))
        self.assertEqual(self.gate(behind, lines(event(1, "y", {}))), 1)

    def test_endless_line(self) -> None:
        path, good = self.write("bad.log", lines(event(1))), self.write("good.log", GOOD)
        with open(path, "r+b") as file:
            file.truncate(70 << 20)  # a hole of zeros: the line is long, the file takes no room
        self.assert_refused(self.run_on(path, good), f"{path}:4: ", "MiB")
        with mock.patch.object(diff_events, "MAX_LINE_BYTES", 4000):
            self.refuse(lines(b" " * 300_000, event(1)), 3, "line")
            self.refuse(b" " * 300_000 + GOOD, 1, "line")

    def test_damaged_compression(self) -> None:
        rng = random.Random(1)
        random_calls = [event(idx, payload={"name": rng.randbytes(40).hex()}) for idx in range(1500)]
        data = log_bytes(random_calls)
        short, behind = data[:999], data[999:9999].rpartition(b"\n")[0]
        for name, compress in (("gzip", gzip.compress), ("bz2", bz2.compress), ("lzma", lzma.compress)):
            whole = compress(data)
            flipped = bytearray(whole)
            flipped[len(whole) // 2] ^= 0xFF
            for damage, bad in (("half", whole[: len(whole) // 2]), ("end", whole[:-3])):
                with self.subTest(name=name, damage=damage):
                    outcome = run("--canary", self.write("bad.log", bad), "--ours", self.write("good.log", data))
                    found_none = name == "bz2" and damage == "half"  # its first block is not whole
                    self.assertEqual(outcome.code, 2 if found_none else 0)
                    told = "the last line is torn" if damage == "half" and not found_none else "ends early"
                    self.assertIn(told, outcome.err)
            self.refuse(whole[:6], None, "found compressed data that ends early")
            path = self.write("bad.log", bytes(flipped))  # what comes out may be junk long before a sum is wrong
            self.assert_refused(self.run_on(path, path), path)
            self.assertEqual(self.gate(compress(data[:999]) + bytes(8) + compress(data[999:]) + bytes(4), data), 0)
            with mock.patch.object(diff_events, "CHUNK_BYTES", 64):  # padding longer than what is read at once
                self.assertEqual(self.gate(compress(short) + bytes(400) + compress(behind), short + behind), 0)
            damaged = compress(data) + bytes(4) + compress(data)[::-1]  # a second stream, of which nothing is whole
            for bad in (damaged, whole + b"trailing junk"):
                self.refuse(bad, None, "cannot be read")

    def test_zstandard_where_python_has_none(self) -> None:
        with mock.patch.dict(sys.modules, {"compression.zstd": None}):
            self.refuse(b"\x28\xb5\x2f\xfd" + bytes(100), None, "zstd")

    def test_nothing_to_compare(self) -> None:
        for log in (HEADER, HEADER[:-1], HEADER + b"\n\n", HEADER + GOOD.splitlines()[1][:-4]):
            with self.subTest(log=log):
                self.refuse(log, None, "nothing to compare")
                self.refuse(log, None, "nothing to compare", other=log)
        path = self.write("good.log", GOOD)
        self.assert_refused(self.run_on(path, path, "--no-auto-map", "--validate-identical"), "nothing to compare")

    def test_no_pair_at_all(self) -> None:
        canary = self.write("canary.log", [event(0, payload={"name": name}, tid=n) for n, name in enumerate("ab")])
        ours = self.write("ours.log", [event(0, payload={"name": name}, tid=n) for n, name in enumerate("cd")])
        self.assert_refused(self.run_on(canary, ours), "nothing to compare")

    def test_both_bad(self) -> None:
        bad, missing = self.write("bad.log", b"junk\n"), str(self.directory / "missing")
        self.assert_refused(self.run_on(bad, bad), f"{bad}:1: ")
        self.assert_refused(self.run_on(missing, bad), missing)
        self.assert_refused(self.run_on(bad, missing), missing)

    def test_error_from_the_other_process(self) -> None:
        with several_processes():
            self.refuse(lines(event(1), event(1)), 4, "line 3")
            self.refuse(lines(b"junk"), 3)
            self.refuse(gzip.compress(GOOD) + b"trailing junk", None, "cannot be read")

    def test_names_that_could_break_the_line(self) -> None:
        path = str(self.directory / "a\nb\x1b[31m\u202e")
        Path(path).write_bytes(lines(b"junk"))
        outcome = self.run_on(path, path)
        self.assertEqual((outcome.code, outcome.err.count("\n")), (2, 1))
        self.assertTrue(outcome.err[:-1].isprintable())

    def test_shared_globals_are_read_even_if_equal(self) -> None:
        log = log_bytes([shared_create(0)]).replace(b"null", b"nil ")
        self.refuse(log, 2, other=log)


if __name__ == "__main__":
    unittest.main()
