"""Pairs of logs with one cause in ours and its consequences on other threads, made by running a small guest program.

``python3 -m tests.cause_logs [PAIRS]`` measures how often the cause is named and its consequences are traced.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from diff_events import Explained, Report
from tests.small_logs import Line, compare

RELATIONS_OF = {
    "failed call": ("creation", "signal", "value", "memory"),
    "call left out": ("signal", "value"),
    "hang": ("signal", "memory"),
    "wrong handle": ("signal",),
    "wrong handle passed on": ("signal",),
    "signal left out by another": ("signal", "memory"),
    "failed call alone": (),
}
STYLES = ("plain", "other handles", "buffered", "calls only", "noise")
"""In what else the two logs differ, or how they are written."""
MAIN, FIRST_WORKER, MESSENGERS, INDEPENDENT, POOL = 6, 7, (20, 21), 30, (40, 41, 42, 43)
OK, NO_FILE, TIMEOUT = 0, 0xC000000F, 0x102
LOCK = "0x82A40010"
CALLS = ("KeTlsGetValue", "XamInputGetState", "NtQueryInformationFile", "NtYieldExecution", "XNotifyGetNext")

Script = Generator[None, None, None]
"""A guest thread, which yields wherever another one may run."""


@dataclass(frozen=True)
class Plan:
    """What happens in a pair of logs."""

    seed: int
    cause: str
    victims: dict[int, str]
    """How each thread that suffers is related to the cause."""
    followers: dict[int, int]
    """Threads that wait for a signal of a victim."""
    independent: str | None
    """How a thread differs that has nothing to do with it."""
    style: str = "plain"

    @property
    def root(self) -> int:
        """The thread in which it begins."""
        return MESSENGERS[0] if self.cause == "signal left out by another" else MAIN

    @property
    def messengers(self) -> tuple[int, ...]:
        """The threads between the cause and those that suffer."""
        return {"wrong handle passed on": MESSENGERS, "signal left out by another": MESSENGERS[:1]}.get(self.cause, ())


class World:
    """An engine that runs the guest program, and the log that it writes."""

    def __init__(self, plan: Plan, *, ours: bool) -> None:
        self.plan, self.ours = plan, ours
        self.timing = random.Random(plan.seed * 2 + ours)
        self.lines: list[Line] = []
        self.idx: Counter[int] = Counter()
        self.signalled: set[int] = set()
        self.failed = False
        self.pointer = 0x40012340
        self.flag = False
        self.locked = False
        self.jobs = iter(range(60))
        self.handle_shift = 4 if ours and plan.style == "other handles" else 0
        self.threads: dict[int, Script] = {}
        self.at_rest = False
        """Nothing else happens any more: time-outs pass."""
        self.root_idx = -1
        """Index of main's event at which ours first does what canary does not."""

    def log(self, tid: int, kind: str, **payload: Any) -> None:
        """Writes an event."""
        if self.plan.style == "calls only" and not kind.startswith("kernel."):
            return
        self.lines.append((tid, kind, payload))
        self.idx[tid] += 1

    def call(self, tid: int, name: str, result: Any = OK, **arguments: Any) -> None:
        """A call and its return."""
        self.log(tid, "kernel.call", name=name, **arguments)
        self.log(tid, "kernel.return", name=name, return_value=result)

    def work(self, tid: int, part: int) -> Script:
        """Calls that are the same in both logs."""
        rng = random.Random(f"{self.plan.seed} {tid} {part}")
        for _ in range(rng.randint(6, 16)):
            self.call(tid, rng.choice(CALLS), by=tid, at=rng.randrange(1 << 14))
            yield

    def wait(self, tid: int, handle: int, timeout: bool) -> Generator[None, None, bool]:
        """Waits for an event; whether it came."""
        self.log(tid, "kernel.call", name="NtWaitForSingleObjectEx", handle=hex(handle + self.handle_shift))
        sids = {"handles_semantic_ids": [f"{handle:016x}"], "timeout_ns": -1000 if timeout else None}
        self.log(tid, "wait.begin", **sids, wait_type="any", alertable=False)
        while handle not in self.signalled and not (timeout and self.at_rest):
            yield
        came = handle in self.signalled
        self.signalled.discard(handle)
        status, woken_by = (OK, f"{handle:016x}") if came else (TIMEOUT, None)
        self.log(tid, "wait.end", status=status, wait_duration_cycles=9, woken_by_semantic_id=woken_by)
        self.log(tid, "kernel.return", name="NtWaitForSingleObjectEx", return_value=status)
        return came

    def signal(self, tid: int, handle: int) -> None:
        """Sets an event."""
        self.call(tid, "NtSetEvent", handle=hex(handle + self.handle_shift))
        self.signalled.add(handle)

    def spawn(self, tid: int, child: int, script: Script) -> None:
        """Creates a thread."""
        start = {"entry_point": hex(0x82400000 + child * 0x100), "start_context": hex(0x70000000 + child * 0x1000)}
        self.log(tid, "thread.create", child_tid=child, **start, stack_size=65536, creation_flags=0)
        self.threads[child] = script

    def lock(self, tid: int) -> Script:
        """Enters the critical section."""
        while self.locked:
            yield
        self.locked = True
        self.call(tid, "RtlEnterCriticalSection", cs=LOCK)
        yield

    def unlock(self, tid: int) -> None:
        """Leaves it."""
        self.locked = False
        self.call(tid, "RtlLeaveCriticalSection", cs=LOCK)

    def run(self) -> list[Line]:
        """Runs all threads until nothing moves any more."""
        self.threads[MAIN] = main_thread(self)
        still = 0
        while self.threads and still < 400:
            before = len(self.lines)
            tid = self.timing.choice(list(self.threads))
            try:
                next(self.threads[tid])
            except StopIteration:
                del self.threads[tid]
            still = 0 if len(self.lines) > before else still + 1
            self.at_rest = still > 200
        return self.lines

    def text(self) -> bytes:
        """The log that it wrote; a buffering writer puts eight events of a thread in the file at once."""
        idx: Counter[int] = Counter()
        buffers: dict[int, list[bytes]] = {}
        written = [b'{"schema_version":1}']
        for clock, (tid, kind, payload) in enumerate(self.lines):
            event = {"kind": kind, "tid": tid, "tid_event_idx": idx[tid], "host_ns": 1000 + clock, "payload": payload}
            idx[tid] += 1
            buffer = buffers.setdefault(tid, [])
            buffer.append(json.dumps(event).encode())
            if len(buffer) == (8 if self.plan.style == "buffered" else 1):
                written += buffers.pop(tid)
        return b"\n".join([*written, *(line for buffer in buffers.values() for line in buffer), b""])


