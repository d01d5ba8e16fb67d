"""The version of an agent program: what is remembered of it, and what is not."""

import asyncio
import os
from pathlib import Path

import pytest

from orchestration.adapters import Invocation
from orchestration.executors._versions import Versions
from orchestration.loading.adapters import load_preset
from orchestration.process import LiveChildren

ENVIRONMENT = {"PATH": os.environ["PATH"]}
SAYS = "#!/bin/sh\necho x >> {0}/asked\nwhile test -e {0}/hold; do sleep 0.01; done\necho 1.2.3\n"


def program(folder: Path) -> str:
    path = folder / "heron"
    path.write_text(SAYS.format(folder), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


async def ask(versions: Versions, path: str, patience: float | None = None) -> str | None:
    invocation = Invocation((path,), version_argv=("heron", "-v"))
    return await versions.of(path, invocation, load_preset("codex"), ENVIRONMENT, patience)


def asked(folder: Path) -> int:
    file = folder / "asked"
    return len(file.read_text(encoding="ascii").splitlines()) if file.exists() else 0


async def until_asked(folder: Path, times: int) -> None:
    async with asyncio.timeout(20):
        while asked(folder) < times:  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.01)


async def test_a_program_is_asked_once(tmp_path: Path) -> None:
    versions, path = Versions(None), program(tmp_path)
    found = [await ask(versions, path), *await asyncio.gather(ask(versions, path), ask(versions, path))]
    assert (found, asked(tmp_path)) == (["1.2.3"] * 3, 1)


async def test_who_asks_while_a_question_is_given_up_gets_an_answer_of_his_own(tmp_path: Path) -> None:
    versions, path = Versions(None), program(tmp_path)
    (tmp_path / "hold").touch()
    first = asyncio.create_task(ask(versions, path))
    await until_asked(tmp_path, 1)
    first.cancel()
    await asyncio.sleep(0)  # the first one is told, and ends the program
    second = asyncio.create_task(ask(versions, path))
    with pytest.raises(asyncio.CancelledError):
        await first
    (tmp_path / "hold").unlink()
    assert await second == "1.2.3"


async def test_a_question_that_was_cut_short_says_nothing_of_the_program(tmp_path: Path) -> None:
    children = LiveChildren()
    versions, path = Versions(children), program(tmp_path)
    (tmp_path / "hold").touch()
    first = asyncio.create_task(ask(versions, path))
    await until_asked(tmp_path, 1)
    children.kill_now()
    assert await first is None
    (tmp_path / "hold").unlink()
    assert await ask(versions, path) == "1.2.3"


async def test_who_has_more_time_than_the_first_one_asks_again_and_who_has_not_does_not(tmp_path: Path) -> None:
    versions, path = Versions(None), program(tmp_path)
    (tmp_path / "hold").touch()
    assert await ask(versions, path, 0.3) is None
    assert await ask(versions, path, 0.3) is None
    assert asked(tmp_path) == 1
    (tmp_path / "hold").unlink()
    assert await ask(versions, path) == "1.2.3"
    assert await ask(versions, path, 0.3) == "1.2.3"
    assert asked(tmp_path) == 2
