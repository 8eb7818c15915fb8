"""Mutation testing: does a test fail when a line of the program is wrong?

    python3 -m tests.mutate                     100 mutants, the same ones every time
    python3 -m tests.mutate --count 20 --seed 7 --section pairing

A mutant is `diff_events.py` with one small change on one line: another operator, a number one higher, a statement left
out. Each is tried in a copy of the repository, with the test modules of its section; it *dies* if a test fails or the
time limit is reached. Those that survive are printed: each is a test that is missing, or a change that makes no
difference. The tests of a section run in the order given here, the quick ones first.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import io
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "diff_events.py"

_INDEX = (
    "test_doctests test_rules test_index test_reading test_bad_input test_late_formats test_profile test_identity "
    "test_causes test_changing_logs test_random_pairs"
)
TESTS = {
    "rules": "test_doctests test_rules test_random_pairs test_identity test_index",
    "fingerprints": "test_doctests test_rules test_index test_profile test_random_pairs",
    "index": _INDEX,
    "two logs at once": _INDEX,
    "pairing": "test_doctests test_golden_cases test_pairing test_report test_fixtures test_random_pairs",
    "alignment": (
        "test_doctests test_golden_cases test_streams test_alignment test_evidence test_report test_fixtures "
        "test_random_pairs"
    ),
    "walk": (
        "test_doctests test_golden_cases test_rules test_evidence test_profile test_report test_fixtures "
        "test_random_pairs test_alignment"
    ),
}
"""The sections that are tried, and the modules that test them."""

SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+", "*": "+", "//": "*",
    "<<": ">>", ">>": "<<", "&": "|", "+=": "-=", "-=": "+=", "and": "or", "or": "and", "True": "False",
    "False": "True", "min": "max", "max": "min", "continue": "break", "break": "continue", "any": "all", "all": "any",
    "is": "is not", "in": "not in", "not": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the line's number from 1, and what stands there instead."""

    section: str
    lineno: int
    line: str

    def applied_to(self, source: str) -> str:
        """The whole file with the change in it."""
        lines = source.splitlines(keepends=True)
        lines[self.lineno - 1] = self.line + "\n"
        return "".join(lines)


def section_of_each_line(source: str) -> list[str]:
    """The section that each line is in, by its heading."""
    sections, current = [], ""
    for line in source.splitlines():
        heading = re.match(r"# (?:══ (?P<name>.+?) ═+|██ .*)$", line)
        current = (heading["name"] or "") if heading else current
        sections.append(current)
    return sections


def lines_left_alone(module: ast.Module) -> set[int]:
    """The lines of annotations, decorators, docstrings and assertions: a change there shows nowhere, or is no
    mistake."""
    left_alone: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            left_alone.update(decorator.lineno for decorator in node.decorator_list)
        if isinstance(node, ast.FunctionDef):
            left_alone.update(range(node.lineno, node.body[0].lineno))
        if isinstance(node, ast.stmt) and (isinstance(node, ast.Assert) or is_text(node) or is_no_mistake(node)):
            left_alone.update(range(node.lineno, (node.end_lineno or 0) + 1))
    return left_alone


