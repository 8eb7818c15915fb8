"""Small logs written event by event, in the order of their lines, and their comparison."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import diff_events

Line = tuple[int, str, dict[str, Any]]
"""Tid, kind and payload of an event."""


def log_text(lines: Iterable[Line]) -> bytes:
    """A whole log: each thread's events get their indexes in the order of the lines."""
    next_idx: Counter[int] = Counter()
    texts = ['{"schema_version":1,"kind":"header"}']
    for tid, kind, payload in lines:
        event = {"kind": kind, "tid": tid, "tid_event_idx": next_idx[tid], "payload": payload}
        texts.append(json.dumps(event, separators=(",", ":")))
        next_idx[tid] += 1
    return ("\n".join(texts) + "\n").encode()


def compare(canary: bytes, ours: bytes, **options: Any) -> diff_events.Report:
    """The report of two logs."""
    with tempfile.TemporaryDirectory() as directory:
        paths = Path(directory, "canary.jsonl"), Path(directory, "ours.jsonl")
        for path, text in zip(paths, (canary, ours), strict=True):
            path.write_bytes(text)
        return diff_events.diff_logs(str(paths[0]), str(paths[1]), diff_events.DiffOptions(**options))


def compare_lines(canary: Sequence[Line], ours: Sequence[Line], **options: Any) -> diff_events.Report:
    """The same of logs that are not written yet; equal tids are pairs."""
    tids = {tid for tid, _, _ in canary} & {tid for tid, _, _ in ours}
    settings = {"tid_map": {tid: tid for tid in sorted(tids)}} | options
    return compare(log_text(canary), log_text(ours), **settings)


def called(tid: int, name: str, result: Any = 0, **arguments: Any) -> list[Line]:
    """A call and its return."""
    returned = {"name": name, "return_value": result}
    return [(tid, "kernel.call", {"name": name, **arguments}), (tid, "kernel.return", returned)]


def waited(tid: int, *sids: str, status: int = 0, woken_by: str | None = None, wait_type: str = "any") -> list[Line]:
    """A wait, from the call to its return."""
    begin = {"handles_semantic_ids": list(sids), "wait_type": wait_type, "alertable": False, "timeout_ns": None}
    end = {"status": status, "wait_duration_cycles": 9, "woken_by_semantic_id": woken_by}
    call, returned = called(tid, "NtWaitForSingleObjectEx", status)
    return [call, (tid, "wait.begin", begin), (tid, "wait.end", end), returned]


def made(tid: int, sid: str, raw: str = "0xF8000004", object_type: str = "Event", name: str | None = None) -> Line:
    """The creation of a handle."""
    thing = {"raw_handle_id": raw, "handle_semantic_id": sid, "object_type": object_type, "object_name": name}
    return tid, "handle.create", thing


def closed(tid: int, sid: str, raw: str = "0xF8000004", object_type: str = "Event") -> Line:
    """The end of a handle."""
    thing = {"raw_handle_id": raw, "handle_semantic_id": sid, "object_type": object_type, "object_name": None}
    return tid, "handle.destroy", thing


def spawned(tid: int, child: int, entry: str = "0x82400000") -> Line:
    """The creation of a thread."""
    rest = {"start_context": None, "stack_size": 65536, "creation_flags": 0}
    return tid, "thread.create", {"child_tid": child, "entry_point": entry, **rest}
