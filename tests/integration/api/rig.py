"""The whole API on a real port: calls, database and card wire are real, the peer's media is not."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from gateway.api.event_hub import EventHub
from gateway.api.events import HEARTBEAT_S
from gateway.api.http import HttpServer
from gateway.api.routes import ApiDependencies, build_api
from gateway.backends import contract as ai
from gateway.calls.call_sounds import CallSounds
from gateway.calls.gate import Gate
from gateway.calls.reach import Reach
from gateway.calls.service import CallDependencies, CallService
from gateway.config.models import AgentConfig, BotAgent, GatewayConfig, HttpConfig, HttpListen
from gateway.config.users import UserConfig
from gateway.config.webrtc import WebrtcConfig
from gateway.core.record import CallRecord
from gateway.core.termination import Reason
from gateway.legs.contract import Leg
from gateway.legs.dials import DialRequest
from gateway.legs.people.door import Door
from gateway.legs.people.people import People
from gateway.legs.pool import CardPool
from gateway.media.speech import Synthesiser
from gateway.observe.metrics import Metrics
from gateway.store.calls import CallStore
from gateway.store.database import DATABASE_NAME, Database
from gateway.store.keys import KeyStore, Role
from gateway.store.sign_ins import SignIn, SignIns
from tests.contract.stand_in_card import CARD, StandInCard
from tests.scenarios.scripted_backend import Opening, ScriptedBackend
from tests.scenarios.surroundings import dialplan, surroundings

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    "a=fingerprint:sha-256 00\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
)
SDP = {"Content-Type": "application/sdp"}
PAGE = "https://shop.example"
PASSWORD = "a password of people"

_MAX_PEERS = 5

PLAN = """
version: 1
prompts:
  welcome: {say: "Welcome, ${from}.", language: en}
routes:
  - {name: sales, match: {to: "+4930*"}, do: [{ai: {agent: seller}}]}
  - {name: nobody, match: {to: "+4940*"}, do: [{reject: {status: 410, reason: Gone away}}]}
  - {name: openai, match: {to: gpt-realtime}, do: [{ai: {agent: helper}}]}
