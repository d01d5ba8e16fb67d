"""The program: `python -m orchestration.scripted --script FILE [--session ID] [--model NAME] <prompt`.

`--script` names a JSON file, or is the JSON itself: a list of steps, or `{"script": […], "seed": 0}`; `--seed NUMBER`
wins over that. `--tricks` lists the scripts that have a name, `--trick NAME` plays one, `--version` says which version
this is. Wrong options and wrong scripts end with exit code 2 before anything is played, and their message says where
the mistake is.

Edges survived: nobody reads what it writes any more (it ends as programs do then), no script at all, one that is
started by hand without anything around it.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from orchestration.scripted.choosing import chosen
from orchestration.scripted.leaving import LOADED
from orchestration.scripted.playing import play
from orchestration.scripted.reading import BadScript, read
from orchestration.scripted.stage import STDERR, STDOUT, Stage, write
from orchestration.scripted.steps import LIFETIME
from orchestration.scripted.tricks import TRICKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VERSION = "1.0.0"
"""Of the protocol that the program speaks, not of the package."""

USAGE = 2
MODEL = "scripted-1"
VALUES = frozenset({"--script", "--trick", "--seed", "--session", "--model"})
FLAGS = frozenset({"--tricks", "--version", LOADED})


class BadUsage(Exception):  # as the errors of the whole project are called
    """The program was started with options that make no sense."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Play, and end the process."""
    try:
        options = _options(sys.argv[1:] if arguments is None else arguments)
        if "--version" in options:
            write(STDOUT, f"scripted-agent {VERSION}\n".encode())
            code = 0
        elif "--tricks" in options:
            write(STDOUT, "".join(f"{name}\n" for name in TRICKS).encode())
            code = 0
        else:
            code = _play(options)
    except (BadUsage, BadScript) as error:
        write(STDERR, f"scripted agent: {error}\n".encode(errors="replace"))
        code = USAGE
    except BrokenPipeError:  # as a program that was written in C would end
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
        code = 1
    os._exit(code)  # nothing is in a buffer, and nothing needs to be tidied up


def _options(arguments: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    waiting = list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name in FLAGS and not equals:
            options[name] = ""
        elif name not in VALUES:
            raise BadUsage(f"there is no option {name!r}; known: {', '.join(sorted((VALUES | FLAGS) - {LOADED}))}")
        elif equals or waiting:
            options[name] = value if equals else waiting.pop(0)
        else:
            raise BadUsage(f"{name} needs a value")
    return options


def _play(options: dict[str, str]) -> int:
    script, given = _script(options)
    seed = options.get("--seed", given)
    steps = read(script)
    signal.setitimer(signal.ITIMER_REAL, LIFETIME)
    environment = dict(os.environ)
    session = _session_of(f"{seed}/{environment.get('ORCH_ATTEMPT_ID', os.getpid())}")
    resumed = options.get("--session") or None
    stage = Stage(environment, session, resumed, options.get("--model") or MODEL)
    return play(stage, chosen(steps, stage.task, stage.attempt, seed), loaded=LOADED in options)


def _script(options: dict[str, str]) -> tuple[Any, str]:
    """The script and the seed."""
    if "--trick" in options:
        return [{"trick": options["--trick"]}], "0"
    given = options.get("--script")
    if given is None:
        raise BadUsage("say what to play: --script FILE, or --trick NAME")
    text = given if given.lstrip()[:1] in {"[", "{"} else _text_of(given)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadUsage(f"the script is no JSON: {error}") from None
    if isinstance(document, dict) and "script" in document:
        if unknown := document.keys() - {"script", "seed"}:
            raise BadUsage(f"a document has `script` and `seed`, and no {min(unknown)!r}")
        return document["script"], str(document.get("seed", 0))
    return document, "0"


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage(f"the script {path} cannot be read: {error}") from None


def _session_of(of: str) -> str:
    from zlib import crc32  # noqa: PLC0415  # named where it is needed

    return f"scripted-{crc32(of.encode(errors='replace')):08x}"


if __name__ == "__main__":
    main()
