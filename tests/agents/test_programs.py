"""How the agents are brought: once, by npm as it is set up here, never half, and with a reason where it fails."""

import os
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.agents import programs

ROOT = Path(__file__).resolve().parents[2]

# An npm that makes the program that the package would bring; it says what it does, and can be told to be slow.
NPM = """\
import json, os, pathlib, sys, time
assert sys.argv[1] == "ci" and "--ignore-scripts" in sys.argv
locked = json.loads(pathlib.Path("package-lock.json").read_text())["packages"]
(place, package), = [(place, package) for place, package in locked.items() if place]
assert package["integrity"].startswith("sha512-")
with open(os.environ["NPM_LOG"], "a") as log:
    log.write(package["version"] + "\\n")
if os.environ.get("NPM_FAILS"):
    sys.exit("npm error the network is down")
if os.environ.get("NPM_HANGS"):
    time.sleep(60)
program = pathlib.Path(place, os.environ["NPM_PROGRAM"])
program.parent.mkdir(parents=True)
program.write_text("#!/bin/sh\\necho codex-cli 0.169.0\\n")
program.chmod(0o755)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and the npm above."""
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    script = npm.with_suffix(".py")
    script.write_text(NPM)
    npm.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(script)])} "$@"\n')  # paths may hold spaces
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NPM_LOG", str(tmp_path / "npm.log"))
    monkeypatch.setenv("ORCH_AGENTS_CACHE", str(tmp_path / "cache"))
    try:
        start = Path(programs._wanted("codex").argv[0])  # noqa: SLF001 (where the fake npm has to put it)
    except programs.CannotInstall as reason:
        pytest.skip(str(reason))
    package = next(parent for parent in start.parents if parent.parent.name == "@openai")
    monkeypatch.setenv("NPM_PROGRAM", str(start.relative_to(package)))
    return tmp_path / "cache"


def calls(cache: Path) -> int:
    """How often npm was asked."""
    log = cache.with_name("npm.log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def installing() -> list[str]:
    """The command that installs codex in another process."""
    code = "from tests.agents import programs; print(programs.install('codex').version)"
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_an_agent_is_brought_once_and_then_found(cache: Path) -> None:
    assert programs.find("codex") is None
    assert "scripts/agents install codex" in programs.why_missing("codex")
    first = programs.install("codex")
    assert programs.find("codex") == first == programs.install("codex")
    assert first.version == "0.169.0"
    assert calls(cache) == 1


def test_a_missing_network_is_a_reason_and_leaves_nothing_that_counts(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPM_FAILS", "1")
    with pytest.raises(programs.CannotInstall, match="the network is down"):
        programs.install("codex")
    assert programs.find("codex") is None
    monkeypatch.delenv("NPM_FAILS")
    assert programs.install("codex") == programs.find("codex")
    assert calls(cache) == 2


def test_a_missing_npm_is_a_reason(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(programs.CannotInstall, match="npm is not on PATH"):
        programs.install("codex")


def test_an_agent_that_is_not_known_is_a_reason() -> None:
    with pytest.raises(programs.CannotInstall, match="there are codex, claude-code, opencode, aider"):
        programs.install("codec")


@pytest.mark.slow
def test_two_at_once_bring_it_once(cache: Path) -> None:
    both = [subprocess.Popen(installing(), cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in both] == ["0.169.0", "0.169.0"]
    assert calls(cache) == 1


@pytest.mark.slow
def test_an_installation_that_was_killed_is_done_again_once_its_npm_has_gone_too(cache: Path) -> None:
    hanging = {**os.environ, "NPM_HANGS": "1"}
    process = subprocess.Popen(installing(), cwd=ROOT, env=hanging, start_new_session=True)
    while calls(cache) == 0:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    assert programs.find("codex") is None
    assert programs.install("codex").version == "0.169.0"
    assert calls(cache) == 2
