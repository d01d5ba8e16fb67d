"""A flow from YAML: the same words as in Python, `{ref: a.key}` for a reference, tools and conditions by their text."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import InvalidProject, OrchError, Problem, UsageError
from orchestration.flow.flow import Flow
from orchestration.flow.steps import FlowStep, Ref
from orchestration.graph import nearest
from orchestration.steps.reading import checked_name

if TYPE_CHECKING:
    from orchestration.loading.findings import FieldPath
    from orchestration.loading.yamltext import Document

_STEP: Final = frozenset(one.name for one in fields(FlowStep) if one.init) - {"function", "serializer"}
_FLOW: Final = frozenset({"name", "description", "on_error", "steps"})
MAX_FILE: Final = 1024 * 1024
"""Bytes of a file that is read as a flow."""


def load_flow(source: str | Path) -> Flow:
    """Read a flow.

    Args:
        source: the path of a file, or YAML itself (what has a line break is YAML, and so is nothing).

    Raises:
        InvalidProject: the file cannot be read, or holds something that is no flow; says where and what.
    """
    is_text = isinstance(source, str) and ("\n" in source or not source.strip())
    name = None if is_text else str(source)
    try:
        text = str(source) if is_text else _read(Path(source))
        return _Reader(_parsed(text)).flow((), "flow" if name is None else Path(name).stem)
    except OrchError as error:
        found = error.problems or [Problem(error.message, hint=error.hint)]
        problems = [Problem(one.message, file=one.file or name, line=one.line, hint=one.hint) for one in found]
        first = problems[0]
        raise InvalidProject(
            first.message, hint=first.hint, file=first.file, line=first.line, problems=problems
        ) from error


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise UsageError(f"it is over {MAX_FILE} bytes")
        return data.decode()
    except OSError as error:
        hint = "YAML itself is known by its line breaks" if ":" in path.name else None
        raise UsageError(f"it cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"it is not UTF-8 at byte {error.start}") from error
    except ValueError as error:  # a zero in its name
        raise UsageError(f"it cannot be read: {error}") from error


def _parsed(text: str) -> "Document":
    from orchestration.loading.yamlerrors import NotYaml  # noqa: PLC0415  # only for flows in files
    from orchestration.loading.yamltext import parse  # noqa: PLC0415  # only for flows in files

    try:
        found = parse(text, every_line=True)
    except NotYaml as error:
        problem = Problem(error.message, line=error.line, hint=error.hint)
        raise UsageError(error.message, hint=error.hint, problems=[problem]) from error
    if not isinstance(found.value, Mapping):
        raise UsageError("a flow is a mapping with `steps`")
    return found


class _Reader:
    """Reads the flows of one document; each error gets the line of the innermost thing that is known to be wrong."""

    def __init__(self, document: "Document") -> None:
        self._document = document

    def flow(self, path: "FieldPath", name: str) -> Flow:
        written = self._at(path)
        self._refuse_unknown(path, _FLOW, "the flow")
        steps = written.get("steps")
        with self._placed(path, "steps"):
            if not isinstance(steps, list):
                raise UsageError("the flow has no list of `steps`")
            read = [self._step((*path, "steps", i)) for i in range(len(steps))]
            with self._in_steps(path, [step.id for step in read]):
                return self._made(path, str(written.get("name") or name), read)

    def _made(self, path: "FieldPath", name: str, steps: list[FlowStep]) -> Flow:
        """The flow of these steps, whose references lead somewhere."""
        from orchestration.flow.finding import Finder, wrong_references  # noqa: PLC0415  # only for flows in files

        written = self._at(path)
        with self._placed(path, "name"):
            checked_name(name, "a flow")
        with self._placed(path, "on_error"):
            options = {key: written[key] for key in ("on_error", "description") if written.get(key) is not None}
            flow = Flow(name, steps, **options)
        problems = [problem for step in steps for problem in wrong_references(Finder(flow, step))]
        if problems:
            raise UsageError(problems[0].message, hint=problems[0].hint, problems=problems)
        return flow

    def _step(self, path: "FieldPath") -> FlowStep:
        written, number = self._at(path), int(path[-1]) + 1
        with self._placed(path):
            if not isinstance(written, Mapping):
                raise UsageError(f"step {number} is no mapping")
            where = f"step {written.get('id', number)}"
            self._refuse_unknown(path, _STEP, where)
            values = {key: value for key, value in written.items() if value is not None}
            if "id" not in values:
                raise UsageError(f"step {number} has no id")
            if isinstance(values.get("flow"), Mapping):
                values["flow"] = self.flow((*path, "flow"), str(values["id"]))
            if "inputs" in values:
                values["inputs"] = _with_references(_with_numbers(values["inputs"]))
            try:
                return FlowStep(**values)
            except (TypeError, ValueError) as error:
                raise UsageError(f"{where}: {error}") from error

    def _refuse_unknown(self, path: "FieldPath", known: frozenset[str], where: str) -> None:
        for key in self._at(path):
            with self._placed(path, key):
                if key not in known:
                    raise UsageError(f"{where} has a key {key!r:.80} that nobody reads", hint=nearest(str(key), known))

    def _at(self, path: "FieldPath") -> Any:  # noqa: ANN401  # whatever stands there
        found = self._document.value
        for key in path:
            found = found[key]
        return found

    @contextmanager
    def _in_steps(self, path: "FieldPath", ids: list[str]) -> Iterator[None]:
        """Say of an error that is about one of these steps on which line that begins."""
        try:
            yield
        except OrchError as error:
            last = {step: i for i, step in enumerate(ids)}  # of an id that is given twice, the second one is wrong
            problems = [
                replace(one, line=self._document.line_of((*path, "steps", last[one.about])))
                if one.about in last
                else one
                for one in error.problems
            ]
            raise UsageError(error.message, hint=error.hint, problems=problems) from error

    @contextmanager
    def _placed(self, path: "FieldPath", *more: str) -> Iterator[None]:
        """Say of an error on which line it is, where nobody has said so."""
        try:
            yield
        except OrchError as error:
            line = self._document.line_of((*path, *more))
            found = error.problems or [Problem(error.message, hint=error.hint)]
            problems = [replace(one, line=line) if one.line is None else one for one in found]
            raise UsageError(error.message, hint=error.hint, problems=problems) from error


def _with_numbers(written: Any) -> Any:  # noqa: ANN401  # as below
    """Literals as parameters of runs have them: `1.50` is a number, `'1.50'` is text."""
    from orchestration.loading.scalars import numbers_in  # noqa: PLC0415  # only for flows in files

    return numbers_in(written)


def _with_references(written: Any) -> Any:  # noqa: ANN401  # whatever stands among the inputs
    if isinstance(written, Mapping):
        if set(written) == {"ref"}:
            return Ref(str(written["ref"]))
        return {key: _with_references(value) for key, value in written.items()}
    return [_with_references(item) for item in written] if isinstance(written, list) else written
