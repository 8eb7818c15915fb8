"""validate and sid: both formats, every kind of finding."""

from __future__ import annotations

import gzip
import json
import os
import random
import unittest

import diff_events as d
from tests.traces import END, START, FolderCase, hook, jsonl, result, turn, whole

HEADER = {"schema_version": 1, "engine": "ours"}
SID = d.shared_global_sid(0x828F0010, "Event")


def event(
    index: int, kind: str = "kernel.call", tid: int = 6, payload: object = None, **more: object
) -> dict[str, object]:
    return {
        "kind": kind,
        "tid": tid,
        "tid_event_idx": index,
        "payload": {"name": "NtClose"} if payload is None else payload,
        **more,
    }


def handle(
    index: int, sid: object, raw: object = "0x828f0010", kind: str = "handle.create", **more: object
) -> dict[str, object]:
    payload = {"raw_handle_id": raw, "handle_semantic_id": sid, "object_type": "Event", "object_name": None}
    return event(index, kind, payload={**payload, **more})


WAIT = {"handles_semantic_ids": [], "wait_type": "any", "alertable": False, "timeout_ns": None}
GOOD = [
    event(0),
    event(1, "kernel.return", payload={"name": "NtClose", "status": 0}),
    handle(2, SID),
    event(3, "wait.begin", payload=WAIT),
    event(4, "wait.end", payload={"status": 0, "wait_duration_cycles": 5, "woken_by_semantic_id": SID}),
    handle(5, "0x" + SID.upper(), kind="handle.destroy"),
    event(6, "thread.create", payload={"child_tid": 7}, guest_cycle=1, host_ns=2, deterministic=True, engine="x"),
    event(7, "thread.exit", payload={"exit_code": 0}),
    event(8, "something.else", payload={}),
]


class ValidateCase(FolderCase):
    def findings(self, text: str | bytes) -> list[tuple[str, int, str | None]]:
        checked = d.validate_file(self.put("f", text))
        self.assertIsNone(checked.unreadable)
        return [(note.finding.value, note.lineno, note.field) for note in checked.notes]

    def of_log(self, *events: object) -> list[tuple[str, int, str | None]]:
        return self.findings(jsonl(HEADER, *events))

    def of_trace(self, *records: object) -> list[tuple[str, int, str | None]]:
        return self.findings(whole(*records))


