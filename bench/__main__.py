"""Takes all figures and writes `bench/RESULTS.md`; `--quick` takes fewer rounds and writes nothing."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from bench.agents import agents
from bench.batches import batches
from bench.flows import flows
from bench.graphs import graphs
from bench.loading import loading
from bench.pipelines import pipelines
from bench.profiling import profile
from bench.reporting import page
from bench.resuming import resuming
from bench.startup import startup
from bench.steps import steps


def main() -> None:
    """Measure everything; takes some minutes."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only print, from a few rounds, in a minute")
    quick = parser.parse_args().quick
    orch = str(Path(sys.executable).with_name("orch"))
    memory = Path("/dev/shm")  # noqa: S108  # state on tmpfs, so that the disk's mood does not count
    folder = Path(tempfile.mkdtemp(prefix="orch-bench-", dir=memory if memory.is_dir() else None))
    try:
        sections = [
            ("Start-up", startup(orch, folder, 3 if quick else 15)),
            ("Batches of tasks that do nothing", batches(orch, folder, 1_000, 1 if quick else 5)),
            ("Many dependencies", graphs(orch, folder, 1 if quick else 9)),
            ("Agents that write a lot", agents(orch, folder, 100, 20) if quick else agents(orch, folder, 1_000, 50)),
            ("Steps in this process", [*steps(folder), *flows(folder), *pipelines(folder)]),
            ("Loading", loading(folder)),
            ("Going on", resuming(orch, folder, 1_000 if quick else 10_000, 1 if quick else 5)),
        ]
        if not quick:
            sections.insert(2, ("A large batch", batches(orch, folder, 10_000, 1)))
        text = page(sections, profile(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(text)
    if not quick:
        Path(__file__).with_name("RESULTS.md").write_text(text)


main()
