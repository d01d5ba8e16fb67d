"""The page of the command line against the program: commands, options, defaults, exit codes, errors, kinds of JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli import exit_codes
from cli.app import COMMANDS, application
from orchestration import errors
from orchestration.exporting.envelope import error_data
from orchestration.models import Task
from tests.docs.pages import ROOT, codes_in, name_in, read, table_of

COMMAND_LINE = read("docs/command-line.md")

GLOBAL_ROWS = table_of(COMMAND_LINE, "For all commands", "option")
GLOBAL = {code.split()[0] for row in GLOBAL_ROWS for code in codes_in(row["option"])}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_the_arguments_and_options_that_its_help_shows(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    application().main([*command.split(), "--help"], prog_name="orch", standalone_mode=False)
    arguments, options = shown_by(capsys.readouterr().out)
    try:
        rows = table_of(COMMAND_LINE, command, "argument or option")
    except LookupError:
        rows = []
    told = [code.split()[0] for row in rows for code in codes_in(row["argument or option"])]
    assert {word for word in told if not word.startswith("-")} == arguments
    assert {word for word in told if word.startswith("-")} == options - GLOBAL
    assert options >= GLOBAL


def shown_by(text: str) -> tuple[set[str], set[str]]:
    """The arguments and options in a command's help."""
    _, _, below = text.partition("Arguments:\n")
    head, _, tail = (below or text).partition("Options:\n")
    arguments = re.findall(r"^  (\S+)", head, re.MULTILINE) if below else []
    options = re.findall(r"(?:^  |, |/ )(--?[A-Za-z][a-z-]*)", tail, re.MULTILINE)
    return {re.sub(r"[][{}.]", "", word) for word in arguments}, set(options)


def test_each_command_has_a_section_of_its_own() -> None:
    headings = re.findall(r"^### (.+)$", COMMAND_LINE, re.MULTILINE)
    assert headings == sorted(COMMANDS, key=headings.index)


def test_each_command_is_in_the_contents_of_the_page() -> None:
    contents, _, _ = COMMAND_LINE.partition("## For all commands")
    assert sorted(set(re.findall(r"\[([a-z -]+)\]\(#", contents)) & set(COMMANDS)) == sorted(COMMANDS)


@pytest.mark.parametrize("command", ["run-batch", "plan", "pipeline", "resume"])
def test_how_much_runs_at_once_by_default_is_what_the_help_says(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    application().main([command, "--help"], prog_name="orch", standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    rows = table_of(COMMAND_LINE, command, "argument or option")
    (meaning,) = (row["meaning"] for row in rows if "--max-concurrent" in row["argument or option"])
    what, _, default = meaning.rstrip(".").partition("; by default ")
    assert f"{what} (default: {default})." in shown


def test_each_exit_code_is_there_and_no_other() -> None:
    cells = [row["code"] for row in table_of(COMMAND_LINE, "Exit codes", "code")]
    ours = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {int(cell.partition(" + n")[0]) for cell in cells} == ours


def test_each_error_is_there_with_its_exit_code() -> None:
    rows = table_of(COMMAND_LINE, "JSON", "error code")
    raised = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OrchError)]
    expected = {kind.code: kind.exit_code for kind in raised if kind is not errors.OrchError}
    assert {name_in(row["error code"]): int(row["exit code"]) for row in rows} == expected


BACKLOG = """
tasks:
  - {id: A, agent: shell, description: exit 1}
  - {id: B}
  - {id: C}
  - {id: D}
  - {id: E, approve: true}
  - {id: F, approve: true}
"""
STEPS = """
from orchestration import AsyncPipeline, PythonTask
pipeline = AsyncPipeline([PythonTask(lambda: 1, "one")])
"""
CALLS = {  # in this order, in one project: each row of the table of kinds → arguments
    "init": "init",
    "add": "add Title",
    "validate": "validate",
    "list": "list",
    "next": "next",
    "plan": "plan",
    "graph": "graph",
    "run-batch --dry-run": "run-batch --dry-run",
    "execute-task": "execute-task A",
    "run-batch": "run-batch",
    "resume": "resume",
    "pipeline": "pipeline {steps}",
    "complete": "complete B",
    "fail": "fail C --reason it-broke",
    "approve": "approve E",
    "reject": "reject F",
    "cancel": "cancel D",
    "retry": "retry A",
    "status": "status",
    "show": "show A",
    "show --prompt": "show A --prompt",
    "agents": "agents",
    "agents check": "agents check shell",
    "agents test": "agents test codex tests/agents/transcripts/codex/write/stdout.log",
    "why": "why A",
    "logs": "logs A",
    "runs": "runs",
    "events": "events",
    "report": "report",
    "backup": "backup",
    "restore": "restore {backup}",
    "doctor": "doctor",
    "schema": "schema",
    "version": "version",
}


@pytest.mark.slow
@pytest.mark.timeout(300)  # it starts the program once for each command
def test_each_command_prints_the_kind_and_the_data_that_are_told(tmp_path: Path) -> None:
    rows = {name_in(row["command"]): row for row in table_of(COMMAND_LINE, "JSON", "command")}
    assert sorted(rows) == sorted(CALLS)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "backlog.yaml").write_text(BACKLOG)
    (steps := tmp_path / "steps.py").write_text(STEPS)
    for name, arguments in CALLS.items():
        made = next((tmp_path / ".orchestration/backups").glob("*"), None)
        words = arguments.format(backup=made, steps=steps).split()
        command = [sys.executable, "-m", "cli", "-C", str(tmp_path), *words, "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        printed = json.loads(done.stdout)
        assert (printed["schema"], printed["kind"]) == ("orch/1", name_in(rows[name]["kind"])), done.stderr
        told = set(codes_in(rows[name]["data"])) | (set(Task.model_fields) if name == "show" else set())
        assert not told or told == set(printed["data"]), name


def test_a_failed_command_prints_what_is_told_of_errors() -> None:
    told = re.search(r"of kind `error`, whose data has (.*?) \(a list of (.*?)\)", COMMAND_LINE, re.DOTALL)
    assert told is not None
    error = errors.OrchError("message", problems=[errors.Problem("message")])
    assert set(codes_in(told[1])) == set(error_data(error))
    assert set(codes_in(told[2])) == set(error_data(error)["problems"][0])
