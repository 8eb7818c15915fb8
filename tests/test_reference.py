"""The reference reading, held against answers worked out by hand and against the generator's planted truth."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import unittest
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests import generator
from tests.reference import SKIPPED, BadPins, Refused, compare, differences, parse_json, read_log
from tests.support import enough, seeds

HEADER = b'{"schema_version":1,"engine":"canary"}\n'
SID = "59fe0438b2bb0cfb"  # of (0x828f0010, Event)
SID_VECTORS = {
    (0x828F0010, "Event"): SID,
    (0x828F0010, "Semaphore"): "7c08e3d416ce4109",
    (0x82A4C000, "Event"): "91ea6738412a462e",
    (0x00000000, "Event"): "dcb75f55d4f50558",
    (0xFFFFFFFF, "Mutant"): "4ff09bd302b87649",
}
RANDOM_SEEDS = seeds(200)

Stream = Sequence[tuple[int, str, dict[str, Any]]]


def call(idx: int, name: str = "NtClose", **arguments: Any) -> tuple[int, str, dict[str, Any]]:
    """A `kernel.call` at an index."""
    return idx, "kernel.call", {"name": name, **arguments}


def create(
    idx: int, raw: Any, sid: Any, object_type: Any = "Event", **more: Any
) -> tuple[int, str, dict[str, Any]]:
    """A `handle.create` at an index, shared-global or not."""
    return (
        idx,
        "handle.create",
        {"raw_handle_id": raw, "handle_semantic_id": sid, "object_type": object_type, **more},
    )


def shared(
    idx: int, pointer: int = 0x828F0010, object_type: str = "Event"
) -> tuple[int, str, dict[str, Any]]:
    """A shared-global create at an index: one of the vectors."""
    return create(idx, pointer, SID_VECTORS[pointer, object_type], object_type)


def lines(tid: int, stream: Stream) -> bytes:
    """The lines of one thread."""
    events = (
        {"kind": kind, "tid": tid, "tid_event_idx": idx, "payload": payload} for idx, kind, payload in stream
    )
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


class ReferenceCase(unittest.TestCase):
    """A test that compares logs written to a directory of its own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def compare(
        self, canary: bytes, ours: bytes, pairs: list[tuple[int, int]] | None = None
    ) -> dict[str, Any]:
        """The reference's report of two files."""
        (self.directory / "canary").write_bytes(canary)
        (self.directory / "ours").write_bytes(ours)
        return compare(self.directory / "canary", self.directory / "ours", pairs)

    def thread(self, canary: Stream, ours: Stream) -> dict[str, Any]:
        """The report of one pair of threads."""
        report = self.compare(HEADER + lines(6, canary), HEADER + lines(1, ours), [(6, 1)])
        return dict(report["threads"][0])

    def assert_status(
        self, thread: dict[str, Any], status: str, matched: int, floats: tuple[int, int] = (0, 0)
    ) -> None:
        """Status, matches and floats of a thread; and no divergence but for `diverged`."""
        skipped = thread["floating_skipped"]
        got = thread["status"], thread["matched"], (skipped["canary"], skipped["ours"])
        self.assertEqual(got, (status, matched, floats))
        self.assertEqual(thread["divergence"] is not None, status == "diverged")


