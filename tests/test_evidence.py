"""What a report shows of a divergence: the whole alignment, what differs always in sight, and all of it bounded."""

from __future__ import annotations

import json
import random
import re
import unittest
from collections.abc import Iterable, Mapping
from typing import Any
from unittest import mock

import diff_events
from diff_events import Both, differing, without_changes
from tests.page_reports import log, report_of, steps
from tests.support import LogTestCase, event, log_bytes, run, shared_create

Call = tuple[str, Mapping[str, Any]]
BEFORE, AFTER = [f"KeBefore{n}" for n in range(30)], [f"KeAfter{n}" for n in range(30)]
PATH = "game:\\media\\" + "folder\\" * 28


def opened(*names: str) -> list[Call]:
    """Calls that open files in a deep folder."""
    return [("NtOpenFile", {"path": PATH + name}) for name in names]


def report(canary: Iterable[Call], ours: Iterable[Call], **options: Any) -> diff_events.Report:
    """The report on one thread that makes calls before and after those that are given."""
    before, after = [("KeBefore", {"n": n}) for n in range(30)], [("KeAfter", {"n": n}) for n in range(60)]
    both = ([*before, *calls, *after] for calls in (canary, ours))
    return report_of(*(log({1: calls}) for calls in both), tid_map={1: 1}, **options)


def fence(text: str) -> list[str]:
    """The lines of the first diff in a Markdown text, without the places of the events."""
    block = text.partition("```diff\n")[2].partition("\n```")[0]
    lines = (re.sub(r"#\d+ line \d+", "", line) for line in block.split("\n")[1:])
    return [re.sub(" +", " ", line).strip() for line in lines]


