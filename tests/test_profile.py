"""Profiles: what each sort of rule lets pass and what it does not, and what reports and gates make of it."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import diff_events
from diff_events import (
    MISSING,
    InputError,
    parse_field_path,
    path_text,
    read_profile,
)
from tests.support import LogTestCase, Outcome, enough, event, log_bytes, run, seeds, shared_create

REASON = '\nreason = "timing"\n\n'
Events = Sequence[Mapping[str, Any]]


def rule(sort: str, *lines: str) -> str:
    """A rule as it stands in a profile."""
    return "\n".join([f"[[{sort}]]", *lines]) + REASON


def whole(rules: str) -> bytes:
    """A profile that has these rules from its second line on."""
    return f"version = 1\n{rules}".encode()


def call(name: str, *args: Any, tid: int = 6) -> dict[str, Any]:
    """A call with a list of arguments."""
    return event(0, payload={"name": name, "args": list(args)}, tid=tid)


def returned(name: str, value: Any, tid: int = 6) -> dict[str, Any]:
    """What a call returned."""
    return event(0, "kernel.return", {"name": name, "return_value": value}, tid)


def numbered(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Events with the indexes of their places, thread by thread."""
    counts: dict[int, int] = {}
    result = []
    for one in events:
        counts[one["tid"]] = counts.get(one["tid"], -1) + 1
        result.append({**one, "tid_event_idx": counts[one["tid"]]})
    return result


class ProfileTestCase(LogTestCase):
    def under(self, profile: str, canary: Events, ours: Events, *options: str) -> Outcome:
        """The outcome of the gate under a profile."""
        paths = self.write("canary.jsonl", numbered(canary)), self.write("ours.jsonl", numbered(ours))
        self.profile = self.write("p.toml", whole(profile))
        arguments = ("--canary", paths[0], "--ours", paths[1], "--profile", self.profile, "--validate-identical")
        return run(*arguments, "--max-divergences", "0", *options)

    def assert_passes(self, profile: str, canary: Events, ours: Events, hidden: int | None = None) -> None:
        """Both ways round, the logs are identical under the profile, which hides so much."""
        for one, other in ((canary, ours), (ours, canary)):
            outcome = self.under(profile, one, other)
            self.assertEqual(outcome.code, 0, outcome.out)
            self.assertIn("**Identical** under", outcome.out)
            if hidden is not None:
                self.assertIn(f"({hidden:,} difference{'s' * (hidden != 1)} hidden by", outcome.out)

    def assert_fails(self, profile: str, canary: Events, ours: Events) -> None:
        """Both ways round, the profile is not enough."""
        for one, other in ((canary, ours), (ours, canary)):
            outcome = self.under(profile, one, other)
            self.assertEqual(outcome.code, 1, outcome.out)


START, END = [call("Begin", 1)], [call("End", 2)]