class WalkTest(ReferenceCase):
    """The six rules, each by hand."""

    def test_rule_1_equal_events_match(self) -> None:
        stream = [call(0, a=1), call(1), (2, "odd.kind", {})]
        self.assert_status(self.thread(stream, stream), "identical", 3)

    def test_rule_1_equal_shared_globals_match(self) -> None:
        stream = [call(0), shared(1), call(2)]
        self.assert_status(self.thread(stream, stream), "identical", 3)

    def test_rule_1_a_shared_global_never_equals_a_local_create(self) -> None:
        local = create(1, 0x828F0010, "0000000000000000")
        thread = self.thread([call(0), shared(1), call(2)], [call(0), local, call(2)])
        self.assert_status(thread, "diverged", 1, (1, 0))
        self.assertEqual((thread["divergence"]["canary_idx"], thread["divergence"]["ours_idx"]), (2, 1))
        self.assertEqual(thread["divergence"]["class"], "kind")

    def test_rule_1_shared_globals_of_other_sids_both_float(self) -> None:
        thread = self.thread([shared(0), call(1)], [shared(0, 0x82A4C000), call(1)])
        self.assert_status(thread, "identical", 1, (1, 1))

    def test_rules_2_and_3_a_shared_global_floats(self) -> None:
        self.assert_status(
            self.thread([shared(0), call(1), call(2)], [call(0), shared(1), call(2)]), "identical", 2, (1, 1)
        )
        self.assert_status(
            self.thread([call(0), call(1)], [call(0), shared(1), call(2)]), "identical", 2, (0, 1)
        )
        self.assert_status(self.thread([call(0), shared(1)], [call(0)]), "identical", 1, (1, 0))

    def test_rules_2_and_3_canary_floats_first(self) -> None:
        """Canary's X floats, so that the Y of both sides meet; ours's X then floats as well."""
        x, y = 0x828F0010, 0x82A4C000
        thread = self.thread([shared(0, x), shared(1, y), call(2)], [shared(0, y), shared(1, x), call(2)])
        self.assert_status(thread, "identical", 2, (1, 1))

    def test_rule_4_both_at_their_end(self) -> None:
        self.assert_status(self.thread([call(0)], [call(0)]), "identical", 1)

    def test_rule_5_one_log_ends(self) -> None:
        self.assert_status(self.thread([call(0)], [call(0), call(1)]), "canary_ended", 1)
        self.assert_status(self.thread([call(0), call(1)], [call(0)]), "ours_ended", 1)
        self.assert_status(self.thread([call(0), shared(1)], [call(0), call(1)]), "canary_ended", 1, (1, 0))

    def test_rule_6_missing_before_kind_before_payload(self) -> None:
        cases = (
            ("missing", [call(0), call(2)], 2),
            ("missing", [call(0), (2, "other", {})], 2),
            ("kind", [call(0), (1, "other", {"name": "x"})], 1),
            ("payload", [call(0), call(1, "NtOpen")], 1),
        )
        for name, ours, ours_idx in cases:
            with self.subTest(ours=ours):
                thread = self.thread([call(0), call(1)], ours)
                self.assert_status(thread, "diverged", 1)
                found = thread["divergence"]
                self.assertEqual(
                    (found["class"], found["canary_idx"], found["ours_idx"]), (name, 1, ours_idx)
                )

    def test_rule_6_fields_of_each_class(self) -> None:
        expected: tuple[tuple[Stream, list[Any]], ...] = (
            ([call(1)], []),
            ([(0, "other", {"name": "x"})], [{"path": "kind", "canary": "kernel.call", "ours": "other"}]),
            ([call(0, "NtOpen")], [{"path": "payload.name", "canary": "NtClose", "ours": "NtOpen"}]),
        )
        for ours, fields in expected:
            self.assertEqual(self.thread([call(0)], ours)["divergence"]["fields"], fields)

    def test_a_common_hole_is_no_divergence_and_a_hole_of_one_side_is(self) -> None:
        self.assert_status(self.thread([call(0), call(5)], [call(0), call(5)]), "identical", 2)
        self.assert_status(
            self.thread([call(0), shared(1), call(6)], [call(0), call(5)]), "identical", 2, (1, 0)
        )
        self.assert_status(
            self.thread([call(0), shared(1), call(5)], [call(0), call(5)]), "diverged", 1, (1, 0)
        )

    def test_indexes_reported_are_the_raw_ones(self) -> None:
        thread = self.thread([shared(0), call(1), call(2)], [call(0), call(1, "NtOpen")])
        self.assertEqual((thread["divergence"]["canary_idx"], thread["divergence"]["ours_idx"]), (2, 1))

    def test_streams_are_in_index_order(self) -> None:
        self.assert_status(
            self.thread([call(1, "b"), call(0, "a")], [call(0, "a"), call(1, "b")]), "identical", 2
        )


