"""How each dialect says no: the bodies and headers of errors, whole and in the middle of a stream.

The words are those that the services use, as far as agents look at them: a limit's type and reset, a window that was
overrun, a key that is wrong.
"""

import time
from datetime import UTC, datetime
from http import HTTPStatus

from tests.agents.stub_asked import CHAT, GEMINI, MESSAGES, Json
from tests.agents.stub_steps import Step
from tests.agents.stub_wires import Piece

_OPENAI_KINDS = {
    400: "invalid_request_error",
    401: "invalid_api_key",
    403: "permission_denied",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
_MESSAGES_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_GEMINI_KINDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_WORDS = {
    401: "Incorrect API key provided.",
    429: "Rate limit reached for requests.",
    500: "The server had an error while processing your request.",
    529: "Overloaded",
}
_TOO_LONG = {
    CHAT: "This model's maximum context length is 128000 tokens. However, your messages resulted in 999999 tokens.",
    MESSAGES: "prompt is too long: 999999 tokens > 200000 maximum",
    GEMINI: "The input token count (9999999) exceeds the maximum number of tokens allowed (1048576).",
}
_TOO_LONG_ELSE = "Your input exceeds the context window of this model. Please adjust your input and try again."


def status_of(step: Step) -> int:
    """The status that a refusing step answers with."""
    return 400 if step.name == "context" else int(step.name)


def body(api: str, step: Step) -> Json:
    """The body of a refusal."""
    status = status_of(step)
    if step.name == "context":
        words, code = _TOO_LONG.get(api, _TOO_LONG_ELSE), "context_length_exceeded"
    else:
        words, code = _WORDS.get(status, _phrase(status)), _OPENAI_KINDS.get(status, "server_error")
    words = step.word("text", words)
    if api == MESSAGES:
        kind = _MESSAGES_KINDS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}
    if api == GEMINI:
        return {"error": {"code": status, "message": words, "status": _GEMINI_KINDS.get(status, "INTERNAL")}}
    error: Json = {"message": words, "type": code, "param": None, "code": step.word("code", code)}
    if "reset" in step.args:  # a plan's limit rather than that of requests per minute
        seconds = round(step.number("reset", 0))
        error |= {"type": "usage_limit_reached", "code": None, "plan_type": "plus"}
        error |= {"resets_at": round(time.time()) + seconds, "resets_in_seconds": seconds}
    return {"error": error}


def headers(api: str, step: Step) -> dict[str, str]:
    """What a refusal says beside its body about when to come back."""
    said = {}
    if "retry_after" in step.args:
        said["Retry-After"] = step.word("retry_after", "")
    if "reset" in step.args:
        at = time.time() + step.number("reset", 0)
        if api == MESSAGES:
            said["anthropic-ratelimit-requests-reset"] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            said["anthropic-ratelimit-unified-status"] = "rejected"
            said["anthropic-ratelimit-unified-reset"] = str(round(at))
            said["anthropic-ratelimit-unified-representative-claim"] = "five_hour"
        else:
            said["x-ratelimit-reset-requests"] = f"{round(step.number('reset', 0))}s"
            said["x-ratelimit-remaining-requests"] = "0"
    return said


def inside(api: str, code: str) -> Piece:
    """An error event in the middle of a stream."""
    words = "Rate limit reached. Please try again in 2s." if "rate" in code else "The model broke off."
    if api == MESSAGES:
        return Piece("error", {"type": "error", "error": {"type": code or "overloaded_error", "message": words}})
    if api == GEMINI:
        return Piece(None, {"error": {"code": 503, "message": words, "status": code or "UNAVAILABLE"}})
    if api == CHAT:
        return Piece(None, {"error": {"message": words, "type": code or "server_error", "code": code or None}})
    error = {"code": code or "server_error", "message": words}
    response = {"id": "resp_x", "object": "response", "status": "failed", "output": [], "error": error}
    return Piece("response.failed", {"type": "response.failed", "sequence_number": 9, "response": response})


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"
