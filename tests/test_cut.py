"""Small fixtures that reproduce one divergence of big logs."""

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import generator
from tests.small_logs import Line, called, log_text, made
from tests.support import LogTestCase, Outcome, enough, event, log_bytes, run, seeds

NAMES = [f"Call{n}" for n in range(300)]
SKIPPED = re.compile(r'"tid_event_idx": ?[0-9]+')


def steps(tid: int, **changed: Any) -> list[Line]:
    """A thread of many calls and returns; some calls return something else, by name."""
    return [line for name in NAMES for line in called(tid, name, changed.get(name, 0), path=f"game:\\{name}")]


class Cut(LogTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.out = self.directory / "small" / "fixture"

    def paths(self, canary: bytes, ours: bytes) -> tuple[str, ...]:
        return "--canary", self.write("c.jsonl", canary), "--ours", self.write("o.jsonl", ours)

    def cut(self, canary: bytes, ours: bytes, *options: str) -> Outcome:
        return run("cut", *self.paths(canary, ours), "--out", str(self.out), "--quiet", *options)

    def events(self, side: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / f"{side}.jsonl").read_text().splitlines()[1:]]

    def compare_cut(self, *options: str) -> dict[str, Any]:
        """The report of the cut pair."""
        paths = "--canary", str(self.out / "canary.jsonl"), "--ours", str(self.out / "ours.jsonl")
        outcome = run(*paths, "--report", "json:-", "--quiet", *options)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        report: dict[str, Any] = json.loads(outcome.out)
        return report

    def divergence(self, *options: str) -> dict[str, Any]:
        """The only divergence of the cut pair."""
        threads = self.compare_cut(*options)["threads"]
        self.assertEqual([thread["divergences_found"] for thread in threads if thread["divergence"]], [1])
        found: dict[str, Any] = next(thread["divergence"] for thread in threads if thread["divergence"])
        return found


class Fixtures(Cut):
    CANARY, OURS = log_text(steps(6)), log_text(steps(1, Call100=5, Call200=7))

    def test_it_has_few_events_and_says_how_many(self) -> None:
        outcome = self.cut(self.CANARY, self.OURS)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        self.assertEqual(outcome.out, f"{self.out}: 7 + 7 events of 1,200\n")
        self.assertEqual([len(self.events(side)) for side in ("canary", "ours")], [7, 7])
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["canary.jsonl", "meta.toml", "ours.jsonl"])

    def test_lines_keep_their_bytes_but_for_the_index(self) -> None:
        self.cut(self.CANARY, self.OURS)
        for side, log in (("canary", self.CANARY), ("ours", self.OURS)):
            lines = (self.out / f"{side}.jsonl").read_text().splitlines()
            known = {SKIPPED.sub("", line) for line in log.decode().splitlines()}
            self.assertEqual({SKIPPED.sub("", line) for line in lines} - known, set())
            self.assertEqual([one["tid_event_idx"] for one in self.events(side)], list(range(7)))

    def test_the_same_divergence_comes_first_and_no_other_is_there(self) -> None:
        for at, name, value in (("start", "Call100", 5), ("6:201", "Call100", 5), ("6:300", "Call200", 7)):
            with self.subTest(at=at):
                self.cut(self.CANARY, self.OURS, "--at", at)
                found = self.divergence()
                self.assertEqual(found["fields"], [{"path": "payload.return_value", "canary": 0, "ours": value}])
                self.assertEqual(found["event"]["canary"]["payload"]["name"], name)
                self.out = self.directory / f"other{at.replace(':', '')}"

    def test_it_conforms_and_is_a_fixture(self) -> None:
        self.cut(self.CANARY, self.OURS)
        logs = [str(self.out / f"{side}.jsonl") for side in ("canary", "ours")]
        self.assertEqual(run("validate", "--strict", *logs).code, 0)
        corpus = run("corpus", str(self.out.parent), "--must-fail")
        self.assertEqual(corpus.code, 0)
        self.assertIn("fixture | pass |", corpus.out)
        self.assertIn('tid_map = "6=1"', (self.out / "meta.toml").read_text())
        self.assertIn("kernel.return Call100: payload.return_value", (self.out / "meta.toml").read_text())

    def test_events_that_only_one_side_has(self) -> None:
        ours = [line for line in steps(1) if line[2]["name"] not in ("Call70", "Call71", "Call72")]
        self.cut(self.CANARY, log_text(ours))
        found = self.divergence()
        self.assertEqual((found["change"], found["canary_count"], found["ours_count"]), ("missing_on_ours", 6, 0))
        self.assertLess(len(self.events("canary")), 20)

    def test_a_hole_stays_a_hole(self) -> None:
        events = [event(idx) for idx in range(100)]
        self.cut(log_bytes(events), log_bytes(events[:50] + events[53:]))
        found = self.divergence()
        self.assertEqual((found["class"], found["change"]), ("missing", "missing_on_ours"))
        indexes = [one["tid_event_idx"] for one in self.events("ours")]
        self.assertEqual(indexes[0], 0)
        self.assertEqual([b - a for a, b in itertools.pairwise(indexes) if b != a + 1], [4])

    def test_a_long_block_becomes_shorter(self) -> None:
        ours = [*steps(1)[:100], *((1, "kernel.call", {"name": f"Lost{n}"}) for n in range(500)), *steps(1)[100:]]
        self.cut(self.CANARY, log_text(ours))
        self.assertEqual(self.divergence()["change"], "extra_on_ours")
        self.assertLess(len(self.events("ours")), 30)


