"""Learning a profile from runs of one program: clean for the next run, and sensitive to what the noise is not."""

import itertools
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import diff_events
from tests.noisy_runs import recorded
from tests.support import LogTestCase, Outcome, event, run, shared_create

FIXTURES = Path(diff_events.__file__).resolve().parent / "fixtures" / "noise"
Events = list[dict[str, Any]]


class CalibrateTestCase(LogTestCase):
    def learned(self, *runs: Events) -> tuple[Outcome, str]:
        """The outcome of learning from some runs, and the profile."""
        paths = [self.write(f"run{n}.jsonl", events) for n, events in enumerate(runs, 1)]
        self.profile = str(self.directory / "p.toml")
        outcome = run("calibrate", *paths, "--out", self.profile)
        return outcome, Path(self.profile).read_text(encoding="utf-8")

    def gate_under(self, canary: Events, ours: Events) -> Outcome:
        """The gate's outcome under what was learned."""
        paths = self.write("canary.jsonl", canary), self.write("ours.jsonl", ours)
        options = ("--validate-identical", "--profile", self.profile, "--max-divergences", "0", "--quiet")
        return run("--canary", paths[0], "--ours", paths[1], *options, "--report", "json:-")


class NoisyProgram(CalibrateTestCase):
    outcome: ClassVar[Outcome]
    """Of learning from the first three runs."""
    text: ClassVar[str]
    """The profile that came of it."""

    @classmethod
    def setUpClass(cls) -> None:
        case = cls("test_the_committed_runs_are_those")
        case.setUp()
        cls.addClassCleanup(case.doCleanups)
        cls.outcome, cls.text = case.learned(*map(recorded, (1, 2, 3)))

    def test_the_next_run_is_clean_and_the_changed_one_is_not(self) -> None:
        self.assertEqual(self.outcome.code, 0, self.outcome.out)
        self.profile = self.write("p.toml", self.text.encode())
        for n in (4, 11):
            self.assertEqual(self.gate_under(recorded(1), recorded(n)).code, 0, n)
        outcome = self.gate_under(recorded(1), recorded(5, changed=True))
        self.assertEqual(outcome.code, 1)
        found = [one for thread in json.loads(outcome.out)["threads"] for one in thread["divergences"]]
        blocks = json.dumps([one["block"] for one in found])
        self.assertIn('"other"', blocks)
        self.assertIn('"line 7"', blocks)
        self.assertLessEqual(len(found), 4)

    def test_the_rules_are_the_narrowest(self) -> None:
        document = tomllib.loads(self.text)
        self.assertEqual([pool["entry_point"] for pool in document["pool"]], ["0x82005000"])
        self.assertEqual([loop["calls"] for loop in document["repeat"]], [["KeDelayExecutionThread"]])
        self.assertNotIn("float", document)
        rules = {(one["call"], one["field"]): one for sort in ("ignore", "tolerance") for one in document[sort]}
        self.assertEqual(rules["KeSetEvent", "return_value"]["values"], [0, 1])
        self.assertLess(rules["KeQueryPerformanceCounter", "return_value"]["rel"], 0.05)
        self.assertNotIn(("NtReadFile", "args[1]"), rules)
        self.assertEqual(set(rules["XeCryptRandom", "args[0]"]), {"kind", "call", "field", "reason"})

    def test_the_committed_runs_are_those(self) -> None:
        for n in range(1, 5):
            lines = (FIXTURES / f"run{n}.jsonl").read_text(encoding="utf-8").splitlines()[1:]
            self.assertEqual(list(map(json.loads, lines)), recorded(n))

    def test_reports_say_what_it_is_worth(self) -> None:
        for expected in (
            "nothing is left over",
            "False alarms to expect",
            "| left out | differences |",
            " % of the events",
            "would not see",
            "| kernel.call | XeCryptRandom | `args[0]` | blind by rule",
        ):
            self.assertIn(expected, self.outcome.out)
        self.assertNotIn("NtReadFile | `args[1]`", self.outcome.out)

    def test_the_same_runs_give_the_same_file_in_any_order(self) -> None:
        outcome, text = self.learned(*map(recorded, (3, 1, 2)))
        self.assertEqual(text, self.text)
        for one, order in ((self.outcome, (1, 2, 3)), (outcome, (3, 1, 2))):
            alarms = re.findall(r"(?m)^\| `.*run[1-3]\.jsonl` \| ([0-9]+) \|$", one.out)
            self.assertEqual(alarms, ["4" if n == 2 else "0" for n in order])


