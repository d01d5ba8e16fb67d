"""The vault: named secrets are looked up just before they are needed, and it is known which variables are secret."""

from orchestration.vault.dotenv import BadDotenv, parse_dotenv
from orchestration.vault.resolving import secrets_for
from orchestration.vault.suspects import looks_secret, secret_names

__all__ = ["BadDotenv", "looks_secret", "parse_dotenv", "secret_names", "secrets_for"]
