"""What must hold of a project after any crash and a restart; its own code, which uses nothing of what it judges.

The state file is read by SQLite alone, processes are found by their environment, and what the tasks really did stands
in a log that each attempt adds a line to (`backlogs`). Whatever is broken is returned as a sentence, so that a test and
the soak can both say all that is wrong at once.
"""

import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

Event = Mapping[str, Any]

STATE: Final = Path(".orchestration/state.db")
DEEDS: Final = "deeds.log"
"""One line `task/attempt` for each attempt that really did something, and `task/attempt.` when it got to its end."""
ATTEMPT_ENDS: Final = ("task_completed", "task_error", "task_cancelled", "attempt_interrupted")
PATIENCE_FOR_DEATH: Final = 20.0
"""Seconds in which the last process of an ended run must be gone."""


def complaints(root: Path, expected: Mapping[str, str], told: Iterable[Event], *, runs: int = 1) -> list[str]:
    """All that is wrong with a project whose run was crashed and then run to its end.

    Args:
        root: the project.
        expected: how each task has to have ended.
        told: the events that were acknowledged, before any of the crashes too.
        runs: how many runs there may be; a run that is continued is the same run.
    """
    events = stored_events(root)
    found = {str(event["run_id"]) for event in events}
    wrong = [] if len(found) == runs else [f"{len(found)} runs instead of {runs}: {sorted(found)}"]
    wrong += unsound(root / STATE)
    wrong += gaps(events)
    wrong += second_ends(events)
    wrong += wrong_outcomes(events, expected)
    wrong += wrong_deeds(events, [line for line in deeds_of(root) if not line.endswith(".")])
    wrong += late_deeds(deeds_of(root))
    wrong += lost(events, told)
    wrong += foreign_outputs(events)
    wrong += survivors(found)
    return wrong


def stored_events(root: Path) -> list[Event]:
    """All events, run by run, in order; none where there is no state."""
    if not (root / STATE).exists():
        return []
    with closing(sqlite3.connect(root / STATE)) as connection:
        rows = connection.execute("SELECT body FROM events ORDER BY run_id, seq").fetchall()
    return [json.loads(body) for (body,) in rows]


def told_by(output: bytes) -> list[Event]:
    """The stored events among the lines of `--events`; a line that a kill cut off was told to nobody."""
    whole, _, _ = output.rpartition(b"\n")
    events = [json.loads(line) for line in whole.splitlines()]
    return [event for event in events if "seq" in event]


def unsound(database: Path) -> Iterator[str]:
    """What SQLite says against the file."""
    with closing(sqlite3.connect(database)) as connection:
        for (word,) in connection.execute("PRAGMA integrity_check").fetchall():
            if word != "ok":
                yield f"the state file is damaged: {word}"


def gaps(events: Sequence[Event]) -> Iterator[str]:
    """Runs whose numbers have a gap or come twice."""
    numbers: dict[str, list[int]] = {}
    for event in events:
        numbers.setdefault(event["run_id"], []).append(event["seq"])
    for run_id, found in numbers.items():
        if found != list(range(1, len(found) + 1)):
            yield f"run {run_id} has the numbers {found}"


def second_ends(events: Sequence[Event]) -> Iterator[str]:
    """Attempts that ended more than once, or never though they began."""
    ended = [event for event in events if event["type"] in ATTEMPT_ENDS and event.get("attempt")]
    ends = Counter(_attempt(event) for event in ended)
    starts = Counter(_attempt(event) for event in events if event["type"] == "task_started")
    yield from (f"{'/'.join(map(str, name))} ended {n} times" for name, n in ends.items() if n > 1)
    yield from (f"{'/'.join(map(str, name))} began {n} times" for name, n in starts.items() if n > 1)
    expanded = {(event["run_id"], event["task_id"]) for event in events if event["type"] == "task_expanded"}
    for run_id, task_id, attempt in starts.keys() - ends.keys():
        if (run_id, task_id) not in expanded:
            yield f"{run_id}/{task_id}/{attempt} began and never ended"


