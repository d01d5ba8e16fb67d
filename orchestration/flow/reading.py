"""A flow from YAML: the same words as in Python, `{ref: a.key}` for a reference, tools and conditions by their text."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from orchestration.errors import InvalidProject, OrchError, Problem, UsageError
from orchestration.flow.flow import Flow
from orchestration.flow.steps import FlowStep, Ref
from orchestration.graph import nearest

_STEP: Final = frozenset(one.name for one in fields(FlowStep) if one.init) - {"function", "serializer"}
_FLOW: Final = frozenset({"name", "description", "on_error", "steps"})
MAX_FILE: Final = 1024 * 1024
"""Bytes of a file that is read as a flow."""


def load_flow(source: str | Path) -> Flow:
    """Read a flow.

    Args:
        source: the path of a file, or YAML itself (what has a line break is YAML).

    Raises:
        InvalidProject: the file cannot be read, or holds something that is no flow; says where and what.
    """
    is_text = isinstance(source, str) and "\n" in source
    name = None if is_text else str(source)
    try:
        text = str(source) if is_text else _read(Path(source))
        return _flow(_parsed(text), "flow" if name is None else Path(name).stem)
    except OrchError as error:
        found = error.problems or [Problem(error.message, hint=error.hint)]
        problems = [Problem(one.message, file=one.file or name, line=one.line, hint=one.hint) for one in found]
        first = problems[0]
        raise InvalidProject(
            first.message, hint=first.hint, file=first.file, line=first.line, problems=problems
        ) from error


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()[: MAX_FILE + 1]
        if len(data) > MAX_FILE:
            raise UsageError(f"it is over {MAX_FILE} bytes")
        return data.decode()
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"it is not UTF-8 at byte {error.start}") from error


def _parsed(text: str) -> Mapping[str, Any]:
    from orchestration.loading.yamlerrors import NotYaml  # noqa: PLC0415  # only for flows in files
    from orchestration.loading.yamltext import parse  # noqa: PLC0415  # only for flows in files

    try:
        found = parse(text).value
    except NotYaml as error:
        problem = Problem(error.message, line=error.line, hint=error.hint)
        raise UsageError(error.message, hint=error.hint, problems=[problem]) from error
    if not isinstance(found, Mapping):
        raise UsageError("a flow is a mapping with `steps`")
    return found


def _flow(written: Mapping[str, Any], name: str) -> Flow:
    _refuse_unknown(written, _FLOW, "the flow")
    steps = written.get("steps")
    if not isinstance(steps, list):
        raise UsageError("the flow has no list of `steps`")
    options = {key: written[key] for key in ("on_error", "description") if written.get(key) is not None}
    return Flow(str(written.get("name") or name), [_step(one, i) for i, one in enumerate(steps, 1)], **options)


def _step(written: Any, number: int) -> FlowStep:  # noqa: ANN401  # whatever stands in the list
    if not isinstance(written, Mapping):
        raise UsageError(f"step {number} is no mapping")
    where = f"step {written.get('id', number)}"
    _refuse_unknown(written, _STEP, where)
    values = {key: value for key, value in written.items() if value is not None}
    if "id" not in values:
        raise UsageError(f"step {number} has no id")
    if isinstance(values.get("flow"), Mapping):
        values["flow"] = _flow(values["flow"], str(values["id"]))
    if "inputs" in values:
        values["inputs"] = _with_references(values["inputs"])
    try:
        return FlowStep(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error


def _with_references(written: Any) -> Any:  # noqa: ANN401  # whatever stands among the inputs
    if isinstance(written, Mapping):
        if set(written) == {"ref"}:
            return Ref(str(written["ref"]))
        return {key: _with_references(value) for key, value in written.items()}
    return [_with_references(item) for item in written] if isinstance(written, list) else written


def _refuse_unknown(written: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in written:
        if key not in known:
            raise UsageError(f"{where} has a key {key!r:.80} that nobody reads", hint=nearest(str(key), known))
