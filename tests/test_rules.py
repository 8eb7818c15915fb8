"""When two events are equal: JSON values, skipped fields, shared-global handles; and what the gate sees of it."""

import itertools
import json
import unittest
from typing import Any

import diff_events
from tests.generator import field_changes
from tests.support import HEADER, SID, LogTestCase, calls, event, log_bytes, shared_create

ALIKE = [
    ["1", "1.0", "1e0", "10E-1", "1.00", "0.1e1"],
    ["0", "-0", "0.0", "-0.0", "0e9", "-0e-9"],
    ["true"],
    ["false"],
    ["null"],
    ['"1"', r'"\u0031"'],
    ['"true"'],
    ['""'],
    ['"\u00e9"', r'"\u00e9"', r'"\u00E9"'],
    ['"e\u0301"'],
    ['"\U0001f600"', r'"\ud83d\ude00"'],
    [r'"\ud83d"', r'"\uD83D"'],
    [r'"/"', r'"\/"'],
    ["12345678901234567890123", "12345678901234567890123"],
    ["12345678901234567890124"],
    ["9007199254740993"],
    ["9007199254740992", "9007199254740992.0"],
    ["1e22", "10000000000000000000000"],
    ["1" + "0" * 400],
    ["1.7976931348623157e308", "17976931348623157e292"],
    ["5e-324", "4e-324"],
    ["0.5", "5e-1"],
    ["-1", "-1.0"],
    ["[]", "[ ]"],
    ["[null]"],
    ["[1,2]", "[1, 2.0]", "[ 1\t,2 ]"],
    ["[2,1]"],
    ["[true,2]"],
    ["[[1,2]]"],
    ["{}", "{ }"],
    ['{"a":1,"b":2}', '{"b":2.0, "\\u0061":1}', '{"a":9,"b":2,"a":1}'],
    ['{"a":1,"b":null}'],
    ['{"a":true,"b":2}'],
    ['{"a":1}'],
    ['{"A":1}'],
    ['{"a":[{"b":1}]}', '{"a":[{"b":1.0}]}'],
    ['{"a":[{"b":true}]}'],
]
"""JSON texts: those of one row are equal, those of two rows are not."""


def value_log(text: str, kind: str) -> bytes:
    line = f'{{"kind":"{kind}","tid":6,"tid_event_idx":0,"payload":{{"value":{text}}}}}\n'
    return HEADER + line.encode()


def plain(idx: int) -> dict[str, Any]:
    """An event that is equal to the others of its thread."""
    return event(idx, payload={"name": "f"})


