"""Properties that hypothesis tries to refute. Without hypothesis they are skipped, and that is said.

``DIFF_EVENTS_REQUIRE_ALL=1`` makes its absence a failure. ``DIFF_EVENTS_EFFORT=50`` tries 100 times as many as
usual, and others in each run; otherwise the examples are the same ones every time.
"""

from __future__ import annotations

import contextlib
import json
import unittest
from array import array
from collections.abc import Callable
from typing import Any

import diff_events
from diff_events import LayoutReader, NotJsonError, RawEvent, Stream
from tests import generator, traces
from tests.support import EFFORT, not_tested, seeds

try:
    from hypothesis import example, given, settings
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError:
    raise not_tested("the properties of tests/test_hypothesis.py: hypothesis is not installed") from None

EXAMPLES = len(seeds(12))
settings.register_profile("diff_events", deadline=None, database=None, max_examples=EXAMPLES, derandomize=EFFORT <= 1)
settings.load_profile("diff_events")

# --------------------------------------------------------------------------------------------------- JSON texts

BLANKS = st.sampled_from(("", "", "", " ", "\t", "  "))
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(("0", "-0", "0.0", "-0.0", "0e9", "1e300", "1E+300", "2e300", "1e-400", "9007199254740993.0")),
)
CHARACTERS = st.one_of(
    st.characters(),
    st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp")),  # what text is seldom tried with
    st.sampled_from('"\\/{}[],:`|<>&é\u0301'),
)
TEXTS = st.lists(CHARACTERS, max_size=8).map("".join)


@st.composite
def strings(draw: DrawFn, texts: SearchStrategy[str] = TEXTS) -> str:
    """A JSON string in one of its spellings."""
    body = json.dumps(draw(texts))[1:-1]
    if draw(st.booleans()):
        body = body.replace("/", "\\/")
    if draw(st.booleans()) and body[:1].isalnum():
        body = f"\\u{ord(body[0]):04x}{body[1:]}"
    return f'"{body}"'


def joined(parts: list[str], ends: str, blank: str) -> str:
    """An array or object of parts that are texts already."""
    return f"{ends[0]}{blank}{f'{blank},{blank}'.join(parts)}{blank}{ends[1]}"


def members(values: SearchStrategy[str]) -> SearchStrategy[str]:
    """An object; keys come from few, so that two objects have some in common, and may stand there twice."""
    keys = strings(st.one_of(st.sampled_from(("", "a", "b", "name", "tid", "a b", "\u00e9")), TEXTS))
    member = st.builds(lambda key, blank, value: f"{key}{blank}:{blank}{value}", keys, BLANKS, values)
    return st.builds(joined, st.lists(member, max_size=4), st.just("{}"), BLANKS)


def extended(values: SearchStrategy[str]) -> SearchStrategy[str]:
    """Arrays and objects of values."""
    return st.one_of(st.builds(joined, st.lists(values, max_size=4), st.just("[]"), BLANKS), members(values))


SCALARS = st.one_of(st.sampled_from(("null", "true", "false", "0", "1")), NUMBERS, strings())
JSON_TEXTS = st.recursive(SCALARS, extended, max_leaves=8)
PAYLOADS = members(JSON_TEXTS)


def respelt(draw: DrawFn, value: Any) -> str:
    """A text of a parsed value: other order, spaces, escapes and forms of numbers, the same value."""
    blank = draw(BLANKS)
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        parts = [f"{draw(strings(st.just(key)))}{blank}:{blank}{respelt(draw, value[key])}" for key in keys]
        return joined(parts, "{}", blank)
    if isinstance(value, list):
        return joined([respelt(draw, item) for item in value], "[]", blank)
    if isinstance(value, str):
        return draw(strings(st.just(value)))
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int) and abs(value) <= 2**53:
        tenfold = f"{value}0E-1" if value else "-0E+7"
        return draw(st.sampled_from((f"{value}", f"{value}.0", f"{value}e0", tenfold)))
    return str(value)


