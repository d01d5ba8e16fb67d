"""`orch doctor`, `backup`, `restore`: files in, arguments, what is said, exit code; and that nothing else changes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestration.protocols import Owner
from orchestration.store.owners import this_process
from tests.cli.project import PATIENCE, Done, Project

pytestmark = pytest.mark.slow

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show environments")
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.sigwait({10})"
WAITS = "import signal; print(flush=True); signal.sigwait({10})"


def findings(done: Done) -> dict[str, list[dict[str, str]]]:
    """What was found, by what was looked at."""
    found: dict[str, list[dict[str, str]]] = {}
    for one in done.data["findings"]:
        found.setdefault(one["check"], []).append(one)
    return found


def levels(done: Done, check: str) -> list[str]:
    return [one["level"] for one in findings(done).get(check, [])]


def ran(project: Project) -> str:
    """Have a first run behind us; its id."""
    project.shell("A", "echo hello")
    done: str = project.json("run-batch")["run_id"]
    return done


def change(project: Project, *statements: str) -> None:
    with closing(sqlite3.connect(project.root / ".orchestration/state.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def marked(
    project: Project, run: str, code: str = WAITS, output: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that looks as if an attempt of a run had left it."""
    given = output or project.root / ".orchestration/runs" / run / ".outputs/A.1"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        env={"ORCH_ATTEMPT_ID": f"{run}/A/1", "ORCH_OUTPUT": str(given)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_a_project_that_is_well_is_told_so_and_left_as_it_is(project: Project) -> None:
    ran(project)
    before = project.state()
    done = project.orch("doctor", "--json")
    assert (done.code, done.kind, done.data["well"]) == (0, "doctor", True)
    assert set(levels(done, "database") + levels(done, "event log") + levels(done, "claims")) == {"ok"}
    assert levels(done, "worktrees") == ["skipped"]
    assert project.state() == before
    assert project.orch("doctor", "--fix").code == 0
    assert project.state() == before
    text = project.orch("doctor")
    assert "whole" in text.out
    assert text.err == ""


def test_where_nothing_was_run_all_is_well_and_nothing_is_made(project: Project) -> None:
    done = project.orch("doctor", "--fix", "--json")
    assert (done.code, done.data["well"]) == (0, True)
    assert not (project.root / ".orchestration").exists()


@pytest.mark.parametrize("command", ["doctor", "backup", "restore x.db"])
def test_where_there_is_no_project_the_code_is_2(project: Project, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    done = project.orch("-C", str(tmp_path / "empty"), *command.split(), "--json")
    assert (done.code, done.kind, done.data["code"]) == (2, "error", "no_project")
    assert not list((tmp_path / "empty").iterdir())


def test_settings_and_tasks_may_be_broken(project: Project) -> None:
    ran(project)
    project.settings("agents: [")
    project.write("tasks/B.md", "---\nid: [\n---\n")
    assert project.orch("doctor").code == 0
    assert project.orch("backup", "copy.db").code == 0
    assert project.orch("restore", "copy.db").code == 0


@linux_only
@pytest.mark.parametrize("code", [WAITS, IGNORES_TERM], ids=["heeds TERM", "ignores TERM"])
def test_a_process_that_outlived_its_run_is_named_and_with_fix_ended(project: Project, code: str) -> None:
    run = ran(project)
    with marked(project, run, code) as process:
        done = project.orch("doctor", "--json")
        assert (done.code, levels(done, "processes")) == (1, ["problem"])
        assert str(process.pid) in done.last
        assert "--fix" in done.last
        assert process.poll() is None
        mended = project.orch("doctor", "--fix", "--json")
        assert (mended.code, levels(mended, "processes")) == (0, ["mended"])
        assert process.wait(PATIENCE) in {-signal.SIGTERM, -signal.SIGKILL}
    assert levels(project.orch("doctor", "--json"), "processes") == ["ok"]


@linux_only
def test_processes_of_other_projects_and_of_live_runs_are_left_alone(project: Project, tmp_path: Path) -> None:
    run = ran(project)
    with marked(project, run, output=tmp_path / "other") as other, marked(project, "20250101-000000-abcdef") as unknown:
        done = project.orch("doctor", "--fix", "--json")
        assert (done.code, levels(done, "processes")) == (0, ["ok"])
        assert other.poll() is None
        assert unknown.poll() is None


def test_claims_and_files_of_a_dead_run_are_told_and_with_fix_given_back(project: Project) -> None:
    run = ran(project)
    change(project, f"INSERT INTO claims (task_id, run_id) VALUES ('A', '{run}')")  # noqa: S608  # a test's own words
    project.write(f".orchestration/runs/{run}/.outputs/A.1", "half=1")
    project.write(f".orchestration/runs/{run}/A/1/supervisor.json", "{}")
    before = project.state()
    done = project.orch("doctor", "--json")
    assert (done.code, levels(done, "claims"), levels(done, "leftover files")) == (1, ["problem"], ["problem"])
    assert project.state() == before
    mended = project.orch("doctor", "--fix", "--json")
    assert (mended.code, levels(mended, "claims"), levels(mended, "leftover files")) == (0, ["mended"], ["mended"])
    after = project.state()
    assert {name for name in before if name not in after} == {
        f"runs/{run}/.outputs/A.1",
        f"runs/{run}/A/1/supervisor.json",
    }
    assert project.orch("doctor").code == 0


@pytest.mark.parametrize(
    ("owner", "told"),
    [
        (Owner(os.getpid(), 1, this_process().boot_id), "which has ended"),
        (this_process(), "which lives, and has let go of the run"),
        (Owner(os.getpid(), 1, "another"), "before the machine was started again"),
    ],
    ids=["ended", "lives", "rebooted"],
)
def test_a_stale_claim_is_told_with_who_took_it_and_what_became_of_him(
    project: Project, owner: Owner, told: str
) -> None:
    run = ran(project)
    values = f"'A', '{run}', {owner.pid}, {owner.born or 'NULL'}, '{owner.boot_id}', '2025-01-02T03:04:05+00:00'"
    change(project, f"INSERT INTO claims VALUES ({values})")  # noqa: S608  # a test's own words
    done = project.orch("doctor", "--json")
    assert levels(done, "claims") == ["problem"]
    said = findings(done)["claims"][0]["message"]
    assert f"run {run} is dead and still claims A (taken by process {owner.pid}, since 2025-01-02 " in said
    assert told in said
    assert levels(project.orch("doctor", "--fix", "--json"), "claims") == ["mended"]


def test_a_command_that_nobody_answered_is_a_note_and_stays(project: Project) -> None:
    run = ran(project)
    change(project, f"INSERT INTO commands VALUES (1, '{run}', 'A', 'cancel', '{{}}', NULL)")  # noqa: S608  # as above
    before = project.state()
    done = project.orch("doctor", "--fix", "--json")
    assert (done.code, levels(done, "commands")) == (0, ["note"])
    assert "1: cancel A" in findings(done)["commands"][0]["message"]
    assert project.state() == before


def test_checks_of_what_a_person_says_is_done_leave_nothing(project: Project) -> None:
    project.shell("A", 'echo k=v >> "$ORCH_OUTPUT"')
    project.person("B", "A", inputs={"n": 1}, verify=["test -e made"])
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "B").code == 1
    assert levels(project.orch("doctor", "--json"), "leftover files") == ["ok"]
    (project.root / "made").touch()
    assert project.orch("complete", "B").code == 0
    assert project.orch("doctor").code == 0
    assert [path.name for path in project.root.glob(".orchestration/runs/*/.inputs/*")] == ["none.json"]


@pytest.mark.parametrize(("on_crash", "code"), [("rerun", 0), ("fail", 1), ("ask", 4), ("rerun", None)])
@pytest.mark.parametrize("agent", ["shell", "player"])
def test_what_died_with_orch_leaves_nothing_once_it_is_taken_up(
    project: Project, agent: str, on_crash: str, code: int | None
) -> None:
    """Without a code the run is not continued: its task is cancelled by another process."""
    project.settings("""
agents:
  player: {kind: scripted, script: [{append: {path: begun}}, {wait_for: {path: go}}, {final: {verdict: good}}]}
""")
    project.shell("A", "touch begun; until test -e go; do sleep 0.05; done", agent=agent, on_crash=on_crash)
    with project.start("run-batch") as process:
        wait_for(project.root / "begun")
        process.kill()
    (project.root / "go").touch()
    done = project.orch("cancel", "A") if code is None else project.orch("run-batch")
    assert done.code == (code or 0), done.err
    found = project.orch("doctor", "--json")
    assert (found.code, levels(found, "leftover files")) == (0, ["ok"]), found.out


def test_an_interrupted_run_is_a_note_and_is_continued_afterwards(project: Project) -> None:
    os.mkfifo(project.root / "gate")
    project.shell("A", "echo >> begun; read line < gate; echo done")
    with project.start("run-batch") as process:
        wait_for(project.root / "begun")
        process.kill()
    done = project.orch("doctor", "--fix", "--json")
    assert done.code == 0, done.out
    assert levels(done, "runs") == ["note"]
    with project.start("run-batch") as process, (project.root / "gate").open("w") as gate:
        gate.write("go\n")
        gate.close()
        assert process.wait(PATIENCE) == 0
    assert levels(project.orch("doctor", "--json"), "runs") == []


def test_a_live_run_is_not_disturbed_and_cannot_be_restored_over(project: Project) -> None:
    os.mkfifo(project.root / "gate")
    project.shell("A", "echo >> begun; read line < gate; echo value=1 >> $ORCH_OUTPUT; echo done", outputs=["value"])
    with project.start("run-batch") as process:
        wait_for(project.root / "begun")
        assert project.orch("doctor", "--fix").code == 0
        made = project.json("backup")
        refused = project.orch("restore", made["file"], "--json")
        assert (refused.code, refused.data["code"]) == (2, "wrong_state")
        assert "orch cancel" in refused.data["hint"]
        (project.root / "gate").write_text("go\n")
        assert process.wait(PATIENCE) == 0
    assert project.json("status")["counts"] == {"success": 1}
    assert project.json("restore", made["file"])["kept_is_verified"]
    assert project.json("runs")[0]["live"] is False
    assert project.json("runs")[0]["status"] == "running"


def wait_for(path: Path) -> None:
    """Until the file is there; the test's own time limit is the bound."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("fix", [(), ("--fix",)], ids=["look", "fix"])
@pytest.mark.parametrize("what", ["damaged", "newer", "foreign"])
def test_a_state_that_cannot_be_used_is_told_of_and_not_touched(
    project: Project, what: str, fix: tuple[str, ...]
) -> None:
    ran(project)
    made = project.json("backup")
    path = project.root / ".orchestration/state.db"
    if what == "damaged":
        content = bytearray(path.read_bytes())
        content[8192:] = b"\xa5" * (len(content) - 8192)
        path.write_bytes(content)
    else:
        change(project, "PRAGMA user_version = 99" if what == "newer" else "PRAGMA application_id = 7")
    before = project.state()
    done = project.orch("doctor", *fix, "--json")
    assert (done.code, levels(done, "database")) == (1, ["problem"])
    assert project.state() == before
    if what == "damaged":
        assert f"orch restore {made['file']}" in done.last
    assert project.orch("restore", made["file"]).code == 0
    assert project.orch("doctor").code == 0


@pytest.mark.parametrize("content", [b"a text of somebody", None], ids=["another file", "damaged pages"])
def test_whoever_meets_a_damaged_state_is_sent_to_the_doctor_and_to_the_newest_backup(
    project: Project, content: bytes | None
) -> None:
    ran(project)
    path = project.root / ".orchestration/state.db"
    whole = path.read_bytes()
    folder = path.with_name("backups")

    def damage() -> None:
        path.write_bytes(content or whole[:8192] + b"\xa5" * (len(whole) - 8192))

    damage()
    done = project.orch("status", "--json")
    assert (done.code, done.data["code"]) == (1, "store")
    assert "the state file is damaged" in done.last
    assert done.data["hint"].startswith(f"examine it: orch doctor; there is no backup in {folder}: put back one from")
    assert "examine it" not in project.orch("doctor").last
    path.write_bytes(whole)
    backups = sorted(project.json("backup")["file"] for _ in range(2))
    damage()
    for command in ("status", "run-batch", "list"):
        done = project.orch(command)
        assert done.code == 1
        assert done.last.endswith(f"(examine it: orch doctor; put back the newest backup: orch restore {backups[-1]})")
    assert project.orch("restore", backups[-1]).code == 0
    assert project.json("status")["live_runs"] == []


def test_events_that_break_the_rules_are_told(project: Project) -> None:
    run = ran(project)
    change(
        project,
        "DROP TRIGGER events_without_a_gap",
        "DROP INDEX one_end_of_an_attempt",
        f"UPDATE events SET seq = 9 WHERE run_id = '{run}' AND seq = 4",  # noqa: S608  # a test's own words
        "INSERT INTO events SELECT 'nobody', 1, type, task_id, attempt, body FROM events WHERE type = 'task_completed'",
        "INSERT INTO events SELECT 'nobody', 2, type, task_id, attempt, body FROM events WHERE type = 'task_completed' "
        "AND run_id <> 'nobody'",
    )
    done = project.orch("doctor", "--fix", "--json")
    assert done.code == 1
    said = " ".join(one["message"] for one in findings(done)["event log"])
    assert "numbered from 1 to 9" in said
    assert "has 2 outcomes" in said
    assert "run nobody, which does not exist" in said


def test_backup_says_what_it_has_and_never_replaces_a_file(project: Project) -> None:
    ran(project)
    done = project.orch("backup", "copy.db")
    assert done.code == 0
    assert "1 run, 4 events" in done.out
    assert "does not have logs" in done.err
    before = (project.root / "copy.db").read_bytes()
    again = project.orch("backup", "copy.db", "--json")
    assert (again.code, again.data["code"]) == (2, "usage")
    assert (project.root / "copy.db").read_bytes() == before


def test_what_is_restored_is_gone_on_from(project: Project) -> None:
    project.shell("A", "exit 1")
    assert project.orch("run-batch").code == 1
    made = project.json("backup")
    project.shell("A", "echo well")
    assert project.orch("retry", "A").code == 0
    assert project.orch("run-batch").code == 0
    done = project.json("restore", made["file"])
    assert Path(done["kept"]).exists()
    assert project.json("status")["counts"] == {"failed": 1}
    assert project.orch("retry", "A").code == 0
    assert project.orch("run-batch").code == 0
    project.json("restore", done["kept"])
    assert project.json("status")["counts"] == {"success": 1}


@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_in_the_way_of_the_state_folder_is_a_problem(project: Project, *, is_link: bool) -> None:
    project.shell("A", "true")
    place = project.root / ".orchestration"
    if is_link:
        place.symlink_to(project.root / "nowhere")
    else:
        place.write_text("")
    assert project.orch("run-batch").code == 1
    found = project.orch("doctor", "--json")
    assert (found.code, found.data["well"]) == (1, False)
    assert f"{place} is no folder" in found.last
