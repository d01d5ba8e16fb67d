"""Options of all commands, in both places; the envelope; help; what is wrong with a command line."""

import ast
from pathlib import Path

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent.parent


def test_global_options_are_understood_before_and_behind_the_command(project: Project) -> None:
    project.shell("A", "true")
    before = project.orch("--json", "list")
    behind = project.orch("list", "--json")
    assert before.data == behind.data
    elsewhere = project.root.parent
    for place in (("-C", str(project.root), "list"), ("list", "-C", str(project.root))):
        assert project.orch(*place, cwd=elsewhere).out == project.orch("list").out
    assert project.orch("list", f"--project-root={project.root}", cwd=elsewhere).code == 0
    for arguments in (("--quiet", "run-batch"), ("run-batch", "-q"), ("run-batch", "--no-color", "--quiet")):
        assert project.orch(*arguments).err == ""


def test_the_project_is_found_from_a_folder_below(project: Project) -> None:
    project.shell("A", "true")
    below = project.root / "src" / "deep"
    below.mkdir(parents=True)
    assert project.orch("list", cwd=below).out == project.orch("list").out


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["list"], "task_list"),
        (["show", "A"], "task"),
        (["next"], "next"),
        (["validate"], "validation"),
        (["plan"], "plan"),
        (["run-batch", "--dry-run"], "plan"),
        (["graph"], "graph"),
        (["graph", "--format", "dot"], "graph"),
        (["execute-task", "A"], "execution_result"),
        (["run-batch"], "run_result"),
        (["status"], "status"),
        (["runs"], "runs"),
        (["logs", "A"], "logs"),
        (["events"], "events"),
        (["why", "A"], "why"),
        (["report"], "report"),
        (["report", "--format", "json"], "report"),
        (["report", "-o", "r.md"], "report"),
        (["schema"], "schema"),
        (["schema", "task"], "schema"),
        (["version"], "version"),
        (["--version"], "version"),
        (["init"], "init"),
        (["add", "new"], "task"),
        (["retry", "--failed"], "retried"),
        (["cancel", "P"], "cancelled"),
        (["complete", "P"], "execution_result"),
        (["fail", "P", "--reason", "no"], "execution_result"),
    ],
)
def test_every_command_has_one_envelope(project: Project, arguments: list[str], kind: str) -> None:
    project.shell("A", "echo hello")
    project.shell("B", "exit 1")
    project.person("P")
    project.orch("run-batch")
    done = project.orch("--json", *arguments)
    assert done.kind == kind, done.err
    assert len(done.out.splitlines()) == 1


