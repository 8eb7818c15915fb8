"""Other ways to compare two event logs: what a person would write or install instead. For `tests/benchmark.py`.

    python3 tests/rivals.py RIVAL CANARY OURS CANARY_TID=OURS_TID[,…]

prints ``{"verdict": "identical"}`` or ``{"verdict": "divergent"}``. They follow the rules of schema v1 as far as an
ordinary script does (fields that are skipped, shared-global creates that float), with one exception, which says so.
They trust their input: nothing is checked, and Python's ``True == 1`` is let be.
"""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter
from typing import Any

Event = dict[str, Any]
Streams = dict[int, list[Event]]
TidMap = dict[int, int]

SKIPPED = {
    "handle.create": ("raw_handle_id", "handle_semantic_id"),
    "handle.destroy": ("raw_handle_id", "handle_semantic_id"),
    "wait.begin": ("handles_semantic_ids",),
    "wait.end": ("wait_duration_cycles", "woken_by_semantic_id"),
    "thread.create": ("child_tid",),
}

# ---------------------------------------------------------------------------------------- everything in memory


def load(path: str, loads: Callable[[bytes], Any]) -> Streams:
    """All events of a log, per thread, in index order."""
    streams: Streams = defaultdict(list)
    with open(path, "rb") as log:
        next(log)  # the header
        for line in log:
            event = loads(line)
            streams[event["tid"]].append(event)
    for stream in streams.values():
        stream.sort(key=itemgetter("tid_event_idx"))
    return streams


def number(value: Any) -> int:
    """A handle or an id, which writers give as an int or in hex."""
    return int(value, 16) if isinstance(value, str) else value


def shared_global(event: Event) -> int | None:
    """The semantic id of a shared-global create; None for any other event."""
    if event["kind"] != "handle.create":
        return None
    payload = event["payload"]
    try:
        pointer, sid = number(payload["raw_handle_id"]), number(payload["handle_semantic_id"])
        data = b"\0".join((b"shared-global", payload["object_type"].encode(), pointer.to_bytes(4, "big")))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest if digest == sid else None


def equal(canary: Event, ours: Event) -> bool:
    """Whether two events are the same but for the fields that are skipped."""
    kind = canary["kind"]
    if kind != ours["kind"]:
        return False
    one, other = canary["payload"], ours["payload"]
    if kind in SKIPPED:
        one, other = ({key: item for key, item in side.items() if key not in SKIPPED[kind]} for side in (one, other))
    same: bool = one == other
    return same and shared_global(canary) == shared_global(ours)


def walk(canary: list[Event], ours: list[Event]) -> bool:
    """Whether two threads are identical, event by event."""
    c = o = canary_floats = ours_floats = 0
    while c < len(canary) or o < len(ours):
        one = canary[c] if c < len(canary) else None
        other = ours[o] if o < len(ours) else None
        if (
            one
            and other
            and one["tid_event_idx"] - canary_floats == other["tid_event_idx"] - ours_floats
            and equal(one, other)
        ):
            c, o = c + 1, o + 1
        elif one and shared_global(one):
            c, canary_floats = c + 1, canary_floats + 1
        elif other and shared_global(other):
            o, ours_floats = o + 1, ours_floats + 1
        else:
            return False
    return True


def shared_globals(streams: Streams) -> set[int | None]:
    """The shared-global objects that a log made."""
    return {shared_global(event) for stream in streams.values() for event in stream}


def in_memory(canary_path: str, ours_path: str, tid_map: TidMap, loads: Callable[[bytes], Any] = json.loads) -> bool:
    """Load both logs, then walk each pair of threads."""
    canary, ours = load(canary_path, loads), load(ours_path, loads)
    mapped = tid_map.keys() == canary.keys() and set(tid_map.values()) == ours.keys()
    walked = all(walk(canary[tid], ours[tid_map[tid]]) for tid in tid_map)
    return mapped and walked and shared_globals(canary) == shared_globals(ours)


