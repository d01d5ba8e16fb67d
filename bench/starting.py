"""Run as a program by `measuring`: executes the command that it is given, and prints as JSON what that cost.

It imports next to nothing, because what it is when the command begins counts as the command's memory.
"""

import os
import resource
import signal
import sys
import time


def main() -> None:
    """Start it, wait for it, tell."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    silent = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
    began = time.perf_counter()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent, setsigdef=[signal.SIGPIPE])
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - began
    all_of_it = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    code, cpu = os.waitstatus_to_exitcode(status), all_of_it.ru_utime + all_of_it.ru_stime
    sys.stdout.write(f'{{"code": {code}, "wall": {wall!r}, "cpu": {cpu!r}, "peak": {peak!r}}}\n')


main()