def handle_of(tid: int) -> int:
    """The event that a thread waits for."""
    return 0xF8000000 + 4 * tid


def main_thread(world: World) -> Script:
    """Creates the workers, does what goes wrong in ours, and lets the workers go on."""
    plan = world.plan
    workers = [*plan.victims, *plan.followers, *plan.messengers]
    early = [tid for tid in workers if plan.victims.get(tid) != "creation"]
    for tid in workers:
        raw, sid = hex(handle_of(tid) + world.handle_shift), f"{handle_of(tid):016x}"
        made = {"object_type": "Event", "object_name": f"e{tid}"}
        world.log(MAIN, "handle.create", raw_handle_id=raw, handle_semantic_id=sid, **made)
    for tid in early:
        world.spawn(MAIN, tid, messenger(world, tid) if tid in MESSENGERS else worker(world, tid))
    for tid in POOL if plan.style == "noise" else ():
        world.spawn(MAIN, tid, pool_member(world, tid))
    if plan.independent:
        world.spawn(MAIN, INDEPENDENT, independent_thread(world))
    yield from world.work(MAIN, 0)
    yield from cause(world)
    yield from world.work(MAIN, 1)
    for tid in workers:
        if tid not in early:
            world.spawn(MAIN, tid, worker(world, tid))
            yield
    yield from world.work(MAIN, 2)


def cause(world: World) -> Script:
    """What goes right in canary and wrong in ours, and what main does with it."""
    plan, wrong = world.plan, world.ours
    if plan.root == MAIN:
        world.root_idx = world.idx[MAIN]
    if plan.cause == "wrong handle passed on":
        handle = handle_of(99 if wrong else FIRST_WORKER)
        world.pointer = handle + world.handle_shift
        world.call(MAIN, "XamPostItem", item=hex(world.pointer))
        world.signal(MAIN, handle_of(MESSENGERS[0]))
        return
    if plan.cause == "signal left out by another":
        yield from world.wait(MAIN, handle_of(MESSENGERS[0]), False)
    yield from cause_in_main(world)
    yield from world.lock(MAIN)
    world.flag = not world.failed
    world.unlock(MAIN)
    yield
    yield from let_workers_go_on(world)


