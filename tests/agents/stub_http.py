"""The server of the stub model: paths, bodies, streams, silence. What is answered is decided elsewhere.

Every wait ends with the server, a client may go away at any moment, a body may be chunked, packed or no JSON at all.
"""

import json
import re
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.agents import stub_refusals, stub_steps, stub_wires
from tests.agents.stub_answers import answer_of
from tests.agents.stub_asked import CHAT, GEMINI, MESSAGES, RESPONSES, Asked, Json, understand
from tests.agents.stub_steps import Step

HELD_SECONDS = 600.0  # how long a silent answer is held back unless the step says otherwise
MAX_BODY = 64 * 1024 * 1024

_TAILS = {"/chat/completions": CHAT, "/responses": RESPONSES, "/messages": MESSAGES}
_GEMINI = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")


class Deciding(Protocol):
    """Who says what happens to a request."""

    closing: threading.Event

    def take(self, scenario: str, asked: Asked) -> tuple[Step, int]:
        """The step that serves this request, and the number of the answer."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as the class above has it)
        """A client that went away is no news; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = HELD_SECONDS
    model: Deciding

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the class above has it)
        """Say nothing: what was asked can be read from the model."""

    def do_HEAD(self) -> None:
        self._send(200, {})

    def do_GET(self) -> None:
        if self.path.partition("?")[0].endswith("/models"):
            one = {"id": "stub-model", "object": "model", "created": stub_wires.CREATED, "owned_by": "stub"}
            self._send(200, {"object": "list", "data": [one], "models": []})
        else:
            self._send(404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        path, _, query = self.path.partition("?")
        _, scenario, rest = path.split("/", 2) if path.count("/") > 1 else ("", "done", path)
        body, rest = self._body(), "/" + rest
        api = next((api for tail, api in _TAILS.items() if rest.endswith(tail)), None)
        if found := _GEMINI.search(rest):
            body |= {"model": found[1], "stream": found[2].startswith("stream")}
            api = GEMINI
        if rest.endswith((":countTokens", "/count_tokens")):
            self._send(200, {"input_tokens": 1000, "totalTokens": 1000})
        elif api is None:
            self._send(404, {"error": {"message": "no such path"}})
        else:
            asked = understand(api, body)
            step, number = self.model.take(scenario, asked)
            self._answer(asked, step, number, sse=api != GEMINI or "alt=sse" in query)

    def _answer(self, asked: Asked, step: Step, number: int, *, sse: bool) -> None:
        if step.name == "hang":
            self._hold(step)
        elif step.name == "garbage":
            self._send(200, {}, raw=b"<html><body>It works!</body></html>")
        elif step.name not in stub_steps.ANSWERING:
            refusal = stub_refusals.body(asked.api, step)
            self._send(stub_refusals.status_of(step), refusal, stub_refusals.headers(asked.api, step))
        elif asked.stream:
            self._stream(asked, step, answer_of(asked, step, number), sse=sse)
        else:
            self._whole(asked, step, answer_of(asked, step, number))

    def _whole(self, asked: Asked, step: Step, answer: stub_wires.Answer) -> None:
        if step.name == "slow":
            self.model.closing.wait(step.number("ticks", 20) * step.number("gap", 0.25))
        elif step.name == "stall":
            return self._hold(step)
        if step.name == "cut":
            self.close_connection = True
        elif step.name == "inside":
            self._send(500, stub_refusals.body(asked.api, Step("500")))
        else:
            self._send(200, stub_wires.whole(asked, answer))
        return None

    def _stream(self, asked: Asked, step: Step, answer: stub_wires.Answer, *, sse: bool) -> None:
        stream = stub_wires.pieces(asked, answer)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if sse else "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not sse:
            self._chunk(json.dumps([piece.data for piece in stream]).encode())
            return self._chunk(b"")
        for piece in stream:
            self._piece(piece)
            if not piece.said:
                continue
            if step.name == "slow":
                self.model.closing.wait(step.number("gap", 0.25))
            elif step.name == "stall":
                return self._hold(step)
            elif step.name == "cut":
                self.close_connection = True
                return None
            elif step.name == "inside":
                self._piece(stub_refusals.inside(asked.api, step.word("code", "")))
                break
        return self._chunk(b"")

    def _hold(self, step: Step) -> None:
        """Silence, until the step's time is over or the server ends; the connection is not used again."""
        self.close_connection = True
        self.model.closing.wait(step.number("secs", HELD_SECONDS))

    def _piece(self, piece: stub_wires.Piece) -> None:
        name = f"event: {piece.name}\n" if piece.name else ""
        data = piece.data if isinstance(piece.data, str) else json.dumps(piece.data)
        self._chunk(f"{name}data: {data}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _send(self, status: int, body: Json, extra: dict[str, str] | None = None, raw: bytes | None = None) -> None:
        data = json.dumps(body).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> Json:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            data = self._chunked_body()
        else:
            data = self.rfile.read(min(MAX_BODY, int(self.headers.get("Content-Length") or 0)))
        if self.headers.get("Content-Encoding") in {"gzip", "deflate"}:
            data = zlib.decompress(data, 47)
        try:
            body = json.loads(data or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _chunked_body(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return data
