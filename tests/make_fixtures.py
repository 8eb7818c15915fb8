"""Writes the event-log fixtures: small, readable pairs of logs of a game that never was.

    python3 -m tests.make_fixtures            rewrites the fixtures that are made here, and touches no others
    python3 -m tests.make_fixtures --check    says which committed files differ from what would be written

A *story* tells what the threads of a guest program do; it is told once for each engine. What is an engine's own
(tids, handles, durations, the order in which threads get their turn, who first touches a shared object) comes from the
`Engine`; everything else is the same on both sides, unless the story of a regression says otherwise: then ours does
something that canary does not, and the fixture says in its ``meta.toml`` what the comparison must make of it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests import noisy_runs, support
from tests.generator import COMPACT, SPACED, Format, Step, render_event, shared_global_sid

ROOT = Path(__file__).resolve().parent.parent / "fixtures"

SUCCESS, TIMEOUT, PENDING = 0, 0x102, 0x103
NO_SUCH_FILE, END_OF_FILE, DEVICE_NOT_CONNECTED = 0xC000000F, 0xC0000011, 1167
NAME_THREAD = 0x406D1388
"""The exception code by which a program tells a debugger the name of the thread that raises it."""

# Process-global objects of the guest: nobody creates them through the kernel, whoever touches them first wraps them.
IO_REQUESTS = (0x828F0010, "Semaphore")
IO_DONE = (0x828F0040, "Event")
JOBS = (0x82A4C000, "Semaphore")
JOBS_DONE = (0x82A4C020, "Event")
VBLANK = (0x82A60000, "Event")
QUEUE_LOCK = (0x82A70000, "Event")  # a critical section becomes an Event when it is first contended

Touch = tuple[str, int]
"""Which thread first touches a shared object, and at which of its own touches (from 0)."""
Shared = tuple[int, str]


# ------------------------------------------------------------------------------------------------------ engines


@dataclass(slots=True)
class Engine:
    """One emulator on one run: what its log has of its own."""

    name: str
    tids: Mapping[str, int]
    """By the name that a story gives to a thread."""
    seed: int
    first_touches: Mapping[Shared, Touch] = field(default_factory=dict)
    fmt: Format = COMPACT
    torn: bool = False
    """Whether the log ends in the middle of a line."""
    rng: Random = field(init=False)
    free_handles: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Seeds the chance that this engine's run is subject to."""
        self.rng = Random(f"{self.name} {self.seed}")
        first = 0xF8000000 if self.name == "canary" else 0xF8000100
        self.free_handles = [first + 4 * slot for slot in range(64)]

    @property
    def is_ours(self) -> bool:
        """Whether this is the engine under test: where the stories of the regressions go wrong."""
        return self.name == "ours"

    def semantic_id(self) -> str:
        """An id of a local object, in this engine's counting."""
        return f"{self.rng.getrandbits(64):016x}"

    def take_handle(self) -> int:
        """The lowest free handle, which is the one that was closed last, as often as not."""
        return self.free_handles.pop(0)

    def free_handle(self, handle: int) -> None:
        """Gives a handle back."""
        self.free_handles.append(handle)
        self.free_handles.sort()


FIRST_TID = {"canary": 6, "ours": 1}
"""Canary's guest threads come after five of its own."""
SEED = {"canary": 1, "ours": 2}


def engine_of(name: str, threads: str, first_touches: Mapping[Shared, Touch], **settings: Any) -> Engine:
    """An engine that counts tids in the order of the threads named."""
    tids = {thread: FIRST_TID[name] + number for number, thread in enumerate(threads.split())}
    return Engine(name, **{"tids": tids, "seed": SEED[name], "first_touches": first_touches, **settings})


# ------------------------------------------------------------------------------------------------------ threads


@dataclass(slots=True)
class Thing:
    """A local kernel object: the thread that makes it holds it until it closes it."""

    object_type: str
    object_name: str | None
    handle: int
    semantic_id: str

    def payload(self) -> dict[str, Any]:
        """What its creation and destruction say of it."""
        return {
            "raw_handle_id": f"0x{self.handle:08x}",
            "handle_semantic_id": self.semantic_id,
            "object_type": self.object_type,
            "object_name": self.object_name,
        }


