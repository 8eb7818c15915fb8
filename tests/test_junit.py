"""The test results: they parse back whatever the logs hold, and their counts are right."""

from __future__ import annotations

import unittest
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import diff_events
from tests.page_reports import HOSTILE, hostile_report, log, report_of, scattered_report, steps

COUNTS = ("tests", "failures", "errors", "skipped")


class JUnit(unittest.TestCase):
    def suite(self, report: diff_events.Report) -> ElementTree.Element:
        """The one suite of a report, its counts checked."""
        text = diff_events.render_junit(report)
        self.assertEqual(text, diff_events.render_junit(report))
        root = ElementTree.fromstring(text.encode())
        (suite,) = root
        found = [len(suite), *(len(suite.findall(f"testcase/{what}")) for what in ("failure", "error", "skipped"))]
        for element in (root, suite):
            self.assertEqual([int(element.attrib[name]) for name in COUNTS], found)
        return suite

    def test_identical(self) -> None:
        suite = self.suite(report_of(log({1: steps(3), 2: steps(4)}), log({1: steps(3), 2: steps(4)})))
        self.assertEqual([case.attrib["name"] for case in suite], ["/KeStep/0", "/KeStep/1"])
        self.assertFalse([child for case in suite for child in case])

    def test_a_divergence_is_a_failure_with_its_evidence(self) -> None:
        (case,) = self.suite(scattered_report(1, 1))
        (failure,) = case
        message = "canary tid 0 / ours tid 0: changed at #20 ↔ #20"
        self.assertEqual(failure.attrib, {"type": "diverged", "message": message})
        for words in ("at canary #20 line 22", "- #20 line 22", "payload.n  20      -1"):
            self.assertIn(words, failure.text or "")

    def test_a_failure_says_how_many_divergences_it_leaves_out(self) -> None:
        for most, left_out in ((1000, 20), (3, 27)):
            (case,) = self.suite(scattered_report(1, 30, max_divergences=most))
            self.assertIn(f"\n{left_out} more divergences.", case[0].text or "")

    def test_only_the_first_divergence_of_a_thread_says_what_it_follows(self) -> None:
        texts = [case[0].text or "" for case in self.suite(scattered_report(2, 3))]
        self.assertEqual(sorted(text.count("no relation to it is known") for text in texts), [0, 1])

    def test_one_that_ended_first_fails_in_its_own_way(self) -> None:
        types = [
            self.suite(report_of(log({1: steps(left)}), log({1: steps(right)})))[0][0].attrib
            for left, right in ((5, 3), (3, 5))
        ]
        pair = "canary tid 1 / ours tid 1"
        self.assertEqual(
            types,
            [
                {"type": "ours_ended", "message": f"{pair}: ours ended, 2 events before the other"},
                {"type": "canary_ended", "message": f"{pair}: canary ended, 2 events before the other"},
            ],
        )

    def test_it_says_what_a_thread_was_doing_when_its_log_ended(self) -> None:
        (case,) = self.suite(report_of(log({1: steps(5)}), log({1: steps(3)})))
        self.assertIn("ours ended after kernel.call KeStep n=2", case[0].text or "")

    def test_a_thread_without_a_partner_is_skipped_and_says_that_the_gate_counts_it(self) -> None:
        report = report_of(log({1: steps(3), 9: steps(4)}), log({1: steps(3)}), tid_map={1: 1}, auto_map=False)
        paired, unmapped = self.suite(report)
        self.assertFalse(list(paired))
        self.assertEqual(unmapped.attrib["name"], "canary /KeStep/1")
        self.assertIn("4 events not compared", unmapped[0].attrib["message"])
        self.assertIn("gate", unmapped[0].attrib["message"])

    def test_an_object_in_one_log_only_fails(self) -> None:
        created = diff_events.SharedGlobal(1, 3, "00c0ffee00c0ffee", 0x82000000, HOSTILE[0], 7)
        report = report_of(log({1: steps(3)}), log({1: steps(3)}))
        report = replace(report, lone_globals=diff_events.Both((created,), ()))
        case = self.suite(report)[-1]
        self.assertEqual(case[0].attrib["type"], "shared_globals")
        self.assertRegex(case[0].text or "", f"canary  00c0ffee00c0ffee  0x82000000  {HOSTILE[0]} +1 +7")
        ratchet = replace(report.options, gates=(diff_events.Gate.RATCHET,))
        for new, expected in (((), "skipped"), ((created.sid,), "failure")):
            baseline = diff_events.BaselineComparison("b.json", True, (), 0, new)
            suite = self.suite(replace(report, options=ratchet, baseline=baseline))
            (case,) = suite.findall("testcase[@classname='objects']")
            self.assertEqual(case[0].tag, expected)

    def test_what_a_rule_hid_changes_no_name_and_fails_only_beyond_its_limit(self) -> None:
        rule = diff_events.ProfileRule(diff_events.RuleSort.IGNORE, "hid 1 in run 1", kind="kernel.call", source="p")
        report = scattered_report(1, 1)
        options = replace(report.options, profile=diff_events.Profile((rule,)))
        cases = [self.suite(replace(report, options=options, hidden=(n,)))[-1] for n in (0, 1, 2)]
        self.assertEqual(len({case.attrib["name"] for case in cases}), 1)
        outputs = [case.findtext("system-out") for case in cases]
        self.assertEqual(outputs, [f"hid {n} (hid 1 in run 1)" for n in (0, 1, 2)])
        skipped = [[one.attrib["message"] for one in case.findall("skipped")] for case in cases]
        self.assertEqual(skipped, [["this rule hid nothing"], [], []])
        limited = replace(options, profile=diff_events.Profile((replace(rule, at_most=1),)))
        cases = [self.suite(replace(report, options=limited, hidden=(n,)))[-1] for n in (1, 2)]
        failures = [[one.attrib["message"] for one in case.findall("failure")] for case in cases]
        self.assertEqual(failures, [[], ["hid 2, may hide 1"]])

    def test_each_condition_of_the_gate_is_a_case_that_says_what_was_found(self) -> None:
        gates = (diff_events.Gate.IDENTICAL, diff_events.Gate.PARITY)
        suite = self.suite(scattered_report(1, 1, gates=gates, fail_under=Fraction("98.5")))
        cases = {case.attrib["name"]: case for case in suite if case.attrib["classname"] == "gate"}
        self.assertEqual(list(cases), ["validate-identical", "fail-under"])
        message = cases["validate-identical"][0].attrib["message"]
        self.assertEqual(message, "--validate-identical: the logs are divergent")
        self.assertFalse(list(cases["fail-under"]))
        suite = self.suite(scattered_report(1, 1, gates=gates, fail_under=Fraction("99.9")))
        self.assertEqual(suite[-1][0].attrib["message"], "--fail-under 99.9: parity is 98.75 %")

    def test_with_a_ratchet_a_thread_fails_only_if_it_got_worse(self) -> None:
        report = scattered_report(3, 1, gates=(diff_events.Gate.RATCHET,))
        moved = zip((0, 1, 2, 3), ("same", "later", "earlier", "earlier"), (0, 5, -7, -9), strict=True)
        progress = tuple(diff_events.ThreadProgress(t, t, diff_events.Progression(p), n) for t, p, n in moved)
        baseline = diff_events.BaselineComparison("b.json", True, progress, 0, ())
        suite = self.suite(replace(report, baseline=baseline))
        self.assertEqual([case[0].tag for case in suite], ["skipped", "skipped", "failure", "failure"])
        self.assertIn("since the baseline: earlier, 7 matching events fewer", suite[2][0].attrib["message"])
        self.assertEqual(suite[3].attrib["name"], "ratchet")
        message = "--ratchet: canary tid 2: earlier, 7 matching events fewer; earlier: 2, later: 1"
        self.assertIn(message, suite[3][0].attrib["message"])
        self.assertRegex(suite[3][0].text or "", "canary tid 2 / ours tid 2: earlier, 7 matching events fewer")

    def test_what_failed_was_not_skipped(self) -> None:
        case = diff_events.TestCase("suite", "name", "it failed", skipped="nothing to do")
        root = ElementTree.fromstring(diff_events.junit_xml("run", [case]))
        self.assertEqual([root.attrib[name] for name in COUNTS], ["1", "1", "0", "0"])
        self.assertEqual([child.tag for child in root[0][0]], ["failure"])

    def test_hostile_text_parses_back_as_text(self) -> None:
        suite = self.suite(hostile_report())
        text = "\n".join(failure.text or "" for failure in suite.iter("failure"))
        for hostile in HOSTILE:
            self.assertIn(diff_events.printable(hostile)[:40], text)
        self.assertIn("\\x00", suite.attrib["name"])
        raw = diff_events.render_junit(hostile_report())
        self.assertTrue(all(c.isprintable() or c == "\n" for c in raw))
