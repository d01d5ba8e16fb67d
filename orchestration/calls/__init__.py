"""Calling functions of others in our own process: driven within limits, in threads, with what they print kept apart."""

from orchestration.calls.computing import computed
from orchestration.calls.drive import NO_LIMITS, NOT_BEGUN, Drive, Limits
from orchestration.calls.handing import HandOver, ended_with_thread, in_thread
from orchestration.calls.naming import is_async, is_async_generator, name_of
from orchestration.calls.printing import Beside, Printed, listening_to_prints, printed_into
from orchestration.calls.threads import MAX_THREADS, Ended, Threads, giving_way, refuse_late
from orchestration.forked import begin_anew_in_children, generation, leave_if_forked, leave_instead_of_waiting

__all__ = [
    "MAX_THREADS",
    "NOT_BEGUN",
    "NO_LIMITS",
    "Beside",
    "Drive",
    "Ended",
    "HandOver",
    "Limits",
    "Printed",
    "Threads",
    "begin_anew_in_children",
    "computed",
    "ended_with_thread",
    "generation",
    "giving_way",
    "in_thread",
    "is_async",
    "is_async_generator",
    "leave_if_forked",
    "leave_instead_of_waiting",
    "listening_to_prints",
    "name_of",
    "printed_into",
    "refuse_late",
]
