"""Notebooks as tasks, by a real kernel: parameters in, variables out, what is kept, and that nothing outlives it."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncPipeline, Failure, NotebookTask, PythonTask
from orchestration.errors import UsageError
from orchestration.notebooks.cells import assignments, defaults_of, injected, literal

pytestmark = pytest.mark.slow


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"c{abs(hash(source)) % 10**8}",
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def write(folder: Path, *cells: dict[str, Any], name: str = "n.ipynb") -> Path:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / name).write_text(json.dumps(notebook))
    return folder / name


def executed(path: object) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((Path(str(path)) / "notebook.ipynb").read_text())["cells"]
    return cells


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_parameters_go_in_and_variables_come_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        code("lr = 1.0\nname = 'x'\nrows: list = []\nkept = 5", "parameters"),
        code("print('lr', lr)\nresult = {'lr': lr * 2, 'rows': rows, 'name': name}\nn = (kept, len(name))"),
    )
    before = path.read_bytes()
    one = AsyncPipeline(
        [
            PythonTask(lambda: [1, {"a": None}], "rows", returns=["rows"]),
            NotebookTask("book", "n.ipynb", returns=["result", "n"]),
            PythonTask(lambda result, n: [result["lr"], n], "uses", returns=["used"]),
        ],
        directory=tmp_path,
    )
    run = await one.execute({"lr": 0.25, "name": "{{ x }} 'q' \n", "unused": 1}, store=tmp_path / "state")
    step = run["book"]
    assert step.status == "success", (step.error, step.metadata)
    assert step.outputs["result"] == {"lr": 0.5, "rows": [1, {"a": None}], "name": "{{ x }} 'q' \n"}
    assert run.outputs["used"] == [0.5, [5, 13]]
    assert step.output == "lr 0.25"
    assert path.read_bytes() == before
    kept = executed(step.log_path)
    assert kept[1]["metadata"]["tags"] == ["injected-parameters"]
    assert "unused" not in "".join(kept[1]["source"])
    assert kept[2]["outputs"][0]["text"] == ["lr 0.25\n"]
    assert not list(Path(step.log_path or "").glob(".scratch"))


async def test_a_cell_that_raises_is_named_and_what_was_executed_is_kept(tmp_path: Path) -> None:
    write(tmp_path, code("a = 1\nprint('before')"), code("raise ValueError('no good')"), code("print('never')"))
    run = await AsyncPipeline([NotebookTask("b", "n.ipynb", returns=["a"])], directory=tmp_path).execute(
        logs=tmp_path / "logs"
    )
    step = run["b"]
    assert (step.failure, step.error) == (Failure.CRASHED, "n.ipynb: cell 2 raised ValueError: no good")
    assert "ValueError" in step.metadata["traceback"]
    assert [len(cell["outputs"]) for cell in executed(step.log_path)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("source", "returns", "options", "failure", "error"),
    [
        ("a = 1", ["b"], {}, Failure.INVALID_OUTPUT, "there is no variable b"),
        ("b = object()", ["b"], {}, Failure.INVALID_OUTPUT, "b cannot be returned: it is a object, which is no JSON"),
        ("b = float('nan')", ["b"], {}, Failure.INVALID_OUTPUT, "b cannot be returned: it has nan or infinity"),
        ("a = 1", [], {"parameters": ["x"]}, Failure.INVALID_OUTPUT, "nothing is known for its parameter x"),
        ("a = 1", [], {"kernel": "no-such-kernel"}, Failure.AGENT_MISSING, "there is no kernel no-such-kernel; `"),
        ("import os; os._exit(3)", [], {}, Failure.CRASHED, "its kernel died in cell 1"),
    ],
)
async def test_what_cannot_be_is_told(
    tmp_path: Path, source: str, returns: list[str], options: Mapping[str, Any], failure: Failure, error: str
) -> None:
    write(tmp_path, code(source))
    one = AsyncPipeline([NotebookTask("b", "n.ipynb", returns=returns, **options)], directory=tmp_path)
    step = (await one.execute())["b"]
    assert step.failure is failure
    assert error in (step.error or "")


async def test_a_notebook_may_give_its_variables_the_names_of_builtins(tmp_path: Path) -> None:
    write(tmp_path, code("json = open = type = list = isinstance = getattr = exec = globals = print = 5\nt = (1, {2})"))
    step = AsyncPipeline([NotebookTask("b", "n.ipynb", returns=["type", "t"])], directory=tmp_path)
    assert (await step.execute()).outputs == {"type": 5, "t": [1, [2]]}


async def test_a_notebook_that_is_none_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.ipynb").write_text("{")
    for name, error in (("bad.ipynb", "is no notebook"), ("none.ipynb", f"is no notebook none.ipynb in {tmp_path}")):
        step = (await AsyncPipeline([NotebookTask("b", name)], directory=tmp_path).execute())["b"]
        assert step.failure is Failure.AGENT_MISSING
        assert error in (step.error or "")
    with pytest.raises(UsageError):
        NotebookTask("b", "script.py")
    with pytest.raises(UsageError):
        NotebookTask("b", "n.ipynb", parameters=["a b"])


STAYS = """\
import os, subprocess, sys, time
children = [subprocess.Popen(["sleep", "300"]), subprocess.Popen(["sleep", "300"], start_new_session=True)]
with open("pids.tmp", "w") as file:
    file.write(" ".join(map(str, [os.getpid(), os.getppid(), *(child.pid for child in children)])))
