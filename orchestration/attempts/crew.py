"""The crew of one run: for each task its agent, its surroundings and its checks.

The scheduler says "attempt 2 of TASK-001, in slot 0"; everything that belongs to that attempt happens here, in order:
texts are rendered with what came of the dependencies, the environment is put together from what is allowed, the setup
commands run, the executor for the agent's kind does the work, `$ORCH_OUTPUT` is read, checks decide. Whatever goes
wrong on this way is an outcome with a kind; only faults of ours raise.

Nothing is written for a cheap task except what it writes itself: the files named by `$ORCH_OUTPUT` live in one folder
for the whole run (a name that begins with a dot, so no task can have it), and a task without inputs shares one file.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestration import checks, prompts
from orchestration.attempts.outputs import BadOutputs, keep_inline, make_empty, read_outputs, write_inputs
from orchestration.errors import OrchError, TemplateError
from orchestration.kinds import Failure
from orchestration.ledger import Ledger
from orchestration.models import Agent, Settings, Task
from orchestration.process import LiveChildren, child_environment
from orchestration.protocols import Executor, Report, Work
from orchestration.results import CheckResult, Outcome

MAX_EVIDENCE: Final = 4000
"""Characters of a failed check's log that the error quotes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's work happens.

    Attributes:
        directory: where tasks run.
        state: the run's own folder, for logs and the files tasks get and give.
        environment: what the children's allow-list draws from; never passed on whole.
        settings: the project's defaults.
        children: every live process tree, so that all can be ended at once.
        executor_for: the executor of an agent's kind.
    """

    directory: Path
    state: Path
    environment: Mapping[str, str]
    settings: Settings
    children: LiveChildren
    executor_for: Callable[[str], Executor]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task and who does it; an error instead of an agent is what the attempt then fails with."""

    task: Task
    agent_name: str
    agent: Agent | OrchError


