"""`orch run-batch` on many cheap tasks, beside `xargs -P4`, `make -j4` and a C loop of `posix_spawn`."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.measuring import Runner, median, median_ratio, rounds
from bench.reporting import Row

_SPAWN_LOOP = r"""
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
extern char **environ;
int main(int argc, char **argv) {
    int left = atoi(argv[1]), running = 0, status;
    char *child[] = {"/bin/true", 0};
    while (left || running) {
        if (left && running < 4) { pid_t pid; posix_spawn(&pid, child[0], 0, 0, child, environ); left--; running++; }
        else { wait(&status); running--; }
    }
}
"""


def make_backlog(folder: Path, count: int) -> Path:
    """A project of that many independent tasks that each run `/bin/true`."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "orchestration.yaml").write_text("agents:\n  cheap: {kind: shell, command: /bin/true}\n")
    lines = "".join(f"  - {{id: T{i}, agent: cheap}}\n" for i in range(count))
    (folder / "tasks" / "all.yaml").write_text(f"tasks:\n{lines}")
    return folder


def _peers(folder: Path, count: int) -> list[Runner]:
    peers = []
    compiler = shutil.which("cc")
    if compiler:
        source, program = folder / "spawn.c", folder / "spawn"
        source.write_text(_SPAWN_LOOP)
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
        peers.append(Runner("posix_spawn", [str(program), str(count)]))
    if shutil.which("xargs"):
        peers.append(Runner("xargs -P4", ["sh", "-c", f"seq {count} | xargs -P4 -n1 /bin/true"]))
    if shutil.which("make"):
        names = " ".join(f"t{i}" for i in range(count))
        (folder / "Makefile").write_text(f".PHONY: all {names}\nall: {names}\n{names}:\n\t@/bin/true\n")
        peers.append(Runner("make -j4", ["make", "-s", "-j4", "-C", str(folder)]))
    return peers


def _fresh(project: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(project / ".orchestration", ignore_errors=True)


def batches(orch: str, folder: Path, count: int, times: int) -> list[Row]:
    """Rows for a batch of `count` tasks, four at a time, with history and full durability."""
    project = make_backlog(folder / f"batch-{count}", count)
    argv = [orch, "-C", str(project), "--quiet", "run-batch", "--max-concurrent", "4"]
    peers = _peers(folder / f"batch-{count}", count)
    costs = rounds([Runner("orch", argv, prepare=_fresh(project)), *peers], times)
    ours = costs["orch"]
    rows = [
        Row(f"run-batch of {count:,} tasks: wall per task", median(ours, "wall") / count * 1e6, "µs"),
        Row(f"run-batch of {count:,} tasks: CPU per task, children included", median(ours, "cpu") / count * 1e6, "µs"),
        Row(f"run-batch of {count:,} tasks: peak memory", median(ours, "peak"), "MiB", goal="≤ 80 at 10,000"),
    ]
    goals = {"posix_spawn": "≤ 1.8", "xargs -P4": "≤ 1.5 at 5,000", "make -j4": "≤ 2.0"}
    for peer in peers:
        ratio = median_ratio(costs, "orch", peer.name)
        rows.append(Row(f"run-batch of {count:,} tasks ÷ {peer.name}", ratio, "times", goal=goals[peer.name]))
    return rows
