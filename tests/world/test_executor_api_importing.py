"""Importing what speaks to models: in a thread, once, and nobody gets a module that is only half there."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from orchestration.executors.api import wait_for_import

SLOW = """
import pathlib, time
pathlib.Path(__file__).with_suffix(".begun").touch()
while not pathlib.Path(__file__).with_suffix(".go").exists(): time.sleep(0.005)
answer = 42
"""


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


async def test_who_comes_while_a_module_is_being_imported_waits_for_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a_module_that_takes_its_time"
    (tmp_path / f"{name}.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    first = asyncio.create_task(wait_for_import(name))
    await asyncio.to_thread(wait_for, tmp_path / f"{name}.begun")
    assert name in sys.modules
    second = asyncio.create_task(wait_for_import(name))
    for _ in range(10):  # turns of the loop: whoever does not wait is done by then
        await asyncio.sleep(0)
    assert not second.done()
    (tmp_path / f"{name}.go").touch()
    one, other = await asyncio.gather(first, second)
    assert one is other
    assert other.answer == 42


async def test_what_cannot_be_imported_is_an_error_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ImportError):
            await wait_for_import("there_is_no_such_module_at_all")
