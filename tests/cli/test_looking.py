"""Commands that only look: they print what there is, write nothing, and work beside a live run."""

import json
import subprocess

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow


def test_the_backlog_is_listed_with_states_and_filtered(project: Project) -> None:
    project.shell("A", "true", title="First", labels=["x"], priority="high")
    project.shell("B", "exit 1", "A", title="Second")
    assert project.orch("list").out.splitlines() == [
        "TASK  STATE    PRIORITY  PHASE  AGENT  TITLE",
        "A     pending  high             shell  First",
        "B     pending  medium           shell  Second",
    ]
    assert project.state() == {}
    project.orch("run-batch")
    assert [task["status"] for task in project.json("list")["tasks"]] == ["success", "failed"]
    assert [task["id"] for task in project.json("list", "--status", "failed")["tasks"]] == ["B"]
    assert [task["id"] for task in project.json("list", "--label", "X")["tasks"]] == ["A"]
    assert project.orch("list", "--priority", "low").out == "no tasks\n"


def test_a_backlog_with_a_mistake_is_still_listed(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "true", "nowhere")
    done = project.orch("list")
    assert done.code == 0
    assert "A     pending" in done.out
    assert done.last == "orch: 1 problem in the backlog, what they touch is left out; see: orch validate"


def test_everything_about_a_task_is_shown(project: Project) -> None:
    project.shell("A", "echo one\n\necho two", title="First", verify=["true"], estimate_hours=1.5, custom="kept")
    project.shell("B", "true", "A")
    out = project.orch("show", "A").out
    for part in ("A: First", "tasks/A.md:", "needed_by    B", "estimate_hours 1.5h", "verify       true", "  echo two"):
        assert part in out, part
    data = project.json("show", "A")
    assert (data["custom"], data["needed_by"], data["result"]["status"]) == ("kept", ["B"], "pending")


def test_what_could_start_now_is_listed_in_order(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "true", priority="high")
    project.shell("C", "true", "A")
    project.person("P")
    assert [task["id"] for task in project.json("next")["tasks"]] == ["B", "A", "P"]
    project.orch("execute-task", "A")
    assert [task["id"] for task in project.json("next")["tasks"]] == ["B", "C", "P"]


def test_a_good_backlog_is_called_good_and_warnings_are_shown(project: Project) -> None:
    project.shell("A", "true", verifi=["x"])
    done = project.orch("validate")
    assert (done.code, done.out) == (0, "1 task and 0 agents: no problems, 1 warning\n")
    assert "warning: tasks/A.md:" in done.err
    assert "verify" in done.err
    data = project.json("validate")
    assert data["valid"] is True
    assert data["warnings"][0]["file"] == "tasks/A.md"


def test_all_problems_are_listed_with_their_place(project: Project) -> None:
    project.shell("A", "true", "nowhere", agent="shel", priority="urgent")
    project.write("tasks/B.md", "---\nid: [\n---\n")
    project.shell("C", "true", unread=1)
    done = project.orch("validate")
    assert done.code == 2
    assert done.out == ""
    warning, *lines = done.err.splitlines()
    assert warning.startswith("orch: warning: tasks/C.md:")
    assert len(lines) >= 3
    assert all(line.startswith(("tasks/A.md:", "tasks/B.md:")) for line in lines[:-1])
    assert "orch validate" in done.last
    data = project.orch("validate", "--json").data
    assert (data["code"], data["valid"], data["tasks"]) == ("invalid_project", False, 1)
    assert [one["file"] for one in data["warnings"]] == ["tasks/C.md"]
    assert len(data["problems"]) == len(lines) - 1
    assert all(problem["file"] and problem["line"] and problem["message"] for problem in data["problems"])


