"""The real agent programs: where they live, and how they get there.

Each is installed once, in the pinned version, into a folder outside the checkout (`ORCH_AGENTS_CACHE`, else
`orch-agents` in the user's cache folder), by the ordinary clients npm and pip with whatever registry those are set to.
No script of a package is run, and what npm fetches must have the integrity that `versions.toml` names.

What this survives: an installation that was cut short (a mark is written last; without it everything is done again),
two at once (a lock that also the installer itself holds, should we be killed before it), an older version beside a
newer one, a missing npm, a missing network, a platform without a package, and a Python that aider cannot use.
"""

import contextlib
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("codex", "claude-code", "opencode", "aider")
QUICK = ("codex", "claude-code")  # those that every run of the tests installs when it can

INSTALL_SECONDS = 900.0  # aider brings 700 MB along; more than this is a network that will not do it
VERSION_SECONDS = 60.0
MARK = ".complete"
TAIL = 12  # lines of an installer's complaint that are shown

_TRACE = re.compile(r"npm error\s+at |npm error\s*$")  # where in npm it happened is nobody's business
_VERSIONS = Path(__file__).with_name("versions.toml")


class CannotInstall(Exception):
    """The program is not there and cannot be brought; the text says why, for a person and for a skipped test."""


@dataclass(frozen=True, slots=True)
class Program:
    """An installed agent: the words that start it, and the version that it says it has."""

    name: str
    version: str
    argv: tuple[str, ...]
    folder: Path


def cache_folder() -> Path:
    """Where the programs are kept; not made by asking."""
    named = os.environ.get("ORCH_AGENTS_CACHE")
    if named:
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).absolute() / "orch-agents"


def find(name: str) -> Program | None:
    """The installed program, or None when it has not been installed (wholly)."""
    program = _wanted(name)
    return program if (program.folder / MARK).is_file() else None


def install(name: str) -> Program:
    """Bring the program unless it is there.

    Raises:
        CannotInstall: It could not be brought; the text says why.
    """
    program = _wanted(name)
    with _locked(program.folder.with_name(program.folder.name + ".lock")) as lock:
        if (program.folder / MARK).is_file():
            return program
        shutil.rmtree(program.folder, ignore_errors=True)
        program.folder.mkdir(parents=True)
        pinned = _pinned(name)
        if "npm" in pinned:
            _install_by_npm(program, pinned["npm"][_platform()], lock)
        else:
            _install_by_pip(program, pinned["pip"], lock)
        _check_version(program)
        (program.folder / MARK).write_text(program.version + "\n", encoding="utf-8")
    return program


def why_missing(name: str) -> str:
    """Why a test of this agent cannot run here, in one line."""
    try:
        _wanted(name)
    except CannotInstall as reason:
        return str(reason)
    return f"{name} is not installed for the tests: scripts/agents install {name}"


def _pinned(name: str) -> dict[str, Any]:
    everything = tomllib.loads(_VERSIONS.read_text(encoding="utf-8"))
    if name not in everything:
        raise CannotInstall(f"no agent {name!r}; there are {', '.join(everything)}")
    pinned: dict[str, Any] = everything[name]
    return pinned


def _platform() -> str:
    system = platform.system().lower()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    libc = "" if system != "linux" or platform.libc_ver()[0] == "glibc" else "-musl"
    return f"{system}-{machine}{libc}"


def _wanted(name: str) -> Program:
    """The program as it is, or would be once installed."""
    pinned, here = _pinned(name), _platform()
    folder = cache_folder() / f"{name}-{pinned['version']}-{here}"
    if "pip" in pinned:
        start = folder / "venv" / "bin" / pinned["pip"]["program"]
    elif here in pinned["npm"]:
        package = pinned["npm"][here]
        start = folder / "node_modules" / package["package"] / package["program"]
    else:
        raise CannotInstall(f"{name} {pinned['version']}: no package is pinned for {here}")
    return Program(name, pinned["version"], (str(start),), folder)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotInstall(f"the folder for agents cannot be written: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _install_by_npm(program: Program, package: dict[str, str], lock: int) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall(f"npm is not on PATH, so {program.name} cannot be installed")
    name, version = package["package"], package["version"]
    manifest = {"name": "agent", "version": "0.0.0", "private": True, "dependencies": {name: version}}
    locked = {"version": version, "integrity": package["integrity"]}
    packages = {"": manifest, f"node_modules/{name}": locked}
    locks = {"name": "agent", "version": "0.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (program.folder / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    (program.folder / "package-lock.json").write_text(json.dumps(locks), encoding="utf-8")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    hasty = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000")
    _run(program, [npm, "ci", *quiet, *hasty], lock)


def _install_by_pip(program: Program, package: dict[str, Any], lock: int) -> None:
    python = _python_between(tuple(package["oldest"]), tuple(package["newest"]))
    if python is None:
        raise CannotInstall(f"no Python from {package['oldest']} to {package['newest']} found for {program.name}")
    venv = program.folder / "venv"
    _run(program, [python, "-m", "venv", str(venv)], lock)
    wanted = f"{package['package']}=={program.version}"
    _run(program, [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", wanted], lock)


def _python_between(oldest: tuple[int, int], newest: tuple[int, int]) -> str | None:
    """An interpreter that runs (a name on PATH may be a shim that does not) and that is neither too old nor too new."""
    minors = range(newest[1], oldest[1] - 1, -1)
    names = [sys.executable, "python3", *(f"python{newest[0]}.{minor}" for minor in minors)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for minor in minors for path in sorted(pyenv.glob(f"{newest[0]}.{minor}.*/bin/python3"))]
    for name in [*names, *found]:
        asked = [name, "-c", "import sys, ensurepip; print(sys.version_info[0], sys.version_info[1])"]
        try:
            answer = subprocess.run(asked, capture_output=True, text=True, timeout=VERSION_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        major, minor = (int(word) for word in answer.stdout.split())
        if oldest <= (major, minor) <= newest:
            return name
    return None


def _run(program: Program, words: list[str], lock: int) -> None:
    """Run an installer; it holds the lock too, so that nobody begins again while a forgotten one still writes."""
    try:
        ended = subprocess.run(
            words,
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
            pass_fds=(lock,),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"{program.name} {program.version} could not be installed: {error}") from error
    if ended.returncode:
        lines = [line for line in ended.stdout.strip().splitlines() if not _TRACE.match(line)]
        said = "\n".join(lines[-TAIL:])
        raise CannotInstall(f"{program.name} {program.version} could not be installed:\n{said}")


def _check_version(program: Program) -> None:
    """Start it once: a program for another machine is better found here than in every test."""
    with tempfile.TemporaryDirectory(prefix="orch-agent-") as home:
        try:
            asked = subprocess.run(
                [*program.argv, "--version"],
                cwd=home,
                env={"PATH": os.defpath, "HOME": home, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=VERSION_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotInstall(f"{program.name} was installed, but does not start: {error}") from error
    if program.version not in asked.stdout:
        said = (asked.stdout + asked.stderr).strip()
        raise CannotInstall(f"{program.name} was installed, but is not {program.version}: {said[-400:]}")