class SharedGlobalTest(ReferenceCase):
    """Which creates are shared-global, and the list of those on one side only."""

    def sids(self, *creates: tuple[int, str, dict[str, Any]]) -> list[str]:
        """The shared-global SIDs of these events."""
        report = self.compare(HEADER + lines(6, creates), HEADER)
        return list(report["shared_globals"]["canary_only"])

    def test_vectors(self) -> None:
        for (pointer, object_type), sid in SID_VECTORS.items():
            self.assertEqual(self.sids(create(0, pointer, sid, object_type)), [sid])
            self.assertEqual(f"{generator.shared_global_sid(pointer, object_type):016x}", sid)

    def test_forms_that_are_shared_global(self) -> None:
        for raw in (0x828F0010, "0x828f0010", "0x828F0010"):
            for sid in (SID, "0x" + SID, SID.upper(), int(SID, 16)):
                self.assertEqual(self.sids(create(0, raw, sid)), [SID], (raw, sid))

    def test_forms_that_are_not(self) -> None:
        for raw in (
            "828f0010",
            "2190409744",
            2190409744.0,
            True,
            None,
            -1,
            2**32 + 0x828F0010,
            [0x828F0010],
            "0x",
        ):
            self.assertEqual(self.sids(create(0, raw, SID)), [], raw)
        for sid in ("", "0x", " " + SID, SID + "_", "0" + SID[:-1], None, [SID], float(int(SID, 16)), True):
            self.assertEqual(self.sids(create(0, 0x828F0010, sid)), [], sid)
        for object_type in ("event", None, 1, "\ud800"):
            self.assertEqual(self.sids(create(0, 0x828F0010, SID, object_type)), [], object_type)
        self.assertEqual(self.sids((0, "handle.create", {}), (1, "handle.destroy", shared(1)[2])), [])

    def test_one_sided_ones_are_sorted_and_found_on_any_thread(self) -> None:
        canary = HEADER + lines(6, [shared(0), shared(1, 0x82A4C000)]) + lines(9, [shared(0, 0, "Event")])
        ours = HEADER + lines(4, [shared(0, 0x82A4C000)]) + lines(5, [shared(0, 0xFFFFFFFF, "Mutant")])
        report = self.compare(canary, ours, [(6, 4)])
        self.assertEqual(
            report["shared_globals"],
            {"canary_only": [SID, "dcb75f55d4f50558"], "ours_only": ["4ff09bd302b87649"]},
        )
        self.assertEqual(report["unmapped"], {"canary": [9], "ours": [5]})

    def test_a_sid_of_one_side_makes_the_verdict_divergent(self) -> None:
        report = self.compare(HEADER + lines(6, [call(0), shared(1)]), HEADER + lines(6, [call(0)]), [(6, 6)])
        self.assertEqual((report["threads"][0]["status"], report["verdict"]), ("identical", "divergent"))


class EqualityTest(unittest.TestCase):
    """JSON equality, and the list of differing fields."""

    def equal(self, canary: str, ours: str) -> bool:
        """Whether two JSON texts are equal values."""
        return not differences("payload", parse_json(canary), parse_json(ours))

    def test_equal_values(self) -> None:
        equal = (
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("1e-400", "0"),
            ("9007199254740992", "9007199254740992.0"),
            ('{"a":1,"b":[{}]}', '{ "b" : [ { } ] , "a" : 1.0 }'),
            (r'"\u0041\/"', '"A/"'),
        )
        for canary, ours in equal:
            self.assertTrue(self.equal(canary, ours), (canary, ours))

    def test_different_values(self) -> None:
        different = (
            ("1", "true"),
            ("0", "false"),
            ("1", '"1"'),
            ("null", "0"),
            ("[]", "{}"),
            ("9007199254740993", "9007199254740992.0"),
            ("1e300", "1e301"),
            ("1e-300", "0"),
            ("-1e300", "1e300"),
            (str(10**100), str(10**100 + 1)),
            ('{"a":[true]}', '{"a":[1]}'),
            ('{"a":null}', "{}"),
            ('"é"', '"e\u0301"'),
        )
        for canary, ours in different:
            self.assertFalse(self.equal(canary, ours), (canary, ours))
            self.assertFalse(self.equal(ours, canary), (ours, canary))

    def test_every_differing_leaf_in_order(self) -> None:
        canary = {"z": 1, "a b": {"x": 1, "gone": None}, "args": [1, 2, {"k": 1}], "t": {}, "same": [1]}
        ours = {"new": 0, "same": [1.0], "t": [], "args": [1, 3, {"k": 2}, 4], "a b": {"x": 2}, "z": "1"}
        expected = [
            {"path": "payload.z", "canary": 1, "ours": "1"},
            {"path": 'payload["a b"].x', "canary": 1, "ours": 2},
            {"path": 'payload["a b"].gone', "canary": None},
            {"path": "payload.args[1]", "canary": 2, "ours": 3},
            {"path": "payload.args[2].k", "canary": 1, "ours": 2},
            {"path": "payload.args[3]", "ours": 4},
            {"path": "payload.t", "canary": {}, "ours": []},
            {"path": "payload.new", "ours": 0},
        ]
        self.assertEqual(differences("payload", canary, ours), expected)

    def test_what_is_not_json(self) -> None:
        for text in (
            "NaN",
            "-Infinity",
            "[" * 100_000,
            "9" * 5000,
            "01",
            "{",
            "",
            "'a'",
            '"\t"',
            "1e" + "9" * 30,
        ):
            with self.assertRaises(ValueError, msg=text[:20]):
                parse_json(text)


