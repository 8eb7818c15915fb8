"""A slow, obvious reading of the event-log facts, to be held against the real program.

Everything is loaded with `json` and compared with plain loops. Nothing here is clever, nothing is shared with
the program under test, and each function quotes the sentence that it is a reading of, so that the two can be
checked against the facts side by side. Where the facts leave a choice, the docstring says which one was taken.

>>> compare("canary.jsonl", "ours.jsonl", [(6, 1)])  # doctest: +SKIP
{'verdict': 'identical', 'threads': [...], 'unmapped': {...}, 'shared_globals': {...}}
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import lzma
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

SKIPPED: dict[str, tuple[str, ...]] = {
    "handle.create": ("raw_handle_id", "handle_semantic_id"),
    "handle.destroy": ("raw_handle_id", "handle_semantic_id"),
    "wait.begin": ("handles_semantic_ids",),
    "wait.end": ("wait_duration_cycles", "woken_by_semantic_id"),
    "thread.create": ("child_tid",),
}
"""The rule once more, for all tests: a change of `diff_events.SKIPPED_FIELDS` alone is a finding."""
ABSENT: Any = object()
"""Stands for the field that one side lacks: absent and null are different."""


class Refused(Exception):
    """A log that the facts refuse, with the 1-based number of the line to blame (0: the file as a whole)."""

    def __init__(self, lineno: int, reason: str) -> None:
        super().__init__(f"line {lineno}: {reason}")
        self.lineno = lineno
        self.reason = reason


class BadPins(ValueError):
    """A pin that names a tid which its log does not have, or a tid twice."""


@dataclass(slots=True)
class Event:
    """One event of a thread's stream, with the line it came from."""

    lineno: int
    kind: str
    tid: int
    idx: int
    payload: dict[str, Any]


@dataclass(slots=True)
class Log:
    """One log: its streams in index order, keyed by tid in the order in which the threads first appear."""

    streams: dict[int, list[Event]] = field(default_factory=dict)
    torn_lineno: int | None = None

    def holes(self) -> list[int]:
        """The tids whose indexes do not run 0, 1, 2, … : "a hole is legal, warned of once per tid"."""
        return [tid for tid, stream in self.streams.items() if stream[-1].idx != len(stream) - 1]


# ------------------------------------------------------------------------------------------------ JSON values


def finite_float(text: str) -> float:
    """A number with a fraction or exponent: its double, where there is one."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text} is past what a double holds")
    return value


def refuse_constant(text: str) -> NoReturn:
    """`NaN`, `Infinity` and `-Infinity` are Python's, not JSON's."""
    raise ValueError(f"{text} is not JSON")


def parse_json(text: str) -> Any:
    """The value of a JSON text, or ValueError. Of two equal keys in one object the last one counts."""
    try:
        return json.loads(text, parse_float=finite_float, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("nested deeper than the reader bears") from None


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that a text is, or ValueError."""
    value = parse_json(text)
    if isinstance(value, dict):
        return value
    raise ValueError("not a JSON object")


def is_int(value: Any) -> bool:
    """A JSON integer; Python's bool is an int, JSON's is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A JSON number of any form."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def scalars_equal(left: Any, right: Any) -> bool:
    """Numbers by value (`1` equals `1.0`, exactly), `true` is never `1`, strings and null exactly."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


# ---------------------------------------------------------------------------------------------------- reading


def read_bytes(path: str | Path) -> bytes:
    """The log's bytes: "files may be .gz, .bz2, .xz, told by their first bytes, not their name"."""
    data = Path(path).read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"BZh"):
        return bz2.decompress(data)
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress(data)
    return data