class FieldRules(ProfileTestCase):
    def sides(self, one: Any, other: Any, name: str = "Read") -> tuple[Events, Events]:
        """Two logs that differ in the second argument of a call."""
        return [*START, call(name, 3, one), *END], [*START, call(name, 3, other), *END]

    def test_a_field_may_have_a_combining_mark_in_its_name(self) -> None:
        """What is a word to Python is more than what is one to its patterns."""
        logs = self.sides({"cafe\u0301": 1}, {"cafe\u0301": 2})
        about = 'kind = "kernel.call"', 'call = "Read"'
        self.assert_passes(rule("ignore", *about, 'field = "args[1].cafe\u0301"'), *logs, hidden=1)
        self.assert_fails(rule("ignore", *about, 'field = "args[0]"'), *logs)

    def test_an_ignored_field_may_have_any_value_or_none(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'call = "Read"', 'field = "args[1]"')
        self.assert_passes(profile, *self.sides(1, 2), 1)
        self.assert_passes(profile, *self.sides({"a": [1]}, {"a": [2], "b": 1}), 1)
        self.assert_passes(profile, *self.sides(1e30, 2e30), 1)
        self.assert_passes(profile, *self.sides('a"b', "\n"), 1)
        self.assert_passes(profile, [*START, call("Read", 3), *END], self.sides(1, 1)[0], 1)
        self.assert_fails(profile, *self.sides(1, 2, "Write"))
        self.assert_fails(profile, [call("Read", 3, 1)], [call("Read", 4, 1)])

    def test_a_rule_without_call_is_for_every_call_of_the_kind_and_for_events_without(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'field = "args[*]"')
        self.assert_passes(profile, *self.sides(1, 2, "Write"), 1)
        note = rule("ignore", 'kind = "note"', 'field = "text"')
        notes = [event(0, "note", {"text": text, "level": 1}) for text in ("a", "b")]
        self.assert_passes(note, notes[:1], notes[1:], 1)
        self.assert_fails(note, notes[:1], [event(0, "note", {"text": "a", "level": 2})])

    def test_of_two_names_of_a_call_the_last_one_counts(self) -> None:
        line = b'{"kind":"kernel.call","tid":6,"tid_event_idx":%d,"payload":{%b}}\n'
        first, second = line % (0, b'"name":"A"'), line % (1, b'"name":"A","x":1,"name":"B"')
        canary = self.write("canary.jsonl", log_bytes([]) + first + second)
        ours = self.write("ours.jsonl", log_bytes([]) + first + second.replace(b'"x":1', b'"x":2'))
        for call_, code in (("A", 1), ("B", 0)):
            profile = rule("ignore", 'kind = "kernel.call"', f"call = {call_!r}", 'field = "x"')
            options = ("--profile", self.write("p.toml", whole(profile)), "--validate-identical")
            self.assertEqual(run("--canary", canary, "--ours", ours, *options).code, code)

    def test_only_absent_compares_where_both_have_it(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'field = "args[*]"', 'only = "absent"')
        cut, whole = [*START, call("Read"), *END], self.sides("x", "x")[0]
        self.assert_passes(profile, cut, whole, 1)
        self.assert_fails(profile, *self.sides("x", "y"))
        self.assert_fails(profile, *self.sides(None, "y"))

    def test_listed_values_stand_for_each_other_and_no_other_does(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'field = "args[1]"', 'values = [3, "4", true]')
        self.assert_passes(profile, *self.sides(3, "4"), 1)
        self.assert_passes(profile, *self.sides(3.0, True), 1)
        self.assert_fails(profile, *self.sides(3, 1))
        self.assert_fails(profile, *self.sides(3, 4))
        self.assert_fails(profile, *self.sides(5, 6))  # neither of them is listed
        self.assert_fails(profile, [call("Read", 3, 3)], [call("Read", 3)])

    def test_a_field_of_that_name_in_a_nested_object_is_compared(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'field = "v"')
        nested, other = ([event(0, payload={"name": "Read", "o": {"v": value, "w": 0}})] for value in (1, 2))
        self.assert_fails(profile, nested, other)

    def test_a_field_that_is_not_compared_still_tells_which_events_float(self) -> None:
        for where in ("args[1]", "z"):
            profile = rule("ignore", 'kind = "kernel.call"', f'field = "{where}"')
            profile += rule("float", 'kind = "kernel.call"', f'where = {{ "payload.{where}" = "a" }}')
            floating = event(0, payload={"name": "Read", "args": [3, "a"], "z": "a"})
            other = event(0, payload={"name": "Read", "args": [3, "b"], "z": "b"})
            self.assert_passes(profile, [*START, floating, *END], [*START, *END], 1)
            self.assert_fails(profile, [*START, other, *END], [*START, *END])

    def test_listed_values_may_be_lists_and_objects(self) -> None:
        about = 'kind = "kernel.call"', 'field = "args[1]"'
        profile = rule("ignore", *about, "values = [[1, 2], [1, 3], {a = 1}, {a = 2}]")
        for one, other, hidden in (([1, 2], [1, 3], 1), ({"a": 1}, {"a": 2}, 1), ([1, 2], {"a": 1}, 1)):
            self.assert_passes(profile, *self.sides(one, other), hidden)
        self.assert_fails(profile, *self.sides([1, 2], [1, 4]))
        inner = rule("ignore", 'kind = "kernel.call"', 'field = "args[1].b"')
        self.assert_fails(inner + profile, *self.sides({"a": 1, "b": 1}, {"a": 2}))

    def test_what_a_rule_hides_does_not_depend_on_what_else_differs(self) -> None:
        def read(value: Any, status: int) -> dict[str, Any]:
            return event(0, payload={"name": "Read", "value": value, "status": status})

        about = 'kind = "kernel.call"', 'field = "value"'
        rules = rule("name", *about), rule("ignore", *about, "values = [[1, 2], [1, 3], {a = 1}, {a = 2}]")
        for profile in rules:
            for one, other in (([1, 2], [1, 3]), ({"a": 1}, {"a": 2})):
                with self.subTest(profile, one=one):
                    logs = [numbered([*START, read(value, n), *END]) for n, value in enumerate((one, other))]
                    report = self.compare(logs[0], logs[1], "--profile", self.write("p.toml", whole(profile)))
                    fields = report["threads"][0]["divergence"]["fields"]
                    self.assertEqual([field["path"] for field in fields], ["payload.status"])

    def test_lists_that_share_a_value_do_not_join(self) -> None:
        profile = "".join(
            rule("ignore", 'kind = "kernel.call"', *lines, 'field = "args[1]"')
            for lines in (['values = ["", "-1"]'], ['call = "Read"', 'values = ["", "7"]'])
        )
        self.assert_passes(profile, *self.sides("", "-1"), 1)
        self.assert_passes(profile, *self.sides("", "7"), 1)
        self.assert_fails(profile, *self.sides("-1", "7"))

    def test_numbers_may_lie_so_far_apart(self) -> None:
        absolute = rule("tolerance", 'kind = "kernel.call"', 'field = "args[1]"', "abs = 0.1")
        self.assert_passes(absolute, *self.sides(1.1, 1), 1)
        self.assert_fails(absolute, *self.sides(1.11, 1))
        relative = rule("tolerance", 'kind = "kernel.call"', 'field = "args[1]"', "rel = 0.5")
        self.assert_passes(relative, *self.sides(-100, -200), 1)
        for other in (201, -100, "150", True, None):
            self.assert_fails(relative, *self.sides(100, other))

    def test_the_first_event_that_no_rule_excuses_is_the_divergence(self) -> None:
        profile = rule("ignore", 'kind = "kernel.call"', 'field = "args[1]"', 'only = "absent"')
        canary = [*START, call("Read", 1, "a"), call("Read", 1, "b"), *END]
        ours = [*START, call("Read", 1), call("Read", 1, "c"), *END]
        report = self.compare(numbered(canary), numbered(ours), "--profile", self.write("p.toml", whole(profile)))
        thread = report["threads"][0]
        self.assertEqual((thread["matched"], thread["status"]), (2, "diverged"))
        expected = [{"path": "payload.args[1]", "canary": "b", "ours": "c"}]
        self.assertEqual(thread["divergence"]["fields"], expected)
        self.assertEqual(report["profile"]["hidden"], 1)

    def test_a_rule_never_hides_whose_object_it_is(self) -> None:
        profile = rule("ignore", 'kind = "handle.create"', 'field = "object_name"')
        local = shared_create(0, handle_semantic_id="00000000000000aa", object_name="other")
        self.assert_passes(profile, [shared_create(0)], [shared_create(0, object_name="other")], 1)
        self.assert_fails(profile, [shared_create(0)], [local])