class FieldTest(ReferenceCase):
    """Every compared field of every kind is seen, every skipped one is not."""

    def test_every_field_of_every_kind(self) -> None:
        seen: Counter[bool] = Counter()
        for change in generator.field_changes():
            seen[change.skipped] += 1
            with self.subTest(kind=change.kind, field=change.field, how=change.how):
                report = self.compare(change.canary, change.ours, [(6, 6)])
                self.assertEqual(report["verdict"], "identical" if change.skipped else "divergent")
                found = report["threads"][0]["divergence"]
                self.assertEqual(found, None) if change.skipped else self.assertEqual(
                    found["class"], "payload"
                )
        ways = 2  # changed, absent
        self.assertEqual(seen[True], ways * sum(map(len, SKIPPED.values())))
        self.assertGreater(seen[False], 50)

    def test_skipping_is_at_the_top_level_only(self) -> None:
        nested = [(0, "handle.destroy", {"more": {"raw_handle_id": value}}) for value in (1, 2)]
        self.assert_status(self.thread(nested[:1], nested[1:]), "diverged", 0)


class ReadingTest(ReferenceCase):
    """What is read, what is torn, and what is refused."""

    def refused_at(self, data: bytes) -> int:
        """The line that a log is refused for."""
        path = self.directory / "log"
        path.write_bytes(data)
        with self.assertRaises(Refused) as caught:
            read_log(path)
        return caught.exception.lineno

    def test_harmless_forms_of_a_file(self) -> None:
        plain = HEADER + lines(6, [call(0), call(1)])
        odd = b"\xef\xbb\xbf\r\n" + plain.replace(b"\n", b" \r\n\t \r\n")
        for data in (plain, odd, plain.rstrip(), gzip.compress(plain), plain + b"  "):
            self.assertEqual(self.compare(plain, data, [(6, 6)])["verdict"], "identical")

    def test_torn_tail(self) -> None:
        plain = HEADER + lines(6, [call(0, "é")])
        event = json.dumps(
            {"kind": "x", "tid": 6, "tid_event_idx": 1, "payload": {"é": 1}}, ensure_ascii=False
        ).encode()
        for cut in range(1, len(event)):
            (self.directory / "log").write_bytes(plain + event[:cut])
            log = read_log(self.directory / "log")
            self.assertEqual((log.torn_lineno, len(log.streams[6])), (3, 1))
        (self.directory / "log").write_bytes(plain + event)
        self.assertEqual(len(read_log(self.directory / "log").streams[6]), 2)

    def test_headers(self) -> None:
        event = lines(6, [call(0)])
        self.assertEqual(self.refused_at(b""), 0)
        self.assertEqual(self.refused_at(b'{"schema_vers'), 0)
        self.assertEqual(self.refused_at(b"\n" + event), 2)
        for version in (b"true", b'"1"', b"1.0", b"2", b"null"):
            self.assertEqual(self.refused_at(b'{"schema_version":' + version + b"}\n" + event), 1)
            stuck = event.replace(b"{", b'{"schema_version":' + version + b",", 1)
            self.assertEqual(self.refused_at(HEADER + event + stuck), 3)
        again = event.replace(b"{", b'{"schema_version":1,', 1)
        self.assertEqual(self.compare(HEADER + again, HEADER + event, [(6, 6)])["verdict"], "identical")

    def test_events_that_are_refused(self) -> None:
        good = {"kind": "x", "tid": 6, "tid_event_idx": 0, "payload": {}}
        wrong: dict[str, tuple[Any, ...]] = {
            "kind": (None, 1),
            "tid": (-1, 1.0, True, "1", None),
            "tid_event_idx": (-1, 0.0, False, "0"),
            "payload": ([], None, ""),
        }
        for name, values in wrong.items():
            bad = [{**good, name: value} for value in values]
            bad.append({key: value for key, value in good.items() if key != name})
            for event in bad:
                self.assertEqual(self.refused_at(HEADER + json.dumps(event).encode() + b"\n"), 2, event)

    def test_lines_that_are_refused(self) -> None:
        for line in (
            b"{",
            b"[]",
            b"1",
            b'{"a":NaN}',
            b"\xff",
            b"{} {}",
            b'{"a":"\xff"}',
            b"{" * 9999,
            b"[" * 99999,
        ):
            self.assertEqual(self.refused_at(HEADER + line + b"\n"), 2, line[:20])

    def test_the_same_index_twice(self) -> None:
        self.assertEqual(
            self.refused_at(
                HEADER + lines(6, [call(0), call(1)]) + lines(7, [call(1)]) + lines(6, [call(0)])
            ),
            5,
        )

    def test_holes(self) -> None:
        (self.directory / "log").write_bytes(
            HEADER + lines(6, [call(0), call(2)]) + lines(7, [call(1)]) + lines(8, [call(0)])
        )
        self.assertEqual(read_log(self.directory / "log").holes(), [6, 7])


