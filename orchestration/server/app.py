"""The application: routes, errors and the gate before them, over one served project."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp

from orchestration._version import __version__
from orchestration.server import board, run_routes, schemas, task_routes
from orchestration.server.answers import answer, answer_errors
from orchestration.server.app_parts import ONLY_KNOWN, REFERENCE
from orchestration.server.gate import READING, Gate
from orchestration.server.records import CHUNK
from orchestration.server.served import Served

DESCRIPTION: Final = """\
The runs, tasks and logs of one project. Every answer is the envelope that `orch … --json` prints. Whatever changes
something needs the header `Authorization: Bearer TOKEN`.
"""


def application(served: Served, *, token: str, names: Iterable[str] = (), any_address: bool = False) -> ASGIApp:
    """The whole server as an ASGI application.

    Args:
        served: the project.
        token: what changes need.
        names: hosts by which the server may be called, beside those of this machine.
        any_address: whether it may be called by any address.
    """
    app = _Application(
        title="orch",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.served = served
    app.include_router(run_routes.router)
    app.include_router(task_routes.router)
    app.add_api_route("/version", _version, methods=["GET"], response_model=schemas.VERSION, dependencies=[ONLY_KNOWN])
    app.add_api_route("/", _board, methods=["GET"], response_class=HTMLResponse)
    _answer_heads(app)
    app.state.routes = _routes(app)
    answer_errors(app)
    return Gate(app, token=token, names=names, any_address=any_address)


def _routes(app: FastAPI) -> list[APIRoute]:
    """The routes of all addresses, those of routers too."""
    found = [*app.routes, *run_routes.router.routes, *task_routes.router.routes]
    return [route for route in found if isinstance(route, APIRoute)]


def _answer_heads(app: FastAPI) -> None:
    """Let whatever can be read be asked for by HEAD too (RFC 9110, 9.1), of which the document need not tell."""
    for route in _routes(app):
        if "GET" in (route.methods or ()):
            app.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                response_model=None,
                include_in_schema=False,
                dependencies=route.dependencies,
            )


async def _version() -> Response:
    """Which version this is."""
    return answer("version", {"version": __version__})


async def _board() -> Response:
    """A page that shows runs and tasks while they go on."""
    return HTMLResponse(board.page(), headers=board.headers())


class _Application(FastAPI):
    """An application whose document also says what FastAPI cannot know: live output, and what needs the token."""

    def openapi(self) -> dict[str, Any]:
        """The document; made when it is first asked for."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document["components"]
            components["schemas"][CHUNK.__name__] = CHUNK.model_json_schema(ref_template=REFERENCE)
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for methods in document["paths"].values():
                for method, operation in methods.items():
                    if method.upper() not in READING:
                        operation["security"] = [{"token": []}]
        return super().openapi()