class EventLogs(ValidateCase):
    def test_a_good_log(self) -> None:
        self.assertEqual(self.of_log(*GOOD), [])
        self.assertEqual(self.findings(gzip.compress(jsonl(HEADER, *GOOD).encode())), [])

    def test_deviations(self) -> None:
        for more, expected in (
            ([event(0, kind=5)], [("field", 2, "kind")]),  # type: ignore[arg-type]
            ([event(0, tid=-1)], [("field", 2, "tid")]),
            ([event(True)], [("field", 2, "tid_event_idx")]),
            ([event(1 << 62)], [("field", 2, "tid_event_idx")]),  # the comparison refuses it, too
            ([event(0, payload=[])], [("field", 2, "payload")]),
            ([{"kind": "x"}], [("field", 2, "tid"), ("field", 2, "tid_event_idx"), ("field", 2, "payload")]),
            ([5], [("field", 2, None)]),
            ([event(0, schema_version=2)], [("field", 2, "schema_version")]),
            ([event(0, host_ns="x")], [("field", 2, "host_ns")]),
            ([event(0, deterministic=1)], [("field", 2, "deterministic")]),
            ([event(0, extra=1)], [("unknown_field", 2, "extra")]),
            ([event(0), event(0)], [("doubled_index", 3, "tid_event_idx")]),
            ([event(1), event(0)], [("out_of_order", 3, "tid_event_idx")]),
            ([event(0), event(2), event(1), event(4), event(3)], [("out_of_order", 4, "tid_event_idx")]),
            ([event(0), event(2), event(5)], [("hole", 2, "tid_event_idx")]),
            ([event((1 << 62) - 1)], [("hole", 2, "tid_event_idx")]),
            ([event(0, payload={})], [("payload", 2, "payload.name")]),
            ([event(0, "kernel.return", payload={"name": "x"})], [("payload", 2, "payload")]),
            ([handle(0, SID, object_type="Evnt")], [("payload", 2, "payload.object_type")]),
            ([handle(0, 5, kind="handle.destroy")], [("never_created", 2, "payload.handle_semantic_id")]),
            ([handle(0, "zz", kind="handle.destroy")], [("payload", 2, "payload.handle_semantic_id")]),
            ([event(0, "wait.end", payload={"status": 0})], [("wait_not_begun", 2, "kind")]),
            (
                [event(1, "wait.end", payload={"status": 0}), event(0)],
                [("wait_not_begun", 2, "kind"), ("out_of_order", 3, "tid_event_idx")],
            ),
            (
                [event(2, "wait.end", payload={"status": 0}), event(1, "wait.begin", payload=WAIT), event(0)],
                [("wait_not_begun", 2, "kind"), ("out_of_order", 3, "tid_event_idx")],
            ),
            (
                [event(1), event(0, "wait.end", payload={"status": 0})],
                [("wait_not_begun", 2, "kind"), ("out_of_order", 3, "tid_event_idx")],
            ),
            ([handle(0, "00ff"), handle(1, SID)], [("wrong_sid", 2, "payload.handle_semantic_id")]),
            (
                [handle(0, "00ff", raw=0), handle(1, d.shared_global_sid(0, "Event"), raw=0)],
                [("wrong_sid", 2, "payload.handle_semantic_id")],
            ),
            ([handle(0, SID), handle(1, 7, raw=5)], []),
            ([handle(0, SID, raw="x")], [("payload", 2, "payload.raw_handle_id")]),
            ([handle(0, 5, kind="handle.destroy"), handle(1, 5, raw=1)], []),
            ([], [("no_events", 1, None)]),
        ):
            with self.subTest(more=more):
                self.assertEqual(self.of_log(*more), expected)

    def test_advice(self) -> None:
        raw = [handle(0, 5, raw="0xf8000004"), event(1, payload={"name": "NtClose", "handle": 0xF8000004})]
        lonely = [handle(idx, 2 * idx + 1, raw=4 * idx + 4) for idx in range(9)]
        different = [event(idx, payload={"name": "f", "now": idx}) for idx in range(200)]
        for events, expected in (
            (raw, [("raw_handle", 3, "payload.handle")]),
            ([*raw, event(2, payload=raw[1]["payload"])], [("raw_handle", 3, "payload.handle")]),  # said once
            ([raw[0], event(1, payload={"name": "f", "n": 7})], []),
            ([handle(0, SID), event(1, payload={"name": "f", "object_ptr": "0x828f0010"})], []),  # the same everywhere
            ([*raw[:1], handle(1, 5, raw="0xf8000004", kind="handle.destroy"), {**raw[1], "tid_event_idx": 2}], []),
            (
                [event(0, "kernel.return", payload={"name": "f", "status": -5})],
                [("negative_status", 2, "payload.status")],
            ),
            ([event(0, host_ns=5), event(1, host_ns=4)], [("falling_clock", 3, "host_ns")]),
            ([event(0, host_ns=5), event(1, host_ns=4), event(2, host_ns=3)], [("falling_clock", 3, "host_ns")]),
            (
                [event(0, host_ns=5), event(0, tid=7, host_ns=4), event(1, "thread.create", payload={"child_tid": 7})],
                [],
            ),
            ([event(1, host_ns=5), event(0, host_ns=4)], [("out_of_order", 3, "tid_event_idx")]),
            (
                [event(0, "thread.create", tid=5, payload={"child_tid": 7})]
                + [event(idx, tid=tid, host_ns=9 - idx) for tid in (6, 7) for idx in (0, 1)],
                [("falling_clock", 4, "host_ns"), ("falling_clock", 6, "host_ns")],  # once a thread
            ),
            (lonely, [("lonely_ids", 1, "payload.handle_semantic_id")]),
            (lonely[:8], []),
            ([*lonely, handle(9, 3, kind="handle.destroy")], []),
            ([*lonely, event(9, "wait.begin", payload={**WAIT, "handles_semantic_ids": ["3"]})], []),
            ([*lonely, event(9, "wait.begin", payload={**WAIT, "handles_semantic_ids": 3})], None),
            (
                [
                    *lonely,
                    event(9, "wait.begin", payload=WAIT),
                    event(10, "wait.end", payload={"status": 0, "woken_by_semantic_id": 3}),
                ],
                [],
            ),
            ([event(0), event(0, tid=7)], [("no_creations", 1, "kind")]),
            (different, [("nothing_repeats", 1, "payload")]),
            (different[:-1], []),
            (
                [
                    event(0, payload={"now": 1, "name": "f"}),
                    *({**one, "tid_event_idx": n + 1} for n, one in enumerate(different)),
                ],
                [],
            ),
        ):
            with self.subTest(events=events[-1]):
                found = self.of_log(*events)
                self.assertTrue(d.validate_file(str(self.folder / "f")).conforms)
                if expected is not None:
                    self.assertEqual(found, expected)
        self.assertIn(
            "2 records, 0 errors, 0 warnings, 1 piece of advice)",
            d.validation_text([d.validate_file(self.put("f", jsonl(HEADER, *raw)))]),
        )

    def test_handles_are_seen_at_any_depth_and_in_any_spelling(self) -> None:
        create = handle(0, 5, raw="0xf8000004")
        for arguments, field in (
            ({"args": [7, {"h": "4160749572"}]}, "payload.args[1].h"),
            ({"args": ["0xF8000004", "0xf8000004"]}, "payload.args[0]"),  # said once
            ({"h": {"name": 0xF8000004}}, "payload.h.name"),
            ({"h": -134217724}, "payload.h"),
            ({"name": "4160749572"}, None),
        ):
            with self.subTest(arguments=arguments):
                found = self.of_log(create, event(1, payload={"name": "f", **arguments}))
                self.assertEqual(found, [("raw_handle", 3, field)] if field else [])
        calls = [event(n, payload={"name": name, "h": 0xF8000004}) for n, name in enumerate("fgf", 1)]
        self.assertEqual([line for _, line, _ in self.of_log(create, *calls)], [3, 4])  # once a call
        found = self.of_log(handle(0, 5, raw="x"), event(1, payload={"name": "f", "h": "y"}))
        self.assertEqual(found, [("payload", 2, "payload.raw_handle_id")])

    def test_handles_without_a_creation(self) -> None:
        for arguments, field in (
            ({"handle": "0xf8000004"}, "payload.handle"),
            ({"args": [{"hHandle": 0xF8000004}]}, "payload.args[0].hHandle"),
            ({"handles": ["0xf8000004", "0xf8000008"]}, "payload.handles[0]"),
            ({"handle": 0xFFFFFFFE, "num_handles": 4, "handle_count": 4}, None),  # the current thread, two counts
            ({"handle": "979c96270666fe78", "file_handle": None, "inherit_handle": True}, None),
            ({"file": 0xF8000004}, None),
        ):
            with self.subTest(arguments=arguments):
                call = event(0, payload={"name": "f", **arguments})
                expected = [("raw_handle", 2, field)] if field else []
                self.assertEqual(self.of_log(call), expected)
        twice = [event(n, payload={"name": name, "handle": "0xf8000004"}) for n, name in enumerate("fg")]
        self.assertEqual(self.of_log(*twice), [("raw_handle", 2, "payload.handle")])  # where it is first named
        creation = {**handle(0, 5, raw=0xF8000004, tid=7), "tid": 7}
        start = event(1, "thread.create", payload={"child_tid": 7})
        used_before = event(0, payload={"name": "f", "handle": "0xf8000004"})
        self.assertEqual(self.of_log(used_before, start, creation), [])  # writers buffer: it may come later

    def test_statuses_with_a_sign(self) -> None:
        wait = event(0, "wait.begin", payload=WAIT)
        for kind, payload, field in (
            ("wait.end", {"status": -5}, "payload.status"),
            ("kernel.return", {"name": "f", "return_value": -5}, "payload.return_value"),
            (
                "kernel.return",
                {"name": "f", "status": 0, "io_status_block": {"status": -5}},
                "payload.io_status_block.status",
            ),
            ("kernel.return", {"name": "f", "status": 0, "offset": -5, "s": {"status": "-5"}}, None),
            ("kernel.return", {"name": "f", "status": -(1 << 31) - 1}, None),  # not of 32 bits
        ):
            with self.subTest(payload=payload):
                expected = [("negative_status", 3, field)] if field else []
                self.assertEqual(self.of_log(wait, event(1, kind, payload=payload)), expected)
        names = ("status", "return_value")
        signed = [event(n, "kernel.return", payload={"name": "f", name: -5}) for n, name in enumerate(names)]
        self.assertEqual([line for _, line, _ in self.of_log(*signed, {**signed[0], "tid_event_idx": 2})], [2, 3])

    def test_no_header(self) -> None:
        self.assertEqual(self.findings(jsonl(event(0))), [("header", 1, "schema_version")])
        for version in (2, True, "1", 1.0, None):
            with self.subTest(version=version):
                found = self.findings(jsonl({"schema_version": version}, event(0)))
                self.assertEqual(found, [("header", 1, "schema_version")])

    def test_two_logs_stuck_together(self) -> None:
        for second in ({"schema_version": 1}, {"schema_version": 2, "engine": "x"}, {**HEADER, "kind": "header"}):
            with self.subTest(second=second):
                self.assertEqual(self.of_log(event(0), second, event(0), 5), [("header", 3, "schema_version")])
                path, whole_log = str(self.folder / "f"), self.put("other", jsonl(HEADER, event(0)))
                self.assertIn(
                    "f:3: error: schema_version: a second header: two logs are", self.run_tool("validate", path)[1]
                )
                refusal = self.refused("--canary", path, "--ours", whole_log)
                self.assertIn("f:3: schema_version: a second header: two logs are stuck together here", refusal)

    def test_broken_lines(self) -> None:
        good = jsonl(HEADER, event(0))
        self.assertEqual(self.findings(good + '{"a": NaN}\n' + jsonl(event(1))), [("json", 3, None)])
        self.assertEqual(self.findings(good + "{\n{\n"), [("json", 3, None), ("json", 4, None)])
        self.assertEqual(self.findings(good + '{"kind": "x"'), [("torn_tail", 3, None)])
        self.assertTrue(d.validate_file(str(self.folder / "f")).conforms)
        for value in ("NaN", "1e400", "9" * 5000):  # a whole object, whatever it holds: the comparison refuses it, too
            self.assertEqual(self.findings(f'{good}{{"extra": {value}}}'), [("json", 3, None)])
        trace = self.put("t", whole(turn(("a", "Bash", {}))) + '{"v": 1, "kin')
        self.assertFalse(d.validate_file(trace).conforms)  # parity refuses it
        doubled = '{"kind": "k", "tid": 6, "tid_event_idx": 1, "payload": {"a": 1, "a": 2}}\n'
        self.assertEqual(self.findings(good + doubled), [("doubled_key", 3, "a")])

    def test_odd_first_records(self) -> None:
        self.assertIn("neither an event log", str(d.validate_file(self.put("f", '{"kind": [1]}\n')).unreadable))
        self.assertEqual(self.findings('{"v": 1, "kind": []}\n')[0], ("field", 1, "kind"))

    def test_a_torn_log_through_a_pipe(self) -> None:
        text = jsonl(HEADER, event(0)) + '{"kind": "x"'
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        standard_input = os.dup(0)
        try:
            os.dup2(reading, 0)
            code, out, _ = self.run_tool("validate", "-")
        finally:
            os.dup2(standard_input, 0)
            os.close(standard_input)
            os.close(reading)
        self.assertEqual(code, 0, out)
        self.assertIn("-:3: warning: invalid JSON", out)

    def test_compressed_data_that_stops_short(self) -> None:
        random_text = random.Random(1).randbytes(3000).hex()
        log = gzip.compress(jsonl(HEADER, event(0), event(1, payload={"name": random_text})).encode())
        self.assertEqual([code for code, _, _ in self.findings(log[:-20])], ["torn_tail"])
        self.assertEqual([code for code, _, _ in self.findings(log[:-1000])], ["torn_tail"])
        text = gzip.compress(whole(turn(("a", "Bash", {})), result("a", random_text)).encode())
        trace = self.put("t", text[:-4])
        self.assertFalse(d.validate_file(trace).conforms)
        with self.assertRaisesRegex(d.InputError, "the compressed data ends early"):
            d.parse_trace(trace)

    def test_paths_are_spelled_as_in_the_other_reports(self) -> None:
        found = self.of_log({**event(0), "args-0": 1})
        self.assertEqual(found, [("unknown_field", 2, '["args-0"]')])

    def test_findings_are_capped_and_counted(self) -> None:
        path = self.put("f", jsonl(HEADER, *(event(n, extra=1) for n in range(25))))
        checked = d.validate_file(path)
        self.assertEqual(
            (len(checked.notes), dict(checked.counts)), (d.SHOWN_PER_FINDING, {d.Finding.UNKNOWN_FIELD: 25})
        )
        self.assertIn("15 more of [unknown_field]", self.run_tool("validate", path)[1])
        path = self.put("f", jsonl(HEADER, *(event(n, extra=1) for n in range(d.SHOWN_PER_FINDING))))
        self.assertNotIn("more of", self.run_tool("validate", path)[1])

    def test_runs_of_indexes_agree_with_a_set(self) -> None:
        rng = random.Random(8)
        for _ in range(200):
            stream, seen = d._Stream(1), set()
            for _ in range(40):
                index = rng.randrange(30)
                self.assertEqual(stream.see(index), index not in seen)
                seen.add(index)
            holes = {n for first, last in stream.holes() for n in range(first, last + 1)}
            self.assertEqual(holes, set(range(max(seen))) - seen)