class PairingTest(ReferenceCase):
    """The simplest automatic rule, and pins."""

    def test_same_first_call_in_order_of_appearance(self) -> None:
        canary = HEADER + lines(9, [call(0, "A")]) + lines(6, [call(0, "A")]) + lines(7, [call(0, "B")])
        ours = HEADER + lines(3, [call(0, "B")]) + lines(2, [call(0, "A")]) + lines(1, [call(0, "A")])
        report = self.compare(canary, ours)
        pairs = [(thread["canary_tid"], thread["ours_tid"]) for thread in report["threads"]]
        self.assertEqual(pairs, [(9, 2), (6, 1), (7, 3)])

    def test_threads_without_a_call_are_a_class(self) -> None:
        quiet: Stream = [(0, "irq", {})]
        report = self.compare(
            HEADER + lines(6, quiet) + lines(7, [call(0)]), HEADER + lines(1, quiet) + lines(2, quiet)
        )
        self.assertEqual(
            [(thread["canary_tid"], thread["ours_tid"]) for thread in report["threads"]], [(6, 1)]
        )
        self.assertEqual(report["unmapped"], {"canary": [7], "ours": [2]})

    def test_the_first_call_is_the_first_by_index(self) -> None:
        report = self.compare(
            HEADER + lines(6, [call(1, "B"), call(0, "A")]), HEADER + lines(1, [call(0, "A")])
        )
        self.assertEqual(len(report["threads"]), 1)

    def test_bad_pins(self) -> None:
        log = HEADER + lines(6, [call(0)]) + lines(7, [call(0)])
        for pairs in ([(6, 5)], [(5, 6)], [(6, 6), (6, 7)], [(6, 6), (7, 6)]):
            with self.assertRaises(BadPins):
                self.compare(log, log, pairs)

    def test_nothing_is_not_a_pass(self) -> None:
        self.assertEqual(self.compare(HEADER, HEADER)["verdict"], "divergent")


