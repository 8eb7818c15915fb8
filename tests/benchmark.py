"""How fast, and in how much memory, against what a person would write or install instead.

    python3 tests/benchmark.py                                    # 1.5 million events a side: about 400 MB, twice
    python3 -m tests.benchmark --events 100000 --only plain --only formats

Logs come from the tests' generator. Every figure is one of whole processes, started in turn (A B A B …) in this run;
tables hold medians. Memory is the peak of what all processes of a program hold together, shared pages counted once.
The goals of the project stand beside the figures, met or missed; only a wrong verdict makes the exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if not __package__:  # run as a file
    sys.path.insert(0, str(ROOT))

from tests import generator  # noqa: E402

TOOL = ROOT / "diff_events.py"
RIVALS = ROOT / "tests" / "rivals.py"
MB = 1_000_000
CONSTANT_BYTES = 100 * MB
"""What the goals allow all processes together for code, buffers and the interpreters, whatever the log's size."""

EVENTS, EVENTS_MIN = 1_500_000, 2_000
"""A side: what the goals are meant for, and what is too little to be measured at all."""

POLL_S = 0.02
POLL_SHARE = 0.05
"""Looking at the memory of a large process takes time, from it as well: at most this share of it."""

# ------------------------------------------------------------------------------------------- measuring a process


class Failed(Exception):
    """A program that was to be measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one program."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str
    """What it wrote to standard output: a JSON document."""

    @property
    def verdict(self) -> str:
        """What it says of the two logs."""
        return str(json.loads(self.output)["verdict"])


def has_proc() -> bool:
    """Whether this system tells which processes a process has started, and what each of them holds."""
    own = f"/proc/{os.getpid()}"
    return os.access(f"{own}/smaps_rollup", os.R_OK) and os.access(f"{own}/task/{os.getpid()}/children", os.R_OK)


def process_tree(pid: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield pid
    with contextlib.suppress(OSError):  # it has ended
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from process_tree(int(child))


def held_bytes(pid: int) -> int:
    """What one process holds in memory; a page that several share counts in parts."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