class Traces(ValidateCase):
    def test_a_good_trace(self) -> None:
        self.assertEqual(self.of_trace(turn(("a", "Bash", {})), result("a", side_effects={"exit_code": 0})), [])

    def test_deviations(self) -> None:
        for records, expected in (
            ([{"v": 1, "kind": "user_prompt"}], [("field", 2, "turn"), ("field", 2, "text")]),
            ([{"v": 2, "kind": "x"}], [("field", 2, "v"), ("field", 2, "kind")]),
            ([[]], [("field", 2, None)]),
            ([result("a")], [("tool_result", 2, "tool_use_id")]),
            (
                [result("a") | {"blocks": [{"type": "tool_use", "id": "a", "name": "Bash", "input": {}}]}],
                [("unknown_field", 2, "blocks"), ("tool_result", 2, "tool_use_id")],
            ),
            ([turn() | {"tool_use_id": "zz"}], [("unknown_field", 2, "tool_use_id")]),
            ([turn(("a", "B", {})), result("a"), result("a")], [("second_result", 4, "tool_use_id")]),
            (
                [{**turn(), "blocks": [{"type": "text", "text": "", "x": 1}, 5]}],
                [("unknown_field", 2, "blocks[0].x"), ("field", 2, "blocks[1]")],
            ),
            ([START], [("order", 2, "kind")]),
            ([END], [("no_end", 3, "kind")]),
        ):
            with self.subTest(records=records):
                self.assertEqual(self.of_trace(*records), expected)

    def test_warnings(self) -> None:
        reused = [turn(("a", "Bash", {})), result("a"), turn(("a", "Bash", {})), result("a")]
        self.assertEqual(self.of_trace(*reused), [("reused_id", 4, "blocks[0].id")])
        self.assertEqual(self.of_trace(hook(decision="block")), [("block_exit_code", 2, "exit_code")])
        self.assertEqual(self.of_trace(hook(decision="block", exit_code=2)), [])
        self.assertEqual(self.of_trace(hook(matcher=None)), [])
        self.assertEqual(self.of_trace(turn(("a", "Bash", {})), result("a", side_effects=None)), [])

    def test_a_file_that_is_not_what_was_written(self) -> None:
        write = turn(("a", "Write", {"path": "x", "content": "1"}))
        other = {"post_state_sha256": d.sha256("2")}
        found = self.of_trace(write, result("a", side_effects=other))
        self.assertEqual(found, [("file_state", 3, "side_effects.post_state_sha256")])
        self.assertTrue(d.validate_file(str(self.folder / "f")).conforms)
        of_input = turn(("a", "Write", {"path": "x", "content": "1", **other}))
        self.assertEqual(self.of_trace(of_input, result("a")), [("file_state", 2, "blocks")])
        same = {"post_state_sha256": d.sha256("1").upper()}
        self.assertEqual(self.of_trace(write, result("a", side_effects=same)), [])

    def test_strict(self) -> None:
        log, trace = self.put("log", jsonl(HEADER, event(0, extra=1))), self.put("t", whole(turn()))
        for path, codes in ((log, ["unknown_field"]), (trace, ["session_id"])):
            self.assertEqual(self.run_tool("validate", path)[0], 0)
            code, out, _ = self.run_tool("validate", "--strict", path, "--json")
            findings = json.loads(out)["files"][0]["findings"]
            self.assertEqual((code, [finding["code"] for finding in findings]), (1, codes))
            self.assertEqual({finding["severity"] for finding in findings}, {"error"})
        good = self.put("t", jsonl({**START, "session_id": "0192f0e0-0000-7000-8000-000000000001"}, END))
        self.assertEqual(self.run_tool("validate", "--strict", good)[0], 0)

    def test_order(self) -> None:
        self.assertEqual(self.findings(jsonl(END)), [("order", 1, "kind")])
        self.assertEqual(self.findings(jsonl(START)), [("no_end", 1, None)])


