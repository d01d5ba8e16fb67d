"""One question to one model: asked, its answer heard piece by piece within the attempt's limits, and judged.

An answer counts only when its last event says that it is whole: a stream that merely ends was cut off. Nothing is
tried a second time here, neither by us nor by the libraries; waiting and retrying belong to who started the attempt.

Edges survived: an answer that never begins, stalls, breaks off, is empty, is refused, or is longer than it may be; a
listener that makes us wait (that silence is ours and does not count) or fails (that is no fault of the model's); a
cancellation in the middle, after which what was used is still told; a service that does not say what was used, says it
with every piece, or says what cannot be.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import httpx2
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.usage import RequestUsage

from orchestration.adapters.numbers import number
from orchestration.binding import Dialect, Endpoint
from orchestration.executors._api_errors import Wrong, wrong
from orchestration.executors._api_http import opened
from orchestration.executors._api_outputs import outputs_in
from orchestration.executors._yielded import Yielded
from orchestration.kinds import Failure
from orchestration.protocols import Report, Work
from orchestration.results import Outcome, Usage

ModelFor: TypeAlias = Callable[[Endpoint, httpx2.AsyncClient], Model]

_REASONING: Final = ("reasoning_tokens", "thoughts_tokens")
"""What providers call the part of the output that nobody reads."""


class _ListenerFailed(Exception):
    """Carries a failure of whoever listens past everything that would take it for the model's."""


async def ask(work: Work, endpoint: Endpoint, model_for: ModelFor, report: Report) -> Outcome:
    """Ask once.

    Args:
        work: the attempt, whose prompt is the question.
        endpoint: whom to ask.
        model_for: makes the model of the endpoint's language.
        report: gets the answer's text as it comes.

    Returns:
        The answer, or how it failed.
    """
    answer = Answer(work, endpoint, report)
    try:
        async with (
            opened(endpoint, work.environment) as client,
            asyncio.timeout(work.timeout) as total,
            asyncio.timeout(work.idle_timeout) as idle,
        ):
            await answer.hear(model_for(endpoint, client), idle)
    except asyncio.CancelledError:
        work.keep(answer.failed(Wrong(Failure.CANCELLED, "the request was cancelled"), "cancelled"))
        raise
    except _ListenerFailed as error:
        raise cast("Exception", error.__cause__) from None
    except Exception as error:  # noqa: BLE001  # whatever the libraries make of an answer is how it failed
        if total.expired():
            return answer.out_of_time()
        return answer.silent() if idle.expired() else answer.failed(wrong(error, endpoint))
    return answer.outcome()


