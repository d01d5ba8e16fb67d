"""What is recorded of each agent: the scenarios, and the words that an agent is started with in each.

The words are written out here, apart from the adapters, so that a transcript shows what the agent does and not what an
adapter believes.
"""

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.agents import hermetic
from tests.agents.hermetic import MODELS
from tests.agents.stub_steps import step

QUICK = ("codex", "claude-code")
JSON = ("codex", "claude-code", "opencode")
EVERY = (*JSON, "aider")

# A tool that is still at work when its agent is ended, and that says when it has begun.
BEGUN = "tool-begun"
LONG_TOOL = f"touch {BEGUN}; exec tail -f /dev/null"


@dataclass(frozen=True, slots=True)
class Start:
    """How an agent is started."""

    permission: str = "all"  # read, write or all
    own_retries: bool = False
    session: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One recording: the model's steps, how the agent is started, and how it is ended if it does not end by itself."""

    name: str
    steps: tuple[str, ...]
    agents: Sequence[str] = EVERY
    start: Start = field(default_factory=Start)
    resumes: bool = False  # a second run in the session of a first one, which answers "FIRST"
    without_key: bool = False
    stop: signal.Signals | None = None  # sent once the case is where it should be: the tool begun, or the request there
    in_tool: bool = False
    seconds: float = 50.0  # ended by SIGTERM after this time, as a limit of ours would do it
    limit: str = "timeout"  # which limit that would be
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # more words, by agent


def _mute(name: str) -> Case:
    return Case(name, (step(name),), seconds=8.0, limit="idle_timeout")


DONE = step("done")
QUOTA = step("429", code="insufficient_quota", text="You exceeded your current quota.")
LIMITS = (
    Case("429", (step("429"),), agents=QUICK),
    Case("429-retry-after", (step("429", retry_after=7),), agents=QUICK),
    Case("429-reset", (step("429", reset=3600),), agents=QUICK),
    Case("429-reset-days", (step("429", reset=200_000),), agents=QUICK),
    Case("429-once", (step("429", retry_after=1), DONE), start=Start(own_retries=True)),
    Case("429-long", (step("429", retry_after=1),), start=Start(own_retries=True), agents=("opencode",)),
    Case("429-long", (step("429"),), start=Start(own_retries=True), agents=("aider",), seconds=20.0),
    Case("inside-rate", (step("inside", code="rate_limit_exceeded"),), agents=QUICK),
    Case(
        "insufficient-quota",
        (step("429", code="insufficient_quota", text="You exceeded your current quota."),),
        seconds=20.0,
    ),
)
ERRORS = (
    Case("500", (step("500"),), agents=QUICK),
    Case("500-long", (step("500", retry_after=1),), start=Start(own_retries=True), agents=("opencode",)),
    Case("500-long", (step("500"),), start=Start(own_retries=True), agents=("aider",), seconds=20.0),
    Case("401", (step("401"),)),
    Case("403", (step("403"),)),
    Case("404", (step("404"),)),
    Case("context", (step("context"),), seconds=15.0),
    Case("garbage", (step("garbage"),), seconds=15.0),
    Case("empty", (step("empty"),)),
    Case("cut", (step("cut"),), seconds=15.0),
    Case("cut-once", (step("cut"), DONE), start=Start(own_retries=True), seconds=30.0),
    Case("cut-after-tool", (step("write"), step("cut")), agents=JSON, seconds=15.0),
    Case("inside", (step("inside"),), seconds=15.0),
    _mute("stall"),
    _mute("hang"),
    Case("no-key", (DONE,), without_key=True),
    Case("bad-flag", (DONE,), start=Start(extra=("--no-such-flag",))),
)
WORK = (
    Case("done", (DONE,)),
    Case("write", (step("write"), DONE)),
    Case("shell", (step("shell"), DONE), agents=JSON),
    Case("tools-3", (*(step("shell", cmd=f"echo step {n}") for n in range(3)), DONE), agents=JSON),
    Case("tool-fails", (step("shell", cmd="echo oops >&2; exit 3"), DONE), agents=JSON),
    Case("refused", (step("write"), step("done", text="I could not")), start=Start("read"), agents=JSON),
    Case("accepted", (step("write"), DONE), start=Start("write"), agents=JSON),
    Case("resume", (step("done", text="FIRST"), step("done", text="SECOND")), resumes=True, agents=JSON),
    Case("resume-lost", (DONE,), start=Start(session="00000000-0000-4000-8000-00000000dead"), agents=JSON),
    Case(
        "max-turns",
        (step("shell", cmd="true"),),
        agents=("claude-code",),
        words={"claude-code": ("--max-turns", "2")},
    ),
    Case(
        "max-budget",
        (step("shell", cmd="true"),),
        agents=("claude-code",),
        words={"claude-code": ("--max-budget-usd", "0.004")},
    ),
    Case(
        "partial",
        (step("slow", ticks=4),),
        agents=("claude-code",),
        words={"claude-code": ("--include-partial-messages",)},
    ),
)
SLOW = (step("slow", ticks=100),)
ENDED = (
    Case("term", SLOW, stop=signal.SIGTERM),
    Case("kill", SLOW, stop=signal.SIGKILL),
    Case("int", SLOW, stop=signal.SIGINT, seconds=15.0),
    Case("term-in-tool", (step("shell", cmd=LONG_TOOL), DONE), stop=signal.SIGTERM, in_tool=True, agents=JSON),
    Case("kill-in-tool", (step("shell", cmd=LONG_TOOL), DONE), stop=signal.SIGKILL, in_tool=True, agents=JSON),
)
CASES = (*WORK, *LIMITS, *ERRORS, *ENDED)


