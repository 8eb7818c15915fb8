"""The text report: it fits the terminal, has colour where that is wanted, and no log sends it a control character."""

from __future__ import annotations

import io
import os
import re
import unittest
from dataclasses import replace
from unittest import mock

import diff_events
from diff_events import Both, Details, Diff, DiffLine, DiffRow, Table, TextWriter, gap, quoted
from tests.page_reports import HOSTILE, hostile_report, many_pairs, scattered_report
from tests.support import LogTestCase, calls, event

WORDS = ["**strong**", "of", "*emphasis*", quoted("NtClose 日本語"), "events", quoted("x" * 30)]
DOCUMENT: list[diff_events.Block] = [
    "# A title",
    " ".join(WORDS * 6),
    "## Section",
    [" ".join(WORDS * 4), "short"],
    Table(("tid>", "what", "first"), [["6", " ".join(WORDS * 3), "#1"], ["1,234", quoted("日本語" * 20), "#2"]]),
    Diff([DiffRow(Both(DiffLine("#1 line 2", "a" * 300), DiffLine("#2 line 3", "b\x05日\x06" * 90))), gap("3 more")]),
    Details("More", ["hidden"]),
]


class Terminal(io.StringIO):
    """A terminal of 60 columns."""

    def isatty(self) -> bool:
        return True


class Writing(unittest.TestCase):
    def test_every_line_fits_with_colour_and_without(self) -> None:
        for width in (40, 60, 80, 200):
            for colour in (False, True):
                text = TextWriter(width, colour=colour, marked=True).written(DOCUMENT)
                plain = re.sub("\x1b\\[\\d+m", "", text)
                self.assertEqual("\x1b" in text, colour)
                for line in plain.split("\n"):
                    columns = len(line) + len(re.findall("[日本語]", line))
                    self.assertLessEqual(columns, width, line)

    def test_nothing_is_lost_but_in_tables_and_diffs(self) -> None:
        text = TextWriter(40).written(DOCUMENT)
        for words in ("A title", "SECTION", "hidden"):
            self.assertIn(words, text)
        self.assertEqual(text.count("strong"), 11)  # the one in the table is cut off

    def test_columns_are_aligned(self) -> None:
        table = Table(("n>", "name"), [["7", quoted("日本")], ["1,000", "b"]])
        self.assertEqual(TextWriter().block(table), "    n  name\n    7  日本\n1,000  b")

    def test_hostile_text_sends_no_control_character(self) -> None:
        for colour in (False, True):
            writer, report = TextWriter(100, colour=colour, marked=True), hostile_report()
            text = writer.written(diff_events.summary_document(report) + diff_events.comparison_document(report))
            self.assertTrue(all(c.isprintable() or c == "\n" for c in re.sub("\x1b\\[[0-9]+m", "", text)))
            self.assertTrue(set(re.findall("\x1b\\[([0-9]+)m", text)) <= {"0", "1", "7", "27", "33", "36"})
            self.assertIn(diff_events.printable(HOSTILE[0])[:20], text)

    def test_the_summary_says_where_to_start_and_how_to_get_more(self) -> None:
        text = TextWriter(80).written(diff_events.summary_document(many_pairs(60)))
        for words in ("Divergent:", "START HERE", "0 / 0", "that differ: 20.", "--report html:report.html"):
            self.assertIn(words, text)
        self.assertLess(text.count("\n"), 70)

    def test_a_list_that_is_too_long_says_where_the_rest_is(self) -> None:
        text = TextWriter(most_characters=3).block(["abc", "d"])
        self.assertEqual(text, "- abc\n- 1 more in the JSON report")

    def test_a_word_that_is_wider_than_the_terminal_is_broken(self) -> None:
        text = TextWriter(20, colour=True).written([[f"**a** {quoted('x' * 50)} b"]])
        lines = [re.sub("\x1b\\[\\d+m", "", line) for line in text.splitlines()]
        self.assertEqual(lines, ["- a", f"  {'x' * 18}", f"  {'x' * 18}", f"  {'x' * 14} b"])
        text = TextWriter(20, colour=True).written([[f"**{'y' * 30}**"]])
        self.assertEqual(text, f"- \x1b[1m{'y' * 18}\n  {'y' * 12}\x1b[0m\n")

    def test_equal_fields_that_are_left_out_leave_one_mark(self) -> None:
        equal = {f"field{n}": "x" * 60 for n in range(6)}
        pair = Both(1, 2).map(lambda n: diff_events.Event(2, "kernel.call", 6, 0, {"name": "f", **equal, "n": n}))
        text = diff_events.without_changes(diff_events.compared_texts(pair).ours)
        first = [f'field{n}="{"x" * 60}"' for n in range(2)]
        self.assertEqual(text, " ".join(["kernel.call f", *first, "… n=2"]))

    def test_the_summary_names_what_it_leaves_out(self) -> None:
        report = scattered_report(1, 20)
        sorts = [report.sorts[0], *[replace(report.sorts[0], explained_by=diff_events.Explained.NAME)] * 17]
        unmapped = diff_events.UnmappedThread(7, 1, ("NtX",), "/NtX/0")
        doubt = diff_events.LogWarning(diff_events.WarningKind.SAME_FILE)
        logs = replace(report.logs, ours=replace(report.logs.ours, name="o.jsonl", warnings=(doubt,)))
        use = diff_events.NameUse("handle.create raw_handle_id", 1, 1, 1)
        report = replace(report, sorts=tuple(sorts), logs=logs, names=diff_events.Names((use,)))
        report = replace(report, unmapped=Both((unmapped,), ()))
        text = TextWriter().written(diff_events.summary_document(report))
        for words in (
            "- warning: o.jsonl: this is the other log's file",
            "- 1 · changed: kernel.call KeStep n · 20 on 1 thread · 0 / 0 #20 ↔ #20 · 20 → -1\n- 2 ",
            "- 15 · changed: kernel.call KeStep n · 20 on 1 thread · 0 / 0 #20 ↔ #20 · 20 → -1 · name\n- 3 more",
            "(--match-names lets them match)",
            "- canary tid 7, 1 event: NtX",
            "show with the same logs",
        ):
            self.assertIn(words, text)


