"""The process of one notebook: executes it cell by cell, prints what the cells print, and says what came of it.

Told by `$ORCH_NOTEBOOK`, as JSON: `path`, `scratch` (a folder of its own), `parameters` (names, or null for those that
the notebook has defaults for), `returns`, `kernel`, `secrets` (names of variables that are hidden in what is kept).
After each cell `scratch/executed.ipynb` has what is done so far; `scratch/report.json` says how it ended.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from orchestration.masking import Masker
from orchestration.notebooks.cells import INJECTED, asking, assignments, defaults_of, injected

if TYPE_CHECKING:
    from collections.abc import Callable

WAITS: Final = 120
"""Seconds in which a kernel has to be there, and to answer what we ask it ourselves."""


class _Stopped(Exception):
    """It cannot go on, because a value is missing; the text says why."""


class _Missing(_Stopped):
    """What is to be executed, or what would execute it, is not there."""


async def _executed(order: dict[str, Any], masker: Masker) -> dict[str, Any]:
    import nbformat  # noqa: PLC0415  # told apart from faults of ours by whoever calls this
    from nbclient import NotebookClient  # noqa: PLC0415  # likewise
    from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: PLC0415  # likewise

    scratch, writes = Path(order["scratch"]), cast("Callable[[Any], str]", nbformat.writes)
    notebook = _read(order["path"], nbformat)
    _give(notebook, order["parameters"], nbformat)

    cleaning = asyncio.Lock()

    class Client(NotebookClient):
        """Prints what the cells print, as it comes."""

        def output(self, outs: Any, message: Any, display_id: str | None, cell_index: int) -> Any:  # noqa: ANN401  # of Jupyter's
            if message["msg_type"] == "stream":
                content = message["content"]
                print(content["text"], end="", flush=True, file=getattr(sys, content["name"]))  # see above
            return super().output(outs, message, display_id, cell_index)

        async def _async_cleanup_kernel(self) -> None:
            """Once: a signal begins it, and so does the end of the cell after that; the second would fail half way."""
            async with cleaning:
                if self.km is not None:
                    await super()._async_cleanup_kernel()

    def keep(**_: Any) -> None:  # noqa: ANN401  # of Jupyter's
        half = scratch / ".executed"
        text = json.dumps(masker.value(json.loads(writes(notebook))), ensure_ascii=False, indent=1)
        half.write_text(text + "\n", encoding="utf-8")
        half.replace(scratch / "executed.ipynb")

    client = Client(
        notebook,
        timeout=None,
        startup_timeout=WAITS,
        kernel_name=order["kernel"] or notebook.metadata.get("kernelspec", {}).get("name", "python3"),
        resources={"metadata": {"path": os.getcwd()}},  # noqa: PTH109  # where we were put
        on_cell_executed=keep,
    )
    _find_kernel(client)
    async with client.async_setup_kernel():
        count = 0
        for index, cell in enumerate(notebook.cells):
            try:
                await client.async_execute_cell(cell, index)
            except CellExecutionError as error:
                keep()
                what = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
                traceback = _without_colours(str(error.traceback))
                return {"error": f"cell {index + 1} raised {what}", "traceback": traceback, "cells": count}
            except DeadKernelError:
                return {"error": f"its kernel died in cell {index + 1}", "cells": count}
            count += cell.cell_type == "code"
        keep()
        return {**await _asked(client, order["returns"], scratch), "cells": count}


def _read(path: str, nbformat: Any) -> Any:  # noqa: ANN401  # a module, a notebook
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise _Missing(f"there is no notebook {path} in {os.getcwd()}") from error  # noqa: PTH109  # where we were put
    except Exception as error:
        raise _Missing(f"{path} is no notebook: {type(error).__name__}: {error}") from error
    return notebook


def _find_kernel(client: Any) -> None:  # noqa: ANN401  # of Jupyter's
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel  # noqa: PLC0415  # as above

    try:
        KernelSpecManager().get_kernel_spec(client.kernel_name)
    except NoSuchKernel as error:
        raise _Missing(f"there is no kernel {client.kernel_name}; `jupyter kernelspec list` lists them") from error


def _give(notebook: Any, wanted: list[str] | None, nbformat: Any) -> None:  # noqa: ANN401  # as above
    known = json.loads(Path(os.environ["ORCH_INPUTS"]).read_text(encoding="utf-8"))["inputs"]
    names = [name for name in defaults_of(notebook) if name in known] if wanted is None else wanted
    if missing := [name for name in names if name not in known]:
        raise _Stopped(f"nothing is known for its parameter {missing[0]}")
    values = {name: known[name] for name in names}
    cell = nbformat.v4.new_code_cell(assignments(values), metadata={"tags": [INJECTED]})
    injected(notebook, values, cell)


async def _asked(client: Any, names: list[str], scratch: Path) -> dict[str, Any]:  # noqa: ANN401  # of Jupyter's
    """The variables that are to be returned."""
    if not names:
        return {"returns": {}}
    answers = scratch / "answers.json"
    code = asking(names, str(answers))
    await client.kc.execute_interactive(code, silent=True, store_history=False, timeout=WAITS, output_hook=_unheard)
    try:
        found: dict[str, Any] = json.loads(answers.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _Stopped("its kernel cannot tell its variables; returns need a kernel of Python") from error
    return {"missing": "; ".join(found["wrong"])} if found["wrong"] else {"returns": found["found"]}


def _unheard(_: object) -> None:
    """What comes of our own question is in the file."""


def _without_colours(text: str) -> str:
    import re  # noqa: PLC0415  # only where something went wrong

    return re.sub(r"\x1b\[[0-9;]*m", "", text)[-8_000:]


def main() -> int:
    """Do it; the exit code is 0 where all is well, and the report says more."""
    order = json.loads(os.environ["ORCH_NOTEBOOK"])
    masker = Masker({name: os.environ[name] for name in order["secrets"] if name in os.environ})
    scratch = Path(order["scratch"])
    os.environ |= {"JUPYTER_RUNTIME_DIR": str(scratch / "jupyter"), "IPYTHONDIR": str(scratch / "ipython")}
    os.environ.pop("ORCH_NOTEBOOK")
    try:
        report = asyncio.run(_executed(order, masker))  # noqa: TID251  # the entry point of a process of its own
    except _Stopped as stopped:
        report = {"absent" if isinstance(stopped, _Missing) else "missing": str(stopped)}
    except Exception as error:  # noqa: BLE001  # whatever Jupyter raises: no such kernel, one that does not start
        report = {"stopped": f"{type(error).__name__}: {error}"}
    (scratch / "report.json").write_text(json.dumps(masker.value(report)), encoding="utf-8")
    return 0 if "returns" in report else 1


if __name__ == "__main__":
    sys.exit(main())
