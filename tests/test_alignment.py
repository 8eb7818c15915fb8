"""Tests of the alignment: planted changes with known answers, a slow twin on small streams."""

from __future__ import annotations

import itertools
import random
import unittest
from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

import diff_events
from diff_events import Change, Hunk, Likeness, StreamAlignment
from tests.small_logs import Line, called, compare, compare_lines
from tests.support import event, log_bytes, seeds

# -- events as numbers: a fingerprint that can be read back, under a key -------------------------------------

ARGUMENTS = 1 << 24  # an event is label * ARGUMENTS + argument
ODD = 0x9E3779B97F4A7C15
INVERSE = pow(ODD, -1, 1 << 64)


def fingerprints(events: Sequence[int], key: int) -> array[int]:
    """Signed 64-bit numbers without any order, other ones for another key, equal where the events are."""
    mask, half = (1 << 64) - 1, 1 << 63
    return array("q", [((event * ODD + key) & mask ^ half) - half for event in events])


def label_of(fingerprint: int, key: int) -> int:
    return ((fingerprint - key) * INVERSE & ((1 << 64) - 1)) // ARGUMENTS


# -- base streams --------------------------------------------------------------------------------------------

FREQUENT = [0 * ARGUMENTS, 1 * ARGUMENTS, 2 * ARGUMENTS, 3 * ARGUMENTS]
FREQUENT_WEIGHTS = [440, 440, 10, 10]


def draws(rng: random.Random, n: int, frequent: float = 0.9) -> list[int]:
    """Independent draws: `frequent` of them from four events, the rest of 115 calls with many arguments."""
    common = rng.choices(FREQUENT, FREQUENT_WEIGHTS, k=n)
    return [event if rng.random() < frequent else rare(rng) for event in common]


def rare(rng: random.Random) -> int:
    return rng.randrange(4, 119) * ARGUMENTS + rng.randrange(2000)


def loops(rng: random.Random, n: int) -> list[int]:
    """Loops of two to eight events and two to sixty turns, with straight code between."""
    events: list[int] = []
    while len(events) < n:
        events += draws(rng, rng.randrange(2, 9), 0.8) * rng.randrange(2, 60)
        events += draws(rng, rng.randrange(5, 60), 0.6)
    return events[:n]


def varied(rng: random.Random, n: int) -> list[int]:
    """Streams in which most events have telling arguments."""
    return [rng.randrange(119) * ARGUMENTS + rng.randrange(5000) for _ in range(n)]


# -- planted changes -----------------------------------------------------------------------------------------


class Fresh:
    """Arguments that nothing else has."""

    def __init__(self) -> None:
        self.next = ARGUMENTS // 2

    def like(self, event: int) -> int:
        self.next += 1
        return event // ARGUMENTS * ARGUMENTS + self.next


@dataclass(frozen=True, slots=True)
class Planted:
    hunk: Hunk
    kind: Change
    recipe: str


@dataclass(slots=True)
class Case:
    """Two streams and what was planted, in order."""

    canary: list[int]
    ours: list[int]
    planted: list[Planted] = field(default_factory=list)


Recipe = Callable[[random.Random, list[int], Fresh], tuple[list[int], list[int]]]