class NameRules(ProfileTestCase):
    PROFILE = rule("name", 'kind = "kernel.return"', 'call = "Open"', 'field = "return_value"')

    def log(self, *handles: int, used: int) -> Events:
        opened = [one for handle in handles for one in (call("Open", "f"), returned("Open", handle))]
        return [*opened, call("Read", used), call("Close", used)]

    def test_what_a_rule_names_may_be_called_otherwise_but_must_be_the_same(self) -> None:
        canary = self.log(0x1000, 0x2000, used=0x2000)
        self.assert_passes(self.PROFILE, canary, self.log(0x5000, 0x6000, used=0x6000), 2)
        self.assert_fails(self.PROFILE, canary, self.log(0x5000, 0x6000, used=0x5000))

    def test_the_verdict_counts_where_names_are_used(self) -> None:
        outcome = self.under(self.PROFILE, self.log(0x1000, used=0x1000), self.log(0x5000, used=0x5000))
        self.assertIn("(1 difference hidden by 1 rule and 2 uses of names)", outcome.out)


class FloatRules(ProfileTestCase):
    PROFILE = rule("float", 'kind = "kernel.call"', 'call = "Poll"')

    def test_an_event_may_stand_anywhere_or_be_missing(self) -> None:
        canary = [*START, call("Poll", 1), call("Read"), call("Poll", 2), *END]
        self.assert_passes(self.PROFILE, canary, [*START, call("Read"), call("Poll", 3), *END], 3)
        self.assert_passes(self.PROFILE, canary, [*START, call("Read"), *END], 2)
        self.assert_fails(self.PROFILE, canary, [*START, *END])

    def test_it_floats_only_where_the_rule_says(self) -> None:
        profile = rule("float", 'kind = "kernel.call"', 'call = "Poll"', 'where = { "payload.args[0]" = 1 }')
        canary = [*START, call("Poll", 1), call("Poll", 2), *END]
        self.assert_passes(profile, canary, [*START, call("Poll", 2), *END], 1)
        self.assert_fails(profile, canary, [*START, call("Poll", 1), *END])

    def test_a_shared_global_object_that_only_one_log_has_may_float_too(self) -> None:
        profile = rule("float", 'kind = "handle.create"', 'where = { "payload.raw_handle_id" = "0x828f0010" }')
        self.assert_passes(profile, [*START, shared_create(0), *END], [*START, *END], 1)
        self.assert_fails("", [*START, shared_create(0), *END], [*START, *END])


