"""What the agent said, how its process ended and who ended it → one outcome. Never a success that is none.

Success asks for all of it: the final event is there and good, the process ended by itself with an accepted exit code
(or lingered after its good final event until we ended it), the answer is not empty where one is required, and no error
class that counts "even when good" fits. Everything else is a failure of the kind that says most:

1. We ended it (time limits, cancelling, budget): that, whatever was said before.
2. An error class fits: its kind. After a signal from elsewhere classes are asked only if the agent had reported its
   failure; being killed while a limit is being waited for is no limit.
3. The agent reported failure, or a signal or a bad exit code ended it.
4. It ended well and there is no final event (somebody killed it, and it hid that), or a wrong or empty answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orchestration.adapters.classes import Evidence, Found, iso
from orchestration.adapters.form import Form
from orchestration.adapters.numbers import Shown
from orchestration.kinds import Failure
from orchestration.records import dataclass
from orchestration.results import Outcome, Usage

MAX_ERROR: Final = 4000
"""Characters of an error for people; the logs have it all."""

_LAST_LINES: Final = 5

_ENDED: Final = {
    "timeout": (Failure.TIMEOUT, "it was ended at its time limit"),
    "idle_timeout": (Failure.IDLE_TIMEOUT, "it was ended because it had been silent for too long"),
    "first_output": (Failure.IDLE_TIMEOUT, "it was ended because nothing at all came from it"),
    "cancelled": (Failure.CANCELLED, "it was cancelled"),
    "budget": (Failure.BUDGET, "it was ended because the budget was spent"),
}
HAD_REPORTED: Final = "it had reported: "
_BY_ITSELF: Final = frozenset({None, "", "itself"})
LINGERING: Final = "lingering"


@dataclass(frozen=True, slots=True)
class End:
    """How the process ended; a negative exit code is a signal, as Python has it."""

    exit_code: int | None = None
    signal: int | None = None
    ended_by: str | None = "itself"
    stdout_tail: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known at the end."""

    form: Form
    name: str
    state: str | None
    end: End
    answer: str
    error: str
    stderr: str
    stdout: str
    usage: Usage | None
    session_id: str | None
    session_lost: bool
    session_totals: Mapping[str, Any] | None
    model: str | None
    turns: int | None
    agent_version: str | None
    denials: tuple[str, ...]
    warnings: tuple[str, ...]
    evidence: Evidence

    @property
    def signal(self) -> int | None:
        """The signal that ended the process."""
        code = self.end.exit_code
        return self.end.signal or (-code if code is not None and code < 0 else None)

    @property
    def exit_code(self) -> int | None:
        """The exit code, where there was no signal."""
        return None if self.signal else self.end.exit_code

    @property
    def is_good(self) -> bool:
        """Whether the agent's own words and its process agree that all went well."""
        lingered = self.end.ended_by == LINGERING and self.form.end == "event"
        accepted = self.exit_code in self.form.accepted_exit_codes
        return self.said == "good" and (lingered or (accepted and self.end.ended_by in _BY_ITSELF))

    @property
    def said(self) -> str | None:
        """`good` or `failed` as the agent said, None where it did not; a form without such rules leaves it open."""
        settles = any(rule.final is not None or rule.good_when is not None for rule in self.form.events)
        if not settles and self.form.end == "process":
            return "good"
        return self.state if self.state in {"good", "failed"} else None


@dataclass(frozen=True, slots=True)
class _Ruling:
    failure: Failure | None
    error: str | None = None
    found: Found | None = None


def outcome_of(facts: Facts) -> Outcome:
    """Say what came of the attempt."""
    ruling = _ruling(facts)
    claims = {"good": "done", "failed": "failed"}
    return Outcome(
        failure=ruling.failure,
        error=None if ruling.error is None else ruling.error[:MAX_ERROR],
        output=facts.answer,
        exit_code=facts.exit_code,
        signal=facts.signal,
        ended_by=facts.end.ended_by or "itself",
        claim=claims.get(facts.state or ""),
        usage=facts.usage,
        session_id=facts.session_id,
        metadata=_metadata(facts, ruling),
    )


def _ruling(facts: Facts) -> _Ruling:
    ended_by = facts.end.ended_by
    if ended_by in _ENDED:
        failure, why = _ENDED[ended_by]
        return _Ruling(failure, f"{why}; {HAD_REPORTED}{facts.error}" if facts.error else why)
    good = facts.is_good
    was_killed = facts.signal is not None and facts.said != "failed" and ended_by != LINGERING
    texts = {"error": facts.error, "stderr": facts.stderr, "stdout": facts.stdout, "answer": facts.answer}
    found = None if was_killed else facts.evidence.find(texts, good=good)
    if found is not None:
        said = facts.error or found.line
        return _Ruling(found.form.failure, said or _reported(facts, "it failed"), found)
    if good:
        if facts.answer or facts.form.answer_is == "optional":
            return _Ruling(None)
        return _Ruling(Failure.NO_OUTPUT, "it ended well, and its answer is empty")
    return _unexplained(facts)


def _unexplained(facts: Facts) -> _Ruling:
    """A failure that no class knows."""
    if facts.said == "failed":
        return _Ruling(Failure.EXIT_CODE, _reported(facts, "it reported a failure"))
    if facts.end.ended_by == LINGERING:
        return _Ruling(Failure.INVALID_OUTPUT, "it was ended, and there is no good final event")
    if facts.signal is not None or facts.exit_code is None or facts.end.ended_by not in _BY_ITSELF:
        how = f"it was ended by signal {facts.signal}" if facts.signal else "nobody knows how it ended"
        return _Ruling(Failure.CRASHED, _reported(facts, how, asked=False))
    if facts.exit_code not in facts.form.accepted_exit_codes:
        return _Ruling(Failure.EXIT_CODE, _reported(facts, f"it ended with exit code {facts.exit_code}"))
    what = "final event" if facts.form.end == "event" else "good end in its output"
    return _Ruling(Failure.INVALID_OUTPUT, _reported(facts, f"it exited with 0, and there is no {what}", asked=False))


def _reported(facts: Facts, otherwise: str, *, asked: bool = True) -> str:
    """The agent's own words where it had some, else what happened with the last lines of standard error."""
    if asked and facts.error:
        return facts.error
    text = facts.stderr if facts.stderr.strip() else facts.stdout
    lines = [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    return f"{otherwise}: " + "\n".join(lines) if lines else otherwise


def _metadata(facts: Facts, ruling: _Ruling) -> dict[str, Any]:
    found = ruling.found
    resets = found.resets_at if found else None
    possible = {
        "error_class": found.form.class_ if found else None,
        "model": facts.model,
        "turns": facts.turns,
        "permission_denials": list(facts.denials) or None,
        "resets_at": iso(resets) if isinstance(resets, datetime) else None,
        "resets_clock": str(resets) if isinstance(resets, Shown) else None,
        "retry_after": found.retry_after if found else None,
        "session_totals": facts.session_totals,
        "session_lost": facts.session_lost or None,
        "agent_version": facts.agent_version,
        "lingered": True if facts.end.ended_by == LINGERING else None,
        "warnings": list(facts.warnings) or None,
    }
    known = {key: value for key, value in possible.items() if value is not None}
    return {"adapter": facts.name, "final_event": facts.state in {"good", "failed"}, **known}
