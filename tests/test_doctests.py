"""The examples in the program's docstrings are true."""

from __future__ import annotations

import doctest
import unittest

import diff_events


def load_tests(loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    """Adds a test for each docstring that has an example."""
    tests.addTests(doctest.DocTestSuite(diff_events))
    return tests


class Doctests(unittest.TestCase):
    """That they run at all is worth a test, for nobody misses a test that is not found."""

    def test_there_are_some(self) -> None:
        found = [test for test in doctest.DocTestFinder().find(diff_events) if test.examples]
        self.assertGreater(len(found), 20)


if __name__ == "__main__":
    unittest.main()