class Names(Cut):
    def log(self, tid: int, used: str, raws: Sequence[str]) -> bytes:
        """Two handles are made on another thread, long before one is used."""
        lines = [made(tid + 1, digit * 16, raw=raw) for digit, raw in zip("12", raws, strict=True)]
        lines += steps(tid)[:200]
        lines += called(tid, "NtSetEvent", handle=used)
        return log_text([*lines, *steps(tid)[200:]])

    def test_what_made_the_names_comes_along(self) -> None:
        canary = self.log(6, "0xF8000004", ("0xF8000004", "0xF8000008"))
        wrong = self.log(6, "0xF8000020", ("0xF8000010", "0xF8000020"))
        self.assertEqual(self.cut(canary, wrong, "--match-names").code, 0)
        self.assertIn("handle.create", [one["kind"] for one in self.events("canary")])
        report = self.compare_cut("--match-names", "--tid-map", "6=6,7=7")
        (broken,) = report["names"]["breaks"]
        self.assertEqual((broken["path"], broken["expected"]), ("payload.handle", 0xF8000010))
        self.assertLess(len(self.events("canary")), 12)

    def test_the_corpus_compares_under_the_same_names(self) -> None:
        canary = self.log(6, "0xF8000004", ("0xF8000004", "0xF8000008"))
        wrong = self.log(6, "0xF8000020", ("0xF8000010", "0xF8000020"))
        self.cut(canary, wrong, "--match-names")
        self.assertIn("match_names = true", (self.out / "meta.toml").read_text())
        self.assertEqual(run("corpus", str(self.out.parent), "--must-fail").code, 0)
        right = (self.out / "ours.jsonl").read_text().replace('"0xF8000020"}', '"0xF8000010"}')
        (self.out / "ours.jsonl").write_text(right)
        self.assertEqual(run("corpus", str(self.out.parent)).code, 0)