class CommandLine(LogTestCase):
    def compare_with(self, *options: str, out: io.StringIO | None = None, **env: str) -> tuple[int, str, str]:
        paths = self.write("canary.jsonl", calls(9)), self.write("ours.jsonl", [*calls(8), event(8, "other")])
        out, err = out or io.StringIO(), io.StringIO()
        with mock.patch.dict(os.environ, {"TERM": "xterm", "COLUMNS": "60"} | env):
            argv = ("--canary", paths[0], "--ours", paths[1], *options)
            code = diff_events.run(argv, diff_events.Streams(out, err))
        return int(code), out.getvalue(), err.getvalue()

    def test_colour_where_there_is_a_terminal_that_wants_it(self) -> None:
        text = ("--report", "text:-")
        for options, out, env, coloured in (
            (text, Terminal(), {}, True),
            (text, io.StringIO(), {}, False),
            (text, Terminal(), {"NO_COLOR": "1"}, False),
            (text, Terminal(), {"NO_COLOR": ""}, True),
            (text, Terminal(), {"TERM": "dumb"}, False),
            ((*text, "--color=never"), Terminal(), {}, False),
            ((*text, "--color=always"), io.StringIO(), {"NO_COLOR": "1"}, True),
            (("--color=always",), Terminal(), {}, False),  # Markdown is the default, and it has none
        ):
            with self.subTest(options=options, env=env):
                self.assertEqual("\x1b[" in self.compare_with(*options, out=out, **env)[1], coloured)

    def test_it_is_as_wide_as_the_terminal(self) -> None:
        for columns in (50, 90):
            text = self.compare_with("--report", "text:-", out=Terminal(), COLUMNS=str(columns))[1]
            lengths = [len(re.sub("\x1b\\[\\d+m", "", line)) for line in text.split("\n")]
            self.assertLessEqual(max(lengths), columns)
            self.assertGreater(max(lengths), columns - 25)

    def test_with_out_the_verdict_is_said_on_standard_error(self) -> None:
        report = str(self.directory / "report.md")
        code, out, err = self.compare_with("--out", report)
        self.assertEqual((code, out), (0, ""))
        self.assertEqual(err, "Divergent: of 1 thread pair, 1 diverged. Parity: 88.88 %.\n")
        self.assertEqual(self.compare_with("--out", report, "--quiet")[2], "")

    def test_a_gate_that_does_not_hold_says_why_also_when_quiet(self) -> None:
        expected = "diff_events.py: The gate does not hold: --validate-identical: the logs are divergent; "
        expected += "--fail-under 95: parity is 88.88 %.\n"
        for options in ((), ("--report", "text:-")):
            code, out, err = self.compare_with("--quiet", "--fail-under", "95", "--validate-identical", *options)
            self.assertEqual((code, err), (1, expected))
            self.assertEqual("The gate does not hold" in " ".join(out.split()), bool(options))
        code, _, err = self.compare_with("--quiet", "--fail-under", "80")
        self.assertEqual((code, err), (0, ""))

    def test_every_report_says_how_the_gate_ended(self) -> None:
        for name, words in (
            ("markdown", "**The gate does not hold:** `--fail-under 95`: parity is 88.88 %."),
            ("json", '"gate": {\n  "fail_under": false\n }'),
            ("json", '"holds": false,\n   "wanted": "--fail-under 95",\n   "found": "parity is 88.88 %"'),
            ("html", "--fail-under 95"),
            ("junit", "--fail-under 95: parity is 88.88 %"),
        ):
            self.assertIn(words, self.compare_with("--fail-under", "95", "--report", f"{name}:-")[1])

    def test_a_file_gets_plain_text(self) -> None:
        path = self.directory / "report.txt"
        self.compare_with("--quiet", "--color=always", "--report", f"text:{path}")
        text = path.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("Divergent: of 1 thread pair"))
        self.assertNotIn("\x1b", text)


if __name__ == "__main__":
    unittest.main()
