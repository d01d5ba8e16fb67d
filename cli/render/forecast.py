"""A forecast for people: what will run in which order and when, what will not and why, and how long it takes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.render.clean import clean_line
from cli.render.tables import Cell, table
from cli.render.words import count, hours

if TYPE_CHECKING:
    from orchestration.orchestrator import Forecast, ForecastTask


def forecast_lines(forecast: "Forecast", *, width: int | None, colour: bool) -> Iterator[str]:
    """The forecast, section by section."""
    running = [task for task in forecast.tasks if task.will_run]
    resting = [task for task in forecast.tasks if not task.will_run]
    if running:
        header = ("#", "TASK", "AGENT", "START", "END", "WHY")
        yield table(header, [_row(forecast, task) for task in running], width=width, colour=colour)
    if resting:
        yield from ("", "will not run:") if running else ("will not run:",)
        yield table(("TASK", "WHY"), [(task.task_id, task.why) for task in resting], width=width, colour=colour)
    if running:
        yield ""
    yield from _figures(forecast, len(running))


def _row(forecast: "Forecast", task: "ForecastTask") -> tuple[str | Cell, ...]:
    critical = "on the critical path" if task.critical else ""
    return (
        str(task.order if task.order is not None else ""),
        Cell(task.task_id, "bold" if task.critical else None),
        f"{task.agent or '-'}",
        _time(forecast, task.start),
        _time(forecast, task.end),
        "; ".join(part for part in (task.why, task.agent_reason, critical) if part),
    )


def _figures(forecast: "Forecast", running: int) -> Iterator[str]:
    if not running:
        yield "nothing would run"
        return
    yield f"{count(running, 'task')} would run, {forecast.max_concurrent} at once"
    if forecast.critical_path:
        path = " -> ".join(map(clean_line, forecast.critical_path))
        yield f"critical path: {path} ({_time(forecast, forecast.critical_hours)})"
    work, makespan = _time(forecast, forecast.work_hours), _time(forecast, forecast.makespan_hours)
    yield f"expected: {makespan} from start to end, for {work} of work"
    if not forecast.estimated:
        yield "no task has estimate_hours: each counts as one unit"


def _time(forecast: "Forecast", value: float | None) -> str:
    if value is None:
        return "-"
    return hours(value) if forecast.estimated else f"{value:g}u"
