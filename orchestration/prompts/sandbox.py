"""The sandbox that evaluates templates; the only place that knows Jinja, imported when there is a template.

Whoever may write a task may also write a shell command, so the bounds here are not there to stop an attacker: they turn
a slip (a loop in a loop, a power instead of a product) into an error that says so, before it fills the memory. What an
agent wrote comes in as data and is never a template.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache, wraps
from traceback import walk_tb
from typing import Any, Final, TypeVar

from jinja2 import TemplateRuntimeError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import TemplateExpression
from jinja2.runtime import Context as JinjaContext
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from orchestration.errors import TemplateError
from orchestration.models import Task
from orchestration.prompts.known import Known, KnownTasks
from orchestration.shown import compared

MAX_RENDERED: Final = 4 * 1024 * 1024
"""Characters of one rendered text: the context window of no agent holds more."""

MAX_LOOPED: Final = 100_000
"""Numbers that all calls of `range` in one text may give together: nested loops count each round of the inner one."""

MAX_POWER_BITS: Final = 10_000
"""Binary digits of a power."""

MAX_NAMES_LISTED: Final = 20
"""Known names that an error lists; more would hide the message."""

MAX_COMPILED: Final = 256
"""Conditions that are remembered in the form in which they are decided: to get there takes ten times as long."""

MAX_QUOTED: Final = 100
"""Characters of a template that an error repeats; a longer one is found by its line."""

_COMPARED: Final = "compared"

T = TypeVar("T")
Deed = Callable[[str, Mapping[str, Any]], T]


class UnknownName(UndefinedError):
    """A template used a name that the context does not have."""


class Missing(StrictUndefined):
    """Stands for what does not exist; any use of it but `is defined` is an error that says what exists instead."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        """Tell names apart from attributes: only who knows the context can list the names."""
        super().__init__(hint, obj, name, UnknownName if obj is missing and hint is None else exc)

    @property
    def _undefined_message(self) -> str:
        if isinstance(self._undefined_obj, Known) and self._undefined_hint is None:
            return f"{self._undefined_obj.what} has no {self._undefined_name!r}; {_listed(self._undefined_obj)}"
        if isinstance(self._undefined_obj, Mapping) and self._undefined_hint is None:
            return f"no {self._undefined_name!r} here; {_listed(self._undefined_obj)}"
        if self._undefined_obj is missing and self._undefined_hint is None:
            return f"unknown name {self._undefined_name!r}"
        return super()._undefined_message


class Sandbox(ImmutableSandboxedEnvironment):
    """Data before methods, no private attributes, no changes, bounded arithmetic; enums are compared by value."""

    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401  # as Jinja has it
        """Look among the data first: an output may be called `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def _generate(self, source: nodes.Template, *rest: Any, **others: Any) -> str:  # noqa: ANN401  # as Jinja has it
        """Have both sides of each comparison go through `compared`; Jinja means this hook to be overridden."""
        for one in list(source.find_all(nodes.Compare)):
            one.expr = self._compared(one.expr)
            for operand in one.ops:
                operand.expr = self._compared(operand.expr)
        return super()._generate(source, *rest, **others)

    def _compared(self, side: nodes.Expr) -> nodes.Expr:
        if isinstance(side, nodes.Const):
            return side
        made = nodes.Filter(side, _COMPARED, [], [], None, None, lineno=side.lineno)
        made.set_environment(self)
        return made

    def call_binop(self, context: JinjaContext, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401  # as Jinja has it
        """Refuse products and powers that would fill the memory."""
        if operator == "*":
            return _product(left, right)
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > MAX_POWER_BITS:
            raise OverflowError(f"a power of more than {MAX_POWER_BITS} binary digits")
        return super().call_binop(context, operator, left, right)


def _product(left: Any, right: Any) -> Any:  # noqa: ANN401  # numbers, or a sequence and a number
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(times, int) and len(many) * times > MAX_RENDERED:
            raise OverflowError(f"a repetition longer than {MAX_RENDERED} characters")
    return operator.mul(left, right)


def _listed(names: Mapping[str, Any]) -> str:
    shown = ", ".join(map(str, list(names)[:MAX_NAMES_LISTED]))
    return f"there is {shown}{', …' if len(names) > MAX_NAMES_LISTED else ''}" if names else "there is nothing"


@cache
def environment() -> Sandbox:
    """The one sandbox, without loader (no includes), without invented text, without automatic escapes."""
    made = Sandbox(undefined=Missing, keep_trailing_newline=True, autoescape=False)
    for name in ("lipsum", "cycler", "joiner"):
        del made.globals[name]
    made.filters[_COMPARED] = compared
    return made


def translated(deed: Deed[T]) -> Deed[T]:
    """Whatever an expression raises is a fault of the template, and is said in one sentence with its place."""

    @wraps(deed)
    def told(text: str, context: Mapping[str, Any]) -> T:
        try:
            return deed(text, context)
        except TemplateError:
            raise
        except UnknownName as error:
            known = f"{_listed(context)}; a text stands in quotes"
            raise TemplateError(f"{_place(text, error)}: {error.message}; {known}") from error
        except (UndefinedError, TemplateSyntaxError) as error:
            raise TemplateError(f"{_place(text, error)}: {str(error.message).rstrip('.')}") from error
        except Exception as error:  # an expression may raise whatever the values in it raise
            raise TemplateError(f"{_place(text, error)}: {type(error).__name__}: {error}") from error

    return told


def _place(text: str, error: Exception) -> str:
    if len(text) <= MAX_QUOTED and "\n" not in text.strip():
        return text.strip()
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}"
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return f"line {lines[-1]}" if lines else "a template"


@translated
def render(text: str, context: Mapping[str, Any]) -> str:
    """The text with its templates replaced."""
    return "".join(_bounded(environment().from_string(text).generate(_prepared(context))))


def _bounded(parts: Iterable[str]) -> Iterator[str]:
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_RENDERED:
            raise OverflowError(f"the text became longer than {MAX_RENDERED} characters")
        yield part


@translated
def render_native(text: str, context: Mapping[str, Any]) -> Any:  # noqa: ANN401  # the value of any expression
    """The value of a text that is one single expression; else the rendered text."""
    single = _single_expression(text)
    return render(text, context) if single is None else _value(_compiled(single), context)


@translated
def evaluate(text: str, context: Mapping[str, Any]) -> Any:  # noqa: ANN401  # the value of any expression
    """The value of an expression, with or without braces."""
    return _value(_expression(text), context)


@translated
def check(text: str, _: Mapping[str, Any]) -> None:
    """Raise what can be known of a text without values: its syntax, its filters and tests."""
    tree = environment().parse(text)
    for loaded in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateError(f"line {loaded.lineno}: a task's text cannot include or import another one")
    environment().compile(tree, raw=True)


@translated
def check_expression(text: str, _: Mapping[str, Any]) -> None:
    """The same for a condition."""
    _expression(text)


DEEDS: Final[Mapping[str, Deed[Any]]] = {
    deed.__name__: deed for deed in (render, render_native, evaluate, check, check_expression)
}
"""What the sandbox does, by name, for those who import it late."""


@lru_cache(maxsize=MAX_COMPILED)
def _expression(text: str) -> TemplateExpression:
    inner = text.strip()
    if not inner:
        raise TemplateError("the condition is empty", hint="write an expression, or leave it out")
    if not inner.startswith("{{"):
        return environment().compile_expression(inner, undefined_to_none=False)
    single = _single_expression(inner)
    if single is None:
        raise TemplateError(f"a condition is one expression, not a text with several: {inner[:MAX_QUOTED]!r}")
    return _compiled(single)


def _single_expression(text: str) -> nodes.Expr | None:
    match environment().parse(text.strip()).body:
        case [nodes.Output(nodes=[single])] if not isinstance(single, nodes.TemplateData):
            return single
    return None


def _compiled(expression: nodes.Expr) -> TemplateExpression:
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store", lineno=1), expression, lineno=1)]
    return TemplateExpression(environment().from_string(nodes.Template(body, lineno=1)), undefined_to_none=False)


def _value(expression: TemplateExpression, context: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any kind of value
    return _plain(expression(_prepared(context)))


def _plain(value: Any) -> Any:  # noqa: ANN401  # any kind of value
    """A copy of nothing but plain values: filters give generators, the context holds records of ours."""
    if isinstance(value, Undefined):
        return str(value)  # which raises
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes):
        return value
    return [_plain(item) for item in value] if isinstance(value, Iterable) else value


def _prepared(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context as templates see it: able to say what it has, with a `range` that counts, and only plain values."""
    ready = {**context, "range": _counted_range()}
    if "tasks" in context:
        ready["tasks"] = KnownTasks(context["tasks"])
    for name in ("inputs", "parameters"):
        if name in context:
            ready[name] = Known(f"the list of {name}", context[name])
    if isinstance(task := context.get("task"), Task):
        ready["task"] = Known("the task", task.model_dump(mode="json"))
    return ready


def _counted_range() -> Callable[..., range]:
    left = MAX_LOOPED

    def counted(*bounds: int) -> range:
        nonlocal left
        numbers = range(*bounds)
        left -= min(len(numbers), MAX_LOOPED + 1)
        if left < 0:
            raise OverflowError(f"loops over more than {MAX_LOOPED} numbers")
        return numbers

    return counted