"""


class Rig:
    """A core with one WebRTC card and its API."""

    def __init__(
        self,
        card: StandInCard,
        database: Database,
        http: aiohttp.ClientSession,
        directory: Path,
        heartbeat_s: float,
        signed_in: Sequence[SignIn],
    ) -> None:
        bot = BotAgent(backend="bot")
        users = {
            name: UserConfig(password=SecretStr(PASSWORD), name=name.title()) for name in ("olivia", "otto")
        }
        self.config = GatewayConfig(
            agents={"seller": bot, "helper": bot},
            users=users,
            webrtc=WebrtcConfig(cors=[PAGE]),
            http=HttpConfig(play_from=["http://localhost/sounds"]),
        )
        self.card = card
        self.http = http
        self.keys = KeyStore(database)
        self.sign_ins = SignIns(database)
        self.store = CallStore(database)
        self.backends: list[ScriptedBackend] = []
        self.closed_because = ""
        self.ended: asyncio.Queue[CallRecord] = asyncio.Queue()
        clock = asyncio.get_running_loop().time
        plan = dialplan(PLAN, self.config)
        self.people = People(self.config.users, asyncio.get_running_loop().call_later)
        self.hub = EventHub()
        self.dropped = asyncio.Event()
        """A client of an event stream was too slow."""
        self.gate: Callable[[], Gate] | None = None
        """Where calls wait for a decision; None: they don't."""
        self.service = CallService(
            CallDependencies(
                config=self.config,
                plan=lambda _facts: plan,
                on_event=self.hub.publish,
                gate=lambda _facts, _incoming: self.gate() if self.gate is not None else None,
                calls=replace(
                    surroundings(self.config.agents, self._make_backend, clock),
                    sounds=CallSounds({}, Synthesiser()),
                    dialler=Reach(self.config.trunks, self.people, self._place),
                    recordings=directory,
                    in_thread=asyncio.to_thread,
                ),
                store=self.store,
                on_ended=self.ended.put_nowait,
                clock=clock,
            )
        )
        door = Door(self.people, self.service.on_incoming, self.service.on_adopted)
        self.pool = CardPool(door.on_incoming, door.on_adopted, max_peers=_MAX_PEERS)
        self.metrics = Metrics(lambda: 0, lambda: 0)
        api = build_api(
            ApiDependencies(
                config=self.config,
                service=self.service,
                store=self.store,
                keys=self.keys,
                people=self.people,
                sign_ins=self.sign_ins,
                signed_in=signed_in,
                dialplan=lambda: plan,
                heartbeat_s=heartbeat_s,
                hub=self.hub,
                on_slow_listener=self._on_slow_listener,
                offering=self.pool.offer,
                not_accepting=lambda: self.closed_because,
                clock=clock,
            )
        )
        self.server = HttpServer(HttpListen(address="127.0.0.1", port=0), self.metrics, lambda: "", api)

    def _on_slow_listener(self) -> None:
        self.metrics.event_client_dropped()
        self.dropped.set()

    async def _place(self, order: DialRequest) -> Leg:
        return await self.pool.dial(order)

    def _make_backend(
        self, _agent: AgentConfig, context: ai.BackendContext, _tools: tuple[dict[str, Any], ...]
    ) -> ai.Backend:
        self.backends.append(ScriptedBackend(context, Opening(takes_s=0)))
        return self.backends[-1]

    @property
    def base(self) -> str:
        """URL of the API."""
        return f"http://127.0.0.1:{self.server.port}"

    def send(
        self, method: str, path: str, *, key: str = "", headers: dict[str, str] | None = None, **more: Any
    ) -> "aiohttp.client._RequestContextManager":
        """One request; `path` may be a Location."""
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        return self.http.request(method, self.base + path, headers=(headers or {}) | bearer, **more)

    def offer(
        self, path: str = "/v1/realtime/calls?to=seller", *, key: str = "", sdp: str = OFFER
    ) -> "aiohttp.client._RequestContextManager":
        """A call by a plain SDP body."""
        return self.send("POST", path, key=key, headers=SDP, data=sdp.encode())

    async def place(self, path: str = "/v1/realtime/calls?to=seller", *, key: str = "") -> str:
        """A call that has to succeed; its address."""
        async with self.offer(path, key=key) as response:
            assert response.status == 201, await response.text()
            return response.headers["Location"]

    async def key(self, role: Role = "operate") -> str:
        """A new API key."""
        _, text = await self.keys.create_key(f"{role} key", role, datetime.now(UTC))
        return text

    async def secret(self, *, key: str = "", **session: str) -> dict[str, Any]:
        """A new client secret, as the API answers."""
        body = {"session": {"type": "realtime", **session}}
        async with self.send("POST", "/v1/realtime/client_secrets", key=key, json=body) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def record(self) -> CallRecord:
        """The next call that ends."""
        async with asyncio.timeout(10):
            return await self.ended.get()


@asynccontextmanager
async def running(
    *, heartbeat_s: float = HEARTBEAT_S, signed_in: Sequence[SignIn] = ()
) -> AsyncIterator[Rig]:
    """A rig whose card is connected; nothing is left of it afterwards.

    `signed_in`: what an earlier core left.
    """
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        card = StandInCard(Path(directory) / "c.sock", kind="webrtc")
        database = await Database.open(Path(directory) / DATABASE_NAME)
        async with card, aiohttp.ClientSession() as http:
            rig = Rig(card, database, http, Path(directory), heartbeat_s, signed_in)
            rig.pool.add(CARD, str(card.path))
            await card.until(lambda: card.attached)
            await rig.server.start()
            try:
                yield rig
            finally:
                await rig.server.close()
                await rig.service.stop(Reason.DRAINED, 2.0)
                await rig.pool.close()
                await database.close()


async def problem(response: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    """The problem that a request was answered with."""
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json(content_type=None)
    assert body["status"] == status
    assert body["title"]
    return body