os.rename("pids.tmp", "pids")
print("sleeping", flush=True)
"""


@pytest.mark.parametrize("how", ["timeout", "left", "end"])
async def test_the_kernel_and_its_children_end_with_the_attempt(tmp_path: Path, how: str) -> None:
    write(tmp_path, code(STAYS + ("" if how == "end" else "time.sleep(300)\n")))
    for limit in (12, 40) if how == "timeout" else (None,):  # a kernel takes its time to start on a busy machine
        one = AsyncPipeline([NotebookTask("b", "n.ipynb", timeout=limit, kill_grace=1)], directory=tmp_path)
        if how == "left":
            async with one.execute_streaming() as stream:
                async for event in stream:
                    if event["type"] == "task_chunk" and "sleeping" in event["chunk"]:
                        break
        else:
            step = (await one.execute(logs=tmp_path / "logs"))["b"]
            assert step.failure is (Failure.TIMEOUT if how == "timeout" else None), step.error
            if how == "timeout":
                assert step.error == f"n.ipynb was ended after its timeout of {limit} s"
        if (tmp_path / "pids").exists():
            break
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 4
    until = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)  # noqa: ASYNC251  # nothing else runs
    assert not [pid for pid in pids if alive(pid)]


async def test_secrets_reach_the_kernel_and_no_file(tmp_path: Path) -> None:
    secret = 'tok-"Zq7\\x9'
    write(
        tmp_path,
        code("import os\nvalue = os.environ['TOKEN']\nprint(value)\nvalue"),
        code("out = {'deep': [value]}\nraise_it = 0"),
    )
    one = AsyncPipeline(
        [NotebookTask("b", "n.ipynb", returns=["out"], secrets=["TOKEN"])],
        directory=tmp_path,
        environment={**os.environ, "TOKEN": secret},
    )
    state = tmp_path / "state"
    run = await one.execute({"token": secret}, store=state)
    assert run["b"].outputs == {"out": {"deep": ["***"]}}, run["b"].error
    once = json.dumps(secret)[1:-1]
    needles = [secret.encode(), once.encode(), json.dumps(once)[1:-1].encode(), repr(secret)[1:-1].encode()]
    files = [path for path in state.rglob("*") if path.is_file()]
    assert any(path.name == "notebook.ipynb" for path in files)
    assert not [path for path in files for needle in needles if needle in path.read_bytes()]


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    write(tmp_path, code("a = 1"))
    monkeypatch.setitem(sys.modules, "nbclient", None)
    step = (await AsyncPipeline([NotebookTask("b", "n.ipynb")], directory=tmp_path).execute())["b"]
    assert step.failure is Failure.AGENT_MISSING
    assert "pip install 'orch-tasks[notebook]'" in (step.error or "")


def test_parameters_stand_after_their_defaults_and_replace_those_of_an_earlier_run() -> None:
    new = code("new", "injected-parameters")
    notebook = {"cells": [code("a"), code("x = 1", "parameters"), code("x = 2", "injected-parameters"), code("b")]}
    injected(notebook, {"x": 3}, new)
    assert ["".join(cell["source"]) for cell in notebook["cells"]] == ["a", "x = 1", "new", "b"]
    first = {"cells": [code("a")]}
    injected(first, {"x": 3}, new)
    assert first["cells"][0] is new
    without = {"cells": [code("a")]}
    injected(without, {}, new)
    assert len(without["cells"]) == 1


def test_the_defaults_of_a_notebook_are_what_its_cell_assigns() -> None:
    source = "a = 1\nb: int = 2\n(c, d) = 3, 4\nx.y = 5\nprint(z)\n"
    assert defaults_of({"cells": [code(source, "parameters"), code("e = 1")]}) == ["a", "b", "c", "d", "x"]
    assert defaults_of({"cells": [code("%magic", "parameters")]}) == []


@pytest.mark.parametrize(
    "value", [None, True, 1, -0.5, float("inf"), "a'\"\n\\", [1, [None]], {"a": {"b": [True]}}, "{{ x }}", "é\ud800"]
)
def test_values_are_written_as_python_writes_them(value: object) -> None:
    names: dict[str, Any] = {}
    exec(assignments({"x": value}), names)  # noqa: S102  # what a kernel does
    assert names["x"] == value
    assert literal(value)