class LoopsAndPools(ProfileTestCase):
    def test_a_loop_may_run_more_turns(self) -> None:
        profile = rule("repeat", 'calls = ["Poll", "Delay"]')
        turn = [call("Poll", 1), returned("Poll", 0), call("Delay", 5), returned("Delay", 0)]
        self.assert_passes(profile, [*START, *turn, *END], [*START, *turn * 3, *END], 2)
        self.assert_fails(profile, [*START, *turn, *END], [*START, *turn, *turn[:2], *END])
        self.assert_fails(profile, [*START, *turn, *END], [*START, *turn, *turn, call("Read"), *END])

    def turn(self, handle: int = 1, status: int = 0) -> list[dict[str, Any]]:
        return [call("Poll", handle), returned("Poll", status), call("Delay", 5), returned("Delay", 0)]

    def test_turns_may_move_from_one_loop_to_the_next(self) -> None:
        profile = rule("repeat", 'calls = ["Poll", "Delay"]')
        work = [call(f"Work{n}", n) for n in range(5)]
        canary, ours = ([*START, *self.turn() * a, *work, *self.turn() * b, *END] for a, b in ((1, 5), (5, 1)))
        self.assert_passes(profile, canary, ours, 8)
        self.assert_fails(profile, canary, [*START, *self.turn() * 5, *work[1:], *self.turn(), *END])
        near = rule("tolerance", 'kind = "kernel.return"', 'call = "Poll"', 'field = "return_value"', "abs = 1")
        for begun in range(4):  # the last turn of each loop
            part = self.turn()[:begun]
            canary, ours = (
                [*START, *self.turn() * a, *part, *work, *self.turn() * b, *part, *END] for a, b in ((1, 5), (5, 1))
            )
            self.assert_passes(profile + near, canary, ours, 8)

    def test_a_turn_may_begin_at_another_of_its_calls(self) -> None:
        profile = rule("repeat", 'calls = ["Poll", "Delay"]')
        work = [call(f"Work{n}", n) for n in range(5)]
        canary = [*START, *self.turn(), *work, *END]
        self.assert_passes(profile, canary, [*canary[:-1], *self.turn()[2:], *self.turn()[:2], *END], 1)
        self.assert_fails(profile, canary, [*canary[:-1], *self.turn()[2:], *self.turn(7)[:2], *END])

    def test_a_turn_must_be_one_that_the_other_side_has(self) -> None:
        profile = rule("repeat", 'calls = ["Poll", "Delay"]')
        other = [*self.turn(), *self.turn(status=1)]
        self.assert_passes(profile, [*START, *other, *END], [*START, *other, *other, *END], 2)
        for failed in (self.turn(handle=7), self.turn(status=0xC0000008)):
            self.assert_fails(profile, [*START, *self.turn() * 3, *END], [*START, *self.turn() * 3, *failed * 4, *END])
            self.assert_fails(profile, [*START, *self.turn() * 3, *END], [*START, *self.turn() * 2, *failed, *END])
        near = profile + rule(
            "tolerance", 'kind = "kernel.return"', 'call = "Poll"', 'field = "return_value"', "abs = 1"
        )
        self.assert_passes(near, [*START, *self.turn(), *END], [*START, *self.turn(), *self.turn(status=1), *END], 1)
        self.assert_fails(near, [*START, *self.turn(), *END], [*START, *self.turn(), *self.turn(status=2), *END])

    def test_a_turn_may_be_any_that_the_other_side_has(self) -> None:
        profile = rule("repeat", 'calls = ["Poll"]') + rule(
            "tolerance", 'kind = "kernel.call"', 'call = "Poll"', 'field = "args[0]"', "abs = 0.5"
        )
        polls = [call("Poll", 100), call("Work", 1), call("Poll", 1), call("Work", 2)]
        ours = [*START, *polls, call("Work", 3), call("Work", 4), *END]
        for value, assert_ in ((1, self.assert_passes), (2, self.assert_fails)):
            canary = [*START, *polls, call("Work", 3), call("Poll", value), call("Work", 4), *END]
            assert_(profile, canary, ours)

    def test_a_turn_that_is_begun_is_no_turn(self) -> None:
        profile = rule("repeat", 'calls = ["Poll", "Delay"]')
        for begun in (1, 2, 3):
            part = self.turn()[:begun]
            canary, ours = ([*START, *self.turn() * turns, *part, *END] for turns in (2, 4))
            self.assert_passes(profile, canary, ours, 2)
            self.assert_fails(profile, canary, [*START, *self.turn() * 3, *END])
        for lost in range(4):
            turns = self.turn() * 3
            del turns[lost]
            self.assert_fails(profile, [*START, *self.turn() * 3, *END], [*START, *turns, *END])

    def test_turns_are_counted(self) -> None:
        canary, ours = [*START, *self.turn() * 5, *END], [*START, *self.turn() * 105, *END]
        for most, code in ((99, 1), (100, 0)):
            profile = rule("repeat", 'calls = ["Poll", "Delay"]', f"at_most = {most}")
            self.assertEqual(self.under(profile, canary, ours, "--validate-identical").code, code)

    def pool(self, *jobs: Sequence[int], start: str = "0x82001000") -> Events:
        """Threads that do jobs, and the thread that creates them."""
        created = [
            event(0, "thread.create", {"child_tid": tid, "entry_point": start}) for tid in range(7, 7 + len(jobs))
        ]
        work = [
            one
            for tid, of_thread in enumerate(jobs, 7)
            for one in (
                call("Take", tid=tid),
                *(done for n in of_thread for done in (call("Open", f"{n}.dat", tid=tid), call("Close", n, tid=tid))),
                call("Exit", tid=tid),
            )
        ]
        return [*created, *work]

    def test_which_member_of_a_pool_did_it_does_not_matter(self) -> None:
        for profile in (
            rule("pool", 'entry_point = "0x82001000"'),
            rule("pool", 'first_call = "Take"'),
        ):
            canary = self.pool([1, 2, 3], [4, 5], [6])
            self.assert_passes(profile, canary, self.pool([1, 5], [4, 6, 3], [2]))
            self.assert_fails(profile, canary, self.pool([1, 5], [4, 6, 3], [9]))
            self.assert_fails(profile, canary, self.pool([1, 5], [4, 6, 3], [2, 2]))
        self.assert_fails(rule("pool", 'entry_point = "0x82002000"'), canary, self.pool([1, 5], [4, 6, 3], [2]))

    def test_the_work_of_a_pool_is_known_in_any_order_of_keys(self) -> None:
        profile = rule("pool", 'first_call = "Take"')
        for field in "xy":
            profile += rule("tolerance", 'kind = "kernel.call"', 'call = "Set"', f'field = "{field}"', "abs = 1")
        jobs = [{"name": "Set", "x": n, "y": 9 - n} for n in range(3)]
        sides = jobs, [{key: job[key] for key in ("name", "y", "x")} for job in jobs]
        logs: list[Events] = []
        for tid, side in enumerate(sides, 7):
            did = (event(0, payload=job, tid=tid) for job in side)
            logs.append([*self.pool([], []), *did, call("End", tid=7), call("End", tid=8)])
        self.assertEqual(self.under(profile, logs[0], logs[1], "--tid-map", "7=7", "--tid-map", "8=8").code, 0)

    def test_what_one_pool_lacks_is_named(self) -> None:
        profile = rule("pool", 'first_call = "Take"')
        canary, ours = self.pool([1, 2, 3], [4, 5]), self.pool([1, 5], [4, 9, 3])
        outcome = self.under(profile, canary, ours, "--quiet", "--report", "json:-")
        self.assertEqual(outcome.code, 1)
        for text in ('"2.dat"', '"9.dat"'):
            self.assertIn(text, outcome.out)


