"""Texts with `{{ … }}` in them, and conditions → their values, in a sandbox where an unknown name is an error.

The context is a mapping: `tasks` (id → `status`, `output`, `outputs`), `inputs`, `parameters`, `task`, `run_id`,
`attempt`. What stands in it is data: it is put into the text and never read as a template itself.

Jinja costs as much to import as three small programs take to run, so it is imported when the first text needs it: most
texts hold no template at all. Edges survived: a dependency's output that bears the name of a method of dictionaries
(`outputs.items`), names that do not exist (the error names what does), expressions that would fill the memory, text
where a condition needs a decision (`'false'` would count as true), values that only look like text (a template that is
one single expression keeps its number, list or truth).
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestration.errors import TemplateError

MARKS: Final = ("{{", "{%", "{#")
"""What a text must hold one of to be a template."""

Context = Mapping[str, Any]


def render(text: str, context: Context) -> str:
    """Put the context's values into a text.

    Raises:
        TemplateError: bad syntax, an unknown name, a forbidden attribute, an error in an expression, or too much.
    """
    return _in_sandbox("render", text, context) if _is_template(text) else text


def render_value(value: Any, context: Context) -> Any:  # noqa: ANN401  # whatever stands in YAML
    """Render each text in a value of dictionaries and lists; keys stay as they are.

    A text that is nothing but one expression becomes that expression's value, unchanged in kind. The result shares
    nothing with the context.

    Raises:
        TemplateError: as for `render`.
    """
    if isinstance(value, str):
        return _in_sandbox("render_native", value, context) if _is_template(value) else value
    if isinstance(value, Mapping):
        return {key: render_value(item, context) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render_value(item, context) for item in value]
    return value


def evaluate(condition: str | bool, context: Context) -> bool:  # noqa: FBT001  # YAML knows both
    """Decide a condition: an expression, with or without braces around it.

    A truth decides by itself; nothing, zero and what is empty are false, other numbers and collections true. Text does
    not decide, because outputs written to `$ORCH_OUTPUT` are text, and `'false'` would be true: it has to be compared.

    Raises:
        TemplateError: as for `render`, and for a condition that is empty or gives text.
    """
    if isinstance(condition, bool):
        return condition
    value = _in_sandbox("evaluate", condition, context)
    if isinstance(value, str):
        raise TemplateError(
            f"the condition {condition!r} gives the text {value[:80]!r}, which neither holds nor fails",
            hint=f"compare it with something, such as: {condition.strip(' {}')} == 'true'",
        )
    return bool(value)


def check_syntax(text: str, *, expression: bool = False) -> str | None:
    """Say what is wrong with a text, or a condition, as far as that can be seen without values.

    Args:
        text: What the user wrote.
        expression: Whether it is a condition.

    Returns:
        A sentence with the line of the text, or None where nothing is wrong.
    """
    if not expression and not _is_template(text):
        return None
    try:
        _in_sandbox("check_expression" if expression else "check", text, {})
    except TemplateError as error:
        return error.message
    return None


def _is_template(text: str) -> bool:
    return any(mark in text for mark in MARKS)


def _in_sandbox(deed: str, text: str, context: Context) -> Any:  # noqa: ANN401  # the value of any expression
    from orchestration.prompts import sandbox  # noqa: PLC0415  # brings Jinja: see above

    return sandbox.DEEDS[deed](text, context)
