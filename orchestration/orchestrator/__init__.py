"""`ProjectOrchestrator`: a project's backlog, its runs, and everything one can ask or tell about them."""

from orchestration.orchestrator.forecast import Forecast, ForecastTask
from orchestration.orchestrator.orchestrator import ProjectOrchestrator
from orchestration.orchestrator.selection import Selection

__all__ = ["Forecast", "ForecastTask", "ProjectOrchestrator", "Selection"]
