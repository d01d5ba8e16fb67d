"""Flows: dependency graphs of functions, each step started when those that it waits for have ended.

A flow describes and holds no state; an executor has the capacity, the tools and the cache that its runs share.
"""

from orchestration.flow.executor import AsyncFlowExecutor, FlowExecutor
from orchestration.flow.flow import Flow
from orchestration.flow.reading import load_flow
from orchestration.flow.steps import FlowStep, Ref, ref

__all__ = ["AsyncFlowExecutor", "Flow", "FlowExecutor", "FlowStep", "Ref", "load_flow", "ref"]
