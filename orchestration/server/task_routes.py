"""Tasks over HTTP: how they stand and why, what they printed, and what people decide about them."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import PlainTextResponse, Response

from orchestration.exporting.facts import status_facts, status_of, task_details, task_facts
from orchestration.kinds import ExecutionStatus, Priority
from orchestration.orchestrator import Selection
from orchestration.orchestrator.looking import live_runs
from orchestration.server import schemas
from orchestration.server.answers import NO_STORE, answer
from orchestration.server.app_parts import ERRORS, ONLY_KNOWN, AttemptQuery, Project, RunQuery
from orchestration.server.logs import ends_of, log_answer

MOST_TAIL: Final = 16 * 1024 * 1024
TAIL: Final = 1024 * 1024

Tail = Annotated[int, Query(ge=0, le=MOST_TAIL, description="At most so many bytes, the last ones.")]
Stream = Literal["stdout", "stderr"]
_TEXT: Final[dict[str, Any]] = {"content": {"text/plain": {"schema": {"type": "string"}}}}

router = APIRouter(responses=ERRORS, dependencies=[ONLY_KNOWN])


@router.get("/status", response_model=schemas.STATUS)
async def status(served: Project) -> Response:
    """How far the backlog is, and which runs go on."""
    orchestrator = await served.now()
    return answer("status", status_facts(await orchestrator.status(), await live_runs(served.store)))


@router.get("/tasks", response_model=schemas.TASKS)
async def list_tasks(
    served: Project,
    label: Annotated[list[str], Query(default_factory=list)],
    phase: Annotated[list[str], Query(default_factory=list)],
    priority: Annotated[list[Priority], Query(default_factory=list)],
    status: Annotated[list[ExecutionStatus], Query(default_factory=list)],
) -> Response:
    """The tasks with their state; of several values of one parameter, any."""
    orchestrator = await served.now()
    results = {result.task_id: result for result in await orchestrator.status()}
    project = orchestrator.project
    selection = Selection(None, tuple(label), tuple(phase), tuple(one.value for one in priority))
    chosen = [task for task in selection.choose(project) if not status or status_of(results, task) in status]
    return answer("task_list", {"tasks": [task_facts(project, task, results) for task in chosen]})


@router.get("/tasks/{task_id:path}/why", response_model=schemas.WHY)
async def why(served: Project, task_id: str) -> Response:
    """Why a task, or a part of one, is in its state."""
    return answer("why", {"task_id": task_id, "because": await (await served.now()).why(task_id)})


@router.get("/tasks/{task_id:path}/logs", response_model=schemas.LOGS)
async def logs(
    served: Project, task_id: str, run: RunQuery = None, attempt: AttemptQuery = None, tail: Tail = TAIL
) -> Response:
    """The ends of what an attempt printed."""
    folder = await (await served.now()).log_folder(task_id, run, attempt)
    return answer("logs", {"task_id": task_id, "folder": str(folder), **ends_of(folder, tail)})


@router.get(
    "/tasks/{task_id:path}/logs/{stream}",
    response_class=Response,  # one that has a kind of its own would have it for errors too
    responses={
        200: {"description": "All of it.", **_TEXT},
        206: {"description": "The part that `Range` asks for.", **_TEXT},
        416: {"description": "There is no such part."},
    },
)
async def log(  # which log, and what of it
    served: Project,
    task_id: str,
    stream: Stream,
    run: RunQuery = None,
    attempt: AttemptQuery = None,
    tail: Annotated[int | None, Query(ge=0, le=MOST_TAIL, description="Only so many bytes, the last ones.")] = None,
    wanted: Annotated[str, Header(alias="range", description="Such as `bytes=0-99` or `bytes=-100`.")] = "",
) -> Response:
    """What an attempt printed, byte for byte; of it, what `Range` asks for."""
    folder = await (await served.now()).log_folder(task_id, run, attempt)
    if tail is not None:
        return PlainTextResponse(ends_of(folder, tail)[stream], headers=NO_STORE)
    return log_answer(folder / f"{stream}.log", wanted)


@router.get("/tasks/{task_id}", response_model=schemas.TASK)
async def task(served: Project, task_id: str) -> Response:
    """Everything about one task: what is written, how it stands, and why."""
    orchestrator = await served.now()
    (found,) = Selection.of([task_id]).choose(orchestrator.project)
    results = {result.task_id: result for result in await orchestrator.status()}
    details = task_details(orchestrator.project, found, results)
    return answer("task", {**details, "because": await orchestrator.why(task_id)})


# ---- deciding ------------------------------------------------------------------------------------------------------


@router.post("/tasks/{task_id}/cancel", response_model=schemas.CANCELLED)
async def cancel(served: Project, task_id: str, why: schemas.Cancel | None = None) -> Response:
    """Cancel a task; the answer comes when it has really ended."""
    orchestrator = await served.now()
    Selection.of([task_id]).choose(orchestrator.project)
    done = await orchestrator.cancel(task_id, reason=why.reason if why else "")
    return answer("cancelled", {"target": task_id, "tasks": done})


@router.post("/tasks/{task_id}/retry", response_model=schemas.RETRIED)
async def retry_task(served: Project, task_id: str) -> Response:
    """Open a task again, so that the next run does it."""
    return answer("retried", {"tasks": await (await served.now()).retry([task_id])})


@router.post("/retry", response_model=schemas.RETRIED)
async def retry(served: Project, which: schemas.Retry) -> Response:
    """Open several tasks again, or all that failed."""
    reopened = await (await served.now()).retry(tuple(which.task_ids), failed=which.failed)
    return answer("retried", {"tasks": reopened})


@router.post("/tasks/{task_id}/complete", response_model=schemas.TASK_RESULT)
async def complete(served: Project, task_id: str, done: schemas.Complete | None = None) -> Response:
    """Say that a task which waits for a person is done; its checks run first."""
    done = done or schemas.Complete()
    orchestrator = await served.now()
    result = await orchestrator.complete(task_id, output=done.output, outputs=done.outputs, by=done.by)
    return answer("execution_result", result.to_dict())


@router.post("/tasks/{task_id}/fail", response_model=schemas.TASK_RESULT)
async def fail(served: Project, task_id: str, why: schemas.Fail) -> Response:
    """Say that a task which waits for a person cannot be done."""
    result = await (await served.now()).fail(task_id, why.reason, by=why.by)
    return answer("execution_result", result.to_dict())


@router.post("/tasks/{task_id}/approve", response_model=schemas.TASK_RESULT)
async def approve(served: Project, task_id: str, said: schemas.Judge | None = None) -> Response:
    """Approve a task that waits to start, or its result."""
    said = said or schemas.Judge()
    result = await (await served.now()).approve(task_id, note=said.note, by=said.by)
    return answer("execution_result", result.to_dict())


@router.post("/tasks/{task_id}/reject", response_model=schemas.TASK_RESULT)
async def reject(served: Project, task_id: str, said: schemas.Judge | None = None) -> Response:
    """Refuse a task that waits to start, or its result."""
    said = said or schemas.Judge()
    result = await (await served.now()).reject(task_id, said.note, by=said.by)
    return answer("execution_result", result.to_dict())
