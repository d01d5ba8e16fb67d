"""Who belongs to a tree: the table of processes as it is read, and the rules."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.process.table import Entry, parse_ps, parse_stat, read_entry, read_table, ticks_since_boot
from orchestration.process.tree import members
from tests.world.processes import ENVIRONMENT, PYTHON, linux_only

REST = "4194304 0 0 0 0 0 0 0 0 20 0 {threads} 0 {born} 1 2 3"


def stat_line(name: str, state: str = "S", threads: int = 1) -> bytes:
    return f"42 ({name}) {state} 7 8 9 0 -1 {REST.format(threads=threads, born=1234)}\n".encode()


@pytest.mark.parametrize("name", ["sh", "a b", "a) S 1 1 1", "((", "))", "", "tab\there", "(sd-pam)"])
def test_a_name_may_hold_anything(name: str) -> None:
    assert parse_stat(stat_line(name)) == Entry(42, 7, 8, 9, 1234, dead=False)


@pytest.mark.parametrize(
    ("state", "threads", "dead"),
    [("R", 1, False), ("D", 1, False), ("T", 1, False), ("Z", 1, True), ("X", 0, True), ("Z", 2, False)],
)
def test_a_zombie_is_dead_unless_threads_of_it_live(state: str, threads: int, dead: bool) -> None:
    assert parse_stat(stat_line("sh", state, threads)).dead is dead


def test_the_table_of_ps_is_read_where_there_is_no_other() -> None:
    text = b"    1     0     1 Ss\n  42     1    40 Z+\n 43 42 40 S<l\nnonsense\n"
    assert list(parse_ps(text)) == [
        Entry(1, 0, 1, 1, 0, dead=False),
        Entry(42, 1, 40, 40, 0, dead=True),
        Entry(43, 42, 40, 40, 0, dead=False),
    ]


@linux_only
def test_ps_tells_what_proc_tells() -> None:
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], capture_output=True, check=True).stdout
    ours = next(entry for entry in parse_ps(told) if entry.pid == os.getpid())
    ourselves = read_entry(os.getpid())
    assert ourselves is not None
    assert (ours.parent, ours.group, ours.dead) == (ourselves.parent, ourselves.group, False)


@linux_only
def test_we_are_in_the_table_with_our_birth() -> None:
    before = ticks_since_boot()
    with subprocess.Popen(["sleep", "60"], env=ENVIRONMENT) as child:
        entry = next(entry for entry in read_table() if entry.pid == child.pid)
        assert before <= entry.born <= ticks_since_boot()
        assert (entry.parent, entry.session, entry.dead) == (os.getpid(), os.getsid(0), False)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ended = read_entry(child.pid)
        assert ended is not None
        assert ended.dead
    assert read_entry(child.pid) is None


@linux_only
def test_a_process_whose_first_thread_has_ended_is_alive() -> None:
    code = """
import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen([*PYTHON, code], env=ENVIRONMENT) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        while ") Z " not in stat.read_text():
            assert child.poll() is None
            time.sleep(0.01)
        entry = read_entry(child.pid)
        assert entry is not None
        assert not entry.dead
        child.send_signal(signal.SIGKILL)


def entry(pid: int, parent: int, session: int) -> Entry:
    return Entry(pid, parent, session, session, born=pid, dead=False)


def found(table: list[Entry], roots: set[int], sessions: set[int]) -> set[int]:
    return {entry.pid for entry in members(table, roots, sessions)}


def test_children_and_theirs_belong_to_a_tree() -> None:
    table = [entry(10, 1, 10), entry(11, 10, 10), entry(12, 11, 10), entry(20, 1, 20), entry(21, 20, 20)]
    assert found(table, {10}, set()) == {10, 11, 12}


def test_who_lost_its_parent_is_found_by_its_session() -> None:
    table = [entry(11, 1, 10), entry(12, 11, 12), entry(13, 1, 99)]
    assert found(table, set(), {10}) == {11, 12}


def test_a_session_made_by_a_member_belongs_to_the_tree_with_all_in_it() -> None:
    table = [entry(10, 1, 10), entry(11, 10, 11), entry(12, 1, 11)]
    assert found(table, {10}, set()) == {10, 11, 12}


def test_a_session_that_a_member_was_only_put_into_does_not() -> None:
    table = [entry(10, 1, 5), entry(5, 1, 5), entry(6, 5, 5)]
    assert found(table, {10}, set()) == {10}


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=12),
    st.sets(st.integers(1, 12), max_size=3),
    st.sets(st.integers(1, 12), max_size=3),
)
def test_members_are_the_least_set_that_is_closed_under_the_rules(
    shape: list[tuple[int, int]], roots: set[int], sessions: set[int]
) -> None:
    table = [entry(pid, parent, session) for pid, (parent, session) in enumerate(shape, start=1)]
    expected: set[int] = set()
    while True:
        more = {
            one.pid
            for one in table
            if one.pid in roots or one.session in sessions or one.parent in expected or one.session in expected
        }
        if more == expected:
            break
        expected = more
    assert found(table, roots, sessions) == expected