def change(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    block = ahead[:rng.choice([1, 1, 1, 2, 3])]
    return block, [fresh.like(event) for event in block]


def delete_one(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return ahead[:1], []


def insert_one(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return [], draws(rng, 1)


def insert_new(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return [], [fresh.like(rare(rng)) for _ in range(rng.randrange(1, 5))]


def delete_block(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return ahead[:rng.choice([2, 3, 5, 10, 20, 40, 100])], []


def insert_block(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return [], draws(rng, rng.choice([2, 3, 5, 10, 20, 40, 100]))


def insert_huge(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return [], draws(rng, rng.choice([500, 3000]))


def swap(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return ahead[:2], ahead[1::-1]


def rotate(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    size = rng.randrange(3, 12)
    cut = rng.randrange(1, size)
    return ahead[:size], ahead[cut:size] + ahead[:cut]


def replace(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    return ahead[:rng.randrange(1, 12)], [fresh.like(rare(rng)) for _ in range(rng.randrange(1, 12))]


def turns(rng: random.Random, ahead: list[int], fresh: Fresh) -> tuple[list[int], list[int]]:
    """A loop, put into both streams, that ends some turns earlier or later on ours."""
    body = draws(rng, rng.randrange(1, 9), 0.7)
    theirs = rng.randrange(2, 30)
    mine = max(1, theirs + rng.choice([-5, -2, -1, 1, 2, 7]))
    return body * theirs, body * mine


RECIPES: list[Recipe] = [change, delete_one, insert_one, insert_new, delete_block, insert_block, insert_huge,
                         swap, rotate, replace, turns]
INSERTING = (turns,)  # what they give for canary is put into the base as well


def plant(rng: random.Random, base: list[int], count: int, gap: int,
          recipes: Sequence[Recipe] = RECIPES) -> Case:
    """About `count` changes in `base`, `gap` or more events apart and away from both ends."""
    case, fresh, done = Case([], []), Fresh(), 0
    room = len(base) - count * gap - 300
    for n, start in enumerate(sorted(rng.randrange(100, room) for _ in range(count))):
        place = max(done, start + n * gap)
        recipe = rng.choice(recipes)
        theirs, mine = recipe(rng, base[place:place + 200], fresh)
        for side, block in ((case.canary, theirs), (case.ours, mine)):
            side.extend(base[done:place] + block)
        case.planted.append(Planted(
            Hunk(len(case.canary) - len(theirs), len(case.canary),
                 len(case.ours) - len(mine), len(case.ours)),
            Change.UNRECOVERED, recipe.__name__))
        done = place + (0 if recipe is turns else len(theirs))  # a loop is put into the base as well
    case.canary += base[done:]
    case.ours += base[done:]
    exact = [(canonical(case, planted.hunk), planted.recipe) for planted in case.planted]
    case.planted = [Planted(hunk, naive_class(case, hunk), recipe)
                    for hunk, recipe in exact if hunk is not None]
    return case


def canonical(case: Case, hunk: Hunk) -> Hunk | None:
    """The same change where the streams first really differ, as short as can be; None if it is none."""
    c, c_end, o, o_end = hunk.c_start, hunk.c_end, hunk.o_start, hunk.o_end
    while case.canary[c] == case.ours[o]:
        if c == c_end and o == o_end:
            return None
        if c == c_end or o == o_end:  # one side is empty: the whole hunk slides
            assert case.canary[c_end] == case.ours[o_end]
            c_end, o_end = c_end + 1, o_end + 1
        c, o = c + 1, o + 1
    while c < c_end and o < o_end and case.canary[c_end - 1] == case.ours[o_end - 1]:
        c_end, o_end = c_end - 1, o_end - 1
    return Hunk(c, c_end, o, o_end)


def naive_class(case: Case, hunk: Hunk) -> Change:
    """The rules for the class once more, in the plainest words."""
    theirs, mine = case.canary[hunk.c_start:hunk.c_end], case.ours[hunk.o_start:hunk.o_end]
    if not theirs:
        repeated = naive_turns(case.ours, hunk.o_start, hunk.o_end)
        return Change.REPEATED if repeated else Change.EXTRA_ON_OURS
    if not mine:
        repeated = naive_turns(case.canary, hunk.c_start, hunk.c_end)
        return Change.REPEATED if repeated else Change.MISSING_ON_OURS
    if Counter(theirs) == Counter(mine):
        return Change.REORDERED
    same_calls = [event // ARGUMENTS for event in theirs] == [event // ARGUMENTS for event in mine]
    return Change.CHANGED if same_calls else Change.REPLACED


def plain_class(hunk: Hunk, case: Case) -> Change:
    """The class, but of any two blocks with the same events: reordered, be it by one move or more."""
    same = Counter(case.canary[hunk.c_start:hunk.c_end]) == Counter(case.ours[hunk.o_start:hunk.o_end])
    return Change.REORDERED if same else hunk.change


def naive_turns(events: list[int], start: int, end: int) -> bool:
    n = end - start
    for period in range(1, n + 1):
        for turn in (events[max(0, start - period):start], events[end:end + period]):
            if n % period == 0 and turn * (n // period) == events[start:end]:
                return True
    return False


# -- the alignment -------------------------------------------------------------------------------------------


def aligned(
    canary: array[int], ours: array[int], key: int, within_call: Container[int] = ()
) -> Iterator[Hunk]:
    """The hunks of two whole streams; events with these labels belong to the call before them."""

    def compare(c: int, o: int) -> Likeness:
        same = label_of(canary[c], key) == label_of(ours[o], key)
        return Likeness.SAME_CALL if same else Likeness.OTHER

    def is_within_call(c: int) -> bool:
        return label_of(canary[c], key) in within_call

    return StreamAlignment(canary, ours, compare, is_within_call).hunks(0, 0)


def found_in(case: Case, key: int, within_call: Container[int] = ()) -> list[tuple[Hunk, Change]]:
    hunks = aligned(fingerprints(case.canary, key), fingerprints(case.ours, key), key, within_call)
    return [(Hunk(*hunk[:4]), plain_class(hunk, case)) for hunk in hunks]


# -- the tests -----------------------------------------------------------------------------------------------


class PlantedChanges(unittest.TestCase):
    """Scattered changes come back with their exact place and class, and nothing else does."""

    def check(self, make: Callable[[random.Random, int], list[int]], seed: int) -> None:
        rng = random.Random(seed)
        case = plant(rng, make(rng, 65_000), 100, 500)
        found = found_in(case, rng.getrandbits(64))
        planted = [(planted.hunk, planted.kind) for planted in case.planted]
        self.assertGreater(len(planted), 80)
        self.assertGreaterEqual(len(set(planted) & set(found)) / len(planted), 0.99)
        self.assertLessEqual(len(set(found) - set(planted)), 2)

    def test_random_draws_mostly_of_four_events(self) -> None:
        self.check(draws, 1)

    def test_loops(self) -> None:
        self.check(loops, 1)

    def test_telling_arguments(self) -> None:
        self.check(varied, 3)

    def test_each_recipe_alone(self) -> None:
        for recipe in RECIPES:
            for make in (draws, loops, varied):
                with self.subTest(recipe=recipe.__name__, base=make.__name__):
                    rng = random.Random(recipe.__name__)
                    case = plant(rng, make(rng, 5_000), 10, 300, [recipe])
                    want = {(planted.hunk, planted.kind) for planted in case.planted}
                    most = 24 if recipe is rotate else 2  # of common events, fewer edits may do the same
                    self.assertLessEqual(len(want ^ set(found_in(case, 99))), most)

    def test_a_block_is_moved_only_where_it_is_near(self) -> None:
        canary = [ARGUMENTS * n for n in range(4, 400)]
        for distance, kinds in (
            (10, {Change.REORDERED}),
            (16, {Change.REORDERED}),
            (17, {Change.MISSING_ON_OURS, Change.EXTRA_ON_OURS}),
        ):
            ours = canary[:100] + canary[103 : 103 + distance] + canary[100:103] + canary[103 + distance :]
            with self.subTest(distance):
                self.assertEqual({kind for _, kind in found_in(Case(canary, ours), 3)}, kinds)

    def test_changes_anywhere_even_close_to_each_other(self) -> None:
        rng = random.Random(4)
        case = plant(rng, draws(rng, 200_000), 200, 1, [change, delete_one, insert_new, swap])
        want = {(planted.hunk, planted.kind) for planted in case.planted}
        found = found_in(case, 5)
        self.assertGreaterEqual(len(want & set(found)) / len(want), 0.97)
        self.assertLessEqual(len(found), len(want))

    def test_the_key_of_the_fingerprints_does_not_matter(self) -> None:
        rng = random.Random(6)
        for make in (draws, loops):
            case = plant(rng, make(rng, 10_000), 30, 1)
            self.assertEqual(found_in(case, 1), found_in(case, 0xDEADBEEFCAFEF00D))


class NoRecovery(unittest.TestCase):
    """Streams that never meet again are told so, and at a bounded number of looks."""

    def test_entirely_different(self) -> None:
        case = Case(list(range(1000, 16_000)), list(range(50_000, 70_000)))
        self.assertEqual(found_in(case, 7), [(Hunk(0, 15_000, 0, 20_000), Change.UNRECOVERED)])

    def test_draws_of_the_same_four_events(self) -> None:
        rng = random.Random(8)
        fresh = Fresh()
        sides = [[fresh.like(event) if rng.random() < 0.1 else event for event in draws(rng, 25_000, 1.0)]
                 for _ in range(2)]
        found = found_in(Case([-1, *sides[0]], [-2, *sides[1]]), 9)
        self.assertEqual(found, [(Hunk(0, 25_001, 0, 25_001), Change.UNRECOVERED)])

    def test_common_events_alone_prove_nothing(self) -> None:
        enter, leave = FREQUENT[:2]
        rng = random.Random(10)
        before = draws(rng, 5000)
        case = Case([*before, 1 << 40, enter, leave, *range(1 << 41, (1 << 41) + 300)],
                    [*before, 1 << 42, enter, leave, *range(1 << 43, (1 << 43) + 400)])
        self.assertEqual([kind for _, kind in found_in(case, 11)], [Change.UNRECOVERED])


class SmallCases(unittest.TestCase):
    """What a reader would expect, spelled out. A capital is the same call with other arguments."""

    REST = (*range(1000, 1200),)

    def found(self, canary: str, ours: str) -> list[tuple[int, int, int, int, str]]:
        sides = [[ord(event.lower()) * ARGUMENTS + event.isupper() for event in side]
                 for side in (canary, ours)]
        case = Case(*([*self.REST, *side, *self.REST[::-1]] for side in sides))
        return [(h.c_start - 200, h.c_end - 200, h.o_start - 200, h.o_end - 200, kind.value)
                for h, kind in found_in(case, 12)]

    def test_classes(self) -> None:
        for canary, ours, expected in [
            ("abc", "aBc", [(1, 2, 1, 2, "changed")]),
            ("abcd", "aBCd", [(1, 3, 1, 3, "changed")]),
            ("abcde", "aBcDe", [(1, 2, 1, 2, "changed"), (3, 4, 3, 4, "changed")]),
            ("abc", "ac", [(1, 2, 1, 1, "missing_on_ours")]),
            ("ac", "axyc", [(1, 1, 1, 3, "extra_on_ours")]),
            ("abc", "axyc", [(1, 2, 1, 3, "replaced")]),
            ("abc", "axc", [(1, 2, 1, 2, "replaced")]),
            ("abcd", "acbd", [(1, 3, 1, 3, "reordered")]),
            ("abcdefg", "adefbcg", [(1, 6, 1, 6, "reordered")]),
            ("aab", "ab", [(1, 2, 1, 1, "repeated")]),
            ("abcabcd", "abcabcabcabcd", [(6, 6, 6, 12, "repeated")]),
            ("abcabcabcx", "abcx", [(3, 9, 3, 3, "repeated")]),
        ]:
            with self.subTest(canary=canary, ours=ours):
                self.assertEqual(self.found(canary, ours), expected)

    def test_a_last_event_that_changed_is_no_lost_stream(self) -> None:
        case = Case([*self.REST, 5 * ARGUMENTS], [*self.REST, 5 * ARGUMENTS + 1])
        self.assertEqual(found_in(case, 13), [(Hunk(200, 201, 200, 201), Change.CHANGED)])

    def test_a_shift_in_a_long_loop_is_one_change(self) -> None:
        ours = "abc" * 30 + "xy" + "bc" + "abc" * 29
        self.assertEqual(self.found("abc" * 60, ours), [(90, 91, 90, 92, "replaced")])

    def test_events_are_compared_in_differences_only(self) -> None:
        rng = random.Random(14)
        case = plant(rng, draws(rng, 25_000), 50, 300)
        canary, ours = fingerprints(case.canary, 0), fingerprints(case.ours, 0)
        asked: Counter[tuple[int, int]] = Counter()

        def counting(c: int, o: int) -> Likeness:
            asked[c, o] += 1
            return Likeness.SAME_CALL if label_of(canary[c], 0) == label_of(ours[o], 0) else Likeness.OTHER

        hunks = list(StreamAlignment(canary, ours, counting).hunks(0, 0))
        self.assertGreater(len(hunks), 40)
        self.assertLessEqual(asked.total(), 8 * len(hunks))


class WhichMatchesAreKept(unittest.TestCase):
    """Certain matches are kept though what stands between them is a lot, and chance matches are not."""

    def test_telling_events_among_others_that_differ(self) -> None:
        rng = random.Random(16)
        canary, ours = ([*range(1 << 41, (1 << 41) + 300)] for _ in range(2))
        for number in range(60):
            canary += rng.choices(FREQUENT, k=rng.randrange(4, 20))
            ours += rng.choices(FREQUENT, k=rng.randrange(1, 3))
            for side in (canary, ours):
                side += [9 * ARGUMENTS + number, 10 * ARGUMENTS + number]
        inside = {event for hunk, _ in found_in(Case(canary, ours), 17) for event in canary[hunk.c_start : hunk.c_end]}
        self.assertLessEqual(len(inside - {*FREQUENT}), 8)

    def test_the_end_of_both_streams_after_a_block(self) -> None:
        end = [*range(1 << 40, (1 << 40) + 7)]
        case = Case([*range(100), *range(200, 209), *end], [*range(100), *range(300, 303), *end])
        self.assertEqual(found_in(case, 18), [(Hunk(100, 109, 100, 103), Change.REPLACED)])

    def blocks(self, *blocks: tuple[int, int, str]) -> list[tuple[int, int, int, int]]:
        """The hunks, where behind a loop of events a and b so many new events stand against so many others, again and
        again, and some events of the loop behind them."""
        loop, numbers = dict(zip("ab", FREQUENT, strict=False)), itertools.count(9)
        case = Case([*loop.values()] * 100, [*loop.values()] * 100)
        for canary, ours, behind in blocks:
            for side, count in ((case.canary, canary), (case.ours, ours)):
                side += [next(numbers) * ARGUMENTS for _ in range(count)]
                side += [loop[event] for event in behind]
        end = [*range(1 << 40, (1 << 40) + 200)]
        found = found_in(Case([*case.canary, *end], [*case.ours, *end]), 19)
        self.assertEqual({kind for _, kind in found}, {Change.REPLACED})
        return [(h.c_start - 200, h.c_end - 200, h.o_start - 200, h.o_end - 200) for h, _ in found]

    def test_blocks_are_joined_where_their_own_costs_are_more_than_what_matches_between_them(self) -> None:
        self.assertEqual(self.blocks((4, 3, "ab"), (4, 3, "")), [(0, 4, 0, 3), (6, 10, 5, 8)])
        self.assertEqual(self.blocks(*[(4, 3, "ab")] * 4, (4, 3, "")), [(0, 28, 0, 23)])

    def test_more_than_one_beginning_is_remembered(self) -> None:
        blocks = (3, 5, "aa"), (3, 1, "abab"), (2, 2, "aa"), (8, 8, "ab"), (4, 6, "")
        self.assertEqual(self.blocks(*blocks), [(0, 3, 0, 5), (5, 8, 7, 8), (12, 14, 12, 14), (16, 30, 16, 32)])


class CallsAndEnds(unittest.TestCase):
    """What a reader would expect near the ends of streams, and where events belong to the call before them.

    A capital is the same call with other arguments; b, d, f and h belong to the call before them. The streams begin
    with many turns of ab, or with events that are there once.
    """

    LOOP, ONCE, END = "ab" * 60, "".join(map(chr, range(1000, 1060))), "".join(map(chr, range(2000, 2060)))

    def check(self, begin: str, canary: str, ours: str, *expected: tuple[int, int, int, int, str]) -> None:
        sides = [[ord(e.lower()) * ARGUMENTS + (e in "ABCDEFGH") for e in begin + side] for side in (canary, ours)]
        start = len(begin)
        found = [(h.c_start - start, h.c_end - start, h.o_start - start, h.o_end - start, kind.value)
                 for h, kind in found_in(Case(sides[0], sides[1]), 20, {*map(ord, "bdfh")})]  # fmt: skip
        self.assertEqual(found, list(expected))

    def test_what_one_side_has_more_at_its_end_costs_nothing(self) -> None:
        self.check(self.LOOP, "cyz", "yzstuv", (0, 1, 0, 0, "missing_on_ours"))

    def test_what_one_side_has_more_at_its_end_proves_nothing(self) -> None:
        self.check(self.ONCE, "a", "Aababab", (0, 1, 0, 7, "unrecovered"))

    def test_a_changed_call_is_cheap(self) -> None:
        self.check(self.LOOP, "hhgad", "hghaD", (1, 3, 1, 3, "reordered"), (4, 5, 4, 5, "changed"))

    def test_the_end_belongs_to_no_call(self) -> None:
        self.check(self.ONCE, "aba", "baA", (0, 1, 0, 0, "missing_on_ours"))

    def test_a_last_block_is_not_shortened_and_not_divided(self) -> None:
        self.check(self.ONCE, "bcab", "bCabbA", (1, 2, 1, 2, "changed"), (3, 4, 3, 6, "unrecovered"))
        self.check(self.LOOP, "b", "BAB", (0, 1, 0, 3, "unrecovered"))

    def test_one_event_against_another_at_the_end_is_not_lost(self) -> None:
        self.check(self.LOOP, "b", "A", (0, 1, 0, 1, "replaced"))

    def test_blocks_that_can_be_slid_together_are_one(self) -> None:
        self.check(self.LOOP, "baabaabb" + self.END, "Baaabb" + self.END,
                   (0, 1, 0, 1, "changed"), (3, 5, 3, 3, "missing_on_ours"))
        self.check(self.ONCE, "baaabab" + self.END, "bAaAbA" + self.END + "stuv",
                   (1, 2, 1, 2, "changed"), (3, 4, 3, 4, "changed"), (5, 7, 5, 6, "replaced"))

    def test_what_is_known_as_changed_is_slid_together_with_nothing(self) -> None:
        self.check(self.ONCE, "baa" + self.END[:2], "Ba" + self.END[:2],
                   (0, 1, 0, 1, "changed"), (2, 3, 2, 2, "repeated"))

    def test_a_block_behind_a_changed_call_begins_where_the_sides_differ(self) -> None:
        self.check(self.ONCE, "bbbba" + self.END, "bBba" + self.END,
                   (1, 2, 1, 2, "changed"), (3, 4, 3, 3, "repeated"))

    def test_a_long_block_of_changed_calls_leaves_no_block_without_events(self) -> None:
        label, count, end = ord("b") * ARGUMENTS, 600, [*range(1 << 40, (1 << 40) + 9000)]
        case = Case([1, *range(label, label + count), *end], [1, *range(label + count, label + 2 * count), *end])
        found = found_in(case, 21, {ord("b")})
        self.assertEqual(found, [(Hunk(1, 601, 1, 601), Change.CHANGED)])

    def test_the_end_of_a_block_is_changed_only_from_the_start_of_a_call_on(self) -> None:
        self.check(self.ONCE, "ab" + self.END, "cb" + self.END, (0, 1, 0, 1, "replaced"))
        self.check(self.ONCE, "cchh" + self.END, "cHh" + self.END, (1, 3, 1, 2, "replaced"))

    def test_the_beginning_of_a_block_is_changed_only_where_a_call_goes_on_or_events_are_equal(self) -> None:
        self.check(self.ONCE, "ad" + self.END[:2], "ADh" + self.END[:2], (0, 2, 0, 3, "replaced"))
        self.check(self.ONCE, "aaaaab" + self.END[:2], "aAaAa" + self.END[:2],
                   (1, 2, 1, 2, "changed"), (3, 4, 3, 4, "changed"), (5, 6, 5, 5, "missing_on_ours"))


def read(result: int, text: str = "") -> list[Line]:
    return called(1, "NtReadFile", result, text=text)


def opened(name: str, size: int = 0) -> list[Line]:
    return called(1, "NtCreateFile", size, path=name)


class WholeCalls(unittest.TestCase):
    """Blocks are told by calls: what belongs to a call stays with it, and the same call is changed."""

    BEFORE = [line for number in range(20) for line in opened(f"before {number}", number)]
    BEHIND = [line for number in range(20) for line in opened(f"behind {number}", number)]

    def check(self, canary: list[Line], ours: list[Line], *expected: tuple[int, int, int, int, str]) -> None:
        sides = ([*self.BEFORE, *side, *self.BEHIND] for side in (canary, ours))
        report = compare_lines(*sides, max_divergences=0)
        [thread] = report.threads
        start = len(self.BEFORE)
        found = []
        for divergence in thread.divergences:
            places = [event.idx - start for event in divergence.events]
            counts = divergence.counts
            found.append((places[0], counts.canary, places[1], counts.ours, divergence.change.value))
        self.assertEqual(found, list(expected))

    def test_a_call_that_changed_behind_some_that_are_missing(self) -> None:
        missing = [*opened("seven"), *read(7, "seven"), *called(1, "NtClose")]
        self.check([*missing, *opened("one", 4)], [*opened("1", 4)],
                   (0, 6, 0, 0, "missing_on_ours"), (6, 1, 0, 1, "changed"))

    def test_the_sort_of_missing_events_is_about_them_alone(self) -> None:
        sides = [*self.BEFORE, *opened("seven"), *self.BEHIND], [*self.BEFORE, *self.BEHIND]
        [sort] = compare_lines(*sides).sorts
        self.assertEqual((sort.call, sort.differing), ("NtCreateFile", ()))

    def test_a_result_that_changed_before_other_calls(self) -> None:
        self.check([*called(1, "NtQueryAttributesFile", 0), *opened("fonts"), *read(9)],
                   [*called(1, "NtQueryAttributesFile", 1)],
                   (1, 1, 1, 1, "changed"), (2, 4, 2, 0, "missing_on_ours"))

    def test_results_that_changed_places_are_no_move(self) -> None:
        wake = called(1, "KeSetEvent", 0)[0]
        first, second = (called(1, "KeSetEvent", result)[1] for result in (0, 1))
        self.check([wake, first, wake, second], [wake, second, wake, first],
                   (1, 1, 1, 1, "changed"), (3, 1, 3, 1, "changed"))

    def test_two_calls_that_changed_are_not_one_missing_and_parts_of_one_extra(self) -> None:
        self.check([*read(7, "line 5"), *read(0)], [*read(7), *read(0, "end")],
                   (0, 1, 0, 1, "changed"), (2, 1, 2, 1, "changed"))

    def test_calls_in_another_order_are_a_move(self) -> None:
        self.check([*read(1, "a"), *opened("b", 2)], [*opened("b", 2), *read(1, "a")], (0, 4, 0, 4, "reordered"))


class GapsInTheIndexes(unittest.TestCase):
    """An index that is left out is one divergence: that of the events that are missing, or of the writer's gap."""

    def report(self, left_out: range, dropped: range) -> diff_events.Report:
        names = [f"Call{n % 7}-{n}" for n in range(60)]
        canary = [event(n, payload={"name": name}) for n, name in enumerate(names)]
        kept = [name for n, name in enumerate(names) if n not in dropped]
        indexes = [n for n in range(len(names) + len(left_out)) if n not in left_out]
        ours = [event(n, payload={"name": name}) for n, name in zip(indexes, kept, strict=False)]
        return compare(log_bytes(canary), log_bytes(ours), max_divergences=0)

    def check(self, report: diff_events.Report, change: Change, counts: tuple[int, int], matched: int) -> None:
        [thread] = report.threads
        [divergence] = thread.divergences
        self.assertEqual((divergence.mismatch, divergence.change), (diff_events.Mismatch.MISSING, change))
        self.assertEqual(tuple(divergence.counts), counts)
        self.assertEqual((thread.matched, report.parity.matched, report.parity.comparable), (20, matched, 60))
        [warning] = report.logs.ours.warnings
        self.assertEqual((warning.kind, warning.idx), (diff_events.WarningKind.HOLE, 20))

    def test_without_a_lost_event(self) -> None:
        self.check(self.report(range(20, 22), range(0)), Change.INDEX_GAP, (0, 0), 60)

    def test_with_the_lost_events(self) -> None:
        self.check(self.report(range(20, 22), range(20, 22)), Change.MISSING_ON_OURS, (2, 0), 58)


class SlowTwin(unittest.TestCase):
    """Thousands of small random streams against properties and the longest common subsequence."""

    def streams(self, rng: random.Random) -> tuple[list[int], list[int], int]:
        canary = [rng.randrange(rng.choice([2, 4, 200])) for _ in range(rng.randrange(1, 60))]
        ours, edits = list(canary), rng.randrange(0, 5)
        for _ in range(edits):
            place = rng.randrange(len(ours) + 1)
            ours[place:place + rng.randrange(3)] = [rng.randrange(300) for _ in range(rng.randrange(3))]
        end = [*range(1000, 1000 + rng.choice([0, 20]))]
        return canary + end, ours + end, edits

    def test_properties(self) -> None:
        rng = random.Random(15)
        near_optimal = sparse = 0
        for _ in seeds(800):
            canary, ours, edits = self.streams(rng)
            found = found_in(Case(canary, ours), rng.getrandbits(64))
            matched = self.check_hunks(canary, ours, found)
            if edits <= 2 and canary[-1] >= 1000:
                sparse += 1
                near_optimal += matched >= longest_common(canary, ours) - 2
                self.assertNotIn(Change.UNRECOVERED, [kind for _, kind in found])
        self.assertGreater(sparse, len(seeds(200)))
        self.assertGreaterEqual(near_optimal / sparse, 0.99)

    def edited(self, rng: random.Random, canary: list[int]) -> list[int]:
        """Events of which some are gone, new, the same calls with other arguments, or turned round; tens are calls."""
        ours = list(canary)
        for _ in range(rng.randint(1, 6)):
            at, recipe = rng.randrange(len(ours)), rng.randrange(5)
            piece = ours[at : at + 8]
            new = [rng.choice((10, 11, 12, 20, 23, 31, 40)) for _ in range(rng.randint(1, 5))]
            changed = [event // 10 * 10 + rng.randrange(2) for event in piece] + [10, 30][: rng.randrange(3)]
            others = [event // 10 * 10 + rng.randrange(4) for event in piece[:4]] + piece[4:]
            ours[at : at + 8] = (piece[len(new) :], new + piece, others, piece[::-1], changed)[recipe]
        return ours

    def test_the_score_counts_what_is_common_whatever_hunks_it_is_in(self) -> None:
        for seed in seeds(500):
            rng = random.Random(seed)
            canary = [rng.choice((10, 11, 20, 21, 22, 30, 31)) for _ in range(60)]
            ours = self.edited(rng, canary)

            def compare(c: int, o: int, canary: list[int] = canary, ours: list[int] = ours) -> Likeness:
                if canary[c] == ours[o]:
                    return Likeness.EQUAL
                return Likeness.SAME_CALL if canary[c] // 10 == ours[o] // 10 else Likeness.OTHER

            def is_within(c: int, canary: list[int] = canary) -> bool:
                return canary[c] // 10 == 2

            c = o = counted = 0
            for hunk in StreamAlignment(array("q", canary), array("q", ours), compare, is_within).hunks(0, 0):
                counted += hunk.c_start - c + hunk.common
                c, o = hunk.c_end, hunk.o_end
            counted += min(len(canary) - c, len(ours) - o)
            self.assertEqual(counted, longest_common(canary, ours), seed)

    def check_hunks(self, canary: list[int], ours: list[int],
                    found: list[tuple[Hunk, Change]]) -> int:
        """Ordered, disjoint, equal one to one between, not to be shrunk, gives matches."""
        c = o = matched = 0
        for hunk, kind in found:
            self.assertEqual(canary[c:hunk.c_start], ours[o:hunk.o_start])
            self.assertTrue(hunk.canary_events or hunk.ours_events)
            matched += hunk.c_start - c
            theirs, mine = canary[hunk.c_start:hunk.c_end], ours[hunk.o_start:hunk.o_end]
            if theirs and mine:
                self.assertNotEqual(theirs[0], mine[0])
            if kind is not Change.UNRECOVERED:
                self.assertEqual(kind, naive_class(Case(canary, ours), hunk))
                self.assertFalse(theirs and mine and theirs[-1] == mine[-1])
            c, o = hunk.c_end, hunk.o_end
        rest = min(len(canary) - c, len(ours) - o)
        self.assertEqual(canary[c:c + rest], ours[o:o + rest])
        return matched + rest


def longest_common(canary: list[int], ours: list[int]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(ours) + 1)
    for theirs in canary:
        above, row = row, [0]
        for place, mine in enumerate(ours):
            row.append(above[place] + 1 if theirs == mine else max(above[place + 1], row[place]))
    return row[-1]



if __name__ == "__main__":
    unittest.main()
