"""The state file: whole, of our version, and true to its own rules; and what it says of runs that nobody owns.

All is read in one transaction by a connection that only reads, so a run that writes meanwhile neither waits nor looks
like damage. Edges survived: no state yet, a damaged file, one of another program or a newer version (told of, never
touched), and one that a crash left something to undo in (which the next command does).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import field
from typing import Final

from orchestration.doctor.findings import Finding, Level
from orchestration.errors import NewerStore, StoreError
from orchestration.protocols import Claim
from orchestration.records import dataclass
from orchestration.store.backups import way_back
from orchestration.store.faults import is_damage, said_clearly
from orchestration.store.files import StateFiles
from orchestration.store.opening import Outdated, open_to_read
from orchestration.store.reading import claims
from orchestration.store.schema import load_schema
from orchestration.store.statements import statements

MOST_TOLD: Final = 10
"""Findings of one kind that are told one by one."""
_DATABASE: Final = "database"
_EVENTS: Final = "event log"


@dataclass(slots=True)
class Known:
    """What the state file says, as far as it can be read.

    Attributes:
        is_sound: it was read and nothing is wrong with it, so it may be written to.
        runs: every run that it knows.
        open_runs: run → status, of those that have not ended.
        claims: run → what it claims.
        commands: run → what was asked of it and has no answer.
    """

    is_sound: bool = False
    runs: set[str] = field(default_factory=set)
    open_runs: dict[str, str] = field(default_factory=dict)
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)


def look_at_database(files: StateFiles) -> tuple[list[Finding], Known]:
    """Everything about the state file."""
    known = Known()
    try:
        opened = open_to_read(files, load_schema())
        if opened is None:
            return [Finding(_DATABASE, Level.OK, "there is no state yet")], known
        with closing(opened[0]) as connection, said_clearly(files.database):
            connection.execute("BEGIN")
            findings = list(_read(connection, files, known))
    except Outdated:
        message = "it is of an older version, or a crash left something to undo; the next command sees to that"
        return [Finding(_DATABASE, Level.NOTE, message, "orch status")], known
    except NewerStore as error:
        return [Finding(_DATABASE, Level.PROBLEM, f"{error.message}; it was not touched", error.hint)], known
    except StoreError as error:
        return [Finding(_DATABASE, Level.PROBLEM, error.message, _remedy(files, error))], known
    known.is_sound = all(finding.level is not Level.PROBLEM for finding in findings)
    return findings, known


def _read(connection: sqlite3.Connection, files: StateFiles, known: Known) -> Iterator[Finding]:
    damage = [row for (row,) in connection.execute(f"PRAGMA integrity_check({MOST_TOLD})") if row != "ok"]
    if damage:
        yield Finding(_DATABASE, Level.PROBLEM, f"it is damaged: {'; '.join(damage)[:300]}", way_back(files.folder))
        return
    ((version,),) = connection.execute("PRAGMA user_version")
    ((runs, events),) = connection.execute(statements()["count_runs_and_events"])
    yield Finding(_DATABASE, Level.OK, f"whole; format {version}, {runs:,} runs, {events:,} events")
    broken = list(_broken_rules(connection))
    yield from broken[:MOST_TOLD]
    if not broken:
        yield Finding(_EVENTS, Level.OK, "numbered without a gap; at most one outcome for each attempt")
    known.runs = {run for (run,) in connection.execute(statements()["select_run_ids"])}
    known.open_runs = dict(connection.execute(statements()["select_open_runs"]).fetchall())
    for claim in claims(connection).values():
        known.claims.setdefault(claim.run_id, []).append(claim)
    for run, number, action, task in connection.execute(statements()["select_waiting_commands"]):
        known.commands.setdefault(run, []).append(f"{number}: {action} {task or run}")


def _broken_rules(connection: sqlite3.Connection) -> Iterator[Finding]:
    hint = "keep a copy of the file and report this; `orch restore` brings back a backup"
    for run, first, last, count in connection.execute(statements()["find_gaps"]):
        message = f"run {run}: {count} events are numbered from {first} to {last}"
        yield Finding(_EVENTS, Level.PROBLEM, message, hint)
    for run, task, attempt, count in connection.execute(statements()["find_second_ends"]):
        yield Finding(_EVENTS, Level.PROBLEM, f"run {run}: attempt {attempt} of {task} has {count} outcomes", hint)
    for (run,) in connection.execute(statements()["find_events_of_nobody"]):
        yield Finding(_EVENTS, Level.PROBLEM, f"there are events of run {run}, which does not exist", hint)
    for (task,) in connection.execute(statements()["find_standings_of_nothing"]):
        yield Finding(_EVENTS, Level.PROBLEM, f"how {task} stands does not follow from any event", hint)


def _remedy(files: StateFiles, error: StoreError) -> str:
    """What the error itself knows, unless that is to ask the doctor."""
    return error.hint if error.hint and not is_damage(error.__cause__) else way_back(files.folder)