def in_memory_without_gc(canary_path: str, ours_path: str, tid_map: TidMap) -> bool:
    """The same by someone who knows what the garbage collector costs where nothing is garbage."""
    gc.disable()
    return in_memory(canary_path, ours_path, tid_map)


def orjson_walk(canary_path: str, ours_path: str, tid_map: TidMap) -> bool:
    """The same with the fastest JSON reader."""
    return in_memory(canary_path, ours_path, tid_map, importlib.import_module("orjson").loads)


# ------------------------------------------------------------------------------------------------------- DuckDB

READ = """
    FROM read_json(?, format = 'newline_delimited', columns =
                   {kind: 'VARCHAR', tid: 'BIGINT', tid_event_idx: 'BIGINT', payload: 'VARCHAR'})
    WHERE tid IS NOT NULL"""
SPECIAL_KINDS = ", ".join(f"'{kind}'" for kind in SKIPPED)
SKIPPED_MEMBER = (
    f'"(?:{"|".join(sorted({field for fields in SKIPPED.values() for field in fields}))})":'
    r'(?:"[^"]*"|\[[^\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\}|[^][{},]*),?'
)
"""A field that some kind skips, with its value; of payloads of special kinds, all of them go."""
COMPARED_DATA = f"""
    CASE WHEN kind IN ({SPECIAL_KINDS}) THEN regexp_replace(payload, '{SKIPPED_MEMBER}', '', 'g')
    ELSE payload END AS data"""
COMPARABLE = f"""
    SELECT kind, tid, tid_event_idx AS idx, {COMPARED_DATA},
           CASE WHEN kind = 'handle.create' THEN payload ->> 'handle_semantic_id' END AS sid
    {READ}"""
SHARED = """
    CREATE TEMP TABLE shared AS
    SELECT sid FROM canary WHERE sid IS NOT NULL INTERSECT SELECT sid FROM ours WHERE sid IS NOT NULL"""
COMPARED = """
    CREATE TEMP VIEW compared_{side} AS
    SELECT tid, row_number() OVER (PARTITION BY tid ORDER BY idx) AS place, kind, data
    FROM {side} WHERE sid IS NULL OR sid NOT IN (FROM shared)"""
DIFFERENT = """
    SELECT count(*)
    FROM (SELECT ours_tid, place, kind, data FROM compared_canary JOIN tids ON tid = canary_tid) AS c
    FULL JOIN compared_ours AS o ON o.tid = c.ours_tid AND o.place = c.place
    WHERE c.kind IS DISTINCT FROM o.kind OR c.data IS DISTINCT FROM o.data"""
BARE_DIFFERENT = f"""
    SELECT count(*)
    FROM (SELECT kind, CASE tid {{tids}} END AS tid, tid_event_idx, {COMPARED_DATA} {READ}) AS c
    JOIN (SELECT kind, tid, tid_event_idx, {COMPARED_DATA} {READ}) AS o
    ON o.tid = c.tid AND o.tid_event_idx = c.tid_event_idx
    WHERE c.kind <> o.kind OR c.data <> o.data"""


def database(tid_map: TidMap) -> Any:
    """A DuckDB in memory that knows which threads belong together."""
    connection = importlib.import_module("duckdb").connect()
    connection.execute("CREATE TEMP TABLE tids (canary_tid BIGINT, ours_tid BIGINT)")
    connection.executemany("INSERT INTO tids VALUES (?, ?)", [list(pair) for pair in tid_map.items()])
    return connection