class JsonValues(LogTestCase):
    def test_parsed_values(self) -> None:
        rows = [(number, diff_events.parse_json(text)) for number, row in enumerate(ALIKE) for text in row]
        for (one, left), (other, right) in itertools.product(rows, rows):
            self.assertEqual(diff_events.json_equal(left, right), one == other, (left, right))
            different = list(diff_events.field_differences({"v": left}, {"v": right}, "p"))
            self.assertEqual(different == [], one == other, (left, right))

    def test_a_number_past_the_doubles_is_no_json(self) -> None:
        for text in ("1e400", "-1e400", "1.8e308", "1" + "0" * 400 + ".0", "[1e999999999]"):
            with self.assertRaisesRegex(diff_events.NotJsonError, "past what a double holds", msg=text):
                diff_events.parse_json(text)
            with self.assertRaisesRegex(diff_events.NotJsonError, "past what a double holds", msg=text):
                diff_events.parse_payloads([b'"v":%b' % text.encode()])

    def test_canonical_texts(self) -> None:
        """Equal values have equal texts, others never."""
        rows = [(number, text) for number, row in enumerate(ALIKE) for text in row]
        payloads = diff_events.parse_payloads([b'"v":%b' % text.encode() for _, text in rows])
        canonical = zip(rows, diff_events.canonical_texts(payloads), strict=True)
        for ((one, left), text), ((other, right), other_text) in itertools.product(canonical, repeat=2):
            self.assertEqual(text == other_text, one == other, (left, right))

    def test_canonical_texts_of_what_stands_between_texts(self) -> None:
        payloads = [b'"v":",-Infinity,"', b'"v":1', b'"v" : ",-Infinity,"']
        texts = diff_events.canonical_texts(diff_events.parse_payloads(payloads))
        self.assertEqual((len(set(texts)), texts[0]), (2, texts[2]))
        self.assertEqual(diff_events.canonical_texts(diff_events.parse_payloads([])), [])

    def test_the_gate(self) -> None:
        """The same through the whole program, for a kind whose bytes are hashed and one whose fields are."""
        firsts = [row[0] for row in ALIKE]
        for kind in ("other", "wait.end"):
            for row in ALIKE:
                for text in row:
                    with self.subTest(kind=kind, text=text[:40]):
                        self.assertEqual(self.gate(value_log(row[0], kind), value_log(text, kind)), 0)
            for left, right in itertools.pairwise(firsts):
                with self.subTest(kind=kind, left=left[:40], right=right[:40]):
                    self.assertEqual(self.gate(value_log(left, kind), value_log(right, kind)), 1)
            self.assertEqual(self.gate(value_log("1", kind), value_log("true", kind)), 1)

    def test_deep_values(self) -> None:
        def nested(depth: int, core: str) -> str:
            return '[{"a":' * (depth // 2) + core + "}]" * (depth // 2)

        most = diff_events.MAX_NESTING - 2
        for kind in ("other", "wait.end"):
            document = self.compare(value_log(nested(most, "1"), kind), value_log(nested(most, "2"), kind))
            (found,) = document["threads"][0]["divergence"]["fields"]
            self.assertEqual((found["canary"], found["ours"]), (1, 2))
            self.assertEqual(self.gate(value_log(nested(most, "1"), kind), value_log(nested(most, "1.0"), kind)), 0)

    def test_field_differences_in_order(self) -> None:
        left = {"b": 1, "same": [1], "a": [1, {"x": None}], "only left": 0, "type": {}}
        right = {"a": [1, {}, 3], "b": True, "same": [1.0], "type": [], "0only": None}
        missing = diff_events.MISSING
        self.assertEqual(
            [(one.path, *one.values) for one in diff_events.field_differences(left, right, "p")],
            [
                ("p.b", 1, True),
                ("p.a[1].x", None, missing),
                ("p.a[2]", missing, 3),
                ('p["only left"]', 0, missing),
                ("p.type", {}, []),
                ('p["0only"]', missing, None),
            ],
        )

    def test_types_by_name(self) -> None:
        names: dict[str, Any] = {
            "nothing": diff_events.MISSING,
            "null": None,
            "a boolean": True,
            "a string": "",
            "an array": [],
        }
        names |= {"an object": {}, "a number": 1.5}
        for name, value in names.items():
            self.assertEqual(diff_events.json_type(value), name)


class Sensitivity(LogTestCase):
    """Every compared field, changed, turns the gate red; every skipped one leaves it green."""

    def test_every_field_of_every_kind(self) -> None:
        """And the divergence names the field."""
        seen, same = set(), set()
        for change in field_changes():
            with self.subTest(kind=change.kind, field=change.field, how=change.how):
                if change.canary not in same:
                    self.assertEqual(self.gate(change.canary, change.canary), 0)
                    same.add(change.canary)
                self.assertEqual(self.gate(change.ours, change.canary), 0 if change.skipped else 1)
                document = self.compare(change.canary, change.ours)
                self.assertEqual(document["verdict"], "identical" if change.skipped else "divergent")
                if not change.skipped:
                    (thread,) = document["threads"]
                    self.assertEqual(thread["divergence"]["class"], "payload")
                    paths = [found["path"] for found in thread["divergence"]["fields"]]
                    self.assertTrue(all(path.startswith("payload") and change.field in path for path in paths), paths)
            seen.add((change.kind, change.skipped))
        for kind in diff_events.SKIPPED_FIELDS:
            self.assertLessEqual({(kind, True), (kind, False)}, seen)

    def test_kind_is_compared(self) -> None:
        for kind in ("thread.create", "wait.end", "Kernel.call", "kernel.call ", "", "é"):
            other = [event(0), event(1, kind, {"name": "Call1"})]
            with self.subTest(kind=kind):
                divergence = self.compare(calls(2), other)["threads"][0]["divergence"]
                self.assertEqual((divergence["class"], divergence["canary_idx"]), ("kind", 1))
                self.assertEqual(divergence["fields"], [{"path": "kind", "canary": "kernel.call", "ours": kind}])

    def test_other_top_level_fields_are_skipped(self) -> None:
        plain = calls(2)
        for extra in ("engine", "guest_cycle", "host_ns", "deterministic", "anything", "name"):
            for value in (True, 1, None, "x", {"a": 1}, [1], 1.5):
                with self.subTest(extra=extra, value=value):
                    self.assertEqual(self.gate(plain, [one | {extra: value} for one in plain]), 0)

    def test_skipping_is_at_the_top_level_and_for_that_kind_alone(self) -> None:
        for kind, names in diff_events.SKIPPED_FIELDS.items():
            for name in names:
                nested = ([event(0, kind, {"x": {name: value}})] for value in (1, 2))
                self.assertEqual(self.gate(*nested), 1, (kind, name))
                for other in ("kernel.call", "of.no.rule", kind + "d", kind.upper()):
                    logs = ([event(0, other, {"name": "f", name: value})] for value in (1, 2))
                    self.assertEqual(self.gate(*logs), 1, (other, name))

    def test_absent_and_null_are_different(self) -> None:
        with_null = [event(0, payload={"name": "f", "x": None})]
        (found,) = self.compare(with_null, [event(0, payload={"name": "f"})])["threads"][0]["divergence"]["fields"]
        self.assertEqual(found, {"path": "payload.x", "canary": None})


class SharedGlobals(LogTestCase):
    VECTORS = (
        (0x828F0010, "Event", "59fe0438b2bb0cfb"),
        (0x828F0010, "Semaphore", "7c08e3d416ce4109"),
        (0x82A4C000, "Event", "91ea6738412a462e"),
        (0x00000000, "Event", "dcb75f55d4f50558"),
        (0xFFFFFFFF, "Mutant", "4ff09bd302b87649"),
    )

    def test_vectors_in_all_forms(self) -> None:
        for pointer, object_type, sid in self.VECTORS:
            self.assertEqual(diff_events.shared_global_sid(pointer, object_type), sid)
            raws: tuple[Any, ...] = (pointer, f"0x{pointer:x}", f"0x{pointer:08X}", f"0X{pointer:08x}")
            ids = (sid, sid.upper(), f"0x{sid}", f"0X{sid.upper()}", int(sid, 16))
            for raw, semantic_id in itertools.product(raws, ids):
                payload = {"raw_handle_id": raw, "object_type": object_type, "handle_semantic_id": semantic_id}
                self.assertEqual(diff_events.shared_global_of(payload), sid, payload)

    def test_other_forms_are_not_shared_global(self) -> None:
        good = {"raw_handle_id": 0x828F0010, "object_type": "Event", "handle_semantic_id": SID}
        self.assertEqual(diff_events.shared_global_of(good), SID)
        other: dict[str, tuple[Any, ...]] = {
            "raw_handle_id": (
                *(None, True, 2190409744.0, "828f0010", "0x", "0x828f0010 ", " 0x828f0010", "0x828f_0010", "0b1", ""),
                *("2190409744", -1, 2**32 + 0x828F0010, "0x1828f0010", [0x828F0010], {}, "0x828f0010\n", 0x828F0011),
            ),
            "object_type": (None, 1, "event", "Event ", "", ["Event"], {}),
            "handle_semantic_id": (
                *(None, True, float(int(SID, 16)), SID[1:], SID + "0", f" {SID}", f"{SID}\n", "0x", "", [SID], {}),
                *(-int(SID, 16), int(SID, 16) + 1, int(SID, 16) + 2**64, SID.replace("f", "\uff46"), f"_{SID}"),
            ),
        }
        for name, values in other.items():
            without = {key: value for key, value in good.items() if key != name}
            self.assertIsNone(diff_events.shared_global_of(without))
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assertIsNone(diff_events.shared_global_of(good | {name: value}))

    def test_a_pointer_with_a_fraction_is_none(self) -> None:
        """Such a number is equal to the integer, but where an integer is asked for, it is none."""
        odd = shared_create(1, raw_handle_id=float(0x828F0010))
        (thread,) = self.compare([plain(0), odd], [plain(0)])["threads"]
        self.assertEqual((thread["status"], thread["floating_skipped"]["canary"]), ("ours_ended", 0))
        same = shared_create(1, raw_handle_id=float(0x828F0010), object_name=1.0)
        self.assertEqual(
            self.gate([plain(0), same], [plain(0), same | {"payload": same["payload"] | {"object_name": 1}}]), 0
        )

    def test_only_creates_float(self) -> None:
        for kind, code in (("handle.create", 0), ("handle.destroy", 1), ("kernel.call", 1)):
            created = shared_create(0) | {"kind": kind}
            canary = [created, plain(1), shared_create(0, tid=7)]
            ours = [plain(0), shared_create(0, tid=7)]
            with self.subTest(kind=kind):
                self.assertEqual(self.gate(canary, ours), code)

    def test_equal_only_to_one_of_the_same_sid(self) -> None:
        elsewhere = shared_create(0, tid=7)
        local = shared_create(1, handle_semantic_id="0123456789abcdef")
        spelt = shared_create(1, raw_handle_id=0x828F0010, handle_semantic_id=int(SID, 16))
        for other, status in ((spelt, "identical"), (local, "diverged")):
            canary = [plain(0), shared_create(1), plain(2), elsewhere]
            thread = self.compare(canary, [plain(0), other, plain(2), elsewhere])["threads"][0]
            with self.subTest(status=status):
                self.assertEqual(thread["status"], status)
                floated = thread["floating_skipped"]
                self.assertEqual(floated, {"canary": int(other is local), "ours": 0})
        renamed = shared_create(1, object_name="x")  # same object, another name: both float, then all is equal
        thread = self.compare([plain(0), shared_create(1)], [plain(0), renamed])["threads"][0]
        self.assertEqual((thread["status"], thread["floating_skipped"]), ("identical", {"canary": 1, "ours": 1}))

    def test_at_the_ends(self) -> None:
        create = shared_create(0, tid=7)
        for canary, ours, status, floats in (
            ([shared_create(0), plain(1)], [plain(0)], "identical", (1, 0)),
            ([plain(0)], [plain(0), shared_create(1)], "identical", (0, 1)),
            ([plain(0), shared_create(1), plain(2)], [plain(0)], "ours_ended", (1, 0)),
            ([plain(0)], [shared_create(0), plain(1), plain(2)], "canary_ended", (0, 1)),
            ([shared_create(0), shared_create(1), plain(2)], [shared_create(0), plain(1)], "identical", (1, 0)),
        ):
            thread = self.compare([*canary, create], [*ours, create])["threads"][0]
            with self.subTest(canary=canary, ours=ours):
                self.assertEqual(thread["status"], status)
                self.assertEqual(tuple(thread["floating_skipped"].values()), floats)

    def test_one_log_only(self) -> None:
        document = self.compare([shared_create(0), plain(1)], [plain(0)])
        self.assertEqual(document["threads"][0]["status"], "identical")
        self.assertEqual((document["verdict"], document["shared_globals"]["canary_only"]), ("divergent", [SID]))
        document = self.compare([plain(0)], [shared_create(0), plain(1)])
        self.assertEqual((document["verdict"], document["shared_globals"]["ours_only"]), ("divergent", [SID]))


class Walking(LogTestCase):
    def test_a_lost_event_is_missing_not_different(self) -> None:
        canary = calls(5)
        ours = [one for one in canary if one["tid_event_idx"] != 2]
        document = self.compare(canary, ours)
        (thread,) = document["threads"]
        divergence = thread["divergence"]
        self.assertEqual((divergence["class"], divergence["canary_idx"], divergence["ours_idx"]), ("missing", 2, 3))
        (warning,) = document["inputs"]["ours"]["warnings"]
        self.assertEqual((warning["kind"], warning["tid"], warning["idx"], warning["count"]), ("hole", 6, 2, 1))

    def test_holes_that_overlap(self) -> None:
        (thread,) = self.compare(
            [one for one in calls(15) if one["tid_event_idx"] not in (3, 4)],
            [one for one in calls(15) if one["tid_event_idx"] not in (1, 2, 3)],
            "--max-divergences=0",
        )["threads"]
        names = ("class", "change", "canary_idx", "ours_idx", "canary_count", "ours_count", "matched_after")
        self.assertEqual(
            [tuple(divergence[name] for name in names) for divergence in thread["divergences"]],
            [("missing", "replaced", 1, 4, 2, 1, 10)],
        )
        self.assertEqual((thread["parity"]["matched"], thread["parity"]["comparable"]), (11, 13))

    def test_a_float_among_lost_events_is_none_of_them(self) -> None:
        log = [*calls(2), shared_create(2), *(event(idx) for idx in range(3, 8))]
        (thread,) = self.compare(log, [event(idx) for idx in (0, 3, 4, 5, 6)])["threads"]
        divergence = thread["divergence"]
        self.assertEqual((divergence["class"], divergence["canary_idx"], divergence["ours_idx"]), ("missing", 1, 3))
        self.assertEqual((divergence["canary_count"], divergence["ours_count"]), (1, 0))
        self.assertEqual(divergence["matched_after"], 4)

    def test_the_same_hole_on_both_sides(self) -> None:
        log = [event(idx) for idx in (3, 4, 9, 12)]
        document = self.compare(log, log)
        self.assertEqual(document["verdict"], "identical")
        (warning,) = document["inputs"]["canary"]["warnings"]
        self.assertEqual((warning["idx"], warning["count"]), (0, 9))

    def test_endings(self) -> None:
        for canary, ours, status, left in ((3, 5, "canary_ended", (0, 2)), (5, 3, "ours_ended", (2, 0))):
            (thread,) = self.compare(calls(canary), calls(ours))["threads"]
            self.assertEqual((thread["status"], thread["matched"]), (status, 3))
            self.assertEqual(tuple(thread["not_compared"].values()), left)
            self.assertEqual(self.gate(calls(canary), calls(ours)), 1)

    def test_the_header_is_in_no_stream(self) -> None:
        busy = json.dumps({"schema_version": 1} | event(0, payload={"name": "other"})).encode() + b"\n"
        self.assertEqual(self.gate(log_bytes(calls(3), busy), calls(3)), 0)


if __name__ == "__main__":
    unittest.main()
