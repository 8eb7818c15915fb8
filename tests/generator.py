"""Seeded makers of event logs of two engines, with a known answer.

Every log that this module makes comes with the truth about it *by construction*: the maker knows where it changed
something and never finds out by comparing. So neither the program under test nor the slow reference reading has a
hand in the answer that both are held against. The vocabulary (calls, statuses, handles, threads) is that of real
captures.

    python3 -m tests.generator random  --seed 7 --out DIR
    python3 -m tests.generator big     --events 1500000 --out DIR [--format spaced] [--diverge-after 20000]
    python3 -m tests.generator pool    --seed 7 --out DIR
    python3 -m tests.generator planted --events 1000000 --changes 1000 --out DIR [--loop-heavy]
"""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import json
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from tests import reference

OBJECT_TYPES = (
    "Event",
    "Mutant",
    "Semaphore",
    "Thread",
    "Timer",
    "File",
    "Enumerator",
    "IOCompletion",
    "Module",
    "NotifyListener",
    "Session",
    "Socket",
    "SymbolicLink",
    "Device",
)
SHARED_TYPES = ("Event", "Semaphore", "Mutant")
SKIPPED_FIELDS = reference.SKIPPED
STATUSES = (0, 0, 0, 0, 0, 0x102, 0xC0, 0x103, 0x80, 0x40000000, 0xC0000008, 0xC000000D, 0xC000000F)
MASK64 = 2**64 - 1


def shared_global_sid(pointer: int, object_type: str) -> int:
    """The semantic id of a shared-global object: FNV-1a-64 over a tag, the type and the big-endian pointer."""
    digest = 0xCBF29CE484222325
    for byte in b"\0".join((b"shared-global", object_type.encode(), pointer.to_bytes(4, "big"))):
        digest = ((digest ^ byte) * 0x100000001B3) & MASK64
    return digest


# ----------------------------------------------------------------------------------------------------- formats


@dataclass(frozen=True, slots=True)
class Format:
    """How one engine's writer spells JSON: separators, escapes and the order of keys at both levels."""

    name: str
    item_separator: str = ","
    key_separator: str = ":"
    top_order: tuple[str, ...] = (
        "schema_version",
        "engine",
        "kind",
        "tid",
        "tid_event_idx",
        "guest_cycle",
        "host_ns",
        "deterministic",
        "payload",
    )
    payload_order: str = "natural"  # or "reversed", "sorted"
    ascii_only: bool = False
    escape_values: bool = False
    escape_keys: bool = False


OTHER_ORDER = (
    "tid",
    "tid_event_idx",
    "kind",
    "payload",
    "deterministic",
    "host_ns",
    "guest_cycle",
    "engine",
    "schema_version",
)
COMPACT = Format("compact")
SPACED = Format("spaced", ", ", ": ", OTHER_ORDER, "sorted", ascii_only=True)
ESCAPED = Format(
    "escaped",
    top_order=tuple(sorted(OTHER_ORDER)),
    payload_order="reversed",
    ascii_only=True,
    escape_values=True,
)
WILD = Format("wild", " ,\t", " : ", OTHER_ORDER[::-1], "reversed", False, True, True)
FORMATS = {fmt.name: fmt for fmt in (COMPACT, SPACED, ESCAPED, WILD)}


class NumberText(str):
    """A number spelt as given (`1e0`, `-0.0`): to write what `json.dumps` would not."""

    __slots__ = ()


def escape_first(text: str) -> str:
    """A JSON string whose first character and slashes are escaped, though nothing asks for it."""
    body = json.dumps(text)[1:-1].replace("/", "\\/")
    if body and body[0] != "\\":
        body = f"\\u{ord(body[0]):04X}{body[1:]}"
    return f'"{body}"'


@functools.cache
def encoder(fmt: Format) -> json.JSONEncoder:
    """The standard library's writer in the format: all of it but needless escapes and a reversed order."""
    separators, sort_keys = (fmt.item_separator, fmt.key_separator), fmt.payload_order == "sorted"
    return json.JSONEncoder(ensure_ascii=fmt.ascii_only, separators=separators, sort_keys=sort_keys)


def is_plain(value: Any) -> bool:
    """Whether the standard library would write it as it is meant."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, NumberText)


def quoted(text: str, fmt: Format) -> str:
    """A JSON string as the writer spells it, without needless escapes."""
    return encoder(fmt).encode(text)


def ordered(keys: Iterable[str], order: str) -> list[str]:
    """The keys of one payload object in the order of the writer."""
    listed = list(keys)
    if order == "reversed":
        return listed[::-1]
    return sorted(listed) if order == "sorted" else listed


def render(value: Any, fmt: Format) -> str:
    """One JSON value as the writer spells it."""
    if not fmt.escape_values and fmt.payload_order != "reversed" and is_plain(value):
        return encoder(fmt).encode(value)
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, str):
        return escape_first(value) if fmt.escape_values else quoted(value, fmt)
    if isinstance(value, list):
        return f"[{fmt.item_separator.join(render(item, fmt) for item in value)}]"
    if isinstance(value, dict):
        return render_object([(key, value[key]) for key in ordered(value, fmt.payload_order)], fmt)
    return json.dumps(value)


def render_object(members: Iterable[tuple[str, Any]], fmt: Format) -> str:
    """One JSON object, its members in the order given."""
    return f"{{{fmt.item_separator.join(render_member(key, value, fmt) for key, value in members)}}}"


def render_member(key: str, value: Any, fmt: Format) -> str:
    """`"key":value`."""
    key_text = escape_first(key) if fmt.escape_keys else quoted(key, fmt)
    return key_text + fmt.key_separator + render(value, fmt)


def render_event(event: dict[str, Any], fmt: Format) -> str:
    """One line: the known fields in the writer's order, then whatever else the event carries."""
    known = [(key, event[key]) for key in fmt.top_order if key in event]
    members = [*known, *((key, event[key]) for key in event if key not in fmt.top_order)]
    return render(dict(members), fmt) if fmt.payload_order == "natural" else render_object(members, fmt)


# ------------------------------------------------------------------------------------------------ guest scripts


@dataclass(slots=True, eq=False)
class Step:
    """One event of a thread before it has an index. `eq=False`: two steps of equal content are two steps."""

    kind: str
    payload: dict[str, Any]
    shared: bool = False
    """A shared-global create."""
    lost: bool = False
    """It has its index, but its line never reached the file."""


