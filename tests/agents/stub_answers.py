"""What the stub model says at a step: text, or a tool to call. Pure."""

import shlex

from tests.agents.stub_asked import Asked
from tests.agents.stub_steps import Step
from tests.agents.stub_wires import Answer


def answer_of(asked: Asked, step: Step, number: int) -> Answer:
    """What the model says at this step."""
    if step.name == "slow":
        ticks = tuple(f"tick {tick}\n" for tick in range(int(step.number("ticks", 20))))
        return Answer(number, (*ticks, step.word("text", "DONE")))
    if step.name == "empty":
        return Answer(number, ())
    if step.name in {"write", "shell"}:
        return _work(asked, step, number)
    text = step.word("text", "DONE")
    return Answer(number, tuple(part for part in (text[: len(text) // 2], text[len(text) // 2 :]) if part))


def _work(asked: Asked, step: Step, number: int) -> Answer:
    path, content = step.word("path", "hello.txt"), step.word("content", "hello\n")
    if asked.edits:  # an agent that uses no tools: what it writes stands in the answer
        block = f"{path}\n```\n<<<<<<< SEARCH\n=======\n{content}>>>>>>> REPLACE\n```\n"
        return Answer(number, (block, step.word("text", "DONE")))
    if step.name == "write":
        printing = "printf %s " + shlex.quote(content) + " > " + shlex.quote(path)
        call = asked.writer(path, content) or asked.shell(printing)
    else:
        call = asked.shell(step.word("cmd", "printf 'hello\\n' > hello.txt"))
    return Answer(number, (step.word("text", "working"),), call)
