"""Reports of scripts as text: what is one, what is plain text, and what was meant to be one."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.executors._report import BadReport, ScriptReport, read_report
from orchestration.kinds import Failure

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(text: str, *, cut: bool = False) -> ScriptReport:
    report = read_report(text, cut=cut)
    assert report is not None
    return report


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "success", "output": "done"}',
        '\n  {"status": "success", "output": "done"}\n\n',
        '\ufeff{"status": "success", "output": "done"}\r\n',
        'noise\n\ufeff{"status": "success", "output": "done"}',
        json.dumps({"status": "success", "output": "done"}, indent=2),
        json.dumps({"status": "success", "outputs": {"a": {"b": 1}}, "output": "done"}, indent=0),
        'noise\nmore noise {"status": 5}\n{"status": "success", "output": "done"}\n',
        'noise\n{\n  "status": "success",\n  "outputs": {\n    "a": 1\n  },\n  "output": "done"\n}\n',
        '{"status": "failed"}\n{"status": "success", "output": "done"}',
        'int main()\n{\n  return 0;\n}\n{"output": "done"}',
    ],
)
def test_a_report_is_found(text: str) -> None:
    report = read(text)
    assert report.claims_success
    assert report.output == "done"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "done",
        "5",
        '["status"]',
        '{"answer": 42}',
        "{not json}",
        "int main()\n{\n  return 0;\n}",
        '{"status": "failed"} is what it said',
        'it said: {"status": "failed"}',
    ],
)
def test_what_is_no_report_is_plain_text(text: str) -> None:
    if text.startswith('{"status"'):
        with pytest.raises(BadReport):  # it may have said that it failed, so it does not pass for text
            read_report(text, cut=False)
    else:
        assert read_report(text, cut=False) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"status": "failed", "error": "a "quote""}', "no valid JSON"),
        ('{"status": "failed"', "no valid JSON"),
        ('noise\n{"status": "failed",}', "no valid JSON"),
        ('{"status": "success", "usage": {"cost_usd": NaN}}', "NaN is no JSON"),
        ('{"status": "success", "output": "\\ud800"}', "no valid JSON"),
        ('{"status": "success", "outputs": ' + 200 * "[" + 200 * "]" + "}", "more than 100 levels"),
        ('{"status": "success", "outputs": ' + 100_000 * "[" + 100_000 * "]" + "}", "no valid JSON"),
        ('{"status": "maybe"}', "status in the report on stdout is 'maybe'; it must be one of success, failed"),
        ('{"status": "cancelled"}', "status"),
        ('{"status": 1}', "status in the report on stdout must be text, not 1"),
        ('{"failure": "unheard_of"}', "failure in the report on stdout is 'unheard_of'"),
        ('{"status": "what", "failure": "auth"}', "status"),
        ('{"failure": "lost"}', "failure"),
        ('{"output": ["a"]}', 'output in the report on stdout must be text, not ["a"]'),
        ('{"error": {}}', "error"),
        ('{"outputs": [1]}', "outputs in the report on stdout must be an object, not [1]"),
        ('{"outputs": "a=1"}', "outputs"),
        ('{"outputs": {"a": [1e999]}}', "outputs in the report on stdout cannot be kept: a number is out of range"),
        ('{"model": 3}', "model"),
        ('{"usage": 5}', "usage in the report on stdout must be an object"),
        ('{"usage": {"input_tokens": "many"}}', "usage.input_tokens in the report on stdout must be a whole number"),
        ('{"usage": {"input_tokens": -1}}', "usage.input_tokens"),
        ('{"usage": {"requests": true}}', "usage.requests"),
        ('{"usage": {"output_tokens": 1.5}}', "usage.output_tokens"),
        (
            '{"usage": {"input_tokens": 10000000000000000}}',
            "usage.input_tokens in the report on stdout must be a whole",
        ),
        (
            '{"usage": {"cost_usd": 1e308}}',
            "usage.cost_usd in the report on stdout must be a number of dollars, not 1e+308",
        ),
        ('{"usage": {"cost_usd": "1$"}}', "usage.cost_usd in the report on stdout must be a number of dollars"),
        ('{"usage": {"cost_usd": 1e999}}', "usage.cost_usd"),
    ],
)
def test_a_report_that_cannot_be_read_is_told_with_its_field(text: str, said: str) -> None:
    with pytest.raises(BadReport) as caught:
        read_report(text, cut=False)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('{"status": "OK"}', None),
        ('{"status": "done", "error": "only a warning"}', None),
        ('{"outputs": {}}', None),
        ('{"error": ""}', None),
        ('{"error": "no"}', Failure.EXIT_CODE),
        ('{"status": "Failed "}', Failure.EXIT_CODE),
        ('{"status": "error"}', Failure.EXIT_CODE),
        ('{"status": "rate_limited"}', Failure.RATE_LIMITED),
        ('{"status": "failed", "failure": "auth"}', Failure.AUTH),
        ('{"status": "success", "failure": "no_change"}', Failure.NO_CHANGE),
        ('{"failure": "budget"}', Failure.BUDGET),
    ],
)
def test_a_report_names_its_kind_of_failure(text: str, failure: Failure | None) -> None:
    assert read(text).failure is failure


def test_everything_a_report_says_is_kept() -> None:
    usage = {"input_tokens": 10, "output_total": 5, "cached_read": 3, "requests": 2, "cost_usd": 0.5, "extra": "kept"}
    text = {"status": "ok", "outputs": {"a": [1]}, "model": "m", "usage": usage, "error": "careful", "more": {"x": 1}}
    report = read(json.dumps(text))
    assert report.usage is not None
    assert (report.usage.input_total, report.usage.output_total, report.usage.cached_read) == (10, 5, 3)
    assert (report.usage.requests, report.usage.cost_usd, report.usage.source) == (2, 0.5, "reported")
    assert report.usage.raw == usage
    assert (report.outputs, report.model, report.error, report.others) == (
        {"a": [1]},
        "m",
        "careful",
        {"more": {"x": 1}},
    )


def test_line_ends_inside_texts_are_forgiven() -> None:
    report = read('{"status": "failed", "error": "line 1\nline 2\n{x"}')
    assert report.error == "line 1\nline 2\n{x"


def test_a_report_of_which_the_beginning_is_missing_is_no_text() -> None:
    with pytest.raises(BadReport, match="longer than what is kept"):
        read_report('xxxx", "status": "success"}', cut=True)
    assert read_report("plain text of many lines", cut=True) is None
    assert read('lots of noise}\n{"status": "failed"}', cut=True).failure is Failure.EXIT_CODE


@given(st.text())
def test_any_text_is_a_report_or_text_or_refused(text: str) -> None:
    for candidate in (text, "{" + text + "}", '{"status": "' + text + '"}'):
        with suppress(BadReport):
            report = read_report(candidate, cut=False)
            assert report is None or isinstance(report, ScriptReport)


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5), st.text(alphabet="ab {}\n", max_size=20))
def test_outputs_come_through_unchanged_whatever_stands_before(outputs: dict[str, object], noise: str) -> None:
    text = f"{noise}\n{json.dumps({'status': 'success', 'outputs': outputs})}\n"
    assert read(text).outputs == outputs
