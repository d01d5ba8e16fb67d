"""What the libraries raise → a kind of failure, a sentence for people, and facts.

The kinds follow what would help: `rate_limited` waits, `crashed` (a server's error, a connection that broke, an answer
without its end) is worth another try, `auth` and `agent_missing` need a person, `exit_code` is the request itself, and
its `error_class` says what was wrong with it.

Edges survived: errors inside an answer that had begun, a page of a proxy instead of an answer, exhausted credit that
looks like a rate limit, an error whose text repeats the key.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
from pydantic_ai import exceptions as raised

from orchestration.binding import Endpoint
from orchestration.executors._api_limits import limit_of
from orchestration.kinds import Failure
from orchestration.masking import Masker
from orchestration.records import dataclass

MAX_SAID: Final = 1000
"""Characters of what a service said that an error repeats."""

TOO_LARGE: Final = 413
"""The status of a request that a service does not even read."""

_FILTERS: Final = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
"""Codes of refusals that come as errors."""

_KINDS: Final[tuple[tuple[type[Exception], Failure, str | None], ...]] = (
    (raised.ModelQuotaExceededError, Failure.RATE_LIMITED, "quota_exhausted"),
    (raised.ModelRateLimitError, Failure.RATE_LIMITED, None),
    (raised.ModelOverloadedError, Failure.CRASHED, "overloaded"),
    (raised.ModelUnavailableError, Failure.CRASHED, "unavailable"),
    (raised.ModelServerError, Failure.CRASHED, "server_error"),
    (raised.ModelAuthenticationError, Failure.AUTH, None),
    (raised.ModelNotFoundError, Failure.AGENT_MISSING, "not_found"),
    (raised.ModelContextWindowExceededError, Failure.EXIT_CODE, "context_overflow"),
    (raised.ModelRequestRejectedError, Failure.EXIT_CODE, "rejected"),
    (raised.ModelRequestTimeout, Failure.TIMEOUT, None),
    (raised.ModelTimeoutError, Failure.IDLE_TIMEOUT, None),
    (raised.ModelConnectionError, Failure.CRASHED, "connection"),
    (raised.ContentFilterError, Failure.EXIT_CODE, "refused"),
    (raised.UserError, Failure.AGENT_MISSING, "settings"),
    (httpx2.TimeoutException, Failure.IDLE_TIMEOUT, None),
    (httpx2.HTTPError, Failure.CRASHED, "connection"),
    (OSError, Failure.CRASHED, "connection"),
)
"""The first that fits counts: more special ones stand before more general ones."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What went wrong, in the words of an outcome; `worked` is whether the service may have done (paid) work."""

    failure: Failure
    error: str
    worked: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


def wrong(error: Exception, endpoint: Endpoint) -> Wrong:
    """What an error of a library means; one that is in no table is an answer that nobody could read."""
    failure, error_class = _kind(error)
    facts: dict[str, Any] = {} if error_class is None else {"error_class": error_class}
    if isinstance(error, raised.ModelHTTPError):
        facts["status"] = error.status_code
    if isinstance(error, raised.ModelAPIError) and failure in {Failure.RATE_LIMITED, Failure.CRASHED}:
        headers = getattr(error, "headers", None) or {}
        now = datetime.now(UTC)
        limit = limit_of(error.retry_after, headers if failure is Failure.RATE_LIMITED else {}, error.body, now)
        facts |= limit.facts
    sentence = f"{endpoint.model} at {endpoint.provider}: {_said(error)}"
    return Wrong(failure, Masker(filter(None, [endpoint.key])).text(sentence), _worked(error), facts)


def _worked(error: Exception) -> bool:
    if isinstance(error, raised.ModelHTTPError):
        return error.in_stream
    if isinstance(error, raised.ModelConnectionError):
        return error.phase not in {"pool", "connect"}
    return not isinstance(error, raised.UserError)


def _kind(error: Exception) -> tuple[Failure, str | None]:
    if isinstance(error, raised.ModelAPIError) and (special := _special(error)) is not None:
        return special
    for kind, failure, error_class in _KINDS:
        if isinstance(error, kind):
            return failure, error_class
    return _other(error) if isinstance(error, raised.ModelAPIError) else (Failure.INVALID_OUTPUT, None)


def _special(error: raised.ModelAPIError) -> tuple[Failure, str | None] | None:
    """Where more than the type of an error counts."""
    if _FILTERS & {error.provider_error_code, error.provider_error_type}:
        return Failure.EXIT_CODE, "refused"
    if isinstance(error, raised.ModelHTTPError) and error.status_code == TOO_LARGE:
        return Failure.EXIT_CODE, "context_overflow"
    if isinstance(error, raised.ModelRequestTimeout) and error.setting == "first_event_timeout":
        return Failure.IDLE_TIMEOUT, None
    if isinstance(error, raised.ModelTimeoutError) and error.phase != "read":
        return Failure.CRASHED, "connection"
    return None


def _other(error: raised.ModelAPIError) -> tuple[Failure, str | None]:
    """An error of no known type."""
    if isinstance(error, raised.ModelHTTPError):
        return Failure.EXIT_CODE, "rejected"
    if error.in_stream:
        return Failure.CRASHED, "server_error"
    if error.__cause__ is None and "finish_reason" in error.message:
        return Failure.CRASHED, "cut_off"
    return Failure.INVALID_OUTPUT, None


def _said(error: Exception) -> str:
    """What the service said itself, or else the library; the status where there was one."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    message = inner.get("message") if isinstance(inner, Mapping) else inner
    text = (str(message or getattr(error, "message", "")) or str(error) or type(error).__name__).strip()
    if isinstance(error, raised.ModelConnectionError) and (cause := _root_of(error)) not in text:
        text = f"{text.removesuffix('.')}: {cause}"
    status = f"HTTP {error.status_code}: " if isinstance(error, raised.ModelHTTPError) else ""
    return status + (text if len(text) <= MAX_SAID else f"{text[:MAX_SAID]}…")


def _root_of(error: BaseException) -> str:
    """What the system said, which the libraries only call a connection error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
