"""The aligned view of a pair of threads around an event."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any
from unittest import mock

import diff_events
from tests import generator
from tests.small_logs import Line, called, log_text, made, waited
from tests.support import SID, LogTestCase, event, log_bytes, run, seeds

NAMES = [f"Call{n}" for n in range(200)]


def thread(tid: int, names: Iterable[str]) -> list[Line]:
    """A thread that makes calls with an argument each."""
    return [(tid, "kernel.call", {"name": name, "handle": "0xF8000004", "n": len(name)}) for name in names]


class Show(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pair(thread(6, NAMES), thread(1, [*NAMES[:100], "Other", "Another", *NAMES[100:]]))

    def pair(self, canary: Sequence[Line], ours: Sequence[Line]) -> None:
        self.write("c.jsonl", log_text(canary))
        self.write("o.jsonl", log_text(ours))

    def show(self, *options: str) -> str:
        paths = "--canary", str(self.directory / "c.jsonl"), "--ours", str(self.directory / "o.jsonl")
        outcome = run("show", *paths, "--quiet", *options)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        return outcome.out

    def rows(self, *options: str) -> list[dict[str, Any]]:
        view = json.loads(self.show("--json", *options))
        self.assertEqual((view["format"], view["format_version"]), ("diff-events-view", 1))
        rows: list[dict[str, Any]] = view["rows"]
        return rows

    def refused(self, *options: str) -> str:
        paths = "--canary", str(self.directory / "c.jsonl"), "--ours", str(self.directory / "o.jsonl")
        outcome = run("show", *paths, "--quiet", *options)
        self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
        return outcome.err


class Places(Show):
    def test_an_event_is_named_in_either_log_by_index_or_line(self) -> None:
        views = {self.show("--at", at) for at in ("6:103", "canary:6:103", "ours:1:105", "line:105", "ours:line:107")}
        self.assertEqual(len(views), 1)
        self.assertIn("#103 line 105 ◀  #105 line 107 ◀  kernel.call Call103", views.pop())

    def test_start_is_where_the_report_says_to_start(self) -> None:
        self.pair(thread(6, NAMES), thread(1, [*NAMES[:50], *NAMES[51:]]))
        self.assertEqual(self.show(), self.show("--at", "6:50"))
        self.assertIn("- #50 line 52 ◀", self.show())

    def test_start_is_the_first_event_of_a_block_that_ours_alone_has(self) -> None:
        extra = [f"Extra{n}" for n in range(15)]
        self.pair(thread(6, NAMES), thread(1, [*NAMES[:50], *extra, *NAMES[50:]]))
        self.assertRegex(self.show(), r"(?m)^\+ +#50 line 52 ◀ +kernel.call Extra0 ")
        behind = self.show("--at", "6:50")
        for row in (r"\+ +#50 line 52 +kernel.call Extra0", r"  #50 line 52 ◀ +#65 line 67 ◀ +kernel.call Call50"):
            self.assertRegex(behind, f"(?m)^{row} ")

    def test_start_is_where_a_thread_of_canary_ends(self) -> None:
        self.pair(thread(6, NAMES[:100]), thread(1, NAMES))
        self.assertRegex(self.show(), r"(?m)^\+ +#100 line 102 ◀ +kernel.call Call100 ")

    def test_start_is_the_event_that_is_about_the_wrong_object(self) -> None:
        def log(tid: int, last: str) -> list[Line]:
            lines = [made(tid, sid * 16, raw=f"0xF800000{sid}") for sid in "48"]
            return [*lines, *thread(tid, NAMES[:50]), *waited(tid, last * 16), *thread(tid, NAMES[50:])]

        self.pair(log(6, "4"), log(1, "8"))
        self.assertRegex(self.show(), r"(?m)^  #53 line 55 ◀ +#53 line 55 ◀ +wait.begin ")

    def test_start_is_an_object_that_one_log_alone_has(self) -> None:
        created = (1, "handle.create", made(1, SID, raw="0x828f0010")[2])
        self.pair(thread(6, NAMES[:9]), [*thread(1, NAMES[:4]), created, *thread(1, NAMES[:9])[4:]])
        self.assertRegex(self.show(), r"(?m)^   +#4 line 6 ◀ +handle.create .*\(floats\)$")

    def test_an_event_of_ours_behind_those_of_canary_in_a_block(self) -> None:
        self.pair(thread(6, NAMES), thread(1, [*NAMES[:100], "Other", "Another", "Third", *NAMES[102:]]))
        for at, row in (("6:101", "- #101 line 103 ◀ +kernel.call Call101"), ("ours:1:101", r"\+ +#101 line 103 ◀ +")):
            self.assertRegex(self.show("--at", at), f"(?m)^{row}")
        together = r"(?m)^  #102 line 104 ◀ +#103 line 105 ◀ +kernel.call Call102 "
        self.assertRegex(self.show("--at", "ours:1:103"), together)

    def test_what_is_not_there_is_refused(self) -> None:
        for at, why in (
            ("7:1", "has no thread 7 (it has 6)"),
            ("6:200", "has no event with index 200"),
            ("line:1", "line 1 of"),
            ("line:0", "has no event"),
            ("line:202", "has no event"),
            ("6", "expected start, TID:IDX"),
            ("theirs:6:1", "expected start, TID:IDX"),
        ):
            self.assertIn(why, self.refused("--at", at), at)
        self.assertIn("canary's tid 9 has no partner", self.two_threads_and_one("--at", "9:1"))
        self.assertIn("canary's tid 9 has no partner", self.two_threads_and_one("--at", "start"))
        self.pair(thread(6, NAMES), thread(1, NAMES))
        self.assertIn("nothing differs", self.refused())

    def two_threads_and_one(self, *at: str) -> str:
        self.pair([*thread(6, NAMES), *thread(9, ["Lone"] * 5)], thread(1, NAMES))
        return self.refused(*at, "--tid-map", "6=1", "--no-auto-map")

    def test_an_index_in_a_hole_is_refused(self) -> None:
        for name in ("c.jsonl", "o.jsonl"):
            self.write(name, log_bytes([event(0), event(1), event(5)]))
        self.assertIn("no event with index 3", self.refused("--at", "6:3"))
        self.assertIn("#5 line 4 ◀", self.show("--at", "6:5"))


class Rows(Show):
    def test_a_value_that_differs_is_marked(self) -> None:
        ours = thread(1, NAMES)
        ours[5] = (1, "kernel.call", ours[5][2] | {"n": 7})
        self.pair(thread(6, NAMES), ours)
        text = self.show("--around", "1").splitlines()
        self.assertRegex(text[-5], r"^  #4 line 6 +#4 line 6 +kernel.call Call4 .* n=5$")
        self.assertRegex(text[-4], r"^- #5 line 7 ◀ +kernel.call Call5 .*n=«5»$")
        self.assertRegex(text[-3], r"^\+ +#5 line 7 ◀  kernel.call Call5 .*n=«7»$")
        self.assertRegex(self.show("--color", "always"), "\x1b\\[36m\\+[^\x1b]* n=\x1b\\[7m7\x1b\\[27m\x1b\\[0m\n")

    def test_what_differs_is_in_sight_in_a_narrow_terminal(self) -> None:
        canary, ours = thread(6, NAMES), thread(1, NAMES)
        long = {"one": "x" * 300, "two": "y" * 300}
        canary[5] = (6, "kernel.call", canary[5][2] | long)
        ours[5] = (1, "kernel.call", ours[5][2] | long | {"two": "y" * 150 + "z" + "y" * 149})
        self.pair(canary, ours)
        with mock.patch.dict(os.environ, COLUMNS="60"):
            text = self.show("--around", "1")
        self.assertRegex(text, r"(?s)\n- #5 line 7 ◀ .*«\s*y».*\n\+ +#5 line 7 ◀ .*«\s*z»")
        self.assertLessEqual(max(map(len, text.splitlines())), 60)

    def test_what_is_folded_says_how_much_of_it_differs(self) -> None:
        ours = [*NAMES[:20], *NAMES[21:150], *NAMES[152:]]
        self.pair(thread(6, NAMES), thread(1, ours))
        rows = self.rows("--at", "6:80", "--around", "2")
        folds = [(row["omitted"], row["differing"]) for row in rows if "omitted" in row]
        self.assertEqual(folds, [(78, 1), (117, 2)])
        self.assertIn("… 78 rows, 1 of them without a match …", self.show("--at", "6:80", "--around", "2"))

    def test_long_runs_that_match_are_folded_and_what_is_left_out_is_counted(self) -> None:
        rows = self.rows("--at", "6:20", "--around", "10")
        shown = [row["canary"]["idx"] for row in rows if row.get("canary")]
        self.assertEqual(shown, [*range(17, 24), *range(97, 102)])
        self.assertEqual(sum(1 if "row" in row else row["omitted"] for row in rows), 202)
        alone = [row["ours"]["payload"]["name"] for row in rows if row.get("ours") and not row["canary"]]
        self.assertEqual(alone, ["Other", "Another"])

    def test_with_enough_room_every_event_is_there_once_and_in_order(self) -> None:
        tried = 0
        for seed in seeds(15):
            pair = generator.random_pair(seed)
            pins = ",".join(f"{canary}={ours}" for canary, ours in pair.tid_map)
            paths = "--canary", self.write("c.jsonl", pair.canary), "--ours", self.write("o.jsonl", pair.ours)
            compared = run(*paths, "--tid-map", pins, "--no-auto-map", "--report", "json:-", "--quiet")
            for report in json.loads(compared.out)["threads"] if compared.code == 0 else ():
                with self.subTest(seed=seed, tid=report["canary_tid"]):
                    self.check_every_event(report, *paths, "--tid-map", pins, "--no-auto-map")
                    tried += 1
        self.assertGreater(tried, len(seeds(15)))

    def check_every_event(self, report: dict[str, Any], *options: str) -> None:
        at = "--at", f"{report['canary_tid']}:{self.first_idx(report['canary_tid'])}"
        outcome = run("show", *options, *at, "--around", "9999", "--json", "--quiet")
        self.assertEqual(outcome.code, 0, outcome.err)
        rows = json.loads(outcome.out)["rows"]
        self.assertEqual({row["row"] for row in rows} - {"matched", "floated", "differed"}, set())
        for side in ("canary", "ours"):
            indexes = [row[side]["idx"] for row in rows if row[side]]
            self.assertEqual(indexes, sorted(set(indexes)))
            self.assertEqual(len(indexes), report[f"{side}_events"])
        matched = sum(row["row"] == "matched" for row in rows)
        self.assertGreaterEqual(matched, report["matched"])
        self.assertTrue(all(row["canary"] and row["ours"] for row in rows if row["row"] == "matched"))

    def first_idx(self, tid: int) -> int:
        """The first index of a thread of canary."""
        path = str(self.directory / "c.jsonl")
        with diff_events.compared_logs(path, path, diff_events.DiffOptions(), diff_events.Progress()) as compared:
            return compared.logs.canary.index.streams[tid].idx_at(0)

    def test_what_floats_says_so(self) -> None:
        created = (1, "handle.create", made(1, SID, raw="0x828f0010")[2])
        self.pair(thread(6, NAMES[:9]), [*thread(1, NAMES[:4]), created, *thread(1, NAMES[:9])[4:]])
        self.assertRegex(self.show("--at", "6:4"), r"\n   +#4 line 6  +handle.create .*\(floats\)\n")

    def test_what_floats_on_both_sides_stands_on_a_row_each(self) -> None:
        def log(tid: int, work: str) -> list[Line]:
            return [*thread(tid, NAMES[:9]), *thread(tid, [f"{work}{n}" for n in range(4)]), *thread(tid, NAMES[9:20])]

        more = [*thread(7, ["Call0"]), *thread(7, [f"Other{n}" for n in range(4)])]
        less = [*thread(2, ["Call0"]), *thread(2, [f"One{n}" for n in range(4)])]
        self.pair([*log(6, "One"), *more], [*log(1, "Other"), *less])
        pool = self.write("pool.toml", b'version = 1\n[[pool]]\nfirst_call = "Call0"\nreason = "who is free"\n')
        options = ("--profile", pool, "--tid-map", "6=1,7=2", "--at", "6:9")
        floated = [row for row in self.rows(*options) if row.get("row") == "floated"]
        self.assertEqual([bool(row["canary"] and row["ours"]) for row in floated], [True] * 4)
        self.assertEqual(self.show(*options).count(" (floats)\n"), 8)

    def test_events_that_match_by_name_say_so(self) -> None:
        def opened(tid: int, raw: str) -> list[Line]:
            return [made(tid, "1" * 16, raw=raw), *called(tid, "NtClose", handle=raw), *called(tid, "NtYield")]

        self.pair(opened(6, "0xF8000004"), opened(1, "0xF8000008"))
        self.assertRegex(self.show("--at", "6:1"), r"(?m)^- #1 .*«4»\"$")
        self.assertRegex(self.show("--at", "6:1", "--match-names"), r"(?m)^- #1 .*«4»\" \(the same by name or rule\)$")
        self.assertEqual(self.show(), self.show("--at", "6:1"))  # never where to start, but all that there is

    def test_a_long_block_shows_both_sides_from_its_start(self) -> None:
        logs = [[*NAMES[:9], *(f"{word}{n}" for n in range(300))] for word in ("Lost", "New")]
        self.pair(thread(6, logs[0]), thread(1, logs[1]))
        rows = [row for row in self.rows("--at", "6:9", "--around", "4") if row.get("row") == "differed"]
        self.assertEqual(len(rows), 5)
        for side, word in (("canary", "Lost"), ("ours", "New")):
            self.assertEqual([row[side]["payload"]["name"] for row in rows[:5]], [f"{word}{n}" for n in range(5)])
        lines = self.show("--at", "6:9", "--around", "4").splitlines()
        self.assertEqual("".join(line[0] for line in lines if line[:1] in ("-", "+")), "-----+++++")

    def test_on_a_wide_terminal_what_differs_stands_side_by_side(self) -> None:
        ours = thread(1, NAMES)
        ours[5] = (1, "kernel.call", ours[5][2] | {"n": 7})
        del ours[7]
        self.pair(thread(6, NAMES), ours)
        for columns, colour, marks in ((120, "never", "«{}»"), (160, "always", "{}")):
            with mock.patch.dict(os.environ, {"COLUMNS": str(columns)}):
                text = self.show("--at", "6:5", "--around", "4", "--color", colour)
            self.assertEqual("\x1b[7m7\x1b[27m" in text, colour == "always")
            lines = re.sub("\x1b\\[[0-9]+m", "", text).splitlines()
            self.assertLessEqual(max(map(len, lines)), columns)
            both = next(line for line in lines if line.startswith("- #5"))
            values = [marks.format(value) for value in (5, 7)]
            self.assertRegex(both, rf"^- #5 line 7 ◀ .* n={values[0]} +│ \+ #5 line 7 ◀ .* n={values[1]} *$")
            alone = next(line for line in lines if line.startswith("- #7"))
            self.assertRegex(alone, r"^- #7 line 9 .* n=5 +│ *$")

    def test_a_long_event_goes_on_in_its_column(self) -> None:
        canary, ours = (
            [(tid, "kernel.call", {"name": "Long", "text": word * 20})] for tid, word in ((6, "c "), (1, "d "))
        )
        self.pair(canary, ours)
        with mock.patch.dict(os.environ, {"COLUMNS": "120"}):
            cells = [line.split("│") for line in self.show("--at", "6:0").splitlines()[3:]]
        self.assertGreater(len(cells), 1)
        for nth, letters in enumerate(("c c c", "d d d")):
            self.assertIn(letters, re.sub("[«»]", "", cells[1][nth]))
        with mock.patch.dict(os.environ, {"COLUMNS": "120"}):
            coloured = self.show("--at", "6:0", "--color", "always").splitlines()[4].split("│")
        for letter, cell in zip("cd", coloured, strict=True):
            self.assertIn(f"\x1b[7m{letter} {letter}", cell)

    def test_the_call_within_which_it_happens_is_named(self) -> None:
        call, returned = called(6, "NtCreateEvent")
        lines = [call, made(6, "1" * 16), returned]
        self.pair(lines, [(1, *line[1:]) for line in lines])
        belongs = "It belongs to kernel.call NtCreateEvent (canary #0 line 2, ours #0 line 2)."
        self.assertIn(belongs, self.show("--at", "6:1"))


class Text(Show):
    def test_the_nearest_rows_with_a_text(self) -> None:
        rows = self.rows("--at", "6:50", "--grep", "Call1", "--around", "3")
        self.assertEqual([row["canary"]["idx"] for row in rows if "row" in row], [17, 18, 19, 50, 100, 101, 102])
        alone, none = (self.rows("--at", "6:50", "--around", "0", *text) for text in ((), ("--grep", "Call1")))
        self.assertEqual(none, alone)
        self.assertNotIn("No event", self.show("--at", "6:50", "--grep", "Call1", "--around", "0"))
        only_ours = self.rows("--at", "6:50", "--grep", "Another")
        self.assertEqual([row["ours"]["idx"] for row in only_ours if "row" in row], [50, 101])
        self.assertEqual(sum("row" in row for row in self.rows("--at", "6:50", "--grep", "another")), 1)
        self.assertIn("No event of these threads has the text another.", self.show("--at", "6:50", "--grep", "another"))
        self.assertNotIn("No event", self.show("--at", "6:50", "--grep", "Call50"))
        self.pair(thread(6, ["a", "ä", "b"]), thread(1, ["a", "ä", "b"]))
        self.assertEqual(self.rows("--at", "6:0", "--grep", "ä")[1]["canary"]["payload"]["name"], "ä")


class OtherThreads(Show):
    def lines(self, tid: int, other: int) -> list[Line]:
        one, two = thread(tid, NAMES[:6]), thread(other, [f"Work{n}" for n in range(30)])
        return [*one[:2], *two[:3], *one[2:4], *two[3:], *one[4:]]

    def between(self, *options: str) -> list[object]:
        rows = self.rows("--at", "6:2", "--all-threads", *options)
        return [row.get("omitted", row.get("canary") and row["canary"]["payload"]["name"]) for row in rows]

    def test_they_stand_between_the_rows_by_the_order_of_the_lines(self) -> None:
        self.pair(self.lines(6, 7), self.lines(1, 2))
        work = [f"Work{n}" for n in range(30)]
        expected: list[object] = ["Call0", "Call1", *work[:3], None, None, None, "Call2", "Call3"]
        expected += [*work[3:11], 19, *[None] * 8, 19, "Call4", "Call5"]
        self.assertEqual(self.between(), expected)
        self.assertIn("#0 line 4 tid 7", self.show("--at", "6:2", "--all-threads"))
        self.assertIn("… 19 more events of other threads …", self.show("--at", "6:2", "--all-threads"))

    def test_those_nearest_to_the_marked_row_are_shown(self) -> None:
        self.pair(self.lines(6, 7), self.lines(1, 2))
        rows = self.rows("--at", "6:4", "--around", "1", "--all-threads")
        names = [row["canary"]["payload"]["name"] for row in rows if row.get("canary")]
        self.assertEqual(names, ["Call3", *(f"Work{n}" for n in range(22, 30)), "Call4", "Call5"])
        omitted = [row["omitted"] for row in rows if row.get("row") == "other_threads" and "omitted" in row]
        self.assertEqual(omitted, [19, 19])

    def test_they_stand_by_the_clock_where_a_writer_buffers(self) -> None:
        def buffered(tid: int, other: int) -> Iterable[dict[str, Any]]:
            for thread_tid, count, start in ((other, 12, 5), (tid, 6, 0)):
                for idx in range(count):
                    yield event(idx, tid=thread_tid) | {"host_ns": start + idx * (60 // count)}

        self.write("c.jsonl", log_bytes(buffered(6, 7)))
        self.write("o.jsonl", log_bytes(buffered(1, 2)))
        names = self.between("--tid-map", "6=1,7=2", "--around", "2")
        self.assertEqual(names[:6], ["Call0", "Call0", "Call1", None, None, "Call1"])


class Help(Show):
    def test_it_fits_a_screen(self) -> None:
        self.assertLessEqual(len(run("show", "--help").out.splitlines()), 40)
