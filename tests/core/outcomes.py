"""Made-up outcomes, and whatever else can stand in JSON."""

from hypothesis import strategies as st

from orchestration.kinds import Failure
from orchestration.results import CheckResult, Outcome, Usage

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.text(max_size=5)  # the second has halves of characters
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
json_dicts = st.dictionaries(texts, json_values, max_size=3)
counts = st.integers(0, 10**12)
seconds = st.floats(0, 1e9)

usages = st.builds(
    Usage,
    input_total=counts,
    cached_read=counts,
    cache_write=counts,
    output_total=counts,
    reasoning=counts,
    requests=counts,
    cost_usd=st.none() | seconds,
    source=st.sampled_from(["reported", "computed", "unknown"]),
    raw=st.none() | json_dicts,
)
checks = st.builds(
    CheckResult,
    kind=st.sampled_from(["verify", "deliverable", "output", "setup"]),
    name=texts,
    passed=st.booleans(),
    exit_code=st.none() | st.integers(0, 255),
    duration_seconds=seconds,
    log=texts,
)
outcomes = st.builds(
    Outcome,
    failure=st.none() | st.sampled_from(Failure),
    error=st.none() | texts,
    output=texts,
    output_file=st.none() | texts,
    outputs=json_dicts,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    ended_by=st.none() | texts,
    claim=st.none() | texts,
    checks=st.lists(checks, max_size=2).map(tuple),
    usage=st.none() | usages,
    session_id=st.none() | texts,
    log_path=st.none() | texts,
    abandoned=st.booleans(),
    needs_input=st.booleans(),
    prompt=st.none() | texts,
    metadata=json_dicts,
)