class Gates(ProfileTestCase):
    PROFILE = rule("ignore", 'kind = "kernel.call"', 'call = "Read"', 'field = "args[0]"')
    SIDES: ClassVar = (
        [*START, call("Read", 1), call("Read", 1), *END],
        [*START, call("Read", 2), call("Read", 3), *END],
    )

    def test_a_rule_may_hide_no_more_than_it_is_allowed(self) -> None:
        limited = self.PROFILE.replace("[[ignore]]", "[[ignore]]\nat_most = 1")
        outcome = self.under(limited, *self.SIDES)
        self.assertEqual(outcome.code, 1)
        self.assertIn("p.toml:2 hid 2 differences, and may hide 1", outcome.out)
        self.assertEqual(self.under(limited.replace("= 1", "= 2"), *self.SIDES).code, 0)
        text = self.under(limited, *self.SIDES, "--report", "text:-").out
        verdict = "Divergent: of 1 thread pair, 1 identical; p.toml:2 hid 2 differences, and may hide 1."
        self.assertTrue(text.startswith(verdict), text)

    def test_the_summary_names_the_profile_and_what_each_rule_hid(self) -> None:
        canary, ours = self.SIDES
        for of_ours in (ours, [*ours, call("More", 1)]):
            text = self.under(self.PROFILE, canary, of_ours, "--report", "text:-").out
            self.assertRegex(text, r"Compared under \S+p\.toml \(2 differences hidden by 1 rule\)\.")
            self.assertRegex(text, r"(?m)^ *p\.toml:2 +ignore kernel\.call Read args\[0\] +2 *$")

    def test_whatever_gate_is_asked_for_fails_where_a_rule_hides_more_than_it_may(self) -> None:
        sides = [self.write(f"{name}.jsonl", numbered(side)) for name, side in zip("co", self.SIDES, strict=True)]
        limited = self.PROFILE.replace("[[ignore]]", "[[ignore]]\nat_most = 1")
        generous = self.PROFILE.replace("[[ignore]]", "[[ignore]]\nat_most = 2")
        paths = [self.write(f"{name}.toml", whole(text)) for name, text in (("l", limited), ("g", generous))]
        base = str(self.directory / "base.json")
        run("--canary", sides[0], "--ours", sides[1], "--profile", paths[0], "--report", f"json:{base}", "--quiet")
        before = Path(base).read_bytes()
        gates = (["--fail-under", "50"], ["--until", "6:3"], ["--strict-profile"])
        for gate in (*gates, ["--baseline", base, "--ratchet", "--report", f"json:{base}"]):
            for path, code in zip(paths, (1, 0), strict=True):
                arguments = ("--canary", sides[0], "--ours", sides[1], "--profile", path, "--quiet", *gate)
                outcome = run(*arguments)
                self.assertEqual(outcome.code, code, (gate, outcome))
                said = "The gate does not hold: at_most: l.toml:"
                self.assertEqual(said in outcome.err, bool(code))
                if code:
                    self.assertEqual(Path(base).read_bytes(), before)
        report = self.compare(numbered(self.SIDES[0]), numbered(self.SIDES[1]), "--profile", paths[0], "--until", "6:3")
        self.assertEqual(report["gate"], {"until": True, "at_most": False})

    def test_without_a_gate_or_a_limit_nothing_is_asked_of_the_rules(self) -> None:
        limited = self.PROFILE.replace("[[ignore]]", "[[ignore]]\nat_most = 1")
        for profile, options, gate in ((limited, (), {}), (self.PROFILE, ("--until", "6:3"), {"until": True})):
            path = self.write("p.toml", whole(profile))
            report = self.compare(numbered(self.SIDES[0]), numbered(self.SIDES[1]), "--profile", path, *options)
            self.assertEqual(report["gate"], gate)

    def test_a_rule_that_hides_nothing_is_a_warning_and_under_the_strict_option_a_failure(self) -> None:
        profile = self.PROFILE + rule("float", 'kind = "kernel.call"', 'call = "Poll"')
        outcome = self.under(profile, *self.SIDES)
        self.assertEqual(outcome.code, 0)
        self.assertIn("p.toml:8: this rule hid nothing", outcome.err)
        self.assertEqual(self.under(profile, *self.SIDES, "--strict-profile").code, 1)
        self.assertEqual(self.under(self.PROFILE, *self.SIDES, "--strict-profile").code, 0)

    def test_the_strict_option_needs_a_profile(self) -> None:
        outcome = run("--canary", "c", "--ours", "o", "--strict-profile")
        self.assertEqual((outcome.code, outcome.err.count("\n")), (2, 1))

    def test_every_report_names_the_profile_and_each_rule_with_its_use(self) -> None:
        out = [str(self.directory / name) for name in ("r.md", "r.json", "r.html", "r.xml")]
        reports = [
            argument
            for name, path in zip(("json", "html", "junit"), out[1:], strict=True)
            for argument in ("--report", f"{name}:{path}")
        ]
        self.assertEqual(self.under(self.PROFILE, *self.SIDES, "--out", out[0], *reports).code, 0)
        for path in out:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for expected in ("p.toml", "ignore kernel.call Read args[0]", "timing", "2"):
                self.assertIn(expected, text)

    def test_several_profiles_apply_together(self) -> None:
        first = rule("ignore", 'kind = "kernel.call"', 'call = "Read"', 'field = "args[0]"')
        second = self.write("q.toml", whole(rule("float", 'kind = "kernel.call"', 'call = "Poll"')))
        ours = [call("Poll"), *self.SIDES[1]]
        self.assertEqual(self.under(first, self.SIDES[0], ours, "--profile", second).code, 0)
        self.assertEqual(self.under(first, self.SIDES[0], ours).code, 1)