def copied(value: Any) -> Any:
    """The same JSON value, none of whose parts is shared."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def copied_steps(steps: Iterable[Step]) -> list[Step]:
    """The same steps once more, to be changed."""
    return [Step(step.kind, copied(step.payload), step.shared, step.lost) for step in steps]


Phrase = Callable[[Random], list[Step]]


def call(name: str, arguments: dict[str, Any], result: Any = 0, **outs: Any) -> list[Step]:
    """A kernel call and its return."""
    returned = {"name": name, "return_value": result, **outs}
    return [Step("kernel.call", {"name": name, **arguments}), Step("kernel.return", returned)]


def hex_id(rng: Random) -> str:
    """An opaque semantic id."""
    return f"{rng.getrandbits(64):016x}"


def guest_pointer(rng: Random) -> str:
    """An address of the guest: image, heap or stack."""
    return f"0x{rng.choice((0x82000000, 0x40000000, 0x70000000)) + rng.randrange(64) * 16:08x}"


def raw_handle(rng: Random) -> str:
    """A guest handle; values are reused at once."""
    return f"0x{0xF8000000 + 4 * rng.randrange(64):08x}"


def critical_section(rng: Random) -> list[Step]:
    """The bulk of every real log."""
    pointer = guest_pointer(rng)
    enter = call("RtlEnterCriticalSection", {"cs_ptr": pointer})
    return enter + call("RtlLeaveCriticalSection", {"cs_ptr": pointer})


def small_call(rng: Random) -> list[Step]:
    """The frequent calls with few arguments."""
    names = ("KeTlsGetValue", "KfAcquireSpinLock", "KfReleaseSpinLock", "NtSetEvent", "KeSetEvent", "VdSwap")
    return call(rng.choice(names), {"args": [rng.randrange(8), guest_pointer(rng)]}, rng.randrange(2))


def wait(rng: Random) -> list[Step]:
    """A wait on one handle or several, with its begin and end."""
    handles = [hex_id(rng) for _ in range(rng.choice((1, 1, 1, 3)))]
    timeout = rng.choice((None, 0, -160000, 16000000))
    begin = {
        "handles_semantic_ids": handles,
        "wait_type": rng.choice(("any", "all")),
        "alertable": rng.random() < 0.5,
    }
    status = rng.choice((0, 0, 0, 0x102, 0xC0))
    end = {"status": status, "wait_duration_cycles": rng.randrange(10**6), "woken_by_semantic_id": handles[0]}
    called, returned = call("NtWaitForSingleObjectEx", {"alertable": begin["alertable"]}, status)
    return [called, Step("wait.begin", {**begin, "timeout_ns": timeout}), Step("wait.end", end), returned]


def file_read(rng: Random) -> list[Step]:
    """Calls with many arguments and out-values."""
    name = rng.choice(
        ("game:\\data\\level0.big", "cache:\\ü–\U0001f3ae.bin", 'a"}, {"tid": 99, "kind": "x', "\\", "")
    )
    opened = call(
        "NtCreateFile", {"name": "NtCreateFile", "path": name, "access": 0x80100080}, rng.choice(STATUSES)
    )
    block = {"status": 0, "information": rng.randrange(2**17)}
    return opened + call(
        "NtReadFile", {"length": 131072, "offset": rng.getrandbits(33)}, 0, io_status_block=block
    )


def local_create(rng: Random) -> list[Step]:
    """A handle that belongs to the thread that made it, and perhaps its end."""
    handle = {"raw_handle_id": raw_handle(rng), "handle_semantic_id": hex_id(rng)}
    thing = {
        **handle,
        "object_type": rng.choice(OBJECT_TYPES),
        "object_name": rng.choice((None, "", "Frame/Done")),
    }
    called, returned = call("NtCreateEvent", {"manual_reset": True, "initial_state": False})
    steps = [called, Step("handle.create", thing), returned]
    return [*steps, Step("handle.destroy", dict(thing))] if rng.random() < 0.5 else steps


def near_miss_create(rng: Random) -> list[Step]:
    """A create that almost is shared-global: the id of another type, or a pointer of another form."""
    pointer, object_type = 0x82000000 + 16 * rng.randrange(99), rng.choice(SHARED_TYPES)
    sid = f"{shared_global_sid(pointer, object_type):016x}"
    raw = rng.choice((f"{pointer:08x}", float(pointer), None, pointer + 2**32, [pointer]))
    return [
        Step("handle.create", {"raw_handle_id": raw, "handle_semantic_id": sid, "object_type": object_type})
    ]


def spawn(rng: Random) -> list[Step]:
    """A thread creation (the tids are each engine's own, so the child's may be any)."""
    made = {"entry_point": guest_pointer(rng), "start_context": guest_pointer(rng), "stack_size": 65536}
    flags = rng.choice((0, 1, 0x04000001))
    return [Step("thread.create", {"child_tid": rng.randrange(6, 99), **made, "creation_flags": flags})]


def unknown(rng: Random) -> list[Step]:
    """Kinds and fields that no list names: compared whole, whatever they hold."""
    odd = (
        2**64 - 1,
        10**40 + 7,
        2**53 + 1,
        1,
        0,
        True,
        False,
        None,
        -0.5,
        1.5e300,
        "\x00\x1f\x7f",
        "\u2028é\ud7ff",
    )
    nested = {"tid": 1, "payload": {"kind": "x", "b c": [rng.choice(odd), {}, []]}, "": rng.choice(odd)}
    kind = rng.choice(("gpu.swap", "irq", "memory.map", "énorme", "kernel.call.masked"))
    return [Step(kind, {"value": rng.choice(odd), "deep": nested, "raw_handle_id": rng.randrange(4)})]


def leave(rng: Random) -> list[Step]:
    """The end of a thread; in a random script it may stand anywhere."""
    return [Step("thread.exit", {"exit_code": rng.choice((0, 0, 1, 0xC0000022))})]


PHRASES: tuple[tuple[Phrase, int], ...] = (
    (critical_section, 20),
    (small_call, 10),
    (wait, 8),
    (file_read, 5),
    (local_create, 6),
    (near_miss_create, 1),
    (spawn, 2),
    (unknown, 4),
    (leave, 1),
)


WORK_PHRASES = tuple(entry for entry in PHRASES if entry[0] not in (spawn, leave))
"""For logs that are true as a whole: thread creations and exits stand only where threads begin and end."""


def script(rng: Random, length: int, phrases: Sequence[tuple[Phrase, int]] = PHRASES) -> list[Step]:
    """So many steps of a thread's life, in the mix of real logs (with less of the critical sections)."""
    makers, weights = zip(*phrases, strict=True)
    steps: list[Step] = []
    while len(steps) < length:
        steps += rng.choices(makers, weights)[0](rng)
    return steps[:length]


def content(step: Step) -> str:
    """What is compared of a step, spelt one way, for makers that need two steps to be different."""
    skipped = SKIPPED_FIELDS.get(step.kind, ())
    compared = {key: value for key, value in step.payload.items() if key not in skipped}
    return json.dumps([step.kind, compared], sort_keys=True)


# ------------------------------------------------------------------------------- changes that count, and that do not


def changed_value(rng: Random, value: Any) -> Any:
    """Another JSON value, near the given one, and different under the rules."""
    if isinstance(value, bool):
        return rng.choice((not value, int(value), None))
    if isinstance(value, int):
        near = [value + 1, -value - 1, str(value), None, value + 0.5 if abs(value) < 2**40 else 0.5]
        return rng.choice([*near, value == 1] if value in (0, 1) else near)
    if isinstance(value, float):
        return rng.choice((value * 2 + 1, None))
    if isinstance(value, str):
        return rng.choice((value + " ", value + "\u0301", None, [value]))
    if isinstance(value, list):
        return changed_list(rng, value)
    if isinstance(value, dict):
        return changed_object(rng, value, ())
    return rng.choice((0, "", False, [], {}, "null"))


def changed_list(rng: Random, items: list[Any]) -> list[Any]:
    """A list with one item changed, added or taken away."""
    if items and rng.random() < 0.6:
        at = rng.randrange(len(items))
        return [*items[:at], changed_value(rng, items[at]), *items[at + 1 :]]
    return items[:-1] if items and rng.random() < 0.5 else [*items, None]


def changed_object(rng: Random, members: dict[str, Any], untouched: Sequence[str]) -> dict[str, Any]:
    """An object with one member (none of the untouched) changed, added or taken away."""
    keys = [key for key in members if key not in untouched]
    way = rng.random()
    if not keys or way < 0.15:
        return {**members, rng.choice(("added", "added one", "0", "π")): rng.choice((None, 0, {}, "x"))}
    key = rng.choice(keys)
    if way < 0.3:
        return {name: value for name, value in members.items() if name != key}
    return {**members, key: changed_value(rng, members[key])}


def changed_step(rng: Random, step: Step) -> Step:
    """The same kind of event with another payload."""
    payload = changed_object(rng, step.payload, SKIPPED_FIELDS.get(step.kind, ()))
    return replace(step, payload=payload)


