"""Pipelines: steps one after the other, beside each other, for each item, by choice; run by the one engine.

A pipeline describes and holds no state, so any number of runs of it can go on at once.
"""

from orchestration.pipeline.composites import Conditional, Loop, Map, Parallel
from orchestration.pipeline.notebook import NotebookTask
from orchestration.pipeline.pipeline import AsyncPipeline
from orchestration.pipeline.tasks import AgentStep, AsyncPythonTask, PythonTask, ShellTask
from orchestration.pipeline.types import task_type

__all__ = [
    "AgentStep",
    "AsyncPipeline",
    "AsyncPythonTask",
    "Conditional",
    "Loop",
    "Map",
    "NotebookTask",
    "Parallel",
    "PythonTask",
    "ShellTask",
    "task_type",
]
