"""`orch agents`: who there is, who is ready for work, and what an adapter makes of recorded output."""

import json
from pathlib import Path

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

TRANSCRIPTS = Path(__file__).resolve().parent.parent / "agents" / "transcripts" / "codex"

SETTINGS = """
agents:
  heron: {kind: cli, adapter: heron.yaml, account: team, model: large, capabilities: [python, docs]}
  off: {kind: cli, preset: codex, enabled: false}
  asked: {kind: api, provider: openai, model: some-model}
  either: {kind: hybrid, strategy: fallback, agents: [heron, asked]}
  player: {kind: scripted, script: [{usage: {input: 100, output: 5}}, {final: {verdict: good, text: ready}}]}
  beaten: {kind: scripted, script: [{final: {error: "no key", kind: auth}}]}
"""

HERON = """
program: heron
version: {arguments: [--version], tested: ">=3.0, <4"}
arguments: [go]
prompt: {channel: stdin}
environment: {pass: [HERON_API_KEY, HERON_HOME]}
events:
  - {is: said, match: {type: say}}
  - {is: ended, match: {type: end}, good_when: {ok: true}}
answer: {event: said, path: text}
error: {event: ended, path: why}
usage: {event: ended, base: used, input: in, output: out}
side_files: []
"""


def with_agents(project: Project, version: str | None = "3.1") -> dict[str, str]:
    """The project with its agents; heron is installed where a version is given."""
    project.settings(SETTINGS)
    project.write("heron.yaml", HERON)
    if version is not None:
        program = project.write("bin/heron", f"#!/bin/sh\necho heron {version}\n")
        program.chmod(0o755)
    return {**project.environment, "PATH": f"{project.root / 'bin'}:/usr/bin:/bin", "HERON_API_KEY": "k-123456789"}


def lines(*events: dict[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


DONE = lines({"type": "say", "text": "all done"}, {"type": "moon"}, {"type": "end", "ok": True, "used": {"in": 9000}})


def test_every_agent_is_listed_with_what_it_is(project: Project) -> None:
    environment = with_agents(project)
    rows = [line.split() for line in project.orch("agents", environment=environment).out.splitlines()]
    assert rows[0] == ["AGENT", "KIND", "MODEL", "ACCOUNT", "ENABLED", "CAPABILITIES"]
    assert ["heron", "cli", "large", "team", "yes", "python,", "docs"] in rows
    assert ["off", "cli", "no"] in rows
    data = project.json("agents")["agents"]
    assert {"codex", "shell", "interactive", "heron"} <= {agent["name"] for agent in data}


def test_a_check_tells_place_version_and_names_of_keys_and_never_their_values(project: Project) -> None:
    environment = with_agents(project)
    project.shell("A", "text", agent="heron")
    done = project.orch("agents", "check", environment=environment)
    assert (done.code, done.err) == (0, "")
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("heron")]
    assert row[1:4] == ["cli", "ok", "3.1"]
    assert "HERON_API_KEY" in row
    assert str(project.root / "bin" / "heron") in " ".join(row)
    told = project.orch("agents", "check", "heron", "--json", environment=environment)
    (heron,) = told.data["agents"]
    assert heron["keys"] == {"HERON_API_KEY": True}
    assert (heron["in_range"], heron["used_by"], heron["problems"]) == (True, ["A"], [])
    assert "k-123456789" not in done.out + done.err + told.out


def test_a_version_that_nobody_tested_is_remarked_and_no_failure(project: Project) -> None:
    environment = with_agents(project, "9.0")
    done = project.orch("agents", "check", "heron", environment=environment)
    assert done.code == 0
    assert "version 9.0 is not among those that the adapter was tested with (>=3.0, <4)" in done.out


@pytest.mark.parametrize(("agent", "code"), [("heron", 127), ("asked", 1), ("either", 1), ("player", 0), ("shell", 0)])
def test_only_agents_that_tasks_use_decide_the_exit_code(project: Project, agent: str, code: int) -> None:
    environment = with_agents(project, None)
    environment.pop("OPENAI_API_KEY", None)
    project.shell("A", "true", agent=agent)
    done = project.orch("agents", "check", environment=environment)
    assert done.code == code, done.err
    assert bool(done.err) == bool(code)
    if code == 127:
        assert done.last.startswith("orch: 1 agent not ready (heron): the program 'heron' is not there; install it")


def test_a_missing_command_or_module_is_found_without_starting_anything(project: Project) -> None:
    project.settings(
        """
agents:
  there: {kind: python, function: "mine:f"}
  standard: {kind: python, function: "json.tool:main"}
  gone: {kind: python, function: "nowhere.deep:f"}
  direct: {kind: shell, command: no-such-program --all}
  quoted: {kind: shell, command: "no-such-program | cat"}
"""
    )
    project.write("mine.py", "open('imported', 'w')")
    found = {one["name"]: one["problems"] for one in project.json("agents", "check")["agents"]}
    assert found["there"] == found["standard"] == found["quoted"] == found["shell"] == []
    assert found["gone"] == ["there is no module nowhere, of which nowhere.deep:f would be"]
    assert found["direct"] == ["the program 'no-such-program' is not there, or cannot be executed"]
    assert project.orch("agents", "check", "gone").code == 127
    assert not (project.root / "imported").exists()


def test_a_wrong_adapter_file_is_a_problem_of_the_project_with_its_place(project: Project) -> None:
    environment = with_agents(project)
    project.write("heron.yaml", HERON.replace("prompt:", "promt:"))
    done = project.orch("agents", "check", "heron", environment=environment)
    assert done.code in {1, 2}
    assert "heron.yaml" in done.out + done.err
    assert "promt" in done.out + done.err


def test_a_probe_has_the_agent_do_a_trivial_task_and_tells_what_it_used(project: Project) -> None:
    environment = with_agents(project)
    done = project.orch("agents", "check", "player", "--probe", environment=environment)
    assert done.code == 0, done.err
    assert "player: the probe answered 'ready'; used 100 tokens in, 5 out, unpriced" in done.out
    beaten = project.orch("agents", "check", "beaten", "--probe", environment=environment)
    assert beaten.code == 1
    assert "the probe failed: auth: no key" in beaten.last
    assert not (project.root / ".orchestration").exists()


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["check", "hron"], "there is no agent 'hron'", "did you mean heron?"),
        (["check", "off"], "the agent 'off' is disabled", "enable it"),
        (["chek"], "there is no command 'agents chek'", "did you mean agents check?"),
        (["test", "codx", "done"], "is neither a preset nor a file", "did you mean codex?"),
        (["test", "codex", "nothing"], "no such file", "name another file"),
        (["test", "codex", "."], "is a directory", "name another file"),
        (["test", "done", "done"], "done:2: this is not valid YAML", ""),
        (["test", "codex", "done", "--exit-code", "1", "--signal", "9"], "exclude each other", ""),
        (["test", "codex", "done", "--signal", "99"], "out of range", "between 1 and 64"),
        (["test", "codex", "done", "--ended-by", "me"], "'me' is not one of", ""),
        (["test", "codex"], "missing argument", ""),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(project: Project, arguments: list[str], said: str, hint: str) -> None:
    environment = with_agents(project)
    project.write("done", DONE)
    done = project.orch("agents", *arguments, environment=environment)
    assert (done.code, done.out) == (2, "")
    assert said in done.last
    assert hint in done.last