def respelt(rng: Random, value: Any) -> Any:
    """The same value under the rules, spelt in another way: `1` as `1.0`, the keys in another order."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 and rng.random() < 0.3:
        nothing = ("0.0", "-0.0", "-0", "0E+5", "0e-999")
        same = (f"{value}.0", f"{value}e0", f"{value}0E-1", f"{value}.000")
        return NumberText(rng.choice(same if value else nothing))
    if isinstance(value, list):
        return [respelt(rng, item) for item in value]
    if isinstance(value, dict):
        return {key: respelt(rng, value[key]) for key in rng.sample(list(value), len(value))}
    return value


def respell_step(rng: Random, step: Step) -> None:
    """Respell what is compared of a step; a shared-global create keeps its telling fields as they are."""
    keep = (*SKIPPED_FIELDS.get(step.kind, ()), "object_type")
    step.payload = {key: value if key in keep else respelt(rng, value) for key, value in step.payload.items()}


def relocalise(rng: Random, step: Step) -> None:
    """Give the skipped fields of a step what another engine would: other values, other types, or nothing."""
    for name in SKIPPED_FIELDS.get(step.kind, ()):
        if name in step.payload and not step.shared:
            step.payload[name] = rng.choice(
                (rng.getrandbits(32), hex_id(rng), None, [hex_id(rng)], {"a": {}})
            )
            if rng.random() < 0.1:
                del step.payload[name]


# ------------------------------------------------------------------------------------------------ planted truth


@dataclass(frozen=True, slots=True)
class Planted:
    """What a comparison must say of one thread: its status and, if it diverged, where and of which class."""

    status: str
    cls: str | None = None
    canary_idx: int | None = None
    ours_idx: int | None = None


@dataclass(slots=True)
class Twin:
    """One thread in both engines while it is being made, and the planted truth in terms of its steps.

    `status` and `at` stay true whatever shared-global creates are put in later: those float.
    """

    canary: list[Step]
    ours: list[Step]
    status: str = "identical"
    cls: str | None = None
    at: tuple[Step, Step] | None = None

    def diverge(self, cls: str, canary_step: Step, ours_step: Step) -> None:
        """Note the first divergence."""
        self.status, self.cls, self.at = "diverged", cls, (canary_step, ours_step)

    def truth(self) -> Planted:
        """The planted truth in terms of the final indexes."""
        if self.at is None:
            return Planted(self.status)
        return Planted(self.status, self.cls, self.canary.index(self.at[0]), self.ours.index(self.at[1]))

    def mirror(self) -> None:
        """Exchange the two engines."""
        self.canary, self.ours = self.ours, self.canary
        self.at = self.at and (self.at[1], self.at[0])
        ended = {"canary_ended": "ours_ended", "ours_ended": "canary_ended"}
        self.status = ended.get(self.status, self.status)


def plant_payload(rng: Random, twin: Twin, at: int) -> None:
    """One payload field differs."""
    twin.ours[at] = changed_step(rng, twin.ours[at])
    twin.diverge("payload", twin.canary[at], twin.ours[at])


def plant_kind(rng: Random, twin: Twin, at: int) -> None:
    """The kind differs (and to no `handle.create`, which might float)."""
    kinds = ("kernel.call", "kernel.return", "wait.end", "handle.destroy", "thread.exit", "kernel.calls", "")
    others = [kind for kind in kinds if kind != twin.ours[at].kind]
    twin.ours[at] = replace(twin.ours[at], kind=rng.choice(others))
    twin.diverge("kind", twin.canary[at], twin.ours[at])


def diverge_by_content(twin: Twin, start: int) -> None:
    """Note the first position from `start` on where the steps are of different content, or the end of one."""
    shorter = min(len(twin.canary), len(twin.ours))
    for at in range(start, shorter):
        c, o = twin.canary[at], twin.ours[at]
        if content(c) != content(o):
            twin.diverge("kind" if c.kind != o.kind else "payload", c, o)
            return
    if len(twin.canary) > shorter:
        twin.status = "ours_ended"
    elif len(twin.ours) > shorter:
        twin.status = "canary_ended"


def plant_inserted(rng: Random, twin: Twin, at: int) -> None:
    """Ours does something more, and goes on numbering."""
    twin.ours[at:at] = script(rng, rng.choice((1, 1, 2, 5)))
    diverge_by_content(twin, at)


def plant_removed(rng: Random, twin: Twin, at: int) -> None:
    """Ours does something less, and goes on numbering."""
    del twin.ours[at : at + rng.choice((1, 1, 2, 5))]
    diverge_by_content(twin, at)


def plant_hole(rng: Random, twin: Twin, at: int) -> None:
    """Ours did the same, but some of its events never reached the file."""
    count = rng.choice((1, 1, 2, 5))
    for step in twin.ours[at : at + count]:
        step.lost = True
    if at + count < len(twin.ours):
        twin.diverge("missing", twin.canary[at], twin.ours[at + count])
    else:
        twin.status = "ours_ended"


def plant_cut(rng: Random, twin: Twin, at: int) -> None:
    """Ours's log was cut off."""
    del twin.ours[at:]
    twin.status = "ours_ended"


def plant_common_hole(rng: Random, twin: Twin, at: int) -> None:
    """Both logs lost the same events: nothing that the comparison could see."""
    for step in (twin.canary[at], twin.ours[at]):
        step.lost = True


PLANTS = (plant_payload, plant_payload, plant_kind, plant_inserted, plant_removed, plant_hole, plant_cut)


def spoil_rest(rng: Random, twin: Twin) -> None:
    """After the first divergence anything may follow: it must not change the answer."""
    if twin.at is None or rng.random() < 0.3:
        return
    for at in range(len(twin.ours) - 1, twin.ours.index(twin.at[1]), -1):
        way = rng.random()
        if way < 0.1:
            twin.ours[at] = changed_step(rng, twin.ours[at])
        elif way < 0.15:
            del twin.ours[at]
        elif way < 0.2:
            twin.ours[at].lost = True


def make_twin(rng: Random, length: int) -> Twin:
    """One thread in both engines, with at most one planted first divergence."""
    canary = script(rng, length)
    twin = Twin(canary, copied_steps(canary))
    if canary and rng.random() < 0.1:
        plant_common_hole(rng, twin, rng.randrange(length))
    elif canary and rng.random() < 0.6:
        rng.choice(PLANTS)(rng, twin, rng.randrange(length))
        spoil_rest(rng, twin)
    if rng.random() < 0.5:
        twin.mirror()
    for step in twin.ours:
        relocalise(rng, step)
    if rng.random() < 0.4:
        for step in rng.choice((twin.canary, twin.ours)):
            respell_step(rng, step)
    return twin


# ------------------------------------------------------------------------------------------ shared-global floats


def shared_create(rng: Random, pointer: int, object_type: str) -> Step:
    """A shared-global create in one of its legal spellings."""
    sid = shared_global_sid(pointer, object_type)
    payload = {
        "raw_handle_id": rng.choice((pointer, f"0x{pointer:08x}", f"0x{pointer:08X}", f"0x{pointer:x}")),
        "handle_semantic_id": rng.choice((sid, f"{sid:016x}", f"0x{sid:016x}", f"{sid:016X}")),
        "object_type": object_type,
        "object_name": rng.choice((None, None, None, "named")),
    }
    return Step("handle.create", payload, shared=True)


def float_in(rng: Random, streams: Sequence[list[Step]], at: tuple[int, int], step: Step) -> None:
    """Put a create into a stream before a position, or at its end."""
    stream = streams[at[0]]
    stream.insert(min(at[1], len(stream)), step)


