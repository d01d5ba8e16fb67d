"""The brand: who is born with it, who gets it later, who never loses it, and that it is nobody else's."""

import pytest

from orchestration.process.brand import WIDTH, brand_of, run_brand
from tests.world.processes import linux_only, run_script

pytestmark = linux_only

CODE = """
import asyncio, os, resource, subprocess, sys
from orchestration.process import Command, LiveChildren, become_subreaper, run_process
from orchestration.process.brand import brand_of, read_brand

BRAND = "import re; print(re.search('file locks +([0-9a-z]+)', open('/proc/self/limits').read())[1])"
DEEP = f"import os, sys; os.execve(sys.executable, [sys.executable, '-I', '-S', '-c', {BRAND!r}], {{}})"
SLOW = "import sys; sys.stdin.read()"

def python(code, n, **options):
    value = f"run/T/{n}"
    env = {"PATH": os.environ["PATH"], "ORCH_ATTEMPT_ID": value}
    marker = ("ORCH_ATTEMPT_ID", value)
    return Command((sys.executable, "-I", "-S", "-c", code), env=env, marker=marker, **options)

async def brands(count, code=BRAND):
    ends = await asyncio.gather(*(run_process(python(code, n), children=LIVE) for n in range(count)))
    return [int(end.stdout) == brand_of(f"run/T/{n}") for n, end in enumerate(ends)]

LIVE = LiveChildren()
"""


def test_a_brand_names_the_run_and_the_attempt_and_fits_into_a_limit() -> None:
    values = [f"run-{run}/T/{n}" for run in range(100) for n in range(100)]
    brands = {brand_of(value) for value in values}
    assert len(brands) == len(values)
    assert {brand >> WIDTH for brand in brands} == {run_brand(f"run-{run}/") for run in range(100)}
    assert all(0 < brand < 1 << 2 * WIDTH for brand in brands)


@pytest.mark.slow
async def test_all_are_born_with_their_own_and_keep_it_through_every_exec() -> None:
    code = "become_subreaper()\nprint(set(asyncio.run(brands(12, DEEP))), resource.getrlimit(10))"
    assert await run_script(CODE + code) == "{True} (-1, -1)\n"


async def test_the_limit_of_a_host_program_is_never_touched() -> None:
    code = """
async def main():
    watched = asyncio.create_task(run_process(python(SLOW, 1, stdin=None), children=LIVE))
    limits = set()
    while not watched.done():
        limits.add(resource.getrlimit(10))
        await asyncio.sleep(0)
    return limits

resource.setrlimit = None
print(asyncio.run(main()))
"""
    assert await run_script(CODE + code) == "{(-1, -1)}\n"


async def test_in_a_host_program_it_comes_right_after_the_start() -> None:
    code = """
async def main():
    started = asyncio.Event()
    told = "import os; print(os.getpid(), flush=True); import time; time.sleep(60)"
    pids = []
    hear = lambda _, data: (pids.append(int(data)), started.set()) and None
    task = asyncio.create_task(run_process(python(told, 1, kill_grace=0), hear, children=LIVE))
    await started.wait()
    print(read_brand(pids[0]) == brand_of("run/T/1"))
    task.cancel()
    await asyncio.wait([task])

asyncio.run(main())
"""
    assert await run_script(CODE + code) == "True\n"


async def test_a_hard_limit_that_is_too_low_leaves_it_out_and_harms_nothing() -> None:
    code = """
become_subreaper()
resource.setrlimit(10, (1000, 1000))
print(asyncio.run(brands(1)), resource.getrlimit(10))
"""
    assert await run_script(CODE + code) == "[False] (1000, 1000)\n"


async def test_a_program_that_cannot_be_started_leaves_our_limit_as_it_was() -> None:
    code = """
async def main():
    marker = ("ORCH_ATTEMPT_ID", "run/T/1")
    try:
        await run_process(Command(("no such program",), env={"PATH": "/"}, marker=marker), children=LIVE)
    except Exception as error:
        print(type(error).__name__, resource.getrlimit(10))

become_subreaper()
asyncio.run(main())
"""
    assert await run_script(CODE + code) == "AgentMissing (-1, -1)\n"