@st.composite
def spellings(draw: DrawFn, texts: SearchStrategy[str] = JSON_TEXTS) -> tuple[str, str]:
    """Two texts of one value."""
    text = draw(texts)
    return text, respelt(draw, diff_events.parse_json(text))


PAIRS = st.one_of(spellings(), st.tuples(JSON_TEXTS, JSON_TEXTS), st.tuples(SCALARS, SCALARS))
PAYLOAD_PAIRS = st.one_of(spellings(PAYLOADS), st.tuples(PAYLOADS, PAYLOADS))
NUMBER_PAIRS = st.tuples(NUMBERS, NUMBERS)


class Values(unittest.TestCase):
    """Reading and comparing JSON."""

    @given(JSON_TEXTS)
    def test_a_value_is_what_python_reads(self, text: str) -> None:
        self.assertEqual(diff_events.parse_json(text), json.loads(text))

    @given(spellings())
    def test_two_spellings_are_equal(self, pair: tuple[str, str]) -> None:
        left, right = map(diff_events.parse_json, pair)
        self.assertTrue(diff_events.json_equal(left, right))

    @given(PAIRS)
    def test_equality_is_symmetric_and_reflexive(self, pair: tuple[str, str]) -> None:
        left, right = map(diff_events.parse_json, pair)
        self.assertTrue(diff_events.json_equal(left, left))
        self.assertEqual(diff_events.json_equal(left, right), diff_events.json_equal(right, left))

    @given(PAIRS)
    @example(("[]", "{}"))
    @example(('{"a":[]}', '{"a":{}}'))
    @example(('{"a":null}', "{}"))
    def test_values_without_differences_are_the_equal_ones(self, pair: tuple[str, str]) -> None:
        left, right = map(diff_events.parse_json, pair)
        differences = list(diff_events.field_differences(left, right, "payload"))
        self.assertEqual(differences == [], diff_events.json_equal(left, right))
        for difference in differences:
            self.assertTrue(difference.path.startswith("payload"))
            self.assertFalse(diff_events.json_equal(*difference.values))

    @given(PAYLOAD_PAIRS)
    def test_canonical_texts_are_equal_just_where_values_are(self, pair: tuple[str, str]) -> None:
        self.assert_canonical(*pair)

    @given(NUMBER_PAIRS)
    @example(("1", "1.0"))
    @example(("0", "-0.0"))
    @example(("9007199254740993", "9007199254740993.0"))
    @example(("1e300", "1E+300"))
    @example(("1e300", "2e300"))
    @example(("1e-400", "0"))
    @example(("100000000000000000000", "1e20"))
    @example(("10000000000000000000000000", "1e25"))
    def test_canonical_numbers_are_equal_just_where_values_are(self, pair: tuple[str, str]) -> None:
        self.assert_canonical(*(f'{{"a":{number}}}' for number in pair))
        self.assert_canonical(*(f'{{"a":[{number}]}}' for number in pair))

    def assert_canonical(self, one: str, other: str) -> None:
        values_equal = diff_events.json_equal(diff_events.parse_json(one), diff_events.parse_json(other))
        payloads = diff_events.parse_payloads([text[1:-1].encode() for text in (one, other)])
        canonical = diff_events.canonical_texts(payloads)
        self.assertEqual(canonical[0] == canonical[1], values_equal)


class SharedGlobals(unittest.TestCase):
    """Semantic ids."""

    @given(st.integers(0, 2**32 - 1), TEXTS, st.data())
    def test_every_legal_spelling_is_recognised(self, pointer: int, object_type: str, data: st.DataObject) -> None:
        sid = diff_events.shared_global_sid(pointer, object_type)
        number = int(sid, 16)
        raws = st.sampled_from((pointer, f"0x{pointer:x}", f"0x{pointer:08X}", f"0X{pointer:08x}"))
        sids = st.sampled_from((sid, f"0x{sid}", sid.upper(), number))
        payload = {"raw_handle_id": data.draw(raws), "object_type": object_type, "handle_semantic_id": data.draw(sids)}
        self.assertEqual(diff_events.shared_global_of(payload), sid)
        other = {**payload, "handle_semantic_id": number ^ 1 << data.draw(st.integers(0, 63))}
        self.assertIsNone(diff_events.shared_global_of(other))

    @given(st.integers(0, 2**32 - 1), st.sampled_from(generator.OBJECT_TYPES))
    def test_agree_with_those_of_the_generator(self, pointer: int, object_type: str) -> None:
        sid = f"{generator.shared_global_sid(pointer, object_type):016x}"
        self.assertEqual(diff_events.shared_global_sid(pointer, object_type), sid)


