"""Runs a program: a new run, or one that is in the store and goes on; in memory, or durable.

Resume is replay, as it is for backlogs: the stored events are applied to a fresh plan, attempts that were open are
closed as interrupted, what they left running is ended, and the run goes on. A run that has ended is not run again: its
result is what it came to. Nothing of the host is changed: no signal handlers, no environment, no streams.

Edges survived: a run id that exists with other steps, or with other parameters (refused, with what changed), one that
somebody else drives just now, parameters that JSON cannot say (they have to be given again), a loop that is closed in
the middle, a store that was given as a folder (opened and closed here) or as an object (left open).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeAlias

from orchestration.calls import Threads, ended_with_thread, giving_way, listening_to_prints
from orchestration.errors import GraphChanged, UsageError
from orchestration.events import Event, RunResumed, RunStarted, TaskInputGiven
from orchestration.executor import new_run_id
from orchestration.kinds import ExecutionStatus, RunStatus
from orchestration.plan import Limits, State
from orchestration.protocols import Listener, RunRecord, RunStore
from orchestration.records import dataclass
from orchestration.results import RunResult
from orchestration.scheduler import cancel_all, shielded
from orchestration.shape import changes, fingerprint_of
from orchestration.steps.assembly import StepRun, assemble
from orchestration.steps.checking import check_objects
from orchestration.steps.control import Control, Orders
from orchestration.steps.crew import IN_THREADS, Means
from orchestration.steps.doors import running_loop
from orchestration.steps.entry import again, checked, completed, hiding_for, kept
from orchestration.steps.given import parameter_changes
from orchestration.steps.home import Home
from orchestration.steps.leftovers import end_what_is_left, guarding_functions
from orchestration.steps.overriding import Overriding
from orchestration.steps.program import UNNAMED, Program
from orchestration.steps.reading import checked_count
from orchestration.store.memory import MemoryStore
from orchestration.store.unseen import UnseenStore

Store: TypeAlias = RunStore | str | Path
OPEN: Final = frozenset({RunStatus.RUNNING, RunStatus.PAUSED})

THREADS: Final = Threads()
"""Where the plain functions of all runs of this process run; bounded together, as they share its memory."""


def _nothing_around(_: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Options:
    """How a program is run.

    Args:
        run_id: continues the run of this id, or opens it; a new one by default.
        max_concurrent: how many steps may run at once; None for no limit.
        deadline: seconds after which the run is ended; None for no limit.
        store: where the run is kept; in memory by default.
        home: where commands and agents work.
        threads: where plain functions run.
        limits: shared with other runs: `CAPACITY` is how many steps may run at once in all of them.
        in_threads: the name of the limit of those that call a plain function.
        control: ends the run from outside.
        listener: told of events and chunks.
        leave: told what the run came to, if whoever awaits it is cancelled.
        around: entered with the id of the run before anything of it is done, and left at its end.
        parameters_file: a YAML or JSON file with parameters that are not given.
        overrides: path of a step → what is different about it in this run.
        logs: the folder for the logs of a run in memory; none are kept by default.
    """

    run_id: str | None = None
    max_concurrent: int | None = None
    deadline: float | None = None
    store: Store | None = None
    home: Home | None = None
    threads: Threads = THREADS
    limits: Limits | None = None
    in_threads: str = IN_THREADS
    control: Control | None = None
    listener: Listener | None = None
    leave: Callable[[RunResult], None] | None = None
    around: Callable[[str], AbstractContextManager[None]] = _nothing_around
    parameters_file: str | Path | None = None
    overrides: Mapping[str, Mapping[str, Any]] | None = None
    logs: str | Path | None = None


async def run_program(program: Program, parameters: Mapping[str, Any] | None, options: Options) -> RunResult:
    """Run a program to its end.

    Raises:
        CannotBind: a function has a parameter for which nothing would be known; nothing has run.
        UsageError: an option is not possible, a return cannot be kept in this store, or no loop of asyncio runs.
        GraphChanged: the run of this id is one of other steps, or was given other parameters.
        RunOwned: somebody drives the run of this id just now.
        StoreError: the store could not write; what had been acknowledged stands.
    """
    running_loop()
    given = checked(parameters)
    checked_count(options.max_concurrent, "max_concurrent")
    with giving_way(), ended_with_thread():
        return await _run(program, given, options)


async def _run(program: Program, given: dict[str, Any], options: Options) -> RunResult:
    async with _opened(options.store) as store:
        if not isinstance(store, MemoryStore):
            check_objects(program.root)
        record = await _known_run(store, options.run_id)
        if record is not None:
            return await _continue(program, given, options, store, record)
        given = completed(program, given, options.home, options.parameters_file)
        program.check(program.root, given)
        run_id = new_run_id() if options.run_id is None else options.run_id
        run = assemble(program, run_id, given, _means(program, options, store), options.listener)
        with store.own(run.run_id), options.around(run.run_id):
            if run.crew.hiding is not None:
                await run.crew.hiding.look_ahead(given)
            if await _opened_whole(_open(program, run, store, options)):
                await run.scheduler.end_unbegun(store)
                _leave(run, options)
                raise asyncio.CancelledError
            return await _go(run, store, options)


@asynccontextmanager
async def _opened(store: Store | None) -> AsyncIterator[RunStore]:
    """The store; one that was given as a folder is closed again."""
    if store is None:
        yield UnseenStore()
    elif isinstance(store, str) and "://" in store:
        from orchestration.steps.plugged import store_of  # noqa: PLC0415  # only for stores of others

        opened_there = store_of(store)
        try:
            yield opened_there
        finally:
            await opened_there.close()
    elif isinstance(store, str | Path):
        from orchestration.store.sqlite import SqliteStore  # noqa: PLC0415  # not for runs in memory

        opened = SqliteStore(Path(store))
        try:
            yield opened
        finally:
            await opened.close()
    elif not hasattr(store, "own"):
        raise UsageError(f"{store!r:.80} is no store", hint="give the path of a folder, or an object that is a store")
    else:
        yield store


async def run_to_continue(
    program: Program,
    parameters: Mapping[str, Any] | None,
    store: RunStore,
    home: Home | None = None,
    parameters_file: str | Path | None = None,
) -> str | None:
    """The newest run of just these steps and parameters that is open, and that nobody drives; None for none."""
    shape, all_of_them = program.shape(), completed(program, checked(parameters), home, parameters_file)
    given = kept(all_of_them, await hiding_for(program, home, all_of_them))
    for record in await store.runs():
        same = record.kind == program.kind and record.status in OPEN and record.shape == shape
        if not same or store.is_live(record.run_id):
            continue
        started = next((event for event in await store.events(record.run_id) if isinstance(event, RunStarted)), None)
        if started is not None and started.name == program.name and dict(started.parameters) == given:
            return record.run_id
    return None


async def _known_run(store: RunStore, run_id: str | None) -> RunRecord | None:
    if run_id is None:
        return None
    return next((record for record in await store.runs() if record.run_id == run_id), None)


def caps_of_threads(max_concurrent: int | None, threads: Threads) -> dict[str, int]:
    """The limit of plain functions, where more steps can run at once than there are threads for."""
    needed = max_concurrent is None or max_concurrent > threads.limit
    return {IN_THREADS: threads.limit} if needed else {}


def _means(program: Program, options: Options, store: RunStore, *, shares: bool = True) -> Means:
    """With what the steps of a run are done; one that is only looked at uses nothing that is shared."""
    own = Limits(caps_of_threads(options.max_concurrent, options.threads))
    limits = options.limits if shares and options.limits is not None else own
    home, folder = options.home or Home(), getattr(store, "folder", None)
    if isinstance(folder, Path):
        if options.logs is not None:
            raise UsageError("a durable run keeps its logs in the folder of its store", hint="leave `logs` out")
        home = home.kept_in(folder / "runs")
    elif options.logs is not None:
        home = home.kept_in(Path(options.logs).resolve())
    overridden = Overriding(program.root, options.overrides).unit if options.overrides else None
    return Means(home, options.threads, limits, not isinstance(store, MemoryStore), overridden, options.in_threads)


# -- a new run ----------------------------------------------------------------------------------------------------


async def _open(program: Program, run: StepRun, store: RunStore, options: Options) -> None:
    shape = {} if run.recorder.may_wait(store) else program.shape()  # none where nobody can ask for it
    tasks = tuple(run.plan.graph.ids)
    run.recorder.emit(
        RunStarted,
        tasks=tasks,
        fingerprint=fingerprint_of(shape),
        max_concurrent=options.max_concurrent,
        fail_fast=program.fail_fast,
        name=program.name,
        kind=program.kind,
        parameters=kept(run.crew.parameters, run.crew.hiding),
    )
    batch = run.recorder.take()
    began = batch[0].at
    record = RunRecord(run.run_id, RunStatus.RUNNING, began, began, tasks, shape, kind=program.kind)
    await store.open_run(record, batch)
    await run.recorder.tell(batch)


async def _opened_whole(opening: Coroutine[Any, Any, None]) -> bool:
    """Open a run; returns whether we were cancelled meanwhile, as it is there now and its end has to be recorded."""
    try:
        await shielded(opening)
    except asyncio.CancelledError:
        return True
    return False


def _leave(run: StepRun, options: Options) -> None:
    if options.leave is not None:
        options.leave(run.result())


async def _go(run: StepRun, store: RunStore, options: Options) -> RunResult:
    try:
        return await _driven(run, store, options)
    finally:
        run.crew.let_go()


async def _driven(run: StepRun, store: RunStore, options: Options) -> RunResult:
    alarm, loop = None, asyncio.get_running_loop()
    if options.deadline is not None:
        alarm = loop.call_later(max(0.0, options.deadline), run.scheduler.stop, "timeout")
    if options.control is not None:
        options.control.take(run.scheduler)
    orders = None if isinstance(store, MemoryStore) else Orders(run.scheduler, store)
    watch = None if orders is None else loop.create_task(orders.watch(), name="watch commands")
    try:
        with listening_to_prints(), guarding_functions(run.crew.home, run.run_id):
            await run.scheduler.run(store, options.max_concurrent)
    except asyncio.CancelledError:
        _leave(run, options)
        raise
    finally:
        if alarm is not None:
            alarm.cancel()
        if watch is not None:
            await cancel_all([watch])
    if watch is not None and not watch.cancelled():
        watch.result()
    if orders is not None:
        await orders.answer_the_rest()
    return run.result()


# -- a run that goes on -------------------------------------------------------------------------------------------


async def _continue(
    program: Program, given: dict[str, Any], options: Options, store: RunStore, record: RunRecord
) -> RunResult:
    events = await store.events(record.run_id)
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    stored = dict(started.parameters) if started is not None else {}
    changed = _other_name(program, started) + changes(record.shape, program.shape(), "the step ")
    changed += parameter_changes(stored, kept(given, await hiding_for(program, options.home, given)))
    if changed:
        listed = "; ".join(changed[:5])
        raise GraphChanged(
            f"run {record.run_id} cannot be continued: {listed}", hint="start a new one, with another id"
        )
    means = _means(program, options, store, shares=record.status in OPEN)
    if record.status not in OPEN:
        run = assemble(program, record.run_id, {**stored, **given}, means, None)
        _replay(run, events)
        return run.result()
    given = again(program, stored, given, options.home, options.parameters_file)
    program.check(program.root, given)
    with store.own(record.run_id), options.around(record.run_id):
        run = assemble(program, record.run_id, given, means, options.listener)
        _replay(run, await store.events(record.run_id))
        await end_what_is_left(run.crew.home, record)
        run.recorder.emit(RunResumed, max_concurrent=options.max_concurrent, fail_fast=program.fail_fast)
        run.scheduler.take_up()
        _make_again(run)
        return await _go(run, store, options)


def _other_name(program: Program, started: RunStarted | None) -> list[str]:
    """Why a run is not one of this program, whatever its steps are called; nothing where it may be.

    A pipeline need not have a name; one without may be any.
    """
    if started is None:
        return []
    is_named = UNNAMED not in {started.name, program.name}
    if started.kind == program.kind and not (is_named and started.name != program.name):
        return []
    return [f"it is a run of the {started.kind} {started.name}, and this is the {program.kind} {program.name}"]


def _replay(run: StepRun, events: Sequence[Event]) -> None:
    for event in events:
        run.plan.apply(event)
        run.ledger.apply(event)
    if events:
        run.recorder.go_on_after(events[-1].at)


def _make_again(run: StepRun) -> None:
    """Have steps done again whose values lived in memory only, if anything is left to do that could ask for them."""
    if run.plan.is_over:
        return
    for path, seat in run.crew.seats.items():
        lost = [one.name for one in getattr(seat.unit.work, "returns", ()) if one.recompute]
        if lost and run.crew.status_of(path) is ExecutionStatus.SUCCESS and run.plan.state_of(path) is State.SUCCEEDED:
            note = f"done again, because {', '.join(lost)} lived in memory only"
            run.recorder.emit(TaskInputGiven, task_id=path, action="retry", by="orch", note=note)