class MemoryWatch(threading.Thread):
    """Looks again and again at what a process and its children hold, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_bytes, self._done = pid, 0, threading.Event()

    def run(self) -> None:
        """The loop."""
        pause = 0.0
        while not self._done.wait(pause):
            start = time.perf_counter()
            self.peak_bytes = max(self.peak_bytes, sum(map(held_bytes, process_tree(self.pid))))
            pause = max(POLL_S, (time.perf_counter() - start) / POLL_SHARE)

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self.join()


def largest_bytes(usage: resource.struct_rusage) -> int:
    """The most that any one of the processes held: what there is without /proc."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(command: Sequence[str]) -> Sample:
    """Run a command to its end. Raises `Failed` where it ends with anything but 0."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        watch = MemoryWatch(process.pid)
        if has_proc():
            watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        if watch.ident:
            watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        if process.returncode:
            raise Failed(f"{' '.join(command)}: exit {process.returncode}: {err.read().decode(errors='replace')}")
        peak = watch.peak_bytes or largest_bytes(usage)
        return Sample(wall_s, usage.ru_utime + usage.ru_stime, peak, out.read().decode())


# ------------------------------------------------------------------------------------------------ programs, results


@dataclass(frozen=True, slots=True)
class Logs:
    """Two logs on disk."""

    canary: Path
    ours: Path
    events: int
    """On each side."""
    tid_map: dict[int, int]


@dataclass(frozen=True, slots=True)
class Program:
    """Something that compares two logs."""

    name: str
    command: Callable[[Logs], list[str]]
    runs: int
    """At most so many: what takes a minute is not run often."""
    knows_rules: bool = True
    """Whether its verdict is to be the right one."""


@dataclass(slots=True)
class Result:
    """The runs of one program on one pair of logs."""

    program: Program
    logs: Logs
    samples: list[Sample] = field(default_factory=list)

    @property
    def wall_s(self) -> float:
        """Median."""
        return statistics.median(sample.wall_s for sample in self.samples)

    @property
    def cpu_s(self) -> float:
        """Median, of all its processes."""
        return statistics.median(sample.cpu_s for sample in self.samples)

    @property
    def peak_bytes(self) -> float:
        """Median, of all its processes together."""
        return statistics.median(sample.peak_bytes for sample in self.samples)

    @property
    def bytes_an_event(self) -> float:
        """Memory above the constant, for each event of both logs."""
        return max(0.0, self.peak_bytes - CONSTANT_BYTES) / (2 * self.logs.events)

    @property
    def verdict(self) -> str:
        """What it said, each time."""
        return "/".join(sorted({sample.verdict for sample in self.samples}))


def tool(name: str, runs: int, *options: str) -> Program:
    """The program that this is all about; it finds the pairs of threads itself."""

    def command(logs: Logs) -> list[str]:
        paths = ["--canary", str(logs.canary), "--ours", str(logs.ours)]
        return [sys.executable, str(TOOL), *paths, "--report", "json:-", *options]

    return Program(name, command, runs)


def rival(name: str, key: str, runs: int, knows_rules: bool = True) -> Program:
    """One of the rivals; it is told the pairs of threads."""

    def command(logs: Logs) -> list[str]:
        pairs = ",".join(f"{canary}={ours}" for canary, ours in logs.tid_map.items())
        return [sys.executable, str(RIVALS), key, str(logs.canary), str(logs.ours), pairs]

    return Program(name, command, runs, knows_rules)


def measure_side_by_side(programs: Iterable[tuple[Program, Logs]]) -> list[Result]:
    """Run the programs in turn, round after round."""
    results = [Result(program, logs) for program, logs in programs]
    for number in range(max(result.program.runs for result in results)):
        for result in results:
            if number < result.program.runs:
                say(f"{result.program.name}, {result.logs.events:,} events a side, run {number + 1}")
                result.samples.append(measure(result.program.command(result.logs)))
    return results


def say(text: str) -> None:
    """Tell whoever waits what is going on."""
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------ tables and goals


@dataclass(frozen=True, slots=True)
class Goal:
    """What the project promises, and what came out."""

    text: str
    measured: str
    met: bool

    def __str__(self) -> str:
        return f"- {self.text}: {self.measured} – **{'met' if self.met else 'missed'}**"


@dataclass(frozen=True, slots=True)
class Section:
    """What one section found."""

    title: str
    lines: list[str]
    goals: list[Goal] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Programs whose verdict is wrong though they know the rules."""

    def __str__(self) -> str:
        wrong = [f"- **wrong verdict**: {text}" for text in self.wrong]
        return "\n".join([f"## {self.title}", "", *self.lines, "", *map(str, self.goals), *wrong])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)]


HEADINGS = (
    *("program", "verdict", "runs", "wall s", "× ours", "CPU s", "× ours"),
    *("memory MB", "× ours", "bytes/event above 100 MB"),
)


def result_row(result: Result, own: Result) -> list[str]:
    """One program's line."""
    figures = [
        f"{result.wall_s:.2f}",
        f"{result.wall_s / own.wall_s:.1f}",
        f"{result.cpu_s:.2f}",
        f"{result.cpu_s / own.cpu_s:.1f}",
        f"{result.peak_bytes / MB:,.0f}",
        f"{result.peak_bytes / own.peak_bytes:.1f}",
        f"{result.bytes_an_event:,.0f}",
    ]
    verdict = result.verdict if result.program.knows_rules else "(knows no rules)"
    return [result.program.name, verdict, str(len(result.samples)), *figures]


def result_table(results: Sequence[Result]) -> list[str]:
    """All programs, ours first."""
    return table(HEADINGS, [result_row(result, results[0]) for result in results])


def wrong_verdicts(results: Iterable[Result], right: str) -> list[str]:
    """Whoever knows the rules and got it wrong."""
    return [
        f"{result.program.name} says {result.verdict} of a pair that is {right}"
        for result in results
        if result.program.knows_rules and result.verdict != right
    ]


def at_least(text: str, ratio: float, limit: float) -> Goal:
    """A ratio that must not be smaller."""
    return Goal(f"{text}, at least {limit:g} ×", f"{ratio:.1f} ×", ratio >= limit)


def bytes_goal(result: Result, limit: int) -> Goal:
    """A limit of memory by the number of events."""
    text = f"{result.program.name}: memory of all processes, at most {limit} bytes an event (of both logs) + 100 MB"
    peak = f"{result.peak_bytes / MB:.0f} MB, {result.bytes_an_event:.1f} bytes an event above 100 MB"
    return Goal(text, peak, result.bytes_an_event <= limit)


# --------------------------------------------------------------------------------------------------------- the bench


