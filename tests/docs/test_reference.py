"""Tables in the documents against the program: a field, event, option or error that only one has is a failure."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import orchestration
from orchestration import events, kinds, registry, results
from orchestration.loading import load_project
from orchestration.models import (
    TASK_ALIASES,
    Account,
    ApiAgent,
    ApiSettings,
    Backoff,
    Budget,
    CliAgent,
    HybridAgent,
    InteractiveAgent,
    PythonAgent,
    RetryPolicy,
    ScriptAgent,
    ScriptedAgent,
    Settings,
    ShellAgent,
    Task,
)
from orchestration.process.environment import ALLOWED, ALLOWED_PREFIXES
from tests.docs.pages import ROOT, codes_in, name_in, read, table_of, tables_of
from tests.docs.test_docs import BACKDROP

Row = dict[str, str]
NOTHING: tuple[Any, ...] = (None, "", (), {}, Backoff(), ApiSettings())

TASKS, AGENTS, RUNS = read("docs/tasks.md"), read("docs/agents.md"), read("docs/runs.md")
LIMITS = read("docs/limits.md")

LATER = table_of(TASKS, "For later versions", "field")
TASK_ROWS: list[Row] = [row for table in tables_of(TASKS, "Fields", "field") for row in table if "default" in row]
AGENT_ROWS = table_of(AGENTS, "Fields of every agent", "field")
KIND_ROWS = table_of(AGENTS, "Fields of one kind", "field")
SETTING_ROWS = table_of(AGENTS, "Settings", "setting")

KINDS: dict[str, type[BaseModel]] = {
    "shell": ShellAgent,
    "script": ScriptAgent,
    "python": PythonAgent,
    "interactive": InteractiveAgent,
    "cli": CliAgent,
    "api": ApiAgent,
    "hybrid": HybridAgent,
    "scripted": ScriptedAgent,
}
NEEDED: dict[str, dict[str, Any]] = {
    "script": {"command": ["./run"]},
    "python": {"function": "package:function"},
    "cli": {"preset": "codex"},
    "hybrid": {"strategy": "fallback", "agents": ["shell", "codex"]},
    "scripted": {"script": ["final"]},
}
INSTEAD: dict[str, dict[str, Any]] = {
    "adapter": {"kind": "cli"},
    "file": {"kind": "scripted"},
    "steps": {"kind": "hybrid", "strategy": "chain"},
    "judge": {"kind": "hybrid", "strategy": "vote", "agents": ["codex", "aider"]},
    "judge_command": {"kind": "hybrid", "strategy": "vote", "agents": ["codex", "aider"]},
}
"""Field → what its agent needs where the usual needs exclude the field."""
FILES = {
    "agents/heron.yaml": (ROOT / "orchestration/adapters/presets/aider.yaml").read_text(encoding="utf-8"),
    "play.json": '["final"]',
}
"""Files that examples name."""
SAID_TO_BE_NOTHING = {"none", "needed", "the file's name", "see below", "see above", "from the binding"}
SAID_TO_BE_NOTHING |= {"the agent's", "the adapter's", "the program's", "the provider's", "the model's"}


def names_in(rows: list[Row], column: str) -> list[str]:
    return [name_in(row[column]) for row in rows]


def example_of(row: Row) -> str | None:
    codes = codes_in(row["example"])
    return codes[0] if codes else None


def check_default(model: type[BaseModel], name: str, cell: str, others: dict[str, Any]) -> None:
    """What a table says is the default has to be the default of the model's field, read as the field reads it."""
    field = model.model_fields[name]
    if cell in SAID_TO_BE_NOTHING:
        assert field.is_required() or field.get_default(call_default_factory=True) in NOTHING
        return
    given = model.model_validate({**others, name: yaml.safe_load(name_in(cell))})
    assert getattr(given, name) == field.get_default(call_default_factory=True)


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_each_field_of_a_task_is_there_once() -> None:
    assert sorted(names_in(TASK_ROWS, "field")) == sorted(Task.model_fields)


