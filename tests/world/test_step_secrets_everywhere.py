"""Secrets of pipelines' tasks are found in no file and in no event, byte by byte."""

import base64
import json
import os
import runpy
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestration import (
    AsyncPipeline,
    AsyncPythonTask,
    Failure,
    Map,
    Parallel,
    PythonTask,
    ShellTask,
)
from orchestration.errors import UsageError
from tests.world.step_secrets import (
    ALL,
    NAMED,
    ROOT,
    environment,
    leaks,
    make_project,
    mine,
    pipeline,
    say,
    watched,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


class Config(BaseModel):
    key: str
    inner: dict[str, list[str]]


def tells(FROM_ENV: str, FROM_DIGITS: str, FROM_DOTENV: str, FROM_COMMAND: str) -> dict[str, Any]:  # noqa: N803  # named as the secrets
    values = [FROM_ENV, FROM_DIGITS, FROM_DOTENV, FROM_COMMAND]
    assert values == list(NAMED.values())
    assert mine() == NAMED
    for value in values:
        half = len(value) // 2
        say(value, json.dumps(value), base64.b64encode(value.encode()).decode())
        say(value[:half], end="")
        say(value[half:])
        sys.stdout.write(f"no line end {value}")
    return {"whole": values, "number": int(FROM_DIGITS), FROM_ENV: {FROM_ENV: [FROM_ENV]}, "json": json.dumps(values)}


def yields() -> Iterator[Any]:
    for value in mine().values():
        yield value
        yield {"deep": [value, {value: value}], "code": base64.b64encode(value.encode()).decode()}
        yield Config(key=value, inner={value: [value]})
        yield (value, {value})
    yield {"type": "done", "found": list(mine().values())}


async def yields_text() -> AsyncIterator[str]:
    for value in mine().values():
        yield f"a {value} b"
        for sign in value:
            yield sign


def raises() -> None:
    values = list(mine().values())
    try:
        raise KeyError(values[0])  # noqa: TRY301  # to be seen in the chain
    except KeyError as error:
        raise RuntimeError("no " + " ".join(values)) from error


def raises_long() -> None:
    raise ValueError(f"{'z' * 1_990}{mine()['FROM_ENV']}{'z' * 7_990}{mine()['FROM_ENV']}{'z' * 7_990}")


def exits() -> None:
    sys.exit("exit " + mine()["FROM_ENV"])


def hands_back() -> Config:
    value = mine()["FROM_ENV"]
    return Config(key=value, inner={"a": [value]})


def tells_again(whole: list[str]) -> str:
    return " ".join(whole)


STASH: list[str] = []


def stashes() -> None:
    STASH.extend(mine().values())


def betrays() -> str:
    say(STASH)
    return " ".join(STASH)


def with_retry(tries: list[int]) -> str:
    del tries
    raise ValueError(mine()["FROM_ENV"])


SHELL = (
    'printf "%s\\n" "$FROM_ENV" "$FROM_DIGITS" "$FROM_DOTENV" "$FROM_COMMAND"; env; echo "a=$FROM_ENV" >> $ORCH_OUTPUT'
)


def everything(root: Path) -> AsyncPipeline:
    def task(function: Any, *returns: str, **options: Any) -> Any:  # noqa: ANN401  # a function, a task
        kind = AsyncPythonTask if function is yields_text else PythonTask
        return kind(function, returns=returns, secrets=ALL, **options)

    return pipeline(
        root,
        task(tells, "whole", "number", "json"),
        PythonTask(tells_again, returns=["again"]),
        task(yields, "found"),
        task(yields_text, "text"),
        task(hands_back, "model"),
        ShellTask("shell", SHELL, secrets=ALL, returns=["a"]),
        ShellTask("unnamed", 'echo "$ORCH_PRM_token"; echo "b=$ORCH_PRM_token" >> $ORCH_OUTPUT', returns=["b"]),
        Map(
            "m", PythonTask(lambda item: f"{item} {mine()}", "each", returns=["of_item"], secrets=ALL), "items", "item"
        ),
        PythonTask(stashes, secrets=ALL),
        PythonTask(betrays, returns=["betrayed"]),
        Parallel(
            "bad",
            {
                "raises": task(raises),
                "long": task(raises_long),
                "exits": task(exits),
                "retried": PythonTask(with_retry, retry=2, secrets=ALL),
                "line": ShellTask("line", SHELL + "; exit 3", secrets=ALL, verify="echo $FROM_ENV; exit 1"),
                "code": ShellTask("code", "echo $FROM_ENV >&2; exit 3", secrets=ALL, retry=2),
            },
        ),
    )


PARAMETERS = {"items": [1, 2], "tries": [], "token": NAMED["FROM_ENV"], "deep": {"of": [NAMED["FROM_COMMAND"]]}}


@pytest.mark.slow
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "in memory"])
async def test_no_file_and_no_event_of_a_run_has_a_secret(project: Path, tmp_path: Path, durable: bool) -> None:
    state = tmp_path / "state"
    STASH.clear()
    options: dict[str, Any] = {"store": state} if durable else {"logs": state}
    run, told = await watched(everything(project), parameters=PARAMETERS, run_id="r", **options)
    assert {one.task_id: one.error for one in run.results if one.failure and not one.task_id.startswith("bad")} == {}
    assert run["tells"].outputs["whole"] == ["***"] * 4
    assert run["tells"].outputs["number"] == "***"
    assert run["tells_again"].output == "*** *** *** ***"
    assert run["betrays"].output == "*** *** *** ***"
    assert run["shell"].outputs == {"a": "***"}
    assert run["unnamed"].outputs == {"b": "***"}
    assert (run["bad/raises/raises"].failure, run["bad/exits/exits"].failure) == (Failure.CRASHED, Failure.EXIT_CODE)
    assert (state / "r" if not durable else state / "runs" / "r").is_dir()
    assert b"***" in told
    assert len(list(state.rglob("chunks.jsonl"))) >= 2
    assert len(list(state.rglob("stdout.log"))) >= 5
    assert not leaks({"events": told}, state)
    assert not [name for name, value in os.environ.items() if value in NAMED.values()]


