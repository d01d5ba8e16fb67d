"""Which model an agent is asked at, where, with whose key: the agent's own words over its binding over the defaults.

Pure: what is written goes in, and what to ask comes out, or a sentence on what is missing. A key is only ever known by
the name of its variable until it is looked up here, in the environment that the attempt may see.

Edges survived: layers that name different providers (one's address, model, key and settings never reach another's),
a task that is done in mode `api` by an agent of another kind, an address of one's own (it gets a key only by name), a
provider that nobody knows (with an address it is taken to speak OpenAI's language).
"""

import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Final

from orchestration.graph import nearest
from orchestration.kinds import Failure
from orchestration.models import Agent, ApiSettings, Binding
from orchestration.records import dataclass


class Dialect(StrEnum):
    """The language that a service speaks."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"


@dataclass(frozen=True, slots=True)
class Provider:
    """A known service: its language, its usual address, and the variable that usually holds its key, if it has one."""

    dialect: Dialect
    base_url: str
    key_name: str | None = None


PROVIDERS: Final[Mapping[str, Provider]] = {
    "openai": Provider(Dialect.CHAT, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openai-responses": Provider(Dialect.RESPONSES, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": Provider(Dialect.MESSAGES, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "google": Provider(Dialect.GEMINI, "https://generativelanguage.googleapis.com", "GOOGLE_API_KEY"),
    "openrouter": Provider(Dialect.CHAT, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "ollama": Provider(Dialect.CHAT, "http://localhost:11434/v1"),
    "lmstudio": Provider(Dialect.CHAT, "http://localhost:1234/v1"),
    "vllm": Provider(Dialect.CHAT, "http://localhost:8000/v1"),
}
"""Services by name; any other name needs a `base_url`, and is asked in OpenAI's chat language."""

UNNAMED: Final = "openai-compatible"
"""What a service is called that has an address and no name."""

_ADDRESS: Final = re.compile(r"https?://[^/\s]+[^\s]*$", re.IGNORECASE)

_BOUND: Final = ("model", "base_url", "api_key", "api_key_env", "settings")
"""Fields that mean nothing at another provider."""


class CannotAsk(Exception):
    """A binding does not say enough, or names a key that is not there; a failed attempt of this kind."""

    def __init__(self, failure: Failure, message: str) -> None:
        """Say it in a sentence."""
        super().__init__(message)
        self.failure = failure
        self.message = message


@dataclass(frozen=True, slots=True)
class Endpoint:
    """All that is needed to ask: `key` is the key itself, and never shown."""

    provider: str
    dialect: Dialect
    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)
    system_prompt: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def binding_for(agent_name: str, agent: Agent, api: ApiSettings) -> Binding:
    """What an agent is asked at: its own fields over `api.bindings` of its name over `api.defaults`.

    Args:
        agent_name: as the bindings know it.
        agent: of any kind; only one of kind `api` has such fields of its own.
        api: the settings of the project.
    """
    layers = [api.defaults]
    if (bound := api.bindings.get(agent_name)) is not None:
        layers.append(bound)
    if isinstance(agent, Binding):
        layers.append(agent)
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _over(
            merged, {name: value for name in Binding.model_fields if (value := getattr(layer, name)) is not None}
        )
    return Binding.model_validate(merged)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One layer over another; of the key's two spellings the upper layer's counts, whichever it is."""
    foreign: tuple[str, ...] = ()
    if "provider" in above and "provider" in below and above["provider"] != below["provider"]:
        foreign = _BOUND
    elif "api_key" in above or "api_key_env" in above:
        foreign = ("api_key", "api_key_env")
    kept = {name: value for name, value in below.items() if name not in foreign}
    settings = {**kept.get("settings", {}), **above.get("settings", {})}
    return {**kept, **above, "settings": settings}


def key_variable(binding: Binding) -> str | None:
    """The variable that holds the key; the provider's usual one where none is named and the address is its own."""
    if binding.key_name is not None or binding.base_url is not None:
        return binding.key_name
    known = PROVIDERS.get(binding.provider or "")
    return known.key_name if known else None


def endpoint_for(agent_name: str, binding: Binding, environment: Mapping[str, str]) -> Endpoint:
    """What to ask, and how.

    Args:
        agent_name: for the sentence of an error.
        binding: what is written.
        environment: where the key is looked up by its name.

    Raises:
        CannotAsk: it does not say enough, or the key is not there.
    """
    known = PROVIDERS.get(binding.provider or "")
    base_url = binding.base_url or (known.base_url if known else None)
    if base_url is None:
        raise CannotAsk(Failure.AGENT_MISSING, _no_provider(agent_name, binding.provider))
    if not _ADDRESS.match(base_url):
        wrong = f"agent {agent_name} is asked at {base_url!r:.200}, which is no address (http://… or https://…)"
        raise CannotAsk(Failure.AGENT_MISSING, wrong)
    if binding.model is None:
        hint = "give it `model`, or set it in `api.defaults`"
        raise CannotAsk(Failure.AGENT_MISSING, f"agent {agent_name} names no model ({hint})")
    limits = {"temperature": binding.temperature, "max_tokens": binding.max_tokens}
    return Endpoint(
        provider=binding.provider or UNNAMED,
        dialect=known.dialect if known else Dialect.CHAT,
        base_url=base_url,
        model=binding.model,
        key=_key(agent_name, binding, environment),
        system_prompt=binding.system_prompt,
        settings={**binding.settings, **{name: value for name, value in limits.items() if value is not None}},
    )


def _key(agent_name: str, binding: Binding, environment: Mapping[str, str]) -> str | None:
    name = key_variable(binding)
    if name is None:
        return None
    if key := environment.get(name, "").strip():
        return key
    hint = "set it, or name another one by `api_key_env`"
    raise CannotAsk(
        Failure.AUTH, f"the variable {name}, which holds the key of agent {agent_name}, is not set ({hint})"
    )


def _no_provider(agent_name: str, provider: str | None) -> str:
    if provider is None:
        return f"agent {agent_name} names no provider (give it `provider` or `base_url`, or set them in `api.defaults`)"
    hint = nearest(provider, PROVIDERS) or f"known: {', '.join(PROVIDERS)}"
    return f"there is no provider {provider!r:.80} ({hint}; any other one needs a `base_url`)"
