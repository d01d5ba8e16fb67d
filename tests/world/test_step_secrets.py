"""Secrets of pipelines' tasks: given where they are named, late, and nowhere else."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orchestration import (
    AgentRegistry,
    AgentStep,
    AsyncPipeline,
    Conditional,
    Failure,
    Map,
    Parallel,
    PythonTask,
    Return,
    ShellTask,
    current_step,
)
from orchestration.errors import UsageError
from orchestration.models import Settings
from orchestration.steps.binding import CannotBind
from tests.world.step_secrets import (
    NAMED,
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


async def test_they_are_given_only_where_they_are_named(project: Path) -> None:
    with pytest.raises(CannotBind, match="nothing is known for its parameter FROM_ENV"):
        await pipeline(project, PythonTask(lambda FROM_ENV: FROM_ENV, "asks")).execute()  # noqa: N803  # a secret's name
    run = await pipeline(
        project,
        PythonTask(lambda: mine(), "unnamed", returns=["u"]),  # noqa: PLW0108  # a function of its own
        PythonTask(lambda **others: sorted(others), "takes_all", returns=["names"], secrets=["FROM_ENV"]),
        PythonTask(lambda FROM_ENV="none": FROM_ENV, "default", returns=["d"]),  # noqa: N803  # a secret's name
        ShellTask("shell", 'test -z "$FROM_ENV"'),
    ).execute({"x": 1})
    assert run.status == "success", [one.error for one in run.results]
    assert run["unnamed"].outputs == {"u": {}}
    assert run["takes_all"].outputs == {"names": ["u", "x"]}
    assert run["default"].outputs == {"d": "none"}


async def test_a_model_that_hides_them_is_given_them_and_an_error_does_not_quote_them(project: Path) -> None:
    def typed(FROM_ENV: SecretStr) -> int:  # noqa: N803  # a secret's name
        assert FROM_ENV.get_secret_value() == NAMED["FROM_ENV"]
        return len(FROM_ENV)

    def plain(FROM_ENV: str) -> bool:  # noqa: N803  # likewise
        return type(FROM_ENV) is str

    def wrong(FROM_ENV: int) -> None:  # noqa: N803  # likewise
        raise AssertionError(FROM_ENV)

    long = "x" * 70 + NAMED["FROM_ENV"]
    run = await AsyncPipeline(
        [
            PythonTask(typed, returns=["t"], secrets=["FROM_ENV"]),
            PythonTask(plain, returns=["p"], secrets=["FROM_ENV"]),
        ],
        directory=project,
        environment=environment(),
    ).execute()
    assert run.outputs == {"t": len(NAMED["FROM_ENV"]), "p": True}
    bad = AsyncPipeline(
        [PythonTask(wrong, secrets=["FROM_ENV"])], directory=project, environment=environment(FROM_ENV=long)
    )
    error = (await bad.execute())["wrong"].error or ""
    assert "FROM_ENV cannot be '***'" in error or "FROM_ENV cannot be ***" in error
    assert "xxxxxx" not in error


@pytest.mark.parametrize("kind", ["function", "command"])
async def test_a_missing_one_fails_the_step_before_it_begins(project: Path, kind: str) -> None:
    called: list[int] = []
    task: Any = PythonTask(lambda: called.append(1), "step", secrets=["NO_SUCH"], retry=3)
    if kind == "command":
        task = ShellTask("step", "touch called", secrets=["NO_SUCH"], retry=3)
    run = await pipeline(project, task).execute()
    step = run["step"]
    assert (step.failure, len(step.attempts)) == (Failure.AUTH, 1)
    assert "the secret NO_SUCH is missing: there is no variable NO_SUCH" in (step.error or "")
    assert not called
    assert not (project / "called").exists()


async def test_they_are_looked_up_late_and_anew_for_each_attempt(project: Path) -> None:
    ours = environment()
    seen: list[str] = []

    def tries(TOKEN: str) -> None:  # noqa: N803  # a secret's name
        seen.append(TOKEN)
        ours["TOKEN"] = "second-value"
        say(*seen)
        assert len(seen) > 1, " ".join(seen)

    one = AsyncPipeline(
        [
            PythonTask(lambda: ours.update(TOKEN="first-value"), "sets"),
            PythonTask(tries, secrets=["TOKEN"], retry={"max": 2, "backoff": 0}),
        ],
        directory=project,
        environment=ours,
    )
    run, told = await watched(one)
    assert seen == ["first-value", "second-value"]
    assert run["tries"].output == "*** ***\n"
    assert b"first-value" not in told
    assert b"second-value" not in told


async def test_settings_that_are_given_say_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("from-a-file\n")
    settings = Settings.model_validate({"secrets": {"T": {"file": "it"}}})
    one = AsyncPipeline(
        [PythonTask(lambda T: len(T), "a", returns=["n"], secrets=["T"])],  # noqa: N803, PLW0108  # a secret's name
        directory=tmp_path,
        settings=settings,
        environment={},
    )
    assert (await one.execute()).outputs == {"n": len("from-a-file")}


async def test_threads_that_print_at_once_do_not_tear_the_mask(project: Path) -> None:
    secret = NAMED["FROM_DOTENV"]

    def prints(FROM_DOTENV: str) -> None:  # noqa: N803  # a secret's name
        import contextvars

        def loop() -> None:
            for _ in range(200):
                say(FROM_DOTENV)

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(loop,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run = await pipeline(project, PythonTask(prints, secrets=["FROM_DOTENV"])).execute()
    assert secret not in run["prints"].output
    assert run["prints"].output.count("***") >= 1


async def test_one_inside_of_an_object_that_is_kept_is_refused_and_one_that_is_too_short_is_told(
    project: Path, tmp_path: Path
) -> None:
    kept = PythonTask(
        lambda FROM_ENV: {"it": FROM_ENV},  # noqa: N803  # a secret's name
        "keeps",
        returns=[Return("o", "object", serializer=json)],
        secrets=["FROM_ENV"],
    )
    run = await pipeline(project, kept).execute(store=tmp_path / "state")
    assert run["keeps"].failure is Failure.INVALID_OUTPUT
    assert "holds a secret" in (run["keeps"].error or "")
    short = AsyncPipeline(
        [PythonTask(lambda PIN: PIN, "short", secrets=["PIN"])],  # noqa: N803  # a secret's name
        directory=project,
        environment={"PIN": "123"},
    )
    warned = (await short.execute())["short"].metadata["warnings"]
    assert warned == ["the secret PIN is shorter than 4 characters, and is not masked"]


async def test_an_agent_that_is_a_function_sees_them_as_a_step_does(project: Path) -> None:
    registry = AgentRegistry()
    registry.register("plain", lambda: " ".join(mine()))
    registry.register("async", _names_of_mine)
    steps = [AgentStep(name, name, prompt="x", secrets=["FROM_ENV"]) for name in ("plain", "async")]
    none = PythonTask(lambda: mine(), "none")  # noqa: PLW0108  # a function of its own
    run = await AsyncPipeline([*steps, none], registry=registry, directory=project, environment=environment()).execute()
    assert [run[name].output for name in ("plain", "async", "none")] == ["FROM_ENV", "FROM_ENV", "{}"]
    assert current_step() is None


async def _names_of_mine() -> str:
    return " ".join(mine())


async def test_errors_that_quote_and_cut_a_parameter_quote_nothing_of_a_secret(project: Path) -> None:
    secret = "".join(f"{number:03x}Q" for number in range(60))
    one = AsyncPipeline(
        [
            PythonTask(lambda TOKEN: len(TOKEN), "knows", returns=["n"], secrets=["TOKEN"]),  # noqa: N803, PLW0108  # a secret's name
            Parallel(
                "p",
                {
                    "map": Map("m", PythonTask(lambda item: item, "x"), "token", "item"),
                    "choice": Conditional("c", {"a": PythonTask(lambda: 1, "y")}, parameter="token"),
                    "bind": PythonTask(_asks_for_a_number, "z"),
                },
            ),
        ],
        directory=project,
        environment=environment(TOKEN=secret),
    )
    run, told = await watched(one, parameters={"token": secret})
    assert {run[f"p/{path}"].status for path in ("map/m", "choice/c", "bind/z")} == {"failed"}
    parts = {secret[at : at + 12] for at in range(0, len(secret) - 12, 4)}
    assert not [part for part in parts if part.encode() in told]
    assert "is text, not a list of items ('***" in (run["p/map/m"].error or "")


def _asks_for_a_number(token: int) -> int:
    return token


async def test_objects_without_a_secret_stay_the_objects_that_they_are(project: Path) -> None:
    class Client:
        def __init__(self, token: str) -> None:
            self.token = token

    def makes(FROM_ENV: str) -> Client:  # noqa: N803  # a secret's name
        return Client(FROM_ENV)

    def uses(client: Client) -> int:
        return len(client.token)

    one = pipeline(
        project,
        PythonTask(makes, returns=[Return("client", "object")], secrets=["FROM_ENV"]),
        PythonTask(uses, returns=["n"]),
    )
    run, told = await watched(one)
    assert run.outputs["n"] == len(NAMED["FROM_ENV"])
    assert not leaks({"events": told})


@pytest.mark.parametrize("names", ["TOKEN", [1], [""], ["a b"], ["A=B"], {"A": 1}, [None]])
def test_names_that_cannot_be_are_refused_where_they_are_written(names: Any) -> None:  # noqa: ANN401  # wrong on purpose
    with pytest.raises(UsageError):
        PythonTask(lambda: None, "a", secrets=names)
