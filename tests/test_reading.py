"""Reading: files of every sort, torn tails, and the learned line layouts against the exact reading of the lines."""

import bz2
import gzip
import json
import lzma
import random
import re
import tempfile
import unittest
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import diff_events
from tests import generator
from tests.support import EFFORT, HEADER, LogTestCase, Outcome, calls, enough, event, log_bytes, run, seeds


def exactly(line: bytes) -> diff_events.RawEvent | None:
    """The event on a line, read by a reader that has learned nothing; None where it is refused."""
    return with_reader(diff_events.LayoutReader(), line)


def with_reader(reader: diff_events.LayoutReader, line: bytes) -> diff_events.RawEvent | None:
    try:
        columns = reader.columns(line)
    except diff_events.NotJsonError:
        return None
    return diff_events.RawEvent(columns.kinds[0], columns.tids[0], columns.indexes[0], columns.payloads[0])


def by_json(line: bytes) -> diff_events.RawEvent | None:
    """What `json` makes of a line, with the types that the schema asks for; None where it is refused."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        return None
    tid, idx = fields.get("tid"), fields.get("tid_event_idx")
    if type(tid) is not int or type(idx) is not int or tid < 0 or idx < 0:
        return None
    version = fields.get("schema_version", 1)
    if type(version) is not int or version != 1 or not isinstance(fields.get("payload"), dict):
        return None
    payload = json.dumps(fields["payload"])[1:-1].encode()
    return diff_events.RawEvent(fields["kind"].encode("utf-8", "surrogatepass"), b"%d" % tid, b"%d" % idx, payload)


class LineMaker:
    """Random lines: events of many layouts, some of them spoilt."""

    VALUES: tuple[Any, ...] = (
        0,
        1,
        -1,
        12345678901234567890,
        1.5,
        True,
        None,
        "",
        "x",
        'q"\\',
        "{",
        "}]",
        "é\u2028",
        [],
        [1, {"a": []}],
        {},
    )
    KINDS: tuple[str, ...] = ("kernel.call", "wait.end", "handle.create", "", "é", 'a"b', "{}")

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def value(self, depth: int) -> Any:
        rng = self.rng
        if depth == 0 or rng.random() < 0.4:
            return rng.choice(self.VALUES)
        if rng.random() < 0.3:
            return [self.value(depth - 1) for _ in range(rng.randrange(3))]
        return {rng.choice(("a", "b c", "}", "é")): self.value(depth - 1) for _ in range(rng.randrange(3))}

    def text(self, value: Any) -> str:
        rng = self.rng
        separators = rng.choice(((",", ":"), (", ", ": "), (" ,\t", " :\r ")))
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=separators)
        return text.replace("d", "\\u0064") if rng.random() < 0.1 and "\\" not in text else text

    def line(self) -> bytes:
        rng = self.rng
        fields: list[tuple[str, Any]] = [
            ("kind", rng.choice(self.KINDS)),
            ("tid", rng.choice((0, 6, 7, 10**17, 10**18, 10**30))),
            ("tid_event_idx", rng.choice((0, 5, 123456))),
            ("payload", {"name": self.value(rng.randrange(7)), "x": self.value(1)}),
        ]
        fields += [(name, self.value(2)) for name in ("engine", "x y", "host_ns") if rng.random() < 0.3]
        if rng.random() < 0.2:
            fields.append(("schema_version", rng.choice((1, 1, 1, 2, True, 1.0, "1"))))
        if rng.random() < 0.3:
            rng.shuffle(fields)
        if rng.random() < 0.1:
            fields.append(rng.choice(fields))
        if rng.random() < 0.1:
            fields.append((rng.choice(("kind", "tid", "payload")), self.value(1)))
        comma, colon = rng.choice(((",", ":"), (", ", ": "), ("\t, ", " :")))
        members = comma.join(f"{self.text(name)}{colon}{self.text(value)}" for name, value in fields)
        space = rng.choice(("", "", " "))
        return self.spoilt(f"{space}{{{members}{space}}}{space}{rng.choice(('', chr(13)))}".encode()) + b"\n"

    def spoilt(self, line: bytes) -> bytes:
        rng = self.rng
        if rng.random() < 0.7:
            return line
        at = rng.randrange(len(line))
        ascii_only = line if line.isascii() else line.decode().encode("ascii", "replace")
        piece = rng.choice((b"", b'"', b"\\", b"{", b"}", b",", b":", b"0", b"-", b" ", b"[", b"e1", b'"a":1,'))
        return ascii_only[:at] + piece + ascii_only[at + rng.randrange(2) :]


class Layouts(unittest.TestCase):
    def test_learned_and_exact_reading_are_twins(self) -> None:
        """Whatever a reader has learned, a line comes out as if it had learned nothing; and as `json` has it."""
        accepted = refused = unread = 0
        for seed in seeds(10):
            maker, reader = LineMaker(seed), diff_events.LayoutReader()
            for _ in range(100):
                line = maker.line()
                if line.isspace():
                    continue
                learned, exact, plain = with_reader(reader, line), exactly(line), by_json(line)
                self.assertEqual(learned, exact, line)
                if exact is None:
                    refused += 1
                    self.assertIsNone(plain, line)
                elif plain is None:
                    unread += 1
                    if line.count(b'"payload"') == 1:  # of two, the one that counts may be good
                        with self.assertRaises(diff_events.NotJsonError, msg=line):
                            diff_events.parse_payload(exact.payload)  # what nobody may ever read
                else:
                    accepted += 1
                    self.assertEqual(exact[:3], plain[:3], line)
                    values = [json.loads(b"{%b}" % raw.payload) for raw in (exact, plain)]
                    self.assertEqual(values[0], values[1], line)
        counts = accepted, refused, unread
        for count, usual in zip(counts, (250, 75, 8), strict=True):
            self.assertGreater(count, enough(usual), counts)

    def test_columns_are_the_lines_one_by_one(self) -> None:
        for seed in seeds(3):
            maker, reader = LineMaker(seed), diff_events.LayoutReader()
            good = [line for line in (maker.line() for _ in range(150)) if exactly(line)]
            for start in range(0, len(good), 10):
                part = good[start : start + 10]
                columns = reader.columns(b"".join(part))
                self.assertEqual(list(zip(*columns[:4], strict=True)), [exactly(line) for line in part])

    def test_more_layouts_than_are_learned(self) -> None:
        keys = ("kind", "tid", "tid_event_idx", "payload", "x", "y")
        orders = [random.Random(seed).sample(keys, len(keys)) for seed in range(60)]
        values: dict[str, Any] = {"kind": "k", "tid": 1, "payload": {"a": {"b": "}"}}, "x": True, "y": "é"}
        lines = []
        for idx, order in enumerate(orders * 2):
            fields = values | {"tid_event_idx": idx}
            lines.append(json.dumps({key: fields[key] for key in order}).encode() + b"\n")
        self.assertGreater(len({tuple(order) for order in orders}), diff_events.LayoutReader.MOST_LAYOUTS * 2)
        reader = diff_events.LayoutReader()
        found = reader.columns(b"".join(lines))
        self.assertEqual(list(map(int, found.indexes)), list(range(120)))
        self.assertEqual(set(zip(found.kinds, found.tids, found.payloads, strict=True)),
                         {(b"k", b"1", b'"a": {"b": "}"}')})  # fmt: skip

    def test_payloads_of_any_shape_and_place(self) -> None:
        for depth in range(7):
            for core in ("1", '"}"', '"\\""', '"\\\\"', '"{[\\u007d"', "[{}]", "{}"):
                payload = '{"a":' * depth + '{"b":' + core + "}" + "}" * depth
                for form in (
                    '{"payload":%s,"kind":"k","tid":1,"tid_event_idx":0}',
                    '{"kind":"k","tid":1,"tid_event_idx":0,"payload":%s}',
                ):
                    reader = diff_events.LayoutReader()
                    line = (form % payload).encode() + b"\n"
                    for _ in range(2):  # learned, then known
                        raw = with_reader(reader, line)
                        self.assertEqual(raw and raw.payload, payload[1:-1].encode(), line)

    def test_extra_fields_of_every_type(self) -> None:
        reader = diff_events.LayoutReader()
        for extra in ("1", "-1.5e3", '"x"', '"\\n"', "true", "false", "null", "[]", '{"kind":"other"}', '[{"tid":9}]'):
            for form in (
                '{"x":%s,"kind":"k","tid":1,"tid_event_idx":0,"payload":{}}',
                '{"kind":"k","tid":1,"x":%s,"tid_event_idx":0,"payload":{}}',
            ):
                line = (form % extra).encode() + b"\n"
                self.assertEqual(with_reader(reader, line), (b"k", b"1", b"0", b""), line)

    def test_braces_in_other_fields(self) -> None:
        lines = b"".join(
            b'{"x":"{}","{}":{},"kind":"k","tid":1,"tid_event_idx":%d,"payload":{"a":1}}\n' % n for n in range(9)
        )
        reader = diff_events.LayoutReader()
        for _ in range(3):
            columns = reader.columns(lines)
            self.assertEqual((columns.indexes, columns.payloads), ([b"%d" % n for n in range(9)], [b'"a":1'] * 9))
        self.assertEqual(reader.exact_lines, 9)  # those of the first text, from which the layout was learned

    def test_escapes_in_keys(self) -> None:
        line = rb'{"k\u0069nd":"k","\u0074id":1,"tid_event_id\u0078":0,"p\u0061yload":{"a":1}}' + b"\n"
        reader = diff_events.LayoutReader()
        for _ in range(2):
            self.assertEqual(with_reader(reader, line), (b"k", b"1", b"0", b'"a":1'))

    def test_the_last_of_two_equal_keys_counts(self) -> None:
        line = b'{"kind":"a","tid":1,"tid":2,"tid_event_idx":0,"payload":{},"k\\u0069nd":"b","payload":{"x":1}}\n'
        reader = diff_events.LayoutReader()
        for _ in range(2):
            self.assertEqual(with_reader(reader, line), (b"b", b"2", b"0", b'"x":1'))

    def test_kinds_with_escapes(self) -> None:
        line = b'{"kind":"handle\\u002ecreate","tid":1,"tid_event_idx":0,"payload":{}}\n'
        reader = diff_events.LayoutReader()
        self.assertEqual(with_reader(reader, line.replace(b"\\u002e", b".")), with_reader(reader, line))

    def test_decoded_event(self) -> None:
        line = json.dumps(event(3, "kernel.call", {"name": ["x"]})).encode()
        decoded = diff_events.decode_event(line, 7)
        self.assertEqual((decoded.lineno, decoded.idx, decoded.name), (7, 3, None))


class Files(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plain = self.write("plain.jsonl", calls(6))

    def assert_same_as_plain(self, data: bytes, name: str = "other") -> Outcome:
        path = self.write(name, data)
        outcome = run("--canary", self.plain, "--ours", path, "--validate-identical")
        self.assertEqual(outcome.code, 0, outcome.err + outcome.out)
        return outcome

    def test_marks_line_ends_and_blank_lines(self) -> None:
        data = log_bytes(calls(6))
        blank = data.replace(b"\n", b"\n\n \t\r\n")
        for written in (data, data.replace(b"\n", b"\r\n"), blank, b"\n\r\n" + data, data.replace(b"\n", b" \r\n")):
            for mark in (b"", b"\xef\xbb\xbf"):
                for end in (b"", b"\n", b"\r\n", b" \x0b\x0c\n", b"   "):
                    with self.subTest(mark=mark, end=end, data=written[:50]):
                        self.assertEqual(self.assert_same_as_plain(mark + written + end).err, "")
        self.assert_same_as_plain(data[:-1])
        self.assert_same_as_plain(data.replace(b"\n", b"\r\n")[:-1])

    def test_line_numbers_count_every_line(self) -> None:
        other = calls(6)
        other[4]["payload"]["name"] = "other"
        data = log_bytes(other).replace(b"\n", b"\n\n", 3)
        divergence = self.compare(log_bytes(calls(6)), b"\xef\xbb\xbf\n" + data)["threads"][0]["divergence"]
        self.assertEqual(divergence["event"]["canary"]["line"], 6)
        self.assertEqual(divergence["event"]["ours"]["line"], 10)

    def test_compressed_whatever_the_name(self) -> None:
        data = log_bytes(calls(6))
        for compress in (gzip.compress, bz2.compress, lzma.compress):
            for name in ("log.jsonl", "log.gz", "log.xz", "log"):
                with self.subTest(compress=compress.__module__, name=name):
                    self.assert_same_as_plain(compress(data), name)
            self.assert_same_as_plain(compress(data[:100]) + compress(data[100:]))
            self.assert_same_as_plain(compress(b"\xef\xbb\xbf" + data[:-1]))
        self.assert_same_as_plain(gzip.compress(data) + bytes(100))  # padding, as tapes have it
        self.assert_same_as_plain(data, "plain.gz")

    def test_torn_tail_of_compressed_data(self) -> None:
        outcome = self.assert_same_as_plain(gzip.compress(log_bytes(calls(6)) + b'{"kind":'))
        self.assertIn("line 8", outcome.err)

    def test_a_log_cut_anywhere(self) -> None:
        """Never anything but a refusal or a report, and never a false divergence."""
        data = b"\xef\xbb\xbf" + log_bytes(calls(4)) + b"\r\n" + log_bytes([event(4, "x", {"a": "}é"})], b"")
        whole, path = self.write("whole", data), self.directory / "cut"
        statuses, step = set(), 1 if EFFORT >= 1 else 3
        for size in range(len(data) % step, len(data) + 1, step):
            path.write_bytes(data[:size])
            try:
                report = diff_events.diff_logs(whole, str(path))
            except diff_events.InputError:
                self.assertLess(size, 150)
                continue
            (thread,) = report.threads
            statuses.add(thread.status)
            self.assertEqual(thread.matched, thread.events.ours)
            cut_in_line = data[:size].rpartition(b"\n")[2] not in (b"", b"\r") and thread.events.ours < 5
            lines_whole = data[:size] + b"\n" in data
            self.assertEqual(len(report.logs.ours.warnings), int(cut_in_line and not lines_whole), size)
        self.assertEqual(statuses, {diff_events.PairStatus.IDENTICAL, diff_events.PairStatus.OURS_ENDED})

    def test_torn_tails_that_the_reader_cannot_bear(self) -> None:
        start = b'{"kind":"x","tid":6,"tid_event_idx":6,"payload":{"a":'
        for tail in (b"1" * 9999, b"1" * 9999 + b"}", b"[" * 9999, b"[" * 9999 + b"]" * 9999, b"NaN", b'"\xc3', b"[1,"):
            with self.subTest(tail=tail[:9]):
                outcome = self.assert_same_as_plain(log_bytes(calls(6)) + start + tail)
                self.assertIn("line 8", outcome.err)
        for payload in (b"1" * 9999, b"[" * 9999 + b"]" * 9999, b"NaN"):  # whole, though nobody can read it
            data = log_bytes(calls(6)) + start + payload + b"}}"
            self.assertEqual(self.gate(data, data + b"\n"), 0)

    def test_other_last_lines(self) -> None:
        for tail in (b"x", b"[]", b"1", b'"{}"', b"\xff", b"\x00", b"\xef\xbb\xbf"):
            with self.subTest(tail=tail):
                self.assertIn("torn", self.assert_same_as_plain(log_bytes(calls(6)) + tail).err)

    def test_chunks_of_any_size(self) -> None:
        for seed in seeds(10):
            pair = generator.random_pair(seed)
            self.write_pair(pair)
            expected = self.outcome_of(pair)
            for size in (1, 97, 300):
                with self.subTest(seed=seed, size=size), mock.patch.object(diff_events, "CHUNK_BYTES", size):
                    self.assertEqual(self.outcome_of(pair), expected)

    def write_pair(self, pair: generator.Pair, compress: Callable[[bytes], bytes] = bytes) -> None:
        self.write("c", compress(pair.canary))
        self.write("o", compress(pair.ours))

    def outcome_of(self, pair: generator.Pair) -> Outcome:
        """The report on a pair with its threads pinned."""
        pins = ",".join(f"{canary}={ours}" for canary, ours in pair.tid_map)
        paths = str(self.directory / "c"), str(self.directory / "o")
        options = ("--tid-map", pins, "--no-auto-map", "--report", "json:-")
        with mock.patch.object(diff_events, "formats_differ", return_value=True):  # it looks at the first chunk
            outcome = run("--canary", paths[0], "--ours", paths[1], *options)
        return Outcome(outcome.code, re.sub(r'"bytes": \d+', "", outcome.out), outcome.err)

    def test_spooled_input_gives_the_same_report(self) -> None:
        for seed in seeds(8):
            pair = generator.random_pair(seed)
            self.write_pair(pair)
            expected = self.outcome_of(pair)
            for compress in (gzip.compress, lzma.compress):
                self.write_pair(pair, compress)
                self.assertEqual(self.outcome_of(pair), expected)
                with mock.patch.object(diff_events, "CHUNK_BYTES", 111):
                    self.assertEqual(self.outcome_of(pair), expected)

    def test_spool_that_cannot_be_made(self) -> None:
        path = self.write("log.gz", gzip.compress(log_bytes(calls(3))))
        with mock.patch.object(tempfile, "TemporaryFile", side_effect=OSError(28, "No space left on device")):
            outcome = run("--canary", path, "--ours", self.plain)
        self.assertEqual(outcome.code, 2)
        self.assertIn("No space left", outcome.err)

    def test_source_begins_anew(self) -> None:
        data = log_bytes(calls(2000))
        self.write("a", data)
        self.write("b", gzip.compress(data))
        for name in ("a", "b"):
            source = diff_events.LogSource(str(self.directory / name))
            self.addCleanup(source.close)
            for _ in range(2):
                self.assertEqual(data[:50], source.peek()[:50])
                self.assertEqual(b"".join(chunk for part in source.segments() for chunk in part.chunks()), data)
                self.assertEqual(source.read_back(100, 200), data[100:300])
                source.rewind()


def texts() -> Iterator[tuple[str, str]]:
    yield "plain", "plain"
    yield "a\tb\r\n\x00\x7f\x85\u2028\u202e\ufeff", "a\\tb\\r\\n\\x00\\x7f\\x85\\u2028\\u202e\\ufeff"
    yield "\ud800\U000e0001é|`", "\\ud800\\U000e0001é|`"


class SafeText(unittest.TestCase):
    def test_printable(self) -> None:
        for text, shown in texts():
            self.assertEqual(diff_events.printable(text), shown)
            self.assertTrue(shown.isprintable())

    def test_shorten(self) -> None:
        self.assertEqual(diff_events.shorten("abc", 3), "abc")
        self.assertEqual(diff_events.shorten("a" * 5000, 3), "aaa… (5,000 characters)")

    def test_header_alone(self) -> None:
        diff_events.check_header(HEADER)
        with self.assertRaises(diff_events.NotJsonError):
            diff_events.check_header(b"{}")


if __name__ == "__main__":
    unittest.main()
