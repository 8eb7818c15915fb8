"""The tests: ``python3 -m unittest`` from the directory above runs them all."""