class Crew:
    """Does the attempts of one run, for the scheduler.

    Args:
        run_id: the run.
        place: where it happens.
        tasks: each task by the id that it has in the plan, with whoever does it.
        upstream: for a task, the ids of everything that it depends on, directly or not.
        ledger: knows what came of them.
    """

    def __init__(
        self,
        run_id: str,
        place: Place,
        tasks: Mapping[str, "Assignment"],
        upstream: Callable[[str], list[str]],
        ledger: Ledger,
    ) -> None:
        """Nothing is started or written."""
        self._run_id = run_id
        self._place = place
        self._tasks = tasks
        self._upstream = upstream
        self._ledger = ledger
        self._no_inputs: Path | None = None

    # -- for the scheduler --------------------------------------------------------------------------------------

    async def perform(self, task_id: str, attempt: int, slot: int, report: Report) -> Outcome:
        """One attempt; see the module's text for its steps."""
        agent = self._tasks[task_id].agent
        if isinstance(agent, OrchError):
            return Outcome(failure=Failure.AGENT_MISSING, error=_with_hint(agent))
        try:
            work = self._prepare(task_id, agent, attempt, slot)
        except TemplateError as error:
            return Outcome(failure=Failure.INVALID_OUTPUT, error=f"a text of the task cannot be rendered: {error}")
        given = Path(work.environment["ORCH_OUTPUT"])
        inputs = Path(work.environment["ORCH_INPUTS"])
        try:
            return await self._work(work, given, report)
        finally:
            _remove(given)
            if inputs != self._no_inputs:
                _remove(inputs)

    def decide(self, task_id: str) -> bool:
        """The value of the task's condition."""
        task = self._tasks[task_id].task
        return True if task.when is None else prompts.evaluate(task.when, self._context(task_id, 0))

    def salvage(self, task_id: str, attempt: int) -> Outcome:
        """Where the logs of an attempt are that was cut off."""
        folder = self._folder(task_id, attempt)
        return Outcome(log_path=str(folder) if folder.exists() else None)

    async def check(self, task_id: str, attempt: int, outputs: Mapping[str, Any]) -> tuple[CheckResult, ...]:
        """The task's checks on their own, for a task that a person says is done."""
        agent = self._tasks[task_id].agent
        if isinstance(agent, OrchError):
            raise agent
        work = self._prepare(task_id, agent, attempt, 0)
        return await check_work(work, outputs, self._place.children)

    def approval_prompt(self, task_id: str) -> str:
        """What a person reads who is asked whether the task may start."""
        task = self._tasks[task_id].task
        return f"May {task.id} start? {task.name}"

    # -- steps --------------------------------------------------------------------------------------------------

    async def _work(self, work: Work, given: Path, report: Report) -> Outcome:
        if work.task.setup:
            setup = await checks.run_setup(work, children=self._place.children)
            if setup is not None and not setup.passed:
                return _failed_setup(setup, work.folder)
        executor = self._place.executor_for(work.agent.kind)
        outcome = await executor.execute(work, _ChunkLog(work.folder, report))
        try:
            outputs = {**outcome.outputs, **read_outputs(given)}
        except BadOutputs as error:
            outputs = dict(outcome.outputs)
            if outcome.succeeded:
                outcome = replace(outcome, failure=Failure.INVALID_OUTPUT, error=str(error))
        output, output_file = keep_inline(outcome.output, work.folder)
        outcome = replace(outcome, outputs=outputs, output=output, output_file=output_file)
        if outcome.needs_input:
            _keep_prompt(work)
        return await self._checked(work, outcome) if outcome.succeeded else outcome

    async def _checked(self, work: Work, outcome: Outcome) -> Outcome:
        """Checks decide: an agent that says it is done, and is not, has failed."""
        results = await check_work(work, outcome.outputs, self._place.children)
        failed = [check for check in results if not check.passed]
        if not failed:
            return replace(outcome, checks=results)
        return replace(outcome, checks=results, failure=Failure.CHECK_FAILED, error=describe_failed(failed))

    def _prepare(self, task_id: str, agent: Agent, attempt: int, slot: int) -> Work:
        task = self._tasks[task_id].task
        settings, context = self._place.settings, self._context(task_id, attempt)
        inputs = prompts.render_value(task.inputs, context)
        context["inputs"] = inputs
        direct = {need: context["tasks"][need] for need in task.depends_on if need in context["tasks"]}
        work = Work(
            run_id=self._run_id,
            task=task if task.id == task_id else task.model_copy(update={"id": task_id}),
            agent_name=self._tasks[task_id].agent_name,
            agent=agent,
            attempt=attempt,
            slot=slot,
            prompt=self._prompt(task_id, agent, context),
            directory=self._place.directory,
            folder=self._folder(task_id, attempt),
            upstream=direct,
            inputs=inputs,
            parameters=self._place.parameters,
            timeout=_first(task.timeout, agent.timeout, settings.timeout),
            idle_timeout=_first(task.idle_timeout, agent.idle_timeout, settings.idle_timeout),
            kill_grace=_first(task.kill_grace, agent.kill_grace, settings.kill_grace) or 0.0,
        )
        return replace(work, environment=self._environment(work, context))

    def _prompt(self, task_id: str, agent: Agent, context: Mapping[str, Any]) -> str:
        """The exact text for whoever does the work; a shell command needs none, and is never a template."""
        task = self._tasks[task_id].task
        if agent.kind == "shell":
            return task.description
        previous = self._ledger.previous_failure(task_id) if context["attempt"] > 1 else None
        return prompts.prompt_for(task, context, previous)

    def _environment(self, work: Work, context: Mapping[str, Any]) -> dict[str, str]:
        task, agent, settings = work.task, work.agent, self._place.settings
        written = {**settings.env, **agent.env, **task.env}
        extra = {name: str(prompts.render(text, context)) for name, text in written.items()}
        number = f"{work.task.id}.{work.attempt}"
        given = self._place.state / ".outputs" / number
        make_empty(given)
        extra |= {
            "ORCH_TASK_ID": task.id,
            "ORCH_RUN_ID": work.run_id,
            "ORCH_ATTEMPT": str(work.attempt),
            "ORCH_ATTEMPT_ID": work.attempt_id,
            "ORCH_IDEMPOTENCY_KEY": f"{work.run_id}/{task.id}",
            "ORCH_OUTPUT": str(given),
            "ORCH_INPUTS": str(self._inputs_file(work, number)),
            "ORCH_SLOT": str(work.slot),
        }
        allow = (*settings.pass_env, *agent.pass_env, *task.pass_env)
        return child_environment(self._place.environment, allow, extra)

    def _inputs_file(self, work: Work, number: str) -> Path:
        folder = self._place.state / ".inputs"
        if work.upstream or work.inputs:
            path = folder / f"{number}.json"
            write_inputs(path, work.upstream, work.inputs)
            return path
        if self._no_inputs is None:
            self._no_inputs = folder / "none.json"
            write_inputs(self._no_inputs, {}, {})
        return self._no_inputs

    def _context(self, task_id: str, attempt: int) -> dict[str, Any]:
        """What templates and conditions can name."""
        task = self._tasks[task_id].task
        needs = self._upstream(task_id) if _has_templates(task) else list(task.depends_on)
        return {
            "tasks": {need: self._came_of(need) for need in needs},
            "inputs": task.inputs,
            "parameters": self._place.parameters,
            "task": {"id": task.id, "title": task.name, "labels": task.labels, "phase": task.phase},
            "run_id": self._run_id,
            "attempt": attempt,
        }

    def _came_of(self, task_id: str) -> dict[str, Any]:
        result = self._ledger.result(task_id)
        return {"status": result.status.value, "output": result.output, "outputs": dict(result.outputs)}

    def _folder(self, task_id: str, attempt: int) -> Path:
        return self._place.state / task_id / str(attempt)