def wrong_outcomes(events: Sequence[Event], expected: Mapping[str, str]) -> Iterator[str]:
    """Tasks, and parts of tasks, without exactly one outcome; tasks that ended otherwise than they have to."""
    outcomes: dict[str, list[str]] = {task_id: [] for task_id in expected}
    for event in events:
        if (task_id := event.get("task_id")) is not None:
            known = outcomes.setdefault(task_id, [])
            known += filter(None, [_outcome(event)])
    for task_id, found in outcomes.items():
        if len(found) != 1:
            yield f"{task_id} has {len(found)} outcomes: {found}"
        elif found[0] != expected.get(task_id, found[0]):
            yield f"{task_id} is {found[0]} and has to be {expected[task_id]}"


def wrong_deeds(events: Sequence[Event], deeds: Sequence[str]) -> Iterator[str]:
    """Deeds of nobody, deeds that were done twice under one name, successes without a deed."""
    done = Counter(deeds)
    started = {_deed(event) for event in events if event["type"] == "task_started"}
    expanded = {event["task_id"] for event in events if event["type"] == "task_expanded"}
    yield from (f"{name} was done {n} times" for name, n in done.items() if n > 1)
    yield from (f"{name} was done, and no stored event says that it began" for name in done if name not in started)
    for event in events:
        if event["type"] == "task_completed" and event["task_id"] not in expanded and not done[_deed(event)]:
            yield f"{_deed(event)} is recorded as done, and was not"


def late_deeds(lines: Sequence[str]) -> Iterator[str]:
    """Attempts that were still at work when the next one of their task had begun."""
    newest: dict[str, int] = {}
    for line in lines:
        task_id, _, attempt = line.rstrip(".").rpartition("/")
        if int(attempt) < newest.get(task_id, 0):
            yield f"{line} was done after {task_id}/{newest[task_id]} had begun"
        newest[task_id] = max(newest.get(task_id, 0), int(attempt))


def lost(events: Sequence[Event], told: Iterable[Event]) -> Iterator[str]:
    """Events that were acknowledged and are not stored just so."""
    stored = {(event["run_id"], event["seq"]): event for event in events}
    for event in told:
        found = stored.get((event["run_id"], event["seq"]))
        if found is None:
            yield f"acknowledged and lost: {event}"
        elif found != event:
            yield f"acknowledged: {event}; stored: {found}"


def foreign_outputs(events: Sequence[Event]) -> Iterator[str]:
    """Recorded values that another attempt made: `by` says which one did; a whole may have those of its parts."""
    for event in events:
        by = str((event.get("outputs") or {}).get("by", _marker(event)))
        is_part = by.startswith(f"{event['run_id']}/{event.get('task_id')}/leg-")
        if event["type"] == "task_completed" and by != _marker(event) and not is_part:
            yield f"{_marker(event)} has the outputs of {by}"


def survivors(run_ids: Iterable[str], patience: float = PATIENCE_FOR_DEATH) -> list[str]:
    """Processes with the marker of these runs that do not end in time; known only on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    deadline = time.monotonic() + patience
    while (alive := marked(run_ids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"a process of an ended run lives: {who}" for who in alive]


def marked(run_ids: Iterable[str]) -> list[str]:
    """The living processes that carry the marker of one of the runs."""
    marks = [f"ORCH_ATTEMPT_ID={run_id}/".encode() for run_id in run_ids]
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and any(mark in (folder / "environ").read_bytes() for mark in marks):
                found.append(f"{folder.name} ({(folder / 'cmdline').read_text().replace(chr(0), ' ').strip()})")
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


def deeds_of(root: Path) -> list[str]:
    """What the tasks did, in order."""
    log = root / DEEDS
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def _outcome(event: Event) -> str | None:
    """How the event ends its task; None where the task goes on."""
    kind = event["type"]
    if kind == "task_error":
        return "failed" if event.get("final", True) else None
    if kind == "attempt_interrupted":
        return "failed" if event.get("then") == "fail" else None
    ends = {"task_completed": "success", "task_cancelled": "cancelled", "task_skipped": "skipped"}
    return {**ends, "task_blocked": "blocked"}.get(kind)


def _attempt(event: Event) -> tuple[str, str, int]:
    return event["run_id"], event["task_id"], event["attempt"]


def _deed(event: Event) -> str:
    return f"{event.get('task_id')}/{event.get('attempt')}"


def _marker(event: Event) -> str:
    return f"{event['run_id']}/{_deed(event)}"
