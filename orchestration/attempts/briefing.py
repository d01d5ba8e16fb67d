"""All that an attempt is given before it begins: its text, its inputs, what it may see, and what of that is secret.

Nothing is written for a cheap task except the files named by `$ORCH_OUTPUT` and `$ORCH_INPUTS`; they live in folders
for the whole run (names that begin with a dot, so no task can have them), and tasks without inputs share one file.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from orchestration import prompts
from orchestration.attempts.outputs import make_empty, write_inputs
from orchestration.attempts.place import Assignment, Place
from orchestration.attempts.upstream import Upstream
from orchestration.checks import MARKER
from orchestration.errors import OrchError, TemplateError
from orchestration.kinds import ExecutionStatus
from orchestration.ledger import Ledger
from orchestration.masking import Masker
from orchestration.models import Agent, Task
from orchestration.nothing import nothing
from orchestration.process import child_environment, in_bytes
from orchestration.process.environment import ALLOWED
from orchestration.protocols import Session, Work, ignore
from orchestration.records import dataclass
from orchestration.results import Outcome, Usage
from orchestration.vault.suspects import secret_names

_SUCCESS: Final = ExecutionStatus.SUCCESS.value

PROXIES: Final = frozenset(name for name in ALLOWED if name.lower().endswith("_proxy"))
"""Variables that every child sees and that may hold a password, inside of an address."""

ENDS_OF_SESSIONS: Final = frozenset({"session_unknown", "context_overflow"})
"""Classes of errors after which going on with the session can only fail again: it is gone, or it is full."""


@dataclass(frozen=True, slots=True)
class Hearers:
    """Whom an executor tells what the attempt uses, what can be said of it if it is cut off, and what it leaves."""

    spent: Callable[[Usage], None] = ignore
    keep: Callable[[Outcome], None] = ignore
    abandon: Callable[[Awaitable[Any]], None] = ignore


class Briefing:
    """Briefs the attempts of one run.

    Args:
        run_id: the run.
        place: where it happens.
        upstream: for a task, the ids of everything that it depends on, directly or not.
        ledger: knows what came of them.
    """

    def __init__(self, run_id: str, place: Place, upstream: Callable[[str], list[str]], ledger: Ledger) -> None:
        """Nothing is written."""
        self._run_id = run_id
        self._place = place
        self._upstream = upstream
        self._ledger = ledger
        self._no_inputs: str | None = None
        self._seen: dict[tuple[str, ...], dict[str, str]] = {}
        self._maskers: dict[tuple[tuple[str, ...], ...], Masker | None] = {}
        self._folder = str(place.state)

    async def work(
        self,
        task_id: str,
        assignment: Assignment,
        agent: Agent,
        attempt: int,
        slot: int,
        hearers: Hearers | None = None,
    ) -> Work:
        """The attempt, with all that it is given; `hearers` are whom its executor tells.

        Raises:
            TemplateError: a text of the task cannot be rendered.
            SecretMissing: a secret that it needs cannot be had.
        """
        task, settings = assignment.task, self._place.settings
        task = task if task.id == task_id else task.model_copy(update={"id": task_id})
        context = self.context(task_id, assignment, attempt)
        inputs = context["inputs"] = prompts.render_value(task.inputs, context) if task.inputs else {}
        upstream = context["tasks"].of((*task.depends_on, *assignment.draws_on))
        prompt = self.prompt(task_id, assignment, agent, context)
        chosen, secrets = await self._chosen(task, agent, context, attempt)
        environment = {**chosen, **self._ours(task, attempt, slot, upstream, inputs)}
        keys = self._keys(assignment.agent_name, agent, environment)
        hearers = hearers or Hearers()
        return Work(
            run_id=self._run_id,
            task=task,
            agent_name=assignment.agent_name,
            agent=agent,
            attempt=attempt,
            slot=slot,
            prompt=prompt,
            directory=self._place.directory,
            folder=self.folder(task_id, attempt),
            environment=environment,
            upstream=upstream,
            inputs=inputs,
            parameters=self._place.parameters,
            timeout=_first(task.timeout, agent.timeout, settings.timeout),
            idle_timeout=_first(task.idle_timeout, agent.idle_timeout, settings.idle_timeout),
            kill_grace=_first(task.kill_grace, agent.kill_grace, settings.kill_grace) or 0.0,
            keys=keys,
            session=self._session(task_id, assignment),
            masker=self._masker(task, agent, {**environment, **keys} if keys else environment, secrets, keys),
            spent=hearers.spent,
            keep=hearers.keep,
            abandon=hearers.abandon,
        )

    def prompt(self, task_id: str, assignment: Assignment, agent: Agent, context: Mapping[str, Any]) -> str:
        """The exact text for whoever does the work; a shell command needs none, and is never a template."""
        task = assignment.task
        if agent.kind == "shell":
            return task.description
        if assignment.draws_on:
            task = task.model_copy(update={"depends_on": (*task.depends_on, *assignment.draws_on)})
        return prompts.prompt_for(
            task,
            context,
            self._failed_before(task_id, context["attempt"]),
            instructions=self._place.instructions_for(assignment.agent_name, agent) or None,
            templates=self._place.templates(),
            by_answer=agent.kind == "api",
        )

    def context(self, task_id: str, assignment: Assignment, attempt: int) -> dict[str, Any]:
        """What templates and conditions can name."""
        task = assignment.task
        needs = self._upstream(task_id) if _has_templates(task) else task.depends_on
        return {
            "tasks": Upstream((*needs, *assignment.draws_on), self._came_of),
            "inputs": task.inputs,
            "parameters": self._place.parameters,
            "task": {"id": task.id, "title": task.name, "labels": task.labels, "phase": task.phase},
            "run_id": self._run_id,
            "attempt": attempt,
        }

    def folder(self, task_id: str, attempt: int) -> Path:
        """The attempt's own folder; it need not exist."""
        return self._place.state.joinpath(task_id, str(attempt))

    def forget(self, work: Work) -> None:
        """Remove what was only there to be passed in and out."""
        for name in ("ORCH_OUTPUT", "ORCH_INPUTS"):
            path = work.environment[name]
            if path != self._no_inputs:
                _remove(path)

    def forget_cut_off(self, task_id: str, attempt: int) -> None:
        """Remove the same of an attempt that ended together with its `orch`; nothing of it is alive any more."""
        name = f"{task_id.replace('/', '~')}.{attempt}"
        for path in (f".outputs/{name}", f".inputs/{name}.json", f"{task_id}/{attempt}/supervisor.json"):
            _remove(f"{self._folder}/{path}")

    # -- the environment ----------------------------------------------------------------------------------------

    async def _chosen(
        self, task: Task, agent: Agent, context: Mapping[str, Any], attempt: int
    ) -> tuple[dict[str, str], Mapping[str, str]]:
        """What every command of the attempt may see of ours and of what was written; and the secrets in it."""
        settings = self._place.settings
        written = {**settings.env, **agent.env, **task.env}
        extra = {name: _variable(name, str(prompts.render(text, context))) for name, text in written.items()}
        names, marker = (*agent.secrets, *task.secrets), (MARKER, self._marker(task, attempt))
        secrets = await self._secrets(names, marker) if names else nothing()
        return {**self._allowed(self._passed(task, agent)), **extra, **secrets}, secrets

    async def _secrets(self, names: tuple[str, ...], marker: tuple[str, str]) -> Mapping[str, str]:
        """The secrets of these names: as they are known already, or looked up now."""
        place = self._place
        found = {name: place.known_secrets[name] for name in names if name in place.known_secrets}
        wanted = [name for name in dict.fromkeys(names) if name not in found]
        if wanted:
            from orchestration.vault import secrets_for  # noqa: PLC0415  # only who has secrets pays for it

            sources, ours, children = place.settings.secrets, place.environment, place.children
            found |= await secrets_for(wanted, sources, ours, place.directory, children=children, marker=marker)
        return found

    def _passed(self, task: Task, agent: Agent) -> tuple[str, ...]:
        return (*self._place.settings.pass_env, *agent.pass_env, *task.pass_env)

    def _keys(self, agent_name: str, agent: Agent, environment: Mapping[str, str]) -> dict[str, str]:
        """What the agent alone may see."""
        own = self._place.own_names(agent_name, agent)
        seen = self._place.environment
        return {name: seen[name] for name in own if name in seen and name not in environment}

    def masker_before(self, assignment: Assignment) -> Masker:
        """What hides the secrets that stand written, or are passed on; all others are looked up for an attempt only."""
        task, agent, settings = assignment.task, assignment.agent, self._place.settings
        own = {} if isinstance(agent, OrchError) else agent.env
        passed = (*settings.pass_env, *task.pass_env) if isinstance(agent, OrchError) else self._passed(task, agent)
        written = {**settings.env, **own, **task.env}
        return self._new_masker({**self._allowed(passed), **written}, {}, {*written, *passed}) or Masker()

    def _masker(
        self, task: Task, agent: Agent, every: Mapping[str, str], secrets: Mapping[str, str], keys: Mapping[str, str]
    ) -> Masker | None:
        """What hides the secrets among the variables, None where there are none."""
        passed, written = self._passed(task, agent), (self._place.settings.env, agent.env, task.env)
        if secrets or self._place.known_secrets or any(written):
            return self._new_masker(every, secrets, {name for names in (*written, passed, keys) for name in names})
        seen = passed, tuple(keys)
        if seen not in self._maskers:  # all that could hide something is of our own environment, which does not change
            self._maskers[seen] = self._new_masker(every, secrets, {*passed, *keys})
        return self._maskers[seen]

    def _new_masker(
        self, every: Mapping[str, str], secrets: Mapping[str, str], guess: AbstractSet[str]
    ) -> Masker | None:
        suspects = secret_names(every, secrets, guess=guess | PROXIES)
        hidden = {name: every[name] for name in suspects}
        known = self._place.known_secrets.items()
        hidden |= {f"{name} of the run": text for name, text in known if hidden.get(name) != text}
        return Masker(hidden) if hidden else None

    def _allowed(self, passed: tuple[str, ...]) -> dict[str, str]:
        """What of our own environment passes; chosen once for all attempts that may see the same."""
        found = self._seen.get(passed)
        if found is None:
            found = self._seen[passed] = child_environment(self._place.environment, passed)
        return found

    def _ours(
        self, task: Task, attempt: int, slot: int, upstream: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> dict[str, str]:
        """What the run itself tells an attempt."""
        name = task.id.replace("/", "~")
        given = f"{self._folder}/.outputs/{name}.{attempt}"
        make_empty(given)
        if attempt > 1:  # whoever was killed with the attempt before could not remove what that had to pass on
            _remove(f"{self._folder}/.outputs/{name}.{attempt - 1}")
        return {
            "ORCH_TASK_ID": task.id,
            "ORCH_RUN_ID": self._run_id,
            "ORCH_ATTEMPT": str(attempt),
            "ORCH_ATTEMPT_ID": self._marker(task, attempt),
            "ORCH_IDEMPOTENCY_KEY": f"{self._run_id}/{task.id}",
            "ORCH_OUTPUT": given,
            "ORCH_INPUTS": self._inputs_file(f"{name}.{attempt}", upstream, inputs),
            "ORCH_SLOT": str(slot),
        }

    def _marker(self, task: Task, attempt: int) -> str:
        """By what everything is found that belongs to an attempt."""
        return f"{self._run_id}{self._place.mark}/{task.id}/{attempt}"

    def _inputs_file(self, number: str, upstream: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
        if upstream or inputs:
            path = f"{self._folder}/.inputs/{number}.json"
            write_inputs(path, upstream, inputs)
            return path
        if self._no_inputs is None:
            self._no_inputs = f"{self._folder}/.inputs/none.json"
            write_inputs(self._no_inputs, {}, {})
        return self._no_inputs

    # -- what is known ------------------------------------------------------------------------------------------

    def _failed_before(self, task_id: str, attempt: int) -> Outcome | None:
        """What failed before this attempt; for a part of a task, what failed of the whole."""
        found = self._ledger.previous_failure(task_id) if attempt > 1 else None
        whole = task_id.rpartition("/")[0]
        return self._ledger.previous_failure(whole) if found is None and whole else found

    def _came_of(self, task_id: str) -> dict[str, Any]:
        done = self._ledger.done_at_first_try(task_id)
        if done is not None:  # as nearly all are, and a task may depend on hundreds
            return {"status": _SUCCESS, "output": done.output, "outputs": dict(done.outputs)}
        result = self._ledger.result(task_id)
        return {"status": result.status.value, "output": result.output, "outputs": dict(result.outputs)}

    def _session(self, task_id: str, assignment: Assignment) -> Session | None:
        """The session of the latest attempt by the same agent, if the task wants its attempts to go on with it."""
        retry = assignment.task.retry or self._place.settings.retry
        if retry is None or retry.session != "resume":
            return None
        mine = [one.outcome for one in self._ledger.attempts_of(task_id) if one.agent == assignment.agent_name]
        return session_of(mine)


def session_of(outcomes: Sequence[Outcome]) -> Session | None:
    """The session that these attempts, oldest first, leave to go on with; none where the latest came to its end."""
    for one in reversed(outcomes):
        if one.metadata.get("error_class") in ENDS_OF_SESSIONS:
            return None
        if one.session_id is not None:
            return Session(one.session_id, _totals_of([it for it in outcomes if it.session_id == one.session_id]))
    return None


def _totals_of(outcomes: Sequence[Outcome]) -> Mapping[str, Any] | None:
    """What a session had used: nothing where none of its attempts counted anything, None where that is not known."""
    known: list[Mapping[str, Any]] = [it for one in outcomes if (it := one.metadata.get("session_totals"))]
    if known:
        return known[-1]
    return {} if all(one.usage is None for one in outcomes) else None


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # a task may have made anything of it
        os.unlink(path)  # noqa: PTH108  # once per attempt, and a Path costs more than the call


def _variable(name: str, text: str) -> str:
    """The value of a variable, which may have come from other tasks; raises `TemplateError` where it cannot be one."""
    if "\0" in text:
        raise TemplateError(f"env.{name}: it holds a zero byte, which no variable can")
    try:
        in_bytes(text)
    except UnicodeEncodeError as error:
        raise TemplateError(
            f"env.{name}: {text[error.start]!r} is half of a character, which no variable can hold"
        ) from error
    return text


def _has_templates(task: Task) -> bool:
    """Whether a text of the task could name what is further up than its own dependencies."""
    if task.when is not None:
        return True
    texts = [task.description, *([str(task.inputs)] if task.inputs else ()), *task.env.values()]
    return any("{{" in text or "{%" in text for text in texts)


def _first(*values: float | None) -> float | None:
    """The first that was given: the attempt's own over the agent's over the project's."""
    for value in values:
        if value is not None:
            return value
    return None
