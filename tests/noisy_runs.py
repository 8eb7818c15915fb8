"""Runs of one small program that differ by noise, and one in which a file has another content.

The main thread asks for a random seed and the clock, creates an event and two workers, polls until they are done; the
workers take files from a queue. What differs from run to run: the seed, the clock, handles and thread ids, how often
the main thread polls, whether an event was set already, which worker does which file.
"""

import random
from collections.abc import Iterator
from typing import Any

FILES = 12
WORKER = "0x82005000"


class Recorder:
    """One run on its way into a log."""

    def __init__(self, run: int) -> None:
        self.chance = random.Random(run)
        self.events: list[dict[str, Any]] = []
        self._counts: dict[int, int] = {}

    def event(self, tid: int, kind: str, **payload: Any) -> None:
        idx = self._counts.get(tid, 0)
        self._counts[tid] = idx + 1
        self.events.append({"kind": kind, "tid": tid, "tid_event_idx": idx, "payload": payload})

    def call(self, tid: int, name: str, *args: Any, result: Any = 0) -> None:
        self.event(tid, "kernel.call", name=name, args=list(args))
        self.event(tid, "kernel.return", name=name, return_value=result)


def work(log: Recorder, tid: int, n: int, handle: int, *, changed: bool) -> None:
    """A worker's steps for one file."""
    content = "other" if changed and n == 7 else f"line {n}"
    log.call(tid, "NtOpenFile", f"game:\\data\\{n}.bin", result=handle)
    log.call(tid, "NtReadFile", handle, content, result=len(content))
    log.call(tid, "KeSetEvent", "0x828f0010", result=log.chance.choice([0, 1]))
    log.call(tid, "NtClose", handle)


def recorded(run: int, *, changed: bool = False, files: int = FILES) -> list[dict[str, Any]]:
    """The events of one run, in which so many files are read."""
    log = Recorder(run)
    main, first = 6 + run, 20 + 3 * run
    handles = [0xF8000000 + 4 * log.chance.randrange(3) for _ in range(files)]
    log.call(main, "XeCryptRandom", log.chance.randrange(1 << 30))
    log.call(main, "NtOpenFile", "game:\\default.xex", result=0xF8000000)
    for tid in (first, first + 1):
        log.event(main, "thread.create", child_tid=tid, entry_point=WORKER, start_context="0x0")
        log.call(main, "ExCreateThread", WORKER, result=tid)
    for tid in (first, first + 1):
        log.call(tid, "KeWaitForSingleObject", "0x82a4c000")
    for n, handle in enumerate(handles):
        work(log, log.chance.choice((first, first + 1)), n, handle, changed=changed)
        if log.chance.random() < 0.4:
            log.call(main, "KeDelayExecutionThread", -10000)
    log.call(main, "KeQueryPerformanceCounter", result=1_000_000 + log.chance.randrange(5000))
    for name in ("VdSwap", "VdGetSystemCommandBuffer", "XamInputGetState"):
        log.call(main, name, 0)
    return log.events


def runs() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The fixtures by name: four runs, and one that is changed."""
    for run in range(1, 5):
        yield f"run{run}", recorded(run)
    yield "changed", recorded(5, changed=True)
