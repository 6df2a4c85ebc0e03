"""The process's one PJSIP endpoint: configuration, account, waiting, and the media clock."""

import contextlib
import ctypes
import secrets
import select
import time
from collections.abc import Callable
from typing import Any, Final

from gateway.cards.sip import pcm
from gateway.cards.sip.answers import AnswerWatch
from gateway.cards.sip.contract import (
    BusyError,
    CallHandler,
    EndpointSettings,
    Headers,
    OutgoingCall,
    PjsipError,
    Refusal,
)
from gateway.cards.sip.pjsip.accounts import Accounts
from gateway.cards.sip.pjsip.call import NativeCall, SipCall, call_options, pjsip_errors
from gateway.cards.sip.pjsip.native import extension, pj
from gateway.cards.sip.pjsip.port import PcmPort, fast_path_works
from gateway.cards.sip.screen import Screen, SdpAnswer
from gateway.cards.sip.waker import Waker
from gateway.core.churn import Churn

MAX_CALLS: Final = 4
"""Compiled into the wheel; a Call with a higher index aborts the process."""

_DISABLE_TCP_SWITCH: Final = 4
"""Index of `disable_tcp_switch` among the ints at the start of `pjsip_cfg_t`."""

_KEEP_AFTER_TIMEOUT: Final = 12
"""Index of `keep_inv_after_tsx_timeout`; the timers T1, T2, T4 and TD behind it show that it is there."""
_TIMERS_MS: Final = [500, 4000, 5000, 32000]

IncomingHandler = Callable[["SipCall", str, str], CallHandler | Refusal]
"""Told about an INVITE (the call, the message as received, its source as address:port); returns who
follows the call, or why it is refused. Must not end the call itself: PJSIP aborts when that happens
while it is still announcing the call."""