class Profiles(Cut):
    RULE = 'version = 1\n[[ignore]]\nkind = "kernel.return"\ncall = "{}"\nfield = "return_value"\nreason = "noise"\n'

    def test_the_corpus_compares_under_the_same_rules(self) -> None:
        paths = [self.write(f"{call}.toml", self.RULE.format(call).encode()) for call in ("Call98", "Call102")]
        profile = [word for path in paths for word in ("--profile", path)]
        ours = log_text(steps(1, Call98=4, Call100=5, Call102=6))
        self.assertEqual(self.cut(log_text(steps(6)), ours, *profile, "--at", "6:199").code, 0)
        for rule in paths:
            Path(rule).unlink()
        report = json.loads(run("corpus", str(self.out.parent), "--must-fail", "--report", "json:-").out)
        self.assertEqual(report["passes"], True)
        found = self.divergence("--profile", str(self.out / "profile.toml"))
        self.assertEqual(found["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])
        text = (self.out / "profile.toml").read_text()
        self.assertEqual([text.count(word) for word in ("version", "Call98", "Call102")], [1, 1, 1])


class Neighbours(Cut):
    RULE = 'version = 1\n[[ignore]]\nkind = "kernel.call"\nfield = "args[*]"\nonly = "absent"\nreason = "noise"\n'

    def test_behind_the_block_stands_another_difference(self) -> None:
        """Under the profile the ends of both sides are one event with another value, of which the cut needs both."""
        lost = [line for n in range(6) for line in called(6, f"Lost{n}")]
        logs = []
        for tid, block, code in ((6, lost, "0"), (1, [], "123")):
            names = ("Wait", "1"), ("Exit", code)
            ends = [(tid, "kernel.call", {"name": name, "args": [argument]}) for name, argument in names]
            logs.append(log_text([ends[0], (tid, "note", {"text": "x"}), *block, ends[1]]))
        profile = self.write("absent.toml", self.RULE.encode())
        outcome = self.cut(logs[0], logs[1], "--profile", profile, "--at", "6:2")
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        found = self.compare_cut("--profile", profile)["threads"][0]["divergence"]
        self.assertEqual((found["change"], found["event"]["canary"]["payload"]["name"]), ("missing_on_ours", "Lost0"))


class Scrub(Cut):
    def test_texts_say_nothing_any_more_and_equal_ones_stay_equal(self) -> None:
        self.assertEqual(self.cut(Fixtures.CANARY, Fixtures.OURS, "--scrub").code, 0)
        for side in ("canary", "ours"):
            self.assertNotIn("game:", (self.out / f"{side}.jsonl").read_text())
        paths = [[one["payload"].get("path") for one in self.events(side)] for side in ("canary", "ours")]
        self.assertEqual(*paths)
        self.assertEqual(len({path for path in paths[0] if path}), sum(path is not None for path in paths[0]))
        self.assertIn("Call100", [one["payload"]["name"] for one in self.events("canary")])
        self.assertEqual(self.divergence()["fields"], [{"path": "payload.return_value", "canary": 0, "ours": 5}])


class Refused(Cut):
    def refused(self, canary: bytes, ours: bytes, *options: str) -> str:
        before = self.listing()
        outcome = self.cut(canary, ours, *options)
        self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
        self.assertEqual(set(self.listing()) - set(before) - {"c.jsonl", "o.jsonl", "small"}, set())
        return outcome.err

    def test_nothing_is_written_where_there_is_nothing_to_cut(self) -> None:
        self.assertIn("nothing differs", self.refused(Fixtures.CANARY, Fixtures.CANARY))
        self.assertIn("no divergence there or behind it", self.refused(Fixtures.CANARY, Fixtures.OURS, "--at", "6:500"))
        self.assertFalse(self.out.exists())

    def test_a_folder_that_is_not_empty_stays_as_it_is(self) -> None:
        self.out.mkdir(parents=True)
        (self.out / "meta.toml").write_text("mine")
        self.assertIn("not empty", self.refused(Fixtures.CANARY, Fixtures.OURS))
        self.assertEqual([path.read_text() for path in self.out.iterdir()], ["mine"])


class RandomPairs(Cut):
    def test_any_divergence_is_the_same_in_its_fixture(self) -> None:
        tried = refused = 0
        for seed in seeds(12):
            pair = generator.random_pair(seed)
            pins = "--tid-map", ",".join(f"{canary}={ours}" for canary, ours in pair.tid_map), "--no-auto-map"
            compared = run(*self.paths(pair.canary, pair.ours), *pins, "--report", "json:-", "--quiet")
            for thread in json.loads(compared.out)["threads"] if compared.code == 0 else ():
                if found := thread["divergence"]:
                    with self.subTest(seed=seed, tid=thread["canary_tid"]):
                        self.out = Path(self.directory, f"{seed}-{thread['canary_tid']}")
                        at = "--at", f"{thread['canary_tid']}:{found['canary_idx']}"
                        outcome = self.cut(pair.canary, pair.ours, *pins, *at)
                        tried += 1
                        if "needs the whole logs" in outcome.err:
                            refused += 1
                            continue
                        self.assertEqual(outcome.code, 0, outcome.err)
                        tid_map = re.search('tid_map = "(.*)"', (self.out / "meta.toml").read_text())
                        assert tid_map is not None
                        again = self.compare_cut("--tid-map", tid_map[1], "--no-auto-map")["threads"]
                        same = next(one for one in again if one["canary_tid"] == thread["canary_tid"])["divergence"]
                        for name in ("class", "change", "fields"):
                            self.assertEqual(same[name], found[name])
        self.assertGreater(tried, enough(6))
        self.assertLessEqual(refused, tried // 20)


class Help(Cut):
    def test_it_fits_a_screen(self) -> None:
        self.assertLessEqual(len(run("cut", "--help").out.splitlines()), 40)
