"""Streams of events with planted edits and known answers: frame loops, pollers, boots, and streams that part for good.

An event is one number: what is called, times `ARGUMENTS`, plus what with. So tests need no logs to align streams.
`python3 -m tests.streams` prints how well the edits are found, next to `git diff --minimal`.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from diff_events import Likeness, StreamAlignment

ARGUMENTS = 1 << 24


def event(call: int, argument: int = 0) -> int:
    """One event as a number."""
    return call * ARGUMENTS + argument


def call_of(number: int) -> int:
    """What is called, without the arguments: what a report knows an event's label by."""
    return number // ARGUMENTS


# -- what streams are like: each maker goes on for ever ----------------------------------------------------------

CALLS = 119
LOCKS = [event(0), event(1), event(2), event(3)]


def telling(rng: Random) -> Iterator[int]:
    """Calls with arguments that say much: hardly any event twice."""
    while True:
        yield event(rng.randrange(CALLS), rng.randrange(5000))


def loop_heavy(rng: Random) -> Iterator[int]:
    """Four calls are 90 % of all."""
    while True:
        if rng.random() < 0.9:
            yield rng.choices(LOCKS, (44, 44, 6, 6))[0]
        else:
            yield event(rng.randrange(4, CALLS), rng.randrange(2000))


def boot(rng: Random) -> Iterator[int]:
    """Files are opened, read to their end and closed, memory is allocated: what follows is mostly implied."""
    heap = 0x4000
    while True:
        part = rng.random()
        if part < 0.3:  # each file is read at the offsets that follow from the offsets before
            file, chunks = rng.randrange(300), rng.choice((1, 2, 4, 8, 16, 40))
            yield event(10, file)
            yield event(11)
            for chunk in range(chunks):
                yield event(12, file * 64 + chunk)
                yield event(13, 4096 if chunk < chunks - 1 else 100 + file)
            yield event(14, file)
            yield event(15)
        elif part < 0.5:
            heap += rng.randrange(1, 40) * 16
            yield event(16, heap % 30011)
            yield event(17, heap % 30011)
        elif part < 0.7:
            number = rng.randrange(400)
            yield event(20 + number % 60, number)
            yield event(80 + number % 20, rng.choice((0, 0, 0, 5)))
        else:
            yield from LOCKS[:2] * rng.randrange(1, 6)


def _frame(rng: Random, length: int) -> list[int]:
    """The calls of one turn of a frame loop: locks around calls whose arguments never change."""
    calls = [event(rng.randrange(4, 40), rng.randrange(6)) for _ in range(length)]
    return [rng.choice(LOCKS[:2]) if rng.random() < 0.4 else number for number in calls]


def frames(rng: Random, counter: bool) -> Iterator[int]:
    """A frame loop of some thirty calls; with a counter, one of them says which frame it is."""
    frame = _frame(rng, rng.randrange(26, 35))
    for number in itertools.count():
        yield from frame[:7]
        if counter:
            yield event(118, number)
        yield from frame[7:]


MAKERS: dict[str, Callable[[Random], Iterator[int]]] = {
    "telling": telling,
    "loop-heavy": loop_heavy,
    "boot": boot,
    "frames": lambda rng: frames(rng, counter=False),
    "frames, counted": lambda rng: frames(rng, counter=True),
}


# -- edits -------------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """`canary[c_start:c_end]` stands against `ours[o_start:o_end]`."""

    c_start: int
    c_end: int
    o_start: int
    o_end: int


@dataclass(slots=True)
class Case:
    """Two streams, and the edits that were planted between them, in order, each with its recipe."""

    canary: list[int] = field(default_factory=list)
    ours: list[int] = field(default_factory=list)
    edits: list[tuple[Place, str]] = field(default_factory=list)