class Thread:
    """One guest thread in one engine while its story is told."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name
        self.steps: list[Step] = []
        self._touches: dict[Shared, int] = {}

    def say(self, kind: str, **payload: Any) -> None:
        """One event."""
        self.steps.append(Step(kind, payload))

    @contextlib.contextmanager
    def inside(self, name: str, *, returns: Mapping[str, Any] | None = None, **arguments: Any) -> Iterator[None]:
        """A kernel call; what happens inside it stands between call and return."""
        self.say("kernel.call", name=name, **arguments)
        yield
        self.say("kernel.return", name=name, **returns or {"status": SUCCESS})

    def call(self, name: str, *, returns: Mapping[str, Any] | None = None, **arguments: Any) -> None:
        """A kernel call in which nothing else happens."""
        with self.inside(name, returns=returns, **arguments):
            pass

    def introduce(self) -> None:
        """What every thread of this program does first: it says its name."""
        self.call("RtlRaiseException", code=NAME_THREAD, thread_name=self.name)

    def create(self, call: str, object_type: str, object_name: str | None = None, **arguments: Any) -> Thing:
        """A call that makes a local object."""
        thing = Thing(object_type, object_name, self.engine.take_handle(), self.engine.semantic_id())
        with self.inside(call, **arguments):
            self.say("handle.create", **thing.payload())
        return thing

    def close(self, thing: Thing) -> None:
        """Closes the last handle of an object."""
        with self.inside("NtClose", object_type=thing.object_type):
            self.say("handle.destroy", **thing.payload())
        self.engine.free_handle(thing.handle)

    def touch(self, shared: Shared, sid_byteorder: str = "big") -> str:
        """Uses a process-global object. The first touch of all wraps it, so the log has its creation there."""
        count = self._touches.get(shared, 0)
        self._touches[shared] = count + 1
        pointer, object_type = shared
        sid = f"{shared_global_sid(pointer, object_type):016x}"
        if self.engine.first_touches.get(shared) == (self.name, count):
            if sid_byteorder == "little":
                swapped = int.from_bytes(pointer.to_bytes(4, "little"), "big")
                sid = f"{shared_global_sid(swapped, object_type):016x}"
            made = {"raw_handle_id": f"0x{pointer:08x}", "handle_semantic_id": sid, "object_type": object_type}
            self.steps.append(Step("handle.create", {**made, "object_name": None}, shared=True))
        return sid

    def wait(self, sid: str, status: int = SUCCESS, timeout_ns: int | None = None, **more: Any) -> None:
        """The wait itself, inside the call that waits."""
        about = {"wait_type": "any", "alertable": False, "timeout_ns": timeout_ns} | more
        self.say("wait.begin", handles_semantic_ids=[sid], **about)
        duration = self.engine.rng.randrange(200, 90_000)
        woken_by = None if status == TIMEOUT else sid
        self.say("wait.end", status=status, wait_duration_cycles=duration, woken_by_semantic_id=woken_by)

    def wait_shared(self, shared: Shared, status: int = SUCCESS, timeout_ns: int | None = None) -> None:
        """A wait on a process-global object."""
        where = f"0x{shared[0]:08x}"
        with self.inside("KeWaitForSingleObject", returns={"status": status}, object_ptr=where, alertable=False):
            self.wait(self.touch(shared), status, timeout_ns)

    def signal(self, shared: Shared) -> None:
        """Sets a process-global event, or releases a semaphore by one."""
        pointer, object_type = shared
        name = "KeReleaseSemaphore" if object_type == "Semaphore" else "KeSetEvent"
        with self.inside(name, returns={"return_value": 0}, object_ptr=f"0x{pointer:08x}", increment=1):
            self.touch(shared)

    def locked(self, section: int, contended: Shared | None = None) -> None:
        """Into a critical section and out again."""
        pointer = f"0x{section:08x}"
        with self.inside("RtlEnterCriticalSection", cs_ptr=pointer):
            if contended is not None:
                self.touch(contended)
        self.call("RtlLeaveCriticalSection", cs_ptr=pointer)

    def spawn(self, child: str, entry_point: int, context: int, flags: int = 0) -> None:
        """Makes another thread of the story."""
        handle, sid = self.engine.take_handle(), self.engine.semantic_id()
        start = {"entry_point": f"0x{entry_point:08x}", "start_context": f"0x{context:08x}"}
        made: dict[str, Any] = {**start, "stack_size": 65536, "creation_flags": flags}
        with self.inside("ExCreateThread", **made):
            self.say("thread.create", child_tid=self.engine.tids[child], **made)
            self.say("handle.create", **Thing("Thread", None, handle, sid).payload())

    def read(self, length: int, offset: int, status: int = SUCCESS, got: int | None = None) -> None:
        """Reads from the open file."""
        block = {"status": status, "information": length if got is None else got}
        self.call("NtReadFile", returns={"status": status, "io_status_block": block}, length=length, offset=offset)

    def exit(self, code: int = 0) -> None:
        """The end of the thread."""
        self.say("thread.exit", exit_code=code)


Story = Callable[[Engine], list[Thread]]
"""Tells what all threads of one engine do."""


def cast(engine: Engine) -> dict[str, Thread]:
    """The threads of a story by name."""
    return {name: Thread(engine, name) for name in engine.tids}


# ------------------------------------------------------------------------------------------------------ writing


HOST_THREADS = {"gpu_commands": "VdInitializeEngines", "audio_worker": "XAudioRegisterRenderDriverClient"}
"""Threads that the emulator starts by itself, and the call upon which it does."""


def started_by(engine: Engine, step: Step) -> int | None:
    """The tid of the thread that can run once a step has happened, if it starts one."""
    if step.kind == "thread.create":
        return int(step.payload["child_tid"])
    started = (engine.tids[name] for name, call in HOST_THREADS.items() if step.payload.get("name") == call)
    return next(started, None) if step.kind == "kernel.return" else None


def turns(engine: Engine, threads: Sequence[Thread]) -> Iterator[tuple[int, int, Step]]:
    """The threads' steps as the scheduler lets them happen, with tid and index; nobody runs before being started."""
    streams = {engine.tids[thread.name]: iter(enumerate(thread.steps)) for thread in threads}
    started = {started_by(engine, step) for thread in threads for step in thread.steps}
    ready = [tid for tid in streams if tid not in started]
    while ready:
        tid = engine.rng.choice(ready)
        burst = list(itertools.islice(streams[tid], engine.rng.choice((1, 2, 4, 9))))
        for idx, step in burst:
            yield tid, idx, step
            child = started_by(engine, step)
            if child is not None:
                ready.append(child)
        if not burst:
            ready.remove(tid)


