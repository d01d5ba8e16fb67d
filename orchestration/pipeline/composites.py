"""Steps that are made of pipelines: beside each other, for each item, by choice, again and again.

Each can have an `on_failure`, as tasks have: what runs instead of the rest when it has failed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from orchestration.calls import is_async
from orchestration.errors import UsageError
from orchestration.steps.reading import (
    checked_count,
    checked_function,
    checked_mapping,
    checked_name,
    checked_value_name,
)

if TYPE_CHECKING:
    from orchestration.pipeline.pipeline import Step


def _plain(function: object, where: str) -> None:
    if is_async(checked_function(function, where)):
        raise UsageError(f"{where} is an async function; it has to decide at once", hint="compute it in a step before")


@dataclass
class Parallel:
    """Branches that run at once. What they return is known afterwards; of one name, the last branch's value.

    Args:
        name: unique among its siblings.
        branches: name → pipeline or task.
        max_concurrent: how many branches may go on at once; None for no limit.
    """

    name: str
    branches: "Mapping[str, Step]"
    max_concurrent: int | None = None
    on_failure: "str | Step | None" = None

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        checked_name(self.name)
        checked_count(self.max_concurrent, f"{self.name}: max_concurrent")
        checked_mapping(self.branches, f"{self.name}: branches")
        for name in self.branches:
            checked_name(name, f"a branch of {self.name}")


@dataclass
class Map:
    """A branch for each item of a list that is known when it starts. What the items return becomes lists, by item.

    Args:
        name: unique among its siblings.
        branch: pipeline or task, run once for each item.
        iterate_on: the name of the list: a parameter or an earlier return.
        iterate_as: the name under which the branch sees its item.
        reducer: makes one value of each list: called with the list, or with its values where it is `lambda *values: …`.
        max_concurrent: how many items may go on at once; None for no limit.
    """

    name: str
    branch: "Step"
    iterate_on: str
    iterate_as: str
    reducer: Callable[..., Any] | None = None
    max_concurrent: int | None = None
    on_failure: "str | Step | None" = None

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        checked_name(self.name)
        checked_value_name(self.iterate_on, f"{self.name}: iterate_on")
        checked_value_name(self.iterate_as, f"{self.name}: iterate_as")
        checked_count(self.max_concurrent, f"{self.name}: max_concurrent")
        if self.reducer is not None:
            _plain(self.reducer, f"{self.name}: reducer")


@dataclass
class Conditional:
    """One of several branches, chosen by a value.

    Args:
        name: unique among its siblings.
        branches: value → pipeline or task; a value is compared as it is, then as text.
        parameter: the name of the value that chooses: a parameter or an earlier return.
        condition: instead of it, a plain function whose answer chooses; its parameters are found by name.
        default: for all other values; without one, such a value is a failure.
    """

    name: str
    branches: "Mapping[Any, Step]"
    parameter: str | None = None
    condition: Callable[..., Any] | None = None
    default: "Step | None" = None
    on_failure: "str | Step | None" = None

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        checked_name(self.name)
        checked_mapping(self.branches, f"{self.name}: branches")
        if not self.branches:
            raise UsageError(f"{self.name}: there is no branch")
        if (self.parameter is None) == (self.condition is None):
            raise UsageError(f"{self.name}: give `parameter` or `condition`, one of them")
        if self.parameter is not None:
            checked_value_name(self.parameter, f"{self.name}: parameter")
        if self.condition is not None:
            _plain(self.condition, f"{self.name}: condition")
        names = [checked_name(str(key), f"a branch of {self.name}") for key in self.branches]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or (self.default is not None and "default" in names):
            told = twice[0] if twice else "default"
            raise UsageError(f"{self.name}: two branches would both be called {told}")


@dataclass
class Loop:
    """A branch again and again, until a condition holds. Each round sees what the one before returned.

    Args:
        name: unique among its siblings.
        branch: pipeline or task, run once for each round.
        until: when to stop after a round: the name of a return that is then true, an expression over what is known, or
            a plain function whose parameters are found by name.
        max_iterations: how many rounds there are at most.
        index_as: the name under which the branch sees the number of its round, from 0 on.
        at_max: whether reaching the maximum is a success, or a failure.
    """

    name: str
    branch: "Step"
    until: str | Callable[..., Any]
    max_iterations: int
    index_as: str | None = None
    at_max: Literal["succeed", "fail"] = "succeed"
    on_failure: "str | Step | None" = None

    def __post_init__(self) -> None:
        """Check what is written; raises UsageError."""
        checked_name(self.name)
        if callable(self.until):
            _plain(self.until, f"{self.name}: until")
        elif not str(self.until).strip():
            raise UsageError(f"{self.name}: until is empty; it is a name, an expression or a function")
        checked_count(self.max_iterations or 0, f"{self.name}: max_iterations")
        if self.index_as is not None:
            checked_value_name(self.index_as, f"{self.name}: index_as")
        if self.at_max not in {"succeed", "fail"}:
            raise UsageError(f"{self.name}: at_max is {self.at_max!r:.40}; it is 'succeed' or 'fail'")