class BadProfiles(LogTestCase):
    IGNORE = '[[ignore]]\nkind = "k"\nfield = "f"\nreason = "r"\n'
    TOLERANCE = IGNORE.replace("ignore", "tolerance") + "abs = 1\n"
    BAD: ClassVar[Mapping[str, tuple[str, int]]] = {
        "no TOML": ("a = 1\nb = [\n\nc = 2\n", 4),
        "wrong version": ("\nversion = 2\n", 2),
        "version of another type": ("version = true\n", 1),
        "version that is not whole": ("\n\nversion = 1.0\n", 3),
        "version as a text": ('version = "1"\n', 1),
        "version behind a rule": (f"{IGNORE}version = 1\n", 1),
        "unknown rule": (f"{IGNORE}\n[[skip]]\nkind = 'k'\n", 6),
        "one table": (IGNORE.replace("[[ignore]]", "[ignore]"), 1),
        "unknown key": (f"{IGNORE}feld = 'f'\n", 5),
        "misspelled key": ('[[ignore]]\nkind = "k"\nfeild = "f"\nreason = "r"\n', 3),
        "key of another sort": (f"{IGNORE}where = {{ a = 1 }}\n", 5),
        "no reason": (f"{IGNORE}\n" + IGNORE.replace('reason = "r"\n', ""), 6),
        "empty reason": (IGNORE.replace('"r"', '" "'), 4),
        "no field": ('[[ignore]]\nkind = "k"\nreason = "r"\n', 1),
        "path with the payload": (IGNORE.replace('"f"', '"payload.f"'), 3),
        "open bracket": (IGNORE.replace('"f"', '"f[1"'), 3),
        "empty path": (IGNORE.replace('"f"', '""'), 3),
        "wildcard": (IGNORE.replace('"k"', '"*"'), 2),
        "negative": (f"{IGNORE}at_most = -1\n", 5),
        "no whole number": (f"{IGNORE}at_most = 1.5\n", 5),
        "no value": (f"{IGNORE}values = []\n", 5),
        "a date": (f"{IGNORE}values = [2020-01-01]\n", 5),
        "a date for a text": (IGNORE.replace('"r"', "2020-01-01"), 4),
        "absent and values": (f'{IGNORE}only = "absent"\nvalues = [1]\n', 6),
        "only what": (f'{IGNORE}only = "present"\n', 5),
        "two limits": (f"{TOLERANCE}rel = 1\n", 1),
        "no limit": (IGNORE.replace("ignore", "tolerance"), 1),
        "infinite": (TOLERANCE.replace("= 1", "= inf"), 5),
        "no pool": ('[[pool]]\nreason = "r"\n', 1),
        "no call": ('[[repeat]]\nreason = "r"\ncalls = []\n', 3),
        "where without payload": ('[[float]]\nkind = "k"\nreason = "r"\nwhere = { a = 1 }\n', 4),
        "call that is none": ('[[repeat]]\nreason = "r"\ncalls = ["C", 2]\n', 3),
        "odd where": ('[[float]]\nkind = "k"\nreason = "r"\nwhere = { "a[" = 1 }\n', 4),
        "opposite rules": (f"{IGNORE}\n{TOLERANCE}", 6),
        "ignored and listed": (f"{IGNORE}{IGNORE}values = [1]\n", 5),
        "two tolerances": (TOLERANCE + TOLERANCE.replace("= 1", "= 2"), 6),
        "name and tolerance": (IGNORE.replace("ignore", "name") + TOLERANCE, 5),
        "name of a call and ignored for all": (f'{IGNORE.replace("ignore", "name")}call = "C"\n{IGNORE}', 6),
        "ignored for a call and name for all": (f'{IGNORE}call = "C"\n{IGNORE.replace("ignore", "name")}', 6),
    }

    def test_each_is_one_line_that_names_file_and_line(self) -> None:
        log = self.write("log.jsonl", numbered([*START, *END]))
        for name, (text, line) in self.BAD.items():
            with self.subTest(name):
                path = self.write("p.toml", text.encode() if "version" in text else whole(text))
                outcome = run("--canary", log, "--ours", log, "--profile", path)
                self.assertEqual((outcome.code, outcome.out, outcome.err.count("\n")), (2, "", 1), outcome)
                self.assertIn(f"{path}:{line + ('version' not in text)}: ", outcome.err)

    def test_what_is_expected_and_found_is_said(self) -> None:
        for name, expected in (
            ("misspelled key", "feild: unknown key: expected reason, at_most, kind, call, field, only, values"),
            ("empty reason", 'reason: expected a text that is not blank, found a string: " "'),
            ("no call", "calls: expected a list of one or more names of calls, found an empty array"),
            ("call that is none", "names of calls, found an array in which 2 does not fit"),
            ("a date", "values, found an array in which 2020-01-01 does not fit"),
            ("where without payload", '"payload.path" = value, found an object in which a does not fit'),
        ):
            with self.assertRaisesRegex(InputError, re.escape(expected)):
                read_profile([self.write("p.toml", whole(self.BAD[name][0]))])

    def test_a_profile_says_its_version(self) -> None:
        for text in ("", self.IGNORE):
            path = self.write("p.toml", text.encode())
            with self.assertRaisesRegex(InputError, ":1: version: expected version = 1 before the rules,"):
                read_profile([path])

    def test_a_file_that_is_not_there(self) -> None:
        with self.assertRaises(InputError):
            read_profile([str(self.directory / "none.toml")])

    def test_what_is_good(self) -> None:
        for text, count in (
            ("", 0),
            (f"{self.IGNORE}{self.IGNORE}", 2),
            (f'{self.IGNORE}only = "absent"\n{self.IGNORE}values = [1]\n{self.TOLERANCE}', 3),
            (f'{self.IGNORE}call = "C"\n{self.IGNORE}values = [1]\n{self.TOLERANCE}', 3),
            (f'{self.IGNORE.replace("ignore", "name")}call = "C"\n{self.IGNORE}call = "D"\n', 2),
            (f'{self.IGNORE.replace("ignore", "name")}call = "C"\n{self.IGNORE}only = "absent"\n', 2),
            (f'{self.IGNORE}call = "C"\n{self.IGNORE}'.replace("ignore", "name"), 2),
            ('ignore = [{ kind = "k", field = "f", reason = "r" }]\n', 1),
            ('[[float]]\nkind = "k"\nreason = "r"\n[float.where]\n"payload.a" = 1\n"payload.b" = "x"\n', 1),
            ('[[pool]]\nentry_point = 0x82001000\nreason = "r"\n', 1),
        ):
            path = self.write("p.toml", whole(text))
            self.assertEqual(len(read_profile([path]).rules), count)