class Alignment(unittest.TestCase):
    def test_a_missing_block_is_all_there_and_nothing_is_compared(self) -> None:
        text = diff_events.render_markdown(report(steps(6), [], context=2))
        self.assertEqual(
            fence(text),
            [
                *(f"kernel.call KeBefore n={n}" for n in (28, 29)),
                *(f"- kernel.call KeStep n={n}" for n in range(6)),
                "kernel.call KeAfter n=0",
            ],
        )
        self.assertNotIn("| field |", text)

    def test_of_a_block_that_one_side_lacks_start_here_says_what_stands_there(self) -> None:
        for sides, lacks, one in ((Both(steps(6), []), "ours", "canary"), (Both([], steps(6)), "canary", "ours")):
            items = diff_events.render_markdown(report(*sides)).partition("## Start here")[2].split("\n")[4:6]
            words = {
                one: f"- `kernel.call KeStep n=0` ({one} #30 line 32)",
                lacks: f"- {lacks} lacks that; what stands there is `kernel.call KeAfter n=0` ({lacks} #30 line 32), "
                "which matches",
            }
            self.assertEqual(items, list(words.values()))

    def test_one_of_each_sort_has_its_evidence_and_the_others_one_line_a_thread(self) -> None:
        ours = [("KeStep", {"n": n + 100}) if n % 20 == 10 else step for n, step in enumerate(steps(80))]
        text = diff_events.render_markdown(report(steps(80), ours))
        self.assertEqual(text.count("```diff"), 1)
        self.assertIn("\n- sort 1, canary tid 1 / ours tid 1: #60 ↔ #60, #80 ↔ #80, #100 ↔ #100\n", text)

    def test_an_extra_block(self) -> None:
        text = diff_events.render_markdown(report([], steps(3), context=0))
        self.assertEqual(
            fence(text), [*(f"+ kernel.call KeStep n={n}" for n in range(3)), "kernel.call KeAfter n=0"]
        )

    def test_a_replaced_block_has_both_sides_and_no_table(self) -> None:
        found = report([("KeOne", {}), ("KeTwo", {})], [("KeThree", {})], context=0)
        expected = ["- kernel.call KeOne", "- kernel.call KeTwo", "+ kernel.call KeThree", "kernel.call KeAfter n=0"]
        self.assertEqual(fence(diff_events.render_markdown(found)), expected)
        self.assertNotIn("| field |", diff_events.render_markdown(found))

    def test_changed_events_stand_against_each_other_each_with_its_fields(self) -> None:
        text = diff_events.render_markdown(report(opened("a", "b", "c"), opened("x", "y", "z"), context=0))
        marks = [line[:2] for line in fence(text)]
        self.assertEqual(marks, ["- ", "+ ", "- ", "+ ", "- ", "+ ", "ke"])
        rows = re.findall(r"(?m)^\| (#\d+) ↔ #\d+ \| `payload\.path` \|", text)
        self.assertEqual(rows, ["#30", "#31", "#32"])

    def test_several_calls_of_one_divergence_are_summed_up(self) -> None:
        for names, expected in (("One", []), ("One Two", [["`One`", "1"], ["`Two`", "1"]])):
            text = diff_events.render_markdown(report([(name, {}) for name in names.split()], []))
            table = re.findall(r"(?m)^\| (`\w+`) \| (\d+) \| 0 \| 0 \|$", text.partition("\n## By call\n")[2])
            self.assertEqual(list(map(list, table)), expected)
            self.assertNotIn("## Sorts of divergences", text)

    def test_what_a_writer_lost_and_what_is_behind_the_end_of_a_log_is_no_lack_of_calls(self) -> None:
        def names(calls: list[Call], lost: range = range(0), end: int | None = None) -> list[str]:
            canary, ours = log({1: steps(40)}), log({1: [*steps(40 - len(calls)), *calls]})
            header, *events = ours.splitlines(keepends=True)
            kept = [line for number, line in enumerate(events[:end]) if number not in lost]
            return [one.name for one in report_of(canary, header + b"".join(kept), tid_map={1: 1}).calls]

        failing: list[Call] = [("KeOther", {}), *steps(40)[31:]]
        self.assertEqual(names(failing), ["KeOther", "KeStep"])
        self.assertEqual(names(failing, lost=range(10, 13)), ["KeOther", "KeStep"])
        self.assertEqual(names([], lost=range(10, 13)), [])
        self.assertEqual(names([], end=20), [])

    def test_what_explains_the_sorts_is_no_column_where_nothing_does(self) -> None:
        ours = [("KeStep", {"n": n + 100 * (n % 20 == 10)}) for n in range(80)]
        text = diff_events.render_markdown(report(steps(80), ours))
        self.assertEqual(re.findall(r"(?m)^\| sort .* tids and indexes \| (.*) \|$", text), ["example"])

    def test_one_call_is_summed_up_where_there_are_several_divergences(self) -> None:
        lost = [step for n, step in enumerate(steps(80)) if n % 20 != 10]
        text = diff_events.render_markdown(report(steps(80), lost))
        self.assertEqual(text.partition("\n## By call\n")[2].split("\n")[3], "| `KeStep` | 4 | 0 | 0 |")

    def test_calls_that_both_sides_make_elsewhere_are_not_summed_up(self) -> None:
        calls: list[Call] = [("KeOne", {}), ("KeTwo", {})]
        self.assertEqual(report(calls, calls[::-1]).calls, ())

    def test_a_result_belongs_to_its_call_and_not_to_one_within_it(self) -> None:
        def side(result: int) -> bytes:
            inner = [("kernel.call", "KeInner", 0), ("kernel.return", "KeInner", 0)]
            outer = [("kernel.call", "KeOuter", 0), *inner, ("kernel.return", "KeOuter", result)]
            events = [("kernel.call", f"KeBefore{n}", 0) for n in range(9)] + outer
            return log_bytes(event(n, kind, {"name": name, "n": of}) for n, (kind, name, of) in enumerate(events))

        (divergence,) = report_of(side(1), side(2)).threads[0].divergences
        self.assertEqual(divergence.calls.map(lambda call: call and call.name), Both("KeOuter", "KeOuter"))

    def test_an_index_that_a_writer_left_out_is_said_to_be_no_event(self) -> None:
        names = [f"Ke{n}" for n in range(20)]
        canary, ours = (
            log_bytes(event(n + (n >= gap), payload={"name": name}) for n, name in enumerate(names)) for gap in (99, 9)
        )
        text = diff_events.render_markdown(report_of(canary, ours))
        self.assertIn("**index gap** (0 events of canary against 0 of ours)", text)
        self.assertIn("\nNo event is missing: the writer left out an index.\n", text)

    def test_what_floats_is_no_part_of_the_block_that_it_stands_in(self) -> None:
        def events(*names: str, shared_at: int) -> bytes:
            payloads = [{"name": name} for name in (*BEFORE, *names, *AFTER)]
            found = [event(idx + (idx >= shared_at), payload=payload) for idx, payload in enumerate(payloads)]
            return log_bytes([*found[:shared_at], shared_create(shared_at), *found[shared_at:]])

        canary, ours = events("KeOne", "KeTwo", shared_at=31), events(shared_at=0)
        divergence = report_of(canary, ours, tid_map={6: 6}).threads[0].divergences[0]
        self.assertEqual([one.name for one in divergence.block.canary], ["KeOne", "KeTwo"])
        self.assertEqual(divergence.counts, Both(2, 0))

    def test_a_long_block_is_folded_in_the_middle(self) -> None:
        for count in (50, 51, 1000):
            found = report(steps(count), [], context=0)
            first = [f"- kernel.call KeStep n={n}" for n in range(40)]
            last = [f"- kernel.call KeStep n={n}" for n in range(count - 10, count)]
            more = {50: [], 51: ["… 1 more event of canary …"], 1000: ["… 950 more events of canary …"]}[count]
            lines = fence(diff_events.render_markdown(found))
            self.assertEqual(lines, [*first, *more, *last, "kernel.call KeAfter n=0"])
            divergence = json.loads(diff_events.render_json(found))["threads"][0]["divergence"]
            self.assertEqual(divergence["block_omitted"], {"canary": count - 50, "ours": 0})
            shown = [event["payload"]["n"] for event in divergence["block"]["canary"]]
            self.assertEqual((shown, divergence["block"]["ours"]), ([*range(40), *range(count - 10, count)], []))

    def test_a_long_block_of_changed_calls_is_folded_in_the_middle(self) -> None:
        names = [f"{n:03}" for n in range(200)]
        text = diff_events.render_markdown(report(opened(*names), opened(*(f"x{name}" for name in names)), context=0))
        lines = fence(text)
        self.assertEqual([line[0] for line in lines], [*"-+" * 40, *"……", *"-+" * 10, "k"])
        rows = re.findall(r"(?m)^\| #(\d+) ↔ #\d+ \| `payload\.path` \|", text)
        self.assertEqual([int(row) - int(rows[0]) for row in rows], [*range(40), *range(190, 200)])

    def test_what_never_comes_together_again_goes_to_the_ends(self) -> None:
        found = report_of(log({1: steps(3)}), log({1: [("KeOther", {"m": n}) for n in range(3)]}), tid_map={1: 1})
        lines = fence(diff_events.render_markdown(found))
        self.assertEqual([line[0] for line in lines], [*"---+++", "("])
        self.assertEqual(lines[-1], "(the logs end here)")

    def test_the_context_begins_behind_the_divergence_before(self) -> None:
        canary, ours = steps(60), steps(60)
        ours[20], ours[23] = ("KeStep", {"n": -1}), ("KeStep", {"n": -2})
        divergences = report(canary, ours, context=9, max_divergences=0).threads[0].divergences
        self.assertEqual([len(divergence.context) for divergence in divergences], [9, 2])

    def test_json_has_the_events_without_counterpart(self) -> None:
        document = json.loads(diff_events.render_json(report(steps(2), opened("a"), context=0)))
        block = document["threads"][0]["divergence"]["block"]
        self.assertEqual([e["payload"] for e in block["canary"]], [{"name": "KeStep", "n": n} for n in (0, 1)])
        self.assertEqual([e["payload"]["path"] for e in block["ours"]], [PATH + "a"])


