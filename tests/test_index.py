"""The index: streams, two processes, formats that differ, and the way back from a fingerprint to its event."""

import dataclasses
import gzip
import itertools
import json
import multiprocessing
import os
import random
import sys
import threading
import time
import unittest
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import diff_events
from tests import generator
from tests.support import (
    HEADER,
    LogTestCase,
    Outcome,
    calls,
    compiled_file,
    event,
    log_bytes,
    run,
    seeds,
    several_processes,
    shared_create,
)
from tests.test_random_pairs import pinned_fields


class Streams(LogTestCase):
    """Threads whose events come in any order, with holes, in chunks and segments of any size."""

    def index(self, indexes: Sequence[int], processes: int = 1) -> tuple[diff_events.Log, diff_events.Stream]:
        events = [event(idx, payload={"name": "f", "n": place}) for place, idx in enumerate(indexes)]
        source = diff_events.LogSource(self.write("log", log_bytes(events)))
        self.addCleanup(source.close)
        [index] = diff_events.index_logs([source], processes=processes)
        return diff_events.Log(source, index), index.streams[6]

    def test_against_a_slow_twin(self) -> None:
        for seed in range(150):
            rng = random.Random(seed)
            indexes = sorted(rng.sample(range(60), rng.randint(1, 40)))
            for _ in range(rng.choice((0, 0, 1, 3, 50))):
                cut = rng.randrange(len(indexes))
                indexes = indexes[cut:] + indexes[:cut] if rng.random() < 0.5 else indexes[:cut] + indexes[cut:][::-1]
            sizes: dict[str, Any] = {"CHUNK_BYTES": rng.randint(1, 600), "SEGMENT_BYTES": rng.randint(1, 2000)}
            with self.subTest(seed=seed), mock.patch.multiple(diff_events, **sizes):
                self.check(indexes)

    def check(self, indexes: list[int]) -> None:
        (log, stream), ordered = self.index(indexes), sorted(indexes)
        self.assertEqual((len(stream), stream.reordered), (len(indexes), indexes != ordered))
        for position, idx in enumerate(ordered):
            self.assertEqual((stream.idx_at(position), stream.position_of(idx)), (idx, position))
            found = log.event(6, position)
            self.assertEqual((found.idx, found.payload["n"]), (idx, indexes.index(idx)))
            self.assertEqual(found.lineno, indexes.index(idx) + 2)
            end = stream.run_end(position)
            self.assertGreater(end, position)
            self.assertEqual(ordered[position:end], list(range(idx, idx + end - position)))
            self.assertTrue(end == len(ordered) or ordered[end] != ordered[end - 1] + 1)
        self.assertEqual(stream.positions_of(ordered), list(range(len(ordered))))
        missing = [idx for idx in range(ordered[-1] + 1) if idx not in set(indexes)]
        lost, first = stream.lost()
        self.assertEqual(lost, len(missing))
        if missing:
            self.assertEqual(first, missing[0])

    def test_doubled_indexes(self) -> None:
        for seed in range(150):
            rng = random.Random(seed)
            indexes = [rng.randrange(30) for _ in range(rng.randint(2, 12))]
            first = next((idx for idx in sorted(indexes) if indexes.count(idx) > 1), None)
            sizes: dict[str, Any] = {"CHUNK_BYTES": rng.randint(1, 600), "SEGMENT_BYTES": rng.randint(1, 600)}
            with self.subTest(indexes=indexes), mock.patch.multiple(diff_events, **sizes):
                if first is None:
                    self.check(indexes)
                    continue
                one, other = [place + 2 for place, idx in enumerate(indexes) if idx == first][:2]
                problem = f"index {first} of tid 6 stands on line {one} already"
                with self.assertRaisesRegex(diff_events.InputError, problem) as refusal:
                    self.index(indexes)
                self.assertEqual(refusal.exception.lineno, other)


