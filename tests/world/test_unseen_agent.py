"""An agent that the project has never seen, by an adapter written from the manual alone, and `orch` as a real process.

One backlog holds a task for each thing that its agent does, right or wrong; it is run once and looked at by many tests.
What is ended in the middle has a run of its own.
"""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.world.processes import all_pids, linux_only, read
from tests.world.unseen import GOOD, Batch, Moves, Unseen, make

pytestmark = [linux_only, pytest.mark.slow]

SAY: Final = {"say": "Let me see."}
RESUMES: Final = {"max": 2, "session": "resume"}
ONCE_MORE: Final = {"max": 2, "backoff": {"initial": 0.1}}
HALF_A_LINE: Final = '{"event": "run.closed", "run.sta'
AGENTS: Final[dict[str, dict[str, Any]]] = {
    "execs": {"options": {"loader": "exec"}},
    "forks": {"options": {"loader": "fork"}},
    "limited": {"account": "limited"},
    "vague": {"account": "vague"},
    "impatient": {"first_output_timeout": 1},
    "untold": {"max_turns": 3},
}

# task → (its state or its last failure, with those of the attempts before), the moves of each start, fields of the task
CASES: Final[dict[str, tuple[str, tuple[Moves, ...], dict[str, Any]]]] = {
    "good": ("success", (GOOD,), {}),
    "by-exec": ("success", (GOOD,), {"agent": "execs"}),
    "forked-away": ("invalid_output", (GOOD,), {"agent": "forks"}),
    "unproved": ("check_failed", (GOOD,), {"verify": ["test -e nothing"]}),
    "resumed": ("check_failed success", (GOOD,), {"verify": ["test $ORCH_ATTEMPT = 2"], "retry": RESUMES}),
    "429-until": ("rate_limited success", ([SAY, {"limit": 400}], GOOD), {"agent": "limited"}),
    "429": ("rate_limited success", ([SAY, {"limit": 0}], GOOD), {"agent": "vague"}),
    "500": ("exit_code success", ([SAY, {"refuse": 500}], GOOD), {"retry": ONCE_MORE}),
    "500-again": ("exit_code exit_code", ([{"refuse": 500}],), {"retry": ONCE_MORE}),
    "500-once": ("exit_code", ([{"refuse": 500}],), {}),
    "hung": ("timeout", ([SAY, {"hang": 0}],), {"timeout": 4}),
    "deaf": ("timeout", ([{"deaf": 0}, SAY, {"hang": 0}],), {"timeout": 4, "kill_grace": 0.3}),
    "hung-in-tool": ("timeout", ([SAY, {"tool": "exec sleep 25"}],), {"timeout": 4}),
    "fell-silent": ("idle_timeout", ([SAY, {"hang": 0}],), {"idle_timeout": 1}),
    "never-began": ("idle_timeout", ([{"silent": 1}, {"hang": 0}],), {"agent": "impatient"}),
    "stayed": ("success", ([*GOOD, {"hang": 0}],), {}),
    "stayed-deaf": ("success", ([{"deaf": 0}, *GOOD, {"hang": 0}],), {"kill_grace": 0.3}),
    "stayed-after-failing": ("exit_code", ([SAY, {"close": "broken"}, {"hang": 0}],), {}),
    "went-on": ("success", ([*GOOD, {"rest": 0.3}, {"reopen": 0}, {"rest": 2}, *GOOD],), {}),
    "went-on-for-ever": ("timeout", ([*GOOD, {"rest": 0.3}, {"reopen": 0}, {"hang": 0}],), {"timeout": 4}),
    "overlong": ("success", ([{"overlong": 17}, *GOOD],), {"agent": "untold"}),
    "half-a-line": ("invalid_output", ([SAY, {"raw": HALF_A_LINE}],), {}),
    "left-early": ("invalid_output", ([SAY, {"leave": 0}],), {}),
    "hid-a-term": ("invalid_output", ([SAY, {"kill": signal.SIGTERM}],), {}),
    "killed": ("crashed", ([SAY, {"kill": signal.SIGKILL}],), {"agent": "execs"}),
    "killed-inside": ("exit_code", ([SAY, {"kill": signal.SIGKILL}],), {}),
    "bad-exit": ("exit_code", ([*GOOD, {"leave": 4}],), {}),
    "daemon": ("success", ([{"daemon": 25}, *GOOD],), {}),
    "said-nothing": ("no_output", ([{"close": "completed"}],), {}),
    "elsewhere": ("invalid_output", ([{"whisper": '{"event": "run.closed", "run.state": "completed"}\n'}],), {}),
    "mute": ("invalid_output", ([SAY, {"mute": 0}, {"tool": "true"}, {"close": "completed"}],), {}),
    "unknown-events": ("success", ([{"raw": '{"event": "moon.phase"}\n[1]\n\x00\n{}\n'}, *GOOD],), {}),
    "forgotten": (
        "check_failed exit_code success",
        ([*GOOD, {"forget": 0}], GOOD),
        {"verify": ["test $ORCH_ATTEMPT = 3"], "retry": {**RESUMES, "max": 3}},
    ),
}


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Unseen:
    return make(tmp_path_factory.mktemp("unseen"))


