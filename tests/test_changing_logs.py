"""Logs that change, stop or come slowly while they are read, and processes that end while they read."""

import gzip
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import diff_events
from tests.support import HEADER, LogTestCase, calls, command, event, log_bytes, run


class ChangingLogs(LogTestCase):
    def outcome_of(self, change: Callable[[Path], object]) -> tuple[int, str]:
        """What is said of a log that changes when its header was read."""
        canary, ours = self.write("canary", calls(9)), self.write("ours", calls(9))
        check_header = diff_events.check_header
        lines = []

        def check_and_change(line: bytes) -> None:
            check_header(line)
            lines.append(line)
            if len(lines) == 2:
                change(Path(ours))

        with mock.patch.object(diff_events, "check_header", check_and_change):
            outcome = run("--canary", canary, "--ours", ours, "--validate-identical")
        return outcome.code, outcome.err

    def assert_refused(self, change: Callable[[Path], object]) -> None:
        code, err = self.outcome_of(change)
        self.assertEqual(code, 2)
        self.assertRegex(err, r"\A[^\n]*ours: it was changed while it was read\n\Z")

    def test_rewritten(self) -> None:
        def rewrite(path: Path) -> None:
            time.sleep(0.02)
            path.write_bytes(path.read_bytes().replace(b"Call3", b"Call0"))

        self.assert_refused(rewrite)

    def test_truncated(self) -> None:
        self.assert_refused(lambda path: os.truncate(path, 300))
        self.assert_refused(lambda path: os.truncate(path, 0))

    def test_replaced(self) -> None:
        self.assert_refused(lambda path: os.replace(self.write("other", calls(9)), path))

    def test_grown(self) -> None:
        def grow(path: Path) -> None:
            with path.open("ab") as file:
                file.write(log_bytes([event(9)], b""))

        code, err = self.outcome_of(grow)
        self.assertEqual(code, 0)
        self.assertIn("ours: it grew while it was read", err)

    def test_grown_where_compressed_data_ends_early(self) -> None:
        """One warning does not hide the other."""
        cut = gzip.compress(log_bytes(calls(9)))[:-8]
        with mock.patch.object(diff_events.LogSource, "has_grown", return_value=True):
            outcome = run("--canary", self.write("canary", cut), "--ours", self.write("ours", calls(9)))
        self.assertIn("canary: it grew while it was read", outcome.err)
        self.assertIn("the compressed data ends early", outcome.err)

    def test_changed_before_an_event_is_read_back(self) -> None:
        canary, other = self.write("canary", calls(9)), calls(9)
        other[4]["payload"]["name"] = "other"
        ours = self.write("ours", other)
        finish = diff_events._LogBuilder.finish

        def finish_and_truncate(builder: diff_events._LogBuilder) -> diff_events.LogIndex:
            index = finish(builder)
            os.truncate(ours, 100)
            return index

        with mock.patch.object(diff_events._LogBuilder, "finish", finish_and_truncate):
            outcome = run("--canary", canary, "--ours", ours)
        self.assertEqual((outcome.code, outcome.err.count("\n")), (2, 1), outcome.err)
        self.assertIn("changed while it was read", outcome.err)


