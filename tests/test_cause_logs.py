"""Start here and causes against generated logs with one known cause: tests/cause_logs.py, in small."""

import unittest

from tests.cause_logs import RELATIONS_OF, STYLES, outcome_of
from tests.support import seeds


class OneCause(unittest.TestCase):
    def test_it_is_named_its_consequences_are_traced_and_nothing_else_is_blamed(self) -> None:
        outcomes = [outcome_of(seed) for seed in seeds(40)]
        seen = {outcome.plan.cause for outcome in outcomes} | {outcome.plan.style for outcome in outcomes}
        self.assertEqual(seen, {*RELATIONS_OF, *STYLES})
        unnamed = [outcome.plan.seed for outcome in outcomes if not outcome.named]
        self.assertLessEqual(len(unnamed), 0.05 * len(outcomes), unnamed)
        suffering = sum(outcome.suffering for outcome in outcomes)
        self.assertGreater(suffering, len(outcomes))
        self.assertGreaterEqual(sum(outcome.traced for outcome in outcomes), 0.85 * suffering)
        self.assertEqual([outcome.plan.seed for outcome in outcomes if outcome.false_causes], [])


if __name__ == "__main__":
    unittest.main()
