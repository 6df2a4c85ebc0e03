"""The configuration file's shape. Field docstrings are the documentation that `config check` quotes."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from gateway.config.agent_base import AgentBase, WebSocketUrl
from gateway.config.agent_base import AudioChoice as AudioChoice
from gateway.config.agents_more import OpenAILiveAgent, TwilioMediaStreamsAgent
from gateway.config.ladder import PhoneLadderConfig
from gateway.config.secret import REVEAL, Secret
from gateway.config.section import NO_TRUTH_VALUE, Expected, Section, unfit
from gateway.config.tools import HttpToolConfig, ToolName, tools_exist
from gateway.config.trunks import TrunkConfig, TrunkName, reachable
from gateway.config.urls import ServiceUrl
from gateway.config.users import UserConfig, UserName
from gateway.config.webhooks import IncomingConfig, WebhookReceiver, someone_decides, told_once
from gateway.config.webrtc import WebrtcConfig

Codec = Literal["pcmu", "pcma", "g722", "gsm", "ilbc", "speex"]

CODECS: tuple[Codec, ...] = ("pcmu", "pcma", "g722", "gsm", "ilbc", "speex")
"""Codec names of the configuration, in our order of preference."""

CALLS_PER_CARD = 4
"""Fixed by the pjsua2 wheel."""

RTP_PORTS_PER_CARD = 20
"""RTP and RTCP of four calls, twice over, so that a port rests before it is used again."""

SPARE_CARDS = 2
"""Cards beyond those that `max_calls` fills: one kept ready, one being replaced."""


class ListenAddress(Section):
    """One `udp://address:port` or `tcp://address:port`."""

    expected: ClassVar[str] = "udp://ADDRESS:PORT or tcp://ADDRESS:PORT with an IPv4 address"

    transport: Literal["udp", "tcp"]
    address: str
    port: Annotated[int, Field(ge=1, le=65535), NO_TRUTH_VALUE]

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            url = urlsplit(value)
            port = url.port
        except ValueError as exc:
            raise unfit(cls.expected) from exc
        extra = url.path or url.query or url.fragment or url.username
        if url.scheme not in ("udp", "tcp") or not url.hostname or port is None or extra:
            raise unfit(cls.expected)
        return {"transport": url.scheme, "address": url.hostname, "port": port}

    @field_validator("address")
    @classmethod
    def _ipv4(cls, value: str) -> str:
        try:
            return str(IPv4Address(value))
        except ValueError as exc:
            raise unfit(cls.expected) from exc


class HttpListen(Section):
    """`ADDRESS:PORT`."""

    expected: ClassVar[str] = "ADDRESS:PORT such as 127.0.0.1:8080"

    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$"), Expected("an IP address or a host name")]
    port: Annotated[int, Field(ge=0, le=65535), NO_TRUTH_VALUE]

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        address, colon, port = value.rpartition(":")
        if not colon or not address or not _digits(port):
            raise unfit(cls.expected)
        return {"address": address.removeprefix("[").removesuffix("]"), "port": int(port)}


class PortRange(Section):
    """`LOW-HIGH`, both included."""

    expected: ClassVar[str] = "LOW-HIGH such as 20000-24999, from 1024 to 65535"

    low: Annotated[int, Field(ge=1024, le=65534), NO_TRUTH_VALUE]
    high: Annotated[int, Field(ge=1025, le=65535), NO_TRUTH_VALUE]

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        low, _, high = (part.strip() for part in value.partition("-"))
        if not _digits(low) or not _digits(high):
            raise unfit(cls.expected)
        return {"low": int(low), "high": int(high)}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise unfit("LOW below HIGH")
        return self


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5


class NodeConfig(Section):
    """This node."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
        Expected("1 to 63 letters, digits, dots, dashes or underscores"),
    ] = "gw1"
    """Name of the node in CDRs, metrics and the Server header."""
    run_dir: Path = Path("run")
    """Unix sockets, pid files and the call database; relative to the configuration file."""
    drain_timeout_s: Annotated[float, Field(ge=0, le=86400), NO_TRUTH_VALUE] = 60.0
    """How long SIGTERM waits for running calls."""
    keep_calls_days: Annotated[int, Field(ge=1, le=36500), NO_TRUTH_VALUE] | None = 90
    """How long records of calls, with numbers and what was said, stay in the database; null: for ever.
    Recordings are files and stay until somebody deletes them."""