class Pipes(LogTestCase):
    def test_what_the_shell_has_read_stays_read(self) -> None:
        path = self.write("log", b"a line of the shell's\n" + log_bytes(calls(3)))
        other = self.write("other", calls(3))
        argv = command("--canary", "-", "--ours", other, "--validate-identical")
        with open(path, "rb") as log:
            line = ["sh", "-c", 'read -r line; "$@"', "sh", *argv]
            done = subprocess.run(line, stdin=log, capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_slow_pipe(self) -> None:
        data = log_bytes(calls(30))
        path = self.write("log", data)
        for text in (data, gzip.compress(data)):
            reading, writing = os.pipe()

            def write(text: bytes = text, writing: int = writing) -> None:
                for start in range(0, len(text), 40):
                    os.write(writing, text[start : start + (1 if start < 400 else 40)])
                    if start < 400:
                        os.write(writing, text[start + 1 : start + 40])
                os.close(writing)

            writer = threading.Thread(target=write)
            writer.start()
            with os.fdopen(reading, "rb") as stream, mock.patch.object(os, "dup", lambda _, s=stream: os.open(
                f"/proc/self/fd/{s.fileno()}", os.O_RDONLY
            )):  # fmt: skip
                outcome = run("--canary", "-", "--ours", path, "--validate-identical")
            writer.join()
            self.assertEqual((outcome.code, outcome.err), (0, ""))

    def test_a_full_disk(self) -> None:
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here: a full disk was not tried")
        path = self.write("log.gz", gzip.compress(log_bytes(calls(3))))
        with mock.patch.object(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "r+b", buffering=0)):
            outcome = run("--canary", path, "--ours", path)
        self.assertEqual(outcome.code, 2)
        self.assertRegex(outcome.err, r"log.gz: a copy of it cannot be kept in a temporary file: No space left")


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@unittest.skipUnless(os.access(f"/proc/{os.getpid()}/task/{os.getpid()}/children", os.R_OK), "no /proc here")
class EndedProcesses(LogTestCase):
    """Neither a signal to the program nor one to its helpers leaves a process behind, or goes unnoticed."""

    def setUp(self) -> None:
        super().setUp()
        path = self.write("log", calls(100))
        self.held = Path(self.write("held", b""))  # while it is there, every helper stays at its first segment
        held = (
            "import diff_events as d, os, time; os.sched_getaffinity = lambda _: {0, 1, 2}; d.SEGMENT_BYTES = 1000\n"
            f"begun = lambda: open({str(self.held)!r} + str(os.getpid()), 'w').close()\n"
            f"held = lambda: os.path.exists({str(self.held)!r}) and (time.sleep(0.02), True)\n"
            "index = d._SegmentIndexer.index\n"
            "d._SegmentIndexer.index = lambda *a: (begun(), all(iter(held, False)), index(*a))[1]"
        )
        self.program = subprocess.Popen(
            command("--canary", path, "--ours", path, before=held), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.addCleanup(self.program.communicate)
        self.addCleanup(self.program.kill)
        self.addCleanup(self.held.unlink, missing_ok=True)
        deadline = time.monotonic() + 30
        while len(children_of(self.program.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.children = children_of(self.program.pid)
        self.assertEqual(len(self.children), 3)

    def assert_all_end(self) -> None:
        deadline = time.monotonic() + 30
        alive = self.children
        while alive and time.monotonic() < deadline:
            time.sleep(0.05)
            alive = [pid for pid in alive if Path(f"/proc/{pid}/cmdline").exists() and
                     Path(f"/proc/{pid}/cmdline").read_bytes()]  # fmt: skip
        self.assertEqual(alive, [])

    def test_the_program_is_terminated(self) -> None:
        self.program.terminate()
        self.held.unlink()
        self.program.communicate(timeout=30)
        self.assert_all_end()

    def test_the_program_is_killed(self) -> None:
        self.program.kill()
        self.held.unlink()
        self.program.communicate(timeout=30)
        self.assert_all_end()

    def test_a_helper_is_killed(self) -> None:
        deadline = time.monotonic() + 30  # one that has work: the others could do without an idle one
        busy: list[int] = []
        while not busy and time.monotonic() < deadline:
            time.sleep(0.02)
            busy = [pid for pid in self.children if Path(f"{self.held}{pid}").exists()]
        os.kill(busy[0], signal.SIGKILL)
        self.held.unlink()
        _, err = self.program.communicate(timeout=60)
        self.assertEqual(self.program.returncode, 2)
        self.assertRegex(err.decode(), r"\A[^\n]*the process that read it ended with -9\n\Z")
        self.assert_all_end()


class Acceptance(LogTestCase):
    """What is accepted never depends on what was learned, and the usual writer's lines are read the fast way."""

    def index(self, data: bytes) -> diff_events.LogIndex:
        source = diff_events.LogSource(self.write("log", data))
        self.addCleanup(source.close)
        return diff_events.index_logs([source], processes=1)[0]

    def test_a_long_number(self) -> None:
        line = b'{"kind":"k","tid":1,"tid_event_idx":%d,"host_ns":%s,"payload":{}}\n'
        for before in range(3):
            known = b"".join(line % (idx, b"1") for idx in range(before))
            with self.assertRaises(diff_events.InputError) as refusal:
                self.index(HEADER + known + line % (before, b"1" * 5000))
            self.assertEqual((refusal.exception.lineno, refusal.exception.field), (before + 2, "host_ns"))

    def test_the_first_of_two_payloads(self) -> None:
        line = b'{"kind":"k","tid":1,"tid_event_idx":0,"payload":%s,"payload":{}}\n'
        self.assertEqual(self.index(HEADER + line % b"1").events, 1)
        with self.assertRaises(diff_events.InputError):
            self.index(HEADER + line % b"{word}")

    def test_the_greatest_index(self) -> None:
        line = b'{"kind":"k","tid":1,"tid_event_idx":%d,"payload":{}}\n'
        self.assertEqual(self.index(HEADER + line % diff_events.MAX_IDX).events, 1)
        with self.assertRaises(diff_events.InputError):
            self.index(HEADER + line % (diff_events.MAX_IDX + 1))

    def test_few_lines_are_read_the_slow_way(self) -> None:
        events = [event(idx, payload={"name": "f", "n": {"a": {"b": [idx]}}}) for idx in range(1000)]
        layouts = {
            "plain": [{"engine": "e", "host_ns": idx, **one} for idx, one in enumerate(events)],
            "floats": [{"t": idx / 2, **one} for idx, one in enumerate(events)],
            "arrays": [{"t": [1, {"a": None}], **one} for one in events],
            "behind": [one | ({"z": {"a": 1}} if idx % 9 == 0 else {}) for idx, one in enumerate(events)],
            "orders": [dict(sorted(one.items(), reverse=idx % 2 == 0)) for idx, one in enumerate(events)],
            "escapes": [{"path": "C:\\x\n", **one, "payload": {"p": 'a\\"{'}} for one in events],
        }
        for name, lines in layouts.items():
            for separators in ((",", ":"), (", ", ": ")):
                data = "".join(json.dumps(line, separators=separators) + "\n" for line in lines)
                for end in (b"\n", b"\r\n", b"\n\n"):
                    with self.subTest(name=name, end=end):
                        index = self.index(HEADER + data.encode().replace(b"\n", end))
                        self.assertEqual(index.events, 1000)
                        self.assertLess(index.exact_lines, 20)


if __name__ == "__main__":
    unittest.main()
