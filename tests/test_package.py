"""The package: what ``pyproject.toml`` says, what the file itself says, and what the program says must agree."""

from __future__ import annotations

import io
import re
import tomllib
import unittest
from pathlib import Path
from typing import Any

import diff_events

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

INLINE_METADATA = re.compile(r"(?m)^# /// script$\s(?P<content>(?:^#(?: .*)?$\s)+)^# ///$")
"""The block that PEP 723 lets a script carry, so that ``uv run`` and ``pipx run`` know what it needs."""


def inline_metadata() -> dict[str, Any]:
    """What the script's own block says."""
    [content] = INLINE_METADATA.findall((ROOT / "diff_events.py").read_text(encoding="utf-8"))
    return tomllib.loads(re.sub("(?m)^# ?", "", content))


class Package(unittest.TestCase):
    """One module, one command, nothing else to install."""

    def test_version_is_that_of_the_module(self) -> None:
        self.assertEqual(PROJECT["project"]["dynamic"], ["version"])
        self.assertEqual(PROJECT["tool"]["setuptools"]["dynamic"]["version"], {"attr": "diff_events.__version__"})
        # A literal in the source, so that a build can read it without running anything.
        source = (ROOT / "diff_events.py").read_text(encoding="utf-8")
        self.assertRegex(source, rf'(?m)^__version__ = "{re.escape(diff_events.__version__)}"$')
        self.assertRegex(diff_events.__version__, r"\A\d+\.\d+\.\d+\Z")

    def test_version_is_what_the_command_says(self) -> None:
        out = io.StringIO()
        code = diff_events.run(["--version"], diff_events.Streams(out, out))
        self.assertEqual((code, out.getvalue()), (0, f"{diff_events.PROGRAM} {diff_events.__version__}\n"))

    def test_needs_nothing(self) -> None:
        self.assertEqual(PROJECT["project"]["dependencies"], [])
        self.assertEqual(inline_metadata()["dependencies"], [])

    def test_both_ask_for_the_same_python(self) -> None:
        self.assertEqual(inline_metadata()["requires-python"], PROJECT["project"]["requires-python"])

    def test_is_one_module_with_one_command(self) -> None:
        self.assertEqual(PROJECT["tool"]["setuptools"]["py-modules"], ["diff_events"])
        self.assertEqual(PROJECT["project"]["scripts"], {"diff-events": "diff_events:main"})
        self.assertTrue(callable(diff_events.main))

    def test_tools_of_the_checks_are_pinned(self) -> None:
        for requirement in PROJECT["project"]["optional-dependencies"]["dev"]:
            self.assertRegex(requirement, r"\A[a-z]+==\d+(\.\d+)+\Z")

    def test_checked_python_is_the_oldest_one_promised(self) -> None:
        oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
        self.assertEqual(PROJECT["tool"]["mypy"]["python_version"], oldest)
        self.assertEqual(PROJECT["tool"]["ruff"]["target-version"], "py" + oldest.replace(".", ""))
        self.assertIn(f"Programming Language :: Python :: {oldest}", PROJECT["project"]["classifiers"])


if __name__ == "__main__":
    unittest.main()
