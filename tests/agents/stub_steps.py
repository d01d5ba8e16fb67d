"""What the stub model is to do, written as one segment of its base URL.

    write~path=hello.txt+done            a tool call that writes a file, then an answer
    429~n=2~retry_after=1+done@mine      two refusals, then an answer; counted apart from others as `mine`

Steps are joined by `+`; each has a name and `~key=value` arguments (percent-encoded where need be). Every request that
belongs to the agent's work takes the next step, `n` of them the same one; the last step serves for ever. What follows
`@` is a label: the same steps under two labels are two countings.

  done           answers `text` (default: DONE)
  write          calls the tool that writes `path` (hello.txt) with `content`, else the shell
  shell          calls the shell tool with `cmd`
  slow           answers in `ticks` (20) pieces, `gap` (0.25) seconds apart
  empty          a well-formed answer without any text
  garbage        status 200 and something that is no answer at all
  cut, stall     begins to answer, then drops the connection / then falls silent for `secs` (600)
  hang           accepts the request and falls silent for `secs` (600)
  inside         status 200, begins to answer, then an error event; `code` chooses which
  context        status 400: the prompt is longer than the model's window
  400 … 599      that status; `retry_after` (seconds) and `reset` (seconds from now) say when a limit ends
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

FAILING = frozenset({"hang", "garbage", "context"})
ANSWERING = frozenset({"done", "write", "shell", "slow", "empty", "cut", "stall", "inside"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario."""

    name: str
    args: Mapping[str, str] = field(default_factory=dict)

    def word(self, key: str, default: str) -> str:
        """An argument as it stands."""
        return self.args.get(key, default)

    def number(self, key: str, default: float) -> float:
        """An argument as a number."""
        return float(self.args.get(key, default))

    @property
    def times(self) -> int:
        """How many requests this step serves, unless it is the last."""
        return int(self.number("n", 1))


def step(name: str, **args: object) -> str:
    """One step as text, for a base URL."""
    known = name in FAILING or name in ANSWERING or (name.isdigit() and 400 <= int(name) <= 599)
    if not known:
        raise ValueError(f"the stub model knows no step {name!r}")
    quoted = {key: quote(str(value), safe="").replace("~", "%7E") for key, value in args.items()}
    return "~".join([name, *(f"{key}={value}" for key, value in quoted.items())])


def parse(segment: str) -> tuple[Step, ...]:
    """The steps of a segment; its label is not looked at."""
    steps = []
    for text in segment.partition("@")[0].split("+"):
        name, *pairs = text.split("~")
        split = (pair.partition("=") for pair in pairs)
        args = {key: unquote(value) for key, _, value in split}
        step(name)  # refuses what it does not know
        steps.append(Step(name, args))
    return tuple(steps)


def step_at(steps: tuple[Step, ...], index: int) -> Step:
    """The step that serves request number `index`, counted from 0."""
    for one in steps[:-1]:
        if index < one.times:
            return one
        index -= one.times
    return steps[-1]