class InSight(unittest.TestCase):
    def test_values_that_differ_only_at_their_end(self) -> None:
        found = report(opened("one.dat"), opened("two.dat"))
        text = diff_events.render_markdown(found)
        for words in ("one.dat", "two.dat"):
            self.assertEqual(text.count(words), 3, text)
        page = diff_events.render_html(found)
        self.assertEqual(page.count("<mark>one</mark>"), 3)
        self.assertEqual(page.count("<mark>two</mark>"), 3)

    def test_a_field_behind_many_others(self) -> None:
        many = {f"argument{n}": "x" * 30 for n in range(20)}
        lines = fence(diff_events.render_markdown(report([("Ke", many | {"z": 1})], [("Ke", many | {"z": 2})])))
        self.assertEqual([line[-3:] for line in lines if line[0] in "-+"], ["z=1", "z=2"])

    def test_what_is_not_compared_is_not_marked(self) -> None:
        payload = {"object_type": "Event", "raw_handle_id": 1, "handle_semantic_id": "aa"}
        events = Both(payload | {"object_name": "a"}, payload | {"object_name": "b", "raw_handle_id": 2}).map(
            lambda fields: diff_events.Event(1, "handle.create", 1, 1, fields)
        )
        for text in diff_events.compared_texts(events):
            self.assertEqual(re.findall("(\\w+)=[^=]*\x05", text), ["object_name"])

    def test_differing_shows_where_and_only_what_differs(self) -> None:
        random.seed(7)
        for _ in range(2000):
            one, other = ("".join(random.choices("ab\n`<", k=random.randrange(60))) for _ in range(2))
            common = "".join(random.choices("ab", k=random.randrange(60)))
            texts, width = Both(common + one, common + other), random.randrange(8, 60)
            shown = differing(texts, width)
            for text, whole in zip(shown, texts.map(diff_events.printable), strict=True):
                self.assertEqual((text.count("\x05"), text.count("\x06")), (1, 1))
                before = text.partition("\x05")[0]
                self.assertTrue(whole.startswith(before) if before[:1] != "…" else before[1:] in whole)
                self.assertLessEqual(len(text), width + len("…… (999 characters)") + 2)
            if texts.canary != texts.ours:
                self.assertNotEqual(*shown.map(lambda text: without_changes(text).split(" (")[0]))

    def test_marks_in_a_log_mark_nothing(self) -> None:
        found = report([("Ke\x05\x06\x02", {"v": "\x05a\x06"})], [("Ke\x05\x06\x02", {"v": "\x05c\x06"})])
        self.assertEqual(re.findall("<mark>(.*?)</mark>", diff_events.render_html(found)), ["a", "c"] * 3)
        self.assertIn("Ke\\x05\\x06\\x02", diff_events.render_markdown(found))