class SipConfig(Section):
    """The phone side."""

    listen: Annotated[list[ListenAddress], Field(min_length=1)] = Field(
        default_factory=lambda: [
            ListenAddress(transport="udp", address="0.0.0.0", port=5060),
            ListenAddress(transport="tcp", address="0.0.0.0", port=5060),
        ]
    )
    """Where SIP is served."""
    public_address: str | None = None
    """What Via, Record-Route, Contact and SDP say; default: the interface's that faces the peer."""
    rtp_ports: PortRange = PortRange(low=20000, high=24999)
    """UDP ports for RTP and RTCP; 20 for every four calls."""
    max_calls: Annotated[int, Field(ge=1, le=2000), NO_TRUTH_VALUE] = 200
    """Calls beyond this are refused with 503 and Retry-After."""
    codecs: Annotated[list[Codec], Field(min_length=1)] = Field(default_factory=lambda: list(CODECS))
    """Codecs offered, in order of preference."""
    rtp_timeout_s: Annotated[float, Field(ge=1, le=3600), NO_TRUTH_VALUE] = 20.0
    """A call without RTP from the far end for this long is ended."""
    ladder: PhoneLadderConfig = Field(default_factory=PhoneLadderConfig)
    """What calls of phones without a trunk fall back to when the network is bad."""

    @property
    def max_cards(self) -> int:
        """Line cards that may run at once."""
        return -(-self.max_calls // CALLS_PER_CARD) + SPARE_CARDS

    @field_validator("public_address")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and (not value or any(c in value for c in " :/;@<>")):
            raise unfit("an IPv4 address or a host name")
        return value

    @field_validator("listen", "codecs")
    @classmethod
    def _no_repeats(cls, value: list[object]) -> list[object]:
        if any(item in value[:index] for index, item in enumerate(value)):
            raise unfit("each entry once", found="an entry that is repeated")
        return value

    @model_validator(mode="after")
    def _enough_ports(self) -> Self:
        need = self.max_cards * RTP_PORTS_PER_CARD
        have = self.rtp_ports.high - self.rtp_ports.low + 1
        if have < need:
            raise unfit(
                f"at least {need} for {self.max_calls} calls ({RTP_PORTS_PER_CARD} for every "
                f"{CALLS_PER_CARD} calls and for each of {SPARE_CARDS} spare cards)",
                found=f"{have} ports",
                key="rtp_ports",
            )
        for listen in self.listen:
            if listen.transport == "udp" and self.rtp_ports.low <= listen.port <= self.rtp_ports.high:
                raise unfit(
                    f"a range without the SIP port {listen.port}",
                    found=f"{self.rtp_ports.low}-{self.rtp_ports.high}",
                    key="rtp_ports",
                )
        return self


class HttpConfig(Section):
    """Health, metrics and API."""

    listen: HttpListen = HttpListen(address="127.0.0.1", port=8080)
    """Where HTTP is served."""
    play_from: list[ServiceUrl] = Field(default_factory=list)
    """Beginnings of URLs whose sounds the API may play into calls; none without."""


class LogConfig(Section):
    """Log output on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level written."""
    format: Literal["json", "console", "auto"] = "auto"
    """json: one object per line · console: for people · auto: console on a terminal, else json."""
    personal: Literal["keep", "drop"] = "keep"
    """Whether fields with personal data (numbers, addresses, transcripts) are written."""


class OpenAIRealtimeAgent(AgentBase):
    """An agent on a service that speaks OpenAI's Realtime protocol (GA) over WebSocket."""

    backend: Literal["openai_realtime"]
    url: WebSocketUrl = "wss://api.openai.com/v1/realtime"
    """WebSocket URL without the model."""
    model: Annotated[str, Field(min_length=1)] = "gpt-realtime-2.1"
    """Model, or the deployment's name on Azure; sent as ?model=."""
    api_key: Secret = SecretStr("")
    """Key; use an environment reference such as ${OPENAI_API_KEY}."""
    auth: Literal["auto", "bearer", "api-key"] = "auto"
    """Header that carries the key; auto: api-key on *.openai.azure.com, else bearer."""
    audio: AudioChoice = "auto"
    """Audio on the connection; auto: what the caller's codec makes cheapest, G.711 if the service is slow."""
    instructions: str = ""
    """The agent's system prompt."""
    greeting: str = ""
    """Instruction for the first answer; empty: wait for the caller to speak."""
    voice: str | None = None
    """Voice of the service."""
    transcription_model: str | None = "gpt-transcribe"
    """Model that writes down what the caller says; null to do without."""
    turn_silence_ms: Annotated[int, Field(ge=100, le=5000), NO_TRUTH_VALUE] = 500
    """Silence that ends the caller's turn (server VAD)."""


class BotAgent(AgentBase):
    """An agent played by the embedded bot."""

    backend: Literal["bot"]
    dialogue: Path | None = None
    """Dialogue file; default: the one that comes with the gateway."""
    audio: AudioChoice = "auto"
    """Audio on the connection to the bot."""


AgentConfig = Annotated[
    OpenAIRealtimeAgent | OpenAILiveAgent | TwilioMediaStreamsAgent | BotAgent, Field(discriminator="backend")
]

AgentName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"),
    Expected("a name of up to 63 small letters, digits, dashes and underscores that begins with a letter"),
]