class _ChunkLog:
    """Keeps yielded items in the attempt's `chunks.jsonl`, and passes everything on; text has a log of its own."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder, self._report = folder, report

    def __call__(self, item: Any, stream: str | None) -> Any:  # noqa: ANN401  # any item; what the listener says
        if stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "chunks.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(item, default=str) + "\n")
        return self._report(item, stream)


async def check_work(work: Work, outputs: Mapping[str, Any], children: LiveChildren) -> tuple[CheckResult, ...]:
    """All checks of a task; none where it declares none."""
    task = work.task
    if not (task.verify or task.deliverables or task.outputs):
        return ()
    return await checks.run_checks(work, outputs=outputs, children=children)


def describe_failed(failed: list[CheckResult]) -> str:
    """What failed, with the end of each log, bounded; the next attempt's agent reads this."""
    return "\n".join(
        f"{check.kind} failed: {check.name}"
        + (f" (exit code {check.exit_code})" if check.exit_code is not None else "")
        + (f"\n{check.log[-MAX_EVIDENCE:].rstrip()}" if check.log else "")
        for check in failed
    )


def _failed_setup(setup: CheckResult, folder: Path) -> Outcome:
    log = str(folder) if folder.exists() else None
    error = describe_failed([setup])
    return Outcome(failure=Failure.CHECK_FAILED, error=error, checks=(setup,), log_path=log)


def _keep_prompt(work: Work) -> None:
    """Put what a person is to read where they can open it."""
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / "prompt.md").write_text(work.prompt, encoding="utf-8")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _with_hint(error: OrchError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _has_templates(task: Task) -> bool:
    """Whether a text of the task could name what is further up than its own dependencies."""
    texts = [task.description, str(task.when or ""), str(task.inputs), *task.env.values()]
    return task.when is not None or any("{{" in text or "{%" in text for text in texts)


def _first(*values: float | None) -> float | None:
    """The first that was given: the attempt's own over the agent's over the project's."""
    return next((value for value in values if value is not None), None)