def add_shared_globals(rng: Random, twins: Sequence[Twin]) -> None:
    """Objects that a thread of each engine touches first: the same thread or another, here or there, or not."""
    for _ in range(rng.choice((0, 1, 2, 3, 8))):
        pointer, object_type = 0x82000000 + 16 * rng.randrange(2**20), rng.choice(SHARED_TYPES)
        places = [(rng.randrange(len(twins)), rng.randrange(121)) for _ in range(2)]
        if rng.random() < 0.5:
            places[1] = (places[0][0], places[0][1] + rng.choice((0, 0, 1, 2)))
        if rng.random() < 0.9:
            float_in(
                rng, [twin.canary for twin in twins], places[0], shared_create(rng, pointer, object_type)
            )
        for _ in range(rng.choices((0, 1, 2), (1, 9, 1))[0]):
            float_in(rng, [twin.ours for twin in twins], places[1], shared_create(rng, pointer, object_type))


def lose_shared_global(rng: Random, twin: Twin) -> None:
    """Let one create of an otherwise identical thread be lost on ours: its hole shows at the next step."""
    at = [number for number, step in enumerate(twin.ours) if step.shared]
    if twin.status != "identical" or not at or any(step.lost for step in twin.ours):
        return
    lost = rng.choice(at)
    twin.ours[lost].lost = True
    own = [step for step in twin.canary if not step.shared]
    before = sum(not step.shared for step in twin.ours[:lost])
    after = [step for step in twin.ours[lost:] if not step.shared]
    if after:
        twin.diverge("missing", own[before], after[0])


# ------------------------------------------------------------------------------------------------- small writers


@dataclass(frozen=True, slots=True)
class Style:
    """Everything about a small log's file that has no meaning."""

    engine: str
    fmt: Format
    eol: str = "\n"
    bom: bool = False
    blank_lines: float = 0.0
    out_of_order: int = 1
    optional: float = 1.0
    extras: float = 0.0
    versioned: bool = False
    tail: str = "whole"  # or "bare" (no newline at the end), "torn"


def random_style(rng: Random, engine: str) -> Style:
    """A style for one side; one in three logs is plain."""
    if rng.random() < 0.33:
        return Style(engine, COMPACT)
    return Style(
        engine,
        rng.choice((COMPACT, COMPACT, SPACED, ESCAPED, WILD)),
        eol=rng.choice(("\n", "\n", "\r\n")),
        bom=rng.random() < 0.2,
        blank_lines=rng.choice((0.0, 0.0, 0.05)),
        out_of_order=rng.choice((1, 1, 2, 5, 40)),
        optional=rng.choice((1.0, 1.0, 0.7, 0.0)),
        extras=rng.choice((0.0, 0.0, 0.1, 1.0)),
        versioned=rng.random() < 0.3,
        tail=rng.choice(("whole", "whole", "bare", "torn")),
    )


def header(rng: Random, style: Style) -> dict[str, Any]:
    """The first line. Whatever else it carries, it belongs to no thread's stream."""
    plain = {"schema_version": 1, "engine": style.engine}
    busy = {"kind": "handle.create", "tid": 6, "tid_event_idx": 0, "payload": {"schema_version": 9}}
    return rng.choice(
        (plain, {"schema_version": 1}, {**plain, "kind": "header", "payload": {}}, {**plain, **busy})
    )


def event_record(rng: Random, style: Style, tid: int, idx: int, step: Step) -> dict[str, Any]:
    """One event with its top-level fields."""
    optional: dict[str, Any] = {
        "engine": style.engine,
        "guest_cycle": idx * 700 + rng.randrange(700),
        "host_ns": 10**12 + idx * 9000 + rng.randrange(9000),
        "deterministic": rng.random() < 0.9,
    }
    record: dict[str, Any] = {
        name: value for name, value in optional.items() if rng.random() < style.optional
    }
    record |= {"kind": step.kind, "tid": tid, "tid_event_idx": idx, "payload": step.payload}
    if style.versioned:
        record["schema_version"] = 1
    if rng.random() < style.extras:
        extra: Any = rng.choice(({"payload": {}, "tid": -1}, '","payload":{"a":1}}', None, [[]], 1e99))
        record[rng.choice(("frame", "thread name", "Kind", "x"))] = extra
    return record


def interleaved(rng: Random, streams: Iterable[list[Any]]) -> Iterator[Any]:
    """The items of all streams, each stream in its order, taken in bursts."""
    waiting = [iter(stream) for stream in streams]
    while waiting:
        stream = rng.choice(waiting)
        for _ in range(rng.choice((1, 2, 5, 20))):
            try:
                yield next(stream)
            except StopIteration:
                waiting.remove(stream)
                break


def shuffled_nearby(rng: Random, items: list[str], window: int) -> list[str]:
    """The items, each moved by less than a window: what buffered writers do to the order of lines."""
    keys = [number + rng.random() * window for number in range(len(items))]
    return [items[number] for number in sorted(range(len(items)), key=keys.__getitem__)]


def finished(rng: Random, style: Style, lines: list[str]) -> bytes:
    """The bytes of a file: blank lines, line ends, mark and tail."""
    spread: list[str] = []
    for line in lines:
        spread.append(line)
        if rng.random() < style.blank_lines:
            spread.append(rng.choice(("", " ", "\t \t")))
    data = "".join(line + style.eol for line in spread).encode()
    if style.tail == "bare":
        data = data[: -len(style.eol)]
    elif style.tail == "torn":
        whole = lines[-1].encode()
        data += whole[: rng.randrange(1, len(whole))]
    return b"\xef\xbb\xbf" + data if style.bom else data


def write_small(rng: Random, style: Style, streams: dict[int, list[Step]]) -> bytes:
    """One log of a few threads, in the given style."""
    events = {
        tid: [event_record(rng, style, tid, idx, step) for idx, step in enumerate(steps) if not step.lost]
        for tid, steps in streams.items()
    }
    lines = [render_event(record, style.fmt) for record in interleaved(rng, events.values())]
    first = render_event(header(rng, style), style.fmt)
    return finished(rng, style, [first, *shuffled_nearby(rng, lines, style.out_of_order)])


# ---------------------------------------------------------------------------------------------------- random pairs


@dataclass(frozen=True, slots=True)
class Pair:
    """Two logs and the truth about them.

    `planted` holds, for each mapped canary tid, its first divergence or end, or None where it is identical.
    """

    canary: bytes
    ours: bytes
    tid_map: list[tuple[int, int]]
    planted: dict[int, Planted | None]
    unmapped: tuple[list[int], list[int]] = field(default=([], []))
    one_sided_sids: tuple[list[str], list[str]] = field(default=([], []))

    @property
    def identical(self) -> bool:
        """Whether the gate must hold."""
        threads = bool(self.planted) and not any(self.planted.values())
        return threads and not any(self.unmapped) and not any(self.one_sided_sids)


def written_sids(streams: Iterable[list[Step]]) -> set[str]:
    """The shared-global SIDs that reach a file."""
    written = (step.payload for stream in streams for step in stream if step.shared and not step.lost)
    found = (payload["handle_semantic_id"] for payload in written)
    return {f"{sid if isinstance(sid, int) else int(sid, 16):016x}" for sid in found}


def survives(stream: Sequence[Step]) -> bool:
    """Whether any event of a stream reaches its file: a tid without one does not exist."""
    return not all(step.lost for step in stream)


def pair_of(
    rng: Random, twins: Sequence[Twin], tids: Sequence[tuple[int, int]], styles: tuple[Style, Style]
) -> Pair:
    """Write both logs, and the truth beside them."""
    canary = {tids[number][0]: twin.canary for number, twin in enumerate(twins) if survives(twin.canary)}
    ours = {tids[number][1]: twin.ours for number, twin in enumerate(twins) if survives(twin.ours)}
    mapped = [
        (twin, pair) for twin, pair in zip(twins, tids, strict=True) if pair[0] in canary and pair[1] in ours
    ]
    truths = {pair[0]: twin.truth() for twin, pair in mapped}
    in_canary, in_ours = {pair[0] for _, pair in mapped}, {pair[1] for _, pair in mapped}
    sids = written_sids(canary.values()), written_sids(ours.values())
    return Pair(
        canary=write_small(rng, styles[0], canary),
        ours=write_small(rng, styles[1], ours),
        tid_map=[pair for _, pair in mapped],
        planted={tid: None if truth.status == "identical" else truth for tid, truth in truths.items()},
        unmapped=(sorted(set(canary) - in_canary), sorted(set(ours) - in_ours)),
        one_sided_sids=(sorted(sids[0] - sids[1]), sorted(sids[1] - sids[0])),
    )


