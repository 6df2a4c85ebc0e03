"""What the agents of the configuration have in common."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.config.barge_in import BargeInConfig
from gateway.config.languages import LanguageCode
from gateway.config.section import NO_TRUTH_VALUE, Section, unfit
from gateway.config.tools import AgentTools

AudioChoice = Literal["pcmu", "pcma", "pcm24k", "auto"]


def _websocket_url(value: str) -> str:
    expected = "ws://HOST/PATH or wss://HOST/PATH"
    try:
        url = urlsplit(value)
        usable = url.scheme in ("ws", "wss") and url.hostname and url.port != 0
    except ValueError as exc:
        raise unfit(expected) from exc
    if not usable:
        raise unfit(expected)
    if url.username or url.password:
        raise unfit(f"{expected} without user and password; the key goes into a field of its own")
    return value


WebSocketUrl = Annotated[str, AfterValidator(_websocket_url)]
"""Where a service is reached; without a user and a password."""


class AgentBase(Section):
    """An agent, whatever plays it."""

    language: LanguageCode = "en"
    """Language of the gateway's own prompts (apologies)."""
    answer_budget_ms: Annotated[int, Field(ge=0, le=60000), NO_TRUTH_VALUE] = 3000
    """How long the phone may ring while the backend connects, before the call is answered anyway."""
    fallback: list[str] = Field(default_factory=list)
    """Agents that take over when this one's service fails, in order; they get to know what was said."""
    barge_in: BargeInConfig = BargeInConfig()
    """What happens when the caller speaks while the agent does."""
    tools: AgentTools = AgentTools()
    """What its model may do in a call."""