def installed(module: str) -> bool:
    """Whether this Python has a module."""
    return importlib.util.find_spec(module) is not None


@dataclass(frozen=True, slots=True)
class Bench:
    """What was asked for, and the logs that were made so far."""

    directory: Path
    events: int
    threads: int
    runs: int

    def big_pair(self, name: str, events: int, ours_format: generator.Format) -> Logs:
        """An identical pair of many threads."""

        def write(directory: Path) -> None:
            generator.write_big_pair(directory, events=events, threads=self.threads, ours_format=ours_format)

        directory = self.made(f"{name}-{events}-{self.threads}", write)
        tid_map = {6 + number: 1 + number for number in range(self.threads)}
        return Logs(directory / "canary.jsonl", directory / "ours.jsonl", events, tid_map)

    def plain_pair(self) -> Logs:
        """Two writers that format alike."""
        return self.big_pair("plain", self.events, generator.COMPACT)

    def tenth_pair(self) -> Logs:
        """The same with a tenth of the events."""
        return self.big_pair("plain", self.events // 10, generator.COMPACT)

    def spaced_pair(self) -> Logs:
        """Two writers with other orders of keys and other white space."""
        return self.big_pair("spaced", self.events, generator.SPACED)

    def made(self, name: str, write: Callable[[Path], object]) -> Path:
        """The directory of that name, written now unless an earlier run left it whole."""
        directory, unfinished = self.directory / name, self.directory / f"{name}.unfinished"
        if not directory.exists():
            say(f"writing {directory}")
            shutil.rmtree(unfinished, ignore_errors=True)
            write(unfinished)
            unfinished.rename(directory)
        return directory

    def own(self, *options: str, name: str = "diff_events.py") -> Program:
        """The program that this is all about."""
        return tool(name, self.runs, *options)


IN_MEMORY = "in-memory walk, json.loads"
WITHOUT_GC = "the same, garbage collector off"
DUCKDB = "DuckDB, floats and skipped fields out, join"
DUCKDB_BARE = "DuckDB, one query without floats"


def walks(bench: Bench) -> list[Program]:
    """The rivals that load everything into dicts; those of a minute and more run once."""
    programs = [rival(IN_MEMORY, "in-memory", 1), rival(WITHOUT_GC, "in-memory-without-gc", 1)]
    if installed("orjson"):
        programs.append(rival(f"in-memory walk, orjson {version('orjson')}", "orjson", bench.runs))
    return programs


def other_tools(bench: Bench) -> list[Program]:
    """The rivals that are programs of their own."""
    programs = []
    if installed("duckdb"):
        programs.append(rival(DUCKDB, "duckdb", bench.runs))
        programs.append(rival(DUCKDB_BARE, "duckdb-bare", bench.runs, knows_rules=False))
    if all(map(shutil.which, JQ_NEEDS)):
        programs.append(rival("jq, sort, cmp", "jq", 1))
    return programs


JQ_NEEDS = ("jq", "sh", "sort", "comm", "cmp", "grep", "sed", "mktemp")


def version(module: str) -> str:
    """The version of an installed module."""
    return importlib.metadata.version(module)


def environment(bench: Bench) -> list[str]:
    """Where the figures come from."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    absent = [module for module in ("duckdb", "orjson") if not installed(module)]
    absent += [] if all(map(shutil.which, JQ_NEEDS)) else ["jq"]
    rivals = [f"{module} {version(module)}" for module in ("duckdb", "orjson") if installed(module)]
    lines = [
        f"Python {platform.python_version()}, {platform.system()}, {cores} cores; {bench.events:,} events a side, "
        f"{bench.threads} threads; medians of as many runs as the tables say.",
        f"Rivals installed: {', '.join(rivals) or 'none'}; absent: {', '.join(absent) or 'none'}.",
    ]
    if bench.events < EVENTS:
        lines.append(
            f"The goals are meant for {EVENTS:,} events a side: with fewer, the start of programs weighs more."
        )
    if not has_proc():
        lines.append("No /proc here: memory is that of the largest single process, not of all together.")
    return lines


# ---------------------------------------------------------------------------------------------------------- sections


def plain(bench: Bench) -> Section:
    """An identical pair, everyone takes part."""
    logs = bench.plain_pair()
    results = measure_side_by_side((program, logs) for program in [bench.own(), *walks(bench), *other_tools(bench)])
    own, by_name = results[0], {result.program.name: result for result in results}
    walk, uncollected = by_name[IN_MEMORY], by_name[WITHOUT_GC].wall_s / own.wall_s
    faster = f"{walk.wall_s / own.wall_s:.1f} × (its garbage collector off: {uncollected:.1f} ×)"
    goals = [
        Goal("faster than the in-memory walk, at least 20 ×", faster, walk.wall_s >= 20 * own.wall_s),
        at_least("less memory than the in-memory walk", walk.peak_bytes / own.peak_bytes, 40),
    ]
    for name in (DUCKDB, DUCKDB_BARE):
        if name in by_name:
            goals += duckdb_goals(own, by_name[name])
    return Section("plain: an identical pair", result_table(results), goals, wrong_verdicts(results, "identical"))


def duckdb_goals(own: Result, other: Result) -> list[Goal]:
    """Speed and memory against one of DuckDB's queries."""
    return [
        at_least(f"faster than {other.program.name}", other.wall_s / own.wall_s, 1),
        at_least(f"less memory than {other.program.name}", other.peak_bytes / own.peak_bytes, 5),
    ]


def formats(bench: Bench) -> Section:
    """The same events, formatted differently; what compares texts cannot take part."""
    logs = bench.spaced_pair()
    results = measure_side_by_side((program, logs) for program in [bench.own(), *walks(bench)])
    goals = [at_least("faster than the in-memory walk", results[1].wall_s / results[0].wall_s, 3)]
    title = "formats: other key order and spaces on one side"
    return Section(title, result_table(results), goals, wrong_verdicts(results, "identical"))


@functools.cache
def both_sizes(bench: Bench) -> tuple[Result, Result]:
    """Our program on a tenth of the events and on all."""
    tenth, whole = measure_side_by_side([(bench.own(), bench.tenth_pair()), (bench.own(), bench.plain_pair())])
    return tenth, whole


def growth(bench: Bench) -> Section:
    """Ten times the events, how many times the time?"""
    tenth, whole = both_sizes(bench)
    rows = [[f"{r.logs.events:,}", f"{r.wall_s:.2f}", f"{r.cpu_s:.2f}"] for r in (tenth, whole)]
    ratio = whole.wall_s / tenth.wall_s
    goal = Goal("ten times the events take at most 11 × as long", f"{ratio:.1f} ×", ratio <= 11)
    lines = table(("events a side", "wall s", "CPU s"), rows)
    return Section("growth: a tenth of the events, and all", lines, [goal], wrong_verdicts((tenth, whole), "identical"))


def memory(bench: Bench) -> Section:
    """How much does an event cost?"""
    tenth, whole = both_sizes(bench)
    rows = [[f"{r.logs.events:,}", f"{r.peak_bytes / MB:.0f}", f"{r.bytes_an_event:.1f}"] for r in (tenth, whole)]
    lines = table(("events a side", "memory MB, all processes", "bytes/event above 100 MB"), rows)
    slope = (whole.peak_bytes - tenth.peak_bytes) / 2 / (whole.logs.events - tenth.logs.events)
    lines += ["", f"From the smaller to the larger pair: {slope:.1f} bytes for each further event of either log."]
    return Section("memory: bytes an event", lines, [bytes_goal(whole, 24)])


PAIRING_PROBE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import diff_events, json
pair_threads, spent = diff_events.pair_threads, []
def timed(*arguments, **named):
    start = time.perf_counter()
    pairs = pair_threads(*arguments, **named)
    spent.append(time.perf_counter() - start)
    return pairs
diff_events.pair_threads = timed
report = diff_events.diff_logs(sys.argv[2], sys.argv[3])
print(json.dumps({"verdict": report.verdict.value, "pairing_s": sum(spent),
                  "pairs": [[t.pair.canary_tid, t.pair.ours_tid] for t in report.threads]}))
"""
POOL_SEEDS = range(40)


def pairing_probe(name: str, runs: int) -> Program:
    """Our program as a module, with a clock around its pairing."""

    def command(logs: Logs) -> list[str]:
        return [sys.executable, "-c", PAIRING_PROBE, str(ROOT), str(logs.canary), str(logs.ours)]

    return Program(name, command, runs)


def pool_seconds(bench: Bench) -> float:
    """The time that the pairing of the big pair takes, the indexes being there."""
    [result] = measure_side_by_side([(pairing_probe("pairing", bench.runs), bench.plain_pair())])
    return statistics.median(float(json.loads(sample.output)["pairing_s"]) for sample in result.samples)


def right_pairs(directory: Path, seed: int) -> tuple[int, int]:
    """How many threads of a pool pair found their partner, and how many there are."""
    pair = generator.pool_pair(seed)
    generator.write_pair(directory, pair)
    logs = Logs(directory / "canary.jsonl", directory / "ours.jsonl", 0, dict(pair.tid_map))
    found = json.loads(measure(tool("diff_events.py", 1).command(logs)).output)["threads"]
    paired = {(thread["canary_tid"], thread["ours_tid"]) for thread in found}
    return len(paired & set(pair.tid_map)), len(pair.tid_map)


def pairing(bench: Bench) -> Section:
    """Thirty threads of which twelve are a pool, in many pairs; and the time on the big pair."""
    say(f"pairing the threads of {len(POOL_SEEDS)} pool pairs")
    with tempfile.TemporaryDirectory() as directory:
        counts = [right_pairs(Path(directory), seed) for seed in POOL_SEEDS]
    right, threads = map(sum, zip(*counts, strict=True))
    share, seconds = right / threads, pool_seconds(bench)
    row = [f"{len(counts)}", f"{threads:,}", f"{right:,}", f"{100 * share:.2f} %", f"{seconds:.3f}"]
    lines = table(("pool pairs", "threads", "paired right", "share", "s to pair the plain pair"), [row])
    goals = [
        Goal("threads paired right, at least 99 %", f"{right:,} of {threads:,}", share >= 0.99),
        Goal("pairing of the plain pair, under 0.2 s", f"{seconds:.3f} s", seconds < 0.2),
    ]
    return Section("pairing: thirty threads, twelve of a pool", lines, goals)


# ------------------------------------------------------------------------------------------------ re-synchronisation

RESYNC_OPTION = "--max-divergences"


@dataclass(frozen=True, slots=True)
class Score:
    """What was made of the planted changes."""

    planted: int
    found: int
    """With the right class and place."""
    unplanted: int

    def goals(self, name: str) -> list[Goal]:
        """Nearly all found, and nothing that is not there."""
        text = f"{name}: changes found with class and place, at least 99 %"
        return [
            Goal(text, f"{self.found:,} of {self.planted:,}", self.found >= 0.99 * self.planted),
            Goal(f"{name}: changes reported that nobody planted, none", f"{self.unplanted:,}", not self.unplanted),
        ]


def is_of(found: dict[str, Any], change: generator.Change) -> bool:
    """Whether a reported divergence is a planted change.

    A loop that ran more turns may be told anywhere within it; all else has one place and one extent.
    """
    place, size = ([found[f"{side}_{what}"] for side in ("canary", "ours")] for what in ("idx", "count"))
    if found["change"] != change.cls:
        return False
    if change.cls != "repeated":
        return place == [change.canary_idx, change.ours_idx] and size == [change.canary_count, change.ours_count]
    ends = change.canary_idx + change.canary_count, change.ours_idx + change.ours_count
    within = change.canary_idx <= place[0] <= ends[0] and change.ours_idx <= place[1] <= ends[1]
    return within and bool(abs(size[0] - size[1]) == change.count)


def score(changes: Sequence[generator.Change], found: Iterable[dict[str, Any]]) -> Score:
    """Hold what was found against what was planted: each change once, each divergence for one change."""
    waiting = sorted(changes, key=lambda change: change.canary_idx)
    right = unplanted = 0
    for divergence in found:
        match = next((change for change in waiting if is_of(divergence, change)), None)
        if match is None:
            unplanted += 1
        else:
            waiting.remove(match)
            right += 1
    return Score(len(changes), right, unplanted)


def planted_pair(bench: Bench, loop_heavy: bool) -> tuple[Logs, list[generator.Change]]:
    """A single thread with a change in every thousand events."""
    events = bench.events * 2 // 3  # a million by default

    def write(directory: Path) -> None:
        logs = generator.write_planted_pair(directory, 1, events, events // 1000, loop_heavy)
        generator.write_truth(directory, [dataclasses.asdict(change) for change in logs.changes])

    directory = bench.made(f"{'loops' if loop_heavy else 'planted'}-{events}", write)
    truth = json.loads((directory / "truth.json").read_text(encoding="utf-8"))
    logs = Logs(directory / "canary.jsonl", directory / "ours.jsonl", events, {6: 1})
    return logs, [generator.Change(**change) for change in truth]


def resync_of(bench: Bench, name: str, loop_heavy: bool) -> tuple[list[Result], list[Goal]]:
    """Our program on a planted pair, side by side with the plain walk: canary against itself."""
    logs, changes = planted_pair(bench, loop_heavy)
    alike = dataclasses.replace(logs, ours=logs.canary, tid_map={6: 6})
    walk, whole = measure_side_by_side(
        [
            (bench.own(name=f"{name}: canary against itself"), alike),
            (bench.own(RESYNC_OPTION, "0", name=f"{name}: all {len(changes):,} changes"), logs),
        ]
    )
    found = [item for thread in json.loads(whole.samples[0].output)["threads"] for item in thread["divergences"]]
    more_s = whole.wall_s - walk.wall_s
    goals = score(changes, found).goals(name)
    goals.append(Goal(f"{name}: time above that of the plain walk, under 6 s", f"{more_s:.2f} s", more_s < 6))
    goals.append(bytes_goal(whole, 100))
    return [walk, whole], goals


def resync(bench: Bench) -> Section:
    """Scattered changes of every class in a log of the usual sort, and in one that is nearly all loops."""
    results, goals = [], []
    for name, loop_heavy in (("usual log", False), ("loop-heavy log", True)):
        more_results, more_goals = resync_of(bench, name, loop_heavy)
        results += more_results
        goals += more_goals
    title = f"resync: {RESYNC_OPTION} 0 on a change in every thousand events"
    wrong = wrong_verdicts(results[::2], "identical") + wrong_verdicts(results[1::2], "divergent")
    return Section(title, result_table(results), goals, wrong)


# ----------------------------------------------------------------------------------------------------------- layouts

SPECIAL_PAYLOADS = (
    b'wait.begin","tid":%b,"payload":{"handles_semantic_ids":["%016x"],"wait_type":"any","timeout_ns":null}}\n',
    b'wait.end","tid":%b,"payload":{"status":0,"wait_duration_cycles":7,"woken_by_semantic_id":"%016x"}}\n',
    b'handle.create","tid":%b,"payload":{"raw_handle_id":"0xf8000004","handle_semantic_id":"%016x","object_type":"Event"}}\n',
)


def beside(member: bytes) -> Callable[[int, bytes], bytes]:
    """Puts another top-level field before the payload."""
    return lambda _, line: line.replace(b'"payload":', member + b',"payload":', 1)


def special(number: int, line: bytes) -> bytes:
    """Makes every fifth event one of a kind with skipped fields."""
    if number % 5:
        return line
    head, _, rest = line.partition(b'"kind":"')
    numbers = rest.partition(b'"tid":')[2].partition(b',"payload"')[0]
    return head + b'"kind":"' + SPECIAL_PAYLOADS[number // 5 % 3] % (numbers, number % 1000 + 1)


SPECIAL = "waits and handles, a fifth of the events"
LAYOUTS: dict[str, Callable[[int, bytes], bytes]] = {
    "plain": lambda _, line: line,
    "a float beside the payload": beside(b'"t":1.25'),
    "an array beside the payload": beside(b'"t":[1,2,3]'),
    "objects beside the payload": beside(b'"t":{"a":{"b":[1]}}'),
    "payloads nested six deep": lambda _, line: line.replace(
        b'"payload":{', b'"payload":{"d":' + b'{"d":' * 4 + b"{}},", 1
    ).replace(b"{}}", b"{}}}}}", 1),
    "a field behind the payload, one line of 200": lambda n, line: line if n % 200 else line[:-2] + b',"x":{"a":1}}\n',
    "two layouts by turns": lambda n, line: line if n % 2 else line[:-2] + b',"x":1}\n',
    SPECIAL: special,
}


def laid_out(bench: Bench, name: str) -> Logs:
    """The plain pair's canary in another layout, to be compared with itself."""
    source = bench.plain_pair()

    def write(directory: Path) -> None:
        directory.mkdir(parents=True)
        with source.canary.open("rb") as log, (directory / "log.jsonl").open("wb") as out:
            out.write(next(log))
            out.writelines(LAYOUTS[name](number, line) for number, line in enumerate(log))

    directory = bench.made(f"layout-{list(LAYOUTS).index(name)}-{source.events}", write)
    path = directory / "log.jsonl"
    return Logs(path, path, source.events, {tid: tid for tid in source.tid_map})


def layouts(bench: Bench) -> Section:
    """Layouts that a writer may well have, against the plain one."""
    results = measure_side_by_side((bench.own(name=name), laid_out(bench, name)) for name in LAYOUTS)
    plain_s = results[0].cpu_s
    rows = [[result.program.name, f"{result.cpu_s:.2f}", f"{result.cpu_s / plain_s:.2f}"] for result in results]
    goals = []
    for result in results[1:]:
        limit, share = 1.3 if result.program.name == SPECIAL else 3, result.cpu_s / plain_s
        text = f"{result.program.name}: at most {limit:g} × the plain time"
        goals.append(Goal(text, f"{share:.2f} ×", share <= limit))
    lines = table(("layout of both logs", "CPU s", "× plain"), rows)
    return Section("layouts: what a writer may do", lines, goals, wrong_verdicts(results, "identical"))


INDEX_PROBE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import diff_events, json
start = time.perf_counter()
diff_events.index_logs(list(map(diff_events.LogSource, sys.argv[2:])))
print(json.dumps({"verdict": "identical", "index_s": time.perf_counter() - start}))
"""


def skewed(bench: Bench) -> Section:
    """A large log against a small one: the large one is cut into pieces for all processors."""

    def command(logs: Logs) -> list[str]:
        return [sys.executable, "-c", INDEX_PROBE, str(ROOT), str(logs.canary), str(logs.ours)]

    even = bench.plain_pair()
    program = Program("index", command, bench.runs)
    results = measure_side_by_side(
        (program, logs) for logs in (even, dataclasses.replace(even, ours=bench.tenth_pair().ours))
    )
    rates = []
    for result in results:
        seconds = statistics.median(float(json.loads(sample.output)["index_s"]) for sample in result.samples)
        rates.append(sum(path.stat().st_size for path in (result.logs.canary, result.logs.ours)) / MB / seconds)
    lines = table(("sizes", "MB/s"), [["equal", f"{rates[0]:.0f}"], ["ten to one", f"{rates[1]:.0f}"]])
    goal = at_least("ten to one: speed, against that of equal sizes", rates[1] / rates[0], 0.8)
    return Section("skewed: a large log and a small one", lines, [goal])


# ------------------------------------------------------------------------------------------------------ command line

SECTIONS: dict[str, Callable[[Bench], Section]] = {
    "plain": plain,
    "formats": formats,
    "layouts": layouts,
    "skewed": skewed,
    "growth": growth,
    "memory": memory,
    "pairing": pairing,
    "resync": resync,
}


def positive(text: str) -> int:
    """A count for an option."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number of 1 or more, found {text!r}")
    return int(text)


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--events", type=positive, default=EVENTS, help="a side (default 1500000, at least 2000)")
    parser.add_argument("--threads", type=positive, default=12, help="default 12")
    parser.add_argument("--runs", type=positive, default=3, help="of each program but the slowest (default 3)")
    parser.add_argument("--directory", type=Path, help="keep the logs there, and use those that are there")
    parser.add_argument(
        "--only", metavar="SECTION", choices=SECTIONS, action="append", help=f"of {', '.join(SECTIONS)}; repeatable"
    )
    options = parser.parse_args(argv)
    if options.events < EVENTS_MIN:
        parser.error(f"--events: expected at least {EVENTS_MIN}: with fewer only the start of programs is measured")
    return options


@contextlib.contextmanager
def log_directory(kept: Path | None) -> Iterator[Path]:
    """Where the logs go."""
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="diff-events-benchmark-") as directory:
            yield Path(directory)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 1 where a verdict is wrong, 2 where a program failed."""
    options = parse_options(argv)
    wrong = False
    try:
        with log_directory(options.directory) as directory:
            bench = Bench(directory, options.events, options.threads, options.runs)
            print("# Benchmark\n\n" + "\n\n".join(environment(bench)), flush=True)
            for name, section in SECTIONS.items():
                if name in (options.only or SECTIONS):
                    done = section(bench)
                    wrong = wrong or bool(done.wrong)
                    print(f"\n{done}", flush=True)
    except Failed as failure:
        print(f"benchmark: {failure}", file=sys.stderr)
        return 2
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