class FindingAgain(LogTestCase):
    """Whatever a writer's lines look like, and wherever a log was cut, each event is found on its line."""

    SPELLINGS = (
        '{{"kind":"{kind}","tid":{tid},"tid_event_idx":{idx},"payload":{payload}}}',
        '{{"kind": "{kind}", "tid": {tid}, "tid_event_idx": {idx}, "payload": {payload}}}',
        '{{"tid_event_idx":{idx},"engine":"e","tid":{tid},"kind":"{kind}","payload":{payload}}}',
        '{{"tid_event_idx": {idx}, "payload": {payload}, "tid": {tid}, "kind": "{kind}"}}',
        '{{"tid"  :{tid},"tid_event_idx" :{idx},"kind":"{kind}","payload":{payload}}}\r',
    )

    def lines(self, rng: random.Random) -> Iterator[tuple[int, int, str, str]]:
        """Events of threads 1, 11 and 111, whose numbers hold each other, as tid, index, kind and line."""
        following = {1: 0, 11: 9, 111: 98}
        spellings = rng.sample(self.SPELLINGS, rng.choice((1, 1, 2, 5)))
        for number in range(rng.randint(1, 40)):
            tid, kind = rng.choice((1, 11, 111)), rng.choice(("kernel.call", "kernel.return"))
            idx = following[tid]
            following[tid] += rng.choice((1, 1, 1, 2))
            separators = rng.choice(((",", ":"), (", ", ": ")))
            inner = json.dumps({"tid": tid, "tid_event_idx": idx + 1}, separators=separators)
            payload = f'{{"name":"f{number}","inner":{inner}}}'
            yield tid, idx, kind, rng.choice(spellings).format(kind=kind, tid=tid, idx=idx, payload=payload)

    def test_against_a_slow_twin(self) -> None:
        for seed in range(16):
            rng = random.Random(seed)
            events: dict[int, list[tuple[int, int, str, str, bytes]]] = {1: [], 11: [], 111: []}
            text, lineno = HEADER, 1
            for tid, idx, kind, line in self.lines(rng):
                blank = rng.choice((0, 0, 0, 0, 1)) * (seed % 2)
                lineno += 1 + blank
                text += b" \n" * blank + line.encode() + b"\n"
                name = json.loads(line)["payload"]["name"]
                events[tid].append((lineno, idx, kind, name, line.encode()))
            chunk_bytes, segment_bytes = rng.choice((1, 300, 9000)), rng.choice((1, 700, 9000))
            sizes: dict[str, Any] = {"CHUNK_BYTES": chunk_bytes, "SEGMENT_BYTES": segment_bytes}
            with self.subTest(seed=seed), mock.patch.multiple(diff_events, **sizes):
                source = diff_events.LogSource(self.write("log", text[: len(text) - seed % 3 // 2]))
                [index] = diff_events.index_logs([source], processes=1)
                self.check(diff_events.Log(source, index, events_at_hand=2), {t: e for t, e in events.items() if e})
                source.close()

    def check(self, log: diff_events.Log, events: Mapping[int, list[tuple[int, int, str, str, bytes]]]) -> None:
        self.assertEqual(set(log.index.streams), set(events))
        everywhere = sorted((lineno, tid, idx) for tid, rows in events.items() for lineno, idx, *_ in rows)
        self.assertEqual([(one.lineno, one.tid, one.idx) for one in log.events()], everywhere)
        places = [(tid, position) for tid, rows in events.items() for position in range(len(rows))]
        for (tid, position), lineno, raw in log.raw_events_at(places):
            self.assertEqual((lineno, int(raw.tid_event_idx)), events[tid][position][:2])
        for tid, rows in events.items():
            names = [name for _, _, kind, name, _ in rows if kind == "kernel.call"]
            self.assertEqual([*log.calls(tid)], names)
            self.assertEqual(log.index.first_calls.get(tid), next(iter(names), None))
            for position, (lineno, idx, kind, name, line) in enumerate(rows):
                self.assertEqual(log.position(tid, idx), position)
                self.assertEqual(log.line_of(tid, position), (lineno, line))
                self.assertEqual([*log.lines_with(tid, idx)], [lineno])
                one = log.event(tid, position)
                self.assertEqual((one.lineno, one.idx, one.kind, one.name), (lineno, idx, kind, name))
                before = [row[1] for row in reversed(rows[max(0, position - 3) : position])]
                self.assertEqual([one.idx for one in log.before(tid, position, 3)], before)
                so_far = [name for _, _, kind, name, _ in rows[:position] if kind == "kernel.call"]
                self.assertEqual([*log.calls(tid, position)], so_far)
            needles = {b'"f1', b'"f2"'}
            with_any = [row[1] for row in rows if any(needle in row[4] for needle in needles)]
            found = log.indexes_with_any(needles, tid, range(len(log.index.chunks)))
            self.assertEqual([idx for indexes in found for idx in indexes], with_any)
            log.hold((tid, position) for position in range(0, len(rows), 2))
            self.assertEqual([log.event(tid, n).lineno for n in range(len(rows))], [row[0] for row in rows])


class Objects(LogTestCase):
    def refs(self, kind: str, **payload: Any) -> list[tuple[int, int, int, int]]:
        return [*diff_events.object_refs(kind.encode(), {3: payload})]

    def test_which_objects_an_event_names(self) -> None:
        roles = diff_events.ObjectRole
        both = [5, "0x1f"]
        for wait_type, role in (("any", roles.WAITED_FOR), ("all", roles.WAITED_FOR_WITH_OTHERS)):
            found = self.refs("wait.begin", handles_semantic_ids=both, wait_type=wait_type)
            self.assertEqual(found, [(3, 5, role, 0), (3, 31, role, 0)])
        alone = self.refs("wait.begin", handles_semantic_ids=[5], wait_type="all")
        self.assertEqual(alone, [(3, 5, roles.WAITED_FOR, 0)])
        self.assertEqual(self.refs("wait.begin", handles_semantic_ids=[5, "no id"]), [])
        self.assertEqual(self.refs("wait.begin", handles_semantic_ids=5), [])
        self.assertEqual(self.refs("handle.create", raw_handle_id="0x10"), [(3, 0, roles.CREATED, 16)])
        self.assertEqual(self.refs("handle.destroy", handle_semantic_id=7), [(3, 7, roles.DESTROYED, 0)])
        self.assertEqual(self.refs("handle.create", object_type="Event"), [])
        self.assertEqual(self.refs("wait.end", woken_by_semantic_id=7), [(3, 7, roles.WOKE, 0)])
        self.assertEqual(self.refs("wait.end", raw_handle_id=9), [])
        self.assertEqual(self.refs("kernel.call", handle_semantic_id=7, raw_handle_id=9), [])

    def test_their_columns_in_index_order_whatever_the_segments(self) -> None:
        def made(idx: int, tid: int) -> dict[str, Any]:
            return event(idx, "handle.create", {"raw_handle_id": 100 + idx, "handle_semantic_id": 10 * tid + idx}, tid)

        woken = [event(n, "wait.end", {"woken_by_semantic_id": 50 + n}, 7) for n in (2, 1)]
        path = self.write("log", log_bytes([made(1, 8), made(0, 7), *woken, made(0, 8)]))
        for size in (1, 9000):
            source = diff_events.LogSource(path)
            self.addCleanup(source.close)
            with mock.patch.multiple(diff_events, CHUNK_BYTES=size, SEGMENT_BYTES=size):
                [index] = diff_events.index_logs([source], processes=1)
            columns, tids = index.objects, index.objects.tids
            rows = zip(columns.indexes, columns.sids, columns.roles, columns.raws, strict=True)
            self.assertEqual([tids[thread] for thread in columns.threads], [8, 7, 7, 7, 8])
            self.assertEqual([*rows], [(0, 80, 0, 100), (0, 70, 0, 100), (1, 51, 4, 0), (2, 52, 4, 0), (1, 81, 0, 101)])


class EqualRuns(unittest.TestCase):
    def test_against_a_slow_twin(self) -> None:
        rng = random.Random(1)
        for _ in range(300):
            size = rng.choice((0, 1, 5, 63, 64, 65, 200, 20_000))
            one = array("q", (rng.randrange(3) for _ in range(size)))
            other = one[:]
            if size and rng.random() < 0.8:
                other[rng.randrange(size)] ^= 4
            start = rng.randrange(size + 1)
            most = rng.randrange(size - start + 1)
            slow = next((n for n in range(most) if one[start + n] != other[start + n]), most)
            self.assertEqual(diff_events.equal_run(one, start, other, start, most), slow)


class Paths(LogTestCase):
    """Whatever way the work goes, the report is the same."""

    def outcome(self, canary: bytes, ours: bytes, *options: str) -> Outcome:
        paths = self.write("canary", canary), self.write("ours", ours)
        return run("--canary", paths[0], "--ours", paths[1], "--report", "json:-", *options)

    def outcome_of(self, pair: generator.Pair) -> Outcome:
        return self.outcome(pair.canary, pair.ours, "--tid-map", self.pins(pair), "--no-auto-map")

    @staticmethod
    def pins(pair: generator.Pair) -> str:
        return ",".join(f"{canary}={ours}" for canary, ours in pair.tid_map)

    def test_two_processes(self) -> None:
        for seed in seeds(6):
            pair = generator.random_pair(seed)
            expected = self.outcome_of(pair)
            with self.subTest(seed=seed), several_processes():
                self.assertEqual(self.outcome_of(pair), expected)

    def test_two_processes_and_a_question_in_any_chunk(self) -> None:
        """What the other process read is read back in this one, wherever it stands."""
        events = [event(idx, payload={"name": f"Call{idx % 9}", "pad": "x" * 400}) for idx in range(3000)]
        lines = log_bytes(events).splitlines(keepends=True)
        canary = b"".join(lines)
        self.assertGreater(len(canary), 5 * diff_events.CHUNK_BYTES)
        for at in range(50, 3000, 950):
            differs = json.dumps(event(at, payload={"name": "other"})).encode() + b"\n"
            other = b"".join([*lines[: at + 1], differs, *lines[at + 2 :]])
            with self.subTest(at=at), several_processes(segment_bytes=1 << 16):
                document = json.loads(self.outcome(canary, other).out)
                self.assertEqual(document["threads"][0]["divergence"]["event"]["ours"]["line"], at + 2)

    def test_two_processes_and_spools(self) -> None:
        events = [event(idx, payload={"name": f"Call{idx % 9}", "pad": "x" * 400}) for idx in range(1500)]
        spaced = log_bytes(events)
        compact = HEADER + b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in events[:1200])
        expected = self.outcome(compact, spaced)
        for canary, ours in itertools.product((compact, gzip.compress(compact)), (spaced, gzip.compress(spaced))):
            with several_processes(segment_bytes=1 << 16):
                found = json.loads(self.outcome(canary, ours).out)
            self.assertEqual(found, json.loads(expected.out))

    def test_no_process_to_be_had(self) -> None:
        pair = generator.random_pair(3)
        expected = self.outcome_of(pair)
        with several_processes(), mock.patch.object(os, "fork", side_effect=OSError(11, "no more processes")):
            self.assertEqual(self.outcome_of(pair), expected)

    def test_no_fork_beside_other_threads(self) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        started_afresh = mock.patch.object(os, "fork", side_effect=AssertionError)
        only_there = mock.patch.object(diff_events._SegmentIndexer, "index", side_effect=AssertionError)
        where = os.path.dirname(compiled_file())
        self.enterContext(mock.patch.object(sys, "path", [where, *sys.path]))  # theirs as well
        for seed in ("0", "random"):  # whatever this process has, theirs must be one
            with several_processes(), started_afresh, only_there, mock.patch.dict(os.environ, PYTHONHASHSEED=seed):
                self.assertEqual(self.outcome(log_bytes(calls(3)), log_bytes(calls(3))).code, 0)

    def test_a_process_that_dies(self) -> None:
        parent = os.getpid()
        index = diff_events._SegmentIndexer.index

        def die_as_child(indexer: Any, segment: diff_events.Segment) -> Any:
            if os.getpid() != parent:
                os._exit(7)
            return index(indexer, segment)

        with several_processes(), mock.patch.object(diff_events._SegmentIndexer, "index", die_as_child):
            outcome = self.outcome(log_bytes(calls(3)), log_bytes(calls(3)))
        self.assertEqual(outcome.code, 2)
        self.assertRegex(outcome.err, r"\A[^\n]*(canary|ours): [^\n]*7\n\Z")
        self.assertEqual(multiprocessing.active_children(), [])

    def test_a_process_that_dies_before_it_gets_more(self) -> None:
        """What was to be its second piece is not left out in silence."""
        parent, segments = os.getpid(), diff_events.LogSource.segments

        def die_as_child(indexer: Any, segment: diff_events.Segment) -> Any:
            if os.getpid() != parent:
                os._exit(7)
            raise AssertionError("the parent has helpers")

        def slowly(source: diff_events.LogSource) -> Iterator[diff_events.Segment]:
            for number, segment in enumerate(segments(source)):
                time.sleep(0.3 * (number == 1))  # then, they have ended
                yield segment

        slow = mock.patch.object(diff_events.LogSource, "segments", slowly)
        with several_processes(), slow, mock.patch.object(diff_events._SegmentIndexer, "index", die_as_child):
            outcome = self.outcome(log_bytes(calls(9)), log_bytes(calls(9)))
        self.assertRegex(outcome.err, r"\A[^\n]*(canary|ours): [^\n]*7\n\Z")

    def test_no_process_outlives_a_log_that_is_refused(self) -> None:
        with several_processes():
            outcome = self.outcome(log_bytes(calls(3)) + b"{}\n" * 9, log_bytes(calls(300)))
        self.assertEqual(outcome.code, 2)
        self.assertEqual(multiprocessing.active_children(), [])

    @staticmethod
    def pinned(outcome: Outcome) -> tuple[int, object]:
        """The exit code and the fields that the schema pins."""
        return outcome.code, pinned_fields(json.loads(outcome.out)) if outcome.out else None

    def test_raw_and_canonical_fingerprints(self) -> None:
        for seed in seeds(8):
            pair = generator.random_pair(seed)
            with self.subTest(seed=seed):
                found = []
                for differ in (False, True):
                    with mock.patch.object(diff_events, "formats_differ", return_value=differ):
                        found.append(self.pinned(self.outcome_of(pair)))
                self.assertEqual(*found)

    def test_the_fast_fingerprint_is_used(self) -> None:
        self.assertIs(diff_events.fingerprint, hash)  # on all systems where this suite is run

    def test_portable_fingerprint(self) -> None:
        portable = diff_events._portable_fingerprint()
        self.assertEqual(portable((b"a", b"bc")), portable((b"a", b"bc")))
        self.assertNotEqual(portable((b"a", b"bc")), portable((b"ab", b"c")))
        for seed in seeds(5):
            pair = generator.random_pair(seed)
            expected = self.outcome_of(pair)
            with mock.patch.object(diff_events, "fingerprint", portable):
                self.assertEqual(self.outcome_of(pair), expected)

    def test_formats_that_differ_only_later(self) -> None:
        """The beginning promises equal bytes, then one side spells them otherwise: indexed anew, by value."""
        events = [event(idx, payload={"name": "f", "n": idx}) for idx in range(1200)]
        early = log_bytes(events[:600])
        late = b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in events[600:])
        canary = log_bytes(events)
        self.assertEqual(self.reindexed(canary, early + late), [False, True])
        self.assertEqual(self.reindexed(canary, gzip.compress(early + late)), [False, True])
        self.assertEqual(self.reindexed(canary, canary), [False])
        self.assertEqual(self.reindexed(canary, early + late.replace(b'"n":1199', b'"n":0')), [False, True])
        self.assertEqual(self.reindexed(canary, log_bytes(events).replace(b'": ', b'":')), [True])

    def test_a_few_events_in_another_format(self) -> None:
        """Beside a divergence, or as a match before it, they are no reason to index both logs anew."""
        events = [event(idx, payload={"name": "f", "n": idx}) for idx in range(300)]
        canary = log_bytes(events)
        diverged = canary.replace(b'"n": 100}', b'"n": 0}')
        for odd in ((102,), (100,), (50, 101, 120), (101, 102)):
            ours = diverged
            for n in odd:
                ours = ours.replace(b'"n": %d}' % n, b'"n":%d }' % n)
            with self.subTest(odd=odd):
                self.assertEqual(self.reindexed(canary, ours), [False])
        ours = diverged.replace(b'"n": 10', b'"n":10')
        self.assertEqual(self.reindexed(canary, ours), [False, True])

    def reindexed(self, canary: bytes, ours: bytes) -> list[bool]:
        """How the logs were indexed, one attempt after the other; the result is checked against another way."""
        with mock.patch.object(diff_events, "index_logs", wraps=diff_events.index_logs) as index_logs:
            outcome = self.outcome(canary, ours)
        ways = [call.kwargs["canonical"] for call in index_logs.call_args_list]
        with mock.patch.object(diff_events, "formats_differ", return_value=True):
            self.assertEqual(self.outcome(canary, ours), outcome)
        return ways

    def test_formats_are_told_behind_blank_lines(self) -> None:
        compact = HEADER + b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in calls(9))
        for ours in (
            log_bytes(calls(9)),
            b"\n" + log_bytes(calls(9)),
            b"\xef\xbb\xbf \r\n\n" + log_bytes(calls(9))[:-1],
        ):
            with self.subTest(ours=ours[:20]):
                self.assertEqual(self.reindexed(compact, ours), [True])

    def test_a_blank_line_changes_no_pairing(self) -> None:
        """Two threads begin with the same call and appear in another order: only what follows tells them apart."""
        streams = [[event(idx, payload={"name": "f", "n": idx * tid}, tid=tid) for idx in range(9)] for tid in (6, 7)]
        joined = streams[0] + streams[1]
        canary = HEADER + b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in joined)
        ours = log_bytes(streams[1] + streams[0])
        self.assertEqual(self.gate(canary, ours), 0)
        self.assertEqual(self.gate(canary, b"\n" + ours), 0)

    def test_memory_of_payloads_is_bounded(self) -> None:
        events = [event(idx, payload={"name": "f", "n": idx % 50}) for idx in range(400)]
        spaced, compact = log_bytes(events), log_bytes(events).replace(b": ", b":")
        with mock.patch.object(diff_events, "SEGMENT_BYTES", 9999):
            self.assertEqual(json.loads(self.outcome(spaced, compact).out)["verdict"], "identical")


