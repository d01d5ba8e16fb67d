"""Answers: the envelope of `--json`, or its envelope of kind `error` with the status that fits."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from orchestration.errors import OrchError, Problem, RequestRefused, UsageError
from orchestration.exporting.envelope import envelope, error_data
from orchestration.loading.wording import findings_in

if TYPE_CHECKING:
    from fastapi.routing import APIRoute
    from pydantic_core import ErrorDetails

JSON: Final = "application/json"
METHOD_NOT_ALLOWED: Final = 405
SCHEMAS: Final = "the schemas are in /openapi.json"
NO_STORE: Final = {"Cache-Control": "no-store"}

STATUSES: Final[Mapping[str, int]] = {
    "usage": 400,
    "unknown_task": 404,
    "unknown_agent": 404,
    "unknown_run": 404,
    "unmet_dependencies": 409,
    "graph_changed": 409,
    "wrong_state": 409,
    "checks_failed": 409,
    "run_owned": 409,
    "owner_stopped": 409,
    "still_alive": 409,
    "invalid_project": 409,
    "graph": 409,
    "no_project": 409,
}
"""Code of an error → status. What is not here is nothing that the client could have done otherwise: 500."""


def answer(kind: str, data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An envelope."""
    return Response(envelope(kind, data), status, {**NO_STORE, **(headers or {})}, JSON)


def error_answer(error: OrchError, headers: Mapping[str, str] | None = None) -> Response:
    """The envelope of an error."""
    status = error.status if isinstance(error, RequestRefused) else STATUSES.get(error.code, 500)
    return answer("error", error_data(error), status, headers)


def answer_errors(app: FastAPI) -> None:
    """Have the application answer errors so, its own too."""
    app.add_exception_handler(OrchError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_address)
    app.add_exception_handler(Exception, _of_fault)


async def _of_ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, OrchError)  # noqa: S101  # it is registered for these
    return error_answer(error)


async def _of_validation(request: Request, error: Exception) -> Response:
    """What is wrong with a body or a parameter, all of it."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as above
    problems = [problem for one in error.errors() for problem in _wrong(request, error.body, one)]
    first = problems[0]
    message = first.message if len(problems) == 1 else f"{len(problems)} problems, first: {first.message}"
    hint = first.hint or SCHEMAS
    return answer("error", error_data(UsageError(message, hint=hint, problems=problems)), 422)


def _wrong(request: Request, body: object, found: Mapping[str, Any]) -> list[Problem]:
    place, path = found["loc"][0], found["loc"][1:]
    if found["type"] == "json_invalid":
        return [Problem(f"body: not JSON at character {path[-1]}: {found.get('ctx', {}).get('error', '')}")]
    if place == "body" and not path and found["type"] != "value_error":
        return [_no_object(request, found)]
    asked = request.query_params
    written = body if place == "body" else {name: asked.getlist(name) for name in asked}
    detail = cast("ErrorDetails", {**found, "loc": path})
    return [Problem(one.message, hint=one.hint) for one in findings_in([detail], written)]


def _no_object(request: Request, found: Mapping[str, Any]) -> Problem:
    """What is wrong with a body as a whole."""
    if found["type"] == "missing":
        return Problem("there is no body", hint=f"send one as JSON, with `Content-Type: {JSON}`; `{{}}` names nothing")
    is_json = JSON in request.headers.get("content-type", "").lower()
    hint = SCHEMAS if is_json else f"send the body as JSON, with `Content-Type: {JSON}`"
    return Problem("the body is no object of JSON", hint=hint)


async def _of_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    path = request.url.path
    what = f"{request.method} {path}: {str(error.detail)[:200].lower()}"
    hint = "one slash is enough" if path.startswith("//") else "the addresses are in /openapi.json"
    refused = RequestRefused(error.status_code, what, hint=hint)
    return error_answer(refused, {**(error.headers or {}), **_allowed(request, error.status_code)})


def _allowed(request: Request, status: int) -> dict[str, str]:
    """All methods of an address of which one was asked for that it does not have; each route knows its own alone."""
    if status != METHOD_NOT_ALLOWED:
        return {}
    routes: Sequence[APIRoute] = request.app.state.routes
    found = [one.methods or () for one in routes if one.matches(request.scope)[0] is not Match.NONE]
    return {"Allow": ", ".join(sorted(set(chain.from_iterable(found))))}


async def _of_fault(_: Request, error: Exception) -> Response:
    fault = OrchError(
        f"internal error: {type(error).__name__}: {error}", hint="this is a fault of orch, please report it"
    )
    fault.code = "internal"
    return error_answer(fault)
