"""Pairing: each sentence of its rules by hand, and many generated logs."""

from __future__ import annotations

import random
import unittest
from array import array
from collections.abc import Iterable
from dataclasses import replace

from diff_events import PairingMethod, ThreadEvidence, ThreadPair, pair_threads
from tests.pairing_evidence import POOLS, UNTELLING, Shape, generate, outcome, pool_sides
from tests.support import seeds


def thread(tid: int, events: Iterable[int], call: str | None = "A", **more: object) -> ThreadEvidence:
    return ThreadEvidence(tid, array("q", events), call, **more)  # type: ignore[arg-type]


def mapping(pairs: Iterable[ThreadPair]) -> dict[int, int]:
    return {pair.canary_tid: pair.ours_tid for pair in pairs}


class ByHand(unittest.TestCase):
    def test_no_threads(self) -> None:
        self.assertEqual(pair_threads([], [], {}), ())
        self.assertEqual(pair_threads([thread(1, [1])], [], {}), ())

    def test_simple_rule_first_call_in_order(self) -> None:
        canary = [thread(6, [1, 2]), thread(7, [3], "B"), thread(8, [4, 5]), thread(9, [90], None)]
        ours = [thread(1, [10], None), thread(2, [11, 12]), thread(3, [13]), thread(4, [14], "B")]
        pairs = pair_threads(canary, ours, {})
        self.assertEqual(mapping(pairs), {6: 2, 7: 4, 8: 3, 9: 1})
        self.assertEqual({pair.method for pair in pairs}, {PairingMethod.FIRST_CALL})
        self.assertTrue(all(pair.confidence <= 0.5 for pair in pairs))
        self.assertEqual([pair.alternative for pair in pairs], [3, None, 2, None])

    def test_equal_streams_are_pairs_whatever_the_order(self) -> None:
        """Whether threads differ in the turns of their loop alone, or behind the prefix that is looked at."""
        late = range(100, 100 + 4096)
        for one, other in (([1, 2] * 10, [1, 2] * 50), ([1], [1, 1]), ([*late, 1], [*late, 2])):
            with self.subTest(events=(len(one), len(other))):
                for creators in ((None, None), ((9, 0), (9, 1))):
                    root = [thread(9, [90, 91, 92, 93])]
                    canary = [thread(6, one, creator=creators[0]), thread(7, other, creator=creators[1])]
                    ours = [thread(1, other, creator=creators[0]), thread(2, one, creator=creators[1])]
                    pairs = pair_threads([*root, *canary], [*root, *ours], {})
                    self.assertEqual(mapping(pairs), {9: 9, 6: 2, 7: 1})
                    self.assertEqual([pair.alternative for pair in pairs], [None, None, None])

    def test_pins_win_and_can_be_all(self) -> None:
        canary, ours = (
            [thread(1, range(9)), thread(2, range(50, 59))],
            [thread(1, range(9)), thread(2, range(50, 59))],
        )
        self.assertEqual(mapping(pair_threads(canary, ours, {1: 2})), {1: 2, 2: 1})
        self.assertEqual(
            pair_threads(canary, ours, {1: 2}, auto=False), (ThreadPair(1, 2, PairingMethod.PINNED, 1.0),)
        )
        self.assertEqual(pair_threads(canary, ours, {}, auto=False), ())

    def test_pin_reaches_down_the_creation_tree(self) -> None:
        canary = [
            thread(1, [1]),
            thread(2, [1]),
            thread(3, [30], "X", creator=(1, 0)),
            thread(4, [40], "Y", creator=(2, 0)),
        ]
        ours = [
            thread(1, [1]),
            thread(2, [1]),
            thread(3, [31], "Z", creator=(1, 0)),
            thread(4, [41], "W", creator=(2, 0)),
        ]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {1: 1, 2: 2, 3: 3, 4: 4})
        self.assertEqual(mapping(pair_threads(canary, ours, {1: 2})), {1: 2, 2: 1, 3: 4, 4: 3})

    def test_only_child_with_no_likeness_pairs_by_creation(self) -> None:
        canary = [thread(6, range(9)), thread(7, [20, 21], "B", creator=(6, 0), entry_point="e")]
        ours = [thread(1, range(9)), thread(2, [30, 31], "C", creator=(1, 0), entry_point="e")]
        pair = pair_threads(canary, ours, {})[1]
        self.assertEqual((pair.ours_tid, pair.method, pair.confidence), (2, PairingMethod.CREATION, 0.75))

    def test_creation_with_equal_stream_is_certain(self) -> None:
        canary = [thread(6, range(9)), thread(7, [20, 21], "B", creator=(6, 0), entry_point="e")]
        self.assertEqual([pair.confidence for pair in pair_threads(canary, canary, {})], [1.0, 1.0])

    def test_likeness_overrules_creation_when_it_clearly_contradicts(self) -> None:
        canary = [thread(6, range(9)), thread(7, range(20, 60), "B", creator=(6, 0), entry_point="e")]
        ours = [
            thread(1, range(9)),
            thread(2, range(100, 140), "B", creator=(1, 0), entry_point="e"),
            thread(3, range(20, 60), "B"),
        ]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {6: 1, 7: 3})

    def test_pool_likeness_decides_then_context_then_ordinal(self) -> None:
        def pool(
            order: list[int], streams: dict[int, list[int]], contexts: dict[int, str]
        ) -> list[ThreadEvidence]:
            return [thread(6, range(9))] + [
                thread(
                    10 + n,
                    [1, 2, 3, *streams[n]],
                    "B",
                    creator=(6, at),
                    entry_point="e",
                    start_context=contexts.get(n),
                )
                for at, n in enumerate(order)
            ]

        own = {n: [100 * n + i for i in range(30)] for n in range(4)}
        other = {n: [9000 + 100 * n + i for i in range(30)] for n in range(4)}
        same = {n: n for n in [6, 10, 11, 12, 13]}
        by_likeness = pair_threads(pool([0, 1, 2, 3], own, {}), pool([3, 1, 0, 2], own, {}), {})
        self.assertEqual(mapping(by_likeness), same)
        contexts = {n: f"c{n}" for n in range(4)}
        self.assertEqual(
            mapping(pair_threads(pool([0, 1, 2, 3], own, contexts), pool([3, 1, 0, 2], other, contexts), {})),
            same,
        )
        by_ordinal = pair_threads(pool([0, 1, 2, 3], own, {}), pool([3, 1, 0, 2], other, {}), {})
        self.assertEqual(mapping(by_ordinal), {6: 6, 10: 13, 11: 11, 12: 10, 13: 12})
        self.assertTrue(all(pair.alternative and pair.confidence <= 0.5 for pair in by_ordinal[1:]))

    def test_deep_chain_without_any_likeness(self) -> None:
        def chain(side: int) -> list[ThreadEvidence]:
            return [
                thread(n, [side + n], f"{side + n if n else ''}", creator=(n - 1, 0) if n else None)
                for n in range(300)
            ]

        self.assertEqual(mapping(pair_threads(chain(0), chain(5000), {})), {n: n for n in range(300)})

    def test_first_event_changed_pairs_by_likeness(self) -> None:
        canary = [thread(1, [1, *range(20, 40)], "A"), thread(2, [2, *range(50, 70)], "B")]
        ours = [thread(5, [3, *range(50, 70)], "A"), thread(6, [4, *range(20, 40)], "B")]
        pairs = pair_threads(canary, ours, {})
        self.assertEqual(mapping(pairs), {1: 6, 2: 5})
        self.assertEqual({pair.method for pair in pairs}, {PairingMethod.LIKENESS})

    def test_lost_events_at_the_start(self) -> None:
        canary = [thread(1, range(0, 900)), thread(2, range(1000, 1900))]
        ours = [thread(1, range(1100, 1900)), thread(2, range(300, 900))]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {1: 2, 2: 1})

    def test_short_threads(self) -> None:
        canary = [thread(n, range(100 * n, 101 * n)) for n in range(1, 11)]
        ours = [replace(each, tid=50 - each.tid) for each in reversed(canary)]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {n: 50 - n for n in range(1, 11)})

    def test_thread_cut_short(self) -> None:
        canary = [thread(1, range(0, 2000)), thread(2, range(3000, 5000))]
        ours = [thread(1, range(3000, 3020)), thread(2, range(0, 12))]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {1: 2, 2: 1})

    def test_missing_threads_stay_unpaired(self) -> None:
        canary = [thread(n, range(100 * n, 100 * n + 50), f"call{n}") for n in range(6)]
        ours = [thread(n, range(100 * n, 100 * n + 50), f"call{n}") for n in range(3, 9)]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {3: 3, 4: 4, 5: 5})

    def test_missing_thread_of_a_class_does_not_shift_the_others(self) -> None:
        canary = [thread(n, range(100 * n, 100 * n + 50)) for n in range(6)]
        self.assertEqual(mapping(pair_threads(canary, canary[1:], {})), {n: n for n in range(1, 6)})

    def test_a_loop_that_all_run_is_no_evidence(self) -> None:
        loop = [1, 2, 3, 4, 5] * 4
        canary = [thread(n, [*loop, *range(100 * n, 100 * n + 30)], f"call{n}") for n in range(1, 11)]
        ours = [thread(n, [*loop, *range(100 * n, 100 * n + 30)], f"call{n}") for n in range(2, 12)]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {n: n for n in range(2, 11)})

    def test_other_entry_point_is_not_paired_by_first_call(self) -> None:
        canary = [
            thread(6, range(9)),
            thread(7, [20], creator=(6, 0), entry_point="e"),
            thread(8, [21], creator=(6, 1), entry_point="f"),
        ]
        ours = [
            thread(1, range(9)),
            thread(2, [30], creator=(1, 0), entry_point="e"),
            thread(3, [31], creator=(1, 1), entry_point="g"),
        ]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {6: 1, 7: 2})
        foreign = [replace(each, entry_point=each.entry_point and f"0x{each.entry_point}") for each in ours]
        self.assertEqual(mapping(pair_threads(canary, foreign, {})), {6: 1, 7: 2, 8: 3})

    def test_twins_go_in_order_and_are_not_marked(self) -> None:
        for creator in (None, (6, 0)):
            canary = [thread(6, range(9), "Z")] + [
                thread(10 + n, [1, 2, 3], creator=creator and (6, n)) for n in range(8)
            ]
            ours = [thread(6, range(9), "Z")] + [
                thread(30 + n, [1, 2, 3], creator=creator and (6, n)) for n in range(7)
            ]
            pairs = pair_threads(canary, ours, {})
            self.assertEqual(mapping(pairs), {6: 6} | {10 + n: 30 + n for n in range(7)})
            self.assertEqual([pair.alternative for pair in pairs], [None] * 8)
            self.assertEqual([pair.confidence for pair in pairs], [1.0] * 8)

    def test_to_swap_twins_of_one_side_would_change_nothing(self) -> None:
        alike, others = [thread(1, range(9)), thread(2, range(9))], [thread(1, [*range(8), 50]), thread(2, range(7))]
        for canary, ours in ((alike, others), (others, alike)):
            self.assertEqual([pair.alternative for pair in pair_threads(canary, ours, {})], [None, None])

    def test_nearly_as_good_is_marked(self) -> None:
        canary = [thread(1, range(300))]
        ours = [thread(1, [*range(200), *range(1000, 1100)]), thread(2, [*range(200), *range(2000, 2100)])]
        (pair,) = pair_threads(canary, ours, {})
        self.assertEqual((pair.ours_tid, pair.alternative), (1, 2))
        self.assertLessEqual(pair.confidence, 0.5)

    def test_what_is_best_first_need_not_be_best_together(self) -> None:
        """6 and 3 have the most in common, but what then remains has little."""
        canary = [thread(5, [0, 1, 4, 5]), thread(6, range(4))]
        ours = [thread(3, range(6)), thread(4, range(3))]
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {5: 3, 6: 4})
        self.assertEqual(mapping(pair_threads(canary, ours, {6: 3})), {6: 3, 5: 4})

    def test_a_thread_without_partner_swaps_with_none(self) -> None:
        canary = [thread(tid, events) for tid, events in enumerate(([1, 4], [6], [6, 0, 2, 0, 0], [6, 3, 1, 2]))]
        ours = [thread(tid, events) for tid, events in enumerate(([2, 0, 3], [2, 1, 1, 1], [1], [2, 1, 4]), 20)]
        pairs = mapping(pair_threads(canary, ours, {}))
        self.assertEqual((set(pairs), set(pairs.values())), ({0, 1, 2, 3}, {20, 21, 22, 23}))

    def test_single_threads_pair_whatever_they_are(self) -> None:
        (pair,) = pair_threads([thread(1, [1], "A")], [thread(9, [2], "B")], {})
        self.assertEqual((pair.canary_tid, pair.ours_tid, pair.confidence), (1, 9, 0.1))
        self.assertEqual(
            pair_threads([thread(1, [1], "A"), thread(2, [5], "A")], [thread(9, [2], "B")], {}), ()
        )

    def test_hostile_trees_end(self) -> None:
        loop = [
            thread(1, [1], creator=(2, 0)),
            thread(2, [2], creator=(1, 0)),
            thread(3, [3], creator=(3, 0)),
            thread(4, [], creator=(77, 0)),
        ]
        self.assertEqual(mapping(pair_threads(loop, loop, {})), {1: 1, 2: 2, 3: 3, 4: 4})

    def test_what_too_many_threads_have_is_left_out(self) -> None:
        """Of two threads' own events and runs of events, half are the same; of those that all have, 37 still count."""
        for common, likeness in ((20, (2 + 37 / 100) / (4 + 37 / 100)), (25, 2 / 4)):
            canary = [thread(n, [1000 + n, *range(common), 2000 + n]) for n in range(100)]
            ours = [thread(n, [1000 + n, *range(common), 3000 + n]) for n in range(100)]
            pairs = pair_threads(canary, ours, {})
            self.assertEqual(mapping(pairs), {n: n for n in range(100)})
            self.assertEqual({round(pair.confidence, 6) for pair in pairs}, {round(likeness, 6)})

    def test_a_thousand_threads(self) -> None:
        rng = random.Random(5)
        canary = [thread(n, [*range(20), *(rng.getrandbits(60) for _ in range(60))]) for n in range(1000)]
        ours = rng.sample(canary, 1000)
        self.assertEqual(mapping(pair_threads(canary, ours, {})), {n: n for n in range(1000)})