@pytest.fixture(scope="module")
def batch(unseen: Unseen) -> Batch:
    for name, (_, plays, fields) in CASES.items():
        unseen.task(name, *plays, **fields)
    unseen.write(AGENTS, accounts={"vague": {"backoff": 0.3}})
    assert unseen.orch("validate")[0] == 0
    return unseen.run("--max-concurrent", "6")


@pytest.mark.parametrize("name", CASES)
def test_what_came_of_it_is_what_happened(batch: Batch, name: str) -> None:
    assert batch.short(name) == CASES[name][0], batch[name]["error"]


def test_nothing_is_left_of_any_of_them(unseen: Unseen, batch: Batch) -> None:
    assert batch.code == 1
    assert unseen.left() == []


def test_what_was_used_stands_in_the_file_and_is_counted_once_over_a_session(batch: Batch) -> None:
    first, second = batch["resumed"]["attempts"]
    assert batch.command("resumed", 2)["argv"][-1] == f"--continue={first['session_id']}"
    assert first["session_id"] == second["session_id"]
    for attempt in (first, second):
        used = attempt["usage"]
        assert (used["input_total"], used["cached_read"], used["output_total"]) == (1000, 500, 50)
        assert (used["cost_usd"], used["source"]) == (0.01, "reported")


@pytest.mark.parametrize("name", ["hung", "hid-a-term", "killed", "left-early", "stayed"])
def test_what_was_used_is_known_of_those_that_were_ended_too(batch: Batch, name: str) -> None:
    assert batch[name]["usage"]["input_total"] == 1000


def test_a_session_that_is_gone_is_not_gone_on_with_a_second_time(batch: Batch) -> None:
    first, second, third = batch["forgotten"]["attempts"]
    assert second["metadata"]["error_class"] == "session_unknown"
    assert f"--continue={first['session_id']}" in batch.command("forgotten", 2)["argv"]
    assert not [word for word in batch.command("forgotten", 3)["argv"] if word.startswith("--continue")]
    assert third["session_id"] not in {None, first["session_id"]}
    assert third["usage"]["input_total"] == 1000


def test_what_an_earlier_attempt_left_in_a_file_is_not_counted_again(tmp_path: Path) -> None:
    unseen = make(tmp_path)
    path = unseen.root / "agents" / "magpie.yaml"
    text = (
        path.read_text(encoding="utf-8")
        .replace('path: "{folder}/', "path: ")
        .replace('ledger.json", format', "l, format")
    )
    path.write_text(text.replace("{folder}/ledger.json", "{workspace}/l"), encoding="utf-8")
    unseen.task(
        "T",
        [SAY, {"leave": 0}],
        [{"close": "broken"}],
        [SAY, *GOOD],
        retry={"max": 3, "on": ["invalid_output", "exit_code"]},
    )
    unseen.write()
    used = [attempt.get("usage") for attempt in unseen.run()["T"]["attempts"]]
    assert [one and one["input_total"] for one in used] == [1000, None, 2000]


@pytest.mark.parametrize("name", ["429-until", "429"])
def test_waiting_for_a_limit_is_no_failed_attempt(batch: Batch, name: str) -> None:
    refused, done = batch[name]["attempts"]
    assert refused["metadata"]["error_class"] == "rate_limit"
    assert refused["error"] == "too many requests"
    assert refused["completed_at"] < done["started_at"]
    assert refused["metadata"].get("retry_after") == (0.4 if name == "429-until" else None)


