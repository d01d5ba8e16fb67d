"""What has to come of every trick of the scripted agent under every policy.

A cell is the task's state, or its kind of failure, and behind a stroke the number of its attempts if it is not one.
"""

from typing import Any, Final

SILENCE: Final = {"idle_timeout": 2, "timeout": 6}
"""Seconds after which an agent is ended that says nothing, or too much: many times what the others need."""

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "alone": SILENCE,
    "retried": {**SILENCE, "retry": {"max": 2, "backoff": 0}},
    "timed": {"timeout": 4},
    "verified": {**SILENCE, "verify": ['test -f "scripted-$ORCH_TASK_ID.txt"']},
    "refuted": {**SILENCE, "verify": ["false"]},
}
"""Fields of the task: nothing but an end to silence; a retry; a time limit only; a check that asks for the work; a
check that says no to everything."""

LIMITED: Final = (
    "rate_limited",
    "rate_limited_until",
    "rate_limited_until_epoch",
    "rate_limited_without_reset",
    "rate_limit_hidden",
)
"""Tricks that never come out of their limit: nobody waits for it."""

CODES: Final = {"success": 0, "budget": 3, "rate_limited": 75}
"""Exit codes of runs in which every task comes to such an end; all others are 1."""

TABLE: Final = """
works                      success          success          success          success          check_failed
works_slowly               success          success          success          success          check_failed
works_through_a_loader     success          success          success          success          check_failed
fails                      exit_code        exit_code/2      exit_code        exit_code        exit_code
fails_without_a_word       exit_code        exit_code/2      exit_code        exit_code        exit_code
fails_first                exit_code        success/2        exit_code        exit_code        exit_code
fails_twice_first          exit_code        exit_code/2      exit_code        exit_code        exit_code
retries_by_itself          success          success          success          success          check_failed
begins_anew                success          success          success          success          check_failed
forgets_the_session        success          success          success          success          check_failed
claims_without_work        success          success          success          check_failed     check_failed
exits_0_saying_nothing     invalid_output   invalid_output   invalid_output   invalid_output   invalid_output
answers_nothing            no_output        no_output        no_output        no_output        no_output
has_no_final_event         invalid_output   invalid_output   invalid_output   invalid_output   invalid_output
good_but_exit_1            exit_code        exit_code/2      exit_code        exit_code        exit_code
fails_then_is_good         exit_code        exit_code/2      exit_code        exit_code        exit_code
good_then_fails            exit_code        exit_code/2      exit_code        exit_code        exit_code
failed_but_exit_0          exit_code        exit_code/2      exit_code        exit_code        exit_code
crashes                    crashed          crashed/2        crashed          crashed          crashed
crashes_after_final        crashed          crashed/2        crashed          crashed          crashed
is_killed_in_a_line        crashed          crashed/2        crashed          crashed          crashed
hangs_from_the_start       idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
hangs_midway               idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
hangs_after_final          success          success          success          success          check_failed
hangs_after_failed_final   exit_code        exit_code/2      exit_code        exit_code        exit_code
hangs_deaf_after_final     success          success          success          success          check_failed
babbles_for_ever           timeout          timeout/2        timeout          timeout          timeout
ignores_term               idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
exits_0_at_term            idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
finishes_at_term           success          success          success          success          check_failed
floods                     success          success          success          success          check_failed
floods_stderr              success          success          success          success          check_failed
long_line                  success          success          success          success          check_failed
long_line_of_noise         success          success          success          success          check_failed
noise_between              success          success          success          success          check_failed
noise_only                 invalid_output   invalid_output   invalid_output   invalid_output   invalid_output
half_line                  invalid_output   invalid_output   invalid_output   invalid_output   invalid_output
half_final                 invalid_output   invalid_output   invalid_output   invalid_output   invalid_output
split_utf8                 success          success          success          success          check_failed
bad_utf8                   success          success          success          success          check_failed
unknown_events             success          success          success          success          check_failed
writes_to_stderr           success          success          success          success          check_failed
reads_stdin_slowly         success          success          success          success          check_failed
ignores_stdin              success          success          success          success          check_failed
closes_stdin               success          success          success          success          check_failed
rate_limited               rate_limited     rate_limited     rate_limited     rate_limited     rate_limited
rate_limited_until         rate_limited     rate_limited     rate_limited     rate_limited     rate_limited
rate_limited_until_epoch   rate_limited     rate_limited     rate_limited     rate_limited     rate_limited
rate_limited_without_reset rate_limited     rate_limited     rate_limited     rate_limited     rate_limited
rate_limit_hidden          rate_limited     rate_limited     rate_limited     rate_limited     rate_limited
rate_limited_first         success/2        success/2        success/2        success/2        check_failed/2
auth_error                 auth             auth             auth             auth             auth
context_overflow           exit_code        exit_code/2      exit_code        exit_code        exit_code
max_turns                  exit_code        exit_code/2      exit_code        exit_code        exit_code
out_of_budget              budget           budget           budget           budget           budget
overloaded                 exit_code        exit_code/2      exit_code        exit_code        exit_code
permission_refused         permission       permission       permission       permission       permission
leaves_child               success          success          success          success          check_failed
leaves_session             success          success          success          success          check_failed
leaves_daemon              success          success          success          success          check_failed
leaves_nohup               success          success          success          success          check_failed
leaves_deaf_daemon         success          success          success          success          check_failed
leaves_many                success          success          success          success          check_failed
holds_stdout               success          success          success          success          check_failed
hangs_with_children        idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
hangs_in_a_tool            idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
hangs_behind_a_loader      idle_timeout     idle_timeout     timeout          idle_timeout     idle_timeout
leaks                      success          success          success          success          check_failed
leaks_split                success          success          success          success          check_failed
leaks_on_stderr            success          success          success          success          check_failed
leaks_split_on_stderr      success          success          success          success          check_failed
leaks_as_noise             success          success          success          success          check_failed
leaks_in_answer            success          success          success          success          check_failed
leaks_in_output            success          success          success          success          check_failed
leaks_in_error             exit_code        exit_code/2      exit_code        exit_code        exit_code
"""

ROWS: Final = {cells[0]: tuple(cells[1:]) for line in TABLE.strip().splitlines() if (cells := line.split())}
"""Trick → its cells, in the order of the policies."""
