"""The audit: what is compared is caught, what is skipped is not, and what a rule hides is laid at its door."""

import json
from pathlib import Path

import diff_events
from diff_events import SKIPPED_FIELDS, AuditRow, DiffOptions, RuleSort, Sight, audit_log, read_profile
from tests.noisy_runs import recorded
from tests.support import EFFORT, LogTestCase, event, run

BOOT = Path(diff_events.__file__).resolve().parent / "fixtures" / "canonical" / "0001-boot"
RULE = """version = 1
[[ignore]]
kind = "kernel.return"
call = "KeSetEvent"
field = "return_value"
values = [0, 1]
reason = "the state before"

[[ignore]]
kind = "kernel.call"
call = "XeCryptRandom"
field = "args[0]"
reason = "random"

[[float]]
kind = "kernel.call"
call = "KeDelayExecutionThread"
reason = "polls"
"""


class AuditTest(LogTestCase):
    def audited(self, profile: str) -> dict[tuple[str, str | None, str], AuditRow]:
        path = self.write("p.toml", profile.encode())
        rows = audit_log(self.write("run.jsonl", recorded(1)), DiffOptions(profile=read_profile([path])))
        return {(row.kind, row.call, row.change): row for row in rows}

    def test_of_a_boot_all_that_is_compared_is_caught_and_nothing_that_is_skipped(self) -> None:
        """Of every third call, and of all else; CI audits whole boots."""
        events = [json.loads(line) for line in (BOOT / "canary.jsonl").read_bytes().splitlines()[1:]]
        names = sorted({str(one["payload"].get("name")) for one in events})[:: max(1, round(1.5 / EFFORT))]
        kept = [one for one in events if one["payload"].get("name", names[0]) in names]
        rows = list(audit_log(self.write("boot.jsonl", kept), DiffOptions()))
        self.assertGreater(len(rows), 80)
        self.assertGreater(len({row.kind for row in rows}), 5)
        for row in rows:
            is_skipped = row.change.partition("[")[0] in SKIPPED_FIELDS.get(row.kind, ())
            self.assertIs(row.sight, Sight.SCHEMA if is_skipped else Sight.CAUGHT, row)

    def test_what_a_rule_hides_is_laid_at_its_door_and_nothing_else_is_hidden(self) -> None:
        rows = self.audited(RULE)
        random = rows["kernel.call", "XeCryptRandom", "args[0]"]
        self.assertEqual((random.sight, random.rule and random.rule.reason), (Sight.RULE, "random"))
        self.assertEqual(rows["kernel.call", "KeDelayExecutionThread", "(dropped)"].sight, Sight.RULE)
        varied = rows["kernel.return", "KeSetEvent", "return_value"]
        self.assertEqual((varied.sight, varied.values, varied.events), (Sight.CAUGHT, 2, 12))
        blind = {key for key, row in rows.items() if row.sight is Sight.RULE}
        named = {"XeCryptRandom", "KeDelayExecutionThread"}
        listed = ("kernel.return", "KeSetEvent", "return_value (another listed value)")
        self.assertEqual(getattr(rows[listed].rule, "reason", None), "the state before")
        blind.remove(listed)
        self.assertTrue(all(call in named or change.startswith("(swapped") for _, call, change in blind), blind)
        self.assertFalse([row for row in rows.values() if row.sight is Sight.UNSEEN])

    def test_a_field_is_tried_with_what_each_rule_lets_pass(self) -> None:
        log = self.write("run.jsonl", [event(n, payload={"name": "A", "x": 1, "y": 7, "z": [0, 0]}) for n in range(3)])
        start = 'version = 1\n[[{}]]\nkind = "kernel.call"\nreason = "r"\nfield = '
        ignore, tolerance = start.format("ignore"), start.format("tolerance")
        for rule, hidden in (
            (f'{ignore}"x"\nvalues = [5, 1, 2]', {"x (another listed value)"}),
            (f'{tolerance}"y"\nabs = 2', {"y (a number nearby)"}),
            (f'{tolerance}"y"\nrel = 0.5', {"y (a number nearby)"}),
            (f'{tolerance}"y"\nrel = 0.1', set()),
            (f'{ignore}"x"\nonly = "absent"', {"x (absent)"}),
            (f'{ignore}"z[*]"\nonly = "absent"', {"z[1] (absent)"}),
        ):
            with self.subTest(rule):
                profile = read_profile([self.write("p.toml", rule.encode())])
                rows = list(audit_log(log, DiffOptions(profile=profile)))
                self.assertEqual({row.change for row in rows if row.sight is Sight.RULE}, hidden)
                self.assertEqual({row.sight for row in rows if row.change in "xyz"}, {Sight.CAUGHT})

    def rows_under(self, payloads: list[tuple[str, dict[str, object]]], *rules: str) -> dict[tuple[str, str], AuditRow]:
        """The rows of a log by call and change, under some rules."""
        text = "version = 1\n" + "".join(f"[[{rule}\nreason = 'r'\n" for rule in rules)
        log = self.write("run.jsonl", [event(n, kind, payload) for n, (kind, payload) in enumerate(payloads)])
        rows = audit_log(log, DiffOptions(profile=read_profile([self.write("p.toml", text.encode())])))
        return {(row.call or "", row.change): row for row in rows}

    def test_odd_values_are_changed_too(self) -> None:
        tolerance = "tolerance]]\nkind = 'kernel.call'\nfield = 'v'\nrel = 0.9"
        listed = "ignore]]\nkind = 'kernel.call'\nfield = 'v'\nvalues = "
        for value, rule, sights in (
            (-500.5, (), {"v": Sight.CAUGHT}),
            (1e308, (), {"v": Sight.CAUGHT}),
            (1e308, (tolerance,), {"v": Sight.CAUGHT}),
            (10**400, (), {"v": Sight.CAUGHT}),
            (1, (listed + "[1, 1.0]",), {"v": Sight.CAUGHT}),
            (1, (listed + "[1, 1.0, 2]",), {"v": Sight.CAUGHT, "v (another listed value)": Sight.RULE}),
        ):
            with self.subTest(value=value, rule=rule):
                rows = self.rows_under([("kernel.call", {"name": name, "v": value}) for name in ("A", "B")], *rule)
                of_field = [change for call, change in rows if call == "A" and change.startswith("v")]
                self.assertEqual({change: rows["A", change].sight for change in of_field}, sights)

    def test_a_creation_whose_child_is_no_number_is_left_alone(self) -> None:
        log = self.write(
            "run.jsonl",
            [
                event(0, "thread.create", {"child_tid": [1], "entry_point": 1}),
                event(1, "thread.create", {"child_tid": 7, "entry_point": 1}),
                event(0, tid=7),
                event(1, tid=7),
            ],
        )
        self.assertEqual({row.sight for row in audit_log(log, DiffOptions())}, {Sight.CAUGHT, Sight.SCHEMA})

    FLOAT = "float]]\nkind = 'kernel.call'\ncall = 'Poll'\nwhere = {'payload.b' = 3}"

    def test_an_event_that_floats_by_a_field_is_tried(self) -> None:
        payloads: list[tuple[str, dict[str, object]]] = [("kernel.call", {"name": "Poll", "b": n}) for n in range(6)]
        rows = self.rows_under(payloads, self.FLOAT)
        self.assertIs(rows["Poll", "(dropped)"].sight, Sight.CAUGHT)
        dropped = rows["Poll", "(dropped where b = 3)"]
        self.assertEqual((dropped.sight, dropped.rule and dropped.rule.where), (Sight.RULE, ((("b",), 3),)))

    def test_turns_of_a_loop_are_tried(self) -> None:
        names, kinds = ("A", "Tick", "Sleep", "Poll", "Sleep", "Tick", "C", "D"), ("kernel.call", "kernel.return")
        payloads: list[tuple[str, dict[str, object]]] = [(kind, {"name": name}) for name in names for kind in kinds]
        ticks = [f"float]]\nkind = '{kind}'\ncall = 'Tick'" for kind in kinds]
        rows = self.rows_under(payloads, *ticks, "repeat]]\ncalls = ['Poll', 'Sleep']")
        for change in ("(turn dropped)", "(turn doubled)"):
            row = rows["Poll", change]
            self.assertEqual((row.sight, row.rule and row.rule.calls), (Sight.RULE, ("Poll", "Sleep")))

    def test_the_rule_that_is_named_is_about_the_call(self) -> None:
        """The doubled event stands in the place of one that floats, and so both rules are used."""
        payloads: list[tuple[str, dict[str, object]]] = [
            ("kernel.call", {"name": name}) for name in ("A", "Poll", "Tick", "B")
        ]
        rules = [f"float]]\nkind = 'kernel.call'\ncall = '{name}'" for name in ("Tick", "Poll")]
        for (call, change), row in self.rows_under(payloads, *rules).items():
            if row.rule is not None and not change.startswith("(swapped"):
                self.assertEqual(row.rule.call, call, change)

    def test_an_event_that_floats_is_not_hidden_by_a_rule_for_one_of_its_fields(self) -> None:
        """The event behind the one that was dropped stands for it, and has another value there."""
        payloads: list[tuple[str, dict[str, object]]] = [
            ("kernel.call", {"name": name, "x": n}) for n, name in enumerate(("A", "Poll", "Poll", "Poll", "B"))
        ]
        about = "kind = 'kernel.call'\ncall = 'Poll'"
        rows = self.rows_under(payloads, f"ignore]]\n{about}\nfield = 'x'", f"float]]\n{about}")
        for change, sort in (("(dropped)", RuleSort.FLOAT), ("x", RuleSort.IGNORE)):
            self.assertIs(getattr(rows["Poll", change].rule, "sort", None), sort)

    def test_a_handle_that_is_exchanged_is_caught_whatever_handles_are_called(self) -> None:
        payloads = [{"raw_handle_id": f"0xf800000{n}", "handle_semantic_id": n, "object_type": "Event"} for n in (4, 8)]
        events = [event(idx, "handle.create", payload) for idx, payload in enumerate(payloads)]
        log = self.write("run.jsonl", [*events, event(2, payload={"name": "NtSetEvent", "handle": "0xF8000004"})])
        for match_names in (False, True):
            rows = {row.change: row for row in audit_log(log, DiffOptions(match_names=match_names))}
            self.assertIs(rows["handle (another handle)"].sight, Sight.CAUGHT)

    def test_the_command(self) -> None:
        names = {"XeCryptRandom", "KeSetEvent", "KeDelayExecutionThread", "NtClose"}
        events = [one for one in recorded(1) if one["payload"].get("name") in names]
        log, profile = self.write("run.jsonl", events), self.write("p.toml", RULE.encode())
        outcome = run("audit", "--canary", log, "--ours", log, "--profile", profile, "--match-names")
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        self.assertIn("| kernel.call | XeCryptRandom | `args[0]` | blind by rule `ignore kernel.call", outcome.out)
        self.assertNotIn("**blind**", outcome.out)
        self.assertRegex(outcome.out, r"\nCaught: \*\*[0-9]+ of [0-9]+ changes\*\* of what .*; hidden by rules: [1-9]")

    def test_names_that_match_hide_no_change(self) -> None:
        """Two handles, and a thread of one event, whose id is used."""
        create = {"object_type": "Event", "handle_semantic_id": 4}
        log = self.write(
            "run.jsonl",
            [
                event(0, "handle.create", {**create, "raw_handle_id": "0xf8000004"}),
                event(1, "handle.create", {**create, "raw_handle_id": "0xf8000008"}),
                event(2, payload={"name": "NtSetEvent", "handle": "0xf8000004"}),
                event(3, "thread.create", {"child_tid": 260, "entry_point": "0x1", "start_context": "0x0"}),
                event(4, payload={"name": "NtResumeThread", "thread": 260}),
                event(0, tid=260, payload={"name": "Run"}),
            ],
        )
        outcomes = [run("audit", "--canary", log, *options) for options in ((), ("--match-names",))]
        self.assertEqual([(one.code, one.err) for one in outcomes], [(0, ""), (0, "")])
        for row in ("NtSetEvent | `handle (another handle)`", "NtResumeThread | `thread`", "Run | `(doubled)`"):
            self.assertIn(f"| kernel.call | {row} | caught |", outcomes[1].out)

    def test_bad_input_is_one_line(self) -> None:
        for arguments in (("--canary", str(self.directory / "none")), (), ("--canary", self.write("x", b"{}\n"))):
            outcome = run("audit", *arguments)
            self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1))

    def test_the_blindest_come_first(self) -> None:
        payloads = [{"name": name, "x": 1, "y": 2} for name in ("A", "B", "C", "C")]
        log = self.write("run.jsonl", [event(n, payload=payload) for n, payload in enumerate(payloads)])
        rules = [f"[[ignore]]\nkind = 'kernel.call'\ncall = '{call}'\nreason = 'r'\nfield = 'x'\n{more}\n"
                 for call, more in (("A", "values = [1, 2]"), ("B", ""), ("C", ""))]  # fmt: skip
        outcome = run(
            "audit", "--canary", log, "--profile", self.write("p.toml", "\n".join(["version = 1", *rules]).encode())
        )
        rows = [line.split(" | ") for line in outcome.out.splitlines() if line.startswith("| kernel.call")]
        self.assertEqual([row[1] for row in rows[:3]], ["C", "B", "A"])
