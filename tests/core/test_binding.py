"""Bindings: whose words count, what never leaves its provider, and sentences on what is missing."""

from typing import Any

import pytest

from orchestration.binding import PROVIDERS, CannotAsk, Dialect, binding_for, endpoint_for, key_variable
from orchestration.kinds import Failure
from orchestration.models import ApiAgent, ApiSettings, Binding, CliAgent


def settings(defaults: dict[str, Any] | None = None, **bindings: dict[str, Any]) -> ApiSettings:
    return ApiSettings.model_validate({"defaults": defaults or {}, "bindings": bindings})


def test_the_agents_own_fields_win_over_its_binding_and_that_over_the_defaults() -> None:
    api = settings(
        {"provider": "openai", "model": "a", "temperature": 0.1, "max_tokens": 10, "system_prompt": "d"},
        writer={"model": "b", "temperature": 0.2, "system_prompt": "b"},
        other={"model": "never"},
    )
    found = binding_for("writer", ApiAgent(temperature=0, system_prompt="own"), api)
    assert (found.provider, found.model, found.temperature, found.max_tokens) == ("openai", "b", 0, 10)
    assert found.system_prompt == "own"


def test_an_agent_of_another_kind_is_asked_at_its_binding() -> None:
    api = settings({"provider": "anthropic"}, coder={"model": "claude-x"})
    found = binding_for("coder", CliAgent(preset="codex", model="its-own-word-for-a-model"), api)
    assert (found.provider, found.model) == ("anthropic", "claude-x")


def test_settings_are_merged_key_by_key() -> None:
    api = settings({"provider": "openai", "settings": {"top_p": 1, "seed": 1}}, a={"settings": {"seed": 2}})
    found = binding_for("a", ApiAgent(settings={"stop_sequences": ["x"]}), api)
    assert found.settings == {"top_p": 1, "seed": 2, "stop_sequences": ["x"]}


def test_what_belongs_to_one_provider_never_reaches_another() -> None:
    api = settings(
        {
            "provider": "ollama",
            "base_url": "http://box:11434/v1",
            "model": "qwen3",
            "api_key_env": "BOX_KEY",
            "settings": {"extra_headers": {"X-Box": "1"}},
            "system_prompt": "Be short.",
            "max_tokens": 5,
        }
    )
    found = binding_for("a", ApiAgent(provider="anthropic", model="claude-x"), api)
    assert (found.provider, found.model, found.base_url, found.key_name, found.settings) == (
        "anthropic",
        "claude-x",
        None,
        None,
        {},
    )
    assert (found.system_prompt, found.max_tokens) == ("Be short.", 5)


def test_the_same_provider_named_again_keeps_what_belongs_to_it() -> None:
    api = settings({"provider": "ollama", "base_url": "http://box/v1", "model": "qwen3"})
    found = binding_for("a", ApiAgent(provider="ollama"), api)
    assert (found.base_url, found.model) == ("http://box/v1", "qwen3")


@pytest.mark.parametrize(("below", "above"), [("api_key", "api_key_env"), ("api_key_env", "api_key")])
def test_the_upper_layers_key_counts_however_it_is_spelled(below: str, above: str) -> None:
    spelled = {"api_key": "env:%s", "api_key_env": "%s"}
    api = settings({"provider": "openai", below: spelled[below] % "LOWER"}, a={above: spelled[above] % "UPPER"})
    assert key_variable(binding_for("a", ApiAgent(), api)) == "UPPER"


@pytest.mark.parametrize(
    ("binding", "name"),
    [
        (Binding(provider="anthropic"), "ANTHROPIC_API_KEY"),
        (Binding(provider="anthropic", api_key_env="MINE"), "MINE"),
        (Binding(provider="anthropic", base_url="http://elsewhere"), None),
        (Binding(provider="anthropic", base_url="http://elsewhere", api_key_env="MINE"), "MINE"),
        (Binding(provider="ollama"), None),
        (Binding(base_url="http://elsewhere"), None),
        (Binding(), None),
    ],
)
def test_a_usual_key_goes_to_the_usual_address_only(binding: Binding, name: str | None) -> None:
    assert key_variable(binding) == name


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_known_provider_can_be_asked(name: str) -> None:
    known = PROVIDERS[name]
    found = endpoint_for("a", Binding(provider=name, model="m"), {known.key_name or "X": " the-key\n"})
    assert (found.provider, found.dialect, found.base_url) == (name, known.dialect, known.base_url)
    assert found.key == ("the-key" if known.key_name else None)
    assert "the-key" not in repr(found)


@pytest.mark.parametrize(("provider", "called"), [("groq", "groq"), (None, "openai-compatible")])
def test_any_service_with_an_address_is_asked_in_the_common_language(provider: str | None, called: str) -> None:
    found = endpoint_for("a", Binding(provider=provider, base_url="http://x/v1", model="m"), {})
    assert (found.provider, found.dialect, found.base_url, found.key) == (called, Dialect.CHAT, "http://x/v1", None)


def test_numbers_become_settings_and_win_over_settings_of_that_name() -> None:
    binding = Binding(provider="ollama", model="m", temperature=0, max_tokens=7, settings={"max_tokens": 9, "seed": 1})
    assert endpoint_for("a", binding, {}).settings == {"max_tokens": 7, "seed": 1, "temperature": 0}


@pytest.mark.parametrize(
    ("binding", "failure", "said"),
    [
        (Binding(), Failure.AGENT_MISSING, "agent a names no provider"),
        (Binding(provider="ollama"), Failure.AGENT_MISSING, "agent a names no model"),
        (Binding(base_url="localhost:1234/v1", model="m"), Failure.AGENT_MISSING, "which is no address"),
        (Binding(base_url="https://", model="m"), Failure.AGENT_MISSING, "which is no address"),
        (Binding(provider="antropic", model="m"), Failure.AGENT_MISSING, "did you mean anthropic?"),
        (Binding(provider="zzz", model="m"), Failure.AGENT_MISSING, "any other one needs a `base_url`"),
        (Binding(provider="openai", model="m"), Failure.AUTH, "the variable OPENAI_API_KEY"),
        (Binding(provider="openai", model="m", api_key_env="MINE"), Failure.AUTH, "the variable MINE"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(binding: Binding, failure: Failure, said: str) -> None:
    with pytest.raises(CannotAsk) as caught:
        endpoint_for("a", binding, {"OPENAI_API_KEY": "", "PATH": "/bin"})
    assert caught.value.failure is failure
    assert said in caught.value.message


def test_an_empty_default_changes_nothing() -> None:
    assert binding_for("a", ApiAgent(), ApiSettings()) == Binding()