def random_tids(rng: Random, count: int) -> list[tuple[int, int]]:
    """Tids of the threads in canary and ours: the same, shifted, or shuffled; any int is a tid."""
    base = rng.sample(range(6, 40), count) if rng.random() < 0.3 else list(range(6, 6 + count))
    way = rng.random()
    if way < 0.3:
        return [(tid, tid) for tid in base]
    if way < 0.6:
        return [(tid, tid - 5) for tid in base]
    return list(
        zip(base, rng.sample([0, 1, 2, 3, 17, 2**32 - 1, 10**20, *range(50, 60)], count), strict=True)
    )


def random_pair(seed: int) -> Pair:
    """A small pair (1 to 6 threads of 0 to 120 events) with all sorts of things in it."""
    rng = Random(seed)
    count = rng.randint(1, 6)
    lengths = [rng.choice((0, 1, 2, 3, rng.randint(4, 20), rng.randint(0, 120))) for _ in range(count)]
    if rng.random() < 0.25:  # enough pairs must be identical as a whole
        twins = [Twin(steps, copied_steps(steps)) for steps in (script(rng, length) for length in lengths)]
    else:
        twins = [make_twin(rng, length) for length in lengths]
    add_shared_globals(rng, twins)
    for twin in twins:
        if rng.random() < 0.05:
            lose_shared_global(rng, twin)
    return pair_of(
        rng, twins, random_tids(rng, count), (random_style(rng, "canary"), random_style(rng, "ours"))
    )


# ------------------------------------------------------------------------------------------------- big, fast writers

Item = tuple[int, int]
"""One event of a streamed log: the number of its template, and the varying digits of its caller's address."""

CALLER = "0x82@4@"
BIG_PHRASES: tuple[tuple[Phrase, int], ...] = (
    (critical_section, 850),
    (small_call, 90),
    (wait, 40),
    (file_read, 6),
    (local_create, 10),
    (unknown, 4),
)


class Book:
    """The distinct steps of a big log, numbered by content, so that equal events are equal numbers."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._numbers: dict[str, int] = {}

    def number(self, step: Step) -> int:
        """The number of a step. Calls get the address of their caller, which varies from event to event."""
        if step.kind == "kernel.return":
            step = replace(step, payload={**step.payload, "module": "xboxkrnl.exe"})
        if step.kind == "kernel.call":
            step = replace(step, payload={**step.payload, "module": "xboxkrnl.exe", "caller": CALLER})
        key = f"{step.payload['handle_semantic_id']}" if step.shared else content(step)
        if key not in self._numbers:
            self._numbers[key] = len(self.steps)
            self.steps.append(step)
        return self._numbers[key]

    def phrase(self, steps: Iterable[Step]) -> list[int]:
        """The numbers of several steps."""
        return [self.number(step) for step in steps]

    def items(self, numbers: Iterable[int], caller: int) -> list[Item]:
        """The events of a phrase; what is no call has no caller."""
        return [(number, caller if self.steps[number].kind == "kernel.call" else 0) for number in numbers]


class LineWriter:
    """Writes the events of one engine's log from templates, at a microsecond or two a line."""

    def __init__(self, out: BinaryIO, engine: str, fmt: Format, steps: Sequence[Step], rng: Random) -> None:
        self.out = out
        self.lines: list[str] = []
        self.ns = rng.randrange(10**12, 2 * 10**12)
        self.cycles_per_event = rng.randrange(600, 900)
        self.templates = [line_template(engine, fmt, localised(rng, engine, step)) for step in steps]
        slots = {"tid": 0, "tid_event_idx": 1, "guest_cycle": 2, "host_ns": 3, "payload": 4}
        self.pick = operator.itemgetter(*(slots[name] for name in fmt.top_order if name in slots))
        self.lines.append(
            render_event({"schema_version": 1, "engine": engine, "kind": "header", "payload": {}}, fmt)
        )

    def write(self, tid: int, first_idx: int, items: Iterable[Item]) -> int:
        """Write a burst of one thread's events; returns the index after it."""
        idx, ns, pick, templates, append = first_idx, self.ns, self.pick, self.templates, self.lines.append
        for number, caller in items:
            ns += 8000 + (caller & 1023)
            append(templates[number] % pick((tid, idx, idx * self.cycles_per_event, ns, caller)))
            idx += 1
        self.ns = ns
        if len(self.lines) > 4000:
            self.flush()
        return idx

    def flush(self) -> None:
        """Hand over what is written so far."""
        self.lines.append("")
        self.out.write("\n".join(self.lines).encode())
        self.lines.clear()


def localised(rng: Random, engine: str, step: Step) -> Step:
    """A step with this engine's values in the skipped fields (canary's are those of the script)."""
    [own] = copied_steps([step])
    if engine != "canary" and not step.shared and step.kind != "thread.create":
        relocalise(rng, own)
    return own


def line_template(engine: str, fmt: Format, step: Step) -> str:
    """A `%` template of a step's line, whose slots come in the order of the format's fields."""
    record = {"schema_version": 1, "engine": engine, "kind": step.kind, "deterministic": True}
    numbers = {"tid": "@0@", "tid_event_idx": "@1@", "guest_cycle": "@2@", "host_ns": "@3@"}
    record |= {name: NumberText(slot) for name, slot in numbers.items()}
    payload = render(step.payload, fmt)
    if "@4@" not in payload:
        payload = "@none@" + payload
    text = render_event({**record, "payload": NumberText(payload)}, fmt).replace("%", "%%")
    text = re.sub("@[0-3]@", "%d", text)
    return text.replace("@4@", "%06x").replace("@none@", "%.0s")


def write_bursts(rng: Random, writer: LineWriter, streams: dict[int, Iterator[Item]]) -> None:
    """Write all streams to their ends, in bursts; every thread shows up once in the order given."""
    next_idx = {tid: writer.write(tid, 0, itertools.islice(stream, 1)) for tid, stream in streams.items()}
    alive = list(streams)
    while alive:
        tid = rng.choice(alive)
        want = rng.choice((1, 2, 4, 30, 200))
        after = writer.write(tid, next_idx[tid], itertools.islice(streams[tid], want))
        if after - next_idx[tid] < want:
            alive.remove(tid)
        next_idx[tid] = after
    writer.flush()


# ---------------------------------------------------------------------------------------------------- the big pair


@dataclass(frozen=True, slots=True)
class BigPlan:
    """What both sides of a big pair do: phrases to choose from, each thread's opening and its length."""

    book: Book
    phrases: list[list[int]]
    openings: list[list[int]]
    lengths: list[int]
    detour: list[int]
    shared: list[int]