EMBEDDED_AGENT = "bot"
"""Name of the agent that exists when the configuration declares none."""


class GatewayConfig(Section):
    """The whole file."""

    node: NodeConfig = NodeConfig()
    """This node."""
    sip: SipConfig = SipConfig()
    """The phone side."""
    webrtc: WebrtcConfig | None = None
    """Browsers and apps; off without this section."""
    http: HttpConfig = HttpConfig()
    """Health, metrics and API."""
    log: LogConfig = LogConfig()
    """Log output."""
    webhooks: list[WebhookReceiver] = Field(default_factory=list)
    """Who is told of calls."""
    incoming: IncomingConfig = IncomingConfig()
    """Who decides what becomes of a call that comes in."""
    agents: dict[AgentName, AgentConfig] = Field(default_factory=dict)
    """AI agents by name; the first is the default one. Without any the embedded bot answers."""
    http_tools: dict[ToolName, HttpToolConfig] = Field(default_factory=dict)
    """Functions that your services carry out for agents that name them in `tools.http`."""
    users: dict[UserName, UserConfig] = Field(default_factory=dict)
    """People who take calls on the phone page, dialled as webrtc:NAME."""
    trunks: dict[TrunkName, TrunkConfig] = Field(default_factory=dict)
    """Phone systems and carriers, dialled as sip:USER@NAME."""
    dialplans: Path | None = None
    """Directory of dialplans; default: every call goes to the first agent."""
    dialplans_reload: Literal["on_change", "on_command"] = "on_change"
    """on_change: changed files are put into force as soon as they are without mistakes · on_command: only
    by `gateway dialplan reload` or SIGHUP, which a canary needs."""

    @model_validator(mode="after")
    def _embedded_agent(self) -> Self:
        if not self.agents:
            object.__setattr__(self, "agents", {EMBEDDED_AGENT: BotAgent(backend="bot")})
        return self

    @model_validator(mode="after")
    def _tools_exist(self) -> Self:
        tools_exist(self.agents, self.http_tools)
        return self

    @model_validator(mode="after")
    def _users_have_a_page(self) -> Self:
        if self.users and self.webrtc is None:
            raise unfit("a section webrtc beside users", found="none", key="users")
        return self

    @model_validator(mode="after")
    def _trunks_reachable(self) -> Self:
        reachable(self.trunks, (each.transport for each in self.sip.listen))
        return self

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        if self.webrtc is None:
            return self
        port = self.webrtc.listen.port
        if any(each.port == port for each in self.sip.listen):
            raise unfit("a port that SIP does not use", found=f"port {port}", key="webrtc")
        if self.sip.rtp_ports.low <= port <= self.sip.rtp_ports.high:
            raise unfit("a port outside sip.rtp_ports", found=f"port {port}", key="webrtc")
        return self

    @model_validator(mode="after")
    def _told(self) -> Self:
        told_once(self.webhooks)
        someone_decides(self.incoming, self.webhooks)
        return self

    @property
    def needs_bot(self) -> bool:
        """Whether the embedded bot has to run."""
        return any(isinstance(agent, BotAgent) for agent in self.agents.values())

    def for_child(self) -> bytes:
        """The configuration as a child process reads it from its standard input, secrets included."""
        return self.model_dump_json(context={REVEAL: True}).encode() + b"\n"