def cause_in_main(world: World) -> Script:
    """What main does wrong in ours before it lets the others go on."""
    plan, wrong = world.plan, world.ours
    if plan.cause == "hang" and wrong:
        world.log(MAIN, "kernel.call", name="NtReadFile", length=4096)
        while True:
            yield
    if plan.cause == "hang":
        world.call(MAIN, "NtReadFile", length=4096)
    if plan.cause.startswith("failed call"):
        world.root_idx += 1
        world.failed = wrong
        world.log(MAIN, "kernel.call", name="NtCreateFile", path="game:\\data.bin")
        world.pointer = 0x40055550 if wrong else 0x40077770
        status = NO_FILE if wrong else OK
        world.log(MAIN, "kernel.return", name="NtCreateFile", return_value=status, buffer=hex(world.pointer))
    if plan.cause == "call left out" and not wrong and "value" in plan.victims.values():
        world.pointer = 0x40077770
        world.call(MAIN, "MmAllocatePhysicalMemoryEx", hex(world.pointer), size=8192)


def let_workers_go_on(world: World) -> Script:
    """Signals those that wait for it, or forgets to, or signals another object."""
    plan, wrong = world.plan, world.ours
    waiting = [tid for tid, relation in plan.victims.items() if relation == "signal"]
    left_out = wrong and (plan.cause == "call left out" or world.failed)
    if plan.cause in ("call left out", "wrong handle") and "value" not in plan.victims.values():
        world.root_idx = world.idx[MAIN]
    for tid in waiting if not left_out else ():
        mistaken = wrong and plan.cause == "wrong handle" and tid == waiting[0]
        world.signal(MAIN, handle_of(99) if mistaken else handle_of(tid))
        yield
    for tid, relation in plan.victims.items():
        if relation not in ("signal", "creation"):
            world.signal(MAIN, handle_of(tid))
            yield


def worker(world: World, tid: int) -> Script:
    """Works, comes upon what the cause did, and takes another way if it is not as it should be."""
    plan, relation = world.plan, world.plan.victims.get(tid, "signal")
    yield from world.work(tid, 0)
    well = True
    if relation == "signal":
        well = yield from world.wait(tid, handle_of(tid), tid % 3 != 0)
    elif relation != "creation":
        yield from world.wait(tid, handle_of(tid), True)
    if relation == "creation":
        well = not world.failed
    elif relation == "value":
        world.call(tid, "NtReadFile", buffer=[{"address": hex(world.pointer)}], length=512)
    elif relation == "memory":
        yield from world.lock(tid)
        well = world.flag
        world.unlock(tid)
    if not well:
        world.call(tid, "XamShowMessageBoxUI", by=tid)
    else:
        for follower in [other for other, leader in plan.followers.items() if leader == tid]:
            world.signal(tid, handle_of(follower))
            yield
    yield from world.work(tid, 1)


def messenger(world: World, tid: int) -> Script:
    """Takes what main passes on and passes it on, or lets main go on, which ours forgets."""
    yield from world.work(tid, 0)
    if world.plan.cause == "signal left out by another":
        world.root_idx = world.idx[tid]
        if not world.ours:
            world.signal(tid, handle_of(tid))
    else:
        yield from world.wait(tid, handle_of(tid), False)
        if tid == MESSENGERS[0]:
            world.call(tid, "XamPostItem", item=hex(world.pointer))
            world.signal(tid, handle_of(MESSENGERS[1]))
        else:
            world.signal(tid, world.pointer - world.handle_shift)
    yield from world.work(tid, 1)


def pool_member(world: World, tid: int) -> Script:
    """Reads whatever is next, and is in the way of the others: all of it is timing, but for addresses."""
    for job in world.jobs:
        if world.timing.random() < 0.5:
            world.call(tid, "KfAcquireSpinLock", lock="0x82A40020")
        buffer = hex(0x40000000 + world.timing.randrange(1 << 24))
        world.call(tid, "NtReadFile", path=f"game:\\{job}.bin", buffer=buffer)
        for _ in range(world.timing.randint(1, 4)):
            yield


def independent_thread(world: World) -> Script:
    """Differs for a reason of its own."""
    yield from world.work(INDEPENDENT, 0)
    turns = 3 if world.ours and world.plan.independent == "turns" else 1
    for _ in range(turns):
        world.call(INDEPENDENT, "NtDelayExecution", interval=-10)
        yield
    yield from world.work(INDEPENDENT, 1)
    rate = 59 if world.ours and world.plan.independent == "value" else 60
    world.call(INDEPENDENT, "XamGetRefreshRate", rate)
    yield from world.work(INDEPENDENT, 2)