class Index(LogTestCase):
    def index(self, events: bytes | Sequence[Mapping[str, Any]], **options: Any) -> diff_events.LogIndex:
        source = diff_events.LogSource(self.write("log", events if isinstance(events, bytes) else log_bytes(events)))
        self.addCleanup(source.close)
        return diff_events.index_logs([source], processes=1, **options)[0]

    def test_what_is_noted(self) -> None:
        created = {"child_tid": 9, "entry_point": "0x82", "start_context": 0, "name": "x"}
        index = self.index(
            [
                *(event(0, "other", {}), event(1, payload={"name": "First"}), event(0, tid=9), shared_create(2)),
                *(event(3, "thread.create", created), event(4, "thread.create", {"child_tid": True}), event(5)),
            ]
        )
        self.assertEqual((index.events, list(index.streams), index.first_calls), (7, [6, 9], {6: "First", 9: "Call0"}))
        (shared,) = index.shared_globals
        self.assertEqual((shared.tid, shared.idx, shared.pointer), (6, 2, 0x828F0010))
        (creation,) = index.creations
        self.assertEqual((creation.creator_tid, creation.idx, creation.child_tid), (6, 3, 9))

    def test_bytes_and_slow_lines_are_those_of_all_segments(self) -> None:
        odd = b'{"kind":"x","tid":6,"tid_event_idx":%d,"payload":{"%s":[{}]}}\n'
        data = b"\n \n" + log_bytes(calls(3)) + b"".join(odd % (n, b"a" * n) for n in range(3, 9))
        with mock.patch.multiple(diff_events, SEGMENT_BYTES=1, CHUNK_BYTES=1):
            index = self.index(data)
        self.assertEqual((index.bytes, index.events, index.next_lineno), (len(data), 9, data.count(b"\n") + 1))
        self.assertGreater(index.exact_lines, 0)

    def test_first_call_in_index_order(self) -> None:
        index = self.index([event(3), event(2), event(0, "other", {}), event(1), event(0, tid=7)])
        self.assertEqual(index.first_calls, {6: "Call1", 7: "Call0"})

    def test_first_call_without_a_name(self) -> None:
        index = self.index([event(0, payload={"Name": 1}), event(0, payload={"name": [1]}, tid=7)])
        self.assertEqual(list(index.first_calls), [6, 7])

    def test_errors_cross_processes(self) -> None:
        error = diff_events.InputError("log", "problem", lineno=3, field="tid")
        rebuild, arguments = error.__reduce__()
        again = rebuild(*arguments)
        self.assertEqual((str(again), again.lineno), (str(error), 3))

    def test_records_are_values(self) -> None:
        index = self.index(calls(3))
        with self.assertRaises(dataclasses.FrozenInstanceError):
            setattr(diff_events.LogWarning(diff_events.WarningKind.HOLE), "tid", 3)  # noqa: B010
        self.assertEqual(index.warnings, [])

    def test_unmapped_and_lone(self) -> None:
        document = self.compare(
            [event(0), shared_create(0, tid=7), *(event(idx, tid=8) for idx in range(9)), event(0, "x", {}, tid=9)],
            [event(0)],
            "--tid-map=6=6",
            "--no-auto-map",
        )
        self.assertEqual(document["unmapped"]["canary"], [7, 8, 9])
        numbers = [(one["tid"], one["events"]) for one in document["unmapped_threads"]["canary"]]
        self.assertEqual(numbers, [(7, 1), (8, 9), (9, 1)])
        (place,) = document["shared_globals"]["places"]["canary"]
        self.assertEqual((place["tid"], place["line"]), (7, 3))


if __name__ == "__main__":
    unittest.main()
