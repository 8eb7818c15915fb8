"""Takes the picture of the HTML report that the README shows.

    python3 -m tests.screenshot                     rewrites fixtures/report.png (needs a Chromium on PATH)
    python3 -m tests.screenshot --page report.html  writes that page instead

The logs are of a dozen threads with known changes here and there, and the report is what the tool makes of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import diff_events
from tests.browser import Browser, find_browser
from tests.generator import planted_pair, shared_create

PICTURE = Path(__file__).resolve().parent.parent / "fixtures" / "report.png"
MOST_BYTES = 200_000
WIDTH, HEIGHT = 1200, 1060

LENGTHS = (900, 640, 1300, 420, 500, 760, 380, 1100, 560, 450, 730, 810)
CHANGES = (3, 0, 5, 1, 0, 2, 0, 0, 1, 0, 0, 0)
"""Of each thread how many events it has, and how many changes."""
CUT = 8
"""The thread that ends early on ours."""
FLOATS = {0: (120, 300), 2: (40, 41), 4: (100, 350), 7: (700, 200)}
"""Where a thread meets a shared-global object: on canary, and on ours."""

Events = list[dict[str, Any]]


def events_of(text: bytes, tid: int, float_at: int | None, sid: int) -> Events:
    """The events of a log of one thread, as those of another thread, with a create that floats."""
    events: Events = [json.loads(line) for line in text.splitlines()[1:]]
    if float_at is not None:
        created = shared_create(Random(sid), 0x82000000 + 16 * sid, "Event")
        events.insert(float_at, events[float_at] | {"kind": created.kind, "payload": created.payload})
    return [event | {"tid": tid, "tid_event_idx": idx} for idx, event in enumerate(events)]


def log_text(engine: str, threads: Iterable[Events]) -> bytes:
    """A log in which the threads take turns."""
    header = {"schema_version": 1, "engine": engine, "kind": "header", "payload": {}}
    events = sorted((event for events in threads for event in events), key=lambda event: event["tid_event_idx"])
    return "".join(json.dumps(line) + "\n" for line in (header, *events)).encode()


def demo_logs() -> tuple[bytes, bytes]:
    """Two logs that differ in many ways."""
    canary, ours = [], []
    for number, (length, changes) in enumerate(zip(LENGTHS, CHANGES, strict=True)):
        texts = planted_pair(number + 1, length, max(1, changes))[:2]
        places = FLOATS.get(number, (None, None))
        canary.append(events_of(texts[0], 6 + number, places[0], number))
        ours.append(events_of(texts[1 if changes else 0], 3 + 2 * number, places[1], number))
    del ours[CUT][-150:]
    return log_text("canary", canary), log_text("ours", ours)


def demo_page() -> str:
    """The report on them."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, name) for name in ("canary.jsonl", "ours.jsonl")]
        for path, text in zip(paths, demo_logs(), strict=True):
            path.write_bytes(text)
        options = diff_events.DiffOptions(max_divergences=0)
        return diff_events.render_html(diff_events.diff_logs(str(paths[0]), str(paths[1]), options))


def picture(page: str) -> bytes:
    """How a browser shows a page, as PNG."""
    found = find_browser()
    if found is None:
        raise SystemExit("there is no Chromium on PATH")
    with tempfile.TemporaryDirectory() as directory, Browser(found) as browser:
        path = Path(directory, "report.html")
        path.write_text(page, encoding="utf-8")
        browser.resize(WIDTH, HEIGHT)
        browser.prefer("light")
        browser.load(path)
        return browser.screenshot()


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the picture, or the page."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.screenshot", description="take the README's picture")
    parser.add_argument("--page", type=Path, help="write the page there, and no picture")
    options = parser.parse_args(argv)
    page = demo_page()
    if options.page is not None:
        options.page.write_text(page, encoding="utf-8")
        return 0
    data = picture(page)
    if len(data) > MOST_BYTES:
        raise SystemExit(f"the picture has {len(data):,} bytes, more than {MOST_BYTES:,}")
    PICTURE.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