class SortsOfRules(CalibrateTestCase):
    def runs(self, payload: Callable[[int], Mapping[str, Any]], count: int = 3) -> list[Events]:
        """Runs in which one event differs, among others that do not."""
        return [[event(0), event(1), event(2, payload=payload(n)), event(3), event(4)] for n in range(count)]

    def rule_for(self, payload: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
        """The only rule that is learned."""
        outcome, text = self.learned(*self.runs(payload))
        self.assertEqual(outcome.code, 0, outcome.out)
        document = tomllib.loads(text)
        ((sort, rules),) = ((sort, rules) for sort, rules in document.items() if sort != "version")
        (rule,) = rules
        return {"sort": sort} | {key: value for key, value in rule.items() if key not in ("kind", "reason")}

    EXPECTED: ClassVar = (
        (lambda n: {"name": "A", "x": n % 2}, {"sort": "ignore", "call": "A", "field": "x", "values": [0, 1]}),
        (lambda n: {"name": "A", "x": ["", "a\n", None][n]}, {"sort": "ignore", "call": "A", "field": "x"}),
        (lambda n: {"name": "A", "x": [0, {"y": None}, 0][n]}, {"sort": "ignore", "call": "A", "field": "x"}),
        (lambda n: {"name": "A", "x": 1000 + n}, {"sort": "tolerance", "call": "A", "field": "x", "rel": 0.004}),
        (lambda n: {"name": "A", "x": 10**n}, {"sort": "ignore", "call": "A", "field": "x"}),
        (lambda n: {"name": "A", "x": [1, 2][: 1 + n % 2]},
         {"sort": "ignore", "call": "A", "field": "x[*]", "only": "absent"}),
        (lambda n: {"name": "A", **({"b c": 1} if n else {})},
         {"sort": "ignore", "call": "A", "field": '["b c"]', "only": "absent"}),
        (lambda n: {"text": f"x{n}"}, {"sort": "ignore", "field": "text"}),
    )  # fmt: skip

    def test_each_gets_its_narrowest(self) -> None:
        for payload, expected in self.EXPECTED:
            self.assertEqual(self.rule_for(payload), expected)

    def test_a_rule_is_about_the_calls_that_varied_and_no_other(self) -> None:
        def one(n: int) -> Events:
            args, status = [[1, 2], [1]][n % 2], ["", "EOF"][n % 2]
            return [
                event(
                    idx, kind, {"name": f"Call{idx}", **(varied if idx in (1, 2, 3) else {"args": [0], "status": ""})}
                )
                for idx, kind in enumerate(["kernel.call"] * 5 + ["kernel.return"] * 5)
                for varied in [{"args": args} if idx < 5 else {"status": status}]
            ]

        _, text = self.learned(one(0), one(1), one(2))
        self.assertEqual([rule["call"] for rule in tomllib.loads(text)["ignore"]], ["Call1", "Call2", "Call3"])
        self.assertEqual({rule["only"] for rule in tomllib.loads(text)["ignore"]}, {"absent"})

    def test_what_was_not_written_in_some_calls_is_compared_in_others(self) -> None:
        def one(n: int) -> Events:
            results = ["", "EOF"] if n % 2 else ["EOF", ""]
            names = ("Read", "Seek", "Open", "Send", "Close")
            return [
                event(idx, "kernel.return", {"name": name, "status": results[idx % 2] if idx < 4 else "EOF"})
                for idx, name in enumerate(names)
            ]

        _, text = self.learned(one(0), one(1), one(2))
        rules = tomllib.loads(text)["ignore"]
        self.assertEqual({rule["call"] for rule in rules}, {"Read", "Seek", "Open", "Send"})
        failed = one(0)
        failed[-1]["payload"]["status"] = ""
        self.assertEqual(self.gate_under(one(0), failed).code, 1)

    def test_an_event_that_comes_and_goes_floats_where_it_can_be_told(self) -> None:
        def one(*places: int) -> Events:
            payloads: list[dict[str, Any]] = [{"name": f"Call{idx}"} for idx in range(8)]
            payloads[4:4] = [{"name": "Poll", "args": [value]} for value in (2, 3, 4, 5, 6)]
            for place in places:
                payloads.insert(place, {"name": "Poll", "args": [1]})
            return [event(idx, payload=payload) for idx, payload in enumerate(payloads)]

        outcome, text = self.learned(one(), one(2), one(2, 12))
        self.assertEqual(outcome.code, 0, outcome.out)
        (rule,) = tomllib.loads(text)["float"]
        self.assertEqual((rule["call"], rule["where"]), ("Poll", {"payload.args[0]": 1}))

    def test_the_report_counts_what_is_no_longer_compared(self) -> None:
        def one(polls: int, value: int) -> Events:
            payloads: list[dict[str, Any]] = [{"name": f"Call{n}"} for n in range(10)]
            payloads[4:4] = [{"name": "Poll", "args": [n]} for n in (2, 3, 4, 5)]
            payloads[1:1] = [{"name": "Poll", "args": [1]}] * polls
            return [event(n, payload=one) for n, one in enumerate([*payloads, {"name": "Random", "x": value}])]

        outcome, text = self.learned(one(0, 10), one(1, 1000), one(1, 100_000))
        self.assertEqual(outcome.code, 0, outcome.out)
        reasons = [one["reason"] for sort in ("float", "ignore") for one in tomllib.loads(text)[sort]]
        self.assertEqual(reasons[0], "stood elsewhere or was missing in 2 of 3 pairs of runs, at 2 of 4 events")
        self.assertEqual(reasons[1], "differed in 3 of 3 pairs of runs, at 3 of 3 events")
        self.assertIn("\n\n4.3 % of the events may stand anywhere or be missing. Of the fields, 4.7 % are", outcome.out)
        self.assertIn("| Random | `x` | blind by rule `ignore kernel.call Random x` | 1 in 1 |", outcome.out)
        for n in (1, 2, 3):
            self.assertRegex(outcome.out, rf"\n\| `[^|`]*run{n}\.jsonl` \| [0-9]+ \|\n")

    def test_whatever_is_learned_can_be_read(self) -> None:
        def absent_or_any(n: int) -> Events:
            payloads = [{"name": "A", "x": 1 / (3 + n + 7 * idx)} for idx in range(6)]
            if n == 1:
                del payloads[3]["x"]
            return [event(idx, payload=payload) for idx, payload in enumerate(payloads)]

        def nulls(n: int) -> Events:
            events = []
            for k in range(30):
                logged = [k % 3, None] if k in ((4,), (9, 15), (20,))[n] else [k % 3]
                events.append(event(0, payload={"name": f"Call{k}"}))
                events += [event(0, "note", {"name": "Log", "err": value}) for value in logged]
            return [{**one, "tid_event_idx": idx} for idx, one in enumerate(events)]

        def of(kind: str, name: str) -> Callable[[int], Events]:
            return lambda n: [event(0), event(1, kind, {"name": name, "x": 10**n}), event(2)]

        def payload_in_payload(n: int) -> Events:
            return [event(0), event(1, payload={"name": "A", "payload": {"x": 10**n}}), event(2)]

        for runs, code, rules in (
            (absent_or_any, 0, [("A", "x")]),
            (nulls, 0, [("Log", None)]),
            (payload_in_payload, 0, [("A", '["payload"].x')]),
            (of("kernel.call", ""), 0, [("", "x")]),
            (of("mem*write", "A"), 1, []),
            (of("note", "a\ud800"), 1, []),
        ):
            with self.subTest(rules):
                outcome, text = self.learned(*map(runs, range(3)))
                self.assertEqual(outcome.code, code, outcome.err + outcome.out)
                document = tomllib.loads(text)
                found = [one for sort, of_sort in document.items() if sort != "version" for one in of_sort]
                self.assertEqual([(one["call"], one.get("field")) for one in found], rules)
                self.assertEqual(self.gate_under(runs(0), runs(1)).code, code)

    def test_a_rule_for_calls_without_a_name_is_for_no_other(self) -> None:
        def one(n: int, other: int = 0) -> Events:
            return [event(0), event(1, payload={"name": "", "x": 10**n}), event(2, payload={"name": "A", "x": other})]

        self.learned(one(0), one(1), one(2))
        self.assertEqual(self.gate_under(one(0), one(3)).code, 0)
        self.assertEqual(self.gate_under(one(0), one(3, other=1)).code, 1)

    def test_equal_runs_need_no_rule(self) -> None:
        outcome, text = self.learned(*self.runs(lambda n: {"name": "A"}))
        self.assertEqual((outcome.code, set(tomllib.loads(text))), (0, {"version"}))

    def test_what_cannot_be_learned_is_listed_and_the_profile_written_all_the_same(self) -> None:
        runs = self.runs(lambda n: {"name": "A", "x": n % 2})
        runs[1] += [event(0, tid=9)]
        outcome, text = self.learned(*runs)
        self.assertEqual(outcome.code, 1)
        self.assertIn("left over", outcome.out)
        self.assertIn("values = [0, 1]", text)


class Names(CalibrateTestCase):
    def run_with(self, first: int, used: int | None = None) -> Events:
        """A run in which two handles are opened, and each is used; the engine counts them from ``first`` on."""
        payloads: list[tuple[str, dict[str, Any]]] = []
        for handle in (first, first + 4):
            payloads += [
                ("kernel.call", {"name": "Open"}),
                ("kernel.return", {"name": "Open", "return_value": f"0x{handle:x}"}),
            ]
        for handle in (first + 4, first if used is None else used):
            payloads.append(("kernel.call", {"name": "Use", "handle": f"0x{handle:x}"}))
        return [event(idx, kind, payload) for idx, (kind, payload) in enumerate(payloads)]

    def test_what_the_engine_gives_and_the_program_uses_again_is_a_name(self) -> None:
        outcome, text = self.learned(*(self.run_with(0x10000 * n) for n in (1, 2, 3)))
        self.assertEqual(outcome.code, 0, outcome.out)
        document = tomllib.loads(text)
        self.assertEqual(set(document), {"version", "name"})
        (rule,) = document["name"]
        self.assertEqual((rule["call"], rule["field"]), ("Open", "return_value"))
        self.assertEqual(self.gate_under(self.run_with(0x10000), self.run_with(0x70000)).code, 0)
        self.assertEqual(self.gate_under(self.run_with(0x10000), self.run_with(0x70000, used=0x70004)).code, 1)

    def test_values_that_nothing_uses_are_no_names(self) -> None:
        runs = [[event(0, "kernel.return", {"name": "Open", "return_value": 10**n}), event(1)] for n in (4, 6, 8)]
        self.assertNotIn("name", tomllib.loads(self.learned(*runs)[1]))

    def names_of(self, *payloads: Callable[[int], tuple[str, dict[str, Any]]]) -> list[str]:
        """The fields that are learned as names, given what each event has if the engine chose this value."""
        runs = [[event(idx, *one(value)) for idx, one in enumerate(payloads)] for value in (0x10000, 0x20000, 0x30000)]
        return [one["field"] for one in tomllib.loads(self.learned(*runs)[1]).get("name", ())]

    def test_a_name_comes_from_the_engine_and_goes_to_another_call(self) -> None:
        def opened(n: int) -> tuple[str, dict[str, Any]]:
            return "kernel.return", {"name": "Open", "handle": n}

        def used(n: int) -> tuple[str, dict[str, Any]]:
            return "kernel.call", {"name": "Use", "it": n}

        def closed(n: int) -> tuple[str, dict[str, Any]]:
            return "kernel.call", {"name": "Close", "it": n}

        def fixed(_: int) -> tuple[str, dict[str, Any]]:
            return "kernel.return", {"name": "Open", "handle": 0x8000}

        self.assertEqual(self.names_of(opened, used), ["handle"])
        self.assertEqual(self.names_of(opened, used, *[fixed] * 4), ["handle"])  # no size is so great
        self.assertEqual(self.names_of(used, closed), [])
        self.assertEqual(
            self.names_of(
                lambda n: ("kernel.return", {"name": "Clock", "now": n, "then": 0}),
                lambda n: ("kernel.return", {"name": "Clock", "now": 0, "then": n}),
            ),
            [],
        )
        self.assertEqual(self.names_of(opened, lambda n: opened(n + (n > 0x10000)), used), [])  # not one to one

    def test_a_size_that_comes_back_is_no_name(self) -> None:
        """Written in one call, or read in one and written in another: most sizes are the same in all runs."""

        def one(size: int) -> Events:
            kinds = ("kernel.call", "kernel.return")
            payloads: list[tuple[str, dict[str, Any]]] = [
                (kind, {"name": name, "size": str(value)})
                for value in (4096, size, 10240, 832)
                for name in ("Write", "Copy")
                for kind in kinds
            ]
            read: list[tuple[str, dict[str, Any]]] = [
                (kind, {"name": name, "size": value})
                for value in (4096, 4100, 4200, size - 10)
                for kind, name in (("kernel.return", "Read"), ("kernel.call", "Send"))
            ]
            return [event(idx, kind, payload) for idx, (kind, payload) in enumerate([*payloads, *read])]

        _, text = self.learned(one(1233), one(1234), one(1233))
        self.assertNotIn("name", tomllib.loads(text))
        self.assertEqual(self.gate_under(one(1233), one(400)).code, 1)


class Blocks(CalibrateTestCase):
    """What moved or is missing is told from what it moved past."""

    def run_of(self, *names: str) -> Events:
        kinds = ("kernel.call", "kernel.return")
        pairs = ((kind, name) for name in names for kind in kinds)
        return [event(idx, kind, {"name": name}) for idx, (kind, name) in enumerate(pairs)]

    def test_the_calls_that_noise_moved_past_do_not_float(self) -> None:
        def one(*places: int) -> Events:
            names = [f"Work{n}" for n in range(24)]
            for place in sorted(places, reverse=True):
                names.insert(place, "Spurious")
            return self.run_of(*names)

        for runs in ((one(6, 12), one(4, 9, 13), one(3, 7, 15, 20)), (one(5), one(8), one(11))):
            outcome, text = self.learned(*runs)
            self.assertEqual(outcome.code, 0, outcome.out)
            document = tomllib.loads(text)
            self.assertEqual(set(document), {"version", "float"})
            self.assertEqual({rule["call"] for rule in document["float"]}, {"Spurious"})
            kept = [one for one in runs[0] if one["payload"]["name"] != "Work7"]
            dropped = [{**one, "tid_event_idx": idx} for idx, one in enumerate(kept)]
            self.assertEqual(self.gate_under(runs[0], dropped).code, 1)

    def test_loops_between_work_are_loops(self) -> None:
        def one(*turns: int) -> Events:
            names = [f"Start{n}" for n in range(4)]
            for nth, count in enumerate(turns):
                names += [*["Poll", "Delay"] * count, *(f"Work{nth}{n}" for n in range(5))]
            return self.run_of(*names)

        outcome, text = self.learned(one(1, 5, 2, 4), one(5, 1, 3, 2), one(2, 3, 1, 5))
        self.assertEqual(outcome.code, 0, outcome.out)
        document = tomllib.loads(text)
        self.assertEqual(set(document), {"version", "repeat"})
        self.assertEqual([rule["calls"] for rule in document["repeat"]], [["Delay", "Poll"]])
        self.assertRegex(document["repeat"][0]["reason"], r"^ran more .* in 3 of 3 pairs of runs, \d+ turns in all$")
        self.assertEqual(self.gate_under(one(1, 5, 2, 4), one(4, 4, 4, 1)).code, 0)
        self.assertEqual(self.gate_under(one(1, 5, 2, 4), self.run_of("Start0")).code, 1)

    def test_long_loops_are_loops(self) -> None:
        def one(*turns: int) -> Events:
            names = ["Start0", "Start1"]
            for nth, count in enumerate(turns):
                names += [f"Step{n}" for n in range(6)] * count + [f"Work{nth}{n}" for n in range(5)]
            return self.run_of(*names)

        _, text = self.learned(one(1, 3, 2), one(3, 1, 2), one(2, 2, 4))
        self.assertEqual([len(rule["calls"]) for rule in tomllib.loads(text)["repeat"]], [6])

    def test_turns_of_one_loop_against_those_of_the_next_teach_nothing_of_fields(self) -> None:
        def one(*turns: int) -> Events:
            calls = [(f"Start{n}", 0) for n in range(3)]
            for value, count in enumerate(turns):
                calls += [("Poll", value), ("Delay", 5)] * count
            calls += [("Work", n) for n in range(4)]
            kinds = ("kernel.call", "kernel.return")
            pairs = ((kind, {"name": name, "x": value}) for name, value in calls for kind in kinds)
            return [event(idx, kind, payload) for idx, (kind, payload) in enumerate(pairs)]

        _, text = self.learned(one(1, 4, 2), one(2, 1, 3), one(3, 2, 1))
        self.assertEqual(set(tomllib.loads(text)), {"version", "repeat"})

    def test_an_object_that_one_run_alone_creates_floats(self) -> None:
        run_of = self.run_of("A", "B", "C")
        outcome, text = self.learned(run_of, [*run_of, shared_create(len(run_of))])
        self.assertEqual(outcome.code, 0, outcome.out)
        self.assertEqual([rule["kind"] for rule in tomllib.loads(text)["float"]], ["handle.create"])

    def test_a_thread_of_one_run_alone_is_listed(self) -> None:
        run_of = self.run_of("A", "B", "C")
        for place in (1, 2, 3):
            outcome, _ = self.learned(*([*run_of, event(0, tid=9)] if n == place else run_of for n in (1, 2, 3)))
            self.assertEqual(outcome.code, 1)
            for one, other in itertools.combinations((1, 2, 3), 2):
                pair = {f"run{one}.jsonl", f"run{other}.jsonl"}
                lines = re.findall(r".*: thread 9 of .*", outcome.out)
                named = [set(re.findall(r"run\d\.jsonl", line)) for line in lines]
                self.assertEqual(pair in named, place in (one, other))
            self.assertRegex(outcome.out, rf"thread 9 of \S*run{place}\.jsonl` has no partner")

    def test_what_moved_floats_the_same_in_any_order_of_the_runs(self) -> None:
        runs = [self.run_of(*calls) for calls in ("ABCDEFGH", "ABDCEFGH", "ABCEDFGH")]
        orders = (runs, runs[::-1], [*runs[1:], runs[0]])
        self.assertEqual(len({self.learned(*order)[1] for order in orders}), 1)


class References(CalibrateTestCase):
    def compared(self, ours: Events) -> tuple[int, Any, str]:
        """The exit code of the gate, the JSON report and the Markdown, with two further runs of canary."""
        paths = [self.write(f"run{n}.jsonl", recorded(n)) for n in (1, 2, 3)]
        markdown = self.directory / "o.md"
        arguments = ["--canary", paths[0], "--ours", self.write("ours.jsonl", ours), "--validate-identical"]
        for path in paths[1:]:
            arguments += ["--reference", path]
        outcome = run(*arguments, "--report", "json:-", "--out", str(markdown), "--quiet")
        return outcome.code, json.loads(outcome.out), markdown.read_text(encoding="utf-8")

    def test_what_differs_between_runs_of_canary_is_hidden(self) -> None:
        code, report, markdown = self.compared(recorded(4))
        self.assertEqual((code, report["verdict"]), (0, "identical"))
        self.assertIn("3 runs of canary", markdown)
        references = [str(self.directory / f"run{n}.jsonl") for n in (2, 3)]
        self.assertEqual(report["options"]["references"], references)
        self.assertIn(f"; further runs of canary {', '.join(f'`{path}`' for path in references)}.\n", markdown)

    def test_a_divergence_says_whether_it_is_novel_or_lost(self) -> None:
        code, report, markdown = self.compared(recorded(5, changed=True))
        self.assertEqual(code, 1)
        found = [one for thread in report["threads"] for one in thread["divergences"]]
        self.assertIn("novel", [one["novelty"] for one in found if '"other"' in json.dumps(one["block"])])
        self.assertIn("**changed, novel**", markdown)
        ours = recorded(1)
        place = next(n for n, one in enumerate(ours) if one["payload"].get("name") == "NtReadFile")
        lost = [one for one in ours if json.dumps(one["payload"]) != json.dumps(ours[place]["payload"])]
        indexes: dict[int, int] = {}
        for one in lost:
            one["tid_event_idx"] = indexes[one["tid"]] = indexes.get(one["tid"], -1) + 1
        _, report, _ = self.compared(lost)
        found = [one for thread in report["threads"] for one in thread["divergences"]]
        self.assertEqual({one["novelty"] for one in found}, {"lost"})

    def test_what_stands_elsewhere_is_neither_novel_nor_lost(self) -> None:
        def log_of(name: str, *calls: str) -> str:
            return self.write(name, [event(idx, payload={"name": name}) for idx, name in enumerate(calls)])

        names = [f"Call{n}" for n in range(40)]
        canary, reference = log_of("c.jsonl", *names), log_of("r.jsonl", *names)
        moved = log_of("o.jsonl", *names[:5], *names[6:35], names[5], *names[35:])
        outcome = run("--canary", canary, "--ours", moved, "--reference", reference, "--report", "json:-", "--quiet")
        found = json.loads(outcome.out)["threads"][0]["divergences"]
        self.assertEqual([one["novelty"] for one in found], [None, None])

    def test_a_learned_rule_may_hide_nothing(self) -> None:
        paths = [self.write(f"{n}.jsonl", recorded(n)) for n in (1, 2)]
        same = self.write("same.jsonl", recorded(1))
        outcome = run("--canary", paths[0], "--ours", same, "--reference", paths[1], "--report", "json:-")
        self.assertIn(0, [rule["hidden"] for rule in json.loads(outcome.out)["profile"]["rules"]])
        self.assertNotIn("hid nothing", outcome.err)

    def test_bad_references_are_one_line(self) -> None:
        one, other = self.write("a.jsonl", recorded(1)), self.write("b.jsonl", recorded(2))
        strange = self.write("s.jsonl", [event(0, "note", {"text": "x"})])
        for reference, expected in ((other, "that is --ours"), (one, "the same run"), ("-", "read twice"),
                                    (os.path.join(os.path.dirname(one), ".", "a.jsonl"), "the same run"),
                                    (os.path.join(os.path.dirname(one), ".", "b.jsonl"), "that is --ours"),
                                    (strange, "runs of one program"), ("gone.jsonl", "gone.jsonl")):  # fmt: skip
            outcome = run("--canary", one, "--ours", other, "--reference", reference)
            self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1), reference)
            self.assertIn(expected, outcome.err)


