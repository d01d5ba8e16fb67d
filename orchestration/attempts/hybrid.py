"""Hybrid agents: which parts a task becomes, and what becomes of it when they have ended. Pure.

Every strategy is asked the same question whenever a part ends: seeing all parts of this attempt, is the task at an end,
does it become more, or is some of it not needed any more? The answer is recorded as an event, so that a crash between
two answers changes nothing. Edges survived: two racers that succeed in the same moment (the one that was recorded first
has won), a winner whose rivals have not ended yet (they are ended first, then the result counts), a judge who names
nobody, a vote with one candidate left (nobody is asked), a chain that breaks in the middle.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from orchestration.kinds import ExecutionStatus, Failure
from orchestration.models import HybridAgent
from orchestration.protocols import Decision, Drop, Expansion
from orchestration.records import dataclass
from orchestration.results import ExecutionResult, Outcome, Usage

JUDGE: Final = "judge"
CHECK: Final = "check"
LEG: Final = "leg"
"""Roles of parts beside the steps of a chain, which have names of their own."""

_PICK: Final = re.compile(r"winner\s*[=:]\s*[`*\"']*(?:[\w./#-]*leg-)?(\d+)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*(\d+)\s*")

_JUDGING: Final = (
    "Several candidates were made for the task above; they stand under the results of earlier tasks, in the order of "
    "their numbers: {names}. Decide which one is best, and end your answer with the line `winner=N`."
)
_REWORKING: Final = (
    "This is round {round} of at most {most}. What came of the round before stands under the results of earlier tasks."
)


@dataclass(frozen=True, slots=True)
class Leg:
    """A part as it was made, and how far it is."""

    item: Mapping[str, Any]
    result: ExecutionResult

    @property
    def id(self) -> str:
        """Its id in the run."""
        return str(self.item["id"])

    @property
    def role(self) -> str:
        """What it is for."""
        return str(self.item["role"])

    @property
    def succeeded(self) -> bool:
        """Whether it is done."""
        return self.result.status is ExecutionStatus.SUCCESS

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.result.status.is_final


class Parts:
    """Makes parts of one task, with ids that are new in the run."""

    def __init__(self, task_id: str, taken: int) -> None:
        """`taken` parts of the task exist already."""
        self._task_id = task_id
        self._number = taken

    def item(self, role: str, agent: str | None, *, checks: bool = True, **facts: Any) -> dict[str, Any]:  # noqa: ANN401
        """The description of one more part."""
        self._number += 1
        name = f"{self._task_id}/leg-{self._number}"
        return {"id": name, "role": role, "agent": agent, "needs": [], "draws_on": [], "checks": checks, **facts}


def first_parts(agent: HybridAgent, task_id: str, taken: int) -> Expansion:
    """What a task becomes when its attempt begins."""
    parts = Parts(task_id, taken)
    if agent.strategy == "fallback":
        items = [_fallback_leg(parts, agent, 0)]
    elif agent.strategy == "race":
        items = [parts.item(LEG, name) for name in agent.agents]
    elif agent.strategy == "vote":
        count = agent.candidates or len(agent.agents)
        items = [parts.item(LEG, agent.agents[n % len(agent.agents)]) for n in range(count)]
    else:
        items = _round(parts, agent, 1, [])
    return Expansion(agent.strategy, tuple(items))


def decide(
    agent: HybridAgent, task_id: str, taken: int, legs: Sequence[Leg], until: Callable[[Sequence[Leg]], bool]
) -> Decision | None:
    """What becomes of the task, seeing the parts of this attempt; None for nothing yet."""
    parts = Parts(task_id, taken)
    if agent.strategy == "race":
        return _race(legs)
    if not all(leg.is_over for leg in legs):
        return None
    if agent.strategy == "fallback":
        return _fallback(parts, agent, legs)
    if agent.strategy == "vote":
        return _vote(parts, agent, legs)
    return _chain(parts, agent, legs, until)


# -- fallback ---------------------------------------------------------------------------------------------------


def _fallback_leg(parts: Parts, agent: HybridAgent, n: int) -> dict[str, Any]:
    gives_way = [kind.value for kind in agent.on] if n + 1 < len(agent.agents) else []
    return parts.item(LEG, agent.agents[n], gives_way=gives_way)


def _fallback(parts: Parts, agent: HybridAgent, legs: Sequence[Leg]) -> Decision:
    last = legs[-1]
    if last.succeeded:
        return won(last, legs)
    if last.result.failure in agent.on and len(legs) < len(agent.agents):
        return Expansion("fallback", (_fallback_leg(parts, agent, len(legs)),))
    return lost(legs)


# -- race -------------------------------------------------------------------------------------------------------


def _race(legs: Sequence[Leg]) -> Decision | None:
    finished = [leg for leg in legs if leg.succeeded]
    still = tuple(leg.id for leg in legs if not leg.is_over)
    if not finished:
        return None if still else lost(legs)
    winner = min(finished, key=lambda leg: str(leg.result.completed_at))
    return Drop(still, f"lost the race to {winner.id}") if still else won(winner, legs)


# -- vote -------------------------------------------------------------------------------------------------------


def _vote(parts: Parts, agent: HybridAgent, legs: Sequence[Leg]) -> Decision:
    candidates = [leg for leg in legs if leg.role == LEG]
    fit = [leg for leg in candidates if leg.succeeded]
    judge = next((leg for leg in legs if leg.role == JUDGE), None)
    if not fit:
        return lost(candidates)
    if len(fit) == 1:
        return won(fit[0], legs)
    if judge is None:
        names = ", ".join(f"{n} is {leg.id}" for n, leg in enumerate(fit, 1))
        draws_on = [leg.id for leg in fit]
        asked = _JUDGING.format(names=names)
        made = parts.item(
            JUDGE, agent.judge, checks=False, draws_on=draws_on, prompt=asked, command=agent.judge_command
        )
        return Expansion("vote", (made,))
    if not judge.succeeded:
        return lost(legs, f"the judge failed: {judge.result.error}")
    picked = picked_by(judge.result)
    if picked is None or not 1 <= picked <= len(fit):
        said = f"named {picked}" if picked is not None else "named no winner"
        return lost(legs, f"the judge {said}; there are {len(fit)} candidates", Failure.INVALID_OUTPUT)
    return won(fit[picked - 1], legs)


def picked_by(result: ExecutionResult) -> int | None:
    """The number that a judge named: the value `winner`, the last `winner=N`, or a bare number."""
    value = result.outputs.get("winner")
    said = result.output if value is None else f"winner={value}"
    found = _PICK.findall(said)
    if found:
        return int(found[-1])
    bare = _NUMBER.fullmatch(said)
    return int(bare[1]) if bare else None


# -- chain ------------------------------------------------------------------------------------------------------


def _round(parts: Parts, agent: HybridAgent, number: int, before: Sequence[Leg]) -> list[dict[str, Any]]:
    steps = agent.parts
    items: list[dict[str, Any]] = []
    earlier = [leg.id for leg in before if leg.role != CHECK or not leg.succeeded]
    for place, step in enumerate(steps):
        told = [step.prompt] if step.prompt else []
        if number > 1:
            told.append(_REWORKING.format(round=number, most=agent.max_rounds))
        made = parts.item(
            step.name or "", step.agent, checks=place == len(steps) - 1, round=number, prompt="\n\n".join(told)
        )
        made["needs"] = [items[-1]["id"]] if items else []
        made["draws_on"] = [*(earlier if not items else []), *(item["id"] for item in items)]
        items.append(made)
    if agent.check is not None:
        made = parts.item(CHECK, None, checks=False, round=number, command=agent.check)
        made["needs"] = made["draws_on"] = [items[-1]["id"]]
        items.append(made)
    return items


def _chain(parts: Parts, agent: HybridAgent, legs: Sequence[Leg], until: Callable[[Sequence[Leg]], bool]) -> Decision:
    number = max(int(leg.item["round"]) for leg in legs)
    current = [leg for leg in legs if leg.item["round"] == number]
    steps = [leg for leg in current if leg.role != CHECK]
    if not all(leg.succeeded for leg in steps[:-1]):
        return lost(current)
    checked = all(leg.succeeded for leg in current)
    if checked and until(current):
        return won(steps[-1], legs)
    reviewed = steps[-1].succeeded or steps[-1].result.failure is Failure.CHECK_FAILED
    if reviewed and number < agent.max_rounds:
        return Expansion("chain", tuple(_round(parts, agent, number + 1, current)))
    if not reviewed:
        return lost(current)
    rounds = f"{number} round{'s' if number > 1 else ''}"
    missing = "the condition `until` does not hold" if checked else "the check has not passed"
    return lost(legs, f"after {rounds} {missing}", Failure.CHECK_FAILED)


# -- ends -------------------------------------------------------------------------------------------------------


def won(winner: Leg, legs: Sequence[Leg]) -> Outcome:
    """The task's outcome: what its best part yielded, and what all of them used."""
    result = winner.result
    return Outcome(
        output=result.output,
        outputs=result.outputs,
        exit_code=result.exit_code,
        claim="done",
        checks=result.checks,
        usage=_used(legs),
        session_id=result.session_id,
        log_path=result.log_path,
        metadata={"sum_of_parts": True, "winner": winner.id, "done_by": result.agent},
    )


_NOT_TRIED: Final = frozenset({Failure.AGENT_MISSING, Failure.CANCELLED})
"""Failures of parts that say nothing of the task where another part has tried it."""


def lost(legs: Sequence[Leg], why: str | None = None, failure: Failure | None = None) -> Outcome:
    """The task's outcome when none of its parts did it: that of the last one that could try, which is told first."""
    failed = [leg for leg in legs if leg.result.failure is not None]
    failed.sort(key=lambda leg: leg.result.failure not in _NOT_TRIED)
    failed.reverse()
    told = [f"{leg.id} ({leg.result.agent or leg.role}): {leg.result.error or leg.result.reason}" for leg in failed]
    kind = failure or (failed[0].result.failure if failed else None) or Failure.EXIT_CODE
    return Outcome(
        failure=kind,
        error="\n".join([*([why] if why else []), *told]) or "no part of the task succeeded",
        checks=failed[0].result.checks if failed else (),
        usage=_used(legs),
        metadata={"sum_of_parts": True},
    )


def _used(legs: Sequence[Leg]) -> Usage | None:
    used = [one.outcome.usage for leg in legs for one in leg.result.attempts if one.outcome.usage is not None]
    return sum(used[1:], used[0]) if used else None
