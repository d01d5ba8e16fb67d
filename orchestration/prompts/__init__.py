"""Tasks and what is known so far → the exact words that go out: prompts, values of inputs, decisions of conditions."""

from orchestration.prompts.task_prompt import prompt_for, type_of
from orchestration.prompts.templates import check_syntax, evaluate, render, render_value

__all__ = ["check_syntax", "evaluate", "prompt_for", "render", "render_value", "type_of"]