class OtherPrograms(CalibrateTestCase):
    """Runs of different programs are refused; whatever one program does differently, its runs are not."""

    def run_of(self, *calls: str) -> Events:
        return [event(idx, payload={"name": name}) for idx, name in enumerate(calls)]

    def outcome_of(self, *runs: Events) -> Outcome:
        paths = [self.write(f"run{n}.jsonl", events) for n, events in enumerate(runs, 1)]
        return run("calibrate", *paths, "--out", str(self.directory / "p.toml"), "--quiet")

    START: ClassVar = [f"Load{n}" for n in range(20)]

    def assert_refused(self, *runs: Events) -> None:
        outcome = self.outcome_of(*runs)
        self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
        self.assertRegex(outcome.err, r"run\d\.jsonl and .*run\d\.jsonl make different")
        self.assertIn("make different calls: expected runs of one program", outcome.err)
        self.assertFalse((self.directory / "p.toml").exists())

    def test_programs_that_start_alike_and_do_something_else_are_refused(self) -> None:
        one, other = (self.run_of(*self.START, *(f"{name}{n}" for n in range(20))) for name in ("Tar", "Git"))
        again = self.run_of(*self.START, *(f"Tar{n}" for n in range(19)))
        self.assert_refused(one, other)
        self.assert_refused(one, again, other)
        self.assertNotEqual(self.outcome_of(one, again).code, 2)

    def test_logs_without_a_common_call_are_refused_however_short(self) -> None:
        ends = event(2, "thread.exit", {"exit_code": 0})
        self.assert_refused([*self.run_of("A", "B"), ends], [*self.run_of("C", "D"), ends])
        self.assertNotEqual(self.outcome_of(self.run_of("A", "B"), self.run_of("C", "B")).code, 2)

    def test_a_run_that_ends_early_is_one_of_the_program(self) -> None:
        whole = [*self.START, *(f"Work{n}" for n in range(60))]
        self.assertNotEqual(self.outcome_of(self.run_of(*whole), self.run_of(*whole[:30])).code, 2)

    def test_work_in_random_order_is_one_program(self) -> None:
        orders = [[f"Job{n * step % 31}" for n in range(31)] for step in (1, 7)]
        self.assertNotEqual(self.outcome_of(*(self.run_of("Begin", *order) for order in orders)).code, 2)

    def test_a_reference_of_another_program_is_refused(self) -> None:
        one, other = (self.run_of(*(f"{name}{n}" for n in range(20))) for name in ("Tar", "Git"))
        paths = [self.write(f"{n}.jsonl", events) for n, events in enumerate((one, one, other))]
        outcome = run("--canary", paths[0], "--ours", paths[1], "--reference", paths[2])
        self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
        self.assertIn("expected runs of one program", outcome.err)


class BadInput(CalibrateTestCase):
    def test_each_is_one_line(self) -> None:
        one, other = self.write("a.jsonl", recorded(1)), self.write("b.jsonl", recorded(2))
        strange = self.write("s.jsonl", [event(0, "note", {"text": "x"})])
        out = str(self.directory / "p.toml")
        for arguments, expected in (
            ((one, "--out", out), "two runs"),
            ((one, strange, "--out", out), "runs of one program"),
            ((one, other), "--out"),
            ((one, other, "--out", "-"), "--out needs a file"),
            ((one, other, "--out", str(self.directory / "none" / "p.toml")), "none"),
            ((one, other, "--out", one), "input"),
            ((one, str(self.directory / "gone.jsonl"), "--out", out), "gone.jsonl"),
            ((one, one, "--out", out), "the same"),
        ):
            with self.subTest(expected):
                outcome = run("calibrate", *arguments)
                self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))
                self.assertIn(expected, outcome.err)
        self.assertFalse(Path(out).exists())