class Paths(LogTestCase):
    def test_a_path_is_read_as_it_is_written(self) -> None:
        for text in ("status", "args[2]", "args[*].name", '["odd key"][0]', 'a["b.c"].d[10]', "cafe\u0301.l\u00b7l[0]"):
            self.assertEqual(path_text(parse_field_path(text)), text)


class SlowTwin(ProfileTestCase):
    """The obvious reading of the rules for fields, event by event, against the program on random logs."""

    VALUES: ClassVar = [0, 1, 2, 100, "", "a", "b", None, True, [1], {"x": 1}, [1, 2]]

    def allowed(self, one: Mapping[str, Any], canary: object, ours: object) -> bool:
        if one["sort"] == "tolerance":
            numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (canary, ours))
            return numbers and abs(canary - ours) <= one["abs"]  # type: ignore[operator]
        if one.get("only"):
            return MISSING in (canary, ours)
        if "values" in one:
            return all(any(type(v) is type(w) and v == w for w in one["values"]) for v in (canary, ours))
        return True

    def equal(self, rules: Iterable[Mapping[str, Any]], canary: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
        (name, args), (other_name, other_args) = (
            (one["payload"]["name"], one["payload"]["args"]) for one in (canary, ours)
        )
        if name != other_name:
            return False
        for place in range(max(len(args), len(other_args))):
            values = [side[place] if place < len(side) else MISSING for side in (args, other_args)]
            if (type(values[0]), values[0]) == (type(values[1]), values[1]):
                continue
            about = (one for one in rules if one["call"] in (None, name) and one["place"] in (None, place))
            if not any(self.allowed(one, *values) for one in about):
                return False
        return True

    def random_rule(self, chance: random.Random) -> dict[str, Any]:
        made: dict[str, Any] = {
            "sort": chance.choice(["ignore", "ignore", "ignore", "tolerance"]),
            "call": chance.choice([None, "A", "B"]),
            "place": chance.choice([None, 0, 1, 2]),
        }
        if made["sort"] == "tolerance":
            made["abs"] = 1
        elif narrower := chance.choice(["only", "values", "values", ""]):
            made[narrower] = "absent" if narrower == "only" else chance.sample(["", "a", 0, 2, 100, [1], [1, 2]], 3)
        return made

    def written(self, one: Mapping[str, Any]) -> str:
        place = "*" if one["place"] is None else one["place"]
        lines = ['kind = "kernel.call"', f'field = "args[{place}]"']
        for key in ("call", "abs", "only", "values"):
            if one.get(key) is not None:
                lines.append(f"{key} = {one[key]!r}")
        return rule(one["sort"], *lines)

    def test_it_agrees(self) -> None:
        verdicts = set()
        for seed in seeds(60):
            chance = random.Random(seed)
            rules = [self.random_rule(chance) for _ in range(chance.randint(1, 3))]
            path = self.write("p.toml", whole("".join(map(self.written, rules))))
            try:
                read_profile([path])
            except InputError:
                continue  # they contradict each other
            canary = [call(chance.choice("AB"), *chance.choices(self.VALUES, k=chance.randint(1, 3))) for _ in range(6)]
            ours = []
            for one in canary:
                args = list(one["payload"]["args"])
                if chance.random() < 0.4:
                    args[chance.randrange(len(args))] = chance.choice(self.VALUES)
                ours.append(call(one["payload"]["name"], *args[: chance.choice([3, 3, 3, 1])]))
            expected = all(self.equal(rules, one, other) for one, other in zip(canary, ours, strict=True))
            report = self.compare(numbered(canary), numbered(ours), "--profile", path)
            self.assertEqual(report["verdict"], "identical" if expected else "divergent", (seed, rules, canary, ours))
            verdicts.add(expected)
        self.assertGreaterEqual(len(verdicts), enough(2))

    def test_what_is_left_is_one_text_wherever_the_field_stood(self) -> None:
        for field, *rows in (
            ("x", b'"x":1,"y":2', b'"y":2,"x":1', b'"y":2,"x":{"n":[1]}'),
            ("x", b'"x": 1, "y": 2, "z": 3', b'"y": 2, "z": 3, "x": 1', b'"y": 2, "z": 3, "x": {}'),
            ("x", b'"x":1', b'"x": "a"', b'"x":{"n":1}'),
            ("x[0]", b'"x":[1,5],"y":2', b'"x":["a",5],"y":2', b'"x":[{"n":1},5],"y":2'),
            ("x[1]", b'"x":[5,1],"y":2', b'"x":[5],"y":2', b'"x":[5,{"n":1}],"y":2', b'"x":[5,1e2],"y":2'),
            ("x[1]", b'"x": [5, 1]', b'"x": [5]', b'"x": [5, {"n": 1}]'),
        ):
            path = self.write("p.toml", whole(rule("ignore", 'kind = "kernel.call"', f'field = "{field}"')))
            masker = diff_events.PayloadMasker(read_profile([path]), b"kernel.call", False)
            left = [value for masked in masker.masked(rows) for value in masked.fingerprints]
            self.assertEqual((len(left), len(set(left))), (len(rows), 1), rows)

    def test_payloads_that_are_cut_as_text_come_out_as_those_that_are_parsed(self) -> None:
        """However payloads are written, all of them can be parsed: nothing may change."""
        values = [*self.VALUES[:-3], 0.5, 1e30, 2e30, 3e-7, -7, 'a"b', "a\\", "é", "name", "x"]
        uses = Counter[int]()
        for seed in seeds(40):
            chance = random.Random(seed)
            rules = [
                rule("ignore", 'kind = "kernel.call"', f'field = "{field}"', f"call = {call_!r}" * bool(call_), more)
                for field in chance.sample(["x", "args[0]", "args[1]", "args[*]", "y"], 3)
                for call_ in (chance.choice(["", "A", "B"]),)
                for more in (chance.choice(["", 'only = "absent"', 'values = ["a", "", 1, 0.5]']),)
            ]
            where = chance.choice(["x", "args[0]"])
            rules.append(rule("float", 'kind = "kernel.call"', 'call = "C"', f'where = {{ "payload.{where}" = "a" }}'))
            profile = self.write("p.toml", whole("".join(rules)))

            def payload(name: str, chance: random.Random = chance) -> dict[str, Any]:
                members = {"x": chance.choice(values), "args": chance.choices(values, k=chance.randint(0, 3)), "y": 1}
                kept = chance.sample(sorted(members), chance.randint(1, 3))
                return dict(chance.sample([("name", name), *((key, members[key]) for key in kept)], len(kept) + 1))

            logs = []
            names = chance.choices("ABC", k=8)
            for share in (1, 0.7):
                kept = [name for name in names if name != "C" or chance.random() < share]
                logs.append([event(0, payload=payload(name)) for name in kept])
            one, other = map(numbered, logs)
            text = self.compare(one, other, "--profile", profile)
            masker = diff_events.PayloadMasker
            with mock.patch.object(masker, "_nested_or_escaped", lambda _, payloads: [*range(len(payloads))]):
                parsed = self.compare(one, other, "--profile", profile)
            self.assertEqual(text["profile"], parsed["profile"], (seed, logs))
            self.assertEqual(text["verdict"], parsed["verdict"])
            for thread, again in zip(text["threads"], parsed["threads"], strict=True):
                self.assertEqual(len(thread["divergences"]), len(again["divergences"]), (seed, logs))
            uses.update(used["hidden"] > 0 for used in text["profile"]["rules"])
        self.assertTrue(uses[True] and uses[False])
