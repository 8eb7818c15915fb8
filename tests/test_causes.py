"""Which divergence comes out of which, and where to start: known answers."""

import json
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diff_events import (
    Cause,
    DiffOptions,
    Explained,
    Novelty,
    Relation,
    Report,
    StartReason,
    TextWriter,
    ThreadReport,
    diff_logs,
    read_profile,
    render_html,
    render_json,
    render_markdown,
    summary_document,
)
from tests.small_logs import Line, called, compare, compare_lines, log_text, made, spawned, waited

MAIN = 6
OK, NO_FILE = 0, 0xC000000F


def opened(tid: int, status: int) -> list[Line]:
    """A call that returns a status."""
    return called(tid, "NtOpenFile", status, path="game:\\default.xex")


def worked(tid: int, count: int = 1) -> list[Line]:
    """Calls that nothing comes of."""
    return called(tid, "NtYieldExecution", at=tid) * count


def thread_of(report: Report, tid: int) -> ThreadReport:
    """What the report says of canary's thread."""
    return next(thread for thread in report.threads if thread.pair.canary_tid == tid)


def cause_of(report: Report, tid: int) -> Cause:
    """What it says of the thread's cause."""
    cause = thread_of(report, tid).cause
    assert cause is not None
    return cause


def upstream_of(report: Report, tid: int) -> tuple[Relation, int | None]:
    """How a thread's divergence relates to another's."""
    cause = cause_of(report, tid)
    return cause.relation, cause.upstream.canary_tid if cause.upstream else None


class StartHere(unittest.TestCase):
    def assert_start(self, report: Report, reason: StartReason, tid: int | None, downstream: int = 0) -> None:
        start = report.start_here
        assert start is not None
        self.assertEqual((start.reason, start.canary_tid, start.downstream), (reason, tid, downstream))
        said = render_markdown(report).partition("## Start here")[2].partition("\n- ")[0]
        if downstream:
            followers = "1 other thread" if downstream == 1 else f"{downstream} other threads"
            self.assertIn(f"{followers} can be shown to follow from it.", said)
        self.assertTrue(said)
        self.assertEqual(json.loads(render_json(report))["start_here"]["reason"], reason.value)

    def test_identical_logs_have_no_start(self) -> None:
        report = compare_lines(worked(6, 3), worked(6, 3))
        self.assertIsNone(report.start_here)
        self.assertNotIn("Start here", render_markdown(report))

    def test_the_only_divergence(self) -> None:
        self.assert_start(compare_lines(opened(6, OK), opened(6, NO_FILE)), StartReason.FAILS_ON_OURS, 6)

    def test_twelve_threads_because_of_one(self) -> None:
        def side(status: int) -> list[Line]:
            lines = [line for tid in range(7, 18) for line in worked(tid, 5)]
            lines += opened(MAIN, status)
            for tid in range(7, 18):
                sid = f"{0xABC00 + tid:016x}"
                lines += called(MAIN, "NtSetEvent", handle=f"0xF80000{tid:02x}", sid=sid)
                lines += waited(tid, sid, woken_by=sid) + called(tid, "VdSwap", status)
            return lines

        report = compare_lines(side(OK), side(NO_FILE))
        self.assert_start(report, StartReason.FAILS_ON_OURS, MAIN)
        for tid in range(7, 18):
            self.assertEqual(upstream_of(report, tid), (Relation.WOKEN_BY, MAIN))
        self.assertIsNone(thread_of(report, MAIN).cause)

    def test_ours_alone_says_that_the_first_in_canary_is_downstream(self) -> None:
        canary = [*worked(7), *waited(7, "b" * 16), *opened(7, OK), *worked(8), *opened(8, OK)]
        signal = called(8, "NtSetEvent", handle="0x" + "b" * 16)
        ours = [*worked(7), *worked(8), *opened(8, NO_FILE), *signal, *waited(7, "b" * 16), *opened(7, NO_FILE)]
        report = compare_lines([*canary, *signal], ours)
        self.assert_start(report, StartReason.FAILS_ON_OURS, 8)
        self.assertEqual(upstream_of(report, 7), (Relation.WOKEN_BY, 8))

    def test_what_ours_did_later_caused_nothing_before(self) -> None:
        """In canary the other thread got there first; in ours the read fails, and then the box comes up."""
        canary = [*worked(6), *called(6, "XamUserGetSigninState"), *worked(7), *opened(7, OK)]
        ours = [*worked(7), *opened(7, NO_FILE), *worked(6), *called(6, "XamShowMessageBoxUI")]
        report = compare_lines(canary, ours)
        self.assert_start(report, StartReason.FAILS_ON_OURS, 7)
        self.assertEqual(upstream_of(report, 6), (Relation.UNKNOWN, None))

    def test_a_signal_that_ours_left_out_may_show_late(self) -> None:
        """Ours does not signal; its next event stands behind the time-out that comes of it."""
        signal = called(7, "NtSetEvent", handle="0x" + "f" * 16)
        canary = [*worked(7), *signal, *waited(6, "f" * 16), *worked(7)]
        ours = [*worked(7), *waited(6, "f" * 16, status=0x102), *worked(7)]
        report = compare_lines(canary, ours)
        self.assert_start(report, StartReason.EVENTS_MISSING, 7, downstream=1)
        self.assertEqual(upstream_of(report, 6), (Relation.MISSING_SIGNAL, 7))

    def test_without_divergence_the_thread_that_ended_first(self) -> None:
        canary = [*worked(6, 3), *worked(7, 3), *waited(8, "c" * 16), *worked(6)]
        ours = [*waited(8, "c" * 16)[:2], *worked(6, 3), *worked(7, 3)]
        self.assert_start(compare_lines(canary, ours), StartReason.STUCK, 8)

    def test_without_divergence_a_thread_without_partner(self) -> None:
        canary = [*worked(6, 3), *worked(7, 3)]
        report = compare_lines(canary, worked(6, 3), tid_map={6: 6}, auto_map=False)
        self.assert_start(report, StartReason.THREAD_WITHOUT_PARTNER, 7)

    def test_without_divergence_a_shared_global_of_one_log(self) -> None:
        shared = made(6, "59fe0438b2bb0cfb", "0x828f0010")
        report = compare_lines([*worked(6), shared, *worked(6)], worked(6, 2))
        self.assert_start(report, StartReason.LONE_SHARED_GLOBAL, 6)
        self.assertIn("0x828f0010", render_markdown(report).split("## Start here")[1].split("|")[0])

    def test_a_thread_that_hangs_is_the_start_and_its_signaller_is_named(self) -> None:
        sid = "f" * 16
        signal = called(6, "NtSetEvent", handle=f"0x{sid}")
        canary = [*waited(7, sid)[:2], *worked(6, 3), *signal, *waited(7, sid)[2:], *worked(7, 4), *worked(8, 12)]
        ours = [*waited(7, sid)[:2], *worked(8, 12), *worked(6, 3)]
        report = compare_lines(canary, ours)
        self.assert_start(report, StartReason.STUCK, 7)
        self.assertIn("its signaller was tid 6, index 6, which ours never reached", render_markdown(report))

    def test_an_index_hole_is_never_first(self) -> None:
        def text(lost: int | None, status: int) -> bytes:
            lines = [*worked(6, 9), *worked(7, 9), *called(7, "VdSwap", status), *worked(7, 2)]
            rows = log_text(lines).splitlines(keepends=True)
            return b"".join(row for n, row in enumerate(rows) if n != lost)

        report = compare(text(None, 1), text(5, 2), tid_map={6: 6, 7: 7})
        self.assert_start(report, StartReason.VALUE_CHANGED, 7)
        self.assertEqual(len(report.threads[0].divergences), 1)

    def test_the_clock_orders_what_a_buffer_kept_back(self) -> None:
        """Main fails first; its lines stand behind those of the thread that it creates."""

        def text(status: int) -> bytes:
            lines = [*worked(6, 3), *opened(6, status), spawned(6, 7), *worked(7, 3), *called(7, "VdSwap", status)]
            rows = log_text(lines).splitlines(keepends=True)
            timed = [row.replace(b'{"kind"', b'{"host_ns":%d,"kind"' % (50 + n)) for n, row in enumerate(rows[1:])]
            return b"".join([rows[0], *timed[9:], *timed[:9]])

        report = compare(text(OK), text(NO_FILE), tid_map={6: 6, 7: 7})
        self.assertEqual(upstream_of(report, 7), (Relation.CREATED_BY, 6))

    def test_a_record_cut_short_and_a_wait_that_ended_otherwise_come_behind(self) -> None:
        def side(length: int | None, status: int, size: int) -> list[Line]:
            opened = called(6, "NtOpenFile", length=length) if length else called(6, "NtOpenFile")
            read = called(6, "NtReadFile", size=size)
            quiet = called(6, "KeTlsGetValue") * 8
            return [*quiet, *opened, *quiet, *waited(6, "a" * 16, status=status)[1:3], *quiet, *read, *quiet]

        report = compare_lines(side(0x40001000, 0, 4), side(None, 0x102, 5))
        assert report.start_here is not None and report.start_here.events is not None
        self.assertEqual(report.start_here.events.canary.name, "NtReadFile")
        self.assertEqual([sort.call for sort in report.sorts], ["NtReadFile", "NtOpenFile", None])

    def test_up_to_four_others_are_next(self) -> None:
        def side(value: int) -> list[Line]:
            return [line for tid in range(6, 13) for line in (*worked(tid), *called(tid, f"Xam{tid}", value))]

        start = compare_lines(side(1), side(2)).start_here
        assert start is not None
        self.assertEqual([other.canary_tid for other in start.next], [7, 8, 9, 10])


