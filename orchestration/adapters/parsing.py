"""Plain values (of a YAML file, or of a Python caller) → an adapter, or everything that is wrong with them."""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestration.adapters.adapter import Adapter
from orchestration.adapters.checking import FieldPath, Finding, findings_in
from orchestration.adapters.form import Form
from orchestration.errors import AdapterError, Problem
from orchestration.graph import nearest

_WRONG_KIND: Final = "must be "
_KINDS: Final = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}
_LONGEST_SHOWN: Final = 60


def parse_adapter(data: Mapping[str, Any], name: str) -> Adapter:
    """Make an adapter of plain values.

    Args:
        data: what an adapter file holds.
        name: what it is called where the file does not say so.

    Raises:
        AdapterError: `problems` lists everything that is wrong, `paths` where each of it stands.
    """
    try:
        form = Form.model_validate(dict(data))
    except ValidationError as error:
        raise _error(name, list(_wrong_fields(error, data))) from error
    findings = list(findings_in(form))
    if findings:
        raise _error(name, findings)
    return Adapter(form.name or name, form)


def _error(name: str, findings: list[Finding]) -> AdapterError:
    problems = [
        Problem(f"{field}: {text}" if (field := _field(path)) else text, hint=hint) for path, text, hint in findings
    ]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    first = problems[0]
    return AdapterError(
        f"adapter {name}: {first.message}{more}",
        hint=first.hint or "docs/adapters.md has every field",
        problems=problems,
        paths=[path for path, _, _ in findings],
    )


def _field(path: FieldPath) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step:.80}" if text else f"{step:.80}"
    return text


def _wrong_fields(error: ValidationError, data: Mapping[str, Any]) -> Iterator[Finding]:
    said = set()
    for detail in error.errors(include_url=False):
        finding = _finding(detail, data)
        if finding[:2] not in said:
            said.add(finding[:2])
            yield finding


def _finding(detail: ErrorDetails, data: Mapping[str, Any]) -> Finding:
    path, kind = _real_path(detail["loc"], data, missing=detail["type"] == "missing"), detail["type"]
    if kind == "missing":
        return path, "is missing", None
    if kind == "extra_forbidden":
        known = _known_at(Form, detail["loc"][:-1])
        hint = nearest(str(detail["loc"][-1]), known) or f"known here: {', '.join(known)}"
        return path, "there is no such field", hint
    if kind == "value_error":
        text, _, remedy = str(detail["ctx"]["error"]).partition("; ")
        return path, text, remedy or None
    if kind in _KINDS:
        return path, f"{_WRONG_KIND}{_KINDS[kind]}; got {_shown(detail['input'])}", None
    if kind in {"literal_error", "enum"}:
        words = [word.strip(" '\"") for word in detail["ctx"]["expected"].replace(" or ", ",").split(",")]
        text = f"{_WRONG_KIND}one of {', '.join(words)}; got {_shown(detail['input'])}"
        return path, text, nearest(str(detail["input"]), words)
    return path, f"{detail['msg'][:200]}; got {_shown(detail['input'])}", None


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)[:_LONGEST_SHOWN]


def _real_path(loc: tuple[str | int, ...], data: Any, *, missing: bool) -> FieldPath:  # noqa: ANN401  # as written
    """The path in what was written: without names of union branches, and without positions of single values."""
    path: list[str | int] = []
    for step in loc:
        is_key = isinstance(data, Mapping) and step in data
        if is_key or (isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)):
            data = data[step]
            path.append(step)
    if missing:
        path.append(loc[-1])
    return tuple(path)


def _known_at(kind: Any, loc: tuple[str | int, ...]) -> list[str]:  # noqa: ANN401  # any annotation
    """The fields that may stand at a place of the form."""
    models = _models_in(kind)
    for step in loc:
        inner = [model.model_fields for model in models]
        found = [field.annotation for fields in inner for name, field in fields.items() if step in {name, field.alias}]
        if found:
            models = [model for annotation in found for model in _models_in(annotation)]
        elif any(model.__name__ == step for model in models):
            models = [model for model in models if model.__name__ == step]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _models_in(kind: Any) -> list[type[BaseModel]]:  # noqa: ANN401  # any annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    origin = get_origin(kind)
    if origin is Annotated:
        return _models_in(get_args(kind)[0])
    if origin in {tuple, dict, list, Union, types.UnionType}:
        return [model for one in get_args(kind) for model in _models_in(one)]
    return []
