"""A world of its own for each run of a real agent: nothing of this machine's user, nothing of the network.

An agent gets a fresh home with the settings that lead it to the stub model, a dummy key, and an environment made from
nothing. Telemetry, updates and downloads are switched off; whatever tries to reach another host all the same is sent
to a proxy that does not exist. The agents are run as whoever runs the tests: each has a way to work as root too.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEY = "sk-dummy-0000-not-a-key"
NOWHERE = "http://127.0.0.1:9"  # the discard port of this machine, where nobody listens
MODELS = {
    "codex": "gpt-5.4",
    "claude-code": "claude-sonnet-4-5",
    "opencode": "stub/stub-model",
    "aider": "openai/gpt-4o",
}


@dataclass(frozen=True, slots=True)
class World:
    """Where one agent runs: its home and the environment that it is started with."""

    home: Path
    environment: Mapping[str, str]
    extra: Mapping[str, str] = field(default_factory=dict)  # of the environment: what is there for this agent


def build(name: str, home: Path, base_url: str) -> World:
    """Make a home for the agent, with all that leads it to the stub.

    Args:
        name: One of programs.NAMES.
        home: A folder that is empty or not there yet.
        base_url: The stub's, without `/v1`.
    """
    (home / "tmp").mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\tname = Agent\n\temail = agent@localhost\n", encoding="utf-8")
    extra = _SETTINGS[name](home, base_url)
    return World(home, {**plain_environment(home), **extra}, extra)


def plain_environment(home: Path) -> dict[str, str]:
    """What any program needs, and nothing that was here before."""
    return {
        "PATH": os.defpath + ":/usr/local/bin",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "http_proxy": NOWHERE,
        "https_proxy": NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _codex(home: Path, base_url: str) -> dict[str, str]:
    folder = home / ".codex"
    folder.mkdir()
    settings = f"""\
model_provider = "stub"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
plugins = false
apps = false

[model_providers.stub]
name = "stub"
base_url = "{base_url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
"""
    (folder / "config.toml").write_text(settings, encoding="utf-8")
    return {"CODEX_HOME": str(folder), "OPENAI_API_KEY": KEY}


def _claude_code(home: Path, base_url: str) -> dict[str, str]:
    (home / ".claude").mkdir()
    return {
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _opencode(home: Path, base_url: str) -> dict[str, str]:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    model = {
        "name": "stub-model",
        "tool_call": True,
        "cost": {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 1.25},
        "limit": {"context": 128_000, "output": 8_192},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{base_url}/v1", "apiKey": KEY},
        "models": {"stub-model": model},
    }
    settings = {"provider": {"stub": provider}, "model": MODELS["opencode"], "autoupdate": False, "share": "disabled"}
    (folder / "opencode.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        "npm_config_registry": NOWHERE,
    }


def _aider(home: Path, base_url: str) -> dict[str, str]:
    prices = home / ".aider" / "caches" / "model_prices_and_context_window.json"
    prices.parent.mkdir(parents=True)
    prices.write_text('{"stub": {}}', encoding="utf-8")  # a fresh list keeps it from asking for a newer one
    return {
        "OPENAI_API_BASE": f"{base_url}/v1",
        "OPENAI_API_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


_SETTINGS: Mapping[str, Callable[[Path, str], dict[str, str]]] = {
    "codex": _codex,
    "claude-code": _claude_code,
    "opencode": _opencode,
    "aider": _aider,
}

ALLOWS_ROOT: Mapping[str, str] = {"IS_SANDBOX": "1"}
"""Without it claude-code refuses to skip permissions where the tests run as root."""

PRESET_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "codex": {"options": {"provider": "stub"}},
}
"""What an agent of `orchestration.yaml` needs beyond its preset to reach the stub."""