def is_no_mistake(node: ast.stmt) -> bool:
    """Whether a statement is an annotation alone, or a limit or weight that was measured: a little more is as good."""
    if not isinstance(node, ast.AnnAssign):
        return False
    name = node.target.id if isinstance(node.target, ast.Name) else ""
    if node.value is None or re.fullmatch("_[A-Z_]+", name) is None:
        return node.value is None
    return not any(isinstance(part, ast.Call) for part in ast.walk(node.value))


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a string that only a reader sees."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changed_lines(source: str) -> Iterator[tuple[int, str]]:
    """Every line with one change in it, and its number."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        new = SWAPS.get(token.string) if token.type in (tokenize.OP, tokenize.NAME) else None
        if token.line[: token.end[1]].endswith("strict=True"):
            new = None  # an assertion, too
        if token.type == tokenize.NUMBER and token.string.isdecimal():
            new = str(int(token.string) + 1)
        if new is not None:
            yield token.start[0], token.line[: token.start[1]] + new + token.line[token.end[1] :].rstrip("\n")
    for node in ast.walk(ast.parse(source)):
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        is_statement = is_call or isinstance(node, ast.AugAssign)
        if is_statement and isinstance(node, ast.stmt) and node.lineno == node.end_lineno:
            yield node.lineno, " " * node.col_offset + "pass"


def mutants(source: str, sections: Sequence[str]) -> list[Mutant]:
    """All mutants of these sections that are Python."""
    sectioned, left_alone = section_of_each_line(source), lines_left_alone(ast.parse(source))
    found = []
    for lineno, line in changed_lines(source):
        section = sectioned[lineno - 1]
        if section in sections and lineno not in left_alone:
            found.append(Mutant(section, lineno, line))
    return found


def is_python(source: str) -> bool:
    """Whether the change has left a program."""
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def killer(mutant: Mutant, source: str, seconds: int) -> str | None:
    """The test of its section that fails with the mutant in place of the program; None if it survives."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        (copy / "diff_events.py").write_text(mutant.applied_to(source), encoding="utf-8")
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("fixtures", "README.md", "schema-v1.md", "pyproject.toml"):
            (copy / name).symlink_to(ROOT / name)
        modules = [f"tests.{name}" for name in TESTS[mutant.section].split()]
        limit = f'ulimit -t {seconds}; exec "$@"'  # of processor time: another program may be busy
        command = ["bash", "-c", limit, "bash", sys.executable, "-m", "unittest", "-f", *modules]
        try:
            done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=20 * seconds, check=False)
        except subprocess.TimeoutExpired:
            return "time"
        failed = re.search(r"^(?:FAIL|ERROR): (.+)", done.stderr, re.MULTILINE)
        return (failed[1] if failed else "time") if done.returncode else None


def main(argv: Sequence[str] | None = None) -> int:
    """Tries the mutants and prints those that survive; exit 1 where fewer than nine of ten die."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="how many mutants (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--section", action="append", choices=TESTS, help="only of this section (repeatable)")
    parser.add_argument("--seconds", type=int, default=60, help="processor time that a mutant gets (default 60)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument("--verbose", action="store_true", help="also say which test each of the others died of")
    options = parser.parse_args(argv)
    source = PROGRAM.read_text(encoding="utf-8")
    candidates = mutants(source, options.section or list(TESTS))
    random.Random(options.seed).shuffle(candidates)
    chosen = [one for one in candidates[: 2 * options.count] if is_python(one.applied_to(source))][: options.count]
    for section in sorted({mutant.section for mutant in chosen}):
        failed = killer(Mutant(section, 1, source.splitlines()[0]), source, 10 * options.seconds)
        if failed:
            parser.error(f"{section}: {failed} fails without any change")
    died: Counter[str] = Counter()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda mutant: killer(mutant, source, options.seconds), chosen)
        for tried, (mutant, failed) in enumerate(zip(chosen, results, strict=True), 1):
            print(f"{tried} of {len(chosen)} tried", end="\r", file=sys.stderr, flush=True)
            died[mutant.section] += failed is not None
            if failed is None or options.verbose:
                was = source.splitlines()[mutant.lineno - 1].strip()
                print(f"{mutant.section}, line {mutant.lineno}: {f'dies of {failed}' if failed else 'SURVIVES'}")
                print(f"  - {was}\n  + {mutant.line.strip()}", flush=True)
    for section, count in Counter(mutant.section for mutant in chosen).items():
        print(f"{section}: {died[section]} of {count} mutants died")
    print(f"all: {died.total()} of {len(chosen)} mutants died")
    return int(10 * died.total() < 9 * len(chosen))


if __name__ == "__main__":
    sys.exit(main())
