"""What the tests of the whole program have in common: small logs, and a directory to run the command line in."""

import atexit
import contextlib
import functools
import io
import json
import math
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import diff_events

EFFORT = float(os.environ.get("DIFF_EVENTS_EFFORT", "0.5"))
"""A factor on the number of random cases: the usual run is spared half of them, CI takes several times as many."""
PROGRAM = str(Path(diff_events.__file__).resolve())
HEADER = b'{"schema_version":1,"engine":"test"}\n'
SID = "59fe0438b2bb0cfb"
"""Of (0x828f0010, Event), a test vector of the schema."""


def not_tested(what: str) -> unittest.SkipTest:
    """To be raised where something is not here that a test needs: said aloud, and a failure where CI asks for all."""
    if os.environ.get("DIFF_EVENTS_REQUIRE_ALL"):
        raise AssertionError(f"DIFF_EVENTS_REQUIRE_ALL is set, and cannot be tested: {what}")
    print(f"NOT TESTED: {what}", file=sys.stderr)
    return unittest.SkipTest(what)


def seeds(usual: int) -> range:
    """The seeds to try, so many where the effort is 1."""
    return range(math.ceil(usual * EFFORT))


def enough(usual: int) -> int:
    """How many of a sort there must be among the cases at least, where it is so many with an effort of 1."""
    return usual if EFFORT >= 1 else math.floor(usual * EFFORT / 2)


def event(
    idx: int, kind: str = "kernel.call", payload: Mapping[str, Any] | None = None, tid: int = 6
) -> dict[str, Any]:
    """One event; its payload is that of a call with a name of its own unless another is given."""
    fields = {"name": f"Call{idx}"} if payload is None else dict(payload)
    return {"kind": kind, "tid": tid, "tid_event_idx": idx, "payload": fields}


def calls(count: int, tid: int = 6) -> list[dict[str, Any]]:
    """The first events of a thread that makes one call after the other."""
    return [event(idx, tid=tid) for idx in range(count)]


def shared_create(idx: int, tid: int = 6, **other: Any) -> dict[str, Any]:
    """A shared-global create of the object in the test vector."""
    payload = {"raw_handle_id": "0x828f0010", "handle_semantic_id": SID, "object_type": "Event", "object_name": None}
    return event(idx, "handle.create", payload | other, tid)


def log_bytes(events: Iterable[Mapping[str, Any]], header: bytes = HEADER) -> bytes:
    """A log as its writer leaves it."""
    return header + b"".join(json.dumps(one).encode() + b"\n" for one in events)


class Outcome(NamedTuple):
    """What came of one run of the program."""

    code: int
    out: str
    err: str


def run(*argv: str) -> Outcome:
    """Runs the program in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = diff_events.run(argv, diff_events.Streams(out, err))
    return Outcome(int(code), out.getvalue(), err.getvalue())


def without_privileges(argv: Sequence[str]) -> Outcome:
    """Runs the program in a process that may not read and write everywhere, as the superuser may."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        outcome = run(*argv)
        os.write(writing, json.dumps(outcome).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        outcome = Outcome(*json.load(pipe))
    os.waitpid(child, 0)
    return outcome


@functools.cache
def compiled() -> str:
    """A directory with the program as bytecode: to compile it takes longer than most of what it is started for here."""
    directory = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, directory)
    py_compile.compile(PROGRAM, os.path.join(directory, "diff_events.pyc"), doraise=True)
    return directory


@functools.cache
def compiled_file() -> str:
    """A file that can be run and imported as the program can, from that bytecode; alone in its directory."""
    path = Path(compiled(), "file", "diff_events.py")
    path.parent.mkdir()
    path.write_text(
        "import importlib.util, marshal\n"
        f"__file__ = {PROGRAM!r}  # what is measured of the process belongs to that file\n"
        f"with open({os.path.join(compiled(), 'diff_events.pyc')!r}, 'rb') as file, open(__file__, 'rb') as source:\n"
        "    data = file.read()\n"
        "    is_own = data[:4] == importlib.util.MAGIC_NUMBER  # a shell may start another Python\n"
        "    code = marshal.loads(data[16:]) if is_own else compile(source.read(), __file__, 'exec')\n"
        "exec(code)\n"
    )
    return str(path)


_START = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("diff_events", os.path.join(%r, "diff_events.pyc"))
sys.modules["diff_events"] = diff_events = importlib.util.module_from_spec(spec)
diff_events.__file__ = %r  # what is measured of the process belongs to that file
sys.path.insert(0, os.path.dirname(diff_events.__file__))
spec.loader.exec_module(diff_events)
"""


def command(*argv: str, before: str = "") -> list[str]:
    """What starts the program as a process, ready to run; ``before`` is Python that the process does first."""
    return [sys.executable, "-c", f"{_START % (compiled(), PROGRAM)}\n{before}\nsys.exit(diff_events.main())", *argv]


def process(*argv: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: str | None = None) -> Outcome:
    """Runs the program as a process of its own."""
    done = subprocess.run(
        command(*argv),
        input=stdin,
        capture_output=True,
        env=os.environ | dict(env or {}),
        cwd=cwd,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def several_processes(count: int = 2, segment_bytes: int = 1) -> Iterator[None]:
    """Lets so many processes index even the smallest logs, which are cut into segments of so many bytes or more."""
    affinity = mock.patch.object(os, "sched_getaffinity", create=True, return_value=set(range(count)))
    with affinity, mock.patch.object(diff_events, "SEGMENT_BYTES", segment_bytes):
        yield


class LogTestCase(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def write(self, name: str, data: bytes | Iterable[Mapping[str, Any]]) -> str:
        """Writes a log: its bytes, or its events; returns its path."""
        path = self.directory / name
        path.write_bytes(data if isinstance(data, bytes) else log_bytes(data))
        return str(path)

    def listing(self) -> list[str]:
        """What there is in the directory, hidden files as well."""
        return sorted(os.listdir(self.directory))

    def compare(
        self, canary: bytes | Iterable[Mapping[str, Any]], ours: bytes | Iterable[Mapping[str, Any]], *options: str
    ) -> dict[str, Any]:
        """The JSON report for two logs."""
        paths = self.write("canary.jsonl", canary), self.write("ours.jsonl", ours)
        outcome = run("--canary", paths[0], "--ours", paths[1], "--quiet", "--report", "json:-", *options)
        self.assertIn(outcome.code, (0, 1), outcome.err)
        document: dict[str, Any] = json.loads(outcome.out)
        return document

    def gate(self, canary: bytes | Iterable[Mapping[str, Any]], ours: bytes | Iterable[Mapping[str, Any]]) -> int:
        """The exit code of the gate for two logs."""
        paths = self.write("canary.jsonl", canary), self.write("ours.jsonl", ours)
        outcome = run("--canary", paths[0], "--ours", paths[1], "--quiet", "--validate-identical")
        self.assertNotEqual(outcome.code, 2, outcome.err)
        return outcome.code
