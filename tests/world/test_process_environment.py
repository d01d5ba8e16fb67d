"""What a child may see of an environment."""

from hypothesis import given
from hypothesis import strategies as st

from orchestration.process import child_environment

SOURCE = {
    "PATH": "/bin",
    "HOME": "/nobody",
    "LC_ALL": "C",
    "XDG_CACHE_HOME": "/cache",
    "https_proxy": "http://proxy",
    "HTTPS_PROXY": "http://PROXY",
    "NODE_EXTRA_CA_CERTS": "/certs",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "ANTHROPIC_API_KEY": "key",
    "PYTHONPATH": "/lib",
    "LD_PRELOAD": "/lib/x.so",
    "ORCH_ATTEMPT_ID": "outer/task/1",
}


def test_only_harmless_names_pass() -> None:
    assert child_environment(SOURCE) == {
        "PATH": "/bin",
        "HOME": "/nobody",
        "LC_ALL": "C",
        "XDG_CACHE_HOME": "/cache",
        "https_proxy": "http://proxy",
        "HTTPS_PROXY": "http://PROXY",
        "NODE_EXTRA_CA_CERTS": "/certs",
    }


def test_a_named_variable_passes_if_it_is_there() -> None:
    chosen = child_environment(SOURCE, allow=["ANTHROPIC_API_KEY", "NOT_THERE"])
    assert chosen["ANTHROPIC_API_KEY"] == "key"
    assert "NOT_THERE" not in chosen


def test_what_is_added_wins() -> None:
    chosen = child_environment(SOURCE, extra={"PATH": "/mine", "ORCH_TASK_ID": "T"})
    assert (chosen["PATH"], chosen["ORCH_TASK_ID"]) == ("/mine", "T")
    assert SOURCE["PATH"] == "/bin"


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8)),
    st.lists(st.text(max_size=8), max_size=3),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
def test_nothing_passes_that_was_not_allowed_named_or_added(
    source: dict[str, str], allow: list[str], extra: dict[str, str]
) -> None:
    chosen = child_environment(source, allow, extra)
    assert extra.items() <= chosen.items()
    for name in chosen.keys() - extra.keys():
        assert chosen[name] == source[name]
        assert name in allow or name in child_environment({name: ""})
