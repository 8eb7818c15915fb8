"""What alignment, walk and pairing make of some small streams, as files that a person can read.

Where they weigh evidence, no rule says what must come out. Most of these cases were chosen because a mistake in one
line changed their answer; none is there because its answer is the only good one. Where an answer changes, look whether
the new one is as good, and write the files anew:

    python3 -m tests.golden_cases

A stream of events is written as letters, each with an argument: `a` is `a0`, and `A` is `a1`. The events b, d, f and h
belong to the call before them; x is the same by the exact rules whatever its argument. `(ab3)60` is sixty turns of a
loop, and `{5-300}` are events that are there once each. A hunk is given as places of canary, places of ours, what
happened, and how many events match in it. In a log, `_3` is an event of which three indexes are left out, and `+1` the
create of shared-global object 1. A walk is given as how it ended, what matches before the first divergence, floated
before it and remains; then the score; then each divergence, its first indexes, its events, and what matches after it.

A thread is `tid|events|first call|creator.ordinal|entry point|start context`, where `1,5-8` are the events 1, 5, 6, 7.
A pair is given with its evidence, the confidence, and the tid that would have been nearly as good.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path

from diff_events import Likeness, StreamAlignment, ThreadEvidence, pair_threads, shared_global_sid
from tests.small_logs import compare

GOLDEN = Path(__file__).parent / "golden"
ALIGNMENTS, PAIRS, WALKS = GOLDEN / "alignments.txt", GOLDEN / "pairs.txt", GOLDEN / "walks.txt"

PIECE = re.compile(r"\((?P<loop>\w+)\)(?P<turns>\d+)|\{(?P<first>\d+)-(?P<end>\d+)\}|(?P<event>[A-Za-z_+]\d*)")
ONCE, LEFT_OUT, SHARED = "once", "_", "+"

Event = tuple[str, int]


def events(text: str) -> list[Event]:
    """The events of a stream: call and argument."""
    found: list[Event] = []
    for piece in PIECE.finditer(text):
        if piece["loop"]:
            found += events(piece["loop"]) * int(piece["turns"])
        elif piece["end"]:
            found += [(ONCE, number) for number in range(int(piece["first"]), int(piece["end"]))]
        else:
            letter = piece["event"][0]
            found.append((letter.lower(), int(piece["event"][1:] or letter.isupper())))
    return found


def alignment_of(canary_text: str, ours_text: str) -> str:
    """The hunks of two streams."""
    canary, ours = events(canary_text), events(ours_text)
    numbers = {event: number for number, event in enumerate(sorted({*canary, *ours}))}

    def compare(c: int, o: int) -> Likeness:
        if canary[c] == ours[o] or canary[c][0] == ours[o][0] == "x":
            return Likeness.EQUAL
        return Likeness.SAME_CALL if canary[c][0] == ours[o][0] != ONCE else Likeness.OTHER

    sides = [array("q", map(numbers.__getitem__, side)) for side in (canary, ours)]
    hunks = StreamAlignment(sides[0], sides[1], compare, lambda c: canary[c][0] in "bdfh").hunks(0, 0)
    return "; ".join(
        f"{hunk.c_start}-{hunk.c_end} {hunk.o_start}-{hunk.o_end} {hunk.change.value}"
        + (f", {hunk.common} match" if hunk.common else "")
        for hunk in hunks
    )


def log(text: str) -> bytes:
    """A log of one thread with these events."""
    lines, idx = [b'{"schema_version":1,"kind":"header"}'], 0
    for name, argument in events(text):
        if name == LEFT_OUT:
            idx += argument
            continue
        kind, payload = "kernel.return" if name in "bdfh" else "kernel.call", f'{{"name":"{name}","n":{argument}}}'
        if name == "x":
            payload = f'{{"n":{["7", "7.0"][argument % 2]},"name":"x"}}'
        elif name == SHARED:
            sid = shared_global_sid(argument, "Event")
            kind = "handle.create"
            payload = json.dumps({"raw_handle_id": argument, "handle_semantic_id": sid, "object_type": "Event"})
        lines.append(f'{{"kind":"{kind}","tid":1,"tid_event_idx":{idx},"payload":{payload}}}'.encode())
        idx += 1
    return b"\n".join((*lines, b""))


def walk_of(canary: str, ours: str) -> str:
    """The walk over two logs of one thread."""
    [thread] = compare(log(canary), log(ours)).threads
    parity, floated, remaining = thread.parity, thread.floated, thread.remaining
    told = [
        f"{thread.status.value} {thread.matched} match, {floated.canary}/{floated.ours} float,"
        f" {remaining.canary}/{remaining.ours} remain, score {parity.matched}/{parity.comparable}"
    ]
    for one in thread.divergences:
        indexes = "/".join(str(event.idx) for event in one.events)
        counts = f"{one.counts.canary}/{one.counts.ours}"
        told.append(f"{one.mismatch.value} {one.change.value} #{indexes} {counts}, {one.matched_after} match")
    return "; ".join(told)


def threads(text: str) -> Iterator[ThreadEvidence]:
    """The threads of a log."""
    for thread in text.split():
        tid, ranges, call, creator, entry_point, context = [*thread.split("|"), *[""] * 5][:6]
        numbers = array("q")
        for part in filter(None, ranges.split(",")):
            first, _, end = part.partition("-")
            numbers.extend(range(int(first), int(end or int(first) + 1)))
        parent, _, ordinal = creator.partition(".")
        made_by = (int(parent), int(ordinal)) if creator else None
        yield ThreadEvidence(int(tid), numbers, call or None, made_by, entry_point or None, context or None)


def pairs_of(canary: str, ours: str, pins: str = "") -> str:
    """The pairs of the threads of two logs."""
    pinned = {int(c): int(o) for c, o in (pin.split("=") for pin in pins.split())}
    return "; ".join(
        f"{pair.canary_tid}={pair.ours_tid} {pair.method.value} {pair.confidence:.3f}"
        + ("" if pair.alternative is None else f" or {pair.alternative}")
        for pair in pair_threads([*threads(canary)], [*threads(ours)], pinned)
    )


def cases(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The cases of a file: what is given, by name, and what came of it."""
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        rows = dict(line.split(maxsplit=1) for line in block.split("\n"))
        yield rows, rows.pop("found")


def found_in(path: Path, given: dict[str, str]) -> str:
    """What comes of a case now."""
    return {ALIGNMENTS: alignment_of, WALKS: walk_of, PAIRS: pairs_of}[path](*given.values())


def main() -> None:
    """Writes the files anew."""
    for path in (ALIGNMENTS, WALKS, PAIRS):
        blocks = (given | {"found": found_in(path, given)} for given, _ in cases(path))
        texts = ["\n".join(f"{name:6} {value}" for name, value in block.items()) for block in blocks]
        path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
