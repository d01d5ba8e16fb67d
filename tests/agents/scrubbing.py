"""Frees recordings of what belongs to one machine or one hour, so that they can be published and compared.

Paths, ports, names of users and machines, and identities made up by chance are replaced; the same one by the same
throughout a recording, so that a session that is resumed stays the same session. Long lists of what an agent could do
are shortened. Everything else stays byte for byte, broken lines too.
"""

import getpass
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

SHORTEST = 4  # of a machine's name that can be told from a piece of a word
KEPT = 3  # of a list of tools, skills, commands
_LISTS = ("tools", "slash_commands", "terminal_slash_commands", "agents", "skills", "plugins", "capabilities")
_UUID = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_OPENCODE = re.compile(rb"\b(ses|msg|prt|per)_[0-9a-zA-Z]{20,}\b")
_MILLISECONDS = re.compile(rb"\b1[6-9]\d{11}\b")
_SOCKET = re.compile(rb"/\d+\.sock\b")
_SESSION = re.compile(rb'"(?:session_id|thread_id|sessionID)":"([^"]+)"')
_GIVEN = b"00000000-0000-4000-8000-00000000dead"  # an identity that a case made up itself


def session_in(stdout: bytes) -> str | None:
    """The session that an agent says it has."""
    found = _SESSION.search(stdout)
    return found[1].decode() if found else None


class Scrubber:
    """Scrubs the streams of one recording, one after the other."""

    def __init__(self, place: Path, port: int) -> None:
        flat = re.sub(r"[^a-zA-Z0-9]", "-", str(place / "work")).encode()  # as claude-code names a project's folder
        self._plain = [
            (flat, b"-project"),
            (str(place / "work").encode(), b"/project"),
            (str(place / "home").encode(), b"/agent"),
            (str(place).encode(), b"/place"),
            (f"127.0.0.1:{port}".encode(), b"127.0.0.1:8000"),
            (f'"{getpass.getuser()}"'.encode(), b'"agent"'),
        ]
        machine = socket.gethostname().encode()
        self._machine = re.compile(rb"\b" + re.escape(machine) + rb"\b") if len(machine) >= SHORTEST else None
        self._known: dict[bytes, bytes] = {_GIVEN: _GIVEN}

    def scrub(self, text: bytes) -> bytes:
        """The text without what should not be in it."""
        for old, new in self._plain:
            text = text.replace(old, new)
        if self._machine:
            text = self._machine.sub(b"machine", text)
        text = _UUID.sub(self._naming(lambda count, _: b"00000000-0000-4000-8000-%012d" % count), text)
        text = _OPENCODE.sub(self._naming(lambda count, kind: b"%s_%026d" % (kind, count)), text)
        text = _SOCKET.sub(b"/1.sock", text)
        text = _MILLISECONDS.sub(b"1700000000000", text)
        return b"".join(_shortened(line) for line in text.splitlines(keepends=True))

    def _naming(self, name: Callable[[int, bytes], bytes]) -> Callable[[re.Match[bytes]], bytes]:
        def named(found: re.Match[bytes]) -> bytes:
            kind = found[1] if found.re.groups else b""
            return self._known.setdefault(found[0], name(len(self._known), kind))

        return named


def _shortened(line: bytes) -> bytes:
    """A line that lists everything an agent could do, without most of it."""
    if not line.startswith(b'{"type":"system","subtype":"init"'):
        return line
    try:
        event = json.loads(line)
    except ValueError:
        return line  # cut off: left as it is, for that is what it shows
    for key in _LISTS:
        if isinstance(event.get(key), list):
            event[key] = event[key][:KEPT]
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
