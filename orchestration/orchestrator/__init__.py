"""`ProjectOrchestrator`: a project's backlog, its runs, and everything one can ask or tell about them."""

from typing import TYPE_CHECKING

from orchestration.orchestrator.orchestrator import ProjectOrchestrator
from orchestration.orchestrator.selection import Selection

if TYPE_CHECKING:
    from orchestration.orchestrator.forecast import Forecast, ForecastTask

__all__ = ["Forecast", "ForecastTask", "ProjectOrchestrator", "Selection"]


def __getattr__(name: str) -> object:
    """Import what forecasts are made of when it is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestration.orchestrator import forecast  # noqa: PLC0415  # most commands need none

    return getattr(forecast, name)