def test_help_lists_every_command_and_each_has_its_own(project: Project) -> None:
    from cli.app import COMMANDS

    listing = project.orch("--help")
    assert (listing.code, listing.err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in listing.out
    done = project.orch("run-batch", "-h")
    assert done.code == 0
    assert "--max-concurrent" in done.out
    assert "--json" in done.out


def test_the_line_of_a_command_in_the_list_is_the_first_of_its_own_help() -> None:
    from cli.app import COMMANDS

    for name, entry in COMMANDS.items():
        tree = ast.parse((ROOT / (entry.module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))
        (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == entry.function]
        assert (ast.get_docstring(function) or "").splitlines()[0] == entry.help, name


WRONG = [
    ([], "missing command", "orch --help"),
    (["lst"], "no command 'lst'", "did you mean list?"),
    (["run-batch", "--max-concurrent"], "requires an argument", "orch run-batch --help"),
    (["run-batch", "--max-concurrent", "0"], "0 is out of range", "between 1 and 10,000"),
    (["run-batch", "-j", "-1"], "-1 is out of range", "between 1 and 10,000"),
    (["run-batch", "-j", "abc"], "'abc' is not a whole number", "--max-concurrent 3"),
    (["run-batch", "-j", "1e9"], "'1e9' is not a whole number", "--max-concurrent 3"),
    (["run-batch", "-j", "1000000000"], "out of range", "between 1 and 10,000"),
    (["run-batch", "-j", "2.5"], "'2.5' is not a whole number", "--max-concurrent 3"),
    (["run-batch", "--timeout", "soon"], "'soon' is no duration", "--timeout 30m"),
    (["run-batch", "--timeout", "0"], "would end the run before it starts", "--timeout 30m"),
    (["run-batch", "--timeout", "-5s"], "is no duration", "--timeout 30m"),
    (["run-batch", "--timeout", "1e300"], "out of range", "--timeout 30m"),
    (["run-batch", "--priority", "urgent"], "'urgent' is not one of", "--help"),
    (
        ["run-batch", "--budget", "0"],
        "cost_usd '0' cannot be: input should be greater than 0",
        "for example: --budget 5",
    ),
    (["run-batch", "--budget", "much"], "'much' cannot be: input should be a valid number", "for example: --budget 5"),
    (["run-batch", "--budget", "nan"], "'nan' cannot be: input should be a finite number", "for example: --budget 5"),
    (["run-batch", "--budget", "tokens=1.5"], "tokens '1.5' cannot be", "for example: --budget 5"),
    (["run-batch", "--budget", "cost=5"], "'cost' is none of cost_usd, tokens, wall", "for example: --budget 5"),
    (["run-batch", "--budget", "wall=1h,wall=2h"], "'wall' is there twice", "for example: --budget 5"),
    (["run-batch", "--backend", "dask"], "there is no backend 'dask'", "known backends: local"),
    (["run-batch", "--agnet", "x"], "no such option: --agnet (did you mean --agent", "? orch run-batch --help"),
    (["run-batch", "thing"], "no task thing", "orch list"),
    (["run-batch", "TASK-0O1"], "no task TASK-0O1", "did you mean TASK-001?"),
    (["run-batch", "../../etc/passwd"], "no task ../../etc/passwd", "orch list"),
    (["run-batch", ""], "no task", "orch list"),
    (["run-batch", "--agent", "shel"], "no agent 'shel'", "did you mean shell?"),
    (["run-batch", "--events", "--json"], "exclude each other", "give one of them"),
    (["run-batch", "--dry-run", "--events"], "exclude each other", "give one of them"),
    (["execute-task"], "missing argument 'TASK'", "orch execute-task --help"),
    (["execute-task", "TASK-001", "TASK-002"], "unexpected extra argument", "--help"),
    (["execute-task", "TASK-001", "--mode", "magic"], "'magic' is not one of", "--help"),
    (["execute-task", "TASK-002"], "TASK-001 (pending)", "--with-dependencies"),
    (["execute-task", "TASK-001", "--agent", "nobody"], "no agent 'nobody'", "known agents"),
    (["show", "task-001"], "no task task-001", ""),
    (["why", "nothing"], "no task nothing", "orch list"),
    (["graph", "--format", "svg"], "'svg' is not one of", "--help"),
    (["logs", "TASK-001"], "TASK-001", "orch"),
    (["logs", "TASK-001", "--attempt", "0"], "0 is out of range", "at least 1"),
    (["logs", "TASK-001", "--json", "-f"], "exclude each other", "give one of them"),
    (["events", "no-run"], "no run no-run", "orch runs"),
    (["events"], "nothing has been run", "orch run-batch"),
    (["events", "--since", "-3"], "-3 is out of range", "at least 0"),
    (["report"], "nothing has been run", "orch run-batch"),
    (["report", "--format", "pdf"], "'pdf' is not one of", "--help"),
    (["complete", "TASK-001"], "TASK-001", "orch"),
    (["complete", "TASK-001", "--set", "novalue"], "'novalue' is no NAME=VALUE", "--set size=12"),
    (["fail", "TASK-001"], "missing option '--reason'", "orch fail --help"),
    (["retry"], "either tasks or --failed", "orch retry --failed"),
    (["retry", "TASK-001", "--failed"], "either tasks or --failed", "orch retry --failed"),
    (["cancel", "nothing"], "nothing", "orch"),
    (["add"], "missing argument 'TITLE'", "orch add --help"),
    (["add", "x", "--id", "../x"], "not a safe id", "letters"),
    (["add", "x", "--id", "TASK-001"], "TASK-001 already", "another id"),
    (["add", "x", "--depends-on", "TASK-01"], "no task TASK-01", "did you mean TASK-001?"),
    (["add", "x", "--agent", "shelf"], "no agent 'shelf'", "did you mean shell?"),
    (["add", "x", "--estimate-hours", "-1"], "-1", "--help"),
    (["list", "--status", "lost"], "'lost' is not one of", "--help"),
    (["list", "-C", "no/such/folder"], "no/such/folder", "-C"),
    (["list", "-C", "orchestration.yaml"], "orchestration.yaml", "-C"),
    (["--colour", "list"], "no such option: --colour", "orch --help"),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_command_line_is_told_what_to_do_and_changes_nothing(
    project: Project, arguments: list[str], message: str, hint: str
) -> None:
    project.shell("TASK-001", "true")
    project.shell("TASK-002", "true", "TASK-001")
    before = sorted(project.root.rglob("*"))
    done = project.orch(*(["--json"] if "--json" not in arguments else []), *arguments)
    assert (done.code, done.kind, done.data["exit_code"]) == (2, "error", 2), done.err
    assert "Traceback" not in done.err
    assert done.data["message"] in done.last
    assert message in done.last
    assert hint in done.last
    assert sorted(project.root.rglob("*")) == before


def test_without_json_standard_output_stays_empty(project: Project) -> None:
    for arguments in (["lst"], ["run-batch", "-j", "0"], ["show", "nothing"], ["list", "-C", "nowhere"]):
        done = project.orch(*arguments)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 1


def test_without_a_project_every_command_says_how_to_make_one(tmp_path: Path) -> None:
    nowhere = Project(tmp_path, {"PYTHONPATH": str(ROOT)})
    for command in (["list"], ["run-batch"], ["validate"], ["status"], ["graph"], ["add", "x"], ["runs"]):
        done = nowhere.orch(*command)
        assert done.code == 2
        assert "orch init" in done.last
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_working_folder_is_named(project: Project, tmp_path: Path) -> None:
    import subprocess

    from tests.cli.project import command_line

    gone = tmp_path / "gone"
    gone.mkdir()
    project.shell("A", "true")
    script = 'cd "$1"; rmdir "$1"; shift; "$@"'
    for arguments, code in ((["list"], 2), (["list", "-C", str(project.root)], 0)):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "-c", script, "-", str(gone), *command_line(*arguments)],
            env=project.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert "the current folder is not there any more" in done.stderr
            assert "-C FOLDER" in done.stderr


def test_it_needs_no_home_and_hardly_any_environment(project: Project) -> None:
    project.shell("A", "true")
    bare = {"PATH": "/usr/bin:/bin", **project.variables}
    assert project.orch("run-batch", environment=bare).code == 0


def test_a_project_may_live_anywhere(tmp_path: Path) -> None:
    root = tmp_path / "a\nb 'c' \"d\" $e é\t中"
    root.mkdir()
    project = Project(root, {"PYTHONPATH": str(ROOT)})
    project.settings()
    project.shell("A", 'echo "$PWD" > where')
    for arguments in (["validate"], ["list"], ["plan"], ["run-batch"], ["status"], ["why", "A"], ["logs", "A"]):
        done = project.orch(*arguments)
        assert done.code == 0, done.err
    assert (root / "where").read_text(encoding="utf-8") == f"{root}\n"
    assert "\n" not in project.orch("init").out.rstrip("\n")


def test_our_own_fault_costs_one_line_and_says_where_to_look(project: Project) -> None:
    project.write("cli_fault.py", "import orchestration.loading\norchestration.loading.find_root = None\n")
    project.write("sitecustomize.py", "import cli_fault\n")
    variables = {"PYTHONPATH": f"{project.root}:{ROOT}"}
    faulty = Project(project.root, variables)
    done = faulty.orch("validate", "--json")
    assert (done.code, done.kind, done.data["code"]) == (1, "error", "internal")
    assert done.last.startswith("orch: internal error: TypeError")
    assert "ORCH_DEBUG=1" in done.last
    assert "Traceback" not in done.err
    traced = Project(project.root, {**variables, "ORCH_DEBUG": "1"}).orch("validate")
    assert "Traceback" in traced.err
    assert traced.last.startswith("orch: internal error")


@pytest.mark.parametrize("command", ["merge", "export", "clean"])
def test_a_command_of_another_version_is_said_to_be_one(project: Project, command: str) -> None:
    done = project.orch(command)
    assert (done.code, done.out) == (2, "")
    assert done.last.startswith(f"orch: this version has no command '{command}' yet (")


def test_where_the_locale_cannot_say_what_a_task_says_its_command_gets_it_in_utf8(project: Project) -> None:
    project.shell("A", "", agent="greet")
    project.shell("B", "printf %s größer →")
    project.shell("C", "", agent="cheer")
    project.write(
        "cheering.py", "import os\ndef cheer():\n    return os.fsencode(os.environ['NAME']).decode('utf-8')\n"
    )
    project.settings(
        "agents:\n"
        "  greet: {kind: shell, command: 'echo grüße $NAME', env: {NAME: Zoë}}\n"
        "  cheer: {kind: python, function: 'cheering:cheer', env: {NAME: Zoë}}\n"
    )
    poor = {**project.environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = project.orch("run-batch", "--json", environment=poor)
    assert done.code == 0, done.err
    assert [result["output"] for result in done.data["results"]] == ["grüße Zoë", "größer→", "Zoë"]
