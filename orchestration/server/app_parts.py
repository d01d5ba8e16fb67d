"""What all routes share: the project that is served, parameters, and what the OpenAPI document says of errors."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from orchestration.graph import nearest
from orchestration.server import schemas
from orchestration.server.served import Served


def _served(request: Request) -> Served:
    found: Served = request.app.state.served
    return found


def _refuse_unknown(request: Request) -> None:
    """Refuse parameters that the address does not have: who misspells one would get what it was to keep out.

    Raises:
        RequestValidationError: there are some.
    """
    known = set(_parameters(request.scope["route"].dependant))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError([_unknown(name, known) for name in dict.fromkeys(unknown)])


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for part in dependant.dependencies:
        yield from _parameters(part)


def _unknown(name: str, known: Iterable[str]) -> dict[str, Any]:
    """As pydantic has errors; what stands behind the semicolon is the remedy."""
    listed = ", ".join(sorted(known))
    hint = nearest(name, known) or (f"there are: {listed}" if listed else "leave it out, there are none")
    error = ValueError(f"this address has no such parameter; {hint}")
    return {
        "type": "value_error",
        "loc": ("query", name[:MOST_TOLD]),
        "msg": "",
        "input": None,
        "ctx": {"error": error},
    }


ONLY_KNOWN: Final = Depends(_refuse_unknown)
"""For routes that refuse parameters which they do not have."""
MOST_TOLD: Final = 100
"""Characters of a parameter's name in an error."""

Project = Annotated[Served, Depends(_served)]
Since = Annotated[int, Query(ge=0, le=10**15, description="Only what comes after this event.")]
RunQuery = Annotated[str | None, Query(description="The run (the newest with an attempt of the task, without).")]
AttemptQuery = Annotated[int | None, Query(ge=1, le=10**9, description="Which try (the last one, without).")]

REFERENCE: Final = "#/components/schemas/{model}"

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": schemas.ERROR, "description": "The request cannot be followed; `hint` says what can be done."},
    "5XX": {"model": schemas.ERROR, "description": "The server cannot do it."},
}


def one_of(*models: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of one of several models that the document has."""
    return {"anyOf": [{"$ref": REFERENCE.format(model=model.__name__)} for model in models]}