def test_the_folder_of_an_attempt_holds_all_there_is_to_know(unseen: Unseen, batch: Batch) -> None:
    folder = batch.folder("unknown-events")
    assert "play: unknown-events" in (folder / "prompt.md").read_text(encoding="utf-8")
    command = batch.command("unknown-events")
    assert command["argv"] == [str(unseen.program), "--loader=child"]
    assert {"MAGPIE_HOME", "MAGPIE_LEDGER", "PATH", "ORCH_ATTEMPT_ID"} <= set(command["environment"])
    assert command["agent_version"] == "4.2.1"
    assert str(unseen.home) not in json.dumps(command["environment"])
    lines = (folder / "stdout.log").read_bytes().splitlines()
    assert lines[1:5] == [b'{"event": "moon.phase"}', b"[1]", b"\x00", b"{}"]
    assert json.loads(lines[-1])["event"] == "run.closed"
    assert "All is done." in (folder / "chunks.jsonl").read_text(encoding="utf-8")
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["claim"] == "done"
    assert "run.closed" in (batch.folder("elsewhere") / "stderr.log").read_text(encoding="utf-8")


def test_what_an_overlong_line_was_is_told_and_all_of_it_is_in_the_log(batch: Batch) -> None:
    before, warning = batch["overlong"]["metadata"]["warnings"]
    assert "max_turns" in before
    assert "too long to be read" in warning
    assert (batch.folder("overlong") / "stdout.log").stat().st_size > 17 << 20


def test_a_program_that_goes_into_the_background_is_told_of(batch: Batch) -> None:
    assert "went on in the background" in batch["forked-away"]["error"]
    assert batch["forked-away"]["metadata"]["leftover_processes_ended"] >= 1


def test_why_it_was_ended_is_said_once(batch: Batch) -> None:
    assert batch["hung"]["error"] == "`magpie` was ended after its timeout of 4 s"


# -- programs that cannot be started, prompts that are long ----------------------------------------------------------

STARTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "relative": ("success", {"program": "./my tools/agent"}),
    "model": ("success", {"model": "a \"b\" 'c' $HOME `x` {session} ; &"}),
    "words": ("success", {"args": ["--look at", "{model}"]}),
    "not-there": ("it is not there", {"program": "./nothing"}),
    "not-on-path": ("it is not on PATH", {"program": "no-such-agent"}),
    "no-slash": ("write ./unready", {"program": "unready"}),
    "not-executable": ("it is not executable", {"program": "./unready"}),
    "folder": ("it is a folder", {"program": "./my tools"}),
    "no-interpreter": ("its first line names", {"program": "./lost"}),
    "no-program": ("Exec format error", {"program": "./text"}),
    "file": ("success", {"adapter": "agents/file.yaml"}),
    "argument": ("can have 131,071 bytes", {"adapter": "agents/argument.yaml"}),
}
LONG: Final = {"relative", "file", "argument"}  # whose prompts have a megabyte


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    unseen = make(tmp_path_factory.mktemp("starts"))
    root, adapter = unseen.root, (unseen.root / "agents" / "magpie.yaml").read_text(encoding="utf-8")
    (root / "my tools").mkdir()
    shutil.copy(unseen.program, root / "my tools" / "agent")
    for name, text, mode in (("unready", "#!/bin/sh\n", 0o644), ("lost", "#!/no/sh\n", 0o755), ("text", "hi\n", 0o755)):
        (root / name).write_text(text, encoding="utf-8")
        (root / name).chmod(mode)
    for channel, word in (("file", "--prompt={prompt_file}"), ("argument", "{prompt}")):
        text = adapter.replace("channel: stdin", f"channel: {channel}")
        text = text.replace('  - "{args}"', f'  - "{{args}}"\n  - "{word}"')
        (root / "agents" / f"{channel}.yaml").write_text(text, encoding="utf-8")
    for name in STARTS:
        unseen.task(name, GOOD, agent=name)
        unseen.tasks[-1]["description"] += "x" * (1_000_000 if name in LONG else 0)
    unseen.write({name: agent for name, (_, agent) in STARTS.items()})
    return unseen.run("--max-concurrent", "4")


