"""Records what the real agents print, as fixtures for the adapters' tests.

Run by hand, with the agents installed or npm and pip there to install them:

    python -m tests.agents.record [--agent NAME] [--case NAME]

Each case becomes `transcripts/<agent>/<case>/{stdout.log,stderr.log,meta.json}`, scrubbed of all that belongs to this
machine or to this hour. One agent runs at a time, each ends in bounded time, and whatever it leaves behind is ended
too: this program is the reaper of all that it starts.
"""

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.agents import hermetic, programs
from tests.agents.cases import BEGUN, CASES, Case, environment_of, words_of
from tests.agents.scrubbing import Scrubber, session_in
from tests.agents.stub_model import StubModel

HERE = Path(__file__).with_name("transcripts")
PROMPT = "Write the file hello.txt with the line: hello\n"
GRACE = 5.0
LOOK = 0.05  # seconds between two looks at whether the case is where it should be
INTO = 1.0  # seconds from there into the middle of the answer, or of the tool's work
MAX_LOG = 40_000  # of one stream; a fixture that needs more shows nothing more
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    ended_by: str
    seconds: float
    stdout: bytes
    stderr: bytes


def record(name: str, case: Case) -> str:
    """Run one case and write it down; what came of it, in a line."""
    program = programs.install(name)
    with tempfile.TemporaryDirectory(prefix="orch-record-") as folder, StubModel() as model:
        place = Path(folder)
        work = place / "work"
        work.mkdir()
        (place / "prompt.md").write_text(PROMPT, encoding="utf-8")
        subprocess.run(["git", "init", "--quiet"], cwd=work, check=True)
        world = hermetic.build(name, place / "home", model.url(*case.steps))
        scrubber = Scrubber(place, model.port)
        began = datetime.now(UTC)
        environment = {**world.environment, **environment_of(name, case.start)}
        if case.without_key:
            environment = {key: value for key, value in environment.items() if not key.endswith("API_KEY")}
        words = [*program.argv, *words_of(name, case, str(work))]
        if case.resumes:
            session = _first_session(words, environment, model, work)
            case = replace(case, start=replace(case.start, session=session))
            words = [*program.argv, *words_of(name, case, str(work))]
        ended = _run(words, environment, case, model, work)
        meta = {
            "agent": name,
            "version": program.version,
            "case": case.name,
            "argv": [name, *words[len(program.argv) :]],
            "environment": sorted(set(environment) - set(hermetic.plain_environment(place))),
            "permission": case.start.permission,
            "own_retries": case.start.own_retries,
            "session": case.start.session,
            "model": [request.step for request in model.requests()][:40],
            "requests": len(model.requests()),
            "exit_code": ended.code if ended.code >= 0 else None,
            "signal": signal.Signals(-ended.code).name if ended.code < 0 else None,
            "ended_by": ended.ended_by,
            "sent": case.stop.name if case.stop else None,
            "seconds": ended.seconds,
            "began": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "files": sorted(path.name for path in work.iterdir() if not path.name.startswith(".")),
        }
        _write(HERE / name / case.name, scrubber, ended, meta)
    end = meta["signal"] or meta["exit_code"]
    return f"{name}/{case.name}: {end} ({ended.ended_by}) after {ended.seconds} s, {meta['requests']} requests"


def _first_session(words: list[str], environment: dict[str, str], model: StubModel, work: Path) -> str:
    """Run a session to its end, to be resumed: it takes the first step of the scenario."""
    ended = _run(words, environment, Case("first", ()), model, work)
    session = session_in(ended.stdout)
    if session is None:
        raise RuntimeError(f"no session was named: {ended.stdout[-500:]!r} {ended.stderr[-500:]!r}")
    return session


def _run(words: list[str], environment: dict[str, str], case: Case, model: StubModel, work: Path) -> Ended:
    """Start the agent, end it when the case says so, and sweep what it left."""
    asked_before = len(model.requests())
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as said:
        said.write(PROMPT.encode())
        said.seek(0)
        child = subprocess.Popen(
            words, cwd=work, env=environment, stdin=said, stdout=out, stderr=err, start_new_session=True
        )
        ended_by = _wait(child, case, began, lambda: len(model.requests()) > asked_before, work)
        seconds = round(time.monotonic() - began, 2)
        _sweep()
        out.seek(0)
        err.seek(0)
        return Ended(child.returncode, ended_by, seconds, out.read(MAX_LOG), err.read(MAX_LOG))


def _wait(child: subprocess.Popen[bytes], case: Case, began: float, asked: Callable[[], bool], work: Path) -> str:
    """Wait for the end, and bring it about where the case wants it; which limit did, if one did."""
    ended_by, sent = "itself", False
    while child.poll() is None:
        passed = time.monotonic() - began
        ready = (work / BEGUN).exists() if case.in_tool else asked()
        if passed > case.seconds + GRACE:
            child.kill()
        elif passed > case.seconds and ended_by == "itself":
            ended_by = case.limit
            child.terminate()
        elif case.stop and ready and not sent:
            time.sleep(INTO)
            sent = True
            child.send_signal(case.stop)
        time.sleep(LOOK)
    return ended_by


def _sweep() -> None:
    """End what the agent left: all of it has become a child of this program."""
    while True:
        listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii")
        left = [int(pid) for pid in listed.split()]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _write(folder: Path, scrubber: Scrubber, ended: Ended, meta: dict[str, object]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stdout = scrubber.scrub(ended.stdout)
    (folder / "stdout.log").write_bytes(stdout)
    (folder / "stderr.log").write_bytes(scrubber.scrub(ended.stderr))
    told = json.dumps(meta, indent=1).encode() + b"\n"
    (folder / "meta.json").write_bytes(scrubber.scrub(told))


def main() -> int:
    """Record what the command line names, or everything."""
    parser = argparse.ArgumentParser(description="records what the real agents print")
    parser.add_argument("--agent", action="append", choices=programs.NAMES)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES])
    chosen = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0):
        sys.stderr.write("this system has no subreapers: agents might leave processes behind\n")
        return 1
    for name in chosen.agent or programs.NAMES:
        for case in CASES:
            if name in case.agents and case.name in (chosen.case or [case.name]):
                sys.stdout.write(record(name, case) + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
