"""Where people and other terminals hand things in: complete, fail, cancel, retry, and the way to the logs.

If a live process owns the run, the answer goes to it by the command table and is awaited; else this process takes the
owner lock for a moment, replays the run, lets the answer happen and stores it. Between looking and taking the lock the
owner may come or go, so both ways are tried in turn.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from orchestration.attempts import describe_failed
from orchestration.errors import (
    ChecksFailed,
    OutcomeTaken,
    OwnerStopped,
    Problem,
    RunOwned,
    StoreError,
    UnknownRun,
    WrongState,
)
from orchestration.executor import LiveRun, Planned
from orchestration.graph import nearest
from orchestration.kinds import ExecutionStatus
from orchestration.loading import Project, check_fit
from orchestration.orchestrator import answering
from orchestration.orchestrator.answering import check_retryable, has_open_attempt, is_retryable
from orchestration.orchestrator.catching import catch_up, look_elsewhere, resume
from orchestration.orchestrator.completing import wait_until_ended, while_it_waits
from orchestration.orchestrator.lastword import OPEN_RUNS, Books, ledger_of, owner_of
from orchestration.orchestrator.leftovers import clear_away, cut_off
from orchestration.orchestrator.looking import find_run
from orchestration.orchestrator.opening import planned_from, replay
from orchestration.orchestrator.resuming import owner_of_run
from orchestration.orchestrator.standings import is_kept, is_satisfied
from orchestration.process import LiveChildren
from orchestration.protocols import RunRecord, RunStore, Standing
from orchestration.registry import AgentRegistry
from orchestration.results import ADOPTED_FROM, ExecutionResult
from orchestration.steps.resting import cancel_at_rest
from orchestration.store.locks import check_inside, completing
from orchestration.store.owners import is_stopped

POLL: Final = 0.05
"""Seconds between looks for the owner's answer; the owner itself looks every fifth of a second."""

Assemble = Callable[[str, Sequence[Planned]], LiveRun]
Deed = Callable[[LiveRun], list[str]]


