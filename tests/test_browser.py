"""The page in a real browser: from ``file://``, with the keyboard, without JavaScript, light and dark.

It needs a Chromium on PATH and says so where there is none; with ``DIFF_EVENTS_REQUIRE_ALL=1`` that is a failure.
"""

from __future__ import annotations

import re
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

import diff_events
from tests.browser import Browser, find_browser
from tests.page_reports import (
    HOSTILE,
    endless_report,
    hostile_report,
    log,
    page_of,
    report_of,
    scattered_report,
    steps,
)
from tests.support import not_tested

COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
LEAST_CONTRAST = 4.5
WORDS = (
    *("h1", "p", ".note", ".facts dt", ".start p", ".start a", ".start code", ".what", ".what small"),
    *("article p", "article a.note", "td.minus", "td.plus", "td code", "th", "summary"),
)
"""Where there is something to read, in every colour."""


def luminance(colour: str) -> float:
    """The relative luminance of a colour as the browser computes it, ``rgb(r, g, b)``."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances as WCAG has it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


class InTheBrowser(unittest.TestCase):
    browser: ClassVar[Browser]
    directory: ClassVar[Path]

    def setUp(self) -> None:
        self.browser.resize(1200, 900)
        self.browser.prefer("light")
        self.browser.call("Emulation.setScriptExecutionDisabled", value=False)

    def open(self, report: diff_events.Report) -> None:
        """Loads a report's page; whatever happens until the end of the test must not be a complaint or a request."""
        self.open_page(diff_events.render_html(report))

    def open_page(self, text: str) -> None:
        """The same of a page that is made."""
        page = self.directory / "report.html"
        page.write_text(text, encoding="utf-8")
        self.browser.load(page)
        self.addCleanup(self.check_silence, page)

    def check_silence(self, page: Path) -> None:
        events = self.browser.events
        self.assertEqual([event for event in events if event.get("method") in COMPLAINTS], [])
        requests = [e["params"]["request"]["url"] for e in events if e.get("method") == "Network.requestWillBeSent"]
        self.assertEqual(set(requests), {page.as_uri()})

    def ask(self, expression: str) -> Any:
        return self.browser.evaluate(expression)

    def place(self) -> tuple[str, str]:
        """Where the reader is: the address's fragment, and the id of what has the focus."""
        return self.ask("location.hash"), self.ask("document.activeElement.id")

    def arrives_at(self, number: int) -> bool:
        """Whether the reader comes to the evidence of a divergence."""
        return self.browser.wait_for(lambda: self.place() == (f"#d{number}", f"d{number}"))

    def choose(self, selector: str, value: str) -> None:
        """Picks an entry of a list as a reader does."""
        self.ask(
            f"(() => {{ const select = document.querySelector({selector!r}); select.value = {value!r};"
            "select.dispatchEvent(new Event('change', {bubbles: true})); return 0 })()"
        )

    def search(self, words: str) -> None:
        """Types into the filter."""
        self.ask(
            f"(() => {{ const input = document.querySelector('#filters input'); input.value = {words!r};"
            "input.dispatchEvent(new Event('input', {bubbles: true})); return 0 })()"
        )

    def middle(self, selector: str) -> tuple[float, float]:
        """Where to click on an element, once it is in view and the page has come to rest."""
        places: list[list[float]] = []

        def rests() -> bool:
            places.append(
                self.ask(
                    f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
                    "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
                )
            )
            return len(places) > 3 and places[-4] == places[-3] == places[-2] == places[-1]

        self.assertTrue(self.browser.wait_for(rests))
        return places[-1][0], places[-1][1]