def read_objects(data: bytes, log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and object. A last line without a newline that is no whole JSON object is torn."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for lineno, line in enumerate(lines, 1):
        if not line.strip():
            continue
        is_last_without_newline = lineno == len(lines)
        try:
            value = parse_object(line.decode("utf-8"))
        except ValueError as error:
            if not is_last_without_newline:
                raise Refused(lineno, str(error)) from None
            log.torn_lineno = lineno
            return
        yield lineno, value


def check_version(lineno: int, value: dict[str, Any]) -> None:
    """The integer 1; not `true`, `"1"` or `1.0`."""
    version = value["schema_version"]
    if not is_int(version) or version != 1:
        raise Refused(lineno, f"schema_version is {version!r}, not 1")


def parse_event(lineno: int, value: dict[str, Any]) -> Event:
    """`kind`, `tid`, `tid_event_idx` and `payload` are required, and of their types; the rest is not looked at."""
    if not isinstance(value.get("kind"), str):
        raise Refused(lineno, "kind is not a string")
    for name in ("tid", "tid_event_idx"):
        if not is_int(value.get(name)) or value[name] < 0:
            raise Refused(lineno, f"{name} is not an int >= 0")
    if not isinstance(value.get("payload"), dict):
        raise Refused(lineno, "payload is not an object")
    return Event(lineno, value["kind"], value["tid"], value["tid_event_idx"], value["payload"])


def read_log(path: str | Path) -> Log:
    """Read one log whole, or raise Refused. Payloads are all parsed, also those that no walk would reach."""
    log = Log()
    header_seen = False
    for lineno, value in read_objects(read_bytes(path), log):
        if not header_seen and "schema_version" not in value:
            raise Refused(lineno, "the first event is not a header")
        if "schema_version" in value:
            check_version(lineno, value)
        if header_seen:
            event = parse_event(lineno, value)
            log.streams.setdefault(event.tid, []).append(event)
        header_seen = True
    if not header_seen:
        raise Refused(0, "no header")
    for stream in log.streams.values():
        stream.sort(key=lambda event: event.idx)  # stable: of two equal indexes the earlier line stays first
        for earlier, later in itertools.pairwise(stream):
            if earlier.idx == later.idx:
                raise Refused(
                    later.lineno, f"index {later.idx} of tid {later.tid} again, as in {earlier.lineno}"
                )
    return log


# ------------------------------------------------------------------------------------- shared-global handles


def fnv1a64(data: bytes) -> int:
    """FNV-1a, 64 bits: offset basis cbf29ce484222325, prime 00000100000001b3."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x00000100000001B3 % 2**64
    return value


def pointer_of(raw: Any) -> int | None:
    """`raw_handle_id`: an int, or a string in hex with `0x`, of 32 bits. (Leading zeros are taken for harmless.)"""
    if isinstance(raw, str) and re.fullmatch("0[xX][0-9a-fA-F]+", raw):
        raw = int(raw, 16)
    return raw if is_int(raw) and 0 <= raw < 2**32 else None


def semantic_id_of(value: Any) -> int | None:
    """`handle_semantic_id`: a hex string with or without `0x`, either case, or an int."""
    if isinstance(value, str) and re.fullmatch("(0[xX])?[0-9a-fA-F]+", value):
        return int(value, 16)
    return value if is_int(value) else None


def shared_global_sid(event: Event) -> int | None:
    """The SID of a `handle.create` whose own fields recompute to it; None for every other event."""
    if event.kind != "handle.create":
        return None
    pointer = pointer_of(event.payload.get("raw_handle_id"))
    object_type = event.payload.get("object_type")
    if pointer is None or not isinstance(object_type, str):
        return None
    try:
        type_bytes = object_type.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form
        return None
    sid = fnv1a64(b"shared-global\0" + type_bytes + b"\0" + pointer.to_bytes(4, "big"))
    return sid if semantic_id_of(event.payload.get("handle_semantic_id")) == sid else None


def shared_globals(log: Log) -> set[str]:
    """The shared-global SIDs of a log, on whatever thread, as 16 lower-case hex digits."""
    sids = (shared_global_sid(event) for stream in log.streams.values() for event in stream)
    return {f"{sid:016x}" for sid in sids if sid is not None}


# ---------------------------------------------------------------------------------------------------- equality


def compared_payload(event: Event) -> dict[str, Any]:
    """The payload without its skipped fields: by name, at the top level, for that kind alone."""
    skipped = SKIPPED.get(event.kind, ())
    return {key: value for key, value in event.payload.items() if key not in skipped}


def path_of_key(path: str, key: str) -> str:
    """`payload.status`; a key that is no identifier (in Python's sense) is quoted: `payload["a b"]`."""
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def field_entry(path: str, canary: Any, ours: Any) -> dict[str, Any]:
    """One entry of `fields`: a side that lacks the field lacks the key."""
    sides = {"canary": canary, "ours": ours}
    return {"path": path} | {side: value for side, value in sides.items() if value is not ABSENT}


def differences(path: str, canary: Any, ours: Any) -> list[dict[str, Any]]:
    """Every differing leaf at or below a path: canary's key order first, then the keys that only ours has."""
    found: list[dict[str, Any]] = []
    if isinstance(canary, dict) and isinstance(ours, dict):
        for key in [*canary, *(key for key in ours if key not in canary)]:
            found += differences(path_of_key(path, key), canary.get(key, ABSENT), ours.get(key, ABSENT))
    elif isinstance(canary, list) and isinstance(ours, list):
        for index in range(max(len(canary), len(ours))):
            left = canary[index] if index < len(canary) else ABSENT
            right = ours[index] if index < len(ours) else ABSENT
            found += differences(f"{path}[{index}]", left, right)
    elif not scalars_equal(canary, ours):
        found.append(field_entry(path, canary, ours))
    return found


def payload_differences(c: Event, o: Event) -> list[dict[str, Any]]:
    """The differing fields of two events of one kind, under the rules."""
    return differences("payload", compared_payload(c), compared_payload(o))


def equal(c: Event, o: Event) -> bool:
    """Same kind and equal payloads; a shared-global create equals only a shared-global one of the same SID."""
    return c.kind == o.kind and shared_global_sid(c) == shared_global_sid(o) and not payload_differences(c, o)


# -------------------------------------------------------------------------------------------------------- walk


def divergence(c: Event, o: Event, adjusted_equal: bool) -> dict[str, Any]:
    """Rule 6: `missing` where the adjusted indexes differ, else `kind` where the kinds do, else `payload`."""
    if not adjusted_equal:
        name, fields = "missing", list[dict[str, Any]]()
    elif c.kind != o.kind:
        name, fields = "kind", [field_entry("kind", c.kind, o.kind)]
    else:
        name, fields = "payload", payload_differences(c, o)
    return {"class": name, "canary_idx": c.idx, "ours_idx": o.idx, "fields": fields}


@dataclass(slots=True)
class Outcome:
    """How the walk of one pair ended."""

    status: str
    matched: int
    fc: int
    fo: int
    divergence: dict[str, Any] | None = None


def walk(canary: Sequence[Event], ours: Sequence[Event]) -> Outcome:
    """The six rules of "Walking a mapped pair", in their order."""
    i = j = fc = fo = matched = 0
    while True:
        c = canary[i] if i < len(canary) else None
        o = ours[j] if j < len(ours) else None
        adjusted_equal = c is not None and o is not None and c.idx - fc == o.idx - fo
        if c is not None and o is not None and adjusted_equal and equal(c, o):  # rule 1
            i, j, matched = i + 1, j + 1, matched + 1
        elif c is not None and shared_global_sid(c) is not None:  # rule 2
            i, fc = i + 1, fc + 1
        elif o is not None and shared_global_sid(o) is not None:  # rule 3
            j, fo = j + 1, fo + 1
        elif c is None and o is None:  # rule 4
            return Outcome("identical", matched, fc, fo)
        elif c is None or o is None:  # rule 5
            return Outcome("canary_ended" if c is None else "ours_ended", matched, fc, fo)
        else:  # rule 6
            return Outcome("diverged", matched, fc, fo, divergence(c, o, adjusted_equal))


def thread_report(pair: tuple[int, int], canary: Sequence[Event], ours: Sequence[Event]) -> dict[str, Any]:
    """One entry of `threads`."""
    outcome = walk(canary, ours)
    return {
        "canary_tid": pair[0],
        "ours_tid": pair[1],
        "status": outcome.status,
        "canary_events": len(canary),
        "ours_events": len(ours),
        "matched": outcome.matched,
        "floating_skipped": {"canary": outcome.fc, "ours": outcome.fo},
        "divergence": outcome.divergence,
    }


# ----------------------------------------------------------------------------------------------------- pairing


def first_call_name(stream: Sequence[Event]) -> str | None:
    """The name in the first `kernel.call` of the stream; None where there is no such call or no such name."""
    for event in stream:
        if event.kind == "kernel.call":
            name = event.payload.get("name")
            return name if isinstance(name, str) else None
    return None


def automatic_pairs(canary: Log, ours: Log) -> list[tuple[int, int]]:
    """Same name in the first `kernel.call` of the stream, in the order in which the threads first appear.

    Threads without such a name form a class of their own. The pairs come in canary's order of appearance.
    """
    waiting: dict[str | None, list[int]] = {}
    for tid, stream in ours.streams.items():
        waiting.setdefault(first_call_name(stream), []).append(tid)
    pairs = []
    for tid, stream in canary.streams.items():
        candidates = waiting.get(first_call_name(stream))
        if candidates:
            pairs.append((tid, candidates.pop(0)))
    return pairs


def check_pins(pairs: Sequence[tuple[int, int]], canary: Log, ours: Log) -> None:
    """A pin that names a tid its log does not have, or a tid twice, is an error."""
    for side, log in enumerate((canary, ours)):
        tids = [pair[side] for pair in pairs]
        if len(set(tids)) != len(tids) or not set(tids) <= set(log.streams):
            raise BadPins(f"tids {tids} against {sorted(log.streams)}")


# ---------------------------------------------------------------------------------------------------- the answer


def compare(
    canary_path: str | Path, ours_path: str | Path, pairs: Sequence[tuple[int, int]] | None
) -> dict[str, Any]:
    """The pinned fields of the JSON report for these pairs, or for the simplest automatic ones (None).

    The pairs are the whole map: tids that they leave out are unmapped, in rising order. A comparison of nothing
    (a log without events, or no pair at all) is not a pass, so its verdict is `divergent`.
    """
    canary, ours = read_log(canary_path), read_log(ours_path)
    chosen = automatic_pairs(canary, ours) if pairs is None else list(pairs)
    check_pins(chosen, canary, ours)
    threads = [thread_report(pair, canary.streams[pair[0]], ours.streams[pair[1]]) for pair in chosen]
    unmapped = {
        "canary": sorted(set(canary.streams) - {pair[0] for pair in chosen}),
        "ours": sorted(set(ours.streams) - {pair[1] for pair in chosen}),
    }
    canary_sids, ours_sids = shared_globals(canary), shared_globals(ours)
    one_sided = {"canary_only": sorted(canary_sids - ours_sids), "ours_only": sorted(ours_sids - canary_sids)}
    all_identical = bool(threads) and all(thread["status"] == "identical" for thread in threads)
    found_nothing = not any(unmapped.values()) and not any(one_sided.values())
    return {
        "verdict": "identical" if all_identical and found_nothing else "divergent",
        "threads": threads,
        "unmapped": unmapped,
        "shared_globals": one_sided,
    }