class Command(ValidateCase):
    def test_exit_codes(self) -> None:
        good, bad = self.put("good", jsonl(HEADER, *GOOD)), self.put("bad", whole(result("a")))
        self.assertEqual(self.run_tool("validate", good)[0], 0)
        code, out, err = self.run_tool("validate", good, bad)
        self.assertEqual((code, err), (1, ""))
        self.assertIn("bad:2: error: tool_use_id: expected the id of an earlier tool use", out)
        self.assertIn("good: conforms (event-log, 9 records, 0 errors, 0 warnings)", out)
        out = self.run_tool("validate", self.put("one", jsonl(HEADER, event(0, kind=5))))[1]  # type: ignore[arg-type]
        self.assertIn("one: does not conform (event-log, 1 record, 1 error, 0 warnings)", out)
        code, out, err = self.run_tool("validate", str(self.folder / "none"), bad)
        self.assertEqual((code, err.count("\n")), (2, 1))
        self.assertIn("does not conform", out)
        for text in ("", "hello\n", "[1]\n", '{"a": 1}\n'):
            self.assertIn("neither an event log", self.refused("validate", self.put("odd", text)))
        self.assertIn("FILE", self.refused("validate"))

    def test_json(self) -> None:
        bad = self.put("bad", jsonl(HEADER, event(0, tid=-1)))
        code, out, _ = self.run_tool("validate", "--json", bad)
        value = json.loads(out)
        self.assertEqual((code, value["format"], value["conforms"]), (1, "diff-events-validation", False))
        finding = {
            "code": "field",
            "severity": "error",
            "line": 2,
            "field": "tid",
            "message": "expected a whole number from 0, found a number: -1",
        }
        self.assertEqual(value["files"][0]["findings"], [finding])
        self.assertEqual(value["files"][0]["counts"], {"field": 1})
        out = self.run_tool("validate", "--json", str(self.folder / "none"))[1]
        self.assertIn("cannot be read", json.loads(out)["files"][0]["unreadable"])

    def test_sid(self) -> None:
        for pointer, object_type, sid in (
            ("0x828f0010", "Event", "59fe0438b2bb0cfb"),
            ("0x828F0010", "Semaphore", "7c08e3d416ce4109"),
            ("0x82a4c000", "Event", "91ea6738412a462e"),
            ("0", "Event", "dcb75f55d4f50558"),
            ("4294967295", "Mutant", "4ff09bd302b87649"),
        ):
            self.assertEqual(self.run_tool("sid", pointer, object_type), (0, sid + "\n", ""))
        for argv in (["0x1ffffffff", "Event"], ["-5", "Event"], ["ff", "Event"], ["0x1", "event"], ["0x1"]):
            with self.subTest(argv=argv):
                self.refused("sid", *argv)

    def test_random_files_never_raise(self) -> None:
        rng = random.Random(9)
        values: list[object] = [None, True, 0, -1, 1.5, "", "x", [], {}, 1 << 70]
        names = ["kind", "tid", "tid_event_idx", "payload", "schema_version", "v", "raw_handle_id"]
        for _ in range(500):
            first = rng.choice([HEADER, START])
            lines = [dict(rng.choice([*GOOD, END, result("a")])) for _ in range(rng.randrange(5))]
            for line in lines:
                line[rng.choice(names)] = rng.choice(values)
            d.validate_file(self.put("f", jsonl(first, *lines)[: rng.randrange(5, 2000)]))


if __name__ == "__main__":
    unittest.main()
