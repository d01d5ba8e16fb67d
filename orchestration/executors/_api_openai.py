"""Models that speak a language of OpenAI: chat completions, as all compatible services do, and responses."""

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from orchestration.binding import Dialect, Endpoint

NO_KEY = "none"
"""Sent where a service needs no key, because the library insists on one."""

WHOLE = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
"""An answer without its last event was cut off, and is no answer."""


def model_for(endpoint: Endpoint, client: httpx2.AsyncClient) -> Model:
    """The model behind an endpoint, asked by this client."""
    key = endpoint.key or NO_KEY
    sdk = AsyncOpenAI(
        api_key=key,
        base_url=endpoint.base_url,
        http_client=client,
        max_retries=0,
        default_headers={"Authorization": f"Bearer {key}"},  # wins over what the process's environment would add
    )
    if endpoint.dialect is Dialect.RESPONSES:
        return OpenAIResponsesModel(endpoint.model, provider=OpenAIProvider(openai_client=sdk))
    return OpenAIChatModel(endpoint.model, provider=_provider(endpoint, sdk), profile=WHOLE)


def _provider(endpoint: Endpoint, sdk: AsyncOpenAI) -> Provider[AsyncOpenAI]:
    if endpoint.provider == "openai":
        return OpenAIProvider(openai_client=sdk)
    return OpenAICompatibleProvider(endpoint.provider, openai_client=sdk)
