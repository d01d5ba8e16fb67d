"""Steps that somebody else does: a command, an agent program, a model, a person; as tasks of a backlog are done.

What is known where the step stands reaches it as a task's inputs do: in texts as `{{ parameters.name }}`, in the file
`$ORCH_INPUTS` names, and in variables `ORCH_PRM_name` (text as it is, everything else as JSON). Nothing that a value
holds is taken for a template.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from orchestration.attempts import Assignment, Crew
from orchestration.errors import UsageError
from orchestration.kinds import Failure
from orchestration.models import Agent, Task, Written
from orchestration.process import in_bytes
from orchestration.protocols import Expansion, Reporting
from orchestration.results import Outcome
from orchestration.shown import shown
from orchestration.steps.crew import StepCrew
from orchestration.steps.current import within
from orchestration.steps.home import Home
from orchestration.steps.reading import checked_mapping, seconds
from orchestration.steps.returns import BadReturn, Return, Returned, bind
from orchestration.steps.unit import Seat
from orchestration.steps.values import text_of

MAX_VARIABLE: Final = 64 * 1024
"""Bytes of a value that is given as a variable; the system bounds them, and longer ones are in `$ORCH_INPUTS` only."""

MAX_VARIABLES: Final = 512 * 1024
"""Bytes of all of them; the system bounds these too, and would not start the command."""

PREFIX: Final = "ORCH_PRM_"


class AgentLeaf:
    """Has one task done.

    Args:
        task: what is to be done; its id becomes the step's path.
        agent: who does it: an agent, or the name of one.
        returns: the names under which it passes values on.
    """

    def __init__(self, task: Task, agent: Agent | str | None, returns: tuple[Return, ...] = ()) -> None:
        """Nothing is looked up yet."""
        self.task = task
        self.agent = agent
        self.returns = returns
        self.doer = agent if isinstance(agent, str) else None
        self._kind = "agent" if isinstance(agent, str | None) else agent.kind

    @property
    def kind(self) -> str:
        """How it is done, in one word."""
        return self._kind

    async def perform(self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew) -> Outcome:
        """Have it done once."""
        known = shown(seat.box.known())
        texts = _texts(known)
        more = self.variables(seat, attempt, crew)
        assignment = self._assigned(seat.path, known, texts, more, crew.home, self.agent)
        own = crew.given_to(seat.path).secrets
        secrets = {} if crew.hiding is None else {**crew.hiding.known, **own}
        place = crew.home.place(crew.run_id, {**known, "_texts": {**texts, **more}}, secrets)
        attempts = Crew(crew.run_id, place, {seat.path: assignment}, _nobody, crew.ledger)
        try:
            with within(crew.situation(seat, attempt)):  # for agents that are functions
                outcome = await attempts.perform(seat.path, attempt, slot, report)
        except asyncio.CancelledError:
            self._leave(attempts.salvage(seat.path, attempt), seat.path, attempt, attempts, crew)
            raise
        if isinstance(outcome, Expansion):
            told = "a hybrid agent does tasks of a backlog, not steps; make a Parallel or a chain of steps of it"
            return Outcome(failure=Failure.AGENT_MISSING, error=told)
        if outcome.needs_input:
            told = "a person is asked for by tasks of a backlog, not by steps, which somebody waits for"
            return Outcome(failure=Failure.AGENT_MISSING, error=told)
        if outcome.abandoned:
            self._leave(outcome, seat.path, attempt, attempts, crew)
        if self.kind in {"shell", "script"}:  # others are told what is known in other ways
            outcome = _with_what_is_missing(outcome, known, texts)
        return self.bound(outcome) if outcome.succeeded and self.returns else outcome

    def _leave(self, left: Outcome, path: str, attempt: int, attempts: Crew, crew: StepCrew) -> None:
        """What there is to know of an attempt that was cut off, or that still goes on in a thread."""
        crew.left[path, attempt] = left
        if left.abandoned:
            crew.note_left_behind(path, attempt, partial(attempts.wait_for_return, path, attempt))

    def variables(self, seat: Seat, attempt: int, crew: StepCrew) -> Mapping[str, str]:
        """More variables for the process; texts as they are, and no templates."""
        del seat, attempt, crew
        return {}

    def override(self, changes: Mapping[str, Any], where: str) -> None:
        """Change the limits, the variables, or who does it; raises UsageError."""
        if "agent" in changes:
            self.agent = changes["agent"]
            self.doer = self.agent if isinstance(self.agent, str) else None
            self._check_agent(where)
        fields = {name: value for name, value in changes.items() if name != "agent"}
        if "env" in fields:
            checked_mapping(fields["env"], f"{where}: env")
            fields["env"] = {**self.task.env, **fields["env"]}
        for name in ("timeout", "idle_timeout"):
            seconds(fields.get(name), f"{where}: {name}")
        self.task = checked_task({**self.task.model_dump(exclude_unset=True), **fields}, where)

    def _check_agent(self, where: str) -> None:
        if self.agent is not None and not isinstance(self.agent, str | Written):
            raise UsageError(f"{where}: agent is {self.agent!r:.60}; it is an agent, or the name of one")

    def _assigned(
        self,
        path: str,
        known: Mapping[str, Any],
        texts: Mapping[str, str],
        more: Mapping[str, str],
        home: Home,
        doer: Agent | str | None,
    ) -> Assignment:
        names = [name for name in known if name.isidentifier()]
        inputs = {name: f"{{{{ parameters[{name!r}] }}}}" for name in names}
        variables = {f"{PREFIX}{name}": f"{{{{ parameters['_texts'][{name!r}] }}}}" for name in names if name in texts}
        changes = {
            "id": path,
            "inputs": {**inputs, **self.task.inputs},
            "env": {
                **variables,
                **self.task.env,
                **{name: f"{{{{ parameters['_texts'][{name!r}] }}}}" for name in more},
            },
        }
        return home.assignment(self.task.model_copy(update=changes), doer)

    def bound(self, outcome: Outcome) -> Outcome:
        """The outcome with the declared returns by name."""
        outputs = dict(outcome.outputs)
        only = self.returns[0].name
        if len(self.returns) == 1 and only not in outputs:
            outputs = {only: outputs["result"] if set(outputs) == {"result"} else outcome.output.removesuffix("\n")}
        try:
            named = bind(self.returns, Returned(outputs, is_end_event=True))
        except BadReturn as error:
            return replace(outcome, failure=Failure.INVALID_OUTPUT, error=f"{self.task.name}: {error}")
        return replace(outcome, outputs={**outcome.outputs, **named})


def checked_task(fields: Mapping[str, Any], where: str) -> Task:
    """A task as it is written.

    Raises:
        UsageError: something of it is not possible; names the field.
    """
    try:
        return Task.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _nobody(_: str) -> list[str]:
    """The tasks that a step waits for; what they passed on is known by name."""
    return []


def _texts(known: Mapping[str, Any]) -> dict[str, str]:
    """The values that can be variables, as their texts."""
    found: dict[str, str] = {}
    left = MAX_VARIABLES
    for name, value in known.items():
        text = text_of(value) if name.isidentifier() else "\0"
        size = _size(text)
        if size is not None and size <= min(MAX_VARIABLE, left):
            found[name] = text
            left -= size + len(name)
    return found


def _size(text: str) -> int | None:
    """The bytes of a text, None where no variable can hold it."""
    try:
        return None if "\0" in text else len(in_bytes(text))
    except UnicodeEncodeError:  # half of a character
        return None


def _with_what_is_missing(outcome: Outcome, known: Mapping[str, Any], texts: Mapping[str, str]) -> Outcome:
    """The outcome, with a warning of values that the command may look for in vain."""
    missing = [name for name in known if name.isidentifier() and name not in texts]
    if not missing:
        return outcome
    names = ", ".join(missing)
    why = "because they are too long, or hold a zero or half a character"
    told = f"no variables, {why}: {names}; they are in $ORCH_INPUTS"
    warnings = [*outcome.metadata.get("warnings", ()), told]
    return replace(outcome, metadata={**outcome.metadata, "warnings": warnings})