class PlantedTruthTest(ReferenceCase):
    """The generator knows by construction what the reference finds by reading."""

    def assert_pair(self, pair: generator.Pair) -> Counter[str]:
        """The reference agrees with everything that the generator says of a pair; returns what there was."""
        report = self.compare(pair.canary, pair.ours, pair.tid_map)
        for thread in report["threads"]:
            self.assertEqual(planted_form(thread), pair.planted[thread["canary_tid"]], thread)
        self.assertEqual(list(report["unmapped"].values()), list(pair.unmapped))
        self.assertEqual(list(report["shared_globals"].values()), list(pair.one_sided_sids))
        self.assertEqual(report["verdict"] == "identical", pair.identical)
        return Counter(kind_of(thread) for thread in report["threads"])

    def test_random_pairs(self) -> None:
        seen: Counter[str] = Counter()
        for seed in RANDOM_SEEDS:
            with self.subTest(seed=seed):
                seen += self.assert_pair(generator.random_pair(seed))
        for what in ("identical", "canary_ended", "ours_ended", "kind", "payload", "missing"):
            self.assertGreater(seen[what], enough(7), seen)

    def test_a_seed_says_it_all(self) -> None:
        self.assertEqual(generator.random_pair(7), generator.random_pair(7))
        self.assertNotEqual(generator.random_pair(7), generator.random_pair(8))

    def test_pools(self) -> None:
        for seed in seeds(1):
            with self.subTest(seed=seed):
                seen = self.assert_pair(generator.pool_pair(seed, threads=15, pool=6, lengths=(210, 300)))
                self.assertEqual((seen["identical"], seen.total()), (10, 15))

    def test_pool_workers_start_alike(self) -> None:
        pair = generator.pool_pair(3, threads=8, pool=4, lengths=(210, 220))
        (self.directory / "log").write_bytes(pair.canary)
        streams = read_log(self.directory / "log").streams.values()
        starts = Counter(str([(event.kind, event.payload) for event in stream[:20]]) for stream in streams)
        self.assertEqual(max(starts.values()), 4)

    def test_big_pair(self) -> None:
        pairs = [(6 + number, 1 + number) for number in range(4)]
        for fmt, diverge_after in zip(generator.FORMATS.values(), (None, 100, None, 100), strict=True):
            with self.subTest(format=fmt.name, diverge_after=diverge_after):
                report = self.big_report(fmt, diverge_after, pairs)
                statuses = [thread["status"] for thread in report["threads"]]
                first = "identical" if diverge_after is None else "diverged"
                self.assertEqual(statuses, [first, *["identical"] * 3])
                self.assertEqual(report["verdict"] == "identical", diverge_after is None)

    def big_report(
        self, fmt: generator.Format, diverge_after: int | None, pairs: Iterable[tuple[int, int]]
    ) -> dict[str, Any]:
        """The report of a small big pair."""
        paths = generator.write_big_pair(
            self.directory, events=400, threads=4, ours_format=fmt, diverge_after=diverge_after
        )
        report = compare(*paths, list(pairs))
        own = sum(thread["canary_events"] for thread in report["threads"])
        self.assertEqual(own, 400 + 200)  # with the shared-global creates
        return report

    def test_planted_changes(self) -> None:
        """The first change is where the reference finds the first divergence; the lengths add up."""
        for seed in seeds(12):
            with self.subTest(seed=seed):
                canary, ours, changes = generator.planted_pair(seed, 400, 4, loop_heavy=seed % 2 == 1)
                [thread] = self.compare(canary, ours, [(6, 1)])["threads"]
                first = changes[0]
                turns = min(first.canary_count, first.ours_count) if first.cls == "repeated" else 0
                self.assertEqual(thread["divergence"]["canary_idx"], first.canary_idx + turns)
                self.assertEqual(thread["divergence"]["ours_idx"], first.ours_idx + turns)
                grown = sum(change.ours_count - change.canary_count for change in changes)
                self.assertEqual(thread["ours_events"] - thread["canary_events"], grown)

    def test_planted_changes_are_all_of_the_difference(self) -> None:
        """Between the changes the two streams are equal, event by event."""
        for loop_heavy in (False, True):
            canary, ours, changes = generator.planted_pair(5, 4000, 60, loop_heavy)
            left, right = contents(canary), contents(ours)
            self.assertEqual(len({change.cls for change in changes}), 6)
            ends = [
                (0, 0),
                *((it.canary_idx + it.canary_count, it.ours_idx + it.ours_count) for it in changes),
            ]
            starts = [*((it.canary_idx, it.ours_idx) for it in changes), (len(left), len(right))]
            for end, start in zip(ends, starts, strict=True):
                self.assertEqual(left[end[0] : start[0]], right[end[1] : start[1]])
            for change in changes:
                taken = (
                    left[change.canary_idx :][: change.canary_count],
                    right[change.ours_idx :][: change.ours_count],
                )
                self.assertNotEqual(*taken, change)

    def test_loop_heavy_means_nine_of_ten(self) -> None:
        canary, _, _ = generator.planted_pair(5, 4000, 2, loop_heavy=True)
        busy = sum(bool(re.search("CriticalSection|SpinLock", text)) for text in contents(canary))
        self.assertGreater(busy, 3400)


def planted_form(thread: dict[str, Any]) -> generator.Planted | None:
    """A thread of a report in the words of the generator."""
    if thread["status"] == "identical":
        return None
    found = thread["divergence"] or {}
    return generator.Planted(
        thread["status"], found.get("class"), found.get("canary_idx"), found.get("ours_idx")
    )


def kind_of(thread: dict[str, Any]) -> str:
    """The status of a thread, or the class of its divergence."""
    found = thread["divergence"]
    return str(found["class"] if found else thread["status"])


def contents(log: bytes) -> list[str]:
    """What is compared of the events of a log of one thread."""
    events = [json.loads(line) for line in log.splitlines()[1:]]
    return [generator.content(generator.Step(event["kind"], event["payload"])) for event in events]


if __name__ == "__main__":
    unittest.main()
