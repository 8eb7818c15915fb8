"""Edits are found in every kind of stream, and streams that part for good are not said to be together again."""

import random
import unittest
from array import array

from diff_events import Likeness, StreamAlignment, common_events, matching_pairs
from tests import streams
from tests.small_logs import compare
from tests.support import event, log_bytes, seeds


def common_length(one: list[int], other: list[int]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(other) + 1)
    for left in one:
        above, row = row, [0]
        for place, right in enumerate(other):
            row.append(above[place] + 1 if left == right else max(above[place + 1], row[place]))
    return row[-1]


class PlantedEdits(unittest.TestCase):
    def test_edits_are_found_and_hardly_anything_else(self) -> None:
        for kind in streams.MAKERS:
            for apart in (20, 60, 300):
                with self.subTest(kind=kind, apart=apart):
                    score = streams.total(streams.aligned, kind, apart, (7, 8, 9, 10) if apart < 60 else (7, 8), 40)
                    self.assertGreater(score.planted, 70)
                    self.assertGreaterEqual(score.recall, 0.97)
                    self.assertGreaterEqual(score.precision, 0.97)

    def test_edits_next_to_each_other_are_found_or_told_together(self) -> None:
        for kind in streams.MAKERS:
            with self.subTest(kind=kind):
                score = streams.total(streams.aligned, kind, 8, (7, 8, 9), 40)
                self.assertGreaterEqual(score.told, 0.9)

    def test_streams_that_part_for_good(self) -> None:
        for kind in streams.MAKERS:
            with self.subTest(kind=kind):
                self.assertEqual(streams.claims(streams.aligned, kind, (7, 8, 9), after=2000), 0)

    def test_an_insertion_of_most_of_a_frame_shifts_no_frame(self) -> None:
        frame = [streams.event(number % 7, number) for number in range(30)]
        canary = [e for n in range(200) for e in (*frame[:5], streams.event(9, 1000 + n), *frame[5:])]
        ours = [*canary[:1000], *(frame[n % 11] for n in range(20)), *canary[1000:]]
        found = streams.aligned(streams.Case(canary, ours))
        self.assertEqual([change for _, change in found], ["extra_on_ours"])
        self.assertEqual(found[0][0].o_end - found[0][0].o_start, 20)


class LongestCommonSubsequence(unittest.TestCase):
    def test_as_the_textbook_has_it(self) -> None:
        rng = random.Random(1)
        for _ in seeds(200):
            sides = [[rng.randrange(rng.choice((2, 5, 40))) for _ in range(rng.randrange(70))] for _ in range(2)]
            self.assertEqual(common_events(*sides), common_length(*sides))

    def test_long_sequences_are_searched_near_the_diagonal(self) -> None:
        rng = random.Random(2)
        one = [rng.randrange(50) for _ in range(20_000)]
        kept = [place for place in range(len(one)) if rng.random() < 0.99]
        other = [one[place] for place in kept]
        for place in range(0, len(other), 150):
            other[place:place] = [100 + place]
        self.assertLess(len(other), len(one))
        self.assertEqual(common_events(one, other), len(kept))
        self.assertEqual(common_events(other, [*range(50_000, 50_100), *one]), len(kept))
        pairs = matching_pairs(one, other)
        self.assertEqual(len(pairs), len(kept))
        self.assertEqual([one[c] for c, _ in pairs], [other[o] for _, o in pairs])

    def test_events_that_are_there_once_divide_long_sequences(self) -> None:
        one = [*range(3000), *range(4000, 7000)]
        kept = [place for place, event in enumerate(one) if event % 7]
        other = [one[place] for place in kept]
        self.assertEqual(matching_pairs(one, other), [*zip(kept, range(len(kept)), strict=True)])
        moved = [*one[2000:], *one[:2000]]
        self.assertEqual(matching_pairs(one, moved), [*zip(range(2000, 6000), range(4000), strict=True)])


class TheScore(unittest.TestCase):
    def matched(self, canary: list[int], ours: list[int]) -> int:
        """What the score counts: matches between hunks, and within them."""
        sides = array("q", canary), array("q", ours)
        hunks = list(StreamAlignment(*sides, lambda c, o: Likeness.OTHER).hunks(0, 0))
        shift = hunks[-1].o_end - hunks[-1].c_end if hunks else 0
        lost = sum(hunk.canary_events - hunk.common for hunk in hunks)
        return min(len(canary), len(ours) - shift) - lost

    def test_it_is_the_best_alignment(self) -> None:
        rng = random.Random(3)
        for kind in streams.MAKERS:
            for _ in range(3):
                case = streams.parted(rng.randrange(999), kind, 20, 150)
                best = common_length(case.canary, case.ours)
                self.assertLessEqual(self.matched(case.canary, case.ours), best)
                self.assertGreaterEqual(self.matched(case.canary, case.ours), best * 0.97)

    def test_the_report_says_it(self) -> None:
        """Matches that are too few to be together again count for parity, as in a plain diff."""
        names = ["abcdefgh", "xbxxdxxfxxxhxxy"]
        logs = [log_bytes([event(n, payload={"name": name}) for n, name in enumerate(side)]) for side in names]
        report = compare(*logs)
        self.assertEqual(report.parity.matched, common_length([*map(ord, names[0])], [*map(ord, names[1])]))
        self.assertEqual(report.parity.comparable, len(names[1]))

    def test_a_mended_event_never_lowers_it(self) -> None:
        for kind in streams.MAKERS:
            case = streams.planted(3, kind, 20, 20)
            for place, recipe in case.edits:
                if recipe != "changed":
                    continue
                mended = [*case.ours]
                mended[place.o_start] = case.canary[place.c_start]
                self.assertGreater(self.matched(case.canary, mended), self.matched(case.canary, case.ours))


if __name__ == "__main__":
    unittest.main()