def _new_argument(rng: Random, number: int) -> int:
    return event(call_of(number), ARGUMENTS // 2 + rng.randrange(ARGUMENTS // 2))


def _drawn(rng: Random, vocabulary: Sequence[int], count: int) -> list[int]:
    return [rng.choice(vocabulary) for _ in range(count)]


def _edit(
    rng: Random, recipe: str, ahead: Sequence[int], vocabulary: Sequence[int], most: int
) -> tuple[int, list[int]]:
    """How many of the events ahead an edit takes away, and what it puts there; at most so many events."""
    size = rng.choice([n for n in (1, 1, 1, 2, 3, 5, 10, 20) if n <= most])
    if recipe == "changed":
        return 1, [_new_argument(rng, ahead[0])]
    if recipe == "missing":
        return size, []
    if recipe == "extra":
        return 0, _drawn(rng, vocabulary, size)
    if recipe == "replaced":
        return size, [_new_argument(rng, number) for number in _drawn(rng, vocabulary, rng.randrange(1, size + 1))]
    cut = rng.randrange(1, 4)  # moved
    return 2 * cut, [*ahead[cut : 2 * cut], *ahead[:cut]]


def _most(kind: str, apart: int) -> int:
    """How long an edit may be. In a loop without a counter, most of a turn is the same as a little, backwards."""
    return 3 if apart < 60 else 10 if kind == "frames" else 20


RECIPES = ("changed", "missing", "extra", "replaced", "moved")
SENSIBLE = {
    "changed": {"changed"},
    "missing": {"missing_on_ours", "repeated"},
    "extra": {"extra_on_ours", "repeated"},
    "replaced": {"replaced", "changed", "reordered"},
    "moved": {"reordered", "replaced", "changed", "extra_on_ours", "missing_on_ours", "repeated"},
}


def planted(seed: int, kind: str, apart: int, count: int) -> Case:
    """A stream of a kind and the same with so many edits, about so many events apart, some up to 20 events long."""
    rng = Random(f"{seed} {kind} {apart}")
    base = list(itertools.islice(MAKERS[kind](rng), (count + 2) * (apart + 25) + 200))
    case, done, place = Case(), 0, 60 + rng.randrange(40)
    for _ in range(count):
        ahead = base[place : place + 30]
        recipe = rng.choice(RECIPES)
        taken, put = _edit(rng, recipe, ahead, base[:4000], _most(kind, apart))
        case.canary += base[done : place + taken]
        case.ours += base[done:place] + put
        edit = Place(len(case.canary) - taken, len(case.canary), len(case.ours) - len(put), len(case.ours))
        case.edits.append((edit, recipe))
        done = place + taken
        place = done + apart + rng.randrange(-(apart // 10), apart // 10 + 1)
    case.canary += base[done:]
    case.ours += base[done:]
    exact = ((_settled(case, edit), recipe) for edit, recipe in case.edits)
    case.edits = [(edit, recipe) for edit, recipe in exact if edit is not None]
    return case


def _settled(case: Case, edit: Place) -> Place | None:
    """The same edit where the streams first really differ, as short as can be; None if it changes nothing."""
    c, c_end, o, o_end = edit
    while c < len(case.canary) and o < len(case.ours) and case.canary[c] == case.ours[o]:
        if c == c_end and o == o_end:
            return None
        if c == c_end or o == o_end:  # it is on one side only, and slides along
            c_end, o_end = c_end + 1, o_end + 1
        c, o = c + 1, o + 1
    while c < c_end and o < o_end and case.canary[c_end - 1] == case.ours[o_end - 1]:
        c_end, o_end = c_end - 1, o_end - 1
    return Place(c, c_end, o, o_end)


def parted(seed: int, kind: str, before: int = 500, after: int = 5000) -> Case:
    """Two streams of a kind that are the same up to a place and then go their own ways for good."""
    rng = Random(f"{seed} {kind} parted")
    begin = list(itertools.islice(MAKERS[kind](rng), before))
    ends = [list(itertools.islice(MAKERS[kind](Random(f"{seed} {side}")), after + 137)) for side in "co"]
    cut = rng.randrange(100)
    return Case([*begin, *ends[0][cut : cut + after]], [*begin, *ends[1][: after - cut]])


# -- how well an alignment tells them ----------------------------------------------------------------------------

NEAR = 2
Found = tuple[Place, str]


@dataclass(frozen=True, slots=True)
class Score:
    """How many edits were planted, found (within two events, with a sensible class) and merged with another, and how
    many hunks were reported and planted."""

    planted: int = 0
    found: int = 0
    merged: int = 0
    reported: int = 0
    right: int = 0

    def __add__(self, other: Score) -> Score:
        mine = (self.planted, self.found, self.merged, self.reported, self.right)
        theirs = (other.planted, other.found, other.merged, other.reported, other.right)
        return Score(*map(sum, zip(mine, theirs, strict=True)))

    @property
    def recall(self) -> float:
        """The share of the edits that was found."""
        return self.found / self.planted

    @property
    def told(self) -> float:
        """The share that was found, or lies within a hunk that tells of two or more edits."""
        return (self.found + self.merged) / self.planted

    @property
    def precision(self) -> float:
        """The share of the hunks that was planted."""
        return self.right / self.reported if self.reported else 1.0


def _near(one: Place, other: Place) -> bool:
    return all(abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))


def _covers(hunk: Place, edit: Place) -> bool:
    return hunk.c_start - NEAR <= edit.c_start <= edit.c_end <= hunk.c_end + NEAR and (
        hunk.o_start - NEAR <= edit.o_start <= edit.o_end <= hunk.o_end + NEAR
    )


def _parts_of_move(edit: Place, found: Sequence[Found]) -> list[int]:
    """A move may be told as the block that is gone and then is there, or by fewer edits that do the same."""
    inside = [n for n, (hunk, _) in enumerate(found) if _covers(edit, hunk)]
    return inside if 2 <= len(inside) <= 4 else []


def score(case: Case, found: Sequence[Found], most_inside: int = 4) -> Score:
    """Hold what was found against what was planted, each hunk for one edit unless it covers a few."""
    right: set[int] = set()
    hits = merged = 0
    for edit, recipe in case.edits:
        near = [n for n, (hunk, change) in enumerate(found)
                if n not in right and _near(hunk, edit) and change in SENSIBLE[recipe]]  # fmt: skip
        parts = near[:1] or (_parts_of_move(edit, found) if recipe == "moved" else [])
        if parts:
            hits += 1
            right.update(parts)
    for n, (hunk, _) in enumerate(found):
        inside = [edit for edit, _ in case.edits if _covers(hunk, edit)]
        if n not in right and 2 <= len(inside) <= most_inside:
            merged += len(inside)
            right.add(n)
    return Score(len(case.edits), hits, merged, len(found), len(right))


# -- the tables: python3 -m tests.streams ------------------------------------------------------------------------

APART = (5, 20, 60, 300, 1000)


def aligned(case: Case) -> list[Found]:
    """The hunks that the program finds between two streams."""
    canary, ours = array("q", case.canary), array("q", case.ours)

    def compare(c: int, o: int) -> Likeness:
        return Likeness.SAME_CALL if call_of(canary[c]) == call_of(ours[o]) else Likeness.OTHER

    return [(Place(*hunk[:4]), hunk.change.value) for hunk in StreamAlignment(canary, ours, compare).hunks(0, 0)]


def by_git(case: Case) -> list[Found]:
    """The hunks that `git diff --minimal` finds, slid to where the streams first differ, as plain classes."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, side) for side in ("canary", "ours")]
        for path, events in zip(paths, (case.canary, case.ours), strict=True):
            path.write_text("".join(f"{number}\n" for number in events), encoding="ascii")
        command = ["git", "diff", "--no-index", "--minimal", "-U0", *map(str, paths)]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = []
    for head in re.findall(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", text, re.MULTILINE):
        bounds = [(int(line) - (size != "0"), int(size or 1)) for line, size in (head[:2], head[2:])]
        (c, c_size), (o, o_size) = bounds
        place = _settled(case, Place(c, c + c_size, o, o + o_size))
        if place:
            found.append((place, _plain_class(case, place)))
    return found


def _plain_class(case: Case, place: Place) -> str:
    theirs, mine = case.canary[place.c_start : place.c_end], case.ours[place.o_start : place.o_end]
    if theirs and mine:
        return "changed" if list(map(call_of, theirs)) == list(map(call_of, mine)) else "replaced"
    return "missing_on_ours" if theirs else "extra_on_ours"


def total(find: Callable[[Case], list[Found]], kind: str, apart: int, seeds: Iterable[int], count: int) -> Score:
    """How well the edits of some streams of a kind are found."""
    cases = (planted(seed, kind, apart, count) for seed in seeds)
    return sum((score(case, find(case)) for case in cases), Score())


def claims(find: Callable[[Case], list[Found]], kind: str, seeds: Iterable[int], after: int = 5000) -> int:
    """In how many pairs of streams that part for good something else is said."""
    return sum(any(change != "unrecovered" for _, change in find(parted(seed, kind, after=after))) for seed in seeds)


def main() -> None:
    """Print, for each kind of stream, found, found or merged, and precision in percent; and claims of a rejoin."""
    print("found / or merged / precision, edits so many events apart:", *APART, "| parted streams said to rejoin")
    for name, find in (("diff_events", aligned), ("git --minimal", by_git)):
        for kind in MAKERS:
            scores = [total(find, kind, apart, range(5), 60) for apart in APART]
            cells = (f"{s.recall:4.0%} {s.told:4.0%} {s.precision:4.0%}" for s in scores)
            print(f"{name:14}{kind:16}", " | ".join(cells), "|", f"{claims(find, kind, range(20))} of 20", flush=True)


if __name__ == "__main__":
    main()
