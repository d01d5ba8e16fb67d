"""What comes from a worker, told apart: prints go to the log and on as text, items on as they are, the end is kept."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestration.executors._ending import Telling, with_hint
from orchestration.executors._yielded import Yielded
from orchestration.kinds import Failure
from orchestration.process import DEFAULT_MAX_CAPTURE, DEFAULT_MAX_LOG, ProcessEnd, Stream
from orchestration.process.reading import Log
from orchestration.protocols import Report
from orchestration.results import Outcome
from orchestration.worker.frames import BadMessage, Reader


class Listening:
    """Takes the output of one worker as a sink, and judges its end."""

    def __init__(self, token: str, report: Report, log: Path) -> None:
        """Name the token of its messages, and the log for what its function prints."""
        self._reader = Reader(token.encode("ascii"))
        self._telling = Telling(report)
        self._yielded = Yielded(report)
        self._log = Log(log, DEFAULT_MAX_LOG)
        self._tail = bytearray()
        self._total = 0
        self._last: Mapping[str, Any] = {}

    async def __call__(self, stream: Stream, data: bytes) -> None:
        """Take a chunk.

        Raises:
            BadMessage: what came cannot be read.
            OSError: the log cannot be written.
        """
        if stream is Stream.STDERR:
            await self._tell(stream, data)
            return
        for is_message, part in self._reader.feed(data):
            await (self._hear(part) if is_message else self._print(part))

    async def finish(self) -> None:
        """Take what was held back: nothing more comes."""
        if rest := self._reader.rest():
            await self._print(rest)
        await self._telling.finish()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def printed(self, end: ProcessEnd) -> ProcessEnd:
        """The end of the process as if its output were only what the function printed."""
        tail = bytes(self._tail[-DEFAULT_MAX_CAPTURE:])
        dropped = end.log_dropped + self._log.dropped
        return replace(end, stdout=tail, stdout_total=self._total, log_dropped=dropped)

    def judged(self, function: str, outcome: Outcome) -> Outcome:
        """The outcome that the process alone shows, together with what the worker told last."""
        if outcome.failure in {Failure.TIMEOUT, Failure.IDLE_TIMEOUT, Failure.CANCELLED}:
            return outcome
        if "failed" in self._last:
            return _failed(function, outcome, self._last["failed"])
        if "done" in self._last:
            return self._done(outcome, self._last["done"])
        if outcome.failure is None:
            early = f"the process of {function} ended with exit code 0 before the function returned"
            return replace(outcome, failure=Failure.CRASHED, error=early)
        return outcome

    def _done(self, outcome: Outcome, done: Mapping[str, Any]) -> Outcome:
        if outcome.failure is not None:
            return replace(outcome, error=f"it returned, but then {outcome.error}", claim="done")
        text = self._yielded.text if done["output"] is None else done["output"]
        dropped = {"output_truncated_characters": self._yielded.dropped} if self._yielded.dropped else {}
        return replace(
            outcome,
            output=outcome.output if text is None else text,
            outputs=done["outputs"],
            claim="done",
            metadata={**outcome.metadata, **dropped},
        )

    async def _hear(self, message: bytes) -> None:
        try:
            said: dict[str, Any] = json.loads(message)
        except (ValueError, RecursionError) as error:
            raise BadMessage(f"a message of the worker cannot be read: {error}") from error
        if "item" in said:
            await self._yielded.take(said["item"])
        else:
            self._last = said

    async def _print(self, data: bytes) -> None:
        self._log.write(data)
        self._total += len(data)
        self._tail += data
        if len(self._tail) > 2 * DEFAULT_MAX_CAPTURE:  # cut seldom, so that every byte is moved once
            del self._tail[:-DEFAULT_MAX_CAPTURE]
        await self._tell(Stream.STDOUT, data)

    async def _tell(self, stream: Stream, data: bytes) -> None:
        answer = self._telling(stream, data)
        if answer is not None:
            await answer


def _failed(function: str, outcome: Outcome, failed: Mapping[str, Any]) -> Outcome:
    failure = Failure(failed["failure"])
    told = f"{function} raised {failed['error']}" if failure is Failure.CRASHED else failed["error"]
    traceback = {"traceback": failed["traceback"]} if failed["traceback"] else {}
    return replace(
        outcome,
        failure=failure,
        error=with_hint(told, failed["hint"]),
        claim="failed",
        metadata={**outcome.metadata, **traceback},
    )