class Endpoint:
    """The process's one PJSIP endpoint, driven by `handle_events` and `tick` of one thread."""

    def __init__(self, settings: EndpointSettings, incoming: IncomingHandler | None = None) -> None:
        self._settings, self._incoming = settings, incoming
        self._library = ctypes.PyDLL(extension.__file__)
        self._calls: set[NativeCall] = set()
        self._refused: list[tuple[SipCall, Refusal]] = []
        self.fast_pcm = fast_path_works()
        self._endpoint = pj.Endpoint()
        with pjsip_errors():
            self._start()
            self._codecs()
            self._accounts = Accounts(self._account_config(), self.on_incoming)
        self._wake = epoll = select.epoll()
        self._waker = Waker(self._library, epoll.fileno())
        self._placed: dict[bytes, NativeCall] = {}
        """By Call-ID."""
        self._churn = Churn()
        self._screen = Screen(self._library, self._may_begin, self._may_answer)
        self.screened = self._screen.locate(settings.sip_address, self.sip_port, self.handle_events)

    def _start(self) -> None:
        config = pj.EpConfig()
        config.logConfig.level = config.logConfig.consoleLevel = 0
        ua, media = config.uaConfig, config.medConfig
        ua.threadCnt, ua.maxCalls, ua.userAgent = 0, MAX_CALLS, self._settings.user_agent
        media.threadCnt, media.hasIoqueue, media.maxMediaPorts = 0, False, 16
        media.clockRate = media.sndClockRate = self._settings.sample_rate_hz
        media.audioFramePtime, media.noVad, media.ecTailLen, media.quality = 20, True, 0, 4
        self._library.pj_log_set_level(0)  # before the configuration is read it prints to standard output
        self._endpoint.libCreate()
        self._endpoint.libInit(config)
        settings = (ctypes.c_int * 18).in_dll(self._library, "pjsip_sip_cfg_var")
        flags, timers_ms = settings[:13], settings[14:]
        if all(flag in (0, 1) for flag in flags):
            settings[_DISABLE_TCP_SWITCH] = 1  # we have UDP only, whatever the size
            if timers_ms == _TIMERS_MS:
                settings[_KEEP_AFTER_TIMEOUT] = 1  # a re-INVITE without an answer must not end the call
        transport = pj.TransportConfig()
        transport.port, transport.boundAddress = self._settings.sip_port, self._settings.sip_address
        self._transport = int(self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport))
        self._endpoint.libStart()
        master = int(self._endpoint.audDevManager().setNoDev())
        self._clock = pcm.MediaClock(self._library, master, self._settings.sample_rate_hz)

    def _codecs(self) -> None:
        order = {codec.lower(): 255 - i for i, codec in enumerate(self._settings.codecs)}
        for codec in self._endpoint.codecEnum2():
            self._endpoint.codecSetPriority(codec.codecId, order.get(str(codec.codecId).lower(), 0))

    def _account_config(self) -> Any:
        settings = self._settings
        config = pj.AccountConfig()
        config.idUri = f"sip:{settings.identity}@{settings.sip_address}:{self.sip_port}"
        config.sipConfig.transportId = self._transport
        if settings.proxy:
            config.sipConfig.proxies.append(f"sip:{settings.proxy};lr;hide")
        nat = config.natConfig
        nat.contactRewriteUse, nat.viaRewriteUse, nat.sipOutboundUse, nat.sdpNatRewriteUse = 0, 0, 0, 0
        media = config.mediaConfig
        media.transportConfig.boundAddress = settings.rtp_address
        media.transportConfig.publicAddress = settings.rtp_advertise
        media.transportConfig.port = settings.rtp_port_low
        media.transportConfig.portRange = settings.rtp_port_count
        media.lockCodecEnabled = False
        media.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL if settings.srtp else pj.PJMEDIA_SRTP_DISABLED
        media.srtpSecureSignaling = 0
        return config

    @property
    def sip_port(self) -> int:
        """UDP port of the SIP socket."""
        info = self._endpoint.transportGetInfo(self._transport)
        return int(str(info.localName).rpartition(":")[2])

    def create_port(self) -> PcmPort:
        """A port of the bridge; keep it for the life of the process."""
        with pjsip_errors():
            return PcmPort(self._settings.sample_rate_hz, fast=self.fast_pcm)

    def dial(self, uri: str, handler: CallHandler, port: PcmPort, headers: Headers = ()) -> SipCall:
        """Start a call. Raises `PjsipError`."""
        order = OutgoingCall(uri=uri, headers=headers, srtp=self._settings.srtp)
        return self.place(order, port, lambda _: handler)

    def place(self, order: OutgoingCall, port: PcmPort, follow: Callable[[SipCall], CallHandler]) -> SipCall:
        """Start a call; `follow` is given it before anything happens.

        Raises `PjsipError`; as `BusyError` if too many calls began just now.
        """
        if self.calls_held >= MAX_CALLS:
            raise PjsipError("all call slots are in use")
        if not self._may_begin(secrets.token_bytes(8)):
            raise BusyError("too many calls began within a second")
        options = call_options(headers=order.headers)
        options.txOption.localUri, options.opt.customCallId = order.from_uri, order.sip_call_id
        account = self._accounts.incoming
        if not order.srtp:
            with pjsip_errors():
                account = self._accounts.outgoing(order.username, order.password)
        call = NativeCall(self.forget, account, -1)
        facade = call.facade
        assert facade is not None
        facade.port = port
        call.handler = follow(facade)
        self._calls.add(call)
        if order.sip_call_id:
            call.answers = AnswerWatch()
            self._placed[order.sip_call_id.encode()] = call
        try:
            with pjsip_errors():
                call.makeCall(order.uri, options)
        except PjsipError:
            self.forget(call)
            raise
        return facade

    def _may_begin(self, transaction: bytes) -> bool:
        return self._churn.admit(transaction, time.monotonic())

    def _may_answer(self, answer: SdpAnswer) -> bool:
        call = self._placed.get(answer.sip_call_id)
        if call is None or call.answers is None:
            return True
        return call.answers.passes(
            answer.to_tag, answer.sdp, provisional=answer.provisional, agreed=call.agreed
        )

    def on_incoming(self, call_id: int, message: str, source: str) -> None:
        """An INVITE arrived; called by the account."""
        call = NativeCall(self.forget, self._accounts.incoming, call_id)
        self._calls.add(call)
        facade = call.facade
        assert facade is not None
        verdict: CallHandler | Refusal = Refusal(500)
        try:
            verdict = self._incoming(facade, message, source) if self._incoming else Refusal(480)
        finally:
            if isinstance(verdict, Refusal):
                self._refused.append((facade, verdict))
            else:
                call.handler = verdict

    def forget(self, call: NativeCall) -> None:
        """Let go of a call that has ended, so that a later one may reuse its index."""
        self._calls.discard(call)
        if call in self._placed.values():
            self._placed = {name: each for name, each in self._placed.items() if each is not call}
        if call.facade is not None:
            call.facade.detach()
        call.facade = call.handler = None

    def wake_on(self, fd: int, *, readable: bool = True, writable: bool = False) -> None:
        """Let `handle_events` return when a descriptor is ready (level-triggered); again to change."""
        mask = (select.EPOLLIN if readable else 0) | (select.EPOLLOUT if writable else 0)
        try:
            self._wake.modify(fd, mask)
        except FileNotFoundError:
            self._wake.register(fd, mask)

    def wake_off(self, fd: int) -> None:
        """Forget a descriptor; before it is closed."""
        self._wake.unregister(fd)

    def handle_events(self, timeout_ms: int) -> bool:
        """Serve SIP, RTP and timers until something happened; True when a watched fd may be ready."""
        self._waker.arm()
        self.handle_pending(timeout_ms)
        return self._waker.rang

    def handle_pending(self, timeout_ms: int = 0) -> None:
        """Serve SIP, RTP and timers without looking at the watched descriptors."""
        self._endpoint.libHandleEvents(timeout_ms)
        while self._refused:
            call, refusal = self._refused.pop()
            with contextlib.suppress(PjsipError):  # the caller was faster
                call.answer(refusal.status, refusal.reason, refusal.headers)

    @property
    def calls_held(self) -> int:
        """PJSIP's call slots in use; a call that we end holds its slot until the far end confirms the BYE."""
        return int(self._library.pjsua_call_get_count())

    def ready(self) -> list[tuple[int, int]]:
        """(fd, epoll events) of the watched descriptors that are ready now."""
        return self._wake.poll(0)

    def tick(self) -> None:
        """Advance the media clock by 20 ms: ports hear and speak one frame each."""
        self._clock.tick()
        for call in self._calls:
            call.expire_digits()
