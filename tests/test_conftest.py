"""The net under all tests: that a process left behind would be seen."""

import os
import subprocess
import sys

import pytest

from tests.conftest import describe, living_children

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are listed by Linux only")


def test_a_child_is_seen_as_long_as_it_lives() -> None:
    program = [sys.executable, "-c", "print(flush=True); input('')"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()  # a process that is just becoming another program has no command line for a moment
        assert child.pid in living_children()
        assert "input('')" in describe(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in living_children()  # dead, and not yet reaped


def test_the_surroundings_of_the_caller_are_not_seen() -> None:
    assert not {"CI", "NO_COLOR", "GIT_DIR", "ORCH_PYTHON"} & os.environ.keys()