# -------------------------------------------------------------------------------------------------- event lines

FIELDS: dict[str, SearchStrategy[str]] = {
    "schema_version": st.just("1"),
    "engine": strings(st.sampled_from(("canary", "ours"))),
    "kind": strings(st.one_of(st.sampled_from(("kernel.call", "handle.create", "x")), TEXTS)),
    "tid": st.integers(0, 40).map(str),
    "tid_event_idx": st.integers(0, 2**62 - 1).map(str),
    "guest_cycle": st.integers(-5, 2**70).map(str),
    "host_ns": NUMBERS,
    "deterministic": st.sampled_from(("true", "false", "null")),
    "payload": PAYLOADS,
    "extra": JSON_TEXTS,
}
REQUIRED = ("kind", "tid", "tid_event_idx", "payload")


@st.composite
def event_lines(draw: DrawFn) -> list[str]:
    """Lines of one writer: the same fields in the same order with the same spaces, and now and then not."""
    optional = draw(st.lists(st.sampled_from([name for name in FIELDS if name not in REQUIRED]), unique=True))
    order = draw(st.permutations([*REQUIRED, *optional]))
    blank, colon = draw(BLANKS), draw(BLANKS)
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.integers(0, 9)) == 0:
            order = draw(st.permutations(order))
        parts = [f'"{name}"{colon}:{blank}{draw(FIELDS[name])}' for name in order]
        lines.append(joined(parts, "{}", blank))
    return lines


@st.composite
def damaged_lines(draw: DrawFn) -> list[str]:
    """Lines of one writer, one of them with a few characters more, less or other."""
    lines = draw(event_lines())
    at = draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    start = draw(st.integers(0, len(line)))
    end = start + draw(st.integers(0, 3))
    put = draw(st.sampled_from(("", "e1", *'"\\{}[],:01- \x0b\x01\u00e9')))
    lines[at] = line[:start] + put + line[end:]
    return lines


Outcome = RawEvent | str


def outcome(read: Callable[[], RawEvent]) -> Outcome:
    """The event, or why there is none."""
    try:
        return read()
    except NotJsonError as error:
        return str(error)


def only(reader: LayoutReader, text: bytes) -> RawEvent:
    """The event of a text of one line."""
    kinds, tids, indexes, payloads, _ = reader.columns(text)
    return RawEvent(kinds[0], tids[0], indexes[0], payloads[0])


def read_exactly(line: str) -> Outcome:
    """What a reader says that has learned nothing yet."""
    return outcome(lambda: diff_events.decode_raw_event(line.encode()))


class Lines(unittest.TestCase):
    """Reading events by learned layouts."""

    def assert_same_as_exact(self, reader: LayoutReader, lines: list[str]) -> None:
        for line in lines:
            text = line.encode() + b"\n"
            by_layout = outcome(lambda text=text: only(reader, text))  # type: ignore[misc]
            self.assertEqual(by_layout, read_exactly(line), line)

    @given(event_lines())
    def test_a_learned_layout_reads_as_the_exact_way_does(self, lines: list[str]) -> None:
        reader = LayoutReader()
        self.assert_same_as_exact(reader, lines)
        self.assert_same_as_exact(reader, lines)  # now all of it has been learned
        self.assertEqual(read_together(reader, lines), list(map(read_exactly, lines)))

    @given(event_lines(), damaged_lines())
    def test_damaged_lines_read_so_too(self, lines: list[str], damaged: list[str]) -> None:
        """Whatever was learned before, and together as one by one."""
        for reader in (LayoutReader(), learned(lines), learned(damaged)):
            one_by_one = [read_exactly(line) for line in damaged if line.strip(" \t\r\x0b\x0c")]
            wrong = [found for found in one_by_one if isinstance(found, str)]
            self.assertEqual(read_together(reader, damaged), wrong[0] if wrong else one_by_one)
        self.assert_same_as_exact(learned(lines), [line for line in damaged if "\n" not in line and line.strip()])
        of_text = [line for line in damaged if line.strip()]
        self.assert_same_as_exact(learned(of_text), of_text)

    @given(event_lines())
    def test_an_event_is_what_python_reads(self, lines: list[str]) -> None:
        for line in lines:
            value = json.loads(line)
            event = diff_events.decode_event(line.encode(), 7)
            self.assertEqual((event.lineno, event.tid, event.idx), (7, value["tid"], value["tid_event_idx"]))
            self.assertEqual(event.kind, value["kind"])
            self.assertEqual(event.payload.keys(), value["payload"].keys())


