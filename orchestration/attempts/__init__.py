"""One attempt from its task to its checked outcome: prompt, environment, folder, setup, agent, outputs, checks."""

from orchestration.attempts.crew import Assignment, Crew, Place, check_work, describe_failed
from orchestration.attempts.outputs import read_outputs

__all__ = ["Assignment", "Crew", "Place", "check_work", "describe_failed", "read_outputs"]
