"""The pipeline or flow that a Python file describes, by its name or because it is the only one.

The file is run as any module is: its folder is looked in first for what it imports, and its `__name__` is not
`__main__`, so that a script which runs itself when started can be used too. Edges survived: a file that is not there,
is no Python, raises, exits, prints; one with no pipeline or several; a name that it does not have.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orchestration.errors import UsageError
from orchestration.graph import nearest

if TYPE_CHECKING:
    from orchestration.steps.home import Home
    from orchestration.steps.program import Program


def described_in(target: str) -> "tuple[Program, Home]":
    """The program of `FILE.py[:NAME]`, and where its steps work.

    Raises:
        UsageError: there is no such file, it cannot be run, or it does not say which one is meant.
    """
    from orchestration.flow import AsyncFlowExecutor, Flow
    from orchestration.pipeline import AsyncPipeline
    from orchestration.steps.home import Home

    file, name = _split(target)
    module = _module_of(file)
    found = _chosen(module, file, name, (AsyncPipeline, Flow))
    if isinstance(found, AsyncPipeline):
        return found.program(), found.home
    tools = {key: value for key, value in vars(module).items() if callable(value) and not key.startswith("_")}
    return AsyncFlowExecutor(tools=tools).program(found), Home()


def _split(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    if colon and file and name.isidentifier():
        return Path(file), name
    return Path(target), None


def _module_of(file: Path) -> ModuleType:
    if not file.is_file():
        raise UsageError(f"there is no file {file}", hint="name the Python file that describes the pipeline")
    path = file.resolve()
    spec = importlib.util.spec_from_file_location(f"orch_pipeline_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file", hint="its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        from orchestration.worker.faults import explained

        raise UsageError(f"{file} cannot be run: {explained(error)[0]}") from error
    except SystemExit as error:
        raise UsageError(f"{file} exits when it is imported", hint='guard that by if __name__ == "__main__"') from error
    return module


def _chosen(module: ModuleType, file: Path, name: str | None, kinds: tuple[type, ...]) -> Any:  # noqa: ANN401  # one of the kinds
    there = {key: value for key, value in vars(module).items() if isinstance(value, kinds)}
    if name is not None:
        found = getattr(module, name, None)
        if not isinstance(found, kinds):
            hint = nearest(name, there) or f"it has: {', '.join(there) or 'none'}"
            raise UsageError(f"{file} has no pipeline or flow {name}", hint=hint)
        return found
    distinct = {id(value): key for key, value in there.items()}
    inner = {id(one) for value in there.values() for one in _inside(value)}
    outermost = [key for number, key in distinct.items() if number not in inner]
    if len(outermost) == 1:
        return there[outermost[0]]
    if "pipeline" in there:
        return there["pipeline"]
    if not there:
        raise UsageError(f"{file} describes no pipeline and no flow", hint="make one at its top level")
    raise UsageError(f"{file} describes {', '.join(there)}", hint=f"say which one: {file}:{outermost[0]}")


def _inside(value: Any) -> list[Any]:  # noqa: ANN401  # a pipeline or a flow
    """What is only a part of another one, one level deep; deeper ones are parts of these."""
    steps = list(getattr(value, "steps", ()))
    branches = [one for step in steps for one in getattr(step, "branches", {}).values()]
    more = [getattr(step, name, None) for step in steps for name in ("branch", "default", "flow", "on_failure")]
    return [*steps, *branches, *more]
