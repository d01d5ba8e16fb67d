"""Policies: when a task is tried again, what work may cost, how an account is treated that reached its limit."""

from contextlib import suppress
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from orchestration.kinds import Failure
from orchestration.models.fields import Duration, Limit, Written, listed, seconds_of

MAX_CONCURRENT: Final = 10_000
"""More slots than any machine has processes to spare; each slot costs a little before it does anything."""


class Backoff(Written):
    """How long to wait before the next attempt: `initial`, multiplied by `factor` each time, never over `max`.

    A `max` that nobody wrote cuts nothing off a first wait that somebody did.
    """

    initial: Duration = 1.0
    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    max: Duration = 60.0

    @property
    def longest(self) -> float:
        """The longest wait, in seconds."""
        return self.max if "max" in self.model_fields_set else max(self.max, self.initial)


def _initial(value: object) -> object:
    return value if isinstance(value, dict | Backoff) else {"initial": value}


_ACCOUNT_BACKOFF: Final = Backoff.model_construct(initial=30.0, factor=2.0, max=900.0)


def _of_account(value: object) -> object:
    """What was written of an account's, beside what accounts have for the rest of it."""
    if isinstance(value, Backoff):
        return value
    given = value if isinstance(value, dict) else {"initial": value}
    written = {key: word for key, word in given.items() if word is not None}
    filled = {"initial": _ACCOUNT_BACKOFF.initial, **written}
    if "max" not in filled:
        with suppress(ValueError):  # no duration, as will be said of it
            filled["max"] = max(_ACCOUNT_BACKOFF.max, seconds_of(filled["initial"]))
    return filled


class RetryPolicy(Written):
    """When a failed attempt is followed by another one.

    `max` counts attempts, the first included; `on` lists the kinds of failure that are worth another try; `jitter` is
    the fraction by which each wait is spread, so that many tasks do not come back at the same moment. `session` says
    whether the next attempt goes on in the failed one's session, where its agent can do that, or in a fresh one.
    """

    max: Annotated[int, Field(ge=1, le=1000)] = 3
    on: Annotated[tuple[Failure, ...], BeforeValidator(listed, json_schema_input_type=Failure | list[Failure])] = (
        Failure.EXIT_CODE,
        Failure.TIMEOUT,
        Failure.CHECK_FAILED,
        Failure.CRASHED,
    )
    backoff: Annotated[Backoff, BeforeValidator(_initial, json_schema_input_type=Backoff | float | str)] = (
        Backoff.model_construct()  # all defaults, so that nothing has to be checked
    )
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    session: Literal["resume", "fresh"] = "fresh"

    @model_validator(mode="before")
    @classmethod
    def _from_a_number(cls, data: Any) -> Any:  # noqa: ANN401  # pydantic hands over whatever was written
        return {"max": data} if isinstance(data, int) and not isinstance(data, bool) else data


class Budget(Written):
    """What a task, or a run, may use before it is stopped: dollars, tokens (input and output together), wall time."""

    cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    wall: Limit | None = None


class Account(Written):
    """How the agents of one account share it, and how long work waits for it when it has reached its limit.

    `max_concurrent` bounds all its agents together. A refusal that names no time is waited for by `backoff`; one that
    names a time further away than `max_wait` is not waited for: the run pauses, and goes on when it is called again.
    """

    max_concurrent: Annotated[int, Field(ge=1, le=MAX_CONCURRENT)] | None = None
    max_wait: Duration = 6 * 3600.0
    backoff: Annotated[Backoff, BeforeValidator(_of_account, json_schema_input_type=Backoff | float | str)] = (
        _ACCOUNT_BACKOFF
    )


class Price(Written):
    """Dollars per million tokens of one model; what is left out is priced like ordinary input."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached_read: Annotated[float, Field(ge=0)] | None = None
    cache_write: Annotated[float, Field(ge=0)] | None = None
