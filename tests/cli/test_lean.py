"""Command lines that are read without Typer: the same reading as Typer's, or none."""

import subprocess
import sys
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import lean
from cli.app import COMMANDS, application, build
from cli.session import Session
from tests.cli.project import Project

SESSION = ("json", "quiet", "no_color", "root")


def plainly(value: object) -> object:
    """Lists, tuples and enums as Typer and we have them, made the same."""
    if isinstance(value, list | tuple):
        return [plainly(item) for item in value]
    return getattr(value, "value", value)


def said(given: dict[str, Any]) -> dict[str, object]:
    return {name: plainly(value) for name, value in given.items() if value not in (None, False, (), [])}


def by_typer(arguments: list[str]) -> tuple[str, dict[str, object], dict[str, object]]:
    """What Typer reads; raises whatever it raises."""
    session = Session()
    group: Any = application()
    with group.make_context("orch", list(arguments), obj=session) as outer:
        left: list[str] = [*outer._protected_args, *outer.args]  # noqa: SLF001  # Typer has no other door to them
        name, rest = left[0], left[1:]
        command = build(name, COMMANDS[name])
        with command.make_context(name, rest, parent=outer) as inner:
            told = {field: getattr(session, field) for field in SESSION}
            return name, said(inner.params), said(told)


def lines() -> st.SearchStrategy[list[str]]:
    """Command lines that make sense, nearly make sense, or make none."""
    options = [*lean.FLAGS, *lean.VALUES, *lean.LISTS, "--budget", "--help", "--", "-x", "-j4", "--fail-fast=yes", "-"]
    words = ["T1", "T-2", "high", "HIGH", "script", "API", "4", "0", "x y", "", "10001", "list", "failed", "30m", "./p"]
    option = st.sampled_from(options)
    joined = st.builds("{}={}".format, option, st.sampled_from(words))
    pair = st.tuples(option, st.sampled_from(words)).map(list)
    single = st.one_of(option, st.sampled_from(words), joined).map(lambda word: [word])
    parts = st.lists(st.one_of(pair, pair, single), max_size=4).map(lambda found: [*chain(*found)])
    command = st.sampled_from([*lean.FUNCTIONS, "resume", "lst"])
    return st.builds(lambda before, name, after: [*before, name, *after], st.one_of(st.just([]), parts), command, parts)


@given(lines())
def test_what_is_read_without_typer_is_what_typer_reads(arguments: list[str]) -> None:
    reading = lean.read(arguments)
    if reading is not None:
        command, given, session = reading
        assert (command, said(given), said(session)) == by_typer(arguments)


@pytest.mark.parametrize(
    "line",
    [
        "execute-task T1",
        "-C folder --json execute-task T1 --agent codex --mode script --force",
        "run-batch -j 4 --label a -l b --priority HIGH --fail-fast --timeout 30m --quiet",
        "run-batch T1 T2 --max-concurrent=3 --events",
        "list --status failed --phase build -C folder",
    ],
)
def test_the_usual_lines_are_read_without_typer(line: str) -> None:
    reading = lean.read(line.split())
    assert reading is not None
    assert (reading[0], said(reading[1]), said(reading[2])) == by_typer(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "execute-task",
        "execute-task A B",
        "list x",
        "run-batch --help",
        "run-batch -j 0",
        "run-batch --mode x",
        "lst",
    ],
)
def test_everything_else_is_left_to_typer(line: str) -> None:
    assert lean.read(line.split()) is None


@pytest.mark.parametrize("command", lean.FUNCTIONS)
def test_the_table_has_all_that_typer_was_told_of_the_commands(command: str) -> None:
    parameters = build(command, COMMANDS[command]).params
    names = {name for one in parameters if one.param_type_name == "option" for name in (*one.opts, *one.secondary_opts)}
    known = {*lean.FLAGS, *lean.VALUES, *lean.LISTS, "--budget", "--help"}
    assert names <= known


def test_a_usual_line_imports_no_typer(project: Project) -> None:
    project.write("tasks/T1.md", "---\nagent: shell\n---\ntrue\n")
    code = (
        "import sys, os\n"
        "os._exit = lambda code: print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "from cli.main import main\n"
        "main()\n"
    )
    argv = [sys.executable, "-c", code, "-C", str(project.root), "execute-task", "T1"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    modules = set(told.stdout.split())
    assert "pydantic" in modules
    assert modules.isdisjoint({"typer", "rich", "jinja2"})