def words_of(name: str, case: Case, folder: str) -> list[str]:
    """What stands after the program in this case."""
    extra = (*case.start.extra, *case.words.get(name, ()))
    return _WORDS[name](replace(case.start, extra=extra), folder)


def environment_of(name: str, start: Start) -> dict[str, str]:
    """What an agent takes from its environment rather than from its words."""
    if name == "opencode" and start.permission == "read":
        return {"OPENCODE_PERMISSION": json.dumps({"edit": "deny", "bash": "deny"})}
    if name == "aider":
        return {"COLUMNS": "400"}  # it wraps its messages; a wide terminal keeps them whole
    if name != "claude-code":
        return {}
    return dict(hermetic.ALLOWS_ROOT) if start.own_retries else {**hermetic.ALLOWS_ROOT, "CLAUDE_CODE_MAX_RETRIES": "0"}


def _codex(start: Start, folder: str) -> list[str]:
    sandbox = {
        "read": ["-s", "read-only"],
        "write": ["-s", "workspace-write"],
        "all": ["--dangerously-bypass-approvals-and-sandbox"],
    }
    words = ["exec", "--json", "--skip-git-repo-check", "-C", folder, "-m", MODELS["codex"], *sandbox[start.permission]]
    if not start.own_retries:
        for setting in ("request_max_retries", "stream_max_retries"):
            words += ["-c", f"model_providers.stub.{setting}=0"]
    return [*words, *start.extra, *(["resume", start.session] if start.session else []), "-"]


def _claude_code(start: Start, _folder: str) -> list[str]:
    modes = {
        "read": ["--permission-mode", "dontAsk"],
        "write": ["--permission-mode", "acceptEdits"],
        "all": ["--dangerously-skip-permissions"],
    }
    words = ["-p", "--output-format", "stream-json", "--verbose", "--model", MODELS["claude-code"]]
    words += modes[start.permission]
    return [*words, *start.extra, *(["--resume", start.session] if start.session else [])]


def _opencode(start: Start, folder: str) -> list[str]:
    words = ["run", "--format", "json", "--model", MODELS["opencode"], "--dir", folder]
    if start.permission != "read":
        words.append("--auto")
    return [*words, *start.extra, *(["--session", start.session] if start.session else [])]


def _aider(start: Start, _folder: str) -> list[str]:
    quiet = ["--no-pretty", "--no-stream", "--no-check-update", "--analytics-disable", "--no-suggest-shell-commands"]
    files = ["--no-auto-commits", "--no-gitignore", "--no-show-release-notes", "--no-show-model-warnings"]
    words = ["--model", MODELS["aider"], "--yes-always", *quiet, *files]
    return [*words, *start.extra, "--message-file", "../prompt.md"]


_WORDS: Mapping[str, Callable[[Start, str], list[str]]] = {
    "codex": _codex,
    "claude-code": _claude_code,
    "opencode": _opencode,
    "aider": _aider,
}
