"""The life of a WebRTC card process: self-test, warm-up, signals, and leaving when its parent is gone."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.cards.webrtc import opus, seam
from gateway.cards.webrtc.addresses import LOOPBACK, own_addresses, relay_candidates
from gateway.cards.webrtc.card import CardSettings, WebrtcCard
from gateway.cards.webrtc.warm_up import warm_up
from gateway.config.webrtc import WebrtcConfig
from gateway.core.audio import PcmFormat
from gateway.core.ids import CardId
from gateway.errors import LocalError
from gateway.observe.log import get_logger
from gateway.observe.priority import be_realtime
from gateway.wire import ufrag

LIFELINE_VARIABLE: Final = "GATEWAY_LIFELINE_FD"
"""Environment: an inherited descriptor that reaches EOF when the gateway's parent process is gone."""

_WITHOUT_RELAY: Final = bytes(ufrag.SECRET_BYTES)
"""Nobody reads the ufrag then."""

log = get_logger()


async def run(card: CardId, socket_path: Path, status_path: Path, config: WebrtcConfig) -> int:
    """Be a card; the exit status. Raises `LocalError` or `OSError` when it cannot start."""
    secret = _secret()
    # The relay and we are on one machine; without one, peers come to us by themselves.
    addresses: Callable[[], list[str]] = own_addresses if secret is None else lambda: [LOOPBACK]
    signed_with = secret or _WITHOUT_RELAY
    asyncio.get_running_loop().set_exception_handler(_stray)
    seam.install(addresses, lambda port: ufrag.encode(port, signed_with))
    pcm_format = PcmFormat(config.sample_rate_hz)
    began = asyncio.get_running_loop().time()
    await warm_up(pcm_format)
    log.debug(
        "warmed up",
        took_ms=round((asyncio.get_running_loop().time() - began) * 1000),
        opus=opus.version(),
    )
    line_card = WebrtcCard(
        CardSettings(
            card=card,
            socket_path=socket_path,
            status_path=status_path,
            sample_rate_hz=config.sample_rate_hz,
            max_peers=config.max_peers_per_card,
            orphan_timeout_s=config.orphan_timeout_s,
            candidates=relay_candidates(config) if secret is not None else (),
        )
    )
    _watch(line_card)
    be_realtime()
    await line_card.run()
    return 0


def _stray(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """aiortc leaves tasks behind whose connection was closed under them; nobody can await those."""
    error = context.get("exception")
    log.warning("stray error", what=str(context.get("message")), error=repr(error) if error else "")


def _secret() -> bytes | None:
    """The relay's, None without a relay. Raises `LocalError`."""
    text = os.environ.get(ufrag.SECRET_VARIABLE, "")
    try:
        return bytes.fromhex(text) or None
    except ValueError as exc:
        raise LocalError(f"{ufrag.SECRET_VARIABLE} is not hexadecimal") from exc


def _watch(card: WebrtcCard) -> None:
    """SIGTERM lets the card retire; the end of the parent ends it at once."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, card.retire)
    # Ctrl-C is for the parent, which tells us when to leave.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    lifeline = os.environ.get(LIFELINE_VARIABLE, "")
    if lifeline.isdecimal():
        loop.add_reader(int(lifeline), os._exit, 0)
