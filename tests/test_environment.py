"""The set-up of the scripts on machines that lack something, up to where the network would be needed.

Each test copies the shared part of the scripts into a checkout of its own, whose path has a space, and gives it a PATH
of its own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("bash", "cat", "dirname", "flock", "rm")
OLD = "#!/bin/sh\nexit 1\n"  # an interpreter that is too old, or a shim without one: asked for 3.11, both say no


class Machine:
    """A checkout and a PATH on which a test decides what there is."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "a checkout"
        (self.checkout / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "_env", self.checkout / "scripts")
        self.programs = folder / "bin"
        self.programs.mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.programs / tool).symlink_to(found)

    def put(self, name: str, text: str) -> None:
        """Put a program on PATH."""
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def source(self, then: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Source the shared part from another folder, then do something."""
        bash = self.programs / "bash"
        command = [
            str(bash),
            "-c",
            'set -euo pipefail; source "$1"; ' + then,
            "setup",
            str(self.checkout / "scripts" / "_env"),
        ]
        environment = {"PATH": str(self.programs), "HOME": str(self.programs.parent), **variables}
        return subprocess.run(
            command, env=environment, cwd=self.programs, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def real_python() -> str:
    """The interpreter behind the environment that the tests run in."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def test_without_a_python_that_is_new_enough_it_says_what_to_do(machine: Machine) -> None:
    machine.put("python3", OLD)
    done = machine.source("create_environment")
    assert done.returncode == 1
    assert "no Python 3.11 or newer found on PATH" in done.stderr
    assert "ORCH_PYTHON=" in done.stderr
    assert not (machine.checkout / ".venv").exists()


@pytest.mark.slow
def test_a_newer_python_is_found_behind_an_old_one_and_a_shim_that_fails(machine: Machine) -> None:
    machine.put("python3", OLD)
    machine.put("python3.13", OLD)
    machine.put("python3.12", f'#!/bin/sh\nexec "{real_python()}" "$@"\n')
    done = machine.source('create_environment; "$BIN/python" -m pip --version')
    assert done.returncode == 0, done.stderr
    assert str(machine.checkout / ".venv") in done.stdout


def test_a_python_without_ensurepip_and_pip_is_named_with_the_remedy(machine: Machine) -> None:
    machine.put("python3", f'#!/bin/sh\n[ "$1" = -m ] && exit 1\nexec "{real_python()}" "$@"\n')
    done = machine.source("create_environment")
    assert done.returncode == 1
    assert f"{machine.programs / 'python3'} has neither ensurepip nor pip" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (machine.checkout / ".venv").exists()


@pytest.mark.slow
def test_the_environment_of_somebody_else_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    subprocess.run([real_python(), "-m", "venv", "--without-pip", str(foreign)], check=True)
    before = sorted(path.relative_to(foreign) for path in foreign.rglob("*"))
    path = os.pathsep.join([str(foreign / "bin"), str(machine.programs)])
    done = machine.source(
        'create_environment; "$BIN/python" -c "import sys; print(sys.prefix, sys.base_prefix)"',
        PATH=path,
        VIRTUAL_ENV=str(foreign),
        PYTHONPATH=str(foreign),
    )
    assert done.returncode == 0, done.stderr
    assert str(machine.checkout / ".venv") in done.stdout
    assert str(foreign) not in done.stdout
    assert sorted(path.relative_to(foreign) for path in foreign.rglob("*")) == before


def test_a_python_that_was_named_is_the_only_one_asked(machine: Machine) -> None:
    machine.put("python3", f'#!/bin/sh\nexec "{real_python()}" "$@"\n')
    done = machine.source("candidates", ORCH_PYTHON="chosen/python")
    assert done.stdout == "chosen/python\n"


@pytest.mark.parametrize("script", ["test", "check"])
def test_the_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / "scripts" / script, os.X_OK)


def test_check_refuses_an_argument_that_it_does_not_know() -> None:
    done = subprocess.run([ROOT / "scripts" / "check", "--fixx"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "usage: scripts/check [--fix]\n")
