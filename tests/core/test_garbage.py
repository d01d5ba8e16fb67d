"""The collector waits while something is built, and is afterwards as it was."""

import gc
from collections.abc import Iterator

import pytest

from orchestration.garbage import uncollected


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
