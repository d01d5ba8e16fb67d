"""The steps by which a scripted agent says something: events, noise, floods, broken lines, and secrets."""

from __future__ import annotations

import json
import time

from orchestration.scripted.stage import STDERR, STDOUT, Stage, as_line, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MEGABYTE = 1_000_000
BLOCK = 65_536  # bytes that are written at once in a flood: what a pipe takes
LAST_OF_ASCII = 0x7F
SPLIT_PAUSE = 0.03  # seconds between two writes that shall not be read as one


def say(stage: Stage, text: str) -> None:
    """Tell something, as a part of the answer."""
    stage.turns += 1
    stage.tell("text", text=stage.filled(text))


def think(stage: Stage, text: str) -> None:
    """Think aloud; no part of the answer."""
    stage.tell("think", text=stage.filled(text))


def event(stage: Stage, fields: Mapping[str, Any]) -> None:
    """Write any event."""
    write(STDOUT, stage.beginning() + as_line(fields))


def noise(stage: Stage, text: str, times: int) -> None:
    """Write lines that are no JSON."""
    _pour(STDOUT, (stage.filled(text).encode(errors="replace") + b"\n"), times)


def stderr(stage: Stage, text: str) -> None:
    """Write a line of diagnostics."""
    write(STDERR, stage.filled(text).encode(errors="replace") + b"\n")


def flood(stage: Stage, megabytes: float, to: str, form: str, line: int) -> None:
    """Write so much, in numbered lines of one length, whole lines only; without a pause."""
    descriptor = STDERR if to == "stderr" else STDOUT
    if form == "events":
        write(STDOUT, stage.beginning())
    count = max(1, int(megabytes * MEGABYTE) // line)
    block = bytearray()
    for number in range(count):
        block += _numbered(number, line) if form == "events" else _noisy(number, line)
        if len(block) >= BLOCK:
            write(descriptor, bytes(block))
            block.clear()
    write(descriptor, bytes(block))


def _numbered(number: int, size: int) -> bytes:
    start, end = b'{"type":"text","n":%d,"text":"' % number, b'"}\n'
    return start + b"x" * (size - len(start) - len(end)) + end


def _noisy(number: int, size: int) -> bytes:
    return (b"%d " % number).ljust(size - 1, b"x") + b"\n"


def _pour(descriptor: int, line: bytes, times: int) -> None:
    at_once = max(1, BLOCK // len(line))
    while times > 0:
        write(descriptor, line * min(times, at_once))
        times -= at_once


def line(stage: Stage, megabytes: float, form: str) -> None:
    """Write one line of that length."""
    size = int(megabytes * MEGABYTE)
    if form == "event":
        start, end = b'{"type":"text","text":"', b'"}\n'
        write(STDOUT, stage.beginning())
    else:
        start, end = b"", b"\n"
    write(STDOUT, start)
    left = max(0, size - len(start) - len(end))
    while left > 0:
        write(STDOUT, b"y" * min(left, BLOCK))
        left -= BLOCK
    write(STDOUT, end)


def half_line(stage: Stage, of: str, text: str) -> None:
    """Write the first half of an event, and no end of line."""
    whole = (
        stage.line("text", text=text)
        if of == "text"
        else stage.line("result", ok=True, text=text, session=stage.session, turns=stage.turns)
    )
    head, _, last = whole.rstrip(b"\n").rpartition(b"\n")
    write(STDOUT, (head + b"\n" if head else b"") + last[: len(last) // 2 + 1])


def split_utf8(stage: Stage, text: str) -> None:
    """Write an event so that its characters are cut: each byte beyond ASCII comes in a write of its own."""
    data = stage.line("text", text=stage.filled(text))
    held = bytearray()
    for byte in data:
        held.append(byte)
        if byte > LAST_OF_ASCII:
            write(STDOUT, bytes(held))
            held.clear()
            time.sleep(SPLIT_PAUSE / 10)
    write(STDOUT, bytes(held))


def bad_utf8(stage: Stage) -> None:
    """Write bytes that are no UTF-8: in a line by themselves, and inside of an event."""
    write(STDOUT, b"caf\xe9 \xff\xfe\n" + stage.line("text", text="before @ after").replace(b"@", b"\xc3\x28\xff"))


def leak(stage: Stage, name: str, to: str, split: bool) -> None:  # noqa: FBT001  # a field of the step
    """Tell the value of a variable, whole or in two writes that are read one after the other."""
    value = stage.environment.get(name, f"({name} is not set)")
    if to == "answer":
        stage.answer = f"The value is {value}."
    elif to == "output":
        _write_output(stage, f"leaked={value}\n")
    else:
        said = f"The value is {value}."
        data = said.encode(errors="replace") + b"\n" if to != "text" else stage.line("text", text=said)
        _in_parts(STDERR if to == "stderr" else STDOUT, data, value.encode(errors="replace"), split=split)


def _in_parts(descriptor: int, data: bytes, value: bytes, *, split: bool) -> None:
    at = data.rfind(value)
    if not split or at < 0:
        write(descriptor, data)
        return
    middle = at + len(value) // 2
    write(descriptor, data[:middle])
    time.sleep(SPLIT_PAUSE)
    write(descriptor, data[middle:])


def _write_output(stage: Stage, text: str) -> None:
    path = stage.environment.get("ORCH_OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    else:
        write(STDERR, f"there is no $ORCH_OUTPUT for {text}".encode())


def output(stage: Stage, values: Mapping[str, Any]) -> None:
    """Pass values on."""
    for name, value in values.items():
        shown = stage.filled(value) if isinstance(value, str) else value
        _write_output(stage, json.dumps({str(name): shown}, default=str) + "\n")


SAYING: Mapping[str, Callable[..., None]] = {
    "say": say,
    "think": think,
    "event": event,
    "noise": noise,
    "stderr": stderr,
    "flood": flood,
    "line": line,
    "half_line": half_line,
    "split_utf8": split_utf8,
    "bad_utf8": bad_utf8,
    "leak": leak,
    "output": output,
}
"""Each of these steps by its word."""
