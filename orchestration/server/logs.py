"""An attempt's logs as answers: their ends as text, and any part of one, byte for byte.

A log may grow while it is sent: what is sent is what was there when the answer began, as its length was told by then.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from orchestration.orchestrator.growing import BLOCK, Growing, size_of
from orchestration.server.answers import NO_STORE

TEXT: Final = "text/plain; charset=utf-8"
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def ends_of(folder: Path, most: int) -> dict[str, Any]:
    """The last bytes of both logs as text, cut at a character, and how many bytes each has in all."""
    found: dict[str, Any] = {}
    for name in ("stdout", "stderr"):
        file = folder / f"{name}.log"
        size = size_of(file)
        start = max(0, size - most)
        data = Growing(file, start).read(size - start)
        if start:
            data = data[:4].lstrip(bytes(range(0x80, 0xC0))) + data[4:]
        found[name] = data.decode("utf-8", "replace")
        found[f"{name}_bytes"] = size
    return found


def log_answer(file: Path, wanted: str) -> Response:
    """The log, or the one part of it that a `Range` asks for; more than one part is answered by the whole."""
    size = size_of(file)
    part = _part(wanted, size)
    if part is None:
        return StreamingResponse(_blocks(file, 0, size), headers=_headers(size), media_type=TEXT)
    start, end = part
    if start >= end:
        return Response(status_code=416, headers={**NO_STORE, "Content-Range": f"bytes */{size}"})
    headers = {**_headers(end - start), "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return StreamingResponse(_blocks(file, start, end), 206, headers, TEXT)


def _headers(length: int) -> dict[str, str]:
    return {**NO_STORE, "Accept-Ranges": "bytes", "Content-Length": str(length)}


def _part(wanted: str, size: int) -> tuple[int, int] | None:
    """Where the part begins and ends; None where the whole is wanted, or nothing that can be understood."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    return None if end <= start < size else (start, min(end, size))


def _blocks(file: Path, start: int, end: int) -> Iterator[bytes]:
    log = Growing(file, start)
    while log.position < end and (block := log.read(min(BLOCK, end - log.position))):
        yield block
