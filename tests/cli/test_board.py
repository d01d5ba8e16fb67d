"""The live board on a real terminal: shows what runs, survives what agents print, leaves all as it was."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.project import PATIENCE, Project, command_line
from tests.cli.terminal import terminal

pytestmark = pytest.mark.slow

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
GATE = "while ! test -e go; do sleep 0.05; done"


def open_gate(project: Project) -> None:
    project.write("go", "")


def test_the_board_shows_what_runs_and_gives_the_cursor_back(project: Project) -> None:
    project.shell("A", "true")
    project.shell("B", f"echo 'half way'; {GATE}", "A")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"half way")
        assert HIDE in shown.shown
        assert b"1/2 done" in shown.shown
        assert b"1 running" in shown.shown
        open_gate(project)
        assert shown.wait() == 0
    assert shown.shown.count(HIDE) == shown.shown.count(SHOW) == 1
    assert shown.shown.index(SHOW) > shown.shown.index(HIDE)
    assert b"\x1b[32mdone     \x1b[0m A  in " in shown.shown
    assert b"success" in shown.shown


def test_nothing_that_agents_print_is_obeyed(project: Project) -> None:
    project.write(
        "noise", "printf 'x\\033]0;owned\\007\\033[2J\\033]8;;http://evil\\033\\\\link\\217\\n'; . ./gate; exit 1"
    )
    project.write("gate", GATE)
    project.shell("A", "sh ./noise")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"xlink")
        open_gate(project)
        assert shown.wait() == 1
    for foreign in (b"owned", b"\x1b[2J", b"evil", b"\x1b]"):
        assert foreign not in shown.shown


def test_it_draws_at_most_four_pictures_a_second(project: Project) -> None:
    project.shell("A", "for i in $(seq 400); do echo line $i; sleep 0.005; done")
    with terminal(project, "run-batch") as shown:
        begun = time.monotonic()
        assert shown.wait() == 0
        seconds = time.monotonic() - begun
    pictures = shown.shown.count(b"0/1 done") + shown.shown.count(b"1/1 done")
    assert 2 <= pictures <= 4 * seconds + 2


@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (1, 1), (12, 4), (40, 10), (300, 5)])
def test_terminals_of_any_size_will_do(project: Project, columns: int, rows: int) -> None:
    for i in range(8):
        project.shell(f"TASK-00{i}", f"echo 'ünïcode 中文 output of a task'; {GATE}")
    with terminal(project, "run-batch", "-j", "8", columns=columns, rows=rows) as shown:
        shown.read_until(b"\r\x1b[2K")  # a second picture over the first
        open_gate(project)
        assert shown.wait() == 0
    assert b"Traceback" not in shown.shown
    assert shown.shown.count(HIDE) == shown.shown.count(SHOW) == 1


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--no-color"], {}),
        ([], {"NO_COLOR": "1"}),
        ([], {"CI": "true"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_where_plain_text_is_wanted_there_is_no_control_sequence(
    project: Project, arguments: list[str], variables: dict[str, str]
) -> None:
    project.shell("A", "true")
    with terminal(project, "run-batch", *arguments, variables=variables) as shown:
        assert shown.wait() == 0
    assert b"\x1b" not in shown.shown
    assert b"started   A  shell" in shown.shown


def test_a_dead_terminal_ends_the_run_and_leaves_its_state_consistent(project: Project) -> None:
    project.shell("A", f"trap 'touch ended; exit 1' TERM; echo ready; {GATE}")
    with terminal(project, "run-batch") as shown:
        shown.read_until(b"ready")
        os.close(shown.master)  # the window is closed
        assert shown.process.wait(PATIENCE) == 129
    assert (project.root / "ended").exists()
    assert project.json("status")["live_runs"] == []
    open_gate(project)
    assert project.orch("run-batch").code == 0


# ---- on a terminal that remembers its screen ----------------------------------------------------------------------


class Screen:
    """A window of tmux, whose screen can be looked at as a person would."""

    def __init__(self, folder: Path) -> None:
        self.tmux = ["tmux", "-f", "/dev/null", "-S", str(folder / "tmux")]

    def run(self, *arguments: str) -> str:
        return subprocess.run([*self.tmux, *arguments], check=True, capture_output=True, text=True).stdout

    def lines(self) -> list[str]:
        return [line for line in self.run("capture-pane", "-p").splitlines() if line.strip()]

    def until(self, pattern: str) -> list[str]:
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, "\n".join(lines := self.lines()), re.MULTILINE):
            assert time.monotonic() < deadline, lines
            time.sleep(0.05)
        return lines


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    window = Screen(tmp_path)
    window.run("new-session", "-d", "-x", "70", "-y", "16", "sh")
    yield window
    window.run("kill-server")


def start_in(screen: Screen, project: Project, *arguments: str) -> None:
    script = project.write(
        "start.sh",
        "cd '{}'\nexport {}\nexec {}\n".format(
            project.root,
            " ".join(f"{name}='{value}'" for name, value in project.variables.items()),
            " ".join(f"'{word}'" for word in command_line(*arguments)),
        ),
    )
    screen.run("send-keys", f"clear; sh '{script}'; echo code $?", "Enter")


def test_a_person_sees_one_row_for_each_running_task_and_what_ended_above(project: Project, screen: Screen) -> None:
    project.shell("A", "true")
    project.shell("B", f"echo 'B is busy'; {GATE}", "A")
    project.shell("C", f"printf '\\033[5;5Hjump 中文'; {GATE}", "A")
    start_in(screen, project, "run-batch")
    lines = screen.until(r"^> B .*B is busy\n> C .*jump 中文\n1/3 done, 2 running, .*left$")
    assert [line.split()[0] for line in lines[:3]] == ["started", "done", "started"]
    assert re.fullmatch(r"> B  shell\s+[\d.]+s  B is busy", lines[-3])
    assert re.fullmatch(r"> C  shell\s+[\d.]+s  jump 中文", lines[-2])
    assert re.fullmatch(r"1/3 done, 2 running, about [\d.]+s left", lines[-1])
    open_gate(project)
    lines = screen.until(r"^code 0")
    assert not any(line.startswith(">") for line in lines)
    assert sum("done" in line for line in lines) == 4


def test_a_window_that_changes_its_width_shows_one_picture(project: Project, screen: Screen) -> None:
    project.variables["COLUMNS"] = "70"  # as some shells export it, which says nothing of the window by now
    for i in range(3):
        project.shell(f"TASK-{i}", f"echo {'words ' * 12}; {GATE}")
    start_in(screen, project, "run-batch")
    screen.until(r"> TASK-2 .*words")
    for width in (40, 25, 60):
        screen.run("resize-window", "-x", str(width), "-y", "16")
        *above, first, second, third, counts = screen.until(rf"(^> TASK-\d .{{{width - 11}}}…\n){{3}}.*running$")
        assert (first[:8], second[:8], third[:8]) == ("> TASK-0", "> TASK-1", "> TASK-2")
        assert counts == "0/3 done, 3 running"
        assert all(line.startswith("started") for line in above), above
    open_gate(project)
    screen.until(r"^code 0")
