"""What alignment, walk and pairing make of the small streams in files; see `tests.golden_cases`."""

import unittest

from tests.golden_cases import ALIGNMENTS, PAIRS, WALKS, cases, found_in


class GoldenCases(unittest.TestCase):
    def test_all_cases(self) -> None:
        for path in (ALIGNMENTS, WALKS, PAIRS):
            for given, found in cases(path):
                with self.subTest(path.name, **given):
                    self.assertEqual(found_in(path, given), found)


if __name__ == "__main__":
    unittest.main()
