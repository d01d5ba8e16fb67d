"""Programs that use a store in a process of their own, to be killed, raced, limited or left alone by a test.

python -m tests.world.store_child NAME ARGUMENTS…
"""

import asyncio
import fcntl
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestration.errors import OutcomeTaken, StoreError
from orchestration.store.backup import back_up
from orchestration.store.restoring import restore
from orchestration.store.schema import load_schema
from orchestration.store.sqlite import SqliteStore
from orchestration.store.statements import statements
from tests.world.store_samples import many, opened, started

NOBODY: Final = 65534


def say(text: object) -> None:
    print(text, flush=True)  # noqa: T201  # how the test hears of it


async def append_for_ever(folder: str) -> None:
    """Say each number after it was acknowledged."""
    store = SqliteStore(Path(folder))
    run = await opened(store)
    seq = 1
    while True:
        batch = many(run, 3, first=seq + 1)
        seq += len(batch)
        await store.append(run, batch)
        say(seq)


async def race(folder: str, wins: str) -> None:
    """At a word, add so many events to the run `r` that others add to as well; say how often the number was taken.

    It has looked before the word, so that the first number is taken for all but one of those who wait for it.
    """
    store = SqliteStore(Path(folder))
    (run,) = await store.runs()
    say("ready")
    sys.stdin.readline()
    losses = done = 0
    while done < int(wins):
        try:
            await store.append("r", [started("r", run.last_seq + 1, f"{os.getpid()}", attempt=done)])
            done += 1
        except OutcomeTaken:
            losses += 1
        (run,) = await store.runs()
    await store.close()
    say(losses)


async def own(folder: str, run_id: str) -> None:
    """Own a run until stdin ends."""
    with SqliteStore(Path(folder)).own(run_id):
        say(os.getpid())
        sys.stdin.read()


async def own_and_fork(folder: str, run_id: str) -> None:
    """Own a run, end as if killed, and leave a forked child behind that goes on at a word."""
    with SqliteStore(Path(folder)).own(run_id):
        if os.fork():
            os._exit(0)
        other = os.open(os.devnull, os.O_RDONLY)  # gets the number of the lock file, which is closed in a child
        say(os.getpid())
        sys.stdin.readline()
    os.fstat(other)  # and is not closed when the child leaves the block
    say("gone on")


async def hold(path: str) -> None:
    """Hold the lock of a file until stdin ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    say(os.getpid())
    sys.stdin.read()


def drop_rights() -> None:
    """Go on as somebody who may write nothing, nor read where this project and Python lie: so that is read before."""
    statements()
    load_schema()
    Path("/").as_uri()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


async def look_and_touch(folder: str) -> None:
    """Without rights, say which events there are and what came of adding one."""
    drop_rights()
    store = SqliteStore(Path(folder))
    answers: dict[str, object] = {}
    try:
        answers["seen"] = [event.seq for event in await store.events("r")]
    except StoreError as error:
        answers["seen"] = [str(error), error.hint]
    try:
        await store.append("r", [started("r", 2)])
    except StoreError as error:
        answers["error"] = [str(error), error.hint]
    await store.close()
    say(json.dumps(answers))


async def look_again(folder: str) -> None:
    """Without rights, say how many events there are, and again at a word."""
    drop_rights()
    store = SqliteStore(Path(folder))
    say(len(await store.events("r")))
    sys.stdin.readline()
    say(len(await store.events("r")))
    await store.close()


async def fill_the_disk(folder: str) -> None:
    """Add events until no file may grow any more, then more, then again in an opened store with room to write."""
    store = SqliteStore(Path(folder))
    run = await opened(store)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
    errors: list[list[str | None]] = []
    acknowledged = 1
    while len(errors) < 3:  # the fault, and that it is told again
        try:
            await store.append(run, [started(run, acknowledged + 1, "x" * 2000)])
            acknowledged += 1
        except StoreError as error:
            errors.append([str(error), error.hint])
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await store.close()
    seen = len(await store.events(run))
    await store.append(run, [started(run, seen + 1)])
    await store.close()
    say(json.dumps({"acknowledged": acknowledged, "seen": seen, "errors": errors}))


async def back_up_without_room(folder: str) -> None:
    """Try to make a backup where no file may grow to its size; say what is said."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    try:
        back_up(Path(folder))
    except StoreError as error:
        say(error)


async def put_back(folder: str, file: str) -> None:
    """Restore a backup; say so when it is done."""
    restore(Path(folder), Path(file))
    say("done")


async def append_until_it_fails(folder: str) -> None:
    """Say each number after it was acknowledged, then the error, twice."""
    store = SqliteStore(Path(folder))
    run = await opened(store)
    seq, errors = 1, 0
    while errors < 2:  # the fault, and that it is told again
        try:
            await store.append(run, [started(run, seq + 1, attempt=seq)])
            seq += 1
            say(seq)
        except StoreError as error:
            errors += 1
            say(error)


async def leave(folder: str) -> None:
    """Write, and end without closing anything."""
    await opened(SqliteStore(Path(folder)))


PROGRAMS: Final[dict[str, Callable[..., object]]] = {
    program.__name__: program
    for program in (
        append_for_ever,
        append_until_it_fails,
        race,
        own,
        own_and_fork,
        hold,
        look_and_touch,
        look_again,
        fill_the_disk,
        back_up_without_room,
        put_back,
        leave,
    )
}

if __name__ == "__main__":
    asyncio.run(PROGRAMS[sys.argv[1]](*sys.argv[2:]))  # type: ignore[arg-type]  # noqa: TID251  # this is a program