@pytest.mark.parametrize("row", TASK_ROWS, ids=lambda row: row["field"])
def test_the_default_of_a_task_field_is_right(row: Row) -> None:
    check_default(Task, name_in(row["field"]), row["default"], {"id": "A"})


@pytest.mark.parametrize("row", TASK_ROWS, ids=lambda row: row["field"])
def test_the_example_of_a_task_field_loads(row: Row, tmp_path: Path) -> None:
    example, name = example_of(row), name_in(row["field"])
    if example is None:
        assert "Refused" in row["in this version"]
        return
    (tmp_path / "tasks").mkdir()
    for file, text in BACKDROP.items():
        (tmp_path / file).write_text(text)
    (tmp_path / "tasks" / "EXAMPLE.yaml").write_text(f"{example}\n")
    project = load_project(tmp_path)
    assert name in project.tasks[0].model_fields_set
    ignored = row in LATER and row["in this version"] == "Changes nothing."
    assert [warning.message for warning in project.warnings] == (
        [f"`{name}` changes nothing in this version"] if ignored else []
    )


def test_the_other_spellings_are_those_that_are_understood() -> None:
    rows = table_of(TASKS, "Other spellings", "field")
    assert {name_in(row["field"]): name_in(row["is also understood as"]) for row in rows} == TASK_ALIASES


@pytest.mark.parametrize(("column", "model"), [("key", RetryPolicy), ("key of backoff", Backoff)])
def test_the_keys_of_retry_and_their_defaults_are_right(column: str, model: type[BaseModel]) -> None:
    check_keys(table_of(TASKS, "retry", column), column, model)


def test_the_keys_of_budgets_and_accounts_and_their_defaults_are_right() -> None:
    check_keys(table_of(TASKS, "budget", "key of budget"), "key of budget", Budget)
    check_keys(table_of(LIMITS, "Accounts", "key of an account"), "key of an account", Account)


def check_keys(rows: list[Row], column: str, model: type[BaseModel]) -> None:
    assert names_in(rows, column) == list(model.model_fields)
    for row in rows:
        check_default(model, name_in(row[column]), row["default"], {})


def test_each_word_of_run_when_is_there() -> None:
    assert names_in(table_of(TASKS, "run_when", "word"), "word") == list(kinds.RunWhen)


# -- agents and settings ----------------------------------------------------------------------------------------------


def test_each_field_of_each_kind_of_agent_is_there() -> None:
    common = names_in(AGENT_ROWS, "field")
    assert len(common) == len(set(common))
    for kind, model in KINDS.items():
        own = [name_in(row["field"]) for row in KIND_ROWS if row["kind"] == kind]
        assert sorted([*common, *own]) == sorted(model.model_fields)
    assert set(KINDS) == {*registry.EXECUTORS, "hybrid"}  # a hybrid one has others do the work


@pytest.mark.parametrize("row", [*AGENT_ROWS, *KIND_ROWS], ids=lambda row: row["field"] + row.get("kind", ""))
def test_default_and_example_of_an_agents_field_are_right(row: Row, tmp_path: Path) -> None:
    name, kind = name_in(row["field"]), row.get("kind", "shell")
    needed = {"kind": kind, **NEEDED.get(kind, {})}
    if name != "kind":  # the one field whose default nobody may rely on, because it tells the kinds apart
        check_default(KINDS[kind], name, row["default"], needed)
    example = example_of(row)
    assert example is not None
    written, _, value = example.partition(": ")
    assert written == name  # not read as YAML: there the key `on` would be true
    agent = {**INSTEAD.get(name, needed), name: yaml.safe_load(value)}
    (tmp_path / "tasks").mkdir()
    for file, text in FILES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump({"agents": {"one": agent}}))
    project = load_project(tmp_path)
    assert name in project.settings.agents["one"].model_fields_set
    assert len(project.warnings) == ("changes nothing" in row["meaning"])


