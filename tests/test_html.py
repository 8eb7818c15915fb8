"""The page: well-formed, bounded, the same every time, and nothing in the logs is ever more than text."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import unittest
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from unittest import mock

import diff_events
from tests import generator
from tests.page_reports import (
    HOSTILE,
    endless_report,
    hostile_report,
    log,
    many_pairs,
    page_of,
    report_of,
    scattered_report,
    steps,
)
from tests.support import EFFORT, seeds

VOID = {"col", "meta", "link", "br", "hr", "img", "input"}
SHAPES = {"rect", "circle", "path", "line", "polygon", "polyline", "ellipse"}
MOST_BYTES = 3_000_000
MOST_SHAPES = 5_000
EACH = 40 if EFFORT >= 1 else 10
"""Divergences of each thread, where there are more than a page has evidence of."""


class Page(HTMLParser):
    """A page taken apart; complains about what is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        if self._open:
            raise AssertionError(f"left open: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if len(attrs) != len(dict(attrs)):
            raise AssertionError(f"doubled attribute: {attrs}")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            raise AssertionError(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def values(self, name: str) -> list[str]:
        """All values of one attribute."""
        return [value for _, attribute, value in self.attributes if attribute == name]

    def text(self) -> str:
        """All text that a reader may see."""
        return "\n".join(data for tag, texts in self.texts.items() if tag not in ("style", "script") for data in texts)

    @property
    def shapes(self) -> int:
        """How much there is to draw."""
        return sum(self.tags[tag] for tag in SHAPES)


class Structure(unittest.TestCase):
    @staticmethod
    @functools.cache
    def pages() -> dict[str, tuple[str, Page]]:
        """Each page, and what is in it."""
        reports = {
            "hostile": hostile_report(),
            "identical": report_of(log({1: steps(5)}), log({1: steps(5)})),
            "scattered": scattered_report(3, 4),
            "ended": report_of(log({1: steps(5)}), log({1: steps(3)})),
            "no evidence": scattered_report(2, 3, max_divergences=1),
        }
        for seed in seeds(5):
            pair = generator.random_pair(seed)
            try:
                reports[f"seed {seed}"] = report_of(pair.canary, pair.ours, tid_map=dict(pair.tid_map))
            except diff_events.InputError:
                continue
        texts = {name: diff_events.render_html(report) for name, report in reports.items()}
        return {name: (text, Page(text)) for name, text in texts.items()}

    def test_every_page_is_well_formed_and_its_anchors_resolve(self) -> None:
        for name, (_, page) in self.pages().items():
            with self.subTest(name):
                ids = page.values("id")
                self.assertEqual(len(ids), len(set(ids)))
                targets = page.values("href") + page.values("aria-labelledby")
                self.assertLessEqual({target.removeprefix("#") for target in targets}, set(ids))
                self.assertEqual(page.tags["h1"], 1)
                self.assertIn(("html", "lang", "en"), page.attributes)

    def test_nothing_is_loaded_and_no_attribute_runs(self) -> None:
        for name, (text, page) in self.pages().items():
            with self.subTest(name):
                self.assertFalse({"src", "style", "srcset", "action", "data"} & {a for _, a, _ in page.attributes})
                self.assertFalse([a for _, a, _ in page.attributes if a.startswith("on")])
                self.assertTrue(all(target.startswith("#") for target in page.values("href")))
                style = text.partition("<style>")[2].partition("</style>")[0]
                self.assertNotRegex(style, r"(?i)@import|url\((?!#)|//\w")
                self.assertEqual((page.tags["style"], page.tags["script"], page.tags["link"]), (1, 1, 0))

    def test_the_policy_allows_just_this_style_and_this_script(self) -> None:
        page = Page(diff_events.render_html(hostile_report()))
        policy = next(value for value in page.values("content") if "default-src" in value)
        digests = [
            base64.b64encode(hashlib.sha256("".join(page.texts[tag]).encode()).digest()).decode()
            for tag in ("style", "script")
        ]
        allowed = f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; "
        self.assertEqual(policy, allowed + "base-uri 'none'; form-action 'none'")

    def test_the_page_says_what_the_markdown_says(self) -> None:
        text = Page(diff_events.render_html(scattered_report(1, 1))).text()
        for words in ("Divergent", "#20 line 22", "#20 ↔ #20", "recovers after 1", "payload.n", "60 / 60 events after"):
            self.assertIn(words, text)

    def test_it_opens_with_where_to_start_and_leads_to_the_evidence(self) -> None:
        text = diff_events.render_html(scattered_report(2, 2))
        self.assertLess(text.index("Start here"), text.index('id="threads"'))
        self.assertRegex(text, r"<strong>canary tid 0 / ours tid 0</strong>: [^<]+</p>")
        self.assertIn('<a href="#d1">Evidence 1</a>', text)
        self.assertIn("no relation to it is known", text)
        identical = report_of(log({1: steps(5)}), log({1: steps(5)}))
        self.assertNotIn("Start here", diff_events.render_html(identical))

    def test_where_to_start_is_among_the_evidence_whatever_else_there_is(self) -> None:
        report = many_pairs(150)
        last = report.threads[-1].pair
        start = diff_events.StartHere(diff_events.StartReason.VALUE_CHANGED, last.canary_tid, last.ours_tid)
        text = diff_events.render_html(replace(report, start_here=start))
        self.assertIn('<a href="#d1">Evidence 1</a>', text)
        self.assertRegex(text, rf"<b>1</b> tid {last.canary_tid} / {last.ours_tid} ")
        first = text.partition('<li class="lane" id="t1"')[2]
        self.assertRegex(first, rf'\A[^>]*><div class="who">canary <b>{last.canary_tid}<')

    def test_the_card_on_top_is_that_of_where_to_start(self) -> None:
        report = scattered_report(3, 4)
        divergence = report.threads[1].divergences[2]
        pair, place = report.threads[1].pair, divergence.events.map(lambda event: event.idx)
        start = diff_events.StartHere(diff_events.StartReason.VALUE_CHANGED, pair.canary_tid, pair.ours_tid, *place)
        text = diff_events.render_html(replace(report, start_here=start))
        self.assertIn(f"<b>1</b> tid 1 / 1 · changed · #{place.canary} ↔ #{place.ours}", text)
        self.assertIn('<a href="#d1">Evidence 1</a>', text)
        lane = text.partition('id="t1"')[2].partition("</li>")[0]
        self.assertEqual(re.findall('href="#d([0-9]+)"', lane), ["2", "3", "1", "4"])
        with mock.patch.object(diff_events, "_MOST_EXHIBITS", 3):
            text = diff_events.render_html(replace(report, start_here=start))
        cards = re.findall(r"<summary><b>\d+</b> tid (\d+) / \d+ · changed · #(\d+)", text)
        self.assertEqual(cards, [("1", str(place.canary)), ("1", "20"), ("0", "20")])

    def test_identical_pairs_are_folded_where_there_is_anything_else_to_see(self) -> None:
        for changed, folded in (("KeOther", 1), ("KeStep", 0)):
            report = report_of(log({1: steps(5), 2: steps(9)}), log({1: steps(5), 2: [*steps(8), (changed, {"n": 8})]}))
            self.assertEqual(diff_events.render_html(report).count("<summary>Identical pairs</summary>"), folded)

    def test_what_a_block_leaves_out_is_one_row_over_both_sides(self) -> None:
        canary = log({1: [*steps(30), *(("KeMore", {"n": n}) for n in range(60)), *steps(90)[30:]]})
        text = diff_events.render_html(report_of(canary, log({1: steps(90)})))
        self.assertIn('<tr class="fold"><td colspan="4">… 10 more events of canary …</td></tr>', text)

    def test_a_card_says_what_is_never_together_again(self) -> None:
        sides = (log({1: [*steps(30), *((name, {"n": n}) for n in range(60))]}) for name in ("KeOne", "KeOther"))
        self.assertIn(" · unrecovered · #30 ↔ #30 · never recovers · ", diff_events.render_html(report_of(*sides)))

    def test_what_ended_first_says_what_it_was_doing(self) -> None:
        text = Page(diff_events.render_html(report_of(log({1: steps(5)}), log({1: steps(3)})))).text()
        self.assertIn("Ended on one side first", text)
        self.assertIn("canary tid 1 / ours tid 1: ours ended after", text)

    def test_an_ambiguous_pair_names_the_pin_that_settles_it(self) -> None:
        canary, ours = ({tid: [("KeStart", {}), ("KeRest", {"tid": tid})] for tid in tids} for tids in ((1, 2), (5, 6)))
        report = report_of(log(canary), log(ours))
        ambiguous = [thread.pair for thread in report.threads if thread.pair.alternative is not None]
        text = Page(diff_events.render_html(report)).text()
        self.assertTrue(ambiguous)
        for pair in ambiguous:
            self.assertIn(f"--tid-map {pair.canary_tid}={pair.ours_tid}", text)


class HostileText(unittest.TestCase):
    def test_it_stays_text(self) -> None:
        text = diff_events.render_html(hostile_report())
        page = Page(text)
        for tag in ("script", "style", "img"):
            self.assertEqual(page.tags[tag], 0 if tag == "img" else 1)
        for hostile in HOSTILE:
            self.assertIn(diff_events.printable(hostile)[:40], page.text())
        self.assertTrue(all(c.isprintable() or c == "\n" for c in text))

    def test_sentences(self) -> None:
        for hostile in HOSTILE:
            shown = diff_events.printable(hostile)
            code, text = diff_events.md_code(hostile), diff_events.html_text(hostile)
            markdown = diff_events.md_text(hostile)
            for writer, quoted, literal in (
                (diff_events.TextWriter(), f"own < {shown} words", f"own < {shown} words"),
                (diff_events.MarkdownWriter(), f"**own** < {code} words", f"**own** < {markdown} words"),
                (
                    diff_events.HtmlWriter(),
                    f"<strong>own</strong> &lt; <code>{text}</code> words",
                    f"<strong>own</strong> &lt; {text} words",
                ),
            ):
                self.assertEqual(writer.text(f"**own** < {diff_events.quoted(hostile)} words"), quoted)
                self.assertEqual(writer.text(f"**own** < {diff_events.literal(hostile)} words"), literal)

    def test_the_verdict_heads_the_page_whatever_a_profile_is_called(self) -> None:
        rule = diff_events.ProfileRule(diff_events.RuleSort.POOL, "work", first_call="F", source="a: b.toml")
        report = report_of(log({1: steps(3)}), log({1: steps(3)}), profile=diff_events.Profile((rule,), ("a: b.toml",)))
        page = diff_events.render_html(report)
        self.assertRegex(page, r'<h1 class="good">✓ Identical under a: b.toml \(.*\)</h1>')
        self.assertIn("<p>3 events of 1 thread pair match.</p>", page)

    def test_html_text_in_every_place(self) -> None:
        for hostile in HOSTILE:
            escaped = diff_events.html_text(hostile)
            self.assertFalse(set(escaped) & set("<>\"'"), escaped)


class Bounds(unittest.TestCase):
    def check(self, text: str, articles: int) -> None:
        page = Page(text)
        self.assertLess(len(text.encode()), MOST_BYTES)
        self.assertLessEqual(page.shapes, MOST_SHAPES)
        self.assertEqual(page.tags["article"], articles)

    def test_a_hundred_divergences(self) -> None:
        self.check(page_of(scattered_report, 5, 20, 20), 100)

    def test_many_divergences_of_one_thread(self) -> None:
        text = page_of(scattered_report, 1, 300, 8)
        self.check(text, 300)
        self.assertNotIn("more divergences met", text)

    def test_many_pairs(self) -> None:
        text = page_of(many_pairs, 150)
        self.check(text, 150)
        self.assertIn("10 more pairs", text)

    def test_whatever_there_is(self) -> None:
        for threads, divergences in ((20, 50), (150, EACH)):
            with self.subTest(threads=threads):
                self.check(page_of(endless_report, threads, divergences), 1000)

    def test_long_context_fields_and_payloads(self) -> None:
        long = [("KeLong", {f"{'<&' * 400}{n}": '\x1b"' * 400 for n in range(100)})]
        canary, ours = ({1: [*steps(300), *long, *end]} for end in (steps(2), steps(1)))
        changed = [(name, {key: value + "!" for key, value in fields.items()}) for name, fields in long]
        ours[1][300:301] = changed
        report = report_of(log(canary), log(ours), context=1_000_000)
        self.assertLess(len(diff_events.render_html(report)), 100_000)

    def test_first_divergences_of_all_threads_come_first(self) -> None:
        text = page_of(endless_report, 150, EACH)
        self.assertIn("299,000 more divergences met, not listed here", text)
        lanes = re.findall(r'(?s)<li class="lane".*?</li>', text)
        self.assertEqual(Counter(lane.count('href="#d') for lane in lanes), {7: 100, 6: 40})


class Determinism(unittest.TestCase):
    def test_the_same_bytes_every_time(self) -> None:
        self.assertEqual(*(diff_events.render_html(hostile_report.__wrapped__()) for _ in range(2)))


def bars(page: str) -> list[list[tuple[str, int, str, str]]]:
    """The bars of a page's lanes, canary's and ours in turn: look, events, place and width of what is drawn."""
    shape = r'<(?:rect|circle) class="(\w+)" c?x="(\S+)"(?: width="(\S+)")?[^>]*><title>([\d,]+) event'
    return [
        [(look, int(count.replace(",", "")), x, width) for look, x, width, count in re.findall(shape, bar)]
        for bar in re.findall(r'<svg class="span"[^>]* height="16" aria-hidden="true">(.*?)</svg>', page)
    ]


class Lanes(unittest.TestCase):
    def test_one_of_each(self) -> None:
        canary, ours = {1: steps(10)}, {1: steps(10)}
        ours[1][4:6] = []
        above, below = bars(diff_events.render_html(report_of(log(canary), log(ours), max_divergences=0)))
        matching = [("same", 4, "0.00%", "40.00%"), ("after", 4, "60.00%", "40.00%")]
        self.assertEqual(above, [matching[0], ("alone", 2, "40.00%", "20.00%"), matching[1]])
        self.assertEqual(below, matching)

    def test_what_ends_first_leaves_a_piece_without_an_equal(self) -> None:
        above, below = bars(diff_events.render_html(report_of(log({1: steps(9)}), log({1: steps(5)}))))
        self.assertEqual([piece[:2] for piece in above], [("same", 5), ("alone", 4)])
        self.assertEqual([piece[:2] for piece in below], [("same", 5)])

    def test_lanes_end_within_the_picture_though_a_log_has_blank_lines(self) -> None:
        canary = log({1: steps(3), 2: [("KeFirst", {}), *steps(3)]}).replace(b"\n", b"\n\n\n")
        page = diff_events.render_html(report_of(canary, log({1: steps(2), 2: [("KeFirst", {}), *steps(3)]})))
        spans = [tuple(map(float, span)) for span in re.findall(r'data-x="([\d.]+)%" data-width="([\d.]+)%"', page)]
        self.assertEqual(max(start + width for start, width in spans), 100)

    def test_every_event_is_on_its_lane(self) -> None:
        for seed in seeds(8):
            pair = generator.random_pair(seed)
            try:
                report = report_of(pair.canary, pair.ours, tid_map=dict(pair.tid_map), max_divergences=0)
            except diff_events.InputError:
                continue
            sizes = Counter(count for thread in report.threads for count in thread.events)
            drawn = Counter(sum(piece[1] for piece in bar) for bar in bars(diff_events.render_html(report)))
            self.assertEqual(drawn, sizes)

    def test_few_pieces_however_long_the_walk_was(self) -> None:
        page = page_of(scattered_report, 1, 300, 8)
        self.assertLessEqual(sum(map(len, bars(page))), 1000)
        self.assertEqual(page.count('href="#d'), 301)  # and one in Start here