def log_lines(engine: Engine, threads: Sequence[Thread]) -> Iterator[str]:
    """The lines of a log, the header first."""
    yield render_event({"schema_version": 1, "engine": engine.name, "kind": "header"}, engine.fmt)
    clock_ns = 41_000_000_000 + engine.rng.randrange(10**9)
    started_ns = clock_ns - 2_000_000
    for tid, idx, step in turns(engine, threads):
        clock_ns += engine.rng.randrange(900, 30_000)
        if step.lost:
            continue
        event = {"engine": engine.name, "kind": step.kind, "tid": tid, "tid_event_idx": idx}
        event |= {"guest_cycle": (clock_ns - started_ns) // 20, "host_ns": clock_ns, "deterministic": True}
        yield render_event({**event, "payload": step.payload}, engine.fmt)


def log_bytes(engine: Engine, story: Story) -> bytes:
    """One log. A torn one lacks the end of its last line, as a log does whose writer was killed."""
    text = "".join(line + "\n" for line in log_lines(engine, story(engine)))
    return (text[:-70] if engine.torn else text).encode()


@dataclass(frozen=True, slots=True)
class Fixture:
    """One pair of logs, and what is to be said of it."""

    id: str
    description: str
    story: Story
    engines: Callable[[], tuple[Engine, Engine]]
    covers: tuple[str, ...] = ("event-log-walk",)
    expect: str | None = None
    """Of a regression: the class of what must be found."""
    pinned: bool = False
    """Whether the fixture tells which thread is which."""

    @property
    def directory(self) -> Path:
        """Where it lives, below the folder of all fixtures."""
        return Path("regression" if self.expect else "canonical", self.id)

    def files(self) -> dict[Path, bytes]:
        """All its files, by path below the folder of all fixtures."""
        canary, ours = self.engines()
        return {
            self.directory / "canary.jsonl": log_bytes(canary, self.story),
            self.directory / "ours.jsonl": log_bytes(ours, self.story),
            self.directory / "meta.toml": self.meta(canary, ours).encode(),
        }

    def meta(self, canary: Engine, ours: Engine) -> str:
        """The description for programs. JSON's strings and lists of strings are TOML's, too."""
        about: dict[str, Any] = {"id": self.id, "covers": list(self.covers), "description": self.description}
        if self.expect:
            about["expect"] = self.expect
        lines = ["[fixture]", *(f"{key} = {json.dumps(value)}" for key, value in about.items())]
        if self.pinned:
            lines += ["", "[tid_map]", *(f"{tid} = {ours.tids[name]}" for name, tid in canary.tids.items())]
        return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------------------- story: the boot


def boot(engine: Engine) -> list[Thread]:
    """A game's boot up to its first frames."""
    threads = cast(engine)
    boot_main(threads["main"])
    boot_async_file_system(threads["cAsyncFileSystem"])
    for number in range(4):
        boot_job_thread(threads[f"JobThread{number}"], number)
    boot_controller_poller(threads["controller_poller"])
    boot_gpu_commands(threads["gpu_commands"])
    boot_audio_worker(threads["audio_worker"])
    return list(threads.values())


def boot_main(main: Thread) -> None:
    """The main thread: modules, memory, threads, files, then frames."""
    main.call("XexGetModuleHandle", module="xam.xex", returns={"status": SUCCESS, "module_base": "0x81600000"})
    main.call("KeTlsAlloc", returns={"return_value": 0})
    for number in range(4):
        main.call("RtlInitializeCriticalSectionAndSpinCount", cs_ptr=f"0x{0x82A70100 + 28 * number:08x}", spin=400)
    memory = {"size": 0x1E000000, "protect": 0x20000004}
    main.call("MmAllocatePhysicalMemoryEx", **memory, returns={"return_value": "0xa0000000"})
    main.call("NtAllocateVirtualMemory", size=0x4000000, type=0x2000, returns={"status": 0, "base": "0x40000000"})
    main.create("XamNotifyCreateListener", "NotifyListener", area_mask=0x2F)
    main.call("XamUserGetXUID", user=0, type=3, returns={"return_value": 0, "xuid": "0xe000fe00ab12cd34"})
    main.spawn("cAsyncFileSystem", 0x824510A0, 0x40010000, 0x4000001)
    main.call("NtResumeThread", returns={"status": SUCCESS, "previous_count": 1})
    boot_files(main)
    for number in range(4):
        main.spawn(f"JobThread{number}", 0x82460000, 0x40020000 + 0x100 * number, (0x1 << 24) << number)
    main.spawn("controller_poller", 0x82471230, 0)
    main.call("VdInitializeEngines", flags=0x4F810000, callback="0x824a0000")
    main.call("XAudioRegisterRenderDriverClient", callback="0x824b0000", returns={"status": 0, "driver": "0x41550000"})
    main.signal(JOBS)
    main.wait_shared(JOBS_DONE)
    for number in range(6):
        boot_frame(main, number)


def boot_files(main: Thread) -> None:
    """What the main thread reads itself."""
    for path, status in (("game:\\media\\boot.pak", SUCCESS), ("update:\\media\\boot.pak", NO_SUCH_FILE)):
        main.call("NtQueryFullAttributesFile", path=path, returns={"status": status})
    config = main.create("NtCreateFile", "File", "game:\\config.ini", path="game:\\config.ini", access=0x80100080)
    main.read(4096, 0, got=1311)
    main.read(4096, 1311, END_OF_FILE, 0)
    main.close(config)
    done = main.create("NtCreateEvent", "Event", manual_reset=False, initial_state=False)
    package = main.create("NtOpenFile", "File", "game:\\media\\boot.pak", path="game:\\media\\boot.pak", share=1)
    for block in range(3):
        main.read(131072, 131072 * block)
        with main.inside("NtWaitForSingleObjectEx", alertable=True):
            main.wait(done.semantic_id, alertable=True)
    main.close(package)
    main.signal(IO_REQUESTS)
    main.wait_shared(IO_DONE)
    main.close(done)


def boot_frame(main: Thread, number: int) -> None:
    """One of the first frames."""
    main.call("KeTlsGetValue", slot=0, returns={"return_value": "0x40000100"})
    main.locked(0x82A70100, QUEUE_LOCK)
    main.call("XNotifyGetNext", returns={"return_value": 0})
    main.signal(JOBS)
    main.wait_shared(VBLANK, TIMEOUT if number == 3 else SUCCESS, -160_000)
    main.call("VdSwap", frame=number, width=1280, height=720)


def boot_async_file_system(thread: Thread) -> None:
    """Reads files for the others."""
    thread.introduce()
    level = "game:\\media\\level0.big"
    file = thread.create("NtCreateFile", "File", level, path=level, access=0x80100080)
    done = thread.create("NtCreateEvent", "Event", "level0/read", manual_reset=True, initial_state=False)
    for request in range(5):
        thread.wait_shared(IO_REQUESTS)
        thread.locked(0x82A7011C)
        thread.read(65536, 65536 * request, PENDING, 0)
        with thread.inside("NtWaitForSingleObjectEx", alertable=True):
            thread.wait(done.semantic_id, alertable=True)
        thread.signal(IO_DONE)
    thread.close(done)
    thread.close(file)


def boot_job_thread(thread: Thread, number: int) -> None:
    """One of the pool: all have the same code, and each its own work."""
    thread.introduce()
    thread.call("KeSetAffinityThread", affinity=1 << number, returns={"return_value": 0})
    for job in range(3 + number % 2):
        thread.wait_shared(JOBS)
        thread.locked(0x82A70138, QUEUE_LOCK)
        thread.call("KeTlsGetValue", slot=0, returns={"return_value": f"0x{0x40000200 + 0x100 * number:08x}"})
        if (job + number) % 2:
            size = 4096 << (job + number)
            thread.call("NtAllocateVirtualMemory", size=size, type=0x1000, returns={"status": 0})
        thread.signal(JOBS_DONE)


def boot_controller_poller(thread: Thread) -> None:
    """Asks for pads that are not there."""
    thread.introduce()
    for _ in range(3):
        for user in range(2):
            found = DEVICE_NOT_CONNECTED if user else SUCCESS
            thread.call("XamInputGetState", user=user, flags=1, returns={"return_value": found})
        thread.call("KeDelayExecutionThread", mode=1, alertable=False, interval=-160_000)
    thread.exit()


def boot_gpu_commands(thread: Thread) -> None:
    """A host thread that calls the guest back at each vertical blank."""
    for _ in range(7):
        thread.call("KfAcquireSpinLock", lock_ptr="0x82a60040", returns={"return_value": 0})
        thread.signal(VBLANK)
        thread.call("KfReleaseSpinLock", lock_ptr="0x82a60040", old_irql=0)


def boot_audio_worker(thread: Thread) -> None:
    """A host thread that asks the guest for sound."""
    for _ in range(8):
        thread.locked(0x82A70154, QUEUE_LOCK)
        thread.call("XAudioSubmitRenderDriverFrame", driver="0x41550000", samples_ptr="0x40a00000")


BOOT_SEED = 3
"""A schedule of canary's in which the 50th line of its log is a call: the README's negative test corrupts that line."""

BOOT_THREADS = "main cAsyncFileSystem JobThread0 JobThread1 JobThread2 JobThread3 controller_poller"

BOOT_TOUCHES: dict[str, dict[Shared, Touch]] = {
    "canary": {
        IO_REQUESTS: ("main", 0),
        IO_DONE: ("main", 0),
        JOBS: ("main", 0),
        JOBS_DONE: ("JobThread1", 0),
        VBLANK: ("main", 0),
        QUEUE_LOCK: ("audio_worker", 2),
    },
    "ours": {
        IO_REQUESTS: ("cAsyncFileSystem", 0),
        IO_DONE: ("cAsyncFileSystem", 1),
        JOBS: ("JobThread0", 0),
        JOBS_DONE: ("main", 0),
        VBLANK: ("gpu_commands", 0),
        QUEUE_LOCK: ("JobThread2", 1),
    },
}


def boot_engines() -> tuple[Engine, Engine]:
    """Both engines on the boot; whoever comes first touches, and that is not the same one in both."""
    canary = engine_of("canary", BOOT_THREADS, BOOT_TOUCHES["canary"], seed=BOOT_SEED)
    ours = engine_of("ours", BOOT_THREADS, BOOT_TOUCHES["ours"])
    canary.tids = {"gpu_commands": 1, "audio_worker": 4, **canary.tids}
    ours.tids = {**ours.tids, "audio_worker": 20, "gpu_commands": 21}
    return canary, ours


# -------------------------------------------------------------------------------------- stories: other canonicals


def floating(engine: Engine) -> list[Thread]:
    """Two workers that pass a baton: every object they use is shared, and either may touch it first."""
    threads = cast(engine)
    threads["main"].call("KeTlsAlloc", returns={"return_value": 1})
    threads["main"].spawn("producer", 0x82510000, 0)
    threads["main"].spawn("consumer", 0x82510400, 0)
    threads["main"].wait_shared(JOBS_DONE)
    threads["producer"].introduce()
    threads["consumer"].introduce()
    for _ in range(4):
        threads["producer"].locked(0x82A70100, QUEUE_LOCK)
        threads["producer"].signal(JOBS)
        threads["producer"].wait_shared(IO_DONE)
        threads["consumer"].wait_shared(JOBS)
        threads["consumer"].locked(0x82A70100, QUEUE_LOCK)
        threads["consumer"].signal(IO_DONE)
    threads["consumer"].signal(JOBS_DONE)
    for name in ("producer", "consumer"):
        threads[name].exit()
    return list(threads.values())


def floating_engines() -> tuple[Engine, Engine]:
    """Everything that canary's producer touches first, ours's consumer does, and the other way round."""
    threads = "main producer consumer"
    canary = {JOBS: ("producer", 0), IO_DONE: ("producer", 0), QUEUE_LOCK: ("consumer", 1), JOBS_DONE: ("main", 0)}
    ours = {JOBS: ("consumer", 0), IO_DONE: ("consumer", 0), QUEUE_LOCK: ("producer", 3), JOBS_DONE: ("consumer", 0)}
    return engine_of("canary", threads, canary), engine_of("ours", threads, ours)


def two_formats(engine: Engine) -> list[Thread]:
    """Names that writers spell differently: letters beyond ASCII, slashes, quotes."""
    threads = cast(engine)
    main, loader = threads["main"], threads["loader"]
    main.call("KeTlsAlloc", returns={"return_value": 1})
    main.spawn("loader", 0x82520000, 0x40030000)
    main.wait_shared(IO_DONE)
    loader.introduce()
    for path in ("game:\\média\\été.pak", "game:\\media\\日本語.pak", 'cache:\\"quoted".tmp', "\U0001f3ae/tab\t.bin"):
        file = loader.create("NtCreateFile", "File", path, path=path, access=0x80100080)
        loader.read(65536, 0, got=len(path) * 1000)
        loader.call("NtQueryInformationFile", info_class=34, returns={"status": 0, "times": [1.5e9, 0.25, None]})
        loader.close(file)
    loader.signal(IO_DONE)
    return list(threads.values())


def two_formats_engines() -> tuple[Engine, Engine]:
    """Canary writes compact JSON in UTF-8; ours spaces it, sorts the keys and escapes all that is not ASCII."""
    canary, ours = loader_engines()
    ours.fmt = SPACED
    return canary, ours


def worker_pool(engine: Engine) -> list[Thread]:
    """Two threads fill one pool at the same time, so its workers get other tids in the two engines."""
    threads = cast(engine)
    workers = [name for name in sorted(threads) if name.startswith("worker")]
    threads["main"].call("KeTlsAlloc", returns={"return_value": 1})
    threads["main"].spawn("streamer", 0x82530000, 0)
    threads["streamer"].introduce()
    for number, name in enumerate(workers):
        creator = threads["main" if number % 2 else "streamer"]
        creator.spawn(name, 0x82530800, 0x40040000 + 0x80 * number)
        creator.call("NtResumeThread", returns={"status": SUCCESS, "previous_count": 0})
        worker = threads[name]
        worker.call("KeSetBasePriorityThread", increment=1, returns={"return_value": 0})
        for job in range(number + 2):
            worker.locked(0x82A70100, QUEUE_LOCK)
            worker.call("NtSetEvent", returns={"status": SUCCESS, "previous_state": job % 2})
        worker.exit(number)
    return list(threads.values())


def worker_pool_engines() -> tuple[Engine, Engine]:
    """The same eight threads; tids count creations, and those come in another order."""
    canary = "main streamer worker0 worker1 worker2 worker3 worker4 worker5"
    ours = "main streamer worker1 worker3 worker0 worker2 worker5 worker4"
    return (
        engine_of("canary", canary, {QUEUE_LOCK: ("worker3", 1)}),
        engine_of("ours", ours, {QUEUE_LOCK: ("worker0", 0)}),
    )


# ------------------------------------------------------------------------------------------ stories: regressions


def loader_story(wrong: Callable[[Thread, Thread], None]) -> Story:
    """The frame of the regressions: a main thread and a loader, ordinary work, the scene of the mistake, more work.

    ``wrong`` tells the scene, in which `Engine.is_ours` makes the difference; it gets both threads.
    """

    def story(engine: Engine) -> list[Thread]:
        threads = cast(engine)
        main, loader = threads["main"], threads["loader"]
        main.call("XexGetModuleHandle", module="xam.xex", returns={"status": SUCCESS})
        main.spawn("loader", 0x82540000, 0x40050000)
        main.locked(0x82A70100)
        loader.introduce()
        file = loader.create("NtCreateFile", "File", "game:\\media\\ui.pak", path="game:\\media\\ui.pak", access=1)
        loader.read(65536, 0)
        wrong(main, loader)
        loader.read(65536, 65536, got=20_000)
        loader.close(file)
        loader.signal(IO_DONE)
        main.wait_shared(IO_DONE)
        for frame in range(2):
            main.locked(0x82A70100)
            main.call("VdSwap", frame=frame, width=1280, height=720)
        return list(threads.values())

    return story


def loader_engines() -> tuple[Engine, Engine]:
    """Main and loader, and a shared event that main wraps in canary and the loader in ours."""
    canary = engine_of("canary", "main loader", {IO_DONE: ("main", 0)})
    return canary, engine_of("ours", "main loader", {IO_DONE: ("loader", 0)})


def wrong_kind(main: Thread, loader: Thread) -> None:
    """Ours returns at once from a wait in which canary blocks."""
    done = loader.create("NtCreateEvent", "Event", manual_reset=True, initial_state=False)
    with loader.inside("NtWaitForSingleObjectEx", alertable=False):
        if not loader.engine.is_ours:
            loader.wait(done.semantic_id)
    loader.close(done)


def wrong_payload(main: Thread, loader: Thread) -> None:
    """Ours does not find a file, because it minds the case of its name."""
    path = "game:\\Media\\FONTS.PAK"
    status = NO_SUCH_FILE if loader.engine.is_ours else SUCCESS
    loader.call("NtQueryFullAttributesFile", path=path, returns={"status": status})
    if status == SUCCESS:
        fonts = loader.create("NtOpenFile", "File", path, path=path, share=1)
        loader.read(8192, 0)
        loader.close(fonts)
    else:
        loader.call("DbgPrint", text="fonts: using the built-in one")


def wrong_missing(main: Thread, loader: Thread) -> None:
    """Ours did the same, but a full buffer lost four of its events."""
    first = len(loader.steps) + 2
    for block in range(4):
        loader.read(4096, 4096 * block)
    if loader.engine.is_ours:
        for step in loader.steps[first : first + 4]:
            step.lost = True


def nothing_wrong(main: Thread, loader: Thread) -> None:
    """Both do the same."""
    for block in range(3):
        loader.read(4096, 4096 * block)


def ended_story(who: str) -> Story:
    """The loader's log of one engine stops early; the rest is as always."""
    tell = loader_story(nothing_wrong)

    def story(engine: Engine) -> list[Thread]:
        threads = tell(engine)
        if engine.name == who:
            del threads[1].steps[12:]
        return threads

    return story


def ended_engines() -> tuple[Engine, Engine]:
    """Main wraps the shared event in both, so that nothing but the end is different."""
    canary, ours = loader_engines()
    ours.first_touches = canary.first_touches
    return canary, ours


def cut_story(engine: Engine) -> list[Thread]:
    """Ours goes on after canary's log was cut off in the middle of a line."""
    threads = loader_story(nothing_wrong)(engine)
    for thread in threads:
        if thread.name == "main":
            continue
        for block in range(6 if engine.is_ours else 2):
            thread.read(16384, 16384 * block)
    return threads


def cut_engines() -> tuple[Engine, Engine]:
    """As always, but canary was killed while it wrote its last line."""
    canary, ours = loader_engines()
    canary.torn = True
    return canary, ours


def unmapped_story(engine: Engine) -> list[Thread]:
    """Canary has a host thread that calls the guest back; ours has none."""
    threads = loader_story(nothing_wrong)(engine)
    for thread in threads:
        if thread.name == "xma_decoder":
            for _ in range(5):
                thread.call("KeTlsGetValue", slot=3, returns={"return_value": 0})
                thread.locked(0x82A70300)
    return threads


def unmapped_engines() -> tuple[Engine, Engine]:
    """The decoder is thread 3 of canary."""
    canary, ours = loader_engines()
    canary.tids = {**canary.tids, "xma_decoder": 3}
    return canary, ours


def wrong_shared(main: Thread, loader: Thread) -> None:
    """A lock that is contended in canary alone: the threads match, and yet an object exists in one log only."""
    loader.locked(0x82A70100, QUEUE_LOCK)
    loader.locked(0x82A70100, QUEUE_LOCK)


def shared_engines() -> tuple[Engine, Engine]:
    """Canary's loader wraps the lock's event; nobody in ours does."""
    canary, ours = loader_engines()
    canary.first_touches = {**canary.first_touches, QUEUE_LOCK: ("loader", 1)}
    return canary, ours


def wrong_sid(main: Thread, loader: Thread) -> None:
    """Ours hashes the pointer's bytes in the wrong order, so its object is a stranger to canary."""
    with loader.inside("RtlEnterCriticalSection", cs_ptr="0x82a70100"):
        loader.touch(QUEUE_LOCK, sid_byteorder="little" if loader.engine.is_ours else "big")
    loader.call("RtlLeaveCriticalSection", cs_ptr="0x82a70100")


def sid_engines() -> tuple[Engine, Engine]:
    """Both loaders wrap the lock's event."""
    canary, ours = loader_engines()
    for engine in (canary, ours):
        engine.first_touches = {**engine.first_touches, QUEUE_LOCK: ("loader", 0)}
    return canary, ours


def wrong_missing_event(main: Thread, loader: Thread) -> None:
    """Ours never asks how big the file is."""
    if not loader.engine.is_ours:
        loader.call("NtQueryInformationFile", info_class=34, returns={"status": 0, "end_of_file": 85_536})
    loader.call("NtSetInformationFile", info_class=14, position=0)


def wrong_extra_event(main: Thread, loader: Thread) -> None:
    """Ours reads a block once more."""
    for block in (0, 1, 1, 2) if loader.engine.is_ours else (0, 1, 2):
        loader.read(4096, 4096 * block)


def wrong_order(main: Thread, loader: Thread) -> None:
    """Ours signals before it has closed the file; canary closes first."""
    file = loader.create("NtOpenFile", "File", "cache:\\index.bin", path="cache:\\index.bin", share=1)
    if loader.engine.is_ours:
        loader.signal(IO_DONE)
        loader.close(file)
    else:
        loader.close(file)
        loader.signal(IO_DONE)


def wrong_turns(main: Thread, loader: Thread) -> None:
    """Ours polls twice as often before the pad answers: timing, but a difference all the same."""
    polls = 6 if main.engine.is_ours else 3
    for poll in range(polls):
        found = SUCCESS if poll == polls - 1 else DEVICE_NOT_CONNECTED
        main.call("XamInputGetState", user=0, flags=1, returns={"return_value": found})
        main.call("KeDelayExecutionThread", mode=1, alertable=False, interval=-10_000)


def wrong_boolean(main: Thread, loader: Thread) -> None:
    """Ours writes a flag as a number: ``true`` is not ``1``."""
    flag = 1 if loader.engine.is_ours else True
    done = loader.create("NtCreateEvent", "Event", manual_reset=flag, initial_state=False)
    loader.close(done)


def wrong_null(main: Thread, loader: Thread) -> None:
    """Ours leaves the timeout of an endless wait out: absent is not ``null``."""
    done = loader.create("NtCreateEvent", "Event", manual_reset=True, initial_state=False)
    with loader.inside("NtWaitForSingleObjectEx", alertable=False):
        loader.wait(done.semantic_id)
    if loader.engine.is_ours:
        begin = next(step for step in reversed(loader.steps) if step.kind == "wait.begin")
        del begin.payload["timeout_ns"]
    loader.close(done)


def wrong_twice(main: Thread, loader: Thread) -> None:
    """The loader's read fails in ours, so the main thread shows a message, later: one cause, two divergences."""
    failed = loader.engine.is_ours
    loader.read(4096, 85_536, END_OF_FILE if failed else SUCCESS, 0 if failed else 4096)
    if failed:
        main.call("XamShowMessageBoxUI", user=255, title="Disc Unreadable", buttons=1)
    main.call("XamUserGetSigninState", user=0, returns={"return_value": 1})


# ---------------------------------------------------------------------------------------------------- all of them

FLOATING = ("event-log-walk", "event-log-floating")

FIXTURES: tuple[Fixture, ...] = (
    Fixture(
        "0001-boot",
        "A game's boot: nine threads, files, waits, a pool, and shared objects that another thread touches first.",
        boot,
        boot_engines,
        FLOATING,
    ),
    Fixture(
        "0002-floating",
        "Every shared object is first touched by another thread, or later, in the other engine.",
        floating,
        floating_engines,
        FLOATING,
    ),
    Fixture(
        "0003-two-formats",
        "Equal events in two spellings: order of keys, spaces, escapes.",
        two_formats,
        two_formats_engines,
        FLOATING,
        pinned=True,
    ),
    Fixture(
        "0004-worker-pool",
        "Six workers with the same code, created by two threads, so that tids and order of appearance differ.",
        worker_pool,
        worker_pool_engines,
        FLOATING,
    ),
    Fixture(
        "0010-kind",
        "Canary blocks in a wait from which ours returns at once.",
        loader_story(wrong_kind),
        loader_engines,
        expect="kind",
    ),
    Fixture(
        "0011-payload",
        "Ours does not find a file that canary finds: STATUS_NO_SUCH_FILE against 0.",
        loader_story(wrong_payload),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0012-missing",
        "Ours lost four events of the loader: a hole in its indexes.",
        loader_story(wrong_missing),
        loader_engines,
        expect="missing",
    ),
    Fixture(
        "0013-ours-ended",
        "The loader's stream stops early in ours.",
        ended_story("ours"),
        ended_engines,
        expect="ours_ended",
    ),
    Fixture(
        "0014-canary-ended",
        "Canary's log was cut off in the middle of its last line, ours goes on.",
        cut_story,
        cut_engines,
        expect="canary_ended",
    ),
    Fixture(
        "0015-unmapped-thread",
        "Canary has a host thread that runs guest code, and ours has none like it.",
        unmapped_story,
        unmapped_engines,
        expect="unmapped",
    ),
    Fixture(
        "0016-shared-global-on-one-side",
        "A lock is contended in canary only: all threads match, but an object exists in one log alone.",
        loader_story(wrong_shared),
        shared_engines,
        FLOATING,
        expect="shared_global",
    ),
    Fixture(
        "0017-missing-event",
        "Ours leaves one call out, and goes on numbering.",
        loader_story(wrong_missing_event),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0018-extra-event",
        "Ours reads one block twice.",
        loader_story(wrong_extra_event),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0019-reordered",
        "Ours signals an event before it closes a file, canary after.",
        loader_story(wrong_order),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0020-repeated-loop",
        "A polling loop makes three turns in canary and six in ours.",
        loader_story(wrong_turns),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0021-true-is-not-1",
        "Ours writes a boolean argument as a number.",
        loader_story(wrong_boolean),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0022-null-is-not-absent",
        "Ours leaves out a field that is null in canary.",
        loader_story(wrong_null),
        loader_engines,
        expect="payload",
    ),
    Fixture(
        "0023-wrong-sid",
        "Ours computes the SID of a shared object from the pointer's bytes in the wrong order.",
        loader_story(wrong_sid),
        sid_engines,
        FLOATING,
        expect="kind",
    ),
    Fixture(
        "0024-one-cause-two-threads",
        "A read fails in ours, and another thread goes another way because of it.",
        loader_story(wrong_twice),
        loader_engines,
        expect="payload",
    ),
)


def all_files() -> dict[Path, bytes]:
    """Every file that is made here, by path below the folder of all fixtures."""
    pairs = {path: data for fixture in FIXTURES for path, data in fixture.files().items()}
    return pairs | {Path(f"noise/{name}.jsonl"): support.log_bytes(events) for name, events in noisy_runs.runs()}


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the fixtures, or says which are not as they would be written."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.make_fixtures", description="write the event-log fixtures")
    parser.add_argument("--check", action="store_true", help="write nothing, name the files that differ")
    check = parser.parse_args(argv).check
    differing = 0
    for path, data in all_files().items():
        target = ROOT / path
        if check:
            if not target.is_file() or target.read_bytes() != data:
                differing += 1
                sys.stdout.write(f"{path} differs\n")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
