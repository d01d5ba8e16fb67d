"""What is refused where a step of a flow is made: values of the wrong kind, conditions that are none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.calls import is_async, name_of
from orchestration.errors import UsageError
from orchestration.graph import nearest

if TYPE_CHECKING:
    from orchestration.flow.steps import FlowStep
    from orchestration.steps.binding import Signature

_OF_CALLS: Final = frozenset(
    {
        "retry",
        "timeout",
        "idle_timeout",
        "kill_grace",
        "fallback",
        "cache",
        "version",
        "files",
        "returns",
        "serializer",
        "recompute",
        "stream_end_type",
        "on_crash",
        "secrets",
        "catalog",
    }
)
"""What can be said of a call, and not of a flow in a step's place."""


def refuse_wrong_kinds(step: "FlowStep") -> None:
    """Refuse what is of a kind that it cannot be, for YAML may hold anything; raises UsageError."""
    for name, what, fits in _KINDS:
        value = getattr(step, name)
        if not fits(value):
            raise UsageError(f"step {step.id}: {name} is {value!r:.80}; it is {what}")


def refuse_wrong_conditions(step: "FlowStep") -> None:
    """Refuse conditions that cannot be evaluated, whatever is known; raises UsageError."""
    if step.default is not None and not step.branches:
        told = "a default needs branches; without any, everything that waits for it runs"
        raise UsageError(f"step {step.id}: {told}")
    written = {"when": step.when, **{f"branches: {name}": one for name, one in step.branches.items()}}
    for place, condition in written.items():
        wrong = _wrong_condition(condition, may_be_missing=place == "when")
        if wrong:
            raise UsageError(f"step {step.id}: {place}: {wrong}")


def refuse_for_flows(step: "FlowStep") -> None:
    """Refuse what is about a call for a flow in the place of one, whose own steps have it; raises UsageError."""
    for one in fields(step):
        if one.name in _OF_CALLS and getattr(step, one.name) != _default(one):
            hint = f"give {one.name} to the steps of the flow"
            raise UsageError(f"step {step.id} is a flow, which has no `{one.name}` of its own", hint=hint)


def refuse_what_nobody_takes(step: "FlowStep", called: "Sequence[Signature]") -> None:
    """Refuse values for a function that does not take them, or does not say what it takes; raises UsageError."""
    if not (step.inputs or step.depends_on):
        return
    for signature in called:
        if not signature.is_known:
            told = f"step {step.id}: {signature.name} does not tell its parameters, so that nothing can be given to it"
            raise UsageError(told, hint="give a function that calls it, such as: lambda value: int(value)")
    if not step.inputs or step.when is not None or step.branches:
        return  # a condition may ask for it as well
    if any(signature.takes_others for signature in called):
        return
    taken = [one.name for signature in called for one in signature.parameters]
    for name in step.inputs:
        if name not in taken:
            hint = nearest(name, taken) or f"its parameters: {', '.join(taken) or 'none'}"
            raise UsageError(
                f"step {step.id}: inputs has {name!r:.80}, which {called[0].name} does not take", hint=hint
            )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(map(_is_text, value)))


def _is_list_of_patterns(value: object) -> bool:
    if isinstance(value, str):
        parts = Path(value).parts
        are_names = all(part != ".." and (part == "**" or "**" not in part) for part in parts)
        return bool(parts) and not Path(value).is_absolute() and are_names
    return isinstance(value, list | tuple) and all(map(_is_list_of_patterns, value))


_KINDS: Final[tuple[tuple[str, str, Callable[[Any], bool]], ...]] = (
    ("function", "a function, not what it returns", lambda value: value is None or callable(value)),
    ("tool", "the name of a tool", lambda value: value is None or _is_text(value)),
    ("flow", "a flow", lambda value: value is None or hasattr(value, "graph")),
    (
        "fallback",
        "a function, or the name of a tool",
        lambda value: value is None or _is_text(value) or callable(value),
    ),
    ("branches", "a dictionary of step ids and conditions", lambda value: isinstance(value, Mapping)),
    ("default", "the id of a step", lambda value: value is None or _is_text(value)),
    ("depends_on", "a list of ids", _is_list_of_texts),
    ("inputs", "a dictionary of parameters", lambda value: isinstance(value, Mapping)),
    ("on_error", "'fail' or 'skip'", lambda value: value in ("fail", "skip")),
    ("cache", "true or false", lambda value: isinstance(value, bool)),
    ("version", "text", _is_text),
    ("files", "a list of patterns inside of the executor's folder", _is_list_of_patterns),
    ("stream_end_type", "text", _is_text),
    ("on_crash", "'rerun' or 'fail'", lambda value: value in ("rerun", "fail")),
)
"""What each of these has to be, in words and as a question."""


def _wrong_condition(written: object, *, may_be_missing: bool) -> str | None:
    """Why this is no condition."""
    if may_be_missing and (written is None or isinstance(written, bool)):
        return None
    if isinstance(written, str):
        from orchestration.prompts import check_syntax  # noqa: PLC0415  # only for conditions in words

        return check_syntax(written, expression=True)
    if not callable(written):
        return f"{written!r:.80} is no condition; write an expression, or give a function"
    return f"{name_of(written)} is async; a condition only computes" if is_async(written) else None


def _default(one: "Field[Any]") -> Any:  # noqa: ANN401  # of any field
    return one.default if one.default_factory is MISSING else one.default_factory()
