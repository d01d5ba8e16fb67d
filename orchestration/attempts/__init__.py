"""One attempt from its task to its checked outcome: prompt, environment, folder, setup, agent, outputs, checks."""

from orchestration.attempts.crew import Crew
from orchestration.attempts.judging import check_work, describe_failed
from orchestration.attempts.outputs import read_outputs
from orchestration.attempts.place import Assignment, Place

__all__ = ["Assignment", "Crew", "Place", "check_work", "describe_failed", "read_outputs"]
