"""A seeded generator of two sides' evidence with a known answer.

`python3 -m tests.pairing_evidence` prints how many of the pairs are right, for each sort of pool.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from diff_events import ThreadEvidence, pair_threads

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


# -- pools of workers ------------------------------------------------------------------------------------------

Sides = tuple[list[ThreadEvidence], list[ThreadEvidence], dict[int, int]]


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of workers with one entry point, made in another order on each side, besides some other threads."""

    members: int
    same_start: int = 0
    """Events that all members begin with."""
    jobs: int = 30
    """Per member, of some 20 events, of which a few are the job's own."""
    moved: float = 0.0
    """The share of jobs that another member does on ours."""
    contexts: bool = False
    """Whether each member has a start context of its own."""
    telling: bool = True
    """Whether jobs have anything of their own."""
    lost: float = 0.0
    """The share of canary's last events that ours lacks."""


POOLS = {
    "ordinary": Pool(12),
    "ordinary, 86 threads": Pool(80, jobs=12),
    "same first 3,000 events": Pool(12, same_start=3000),
    "same first 400 events, 86 threads": Pool(80, same_start=400, jobs=12),
    "work stealing, 45 % of the jobs moved": Pool(12, moved=0.45, jobs=40),
    "work stealing, 29 threads": Pool(24, same_start=200, moved=0.45, jobs=40),
    "all jobs moved, own contexts": Pool(12, moved=1.0, contexts=True),
    "all jobs moved, own contexts, 86 threads": Pool(80, same_start=400, moved=1.0, contexts=True, jobs=12),
    "same first 3,000 events, ours cut off": Pool(12, same_start=3000, lost=0.1),
}
UNTELLING = Pool(12, same_start=100, telling=False, moved=1.0)


def pool_sides(seed: int, pool: Pool) -> Sides:
    """Two sides with a pool of workers and six other threads, and the right pairs."""
    rng = random.Random(f"{seed} {pool}")

    def fresh() -> int:
        return rng.getrandbits(64) - 2**63

    common = [fresh() for _ in range(90)]
    start = rng.choices(common, k=pool.same_start)

    def job() -> list[int]:
        events = rng.choices(common, k=rng.randrange(12, 24))
        for _ in range(rng.randrange(2, 5) if pool.telling else 0):
            events[rng.randrange(len(events))] = fresh()
        return events

    jobs = [[job() for _ in range(pool.jobs)] for _ in range(pool.members)]
    others = [[*rng.choices(common, k=300), *(fresh() for _ in range(100))] for _ in range(6)]
    for events in others:
        rng.shuffle(events)

    def side(which: int) -> list[ThreadEvidence]:
        work: list[list[list[int]]] = [[] for _ in jobs]
        for member, own in enumerate(jobs):
            for one in own:
                elsewhere = which and rng.random() < pool.moved
                work[rng.randrange(len(jobs)) if elsewhere else member].append(one)
        threads = [ThreadEvidence(1 + n, array("q", events), f"Call{n}") for n, events in enumerate(others)]
        members = [*range(pool.members)]
        rng.shuffle(members)
        for ordinal, member in enumerate(members):
            events = [*start, *(event for one in work[member] for event in one)]
            kept = events[: round(len(events) * (1 - pool.lost))] if which else events
            if which:  # no two runs are wholly equal
                kept = [fresh() if rng.random() < 0.01 else event for event in kept]
            context = f"0x{member:x}" if pool.contexts else "0x0"
            threads.append(
                ThreadEvidence(100 + member, array("q", kept or [common[0]]), "Work", (1, ordinal), "0x8200", context)
            )
        return threads

    canary, ours = side(0), side(1)
    tids = dict(zip((t.tid for t in ours), rng.sample(range(1, 4000), len(ours)), strict=True))
    renamed = [
        replace(t, tid=tids[t.tid], creator=(tids[t.creator[0]], t.creator[1]) if t.creator else None) for t in ours
    ]
    return canary, renamed, tids


@dataclass(slots=True)
class Outcome:
    """How many pairs of some pools were right, and what was said of the others."""

    pairs: int = 0
    right: int = 0
    sure: int = 0
    sure_right: int = 0
    wrong_marked: int = 0
    seconds: float = 0.0

    def add(self, sides: Sides) -> None:
        """Pairs the threads of two sides and counts."""
        canary, ours, answer = sides
        start = time.process_time()
        found = pair_threads(canary, ours, {})
        self.seconds += time.process_time() - start
        self.pairs += len(answer)
        for pair in found:
            is_right = answer[pair.canary_tid] == pair.ours_tid
            self.right += is_right
            self.sure += pair.confidence >= 0.9
            self.sure_right += is_right and pair.confidence >= 0.9
            self.wrong_marked += not is_right and (pair.alternative is not None or pair.confidence < 0.5)


def outcome(make: Callable[[int], Sides], seeds: Iterable[int]) -> Outcome:
    """What becomes of some pools."""
    found = Outcome()
    for seed in seeds:
        found.add(make(seed))
    return found


def main() -> None:
    """Print the table."""
    for name, pool in (*POOLS.items(), ("nothing tells them apart", UNTELLING)):
        found = outcome(lambda seed, pool=pool: pool_sides(seed, pool), range(10))  # type: ignore[misc]
        wrong = found.pairs - found.right
        marked = f"{found.wrong_marked} of {wrong} wrong ones marked" if wrong else ""
        sure = f"{found.sure_right} of {found.sure} sure ones right"
        print(f"{name:42} {found.right / found.pairs:7.1%} right, {sure}, {marked} {found.seconds / 10:.2f} s")
    for name, threads, events in (("1.5 million events, 40 threads", 40, 37_500), ("500 threads", 500, 3_000)):
        big = [ThreadEvidence(n, array("q", random.Random(n).randbytes(8 * events)), "Call") for n in range(threads)]
        found = outcome(lambda _, big=big: (big, big[::-1], {t.tid: t.tid for t in big}), range(1))  # type: ignore[misc]
        print(f"{name:42} {found.right / found.pairs:7.1%} right {found.seconds:.2f} s")


if __name__ == "__main__":
    main()