def duckdb_join(canary_path: str, ours_path: str, tid_map: TidMap) -> bool:
    """Payload texts joined on thread and index, once the skipped fields and the floating creates are out of them.

    SQL has no FNV at hand: a create whose semantic id both logs have is taken for shared-global. Payloads are compared
    as texts, so it is right only where both writers format alike.
    """
    connection = database(tid_map)
    for side, path in (("canary", canary_path), ("ours", ours_path)):
        connection.execute(f"CREATE TEMP TABLE {side} AS {COMPARABLE}", [path])
    connection.execute(SHARED)
    for side in ("canary", "ours"):
        connection.execute(COMPARED.format(side=side))
    [(different,)] = connection.execute(DIFFERENT).fetchall()
    return not different


def duckdb_bare_join(canary_path: str, ours_path: str, tid_map: TidMap) -> bool:
    """The least that DuckDB can do, in one query: payload texts without skipped fields, joined on thread and index.

    It knows no floats, and sees no event that one log alone has.
    """
    tids = " ".join(f"WHEN {canary} THEN {ours}" for canary, ours in tid_map.items())
    query = BARE_DIFFERENT.replace("{tids}", tids)
    [(different,)] = importlib.import_module("duckdb").execute(query, [canary_path, ours_path]).fetchall()
    return not different


# ------------------------------------------------------------------------------------------------- jq, sort and cmp

JQ_COMPARED = """
    select(.tid != null and ((.kind == "handle.create" and $shared[0][.payload.handle_semantic_id | tostring]) | not))
    | $skipped[.kind] as $fields
    | [$tids[.tid | tostring] // .tid, .tid_event_idx, .kind,
       if $fields then .payload | delpaths($fields | map([.])) else .payload end]"""
JQ_SCRIPT = r"""
    directory=$(mktemp -d); trap 'rm -r "$directory"' EXIT
    export LC_ALL=C
    sids() {
        grep -F handle.create "$1" | jq -c 'select(.kind == "handle.create") | .payload.handle_semantic_id' | sort -u
    }
    project() {
        jq -cS --argjson skipped "$skipped" --argjson tids "$2" --slurpfile shared "$directory/shared" \
            "$compared" "$1" | sort -t, -k1.2,1n -k2,2n | sed 's/^\(\[[0-9]*\),[0-9]*/\1/' > "$3"
    }
    sids "$canary" > "$directory/canary"; sids "$ours" > "$directory/ours"
    comm -12 "$directory/canary" "$directory/ours" |
        jq -cs 'map({(tostring): true}) | add // {}' > "$directory/shared"
    project "$canary" "$tids" "$directory/canary" & project "$ours" '{}' "$directory/ours"; wait $!
    cmp -s "$directory/canary" "$directory/ours"
"""


def jq_and_cmp(canary_path: str, ours_path: str, tid_map: TidMap) -> bool:
    """A shell script: what counts of each event, sorted by thread and index, and two files that are the same or not.

    As in SQL, a create whose semantic id both logs have is taken for shared-global.
    """
    variables = {
        "canary": canary_path,
        "ours": ours_path,
        "compared": JQ_COMPARED,
        "skipped": json.dumps(SKIPPED),
        "tids": json.dumps(tid_map),
    }
    values = "\n".join(f"{name}=$1; shift" for name in variables)
    command = ["sh", "-euc", values + JQ_SCRIPT, "sh", *variables.values()]
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 1):
        raise SystemExit(f"the script failed with {code}")
    return code == 0


# ------------------------------------------------------------------------------------------------- command line

RIVALS: dict[str, Callable[[str, str, TidMap], bool]] = {
    "in-memory": in_memory,
    "in-memory-without-gc": in_memory_without_gc,
    "orjson": orjson_walk,
    "duckdb": duckdb_join,
    "duckdb-bare": duckdb_bare_join,
    "jq": jq_and_cmp,
}


def main(argv: list[str]) -> int:
    """Run one rival."""
    rival, canary, ours, pairs = argv
    tid_map = {int(one): int(other) for one, _, other in (pair.partition("=") for pair in pairs.split(","))}
    identical = RIVALS[rival](canary, ours, tid_map)
    print(json.dumps({"verdict": "identical" if identical else "divergent"}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