class Answer:
    """What one model says, as far as it has been heard."""

    def __init__(self, work: Work, endpoint: Endpoint, report: Report) -> None:
        """Nothing is asked yet."""
        self._work = work
        self._endpoint = endpoint
        self._heard = Yielded(report)
        self._stream: StreamedResponse | None = None
        self._has_begun = False
        self._usage: Usage | None = None

    async def hear(self, model: Model, idle: asyncio.Timeout) -> None:
        """Ask, and listen to the end; `idle` is put off by every event."""
        settings = _settings_for(self._endpoint)
        asking = model_request_stream(model, self._question(), model_settings=settings, instrument=False)
        async with asking as stream:
            self._stream = stream
            async for event in stream:
                self._has_begun = True
                self._count(stream)
                _put_off(idle, None)
                if text := _text_of(event):
                    await self._take(text)
                _put_off(idle, self._work.idle_timeout)
            self._count(stream)

    def outcome(self) -> Outcome:
        """The verdict on an answer that ended by itself."""
        reason = self._stream.finish_reason if self._stream is not None else None
        who = self._who
        match reason:
            case "stop" if (self._heard.text or "").strip():
                return self._outcome(None, None, outputs=outputs_in(self._heard.text or "", self._work.task.outputs))
            case "stop":
                return self.failed(Wrong(Failure.NO_OUTPUT, f"{who} gave an empty answer"))
            case "length":
                return self.failed(self._too_long())
            case "content_filter":
                said = self._details.get("refusal") or "its service held the answer back"
                facts = {"error_class": "refused"}
                return self.failed(Wrong(Failure.EXIT_CODE, f"{who} refused: {said}", facts=facts))
            case "tool_call":
                return self.failed(Wrong(Failure.INVALID_OUTPUT, f"{who} asked for a tool; it was offered none"))
            case _:
                facts = {"error_class": "cut_off"}
                return self.failed(Wrong(Failure.CRASHED, f"the answer of {who} broke off before its end", facts=facts))

    def failed(self, why: Wrong, ended_by: str = "itself") -> Outcome:
        """The outcome of an answer that is none; what was heard of it is kept."""
        if why.worked and self._usage is None:
            self._usage = Usage(requests=1)  # something was used, and nobody says how much
        return self._outcome(why.failure, why.error, ended_by=ended_by, facts=dict(why.facts))

    def out_of_time(self) -> Outcome:
        """The attempt's time is over."""
        error = f"{self._who} did not finish its answer within the timeout of {self._work.timeout:g} s"
        return self.failed(Wrong(Failure.TIMEOUT, error), "timeout")

    def silent(self) -> Outcome:
        """Nothing came for too long."""
        what = "went silent" if self._has_begun else "began no answer"
        error = f"{self._who} {what} for {self._work.idle_timeout:g} s"
        return self.failed(Wrong(Failure.IDLE_TIMEOUT, error), "idle_timeout" if self._has_begun else "first_output")

    @property
    def _who(self) -> str:
        return f"{self._endpoint.model} at {self._endpoint.provider}"

    @property
    def _details(self) -> dict[str, Any]:
        return (self._stream.provider_details if self._stream is not None else None) or {}

    def _question(self) -> list[ModelMessage]:
        system = self._endpoint.system_prompt
        parts: list[SystemPromptPart | UserPromptPart] = [UserPromptPart(content=self._work.prompt)]
        return [ModelRequest(parts=[SystemPromptPart(content=system), *parts] if system else parts)]

    async def _take(self, text: str) -> None:
        try:
            await self._heard.take(text)
        except Exception as error:
            raise _ListenerFailed from error

    def _count(self, stream: StreamedResponse) -> None:
        usage = usage_of(stream.usage)
        if usage != self._usage and (usage.input_total or usage.output_total):
            self._usage = usage
            self._work.spent(usage)

    def _too_long(self) -> Wrong:
        if self._details.get("finish_reason") == "model_context_window_exceeded":
            facts = {"error_class": "context_overflow"}
            return Wrong(Failure.EXIT_CODE, f"the answer of {self._who} did not fit into its window", facts=facts)
        limit = self._endpoint.settings.get("max_tokens")
        at = f"max_tokens of {limit}" if limit else "the service's own limit"
        facts = {"error_class": "max_tokens"}
        return Wrong(Failure.EXIT_CODE, f"the answer of {self._who} was cut at {at}", facts=facts)

    def _outcome(
        self,
        failure: Failure | None,
        error: str | None,
        *,
        ended_by: str = "itself",
        outputs: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Outcome:
        model = (self._stream.model_name if self._stream is not None else None) or self._endpoint.model
        about = {"model": model, "provider": self._endpoint.provider, **(facts or {})}
        if self._stream is not None:
            about["final_event"] = self._stream.finish_reason is not None
        if self._heard.dropped:
            about["output_truncated_characters"] = self._heard.dropped
        return Outcome(
            failure=failure,
            error=error,
            output=self._heard.text or "",
            outputs=outputs or {},
            ended_by=ended_by,
            claim="done" if failure is None else None,
            usage=self._usage or Usage(requests=1) if failure is None else self._usage,
            metadata=about,
        )


def usage_of(usage: RequestUsage) -> Usage:
    """Our counting of a request; its raw numbers as the library passed them on."""
    details = dict(usage.details or {})
    return Usage(
        input_total=_whole(usage.input_tokens),
        cached_read=_whole(usage.cache_read_tokens),
        cache_write=_whole(usage.cache_write_tokens),
        output_total=_whole(usage.output_tokens),
        reasoning=next((_whole(details[name]) for name in _REASONING if details.get(name)), 0),
        requests=1,
        source="reported",
        raw=details or None,
    )


def _whole(count: object) -> int:
    """A count of tokens; what is no possible one is none."""
    return round(number(count) or 0.0)


def _settings_for(endpoint: Endpoint) -> Any:  # noqa: ANN401  # checked by nobody: the libraries take any
    """What the libraries are told beside the question; in the chat language, how to count what was used.

    Some compatible services count in every piece of an answer, each time from its beginning: the last count is the one.
    The libraries add them up, unless they are told so; they would tell the service too, which not every one takes.
    """
    given = {**endpoint.settings, "max_retries": 0}
    if endpoint.dialect is not Dialect.CHAT:
        return given
    name = "continuous_usage_stats"
    asked = {"include_usage": True, **({name: True} if given.get(f"openai_{name}") else {})}
    body = {"stream_options": asked, **(given.get("extra_body") or {})}
    return {**given, f"openai_{name}": True, "extra_body": body}


def _text_of(event: ModelResponseStreamEvent) -> str:
    """The text that an event adds to the answer; thoughts are a sign of life, and no part of it."""
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _put_off(idle: asyncio.Timeout, seconds: float | None) -> None:
    if not idle.expired():
        idle.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
