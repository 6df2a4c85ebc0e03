"""Secrets of the configuration: printed as stars, and handed to child processes as they are."""

from typing import Annotated

from pydantic import PlainSerializer, SecretStr, SerializationInfo

REVEAL = "reveal_secrets"
"""Key of the serialisation context under which a child process is given the secrets."""


def _shown(value: SecretStr, info: SerializationInfo) -> str:
    reveal = isinstance(info.context, dict) and info.context.get(REVEAL) is True
    return value.get_secret_value() if reveal else str(value)


Secret = Annotated[SecretStr, PlainSerializer(_shown, return_type=str)]
"""A text that nobody sees."""