class Generated(unittest.TestCase):
    def right(self, shape: Shape, seeds: range) -> float:
        right = total = 0
        for seed in seeds:
            canary, ours, answer = generate(seed, shape)
            got = mapping(pair_threads(canary, ours, {}))
            right += sum(got.get(c) == o for c, o in answer.items())
            total += len(answer)
        return right / total

    def test_the_goal(self) -> None:
        self.assertGreaterEqual(self.right(Shape(), seeds(6)), 0.99)

    def test_harder(self) -> None:
        for shape in (
            Shape(loopy=True),
            Shape(missing=3, short=5),
            Shape(jitter=0.2),
            Shape(own=0.0),
            Shape(diverging=1.0, diverge_after=60),
            Shape(diverge_after=25),
            Shape(pool=24),
        ):
            with self.subTest(shape=shape):
                self.assertGreaterEqual(self.right(shape, seeds(2)), 0.99)

    def test_pools(self) -> None:
        """Whatever the members have in common at first, and whoever does the jobs."""
        for name, pool in POOLS.items():
            with self.subTest(pool=name):
                several = range(2 if pool.members < 50 else 1)
                found = outcome(lambda seed, pool=pool: pool_sides(seed, pool), several)  # type: ignore[misc]
                self.assertGreaterEqual(found.right / found.pairs, 0.99)
                self.assertGreaterEqual(found.sure_right, 0.97 * found.sure)

    def test_a_pool_with_nothing_to_tell_its_members_by_is_marked(self) -> None:
        found = outcome(lambda seed: pool_sides(seed, UNTELLING), range(3))
        self.assertGreater(found.pairs - found.right, 10)
        self.assertGreaterEqual(found.wrong_marked, 0.9 * (found.pairs - found.right))
        self.assertEqual(found.sure_right, found.sure)

    def test_properties(self) -> None:
        for seed in seeds(10):
            rng = random.Random(seed)
            canary, ours, _ = generate(
                seed, Shape(threads=14, pool=5, missing=2, short=2, length=600, diverge_after=15)
            )
            pins = dict(
                zip(rng.sample([t.tid for t in canary], 2), rng.sample([t.tid for t in ours], 2), strict=True)
            )
            pairs = pair_threads(canary, ours, pins)
            self.assertEqual(pairs, pair_threads(canary, ours, pins))
            self.assertEqual(len(set(mapping(pairs).values())), len(pairs))
            self.assertEqual(
                [p.canary_tid for p in pairs], [t.tid for t in canary if t.tid in mapping(pairs)]
            )
            self.assertTrue(all(0 <= p.confidence <= 1 and p.alternative != p.ours_tid for p in pairs))
            self.assertEqual(
                {p.canary_tid: p.ours_tid for p in pairs if p.method is PairingMethod.PINNED}, pins
            )
            names: dict[int, int] = {}
            relabelled = [
                [
                    replace(
                        t,
                        fingerprints=array(
                            "q", (names.setdefault(e, rng.getrandbits(64) - 2**63) for e in t.fingerprints)
                        ),
                    )
                    for t in side
                ]
                for side in (canary, ours)
            ]
            self.assertEqual(pairs, pair_threads(relabelled[0], relabelled[1], pins))

    def test_the_same_log_twice_is_paired_with_itself(self) -> None:
        for seed in seeds(4):
            canary, _, _ = generate(seed)
            pairs = pair_threads(canary, canary, {})
            self.assertTrue(
                all(p.canary_tid == p.ours_tid and p.confidence == 1 and p.alternative is None for p in pairs)
            )



if __name__ == "__main__":
    unittest.main()