def test_a_transcript_is_read_as_its_agent_would_be_heard(project: Project) -> None:
    with_agents(project)
    project.write("done", DONE)
    done = project.orch("agents", "test", "heron.yaml", "done")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "done: success"
    for said in ("claim        done", "answer       all done", "9,000 tokens in, 0 out, unpriced", "moon 1"):
        assert said in done.out
    killed = project.orch("agents", "test", "heron.yaml", "done", "--signal", "9", "--json")
    assert killed.code == 0
    assert (killed.kind, set(killed.data)) == ("agents_test", {"adapter", "transcripts"})
    (row,) = killed.data["transcripts"]
    assert row["outcome"]["failure"] == "crashed"
    assert (row["events"], row["unknown_events"]) == ({"said": 1, "ended": 1}, {"moon": 1})


def test_several_transcripts_are_a_row_each_and_a_failing_outcome_is_a_reading(project: Project) -> None:
    names = [str(TRANSCRIPTS / case / "stdout.log") for case in ("write", "429", "cut")]
    done = project.orch("agents", "test", "codex", *names, "--exit-code", "1")
    assert done.code == 0
    assert len(done.out.splitlines()) == 4
    assert "rate_limited" in done.out
    silent = project.orch("agents", "test", "codex", names[0], "--ended-by", "idle_timeout")
    assert "idle_timeout" in silent.out.splitlines()[0]


def test_transcripts_that_are_none_are_read_without_harm(project: Project) -> None:
    project.write("empty", "")
    (project.root / "binary").write_bytes(bytes(range(256)) * 400 + b"\x1b]0;title\x07\x1b[31m")
    long = b'{"type":"item.completed","item":{"id":"1","type":"agent_message","text":"' + b"y" * 50_000_000 + b'"}}\n'
    (project.root / "long").write_bytes(long)
    done = project.orch("agents", "test", "codex", "empty", "binary", "long")
    assert done.code == 0, done.err
    assert done.out.count("invalid_output") == 3
    assert "\x1b" not in done.out
    data = project.json("agents", "test", "codex", "long")["transcripts"]
    assert "too long to be read" in data[0]["outcome"]["metadata"]["warnings"][0]