class Desk:
    """Hands answers to the runs of one project."""

    def __init__(
        self,
        project: Project,
        registry: AgentRegistry,
        store: RunStore,
        assemble: Assemble,
        children: LiveChildren,
    ) -> None:
        """Nothing is read yet."""
        self._children = children
        self._project = project
        self._registry = registry
        self._store = store
        self._assemble = assemble

    async def complete(
        self,
        task_id: str,
        *,
        output: str | None,
        outputs: Mapping[str, object],
        by: str,
    ) -> ExecutionResult:
        """See `ProjectOrchestrator.complete`."""
        record = await self._waiting(task_id)
        with completing(self._project.state_folder / "runs" / record.run_id / task_id, task_id):
            return await self._checked(record, task_id, output, {"outputs": dict(outputs), "by": by})

    async def answer(self, task_id: str, action: str, *, note: str = "", by: str) -> ExecutionResult:
        """Answer fail, approve or reject for a task that waits for a person."""
        return await self._answer(await self._waiting(task_id), action, task_id, {"note": note, "by": by})

    async def cancel(self, target: str, *, reason: str) -> list[str]:
        """See `ProjectOrchestrator.cancel`."""
        books = await Books.of(self._store)
        runs = {record.run_id: record for record in books.records}
        if target in runs:
            return await self._cancel(runs[target], None, reason)
        if target not in self._project.graph.index and not books.have_open(target):
            known = [*runs, *self._project.graph.index]
            raise UnknownRun(f"there is no run and no task {target}", hint=nearest(target, known) or "see `orch runs`")
        standing = await self._standing(target)
        speaking = await books.speaking(target, _if_it_counts(standing))
        if not speaking:
            state = standing.status.value if standing else ExecutionStatus.PENDING.value
            raise WrongState(f"{target} is {state}, there is nothing to cancel", hint=f"orch why {target}")
        return await self._cancel(speaking[0], target, reason)

    async def _cancel(self, record: RunRecord, task_id: str | None, reason: str) -> list[str]:
        if record.status not in OPEN_RUNS:
            raise WrongState(f"run {record.run_id} has ended ({record.status.value}), there is nothing to cancel")
        cause = reason or "cancelled from another terminal"
        if not record.is_of_backlog and not self._store.is_live(record.run_id):
            return await cancel_at_rest(self._store, record, cause)

        def deed(run: LiveRun) -> list[str]:
            wanted = run.ledger.tasks if task_id is None else (task_id,)
            return answering.cancel_at_rest(run, wanted, cause, by_name=task_id is not None)

        done = await self._hand_in(record, "cancel", task_id, {"note": cause}, deed)
        await wait_until_ended(self._project.state_folder, self._children, record.run_id, done)
        if not done and task_id is not None:
            raise WrongState(f"{task_id} ended by itself before it could be cancelled")
        return done

    async def retry(self, task_ids: Sequence[str], *, failed: bool) -> list[str]:
        """See `ProjectOrchestrator.retry`."""
        names_in: dict[str, tuple[RunRecord, list[str]]] = {}
        for task_id, record in await self._retryable(task_ids, failed=failed):
            names_in.setdefault(record.run_id, (record, []))[1].append(task_id)
        reopened: dict[str, None] = {}
        for record, names in names_in.values():
            reopened |= dict.fromkeys(await self._reopen(record, names))
        return list(reopened)

    async def _reopen(self, record: RunRecord, names: Sequence[str]) -> Iterable[str]:
        """Have the run's owner open tasks again, one by one, or open all of them here where nobody owns the run."""
        done: dict[str, None] = {}
        while left := [name for name in names if name not in done]:
            if self._store.is_live(record.run_id):
                done |= await self._reopened_by_owner(record.run_id, left)
                continue
            try:
                with self._store.own(record.run_id):
                    done |= dict.fromkeys(await self._do_here(record, _reopening(left), "retry"))
            except RunOwned:
                await asyncio.sleep(POLL)
        return done

    async def _reopened_by_owner(self, run_id: str, names: Sequence[str]) -> dict[str, None]:
        """Those of the tasks that are open again now; the others if the owner has ended meanwhile."""
        asked = [(name, await self._store.submit(run_id, name, "retry", {})) for name in names]
        done: dict[str, None] = {}
        for name, number in asked:
            try:
                answer = await self._answer_to(number, run_id)
            except WrongState:
                if is_retryable(await ledger_of(self._store, run_id), name):
                    raise
                answer = [name]  # opened together with one that it depends on
            done |= dict.fromkeys(answer or ())
        return done

    async def _retryable(self, task_ids: Sequence[str], *, failed: bool) -> list[tuple[str, RunRecord]]:
        """The tasks to open again, each with the run in which it ended, and that which asks about an older crash."""
        check_fit(self._project)
        books = await Books.of(self._store)
        records = {record.run_id: record for record in books.records}
        standings = await self._store.standings(list(self._project.graph.index))
        ended = {task_id: standing for task_id, standing in standings.items() if standing.run_id in records}
        wanted = dict.fromkeys(task_ids)
        if failed:
            kinds = {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}
            wanted |= dict.fromkeys(task_id for task_id in ended if ended[task_id].status in kinds)
        found: list[tuple[str, RunRecord]] = []
        for task_id in wanted:
            speaking = await books.speaking(task_id, _if_it_counts(ended.get(task_id)))
            record = await _interrupted_in(books, speaking, task_id)
            record = record or (records[ended[task_id].run_id] if task_id in ended else None)
            record = record or (speaking[0] if speaking else None)
            if record is None:
                raise WrongState(f"{task_id} has not failed; there is nothing to retry")
            check_retryable(await books.of_run(record.run_id), task_id)
            found.append((task_id, record))
            overtaken = await _interrupted_in(books, await books.speaking(task_id, None), task_id)
            if overtaken is not None and overtaken is not record:  # else it would go on asking what is answered now
                found.append((task_id, overtaken))
        if not found:
            raise WrongState("nothing has failed, so there is nothing to retry")
        return found

    async def log_folder(self, task_id: str, run_id: str | None, attempt: int | None) -> Path:
        """See `ProjectOrchestrator.log_folder`."""
        records = [await find_run(self._store, run_id)] if run_id else await self._store.runs()
        for record in records:
            if owner_of(task_id) not in record.tasks:
                continue
            result = (await ledger_of(self._store, record.run_id)).result(task_id)
            if "winner" in result.metadata and attempt is None:
                return await self.log_folder(result.metadata["winner"], record.run_id, None)
            attempts = result.attempts
            numbers = [ended.number for ended in attempts if ended.number]
            if run_id is not None and not numbers and ADOPTED_FROM in result.metadata:  # another run has done it
                return await self.log_folder(task_id, result.metadata[ADOPTED_FROM], attempt)
            if attempt is not None and run_id is not None and attempt not in numbers:
                raise WrongState(f"{task_id} has no attempt {attempt} in run {record.run_id}; it has {numbers}")
            if numbers and (attempt is None or attempt in numbers):
                number = numbers[-1] if attempt is None else attempt
                folder = self._project.state_folder / "runs" / record.run_id / task_id / str(number)
                self._check_logs(folder)
                return folder
        where = f" in run {run_id}" if run_id else ""
        raise WrongState(f"no such attempt of {task_id} has begun{where}", hint=f"orch why {task_id}")

    def _check_logs(self, folder: Path) -> None:
        """Refuse logs that lie elsewhere: what a link leads to is nobody's log, and silence would say that it is."""
        state = self._project.state_folder
        check_inside(state, folder, "the folder of the logs")
        for file in (folder / name for name in ("stdout.log", "stderr.log", "chunks.jsonl")):
            if file.is_symlink():
                raise StoreError("the log is a link", file=file, hint="put what it leads to in its place")

    # -- handing in ---------------------------------------------------------------------------------------------

    async def _checked(
        self, record: RunRecord, task_id: str, output: str | None, body: Mapping[str, Any]
    ) -> ExecutionResult:
        """Have the checks of a task run, and hand in that it is done."""
        run = await self._replayed(record)
        answering.expect_work(run, task_id, "complete")
        attempt = run.plan.attempts_of(task_id) or 1
        checking = run.crew.check(task_id, attempt, body["outputs"])
        checks = await while_it_waits(self._store, record.run_id, task_id, checking)
        failed = [check for check in checks if not check.passed]
        if failed:
            problems = [Problem(describe_failed([check])) for check in failed]
            names = ", ".join(f"{check.kind} {check.name}" for check in failed)
            message = f"{task_id} is not done: {len(failed)} of {len(checks)} checks failed: {names}"
            hint = f"mend it, then `orch complete {task_id}` again; it still needs input"
            raise ChecksFailed(message, hint=hint, problems=problems)
        kept, file = run.crew.keep(task_id, attempt, output or "")
        passed = [check.to_dict() for check in checks]
        return await self._answer(
            record, "complete", task_id, {**body, "output": kept, "output_file": file, "checks": passed}
        )

    async def _answer(self, record: RunRecord, action: str, task_id: str, body: Mapping[str, Any]) -> ExecutionResult:
        def deed(run: LiveRun) -> list[str]:
            answering.apply(run, action, task_id, body)
            return [task_id]

        await self._hand_in(record, action, task_id, body, deed)
        return (await ledger_of(self._store, record.run_id)).result(task_id)

    async def _hand_in(
        self,
        record: RunRecord,
        action: str,
        task_id: str | None,
        body: Mapping[str, Any],
        deed: Deed,
    ) -> list[str]:
        """Have the run's owner do it, or do it here where nobody owns the run."""
        while True:
            if self._store.is_live(record.run_id):
                answer = await self._ask_owner(record.run_id, action, task_id, body)
                if answer is not None:
                    return answer
            try:
                with self._store.own(record.run_id):
                    return await self._do_here(record, deed, action)
            except RunOwned:
                await asyncio.sleep(POLL)

    async def _ask_owner(
        self,
        run_id: str,
        action: str,
        task_id: str | None,
        body: Mapping[str, Any],
    ) -> list[str] | None:
        """The owner's answer, None where it ended without one; raises what the owner refused it with."""
        return await self._answer_to(await self._store.submit(run_id, task_id, action, body), run_id)

    async def _answer_to(self, number: int, run_id: str) -> list[str] | None:
        while (answer := await self._store.answered(number)) is None:
            if not self._store.is_live(run_id):
                with suppress(OutcomeTaken):  # it answered with its last breath
                    await self._store.answer(number, {"error": "the run's owner ended", "ended": True})
                continue
            await self._expect_to_be_heard(run_id)
            await asyncio.sleep(POLL)
        if answer.get("ended"):
            return None
        if "error" in answer:
            raise WrongState(answer["error"], hint=answer.get("hint"))
        return list(answer.get("done", ()))

    async def _expect_to_be_heard(self, run_id: str) -> None:
        """Do not wait for an owner that is stopped: nobody knows when it goes on, and the request stands."""
        owner = await owner_of_run(self._store, run_id)
        if owner is not None and is_stopped(owner):
            raise OwnerStopped(run_id, owner.pid)

    async def _do_here(self, record: RunRecord, deed: Deed, action: str) -> list[str]:
        """A retry first resumes the run, as whatever stopped it then (fail-fast) says nothing about another try.

        And what others have done since is neither cancelled nor tried again.
        """
        again = action == "retry"
        run = await self._replayed(record)
        if died_with_it := cut_off(run):  # its owner died: what it ran may still be there
            await clear_away(self._children, record, run, died_with_it)
        if again or action == "cancel":
            standings = await self._store.standings(record.tasks)
            elsewhere = await look_elsewhere(self._store, record, run, standings)
            if again:
                resume(run, elsewhere)
            catch_up(run, elsewhere)
        done = deed(run)
        answering.close(run, "tasks were opened again", resumed=again)
        await run.recorder.commit(self._store)
        return done

    async def _replayed(self, record: RunRecord) -> LiveRun:
        run = self._assemble(record.run_id, planned_from(record, self._project, self._registry))
        replay(run, await self._store.events(record.run_id))
        return run

    # -- finding ------------------------------------------------------------------------------------------------

    async def _waiting(self, task_id: str) -> RunRecord:
        """The open run in which the task waits for a person; its answer is by what the backlog says."""
        check_fit(self._project)
        books = await Books.of(self._store)
        standing = await self._standing(task_id)
        speaking = await books.speaking(task_id, _if_it_counts(standing))
        statuses = [(await books.of_run(record.run_id)).status_of(task_id) for record in speaking]
        for record, status in zip(speaking, statuses, strict=True):
            if status is ExecutionStatus.NEEDS_INPUT:
                return record
        said = statuses[0] if statuses else standing.status if standing else ExecutionStatus.PENDING
        raise WrongState(f"{task_id} does not wait for a person; it is {said.value}", hint=f"orch why {task_id}")

    async def _standing(self, task_id: str) -> Standing | None:
        """How the task stands; a part of a task as that does."""
        owner = owner_of(task_id)
        return (await self._store.standings([owner])).get(owner)


async def _interrupted_in(books: Books, speaking: Sequence[RunRecord], task_id: str) -> RunRecord | None:
    """The open run in which a person is asked whether to try again what was cut off."""
    for record in speaking:
        book = await books.of_run(record.run_id)
        if book.status_of(task_id) is ExecutionStatus.NEEDS_INPUT and not has_open_attempt(book, task_id):
            return record
    return None


def _if_it_counts(standing: Standing | None) -> Standing | None:
    """An end that keeps an open run from doing the task; one that was only stopped or blocked elsewhere does not."""
    return standing if is_satisfied(standing) or is_kept(standing) else None


def _reopening(task_ids: Sequence[str]) -> Deed:
    def deed(run: LiveRun) -> list[str]:
        reopened = answering.retry(run, task_ids, "", None)
        run.scheduler.settle()
        return reopened

    return deed
