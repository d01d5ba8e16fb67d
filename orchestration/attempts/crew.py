"""The crew of one run: for each task its agent, its surroundings and its checks.

The scheduler says "attempt 2 of TASK-001, in slot 0"; everything that belongs to that attempt happens here, in order:
it is briefed (texts, inputs, environment, secrets), the setup commands run, the executor for the agent's kind does the
work, `$ORCH_OUTPUT` is read, checks decide, secrets are masked in all that is kept. Whatever goes wrong on this way is
an outcome with a kind; only faults of ours raise. A task of a hybrid agent becomes several instead.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestration import checks, prompts
from orchestration.attempts import hybrid
from orchestration.attempts.briefing import Briefing, Hearers
from orchestration.attempts.judging import (
    DENIED,
    NO_CHANGE,
    check_work,
    describe_failed,
    failed_setup,
    has_checks,
    with_hint,
)
from orchestration.attempts.keeping import ChunkLog, keep_diff, keep_for_person, keep_result
from orchestration.attempts.outputs import BadOutputs, keep_inline, read_outputs
from orchestration.attempts.place import Assignment, Place
from orchestration.errors import OrchError, TemplateError
from orchestration.events import TaskExpanded
from orchestration.kinds import Failure
from orchestration.ledger import Ledger
from orchestration.masking import SHORTEST, Masker
from orchestration.models import HybridAgent
from orchestration.pricing import price
from orchestration.process import no_file_free
from orchestration.protocols import Decision, Expansion, Reporting, Work
from orchestration.results import CheckResult, Outcome, Usage
from orchestration.store.faults import concerns_the_disk, store_error

if TYPE_CHECKING:
    from orchestration.attempts.changes import Changes

MAX_SHOWN = 4_000
"""Characters of a description that a person is shown who is asked whether the work may begin."""

KEPT_WHOLE = frozenset({"cli", "scripted", "api"})
"""Kinds of agents of whose attempts everything is kept in files; those of others are in the database."""


class Crew:
    """Does the attempts of one run, for the scheduler.

    Args:
        run_id: the run.
        place: where it happens.
        tasks: each task by the id that it has in the plan, with whoever does it; parts are added as they come.
        upstream: for a task, the ids of everything that it depends on, directly or not.
        ledger: knows what came of them.
    """

    def __init__(
        self,
        run_id: str,
        place: Place,
        tasks: Mapping[str, Assignment],
        upstream: Callable[[str], list[str]],
        ledger: Ledger,
    ) -> None:
        """Nothing is started or written."""
        self._place = place
        self._tasks = dict(tasks)
        self._ledger = ledger
        self._briefing = Briefing(run_id, place, upstream, ledger)
        self._parts: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        self._left: dict[tuple[str, int], Outcome] = {}
        self._abandoned: dict[tuple[str, int], asyncio.Future[Any]] = {}

    # -- for the scheduler --------------------------------------------------------------------------------------

    async def perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None = None
    ) -> Outcome | Expansion:
        """One attempt; see the module's text for its steps.

        Raises:
            StoreError: the disk is full or fails: whatever follows would fail like this one, and has not begun yet.
        """
        try:
            return await self._perform(task_id, attempt, slot, report, agent)
        except OSError as error:
            if error.errno == errno.EMFILE:
                return Outcome(failure=Failure.INTERNAL, error=with_hint(no_file_free("open what it needs", error)))
            if not concerns_the_disk(error):
                raise
            raise store_error(error, self._place.state) from error

    async def _perform(
        self, task_id: str, attempt: int, slot: int, report: Reporting, agent: str | None
    ) -> Outcome | Expansion:
        assignment = self._tasks[task_id].by(agent)
        doer = assignment.agent
        if isinstance(doer, OrchError):
            return Outcome(failure=Failure.AGENT_MISSING, error=with_hint(doer))
        if isinstance(doer, HybridAgent):
            return hybrid.first_parts(doer, task_id, len(self._parts.get(task_id, ())))
        key = (task_id, attempt)
        model = self._place.model_of(assignment.agent_name, doer)

        masker: Masker | None = None

        def keep(outcome: Outcome) -> None:  # knows the masker and not the work, which knows it: no ring is left
            self._left[key] = _masked(masker, self._priced(outcome, model))

        def spent(usage: Usage) -> None:
            report.spent(price(usage, model, self._place.settings.prices))

        def abandon(end: Awaitable[Any]) -> None:
            self._abandoned[key] = asyncio.ensure_future(end)

        hearers = Hearers(spent, keep, abandon)
        try:
            work = await self._briefing.work(task_id, assignment, doer, attempt, slot, hearers)
        except TemplateError as error:
            return Outcome(failure=Failure.INVALID_OUTPUT, error=f"a text of the task cannot be rendered: {error}")
        except OrchError as error:  # a secret, or the project's instructions
            return Outcome(failure=Failure.AUTH, error=with_hint(error))
        masker = work.masker
        try:
            outcome = _warned(work, _masked(work.masker, self._priced(await self._work(work, report), model)))
        finally:
            self._briefing.forget(work)
        if doer.kind in KEPT_WHOLE:
            keep_result(work, outcome)
        return outcome

    def learn(self, event: TaskExpanded, parts: Mapping[str, Assignment]) -> None:
        """A task became several; who does each part."""
        self._tasks.update(parts)
        known = self._parts.setdefault(event.task_id, [])
        known += [(event.attempt or 0, item) for item in event.items]

    def join(self, task_id: str) -> Decision | None:
        """What is to become of a task of a hybrid agent, now that its parts are as they are."""
        assignment, known = self._tasks[task_id], self._parts[task_id]
        agent = assignment.agent
        if not isinstance(agent, HybridAgent):
            gone = "the agent of the task is no longer a hybrid one"
            return None if self._has_open_parts(task_id) else Outcome(failure=Failure.AGENT_MISSING, error=gone)
        attempt = known[-1][0]
        legs = [hybrid.Leg(item, self._ledger.result(item["id"])) for number, item in known if number == attempt]

        def until(current: Sequence[hybrid.Leg]) -> bool:
            return self._holds(agent.until, task_id, current)

        try:
            return hybrid.decide(agent, task_id, len(known), legs, until)
        except TemplateError as error:
            return hybrid.lost(legs, f"`until` cannot be evaluated: {error}", Failure.INVALID_OUTPUT)

    def decide(self, task_id: str) -> bool:
        """The value of the task's condition."""
        assignment = self._tasks[task_id]
        if assignment.task.when is None:
            return True
        return prompts.evaluate(assignment.task.when, self._briefing.context(task_id, assignment, 0))

    def salvage(self, task_id: str, attempt: int) -> Outcome:
        """What can be said of an attempt that was cut off: what it told before, and where its logs are."""
        folder = self._briefing.folder(task_id, attempt)
        left = self._left.pop((task_id, attempt), Outcome())
        return replace(left, log_path=str(folder) if folder.exists() else None)

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        """Wait until what an attempt had to leave behind has really ended; whatever comes of that is refused."""
        left_behind = self._abandoned.pop((task_id, attempt), None)
        if left_behind is not None:
            await asyncio.wait([left_behind])

    # -- for others ---------------------------------------------------------------------------------------------

    async def check(self, task_id: str, attempt: int, outputs: Mapping[str, Any]) -> tuple[CheckResult, ...]:
        """The task's checks on their own, for a task that a person says is done."""
        assignment = self._tasks[task_id]
        if isinstance(assignment.agent, OrchError):
            raise assignment.agent
        work = await self._briefing.work(task_id, assignment, assignment.agent, attempt, 0)
        try:
            return await check_work(work, outputs, self._place.children)
        finally:
            self._briefing.forget(work)

    def keep(self, task_id: str, attempt: int, output: str) -> tuple[str, str | None]:
        """The output of a person as it goes into the event, and the file that has all of it where it is long."""
        return keep_inline(output, self._briefing.folder(task_id, attempt))

    def forget(self, task_id: str, attempt: int) -> None:
        """Remove what an attempt left that ended together with its `orch`, and that only the attempt needed."""
        self._briefing.forget_cut_off(task_id, attempt)

    async def brief(self, task_id: str) -> Work:
        """The attempt that would come next, with everything that it would be given; nothing is started."""
        assignment = self._tasks[task_id]
        if isinstance(assignment.agent, OrchError):
            raise assignment.agent
        attempt = len(self._ledger.attempts_of(task_id)) + 1
        work = await self._briefing.work(task_id, assignment, assignment.agent, attempt, 0)
        self._briefing.forget(work)
        return work

    def approval_prompt(self, task_id: str) -> str:
        """What a person reads who is asked whether the task may start: what would be done, and by whom."""
        assignment = self._tasks[task_id]
        masker = self._briefing.masker_before(assignment)
        task, words = assignment.task, masker.text(assignment.task.description.strip())
        shown = words if len(words) <= MAX_SHOWN else f"{words[:MAX_SHOWN]}… ({len(words):,} characters in all)"
        by = f"By: {assignment.agent_name}" if assignment.agent_name else ""
        checked = f"Checked by: {'; '.join(task.verify)}" if task.verify else ""
        title = f"May {task.id} start?{f' {task.title}' if task.title else ''}"
        return "\n\n".join(part for part in (masker.text(title), by, shown, masker.text(checked)) if part)

    # -- steps --------------------------------------------------------------------------------------------------

    async def _work(self, work: Work, report: Reporting) -> Outcome:
        if work.task.setup:
            setup = await checks.run_setup(work, children=self._place.children)
            if setup is not None and not setup.passed:
                return failed_setup(setup, work.folder)
        watched = work.task.expects_changes or work.agent.kind == "cli"
        outcome = await (self._executed_in_sight(work, report) if watched else self._executed(work, report))
        is_open = outcome.succeeded and (has_checks(work.task) or DENIED in outcome.metadata)
        return await self._checked(work, outcome) if is_open else outcome

    async def _executed(self, work: Work, report: Reporting) -> Outcome:
        executor = self._place.executor_for(work.agent.kind, self._place.backend_of(work.agent))
        with ChunkLog(work, report) as listening:
            outcome = await executor.execute(work, listening)
        outcome = self._with_outputs(work, outcome)
        if outcome.needs_input:
            keep_for_person(work)
        return outcome

    async def _executed_in_sight(self, work: Work, report: Reporting) -> Outcome:
        """The same with a look at the folder before and after, as somebody wants to know what has changed."""
        scratch = self._place.state / ".changes" / f"{work.task.id.replace('/', '~')}.{work.attempt}"
        from orchestration.attempts.changes import watched  # noqa: PLC0415  # only such attempts pay for it

        place = self._place
        async with watched(
            work.directory, scratch, place.environment, children=place.children, masker=work.masker
        ) as changes:
            return await _with_changes(work, await self._executed(work, report), changes)

    def _priced(self, outcome: Outcome, model: str | None) -> Outcome:
        """What its agent did not say about the cost, by the table of prices; what has none is marked as unpriced."""
        if outcome.usage is None:
            return outcome
        usage = price(outcome.usage, outcome.metadata.get("model") or model, self._place.settings.prices)
        facts = {"unpriced": True} if usage.cost_usd is None else {}
        return replace(outcome, usage=usage, metadata={**outcome.metadata, **facts})

    def _with_outputs(self, work: Work, outcome: Outcome) -> Outcome:
        """What was passed on by file beside what the executor heard, and long output in a file of its own."""
        try:
            given = read_outputs(work.environment["ORCH_OUTPUT"], work.masker.text if work.masker else str)
        except BadOutputs as error:
            given = {}
            if outcome.succeeded:
                outcome = replace(outcome, failure=Failure.INVALID_OUTPUT, error=str(error))
        if given:
            outcome = replace(outcome, outputs={**outcome.outputs, **given})
        outcome = _masked(work.masker, outcome)
        output, output_file = keep_inline(outcome.output, work.folder)
        return outcome if output_file is None else replace(outcome, output=output, output_file=output_file)

    async def _checked(self, work: Work, outcome: Outcome) -> Outcome:
        """Checks decide: an agent that says it is done, and is not, has failed."""
        results = await check_work(work, outcome.outputs, self._place.children)
        failed = [check for check in results if not check.passed]
        outcome = replace(outcome, checks=results)
        if DENIED in outcome.metadata:
            from orchestration.adapters import denied  # noqa: PLC0415  # there already: an adapter has said so

            outcome = denied(outcome, proved=bool(results) and not failed)
        if outcome.failure is not None or not failed:
            return outcome
        return replace(outcome, failure=Failure.CHECK_FAILED, error=describe_failed(failed))

    # -- parts --------------------------------------------------------------------------------------------------

    def _has_open_parts(self, task_id: str) -> bool:
        return any(not self._ledger.status_of(item["id"]).is_final for _, item in self._parts[task_id])

    def _holds(self, condition: str | None, task_id: str, legs: Sequence[hybrid.Leg]) -> bool:
        """Whether the last round of a chain is good enough, by the words of its agent."""
        if condition is None:
            return True
        context = self._briefing.context(task_id, self._tasks[task_id], 0)
        context["legs"] = {
            leg.role: {
                "status": leg.result.status.value,
                "output": leg.result.output,
                "outputs": dict(leg.result.outputs),
            }
            for leg in legs
        }
        return prompts.evaluate(condition, context)


async def _with_changes(work: Work, outcome: Outcome, changes: "Changes") -> Outcome:
    found = await changes.found()
    if found is None:
        return outcome
    if found.diff:
        keep_diff(work, found.diff)
    facts: dict[str, Any] = {"changed_files": [*found.paths]} if found.paths else {}
    outcome = replace(outcome, metadata={**outcome.metadata, **facts})
    if work.task.expects_changes and not found.paths and outcome.succeeded:
        return replace(outcome, failure=Failure.NO_CHANGE, error=NO_CHANGE)
    return outcome


def _masked(masker: Masker | None, outcome: Outcome) -> Outcome:
    return outcome if masker is None else masker.record(outcome)


def _warned(work: Work, outcome: Outcome) -> Outcome:
    """Say which secrets are too short to be masked: whoever named them counts on it."""
    ignored = work.masker.ignored if work.masker is not None else ()
    if not ignored:
        return outcome
    told = [f"the secret {name} is shorter than {SHORTEST} characters, and is not masked" for name in ignored]
    return replace(outcome, metadata={**outcome.metadata, "warnings": [*outcome.metadata.get("warnings", ()), *told]})
