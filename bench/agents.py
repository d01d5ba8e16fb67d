"""Many scripted agents at once, each with a stream of a megabyte: time, memory, and whether a line was lost.

The agents are real programs, started and read as any agent is. Beside them: the same programs by `xargs -P`, whose
output goes to files and is read by nobody.
"""

import shlex
import shutil
from pathlib import Path

from bench.measuring import Runner, median, median_ratio, rounds
from bench.reporting import Row
from orchestration.scripted import document, program

LINES = 1_000
SCRIPT = [{"flood": 1}, "final"]


class LostLines(Exception):
    """A log of an agent does not have every line that the agent wrote."""


def make_backlog(folder: Path, count: int) -> Path:
    """A project of so many independent tasks for the agent that floods."""
    (folder / "tasks").mkdir(parents=True)
    settings = "agents:\n  flood: {kind: scripted, script: [{flood: 1}, final]}\n"
    (folder / "orchestration.yaml").write_text(settings)
    lines = "".join(f"  - {{id: T{i}, agent: flood}}\n" for i in range(count))
    (folder / "tasks" / "all.yaml").write_text(f"tasks:\n{lines}")
    return folder


def _peer(folder: Path, count: int, at_once: int) -> Runner:
    script, start = folder / "script.json", folder / "start.sh"
    script.write_text(document(SCRIPT))
    words = shlex.join([*program(), "--script", str(script)])
    start.write_text(f"exec {words} </dev/null >{shlex.quote(str(folder))}/out.$(($1 % {at_once}))\n")
    line = f"seq {count} | xargs -P{at_once} -n1 sh {shlex.quote(str(start))}"
    return Runner(f"xargs -P{at_once}", ["sh", "-c", line])


def _check(project: Path, count: int) -> None:
    """Count the lines of all logs.

    Raises:
        LostLines: there are fewer, or more, than were written.
    """
    logs = list((project / ".orchestration" / "runs").glob("*/*/*/stdout.log"))
    found = sum(log.read_bytes().count(b"\n") for log in logs)
    if len(logs) != count or found != count * (LINES + 2):
        raise LostLines(f"{found:,} lines in {len(logs):,} logs")


def agents(orch: str, folder: Path, count: int, at_once: int) -> list[Row]:
    """Rows for so many agents, so many at once.

    Raises:
        LostLines: see there.
    """
    project = make_backlog(folder / f"agents-{count}", count)
    argv = [orch, "-C", str(project), "--quiet", "run-batch", "--max-concurrent", str(at_once)]
    state = project / ".orchestration"
    ours = Runner("orch", argv, prepare=lambda: shutil.rmtree(state, ignore_errors=True))
    peers = [_peer(project, count, at_once)] if shutil.which("xargs") else []
    costs = rounds([ours, *peers], 1)
    _check(project, count)
    what = f"{count:,} agents of 1 MB, {at_once} at once"
    rows = [
        Row(f"{what}: wall per agent", median(costs["orch"], "wall") / count * 1e3, "ms"),
        Row(f"{what}: CPU per agent, children included", median(costs["orch"], "cpu") / count * 1e3, "ms"),
        Row(f"{what}: peak memory", median(costs["orch"], "peak"), "MiB"),
    ]
    rows += [Row(f"{what} ÷ {peer.name}", median_ratio(costs, "orch", peer.name), "times") for peer in peers]
    shutil.rmtree(project)
    return rows
