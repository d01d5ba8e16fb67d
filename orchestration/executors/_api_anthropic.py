"""Models that speak the language of Anthropic: messages."""

import httpx2
from anthropic import AsyncAnthropic
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from orchestration.binding import Endpoint

NO_KEY = "none"
"""Sent where a service needs no key, because the library insists on one."""


def model_for(endpoint: Endpoint, client: httpx2.AsyncClient) -> Model:
    """The model behind an endpoint, asked by this client."""
    key = endpoint.key or NO_KEY
    sdk = AsyncAnthropic(
        api_key=key,
        base_url=endpoint.base_url,
        http_client=client,
        max_retries=0,
        open_telemetry=False,
        default_headers={"X-Api-Key": key},  # wins over what the process's environment would add
    )
    return AnthropicModel(endpoint.model, provider=AnthropicProvider(anthropic_client=sdk))
