"""A seeded generator of two sides' evidence with a known answer."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass

from diff_events import ThreadEvidence

Recipe = tuple[int | None, str | None, str | None, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the two logs are like; `own` is the share of events that only this thread has."""

    threads: int = 30
    pool: int = 12
    same_start: int = 20
    diverging: float = 1 / 3
    diverge_after: int = 200
    own: float = 0.12
    missing: int = 0
    short: int = 0
    jitter: float = 0.0
    contexts: bool = False
    length: int = 1500
    loopy: bool = False  # nearly all is the same few blocks, run over and over


def generate(  # noqa: C901 - one story, told from the threads to the two sides
    seed: int, shape: Shape = Shape()
) -> tuple[list[ThreadEvidence], list[ThreadEvidence], dict[int, int]]:
    """Two sides in order of appearance and the right pairs."""
    rng = random.Random(seed)

    def fresh() -> int:
        return rng.getrandbits(63)

    loops = [fresh() for _ in range(12)]
    vocabulary = [fresh() for _ in range(120)]
    calls = ["RtlEnterCriticalSection", "KeTlsGetValue", "NtCreateFile"]
    numbers = range(shape.threads)
    pool = set(range(shape.threads - shape.pool, shape.threads))
    pool_start = [rng.choice(loops + vocabulary) for _ in range(shape.same_start)]
    creator = {n: None if n < 6 else 0 if n in pool else rng.randrange(max(1, n // 2)) for n in numbers}
    entry = {n: None if n < 6 else "pool" if n in pool else f"entry{n % 15}" for n in numbers}
    call = {n: calls[0] if n in pool else rng.choice(calls) for n in numbers}

    blocks = [[rng.choice(loops) for _ in range(4)] for _ in range(6)]

    def work(count: int) -> list[int]:
        if shape.loopy:
            done: list[int] = []
            while len(done) < count:
                done += rng.choice(blocks) * rng.randrange(1, 20) + [fresh()]
            return done[:count]
        return [
            fresh() if rng.random() < shape.own else rng.choice(loops if rng.random() < 0.9 else vocabulary)
            for _ in range(count)
        ]

    full = {n: (pool_start if n in pool else []) + work(rng.randrange(400, shape.length)) for n in numbers}
    for n in rng.sample([n for n in numbers if n not in pool], shape.short):
        full[n] = work(rng.randrange(1, 11))
    gone = rng.sample(range(1, shape.threads), 2 * shape.missing)
    missing = [set(gone[: shape.missing]), set(gone[shape.missing :])]
    diverging = set(rng.sample(numbers, round(shape.threads * shape.diverging)))

    def side(which: int) -> tuple[list[ThreadEvidence], dict[int, int]]:
        present = [n for n in numbers if n not in missing[which]]
        tids = dict(zip(present, rng.sample(range(1, 4 * shape.threads), len(present)), strict=True))
        order = sorted(present, key=lambda n: n + (rng.uniform(0, shape.pool) if n >= 6 else 0))
        spawned: dict[int | None, int] = {}
        threads = []
        for n in order:
            parent = creator[n] if creator[n] in tids else None
            ordinal = spawned.get(parent, 0) if parent is not None else 0
            spawned[parent] = ordinal + 1
            events = []
            source = full[n]
            if which and n in diverging:
                source = source[: shape.diverge_after] + work(len(source))
            for event in source:
                if which and rng.random() < shape.jitter:
                    events.extend(rng.choice(([], [event, event], [fresh(), event])))
                else:
                    events.append(event)
            threads.append(
                ThreadEvidence(
                    tids[n],
                    array("q", events[: rng.randrange(len(events) // 2, len(events)) + 1] or [source[0]]),
                    call[n],
                    (tids[parent], ordinal) if parent is not None else None,
                    entry[n],
                    f"context{n}" if shape.contexts else None,
                )
            )
        return threads, tids

    (canary, c_tids), (ours, o_tids) = side(0), side(1)
    return canary, ours, {c_tids[n]: o_tids[n] for n in numbers if n in c_tids and n in o_tids}