def shares(events: int, threads: int) -> list[int]:
    """How many events each thread has: the main thread most, in all exactly so many."""
    weights = [3, *(1 + number % 3 for number in range(1, threads))]
    lengths = [events * weight // sum(weights) for weight in weights]
    lengths[0] += events - sum(lengths)
    return lengths


def opening(number: int, threads: int) -> list[Step]:
    """How a thread starts: the main thread makes the others; the workers of the pool start alike."""
    if number:
        start = "KeSetAffinityThread" if number % 2 else f"KeTlsAlloc{number}"
        return call(start, {"args": [0, number % 2]})
    made = {"start_context": None, "stack_size": 65536, "creation_flags": 0}
    entries = [0x82000000 + 0x100 * (1 if child % 2 else child) for child in range(1, threads)]
    tids = range(7, 6 + threads)
    children = [
        Step("thread.create", {"child_tid": tid, "entry_point": f"0x{entry:08x}", **made, "ordinal": tid - 7})
        for tid, entry in zip(tids, entries, strict=True)
    ]
    return [*call("XexGetModuleHandle", {"args": [None]}), *children]


def big_plan(seed: int, events: int, threads: int) -> BigPlan:
    """The common part of a big pair."""
    rng, book = Random(seed), Book()
    makers, weights = zip(*BIG_PHRASES, strict=True)
    phrases = [book.phrase(maker(rng)) for maker in rng.choices(makers, weights, k=3000)]
    openings = [book.phrase(opening(number, threads)) for number in range(threads)]
    detour = book.phrase(call("XamShowMessageBoxUI", {"args": [255, "Disc Unreadable", 1]}))
    shared = []
    for number in range(200):
        pointer = 0x82800000 + 16 * number
        shared.append(book.number(shared_create(rng, pointer, SHARED_TYPES[number % 3])))
    return BigPlan(book, phrases, openings, shares(events, threads), detour, shared)


def big_stream(plan: BigPlan, seed: int, number: int) -> Iterator[Item]:
    """The events of one thread, the same on both sides."""
    rng = Random(seed * 1000 + number)
    head = plan.book.items(plan.openings[number], number)

    def work() -> Iterator[Item]:
        while True:
            for phrase in rng.choices(plan.phrases, k=256):
                yield from plan.book.items(phrase, rng.getrandbits(20))

    return itertools.islice(itertools.chain(head, work()), plan.lengths[number])


def with_inserted(stream: Iterator[Item], inserted: dict[int, list[Item]]) -> Iterator[Item]:
    """A stream with further events before some of its positions."""
    done = 0
    for position in sorted(inserted):
        yield from itertools.islice(stream, position - done)
        yield from inserted[position]
        done = position
    yield from stream


def shared_places(rng: Random, plan: BigPlan) -> list[dict[int, list[Item]]]:
    """Where on one side the shared-global creates happen: any thread, any position."""
    places: list[dict[int, list[Item]]] = [{} for _ in plan.lengths]
    for number in plan.shared:
        thread = rng.randrange(len(places))
        places[thread].setdefault(rng.randrange(1, plan.lengths[thread] + 1), []).append((number, 0))
    return places


def write_big_side(
    path: Path, engine: str, fmt: Format, plan: BigPlan, seed: int, diverge_after: int | None
) -> None:
    """Write one side of a big pair; with `diverge_after`, its main thread takes a detour there."""
    rng = Random(f"{seed} {engine}")
    streams = {}
    for number, inserted in enumerate(shared_places(rng, plan)):
        if diverge_after is not None and number == 0:
            # first things first: the divergence stands before a create that floats to the same position
            inserted[diverge_after] = plan.book.items(plan.detour, 0) + inserted.get(diverge_after, [])
        tid = number + (6 if engine == "canary" else 1)
        streams[tid] = with_inserted(big_stream(plan, seed, number), inserted)
    with path.open("wb") as out:
        write_bursts(rng, LineWriter(out, engine, fmt, engine_steps(plan.book, engine), rng), streams)


def engine_steps(book: Book, engine: str) -> list[Step]:
    """The steps of the book with the tids of this engine's children."""
    shift = 0 if engine == "canary" else -5
    return [
        replace(step, payload={**step.payload, "child_tid": step.payload["child_tid"] + shift})
        if step.kind == "thread.create"
        else step
        for step in book.steps
    ]


def write_big_pair(
    directory: Path,
    *,
    events: int = 1_500_000,
    threads: int = 12,
    seed: int = 1,
    canary_format: Format = COMPACT,
    ours_format: Format = COMPACT,
    diverge_after: int | None = None,
) -> tuple[Path, Path]:
    """Two big logs (some 270 bytes an event) in a directory; canary's tids are 6…, those of ours 1….

    They are identical under the rules, given floats, and differ in clocks, cycles, handles, interleaving and in
    where shared-global objects are first touched. With `diverge_after`, the main thread of ours does something
    else after so many of its events (not counting shared-global creates), and then goes on as canary does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    plan = big_plan(seed, events, threads)
    if diverge_after is not None and not 0 < diverge_after < plan.lengths[0]:
        raise ValueError(f"the main thread has {plan.lengths[0]} events, so none after {diverge_after}")
    canary, ours = directory / "canary.jsonl", directory / "ours.jsonl"
    write_big_side(canary, "canary", canary_format, plan, seed, None)
    write_big_side(ours, "ours", ours_format, plan, seed, diverge_after)
    return canary, ours


# ------------------------------------------------------------------------------------------------------- worker pools


def pool_creations(rng: Random, threads: int, pool: int) -> list[list[int]]:
    """Which threads each thread creates: the main one all workers, it and two spawners the others."""
    children: list[list[int]] = [[] for _ in range(threads)]
    children[0] = [1, 2, *range(3, 3 + pool)]
    for number in range(3 + pool, threads):
        children[rng.choice((0, 1, 2))].append(number)
    rng.shuffle(children[0])
    return children


def creation_order(rng: Random, children: Sequence[Sequence[int]]) -> list[int]:
    """One engine's order of the threads' births: each creator keeps its own order, timing does the rest."""
    born, ready = [0], [iter(children[0])]
    while ready:
        creator = rng.choice(ready)
        child = next(creator, None)
        if child is None:
            ready.remove(creator)
        else:
            born.append(child)
            ready.append(iter(children[child]))
    return born


def pool_twin(rng: Random, start: list[Step], length: int, diverge_at: int | None) -> Twin:
    """A thread with a given start; from `diverge_at` on, ours does other things than canary."""
    rest = script(rng, length - len(start), WORK_PHRASES)
    twin = Twin([*start, *rest], [])
    twin.ours = copied_steps(twin.canary)
    while diverge_at is not None and twin.status != "diverged":
        twin.ours[diverge_at:] = script(rng, length - diverge_at, WORK_PHRASES)
        if content(twin.ours[diverge_at]) != content(twin.canary[diverge_at]):
            diverge_by_content(twin, diverge_at)
    for step in twin.ours:
        relocalise(rng, step)
    return twin


def add_creations(steps: list[Step], children: Sequence[int], tids: Sequence[int], workers: range) -> None:
    """Put a thread's creations into its first hundred events; those of workers are alike but for the tid."""
    for place, child in enumerate(children):
        alike = child in workers
        made = {
            "child_tid": tids[child],
            "entry_point": "0x82400000" if alike else f"0x{0x82500000 + 0x40 * child:08x}",
            "start_context": "0x40010000" if alike else f"0x{0x40020000 + 0x100 * child:08x}",
            "stack_size": 65536,
            "creation_flags": 0x1,
        }
        steps.insert(4 + 5 * place, Step("thread.create", made))


def shuffled_workers(rng: Random, children: Sequence[int], workers: range) -> list[int]:
    """The children in order, but another worker in each worker's place: all look alike when they are born."""
    drawn = iter(rng.sample(workers, len(workers)))
    return [next(drawn) if child in workers else child for child in children]


def pool_tids(
    rng: Random, children: list[list[int]], workers: range, first_tid: int
) -> tuple[list[list[int]], list[int]]:
    """One engine's births: who creates whom, and the tid of each thread, from one counter."""
    own = [shuffled_workers(rng, children[0], workers), *children[1:]]
    tids = [0] * len(children)
    for place, number in enumerate(creation_order(rng, own)):
        tids[number] = first_tid + place
    return own, tids


def pool_pair(
    seed: int,
    threads: int = 30,
    pool: int = 12,
    *,
    common: int = 20,
    diverge_at: int = 200,
    lengths: tuple[int, int] = (400, 1000),
    diverging: float = 1 / 3,
    styles: tuple[Style, Style] = (Style("canary", COMPACT), Style("ours", COMPACT)),
) -> Pair:
    """Logs of many threads, of which a pool of workers is told apart only by its work.

    The workers have the same creator, entry point, context and first `common` events; which of them is born first
    differs between the engines, as do all tids. A share of the threads (never the main one) diverges at its own
    event `diverge_at`, and does other things from there on.
    """
    if threads < pool + 3 or min(lengths) <= diverge_at:
        raise ValueError("too few threads for the pool, or too short for the divergence")
    rng = Random(seed)
    workers, children = range(3, 3 + pool), pool_creations(rng, threads, pool)
    bad = set(rng.sample(range(1, threads), round(threads * diverging)))
    worker_start = script(rng, common, WORK_PHRASES)
    twins = []
    for number in range(threads):
        start = worker_start if number in workers else call(f"KeThreadStart{number}", {"args": [number]})
        where = None
        if number in bad:  # the spawners' creations come on top of the script
            where = diverge_at - len(children[number])
        twins.append(pool_twin(rng, copied_steps(start), rng.randint(*lengths), where))
    canary_children, canary_tids = pool_tids(rng, children, workers, 6)
    ours_children, ours_tids = pool_tids(rng, children, workers, 3)
    for number, twin in enumerate(twins):
        add_creations(twin.canary, canary_children[number], canary_tids, workers)
        add_creations(twin.ours, ours_children[number], ours_tids, workers)
    add_shared_globals(rng, twins)
    return pair_of(rng, twins, list(zip(canary_tids, ours_tids, strict=True)), styles)


# ---------------------------------------------------------------------------------------------------- planted changes


@dataclass(frozen=True, slots=True)
class Change:
    """One planted change: its class, and the events of each side that it takes up.

    Classes: `changed` (payload of one event), `missing_on_ours`, `extra_on_ours`, `replaced` (a block by another),
    `reordered` (two neighbours swapped), `repeated` (a loop of another number of turns). Indexes are those of the
    first event concerned, or of the event before which something was put in. For `repeated` they are the loop's
    start, and the counts are all its events on either side.
    """

    cls: str
    canary_idx: int
    canary_count: int
    ours_idx: int
    ours_count: int

    @property
    def count(self) -> int:
        """How many events it is about: the difference for a loop, else the longer side."""
        if self.cls == "repeated":
            return abs(self.canary_count - self.ours_count)
        return max(self.canary_count, self.ours_count)


@dataclass(frozen=True, slots=True)
class PlantedLogs:
    """Two single-thread logs on disk (canary's tid 6, ours's tid 1) and the changes between them, in order."""

    canary: Path
    ours: Path
    changes: list[Change]
    tid_map: tuple[tuple[int, int], ...] = ((6, 1),)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of both streams with one change in it: `canary` in the one, `ours` in the other."""

    cls: str
    before: list[Item]
    canary: list[Item]
    ours: list[Item]
    after: list[Item]

    @property
    def unambiguous(self) -> bool:
        """Whether the change stands where it says: shifting it by an event must not come to the same streams."""
        if self.cls == "changed":
            return self.canary != self.ours
        if self.cls == "reordered":
            return len({self.before[-1], *self.canary, self.after[0]}) == 4
        return all(
            not side or (side[0] != self.after[0] and side[-1] != self.before[-1]) for side in self.sides
        )

    @property
    def sides(self) -> tuple[list[Item], list[Item]]:
        """What stands between `before` and `after`, in canary and in ours."""
        return self.canary, self.ours


class Planter:
    """Makes the segments of a planted pair: filler that both sides share, with one change in it."""

    def __init__(self, rng: Random, loop_heavy: bool, variety: int) -> None:
        self.rng, self.book = rng, Book()
        makers, weights = zip(*WORK_PHRASES, strict=True)
        self.phrases = [self.book.phrase(maker(rng)) for maker in rng.choices(makers, weights, k=variety)]
        self.loops = [self.book.phrase(steps) for steps in tight_loops()]
        self.loop_share = 0.9 if loop_heavy else 0.0
        self.callers = 4 if loop_heavy else 1024
        self.detours = [
            self.book.phrase(call(name, {"args": [7]})) for name in ("XamShowUI", "NtCancelTimer")
        ]
        self.turn = self.book.phrase(polling_turn())
        self.turns_made = 0
        self.variants = [self.book.number(self.variant(step)) for step in self.book.steps.copy()]
        self.makers: dict[str, Callable[[], tuple[list[Item], list[Item]]]] = {
            "changed": self.changed,
            "missing_on_ours": self.missing,
            "extra_on_ours": self.extra,
            "replaced": self.replaced,
            "reordered": self.reordered,
            "repeated": self.repeated,
        }

    def variant(self, step: Step) -> Step:
        """The same event with another value in one field, its name and type kept."""
        fixed = (*SKIPPED_FIELDS.get(step.kind, ()), "name", "object_type", "module", "caller")
        return replace(step, payload=changed_object(self.rng, step.payload, fixed))

    def filler(self, count: int) -> list[Item]:
        """So many events that happen on both sides."""
        items: list[Item] = []
        while len(items) < count:
            numbers = self.rng.choice(self.loops if self.rng.random() < self.loop_share else self.phrases)
            items += self.book.items(numbers, self.rng.randrange(self.callers))
        return items[:count]

    def detour(self, count: int) -> list[Item]:
        """So many events that happen nowhere else."""
        numbers = itertools.cycle(itertools.chain(*self.detours))
        return self.book.items(itertools.islice(numbers, count), self.rng.getrandbits(20))

    def block_size(self) -> int:
        """Single events half of the time, else blocks."""
        return self.rng.choice((1, 1, 1, 2, 5, 20))

    def changed(self) -> tuple[list[Item], list[Item]]:
        """The payload of one event."""
        [(number, caller)] = self.filler(1)
        return [(number, caller)], [(self.variants[number], caller)]

    def missing(self) -> tuple[list[Item], list[Item]]:
        """Events that only canary has."""
        return self.filler(self.block_size()), []

    def extra(self) -> tuple[list[Item], list[Item]]:
        """Events that only ours has, of the usual sort or of another."""
        return [], self.rng.choice((self.filler, self.detour))(self.block_size())

    def replaced(self) -> tuple[list[Item], list[Item]]:
        """A block by a block of other calls."""
        return self.filler(self.block_size()), self.detour(self.block_size())

    def reordered(self) -> tuple[list[Item], list[Item]]:
        """Two neighbours, swapped."""
        pair = self.filler(2)
        return pair, pair[::-1]

    def repeated(self) -> tuple[list[Item], list[Item]]:
        """A polling loop with another number of turns."""
        self.turns_made += 1
        body = self.book.items(self.turn, 0xF00000 + self.turns_made)
        canary_turns, ours_turns = self.rng.sample(range(1, 13), 2)
        return body * canary_turns, body * ours_turns

    def segment(self, length: int) -> Segment:
        """One stretch of both streams with one change, which can be read in one way only."""
        lead = self.rng.randint(6, length - 6)
        before, after = self.filler(lead), self.filler(length - lead)
        while True:
            cls = self.rng.choice(list(self.makers))
            segment = Segment(cls, before, *self.makers[cls](), after)
            if segment.unambiguous:
                return segment


def tight_loops() -> list[list[Step]]:
    """The four calls that a loop-heavy log is made of."""
    names = (
        ("RtlEnterCriticalSection", "RtlLeaveCriticalSection"),
        ("KfAcquireSpinLock", "KfReleaseSpinLock"),
    )
    arguments = {"args": ["0x82a00010"]}
    return [call(enter, arguments) + call(leave, arguments) for enter, leave in names]


def polling_turn() -> list[Step]:
    """One turn of a loop whose number of turns is timing."""
    return call("KeDelayExecutionThread", {"interval": -10000}) + call("XamInputGetState", {"args": [0, 1]})


def write_planted(
    canary_out: BinaryIO,
    ours_out: BinaryIO,
    seed: int,
    events: int,
    changes: int,
    loop_heavy: bool,
    ours_format: Format,
) -> list[Change]:
    """Stream both sides of a planted pair, segment by segment; returns the changes."""
    if not 0 < changes <= events // 20:
        raise ValueError("a change needs 20 events around it")
    rng = Random(f"planted {seed}")
    planter = Planter(rng, loop_heavy, variety=min(2000, 50 + events // 10))
    canary = LineWriter(canary_out, "canary", COMPACT, planter.book.steps, rng)
    ours = LineWriter(ours_out, "ours", ours_format, planter.book.steps, rng)
    planted, canary_idx, ours_idx = [], 0, 0
    for number in range(changes):
        length = events * (number + 1) // changes - events * number // changes
        segment = planter.segment(length)
        lead, sizes = len(segment.before), (len(segment.canary), len(segment.ours))
        planted.append(Change(segment.cls, canary_idx + lead, sizes[0], ours_idx + lead, sizes[1]))
        canary_idx = canary.write(6, canary_idx, segment.before + segment.canary + segment.after)
        ours_idx = ours.write(1, ours_idx, segment.before + segment.ours + segment.after)
    canary.flush()
    ours.flush()
    return planted


def write_planted_pair(
    directory: Path,
    seed: int,
    events: int = 1_000_000,
    changes: int = 1000,
    loop_heavy: bool = False,
    ours_format: Format = COMPACT,
) -> PlantedLogs:
    """Two single-thread logs in a directory, with scattered changes of every class between them.

    With `loop_heavy`, nine of ten events come from four calls with hardly any difference among them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    canary, ours = directory / "canary.jsonl", directory / "ours.jsonl"
    with canary.open("wb") as canary_out, ours.open("wb") as ours_out:
        planted = write_planted(canary_out, ours_out, seed, events, changes, loop_heavy, ours_format)
    return PlantedLogs(canary, ours, planted)


def planted_pair(
    seed: int,
    events: int = 10_000,
    changes: int = 10,
    loop_heavy: bool = False,
    ours_format: Format = COMPACT,
) -> tuple[bytes, bytes, list[Change]]:
    """The same as `write_planted_pair`, in memory: canary's bytes, ours's, and the changes."""
    canary, ours = io.BytesIO(), io.BytesIO()
    planted = write_planted(canary, ours, seed, events, changes, loop_heavy, ours_format)
    return canary.getvalue(), ours.getvalue(), planted


# ------------------------------------------------------------------------------------------- one change at a time


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A pair whose only difference is one payload field of one kind; `skipped`: the gate must not see it."""

    kind: str
    field: str
    skipped: bool
    how: str
    canary: bytes
    ours: bytes


SAMPLES: dict[str, dict[str, Any]] = {
    "kernel.call": {
        "name": "NtReadFile",
        "args": [1, "0x82000010"],
        "handle": 8,
        "raw_handle_id": 1,
        "child_tid": 2,
    },
    "kernel.return": {"name": "NtReadFile", "return_value": 0, "status": 0, "block": {"information": [0, 1]}},
    "handle.create": {
        "raw_handle_id": "0xf8000004",
        "handle_semantic_id": "0123456789abcdef",
        "object_type": "Event",
        "object_name": None,
    },
    "handle.destroy": {
        "raw_handle_id": "0xf8000004",
        "handle_semantic_id": "0123456789abcdef",
        "object_type": "Event",
        "object_name": "x",
    },
    "wait.begin": {
        "handles_semantic_ids": ["0123"],
        "wait_type": "any",
        "alertable": False,
        "timeout_ns": None,
    },
    "wait.end": {"status": 0, "wait_duration_cycles": 1, "woken_by_semantic_id": "0123"},
    "thread.create": {
        "child_tid": 7,
        "entry_point": "0x82000000",
        "start_context": 0,
        "stack_size": 65536,
        "creation_flags": 1,
    },
    "thread.exit": {"exit_code": 0},
    "gpu.swap": {
        "frame": 1,
        "handle_semantic_id": "a",
        "raw_handle_id": 1,
        "handles_semantic_ids": [],
        "child_tid": 1,
    },
}
"""Of every kind a payload with every field, and some fields that are skipped for other kinds only."""


def field_changes(seed: int = 0) -> Iterator[FieldChange]:
    """Every field of every kind: changed, absent, and added; to test that the gate sees each, or does not."""
    rng = Random(seed)
    for kind, payload in SAMPLES.items():
        for name, value in payload.items():
            skipped = name in SKIPPED_FIELDS.get(kind, ())
            rest = {key: item for key, item in payload.items() if key != name}
            different = {**payload, name: changed_value(rng, value)}
            for how, other in (("changed", different), ("absent", rest)):
                yield FieldChange(
                    kind, name, skipped, how, *(one_step_log(kind, it) for it in (payload, other))
                )
        more = {**payload, "one more": None}
        yield FieldChange(
            kind, "one more", False, "added", *(one_step_log(kind, it) for it in (payload, more))
        )


def one_step_log(kind: str, payload: dict[str, Any]) -> bytes:
    """A log of one thread with one interesting event between two plain ones."""
    steps = call("NtYieldExecution", {})
    steps.insert(1, Step(kind, payload))
    return write_small(Random(0), Style("canary", COMPACT), {6: steps})


# ------------------------------------------------------------------------------------------------------ command line


def write_pair(directory: Path, pair: Pair) -> None:
    """Write a small pair, and its truth beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "canary.jsonl").write_bytes(pair.canary)
    (directory / "ours.jsonl").write_bytes(pair.ours)
    planted = {tid: truth and asdict(truth) for tid, truth in pair.planted.items()}
    write_truth(
        directory,
        {
            "tid_map": pair.tid_map,
            "planted": planted,
            "unmapped": pair.unmapped,
            "one_sided_sids": pair.one_sided_sids,
        },
    )


