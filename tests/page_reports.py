"""Logs that a test writes by hand, and reports of them."""

from __future__ import annotations

import functools
import itertools
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diff_events

HOSTILE = (
    "<script>owned = 1</script>",
    "</style><style>*{display:none}",
    "</script><img src=x onerror=owned=1>",
    "\" onfocus=owned=1 autofocus x='",
    "]]> <![CDATA[ --> <!-- &lt;&amp;&#60;",
    "a\u202eright\u2066to\u200fleft",
    "\x00\x01\x1b[31m\x7f\x9b\u2028\u2029\ufffe\uffff\ud800",
    "[x](javascript:owned=1) https://example.org/ **bold** `code` |",
)
"""Texts that want to be more than text."""

Call = tuple[str, Mapping[str, Any]]


def log(threads: Mapping[int, Iterable[Call]], engine: str = "canary") -> bytes:
    """A log of some threads' kernel calls, one thread after the other."""
    lines = [{"schema_version": 1, "engine": engine}]
    for tid, calls in threads.items():
        for idx, (name, arguments) in enumerate(calls):
            payload = {"name": name, **arguments}
            lines.append({"kind": "kernel.call", "tid": tid, "tid_event_idx": idx, "payload": payload})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def steps(count: int) -> list[Call]:
    """So many calls, no two alike."""
    return [("KeStep", {"n": n}) for n in range(count)]


def hostile_calls(ending: str = "") -> list[Call]:
    """Calls in whose names, fields and values every hostile text stands, far enough apart."""
    calls: list[Call] = []
    for number, text in enumerate(HOSTILE):
        calls += [(text, {text: text + ending, "nested": {text: [text]}})]
        calls += [("KeBetween", {"number": number, "n": n}) for n in range(20)]
    return calls


def report_of(canary: bytes, ours: bytes, **options: Any) -> diff_events.Report:
    """What the tool finds in two logs."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, name) for name in ("canary.jsonl", "ours.jsonl")]
        for path, text in zip(paths, (canary, ours), strict=True):
            path.write_bytes(text)
        return diff_events.diff_logs(str(paths[0]), str(paths[1]), diff_events.DiffOptions(**options))


@functools.cache
def hostile_report() -> diff_events.Report:
    """A report in which every text of the logs is hostile: names, fields, unmapped threads, file names."""
    canary = {1: [*steps(20), *hostile_calls()], 2: steps(3), 7: hostile_calls()}
    ours = {1: [*steps(20), *hostile_calls("!")], 2: steps(3)}
    report = report_of(log(canary), log(ours, "ours"), max_divergences=0, tid_map={1: 1, 2: 2}, auto_map=False)
    logs = diff_events.Both(replace(report.logs.canary, name=HOSTILE[0]), replace(report.logs.ours, name=HOSTILE[6]))
    return replace(report, logs=logs)


@functools.cache
def scattered_report(threads: int, divergences: int, every: int = 40, **options: Any) -> diff_events.Report:
    """So many pairs, each with so many changed events, one in so many; the others match."""
    canary, ours = {}, {}
    for tid in range(threads):
        calls: list[Call] = [("KeStep", {"tid": tid, "n": n}) for n in range(every * (divergences + 1))]
        canary[tid], ours[tid] = calls, calls.copy()
        for place in range(every // 2, every * divergences, every):
            ours[tid][place] = ("KeStep", {"tid": tid, "n": -1})
    return report_of(log(canary), log(ours, "ours"), **{"max_divergences": 0, **options})


@functools.cache
def many_pairs(count: int) -> diff_events.Report:
    """So many pairs, each with one changed event."""
    report = scattered_report(1, 1)
    (thread,) = report.threads
    pairs = (replace(thread.pair, canary_tid=tid, ours_tid=tid) for tid in range(count))
    return replace(report, threads=tuple(replace(thread, pair=pair) for pair in pairs))


@functools.cache
def endless_report(threads: int = 500, divergences: int = 40) -> diff_events.Report:
    """What no log of a test's size gives: many threads of a million events each, nothing but trouble in them."""
    of_few = hostile_report()
    thread = next(thread for thread in of_few.threads if thread.divergences)
    kinds = diff_events.StepKind
    walk = [(kinds.MATCHED, 4000, 4000)]
    for _ in range(divergences):
        walk += [(kinds.DIFFERED, 2000, 1500), (kinds.FLOATED, 3, 2)]
        walk += [(kinds.MATCHED, 400, 400), (kinds.FLOATED, 0, 1)] * 6
    walk.append((kinds.REST, 4000, 4000))
    places = diff_events.Both(*(list(itertools.accumulate((step[n] for step in walk), initial=0)) for n in (1, 2)))
    ranges = zip(*(itertools.starmap(range, itertools.pairwise(of_side)) for of_side in places), strict=True)
    many = replace(
        thread,
        steps=tuple(
            diff_events.Step(step[0], diff_events.Both(*of_step)) for step, of_step in zip(walk, ranges, strict=True)
        ),
        events=diff_events.Both(1_000_000, 1_000_000),
        divergences=thread.divergences[:1] * divergences,
        divergences_found=2000,
    )
    unmapped = tuple(diff_events.UnmappedThread(tid, 1000, HOSTILE[:3]) for tid in range(3000))
    return replace(of_few, threads=(many,) * threads, unmapped=diff_events.Both(unmapped, unmapped))


@functools.cache
def page_of(make: Callable[..., diff_events.Report], *arguments: int) -> str:
    """The page of a report, made once for all tests."""
    return diff_events.render_html(make(*arguments))
