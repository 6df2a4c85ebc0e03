"""The configuration of webhooks: who is told of calls, and whether one of them decides who answers."""

from base64 import b64decode
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, SecretStr, field_validator

from gateway.config.secret import Secret
from gateway.config.section import NO_TRUTH_VALUE, Section, unfit
from gateway.config.urls import ServiceUrl

WebhookEvent = Literal["realtime.call.incoming", "call.answered", "call.ended"]

EVENTS: Final[tuple[WebhookEvent, ...]] = get_args(WebhookEvent)

DECIDING_EVENT: Final[WebhookEvent] = "realtime.call.incoming"

_SECRET_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)


class WebhookReceiver(Section):
    """One address that is told of calls."""

    url: ServiceUrl
    """Where the events are posted: https, or http within one's own network."""
    secret: Secret
    """Signs the events (Standard Webhooks); whsec_ and 24 to 64 bytes in base64; ${WEBHOOK_SECRET}."""
    events: Annotated[list[WebhookEvent], Field(min_length=1)] = Field(default_factory=lambda: list(EVENTS))
    """What it is told; the events hold phone numbers."""

    @field_validator("secret")
    @classmethod
    def _a_key(cls, value: SecretStr) -> SecretStr:
        try:
            size = len(signing_key(value))
        except ValueError:
            size = 0
        if size not in _SECRET_BYTES:
            raise unfit(f"{_SECRET_PREFIX} and 24 to 64 random bytes in base64")
        return value

    @field_validator("events")
    @classmethod
    def _no_repeats(cls, value: list[WebhookEvent]) -> list[WebhookEvent]:
        if len(set(value)) < len(value):
            raise unfit("each entry once", found="an entry that is repeated")
        return value


class IncomingConfig(Section):
    """Who decides what becomes of a call that comes in."""

    decided_by: Literal["dialplan", "webhook"] = "dialplan"
    """webhook: a receiver of realtime.call.incoming accepts, rejects or refers the call over the API."""
    timeout_s: Annotated[float, Field(ge=0.1, le=60), NO_TRUTH_VALUE] = 5.0
    """How long the call rings for that decision."""
    on_timeout: Literal["accept", "reject"] = "accept"
    """accept: as the dialplan says."""


def someone_decides(incoming: IncomingConfig, receivers: list[WebhookReceiver]) -> None:
    """Raises an error for validators when calls would wait for a word that can't come."""
    if incoming.decided_by == "webhook" and not any(DECIDING_EVENT in each.events for each in receivers):
        raise unfit(
            f"decided_by: dialplan, or an entry under webhooks for {DECIDING_EVENT}",
            found="decided_by: webhook and nobody who is told",
            key="incoming",
        )


def told_once(receivers: list[WebhookReceiver]) -> None:
    """Raises an error for validators when two entries have one address, which is what tells them apart."""
    seen: set[str] = set()
    for index, each in enumerate(receivers):
        if each.url in seen:
            raise unfit(
                "each address once, with all its events in one entry",
                found="the address of an earlier entry",
                key=("webhooks", index, "url"),
            )
        seen.add(each.url)


def signing_key(secret: SecretStr) -> bytes:
    """The bytes that sign. Raises `ValueError` if it is no secret of Standard Webhooks."""
    text = secret.get_secret_value()
    if not text.startswith(_SECRET_PREFIX):
        raise ValueError("no whsec_ in front")
    return b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