def write_truth(directory: Path, truth: Any) -> None:
    """The known answer, for whoever looks at the logs later."""
    (directory / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def make_parser() -> argparse.ArgumentParser:
    """The command line: one kind of pair per subcommand."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.generator", description="make pairs of event logs"
    )
    commands = parser.add_subparsers(dest="what", required=True)
    for what in ("random", "pool", "big", "planted"):
        command = commands.add_parser(what)
        command.add_argument(
            "--out", type=Path, required=True, help="directory to write canary.jsonl and ours.jsonl in"
        )
        command.add_argument("--seed", type=int, default=1)
        if what in ("big", "planted"):
            command.add_argument("--events", type=int, default=1_500_000 if what == "big" else 1_000_000)
            command.add_argument("--format", choices=sorted(FORMATS), default="compact", help="of ours")
        if what == "big":
            command.add_argument("--threads", type=int, default=12)
            command.add_argument("--diverge-after", type=int)
        if what == "planted":
            command.add_argument("--changes", type=int, default=1000)
            command.add_argument("--loop-heavy", action="store_true")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Make one pair."""
    options = make_parser().parse_args(argv)
    out, seed = options.out, options.seed
    if options.what == "random":
        write_pair(out, random_pair(seed))
    elif options.what == "pool":
        write_pair(out, pool_pair(seed))
    elif options.what == "big":
        rest = {"threads": options.threads, "ours_format": FORMATS[options.format]}
        write_big_pair(out, events=options.events, seed=seed, diverge_after=options.diverge_after, **rest)
    else:
        rest = {"loop_heavy": options.loop_heavy, "ours_format": FORMATS[options.format]}
        logs = write_planted_pair(out, seed, options.events, options.changes, **rest)
        write_truth(out, [asdict(change) for change in logs.changes])
    return 0


if __name__ == "__main__":
    sys.exit(main())
