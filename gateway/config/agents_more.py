"""Agents on other services than OpenAI's Realtime API; one model each."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from gateway.config.agent_base import AgentBase, AudioChoice, WebSocketUrl
from gateway.config.secret import Secret
from gateway.config.section import Expected

Parameter = Annotated[str, Field(max_length=500)]


class TwilioMediaStreamsAgent(AgentBase):
    """A bot that expects a bidirectional stream of Twilio's (Media Streams) on a WebSocket."""

    backend: Literal["twilio_media_streams"]
    url: WebSocketUrl
    """The bot's WebSocket URL."""
    parameters: Annotated[dict[str, Parameter], Field(max_length=50)] = Field(default_factory=dict)
    """customParameters of the stream; {from}, {to} and other variables of the call are filled in."""
    account_sid: Annotated[
        str,
        Field(pattern=r"^(AC[0-9a-fA-F]{32})?$"),
        Expected("AC and 32 hexadecimal digits"),
    ] = ""
    """Account that the stream names; empty: AC and zeros."""
    auth_token: Secret = SecretStr("")
    """Key of the X-Twilio-Signature header, for bots that check it; empty: no signature."""


class OpenAILiveAgent(AgentBase):
    """An agent on OpenAI's GPT-Live, which listens while it speaks."""

    backend: Literal["openai_live"]
    url: WebSocketUrl = "wss://api.openai.com/v1/live/sessions"
    """WebSocket URL."""
    model: Annotated[str, Field(min_length=1)] = "gpt-live-1"
    """Model, or the deployment's name on Azure."""
    api_key: Secret = SecretStr("")
    """Key; use an environment reference such as ${OPENAI_API_KEY}."""
    auth: Literal["auto", "bearer", "api-key"] = "auto"
    """Header that carries the key; auto: api-key on *.openai.azure.com, else bearer."""
    audio: AudioChoice = "auto"
    """Audio on the connection; auto: what the caller's codec makes cheapest."""
    instructions: str = ""
    """The agent's system prompt."""
    greeting: Annotated[str, Field(max_length=1500)] = ""
    """Instruction for the first words; empty: wait for the caller to speak."""
    voice: str | None = None
    """Voice of the service."""
    tool_model: Annotated[str, Field(min_length=1)] = "gpt-6-luna"
    """Model to which the voice leaves its work with functions."""
    tool_instructions: str = ""
    """System prompt of that model."""
