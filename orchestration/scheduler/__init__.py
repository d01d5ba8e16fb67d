"""The loop: a bounded gather of slots over one plan; the only writer of plan and store."""

from orchestration.scheduler.jobs import Job
from orchestration.scheduler.recorder import Recorder
from orchestration.scheduler.scheduler import Scheduler
from orchestration.scheduler.settling import CANCELLED, NOT_STARTED, STOPPED
from orchestration.scheduler.waiting import cancel_all, shielded

__all__ = [
    "CANCELLED",
    "NOT_STARTED",
    "STOPPED",
    "Job",
    "Recorder",
    "Scheduler",
    "cancel_all",
    "shielded",
]
