"""The supervisor of one program: it ends like it, leaves nothing of it, and does not outlive whoever started it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from orchestration.supervisor import NOT_STARTED, supervised
from tests.world.processes import linux_only

pytestmark = linux_only

PYTHON = (sys.executable, "-I", "-S", "-c")
PATIENCE = 20.0

DAEMON = """
import os, signal, sys, time
if os.fork():
    while not os.path.exists(sys.argv[1]): time.sleep(0.01)
    os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "a") as file: file.write(f"{os.getpid()}\\n")
for number in (0, 1, 2): os.close(number)
time.sleep(60)
"""
"""Forks twice, leaves its session, is deaf and holds no pipe; and ends by itself in a minute, whatever happens."""


def run(*argv: str, tmp_path: Path, grace: float = 0.3, **options: object) -> "subprocess.CompletedProcess[bytes]":
    command = supervised(argv, grace=grace, report=str(tmp_path / "report.json"))
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, **options)  # type: ignore[call-overload, no-any-return]


def report(tmp_path: Path) -> dict[str, object]:
    data: dict[str, object] = json.loads((tmp_path / "report.json").read_text())
    return data


def is_there(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def pids_in(path: Path, count: int) -> list[int]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if path.exists() and len(found := path.read_text().split()) == count:
            return [int(pid) for pid in found]
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written in time")


def wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + PATIENCE
    while any(map(is_there, pids)):
        assert time.monotonic() < end, pids
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_it_ends_with_the_exit_code_of_its_program(tmp_path: Path, code: int) -> None:
    ended = run("sh", "-c", f"echo out; echo err >&2; exit {code}", tmp_path=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, b"out\n", b"err\n")
    assert report(tmp_path) == {"swept": 0, "survivors": [], "exact": True}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
def test_it_ends_by_the_signal_that_ended_its_program(tmp_path: Path, number: signal.Signals) -> None:
    ended = run("sh", "-c", f"kill -{number.value} $$", tmp_path=tmp_path)
    assert ended.returncode == -number


def test_a_program_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    ended = run("/nowhere/at/all", tmp_path=tmp_path)
    assert ended.returncode == NOT_STARTED
    assert report(tmp_path) == {"error": "No such file or directory"}


def test_its_program_reads_its_input(tmp_path: Path) -> None:
    assert run("cat", tmp_path=tmp_path, input=b"hello" * 100_000).stdout == b"hello" * 100_000


def test_signals_are_to_its_program_what_they_are_to_any(tmp_path: Path) -> None:
    lines = {
        line.split(b":")[0]: line.split()[1] for line in own_status(run("cat", "/proc/self/status", tmp_path=tmp_path))
    }
    assert int(lines[b"SigBlk"], 16) == 0
    ignored = int(lines[b"SigIgn"], 16)
    assert not [number for number in USUAL if ignored & 1 << number - 1]


USUAL = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD, signal.SIGXFSZ)


def own_status(ended: "subprocess.CompletedProcess[bytes]") -> list[bytes]:
    return [line for line in ended.stdout.splitlines() if line.startswith(b"Sig")]


def test_a_daemon_without_any_tie_is_ended_after_the_program(tmp_path: Path) -> None:
    ended = run("env", "-i", *PYTHON, DAEMON, str(tmp_path / "pids"), tmp_path=tmp_path)
    assert ended.returncode == 0
    (pid,) = pids_in(tmp_path / "pids", 1)
    assert not is_there(pid)
    assert report(tmp_path)["swept"] == 1


def test_whoever_holds_the_pipes_afterwards_does_not_hold_it_up(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run("sh", "-c", "sleep 60 & echo done", tmp_path=tmp_path)
    assert ended.stdout == b"done\n"
    assert time.monotonic() - began < PATIENCE / 2


def start(tmp_path: Path, *argv: str, grace: float = 0.3) -> "subprocess.Popen[bytes]":
    command = supervised(argv, grace=grace, report=str(tmp_path / "report.json"))
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


DEAF_FAMILY = textwrap.dedent("""
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(2):
        if not os.fork():
            os.setsid()
            break
    with open(sys.argv[1], "a") as file: file.write(f"{os.getpid()}\\n")
    time.sleep(60)
""")


def test_asked_to_end_it_kills_after_the_grace_and_ends_last(tmp_path: Path) -> None:
    with start(tmp_path, *PYTHON, DEAF_FAMILY, str(tmp_path / "pids")) as supervisor:
        pids = pids_in(tmp_path / "pids", 3)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(PATIENCE) == -signal.SIGKILL
        assert not any(map(is_there, pids))


def test_when_its_parent_is_killed_everything_ends(tmp_path: Path) -> None:
    command = supervised((*PYTHON, DEAF_FAMILY, str(tmp_path / "pids")), grace=0.3, report=str(tmp_path / "report"))
    parent = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    with subprocess.Popen([*PYTHON, parent, *command], stdin=subprocess.DEVNULL) as orch:
        pids = pids_in(tmp_path / "pids", 3)
        orch.kill()
    wait_until_gone(pids)


def test_it_costs_little_more_than_a_bare_python() -> None:
    def seconds(command: tuple[str, ...]) -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, timeout=PATIENCE)
        return time.perf_counter() - began

    pairs = [
        (
            seconds((*PYTHON, "pass")),
            seconds(supervised(("true",), grace=1, report=os.devnull)),
        )
        for _ in range(15)
    ]
    ratios = sorted(ours / bare for bare, ours in pairs)
    assert ratios[len(ratios) // 2] < 8
