"""The catalog of a run: files that tasks hand to each other, by name, with what they hold.

A task puts files of its working folder there when it has ended, also when it has failed, and gets others before it
starts. What was put is part of its recorded result, and the catalog is nothing but what the records say, so a run that
is continued knows the same. Edges survived: a promised file that is missing, a link or a folder in its place, a file
that changed in the catalog, two tasks that put the same name (the later one wins, and says so), files of gigabytes (the
loop goes on), an attempt that is cancelled in the middle of a copy.
"""

import asyncio
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.kinds import Failure
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.steps.carrying import BLOCK, Carried, GivenUp, Spoilt, give, take
from orchestration.steps.patterns import checked_pattern, find, fits

__all__ = ["BLOCK", "Carrying", "Catalog", "read_catalog"]

FOLDER: Final = ".catalog"
"""The catalog's folder, beside those of the steps."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Carrying:
    """Which files a task gets before it starts, and which it puts when it has ended; patterns."""

    get: tuple[str, ...] = ()
    put: tuple[str, ...] = ()


def read_catalog(written: object, where: str) -> Carrying | None:
    """What is written: `{"get": [patterns], "put": [patterns]}`, each optional; one pattern needs no list.

    Raises:
        UsageError: it is something else, or a pattern leads out of the folder.
    """
    if written is None:
        return None
    if not isinstance(written, Mapping):
        raise UsageError(f"{where}: catalog is {written!r:.80}", hint='catalog={"get": […], "put": […]}')
    found: dict[str, tuple[str, ...]] = {}
    for key, patterns in written.items():
        if key not in {"get", "put"}:
            raise UsageError(f"{where}: catalog has no {key!r:.80}", hint=nearest(str(key), ("get", "put")))
        listed = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(listed, Sequence):
            raise UsageError(f"{where}: catalog: {key} is a list of patterns, not {patterns!r:.80}")
        found[key] = tuple(checked_pattern(one, f"{where}: catalog: {key}") for one in listed)
    return Carrying(**found)


@dataclass(slots=True)
class _Put:
    """What came of putting: the files, and what is wrong."""

    files: list[Carried] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """From where files are put, to where, and which never."""

    directory: Path
    folder: Path
    besides: Collection[Path]


class Catalog:
    """The catalog of one run.

    Args:
        folder: where its files lie; a temporary folder by default, which lives as long as this object.
        recorded: outcomes of the run so far, each with the step that it is of.
        besides: what no pattern means: where the runs themselves are kept.
    """

    def __init__(
        self, folder: Path | None, recorded: Iterable[tuple[str, Outcome]] = (), besides: Collection[Path] = ()
    ) -> None:
        """Learn what the records say."""
        self._folder = folder
        self._besides = besides
        self._known: dict[str, Carried] = {}
        told = [(path, dict(outcome.metadata.get("catalog", {}))) for path, outcome in recorded]
        for path, facts in sorted(told, key=lambda one: str(one[1].get("at", ""))):
            for name, about in facts.get("put", {}).items():
                self._known[name] = Carried(name, about["sha256"], about["size"], path)

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="orch-catalog-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    # -- before a task ------------------------------------------------------------------------------------------

    async def get(self, patterns: Sequence[str], directory: Path) -> tuple[dict[str, Any], Outcome | None]:
        """Bring files into a folder.

        Returns:
            What was brought, by name; and the outcome of an attempt that cannot begin, None where it can.
        """
        wanted: dict[str, Carried] = {}
        for pattern in patterns:
            found = {name: one for name, one in self._known.items() if fits(name, pattern)}
            if not found:
                there = ", ".join(sorted(self._known)[:10]) or "nothing"
                told = f"no task of this run has put a file {pattern} before; the catalog has {there}"
                return {}, Outcome(failure=Failure.NO_OUTPUT, error=told)
            wanted.update(found)
        folder = self.folder

        def bring(given_up: Callable[[], bool]) -> None:
            for one in wanted.values():
                give(one, folder, directory, given_up)

        try:
            await _off_the_loop(bring)
        except Spoilt as error:
            return {}, Outcome(failure=Failure.INVALID_OUTPUT, error=f"the catalog is spoilt: {error}")
        except OSError as error:
            return {}, Outcome(failure=Failure.NO_OUTPUT, error=f"a file cannot be brought here: {_reason(error)}")
        return {name: one.facts() for name, one in sorted(wanted.items())}, None

    # -- after a task -------------------------------------------------------------------------------------------

    async def put(self, patterns: Sequence[str], directory: Path, by: str, outcome: Outcome) -> Outcome:
        """Keep files of a folder, whatever came of the task; and what then has come of it."""
        place = _Place(directory, self.folder, self._besides)
        done = await _off_the_loop(lambda given_up: _put(patterns, place, by, given_up))
        replaced = {
            one.name: before.by
            for one in done.files
            if (before := self._known.get(one.name)) is not None and before.by != by
        }
        self._known.update({one.name: one for one in done.files})
        warnings = [
            *done.warnings,
            *(f"{name} was put by {who} before; this one counts" for name, who in replaced.items()),
        ]
        facts: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "put": {one.name: one.facts() for one in done.files},
        }
        if replaced:
            facts["replaced"] = replaced
        metadata = {**outcome.metadata, "catalog": {**outcome.metadata.get("catalog", {}), **facts}}
        if warnings:
            metadata["warnings"] = [*metadata.get("warnings", ()), *warnings]
        outcome = replace(outcome, metadata=metadata)
        if not done.missing or outcome.failure is not None:
            return outcome
        return replace(outcome, failure=Failure.NO_OUTPUT, error="; ".join(done.missing))


def _put(patterns: Sequence[str], place: _Place, by: str, given_up: Callable[[], bool]) -> _Put:
    done = _Put()
    for pattern in patterns:
        try:
            found = find(place.directory, pattern, place.besides)
        except (OSError, UsageError) as error:
            done.missing.append(str(error))
            continue
        if not found.files:
            there = _not_carried([*found.others, *found.folders])
            done.missing.append(f"it promised a file {pattern}, and there is none{_and(there)}")
        done.warnings += _not_carried(found.others) if found.files else []
        for name in found.files:
            if any(one.name == name for one in done.files):
                continue
            try:
                done.files.append(take(place.directory, name, place.folder, by, given_up))
            except OSError as error:
                done.missing.append(f"{name} cannot be carried: {_reason(error)}")
    return done


def _not_carried(names: Sequence[str]) -> list[str]:
    return [f"{name} is a link or no file, and is not carried" for name in names]


def _and(told: Sequence[str]) -> str:
    return f" ({told[0]})" if told else ""


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else str(error.strerror or error)


async def _off_the_loop(work: Callable[[Callable[[], bool]], T]) -> T:
    """Do what blocks in a thread; whoever is cancelled gives it up, and waits until it has noticed."""
    given_up = threading.Event()
    job = asyncio.ensure_future(asyncio.to_thread(work, given_up.is_set))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        given_up.set()
        job.add_done_callback(_seen)
        await asyncio.wait({job})
        raise


def _seen(job: "asyncio.Future[Any]") -> None:
    if not job.cancelled() and not isinstance(job.exception(), GivenUp | OSError | Spoilt | None):
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a copy that was given up has failed", "exception": job.exception()}
        )
