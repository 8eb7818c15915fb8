"""The command line: every option, where reports go, exit codes, and how a process ends."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import diff_events
from tests.support import (
    PROGRAM,
    LogTestCase,
    Outcome,
    calls,
    command,
    compiled_file,
    event,
    log_bytes,
    not_tested,
    process,
    run,
    without_privileges,
)

VERDICT = "Divergent: of 1 thread pair, 1 diverged. Parity: 83.33 %.\n"
"""What standard error says of the two logs where `--out` takes the report."""


class CommandLineTestCase(LogTestCase):
    """Two logs that differ: index 2 of the only thread."""

    def setUp(self) -> None:
        super().setUp()
        self.canary = self.write("canary.jsonl", calls(6))
        other = calls(6)
        other[2]["payload"]["name"] = "Other"
        self.ours = self.write("ours.jsonl", other)
        self.logs = ("--canary", self.canary, "--ours", self.ours)
        self.same = ("--canary", self.canary, "--ours", self.canary)

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def assert_refused(self, outcome: Outcome, *words: str) -> None:
        self.assertEqual((outcome.code, outcome.out), (2, ""), outcome.err)
        self.assertRegex(outcome.err, r"\Adiff_events\.py: error: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, outcome.err)


class Options(CommandLineTestCase):
    def test_help(self) -> None:
        outcome = run("--help")
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        for word in ("exit codes: 0 ", " 1 ", " 2 ", "130", "temporary file", *self.options_of_the_issue()):
            self.assertIn(word, outcome.out)
        examples = outcome.out.partition("examples:")[2]
        self.assertGreaterEqual(examples.count("diff_events.py --canary"), 2)
        self.assertEqual(run(*self.logs, "--help").code, 0)

    def test_each_help_fits_a_screen(self) -> None:
        for name in diff_events.COMMANDS:
            lines = run(*([name] if name else []), "--help").out.splitlines()
            with self.subTest(name):
                self.assertLessEqual(max(map(len, lines)), 80)
                self.assertLessEqual(len(lines), 46 if not name else 40)

    def test_of_two_gates_none_is_dropped(self) -> None:
        for one, other in (("--until=6:9", "--until=6:2"), ("--fail-under=99", "--fail-under=2"), ("--at=6:1",) * 2):
            argv = ("show", *self.logs) if "--at" in one else self.logs
            self.assert_refused(run(*argv, one, other), f"{one.partition('=')[0]} is given twice")
        self.assert_refused(run(*self.logs, "--canary", self.ours), "--canary is given twice")

    def test_an_option_that_says_nothing_alone_names_what_it_needs(self) -> None:
        for argv, words in (
            ((*self.logs, "--strict-profile"), "--strict-profile needs --profile"),
            ((*self.logs, "--ratchet"), "--ratchet needs --baseline"),
            (("corpus", str(self.directory), "--oos=row"), "--oos needs --matrix"),
            (("corpus", str(self.directory), "--ratchet"), "--ratchet needs --baseline"),
        ):
            self.assert_refused(run(*argv), words)

    @staticmethod
    def options_of_the_issue() -> tuple[str, ...]:
        return (
            *("--canary", "--ours", "--out", "--validate-identical", "--tid-map", "--no-auto-map", "--context"),
            *("--report", "--version", "--quiet"),
        )

    def test_version(self) -> None:
        self.assertEqual(run("--version"), (0, f"diff_events.py {diff_events.__version__}\n", ""))

    def test_usage(self) -> None:
        for argv in (
            (),
            ("--canary", self.canary),
            ("--ours", self.canary),
            ("--canary",),
            ("nonsense",),
            (*self.logs, "nonsense"),
            (*self.logs, "--nonsense"),
            (*self.logs, "--validate"),
            (*self.logs, "--validate-identica"),
            ("--can", self.canary, "--ours", self.ours),
            (*self.logs, "--quie"),
            (*self.logs, "--validate-identical=yes"),
            (*self.logs, "a\nb"),
            (*self.logs, "\x1b[31m"),
        ):
            with self.subTest(argv=argv):
                outcome = run(*argv)
                self.assert_refused(outcome, "--help")
                self.assertTrue(outcome.err[:-1].isprintable())

    def test_exit_codes_of_the_gate(self) -> None:
        self.assertEqual(run(*self.logs).code, 0)
        self.assertEqual(run(*self.logs, "--validate-identical").code, 1)
        self.assertEqual(run(*self.same, "--validate-identical").code, 0)

    def test_gate_on_what_is_left_over(self) -> None:
        more = self.write("more.jsonl", [*calls(6), event(0, payload={"name": "Lonely"}, tid=9)])
        for sides in ((more, self.canary), (self.canary, more)):
            argv = ("--canary", sides[0], "--ours", sides[1], "--tid-map", "6=6", "--no-auto-map")
            self.assertEqual(run(*argv, "--validate-identical").code, 1)
            self.assertIn("Lonely", run(*argv).out)

    def test_context(self) -> None:
        logs = self.write("c", calls(20)), self.write("o", [*calls(10), event(10, "other")])
        for count, expected in (("0", 0), ("1", 1), ("5", 5), ("10", 10), ("11", 10), ("999999999999999999", 10)):
            argv = ("--canary", logs[0], "--ours", logs[1], "--quiet", "--report", "json:-", "--context", count)
            divergence = json.loads(run(*argv).out)["threads"][0]["divergence"]
            context = [pair["canary"]["idx"] for pair in divergence["context"]]
            self.assertEqual(context, list(range(10 - expected, 10)), count)
            self.assertEqual(divergence["next"]["canary"]["idx"], 11)
            self.assertIsNone(divergence["next"]["ours"])
        for bad in ("-1", "1.5", "", "x", "٣", "1" * 19, "0x1", "1\n"):
            with self.subTest(bad=bad):
                self.assert_refused(run(*self.logs, f"--context={bad}"), "--context")

    def test_context_with_floats_on_one_side(self) -> None:
        shared = self.write("c", log_bytes([event(0), event(1, "handle.create", self.shared_payload()), event(2)]))
        argv = ("--canary", shared, "--ours", self.write("o", [event(0), event(1, "x")]))
        document = json.loads(run(*argv, "--quiet", "--report", "json:-").out)
        context = document["threads"][0]["divergence"]["context"]
        self.assertEqual(
            [(bool(pair["canary"]), bool(pair["ours"])) for pair in context], [(True, True), (True, False)]
        )

    @staticmethod
    def shared_payload() -> dict[str, object]:
        return {"raw_handle_id": 0, "object_type": "Event", "handle_semantic_id": "dcb75f55d4f50558"}

    def test_tid_map(self) -> None:
        threads = [[*calls(3, 6), *calls(3, 7)], [*calls(3, 1), *calls(3, 18446744073709551615)]]
        logs = [self.write(name, events) for name, events in zip("co", threads, strict=True)]
        argv = ("--canary", logs[0], "--ours", logs[1], "--quiet", "--report", "json:-", "--tid-map")
        for pins, expected in (
            ("6=1,7=18446744073709551615", {6: 1, 7: 18446744073709551615}),
            (" 7 = 1 ,6=18446744073709551615", {7: 1, 6: 18446744073709551615}),
            ("007=1", {7: 1, 6: 18446744073709551615}),
        ):
            threads_found = json.loads(run(*argv, pins).out)["threads"]
            self.assertEqual({one["canary_tid"]: one["ours_tid"] for one in threads_found}, expected)
        document = json.loads(run(*argv, "6=1", "--no-auto-map").out)
        self.assertEqual(len(document["threads"]), 1)
        self.assertEqual(document["unmapped"], {"canary": [7], "ours": [18446744073709551615]})

    def test_bad_tid_maps(self) -> None:
        for bad in ("6", "6=", "=6", "6=1,", ",", "6=1=2", "a=b", "-6=1", "6:1", "6=1;7=2", "٦=1", "6.0=1", "6=1 7=2"):
            with self.subTest(bad=bad):
                self.assert_refused(run(*self.logs, f"--tid-map={bad}"), "--tid-map")
        for doubled in ("6=6,6=7", "6=6,7=6", "6=6,6=6"):
            with self.subTest(doubled=doubled):
                self.assert_refused(run(*self.logs, "--tid-map", doubled), "--tid-map", doubled.split(",")[1])
        self.assert_refused(run(*self.logs, "--tid-map", "5=6"), "--tid-map", self.canary, " 5 ")
        self.assert_refused(run(*self.logs, "--tid-map", "6=5"), "--tid-map", self.ours, " 5 ")

    def test_quiet(self) -> None:
        torn = self.write("torn", log_bytes(calls(6)) + b'{"kind"')
        argv = ("--canary", self.canary, "--ours", torn)
        self.assertIn("warning", run(*argv).err)
        self.assertEqual(run(*argv, "--quiet"), (0, "", ""))
        outcome = run(*argv, "--quiet", "--out", self.path("out.md"))
        self.assertEqual(outcome, (0, "", ""))
        self.assertIn("torn", Path(self.path("out.md")).read_text())
        failed = "diff_events.py: The gate does not hold: --validate-identical: the logs are divergent.\n"
        self.assertEqual(run(*self.logs, "--quiet", "--validate-identical"), (1, "", failed))
        self.assert_refused(run("--canary", "missing", "--ours", torn, "--quiet"))

    def test_a_parity_score_that_is_the_limit_is_not_under_it(self) -> None:
        for percentage in (0, 1, 29, 57, 58, 99, 100):  # the doubles of 29, 57 and 58 of 100 are a little less
            ours = calls(100)
            for changed in ours[percentage:]:
                changed["payload"]["name"] = "Other"
            logs = ("--canary", self.write("hundred.jsonl", calls(100)), "--ours", self.write("other.jsonl", ours))
            for asked, code in ((f"{percentage}%", 0), (f"{percentage}.000000001%", 1)):
                if percentage < 100 or code == 0:
                    with self.subTest(matched=percentage, asked=asked):
                        self.assertEqual(run(*logs, "--tid-map", "6=6", "--quiet", "--fail-under", asked).code, code)

    def test_percentages(self) -> None:
        for good in ("2", "99.5", "100", "0%", "0.5%", "100.0%"):
            self.assertIn(run(*self.logs, "--quiet", "--fail-under", good).code, (0, 1), good)
        for bad in ("", "-1", "101", "100.1%", "95%%", "x", "1e2", "９５"):
            self.assert_refused(run(*self.logs, f"--fail-under={bad}"), "expected a percentage from 0 to 100")
        for share, whole in (("0.95", "95"), ("0.5", "50"), ("1", "100"), ("0.999", "99.9")):
            self.assert_refused(run(*self.logs, "--fail-under", share), f"write {whole} or {whole}%")
        self.assert_refused(run(*self.logs, "--fail-under", "0"), "write 0% (which always holds)")
        nearly_all = run(*self.logs, "--quiet", "--fail-under", "99.9999999")
        self.assertIn("--fail-under 99.9999999: parity is ", nearly_all.err)

    def test_what_may_have_been_meant(self) -> None:
        self.assert_refused(run(self.canary, self.ours), f"--canary {self.canary} --ours {self.ours}")
        self.assert_refused(run(self.canary), f"--canary {self.canary} --ours LOG")
        self.assert_refused(run("gone.jsonl", "gone-too.jsonl", "--quiet"), "--canary gone.jsonl --ours gone-too.jsonl")
        for typed, meant in (("validte", "validate"), ("prity", "parity"), ("corpora", "corpus"), ("SID", "sid")):
            self.assert_refused(run(typed, "--json"), f"there is no command '{typed}': {meant}?")
        for typed, meant in (("vaildate", "validate"), ("calibarte", "calibrate")):
            self.assert_refused(run(typed, "x"), f"there is no command '{typed}': {meant}?")
        self.assert_refused(run("xyz"), "corpus, coverage, validate, sid")
        self.assert_refused(run("validate", "--jsno", "x"), "diff_events.py validate --help")
        misspelled = run("--canry", self.canary, "--ours", self.ours)  # and not: --canary is required
        self.assert_refused(misspelled, "there is no option --canry: --canary?")
        self.assert_refused(run(*self.logs, "--zzz=1"), "there is no option --zzz (see")
        self.assertIn("--odd.jsonl: cannot be read", run("validate", "--", "--odd.jsonl").out)

    def test_logs_that_are_swapped(self) -> None:
        header = b'{"schema_version":1,"engine":"%b"}\n'
        logs = {
            engine: self.write(f"{engine}.log", log_bytes(calls(2), header % engine.encode()))
            for engine in ("Xenia-Canary", "ours", "")
        }
        for canary, ours, swapped in (
            ("ours", "Xenia-Canary", True),
            ("Xenia-Canary", "ours", False),
            ("Xenia-Canary", "Xenia-Canary", False),
            ("ours", "ours", False),
            ("", "Xenia-Canary", False),
        ):
            outcome = run("--canary", logs[canary], "--ours", logs[ours], "--validate-identical")
            said = "swapped?" in outcome.err, "swapped?" in outcome.out
            self.assertEqual((outcome.code, said), (0, (swapped, swapped)))

    def test_the_same_file_twice(self) -> None:
        Path(self.path("link")).symlink_to(self.canary)
        for other in (self.canary, self.path("link")):
            outcome = run("--canary", self.canary, "--ours", other, "--validate-identical")
            said = f"{other}: this is the other log's file: it was compared with itself"
            self.assertEqual((outcome.code, outcome.err.count("\n")), (0, 1))
            self.assertIn(said, outcome.err)
            self.assertIn("it was compared with itself", outcome.out)
        self.assertNotIn("itself", run(*self.logs).out)

    def test_files_of_the_other_sort(self) -> None:
        trace = self.write("trace", b'{"v":1,"kind":"session_start"}\n')
        for logs in ((trace, self.ours), (self.canary, trace)):
            outcome = run("--canary", logs[0], "--ours", logs[1])
            self.assert_refused(outcome, f"{trace}:1: this looks like an agent trace: diff_events.py diff ")
        for argv in (("calibrate", self.canary, trace, "--out", self.path("p.toml")), ("audit", "--canary", trace)):
            self.assert_refused(run(*argv), f"{trace}:1: this looks like an agent trace: diff_events.py diff ")
        outcome = run("diff", self.canary, trace)
        self.assert_refused(outcome, f"{self.canary}:1: this looks like an event log: diff_events.py --canary ")
        other = self.write("other", b'{"schema_version":2}\n')
        self.assert_refused(run("--canary", other, "--ours", self.ours), "expected the integer 1, found 2")
        both = self.write("both", log_bytes(calls(2)) * 2)
        self.assert_refused(run("--canary", both, "--ours", self.ours), f"{both}:4: schema_version: a second header")


class Outputs(CommandLineTestCase):
    def test_where_each_report_goes(self) -> None:
        markdown, out = run(*self.logs).out, self.path("out")
        self.assertTrue(markdown.startswith("# "))
        document = run(*self.logs, "--report", "json:-").out
        json.loads(document)
        self.assertEqual(run(*self.logs, "--out", out).out, "")
        self.assertEqual(Path(out).read_text(encoding="utf-8"), markdown)
        self.assertEqual(run(*self.logs, "--report", f"json:{out}").out, markdown)
        self.assertEqual(Path(out).read_text(), document)
        self.assertEqual(run(*self.logs, "--out", out, "--report", "json:-").out, document)
        self.assertEqual(Path(out).read_text(encoding="utf-8"), markdown)
        self.assertEqual(run(*self.logs, "--report", "markdown:-").out, markdown)
        self.assertEqual(run(*self.logs, "--out", "-").out, markdown)
        self.assertEqual(run(*self.logs, "--quiet", "--report", f"markdown:{out}").out, "")

    def test_many_reports(self) -> None:
        places = [self.path(name) for name in ("a.json", "b.json", "c:d.md")]
        argv = ("--report", f"json:{places[0]}", "--report", f"json:{places[1]}", "--report", f"markdown:{places[2]}")
        outcome = run(*self.logs, *argv)
        texts = [Path(place).read_text(encoding="utf-8") for place in places]
        self.assertEqual((texts[0], outcome.out), (texts[1], texts[2]))

    def test_requests_that_are_none(self) -> None:
        for bad in ("json", "json:", ":x", "xml:x", "JSON:x", "", "x\ny:z"):
            with self.subTest(bad=bad):
                self.assert_refused(run(*self.logs, f"--report={bad}"), "--report")

    def test_two_documents_in_one_place(self) -> None:
        out = self.path("out")
        Path(self.path("link")).symlink_to(out)
        for argv in (
            ("--report", "json:-", "--report", "markdown:-"),
            ("--report", "json:-", "--report", "json:-"),
            ("--report", "json:-", "--out", "-"),
            ("--report", f"json:{out}", "--out", out),
            ("--report", f"json:{out}", "--report", f"json:{out}"),
            ("--report", f"json:{out}", "--out", self.path("./out")),
            ("--report", f"json:{out}", "--out", self.path("link")),
        ):
            with self.subTest(argv=argv):
                self.assert_refused(run(*self.logs, *argv), "already")
                self.assertFalse(Path(out).exists())

    def test_an_input_as_output(self) -> None:
        Path(self.path("link")).symlink_to(self.canary)
        before = self.listing(), Path(self.canary).read_bytes()
        for place in (self.canary, self.ours, self.path("./canary.jsonl"), self.path("link")):
            with self.subTest(place=place):
                self.assert_refused(run(*self.logs, "--out", place), place)
                self.assert_refused(run(*self.logs, "--report", f"json:{place}"), place)
        self.assertEqual((self.listing(), Path(self.canary).read_bytes()), before)

    def test_other_inputs_as_outputs(self) -> None:
        profile, contract = self.path("profile.toml"), self.path("contract.toml")
        Path(profile).write_text("version = 1\n")
        Path(contract).write_text("")
        baseline = self.path("baseline.json")
        run(*self.logs, "--quiet", "--report", f"json:{baseline}")
        fixture = self.directory / "corpus" / "0001"
        fixture.mkdir(parents=True)
        Path(fixture / "canary.jsonl").write_bytes(Path(self.canary).read_bytes())
        corpus, traces = ("corpus", str(fixture.parent)), ("diff", self.canary, self.ours)
        for place, argv in (
            (profile, (*self.logs, "--profile", profile)),
            (baseline, (*self.logs, "--baseline", baseline)),
            (profile, (*self.logs, "--reference", profile)),
            (profile, ("calibrate", self.canary, f"{self.directory}/./profile.toml")),
            (contract, (*traces, "--contract", contract)),
            (contract, (*corpus, "--contract", contract)),
            (contract, (*corpus, "--matrix", contract)),
            (baseline, (*corpus, "--baseline", baseline)),
            (str(fixture / "canary.jsonl"), corpus),
        ):
            before = Path(place).read_bytes()
            with self.subTest(argv=argv):
                self.assert_refused(run(*argv, "--out", place), f"{place} is an input already")
                self.assertEqual(Path(place).read_bytes(), before)
        self.assert_refused(run(*self.logs, "--profile", profile, "--report", f"json:{profile}"), "an input already")
        newer = run(*self.logs, "--quiet", "--baseline", baseline, "--report", f"json:{baseline}")
        self.assertEqual((newer.code, newer.err), (0, ""))

    def test_standard_output_is_one_place_under_both_its_names(self) -> None:
        outcome = run(*self.logs, "--report", "json:/dev/stdout", "--report", "html:-")
        self.assert_refused(outcome, "standard output is an output already")

    def test_a_reference_needs_a_canary_that_can_be_read_twice(self) -> None:
        outcome = run("--canary", "-", "--ours", self.ours, "--reference", self.canary)
        self.assert_refused(outcome, "--reference needs runs that can be read twice")

    def test_unwritable_places_are_found_before_the_long_work(self) -> None:
        for place in (".", "new/", "no/such/directory", "canary.jsonl/x", "x" * 300):
            for option in ("--out", "--report=json:"):
                path = f"{self.directory}/{place}"
                argv = (option, path) if option == "--out" else (option + path,)
                with self.subTest(argv=argv), mock.patch.object(diff_events, "diff_logs") as long_work:
                    self.assert_refused(run(*self.logs, *argv), path)
                    long_work.assert_not_called()
        self.assertEqual(self.listing(), ["canary.jsonl", "ours.jsonl"])

    def test_directory_that_may_not_be_written(self) -> None:
        closed = self.directory / "closed"
        closed.mkdir()
        self.directory.chmod(0o755)
        closed.chmod(0o555)
        self.assert_refused(without_privileges([*self.logs, "--out", str(closed / "out")]), "out", "Permission denied")

    def test_nothing_is_left_behind(self) -> None:
        bad = self.write("bad", b"junk\n")
        before = self.listing()
        argv = ("--out", self.path("a"), "--report", f"json:{self.path('b')}")
        self.assert_refused(run("--canary", bad, "--ours", self.ours, *argv))
        self.assert_refused(run(*self.logs, *argv, "--report", f"json:{self.path('no/c')}"))
        with mock.patch.object(diff_events, "diff_logs", side_effect=KeyboardInterrupt):
            self.assertEqual(run(*self.logs, *argv), (130, "", ""))
        with mock.patch.object(diff_events, "diff_logs", side_effect=RuntimeError), self.assertRaises(RuntimeError):
            run(*self.logs, *argv)
        with mock.patch.object(os, "replace", side_effect=OSError(28, "No space left on device")):
            self.assert_refused(run(*self.logs, "--out", self.path("a")), "No space left")
        self.assertEqual(self.listing(), before)

    def test_existing_file_is_untouched_until_the_report_is_whole(self) -> None:
        out = Path(self.path("out"))
        out.write_text("old")
        bad = self.write("bad", b"junk\n")
        run("--canary", bad, "--ours", self.ours, "--out", str(out))
        self.assertEqual(out.read_text(), "old")
        run(*self.logs, "--out", str(out))
        self.assertTrue(out.read_text(encoding="utf-8").startswith("#"))

    def test_permissions(self) -> None:
        out = self.directory / "out"
        before = os.umask(0o027)
        try:
            run(*self.logs, "--out", str(out))
            self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o640)
            out.chmod(0o604)
            run(*self.logs, "--out", str(out))
            self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o604)
        finally:
            os.umask(before)

    def test_links(self) -> None:
        (self.directory / "there").mkdir()
        link, target = self.directory / "link", self.directory / "there" / "report"
        link.symlink_to(target)
        for _ in range(2):  # first it dangles
            run(*self.logs, "--out", str(link))
            self.assertTrue(link.is_symlink())
            self.assertTrue(target.read_text(encoding="utf-8").startswith("#"))
        self.assertEqual(os.listdir(target.parent), ["report"])

    def test_places_that_are_no_files(self) -> None:
        self.assertEqual(run(*self.logs, "--out", os.devnull), (0, "", VERDICT))
        self.assertTrue(stat.S_ISCHR(os.stat(os.devnull).st_mode))
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        texts: list[str] = []
        reader = threading.Thread(target=lambda: texts.append(Path(fifo).read_text(encoding="utf-8")))
        reader.start()
        run(*self.logs, "--out", fifo)
        reader.join()
        self.assertTrue(texts[0].startswith("#"))
        self.assertTrue(stat.S_ISFIFO(os.stat(fifo).st_mode))

    def test_descriptors_by_name(self) -> None:
        if not os.path.exists("/dev/fd/1"):
            raise not_tested("process substitution: this system has no /dev/fd")
        for place in ("/dev/stdout", "/dev/fd/1"):
            outcome = process(*self.logs, "--out", place)
            self.assertEqual((outcome.code, outcome.out, outcome.err), (0, run(*self.logs).out, VERDICT))

    def test_long_names(self) -> None:
        out = self.path("é" * 120 + "0" * 15)  # 255 bytes
        self.assertEqual(run(*self.logs, "--out", out), (0, "", VERDICT))
        self.assertTrue(Path(out).is_file())

    def test_strange_names(self) -> None:
        for name in ("a b", "a\nb", "`|<b>", "\x1b[31m", "é\u202e", os.fsdecode(b"\xff\xfe"), "-", "%s"):
            with self.subTest(name=name):
                log = self.write(name, calls(3))
                out = self.path("out of " + name)
                argv = ("--canary", log, "--ours", log, "--validate-identical")
                self.assertEqual(run(*argv, "--out", out)[:2], (0, ""))
                text = Path(out).read_text(encoding="utf-8")
                self.assertTrue(text.replace("\n", "").isprintable())
                self.assertEqual(json.loads(run(*argv, "--report", "json:-").out)["inputs"]["canary"]["name"], log)

    def test_failing_standard_output(self) -> None:
        for error, said in ((BrokenPipeError(32, "Broken pipe"), False), (OSError(28, "No space left"), True)):
            out, err = io.StringIO(), io.StringIO()
            with mock.patch.object(out, "write", side_effect=error):
                code = diff_events.run([*self.logs, "--validate-identical"], diff_events.Streams(out, err))
            self.assertEqual((code, bool(err.getvalue())), (2, said))

    def test_an_error_of_the_system_is_not_said_of_standard_output(self) -> None:
        argv = (*self.logs, "--out", self.path("out"))
        for error in (OSError(24, "Too many open files"), MemoryError()):
            with mock.patch.object(diff_events, "diff_logs", side_effect=error):
                outcome = run(*argv)
            self.assert_refused(outcome, "memory" if isinstance(error, MemoryError) else "Too many open files")
            self.assertNotIn("standard output", outcome.err)

    def test_failing_standard_error(self) -> None:
        err = io.StringIO()
        with mock.patch.object(err, "write", side_effect=OSError(28, "No space left")):
            code = diff_events.run(["--nonsense"], diff_events.Streams(io.StringIO(), err))
        self.assertEqual(code, 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressLine(CommandLineTestCase):
    def test_on_a_terminal_and_erased(self) -> None:
        err = Terminal()
        with (
            mock.patch.dict(os.environ, {"TERM": "xterm"}),
            mock.patch.object(diff_events.Progress, "_SECONDS_BETWEEN", 0.0),
        ):
            diff_events.run(self.logs, diff_events.Streams(io.StringIO(), err))
            shown = err.getvalue()
            self.assertIn("%", shown)
            self.assertTrue(shown.endswith("\r\x1b[K"))
            self.assertNotIn("\n", shown)
            quiet = Terminal()
            diff_events.run([*self.logs, "--quiet"], diff_events.Streams(io.StringIO(), quiet))
            self.assertEqual(quiet.getvalue(), "")
            bad = Terminal()
            argv = ["--canary", self.canary, "--ours", self.write("bad", log_bytes(calls(1)) * 2)]
            diff_events.run(argv, diff_events.Streams(io.StringIO(), bad))
            self.assertRegex(bad.getvalue().rpartition("\r\x1b[K")[2], r"\Adiff_events\.py: error: [^\n]+\n\Z")

    def test_not_elsewhere(self) -> None:
        for terminal, name in ((Terminal(), "dumb"), (io.StringIO(), "xterm")):
            with mock.patch.dict(os.environ, {"TERM": name}):
                diff_events.run(self.logs, diff_events.Streams(io.StringIO(), terminal))
            self.assertEqual(terminal.getvalue(), "")

    def test_not_too_often(self) -> None:
        err, argv = Terminal(), ("--canary", self.write("c", calls(2000)), "--ours", self.write("o", calls(2000)))
        with mock.patch.dict(os.environ, {"TERM": "xterm"}), mock.patch.object(diff_events, "CHUNK_BYTES", 100):
            diff_events.run(argv, diff_events.Streams(io.StringIO(), err))
        self.assertLess(err.getvalue().count("\r"), 100)


class Processes(CommandLineTestCase):
    def test_exit_codes(self) -> None:
        for argv, code in ((self.logs, 0), (("--canary", "missing", "--ours", "missing"), 2)):
            with self.subTest(argv=argv):
                self.assertEqual(process(*argv), run(*argv))
                self.assertEqual(run(*argv).code, code)

    def as_a_file(self, program: str, *argv: str, env: Mapping[str, str] | None = None) -> Outcome:
        """Runs the program the way a user does."""
        argv = (sys.executable, program, *argv)
        done = subprocess.run(argv, env=os.environ | dict(env or {}), capture_output=True, check=False)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def test_run_as_a_file(self) -> None:
        argv = (*self.logs, "--validate-identical")
        self.assertEqual(self.as_a_file(PROGRAM, *argv), run(*argv))
        self.assertEqual(run(*argv).code, 1)

    def test_standard_input(self) -> None:
        expected = run("--canary", self.canary, "--ours", self.ours, "--report", "json:-").out
        for argv, data in (
            (("--canary", "-", "--ours", self.ours), self.canary),
            (("--canary", self.canary, "--ours", "-"), self.ours),
        ):
            outcome = process(*argv, "--report", "json:-", stdin=Path(data).read_bytes())
            self.assertEqual(outcome.out.replace("standard input", data), expected)
        self.assert_refused(run("--canary", "-", "--ours", "-"), "standard input")

    def test_standard_input_from_a_file(self) -> None:
        with open(self.canary, "rb") as file:
            argv = command("--canary", "-", "--ours", self.canary, "--validate-identical")
            self.assertEqual(subprocess.run(argv, stdin=file, capture_output=True, check=False).returncode, 0)

    def test_named_pipes(self) -> None:
        fifos = [self.path(name) for name in ("one", "two")]
        for fifo, log in zip(fifos, (self.canary, self.ours), strict=True):
            os.mkfifo(fifo)
            data = Path(log).read_bytes()
            writer = threading.Thread(target=Path(fifo).write_bytes, args=(data,))
            writer.start()
            self.addCleanup(writer.join)
        outcome = run("--canary", fifos[0], "--ours", fifos[1], "--report", "json:-")
        text = outcome.out.replace(fifos[0], self.canary).replace(fifos[1], self.ours)
        self.assertEqual(text, run(*self.logs, "--report", "json:-").out)

    def test_a_pipe_that_is_slow_to_begin(self) -> None:
        argv = command("--canary", "-", "--ours", self.canary, "--validate-identical")
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
            assert child.stdin is not None
            for byte in Path(self.canary).read_bytes()[:8]:
                child.stdin.write(bytes([byte]))
                child.stdin.flush()
                time.sleep(0.005)
            child.stdin.write(Path(self.canary).read_bytes()[8:])
        self.assertEqual(child.returncode, 0)

    def shell(self, redirections: str, *argv: str) -> Outcome:
        line = ["sh", "-c", f'"$@" {redirections}', "sh", *command(*argv)]
        done = subprocess.run(line, capture_output=True, check=False, timeout=60)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def test_closed_standard_streams(self) -> None:
        divergent = (*self.logs, "--validate-identical")
        with self.subTest("output"):
            outcome = self.shell(">&-", *divergent)
            self.assertEqual(outcome.code, 2)
            self.assertNotIn("Traceback", outcome.err)
            self.assertEqual(self.shell(">&-", *divergent, "--quiet").code, 1)
            self.assertEqual(self.shell(">&-", *divergent, "--out", self.path("out")).code, 1)
        with self.subTest("error"):
            self.assertEqual(self.shell("2>&-", "--nonsense"), (2, "", ""))
            self.assertEqual(self.shell("2>&-", *divergent)[:2], run(*divergent)[:2])
        with self.subTest("input"):
            outcome = self.shell("<&-", "--canary", self.canary, "--ours", "-", "--validate-identical")
            self.assertEqual(outcome.code, 2)
            self.assertIn("standard input", outcome.err)
        with self.subTest("all"):
            self.assertEqual(self.shell(">&- 2>&- <&-", *divergent), (2, "", ""))

    def test_full_standard_streams(self) -> None:
        if not os.path.exists("/dev/full"):
            raise not_tested("a full standard output: this system has no /dev/full")
        for argv in ((*self.logs, "--validate-identical"), (*self.same, "--quiet", "--report", "json:-")):
            outcome = self.shell(">/dev/full", *argv)
            self.assertEqual(outcome.code, 2)
            self.assertRegex(outcome.err, r"\A[^\n]+\n\Z")
        self.assertEqual(self.shell("2>/dev/full", "--nonsense"), (2, "", ""))

    def test_nobody_reads_the_output(self) -> None:
        big = self.write("big", [event(0, payload={"name": "x" * 50, "n": tid}, tid=tid) for tid in range(500)])
        compared = ("--canary", big, "--ours", big, "--validate-identical", "--quiet", "--report", "text:-")
        for argv in (compared, ("--help",)):
            read, write = os.pipe()
            os.close(read)
            with self.subTest(argv=argv), os.fdopen(write, "wb") as pipe:
                done = subprocess.run(command(*argv), stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60)
                self.assertEqual(done.stderr, b"")
                self.assertIn(done.returncode, (0, 2) if argv == ("--help",) else (2,))

    def start_and_stop(self, number: int, hangup: str = "SIG_DFL") -> tuple[int, bytes, bytes]:
        """Exit code and output of a comparison that gets a signal while it reads a log from a pipe.

        A lost terminal means ``hangup`` to it.
        """
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        # One that was started in the background, or by nohup, does not hear some signals unless it asks for them.
        start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        start += f"; signal.signal(signal.SIGHUP, signal.{hangup})"
        argv = command("--canary", fifo, "--ours", self.ours, "--out", self.path("out"), before=start)
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with child, open(fifo, "wb") as pipe:  # it has opened the log, so it is past its start
            pipe.write(log_bytes(calls(3)))
            pipe.flush()
            deadline = time.monotonic() + 30
            while not any(name.startswith(".diff-events-") for name in self.listing()):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            child.send_signal(number)
            if hangup == "SIG_IGN":
                pipe.close()  # what it reads ends, and nothing else ends it
            out, err = child.communicate(timeout=30)
        os.unlink(fifo)
        return child.returncode, out, err

    def test_nohup(self) -> None:
        code, _, err = self.start_and_stop(signal.SIGHUP, "SIG_IGN")
        self.assertEqual((code, err[:9]), (0, b"Divergent"))
        self.assertIn("out", self.listing())

    def test_interrupted_and_terminated(self) -> None:
        before = self.listing()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)):
            with self.subTest(number):
                self.assertEqual(self.start_and_stop(number), (code, b"", b""))
                self.assertEqual(self.listing(), before)

    def test_terminated_with_its_processes(self) -> None:
        """Those that index segments end with the one that started them."""
        fifo, events = self.path("fifo"), [event(idx, payload={"name": "x" * 1000}) for idx in range(1000)]
        os.mkfifo(fifo)
        argv = command("--canary", fifo, "--ours", self.ours, before="diff_events.SEGMENT_BYTES = 1 << 18")
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        with child, open(fifo, "wb") as pipe:
            pipe.write(log_bytes(events))
            pipe.flush()
            child.send_signal(signal.SIGTERM)
            self.assertEqual((*child.communicate(timeout=60), child.returncode), (b"", b"", 143))
        with self.assertRaises(ProcessLookupError):
            os.killpg(child.pid, 0)

    def test_what_goes_wrong_at_the_start(self) -> None:
        """While the file is imported, too: no traceback, and no exit code of a gate."""
        # A process that was started in the background does not hear interrupts, nor does what it starts.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        (self.directory / "argparse.py").write_text("import os\nexec(os.environ['DO'])\n")
        for do, code, words in (
            ("import signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, ""),
            ("raise MemoryError", 2, "diff_events.py: MemoryError()\n"),
            ("raise ImportError('no libz')", 2, "diff_events.py: ImportError('no libz')\n"),
        ):
            with self.subTest(do):
                env = {"PYTHONPATH": str(self.directory), "DO": do}
                outcome = self.as_a_file(compiled_file(), *self.logs, "--validate-identical", env=env)
                self.assertEqual(outcome, (code, "", words))

    def test_the_same_bytes_every_time(self) -> None:
        threads = [
            event(idx, payload={"name": f"n{idx % 7}", "v": idx}, tid=tid) for idx in range(30) for tid in range(6)
        ]
        other = [one | {"tid": one["tid"] + 40} for one in threads if one["tid_event_idx"] + one["tid"] != 20]
        argv = ("--canary", self.write("c", threads), "--ours", self.write("o", other))
        options = (*argv, "--report", "json:-", "--report", f"markdown:{self.path('markdown')}")
        expected = run(*options), Path(self.path("markdown")).read_bytes()
        found = process(*options, env={"PYTHONHASHSEED": "1"}), Path(self.path("markdown")).read_bytes()
        self.assertEqual(found, expected)  # and this process has a seed of its own

    def test_from_another_directory(self) -> None:
        outcome = process("--canary", "canary.jsonl", "--ours", "ours.jsonl", "--out", "o", cwd=str(self.directory))
        self.assertEqual(outcome, (0, "", VERDICT))
        self.assertIn("o", self.listing())
        self.assertIn("canary.jsonl", Path(self.path("o")).read_text(encoding="utf-8"))

    def test_output_whatever_the_locale(self) -> None:
        expected = run(*self.logs)
        for env in ({"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "latin-1"}):
            self.assertEqual(process(*self.logs, env=env), expected)


class Main(CommandLineTestCase):
    """The outermost function, in this process."""

    def main(self, *argv: str) -> Outcome:
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["diff_events.py", *argv]),
            mock.patch.object(sys, "stdout", out),
            mock.patch.object(sys, "stderr", err),
        ):
            code = diff_events.main()
        return Outcome(code, out.getvalue(), err.getvalue())

    def test_codes(self) -> None:
        argv = (*self.logs, "--validate-identical")
        self.assertEqual(self.main(*argv), run(*argv))
        self.assertEqual(self.main("--nonsense"), run("--nonsense"))

    def test_a_bug_does_not_look_like_a_divergence(self) -> None:
        with mock.patch.object(diff_events, "diff_logs", side_effect=ZeroDivisionError):
            outcome = self.main(*self.logs)
        self.assertEqual(outcome.code, 2)
        self.assertIn("ZeroDivisionError", outcome.err)


if __name__ == "__main__":
    unittest.main()
