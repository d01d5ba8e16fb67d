"""The steps by which a scripted agent ends, well or badly, or does not end: final events, limits, signals, hanging."""

from __future__ import annotations

import os
import signal
import time

from orchestration.scripted.stage import Stage, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

FAILED = 1
LONGEST_SLEEP = 3_600.0  # seconds; a hang sleeps so long again and again
GOOD_ANSWER = "Done."


def final(  # the fields of the step
    stage: Stage, verdict: str, text: str | None, error: str | None, kind: str | None, turns: int | None
) -> None:
    """Tell how it came out; a failed one makes the exit code 1, unless the script says another."""
    answer = stage.answer if text is None else stage.filled(text)
    if verdict == "good" and error is None and kind is None:
        _result(stage, turns, ok=True, text=GOOD_ANSWER if answer is None else answer)
        stage.code = 0
        return
    message = error or answer or "it failed"
    _result(
        stage, turns, ok=False, text=answer or "", error={"kind": kind or "other", "message": stage.filled(message)}
    )
    stage.code = FAILED


def _result(stage: Stage, turns: int | None = None, **fields: Any) -> None:  # noqa: ANN401  # any JSON
    if stage.denials:
        fields["denials"] = stage.denials
    stage.tell("result", session=stage.session, turns=stage.turns if turns is None else turns, **fields)


def rate_limit(stage: Stage, reset: float | str | None, form: str, hidden: bool, message: str) -> None:  # noqa: FBT001
    """Run into a limit: told as an error, or hidden in a final event that is good."""
    limit = {"message": message, **_reset(reset, form)}
    if hidden:
        _result(stage, ok=True, text=message, limit=limit)
        return
    stage.tell("error", error={"kind": "rate_limited", **limit})
    _result(stage, ok=False, text="", error={"kind": "rate_limited", **limit})
    stage.code = FAILED


def _reset(reset: float | str | None, form: str) -> dict[str, Any]:
    """When the limit ends, in the form that was asked for."""
    if reset is None:
        return {}
    if isinstance(reset, str):
        return {"resets_at": reset}
    if form == "seconds":
        return {"retry_after": reset}
    moment = time.time() + reset
    if form == "epoch":
        return {"resets_at_epoch": round(moment, 3)}
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return {"resets_at": f"{whole}.{int(moment % 1 * 1000):03}Z"}


def quota(stage: Stage, path: str, requests: int, window: float) -> None:
    """Make one request of an account that several agents share; over its limit, run into it and end.

    The account is a file with one line for each request: its time, and whether it was granted. At most `requests` are
    granted within `window` seconds; the reset that is told is when the oldest of them falls out of it.
    """
    import fcntl  # noqa: PLC0415  # for this step only

    target = stage.filled(path)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with open(target, "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        now = time.time()
        times = [float(line.split()[0]) for line in file if line.split()[1:2] == ["granted"]]
        recent = sorted(at for at in times if at > now - window)
        granted = len(recent) < requests
        file.write(f"{now:.6f} {'granted' if granted else 'refused'}\n")
    if not granted:
        left = max(0.0, recent[-requests] + window - now)
        rate_limit(stage, round(left + 0.001, 3), "seconds", hidden=False, message="The account has spent its quota.")
        raise Stop


def refuse(stage: Stage, tool: str, reason: str) -> None:
    """Not be allowed to use a tool."""
    stage.turns += 1
    denial = {"tool": tool, "reason": reason}
    stage.denials.append(denial)
    stage.tell("denied", what=f"{tool}: {reason}", **denial)


def end(stage: Stage, code: int) -> None:  # noqa: ARG001  # every step is given the stage
    """End with this exit code."""
    raise Stop(code)


def crash(stage: Stage, signal: str) -> None:  # noqa: ARG001  # every step is given the stage
    """End by a signal, without a core file."""
    die_by(number_of(signal))


def number_of(name: str) -> int:
    """The number of a signal."""
    return int(getattr(signal, f"SIG{name}"))


def die_by(number: int) -> None:
    """End this process by a signal, whatever was to become of it."""
    import resource  # noqa: PLC0415  # for this step only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    time.sleep(LONGEST_SLEEP)  # until it arrives


def hang(stage: Stage, every: float | None, text: str) -> None:
    """Never come to an end; mute, or telling something every so many seconds."""
    while True:
        if every is None:
            time.sleep(LONGEST_SLEEP)
        else:
            stage.tell("text", text=text)
            time.sleep(max(every, 0.001))


def on_term(stage: Stage, does: str, code: int, after: float) -> None:  # noqa: ARG001  # every step is given the stage
    """From here on ignore TERM, or answer it, `after` seconds later, by ending with this exit code."""
    if does == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return

    def leave(_number: int, _frame: FrameType | None) -> None:
        if after:
            time.sleep(after)
        os._exit(code)

    signal.signal(signal.SIGTERM, leave)


ENDING: Mapping[str, Callable[..., None]] = {
    "final": final,
    "rate_limit": rate_limit,
    "quota": quota,
    "refuse": refuse,
    "exit": end,
    "crash": crash,
    "hang": hang,
    "on_term": on_term,
}
"""Each of these steps by its word."""
