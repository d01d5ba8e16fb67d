"""Cuts the power at every step of a recorded run, opens what the disk could hold, looks for what was acknowledged."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from orchestration.store.sqlite import SqliteStore
from tests.crash import backlogs, checking, tracing
from tests.crash.disk import Reader, Step, Told, image

FATES: Final = ("lost", "torn", "kept", "torn")
AT_MOST: Final = 60
CALLS: Final = "openat,unlink,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,writev,pwritev"
OPTIONS: Final = ("-xx", "-s", "200000", "-e", f"trace={CALLS}")


@dataclass(frozen=True, slots=True)
class Recording:
    """The steps of a run, and where its state was."""

    steps: Sequence[Step]
    state: str


@dataclass(frozen=True, slots=True)
class PowerCut:
    """A cut after so many steps; `fate` befalls what was pending, and `seed` draws how."""

    after: int
    fate: str
    seed: int

    def __str__(self) -> str:
        return f"after-{self.after}-{self.fate}-{self.seed}"


def recorded(folder: Path) -> Recording:
    """Run the small backlog and take down what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    project = backlogs.small(folder / "recorded")
    tracing.record(project, folder / "trace", *OPTIONS)
    state = str(project.root / ".orchestration")
    return Recording(Reader(state).read(folder / "trace"), state)


def all_cuts(recording: Recording) -> Sequence[PowerCut]:
    """Every step, each with all fates."""
    return [
        PowerCut(after, fate, seed) for after in range(1, len(recording.steps) + 1) for seed, fate in enumerate(FATES)
    ]


def some_cuts(recording: Recording) -> Sequence[PowerCut]:
    """As many as the suite has time for, less one that it chooses: every k-th step, and the fates in turn."""
    count, wanted = len(recording.steps), AT_MOST - 1
    afters = sorted({round(count * (i + 1) / wanted) or 1 for i in range(wanted)})
    return [PowerCut(after, FATES[i % len(FATES)], i % len(FATES)) for i, after in enumerate(afters)]


def wrong_after(recording: Recording, cut: PowerCut, folder: Path) -> Sequence[str]:
    """Make the image in a folder, open it with the real store, and say what is wrong with it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    steps = recording.steps[: cut.after]
    image(steps, cut.fate, Random(f"{cut}")).write_to(folder / ".orchestration", recording.state)  # noqa: S311  # a draw
    told = checking.told_by(b"".join(step.data for step in steps if isinstance(step, Told)))
    with asyncio.Runner() as runner:
        wrong = runner.run(_opened(folder / ".orchestration"))
    if wrong:
        return wrong
    stored = checking.stored_events(folder)
    wrong += checking.unsound(folder / checking.STATE)
    wrong += checking.gaps(stored)
    wrong += checking.second_ends([event for event in stored if event["type"] != "task_started"])
    wrong += checking.lost(stored, told)
    return [*wrong, *_lost_files(told, folder / ".orchestration", recording.state)]


async def _opened(folder: Path) -> list[str]:
    """Let the store open the files, as the next command would, and write to them."""
    store = SqliteStore(folder)
    try:
        for record in await store.runs():
            await store.events(record.run_id)
        await store.standings()
        await store.release("nobody")  # which writes, and changes nothing
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what is wrong
        return [f"the store cannot use the files: {error!r}"]
    finally:
        await store.close()
    return []


def _lost_files(told: Sequence[checking.Event], folder: Path, state: str) -> Iterator[str]:
    """Outputs that were too long for their event and are not in the file that it names."""
    for event in told:
        if (name := event.get("output_file")) is None:
            continue
        file = folder / Path(name).relative_to(state)
        if not file.exists() or not file.read_text(encoding="utf-8").endswith(event["output"]):
            yield f"acknowledged and lost: {file.name} of {event['task_id']}"
