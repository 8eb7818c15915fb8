#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Where, exactly, do two programs that should behave alike first part ways, and why?

    python3 diff_events.py --canary c.jsonl --ours o.jsonl
    python3 diff_events.py --canary c.jsonl --ours o.jsonl --validate-identical

Two engines run the same guest program and each writes a log of its events (schema-v1.md). This file reads both and
reports, per guest thread, the first event where behaviour differs, and what became of it. It is a program and a
module: `diff_logs` compares, `render_markdown` and its siblings put a `Report` into words.

Nearly all events of two good logs are equal, so hardly any is decoded: each log is indexed in one pass, which keeps
a fingerprint of each event and no text. An equal fingerprint is trusted; a different one is only a question, and
then the two events are read back from the file and the exact rules decide.

A definition uses only what stands above it. The four parts, from top to bottom:

Common:

    vocabulary · shared enums, kinds of warnings, limits and exit codes
    errors · what the user can mend
    JSON values · strict reading, equality by value, the fields that differ
    text that is safe to show · escapes, shortening
    schemas · fields in a short notation, and what is wrong with an object
    document · blocks, and writers for plain text, Markdown and HTML
    writing files · whole or not at all
    reading · the bytes of a log: compression, pipes, chunks of lines

Event logs:

    events · what a line must be; line layouts that are learned
    rules · which fields are skipped, shared-global objects, when two events are equal
    profile · what may differ, and why: rules that a person reviews
    fingerprints · 64 bits that stand for what counts of an event
    index · one pass over a log: streams, and where to find an event again
    two logs at once · spellings of payloads, processes, progress
    pairing · which thread of ours is which thread of canary
    alignment · where two streams match after a difference, and what happened between
    walk · a pair of threads, event by event
    hiding · the differences that a profile lets pass
    statuses · what statuses and other numbers are called
    report model · everything that a comparison found, as values
    identity · which object is which, and where events are about different ones
    calls · what a thread is in the midst of
    order · which event of a log came first, and which stands against which of the other log
    names · what each engine calls the same objects
    divergences and their sorts · what differs, and which differences are alike
    causes · which divergence follows which, and where to start
    comparison · from two paths to a `Report`
    learning noise · what differs between runs of one program, as a profile
    audit · what a comparison would not see
    report text · a `Report` as a document: Markdown, text, the words of warnings
    JSON report · a `Report` for programs
    baseline · a report against that of an earlier run
    HTML · one page with lanes and evidence
    calibration report · what was learned, and how far it can be trusted
    JUnit · a test case for each pair
    show · the aligned events of a pair of threads around one of them

Agent traces:

    agent traces · what a coding agent did, record by record
    shell words · the commands of a text and their words, as a shell reads them
    equivalence rules · when two agents' actions are the same, tool by tool
    sovereignty · what a student may never do, and what a trace alone does not tell
    parity · two traces, action by action, and their score

Logs and traces:

    contracts · thresholds, allow list and matrix: TOML, JSON, plain YAML
    corpus and coverage · a folder of fixtures
    cut · a small fixture that reproduces one divergence
    validation · a file against its schema
    renderers: parity, corpus, validation · the same for agent traces, corpora and checked files
    command line · options, report formats, outputs, exit codes
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # exit code 1 would mean a divergence
    sys.stderr.write("diff_events.py: error: Python 3.11 or newer is needed\n")
    raise SystemExit(2)

import os
import signal

if __name__ == "__main__":  # until `main` can do better: no traceback, and never exit code 1
    sys.excepthook = lambda kind, error, _: (sys.stderr.write(f"diff_events.py: {error!r}\n"), os._exit(2))
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import bisect
import contextlib
import dataclasses
import enum
import fnmatch
import functools
import heapq
import importlib
import io
import itertools
import json
import math
import posixpath
import re
import stat
import threading
import time
import zlib
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter, itemgetter
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, NoReturn, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from fractions import Fraction
    from ipaddress import IPv4Address, IPv6Address
    from multiprocessing.connection import Connection

__version__ = "1.0.0"

__all__ = [
    "Contract",
    "DiffEventsError",
    "DiffOptions",
    "InputError",
    "ParityReport",
    "Report",
    "Trace",
    "compute_parity_score",
    "corpus_json",
    "diff_logs",
    "parity_json",
    "parity_markdown",
    "parse_trace",
    "read_contract",
    "read_matrix",
    "render_html",
    "render_junit",
    "render_markdown",
    "report_json",
    "score_corpus",
    "validate_file",
]


# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████
# ██ COMMON
# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████


# ══ vocabulary ════════════════════════════════════════════════════════════════════════════════════════════════════


_T = TypeVar("_T")
_U = TypeVar("_U")
_T_co = TypeVar("_T_co", covariant=True)


def _names(text: str) -> frozenset[str]:
    """The words of a text: how long sets of names are written."""
    return frozenset(text.split())


class ExitCode(enum.IntEnum):
    """What the process says to its caller. Nothing but a gate that does not hold may ever exit 1."""

    OK = 0
    GATE = 1
    ERROR = 2
    SKIP = 125
    """An error under ``--bisect``: `git bisect run` takes it for a commit that cannot be told."""
    INTERRUPTED = 130
    TERMINATED = 143


class Side(enum.Enum):
    """Which of the two logs."""

    CANARY = "canary"
    OURS = "ours"

    @property
    def other(self) -> Side:
        """The other one."""
        return Side.OURS if self is Side.CANARY else Side.CANARY


@dataclass(frozen=True, slots=True)
class Both(Generic[_T_co]):
    """One thing of each log.

    >>> Both(3, 4).map(str)
    Both(canary='3', ours='4')
    >>> list(Both(3, 4)), Both(3, 4)[Side.OURS]
    ([3, 4], 4)
    >>> dict(Both(3, 4).items())
    {'canary': 3, 'ours': 4}
    """

    canary: _T_co
    ours: _T_co

    def __iter__(self) -> Iterator[_T_co]:
        return iter((self.canary, self.ours))

    def __getitem__(self, side: Side) -> _T_co:
        return self.canary if side is Side.CANARY else self.ours

    def items(self) -> tuple[tuple[str, _T_co], ...]:
        """Each under the name of its side."""
        return ("canary", self.canary), ("ours", self.ours)

    def map(self, function: Callable[[_T_co], _T]) -> Both[_T]:
        """The same for what ``function`` makes of each."""
        return Both(function(self.canary), function(self.ours))


def grouped(pairs: Iterable[tuple[_T, _U]]) -> dict[_T, list[_U]]:
    """Values by key.

    >>> grouped([("a", 1), ("b", 2), ("a", 3)])
    {'a': [1, 3], 'b': [2]}
    """
    groups: dict[_T, list[_U]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


class WarningKind(enum.Enum):
    """What a reader of the report must know of a log, though it refuses nothing."""

    TORN_TAIL = "torn_tail"
    HOLE = "hole"
    GROWN = "grown"
    SWAPPED = "swapped"
    SAME_FILE = "same_file"


class PairStatus(enum.Enum):
    """How the walk of a pair of threads ended."""

    IDENTICAL = "identical"
    DIVERGED = "diverged"
    CANARY_ENDED = "canary_ended"
    OURS_ENDED = "ours_ended"


class Mismatch(enum.Enum):
    """In what two events differ, the first that applies."""

    MISSING = "missing"
    KIND = "kind"
    PAYLOAD = "payload"


class Verdict(enum.Enum):
    """What the gate says of two logs."""

    IDENTICAL = "identical"
    DIVERGENT = "divergent"


class Missing(enum.Enum):
    """The value of a field that one side does not have: absent and ``null`` are different."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

MAX_LINE_BYTES: Final = 64 << 20
"""A longer line is refused: no event is that big, and a file without newlines must not fill the memory."""

MAX_NESTING: Final = 256
"""Deeper JSON is refused: well below what every supported Python's own reader bears."""


# ══ errors ════════════════════════════════════════════════════════════════════════════════════════════════════════


class DiffEventsError(Exception):
    """What the user can mend: printed as one line on standard error, exit 2."""


class UsageError(DiffEventsError):
    """The options contradict each other, or name what is not there."""


class InputError(DiffEventsError):
    """A file that cannot be read as what it should be.

    >>> str(InputError("o.jsonl", "expected an object", lineno=7, field="payload"))
    'o.jsonl:7: payload: expected an object'
    """

    def __init__(self, source: str, problem: str, *, lineno: int | None = None, field: str | None = None) -> None:
        name = source or "''"
        place = name if lineno is None else f"{name}:{lineno}"
        super().__init__(f"{place}: {field}: {problem}" if field else f"{place}: {problem}")
        self.source, self.problem, self.lineno, self.field = source, problem, lineno, field

    def __reduce__(self) -> tuple[Callable[..., InputError], tuple[object, ...]]:
        """Lets the error cross from the process that met it to the one that reports it."""
        rebuild = functools.partial(InputError, lineno=self.lineno, field=self.field)
        return rebuild, (self.source, self.problem)


class EndsEarlyError(InputError):
    """A compressed file whose writer was stopped; the lines before that place were read."""


class OutputError(DiffEventsError):
    """A report that cannot be written."""


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end: it puts away what it has begun, as at an interrupt."""


class NotJsonError(ValueError):
    """Text that is not the JSON that was expected. Whoever knows file and line turns it into `InputError`."""

    def __init__(self, problem: str, field: str | None = None) -> None:
        super().__init__(problem)
        self.field = field


# ══ JSON values ═══════════════════════════════════════════════════════════════════════════════════════════════════


def finite_float(text: str) -> float:
    """The double that a text stands for; a text past the largest one is as little JSON here as ``NaN``."""
    value = float(text)
    if math.isinf(value):
        raise NotJsonError("a number past what a double holds")
    return value


def _refuse_constant(name: str) -> object:
    raise NotJsonError(f"{name} is not JSON")


_BRACKETS_AND_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')


def _nesting(text: str) -> int:
    """The greatest depth of arrays and objects in ``text``, found without recursion."""
    depth = deepest = 0
    for token in _BRACKETS_AND_STRINGS.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in ("]", "}"):
            depth -= 1
    return deepest


_STRICT_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=finite_float)
"""`json.loads` with options builds a new decoder at each call, which takes as long as to read an event."""


def parse_json(text: bytes | str) -> object:
    """The value of one JSON text (UTF-8), read strictly: no ``NaN``, no endless nesting, numbers by value.

    Of two equal keys the last one counts, as everywhere in Python. Raises `NotJsonError` with what was found.

    >>> parse_json('{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> parse_json('NaN')
    Traceback (most recent call last):
    ...
    diff_events.NotJsonError: NaN is not JSON
    """
    try:
        string = text if isinstance(text, str) else text.decode()
        if string.count("[") + string.count("{") > MAX_NESTING and _nesting(string) > MAX_NESTING:
            raise NotJsonError(f"nested deeper than {MAX_NESTING} levels")
        value: object = _STRICT_DECODER.decode(string)
    except NotJsonError:
        raise
    except UnicodeDecodeError as error:
        raise NotJsonError(f"invalid UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise NotJsonError(f"invalid JSON: {error.msg.removesuffix(' at')}") from error
    except ValueError as error:
        raise NotJsonError("a number with more digits than can be read") from error
    return value


def is_json_object(text: bytes) -> bool:
    """Whether ``text`` is a whole JSON object, even if numbers or depth exceed what `parse_json` accepts."""
    try:
        return isinstance(json.loads(text.decode(), parse_int=str, parse_float=str), dict)  # numbers of any length
    except ValueError:
        return False
    except RecursionError:  # a depth that cannot be read
        return text.rstrip().endswith(b"}")


def doubled_keys(text: bytes | str) -> list[str]:
    """The keys that stand twice in one object of a JSON text that `parse_json` has read.

    >>> doubled_keys('{"a": {"b": 1, "b": 2}, "c": 3}')
    ['b']
    """
    doubled: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        if len({key for key, _ in pairs}) < len(pairs):
            doubled.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

    json.loads(text, object_pairs_hook=note)
    return doubled


def json_type(value: object) -> str:
    """The name of a value's JSON type, for messages: ``expected an object, found`` + this.

    >>> json_type(True), json_type(1), json_type(None)
    ('a boolean', 'a number', 'null')
    """
    if value is MISSING:
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names: dict[type, str] = {str: "a string", dict: "an object", list: "an array"}
    return names.get(type(value), "a number")


def json_equal(left: object, right: object) -> bool:
    """Whether two parsed values are the same JSON value: ``true`` is never ``1``, and ``1`` is ``1.0``.

    >>> json_equal({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), json_equal(True, 1), json_equal(None, MISSING)
    (True, False, False)
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return left == right


def _spelled_integer(value: object) -> int | None:
    """The integer that a value is, or that its text spells in decimal or hexadecimal."""
    if isinstance(value, str):
        base = 16 if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", value) else 10
        return int(value, base) if base == 16 or re.fullmatch(r"-?[0-9]{1,20}", value) else None
    return value if type(value) is int else None


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One leaf that differs. A side that lacks it is `MISSING`."""

    path: str
    values: Both[object]

    @property
    def is_spelling(self) -> bool:
        """Whether both sides have one value in two spellings: signed or unsigned, number or text, case of hex digits.

        >>> values = ((-1, 0xFFFFFFFF), (-1, "0xffffffffffffffff"), ("255", 255), ("00FFAA11", "00ffaa11"), (-1, 255))
        >>> [FieldDifference("payload.status", Both(*pair)).is_spelling for pair in values]
        [True, True, True, True, False]
        """
        if all(isinstance(side, str) and re.fullmatch(r"[0-9a-fA-F]{8,}", side) for side in self.values):
            return str(self.values.canary).lower() == str(self.values.ours).lower()
        low, high = self.values.map(_spelled_integer)
        if low is None or high is None:
            return False
        low, high = min(low, high), max(low, high)
        return low == high or any(-(1 << bits - 1) <= low < 0 and high - low == 1 << bits for bits in (32, 64))


def member_path(path: str, key: str) -> str:
    """The path of a member of the object at ``path``.

    >>> member_path("payload", "name"), member_path("payload", "args-0"), member_path("", "name")
    ('payload.name', 'payload["args-0"]', 'name')
    """
    if not key.isidentifier():
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def field_differences(canary: object, ours: object, path: str) -> Iterator[FieldDifference]:
    """Every leaf in which two values differ, in the order of canary's, then what only ours has.

    >>> list(field_differences({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]}, "payload"))
    [FieldDifference(path='payload.b[1]', values=Both(canary=2, ours=3))]
    """
    if isinstance(canary, dict) and isinstance(ours, dict):
        for key in (*canary, *(key for key in ours if key not in canary)):
            yield from field_differences(canary.get(key, MISSING), ours.get(key, MISSING), member_path(path, key))
    elif isinstance(canary, list) and isinstance(ours, list):
        for number in range(max(len(canary), len(ours))):
            one, other = (side[number] if number < len(side) else MISSING for side in (canary, ours))
            yield from field_differences(one, other, f"{path}[{number}]")
    elif not json_equal(canary, ours):
        yield FieldDifference(path, Both(canary, ours))


# ══ text that is safe to show ═════════════════════════════════════════════════════════════════════════════════════


def printable(text: str) -> str:
    r"""``text`` with everything escaped that could move a cursor, break a line or turn the reading direction.

    >>> printable("a\x1b[31m\n\u202e")
    'a\\x1b[31m\\n\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters of ``text``, then how long it really is.

    >>> shorten("abcdefgh", 4)
    'abcd… (8 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def json_text(value: object) -> str:
    """One line of JSON for a parsed value, ``∅`` for a field that is not there.

    >>> json_text({"a": [True, None]})
    '{"a": [true, null]}'
    """
    return "∅" if value is MISSING else json.dumps(value, ensure_ascii=False, default=str)


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Which of some words may be meant; nothing where none is like it.

    >>> nearest("--quite", ["--out", "--quiet"])
    '--quiet'
    """
    import difflib  # here, so that only who mistypes waits for it

    return next(iter(difflib.get_close_matches(word, list(known), 1, likeness)), "")


# ══ schemas ═══════════════════════════════════════════════════════════════════════════════════════════════════════


class Severity(enum.Enum):
    """An error deviates from the schema; a warning is legal, but worth a look; advice makes for better reports."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Finding(enum.Enum):
    """The kinds of problems that a file can have, each with its severity: a closed set."""

    severity: Severity

    def __new__(cls, code: str, severity: Severity) -> Finding:
        finding = object.__new__(cls)
        finding._value_, finding.severity = code, severity
        return finding

    JSON = ("json", Severity.ERROR)
    DOUBLED_KEY = ("doubled_key", Severity.ERROR)
    FIELD = ("field", Severity.ERROR)
    HEADER = ("header", Severity.ERROR)
    ORDER = ("order", Severity.ERROR)
    DOUBLED_INDEX = ("doubled_index", Severity.ERROR)
    WRONG_SID = ("wrong_sid", Severity.ERROR)
    UNKNOWN_TOOL_USE = ("tool_result", Severity.ERROR)
    TORN_TAIL = ("torn_tail", Severity.WARNING)
    UNKNOWN_FIELD = ("unknown_field", Severity.WARNING)
    PAYLOAD = ("payload", Severity.WARNING)
    HOLE = ("hole", Severity.WARNING)
    OUT_OF_ORDER = ("out_of_order", Severity.WARNING)
    NEVER_CREATED = ("never_created", Severity.WARNING)
    WAIT_NOT_BEGUN = ("wait_not_begun", Severity.WARNING)
    NO_EVENTS = ("no_events", Severity.WARNING)
    NO_END = ("no_end", Severity.WARNING)
    SECOND_RESULT = ("second_result", Severity.WARNING)
    RAW_HANDLE = ("raw_handle", Severity.ADVICE)
    NEGATIVE_STATUS = ("negative_status", Severity.ADVICE)
    FALLING_CLOCK = ("falling_clock", Severity.ADVICE)
    LONELY_IDS = ("lonely_ids", Severity.ADVICE)
    NO_CREATIONS = ("no_creations", Severity.ADVICE)
    NOTHING_REPEATS = ("nothing_repeats", Severity.ADVICE)
    REUSED_ID = ("reused_id", Severity.WARNING)
    BLOCK_EXIT_CODE = ("block_exit_code", Severity.WARNING)
    FILE_STATE = ("file_state", Severity.WARNING)
    SESSION_ID = ("session_id", Severity.WARNING)

    def severity_if(self, strict: bool) -> Severity:
        """The severity; with ``strict``, unknown fields and session ids that are no UUID are errors."""
        return Severity.ERROR if strict and self in (Finding.UNKNOWN_FIELD, Finding.SESSION_ID) else self.severity


class Problem(NamedTuple):
    """One deviation of a record from its schema. ``lineno`` is 0 if the caller knows it."""

    finding: Finding
    field: str | None
    text: str
    lineno: int = 0

    @property
    def is_error(self) -> bool:
        """Whether it is a reason to refuse the file."""
        return self.finding.severity is Severity.ERROR


class FieldType(NamedTuple):
    """What a field accepts, how a message describes that, and for a list the type of its items."""

    expected: str
    accepts: Callable[[object], bool]
    item: FieldType | None = None


class Field(NamedTuple):
    """One field of a record."""

    name: str
    type: FieldType
    required: bool = True


def _is_timestamp(value: object) -> bool:
    import datetime  # here, so that only who reads a trace waits for it

    try:
        return isinstance(value, str) and "T" in value and bool(datetime.datetime.fromisoformat(value))
    except ValueError:
        return False


FIELD_TYPES: Final[Mapping[str, FieldType]] = {
    "any": FieldType("a value", lambda value: value is not MISSING),
    "array": FieldType("an array", lambda value: isinstance(value, list)),
    "bool": FieldType("a boolean", lambda value: isinstance(value, bool)),
    "int": FieldType("a whole number", lambda value: type(value) is int),
    "null": FieldType("null", lambda value: value is None),
    "object": FieldType("an object", lambda value: isinstance(value, dict)),
    "sha256": FieldType("64 hex digits", lambda v: isinstance(v, str) and bool(re.fullmatch("[0-9a-fA-F]{64}", v))),
    "str": FieldType("a string", lambda value: isinstance(value, str)),
    "time": FieldType("an ISO-8601 timestamp", _is_timestamp),
    "version": FieldType("the version 1", lambda value: type(value) is int and value == 1),
}
"""The types that the notation of fields knows by name."""


def field_type(notation: str, types: Mapping[str, FieldType] = FIELD_TYPES) -> FieldType:
    """A type: a name in ``types``, ``int>=2``, ``str[]`` (a list), a union ``str|null``, or strings ``allow|block``.

    >>> [field_type(notation).expected for notation in ("int>=2|null", "str[]|null", "allow|block")]
    ['a whole number from 2 or null', 'a list, each item a string or null', 'one of allow, block']
    """
    names = notation.split("|")
    if len(names) > 1 and re.split(r"\[|>", names[0])[0] not in types:
        return FieldType(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)
    if len(names) > 1:
        chosen = [field_type(name, types) for name in names]
        expected, item = " or ".join(one.expected for one in chosen), chosen[0].item
        return FieldType(expected, lambda value: any(one.accepts(value) for one in chosen), item)
    if notation.endswith("[]"):
        each = field_type(notation.removesuffix("[]"), types)
        expected = f"a list, each item {each.expected}"
        return FieldType(expected, lambda value: isinstance(value, list) and all(map(each.accepts, value)), each)
    if notation.startswith("int>="):
        least = int(notation.removeprefix("int>="))
        return FieldType(f"a whole number from {least}", lambda value: type(value) is int and value >= least)
    return types[notation]


def fields(notation: str, types: Mapping[str, FieldType] = FIELD_TYPES) -> tuple[Field, ...]:
    """The fields of an object, each as ``name:type``, with ``?`` behind it where the field may be absent.

    >>> [(field.name, field.required) for field in fields("turn:int>=1 cwd:str?")]
    [('turn', True), ('cwd', False)]
    """
    pairs = (field.partition(":")[::2] for field in notation.split())
    return tuple(Field(name, field_type(kind.rstrip("?"), types), not kind.endswith("?")) for name, kind in pairs)


def described(value: object) -> str:
    """How a message names a value that is not what was expected.

    >>> described("x"), described([1]), described([]), described(MISSING)
    ('a string: "x"', 'an array', 'an empty array', 'nothing')
    """
    if isinstance(value, list) and not value:
        return "an empty array"
    if value is MISSING or value is None or isinstance(value, dict | list):
        return json_type(value)
    return f"{json_type(value)}: {shorten(printable(json_text(value)), 60)}"


def field_problems(
    record: Mapping[str, object], expected: Sequence[Field], path: str = "", known: Collection[str] = ()
) -> Iterator[Problem]:
    """What is wrong with the fields of one object; ``known`` are further keys that are allowed."""
    for one in expected:
        value = record.get(one.name, MISSING)
        if (one.required or value is not MISSING) and not one.type.accepts(value):
            at, accepted = member_path(path, one.name), one.type
            if accepted.item and isinstance(value, list):
                accepted = accepted.item
                n, value = next((n, item) for n, item in enumerate(value) if not accepted.accepts(item))
                at += f"[{n}]"
            yield Problem(Finding.FIELD, at, f"expected {accepted.expected}, found {described(value)}")
    names = {*known, *(one.name for one in expected)}
    for name in record:
        if name not in names:
            yield Problem(Finding.UNKNOWN_FIELD, printable(member_path(path, name)), "unknown field")


# ══ document ══════════════════════════════════════════════════════════════════════════════════════════════════════


_CODE, _LITERAL, _FOREIGN_ENDS, _CHANGE, _CHANGE_ENDS = "\x02\x04\x03\x05\x06"
"""Marks within the texts of a document; printable text has none of them."""


def quoted(text: str) -> str:
    """Foreign text within a text of a document, to be shown as code.

    >>> TextWriter().text(f"it ended inside {quoted('**NtClose**')}, **not** after it")
    'it ended inside **NtClose**, not after it'
    """
    return f"{_CODE}{printable(text)}{_FOREIGN_ENDS}"


def literal(text: str) -> str:
    """Foreign text within a text of a document, to be shown like the words around it."""
    return f"{_LITERAL}{printable(text)}{_FOREIGN_ENDS}"


def quoted_changes(text: str) -> str:
    """The same as `quoted` for a text of `differing`."""
    return f"{_CODE}{text}{_FOREIGN_ENDS}"


def without_changes(text: str) -> str:
    """A text of `differing` without its marks."""
    return text.translate({ord(_CHANGE): None, ord(_CHANGE_ENDS): None})


def shorten_changes(text: str, limit: int) -> str:
    """The same as `shorten` for a text of `differing`, of which marks are not told as characters."""
    length, head = len(without_changes(text)), text[:limit]
    ends = _CHANGE_ENDS * (head.count(_CHANGE) > head.count(_CHANGE_ENDS))
    return text if length <= limit else f"{head}{ends}… ({length:,} characters)"


def _equal_beginning_of(one: str, other: str) -> int:
    different = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(different, min(len(one), len(other)))


def differing(texts: Both[str], width: int) -> Both[str]:
    """Two foreign texts with marks around what differs; a long one is cut to ``width`` around where that begins.

    >>> differing(Both("a" * 90 + "b", "a" * 90 + "cd"), 9).map(without_changes)
    Both(canary='…aaab (91 characters)', ours='…aaacd (92 characters)')
    """
    shown = texts.map(printable)
    begin = _equal_beginning_of(*shown)
    equal_end = _equal_beginning_of(*(text[begin:][::-1] for text in shown))

    def cut(text: str) -> str:
        start = max(0, begin - width // 3) if len(text) > width else 0
        end, stop = max(begin, min(len(text) - equal_end, start + width)), start + width
        before, change, after = text[start:begin], text[begin:end], text[end : max(end, stop)]
        length = f"{'…' if stop < len(text) else ''} ({len(text):,} characters)" if len(text) > width else ""
        return f"{'…' if start else ''}{before}{_CHANGE}{change}{_CHANGE_ENDS}{after}{length}"

    return shown.map(cut)


class Table(NamedTuple):
    """Rows of texts and counts; a heading that ends in ``>`` is that of a column of numbers, aligned right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]


class DiffLine(NamedTuple):
    """An event of one side: its index and line, and what it says (foreign text, perhaps that of `differing`)."""

    location: str
    text: str


class DiffRow(NamedTuple):
    """Two events that match, two that are compared, or what stands in a block without counterparts."""

    lines: Both[DiffLine | None]
    matches: bool = False
    compared: bool = False


def gap(text: str) -> DiffRow:
    """A row without a location, which says what is omitted there."""
    return DiffRow(Both(DiffLine("", text), None), matches=True)


class Diff(NamedTuple):
    """Two sequences side by side."""

    rows: Sequence[DiffRow]


Block: TypeAlias = "str | Sequence[str] | Table | Diff | Details"
"""A part of a document. A text is a paragraph, or after ``#``, ``##`` or ``###`` a heading: own words, ``**strong**``
or ``*emphasis*``, `quoted` and `literal`. Several texts are a list."""


class Details(NamedTuple):
    """Blocks that are folded under a line."""

    summary: str
    blocks: Sequence[Block]


def section(*blocks: Block) -> list[Block]:
    """Blocks without tables and lists that are empty; nothing where all are."""
    full = [block for block in blocks if not (isinstance(block, Table) and not block.rows) and block]
    return full if len(full) == len(blocks) or any(not isinstance(block, str) for block in full) else []


def _written_line(mark: str, lines: Both[DiffLine | None], widths: Both[int]) -> str:
    """One line of a diff: an event of one side, or of both where they match."""
    locations = (f"{line.location if line else '':<{widths[side]}}" for side, line in zip(Side, lines, strict=True))
    shown = lines.canary or lines.ours
    return f"{mark} {'  '.join(locations)}  {shown.text if shown else ''}"


def _location_widths(rows: Sequence[DiffRow]) -> Both[int]:
    return Both(*(max((len(line.location) for row in rows if (line := row.lines[side])), default=0) for side in Side))


def diff_lines(rows: Sequence[DiffRow]) -> Iterator[str]:
    """A diff line by line: ``-`` is canary, ``+`` is ours, and what matches stands there once."""
    widths = _location_widths(rows)

    def group(row: DiffRow) -> object:
        """Two events that are compared, or all of a block: written one side after the other."""
        return not row.matches and (id(row) if row.compared else "block")

    yield f"  {'canary':<{widths.canary}}  {'ours':<{widths.ours}}"
    for differs, of_group in itertools.groupby(rows, group):
        pairs = [row.lines for row in of_group]
        if not differs:
            yield from (_written_line(" ", pair, widths) for pair in pairs)
            continue
        yield from (_written_line("-", Both(pair.canary, None), widths) for pair in pairs if pair.canary)
        yield from (_written_line("+", Both(None, pair.ours), widths) for pair in pairs if pair.ours)


_BOLD, _REVERSE, _NOT_REVERSE, _CANARY_COLOUR, _OURS_COLOUR = 1, 7, 27, 33, 36
_COLOUR: Final = re.compile("\x1b\\[[0-9]+m")
_SIDE_BY_SIDE: Final = 120
"""From so many columns on, a terminal shows what differs side by side."""


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes, colours and marks apart."""
    text = without_changes(_COLOUR.sub("", text))
    if text.isascii():
        return len(text)
    import unicodedata  # here, so that only who has other text waits for it

    return sum((unicodedata.east_asian_width(c) in "WF") + (not unicodedata.combining(c)) for c in text)


def _cut(text: str, width: int) -> str:
    """The beginning of a text, in so many columns at most."""
    if _columns(text) <= width:
        return text
    text = _COLOUR.sub("", text)
    while text and _columns(text) >= width:
        text = text[:-1]
    return f"{text}…"


def _wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """A text in lines that fit, broken at spaces where there are any, the second and later ones indented."""
    if not width or _columns(text) <= width:
        return [text]
    lines, line = [], ""
    for part in re.findall(f"{_COLOUR.pattern}|.", text):
        if _columns(line + part) > width:
            head, _, tail = line.rpartition(" ")
            head, tail = (head, tail) if len(head) > len(indent) else (line, "")
            is_open = head.count(_CHANGE) > head.count(_CHANGE_ENDS)
            lines.append(head + _CHANGE_ENDS * is_open)
            line = indent + _CHANGE * is_open + tail.lstrip()
        line += part
    return [*lines, line]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


class TextWriter:
    """Writes a document as plain text, for a terminal of so many columns (None: no limit), perhaps in colour.

    With ``marked``, what differs within an event stands in «», or in another colour. A table or list has at most
    ``most_characters``; what there is beyond is counted. The writers of other formats say what is different there.
    """

    def __init__(
        self, width: int | None = None, *, colour: bool = False, marked: bool = False, most_characters: int = 40_000
    ) -> None:
        self._width, self._colour, self._marked, self._most_characters = width, colour, marked, most_characters

    def written(self, blocks: Iterable[Block]) -> str:
        """The whole document."""
        return "\n\n".join(map(self.block, blocks)) + "\n"

    def block(self, block: Block) -> str:
        """One part of a document."""
        if isinstance(block, str):
            level, _, heading = block.partition(" ")
            is_heading = level in ("#", "##", "###")
            return self._heading(self.text(heading), len(level)) if is_heading else self._paragraph(self.text(block))
        if isinstance(block, Table):
            return self._table(block.headings, self._bounded(block.rows, self._cell))
        if isinstance(block, Diff):
            return self._diff(block.rows)
        if isinstance(block, Details):
            return self._details(block)
        return self._items([text for (text,) in self._bounded(([text] for text in block), self.text)])

    def text(self, text: str) -> str:
        """What stands in a paragraph, an item or a cell."""
        foreign = {_CODE: self._code, _LITERAL: self._literal}
        parts = re.findall("[\x02\x04][^\x03]*|[^\x02-\x04]+", self._with_marks(text))
        return "".join(foreign[p[0]](p[1:]) if p[0] in foreign else self._own_words(p) for p in parts)

    def _cell(self, text: str) -> str:
        return self.text(text)

    def _bounded(self, rows: Iterable[Sequence[object]], written: Callable[[str], str]) -> list[list[str]]:
        """The texts of rows, of as many as there is room for; then how many are omitted."""
        texts = [[written(cell) if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
        sizes = itertools.accumulate(len("".join(row)) for row in texts)
        shown = sum(size <= self._most_characters for size in sizes)
        if shown < len(texts):
            texts[shown:] = [[f"{len(texts) - shown:,} more in the JSON report", *[""] * (len(texts[0]) - 1)]]
        return texts

    def _styled(self, style: int, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and text else text

    def _own_words(self, text: str) -> str:
        return re.sub(r"\*\*(.+?)\*\*|\*(.+?)\*", lambda words: self._styled(_BOLD, words[1] or words[2]), text)

    def _literal(self, text: str) -> str:
        return printable(text)

    def _changed(self, text: str) -> str:
        text = printable(text)  # in colour, what follows it stays in the colour of its line
        return f"\x1b[{_REVERSE}m{text}\x1b[{_NOT_REVERSE}m" if self._colour else text

    def _code(self, text: str) -> str:
        parts = re.split(f"[{_CHANGE}{_CHANGE_ENDS}]", text)
        return "".join(self._changed(p) if n % 2 and p else self._literal(p) for n, p in enumerate(parts))

    def _paragraph(self, text: str) -> str:
        return "\n".join(part for line in text.split("\n") for part in _wrapped(line, self._width))

    def _heading(self, text: str, level: int) -> str:
        return self._styled(_BOLD, text.upper() if level == 2 else text)

    def _items(self, texts: Sequence[str]) -> str:
        return "\n".join(part for text in texts for part in _wrapped(f"- {text}", self._width, "  "))

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        table = [[heading.rstrip(">") for heading in headings], *rows]
        widths = [max(map(_columns, column)) for column in zip(*table, strict=True)]
        while self._width and sum(widths) + 2 * len(widths) - 2 > self._width and max(widths) > 4:
            widths[widths.index(max(widths))] -= 1

        def fitted(cell: str, heading: str, width: int) -> str:
            cell = _cut(cell, width)
            return " " * (width - _columns(cell)) + cell if heading.endswith(">") else _padded(cell, width)

        return "\n".join("  ".join(map(fitted, row, headings, widths)).rstrip() for row in table)

    def _diff(self, rows: Sequence[DiffRow]) -> str:
        if self._width and self._width >= _SIDE_BY_SIDE:
            return "\n".join(self._side_by_side(rows, self._width))
        looks, indent = {"-": _CANARY_COLOUR, "+": _OURS_COLOUR}, " " * (6 + sum(_location_widths(rows)))
        lines: list[str] = []
        for line in map(self._with_marks, diff_lines(rows)):
            look, width = looks.get(line[0]), self._width
            if look is None:
                lines.append(self._code(_cut(line, width) if width else line))
            else:  # what differs must be in sight
                parts = _wrapped(line, width, indent[: width // 2] if width else "")
                lines += (self._styled(look, self._code(part)) for part in parts)
        return "\n".join(lines)

    def _with_marks(self, text: str) -> str:
        """A text of `differing` with marks that are seen where there is no colour."""
        return text.replace(_CHANGE, "«").replace(_CHANGE_ENDS, "»") if self._marked and not self._colour else text

    def _side_by_side(self, rows: Sequence[DiffRow], width: int) -> Iterator[str]:
        widths, half = _location_widths(rows), (width - 3) // 2
        yield f"  {'canary':<{half - 2}}   ours"
        for row in rows:
            if row.matches:
                yield _cut(self._code(_written_line(" ", row.lines, widths)), width)
                continue
            cells = []
            for side, mark, look in ((Side.CANARY, "-", _CANARY_COLOUR), (Side.OURS, "+", _OURS_COLOUR)):
                line = row.lines[side] or DiffLine("", "")
                text = self._with_marks(
                    f"{mark if line.location else ' '} {line.location:<{widths[side]}}  {line.text}"
                )
                parts = (_padded(part, half) for part in _wrapped(text, half, "  "))
                cells.append([self._styled(look, self._code(part)) for part in parts])
            both = itertools.zip_longest(*cells, fillvalue=" " * half)
            yield from (" │ ".join(parts).rstrip() for parts in both)

    def _details(self, details: Details) -> str:
        return "\n\n".join(map(self.block, (f"{details.summary}:", *details.blocks)))


_HTML_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def html_text(text: str) -> str:
    r"""``text`` as HTML that shows just that text, in an attribute as well.

    >>> print(html_text("<b title='x'>\u202e"))
    &lt;b title=&#x27;x&#x27;&gt;\u202e
    """
    return printable(text).translate(_HTML_ESCAPES)


class HtmlWriter(TextWriter):
    """Writes a document as HTML, without the page around it."""

    def _own_words(self, text: str) -> str:
        text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text.translate(_HTML_ESCAPES))
        return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)

    def _literal(self, text: str) -> str:
        return html_text(text)

    def _changed(self, text: str) -> str:
        return f"<mark>{html_text(text)}</mark>"

    def _code(self, text: str) -> str:
        return f"<code>{super()._code(text)}</code>"

    def _paragraph(self, text: str) -> str:
        return f"<p>{text}</p>"

    def _heading(self, text: str, level: int) -> str:
        return f"<h{level}>{text}</h{level}>"

    def _items(self, texts: Sequence[str]) -> str:
        return "\n".join(["<ul>", *map("<li>{}</li>".format, texts), "</ul>"])

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        kinds = [' class="number"' if heading.endswith(">") else "" for heading in headings]
        names = map('<th scope="col"{}>{}</th>'.format, kinds, (html_text(name.rstrip(">")) for name in headings))
        lines = ("".join(map("<td{}>{}</td>".format, kinds, row)) for row in rows)
        body = "\n".join(f"<tr>{line}</tr>" for line in lines)
        head = f"<thead><tr>{''.join(names)}</tr></thead>"
        return f'<div class="wide"><table>{head}\n<tbody>\n{body}\n</tbody></table></div>'

    def _diff(self, rows: Sequence[DiffRow]) -> str:
        head = '<th scope="col" colspan="2">canary</th><th scope="col" colspan="2">ours</th>'
        columns = '<col class="place"><col><col class="place"><col>'
        body = "\n".join(map(self._diff_row, rows))
        return (
            f'<table class="events"><colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table>"
        )

    def _diff_row(self, row: DiffRow) -> str:
        if row.lines.canary and not row.lines.canary.location:
            return f'<tr class="fold"><td colspan="4">{self._literal(row.lines.canary.text)}</td></tr>'
        cells = ['<td colspan="2"></td>'] * 2
        for n, (look, line) in enumerate(zip(("minus", "plus"), row.lines, strict=True)):
            if line is not None:
                location, text = map(super()._code, line)
                cells[n] = f'<td class="{look} place">{location}</td><td class="{look}">{text}</td>'
        look = ' class="same"' if row.matches else ""
        return f"<tr{look}>{''.join(cells)}</tr>"

    def _details(self, details: Details) -> str:
        blocks = "\n".join(map(self.block, details.blocks))
        return f"<details><summary>{self.text(details.summary)}</summary>\n{blocks}\n</details>"


def md_text(text: str) -> str:
    r"""``text`` as Markdown that shows just that text, on one line, in a table as well.

    >>> print(md_text("a|b <script> *x* tool_name"))
    a\|b \<script\> \*x\* tool_name
    """
    return re.sub(r"([\\`*{}\[\]<>()#+!|~&$]|(?<!\w)_|_(?!\w))", r"\\\1", printable(text))


def _fence(texts: Iterable[str], least: int = 1) -> str:
    """More backticks than stand in a row in any of some texts."""
    return "`" * max([least, *(len(run) + 1 for text in texts for run in re.findall("`+", text))])


def md_code(text: str) -> str:
    """``text`` as a code span whatever it holds: the fence is longer than any run of backticks in it.

    >>> print(md_code("a`b|c"))
    ``a`b|c``
    """
    text = printable(text)
    fence = _fence([text])
    padding = " " if not text.strip() or text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{padding}{text}{padding}{fence}"


class MarkdownWriter(TextWriter):
    """Writes a document as the Markdown of code hosts. Own words are Markdown already."""

    def _own_words(self, text: str) -> str:
        return text

    def _literal(self, text: str) -> str:
        return md_text(text)

    def _code(self, text: str) -> str:
        return md_code(without_changes(text))

    def _cell(self, text: str) -> str:
        """In code, too, a pipe would end a cell; after an odd number of backslashes it cannot be escaped."""

        def escaped(run: re.Match[str]) -> str:
            return run[1] + ("\\x7c" if len(run[1]) % 2 else "\\|")

        parts = re.split(f"({_CODE}[^{_FOREIGN_ENDS}]*)", text)
        return self.text("".join(re.sub(r"(\\*)\|", escaped, p) if p[:1] == _CODE else p for p in parts))

    def _heading(self, text: str, level: int) -> str:
        return f"{'#' * level} {text}"

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        aligned = ["---:" if heading.endswith(">") else "---" for heading in headings]
        names = [heading.rstrip(">") for heading in headings]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, aligned, *rows))

    def _diff(self, rows: Sequence[DiffRow]) -> str:
        lines = [printable(without_changes(line)) for line in diff_lines(rows)]
        fence = _fence(lines, 3)
        return "\n".join([f"{fence}diff", *lines, fence])

    def _details(self, details: Details) -> str:
        summary = f"<details>\n<summary>{HtmlWriter().text(details.summary)}</summary>"
        return "\n\n".join([summary, *map(self.block, details.blocks), "</details>"])


def write_markdown(blocks: Iterable[Block]) -> str:
    """A document as Markdown, as long as code hosts show it."""
    return MarkdownWriter(most_characters=1_000_000).written(blocks)


_PAGE_STYLE: Final = """
:root { color-scheme: light dark; --paper: #f7f8fa; --card: #fff; --ink: #1a1e24; --soft: #57606c; --edge: #d4d9e0;
  --link: #0a4fa3; --same: #5c8fbd; --after: #9cbcd9; --alone: #b8400a; --pale: #ffe9d9; --float: #6f3aa0;
  --minus: #fff0e4; --plus: #e6f1fc; --bad: #a53409; --good: #1d6b52; --changed: #ffd3a8 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --card: #1c2026; --ink: #e5e8ec; --soft: #a0a9b5; --edge: #363d47;
    --link: #8fc1f5; --same: #5588b5; --after: #3d5f80; --alone: #ff9150; --pale: #4a2a17; --float: #cfaaf2;
    --minus: #39261a; --plus: #182c40; --bad: #ff9e66; --good: #6fcfae; --changed: #6b3d1d } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0 auto; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 4rem; max-width: 90rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 2rem; line-height: 1.2 }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem }
h3 { margin: 0; font-size: 1.05rem }
p { margin: .5rem 0; max-width: 90ch }
a { color: var(--link) }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px }
code, .events { font: .84rem/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
code, td { overflow-wrap: anywhere; unicode-bidi: isolate }
.bad { color: var(--bad) }
.good { color: var(--good) }
.wide { overflow-x: auto }
.wide td { min-width: 4.5rem }
.wide td.number { min-width: 0 }
.wide td:has(code) { min-width: 11rem }
table { border-collapse: collapse; font-size: .875rem }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 600 }
tbody tr { border-top: 1px solid var(--edge) }
td.number { white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums }
.events { width: 100%; margin: .6rem 0; table-layout: fixed }
.events tbody tr { border: 0 }
.events th, .events td { padding: .05rem .9rem .05rem .35rem; font-size: inherit; font-family: inherit }
.events .place { width: 10.5rem; white-space: nowrap }
mark { padding: 0 1px; color: inherit; background: var(--changed); border-bottom: 2px solid var(--alone) }
.events .fold { color: var(--soft); text-align: center }
tr:not(.same) > .minus { background: var(--minus) }
tr:not(.same) > .plus { background: var(--plus) }
summary { cursor: pointer; margin: .5rem 0 }
"""


def html_page(title: str, body: str, style: str = "", script: str = "") -> str:
    """A page that needs nothing else. Nothing may be loaded or run but its own style and script; ``title`` is text."""
    style = _PAGE_STYLE + style
    import base64  # here, so that only who writes a page waits for it
    import hashlib  # here, so that the same holds for this

    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    policy = "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy.format(*hashes)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html_text(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n{f'<script>{script}</script>' if script else ''}\n</body>\n</html>\n"
    )


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test result for a CI server: passed, unless it failed or was skipped."""

    __test__: ClassVar = False
    suite: str
    name: str
    failure: str | None = None
    """Why it failed, in a line."""
    type: str = "failure"
    evidence: Sequence[Block] = ()
    skipped: str | None = None
    output: str | None = None
    """What else there is to say, whatever became of it."""


def junit_xml(name: str, cases: Sequence[TestCase]) -> str:
    """Test results as JUnit XML."""
    from xml.etree import ElementTree  # here, so that only who writes test results waits for it

    failed = sum(case.failure is not None for case in cases)
    skipped = sum(case.failure is None and case.skipped is not None for case in cases)
    totals = {"tests": str(len(cases)), "failures": str(failed), "skipped": str(skipped), "errors": "0"}
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", totals, name=printable(name))
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname=case.suite, name=printable(case.name))
        if case.failure is not None:
            message = TextWriter().text(case.failure)
            failure = ElementTree.SubElement(element, "failure", type=case.type, message=message)
            failure.text = TextWriter().written(case.evidence)
        elif case.skipped is not None:
            ElementTree.SubElement(element, "skipped", message=TextWriter().text(case.skipped))
        if case.output is not None:
            ElementTree.SubElement(element, "system-out").text = printable(case.output)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def json_fields(value: object, names: str, **instead: object) -> dict[str, object]:
    """The fields of a value as a JSON report has them: ``name``, or ``name=path.to.it``; beyond a None all is None.

    >>> json_fields(Both(Both(1, 2), None), "ours x=canary.ours y=ours.ours z", z=3)
    {'ours': None, 'x': 2, 'y': None, 'z': 3}
    """
    form: dict[str, object] = {}
    for notation in names.split():
        name, _, path = notation.partition("=")
        part = instead.get(name, value)
        for step in (path or name).split(".") if name not in instead else ():
            part = None if part is None else getattr(part, step)
        form[name] = part
    return form


@functools.singledispatch
def json_form(value: Any) -> object:
    """What JSON has for a value: for a dataclass all its fields, unless another form is registered for it."""
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, Iterable) else str(value)


def json_document(value: object) -> Iterator[str]:
    """A JSON report, in pieces: indented, the same bytes for the same value. What is in it may be iterators.

    >>> "".join(json_document({"a": iter([1, "é"]), "b": Both(None, Side.OURS)}))
    '{\\n "a": [\\n  1,\\n  "\\\\u00e9"\\n ],\\n "b": {\\n  "canary": null,\\n  "ours": "ours"\\n }\\n}\\n'
    """
    yield from json.JSONEncoder(indent=1, default=json_form).iterencode(value)
    yield "\n"


def json_report(name: str, value: object, names: str, **instead: object) -> Iterator[str]:
    """A JSON report of the fields of a value, with the name of its format and version 1 in front."""
    return json_document({"format": name, "format_version": 1, **json_fields(value, names, **instead)})


Rendered: TypeAlias = str | list[Block] | Iterator[str]
"""A report in one format: a text; a document, to be written as it suits its destination; or pieces of a long text."""

_Shown = TypeVar("_Shown")
Formats: TypeAlias = Mapping[str, Callable[[_Shown], Rendered]]
"""The formats that a report can be written in, by name."""


def document_formats(document: Callable[[_Shown], Sequence[Block]]) -> dict[str, Callable[[_Shown], Rendered]]:
    """The formats of reports that are documents."""

    def page(value: _Shown) -> str:
        blocks = document(value)
        title = TextWriter().text(str(blocks[0])).removeprefix("# ")
        return html_page(title, HtmlWriter().written(blocks))

    return {
        "markdown": lambda value: write_markdown(document(value)),
        "html": page,
        "text": lambda value: list(document(value)),
    }


# ══ writing files ═════════════════════════════════════════════════════════════════════════════════════════════════


def _is_special(path: str) -> bool:
    """Whether something is there and no ordinary file: what a link such as ``/dev/stdout`` names counts."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _writing(name: str) -> Iterator[None]:
    """Says of an error of the system what could not be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{name}: cannot be written: {error.strerror}") from error


def _temporary_beside(target: str) -> str:
    return os.path.join(os.path.dirname(target), f".diff-events-{os.urandom(8).hex()}")


@contextlib.contextmanager
def pending_file(target: str) -> Iterator[Callable[[str | Iterable[str]], None]]:
    """A file that appears whole or not at all: opened before the long work; yields what writes it and puts it in place.

    What is not an ordinary file (a pipe, ``/dev/null``) is written in place. Raises `OutputError` where that fails.
    """
    if not target or target.endswith(("/", os.sep)):
        problem = "it names a directory" if target else "the name is empty"
        raise OutputError(f"{target or repr(target)}: cannot be written: {problem}")
    place = os.path.realpath(target)
    with _writing(target):
        in_place = _is_special(target)
        opened = target if in_place else _temporary_beside(place)
        file = open(opened, "w", encoding="utf-8", newline="\n")  # noqa: SIM115

    def commit(text: str | Iterable[str]) -> None:
        with _writing(target):
            with file:
                file.writelines([text] if isinstance(text, str) else text)
            if not in_place:
                if os.path.exists(place):
                    os.chmod(opened, stat.S_IMODE(os.stat(place).st_mode))
                os.replace(opened, place)

    try:
        yield commit
    finally:
        with contextlib.suppress(OSError):  # closing what could not be written anyway
            file.close()
        if not in_place:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(opened)


@contextlib.contextmanager
def pending_folder(target: str) -> Iterator[Callable[[Mapping[str, bytes]], None]]:
    """The same for a new folder and its files, by name. Raises `OutputError` where it cannot be made."""
    import shutil  # here, so that only who writes a folder waits for it

    place = os.path.realpath(target)
    if os.path.exists(place) and (not os.path.isdir(place) or os.listdir(place)):
        raise OutputError(f"{target}: it is there already, and not empty")
    temporary = _temporary_beside(place)
    with _writing(target):
        os.makedirs(temporary)

    def commit(files: Mapping[str, bytes]) -> None:
        with _writing(target):
            for name, data in files.items():
                with open(os.path.join(temporary, name), "wb") as file:
                    file.write(data)
            os.replace(temporary, place)

    try:
        yield commit
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


# ══ reading ═══════════════════════════════════════════════════════════════════════════════════════════════════════


CHUNK_BYTES: Final = 1 << 18
"""How much text is looked at in one go: it fits the processor's cache, and the cost of calls does not matter."""

SEGMENT_BYTES: Final = 4 << 20
"""How much text a process takes at a time."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
STANDARD_STREAM: Final = "-"

CHANGED: Final = "it was changed while it was read"
LINE_TOO_LONG: Final = f"expected lines of less than {MAX_LINE_BYTES >> 20} MiB"

_COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "compression.zstd",
}
"""How a compressed file begins, and the module of the standard library that reads it."""
_DECOMPRESSORS: Final = {"bz2": "BZ2Decompressor", "lzma": "LZMADecompressor", "compression.zstd": "ZstdDecompressor"}


def read_text(path: str) -> str:
    """A small file of settings, as text. Raises `InputError`."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(path, f"not UTF-8: {error}") from error


def parse_toml(text: str, path: str) -> dict[str, object]:
    """A TOML document. Raises `InputError`, with the line where the parser tells it."""
    import tomllib  # here, so that only who gives a TOML file waits for it

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line ([0-9]+)", str(error))
        raise InputError(path, f"TOML: {error}", lineno=int(line[1]) if line else None) from error


@contextlib.contextmanager
def _named_errors(
    name: str, damage: tuple[type[Exception], ...] = (OSError,), problem: str = "cannot be read"
) -> Iterator[None]:
    try:
        yield
    except damage as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(name, f"{problem}: {reason}") from error


class _Pieces(io.RawIOBase):
    """A stream of pieces of bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._piece = filter(None, pieces), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._piece or next(self._pieces, b"")
        data, self._piece = piece[: len(buffer)], piece[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _decompressed(stream: io.BufferedIOBase, new_decompressor: Callable[[], Any]) -> Iterator[bytes]:
    """Decompresses streams that follow one another; the files of `bz2` and `lzma` would skip what is damaged later on.

    Raises `EOFError` where one of them stops short, and what its decompressor raises where it is damaged.
    """
    data = stream.read1(CHUNK_BYTES)
    while data:
        decompressor = new_decompressor()
        while not decompressor.eof:
            yield decompressor.decompress(data, CHUNK_BYTES)
            data = stream.read1(CHUNK_BYTES) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise EOFError
        data = decompressor.unused_data.lstrip(b"\0")  # padding
        while not data and (more := stream.read1(CHUNK_BYTES)):
            data = more.lstrip(b"\0")


class _Spooled(io.RawIOBase):
    """A stream that can be read once, copied to a temporary file while it is read."""

    def __init__(self, name: str, stream: io.BufferedIOBase, damage: tuple[type[Exception], ...]) -> None:
        self._name, self._stream, self._damage = name, stream, damage
        self.ended_early = False
        """Whether compressed data stopped short of its end."""
        import tempfile  # here, so that only who reads a pipe or compressed log waits for it

        with self._spool_errors():
            self.spool = tempfile.TemporaryFile(prefix="diff-events-")  # noqa: SIM115

    def _spool_errors(self) -> contextlib.AbstractContextManager[None]:
        return _named_errors(self._name, problem="a copy of it cannot be kept in a temporary file")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills the buffer unless the stream ends: the beginning of a slow pipe must be enough to judge it by."""
        filled = 0
        while filled < len(buffer) and (data := self._next(len(buffer) - filled)):
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        with self._spool_errors():
            self.spool.write(buffer[:filled])
            self.spool.flush()
        return filled

    def _next(self, most: int) -> bytes:
        try:
            with _named_errors(self._name, self._damage):
                return self._stream.read1(most)
        except EOFError:
            self.ended_early = True
            return b""


class Segment(NamedTuple):
    """A piece of a log in whole lines, for one process to read."""

    name: str
    path: str
    offset: int
    length: int
    file_id: tuple[int, int]
    text: bytes | None
    """The piece itself where no other process could read it from the file."""

    def chunks(self) -> Iterator[bytes]:
        """The text in pieces of whole lines; only the last line of a log, or one too long, lacks its newline."""
        left = self.length
        with self._open() as file:
            while left:
                chunk = file.read(min(left, CHUNK_BYTES))
                left -= len(chunk)
                if left and not chunk.endswith(b"\n"):
                    rest = file.readline(min(left, MAX_LINE_BYTES))
                    left -= len(rest)
                    chunk += rest
                if not chunk:
                    raise InputError(self.name, CHANGED)
                yield chunk

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        if self.text is not None:
            yield io.BytesIO(self.text)
            return
        with _named_errors(self.name), open(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != self.file_id:
                raise InputError(self.name, CHANGED)
            file.seek(self.offset)
            yield file


class LogSource:
    """The bytes of one file, read once from front to back, then here and there by offset.

    What cannot be read twice (a pipe, compressed data) is spooled to a temporary file while it is read.
    Raises `InputError` where the file cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = "standard input" if path == STANDARD_STREAM else path
        self._position = 0
        with contextlib.ExitStack() as on_failure, _named_errors(self.name):
            file = io.FileIO(os.dup(0) if path == STANDARD_STREAM else path)
            self._raw = io.BufferedReader(file, CHUNK_BYTES)
            on_failure.callback(self._raw.close)
            self._status = os.fstat(self._raw.fileno())
            regular = stat.S_ISREG(self._status.st_mode) and path != STANDARD_STREAM  # which can be read in part
            self.size = self._status.st_size if regular else None
            head = self._head()
            module = next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), None)
            self._spooled = None if regular and not module else self._spooling(head, module)
            if self._spooled is None:
                self._raw.seek(0)
            self._stream: IO[bytes] = self._raw
            if self._spooled is not None:
                self._stream = io.BufferedReader(self._spooled, CHUNK_BYTES)
            on_failure.pop_all()

    def _head(self) -> bytes:
        """The first bytes; a pipe may hand them over one by one."""
        head = b""
        while len(head) < max(map(len, _COMPRESSIONS)) and (more := self._raw.read1(1)):
            head += more
        return head

    def _spooling(self, head: bytes, module_name: str | None) -> _Spooled:
        rest = iter(functools.partial(self._raw.read1, CHUNK_BYTES), b"")
        stream = io.BufferedReader(_Pieces(itertools.chain([head], rest)), CHUNK_BYTES)
        if module_name is None:
            return _Spooled(self.name, stream, (OSError,))
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            hint = f"this Python has no module {module_name}: decompress it first, for instance `zstd -dc FILE | … -`"
            raise InputError(self.name, hint) from error
        own_errors = (getattr(module, name, None) for name in ("LZMAError", "ZstdError"))
        damage = (OSError, zlib.error, *(error for error in own_errors if error))
        new_decompressor = getattr(module, _DECOMPRESSORS.get(module_name, ""), None)
        if new_decompressor is None:
            return _Spooled(self.name, module.open(stream, "rb"), damage)
        text = io.BufferedReader(_Pieces(_decompressed(stream, new_decompressor)), CHUNK_BYTES)
        return _Spooled(self.name, text, damage)

    @property
    def ended_early(self) -> bool:
        """Whether compressed data stopped short of its end."""
        return self._spooled is not None and self._spooled.ended_early

    def bytes_read(self) -> int:
        """How far the file itself has been read: what progress is measured by."""
        return self._raw.tell() if self.size is not None else 0

    def peek(self) -> bytes:
        """The first bytes, or more; they are still to be read."""
        with _named_errors(self.name):
            return cast(io.BufferedReader, self._stream).peek(CHUNK_BYTES)

    def rewind(self) -> None:
        """Lets the text, all of which was read, begin anew."""
        if self._spooled is not None:
            self._stream = cast(IO[bytes], self._spooled.spool)
        self._stream.seek(0)
        self._position = 0

    def next_line(self) -> bytes:
        """The next line with its newline, or nothing at the end; no more than `MAX_LINE_BYTES`."""
        with _named_errors(self.name):
            line = self._stream.readline(MAX_LINE_BYTES)
        self._position += len(line)
        return line

    def is_longer_than(self, segments: int) -> bool:
        """Whether it has more than so many segments and can be read in part: a plain file."""
        return self._spooled is None and self.size is not None and self.size > segments * SEGMENT_BYTES

    def segments(self) -> Iterator[Segment]:
        """The rest of the text in pieces of whole lines; what is added to the file meanwhile is left out."""
        while True:
            start, text = self._position, None
            with _named_errors(self.name):
                if self._spooled is None:
                    self._position = self._line_end(start + SEGMENT_BYTES - 1)
                else:
                    text = self._stream.read(SEGMENT_BYTES)
                    text += b"" if text.endswith(b"\n") else self._stream.readline(MAX_LINE_BYTES)
                    self._position += len(text)
            if self._position == start:
                return
            file_id = self._status.st_dev, self._status.st_ino
            yield Segment(self.name, self.path, start, self._position - start, file_id, text)

    def _line_end(self, offset: int) -> int:
        """Where the line ends that the byte at an offset is in."""
        assert self.size is not None  # it is a file
        if offset >= self.size:
            return self.size
        self._stream.seek(offset)
        return min(self.size, offset + len(self._stream.readline(MAX_LINE_BYTES)))

    def lines(self) -> Iterator[bytes]:
        """The text line by line, each with its newline.

        Raises `InputError` for a line that is too long, `EndsEarlyError` where compressed data stops short.
        """
        for lineno in itertools.count(1):
            with _named_errors(self.name):
                line = self._stream.readline(MAX_LINE_BYTES + 1)
            if len(line) > MAX_LINE_BYTES:
                raise InputError(self.name, LINE_TOO_LONG, lineno=lineno)
            if not line and self.ended_early:
                raise EndsEarlyError(self.name, "cannot be read: the compressed data ends early")
            if not line:
                return
            yield line

    def read_back(self, offset: int, length: int) -> bytes:
        """The bytes at an offset of the text, once all of it was read."""
        with _named_errors(self.name):
            file = self._raw if self._spooled is None else self._spooled.spool
            file.seek(offset)
            return file.read(length)

    def has_grown(self) -> bool:
        """Whether something was added to the file since it was opened.

        Raises `InputError` where it was changed in another way, as far as size, time and file number tell.
        """
        if self.size is None:
            return False
        with _named_errors(self.name):
            now, at_path = os.fstat(self._raw.fileno()), os.stat(self.path)
        if (at_path.st_dev, at_path.st_ino) != (now.st_dev, now.st_ino) or now.st_size < self.size:
            raise InputError(self.name, CHANGED)
        if now.st_size == self.size and now.st_mtime_ns != self._status.st_mtime_ns:
            raise InputError(self.name, CHANGED)
        return now.st_size > self.size

    def close(self) -> None:
        """Gives the file and its spool back."""
        self._stream.close()
        self._raw.close()
        if self._spooled is not None:
            self._spooled.spool.close()


# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████
# ██ EVENT LOGS
# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████


# ══ events ════════════════════════════════════════════════════════════════════════════════════════════════════════


SCHEMA_VERSION: Final = 1
MAX_IDX: Final = (1 << 62) - 1
"""The greatest index: sums with it still fit a 64-bit array."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, decoded: what the reports show and the exact rules compare."""

    lineno: int
    kind: str
    tid: int
    idx: int
    payload: dict[str, object]

    @property
    def name(self) -> str | None:
        """The call that a ``kernel.call`` or ``kernel.return`` is about."""
        name = self.payload.get("name")
        return name if isinstance(name, str) else None


class RawEvent(NamedTuple):
    """What the index needs of a line, as bytes of that line. The payload is the text between its braces, not parsed."""

    kind: bytes
    tid: bytes
    tid_event_idx: bytes
    payload: bytes


class _Member(NamedTuple):
    """One member of a JSON object as it is written: all text since the last one, its name, the text of its value."""

    lead: str
    key: str
    value: str


_KEY = re.compile(r'[ \t\r]*[,{][ \t\r]*("[^"]*")[ \t\r]*:[ \t\r]*')
_END_OF_OBJECT = re.compile(r"[ \t\r]*\}[ \t\r]*")
_SCALAR_TOKEN = re.compile(r'"[^"]*"|[^][{}",\s]+')
_NESTED_TOKENS = {"{": re.compile(r'"[^"]*"|[{}]'), "[": re.compile(r'"[^"]*"|[\[\]]')}


def _end_of_value(line: str, start: int) -> int:
    """Where the value at ``start`` ends. Of an object or array only strings and its own brackets are looked at."""
    tokens = _NESTED_TOKENS.get(line[start : start + 1])
    if tokens is None:
        scalar = _SCALAR_TOKEN.match(line, start)
        return scalar.end() if scalar else -1
    depth = 0
    for token in tokens.finditer(line, start):
        if not token[0].startswith('"'):
            depth += 1 if token[0] in "{[" else -1
            if depth == 0:
                return token.end()
    return -1


def _members(line: str) -> tuple[list[_Member], str]:
    """The members of the object that ``line`` is, and the text after the last one; none where it is no object."""
    outline = line.replace("\\\\", "__").replace('\\"', "__")  # each quote begins or ends a string
    members: list[_Member] = []
    position = 0
    while key := _KEY.match(outline, position):
        end = _end_of_value(outline, key.end())
        if end < 0 or ("{" in key[0].partition('"')[0]) != (not members):
            break
        name = str(parse_json(line[key.start(1) : key.end(1)]))
        members.append(_Member(line[position : key.end()], name, line[key.end() : end]))
        position = end
    tail = _END_OF_OBJECT.fullmatch(line, position)
    return (members, tail[0]) if tail and members else ([], "")


def _object_members(line: bytes) -> tuple[list[_Member], str]:
    """The members of a line that must be one object; raises `NotJsonError` saying what it is instead."""
    try:
        text = line.decode().rstrip("\n")
    except UnicodeDecodeError as error:
        raise NotJsonError("invalid UTF-8") from error
    members, tail = _members(text)
    if not members and (value := parse_json(text)) != {}:
        raise NotJsonError(f"expected an object, found {json_type(value)}")
    return members, tail


def with_members(line: bytes, values: Mapping[str, str]) -> bytes:
    """A line in which some members have other values, as JSON; all else is as it was.

    >>> with_members(b'{"tid": 6,"n" :1}', {"n": "10"})
    b'{"tid": 6,"n" :10}'
    """
    members, tail = _object_members(line)
    return "".join([*(member.lead + values.get(member.key, member.value) for member in members), tail]).encode()


def _parse_field(text: str, name: str) -> object:
    """The value of one field. Raises `NotJsonError` naming the field."""
    try:
        return parse_json(text)
    except NotJsonError as error:
        raise NotJsonError(str(error), name) from error


SECOND_HEADER: Final = "a second header: two logs are stuck together here"


def is_header(event: Mapping[str, object]) -> bool:
    """Whether these are the members of a header, whatever its version: it is no event of a thread."""
    return "schema_version" in event and not {"kind", "tid"} <= event.keys()


def _check_version(version: object) -> None:
    if type(version) is not int or version != SCHEMA_VERSION:
        raise NotJsonError(f"expected the integer 1, found {shorten(json_text(version), 40)}", "schema_version")


def check_header(line: bytes) -> None:
    """Raises `NotJsonError` where a log's first line is not the header of schema v1."""
    members, _ = _object_members(line)
    fields = {member.key: member.value for member in members}
    if "schema_version" not in fields:
        raise NotJsonError('expected the header, an object with "schema_version": 1', "schema_version")
    parse_json(line)
    _check_version(_parse_field(fields["schema_version"], "schema_version"))


def _required(fields: Mapping[str, object], name: str, kind: type, expected: str) -> object:
    value = fields.get(name, MISSING)
    if type(value) is not kind:
        raise NotJsonError(f"expected {expected}, found {json_type(value)}", name)
    return value


def _count(fields: Mapping[str, object], name: str) -> bytes:
    value = _required(fields, name, int, "an integer of 0 or more")
    assert isinstance(value, int)
    if value < 0:
        raise NotJsonError(f"expected an integer of 0 or more, found {value}", name)
    if value > MAX_IDX and name == "tid_event_idx":
        raise NotJsonError(f"expected an integer of at most {MAX_IDX}, found {value}", name)
    return b"%d" % value


def _raw_event(members: Sequence[_Member]) -> RawEvent:
    fields = {member.key: _parse_field(member.value, member.key) for member in members if member.key != "payload"}
    *others, payload = [member.value for member in members if member.key == "payload"] or [""]
    for text in others:  # all but the payload that counts has to be JSON
        _parse_field(text, "payload")
    if is_header(fields):
        raise NotJsonError(SECOND_HEADER, "schema_version")
    if "schema_version" in fields:
        _check_version(fields["schema_version"])
    kind = str(_required(fields, "kind", str, "a string"))
    tid, idx = _count(fields, "tid"), _count(fields, "tid_event_idx")
    if not payload.startswith("{"):
        found = {"payload": _parse_field(payload, "payload")} if payload else {}
        _required(found, "payload", dict, "an object")
    return RawEvent(kind.encode("utf-8", "surrogatepass"), tid, idx, payload[1:-1].encode())


def decode_raw_event(line: bytes) -> RawEvent:
    """The event on a line, its payload as it stands there. Raises `NotJsonError`."""
    return _raw_event(_object_members(line)[0])


def parse_payload(text: bytes) -> dict[str, object]:
    """The payload of an event, given the text between its braces. Raises `NotJsonError`."""
    payload = _parse_field("{" + text.decode() + "}", "payload")
    assert isinstance(payload, dict)  # its braces are balanced
    return payload


def event_of(raw: RawEvent, lineno: int) -> Event:
    """An event with its payload parsed. Raises `NotJsonError`."""
    kind = raw.kind.decode("utf-8", "surrogatepass")
    return Event(lineno, kind, int(raw.tid), int(raw.tid_event_idx), parse_payload(raw.payload))


def decode_event(line: bytes, lineno: int) -> Event:
    """The event on a line, its payload parsed. Raises `NotJsonError`.

    >>> decode_event(b'{"kind":"thread.exit","tid":6,"tid_event_idx":0,"payload":{"exit_code":0}}', 2)
    Event(lineno=2, kind='thread.exit', tid=6, idx=0, payload={'exit_code': 0})
    """
    return event_of(decode_raw_event(line), lineno)


# ── line layouts that are learned ──
#
# What a pattern accepts must be JSON, and no more than the exact way accepts: numbers of a few digits, keys but once.


_SPACE = r"[ \t\r]*"
_STRING = r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
_INTEGER = "(?:[1-9][0-9]{0,199}|0)"
_NUMBER = rf"-?{_INTEGER}(?:\.[0-9]{{1,99}})?(?:[eE][-+]?[0-9]{{1,2}})?"
_NATURAL = "([1-9][0-9]{0,17}|0)"

_EVENT_FIELD_PATTERNS: Final = {
    "schema_version": "1",
    "kind": '"([^"]*)"',  # fast, and what it lets through is looked at later
    "tid": _NATURAL,
    "tid_event_idx": _NATURAL,
    "payload": r"\{(.*)\}",
}


def _value_pattern(depth: int) -> str:
    """The pattern of any value that is nested at most ``depth`` levels deep; it doubles with each level."""
    scalar = f"{_STRING}|{_NUMBER}|true|false|null"
    if not depth:
        return f"(?:{scalar})"
    inner = _value_pattern(depth - 1)
    items = rf"(?:{_SPACE}{inner}{_SPACE}(?:,(?!{_SPACE}\])|(?=\])))*{_SPACE}"
    members = rf"(?:{_SPACE}{_STRING}{_SPACE}:{_SPACE}{inner}{_SPACE}(?:,(?!{_SPACE}\}})|(?=\}})))*{_SPACE}"
    return rf"(?:{scalar}|\[{items}\]|\{{{members}\}})"


_FORMS: Final = tuple(map(_value_pattern, (0, 1, 2, 4)))
"""The patterns of values of any sort, narrow ones first: large patterns take long to compile."""


def _form_of(key: str, value: str) -> str:
    """The pattern of a value: an integer, or just this text; `_widened` loosens it when another value comes."""
    form = _INTEGER if re.fullmatch(_INTEGER, value) else re.escape(value)
    return _EVENT_FIELD_PATTERNS.get(key, form)


def _first_form(value: str) -> int:
    return next((n for n, form in enumerate(_FORMS) if re.fullmatch(form, value)), len(_FORMS) - 1)


def _widened(key: str, form: str, value: str) -> str:
    """The narrowest pattern that fits the values so far and this one."""
    if key in _EVENT_FIELD_PATTERNS or re.fullmatch(form, value):
        return form
    literal = "0" if form == _INTEGER else re.sub(r"\\(.)", r"\1", form)
    known = _FORMS.index(form) if form in _FORMS else _first_form(literal)
    return _FORMS[max(known, _first_form(value))]


class _Layout(NamedTuple):
    """What lines have in common that have the same fields in the same order and spacing."""

    leads: tuple[str, ...]
    """The text before each value,"""
    tail: str
    """and after the last one."""
    keys: tuple[str, ...]
    forms: tuple[str, ...]
    """The pattern of each value; those of the fields of `RawEvent` are captured."""

    def pattern(self) -> str:
        """The pattern of a line."""
        fields = (re.escape(lead) + form for lead, form in zip(self.leads, self.forms, strict=True))
        return "".join(fields) + re.escape(self.tail) + r"\n"

    def places(self) -> list[int]:
        """Of each field of `RawEvent`, its number among those that are captured."""
        captured = [key for key in self.keys if key in RawEvent._fields]
        return [captured.index(name) for name in RawEvent._fields]


_OTHER_LINE: Final = r"([^\n]*)\n"


@functools.lru_cache(maxsize=64)
def _line_pattern(layouts: tuple[_Layout, ...], *other: str) -> re.Pattern[bytes]:
    """The pattern of a line that has one of some layouts, or another pattern."""
    return re.compile("|".join([*(layout.pattern() for layout in layouts), *other]).encode())


class Columns(NamedTuple):
    """Events of one piece of text, in its order, field by field. Payloads are without their braces."""

    kinds: list[bytes]
    tids: list[bytes]
    indexes: list[bytes]
    payloads: list[bytes]
    lines: int
    """How many lines the text has, blank ones included."""


_NO_STRUCTURE = bytes(set(range(256)) - set(b'{}"\\\n'))
_ANY_STRING = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"')


@functools.lru_cache(maxsize=1024)
def _closes(structure: bytes) -> bool:
    """Whether quotes and braces balance, all else left out."""
    braces = _ANY_STRING.sub(b"", structure)
    depths = [0, *itertools.accumulate({ord("{"): 1, ord("}"): -1}.get(char, -len(braces)) for char in braces)]
    is_whole = b"\\" not in structure  # a backslash is left of a string that does not close
    return is_whole and min(depths) == depths[-1] == 0


def _unbalanced(payloads: Sequence[bytes]) -> list[int]:
    """The numbers of those texts in which strings or braces do not balance."""
    structure = b"\n".join(payloads).translate(None, _NO_STRUCTURE)
    quotes = structure.translate(None, b"{}\\")
    are_even = len(quotes) + 1 == 2 * quotes.count(b'""') + len(payloads)
    if not payloads or (are_even and len(quotes) == len(structure)):
        return []  # strings alone: so it is nearly always
    odd: Sequence[int] = range(len(payloads))
    if are_even:
        odd = list(itertools.compress(odd, structure.translate(None, b'"').split(b"\n")))
    if b"\\" in structure:
        without_strings = _ANY_STRING.sub(b"", b"\n".join(map(payloads.__getitem__, odd)))
        structures = without_strings.translate(None, _NO_STRUCTURE).split(b"\n")
    else:
        structures = list(map(structure.split(b"\n").__getitem__, odd))
    return [n for n, closes in zip(odd, map(_closes, structures), strict=True) if not closes]


class _Kinds(dict[bytes, bytes]):
    """Cache: the text between a kind's quotes → the kind. Raises `NotJsonError` for a text that is no JSON."""

    MOST: ClassVar = 4096

    def __missing__(self, text: bytes) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        kind = self[text] = str(parse_json(b'"%b"' % text)).encode("utf-8", "surrogatepass")
        return kind


class LayoutReader:
    """Takes events out of text at the speed of `re`, by the line layouts that a log's writer turns out to use.

    A layout is learned from a line that was read exactly. A text is matched line by line with the layouts that the
    last one had; if that leaves some of it, with all; and a line that has none is read exactly. The result never
    depends on what was learned.
    """

    MOST_LAYOUTS: ClassVar = 16
    EXACT_LINES: ClassVar = 32
    """To read so many lines exactly costs about as much as to compile what was learned of them."""

    def __init__(self) -> None:
        self.exact_lines = 0
        """How many lines were read the slow way."""
        self._layouts: tuple[_Layout, ...] = ()
        self._in_use: tuple[_Layout, ...] = ()  # those that lines of the last text had
        self._kinds = _Kinds()

    def columns(self, text: bytes) -> Columns:
        """The events of whole lines. Raises `NotJsonError` where one of them is no event."""
        fields, left = self._matched(text, self._in_use)
        odd: list[int] = []
        if any(left):
            fields, left = self._matched(text, self._layouts, _OTHER_LINE)
            odd = [n for n, line in enumerate(left) if line is not None]
        try:
            fields[0] = list(map(self._kinds.__getitem__, fields[0]))
        except NotJsonError:
            deque(map(decode_raw_event, filter(bytes.strip, text.split(b"\n"))), maxlen=0)  # says what the first is
            raise
        odd += _unbalanced(fields[3])
        count = len(fields[0])
        if odd:
            lines, has_learned = text.split(b"\n"), False
            odd = [n for n in sorted(odd) if lines[n].strip()]
            for number, n in enumerate(odd, 1):
                members, tail = _object_members(lines[n])
                for column, value in zip(fields, _raw_event(members), strict=True):
                    column[n] = value
                has_learned |= self._learn(members, tail)
                if has_learned and number % self.EXACT_LINES == 0:
                    return self.columns(text)  # other lines may fit as well
            self.exact_lines += len(odd)
            fields = [list(itertools.compress(column, fields[1])) for column in fields]  # without blank lines
        kinds, tids, indexes, payloads = fields
        return Columns(kinds, tids, indexes, payloads, count)

    def _matched(
        self, text: bytes, layouts: tuple[_Layout, ...], *other: str
    ) -> tuple[list[list[bytes]], Sequence[bytes | None]]:
        """The fields of the lines that have one of some layouts, and the leftovers: the texts between these lines.

        With a pattern for ``other`` lines there is one leftover a line, None where it matched, else empty fields.
        """
        if not layouts and not other:
            return [[] for _ in RawEvent._fields], [text]
        parts: list[Any] = _line_pattern(layouts, *other).split(text)
        size = len(RawEvent._fields)
        step = size * len(layouts) + len(other) + 1
        left = parts[step - 1 :: step] if other else parts[::step]
        fields: list[list[bytes]] = [[b""] * (len(parts) // step) for _ in range(size)]
        in_use = []
        for start, layout in zip(range(1, step, size), layouts, strict=False):
            columns = [parts[start + n :: step] for n in layout.places()]
            absent = columns[0].count(None) if step > size + 1 else 0  # of a single layout, every match has this field
            if absent < len(columns[0]):
                in_use.append(layout)
                both = zip(columns, fields, strict=True)
                fields = [[new or old for new, old in zip(*one, strict=True)] for one in both] if absent else columns
        self._in_use = tuple(in_use)
        return fields, left

    def _learn(self, members: Sequence[_Member], tail: str) -> bool:
        """Takes in the layout of an event's line; says whether that changes anything."""
        leads, keys, values = zip(*((member.lead, member.key, member.value) for member in members), strict=True)
        if len(set(keys)) < len(keys):
            return False  # of two equal keys the last one counts
        new = _Layout(leads, tail, keys, tuple(map(_form_of, keys, values)))
        known = next((layout for layout in self._layouts if layout[:3] == new[:3]), None)
        if known:
            new = known._replace(forms=tuple(map(_widened, keys, known.forms, values)))
        if new == known or (not known and len(self._layouts) >= self.MOST_LAYOUTS):
            return False
        # Layouts with most fields behind the payload come first: the payload of another would swallow these fields.
        layouts = (*(layout for layout in self._layouts if layout != known), new)
        self._layouts = tuple(sorted(layouts, key=lambda layout: layout.keys.index("payload") - len(layout.keys)))
        return True


# ══ rules ═════════════════════════════════════════════════════════════════════════════════════════════════════════


SKIPPED_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "handle.create": frozenset({"raw_handle_id", "handle_semantic_id"}),
    "handle.destroy": frozenset({"raw_handle_id", "handle_semantic_id"}),
    "wait.begin": frozenset({"handles_semantic_ids"}),
    "wait.end": frozenset({"wait_duration_cycles", "woken_by_semantic_id"}),
    "thread.create": frozenset({"child_tid"}),
}
"""By kind: the top-level payload fields that are not compared, because each engine has its own values for them."""

_FNV_OFFSET_BASIS: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x00000100000001B3


def fnv1a_64(data: bytes) -> int:
    """The 64-bit FNV-1a hash.

    >>> hex(fnv1a_64(b"a"))
    '0xaf63dc4c8601ec8c'
    """
    value = _FNV_OFFSET_BASIS
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return value


@functools.lru_cache(maxsize=4096)
def shared_global_sid(pointer: int, object_type: str) -> str:
    """The semantic id (SID) of a process-global object, as 16 hexadecimal digits (schema v1, Shared-global objects).

    ``pointer`` is the object's guest address, 32 bits; a larger or negative one raises `OverflowError`.

    >>> shared_global_sid(0x828F0010, "Event")
    '59fe0438b2bb0cfb'
    """
    type_bytes = object_type.encode("utf-8", "surrogatepass")
    return f"{fnv1a_64(b'shared-global' + bytes(1) + type_bytes + bytes(1) + pointer.to_bytes(4, 'big')):016x}"


@functools.lru_cache(maxsize=1 << 14)
def _hexadecimal(text: str) -> int | None:
    """Hexadecimal text, ``0x`` or not, as a number below 2⁶⁴; else None. Cached, because loops repeat their handles."""
    number = int(text, 16) if re.fullmatch(r"(0[xX])?[0-9a-fA-F]+", text) else 1 << 64
    return number if number < 1 << 64 else None


def guest_pointer(value: object) -> int | None:
    """The guest address in a ``raw_handle_id`` (an int, or text with ``0x``); None if it is not a 32-bit number."""
    if isinstance(value, str) and value[:2] in ("0x", "0X"):
        value = _hexadecimal(value)
    return value if type(value) is int and 0 <= value < 1 << 32 else None


def semantic_number(value: object) -> int | None:
    """A semantic id (an int or hexadecimal text) as a number below 2⁶⁴; None for any other value.

    >>> semantic_number("59FE0438B2BB0CFB") == semantic_number("0x59fe0438b2bb0cfb"), semantic_number("1_0")
    (True, None)
    """
    if isinstance(value, str):
        return _hexadecimal(value)
    return value if type(value) is int and 0 <= value < 1 << 64 else None


def semantic_id(value: object) -> str | None:
    """A semantic id (an int or hexadecimal text) as 16 lower-case hexadecimal digits; None for any other value."""
    number = semantic_number(value)
    return None if number is None else f"{number:016x}"


def name_value(value: object) -> int | None:
    """The number below 2⁶⁴ that a whole value is, if it may be a name: a whole number, or a text of digits or 0x….

    A negative one stands for its 32 bits.

    >>> name_value("0xF8000004") == name_value(4160749572) == name_value(-134217724) == name_value(4160749572.0)
    True
    >>> name_value("12"), name_value("12 bytes"), name_value(True), name_value(0.5)
    (12, None, None, None)
    """
    if isinstance(value, str):
        if value[:2] in ("0x", "0X"):
            return _hexadecimal(value)
        value = int(value) if re.fullmatch(r"[0-9]{1,20}", value) else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if value < 0:
        return value & 0xFFFFFFFF if value >= -(1 << 31) else None
    return value if value < 1 << 64 else None


def shared_global_of(payload: Mapping[str, object]) -> str | None:
    """The SID if a ``handle.create`` with this payload is shared-global, else None: see schema v1.

    >>> shared_global_of({"raw_handle_id": "0x828f0010", "object_type": "Event",
    ...                   "handle_semantic_id": "0x59FE0438B2BB0CFB"})
    '59fe0438b2bb0cfb'
    """
    pointer, object_type = guest_pointer(payload.get("raw_handle_id")), payload.get("object_type")
    if pointer is None or not isinstance(object_type, str):
        return None
    sid = shared_global_sid(pointer, object_type)
    return sid if semantic_id(payload.get("handle_semantic_id")) == sid else None


def compared_payload(event: Event) -> dict[str, object]:
    """A copy of the payload without the fields that are skipped for the event's kind."""
    skipped = SKIPPED_FIELDS.get(event.kind, frozenset())
    return {key: value for key, value in event.payload.items() if key not in skipped}


def event_shared_global(event: Event) -> str | None:
    """The SID if the event is a shared-global ``handle.create``; None for any other event."""
    return shared_global_of(event.payload) if event.kind == "handle.create" else None


def call_name(payload: Mapping[str, object]) -> str:
    """The ``name`` in a payload; where it is absent or no string, its JSON text."""
    name = payload.get("name", MISSING)
    return name if isinstance(name, str) else json_text(name)


def events_equal(canary: Event, ours: Event) -> bool:
    """Whether two events are equal under the rules of schema v1 (Equality); no profile is applied."""
    return (
        canary.kind == ours.kind
        and event_shared_global(canary) == event_shared_global(ours)
        and json_equal(compared_payload(canary), compared_payload(ours))
    )


# ══ profile ═══════════════════════════════════════════════════════════════════════════════════════════════════════


PROFILE_VERSION: Final = 1


class RuleSort(enum.Enum):
    """What a rule of a profile is for, in the order in which a profile lists them."""

    NAME = "name"
    TOLERANCE = "tolerance"
    IGNORE = "ignore"
    REPEAT = "repeat"
    FLOAT = "float"
    POOL = "pool"


class AnyElement(enum.Enum):
    """The step of a path that stands for every element of a list."""

    ANY = "*"


FieldPath: TypeAlias = "tuple[str | int | AnyElement, ...]"
_PATH_STEP: Final = re.compile(r'(?:^|\.)([^.[]+)|\[(?:([0-9]{1,9})|(\*)|("(?:[^"\\]|\\.)*"))\]')


@functools.lru_cache(maxsize=4096)
def parse_field_path(text: str) -> FieldPath:
    """The steps of a path as reports write it: members, indexes of lists, ``[*]`` for any. Raises `ValueError`.

    >>> parse_field_path('args[2].name["odd key"]')
    ('args', 2, 'name', 'odd key')
    """
    steps: list[str | int | AnyElement] = []
    end = 0
    for match in _PATH_STEP.finditer(text):
        member, index, any_element, quoted_key = match.groups()
        if match.start() != end or (member and not member.isidentifier()):
            break
        steps.append(member or (AnyElement.ANY if any_element else int(index) if index else json.loads(quoted_key)))
        end = match.end()
    if not steps or end != len(text):
        raise ValueError(text)
    return tuple(steps)


def path_text(path: FieldPath) -> str:
    """A path as reports write it: what `parse_field_path` reads.

    >>> path_text(("args", AnyElement.ANY, "odd key"))
    'args[*]["odd key"]'
    """
    text = ""
    for step in path:
        if isinstance(step, str):
            text = member_path(text, step)
        else:
            text += f"[{'*' if step is AnyElement.ANY else step}]"
    return text.removeprefix(".")


def _keys_at(value: object, step: str | int | AnyElement) -> Sequence[Any]:
    """The members of an object, or indexes of a list, that one step of a path leads to."""
    if isinstance(value, dict):
        return (step,) if step in value else ()
    if not isinstance(value, list) or step is AnyElement.ANY:
        return range(len(value) if isinstance(value, list) else 0)
    return (step,) if isinstance(step, int) and step < len(value) else ()


def values_at(value: Any, path: FieldPath) -> Iterator[object]:
    """Whatever stands at a path.

    >>> list(values_at({"args": [1, 2]}, ("args", AnyElement.ANY)))
    [1, 2]
    """
    if not path:
        yield value
        return
    for key in _keys_at(value, path[0]):
        yield from values_at(value[key], path[1:])


def _edit(value: Any, path: FieldPath, edit: Callable[[object], object]) -> None:
    """Replaces the values at a path, in place; removes one if ``edit`` gives `MISSING`.

    In a list, NaN (in no log) replaces what is removed, so that the other indexes stay.
    """
    step, rest = path[0], path[1:]
    for key in _keys_at(value, step):
        if rest:
            _edit(value[key], rest, edit)
            continue
        edited = edit(value[key])
        value[key] = math.nan if edited is MISSING else edited
        if edited is MISSING and isinstance(value, dict):
            del value[key]
    while not rest and isinstance(value, list) and value and value[-1] != value[-1]:  # NaN
        value.pop()


def _exact(value: object) -> Fraction:
    """A number as it is written: 0.3 is 0.1 more than 0.2."""
    from fractions import Fraction  # here, so that only who has a profile waits for it

    return Fraction(str(value))


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """One rule of a profile: what may differ, and why. Which fields it uses depends on its sort."""

    sort: RuleSort
    reason: str
    kind: str = ""
    call: str | None = None
    """None: any call, or no call at all."""
    field: FieldPath = ()
    only_absent: bool = False
    values: tuple[object, ...] = ()
    absolute: Fraction | None = None
    relative: Fraction | None = None
    where: tuple[tuple[FieldPath, object], ...] = ()
    calls: tuple[str, ...] = ()
    entry_point: str | None = None
    """As canonical JSON."""
    first_call: str | None = None
    at_most: int | None = None
    source: str = ""
    lineno: int = 0

    @property
    def is_of_fields(self) -> bool:
        """Whether it lets the values of a field differ."""
        return self.sort in (RuleSort.NAME, RuleSort.TOLERANCE, RuleSort.IGNORE)

    @property
    def is_whole(self) -> bool:
        """Whether the field that it names is not compared at all, nor anything in it."""
        return self.sort is RuleSort.IGNORE and not self.only_absent and not self.values

    @property
    def labels(self) -> tuple[str, ...]:
        """What it is about, as far as it says that: kind, call, field."""
        return tuple(label for label in (self.kind, self.call, path_text(self.field)) if label)

    def lists(self, value: object) -> bool:
        """Whether it has a value in its list."""
        return any(json_equal(value, listed) for listed in self.values)

    def names_field(self, path: FieldPath) -> bool:
        """Whether it covers the field at a path; a rule that allows any value covers all that is in it."""
        is_any = self.is_whole or self.sort is RuleSort.NAME
        if len(path) < len(self.field) or (len(path) > len(self.field) and not is_any):
            return False
        return all(step in (AnyElement.ANY, at) for step, at in zip(self.field, path, strict=False))

    def allows(self, path: FieldPath, payloads: Both[dict[str, object]]) -> bool:
        """Whether two payloads may differ at a path: the values of the field that it names, where that is within."""
        field = path[: len(self.field)]
        canary, ours = payloads.map(lambda payload: next(values_at(payload, field), MISSING))
        if (self.only_absent and MISSING not in (canary, ours)) or not self.names_field(field):
            return False
        if self.sort is RuleSort.TOLERANCE:
            return self._is_close(canary, ours)
        return not self.values or (self.lists(canary) and self.lists(ours))

    def _is_close(self, canary: object, ours: object) -> bool:
        if any(type(value) not in (int, float) for value in (canary, ours)):
            return False
        one, other = _exact(canary), _exact(ours)
        limit = self.absolute if self.relative is None else self.relative * max(abs(one), abs(other))
        return limit is not None and abs(one - other) <= limit

    def floats(self, payload: Mapping[str, object]) -> bool:
        """Whether an event that it is about may stand anywhere, or be missing."""
        return self.sort is RuleSort.FLOAT and all(
            any(json_equal(actual, value) for actual in values_at(payload, path)) for path, value in self.where
        )


Explains: TypeAlias = "Callable[[Both[Event], Sequence[FieldDifference]], bool]"
"""Whether names alone explain the fields in which two events differ."""


def _as_applied(rules: Iterable[tuple[int, ProfileRule]]) -> list[tuple[int, ProfileRule]]:
    """Rules in the order of application: in a list, ``[*]``, then from the highest index."""

    def indexes(entry: tuple[int, ProfileRule]) -> list[int]:
        steps = (step for step in entry[1].field if not isinstance(step, str))
        return [-sys.maxsize if step is AnyElement.ANY else -step for step in steps]

    return sorted(rules, key=indexes)


class Profile:
    """The rules that a comparison is to apply, and what they say of events; a rule is known by its number.

    Events that no rule names are none of its business: they stay on the fast path.
    """

    def __init__(self, rules: Iterable[ProfileRule] = (), names: Sequence[str] = ()) -> None:
        self.rules = tuple(rules)
        self.names = tuple(names)
        """The files that they stand in."""
        self.of_events = [rule for rule in self.rules if rule.is_of_fields or rule.sort is RuleSort.FLOAT]
        self._known: dict[tuple[str, str | None], tuple[tuple[int, ProfileRule], ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.rules)

    def of_sort(self, sort: RuleSort) -> list[tuple[int, ProfileRule]]:
        """The rules of a sort, with their numbers."""
        return [(number, rule) for number, rule in enumerate(self.rules) if rule.sort is sort]

    @functools.cached_property
    def patterns(self) -> dict[bytes, re.Pattern[bytes]]:
        """By kind: a pattern for payloads that rules may apply to: the name of a call, or an escape."""
        calls: dict[str, list[str]] = {}
        for rule in self.of_events:
            name = "" if rule.call is None else re.escape(json.dumps(rule.call, ensure_ascii=False))
            calls.setdefault(rule.kind, [r"\\"]).append(name)
        return {kind.encode(): re.compile("|".join(names).encode()) for kind, names in calls.items()}

    def rules_about(self, kind: str, call: str | None) -> tuple[tuple[int, ProfileRule], ...]:
        """The rules for the fields of an event, or for its position."""
        if (kind, call) not in self._known:
            self._known[kind, call] = tuple(
                (number, rule)
                for number, rule in enumerate(self.rules)
                if rule.kind == kind and rule.call in (None, call) and rule in self.of_events
            )
        return self._known[kind, call]

    @functools.cached_property
    def _stand_ins(self) -> dict[int, int]:
        """By rule with a list of values: the first rule that shares a value; both use one placeholder."""
        lists = [(number, rule) for number, rule in enumerate(self.rules) if rule.values]
        return {n: next(m for m, other in lists if m == n or any(map(rule.lists, other.values))) for n, rule in lists}

    @functools.cached_property
    def asked(self) -> frozenset[int]:
        """The rules whose masks do not prove two events equal: both must be parsed and compared."""
        sharing = Counter(self._stand_ins.values())
        return frozenset(
            number
            for number, rule in enumerate(self.rules)
            if rule.only_absent
            or rule.sort is RuleSort.TOLERANCE
            or sharing[self._stand_ins.get(number, -1)] > 1
            or any(isinstance(value, list | dict) for value in rule.values)  # other rules may be about what is in it
        )

    def mask(self, payload: object, rules: Iterable[tuple[int, ProfileRule]]) -> dict[int, list[object]]:
        """Removes what may differ from a payload: payloads equal under the rules become the same, and few others.

        Returns the values at each rule's field, by the number of the rule.
        """
        seen: dict[int, list[object]] = {}
        for number, rule in _as_applied(rules):
            if rule.is_of_fields:
                taken = seen[number] = []
                _edit(payload, rule.field, functools.partial(self._taken, number, rule, taken))
        return seen

    def _taken(self, number: int, rule: ProfileRule, taken: list[object], value: object) -> object:
        """The mask of a value, which it adds to ``taken``."""
        taken.append(value)
        if not rule.values:
            return MISSING
        return self.stand_in(number) if rule.lists(value) else value

    def stand_in(self, number: int) -> str:
        """The placeholder for a value that a rule lists."""
        return f"one that rule {self._stand_ins[number]} lists"

    def _beyond(self, canary: Event, ours: Event, used: set[int]) -> Iterator[FieldDifference]:
        """The differences that no rule allows; adds the rules that allow the others to ``used``."""
        about = [(number, rule) for number, rule in self.rules_about(canary.kind, canary.name) if rule.is_of_fields]
        payloads = Both(canary, ours).map(compared_payload)
        for difference in field_differences(payloads.canary, payloads.ours, "payload"):
            path = parse_field_path(difference.path.removeprefix("payload").removeprefix(".")) if about else ()
            number = next((number for number, rule in about if rule.allows(path, payloads)), None)
            if number is None:
                yield difference
            else:
                used.add(number)

    def judge(self, canary: Event, ours: Event) -> tuple[set[int], tuple[FieldDifference, ...]]:
        """The rules that allow two events of one kind to differ, and the differences that no rule allows."""
        used: set[int] = set()
        beyond = tuple(self._beyond(canary, ours, used))
        return used, beyond

    def equal(self, canary: Event, ours: Event, explains: Explains | None = None) -> bool:
        """Whether two events are the same under the rules; ``explains`` may account for fields that differ beyond."""
        if canary.kind != ours.kind or event_shared_global(canary) != event_shared_global(ours):
            return False
        differences = self._beyond(canary, ours, set())
        if explains is None:
            return next(differences, None) is None
        beyond = tuple(differences)
        return not beyond or explains(Both(canary, ours), beyond)


NO_PROFILE: Final = Profile()


# ── reading a profile ──


def _is_json(value: object) -> bool:
    """Whether a TOML value could stand in a log: no date, no infinity."""
    if isinstance(value, list | dict):
        return all(map(_is_json, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_path(value: object) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(value, str) and bool(parse_field_path(value)) and not value.startswith("payload.")
    return False


def _is_payload_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("payload.") and _is_path(value.removeprefix("payload."))


def _is_where(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and _is_json(value) and all(map(_is_payload_path, value))


def _is_list(value: object, accepts: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and bool(value) and all(map(accepts, value))


_RULE_TYPES: Final[Mapping[str, FieldType]] = {
    "absent": FieldType('"absent"', lambda value: value == "absent"),
    "calls": FieldType("a list of one or more names of calls", lambda value: _is_list(value, _is_text)),
    "kind": FieldType("a kind, without wildcard", lambda value: _is_text(value) and "*" not in str(value)),
    "limit": FieldType("a number of 0 or more", _is_limit),
    "name": FIELD_TYPES["str"],  # some calls have an empty one
    "path": FieldType('a path without "payload.", as status, args[2] or args[*]', _is_path),
    "start": FieldType("a text or a whole number", lambda value: _is_text(value) or type(value) is int),
    "text": FieldType("a text that is not blank", _is_text),
    "values": FieldType("a list of one or more JSON values", lambda value: _is_list(value, _is_json)),
    "where": FieldType('a table of "payload.path" = value', _is_where),
}

_RULE_FIELDS: Final[Mapping[RuleSort, tuple[Field, ...]]] = {
    sort: fields(f"reason:text at_most:int>=0? {notation}", _RULE_TYPES)
    for sort, notation in {
        RuleSort.NAME: "kind:kind call:name? field:path",
        RuleSort.TOLERANCE: "kind:kind call:name? field:path abs:limit? rel:limit?",
        RuleSort.IGNORE: "kind:kind call:name? field:path only:absent? values:values?",
        RuleSort.REPEAT: "calls:calls",
        RuleSort.FLOAT: "kind:kind call:name? where:where?",
        RuleSort.POOL: "entry_point:start? first_call:name?",
    }.items()
}


def _rule_path(path: FieldPath) -> str:
    """A path as a rule has it: a field with the name ``payload`` is none without "payload."."""
    text = path_text(path)
    return f'["payload"]{text.removeprefix("payload")}' if text.startswith("payload.") else text


RULE_KEYS: Final[tuple[tuple[str, str, Callable[[Any], Any], Callable[[Any], Any]], ...]] = (
    ("entry_point", "entry_point", json_text, json.loads),
    ("first_call", "first_call", str, str),
    ("calls", "calls", tuple, list),
    ("kind", "kind", str, str),
    ("call", "call", str, str),
    ("field", "field", parse_field_path, _rule_path),
    ("only", "only_absent", bool, lambda _: "absent"),
    ("values", "values", tuple, list),
    ("abs", "absolute", _exact, float),
    ("rel", "relative", _exact, float),
    (
        "where",
        "where",
        lambda table: tuple((parse_field_path(path.removeprefix("payload.")), value) for path, value in table.items()),
        lambda where: {f"payload.{_rule_path(path)}": value for path, value in where},
    ),
    ("at_most", "at_most", int, int),
    ("reason", "reason", str, str),
)
"""The keys of a rule, in the order in which they are written: each with its field, and how to read and write that."""
_ITEMS: Final = {"calls": _is_text, "values": _is_json, "where": _is_payload_path}
"""What an item of a list must be, or a key of a table."""
_ONE_OF: Final = {RuleSort.TOLERANCE: ("abs", "rel"), RuleSort.POOL: ("entry_point", "first_call")}


class _ProfileReader:
    """Reads one profile. Its errors name lines, which TOML's own parser does not tell."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._lines = path, text.splitlines()

    def _lines_of(self, pattern: str, start: int = 0) -> Iterator[int]:
        """The numbers of the lines after line ``start`` that match."""
        return (n for n, line in enumerate(self._lines[start:], start + 1) if re.match(rf"\s*(?:{pattern})", line))

    def _error(self, problem: str, key: str, start: int = 0) -> InputError:
        """An error at the first line after line ``start`` that has a key, of a table or of a value."""
        lines = self._lines_of(rf'[\[\s"]*{re.escape(key)}\b|\[[\w.]*\.{re.escape(key)}\b', start)
        return InputError(self._path, problem, lineno=next(lines, start), field=key)

    def rules(self, document: Mapping[str, object]) -> Iterator[ProfileRule]:
        """The rules of the document. Raises `InputError`."""
        sorts = {sort.value: sort for sort in RuleSort}
        version = document.get("version", MISSING)
        if version is MISSING:
            problem = f"expected version = {PROFILE_VERSION} before the rules, found nothing"
            raise InputError(self._path, problem, lineno=1, field="version")
        if type(version) is not int or version != PROFILE_VERSION:
            raise self._error(f"expected {PROFILE_VERSION}, found {described(version)}", "version")
        for key, tables in document.items():
            if key == "version":
                continue
            if key not in sorts:
                raise self._error(f"unknown rule: expected version, {', '.join(sorts)}", key)
            if not _is_list(tables, lambda table: isinstance(table, dict)):
                raise self._error(f"expected tables [[{key}]]", key)
            heads = self._lines_of(rf'\[\[\s*"?{key}"?\s*\]\]')
            for table in cast("list[dict[str, Any]]", tables):
                yield self._rule(sorts[key], table, next(heads, 1))

    def _rule(self, sort: RuleSort, table: Mapping[str, Any], lineno: int) -> ProfileRule:
        problems = field_problems(table, _RULE_FIELDS[sort])
        for problem in sorted(problems, key=lambda problem: problem.is_error):  # a misspelled key is missing, too
            known = ", ".join(one.name for one in _RULE_FIELDS[sort])
            text = problem.text if problem.is_error else f"unknown key: expected {known}"
            if problem.field not in table:
                raise InputError(self._path, text, lineno=lineno, field=problem.field)
            value, accepts = table[str(problem.field)], _ITEMS.get(str(problem.field))
            if problem.is_error and accepts and isinstance(value, list | dict):
                text += "".join(f" in which {item} does not fit" for item in value if not accepts(item))
            raise self._error(text, str(problem.field), lineno)
        names = _ONE_OF.get(sort, ())
        if names and sum(name in table for name in names) != 1:
            raise InputError(self._path, f"a [[{sort.value}]] needs one of {' and '.join(names)}", lineno=lineno)
        if "only" in table and "values" in table:
            raise self._error('only = "absent" and values say opposite things', "values", lineno)
        values = {name: read(table[key]) for key, name, read, _ in RULE_KEYS if key in table}
        return ProfileRule(sort, source=self._path, lineno=lineno, **values)


def _are_opposite(one: ProfileRule, other: ProfileRule) -> bool:
    """Whether two rules for one field contradict each other; one for all calls may be wider than one for one call."""
    narrow = [rule.sort is RuleSort.IGNORE and not rule.is_whole for rule in (one, other)]  # only some values pass
    if one.call != other.call:
        is_name = RuleSort.NAME in (one.sort, other.sort) and one.sort is not other.sort
        return is_name and None in (one.call, other.call) and not any(narrow)
    if any(narrow):
        return one.is_whole or other.is_whole
    return (one.sort, one.absolute, one.relative) != (other.sort, other.absolute, other.relative)


def opposite_of(rule: ProfileRule, others: Iterable[ProfileRule]) -> ProfileRule | None:
    """The first of some other rules that contradicts one about the same field."""
    same_field = (other for other in others if rule.field and (other.kind, other.field) == (rule.kind, rule.field))
    return next((other for other in same_field if _are_opposite(other, rule)), None)


def read_profile(paths: Sequence[str]) -> Profile:
    """The rules of all files together. Raises `InputError`, with the line of what is wrong."""
    rules: list[ProfileRule] = []
    for path in paths:
        text = read_text(path)
        for rule in _ProfileReader(path, text).rules(parse_toml(text, path)):
            if earlier := opposite_of(rule, rules):
                problem = f"says the opposite of {earlier.source}:{earlier.lineno} about the same field"
                raise InputError(rule.source, problem, lineno=rule.lineno, field=rule.sort.value)
            rules.append(rule)
    return Profile(rules, paths)


# ── writing a profile ──


def _toml(value: object) -> str:
    """A JSON value as TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


_RULE_HEADINGS: Final = {
    RuleSort.NAME: "Names: the engine chose the value; it must stand for the same thing wherever it is used.",
    RuleSort.TOLERANCE: "Numbers that may lie a little apart.",
    RuleSort.IGNORE: "Fields: may be absent, may have any of some values, or are not compared at all.",
    RuleSort.REPEAT: "Loops that may run more or fewer turns.",
    RuleSort.FLOAT: "Events that may stand anywhere in their thread, or be missing.",
    RuleSort.POOL: "Pools: which of the threads does a piece of work is timing.",
}


def rule_table(rule: ProfileRule) -> dict[str, object]:
    """What the table of a rule in a profile has."""
    unset = ProfileRule(rule.sort, "")
    values = ((key, write, getattr(rule, name), getattr(unset, name)) for key, name, _, write in RULE_KEYS)
    return {key: write(value) for key, write, value, default in values if value != default}


def rules_toml(rules: Iterable[ProfileRule], heading: str) -> str:
    """Rules as a person reviews them: grouped and commented."""
    lines = [f"# {heading}", "version = 1"]
    for sort, of_sort in itertools.groupby(rules, key=lambda rule: rule.sort):
        lines += ["", f"# {_RULE_HEADINGS[sort]}"]
        for rule in of_sort:
            lines += ["", f"[[{sort.value}]]", *(f"{key} = {_toml(value)}" for key, value in rule_table(rule).items())]
    return "\n".join(lines) + "\n"


def can_be_written(rule: ProfileRule) -> bool:
    """Whether a profile can say it: not of a kind with ``*``, nor of a text with half a surrogate pair."""
    text = rules_toml([replace(rule, reason="noise")], "")
    with contextlib.suppress(InputError, UnicodeEncodeError):
        text.encode()
        (read,) = _ProfileReader("", text).rules(parse_toml(text, ""))
        return replace(read, reason=rule.reason, source=rule.source, lineno=rule.lineno) == rule
    return False


# ══ fingerprints ══════════════════════════════════════════════════════════════════════════════════════════════════
#
# The fingerprint of an event is of its bytes where they say just what counts. Where a kind has skipped fields, or the
# writers format differently, it is of the canonical text of what counts in the payload: one spelling for each value.


Fingerprint: TypeAlias = "Callable[[tuple[object, ...]], int]"


def _portable_fingerprint() -> Fingerprint:
    """A keyed 64-bit hash of tuples of texts for Pythons whose own is narrower or weaker."""
    import hashlib  # here, so that only such a Python waits for it

    key = os.urandom(16)

    def fingerprint(parts: tuple[object, ...]) -> int:
        digest = hashlib.blake2b(repr(parts).encode(), digest_size=8, key=key).digest()
        return int.from_bytes(digest, "big", signed=True)

    return fingerprint


_HASH: Final = sys.hash_info
HASH_IS_STRONG: Final = _HASH.width >= 64 and _HASH.algorithm.startswith("siphash")
fingerprint: Final[Fingerprint] = hash if HASH_IS_STRONG else _portable_fingerprint()
"""64 bits that stand for what counts of an event, keyed anew in each run."""

SKIPPED_OF_EVERY_EVENT: Final = ("engine", "guest_cycle", "host_ns", "deterministic")
"""Top-level fields that are skipped by name; any other but kind, tid, index and payload is ignored too."""

_SKIPPED_BY_KIND: Final = {kind.encode(): keys for kind, keys in SKIPPED_FIELDS.items()}


class _WholeNumber(int):
    """1.0 or 1e2: equal to an integer, with the same hash, but its type is not `int`."""


def _canonical_number(text: str) -> int | float:
    value = finite_float(text)
    return _WholeNumber(value) if value.is_integer() else value


_DECODER: Final = json.JSONDecoder(parse_float=_canonical_number, parse_constant=_refuse_constant)


def parse_payloads(payloads: Sequence[bytes]) -> list[dict[str, object]]:
    """The values of some payloads, given the texts between their braces; equal numbers are of one type.

    All are parsed at once, at a quarter of the cost. Raises `NotJsonError` without saying which is no JSON.

    >>> parse_payloads([b'"a": 1.0', b'"b": 1e2'])
    [{'a': 1}, {'b': 100}]
    """
    for payload in payloads if max(map(len, payloads), default=0) > 2 * MAX_NESTING else ():
        if len(payload) > 2 * MAX_NESTING:
            parse_payload(payload)  # it may be nested too deep
    try:
        text = "[{" + b"},{".join(payloads).decode() + "}]" if payloads else "[]"
        return cast("list[dict[str, object]]", _DECODER.decode(text))
    except NotJsonError:
        raise
    except ValueError as error:
        raise NotJsonError("a payload is not JSON", "payload") from error


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False)


def canonical_texts(values: Sequence[object]) -> list[str]:
    r"""One text for each of some values of `parse_payloads`: equal values have equal texts.

    >>> canonical_texts(parse_payloads([b' "b": 1.0, "a": "\\u0041" ', b'"a":"A","b":1']))
    ['{"a":"A","b":1}', '{"a":"A","b":1}']
    """
    separated: list[object] = [-math.inf] * (2 * len(values) - 1)  # JSON has it nowhere but in strings
    separated[::2] = values
    texts = _CANONICAL.encode(separated)[1:-1].split(",-Infinity,")
    return texts if len(texts) == len(values) else list(map(_CANONICAL.encode, values))


# ── what a profile leaves of payloads ──
#
# Where no object is nested in payloads and no character escaped, their texts tell where a field begins and ends. So
# the payloads of one call are joined, a line each with a comma at its end, and each rule cuts its field out of all of
# them at once. Payloads that are *unclear*, nested, escaped or with a key twice, are parsed. Both ways give the same.


class MaskedPayloads(NamedTuple):
    """What rules leave of some payloads, and what they let differ there."""

    numbers: Sequence[int]
    """Positions of these payloads in the list that was passed to `masked`."""
    fingerprints: Sequence[int]
    """Of the kind and of what must be equal."""
    taken: Mapping[int, Sequence[int]]
    """By number of a rule, of each payload a hash of what it lets differ, 0 for nothing."""


_ALL_BUT_BRACES_AND_ESCAPES: Final = bytes(set(range(256)) - set(b"{\\\n"))
_NUMBER_TEXT: Final = r"-?[1-9][0-9]{0,17}|0|-?(?!0\.0000)(?:[1-9][0-9]{0,7}|0)\.[0-9]{0,6}[1-9]"
_SCALAR: Final = rf'(?:"[^"\\\n]*"|{_NUMBER_TEXT}|true|false|null)'
"""Values whose texts are canonical."""
_SCALARS: Final = re.compile(_SCALAR.encode())
_LINE_ENDS: Final = itertools.repeat(b"\n")
_AS_WRITTEN: Final = [json.JSONEncoder(ensure_ascii=False, separators=sep) for sep in ((",", ":"), (", ", ": "))]
"""Of the usual writers: without spaces, and with."""


class _TextField:
    """A field in the texts of payloads, which are lines."""

    def __init__(self, path: FieldPath, keeps_key: bool = True) -> None:
        key, element, items = f'"{path[0]}": ?', path[-1], f"{_SCALAR}(?:, ?{_SCALAR})*"
        pattern = rf"({key}\[(?:{_SCALAR}, ?){{{element}}})({_SCALAR})(?=[],])"
        self.is_member = len(path) == 1
        if self.is_member:
            pattern = f"({key})({_SCALAR})(?=,)" if keeps_key else f"{key}()({_SCALAR}), ?"
        elif element is AnyElement.ANY:
            pattern = rf"({key}\[)({items})(?=\])"
        self._key, self._pattern = f'"{path[0]}"'.encode(), re.compile(pattern.encode())
        self._list = re.compile(rf"{key}\[(?:{items})?\]".encode())

    @staticmethod
    def can_be_at(path: FieldPath) -> bool:
        """Whether fields at such a path are found in texts."""
        is_plain = re.fullmatch(r"[A-Za-z_]\w*", str(path[0]), re.ASCII)
        return bool(is_plain) and (len(path) == 1 or (len(path) == 2 and not isinstance(path[1], str)))

    def find(self, text: bytes, count: int) -> tuple[list[bytes], Sequence[int], set[int]]:
        """Splits ``count`` lines at a field: the parts, the line number of each value, the lines that must be parsed.

        The parts are, again and again: the text before the field, what of the field stays, its value.
        """
        parts = self._pattern.split(text)
        steps = list(map(bytes.count, parts[:-1:3], _LINE_ENDS))
        if len(steps) == count == text.count(self._key) and steps.count(1) == count - 1 and not steps[0]:
            return parts, range(count), set()
        found, lines = list(itertools.accumulate(steps)), text.split(b"\n")
        times, counts = Counter(found), list(map(bytes.count, lines, itertools.repeat(self._key)))
        odd = {n for n, count in enumerate(counts) if count > 1 or count != times[n]}
        unclear = {n for n in odd if counts[n] > 1 or self.is_member or not self._list.search(lines[n])}
        return parts, found, unclear


class _TextRule:
    """A rule as it is applied to lines."""

    def __init__(self, number: int, rule: ProfileRule, stand_in: str) -> None:
        self.number, self._stand_in = number, json.dumps(stand_in).encode()
        self._field = _TextField(rule.field, keeps_key=bool(rule.values)) if rule.field else None
        self._listed = {json_text(value).encode() for value in rule.values}

    @staticmethod
    def can_apply(rule: ProfileRule) -> bool:
        """Whether texts tell what it lets differ."""
        if not rule.field:
            return not rule.where
        is_list = bool(rule.values) and AnyElement.ANY in rule.field
        are_plain = all(_SCALARS.fullmatch(json_text(value).encode()) for value in rule.values)
        return _TextField.can_be_at(rule.field) and are_plain and not is_list

    def apply(self, text: bytes, count: int) -> tuple[bytes, Sequence[int], set[int]]:
        """What the rule leaves of ``count`` lines, a hash of what it takes from each, the lines that must be parsed."""
        if self._field is None:
            return text, [0] * count, set()
        parts, lines, unclear = self._field.find(text, count)
        values = parts[2::3]
        if self._listed:
            parts[2::3] = [self._stand_in if value in self._listed else value for value in values]
        elif self._field.is_member:
            parts = parts[::3]
        else:
            is_last = [after[:1] == b"]" for after in parts[3::3]]
            # As `Profile.mask` does, so that both ways give the same hash.
            parts[2::3] = [b"" if last else b"NaN" for last in is_last]
            heads = zip(parts[1::3], is_last, strict=True)
            parts[1::3] = [head.rstrip(b", ") if last else head for head, last in heads]
            values = [b",".join(_SCALARS.findall(value)) for value in values]
        hashes = list(map(fingerprint, zip(values, strict=True)))
        if isinstance(lines, list):
            hashes, taken = [0] * count, hashes
            deque(map(hashes.__setitem__, lines, taken), maxlen=0)
        return b"".join(parts), hashes, unclear


class PayloadMasker:
    """Takes what a profile lets differ out of the payloads of one kind."""

    _NAME: ClassVar = re.compile(rb'"name": ?("[^"\\]*")')

    def __init__(self, profile: Profile, kind: bytes, canonical: bool) -> None:
        self._profile, self._kind = profile, kind
        self._reads_texts = not canonical and kind not in _SKIPPED_BY_KIND
        self._pattern = profile.patterns[kind]
        self._names_calls = any(rule.call is not None for rule in profile.of_events if rule.kind == kind.decode())
        self._text_rules: dict[bytes | None, list[_TextRule] | None] = {}

    def masked(self, payloads: Sequence[bytes]) -> Iterator[MaskedPayloads]:
        """What is left of the payloads that a rule may be about. Raises `NotJsonError`."""
        unclear = self._nested_or_escaped(payloads)
        for name, rows in self._by_name(payloads, set(unclear)) if self._reads_texts else ():
            rules = self._rules_about(name)
            if rules is None:
                unclear += rows
            elif rules:
                yield self._applied(rules, rows, list(map(payloads.__getitem__, rows)), unclear)
        unclear = [row for row in unclear if self._pattern.search(payloads[row])]
        yield from self._parsed(unclear, list(map(payloads.__getitem__, unclear)))

    def _nested_or_escaped(self, payloads: Sequence[bytes]) -> list[int]:
        """The numbers of payloads in which an object is nested or a character is escaped."""
        if not self._reads_texts:
            return list(range(len(payloads)))
        joined = b"\n".join(payloads)
        if b"{" not in joined and b"\\" not in joined:
            return []
        marks = joined.translate(None, _ALL_BUT_BRACES_AND_ESCAPES).split(b"\n")
        return list(itertools.compress(range(len(payloads)), marks))

    def _by_name(self, payloads: Sequence[bytes], unclear: set[int]) -> Iterable[tuple[bytes | None, Sequence[int]]]:
        """The numbers of payloads that are not nested or escaped, by the text of their call's name."""
        if not self._names_calls:
            return [(None, [n for n in range(len(payloads)) if n not in unclear])]
        first_members: defaultdict[bytes, list[int]] = defaultdict(list)
        for row, (first, _, _) in enumerate(map(bytes.partition, payloads, itertools.repeat(b","))):
            first_members[first].append(row)
        by_name: defaultdict[bytes | None, list[int]] = defaultdict(list)
        for first, rows in first_members.items():
            clear = [row for row in rows if row not in unclear] if unclear else rows
            if name := self._NAME.fullmatch(first):
                by_name[name[1]] += clear
            else:
                for row in clear:
                    found = self._NAME.search(payloads[row])
                    by_name[found and found[1]].append(row)
        return by_name.items()

    def _rules_about(self, name: bytes | None) -> list[_TextRule] | None:
        """The rules for a call, by the text of its name; None if texts do not tell what they let differ."""
        if name not in self._text_rules:
            call = json.loads(name) if name else None
            rules = self._profile.rules_about(self._kind.decode(), call if isinstance(call, str) else None)
            can_apply = all(_TextRule.can_apply(rule) for _, rule in rules)
            texts = [
                _TextRule(n, rule, self._profile.stand_in(n) if rule.values else "") for n, rule in _as_applied(rules)
            ]
            self._text_rules[name] = texts if can_apply else None
        return self._text_rules[name]

    def _applied(
        self, rules: Iterable[_TextRule], rows: Sequence[int], payloads: Sequence[bytes], unclear: list[int]
    ) -> MaskedPayloads:
        """What rules make of texts; the rows that must be parsed instead are added to ``unclear``."""
        once = dict.fromkeys(payloads)
        text, taken, unclear_lines = b",\n".join(once) + b",", {}, set[int]()
        if text.count(b'"name"') > len(once):  # it may be another call
            unclear_lines.update(n for n, line in enumerate(once) if line.count(b'"name"') > 1)
        for rule in rules:
            text, taken[rule.number], unclear_now = rule.apply(text, len(once))
            unclear_lines |= unclear_now
        text = (text + b"\n").replace(b", \n", b",\n")  # where the last field was cut out
        hashes = list(map(fingerprint, zip(itertools.repeat(self._kind), text.split(b"\n")[:-1])))
        if not unclear_lines and len(once) == len(payloads):
            return MaskedPayloads(rows, hashes, taken)
        numbers = list(map(dict(zip(once, itertools.count(), strict=False)).__getitem__, payloads))
        if unclear_lines:
            unclear += (row for row, n in zip(rows, numbers, strict=True) if n in unclear_lines)
            is_clear = [n not in unclear_lines for n in numbers]
            rows, numbers = (list(itertools.compress(column, is_clear)) for column in (rows, numbers))
        of_all = {rule: list(map(column.__getitem__, numbers)) for rule, column in taken.items()}
        return MaskedPayloads(rows, list(map(hashes.__getitem__, numbers)), of_all)

    def _left(
        self, texts: Sequence[bytes], payloads: Sequence[dict[str, object]], sids: Sequence[str | None]
    ) -> Iterable[tuple[object, ...]]:
        """What is left of parsed payloads, for fingerprints: the bytes that `_applied` leaves, where it can do it."""
        if not self._reads_texts:
            return zip(itertools.repeat(self._kind), canonical_texts(payloads), sids, strict=False)
        encoders = (_AS_WRITTEN[b'": ' in text] for text in texts)
        texts_left = (encoder.encode(payload)[1:-1] for encoder, payload in zip(encoders, payloads, strict=True))
        return ((self._kind, (text and f"{text},").encode("utf-8", "surrogatepass")) for text in texts_left)

    def _parsed(self, rows: Sequence[int], texts: Sequence[bytes]) -> Iterator[MaskedPayloads]:
        """What the rules make of payloads whose texts do not tell it."""
        payloads = parse_payloads(texts)
        taken_from: list[dict[int, int]] = []
        sids = []
        for payload in payloads:
            name = payload.get("name")
            rules = self._profile.rules_about(self._kind.decode(), name if isinstance(name, str) else None)
            sids.append(shared_global_of(payload) if self._kind == b"handle.create" else None)
            taken = {number: 0 for number, rule in rules if rule.floats(payload)}
            for number, values in self._profile.mask(payload, rules).items():
                text = ",".join(canonical_texts(values)).encode("utf-8", "surrogatepass") if values else b""
                taken[number] = fingerprint((text,)) if text else 0
            taken_from.append(taken)
            for key in _SKIPPED_BY_KIND.get(self._kind, ()):
                payload.pop(key, None)
        hashes = list(map(fingerprint, self._left(texts, payloads, sids)))
        for row, hash_, taken in zip(rows, hashes, taken_from, strict=True):
            if taken:
                yield MaskedPayloads([row], [hash_], {number: [value] for number, value in taken.items()})


# ══ index ═════════════════════════════════════════════════════════════════════════════════════════════════════════


@dataclass(frozen=True, slots=True)
class LogWarning:
    """Something about a log that a reader of the report must know, though it refuses nothing."""

    kind: WarningKind
    tid: int | None = None
    lineno: int | None = None
    idx: int | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class SharedGlobal:
    """A ``handle.create`` that wraps a process-global object, where it stands."""

    tid: int
    idx: int
    sid: str
    pointer: int
    object_type: str
    lineno: int = 0
    """0 until a report needs it."""


class Creation(NamedTuple):
    """A ``thread.create``: who made whom. Tids are the engine's own."""

    creator_tid: int
    idx: int
    child_tid: int
    entry_point: str
    start_context: str


class ObjectRole(enum.IntEnum):
    """What an event does with the object that it names."""

    CREATED = 0
    DESTROYED = 1
    WAITED_FOR = 2
    WAITED_FOR_WITH_OTHERS = 3
    """A wait for all of several handles: which of them ends it is timing."""
    WOKE = 4


_NAMED_OBJECT: Final = {
    b"handle.create": ("handle_semantic_id", ObjectRole.CREATED),
    b"handle.destroy": ("handle_semantic_id", ObjectRole.DESTROYED),
    b"wait.end": ("woken_by_semantic_id", ObjectRole.WOKE),
}


ObjectRef: TypeAlias = "tuple[int, int, int, int]"
"""Where an event names an object: the event's row, object, role and raw handle."""


def object_refs(kind: bytes, payloads: Mapping[int, Mapping[str, object]]) -> Iterator[ObjectRef]:
    """The objects that events of a kind name, given their payloads by row.

    >>> list(object_refs(b"wait.end", {7: {"woken_by_semantic_id": "0x1f"}}))
    [(7, 31, <ObjectRole.WOKE: 4>, 0)]
    """
    if kind == b"wait.begin":
        for row, payload in payloads.items():
            handles = payload.get("handles_semantic_ids")
            sids = [semantic_number(handle) or 0 for handle in handles] if isinstance(handles, list) else []
            together = len(sids) > 1 and payload.get("wait_type") == "all"
            role = ObjectRole.WAITED_FOR_WITH_OTHERS if together else ObjectRole.WAITED_FOR
            if all(sids):
                yield from [(row, sid, role, 0) for sid in sids]
    elif kind in _NAMED_OBJECT:
        key, role = _NAMED_OBJECT[kind]
        has_handle = role is not ObjectRole.WOKE
        for row, payload in payloads.items():
            sid = semantic_number(payload.get(key)) or 0
            raw = (name_value(payload.get("raw_handle_id")) or 0) if has_handle else 0
            if sid or raw:
                yield row, sid, role, raw


class ObjectRefs:
    """Every reference of a log to an object, in the order of the file, 29 bytes each."""

    __slots__ = ("_numbers", "indexes", "raws", "roles", "sids", "threads", "tids")

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self.tids: list[int] = []
        """The threads that name objects."""
        self.threads = array("i")
        """Of each reference: the number of its thread in `tids`."""
        self.indexes = array("q")
        """Of each reference: the index of its event."""
        self.sids = array("Q")
        """Of each reference: the object's semantic id, 0 where it has none."""
        self.roles = array("b")
        """Of each reference: its `ObjectRole`."""
        self.raws = array("Q")
        """Of each reference: the raw handle where the object is created or destroyed, else 0."""

    def __len__(self) -> int:
        return len(self.sids)

    def _number(self, tid: int) -> int:
        if tid not in self._numbers:
            self._numbers[tid] = len(self.tids)
            self.tids.append(tid)
        return self._numbers[tid]

    def add(self, refs: Iterable[ObjectRef], tids: Sequence[bytes], indexes: Sequence[int]) -> None:
        """Takes in those of the next events, given the threads and indexes of these."""
        in_order = sorted(refs, key=itemgetter(0))
        if in_order:
            rows, sids, roles, raws = zip(*in_order, strict=True)
            of_rows = list(map(tids.__getitem__, rows))
            numbers = {tid: self._number(int(tid)) for tid in dict.fromkeys(of_rows)}
            self.threads.fromlist(list(map(numbers.__getitem__, of_rows)))
            self.indexes.fromlist(list(map(indexes.__getitem__, rows)))
            self.sids += array("Q", sids)
            self.roles += array("b", roles)
            self.raws += array("Q", raws)

    def extend(self, other: ObjectRefs) -> None:
        """Takes in the references of the next part of the log."""
        numbers = list(map(self._number, other.tids))
        self.threads.extend(map(numbers.__getitem__, other.threads))
        self.indexes += other.indexes
        self.sids += other.sids
        self.roles += other.roles
        self.raws += other.raws

    def into_index_order(self, tid: int) -> None:
        """Sorts the references of one thread by index; they stay in the same rows of the columns."""
        number = self._number(tid)
        rows = [row for row, thread in enumerate(self.threads) if thread == number]
        ordered = sorted(rows, key=self.indexes.__getitem__)
        for column in (self.indexes, self.sids, self.roles, self.raws):
            for row, value in zip(rows, [column[n] for n in ordered], strict=True):
                column[row] = value


class Stream:
    """The events of one thread in index order: a fingerprint each, and where in the text to find them again.

    A *position* counts the events that are there, from 0; an *index* is the ``tid_event_idx`` that an event carries.
    A *run* is a sequence of consecutive indexes in one chunk of the text.
    """

    __slots__ = ("_chunks", "_gaps", "_indexes", "_positions", "fingerprints", "reordered")

    def __init__(self) -> None:
        self.fingerprints = array("q")
        self.reordered = False
        """Whether the file has events of this thread out of order."""
        self._positions = array("q")  # of each run: the position of its first event
        self._indexes = array("q")  # of each run: the index of its first event
        self._chunks = array("i")  # of each run: the number of its chunk
        self._gaps = array("q")  # the positions before which indexes are missing

    def __len__(self) -> int:
        return len(self.fingerprints)

    def add(self, fingerprints: list[int], indexes: list[int], chunk: int) -> None:
        """Takes in the next events, which stand in a chunk, in the order of the file."""
        starts: Iterable[int] = (0,)
        if indexes != list(range(indexes[0], indexes[0] + len(indexes))):
            after_gaps = map(int.__ne__, indexes, (-1, *map((1).__add__, indexes)))
            starts = itertools.compress(range(len(indexes)), after_gaps)
        for start in starts:
            self._positions.append(len(self) + start)
            self._indexes.append(indexes[start])
            self._chunks.append(chunk)
        self.fingerprints.fromlist(fingerprints)

    def extend(self, other: Stream, chunks: int) -> None:
        """Takes in the events of the next part of the log, before which there are so many chunks."""
        self._positions.extend(map(len(self).__add__, other._positions))
        self._indexes += other._indexes
        self._chunks.extend(map(chunks.__add__, other._chunks))
        self.fingerprints += other.fingerprints

    def _ends(self) -> list[int]:
        """The index after the last one of each run."""
        lengths = map(int.__sub__, (*self._positions[1:], len(self)), self._positions)
        return list(map(int.__add__, self._indexes, lengths))

    def into_index_order(self) -> int | None:
        """Puts runs that were written out of order in their place; returns an index that stands there twice, if any."""
        starts, ends = self._indexes, self._ends()
        if any(map(int.__gt__, ends, starts[1:])):
            order = sorted(range(len(starts)), key=starts.__getitem__)
            doubled = next((starts[b] for a, b in itertools.pairwise(order) if ends[a] > starts[b]), None)
            if doubled is not None:
                return doubled
            self._reorder(order)
            ends = self._ends()
        after_gaps = map(int.__ne__, (0, *ends), self._indexes)
        self._gaps = array("q", itertools.compress(self._positions, after_gaps))
        return None

    def _reorder(self, order: Sequence[int]) -> None:
        stops = (*self._positions[1:], len(self))
        fingerprints, positions = array("q"), array("q")
        for run in order:
            positions.append(len(fingerprints))
            fingerprints += self.fingerprints[self._positions[run] : stops[run]]
        self._indexes = array("q", (self._indexes[run] for run in order))
        self._chunks = array("i", (self._chunks[run] for run in order))
        self.fingerprints, self._positions, self.reordered = fingerprints, positions, True

    def idx_at(self, position: int) -> int:
        """The index of the event at a position."""
        run = bisect.bisect_right(self._positions, position) - 1
        return self._indexes[run] + position - self._positions[run]

    def run_end(self, position: int) -> int:
        """The position up to which, from this one, indexes are consecutive."""
        gap = bisect.bisect_right(self._gaps, position)
        return self._gaps[gap] if gap < len(self._gaps) else len(self)

    def position_of(self, idx: int) -> int:
        """The position of the event with an index that is there."""
        run = bisect.bisect_right(self._indexes, idx) - 1
        return self._positions[run] + idx - self._indexes[run]

    def positions_of(self, indexes: Iterable[int]) -> list[int]:
        """The positions of many indexes that are there."""
        return list(map(self.position_of, indexes)) if self._gaps else list(indexes)

    def lost(self) -> tuple[int, int]:
        """How many events were lost, and the first index that is not there."""
        first = 0 if self._indexes[0] else self.run_end(0)
        return self._indexes[-1] - self._positions[-1], first

    def chunk_of(self, position: int) -> int:
        """The number of the chunk that the event at a position stands in."""
        return self._chunks[bisect.bisect_right(self._positions, position) - 1]


class RuleMarks:
    """The events of one thread that a rule of a profile names."""

    __slots__ = ("floats", "indexes", "values")

    def __init__(self, floats: bool = False) -> None:
        self.floats = floats
        """Whether the rule lets them float."""
        self.indexes = array("q")
        self.values = array("q")
        """Hashes of what they have in the field that the rule is about; 0 where there is nothing."""

    def extend(self, other: RuleMarks) -> None:
        """Takes in those of the next part of the log."""
        self.indexes += other.indexes
        self.values += other.values

    def into_index_order(self) -> None:
        """Puts what was written out of order in order."""
        if not any(map(int.__gt__, self.indexes, self.indexes[1:])):
            return
        order = sorted(range(len(self.indexes)), key=self.indexes.__getitem__)
        for column in (self.indexes, self.values):
            column[:] = array("q", [column[row] for row in order])


class _Chunk(NamedTuple):
    """A piece of the text that was indexed in one go."""

    offset: int
    length: int
    first_lineno: int


@dataclass(slots=True)
class LogIndex:
    """What is known of a log, or of a part of it, after one pass over it.

    Plain values, without the text: it can cross between processes.
    """

    streams: dict[int, Stream] = field(default_factory=dict)
    """By tid, in the order in which the threads first appear."""
    first_calls: dict[int, str] = field(default_factory=dict)
    """The name in the first ``kernel.call`` of each stream that has one; there once the whole log was read."""
    shared_globals: list[SharedGlobal] = field(default_factory=list)
    creations: list[Creation] = field(default_factory=list)
    objects: ObjectRefs = field(default_factory=ObjectRefs)
    marks: dict[tuple[int, int], RuleMarks] = field(default_factory=dict)
    """By number of a profile's rule and tid, the events that it names."""
    warnings: list[LogWarning] = field(default_factory=list)
    chunks: list[_Chunk] = field(default_factory=list)
    next_lineno: int = 1
    """The number of the line behind the last one; of a part of a log, lines are counted from 0."""
    first_call_places: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """Index and payload of the ``kernel.call`` of each thread that comes first in the file."""
    exact_lines: int = 0
    """How many lines were read the slow way: few in any log of a usual writer."""
    bytes: int = 0

    @property
    def events(self) -> int:
        """How many events all threads have together."""
        return sum(map(len, self.streams.values()))

    def extend(self, other: LogIndex) -> None:
        """Takes in the index of the next part of the log, whose lines are numbered from 0."""
        for tid, stream in other.streams.items():
            self.streams.setdefault(tid, Stream()).extend(stream, len(self.chunks))
        self.first_call_places = other.first_call_places | self.first_call_places
        self.shared_globals += other.shared_globals
        self.creations += other.creations
        self.objects.extend(other.objects)
        for of_thread, marks in other.marks.items():
            self.marks.setdefault(of_thread, RuleMarks(marks.floats)).extend(marks)
        self.chunks += [chunk._replace(first_lineno=self.next_lineno + chunk.first_lineno) for chunk in other.chunks]
        for warning in other.warnings:
            lineno = None if warning.lineno is None else self.next_lineno + warning.lineno
            self.warnings.append(replace(warning, lineno=lineno))
        self.next_lineno += other.next_lineno
        self.bytes += other.bytes
        self.exact_lines += other.exact_lines


EventPlace: TypeAlias = "tuple[int, int]"
"""The tid of an event, and its position in the stream."""
EventId: TypeAlias = "tuple[int, int]"
"""Its tid and index."""


class Log:
    """An indexed log and its source: finds events again. Raises `InputError` where one cannot be decoded."""

    _CHUNKS_AT_HAND: ClassVar = 32
    _ROWS_AT_HAND: ClassVar = 8
    _READ_TOGETHER: ClassVar = 8  # from so many events of a chunk on, all of it is decoded

    def __init__(self, source: LogSource, index: LogIndex, events_at_hand: int = 4096) -> None:
        self.source, self.index = source, index
        self._reader = LayoutReader()
        self._text = functools.lru_cache(self._CHUNKS_AT_HAND)(self._read_text)
        self._rows = functools.lru_cache(self._ROWS_AT_HAND)(self._rows_of)
        self.held: dict[EventPlace, Event] = {}
        """Events that are wanted again and again."""
        self._event = functools.lru_cache(events_at_hand)(lambda *place: self._decoded(*self.raw_event(*place)))

    def _read_text(self, number: int) -> bytes:
        """The lines of a chunk."""
        chunk = self.index.chunks[number]
        text = self.source.read_back(chunk.offset, chunk.length)
        return text if text.endswith(b"\n") else text + b"\n"

    def _columns(self, text: bytes) -> Columns:
        try:
            return self._reader.columns(text)
        except NotJsonError as error:
            raise InputError(self.source.name, CHANGED) from error

    def text(self, number: int) -> bytes:
        """The lines of a chunk."""
        return self._text(number)

    def columns(self, number: int) -> Columns:
        """All events of a chunk, in the order of the file."""
        return self._columns(self._text(number))

    def raw_events(self, number: int) -> Iterator[tuple[int, bytes, RawEvent]]:
        """Line number and text of each event of a chunk, and what is on it, in the order of the file."""
        numbered = enumerate(self._text(number).split(b"\n"), self.index.chunks[number].first_lineno)
        lines = ((lineno, line) for lineno, line in numbered if line.strip())
        events = map(RawEvent, *self.columns(number)[:4])
        return ((lineno, line, raw) for (lineno, line), raw in zip(lines, events, strict=True))

    def _found(self, tid: int, position: int) -> tuple[int, bytes, RawEvent]:
        """Line number and text of the event of a thread at a position, and what is on it."""
        stream = self.index.streams[tid]
        number, idx = stream.chunk_of(position), stream.idx_at(position)
        text = self._text(number)
        side_by_side = (b'"tid":%d,"tid_event_idx":%d' % (tid, idx), b'"tid": %d, "tid_event_idx": %d' % (tid, idx))
        for needle in (*side_by_side, b'"tid_event_idx":%d' % idx, b'"tid_event_idx": %d' % idx):
            end = 0
            while (at := text.find(needle, end)) >= 0:
                start, end = text.rfind(b"\n", 0, at) + 1, text.index(b"\n", at)
                line = text[start:end]
                of_thread = b'"tid":%d' % tid in line or b'"tid": %d' % tid in line
                if of_thread and not text[at + len(needle) : at + len(needle) + 1].isdigit():
                    kinds, tids, indexes, payloads, _ = self._columns(line + b"\n")
                    event = RawEvent(kinds[0], tids[0], indexes[0], payloads[0])
                    if (int(event.tid), int(event.tid_event_idx)) == (tid, idx):
                        lineno = self.index.chunks[number].first_lineno + text.count(b"\n", 0, start)
                        return lineno, line, event
        found = next(self._events_with(number, tid, idx), None)  # written in another way
        if found is None:
            raise InputError(self.source.name, CHANGED)
        return found

    def _events_with(self, number: int, tid: int, idx: int) -> Iterator[tuple[int, bytes, RawEvent]]:
        """The events of a chunk that have an index of a thread."""
        events = self.raw_events(number)
        return (event for event in events if (int(event[2].tid), int(event[2].tid_event_idx)) == (tid, idx))

    def lines_with(self, tid: int, idx: int) -> Iterator[int]:
        """The numbers of all lines that hold an index of a thread."""
        for number in range(len(self.index.chunks)):
            yield from (lineno for lineno, _, _ in self._events_with(number, tid, idx))

    def indexes_with_any(self, needles: Collection[bytes], tid: int, chunks: Iterable[int]) -> Iterator[list[int]]:
        """The indexes of a thread's events whose lines have one of some texts, chunk by chunk."""

        def has_any(text: bytes) -> bool:
            return any(needle in text for needle in needles)

        for number in chunks:
            if has_any(self._text(number)):
                events = self.raw_events(number)
                yield [int(raw.tid_event_idx) for _, line, raw in events if int(raw.tid) == tid and has_any(line)]

    def line_of(self, tid: int, position: int) -> tuple[int, bytes]:
        """Line number and text of the event of a thread at a position."""
        return self._found(tid, position)[:2]

    def raw_event(self, tid: int, position: int) -> tuple[int, RawEvent]:
        """The event of a thread at a position, with its line number."""
        lineno, _, raw = self._found(tid, position)
        return lineno, raw

    @contextlib.contextmanager
    def at_line(self, lineno: int) -> Iterator[None]:
        """Names the line where something in it is no JSON."""
        try:
            yield
        except NotJsonError as error:
            raise InputError(self.source.name, str(error), lineno=lineno, field=error.field) from error

    def event(self, tid: int, position: int) -> Event:
        """The event of a thread at a position, decoded."""
        return self.held.get((tid, position)) or self._event(tid, position)

    def hold(self, places: Iterable[EventPlace]) -> None:
        """Decodes events and keeps them at hand: much faster than to ask for one after the other."""
        for place, lineno, raw in self.raw_events_at(set(places).difference(self.held)):
            self.held[place] = self._decoded(lineno, raw)

    def raw_events_at(self, places: Iterable[EventPlace]) -> Iterator[tuple[EventPlace, int, RawEvent]]:
        """The events at some places, with their line numbers, chunk by chunk: the file is read in its order."""
        wanted: defaultdict[int, list[EventPlace]] = defaultdict(list)
        for place in places:
            wanted[self.index.streams[place[0]].chunk_of(place[1])].append(place)
        for number in sorted(wanted):
            find = self._in_rows if len(wanted[number]) >= self._READ_TOGETHER else self.raw_event
            for place in wanted[number]:
                yield place, *find(*place)

    def before(self, tid: int, position: int, most: int) -> Iterator[Event]:
        """The events of a thread before a position, the last one first; fast where it is asked in the file's order."""
        for place in range(position - 1, max(-1, position - 1 - most), -1):
            yield self.held.get((tid, place)) or self._decoded(*self._in_rows(tid, place))

    def _in_rows(self, tid: int, position: int) -> tuple[int, RawEvent]:
        """The event of a thread at a position, with its line number, after a look at all of its chunk."""
        stream = self.index.streams[tid]
        number = stream.chunk_of(position)
        columns, rows = self._rows(number)
        row = rows.get((b"%d" % tid, b"%d" % stream.idx_at(position)))
        if row is None or columns.lines > len(rows):  # there are blank lines
            return self.raw_event(tid, position)
        return self.index.chunks[number].first_lineno + row, RawEvent(*(column[row] for column in columns[:4]))

    def _rows_of(self, number: int) -> tuple[Columns, dict[tuple[bytes, bytes], int]]:
        """All events of a chunk, and which row each is, by tid and index."""
        columns = self.columns(number)
        return columns, dict(zip(zip(columns.tids, columns.indexes, strict=True), itertools.count(), strict=False))

    def _decoded(self, lineno: int, raw: RawEvent) -> Event:
        with self.at_line(lineno):
            return event_of(raw, lineno)

    def position(self, tid: int, idx: int) -> int:
        """Where an index stands in the stream of a thread."""
        return self.index.streams[tid].position_of(idx)

    def events(self) -> Iterator[Event]:
        """All events in the order of the file."""
        for number in range(len(self.index.chunks)):
            for lineno, _, raw in self.raw_events(number):
                yield self._decoded(lineno, raw)

    def calls(self, tid: int, most_events: int = sys.maxsize) -> Iterator[str]:
        """The names in the ``kernel.call`` events among the first of a thread, in their order."""
        for position in range(min(most_events, len(self.index.streams[tid]))):
            lineno, raw = self.raw_event(tid, position)
            if raw.kind == b"kernel.call":
                with self.at_line(lineno):
                    name = call_name(parse_payload(raw.payload))
                yield name


class _SegmentIndexer:
    """Indexes one segment of a log after the other; what it learns of one makes the next one faster."""

    def __init__(self, canonical: bool, profile: Profile) -> None:
        self._canonical, self._profile = canonical, profile
        self._maskers = {kind: PayloadMasker(profile, kind, canonical) for kind in profile.patterns}
        self._reader = LayoutReader()

    def index(self, segment: Segment) -> LogIndex | InputError:
        """The index of a segment, or what is wrong with its first bad line; lines are numbered from 0."""
        self._index, self._name = LogIndex(next_lineno=0, bytes=segment.length), segment.name
        self._rows: defaultdict[bytes, list[int]] = defaultdict(list)  # what each thread gets of a chunk
        self._streams: defaultdict[bytes, Stream] = defaultdict(Stream)
        self._marks: dict[int, dict[bytes, RuleMarks]] = {}
        self._reader.exact_lines = 0
        try:
            offset = segment.offset
            for chunk in segment.chunks():
                self._add(chunk, offset)
                offset += len(chunk)
        except InputError as error:
            return error
        self._index.streams = {int(tid): stream for tid, stream in self._streams.items()}
        self._index.exact_lines = self._reader.exact_lines
        for marks in self._index.marks.values():
            marks.into_index_order()
        return self._index

    def _add(self, chunk: bytes, offset: int) -> None:
        """Takes in the next chunk of whole lines, the last line of the file perhaps without its newline."""
        last = chunk.rfind(b"\n", 0, len(chunk) - 1) + 1
        is_too_long = len(chunk) - last >= MAX_LINE_BYTES
        text = chunk[:last] if is_too_long else self._without_torn_tail(chunk, last)
        if text:
            self._add_lines(text, offset)
        if is_too_long:
            raise InputError(self._name, LINE_TOO_LONG, lineno=self._index.next_lineno)

    def _without_torn_tail(self, chunk: bytes, last: int) -> bytes:
        """The chunk in whole lines: a last line without newline gets one, or goes if it is not a whole JSON object."""
        tail = chunk[last:]
        if tail.endswith(b"\n"):
            return chunk
        if tail.isspace() or is_json_object(tail):
            return chunk + b"\n"
        lineno = self._index.next_lineno + chunk.count(b"\n")
        self._index.warnings.append(LogWarning(WarningKind.TORN_TAIL, lineno=lineno, count=len(tail)))
        return chunk[:last]

    def _add_lines(self, text: bytes, offset: int) -> None:
        self._index.chunks.append(_Chunk(offset, len(text), self._index.next_lineno))
        try:
            if not text.isascii():
                text.decode()
            columns = self._reader.columns(text)
            indexes = list(map(int, columns.indexes))
            values = self._fingerprints(columns, indexes)
            if self._profile.of_events:
                self._apply_rules(columns, indexes, values)
        except (NotJsonError, UnicodeDecodeError) as error:
            raise self._first_error(text) from error
        self._add_events(columns, indexes, values)
        self._index.next_lineno += columns.lines

    def _first_error(self, text: bytes) -> InputError:
        """What is wrong with a text in which some line is no event: its first bad line, read one by one."""
        for lineno, line in enumerate(text.split(b"\n"), self._index.next_lineno):
            try:
                if line.strip():
                    raw = decode_raw_event(line)
                    pattern = self._profile.patterns.get(raw.kind)
                    named = pattern is not None and pattern.search(raw.payload)
                    if self._canonical or named or raw.kind in _SKIPPED_BY_KIND:
                        parse_payload(raw.payload)
            except NotJsonError as error:
                return InputError(self._name, str(error), lineno=lineno, field=error.field)
        raise AssertionError("a chunk was refused, but none of its lines is")

    def _add_events(self, columns: Columns, indexes: list[int], values: list[int]) -> None:
        """Deals the events out to the threads: each gets all of its fingerprints, then all of its indexes."""
        rows = list(map(self._rows.__getitem__, columns.tids))
        if len(self._index.first_call_places) < len(self._rows):
            self._note_first_calls(columns, indexes)
        deque(map(list.append, rows, values), maxlen=0)
        deque(map(list.append, rows, indexes), maxlen=0)
        for tid, row in self._rows.items():
            if row:
                count = len(row) // 2
                self._streams[tid].add(row[:count], row[count:], len(self._index.chunks) - 1)
                row.clear()

    def _note_first_calls(self, columns: Columns, indexes: Sequence[int]) -> None:
        calls = list(itertools.compress(range(len(indexes)), map(b"kernel.call".__eq__, columns.kinds)))
        first = dict(zip(map(columns.tids.__getitem__, reversed(calls)), reversed(calls), strict=True))
        for tid, n in first.items():
            self._index.first_call_places.setdefault(int(tid), (indexes[n], columns.payloads[n]))

    def _fingerprints(self, columns: Columns, indexes: Sequence[int]) -> list[int]:
        """One fingerprint an event: of its bytes where they say just what counts, else of its canonical text."""
        kinds, payloads = columns.kinds, columns.payloads
        if self._canonical:
            return list(self._canonical_fingerprints(columns, indexes, range(len(kinds))))
        values = list(map(fingerprint, zip(kinds, payloads, strict=True)))
        rows = list(itertools.compress(range(len(kinds)), map(_SKIPPED_BY_KIND.__contains__, kinds)))
        if rows:
            deque(map(values.__setitem__, rows, self._canonical_fingerprints(columns, indexes, rows)), maxlen=0)
        return values

    def _canonical_fingerprints(self, columns: Columns, indexes: Sequence[int], rows: Sequence[int]) -> Iterator[int]:
        kinds = list(map(columns.kinds.__getitem__, rows))
        payloads = parse_payloads(list(map(columns.payloads.__getitem__, rows)))
        special: dict[bytes, dict[int, dict[str, object]]] = {}
        numbers = itertools.compress(range(len(kinds)), map(_SKIPPED_BY_KIND.__contains__, kinds))
        for n in numbers:
            special.setdefault(kinds[n], {})[rows[n]] = payloads[n]
        refs = itertools.chain.from_iterable(itertools.starmap(object_refs, special.items()))
        self._index.objects.add(refs, columns.tids, indexes)
        for row, payload in special.get(b"thread.create", {}).items():
            self._note_creation(int(columns.tids[row]), indexes[row], payload)
        sids: dict[int, str] = {}
        for row, payload in special.get(b"handle.create", {}).items():
            sid = shared_global_of(payload)
            if sid is not None:
                sids[row] = sid
                pointer, object_type = guest_pointer(payload["raw_handle_id"]), str(payload["object_type"])
                assert pointer is not None  # it is part of the id
                made = SharedGlobal(int(columns.tids[row]), indexes[row], sid, pointer, object_type)
                self._index.shared_globals.append(made)
        for kind, of_kind in special.items():
            for key in _SKIPPED_BY_KIND[kind]:
                deque(map(dict.pop, of_kind.values(), itertools.repeat(key), itertools.repeat(None)), maxlen=0)
        return map(fingerprint, zip(kinds, canonical_texts(payloads), map(sids.get, rows), strict=True))

    def _note_creation(self, tid: int, idx: int, payload: Mapping[str, object]) -> None:
        child = name_value(payload.get("child_tid"))
        if child is not None:
            start = (json_text(payload.get(key, MISSING)) for key in ("entry_point", "start_context"))
            self._index.creations.append(Creation(tid, idx, child, *start))

    def _apply_rules(self, columns: Columns, indexes: Sequence[int], values: list[int]) -> None:
        """Gives the events that rules name a fingerprint of only what must be equal, and marks them."""
        for kind in sorted(self._maskers.keys() & set(columns.kinds)):
            rows = list(itertools.compress(range(len(values)), map(kind.__eq__, columns.kinds)))
            for masked in self._maskers[kind].masked(list(map(columns.payloads.__getitem__, rows))):
                here = list(map(rows.__getitem__, masked.numbers))
                deque(map(values.__setitem__, here, masked.fingerprints), maxlen=0)
                tids = list(map(columns.tids.__getitem__, here))
                for number, taken in masked.taken.items():
                    self._mark(number, tids, list(map(indexes.__getitem__, here)), taken)

    def _mark(self, number: int, tids: Sequence[bytes], indexes: Sequence[int], taken: Sequence[int]) -> None:
        """Notes the events that a rule is about, and hashes of what it lets differ there."""
        marks = self._marks.setdefault(number, {})
        for tid in set(tids).difference(marks):
            floats = self._profile.rules[number].sort is RuleSort.FLOAT
            marks[tid] = self._index.marks[number, int(tid)] = RuleMarks(floats)
        rows = list(map(marks.__getitem__, tids))
        deque(map(array.append, map(attrgetter("indexes"), rows), indexes), maxlen=0)
        deque(map(array.append, map(attrgetter("values"), rows), taken), maxlen=0)


class _LogBuilder:
    """Puts the index of a log together from those of its segments, which may come in any order."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._index = LogIndex()
        self._error: InputError | None = None  # the earliest one; set when all segments before it are there
        self._waiting: dict[int, LogIndex | InputError] = {}
        self._added = 0

    def segments(self) -> Iterator[tuple[int, Segment]]:
        """The segments behind the header, numbered, until one is known to be bad."""
        try:
            self._read_header()
        except InputError as error:
            self._error = error
        number = 0
        try:
            for segment in () if self._error else self._source.segments():
                if self._error:
                    return
                yield number, segment
                number += 1
        except InputError as error:
            self.add(number, error)

    def _read_header(self) -> None:
        """Takes the lines up to the header, the first one that is not blank."""
        index, name = self._index, self._source.name
        while line := self._source.next_line():
            text = line if index.bytes else line.removeprefix(BYTE_ORDER_MARK)
            lineno = index.next_lineno
            index.bytes += len(line)
            index.next_lineno += 1
            if len(line) >= MAX_LINE_BYTES:
                raise InputError(name, LINE_TOO_LONG, lineno=lineno)
            if text.strip() and (line.endswith(b"\n") or is_json_object(text)):
                try:
                    return check_header(text)
                except NotJsonError as error:
                    raise InputError(name, str(error), lineno=lineno, field=error.field) from error
        found = "found no whole line" if index.bytes else "found an empty file"
        if self._source.ended_early:
            found = "found compressed data that ends early"
        raise InputError(name, f'expected a header line, an object with "schema_version": 1, {found}')

    def add(self, number: int, part: LogIndex | InputError) -> None:
        """Takes in what was made of a segment."""
        self._waiting[number] = part
        while not self._error and self._added in self._waiting:
            part = self._waiting.pop(self._added)
            self._added += 1
            if isinstance(part, LogIndex):
                self._index.extend(part)
            elif part.lineno is None:
                self._error = part
            else:
                lineno = self._index.next_lineno + part.lineno
                self._error = InputError(part.source, part.problem, lineno=lineno, field=part.field)

    def raise_error(self) -> None:
        """Raises the first error, if there is one and everything before it is there."""
        if self._error:
            self._source.has_grown()  # a file that was changed is wrong for that reason
            raise self._error

    def finish(self) -> LogIndex:
        """The whole index. Raises `InputError` where the file is refused."""
        self.raise_error()
        index, log = self._index, Log(self._source, self._index)
        if self._source.has_grown():
            index.warnings.append(LogWarning(WarningKind.GROWN))
        if self._source.ended_early and all(one.kind is not WarningKind.TORN_TAIL for one in index.warnings):
            index.warnings.append(LogWarning(WarningKind.TORN_TAIL, lineno=index.next_lineno))
        for tid, stream in index.streams.items():
            doubled = stream.into_index_order()
            if doubled is not None:
                first, second = itertools.islice(log.lines_with(tid, doubled), 2)
                problem = f"index {doubled} of tid {tid} stands on line {first} already"
                raise InputError(self._source.name, problem, lineno=second, field="tid_event_idx")
            if stream.reordered:
                index.objects.into_index_order(tid)
                for marks in (marks for (_, of_tid), marks in index.marks.items() if of_tid == tid):
                    marks.into_index_order()
            lost, first_lost = stream.lost()
            if lost:
                index.warnings.append(LogWarning(WarningKind.HOLE, tid=tid, count=lost, idx=first_lost))
        self._name_first_calls(log)
        return index

    def _name_first_calls(self, log: Log) -> None:
        index = log.index
        for tid in (tid for tid in index.streams if tid in index.first_call_places):
            (idx, payload), stream = index.first_call_places[tid], index.streams[tid]
            try:
                index.first_calls[tid] = next(log.calls(tid)) if stream.reordered else call_name(parse_payload(payload))
            except NotJsonError:
                log.event(tid, stream.position_of(idx))  # says on which line


# ══ two logs at once ══════════════════════════════════════════════════════════════════════════════════════════════


_SAMPLE_EVENTS: Final = 400
MOST_PROCESSES: Final = 8


def _sample(source: LogSource) -> dict[tuple[bytes, str], bytes]:
    """Payloads from the beginning of a log, by kind and canonical text."""
    lines = [line for line in source.peek().removeprefix(BYTE_ORDER_MARK).split(b"\n")[:-1] if line.strip()]
    with contextlib.suppress(NotJsonError):  # the index will say it, and where
        columns = LayoutReader().columns(b"".join(line + b"\n" for line in lines[1 : _SAMPLE_EVENTS + 1]))
        texts = canonical_texts(parse_payloads(columns.payloads))
        return dict(zip(zip(columns.kinds, texts, strict=True), columns.payloads, strict=True))
    return {}


def formats_differ(canary: LogSource, ours: LogSource) -> bool:
    """Whether the two writers spell equal payloads differently, as far as the logs' beginnings tell.

    Then fingerprints of bytes would be right but of little use, for each difference is a question to the exact rules.
    """
    ours_sample = _sample(ours)
    pairs = [(raw, ours_sample[key]) for key, raw in _sample(canary).items() if key in ours_sample]
    return sum(one != other for one, other in pairs) * 4 > len(pairs)


class Progress:
    """How far long work has come: the phase, and how much is done of how much, on a terminal's last line.

    On anything but a terminal it is silent.
    """

    _SECONDS_BETWEEN: ClassVar = 0.1

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream if stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" else None
        self._shown_at = 0.0

    def show_bytes(self, phase: str, done: int, total: int) -> None:
        """Says how many bytes are done; ``total`` is 0 where nobody knows it."""
        of_total = f" of {total / 1e6:,.0f} MB ({min(done * 100 // total, 100)} %)" if total else " MB"
        self.show(f"{phase} {done / 1e6:,.0f}{of_total}")

    def show(self, text: str) -> None:
        """Says where the work is, unless something was said a moment ago."""
        if self._stream is None or time.monotonic() - self._shown_at < self._SECONDS_BETWEEN:
            return
        self._shown_at = time.monotonic()
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()

    def erase(self) -> None:
        """Leaves the terminal as it was."""
        if self._stream is not None and self._shown_at:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def processors() -> int:
    """How many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_end_signals(handler: Any) -> None:
    """What to do when someone ends the process, or its terminal goes, unless that is ignored (as under `nohup`)."""
    for number in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _work(connection: Connection, ends_of_parent: Sequence[Connection], canonical: bool, profile: Profile) -> None:
    """What an indexing process does until its parent lets it go, or is no more."""
    for end in ends_of_parent:
        end.close()  # only the parent may hold them, or nobody would notice its death
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted as well, and ends this process
    on_end_signals(signal.SIG_DFL)
    indexer = _SegmentIndexer(canonical, profile)
    with contextlib.suppress(EOFError, OSError):
        connection.send(fingerprint((b"a fingerprint that must be the same everywhere",)))
        while True:
            connection.send(indexer.index(connection.recv()))


@contextlib.contextmanager
def _one_hash_seed() -> Iterator[None]:
    """Lets processes that are started afresh agree on the key of their `hash`."""
    name = "PYTHONHASHSEED"
    before = os.environ.get(name)
    os.environ[name] = str(int.from_bytes(os.urandom(4), "big"))
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


_Task: TypeAlias = "tuple[_LogBuilder, int, Segment]"
_Result: TypeAlias = "tuple[_LogBuilder, int, LogIndex | InputError]"


class _Workers:
    """Processes that index segments. Raises `OSError` where none can be started, or their fingerprints differ."""

    def __init__(self, count: int, canonical: bool, profile: Profile) -> None:
        import multiprocessing  # here, so that only who starts processes waits for it

        # Threads do not survive a fork.
        fork = hasattr(os, "fork") and threading.active_count() == 1
        start: Any = multiprocessing.get_context("fork" if fork else "spawn")
        self._processes: dict[Connection, Any] = {}
        self._busy: dict[Connection, deque[_Task]] = {}
        try:
            with contextlib.nullcontext() if fork else _one_hash_seed():
                for _ in range(count):
                    here, there = start.Pipe()
                    ends = [*self._processes, here] if fork else []
                    process = start.Process(target=_work, args=(there, ends, canonical, profile), daemon=True)
                    process.start()
                    there.close()
                    self._processes[here], self._busy[here] = process, deque()
            if len({connection.recv() for connection in self._processes}) > 1:
                raise OSError("the processes have different keys")
        except (OSError, EOFError) as error:
            self.end()
            raise OSError("no processes") from error

    def index(self, tasks: Iterator[_Task]) -> Iterator[_Result]:
        """What comes of each task, in any order."""
        from multiprocessing.connection import wait  # here, so that only who starts processes waits for it

        task = next(tasks, None)
        while True:
            # Two tasks a process are under way, but only one that carries its text: two might fill both pipes.
            for most in (1, 2):
                for connection, at_work in self._busy.items():
                    if task and len(at_work) < most and (task[2].text is None or not at_work):
                        at_work.append(task)
                        with contextlib.suppress(OSError):  # it has ended, which is told in place of its answer
                            connection.send(task[2])
                        task = next(tasks, None)
            busy = [connection for connection, at_work in self._busy.items() if at_work]
            if not busy:
                return
            for ready in wait(busy):
                connection = cast("Connection", ready)
                builder, number, segment = self._busy[connection].popleft()
                yield builder, number, self._answer(connection, segment)

    def _answer(self, connection: Connection, segment: Segment) -> LogIndex | InputError:
        try:
            return cast("LogIndex | InputError", connection.recv())
        except (EOFError, OSError) as error:
            self._processes[connection].join()
            reason = f"the process that read it ended with {self._processes[connection].exitcode}"
            raise InputError(segment.name, reason) from error

    def end(self) -> None:
        """Lets the processes go; those in the midst of a segment are ended."""
        for connection, process in self._processes.items():
            connection.close()
            if self._busy[connection]:
                process.terminate()
        for process in self._processes.values():
            process.join()


def _in_turn(builders: Sequence[_LogBuilder], most_segments: int | None) -> Iterator[_Task]:
    """Segments of all logs by turns."""
    rows = itertools.zip_longest(*(itertools.islice(builder.segments(), most_segments) for builder in builders))
    return ((builder, *segment) for row in rows for builder, segment in zip(builders, row, strict=True) if segment)


_FEW_SEGMENTS: Final = 2
"""For no more than these, starting processes costs more than it saves."""


def _results(
    tasks: Iterator[_Task], canonical: bool, profile: Profile, processes: int
) -> Generator[_Result, None, None]:
    """What comes of each task: in several processes where there is enough to do, and they can be started."""
    first = list(itertools.islice(tasks, max(processes, _FEW_SEGMENTS) + 1))
    tasks, workers = itertools.chain(first, tasks), None
    is_enough = len(first) > _FEW_SEGMENTS and sum(segment.length for *_, segment in first) > SEGMENT_BYTES
    if processes > 1 and is_enough:
        with contextlib.suppress(OSError):
            workers = _Workers(min(processes, len(first)), canonical, profile)
    if workers is None:
        indexer = _SegmentIndexer(canonical, profile)
        yield from ((builder, number, indexer.index(segment)) for builder, number, segment in tasks)
        return
    try:
        yield from workers.index(tasks)
    finally:
        workers.end()


def index_logs(
    sources: Sequence[LogSource],
    *,
    canonical: bool = False,
    profile: Profile = NO_PROFILE,
    progress: Progress | None = None,
    processes: int | None = None,
    most_segments: int | None = None,
) -> list[LogIndex]:
    """The indexes of some logs, or of so much of them, made in one pass over each, in as many processes as pay.

    With ``canonical``, fingerprints are of values and not of bytes: slower, and right for writers that format payloads
    differently. Raises `InputError`: the earliest error, canary's before that of ours.
    """
    meter = progress or Progress()
    total = sum(source.size or 0 for source in sources)
    builders = [_LogBuilder(source) for source in sources]
    most = min(processors(), MOST_PROCESSES) if processes is None else processes
    with contextlib.closing(_results(_in_turn(builders, most_segments), canonical, profile, most)) as results:
        for builder, number, result in results:
            builder.add(number, result)
            builders[0].raise_error()
            meter.show_bytes("reading", sum(source.bytes_read() for source in sources), total)
    return [builder.finish() for builder in builders]


# ══ pairing ═══════════════════════════════════════════════════════════════════════════════════════════════════════
#
# Tids are counters of each engine, so threads are paired by evidence, strongest first: the user's pins; rare events
# that both threads have; the creation tree (paired creators, equal entry points and start contexts); the order of
# appearance among threads with the same first call.
#
# A candidate (tid of canary, tid of ours) is scored by that evidence, and candidates are accepted greedily, best score
# first. The score of a candidate uses the pairs of the creators, so scoring and pairing are repeated in rounds, each
# with the pairs of the round before, until no pair changes. Fingerprints are compared for equality only, and ties are
# broken by order, so equal logs give equal pairs. *Siblings* are threads of one creator with one entry point.


_EVENTS_PER_THREAD: Final = 1 << 14
"""Events of each thread that are searched, from its start: all of them took twice the time and paired no better."""
_SAMPLED_EVENTS: Final = 16_384
"""About how many events of each log, evenly spaced, are searched for in all threads. More cost time and memory."""
_EARLY_EVENTS: Final = 1 << 15
"""First events of the threads, of both logs together, that are searched for one by one and in runs; shared equally."""
_EARLY_EVENTS_MAX: Final = 1 << 10
"""Largest share of one thread."""
_RUN_LENGTH: Final = 4
"""Consecutive early events that are searched for as one item, so that their order counts."""
_CONTRIBUTIONS_MAX: Final = 400_000
"""Bound on the work: how often an item may add to the weight of a candidate. Rare items are added first."""
_ROUNDS_MAX: Final = 6
_RIVALS_MAX: Final = 16
"""Rivals that `_alternative` tries from each source: the most similar threads, the siblings, all threads."""

# Parts of the score, on the scale of the similarity, 0 to 1. In the pools of tests/pairing_evidence.py, half or double
# the value of any of them gives as many right pairs: they decide between candidates of equal similarity. Without
# `_UNIQUE_CONTEXT_SCORE`, or with one round, 36 % (12 members) and 8 % (80) are right in pools whose jobs all moved.
_SIBLING_SCORE: Final = 0.3  # creators that are a pair, and equal entry points
_UNIQUE_CONTEXT_SCORE: Final = 0.5  # for siblings: equal start contexts that no other sibling has
_CONTEXT_SCORE: Final = 0.1  # for siblings: other equal start contexts
_ENTRY_SCORE: Final = 0.1
_OTHER_ENTRY_SCORE: Final = -0.5
_FIRST_CALL_SCORE: Final = 0.05
_EQUAL_STREAMS_SCORE: Final = 0.5  # similarity ignores how often an event occurs: it can be 1.0 for streams that differ
_SCORE_MIN: Final = 0.1  # a lower score can be chance
_SWAP_GAIN_MIN: Final = 1e-6  # above rounding errors
_AMBIGUOUS_LOSS: Final = 0.05  # a rival that would cost less score than this is reported as `alternative`
_ORDER_CONFIDENCE: Final = 0.2  # confidence in a pair that was made by order of appearance alone


class PairingMethod(enum.Enum):
    """The strongest evidence for a pair. `LIKENESS`: similar events; `FIRST_CALL`: equal first call, or order alone."""

    PINNED = "pinned"
    CREATION = "creation"
    LIKENESS = "likeness"
    FIRST_CALL = "first_call"


@dataclass(frozen=True, slots=True)
class ThreadEvidence:
    """What the index knows of a thread; `creator` is (tid of the creator, ordinal among its `thread.create` events)."""

    tid: int
    fingerprints: array[int]
    first_call: str | None = None
    creator: tuple[int, int] | None = None
    entry_point: str | None = None
    start_context: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadPair:
    """A pair; `confidence` is 0 to 1, and `alternative` is the tid of ours that would fit nearly as well, if any."""

    canary_tid: int
    ours_tid: int
    method: PairingMethod
    confidence: float
    alternative: int | None = None


_Candidate: TypeAlias = tuple[int, int]  # (tid of canary, tid of ours)


class _Threads:
    """The threads of one log by tid, in order of appearance, and their creation tree."""

    def __init__(self, threads: Sequence[ThreadEvidence]) -> None:
        self.by_tid = {thread.tid: thread for thread in threads}
        self.children: dict[int, dict[str | None, list[ThreadEvidence]]] = {}
        """By the tid of the creator, then by entry point: the siblings in order of creation."""
        self.rank = {thread.tid: number for number, thread in enumerate(threads)}
        """By tid: the ordinal among its siblings; for a thread without a creator, among all threads."""
        births = sorted((thread.creator, number) for number, thread in enumerate(threads) if thread.creator)
        for (creator, _), number in births:
            thread = threads[number]
            siblings = self.children.setdefault(creator, {}).setdefault(thread.entry_point, [])
            self.rank[thread.tid] = len(siblings)
            siblings.append(thread)
        self.with_unique_context: set[int] = set()
        """Tids of threads with a start context that none of their siblings has."""
        for siblings in (siblings for children in self.children.values() for siblings in children.values()):
            counts = Counter(thread.start_context for thread in siblings)
            self.with_unique_context.update(
                thread.tid for thread in siblings if thread.start_context and counts[thread.start_context] == 1
            )

    def siblings(self, thread: ThreadEvidence) -> list[ThreadEvidence]:
        """The thread and its siblings in order of creation."""
        return self.children[thread.creator[0]][thread.entry_point] if thread.creator else [thread]


def _sampled_events(threads: Sequence[array[int]]) -> set[int]:
    """An evenly spaced sample of the fingerprints of one log: all, if they are few. The same in every run."""
    step = 1 + sum(map(len, threads)) // _SAMPLED_EVENTS
    return {event for events in threads for event in events[::step]}


def _early_items(events: array[int], count: int) -> set[int]:
    """The first ``count`` fingerprints, and the hash of each run of `_RUN_LENGTH` consecutive ones among them."""
    first = events[:count].tolist()
    return set(map(hash, zip(*(first[start:] for start in range(_RUN_LENGTH)), strict=False))).union(first)


def _similarities(canary: Sequence[ThreadEvidence], ours: Sequence[ThreadEvidence]) -> dict[_Candidate, float]:
    """The similarity, above 0 and at most 1, of each two threads that share an item: a sampled event or an early run.

    It is the weight of the shared items over the geometric mean of the weights of each thread's items (cosine). The
    weight of an item is 1 / (threads that have it, at least 2): a loop that every thread runs says little. The most
    frequent items are left out, which bounds the work.
    """
    threads = [*canary, *ours]
    events = [thread.fingerprints[:_EVENTS_PER_THREAD] for thread in threads]
    sample = _sampled_events(events[: len(canary)]) | _sampled_events(events[len(canary) :])
    early = min(_EARLY_EVENTS_MAX, _EARLY_EVENTS // max(1, len(threads)))
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for number, of_thread in enumerate(events):
        for item in sample.intersection(of_thread) | _early_items(of_thread, early):
            holders[item].append(number)
    totals = [0.0] * len(threads)
    shared: defaultdict[tuple[int, int], float] = defaultdict(float)
    work = 0
    for count, group in itertools.groupby(sorted(holders.values(), key=len), key=len):
        items = [(numbers, bisect.bisect_left(numbers, len(canary))) for numbers in group]
        work += sum(of_canary * (count - of_canary) for _, of_canary in items)
        if work > _CONTRIBUTIONS_MAX:
            break
        weight = 1 / max(2, count)
        for numbers, of_canary in items:
            for number in numbers:
                totals[number] += weight
            for pair in itertools.product(numbers[:of_canary], numbers[of_canary:]):
                shared[pair] += weight
    return {
        (threads[c].tid, threads[o].tid): min(1.0, weight / math.sqrt(totals[c] * totals[o]))
        for (c, o), weight in shared.items()
    }


class _Pairing:
    """The scores of candidates, and `pairs` (tid of canary → tid of ours), which `run` fills."""

    def __init__(
        self, canary: Sequence[ThreadEvidence], ours: Sequence[ThreadEvidence], pins: Mapping[int, int]
    ) -> None:
        self.canary, self.ours = _Threads(canary), _Threads(ours)
        self._pins = pins
        self.pairs = dict(pins)
        self._taken = set(pins.values())
        self.similarity = _similarities(canary, ours)
        entries = ({thread.entry_point for thread in side} - {None} for side in (canary, ours))
        self._entry_points_comparable = bool(set.intersection(*entries))  # both engines write them in one form

    def run(self) -> None:
        """Fill `pairs` in rounds, each scored with the pairs of the round before, until no pair changes."""
        for _ in range(_ROUNDS_MAX):
            before = self.pairs
            scores = self._candidates(before)
            self.pairs, self._taken = dict(self._pins), set(self._pins.values())
            for c, o in scores:
                self._pair(c, o)
            self._swap(scores)
            self._pair_children(list(self.pairs))
            self._pair_by_first_call()
            if self.pairs == before:
                break
        if len(self.canary.by_tid) == len(self.ours.by_tid) == 1:
            self._pair(*self.canary.by_tid, *self.ours.by_tid)  # to show the differences

    def _pair(self, c: int, o: int) -> bool:
        """Pair two tids if both are free; return whether they were."""
        if c in self.pairs or o in self._taken:
            return False
        self.pairs[c] = o
        self._taken.add(o)
        return True

    def _swap(self, scores: Mapping[_Candidate, float]) -> None:
        """Swap the partners of two pairs where that raises the sum of their scores: the greedy choice can miss it."""
        partners = {o: c for c, o in self.pairs.items()}
        for (c, o), score in scores.items():
            other_c, other_o = partners.get(o), self.pairs.get(c)
            if other_c is None or other_o is None or c in self._pins or other_c in self._pins:
                continue
            now = scores.get((c, other_o), 0.0) + scores.get((other_c, o), 0.0)
            if score + scores.get((other_c, other_o), 0.0) > now + _SWAP_GAIN_MIN:
                self.pairs[c], self.pairs[other_c] = o, other_o
                partners[o], partners[other_o] = c, other_c

    # -- scores ----------------------------------------------------------------------------------------------

    def _candidates(self, before: Mapping[int, int]) -> dict[_Candidate, float]:
        """The similar candidates of score `_SCORE_MIN` or more, best first; ties: smaller difference of ranks first."""
        scores = {
            candidate: score for candidate in self.similarity if (score := self.score(candidate, before)) >= _SCORE_MIN
        }
        ranks = self.canary.rank, self.ours.rank

        def order(candidate: _Candidate) -> tuple[float, int, int, _Candidate]:
            c, o = ranks[0][candidate[0]], ranks[1][candidate[1]]
            return -round(scores[candidate], 6), abs(c - o), c, candidate

        return {candidate: scores[candidate] for candidate in sorted(scores, key=order)}

    def _sibling_groups(self, c: int, o: int) -> Iterator[tuple[list[ThreadEvidence], list[ThreadEvidence]]]:
        """Yield the children of two creators, (of canary, of ours), for each entry point; in order of creation."""
        others = self.ours.children.get(o, {})
        for entry_point, siblings in self.canary.children.get(c, {}).items():
            yield siblings, others.get(entry_point, [])

    def score(self, candidate: _Candidate, pairs: Mapping[int, int]) -> float:
        """The score of a candidate, 0 or more, given the pairs of the creators."""
        c, o = self.canary.by_tid[candidate[0]], self.ours.by_tid[candidate[1]]
        score = self.similarity.get(candidate, 0.0)
        score += _EQUAL_STREAMS_SCORE * (c.fingerprints == o.fingerprints)
        score += _FIRST_CALL_SCORE * (c.first_call == o.first_call)
        if self.entry_points_differ(c, o):
            score += _OTHER_ENTRY_SCORE
        elif c.entry_point is not None and c.entry_point == o.entry_point:
            score += _ENTRY_SCORE
        if self.are_siblings(c, o, pairs):
            score += _SIBLING_SCORE
            if c.start_context == o.start_context:
                unique = c.tid in self.canary.with_unique_context and o.tid in self.ours.with_unique_context
                score += _UNIQUE_CONTEXT_SCORE if unique else _CONTEXT_SCORE
        return max(0.0, score)

    def entry_points_differ(self, c: ThreadEvidence, o: ThreadEvidence) -> bool:
        """Whether both entry points are known, written in one form, and different."""
        unknown = c.entry_point is None or o.entry_point is None
        return self._entry_points_comparable and not unknown and c.entry_point != o.entry_point

    @staticmethod
    def are_siblings(c: ThreadEvidence, o: ThreadEvidence, pairs: Mapping[int, int]) -> bool:
        """Whether the creators of both threads are a pair, and the entry points equal (or both unknown)."""
        if c.creator is None or o.creator is None:
            return False
        return pairs.get(c.creator[0]) == o.creator[0] and c.entry_point == o.entry_point

    # -- the rest, by the creation tree and the order of appearance --------------------------------------------

    def _pair_children(self, creators: list[int]) -> None:
        """Pair the free children of paired creators: by start context, then by order. Appends to ``creators``."""
        for creator in creators:  # grows in the loop: a child may be a creator itself
            for siblings, others in self._sibling_groups(creator, self.pairs[creator]):
                remaining = [c for c in siblings if c.tid not in self.pairs]
                free = [o for o in others if o.tid not in self._taken]
                same = [(c, o) for c, o in itertools.product(remaining, free) if c.start_context == o.start_context]
                for c, o in itertools.chain(same, itertools.product(remaining, free)):
                    if self._pair(c.tid, o.tid):
                        creators.append(c.tid)

    def _pair_by_first_call(self) -> None:
        """Pair free threads by equal first call, in order of appearance; after each, its children."""
        waiting: defaultdict[str | None, list[ThreadEvidence]] = defaultdict(list)
        for thread in self.ours.by_tid.values():
            if thread.tid not in self._taken:
                waiting[thread.first_call].append(thread)
        for c in self.canary.by_tid.values():
            if c.tid not in self.pairs:
                free = (o for o in waiting[c.first_call] if o.tid not in self._taken)
                fitting = next((o for o in free if not self.entry_points_differ(c, o)), None)
                if fitting:
                    self._pair(c.tid, fitting.tid)
                    self._pair_children([c.tid])


# Method, confidence and alternative of each pair


def _pinned(c: int, pins: Mapping[int, int]) -> ThreadPair:
    return ThreadPair(c, pins[c], PairingMethod.PINNED, 1.0)


def _method_and_confidence(pairing: _Pairing, c: ThreadEvidence, o: ThreadEvidence) -> tuple[PairingMethod, float]:
    """Paired creators alone give 0.75, or 0.3 where siblings could be mixed up; similarity raises it to at most 1."""
    pair = c.tid, o.tid
    similarity = 1.0 if c.fingerprints == o.fingerprints else pairing.similarity.get(pair, 0.0)
    if pairing.are_siblings(c, o, pairing.pairs):
        alone = len(pairing.canary.siblings(c)) == len(pairing.ours.siblings(o)) == 1
        base = 0.75 if alone else 0.3
        return PairingMethod.CREATION, base + (1 - base) * similarity
    if similarity and max(similarity, pairing.score(pair, pairing.pairs)) >= _SCORE_MIN:
        return PairingMethod.LIKENESS, max(_ORDER_CONFIDENCE, similarity)
    return PairingMethod.FIRST_CALL, _ORDER_CONFIDENCE if c.first_call == o.first_call else _ORDER_CONFIDENCE / 2


def _alternative(pairing: _Pairing, partners: Mapping[int, int], c: int, rivals: Iterable[int]) -> int | None:
    """The rival (tid of ours) that ``c`` could have for the least loss of score, if that is below `_AMBIGUOUS_LOSS`.

    If the rival has a partner (``partners``: tid of ours → tid of canary), the partners would be swapped. None where
    the streams of the pair are equal; a rival is skipped where the swap would exchange equal streams (twins).
    """
    canary, ours, o = pairing.canary.by_tid, pairing.ours.by_tid, pairing.pairs[c]
    if canary[c].fingerprints == ours[o].fingerprints:
        return None
    best, least_loss = None, _AMBIGUOUS_LOSS
    score = pairing.score((c, o), pairing.pairs)
    for rival in rivals:
        loss = score - pairing.score((c, rival), pairing.pairs)
        other = partners.get(rival)
        twins = ours[rival].fingerprints == ours[o].fingerprints
        if other is not None:
            loss += pairing.score((other, rival), pairing.pairs) - pairing.score((other, o), pairing.pairs)
            twins = twins or canary[other].fingerprints == canary[c].fingerprints
        if loss < least_loss and not twins:
            best, least_loss = rival, loss
    return best


def _thread_pairs(pairing: _Pairing, pins: Mapping[int, int]) -> Iterator[ThreadPair]:
    similar: defaultdict[int, list[int]] = defaultdict(list)
    for c, o in sorted(pairing.similarity, key=lambda pair: (-round(pairing.similarity[pair], 6), pair)):
        similar[c].append(o)
    partners = {o: c for c, o in pairing.pairs.items()}
    canary, ours = pairing.canary.by_tid, pairing.ours.by_tid
    for c in (tid for tid in canary if tid in pairing.pairs):
        if c in pins:
            yield _pinned(c, pins)
            continue
        o = pairing.pairs[c]
        siblings = (thread.tid for thread in pairing.ours.siblings(ours[o]))
        sources = (itertools.islice(tids, _RIVALS_MAX) for tids in (similar[c], siblings, ours))
        rivals = (tid for tid in dict.fromkeys(itertools.chain(*sources)) if tid != o and partners.get(tid) not in pins)
        method, confidence = _method_and_confidence(pairing, canary[c], ours[o])
        alternative = _alternative(pairing, partners, c, rivals)
        yield ThreadPair(c, o, method, confidence if alternative is None else confidence / 2, alternative)


def pair_threads(
    canary: Sequence[ThreadEvidence], ours: Sequence[ThreadEvidence], pins: Mapping[int, int], auto: bool = True
) -> tuple[ThreadPair, ...]:
    """Pair the threads one to one, in the order of `canary`; a thread without a partner is in no pair.

    Both sides are in order of first appearance. `pins` maps tids of canary to tids of ours: tids that exist, none
    twice. If `auto` is false, only the pins are returned.

    >>> loader, worker = array("q", [1, 2, 3, 4, 5]), array("q", [1, 7, 8, 9])
    >>> for pair in pair_threads([ThreadEvidence(6, loader), ThreadEvidence(7, worker)],
    ...                          [ThreadEvidence(1, worker), ThreadEvidence(2, loader)], {}):
    ...     print(pair.canary_tid, pair.ours_tid, pair.method.value, pair.confidence)
    6 2 likeness 1.0
    7 1 likeness 1.0
    """
    if not auto:
        return tuple(_pinned(thread.tid, pins) for thread in canary if thread.tid in pins)
    pairing = _Pairing(canary, ours, pins)
    pairing.run()
    return tuple(_thread_pairs(pairing, pins))


# ══ alignment ═════════════════════════════════════════════════════════════════════════════════════════════════════
#
# Finds the hunks between two streams of fingerprints from a difference on, window by window:
#
#   1. Match. The longest common subsequence (LCS), bit-parallel: 6 ms for a window of 4,096 events. Larger windows are
#      divided at anchors: events that occur once on both sides, in an order that both have (patience diff).
#   2. Select. The score of a match is its surprisal in bits, given the events before it; hunks have a cost in bits. The
#      matches with the greatest sum of scores less costs are kept. The hunks around a dropped match are joined.
#   3. Confirm. The last match must contain a run that is unique in the window: in a loop, a match may be wrong by whole
#      turns (iterations). Else a larger window is tried, up to the rest of both streams.
#   4. Classify the hunks. Events are read from the logs only if they are in a hunk or right after one.
#
# Fingerprints are compared for equality only, so the key of the hash has no influence on the result.


# Lengths are in events of one side, scores and costs in bits. Measured on tests/streams.py with other values; a "false
# rejoin" is a match after the streams of a pair have parted for good, in 40 such pairs.
_WINDOWS: Final = (1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 18, sys.maxsize)  # sizes that are tried one after the other
_FULL_LCS_MAX: Final = 1 << 14  # the LCS of two longer sequences is searched in a band along the diagonal
_BAND_WIDTH: Final = 1 << 12  # columns of that band
_UNANCHORED_MAX: Final = 1 << 12  # longer windows are divided at anchors; below, the LCS alone is as good and as fast
_BLOCK_ROWS: Final = 1 << 11  # rows of the LCS table in memory at a time; backtracking computes the others again
_UNIQUE_RUN_MAX: Final = 32  # the last events of a match, which must be unique in the window
_UNIQUE_RUN_MIN: Final = 8  # a shorter match confirms nothing in the larger windows (with 4: 1 false rejoin)
_MATCHES_TRIED: Final = 8  # matches that are tested for a unique run, from the last one backwards
_FREQUENCY_EVENTS: Final = 1 << 13  # events of each side over which frequencies are counted
_SCORED_EVENTS: Final = 48  # events of a match whose surprisal counts (from 12 to 96: no difference)
_COST_PER_BIT: Final = 1.7  # of a hunk, per bit of its size (1.2: 14 false rejoins, 1.4: 3; 2.4: no edit missed)
_CHANGED_COST: Final = 2.5  # of a hunk of the same calls (1.2: 5 false rejoins; 1.8 to 5: no difference)
_LENGTH_FACTOR: Final = 2.5  # score of a match for each doubling of its length (5: 1 false rejoin)
_COMPARISONS_MAX: Final = 2048  # pairs of events that are read in a window; bounds the work
_CHANGED_MAX: Final = 512  # the longest hunk that can be `CHANGED`; bounds the work
_MOVE_DISTANCE_MAX: Final = 16  # between both halves of a move (32: 0.2 % more of the edits are merged)
_ROTATION_MAX: Final = 4096  # bounds the work, which is quadratic
_COMPARED_MIN: Final = 1 << 6  # entries that `equal_run` compares at first
_COMPARED_MAX: Final = 1 << 13  # entries at most at a time; they are doubled while all are equal


class Change(enum.Enum):
    """The class of a hunk: how ours differs from canary there."""

    CHANGED = "changed"  # the same calls with other arguments
    MISSING_ON_OURS = "missing_on_ours"
    EXTRA_ON_OURS = "extra_on_ours"
    REPLACED = "replaced"
    REORDERED = "reordered"  # two adjacent blocks of events are exchanged
    REPEATED = "repeated"  # one side has additional whole turns of the loop around it
    INDEX_GAP = "index_gap"  # a log skips indexes, but no event is missing
    UNRECOVERED = "unrecovered"  # no match up to the ends of both streams


class Likeness(enum.Enum):
    """How alike two events are whose fingerprints differ."""

    EQUAL = enum.auto()  # by the exact rules: only their spelling differs
    SAME_CALL = enum.auto()
    OTHER = enum.auto()


Fingerprints: TypeAlias = "array[int]"


class Hunk(NamedTuple):
    """`canary[c_start:c_end]` against `ours[o_start:o_end]`. The events between two hunks match one to one.

    >>> Hunk(10, 11, 10, 13).canary_events, Hunk(10, 11, 10, 13).ours_events
    (1, 3)
    """

    c_start: int
    c_end: int
    o_start: int
    o_end: int
    change: Change = Change.REPLACED
    common: int = 0
    """The matches inside it, too few to divide it into two hunks; they count for the parity score."""

    @property
    def canary_events(self) -> int:
        """Its length on the side of canary."""
        return self.c_end - self.c_start

    @property
    def ours_events(self) -> int:
        """Its length on the side of ours."""
        return self.o_end - self.o_start

    @property
    def is_one_sided(self) -> bool:
        """Whether one side is empty."""
        return self.c_start == self.c_end or self.o_start == self.o_end

    def to(self, last: Hunk) -> Hunk:
        """A hunk from the start of this one to the end of ``last``, unclassified."""
        return Hunk(self.c_start, last.c_end, self.o_start, last.o_end)

    def moved(self, canary: int, ours: int) -> Hunk:
        """A copy with ``canary`` and ``ours`` added to its positions."""
        return self._replace(
            c_start=self.c_start + canary,
            c_end=self.c_end + canary,
            o_start=self.o_start + ours,
            o_end=self.o_end + ours,
        )


def _common_prefix(one: array[int], other: array[int]) -> int:
    """The length of the common prefix of two different arrays of equal length."""
    low, high = 0, len(one)  # one[:low] is equal, one[:high] is not
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def equal_run(one: array[int], start: int, other: array[int], other_start: int, most: int) -> int:
    """The number of consecutive equal entries from both starts on, at most ``most``. Both arrays must be that long.

    Whole blocks are compared in C; bisection finds the first difference within a block.

    >>> equal_run(array("q", [7, 1, 2, 3]), 1, array("q", [1, 2, 9]), 0, 3)
    2
    """
    done, block = 0, _COMPARED_MIN
    while done < most:
        size = min(block, most - done)
        left = one[start + done : start + done + size]
        right = other[other_start + done : other_start + done + size]
        if left != right:
            return done + _common_prefix(left, right)
        done += size
        block = min(block * 2, _COMPARED_MAX)
    return done


# The longest common subsequence, bit-parallel (Hyyrö, 2004): each row of its table is an integer, a bit a column


class _RowBlock(NamedTuple):
    """A block of the LCS table: `row` is the row for ``rows[:first]``, in the band of columns from `low` up to `high`.

    Bit i of a row is 0 where column ``low + i`` makes the LCS one longer.
    """

    first: int
    low: int
    high: int
    row: int

    def computed(self, columns: Sequence[int], rows: Sequence[int]) -> list[int]:
        """This row and the next `_BLOCK_ROWS` ones."""
        masks: dict[int, int] = {}
        bit = 1
        for event in columns[self.low : self.high]:
            masks[event] = masks.get(event, 0) | bit
            bit <<= 1
        row, computed = self.row, [self.row]
        for event in rows[self.first : self.first + _BLOCK_ROWS]:
            mask = masks.get(event)
            if mask is not None:
                hits = row & mask
                row = (row + hits | row - hits) & bit - 1
            computed.append(row)
        return computed


def _band(columns: int, rows: int, first: int) -> tuple[int, int]:
    """The first and last + 1 column of the block of rows from ``first`` on: all columns, or those near the diagonal."""
    if columns <= _FULL_LCS_MAX:
        return 0, columns
    low = first * columns // rows - _BAND_WIDTH // 2
    high = (first + _BLOCK_ROWS) * columns // rows + _BAND_WIDTH // 2
    return max(0, low), min(columns, high)


def _row_blocks(columns: Sequence[int], rows: Sequence[int]) -> Iterator[tuple[_RowBlock, list[int], int]]:
    """Yield (block, its rows, length of the LCS in columns that the band has passed), from the top."""
    row = low = high = 0
    for first in range(0, len(rows), _BLOCK_ROWS):
        start, end = _band(len(columns), len(rows), first)
        dropped = start - low - (row & (1 << start - low) - 1).bit_count()
        row = row >> start - low | ((1 << end - high) - 1) << high - start
        low, high = start, end
        block = _RowBlock(first, low, high, row)
        computed = block.computed(columns, rows)
        row = computed[-1]
        yield block, computed, dropped


def common_events(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the longest common subsequence (of two long sequences: within a band along the diagonal).

    >>> common_events([1, 2, 3, 4], [2, 9, 4])
    2
    """
    columns, rows = sorted((one, other), key=len)
    total = remaining = 0
    for block, computed, dropped in _row_blocks(columns, rows):
        total += dropped
        remaining = block.high - block.low - computed[-1].bit_count()
    return total + remaining


def _common_pairs(columns: Sequence[int], rows: Sequence[int]) -> list[tuple[int, int]]:
    """(column, row) of each match of a longest common subsequence. ``columns`` is the shorter sequence.

    >>> _common_pairs([2, 4], [2, 9, 4])
    [(0, 0), (1, 2)]
    """
    blocks: list[_RowBlock] = []
    table: list[int] = []
    for block, computed, _ in _row_blocks(columns, rows):
        blocks.append(block)
        table = computed
    column, row = len(columns), len(rows)
    pairs: list[tuple[int, int]] = []
    for block in reversed(blocks):
        table = table or block.computed(columns, rows)
        column = min(column, block.high)
        while column > block.low and row > block.first:
            if columns[column - 1] == rows[row - 1]:
                column, row = column - 1, row - 1
                pairs.append((column, row))
            elif table[row - block.first] >> column - 1 - block.low & 1:
                column -= 1
            else:
                row -= 1
        row, table = block.first, []
    return pairs[::-1]


# Anchors


def _unique_positions(events: Sequence[int]) -> dict[int, int]:
    """The position of each event that occurs once."""
    counts = Counter(events)
    return {event: position for position, event in enumerate(events) if counts[event] == 1}


def _longest_increasing(numbers: Sequence[int]) -> list[int]:
    """The positions of a longest increasing subsequence of distinct numbers.

    >>> _longest_increasing([1, 5, 2, 9, 3])
    [0, 2, 4]
    """
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for position, number in enumerate(numbers):
        length = bisect.bisect_left(tails, number)
        before.append(last[length - 1] if length else -1)
        tails[length : length + 1] = [number]
        last[length : length + 1] = [position]
    chain = last[-1:]
    while chain and before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    return chain[::-1]


def _trimmed(canary: Sequence[int], ours: Sequence[int], hunk: Hunk) -> Hunk:
    """The hunk without its common prefix and suffix, unclassified."""
    c, c_end, o, o_end = hunk[:4]
    while c < c_end and o < o_end and canary[c] == ours[o]:
        c, o = c + 1, o + 1
    while c < c_end and o < o_end and canary[c_end - 1] == ours[o_end - 1]:
        c_end, o_end = c_end - 1, o_end - 1
    return Hunk(c, c_end, o, o_end)


def _pairs_between(canary: Sequence[int], ours: Sequence[int], gap: Hunk) -> Iterator[tuple[int, int]]:
    """The positions that match between two anchors."""
    core = _trimmed(canary, ours, gap)
    yield from zip(range(gap.c_start, core.c_start), range(gap.o_start, core.o_start), strict=True)
    if core.canary_events and core.ours_events:
        canary_part, ours_part = canary[core.c_start : core.c_end], ours[core.o_start : core.o_end]
        if len(canary_part) <= len(ours_part):
            pairs = _common_pairs(canary_part, ours_part)
        else:
            pairs = [(c, o) for o, c in _common_pairs(ours_part, canary_part)]
        yield from ((core.c_start + c, core.o_start + o) for c, o in pairs)
    yield from zip(range(core.c_end, gap.c_end), range(core.o_end, gap.o_end), strict=True)


def matching_pairs(canary: Sequence[int], ours: Sequence[int]) -> list[tuple[int, int]]:
    """The positions that match: a longest common subsequence; in long sequences, one between each two anchors.

    >>> matching_pairs([7, 1, 7, 7, 2], [1, 8, 7, 2])
    [(1, 0), (3, 2), (4, 3)]
    """
    anchors: list[tuple[int, int]] = []
    if max(len(canary), len(ours)) > _UNANCHORED_MAX:
        single, others = _unique_positions(canary), _unique_positions(ours)
        positions = [(position, others[event]) for event, position in single.items() if event in others]
        anchors = [positions[n] for n in _longest_increasing([o for _, o in positions])]
    pairs: list[tuple[int, int]] = []
    c = o = 0
    for c_end, o_end in (*anchors, (len(canary), len(ours))):
        pairs += _pairs_between(canary, ours, Hunk(c, c_end, o, o_end))
        pairs.append((c_end, o_end))
        c, o = c_end + 1, o_end + 1
    return pairs[:-1]


# Scores of matches, costs of hunks


class _Surprisal:
    """The surprisal of events in a piece of two streams, in bits, given the one or two events before them."""

    def __init__(self, canary: Sequence[int], ours: Sequence[int]) -> None:
        self._total = len(canary) + len(ours)
        self._counts = Counter(canary)
        self._counts.update(ours)
        self._followers = tuple(
            Counter(itertools.chain(zip(canary, canary[back:], strict=False), zip(ours, ours[back:], strict=False)))
            for back in (1, 2)
        )

    def bits(self, run: Sequence[int]) -> float:
        """The surprisal of consecutive events of the piece, summed over the first `_SCORED_EVENTS` of them."""
        bits = math.log2(self._total / self._counts[run[0]])
        for position in range(1, min(len(run), _SCORED_EVENTS)):
            given = (run[position - 1], run[position - 2]) if position > 1 else run[:1]
            followers = zip(given, self._followers, strict=False)
            bits += min(math.log2(self._counts[e] / counts[e, run[position]]) for e, counts in followers)
        return bits


def _length_bits(length: int) -> float:
    """The score of a match for its length alone, in bits: 0 up to 7 events, as short sequences repeat by chance."""
    return max(0, _LENGTH_FACTOR * math.log2((length + 1) / 8))


def _size_bits(hunk: Hunk) -> float:
    """The size of a hunk: log2 of the number of positions at which a match could end it, in bits."""
    return math.log2((hunk.canary_events + 1) * (hunk.ours_events + 1))


def _cost(hunk: Hunk) -> float:
    """The cost of a hunk, in bits. A match is kept if it scores more than the two hunks around it cost beyond one."""
    return _COST_PER_BIT * (1 + _size_bits(hunk))


def _is_loop_turns(events: Fingerprints, start: int, end: int) -> bool:
    """Whether `events[start:end]` is whole turns (iterations) of a loop with a further turn right before or after it.

    >>> events = array("q", [1, 2, 3, 1, 2, 3, 1, 2, 3, 4])
    >>> _is_loop_turns(events, 3, 9), _is_loop_turns(events, 4, 7), _is_loop_turns(events, 4, 6)
    (True, True, False)
    """
    block, size = events[start:end], end - start
    period = next(n for n in itertools.count(1) if size % n == 0 and block[n:] == block[:-n])
    return block[:period] in (events[max(0, start - period) : start], events[end : end + period])


def _is_rotation(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sequences of at most `_ROTATION_MAX` events are cyclic rotations of each other.

    >>> _is_rotation([1, 2, 3, 4], [3, 4, 1, 2]), _is_rotation([1, 2, 3], [3, 2, 1])
    (True, False)
    """
    if len(one) > _ROTATION_MAX or sorted(one) != sorted(other):
        return False
    if not one:
        return True
    starts = (position for position, event in enumerate(one) if event == other[0])
    return any([*one[start:], *one[:start]] == list(other) for start in starts)


class _Window:
    """A slice of both streams (``bounds``), from a difference on. Positions count from the start of the window."""

    def __init__(
        self,
        streams: Both[Fingerprints],
        bounds: Hunk,
        compare: Callable[[int, int], Likeness],
        is_within_call: Callable[[int], bool],
    ) -> None:
        self.canary = streams.canary[bounds.c_start : bounds.c_end].tolist()
        self.ours = streams.ours[bounds.o_start : bounds.o_end].tolist()
        self._streams, self._bounds, self._compare = streams, bounds, compare
        self._is_within_call = is_within_call
        self._is_whole_rest = (bounds.c_end, bounds.o_end) == (len(streams.canary), len(streams.ours))
        self._likeness: dict[tuple[int, int], Likeness] = {}
        self._surprisals: dict[int, _Surprisal] = {}

    def hunks(self) -> list[Hunk]:
        """The hunks around the matches with the greatest sum of scores less costs."""
        pairs = [*matching_pairs(self.canary, self.ours), (len(self.canary), len(self.ours))]
        starts = [(0, 0), *((c + 1, o + 1) for c, o in pairs)]
        gaps = (Hunk(c, c_end, o, o_end) for (c, o), (c_end, o_end) in zip(starts, pairs, strict=False))
        hunks = self._slid([gap for gap in gaps if gap.canary_events or gap.ours_events])
        starts_of_joins, scores = self._best_joins(hunks)
        end = self._unrecovered_from(hunks, scores) if self._is_whole_rest else len(hunks)
        joined = [hunk.to(self._end) for hunk in hunks[end : end + 1]]
        while end:
            first = starts_of_joins[end - 1]
            joined.append(self._trimmed(hunks[first].to(hunks[end - 1])))
            end = first
        return joined[::-1]

    @property
    def _end(self) -> Hunk:
        """The empty hunk at the end of the window."""
        return Hunk(len(self.canary), len(self.canary), len(self.ours), len(self.ours))

    def _trimmed(self, hunk: Hunk) -> Hunk:
        """The hunk without its common prefix and suffix, unless it reaches the end of the window."""
        if (hunk.c_end, hunk.o_end) == (len(self.canary), len(self.ours)):
            return hunk
        return _trimmed(self.canary, self.ours, hunk)

    def _slid(self, hunks: Sequence[Hunk]) -> list[Hunk]:
        """The hunks, one-sided ones slid forward to the first event that differs; hunks that can meet so are merged."""
        slid = [self._end]
        for next_hunk in reversed(hunks):
            hunk = next_hunk
            steps = self._slide_distance(hunk, slid[-1])
            while len(slid) > 1 and self._can_merge(hunk, slid[-1], steps):
                hunk = self._trimmed(hunk.to(slid.pop()))
                steps = self._slide_distance(hunk, slid[-1])
            slid.append(hunk.moved(steps, steps))
        return slid[:0:-1]

    def _can_merge(self, first: Hunk, second: Hunk, steps: int) -> bool:
        """Whether two hunks, none `CHANGED`, meet if the first is slid forward by ``steps`` and the second back."""
        is_fixed = Change.CHANGED in (first.change, second.change)
        return not is_fixed and second.c_start - first.c_end <= steps + self._slide_back_distance(first, second)

    def _slide_distance(self, first: Hunk, second: Hunk) -> int:
        """How many events the first hunk can be slid forward over the match between the two; 0 if it is two-sided."""
        run = second.c_start - first.c_end if first.is_one_sided else 0
        c, o = first.c_start, first.o_start
        return next((n for n in range(run) if self.canary[c + n] != self.ours[o + n]), run)

    def _slide_back_distance(self, first: Hunk, second: Hunk) -> int:
        """How many events the second hunk can be slid back over the match between the two."""
        run = second.c_start - first.c_end if second.is_one_sided else 0
        c, o = second.c_end - 1, second.o_end - 1
        return next((n for n in range(run) if self.canary[c - n] != self.ours[o - n]), run)

    def _best_joins(self, hunks: Sequence[Hunk]) -> tuple[list[int], list[float]]:
        """Dynamic programming: for each hunk, the number of the first hunk of the best join that ends with it; and
        `scores`, where `scores[n]` is the greatest sum of scores less costs for the first n hunks and their matches.

        A first hunk that an earlier one beats is dropped: costs grow with the logarithm, so the earlier stays better.
        """
        starts_of_joins: list[int] = []
        scores = [0.0]
        candidates: list[int] = []
        for last, (hunk, following) in enumerate(itertools.pairwise((*hunks, self._end))):
            while candidates and scores[candidates[-1]] <= scores[last]:
                candidates.pop()
            tried = [(first, scores[first] - _cost(hunks[first].to(hunk))) for first in candidates]
            if last and self._is_changed_together(hunks[last - 1], hunk):
                tried.append((last - 1, scores[last] - _CHANGED_COST))
            to_beat = max((gain for _, gain in tried), default=-math.inf)
            candidates, best = [], -math.inf
            for first, gain in (*tried, (last, scores[last] - self._single_cost(hunk, scores[last] - to_beat))):
                if gain > best:
                    candidates.append(first)
                    best = gain
            starts_of_joins.append(candidates[-1])
            run = following.c_start - hunk.c_end
            scores.append(best + (self._match_score(hunk, run) if run else 0))
        return starts_of_joins, scores

    def _is_changed_together(self, first: Hunk, second: Hunk) -> bool:
        """Whether two one-sided hunks would cut a call in two, and joined are the same calls with other arguments."""
        both = first.to(second)
        if not first.is_one_sided or both.canary_events != both.ours_events:
            return False
        return self._is_within(first.c_end) != self._is_within(second.c_start) and self.is_changed(both)

    def _is_within(self, c: int) -> bool:
        """Whether the event of canary at ``c`` belongs to the call before it; False at the end of the window."""
        return c < len(self.canary) and self._is_within_call(self._bounds.c_start + c)

    def _single_cost(self, hunk: Hunk, most: float) -> float:
        """The cost of a hunk alone. Its events are read only if it can be below ``most``, the cost of the best join."""
        if self._is_surplus_at_end(hunk):
            return 0
        return _CHANGED_COST if most > _CHANGED_COST and self.is_changed(hunk) else _cost(hunk)

    def _unrecovered_from(self, hunks: Sequence[Hunk], scores: Sequence[float]) -> int:
        """The number of the first hunk from which on `UNRECOVERED` scores as well (± ``slack``), or ``len(hunks)``."""
        ends_match = not self._is_surplus_at_end(hunks[-1])  # then, the last match cannot be shifted
        for first, hunk in enumerate(hunks):
            rest = hunk.to(self._end)
            slack = math.log2((rest.canary_events + rest.ours_events) / 2) if ends_match else _size_bits(rest)
            if scores[first] - _cost(rest) >= scores[-1] - slack:
                return first
        return len(hunks)

    def _is_surplus_at_end(self, hunk: Hunk) -> bool:
        """Whether the hunk is the surplus of one stream after the end of the other."""
        at_end = hunk.c_start == len(self.canary) or hunk.o_start == len(self.ours)
        return self._is_whole_rest and at_end

    def _match_score(self, hunk: Hunk, length: int) -> float:
        """The score of the match of ``length`` events after a hunk, in bits."""
        block = hunk.c_end // _FREQUENCY_EVENTS
        if block not in self._surprisals:
            start = block * _FREQUENCY_EVENTS
            canary = self.canary[start : start + _FREQUENCY_EVENTS + _SCORED_EVENTS]
            ours = self.ours[start : start + _FREQUENCY_EVENTS]
            self._surprisals[block] = _Surprisal(canary, ours)
        run = self.canary[hunk.c_end : hunk.c_end + min(length, _SCORED_EVENTS)]
        return self._surprisals[block].bits(run) + _length_bits(length)

    def is_changed(self, hunk: Hunk) -> bool:
        """Whether both sides have the same calls, one by one, at most `_CHANGED_MAX`. Reads events."""
        return hunk.canary_events == hunk.ours_events <= _CHANGED_MAX and all(
            self._alike(hunk.c_start + n, hunk.o_start + n) is not Likeness.OTHER for n in range(hunk.canary_events)
        )

    def _alike(self, c: int, o: int) -> Likeness:
        """How alike two events are, cached; `OTHER`, unread, once `_COMPARISONS_MAX` pairs were read."""
        if self.canary[c] == self.ours[o]:
            return Likeness.EQUAL
        if (c, o) not in self._likeness:
            if len(self._likeness) >= _COMPARISONS_MAX:
                return Likeness.OTHER
            self._likeness[c, o] = self._compare(self._bounds.c_start + c, self._bounds.o_start + o)
        return self._likeness[c, o]

    # -- where to stop ---------------------------------------------------------------------------------------

    def confirmed(self, hunks: list[Hunk], size: int) -> list[Hunk]:
        """The hunks before the last match that cannot be shifted, because it ends with a unique run; [] if none can.

        ``size`` is that of the window. In small ones the match must be long as well; in the largest, all hunks pass.
        """
        if self._is_whole_rest:
            return hunks
        if size == _WINDOWS[-2]:
            is_open = hunks[-1].c_end == len(self.canary)  # it may go on after the window
            return hunks[:-1] if is_open else hunks
        least = size // 4 if size < _WINDOWS[2] else _UNIQUE_RUN_MIN
        ends = [*hunks, self._end]
        for count in range(len(hunks), 0, -1)[:_MATCHES_TRIED]:
            end = ends[count].c_start
            length = end - hunks[count - 1].c_end
            if length >= least and self._is_unique(end, min(length, _UNIQUE_RUN_MAX)):
                return hunks[:count]
        return []

    def _is_unique(self, end: int, length: int) -> bool:
        """Whether the ``length`` events before position ``end`` of canary occur once on each side."""
        sought = array("q", self.canary[end - length : end]).tobytes()
        sides = (array("q", side).tobytes() for side in (self.canary, self.ours))
        return all(side.find(sought) == side.rfind(sought) for side in sides)

    # -- the shape and the class of hunks --------------------------------------------------------------------

    def split(self, hunks: Sequence[Hunk]) -> list[Hunk]:
        """The hunks; the same calls at the start or end of both sides are split off as `CHANGED` hunks of their own."""
        return self._slid([part for hunk in hunks for part in self._split_hunk(hunk)])

    def _split_hunk(self, hunk: Hunk) -> Iterator[Hunk]:
        reaches_end = (hunk.c_end, hunk.o_end) == (len(self.canary), len(self.ours))
        stays_whole = hunk.is_one_sided or reaches_end or self.is_changed(hunk)
        back = 0 if stays_whole else self._same_calls_at_end(hunk)
        inner = hunk._replace(c_end=hunk.c_end - back, o_end=hunk.o_end - back)
        front = 0 if stays_whole else self._same_calls_at_start(inner)
        rest = inner._replace(c_start=hunk.c_start + front, o_start=hunk.o_start + front)
        if not front and not back:
            yield hunk
            return
        before = list(self._changes(Hunk(hunk.c_start, rest.c_start, hunk.o_start, rest.o_start)))
        after = list(self._changes(Hunk(rest.c_end, hunk.c_end, rest.o_end, hunk.o_end)))
        matched = front + back - sum(part.canary_events - part.common for part in (*before, *after))
        across = self._common(hunk) - matched - self._common(rest)
        middle = [rest._replace(common=max(0, across))] if rest.canary_events or rest.ours_events else []
        yield from (*before, *middle, *after)

    def _same_calls_at_end(self, hunk: Hunk) -> int:
        """How many events at the end are the same calls on both sides, if the match after the hunk belongs to them."""
        count, first = 0, hunk.c_end  # `first - count` is the first event of canary that is counted
        while count < min(hunk.canary_events, hunk.ours_events) and self._is_within(first - count):
            count += 1
            if self._alike(hunk.c_end - count, hunk.o_end - count) is Likeness.OTHER:
                return 0
        return 0 if count and self._is_within(first - count) else count

    def _same_calls_at_start(self, hunk: Hunk) -> int:
        """How many events at the start are the same calls on both sides, up to the last event at which a third are
        equal or all belong to the call before the hunk."""
        equal = same = 0
        for count in range(min(hunk.canary_events, hunk.ours_events)):
            likeness = self._alike(hunk.c_start + count, hunk.o_start + count)
            if likeness is Likeness.OTHER:
                break
            equal += likeness is Likeness.EQUAL
            belongs = same == count and self._is_within(hunk.c_start + count)
            if belongs or 3 * equal > count:
                same = count + 1
        return same

    def _common(self, hunk: Hunk) -> int:
        return common_events(self.canary[hunk.c_start : hunk.c_end], self.ours[hunk.o_start : hunk.o_end])

    def classified(self, hunks: Sequence[Hunk]) -> list[Hunk]:
        """The hunks with their classes, without the surplus of one stream; both halves of a move become one hunk."""
        classified: list[Hunk] = []
        for hunk in hunks:
            if hunk.change is Change.CHANGED:
                classified.append(hunk)
            elif self.is_changed(hunk):
                classified += self._changes(hunk)
            elif classified and self._is_move(classified[-1], hunk):
                both = _trimmed(self.canary, self.ours, classified[-1].to(hunk))
                classified[-1] = self._with_class(both)._replace(change=Change.REORDERED)
            elif not self._is_surplus_at_end(hunk):
                classified.append(self._with_class(hunk))
        return classified

    def _changes(self, hunk: Hunk) -> Iterator[Hunk]:
        """Divide a `CHANGED` hunk at its equal events. `common` of the first part counts matches at unequal offsets."""
        alike = [self._alike(hunk.c_start + n, hunk.o_start + n) for n in range(hunk.canary_events)]
        common = self._common(hunk) - alike.count(Likeness.EQUAL)
        start = 0
        for likeness, group in itertools.groupby(alike):
            count = sum(1 for _ in group)
            if likeness is not Likeness.EQUAL:
                part = Hunk(0, count, 0, count, Change.CHANGED, max(0, common))
                yield part.moved(hunk.c_start + start, hunk.o_start + start)
                common = 0
            start += count

    def _is_move(self, first: Hunk, second: Hunk) -> bool:
        """Whether one side lacks a block in the first hunk and the other side lacks the same block in the second."""
        blocks = self.canary[first.c_start : first.c_end], self.ours[first.o_start : first.o_end]
        opposite = self.ours[second.o_start : second.o_end], self.canary[second.c_start : second.c_end]
        is_near = second.c_start - first.c_end <= _MOVE_DISTANCE_MAX
        return is_near and not all(blocks) and all(map(_is_rotation, blocks, opposite))  # sliding rotates a block

    def _with_class(self, hunk: Hunk) -> Hunk:
        """The hunk with its class by length and position, and `common`; no event is read."""
        canary, ours = self.canary[hunk.c_start : hunk.c_end], self.ours[hunk.o_start : hunk.o_end]
        in_stream = hunk.moved(self._bounds.c_start, self._bounds.o_start)
        if not ours:
            turns = _is_loop_turns(self._streams.canary, in_stream.c_start, in_stream.c_end)
            return hunk._replace(change=Change.REPEATED if turns else Change.MISSING_ON_OURS)
        if not canary:
            turns = _is_loop_turns(self._streams.ours, in_stream.o_start, in_stream.o_end)
            return hunk._replace(change=Change.REPEATED if turns else Change.EXTRA_ON_OURS)
        change = Change.REORDERED if _is_rotation(canary, ours) else Change.REPLACED
        if self._is_whole_rest and hunk.to(self._end) == hunk and hunk.canary_events + hunk.ours_events > 2:
            change = Change.UNRECOVERED
        return hunk._replace(change=change, common=hunk.common + common_events(canary, ours))


class StreamAlignment:
    """The hunks between two streams of fingerprints.

    ``compare(c, o)`` returns how alike two events are whose fingerprints differ, ``is_within_call(c)`` whether an event
    of canary belongs to the call before it. Both take positions and may read a file; they are called for little more
    than the events in hunks. Time is about linear in the length of the streams.

    >>> canary, ours = array("q", range(100)), array("q", [*range(50), 777, *range(50, 100)])
    >>> list(StreamAlignment(canary, ours, lambda c, o: Likeness.OTHER).hunks(0, 0))
    [Hunk(c_start=50, c_end=50, o_start=50, o_end=51, change=<Change.EXTRA_ON_OURS: 'extra_on_ours'>, common=0)]
    """

    def __init__(
        self,
        canary: Fingerprints,
        ours: Fingerprints,
        compare: Callable[[int, int], Likeness],
        is_within_call: Callable[[int], bool] = lambda c: False,
    ) -> None:
        self._canary, self._ours, self._compare = canary, ours, compare
        self._is_within_call = is_within_call

    def hunks(self, c: int, o: int) -> Iterator[Hunk]:
        """Yield the hunks from two positions on, in order. The surplus at the end of one stream is no hunk.

        The last hunk is `UNRECOVERED` if no match follows.
        """
        while True:
            run = equal_run(self._canary, c, self._ours, o, min(len(self._canary) - c, len(self._ours) - o))
            c, o = c + run, o + run
            if c == len(self._canary) or o == len(self._ours):
                return
            window, hunks = self._next_hunks(c, o)
            yield from (hunk.moved(c, o) for hunk in window.classified(hunks))
            c, o = c + hunks[-1].c_end, o + hunks[-1].o_end

    def _next_hunks(self, c: int, o: int) -> tuple[_Window, list[Hunk]]:
        """The smallest window at two positions that confirms a hunk, and its confirmed hunks, split: at least one."""
        for size in _WINDOWS:
            bounds = Hunk(c, min(c + size, len(self._canary)), o, min(o + size, len(self._ours)))
            window = _Window(Both(self._canary, self._ours), bounds, self._compare, self._is_within_call)
            hunks = window.confirmed(window.hunks(), size)
            if hunks:
                break
        return window, window.split(hunks)


# ══ walk ══════════════════════════════════════════════════════════════════════════════════════════════════════════
#
# A *floating* event may stand anywhere or be missing. An *adjusted index* is the ``tid_event_idx`` less the floating
# events passed so far: two events match if they are equal at the same one. *Floatless* positions count no floating
# events. A *step* is a piece of the walk: matches, floating events, a difference, or the rest that was not compared.


_WITHIN_CALL: Final = frozenset({"kernel.return", "wait.begin", "wait.end", "handle.create", "handle.destroy"})
"""Kinds of events that belong to the ``kernel.call`` before them."""
_RUN_AFTER_GAP: Final = 64
"""Events after a gap in the indexes that are compared to see whether events are missing there."""


@dataclass(slots=True)
class Cursor:
    """One side of a walk: the position of the next event of a thread. The `Walker` moves it."""

    log: Log
    tid: int
    floating: Mapping[int, str | int]
    """By position of a floating event: the SID of a shared-global create, a profile rule's number, or `_OF_TURN`."""
    position: int = 0
    floated: int = 0
    """Floating events that were passed without a match."""
    shift: int = 0
    """Subtracted from adjusted indexes, so that both sides have equal ones after each difference."""

    @property
    def stream(self) -> Stream:
        """The fingerprints of the thread."""
        return self.log.index.streams[self.tid]

    def event(self, position: int) -> Event:
        """The event at an existing position, read from the log."""
        return self.log.event(self.tid, position)

    @property
    def at_end(self) -> bool:
        """Whether there is no next event."""
        return self.position >= len(self.stream)

    @property
    def adjusted_idx(self) -> int:
        """The adjusted index of the next event."""
        return self.stream.idx_at(self.position) - self.floated - self.shift

    @property
    def float_reason(self) -> str | int | None:
        """Why the next event floats, as in `floating`; None if it does not."""
        return self.floating.get(self.position)

    def skip_to(self, position: int) -> None:
        """Move to a position and count the floating events that are passed."""
        self.floated += sum(passed in self.floating for passed in range(self.position, position))
        self.position = position


class _FloatlessStream:
    """The fingerprints of a stream without the floating events, for the alignment."""

    def __init__(self, cursor: Cursor) -> None:
        self._floating = sorted(cursor.floating)
        self._kept_before = [position - nth for nth, position in enumerate(self._floating)]
        fingerprints = cursor.stream.fingerprints
        bounds = itertools.pairwise((-1, *self._floating, len(fingerprints)))
        pieces = (fingerprints[start + 1 : end] for start, end in bounds)
        self.fingerprints = functools.reduce(array.__iadd__, pieces, array("q")) if self._floating else fingerprints

    def from_stream(self, position: int) -> int:
        """The floatless position of a non-floating event, given its position in the stream."""
        return position - bisect.bisect_left(self._floating, position)

    def to_stream(self, position: int) -> int:
        """The position in the stream, given a floatless position."""
        return position + bisect.bisect_right(self._kept_before, position)


class StepKind(enum.Enum):
    """What the events of a step have in common."""

    MATCHED = enum.auto()
    FLOATED = enum.auto()
    """Floating events without a match, and differences that a profile hides."""
    DIFFERED = enum.auto()
    REST = enum.auto()
    """After the end of the other side, or after the last difference that was looked for."""


class Step(NamedTuple):
    """A piece of a walk: a range of positions on each side."""

    kind: StepKind
    positions: Both[range]
    counts: Both[int] = Both(0, 0)
    """Events without a counterpart, floating ones not included."""
    change: Change = Change.REPLACED
    common: int = 0
    """Matches inside a difference, too few to end it; they count for the parity score."""
    at_gap: bool = False
    """Whether the adjusted indexes differ at its start: a writer lost events or skipped an index."""
    rule: int | None = None
    """The number of the profile rule that hides the whole step."""

    @property
    def starts(self) -> Both[int]:
        """The first position of each side."""
        return Both(self.positions.canary.start, self.positions.ours.start)

    @property
    def ends(self) -> Both[int]:
        """The last position of each side + 1."""
        return Both(self.positions.canary.stop, self.positions.ours.stop)

    @property
    def matched(self) -> int:
        """Its number of matching pairs of events, 0 unless it is `MATCHED`."""
        return len(self.positions.canary) if self.kind is StepKind.MATCHED else 0

    @property
    def differs(self) -> bool:
        """Whether its events have no counterpart."""
        return self.kind in (StepKind.DIFFERED, StepKind.REST)

    @property
    def is_paired(self) -> bool:
        """Whether the events of both sides correspond one to one."""
        changed = self.change is Change.CHANGED and len(self.positions.canary) == len(self.positions.ours)
        return self.kind is StepKind.MATCHED or changed

    @property
    def is_common_exact(self) -> bool:
        """Whether `common` is from a full longest common subsequence, and not from a band along the diagonal."""
        return min(map(len, self.positions)) <= _FULL_LCS_MAX


def _step(kind: StepKind, starts: Both[int], ends: Both[int], **more: Any) -> Step:
    """A step from the positions ``starts`` up to ``ends``; ``more`` are further fields."""
    return Step(kind, Both(range(starts.canary, ends.canary), range(starts.ours, ends.ours)), **more)


class RuleUses:
    """Where matching events of two threads have unequal values in a field that a profile rule covers."""

    def __init__(self, cursors: Both[Cursor], profile: Profile) -> None:
        self._marks: dict[int, Both[tuple[Sequence[int], array[int]]]] = {}  # by rule number: positions, hashed values
        for number, rule in enumerate(profile.rules if profile.of_events else ()):
            marks = [(cursor, cursor.log.index.marks.get((number, cursor.tid))) for cursor in cursors]
            sides = [(cursor.stream.positions_of(mark.indexes), mark.values) for cursor, mark in marks if mark]
            if rule.is_of_fields and len(sides) == 2:
                self._marks[number] = Both(*sides)
        self._asked = profile.asked & self._marks.keys()  # rules that can find events of equal fingerprints unequal
        self._asked_at = sorted({position for number in self._asked for position in self._marks[number].canary[0]})

    def asked(self, ranges: Both[range]) -> list[int]:
        """The positions of canary, in two ranges of equal fingerprints, at which a rule has to compare the events."""
        nth = bisect.bisect_left(self._asked_at, ranges.canary.start)
        if nth == len(self._asked_at) or self._asked_at[nth] >= ranges.canary.stop:
            return []
        return sorted({position for number in self._asked for position in self.of(number, ranges)})

    def of(self, number: int, ranges: Both[range]) -> Mapping[int, object]:
        """By position of canary, in two matching ranges: the unequal hashes (canary, ours) of the rule's field."""
        if number not in self._marks:
            return {}
        marked = []
        for (positions, values), within in zip(self._marks[number], ranges, strict=True):
            part = slice(bisect.bisect_left(positions, within.start), bisect.bisect_left(positions, within.stop))
            marked.append((positions[part], values[part]))
        (canary, one), (ours, other) = marked
        if one == other:
            return {}
        shift = ranges.canary.start - ranges.ours.start
        canary_values = dict(zip(canary, one, strict=True))
        ours_values = dict(zip(map(shift.__add__, ours), other, strict=True))
        unlike = sorted({position for position, _ in canary_values.items() ^ ours_values.items()})
        return {position: (canary_values.get(position), ours_values.get(position)) for position in unlike}


class Walker:
    """Walks a pair by the rules of schema v1. Moves the cursors and appends to `steps`."""

    def __init__(self, cursors: Both[Cursor], equal: Callable[[Event, Event], bool], uses: RuleUses) -> None:
        self.canary, self.ours = self._cursors = cursors
        self._equal, self._uses = equal, uses
        self.steps: list[Step] = []
        self._planned: Iterator[Hunk] = iter(())  # hunks of the alignment that the walk has not reached

    @property
    def indexes_agree(self) -> bool:
        """Whether both sides have a next event, and at the same adjusted index."""
        return not self.canary.at_end and not self.ours.at_end and self.canary.adjusted_idx == self.ours.adjusted_idx

    def walk(self) -> bool:
        """Advance to the next difference (True) or an end (False). Events that are equal get equal fingerprints."""
        while True:
            self._match_equal_fingerprints()
            if self.indexes_agree and self._next_events_equal():
                canary, ours = self.canary, self.ours
                ours.stream.fingerprints[ours.position] = canary.stream.fingerprints[canary.position]
            elif self.canary.float_reason is not None:
                self._pass(StepKind.FLOATED, self.canary.position + 1, self.ours.position)
            elif self.ours.float_reason is not None:
                self._pass(StepKind.FLOATED, self.canary.position, self.ours.position + 1)
            else:
                return not self.canary.at_end and not self.ours.at_end

    def _match_equal_fingerprints(self) -> None:
        """Advance over the matches up to a gap in the indexes or unequal fingerprints."""
        canary, ours = self.canary, self.ours
        while self.indexes_agree:
            ends = canary.stream.run_end(canary.position), ours.stream.run_end(ours.position)
            most = min(ends[0] - canary.position, ends[1] - ours.position)
            fingerprints = canary.stream.fingerprints, ours.stream.fingerprints
            count = equal_run(fingerprints[0], canary.position, fingerprints[1], ours.position, most)
            count = self._allowed_by_rules(count)
            self._match(count)
            if count < most:
                break

    def _allowed_by_rules(self, count: int) -> int:
        """How many of the next ``count`` events, all of equal fingerprints, are equal by the profile's rules."""
        canary, ours = self.canary.position, self.ours.position
        positions = Both(range(canary, canary + count), range(ours, ours + count))
        for position in self._uses.asked(positions):
            if not self._equal(self.canary.event(position), self.ours.event(position - canary + ours)):
                return position - canary
        return count

    def _match(self, count: int) -> None:
        """Advance both sides by ``count`` matches; extends a `MATCHED` step that is the last one."""
        starts = self._cursors.map(lambda cursor: cursor.position)
        for cursor in self._cursors:
            cursor.position += count
        if self.steps and self.steps[-1].kind is StepKind.MATCHED:
            starts = self.steps.pop().starts
        elif not count:
            return
        self.steps.append(_step(StepKind.MATCHED, starts, self._cursors.map(lambda cursor: cursor.position)))

    def _pass(self, kind: StepKind, canary_position: int, ours_position: int, **more: Any) -> None:
        """Advance to two positions and append a step of events without a counterpart."""
        starts = self._cursors.map(lambda cursor: cursor.position)
        self.steps.append(_step(kind, starts, Both(canary_position, ours_position), **more))
        self.canary.skip_to(canary_position)
        self.ours.skip_to(ours_position)

    def _next_events_equal(self) -> bool:
        """Whether the next events, whose fingerprints differ, are equal by the exact rules."""
        if self.canary.float_reason != self.ours.float_reason:
            return False  # without reading them
        return self._equal(*self._cursors.map(lambda cursor: cursor.event(cursor.position)))

    def pass_difference(self) -> Change:
        """Advance over a difference to the next match or the ends; append a step and return the class."""
        canary, ours = self._floatless
        at_gap = not self.indexes_agree
        hunk = (self._index_gap_hunk() if at_gap else None) or self._aligned_hunk()
        self._pass(
            StepKind.DIFFERED,
            canary.to_stream(hunk.c_end),
            ours.to_stream(hunk.o_end),
            counts=Both(hunk.canary_events, hunk.ours_events),
            change=hunk.change,
            common=hunk.common,
            at_gap=at_gap,
        )
        self.ours.shift += self.ours.adjusted_idx - self.canary.adjusted_idx
        return hunk.change

    @functools.cached_property
    def _floatless(self) -> Both[_FloatlessStream]:
        return self._cursors.map(_FloatlessStream)

    def _floatless_positions(self) -> tuple[int, int]:
        """The floatless positions of the next events."""
        canary, ours = self._floatless
        return canary.from_stream(self.canary.position), ours.from_stream(self.ours.position)

    def _run_length(self, c: int, o: int) -> int:
        """How many events match from two floatless positions on, at most `_RUN_AFTER_GAP`."""
        one, other = self._floatless.canary.fingerprints, self._floatless.ours.fingerprints
        return equal_run(one, c, other, o, min(len(one) - c, len(other) - o, _RUN_AFTER_GAP))

    def _index_gap_hunk(self) -> Hunk | None:
        """The hunk at a gap in the indexes of one log: the other log's events in that gap. None if no match follows.

        It is empty (`INDEX_GAP`) if more events match without it: the writer skipped the indexes, not the events.
        """
        behind, ahead = sorted(self._cursors, key=lambda side: side.adjusted_idx)
        end, floated = behind.position, 0
        idx = ahead.adjusted_idx + behind.shift + behind.floated  # the end of the gap, as an index of `behind`
        while end < len(behind.stream) and behind.stream.idx_at(end) - floated < idx:
            floated += end in behind.floating  # event by event, as `behind` may have gaps, too
            end += 1
        c, o = self._floatless_positions()
        count = end - behind.position - floated
        is_missing_on_ours = behind is self.canary
        run_after = self._run_length(c + count, o) if is_missing_on_ours else self._run_length(c, o + count)
        run_here = self._run_length(c, o)
        if run_after >= run_here and (run_after or end == len(behind.stream)):
            missing = Hunk(c, c + count, o, o, Change.MISSING_ON_OURS)
            return missing if is_missing_on_ours else Hunk(c, c, o, o + count, Change.EXTRA_ON_OURS)
        return Hunk(c, c, o, o, Change.INDEX_GAP) if run_here else None

    @functools.cached_property
    def _alignment(self) -> StreamAlignment:
        canary, ours = self._floatless
        return StreamAlignment(canary.fingerprints, ours.fingerprints, self._compare, self._is_within_call)

    def _is_within_call(self, c: int) -> bool:
        """Whether the event of canary at a floatless position belongs to the call before it."""
        return self.canary.event(self._floatless.canary.to_stream(c)).kind in _WITHIN_CALL

    def _compare(self, c: int, o: int) -> Likeness:
        """How alike the events at two floatless positions are. Reads them."""
        canary = self.canary.event(self._floatless.canary.to_stream(c))
        ours = self.ours.event(self._floatless.ours.to_stream(o))
        if self._equal(canary, ours):
            return Likeness.EQUAL
        same_call = (canary.kind, canary.name) == (ours.kind, ours.name)
        return Likeness.SAME_CALL if same_call else Likeness.OTHER

    def _aligned_hunk(self) -> Hunk:
        """The hunk of the alignment at the current difference, or an empty one."""
        c, o = self._floatless_positions()
        if self._run_length(c, o) and self.indexes_agree:  # equal fingerprints, but unequal by a profile rule
            return Hunk(c, c + 1, o, o + 1, Change.CHANGED)
        hunk = next((hunk for hunk in self._planned if hunk.c_end > c or hunk.o_end > o), None)
        if hunk is None or (hunk.c_start, hunk.o_start) != (c, o):  # the exact rules matched events of the planned hunk
            self._planned = self._alignment.hunks(c, o)
            hunk = next(self._planned, Hunk(c, c, o, o, Change.INDEX_GAP))
        return hunk


@dataclass(frozen=True)
class PairWalk:
    """The walk of a pair. Up to the first difference schema v1 defines it; from there on, the alignment."""

    canary: Cursor
    ours: Cursor
    steps: tuple[Step, ...]

    @property
    def sides(self) -> Both[Cursor]:
        """Both cursors."""
        return Both(self.canary, self.ours)

    @functools.cached_property
    def differences(self) -> tuple[Step, ...]:
        """The steps that are differences."""
        return tuple(step for step in self.steps if step.kind is StepKind.DIFFERED)

    def without_rest(self) -> PairWalk:
        """A copy without the `REST` step, as if both threads ended there."""
        return replace(self, steps=tuple(step for step in self.steps if step.kind is not StepKind.REST))

    @property
    def rest(self) -> Both[range]:
        """The positions that were not compared, at the end of each stream."""
        if self.steps and self.steps[-1].kind is StepKind.REST:
            return self.steps[-1].positions
        return self.sides.map(lambda cursor: range(len(cursor.stream), len(cursor.stream)))

    @property
    def end(self) -> PairStatus:
        """How the walk ended: `DIVERGED` at a difference that was not passed, or if the last one is `UNRECOVERED`."""
        rest = self.rest
        is_unrecovered = bool(self.differences) and self.differences[-1].change is Change.UNRECOVERED
        if is_unrecovered or all(rest):
            return PairStatus.DIVERGED
        ended = PairStatus.CANARY_ENDED if rest.ours else PairStatus.OURS_ENDED
        return ended if any(rest) else PairStatus.IDENTICAL

    @property
    def status(self) -> PairStatus:
        """The status by schema v1, which ends the walk at the first difference."""
        return PairStatus.DIVERGED if self.differences else self.end

    @functools.cached_property
    def before(self) -> tuple[Step, ...]:
        """The steps before the first difference."""
        compared = (StepKind.MATCHED, StepKind.FLOATED)
        return tuple(itertools.takewhile(lambda step: step.kind in compared, self.steps))

    @property
    def floated(self) -> Both[int]:
        """Events in `FLOATED` steps before the first difference."""
        passed = [step.positions for step in self.before if step.kind is StepKind.FLOATED]
        return Both(sum(len(floated.canary) for floated in passed), sum(len(floated.ours) for floated in passed))

    @property
    def remaining(self) -> Both[int]:
        """Events after the steps before the first difference."""
        starts = self.before[-1].ends if self.before else Both(0, 0)
        return Both(*(len(cursor.stream) - start for cursor, start in zip(self.sides, starts, strict=True)))

    @functools.cached_property
    def matches(self) -> list[int]:
        """The number of matches before each difference, then that of the whole walk."""
        totals = itertools.accumulate(step.matched for step in self.steps)
        before = [total for step, total in zip(self.steps, totals, strict=True) if step.kind is StepKind.DIFFERED]
        return [*before, sum(step.matched for step in self.steps)]

    @property
    def aligned(self) -> int:
        """The matches of the whole walk, including those inside differences (`Step.common`)."""
        return self.matches[-1] + sum(difference.common for difference in self.differences)

    @property
    def comparable(self) -> int:
        """The non-floating events of the longer side: the matches of a walk without differences."""
        unmatched = [step for step in self.steps if step.kind in (StepKind.FLOATED, StepKind.DIFFERED)]
        return max(
            len(self.sides[side].stream) - sum(len(step.positions[side]) - step.counts[side] for step in unmatched)
            for side in Side
        )


def walk_pair(walker: Walker, most_differences: int) -> PairWalk:
    """Walk a pair to its end, or up to the difference after the first ``most_differences``. Appends to its steps."""
    count = 0
    while walker.walk() and count < most_differences:
        count += 1
        if walker.pass_difference() is Change.UNRECOVERED:
            break
    canary, ours = walker.canary, walker.ours
    rest = Both(range(canary.position, len(canary.stream)), range(ours.position, len(ours.stream)))
    if any(rest):
        walker.steps.append(Step(StepKind.REST, rest, rest.map(len)))
    return PairWalk(canary, ours, tuple(walker.steps))


# ══ hiding ════════════════════════════════════════════════════════════════════════════════════════════════════════
#
# A walk under a profile matches events that are equal under its rules and floats those that a rule floats. Where a
# loop may run more or fewer turns, turns that equal the turn before them float, too. Two steps follow: a block that is
# turns of such a loop, as the other side has them too, is no difference; and an event without a match on one member of
# a pool is none where another member has it. What is hidden so becomes a stretch that floats.


class Hidden(NamedTuple):
    """Walks after hiding, and what the profile hid."""

    walks: list[PairWalk]
    used: Counter[int]
    """How often each rule was used, by number."""
    pools: Mapping[int, int]
    """By canary's tid: the number of the rule whose pool both threads of a pair are members of."""
    pooled: Sequence[Both[Event]]
    """Events of a pool that cancel each other."""


def staying(walk: PairWalk, step: Step, side: Side) -> list[int]:
    """The positions of one side of a step that do not float."""
    return list(itertools.filterfalse(walk.sides[side].floating.__contains__, step.positions[side]))


def floating(walk: PairWalk, side: Side) -> Iterator[tuple[int, int]]:
    """The events of one side that float without a match: position and rule number. Of a turn, only the first event."""
    rules = walk.sides[side].floating
    for step in walk.steps if rules else ():
        for position in step.positions[side] if step.kind is not StepKind.MATCHED else ():
            rule = rules.get(position)
            if isinstance(rule, int):
                yield position, rule


def same_under_rules(walk: PairWalk, profile: Profile) -> Iterator[tuple[int, int, int, object]]:
    """Where matching events differ as a rule allows: rule number, both positions, and the values."""
    uses = RuleUses(walk.sides, profile)
    for step in walk.steps if profile.of_events else ():
        shift = step.starts.ours - step.starts.canary
        for number in range(len(profile.rules)) if step.kind is StepKind.MATCHED else ():
            for position, values in uses.of(number, step.positions).items():
                yield number, position, position + shift, values


def _is_whole_turns(block: Sequence[Event], calls: Sequence[str]) -> bool:
    """Whether a block is whole turns of a loop of just these calls; it may begin in the midst of one."""
    made = [event.name for event in block if event.kind == "kernel.call"]
    if not made or len(made) % len(calls) or any(event.name not in (None, *calls) for event in block):
        return False
    if sum(event.kind == "kernel.return" for event in block) not in (0, len(made)):
        return False
    turns = [*calls] * (len(made) // len(calls) + 1)
    return any(turns[start : start + len(made)] == made for start in range(len(calls)))


_OF_TURN: Final = "turn"
"""Marks a turn's events after the first; the first has the rule's number and counts."""
_EVENTS_PER_CALL: Final = 4
"""At most so many events stand in a turn for each of its calls."""


class Turns(NamedTuple):
    """Turns in a row of a loop that may run more or fewer, each equal to the turn before."""

    positions: range
    length: int
    rule: int

    def floats(self) -> Iterator[tuple[int, str | int]]:
        """Each event's position and mark."""
        for nth, position in enumerate(self.positions):
            yield position, _OF_TURN if nth % self.length else self.rule


def _runs(positions: Iterable[int]) -> list[range]:
    """Positions in rising order as runs.

    >>> _runs([1, 2, 4])
    [range(1, 3), range(4, 5)]
    """
    runs: list[range] = []
    for position in positions:
        if runs and runs[-1].stop == position:
            runs[-1] = range(runs[-1].start, position + 1)
        else:
            runs.append(range(position, position + 1))
    return runs


def _is_asked(event: Event, profile: Profile) -> bool:
    """Whether an equal fingerprint does not prove events equal: a rule must compare them."""
    return any(number in profile.asked for number, _ in profile.rules_about(event.kind, event.name))


def turns_in_a_row(log: Log, tid: int, profile: Profile) -> list[Turns]:
    """All of a thread."""
    rows: list[Turns] = []
    events = log.index.streams[tid].fingerprints
    known: dict[tuple[int, ...], list[Event]] = {}
    for number, rule in profile.of_sort(RuleSort.REPEAT):
        for length in range(len(rule.calls), _EVENTS_PER_CALL * len(rule.calls) + 1):
            again = bytes(map(int.__eq__, events, itertools.islice(events, length, None)))
            for match in re.finditer(b"\x01{%d,}" % length, again):
                first = range(match.start(), match.start() + length)
                key = number, *events[first.start : first.stop]
                if key not in known:
                    turn = [log.event(tid, at) for at in first]
                    calls = sum(event.kind == "kernel.call" for event in turn)
                    is_turn = calls == len(rule.calls) and _is_whole_turns(turn, rule.calls)
                    known[key] = turn if is_turn else []
                turn = known[key]
                part = (match.end() - match.start()) % length  # events of an incomplete turn: kept, in front
                turn = turn[part:] + turn[:part]
                asked = [at for at, event in enumerate(turn) if _is_asked(event, profile)]
                starts = range(first.stop + part, match.end() + 1, length) if turn else ()
                equal = (s for s in starts if all(profile.equal(turn[at], log.event(tid, s + at)) for at in asked))
                positions = itertools.chain.from_iterable(range(start, start + length) for start in equal)
                rows += [Turns(run, length, number) for run in _runs(positions)]
    return rows


def whole_turns(walk: PairWalk, side: Side, rows: list[Turns]) -> list[Turns]:
    """The rows whose unmatched events make up whole turns."""
    steps = walk.steps if rows else ()
    unmatched = {at for step in steps if step.kind is not StepKind.MATCHED for at in step.positions[side]}
    parts = [_runs(at for at in row.positions if at in unmatched) for row in rows]
    return [row for row, runs in zip(rows, parts, strict=True) if not any(len(run) % row.length for run in runs)]


def _has_turn(cursor: Cursor, turn: Sequence[Event], fingerprints: array[int], profile: Profile) -> bool:
    """Whether a thread has this turn, perhaps starting at another of its calls."""
    size = fingerprints.itemsize
    text = cursor.stream.fingerprints.tobytes()
    for start in (at for at, event in enumerate(turn) if event.kind == "kernel.call"):
        rotated, wanted = (*turn[start:], *turn[:start]), (fingerprints[start:] + fingerprints[:start]).tobytes()
        asked = [nth for nth, event in enumerate(rotated) if _is_asked(event, profile)]
        at = text.find(wanted)
        while at >= 0:
            position, misaligned = divmod(at, size)
            if not misaligned and all(profile.equal(rotated[nth], cursor.event(position + nth)) for nth in asked):
                return True
            at = text.find(wanted, at + 1)
    return False


def _count_of_turns(block: Iterable[Event], rule: ProfileRule) -> int:
    return sum(event.kind == "kernel.call" for event in block) // len(rule.calls)


def _turns(walk: PairWalk, step: Step, loops: Sequence[tuple[int, ProfileRule]], profile: Profile) -> tuple[Step, ...]:
    """The steps that replace a difference made of turns that the other side has, too; else ()."""
    ends = step.ends
    one, other = (cursor.stream.fingerprints for cursor in walk.sides)
    while all(map(int.__gt__, ends, step.starts)) and one[ends.canary - 1] == other[ends.ours - 1]:
        ends = ends.map((-1).__add__)  # the equal events at its end are too few to rejoin
    core = _step(StepKind.FLOATED, step.starts, ends)
    if all(core.positions):
        return ()
    side = Side.CANARY if core.positions.canary else Side.OURS
    cursor, positions = walk.sides[side], staying(walk, core, side)
    block = [cursor.event(at) for at in positions]
    rule = next((number for number, rule in loops if _is_whole_turns(block, rule.calls)), None)
    if rule is None:
        return ()
    turns = _count_of_turns(block, profile.rules[rule])
    length = len(block) // turns
    for start in range(0, len(block), length):
        fingerprints = array("q", [cursor.stream.fingerprints[at] for at in positions[start : start + length]])
        if not _has_turn(walk.sides[side.other], block[start : start + length], fingerprints, profile):
            return ()
    after = _step(StepKind.MATCHED, ends, step.ends)
    return (core._replace(rule=rule), *([after] if any(after.positions) else []))


def _without_turns(walk: PairWalk, profile: Profile) -> PairWalk:
    """The walk without differences that are turns of a loop that may run more or fewer."""
    loops = profile.of_sort(RuleSort.REPEAT)
    if not loops:
        return walk
    parts = ((_turns(walk, step, loops, profile) if step.differs else ()) or (step,) for step in walk.steps)
    return replace(walk, steps=tuple(itertools.chain.from_iterable(parts)))


def pool_tids(log: Log, rule: ProfileRule) -> set[int]:
    """The members of a pool."""
    if rule.first_call is not None:
        return {tid for tid, call in log.index.first_calls.items() if call == rule.first_call}
    return {created.child_tid for created in log.index.creations if created.entry_point == rule.entry_point}


def is_of_pool(walk: PairWalk, rule: ProfileRule) -> bool:
    """Whether both threads are members of a pool."""
    return all(cursor.tid in pool_tids(cursor.log, rule) for cursor in walk.sides)


class _Unmatched(NamedTuple):
    """An unmatched event. Those of a pool are matched in this order: most fields first."""

    emptiness: int
    """Minus the number of its fields: an event whose list was cut short may equal several."""
    text: str
    tid: int
    """Canary's tid in the event's pair."""
    position: int
    event: Event


_MOST_TRIED: Final = 64
"""Events of the other side that one pool event is compared with."""


def _unmatched(walks: Iterable[PairWalk], side: Side) -> dict[int, list[_Unmatched]]:
    """The events of one side that differ, by their fingerprint."""
    groups: dict[int, list[_Unmatched]] = {}
    for walk in walks:
        cursor = walk.sides[side]
        for step in walk.steps:
            for position in staying(walk, step, side) if any(step.counts) else ():
                event = cursor.event(position)
                values = compared_payload(event)
                size = sum(len(value) if isinstance(value, list | dict) else 1 for value in values.values())
                text = json.dumps(values, sort_keys=True)
                unmatched = _Unmatched(-size, text, walk.canary.tid, position, event)
                groups.setdefault(cursor.stream.fingerprints[position], []).append(unmatched)
    for group in groups.values():
        group.sort(key=lambda one: one[:2])
    return groups


def _pool_pairs(group: Both[Sequence[_Unmatched]], profile: Profile) -> Iterator[Both[_Unmatched]]:
    """The events of a group that cancel each other: the fullest that are the same, then those equal under rules."""
    fullest = min(one.emptiness for one in (*group.canary, *group.ours))
    same: dict[str, list[_Unmatched]] = {}
    for one in group.ours:
        same.setdefault(one.text if one.emptiness == fullest else "", []).append(one)
    waiting = []
    for one in group.canary:
        if one.emptiness == fullest and same.get(one.text):
            yield Both(one, same[one.text].pop(0))
        else:
            waiting.append(one)
    rest = sorted(itertools.chain.from_iterable(same.values()), key=lambda one: one[:2])
    for one in waiting:
        near = enumerate(rest[:_MOST_TRIED])
        nth = next((nth for nth, other in near if profile.equal(one.event, other.event)), None)
        if nth is not None:
            yield Both(one, rest.pop(nth))


def _without_taken(walk: PairWalk, step: Step, taken: Both[set[int]]) -> Iterator[Step]:
    """A step without the events that a pool took: each remaining run is a difference."""
    remaining = Both(*(_runs(at for at in staying(walk, step, side) if at not in taken[side]) for side in Side))
    is_touched = any(step.counts) and any(at in taken[side] for side in Side for at in step.positions[side])
    if not is_touched or (step.kind is StepKind.REST and any(remaining)):
        yield step
        return
    here, last = step.starts, len(walk.canary.stream) - 1
    for run in remaining.canary:
        yield _step(StepKind.FLOATED, here, Both(run.start, here.ours))
        here = Both(run.stop, here.ours)
        positions = Both(run, range(here.ours, here.ours))
        yield Step(StepKind.DIFFERED, positions, positions.map(len), Change.MISSING_ON_OURS)
    for run in remaining.ours:
        yield _step(StepKind.FLOATED, here, Both(step.ends.canary, run.start))
        here = Both(step.ends.canary, run.stop)
        position = min(here.canary, last)  # must be an event of canary, so not past its end
        positions = Both(range(position, position), run)
        yield Step(StepKind.DIFFERED, positions, positions.map(len), Change.EXTRA_ON_OURS)
    yield _step(StepKind.FLOATED, here, step.ends)


def _rule_uses(walk: PairWalk, profile: Profile) -> Counter[int]:
    """How often a walk needs each rule."""
    hidden = list(same_under_rules(walk, profile))
    asked = {(canary, ours) for number, canary, ours, _ in hidden if number in profile.asked}
    used = Counter(number for number, canary, ours, _ in hidden if (canary, ours) not in asked)
    for canary, ours in asked:
        used.update(profile.judge(walk.canary.event(canary), walk.ours.event(ours))[0])
    used.update(number for side in Side for _, number in floating(walk, side))
    for step in walk.steps:
        if step.rule is not None:
            block = (walk.sides[side].event(at) for side in Side for at in staying(walk, step, side))
            used[step.rule] += _count_of_turns(block, profile.rules[step.rule])
    return used


def hide(walks: Iterable[PairWalk], profile: Profile) -> Hidden:
    """Walks under a profile without the turns of loops and the work of pools that it hides."""
    by_tid = {walk.canary.tid: _without_turns(walk, profile) for walk in walks}
    used = Counter[int]()
    pools: dict[int, int] = {}
    pooled: list[Both[Event]] = []
    for number, rule in profile.of_sort(RuleSort.POOL):
        members = [walk for tid, walk in by_tid.items() if tid not in pools and is_of_pool(walk, rule)]
        pools.update((walk.canary.tid, number) for walk in members)
        canary, ours = (_unmatched(members, side) for side in Side)
        taken: dict[int, Both[set[int]]] = {walk.canary.tid: Both(set(), set()) for walk in members}
        for key, group in canary.items():
            for pair in _pool_pairs(Both(group, ours[key]), profile) if key in ours else ():
                events = pair.map(lambda one: one.event)
                used.update((number, *profile.judge(*events)[0]))
                pooled.append(events)
                taken[pair.canary.tid].canary.add(pair.canary.position)
                taken[pair.ours.tid].ours.add(pair.ours.position)
        for walk in members:
            parts = [part for step in walk.steps for part in _without_taken(walk, step, taken[walk.canary.tid])]
            steps = tuple(part for part in parts if any(part.positions) or any(part.counts) or part.at_gap)
            by_tid[walk.canary.tid] = replace(walk, steps=steps)
    for walk in by_tid.values():
        used += _rule_uses(walk, profile)
    return Hidden(list(by_tid.values()), used, pools, pooled)


# ══ statuses ══════════════════════════════════════════════════════════════════════════════════════════════════════


_STATUS_TABLE: Final = """
00000000 SUCCESS                    000000C0 USER_APC                   00000100 KERNEL_APC
00000101 ALERTED                    00000102 TIMEOUT                    00000103 PENDING
00000104 REPARSE                    00000105 MORE_ENTRIES               00000106 NOT_ALL_ASSIGNED
0000010B NOTIFY_CLEANUP             0000010C NOTIFY_ENUM_DIR            40000000 OBJECT_NAME_EXISTS
40000001 THREAD_WAS_SUSPENDED       40000003 IMAGE_NOT_AT_BASE          80000001 GUARD_PAGE_VIOLATION
80000002 DATATYPE_MISALIGNMENT      80000003 BREAKPOINT                 80000004 SINGLE_STEP
80000005 BUFFER_OVERFLOW            80000006 NO_MORE_FILES              8000000A HANDLES_CLOSED
80000011 DEVICE_BUSY                8000001A NO_MORE_ENTRIES            C0000001 UNSUCCESSFUL
C0000002 NOT_IMPLEMENTED            C0000003 INVALID_INFO_CLASS         C0000004 INFO_LENGTH_MISMATCH
C0000005 ACCESS_VIOLATION           C0000006 IN_PAGE_ERROR              C0000008 INVALID_HANDLE
C000000B INVALID_CID                C000000D INVALID_PARAMETER          C000000E NO_SUCH_DEVICE
C000000F NO_SUCH_FILE               C0000010 INVALID_DEVICE_REQUEST     C0000011 END_OF_FILE
C0000012 WRONG_VOLUME               C0000013 NO_MEDIA_IN_DEVICE         C0000014 UNRECOGNIZED_MEDIA
C0000016 MORE_PROCESSING_REQUIRED   C0000017 NO_MEMORY                  C0000018 CONFLICTING_ADDRESSES
C0000019 NOT_MAPPED_VIEW            C000001A UNABLE_TO_FREE_VM          C000001D ILLEGAL_INSTRUCTION
C000001E INVALID_LOCK_SEQUENCE      C0000022 ACCESS_DENIED              C0000023 BUFFER_TOO_SMALL
C0000024 OBJECT_TYPE_MISMATCH       C0000032 DISK_CORRUPT_ERROR         C0000033 OBJECT_NAME_INVALID
C0000034 OBJECT_NAME_NOT_FOUND      C0000035 OBJECT_NAME_COLLISION      C0000037 PORT_DISCONNECTED
C0000039 OBJECT_PATH_INVALID        C000003A OBJECT_PATH_NOT_FOUND      C000003B OBJECT_PATH_SYNTAX_BAD
C0000043 SHARING_VIOLATION          C0000044 QUOTA_EXCEEDED             C0000045 INVALID_PAGE_PROTECTION
C0000046 MUTANT_NOT_OWNED           C0000047 SEMAPHORE_LIMIT_EXCEEDED   C000004B THREAD_IS_TERMINATING
C0000054 FILE_LOCK_CONFLICT         C0000055 LOCK_NOT_GRANTED           C0000056 DELETE_PENDING
C000007A PROCEDURE_NOT_FOUND        C000007B INVALID_IMAGE_FORMAT       C000007F DISK_FULL
C0000094 INTEGER_DIVIDE_BY_ZERO     C0000098 FILE_INVALID               C000009A INSUFFICIENT_RESOURCES
C00000A2 MEDIA_WRITE_PROTECTED      C00000A3 DEVICE_NOT_READY           C00000B5 IO_TIMEOUT
C00000BA FILE_IS_A_DIRECTORY        C00000BB NOT_SUPPORTED              C00000C0 DEVICE_DOES_NOT_EXIST
C00000FD STACK_OVERFLOW             C0000101 DIRECTORY_NOT_EMPTY        C0000103 NOT_A_DIRECTORY
C0000106 NAME_TOO_LONG              C000010A PROCESS_IS_TERMINATING     C000011F TOO_MANY_OPENED_FILES
C0000120 CANCELLED                  C0000121 CANNOT_DELETE              C0000123 FILE_DELETED
C0000128 FILE_CLOSED                C0000135 DLL_NOT_FOUND              C0000138 ORDINAL_NOT_FOUND
C0000139 ENTRYPOINT_NOT_FOUND       C0000185 IO_DEVICE_ERROR            C0000194 POSSIBLE_DEADLOCK
C0000225 NOT_FOUND                  C000022D RETRY                      C0000264 RESOURCE_NOT_OWNED
"""

STATUS_NAMES: Final[Mapping[int, str]] = {
    int(code, 16): f"STATUS_{name}" for code, name in re.findall(r"(\w+) (\w+)", _STATUS_TABLE)
}
"""NTSTATUS codes as the kernel's own headers name them. What a wait returns besides is named by `wait_status_name`."""

MOST_WAIT_OBJECTS: Final = 64
_ABANDONED: Final = 0x80
_ERROR_SEVERITY: Final = 0x80000000
"""Codes from here on are warnings and errors; below are numbers that may as well be counts or addresses."""


def wait_status_name(code: int) -> str | None:
    """The name of what a wait ended with, where it says which object ended it.

    >>> wait_status_name(0), wait_status_name(0x81), wait_status_name(0x102)
    ('STATUS_WAIT_0', 'STATUS_ABANDONED_WAIT_1', None)
    """
    if 0 <= code < MOST_WAIT_OBJECTS:
        return f"STATUS_WAIT_{code}"
    if _ABANDONED <= code < _ABANDONED + MOST_WAIT_OBJECTS:
        return f"STATUS_ABANDONED_WAIT_{code - _ABANDONED}"
    return None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number is to a reader: its 32 or 64 bits, and its name if it is a status that has one."""

    code: int
    name: str | None = None


def unsigned_32(value: object) -> int | None:
    """The 32 bits that a number or a text in hexadecimal stands for, signed, unsigned or widened to 64 bits.

    >>> [hex(unsigned_32(value) or 0) for value in (-1073741809, "0xC000000F", 0xFFFFFFFFC000000F)]
    ['0xc000000f', '0xc000000f', '0xc000000f']
    >>> unsigned_32(True), unsigned_32("15"), unsigned_32(1 << 40)
    (None, None, None)
    """
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", value):
        value = int(value, 16)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        return None
    if value >> 31 in (-1, 0x1FFFFFFFF):
        return value & 0xFFFFFFFF
    return value if 0 <= value < 1 << 32 else None


def _may_be_status(event: Event, leaf: str, code: int) -> bool:
    """Whether a field is one that holds a status: by its name, or by the call whose result it is."""
    if leaf == "status":
        return event.kind != "kernel.call"
    if leaf != "return_value" or event.kind != "kernel.return":
        return False
    name = event.name or ""
    returns_status = name.startswith(("Nt", "Zw")) or "WaitFor" in name or name == "KeDelayExecutionThread"
    # Other calls return counts, pointers and booleans as well: only what looks like an error is one.
    return returns_status or (code >= _ERROR_SEVERITY and re.match(r"[A-Z][a-z]+[A-Z]", name) is not None)


_HEXADECIMAL_FIELD = re.compile(
    r"handle|ptr$|pointer|addr|flags|access|entry_point|context|caller|mask|attributes|raw_handle_id|semantic_id"
)
_ADDRESSES_FROM: Final = 0x01000000
"""Of arguments without a name, numbers from here on are handles and addresses rather than counts."""


def meaning_of(event: Event, path: str, value: object) -> Meaning | None:
    """What a person of the field reads in the field of an event at ``path``; None if it is just what it is.

    >>> returned = Event(7, "kernel.return", 6, 3, {"name": "NtCreateFile"})
    >>> meaning_of(returned, "payload.return_value", -1073741809)
    Meaning(code=3221225487, name='STATUS_NO_SUCH_FILE')
    """
    leaf = path.rpartition(".")[2]
    code = unsigned_32(value)
    if code is not None and _may_be_status(event, leaf, code):
        is_wait = event.kind == "wait.end" or "Wait" in (event.name or "")
        name = (wait_status_name(code) if is_wait else None) or STATUS_NAMES.get(code)
        if name is not None:
            return Meaning(code, name)
    if type(value) is not int or not 9 < value < 1 << 64:
        return None
    unnamed = leaf.startswith(("args[", "return_value"))
    is_hexadecimal = value >= _ADDRESSES_FROM if unnamed else _HEXADECIMAL_FIELD.search(leaf)
    return Meaning(value) if is_hexadecimal else None


# ══ report model ══════════════════════════════════════════════════════════════════════════════════════════════════


class Gate(enum.Enum):
    """A condition that a comparison can be asked to meet."""

    IDENTICAL = "validate_identical"
    IDENTITY = "check_identity"
    PARITY = "fail_under"
    RATCHET = "ratchet"
    PROFILE = "strict_profile"
    UNTIL = "until"
    AT_MOST = "at_most"
    """That no rule of the profile hides more than it may: part of every gate."""


class ThreadPlace(NamedTuple):
    """An index on a thread of canary, which is named by its stable key or by its tid."""

    thread: str
    idx: int

    def names(self, key: str, canary_tid: int) -> bool:
        """Whether a thread is the one that is meant."""
        return self.thread in (key, key.replace('"', ""), str(canary_tid))  # a shell takes the quotes away


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """What a comparison was asked to do."""

    tid_map: Mapping[int, int] = field(default_factory=dict)
    auto_map: bool = True
    context: int = 5
    max_divergences: int = 1000
    """How many divergences of a pair are reported; 0 is all of them."""
    score_to_the_end: bool = False
    """Whether the parity score must be exact, however many divergences there are."""
    check_identity: bool = False
    """Whether an identity finding that is certain makes the logs divergent."""
    match_names: bool = False
    """Whether events match that differ only in what the engines call the same objects."""
    gates: tuple[Gate, ...] = ()
    fail_under: Fraction | None = None
    """The parity that `Gate.PARITY` asks for, in percent."""
    profile: Profile = NO_PROFILE
    """What may differ. A rule about names turns ``match_names`` on."""
    references: tuple[str, ...] = ()
    """Further runs of canary, against which events are novel or lost."""
    until: ThreadPlace | None = None
    """Up to where `Gate.UNTIL` asks for a thread without a divergence."""

    def __post_init__(self) -> None:
        if self.profile.of_sort(RuleSort.NAME):
            object.__setattr__(self, "match_names", True)


@dataclass(frozen=True, slots=True)
class LogSummary:
    """One input, in numbers."""

    name: str
    bytes: int
    events: int
    threads: int
    warnings: tuple[LogWarning, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a thread was in the middle of when its log ended, while the other side went on."""

    side: Side
    last: Event
    call: Event | None
    """The innermost call that had not returned."""
    wait: Event | None
    """The wait that had not ended."""
    signaller: Event | None = None
    """The event of canary that ended that wait there, if ours never came to it."""


class Relation(enum.Enum):
    """In what way one divergence follows another, the strongest first."""

    MISSING_SIGNAL = "missing_signal"
    """It waits for what the other one failed to signal."""
    SAME_VALUE = "same_value"
    """It carries a value that first differed at the other one."""
    WOKEN_BY = "woken_by"
    CREATED_BY = "created_by"
    AFTER_LOCK = "after_lock"
    EARLIER_IN_LOG = "earlier_in_log"
    UNKNOWN = "unknown"

    @property
    def is_proof(self) -> bool:
        """Whether it shows a cause; the others show an order only."""
        return self in (Relation.MISSING_SIGNAL, Relation.SAME_VALUE)


@dataclass(frozen=True, slots=True)
class Place:
    """An event of both logs: of a divergence, where it stands."""

    canary_tid: int
    ours_tid: int
    canary_idx: int
    ours_idx: int


@dataclass(frozen=True, slots=True)
class Echo:
    """Two values of a field that first differed upstream and that are there again in a later divergence."""

    upstream: Place
    upstream_path: str
    path: str
    event: Event
    """The event of ours that has it again."""
    values: Both[object]
    """As the logs spell them there."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a divergence, or the early end of a thread, follows."""

    relation: Relation
    effect: Place | None
    """The divergence that follows; None if it is the thread's end."""
    upstream: ThreadPair | None = None
    at: Place | None = None
    """The divergence that it follows; None if that thread only ended."""
    side: Side | None = None
    """The log that shows the relation."""
    via: Event | None = None
    """The event that passed it on: a thread's creation, a signal, or the release of a lock."""
    echoes: tuple[Echo, ...] = ()


FIRST_OF_BLOCK, LAST_OF_BLOCK = 40, 10
"""Events without counterpart, of one side, that a divergence has of a longer block."""
MOST_FIELDS: Final = 1000
"""Fields in which two events differ that are kept."""


@dataclass(frozen=True, slots=True)
class ComparedEvents:
    """Two events that are the same call with other values, and the fields in which they differ."""

    events: Both[Event]
    fields: tuple[FieldDifference, ...]
    fields_omitted: int
    """There are so many beyond `MOST_FIELDS`."""

    @property
    def meanings(self) -> tuple[Both[Meaning | None], ...]:
        """What the values of each field stand for."""
        canary, ours = self.events
        return tuple(
            Both(meaning_of(canary, f.path, f.values.canary), meaning_of(ours, f.path, f.values.ours))
            for f in self.fields
        )


class Novelty(enum.Enum):
    """What further runs of canary say of a divergence."""

    NOVEL = "novel"
    """Ours has an event there that no run of canary has on any thread."""
    LOST = "lost"
    """Every run of canary has an event that ours has nowhere."""


class Explained(enum.Enum):
    """What accounts for a difference, so that nobody need look at it first."""

    NAME = "name"
    """Both sides mean the same object and call it by another value."""
    UPSTREAM_VALUE = "upstream_value"
    """It carries a value that first differed elsewhere."""


@dataclass(frozen=True, slots=True)
class DivergenceSort:
    """Divergences that have the same change, kind, call and differing fields."""

    change: Change
    kind: str
    calls: tuple[str, ...]
    """That of both sides, or those of canary and ours."""
    fields: tuple[str, ...]
    count: int
    threads: int
    first: Place
    example: Both[Event]
    differing: tuple[FieldDifference, ...]
    """Of the example."""
    explained_by: Explained | None

    @property
    def call(self) -> str | None:
        """The calls in one text."""
        return " / ".join(self.calls) or None


@dataclass(frozen=True, slots=True)
class CallSummary:
    """What differs in a call, over all threads: the calls that only one side makes, and the results that differ."""

    name: str
    alone: Both[int]
    """How many calls of each side have no counterpart."""
    results_differ: int


@dataclass(frozen=True, slots=True)
class NameUse:
    """How many names an event produces, and how often they are used where the two engines call them differently."""

    source: str
    """Kind and field that produce the name."""
    bound: int
    renamed: int
    """Those whose values differ."""
    used: int
    """Fields that differ in nothing but such a name."""


@dataclass(frozen=True, slots=True)
class NameBreak:
    """An event that names another object than its counterpart."""

    pair: ThreadPair
    events: Both[Event]
    path: str
    values: Both[object]
    expected: int | None
    """What ours calls the object that canary names, if it is there."""
    stands_for: int | None
    """What canary calls the object that ours names, if it is there."""
    matching: bool
    """Whether the two events match otherwise: both sides use the same value for different objects."""

    @property
    def place(self) -> tuple[int, int, str]:
        """The field, by canary's thread and index."""
        return self.events.canary.tid, self.events.canary.idx, self.path


@dataclass(frozen=True, slots=True)
class Names:
    """The names that were bound along the alignment."""

    uses: tuple[NameUse, ...] = ()
    breaks: tuple[NameBreak, ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence(ComparedEvents):
    """Where the two sides of a pair differ, by the first events; what surrounds them, and how it goes on."""

    mismatch: Mismatch
    change: Change
    context: tuple[Both[Event | None], ...]
    following: Both[Event | None]
    block: Both[tuple[Event, ...]]
    """The events that have no counterpart, up to where the streams are together again or end; of many, only the
    first `FIRST_OF_BLOCK` and the last `LAST_OF_BLOCK`."""
    counts: Both[int]
    """How many there are of these in all."""
    rejoin: Both[Event | None] | None
    """The first events of both sides after that; None if there are none."""
    matched_before: int
    """Matching events before this, from the start of the thread."""
    matched_after: int
    """Matching events from there to the next divergence or the end."""
    calls: Both[Event | None]
    """The call that each side's event belongs to."""
    changed: tuple[ComparedEvents, ...]
    """Where the same calls have other values: the events of both sides, one by one."""
    sort: int
    """The number of its sort in the report."""
    explained_by: Explained | None
    novelty: Novelty | None = None
    echoes: tuple[Echo, ...] = ()
    """Values that first differed in another divergence."""


class DivergenceMark(NamedTuple):
    """A divergence in short, by which a later run recognises the same one."""

    start: int
    """Canary's index of its start."""
    end: int
    """Canary's index where streams rejoin."""
    sort: int
    """The number of its sort in the report."""
    doubtful: bool
    """Whether it is explained, or more often timing than behaviour."""


@dataclass(frozen=True, slots=True)
class ParityScore:
    """The share of comparable events that match, those after rejoined divergences included."""

    matched: int
    comparable: int
    """The events of the longer side that do not float."""
    complete: bool = True
    """Whether the walk went to the end; else the score is a lower bound."""

    @property
    def value(self) -> float:
        """From 0 to 1; 1 only if everything matches."""
        return self.matched / self.comparable if self.comparable else 1.0

    def is_worse_than(self, before: ParityScore, room: float) -> bool:
        """Whether the part that does not match is more than ``room`` times what it was."""
        now, then = self.comparable - self.matched, before.comparable - before.matched
        return now * max(before.comparable, 1) > room * then * max(self.comparable, 1)


@dataclass(frozen=True, slots=True)
class ThreadReport:
    """What became of one pair of threads."""

    pair: ThreadPair
    key: str
    """What canary's thread is called apart from its tid: where it starts, and with which ordinal among such threads."""
    status: PairStatus
    events: Both[int]
    matched: int
    floated: Both[int]
    """Events that floated before the first divergence."""
    remaining: Both[int]
    """Events after the first divergence, or after the end of the other side."""
    divergences: tuple[Divergence, ...]
    """The first ones, as many as were asked for."""
    divergences_found: int
    """All that the walk met."""
    parity: ParityScore
    steps: tuple[Step, ...]
    """The walk, from its first event to its last."""
    marks: tuple[DivergenceMark, ...] = ()
    """All divergences that the walk met."""
    compared_to: int = 0
    """Canary's index up to which the walk came."""
    ending: Ending | None = None
    """Where one side ended before the other, even after a divergence."""
    cause: Cause | None = None
    """Of the first divergence that counts, or the end; None if neither, or if it is where to start."""
    lines: Both[tuple[int, int]] = Both((0, 0), (0, 0))
    """Where the first and the last event of each side stand in its log."""
    creator: int | None = None
    """The tid of canary's thread that created this one, if it is known."""

    @property
    def divergence(self) -> Divergence | None:
        """The first one."""
        return self.divergences[0] if self.divergences else None

    @property
    def caused(self) -> Divergence | None:
        """The one that the cause is of; None if it is not among those listed, or the cause is of the end."""
        at = self.cause.effect.canary_idx if self.cause and self.cause.effect else None
        return next((one for one in self.divergences if one.events.canary.idx == at), None)


@dataclass(frozen=True, slots=True)
class UnmappedThread:
    """A thread without a partner."""

    tid: int
    events: int
    first_calls: tuple[str, ...]
    key: str = ""
    """Like `ThreadReport.key`, in its log."""


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object of one log, and the event that made it known: its creation, else where the log first names it."""

    sid: str
    event: Event
    created: bool


@dataclass(frozen=True, slots=True)
class IdentityFinding:
    """A matching pair of events that are about different objects."""

    pair: ThreadPair
    events: Both[Event]
    objects: Both[KnownObject]
    """What the events name."""
    expected: KnownObject | None
    """The counterpart of canary's object, which ours should name; None if its log does not have that."""
    certain: bool
    """Whether timing cannot explain it, nor a guessed alignment: see the section identity."""
    count: int
    """How many matching events of this thread mistake the one object for the other."""


class StartReason(enum.Enum):
    """Why a report says to start where it does, the strongest reason first; and how grave it is, 0 the gravest."""

    gravity: int

    def __new__(cls, code: str, gravity: int) -> StartReason:
        reason = object.__new__(cls)
        reason._value_, reason.gravity = code, gravity
        return reason

    STUCK = "stuck", 0
    ENDED_EARLY = "ended_early", 0
    NEVER_TOGETHER_AGAIN = "never_together_again", 0
    FAILS_ON_OURS = "fails_on_ours", 1
    WRONG_OBJECT = "wrong_object", 2
    EVENTS_MISSING = "events_missing", 3
    EVENTS_EXTRA = "events_extra", 3
    EVENTS_REPLACED = "events_replaced", 3
    VALUE_USED_LATER = "value_used_later", 4
    VALUE_CHANGED = "value_changed", 5
    EVENTS_REORDERED = "events_reordered", 5
    EVENTS_REPEATED = "events_repeated", 5
    LOG_ENDED = "log_ended", 6
    THREAD_WITHOUT_PARTNER = "thread_without_partner", 6
    LONE_SHARED_GLOBAL = "lone_shared_global", 6
    NAME_OR_HOLE = "name_or_hole", 7
    """Never where to start: explained by a name, or by events that one writer lost."""


MOST_NEXT_STARTS: Final = 4


@dataclass(frozen=True, slots=True)
class StartHere:
    """Where to look first, and why."""

    reason: StartReason
    canary_tid: int | None = None
    ours_tid: int | None = None
    canary_idx: int | None = None
    """With ``ours_idx``: of the divergence; None where it is none."""
    ours_idx: int | None = None
    downstream: int = 0
    """How many other threads are shown to follow from it."""
    lone: SharedGlobal | None = None
    finding: IdentityFinding | None = None
    names: NameBreak | None = None
    """With ``finding``: the wrong object in events that match."""
    events: Both[Event] | None = None
    """Those that differ, or that are about different objects."""
    next: tuple[StartHere, ...] = ()
    """The next candidates, the best first."""


class Progression(enum.Enum):
    """How a thread stands against an earlier run."""

    NEW = "new"
    GONE = "gone"
    LATER = "later"
    EARLIER = "earlier"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class ThreadProgress:
    """One thread against an earlier run; the tids are those of this run, of the earlier one if it is not paired now."""

    canary_tid: int
    ours_tid: int
    progression: Progression
    events: int
    """How many events more (or, negative, fewer) match before the first divergence."""
    new: tuple[int, ...] = ()
    """Canary's indexes of the divergences, the first among them, that the earlier run did not have."""
    fixed: int = 0
    """How many divergences of the earlier run are gone; not counted where canary is another recording."""
    parity_fell: bool = False
    """Whether less of it matches; never where canary is another recording, which may be longer."""

    @property
    def is_worse(self) -> bool:
        """Whether it fails a ratchet."""
        return bool(self.new) or self.parity_fell or self.progression in (Progression.NEW, Progression.EARLIER)


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """This run against an earlier one."""

    name: str
    same_canary: bool
    """Whether both are of the same canary log, as far as its size shows."""
    threads: tuple[ThreadProgress, ...]
    new_unmapped: int
    """By how much the number of threads without a partner grew."""
    new_shared_globals: tuple[str, ...]
    """SIDs that are in one log only now."""
    parity_before: ParityScore | None = None
    """None where the earlier report does not have it."""
    parity: ParityScore = ParityScore(0, 0)
    """Of this run."""
    same_profile: bool = True
    """Whether both hide differences by the same rules."""

    @property
    def parity_fell(self) -> bool:
        """Whether less matches now; another recording may differ 1.5 times as much."""
        before = self.parity_before
        return before is not None and self.parity.is_worse_than(before, 1 if self.same_canary else 1.5)

    @property
    def holds(self) -> bool:
        """Whether nothing is earlier or new, and parity did not fall: what the ratchet asks."""
        worse = any(thread.is_worse for thread in self.threads)
        return not (worse or self.new_unmapped or self.new_shared_globals or self.parity_fell)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a comparison of two logs found. Renderers only format it."""

    logs: Both[LogSummary]
    options: DiffOptions
    threads: tuple[ThreadReport, ...]
    unmapped: Both[tuple[UnmappedThread, ...]]
    lone_globals: Both[tuple[SharedGlobal, ...]]
    """Shared-global objects that the other log does not have, where they were first wrapped."""
    baseline: BaselineComparison | None = None
    start_here: StartHere | None = None
    identity: tuple[IdentityFinding, ...] = ()
    sorts: tuple[DivergenceSort, ...] = ()
    """Of all divergences that were met, those to look at first in front."""
    calls: tuple[CallSummary, ...] = ()
    names: Names = Names()
    hidden: tuple[int, ...] = ()
    """How many differences each rule of the profile hid."""

    @property
    def rule_uses(self) -> Iterator[tuple[ProfileRule, int]]:
        """The rules of the profile, and how many differences each hid."""
        return zip(self.options.profile.rules, self.hidden, strict=True)

    @property
    def overused(self) -> list[ProfileRule]:
        """The rules of the profile that hid more than they may."""
        return [rule for rule, count in self.rule_uses if rule.at_most is not None and count > rule.at_most]

    @property
    def unused(self) -> list[ProfileRule]:
        """The rules of the profile's files that hid nothing."""
        return [rule for rule, count in self.rule_uses if not count and rule.lineno]

    @property
    def mistaken(self) -> bool:
        """Whether it is certain that some event is about another object."""
        return any(finding.certain for finding in self.identity)

    @property
    def verdict(self) -> Verdict:
        """What the gate says: identical only if nothing at all is different, missing or left over."""
        if (self.options.check_identity and self.mistaken) or self.overused:
            return Verdict.DIVERGENT
        left_over = any((*self.unmapped, *self.lone_globals))
        identical = all(thread.status is PairStatus.IDENTICAL for thread in self.threads)
        return Verdict.IDENTICAL if identical and not left_over else Verdict.DIVERGENT

    @property
    def parity(self) -> ParityScore:
        """The score of all threads together; those without a partner match nothing."""
        scores = [thread.parity for thread in self.threads]
        unmapped = sum(thread.events for threads in self.unmapped for thread in threads)
        comparable = sum(score.comparable for score in scores) + unmapped
        return ParityScore(sum(s.matched for s in scores), comparable, all(score.complete for score in scores))

    @property
    def stop_before_until(self) -> tuple[PairStatus | None, int] | None:
        """What stops the thread of ``until`` from matching up to its index: status (None: no partner), index.

        None if nothing does.
        """
        until = self.options.until
        if until is None:
            return None
        thread = next((one for one in self.threads if until.names(one.key, one.pair.canary_tid)), None)
        if thread is None:
            return None, 0
        matched_to = thread.marks[0].start if thread.marks else thread.compared_to
        stops = thread.status is not PairStatus.IDENTICAL and matched_to < until.idx
        return (thread.status, matched_to) if stops else None

    @property
    def gate(self) -> dict[Gate, bool]:
        """The conditions that were asked for, and whether they hold."""
        parity, percentage = self.parity, self.options.fail_under or 0
        holds = {
            Gate.IDENTICAL: self.verdict is Verdict.IDENTICAL,
            Gate.IDENTITY: not self.mistaken,
            # exactly: as doubles, 29 of 100 would be less than 29 %
            Gate.PARITY: parity.matched * 100 >= percentage * parity.comparable,
            Gate.RATCHET: self.baseline is None or self.baseline.holds,
            Gate.PROFILE: not self.unused,
            Gate.UNTIL: self.stop_before_until is None,
            Gate.AT_MOST: not self.overused,
        }
        gates = self.options.gates
        is_limited = any(rule.at_most is not None for rule in self.options.profile.rules)
        return {gate: holds[gate] for gate in (*gates, *([Gate.AT_MOST] if gates and is_limited else []))}

    @property
    def passes(self) -> bool:
        """Whether all gates hold."""
        return all(self.gate.values())


# ══ identity ══════════════════════════════════════════════════════════════════════════════════════════════════════
#
# Semantic ids are each engine's own, and skipped. But events that match should be about the same objects:
# matching creations tell which object of ours is which object of canary, and every other matching event is
# checked against that. An id may be reused, so an *object* is an id from its creation to its destruction, or
# to the next creation. Each log is split into objects by itself, whatever the timing of the other one.
#
# An object without a known counterpart (created before the log began, on a thread without a partner, or where
# the streams differ) gets the first one that a matching event shows, and that is no finding. A finding needs two
# objects that both have another counterpart. Threads with equal streams may be paired crosswise: these are skipped.
# It is certain only where timing cannot explain it: not after a difference, and not for objects that were made alike
# and that threads share, for which of them is free is timing.


_UNKNOWN: Final = -1
_ITSELF: Final = -2
"""The counterpart of a shared-global object that the other log does not name."""
_NEAR: Final = 2
"""An object may be mistaken for so many neighbours of the same id: lines of threads may be swapped."""
MOST_IDENTITY_FINDINGS: Final = 100


class _Objects:
    """The objects of one log, numbered, and what is known of their counterparts in the other one."""

    def __init__(self, log: Log, shared: Collection[int]) -> None:
        self.log, self.refs = log, log.index.objects
        self.births = array("q")
        """Of each object: the first reference to it."""
        self.at = array("q")
        """Of each reference: the object."""
        current: dict[int, int] = {}
        for ref, (sid, role) in enumerate(zip(self.refs.sids, self.refs.roles, strict=True)):
            if not sid:  # known by its raw handle alone
                self.at.append(_UNKNOWN)
                continue
            number = current.get(sid)
            if number is None or (not role and sid not in shared):
                number = current[sid] = len(self.births)
                self.births.append(ref)
            if role == ObjectRole.DESTROYED and sid not in shared:
                del current[sid]
            self.at.append(number)
        self.counterparts = array("q", [_UNKNOWN]) * len(self.births)
        self.trusted = bytearray(len(self.births))
        self.of_shared = {sid: current[sid] for sid in shared if sid in current}
        self.of_sid = grouped((self.refs.sids[ref], number) for number, ref in enumerate(self.births))
        """By id: the objects that had it, one after the other."""

    @functools.cached_property
    def _of_threads(self) -> dict[int, list[int]]:
        """By tid: the references of its events by a semantic id."""
        threads = ((self.refs.tids[thread], ref) for ref, thread in enumerate(self.refs.threads))
        return grouped((tid, ref) for tid, ref in threads if self.refs.sids[ref])

    def of_thread(self, cursor: Cursor) -> dict[int, list[int]]:
        """The references of a thread by the position of the event in its stream."""
        refs = self._of_threads.get(cursor.tid, [])
        positions = cursor.stream.positions_of([self.refs.indexes[ref] for ref in refs])
        return grouped(zip(positions, refs, strict=True))

    @functools.cached_property
    def _of_several_threads(self) -> set[int]:
        """The ids that events of more than one thread name."""
        first: dict[int, int] = {}
        named = zip(self.refs.sids, self.refs.threads, strict=True)
        return {sid for sid, thread in named if first.setdefault(sid, thread) != thread}

    def is_unmistakable(self, number: int) -> bool:
        """Whether an id can only mean this object: there is no other of that id, or only one thread ever names it."""
        sid = self.refs.sids[self.births[number]]
        return len(self.of_sid[sid]) == 1 or sid not in self._of_several_threads

    def creation(self, number: int) -> int | None:
        """The fingerprint of the event that made an object; None if the log does not have it."""
        ref = self.births[number]
        if self.refs.roles[ref] != ObjectRole.CREATED:
            return None
        stream = self.log.index.streams[self.refs.tids[self.refs.threads[ref]]]
        return stream.fingerprints[stream.position_of(self.refs.indexes[ref])]

    @functools.cached_property
    def shared_creations(self) -> set[int | None]:
        """The fingerprints of the events that made objects which several threads name."""
        several = self._of_several_threads
        return {self.creation(n) for n, ref in enumerate(self.births) if self.refs.sids[ref] in several}

    def near(self, number: int) -> list[int]:
        """An object, and those that had its id shortly before and after."""
        row = self.of_sid[self.refs.sids[self.births[number]]]
        nth = bisect.bisect_left(row, number)
        return row[max(0, nth - _NEAR) : nth + _NEAR + 1]

    def event(self, ref: int) -> Event:
        """The event with a reference."""
        tid = self.refs.tids[self.refs.threads[ref]]
        return self.log.event(tid, self.log.position(tid, self.refs.indexes[ref]))

    def known(self, number: int) -> KnownObject:
        """The object for a report."""
        ref = self.births[number]
        created = self.refs.roles[ref] == ObjectRole.CREATED
        return KnownObject(f"{self.refs.sids[ref]:016x}", self.event(ref), created)


class _Run(NamedTuple):
    """References of both logs in matching events of one pair, up to the next difference."""

    pair: ThreadPair
    trusted: bool
    canary: list[int]
    ours: list[int]


_Conflict: TypeAlias = "tuple[_Run, int, int]"
"""Two matching references to objects that are not each other's counterparts."""


class _IdentityMap:
    """Which object of ours is which object of canary's, learnt along the walks, and what contradicts it."""

    def __init__(self, canary: Log, ours: Log) -> None:
        shared = {int(made.sid, 16) for log in (canary, ours) for made in log.index.shared_globals}
        self._canary, self._ours = _Objects(canary, shared), _Objects(ours, shared)
        for objects, others in ((self._canary, self._ours), (self._ours, self._canary)):
            for sid, number in objects.of_shared.items():
                objects.counterparts[number] = others.of_shared.get(sid, _ITSELF)
                objects.trusted[number] = True

    def conflicts(self, walks: Iterable[tuple[PairWalk, ThreadPair]]) -> Iterator[_Conflict]:
        """Every matching event about different objects."""
        runs = [run for walk, pair in walks for run in self._matched(walk, pair)]
        runs.sort(key=lambda run: not run.trusted)  # what is sure comes first, and stays
        for run in runs:
            for one, other in zip(run.canary, run.ours, strict=True):
                if not self._canary.refs.roles[one]:
                    self._learn(self._canary.at[one], self._ours.at[other], run.trusted)
        return itertools.chain.from_iterable(map(self._check, runs))

    def _matched(self, walk: PairWalk, pair: ThreadPair) -> Iterator[_Run]:
        """The references in matching events, except where one side has more references than the other."""
        canary, ours = self._canary.of_thread(walk.canary), self._ours.of_thread(walk.ours)
        run = _Run(pair, pair.alternative is None, [], [])
        for step in walk.steps:
            if step.kind is StepKind.DIFFERED:
                yield run
                run = _Run(pair, False, [], [])
            shift = step.starts.ours - step.starts.canary
            for position in filter(canary.__contains__, step.positions.canary) if step.matched else ():
                refs, ours_refs = canary[position], ours.get(position + shift, [])
                if len(refs) == len(ours_refs):
                    run.canary.extend(refs)
                    run.ours.extend(ours_refs)
        yield run

    def _learn(self, one: int, other: int, trusted: bool) -> None:
        for objects, number, counterpart in ((self._canary, one, other), (self._ours, other, one)):
            if objects.counterparts[number] == _UNKNOWN:
                objects.counterparts[number] = counterpart
                objects.trusted[number] = trusted

    def _check(self, run: _Run) -> list[_Conflict]:
        """The conflicts of a run; none where its alignment is a guess and most of it conflicts."""
        roles = self._canary.refs.roles
        conflicts = []
        wait = None
        for ref, ours_ref in zip(run.canary, run.ours, strict=True):
            role, one, other = roles[ref], self._canary.at[ref], self._ours.at[ours_ref]
            wait = wait if role == ObjectRole.WOKE else role
            if self._canary.counterparts[one] != other:
                # Who creates an object is timing, and so is which of several ended a wait for all of them.
                of_several = role == ObjectRole.WOKE and wait == ObjectRole.WAITED_FOR_WITH_OTHERS
                if role != ObjectRole.CREATED and not of_several and self._contradicts(one, other):
                    conflicts.append((run, ref, ours_ref))
                else:
                    self._learn(one, other, run.trusted)
        return conflicts if run.trusted or len(conflicts) * 2 < len(run.canary) else []

    def _contradicts(self, one: int, other: int) -> bool:
        """Whether both objects have another counterpart, and so has every object near them in time."""
        if _UNKNOWN in (self._canary.counterparts[one], self._ours.counterparts[other]):
            return False
        near = set(self._ours.near(other))
        return near.isdisjoint(self._canary.counterparts[number] for number in self._canary.near(one))

    def _is_certain(self, one: int, other: int) -> bool:
        """Whether nothing but the wrong object explains that an event is about them.

        Objects that were made alike may be swapped where threads share them: which of them is free is timing.
        """
        made, ours_made = self._canary.creation(one), self._ours.creation(other)
        if made is None or ours_made is None or not (self._canary.trusted[one] and self._ours.trusted[other]):
            return False
        if made == ours_made:
            return made not in self._canary.shared_creations and made not in self._ours.shared_creations
        return self._canary.is_unmistakable(one) and self._ours.is_unmistakable(other)

    def finding(self, conflict: _Conflict, count: int) -> IdentityFinding:
        """A conflict for a report."""
        run, ref, ours_ref = conflict
        _, one, other = self.mistake(conflict)
        expected = self._canary.counterparts[one]
        return IdentityFinding(
            pair=run.pair,
            events=Both(self._canary.event(ref), self._ours.event(ours_ref)),
            objects=Both(self._canary.known(one), self._ours.known(other)),
            expected=self._ours.known(expected) if expected >= 0 else None,
            certain=run.trusted and self._is_certain(one, other),
            count=count,
        )

    def mistake(self, conflict: _Conflict) -> tuple[int, int, int]:
        """The thread and the two objects: conflicts that are alike in this are reported once."""
        run, ref, ours_ref = conflict
        return run.pair.canary_tid, self._canary.at[ref], self._ours.at[ours_ref]


def identity_findings(logs: Both[Log], walks: Iterable[tuple[PairWalk, ThreadPair]]) -> tuple[IdentityFinding, ...]:
    """The matching events that are about different objects, by line in canary's log, each mistake once a thread."""
    if not all(log.index.objects for log in logs):
        return ()
    streams = {tid: hash(stream.fingerprints.tobytes()) for tid, stream in logs.canary.index.streams.items()}
    alike = Counter(streams.values())  # threads with equal streams may be paired crosswise
    usable = [
        (walk, pair)
        for walk, pair in walks
        if pair.method is PairingMethod.PINNED or alike[streams[pair.canary_tid]] == 1
    ]
    identities = _IdentityMap(logs.canary, logs.ours)
    conflicts = list(identities.conflicts(usable))
    counts = Counter(map(identities.mistake, conflicts))
    firsts = {identities.mistake(conflict): conflict for conflict in reversed(conflicts)}
    mistakes = itertools.islice(counts.items(), MOST_IDENTITY_FINDINGS)
    findings = [identities.finding(firsts[mistake], count) for mistake, count in mistakes]
    return tuple(sorted(findings, key=lambda finding: (not finding.certain, finding.events.canary.lineno)))


# ══ calls ═════════════════════════════════════════════════════════════════════════════════════════════════════════


MOST_EVENTS_BACK: Final = 64
"""How far back the call is looked for that an event belongs to: it is nearly always a few events away."""


def _caller(events: Iterable[Event], pending: list[str]) -> Event | None:
    """The innermost call that is open after some events (newest first).

    ``pending`` names calls whose returns follow, the innermost last; then the call of the outermost is looked for.
    """
    outermost = bool(pending)
    for event in events:
        name = call_name(event.payload)
        if event.kind == "kernel.return":
            pending.append(name)
        elif event.kind == "kernel.call" and not pending:
            return event
        elif event.kind == "kernel.call" and pending[-1] == name:
            pending.pop()
            if outermost and not pending:
                return event
        # A call of another name never returned, as far as the log shows: its return is missing or is not logged.
    return None


def call_of(log: Log, event: Event) -> Event | None:
    """The call that an event belongs to: the one that it returns from, or the innermost one around it."""
    if event.kind == "kernel.call":
        return None
    pending = [call_name(event.payload)] if event.kind == "kernel.return" else []
    return _caller(log.before(event.tid, log.position(event.tid, event.idx), MOST_EVENTS_BACK), pending)


def calls_of(log: Log, events: Iterable[Event]) -> dict[EventId, Event | None]:
    """The calls that some events belong to; the file is read in its order."""
    in_order = sorted(events, key=lambda event: event.lineno)
    return {(event.tid, event.idx): call_of(log, event) for event in in_order}


def ending_of(log: Log, tid: int, side: Side) -> Ending:
    """What a thread was in the middle of when its log ended."""
    events = list(log.before(tid, len(log.index.streams[tid]), MOST_EVENTS_BACK))
    call = _caller(events, [])
    kinds = {event.kind for event in events if event != call}
    if "kernel.call" in kinds and "kernel.return" not in kinds:
        call = None  # this log has calls only: whether one returned is not known
    last = next((event for event in events if event.kind.startswith(("wait.", "kernel."))), None)
    return Ending(side, events[0], call, last if last and last.kind == "wait.begin" else None)


# ══ order ═════════════════════════════════════════════════════════════════════════════════════════════════════════


_SHARE_OF_SILENCE: Final = 0.05
_EVENTS_OF_SILENCE: Final = 8
"""A thread that is silent for this share of its log, and so many events, has stopped; else it was perhaps cut off."""
_SAMPLES_FROM_FEW_CHUNKS: Final = 64
_SAMPLES_FROM_MANY_CHUNKS: Final = 5
"""Events of a thread that are looked at for their clock: each may cost the reading of a chunk."""

When: TypeAlias = "tuple[int, int]"
"""When an event happened, as against the other events of its log."""


def _clock(line: bytes) -> int | None:
    """The `host_ns` of an event, if it has one."""
    with contextlib.suppress(ValueError, RecursionError):
        host_ns = json.loads(line).get("host_ns")
        return host_ns if type(host_ns) is int else None
    return None


class Timeline:
    """The order of a log's events across its threads: that of its lines, or of `host_ns` where these are delayed.

    A writer that buffers puts a thread's lines into the file late. Its clock still rises along each thread, but not
    along the file: then the clock is believed.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    @functools.cached_property
    def by_clock(self) -> bool:
        """Whether the clock is believed."""
        streams, few = self._log.index.streams, len(self._log.index.chunks) <= _SAMPLES_FROM_FEW_CHUNKS
        samples = _SAMPLES_FROM_FEW_CHUNKS if few else _SAMPLES_FROM_MANY_CHUNKS
        everywhere: list[tuple[int, int]] = []
        for tid, stream in streams.items():
            positions = sorted({n * (len(stream) - 1) // (samples - 1) for n in range(samples)})
            lines = [self._log.line_of(tid, position) for position in positions]
            clocks = [clock for _, line in lines if (clock := _clock(line)) is not None]
            if len(clocks) < len(lines) or clocks != sorted(clocks):
                return False
            everywhere += [(lineno, clock) for (lineno, _), clock in zip(lines, clocks, strict=True)]
        clocks = [clock for _, clock in sorted(everywhere)]
        return clocks != sorted(clocks)

    def of_line(self, lineno: int, line: bytes) -> When:
        """When the event on a line happened."""
        return (_clock(line) or 0) if self.by_clock else 0, lineno

    def at(self, tid: int, position: int) -> When:
        """When the event of a thread at a position happened."""
        return self.of_line(*self._log.line_of(tid, position))

    @functools.cached_property
    def _span(self) -> tuple[int, int]:
        """The first and the last reading of the clock, or line."""
        which = 0 if self.by_clock else 1
        streams = self._log.index.streams.items()
        readings = [self.at(tid, position)[which] for tid, s in streams for position in (0, len(s) - 1)]
        return min(readings), max(readings)

    def goes_on_after(self, when: When) -> bool:
        """Whether the log goes on long enough for a thread that says no more to have stopped."""
        first, last = self._span
        share = (last - when[0 if self.by_clock else 1]) / max(1, last - first)
        return share >= _SHARE_OF_SILENCE and share * self._log.index.events >= _EVENTS_OF_SILENCE

    def of(self, event: Event) -> When:
        """When an event happened."""
        if self.by_clock:
            return self.at(event.tid, self._log.position(event.tid, event.idx))
        return 0, event.lineno


class Counterparts:
    """Which event of one log stands against which of the other."""

    def __init__(self, walks: Iterable[PairWalk]) -> None:
        self._paired: Both[dict[int, tuple[int, list[Step]]]] = Both({}, {})
        """By tid: the partner's tid, and the steps in which events stand against as many of the partner, one by one."""
        for walk in walks:
            steps = [step for step in walk.steps if step.is_paired]
            self._paired.canary[walk.canary.tid] = walk.ours.tid, steps
            self._paired.ours[walk.ours.tid] = walk.canary.tid, steps

    def of(self, side: Side, tid: int, position: int, *, equal: bool = False) -> EventPlace | None:
        """Tid and position of an event's counterpart, or None; with ``equal``, only of one that matches it."""
        other_tid, steps = self._paired[side].get(tid, (0, []))
        nth = bisect.bisect_right(steps, position, key=lambda step: step.positions[side].start) - 1
        if nth < 0 or position not in steps[nth].positions[side]:
            return None
        if equal and steps[nth].kind is not StepKind.MATCHED:
            return None
        return other_tid, steps[nth].starts[side.other] + position - steps[nth].starts[side]


# ══ names ═════════════════════════════════════════════════════════════════════════════════════════════════════════
#
# A *name* is a value that an engine gives to an object and that the guest hands back: a handle, a thread id. The
# engines may use different ones. Events that are aligned and *produce* names bind them: what canary calls u, ours
# calls v, from there to where either value is given away again. A later pair of events that differs only in values
# that are bound to each other is the same behaviour; one that has values bound to others is about the wrong object.
#
# Threads are walked apart, so what a name means that another thread produced is settled by the order of the lines.


_SMALLEST_HANDLE: Final = 0x100
"""Smaller numbers may as well be counts: they name the wrong object only in a field that was seen to hold names."""

_SMALLEST_ADDRESS: Final = 0x1000000
"""Below it, round numbers are sizes, and a number that names nothing is no handle."""
_THREAD_FIELD: Final = re.compile(r"(?:\b|_)(?:tid|thread|thread_id)$")
"""What a field is called that holds the id of a thread, be it small."""
HANDLES_SOURCE: Final = "handle.create raw_handle_id"
THREADS_SOURCE: Final = "paired threads"
_NUMBER_IN_TEXT: Final = re.compile(rb"0[xX][0-9a-fA-F]+|-?[0-9]+")
_SPELLINGS: Final = (b"%d", b"0x%x", b"0x%X", b"0X%X", b"0x%08x", b"0x%08X", b"0x%016x", b"0x%016X")


def payload_leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every value of a payload that holds no others, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from payload_leaves(item, member_path(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from payload_leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def payload_differences(canary: Event, ours: Event) -> Iterator[FieldDifference]:
    """The compared fields in which two events of one kind differ."""
    return field_differences(compared_payload(canary), compared_payload(ours), "payload")


class NameProduction(NamedTuple):
    """An event that gives a value to an object, or takes it away."""

    source: str
    tid: int
    position: int
    value: int
    ends: bool = False


def name_productions(log: Log, profile: Profile = NO_PROFILE) -> Iterator[NameProduction]:
    """The handles and the thread ids that a log gives and takes away, and what the rules of a profile name."""
    refs = log.index.objects
    for thread, idx, raw, role in zip(refs.threads, refs.indexes, refs.raws, refs.roles, strict=True):
        if raw and role in (ObjectRole.CREATED, ObjectRole.DESTROYED):
            tid, ends = refs.tids[thread], role == ObjectRole.DESTROYED
            yield NameProduction(HANDLES_SOURCE, tid, log.position(tid, idx), raw, ends)
    for made in log.index.creations:
        position = log.position(made.creator_tid, made.idx)
        yield NameProduction("thread.create child_tid", made.creator_tid, position, made.child_tid)
    for number, rule in profile.of_sort(RuleSort.NAME):
        for tid, stream in log.index.streams.items():
            for position in stream.positions_of(log.index.marks.get((number, tid), RuleMarks()).indexes):
                for name in map(name_value, values_at(log.event(tid, position).payload, rule.field)):
                    if name is not None:
                        yield NameProduction(" ".join(rule.labels), tid, position, name)


class Productions:
    """The productions of one log, by value and in the order of the lines."""

    def __init__(self, log: Log, profile: Profile) -> None:
        self._log = log
        self._of_value: defaultdict[int, list[NameProduction]] = defaultdict(list)
        for production in name_productions(log, profile):
            self._of_value[production.value].append(production)
        self._in_order: dict[int, list[tuple[int, NameProduction]]] = {}
        self.at = {(p.source, p.tid, p.position): p for p in self if not p.ends}

    def __iter__(self) -> Iterator[NameProduction]:
        return itertools.chain.from_iterable(self._of_value.values())

    def __contains__(self, value: int) -> bool:
        return value in self._of_value

    def last(self, value: int, lineno: int) -> NameProduction | None:
        """What gave the value its meaning on a line; None if nothing did, or it was taken away since."""
        if value not in self._in_order:
            productions = self._of_value.get(value, [])
            self._in_order[value] = sorted((self._log.line_of(p.tid, p.position)[0], p) for p in productions)
        before = bisect.bisect_left(self._in_order[value], lineno, key=lambda entry: entry[0])
        production = self._in_order[value][before - 1][1] if before else None
        return production if production and not production.ends else None


class NameJudgement(NamedTuple):
    """How two values of one field that are names are related."""

    is_same: bool
    source: str
    """Where the name is produced."""
    expected: int | None = None
    """For the wrong object: what ours calls the one that canary names,"""
    stands_for: int | None = None
    """and what canary calls the one that ours names."""


class NameTable:
    """The names that are bound along an alignment."""

    def __init__(self, logs: Both[Log], pairs: Iterable[ThreadPair], profile: Profile = NO_PROFILE) -> None:
        self.logs = logs
        self.profile = profile
        self._pairs = {pair.canary_tid: pair for pair in pairs}
        tids = {pair.canary_tid: pair.ours_tid for pair in self._pairs.values()}
        self._partners = Both(tids, {ours: canary for canary, ours in tids.items()})
        self._used: set[tuple[str, EventId, str]] = set()
        self._fields_with_names: set[tuple[str, str | None, str]] = set()
        self._mistaken: dict[EventId, tuple[NameBreak, ...]] = {}
        self.follow(())

    def follow(self, walks: Sequence[PairWalk]) -> None:
        """Takes these walks for the alignment."""
        self.walks, self.counterparts = walks, Counterparts(walks)

    @functools.cached_property
    def _productions(self) -> Both[Productions]:
        return self.logs.map(lambda log: Productions(log, self.profile))

    def _counterpart(self, side: Side, production: NameProduction | None) -> NameProduction | None:
        """What produces the same object's name in the other log."""
        if production is None or production.ends:
            return None
        place = self.counterparts.of(side, production.tid, production.position)
        return self._productions[side.other].at.get((production.source, *place)) if place else None

    def _bindings(self) -> Iterator[tuple[int, NameProduction]]:
        """What canary calls each object that both logs name, and what gives it the name in ours."""
        for production in self._productions.canary:
            if other := self._counterpart(Side.CANARY, production):
                yield production.value, other

    def mislead(self) -> bool:
        """Whether the name of a renamed object is in use in the other log, too: then equal values prove nothing."""
        renamed = ((name, other.value) for name, other in self._bindings() if name != other.value)
        return any(ours in self._productions.canary or name in self._productions.ours for name, ours in renamed)

    def judge(self, events: Both[Event], difference: FieldDifference) -> NameJudgement | None:
        """What two values in a field of two aligned events are to each other; None if they are no names."""
        canary, ours = map(name_value, difference.values)
        if canary is None or ours is None:
            return None
        producers = Both(
            self._productions.canary.last(canary, events.canary.lineno),
            self._productions.ours.last(ours, events.ours.lineno),
        )
        expected = self._counterpart(Side.CANARY, producers.canary)
        field_ = (events.canary.kind, events.canary.name, difference.path)
        if expected and expected == producers.ours:
            self._fields_with_names.add(field_)
            return NameJudgement(True, expected.source)
        if judged := self._judge_threads(Both(canary, ours), field_):
            return judged
        smallest = _SMALLEST_HANDLE if ours in self._productions.ours else _SMALLEST_ADDRESS
        known = min(canary, ours) >= smallest or field_ in self._fields_with_names
        if not expected or not known:
            return None
        stands_for = self._counterpart(Side.OURS, producers.ours)
        if producers.ours and not stands_for:
            return None  # something that only ours made: nobody knows what it is on canary
        return NameJudgement(False, expected.source, expected.value, stands_for and stands_for.value)

    def _judge_threads(self, values: Both[int], field_: tuple[str, str | None, str]) -> NameJudgement | None:
        """What two values of a field are as ids of threads that have partners; None if they may be something else."""
        partner, stands_for = self._partners.canary.get(values.canary), self._partners.ours.get(values.ours)
        if partner == values.ours:
            return NameJudgement(True, THREADS_SOURCE)
        if partner is None or stands_for is None:
            return None
        is_large = min(values) >= _SMALLEST_HANDLE and values.canary != values.ours
        if not (is_large or field_ in self._fields_with_names or _THREAD_FIELD.search(field_[2])):
            return None
        return NameJudgement(False, THREADS_SOURCE, partner, stands_for)

    def _explains(self, events: Both[Event], fields: Iterable[FieldDifference]) -> bool:
        """Whether two events are the same but for names; notes their use."""
        judgements = [(f.path, self.judge(events, f)) for f in fields]
        used = [(judged.source, path) for path, judged in judgements if judged and judged.is_same]
        if len(used) < len(judgements):
            return False
        event = events.canary.tid, events.canary.idx
        self._used.update((source, event, path) for source, path in used)
        return True

    def breaks(self, pair: ThreadPair, events: Both[Event], fields: Iterable[FieldDifference]) -> Iterator[NameBreak]:
        """The fields of two events that differ and name the wrong object."""
        for f in fields:
            judged = self.judge(events, f)
            if judged and not judged.is_same:
                yield NameBreak(pair, events, f.path, f.values, judged.expected, judged.stands_for, matching=False)

    def equal(self, canary: Event, ours: Event) -> bool:
        """Whether two events are the same behaviour, whatever the engines call the objects."""
        if (canary.tid, canary.idx) in self._mistaken:
            return False
        return events_equal(canary, ours) or self.profile.equal(canary, ours, self._explains)

    def fields(self, canary: Event, ours: Event) -> tuple[FieldDifference, ...]:
        """The fields of two events of one kind that differ in more than a name."""
        mistaken = self._mistaken.get((canary.tid, canary.idx), ())
        wrong = tuple(FieldDifference(broken.path, broken.values) for broken in mistaken)
        judged = ((f, self.judge(Both(canary, ours), f)) for f in self.profile.judge(canary, ours)[1])
        return (*(f for f, judgement in judged if not judgement or not judgement.is_same), *wrong)

    def align_by_objects(self, again: Callable[[Callable[[Event, Event], bool]], list[PairWalk]]) -> None:
        """Aligns again by the objects that names stand for, whatever the values of the names.

        Which objects are the same is known from a walk in which any name matches any other. The events of ours that
        turn out to be the same but for names have the fingerprints of their counterparts from then on.
        """
        streams = self.logs.map(lambda log: log.index.streams)
        values = {production.value for productions in self._productions for production in productions}
        places = Both(*(list(self._places_with(side, values)) for side in Side))
        known = Both(*([(*at, streams[s][at[0]].fingerprints[at[1]]) for at in places[s]] for s in Side))
        for by_object in (False, True):
            for side in Side:
                for (tid, position), lineno, raw in self.logs[side].raw_events_at(places[side]):
                    with self.logs[side].at_line(lineno):
                        text = self._without_names(side, event_of(raw, lineno), by_object=by_object)
                    streams[side][tid].fingerprints[position] = hash(text)
            self.follow(again(self.profile.equal))
        for side in Side:
            for tid, position, fingerprint in known[side]:
                streams[side][tid].fingerprints[position] = fingerprint
        for canary, ours, events in self._matching(places.ours):
            if self.equal(*events):
                streams.ours[ours[0]].fingerprints[ours[1]] = streams.canary[canary[0]].fingerprints[canary[1]]
        self.follow(again(self.equal))

    def _matching(
        self, places: Iterable[EventPlace], skipped: Collection[EventId] = ()
    ) -> Iterator[tuple[EventPlace, EventPlace, Both[Event]]]:
        """Of some events of ours those that match, but for some of canary: where both stand, and both events."""
        partners = [(self.counterparts.of(Side.OURS, *place, equal=True), place) for place in places]
        streams = self.logs.canary.index.streams
        pairs = [(c, o) for c, o in partners if c and (c[0], streams[c[0]].idx_at(c[1])) not in skipped]
        self.logs.canary.hold(canary for canary, _ in pairs)
        self.logs.ours.hold(ours for _, ours in pairs)
        for canary, ours in pairs:
            yield canary, ours, Both(self.logs.canary.event(*canary), self.logs.ours.event(*ours))

    def rename(self, most: int = sys.maxsize, equal: Callable[[Event, Event], bool] | None = None) -> int:
        """Gives the events of ours that are the same but for names the fingerprints of their counterparts.

        Looks at so many events of each block at most, and returns how many there were: then the next walk finds more
        that match. They are the same by `equal`, or by the rule that is given.
        """
        steps = ((walk, step) for walk in self.walks for step in walk.steps if step.differs and all(step.positions))
        blocks = [(walk, step.positions.map(lambda block: block[:most])) for walk, step in steps]
        for side in Side:
            self.logs[side].hold((walk.sides[side].tid, at) for walk, block in blocks for at in block[side])
        return sum(self._rename_block(walk, block, equal or self.equal) for walk, block in blocks)

    def _rename_block(self, walk: PairWalk, block: Both[range], equal: Callable[[Event, Event], bool]) -> int:
        waiting: defaultdict[str, deque[int]] = defaultdict(deque)
        renamed = 0
        for position in block.canary:
            waiting[self._without_names(Side.CANARY, walk.canary.event(position))].append(position)
        fingerprints = Both(walk.canary.stream.fingerprints, walk.ours.stream.fingerprints)
        for position in block.ours:
            event = walk.ours.event(position)
            if candidates := waiting.get(self._without_names(Side.OURS, event)):
                canary = candidates.popleft()
                wanted = fingerprints.canary[canary]
                if wanted != fingerprints.ours[position] and equal(walk.canary.event(canary), event):
                    fingerprints.ours[position] = wanted
                    renamed += 1
        return renamed

    def _without_names(self, side: Side, event: Event, *, by_object: bool = False) -> str:
        """An event as text, without what may be names, or with the object that each names instead."""

        def replaced(value: object) -> object:
            if isinstance(value, dict):
                return {key: replaced(item) for key, item in value.items()}
            if isinstance(value, list):
                return list(map(replaced, value))
            if isinstance(value, float) and value.is_integer():
                value = int(value)  # equal numbers have one text
            number = name_value(value)
            if number is None:
                return value
            if not by_object:
                is_name = any(number in self._productions[s] or number in self._partners[s] for s in Side)
                return None if is_name else value
            producer = self._productions[side].last(number, event.lineno)
            if not producer or number < _SMALLEST_HANDLE:
                return value
            counterpart = producer if side is Side.CANARY else self._counterpart(side, producer)
            return ["object", *(counterpart or (side.value, *producer))]

        masked: object = compared_payload(event)
        if rules := self.profile.rules_about(event.kind, event.name):
            masked = json.loads(json.dumps(masked))
            self.profile.mask(masked, rules)
        return json.dumps([event.kind, replaced(masked)], sort_keys=True)

    # -- events that match and are about different objects -------------------------------------------------------

    def find_mistaken(self) -> bool:
        """Looks for events that match and have the same value for different objects; returns whether there are any.

        Their fingerprints are parted, so that the next walk stops there.
        """
        renamed = {value for name, other in self._bindings() for value in (name, other.value) if name != other.value}
        judged = {event for _, event, _ in self._used}
        for _, (tid, position), events in self._matching(self._places_with(Side.OURS, renamed), judged):
            if broken := tuple(self._breaks_of_equals(events)):
                self._mistaken[events.canary.tid, events.canary.idx] = broken
                self.logs.ours.index.streams[tid].fingerprints[position] ^= 1
        return bool(self._mistaken)

    def _places_with(self, side: Side, values: Collection[int]) -> Iterator[EventPlace]:
        """The events of a log that have one of some values somewhere."""
        log, wanted = self.logs[side], [value for value in values if value >= _SMALLEST_HANDLE]
        spellings = {spelling % value for value in wanted for spelling in _SPELLINGS}
        spellings.update(b"%d" % (value - (1 << 32)) for value in wanted)
        for number in range(len(log.index.chunks) if wanted else 0):
            columns = log.columns(number)
            spelled = spellings.intersection(_NUMBER_IN_TEXT.findall(b"\n".join(columns.payloads)))
            has_any = re.compile(b"|".join(map(re.escape, spelled))).search
            for tid, idx in itertools.compress(
                zip(columns.tids, columns.indexes, strict=True), map(has_any, columns.payloads if spelled else ())
            ):
                yield int(tid), log.position(int(tid), int(idx))

    def _breaks_of_equals(self, events: Both[Event]) -> Iterator[NameBreak]:
        """The fields in which two equal events have the same value for different objects."""
        leaves = events.map(lambda event: dict(payload_leaves(compared_payload(event), "payload")))
        alike = (
            FieldDifference(path, Both(value, leaves.ours[path]))
            for path, value in leaves.canary.items()
            if path in leaves.ours and json_equal(value, leaves.ours[path])
        )
        pair = self._pairs[events.canary.tid]
        return (replace(broken, matching=True) for broken in self.breaks(pair, events, alike))

    def report(self, breaks: Iterable[NameBreak]) -> Names:
        """What was bound and used, and where that broke."""
        bindings = list(self._bindings())
        bound = Counter(other.source for _, other in bindings)
        renamed = Counter(other.source for value, other in bindings if value != other.value)
        bound[THREADS_SOURCE] = len(self._pairs)
        renamed[THREADS_SOURCE] = sum(canary != ours for canary, ours in self._partners.canary.items())
        used = Counter(source for source, *_ in self._used)
        uses = tuple(NameUse(source, count, renamed[source], used[source]) for source, count in sorted(bound.items()))
        once: dict[object, NameBreak] = {}
        for broken in (*itertools.chain.from_iterable(self._mistaken.values()), *breaks):
            once[broken.place] = broken
        return Names(uses, tuple(once.values()))


# ══ divergences and their sorts ═══════════════════════════════════════════════════════════════════════════════════


Essence: TypeAlias = tuple[Change, str, tuple[str, ...], tuple[str, ...]]
"""What divergences of one sort have in common: change, kind, calls and differing fields."""


@dataclass(slots=True)
class Found:
    """A divergence as the analysis sees it: what differs, what explains it, and what became of its values."""

    pair: ThreadPair
    difference: Step
    mismatch: Mismatch
    shown: ComparedEvents
    """Its first events, and what differs in them."""
    change: Change
    """Its change, without first events that differ in names only."""
    compared: ComparedEvents
    """The first events there."""
    positions: Both[int]
    """their positions,"""
    when: Both[When]
    """When they happened."""
    breaks: tuple[NameBreak, ...] = ()
    explained_by: Explained | None = None
    echoes: tuple[Echo, ...] = ()
    """Values that first differed in another divergence,"""
    source: Found | None = None
    """The first such divergence."""
    used_later: bool = False
    """Whether a value that differs here is there again in a later divergence."""
    news: bool = False
    """Whether it has a value that the other log nowhere has in that field of that call."""
    moved: bool = False
    """Whether the other log has its events as often: they only stand elsewhere, or differ in what engines choose."""
    calls: Both[Event | None] = Both(None, None)
    """Those that its first events belong to; looked up where they are shown."""
    reason: StartReason = StartReason.NAME_OR_HOLE
    """Its gravity."""
    doubtful: bool = False
    """Whether it is more often timing, or private to an engine, than different behaviour."""
    novelty: Novelty | None = None
    sort: int = 0

    @property
    def events(self) -> Both[Event]:
        """Each side's first event that differs in more than names."""
        return self.compared.events

    @property
    def fields(self) -> tuple[FieldDifference, ...]:
        """The fields that differ."""
        return self.compared.fields

    @property
    def side(self) -> Side | None:
        """The only side that has the events; None if both have some."""
        if self.change is Change.MISSING_ON_OURS:
            return Side.CANARY
        return Side.OURS if self.change is Change.EXTRA_ON_OURS else None

    @property
    def place(self) -> Place:
        """Where it stands."""
        canary, ours = self.shown.events
        return Place(canary.tid, ours.tid, canary.idx, ours.idx)

    @property
    def counts(self) -> bool:
        """Whether it can be where to start: not explained by a name, and no hole in an index."""
        return self.explained_by is not Explained.NAME and self.mismatch is not Mismatch.MISSING

    @property
    def compares_one_call(self) -> bool:
        """Whether the same call differs in its values; else unrelated events stand against each other."""
        canary, ours = self.events
        alike = canary.kind == ours.kind and canary.name == ours.name
        return alike and self.mismatch is not Mismatch.MISSING and self.side is None

    @property
    def is_spelling(self) -> bool:
        """Whether nothing differs but how values are spelled."""
        one_event = max(self.difference.counts) == 1 and self.compares_one_call
        return one_event and bool(self.fields) and all(f.is_spelling for f in self.fields)

    @property
    def is_minor(self) -> bool:
        """Whether it comes after all that is as grave."""
        return self.doubtful or self.is_spelling

    @property
    def essence(self) -> Essence:
        """What divergences of one sort have in common; of a block that only one side has, this side's."""
        change, (canary, ours) = self.change, self.events
        if self.side:
            event = self.events[self.side]
            return change, event.kind, (event.name,) if event.name else (), ()
        calls = tuple(dict.fromkeys(event.name or "–" for event in self.events if canary.name or ours.name))
        kind = canary.kind if canary.kind == ours.kind else f"{canary.kind} / {ours.kind}"
        return change, kind, calls, tuple(f.path for f in self.fields) if canary.name == ours.name else ()


def idx_behind(stream: Stream, position: int) -> int:
    """The index of the event at a position; after the last one, the next index."""
    return stream.idx_at(position) if position < len(stream) else stream.idx_at(len(stream) - 1) + 1


def _is_failure(event: Event, path: str, value: object) -> bool:
    """Whether a field of a returning call says that it failed."""
    leaf, code = path.rpartition(".")[2], unsigned_32(name_value(value) if isinstance(value, str) else value)
    if event.kind == "kernel.return" and leaf == "return_value" and value in (-1, "-1"):
        return True
    return code is not None and code >= _ERROR_SEVERITY and _may_be_status(event, leaf, code)


def _fails_on_ours(divergence: Found) -> bool:
    """Whether ours fails where canary succeeds."""
    return any(
        _is_failure(divergence.events.ours, f.path, f.values.ours)
        and name_value(f.values.canary) is not None
        and not _is_failure(divergence.events.canary, f.path, f.values.canary)
        for f in divergence.fields
    )


_REASON_OF_CHANGE: Final = {
    Change.MISSING_ON_OURS: StartReason.EVENTS_MISSING,
    Change.EXTRA_ON_OURS: StartReason.EVENTS_EXTRA,
    Change.REPLACED: StartReason.EVENTS_REPLACED,
    Change.REORDERED: StartReason.EVENTS_REORDERED,
    Change.REPEATED: StartReason.EVENTS_REPEATED,
}
_ENOUGH_EVENTS: Final = 16
"""With fewer events until the end of a log, it means nothing that two streams do not come together again."""


def _reason_of(divergence: Found) -> StartReason:
    """How grave a divergence is."""
    if not divergence.counts:
        return StartReason.NAME_OR_HOLE
    change, counts = divergence.change, (divergence.difference.counts.canary, divergence.difference.counts.ours)
    never_again = change is Change.UNRECOVERED and min(counts) >= _ENOUGH_EVENTS
    value = StartReason.VALUE_USED_LATER if divergence.used_later else StartReason.VALUE_CHANGED
    by_weight = (
        (never_again, StartReason.NEVER_TOGETHER_AGAIN),
        (_fails_on_ours(divergence), StartReason.FAILS_ON_OURS),
        (bool(divergence.breaks), StartReason.WRONG_OBJECT),
        (change in _REASON_OF_CHANGE, _REASON_OF_CHANGE.get(change, value)),
        (not divergence.compares_one_call, StartReason.EVENTS_REPLACED),
    )
    return next((reason for applies, reason in by_weight if applies), value)


_CONTENTION_CALLS: Final = frozenset({
    "KeDelayExecutionThread", "KfAcquireSpinLock", "KfReleaseSpinLock", "NtYieldExecution", "RtlEnterCriticalSection",
    "RtlLeaveCriticalSection", "RtlTryEnterCriticalSection", "futex", "sched_yield",
})  # fmt: skip
"""Calls that a thread makes more or less often as other threads are in its way: timing. They are the most frequent."""
_CONTENTION_KINDS: Final = frozenset({"wait.begin", "wait.end"})
_SMALLEST_LOCAL: Final = 0x10000
"""Two numbers from here on that differ are more often addresses or times than behaviour."""
_LOCAL_PART: Final = re.compile(r"0[xX][0-9a-fA-F]{4,}|[0-9]{4,}|\\x[0-9a-fA-F]{2}")
"""What is an address, a time, an id or a random byte within a text."""
_BINARY: Final = re.compile(r"(?:.*?\\(?:[1-7][0-7]{0,2}|x[0-9a-fA-F]{2})){4}", re.DOTALL)
"""A text with so many escaped bytes is data that nobody reads."""
_RANDOM: Final = re.compile(r"(?=.*(?:[a-z0-9][A-Z]|[a-zA-Z][0-9]|[0-9][a-zA-Z]))[0-9a-zA-Z]{5,}")
"""What programs draw at random for the name of a temporary file."""


def _are_local_texts(one: str, other: str) -> bool:
    """Whether two texts differ in addresses, times, data or random names, or in several of these among others."""
    parts, others = _LOCAL_PART.findall(one), _LOCAL_PART.findall(other)
    if _BINARY.match(one) or _BINARY.match(other) or sum(map(str.__ne__, parts, others)) > 1:
        return True
    one, other = _LOCAL_PART.sub("", one), _LOCAL_PART.sub("", other)
    start = len(posixpath.commonprefix([one, other]))
    end = len(posixpath.commonprefix([one[start:][::-1], other[start:][::-1]]))
    ones, others_ = one[start : len(one) - end], other[start : len(other) - end]
    return one == other or (len(one) == len(other) and all(map(_RANDOM.fullmatch, (ones, others_))))


def _is_engine_local(difference: FieldDifference, pair: ThreadPair) -> bool:
    """Whether a field says little of behaviour: only one side has it, or what differs is an address or so."""
    values = difference.values
    one, other = map(name_value, values)
    if any(value is MISSING or value == "" for value in values):
        return True  # its record may be cut short
    if one is not None and other is not None:
        is_large = all(number >= _SMALLEST_LOCAL and number not in STATUS_NAMES for number in (one, other))
        tids = pair.canary_tid, pair.ours_tid
        # Ids that are counted like those of threads, such as those of processes, are about as large.
        are_near = all(tid <= 2 * number <= 4 * tid for number, tid in zip((one, other), tids, strict=True))
        return is_large or (are_near and other - one == (tids[1] - tids[0] or None))
    return all(isinstance(value, str) for value in values) and _are_local_texts(*map(str, values))


def _is_contention(event: Event) -> bool:
    return event.kind in _CONTENTION_KINDS or event.name in _CONTENTION_CALLS


def _is_doubtful(divergence: Found) -> bool:
    """Whether a divergence is more often timing, or the engine's own business, than behaviour that differs."""
    if divergence.breaks or _fails_on_ours(divergence):
        return False
    events = [divergence.events[divergence.side]] if divergence.side else divergence.events
    waits = all(event.kind in _CONTENTION_KINDS for event in events)
    if waits or any(event.name in _CONTENTION_CALLS for event in events):
        return True
    return divergence.moved and not divergence.used_later


# What the other log has elsewhere

_MOST_OF_BLOCK: Final = 256
"""So many events of each side of a divergence are looked at."""
_SMALL_NUMBER: Final = re.compile(r"\b[0-9]{1,2}\b")

_Value: TypeAlias = "tuple[str, str | None, str, str]"
"""Kind, call and path of a field, and what its value says."""
_Printed: TypeAlias = "tuple[int, Event]"
"""An event and its fingerprint."""


def _value_of(event: Event, path: str, value: object) -> _Value:
    text = str(value)
    return event.kind, event.name, path, "" if _BINARY.match(text) else _LOCAL_PART.sub("", text)


def _values_of(event: Event) -> list[_Value]:
    """What an event says, but for what engines choose for themselves."""
    if _is_contention(event):
        return []
    leaves = payload_leaves({**compared_payload(event), "name": ""}, "payload")
    return [_value_of(event, path, value) for path, value in leaves]


def _block(one: Found) -> Both[range]:
    """Where the first events of a divergence stand, of the sides that have any."""
    starts, ends = one.positions, one.difference.ends
    positions = (range(starts[s], max(starts[s] + 1, min(ends[s], starts[s] + _MOST_OF_BLOCK))) for s in Side)
    return Both(*(at if one.side in (side, None) else range(0) for side, at in zip(Side, positions, strict=True)))


def _shapes(event: Event) -> tuple[str, str]:
    """An event as text: whole, and without addresses and small numbers, which may be counts or descriptors."""
    text = event.kind + json.dumps(compared_payload(event), sort_keys=True)
    return text, "~" + _SMALL_NUMBER.sub("", _LOCAL_PART.sub("", text))


def _printed(cursor: Cursor, positions: range) -> list[_Printed]:
    return [(cursor.stream.fingerprints[at], cursor.event(at)) for at in positions]


class _Elsewhere:
    """Which events of some blocks the other log has as well, and which values its blocks have."""

    def __init__(self, logs: Both[Log], blocks: Iterable[Both[list[_Printed]]]) -> None:
        events = Both(*([event for block in blocks for event in block[side]] for side in Side))
        wanted = {fingerprint for side in events for fingerprint, _ in side}
        streams = logs.map(lambda log: [stream.fingerprints for stream in log.index.streams.values()])
        self._there = streams.map(lambda of_log: wanted.intersection(itertools.chain.from_iterable(of_log)))
        self._surplus = Counter(text for _, event in events.canary for text in _shapes(event))
        self._surplus.subtract(text for _, event in events.ours for text in _shapes(event))
        self._known = events.map(lambda of_log: {value for _, event in of_log for value in _values_of(event)})

    def is_new(self, side: Side, event: _Printed, values: Iterable[_Value]) -> bool:
        """Whether the other log has one of these values of an event nowhere."""
        known, is_there = self._known[side.other], event[0] in self._there[side.other]
        return not is_there and any(value[-1] and value not in known for value in values)

    def is_moved(self, block: Both[list[_Printed]], precision: int) -> bool:
        """Whether both logs have as many unmatched events like each of these: exactly (0), or but for numbers (1)."""
        events = (event for side in block for _, event in side if not _is_contention(event))
        return not any(self._surplus[_shapes(event)[precision]] for event in events)


def note_news(logs: Both[Log], walks: Iterable[PairWalk], divergences: Iterable[Iterable[Found]]) -> None:
    """Notes which divergences, given for each walk, have values that the other log has nowhere, and which moved."""
    pairs = zip(walks, divergences, strict=True)
    blocks = [(one, walk, _block(one)) for walk, of_walk in pairs for one in of_walk]
    if not blocks:
        return
    for side in Side:
        logs[side].hold((walk.sides[side].tid, at) for _, walk, block in blocks for at in block[side])
    events_of = [Both(*map(_printed, walk.sides, block)) for _, walk, block in blocks]
    elsewhere = _Elsewhere(logs, events_of)
    for (one, _, _), block in zip(blocks, events_of, strict=True):
        is_changed = one.difference.is_paired and one.change is Change.CHANGED
        said = [(side, event, _values_of(event[1])) for side in Side for event in block[side]]
        if is_changed:
            said = [
                (side, events[side], [_value_of(events[side][1], difference.path, value)])
                for events in itertools.starmap(Both, zip(*block, strict=False))
                for difference in payload_differences(events.canary[1], events.ours[1])
                if not _is_contention(events.canary[1]) and not _is_engine_local(difference, one.pair)
                for side, value in zip(Side, difference.values, strict=True)
            ]
        one.news = any(elsewhere.is_new(*event) for event in said)
        one.moved = not said or (not one.news and elsewhere.is_moved(block, 0 if is_changed else 1))


def divergence_mark(divergence: Found, canary: Stream) -> DivergenceMark:
    """A divergence in short. Its sort must be known."""
    difference = divergence.difference
    start, end = (idx_behind(canary, position) for position in (difference.starts.canary, difference.ends.canary))
    return DivergenceMark(start, end, divergence.sort, divergence.explained_by is not None or divergence.doubtful)


def _sort_rank(members: Sequence[Found]) -> tuple[bool, bool, int, bool, int, When]:
    """The rank of a sort in the table: unexplained, undoubted, grave, new and rare ones first."""
    explained = all(divergence.explained_by for divergence in members)
    doubtful = all(divergence.is_minor for divergence in members)
    worst = min(divergence.reason.gravity for divergence in members)
    threads = len({divergence.pair.canary_tid for divergence in members})
    no_news = not any(divergence.novelty or divergence.news for divergence in members)
    return explained, doubtful, worst, no_news, threads, min(divergence.when.ours for divergence in members)


def _sort(members: Sequence[Found]) -> DivergenceSort:
    first = min(members, key=lambda divergence: divergence.when.ours)
    reasons = {divergence.explained_by for divergence in members}
    return DivergenceSort(
        *first.essence,
        count=len(members),
        threads=len({divergence.pair.canary_tid for divergence in members}),
        first=first.place,
        example=first.events,
        differing=() if first.side else first.fields,
        explained_by=reasons.pop() if len(reasons) == 1 else None,
    )


def sort_divergences(divergences: Sequence[Found]) -> tuple[DivergenceSort, ...]:
    """The sorts, those to look at first in front. Sets the reason, the doubt and the sort of each divergence."""
    for one in divergences:
        one.reason, one.doubtful = _reason_of(one), _is_doubtful(one)
    ranked = sorted(grouped((one.essence, one) for one in divergences).values(), key=_sort_rank)
    for number, members in enumerate(ranked):
        for one in members:
            one.sort = number
    return tuple(map(_sort, ranked))


# ══ causes ════════════════════════════════════════════════════════════════════════════════════════════════════════
#
# Which divergence follows which? Two relations are proof: a value that first differed at one and is there again at
# the other, and a wait for a signal that ours never came to. The rest is order. In each log a divergence can spread
# along its thread; to a thread that is created after it, woken after it, or that takes a lock that was left after
# it. What ours did later cannot have caused what it did before, whatever canary's order says. A relation is never
# said to be more than it is.
#
# Signals and locks are looked for in the text before the place where each thread first differs, so the work is
# bounded by the number of threads.


SCANNED_CHUNKS: Final = 32
"""Of the text before each such place; in a log that is in the order of its clock, also after it."""

SIGNALLING_CALLS: Final = frozenset({
    "KeInsertQueueApc", "KePulseEvent", "KeReleaseMutant", "KeReleaseSemaphore", "KeResumeThread", "KeSetEvent",
    "KeSetEventBoostPriority", "KeSetTimer", "KeSetTimerEx", "NtPulseEvent", "NtQueueApcThread", "NtReleaseMutant",
    "NtReleaseSemaphore", "NtResumeThread", "NtSetEvent", "NtSetTimerEx", "NtSignalAndWaitForSingleObjectEx",
    "NtSetIoCompletion", "KeInsertQueue", "KeAlertThread", "NtAlertThread", "KeAlertResumeThread",
    "RtlLeaveCriticalSection",
})  # fmt: skip
"""Calls that end a wait on the object that they are given."""

_LEAVE_LOCK: Final = "RtlLeaveCriticalSection"
_TAKE_LOCK: Final = frozenset({"RtlEnterCriticalSection", "RtlTryEnterCriticalSection"})
_WAITING_CALLS: Final = re.compile(r"(?:Ke|Nt)WaitFor")
_ORDERING: Final = {
    **dict.fromkeys((b"wait.begin", b"wait.end"), re.compile(b"")),
    b"kernel.call": re.compile(
        f'"(?:{"|".join(sorted(SIGNALLING_CALLS | _TAKE_LOCK))})"|WAKE|"(?:Ke|Nt)WaitFor'.encode()
    ),
    b"kernel.return": re.compile(b'"(?:Ke|Nt)WaitFor'),
}
"""What the payloads of events have in them that may tell who let whom go on, by kind."""
_SMALLEST_OBJECT: Final = 0x100
"""Smaller numbers are counts and indexes, not handles, pointers or ids."""
_NO_SIGNAL_ENDED_IT: Final = frozenset({0x101, 0x102, 0xC0})
"""Statuses of a wait that was not ended by its object: alerted, timed out, interrupted."""
_MOST_EVENTS_TO_WAKE: Final = 4
"""So many events after a wait began, its end is looked for."""

_WEAKNESS: Final = {relation: weakness for weakness, relation in enumerate(Relation)}


class Handover(NamedTuple):
    """What one thread did, without which another would not have gone on when it did."""

    relation: Relation
    source: EventId
    target: EventId


def _id_or_handle(value: object) -> int | None:
    """What an argument names, as a number: 16 hexadecimal digits are a semantic id."""
    is_id = isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{16}", value)
    return semantic_number(value) if is_id else name_value(value)


def _numbers(value: object, read: Callable[[object], int | None]) -> list[int]:
    """The handles, pointers or ids in a value, at any depth, as numbers."""
    numbers: list[int | None] = []
    items = [value]
    for item in items:  # which grow
        if isinstance(item, list | dict):
            items += item.values() if isinstance(item, dict) else item
        else:
            numbers.append(read(item))
    return [number for number in numbers if number is not None]


class _HandoverFinder:
    """Finds who created, woke and let in whom, in one log. ``ends``: by tid, the position up to which it matters."""

    def __init__(self, log: Log, timeline: Timeline, ends: Mapping[int, int]) -> None:
        self._log, self._timeline, self._ends = log, timeline, ends
        self._divergences: list[Handover] = []
        self._signals: dict[int, tuple[int, EventId]] = {}
        """The last signal of each object, and which of all signals it is."""
        self._number = itertools.count()
        self._locks: dict[int, EventId] = {}
        self._waits: dict[int, list[int]] = {}
        refs = log.index.objects
        created = zip(refs.sids, refs.raws, refs.roles, strict=True)
        self._addresses = {sid: raw for sid, raw, role in created if sid and raw and role == ObjectRole.CREATED}

    def find(self) -> list[Handover]:
        """All handovers, in the order they happened."""
        events = [event for number in self._chunks() for event in self._ordering_events(number)]
        for made in self._log.index.creations:
            when = self._timeline.at(made.creator_tid, self._log.position(made.creator_tid, made.idx))
            events.append((when, b"", (made.creator_tid, made.idx), b"%d" % made.child_tid))
        for _, kind, event, text in sorted(events, key=itemgetter(0)):
            if kind:
                with contextlib.suppress(NotJsonError):  # a payload that nobody had to read so far
                    self._take(kind, event, parse_payload(text))
            else:
                self._divergences.append(Handover(Relation.CREATED_BY, event, (int(text), 0)))
        return self._divergences

    def _chunks(self) -> list[int]:
        """The numbers of the chunks that are worth a look."""
        numbers: set[int] = set()
        after = SCANNED_CHUNKS if self._timeline.by_clock else 0
        for tid, position in self._ends.items():
            last = self._log.index.streams[tid].chunk_of(position)
            numbers.update(range(max(0, last + 1 - SCANNED_CHUNKS), last + 1 + after))
        return sorted(number for number in numbers if number < len(self._log.index.chunks))

    def _ordering_events(self, number: int) -> Iterator[tuple[When, bytes, EventId, bytes]]:
        """Time, kind and payload of the events in a chunk that may order threads: many, so none is parsed here."""
        for lineno, line, (kind, tid, idx, text) in self._log.raw_events(number):
            if kind in _ORDERING and _ORDERING[kind].search(text):
                yield self._timeline.of_line(lineno, line), kind, (int(tid), int(idx)), text

    def _take(self, kind: bytes, event: EventId, payload: dict[str, object]) -> None:
        tid = event[0]
        if kind == b"wait.begin":
            self._waits[tid] = _numbers(payload.get("handles_semantic_ids"), semantic_number)
        elif kind == b"wait.end":
            woken_by = _numbers(payload.get("woken_by_semantic_id"), semantic_number)
            self._wake(event, payload.get("status"), woken_by)
        elif kind == b"kernel.call":
            self._call(event, payload)
        elif _WAITING_CALLS.match(call_name(payload)) and tid in self._waits:  # this log has no waits of its own
            self._wake(event, payload.get("return_value", payload.get("status")), [])

    def _call(self, event: EventId, payload: dict[str, object]) -> None:
        name, numbers = call_name(payload), _numbers(payload, _id_or_handle)
        numbers = [number for number in numbers if number >= _SMALLEST_OBJECT]
        args = payload.get("args")
        wakes = isinstance(args, list) and any(isinstance(arg, str) and "WAKE" in arg for arg in args)
        if _WAITING_CALLS.match(name):
            self._waits[event[0]] = numbers
        if name in SIGNALLING_CALLS or wakes:
            self._signals.update(dict.fromkeys(numbers, (next(self._number), event)))
        if name == _LEAVE_LOCK:
            self._locks.update(dict.fromkeys(numbers, event))
        elif name in _TAKE_LOCK:
            for leaving in filter(None, map(self._locks.get, numbers)):
                self._hand_over(Relation.AFTER_LOCK, leaving, event)

    def _wake(self, event: EventId, status: object, woken_by: list[int]) -> None:
        waited = self._waits.pop(event[0], [])
        objects = woken_by or (waited if len(waited) == 1 else [])
        numbers = (*objects, *map(self._addresses.get, objects))
        signals = [self._signals[number] for number in numbers if number in self._signals]
        if signals and unsigned_32(status) not in _NO_SIGNAL_ENDED_IT:
            self._hand_over(Relation.WOKEN_BY, max(signals)[1], event)

    def _hand_over(self, relation: Relation, source: EventId, target: EventId) -> None:
        if source[0] != target[0]:
            self._divergences.append(Handover(relation, source, target))


# -- values that come back -------------------------------------------------------------------------------------


_DISTINCTIVE_FROM: Final = 0x10000
"""Two events hardly share such a number by chance: it is a handle or a pointer."""
_SMALL_NEGATIVE: Final = 0xFFFFFF00
"""From here on, 32 bits are -1 and its neighbours."""
_MOST_ECHOES: Final = 3
_FEW_VALUES: Final = 8
"""Up to so many are searched for one by one; more, in the set of a text's numbers."""
_DIGITS: Final = re.compile(rb"[0-9A-Fa-f]{3,}")  # the shortest distinctive number is -257


def _is_distinctive(event: Event, path: str, number: int | None) -> bool:
    """Whether a value shows where it comes from: no size, mask, flag or status that events share by chance."""
    if number is None or number < _DISTINCTIVE_FROM or _SMALL_NEGATIVE <= number < 1 << 32 or number in STATUS_NAMES:
        return False
    if number >= _ERROR_SEVERITY and _may_be_status(event, path.rpartition(".")[2], number):
        return False
    has_one_bit = not number & number - 1 or not number & number + 1
    is_round = number < _SMALLEST_ADDRESS and (number % 0x1000 == 0 or number % 1000 == 0)
    return not has_one_bit and not is_round


def _spelled_before(log: Log, limits: Mapping[int, int]) -> set[int]:
    """Those of some numbers that a log has before the line that is given with each, in whatever spelling."""
    known: set[int] = set()
    cores = {n: {b"%d" % n, b"%x" % n, b"%X" % n} for n in limits}
    for n in limits:
        if n >> 31 == 1:  # it may stand there as a negative number of 32 bits
            cores[n].add(b"%d" % ((1 << 32) - n))
    for number, chunk in enumerate(log.index.chunks):
        waiting = [n for n, limit in limits.items() if n not in known and chunk.first_lineno < limit]
        if not waiting:
            break
        text = log.text(number)
        numbers: bytes | set[bytes] = text
        if len(waiting) > _FEW_VALUES:
            numbers = {digits.lstrip(b"0") for digits in set(_DIGITS.findall(text))}
        for value, core in [(n, core) for n in waiting for core in cores[n] if core in numbers]:
            at = re.search(rb"(?<![0-9A-Za-z])(?:0[xX])?0*%b(?![0-9A-Za-z])" % core, text)
            if at and chunk.first_lineno + text.count(b"\n", 0, at.start()) < limits[value]:
                known.add(value)
    return known


def note_echoes(divergences: Iterable[Found], logs: Both[Log]) -> None:
    """Notes in each divergence which of its values first differed in another one; they are in the order of ours.

    A value proves that only if it was nowhere before: else both may have it from somewhere else.
    """
    first: dict[tuple[int | None, int | None], tuple[Found, str]] = {}
    again: list[tuple[Found, FieldDifference, tuple[int | None, int | None]]] = []
    for one in divergences:
        for field_ in one.fields if one.counts and one.compares_one_call else ():
            pair = name_value(field_.values.canary), name_value(field_.values.ours)
            sides = zip(one.events, pair, strict=True)
            is_proof = all(_is_distinctive(event, field_.path, number) for event, number in sides)
            if is_proof and not field_.is_spelling and first.setdefault(pair, (one, field_.path))[0] is not one:
                again.append((one, field_, pair))
    known: set[int] = set()
    for side in Side:
        limits: dict[int, int] = {}
        for _, _, pair in again:
            number, lineno = pair[1] or 0, first[pair][0].events[side].lineno
            limits[number] = min(lineno, limits.get(number, sys.maxsize))
        known |= _spelled_before(logs[side], limits)
    for one, field_, pair in again:
        upstream, path = first[pair]
        if pair[1] in known or not all(upstream.when[side] < one.when[side] for side in Side):
            continue
        upstream.used_later = True
        if len(one.echoes) < _MOST_ECHOES:
            one.echoes += (Echo(upstream.place, path, field_.path, one.events.ours, field_.values),)
        one.source = one.source or upstream
        if one.explained_by is None and one.change is Change.CHANGED:
            one.explained_by = Explained.UPSTREAM_VALUE


# -- what is downstream of what --------------------------------------------------------------------------------


def _ends_wait(event: Event) -> bool:
    return event.kind == "wait.end" or (event.kind == "kernel.return" and bool(_WAITING_CALLS.match(event.name or "")))


@dataclass(slots=True)
class _Stop:
    """Where a pair of threads differs in a way that counts, or one of its sides ended."""

    thread: ThreadReport
    walk: PairWalk
    reason: StartReason
    idx: Both[int]
    when: Both[When]
    ours_before: When
    """When the last event of ours before it happened; from there it differs."""
    divergence: Found | None = None
    wrong: IdentityFinding | NameBreak | None = None

    @property
    def tid(self) -> int:
        """Canary's."""
        return self.thread.pair.canary_tid

    @property
    def place(self) -> Place | None:
        """Where it stands, unless the thread only ended."""
        if self.wrong:
            canary, ours = self.wrong.events
            return Place(canary.tid, ours.tid, canary.idx, ours.idx)
        return self.divergence.place if self.divergence else None

    def start(self) -> StartHere:
        """The same for a report."""
        pair, divergence, wrong = self.thread.pair, self.divergence, self.wrong
        return StartHere(
            self.reason,
            pair.canary_tid,
            pair.ours_tid,
            canary_idx=divergence.place.canary_idx if divergence else None,
            ours_idx=divergence.place.ours_idx if divergence else None,
            finding=wrong if isinstance(wrong, IdentityFinding) else None,
            names=wrong if isinstance(wrong, NameBreak) else None,
            events=divergence.events if divergence else wrong.events if wrong else None,
        )


class _Link(NamedTuple):
    """Why one thread's stop can follow another's, both by canary's tid."""

    relation: Relation
    source: int
    target: int
    side: Side | None = None
    via: EventId | None = None
    origin: Found | None = None
    """The divergence of the source that is the cause, where it is known which one."""


def ends_by_name(divergence: Found) -> bool:
    """Whether one side ends in a divergence that never ends, and up to there nothing but names differs."""
    return divergence.change is Change.UNRECOVERED and divergence.explained_by is Explained.NAME


def _spread(handovers: Iterable[Handover], side: Side, stops: Mapping[int, _Stop]) -> Iterator[_Link]:
    """What the order of events in one log explains. ``stops``: by the tid in that log."""
    carried: defaultdict[int, dict[int, Relation]] = defaultdict(dict)
    for relation, source, target in handovers:
        passed_on = dict(carried[source[0]])
        if (stop := stops.get(source[0])) and source[1] >= stop.idx[side]:
            passed_on[stop.tid] = relation
        reached = stops.get(target[0])
        for origin, before in passed_on.items():
            weakest = max(relation, before, key=_WEAKNESS.__getitem__)
            known = carried[target[0]].get(origin)
            if known is None or _WEAKNESS[known] > _WEAKNESS[weakest]:
                carried[target[0]][origin] = weakest
                if reached and reached.tid != origin and target[1] <= reached.idx[side]:
                    yield _Link(weakest, origin, reached.tid, side, source)


def _chain(chosen: Mapping[int, _Link], tid: int) -> list[int]:
    """A thread and all that it follows, the nearest first."""
    chain = [tid]
    while link := chosen.get(chain[-1]):
        chain.append(link.source)
    return chain


class CauseAnalysis:
    """Where to start among the divergences, and what each thread's first one, or its end, follows."""

    def __init__(
        self,
        names: NameTable,
        timelines: Both[Timeline],
        walks: Sequence[PairWalk],
        threads: Sequence[ThreadReport],
        divergences: Sequence[Found],
    ) -> None:
        self._logs, self._counterparts, self._timelines = names.logs, names.counterparts, timelines
        self._threads = {t.pair.canary_tid: (walk, t) for walk, t in zip(walks, threads, strict=True)}
        pools = [rule for _, rule in names.profile.of_sort(RuleSort.POOL)]
        self._pooled = {tid for tid, (w, _) in self._threads.items() if any(is_of_pool(w, rule) for rule in pools)}
        self._divergences = [one for one in divergences if one.counts]
        self._of_thread: defaultdict[int, list[Found]] = defaultdict(list)
        for one in self._divergences:
            self._of_thread[one.pair.canary_tid].append(one)
        self._sizes = Counter(one.sort for one in divergences)
        self._spreads = Counter(sort for sort, _ in {(one.sort, one.pair.canary_tid) for one in divergences})
        self._ends = {one.pair.canary_tid: one.positions for one in divergences if ends_by_name(one)}
        self._stops = {stop.tid: stop for stop in self._first_stops()}
        self._missing_signals: dict[int, EventId] = {}
        """By tid: what canary's thread was waiting for, and ours never came to."""
        self._chosen = self._choose(list(filter(self._is_possible, self._links()))) if self._stops else {}

    def _first_stops(self) -> Iterator[_Stop]:
        def order(one: Found) -> tuple[object, ...]:
            # A doubtful one causes nothing after it, and the position of an event on a member of a pool is timing.
            weight = (one.reason.gravity, not one.news) if one.pair.canary_tid in self._pooled else ()
            return one.is_minor, weight, one.positions.canary

        first = {one.pair.canary_tid: one for one in sorted(self._divergences, key=order, reverse=True)}
        for tid, (_, thread) in self._threads.items():
            if tid in first or thread.ending:
                yield self._stop_at(tid, first.get(tid))

    def _stop_at(self, tid: int, divergence: Found | None) -> _Stop:
        """A divergence of a thread, or else its end."""
        walk, thread = self._threads[tid]
        reason = divergence.reason if divergence else StartReason.LOG_ENDED
        end = Both(*(min(walk.rest[side].start, len(walk.sides[side].stream) - 1) for side in Side))
        at = divergence.positions if divergence else self._ends.get(tid, end)
        ending = None if divergence else thread.ending
        ours_ended = ending is not None and ending.side is Side.OURS
        idx = Both(*(walk.sides[side].stream.idx_at(at[side]) for side in Side))
        when = Both(*(self._timelines[side].at(walk.sides[side].tid, at[side]) for side in Side))
        if ending and ours_ended and self._timelines.ours.goes_on_after(when.ours):
            reason = StartReason.STUCK if ending.call or ending.wait else StartReason.ENDED_EARLY
        before = at.ours if ours_ended else at.ours - 1
        ours_before = self._timelines.ours.at(walk.ours.tid, before) if before >= 0 else (0, 0)
        return _Stop(thread, walk, reason, idx, when, ours_before, divergence)

    # -- who follows whom ----------------------------------------------------------------------------------------

    def _links(self) -> Iterator[_Link]:
        for stop in self._stops.values():
            origin = stop.divergence.source if stop.divergence else None
            if origin and origin.pair != stop.thread.pair:
                yield _Link(Relation.SAME_VALUE, origin.pair.canary_tid, stop.tid, origin=origin)
        for side in Side:
            stops = {stop.walk.sides[side].tid: stop for stop in self._stops.values()}
            ends = {}
            for tid, stop in stops.items():  # up to where it stops, and how a wait there ends
                stream = stop.walk.sides[side].stream
                ends[tid] = min(stream.position_of(stop.idx[side]) + _MOST_EVENTS_TO_WAKE, len(stream) - 1)
            handovers = _HandoverFinder(self._logs[side], self._timelines[side], ends).find()
            yield from _spread(handovers, side, stops)
            if side is Side.CANARY:
                wakes = {target: source for relation, source, target in handovers if relation is Relation.WOKEN_BY}
                yield from self._signal_links(wakes)

    def _signal_links(self, wakes: Mapping[EventId, EventId]) -> Iterator[_Link]:
        """Who waits for what another thread failed to signal."""
        for stop in self._stops.values():
            signal_ = self._missing_signal(stop, wakes)
            if signal_:
                self._missing_signals[stop.tid] = signal_
                source = self._stops.get(signal_[0])
                # A thread whose own log only ended may be a victim as well.
                if source and source.reason is not StartReason.LOG_ENDED and signal_[1] >= source.idx.canary:
                    position = self._logs.canary.position(*signal_)
                    of_thread = self._of_thread[source.tid]
                    at_signal = (one for one in of_thread if position in one.difference.positions.canary)
                    yield _Link(
                        Relation.MISSING_SIGNAL, source.tid, stop.tid, Side.CANARY, signal_, next(at_signal, None)
                    )

    def _wait_of(self, stop: _Stop, at: int) -> int | None:
        """Canary's position of the wait where a thread stops, or of one right before that ended otherwise."""
        ending = stop.thread.ending
        if stop.divergence is None and ending and ending.side is Side.OURS and (ending.wait or ending.call):
            return at
        if stop.divergence and _ends_wait(stop.divergence.events.canary):
            return at
        waits = (
            one.positions.canary
            for one in self._of_thread[stop.tid]
            if 0 <= at - one.positions.canary <= _MOST_EVENTS_TO_WAKE
            if one.compares_one_call and _ends_wait(one.events.canary)
        )
        return next(waits, None)

    def _missing_signal(self, stop: _Stop, wakes: Mapping[EventId, EventId]) -> EventId | None:
        """The event of canary that ended the wait at which a thread stops, if ours never came to it."""
        stream, log = stop.walk.canary.stream, self._logs.canary
        start = self._wait_of(stop, stream.position_of(stop.idx.canary))
        near = range(0) if start is None else range(start, min(start + _MOST_EVENTS_TO_WAKE, len(stream)))
        signal_ = next(filter(None, (wakes.get((stop.tid, stream.idx_at(position))) for position in near)), None)
        if signal_ and self._counterparts.of(Side.CANARY, signal_[0], log.position(*signal_), equal=True):
            return None
        return signal_

    def _is_possible(self, link: _Link) -> bool:
        """Whether the effect does not stand before its cause in ours, whatever the order in canary."""
        target = self._stops[link.target]
        ended = target.reason is StartReason.LOG_ENDED
        if target.divergence is None and (link.relation is Relation.MISSING_SIGNAL or ended):
            return True  # a wait may begin long before the signal is due that never comes
        return self._stops[link.source].ours_before < target.when.ours

    def _choose(self, links: Sequence[_Link]) -> dict[int, _Link]:
        """For each thread the strongest link, then the one to what came first in ours, so that no circle is closed."""
        rank = {tid: n for n, tid in enumerate(sorted(self._stops, key=lambda tid: self._stops[tid].when.ours))}
        chosen: dict[int, _Link] = {}
        for link in sorted(links, key=lambda one: (_WEAKNESS[one.relation], rank[one.source], rank[one.target])):
            if link.target not in chosen and link.target not in _chain(chosen, link.source):
                chosen[link.target] = link
        return chosen

    def _event(self, side: Side, event: EventId) -> Event:
        return self._logs[side].event(event[0], self._logs[side].position(*event))

    def _cause(self, stop: _Stop, divergences: Sequence[_Stop]) -> Cause:
        """What a thread follows; where no relation is known, which of the ``divergences`` stands first in both logs."""
        link = self._chosen.get(stop.tid)
        if link:
            via = self._event(link.side, link.via) if link.via and link.side else None
            source = self._stops[link.source]
            at = link.origin.place if link.origin else source.place
            echoes = stop.divergence.echoes if stop.divergence else ()
            of_source = tuple(echo for echo in echoes if echo.upstream.canary_tid == link.source)
            return Cause(link.relation, stop.place, source.thread.pair, at, link.side, via, of_source)
        earlier = (one for one in divergences if all(one.when[side] < stop.when[side] for side in Side))
        if earliest := next(earlier, None):
            return Cause(Relation.EARLIER_IN_LOG, stop.place, earliest.thread.pair, earliest.place)
        return Cause(Relation.UNKNOWN, stop.place)

    def threads(self) -> tuple[ThreadReport, ...]:
        """The threads with what they follow."""
        first = self._candidates[0].tid if self._candidates else None
        in_order = sorted((one for one in self._stops.values() if one.divergence), key=lambda one: one.when.ours)
        explained = []
        for tid, (_, thread) in self._threads.items():
            stop, ending, cause = self._stops.get(tid), thread.ending, None
            if stop and (tid in self._chosen or (stop.divergence and tid != first)):
                cause = self._cause(stop, in_order)
            if ending and tid in self._missing_signals:
                ending = replace(ending, signaller=self._event(Side.CANARY, self._missing_signals[tid]))
            explained.append(replace(thread, cause=cause, ending=ending))
        return tuple(explained)

    # -- where to start ------------------------------------------------------------------------------------------

    def take_wrong_objects(self, findings: Iterable[IdentityFinding], breaks: Iterable[NameBreak]) -> None:
        """Takes in what is about the wrong object where no divergence is, the first of each thread."""
        certain: list[IdentityFinding | NameBreak] = [finding for finding in findings if finding.certain]
        for wrong in (*certain, *breaks):
            walk, thread = self._threads[wrong.pair.canary_tid]
            when = Both(*(self._timelines[side].of(wrong.events[side]) for side in Side))
            idx = wrong.events.map(lambda event: event.idx)
            stop = _Stop(thread, walk, StartReason.WRONG_OBJECT, idx, when, when.ours, wrong=wrong)
            known = self._stops.get(stop.tid)
            if known is None or when.ours < known.when.ours:
                self._stops[stop.tid] = stop
                self._chosen.pop(stop.tid, None)

    def _rank(self, divergence: Found | None, when: When) -> tuple[bool, bool, tuple[int, int], When]:
        """Among equally grave ones: timing last; first what references or the other log do not show, and rare sorts."""
        if divergence is None:
            return False, True, (0, 0), when
        rarity = self._spreads[divergence.sort], self._sizes[divergence.sort]
        return divergence.is_minor, not (divergence.novelty or divergence.news), rarity, when

    def _depth(self, stop: _Stop) -> int:
        """How far from where to start: 0 if no cause comes before it, 1 by order only, 2 if it is proven."""
        link = self._chosen.get(stop.tid)
        if link and link.relation.is_proof and not stop.wrong:
            return 2
        # Which member of a pool had its work first is timing.
        return int(link is not None and not stop.wrong and not self._pooled >= {link.source, stop.tid})

    @functools.cached_property
    def _proven(self) -> dict[int, _Link]:
        return {tid: link for tid, link in self._chosen.items() if link.relation.is_proof}

    @functools.cached_property
    def _candidates(self) -> list[_Stop]:
        """The places to start at, the best first: of each thread the first one, then a few after these.

        Before each stands the divergence that is proven to be its cause.
        """
        weights = {tid: stop.reason.gravity for tid, stop in self._stops.items()}
        # A stop is as grave as what is proven to follow from it, and no less grave than a value that is used later.
        for tid in self._proven:
            least = min(self._stops[tid].reason.gravity, StartReason.VALUE_USED_LATER.gravity)
            for upstream in _chain(self._proven, tid)[1:]:
                weights[upstream] = min(weights[upstream], least)
        causes = {link.source for link in self._proven.values()}

        def rank(stop: _Stop) -> tuple[object, ...]:
            is_timing = stop.divergence is not None and stop.divergence.is_minor and stop.tid not in causes
            return is_timing, self._depth(stop), weights[stop.tid], self._rank(stop.divergence, stop.when.ours)

        first = sorted(self._stops.values(), key=rank)
        after = (one for one in self._divergences if self._stops[one.pair.canary_tid].divergence is not one)
        best = heapq.nsmallest(
            1 + MOST_NEXT_STARTS, after, key=lambda one: (one.reason.gravity, self._rank(one, one.when.ours))
        )
        listed: dict[object, _Stop] = {}
        for stop in (*first, *(self._stop_at(one.pair.canary_tid, one) for one in best)):
            chain: dict[object, _Stop] = {}
            cause: _Stop | None = stop
            while cause and (cause.place or cause.tid) not in chain:
                chain[cause.place or cause.tid] = cause
                cause = self._proven_cause(cause)
            for key, one in reversed(chain.items()):
                listed.setdefault(key, one)
        return list(listed.values())

    def _proven_cause(self, stop: _Stop) -> _Stop | None:
        link = self._proven.get(stop.tid) if self._stops[stop.tid].place == stop.place else None
        origin = link.origin if link else stop.divergence and stop.divergence.source
        if link and (origin is None or origin is self._stops[link.source].divergence):
            return self._stops[link.source]
        return self._stop_at(origin.pair.canary_tid, origin) if origin else None

    def start(self) -> StartHere | None:
        """Where to look first, and the next candidates; None if nothing differs that counts."""
        if not self._candidates:
            return None
        start, *others = (stop.start() for stop in self._candidates[: 1 + MOST_NEXT_STARTS])
        from_first = {
            tid: link
            for tid, link in self._proven.items()
            if link.origin is None or link.origin is self._stops[link.source].divergence
        }
        downstream = sum(start.canary_tid in _chain(from_first, tid)[1:] for tid in from_first)
        return replace(start, downstream=downstream, next=tuple(others))


def start_without_divergence(
    unmapped: Both[tuple[UnmappedThread, ...]], lone: Both[tuple[SharedGlobal, ...]]
) -> StartHere | None:
    """Where to start if no pair differs: at what only one log has."""
    threads = [(StartReason.THREAD_WITHOUT_PARTNER, side, one.tid, None) for side in Side for one in unmapped[side]]
    in_order = Both(*(sorted(lone[side], key=lambda made: made.lineno) for side in Side))
    objects = [(StartReason.LONE_SHARED_GLOBAL, side, one.tid, one) for side in Side for one in in_order[side]]
    for reason, side, tid, made in (*threads, *objects):
        canary_tid, ours_tid = (tid, None) if side is Side.CANARY else (None, tid)
        return StartHere(reason, canary_tid, ours_tid, lone=made)
    return None


# ══ comparison ════════════════════════════════════════════════════════════════════════════════════════════════════


_FIRST_CALLS_SHOWN: Final = 3
_FIRST_CALLS_SOUGHT: Final = 256
"""Events of a thread without partner searched for first calls."""
MOST_SCORED_DIFFERENCES: Final = 2000
"""Differences of a pair that are walked through for the score alone, where fewer are to be reported."""
MOST_DETAILED: Final = 1000
"""Divergences that have all evidence, shared evenly by the pairs; of the others, where they are and how they begin."""
_SPELLINGS_LOOKED_AT, _STEPS_LOOKED_AT = 64, 32
"""Events of a block, and first steps of each walk, that are searched for events that only their spelling parts."""
_MOST_BLOCKS_SUMMARIZED: Final = 2000
_MOST_EVENTS_SUMMARIZED: Final = 2000
"""Of each thread so many blocks without counterpart, and so many events of each, count in the summary of calls."""
_MOST_NAME_ROUNDS: Final = 4
"""Walks after each of which more names are known; the second nearly always knows all."""
_MOST_RENAMED: Final = 256
"""Events of a block that are looked at for what differs in names alone, where names are not to match."""
_MOST_EQUAL_AFTER_ALL: Final = 64
"""If more events with different bytes are equal, the formats differ, so canonical text is indexed."""
_FEW_SPELLED_DIFFERENTLY: Final = 8
"""Up to so many equal events with other bytes beside a divergence, reindexing both logs does not pay."""


def _first_creations(log: Log) -> dict[int, Creation]:
    """By tid, which may be reused: its first creation in the file."""
    return {made.child_tid: made for made in reversed(log.index.creations)}


def _evidence(log: Log) -> Iterator[ThreadEvidence]:
    """What pairing wants to know of each thread, in order of first appearance."""
    numbers: defaultdict[int, Iterator[int]] = defaultdict(itertools.count)
    in_order = sorted(log.index.creations, key=lambda made: made.idx)
    creator_of = {made: (made.creator_tid, next(numbers[made.creator_tid])) for made in in_order}
    created = _first_creations(log)
    for tid, stream in log.index.streams.items():
        made, first_call = created.get(tid), log.index.first_calls.get(tid)
        creation = (creator_of[made], made.entry_point, made.start_context) if made else ()
        yield ThreadEvidence(tid, stream.fingerprints, first_call, *creation)


def _thread_keys(log: Log) -> dict[int, str]:
    """A name for each thread that does not depend on its tid."""
    seen: Counter[tuple[str | None, str | None]] = Counter()
    keys = {}
    for thread in _evidence(log):
        start = (thread.entry_point, thread.first_call)
        keys[thread.tid] = "/".join((thread.entry_point or "", thread.first_call or "", str(seen[start])))
        seen[start] += 1
    return keys


def paired(logs: Both[Log], options: DiffOptions) -> tuple[ThreadPair, ...]:
    """The pairs of threads. Raises `UsageError` where the options pin threads that are not there."""
    pins = options.tid_map
    for log, tids in ((logs.canary, pins.keys()), (logs.ours, pins.values())):
        if unknown := [tid for tid in tids if tid not in log.index.streams]:
            known = shorten(", ".join(map(str, sorted(log.index.streams))), 200)
            raise UsageError(f"--tid-map: {log.source.name} has no thread {unknown[0]} (it has {known})")
    return pair_threads(list(_evidence(logs.canary)), list(_evidence(logs.ours)), pins, options.auto_map)


def _shared_positions(log: Log) -> dict[int, dict[int, str | int]]:
    """What floats, by thread and position: the number of a profile's rule, or the SID of a shared-global create."""
    positions: defaultdict[int, dict[int, str | int]] = defaultdict(dict)
    for (number, tid), marks in log.index.marks.items():
        for position in log.index.streams[tid].positions_of(marks.indexes) if marks.floats else ():
            positions[tid].setdefault(position, number)
    for made in log.index.shared_globals:
        positions[made.tid].setdefault(log.position(made.tid, made.idx), made.sid)
    return positions


def lone_shared_globals(log: Log, other: Log) -> tuple[SharedGlobal, ...]:
    """The shared-global objects of one log that the other has on no thread, by SID, each where it first stands.

    What a rule of the profile lets be missing is not among them.
    """
    known, floating = {created.sid for created in other.index.shared_globals}, _shared_positions(log)
    lone: dict[str, SharedGlobal] = {}
    for made in log.index.shared_globals:
        position = log.position(made.tid, made.idx)
        if made.sid not in known and made.sid not in lone and floating[made.tid][position] == made.sid:
            lone[made.sid] = replace(made, lineno=log.line_of(made.tid, position)[0])
    return tuple(made for _, made in sorted(lone.items()))


def _event_at(cursor: Cursor, position: int | None) -> Event | None:
    return None if position is None or position >= len(cursor.stream) else cursor.event(position)


def _lines_of_ends(log: Log) -> dict[int, tuple[int, int]]:
    """Where the first and the last event of each thread stand."""
    last = {tid: len(stream) - 1 for tid, stream in log.index.streams.items()}
    places = itertools.chain.from_iterable(((tid, 0), (tid, position)) for tid, position in last.items())
    lines = {place: lineno for place, lineno, _ in log.raw_events_at(places)}
    return {tid: (lines[tid, 0], lines[tid, position]) for tid, position in last.items()}


def _context(walk: PairWalk, difference: Step, count: int) -> tuple[Both[Event | None], ...]:
    """The last ``count`` rows of a walk between a difference and the one before, oldest first."""
    rows: list[Both[Event | None]] = []
    for step in reversed(walk.steps[: walk.steps.index(difference)]):
        if step.kind is StepKind.DIFFERED or len(rows) == count:
            break
        pairs = itertools.zip_longest(*(reversed(side) for side in step.positions))
        for canary, ours in itertools.islice(pairs, count - len(rows)):
            rows.append(Both(_event_at(walk.canary, canary), _event_at(walk.ours, ours)))
    return tuple(reversed(rows))


def _ends_of_block(cursor: Cursor, positions: range, is_detailed: bool) -> Iterator[Event]:
    """The first and the last events of a block that do not float: all, where these are few."""
    forth, back = (itertools.filterfalse(cursor.floating.__contains__, way) for way in (positions, reversed(positions)))
    first = itertools.islice(forth, FIRST_OF_BLOCK if is_detailed else 1)
    last = itertools.islice(back, LAST_OF_BLOCK if is_detailed else 0)
    return map(cursor.event, sorted({*first, *last}))


_Fields: TypeAlias = Callable[[Event, Event], Iterable[FieldDifference]]


def _compared(canary: Event, ours: Event, fields_of: _Fields = payload_differences) -> ComparedEvents:
    differences = iter(fields_of(canary, ours))
    fields = tuple(itertools.islice(differences, MOST_FIELDS))
    return ComparedEvents(Both(canary, ours), fields, sum(1 for _ in differences))


def _first_events(difference: Step, canary: Event, ours: Event, fields_of: _Fields) -> tuple[Mismatch, ComparedEvents]:
    """In what two events differ: the class, as schema v1 has it, and the fields."""
    if not difference.at_gap and canary.kind == ours.kind:
        return Mismatch.PAYLOAD, _compared(canary, ours, fields_of)
    kinds = () if difference.at_gap else (FieldDifference("kind", Both(canary.kind, ours.kind)),)
    mismatch = Mismatch.MISSING if difference.at_gap else Mismatch.KIND
    return mismatch, ComparedEvents(Both(canary, ours), kinds, 0)


def _shown_places(walk: PairWalk, side: Side, options: DiffOptions, detailed: int) -> Iterator[EventPlace]:
    """The events of one side that are compared and shown: of the first differences all evidence."""
    cursor = walk.sides[side]
    for number, difference in enumerate(walk.differences):
        start, end = difference.starts[side], difference.ends[side]
        before = options.context if number < detailed else 0
        first = range(max(0, start - before), max(start + 2, min(end, start + FIRST_OF_BLOCK)))
        shown = {*first, *range(max(start, end - LAST_OF_BLOCK), end + 1)}
        yield from ((cursor.tid, position) for position in shown if position < len(cursor.stream))


class _Remainder(NamedTuple):
    """What remains of a difference if names match."""

    change: Change
    positions: Both[int]
    """Of its first events; where nothing remains, of two that are the same but for names."""
    is_name: bool = False
    """Whether nothing remains."""


def _renamed_events(names: NameTable, walk: PairWalk, difference: Step) -> _Remainder:
    """The first events of a difference that stand against others with other names."""
    for side in Side:
        for position in difference.positions[side][:FIRST_OF_BLOCK]:
            place = names.counterparts.of(side, walk.sides[side].tid, position, equal=True)
            if place:
                positions = Both(position, place[1]) if side is Side.CANARY else Both(place[1], position)
                if any(payload_differences(walk.canary.event(positions.canary), walk.ours.event(positions.ours))):
                    return _Remainder(Change.CHANGED, positions, is_name=True)
    return _Remainder(difference.change, difference.starts, is_name=True)


def _where_names_match(names: NameTable, walk: PairWalk, named: PairWalk) -> dict[int, _Remainder]:
    """What remains of the differences of a walk, by number, in the walk in which names match.

    Equal values that name different objects can lead the one walk astray. What the other one still finds belongs to the
    difference that begins at the same events, or else to the last one before them.
    """
    numbers = [number for number, step in enumerate(walk.differences) if not step.at_gap]
    if walk.steps == named.steps or not numbers:
        return {}
    number_at = {walk.differences[number].starts: number for number in numbers}
    starts = [at.canary for at in number_at]
    remaining: dict[int, _Remainder] = {}
    for step in named.differences:
        if not step.at_gap:
            before = numbers[max(0, bisect.bisect_right(starts, step.starts.canary) - 1)]
            remaining.setdefault(number_at.get(step.starts, before), _Remainder(step.change, step.starts))
    is_known_to = named.rest.canary.start if named.end is PairStatus.DIVERGED else len(walk.canary.stream)
    if named.differences and named.differences[-1].change is Change.UNRECOVERED:
        is_known_to = named.differences[-1].starts.canary
    for at, number in number_at.items():
        difference = walk.differences[number]
        if number not in remaining and difference.change is Change.UNRECOVERED:
            ends = Both(*(min(named.rest[s].start, len(walk.sides[s].stream) - 1) for s in Side))
            remaining[number] = _Remainder(difference.change, ends, is_name=True)
        elif number not in remaining and at.canary < is_known_to:
            remaining[number] = _renamed_events(names, walk, difference)
    return remaining


def _divergences_of(
    names: NameTable, timelines: Both[Timeline], walk: PairWalk, named: PairWalk, pair: ThreadPair, options: DiffOptions
) -> Iterator[Found]:
    """Every divergence of a walk; ``named`` is the walk of the same pair in which names match."""
    otherwise = _where_names_match(names, walk, named)
    strict = names.fields if options.match_names else lambda *events: options.profile.judge(*events)[1]
    for number, difference in enumerate(walk.differences):
        rest = otherwise.get(number) or _Remainder(difference.change, difference.starts)
        positions = difference.starts, rest.positions
        first, events = ((walk.canary.event(at.canary), walk.ours.event(at.ours)) for at in positions)
        mismatch, shown = _first_events(difference, *first, strict)
        _, compared = _first_events(difference, *events, strict if rest.is_name else names.fields)
        when = Both(timelines.canary.of(events[0]), timelines.ours.of(events[1]))
        divergence = Found(pair, difference, mismatch, shown, rest.change, compared, rest.positions, when)
        if rest.is_name:
            divergence.explained_by = Explained.NAME
        elif divergence.compares_one_call:
            divergence.breaks = tuple(names.breaks(pair, divergence.events, divergence.fields))
        yield divergence


def _reported(
    walk: PairWalk, divergences: Sequence[Found], options: DiffOptions, detailed: int
) -> Iterator[Divergence]:
    """The first divergences of a walk, as many as were asked for; the first of them with all evidence."""
    sides = walk.sides
    for number, one in enumerate(divergences[: options.max_divergences or None]):
        difference, shown, is_detailed = one.difference, one.shown, number < detailed
        ends, counts = difference.ends, difference.counts
        following = (_event_at(sides[side], difference.starts[side] + 1) for side in Side)
        rejoin = Both(*(_event_at(sides[side], ends[side]) for side in Side))
        block = Both(*(tuple(_ends_of_block(sides[s], difference.positions[s], is_detailed)) for s in Side))
        changed = itertools.starmap(_compared, zip(*block, strict=True))
        yield Divergence(
            shown.events,
            shown.fields,
            shown.fields_omitted,
            mismatch=one.mismatch,
            change=difference.change,
            context=_context(walk, difference, options.context) if is_detailed else (),
            following=Both(*following) if is_detailed else Both(None, None),
            block=block,
            counts=counts,
            rejoin=rejoin if rejoin.canary and rejoin.ours else None,
            matched_before=walk.matches[number],
            matched_after=walk.matches[number + 1] - walk.matches[number],
            calls=one.calls,
            changed=tuple(changed) if difference.change is Change.CHANGED else (),
            sort=one.sort,
            explained_by=one.explained_by,
            novelty=one.novelty,
            echoes=one.echoes,
        )


def _calls_alone(log: Log, blocks: Iterable[tuple[int, range]]) -> Iterator[str]:
    places = [(tid, position) for tid, positions in blocks for position in positions[:_MOST_EVENTS_SUMMARIZED]]
    held = (log.held[place] for place in places if place in log.held)
    yield from (call_name(event.payload) for event in held if event.kind == "kernel.call")
    for _, _, raw in log.raw_events_at(place for place in places if place not in log.held):
        with contextlib.suppress(NotJsonError):  # a payload that nobody had to read so far
            if raw.kind == b"kernel.call":
                yield call_name(parse_payload(raw.payload))


def _call_summaries(
    logs: Both[Log], walks: Iterable[PairWalk], divergences: Iterable[Found]
) -> tuple[CallSummary, ...]:
    """The calls that only one side makes and those whose results differ, the most frequent first.

    What one writer lost, and what one side would have called after its end, is not known, and not counted.
    """
    blocks: Both[list[tuple[int, range]]] = Both([], [])
    for walk in walks:
        of_walk = (step.positions for step in walk.differences if not step.at_gap and step.change is not Change.CHANGED)
        for canary, ours in itertools.islice(of_walk, _MOST_BLOCKS_SUMMARIZED):
            blocks.canary.append((walk.canary.tid, canary))
            blocks.ours.append((walk.ours.tid, ours))
    alone = Both(*(Counter(_calls_alone(logs[side], blocks[side])) for side in Side))
    results = Counter(
        one.events.canary.name or ""
        for one in divergences
        if one.compares_one_call and one.events.canary.kind == "kernel.return" and one.counts
    )
    common = alone.canary & alone.ours
    only = alone.map(lambda calls: calls - common)
    names = sorted({*only.canary, *only.ours, *results}, key=lambda n: (-only.canary[n] - only.ours[n] - results[n], n))
    return tuple(CallSummary(name, Both(only.canary[name], only.ours[name]), results[name]) for name in names)


def _unmapped(log: Log, mapped: Collection[int]) -> tuple[UnmappedThread, ...]:
    keys, unmapped = _thread_keys(log), []
    for tid, stream in sorted(log.index.streams.items()):
        if tid not in mapped:
            calls = itertools.islice(log.calls(tid, _FIRST_CALLS_SOUGHT), _FIRST_CALLS_SHOWN)
            unmapped.append(UnmappedThread(tid, len(stream), tuple(calls), keys[tid]))
    return tuple(unmapped)


def _check_until(canary: Log, until: ThreadPlace | None) -> None:
    if until is None:
        return
    keys = _thread_keys(canary)
    tid = next((tid for tid, key in keys.items() if until.names(key, tid)), None)
    if tid is None:
        known = ", ".join(f"{tid} is {key}" for tid, key in keys.items())
        raise UsageError(f"--until: canary has no thread {until.thread} ({shorten(known, 400)})")
    if until.idx > idx_behind(stream := canary.index.streams[tid], len(stream)):
        raise UsageError(f"--until: canary's thread {until.thread} ends before index {until.idx}")


_ENDED_SIDE: Final = {PairStatus.CANARY_ENDED: Side.CANARY, PairStatus.OURS_ENDED: Side.OURS}


def _ending(walk: PairWalk, named: PairWalk, divergences: Sequence[Found]) -> Ending | None:
    """What the side that ended before the other was in the middle of; up to there, names may differ."""
    side = _ENDED_SIDE.get(named.end)
    if divergences and ends_by_name(divergences[-1]):
        counts = divergences[-1].difference.counts
        side = Side.OURS if counts.ours < counts.canary else Side.CANARY
    return ending_of(walk.sides[side].log, walk.sides[side].tid, side) if side else None


def most_walked(options: DiffOptions) -> int:
    """How many differences of a pair are walked through."""
    unbounded = options.score_to_the_end or not options.max_divergences or options.profile or options.match_names
    return sys.maxsize if unbounded else max(options.max_divergences, MOST_SCORED_DIFFERENCES)


def walk_pairs(
    logs: Both[Log],
    pairs: Sequence[ThreadPair],
    profile: Profile,
    most: int,
    progress: Progress,
    equal: Callable[[Event, Event], bool],
) -> list[PairWalk]:
    """The walks of all pairs, up to so many differences of each."""
    shared = logs.map(_shared_positions)
    walks = []
    for number, pair in enumerate(pairs, 1):
        progress.show(f"comparing thread {number} of {len(pairs)}")
        tids = Both(pair.canary_tid, pair.ours_tid)
        others = Both(*(shared[side].get(tids[side], {}) for side in Side))
        rows: Both[list[Turns]] | None = None
        whole = Both(*(turns_in_a_row(logs[side], tids[side], profile) for side in Side))
        while rows != whole:  # what floats in part only floats not at all, and the walk is made once more
            rows = whole
            turns = rows.map(lambda of_side: dict(itertools.chain.from_iterable(row.floats() for row in of_side)))
            cursors = Both(*(Cursor(logs[s], tids[s], turns[s] | others[s] if turns[s] else others[s]) for s in Side))
            walk = walk_pair(Walker(cursors, equal, RuleUses(cursors, profile)), most)
            whole = Both(*(whole_turns(walk, side, rows[side]) for side in Side))
        walks.append(walk)
    return walks


def _is_excused(finding: IdentityFinding, logs: Both[Log], options: DiffOptions) -> bool:
    """Whether it is timing which object events are about: they float by a rule, or their threads are of a pool."""
    tids = finding.pair.canary_tid, finding.pair.ours_tid
    rules = ((event, options.profile.rules_about(event.kind, event.name)) for event in finding.events)
    return any(rule.floats(event.payload) for event, about in rules for _, rule in about) or any(
        all(tid in pool_tids(log, rule) for tid, log in zip(tids, logs, strict=True))
        for _, rule in options.profile.of_sort(RuleSort.POOL)
    )


class FormatsDifferError(Exception):
    """The fingerprints of bytes are of no use: the logs spell equal payloads differently. Never leaves `diff_logs`."""


def match_by_name(
    names: NameTable, again: Callable[[Callable[[Event, Event], bool]], list[PairWalk]], most: int = sys.maxsize
) -> None:
    """Walks again until no more events, of so many of each block, turn out to be the same but for names."""
    if names.mislead():
        names.align_by_objects(again)
    for _ in range(_MOST_NAME_ROUNDS):
        if not names.rename(most):
            break
        names.follow(again(names.equal))


class _Spellings:
    """Notes which events the exact rules find equal though their bytes differ, and gives up after too many."""

    def __init__(self, equal: Callable[[Event, Event], bool], most: int) -> None:
        self._equal, self._most = equal, most
        self.differ: set[EventId] = set()

    def equal(self, canary: Event, ours: Event) -> bool:
        """Whether two events are the same whose fingerprints differ."""
        if not events_equal(canary, ours):
            return self._equal(canary, ours)
        self.differ.add((ours.tid, ours.idx))
        if len(self.differ) > self._most:
            raise FormatsDifferError
        return True


class Compared:
    """Two logs that were compared and can still be read. The report is made when somebody asks for it."""

    def __init__(
        self,
        logs: Both[Log],
        pairs: Sequence[ThreadPair],
        walks: list[PairWalk],
        options: DiffOptions,
        progress: Progress,
        references: Sequence[LogIndex],
    ) -> None:
        self.logs, self._pairs, self._options, self._references = logs, pairs, options, references
        self._names = names = NameTable(logs, pairs, options.profile)
        self._timelines = logs.map(Timeline)
        names.follow(walks)
        if options.match_names:
            self._match_names(progress)
            walks = list(names.walks)
        hidden = hide(walks, options.profile)
        self._before_hiding = walks
        self.walks, self._hidden = hidden.walks, hidden.used
        self._by_name = self.walks
        if not options.match_names and any(walk.differences for walk in walks):
            streams = logs.ours.index.streams.values()
            fingerprints = [stream.fingerprints[:] for stream in streams]
            self._match_names(progress)
            self._by_name = hide(names.walks, options.profile).walks
            for stream, as_they_were in zip(streams, fingerprints, strict=True):
                stream.fingerprints[:] = as_they_were
        self._detailed = max(5, MOST_DETAILED // len(walks))

    def _match_names(self, progress: Progress) -> None:
        most, names = most_walked(self._options), self._names
        again = functools.partial(walk_pairs, self.logs, self._pairs, self._options.profile, most, progress)
        before = names.walks
        match_by_name(names, again, sys.maxsize if self._options.match_names else _MOST_RENAMED)
        if (self._options.match_names or names.walks is not before) and names.find_mistaken():
            names.follow(again(names.equal))

    def _divergences(self) -> list[list[Found]]:
        for side in Side:
            shown = (_shown_places(walk, side, self._options, self._detailed) for walk in self.walks)
            self.logs[side].hold(itertools.chain.from_iterable(shown))
        return [
            list(_divergences_of(self._names, self._timelines, walk, named, pair, self._options))
            for walk, named, pair in zip(self.walks, self._by_name, self._pairs, strict=True)
        ]

    def _breaks_by_name(self) -> Iterator[NameBreak]:
        """The wrong objects that the walks show in which names match, where these are others."""
        for walk, named, pair in zip(self.walks, self._by_name, self._pairs, strict=True):
            for step in named.differences if walk is not named else ():
                if step.is_paired:
                    events = Both(named.canary.event(step.starts.canary), named.ours.event(step.starts.ours))
                    yield from self._names.breaks(pair, events, self._names.fields(*events))

    def _note_novelty(self, of_threads: Iterable[Sequence[Found]]) -> None:
        """Notes which divergences have events that no run of canary has, or that all of them have and ours has not."""
        blocks = []
        for walk, of_thread in zip(self.walks, of_threads, strict=True):
            streams = [walk.sides[side].stream.fingerprints for side in Side]
            for one in of_thread:
                ranges = zip(streams, one.difference.positions, strict=True)
                blocks.append((one, Both(*({*stream[at.start : at.stop]} for stream, at in ranges))))
        wanted = {fingerprint for _, block in blocks for side in block for fingerprint in side}
        indexes = [self.logs.ours.index, self.logs.canary.index, *self._references]
        logs = ([stream.fingerprints for stream in index.streams.values()] for index in indexes)
        ours, *runs = (wanted.intersection(itertools.chain(*of_log)) for of_log in logs)
        known, common = runs[0].union(*runs[1:]), runs[0].intersection(*runs[1:])
        for one, block in blocks:
            if not block.ours <= known:
                one.novelty = Novelty.NOVEL
            elif (block.canary - ours) & common:
                one.novelty = Novelty.LOST

    def _note_calls(self, of_threads: Iterable[Sequence[Found]]) -> None:
        detailed = [one for of_thread in of_threads for one in of_thread[: self._detailed]]
        calls = Both(*(calls_of(self.logs[side], [one.shown.events[side] for one in detailed]) for side in Side))
        for one in detailed:
            ids = one.shown.events.map(lambda event: (event.tid, event.idx))
            one.calls = Both(calls.canary[ids.canary], calls.ours[ids.ours])

    @functools.cached_property
    def report(self) -> Report:
        """What was found. It needs the logs to be open."""
        canary, ours = self.logs
        findings = identity_findings(self.logs, zip(self._before_hiding, self._pairs, strict=True))
        identity = tuple(finding for finding in findings if not _is_excused(finding, self.logs, self._options))
        of_threads = self._divergences()
        divergences = sorted(itertools.chain.from_iterable(of_threads), key=lambda one: one.when.ours)
        note_echoes(divergences, self.logs)
        note_news(self.logs, self.walks, of_threads)
        if self._references:
            self._note_novelty(of_threads)
        sorts = sort_divergences(divergences)
        self._note_calls(of_threads)
        threads = list(self._thread_reports(of_threads))
        breaks = [*self._breaks_by_name(), *(broken for one in divergences for broken in one.breaks)]
        names = self._names.report(breaks) if divergences or self._options.match_names else Names()
        causes = CauseAnalysis(self._names, self._timelines, self.walks, threads, divergences)
        known = {broken.place for one in divergences for broken in one.breaks}
        causes.take_wrong_objects(identity, (broken for broken in names.breaks if broken.place not in known))
        unmapped = Both(
            _unmapped(canary, {pair.canary_tid for pair in self._pairs}),
            _unmapped(ours, {pair.ours_tid for pair in self._pairs}),
        )
        lone = Both(lone_shared_globals(canary, ours), lone_shared_globals(ours, canary))
        return Report(
            logs=self.logs.map(
                lambda log: LogSummary(
                    log.source.name,
                    log.index.bytes,
                    log.index.events,
                    len(log.index.streams),
                    tuple(log.index.warnings),
                )
            ),
            options=self._options,
            threads=causes.threads(),
            unmapped=unmapped,
            lone_globals=lone,
            start_here=causes.start() or start_without_divergence(unmapped, lone),
            identity=identity,
            sorts=sorts,
            calls=_call_summaries(self.logs, self.walks, divergences),
            names=names,
            hidden=tuple(self._hidden[number] for number in range(len(self._options.profile.rules))),
        )

    def _thread_reports(self, of_threads: Iterable[Sequence[Found]]) -> Iterator[ThreadReport]:
        canary = self.logs.canary
        keys, created, ends = _thread_keys(canary), _first_creations(canary), self.logs.map(_lines_of_ends)
        for walk, named, pair, of_thread in zip(self.walks, self._by_name, self._pairs, of_threads, strict=True):
            at_end = walk.end is not PairStatus.DIVERGED or walk.differences[-1].change is Change.UNRECOVERED
            complete = at_end and all(difference.is_common_exact for difference in walk.differences)
            reported = tuple(_reported(walk, of_thread, self._options, self._detailed))
            made = created.get(pair.canary_tid)
            yield ThreadReport(
                pair=pair,
                key=keys[pair.canary_tid],
                status=walk.status,
                events=walk.sides.map(lambda cursor: len(cursor.stream)),
                matched=walk.matches[0],
                floated=walk.floated,
                remaining=walk.remaining,
                divergences=reported,
                divergences_found=len(walk.differences),
                parity=ParityScore(walk.aligned, walk.comparable, complete),
                ending=_ending(walk, named, of_thread),
                steps=walk.steps,
                marks=tuple(divergence_mark(one, walk.canary.stream) for one in of_thread),
                compared_to=idx_behind(walk.canary.stream, walk.rest.canary.start),
                lines=Both(ends.canary[pair.canary_tid], ends.ours[pair.ours_tid]),
                creator=made.creator_tid if made else None,
            )


def _compare(
    canary: LogSource, ours: LogSource, options: DiffOptions, progress: Progress, *, canonical: bool
) -> Compared:
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(contextlib.closing(LogSource(path))) for path in options.references]
        indexes = index_logs([canary, ours, *sources], canonical=canonical, profile=options.profile, progress=progress)
    logs = Both(Log(canary, indexes[0]), Log(ours, indexes[1]))
    for log in logs:
        if not log.index.events:
            raise InputError(log.source.name, "nothing to compare: no event after the header")
    _check_until(logs.canary, options.until)
    pairs = paired(logs, options)
    spellings = _Spellings(options.profile.equal, sys.maxsize if canonical else _MOST_EQUAL_AFTER_ALL)
    walks = walk_pairs(logs, pairs, options.profile, most_walked(options), progress, spellings.equal)
    if not pairs and not canonical:
        raise FormatsDifferError  # perhaps nothing was alike for that reason alone
    if not pairs:
        raise UsageError("nothing to compare: no thread of canary could be paired with one of ours; pin with --tid-map")
    if not canonical and any(walk.differences for walk in walks):
        names = NameTable(logs, pairs, options.profile)
        names.follow([replace(walk, steps=walk.steps[:_STEPS_LOOKED_AT]) for walk in walks])
        odd = len(spellings.differ) + names.rename(_SPELLINGS_LOOKED_AT, events_equal)
        if odd > _FEW_SPELLED_DIFFERENTLY:
            raise FormatsDifferError
        if odd:  # once more, as if the two writers had spelled all events alike
            pairs = paired(logs, options)
            walks = walk_pairs(logs, pairs, options.profile, most_walked(options), progress, spellings.equal)
    return Compared(logs, pairs, walks, options, progress, indexes[2:])


def _engine(source: LogSource) -> str:
    line = source.peek().removeprefix(BYTE_ORDER_MARK).lstrip().partition(b"\n")[0]
    with contextlib.suppress(NotJsonError):
        header = parse_json(line)
        if isinstance(header, dict) and isinstance(header.get("engine"), str):
            return str(header["engine"]).lower()
    return ""


def _doubts(canary: LogSource, ours: LogSource) -> list[LogWarning]:
    """What makes one doubt that these two logs were meant, and in this order."""
    engines = Both(canary, ours).map(_engine)
    swapped = engines.canary != "" and "canary" not in engines.canary and "canary" in engines.ours
    files = all(source.size is not None and source.path != STANDARD_STREAM for source in (canary, ours))
    same = files and os.path.samefile(canary.path, ours.path)
    return [LogWarning(WarningKind.SWAPPED)] * swapped + [LogWarning(WarningKind.SAME_FILE)] * same


@contextlib.contextmanager
def compared_logs(canary: str, ours: str, options: DiffOptions, progress: Progress) -> Iterator[Compared]:
    """Compares two event logs, and keeps them open. Raises what `diff_logs` raises.

    It goes by the bytes of the payloads as long as both logs spell them alike, and else by their values.
    """
    with contextlib.closing(LogSource(canary)) as one, contextlib.closing(LogSource(ours)) as other:
        doubts = _doubts(one, other)
        try:
            compared = _compare(one, other, options, progress, canonical=formats_differ(one, other))
        except FormatsDifferError:
            one.rewind()
            other.rewind()
            compared = _compare(one, other, options, progress, canonical=True)
        finally:
            progress.erase()
        compared.logs.ours.index.warnings[:0] = doubts
        yield compared


def diff_logs(canary: str, ours: str, options: DiffOptions | None = None, progress: Progress | None = None) -> Report:
    """Compares two event logs: where, on each guest thread, does behaviour first differ?

    The paths may be ``-`` for standard input, one of them. Raises `InputError` where a log cannot be read or has
    nothing to compare, `UsageError` where the options name threads that are not there.
    """
    with compared_logs(canary, ours, options or DiffOptions(), progress or Progress()) as compared:
        return compared.report


# ══ learning noise ════════════════════════════════════════════════════════════════════════════════════════════════
#
# Runs of one program on one engine differ by noise alone. Each round compares every pair of runs under the rules so
# far and takes what still differs for evidence; the rules are made anew from all evidence. Fields come first: where
# they still differ, nothing else can be known. What then stands on one side only, or elsewhere, is a loop, or floats.
# Threads that start alike are taken for a pool from the beginning, for one could not tell what belongs together
# without. At last the rules are made once more, from what they hide: they were learned from streams that did not match
# yet. A rule that hid nothing goes. Of long logs, the first rounds look at the beginning only.


FEW_VALUES: Final = 8
"""A field that takes no more values than these, again and again, may take these and no other."""
COMING_BACK: Final = 1.5
"""A value that comes back is in so many runs, on average."""
FAR_APART: Final = 0.05
"""Numbers that lie farther apart than this, relative to the greater, are not nearly the same."""
MOST_ROUNDS: Final = 12
MOST_FLOATING_VALUES: Final = 3
"""Values of a field by which events may float."""
SMALLEST_NAME: Final = 0x100
"""Smaller numbers come back by chance."""
GREATEST_COUNT: Final = 0xFFFF
"""A number up to this may be a size as well as a name; the engine gives names anew in each run, at most events."""
_LONGEST_TURN: Final = 8
_MOST_UNMATCHED: Final = 100
"""Events of one call without a match on one side of a pool that are looked at."""
_COUNTED_EVENTS: Final = 5_000
"""Events of each run in which fields and values are counted, and by which runs of other programs are recognized."""
_COMMON_CALLS: Final = 0.75
"""Runs of one program have this share of their calls in common. Measured: 0.85 or more; between programs that start
alike (one loader, one C library) 0.56, the median, and 0.75 or more in one pair of 20."""
_FEW_CALLS: Final = 20
"""Runs that have fewer calls say too little: one in common is enough."""
_BEGINNING_SEGMENTS: Final = 4
"""So much of a log is the beginning that the first rounds look at."""
_EVENTS_AT_HAND: Final = 1 << 17
_MOST_DIFFERENCES: Final = 1000
"""Of a pair of threads, so many differences are looked at,"""
_MOST_HIDDEN: Final = 200
"""and of what a rule hides, so many events with different values."""

_CallKey: TypeAlias = "tuple[str, str | None]"
_FieldKey: TypeAlias = "tuple[str, str | None, FieldPath]"
_Runs: TypeAlias = "tuple[int, int]"
_Counts: TypeAlias = "Mapping[_CallKey, Mapping[FieldPath, Counter[str]]]"
"""How often fields have which values, by call."""
_Different: TypeAlias = "tuple[PairWalk, Step]"


def _leaves_of(payload: Mapping[str, object]) -> Iterator[tuple[FieldPath, object]]:
    """Every value of a payload that holds no others, with its path."""
    return ((parse_field_path(path), value) for path, value in payload_leaves(payload, ""))


def _fields_of(event: Event) -> dict[FieldPath, object]:
    """Every leaf of what is compared of an event."""
    return dict(_leaves_of(compared_payload(event)))


def _alike(canary: Sequence[Event], ours: Sequence[Event]) -> list[Both[Event]]:
    """Pairs of events of one call that belong together, though they stand in no order.

    They agree in all fields but one, the one for which that makes most pairs; else one pair that differs least.
    """
    fields = [[_fields_of(event) for event in side] for side in (canary, ours)]

    def equal_but_for(path: FieldPath) -> list[Both[Event]]:
        rest = [[repr({**event, path: None}) for event in side] for side in fields]
        waiting = grouped(zip(rest[1], ours, strict=True))
        return [Both(c, waiting[text].pop(0)) for text, c in zip(rest[0], canary, strict=True) if waiting.get(text)]

    paths = dict.fromkeys(path for side in fields for event in side for path in event)
    if pairs := max(map(equal_but_for, paths), key=len, default=[]):
        return pairs
    every = itertools.starmap(Both, itertools.product(canary, ours))
    return [min(every, key=lambda pair: sum(1 for _ in payload_differences(*pair)))]


class _Seen(NamedTuple):
    """A field that differed once between two runs."""

    runs: _Runs
    lineno: int
    canary: object
    ours: object

    @property
    def names(self) -> tuple[_Runs, int, int] | None:
        """Both values, if they may be names of one object."""
        canary, ours = name_value(self.canary), name_value(self.ours)
        if canary is None or ours is None or min(canary, ours) < SMALLEST_NAME:
            return None
        return self.runs, canary, ours


def _tolerance(seen: Sequence[_Seen]) -> Fraction | None:
    """How far numbers may lie apart, relative to the greater: twice as far as they did. None where that is far."""
    greatest = _exact(0)
    for one in seen:
        if not all(type(value) in (int, float) for value in (one.canary, one.ours)):
            return None
        canary, ours = _exact(one.canary), _exact(one.ours)
        greatest = max(greatest, abs(canary - ours) / max(abs(canary), abs(ours)))
    return _exact(math.ceil(greatest * 2000)) / 1000 if greatest <= FAR_APART else None


def _are_toml(values: Collection[str]) -> bool:
    """Whether values, as JSON, can be written as TOML."""
    return all(text.isprintable() and _is_json(json.loads(text)) for text in values)


def _lists_of_values(seen: Sequence[_Seen]) -> Iterator[tuple[str, ...]]:
    """The values that may stand for each other, as JSON, list by list; an empty list is any value.

    Values that stood against each other, directly or through others, share a list.
    """
    runs: dict[str, set[int]] = {}
    group_of: dict[str, list[str]] = {}
    for one in seen:
        texts = json_text(one.canary), json_text(one.ours)
        for run, text in zip(one.runs, texts, strict=True):
            runs.setdefault(text, set()).add(run)
        group, other = (group_of.setdefault(text, [text]) for text in texts)
        if group is not other:
            group += other
            group_of.update(dict.fromkeys(other, group))
    for group in {id(group): group for group in group_of.values()}.values():
        comes_back = sum(len(runs[value]) for value in group) >= COMING_BACK * len(group)
        yield tuple(sorted(group)) if comes_back and _are_toml(group) and len(group) <= FEW_VALUES else ()


def _field_rules(of_fields: Mapping[_FieldKey, Sequence[_Seen]]) -> Iterator[ProfileRule]:
    absent = (key for key, seen in of_fields.items() if any(MISSING in one for one in seen))
    any_ = AnyElement.ANY
    keys = ((kind, call, (*path[:-1], any_) if isinstance(path[-1], int) else path) for kind, call, path in absent)
    for key in dict.fromkeys(keys):
        yield ProfileRule(RuleSort.IGNORE, "", *key, only_absent=True)
    for key, seen in of_fields.items():
        present = [one for one in seen if MISSING not in one]
        groups = list(_lists_of_values(present))
        if () in groups:
            tolerance = _tolerance(present)
            sort = RuleSort.IGNORE if tolerance is None else RuleSort.TOLERANCE
            yield ProfileRule(sort, "", *key, relative=tolerance)
        else:
            yield from (ProfileRule(RuleSort.IGNORE, "", *key, values=tuple(map(json.loads, one))) for one in groups)


def _where(
    alone: Sequence[tuple[int, Event]], counts: Mapping[FieldPath, Counter[str]]
) -> list[tuple[tuple[FieldPath, object], ...]]:
    """The few values of one field that tell events that float from most others of their call, if there are any."""
    runs: dict[FieldPath, dict[str, set[int]]] = {}
    fields = [(run, _fields_of(event)) for run, event in alone]
    for run, of_event in fields:
        for path, value in of_event.items():
            if path != ("name",):
                runs.setdefault(path, {}).setdefault(json_text(value), set()).add(run)
    best = None
    for path, values in runs.items():
        of_path = counts.get(path, Counter())
        share = sum(of_path[value] for value in values) / max(1, of_path.total())
        is_in_all = all(path in of_event for _, of_event in fields)
        come_back = len(values) <= MOST_FLOATING_VALUES and all(len(of_value) > 1 for of_value in values.values())
        if is_in_all and come_back and _are_toml(values) and share < 0.5 and (best is None or share < best[0]):
            best = share, path, values
    return [((best[1], json.loads(value)),) for value in sorted(best[2])] if best else [()]


def _are_no_sizes(pairs: Collection[tuple[_Runs, int, int]], values: Counter[str]) -> bool:
    """Whether values of a field may be names: they are great, or most of the field's values differ between runs."""
    differ = {value for _, *both in pairs for value in both}
    if max(differ) > GREATEST_COUNT:
        return True
    numbers = [(name_value(json.loads(text)), count) for text, count in values.items()]
    all_numbers = sum(count for value, count in numbers if value is not None and value >= SMALLEST_NAME)
    return 2 * sum(count for value, count in numbers if value in differ) >= all_numbers


@dataclass(slots=True)
class _Evidence:
    """What differed between runs, and the rules that follow."""

    fields: list[tuple[_FieldKey, _Seen]] = field(default_factory=list)
    turns: list[tuple[tuple[str, ...], _Runs]] = field(default_factory=list)
    alone: list[tuple[int, Event]] = field(default_factory=list)
    named: list[tuple[_FieldKey, _Runs]] = field(default_factory=list)
    """Fields whose values are names by which later events are known to be the same."""

    def without(self, run: int) -> _Evidence:
        """What is known without one of the runs."""
        return _Evidence(
            [(key, seen) for key, seen in self.fields if run not in seen.runs],
            [(calls, runs) for calls, runs in self.turns if run not in runs],
            [(of_run, event) for of_run, event in self.alone if of_run != run],
            [(key, runs) for key, runs in self.named if run not in runs],
        )

    def note_fields(self, runs: _Runs, events: Both[Event], names: NameTable) -> bool:
        """Adds the fields of two events that differ beyond names; returns whether any do."""
        has_names = bool(names.profile.of_sort(RuleSort.NAME))
        is_noise = False
        for difference in payload_differences(*events):
            judged = names.judge(events, difference) if has_names else None
            if not judged or not judged.is_same:
                path = parse_field_path(difference.path.removeprefix("payload").removeprefix("."))
                seen = _Seen(runs, events.canary.lineno, *difference.values)
                self.fields.append(((events.canary.kind, events.canary.name, path), seen))
                is_noise = True
        return is_noise

    def rules(self, counts: _Counts) -> list[ProfileRule]:
        """The narrowest rules that let all this pass, given how often fields have which values."""
        names, explained = self._names(counts)
        rest = grouped((key, one) for key, one in self.fields if key not in names and one.names not in explained)
        rules = [ProfileRule(RuleSort.NAME, "", *key) for key in names]
        rules += _field_rules(rest)
        rules += [ProfileRule(RuleSort.REPEAT, "", calls=turn) for turn in grouped(self.turns)]
        for call, alone in grouped(((event.kind, event.name), (run, event)) for run, event in self.alone).items():
            rules += [ProfileRule(RuleSort.FLOAT, "", *call, where=it) for it in _where(alone, counts.get(call, {}))]
        return rules

    def _names(self, counts: _Counts) -> tuple[set[_FieldKey], set[tuple[_Runs, int, int] | None]]:
        """Fields whose values the engine chose: one to one, and handed back later; and those values.

        What the guest passes to a call, and what stands in the result of that call alone, the engine did not choose.
        """
        first: dict[tuple[_Runs, int, int], _FieldKey] = {}
        again: set[_FieldKey] = set()
        of_field: dict[_FieldKey, set[tuple[_Runs, int, int]]] = {}
        for key, seen in sorted(self.fields, key=lambda entry: entry[1].lineno):
            if seen.names:
                of_field.setdefault(key, set()).add(seen.names)
                produced = first.setdefault(seen.names, key)
                if key[:2] != produced[:2] and produced[0] != "kernel.call":
                    again.add(produced)
        names = {key for key, _ in self.named}
        for key in again:
            pairs = of_field[key]
            is_one_to_one = len(pairs) == len({pair[:2] for pair in pairs}) == len({pair[::2] for pair in pairs})
            if is_one_to_one and _are_no_sizes(pairs, counts.get(key[:2], {}).get(key[2], Counter())):
                names.add(key)
        return names, {pair for pair, key in first.items() if key in names}


class Comparison(NamedTuple):
    """Two runs under a profile, and what still differs."""

    runs: _Runs
    hidden: Hidden
    names: NameTable
    alone: list[tuple[int, Event]]
    """Creations of shared-global objects that only one run has, with its number."""
    unmapped: list[tuple[int, int]]
    """Threads without a partner: the number of the run, and the tid."""

    def differences(self) -> Iterator[_Different]:
        """Where the runs still differ."""
        return ((walk, step) for walk in self.hidden.walks for step in walk.steps if step.differs)

    def examples(self) -> Iterator[Event]:
        """An event of each place where the runs still differ."""
        for walk, step in self.differences():
            places = [(side, position) for side in Side for position in staying(walk, step, side)]
            yield from (walk.sides[side].event(position) for side, position in places[:1])
        yield from (event for _, event in self.alone)

    @property
    def remaining(self) -> int:
        """How much still differs."""
        return sum(1 for _ in self.differences()) + len(self.unmapped) + len(self.alone)


def _turn(cursor: Cursor, block: range) -> tuple[str, ...] | None:
    """The calls of one turn of a loop, if some events are turns of the loop that stands around them."""

    def calls(positions: Iterable[int]) -> list[str]:
        events = map(cursor.event, positions)
        return [event.name for event in events if event.kind == "kernel.call" and event.name]

    made = calls(block)
    if any(event.name not in (None, *made) for event in map(cursor.event, block)):
        return None
    before = calls(range(max(0, block.start - 2 * _LONGEST_TURN), block.start))
    after = calls(range(block.stop, min(len(cursor.stream), block.stop + 2 * _LONGEST_TURN)))
    for length in range(1, min(_LONGEST_TURN, len(made)) + 1):
        turn = made[:length]
        rotations = [(*turn[start:], *turn[:start]) for start in range(length)]
        if turn * (len(made) // length) == made:
            near = tuple(before[-length:]), tuple(after[:length])
            return min(rotations) if any(around in rotations for around in near) else None
    return None


def _note_hidden(comparison: Comparison, evidence: _Evidence) -> None:
    """Adds what a profile hides to ``evidence``: of each rule, the distinct differences."""
    runs, names, rules = comparison.runs, comparison.names, comparison.names.profile.rules
    for events in comparison.hidden.pooled:
        evidence.note_fields(runs, events, names)
    places: list[Both[EventPlace]] = []
    seen: defaultdict[int, set[object]] = defaultdict(set)
    for walk in comparison.hidden.walks:
        for number, canary, ours, values in same_under_rules(walk, names.profile):
            if values not in seen[number] and len(seen[number]) < _MOST_HIDDEN:
                seen[number].add(values)
                places.append(Both((walk.canary.tid, canary), (walk.ours.tid, ours)))
    for side in Side:
        names.logs[side].hold(place[side] for place in places)
    for place in places:
        evidence.note_fields(runs, Both(*(names.logs[side].event(*place[side]) for side in Side)), names)
    for walk in comparison.hidden.walks:
        evidence.turns += [(rules[step.rule].calls, runs) for step in walk.steps if step.rule is not None]
        for run, side in zip(runs, Side, strict=True):
            floats = [(rules[number].calls, position) for position, number in floating(walk, side)]
            evidence.turns += [(calls, runs) for calls, _ in floats if calls]
            evidence.alone += [(run, walk.sides[side].event(position)) for calls, position in floats if not calls]


def _note_remaining_fields(comparison: Comparison, evidence: _Evidence) -> tuple[bool, list[_Different]]:
    """Adds fields that still differ to ``evidence``; returns whether any do, and the other differences."""
    is_any, others = False, []
    pools: defaultdict[int, Both[list[Event]]] = defaultdict(lambda: Both([], []))
    for walk, step in comparison.differences():
        if step.kind is StepKind.REST and all(step.positions):
            continue  # nobody looked at it
        events = Both(*([walk.sides[s].event(position) for position in staying(walk, step, s)] for s in Side))
        pool = comparison.hidden.pools.get(walk.canary.tid)
        calls = events.map(lambda side: [(event.kind, event.name) for event in side])
        noise = []
        if pool is not None:
            pools[pool].canary.extend(events.canary)
            pools[pool].ours.extend(events.ours)
        elif calls.canary == calls.ours:
            pairs = itertools.starmap(Both, zip(*events, strict=True))
            noise = [evidence.note_fields(comparison.runs, pair, comparison.names) for pair in pairs]
        is_any |= any(noise)
        others += [] if any(noise) else [(walk, step)]
    for unmatched in pools.values():
        by_call = unmatched.map(lambda side: grouped(((event.kind, event.name), event) for event in side))
        for call in sorted(by_call.canary.keys() & by_call.ours.keys(), key=str):
            for pair in _alike(*(side[call][:_MOST_UNMATCHED] for side in by_call)):
                is_any |= evidence.note_fields(comparison.runs, pair, comparison.names)
    return is_any, others


def _in_other_order(walk: PairWalk, positions: Both[list[int]]) -> Both[set[int]]:
    """Those of some events of two threads that do not stand in the same order in both."""
    longer = Side.CANARY if len(positions.canary) > len(positions.ours) else Side.OURS
    prints = [[walk.sides[side].stream.fingerprints[at] for at in positions[side]] for side in (longer.other, longer)]
    common = _common_pairs(*prints) if all(prints) else []
    alike = {longer.other: {pair[0] for pair in common}, longer: {pair[1] for pair in common}}
    return Both(*({at for nth, at in enumerate(positions[side]) if nth not in alike[side]} for side in Side))


def _note_structure(remaining: Iterable[tuple[Comparison, list[_Different]]], evidence: _Evidence) -> None:
    """Takes blocks that differ as a whole for evidence: loops first, then what is missing, then what moved.

    Where a call has moved past others, all of them stand in the block. Only those float of which one run has more, of a
    pool or a pair of threads; if there are none, those that are not in the same order on both sides.
    """
    balance: defaultdict[object, Counter[_CallKey]] = defaultdict(Counter)
    blocks: list[tuple[_Runs, PairWalk, Both[list[int]]]] = []
    alone: list[tuple[int, Event]] = []
    for comparison, others in remaining:
        alone += comparison.alone
        for walk, step in others:
            blocks.append((comparison.runs, walk, Both(*(staying(walk, step, side) for side in Side))))
            pool = comparison.hidden.pools.get(walk.canary.tid)
            of_group = balance[comparison.runs, pool is None, walk.canary.tid if pool is None else pool]
            for count, side in ((of_group.update, Side.CANARY), (of_group.subtract, Side.OURS)):
                count((event.kind, event.name) for event in map(walk.sides[side].event, blocks[-1][2][side]))
    varying = {call for of_group in balance.values() for call, count in of_group.items() if count}
    known = set(evidence.turns)
    for runs, walk, positions in blocks:
        moved = Both(set[int](), set[int]()) if varying else _in_other_order(walk, positions)
        for run, side in zip(runs, Side, strict=True):
            events = {at: walk.sides[side].event(at) for at in positions[side]}
            chosen = [at for at, event in events.items() if at in moved[side] or (event.kind, event.name) in varying]
            turns = [turn for part in _runs(chosen) if (turn := _turn(walk.sides[side], part))]
            evidence.turns += [(turn, runs) for turn in turns]
            alone += [(run, events[at]) for at in chosen]
    if known.issuperset(evidence.turns):
        evidence.alone += alone
    else:  # fields that seemed to differ may be those of one turn against the next
        calls = {call for turn, _ in evidence.turns for call in turn}
        evidence.fields = [(key, seen) for key, seen in evidence.fields if key[1] not in calls]


_NAMES_OF_LOGS: Final[tuple[_FieldKey, ...]] = (
    ("handle.create", None, ("raw_handle_id",)),
    ("thread.create", None, ("child_tid",)),
)
"""What may be a name in every log."""


def _listed(rules: Iterable[ProfileRule]) -> list[ProfileRule]:
    """Rules as a profile lists them, whatever the order in which they were learned; not those that it cannot have."""

    def key(rule: ProfileRule) -> tuple[object, ...]:
        values = json_text([*rule.values, *map(str, rule.where)])
        pool = rule.entry_point is None, rule.entry_point or "", rule.first_call or ""
        call = rule.call is not None, rule.call or ""
        event = list(RuleSort).index(rule.sort), rule.kind, call, path_text(rule.field), not rule.is_whole
        return (*event, values, rule.calls, pool)

    listed: list[ProfileRule] = []
    for rule in sorted(rules, key=key):
        if can_be_written(rule) and not opposite_of(rule, listed):
            listed.append(rule)
    return listed


class _Learner:
    """Compares runs of one program, pair by pair, and makes rules from what still differs and what is hidden."""

    def __init__(self, sources: Sequence[LogSource], progress: Progress) -> None:
        self.sources, self._progress = sources, progress
        self.has_beginning = all(source.is_longer_than(2 * _BEGINNING_SEGMENTS) for source in sources)
        self._applied: tuple[object, ...] = ()
        self.apply(NO_PROFILE, beginning=self.has_beginning)
        self._check_programs()
        self.counts: dict[_CallKey, dict[FieldPath, Counter[str]]] = {}
        for event in self.samples():
            of_call = self.counts.setdefault((event.kind, event.name), {})
            for path, value in _fields_of(event).items():
                of_call.setdefault(path, Counter())[json_text(value)] += 1
        self._pools = self._pool_rules()
        self.evidence = _Evidence()
        kinds = {kind for kind, _ in self.counts}
        names = [ProfileRule(RuleSort.NAME, "", *key) for key in _NAMES_OF_LOGS if key[0] in kinds]
        self.rules = _listed([*names, *self._pools])

    def apply(self, profile: Profile, *, beginning: bool) -> None:
        """Indexes of each run the whole, or the beginning alone, under a profile. Raises `InputError`."""
        was, self._applied = self._applied, (profile.of_events, beginning)
        if was == self._applied:
            return
        for source in self.sources if was else ():
            source.rewind()
        most = _BEGINNING_SEGMENTS if beginning else None
        indexes = index_logs(self.sources, profile=profile, progress=self._progress, most_segments=most)
        if not was or was[1] != beginning:
            self.logs = [Log(source, LogIndex(), _EVENTS_AT_HAND) for source in self.sources]
        for log, index in zip(self.logs, indexes, strict=True):
            log.index = index  # under rules, an event stands where it stood: what was read is still true

    def samples(self) -> Iterator[Event]:
        """The first events of each run."""
        for log in self.logs:
            yield from itertools.islice(log.events(), _COUNTED_EVENTS)

    def _check_programs(self) -> None:
        """Raises `UsageError` where runs, as far as both go, make so different calls that they are of two programs."""
        first = self.logs[0]
        for log in self.logs[1:]:
            most = min(first.index.events, log.index.events, _COUNTED_EVENTS)
            one, other = ({e.name for e in itertools.islice(run.events(), most)} - {None} for run in (first, log))
            expected = _COMMON_CALLS * len(one | other) if len(one | other) >= _FEW_CALLS else 1
            if (one or other) and len(one & other) < expected:
                names = " and ".join(printable(run.source.name) for run in (first, log))
                raise UsageError(f"{names} make different calls: expected runs of one program")

    def _pool_rules(self) -> list[ProfileRule]:
        """A rule for each start that several threads have in every run."""
        starts = []
        for log in self.logs:
            made = [made for made in log.index.creations if made.child_tid in log.index.streams]
            points = ((one.entry_point, None) for one in made if one.entry_point != json_text(MISSING))
            calls = ((None, call) for call in log.index.first_calls.values())
            starts.append({start for start, count in Counter([*points, *calls]).items() if count > 1})
        common = set.intersection(*starts)
        return [ProfileRule(RuleSort.POOL, "", entry_point=point, first_call=call) for point, call in common]

    def compared(
        self, rules: Iterable[ProfileRule], *, beginning: bool = False, run: int | None = None
    ) -> list[Comparison]:
        """Every pair of runs, or those of one ``run``, under some rules.

        Raises `InputError`, and `UsageError` where no threads of two runs can be paired.
        """
        profile = Profile(rules)
        self.apply(profile, beginning=beginning)
        pairs = itertools.combinations(range(len(self.logs)), 2)
        return [self._compare(runs, profile, beginning) for runs in pairs if run is None or run in runs]

    def _compare(self, runs: _Runs, profile: Profile, beginning: bool) -> Comparison:
        logs = Both(*(self.logs[run] for run in runs))
        kept = {tid: stream.fingerprints[:] for tid, stream in logs.ours.index.streams.items()}
        pairs = paired(logs, DiffOptions())
        if not pairs:
            one, other = (printable(log.source.name) for log in logs)
            raise UsageError(f"no thread of {one} and {other} could be paired: expected runs of one program")
        names = NameTable(logs, pairs, profile)
        again = functools.partial(walk_pairs, logs, pairs, profile, _MOST_DIFFERENCES, self._progress)
        names.follow(again(profile.equal))
        if profile.of_sort(RuleSort.NAME):
            match_by_name(names, again)
        hidden = hide((walk.without_rest() for walk in names.walks) if beginning else names.walks, profile)
        for tid, stream in logs.ours.index.streams.items():
            stream.fingerprints = kept[tid]  # names made some of them equal to those of canary
        comparison = Comparison(runs, hidden, names, [], [])
        known = Both({pair.canary_tid for pair in pairs}, {pair.ours_tid for pair in pairs})
        for run, side in zip(runs, Side if not beginning else (), strict=False):
            log = logs[side]
            lone = lone_shared_globals(log, logs[side.other])
            comparison.alone.extend((run, log.event(made.tid, log.position(made.tid, made.idx))) for made in lone)
            comparison.unmapped.extend((run, tid) for tid in log.index.streams if tid not in known[side])
        return comparison

    def learn(self, *, beginning: bool) -> list[Comparison]:
        """Finds the narrowest rules under which nothing differs between the runs, or their beginnings.

        Returns the comparisons under them.
        """
        comparisons = self.compared(self.rules, beginning=beginning)
        for _ in range(MOST_ROUNDS):
            if not any(comparison.remaining for comparison in comparisons):
                break
            self._note_remaining(comparisons)
            before, self.rules = self.rules, self._made(self.evidence, self._pools)
            if self.rules == before:
                break
            comparisons = self.compared(self.rules, beginning=beginning)
        evidence = _Evidence()
        for comparison in comparisons:
            _note_hidden(comparison, evidence)
        evidence.named += self._named(comparisons)
        for pools in ([], self._pools):
            rules = self._made(evidence, pools)
            under = comparisons if rules == self.rules else self.compared(rules, beginning=beginning)
            if not any(comparison.remaining for comparison in under):
                self.rules, self.evidence, comparisons = rules, evidence, under
                break
        while not beginning and (needed := self._used(comparisons)) != self.rules:
            self.rules, comparisons = needed, self.compared(needed)
        self.apply(Profile(self.rules), beginning=beginning)
        return comparisons

    def _used(self, comparisons: Iterable[Comparison]) -> list[ProfileRule]:
        """The rules that hid something."""
        used = sum((comparison.hidden.used for comparison in comparisons), Counter[int]())
        return [rule for number, rule in enumerate(self.rules) if used[number]]

    def _made(self, evidence: _Evidence, pools: Iterable[ProfileRule]) -> list[ProfileRule]:
        return _listed([*evidence.rules(self.counts), *pools])

    def _named(self, comparisons: Iterable[Comparison]) -> Iterator[tuple[_FieldKey, _Runs]]:
        """The fields whose values turned out to be names, and between which runs."""
        names = [rule for rule in self.rules if rule.sort is RuleSort.NAME]
        for comparison in comparisons:
            sources = {use.source for use in comparison.names.report(()).uses if use.used}
            used = (rule for rule in names if " ".join(rule.labels) in sources)
            yield from (((rule.kind, rule.call, rule.field), comparison.runs) for rule in used)

    def _note_remaining(self, comparisons: Sequence[Comparison]) -> None:
        """Takes what still differs for evidence."""
        self.evidence.named += self._named(comparisons)
        noted = [(comparison, *_note_remaining_fields(comparison, self.evidence)) for comparison in comparisons]
        if not any(is_any for _, is_any, _ in noted):
            _note_structure([(comparison, others) for comparison, _, others in noted], self.evidence)

    def remaining_without(self, run: int, comparisons: Iterable[Comparison]) -> int:
        """What a run still shows under rules learned without it; ``comparisons`` are those under all rules."""
        pools = [rule for rule in self.rules if rule.sort is RuleSort.POOL]
        taught = _listed([*self.evidence.without(run).rules(self.counts), *pools])
        under = comparisons if taught == self.rules else self.compared(taught, run=run)
        return sum(comparison.remaining for comparison in under if run in comparison.runs)

    def reason(self, number: int, rule: ProfileRule, comparisons: Sequence[Comparison]) -> str:
        """In how many pairs of runs, and how often, a rule was used."""
        used = [comparison.hidden.used[number] for comparison in comparisons]
        pairs = f"in {sum(map(bool, used))} of {len(used)} pairs of runs"
        if rule.sort is RuleSort.REPEAT:
            return f"ran more or fewer turns {pairs}, {sum(used):,} turns in all"
        if rule.sort is RuleSort.POOL:
            return f"one member did what another did {pairs}, at {sum(used):,} events"
        floats = rule.sort is RuleSort.FLOAT
        named = [sum(len(of.indexes) for (n, _), of in log.index.marks.items() if n == number) for log in self.logs]
        events = sum(named[run] for comparison in comparisons for run in comparison.runs[: 2 if floats else 1])
        what = "stood elsewhere or was missing" if floats else "differed"
        return f"{what} {pairs}, at {sum(used):,} of {events:,} events"


class Calibration(NamedTuple):
    """What several runs of one program taught, and what it is worth."""

    names: tuple[str, ...]
    profile: Profile
    comparisons: tuple[Comparison, ...]
    """Of each pair of runs, under the profile."""
    events: int
    floating: int
    """Events that the profile lets float."""
    fields: int
    """Fields of the first events of each run,"""
    ignored: int
    """those of them that are not compared at all,"""
    partly: int
    """and those that may have several values."""
    left_out: Mapping[str, int]
    """For each run what it still shows against the others, if the profile is learned without it; none for two runs."""

    @property
    def remaining(self) -> int:
        """What still differs between runs."""
        return sum(comparison.remaining for comparison in self.comparisons)


def _compared_fields(events: Iterable[Event], profile: Profile) -> tuple[int, int, int]:
    """How many fields events have; how many of them a profile does not compare, and compares in part."""
    total = ignored = partly = 0
    for event in events:
        rules = [rule for _, rule in profile.rules_about(event.kind, event.name) if rule.is_of_fields]
        for path in _fields_of(event):
            of_field = [rule for rule in rules if rule.names_field(path)]
            is_ignored = any(rule.is_whole for rule in of_field)
            total += 1
            ignored += is_ignored
            partly += bool(of_field) and not is_ignored
    return total, ignored, partly


def _digest(path: str) -> str:
    """What a file holds, in short; nothing for what cannot be read twice."""
    import hashlib  # here, so that only who learns waits for it

    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _learned(paths: Sequence[str], progress: Progress | None) -> Iterator[tuple[_Learner, list[Comparison], Profile]]:
    """The learner of some runs, the comparisons under its rules, and these as a profile."""
    files = [os.path.realpath(path) for path in paths]
    if doubled := [path for path, file in zip(paths, files, strict=True) if files.count(file) > 1]:
        raise UsageError(f"{doubled[-1]} is the same run again: expected each run once")
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(contextlib.closing(LogSource(path))) for path in paths]
        sources.sort(key=lambda source: _digest(source.path))  # the same runs teach the same in any order
        learner = _Learner(sources, progress or Progress())
        if learner.has_beginning:
            learner.learn(beginning=True)
        comparisons = learner.learn(beginning=False)
        rules = enumerate(learner.rules)
        profile = Profile(replace(rule, reason=learner.reason(n, rule, comparisons)) for n, rule in rules)
        yield learner, comparisons, profile


def with_references(canary: str, options: DiffOptions, progress: Progress | None = None) -> DiffOptions:
    """The options with what differs between canary and its further runs as part of the profile.

    Raises `InputError` where a run cannot be read, `UsageError` where one is given twice, is of another program, or
    nothing pairs.
    """
    if not options.references:
        return options
    name = f"{1 + len(options.references)} runs of canary"
    with _learned((canary, *options.references), progress) as (_, _, learned):
        rules = [replace(rule, source=name) for rule in learned.rules]
    profile = Profile([*options.profile.rules, *rules], [*options.profile.names, name])
    return replace(options, profile=profile)


def calibrate(paths: Sequence[str], progress: Progress | None = None) -> Calibration:
    """Learns from runs of one program on one engine which differences are noise.

    Raises `InputError` where a run cannot be read, `UsageError` where there are fewer than two, one is given twice or
    is of another program, or nothing pairs.
    """
    if len(paths) < 2:
        raise UsageError("calibrate needs two runs or more: what differs between them is noise")
    with _learned(paths, progress) as (learner, comparisons, profile):
        shares = _compared_fields(learner.samples(), profile)
        events = sum(log.index.events for log in learner.logs)
        marks = (of for log in learner.logs for of in log.index.marks.values() if of.floats)
        floating_events = sum(len(of.indexes) for of in marks)
        names = [source.path for source in learner.sources]
        alarms = {names[run]: learner.remaining_without(run, comparisons) for run in range(len(paths))}
        left_out = {path: alarms[path] for path in paths} if len(paths) > 2 else {}
        return Calibration(tuple(names), profile, tuple(comparisons), events, floating_events, *shares, left_out)


def profile_toml(calibration: Calibration) -> str:
    """The profile that was learned, in an order that depends on the rules alone."""
    heading = f"What may differ between two runs of one program, learned from {len(calibration.names)} runs."
    return rules_toml(calibration.profile.rules, heading)


# ══ audit ═════════════════════════════════════════════════════════════════════════════════════════════════════════
#
# What would a comparison not see? For each kind and call one real event, with what stands around it in its thread, is
# a small log of its own. It is changed in one way after another, and compared with itself under the same options. An
# event that each rule lets float by a field is dropped, and a turn of each loop that may run more or fewer.


AUDITED_EVENTS: Final = 50_000
"""Events of each log among which the audited ones are looked for."""
_AROUND: Final = 8


class Sight(enum.Enum):
    """Whether a comparison sees a change."""

    UNSEEN = "unseen"
    """It does not, and nothing says so: a defect of this program."""
    RULE = "rule"
    SCHEMA = "schema"
    CAUGHT = "caught"


class AuditRow(NamedTuple):
    """One change of one kind and call, and whether it was seen."""

    kind: str
    call: str | None
    change: str
    """The path of the field that was changed, or what was done with the event, in brackets."""
    sight: Sight
    rule: ProfileRule | None = None
    values: int = 0
    """How many values the field has, in as many events."""
    events: int = 0


_Change: TypeAlias = "tuple[str, FieldPath, Both[list[Event]]]"
"""Its name, the field, and all events of both sides."""


def _with_value(events: Sequence[Event], at: int, path: FieldPath, value: object) -> list[Event]:
    """Some events, one of them with another value in a field."""
    payload = cast("dict[str, object]", json.loads(json.dumps(events[at].payload)))
    _edit(payload, path, lambda _: value)
    return [*events[:at], replace(events[at], payload=payload), *events[at + 1 :]]


def _other_value(value: object) -> object:
    """Another value of the same JSON type, far away."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 3 * abs(value) + 1001 if abs(value) < 1e300 else 1001
    return f"~{value}" if isinstance(value, str) else 1


def _let_pass(rule: ProfileRule, value: object) -> tuple[str, object, object] | None:
    """Two values that a rule lets stand for each other, and what they are."""
    others = [listed for listed in rule.values if not json_equal(listed, rule.values[0])]
    if others:
        return "another listed value", rule.values[0], others[0]
    if rule.sort is RuleSort.TOLERANCE and type(value) in (int, float):
        number = cast("int | float", value)
        limit = rule.absolute if rule.relative is None else rule.relative * abs(number)
        near = number + type(number)(limit or 0)
        return None if near in (number, math.inf) else ("a number nearby", number, near)
    return ("absent", value, MISSING) if rule.only_absent else None


def _field_changes(events: list[Event], at: int, rules: Sequence[ProfileRule]) -> Iterator[_Change]:
    """The changes of one event's fields: to something else, to another handle, and to what rules let pass."""
    event = events[at]
    skipped = SKIPPED_FIELDS.get(event.kind, frozenset()) if event_shared_global(event) else frozenset[str]()
    handles = [made.payload.get("raw_handle_id") for made in events[:at] if made.kind == "handle.create"]
    for path, value in _leaves_of(event.payload):
        name, last = path_text(path), path[-1]
        if path[0] not in skipped:  # they make a shared-global object what it is
            yield name, path, Both(events, _with_value(events, at, path, _other_value(value)))
        others = [handle for handle in handles if name_value(handle) not in (None, name_value(value))]
        if others and len(others) < len(handles) and not event.kind.startswith("handle."):
            yield f"{name} (another handle)", path, Both(events, _with_value(events, at, path, others[-1]))
        is_last = not isinstance(last, int) or not list(values_at(event.payload, (*path[:-1], last + 1)))
        for rule in rules:
            pair = _let_pass(rule, value) if rule.names_field(path) and (is_last or not rule.only_absent) else None
            if pair:
                yield f"{name} ({pair[0]})", path, Both(*(_with_value(events, at, path, one) for one in pair[1:]))


def _order_changes(events: list[Event], at: int) -> Iterator[_Change]:
    """One event dropped, doubled, and swapped with the next."""
    before, event, after = events[:at], events[at], events[at + 1 :]
    if before or after:  # else its thread would be gone
        yield "(dropped)", (), Both(events, [*before, *after])
    yield "(doubled)", (), Both(events, [*before, event, event, *after])
    floats = any(map(event_shared_global, (event, *after[:1])))  # where such an event stands does not count
    if after and not floats and not events_equal(event, after[0]):
        yield "(swapped with the next)", (), Both(events, [*before, after[0], event, *after[1:]])


def _write_log(path: str, threads: Mapping[int, Sequence[Event]]) -> None:
    events = (
        {"kind": event.kind, "tid": tid, "tid_event_idx": idx, "payload": event.payload}
        for tid, of_thread in threads.items()
        for idx, event in enumerate(of_thread)
    )
    lines = [json.dumps(line) for line in ({"schema_version": SCHEMA_VERSION}, *events)]
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write("\n".join(lines) + "\n")


def _sight(event: Event, path: FieldPath, compared: Compared) -> tuple[Sight, ProfileRule | None]:
    """Whether a change was seen, and what hid it: of the rules that hid something, rather one about the event."""
    known = any(walk.status is not PairStatus.IDENTICAL for walk in compared.walks)  # mostly, without a report
    if known or compared.report.verdict is Verdict.DIVERGENT:
        return Sight.CAUGHT, None
    if path and path[0] in SKIPPED_FIELDS.get(event.kind, frozenset()):
        return Sight.SCHEMA, None

    def is_of_others(rule: ProfileRule) -> bool:
        is_about = rule.kind == event.kind and rule.call in (None, event.name)
        return not ((is_about and (not rule.field or rule.names_field(path))) or event.name in rule.calls)

    hiding = min((rule for rule, count in compared.report.rule_uses if count), key=is_of_others, default=None)
    return (Sight.UNSEEN if hiding is None else Sight.RULE), hiding


class _Auditor:
    """Takes the first event of each kind and call for a small log, and compares that with changed ones."""

    def __init__(self, log: Log, options: DiffOptions, directory: str) -> None:
        self._log, self._options = log, options
        self._paths = os.path.join(directory, "canary.jsonl"), os.path.join(directory, "ours.jsonl")
        self._threads: dict[int, list[Event]] = {}
        self._created = _first_creations(log)
        self._fields: dict[_CallKey, dict[FieldPath, Counter[str]]] = {}
        first: dict[_CallKey, EventPlace] = {}
        shared: dict[_CallKey, EventPlace] = {}
        self._floating: dict[int, EventPlace] = {}
        """By number of a rule: the first event that it lets float by a field."""
        for event in itertools.islice(log.events(), AUDITED_EVENTS):
            thread, call = self._threads.setdefault(event.tid, []), (event.kind, event.name)
            place = event.tid, len(thread)
            (shared if event_shared_global(event) else first).setdefault(call, place)
            for number, rule in options.profile.rules_about(*call):
                if rule.where and rule.floats(event.payload):
                    self._floating.setdefault(number, place)
            thread.append(event)
            of_call = self._fields.setdefault(call, {})
            for path, value in _leaves_of(event.payload):
                of_call.setdefault(path, Counter())[json_text(value)] += 1
        self._places = shared | first

    def _around(self, tid: int, at: int) -> tuple[dict[int, list[Event]], int]:
        """The threads of the small log about one event, and its position in its own thread."""
        thread = self._threads[tid]
        start = max(0, at - _AROUND)
        first = [event for event in thread[:start] if event.kind == "kernel.call"][:1]  # by which pools are known
        threads = {tid: [*first, *thread[start : at + _AROUND + 1]]}
        created = self._created.get(tid)
        if created is not None and created.creator_tid != tid:
            at_creator = self._log.position(created.creator_tid, created.idx)
            threads[created.creator_tid] = [self._log.event(created.creator_tid, at_creator)]
        return threads, len(first) + at - start

    def _row(self, event: Event, threads: Mapping[int, list[Event]], change: _Change) -> AuditRow:
        words, field_path, sides = change
        for path, events in zip(self._paths, sides, strict=True):
            _write_log(path, {**threads, event.tid: events})
        options = replace(self._options, tid_map={tid: tid for tid in threads}, max_divergences=1)
        with compared_logs(*self._paths, options, Progress()) as compared:
            sight, rule = _sight(event, field_path, compared)
        values = self._fields[event.kind, event.name].get(field_path, Counter())
        return AuditRow(event.kind, event.name, words, sight, rule, len(values), values.total())

    def rows_of_calls(self, only_under_rules: bool) -> Iterator[AuditRow]:
        """An event of each kind and call changed in every way."""
        for call, (tid, position) in sorted(self._places.items(), key=lambda item: (item[0][0], item[0][1] or "")):
            rules = [rule for _, rule in self._options.profile.rules_about(*call)]
            if rules or not only_under_rules:
                threads, at = self._around(tid, position)
                stream = threads[tid]
                for change in (*_field_changes(stream, at, rules), *_order_changes(stream, at)):
                    yield self._row(stream[at], threads, change)

    def rows_of_floating(self) -> Iterator[AuditRow]:
        """An event that floats by a field dropped."""
        for number, (tid, position) in sorted(self._floating.items()):
            threads, at = self._around(tid, position)
            stream = threads[tid]
            where = self._options.profile.rules[number].where
            words = ", ".join(f"{path_text(path)} = {json_text(value)}" for path, value in where)
            if len(stream) > 1:
                sides = Both(stream, [*stream[:at], *stream[at + 1 :]])
                yield self._row(stream[at], threads, (f"(dropped where {words})", (), sides))

    def rows_of_turns(self) -> Iterator[AuditRow]:
        """A turn of each loop doubled, and one of two dropped."""
        for _, rule in self._options.profile.of_sort(RuleSort.REPEAT):
            for tid, turn in itertools.islice(self._turns(rule.calls), 1):
                threads, at = self._around(tid, turn.start)
                stream, end = threads[tid], at + len(turn)
                twice = [*stream[:end], *stream[at:]]
                for words, sides in (("(turn dropped)", Both(twice, stream)), ("(turn doubled)", Both(stream, twice))):
                    yield self._row(stream[at], threads, (words, (), sides))

    def _turns(self, calls: Sequence[str]) -> Iterator[tuple[int, range]]:
        """The threads and positions of the turns of a loop."""
        for tid, thread in self._threads.items():
            made = [at for at, event in enumerate(thread) if event.kind == "kernel.call"]
            for start, end in zip(made, [*made[len(calls) :], len(thread)], strict=False):
                if thread[start].name == calls[0] and _is_whole_turns(thread[start:end], calls):
                    yield tid, range(start, end)


def audit_log(path: str, options: DiffOptions, only_under_rules: bool = False) -> Iterator[AuditRow]:
    """What a comparison with these options would see of changes in a log, and what not. Raises `InputError`.

    ``only_under_rules`` leaves out the kinds and calls that no rule of the profile for fields or positions is about.
    """
    import tempfile  # here, so that only who audits waits for it

    with contextlib.closing(LogSource(path)) as source, tempfile.TemporaryDirectory(prefix="diff-events-") as directory:
        auditor = _Auditor(Log(source, index_logs([source], processes=1)[0]), options, directory)
        yield from auditor.rows_of_calls(only_under_rules)
        yield from auditor.rows_of_floating()
        yield from auditor.rows_of_turns()


# ══ report text ═══════════════════════════════════════════════════════════════════════════════════════════════════


_EVENT_WIDTH: Final = 160
_VALUE_WIDTH: Final = 80

_RELATION_WORDS: Final = {
    Relation.MISSING_SIGNAL: "whose signal ours never came to",
    Relation.SAME_VALUE: "whose value it repeats",
    Relation.WOKEN_BY: "after which a wait of this thread was ended",
    Relation.CREATED_BY: "after which this thread was created",
    Relation.AFTER_LOCK: "after which this thread took a lock",
    Relation.EARLIER_IN_LOG: "in both logs; no relation to it is known",
}
_START_WORDS: Final = {
    StartReason.STUCK: "ours stands still here while its other threads go on",
    StartReason.ENDED_EARLY: "ours ends here while its other threads go on",
    StartReason.NEVER_TOGETHER_AGAIN: "the two sides never come together again",
    StartReason.FAILS_ON_OURS: "a call fails on ours that succeeds on canary",
    StartReason.WRONG_OBJECT: "ours means the wrong object",
    StartReason.EVENTS_MISSING: "ours lacks events of canary",
    StartReason.EVENTS_EXTRA: "ours has events that canary has not",
    StartReason.EVENTS_REPLACED: "ours has other events than canary",
    StartReason.VALUE_USED_LATER: "a value differs that is used again",
    StartReason.VALUE_CHANGED: "a value differs",
    StartReason.EVENTS_REORDERED: "the same events come in another order",
    StartReason.EVENTS_REPEATED: "a loop runs a different number of turns",
    StartReason.LOG_ENDED: "nothing differs here before one side ended",
    StartReason.THREAD_WITHOUT_PARTNER: "no thread that has a partner differs, and this one has none",
}


def _words(code: enum.Enum) -> str:
    return str(code.value).replace("_", " ")


def _counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 event``, ``2,000 events``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _given(*texts: object) -> list[str]:
    """The texts that are not empty; callers write ``condition and text``."""
    return [text for text in texts if isinstance(text, str) and text]


def _short(text: str) -> str:
    return shorten(printable(text), _VALUE_WIDTH)


def _shortened(text: str) -> str:
    """Foreign text within a text of a document, of bounded length."""
    return quoted(_short(text))


def _shown_value(value: object) -> str:
    return _shortened(json_text(value))


def percent(score: ParityScore) -> str:
    """A score in percent, rounded down, so that only what is whole is 100 %.

    >>> percent(ParityScore(99_999_999, 100_000_000)), percent(ParityScore(1, 1)), percent(ParityScore(1, 3, False))
    ('99.99 %', '100 %', 'at least 33.33 %')
    """
    hundredths = score.matched * 10_000 // score.comparable if score.comparable else 10_000
    text = "100 %" if hundredths == 10_000 else f"{hundredths / 100:.2f} %"
    return text if score.complete else f"at least {text}"


def _tids(place: ThreadPair | Place | StartHere) -> str:
    """The threads of both logs, or the one that has no partner."""
    tids = Both(place.canary_tid, place.ours_tid).items()
    return " / ".join(f"{side} tid {tid}" for side, tid in tids if tid is not None)


def _indexes(place: Place | StartHere | Both[Event]) -> str:
    """Where something stands on both threads."""
    if isinstance(place, Both):
        return f"#{place.canary.idx} ↔ #{place.ours.idx}"
    return f"#{place.canary_idx} ↔ #{place.ours_idx}"


def _location(event: Event) -> str:
    return f"#{event.idx} line {event.lineno}"


def _locations(events: Both[Event]) -> str:
    return ", ".join(f"{side} {_location(event)}" for side, event in events.items())


# ── events ──


def _meaning_text(meaning: Meaning, value: object) -> str:
    """What a value stands for beyond what it says: its name, and itself in hexadecimal if it is not written so."""
    code = "" if isinstance(value, str) or meaning.code < 10 else f"0x{meaning.code:X}"
    return " ".join(_given(code, meaning.name))


def _field_text(event: Event, key: str, text: str) -> str:
    """A field of a payload; followed by the name of a status, but for success."""
    value = event.payload[key]
    meaning = meaning_of(event, f"payload.{key}", value)
    note = f" ({_meaning_text(meaning, value)})" if meaning and meaning.name and meaning.code else ""
    return f"{_short(key)}={text}{note}"


def _event_name(event: Event) -> str:
    return f"{_short(event.kind)} {_short(event.name or '')}".rstrip()


def _event_parts(event: Event) -> dict[str | None, str]:
    """What an event says: kind and the call's name under None, then the other payload fields as they are."""
    fields = {key: value for key, value in event.payload.items() if key != "name" or event.name is None}
    parts: dict[str | None, str] = {None: _event_name(event)}
    parts |= {key: _field_text(event, key, _short(json_text(value))) for key, value in fields.items()}
    return parts


def _on_one_line(parts: Mapping[str | None, str], unequal: Container[str | None] = ()) -> str:
    """The parts of an event; where it would be too long, equal ones are omitted."""
    room = _EVENT_WIDTH - sum(len(text) + 1 for key, text in parts.items() if key in unequal)
    shown: list[str] = []
    for key, text in parts.items():
        room -= 0 if key in unequal else len(text) + 1
        if key in unequal or key is None or room >= 0:
            shown.append(text)
        elif shown[-1] != "…":
            shown.append("…")
    return shorten_changes(" ".join(shown), 2 * _EVENT_WIDTH)


def event_text(event: Event) -> str:
    """An event on one line: kind, the call's name, then the other payload fields as they are.

    >>> event_text(Event(7, "kernel.call", 6, 3, {"name": "NtClose", "handle": "0xF8000004"}))
    'kernel.call NtClose handle="0xF8000004"'
    """
    return _on_one_line(_event_parts(event))


def compared_texts(events: Both[Event]) -> Both[str]:
    """Two events of the same call, each on one line, with marks around what differs (see `differing`).

    >>> pair = Both("0xF8000004", "0xF8000008").map(lambda handle: Event(7, "handle.use", 6, 3, {"handle": handle}))
    >>> compared_texts(pair).map(without_changes).ours
    'handle.use handle="0xF8000008"'
    """
    payloads, parts = events.map(compared_payload), events.map(_event_parts)
    unequal = set()
    for key in {**payloads.canary, **payloads.ours}:
        values = Both(payloads.canary.get(key, MISSING), payloads.ours.get(key, MISSING))
        if key in parts.canary.keys() | parts.ours.keys() and not json_equal(*values):
            unequal.add(key)
            texts = differing(values.map(json_text), _VALUE_WIDTH)
            for side in Side:
                if values[side] is not MISSING:
                    parts[side][key] = _field_text(events[side], key, texts[side])
    return parts.map(lambda of_side: _on_one_line(of_side, unequal))


def _event_words(event: Event, side: Side, text: str | None = None) -> str:
    return f"{quoted_changes(text or event_text(event))} ({side.value} {_location(event)})"


def diff_row(
    events: Both[Event | None], *, matches: bool = False, compared: bool = False, mark: str = "", note: str = ""
) -> DiffRow:
    """Events side by side; what differs within them is marked where they are compared."""
    canary, ours = events
    texts = compared_texts(Both(canary, ours)) if compared and canary and ours else Both("", "")
    lines = (
        DiffLine(_location(event) + mark, (text or event_text(event)) + note) if event else None
        for event, text in zip(events, texts, strict=True)
    )
    return DiffRow(Both(*lines), matches, compared)


def compared_events(divergence: Divergence) -> tuple[ComparedEvents, ...]:
    """The events of a divergence whose fields can be compared: on both sides the same call."""
    canary, ours = divergence.events
    if divergence.changed or divergence.mismatch is not Mismatch.PAYLOAD or canary.name != ours.name:
        return divergence.changed
    return (divergence,) if all(divergence.counts) else ()


def _alignment(divergence: Divergence, most_context: int) -> Diff:
    """What matches before a divergence, what is compared and what has no counterpart, and where it goes on."""
    compared, block = compared_events(divergence), divergence.block
    alone = itertools.zip_longest(*(block[side][len(compared) :] for side in Side))
    omitted = {side: divergence.counts[side] - len(block[side]) for side in Side}
    rows = [
        *(diff_row(pair.events, compared=True) for pair in compared),
        *(diff_row(Both(*events)) for events in alone),
    ]
    return Diff(
        [
            *(diff_row(pair, matches=True) for pair in divergence.context[-most_context:]),
            *rows[:FIRST_OF_BLOCK],
            *(gap(f"… {_counted(n, 'more event')} of {side.value} …") for side, n in omitted.items() if n),
            *rows[FIRST_OF_BLOCK:],
            diff_row(divergence.rejoin, matches=True) if divergence.rejoin else gap("(the logs end here)"),
        ]
    )


_SAME_VALUE: Final = "same value, spelled differently"


def _value_cells(
    difference: FieldDifference, meanings: Both[Meaning | None], width: int = _VALUE_WIDTH
) -> Iterator[str]:
    values = difference.values
    texts = differing(values.map(json_text), width)
    endings = "", f", {_SAME_VALUE}" if difference.is_spelling else ""
    for value, text, meaning, ending in zip(values, texts, meanings, endings, strict=True):
        note = f" {literal(_meaning_text(meaning, value))}" if meaning else ""
        yield "*absent*" if value is MISSING else f"{quoted_changes(text)}{note}{ending}"


def _alignment_blocks(divergence: Divergence, most_context: int = sys.maxsize) -> Iterator[Block]:
    """The events around a divergence, and the fields that differ, event by event where they are several."""
    compared = compared_events(divergence)
    yield _alignment(divergence, most_context)
    rows = [
        [_indexes(pair.events), _shortened(difference.path), *_value_cells(difference, meanings)]
        for pair in compared
        for difference, meanings in zip(pair.fields, pair.meanings, strict=True)
    ]
    start = 1 if len(compared) == 1 else 0
    yield from section(Table(("events", "field", "canary", "ours")[start:], [row[start:] for row in rows]))
    if omitted := sum(pair.fields_omitted for pair in compared):
        yield f"More fields that differ: {omitted:,} (a report has {MOST_FIELDS:,} at most)."


# ── verdict, gate, profile ──


def _profile_words(report: Report) -> str:
    """The profile, how much it hid, and how many fields differ only in a name."""
    names = ", ".join(map(quoted, report.options.profile.names))
    rules = _counted(sum(map(bool, report.hidden)), "rule")
    uses = sum(use.used for use in report.names.uses) if report.options.match_names else 0
    by_name = f" and {_counted(uses, 'use')} of names" if uses else ""
    return f"{names} ({_counted(sum(report.hidden), 'difference')} hidden by {rules}{by_name})"


def rule_words(rule: ProfileRule) -> str:
    """What a rule of a profile is about; the file has the rest."""
    return " ".join(_given(rule.sort.value, *rule.labels, *rule.calls, rule.first_call, rule.entry_point))


def _rule_origin(rule: ProfileRule) -> str:
    return f"{os.path.basename(rule.source)}:{rule.lineno}" if rule.lineno else rule.source


def _overuse(report: Report) -> list[str]:
    """Each rule that hid more than it may, and how much."""
    return [
        f"{literal(_rule_origin(rule))} hid {_counted(count, 'difference')}, and may hide {rule.at_most:,}"
        for rule, count in report.rule_uses
        if rule in report.overused
    ]


def _profile_blocks(report: Report, columns: int | None = None) -> list[Block]:
    headings = ("place", "rule", "hid>", "at most>", "reason")
    rows = [
        (
            literal(_rule_origin(rule)),
            _shortened(rule_words(rule)),
            count,
            "" if rule.at_most is None else rule.at_most,
            literal(shorten(rule.reason, _VALUE_WIDTH)),
        )[:columns]
        for rule, count in report.rule_uses
    ]
    return section("## Profile", f"Compared under {_profile_words(report)}.", Table(headings[:columns], rows))


def _verdict_words(report: Report) -> tuple[str, str]:
    """The verdict, and what it comes from."""
    pairs = _counted(len(report.threads), "thread pair")
    if report.verdict is Verdict.IDENTICAL:
        verdict = f"**Identical** under {_profile_words(report)}:" if report.options.profile else "**Identical:**"
        text = f"{_counted(sum(thread.matched for thread in report.threads), 'event')} of {pairs} match."
        certain = _counted(sum(finding.certain for finding in report.identity), "certain finding")
        doubt = (
            f" Some are about different objects: see Identity ({certain}; {quoted('--check-identity')} fails on such)."
        )
        return verdict, text + doubt if report.identity else text
    statuses = Counter(thread.status for thread in report.threads)
    parts = {
        "diverged": statuses[PairStatus.DIVERGED],
        "ended on one side first": statuses[PairStatus.CANARY_ENDED] + statuses[PairStatus.OURS_ENDED],
        "identical": statuses[PairStatus.IDENTICAL],
    }
    others = {
        "threads without a partner": sum(map(len, report.unmapped)),
        "shared-global objects in one log only": sum(map(len, report.lone_globals)),
        "mistaken objects in matching events": len(report.identity),
    }
    counts = [", ".join(f"{count:,} {words}" for words, count in parts.items() if count)]
    counts += [f"{words}: {count:,}" for words, count in others.items() if count]
    counts += _overuse(report)
    return "**Divergent:**", f"of {pairs}, {'; '.join(counts)}. Parity: {percent(report.parity)}."


def _verdict_sentence(report: Report) -> str:
    return " ".join(_verdict_words(report))


def _progress_words(progress: ThreadProgress) -> str:
    more = f"{_counted(abs(progress.events), 'matching event')} {'more' if progress.events > 0 else 'fewer'}"
    words = {Progression.GONE: "now identical", Progression.NEW: "newly different"}
    return ", ".join(
        _given(
            words.get(progress.progression, progress.progression.value),
            progress.events and more,
            progress.new and f"{_counted(len(progress.new), 'new divergence')} from #{progress.new[0]} on",
            progress.fixed and f"{_counted(progress.fixed, 'divergence')} fixed",
            progress.parity_fell and "parity lower",
        )
    )


def _baseline_words(baseline: BaselineComparison) -> str:
    """What changed since the earlier run: the first thread that is worse, then all of it in numbers."""
    threads, scores = baseline.threads, (baseline.parity_before, baseline.parity)
    parities = list(dict.fromkeys(percent(score) for score in scores if score))
    moved = Counter(one.progression for one in threads)
    counts = {
        "earlier": moved[Progression.EARLIER],
        "newly different": moved[Progression.NEW],
        "later": moved[Progression.LATER],
        "now identical": moved[Progression.GONE],
        "new divergences": sum(len(one.new) for one in threads),
        "fixed": sum(one.fixed for one in threads),
        "more threads without a partner": baseline.new_unmapped,
        "more shared-global objects in one log only": len(baseline.new_shared_globals),
    }
    parts = _given(
        *[f"canary tid {one.canary_tid}: {_progress_words(one)}" for one in threads if one.is_worse][:1],
        ", ".join(f"{words}: {count:,}" for words, count in counts.items() if count),
        len(parities) > 1 and f"parity {' before, '.join(parities)} now",
        not baseline.same_profile and "another profile than the baseline's",
    )
    return "; ".join(parts) or "nothing changed"


def _condition(report: Report, gate: Gate) -> tuple[str, str]:
    """What was asked for, and the result."""
    options, until = report.options, report.options.until
    status, idx = report.stop_before_until or (None, 0)
    stopped = f"{_words(status)} at #{idx}" if status else "no partner"
    results = {
        Gate.IDENTICAL: f"the logs are {report.verdict.value}",
        Gate.IDENTITY: _counted(sum(finding.certain for finding in report.identity), "certain identity finding"),
        Gate.PARITY: f"parity is {percent(report.parity)}",
        Gate.PROFILE: f"{_counted(len(report.unused), 'rule')} hid nothing",
        Gate.UNTIL: stopped if report.stop_before_until else "it matches up to there",
        Gate.RATCHET: _baseline_words(report.baseline) if report.baseline else "",
        Gate.AT_MOST: ", ".join(_overuse(report)),
    }
    values = {Gate.PARITY: f" {float(options.fail_under or 0):.15g}"}
    if until:
        values[Gate.UNTIL] = f" {until.thread}:{until.idx}"
    option = gate.value if gate is Gate.AT_MOST else f"--{gate.value.replace('_', '-')}{values.get(gate, '')}"
    return option, results[gate]


def _gate_words(report: Report, gate: Gate) -> str:
    wanted, result = _condition(report, gate)
    return f"{quoted(wanted)}: {result}"


def gate_sentence(report: Report) -> str:
    """Whether the gate that was asked for holds; if not, which conditions do not, and what was found instead."""
    failed = [_gate_words(report, gate) for gate, holds in report.gate.items() if not holds]
    return f"**The gate does not hold:** {'; '.join(failed)}." if failed else "**The gate holds.**"


def verdict_line(report: Report) -> str:
    """The verdict for a terminal, in a line."""
    return TextWriter().text(_verdict_sentence(report))


def _verdict_blocks(report: Report) -> list[Block]:
    gate = report.options.gates and gate_sentence(report)
    since = report.baseline and f"**Against the baseline:** {_baseline_words(report.baseline)}."
    return [*_given(_verdict_sentence(report), gate, since)]


# ── objects, causes, endings ──


def _object_words(known: KnownObject) -> str:
    payload = known.event.payload if known.created else {}
    named = [json_text(payload[key]) for key in ("object_type", "object_name") if payload.get(key)]
    where = f"{'created' if known.created else 'first named'} by tid {known.event.tid} at {_location(known.event)}"
    return f"{' '.join(map(_shortened, [known.sid, *named]))} ({where})"


def _finding_sentence(finding: IdentityFinding) -> str:
    what = finding.objects.map(_object_words)
    about = f"{_shortened(finding.events.canary.kind)} at {_locations(finding.events)} is about {what.canary} on canary"
    should = f"; the counterpart of canary's is {_object_words(finding.expected)}" if finding.expected else ""
    return f"{about}, but about {what.ours} on ours{should}"


def _spelled_like(number: int, value: object) -> str:
    """A number as a log would write it that writes a value."""
    if str(value).startswith("-") and number >> 31 == 1:
        number -= 1 << 32
    text = f"{number:#x}" if str(value)[1:2] in ("x", "X") else str(number)
    return quoted(json_text(text) if isinstance(value, str) else text)


def _broken_sentence(broken: NameBreak) -> str:
    canary, ours = broken.values.map(_shown_value)
    text = f"{_shortened(broken.path)} at {_indexes(broken.events)} is {canary} on canary and {ours} on ours"
    if broken.stands_for is not None:
        text += f", which is what canary calls {_spelled_like(broken.stands_for, broken.values.canary)}"
    if broken.expected is not None:
        text += f"; ours calls canary's object {_spelled_like(broken.expected, broken.values.ours)}"
    return text


def _call_lines(calls: Both[Event | None]) -> list[str]:
    canary, ours = calls
    if canary and ours and event_text(canary) == event_text(ours):
        return [f"It belongs to {quoted(event_text(canary))} ({_locations(Both(canary, ours))})."]
    return [f"On {side.value} it belongs to {_event_words(call, side)}." for side in Side if (call := calls[side])]


def _cause_words(cause: Cause | None) -> str | None:
    if cause is None:
        return None
    if cause.upstream is None:
        return "No relation to another divergence is known."
    of = f"the divergence at {_indexes(cause.at)}" if cause.at else "the end"
    via = f": {_event_words(cause.via, cause.side)}" if cause.via and cause.side else ""
    follows = "Caused by" if cause.relation.is_proof else "Later than"
    return f"{follows} {of} of **{_tids(cause.upstream)}**, {_RELATION_WORDS[cause.relation]}{via}."


def _echo_words(echo: Echo) -> str:
    canary, ours = echo.values.map(_shown_value)
    first = f"{_shortened(echo.upstream_path)} of **{_tids(echo.upstream)}** at {_indexes(echo.upstream)}"
    return f"{canary} → {ours} in {_shortened(echo.path)} (ours #{echo.event.idx}) differs first in {first}."


def _ending_sentence(ending: Ending) -> str:
    side, signaller = ending.side, ending.signaller
    if ending.call is None and ending.wait is None:
        return f"{side.value} ended after {_event_words(ending.last, side)}."
    text = f"{side.value} ended inside {_event_words(ending.call, side) if ending.call else 'a wait'}"
    text += f", waiting: {_event_words(ending.wait, side)}" if ending.wait else ""
    if signaller:
        text += f"; its signaller was tid {signaller.tid}, index {signaller.idx}, which ours never reached: "
        text += quoted(event_text(signaller))
    return f"{text}."


def _ending_lines(ending: Ending, cause: Cause | None) -> list[str]:
    """How one side ended first, and what that follows."""
    return _given(_ending_sentence(ending), cause and cause.effect is None and _cause_words(cause))


# ── where to start ──


def _start_thread(report: Report, start: StartHere | None) -> ThreadReport | None:
    if start is None or start.ours_tid is None:
        return None
    return next((thread for thread in report.threads if thread.pair.canary_tid == start.canary_tid), None)


def _start_words(report: Report, start: StartHere) -> str:
    """The reason to start there, as the end of a sentence."""
    if start.lone is not None:
        what = f"{_shortened(start.lone.object_type)} at {start.lone.pointer:#010x}"
        return f"no thread differs, and only this log has the {what} (line {start.lone.lineno})"
    words, thread = _START_WORDS[start.reason], _start_thread(report, start)
    is_wrong_object = start.reason is StartReason.WRONG_OBJECT
    breaks = (broken for broken in report.names.breaks if is_wrong_object and broken.events == start.events)
    if start.finding:
        return f"{words}: {_finding_sentence(start.finding)}"
    if broken := start.names or next(breaks, None):
        return f"{words}: {_broken_sentence(broken)}"
    if start.events is None and thread is not None and thread.ending:
        return f"{words}. {_ending_sentence(thread.ending)}".removesuffix(".")
    fields = list(payload_differences(*start.events)) if start.events else []
    is_spelling = start.reason is StartReason.VALUE_CHANGED and fields and all(f.is_spelling for f in fields)
    return f"{words}: {_SAME_VALUE}" if is_spelling else words


def _start_events(thread: ThreadReport | None, events: Both[Event]) -> Iterator[str]:
    """The two events that differ; what differs is in sight where they are the same call."""
    is_same_call = events.canary.kind == events.ours.kind and events.canary.name == events.ours.name
    texts = compared_texts(events) if is_same_call else Both(None, None)
    shown = (divergence for divergence in (thread.divergences if thread else ()) if divergence.events == events)
    counts = next((divergence.counts for divergence in shown), Both(1, 1))
    for side in sorted(Side, key=lambda side: not counts[side]):
        words = _event_words(events[side], side, texts[side])
        yield words if counts[side] else f"{side.value} lacks that; what stands there is {words}, which matches"


def _start_blocks(report: Report) -> list[Block]:
    start = report.start_here
    if start is None:
        return []
    count, items = start.downstream, []
    if start.events:
        items = list(_start_events(_start_thread(report, start), start.events))
    for other in start.next:
        where = f" at {_indexes(other)}" if other.canary_idx is not None else ""
        items.append(f"Next: {_tids(other)}{where}: {_start_words(report, other)}")
    sentence = f"**{_tids(start)}**: {_start_words(report, start)}."
    sentence += f" {_counted(count, 'other thread')} can be shown to follow from it." if count else ""
    return ["## Start here", sentence, *section(items)]


# ── all divergences ──


def _sort_words(sort: DivergenceSort) -> str:
    call = f" {literal(_short(sort.call))}" if sort.call else ""
    fields = ", ".join(path.removeprefix("payload.") for path in sort.fields)
    names = f" {_shortened(fields)}" if fields else ""
    return f"{_words(sort.change)}: {literal(_short(sort.kind))}{call}{names}"


def _sort_example(sort: DivergenceSort, width: int = _VALUE_WIDTH) -> str:
    if sort.differing:
        return " → ".join(_value_cells(sort.differing[0], Both(None, None), width))
    event = sort.example.ours if sort.change is Change.EXTRA_ON_OURS else sort.example.canary
    return _shortened(event_text(event))


def _sort_rows(report: Report, width: int = _VALUE_WIDTH) -> list[list[str]]:
    """What differs, by sort; nothing where at most one event differs, which is shown anyway."""
    rows = [
        [
            f"{number:,}",
            _sort_words(sort),
            f"{sort.count:,} on {_counted(sort.threads, 'thread')}",
            f"{sort.first.canary_tid} / {sort.first.ours_tid} {_indexes(sort.first)}",
            _sort_example(sort, width),
            _words(sort.explained_by) if sort.explained_by else "–",
        ]
        for number, sort in enumerate(report.sorts, 1)
    ]
    return rows if sum(sort.count for sort in report.sorts) > 1 else []


def _sort_blocks(report: Report) -> list[Block]:
    """What differs, by sort and by call."""
    calls = [[_shortened(call.name), *call.alone, call.results_differ] for call in report.calls]
    headings = ("sort>", "what", "how many", "first: tids and indexes", "example", "explained by")
    columns = None if any(sort.explained_by for sort in report.sorts) else 5
    rows = [row[:columns] for row in _sort_rows(report)]
    by_call = Table(("call", "only on canary>", "only on ours>", "results differ>"), calls)
    return [
        *section("## Sorts of divergences", Table(headings[:columns], rows)),
        *(section("## By call", by_call) if rows or len(calls) > 1 else []),
    ]


def _pairing_words(pair: ThreadPair) -> str:
    method = "creation tree" if pair.method is PairingMethod.CREATION else _words(pair.method)
    return method if pair.method is PairingMethod.PINNED else f"{method} {pair.confidence:.2f}"


def _short_change(divergence: Divergence) -> str:
    return ", ".join(map(_words, filter(None, (divergence.change, divergence.novelty))))


def _thread_sentence(thread: ThreadReport) -> str:
    if thread.divergence:
        return f"{_short_change(thread.divergence)} at {_indexes(thread.divergence.events)}"
    missing = f", {_counted(sum(thread.remaining), 'event')} before the other"
    return _words(thread.status) + (missing if thread.status is not PairStatus.IDENTICAL else "")


def _thread_table(threads: Iterable[ThreadReport], columns: int | None = None) -> Table:
    headings = ("tids", "parity>", "divergences>", "first difference", "matched>", "events>", "paired by, confidence")
    rows = [
        [
            f"{thread.pair.canary_tid} / {thread.pair.ours_tid}",
            percent(thread.parity),
            f"{thread.divergences_found:,}{'' if thread.parity.complete else ' or more'}",
            _thread_sentence(thread),
            thread.matched,
            f"{thread.events.canary:,} / {thread.events.ours:,}",
            _pairing_words(thread.pair),
        ]
        for thread in threads
    ]
    return Table(headings[:columns], [row[:columns] for row in rows])


def _relation_lines(thread: ThreadReport, nth: int) -> list[str]:
    """The call that a divergence belongs to, and its causes."""
    divergence = thread.divergences[nth]
    cause = _given(_cause_words(thread.cause)) if divergence is thread.caused else []
    return [*_call_lines(divergence.calls), *cause, *map(_echo_words, divergence.echoes)]


def _divergence_evidence(thread: ThreadReport, nth: int) -> list[Block]:
    """What there is to see of a divergence: where it is, what differs, what became of it, and its cause."""
    divergence = thread.divergences[nth]
    counts = f"{_counted(divergence.counts.canary, 'event')} of canary against {divergence.counts.ours:,} of ours"
    matched, after = (_counted(n, "matching event") for n in (divergence.matched_before, divergence.matched_after))
    canary, ours = divergence.rejoin or (None, None)
    lines = _given(
        f"After {matched}, at {_locations(divergence.events)}: **{_short_change(divergence)}** ({counts}).",
        divergence.mismatch is Mismatch.MISSING and "The indexes differ: one log lost events here.",
        divergence.change is Change.INDEX_GAP and "No event is missing: the writer left out an index.",
        canary and ours and f"Together again at {_locations(Both(canary, ours))}, for {after}.",
    )
    return ["\n".join([*lines, *_relation_lines(thread, nth)]), *_alignment_blocks(divergence)]


def _divergence_line(thread: ThreadReport, nth: int) -> str:
    divergence, pair = thread.divergences[nth], thread.pair
    counts = " / ".join(dict.fromkeys(f"{count:,}" for count in divergence.counts))
    paths = [difference.path for pair in compared_events(divergence) for difference in pair.fields]
    parts = _given(
        f"tid {pair.canary_tid} / {pair.ours_tid}",
        _short_change(divergence),
        _indexes(divergence.events),
        f"recovers after {counts}" if divergence.rejoin else "never recovers",
        literal(_event_name(next(itertools.chain(*divergence.block), divergence.events.canary))),
        ", ".join(_shortened(path.removeprefix("payload.")) for path in dict.fromkeys(paths[:3])),
    )
    return " · ".join(parts)


def _divergence_blocks(report: Report) -> Iterator[Block]:
    """One divergence of each sort in full; the indexes of the others, by sort and by thread."""
    seen: set[int] = set()
    others = defaultdict[tuple[int, str], list[str]](list)
    if any(thread.divergences for thread in report.threads):
        yield "## Divergences"
    for thread in report.threads:
        for nth, divergence in enumerate(thread.divergences):
            if divergence.sort in seen:
                others[divergence.sort, _tids(thread.pair)].append(_indexes(divergence.events))
                continue
            seen.add(divergence.sort)
            number = f", divergence {nth + 1} of {thread.divergences_found:,}" if len(thread.divergences) > 1 else ""
            yield f"### {_tids(thread.pair)}{number}"
            yield from _divergence_evidence(thread, nth)
    lines = [f"sort {sort + 1}, {tids}: {', '.join(places)}" for (sort, tids), places in others.items()]
    yield from section("### More of the same sorts", lines)
    if left_out := sum(thread.divergences_found - len(thread.divergences) for thread in report.threads):
        yield f"Divergences that are not listed here: {left_out:,} ({quoted('--max-divergences 0')} lists all)."


# ── names, objects, the rest ──


def _names_sentence(report: Report) -> str:
    also = "match" if report.options.match_names else f"count as different ({quoted('--match-names')} lets them match)"
    return f"Events that differ only in what the two engines call the same objects {also}."


def _name_blocks(report: Report) -> list[Block]:
    """The names that were bound; nothing where both engines use the same ones."""
    names = report.names
    if not names.breaks and not any(use.used for use in names.uses):
        return []
    rows = [[_shortened(use.source), use.bound, use.renamed, use.used] for use in names.uses]
    table = Table(("produced by", "names>", "which differ>", "fields that differ only so>"), rows)
    breaks = [f"**{_tids(broken.pair)}**: {_broken_sentence(broken)}" for broken in names.breaks]
    return ["## Names", _names_sentence(report), *section(table), *section("The wrong object is meant here:", breaks)]


def _ambiguity(pair: ThreadPair) -> str:
    pins = [quoted(f"--tid-map {pair.canary_tid}={tid}") for tid in (pair.ours_tid, pair.alternative)]
    could = f"{_tids(pair)} (confidence {pair.confidence:.2f}): it could as well be ours tid {pair.alternative}"
    return f"{could}; {' or '.join(pins)} settles it."


_IDENTITY_DOUBT: Final = " (Not certain: the alignment is a guess here, or which of several like objects was free.)"


def _finding_lines(report: Report) -> list[str]:
    return [
        f"**{_tids(finding.pair)}**: {_finding_sentence(finding)}."
        + (f" {_counted(finding.count, 'event')} in all." if finding.count > 1 else "")
        + ("" if finding.certain else _IDENTITY_DOUBT)
        for finding in report.identity
    ]


def _identity_blocks(report: Report) -> list[Block]:
    advice = f"advisory; {quoted('--check-identity')} makes them part of the gate"
    gate = "part of the gate" if report.options.check_identity else advice
    introduction = f"Events that match and are about different objects ({gate}):"
    return section("## Identity", introduction, _finding_lines(report))


def _baseline_blocks(baseline: BaselineComparison | None) -> list[Block]:
    if baseline is None:
        return []
    other_canary = "It was made from another canary log: divergences are told by calls, not by where they are."
    other_profile = "It was made under another profile: what that hid is new, what only this one hides is fixed."
    notes = _given(not baseline.same_canary and other_canary, not baseline.same_profile and other_profile)
    threads = [f"canary tid {t.canary_tid} / ours tid {t.ours_tid}: {_progress_words(t)}" for t in baseline.threads]
    lone = [f"in one log only now: {_shortened(sid)}" for sid in baseline.new_shared_globals]
    return ["## Against the baseline", f"Baseline: {quoted(baseline.name)}.", *notes, *section([*threads, *lone])]


def _unmapped_lines(report: Report) -> list[str]:
    return [
        f"{side} tid {thread.tid}, {_counted(thread.events, 'event')}: "
        + (", ".join(map(_shortened, thread.first_calls)) or "no calls")
        for side, threads in report.unmapped.items()
        for thread in threads
    ]


def _lone_table(report: Report) -> Table:
    rows = [
        [side, *map(_shortened, (lone.sid, f"{lone.pointer:#010x}", lone.object_type)), str(lone.tid), str(lone.lineno)]
        for side, alone in report.lone_globals.items()
        for lone in alone
    ]
    return Table(("log", "SID", "pointer", "type", "tid>", "line>"), rows)


def _not_compared(report: Report) -> list[str]:
    unmapped = report.unmapped.map(lambda threads: sum(thread.events for thread in threads))
    floats = Both(*(sum(thread.floated[side] for thread in report.threads) for side in Side))
    remaining = [
        f"{_tids(thread.pair)}: {thread.remaining.canary:,} / {_counted(thread.remaining.ours, 'event')} after the "
        + ("first divergence (parity counts those that match)" if thread.divergence else "end of the other side")
        for thread in report.threads
        if any(thread.remaining)
    ]
    return [
        *remaining,
        f"events of threads without a partner: {unmapped.canary:,} of canary, {unmapped.ours:,} of ours",
        "events that floated (shared-global creates, and what a profile lets float): "
        f"{floats.canary:,} of canary, {floats.ours:,} of ours",
        *(f"{quoted(kind)}: {', '.join(map(quoted, sorted(names)))}" for kind, names in SKIPPED_FIELDS.items()),
        f"of every event: {', '.join(map(quoted, SKIPPED_OF_EVERY_EVENT))}",
    ]


def warning_text(warning: LogWarning) -> str:
    """What a warning says, in words."""
    torn = f"the last line is torn ({_counted(warning.count, 'byte')}), left out"
    lost = _counted(warning.count, "event")
    return {
        WarningKind.TORN_TAIL: f"line {warning.lineno}: {torn if warning.count else 'the compressed data ends early'}",
        WarningKind.HOLE: f"tid {warning.tid}: {lost} lost, the first at index {warning.idx}",
        WarningKind.GROWN: "it grew while it was read; what was added is left out",
        WarningKind.SWAPPED: "the headers name the engines the other way round: are --canary and --ours swapped?",
        WarningKind.SAME_FILE: "this is the other log's file: it was compared with itself",
    }[warning.kind]


def _warning_lines(report: Report) -> list[str]:
    return [f"warning: {quoted(log.name)}: {warning_text(w)}" for log in report.logs for w in log.warnings]


def _closing_blocks(report: Report) -> list[Block]:
    ended = [
        f"{_tids(thread.pair)}: {' '.join(_ending_lines(thread.ending, thread.cause))}"
        for thread in report.threads
        if thread.ending
    ]
    rows = [[side, quoted(log.name), log.bytes, log.events, str(log.threads)] for side, log in report.logs.items()]
    inputs, options = Table(("side", "log", "bytes>", "events>", "threads>"), rows), report.options
    asked = {
        "pins": ",".join(f"{canary}={ours}" for canary, ours in options.tid_map.items()) or "none",
        "automatic pairing": "on" if options.auto_map else "off",
        "context": options.context,
        "divergences shown per pair": options.max_divergences or "all",
    }
    if options.references:
        asked["further runs of canary"] = ", ".join(map(quoted, options.references))
    return [
        *_profile_blocks(report),
        *section("## Ambiguous pairs", [_ambiguity(t.pair) for t in report.threads if t.pair.alternative is not None]),
        *_identity_blocks(report),
        *section("## Ended on one side first", ended),
        *_baseline_blocks(report.baseline),
        *section("## Threads without a partner", _unmapped_lines(report)),
        *section("## Shared-global objects in one log only", _lone_table(report)),
        *section("## Not compared", _not_compared(report)),
        *section("## Inputs", inputs, _warning_lines(report)),
        f"Options: {'; '.join(f'{name} {value}' for name, value in asked.items())}.",
    ]


def comparison_document(report: Report) -> list[Block]:
    """The report for people: verdict, summary, then the evidence."""
    return [
        "# Event log comparison",
        *_verdict_blocks(report),
        *_start_blocks(report),
        *_sort_blocks(report),
        *section("## Threads", _thread_table(report.threads)),
        *_divergence_blocks(report),
        *_name_blocks(report),
        *_closing_blocks(report),
    ]


def render_markdown(report: Report) -> str:
    """The report for people."""
    return write_markdown(comparison_document(report))


_MOST_LISTED: Final = 15
"""Lines of a list in a report for a terminal."""
_MOST_THREADS_LISTED: Final = 40
_EXAMPLE_WIDTH: Final = 30
_MORE: Final = (
    f"More: {quoted('--out report.md')}, {quoted('--report html:report.html')}, {quoted('--max-divergences 0')}; "
    f"{quoted('show')} with the same logs shows the events there, {quoted('cut')} makes a small fixture of them."
)


def _first_lines(title: str, lines: Sequence[str]) -> list[Block]:
    """A list as long as a terminal has room for, and how much more there is."""
    more = len(lines) - _MOST_LISTED
    return section(f"## {title}", [*lines[:_MOST_LISTED], *([f"{more:,} more"] if more > 0 else [])])


def summary_document(report: Report) -> list[Block]:
    """The report for a terminal: what it comes to, and how to get more."""
    differing = [thread for thread in report.threads if thread.status is not PairStatus.IDENTICAL]
    left_out = len(differing) - _MOST_THREADS_LISTED
    sorts = [" · ".join(cell for cell in row if cell != "–") for row in _sort_rows(report, _EXAMPLE_WIDTH)]
    return [
        *_verdict_blocks(report),
        *section(_warning_lines(report)),
        *_start_blocks(report),
        *_first_lines("Sorts", sorts),
        *_given(any(use.used for use in report.names.uses) and _names_sentence(report)),
        *section("## Threads", _thread_table(differing[:_MOST_THREADS_LISTED], 4)),
        *_given(left_out > 0 and f"More threads that differ: {left_out:,}."),
        *_first_lines("Threads without a partner", _unmapped_lines(report)),
        *_first_lines("Identity", _finding_lines(report)),
        *_profile_blocks(report, 4),
        *_given(differing and _MORE),
    ]


# ══ JSON report ═══════════════════════════════════════════════════════════════════════════════════════════════════


REPORT_FORMAT: Final = "diff-events-report"
REPORT_FORMAT_VERSION: Final = 1
_MOST_JSON_CHARACTERS: Final = 50_000
"""A payload or a value that is longer is left out of the JSON, which says how long it is."""


def _bounded_value(name: str, value: object) -> dict[str, object]:
    size = len(json_text(value))
    return {name: value} if size <= _MOST_JSON_CHARACTERS else {name: None, f"{name}_characters": size}


@json_form.register(Event)
def _event_form(event: Event) -> dict[str, object]:
    return {**json_fields(event, "line=lineno idx kind"), **_bounded_value("payload", event.payload)}


@json_form.register(FieldDifference)
def _difference_form(difference: FieldDifference) -> dict[str, object]:
    form: dict[str, object] = {"path": difference.path}
    for side, value in difference.values.items():
        form |= {} if value is MISSING else _bounded_value(side, value)
    return {**form, "same_value": True} if difference.is_spelling else form


def _register(kind: type, names: str, **instead: Callable[[Any], object]) -> None:
    """Registers which fields the JSON form of a type has: see `json_fields`; ``instead`` computes some."""
    json_form.register(kind, lambda v: json_fields(v, names, **{name: of(v) for name, of in instead.items()}))


_PLACES: Final = "canary_idx=events.canary.idx ours_idx=events.ours.idx"
_TIDS: Final = "canary_tid=pair.canary_tid ours_tid=pair.ours_tid"

_register(ThreadPair, "canary_tid ours_tid")
_register(LogWarning, "kind tid line=lineno idx count")
_register(Meaning, "code name", code=lambda meaning: f"0x{meaning.code:X}")
_register(ParityScore, "score matched comparable complete", score=lambda score: math.floor(score.value * 1e6) / 1e6)
_register(
    SharedGlobal, "sid pointer object_type tid idx line=lineno", pointer=lambda created: f"{created.pointer:#010x}"
)
_register(
    KnownObject,
    "sid created tid=event.tid idx=event.idx line=event.lineno object_type object_name",
    object_type=lambda known: known.event.payload.get("object_type"),
    object_name=lambda known: known.event.payload.get("object_name"),
)
_register(
    IdentityFinding,
    f"{_TIDS} event=events canary_object=objects.canary ours_object=objects.ours expected certain count",
)
_register(
    NameBreak, f"{_TIDS} {_PLACES} event=events path canary=values.canary ours=values.ours expected stands_for matching"
)
_register(Echo, "upstream upstream_path ours_idx=event.idx path values")
_register(
    Cause,
    "relation effect upstream at side via same_values=echoes",
    via=lambda cause: cause.via and {**_event_form(cause.via), "tid": cause.via.tid},
)
_register(
    StartHere,
    "reason canary_tid ours_tid canary_idx ours_idx downstream sid=lone.sid identity=finding name_break=names next",
)
_register(
    DivergenceSort,
    "change kind call calls fields count threads first explained_by example",
    example=lambda sort: json_fields(sort, "event=example fields=differing"),
)
_register(
    BaselineComparison,
    "name same_canary same_profile holds summary threads new_unmapped new_shared_globals parity_before",
    summary=lambda one: {move.value: sum(t.progression is move for t in one.threads) for move in Progression},
)
_register(
    Divergence,
    f"class=mismatch {_PLACES} fields sort explained_by novelty change canary_count=counts.canary "
    "ours_count=counts.ours matched_before matched_after rejoin event=events next=following context block "
    "block_omitted fields_omitted changed explanation",
    block_omitted=lambda one: Both(*(one.counts[side] - len(one.block[side]) for side in Side)),
    changed=lambda one: [
        json_fields(pair, "canary=events.canary.idx ours=events.ours.idx fields") for pair in one.changed[1:]
    ],
    explanation=lambda one: json_fields(one, "meanings calls"),
)
_register(
    ThreadReport,
    f"{_TIDS} key marks compared_to paired_by=pair.method confidence=pair.confidence "
    "alternative_ours_tid=pair.alternative status canary_events=events.canary ours_events=events.ours matched "
    "floating_skipped=floated not_compared=remaining divergence divergences divergences_found parity ending cause",
    confidence=lambda thread: round(thread.pair.confidence, 4),
)


def report_json(report: Report) -> Iterator[str]:
    """The report for programs, in pieces: what schema v1 pins, and every number that the Markdown has."""
    lone = {f"{side}_only": [created.sid for created in alone] for side, alone in report.lone_globals.items()}
    options = "tid_map auto_map context max_divergences check_identity match_names references"
    conditions = ((gate, holds, *_condition(report, gate)) for gate, holds in report.gate.items())
    rules = [
        {
            "rule": rule_words(rule),
            "table": rule_table(rule),
            **json_fields(rule, "file=source line=lineno reason at_most"),
            "hidden": count,
        }
        for rule, count in report.rule_uses
    ]
    profile = {"files": report.options.profile.names, "hidden": sum(report.hidden), "rules": rules}
    return json_report(
        REPORT_FORMAT,
        report,
        "verdict parity gate conditions start_here threads unmapped unmapped_threads=unmapped shared_globals "
        "sorts calls names profile identity baseline inputs=logs options skipped_fields",
        gate={gate.value: holds for gate, holds in report.gate.items()},
        conditions=(dict(zip(("gate", "holds", "wanted", "found"), one, strict=True)) for one in conditions),
        unmapped=report.unmapped.map(lambda threads: [thread.tid for thread in threads]),
        shared_globals={**lone, "places": report.lone_globals},
        profile=profile if rules else None,
        options=json_fields(report.options, options),
        skipped_fields={kind: sorted(fields) for kind, fields in SKIPPED_FIELDS.items()},
    )


def render_json(report: Report) -> str:
    """The report for programs as one text; `report_json` gives it in pieces."""
    return "".join(report_json(report))


# ══ baseline ══════════════════════════════════════════════════════════════════════════════════════════════════════


class _Standing(NamedTuple):
    """How far a thread matched in some run, what stopped it there, and all its divergences."""

    canary_tid: int
    ours_tid: int
    key: str
    status: str
    matched: int
    ended_in: str | None
    """The innermost call in which ours ended first."""
    compared_to: int
    marks: tuple[DivergenceMark, ...] | None
    """None where the report lists the first one only."""
    parity: ParityScore | None

    @property
    def start(self) -> str:
        """The key without its ordinal: which member of a pool of threads does what work may be timing."""
        return self.key.rpartition("/")[0] or str(self.canary_tid)


class Baseline(NamedTuple):
    """What a comparison with an earlier run needs of a report; None is what the report does not have."""

    name: str
    canary_size: tuple[int, int] | None
    """Bytes and events of the canary log."""
    threads: tuple[_Standing, ...]
    unmapped: int
    shared_globals: frozenset[str]
    sorts: tuple[Essence, ...]
    parity: ParityScore | None
    rules: frozenset[str] | None
    """Those of its profile's files."""


def _read_parity(form: Mapping[str, Any] | None) -> ParityScore | None:
    return ParityScore(int(form["matched"]), int(form["comparable"]), bool(form["complete"])) if form else None


def _read_standing(thread: Mapping[str, Any]) -> _Standing:
    """A thread's standing from the fields that schema v1 pins, and from those that this tool adds where they are."""
    ending, marks = thread.get("ending"), thread.get("marks")
    last = (ending["call"] or ending["last"]) if ending and ending["side"] == Side.OURS.value else None
    return _Standing(
        int(thread["canary_tid"]),
        int(thread["ours_tid"]),
        str(thread.get("key", "")),
        str(thread["status"]),
        int(thread["matched"]),
        f"{last['kind']} {(last['payload'] or {}).get('name')}" if last else None,
        int(thread.get("compared_to", 0)),
        None if marks is None else tuple(DivergenceMark._make([*map(int, mark[:3]), bool(mark[-1])]) for mark in marks),
        _read_parity(thread.get("parity")),
    )


def _read_essence(sort: Mapping[str, Any]) -> Essence:
    calls = sort["calls"] if "calls" in sort else filter(None, (sort["call"] or "").split(" / "))  # of older reports
    return Change(sort["change"]), str(sort["kind"]), tuple(map(str, calls)), tuple(map(str, sort["fields"]))


def _read_rule(rule: Mapping[str, Any]) -> str:
    """All that tells a rule from others: what it lets differ, whatever the reason and how often."""
    return f"{rule['rule']} {json_text({**rule.get('table', {}), 'reason': None, 'at_most': None})}"


def _read_report(path: str, document: Mapping[str, Any]) -> Baseline:
    canary, rules = document.get("inputs", {}).get("canary"), (document.get("profile") or {}).get("rules", ())
    lone, sorts = document["shared_globals"], document.get("sorts", ())
    threads = tuple(map(_read_standing, document["threads"]))
    unknown = {mark.sort for thread in threads for mark in thread.marks or ()}.difference(range(len(sorts)))
    if unknown:
        raise ValueError(f"sort {min(unknown)} of {len(sorts)}")
    return Baseline(
        name=path,
        canary_size=(canary["bytes"], canary["events"]) if canary else None,
        threads=threads,
        unmapped=len(document["unmapped"]["canary"]) + len(document["unmapped"]["ours"]),
        shared_globals=frozenset((*lone["canary_only"], *lone["ours_only"])),
        sorts=tuple(_read_essence(sort) for sort in sorts),
        parity=_read_parity(document.get("parity")),
        rules=frozenset(_read_rule(rule) for rule in rules if rule["line"]) if "profile" in document else None,
    )


def read_baseline(path: str) -> Baseline:
    """Reads the JSON report of an earlier run. Raises `InputError` where it is none, or of a newer format."""
    expected = "expected a JSON report of this tool"
    try:
        with open(path, "rb") as file:
            document = cast(dict[str, Any], parse_json(file.read()))
        for key, known in (("format", REPORT_FORMAT), ("format_version", REPORT_FORMAT_VERSION)):
            if document[key] != known:
                raise InputError(path, f"expected {known}, found {shorten(json_text(document[key]), 80)}", field=key)
        return _read_report(path, document)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    except NotJsonError as error:
        raise InputError(path, f"{expected}: {error}") from error
    except KeyError as error:
        raise InputError(path, f"{expected}, found no field {error}") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(path, f"{expected}, found a field of another form: {error}") from error


def _partners(old: Iterable[_Standing], now: Iterable[_Standing], *, same_canary: bool) -> dict[_Standing, _Standing]:
    """By thread of this run, the same of the earlier one: by its key, else by canary's tid, where only one has it.

    In another recording the work of one thread is another's: threads that start alike are taken in order.
    """
    partners: dict[_Standing, _Standing] = {}
    for name in ("key", "canary_tid") if same_canary else ("start",):
        groups: defaultdict[object, tuple[list[_Standing], list[_Standing]]] = defaultdict(lambda: ([], []))
        for side, threads, taken in ((0, old, partners.values()), (1, now, partners.keys())):
            for thread in sorted(threads, key=lambda one: (one.status != PairStatus.IDENTICAL.value, one.key)):
                if thread not in taken:
                    groups[getattr(thread, name)][side].append(thread)
        for earlier, later in groups.values():
            if not same_canary or len(earlier) == len(later) == 1:
                partners.update(zip(later, earlier, strict=False))
    return partners


def _calls_of_sort(essence: Essence) -> Sequence[str]:
    """The calls of a sort, whichever side makes them; the kind of an event that is no call."""
    _, kind, calls, _ = essence
    return calls or kind.split(" / ")


_SPLIT_WITHIN: Final = 5
"""So few events after a known divergence of a call, another recording may show a part of it as one of its own.

As measured on recordings of nine programs, each several times."""


class _Ratchet:
    """Tells which divergences are new since an earlier run.

    In the same canary log a divergence stands at an index: it is new where events matched before, or where another sort
    stood, unless one of its sort that stood earlier is gone. In another recording indexes shift, and noise differs in
    values, fields and indexes: there a divergence is known by where its thread starts and by its calls, and is new
    where they diverge more than half as often again as before (half: measured on recordings of nine programs). What is
    more often timing than behaviour is new there only in a thread of which all matched.
    """

    def __init__(self, before: Baseline, now: Baseline) -> None:
        self.same_canary = before.canary_size in (None, now.canary_size)
        self._before, self._now = before.sorts, now.sorts
        known = Counter(
            (thread.start, call)
            for thread in before.threads
            for mark in thread.marks or ()
            for call in _calls_of_sort(self._before[mark.sort])
        )
        self._room = Counter({what: count + count // 2 for what, count in known.items()})

    def _is_no_worse(self, before: DivergenceMark, now: DivergenceMark) -> bool:
        """Whether it is of the same sort or differs in less: fewer fields, or a value where a call was missing."""
        (*earlier, had), (*later, has) = self._before[before.sort], self._now[now.sort]
        return set(has) <= set(had) if earlier == later else later[0] is Change.CHANGED is not earlier[0]

    def _new_at_index(self, before: Sequence[DivergenceMark], now: Sequence[DivergenceMark]) -> tuple[list[int], int]:
        """Where divergences are new in the same canary log, and how many more are gone than came."""
        still = {mark.start for mark in now}
        gone: defaultdict[int, deque[DivergenceMark]] = defaultdict(deque)  # by sort, the first in front
        for mark in before:
            if mark.start not in still:
                gone[mark.sort].append(mark)
        starts = [mark.start for mark in before]
        new = []
        for mark in now:
            at = bisect.bisect_left(starts, mark.start)
            there = before[at : bisect.bisect_right(starts, mark.start)]
            within = at and mark.start < before[at - 1].end
            if any(self._is_no_worse(old, mark) for old in there) if there else within:
                continue
            earlier = (of_sort for of_sort in gone.values() if of_sort and of_sort[0].start < mark.start)
            moved = [of_sort for of_sort in earlier if self._is_no_worse(of_sort[0], mark)]
            if moved:
                min(moved, key=itemgetter(0)).popleft()
            else:
                new.append(mark.start)
        return new, max(0, sum(map(len, gone.values())) - len(new))

    def _new_by_calls(self, start: str, marks: Iterable[DivergenceMark], *, spare_doubtful: bool) -> Iterator[int]:
        """Where divergences are new in another recording of canary."""
        known_to: dict[str, int] = {}  # where the last known divergence of a call ends
        for mark in marks:
            calls = _calls_of_sort(self._now[mark.sort])
            is_known = any(self._room[start, call] > 0 for call in calls)
            is_part = any(mark.start < known_to.get(call, -_SPLIT_WITHIN) + _SPLIT_WITHIN for call in calls)
            self._room.subtract((start, call) for call in calls)
            if is_known:
                known_to.update(dict.fromkeys(calls, mark.end))
            elif not is_part and not (mark.doubtful and spare_doubtful):
                yield mark.start

    def _divergences(self, before: _Standing, now: _Standing) -> tuple[tuple[int, ...], int]:
        """Where those are that the earlier run did not have, and how many are gone."""
        if before.marks is None or now.marks is None:
            return (), 0
        is_cut = before.parity and not before.parity.complete  # at a divergence that it did not look at any more
        compared = [mark for mark in now.marks if mark.start < before.compared_to + (not is_cut)]
        if self.same_canary:
            new, gone = self._new_at_index(before.marks, compared)
            return tuple(new), gone
        to_the_end = before.parity and before.parity.complete and before.ended_in is None
        known = before.status != PairStatus.IDENTICAL.value
        return tuple(self._new_by_calls(now.start, now.marks if to_the_end else compared, spare_doubtful=known)), 0

    def progress(self, before: _Standing | None, now: _Standing) -> ThreadProgress:
        """How one thread stands against the earlier run, which may not have paired it."""
        diverged, identical = PairStatus.DIVERGED.value, PairStatus.IDENTICAL.value
        if before is None:
            progression = Progression.SAME if now.status == identical else Progression.NEW
            return ThreadProgress(now.canary_tid, now.ours_tid, progression, now.matched)
        new, fixed = self._divergences(before, now)
        events = now.matched - before.matched
        alike = now.status == diverged or (before.status, before.ended_in) == (now.status, now.ended_in)
        known = not self.same_canary and not new and alike
        if before.status == now.status == identical:
            progression = Progression.SAME
        elif identical in (before.status, now.status):
            progression = Progression.NEW if before.status == identical else Progression.GONE
        elif known:
            progression = Progression.SAME
        elif events:
            progression = Progression.LATER if events > 0 else Progression.EARLIER
        else:
            only_ended = now.status == diverged != before.status  # a divergence where only the log had ended is new
            progression = Progression.NEW if only_ended else Progression.SAME
        fell = bool(self.same_canary and before.parity and now.parity and now.parity.is_worse_than(before.parity, 1))
        return ThreadProgress(now.canary_tid, now.ours_tid, progression, events, new, fixed, fell)


def compare_with_baseline(report: Report, before: Baseline) -> BaselineComparison:
    """What got better and what got worse since an earlier run: its report and this one, read in the same way."""
    short = replace(report, threads=tuple(replace(thread, divergences=()) for thread in report.threads))
    now = _read_report("", json.loads(render_json(short)))
    ratchet = _Ratchet(before, now)
    before_of = _partners(before.threads, now.threads, same_canary=ratchet.same_canary)
    threads = [ratchet.progress(before_of.get(thread), thread) for thread in now.threads]
    threads += [  # paired then, not now: nothing of it matches any more
        ThreadProgress(thread.canary_tid, thread.ours_tid, Progression.EARLIER, -thread.matched)
        for thread in before.threads
        if thread not in before_of.values()
    ]
    return BaselineComparison(
        name=before.name,
        same_canary=ratchet.same_canary,
        threads=tuple(threads),
        new_unmapped=max(0, now.unmapped - before.unmapped),
        new_shared_globals=tuple(sorted(now.shared_globals - before.shared_globals)),
        parity_before=before.parity,
        parity=report.parity,
        same_profile=before.rules in (None, now.rules),
    )


# ══ HTML ══════════════════════════════════════════════════════════════════════════════════════════════════════════


_MOST_EXHIBITS: Final = 1000
"""Divergences that one page lists."""
_PAGE_CHARACTERS: Final = 1_500_000
"""What their evidence may grow to in all; those beyond it have one line each."""
_EVIDENCE_CHARACTERS: Final = 4_000
"""What the table of a divergence's fields may grow to."""
_CONTEXT_SHOWN: Final = 20
_MOST_LANES: Final = 140
_MOST_SHAPES: Final = 1_500
"""Shapes that lanes are made of, in all; markers come on top."""

_HTML_STYLE: Final = """
input, select { font: inherit; padding: .2rem .6rem; color: inherit; background: var(--card);
  border: 1px solid var(--soft); border-radius: 6px; max-width: min(22rem, 65vw) }
.top, .controls, .facts, .legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center;
  margin: .6rem 0 }
.top { justify-content: space-between }
.note, .what small { color: var(--soft); font-size: .875rem }
.facts { align-items: stretch }
.facts div, .start, .card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px }
.facts div { min-width: 8rem; padding: .6rem .9rem }
.facts dt { color: var(--soft); font-size: .8rem }
dd { margin: 0 }
.facts dd { font-size: 1.25rem }
.legend, .lanes { padding: 0; list-style: none; font-size: .85rem }
.legend svg { width: 34px; height: 14px; margin-right: .45rem; vertical-align: -2px }
.lanes { position: relative; margin: 0 0 .9rem }
.lane { display: grid; grid-template-columns: 11.5rem minmax(0, 1fr) 18rem; gap: 0 1.4rem; align-items: center;
  padding: .3rem 1rem; background: var(--card); border: 1px solid var(--edge); margin-top: -1px }
.lane > svg { display: block; width: 100%; height: 60px }
svg { overflow: visible }
.who { font-size: .8rem; white-space: nowrap }
.what { margin: 0; font-size: .9rem }
.what small { display: block }
.gap { fill: none; stroke: var(--edge); stroke-dasharray: 3 3 }
.same { fill: var(--same) }
.after { fill: url(#after) }
.alone { fill: url(#alone); stroke: var(--alone); stroke-width: .75 }
.unseen { fill: url(#unseen) }
.float { fill: var(--card); stroke: var(--float); stroke-width: 2.5 }
.cut { stroke: var(--ink) }
.mark, svg a path { fill: var(--ink) }
svg text { fill: var(--ink); font: 600 12px system-ui, sans-serif; text-anchor: middle }
.hit { fill: transparent }
svg a:focus-visible { outline: none }
svg a:focus-visible .hit { stroke: var(--link); stroke-width: 3 }
.links { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; stroke: var(--float) }
.links .woken { stroke: var(--alone); stroke-dasharray: 5 3 }
body:not(.common) .links, .common .cut, [hidden] { display: none !important }
.start { margin: 1.4rem 0 0; padding: .9rem 1.1rem; border: 2px solid var(--link) }
.start h2 { margin: 0 }
.card { margin: .35rem 0; border-left: 5px solid var(--alone) }
.card summary { margin: 0; padding: .35rem .9rem; font-size: .92rem; overflow-wrap: anywhere }
.evidence { padding: 0 1.1rem 1rem; scroll-margin-top: 4rem }
.card:has(:target) { border-color: var(--link); box-shadow: 0 0 0 2px var(--link) }
@media (max-width: 56rem) { .lane { grid-template-columns: minmax(0, 1fr); padding: .6rem .9rem } }
@media (max-width: 40rem) {
  .events thead, .events colgroup { display: none }
  .events tr { display: grid; grid-template-columns: 7rem minmax(0, 1fr) } }
@media print {
  .controls, .links { display: none }
  .card, .lane, .start, tr { break-inside: avoid }
  .after { fill: var(--after) }
  .alone { fill: var(--alone) }
  .unseen { fill: var(--edge) } }
"""

_HTML_SCRIPT: Final = """
"use strict";
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const [help, filters, scale] = ["help", "filters", "scale"].map((id) => document.getElementById(id));
const cards = all(".card");
all(".controls").forEach((control) => { control.hidden = false; });

// keys: from divergence to divergence
const stops = () => all(".card:not([hidden]) .evidence");
const isHere = (stop) => `#${stop.id}` === location.hash;
const visit = (stop) => {
  if (!stop) return;
  stop.closest("details")?.setAttribute("open", "");
  location.hash = stop.id;
  stop.focus();
};
const step = (by) => {
  const here = stops().findIndex(isHere);
  visit(stops().at(here < 0 && by < 0 ? -1 : Math.max(here + by, 0)));
};
const keys = {j: () => step(1), k: () => step(-1), "?": () => help.toggleAttribute("open")};
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});
window.addEventListener("hashchange", () => visit(stops().find(isHere)));

// filter: by parts of the cards' lines
const filter = () => {
  const parts = filters.querySelector("input").value.toLowerCase().split(",").map((part) => part.trim());
  cards.forEach((card) => {
    const line = card.querySelector("summary").textContent.toLowerCase();
    card.hidden = !parts.every((part) => line.includes(part));
  });
  filters.querySelector("output").value = `${cards.filter((card) => !card.hidden).length} of ${cards.length} shown`;
};
filters?.addEventListener("input", filter);
if (filters) filter();

// lanes: each in its own scale, or all along the order of the log, with lines from lane to lane
const place = () => {
  const common = document.body.classList.toggle("common", scale.value === "common");
  all(".span").forEach((span) => {
    span.setAttribute("x", common ? span.dataset.x : 0);
    span.setAttribute("width", common ? span.dataset.width : "100%");
  });
  all(".links line").forEach((line) => {
    const frame = line.parentElement.getBoundingClientRect();
    ["from", "to"].forEach((end, n) => {
      const area = document.getElementById(line.dataset[end]).querySelector("svg").getBoundingClientRect();
      line.setAttribute(`x${n + 1}`, area.x - frame.x + area.width * line.dataset[`x${n + 1}`] / 100);
      line.setAttribute(`y${n + 1}`, area.y - frame.y + area.height * (line.dataset.side === "canary" ? .45 : .75));
    });
  });
};
scale.addEventListener("change", place);
window.addEventListener("resize", place);
all("details").forEach((details) => details.addEventListener("toggle", place));
"""

_HTML_HELP: Final = """<details id="help" class="controls note" hidden><summary>Keys: ?</summary>j, k: next divergence,
previous divergence<br>Tab, Enter: to a marker of a lane, and to its evidence<br>?: this help</details>"""

_HTML_PATTERNS: Final = """<svg width="0" height="0" aria-hidden="true" focusable="false"><defs>
<pattern id="after" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path fill="var(--after)" d="M0 0h7v7h-7z"/><path fill="var(--same)" d="M0 0h2.5v7h-2.5z"/></pattern>
<pattern id="alone" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path fill="var(--pale)" d="M0 0h6v6h-6z"/><path fill="var(--alone)" d="M0 0h1.3v6h-1.3zM0 0h6v1.3h-6z"/></pattern>
<pattern id="unseen" width="6" height="6" patternUnits="userSpaceOnUse">
<path fill="var(--soft)" d="M2 2h1.5v1.5h-1.5zM5 5h1v1h-1z"/></pattern></defs></svg>"""

_LOOK_WORDS: Final = {
    "same": "matched",
    "after": "matched again, after the first divergence",
    "alone": "without an equal on the other side",
    "unseen": "not compared",
}
_LEGEND: Final = (
    *((f'<rect class="{look}" width="100%" height="14"/>', words) for look, words in _LOOK_WORDS.items()),
    ('<rect class="gap" width="100%" height="14"/>', "nothing on this side"),
    ('<circle class="float" cx="50%" cy="7" r="4"/>', "an event that floated, as shared-global creates do"),
    ('<path class="mark" d="M11 2h12l-6 10z"/>', "a divergence: leads to its evidence"),
)
_LANES_HEAD: Final = (
    """<h2 id="threads">Threads</h2>
<p class="note">Each lane is a pair of threads from its first event to its last: canary above, ours below, matching \
events one above the other. A piece that is drawn partly high is a mixture.</p>
<ul class="legend">"""
    + "".join(f'<li><svg aria-hidden="true">{shape}</svg>{words}</li>' for shape, words in _LEGEND)
    + """</ul>
<p class="controls" hidden><label>Scale <select id="scale" autocomplete="off"><option value="own">each lane its own
</option><option value="common">one common axis: the order of the log</option></select></label></p>
"""
)
_FILTER: Final = """<p id="filters" class="controls" hidden><label>Show only <input type="search" size="28"
autocomplete="off" placeholder="changed, NtClose, tid 6 / 1"></label> <output></output></p>
"""


class _Exhibit(NamedTuple):
    """A divergence that a page lists."""

    lane: int
    """The number of its thread on the page."""
    nth: int
    """Which divergence of its thread it is, from 0,"""
    thread: ThreadReport
    divergence: Divergence


def _in_order(report: Report) -> list[ThreadReport]:
    """The pairs of threads, what to look at first in front: where to start, what ended or never recovered, the rest."""
    start = _start_thread(report, report.start_here)

    def urgency(thread: ThreadReport) -> tuple[object, ...]:
        recovers = all(divergence.change is not Change.UNRECOVERED for divergence in thread.divergences)
        is_identical = thread.status is PairStatus.IDENTICAL
        return thread is not start, is_identical, thread.ending is None, recovers, thread.parity.value

    return sorted(report.threads, key=urgency)


def _exhibits(report: Report, threads: Sequence[ThreadReport]) -> dict[int, _Exhibit]:
    """What a page has room for, by number: where to start on top; the first of each thread before the second of any."""
    start = report.start_here

    def is_elsewhere(exhibit: _Exhibit) -> bool:
        idx = exhibit.divergence.events.canary.idx
        return start is None or (exhibit.thread.pair.canary_tid, idx) != (start.canary_tid, start.canary_idx)

    exhibits = [
        _Exhibit(lane, nth, thread, divergence)
        for lane, thread in enumerate(threads, 1)
        for nth, divergence in enumerate(thread.divergences)
    ]
    shown = sorted(exhibits, key=lambda exhibit: (is_elsewhere(exhibit), exhibit.nth))[:_MOST_EXHIBITS]
    ordered = sorted(shown, key=lambda exhibit: (is_elsewhere(exhibit), exhibit.lane, exhibit.nth))
    return dict(enumerate(ordered, 1))


# ── lanes: two bars a pair, in percent of the width, so that nothing is distorted whatever the window's size ──


def _last_line(report: Report, side: Side) -> int:
    """Where the common axis of a log ends; with blank lines, it has more lines than events and a header."""
    return max([report.logs[side].events + 1, *(thread.lines[side][1] for thread in report.threads)])


def _span(last_lines: Both[int], thread: ThreadReport, side: Side) -> str:
    """What is drawn over the whole width, and on the common axis between the thread's first and last line."""
    first, last = (100 * line / last_lines[side] for line in thread.lines[side])
    return f'<svg class="span" width="100%" data-x="{first:.2f}%" data-width="{max(0.15, last - first):.2f}%"'


_LanePiece: TypeAlias = "tuple[tuple[str, str], Counter[str]]"
"""Part of a lane: the CSS classes of what matches and of what does not; its places, and events by sort."""
_DRAWN: Final = ("matched", "matched", "canary", "ours", "canary floated", "ours floated")
"""What has shapes of its own in a piece."""


def _pieces(thread: ThreadReport) -> Iterator[_LanePiece]:
    """The steps of a walk. Two events that match share a place; what floats has none."""
    looks = "same", "alone"
    for step in thread.steps:
        (canary, ours), matched = step.positions.map(len), step.matched
        if step.kind is StepKind.FLOATED:
            yield looks, Counter({"canary floated": canary, "ours floated": ours})
            continue
        if step.kind is StepKind.DIFFERED:
            looks = "after", "alone"
        elif step.kind is StepKind.REST and (all(step.positions) or thread.steps[-2].change is Change.UNRECOVERED):
            looks = "after", "unseen"
        places = max(canary, ours)
        yield looks, Counter(places=places, matched=matched, canary=canary - matched, ours=ours - matched)


def _put_together(pieces: Iterable[_LanePiece], most_places: int) -> list[_LanePiece]:
    """Joins neighbours of one look, up to ``most_places`` or if all match."""
    merged: list[_LanePiece] = []
    for looks, counts in pieces:
        if merged and merged[-1][0] == looks:
            both = merged[-1][1] + counts
            floats = counts["canary floated"] or counts["ours floated"]
            if both["places"] <= most_places or (both["places"] == both["matched"] and not floats):
                merged[-1] = looks, both
                continue
        merged.append((looks, counts))
    return merged


def _length(lane: Iterable[_LanePiece]) -> int:
    return sum(counts["places"] for _, counts in lane) or 1


def _drawable(lanes: Sequence[Sequence[_LanePiece]]) -> Sequence[Sequence[_LanePiece]]:
    """All lanes, as finely as the number of shapes allows."""
    for most in (240, 120, 60, 30, 16, 8, 4, 2, 1):
        lanes = [_put_together(lane, -(-2 * _length(lane) // most)) for lane in lanes]
        if sum(bool(counts[name]) for lane in lanes for _, counts in lane for name in _DRAWN) <= _MOST_SHAPES:
            break
    return lanes


def _bar(lane: Sequence[_LanePiece], side: str) -> str:
    """One side of a lane: what matches; over it, as high as its share, what does not; and what floated."""
    whole, start = _length(lane), 0
    boxes, dots = [], []

    def box(look: str, events: int, places: float, height: int = 16) -> str:
        place = f'x="{100 * start / whole:.2f}%" width="{max(0.15, 100 * places / whole):.2f}%"'
        title = f"<title>{_counted(events, 'event')} {_LOOK_WORDS[look]}</title>"
        return f'<rect class="{look}" {place} y="{16 - height}" height="{height}">{title}</rect>'

    if any(counts["places"] > counts["matched"] for _, counts in lane):
        boxes.append('<rect class="gap" width="100%" height="16"/>')
    for looks, counts in lane:
        places, matched, alone, floated = (counts[name] for name in ("places", "matched", side, f"{side} floated"))
        if matched:
            boxes.append(box(looks[0], matched, places))
        if alone:
            width = max(places if matched else min(alone, places), whole / 160)
            boxes.append(box(looks[1], alone, width, 2 * -(-8 * alone // (alone + matched))))
        if floated:
            title = f"<title>{_counted(floated, 'event')} floated</title>"
            dots.append(f'<circle class="float" cx="{100 * start / whole:.2f}%" cy="8" r="4">{title}</circle>')
        start += places
    return "".join(boxes + dots)


def _markers(thread: ThreadReport, exhibits: Mapping[int, _Exhibit]) -> Iterator[str]:
    """The divergences of a lane, each a link to its evidence; a line and the number only where there is room."""
    room_from = -1.0
    places = [0, *itertools.accumulate(counts["places"] for _, counts in _pieces(thread))]
    starts = [place for place, step in zip(places, thread.steps, strict=False) if step.kind is StepKind.DIFFERED]
    for number, exhibit in exhibits.items():
        share = 100 * starts[exhibit.nth] / max(1, places[-1])
        change, indexes = _short_change(exhibit.divergence), _indexes(exhibit.divergence.events)
        label, shown = html_text(f"Divergence {number}: {change}, {indexes}"), ""
        if share >= room_from:
            shown, room_from = f'<text y="-1">{number}</text>', share + 3 + 1.2 * len(str(number))
            yield f'<line class="cut" x1="{share:.2f}%" x2="{share:.2f}%" y1="16" y2="56"/>'
        yield (
            f'<a href="#d{number}" aria-label="{label}"><svg x="{share:.2f}%" y="12" width="1" height="1">'
            f'<rect class="hit" x="-11" y="-12" width="22" height="22"/><path d="M-5 1h10l-5 7z"/>{shown}'
            f"<title>{label}</title></svg></a>"
        )


def _lane_item(
    last_lines: Both[int],
    number: int,
    thread: ThreadReport,
    lane: Sequence[_LanePiece],
    exhibits: Mapping[int, _Exhibit],
) -> str:
    """A pair's lane: who, the two bars, what became of it."""
    tids = Both(thread.pair.canary_tid, thread.pair.ours_tid)
    who = (f"{side} <b>{tid}</b> {_counted(thread.events[Side(side)], 'event')}" for side, tid in tids.items())
    drawing = "".join(
        f'{_span(last_lines, thread, side)} y="{y}" height="16" aria-hidden="true">{_bar(lane, side.value)}</svg>'
        for y, side in zip((20, 38), Side, strict=True)
    )
    of_lane = sorted(((n, one) for n, one in exhibits.items() if one.lane == number), key=lambda one: one[1].nth)
    marks = f"{_span(last_lines, thread, Side.CANARY)}>{''.join(_markers(thread, dict(of_lane)))}</svg>"
    sentence = _thread_sentence(thread)
    more = f"parity {percent(thread.parity)} · paired by {_pairing_words(thread.pair)}"
    if thread.divergences_found > 1:
        more += f" · {_counted(thread.divergences_found, 'divergence')}"
    return (
        f'<li class="lane" id="t{number}"><div class="who">{"<br>".join(who)}</div>\n'
        f'<svg role="group" aria-label="{_tids(thread.pair)}: {sentence}">{drawing}{marks}</svg>\n'
        f'<p class="what">{sentence} <small>{more}</small></p></li>\n'
    )


def _lane_links(last_lines: Both[int], thread: ThreadReport, numbers: Mapping[int, int]) -> Iterator[str]:
    """Lines along the common axis to a thread: from the one that created it, and from who woke a wait of it."""
    cause, born = thread.cause, thread.lines.canary[0]
    links = [("created", -1 if thread.creator is None else thread.creator, Side.CANARY, born, born)]
    if cause and cause.via and cause.side and cause.upstream and cause.relation is Relation.WOKEN_BY:
        stop = thread.caused.events[cause.side].lineno if thread.caused else cause.via.lineno
        links.append(("woken", cause.upstream.canary_tid, cause.side, cause.via.lineno, stop))
    for kind, upstream, side, *lines in links:
        if upstream in numbers:
            x1, x2 = (f"{100 * line / last_lines[side]:.2f}" for line in lines)
            ends = f'data-from="t{numbers[upstream]}" data-to="t{numbers[thread.pair.canary_tid]}"'
            yield f'<line class="{kind}" data-side="{side.value}" {ends} data-x1="{x1}" data-x2="{x2}"/>'


def _html_lanes(report: Report, threads: Sequence[ThreadReport], exhibits: Mapping[int, _Exhibit]) -> str:
    """All pairs, drawn: those that differ, then the identical ones, folded away if there is anything else to see."""
    drawn = threads[:_MOST_LANES]
    lanes = _drawable([list(_pieces(thread)) for thread in drawn])
    last_lines = Both(*(_last_line(report, side) for side in Side))
    numbered = list(zip(itertools.count(1), drawn, lanes))

    def group(are_identical: bool) -> str:
        shown = [one for one in numbered if (one[1].status is PairStatus.IDENTICAL) is are_identical]
        numbers = {thread.pair.canary_tid: number for number, thread, _ in shown}
        items = "".join(_lane_item(last_lines, *one, exhibits) for one in shown)
        links = "".join(link for _, thread, _ in shown for link in _lane_links(last_lines, thread, numbers))
        text = f'<div class="lanes"><ul class="lanes">\n{items}</ul><svg class="links">{links}</svg></div>\n'
        return text if shown else ""

    differing, identical = group(are_identical=False), group(are_identical=True)
    if identical and differing:
        identical = f"<details><summary>Identical pairs</summary>\n{identical}</details>\n"
    left_out = len(threads) - len(drawn)
    note = f'<p class="note">{_counted(left_out, "more pair")}, in the table, not drawn.</p>\n' if left_out else ""
    numbers = HtmlWriter().block(Details("All pairs in numbers", [_thread_table(report.threads)]))
    return f"{_LANES_HEAD}{differing}{identical}{note}{numbers}\n"


# ── evidence ──


def _html_divergences(report: Report, exhibits: Mapping[int, _Exhibit]) -> str:
    """The cards; an example of each sort has its evidence before the others do."""
    evidence, writer, room = {}, HtmlWriter(most_characters=_EVIDENCE_CHARACTERS), _PAGE_CHARACTERS
    examples = {exhibit.divergence.sort: number for number, exhibit in [*exhibits.items()][::-1]}
    for number, exhibit in sorted(exhibits.items(), key=lambda one: one[0] != examples[one[1].divergence.sort]):
        if room > 0:
            relations = _given(" ".join(_relation_lines(exhibit.thread, exhibit.nth)))
            blocks = [*relations, *_alignment_blocks(exhibit.divergence, _CONTEXT_SHOWN)]
            evidence[number] = writer.written(blocks)
            room -= len(evidence[number])
    cards = []
    for number, exhibit in exhibits.items():
        line = writer.text(_divergence_line(exhibit.thread, exhibit.nth))
        lane = f'<a class="note" href="#t{exhibit.lane}">lane</a>' if exhibit.lane <= _MOST_LANES else ""
        cards.append(
            f'<article class="card"><details{" open" * (number == 1)}><summary><b>{number}</b> {line}</summary>\n'
            f'<div class="evidence" id="d{number}" tabindex="-1">{lane}'
            f"{evidence.get(number, '<p>The JSON report has more.</p>')}</div></details></article>\n"
        )
    left_out = sum(thread.divergences_found for thread in report.threads) - len(exhibits)
    note = f'<p class="note">{_counted(left_out, "more divergence")} met, not listed here.</p>' if left_out else ""
    return f'<h2 id="divergences">Divergences</h2>\n{note}{_FILTER}{"".join(cards)}' if exhibits else ""


def _html_verdict(report: Report) -> str:
    look, sign = ("good", "✓") if report.verdict is Verdict.IDENTICAL else ("bad", "✗")
    verdict, sentence = map(TextWriter().text, _verdict_words(report))
    title = html_text(verdict.removesuffix(":"))
    gate = ("holds" if report.passes else "does not hold") if report.options.gates else "not asked for"
    classes = Counter(_short_change(d) for thread in report.threads for d in thread.divergences)
    facts = {
        "gate": gate,
        **({"since the baseline": _baseline_words(report.baseline)} if report.baseline else {}),
        "parity": percent(report.parity),
        "divergences": f"{sum(thread.divergences_found for thread in report.threads):,}",
        **{name: f"{count:,}" for name, count in classes.most_common()},
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        f'<header><div class="top"><h1 class="{look}">{sign} {title}</h1>{_HTML_HELP}</div>\n'
        f'<p>{html_text(sentence[:1].upper() + sentence[1:])}</p>\n<dl class="facts">{items}</dl>'
        f"{HtmlWriter().written(_verdict_blocks(report)[1:])}</header>\n"
    )


def render_html(report: Report) -> str:
    """The report as one page that needs nothing else, of bounded size; every text of the logs stays text."""
    threads = _in_order(report)
    exhibits, start = _exhibits(report, threads), HtmlWriter().written(_start_blocks(report))
    is_shown = any(exhibit.lane == 1 for exhibit in exhibits.values()) and _start_thread(report, report.start_here)
    link = '<p><a href="#d1">Evidence 1</a></p>' if is_shown else ""
    parts = [
        _HTML_PATTERNS,
        _html_verdict(report),
        "<main>\n",
        f'<section class="start" aria-label="Start here">{start}{link}</section>\n' if report.start_here else "",
        HtmlWriter().written(_sort_blocks(report)),
        _html_lanes(report, threads, exhibits),
        _html_divergences(report, exhibits),
        HtmlWriter().written([*_name_blocks(report), *_closing_blocks(report)]),
        "</main>\n",
    ]
    names = " / ".join(shorten(printable(os.path.basename(log.name)), 80) for log in report.logs)
    return html_page(f"{report.verdict.value}: {names}", "".join(parts), _HTML_STYLE, _HTML_SCRIPT)


# ══ calibration report ════════════════════════════════════════════════════════════════════════════════════════════


def _share_sentence(calibration: Calibration) -> str:
    def share(part: int, whole: int) -> str:
        return f"{100 * part / max(1, whole):.1f} %"

    return (
        f"{share(calibration.floating, calibration.events)} of the events may stand anywhere or be missing. "
        f"Of the fields, {share(calibration.ignored, calibration.fields)} are not compared, and "
        f"{share(calibration.partly, calibration.fields)} may be absent or have one of several values."
    )


_SIGHT_WORDS: Final = {
    Sight.UNSEEN: "**blind**",
    Sight.RULE: "blind by rule",
    Sight.SCHEMA: "blind by the schema",
    Sight.CAUGHT: "caught",
}


def audit_table(rows: Iterable[AuditRow]) -> Table:
    """The changes, the blindest first: any change of a field before some, and what happens often before the rest."""
    rows = list(rows)
    events: dict[tuple[str, str | None], int] = {}
    for row in rows:
        events[row.kind, row.call] = max(row.events, events.get((row.kind, row.call), 0))

    def blindness(row: AuditRow) -> tuple[object, ...]:
        is_narrow = row.rule is not None and row.rule.is_of_fields and not row.rule.is_whole
        return list(Sight).index(row.sight), is_narrow, -events[row.kind, row.call] if row.rule else 0

    ordered = sorted(rows, key=blindness)
    cells = [
        (
            literal(row.kind),
            literal(row.call or ""),
            quoted(row.change),
            _SIGHT_WORDS[row.sight] + (f" {_shortened(rule_words(row.rule))}" if row.rule else ""),
            f"{row.values:,} in {row.events:,}" if row.events else "",
        )
        for row in ordered
    ]
    return Table(("kind", "call", "change", "seen", "values in events>"), cells)


def audit_document(rows: Sequence[AuditRow]) -> list[Block]:
    """What a comparison would not see."""
    counts = Counter(row.sight for row in rows)
    compared = len(rows) - counts[Sight.SCHEMA]
    return [
        "# Audit",
        f"Caught: **{counts[Sight.CAUGHT]:,} of {_counted(compared, 'change')}** of what is compared; "
        f"hidden by rules: {counts[Sight.RULE]:,}. Of what the schema skips: {counts[Sight.SCHEMA]:,} more.",
        audit_table(rows),
    ]


def calibration_document(calibration: Calibration, audit: Iterable[AuditRow]) -> list[Block]:
    """What was learned, and how far it can be trusted."""
    names, left = calibration.names, calibration.remaining
    rest = f"**{_counted(left, 'difference')} left over**" if left else "nothing is left over in any pair of runs"
    examples = []
    for compared in calibration.comparisons if left else ():
        runs = " and ".join(quoted(names[run]) for run in compared.runs)
        examples += [f"{runs}: {quoted(event_text(event))}" for event in itertools.islice(compared.examples(), 3)]
        examples += [
            f"{runs}: thread {tid} of {quoted(names[run])} has no partner" for run, tid in compared.unmapped[:3]
        ]
    rules = _counted(len(calibration.profile.rules), "rule")
    blocks: list[Block] = ["# Calibration", f"**{rules}** from {len(names)} runs: {rest}.", *section(examples)]
    if calibration.left_out:
        rows = [(quoted(name), f"{n:,}") for name, n in calibration.left_out.items()]
        blocks += [
            "## False alarms to expect",
            "Each run against the others, under what those teach without it:",
            Table(("left out", "differences>"), rows),
        ]
    blocks += ["## No longer compared", _share_sentence(calibration)]
    if blind := [row for row in audit if row.sight is not Sight.CAUGHT]:
        blocks += ["What a comparison under the profile would not see of changes in the first run:", audit_table(blind)]
    return blocks


# ══ JUnit ═════════════════════════════════════════════════════════════════════════════════════════════════════════


_MOST_IN_A_FAILURE: Final = 10
"""Divergences of a pair that a failure's text spells out."""


def _failure_blocks(thread: ThreadReport) -> Iterator[Block]:
    shown = min(_MOST_IN_A_FAILURE, len(thread.divergences))
    left_out = thread.divergences_found - shown
    for nth in range(shown):
        yield from _divergence_evidence(thread, nth)
    yield "\n".join(
        _given(
            *(_ending_lines(thread.ending, thread.cause) if thread.ending else []),
            left_out and f"{_counted(left_out, 'more divergence')}.",
            f"Parity: {percent(thread.parity)}.",
        )
    )


def _thread_case(report: Report, thread: ThreadReport) -> TestCase:
    """A pair of threads under its stable key. With a ratchet it fails only if it got worse."""
    if thread.status is PairStatus.IDENTICAL:
        return TestCase("threads", thread.key)
    known = report.baseline.threads if report.baseline else ()
    progress = next((one for one in known if one.canary_tid == thread.pair.canary_tid), None)
    moved = progress and f"since the baseline: {_progress_words(progress)}"
    words = "; ".join(_given(f"{_tids(thread.pair)}: {_thread_sentence(thread)}", moved))
    if Gate.RATCHET in report.options.gates and not (progress and progress.is_worse):
        return TestCase("threads", thread.key, skipped=f"{words}; no worse than the baseline")
    return TestCase("threads", thread.key, words, thread.status.value, list(_failure_blocks(thread)))


def _other_cases(report: Report) -> Iterator[TestCase]:
    """Threads without a partner, what turns the gate red though every thread may match, and the gate itself."""
    for side, threads in report.unmapped.items():
        for thread in threads:
            reason = f"no partner in the other log: {_counted(thread.events, 'event')} not compared"
            yield TestCase("threads", f"{side} {thread.key}", skipped=f"{reason} (the gate counts this)")
    for rule, hid in report.rule_uses:
        failure = f"hid {hid:,}, may hide {rule.at_most:,}" if rule in report.overused else None
        name, unused = f"{_rule_origin(rule)} {_short(rule_words(rule))}", None if hid else "this rule hid nothing"
        yield TestCase("profile", name, failure, "profile", skipped=unused, output=f"hid {hid:,} ({rule.reason})")
    if count := sum(map(len, report.lone_globals)):
        message = f"{_counted(count, 'shared-global object')} in one log only"
        known = report.baseline is not None and not report.baseline.new_shared_globals
        if known and Gate.RATCHET in report.options.gates:
            yield TestCase("objects", "shared-global objects", skipped=f"{message}; no worse than the baseline")
        else:
            yield TestCase("objects", "shared-global objects", message, "shared_globals", [_lone_table(report)])
    if report.identity and report.options.check_identity:
        message = _counted(len(report.identity), "identity finding")
        yield TestCase("objects", "identity", message, "identity", _identity_blocks(report)[1:])
    for gate, holds in report.gate.items():
        failure = None if holds else _gate_words(report, gate)
        evidence = _baseline_blocks(report.baseline)[1:] if gate is Gate.RATCHET else [_verdict_sentence(report)]
        yield TestCase("gate", gate.value.replace("_", "-"), failure, "gate", evidence)


def render_junit(report: Report) -> str:
    """The report as test results: a case a pair of threads, so that a CI server shows which thread fails and why."""
    cases = [*(_thread_case(report, thread) for thread in report.threads), *_other_cases(report)]
    return junit_xml(" / ".join(log.name for log in report.logs), cases)


# ══ show ══════════════════════════════════════════════════════════════════════════════════════════════════════════


_LEAST_KEPT: Final = 3
"""Rows at each end of what is folded that are shown."""
_MOST_OTHERS: Final = 8
"""Events of other threads between two rows, of one side, that are shown: those nearest to the marked row."""


class AlignedRows:
    """A walk row by row, any of them at once: what matches shares a row, and so do the nth events of a difference."""

    def __init__(self, walk: PairWalk) -> None:
        self.walk = walk
        self._starts = [0, *itertools.accumulate(max(map(len, step.positions)) for step in walk.steps)]

    def __len__(self) -> int:
        return self._starts[-1]

    def _step_of(self, number: int) -> tuple[Step, int]:
        """The step that a row is of, and which row of it that is."""
        nth = bisect.bisect_right(self._starts, number) - 1
        return self.walk.steps[nth], number - self._starts[nth]

    def __getitem__(self, number: int) -> tuple[Both[int | None], StepKind]:
        """The positions of a row's events, and what it is part of."""
        step, nth = self._step_of(number)
        kind = StepKind.DIFFERED if step.differs else step.kind
        return Both(*(places[nth] if nth < len(places) else None for places in step.positions)), kind

    def rows_of(self, difference: Step) -> range:
        """The rows of a difference."""
        nth = self.walk.steps.index(difference)
        return range(self._starts[nth], self._starts[nth + 1])

    def find(self, side: Side, position: int) -> int:
        """The number of the row that has an event."""
        nth = bisect.bisect_right(self.walk.steps, position, key=lambda step: step.starts[side]) - 1
        while position not in self.walk.steps[nth].positions[side]:
            nth -= 1
        return self._starts[nth] + position - self.walk.steps[nth].starts[side]

    def differing(self, rows: range) -> int:
        """How many of some rows match nothing."""
        bounds = zip(itertools.pairwise(self._starts), self.walk.steps, strict=True)
        return sum(len(range(max(rows.start, a), min(rows.stop, b))) for (a, b), step in bounds if step.differs)

    def _from(self, rows: range, count: int) -> Iterator[int]:
        """So many rows in either direction; of a long stretch that matches, only those at its ends."""
        keep = max(_LEAST_KEPT, count // 4)
        while rows and count > 0:
            step, nth = self._step_of(rows[0])
            size = max(map(len, step.positions)) - nth if rows.step > 0 else nth + 1
            of_step, rows = rows[:size], rows[size:]
            if step.matched and size > 2 * keep:
                far = keep if rows and count > 2 * keep else 0
                yield from (*of_step[: min(keep, count)], *of_step[size - far :])
                count -= 2 * keep
            else:
                yield from of_step[:count]
                count -= size

    def around(self, number: int, count: int) -> list[int]:
        """So many rows before and after one."""
        directions = range(number + 1, len(self)), range(number - 1, -1, -1)
        return sorted({number}.union(*(self._from(rows, count) for rows in directions)))

    def with_text(self, text: str, number: int, most: int) -> list[int]:
        """The rows nearest to one, so many before and after, that have a text, as it is or as JSON escapes it."""
        needles = {text.encode("utf-8", "surrogatepass"), json.dumps(text)[1:-1].encode()}
        step, nth = self._step_of(number)
        hits: set[int] = set()
        for side, cursor in zip(Side, self.walk.sides, strict=True):
            start = cursor.stream.chunk_of(min(step.starts[side] + nth, len(cursor.stream) - 1))
            for direction, chunks in ((1, range(start, len(cursor.log.index.chunks))), (-1, range(start, -1, -1))):
                of_log = (
                    self.find(side, cursor.stream.position_of(idx))
                    for indexes in cursor.log.indexes_with_any(needles, cursor.tid, chunks)
                    for idx in indexes[::direction]
                )
                hits.update(
                    itertools.islice((hit for hit in of_log if direction * hit >= direction * number), most + 1)
                )
        before, after = ([hit for hit in sorted(hits) if (hit < number) is earlier] for earlier in (True, False))
        return [*before[max(0, len(before) - most) :], *after[: most + (number in hits)]]


class Target(NamedTuple):
    """An event of one log, which somebody wants to see."""

    side: Side
    tid: int
    position: int


def _start_target(compared: Compared) -> Target:
    """Where to start, by the report: on the side that has an event there without counterpart."""
    start, walks = compared.report.start_here, compared.walks
    if start is None:  # a name or a hole is never where to start, but perhaps all that there is
        walk = next((walk for walk in walks if walk.differences), None)
        if walk is None:
            raise UsageError("--at start: nothing differs; name an event, as --at 6:1234")
        positions = walk.differences[0].starts
    elif start.canary_tid is None or start.ours_tid is None:
        side, tid = (Side.CANARY, start.canary_tid) if start.ours_tid is None else (Side.OURS, start.ours_tid)
        assert tid is not None
        return Target(side, tid, compared.logs[side].position(tid, start.lone.idx) if start.lone else 0)
    else:
        walk = next(walk for walk in walks if walk.canary.tid == start.canary_tid)
        positions = walk.rest.map(lambda rest: rest.start)
        if start.events:
            positions = Both(*(walk.sides[side].stream.position_of(start.events[side].idx) for side in Side))
    for step, side in itertools.product(walk.steps, Side):
        is_there = step.differs and all(step.starts[each] <= positions[each] <= step.ends[each] for each in Side)
        if is_there and positions[side] in step.positions[side]:
            return Target(side, walk.sides[side].tid, positions[side])
    return Target(Side.CANARY, walk.canary.tid, min(positions.canary, len(walk.canary.stream) - 1))


def target_of(compared: Compared, text: str) -> Target:
    """What ``--at`` names. Raises `UsageError` where there is no such event."""
    if text == "start":
        return _start_target(compared)
    match = re.fullmatch(r"(?:(canary|ours):)?(line|[0-9]{1,18}):([0-9]{1,18})", text)
    if match is None:
        expected = "start, TID:IDX, ours:TID:IDX, line:N or ours:line:N"
        raise UsageError(f"--at: expected {expected}, found {printable(text)!r}")
    side, number = Side(match[1] or "canary"), int(match[3])
    log = compared.logs[side]
    if match[2] == "line":
        chunk = bisect.bisect_right(log.index.chunks, number, key=lambda chunk: chunk.first_lineno) - 1
        for lineno, _, raw in log.raw_events(chunk) if chunk >= 0 else ():
            if lineno == number:
                return Target(side, int(raw.tid), log.position(int(raw.tid), int(raw.tid_event_idx)))
        raise UsageError(f"--at: line {number} of {log.source.name} has no event")
    tid = int(match[2])
    stream = log.index.streams.get(tid)
    if stream is None:
        known = ", ".join(map(str, sorted(log.index.streams)))
        raise UsageError(f"--at: {log.source.name} has no thread {tid} (it has {shorten(known, 200)})")
    position = stream.position_of(number)
    if not 0 <= position < len(stream) or stream.idx_at(position) != number:
        raise UsageError(f"--at: thread {tid} of {log.source.name} has no event with index {number}")
    return Target(side, tid, position)


def walk_with(compared: Compared, target: Target) -> PairWalk:
    """The walk of the pair that an event's thread is of. Raises `UsageError` where it has no partner."""
    for walk in compared.walks:
        if walk.sides[target.side].tid == target.tid:
            return walk
    thread = f"{target.side.value}'s tid {target.tid}"
    raise UsageError(f"--at: {thread} has no partner that it could stand against; pin one with --tid-map")


class ViewRow(NamedTuple):
    """A row of the view, or how many rows or events are left out."""

    name: str
    """``matched``, ``floated``, ``differed`` or ``other_threads``: what those did meanwhile, events of one side."""
    events: Both[Event | None] = Both(None, None)
    omitted: int = 0
    differing: int = 0
    """How many of those left out match nothing."""


class View(NamedTuple):
    """The aligned events of a pair of threads around one of them."""

    tids: Both[int]
    calls: Both[Event | None]
    """Of the row that was asked for: the call that each side's event belongs to."""
    at: int
    """The number of that row among the rows."""
    rows: Sequence[ViewRow]
    sought: str | None
    """The text that rows were to have, and none has."""


def _others_between(log: Log, timeline: Timeline, one: Event, other: Event) -> Iterator[tuple[When, EventPlace]]:
    """What the other threads did between two events of one, and when, by the log's own order."""
    if timeline.by_clock:
        after, before = timeline.of(one), timeline.of(other)
        for tid, stream in log.index.streams.items():
            when = functools.partial(timeline.at, tid)
            later = range(bisect.bisect_right(range(len(stream)), after, key=when), len(stream))
            there = ((when(position), (tid, position)) for position in later if tid != one.tid)
            yield from itertools.takewhile(lambda event: event[0] < before, there)
        return
    chunk_of = functools.partial(bisect.bisect_right, log.index.chunks, key=lambda chunk: chunk.first_lineno)
    for number in range(chunk_of(one.lineno) - 1, chunk_of(other.lineno)):
        for lineno, _, raw in log.raw_events(number):
            tid = int(raw.tid)
            if one.lineno < lineno < other.lineno and tid != one.tid:
                yield (0, lineno), (tid, log.position(tid, int(raw.tid_event_idx)))


def _with_others(rows: Sequence[ViewRow], at: int, logs: Both[Log]) -> Iterator[ViewRow]:
    """The rows, and between them what the other threads did, of much that which is nearest to the marked row."""
    timelines = logs.map(Timeline)
    last: dict[Side, Event] = {}
    for number, row in enumerate(rows):
        last = {} if row.omitted else last
        for side in Side:
            event = row.events[side]
            if event and side in last:
                others = sorted(_others_between(logs[side], timelines[side], last[side], event))
                nearest = others[-_MOST_OTHERS:] if number <= at else others[:_MOST_OTHERS]
                events = (logs[side].event(*place) for _, place in nearest)
                pairs = (Both(one, None) if side is Side.CANARY else Both(None, one) for one in events)
                fold = [ViewRow("other_threads", omitted=len(others) - len(nearest))] * (len(others) > len(nearest))
                shown = [ViewRow("other_threads", pair) for pair in pairs]
                yield from fold + shown if number <= at else shown + fold
            if event:
                last[side] = event
        yield row


def view_around(compared: Compared, target: Target, around: int, *, grep: str | None, all_threads: bool) -> View:
    """The rows around an event; with ``grep``, the nearest ones that have that text."""
    walk = walk_with(compared, target)
    rows = AlignedRows(walk)
    number = rows.find(target.side, target.position)
    numbers = rows.around(number, around) if grep is None else rows.with_text(grep, number, around)

    def view_row(number: int) -> ViewRow:
        positions, kind = rows[number]
        ends = zip(walk.sides, positions, strict=True)
        return ViewRow(kind.name.lower(), Both(*(None if at is None else cursor.event(at) for cursor, at in ends)))

    shown: list[ViewRow] = []
    for before, this in itertools.pairwise((-1, *sorted({number, *numbers}), len(rows))):
        if between := range(before + 1, this):
            shown.append(ViewRow("", omitted=len(between), differing=rows.differing(between)))
        if this < len(rows):
            shown.append(view_row(this))
    marked = view_row(number)
    if all_threads:
        shown = list(_with_others(shown, shown.index(marked), compared.logs))
    calls = (call_of(walk.sides[side].log, event) if (event := marked.events[side]) else None for side in Side)
    tids = walk.sides.map(lambda cursor: cursor.tid)
    return View(tids, Both(*calls), shown.index(marked), shown, grep if around and not numbers else None)


def _view_rows(row: ViewRow, mark: str) -> Iterator[DiffRow]:
    """A row for people. What stands side by side in a difference is compared if it is the same call."""
    if row.omitted:
        what = _counted(row.omitted, "more event") + " of other threads" if row.name else _counted(row.omitted, "row")
        differing = f", {row.differing:,} of them without a match" if row.differing else ""
        yield gap(f"… {what}{differing} …")
        return
    canary, ours = row.events
    floats, matched, compared = row.name == "floated", row.name == "matched", False
    if row.name == "other_threads" and (event := canary or ours):
        mark = f" tid {event.tid}"
    if canary and ours and not floats and not events_equal(canary, ours):
        compared = matched or (canary.kind, canary.name) == (ours.kind, ours.name)
    note = " (floats)" if floats else " (the same by name or rule)" if compared and matched else ""
    matches, apart = row.name != "differed" and not compared, (Both(canary, None), Both(None, ours))
    for events in apart if floats and canary and ours else (row.events,):
        yield diff_row(events, matches=matches, compared=compared, mark=mark, note=note)


def view_document(view: View) -> list[Block]:
    """The view for people."""
    title = f"canary tid {view.tids.canary} / ours tid {view.tids.ours}"
    rows = [line for n, row in enumerate(view.rows) for line in _view_rows(row, " ◀" if n == view.at else "")]
    missing = _given(view.sought is not None and f"No event of these threads has the text {quoted(view.sought)}.")
    return [f"# {title}", *missing, *_call_lines(view.calls), Diff(rows)]


def _view_row_form(row: ViewRow) -> dict[str, object]:
    form: dict[str, object] = {"row": row.name} if row.name else {}
    if row.omitted:
        return {"omitted": row.omitted, **(form or {"differing": row.differing})}
    event = row.events.canary or row.events.ours
    tid = {"tid": event.tid} if event and row.name == "other_threads" else {}
    return {**form, **tid, **json_fields(row.events, "canary ours")}


def view_json(view: View) -> Iterator[str]:
    """The view for programs."""
    names = "canary_tid=tids.canary ours_tid=tids.ours calls at rows"
    return json_report("diff-events-view", view, names, rows=map(_view_row_form, view.rows))


# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████
# ██ AGENT TRACES
# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████


# ══ agent traces ══════════════════════════════════════════════════════════════════════════════════════════════════


_STOP_REASONS: Final = "end_turn|max_tokens|stop_sequence|tool_use"

_VERSION_FIELD: Final = fields("v:version")
RECORD_FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    kind: (*_VERSION_FIELD, *fields(notation))
    for kind, notation in {
        "session_start": "session_id:str ts:time actor:claude-code|apr-code model:str cwd_sha256:sha256 cwd:str?",
        "user_prompt": "turn:int>=0 text:str",
        "assistant_turn": f"turn:int>=1 blocks:array stop_reason:{_STOP_REASONS}",
        "tool_result": "turn:int>=2 tool_use_id:str ok:bool content:str side_effects:object|null?",
        "hook_event": ("turn:int>=0 event:str matcher:str|null? decision:allow|warn|block exit_code:int output:str?"),
        "skill_invocation": (
            "turn:int>=0 name:str source:user_invoked|auto_matched instructions_injected:bool? args:any?"
        ),
        "session_end": (
            f"turn:int>=0 stop_reason:{_STOP_REASONS}|error elapsed_ms:int>=0? tokens_in:int>=0? tokens_out:int>=0?"
        ),
    }.items()
}
"""What each kind of record carries besides ``v`` and ``kind``."""

BLOCK_FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "text": fields("text:str"),
    "thinking": fields("thinking:str signature:str?"),
    "tool_use": fields("id:str name:str input:object"),
}

_SIDE_EFFECT_FIELDS: Final = fields("files_read:array? files_written:array? exit_code:int? post_state_sha256:sha256?")


def _variant_problems(
    value: object, key: str, variants: Mapping[str, Sequence[Field]], path: str = ""
) -> Iterator[Problem]:
    variant = value.get(key, MISSING) if isinstance(value, dict) else MISSING
    if not isinstance(value, dict):
        yield Problem(Finding.FIELD, path or None, f"expected an object, found {described(value)}")
    elif isinstance(variant, str) and variant in variants:
        yield from field_problems(value, variants[variant], path, [key])
    else:
        text = f"expected one of {', '.join(variants)}, found {described(variant)}"
        yield Problem(Finding.FIELD, member_path(path, key), text)


def record_problems(record: object) -> Iterator[Problem]:
    """Every deviation of one record from the schema, in the order of the schema.

    >>> [problem.field for problem in record_problems({"v": 1, "kind": "user_prompt", "turn": -1})]
    ['turn', 'text']
    """
    kind = record.get("kind") if isinstance(record, dict) else None
    if isinstance(record, dict) and not (isinstance(kind, str) and kind in RECORD_FIELDS):
        yield from field_problems({"v": record.get("v", MISSING)}, _VERSION_FIELD)
    yield from _variant_problems(record, "kind", RECORD_FIELDS)
    if not isinstance(record, dict):
        return
    if kind == "assistant_turn" and isinstance(blocks := record.get("blocks"), list):
        for number, block in enumerate(blocks):
            yield from _variant_problems(block, "type", BLOCK_FIELDS, f"blocks[{number}]")
    if kind == "tool_result" and isinstance(effects := record.get("side_effects"), dict):
        yield from field_problems(effects, _SIDE_EFFECT_FIELDS, "side_effects")


class ToolResult(NamedTuple):
    """What came back from a tool."""

    content: str
    ok: bool = True
    turn: int = 2
    post_state_sha256: str | None = None
    lineno: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One ``tool_use`` block with its result, where there is one.

    ``cwd`` is the agent's working directory where it is known, ``temporary_dirs`` the directories in which this
    agent had ``mktemp`` make files: both belong to the trace, and are here because the rules need them.
    """

    name: str
    input: Mapping[str, object]
    result: ToolResult | None = None
    turn: int = 1
    lineno: int = 0
    cwd: str | None = None
    temporary_dirs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HookEvent:
    """One hook that ran; ``call`` is the tool call that triggered it, where it was a tool's."""

    event: str
    matcher: str | None = None
    decision: str = "allow"
    exit_code: int = 0
    output: str = ""
    turn: int = 0
    lineno: int = 0
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class SkillInvocation:
    """One skill that was invoked; ``args`` is None where it has none."""

    name: str
    source: str
    instructions_injected: bool = False
    args: object = None
    turn: int = 0
    lineno: int = 0


Action = ToolCall | HookEvent | SkillInvocation


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded run of a coding agent: what it did, in the order of the file."""

    source: str
    actions: tuple[Action, ...]
    actor: str = ""
    cwd: str | None = None
    cwd_sha256: str = ""
    prompts: tuple[str, ...] = ()


TraceSource: TypeAlias = str | os.PathLike[str] | bytes | IO[str] | IO[bytes]
"""A path, the text of a trace (a string that begins with a brace, or bytes), or an open file."""


def _log_lines(path: str) -> Iterator[bytes]:
    with contextlib.closing(LogSource(path)) as log:
        yield from log.lines()


def _opened(source: TraceSource) -> tuple[str, Iterable[str | bytes]]:
    """What a source is called, and its lines. Reading them raises `InputError` where a file cannot be read."""
    if isinstance(source, bytes):
        return "<text>", io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        is_text = path.lstrip("\ufeff \t\r\n").startswith("{")
        return ("<text>", io.StringIO(path)) if is_text else (path, _log_lines(path))
    if not hasattr(source, "read"):
        raise TypeError(f"expected a path, a text or an open file, found {type(source).__name__}")
    return str(getattr(source, "name", "<file>")), source


def numbered_lines(lines: Iterable[str | bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """The lines that hold anything: number from 1, text, and whether a newline ends it.

    A BOM and white space at the ends of a line go.
    """
    for lineno, one in enumerate(lines, 1):
        line = one.encode(errors="surrogatepass") if isinstance(one, str) else one
        if text := line.removeprefix(BYTE_ORDER_MARK if lineno == 1 else b"").strip():
            yield lineno, text, line.endswith(b"\n")


_MATCHED_TOOLS: Final = 256
"""A matcher with wildcards is tried on at most this many tool names of a turn, to bound the work."""


def matching_tools(matcher: str | None, tools: Collection[str]) -> set[str]:
    """The tools that a hook's matcher matches: alternatives separated by ``|``, with ``*`` or ``.*`` as wildcard.

    >>> matchers = (None, "*", "Edit|Bash", "B.*", "^(Edit|Bash)$", "Edit")
    >>> [bool(matching_tools(matcher, ["Bash"])) for matcher in matchers]
    [True, True, True, True, True, False]
    """
    alternatives = re.sub(r"\(\?:|[()^$\s]", "", matcher or "*").replace(".*", "*").split("|")
    matched = {name for name in alternatives if name in tools}
    for pattern in {name for name in alternatives if re.search(r"[*?\[]", name)}:
        matched.update(fnmatch.filter(itertools.islice(tools, _MATCHED_TOOLS), pattern))
    return matched


def _with_triggers(actions: Sequence[Action]) -> Iterator[Action]:
    """The actions, each hook of a tool together with the call that triggered it.

    That is the call of the same turn (or whose result is of that turn) that the matcher matches; where hooks of one
    sort run several times in a turn, the first belongs to the first such call, and so on.
    """
    calls: dict[int, list[ToolCall]] = {}
    names: dict[int, dict[str, None]] = {}
    for call in actions:
        if isinstance(call, ToolCall):
            for turn in {call.turn, call.result.turn if call.result else call.turn}:
                calls.setdefault(turn, []).append(call)
                names.setdefault(turn, {})[call.name] = None
    meant: dict[object, list[ToolCall]] = {}
    hooks = Counter[object]()
    for action in actions:
        if isinstance(action, HookEvent) and "ToolUse" in action.event:
            turn, sort = action.turn, (action.turn, action.event, action.matcher)
            tools = frozenset(matching_tools(action.matcher, names.get(turn, {})))
            if (turn, tools) not in meant:
                meant[turn, tools] = [call for call in calls.get(turn, []) if call.name in tools]
            candidates = meant[turn, tools]
            yield replace(action, call=candidates[min(hooks[sort], len(candidates) - 1)] if candidates else None)
            hooks[sort] += 1
        else:
            yield action


def temporary_directories(command: str) -> Iterator[str]:
    """The directories in which ``mktemp -p DIR`` or ``--tmpdir=DIR`` makes its files.

    >>> list(temporary_directories("f=$(mktemp -p build/tmp) && mktemp --tmpdir=/var/tmp"))
    ['build/tmp', '/var/tmp']
    """
    for call in re.finditer(r"\bmktemp\b([^|;&\n()`]*)", command):
        for directory in re.finditer(r"(?:\s-[dqtu]*p\s*|\s--tmpdir=)(['\"]?)([^\s'\"$]+)\1", call[1]):
            yield directory[2].rstrip("/")


_UUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class TraceReader:
    """Takes the records of one trace in the order of the file: says what is wrong with each, and gathers the actions.

    It alone knows what is wrong with a trace: the parser stops at the first error, `validate_file`
    lists everything. Actions are gathered as long as there was no error.
    """

    def __init__(self, source: str = "", cwd: str | None = None) -> None:
        self._source, self._cwd = source, cwd
        self._start: dict[str, Any] = {}
        self._prompts: list[str] = []
        self._actions: list[Action] = []
        self._uses: dict[str, list[int]] = {}
        """The positions of the actions that have an id: one, where the writer made no mistake."""
        self._use_count, self._result_count = Counter[str](), Counter[str]()
        """How many tool uses an id has, and how many results."""
        self._last_kind: object = None
        self.records, self.is_good = 0, True

    def problems(self, lineno: int, record: object) -> list[Problem]:
        """Takes the next record; what is wrong with it."""
        self.records += 1
        problems = [*record_problems(record), *(self._order_problems(record) if isinstance(record, dict) else ())]
        self.is_good &= not any(problem.is_error for problem in problems)
        if self.is_good:
            self._take(lineno, cast(dict[str, Any], record))
        return problems

    def problems_at_end(self) -> Iterator[Problem]:
        """What is known only at the end of a trace."""
        if self._last_kind != "session_end":
            yield Problem(Finding.NO_END, None, "no session_end at the end: the run may have been cut off")

    def _order_problems(self, record: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong with a record after the records before it."""
        kind, session = record.get("kind", MISSING), record.get("session_id")
        if (kind == "session_start") != (self.records == 1):
            expected = "session_start first" if self.records == 1 else "one session_start only"
            yield Problem(Finding.ORDER, "kind", f"expected {expected}, found {described(kind)}")
        if self._last_kind == "session_end":
            yield Problem(Finding.NO_END, "kind", "a record after session_end")
        self._last_kind = kind
        if kind in ("assistant_turn", "tool_result"):
            yield from self._id_problems(record)
        elif kind == "hook_event" and record.get("decision") == "block" and record.get("exit_code") == 0:
            yield Problem(Finding.BLOCK_EXIT_CODE, "exit_code", "the hook blocks, and exits as if it allowed")
        elif kind == "session_start" and isinstance(session, str) and not re.fullmatch(_UUID, session):
            yield Problem(Finding.SESSION_ID, "session_id", f"expected a UUID, found {described(session)}")

    def _id_problems(self, record: Mapping[str, Any]) -> Iterator[Problem]:
        is_turn, blocks, answered = record["kind"] == "assistant_turn", record.get("blocks"), record.get("tool_use_id")
        for number, block in enumerate(blocks if is_turn and isinstance(blocks, list) else ()):
            if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(use := block.get("id"), str):
                if self._use_count[use]:
                    text = f"expected an id that no earlier tool use has, found {described(use)}"
                    yield Problem(Finding.REUSED_ID, f"blocks[{number}].id", text)
                self._use_count[use] += 1
        if not is_turn and isinstance(answered, str):
            if not self._use_count[answered]:
                text = f"expected the id of an earlier tool use, found {described(answered)}"
                yield Problem(Finding.UNKNOWN_TOOL_USE, "tool_use_id", text)
            elif self._result_count[answered] >= self._use_count[answered]:
                yield Problem(Finding.SECOND_RESULT, "tool_use_id", f"a second result for {described(answered)}")
            self._result_count[answered] += 1

    def _take(self, lineno: int, record: dict[str, Any]) -> None:
        """Keeps what a valid record says."""
        kind, turn = record["kind"], record.get("turn", 0)
        if kind == "session_start":
            self._start, self._cwd = record, record.get("cwd") or self._cwd
        elif kind == "user_prompt":
            self._prompts.append(record["text"])
        elif kind == "assistant_turn":
            for block in record["blocks"]:
                if block["type"] == "tool_use":
                    self._uses.setdefault(block["id"], []).append(len(self._actions))
                    self._actions.append(ToolCall(block["name"], block["input"], None, turn, lineno, self._cwd))
        elif kind == "tool_result":
            self._add_result(lineno, record)
        elif kind in ("hook_event", "skill_invocation"):
            said = {one.name: record[one.name] for one in RECORD_FIELDS[kind] if one.name in record and one.name != "v"}
            self._actions.append((HookEvent if kind == "hook_event" else SkillInvocation)(**said, lineno=lineno))

    def _add_result(self, lineno: int, record: dict[str, Any]) -> None:
        """Adds a result to its tool use: of several with one id, the first without a result, or the last."""
        effects = record.get("side_effects") or {}
        state = effects.get("post_state_sha256")
        result = ToolResult(record["content"], record["ok"], record["turn"], state.lower() if state else None, lineno)
        uses, results = self._uses[record["tool_use_id"]], self._result_count[record["tool_use_id"]]
        position = uses[min(len(uses), results) - 1]
        self._actions[position] = replace(cast(ToolCall, self._actions[position]), result=result)

    def trace(self) -> Trace:
        """The trace that the records make."""
        start, actions = self._start, self._actions
        commands = (str(action.input.get("command")) for action in actions if isinstance(action, ToolCall))
        if temporary := frozenset(itertools.chain.from_iterable(map(temporary_directories, commands))):
            actions = [replace(one, temporary_dirs=temporary) if isinstance(one, ToolCall) else one for one in actions]
        about = (start["actor"], self._cwd, start["cwd_sha256"].lower(), tuple(self._prompts))
        return Trace(self._source, tuple(_with_triggers(actions)), *about)


def parse_trace(source: TraceSource, *, cwd: str | None = None) -> Trace:
    """Reads one ``.ccpa-trace.jsonl``: path, text (bytes, or a string that begins with a brace) or open file.

    ``cwd`` is the agent's working directory for a trace that does not say it. Raises `InputError` with file, line and
    field at the first deviation from the schema; fields that it does not know are tolerated.

    >>> parse_trace('{"v": 1, "kind": "user_prompt", "turn": 0, "text": "Hi"}')
    Traceback (most recent call last):
    ...
    diff_events.InputError: <text>:1: kind: expected session_start first, found a string: "user_prompt"
    """
    name, lines = _opened(source)
    reader = TraceReader(name, cwd)
    for lineno, line, _ in numbered_lines(lines):
        try:
            record = parse_json(line)
        except NotJsonError as error:
            raise InputError(name, str(error), lineno=lineno) from error
        for problem in reader.problems(lineno, record):
            if problem.is_error:
                raise InputError(name, problem.text, lineno=lineno, field=problem.field)
    if not reader.records:
        raise InputError(name, "expected a session_start record, found an empty file")
    return reader.trace()


# ══ shell words ═══════════════════════════════════════════════════════════════════════════════════════════════════


MAX_SHELL_NESTING: Final = 40
"""Deeper nested substitutions and groups are not followed; people nest a handful."""

MAX_SHELL_STEPS: Final = 50_000
"""The number of pieces of words and commands that are followed for one command text."""

MAX_SHELL_TEXT: Final = 1 << 20
"""The longest command text, in characters, that is read. Linux starts no program with a longer argument than 2^17."""


class PartKind(enum.Enum):
    """What a piece of a word does when the shell expands it."""

    LITERAL = "stands for itself"
    OPERATOR = "an operator, or an unquoted reserved word where a command may begin"
    ASSIGNMENT = "the NAME= of an assignment"
    PATTERN = "an unquoted * ? [ { or ~"
    PARAMETER = "$name or ${…}"
    COMMAND = "$(…), `…`, <(…) or >(…)"
    ARITHMETIC = "$((…)) or ((…))"


class Part(NamedTuple):
    """One piece of a word. Quotes are gone: ``'a'``, ``"a"`` and ``a`` are the same; ``"$a"`` and ``$a`` are not.

    ``tokens``: the words that a substitution runs; in a parameter or arithmetic, one word: its expansions.
    """

    kind: PartKind
    text: str
    quoted: bool = False
    tokens: tuple[tuple[Part, ...], ...] = ()


Word: TypeAlias = tuple[Part, ...]


class ShellSyntaxError(ValueError):
    """A command that is not whole: an open quote, say. ``tokens`` are those before its beginning."""

    tokens: Sequence[Word] = ()


class ShellLimitError(ShellSyntaxError):
    """A command that is too long, or nested too deep, to be followed to its end."""


@dataclass(slots=True)
class Budget:
    """The remaining steps for one command text: they bound the work, however the text is nested."""

    remaining: int = MAX_SHELL_STEPS
    depth: int = 0

    def spend(self, steps: int = 1) -> None:
        """Takes ``steps`` away. Raises `ShellLimitError` where fewer remain."""
        self.remaining -= steps
        if self.remaining < 0:
            raise ShellLimitError("more steps than one command may take")

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of nesting. Raises `ShellLimitError` where it is too deep."""
        if self.depth >= MAX_SHELL_NESTING:
            raise ShellLimitError(f"nested deeper than {MAX_SHELL_NESTING} levels")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1


_ARITHMETIC: Final = r"\(\((?:[^()]|\((?:[^()]|\([^()]{0,99}\)){0,99}\)){0,299}\)\)"
_BLANKS: Final = r"(?:[ \t\r]|\\\n)*"
_BETWEEN_WORDS = re.compile(
    rf"{_BLANKS}(?:#[^\n]*)?(?:(?P<redirection>\d*(?:<<<|<<-?|<>|<&|>>|>&|>\||[<>](?!\())|&>>?){_BLANKS}"
    rf"|(?!{_ARITHMETIC})(?P<operator>&&|\|\||\|&|;;&|;;|;&|[;&|()\n]))?"
)
_ASSIGNED = re.compile(r"(?a)[A-Za-z_]\w*(?:\[[^\]\s]*\])?\+?=")
_ANSI_ESCAPE: Final = r"""\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[0-3]?[0-7]{1,2}|[ntrabfv'"\\])"""
_GROUPS: Final = _names("( if for select while until case { function [[")
_SKIPPED: Final = _names("then elif else do ! coproc in ; & | |& && ||")
_HEAD_ENDS: Final = {"for": _names("; do"), "select": _names("; do"), "case": _names("in"), "[[": _names("]]")}
_CLOSING: Final = _names(") } fi done esac ;; ;& ;;&")
_RESERVED: Final = _names("if for select while until { then elif else do ! coproc } fi done case esac function [[")
_BRACED: Final = r"""\{(?:[^{}"\\]|\\.|"[^"]*"|\{(?:[^{}]|\{[^{}]*\})*\})*\}"""
_EXPANSION: Final = rf"""
  | (?P<arithmetic> \$?{_ARITHMETIC} )
  | (?P<command> \$\( )
  | `(?P<backticks> [^`\\]*(?:\\.[^`\\]*)* )`
  | (?P<parameter> \$(?: [A-Za-z_]\w* | [0-9@*\#?$!-] | {_BRACED} ) )
"""
_PIECE = re.compile(
    r"""(?P<literal> [^ \t\r\n\\'"$`;&|()<>*?\[{~]+ )
  | \\(?P<escape> .? )
  | '(?P<single> [^']* )'
  | \$'(?P<ansi> [^'\\]*(?:\\.[^'\\]*)* )'
  | (?P<double> \$?" )
  | (?P<process> [<>]\( )
  | (?P<pattern> [*?]
      | \[(?=[^\s'"\\;&|()<>\]]{1,200}\])
      | \{(?=[^\s{}'"]{1,200}\})(?=[^\s{}'"]{0,200}?(?:,|\.\.))
      | (?:(?<![^\s;&|()=:`])|\A)~ )
"""
    + _EXPANSION
    + r"  | (?P<char> \$(?!\{) | [\[{~] )",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
"""One piece of an unquoted word: the name of the group says which."""

_QUOTED_PIECE = re.compile(
    r"""(?P<literal> [^"\\$`}]+ ) | \\(?P<escape> [$`"\\\n}] )""" + _EXPANSION + r"  | (?P<char> \$(?!\{) | [^$] )",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
"""One piece of what stands between double quotes."""

_LITERALS: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(("literal", "single", "char"), str),
    "escape": lambda text: {"": "\\", "\n": ""}.get(text, text),
    "ansi": lambda text: re.sub(_ANSI_ESCAPE, lambda escape: escape[0].encode().decode("unicode_escape"), text),
}
"""The groups of a piece that are literal text, and how to get it."""


def _merged(parts: Iterable[Part]) -> Word:
    """The parts, neighbouring literals joined and empty ones dropped."""
    merged: list[Part] = []
    for kind, group in itertools.groupby(parts, lambda part: part.kind):
        if kind is not PartKind.LITERAL:
            merged += group
        elif text := "".join(part.text for part in group):
            merged.append(Part(kind, text))
    return tuple(merged)


def word_text(word: Word) -> str:
    """The text of a word, its expansions written as ``$name`` and ``$(…)``.

    >>> [word_text(word) for word in shell_tokens("echo 'a b'$HOME")]
    ['echo', 'a b$HOME']
    """
    return "".join("$(…)" if part.kind is PartKind.COMMAND else part.text for part in word)


def _operator_of(word: Word) -> str:
    """The operator or reserved word that a token is; empty for any other."""
    return word[0].text if word and word[0].kind is PartKind.OPERATOR else ""


class _ShellReader:
    """Reads one command text from left to right, as the POSIX token rules and bash's additions to them say.

    Raises `ShellSyntaxError` where the text has no end, and `ShellLimitError`.
    """

    def __init__(self, text: str, budget: Budget) -> None:
        if len(text) > MAX_SHELL_TEXT:
            raise ShellLimitError(f"more than {MAX_SHELL_TEXT} characters")
        self._text, self._budget, self._pos = text, budget, 0
        self._heredocs: list[tuple[list[Word], int, str, str]] = []
        """Those that begin on the next line: tokens and position to fill in, delimiter as written, leading tabs."""

    def read(self, tokens: list[Word], *, nested: bool = False) -> None:
        """Adds all tokens, or those up to the parenthesis that closes a substitution."""
        opened: list[str] = []  # parentheses, and the "case" in which one closes a pattern
        is_first = True  # whether a command may begin here
        while match := _BETWEEN_WORDS.match(self._text, self._pos):
            self._budget.spend()
            self._pos = match.end()
            operator = match["operator"]
            if match["redirection"]:
                self._read_redirection(tokens, match["redirection"])
            elif operator == ")" and nested and not opened:
                break
            elif operator:
                self._add_operator(tokens, opened, operator)
                is_first = True
            elif self._pos < len(self._text):
                is_first = self._read_word(tokens, opened, is_first=is_first)
            elif nested or "(" in opened:
                raise ShellSyntaxError("a parenthesis without its end")
            else:
                break
        if tokens and _operator_of(tokens[-1]) == ";":
            tokens.pop()

    def _add_operator(self, tokens: list[Word], opened: list[str], operator: str) -> None:
        """Adds an operator; a newline counts as ``;``, and a ``;`` beside another operator is dropped."""
        before = _operator_of(tokens[-1]) if tokens else ";"
        if operator == "\n":
            self._read_heredocs()
            operator = ";"
        if operator == ";" and before:
            return
        if before == ";" and operator != "(" and tokens:
            tokens.pop()
        tokens.append((Part(PartKind.OPERATOR, operator),))
        if operator == "(":
            opened.append(operator)
        elif operator == ")" and opened[-1:] == ["("]:
            opened.pop()

    def _read_word(self, tokens: list[Word], opened: list[str], *, is_first: bool) -> bool:
        """Adds the next word; true if a command may begin after it."""
        start, before = self._pos, _operator_of(tokens[-1]) if tokens else ""
        assigned = _ASSIGNED.match(self._text, start) if is_first else None
        self._pos = assigned.end() if assigned else start
        word = self._word()
        raw = self._text[start : self._pos]
        head = _operator_of(tokens[-2]) if raw == "in" and len(tokens) > 1 else ""
        if head in ("for", "select", "case") or (is_first and raw in _RESERVED):
            tokens.append((Part(PartKind.OPERATOR, raw),))
            if raw == "case":
                opened.append(raw)
            elif raw == "esac" and opened[-1:] == ["case"]:
                opened.pop()
            return head == "case" or (not head and raw not in (*_HEAD_ENDS, "function"))
        tokens.append((Part(PartKind.ASSIGNMENT, assigned[0]), *word) if assigned else word)
        return before == "function" or (is_first and (assigned is not None or raw == "time"))

    def _read_redirection(self, tokens: list[Word], operator: str) -> None:
        start, word = self._pos, self._word()
        raw = self._text[start : self._pos]
        if not raw:  # an operator where a word must stand, as in "<< ;"
            raise ShellSyntaxError("a word is missing")
        if operator.lstrip("0123456789") in ("<<", "<<-"):  # the text replaces its delimiter
            self._heredocs.append((tokens, len(tokens) + 1, raw, r"\t*" if operator[-1] == "-" else ""))
            operator, word = operator + word_text(word), ()
        tokens += [(Part(PartKind.OPERATOR, operator),), word]

    def _read_heredocs(self) -> None:
        """Reads the here-documents that the previous line announced. The end of the text ends one, too."""
        for tokens, position, raw, tabs in self._heredocs:
            delimiter = re.sub(r"['\"\\]", "", raw)
            end = re.compile(rf"^{tabs}{re.escape(delimiter)}(?:\n|\Z)", re.MULTILINE).search(self._text, self._pos)
            body = self._text[self._pos : end.start() if end else None]
            body = re.sub(r"(?m)^\t+", "", body) if tabs else body
            self._pos = end.end() if end else len(self._text)
            parts = [Part(PartKind.LITERAL, body)]
            if raw == delimiter:  # its expansions are made as between double quotes
                with self._budget.deeper():
                    parts = _ShellReader(body, self._budget)._parts(_QUOTED_PIECE)
            tokens[position] = _merged(parts)
        self._heredocs = []

    def _word(self) -> Word:
        parts = _merged(self._parts(_PIECE))
        if self._text.startswith(("'", "`", "${"), self._pos):
            raise ShellSyntaxError("a quote or brace without its end")
        return parts

    def _parts(self, pattern: re.Pattern[str], end: str = "") -> list[Part]:
        """The next pieces, up to ``end``: a double quote."""
        parts: list[Part] = []
        while match := pattern.match(self._text, self._pos):
            if match[0] == end:
                self._pos += 1
                return parts
            self._add_piece(match, parts, quoted=pattern is _QUOTED_PIECE)
        if end or (pattern is _QUOTED_PIECE and self._pos < len(self._text)):
            raise ShellSyntaxError("an open quote or brace")
        return parts

    def _add_piece(self, match: re.Match[str], parts: list[Part], *, quoted: bool) -> None:
        self._budget.spend()
        kind, text, self._pos = match.lastgroup or "", match[0], match.end()
        if kind in _LITERALS:
            parts.append(Part(PartKind.LITERAL, _LITERALS[kind](match[kind])))
        elif kind == "double":
            parts += self._parts(_QUOTED_PIECE, '"')
        elif kind in ("pattern", "parameter", "arithmetic"):
            bare = re.sub(r"\s|\\\n", "", text) if kind == "arithmetic" else text
            parts.append(Part(PartKind[kind.upper()], bare, quoted, self._inner_commands(text[2:])))
        else:
            tokens: list[Word] = []
            with self._budget.deeper():
                if kind == "backticks":
                    _ShellReader(re.sub(r"\\([$`\\])", r"\1", match[kind]), self._budget).read(tokens)
                else:
                    self.read(tokens, nested=True)
            parts.append(Part(PartKind.COMMAND, text[:2], quoted, tuple(tokens)))

    def _inner_commands(self, text: str) -> tuple[Word, ...]:
        """The expansions inside a parameter or arithmetic, as one word, where there are commands among them."""
        if not re.search(r"\$\(|`", text):
            return ()
        with self._budget.deeper():
            parts = _ShellReader(text, self._budget)._parts(_QUOTED_PIECE)
        return (tuple(part for part in parts if part.kind is not PartKind.LITERAL),)


def shell_tokens(text: str, budget: Budget | None = None) -> list[Word]:
    r"""The words and operators of a shell text. Raises `ShellSyntaxError` where it has no end or exceeds the budget.

    White space, comments, a ``;`` at the end and the style of quoting do not count; a newline is a
    ``;`` unless it stands beside another operator.

    >>> shell_tokens("make  'all' ; ") == shell_tokens("make all")
    True
    >>> shell_tokens("a | b") == shell_tokens("a '|' b"), shell_tokens('echo "$A"') == shell_tokens("echo '$A'")
    (False, False)
    >>> shell_tokens("cd src\nmake \\\n all") == shell_tokens("cd src; make all")
    True
    """
    tokens: list[Word] = []
    try:
        _ShellReader(text, budget or Budget()).read(tokens)
    except ShellSyntaxError as error:
        error.tokens = tokens
        raise
    return tokens


# ── commands ──


@dataclass(slots=True)
class Command:
    """A simple command, or a group of them; ``kind`` is the word or parenthesis that opens it.

    ``body``: the commands in a group, loop or function. A pipeline is a group of kind ``|``, a background job one of
    kind ``&``. ``redirects`` are (operator, target), for a here-document (operator and delimiter, text).
    """

    kind: str = ""
    words: list[Word] = field(default_factory=list)
    assignments: list[Word] = field(default_factory=list)
    redirects: list[tuple[str, Word]] = field(default_factory=list)
    body: list[Command] = field(default_factory=list)


class _CommandReader:
    def __init__(self, tokens: Iterable[Word], budget: Budget) -> None:
        self.rest, self._budget = deque(tokens), budget

    def _next(self) -> str:
        """The operator that comes next; empty for a word, or at the end."""
        return _operator_of(self.rest[0]) if self.rest else ""

    def _words_to(self, ends: Container[str]) -> list[Word]:
        """The words and operators up to one of ``ends``, which is consumed."""
        words: list[Word] = []
        while self.rest and word_text(word := self.rest.popleft()) not in ends:
            words.append(word)
        return words

    def group(self) -> list[Command]:
        commands: list[Command] = []
        chain: list[Command] = []
        with self._budget.deeper():
            while self.rest and (operator := self._next()) not in _CLOSING:
                if operator in _SKIPPED:
                    self.rest.popleft()
                    continue
                members = [self._command()]
                while self._next() in ("|", "|&"):
                    self.rest.popleft()
                    members += [self._command()] if self.rest else []
                chain.append(members[0] if len(members) == 1 else Command("|", body=members))
                if self._next() not in ("&&", "||"):
                    commands += [Command("&", body=chain)] if self._next() == "&" else chain
                    chain = []
        return commands + chain

    def _command(self) -> Command:
        command = Command()
        if self._next() in _GROUPS:
            self._read_group(command)
        while self.rest:
            operator = self._next()
            if "<" in operator or ">" in operator:
                self.rest.popleft()
                command.redirects.append((operator, self.rest.popleft()))
            elif operator == "(" and not command.words and [len(word) for word in command.assignments[-1:]] == [1]:
                name = command.assignments[-1]  # of an array
                command.assignments += [(*name, *word, Part(PartKind.LITERAL, "")) for word in self._words_to(")")]
            elif operator == "(" and not command.kind and len(self.rest) > 1 and _operator_of(self.rest[1]) == ")":
                command.kind = "function"
                self._read_function(command)
                return command
            elif operator or command.kind:
                break
            else:
                word = self.rest.popleft()
                if word and word[0].kind is PartKind.ASSIGNMENT:
                    command.words = []  # "time A=b" is "A=b": it sets a variable of this shell
                    command.assignments.append(word)
                else:
                    command.words.append(word)
        return command

    def _read_function(self, command: Command) -> None:
        while self._next() in ("(", ")"):
            self.rest.popleft()
        with self._budget.deeper():
            command.body = [self._command()] if self.rest else []

    def _read_group(self, command: Command) -> None:
        """A group, loop, function or ``[[ … ]]``, up to what closes it."""
        kind = command.kind = self.rest.popleft()[0].text
        if kind == "function":
            command.words = [self.rest.popleft()] if self.rest else []
            self._read_function(command)
            return
        command.words = self._words_to(_HEAD_ENDS[kind]) if kind in _HEAD_ENDS else []
        while kind == "case" and self.rest and (operator := self._next()) != "esac":
            self.rest.popleft()
            command.body += self.group() if operator == ")" else []
        if kind != "[[":
            command.body += self.group()
            self._words_to(_CLOSING)


def shell_commands(tokens: Iterable[Word], budget: Budget) -> list[Command]:
    """The commands that tokens make. Raises `ShellLimitError` where they nest too deep.

    >>> [(one.kind, len(one.body)) for one in shell_commands(shell_tokens("{ a; b; } | c && d; (e) &"), Budget())]
    [('|', 2), ('', 0), ('&', 1)]
    """
    reader, commands = _CommandReader(tokens, budget), list[Command]()
    while reader.rest:
        commands += reader.group()
        if reader.rest:  # what closes a group that is none
            reader.rest.popleft()
    return commands


# ── what two runs of one command may have different ──

_ISO_TIMESTAMP: Final = (
    r"\d{4}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])%s(?:[01]\d|2[0-4]):?[0-5]\d(?::?[0-6]\d(?:[.,]\d+)?)?"
    r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)?"
)
_TIMESTAMP_TEXT: Final = r"(?a)(?<!\d)" + _ISO_TIMESTAMP % "[Tt ]" + r"(?!\d)"
_BEFORE_KILL: Final = _names("sudo command builtin exec env nohup time")
_PID: Final = r"-?[1-9]\d*"

_VOLATILE: Final = (
    r"(?a)(?<![\w./-])(?P<mktemp>(?:%s)/tmp\.[A-Za-z0-9]{10})(?![A-Za-z0-9])"
    rf"|(?<!\d)(?P<timestamp>{_ISO_TIMESTAMP % '[Tt]'})(?!\d)"
    r"|(?<![\w./-])/proc/(?P<proc>[1-9]\d*)(?![^/])|^--pid=(?P<pid>[1-9]\d*)$"
)
"""What may differ: a path made by mktemp, a timestamp, a PID whose text says that it is one."""


def comparable_tokens(tokens: Iterable[Word], temporary_dirs: frozenset[str] = frozenset()) -> tuple[Word, ...]:
    """The tokens with what may differ from run to run replaced by the name of its kind, so that ``==`` is the rule.

    That is also a PID where one must stand: an argument of ``kill``, what follows ``--pid``.

    >>> comparable_tokens(shell_tokens("kill -9 41")) == comparable_tokens(shell_tokens("kill -9 977"))
    True
    >>> comparable_tokens(shell_tokens("sleep 41")) == comparable_tokens(shell_tokens("sleep 977"))
    False
    """
    pattern = _VOLATILE % "|".join(re.escape(directory) for directory in sorted({"/tmp", *temporary_dirs}))
    comparable_words: list[Word] = []

    def comparable(part: Part) -> Part:
        if part.kind is PartKind.LITERAL:
            return part._replace(text=re.sub(pattern, lambda match: f"\0{match.lastgroup}", part.text))
        return part._replace(tokens=comparable_tokens(part.tokens, temporary_dirs)) if part.tokens else part

    before, is_prefix, is_kill = "", True, False
    for word in tokens:
        text, operator = word_text(word), _operator_of(word)
        is_signal = before in ("-s", "-n") or (before == "kill" and text[:1] == "-")
        if (before == "--pid" or (is_kill and not is_signal)) and re.fullmatch(_PID, text):
            comparable_words.append((Part(PartKind.LITERAL, "\0pid"),))
        else:
            comparable_words.append(tuple(map(comparable, word)))
        if operator and not re.search("[<>]", operator):
            before, is_prefix, is_kill = "", True, False
        else:
            is_kill |= is_prefix and text == "kill"
            is_prefix &= text in _BEFORE_KILL or text[:1] == "-" or "=" in text
            before = text
    return tuple(comparable_words)


# ══ equivalence rules ═════════════════════════════════════════════════════════════════════════════════════════════


class DriftCategory(enum.Enum):
    """How far a pair of actions drifted apart: a closed set."""

    NO_DRIFT = "Tier0NoDrift"
    COSMETIC = "Tier1Cosmetic"
    SEMANTIC = "Tier2Semantic"
    SOVEREIGNTY_VIOLATION = "Tier3SovereigntyViolation"

    @property
    def tier(self) -> int:
        """The number in the name, 0 to 3."""
        return int(self.value[4])


Reason = enum.StrEnum(
    "Reason",
    "WHITESPACE TIMESTAMP TOOL_INPUT TOOL_NAME FILE_STATE RESULT MISSING_TOOL_CALL EXTRA_TOOL_CALL "
    "HOOK_EVENT MISSING_HOOK_EVENT EXTRA_HOOK_EVENT SKILL_INVOCATION MISSING_SKILL_INVOCATION EXTRA_SKILL_INVOCATION "
    "ACTION_KIND NETWORK_EGRESS CREDENTIAL_READ SPAWN_OUTSIDE_CWD",
)
"""Why: a closed set. The value of each is its name in lower case."""


class ActionDifference(NamedTuple):
    """One difference between two actions, with the values as they were compared."""

    reason: Reason
    field: str
    teacher: object
    student: object


Differences = Iterator[ActionDifference]
Rule = Callable[[ToolCall, ToolCall], Differences]
"""The differences between a teacher's and a student's call of one tool, as far as one rule sees them."""


def with_strings(value: object, change: Callable[[str], str]) -> object:
    """``value`` with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [with_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {name: with_strings(item, change) for name, item in value.items()}
    return value


def folded(value: object) -> object:
    """``value`` with every run of white space in its strings made one space, and none at their ends."""
    return with_strings(value, lambda text: " ".join(text.split()))


def classify_drift(differences: Sequence[ActionDifference]) -> tuple[DriftCategory, Reason | None]:
    """The category and its reason: the first non-cosmetic difference's, else whitespace, timestamp or None.

    >>> classify_drift([ActionDifference(Reason.TOOL_INPUT, "command", "echo 'a  b'", "echo 'a b'")])[1].value
    'whitespace'
    """
    cosmetic = Reason.WHITESPACE
    for difference in differences:
        sides = [folded(side) for side in difference[2:]]
        if not json_equal(*sides):
            cosmetic = Reason.TIMESTAMP
            blank = [with_strings(side, lambda text: re.sub(_TIMESTAMP_TEXT, "<timestamp>", text)) for side in sides]
            if not json_equal(*map(folded, blank)):
                return DriftCategory.SEMANTIC, difference.reason
    return (DriftCategory.COSMETIC, cosmetic) if differences else (DriftCategory.NO_DRIFT, None)


# ── what the rules look at ──


def _normal(path: str) -> str:
    """A path with ``.``, ``..`` and doubled ``/`` resolved as text."""
    return re.sub("^//", "/", posixpath.normpath(path)) if path else path


def canonical_paths(path: str, cwd: str | None) -> frozenset[str]:
    """The canonical forms of a path: two paths are equal when they have a form in common.

    Inside the cwd that is the path relative to it. A relative path that leaves the cwd has two forms: as it is
    written, and the absolute one.

    >>> canonical_paths("/w/p/src/../a.py", "/w/p"), canonical_paths("./a.py", None)
    (frozenset({'a.py'}), frozenset({'a.py'}))
    >>> sorted(canonical_paths("../x", "/w/p"))
    ['../x', '/w/x']
    """
    normal = _normal(path)
    if cwd is None:
        return frozenset([normal])
    home = _normal(cwd)
    absolute = _normal(posixpath.join(home, normal))
    if absolute == home or absolute.startswith(home.rstrip("/") + "/"):
        return frozenset([posixpath.relpath(absolute, home)])
    return frozenset([normal, absolute])


_FILE_TOOLS: Final = _names("Read Write Edit MultiEdit")
_PATH_FIELDS: Final = ("path", "file_path", "notebook_path")


def _path_of(call: ToolCall) -> object:
    """The path of a call, by whichever name its tool gives it."""
    return next((call.input[name] for name in _PATH_FIELDS if call.input.get(name) is not None), None)


def _lines(text: str) -> list[str]:
    """The lines of a text; a newline at its end does not begin another one."""
    return text.removesuffix("\n").split("\n") if text else []


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    import hashlib  # here, so that only who reads a trace waits for it

    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _state_of(call: ToolCall) -> str | None:
    """The ``post_state_sha256`` of a call: in its input, or among the side effects of its result."""
    given = call.input.get("post_state_sha256")
    if isinstance(given, str):
        return given.lower()
    return call.result.post_state_sha256 if call.result else None


# ── rules ──


def _unequal(reason: Reason, field: str, teacher: object, student: object) -> Differences:
    """A difference, unless two values are equal as JSON."""
    if not json_equal(teacher, student):
        yield ActionDifference(reason, field, teacher, student)


def _same(field: str, view: Callable[[ToolCall], object], reason: Reason = Reason.TOOL_INPUT) -> Rule:
    """The rule that ``view`` is equal as JSON for both calls."""
    return lambda teacher, student: _unequal(reason, field, view(teacher), view(student))


def _same_input(name: str, default: object = None) -> Rule:
    """The rule that a field of the input is equal; ``null`` and absent both mean the default."""
    return _same(name, lambda call: default if call.input.get(name) is None else call.input[name])


def _same_path(default: str | None = None) -> Rule:
    """The rule that the paths have a canonical form in common."""

    def rule(teacher: ToolCall, student: ToolCall) -> Differences:
        calls = (teacher, student)
        paths = [default if (path := _path_of(call)) is None else path for call in calls]
        forms = [canonical_paths(str(path), call.cwd) for path, call in zip(paths, calls, strict=True)]
        if not all(isinstance(path, str) for path in paths) or not forms[0] & forms[1]:
            yield from _unequal(Reason.TOOL_INPUT, "path", *paths)

    return rule


def _same_result(field: str, view: Callable[[ToolCall, ToolResult], object], *, is_needed: bool = True) -> Rule:
    """The rule that ``view`` is equal for both results; a result of one side alone differs if it ``is_needed``."""

    def rule(teacher: ToolCall, student: ToolCall) -> Differences:
        if teacher.result and student.result:
            yield from _unequal(Reason.RESULT, field, view(teacher, teacher.result), view(student, student.result))
        elif is_needed and (teacher.result or student.result):
            contents = [MISSING if call.result is None else call.result.content for call in (teacher, student)]
            yield ActionDifference(Reason.RESULT, "result", *contents)

    return rule


_SAME_OUTCOME: Final = _same_result("result.ok", lambda _, result: result.ok, is_needed=False)
"""A call that failed is not a call that succeeded."""


def _same_inputs(*ignored: str) -> Rule:
    """The rule that the inputs are equal as JSON, the path of a file in its canonical form."""

    def rule(teacher: ToolCall, student: ToolCall) -> Differences:
        calls = (teacher, student)
        paths = [[name for name in _PATH_FIELDS if isinstance(call.input.get(name), str)] for call in calls]
        have_paths = all(len(names) == 1 for names in paths)
        if have_paths:
            yield from _same_path()(teacher, student)
        left_out = {*ignored, *(name for names in paths if have_paths for name in names)}
        inputs = [{name: call.input[name] for name in call.input if name not in left_out} for call in calls]
        for difference in field_differences(inputs[0], inputs[1], "input"):
            yield ActionDifference(Reason.TOOL_INPUT, difference.path, *difference.values)

    return rule


_ANY_TOOL: Final = (_same_inputs(),)


def _command_key(call: ToolCall) -> object:
    """What two equivalent commands have in common."""
    command = str(call.input.get("command"))
    try:
        return comparable_tokens(shell_tokens(command), call.temporary_dirs)
    except ShellSyntaxError:
        return folded(command)


def _same_command(teacher: ToolCall, student: ToolCall) -> Differences:
    """The shell tokens are equal one by one; a command without an end compares as text."""
    commands = teacher.input.get("command"), student.input.get("command")
    are_texts = isinstance(commands[0], str) and isinstance(commands[1], str)
    if not (are_texts and _command_key(teacher) == _command_key(student)):
        yield from _unequal(Reason.TOOL_INPUT, "command", *commands)


def _line_range(call: ToolCall) -> range:
    """The lines that a call asks for, counted from 1; all where offset or limit is no whole number."""
    offset, limit = (call.input.get(name) for name in ("offset", "limit"))
    start = min(max(1, offset), sys.maxsize) if type(offset) is int else 1
    return range(start, min(start + max(0, limit), sys.maxsize) if type(limit) is int else sys.maxsize)


@functools.lru_cache(maxsize=1024)
def _without_gutter(text: str) -> str | None:
    """The text behind line numbers, in either style in which Read shows them; None where it has none."""
    lines = _lines(text)
    split = [re.split(r"(?a)^ *(\d{1,9})[→\t]", line) for line in lines]
    numbers = [int(parts[1]) for parts in split if len(parts) == 3]
    is_numbered = numbers and numbers == list(range(numbers[0], numbers[0] + len(lines)))
    return "\n".join(parts[2] for parts in split) if is_numbered else None


def _same_excerpt(teacher: ToolCall, student: ToolCall) -> Differences:
    """The line ranges overlap, and the lines that both saw are equal; limits that are no numbers must be equal."""
    asked = [[call.input.get(name) for name in ("offset", "limit")] for call in (teacher, student)]
    if not {type(value) for value in (*asked[0], *asked[1])} <= {int, type(None)}:
        yield from _unequal(Reason.TOOL_INPUT, "offset, limit", *asked)
    ranges = _line_range(teacher), _line_range(student)
    both = range(max(lines.start for lines in ranges), min(lines.stop for lines in ranges))
    if not both and ranges[0] != ranges[1]:
        texts = [f"{lines.start}-{lines.stop - 1}" for lines in ranges]
        yield ActionDifference(Reason.TOOL_INPUT, "offset, limit", *texts)
    elif teacher.result and student.result:
        texts = [teacher.result.content, student.result.content]
        bare = [_without_gutter(text) for text in texts]
        texts = texts if None in bare else cast(list[str], bare)
        if ranges[0] != ranges[1]:
            shown = [_lines(text)[both.start - own.start :] for text, own in zip(texts, ranges, strict=True)]
            texts = ["\n".join(lines[: len(both)]) for lines in shown]
        yield from _unequal(Reason.RESULT, "result.content", *texts)
    else:
        yield from _same_result("result", lambda _, result: result.content)(teacher, student)


def _same_file_after(teacher: ToolCall, student: ToolCall) -> Differences:
    """The hash of what was written is equal: the given one, or else that of the content."""
    contents = [call.input.get("content") for call in (teacher, student)]
    states = [_state_of(call) for call in (teacher, student)]
    if any(states):
        contents = [sha256(text) if isinstance(text, str) else text for text in contents]
        contents = [state or content for state, content in zip(states, contents, strict=True)]
    yield from _unequal(Reason.FILE_STATE, "content", *contents)


_NOTHING_FOUND: Final = frozenset({"", "No files found", "No matches found"})


def _found_lines(result: ToolResult) -> list[str]:
    """The lines of a search's result; none for a message that nothing matches."""
    return [] if result.content.strip() in _NOTHING_FOUND else _lines(result.content)


def _found_paths(call: ToolCall, result: ToolResult) -> list[str]:
    lines = (line.strip() for line in _found_lines(result))
    return sorted(max(canonical_paths(line, call.cwd)) for line in lines if line)


_GREP_DEFAULTS: Final = {"output_mode": "files_with_matches", "head_limit": 0, "offset": 0, "-A": "0", "-B": "0"}


def _listed_flags(words: Iterable[str]) -> dict[str, object]:
    """The flags among some words, each with the words after it; ``-in`` is ``-i`` and ``-n``."""
    listed: dict[str, object] = {}
    last = ""
    for word in words:
        if last and not word.startswith("-"):
            listed[last] = word if listed[last] is True else f"{listed[last]} {word}"
        else:
            names = [f"-{letter}" for letter in word[1:]] if re.fullmatch("-[a-zEFGHILPRTUZ]+", word) else [word]
            listed, last = {**dict.fromkeys(names, True), **listed}, names[-1]
    return listed


def _grep_flags(call: ToolCall) -> dict[str, object]:
    """Every flag that is not at its default, also those listed in ``flags``; ``-C`` counts as -A and -B."""
    switched_on = ((name, value) for name, value in call.input.items() if value is not None and value is not False)
    flags = {name: value for name, value in switched_on if name not in ("pattern", *_PATH_FIELDS)}
    given = flags.get("flags")
    words = given.split() if isinstance(given, str) else given
    listed: dict[str, object] = {}
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        del flags["flags"]
        listed = _listed_flags(words)
    for name, value in listed.items():
        flags[name] = value if str(flags.get(name, value)) == str(value) else f"{flags[name]} {value}"
    if context := next((name for name in ("-C", "--context", "context") if name in flags), None):
        lines = flags.pop(context)
        flags = {"-A": lines, "-B": lines, **flags}
    flags = {name: str(value) if name[:1] == "-" and value is not True else value for name, value in flags.items()}
    return {name: value for name, value in flags.items() if not json_equal(value, _GREP_DEFAULTS.get(name))}


RULES: Final[Mapping[str, Sequence[Rule]]] = {
    **dict.fromkeys(("Agent", "Task"), (_same_inputs("description"),)),
    **dict.fromkeys(("Bash", "Shell"), (_same_command,)),
    "Read": (_same_path(), _same_input("pages"), _same_excerpt),
    "Write": (_same_path(), _same_file_after, _SAME_OUTCOME),
    "Edit": (
        _same_path(),
        *map(_same_input, ("old_string", "new_string")),
        _same_input("replace_all", False),
        _same("post_state_sha256", lambda call: _state_of(call) or MISSING, Reason.FILE_STATE),
        _SAME_OUTCOME,
    ),
    "Glob": (_same_input("pattern"), _same_path("."), _same_result("result.content", _found_paths)),
    "Grep": (
        _same("pattern", lambda call: with_strings(call.input.get("pattern"), str.strip)),
        _same_path("."),
        _same("flags", _grep_flags),
        _same_result("lines of result.content", lambda _, result: len(_found_lines(result))),
    ),
}
"""The rules of each tool by its name; for any other, the inputs are equal."""


def _same_fields(reason: Reason, names: str, teacher: object, student: object) -> Differences:
    for name in names.split():
        yield from _unequal(reason, name, getattr(teacher, name), getattr(student, name))


def action_differences(teacher: Action, student: Action) -> Differences:
    """The differences between two actions at the same position; none where they are equivalent.

    >>> warn = HookEvent("PreToolUse", "Bash", "warn", 1, "mind  the gap")
    >>> [[one.field for one in action_differences(warn, replace(warn, **other))]
    ...     for other in ({"output": "mind the gap"}, {"decision": "block"})]
    [[], ['decision']]
    >>> [one.reason.value for one in action_differences(warn, SkillInvocation("rust-debug", "auto_matched"))]
    ['action_kind']
    """
    if isinstance(teacher, ToolCall) and isinstance(student, ToolCall):
        if teacher.name != student.name:
            yield ActionDifference(Reason.TOOL_NAME, "name", teacher.name, student.name)
            return
        for rule in RULES.get(teacher.name, _ANY_TOOL):
            yield from rule(teacher, student)
    elif isinstance(teacher, HookEvent) and isinstance(student, HookEvent):
        yield from _same_fields(Reason.HOOK_EVENT, "event matcher decision exit_code", teacher, student)
        if folded(teacher.output) != folded(student.output):
            yield ActionDifference(Reason.HOOK_EVENT, "output", teacher.output, student.output)
        if teacher.call and student.call:
            for difference in action_differences(teacher.call, student.call):
                yield difference._replace(reason=Reason.HOOK_EVENT, field=f"its tool call: {difference.field}")
        elif teacher.call or student.call:
            names = [call.name if call else MISSING for call in (teacher.call, student.call)]
            yield ActionDifference(Reason.HOOK_EVENT, "its tool call", *names)
    elif isinstance(teacher, SkillInvocation) and isinstance(student, SkillInvocation):
        yield from _same_fields(Reason.SKILL_INVOCATION, "name source instructions_injected args", teacher, student)
    else:
        yield ActionDifference(Reason.ACTION_KIND, "action", type(teacher).__name__, type(student).__name__)


# ══ sovereignty ═══════════════════════════════════════════════════════════════════════════════════════════════════


class UndecidedReason(enum.StrEnum):
    """Why it is not known from a trace alone whether an action breaks the sovereignty contract: a closed set."""

    UNNAMED_ENDPOINT = "unnamed_endpoint"  # it reaches out, but names no host: "git push origin", "npm ci"
    UNKNOWN_ENDPOINT = "unknown_endpoint"  # the host stands in a variable: "curl $URL"
    UNKNOWN_USE = "unknown_use"  # a URL is given to a program that is not known to fetch
    UNKNOWN_SCRIPT = "unknown_script"  # what runs is not in the trace: "./deploy.sh", "… | sh", "$CMD"
    UNKNOWN_DIRECTORY = "unknown_directory"  # "cd $(mktemp -d)"
    UNREADABLE = "unreadable"  # the command has no end: an open quote
    LIMIT = "limit"  # following it to its end would take too long


class Violation(NamedTuple):
    """One way in which an action breaks the sovereignty contract, and by what."""

    reason: Reason
    what: str


class Undecided(NamedTuple):
    """One reason why it is not known whether an action breaks the sovereignty contract."""

    reason: UndecidedReason
    detail: str


class SovereigntyCheck(NamedTuple):
    """The result for one action; where both are empty, it keeps the contract."""

    violations: tuple[Violation, ...] = ()
    undecided: tuple[Undecided, ...] = ()


# ── hosts ──


def ip_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, if it is one."""
    import ipaddress  # here, so that only who compares agent traces waits for it

    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(text)
    return None


def _canonical_host(host: str) -> str:
    """One spelling of a host: case, a dot at the end and the many forms of an address (``0x7f.1``) do not count."""
    import socket  # here, so that only who compares agent traces waits for it

    name = host.lower().rstrip(".").strip("[]")
    with contextlib.suppress(OSError, ValueError):
        name = socket.inet_ntoa(socket.inet_aton(name))
    address = ip_address(name)
    return str(getattr(address, "ipv4_mapped", None) or address or name)


def _matches(host: str, patterns: Iterable[str]) -> bool:
    canonical = map(_canonical_host, patterns)
    return any(host.endswith(one[1:]) if one.startswith("*.") else host == one for one in canonical)


class Policy(NamedTuple):
    """What a trace is judged by: the hosts it may reach, and its working directory, as far as it is known.

    ``forbidden_hosts`` may not be reached even where ``allow_hosts`` has them.
    """

    allow_hosts: tuple[str, ...] = ()
    cwd: str | None = None
    cwd_sha256: str = ""
    forbidden_hosts: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Whether a host is local or on the allow list, and not forbidden.

        >>> hosts = ("a.example.org", "example.org", "LOCALHOST", "127.9.9.9", "0x7f.1", "::ffff:127.0.0.1")
        >>> [Policy(("*.example.org",)).allows(host) for host in hosts]
        [True, False, True, True, True, True]
        """
        name = _canonical_host(host)
        address = ip_address(name)
        is_local = address.is_loopback or address.is_unspecified if address else f".{name}".endswith(".localhost")
        return not self.forbids(host) and (is_local or _matches(name, self.allow_hosts))

    def forbids(self, host: str) -> bool:
        """Whether no allow list can allow a host."""
        return _matches(_canonical_host(host), self.forbidden_hosts)

    def contains(self, directory: str) -> bool:
        """Whether a directory is the working directory or below it; a relative one is relative to it.

        Where the trace does not say its working directory, its ``cwd_sha256`` still shows whether it is one of the
        ancestors of an absolute path.
        """
        if self.cwd is not None:
            path = _normal(posixpath.join(self.cwd, directory))
            return not min(canonical_paths(path, self.cwd), key=len).startswith(("/", "../"))
        if not directory.startswith("/"):
            return directory != ".." and not directory.startswith("../")
        ancestors = itertools.accumulate(directory.split("/")[1:], lambda path, name: f"{path}/{name}", initial="")
        return self.cwd_sha256 in {sha256(ancestor or "/") for ancestor in ancestors}


_ANY_URL: Final = r"([A-Za-z][A-Za-z0-9+.-]{0,31})://([^/?#\\\s'\"<>]*)"
_URL: Final = r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:){1,2}//"
_LOCAL_SCHEMES: Final = _names("file unix about data chrome")
_HOST_FORMS: Final[Mapping[str, str]] = {
    # where a URL, a host or (for dig) an "@host" must stand
    "url": r"(?i)@?(?![-/.:]|(?:about|blob|data|javascript|mailto):(?!\d))([^/?#\s]+)",
    # user@host:path, host:path, host::module; who knows what a variable is
    "remote": r"((?:[\w.-]+@)?(?:\[[0-9A-Fa-f:]+\]|[$A-Za-z0-9][\w.-]+)(?=:(?!//))|\$.*)",
    # user@host.domain:path, where nothing says what a word must be
    "listed": r"([\w.-]+@(?:localhost|[A-Za-z0-9-]+\.[\w.-]+)):(?!//)",
    "image": r"(?!\.)(?=[^/]*[.:$]|localhost/)([^/]+)/",  # ghcr.io/owner/image
    "socat": r"(?i)(?:tcp|udp|openssl|ssl)[46]?(?:-connect)?:([^:,]+):",
    "database": r"(?:.*\s)?host(?:addr)?=([^\s/;,]+)|(\$.*)",
}
"""How an operand that is no URL names its host."""


def _host_of_authority(authority: str) -> str:
    """The host in ``user:password@host:port``; empty where it is."""
    rest = authority.rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest if rest.count(":") > 1 else rest.partition(":")[0]


def hosts_in(form: str, word: str) -> list[str]:
    """The hosts that a word names where a host stands in one of the forms of `_HOST_FORMS`, or ``any-url`` in its text.

    A variable where a host must stand is returned as it is written.

    >>> hosts_in("any-url", "git+ssh://git@example.org:22/x and http://localhost@evil.example/ and file:///x")
    ['example.org', 'evil.example']
    >>> hosts_in("url", "$HOST:80/x"), hosts_in("remote", "a/b"), hosts_in("remote", "dev@example.org:b")
    (['$HOST'], [], ['example.org'])
    """
    word = word.strip()
    if form == "any-url" or re.match(_URL, word):
        is_text = form == "listed" and re.search(r"\s", word)
        urls = [] if is_text else re.findall(_ANY_URL, word)
        hosts = [_host_of_authority(authority) for scheme, authority in urls if scheme.lower() not in _LOCAL_SCHEMES]
        return [*filter(None, hosts)][: None if form == "any-url" else 1]
    matched = re.match(_HOST_FORMS[form], word)
    return [*filter(None, [_host_of_authority(matched[matched.lastindex or 1])])] if matched else []


# ── credentials ──

_CREDENTIAL_WORD: Final = r"KEY|TOKEN|.*(?:API|AUTH|SECRET)KEY|.*(?:SECRET|PASSWORD|CREDENTIAL)|(?:AUTH|ACCESS)TOKEN"
_CREDENTIAL_FILE: Final = (
    r"(?:^|/)(?:\.aws/credentials|\.netrc|_netrc|\.npmrc|\.pypirc|\.git-credentials|\.pgpass|\.my\.cnf|\.vault-token"
    r"|\.env(?:\.(?!example|sample|template|dist|defaults?$)[\w.*-]+|\*)?|\.docker/config\.json|\.kube/config"
    r"|\.config/gh/hosts\.ya?ml|\.config/gcloud/[\w.-]*credentials[\w.-]*|\.cargo/credentials(?:\.toml)?"
    r"|\.gem/credentials|\.azure/accessTokens\.json|\.ssh/(?:\*|[\w.*-]*\.pem|identity)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|\.ssh/id_[\w*-]+)$|^/etc/g?shadow$|^/proc/(?:self|\$?\w+|\$\$)/environ$"
)
_CREDENTIAL_FOLDER: Final = r"(?:^|/)(?:\.ssh|\.aws|\.gnupg|\.kube|\.docker|\.azure|\.config/(?:gcloud|gh))(?:/\.?)?$"
_MAX_PATH: Final = 4096


def is_credential_name(name: str) -> bool:
    """Whether the name of a variable says that it holds a credential: one of its words is KEY, TOKEN, …, or a plural.

    >>> names = ("API_KEY", "githubToken", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "KEYBOARD", "MONKEY")
    >>> [name for name in names if is_credential_name(name)]
    ['API_KEY', 'githubToken', 'AWS_SECRET_ACCESS_KEY', 'PGPASSWORD']
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper().split("_")
    return any(re.fullmatch(_CREDENTIAL_WORD, word.rstrip("0123456789").removesuffix("S")) for word in words)


def holds_credentials(path: str, *, folders: bool = False) -> bool:
    """Whether a path is that of a file (or also of a folder) that holds credentials, wherever its home directory is.

    >>> paths = ("~/.ssh/id_rsa", "~/.ssh/id_rsa.pub", "conf/.npmrc", "npmrc.md", ".env.local", ".env.example")
    >>> [path for path in paths if holds_credentials(path)]
    ['~/.ssh/id_rsa', 'conf/.npmrc', '.env.local']
    """
    if len(path) > _MAX_PATH:
        return False
    is_folder = folders and re.search(_CREDENTIAL_FOLDER, path)
    return bool(is_folder or re.search(_CREDENTIAL_FILE, _normal(path)))


# ── programs ──


class Program(NamedTuple):
    """How the words of one program are read, and which of them count.

    Sets of options: all that have a ``values``; ``switches`` (where there are any, every other long option has a value,
    too, unless a URL follows); those whose value is one of ``endpoints``, a file with ``lists`` of them, a working
    ``directory``, ``code`` or a ``module`` to run; with one of ``offline``, it neither reaches out nor runs anything.
    ``outward`` are the subcommands (``*`` is all) that reach out even where no host is named.

    ``hosts`` is the form of hosts among the operands (``first``: only the first operand is one). ``reads`` says which
    words are files to read: all, nothing, but-first (a pattern), but-last (a target), options (their values). ``runs``
    says what it runs, see `_CommandInspector`, after ``skip`` operands. ``leading``: the first operand ends its
    options. A ``builtin`` starts no program.
    """

    name: str = ""
    values: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    hosts: str = ""
    first: bool = False
    endpoints: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    directory: frozenset[str] = frozenset()
    outward: frozenset[str] = frozenset()
    offline: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    module: frozenset[str] = frozenset()
    reads: str = "all"
    runs: str = ""
    skip: int = 0
    leading: bool = False
    builtin: bool = False


_PROGRAM_TABLE: Final = """
curl | hosts=url endpoints=x,url,proxy,preproxy,socks4,socks4a,socks5,socks5-hostname,doh-url lists=K,config
  offline=,unix-socket,abstract-unix-socket
  values=AbcCdDeEFhHmoPQrtTuUwXyYz,cookie,data,data-ascii,data-binary,data-raw,data-urlencode,form,form-string,header,
  json,proxy-header,referer,url-query,user-agent,write-out
  switches=,silent,show-error,location,fail,fail-with-body,insecure,verbose,include,head,get,compressed,globoff,http2,
  ipv4,ipv6,netrc,remote-name,remote-header-name,create-dirs,progress-bar,tlsv1.2,tlsv1.3
wget | hosts=url endpoints=,base lists=i,input-file
  values=OoPaUetTwQADRIXlB,header,post-data,body-data,referer,user-agent
  switches=,quiet,no-verbose,verbose,continue,recursive,mirror,no-parent,no-clobber,timestamping,spider,
  no-check-certificate,server-response,content-disposition,page-requisites,show-progress,https-only,background
ssh mosh autossh | hosts=url first leading values=BbcDEeFIiLlmoOpQRSw endpoints=JW reads=options runs=elsewhere skip=1
scp | hosts=remote values=cFiloPSDX endpoints=J
rsync | hosts=remote values=efTMB,rsh,filter,exclude,include,exclude-from,include-from,port,bwlimit
nc ncat netcat | hosts=url first values=sXce endpoints=x,proxy offline=l,listen
sftp ssh-copy-id ftp lftp tftp telnet ping ping6 traceroute whois xdg-open lynx w3m links elinks wscat websocat http
  https xh xhs |
  hosts=url first endpoints=J values=bDeFIlmMoPSuX,auth,auth-type,output,print,session,timeout,verify
dig nslookup host nmap masscan ssh-keyscan | hosts=url values=tpbkqcyDS,top-ports,script
aria2c axel yt-dlp youtube-dl ab wrk hey k6 siege open chromium google-chrome firefox | hosts=listed outward=*
openssl | endpoints=,-connect
psql pg_dump pg_restore pg_isready createdb dropdb mysql mariadb mysqldump mongosh mongo mongodump |
  hosts=database endpoints=h,host values=UpdcfDPu,port,username,dbname,command,file,user,database
redis-cli | hosts=database endpoints=hu,host values=pnardXD,pass
socat | hosts=socat
ldapsearch ldapadd ldapmodify ldapwhoami | endpoints=Hh
mosquitto_pub mosquitto_sub | endpoints=h,host values=tmpuP
kcat kafkacat | endpoints=b values=tGpXf
grpcurl | hosts=url first values=dH,-import-path,-proto,-d
gpg apt-key | endpoints=,keyserver lists=,recv-keys,receive-keys,search-keys,refresh-keys
svn hg | hosts=listed outward=checkout,co,update,up,commit,ci,clone,pull,push

git git/lfs | leading values=c,git-dir,namespace directory=C,work-tree reads=nothing
git/remote | reads=nothing
git/submodule | reads=nothing
git/clone git/fetch git/pull git/push git/ls-remote git/submodule/add git/submodule/update git/remote/update
  git/remote/show git/remote/prune | hosts=remote first outward=* reads=nothing endpoints=,repo
  values=objcX,branch,origin,depth,deepen,shallow-since,shallow-exclude,filter,jobs,reference,template,config,
  push-option,upload-pack,receive-pack,strategy,strategy-option,name
git/remote/add git/remote/set-url | runs=remote_add reads=nothing values=tm
git/archive | endpoints=,remote reads=nothing
gh glab hub aws gcloud gsutil az vercel netlify heroku flyctl wrangler firebase doctl ngrok claude codex gemini llm
  ansible ansible-playbook vagrant mail sendmail mutt tailscale cloudflared ollama sentry-cli twine gradlew mvnw |
  hosts=listed outward=*
kubectl oc | hosts=listed outward=* reads=options endpoints=s,server
  values=nfclos,namespace,filename,context,output,selector,kubeconfig
kubectl/exec | leading reads=options values=nc,namespace,container,context,kubeconfig runs=elsewhere skip=1
helm | hosts=listed outward=+,repo,dependency,status,list,rollback,uninstall,get
terraform tofu | directory=,-chdir outward=init,plan,apply,destroy,refresh,import

docker podman nerdctl docker-compose docker/image docker/container docker/buildx docker/compose |
  leading endpoints=H,host values=cfp
docker/pull docker/push docker/run docker/create | hosts=image first outward=* leading reads=options
  values=evpwulmhc,name,network,volume,env,env-file,publish,workdir,user,entrypoint,mount,platform,label,memory,cpus,
  restart,hostname,add-host runs=elsewhere skip=1
docker/login | hosts=url first outward=* values=up,username,password
docker/build | hosts=listed outward=* values=tf,tag,file,build-arg,target,platform
docker/search docker/up | outward=*
docker/exec | leading reads=options values=ewu,env,env-file,user,workdir,index runs=elsewhere skip=1

npm pnpm | hosts=listed directory=C,prefix,cwd,dir endpoints=,registry,proxy
  outward=+,i,ci,audit,view,info,exec,dlx,create,init,x,link,import,dedupe,ping,whoami
bun | like=npm runs=code code=ep,eval,print
yarn | like=npm outward=,+,npm,dlx,create,init,info,audit,import
npx bunx pnpx uvx | outward=* offline=,no-install runs=command leading values=pc,package,call,from,with
poetry pip pipx pipenv pdm hatch rye conda mamba easy_install | hosts=any-url
  values=rcetmP,requirement,constraint,target,env-file directory=C,directory,project offline=,no-index,no-sync
  outward=+,wheel,inject,build endpoints=if,index-url,extra-index-url,find-links,proxy,index,default-index
uv | like=pip outward=+,remove,build,tool,python/install,pip/install,pip/sync,pip/compile
uv/run | outward=* offline=,no-sync,frozen runs=command leading
  values=p,python,with,env-file,extra,group,package endpoints=,index,default-index
poetry/run bundle/exec | runs=command leading values=n
cargo | values=jpF,manifest-path,package,features,target,bin,example,test endpoints=,git,index,registry directory=C
  offline=,frozen outward=+,build,b,check,c,test,t,run,r,clippy,doc,bench,nextest,tree,metadata,vendor,audit,fix
go | hosts=listed directory=C offline=,-mod values=,-mod
  outward=+,build,test,run,generate,vet,mod/download,mod/tidy,mod/vendor
mvn gradle sbt pacman | hosts=listed outward=* offline=o
bundle flatpak gem composer mix dotnet swift pod flutter dart apt apt-get apk dnf yum brew snap rustup nvm pyenv
  pre-commit playwright huggingface-cli stack cabal asdf mise | hosts=listed offline=,no-restore,local
  outward=+,require,restore,build,test,run,deps.get,pub/get,toolchain/install,target/add,component/add

sudo doas | runs=command leading values=ugpChRTrt,user,group directory=D,chdir
env | runs=command leading values=u,unset directory=C,chdir
xargs parallel | runs=xargs leading values=aEIJLnPsdj,max-args,max-procs,delimiter,jobs
timeout | runs=command leading values=ks,kill-after,signal skip=1
flock | runs=command leading values=wE skip=1
time | runs=command leading values=fo
nice ionice stdbuf | runs=command leading values=ncpioe,adjustment
strace ltrace | runs=command leading values=eopsuP
nohup setsid caffeinate unbuffer cross-env dotenv | runs=command leading
exec | runs=command leading values=a builtin
command builtin | runs=command leading builtin offline=vV
watch | runs=words leading values=n,interval
eval | runs=words leading builtin
trap | runs=trap reads=nothing hosts=none leading builtin
sh bash dash zsh ksh fish ash | runs=shell leading values=oO,rcfile,init-file code=c offline=n
su | runs=words values=gGsTw,group,supp-group,shell,whitelist-environment code=c,command
source . | runs=shell leading builtin
find | runs=find reads=nothing hosts=none
python pypy | runs=code leading values=WX code=c module=m
node nodejs tsx ts-node deno | runs=code leading values=rC,require,import,loader code=ep,eval,print
  offline=,check,test
perl | runs=code leading values=IMm code=eE
ruby | runs=code leading values=Ir code=e
php | runs=code leading values=fdS code=r offline=l
awk gawk mawk | hosts=none reads=but-first values=fFv runs=code

make gmake | values=fjIoW directory=C,directory reads=nothing
ninja meson just | values=df directory=C,working-directory
cmake ctest | values=GDC directory=BS,build,install,test-dir
cat tac head tail less more cut sort uniq tr wc diff cmp jq yq column fold paste rev xxd od base64 md5sum sha1sum
  sha256sum fd expr man info strings file tar zip gzip bat nl | hosts=none
cp mv install | hosts=none reads=but-last
grep egrep fgrep rg ag ack | hosts=none reads=but-first values=efmABCg
sed | hosts=none reads=but-first values=ef
ls stat rm rmdir mkdir touch chmod chown chgrp du ln readlink realpath basename dirname which tee mktemp unlink shred
  ssh-keygen date seq sleep | hosts=none reads=nothing
echo : true false test [ exit return set unset alias unalias shift wait pwd dirs hash type ulimit umask |
  hosts=none reads=nothing builtin
export readonly local declare typeset | hosts=none reads=nothing builtin runs=declare
cd pushd popd | hosts=none reads=nothing builtin runs=cd
printf | hosts=none reads=nothing builtin runs=read leading values=v
read | hosts=none reads=nothing builtin runs=read values=adinNptu
mapfile readarray | hosts=none reads=nothing builtin runs=read values=dnOsuCc
"""
"""One row per program or subcommand, or for several alike: names, then fields of `Program`.

In a list of options, letters come before the first comma: ``values=ab,user`` is -a, -b and --user. ``/`` in a name is
a space. Subcommands are looked up under the first name of their program's row, and inherit its ``endpoints`` and
``directory``. ``like=NAME`` copies the fields of an earlier row. ``outward=+`` adds the words of `_FETCHING`. Without
``hosts``, only ``endpoints`` and ``lists`` name hosts; with ``hosts=none``, nothing does: a URL among the words is
only mentioned.
"""
_FETCHING: Final = "install add update up upgrade publish download sync lock fetch pull push search outdated get login"


def _options(text: str) -> frozenset[str]:
    """Names of options: letters, then long ones, with or without their dashes.

    >>> sorted(_options("ab,user,-chdir"))
    ['--user', '-a', '-b', '-chdir']
    """
    letters, *names = text.split(",")
    long = (name if name.startswith("-") else f"--{name}" for name in names)
    return frozenset([*(f"-{letter}" for letter in letters), *long])


_MESSAGES: Final = _options("m,message,body,title,description,notes,comment,subject,text,author,trailer,grep")
"""Options whose values are text for people, whatever a program does with the URLs in its other words."""


def _field_value(name: str, text: str) -> object:
    if name == "outward":
        words = frozenset(text.replace("/", " ").split(","))
        return words | frozenset(_FETCHING.split()) if "+" in words else words
    if name in ("hosts", "reads", "runs"):
        return text
    return int(text) if name == "skip" else _options(text) if text else True


@functools.cache
def programs() -> Mapping[str, Program]:
    """What is known of each program and subcommand, by its name.

    >>> sorted(name for name, program in programs().items() if program.hosts == "remote" and " " not in name)
    ['rsync', 'scp']
    """
    rows: dict[str, dict[str, Any]] = {}
    for row in re.split(r"\n+(?=\S)", re.sub(r",\n  ", ",", _PROGRAM_TABLE.strip())):
        names, *texts = re.split(r"\s+\|\s+", row)
        alike = [name.replace("/", " ") for name in names.split()]
        given = {name: value for name, _, value in (one.partition("=") for one in texts[0].split())}
        fields = dict(rows[given.pop("like")] if "like" in given else {}, name=alike[0])
        fields |= {name: _field_value(name, value) for name, value in given.items()}
        for name in ("endpoints", "directory"):
            fields[name] = fields.get(name, frozenset()) | rows.get(alike[0].rpartition(" ")[0], {}).get(name, set())
        rows |= dict.fromkeys(alike, fields)
    for fields in rows.values():
        with_value = (fields.get(name, ()) for name in ("values", "endpoints", "lists", "directory", "code", "module"))
        fields["values"] = frozenset(itertools.chain(*with_value, _MESSAGES if fields.get("hosts") == "listed" else ()))
    return {name: Program(**fields) for name, fields in rows.items()}


_UNKNOWN_PROGRAM: Final = Program(values=_MESSAGES, hosts="listed")


def _row(name: str) -> Program | None:
    """The row of a program, whatever its version: ``python3.12`` is ``python``."""
    return programs().get(name) or programs().get(name.rstrip("0123456789.-"))


def split_arguments(
    words: Sequence[str], row: Program, *, leading: bool = False
) -> tuple[list[str], list[tuple[str, str]]]:
    """Operands, and options with their values, as getopt separates them; ``leading``: options end at the first operand.

    >>> split_arguments(["-sSo", "out", "--max-time=3", "http://x/"], programs()["curl"])
    (['http://x/'], [('-s', ''), ('-S', ''), ('-o', 'out'), ('--max-time', '3')])
    """
    operands: list[str] = []
    options: list[tuple[str, str]] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        name, equals, value = word.partition("=")
        if word == "--" or (leading and operands):
            operands += [word, *rest] if operands else rest
            break
        if word.startswith("--") or (len(name) > 2 and name in row.values and word[0] == "-"):
            is_guessed = row.switches and rest and name not in row.switches and not re.match(f"-|{_URL}", rest[0])
            takes_next = not equals and rest and (name in row.values or is_guessed)
            options.append((name, rest.popleft() if takes_next else value))
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if f"-{letter}" in row.values:  # its value is the rest of the word or the next word
                    options.append((f"-{letter}", word[at:] or (rest.popleft() if rest else "")))
                    break
                options.append((f"-{letter}", ""))
        else:
            operands.append(word)
    return operands, options


# ── what a shell knows, and one program that it starts ──

_UNKNOWN_TEXT: Final = "$(…)"
"""Stands for text that is not known from the command."""
_MAX_VALUE: Final = 1024  # of a variable: "a=$a$a" over and over must not fill the memory
_BEFORE_A_PATH: Final = r"^(?:--[\w-]+=|(?:[\w.-]+=)?[@<])"
_IS_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_ENVIRONMENT_DUMP: Final = r"set|export(?: -p)?|(?:declare|typeset) -(?:p|x|px|xp)"
_NO_ENVIRONMENT: Final = _names("-i - --ignore-environment")
_LOCAL_OPTIONS: Final = _names("--offline --help --version -V")
_LOCAL_OPERANDS: Final = _names("help version config configure set")
_CHANGING: Final = _names("tee cp mv install sed ln rm shred unlink tar zip gzip")
"""Programs among those whose words are text that change files."""
_NO_HOST: Final = r"\d{1,5}|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"


@dataclass(slots=True)
class _ShellState:
    """What a shell knows while it runs a command, as far as the command says it.

    ``directory`` is relative to the trace's cwd, or absolute; none where it is not known. ``exported`` are variables
    that programs get. ``files`` are those that the command wrote, ``remotes`` those that it gave to git.
    """

    policy: Policy
    directory: str | None = "."
    previous: str | None = "."
    variables: dict[str, str] = field(default_factory=dict)
    functions: dict[str, list[Command]] = field(default_factory=dict)
    exported: dict[str, None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    remotes: dict[str, str] = field(default_factory=dict)

    def copy(self) -> _ShellState:
        """A copy for a subshell. ``files`` and ``remotes`` stay shared with this one."""
        copies = {name: getattr(self, name).copy() for name in ("variables", "functions", "exported")}
        return replace(self, **copies)

    def set(self, name: str, value: str) -> None:
        self.variables[name.rstrip("+").partition("[")[0]] = value[:_MAX_VALUE]

    def home(self) -> str:
        match = re.match(r"/root|/(?:home|Users)/[^/]+", self.policy.cwd or "")
        return match[0] if match else "/~"

    def resolve(self, target: str) -> str | None:
        """The path that ``target`` names from here; none where that is not known."""
        if target.startswith("~"):
            target = f"{self.home()}/{target[1:].lstrip('/')}"
        if "$" in target or len(target) > _MAX_PATH or (self.directory is None and not target.startswith("/")):
            return None
        path = _normal(posixpath.join(self.directory or ".", target or "."))
        return path if len(path) <= _MAX_PATH else None

    def forget(self, target: str) -> None:
        """The content of a file is no longer known: a program may have changed it."""
        path = self.resolve(target) or ""
        if path in self.files:
            self.files[path] = _UNKNOWN_TEXT

    def is_outside(self, directory: str | None) -> bool:
        """Whether a directory lies outside the cwd; an unknown one does not."""
        return directory is not None and not self.policy.contains(directory)


class _ProgramCall(NamedTuple):
    """One program that a command starts."""

    row: Program
    words: Sequence[str]
    operands: Sequence[str]
    options: Sequence[tuple[str, str]]
    state: _ShellState
    stdin: str | None

    @property
    def program(self) -> str:
        return posixpath.basename(self.words[0])

    def values(self, names: Container[str]) -> list[str]:
        return [value for name, value in self.options if name in names]

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.options)

    def is_local(self) -> bool:
        """Whether an option or operand says that it neither reaches out nor runs anything."""
        options = _LOCAL_OPTIONS | self.row.offline
        is_said = self.row.hosts in ("listed", "any-url") and {*self.operands[:1]} & _LOCAL_OPERANDS
        return bool(is_said) or any(name in options for name, _ in self.options)

    def dumps_environment(self) -> bool:
        """Whether it prints the whole environment: ``env`` or ``printenv`` alone, ``export -p``."""
        if self.program in ("env", "printenv"):
            is_bare = all(_IS_ASSIGNMENT.match(word) for word in self.operands)
            return is_bare and not self.is_local() and _NO_ENVIRONMENT.isdisjoint(self.words)
        return re.fullmatch(_ENVIRONMENT_DUMP, " ".join(self.words[:3])) is not None

    def files(self) -> Iterator[str]:
        """The words that name files to read; a command inside this one is inspected by itself."""
        words: Sequence[str] = self.words[1:] if self.row.reads != "nothing" else ()
        if self.row.reads == "options" or self.row.runs in ("command", "xargs", "words"):
            words = [value for _, value in self.options]
        elif self.row.reads == "but-last":
            words = words[:-1]
        elif self.row.reads == "but-first":
            has_pattern = self.has("-e", "-f", "--regexp", "--file")
            words = [*self.operands[0 if has_pattern else 1 :], *self.values(("-f", "--file"))]
        return (re.sub(_BEFORE_A_PATH, "", word) for word in words)

    def named(self) -> list[str]:
        """The operands; a git remote that the command added is replaced by its URL."""
        default = ["origin"] if self.row.hosts == "remote" else []
        return [self.state.remotes.get(word, word) for word in self.operands or default]

    def hosts(self) -> Iterator[str]:
        form, endpoints = self.row.hosts, self.values(self.row.endpoints)
        for value in endpoints:
            yield from hosts_in("url", value)
        operands = [word for word in self.named() if not re.fullmatch(_NO_HOST, word)]
        if form in ("listed", "any-url"):
            operands += [value for name, value in self.options if name not in _MESSAGES | self.row.endpoints]
        elif form == "database":
            operands = [*([] if endpoints else operands), *(value for _, value in self.options if ":" in value)]
        for word in operands[: 1 if self.row.first else None] if form else ():
            yield from hosts_in(form, word)
        for value in self.values(self.row.lists):
            is_known = value == "-" and self.stdin is not None and self.stdin != _UNKNOWN_TEXT
            yield from hosts_in("any-url", self.stdin or "") if is_known else [f"${value}"]


def _parse_call(words: Sequence[str], row: Program, state: _ShellState, stdin: str | None) -> _ProgramCall:
    """Splits a command's words into operands and options, those of a subcommand by its own row."""
    earlier, rest = list[tuple[str, str]](), words[1:]
    while True:
        operands, options = split_arguments(rest, row, leading=True)
        inner = programs().get(f"{row.name} {operands[0]}") if operands and row.name else None
        if inner is None:
            operands, options = split_arguments(rest, row, leading=row.leading)
            return _ProgramCall(row, words, operands, [*earlier, *options], state, stdin)
        earlier += options
        row, rest = inner, operands[1:]


# ── code in other languages ──

_CODE_TEXT: Final = r"""(?xs)
    (?P<comment> %s )
  | (?:\b[rbufRBUF]{1,2})? (?:
      '''(.*?)'''
    | \"\"\"(.*?)\"\"\"
    | "([^"\\\n]*(?:\\.[^"\\\n]*)*)"?
    | '([^'\\\n]*(?:\\.[^'\\\n]*)*)'?
    | `([^`\\]*(?:\\.[^`\\]*)*)`? )
"""
_HASH_COMMENTS: Final = _CODE_TEXT % r"\#[^\n]*"
_SLASH_COMMENTS: Final = _CODE_TEXT % r"//[^\n]*|/\*(?:.*?\*/|.*)"
_SLASH_LANGUAGES: Final = _names("node bun php")
_METHOD: Final = r"(?:\.|::|->)(?:get|get_response|post|post_form|put|patch|delete|head|options|request|stream|open)"
_URL_CLIENT: Final = (
    r"(?:.*(?:\.|::|->))?(?:urlopen|urlretrieve|fetch|file_get_contents|curl_init|WebSocket|EventSource|create_engine"
    r"|axios|got|(?:URI|Net::HTTP|HTTP::Tiny|LWP|axios|got|requests|httpx|aiohttp|superagent|needle|urllib3|RestClient"
    rf"|Faraday|HTTParty)(?:(?:\.|::|->)\w+){{0,2}}{_METHOD})|wget\.download|websockets?\.connect|https?{_METHOD}"
    rf"|session{_METHOD}|git\.Repo\.clone_from"
)
_MAYBE_URL_CLIENT: Final = (
    rf"(?i)(?:\w*(?:client|http|conn|agent|api|page|browser)|s|ua|ctx|sess|)(?:{_METHOD}|\.goto|\.ws_connect)"
    r"|get|getstore|open|Request"
)
"""Names of clients, and of other objects as well: they count only with a literal URL."""
_HOST_CLIENT: Final = (
    r"(?:.*(?:\.|::))?(?:HTTPS?Connection|create_connection|SMTP(?:_SSL)?|FTP(?:_TLS)?|IMAP4(?:_SSL)?|POP3(?:_SSL)?"
    r"|Telnet|Redis|StrictRedis|MongoClient|gethostbyname|getaddrinfo|createConnection|fsockopen|dns\.lookup"
    r"|TCPSocket\.(?:new|open)|Net::HTTP\.(?:start|new|get|get_print|get_response))"
    r"|(?:.*\.)?(?:\w*sock\w*|s|conn|client|ssh|SSHClient|net|tls|sk|psycopg2?|pymysql|asyncpg|mysql\.connector|)"
    r"\.connect(?:_ex)?|https?\.(?:get|request)"
)
_HOST_LIKE: Final = r"[\w-]+(?:\.[\w-]+)*\.(?!db$|sqlite3?$|json$|py$|js$|txt$)[A-Za-z][\w-]*|\d+(?:\.\d+){3}"
_SHELL_CLIENT: Final = (
    r"(?:subprocess|sp)\.(?:run|call|check_call|check_output|Popen|getoutput|getstatusoutput)|Popen|check_output"
    r"|check_call|os\.(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?)|asyncio\.create_subprocess_(?:exec|shell)|system"
    r"|(?:\w*\.)?(?:execSync|execFile|execFileSync|spawn|spawnSync)|(?:child_process|cp)\.exec|exec|shell_exec|passthru"
    r"|(?:IO|Open3)\.\w+"
)
_CODE_ALIAS: Final = (
    r"(?:\bfrom ([\w.]{1,60}) import|\bimport|,) +([\w.]{1,60}) as (\w+)"
    r"|\b([\w.]{1,60})\([^()\n]{0,200}\) as (\w+)"
    r"|(\$?\b\w{1,60}) *= *(?:await |new )?((?!require\b)[A-Za-z_](?:[\w.]|::|->){0,60})(?![\w.])"
)
"""What a name stands for: ``import requests as r``, ``with Client() as c``, ``s = requests.Session()``."""
_CODE_VARIABLE: Final = (
    r"(?:environ(?:b|\.get|\.pop)?|getenv|process\.env|ENV(?:\.fetch)?|ENVIRON|\$_ENV)[\s(\[{.]+['\"]?(\w+)\b"
    r"(?!['\"]\s*\]\s*=[^=])"
)
_WHOLE_ENVIRONMENT: Final = (
    r"(?<!in )(?<!\*\*)(?<!\.\.\.)(?<!env=)(?<!env: )(?:os\.environ|process\.env|\bENV)\s*(?:\)|$|;|,)"
    r"|(?:os\.environ|\bENV)\.(?:items|values|to_h|each|inspect|map)\b|in ENVIRON\b|%ENV\b|\bgetenv\(\)"
    r"|for \w+(?:, ?\w+)? in os\.environ|(?:in|of) (?:os\.environ|Object\.\w+\(process\.env\)):"
)
_READING: Final = r"\bopen\b|[Rr]ead|load|slurp|File\b|cat\b|file_get_contents"
_EXECUTABLES: Final = {"$sys.executable": "python", "$process.execPath": "node"}
_HOST_KEYWORDS: Final = _names("host hostname server")
_URL_KEYWORDS: Final = _names("base_url endpoint_url baseURL")
_CODE_CALL: Final = (
    r"((?:\.|\b|(?<![\w$])(?=\$))[A-Za-z_$][\w$]{0,80}(?:(?:\.|::|->)[A-Za-z_$][\w$]{0,80}){0,8})[ \t]*"
    r"\((?=((?:[^()]|\((?:[^()]|\([^()]{0,99}\)){0,199}\)){0,299}))"
)
_ARGUMENT: Final = r"(?:(\w+)[ \t]*[=:]\s*)?(?:\"(\d+)\"|(\$?[A-Za-z_][\w.$]*))"
_CODE_ASSIGNMENT: Final = r"(\$?\b[A-Za-z_]\w*)[ \t]*[=:]\s*(?:await |new )?([\w.]{1,60}\(|)\[?\"(\d+)\""


def code_calls(code: str) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """The calls in a piece of code without comments: what is called, the arguments, and those with a keyword.

    They are the texts and (as ``$name``) the names in the parentheses; a variable that was given a text is
    replaced by it.

    >>> [*code_calls("u = 'http://a/'; get(u, timeout=T)")]
    [('get', ['http://a/'], {'timeout': '$T'})]
    """
    texts: list[str] = []
    variables: dict[str, str] = {}

    def masked(literal: re.Match[str]) -> str:
        texts.append(literal[literal.lastindex or 0][:_MAX_VALUE])
        return f'"{len(texts) - 1}"'

    def text_of(number: str) -> str:
        known = re.sub(r"\$?\{(\w+)\}", lambda part: variables.get(part[1], part[0]), texts[int(number)])
        return known[:_MAX_VALUE]

    bare = re.sub(_CODE_TEXT % "(?!)", masked, code)
    for name, maker, number in re.findall(_CODE_ASSIGNMENT, bare):
        if not maker or "://" in texts[int(number)]:  # "text = open('a.txt').read()" is not a.txt
            variables[name] = text_of(number)
    for call in re.finditer(_CODE_CALL, bare):
        arguments = [
            (key, text_of(number) if number else variables.get(name, f"${name}"))
            for key, number, name in re.findall(_ARGUMENT, call[2])
        ]
        yield call[1], [text for key, text in arguments if not key], {key: text for key, text in arguments if key}


def _unaliased(name: str, aliases: Mapping[str, str]) -> str:
    first = re.split(r"\.|->|::", name, maxsplit=1)[0]
    return (aliases.get(first, first) + name[len(first) :])[:200]


def _code_aliases(code: str) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for package, module, short, maker, manager, variable, made in re.findall(_CODE_ALIAS, code):
        name = f"{package}.{module}" if package else module or maker or made
        aliases[short or manager or variable] = _unaliased(name, aliases)
    return aliases


def _hosts_of_call(callee: str, positional: Sequence[str], keywords: Mapping[str, str]) -> list[str]:
    names_client, names_host = re.fullmatch(_URL_CLIENT, callee), re.fullmatch(_HOST_CLIENT, callee)
    texts = [*positional, *keywords.values()]
    if not (names_client or names_host):
        is_maybe = re.fullmatch(_MAYBE_URL_CLIENT, callee)
        texts = [*positional[: 2 if callee.endswith("request") else 1]] if is_maybe else []
        texts += [text for key, text in keywords.items() if key in _URL_KEYWORDS]
    hosts = [host for text in texts for host in hosts_in("any-url", text)]
    if not hosts and names_host:
        plain = [text for text in positional if re.fullmatch(_HOST_LIKE, text)]
        hosts = [text for key, text in keywords.items() if key in _HOST_KEYWORDS] or plain[:1]
    if not hosts and names_client and positional and re.match(r"\$|https?://$", positional[0]):
        hosts = [f"${callee}({positional[0].lstrip('$')})"]
    return hosts


# ── the walk through a command ──

_PARAMETER_NAME: Final = r"(?s)\$\{?!?([A-Za-z_]\w*|[0-9@*])(.*?)\}?$"
_ENDPOINT_VARIABLE: Final = r"(?i)\w*_(?:url|uri|proxy|endpoint)|goproxy|(?:pg|mysql_|docker_|redis_)host"
_INSTALLED: Final = r"(?:^|/)s?\.?bin/[^/]+$"


def _written_by(words: Sequence[str], stdin: str | None) -> str:
    """What a command writes: the words of ``echo`` and ``printf``, what ``cat`` and ``tee`` are given."""
    program, rest = words[0], words[1:]
    if program in ("echo", "printf"):
        text = " ".join(itertools.dropwhile(re.compile(r"-[neE]+").fullmatch, rest))
        return text if program == "echo" else re.sub(r"%[-+ #0-9.]*[a-z]", "", text).replace("\\n", "\n")
    if stdin is not None and (program == "tee" or (program == "cat" and all(word.startswith("-") for word in rest))):
        return stdin
    return _UNKNOWN_TEXT


def _endpoints(assigned: Iterable[str]) -> list[str]:
    """The hosts in assignments of variables such as ``*_URL`` and ``*_PROXY``."""
    pairs = (word.partition("=") for word in assigned)
    values = (value for name, _, value in pairs if re.fullmatch(_ENDPOINT_VARIABLE, name))
    return [host for value in values for host in hosts_in("url", value)]


class _CommandInspector:
    """Follows one shell command as a shell would, runs nothing, and collects violations and what is undecided.

    Programs are known by their rows in `programs`; what a program ``runs`` is inspected by the method of that name,
    ``_run_xargs`` for xargs. A variable that the command sets has a known value; any other leaves open where a
    program reaches.
    """

    def __init__(self, policy: Policy, budget: Budget | None = None) -> None:
        self._policy, self._budget = policy, budget or Budget()
        self._later: dict[int, Callable[[], object]] = {}
        """Still to inspect, by ``id()``: traps, and functions that nothing called."""
        self.violations: dict[Violation, None] = {}
        self.undecided: dict[Undecided, None] = {}

    def command(self, text: str, state: _ShellState) -> None:
        """Inspects a whole command; a shell that it leaves outside the cwd starts the next program there."""
        try:
            self._script(text, state)
            self._run_later()
        except ShellLimitError as error:
            self.doubt(UndecidedReason.LIMIT, str(error))
        started_outside = any(violation.reason is Reason.SPAWN_OUTSIDE_CWD for violation in self.violations)
        if state.is_outside(state.directory) and not started_outside:
            self.violate(Reason.SPAWN_OUTSIDE_CWD, f"the shell is left in {state.directory}")

    def violate(self, reason: Reason, what: str) -> None:
        self.violations[Violation(reason, what)] = None

    def doubt(self, reason: UndecidedReason, detail: str) -> None:
        self.undecided[Undecided(reason, detail[:200])] = None

    def reach(self, hosts: Iterable[str], *, is_used: bool = True) -> None:
        """Judges the hosts that an action names; ``is_used`` is false where it may only mention them."""
        for host in hosts:
            if re.search(r"[${}%*]", host):
                self.doubt(UndecidedReason.UNKNOWN_ENDPOINT, host)
            elif not self._policy.allows(host):
                if is_used:
                    self.violate(Reason.NETWORK_EGRESS, host)
                else:
                    self.doubt(UndecidedReason.UNKNOWN_USE, host)

    def _subshell(self, state: _ShellState) -> _ShellState:
        self._budget.spend(1 + (len(state.variables) + len(state.functions) + len(state.exported)) // 16)
        return state.copy()

    def _script(self, text: str, state: _ShellState) -> None:
        """A text that a shell runs. Of one without an end, the commands before that are inspected."""
        self._budget.spend(len(text) // 64)
        try:
            tokens: Sequence[Word] = shell_tokens(text, self._budget)
        except ShellLimitError:
            raise
        except ShellSyntaxError as error:
            self.doubt(UndecidedReason.UNREADABLE, str(error))
            tokens = error.tokens
        with self._budget.deeper():
            self._run_commands(shell_commands(tokens, self._budget), state)

    def _run_later(self) -> None:
        while self._later:
            self._later.pop(next(iter(self._later)))()

    def _run_commands(self, commands: Iterable[Command], state: _ShellState, stdin: str | None = None) -> str:
        return "\n".join(self._run_one(command, state, stdin) for command in commands)

    def _run_one(self, command: Command, state: _ShellState, stdin: str | None) -> str:
        """Runs one command; returns what it writes to its standard output, and keeps what it writes to a file."""
        self._budget.spend()
        stdin = self._redirected_input(command, state, stdin)
        names = [word_text(word).partition("=")[0] for word in command.assignments if command.words]
        temporary = [name for name in names if name not in state.variables]
        assigned: list[str] = []
        for word in command.assignments:
            text = self._text(word, state)
            state.set(*text.split("=", 1))
            assigned.append(text)
        words = self._expanded(command.words, state)
        written = ""
        if command.kind == "function":
            state.functions[" ".join(words)] = command.body
            self._later[id(command.body)] = lambda: self._run_commands(command.body, self._subshell(state))
        elif command.kind:
            written = self._run_group(command, words, state, stdin)
        elif words:
            written = _written_by(words, stdin)
            self._argv(words, state, stdin, _endpoints(assigned))
        for name in temporary:
            state.variables.pop(name, None)
        for operator, word in command.redirects:
            target = self._text(word, state) if ">" in operator else ""
            path = state.resolve(target) if re.fullmatch(r"[1&]?>[>|]?", operator) else None
            if path is not None:
                before = state.files.get(path, _UNKNOWN_TEXT) + "\n" if ">>" in operator else ""
                state.files[path], written = before + written, ""
            elif target:
                state.forget(target)
        return written

    def _run_group(self, command: Command, words: Sequence[str], state: _ShellState, stdin: str | None) -> str:
        written: list[str] = []
        with self._budget.deeper():
            if command.kind == "|":
                for member in command.body:
                    stdin = self._run_one(member, self._subshell(state), stdin)
                return stdin or ""
            inner = self._subshell(state) if command.kind in ("(", "&") else state
            for value in (words[2:] or ["$@"]) if command.kind in ("for", "select") else [""]:
                if value and words:
                    inner.set(words[0], value)
                written.append(self._run_commands(command.body, inner, stdin))
        return "\n".join(written)

    def _redirected_input(self, command: Command, state: _ShellState, stdin: str | None) -> str | None:
        """The standard input of a command, as its redirections say."""
        for operator, word in command.redirects:
            target = self._text(word, state)
            kind = operator.lstrip("0123456789")
            if kind.startswith("<<"):
                stdin = target
            elif device := re.match(r"/dev/(?:tcp|udp)/([^/]+)", target):
                self.reach([device[1]])
            elif kind in ("<", "<>"):
                self._read_file(target)
                stdin = "" if target == "/dev/null" else state.files.get(state.resolve(target) or "", _UNKNOWN_TEXT)
        return stdin

    # ── words ──

    def _expanded(self, words: Iterable[Word], state: _ShellState) -> list[str]:
        """The words that a command gets: a known variable by its value, any other as ``$name``."""
        expanded: list[str] = []
        for word in words:
            text = self._text(word, state)
            splits = any(part.kind in (PartKind.PARAMETER, PartKind.COMMAND) and not part.quoted for part in word)
            expanded += text.split() if splits else [text]
        return expanded

    def _text(self, word: Word, state: _ShellState) -> str:
        text = "".join(self._value(part, state) for part in word)
        self._budget.spend(len(text) // 64)
        return text

    def _value(self, part: Part, state: _ShellState) -> str:
        """The expansion of a part; notes credentials that it reads, inspects commands that it substitutes."""
        if part.kind is PartKind.COMMAND:
            with self._budget.deeper():
                return self._run_commands(shell_commands(part.tokens, self._budget), self._subshell(state))
        parameter = re.match(_PARAMETER_NAME, part.text)
        operation = parameter[2] if parameter else ""
        for word in part.tokens:
            self._text(word, state)
        if part.kind in (PartKind.PARAMETER, PartKind.ARITHMETIC) and not operation.lstrip(":").startswith("+"):
            for name in re.findall(r"\$(?:\{!?)?(\w+)", re.split(r"(?<!^)\$\(|`", part.text)[0]):
                if name not in state.variables:
                    self._read_variable(name)
        if part.kind is not PartKind.PARAMETER or not parameter:
            return "0" if part.kind is PartKind.ARITHMETIC else part.text
        name = parameter[1]
        if name in ("PWD", "HOME"):
            return state.home() if name == "HOME" else state.directory or "$PWD"
        default = operation.removeprefix(":")[1:] if re.match(":?[-=]", operation) else ""
        return state.variables.get(name, default or f"${name}")

    def _read_variable(self, name: str) -> None:
        if is_credential_name(name):
            self.violate(Reason.CREDENTIAL_READ, f"${name}")

    def _read_file(self, path: str, *, folders: bool = False) -> None:
        if holds_credentials(path, folders=folders):
            self.violate(Reason.CREDENTIAL_READ, path)

    # ── one program ──

    def _argv(
        self, words: Sequence[str], state: _ShellState, stdin: str | None = None, endpoints: Sequence[str] = ()
    ) -> None:
        """Inspects one command by its words, and the commands inside it (``sudo …``, ``sh -c …``)."""
        self._budget.spend(1 + len(words) // 4)
        with self._budget.deeper():
            if words[0] in state.functions:
                self._call_function(words, state, stdin)
                return
            call = _parse_call(words, self._row_of(words, state), state, stdin)
            if not call.row.builtin:
                call = self._started(call, endpoints)
            self._check_hosts(call)
            for path in call.files():
                self._read_file(path, folders=True)
            self._forget_changed_files(call)
            if call.program == "printenv" or (call.program in ("declare", "typeset") and call.has("-p")):
                for name in call.operands:
                    self._read_variable(name)
            if call.dumps_environment():
                self.violate(Reason.CREDENTIAL_READ, f"the whole environment ({call.program})")
            if call.row.runs and not call.is_local():
                getattr(self, f"_run_{call.row.runs}")(call)

    def _forget_changed_files(self, call: _ProgramCall) -> None:
        """Forgets the files that the command wrote before and that a program may change: any that it names."""
        if not call.state.files or call.row.runs or (call.row.hosts == "none" and call.program not in _CHANGING):
            return
        self._budget.spend(len(call.words))
        words = [*call.operands, *(value for _, value in call.options)]
        if call.row.reads == "but-last" and call.operands:  # the target of copies, which may be a folder
            target = call.operands[-1]
            words = [target, *(posixpath.join(target, posixpath.basename(word)) for word in call.operands[:-1])]
        for word in words:
            call.state.forget(word.removeprefix("of="))

    def _call_function(self, words: Sequence[str], state: _ShellState, stdin: str | None) -> None:
        body = state.functions.pop(words[0])  # a function that calls itself is followed once
        self._later.pop(id(body), None)
        given = {"@": " ".join(words[1:]), **{str(number): word for number, word in enumerate(words[1:], 1)}}
        outer = {name: state.variables.get(name, f"${name}") for name in given}
        state.variables.update({name: word[:_MAX_VALUE] for name, word in given.items()})
        self._run_commands(body, state, stdin)
        state.variables.update(outer)
        state.functions[words[0]] = body

    def _row_of(self, words: Sequence[str], state: _ShellState) -> Program:
        """The row of a program; a script that is run by its path is inspected if the command wrote it."""
        row = _row(posixpath.basename(words[0])) or _UNKNOWN_PROGRAM
        if words[0][:1] == "$":
            self.doubt(UndecidedReason.UNKNOWN_SCRIPT, words[0])
        elif "/" in words[0] and not re.search(_INSTALLED, words[0]):
            self._run_file(words[0], programs()["sh"], state)
            return _UNKNOWN_PROGRAM if row.hosts in ("", "none") else row
        return row

    def _started(self, call: _ProgramCall, endpoints: Sequence[str]) -> _ProgramCall:
        """Judges the directory in which a program starts and the hosts that its variables name."""
        inner = call.state
        for target in call.values(call.row.directory):
            inner = replace(inner, directory=inner.resolve(target))
            if inner.directory is None:
                self.doubt(UndecidedReason.UNKNOWN_DIRECTORY, target)
        if inner.is_outside(inner.directory):
            self.violate(Reason.SPAWN_OUTSIDE_CWD, f"{call.program} in {inner.directory}")
        if call.row.hosts != "none":
            variables = inner.variables
            self._budget.spend(len(inner.exported))
            exported = (f"{name}={variables[name]}" for name in inner.exported if name in variables)
            self.reach([*endpoints, *_endpoints(exported)])
        return call._replace(state=inner)

    def _check_hosts(self, call: _ProgramCall) -> None:
        if call.row.hosts == "none" or call.is_local():
            return
        hosts = [*call.hosts()]
        self.reach(hosts, is_used=call.row is not _UNKNOWN_PROGRAM)
        names = [word for word in call.named() if word[:1] != "+"]
        is_local = call.row.hosts == "remote" and names and re.match(r"[./~$]|file:", names[0])
        asked = {"*", *names[:1], " ".join(names[:2])} if len(call.words) > 1 else {"*", ""}
        if not hosts and not is_local and not call.row.outward.isdisjoint(asked):
            self.doubt(UndecidedReason.UNNAMED_ENDPOINT, " ".join([call.program, *call.words[1:]]))

    # ── what a program runs: `_run_xargs` for a row with ``runs=xargs`` ──

    def _run_file(self, path: str, row: Program, state: _ShellState) -> None:
        """Inspects a script that is run by its path: its content is known only if the command wrote it."""
        content = state.files.get(state.resolve(path) or "")
        if content is not None:
            shebang = re.match(r"#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(?:\S*/)?([\w.-]+)", content)
            named = _row(shebang[1]) if shebang and row.runs == "shell" else None
            self._run_text(content, named or row, state)
        elif not (row.builtin and (re.search(_INSTALLED, path) or holds_credentials(path))):
            self.doubt(UndecidedReason.UNKNOWN_SCRIPT, path)

    def _run_text(self, text: str, row: Program, state: _ShellState) -> None:
        """A text that is run by a shell or an interpreter; ``source`` and ``eval`` run it in the same shell."""
        if text == _UNKNOWN_TEXT:
            self.doubt(UndecidedReason.UNKNOWN_SCRIPT, f"what {row.name} is given to run")
        elif row.runs == "code":
            self._code(text, row, self._subshell(state))
        elif row.runs:
            self._script(text, state if row.builtin else self._subshell(state))

    def _run_shell(self, call: _ProgramCall) -> None:
        """A shell or an interpreter: the text of an option, a module, a file, or its standard input."""
        row, operands = call.row, call.operands
        texts = operands[:1] if row.reads == "but-first" and not call.has("-f") else call.values(row.code)
        module = next(iter(call.values(row.module)), None)
        script = next((word for word in operands[:2] if row.runs == "shell" or re.search("[./]", word)), None)
        for text in texts:
            self._run_text(text, row, call.state)
        if texts:
            return
        if module in call.words:
            self._argv(call.words[call.words.index(module) :], call.state)
        elif script and not call.has("-s"):
            self._run_file(script, row, call.state)
        elif call.stdin is not None and (call.has("-s") or not operands or operands == ["-"]):
            self._run_text(call.stdin, row, call.state)

    _run_code = _run_shell

    def _run_words(self, call: _ProgramCall) -> None:
        for text in call.values(call.row.code) if call.row.code else [" ".join(call.operands)]:
            self._run_text(text, call.row, call.state)

    def _run_command(self, call: _ProgramCall) -> None:
        """The command behind a prefix such as ``sudo`` or ``timeout 5``, with the variables that it sets."""
        words = [*call.operands[call.row.skip :]]
        if "--" in words and words[0][:1] == "-":  # kubectl exec pod -c app -- ls
            words = words[words.index("--") + 1 :]
        inner = [*itertools.dropwhile(_IS_ASSIGNMENT.match, words)]
        if inner:
            self._argv(inner, call.state, call.stdin, _endpoints(words[: len(words) - len(inner)]))

    def _run_elsewhere(self, call: _ProgramCall) -> None:
        """On another host (whose shell splits the words again) or in a container, only hosts that are reached count."""
        inner = _CommandInspector(self._policy, self._budget)
        host, *words = call.operands or [""]
        if call.row.hosts == "url":
            words = ["sh", "-c", " ".join(words).removeprefix("-- ")] if words else ["sh"]
        inner._run_command(call._replace(operands=[host, *words], state=self._subshell(call.state)))
        inner._run_later()
        self.reach(violation.what for violation in inner.violations if violation.reason is Reason.NETWORK_EGRESS)
        for doubt in inner.undecided:
            if doubt.reason is not UndecidedReason.UNKNOWN_DIRECTORY:
                self.doubt(*doubt)

    def _run_trap(self, call: _ProgramCall) -> None:
        if len(call.operands) > 1:
            self._later[id(call)] = lambda: self._run_text(call.operands[0], call.row, self._subshell(call.state))

    def _run_declare(self, call: _ProgramCall) -> None:
        for name, equals, value in (word.partition("=") for word in call.operands):
            if equals or call.program in ("local", "declare", "typeset"):
                call.state.set(name, value if equals else f"${name}")
            if (call.program == "export" or call.has("-x")) and re.fullmatch(_ENDPOINT_VARIABLE, name):
                call.state.exported[name] = None

    def _run_read(self, call: _ProgramCall) -> None:
        operands = () if call.program == "printf" else call.operands
        for name in (*operands, *call.values(("-a", "-v"))):
            call.state.set(name, f"${name}")

    def _run_cd(self, call: _ProgramCall) -> None:
        state, target = call.state, next(iter(call.operands), "~")
        goes_back = call.program == "popd" or target == "-" or (call.program == "pushd" and not call.operands)
        state.directory, state.previous = state.previous if goes_back else state.resolve(target), state.directory
        if state.directory is None:
            self.doubt(UndecidedReason.UNKNOWN_DIRECTORY, target)

    def _run_remote_add(self, call: _ProgramCall) -> None:
        call.state.remotes.update(zip(call.operands[:1], call.operands[1:2], strict=False))

    def _run_xargs(self, call: _ProgramCall) -> None:
        """Standard input is appended to the command, or replaces a mark such as ``{}``, also where it is not known."""
        text, command = call.stdin or _UNKNOWN_TEXT, call.operands
        marks = [value or "{}" for name, value in call.options if name in ("-I", "-i", "-J", "--replace")]
        runs = [[*command, *text.split()]]
        if marks:
            runs = [[word.replace(marks[0], line.strip()) for word in command] for line in text.splitlines()]
        for words in runs if command else ():
            self._argv(words, call.state)

    def _run_find(self, call: _ProgramCall) -> None:
        """``find -exec``: ``{}`` is a file in the first folder, with the name that is searched for."""
        words = call.words[1:]
        name = next((after for word, after in itertools.pairwise(words) if word in ("-name", "-iname", "-path")), "")
        root = words[0] if words and words[0][:1] not in "-(!" else "."
        path = posixpath.join(root, name) if name else root
        rest = iter(words)
        for word in rest:
            if word in ("-exec", "-execdir", "-ok", "-okdir"):
                inner = itertools.takewhile(lambda word: word not in (";", "+"), rest)
                if command := [word.replace("{}", path) for word in inner]:
                    self._argv(command, self._subshell(call.state))

    # ── code ──

    def _code(self, code: str, row: Program, state: _ShellState) -> None:
        """A piece of Python, JavaScript, Perl, …: only calls of known clients reach out."""
        self._budget.spend(len(code) // 16)
        pattern = _SLASH_COMMENTS if row.name in _SLASH_LANGUAGES else _HASH_COMMENTS
        bare = re.sub(pattern, lambda match: " " if match["comment"] else match[0], code)
        aliases = _code_aliases(bare)
        for given, positional, keywords in code_calls(bare):
            self._budget.spend()
            callee = _unaliased(given, aliases)
            if callee.endswith("chdir") and positional:
                state.directory = state.resolve(positional[0])
            elif re.fullmatch(_SHELL_CLIENT, callee) and positional:
                inner = self._subshell(state)
                inner.directory = state.resolve(keywords["cwd"]) if "cwd" in keywords else state.directory
                words = [_EXECUTABLES.get(word, word) for word in positional]
                if re.search(r"\s", words[0]):
                    self._script(words[0], inner)
                else:
                    self._argv(words, inner)
            for name in dict.fromkeys((given, callee)):
                self.reach(_hosts_of_call(name, positional, keywords))
        for variable in re.finditer(_CODE_VARIABLE, bare):
            self._read_variable(variable[1])
        if re.search(_WHOLE_ENVIRONMENT, bare):
            self.violate(Reason.CREDENTIAL_READ, "the whole environment")
        if re.search(_READING, bare):
            for text in re.finditer(r"['\"]([^'\"\n]{1,300})['\"]", bare):
                self._read_file(text[1])
                state.forget(text[1])


# ── any tool ──

_FILE_READERS: Final = _names("Read Edit MultiEdit NotebookRead NotebookEdit Grep")
_ENDPOINT_FIELD: Final = r"(?:.*[_-])?(?:ur[il]s?|endpoint|href)|.*U(?:RL|rl|RI|ri)s?"


def _endpoint_values(value: object, name: str = "") -> Iterator[str]:
    """The texts in fields such as ``url`` and ``href``, however deep they stand in the input of a tool."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _endpoint_values(member, key)
    elif isinstance(value, list):
        for item in value:
            yield from _endpoint_values(item, name)
    elif isinstance(value, str) and re.fullmatch(_ENDPOINT_FIELD, name):
        yield value


def check_sovereignty(action: Action, policy: Policy) -> SovereigntyCheck:
    """What in one action breaks the sovereignty contract, and what in it cannot be decided.

    Hooks and skills are not the agent's own doing.

    >>> def check(command):
    ...     result = check_sovereignty(ToolCall("Bash", {"command": command}), Policy())
    ...     return [str(violation.reason) for violation in result.violations], [str(u.reason) for u in result.undecided]
    >>> check("curl -s https://example.com"), check("git commit -m 'see https://example.com'")
    ((['network_egress'], []), ([], []))
    >>> check("echo $API_KEY"), check("cd /etc && make"), check("cd src && make")
    ((['credential_read'], []), (['spawn_outside_cwd'], []), ([], []))
    >>> check("git push origin main"), check("curl $URL")
    (([], ['unnamed_endpoint']), ([], ['unknown_endpoint']))
    """
    inspector, state = _CommandInspector(policy), _ShellState(policy)
    if not isinstance(action, ToolCall):
        return SovereigntyCheck()
    if action.name in ("Bash", "Shell"):
        for name in ("cwd", "workdir", "working_directory"):
            if isinstance(directory := action.input.get(name), str):
                state.directory = state.resolve(directory)
        if isinstance(command := action.input.get("command"), str):
            inspector.command(command, state)
    elif action.name in _FILE_READERS:
        path = _path_of(action)
        if isinstance(path, str) and holds_credentials(path, folders=True):
            inspector.violate(Reason.CREDENTIAL_READ, path)
    elif action.name not in RULES:
        texts = [*_endpoint_values(action.input)]
        inspector.reach(host for text in texts for host in hosts_in("url", text))
        if not texts and re.fullmatch(r"(?i)web_?search|mcp__.*", action.name):
            inspector.doubt(UndecidedReason.UNNAMED_ENDPOINT, action.name)
    return SovereigntyCheck(tuple(inspector.violations), tuple(inspector.undecided))


# ══ parity ════════════════════════════════════════════════════════════════════════════════════════════════════════


# ── the files that a trace leaves behind ──

_REPLAYED_CHARACTERS: Final = 1 << 26
"""A replay stops after editing so many characters (about 0.25 s); the files after that are not known."""

_LEAVES_FILES_ALONE: Final = _names("Glob Grep LS NotebookRead TodoRead TodoWrite WebFetch WebSearch")


class FileState(NamedTuple):
    """A file after a call that wrote to it. ``known`` are the SHA-256 it may have; empty if unknown.

    ``is_contradictory``: the trace gives a hash that cannot be that of what it wrote.
    """

    known: frozenset[str]
    is_contradictory: bool


def _edited(text: str, edit: object) -> Iterator[str]:
    """A text after one edit; nothing where the edit does not fit it."""
    fields = ("old_string", "new_string", "replace_all")
    old, new, everywhere = (edit.get(name) if isinstance(edit, dict) else None for name in fields)
    if isinstance(old, str) and old and isinstance(new, str):
        count = text.count(old)
        if count == 1 or (count and everywhere is True):
            yield text.replace(old, new)


def _texts_after(call: ToolCall, before: Sequence[str]) -> Sequence[str]:
    """What a file can hold after a call; nothing where that is not known.

    Line numbers leave open whether the last line has its newline. A part of a file says nothing of the whole.
    """
    if call.name == "Write":
        content = call.input.get("content")
        return [content] if isinstance(content, str) else []
    if call.name == "Read":
        is_part = any(call.input.get(name) is not None for name in ("offset", "limit", "pages"))
        if is_part or call.result is None or "<system-reminder>" in call.result.content:
            return before
        bare = _without_gutter(call.result.content)
        return [call.result.content] if bare is None else [bare, bare + "\n"]
    edits = call.input.get("edits") if call.name == "MultiEdit" else [call.input]
    for edit in edits if isinstance(edits, list) else [None]:
        before = [after for text in before for after in _edited(text, edit)]
    return before


def replay_files(actions: Iterable[Action]) -> dict[int, FileState]:
    """The file after each successful Write, Edit and MultiEdit, by the position of the action.

    A file's text is known from a Write, a Read of all of it, or an edit of a known text. Whatever may change files
    unseen (a shell, an agent, a hook behind a tool) makes all texts unknown.
    """
    states: dict[int, FileState] = {}
    texts: dict[str, Sequence[str]] = {}
    budget = _REPLAYED_CHARACTERS
    for position, action in enumerate(actions):
        if isinstance(action, HookEvent) and "Post" in action.event:
            texts.clear()
        if not isinstance(action, ToolCall) or action.name in _LEAVES_FILES_ALONE:
            continue
        if action.result is not None and not action.result.ok:
            continue
        path = _path_of(action)
        if action.name not in _FILE_TOOLS or not isinstance(path, str):
            texts.clear()
            continue
        key = max(canonical_paths(path, action.cwd))
        after = _texts_after(action, texts.get(key, []))
        budget -= sum(map(len, after))
        if budget < 0:
            break
        if action.name != "Read":
            given, replayed = _state_of(action), frozenset(map(sha256, after))
            known = frozenset([given]) if given else replayed
            states[position] = FileState(known, bool(given and replayed) and given not in replayed)
            after = [text for text in after if sha256(text) in known]
        texts[key] = after
    return states


# ── drifts ──

_EXCERPT: Final = 60


def difference_text(difference: ActionDifference) -> str:
    """One difference on one line, its values cut to what differs.

    >>> difference_text(ActionDifference(Reason.TOOL_INPUT, "limit", 5, None))
    'limit 5 ≠ null'
    """
    values = Both(json_text(difference.teacher), json_text(difference.student))
    shown = differing(values, _EXCERPT).map(without_changes)
    return f"{difference.field} {shown.canary} ≠ {shown.ours}"


def action_label(action: Action) -> str:
    """What a person calls an action: the tool, the hook's trigger, the skill."""
    return action.event if isinstance(action, HookEvent) else action.name


class Drift(NamedTuple):
    """One position at which the student did not do what the teacher did. ``position`` counts from 0.

    ``same_file``: both edits differ, and the file after them is equal. ``teacher_did_too``: the teacher's trace
    breaks the contract in the same ways, here or elsewhere. ``allow_hosts`` are the hosts that an allow list must have
    for this to be no violation; forbidden ones are not among them.
    """

    position: int
    category: DriftCategory
    reason: Reason
    teacher: Action | None
    student: Action | None
    differences: tuple[ActionDifference, ...] = ()
    violations: tuple[Violation, ...] = ()
    same_file: bool = False
    teacher_did_too: bool = False
    allow_hosts: tuple[str, ...] = ()

    @property
    def tier(self) -> int:
        """The number of the category, 0 to 3."""
        return self.category.tier

    @property
    def label(self) -> str:
        """What a person calls the action: that of the student, where it breaks the sovereignty contract."""
        return action_label(cast(Action, (self.student if self.violations else self.teacher) or self.student))

    @property
    def detail(self) -> str:
        """The reason, then what is behind it, on one line."""
        if self.violations:
            parts = [one.what if one.reason is self.reason else f"{one.reason} {one.what}" for one in self.violations]
            parts += ["the teacher did it too"] if self.teacher_did_too else []
        elif self.differences:
            parts = [*map(difference_text, self.differences)]
            parts += ["the file after it is the same"] if self.same_file else []
        else:
            parts = [f"{'the teacher' if self.teacher else 'the student'} alone has {self.label} here"]
        return f"{self.reason}: {'; '.join(parts)}"


class TraceMismatch(enum.Enum):
    """Why two traces may not belong together."""

    ROLES = "roles"
    PROMPTS = "prompts"
    CWD = "cwd_sha256"


class Alignment(NamedTuple):
    """How two lists of actions fit where one may skip an action of the other. Positions count from 0.

    ``paired`` actions are aligned with another, ``matched`` of them equivalent; ``insertions`` are positions of the
    student's list, ``deletions`` of the teacher's. ``turn_order_skew`` is how many actions both did, but at another
    position.
    """

    matched: int
    paired: int
    insertions: tuple[int, ...]
    deletions: tuple[int, ...]
    turn_order_skew: int


INDIVIDUAL_MIN: Final = 0.8
"""The score that passes where no contract says another."""


def passes_alone(score: float, worst_tier: int, individual_min: float = INDIVIDUAL_MIN) -> bool:
    """The gate of one comparison: the score reaches ``individual_min``, and nothing is at Tier 3."""
    return score >= individual_min and worst_tier < DriftCategory.SOVEREIGNTY_VIOLATION.tier


class ParityReport(NamedTuple):
    """The result of comparing two traces. ``drifts`` are the positions above Tier 0, in order.

    ``alignment`` is None where nothing drifts. ``undecided`` are the student's actions, by position, of which it
    is not known whether they break the sovereignty contract.
    """

    teacher: str
    student: str
    teacher_count: int
    student_count: int
    drifts: tuple[Drift, ...]
    individual_min: float = INDIVIDUAL_MIN
    mismatches: tuple[TraceMismatch, ...] = ()
    alignment: Alignment | None = None
    undecided: tuple[tuple[int, Undecided], ...] = ()
    strict_sovereignty: bool = False

    @property
    def passes(self) -> bool:
        """Whether the gate holds; where it is strict, nothing may be undecided."""
        is_open = self.strict_sovereignty and self.undecided
        return passes_alone(self.score, self.worst_tier, self.individual_min) and not is_open

    @property
    def is_vacuous(self) -> bool:
        """Whether neither trace has an action, so that the score says nothing."""
        return not self.total

    @property
    def total(self) -> int:
        """The positions that were compared: those of the longer side."""
        return max(self.teacher_count, self.student_count)

    @property
    def matched(self) -> int:
        """Positions without drift."""
        return self.total - len(self.drifts)

    @property
    def score(self) -> float:
        """Matched over all positions; 1.0 where neither trace has an action."""
        return self.matched / self.total if self.total else 1.0

    @property
    def worst_tier(self) -> int:
        """The highest tier of any drift; 0 without one."""
        return max((drift.tier for drift in self.drifts), default=0)


# ── how two lists of actions fit ──

_COMPARED: Final = 64
"""An action is compared with at most this many different earlier ones of its sort, to bound the work."""


def _sort_of(action: Action) -> object:
    """A key that equivalent actions share."""
    if not isinstance(action, ToolCall):
        return type(action), action_label(action)
    path = _path_of(action) if action.name in _FILE_TOOLS else None
    command = _command_key(action) if action.name in ("Bash", "Shell") else None
    return action.name, posixpath.basename(posixpath.normpath(str(path))), command


def _numbered(*traces: Sequence[Action]) -> list[list[int]]:
    """A number for each action, the same for equivalent ones."""
    numbers: list[list[int]] = [[] for _ in traces]
    seen: dict[object, deque[tuple[int, Action]]] = {}
    in_order = (one for pair in itertools.zip_longest(*traces) for one in enumerate(pair))
    for new, (side, action) in enumerate(one for one in in_order if one[1]):
        known = seen.setdefault(_sort_of(action), deque(maxlen=_COMPARED))
        number = next((number for number, other in known if not any(action_differences(other, action))), new)
        if number == new:
            known.append((new, action))
        numbers[side].append(number)
    return numbers


def align_actions(teacher: Sequence[Action], student: Sequence[Action]) -> Alignment:
    """The alignment of two lists of actions in which as many as can be are equivalent."""
    numbers = _numbered(teacher, student)
    # Reads of ranges that overlap pairwise may have one number and no line in common: hence the comparison.
    pairs = [(x, y) for x, y in matching_pairs(*numbers) if not any(action_differences(teacher[x], student[y]))]
    insertions, deletions, paired = list[int](), list[int](), len(pairs)
    alone = Counter(numbers[0]), Counter(numbers[1])
    alone[0].subtract(numbers[0][x] for x, _ in pairs)
    alone[1].subtract(numbers[1][y] for _, y in pairs)
    x = y = 0
    for next_x, next_y in [*pairs, (len(teacher), len(student))]:
        both = min(next_x - x, next_y - y)
        paired += both
        deletions += range(x + both, next_x)
        insertions += range(y + both, next_y)
        x, y = next_x + 1, next_y + 1
    skew = (alone[0] & alone[1]).total()
    return Alignment(len(pairs), paired, tuple(insertions), tuple(deletions), skew)


# ── the comparison ──


def refuse_mismatches(report: ParityReport) -> None:
    """Raises `InputError` where the two traces may not belong together."""
    if report.mismatches:
        names = ", ".join(mismatch.value for mismatch in report.mismatches)
        raise InputError(report.student, f"it does not belong to {report.teacher}: {names}")


_SURPLUS: Final[Mapping[type, tuple[Reason, Reason]]] = {
    ToolCall: (Reason.MISSING_TOOL_CALL, Reason.EXTRA_TOOL_CALL),
    HookEvent: (Reason.MISSING_HOOK_EVENT, Reason.EXTRA_HOOK_EVENT),
    SkillInvocation: (Reason.MISSING_SKILL_INVOCATION, Reason.EXTRA_SKILL_INVOCATION),
}


def _drifts(teacher: Trace, student: Trace, checks: Sequence[SovereigntyCheck], policy: Policy) -> Iterator[Drift]:
    """The drifts in order; where an action breaks the sovereignty contract, other differences are not reported."""
    in_its_place = policy._replace(cwd=teacher.cwd, cwd_sha256=teacher.cwd_sha256)
    of_teacher: set[Violation] = set()
    if any(check.violations for check in checks):
        of_teacher.update(*(check_sovereignty(action, in_its_place).violations for action in teacher.actions))
    pairs = itertools.zip_longest(teacher.actions, student.actions, checks)
    for position, (one, other, check) in enumerate(pairs):
        if check and check.violations:
            violations = check.violations
            reached = (each.what for each in violations if each.reason is Reason.NETWORK_EGRESS)
            hosts = dict.fromkeys(host.lower() for host in reached if not policy.forbids(host))
            category, too = DriftCategory.SOVEREIGNTY_VIOLATION, of_teacher.issuperset(violations)
            yield Drift(position, category, violations[0].reason, one, other, (), violations, False, too, tuple(hosts))
        elif one is None or other is None:
            reason = _SURPLUS[type(one or other)][one is None]
            yield Drift(position, DriftCategory.SEMANTIC, reason, one, other)
        else:
            differences = tuple(action_differences(one, other))
            category, why = classify_drift(differences)
            if why:
                yield Drift(position, category, why, one, other, differences)


def _with_same_files(drifts: Sequence[Drift], teacher: Trace, student: Trace) -> Iterator[Drift]:
    """The drifts; ``same_file`` is set where both files are equal afterwards."""
    is_asked = any(isinstance(drift.student, ToolCall) and drift.student.name in _FILE_TOOLS for drift in drifts)
    files = [replay_files(trace.actions) if is_asked else {} for trace in (teacher, student)]
    for drift in drifts:
        one, other = (of_trace.get(drift.position) for of_trace in files)
        is_same = one and other and one.known and one.known == other.known
        same_path = not any(difference.field in ("path", "name") for difference in drift.differences)
        yield drift._replace(same_file=True) if is_same and same_path and drift.differences else drift


def compute_parity_score(
    teacher: Trace,
    student: Trace,
    *,
    allow_hosts: Iterable[str] = (),
    forbidden_hosts: Iterable[str] = (),
    individual_min: float = INDIVIDUAL_MIN,
    strict_sovereignty: bool = False,
) -> ParityReport:
    """Compares two traces action by action: teacher action *n* with student action *n*.

    ``allow_hosts`` are the hosts that the student may reach, besides localhost; ``forbidden_hosts`` are those that it
    may not, whoever allows them. ``individual_min`` is the score that passes; ``strict_sovereignty`` lets nothing pass
    of which it is not known whether it breaks the sovereignty contract. The traces are not changed. Raises
    `TypeError` for what is no `Trace`, and for a string instead of a list of hosts.

    >>> one = Trace("t", (ToolCall("Bash", {"command": "make"}), ToolCall("Bash", {"command": "make test"})))
    >>> two = Trace("s", (ToolCall("Bash", {"command": "make"}),))
    >>> report = compute_parity_score(one, two)
    >>> report.score, [(drift.position, drift.tier, str(drift.reason)) for drift in report.drifts], report.passes
    (0.5, [(1, 2, 'missing_tool_call')], False)
    """
    for name, trace in (("teacher", teacher), ("student", student)):
        if not isinstance(trace, Trace):
            raise TypeError(f"{name}: expected a Trace, as parse_trace returns it, found {type(trace).__name__}")
    for name, hosts in (("allow_hosts", allow_hosts), ("forbidden_hosts", forbidden_hosts)):
        if isinstance(hosts, str | bytes):
            raise TypeError(f"{name}: expected a list of hosts, found {type(hosts).__name__}")
    policy = Policy(tuple(allow_hosts), student.cwd, student.cwd_sha256, tuple(forbidden_hosts))
    checks = [check_sovereignty(action, policy) for action in student.actions]
    given = teacher.cwd_sha256 and student.cwd_sha256  # what a trace does not say does not contradict the other
    mismatches = {
        TraceMismatch.ROLES: teacher.actor == "apr-code" or student.actor == "claude-code",
        TraceMismatch.PROMPTS: folded(teacher.prompts) != folded(student.prompts),
        TraceMismatch.CWD: given and teacher.cwd_sha256 != student.cwd_sha256,
    }
    drifts = tuple(_with_same_files([*_drifts(teacher, student, checks, policy)], teacher, student))
    return ParityReport(
        teacher.source,
        student.source,
        len(teacher.actions),
        len(student.actions),
        drifts,
        individual_min,
        tuple(mismatch for mismatch, is_one in mismatches.items() if is_one),
        align_actions(teacher.actions, student.actions) if drifts else None,
        tuple((position, doubt) for position, check in enumerate(checks) for doubt in check.undecided),
        strict_sovereignty,
    )


# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████
# ██ LOGS AND TRACES
# ██████████████████████████████████████████████████████████████████████████████████████████████████████████████████████


# ══ contracts ═════════════════════════════════════════════════════════════════════════════════════════════════════


def _yaml_words(ends: str) -> str:
    """A plain scalar's share of one line; ``: ``, a comment and any character of ``ends`` end it."""
    word = rf"(?:[^ \t\n:{ends}]|:(?=[^ \t\n{ends}]))+"
    return rf"(?!#){word}(?: +(?!#){word})*"


_YAML_FLOW_ENDS: Final = r",?\[\]{}"
_YAML_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"
_YAML_FIRST: Final = r"[^ \t\n?:,\[\]{}#&*!|>'\"%@`-]"
_YAML_PLAIN: Final = rf"(?={_YAML_FIRST}|[?:-][^ \t\n]){_yaml_words('')}"
_YAML_FLOW_PLAIN: Final = rf"(?={_YAML_FIRST}|-[^ \t\n{_YAML_FLOW_ENDS}]){_yaml_words(_YAML_FLOW_ENDS)}"
_YAML_KEY: Final = rf"(?s)(?:{_YAML_QUOTED}|{_YAML_PLAIN})(?= {{0,20}}:(?:[ \n]|\Z))"
_YAML_FLOW_KEY: Final = (
    rf"(?s)(?:{_YAML_QUOTED})(?= {{0,20}}:)|{_YAML_FLOW_PLAIN}(?= {{0,20}}:(?:[ \n{_YAML_FLOW_ENDS}]|\Z))"
)
_YAML_KEY_CHARACTERS: Final = 1000
"""The standard takes a key of 1,024 characters, blanks included."""
_YAML_BLANK: Final = r"(?:[ \n]+|(?<![^ \n])#[^\n]*)*"
_YAML_LINE_END: Final = r" *(?:(?<= )#[^\n]*)?(?:\n|\Z)"
_YAML_DASH: Final = r"-(?=[ \n]|\Z)"
_YAML_START: Final = r"\A((?: *(?:#[^\n]*)?\n)*)---(?= *(?: #[^\n]*)?(?:\n|\Z))"
_YAML_REFUSED: Final = (  # another document, a directive, or what is not printable (or a line break to some readers)
    r"(?m)^(?:---|\.\.\.)(?=[ \t\n]|\Z)|^%"
    r"|[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_YAML_ESCAPE: Final = r"(?s)[ \t\n]+|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n[ \t\n]*|.)"
_YAML_ESCAPES: Final = {
    **dict(zip("abtnvfre0", "\a\b\t\n\v\f\r\x1b\0", strict=True)),
    **dict(zip('\t "\\/N_LP', '\t "\\/\x85\xa0\u2028\u2029', strict=True)),
}
_YAML_CORE: Final[Mapping[str, Callable[[str], object]]] = {
    "null|Null|NULL|~": lambda text: None,
    "true|True|TRUE|false|False|FALSE": lambda text: text[0] in "tT",
    "[-+]?[0-9]+": int,
    "0x[0-9a-fA-F]+|0o[0-7]+": lambda text: int(text, 0),
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?": float,
    r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)": lambda text: float(text.replace(".", "")),
}
"""The plain scalars that are no strings in the core schema of YAML 1.2: ``yes`` and ``1.0.0`` are."""


def _line_fold(white: str) -> str:
    """What white space stands for: one line break is a space, each further one a newline."""
    return "\n" * (white.count("\n") - 1) or " " if "\n" in white else white


def _unescaped(part: re.Match[str]) -> str:
    """What an escape, or white space, between quotes stands for. Raises `KeyError` or `ValueError`."""
    text, code = part[0], part[0][1:]
    if text[0] != "\\":
        return "'" if text == "''" else _line_fold(text)
    if code[0] == "\n":
        return "\n" * (code.count("\n") - 1)
    return chr(int(code[1:], 16)) if len(code) > 1 else _YAML_ESCAPES[code]


class PlainYaml:
    """A reader for the plain subset of YAML in which contracts are written; anything else is refused by its line.

    Read: maps and ``- `` lists by indent, ``{…}`` and ``[…]``, plain and quoted scalars, each also over several
    lines, ``>`` and ``|`` text, comments, one ``---`` before everything. Values are those of the YAML 1.2 core schema,
    so that ``yes`` and ``no`` are strings. Refused: anchors, aliases, tags, merge keys, several documents, ``? ``
    keys, keys without a value in ``{…}``, pairs in ``[…]``, tabs outside of texts, a key twice, and whatever the
    standard and its well-known readers read differently.
    """

    def __init__(self, text: str, source: str) -> None:
        self._text = re.sub(_YAML_START, r"\1", re.sub("\r\n?", "\n", text.removeprefix("\ufeff")))
        self._source, self._at = source, 0

    def document(self) -> object:
        """The value of the whole text, ``None`` where it is empty. Raises `InputError`."""
        if refused := re.search(_YAML_REFUSED, self._text):
            self._at = refused.start()
            raise self._refusal("a second document, a directive or a character that does not belong into YAML")
        try:
            value = None if self._skip() < 0 else self._block(-1)
        except RecursionError as error:
            raise self._refusal("nested deeper than can be read") from error
        if self._skip() >= 0:
            raise self._refusal("a line that belongs to nothing before it")
        return value

    def _refusal(self, problem: str = "") -> InputError:
        """What is wrong here; by default, that it is no YAML, or more of it than is read."""
        if self._text.startswith("\t", self._at):
            problem = "a tab where only spaces may be"
        elif not problem:
            rest = self._text[self._at : self._at + 200].partition("\n")[0]
            problem = f"beyond the subset: {json_text(shorten(rest, 40))}"
        return InputError(self._source, f"YAML: {problem}", lineno=self._text.count("\n", 0, self._at) + 1)

    def _match(self, pattern: str) -> re.Match[str] | None:
        return re.compile(pattern).match(self._text, self._at)

    def _take(self, pattern: str) -> str:
        """Consumes what must come next, and returns it."""
        match = self._match(pattern)
        if match is None:
            raise self._refusal()
        self._at = match.end()
        return match[0]

    def _skip(self) -> int:
        """Skips blanks, comments and line ends; returns the column of what follows, -1 at the end of the text."""
        self._take(_YAML_BLANK)
        return -1 if self._at == len(self._text) else self._at - self._text.rfind("\n", 0, self._at) - 1

    def _block(self, parent: int) -> object:
        """The map, list, text or scalar that begins here; ``parent`` is the column of the block that it is in."""
        column, is_list = self._skip(), self._match(_YAML_DASH) is not None
        if not is_list and not self._key(_YAML_KEY):
            return self._inline(parent)
        items, members = list[object](), dict[object, object]()
        while self._skip() == column and (self._match(_YAML_DASH) or not is_list):
            if is_list:
                self._at += 1
                items.append(self._value(column, is_list))
            else:
                key = self._take_key(_YAML_KEY, members)
                members[key] = self._value(column, is_list)
        if self._skip() > column:
            raise self._refusal("a line that is indented more than those before it")
        return items if is_list else members

    def _value(self, column: int, is_item: bool) -> object:
        """What stands behind the ``- `` or ``key:`` at a column, or in the lines below it.

        A list may stand at the same column as the key that it belongs to.
        """
        start = self._at
        indent = self._skip()
        if indent >= 0 and "\n" not in self._text[start : self._at]:
            return self._block(column) if is_item else self._inline(column)
        is_list = indent == column and not is_item and self._match(_YAML_DASH)
        return self._block(column) if indent > column or is_list else None

    def _inline(self, parent: int) -> object:
        """What is neither map nor list by indent, up to the end of its line."""
        if self._text[self._at] in "|>":
            return self._text_block(parent)
        value = self._node(parent)
        self._take(_YAML_LINE_END)
        return value

    def _text_block(self, parent: int) -> str:
        header = self._take(rf"[|>](?:[1-9][+-]?|[+-][1-9]?)?{_YAML_LINE_END}")[:3]
        width, given = max(parent + 1, 1), re.search("[1-9]", header)
        if given:
            width += int(given[0]) - 1
        elif blank := self._match(r"(?: *\n)* *"):
            width = max(width, *map(len, blank[0].split("\n")))
        lines = self._take(rf"(?:(?: {{{width}}}[^\n]+| {{0,{width}}})(?:\n|\Z))*")
        text = re.sub(rf"(?m)^ {{1,{width}}}", "", lines)
        body = text.rstrip("\n")
        line_ends = text[len(body) :]
        if header[0] == ">":  # a line break between two lines that are not indented more is a space
            body = re.sub(r"(?m)^([^ \t\n].*)\n(\n*)(?=[^ \t\n])", lambda line: line[1] + (line[2] or " "), body)
        if "+" not in header:
            line_ends = line_ends[:1] if body and "-" not in header else ""
        return body + line_ends

    def _key(self, pattern: str) -> str | None:
        key = self._match(pattern)
        return key[0] if key and "\n" not in key[0] and len(key[0]) <= _YAML_KEY_CHARACTERS else None

    def _take_key(self, pattern: str, members: Mapping[object, object]) -> object:
        """Consumes a key and its colon; returns the key's value."""
        text = self._key(pattern)
        if text is None or text == "<<":
            raise self._refusal("expected key: value")
        key = self._scalar(text)
        if key in members:
            raise self._refusal(f"the key {json_text(key)} a second time")
        self._at = self._text.index(":", self._at + len(text)) + 1
        return key

    def _node(self, parent: int | None) -> object:
        """A flow collection or a scalar; ``parent`` is the column of the block around it, None inside a flow."""
        if self._text.startswith(("[", "{"), self._at):
            return self._collection()
        start, plain, ends = self._at, _YAML_PLAIN, ""
        if parent is None:
            parent, plain, ends = -1, _YAML_FLOW_PLAIN, _YAML_FLOW_ENDS
        text = self._take(rf"(?s){_YAML_QUOTED}|{plain}(?: *(?:\n *)*\n {{{parent + 1},}}{_yaml_words(ends)})*")
        after, self._at = self._at, start  # where an error is reported
        value = self._scalar(text)
        self._at = after
        return value

    def _scalar(self, text: str) -> object:
        """The value of a scalar; between quotes, escapes are replaced and line breaks folded."""
        try:
            if text[0] not in "\"'":
                text = re.sub(r" *\n[ \n]*", lambda white: _line_fold(white[0]), text)
                return next((read(text) for pattern, read in _YAML_CORE.items() if re.fullmatch(pattern, text)), text)
            value = re.sub(_YAML_ESCAPE if text[0] == '"' else r"''|[ \t\n]+", _unescaped, text[1:-1])
            value.encode()  # half a surrogate pair is no text
        except (KeyError, ValueError) as error:
            problem = "an escape that is none" if text[0] == '"' else "a number with more digits than can be read"
            raise self._refusal(f"{problem}: {json_text(shorten(text, 40))}") from error
        return value

    def _collection(self) -> object:
        start, is_list = self._at, self._text[self._at] == "["
        closing, items, members = "]" if is_list else "}", list[object](), dict[object, object]()
        self._at += 1
        while self._next(start) != closing:
            if is_list:
                items.append(self._node(None))
            else:
                key = self._take_key(_YAML_FLOW_KEY, members)
                members[key] = None if self._next(start) in ",}" else self._node(None)
            if self._next(start) == ",":
                self._at += 1
            elif self._next(start) != closing:
                raise self._refusal()
        self._at += 1
        return items if is_list else members

    def _next(self, start: int) -> str:
        """The next character in the flow collection that begins at ``start``."""
        if self._skip() < 0:
            self._at = start
            raise self._refusal("a flow collection without its end")
        return self._text[self._at]


def _parse_settings_json(text: str, path: str) -> object:
    try:
        value = parse_json(text)
    except NotJsonError as error:
        raise InputError(path, str(error)) from error
    if doubled := doubled_keys(text):
        raise InputError(path, f"the key {json_text(doubled[0])} a second time")
    return value


SETTINGS_FORMATS: Final[Mapping[str, Callable[[str, str], object]]] = {
    ".toml": parse_toml,
    ".json": _parse_settings_json,
    ".yaml": lambda text, path: PlainYaml(text, path).document(),
    ".yml": lambda text, path: PlainYaml(text, path).document(),
}


def read_settings(path: str) -> dict[str, object]:
    """The content of a TOML, JSON or plain YAML file; its name's ending is the format. Raises `InputError`."""
    parse = SETTINGS_FORMATS.get(os.path.splitext(path)[1].lower())
    if parse is None:
        raise InputError(path, f"expected a name that ends in {', '.join(SETTINGS_FORMATS)}")
    value = parse(read_text(path), path)
    if not isinstance(value, dict):
        raise InputError(path, f"expected a map, found {json_type(value)}")
    return value


def _settings_error(problem: str, path: str, field: str) -> InputError:
    """An error about a field of a settings file, with the line of the last key in its path."""
    text, end = re.sub(r"(?m)(?<!\S)#.*", "", read_text(path)), 0
    for name in field.partition("[")[0].split("."):
        key = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])[\"']?\s*[:=.\]]")
        if (match := key.search(text, end)) is None:
            return InputError(path, problem, field=field)
        end = match.start() + len(name)
    return InputError(path, problem, lineno=text.count("\n", 0, end) + 1, field=field)


def checked_fields(value: object, expected: Sequence[Field], source: str, path: str = "") -> dict[str, Any]:
    """The map at ``path`` of some settings, with its ``expected`` fields checked. Raises `InputError`."""
    if not isinstance(value, dict):
        raise _settings_error(f"expected a map, found {described(value)}", source, path)
    for one in field_problems(value, expected, path):
        if one.is_error:
            raise _settings_error(one.text, source, str(one.field))
    return value


class Contract(NamedTuple):
    """The scores a run must reach, hosts that a student may or must not reach, rows out of scope."""

    aggregate_min: float = 0.95
    individual_min: float = INDIVIDUAL_MIN
    allow_hosts: tuple[str, ...] = ()
    forbidden_hosts: tuple[str, ...] = ()
    oos_rows: tuple[str, ...] = ()


DEFAULT_CONTRACT: Final = Contract()
_HOST: Final = r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?"
HOST: Final = FieldType(
    "a host or *.domain",
    lambda value: isinstance(value, str) and bool(re.fullmatch(_HOST, value) or ip_address(value.strip("[]"))),
)
SHARE: Final = FieldType(
    "a number from 0 to 1",
    lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
)
_SETTINGS_TYPES: Final[Mapping[str, FieldType]] = {
    **FIELD_TYPES,
    "host": HOST,
    "name": FieldType("a name", lambda value: isinstance(value, str) and value != ""),
    "share": SHARE,
}
_CONTRACT_FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    section: fields(notation, _SETTINGS_TYPES)
    for section, notation in {
        "": "oos_rows:str[]?",
        "parity_score": "thresholds:any?",
        "parity_score.thresholds": "aggregate_min:share? individual_min:share?",
        "sovereignty": "allow_hosts:host[]|null? forbidden_replay_egress:host[]|null?",
    }.items()
}
"""The fields of a contract that are read, by section. Everything else in it is for other readers."""


def read_contract(path: str) -> Contract:
    """Reads what a contract file says of thresholds, hosts and rows out of scope; each of them may be absent.

    Raises `InputError`, also for a misspelled key within ``parity_score`` or ``sovereignty``; other keys are ignored.
    """
    sections, values = {"": read_settings(path)}, dict[str, Any]()
    homes = {one.name: section for section, expected in _CONTRACT_FIELDS.items() for one in expected}
    for section, expected in _CONTRACT_FIELDS.items():
        parent, _, name = section.rpartition(".")
        value = sections.get(parent, {}).get(name) if section else sections[""]
        if value is not None:
            members = sections[section] = checked_fields(value, expected, path, section)
            values |= {one.name: members[one.name] for one in expected if one.name in members}
            for key in map(str, members if section else ()):
                if (likely := nearest(key, homes, 0.75)) and homes.get(key) != section:
                    problem = f"no such key; is {f'{homes[likely]}.{likely}'.lstrip('.')} meant?"
                    raise _settings_error(problem, path, f"{section}.{key}")
    hosts = [tuple(values.get(name) or ()) for name in ("allow_hosts", "forbidden_replay_egress")]
    limits = {name: float(values[name]) for name in ("aggregate_min", "individual_min") if name in values}
    oos_rows = tuple(values.get("oos_rows", ()))
    return Contract(**limits, allow_hosts=hosts[0], forbidden_hosts=hosts[1], oos_rows=oos_rows)


ROW_STATUSES: Final = {"SHIPPED": True, "PARTIAL": True, "MISSING": False, "NONE": False}
"""How far a row of the parity matrix is, and whether a fixture must cover it then."""

_ROW_FIELDS: Final = fields(f"id:name status:{'|'.join(ROW_STATUSES)}", _SETTINGS_TYPES)


def _matrix_rows(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every map with a ``status``, at any depth, with its path; and other items of lists that hold such maps."""
    if isinstance(value, dict) and "status" in value:
        yield path, value
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _matrix_rows(member, member_path(path, str(name)))
    elif isinstance(value, list):
        paths = [(f"{path}[{at}]", item) for at, item in enumerate(value)]
        rows = [[*_matrix_rows(item, at)] for at, item in paths]
        for item_at, inner in zip(paths, rows, strict=True) if any(rows) else ():
            yield from inner or [item_at]


def read_matrix(path: str) -> dict[str, str]:
    """The rows of a parity matrix, also those nested in others: the status of each by its id. Raises `InputError`."""
    categories = read_settings(path).get("categories")
    matrix: dict[str, str] = {}
    for at, value in _matrix_rows(categories, "categories"):
        row = checked_fields(value, _ROW_FIELDS, path, at)
        if row["id"] in matrix:
            problem = f"expected a name that no other row has, found {described(row['id'])}"
            raise InputError(path, problem, field=f"{at}.id")
        matrix[row["id"]] = row["status"]
    if not matrix:
        raise InputError(path, f"expected rows with a status, found {described(categories)}", field="categories")
    return matrix


# ══ corpus and coverage ═══════════════════════════════════════════════════════════════════════════════════════════


_TRACE_FILES: Final = ("teacher.ccpa-trace.jsonl", "student.ccpa-trace.jsonl")
_LOG_FILES: Final = ("canary.jsonl", "ours.jsonl")
_META_FILE: Final = "meta.toml"
_META_FIELDS: Final = fields(
    "id:name covers:str[]? allow_hosts:host[]|null? description:str? "
    "tid_map:str|object? profile:str? match_names:bool? check_identity:bool?",
    _SETTINGS_TYPES,
)


class Meta(NamedTuple):
    """What ``meta.toml`` says of a fixture."""

    id: str
    covers: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    options: DiffOptions = DiffOptions()
    """How two logs are compared, except for the profile."""
    profiles: tuple[str, ...] = ()
    """The path of the profile, if there is one."""


class FixtureResult(NamedTuple):
    """The result of one fixture; ``error`` says why it could not be scored, and then it has no ``score``.

    ``folder`` is relative to the corpus, ``first_drift`` the detail of the first thing that drifts.
    """

    meta: Meta
    folder: str
    files: tuple[str, ...] = ()
    score: float | None = None
    drift_count: int = 0
    worst_tier: int = 0
    reasons: tuple[str, ...] = ()
    first_drift: str = ""
    is_vacuous: bool = False
    undecided_count: int = 0
    mismatches: tuple[TraceMismatch, ...] = ()
    error: str | None = None

    @property
    def id(self) -> str:
        """Its name."""
        return self.meta.id


def parse_tid_map(text: str) -> dict[int, int]:
    """Pairs of tids, of canary and of ours, as the option writes them. Raises `UsageError`.

    >>> parse_tid_map("6=1,7=2")
    {6: 1, 7: 2}
    """
    pairs: dict[int, int] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,999})\s*=\s*([0-9]{1,999})\s*", part, re.ASCII)
        if match is None:
            raise UsageError(f"--tid-map: expected CANARY=OURS[,CANARY=OURS…], found {printable(part)!r}")
        canary, ours = int(match[1]), int(match[2])
        if canary in pairs or ours in pairs.values():
            raise UsageError(f"--tid-map: {canary}={ours} names a thread that an earlier pair has")
        pairs[canary] = ours
    return pairs


def read_meta(folder: str, name: str = "") -> Meta:
    """The ``meta.toml`` of a fixture; without one, the fixture has a ``name`` and covers nothing."""
    source = os.path.join(folder, _META_FILE)
    if not os.path.exists(source):
        return Meta(name)
    fixture = checked_fields(read_settings(source).get("fixture", MISSING), _META_FIELDS, source, "fixture")
    asked = {option: fixture.get(option, False) for option in ("match_names", "check_identity")}
    pairs = fixture.get("tid_map", {})  # a table canary = ours, or the text that the main command takes: "6=1,7=2"
    text = ",".join(f"{canary}={ours}" for canary, ours in pairs.items()) if isinstance(pairs, dict) else pairs
    try:
        tid_map = parse_tid_map(text) if text else {}
    except UsageError as error:
        raise InputError(source, str(error).removeprefix("--tid-map: "), field="fixture.tid_map") from error
    return Meta(
        fixture["id"],
        tuple(fixture.get("covers", ())),
        tuple(fixture.get("allow_hosts") or ()),
        DiffOptions(tid_map, **asked),
        (os.path.join(folder, fixture["profile"]),) if "profile" in fixture else (),
    )


def fixture_folders(directory: str) -> list[str]:
    """The folders of a corpus that hold any file of a fixture, at any depth, by name.

    A folder at the top that holds no fixture at any depth counts as a broken one. Raises `InputError` if there is no
    folder at all.
    """

    def refuse(error: OSError) -> NoReturn:
        raise InputError(directory, f"cannot be read: {error.strerror}") from error

    fixtures, empty = list[str](), set[str]()
    for path, folders, files in os.walk(directory, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if path == directory:
            empty.update(os.path.join(path, name) for name in folders)
        elif not {*_TRACE_FILES, *_LOG_FILES}.isdisjoint(files):
            fixtures.append(path)
            empty = {top for top in empty if not f"{path}{os.sep}".startswith(f"{top}{os.sep}")}
    if not (fixtures or empty):
        raise InputError(directory, "expected a folder with one folder a fixture, found no fixture")
    return sorted([*fixtures, *empty], key=lambda path: path.split(os.sep))


def _score_traces(result: FixtureResult, contract: Contract, *, strict: bool) -> FixtureResult:
    teacher, student = map(parse_trace, result.files)
    report = compute_parity_score(
        teacher,
        student,
        allow_hosts=(*contract.allow_hosts, *result.meta.allow_hosts),
        forbidden_hosts=contract.forbidden_hosts,
    )
    if strict:
        refuse_mismatches(report)
    return result._replace(
        score=report.score,
        drift_count=len(report.drifts),
        worst_tier=report.worst_tier,
        reasons=tuple(dict.fromkeys(str(drift.reason) for drift in report.drifts)),
        first_drift=f"position {report.drifts[0].position}: {report.drifts[0].detail}" if report.drifts else "",
        is_vacuous=report.is_vacuous,
        undecided_count=len(report.undecided),
        mismatches=report.mismatches,
    )


def _score_logs(result: FixtureResult) -> FixtureResult:
    """An event-log pair: one drift a thread that is not identical, and at least one where the verdict is divergent."""
    options = replace(result.meta.options, profile=read_profile(result.meta.profiles))
    report = diff_logs(result.files[0], result.files[1], options)
    if report.verdict is Verdict.IDENTICAL:
        return result._replace(score=report.parity.value)
    threads = [thread for thread in report.threads if thread.status is not PairStatus.IDENTICAL]
    reasons = tuple(dict.fromkeys(thread.status.value for thread in threads)) or ("divergent",)
    first = [f"canary tid {thread.pair.canary_tid} / ours tid {thread.pair.ours_tid}" for thread in threads[:1]]
    return result._replace(
        score=report.parity.value,
        drift_count=max(1, len(threads)),
        worst_tier=DriftCategory.SEMANTIC.tier,
        reasons=reasons,
        first_drift=": ".join([*first, reasons[0]]),
    )


def _score_fixture(folder: str, name: str, contract: Contract, *, strict: bool) -> FixtureResult:
    """Scores one fixture. A broken one is a result with its ``error``: the others are scored all the same."""
    result = FixtureResult(Meta(name), name)
    try:
        result = result._replace(meta=read_meta(folder, name))
        files = tuple(name for name in (*_TRACE_FILES, *_LOG_FILES) if os.path.isfile(os.path.join(folder, name)))
        if files not in (_TRACE_FILES, _LOG_FILES):
            expected = f"{' and '.join(_TRACE_FILES)}, or {' and '.join(_LOG_FILES)}"
            raise InputError(folder, f"expected {expected}, found {' and '.join(files) or 'neither'}")
        result = result._replace(files=tuple(os.path.join(folder, file) for file in files))
        return _score_traces(result, contract, strict=strict) if files == _TRACE_FILES else _score_logs(result)
    except DiffEventsError as error:
        return result._replace(error=str(error))
    except OSError as error:
        return result._replace(error=f"{folder}: {error.strerror}")


class Coverage(NamedTuple):
    """Which rows of the parity matrix must be covered by a fixture, and which are not."""

    required: tuple[str, ...]
    uncovered: tuple[str, ...]
    oos: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def covered(self) -> int:
        """How many required rows some fixture covers."""
        return len(self.required) - len(self.uncovered)


def measure_coverage(matrix: Mapping[str, str], covers: Collection[str], oos: Collection[str] = ()) -> Coverage:
    """Every row that is SHIPPED or PARTIAL and not out of scope must be covered.

    >>> measure_coverage({"hooks": "SHIPPED", "skills": "PARTIAL", "mcp": "MISSING"}, ["hooks"]).uncovered
    ('skills',)
    """
    required = tuple(name for name, status in matrix.items() if ROW_STATUSES[status] and name not in oos)
    uncovered = tuple(name for name in required if name not in covers)
    unknown = tuple(sorted(set(covers) - set(matrix)))
    return Coverage(required, uncovered, tuple(sorted(set(oos))), unknown)


class CorpusFailure(enum.Enum):
    """Why the gate of a corpus does not hold."""

    FIXTURES = "fixtures"
    MEAN = "mean"
    COVERAGE = "coverage"
    VACUOUS = "vacuous"


class ScoreChange(NamedTuple):
    """The score of a fixture in an earlier run, and now: None where it had none, or is gone."""

    id: str
    before: float | None
    now: float | None

    @property
    def is_worse(self) -> bool:
        """Whether it was better before."""
        return self.before is not None and (self.now is None or self.now < self.before)


class CorpusReport(NamedTuple):
    """The results of all fixtures of a corpus, in the order of their names.

    ``changes`` are the scores that differ from an earlier run, None where there is none to compare with.
    """

    directory: str
    fixtures: tuple[FixtureResult, ...]
    contract: Contract
    must_fail: bool = False
    coverage: Coverage | None = None
    changes: tuple[ScoreChange, ...] | None = None
    strict_sovereignty: bool = False
    """Whether an action of which it is not known whether it breaks sovereignty fails its fixture."""
    contract_path: str = ""

    def command(self, fixture: FixtureResult) -> str:
        """The command that shows what drifted in a fixture."""
        import shlex  # here, so that only who has fixtures that fail waits for it

        options = fixture.meta.options
        if fixture.files[0].endswith(_TRACE_FILES[0]):
            words = ["diff", *fixture.files, *(["--contract", self.contract_path] if self.contract_path else [])]
            hosts = dict.fromkeys((*self.contract.allow_hosts, *fixture.meta.allow_hosts))
            words += [word for host in hosts for word in ("--allow-host", host)]
        else:
            words = ["--canary", fixture.files[0], "--ours", fixture.files[1]]
            words += ["--match-names"] if options.match_names else []
            words += ["--check-identity"] if options.check_identity else []
            words += [f"--tid-map={canary}={ours}" for canary, ours in options.tid_map.items()]
            words += [word for path in fixture.meta.profiles for word in ("--profile", path)]
        return shlex.join(["diff_events.py", *words])

    @property
    def broken(self) -> tuple[FixtureResult, ...]:
        """The fixtures that could not be scored."""
        return tuple(fixture for fixture in self.fixtures if fixture.error is not None)

    @property
    def vacuous(self) -> tuple[FixtureResult, ...]:
        """The fixtures that have no action, so that nothing was compared."""
        return tuple(fixture for fixture in self.fixtures if fixture.is_vacuous)

    @property
    def undecided_count(self) -> int:
        """The actions of all fixtures of which it is not known whether they break sovereignty."""
        return sum(fixture.undecided_count for fixture in self.fixtures)

    @property
    def aggregate_score(self) -> float:
        """The mean score, computed in fractions: rounding must not put a mean just under the threshold."""
        from fractions import Fraction  # here, so that only who scores a corpus waits for it

        scores = [Fraction(f.score).limit_denominator(10**8) for f in self.fixtures if f.score is not None]
        return float(sum(scores, Fraction()) / len(scores)) if scores else 0.0

    def fixture_passes(self, fixture: FixtureResult) -> bool:
        """Whether one fixture meets its thresholds, or, with ``must_fail``, drifts."""
        if fixture.score is None:
            return False
        if self.must_fail:
            return fixture.drift_count > 0
        if self.strict_sovereignty and fixture.undecided_count:
            return False
        return passes_alone(fixture.score, fixture.worst_tier, self.contract.individual_min)

    @property
    def failures(self) -> tuple[CorpusFailure, ...]:
        """Why the gate does not hold; nothing at all where it does."""
        checks = {
            CorpusFailure.FIXTURES: all(map(self.fixture_passes, self.fixtures)),
            CorpusFailure.MEAN: self.must_fail or self.aggregate_score >= self.contract.aggregate_min,
            CorpusFailure.COVERAGE: not (self.coverage and self.coverage.uncovered),
            CorpusFailure.VACUOUS: len(self.vacuous) < len(self.fixtures),
        }
        return tuple(failure for failure, holds in checks.items() if not holds)

    @property
    def passes(self) -> bool:
        """Whether the gate holds: every fixture passes, every required row is covered, the mean is high enough."""
        return not self.failures


def corpus_coverage(directory: str, matrix: Mapping[str, str], oos: Collection[str] = ()) -> Coverage:
    """Which rows the fixtures of a corpus say they cover, without scoring them. Raises `InputError`."""
    covers = [read_meta(folder).covers for folder in fixture_folders(directory)]
    return measure_coverage(matrix, set(itertools.chain.from_iterable(covers)), oos)


def score_corpus(
    directory: str,
    contract: Contract = DEFAULT_CONTRACT,
    *,
    must_fail: bool = False,
    matrix: Mapping[str, str] | None = None,
    oos: Collection[str] = (),
    before: Mapping[str, float | None] | None = None,
    strict: bool = False,
    strict_sovereignty: bool = False,
) -> CorpusReport:
    """Scores every fixture of a corpus; a broken one is in the report. Raises `InputError` where there is none.

    ``before`` are the scores of an earlier run to compare with. ``strict`` makes a broken fixture of two traces that do
    not belong together; ``strict_sovereignty`` lets no fixture pass of which something is undecided.
    """
    fixtures, owners = list[FixtureResult](), dict[str, str]()
    for folder in fixture_folders(directory):
        name = os.path.relpath(folder, directory).replace(os.sep, "/")
        result = _score_fixture(folder, name, contract, strict=strict)
        owner = owners.setdefault(result.id, name)
        if owner != name:
            problem = f"{name}: fixture.id: {result.id} is that of {owner} already"
            result = FixtureResult(result.meta._replace(id=name), name, error=result.error or problem)
        fixtures.append(result)
    covers = {row for fixture in fixtures for row in fixture.meta.covers}
    coverage = None if matrix is None else measure_coverage(matrix, covers, oos)
    changes = None
    if before is not None:
        now = {fixture.id: fixture.score for fixture in fixtures}
        scores = ((name, before.get(name), now.get(name)) for name in dict.fromkeys([*now, *before]))
        changes = tuple(ScoreChange(*each) for each in scores if each[1] != each[2])
    return CorpusReport(directory, tuple(fixtures), contract, must_fail, coverage, changes, strict_sovereignty)


_EARLIER_FIXTURE: Final = fields("id:str score:share|null", _SETTINGS_TYPES)


def read_scores(path: str) -> dict[str, float | None]:
    """The scores of an earlier run by the ids of the fixtures, from its JSON report. Raises `InputError`."""
    document = checked_fields(_parse_settings_json(read_text(path), path), fields("format:str fixtures:array"), path)
    if document["format"] != "diff-events-corpus":
        problem = f"expected the JSON report of a corpus, found {described(document['format'])}"
        raise InputError(path, problem, field="format")
    scores: dict[str, float | None] = {}
    for number, value in enumerate(document["fixtures"]):
        fixture = checked_fields(value, _EARLIER_FIXTURE, path, f"fixtures[{number}]")
        scores[fixture["id"]] = fixture["score"]
    return scores


# ══ cut ═══════════════════════════════════════════════════════════════════════════════════════════════════════════


_ROWS_AROUND: Final = ((40, False), (400, False), (4000, False), (40, True))
"""Rows before and after what is to be shown that are tried in turn, and whether those after may differ."""
_CONTEXT_KEPT: Final = 3
"""Rows before and after it that stay whatever happens: for who reads the fixture."""
_WHOLE_BLOCK: Final = 200
"""A block of more rows is made smaller, too."""
_EVENTS_ELSEWHERE: Final = 12
"""The last matching events of each other thread may be needed to show that the logs go on where one ended."""
_MOST_COMPARISONS: Final = 500
_PROFILE_FILE, _PROFILE_HEADING = "profile.toml", "What may differ in this fixture."
_CALLS: Final = ("kernel.call", "kernel.return")
_SAYS_NOTHING: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9a-fA-F]{16}|-?[0-9]+|any|all|")
"""Numbers, ids and sorts of waits."""
_STATUS_TEXT: Final = re.compile(r"[A-Z][A-Z0-9_]+(?: \([A-Za-z ]+\))?")
_TELLING: Final = {"object_type": re.compile("[A-Za-z]+"), "status": _STATUS_TEXT, "return_value": _STATUS_TEXT}
"""Payload fields that say what happened, and which of their texts are no secret."""
_KEPT_MEMBERS: Final = ("schema_version", "tid", "tid_event_idx", *SKIPPED_OF_EVERY_EVENT)
"""Members of events that stay beside kind and payload where texts are hidden; others count for nothing."""

Unit: TypeAlias = "tuple[tuple[Side, EventPlace], ...]"
"""Events that are kept or dropped together."""


class CutFixture(NamedTuple):
    """Two small logs that show one thing that a report of two logs shows."""

    logs: Both[bytes]
    report: Report
    """Of these two."""
    description: str


def _scrubber() -> Callable[[bytes], bytes]:
    """What hides the texts of a log's lines but names of calls, kinds, statuses and numbers. Equal ones stay equal."""
    texts: dict[str, str] = {}

    def hidden(value: Any) -> Any:
        if isinstance(value, dict):
            return {key if key.isidentifier() else hidden(key): hidden(item) for key, item in value.items()}
        if isinstance(value, list):
            return list(map(hidden, value))
        is_secret = isinstance(value, str) and not _SAYS_NOTHING.fullmatch(value)
        return texts.setdefault(value, f"text {len(texts) + 1}") if is_secret else value

    def line(line: bytes) -> bytes:
        event = cast("dict[str, Any]", parse_json(line))
        shown = {"kind": event["kind"]} if "kind" in event else {}
        shown.update((key, hidden(event[key])) for key in _KEPT_MEMBERS if key in event)
        if isinstance(payload := event.get("payload"), dict):
            telling = {**_TELLING, **({"name": re.compile("(?s).*")} if event.get("kind") in _CALLS else {})}
            candidates = {key: text for key, text in payload.items() if key in telling and isinstance(text, str)}
            kept = {key: text for key, text in candidates.items() if telling[key].fullmatch(text)}
            shown["payload"] = hidden({**payload, **dict.fromkeys(kept)}) | kept
        return json_text(shown).encode()

    return line


class _Sign(NamedTuple):
    """Something that a report shows on a pair of threads, and that a fixture can show as well."""

    of: object
    """The part of the report."""
    essence: tuple[object, ...]
    """What of it must be the same in the fixture."""
    description: str
    events: Sequence[tuple[Side, Event]] = ()
    """Further events that it may depend on."""


def _calls(*events: Event | None) -> list[tuple[str, str | None] | None]:
    return [(event.kind, event.name if event.kind in _CALLS else None) if event else None for event in events]


def _path_without_keys(path: str) -> str:
    """A path without the keys that are no names of fields: they may be anything."""
    return re.sub(r'\["(?:[^"\\]|\\.)*"\]', '["…"]', path)


def _described(what: str, events: Iterable[Event | None], fields: Iterable[FieldDifference] = ()) -> str:
    calls = " / ".join(dict.fromkeys(" ".join(filter(None, call)) for call in _calls(*events) if call))
    paths = ", ".join(shorten(_path_without_keys(f.path), 80) for f in itertools.islice(fields, 3))
    return printable(f"{what}: {calls}{': ' if paths else ''}{paths}")


def _of_divergence(report: Report, divergence: Divergence, scrub: bool) -> _Sign:
    canary, change, counts = divergence.events.canary, divergence.change, divergence.counts
    description = _described(change.value, divergence.events, divergence.fields)
    by_name = divergence.explained_by is Explained.NAME
    if not all(counts) and report.options.profile.of_sort(RuleSort.POOL):  # beside what it stands is timing
        side = Side.CANARY if counts.canary else Side.OURS
        return _Sign(divergence, (side, _calls(divergence.events[side]), by_name), description)
    breaks = [
        (broken.path, broken.expected, broken.stands_for)
        for broken in report.names.breaks
        if (broken.events.canary.tid, broken.events.canary.idx) == (canary.tid, canary.idx)
    ]
    values = [() if scrub else (f.path, *f.values.map(json_text)) for f in divergence.fields]
    paths = [_path_without_keys(f.path) for f in divergence.fields]
    calls = _calls(*divergence.events)
    return _Sign(divergence, (divergence.mismatch, change, calls, paths, values, by_name, breaks), description)


def _of_ending(ending: Ending, start: StartHere | None) -> _Sign:
    """How a thread ended; with ``start``, also why to start there."""
    events = ending.last, ending.call, ending.wait, ending.signaller
    description = _described(f"{ending.side.value} ended", (ending.call or ending.last, ending.wait))
    signaller = [(Side.CANARY, ending.signaller)] if ending.signaller else []
    return _Sign(start or ending, (ending.side, _calls(*events), start and start.reason), description, signaller)


def _signs(report: Report, tid: int, scrub: bool) -> Iterator[_Sign]:
    """What a report shows on a thread of canary."""
    start = report.start_here
    for thread in report.threads:
        if thread.pair.canary_tid == tid:
            yield from (_of_divergence(report, divergence, scrub) for divergence in thread.divergences)
            if thread.ending:
                yield _of_ending(thread.ending, None)
                yield _of_ending(thread.ending, start if start and start.canary_tid == tid else None)
    for finding in report.identity:
        if finding.pair.canary_tid == tid:
            known = [*zip(Side, finding.objects, strict=True), *([(Side.OURS, e)] if (e := finding.expected) else [])]
            essence = _calls(*finding.events), [one.sid for _, one in known], finding.certain
            events = [(side, one.event) for side, one in known]
            yield _Sign(finding, essence, _described("wrong object", finding.events), events)
    for broken in report.names.breaks:
        if broken.pair.canary_tid == tid:
            meant = _calls(*broken.events), broken.path, broken.expected, broken.stands_for
            yield _Sign(broken, meant, _described("wrong object", broken.events))
    for side, objects in report.lone_globals.items():
        yield from (_Sign(one, (side, one.sid), f"in one log only: {one.object_type}") for one in objects)


class _Cutter:
    """Looks for few events of two logs that still show something."""

    def __init__(self, compared: Compared, at: str, folder: str, *, scrub: bool) -> None:
        self._compared, self._folder, self._scrub = compared, folder, scrub
        self._options = replace(compared.report.options, max_divergences=1)
        if profile := self._options.profile:  # as it will be read from the fixture
            path = os.path.join(folder, _PROFILE_FILE)
            with open(path, "w", encoding="utf-8") as file:
                file.write(rules_toml(profile.rules, _PROFILE_HEADING))
            self._options = replace(self._options, profile=read_profile([path]))
        target = target_of(compared, at)
        self._rows = AlignedRows(walk_with(compared, target))
        self._walk, self._tid = self._rows.walk, self._rows.walk.canary.tid
        of, self._shown = self._part_at(target, compared.report.start_here if at == "start" else None)
        self._sign = next(sign for sign in _signs(compared.report, self._tid, scrub) if sign.of is of)
        self._counterparts = Counterparts(compared.walks)
        self._tries = _MOST_COMPARISONS

    def _part_at(self, target: Target, start: StartHere | None) -> tuple[object, range]:
        """The part of the report that an event belongs to, or else the next one after it; and its rows."""
        if start and (of := start.finding or start.names or start.lone):
            number = self._rows.find(target.side, target.position)
            return of, range(number, number + 1)
        thread = next(one for one in self._compared.report.threads if one.pair.canary_tid == self._tid)
        for divergence, step in zip(thread.divergences, self._walk.differences, strict=True):
            positions = step.positions[target.side]
            if target.position < positions.stop or target.position <= positions.start:
                return divergence, self._rows.rows_of(step)
        if thread.ending is None:
            raise UsageError(f"--at: canary's tid {self._tid} has no divergence there or after it")
        return start or thread.ending, self._rows.rows_of(self._walk.steps[-1])[:_CONTEXT_KEPT]

    # -- the events that may be needed -----------------------------------------------------------------------------

    def _unit(self, number: int) -> Unit:
        ends = zip(Side, self._walk.sides, self._rows[number][0], strict=True)
        return tuple((side, (cursor.tid, position)) for side, cursor, position in ends if position is not None)

    def _with_counterpart(self, side: Side, place: EventPlace) -> Unit:
        """An event of any thread, and the one that stands against it."""
        other = self._counterparts.of(side, *place)
        pair = ((side, place), (side.other, other)) if other else ((side, place),)
        return pair if side is Side.CANARY else pair[::-1]

    def _around(self, count: int, whatever: bool) -> Iterator[int]:
        """So many rows before and after what is shown, as far as nothing else differs, the nearest last."""
        before, after = range(self._shown.start - 1, -1, -1), range(self._shown.stop, len(self._rows))
        for numbers in (before, after):
            alike: Iterable[int] = itertools.takewhile(lambda n: self._rows[n][1] is not StepKind.DIFFERED, numbers)
            if self._options.profile.of_sort(RuleSort.POOL):  # what differs or floats depends on other threads
                alike = (number for number in numbers if self._rows[number][1] is StepKind.MATCHED)
            chosen = after if whatever and numbers == after else alike
            yield from reversed([*itertools.islice(chosen, count)])

    def _elsewhere(self) -> Iterator[Unit]:
        """The events of other threads that it may depend on."""
        for side, event in self._sign.events:
            yield self._with_counterpart(side, (event.tid, self._compared.logs[side].position(event.tid, event.idx)))
        others = (walk for walk in self._compared.walks if walk is not self._walk)
        for walk in others if isinstance(self._sign.of, Ending | StartHere) else ():
            last = next((step.positions.canary for step in reversed(walk.steps) if step.matched), range(0))
            for position in last[-_EVENTS_ELSEWHERE:]:
                yield self._with_counterpart(Side.CANARY, (walk.canary.tid, position))

    def _produced(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """The events that produce the names which some others have."""
        places = list(itertools.chain.from_iterable(units))
        for side in Side:
            log = self._compared.logs[side]
            productions = Productions(log, self._options.profile)
            for event in (log.event(*place) for of, place in places if of is side):
                values = (name_value(value) for _, value in payload_leaves(event.payload, ""))
                producers = (productions.last(value, event.lineno) for value in values if value is not None)
                yield from (self._with_counterpart(side, (one.tid, one.position)) for one in producers if one)

    def _candidates(self) -> Iterator[tuple[list[Unit], list[Unit]]]:
        """What stays and what may go, the fewest events first."""
        near = {number for number in self._around(_CONTEXT_KEPT, False) if self._rows[number][1] is StepKind.MATCHED}
        block = list(map(self._unit, self._shown))
        whole = len(block) <= _WHOLE_BLOCK
        kept = [*map(self._unit, sorted(near)), *(block if whole else block[:1])]
        for surroundings in _ROWS_AROUND:
            around = [*self._elsewhere(), *map(self._unit, self._around(*surroundings))]
            for names in ((), self._produced([*kept, *around])):
                loose = dict.fromkeys([*names, *around, *([] if whole else block[1:])])
                yield kept, [unit for unit in loose if unit not in kept]

    # -- trying ----------------------------------------------------------------------------------------------------

    def _first_index(self, side: Side, tid: int, position: int) -> int:
        """Where a thread's indexes begin: at 0, but after what its log alone lost if what is shown is its start."""
        if position or self._shown.start or tid != self._walk.sides[side].tid:
            return 0
        starts = self._walk.sides.map(lambda cursor: cursor.stream.idx_at(0))
        return starts[side] - min(starts)

    def _text(self, side: Side, units: Iterable[Unit], scrub: Callable[[bytes], bytes]) -> tuple[bytes, set[int]]:
        log = self._compared.logs[side]
        positions: defaultdict[int, set[int]] = defaultdict(set)
        for of, (tid, position) in itertools.chain.from_iterable(units):
            if of is side:
                positions[tid].add(position)
        header = log.source.read_back(0, log.index.chunks[0].offset).removeprefix(BYTE_ORDER_MARK)
        lines = {0: header.strip()}
        for tid, kept in positions.items():
            stream, idx = log.index.streams[tid], self._first_index(side, tid, min(kept)) - 1
            for position in sorted(kept):  # a hole between neighbours stays as it is
                idx += stream.idx_at(position) - stream.idx_at(position - 1) if position - 1 in kept else 1
                lineno, line = log.line_of(tid, position)
                lines[lineno] = with_members(line, {"tid_event_idx": str(idx)})
        in_order = (lines[lineno] for lineno in sorted(lines))
        return b"".join((scrub(line) if self._scrub else line) + b"\n" for line in in_order), set(positions)

    def _attempt(self, units: Sequence[Unit]) -> CutFixture | None:
        self._tries -= 1
        scrub = _scrubber()
        (canary, tids), (ours, of_ours) = (self._text(side, units, scrub) for side in Side)
        pairs = ((walk.canary.tid, walk.ours.tid) for walk in self._compared.walks)
        tid_map = {one: other for one, other in pairs if one in tids and other in of_ours}
        logs = Both(canary, ours)
        paths = Both("canary", "ours").map(lambda name: os.path.join(self._folder, name))
        for path, log in zip(paths, logs, strict=True):
            with open(path, "wb") as file:
                file.write(log)
        try:
            report = diff_logs(paths.canary, paths.ours, replace(self._options, tid_map=tid_map))
        except DiffEventsError:
            return None  # such as no event at all on one side
        shown = any(sign.essence == self._sign.essence for sign in _signs(report, self._tid, self._scrub))
        return CutFixture(logs, report, self._sign.description) if shown else None

    def cut(self) -> CutFixture:
        """The smallest fixture that is found. Raises `UsageError` where there is none."""
        for kept, loose in self._candidates():
            if best := self._attempt([*kept, *loose]):
                return self._smaller(kept, loose, best)
        where = f"{self._sign.description}, canary's tid {self._tid}"
        raise UsageError(
            f"no few events show it alone ({where}): it depends on what is far away; pass on the whole logs"
        )

    def _smaller(self, kept: list[Unit], loose: list[Unit], best: CutFixture) -> CutFixture:
        """Leaves out what can go: all of it, halves, quarters, and so on down to single units."""
        size = len(loose)
        while size:
            start = 0
            while start < len(loose) and self._tries > 0:
                rest = loose[:start] + loose[start + size :]
                if smaller := self._attempt([*kept, *rest]):
                    loose, best = rest, smaller
                else:
                    start += size
            size //= 2
        return best


def cut_fixture(compared: Compared, at: str, *, scrub: bool = False) -> CutFixture:
    """Few events of two logs that show one thing that their report shows, on its thread the first.

    ``compared`` must have all divergences in its report. Raises `UsageError` where ``at`` names none.
    """
    import tempfile  # here, so that only who cuts waits for it

    with tempfile.TemporaryDirectory(prefix="diff-events-") as folder:
        return _Cutter(compared, at, folder, scrub=scrub).cut()


def fixture_files(name: str, fixture: CutFixture) -> dict[str, bytes]:
    """The files of a fixture, by name."""
    options = fixture.report.options
    pins = ",".join(f"{canary}={ours}" for canary, ours in options.tid_map.items())
    readable = name.encode(errors="replace").decode()  # the name of a folder may be no UTF-8
    meta: dict[str, object] = {"id": readable, "description": fixture.description, "tid_map": pins}
    files = {f"{side}.jsonl": log for side, log in fixture.logs.items()}
    if options.match_names:
        meta["match_names"] = True
    if fixture.report.mistaken and fixture.report.verdict is Verdict.IDENTICAL:
        meta["check_identity"] = True
    if options.profile:
        meta["profile"] = _PROFILE_FILE
        files[_PROFILE_FILE] = rules_toml(options.profile.rules, _PROFILE_HEADING).encode()
    lines = ["[fixture]", *(f"{key} = {_toml(value)}" for key, value in meta.items())]
    return {**files, _META_FILE: ("\n".join(lines) + "\n").encode()}


# ══ validation ════════════════════════════════════════════════════════════════════════════════════════════════════


class FileFormat(enum.Enum):
    """What a file is, as its first record says."""

    EVENT_LOG = "event-log"
    AGENT_TRACE = "agent-trace"


SHOWN_PER_FINDING: Final = 10
"""At most this many findings of each kind are kept; the others are only counted."""


class Notes:
    """The problems of one file: the first of each kind, and how many there are of each."""

    def __init__(self, *, strict: bool = False) -> None:
        self._kept: list[Problem] = []
        self._strict = strict
        self._said: set[tuple[Finding, str]] = set()
        self.torn_tail = Finding.TORN_TAIL
        self.counts: Counter[Finding] = Counter()

    def add(self, finding: Finding, lineno: int, field: str | None, text: str, once: object = None) -> None:
        """Counts a problem, and keeps it up to the limit; a problem with the same ``once`` is noted only once."""
        if (finding is Finding.SESSION_ID and not self._strict) or (finding, str(once)) in self._said:
            return
        if once is not None:
            self._said.add((finding, str(once)))
        self.counts[finding] += 1
        if self.counts[finding] <= SHOWN_PER_FINDING:
            self._kept.append(Problem(finding, field, text, lineno))

    def add_all(self, lineno: int, problems: Iterable[Problem]) -> None:
        """The same for problems of one line."""
        for problem in problems:
            self.add(problem.finding, problem.lineno or lineno, problem.field, problem.text)

    def kept(self) -> tuple[Problem, ...]:
        """In the order of the lines."""
        return tuple(sorted(self._kept, key=lambda problem: problem.lineno))


class FileValidation(NamedTuple):
    """The result of checking one file; ``unreadable`` is why it could not be read."""

    source: str
    format: FileFormat | None = None
    records: int = 0
    notes: tuple[Problem, ...] = ()
    counts: tuple[tuple[Finding, int], ...] = ()
    unreadable: str | None = None
    strict: bool = False

    @property
    def conforms(self) -> bool:
        """Whether the file could be read and has no error."""
        severities = [finding.severity_if(self.strict) for finding, _ in self.counts]
        return self.unreadable is None and Severity.ERROR not in severities


def parsed_lines(path: str, notes: Notes) -> Iterator[tuple[int, object]]:
    """The values of a file's lines; lines that are not JSON and doubled keys are noted.

    What is broken on a last line without its newline is a torn tail, and so is compressed data that stops short.
    """
    lineno = 1
    try:
        for lineno, line, is_whole in numbered_lines(_opened(path)[1]):
            try:
                value = parse_json(line)
            except NotJsonError as error:
                is_torn = not is_whole and not is_json_object(line)
                notes.add(notes.torn_tail if is_torn else Finding.JSON, lineno, None, str(error))
                continue
            for key in doubled_keys(line):
                notes.add(Finding.DOUBLED_KEY, lineno, printable(key), "the same key twice in one object")
            yield lineno, value
    except EndsEarlyError as error:
        if not notes.counts[notes.torn_tail]:
            notes.add(notes.torn_tail, lineno, None, error.problem)


# ── event logs ──

OBJECT_TYPE: Final = field_type(
    "Event|Semaphore|Mutant|Thread|Timer|File|Enumerator|IOCompletion|Module|NotifyListener|Session|Socket|SymbolicLink"
    "|Device"
)
_EVENT_TYPES: Final[Mapping[str, FieldType]] = {
    **FIELD_TYPES,
    "index": FieldType(f"a whole number from 0 to {MAX_IDX}", lambda v: type(v) is int and 0 <= v <= MAX_IDX),
    "object_type": OBJECT_TYPE,
    "pointer": FieldType("an integer or a 0x string, 32 bits", lambda value: guest_pointer(value) is not None),
    "sid": FieldType("an integer or a string of hex digits", lambda value: semantic_id(value) is not None),
}
_REQUIRED_EVENT_FIELDS: Final = fields("kind:str tid:int>=0 tid_event_idx:index payload:object", _EVENT_TYPES)
EVENT_FIELDS: Final = (
    *_REQUIRED_EVENT_FIELDS,
    *fields("schema_version:version? engine:str? guest_cycle:int? host_ns:int? deterministic:bool?"),
)
_HANDLE_FIELDS: Final = "raw_handle_id:pointer handle_semantic_id:sid object_type:object_type object_name:str|null?"
PAYLOAD_FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    kind: fields(notation, _EVENT_TYPES)
    for kind, notation in {
        "kernel.call": "name:str",
        "kernel.return": "name:str",
        "handle.create": _HANDLE_FIELDS,
        "handle.destroy": _HANDLE_FIELDS,
        "wait.begin": "handles_semantic_ids:array wait_type:int|str? alertable:bool? timeout_ns:int|null?",
        "wait.end": "status:int|str wait_duration_cycles:int?",
        "thread.create": "child_tid:int>=0",
        "thread.exit": "exit_code:int|str",
    }.items()
}
"""The payload fields of known kinds. The schema leaves payloads to the emitter, so a deviation is a warning."""


@dataclass(slots=True)
class _Stream:
    """The state of one tid: the indexes seen so far, as runs ``(start, stop)``, and its unfinished waits."""

    first_line: int
    runs: list[tuple[int, int]] = field(default_factory=list)
    open_waits: int = 0
    out_of_order: bool = False
    clock: tuple[int, int] = (-1, 0)
    """The index of the last event that had a time, and the time."""

    def see(self, index: int) -> bool:
        """Records an index; false if it was seen before."""
        row = bisect.bisect_right(self.runs, index, key=itemgetter(0))
        before, after = self.runs[row - 1 : row] if row else [], self.runs[row : row + 1]
        if before and index < before[0][1]:
            return False
        self.out_of_order |= bool(after)
        before = [run for run in before if run[1] == index]
        after = [run for run in after if run[0] == index + 1]
        joined = before[0][0] if before else index, after[0][1] if after else index + 1
        self.runs[row - len(before) : row + len(after)] = [joined]
        return True

    def holes(self) -> list[tuple[int, int]]:
        """The runs of indexes that are missing, each as first and last."""
        stops = [0, *(stop for _, stop in self.runs)]
        return [(stop, start - 1) for stop, (start, _) in zip(stops, self.runs, strict=False) if stop < start]


_REQUIRED_EVENT_NAMES: Final = frozenset(field.name for field in _REQUIRED_EVENT_FIELDS)
_STATUS_FIELDS: Final = ("status", "return_value")
_HANDLE_ARGUMENT: Final = re.compile(r".*(handle|handles?\[[0-9]+\])", re.IGNORECASE)
_PSEUDO_HANDLES: Final = 0xFFFFFF00
"""Handles from here on are constants of the kernel's interface (-1, -2, …), equal in both engines."""
_FEW_IDS: Final = 8
"""With so few objects, ids that never repeat prove nothing."""
_NONE_ALIKE: Final = 200
"""In all recordings at hand, guests poll and some event repeats earlier, unless payloads contain a clock."""


class _EventLogValidator:
    """Reads the events of a log one by one and notes its problems; it keeps sums and runs, never events.

    Advice is what would make a log compare better: never an error, and said once for each matter.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._streams: dict[int, _Stream] = {}
        self._handles: dict[int, bool] = {}
        """Every raw handle that was created, and whether it is now that of a live ordinary object."""
        self._unknown: dict[int, tuple[int, str, str, object]] = {}
        """The first argument that looks like a handle which was not created before."""
        self._created: dict[str, bool] = {}
        """Every object that was created, and whether it is ordinary, not shared-global."""
        self._named: set[str | None] = set()
        """The ids that other events name."""
        self._destroyed: dict[str, int] = {}
        """The lines on which objects are destroyed."""
        self._shared: dict[tuple[object, object], str] = {}
        """The shared-global SIDs by pointer and type."""
        self._unshared: dict[tuple[object, object], tuple[int, str]] = {}
        """The first other SID for the same pointer and type, with its line."""
        self._distinct: set[str] = set()
        self._kinds: Counter[str] = Counter()
        self.events = 0

    def event(self, lineno: int, event: object) -> None:
        self.events += 1
        if not isinstance(event, dict):
            self._notes.add(Finding.FIELD, lineno, None, f"expected an object, found {described(event)}")
            return
        problems = list(field_problems(event, EVENT_FIELDS))
        self._notes.add_all(lineno, problems)
        if any(problem.field in _REQUIRED_EVENT_NAMES for problem in problems):
            return
        tid, index, kind, payload = event["tid"], event["tid_event_idx"], event["kind"], event["payload"]
        self._place(lineno, tid, index, kind, event.get("host_ns"))
        self._payload(lineno, kind, payload)
        self._objects(lineno, kind, payload)
        self._kinds[kind] += 1
        if self._kinds.total() <= _NONE_ALIKE:
            self._distinct.add(json.dumps([kind, payload], sort_keys=True))

    def _place(self, lineno: int, tid: int, index: int, kind: str, host_ns: object) -> None:
        stream = self._streams.setdefault(tid, _Stream(lineno))
        if not stream.see(index):
            self._notes.add(Finding.DOUBLED_INDEX, lineno, "tid_event_idx", f"index {index} of tid {tid} a second time")
        elif stream.out_of_order:
            text = f"index {index} of tid {tid} comes after a later one; said once per tid"
            self._notes.add(Finding.OUT_OF_ORDER, lineno, "tid_event_idx", text, tid)
        stream.open_waits += (kind == "wait.begin") - (kind == "wait.end")
        if stream.open_waits < 0 and not stream.out_of_order:
            stream.open_waits = 0
            self._notes.add(Finding.WAIT_NOT_BEGUN, lineno, "kind", f"wait.end on tid {tid} without its wait.begin")
        if isinstance(host_ns, int):
            last_idx, last_ns = stream.clock
            if index > last_idx >= 0 and host_ns < last_ns:
                early = f"index {index} of tid {tid} is {last_ns - host_ns} ns before index {last_idx}"
                self._notes.add(Finding.FALLING_CLOCK, lineno, "host_ns", f"{early}: take a monotonic clock", tid)
            stream.clock = index, host_ns

    def _payload(self, lineno: int, kind: str, payload: dict[str, object]) -> None:
        """Checks a payload against its kind, and looks for values that two engines write differently."""
        for problem in field_problems(payload, PAYLOAD_FIELDS.get(kind, ()), "payload"):
            if problem.is_error:
                self._notes.add(Finding.PAYLOAD, lineno, problem.field, problem.text)
        if kind == "kernel.return" and not payload.keys() & _STATUS_FIELDS:
            self._notes.add(Finding.PAYLOAD, lineno, "payload", "expected return_value or status")
        for path, value in payload_leaves(payload, "payload"):
            if type(value) is int and -(1 << 31) <= value < 0 and path.rpartition(".")[2] in _STATUS_FIELDS:
                text = f"{value} is {value & 0xFFFFFFFF} to the engine that counts without a sign: write that"
                self._notes.add(Finding.NEGATIVE_STATUS, lineno, path, text, (kind, path))
            elif kind == "kernel.call" and path != "payload.name":
                self._argument(lineno, payload.get("name"), path, value)

    def _argument(self, lineno: int, call: object, path: str, value: object) -> None:
        handle, matter = name_value(value) or 0, (call, re.sub(r"\[[0-9]+\]", "", path))
        if self._handles.get(handle):
            text = f"{json.dumps(value)} is a live handle: two engines give other ones, and it is compared"
            self._notes.add(Finding.RAW_HANDLE, lineno, path, text, matter)
        elif 0 < handle < _PSEUDO_HANDLES and handle not in self._unknown and _HANDLE_ARGUMENT.fullmatch(path):
            text = f"{json.dumps(value)} seems to be a handle, but has no handle.create: it is compared as it is"
            self._unknown[handle] = lineno, path, text, matter

    def _objects(self, lineno: int, kind: str, payload: Mapping[str, object]) -> None:
        """Follows ids and handles: where they are created, and whether they come back."""
        sid, raw = semantic_id(payload.get("handle_semantic_id")), payload.get("raw_handle_id")
        handle = name_value(raw) or 0
        if kind == "handle.create":
            pointer, object_type = key = guest_pointer(raw), payload.get("object_type")
            is_shared = shared_global_of(payload) is not None
            is_ordinary = bool(sid and handle) and not is_shared
            self._handles[handle] = is_ordinary
            if sid:
                self._created[sid] = self._created.get(sid) or is_ordinary
            if sid and is_shared:
                self._shared[key] = sid
            elif sid and pointer is not None and isinstance(object_type, str):
                self._unshared.setdefault(key, (lineno, sid))
        elif kind == "handle.destroy":
            self._handles.update({handle: False} if handle in self._handles else {})
            self._named.add(sid)
            self._destroyed.setdefault(sid or "", lineno)
        waited = payload.get("handles_semantic_ids")
        named = waited if isinstance(waited, list) else [payload.get("woken_by_semantic_id")]
        self._named.update(map(semantic_id, named))

    def finish(self) -> None:
        """Notes what is known only at the end of the log."""
        ordinary = {sid for sid, is_ordinary in self._created.items() if is_ordinary}
        if len(ordinary) > _FEW_IDS and not ordinary & self._named:
            text = f"none of the {len(ordinary)} ids of created objects is named again: one id for the object's life"
            self._notes.add(Finding.LONELY_IDS, 1, "payload.handle_semantic_id", text)
        if len(self._streams) > 1 and not self._kinds["thread.create"]:
            text = "several threads and no thread.create: threads are then paired by what they do alone"
            self._notes.add(Finding.NO_CREATIONS, 1, "kind", text)
        if len(self._distinct) == _NONE_ALIKE:
            text = f"of the first {_NONE_ALIKE} events no two are equal: is a clock or an address in the payloads?"
            self._notes.add(Finding.NOTHING_REPEATS, 1, "payload", text)
        for handle, unknown in self._unknown.items():
            if handle not in self._handles:
                self._notes.add(Finding.RAW_HANDLE, *unknown)
        for key, (lineno, sid) in self._unshared.items():
            if expected := self._shared.get(key):
                text = f"{sid}, but others use {key[0]:#010x} ({key[1]}) as shared: expected {expected}"
                self._notes.add(Finding.WRONG_SID, lineno, "payload.handle_semantic_id", text)
        for sid, lineno in self._destroyed.items():
            if sid and sid not in self._created:
                text = f"{sid} is destroyed, but was never created"
                self._notes.add(Finding.NEVER_CREATED, lineno, "payload.handle_semantic_id", text)
        self._odd_streams()

    def _odd_streams(self) -> None:
        for tid, stream in self._streams.items():
            if holes := stream.holes():
                first = f"{holes[0][0]}-{holes[0][1]}"
                text = f"tid {tid} has {len(holes)} hole{'s' * (len(holes) > 1)} in its indexes; the first: {first}"
                self._notes.add(Finding.HOLE, stream.first_line, "tid_event_idx", text)
            if stream.open_waits < 0:
                text = f"tid {tid} has {-stream.open_waits} wait.end more than wait.begin"
                self._notes.add(Finding.WAIT_NOT_BEGUN, stream.first_line, "kind", text)


def _validate_event_log(lines: Iterable[tuple[int, object]], notes: Notes) -> int:
    """The number of events; their problems go to the notes."""
    validator = _EventLogValidator(notes)
    for number, (lineno, event) in enumerate(lines):
        if number == 0:
            version = event.get("schema_version", MISSING) if isinstance(event, dict) else MISSING
            if not FIELD_TYPES["version"].accepts(version):
                text = f"expected a header with schema_version 1, found {described(version)}"
                notes.add(Finding.HEADER, lineno, "schema_version", text)
            if version is not MISSING:
                continue
        elif isinstance(event, dict) and is_header(event):
            notes.add(Finding.HEADER, lineno, "schema_version", f"{SECOND_HEADER}, and what follows is not checked")
            break
        validator.event(lineno, event)
    validator.finish()
    if not validator.events:
        notes.add(Finding.NO_EVENTS, 1, None, "no event after the header")
    return validator.events


# ── agent traces ──


def _state_problems(actions: Sequence[Action]) -> Iterator[Problem]:
    """The hashes in a trace that contradict what it wrote to the file."""
    for position, state in replay_files(actions).items():
        call = actions[position]
        if state.is_contradictory and isinstance(call, ToolCall):
            field, lineno = "blocks", call.lineno
            if call.result and "post_state_sha256" not in call.input:
                field, lineno = "side_effects.post_state_sha256", call.result.lineno
            text = f"what was written to {printable(str(_path_of(call)))} has another hash"
            yield Problem(Finding.FILE_STATE, field, text, lineno)


def _validate_trace(lines: Iterable[tuple[int, object]], notes: Notes) -> int:
    """The number of records; their problems go to the notes."""
    reader = TraceReader()
    for lineno, record in lines:
        notes.add_all(lineno, reader.problems(lineno, record))
    notes.add_all(1, reader.problems_at_end())
    if reader.is_good:
        notes.add_all(1, _state_problems(reader.trace().actions))
    return reader.records


def _format_of(record: object) -> FileFormat | None:
    """What the first record of a file says that the file is."""
    if not isinstance(record, dict):
        return None
    kind = record.get("kind")
    if "kind" in record and ("v" in record or (isinstance(kind, str) and kind in RECORD_FIELDS)):
        return FileFormat.AGENT_TRACE
    if "schema_version" in record or {"tid", "tid_event_idx"} & record.keys():
        return FileFormat.EVENT_LOG
    return None


def format_of_file(path: str) -> FileFormat | None:
    """What a file is, by its first line; None for anything else, and for what can be read only once."""
    with contextlib.suppress(DiffEventsError, NotJsonError):
        if os.path.isfile(path):
            return next((_format_of(parse_json(line)) for _, line, _ in numbered_lines(_opened(path)[1])), None)
    return None


def validate_file(path: str, *, strict: bool = False) -> FileValidation:
    """Checks one file, an event log or an agent trace as its first record says, against its schema.

    Findings are kept up to a number for each kind; a log is read as a stream. A file that cannot be read, or is
    neither, is a result with ``unreadable``. ``strict`` makes errors of unknown fields and of session ids that are no
    UUID.
    """
    notes = Notes(strict=strict)
    expected = "neither an event log (a header with schema_version) nor an agent trace (session_start)"
    try:
        lines = parsed_lines(path, notes)
        first = next(lines, None)
        file_format = _format_of(first[1]) if first else None
        if first is None or file_format is None:
            raise InputError(path, expected)
        validate = _validate_event_log
        if file_format is FileFormat.AGENT_TRACE:
            validate, notes.torn_tail = _validate_trace, Finding.JSON  # one that is cut off is refused, unlike a log
        records = validate(itertools.chain([first], lines), notes)
    except InputError as error:
        return FileValidation(path, unreadable=str(error))
    counts = tuple(sorted(notes.counts.items(), key=lambda item: item[0].value))
    return FileValidation(path, file_format, records, notes.kept(), counts, strict=strict)


# ══ renderers: parity, corpus, validation ═════════════════════════════════════════════════════════════════════════


_SHOWN_ACTION: Final = 160
_SHOWN_UNDECIDED: Final = 50

_MISMATCH_SENTENCES: Final[Mapping[TraceMismatch, str]] = {
    TraceMismatch.ROLES: "the teacher is not claude-code, or the student not apr-code: are the traces exchanged?",
    TraceMismatch.PROMPTS: "the user did not ask both for the same",
    TraceMismatch.CWD: "the working directories are not the same (cwd_sha256)",
}


def score_text(score: float | None) -> str:
    """A score with four digits, never rounded up.

    >>> score_text(0.99999), score_text(1.0), score_text(0.57), score_text(None)
    ('0.9999', '1.0000', '0.5700', '—')
    """
    from decimal import ROUND_FLOOR, Decimal  # here, so that only who scores agent traces waits for it

    return "—" if score is None else str(Decimal(repr(score)).quantize(Decimal("0.0001"), ROUND_FLOOR))


# ── parity ──


def parity_json(report: ParityReport) -> Iterator[str]:
    """The JSON report of two traces."""
    of_drift = (
        "position tier category reason detail label same_file teacher_did_too allow_hosts "
        "teacher_line=teacher.lineno student_line=student.lineno"
    )
    return json_report(
        "diff-events-parity",
        report,
        "score matched total teacher_count student_count drifts undecided strict_sovereignty passes vacuous=is_vacuous "
        "mismatches alignment turn_order_skew=alignment.turn_order_skew thresholds",
        drifts=(json_fields(drift, of_drift) for drift in report.drifts),
        undecided=({"position": n, **json_fields(doubt, "reason detail")} for n, doubt in report.undecided),
        alignment=report.alignment and json_fields(report.alignment, "matched paired insertions deletions"),
        thresholds=json_fields(report, "individual_min"),
    )


def action_text(action: Action) -> str:
    """An action on one line, as it is shown beside its counterpart."""
    if isinstance(action, HookEvent):
        matcher = f" {action.matcher}" if action.matcher is not None else ""
        return f"hook {action.event}{matcher}: {action.decision}, exit code {action.exit_code}"
    if isinstance(action, SkillInvocation):
        return f"skill {action.name} ({action.source})"
    command = action.input.get("command")
    return f"{action.name}: {command}" if isinstance(command, str) else f"{action.name} {json_text(dict(action.input))}"


def _parity_items(report: ParityReport) -> Iterator[str]:
    """The score, and how the alignment explains it."""
    yield f"teacher: {quoted(report.teacher)}, {_counted(report.teacher_count, 'action')}"
    yield f"student: {quoted(report.student)}, {_counted(report.student_count, 'action')}"
    limit = score_text(report.individual_min)
    positions = _counted(report.total, "position")
    yield f"{report.matched:,} of {positions} without drift; a score from {limit} and no Tier 3 pass"
    alignment = report.alignment
    if alignment and (alignment.insertions or alignment.deletions) and alignment.matched > report.matched:
        edits = [
            f"{_counted(len(where), what)} at {', '.join(map(str, where[:5]))}{', …' if len(where) > 5 else ''}"
            for what, where in (("insertion", alignment.insertions), ("deletion", alignment.deletions))
            if where
        ]
        yield f"with {' and '.join(edits)}, {alignment.matched:,} of {alignment.paired:,} match"
    if alignment and alignment.turn_order_skew:
        yield f"{_counted(alignment.turn_order_skew, 'action')} on both sides, but at another place in the order"
    yield from (f"**are they comparable?** {_MISMATCH_SENTENCES[mismatch]}" for mismatch in report.mismatches)
    if report.is_vacuous:
        yield "**vacuous:** neither trace has an action"


def parity_document(report: ParityReport) -> list[Block]:
    """The report of two traces for people."""

    def shown(action: Action | None) -> str:
        return quoted(shorten(action_text(action), _SHOWN_ACTION)) if action else "—"

    rows = [
        [
            drift.position,
            drift.category.value,
            literal(drift.reason),
            shown(drift.teacher),
            shown(drift.student),
            literal(shorten(drift.detail.partition(": ")[2], 2 * _SHOWN_ACTION)),
        ]
        for drift in report.drifts
    ]
    allowed = [
        f"position {drift.position}: {quoted(f'allow_hosts: {json_text(list(drift.allow_hosts))}')}"
        for drift in report.drifts
        if drift.allow_hosts
    ]
    gate = "**the gate is strict: they fail it**" if report.strict_sovereignty else "which is no drift"
    undecided = [
        [position, literal(doubt.reason), literal(shorten(doubt.detail, _SHOWN_ACTION))]
        for position, doubt in report.undecided[:_SHOWN_UNDECIDED]
    ]
    headings = ("position>", "category", "reason", "teacher", "student", "what differs")
    drifts = section("Positions count from 0.", Table(headings, rows))
    return [
        f"# Parity: {'pass' if report.passes else 'FAIL'}, score {score_text(report.score)}",
        list(_parity_items(report)),
        *(drifts or ["No drift."]),
        *section(
            "To allow the hosts, add them under `sovereignty` in the contract (in TOML with `=` for the colon):",
            allowed,
        ),
        *section(
            f"{len(report.undecided):,} undecided: it cannot be told whether these break the sovereignty contract "
            f"({gate}):",
            Table(("position>", "reason", "what is not known"), undecided),
        ),
    ]


def parity_markdown(report: ParityReport) -> str:
    """The report of two traces as Markdown."""
    return write_markdown(parity_document(report))


PARITY_FORMATS: Final[Formats[ParityReport]] = {**document_formats(parity_document), "json": parity_json}

# ── corpus ──


_OF_COVERAGE: Final = "required covered uncovered oos unknown"


def coverage_json(coverage: Coverage) -> Iterator[str]:
    """The JSON report of the coverage alone."""
    required, passes = len(coverage.required), not coverage.uncovered
    return json_report("diff-events-coverage", coverage, f"passes {_OF_COVERAGE}", required=required, passes=passes)


def corpus_json(report: CorpusReport) -> Iterator[str]:
    """The JSON report of a corpus."""
    coverage = report.coverage
    of_fixture = "id folder score drift_count passes worst_tier reasons first_drift vacuous=is_vacuous undecided_count"

    def form(fixture: FixtureResult) -> dict[str, object]:
        names = f"{of_fixture} mismatches{'' if fixture.error is None else ' error'}"
        passes, drift = report.fixture_passes(fixture), fixture.first_drift or None
        return json_fields(fixture, names, passes=passes, first_drift=drift)

    return json_report(
        "diff-events-corpus",
        report,
        "aggregate_score fixture_count vacuous_count undecided_count passes failures must_fail strict_sovereignty "
        "thresholds fixtures coverage changes",
        fixture_count=len(report.fixtures),
        vacuous_count=len(report.vacuous),
        thresholds=json_fields(report.contract, "aggregate_min individual_min"),
        fixtures=map(form, report.fixtures),
        coverage=coverage and json_fields(coverage, _OF_COVERAGE, required=len(coverage.required)),
        changes=None if report.changes is None else [change._asdict() for change in report.changes],
    )


def _outcome(report: CorpusReport, fixture: FixtureResult) -> str:
    if fixture.error is not None:
        return "BROKEN"
    return ("vacuous" if fixture.is_vacuous else "pass") if report.fixture_passes(fixture) else "FAIL"


def _fixture_table(report: CorpusReport, fixtures: Iterable[FixtureResult]) -> Table:
    rows = []
    for fixture in fixtures:
        why = fixture.error or fixture.first_drift
        notes = [literal(shorten(why, 2 * _SHOWN_ACTION))] if why else []
        notes += [f"are they comparable? {_MISMATCH_SENTENCES[mismatch]}" for mismatch in fixture.mismatches]
        notes += [f"{fixture.undecided_count:,} undecided (sovereignty)"] if fixture.undecided_count else []
        numbers = (score_text(fixture.score), fixture.drift_count, fixture.worst_tier)
        rows.append([literal(fixture.id), _outcome(report, fixture), *numbers, "; ".join(notes)])
    return Table(("fixture", "result", "score>", "drifts>", "worst tier>", "why"), rows)


def _failure_sentence(report: CorpusReport, failure: CorpusFailure) -> str:
    failing = sum(not report.fixture_passes(fixture) for fixture in report.fixtures)
    mean, limit = score_text(report.aggregate_score), score_text(report.contract.aggregate_min)
    return {
        CorpusFailure.FIXTURES: f"{_counted(failing, 'fixture')} not as expected",
        CorpusFailure.MEAN: f"the mean score, {mean}, is under {limit}",
        CorpusFailure.COVERAGE: "rows of the matrix are not covered",
        CorpusFailure.VACUOUS: "no fixture has an action: nothing was compared",
    }[failure]


def _corpus_items(report: CorpusReport) -> Iterator[str]:
    mean, each = (score_text(limit) for limit in (report.contract.aggregate_min, report.contract.individual_min))
    asked = "every fixture must drift" if report.must_fail else f"mean from {mean}, each from {each}, no Tier 3"
    good = sum(report.fixture_passes(fixture) and not fixture.is_vacuous for fixture in report.fixtures)
    yield f"{_counted(len(report.fixtures), 'fixture')} in {quoted(report.directory)}; asked for: {asked}"
    vacuous = f", {len(report.vacuous):,} vacuous (no action on either side)" if report.vacuous else ""
    yield f"{good:,} as they should be, {len(report.broken):,} broken{vacuous}"
    if report.undecided_count:
        what = _counted(report.undecided_count, "finding")
        yield f"{what} undecided: the traces do not tell whether sovereignty is broken"
    yield from (f"**why it fails:** {_failure_sentence(report, failure)}" for failure in report.failures)
    if coverage := report.coverage:
        yield f"coverage: {coverage.covered:,} of {_counted(len(coverage.required), 'row')} of the matrix"
        for name, missed in (("not covered", coverage.uncovered), ("covered, but not a row", coverage.unknown)):
            yield from [f"{name}: {', '.join(map(quoted, missed))}"] if missed else []
    if report.changes is not None:
        worse = [change for change in report.changes if change.is_worse]
        others = len(report.changes) - len(worse)
        yield f"since the baseline: {_counted(len(worse), 'score')} lower, {others:,} higher or new"
        for change in worse:
            yield f"lower: {literal(change.id)}, {score_text(change.before)} → {score_text(change.now)}"


def corpus_document(report: CorpusReport) -> list[Block]:
    """The report of a corpus for people: failing fixtures first, the worst on top; passing ones folded."""

    def rank(fixture: FixtureResult) -> tuple[bool, bool, int, float]:
        """Broken fixtures first, then failing ones, then by tier and score."""
        return fixture.error is None, report.fixture_passes(fixture), -fixture.worst_tier, fixture.score or 0

    fixtures = sorted(report.fixtures, key=rank)
    bad = [fixture for fixture in fixtures if not report.fixture_passes(fixture) or fixture.mismatches]
    good = [fixture for fixture in fixtures if fixture not in bad]
    commands = [f"{literal(fixture.id)}: {quoted(report.command(fixture))}" for fixture in bad if fixture.drift_count]
    title = f"# Corpus: {'pass' if report.passes else 'FAIL'}, mean score {score_text(report.aggregate_score)}"
    folded = Details(f"{_counted(len(good), 'fixture')} as expected", [_fixture_table(report, good)])
    return [
        title,
        list(_corpus_items(report)),
        *section(_fixture_table(report, bad)),
        *section("What shows more:", commands),
        *([folded] if good else []),
    ]


def corpus_junit(report: CorpusReport) -> str:
    """One test case a fixture (vacuous ones are skipped), and one for the gate of the whole corpus."""
    cases = []
    for fixture in report.fixtures:
        why = literal(fixture.error or fixture.first_drift or "no drift")
        failure = None if report.fixture_passes(fixture) else f"score {score_text(fixture.score)}, {why}"
        kind, evidence = _outcome(report, fixture).lower(), [report.command(fixture)] if fixture.drift_count else []
        skipped = "no action on either side" if fixture.is_vacuous else None
        cases.append(TestCase("fixtures", fixture.id, failure, kind, evidence, skipped))
    whole = [failure for failure in report.failures if failure is not CorpusFailure.FIXTURES]
    message = "; ".join(_failure_sentence(report, failure) for failure in whole) or None
    cases.append(TestCase("corpus", "mean and coverage", message, whole[0].value if whole else "failure"))
    return junit_xml(report.directory, cases)


CORPUS_FORMATS: Final[Formats[CorpusReport]] = {
    **document_formats(corpus_document),
    "json": corpus_json,
    "junit": corpus_junit,
}

# ── validation ──


def validation_json(files: Sequence[FileValidation]) -> Iterator[str]:
    """The findings in some files as JSON."""

    def form(file: FileValidation) -> dict[str, object]:
        counts = {finding.value: count for finding, count in file.counts}
        names = f"file=source format conforms records counts findings{' unreadable' if file.unreadable else ''}"
        of_note = "code=finding.value severity line=lineno field message=text"
        notes = (json_fields(n, of_note, severity=n.finding.severity_if(file.strict)) for n in file.notes)
        return json_fields(file, names, counts=counts, findings=notes)

    conforms = all(file.conforms for file in files)
    return json_report("diff-events-validation", None, "conforms files", conforms=conforms, files=map(form, files))


def _file_lines(file: FileValidation) -> Iterator[str]:
    if file.unreadable is not None:
        yield f"{literal(file.unreadable)}: could not be read"
        return
    source = literal(file.source)
    for note in file.notes:
        what = f"{literal(note.field)}: " if note.field else ""
        severity = note.finding.severity_if(file.strict).value
        yield f"{source}:{note.lineno}: {severity}: {what}{literal(note.text)} [{note.finding.value}]"
    totals = Counter[Severity]()
    for finding, count in file.counts:
        totals[finding.severity_if(file.strict)] += count
        if count > SHOWN_PER_FINDING:
            yield f"{source}: {count - SHOWN_PER_FINDING:,} more of [{finding.value}]"
    errors, warnings, advice = (totals[severity] for severity in Severity)
    facts = [file.format.value] if file.format else []
    facts += [_counted(file.records, "record"), _counted(errors, "error"), _counted(warnings, "warning")]
    facts += [f"{_counted(advice, 'piece')} of advice"] if advice else []
    verdict = "conforms" if file.conforms else "does not conform"
    yield f"{source}: {verdict} ({', '.join(facts)})"


def validation_text(files: Sequence[FileValidation]) -> str:
    """One finding a line, as compilers write them, then a line for the file."""
    return TextWriter().written(["\n".join(line for file in files for line in _file_lines(file))])


VALIDATION_FORMATS: Final[Formats[Sequence[FileValidation]]] = {"text": validation_text, "json": validation_json}


# ══ command line ══════════════════════════════════════════════════════════════════════════════════════════════════


PROGRAM: Final = "diff_events.py"


class OptionParser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others: one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError`."""
        raise UsageError(f"{message} (see {self.prog} --help)")

    def refuse_unknown(self, words: Sequence[str]) -> None:
        """Names a misspelled option as such; else a missing one would be reported first. Raises `UsageError`."""
        options = itertools.takewhile("--".__ne__, words)
        for option in (word.partition("=")[0] for word in options if re.match("--[a-z]", word)):
            if option not in self._option_string_actions:
                meant = nearest(option, self._option_string_actions)
                self.error(f"there is no option {printable(option)}{meant and f': {meant}?'}")


class Streams(NamedTuple):
    """Where a command writes."""

    out: IO[str]
    err: IO[str]

    def write(self, rendered: Rendered, colour: str = "auto") -> None:
        """Writes to standard output: documents as wide as a terminal is, in colour where that is wanted.

        Raises `OutputError`, or `BrokenPipeError` where nobody reads it any more.
        """
        if isinstance(rendered, list):
            import shutil  # here, so that only who writes a text report waits for it

            is_terminal = self.out.isatty()
            wanted = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            width = shutil.get_terminal_size().columns if is_terminal or os.environ.get("COLUMNS") else None
            writer = TextWriter(width, colour=wanted if colour == "auto" else colour == "always", marked=True)
            rendered = writer.written(rendered)
        try:
            self.out.writelines([rendered] if isinstance(rendered, str) else rendered)
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"standard output: {error.strerror or error}") from error

    def say(self, text: str) -> None:
        """A line on standard error."""
        self.err.write(f"{PROGRAM}: {text}\n")


# ── options ──


def _value(expected: str, form: str | FieldType, convert: Callable[[str], object]) -> Callable[[str], object]:
    """What reads the values of an option that a pattern or a type describes."""

    def read(text: str) -> object:
        if not (re.fullmatch(form, text, re.DOTALL) if isinstance(form, str) else form.accepts(text)):
            raise argparse.ArgumentTypeError(f"expected {expected}, found {printable(text)!r}")
        return convert(text)

    return read


def _percentage(text: str) -> Fraction:
    from fractions import Fraction  # here, so that only who gives a percentage waits for it

    value = Fraction(text.rstrip("%"))
    if value <= 1 and not text.endswith("%"):  # a share of 1 would hold for nearly anything
        whole = f"{float(100 * value):.15g}"
        better = f"{whole} or {whole}% (or {text}%)" if value else f"{text}% (which always holds)"
        raise argparse.ArgumentTypeError(f"{text} % is hardly meant: write {better}")
    return value


def _until_of(text: str) -> ThreadPlace:
    thread, _, idx = text.rpartition(":")
    return ThreadPlace(thread, int(idx))


_VALUES: Final[Mapping[str, Callable[[str], object]]] = {
    "HOST": _value(HOST.expected, HOST, str),
    "KEY:IDX": _value("the key or tid of a thread and an index", ".+:[0-9]{1,18}", _until_of),
    "N": _value("a whole number of 0 or more, of at most 18 digits", "[0-9]{1,18}", int),
    "PCT": _value("a percentage from 0 to 100", r"(?:100(?:\.0{1,9})?|[0-9]{1,2}(?:\.[0-9]{1,9})?)%?", _percentage),
    "SCORE": _value(SHARE.expected, r"(?=\.?[0-9])0?(?:\.[0-9]{0,17})?|1(?:\.0{0,17})?", float),
    "WHEN": _value("always, never or auto", "always|never|auto", str),
}
"""What may follow an option, by the word that its help has for it; after all others, any text."""


class _Once(argparse.Action):
    """An option that can be given once: of two gates, say, neither may be dropped in silence."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        if getattr(namespace, self.dest) is not self.default:
            parser.error(f"{option} is given twice")
        setattr(namespace, self.dest, values)


_MARKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "": {},
    "!": {"required": True},
    "*": {"action": "append", "default": []},
    "+": {"action": "store", "nargs": "+"},
}
"""How the help of a command marks what must be given, can be given again, and is one or more; ``=5`` is a default."""

_NEEDS: Final = (
    ("strict_profile", "profile", "the rules that must be of use"),
    ("ratchet", "baseline", "the report to hold on to"),
    ("oos", "matrix", "the rows that there are"),
)
"""Options that say nothing without another one."""

_OPTION: Final = re.compile(
    r"(?m)^ {4}(?P<name>[a-z-]+)(?: (?P<metavar>\S+?)(?P<mark>[!*+]|=\w+)?)?  +(?P<meaning>\S.*(?:\n {10,}.+)*)"
    r"|^(?P<heading>[a-z ]+):$"
)
"""In the help of a command: an option, what follows it, and what it means; or the heading of further ones."""


@functools.cache  # for whoever calls `run` again and again
def command_parser(name: str, text: str) -> OptionParser:
    """What reads the arguments of a command, of which ``text`` is the help: what it does, its options, its end."""
    rows = list(_OPTION.finditer(text))
    options = [row for row in rows if row["name"]]
    parser = OptionParser(
        prog=f"{PROGRAM} {name}".rstrip(),
        usage=None if name else f"{PROGRAM} --canary LOG --ours LOG [options]",
        description=text[: options[0].start()].strip(),
        epilog=text[options[-1].end() :].strip(),
        allow_abbrev=False,
        formatter_class=functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=26, width=80),
    )
    if not name:
        parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    group: argparse._ActionsContainer = parser
    for row in rows:
        mark, metavar = row["mark"] or "", row["metavar"]
        if row["heading"]:
            group = parser.add_argument_group(row["heading"])
            continue
        settings: dict[str, Any] = {"action": "store_true"}
        if metavar:
            settings = {"metavar": metavar, "type": _VALUES.get(metavar, str), "action": _Once}
            settings |= {"default": mark[1:]} if mark.startswith("=") else _MARKS[mark]
        group.add_argument(row["name"], help=" ".join(row["meaning"].split()), **settings)
    return parser


# ── where reports go ──


_READ: Final = ("canary", "ours", "reference", "teacher", "student", "profile", "baseline", "contract", "matrix")
"""Options that name what is read."""


def report_requests(options: argparse.Namespace, formats: Collection[str], inputs: Iterable[str]) -> dict[str, str]:
    """The reports that the options ask for: by path, the format; ``inputs`` are read beside what the options name.

    Standard output takes one document: a report that asks for it (``-``, ``--json``), or else Markdown, unless
    ``--out`` has that. Raises `UsageError`, also for two documents in one file or an input as output.
    """
    asked = [text.partition(":")[::2] for text in options.report]
    for (name, path), text in zip(asked, options.report, strict=True):
        if name not in formats or not path:
            known = ", ".join(formats)
            raise UsageError(f"--report: expected FORMAT:PATH with a format of {known}; found {printable(text)!r}")
    asked += [("json", STANDARD_STREAM)] if getattr(options, "json", False) else []
    asked += [("markdown", options.out)] if options.out is not None else []
    requests: dict[str, str] = {}
    given = (getattr(options, name, None) or [] for name in _READ)
    files = itertools.chain(inputs, *([one] if isinstance(one, str) else one for one in given))
    taken = {os.path.realpath(path): "an input" for path in files if path != STANDARD_STREAM}
    next_baseline = "json", os.path.realpath(getattr(options, "baseline", None) or "")
    for name, given in asked:
        # the stream, be it a pipe, a terminal or a file that is appended to
        path = STANDARD_STREAM if given == "/dev/stdout" else given
        target = path if path == STANDARD_STREAM else os.path.realpath(path)
        if target in taken and (taken[target], name, target) != ("an input", *next_baseline):
            where = "standard output" if target == STANDARD_STREAM else path
            raise UsageError(f"{where} is {taken[target]} already: it takes one document")
        taken[target], requests[path] = "an output", name
    if options.out is None and not options.quiet:
        requests.setdefault(STANDARD_STREAM, "markdown")
    return requests


@contextlib.contextmanager
def opened_outputs(
    formats: Formats[_Shown], options: argparse.Namespace, streams: Streams, *inputs: str
) -> Iterator[Callable[[_Shown, str | None], None]]:
    """Opens the reports of a command before its long work; yields what writes them, each whole or not at all.

    It takes the report, and the path of a file to leave as it is. Raises `UsageError`, and `OutputError` for what
    cannot be written.
    """
    requests = report_requests(options, formats, inputs)
    to_stream = requests.pop(STANDARD_STREAM, None)
    with contextlib.ExitStack() as stack:
        files = [(path, name, stack.enter_context(pending_file(path))) for path, name in requests.items()]

        def write(report: _Shown, left_alone: str | None = None) -> None:
            for path, name, commit in files:
                if left_alone is None or os.path.realpath(path) != os.path.realpath(left_alone):
                    rendered = formats[name](report)
                    commit(TextWriter().written(rendered) if isinstance(rendered, list) else rendered)
            if to_stream:  # last: nobody may be reading it
                streams.write(formats[to_stream](report), options.color)

        yield write


# ── event logs: the comparison ──

REPORT_RENDERERS: Final[Formats[Report]] = {
    "markdown": render_markdown,
    "json": report_json,
    "html": render_html,
    "junit": render_junit,
    "text": summary_document,
}


@contextlib.contextmanager
def told_what_it_is(expected: FileFormat) -> Iterator[None]:
    """Adds to the refusal of a file that is something else what it looks like, and the command that reads it."""
    try:
        yield
    except InputError as error:
        found = format_of_file(error.source)
        if found is None or found is expected:
            raise
        hint = {
            FileFormat.EVENT_LOG: f"this looks like an event log: {PROGRAM} --canary LOG --ours LOG compares those",
            FileFormat.AGENT_TRACE: f"this looks like an agent trace: {PROGRAM} diff TRACE TRACE compares those",
        }
        raise InputError(error.source, hint[found], lineno=error.lineno) from error


def _say_warnings(report: Report, streams: Streams) -> None:
    if baseline := report.baseline:
        other_canary = not baseline.same_canary and "it was made from another canary log than this one"
        other_profile = not baseline.same_profile and "it was made under another profile than this run"
        for problem in _given(other_canary, other_profile):
            streams.say(f"warning: {printable(baseline.name)}: {problem}")
    for rule in report.unused:
        streams.say(f"warning: {printable(rule.source)}:{rule.lineno}: this rule hid nothing")
    for log in report.logs:
        for warning in log.warnings:
            streams.say(f"warning: {printable(log.name)}: {warning_text(warning)}")


def _comparison(options: argparse.Namespace, **others: Any) -> DiffOptions:
    """How two logs are to be compared, as the options say it; options of the same name as a setting are taken over."""
    if options.canary == options.ours == STANDARD_STREAM:
        raise UsageError("--canary and --ours cannot both be standard input")
    names = ("context", "max_divergences", "check_identity", "match_names", "fail_under", "until")
    given = {name: value for name, value in vars(options).items() if name in names}
    given["tid_map"] = parse_tid_map(",".join(options.tid_map)) if options.tid_map else {}
    profile = read_profile(options.profile)
    return DiffOptions(auto_map=not options.no_auto_map, profile=profile, **given, **others)


def _references(options: argparse.Namespace) -> tuple[str, ...]:
    runs = tuple(options.reference)
    if os.path.realpath(options.ours) in map(os.path.realpath, runs):
        raise UsageError(f"--reference {printable(options.ours)}: that is --ours: expected another run of canary")
    if runs and STANDARD_STREAM in (options.canary, *runs):
        raise UsageError("--reference needs runs that can be read twice: expected files")
    return runs


def diff_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """Compares two event logs and writes the reports."""
    gates = tuple(gate for gate in Gate if vars(options).get(gate.value) not in (None, False))
    if options.bisect and not gates:
        needed = "--validate-identical, --check-identity, --fail-under, --ratchet, --strict-profile or --until"
        raise UsageError(f"--bisect needs a gate: {needed}")
    settings = _comparison(
        options,
        score_to_the_end=options.fail_under is not None or options.ratchet,
        gates=gates,
        references=_references(options),
    )
    with opened_outputs(REPORT_RENDERERS, options, streams) as write:
        baseline = read_baseline(options.baseline) if options.baseline is not None else None
        with told_what_it_is(FileFormat.EVENT_LOG):
            settings = with_references(options.canary, settings, Progress(None if options.quiet else streams.err))
            report = diff_logs(options.canary, options.ours, settings, Progress(None if options.quiet else streams.err))
        if baseline is not None:
            report = replace(report, baseline=compare_with_baseline(report, baseline))
        if not options.quiet:
            _say_warnings(report, streams)
        slips = options.ratchet and not (report.gate[Gate.RATCHET] and report.gate.get(Gate.AT_MOST, True))
        write(report, options.baseline if slips else None)
    if options.out is not None and not options.quiet:
        streams.err.write(f"{verdict_line(report)}\n")
    if not report.passes:
        streams.say(TextWriter().text(gate_sentence(report)))
    return ExitCode.OK if report.passes else ExitCode.GATE


@contextlib.contextmanager
def _two_logs(options: argparse.Namespace, streams: Streams, max_divergences: int) -> Iterator[Compared]:
    settings = _comparison(options, score_to_the_end=True, max_divergences=max_divergences)
    progress = Progress(None if options.quiet else streams.err)
    with told_what_it_is(FileFormat.EVENT_LOG), compared_logs(options.canary, options.ours, settings, progress) as both:
        yield both


def show_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``show``: the aligned view of a pair of threads around an event."""
    with _two_logs(options, streams, max_divergences=1) as compared:
        target = target_of(compared, options.at)
        view = view_around(compared, target, options.around, grep=options.grep, all_threads=options.all_threads)
    streams.write(view_json(view) if options.json else view_document(view), options.color)
    return ExitCode.OK


def cut_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``cut``: writes a fixture that reproduces one divergence."""
    with pending_folder(options.out) as commit:
        with _two_logs(options, streams, max_divergences=0) as compared:
            fixture = cut_fixture(compared, options.at, scrub=options.scrub)
            of_events = sum(log.events for log in compared.report.logs)
        name = os.path.basename(os.path.normpath(options.out))
        commit(fixture_files(name, fixture))
    canary, ours = fixture.report.logs.map(lambda log: log.events)
    streams.write(f"{printable(options.out)}: {canary:,} + {ours:,} events of {of_events:,}\n")
    return ExitCode.OK


def calibrate_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``calibrate``: learns a profile from runs of one program; exit 1 where something is left over."""
    if os.path.realpath(options.out) in map(os.path.realpath, options.runs):
        raise UsageError(f"{options.out} is an input already")
    if options.out == STANDARD_STREAM:
        raise UsageError("--out needs a file for the profile: the report goes to standard output")
    with pending_file(options.out) as commit:
        with told_what_it_is(FileFormat.EVENT_LOG):
            calibration = calibrate(options.runs, Progress(None if options.quiet else streams.err))
        commit(profile_toml(calibration))
    if not options.quiet:
        audit = list(audit_log(options.runs[0], DiffOptions(profile=calibration.profile), only_under_rules=True))
        streams.write(MarkdownWriter().written(calibration_document(calibration, audit)))
    return ExitCode.GATE if calibration.remaining else ExitCode.OK


def audit_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``audit``: says what a comparison would not see; exit 1 where it cannot say why."""
    settings = DiffOptions(profile=read_profile(options.profile), match_names=options.match_names)
    paths = [path for path in (options.canary, options.ours) if path is not None]
    with told_what_it_is(FileFormat.EVENT_LOG):
        audited = [row for path in paths for row in audit_log(path, settings)]
    audited.sort(key=lambda row: -list(Sight).index(row.sight))  # of what both logs have, the worse
    rows = list({(row.kind, row.call, row.change): row for row in audited}.values())
    streams.write(write_markdown(audit_document(rows)))
    return ExitCode.GATE if any(row.sight is Sight.UNSEEN for row in rows) else ExitCode.OK


def sid_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``sid``: prints the semantic id of a shared-global object, for the tests of emitters."""
    text: str = options.pointer
    pointer = guest_pointer(int(text) if re.fullmatch(r"[0-9]{1,20}", text) else text)
    if pointer is None:
        raise UsageError(f"POINTER {printable(text)}: expected 32 bits, as 0x828f0010 or decimal")
    if not OBJECT_TYPE.accepts(options.type):
        raise UsageError(f"TYPE {printable(options.type)}: expected {OBJECT_TYPE.expected}")
    streams.write(shared_global_sid(pointer, options.type) + "\n")
    return ExitCode.OK


# ── agent traces, corpora, files ──


def _contract(options: argparse.Namespace) -> Contract:
    contract = read_contract(options.contract) if options.contract else DEFAULT_CONTRACT
    given = {name: getattr(options, name, None) for name in ("aggregate_min", "individual_min")}
    limits = {name: limit for name, limit in given.items() if limit is not None}
    return contract._replace(allow_hosts=(*contract.allow_hosts, *options.allow_host), **limits)


def parity_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``parity``: compares two agent traces; exit 1 where the score is too low or anything is at Tier 3."""
    with opened_outputs(PARITY_FORMATS, options, streams) as write:
        contract = _contract(options)
        with told_what_it_is(FileFormat.AGENT_TRACE):
            teacher, student = (parse_trace(path, cwd=options.cwd) for path in (options.teacher, options.student))
        report = compute_parity_score(
            teacher,
            student,
            allow_hosts=contract.allow_hosts,
            forbidden_hosts=contract.forbidden_hosts,
            individual_min=contract.individual_min,
            strict_sovereignty=options.strict_sovereignty,
        )
        if options.strict:
            refuse_mismatches(report)
        for mismatch in () if options.quiet else report.mismatches:
            streams.say(f"warning: are the traces comparable? {_MISMATCH_SENTENCES[mismatch]}")
        write(report, None)
    return ExitCode.OK if report.passes else ExitCode.GATE


def _rows_out_of_scope(options: argparse.Namespace, matrix: Mapping[str, str], rows: Sequence[str]) -> list[str]:
    """The rows that need no fixture, each of which must be one of the matrix."""
    given = [row.strip() for text in options.oos for row in text.split(",") if row.strip()]
    for source, named in (("oos_rows", rows), ("--oos", given)):
        for row in named:
            if row not in matrix:
                raise UsageError(f"{source} {printable(row)}: {options.matrix} has no such row")
    return [*rows, *given]


def _coverage_exit(coverage: Coverage | None, streams: Streams) -> ExitCode:
    """A row that is not covered is an error with a structure of its own."""
    if coverage is None or not coverage.uncovered:
        return ExitCode.OK
    gap = {"error": "coverage_gap", "required": len(coverage.required)}
    form = json_fields(coverage, "error uncovered required covered oos", **gap)
    streams.err.write(json.dumps(form) + "\n")
    return ExitCode.ERROR


def coverage_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``coverage``: which rows of the matrix some fixture covers, without scoring the fixtures."""
    matrix = read_matrix(options.matrix)
    rows = read_contract(options.contract).oos_rows if options.contract else ()
    coverage = corpus_coverage(options.directory, matrix, _rows_out_of_scope(options, matrix, rows))
    covered = f"{coverage.covered:,} of {_counted(len(coverage.required), 'row')} covered\n"
    streams.write(coverage_json(coverage) if options.json else covered)
    return _coverage_exit(coverage, streams)


def corpus_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``corpus``: scores a folder of fixtures; exit 2 where one is broken or a row of the matrix is not covered."""
    folders = fixture_folders(options.directory)
    files = [os.path.join(folder, name) for folder in folders for name in os.listdir(folder)]
    with opened_outputs(CORPUS_FORMATS, options, streams, *files) as write:
        contract = _contract(options)
        matrix = read_matrix(options.matrix) if options.matrix is not None else None
        oos = _rows_out_of_scope(options, matrix, contract.oos_rows) if matrix is not None else ()
        before = read_scores(options.baseline) if options.baseline is not None else None
        asked = {name: getattr(options, name) for name in ("must_fail", "strict", "strict_sovereignty")}
        report = score_corpus(options.directory, contract, matrix=matrix, oos=oos, before=before, **asked)
        report = report._replace(contract_path=options.contract or "")
        slips = options.ratchet and any(change.is_worse for change in report.changes or ())
        write(report, options.baseline if slips else None)
    code = _coverage_exit(report.coverage, streams)
    if report.broken:
        problems = "; ".join(f"{fixture.id}: {fixture.error}" for fixture in report.broken)
        count = f"{len(report.broken)} of {len(report.fixtures)} fixtures broken"
        raise InputError(options.directory, f"{count}: {problems}")
    if CorpusFailure.VACUOUS in report.failures:
        raise InputError(options.directory, _failure_sentence(report, CorpusFailure.VACUOUS))
    return code or (ExitCode.OK if report.passes and not slips else ExitCode.GATE)


def validate_command(options: argparse.Namespace, streams: Streams) -> ExitCode:
    """``validate``: checks event logs and agent traces against their schemas."""
    files = [validate_file(path, strict=options.strict) for path in options.files]
    streams.write(VALIDATION_FORMATS["json" if options.json else "text"](files))
    if unreadable := [file.unreadable for file in files if file.unreadable is not None]:
        raise DiffEventsError("; ".join(unreadable))
    return ExitCode.OK if all(file.conforms for file in files) else ExitCode.GATE


# ── the commands, by their help ──

_LOGS: Final = """
    --canary LOG!           the log of the reference engine
    --ours LOG!             the log of the engine under test
"""
_AT: Final = """
    --at PLACE=start        TID:IDX or line:N, ours:TID:IDX or ours:line:N, or start
                            (default): where the report says to start
"""
_PAIRING: Final = """
    --tid-map C=O[,C=O…]*   pin pairs: canary's tid = our tid
    --no-auto-map           compare the pinned pairs only
    --match-names           match what differs only in names of handles, threads
"""
_PROFILE: Final = """
    --profile FILE*         rules for what may differ, as calibrate writes them
"""
_COLOR: Final = """
    --color WHEN=auto       of text: always, never, or auto (where a terminal is)
"""
_REPORTS: Final = f"""
reports:
    --out FILE              write the Markdown report there, not to standard output
    --report FORMAT:PATH*   write a report as well (repeatable; - is standard output)
                            as %s
    --quiet                 no Markdown on standard output, progress or warnings
{_COLOR}"""
_MATRIX: Final = """
    directory DIR           a folder with one folder a fixture
    --matrix FILE%s          the parity matrix whose rows must be covered
    --oos ROW,…*            rows that need not be covered (repeatable)
"""
_CONTRACT_FILE: Final = """
    --contract FILE         thresholds and allow list: .toml, .json, .yaml
"""
_CONTRACT: Final = f"""{_CONTRACT_FILE}
    --allow-host HOST*      a host that the student may reach, also *.domain (repeatable)
    --individual-min SCORE  what each pair of traces must reach (default 0.8)
    --strict                exit 2 where two traces do not belong together
    --strict-sovereignty    exit 1 where sovereignty cannot be told
    --json                  print JSON instead of Markdown: --report json:-
"""
_GATE_CODES: Final = """
exit codes: 0 the gate holds, 1 it does not, 2 it could not be done
"""

_COMPARISON_HELP: Final = f"""
Finds where two engines' logs of one program first part ways, thread by thread.
LOG is JSON Lines (schema v1), also as .gz, .bz2, .xz or .zst; - is standard
input. What can be read only once is copied to a temporary file (in $TMPDIR).
Other commands, each with a --help of its own: show, cut, calibrate, audit,
parity (in short: diff), corpus, coverage, validate, sid.
{_LOGS}
gate:
    --validate-identical    exit 1 on any divergence
    --check-identity        exit 1 if matching events are about other objects
    --fail-under PCT        exit 1 if less of the events match, in percent
    --baseline FILE         say what moved since the run of that JSON report
    --ratchet               exit 1 if anything is worse than in the baseline
{_PROFILE}
    --strict-profile        exit 1 if a rule of the profile hid nothing
    --reference RUN*        another run of canary: what differs from it is noise
    --until KEY:IDX         exit 1 if that thread diverges or ends before IDX
    --bisect                for git bisect run: exit 125 instead of 2
pairing of threads:
{_PAIRING}{_REPORTS % ", ".join(REPORT_RENDERERS)}
    --context N=5           events shown before a divergence (default 5)
    --max-divergences N=1000  reported of each pair (default 1000; 0 is all)

exit codes: 0 done, and the gate holds; 1 the gate does not hold; 2 it could
not be done (usage, input, output); 130 interrupted, 143 terminated

examples:
  {PROGRAM} --canary c.jsonl --ours o.jsonl --report html:report.html
  {PROGRAM} --canary c.jsonl --ours o.jsonl --validate-identical --quiet
"""
_SHOW_HELP: Final = f"""
The aligned events of a pair of threads around one of them: what matches
stands once, - is canary, + is ours.
{_LOGS}{_AT}
    --around N=20           about so many rows on each side (default 20)
    --all-threads           also what the other threads did meanwhile
    --grep TEXT             the nearest rows with this text (upper and lower case count)
    --json                  print JSON instead of text
    --quiet                 no progress
{_COLOR}comparison:
{_PAIRING}{_PROFILE}
exit codes: 0 it is shown, 2 it could not be done

example:
  {PROGRAM} show --canary c.jsonl --ours o.jsonl --at 6:1234
"""
_CUT_HELP: Final = f"""
The smallest pair of logs that is found to show one divergence: a fixture with
canary.jsonl, ours.jsonl and meta.toml. Each step of making it smaller is kept
only if a comparison shows the same divergence first.
{_LOGS}{_AT}
    --out DIR!              the folder to write; it must not be there, or be empty
    --scrub                 hide texts in payloads, but names of calls and statuses;
                            equal ones stay equal
    --quiet                 no progress
comparison:
{_PAIRING}{_PROFILE}
exit codes: 0 it is written, 2 it could not be done

example:
  {PROGRAM} cut --canary c.jsonl --ours o.jsonl --out fixtures/new
"""
_CALIBRATE_HELP: Final = """
Learns from several runs of one program on one engine which differences are
noise, and writes them as a profile for --profile. Record the same thing three
times, and give the runs here.

    runs RUN+               an event log; two or more, better three
    --out FILE!             the profile to write (TOML)
    --quiet                 no report on standard output, no progress

exit codes: 0 nothing is left over in any pair of runs, 1 something is,
2 it could not be done
"""
_AUDIT_HELP: Final = """
What a comparison would not see: real events are changed one at a time, each
field of each kind and call, also to what a rule of the profile lets pass,
dropped, doubled, swapped, with another object's handle, and compared under
the same options.

    --canary LOG!           an event log
    --ours LOG              another one, whose events are changed as well
    --profile FILE*         what may differ (repeatable)
    --match-names           match what differs only in names of handles, threads

exit codes: 0 all that is compared is caught, or hidden by a rule; 1 something
is not; 2 it could not be done
"""
_PARITY_HELP: Final = f"""
Whether a student agent did what its teacher did, action by action.

    --teacher TRACE!        the reference trace (.ccpa-trace.jsonl)
    --student TRACE!        the trace under test
    --cwd DIR               the agents' working directory, where no trace says it
{_CONTRACT}{_REPORTS % ", ".join(PARITY_FORMATS)}{_GATE_CODES}"""
_DIFF_HELP: Final = re.sub("--(teacher|student) TRACE!", lambda role: f"{role[1]} {role[1].upper()} ", _PARITY_HELP)
"""In short for parity: the traces without the names of their options."""
_CORPUS_HELP: Final = f"""
Scores every fixture of a corpus: pairs of agent traces and pairs of event logs.
{_MATRIX % ""}
    --must-fail             turn the gate round: every fixture must drift
    --aggregate-min SCORE   the mean score that passes (default 0.95)
{_CONTRACT}
    --baseline FILE         say what moved since the run of that JSON report
    --ratchet               exit 1 if a score is lower, or a fixture is gone
{_REPORTS % ", ".join(CORPUS_FORMATS)}{_GATE_CODES}"""
_COVERAGE_HELP: Final = f"""
Which rows of the parity matrix some fixture of a corpus covers; the fixtures
are not scored.
{_MATRIX % "!"}{_CONTRACT_FILE}
    --json                  print JSON instead of text

exit codes: 0 every row is covered, 2 one is not, or it could not be told
"""
_VALIDATE_HELP: Final = """
Checks event logs and agent traces (told by their first record) against their
schemas.

    files FILE+             an event log or an agent trace, compressed or not
    --strict                refuse unknown fields, session ids that are no UUID
    --json                  print JSON instead of text

exit codes: 0 every file conforms, 1 one does not, 2 one could not be read
"""
_SID_HELP: Final = """
The shared-global SID of a guest pointer and an object type: 16 hex digits.

    pointer POINTER         the guest pointer, 32 bits: 0x828f0010 or decimal
    type TYPE               the object's type: Event, Semaphore, Mutant, …

exit codes: 0 it was printed, 2 there is no such pointer or type
"""

COMMANDS: Final[Mapping[str, tuple[Callable[[argparse.Namespace, Streams], ExitCode], str]]] = {
    "": (diff_command, _COMPARISON_HELP),
    "show": (show_command, _SHOW_HELP),
    "cut": (cut_command, _CUT_HELP),
    "calibrate": (calibrate_command, _CALIBRATE_HELP),
    "audit": (audit_command, _AUDIT_HELP),
    "parity": (parity_command, _PARITY_HELP),
    "diff": (parity_command, _DIFF_HELP),
    "corpus": (corpus_command, _CORPUS_HELP),
    "coverage": (coverage_command, _COVERAGE_HELP),
    "validate": (validate_command, _VALIDATE_HELP),
    "sid": (sid_command, _SID_HELP),
}
"""What the first argument may name, and its help; without a name it is the comparison of two logs."""


# ── the process ──


def _not_a_command(argv: Sequence[str]) -> UsageError:
    """What somebody may have meant who begins with neither an option nor the name of a command."""
    name, *rest = argv
    meant = nearest(name.lower(), filter(None, COMMANDS), 0.5)
    second = next((text for text in rest[:1] if not text.startswith("-")), None)
    if os.path.exists(name) or (second and not meant):
        logs = f"--canary {printable(name)} --ours {printable(second or 'LOG')}"
        return UsageError(f"name the logs: {logs} (see {PROGRAM} --help)")
    meant = meant or ", ".join(filter(None, COMMANDS))
    return UsageError(f"there is no command {printable(name)!r}: {meant}? (see {PROGRAM} --help)")


def _error_code(argv: Sequence[str]) -> ExitCode:
    return ExitCode.SKIP if "--bisect" in argv and argv[0] not in COMMANDS else ExitCode.ERROR


def run(argv: Sequence[str], streams: Streams) -> ExitCode:
    """Does what the arguments ask for; every failure that a user can mend becomes one line and exit code 2."""
    try:
        name = argv[0] if argv and argv[0] in COMMANDS else ""
        if not name and argv and not argv[0].startswith("-"):
            raise _not_a_command(argv)
        command, text = COMMANDS[name]
        try:
            with contextlib.redirect_stdout(streams.out):  # --help and --version
                words = argv[1:] if name else argv
                parser = command_parser(name, text)
                parser.refuse_unknown(words)
                options = parser.parse_args(words)
        except SystemExit:
            streams.write("")
            return ExitCode.OK
        for option, needed, why in _NEEDS:
            if getattr(options, option, False) and not getattr(options, needed):
                raise UsageError(f"--{option.replace('_', '-')} needs --{needed}: {why}")
        return command(options, streams)
    except KeyboardInterrupt as interrupt:
        return ExitCode.TERMINATED if isinstance(interrupt, Terminated) else ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _error_code(argv)  # whoever read the output has gone: there is nobody to tell
    except (DiffEventsError, OSError, MemoryError) as error:
        problem = "out of memory" if isinstance(error, MemoryError) else str(error)
        with contextlib.suppress(OSError):  # nobody reads it; the exit code says it
            streams.err.write(f"{PROGRAM}: error: {printable(problem)}\n")
        return _error_code(argv)


def _occupy_closed_streams() -> None:
    """Gives closed standard streams a stand-in: else the next file that is opened becomes, say, standard input.

    What is written to the one of standard output fails, as it should; standard error has nobody to tell.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _drop_unwritten_output() -> None:
    """Keeps the interpreter from failing, with an exit code of its own, on output that nobody reads."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def main() -> int:
    """The process: standard streams in, exit code out."""
    sys.excepthook = sys.__excepthook__
    on_end_signals(_terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _occupy_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        code = run(sys.argv[1:], Streams(sys.stdout, sys.stderr))
    except Exception as error:  # a bug: Python would exit with 1, which means a gate that does not hold
        with contextlib.suppress(OSError):
            sys.excepthook(type(error), error, error.__traceback__)
        code = _error_code(sys.argv)
    if code is not ExitCode.OK:
        _drop_unwritten_output()
    return code


if __name__ == "__main__":
    sys.exit(main())