def read_together(reader: LayoutReader, lines: list[str]) -> list[RawEvent] | str:
    """All events of a text, or why the first line that is none is none."""
    try:
        columns = reader.columns("".join(line + "\n" for line in lines).encode())
    except NotJsonError as error:
        return str(error)
    assert columns.lines == len(lines)
    fields = zip(columns.kinds, columns.tids, columns.indexes, columns.payloads, strict=True)
    return [RawEvent(*event) for event in fields]


def learned(lines: list[str]) -> LayoutReader:
    """A reader that knows the layouts of these lines."""
    reader = LayoutReader()
    for line in lines:
        outcome(lambda line=line: only(reader, line.encode() + b"\n"))  # type: ignore[misc]
    return reader


# ------------------------------------------------------------------------------------------------------ streams

INDEXES = st.lists(st.one_of(st.integers(0, 30), st.sampled_from((2**40, 2**62 - 1))), min_size=1, max_size=30)


def stream_of(indexes: list[int]) -> Stream:
    """A stream whose events arrive with these indexes, each in a chunk of its own; its fingerprint is its index."""
    stream = Stream()
    for place, idx in enumerate(indexes):
        stream.add([idx], [idx], place)
    return stream


class Streams(unittest.TestCase):
    """One thread's events, however they arrive."""

    @given(INDEXES)
    def test_an_index_that_is_there_twice_is_found(self, indexes: list[int]) -> None:
        doubled = stream_of(indexes).into_index_order()
        if len(set(indexes)) == len(indexes):
            self.assertIsNone(doubled)
        else:
            self.assertGreater(indexes.count(doubled or 0), 1)

    @given(INDEXES.map(lambda indexes: list(dict.fromkeys(indexes))))
    def test_order_is_that_of_the_indexes(self, indexes: list[int]) -> None:
        stream = stream_of(indexes)
        self.assertIsNone(stream.into_index_order())
        in_order = sorted(indexes)
        self.assertEqual(list(stream.fingerprints), in_order)
        for position, idx in enumerate(in_order):
            self.assertEqual(stream.idx_at(position), idx)
            self.assertEqual(stream.position_of(idx), position)
            self.assertEqual(stream.chunk_of(position), indexes.index(idx))

    @given(INDEXES.map(lambda indexes: list(dict.fromkeys(indexes))))
    def test_holes_are_counted(self, indexes: list[int]) -> None:
        stream = stream_of(indexes)
        stream.into_index_order()
        lost, first = stream.lost()
        self.assertEqual(lost, max(indexes) + 1 - len(indexes))
        if lost:
            self.assertEqual(first, next(idx for idx in range(len(indexes) + 1) if idx not in indexes))

    @given(INDEXES.map(lambda indexes: list(dict.fromkeys(indexes))))
    def test_runs_end_where_indexes_jump(self, indexes: list[int]) -> None:
        stream = stream_of(indexes)
        stream.into_index_order()
        in_order = sorted(indexes)
        for position in range(len(in_order)):
            end = stream.run_end(position)
            first = in_order[position]
            self.assertEqual(in_order[position:end], list(range(first, first + end - position)))

    @given(st.lists(st.integers(0, 2), max_size=300), st.lists(st.integers(0, 2), max_size=300), st.data())
    def test_equal_run_counts_equal_entries(self, one: list[int], other: list[int], data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            other = one[: len(one) // 2] + other
        start, other_start = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
        most = min(len(one) - start, len(other) - other_start)
        pairs = zip(one[start:], other[other_start:], strict=False)
        expected = next((count for count, (a, b) in enumerate(pairs) if a != b), most)
        self.assertEqual(diff_events.equal_run(array("q", one), start, array("q", other), other_start, most), expected)


# ------------------------------------------------------------------------------------ traces and contracts


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
TOOL_FIELDS = st.sampled_from(
    [
        *("command", "path", "file_path", "notebook_path", "offset", "limit", "pages", "content", "old_string"),
        *("new_string", "replace_all", "edits", "pattern", "flags", "-A", "-C", "context", "post_state_sha256", "url"),
    ]
)
TOOL_NAMES = st.sampled_from((*diff_events.RULES, "MultiEdit", "LS", "WebFetch", "x"))
TOOL_USES = st.builds(
    lambda name, tool_input: {"type": "tool_use", "id": "a", "name": name, "input": tool_input},
    TOOL_NAMES,
    st.dictionaries(TOOL_FIELDS, JSON_VALUES, max_size=4),
)
RECORDS = st.one_of(
    st.builds(lambda blocks: traces.turn() | {"blocks": blocks}, st.lists(TOOL_USES, min_size=1, max_size=3)),
    st.builds(traces.result, st.just("a"), TEXTS, ok=st.booleans()),
    st.builds(traces.hook, st.sampled_from(("PreToolUse", "PostToolUse", "Stop")), matcher=st.none() | TEXTS),
    st.builds(traces.skill, TEXTS, args=JSON_VALUES),
    st.dictionaries(TEXTS, JSON_VALUES, max_size=3),
)


YAML_PIECES = st.sampled_from([*"ab:-?#&*!|>%@`'\"[]{},~ \t", "\n", "\n  ", ": ", "- "])


class AgentTraces(unittest.TestCase):
    """Whatever a trace holds, it is compared or refused, and equal to itself."""

    @given(st.lists(RECORDS, max_size=6), st.lists(RECORDS, max_size=6))
    def test_any_two_traces(self, one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
        read = []
        for records in (one, other):
            text = traces.whole(*records)
            try:
                read.append(diff_events.parse_trace(text))
            except diff_events.InputError as error:
                self.assertIn("<text>:", str(error))
                continue
            report = diff_events.compute_parity_score(read[-1], read[-1])
            self.assertLessEqual({drift.tier for drift in report.drifts}, {3})
        if len(read) == 2:
            report = diff_events.compute_parity_score(*read)
            self.assertEqual(report.score == 1.0, not report.drifts)
            json.loads("".join(diff_events.parity_json(report)))
            diff_events.parity_markdown(report).encode()
            if report.alignment:
                self.assertGreaterEqual(report.alignment.matched + len(report.drifts), 0)
                self.assertLessEqual(report.alignment.paired, min(report.teacher_count, report.student_count))

    @given(st.lists(RECORDS, max_size=5), st.data())
    def test_damaged_text(self, records: list[dict[str, object]], data: st.DataObject) -> None:
        text = traces.whole(*records)
        place = data.draw(st.integers(0, len(text)))
        damaged = text[:place] + data.draw(TEXTS) + text[place + data.draw(st.integers(0, 3)) :]
        with contextlib.suppress(diff_events.InputError):
            diff_events.parse_trace(damaged.encode(errors="surrogatepass"))

    @given(st.lists(YAML_PIECES, max_size=40).map("".join))
    def test_any_yaml_is_read_or_refused(self, text: str) -> None:
        with contextlib.suppress(diff_events.InputError):
            json.dumps(diff_events.PlainYaml(text, "c.yaml").document(), skipkeys=True)


# --------------------------------------------------------------------------------------------------- safe text


class SafeText(unittest.TestCase):
    """Nothing that an event holds may move a cursor or break a table."""

    @given(TEXTS)
    def test_printable_text_has_nothing_else(self, text: str) -> None:
        shown = diff_events.printable(text)
        self.assertTrue(shown.isprintable())
        self.assertEqual(diff_events.printable(shown), shown)
        shown.encode()

    @given(TEXTS)
    def test_code_is_one_span_on_one_line(self, text: str) -> None:
        shown = diff_events.md_code(text)
        self.assertTrue(shown.isprintable())
        fence = shown[: len(shown) - len(shown.lstrip("`"))]
        self.assertTrue(shown.endswith(fence) and len(shown) > 2 * len(fence))
        self.assertNotIn(fence, [run for run in shown[len(fence) : -len(fence)].split(" ") if set(run) == {"`"}])

    @given(TEXTS, TEXTS)
    def test_cells_stay_in_their_columns(self, one: str, other: str) -> None:
        for cell in (diff_events.literal, diff_events.quoted):
            table = diff_events.Table(("a", "b"), [[cell(one), cell(other)]])
            row = diff_events.MarkdownWriter().block(table).split("\n")[-1]
            self.assertEqual(row.replace("\\\\", "").replace("\\|", "").count("|"), 3, row)
            self.assertTrue(row.isprintable())

    @given(st.lists(TEXTS, max_size=4))
    def test_fences_hold_their_lines(self, lines: list[str]) -> None:
        block = diff_events.MarkdownWriter().block(diff_events.Diff(list(map(diff_events.gap, lines)))).split("\n")
        self.assertEqual(len(block), len(lines) + 3)
        self.assertTrue(all(line.isprintable() for line in block))
        self.assertTrue(all(block[0] not in line for line in block[1:-1]))


# --------------------------------------------------------------------------------------------------- shell commands

SHELL_WORDS = r"""
curl wget git clone push ssh -C .. cd /etc && || | ; & ( ) (( )) { } $( ${ ` ' " \ << <<- <<< EOF < > >>
$API_KEY $HOME ${A:-b} env sudo bash -c eval xargs find -exec python3 - node -e import requests requests.get(
'') fetch( "https://a.example" https://b.example docker exec run for u in do done if then fi case esac [[ ]]
f() x=1 A_URL=http://c.example function 0x7f.1 [::1] tee a.sh ./a.sh source # => os.environ process.env
"""
SHELL_PIECES = st.sampled_from([*SHELL_WORDS.split(), "\n"])
SHELL_TEXTS = st.lists(st.one_of(SHELL_PIECES, SHELL_PIECES, TEXTS), max_size=25).flatmap(
    lambda pieces: st.sampled_from((" ", "", "\n")).map(lambda between: between.join(pieces))
)


class Commands(unittest.TestCase):
    @given(SHELL_TEXTS, st.sampled_from((None, "/", "/w/x")))
    def test_any_text_is_judged_and_always_alike(self, text: str, cwd: str | None) -> None:
        call = diff_events.ToolCall("Bash", {"command": text}, cwd=cwd)
        first, again = (diff_events.check_sovereignty(call, diff_events.Policy((), cwd)) for _ in range(2))
        self.assertEqual(first, again)

    @given(SHELL_TEXTS)
    def test_blanks_around_a_command_do_not_count(self, text: str) -> None:
        try:
            tokens = diff_events.shell_tokens(text)
        except diff_events.ShellSyntaxError:
            return
        self.assertEqual(diff_events.shell_tokens(f" \t{text}"), tokens)

    @given(SHELL_TEXTS)
    def test_allowing_each_host_leaves_no_egress(self, text: str) -> None:
        call = diff_events.ToolCall("Bash", {"command": text})
        found = diff_events.check_sovereignty(call, diff_events.Policy()).violations
        hosts = tuple(each.what for each in found if each.reason is diff_events.Reason.NETWORK_EGRESS)
        allowed = diff_events.check_sovereignty(call, diff_events.Policy(hosts)).violations
        self.assertEqual([each for each in allowed if each.reason is diff_events.Reason.NETWORK_EGRESS], [])


if __name__ == "__main__":
    unittest.main()
