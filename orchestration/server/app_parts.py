"""What all routes share: the project that is served, parameters, and what the OpenAPI document says of errors."""

from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from orchestration.server import schemas
from orchestration.server.served import Served


def _served(request: Request) -> Served:
    found: Served = request.app.state.served
    return found


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