class Bounds(LogTestCase):
    def test_payloads_that_differ_in_very_many_elements(self) -> None:
        canary, ours = ([event(0, payload={"v": [10**18 + n + add for n in range(2500)]})] for add in (0, 1))
        paths = self.write("canary.jsonl", canary), self.write("ours.jsonl", ours)
        names = list(diff_events.REPORT_RENDERERS)
        reports = [word for name in names for word in ("--report", f"{name}:{self.directory / name}")]
        run("--canary", paths[0], "--ours", paths[1], *reports)
        texts = {name: (self.directory / name).read_text() for name in names}
        divergence = json.loads(texts["json"])["threads"][0]["divergence"]
        self.assertEqual((len(divergence["fields"]), divergence["fields_omitted"]), (1000, 1500))
        self.assertEqual(divergence["event"]["canary"]["payload"], None)
        self.assertGreater(divergence["event"]["canary"]["payload_characters"], 50_000)
        for name, text in texts.items():
            self.assertLess(len(text), 600_000, name)
            said = {"json": '"fields_omitted": 1500', "text": "More: "}.get(name, "More fields that differ: 1,500")
            self.assertIn(said, text)

    def test_a_very_long_value_is_left_out_of_the_json_with_its_length(self) -> None:
        document = self.compare([event(0, payload={"v": "x" * 100_000})], [event(0, payload={"v": 1})])
        (field,) = document["threads"][0]["divergence"]["fields"]
        self.assertEqual(field, {"path": "payload.v", "canary": None, "canary_characters": 100_002, "ours": 1})

    def test_of_very_many_divergences_the_first_have_all_evidence(self) -> None:
        canary, ours = ([("KeStep", {"n": n, "v": add * (n % 30 == 29)}) for n in range(900)] for add in (1, 2))
        with mock.patch.object(diff_events, "MOST_DETAILED", 20):
            found = report_of(log({1: canary}), log({1: ours}), max_divergences=0).threads[0].divergences
        self.assertEqual([bool(divergence.context) for divergence in found], [True] * 20 + [False] * 10)
        self.assertTrue(all(divergence.changed for divergence in found))

    def test_all_evidence_is_shared_evenly_by_the_pairs_of_threads(self) -> None:
        changed = [("KeStep", {"n": n, "v": int(n % 30 == 29)}) for n in range(900)]
        same = [("KeStep", {"n": n, "v": 0}) for n in range(900)]
        for most, expected in ((20, [10, 0]), (4, [5, 0])):
            with mock.patch.object(diff_events, "MOST_DETAILED", most):
                threads = report_of(log({1: same, 2: steps(9)}), log({1: changed, 2: steps(9)})).threads
            self.assertEqual([sum(bool(d.context) for d in thread.divergences) for thread in threads], expected)


if __name__ == "__main__":
    unittest.main()
