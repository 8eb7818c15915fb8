"""The habits that keep one long file readable: layers, a map that is true, short functions, no surprises.

The file is read from its top to its bottom: a definition uses only what stands above it (or itself). Its sections have
headings, and the module's docstring is their map, one line each, in the order of the file:

    name · what it holds
"""

from __future__ import annotations

import ast
import functools
import itertools
import os
import re
import shutil
import subprocess
import unittest
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import diff_events

SOURCE = Path(diff_events.__file__).read_text(encoding="utf-8")
OLDEST = (3, 8)
"""A Python that is told that it is too old, and not by a syntax error: it would exit with 1."""
MODULE = ast.parse(SOURCE, feature_version=OLDEST)
NODES = list(ast.walk(MODULE))
LINE_LENGTH = 120
LONGEST_FUNCTION = 60

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

HEADING = re.compile(r"(?m)^# ══ (?P<name>.+?) (?P<rule>═+)$")
MAP_LINE = re.compile(r"(?m)^    (?P<name>\S[^·\n]*?) +· (?P<holds>\S.*)$")


def bound_in(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that some statements bind in their own scope: not those inside functions, classes, comprehensions."""
    names: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        if not isinstance(node, Definition | ast.Lambda | Comprehension):
            waiting += ast.iter_child_nodes(node)
    return names


def parameters(function: Function | ast.Lambda) -> set[str]:
    """The names of a function's parameters."""
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that a function, class or comprehension binds. Those of a class are unknown to its methods."""

    names: set[str]
    is_class: bool = False


class ModuleNames(ast.NodeVisitor):
    """Collects where a statement uses names that are not its own: in annotations, decorators and defaults as well."""

    def __init__(self) -> None:
        self.used: list[tuple[str, int]] = []
        self._scopes: list[Scope] = []

    def visit_Name(self, node: ast.Name) -> None:
        """A name that is read, if no scope around it binds it."""
        if isinstance(node.ctx, ast.Load) and not any(node.id in scope.names for scope in self._scopes):
            self.used.append((node.id, node.lineno))

    def _visit_inside(self, scope: Scope, nodes: Sequence[ast.AST]) -> None:
        outer = self._scopes
        self._scopes = [*(known for known in outer if scope.is_class or not known.is_class), scope]
        for node in nodes:
            self.visit(node)
        self._scopes = outer

    def _visit_function(self, node: Function) -> None:
        for outside in (*node.decorator_list, node.args, node.returns):
            if outside is not None:
                self.visit(outside)
        self._visit_inside(Scope(parameters(node) | bound_in(node.body)), node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Its parameters are its own."""
        self.visit(node.args)
        self._visit_inside(Scope(parameters(node)), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Bases and decorators are read outside of it."""
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        self._visit_inside(Scope(bound_in(node.body), is_class=True), node.body)

    def _visit_comprehension(self, node: Comprehension) -> None:
        targets = bound_in([generator.target for generator in node.generators])
        outer = self._scopes
        self._scopes = [*outer, Scope(targets)]
        self.generic_visit(node)
        self._scopes = outer

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension


def upward_references(module: ast.Module) -> Iterator[str]:
    """Every use of a name that the module binds only further down."""
    bound: set[str] = set()
    to_come = bound_in(module.body)
    for statement, following in itertools.zip_longest(module.body, module.body[1:]):
        own = bound_in([statement])
        may_use = bound | (own if isinstance(statement, Definition) else set())
        if isinstance(statement, ast.ClassDef) and isinstance(following, ast.ClassDef):
            # two classes that hold each other, one right behind the other, are as good as one definition
            may_use |= {following.name} if statement.name in dict(names_used(following)) else set()
        yield from (f"line {line}: {name}" for name, line in names_used(statement) if name in to_come - may_use)
        bound |= own


def names_used(statement: ast.stmt) -> list[tuple[str, int]]:
    """The names that a statement uses and does not bind, and on which lines."""
    names = ModuleNames()
    names.visit(statement)
    return names.used


def public_definitions(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The public functions, classes and methods by their dotted names."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


def main_guard(module: ast.Module) -> ast.stmt:
    """The last statement: what happens when the file is run and not imported."""
    return module.body[-1]


def is_start_guard(node: ast.AST) -> bool:
    """Whether this turns an older Python away, or sees to what goes wrong before `main` is reached."""
    return isinstance(node, ast.If) and re.match("sys.version_info <|__name__ ==", ast.unparse(node.test)) is not None


@functools.cache
def calls() -> list[tuple[str, int]]:
    """What is called, in words, and on which line; but for what guards the start and the end."""
    statements = itertools.filterfalse(is_start_guard, MODULE.body[:-1])
    nodes = itertools.chain.from_iterable(map(ast.walk, statements))
    return [(ast.unparse(node.func), node.lineno) for node in nodes if isinstance(node, ast.Call)]


class Layers(unittest.TestCase):
    """A definition uses only what stands above it."""

    def test_nothing_refers_to_what_stands_below(self) -> None:
        found = list(upward_references(MODULE))
        self.assertEqual(found, [], "\n".join(["these names stand further down:", *found]))

    def test_the_test_would_see_it(self) -> None:
        for text in (
            "def a(): return b()\ndef b(): pass",
            "class A:\n  x: B\nclass B: pass",
            "class A:\n  b = 1\n  def m(self): return b\nb = 2",
            "def a(x=B): pass\nB = 1",
            "def a(x: B): pass\nB = 1",
            "@b\ndef a(): pass\ndef b(f): return f",
            "a = a + [1]\n",
            "a = lambda x: x + b\nb = 1",
        ):
            self.assertEqual(len(list(upward_references(ast.parse(text)))), 1, text)
        for text in (
            "def a(b): return [c for c in b]\nb = c = 1",
            "def a(): return a()\nclass B:\n  def m(self) -> B: return B()",
            "def a():\n  b = 1\n  def inner(): return b\n  return inner\nb = 2",
            "class A:\n  x: B\nclass B:\n  x: A",
            "b = 2\nclass A:\n  c = b\n  d = c\nc = d = 3",
        ):
            self.assertEqual(list(upward_references(ast.parse(text))), [], text)


class TopLevel(unittest.TestCase):
    """What a person sees first of the repository: the one file, and little else."""

    KNOWN = {"README.md", "diff_events.py", "fixtures", "pyproject.toml", "schema-v1.md", "tests"}
    MADE = {"__pycache__", "build", "dist", "diff_events.egg-info"}

    def test_nothing_else_stands_there(self) -> None:
        names = {path.name for path in Path(diff_events.__file__).parent.iterdir() if not path.name.startswith(".")}
        self.assertEqual(names - self.MADE, self.KNOWN)


class Map(unittest.TestCase):
    """The module's docstring tells which sections there are."""

    def test_agrees_with_the_headings(self) -> None:
        headings = [match["name"] for match in HEADING.finditer(SOURCE)]
        mapped = [match["name"] for match in MAP_LINE.finditer(diff_events.__doc__ or "")]
        self.assertEqual(mapped, headings)

    def test_headings_are_unique_and_of_one_length(self) -> None:
        headings = list(HEADING.finditer(SOURCE))
        self.assertGreater(len(headings), 10)
        self.assertEqual(len({match["name"] for match in headings}), len(headings))
        uneven = [match["name"] for match in headings if len(match[0]) != len(headings[0][0])]
        self.assertEqual(uneven, [])
        self.assertLessEqual(len(headings[0][0]), LINE_LENGTH)

    def test_no_definition_stands_before_the_first_heading(self) -> None:
        first = SOURCE[: HEADING.search(SOURCE).start()].count("\n") + 1  # type: ignore[union-attr]
        early = [node.name for node in MODULE.body if isinstance(node, Definition) and node.lineno < first]
        self.assertEqual(early, [])


class Habits(unittest.TestCase):
    """What a reader may rely on."""

    def test_output_goes_to_streams_that_are_passed_in(self) -> None:
        self.assertEqual([line for name, line in calls() if name == "print"], [])

    def test_only_the_guard_at_the_end_leaves_the_process(self) -> None:
        leaving = {"sys.exit", "exit", "quit", "os._exit", "SystemExit"}
        self.assertEqual([(name, line) for name, line in calls() if name in leaving], [])
        self.assertEqual(
            ast.unparse(main_guard(MODULE)).replace("'", '"'), 'if __name__ == "__main__":\n    sys.exit(main())'
        )

    def test_there_is_no_module_state(self) -> None:
        self.assertEqual([node.lineno for node in NODES if isinstance(node, ast.Global)], [])

    def test_whatever_is_public_has_a_docstring(self) -> None:
        # What a class takes over from another one says there what it does.
        bare = [
            name
            for name, node in public_definitions(MODULE.body)
            if ast.get_docstring(node) is None and not inherited(name)
        ]
        self.assertEqual(bare, [])

    def test_no_function_is_long(self) -> None:
        functions = (node for node in NODES if isinstance(node, Function))
        lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
        self.assertEqual({name: length for name, length in lengths.items() if length > LONGEST_FUNCTION}, {})

    def test_lines_are_of_a_length_to_be_read(self) -> None:
        lines = enumerate(SOURCE.splitlines(), 1)
        self.assertEqual([number for number, line in lines if len(line) > LINE_LENGTH], [])

    def test_imports_stand_at_the_top_or_say_why_not(self) -> None:
        """In a function, the line says who waits for it there; for the type checker, they stand at the top as well."""
        statements = itertools.filterfalse(is_start_guard, MODULE.body[1:])
        top = itertools.takewhile(lambda node: isinstance(node, ast.Import | ast.ImportFrom | ast.If), statements)
        lines_at_top = {number for node in top for number in range(node.lineno, (node.end_lineno or 0) + 1)}
        imports = {node.lineno for node in NODES if isinstance(node, ast.Import | ast.ImportFrom)}
        lines = SOURCE.splitlines()
        elsewhere = (lines[number - 1] for number in imports - lines_at_top)
        self.assertEqual([line for line in elsewhere if "  # here, so that" not in line], [])


def old_pythons() -> list[str]:
    """Pythons at hand that are too old, but know the syntax of the file: on the PATH, or where pyenv keeps them."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("3.*/bin/python3")
    named = (shutil.which(f"python3.{minor}") for minor in (8, 9, 10))
    asked = ("-c", "import sys; sys.exit(not (3, 8) <= sys.version_info < (3, 11))")
    found = {os.path.realpath(path) for path in (*named, *map(str, kept)) if path}
    return [path for path in found if subprocess.run([path, *asked], capture_output=True, check=False).returncode == 0]


class OldPythons(unittest.TestCase):
    """Whoever has a Python that is too old is told so, and not by a syntax error, which would exit 1."""

    def test_newer_syntax_would_be_seen(self) -> None:
        with self.assertRaises(SyntaxError):
            ast.parse("match 1:\n  case _: pass", feature_version=OLDEST)

    def test_they_say_so(self) -> None:
        every = old_pythons()
        for python in every if os.environ.get("DIFF_EVENTS_REQUIRE_ALL") else every[:1]:
            with self.subTest(python):
                done = subprocess.run([python, diff_events.__file__], capture_output=True, text=True, check=False)
                found = (done.returncode, done.stdout, done.stderr)
                self.assertEqual(found, (2, "", "diff_events.py: error: Python 3.11 or newer is needed\n"))


def inherited(name: str) -> bool:
    """Whether a dotted name is a method that a base class has, too."""
    owner, _, method = name.rpartition(".")
    cls = getattr(diff_events, owner, None) if owner else None
    bases = itertools.islice(cls.__mro__, 1, None) if isinstance(cls, type) else iter(())
    return any(hasattr(base, method) for base in bases)


if __name__ == "__main__":
    unittest.main()
