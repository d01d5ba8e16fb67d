"""A model server for tests: real agents talk to it instead of to a service, and it does what the test wants.

It listens on 127.0.0.1 only, speaks four dialects (OpenAI chat completions and responses, Anthropic messages, Gemini),
streaming and not, looks at no key, calls nobody. What it does stands in the base URL (see stub_steps):

    with StubModel() as model:
        base = model.url(step("429", retry_after=1), step("write", path="a.txt"), step("done"))

By hand: `python -m tests.agents.stub_model --port 8123`, which ends with its parent, or after `--seconds`.

What it survives: clients that go away in the middle, any number at once, ends that come while an answer is held back
(every wait in it ends with the server), bodies that are no JSON.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.agents import stub_steps
from tests.agents.stub_asked import Asked
from tests.agents.stub_http import Handler, Server
from tests.agents.stub_steps import Step

KEPT_REQUESTS = 5000  # an agent that loops must not fill the memory of the tests


@dataclass(frozen=True, slots=True)
class Request:
    """What the server remembers of a request."""

    number: int  # among those of its scenario that are about the task itself, from 0; -1 for those beside it
    scenario: str
    step: str
    asked: Asked
    seconds: float  # since the server started


class StubModel:
    """The server; a context manager. Its requests can be looked at and waited for while it runs."""

    def __init__(self, *, port: int = 0, log: Path | None = None) -> None:
        self._log = log
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._taken: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self.closing = threading.Event()
        handler = type("Bound", (Handler,), {"model": self})
        self._server = Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, *steps: str, label: str = "") -> str:
        """The base URL, without any `/v1`, of a scenario made of these steps."""
        segment = "+".join(steps or ("done",)) + (f"@{label}" if label else "")
        stub_steps.parse(segment)
        return f"http://127.0.0.1:{self.port}/{segment}"

    def requests(self, label: str | None = None) -> list[Request]:
        """What was asked so far, about tasks themselves; of one label, or all."""
        with self._changed:
            return [one for one in self._requests if one.number >= 0 and label in (None, _label(one.scenario))]

    def wait_for_requests(self, count: int, timeout: float = 30.0) -> None:
        """Return as soon as so many requests about tasks have come.

        Raises:
            TimeoutError: They did not come in time (seconds).
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._taken_in_all()) >= count, timeout):
                raise TimeoutError(f"{len(self._taken_in_all())} requests came, not {count}")

    def _taken_in_all(self) -> list[Request]:
        return [one for one in self._requests if one.number >= 0]

    def take(self, scenario: str, asked: Asked) -> tuple[Step, int]:
        """The step that serves this request and the number of the answer, should it get one."""
        with self._changed:
            step, number = Step("done", {"text": "About a task"}), -1
            if not asked.beside:
                number = self._taken[scenario]
                self._taken[scenario] += 1
                step = stub_steps.step_at(stub_steps.parse(scenario), number)
            answer = self._answered[scenario]
            if number >= 0 and step.name in stub_steps.ANSWERING:
                self._answered[scenario] += 1
            request = Request(number, scenario, step.name, asked, round(time.monotonic() - self._began, 3))
            if len(self._requests) < KEPT_REQUESTS:
                self._requests.append(request)
            self._note(request)
            self._changed.notify_all()
        return step, max(0, answer)

    def _note(self, request: Request) -> None:
        if self._log is None:
            return
        asked = request.asked
        line = {
            "seconds": request.seconds,
            "scenario": request.scenario,
            "number": request.number,
            "step": request.step,
            "api": asked.api,
            "model": asked.model,
            "stream": asked.stream,
            "results": asked.results,
            "texts": len(asked.texts),
            "tools": [tool.name for tool in asked.tools],
        }
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def _label(scenario: str) -> str:
    return scenario.partition("@")[2]


def main() -> int:
    """Serve until the parent ends, or for so many seconds."""
    parser = argparse.ArgumentParser(description="a model server for trying agents by hand, on 127.0.0.1 only")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seconds", type=float, default=600.0, help="it ends after this time")
    parser.add_argument("--log", type=Path, help="a file that gets one JSON line per request")
    words = parser.parse_args()
    parent, end = os.getppid(), time.monotonic() + words.seconds
    with StubModel(port=words.port, log=words.log) as model:
        sys.stdout.write(f"{model.url()}\n")
        sys.stdout.flush()
        while time.monotonic() < end and os.getppid() == parent:
            model.closing.wait(0.5)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
