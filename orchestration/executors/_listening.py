"""What comes from a worker, told apart: prints go to the log and on as text, items on as they are, the end is kept."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.executors._ending import Telling, with_hint
from orchestration.executors._yielded import Yielded
from orchestration.kinds import Failure
from orchestration.masking import Masker
from orchestration.process import DEFAULT_MAX_CAPTURE, DEFAULT_MAX_LOG, ProcessEnd, Stream
from orchestration.process.channel import Log
from orchestration.protocols import Report
from orchestration.results import Outcome
from orchestration.worker.faults import cut
from orchestration.worker.frames import BadMessage, Reader


class _Printed:
    """One stream as the function printed it, masked: its log and its last bytes."""

    def __init__(self, path: str, masker: Masker | None) -> None:
        self.log = Log(path, DEFAULT_MAX_LOG)
        self.total = 0
        self._mask = masker.stream() if masker else None
        self._tail = bytearray()

    def take(self, data: bytes) -> bytes:
        """What can be told by now."""
        return self._keep(data if self._mask is None else self._mask.feed(data))

    def rest(self) -> bytes:
        """What was held back, now that nothing more comes."""
        return b"" if self._mask is None else self._keep(self._mask.flush())

    def tail(self) -> bytes:
        return bytes(self._tail[-DEFAULT_MAX_CAPTURE:])

    def _keep(self, data: bytes) -> bytes:
        self.log.write(data)
        self.total += len(data)
        self._tail += data
        if len(self._tail) > 2 * DEFAULT_MAX_CAPTURE:  # cut seldom, so that every byte is moved once
            del self._tail[:-DEFAULT_MAX_CAPTURE]
        return data


class Listening:
    """Takes the output of one worker as a sink, and judges its end.

    The worker's bytes must come as they are: a mask over them would spoil messages in which a number spells a secret,
    and miss a secret that is printed before and after a message. What is printed is masked here, once it is told apart;
    what messages say is masked, value by value, by whoever keeps it.
    """

    def __init__(self, token: str, report: Report, logs: tuple[str, str], masker: Masker | None) -> None:
        """Name the token of its messages, and the logs for what its function prints."""
        self._reader = Reader(token.encode("ascii"))
        self._telling = Telling(report)
        self._masker = masker or Masker()
        self._yielded = Yielded(report)
        self._printed = {stream: _Printed(path, masker) for stream, path in zip(Stream, logs, strict=True)}
        self._last: Mapping[str, Any] = {}

    async def __call__(self, stream: Stream, data: bytes) -> None:
        """Take a chunk.

        Raises:
            BadMessage: what came cannot be read.
            OSError: the log cannot be written.
        """
        if stream is Stream.STDERR:
            await self._print(stream, data)
            return
        for is_message, part in self._reader.feed(data):
            await (self._hear(part) if is_message else self._print(stream, part))

    async def finish(self) -> None:
        """Take what was held back: nothing more comes."""
        if rest := self._reader.rest():
            await self._print(Stream.STDOUT, rest)
        for stream, printed in self._printed.items():
            await self._tell(stream, printed.rest())
        await self._telling.finish()

    def close(self) -> None:
        """Close the logs."""
        for printed in self._printed.values():
            printed.log.close()

    def printed(self, end: ProcessEnd) -> ProcessEnd:
        """The end of the process as if its output were only what the function printed."""
        out, err = self._printed[Stream.STDOUT], self._printed[Stream.STDERR]
        return replace(
            end,
            stdout=out.tail(),
            stdout_total=out.total,
            stderr=err.tail(),
            stderr_total=err.total,
            log_dropped=end.log_dropped + out.log.dropped + err.log.dropped,
        )

    def judged(self, function: str, outcome: Outcome) -> Outcome:
        """The outcome that the process alone shows, together with what the worker told last."""
        if outcome.failure in {Failure.TIMEOUT, Failure.IDLE_TIMEOUT, Failure.CANCELLED}:
            return outcome
        if "failed" in self._last:
            return _failed(function, outcome, self._last["failed"], self._masker)
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

    async def _print(self, stream: Stream, data: bytes) -> None:
        await self._tell(stream, self._printed[stream].take(data))

    async def _tell(self, stream: Stream, data: bytes) -> None:
        answer = self._telling(stream, data)
        if answer is not None:
            await answer


def _failed(function: str, outcome: Outcome, failed: Mapping[str, Any], masker: Masker) -> Outcome:
    failure = Failure(failed["failure"])
    told, traceback = failed["error"], {}
    if failure is Failure.CRASHED:
        sentence, frames = cut(told, failed["traceback"], masker.text)
        told, traceback = f"{function} raised {sentence}", {"traceback": frames}
    return replace(
        outcome,
        failure=failure,
        error=with_hint(told, failed["hint"]),
        claim="failed",
        metadata={**outcome.metadata, **traceback},
    )
