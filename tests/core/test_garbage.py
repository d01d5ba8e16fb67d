"""The collector waits while something is built, and is afterwards as it was."""

import gc
import os
import threading
from collections.abc import Iterator

import pytest

from orchestration.garbage import uncollected

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave it switched on, whatever a test does."""
    gc.enable()
    yield
    gc.enable()


def test_it_waits_and_goes_on() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the outer piece goes on"
    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be built"), uncollected():
        raise ValueError("cannot be built")
    assert gc.isenabled()


def test_who_has_switched_it_off_stays_without_it() -> None:
    gc.disable()
    with uncollected():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_the_last_of_several_threads_lets_it_go_on() -> None:
    """One that began while another one's piece was about to end left it off for good."""
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()
    seen: list[bool] = []

    def first() -> None:
        with uncollected():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    def second() -> None:
        first_is_in.wait(10)
        with uncollected():
            second_is_in.set()
            first_is_out.wait(10)
            seen.append(gc.isenabled())

    threads = [threading.Thread(target=one) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [False], "the second one still builds"
    assert gc.isenabled()


def test_a_child_that_is_forked_meanwhile_collects_as_its_parent_does() -> None:
    begun, let_go = threading.Event(), threading.Event()

    def build() -> None:
        with uncollected():
            begun.set()
            let_go.wait(PATIENCE)

    building = threading.Thread(target=build)
    building.start()
    assert begun.wait(PATIENCE)
    child = os.fork()
    if not child:
        is_well = gc.isenabled()
        with uncollected():
            is_well = is_well and not gc.isenabled()
        os._exit(0 if is_well and gc.isenabled() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not gc.isenabled()
    let_go.set()
    building.join()
    assert gc.isenabled()
