"""The README: every command in it runs and does what it says, its report is a real one, its tables tell the truth."""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

import diff_events
from tests.support import Outcome, compiled_file, run

ROOT = Path(diff_events.__file__).resolve().parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNITTEST = "python3 -m unittest"


def commands() -> list[tuple[str, int, list[str]]]:
    """Each command of a console block, the exit code that its comment says (or 0), and the output shown below it."""
    found: list[tuple[str, int, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, comment = line[2:].partition("  # exit ")
                found.append((command, int(comment or 0), []))
            else:
                found[-1][2].append(line)
    return found


def marked(name: str) -> str:
    """What stands between two markers."""
    return README.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        shutil.copy(compiled_file(), self.directory)
        (self.directory / "fixtures").symlink_to(ROOT / "fixtures")

    def run_command(self, command: str) -> Outcome:
        """Runs a command where the file and the fixtures are: in this process, if the shell adds nothing."""
        program, _, arguments = command.partition(" diff_events.py ")
        if program == "python3" and not set(arguments) & set("$&|;<>"):
            with contextlib.chdir(self.directory):
                return run(*shlex.split(arguments))
        script = f"GITHUB_STEP_SUMMARY={shlex.quote(str(self.directory / 'summary.md'))}; {command}"
        argv = ["bash", "-c", script]
        done = subprocess.run(argv, cwd=self.directory, capture_output=True, text=True, check=False)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def test_each_does_what_it_says(self) -> None:
        self.assertGreater(len(commands()), 10)
        for command, code, output in commands():
            if command == UNITTEST:
                continue  # this very run
            with self.subTest(command=command):
                done = self.run_command(command)
                self.assertEqual(done.code, code)
                why = r"diff_events.py: The gate does not hold: .*\n" if code == 1 else ""
                self.assertRegex(done.err, rf"\A{why}\Z")
                if output:
                    self.assertEqual(done.out.splitlines(), output)

    def test_the_tests_are_run_as_ci_runs_them(self) -> None:
        self.assertIn(UNITTEST, [command for command, _, _ in commands()])
        self.assertIn(UNITTEST + ";", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))

    def test_the_report_is_a_real_one(self) -> None:
        block = marked("report")
        command = re.search(r"^\$ (.*)$", block, re.MULTILINE)
        shown = block.partition("~~~markdown\n")[2].partition("~~~")[0]
        assert command is not None
        lines = self.run_command(command[1]).out.splitlines()
        place = 0
        for line in shown.splitlines():
            if line != "…":
                self.assertIn(line, lines[place:])
                place = lines.index(line, place) + 1
        self.assertGreater(place, 20)


class Tables(unittest.TestCase):
    def test_every_option_is_there_and_no_other(self) -> None:
        listed = set(re.findall(r"`(--[a-z-]+)", marked("options")))
        actions = diff_events.command_parser("", diff_events.COMMANDS[""][1])._actions
        known = {option for action in actions for option in action.option_strings if option.startswith("--")}
        self.assertEqual(listed, known)

    def test_every_format_is_there(self) -> None:
        for name in diff_events.REPORT_RENDERERS:
            self.assertIn(f"`{name}`", marked("options"))

    def test_what_the_json_may_say_where_to_start_and_what_explains_it(self) -> None:
        listed = README.partition("| `reason` |")[2].partition("\n\n")[0]
        reasons = {reason.value for reason in diff_events.StartReason} - {"name_or_hole"}  # never the first
        self.assertEqual(set(re.findall(r"(?m)^\| `(\w+)` \| \w", listed)), reasons)
        explained = README.partition("\n`explained_by`, ")[2].partition("\n\n")[0]
        self.assertEqual(re.findall(r"`(\w+)`", explained), [one.value for one in diff_events.Explained])

    def test_exit_codes(self) -> None:
        listed = [int(code) for code in re.findall(r"^\| ([0-9]+) \| [^|]+ \|$", README, re.MULTILINE)]
        self.assertEqual(listed, [int(code) for code in diff_events.ExitCode])

    def test_what_a_change_touches_is_where_it_says(self) -> None:
        table = README.partition("| you want to add |")[2].partition("\n\n")[0]
        source = Path(diff_events.__file__).read_text(encoding="utf-8")
        places = re.findall(r"`([A-Za-z_]+)` \(\*([^*]+)\*\)", table)
        self.assertGreater(len(places), 4)
        for name, section in places:
            text = re.split(r"(?m)^# ══ ", source.partition(f"\n# ══ {section} ═")[2])[0]
            self.assertTrue(re.search(rf"(?m)^(def |class )?{name}\b", text), (name, section))
        for name in re.findall(r"`(tests/\w+\.py)`", table):
            self.assertTrue((ROOT / name).is_file(), name)

    def test_a_skip_rule_is_one_row(self) -> None:
        source = Path(diff_events.__file__).read_text(encoding="utf-8")
        row = '    "gpu.swap": frozenset({"frame"}),\n'
        changed = re.sub(r"(?m)^(SKIPPED_FIELDS: .*\n)", rf"\1{row}", source)
        lines = '{"schema_version":1}\n{"kind":"gpu.swap","tid":6,"tid_event_idx":0,"payload":{"frame":%d,"size":%d}}\n'
        module = types.ModuleType("diff_events_with_a_row_more")
        self.enterContext(mock.patch.dict(sys.modules, {module.__name__: module}))
        exec(changed, vars(module))
        with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
            for name, values in (("canary", (1, 5)), ("ours", (2, 5)), ("other", (1, 6))):
                Path(name).write_text(lines % values)
            for ours, code in (("ours", 0), ("other", 1)):
                argv = ["--canary", "canary", "--ours", ours, "--validate-identical"]
                self.assertEqual(module.run(argv, module.Streams(io.StringIO(), io.StringIO())), code)

    def test_links_lead_somewhere(self) -> None:
        for target in re.findall(r"\]\(([^)#]+)\)", README):
            self.assertTrue((ROOT / target).exists(), target)

    def test_the_module_example_runs(self) -> None:
        code = README.partition("```python\n")[2].partition("```")[0]
        boot = ROOT / "fixtures" / "regression" / "0011-payload"
        for name in ("canary.jsonl", "ours.jsonl"):
            code = code.replace(f'"{name}"', repr(str(boot / name)))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, {})
        self.assertIn("**Divergent:**", out.getvalue())
