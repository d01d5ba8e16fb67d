"""Every sample of MIGRATION.md, run as a reader would run it, and what it says about which calls are async."""

import inspect
from collections.abc import Sequence
from pathlib import Path

import pytest

import orchestration
from tests.docs.pages import Fence, fences_of, read, table_of
from tests.docs.samples import run_story, stories_of

TEXT = read("MIGRATION.md")
FENCES = fences_of("MIGRATION.md", TEXT)
STORIES = stories_of(FENCES)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0].place)
def test_a_sample_runs_and_prints_what_is_shown(story: Sequence[Fence], tmp_path: Path) -> None:
    run_story(story, tmp_path)


def test_there_is_no_sample_that_is_not_run() -> None:
    run = {fence.line for story in STORIES for fence in story}
    assert [fence.place for fence in FENCES if fence.line not in run] == []
    assert len(STORIES) > 10


def test_the_table_says_of_each_call_whether_it_is_async() -> None:
    for row in table_of(TEXT, "What becomes async", "call"):
        owner, _, name = row["call"].strip("`").partition(".")
        call = getattr(getattr(orchestration, owner), name)
        assert inspect.iscoroutinefunction(call) == (row["kind"] == "async"), row


@pytest.mark.parametrize("owner", ["TaskExecutor", "ProjectOrchestrator"])
def test_the_table_has_each_public_call(owner: str) -> None:
    there = {name for name, value in vars(getattr(orchestration, owner)).items() if name[0] != "_" and callable(value)}
    told = {row["call"].strip("`") for row in table_of(TEXT, "What becomes async", "call")}
    assert {f"{owner}.{name}" for name in there} <= told