def setUpModule() -> None:
    """One browser for all tests: it takes longer to start than most of them."""
    found = find_browser()
    if found is None:
        raise not_tested("the HTML report in a browser: there is no Chromium on the PATH")
    InTheBrowser.directory = Path(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    InTheBrowser.browser = unittest.enterModuleContext(Browser(found))


class Keyboard(InTheBrowser):
    def test_j_and_k_go_from_divergence_to_divergence(self) -> None:
        self.open(scattered_report(2, 2))
        for key, number in (("j", 1), ("j", 2), ("k", 1), ("k", 1), ("j", 2), ("j", 3), ("j", 4), ("j", 4), ("k", 3)):
            self.browser.press(key)
            self.assertEqual(self.place(), (f"#d{number}", f"d{number}"))
            top = self.ask(f"document.getElementById('d{number}').getBoundingClientRect().top")
            self.assertTrue(0 <= top < 900, top)

    def test_k_begins_with_the_last(self) -> None:
        self.open(scattered_report(2, 2))
        self.browser.press("k")
        self.assertEqual(self.place(), ("#d4", "d4"))

    def test_a_key_with_a_modifier_belongs_to_the_browser(self) -> None:
        self.open(scattered_report(1, 2))
        for modifier in (1, 2, 4):
            self.browser.press("j", modifiers=modifier)
            self.assertEqual(self.place()[0], "")

    def test_help_opens_and_closes_with_its_key_and_with_a_click(self) -> None:
        self.open(scattered_report(1, 2))
        self.browser.press("j")
        help_is_open = "document.querySelector('#help').open"
        self.browser.press("?")
        self.assertTrue(self.ask(help_is_open))
        self.assertIn("next divergence", self.ask("document.querySelector('#help').innerText"))
        self.browser.press("?")
        self.assertFalse(self.ask(help_is_open))
        self.assertEqual(self.place(), ("#d1", "d1"))
        self.browser.click(*self.middle("#help summary"))
        self.assertTrue(self.ask(help_is_open))

    def test_tab_and_enter_lead_from_a_marker_to_its_evidence(self) -> None:
        self.open(scattered_report(1, 2))
        for _ in range(20):
            self.browser.press("Tab")
            if self.ask("document.activeElement.getAttribute('href')") == "#d2":
                break
        self.assertIn("Divergence 2: changed, #60", self.ask("document.activeElement.getAttribute('aria-label')"))
        self.assertNotEqual(self.ask("getComputedStyle(document.activeElement.querySelector('.hit')).stroke"), "none")
        self.browser.press("Enter")
        self.assertTrue(self.arrives_at(2))

    def test_without_a_divergence_the_keys_do_nothing(self) -> None:
        self.open(scattered_report(1, 0))
        for key in "jk":
            self.browser.press(key)
        self.assertEqual(self.place(), ("", ""))


class Mouse(InTheBrowser):
    def test_a_click_on_a_marker_leads_to_its_evidence(self) -> None:
        self.open(scattered_report(2, 2))
        for number in (3, 1):
            self.browser.click(*self.middle(f'svg a[href="#d{number}"] path'))
            self.assertTrue(self.arrives_at(number))

    def test_and_back_to_the_lane(self) -> None:
        self.open(scattered_report(2, 2))
        self.browser.click(*self.middle('svg a[href="#d3"] path'))
        self.assertTrue(self.arrives_at(3))
        self.browser.click(*self.middle("#d3 a.note"))
        self.assertTrue(self.browser.wait_for(lambda: self.ask("location.hash") == "#t2"))


class Cards(InTheBrowser):
    def shown(self) -> list[str]:
        """The numbers of the cards that are not filtered away."""
        numbers = ".card:not([hidden]) summary > b, .card:not([hidden]) .line > b"
        shown: list[str] = self.ask(f"Array.from(document.querySelectorAll('{numbers}'), (b) => b.innerText)")
        return shown

    def test_they_are_folded_but_the_first(self) -> None:
        self.open(scattered_report(2, 2))
        self.assertEqual(self.ask("document.querySelectorAll('.card > details').length"), 4)
        self.assertEqual(self.ask("document.querySelectorAll('.card > details[open]').length"), 1)
        self.browser.click(*self.middle(".card:nth-of-type(2) summary"))
        self.assertTrue(self.ask("document.querySelector('#d2').closest('details').open"))

    def test_filters_by_class_call_and_thread(self) -> None:
        canary = {1: steps(60), 2: steps(60)}
        ours = {1: [*steps(60)[:20], ("KeExtra", {}), *steps(60)[20:]], 2: steps(60)}
        ours[2][30] = ("KeStep", {"n": -1})
        self.open(report_of(log(canary), log(ours), max_divergences=0, tid_map={1: 1, 2: 2}))
        self.assertEqual(sorted(self.shown()), ["1", "2"])
        self.assertEqual(self.ask("document.querySelector('output').value"), "2 of 2 shown")
        for words, line in (("changed", "changed"), ("keextra", "KeExtra"), ("tid 2 / 2", "tid 2 / 2")):
            self.search(words)
            (number,) = self.shown()
            summary = self.ask(f"document.getElementById('d{number}').closest('.card').innerText")
            self.assertIn(line, summary)
            self.assertEqual(self.ask("document.querySelector('output').value"), "1 of 2 shown")
            self.browser.press("j")
            self.assertEqual(self.place()[0], f"#d{number}")
            self.search("")
            self.ask("location.hash = ''")
        self.search("changed, KeExtra")
        self.assertEqual(self.shown(), [])

    def test_a_thousand_divergences_are_usable_at_once(self) -> None:
        self.open_page(page_of(endless_report, 20, 50))
        self.assertEqual(len(self.shown()), 1000)
        self.browser.press("k")
        self.assertEqual(self.place(), ("#d1000", "d1000"))

    def test_print_breaks_no_card_and_leaves_the_controls_out(self) -> None:
        self.open(scattered_report(2, 2))
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        self.addCleanup(self.browser.call, "Emulation.setEmulatedMedia", media="")
        for selector in (".card", ".lane", ".start"):
            broken = self.ask(f"getComputedStyle(document.querySelector({selector!r})).breakInside")
            self.assertEqual(broken, "avoid", selector)
        for selector in ("#help", "#filters", ".controls"):
            self.assertEqual(self.ask(f"getComputedStyle(document.querySelector({selector!r})).display"), "none")
        self.assertNotIn("url", self.ask("getComputedStyle(document.querySelector('.after')).fill"))

    def test_what_differs_is_marked(self) -> None:
        self.open(scattered_report(1, 1))
        marked = self.ask("Array.from(document.querySelectorAll('.events mark'), (mark) => mark.innerText)")
        self.assertEqual(marked, ["20", "-1"])


class CommonAxis(InTheBrowser):
    def boxes(self) -> list[list[float]]:
        """Where the first box of each bar of canary begins and ends, in percent of the lane."""
        boxes: list[list[float]] = self.ask(
            "Array.from(document.querySelectorAll('.lane > svg'), (lane) => {"
            "const all = lane.getBoundingClientRect(), box = lane.querySelector('rect').getBoundingClientRect();"
            "return [box.left, box.right].map((x) => Math.round(1000 * (x - all.left) / all.width) / 10) })"
        )
        return boxes

    def test_lanes_stand_where_their_events_stand_in_the_log(self) -> None:
        self.open(report_of(log({1: steps(40), 2: steps(60)}), log({1: steps(40), 2: steps(60)})))
        self.assertEqual(self.boxes(), [[0, 100], [0, 100]])
        self.choose("#scale", "common")
        first, second = self.boxes()
        self.assertLess(first[0], 3)
        self.assertAlmostEqual(first[1], 40, delta=2)
        self.assertAlmostEqual(second[0], 41, delta=2)
        self.assertAlmostEqual(second[1], 100, delta=1)
        self.choose("#scale", "own")
        self.assertEqual(self.boxes(), [[0, 100], [0, 100]])

    def test_a_line_leads_from_the_creator_to_the_thread_it_created(self) -> None:
        canary = log({1: [*steps(30), ("KeCreate", {})], 2: steps(30)}).replace(
            b'"kernel.call", "tid": 1, "tid_event_idx": 30, "payload": {"name": "KeCreate"}',
            b'"thread.create", "tid": 1, "tid_event_idx": 30, "payload": {"child_tid": 2, "entry_point": 1}',
        )
        self.open(report_of(canary, canary))
        self.assertEqual(self.ask("getComputedStyle(document.querySelector('.links')).display"), "none")
        self.choose("#scale", "common")
        line = self.ask(
            "Array.from(document.querySelectorAll('.links .created'), (l) =>"
            "['x1', 'x2', 'y1', 'y2'].map((name) => parseFloat(l.getAttribute(name))))"
        )
        self.assertEqual(len(line), 1)
        (x1, x2, y1, y2) = line[0]
        self.assertAlmostEqual(x1, x2, delta=1)
        self.assertGreater(y2, y1 + 20)


class HostileText(InTheBrowser):
    def test_it_is_shown_and_never_run(self) -> None:
        self.open(hostile_report())
        shown = self.ask("document.body.textContent")
        for hostile in HOSTILE:
            self.assertIn(diff_events.printable(hostile)[:40], shown)
        self.assertEqual(self.ask("typeof owned"), "undefined")
        self.assertEqual(self.ask("document.querySelectorAll('script, style, img').length"), 2)

    def test_what_gets_in_all_the_same_would_not_run(self) -> None:
        self.open(scattered_report(1, 1))
        self.ask("document.body.append(Object.assign(document.createElement('script'), {textContent: 'owned = 1'})); 0")
        self.ask("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"owned = 1\" style=\"color: red\">x</b>')")
        self.ask("document.querySelector('b[onclick]').click(); 0")
        self.assertEqual(self.ask("typeof owned"), "undefined")
        refusals = [event for event in self.browser.events if event.get("method") == "Log.entryAdded"]
        self.assertTrue(refusals)
        self.browser.events[:] = [event for event in self.browser.events if event not in refusals]


class WithoutScripts(InTheBrowser):
    def test_everything_can_be_read_and_followed(self) -> None:
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        self.open(scattered_report(2, 2))
        self.browser.press("j")
        self.assertEqual(self.ask("location.hash"), "")
        self.assertTrue(self.ask("document.querySelector('#help').hidden"))
        self.browser.click(*self.middle('svg a[href="#d2"] path'))
        self.assertTrue(self.browser.wait_for(lambda: self.ask("location.hash") == "#d2"))
        self.assertGreater(self.ask("document.getElementById('d2').getBoundingClientRect().height"), 100)
        self.browser.click(*self.middle(".card:nth-of-type(3) summary"))
        is_open = "document.getElementById('d3').closest('details').open"
        self.assertTrue(self.browser.wait_for(lambda: self.ask(is_open)))


class Looks(InTheBrowser):
    def colours(self, selector: str) -> tuple[str, str]:
        """An element's colour, and that of what is behind it."""
        ink = self.ask(f"getComputedStyle(document.querySelector({selector!r})).color")
        behind = self.ask(
            f"(() => {{ let e = document.querySelector({selector!r}), c;"
            "while ((c = getComputedStyle(e).backgroundColor) === 'rgba(0, 0, 0, 0)') e = e.parentElement;"
            "return c })()"
        )
        return ink, behind

    def test_light_and_dark_are_readable(self) -> None:
        grounds = []
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme)
            self.open(scattered_report(2, 2))
            for selector in WORDS:
                with self.subTest(scheme=scheme, selector=selector):
                    self.assertGreaterEqual(contrast(*self.colours(selector)), LEAST_CONTRAST)
            grounds.append(luminance(self.colours("p")[1]))
            mark = self.ask("getComputedStyle(document.querySelector('svg a path')).fill")
            self.assertGreaterEqual(contrast(mark, self.colours(".lane")[1]), LEAST_CONTRAST)
        self.assertGreater(grounds[0], 0.8)
        self.assertLess(grounds[1], 0.05)

    def test_nothing_sticks_out_however_narrow_the_window(self) -> None:
        for report in (hostile_report(), endless_report(5, 4)):
            self.open(report)
            for width in (320, 400, 800, 1400):
                self.browser.resize(width, 900)
                self.assertLessEqual(self.ask("document.documentElement.scrollWidth"), width)
        self.open(hostile_report())
        self.browser.resize(500, 900)
        self.assertLess(self.ask("document.querySelector('.wide').scrollWidth"), 1000)  # long words are broken there
        narrowest = "Math.min(...[...document.querySelectorAll('.wide td:has(code)')].map(cell => cell.clientWidth))"
        self.assertGreater(self.ask(narrowest), 150)  # short ones are not
