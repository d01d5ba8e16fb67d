"""Which lines are started directly, and that nobody could tell: the answer is what `sh -c` would have done."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.process.command_line import ANSWERED_BY_SHELLS, command_line


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("make test", ("make", "test")),
        ("  make \t -j4  test\n", ("make", "-j4", "test")),
        ("./run.sh --max=3 CC=gcc a:b,c@d +%Y-%m", ("./run.sh", "--max=3", "CC=gcc", "a:b,c@d", "+%Y-%m")),
        ("/bin/true", ("/bin/true",)),
        ("", ()),
        (" \t\n", ()),
    ],
)
def test_a_line_that_no_shell_would_change_is_its_words(line: str, argv: tuple[str, ...]) -> None:
    assert command_line(line) == argv


@pytest.mark.parametrize(
    "line",
    [
        *(f"cat a{sign}b" for sign in "|&;<>()$`\\\"'*?[]#~!{}^\n\r\0\x0b"),
        *(f"{word} x" for word in sorted(ANSWERED_BY_SHELLS)),
        "A=1 env",
        "A+=1 env",
        "%1",
        "[ -f x ]",
        "# a remark",
        "~/run",
        "cat ä",
        "cat a\u00a0b",
        "make\ntest",
    ],
)
def test_a_line_that_some_shell_could_change_is_given_to_the_shell(line: str) -> None:
    assert command_line(line) == ("sh", "-c", line)


@pytest.mark.parametrize("line", ["-x 'a'", "+x 'a'"])
def test_a_line_is_never_an_option_of_the_shell(line: str) -> None:
    assert command_line(line) == ("sh", "-c", f" {line}")
    assert subprocess.run(command_line(line), capture_output=True, check=False).returncode == 127


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    arguments=st.text("ab0ZÄ _@%+=:,./-\t\n", max_size=20) | st.text(st.characters(max_codepoint=126), max_size=6),
    command=st.sampled_from(["show", "./show", "show -n", "show A=1", "a=b", "%", "nothing"]),
)
def test_a_direct_start_does_what_the_shell_would_do(tmp_path: Path, arguments: str, command: str) -> None:
    show = tmp_path / "show"
    if not show.exists():
        show.write_text("#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\n")
        show.chmod(0o700)
    line = f"{command} {arguments}"
    argv = command_line(line)
    if not argv or argv[0] == "sh":
        return
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"}
    by_shell = subprocess.run(("sh", "-c", line), cwd=tmp_path, env=environment, capture_output=True, check=False)
    try:
        direct = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, check=False)
    except FileNotFoundError:
        assert by_shell.returncode == 127
    else:
        assert (direct.stdout, direct.returncode) == (by_shell.stdout, by_shell.returncode)