class WhatTheOtherLogHas(unittest.TestCase):
    """What is timing, or is chosen by the engine, comes behind what the other log has nowhere."""

    def started(self, canary: Sequence[Line], ours: Sequence[Line], **options: Any) -> str | None:
        """The call where to start, on canary's side if it has one there."""
        report = compare_lines(canary, ours, **options)
        assert report.start_here is not None and report.start_here.events is not None
        self.report = report
        return next((event.name for event in report.start_here.events if event.name != "NtYieldExecution"), None)

    def test_what_engines_choose_within_a_text(self) -> None:
        chosen = [
            ("t/sortdYzPsF", "t/sortTR2H6a"), ("ccwZelcW.s", "ccx497pr.s"), ("tmp_obj_eMP946", "tmp_obj_TR2H6a"),
            ("at 0x7ffe1000", "at 0x7ffe2000"), ("1 of 4096", "1 of 5000"), ("a 1000 b 2000 c 1", "a 1001 b 2001 c 2"),
            ("t\\256\\252\\245H\\32", "u\\12"), ("\\x5c\\xbc ab", "\\xf4\\x20 ab"),
            ("", "game"),
        ]  # fmt: skip
        behaviour = [
            ("LevelOneA", "LevelTwoB"), ("fileAlpha", "fileBravo"), ("t/sortdYzPsF", "t/sortTR2H6"), ("f1x", "f2y"),
            ("a 1000 c 1", "a 1000 c 2"), ("a 1000 c 1", "a 1001 c 2"), ("\\1\\2\\3", "\\1\\2\\4"),
            ("objects/02/35a181f740", "objects/62/12f7f03988"), ("run", "stop"),
            ('"caf\\303\\251"', '"caf\\303\\250"'), ('"\\342\\202\\254"', '"a"'), ("game:\\351.bin", "game:\\352.bin"),
        ]  # fmt: skip

        def side(text: str, value: int) -> list[Line]:
            return [*worked(6), *called(6, "Open", path=text), *worked(6, 3), *called(6, "Set", n=value), *worked(6)]

        for one, other in chosen:
            with self.subTest(one, other=other):
                self.assertEqual(self.started(side(one, 1), side(other, 2)), "Set")
        for one, other in behaviour:
            with self.subTest(one, other=other):
                self.assertEqual(self.started(side(one, 1), side(other, 2)), "Open")

    def test_ids_that_are_counted_like_thread_ids(self) -> None:
        def side(tid: int, result: int, value: int) -> list[Line]:
            lines = [*called(tid, "GetParent", result), *worked(tid, 3), *called(tid, "Set", n=value)]
            return [(tid, kind, payload) for _, kind, payload in lines]

        for one, other, start in ((1000, 1040, "Set"), (1000, 1041, "GetParent"), (50, 90, "GetParent")):
            with self.subTest(one, other=other):
                self.assertEqual(self.started(side(1006, one, 1), side(1046, other, 2), tid_map={1006: 1046}), start)

    def test_what_is_timing_and_what_is_not(self) -> None:
        def either(first: Sequence[Line], second: Sequence[Line]) -> str | None:
            """Where to start of what differs so, and of a value behind it."""
            logs = (
                [*worked(6), *noise, *worked(6, 3), *called(6, "Set", n=n), *worked(6)]
                for n, noise in enumerate((first, second))
            )
            return self.started(*logs)

        def delayed(status: int) -> list[Line]:
            return called(6, "KeDelayExecutionThread", status)

        def wrong(handle: int) -> list[Line]:
            handles = [made(6, "a" * 16, "0xF8000004"), made(6, "b" * 16, "0xF8000008")]
            return [*handles, *worked(6), *called(6, "NtSetEvent", handle=f"0xF800000{handle}")]

        def mapped(address: int) -> list[Line]:
            return [*called(6, "mmap", address), *worked(6, 3), *called(6, "Use", at=address)]

        def lacking(**arguments: int) -> list[Line]:
            calls = {"name": "Open", "at": 5, **arguments}, {"name": "Write", "size": 3 + len(arguments)}
            return [(6, "kernel.call", call) for call in calls]

        wait, made_instead = waited(6, "a" * 16), made(6, "a" * 16)
        for name, one, other, start in (
            ("a field that one lacks", called(6, "Open", at=0x40001000, n=1), called(6, "Open", at=0x40002000), "Set"),
            ("a field that one lacks, and another value behind it", lacking(n=1), lacking(), "Open"),
            ("another failure", called(6, "NtOpen", NO_FILE), called(6, "NtOpen", 0xC0000022), "NtOpen"),
            ("a lock against a call", called(6, "RtlEnterCriticalSection"), called(6, "Open"), "Set"),
            ("a wait against a handle", wait, [wait[0], made_instead, wait[3]], None),
            ("a delay that fails", delayed(OK), delayed(0xC000000D), "KeDelayExecutionThread"),
            ("another object", wrong(4), wrong(8), "NtSetEvent"),
            ("an address that is used again", mapped(0x40001010), mapped(0x50002020), "mmap"),
        ):  # fmt: skip
            with self.subTest(name):
                self.assertEqual(either(one, other), start)

    def test_what_has_a_new_number_stands_not_elsewhere_only(self) -> None:
        def side(tid: int, file: int, value: int) -> list[Line]:
            lines = [*worked(7), *worked(8), *called(tid, "Close", file=file), *worked(7, 3), *worked(8, 3)]
            return [*lines, *called(9, "Look"), *called(9, "Set", n=value), *called(9, "Look")]

        self.assertEqual(self.started(side(7, 3, 1), side(8, 9, 2)), "Close")

    def test_timing_comes_behind_what_is_as_grave_among_the_next_ones_too(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            lines = [*worked(6), *called(6, "Set", n=int(ours)), *called(6, "Look"), *worked(6, 3)]
            for name in ("RtlEnterCriticalSection", "Look"):
                lines += ([] if ours else called(6, name)) + worked(6, 3)
            return lines

        start = compare_lines(side(ours=False), side(ours=True)).start_here
        assert start is not None
        self.assertEqual([at.events.canary.name for at in start.next if at.events], ["Look", "RtlEnterCriticalSection"])

    def test_timing_of_which_something_is_proven_to_come_is_not_behind(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            leave = [] if ours else called(6, "RtlLeaveCriticalSection", "", cs="0x" + "f" * 16)
            wait = waited(7, "f" * 16, status=0x102 if ours else 0)
            return [*worked(6, 3), *worked(7, 3), *leave, *wait, *worked(6), *worked(7), *called(8, "Set", n=int(ours))]

        report = compare_lines(side(ours=False), side(ours=True))
        self.assertEqual(upstream_of(report, 7), (Relation.MISSING_SIGNAL, 6))
        assert report.start_here is not None
        self.assertEqual(report.start_here.canary_tid, 6)

    def test_a_cause_weighs_what_is_proven_to_come_of_it(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            signal = called(6, "NtSetEvent", handle="0x" + ("e" if ours else "f") * 16)
            wait = waited(7, "f" * 16)[: 2 if ours else 4]
            more = [*called(8, "More"), *called(8, "Step"), *(called(8, "More") if ours else []), *called(8, "End")]
            return [*worked(6), *worked(7), *more, *signal, *wait, *worked(6, 12), *worked(8, 3)]

        report = compare_lines(side(ours=False), side(ours=True))
        assert report.start_here is not None
        self.assertEqual((report.start_here.reason, report.start_here.canary_tid), (StartReason.VALUE_CHANGED, 6))

    def test_the_gravest_sorts_come_first_though_another_has_a_new_value(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            look = [] if ours else called(6, "Look")
            last = [*called(6, "Set", n=int(ours)), *worked(6, 3)]
            return [*called(6, "Look"), *worked(6, 3), *look, *worked(6, 3), *last]

        report = compare_lines(side(ours=False), side(ours=True))
        self.assertEqual([sort.call for sort in report.sorts], ["Look", "Set"])

    def test_a_spelling_beside_another_value_is_not_all_that_differs(self) -> None:
        def side(at: object, n: int) -> list[Line]:
            opening: list[Line] = [(6, "kernel.call", {"name": "Open", "at": at})]
            opening.append((6, "kernel.return", {"name": "Open", "n": n}))
            return [*worked(6, 3), *opening, *worked(6, 3), *called(7, "Begin"), *called(7, "Set", n=n), *worked(7, 3)]

        self.assertEqual(self.started(side("255", 1), side(255, 2)), "Open")

    def test_a_creator_that_lacks_events_comes_before_its_child_that_fails(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            look = [] if ours else called(6, "Look")
            child = [*called(7, "Begin"), *opened(7, NO_FILE if ours else OK)]
            return [*worked(6), *called(6, "Look"), *worked(6, 3), *look, *worked(6), spawned(6, 7), *child, *worked(7)]

        self.assertEqual(self.started(side(ours=False), side(ours=True)), "Look")

    def test_what_follows_by_proof_comes_behind_what_follows_by_order(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            signal = [] if ours else called(6, "NtSetEvent", handle="0x" + "f" * 16)
            wait = waited(7, "f" * 16)
            child = [spawned(6, 8), *called(8, "Begin"), *called(8, "Set", n=int(ours)), *worked(8)]
            return [*worked(6), *worked(7), *signal, *(wait[:2] if ours else wait), *worked(6), *child, *worked(6, 9)]

        start = compare_lines(side(ours=False), side(ours=True)).start_here
        assert start is not None
        self.assertEqual((start.canary_tid, [at.canary_tid for at in start.next]), (6, [8, 7]))

    def test_timing_comes_behind_though_it_is_graver(self) -> None:
        def side(turns: int, value: int) -> list[Line]:
            waits = called(6, "RtlEnterCriticalSection") * turns
            return [*called(6, "Begin"), *waits, *called(6, "End"), *called(7, "Look") * 4, *called(7, "Set", n=value)]

        self.assertEqual(self.started(side(0, 1), side(1, 2)), "Set")

    def test_what_timing_and_engines_choose_is_not_new(self) -> None:

        def side(noise: dict[str, Any], *, ours: bool) -> list[Line]:
            block = [] if ours else [*called(7, "Look"), (7, "kernel.call", noise)]
            game = [] if ours else called(8, "Load", path="game")
            return [*called(7, "Look"), *worked(7, 3), *block, *worked(7, 3), *worked(8), *game, *worked(8)]

        for noise in ({"name": "KeDelayExecutionThread", "turns": 77}, {"name": "Look", "at": 0x4000ABC0}):
            with self.subTest(noise):
                self.assertEqual(self.started(side(noise, ours=False), side(noise, ours=True)), "Load")
                self.assertEqual([sort.call for sort in self.report.sorts], ["Load", "Look"])

    def test_what_stands_elsewhere_only_comes_behind(self) -> None:
        def side(first: str, second: str, value: int, *closes: tuple[int, int]) -> list[Line]:
            lines = [*called(7, "Begin"), *called(8, "Begin"), *worked(7), *worked(8)]
            lines += called(9, "Close", file=3) + called(9, "Close", file=4)
            for tid, file in closes:
                lines += called(tid, "Close", file=file)
            lines += called(7, "Read", path=first) + called(8, "Read", path=second) + worked(7) + worked(8)
            sets = [(tid, n) for tid in (9, 10, 11) for n in (1, 2, value)]
            return [*lines, *(line for tid, n in sets for line in (*called(tid, "Set", n=n), *worked(tid, 3)))]

        for canary, ours in (
            (side("f1", "f2", 1), side("f2", "f1", 2)),
            (side("f1", "f2", 1, (7, 3)), side("f1", "f2", 2, (8, 4))),
        ):
            in_other_order = [(tid, kind, dict(reversed(payload.items()))) for tid, kind, payload in ours]
            for lines in (ours, in_other_order):
                self.assertEqual(self.started(canary, lines), "Set")
                self.assertEqual(self.report.sorts[0].call, "Set")

    def test_the_creators_new_value_comes_before_the_calls_that_its_child_lacks(self) -> None:
        def side(mode: str, *, packs: bool, seen: str = "") -> list[Line]:
            child = called(7, "Pack") * 3 if packs else []
            rest = called(8, "Read", mode=seen) if seen else []
            return [
                *worked(6), *called(6, "Read", mode=mode), spawned(6, 7), *called(7, "Begin"), *worked(7),
                *child, *called(7, "Exit"), *worked(8), *rest,
            ]  # fmt: skip

        self.assertEqual(self.started(side("fast", packs=True), side("slow", packs=False)), "Read")
        logs = side("fast", packs=True, seen="slow"), side("slow", packs=False, seen="fast")
        self.assertEqual(self.started(*logs), "Pack")

    def test_what_other_threads_have_comes_behind_what_the_other_log_has_nowhere(self) -> None:
        def side(*reads: tuple[int, str, int]) -> list[Line]:
            lines = worked(7) + worked(8) + worked(9)
            for tid, path, file in reads:
                lines += called(tid, "Load" if tid == 9 else "Read", path=path, file=file) + worked(tid)
            return lines

        self.started(side((7, "f1", 4), (8, "f2", 5), (9, "f3", 5)), side((7, "f2", 4), (8, "f1", 5), (9, "f9", 5)))
        start = self.report.start_here
        assert start is not None
        self.assertEqual(start.canary_tid, 9)
        self.assertEqual([sort.call for sort in self.report.sorts], ["Load", "Read"])

    def test_a_block_is_new_if_any_of_its_events_is(self) -> None:
        def side(*more: str, ours: bool) -> list[Line]:
            lines = [*called(7, "Begin"), *worked(7), *called(8, "Begin"), *called(8, "Read", path="a"), *worked(8)]
            reads = [line for path in more for line in called(8, "Read", path=path)]
            first = [] if ours else called(7, "Read", path="a") * 3
            return [*lines, *first, *called(7, "End"), *reads, *called(8, "End")]

        for more, tid in ((("a", "a", "b", "a"), 8), (("a", "a", "a", "a"), 7)):
            with self.subTest(more):
                self.started(side(*more, ours=False), side(ours=True))
                assert self.report.start_here is not None
                self.assertEqual(self.report.start_here.canary_tid, tid)


class SeveralReferences(unittest.TestCase):
    def test_novel_is_what_no_run_has_and_lost_is_what_all_have(self) -> None:
        def run(names: str) -> bytes:
            calls = [line for name in names.split() for line in called(6, name)]
            return log_text([*worked(6, 3), *calls, *worked(6, 3)])

        for canary, references, novelty in (
            ("Old", ("New", "Old"), None),
            ("Old", ("Old", "New"), None),
            ("Old", ("Old", "Else"), Novelty.NOVEL),
            ("Old", ("New", "New"), None),
            ("Old", ("Old New", "New Old"), Novelty.LOST),
        ):
            with self.subTest(references), tempfile.TemporaryDirectory() as directory:
                paths = [Path(directory, f"{n}.jsonl") for n in range(4)]
                for path, names in zip(paths, (canary, "New", *references), strict=True):
                    path.write_bytes(run(names))
                options = DiffOptions(references=(str(paths[2]), str(paths[3])))
                report = diff_logs(str(paths[0]), str(paths[1]), options)
                self.assertEqual(report.threads[0].divergences[0].novelty, novelty)

    def test_what_no_run_has_comes_before_what_one_has(self) -> None:
        def run(*looks: Line) -> bytes:
            return log_text([*worked(6, 3), *worked(7, 3), *called(8, "Look"), *looks, *worked(6, 3), *worked(7, 3)])

        ours = run(*called(6, "Look"), *called(7, "Look", at=0x4000ABC0))
        with tempfile.TemporaryDirectory() as directory:
            paths = [Path(directory, f"{n}.jsonl") for n in range(3)]
            for path, text in zip(paths, (run(), ours, run()), strict=True):
                path.write_bytes(text)
            for references, tid in (((), 6), ((str(paths[2]),), 7)):
                options = DiffOptions(references=references, tid_map={tid: tid for tid in (6, 7, 8)})
                start = diff_logs(str(paths[0]), str(paths[1]), options).start_here
                assert start is not None
                self.assertEqual(start.canary_tid, tid)


class Pools(unittest.TestCase):
    PROFILE = """version = 1
[[pool]]
entry_point = "0x82400000"
reason = "which worker reads which file is timing"
[[ignore]]
kind = "kernel.call"
call = "Read"
field = "path"
values = ["a", "b", "c", "d", "e"]
reason = "any file"
"""

    def started(self, canary: Sequence[Line], ours: Sequence[Line]) -> dict[str, Any]:
        """Canary's event where to start."""
        first = [spawned(6, 7), spawned(6, 8)] + [line for tid in (7, 8, 9) for line in called(tid, "Begin")]
        last = [line for tid in (7, 8, 9) for line in called(tid, "End") * 3]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "p.toml")
            path.write_text(self.PROFILE, "utf-8")
            logs = [[*first, *lines, *last] for lines in (canary, ours)]
            start = compare_lines(*logs, profile=read_profile([str(path)])).start_here
        assert start is not None and start.events is not None
        return start.events.canary.payload

    def test_what_only_one_log_has_is_named_before_what_its_worker_has_earlier(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            flush = [] if ours else called(7, "Flush")
            game = [] if ours else called(7, "Load", path="game")
            return [*called(8, "Flush"), *flush, *called(7, "Sync"), *worked(7, 3), *game, *worked(7, 3)]

        self.assertEqual(self.started(side(ours=False), side(ours=True)), {"name": "Load", "path": "game"})

    def test_what_is_graver_is_named_before_what_its_worker_has_earlier(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            return [*called(7, "Set", n=int(ours)), *worked(7, 3), *opened(7, NO_FILE if ours else OK), *worked(7, 3)]

        start = self.started(side(ours=False), side(ours=True))
        self.assertEqual(start.get("name"), opened(7, OK)[-1][2]["name"])

    def test_that_one_worker_wakes_another_is_timing(self) -> None:
        def side(*, ours: bool) -> list[Line]:
            sid = "f" * 16
            flush = [] if ours else called(7, "Flush")
            game = [] if ours else called(8, "Load", path="game")
            signal = called(7, "NtSetEvent", handle=f"0x{sid}")
            return [*called(8, "Flush"), *flush, *worked(7), *signal, *waited(8, sid), *worked(8), *game, *worked(8)]

        self.assertEqual(self.started(side(ours=False), side(ours=True)), {"name": "Load", "path": "game"})


class Relations(unittest.TestCase):
    def test_created_by(self) -> None:
        def side(status: int) -> list[Line]:
            return [*worked(6), *opened(6, status), spawned(6, 7), *worked(7), *called(7, "NtReadFile", status)]

        report = compare_lines(side(OK), side(NO_FILE))
        self.assertEqual(upstream_of(report, 7), (Relation.CREATED_BY, 6))
        via = cause_of(report, 7).via
        assert via is not None
        self.assertEqual((via.kind, via.tid, via.idx), ("thread.create", 6, 4))
        self.assertIn("after which this thread was created: `thread.create child_tid=7", render_markdown(report))

    def test_a_child_in_any_spelling_of_its_tid(self) -> None:
        """What is no whole number is no creation."""

        def side(child: Any, status: int) -> list[Line]:
            creation = (6, "thread.create", {"child_tid": child})
            return [*worked(6), *opened(6, status), creation, *worked(7), *called(7, "NtReadFile", status)]

        for child, created in ((7, True), (7.0, True), ("0x7", True), (7.5, False), (True, False), ([7], False)):
            with self.subTest(child=child):
                relation, tid = upstream_of(compare_lines(side(child, OK), side(child, NO_FILE)), 7)
                self.assertEqual((relation is Relation.CREATED_BY, tid), (created, 6))

    def test_a_reused_child_tid_belongs_to_its_first_creator(self) -> None:
        lines = [*worked(7), spawned(7, 9, "0x82400001"), *worked(9), *worked(6), spawned(6, 9, "0x82400002")]
        self.assertIn("0x82400001", thread_of(compare_lines(lines, lines), 9).key)

    def test_created_before_the_creator_diverged(self) -> None:
        def side(status: int) -> list[Line]:
            return [spawned(6, 7), *worked(6), *opened(6, status), *worked(7), *called(7, "VdSwap", status)]

        report = compare_lines(side(1), side(2))
        self.assertEqual(upstream_of(report, 7), (Relation.EARLIER_IN_LOG, 6))

    def test_created_through_a_thread_that_matches(self) -> None:
        def side(status: int) -> list[Line]:
            lines = [*opened(6, status), spawned(6, 7), *worked(7), spawned(7, 8), *worked(8), *opened(8, status)]
            return lines

        self.assertEqual(upstream_of(compare_lines(side(OK), side(NO_FILE)), 8), (Relation.CREATED_BY, 6))

    def test_woken_through_a_thread_that_matches(self) -> None:
        def side(status: int) -> list[Line]:
            return [
                *opened(6, status), *called(6, "KeSetEvent", object=0x82000010),
                *waited(7, "82000010".zfill(16)), *called(7, "NtReleaseSemaphore", args=["0xF8000044", 1]),
                made(8, "d" * 16, "0xF8000044", "Semaphore"), *waited(8, "e" * 16, "d" * 16, woken_by="d" * 16),
                *opened(8, status),
            ]  # fmt: skip

        lines = side(OK), side(NO_FILE)
        for side_lines in lines:  # the semaphore is made first
            side_lines.insert(0, side_lines.pop(next(n for n, e in enumerate(side_lines) if e[1] == "handle.create")))
        report = compare_lines(*lines)
        self.assertEqual(upstream_of(report, 8), (Relation.WOKEN_BY, 6))

    def test_a_shared_object_signalled_by_its_address(self) -> None:
        def side(status: int) -> list[Line]:
            shared = made(7, "59fe0438b2bb0cfb", "0x828f0010")
            return [
                shared, *worked(6), *opened(6, status), *called(6, "KeSetEvent", event_ptr="0x828f0010"),
                *waited(7, "59fe0438b2bb0cfb"), *opened(7, status),
            ]  # fmt: skip

        self.assertEqual(upstream_of(compare_lines(side(OK), side(NO_FILE)), 7), (Relation.WOKEN_BY, 6))

    def test_an_object_signalled_by_its_handle_in_any_spelling(self) -> None:
        def side(status: int, raw: object) -> list[Line]:
            signalled = [*called(6, "NtSetEvent", handle=raw), *waited(7, "1" * 16)]
            return [made(7, "1" * 16), *worked(6), *opened(6, status), *signalled, *opened(7, status)]

        for raw in ("0xF8000004", 0xF8000004, "4160749572", -134217724, 4160749572.0):
            with self.subTest(raw=raw):
                report = compare_lines(side(OK, raw), side(NO_FILE, raw))
                self.assertEqual(upstream_of(report, 7), (Relation.WOKEN_BY, 6))

    def test_the_last_of_several_signals_of_one_object(self) -> None:
        """One thread names it by its id, another by its address, both again and again."""
        sid = "59fe0438b2bb0cfb"

        def side(status: int) -> list[Line]:
            signals = [(6, "0x828f0010"), (8, "0x" + sid), (8, "0x" + sid), (6, "0x828f0010")]
            return [
                made(7, sid, "0x828f0010"), *worked(8), *worked(6), *opened(6, status),
                *(line for tid, name in signals for line in called(tid, "KeSetEvent", event_ptr=name)),
                *waited(7, sid), *opened(7, status), *opened(8, status),
            ]  # fmt: skip

        self.assertEqual(upstream_of(compare_lines(side(OK), side(NO_FILE)), 7), (Relation.WOKEN_BY, 6))

    def test_no_signal_ended_a_wait_that_timed_out(self) -> None:
        def side(status: int) -> list[Line]:
            return [
                *opened(6, status), *called(6, "NtSetEvent", handle="0x" + "f" * 16),
                *waited(7, "f" * 16, status=0x102), *called(7, "VdSwap", status),
            ]  # fmt: skip

        self.assertEqual(upstream_of(compare_lines(side(1), side(2)), 7)[0], Relation.EARLIER_IN_LOG)

    def test_a_signal_of_another_object_or_before_the_divergence(self) -> None:
        def side(status: int) -> list[Line]:
            return [
                *called(6, "NtSetEvent", handle="0x" + "f" * 16), *opened(6, status),
                *called(6, "NtSetEvent", handle="0x" + "e" * 16), *waited(7, "f" * 16), *called(7, "VdSwap", status),
            ]  # fmt: skip

        self.assertEqual(upstream_of(compare_lines(side(1), side(2)), 7)[0], Relation.EARLIER_IN_LOG)

    def test_a_wait_that_only_canary_saw_ended(self) -> None:
        def side(status: int, signals: bool, end: int) -> list[Line]:
            signal = called(6, "NtSetEvent", handle="0x" + "f" * 16) if signals else []
            return [*worked(6), *opened(6, status), *signal, *waited(7, "f" * 16, status=end)]

        report = compare_lines(side(OK, True, 0), side(NO_FILE, False, 0x102))
        self.assertEqual(upstream_of(report, 7), (Relation.MISSING_SIGNAL, 6))

    def test_what_a_thread_does_otherwise_behind_a_wait_that_timed_out_on_ours(self) -> None:
        """How the wait ended may be timing, the call behind it is not: both come of the signal that ours left out."""

        def side(status: int, signals: bool, end: int) -> list[Line]:
            signal = called(6, "NtSetEvent", handle="0x" + "f" * 16) if signals else []
            wait = waited(7, "f" * 16, status=end)
            box = called(7, "XamShowMessageBoxUI") if end else []
            return [*worked(7, 5), *opened(6, status), *worked(6), *signal, *worked(6), *wait, *box, *worked(7, 6)]

        report = compare_lines(side(OK, True, 0), side(NO_FILE, False, 0x102))
        self.assertEqual(upstream_of(report, 7), (Relation.MISSING_SIGNAL, 6))
        at, start = cause_of(report, 7).at, report.start_here
        assert at is not None and start is not None
        signal = thread_of(report, 6).divergences[1].events
        self.assertEqual((at.canary_idx, at.ours_idx), (signal.canary.idx, signal.ours.idx))
        self.assertEqual((start.reason, start.canary_tid, start.downstream), (StartReason.FAILS_ON_OURS, 6, 0))
        self.assertEqual([other.canary_tid for other in start.next], [6, 7, 7])

    def test_a_wait_long_before_is_not_what_a_thread_comes_from(self) -> None:
        def side(status: int, signals: bool, end: int, calls: int) -> list[Line]:
            signal = called(6, "NtSetEvent", handle="0x" + "f" * 16) if signals else []
            box = called(7, "XamShowMessageBoxUI") if end else []
            wait = [*waited(7, "f" * 16, status=end), *called(7, "Step") * calls]
            return [*worked(7, 5), *opened(6, status), *worked(6), *signal, *worked(6), *wait, *box, *worked(7, 6)]

        for calls, relation in ((1, Relation.MISSING_SIGNAL), (4, Relation.WOKEN_BY)):
            with self.subTest(calls):
                report = compare_lines(side(OK, True, 0, calls), side(NO_FILE, False, 0x102, calls))
                self.assertEqual(upstream_of(report, 7)[0], relation)

    def test_the_signal_of_a_later_wait_is_not_what_a_thread_waits_for(self) -> None:
        later = [*called(6, "NtSetEvent", handle="0x" + "f" * 16), *waited(7, "f" * 16)]
        canary = [*opened(6, OK), *waited(7, "e" * 16, status=0x102), *worked(7, 3), *later]
        report = compare_lines(canary, [*opened(6, NO_FILE), *worked(6), *waited(7, "e" * 16)[:2]])
        ending = thread_of(report, 7).ending
        assert ending is not None
        self.assertIsNone(ending.signaller)
        self.assertIsNone(thread_of(report, 7).cause)

    def test_a_thread_that_ended_waiting_for_a_diverged_one(self) -> None:
        canary = [*opened(6, OK), *called(6, "NtSetEvent", handle="0x" + "f" * 16), *waited(7, "f" * 16)]
        ours = [*opened(6, NO_FILE), *worked(6), *waited(7, "f" * 16)[:2]]
        report = compare_lines(canary, ours)
        self.assertEqual(upstream_of(report, 7), (Relation.MISSING_SIGNAL, 6))
        self.assertIn("ours ended inside `kernel.call NtWaitForSingleObjectEx`", render_markdown(report))

    def test_unknown_where_the_logs_disagree_on_the_order(self) -> None:
        one = called(6, "VdSwap", 1), called(7, "VdSwap", 1)
        other = called(6, "VdSwap", 2), called(7, "VdSwap", 2)
        report = compare_lines([*one[0], *one[1]], [*other[1], *other[0]])
        self.assertEqual(upstream_of(report, 6), (Relation.UNKNOWN, None))
        self.assertIn("No relation to another divergence is known.", render_markdown(report))


class Values(unittest.TestCase):
    def side(self, handle: Any, other: Any = None) -> list[Line]:
        lines = [*worked(6), *worked(7), *called(6, "ExCreateThing", handle), *worked(7)]
        return [*lines, *called(7, "NtQueryThing", object=other or handle)]

    def test_a_pointer_that_comes_back(self) -> None:
        report = compare_lines(self.side(0x40001000), self.side(0x40002000))
        cause = cause_of(report, 7)
        self.assertEqual((cause.relation, cause.upstream), (Relation.SAME_VALUE, thread_of(report, 6).pair))
        self.assertEqual([tuple(echo.values) for echo in cause.echoes], [(0x40001000, 0x40002000)])
        text = render_markdown(report)
        self.assertIn("differs first in `payload.return_value` of **canary tid 6", text)
        self.assertEqual(text.count("differs first"), 1)

    def test_spelt_in_another_way(self) -> None:
        lines = self.side(0x40001000, "0x40001000"), self.side(0x40002000, "0x40002000")
        self.assertEqual(upstream_of(compare_lines(*lines), 7), (Relation.SAME_VALUE, 6))

    def test_two_calls_that_fail_alike_have_no_relation(self) -> None:
        def side(status: int) -> list[Line]:
            return [*worked(6), *opened(6, status), *worked(7), *called(7, "XamReport", 0, error=status)]

        report = compare_lines(side(OK), side(NO_FILE))
        self.assertEqual(upstream_of(report, 7)[0], Relation.EARLIER_IN_LOG)

    def test_small_numbers_say_nothing(self) -> None:
        report = compare_lines(self.side(1), self.side(2))
        self.assertEqual(upstream_of(report, 7)[0], Relation.EARLIER_IN_LOG)

    def test_sizes_and_round_numbers_say_nothing(self) -> None:
        round_ones = ((0x12000, 0x13000), (100_000, 2_500_000), (0x10000000, 0x20000000))
        for canary, ours in ((4096, 8192), (300, 301), *round_ones):
            with self.subTest(canary=canary):
                report = compare_lines(self.side(canary), self.side(ours))
                self.assertEqual(upstream_of(report, 7)[0], Relation.EARLIER_IN_LOG)

    def test_only_a_new_value_in_the_same_pair_is_proof(self) -> None:
        new = [self.side(0x40001000), self.side(0x40002000)]
        self.assertEqual(upstream_of(compare_lines(*new), 7)[0], Relation.SAME_VALUE)
        other_pair = self.side(0x40001000, 0x40003000), self.side(0x40002000)
        self.assertEqual(upstream_of(compare_lines(*other_pair), 7)[0], Relation.EARLIER_IN_LOG)
        for spelling in (0x40002000, "0x40002000", "1073750016", f"{0x40002000:016x}"):
            known = called(8, "XamSeen", args=[{"buffer": spelling}])
            for before in ((known, worked(8)), (worked(8), known)):
                logs = [[*seen, *lines] for seen, lines in zip(before, new, strict=True)]
                with self.subTest(spelling=spelling):
                    report = compare_lines(*logs, tid_map={6: 6, 7: 7})
                    self.assertEqual(upstream_of(report, 7)[0], Relation.EARLIER_IN_LOG)
        behind = [[*lines, *called(8, "XamSeen", args=[0x40002000])] for lines in new]
        self.assertEqual(upstream_of(compare_lines(*behind), 7)[0], Relation.SAME_VALUE)

    def test_a_value_is_known_in_all_its_spellings_and_no_others(self) -> None:
        def side(value: int, seen: int | str, more: int) -> list[Line]:
            values = [value, *range(more, more + 10)]
            made_there = [line for n, one in enumerate(values) for line in called(6, f"mmap{n}", one)]
            used = [line for n, one in enumerate(values) for line in called(7, f"Use{n}", at=one)]
            return [*worked(6), *worked(7), *called(8, "XamSeen", size=seen), *made_there, *used]

        for values, seen, relation in (
            ((0xFFFF1238, 0xFFFF5678), 0xFFFF5678 - (1 << 32), Relation.EARLIER_IN_LOG),
            ((0xFFFF1238, 0xFFFFFE38), -456, Relation.EARLIER_IN_LOG),
            ((0xFFFF1238, 0xFFFFFE38), -457, Relation.SAME_VALUE),
            ((0x100007258, 0x100000258), 600, Relation.SAME_VALUE),
            ((0x4000AB38, 0x4000ABCE), "0X4000abce", Relation.EARLIER_IN_LOG),
        ):
            for more in ((0x40001001, 0x40001001), (0x40001001, 0x40002001)):  # one value, and more than a few
                logs = [side(value, seen, start) for value, start in zip(values, more, strict=True)]
                with self.subTest(values=values, seen=seen, more=more):
                    self.assertEqual(upstream_of(compare_lines(*logs), 7)[0], relation)

    def test_of_several_values_the_first_ones_are_told_and_the_first_is_the_cause(self) -> None:
        def side(base: int) -> list[Line]:
            values = [base + 0x1230 * n for n in range(4)]
            made_there = [line for n, one in enumerate(values) for line in called(6, f"Make{n}", one)]
            return [*worked(6), *worked(7), *made_there, *called(7, "Use", **dict(zip("abcd", values, strict=True)))]

        report = compare_lines(side(0x40001010), side(0x50002020))
        echoes = thread_of(report, 7).divergences[0].echoes
        self.assertEqual([echo.path for echo in echoes], ["payload.a", "payload.b", "payload.c"])
        at = cause_of(report, 7).at
        self.assertEqual(at, echoes[0].upstream)
        self.assertNotEqual(at, echoes[1].upstream)

    def test_what_repeats_a_value_stands_behind_it_in_both_logs(self) -> None:
        def side(handle: int, *, made_first: bool) -> list[Line]:
            steps = [called(6, "Make", handle), called(7, "Use", at=handle)]
            one, other = steps if made_first else reversed(steps)
            return [*worked(6), *worked(7), *one, *other]

        report = compare_lines(side(0x40001010, made_first=False), side(0x50002020, made_first=True))
        self.assertNotEqual(upstream_of(report, 7)[0], Relation.SAME_VALUE)

    def test_many_values_are_looked_up_as_few_are(self) -> None:
        def side(base: int) -> list[Line]:
            handles = [base + 0x10010 * n for n in range(20)]
            made_there = [line for n, h in enumerate(handles) for line in called(6, f"ExCreateThing{n}", hex(h))]
            used = [line for n, h in enumerate(handles) for line in called(7, f"NtQueryThing{n}", object=h)]
            return [*worked(6), *worked(7), *called(8, "XamSeen", at=0x40020050), *made_there, *used]

        report = compare_lines(side(0x50000010), side(0x40000030), max_divergences=0)
        told = [divergence.explained_by for divergence in thread_of(report, 7).divergences]
        self.assertEqual(told, [Explained.UPSTREAM_VALUE] * 2 + [None] + [Explained.UPSTREAM_VALUE] * 17)
        self.assertIn("| example | explained by |\n", render_markdown(report))

    def test_the_divergence_with_the_value_is_named_and_stands_before_what_repeats_it(self) -> None:
        """It is not the first one of its thread: the consequence does not follow from that."""

        def side(handle: int, *, opens: bool) -> list[Line]:
            first = called(6, "XamOpen") * 3 if opens else []
            made_there = [*worked(6), *first, *worked(6, 4), *called(6, "ExCreateThing", handle), *worked(6)]
            again = [*worked(7), *called(7, "NtQueryThing", object=handle), *worked(6), *called(6, "NtUse", at=handle)]
            return [*made_there, *again]

        report = compare_lines(side(0x40001000, opens=True), side(0x40002000, opens=False))
        start, source = report.start_here, thread_of(report, 6).divergences[1].events
        assert start is not None
        self.assertEqual((start.reason, start.canary_tid, start.downstream), (StartReason.EVENTS_MISSING, 6, 0))
        places = [(other.canary_tid, other.canary_idx) for other in start.next]
        again = thread_of(report, 7).divergences[0].events.canary.idx
        self.assertEqual(places[:2], [(6, source.canary.idx), (7, again)])
        text = render_markdown(report)
        where = f"#{source.canary.idx} ↔ #{source.ours.idx}"
        caused = f"Caused by the divergence at {where} of **canary tid 6 / ours tid 6**, whose value it repeats."
        self.assertEqual(text.count(caused), 1)
        sentences = [line for line in text.splitlines() if "differs first" in line]
        self.assertEqual((len(sentences), len(set(sentences))), (2, 2))
        cause = json.loads(render_json(report))["threads"][1]["cause"]
        self.assertEqual((cause["at"]["canary_idx"], cause["at"]["ours_idx"]), (source.canary.idx, source.ours.idx))

    def test_the_cause_stands_at_the_divergence_that_it_is_of(self) -> None:
        def side(first: int, spelling: int, last: int) -> list[Line]:
            calls = called(6, "NtFirst", first), called(7, "NtSpelled", spelling), called(7, "NtLast", last)
            before = [*worked(7), *calls[1]]
            return [*before, *worked(7, 5), *worked(6, 5), *calls[0], *worked(7, 5), *calls[2], *worked(7), *worked(6)]

        report = compare_lines(side(0, -1, 3), side(1, (1 << 32) - 1, 4))
        cause = cause_of(report, 7)
        last = thread_of(report, 7).divergences[1].events.canary
        assert cause.effect is not None and cause.at is not None
        self.assertEqual((cause.relation, cause.at.canary_tid), (Relation.EARLIER_IN_LOG, 6))
        self.assertEqual((last.name, cause.effect.canary_idx), ("NtLast", last.idx))
        before, _, after = render_markdown(report).partition("### canary tid 7 / ours tid 7, divergence 2 of 2")
        self.assertEqual((before.count("Later than"), after.count("Later than")), (0, 1))

    def test_one_value_in_two_spellings_differs_and_comes_behind(self) -> None:
        spellings: list[tuple[Any, Any]] = [
            (0xC000000D, -1073741811), (-1, (1 << 64) - 1), ("0x40010000", 0x40010000), ("0xF8000004", "0xf8000004"),
            ("3221225485", "0xC000000D"), ("00ABCDEF", "00abcdef"),
        ]  # fmt: skip
        real: list[tuple[Any, Any]] = [(255, -1), (1, True), ("1x", 1), (None, 0), (-2, 5), ("ab", "AB")]
        real.append((-3_000_000_000, 1_294_967_296))  # they differ by 2 ** 32, and no 32 bits are the first

        def side(nth: int) -> list[Line]:
            pairs = [*spellings, *real]
            return [line for n, pair in enumerate(pairs) for line in (*worked(6), *called(6, f"Vd{n}", v=pair[nth]))]

        report = compare_lines(side(0), side(1), max_divergences=0)
        flagged = [divergence.fields[0].is_spelling for divergence in report.threads[0].divergences]
        self.assertEqual(flagged, [True] * len(spellings) + [False] * len(real))
        self.assertEqual([sort.differing[0].is_spelling for sort in report.sorts], flagged[::-1])
        form = json.loads(render_json(report))["threads"][0]["divergences"]
        self.assertEqual([one["fields"][0].get("same_value", False) for one in form], flagged)
        for text in (render_markdown(report), render_html(report), TextWriter().written(summary_document(report))):
            self.assertIn("same value, spelled differently", text)
        self.assertNotIn("whose value it repeats", render_markdown(report))
        alone = compare_lines(called(6, "VdSwap", v=0xC000000D), called(6, "VdSwap", v=-1073741811))
        self.assertIn("a value differs: same value, spelled differently", TextWriter().written(summary_document(alone)))

    def test_a_spelling_is_neither_a_cause_nor_where_to_start(self) -> None:
        report = compare_lines(self.side("0x40012340"), self.side(0x40012340))
        self.assertEqual(upstream_of(report, 7)[0], Relation.EARLIER_IN_LOG)

        def side(handle: object, value: int, tid: int) -> list[Line]:
            return [*worked(6), *worked(7), *called(6, "Use", at=handle), *called(tid, "Set", n=value), *worked(tid)]

        for tid in (6, 7):
            start = compare_lines(side("255", 1, tid), side(255, 2, tid)).start_here
            assert start is not None and start.events is not None
            self.assertEqual((start.canary_tid, start.events.ours.name), (tid, "Set"))

    def test_a_value_that_both_sides_have_says_nothing(self) -> None:
        def side(handle: int, size: int) -> list[Line]:
            back = called(7, "NtQueryThing", objects=[0x40001000, 0x40002000], size=size)
            return [*worked(7), *called(6, "ExCreateThing", handle), *back]

        report = compare_lines(side(0x40001000, 1), side(0x40002000, 2))
        self.assertFalse(any(thread.cause and thread.cause.relation.is_proof for thread in report.threads))


if __name__ == "__main__":
    unittest.main()