DIES = """
    import os, sys
    from pathlib import Path
    from orchestration import AsyncPipeline, PythonTask

    def first(token, FROM_ENV):
        assert token == FROM_ENV
        print(token, flush=True)
        if not Path("tried").exists():
            Path("tried").touch()
            os.kill(os.getpid(), 9)
        return token

    pipeline = AsyncPipeline([PythonTask(first, returns=["x"], secrets=["FROM_ENV"])])
    if __name__ == "__main__":
        pipeline.run({"token": os.environ["FROM_ENV"], "other": 1}, "r", store="state")
"""


@pytest.mark.slow
async def test_a_run_that_goes_on_hides_them_too_and_asks_for_parameters_that_held_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dies.py").write_text(textwrap.dedent(DIES))
    ours = {**environment(), "PYTHONPATH": str(ROOT)}
    died = subprocess.run([sys.executable, "dies.py"], cwd=project, env=ours, timeout=60, check=False)  # noqa: ASYNC221  # nothing else runs
    assert died.returncode == -9
    state = project / "state"
    assert not leaks({}, state)
    monkeypatch.chdir(project)
    step = runpy.run_path("dies.py")["first"]
    again = pipeline(project, PythonTask(step, returns=["x"], secrets=["FROM_ENV"]))
    with pytest.raises(UsageError, match="token holds a secret"):
        await again.execute({"other": 1}, "r", store=state)
    parameters = {"token": NAMED["FROM_ENV"], "other": 1}
    run, told = await watched(again, parameters=parameters, run_id="r", store=state)
    assert run["first"].outputs == {"x": "***"}
    assert len(run["first"].attempts) == 2
    assert not leaks({"events": told}, state)
