"""Why a task is as it is, in sentences: how it stands, what it waits for, what each attempt came to."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime

from orchestration.errors import OrchError, UnknownTask
from orchestration.executor import Planned, assignment_of
from orchestration.kinds import ExecutionStatus, Failure
from orchestration.loading import Project
from orchestration.orchestrator import looking
from orchestration.orchestrator.lastword import OPEN_RUNS, ledger_of, owner_of
from orchestration.protocols import RunStore
from orchestration.registry import AgentRegistry
from orchestration.results import AttemptRecord, ExecutionResult
from orchestration.scheduler import NOT_STARTED, STOPPED
from orchestration.store.owners import told_of

_DONE = {ExecutionStatus.SUCCESS, ExecutionStatus.SKIPPED}


async def why(project: Project, registry: AgentRegistry, store: RunStore, task_id: str) -> list[str]:
    """The sentences, the most important one first; of a part of a task too, and of a step of a pipeline or flow."""
    if task_id not in project.graph.index:
        return await _why_part(store, task_id)
    i = project.graph.index[task_id]
    tasks = [project.tasks[j] for j in (i, *project.graph.needs[i])]
    planned = [Planned(task.id, assignment_of(registry, task, None, None)) for task in tasks]
    results = {result.task_id: result for result in await looking.status(store, planned)}
    result = results[task_id]
    sentences = [_state(result), *_waits(result, results)]
    claim = (await store.claims()).get(task_id)
    now = datetime.now(UTC) if claim is not None and store.is_live(claim.run_id) else None
    sentences += [sentence for attempt in result.attempts for sentence in _attempt(attempt, now)]
    sentences += _parts(result)
    sentences += [sentence async for sentence in _runs(store, task_id, result)]
    if not result.attempts:
        try:
            sentences.append(registry.explain(project.tasks[i]))
        except OrchError as error:
            sentences.append(str(error))
    return sentences


async def _why_part(store: RunStore, task_id: str) -> list[str]:
    owner = owner_of(task_id)
    for record in await store.runs():
        if owner in record.tasks:
            ledger = await ledger_of(store, record.run_id)
            if task_id in ledger.known or task_id in record.tasks:
                result = ledger.result(task_id)
                now = datetime.now(UTC) if store.is_live(record.run_id) else None
                told = [sentence for attempt in result.attempts for sentence in _attempt(attempt, now)]
                if record.is_of_backlog and task_id == owner:
                    where = f"It is not in the backlog now; run {record.run_id} {'had' if now is None else 'has'} it."
                else:
                    whole = owner if record.is_of_backlog else f"the {record.kind}"
                    where = f"It is a part of {whole} in run {record.run_id}."
                return [_state(result), *told, where]
    raise UnknownTask(f"no run has a part {task_id}", hint=f"orch show {owner}")


def _state(result: ExecutionResult) -> str:
    said = f"{result.task_id} is {result.status.value}"
    reason, error = result.reason or "", _in_a_line(result.error or "")
    details = [text for text in (reason, error if error not in reason else "") if text]
    return f"{said}: {'; '.join(details)}" if details else f"{said}."


def _waits(result: ExecutionResult, results: Mapping[str, ExecutionResult]) -> Iterator[str]:
    if result.status is ExecutionStatus.NEEDS_INPUT:
        yield _ask(result)
    if result.status is ExecutionStatus.IN_PROGRESS and result.failure is Failure.RATE_LIMITED:
        until = result.metadata.get("waits_until")
        yield f"Its account has reached its limit{f' until {until}' if until else ''}; waiting uses up no try."
    open_needs = {name: need for name, need in results.items() if name != result.task_id and need.status not in _DONE}
    if result.status in {ExecutionStatus.PENDING, ExecutionStatus.BLOCKED}:
        for name, need in open_needs.items():
            yield f"It depends on {name}, which is {need.status.value}."
    is_claimed = (result.reason or "").startswith("claimed_by")
    if result.status is ExecutionStatus.PENDING and not open_needs and not is_claimed:
        when = (
            "an `orch run-batch` after that time" if "waits_until" in result.metadata else "the next `orch run-batch`"
        )
        yield f"Everything it depends on is done; {when} does it."
    if result.status is ExecutionStatus.CANCELLED and result.reason in {STOPPED, NOT_STARTED}:
        yield "The next `orch run-batch` does it again."
    elif result.status in {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}:
        yield f"`orch retry {result.task_id}` opens it again."
    if "adopted_from" in result.metadata:
        yield f"Its end was adopted from run {result.metadata['adopted_from']}."


def _ask(result: ExecutionResult) -> str:
    """What a person can do."""
    name = result.task_id
    if "approval" in (result.reason or ""):
        return f"It waits for a person: `orch approve {name}` or `orch reject {name} --note …`."
    if result.attempts and result.attempts[-1].outcome.failure is Failure.INTERRUPTED:
        again = f"`orch retry {name}` and then `orch run-batch` do it again, " if "/" not in name else ""
        return (
            f"orch died while it ran, and `on_crash: ask` leaves to a person what follows: {again}"
            f"`orch fail {name} --reason …` gives it up, `orch complete {name}` says that it was done."
        )
    return f"It waits for a person: `orch complete {name}` or `orch fail {name} --reason …`."


def _parts(result: ExecutionResult) -> Iterator[str]:
    for leg in result.metadata.get("legs", ()):
        why = leg["error"] or leg["reason"] or ""
        yield f"Part {leg['task_id']} by {leg['agent'] or 'nobody'}: {leg['status']}{f': {why}' if why else ''}"
        if leg["status"] == ExecutionStatus.NEEDS_INPUT:
            yield _ask(ExecutionResult.from_dict(leg))


def _attempt(attempt: AttemptRecord, now: datetime | None) -> Iterator[str]:
    """What an attempt came to; `now` is the time where its run goes on."""
    outcome = attempt.outcome
    how = attempt.status.value if outcome.failure is None else f"{attempt.status.value} ({outcome.failure.value})"
    code = f", exit code {outcome.exit_code}" if outcome.exit_code is not None else ""
    error = f": {_in_a_line(outcome.error)}" if outcome.error else ""
    which = f"Attempt {attempt.number} by" if attempt.number else "Without an attempt, for"
    yield f"{which} {attempt.agent or 'nobody'}: {how}{code}{_time(attempt, now)}{error}"
    for check in outcome.checks:
        if not check.passed:
            yield f"Attempt {attempt.number}, check failed: {check.kind} {check.name}"
    if outcome.log_path:
        yield f"Attempt {attempt.number}, logs: {outcome.log_path}"


def _in_a_line(text: str) -> str:
    """A text of several lines as one; what stands below a line that ends in a colon belongs to it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ends = [" " if line.endswith((":", ";", ",", ".")) else "; " for line in lines]
    return "".join(part for pair in zip(lines, ends, strict=True) for part in pair).strip().removesuffix(";")


def _time(attempt: AttemptRecord, now: datetime | None) -> str:
    """How long it took, or how long it has gone on so far; nothing where nobody knows."""
    if attempt.took is not None:
        return f" in {attempt.took:.1f}s"
    if attempt.completed_at is None and now is not None:
        return f" for {max(0.0, (now - attempt.started_at).total_seconds()):.1f}s so far"
    return ""


async def _runs(store: RunStore, task_id: str, result: ExecutionResult) -> AsyncIterator[str]:
    if result.status.is_final:
        return
    claim = (await store.claims()).get(task_id)
    if claim is not None and store.is_live(claim.run_id):
        yield f"Run {claim.run_id} has it and goes on now ({told_of(claim)})."
        return
    for record in await store.runs():
        if record.status in OPEN_RUNS and record.is_of_backlog and task_id in record.tasks:
            live = "goes on now" if store.is_live(record.run_id) else "is not going on; `orch run-batch` continues it"
            yield f"Run {record.run_id}, which it is part of, {live}."
            return