def test_the_graph_is_drawn_in_three_ways(project: Project) -> None:
    project.shell("A", "true", title='Say "hi"')
    project.shell("B", "exit 1", "A")
    project.shell("C", "true", "A")
    project.shell("D", "true", "B", "C")
    project.orch("run-batch")
    assert project.orch("graph").out.splitlines() == [
        'A  [done]  Say "hi"',
        "├── B  [failed]",
        "│   └── D  [blocked]",
        "└── C  [done]",
        "    └── D  [blocked]",
    ]
    assert project.orch("graph", "--format", "mermaid").out.startswith('flowchart TD\n    n0["A: Say #34;hi#34;"]')
    assert '"A" -> "B";' in project.orch("graph", "--format", "dot").out
    data = project.json("graph", "--format", "dot")
    assert data["text"].startswith("digraph")
    assert [task["status"] for task in data["tasks"]] == ["success", "failed", "success", "blocked"]


def test_status_shows_what_is_not_done_and_what_runs(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", "exit 1")
    assert project.orch("status").out == "2 tasks: 2 pending\n"
    assert project.state() == {}
    project.orch("run-batch")
    out = project.orch("status").out
    assert out.startswith("2 tasks: 1 done, 1 failed\n")
    assert "B     failed" in out
    assert "A     done" not in out
    assert "A     done" in project.orch("status", "--all").out
    data = project.json("status")
    assert (data["counts"], data["live_runs"]) == ({"success": 1, "failed": 1}, [])
    assert [task["task_id"] for task in data["tasks"]] == ["A", "B"]


def test_runs_are_listed_newest_first(project: Project) -> None:
    assert project.orch("runs").out == "no runs yet\n"
    project.shell("A", "true")
    project.shell("B", "exit 1")
    project.orch("run-batch", "A")
    project.orch("run-batch", "B")
    found = project.json("runs")
    assert [run["tasks"] for run in found] == [["B"], ["A"]]
    assert [run["status"] for run in found] == ["failed", "success"]
    assert len(project.orch("runs", "-n", "1").out.splitlines()) == 2


def test_logs_are_the_bytes_that_were_printed(project: Project) -> None:
    project.shell("A", "printf 'out\\033[31m\\377\\n'; echo err >&2")
    project.orch("run-batch")
    done = subprocess.run(
        ["bash", "-c", '"$@"', "-", *_command("logs", "A")],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"out\x1b[31m\xff\n"
    assert project.orch("logs", "A", "--stderr").out == "err\n"
    data = project.json("logs", "A")
    assert (data["stdout"], data["stderr"]) == ("out\x1b[31m\ufffd\n", "err\n")


def _command(*arguments: str) -> list[str]:
    from tests.cli.project import command_line

    return list(command_line(*arguments))


def test_the_log_of_every_attempt_can_be_read(project: Project) -> None:
    project.shell("A", "echo try $ORCH_ATTEMPT; test $ORCH_ATTEMPT = 2", retry={"max": 2, "backoff": "1ms"})
    assert project.orch("run-batch").code == 0
    assert project.orch("logs", "A").out == "try 2\n"
    assert project.orch("logs", "A", "--attempt", "1").out == "try 1\n"
    run = project.json("runs")[0]["run_id"]
    assert project.orch("logs", "A", "--run", run, "--attempt", "2").out == "try 2\n"
    missing = project.orch("logs", "A", "--attempt", "9")
    assert missing.code == 2
    assert "no such attempt" in missing.last


def test_the_logs_of_a_task_that_an_earlier_run_did_are_found_by_the_later_run_too(project: Project) -> None:
    project.shell("A", "echo done before")
    project.shell("B", "exit 1")
    project.orch("run-batch")
    project.shell("C", "true")
    project.orch("run-batch")
    newest, first = project.json("runs")
    assert {"A", "B"} <= set(newest["tasks"])
    for run in (newest, first):
        assert project.orch("logs", "A", "--run", run["run_id"]).out == "done before\n"
        assert project.orch("logs", "A", "--run", run["run_id"], "--attempt", "1").out == "done before\n"
    missing = project.orch("logs", "A", "--run", newest["run_id"], "--attempt", "2")
    assert missing.last.startswith(f"orch: A has no attempt 2 in run {first['run_id']}; it has [1]")


def test_logs_and_events_can_be_followed_until_the_end(project: Project) -> None:
    project.shell("A", "echo begin; while ! test -e go; do sleep 0.05; done; echo end")
    with project.start("run-batch", "--events") as running:
        assert running.stdout is not None
        while b"begin" not in running.stdout.readline():
            pass
        with project.start("logs", "A", "-f") as logs, project.start("events", "-f") as events:
            assert logs.stdout is not None
            assert events.stdout is not None
            assert logs.stdout.readline() == b"begin\n"
            assert json.loads(events.stdout.readline())["type"] == "run_started"
            project.write("go", "")
            assert logs.stdout.read() == b"end\n"
            rest = [json.loads(line)["type"] for line in events.stdout]
            assert rest[-1] == "run_completed"
            assert (logs.wait(30), events.wait(30), running.wait(30)) == (0, 0, 0)


def test_who_follows_a_run_whose_process_dies_is_told_that_this_is_no_end(project: Project) -> None:
    project.shell("A", "echo begin; sleep 60")
    with project.start("run-batch", "--events") as running:
        assert running.stdout is not None
        while b"begin" not in running.stdout.readline():
            pass
        (run,) = (found["run_id"] for found in project.json("runs"))
        with project.start("logs", "A", "-f") as logs, project.start("events", "-f") as events:
            assert logs.stdout is not None
            assert events.stdout is not None
            assert logs.stdout.readline() == b"begin\n"
            assert json.loads(events.stdout.readline())["type"] == "run_started"
            running.kill()
            for follower in (logs, events):
                _, err = follower.communicate(timeout=60)
                assert err.decode().splitlines()[-1].endswith(f"to go on: orch resume {run}")
                assert follower.returncode == 0


def test_a_log_can_be_followed_before_it_is_there_and_over_several_attempts(project: Project) -> None:
    project.shell("A", f"{wait_for('go')}; touch A-done")
    tries = f"echo try $ORCH_ATTEMPT; {wait_for('go-$ORCH_ATTEMPT')}; test $ORCH_ATTEMPT = 3"
    project.shell("B", tries, "A", retry={"max": 3, "backoff": "1ms"})
    with project.start("run-batch", "--events") as running:
        assert running.stdout is not None
        while b"task_started" not in running.stdout.readline():
            pass
        with project.start("logs", "B", "-f") as logs:
            assert logs.stdout is not None
            project.write("go", "")
            for number in (1, 2, 3):
                assert logs.stdout.readline() == f"try {number}\n".encode()
                project.write(f"go-{number}", "")
            out, err = logs.communicate(timeout=60)
            assert (out, err, logs.returncode) == (b"", b"", 0)
        running.stdout.read()
    again = project.orch("logs", "B", "-f")
    assert (again.code, again.out) == (0, "try 3\n")


def wait_for(name: str) -> str:
    """A command that ends when a file is there."""
    return f"while ! test -e {name}; do sleep 0.05; done"


def test_events_can_be_read_from_a_number_on(project: Project) -> None:
    project.shell("A", "true")
    project.orch("run-batch")
    every = [json.loads(line) for line in project.orch("events").out.splitlines()]
    some = [json.loads(line) for line in project.orch("events", "--since", "2").out.splitlines()]
    assert some == every[2:]
    assert project.json("events", every[0]["run_id"]) == every
    assert project.orch("events", "--since", "99", "-f").out == ""


def test_why_explains(project: Project) -> None:
    project.shell("A", "exit 3")
    project.shell("B", "true", "A")
    project.orch("run-batch")
    assert "exit" in project.orch("why", "A").out
    assert "A" in project.orch("why", "B").out
    assert project.json("why", "B")["because"] == project.orch("why", "B").out.splitlines()


def test_a_report_says_what_ran_and_how_it_ended(project: Project) -> None:
    project.shell("A", "true", verify=["true"], title="x")
    project.shell("B", "echo 'a|b `c`' >&2; exit 3")
    project.orch("run-batch")
    text = project.orch("report").out
    assert "| A | success |" in text
    assert "1 of 1 passed" in text
    assert "| B | failed | exit\\_code" in text
    assert "## B: failed" in text
    project.orch("report", "-o", "out.md")
    assert (project.root / "out.md").read_text(encoding="utf-8") == text
    data = project.json("report")
    assert data == project.orch("report", "--format", "json").data
    refused = project.orch("report", "-o", "no/folder/r.md")
    assert refused.code == 2
    assert "no/folder/r.md" in refused.last
    assert sorted(path.name for path in project.root.glob("*out*")) == ["out.md"]


def test_the_schemas_are_json_schemas(project: Project) -> None:
    task = json.loads(project.orch("schema", "task").out)
    assert task["$schema"].startswith("https://json-schema.org/")
    assert "depends_on" in task["properties"]
    assert set(json.loads(project.orch("schema").out)) == {"task", "agent", "settings"}


def test_a_new_project_has_a_task_that_runs(project: Project) -> None:
    project.root.joinpath("orchestration.yaml").unlink()
    made = project.orch("init", "new folder")
    assert made.code == 0
    assert "orch list" in made.out
    new = Project(project.root / "new folder", project.variables)
    assert new.orch("validate").code == 0
    assert new.orch("run-batch").code == 0
    before = (new.root / "orchestration.yaml").read_bytes()
    assert "nothing was changed" in new.orch("init").out
    assert (new.root / "orchestration.yaml").read_bytes() == before


def test_added_tasks_are_in_the_backlog_and_nothing_is_overwritten(project: Project) -> None:
    assert project.orch("add", "First thing").out == "added TASK-001: tasks/TASK-001.md\n"
    command = ["-d", "-", "--agent", "shell", "--depends-on", "TASK-001", "--label", "x", "--priority", "high"]
    assert project.orch("add", "Zweites ✓: 'x'", *command, stdin="echo two\n").code == 0
    assert project.orch("add", "By name", "--id", "named", "--estimate-hours", "2.5").code == 0
    tasks = project.json("list")["tasks"]
    assert [task["id"] for task in tasks] == ["TASK-001", "TASK-002", "named"]
    shown = project.json("show", "TASK-002")
    assert (shown["title"], shown["depends_on"], shown["labels"]) == ("Zweites ✓: 'x'", ["TASK-001"], ["x"])
    assert shown["description"].strip() == "echo two"
    assert project.orch("validate").code == 0


@pytest.mark.parametrize("link", ["runs", "runs/RUN", "runs/RUN/A", "runs/RUN/A/1", "runs/RUN/A/1/stdout.log"])
@pytest.mark.parametrize("options", [(), ("--json",), ("--follow",), ("--run", "RUN")])
def test_logs_that_lie_elsewhere_are_refused_and_not_passed_over(
    project: Project, link: str, options: tuple[str, ...]
) -> None:
    project.shell("A", "echo hello")
    run_id = project.orch("run-batch", "--json").data["run_id"]
    place = project.root / ".orchestration" / link.replace("RUN", run_id)
    place.rename(project.root / "elsewhere")
    place.symlink_to(project.root / "elsewhere")
    done = project.orch("logs", "A", *(option.replace("RUN", run_id) for option in options))
    assert (done.code, "hello" in done.out) == (1, False)
    said = done.data["message"] if "--json" in options else done.last
    assert "link" in said, done


def test_a_state_folder_on_another_disk_has_its_logs(project: Project) -> None:
    (project.root / "disk").mkdir()
    (project.root / ".orchestration").symlink_to(project.root / "disk")
    project.shell("A", "echo hello")
    assert project.orch("run-batch").code == 0
    assert project.orch("logs", "A").out == "hello\n"
