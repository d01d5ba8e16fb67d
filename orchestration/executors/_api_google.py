"""Models that speak the language of Google: Gemini."""

import httpx2
from pydantic_ai.models import Model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from orchestration.binding import Endpoint

NO_KEY = "none"
"""Sent where a service needs no key, because the library insists on one."""


def model_for(endpoint: Endpoint, client: httpx2.AsyncClient) -> Model:
    """The model behind an endpoint, asked by this client; its library tries once unless it is told otherwise."""
    key = endpoint.key or NO_KEY
    provider = GoogleProvider(api_key=key, base_url=endpoint.base_url, http_client=client)
    return GoogleModel(endpoint.model, provider=provider)