def plan_of(seed: int) -> Plan:
    """The plan that a seed stands for."""
    rng = random.Random(seed)
    cause_ = rng.choice(list(RELATIONS_OF))
    relations = RELATIONS_OF[cause_] or ("",)
    victims = {FIRST_WORKER + n: rng.choice(relations) for n in range(rng.randint(1, 4))}
    if cause_ == "failed call alone":
        victims = {}
    if cause_.startswith("wrong handle") or (cause_ == "call left out" and "value" not in victims.values()):
        victims[FIRST_WORKER] = "signal"
    followers = {}
    signal_victims = [tid for tid, relation in victims.items() if relation == "signal"]
    if signal_victims and rng.random() < 0.4:
        followers[FIRST_WORKER + len(victims)] = signal_victims[0]
    return Plan(seed, cause_, victims, followers, rng.choice((None, "turns", "value")), rng.choice(STYLES))


@dataclass(frozen=True)
class Outcome:
    """What a comparison made of a pair of logs."""

    plan: Plan
    named: bool
    """Whether it says to start at the cause."""
    suffering: int
    """Threads that suffer and have a partner,"""
    traced: int
    """and those that are traced to the cause."""
    false_causes: tuple[int, ...]
    """Threads of which it says that a thread caused them that did not."""


def leads_to(report: Report, tid: int) -> list[int]:
    """The threads that a thread is said to follow, the nearest first."""
    cause_of = {thread.pair.canary_tid: thread.cause for thread in report.threads}
    chain = [tid]
    while (found := cause_of[chain[-1]]) and found.upstream and found.upstream.canary_tid not in chain:
        chain.append(found.upstream.canary_tid)
    return chain[1:]


def outcome_of(seed: int) -> Outcome:
    """Makes a pair of logs and compares them."""
    plan = plan_of(seed)
    canary, ours = World(plan, ours=False), World(plan, ours=True)
    canary.run()
    ours.run()
    pinned = (MAIN, *POOL) if plan.style == "noise" else (MAIN,)
    report = compare(canary.text(), ours.text(), max_divergences=0, tid_map={tid: tid for tid in pinned})
    start = report.start_here
    near = start is not None and (start.canary_idx is None or abs(start.canary_idx - canary.root_idx) <= 2)
    differ = {
        thread.pair.canary_tid
        for thread in report.threads
        if thread.ending or any(divergence.explained_by is not Explained.NAME for divergence in thread.divergences)
    }
    suffering = [tid for tid in (*plan.victims, *plan.followers, *plan.messengers) if tid in differ - {plan.root}]
    proven = [thread for thread in report.threads if thread.cause and thread.cause.relation.is_proof]
    false = [
        thread.pair.canary_tid
        for thread in proven
        if {INDEPENDENT, *POOL} & {thread.pair.canary_tid, *leads_to(report, thread.pair.canary_tid)[:1]}
        or thread.pair.canary_tid == plan.root
    ]
    return Outcome(
        plan,
        named=start is not None and start.canary_tid == plan.root and near,
        suffering=len(suffering),
        traced=sum(plan.root in leads_to(report, tid) for tid in suffering),
        false_causes=tuple(false),
    )


def main() -> None:
    """Prints how often the cause is named, by kind of cause, and how many consequences are traced, by relation."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    outcomes = [outcome_of(seed) for seed in range(pairs)]
    for what in (*RELATIONS_OF, *STYLES, ""):
        these = [outcome for outcome in outcomes if what in ("", outcome.plan.cause, outcome.plan.style)]
        suffering = sum(outcome.suffering for outcome in these)
        print(
            f"{what or 'all':26} {len(these):4} pairs, cause named {sum(o.named for o in these) / len(these):7.1%}, "
            f"traced {sum(o.traced for o in these) / max(1, suffering):7.1%} of {suffering:4} threads, "
            f"false causes {sum(len(o.false_causes) for o in these)}"
        )
    print("not named:", [o.plan.seed for o in outcomes if not o.named][:20])
    print("not traced:", [o.plan.seed for o in outcomes if o.traced < o.suffering][:20])
    print("false:", [o.plan.seed for o in outcomes if o.false_causes][:20])


if __name__ == "__main__":
    main()
