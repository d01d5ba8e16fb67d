"""An agent program that nobody has seen: tests copy this file into a folder of its own and start it as `magpie`.

It talks like no agent that ships: names with dots, what it used in a file only (counted over the whole session, and
renewed while it works), exit code 0 when it is ended by TERM, and a loader in front of the real program. What its model
"says" stands in a play: `$MAGPIE_HOME/plays/NAME.json`, a list with the moves of each start; the prompt names the play.
It never lives longer than half a minute.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Final

LIFE: Final = 30
MEGABYTE: Final = 1 << 20


class Magpie:
    """One start of the program."""

    def __init__(self, home: Path, ledger: Path, session: str | None) -> None:
        self.home, self.ledger = home, ledger
        self.session = session or f"m-{uuid.uuid4().hex[:12]}"
        self.totals: dict[str, Any] = {"prompt": 0, "completion": 0, "cache.hits": 0, "usd": 0.0}

    def open(self, *, goes_on: bool) -> None:
        """Begin, or go on with, a session."""
        kept = self.home / "sessions" / f"{self.session}.json"
        if goes_on:
            if not kept.exists():
                self.close("broken", {"code": 404, "text": f"no such session: {self.session}"})
                sys.exit(3)
            self.totals = json.loads(kept.read_text(encoding="utf-8"))
        self.say("session.opened", **{"session.id": self.session, "model": {"model.name": "magpie-1"}})

    def say(self, event: str, **fields: Any) -> None:  # noqa: ANN401  # any JSON
        """Print an event."""
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()

    def close(self, state: str, cause: dict[str, Any] | None = None) -> None:
        """Print the final event."""
        self.say("run.closed", **{"run.state": state, **({"cause": cause} if cause else {})})

    def spend(self, prompt: int, completion: int) -> None:
        """A request to the model: the file tells what the whole session used, and is whole at any moment."""
        self.totals["prompt"] += prompt
        self.totals["cache.hits"] += prompt // 2
        self.totals["completion"] += completion
        self.totals["usd"] = round(self.totals["usd"] + 0.01, 4)
        kept = self.home / "sessions" / f"{self.session}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(self.totals), encoding="utf-8")
        new = self.ledger.with_suffix(".new")
        new.write_text(json.dumps({"totals.by.session": {self.session: self.totals}}), encoding="utf-8")
        new.replace(self.ledger)

    # -- moves --------------------------------------------------------------------------------------------------

    def play(self, moves: list[dict[str, Any]]) -> None:
        """Do what the play says."""
        for move in moves:
            for name, value in move.items():
                getattr(self, f"do_{name}")(value)

    def do_say(self, text: str) -> None:
        """A request whose answer is text."""
        self.spend(1000, 50)
        self.say("turn.text.done", text=text)
        self.say("turn.step.finished", **{"step.id": uuid.uuid4().hex})

    def do_tool(self, command: str) -> None:
        """A tool, run in a session of its own, as some agents do to survive their terminal."""
        self.spend(500, 20)
        self.say("turn.tool.called", **{"tool.name": "sh", "tool": {"input.text": command}})
        subprocess.run(["sh", "-c", command], start_new_session=True, check=False)
        self.say("turn.tool.returned", **{"tool.name": "sh"})

    def do_daemon(self, seconds: int) -> None:
        """A tool that leaves a server behind, in a session of its own."""
        subprocess.Popen(["sleep", str(seconds)], start_new_session=True, stdin=subprocess.DEVNULL)

    def do_close(self, state: str) -> None:
        """The final event."""
        self.close(state)

    def do_limit(self, milliseconds: int) -> None:
        """A refusal of the model: 429; with a time when there is one."""
        when = {"retry.after.ms": milliseconds} if milliseconds else {}
        self.close("broken", {"code": 429, "text": "too many requests", **when})
        sys.exit(1)

    def do_refuse(self, code: int) -> None:
        """Another refusal of the model."""
        self.close("broken", {"code": code, "text": f"the model said {code}"})
        sys.exit(1)

    def do_raw(self, text: str) -> None:
        """Anything on standard output."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def do_flood(self, megabytes: int) -> None:
        """Many lines that are no events."""
        for _ in range(megabytes):
            self.do_raw(("x" * 1023 + "\n") * 1024)

    def do_overlong(self, megabytes: int) -> None:
        """One line that nobody reads."""
        self.do_raw('{"event": "turn.text.done", "text": "' + "x" * (megabytes * MEGABYTE) + '"}\n')

    def do_mute(self, _: object) -> None:
        """Close standard output, and go on."""
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def do_whisper(self, text: str) -> None:
        """Write to standard error."""
        sys.stderr.write(text)
        sys.stderr.flush()

    def do_forget(self, _: object) -> None:
        """Lose the session, as programs do when they are updated or tidied up."""
        (self.home / "sessions" / f"{self.session}.json").unlink()

    def do_touch(self, path: str) -> None:
        """Tell the test that it is here."""
        with Path(path).open("w", encoding="utf-8") as file:
            file.write("here\n")

    def do_rest(self, seconds: float) -> None:
        """Work for a while without a word."""
        time.sleep(seconds)

    def do_reopen(self, _: object) -> None:
        """Go on after the final event: what it left in the background has told it something."""
        self.open(goes_on=True)

    def do_hang(self, _: object) -> None:
        """Wait for nothing."""
        time.sleep(LIFE)

    def do_deaf(self, _: object) -> None:
        """Ignore TERM from now on."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def do_leave(self, code: int) -> None:
        """End without a word."""
        sys.stdout.flush()
        os._exit(code)

    def do_kill(self, number: int) -> None:
        """End by a signal of our own, as the machine's guard against want of memory does it."""
        sys.stdout.flush()
        os.kill(os.getpid(), number)


def moves_of(home: Path, prompt: str) -> list[dict[str, Any]]:
    """The moves of this start, by the play that the prompt names."""
    name = prompt.partition("play: ")[2].split()[0]
    plays = json.loads((home / "plays" / f"{name}.json").read_text(encoding="utf-8"))
    for number, moves in enumerate(plays):
        try:
            (home / "plays" / f"{name}.{number}").mkdir()
        except FileExistsError:
            continue
        return list(moves)
    return list(plays[-1])


def option(name: str) -> str | None:
    """The value of an option on the command line."""
    return next((word.partition("=")[2] for word in sys.argv[1:] if word.startswith(f"--{name}=")), None)


def load() -> None:
    """Start the real program: in our place, as a child that is waited for, or as one that is left alone."""
    words = [sys.executable, "-I", "-S", sys.argv[0], "--inner", *sys.argv[1:]]
    how = option("loader")
    if how == "exec":
        os.execv(sys.executable, words)  # noqa: S606  # which no shell would stay out of
    child = subprocess.Popen(words)
    os._exit(child.wait() if how == "child" else 0)


def main() -> None:
    """Be an agent."""
    if "--version" in sys.argv:
        print("magpie, a bird, release 4.2.1 (steal)")  # noqa: T201  # what it is for
        return
    if "--inner" not in sys.argv:
        load()
    signal.alarm(LIFE)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    home, given = Path(os.environ["MAGPIE_HOME"]), option("prompt")
    prompt = Path(given).read_text(encoding="utf-8") if given else sys.stdin.read()
    session = option("continue")
    magpie = Magpie(home, Path(os.environ["MAGPIE_LEDGER"]), session)
    moves = moves_of(home, prompt)
    if not (moves and "silent" in moves[0]):
        magpie.open(goes_on=session is not None)
    magpie.play([move for move in moves if "silent" not in move])


main()