def test_each_setting_is_there_once() -> None:
    assert sorted(names_in(SETTING_ROWS, "setting")) == sorted(Settings.model_fields)


@pytest.mark.parametrize("row", SETTING_ROWS, ids=lambda row: row["setting"])
def test_default_and_example_of_a_setting_are_right(row: Row, tmp_path: Path) -> None:
    name, example = name_in(row["setting"]), example_of(row)
    check_default(Settings, name, row["default"], {})
    assert example is not None
    for file in ("tasks/A.yaml", "more/release.yaml"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(f"id: {Path(file).stem}\n")
    (tmp_path / "orchestration.yaml").write_text(f"{example}\n")
    project = load_project(tmp_path)
    assert name in project.settings.model_fields_set
    assert project.warnings == ()


def test_each_variable_that_a_task_gets_is_there() -> None:
    rows = table_of(AGENTS, "The environment", "variable")
    source = (ROOT / "orchestration" / "attempts" / "briefing.py").read_text(encoding="utf-8")
    assert sorted(names_in(rows, "variable")) == sorted(set(re.findall(r'"(ORCH_[A-Z_]+)":', source)))


async def test_a_task_really_gets_each_variable(tmp_path: Path) -> None:
    task = orchestration.Task(id="A", agent="shell", description="env")
    result = await orchestration.TaskExecutor(directory=tmp_path).execute(task)
    got = {line.partition("=")[0] for line in result.output.splitlines() if line.startswith("ORCH_")}
    assert got == set(names_in(table_of(AGENTS, "The environment", "variable"), "variable"))


def test_what_passes_to_a_task_is_told_right() -> None:
    passing = set(codes_in(AGENTS.partition("## The environment")[2].partition("Beyond")[0]))
    named = {name for name in passing if not name.endswith("*")}
    assert named <= ALLOWED
    assert {name.removesuffix("*") for name in passing - named} == set(ALLOWED_PREFIXES)
    assert all(re.search("proxy|CERT|CA_|CAINFO", name, re.IGNORECASE) for name in ALLOWED - named)


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "column", "words"),
    [
        ("States", "status", list(kinds.ExecutionStatus)),
        ("States", "run status", list(kinds.RunStatus)),
        ("Kinds of failure", "kind", list(kinds.Failure)),
    ],
)
def test_each_word_is_explained(heading: str, column: str, words: list[str]) -> None:
    assert names_in(table_of(RUNS, heading, column), column) == words


def test_what_is_never_retried_is_told_right() -> None:
    sentence = re.search(r"((?:`\w+`,? (?:and )?)+)are never retried", RUNS)
    assert sentence is not None
    assert set(codes_in(sentence[1])) == set(kinds.NEVER_RETRIED)


def test_each_event_is_there_with_its_fields() -> None:
    of_all = {"run_id", "seq", "at"}
    rows = table_of(RUNS, "Events", "event")
    assert set(names_in(table_of(RUNS, "Events", "field"), "field")) == {"type", *of_all}
    assert names_in(rows, "event") == [kind.type for kind in events.STORED]
    for row, kind in zip(rows, events.STORED, strict=True):
        named = {one.name for one in fields(kind)} - of_all - {"task_id", "attempt", "outcome"}
        assert set(codes_in(row["fields of its own"])) == named, kind.type
        assert ("an outcome" in row["fields of its own"]) == issubclass(kind, events.AttemptEnd)


def test_each_field_of_an_outcome_and_of_a_chunk_is_there() -> None:
    outcome = names_in(table_of(RUNS, "Events", "field of an outcome"), "field of an outcome")
    assert sorted(outcome) == sorted(results.OUTCOME_FIELDS)
    chunk = events.TaskChunk("run", "A", 1, 1, at=datetime.now(UTC), chunk="text", stream="stdout")
    told = names_in(table_of(RUNS, "Events", "field of a chunk"), "field of a chunk")
    assert sorted(told) == sorted(events.to_dict(chunk))
