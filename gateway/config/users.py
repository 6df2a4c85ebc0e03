"""People who take calls in a browser, on the page `/phone`."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from gateway.config.secret import Secret
from gateway.config.section import Expected, Section, unfit

MIN_PASSWORD_CHARS = 8
"""Sign-in is open to the network; shorter passwords are guessed in spite of the limits."""

MAX_PASSWORD_CHARS = 256
"""Longer ones are refused unread when somebody signs in."""

UserName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Expected("a name of up to 63 small letters, digits, dashes and underscores that begins with a letter"),
]
"""Signs in as this, and is dialled as `webrtc:NAME`."""


class UserConfig(Section):
    """One person."""

    password: Secret
    """For signing in on the phone page; use an environment reference such as ${OP1}."""
    name: Annotated[str, Field(max_length=64)] = ""
    """As the page greets them; default: the name they sign in with."""

    @field_validator("password")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if not MIN_PASSWORD_CHARS <= len(value.get_secret_value()) <= MAX_PASSWORD_CHARS:
            raise unfit(
                f"{MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters", found="another length (not shown)"
            )
        return value
