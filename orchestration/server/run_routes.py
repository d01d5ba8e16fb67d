"""Runs over HTTP: which there are, one of them, what happens in it, starting and cancelling."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response

from orchestration.errors import UsageError
from orchestration.events import to_dict
from orchestration.exporting.facts import run_facts
from orchestration.kinds import RunStatus
from orchestration.protocols import RunRecord
from orchestration.server import schemas
from orchestration.server.answers import NO_STORE, answer
from orchestration.server.app_parts import ERRORS, ONLY_KNOWN, Project, Since, one_of
from orchestration.server.cursor import Cursor
from orchestration.server.event_stream import EventStream
from orchestration.server.feed import Chunks
from orchestration.server.frames import frame
from orchestration.server.records import CHUNK, EVENTS
from orchestration.server.served import Served
from orchestration.server.streaming import HEARTBEAT_SECONDS, error_frame

FEW_RUNS: Final = 20
MOST_RUNS: Final = 500
MANY_EVENTS: Final = 1_000
MOST_EVENTS: Final = 10_000

router = APIRouter(responses=ERRORS, dependencies=[ONLY_KNOWN])


def _last_id(
    last_event_id: Annotated[str | None, Header()] = None,
    asked: Annotated[
        str | None,
        Query(alias="lastEventId", description="The same as `Last-Event-ID`, for clients that cannot send it."),
    ] = None,
) -> str | None:
    """The id behind which a reader goes on."""
    return last_event_id or asked


LastId = Annotated[str | None, Depends(_last_id)]


@router.get("/runs", response_model=schemas.RUNS)
async def list_runs(
    served: Project,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = FEW_RUNS,
    before: Annotated[str | None, Query(description="Only runs that were opened before this one.")] = None,
) -> Response:
    """Runs, newest first; the header `Link` leads to older ones, where there are any."""
    records = await served.store.runs()
    if before is not None:
        await served.run(before)
        records = records[[record.run_id for record in records].index(before) + 1 :]
    shown = records[:limit]
    link = f'</runs?limit={limit}&before={shown[-1].run_id}>; rel="next"' if len(records) > limit else ""
    data = [run_facts(record, live=served.store.is_live(record.run_id)) for record in shown]
    return answer("runs", data, headers={"Link": link} if link else {})


@router.post("/runs", status_code=202, response_model=schemas.RUN)
async def start_run(served: Project, order: schemas.StartRun) -> Response:
    """Start a run of the selected tasks, or continue it; the answer comes when it has begun."""
    record = await served.start(order)
    return _run_answer(served, record, 202)


@router.get("/runs/{run_id}", response_model=schemas.RESULT)
async def run_result(served: Project, run_id: str) -> Response:
    """How a run ended, or how far it is."""
    await served.run(run_id)
    result = await served.as_it_was.run_result(run_id)
    return answer("run_result", result.to_dict())


@router.get(
    "/runs/{run_id}/events",
    response_model=schemas.HAPPENED,
    responses={
        200: {
            "description": "Server-sent events, or a list where `application/json` is asked for.",
            "content": {"text/event-stream": {"schema": one_of(*EVENTS, CHUNK)}},
        },
        204: {"description": "The run is over, and `Last-Event-ID` is that of its last event."},
    },
)
async def run_events(  # what can be asked for, and how
    served: Project,
    run_id: str,
    since: Since = 0,
    chunks: Annotated[Chunks, Query(description="Which live output is told: all, new, none.")] = Chunks.ALL,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS, description="Of a list: at most so many.")] = MANY_EVENTS,
    accept: Annotated[str, Header()] = "*/*",
    last_event_id: LastId = None,
) -> Response:
    """What happens in a run, as server-sent events until its end: its events, and between them its live output.

    Each has an id; with the last one as `Last-Event-ID`, the stream goes on behind it, without a gap and with nothing
    twice. With `Accept: application/json`, the events that are there, as a list.
    """
    record = await served.run(run_id)
    if wants_list(accept):
        events = await served.store.events(run_id, since)
        return answer("events", [to_dict(event) for event in events[:limit]])
    after = Cursor.parse(last_event_id) if last_event_id else Cursor(since)
    if last_event_id:
        chunks = Chunks.ALL if chunks is Chunks.NEW else chunks
        _refuse_what_comes_later(after, record)
        if after.seq >= record.last_seq and _is_over(served, record):
            return Response(status_code=204, headers=NO_STORE)
    frames = _frames(served, run_id, after, chunks)
    return EventStream(frames, _nothing, heartbeat=HEARTBEAT_SECONDS, resumable=True)


@router.post("/runs/{run_id}/cancel", response_model=schemas.CANCELLED)
async def cancel_run(served: Project, run_id: str, why: schemas.Cancel | None = None) -> Response:
    """Cancel a run; the answer comes when everything that it ran has ended."""
    await served.run(run_id)
    done = await served.as_it_was.cancel(run_id, reason=why.reason if why else "")
    return answer("cancelled", {"target": run_id, "tasks": done})


def wants_list(accept: str) -> bool:
    """Whether JSON is named, and a stream is not."""
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return "application/json" in kinds and "text/event-stream" not in kinds


def _run_answer(served: Served, record: RunRecord, status: int) -> Response:
    facts = run_facts(record, live=served.store.is_live(record.run_id))
    return answer("run", facts, status, {"Location": f"/runs/{record.run_id}"})


def _is_over(served: Served, record: RunRecord) -> bool:
    return record.status is not RunStatus.RUNNING or not served.store.is_live(record.run_id)


def _refuse_what_comes_later(after: Cursor, record: RunRecord) -> None:
    """Refuse the id of another run, behind which a reader would miss what happens in this one."""
    if after.seq > record.last_seq:
        raise UsageError(
            f"run {record.run_id} has no event {after.seq} yet; its last one is {record.last_seq}",
            hint="give the id of the last event that came from this run",
        )


async def _frames(served: Served, run_id: str, after: Cursor, chunks: Chunks) -> AsyncIterator[bytes]:
    try:
        async with aclosing(served.follow(run_id, after, chunks)) as telling:
            async for told in telling:
                yield frame(told.text, number=str(told.cursor))
    except Exception as error:  # noqa: BLE001  # the answer has begun: this is the only place left to say so
        yield error_frame(error)


async def _nothing() -> None:
    """Nothing is to be closed: a reader who leaves ends no run."""
