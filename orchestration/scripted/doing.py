"""The steps by which a scripted agent does something: files, commands, waiting, its prompt, its session, its usage."""

from __future__ import annotations

import os
import signal
import sys
import time

from orchestration.scripted.stage import READ_AT_ONCE, STDERR, STDIN, Stage, Stop, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TOOL_OUTPUT = 20_000  # characters of a command's output that its event repeats: the last ones
LOOK_EVERY = 0.01  # seconds between two looks for a file
NOT_MET = 70  # exit code of a script that waited for a file in vain
FIRST_MOMENT = 0.1  # seconds between two reads of a slow reader


def wait(stage: Stage, seconds: float) -> None:  # noqa: ARG001  # every step is given the stage
    """Do nothing for a time."""
    time.sleep(seconds)


def wait_for(stage: Stage, path: str, count: int, timeout: float) -> None:
    """Wait until so many files have such a name (`*` stands for anything); in vain, the script ends."""
    from glob import glob  # noqa: PLC0415  # imports more than all other steps need

    pattern = stage.filled(path)
    deadline = time.monotonic() + timeout
    while len(glob(pattern)) < count:  # pathlib takes longer to import than the script to play
        if time.monotonic() > deadline:
            write(STDERR, f"waited {timeout:g} s for {pattern} in vain\n".encode())
            raise Stop(NOT_MET)
        time.sleep(LOOK_EVERY)


def write_file(stage: Stage, path: str, content: str) -> None:
    """Write a file, with its folders."""
    _written(stage, path, content, "w")


def append(stage: Stage, path: str, content: str) -> None:
    """Write at the end of a file."""
    _written(stage, path, content, "a")


def _written(stage: Stage, path: str, content: str, mode: str) -> None:
    target = stage.filled(path)
    folder = os.path.dirname(target)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(target, mode, encoding="utf-8", newline="") as file:
        file.write(stage.filled(content))
    stage.turns += 1
    stage.tell("tool", name="write", input={"path": target}, ok=True)


def run(stage: Stage, command: str, session: bool, timeout: float) -> None:  # noqa: FBT001  # a field of the step
    """Run a command by a shell, in a session of its own as agents do, and tell what it printed."""
    import subprocess  # noqa: PLC0415  # costs as much as everything else here together

    stage.turns += 1
    stage.tell("tool_started", name="shell", input={"command": command})
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=session,
    ) as child:
        try:
            printed, _ = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(child.pid, group=session)
            printed, _ = child.communicate()
    text = printed.decode(errors="replace")[-MAX_TOOL_OUTPUT:]
    code = child.returncode
    stage.tell("tool", name="shell", input={"command": command}, ok=code == 0, exit_code=code, output=text)


def _end(pid: int, *, group: bool) -> None:
    (os.killpg if group else os.kill)(pid, signal.SIGKILL)


def usage(stage: Stage, **counts: float | None) -> None:
    """Tell what a request to the model used; a cost only where there is one."""
    stage.tell("usage", usage={name: count for name, count in counts.items() if count is not None})


def model(stage: Stage, name: str) -> None:
    """Be this model from here on."""
    stage.model = name
    stage.name_again()


def session(stage: Stage, id: str) -> None:  # the field is called so in scripts
    """Be in this session from here on, resumed or not."""
    stage.session = stage.filled(id)
    stage.name_again()


def forget(stage: Stage) -> None:
    """Be in a new session, whatever was to be resumed."""
    stage.session = f"{stage.session}-forgotten-{stage.attempt}"
    stage.name_again()


def stdin(stage: Stage, how: str, rate: int) -> None:
    """Read the prompt slowly (`rate` bytes a second), not at all, or close the way by which it comes."""
    if how == "close":
        os.close(STDIN)
    elif how == "slow":
        parts, share = [], max(1, min(READ_AT_ONCE, int(rate * FIRST_MOMENT)))
        while part := os.read(STDIN, share):
            parts.append(part)
            time.sleep(len(part) / rate)
        stage.prompt = b"".join(parts)


def save_prompt(stage: Stage, path: str) -> None:
    """Write the prompt that came to a file, byte by byte as it was."""
    target = stage.filled(path)
    folder = os.path.dirname(target)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(target, "wb") as file:
        file.write(stage.prompt)


def lifetime(stage: Stage, seconds: float) -> None:  # noqa: ARG001  # every step is given the stage
    """End by SIGALRM after so many seconds from now, whatever happens."""
    if seconds:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        sys.exit("a lifetime of 0 s is over")


DOING: Mapping[str, Callable[..., None]] = {
    "wait": wait,
    "wait_for": wait_for,
    "write": write_file,
    "append": append,
    "run": run,
    "usage": usage,
    "model": model,
    "session": session,
    "forget": forget,
    "stdin": stdin,
    "save_prompt": save_prompt,
    "lifetime": lifetime,
}
"""Each of these steps by its word."""