@pytest.mark.parametrize("name", STARTS)
def test_it_is_started_or_it_is_said_why_not(starts: Batch, name: str) -> None:
    expected = STARTS[name][0]
    result = starts[name]
    if expected == "success":
        assert (result["status"], result["error"]) == ("success", None)
    else:
        assert result["failure"] == "agent_missing"
        assert expected in result["error"]


def test_words_reach_the_program_as_they_were_written(starts: Batch) -> None:
    assert starts.command("model")["argv"][-1] == f"--model={STARTS['model'][1]['model']}"
    assert starts.command("words")["argv"][-2:] == ["--look at", "{model}"]


def test_what_could_not_be_started_is_kept_too(starts: Batch) -> None:
    assert "play: folder" in (starts.folder("folder") / "prompt.md").read_text(encoding="utf-8")
    assert starts.command("folder")["argv"][0] == "./my tools"


def test_many_at_once_all_end_well(tmp_path: Path) -> None:
    unseen = make(tmp_path)
    for number in range(30):
        unseen.task(f"T{number}", [SAY, {"tool": "sleep 0.2"}, *GOOD])
    unseen.write()
    batch = unseen.run("--max-concurrent", "30")
    assert (batch.code, batch.data["usage"]["input_total"], unseen.left()) == (0, 30 * 2500, [])


# -- in a project under version control -----------------------------------------------------------------------------


def test_it_works_with_tools_and_its_changes_are_kept(tmp_path: Path) -> None:
    unseen = make(tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=unseen.root, check=True)
    moves = [SAY, {"tool": "echo hello > hello.txt"}, {"say": "It is written."}, {"close": "completed"}]
    unseen.task("tool", moves, verify=["grep -q hello hello.txt"], expects_changes=True)
    unseen.write()
    batch = unseen.run()
    assert (batch.code, batch["tool"]["output"]) == (0, "It is written.")
    assert batch["tool"]["metadata"]["changed_files"] == ["hello.txt"]
    assert "+hello\n" in (batch.folder("tool") / "changes.patch").read_text(encoding="utf-8")
    assert "echo hello > hello.txt" in (batch.folder("tool") / "chunks.jsonl").read_text(encoding="utf-8")
    assert unseen.left() == []


# -- ended from outside ---------------------------------------------------------------------------------------------


def hanging(folder: Path, agent: str = "magpie") -> Unseen:
    """A project whose one task tells by a pipe that it hangs, with a server of its own running."""
    unseen = make(folder)
    unseen.task("T", [SAY, {"daemon": 25}, {"touch": "here"}, {"hang": 0}], agent=agent)
    unseen.write(AGENTS)
    return unseen


@pytest.mark.parametrize("how", ["cancel", "interrupt", "terminate"])
def test_what_a_person_ends_is_no_success_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    unseen = hanging(tmp_path)
    with unseen.waiting("run-batch", "--json") as running:
        if how == "cancel":
            assert unseen.orch("cancel", "T")[0] == 0
        else:
            running.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGTERM)
        out, err = running.communicate(timeout=30)
    batch = Batch(running.returncode, json.loads(out)["data"], unseen.root)
    (attempt,) = batch["T"]["attempts"]
    assert running.returncode == {"cancel": 1, "interrupt": 130, "terminate": 143}[how]
    assert (batch["T"]["status"], attempt["failure"]) == ("cancelled", "cancelled"), err
    assert (attempt["usage"] or {}).get("input_total") == 1000
    assert unseen.left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_somebody_else_ends_is_no_success(tmp_path: Path, number: int) -> None:
    unseen = hanging(tmp_path, "execs")
    with unseen.waiting("run-batch", "--json") as running:
        mark = f"MAGPIE_HOME={unseen.home}".encode()
        inner = [
            pid
            for pid in all_pids()
            if mark in read(pid, "environ") and b"--inner" in read(pid, "cmdline").split(b"\0")
        ]
        for pid in inner:
            os.kill(pid, number)
        out, _ = running.communicate(timeout=30)
    batch = Batch(running.returncode, json.loads(out)["data"], unseen.root)
    assert len(inner) == 1
    assert batch.short("T") == ("invalid_output" if number == signal.SIGTERM else "crashed")
    assert batch["T"]["usage"]["input_total"] == 1000
    assert unseen.left() == []
