"""The WebRTC side of the edge: the relay and the cards behind it, with the secret that they share."""

import asyncio
import secrets
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import AddressPort, WebrtcConfig
from gateway.edge.children import Lifeline
from gateway.edge.lookup import InterfaceLookup
from gateway.edge.relay.keeper import RelayKeeper
from gateway.edge.webrtc_cards import CARD_MODULE, WebrtcCards
from gateway.wire.edge import CardStatus, EdgeToCore
from gateway.wire.ufrag import SECRET_BYTES

_THE_WORLD: Final = "192.0.2.1"
"""Nobody's address (RFC 5737): the route to it is the default route."""


class WebrtcSide:
    """Exists if the configuration has a `webrtc` section."""

    def __init__(
        self,
        config: GatewayConfig,
        webrtc: WebrtcConfig,
        run_dir: Path,
        lifeline: Lifeline,
        *,
        tell_core: Callable[[EdgeToCore], None],
        on_change: Callable[[], None],
        card_module: str = CARD_MODULE,
    ) -> None:
        """Raises `CannotStartError` if the public port can't be had."""
        secret = secrets.token_bytes(SECRET_BYTES)
        self._relay = RelayKeeper(config, webrtc, lifeline, secret)
        self._cards = WebrtcCards(
            config,
            reachable(webrtc),
            run_dir,
            lifeline,
            secret,
            tell_core=tell_core,
            on_change=on_change,
            module=card_module,
        )

    @property
    def settled(self) -> bool:
        """Whether it is known of every card if it runs."""
        return self._cards.settled

    @property
    def peers(self) -> int:
        """Peers that are connected or about to be."""
        return self._cards.peers

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run relay and cards in `group`."""
        self._relay.start(group)
        self._cards.start(group)

    def on_core_connected(self) -> None:
        """Tell a core which cards there are."""
        self._cards.announce()

    def on_status(self, status: CardStatus) -> bool:
        """A card's sign of life; False if it is no WebRTC card."""
        return self._cards.handle_status(status)

    def check(self, now: float) -> None:
        """Once in a while."""
        self._cards.check(now)

    def counters(self) -> dict[str, float]:
        """For /metrics."""
        return {**self._relay.counters(), **self._cards.counters()}

    async def stop(self) -> None:
        """Cards first: their farewells pass the relay."""
        await self._cards.stop()
        await self._relay.stop()

    def close(self) -> None:
        """Give the public port back."""
        self._relay.close()


def reachable(webrtc: WebrtcConfig) -> WebrtcConfig:
    """With `advertise` filled in: what is configured, else where we listen, else our own address."""
    if webrtc.advertise:
        return webrtc
    address = webrtc.listen.address
    if IPv4Address(address).is_unspecified:
        address = InterfaceLookup()(_THE_WORLD)
    advertise = [AddressPort(address=address, port=webrtc.listen.port)]
    return webrtc.model_copy(update={"advertise": advertise})
