"""The README: two set-up commands, samples that run, figures and lists that are true, an installation that works."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import exit_codes
from orchestration.loading import load_project
from orchestration.models import BUILT_IN_AGENTS
from tests.docs.pages import ROOT, Fence, codes_in, fences_of, read, table_of
from tests.docs.samples import run_story, stories_of

TEXT = read("README.md")
FENCES = fences_of("README.md", TEXT)
SET_UP = ["scripts/demo", "scripts/test"]


@pytest.mark.slow
@pytest.mark.parametrize("story", stories_of(FENCES), ids=lambda story: story[0].place)
def test_a_sample_runs_and_prints_what_is_shown(story: Sequence[Fence], tmp_path: Path) -> None:
    run_story(story, tmp_path)


@pytest.mark.slow
def test_after_the_first_example_the_doctor_finds_nothing(tmp_path: Path) -> None:
    run_story(stories_of(FENCES)[0], tmp_path)
    found = subprocess.run(
        [sys.executable, "-m", "cli", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, "PROBLEM" in found.stdout.upper()) == (0, False), found.stdout


def test_there_are_exactly_two_set_up_commands_and_they_can_be_run() -> None:
    listed = [line for fence in FENCES if fence.language == "sh" for line in fence.text.splitlines()]
    assert [line for line in listed if line.startswith("scripts/")] == SET_UP
    (together,) = [fence for fence in FENCES if SET_UP[0] in fence.text]
    assert together.text.splitlines() == SET_UP
    assert all(os.access(ROOT / name, os.X_OK) for name in SET_UP)


def test_each_exit_code_is_there_and_no_other() -> None:
    numbers = {int(code) for row in table_of(TEXT, "Exit codes", "code") for code in row["code"].split(", ")}
    ours = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    signals = {exit_codes.of_signal(number) for number in (1, 2, 15)}
    assert numbers == (ours - {exit_codes.SIGNALLED}) | signals


def test_the_commands_of_the_run_are_commands() -> None:
    from cli.app import COMMANDS

    shown = [code.split()[1] for row in table_of(TEXT, "The run", "command") for code in codes_in(row["command"])]
    assert set(shown) <= set(COMMANDS)
    assert len(shown) > 5


def test_what_it_says_of_the_example_and_of_built_in_agents_is_true() -> None:
    assert len(load_project(ROOT / "examples" / "quickstart").tasks) == 15
    assert "fifteen tasks" in TEXT
    said = re.search(r"exist without being written: (.*?)\.", TEXT, re.DOTALL)
    assert said is not None
    assert codes_in(said[1]) == list(BUILT_IN_AGENTS)


def test_it_is_the_text_of_the_distribution() -> None:
    settings = tomllib.loads(read("pyproject.toml"))
    assert settings["project"]["readme"] == "README.md"


@pytest.mark.slow
@pytest.mark.timeout(300)  # it builds the distribution
def test_installed_from_the_checkout_it_runs_a_project(tmp_path: Path) -> None:
    site, project = tmp_path / "site", tmp_path / "project"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(ROOT)], check=True, timeout=100, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def orch(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "cli", "-C", str(project), *arguments]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment
        )
        return done.stdout

    where = [sys.executable, "-P", "-c", "import cli, orchestration; print(cli.__file__, orchestration.__file__)"]
    found = subprocess.run(where, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment).stdout
    assert all(Path(path).is_relative_to(site) for path in found.split())
    orch("init")
    assert "success" in orch("run-batch")
    assert "1 done" in orch("status")
    assert (site / "bin" / "orch").exists()
