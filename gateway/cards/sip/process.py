"""The life of a card process: from fork to `os._exit`.

A card always leaves by `os._exit`: PJSIP aborts when calls or ports are freed after its shutdown.
"""

import ctypes
import os
import signal
import traceback
from typing import Final, NoReturn

import structlog

from gateway.cards.sip import loop
from gateway.cards.sip.card import SipCard
from gateway.cards.sip.contract import CallHandler, EndpointSettings, Refusal
from gateway.cards.sip.pjsip import Endpoint, SipCall
from gateway.observe.log import get_logger
from gateway.observe.priority import be_realtime
from gateway.wire.edge import SpawnCard

LIFELINE_VARIABLE: Final = "GATEWAY_LIFELINE_FD"
"""Environment: an inherited descriptor that reaches EOF when the gateway's parent process is gone."""


def run_card(order: SpawnCard) -> NoReturn:
    """Be a card; called in a freshly forked process. Never returns."""
    status = 1
    try:
        lifeline = _lifeline()
        _keep_only({0, 1, 2} | ({lifeline} if lifeline is not None else set()))
        structlog.contextvars.bind_contextvars(card=order.card)
        _serve(order, lifeline)
        status = 0
    except BaseException as exc:  # noqa: BLE001 - the process ends here, whatever it was
        get_logger().error("card failed", error=f"{type(exc).__name__}: {exc}", trace=traceback.format_exc())
    finally:
        os._exit(status)


def _serve(order: SpawnCard, lifeline: int | None) -> None:
    terminate = _signal_descriptor(signal.SIGTERM)
    be_realtime()
    card: SipCard | None = None

    def incoming(call: SipCall, message: str, source: str) -> CallHandler | Refusal:
        if card is None:
            return Refusal(503)
        return card.on_invite(call, message, source)

    endpoint = Endpoint(
        EndpointSettings(
            codecs=order.codecs,
            sample_rate_hz=order.sample_rate_hz,
            rtp_address=order.rtp_address,
            rtp_port_low=order.rtp_port_low,
            rtp_port_count=order.rtp_port_high - order.rtp_port_low,
            proxy=order.edge_sip,
        ),
        incoming,
    )
    card = SipCard(order, endpoint)
    endpoint.wake_on(terminate)
    if lifeline is not None:
        endpoint.wake_on(lifeline)
    if not endpoint.fast_pcm:
        get_logger().warning("frames lie elsewhere than expected, using the slow audio path")
    if not endpoint.screened:
        get_logger().warning("packets lie elsewhere than expected, requests are not screened")

    def other_fd(fd: int) -> None:
        if fd == terminate:
            os.read(fd, 128)
            card.retire()
        elif fd == lifeline and not os.read(fd, 1):
            os._exit(0)

    card.report_status()
    loop.run(card, endpoint, other_fd)


def _lifeline() -> int | None:
    value = os.environ.get(LIFELINE_VARIABLE, "")
    return int(value) if value else None


def _keep_only(keep: set[int]) -> None:
    """Close what the template had open; standard input and output are its conversation with the edge."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:  # the directory listing's own descriptor
                continue
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _signal_descriptor(number: signal.Signals) -> int:
    """A descriptor that is readable when the signal came.

    A handler would interrupt PJSIP's wait, which it answers by sleeping for the rest of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, {number})
    mask = (ctypes.c_uint64 * 16)(1 << (number - 1))
    library = ctypes.CDLL(None, use_errno=True)
    fd = int(library.signalfd(-1, ctypes.byref(mask), os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return fd
