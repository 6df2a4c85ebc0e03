"""The only door to pjsua2: a single-threaded endpoint, its media clock, PCM ports and calls, typed.

Everything happens in the thread that creates the `Endpoint`: callbacks come from inside
`handle_events` and `tick`. Cards and softphones build on this; nothing here knows of either.
What aborts or corrupts the process, and how that is avoided, is in README.md beside this file.
"""

import contextlib
import ctypes
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pjsua2 as pj
from pjsua2 import _pjsua2

from gateway.cards.sip import pcm
from gateway.cards.sip.border import callback
from gateway.cards.sip.contract import (
    CallHandler,
    CallState,
    DtmfMethod,
    EndpointSettings,
    Headers,
    MediaInfo,
    PjsipError,
    Refusal,
    StreamQuality,
)
from gateway.cards.sip.digits import DigitCollector
from gateway.cards.sip.screen import Screen
from gateway.cards.sip.waker import Waker

IncomingHandler = Callable[["SipCall", str, str], CallHandler | Refusal]
"""Told about an INVITE (the call, the message as received, its source as address:port); returns who
follows the call, or why it is refused. Must not end the call itself: PJSIP aborts when that happens
while it is still announcing the call."""


MAX_CALLS: Final = 4
"""Compiled into the wheel; a Call with a higher index aborts the process."""

_STATES: Final[dict[int, CallState]] = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}
_JITTER_BUFFER_MS: Final = (20, 20, 200, 400)
"""Initial, minimum and maximum prefetch, and size."""
_DISABLE_TCP_SWITCH: Final = 4
"""Index of `disable_tcp_switch` among the ints at the start of `pjsip_cfg_t`."""
_RECORD: Final = int(pj.PJMEDIA_DIR_DECODING)
_RTP_CLOCK_HZ: Final = {"G722": 8000}
"""Where the RTP clock is not the sample rate (RFC 3551 §4.5.2); PJSIP names the latter."""
_DTMF_UPDATE: Final = 1
_DTMF_END: Final = 2
_UNKNOWN_DURATION_MS: Final = 60_000
"""PJSIP says -1 as an unsigned number."""
_SEND: Final = int(pj.PJMEDIA_DIR_ENCODING)


@contextlib.contextmanager
def _pjsip_errors() -> Iterator[None]:
    try:
        yield
    except pj.Error as exc:
        raise PjsipError(f"{exc.title}: {exc.reason} ({exc.status})") from exc


def fast_path_works() -> bool:
    """Whether frames lie in memory as `pcm.py` says; checked with patterns, about 1 ms."""
    for size in (320, 640, 960):
        pattern = bytes((i * 7 + size) & 255 for i in range(size))
        frame, other, own = pj.MediaFrame(), pj.MediaFrame(), pj.ByteVector(bytes(size))
        frame.buf, frame.size, frame.type = pj.ByteVector(pattern), size, pj.PJMEDIA_FRAME_TYPE_AUDIO
        if not pcm.layout_holds(int(frame.this), int(frame.buf.this), pattern, frame.type):
            return False
        pcm.write_span(pcm.vector_span(int(own.this))[0], pattern)
        _pjsua2.MediaFrame_buf_set(other, own)
        if bytes(other.buf) != pattern:
            return False
    return True


class PcmPort(pj.AudioMediaPort):
    """A port of the conference bridge that swaps 20 ms PCM frames with us on every tick.

    Ports are never freed: create one per call slot and reuse it. `hear` gets what the far end sent
    (empty when the decoder had nothing); `speak` returns exactly one frame, or None for silence.
    """

    def __init__(self, sample_rate_hz: int, *, fast: bool) -> None:
        super().__init__()
        self.hear: Callable[[bytes], None] | None = None
        self.speak: Callable[[], bytes | None] | None = None
        self._bytes = sample_rate_hz // 50 * 2
        self._vector = pj.ByteVector(bytes(self._bytes))
        self._begin = pcm.vector_span(int(self._vector.this))[0] if fast else 0
        layout = pj.MediaFormatAudio()
        layout.init(pj.PJMEDIA_FORMAT_L16, sample_rate_hz, 1, 20000, 16)
        self.createPort("pcm", layout)

    def onFrameReceived(self, frame: Any) -> None:
        """PJSIP hands over decoded audio."""
        try:
            if self.hear is not None:
                self.hear(pcm.read_frame(int(frame.this)) if self._begin else bytes(frame.buf))
        except Exception:
            with callback("onFrameReceived"):
                raise

    def onFrameRequested(self, frame: Any) -> None:
        """PJSIP asks for audio; a frame left untouched is silence."""
        try:
            data = self.speak() if self.speak is not None else None
            if data is None:
                return
            if len(data) != self._bytes:
                raise ValueError(f"frame of {len(data)} bytes, expected {self._bytes}")
            if self._begin:
                pcm.write_span(self._begin, data)
                _pjsua2.MediaFrame_buf_set(frame, self._vector)
                pcm.set_frame_type(int(frame.this), pj.PJMEDIA_FRAME_TYPE_AUDIO)
            else:
                frame.buf, frame.size = pj.ByteVector(data), len(data)
                frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        except Exception:
            with callback("onFrameRequested"):
                raise


def _options(status: int = 0, reason: str = "", headers: Headers = ()) -> Any:
    prm = pj.CallOpParam(True)
    prm.opt.audioCount, prm.opt.videoCount = 1, 0
    prm.statusCode, prm.reason = status, reason
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.append(header)
    return prm


class _Call(pj.Call):
    """PJSIP's side of a call; the endpoint holds the only lasting reference, until DISCONNECTED."""

    def __init__(self, endpoint: "Endpoint", account: Any, call_id: int) -> None:
        super().__init__(account, call_id)
        self.endpoint = endpoint
        self.facade: SipCall | None = SipCall(self)
        self.handler: CallHandler | None = None
        self.audio_index = -1
        self.digits = DigitCollector()

    def onCallState(self, prm: Any) -> None:
        with callback("onCallState"):
            info = self.getInfo()
            state, status, reason = _STATES.get(info.state), int(info.lastStatusCode), str(info.lastReason)
            handler = self.handler
            if state == "disconnected":
                self.endpoint.forget(self)
            if state is not None and handler is not None:
                handler.on_state(state, status, reason)

    def onCallMediaState(self, prm: Any) -> None:
        with callback("onCallMediaState"):
            media = self._negotiated()
            if media is not None and self.handler is not None:
                self.handler.on_media(media)

    def onStreamPreCreate(self, prm: Any) -> None:
        with callback("onStreamPreCreate"):
            stream = prm.streamInfo
            stream.jbInit, stream.jbMinPre, stream.jbMaxPre, stream.jbMax = _JITTER_BUFFER_MS

    def onDtmfEvent(self, prm: Any) -> None:
        with callback("onDtmfEvent"):
            digit, duration_ms, flags = str(prm.digit), int(prm.duration), int(prm.flags)
            if duration_ms >= _UNKNOWN_DURATION_MS:
                duration_ms = 0
            if prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO:
                self._tell([(digit, duration_ms)], "info")
            else:
                update, end = bool(flags & _DTMF_UPDATE), bool(flags & _DTMF_END)
                now = time.monotonic()
                self._tell(self.digits.add(digit, duration_ms, now, update=update, end=end), "rfc4733")

    def expire_digits(self) -> None:
        """Give up waiting for the end of a digit."""
        if self.digits.waiting:
            with callback("expire_digits"):
                self._tell(self.digits.expire(time.monotonic()), "rfc4733")

    def _tell(self, digits: list[tuple[str, int]], method: DtmfMethod) -> None:
        for digit, duration_ms in digits:
            if self.handler is not None:
                self.handler.on_digit(digit, duration_ms, method)

    def onCallTransferRequest(self, prm: Any) -> None:
        # Accepting would make PJSIP dial by itself.
        with callback("onCallTransferRequest"):
            prm.statusCode = 603

    def onCallReplaceRequest(self, prm: Any) -> None:
        # Accepting would answer a call that nobody has been told about.
        with callback("onCallReplaceRequest"):
            prm.statusCode = 603

    def _negotiated(self) -> MediaInfo | None:
        info = self.getInfo()  # `media` points into it
        audio = [m for m in info.media if m.type == pj.PJMEDIA_TYPE_AUDIO]
        facade = self.facade
        if not audio or facade is None or audio[0].status == pj.PJSUA_CALL_MEDIA_ERROR:
            return None
        self.audio_index, direction = int(audio[0].index), int(audio[0].dir)
        sending, receiving = bool(direction & _SEND), bool(direction & _RECORD)
        try:
            stream = self.getStreamInfo(self.audio_index)
        except pj.Error:
            # A stream that is inactive both ways does not exist.
            facade.media = facade.media and replace(facade.media, sending=False, receiving=False)
            return facade.media
        codec = stream.audCodecParam
        srtp = stream.proto in (pj.PJMEDIA_TP_PROTO_RTP_SAVP, pj.PJMEDIA_TP_PROTO_RTP_SAVPF)
        name = str(stream.codecName)
        ptime_ms = int(codec.info.frameLen) * int(codec.setting.frmPerPkt)
        facade.media = MediaInfo(
            name, _RTP_CLOCK_HZ.get(name, int(stream.codecClockRate)), ptime_ms, srtp, sending, receiving
        )
        self._connect(facade, sending, receiving)
        return facade.media

    def _connect(self, facade: "SipCall", sending: bool, receiving: bool) -> None:
        port = facade.port
        if port is None:
            return
        audio = self.getAudioMedia(self.audio_index)
        if receiving:
            audio.startTransmit(port)
        if sending:
            port.startTransmit(audio)
        else:
            # So that playout waits instead of running into a paused stream.
            with contextlib.suppress(pj.Error):
                port.stopTransmit(audio)


class SipCall:
    """One call. Every method raises `PjsipError` when PJSIP refuses or the call is gone."""

    def __init__(self, call: _Call) -> None:
        self._call: _Call | None = call
        self.port: PcmPort | None = None
        """Set before media is negotiated: the port that carries the call's audio."""
        self.media: MediaInfo | None = None
        """Last result of offer and answer."""

    def detach(self) -> None:
        """PJSIP's call has gone; called by the endpoint."""
        self._call = None

    @property
    def _alive(self) -> _Call:
        if self._call is None:
            raise PjsipError("the call is gone")
        return self._call

    @property
    def sip_call_id(self) -> str:
        """Value of the Call-ID header."""
        info = self._alive.getInfo()
        return str(info.callIdString)

    def answer(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        """Respond to the INVITE, also to refuse it."""
        with _pjsip_errors():
            self._alive.answer(_options(status, reason, headers))

    def hangup(self, status: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """End the call: final response, CANCEL or BYE, whatever its state asks for.

        PJSIP leaves `reason` and `headers` out of a final response; use `answer` to refuse.
        """
        with _pjsip_errors():
            self._alive.hangup(_options(status, reason, headers))

    def hold(self, held: bool) -> None:
        """Offer sendonly, or sendrecv again."""
        prm = _options()
        with _pjsip_errors():
            if held:
                self._alive.setHold(prm)
            else:
                prm.opt.flag = pj.PJSUA_CALL_UNHOLD
                self._alive.reinvite(prm)

    def send_dtmf(self, digits: str, method: DtmfMethod | None = None) -> None:
        """Send digits by RFC 4733, or by INFO where the far end did not agree to it."""
        prm = pj.CallSendDtmfParam()
        prm.digits, prm.method = digits, pj.PJSUA_DTMF_METHOD_RFC2833
        if method != "info":
            try:
                self._alive.sendDtmf(prm)
            except pj.Error as exc:
                if method is not None:
                    raise PjsipError(str(exc.reason)) from exc
            else:
                return
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        with _pjsip_errors():
            self._alive.sendDtmf(prm)

    def quality(self) -> StreamQuality | None:
        """Counters of the audio stream; None while there is none."""
        call = self._alive
        if call.audio_index < 0:
            return None
        try:
            stat = call.getStreamStat(call.audio_index)  # `rtcp` and `jbuf` point into it
        except pj.Error:
            return None
        rx, tx = stat.rtcp.rxStat, stat.rtcp.txStat
        return StreamQuality(
            rx_packets=int(rx.pkt),
            rx_lost=int(rx.loss),
            rx_discarded=int(stat.jbuf.discard),
            rx_jitter_ms=int(rx.jitterUsec.last) / 1000,
            jitter_buffer_ms=float(stat.jbuf.avgDelayMsec),
            tx_packets=int(tx.pkt),
            tx_reports=int(tx.updateCount),
            tx_lost=int(tx.loss) if tx.updateCount else -1,
            tx_jitter_ms=int(tx.jitterUsec.last) / 1000,
        )


class _Account(pj.Account):
    def __init__(self, endpoint: "Endpoint") -> None:
        super().__init__()
        self._endpoint = endpoint

    def onIncomingCall(self, prm: Any) -> None:
        with callback("onIncomingCall"):
            received = prm.rdata
            self._endpoint.on_incoming(int(prm.callId), str(received.wholeMsg), str(received.srcAddress))


class Endpoint:
    """The process's one PJSIP endpoint, driven by `handle_events` and `tick` of one thread."""

    def __init__(self, settings: EndpointSettings, incoming: IncomingHandler | None = None) -> None:
        self._settings, self._incoming = settings, incoming
        self._library = ctypes.PyDLL(_pjsua2.__file__)
        self._calls: set[_Call] = set()
        self._refused: list[tuple[SipCall, Refusal]] = []
        self.fast_pcm = fast_path_works()
        self._endpoint = pj.Endpoint()
        with _pjsip_errors():
            self._start()
            self._codecs()
            self._account = self._add_account()
        self._wake = epoll = select.epoll()
        self._waker = Waker(self._library, epoll.fileno())
        self._screen = Screen(self._library)
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
        flags = (ctypes.c_int * 5).in_dll(self._library, "pjsip_sip_cfg_var")
        if all(flag in (0, 1) for flag in flags):
            flags[_DISABLE_TCP_SWITCH] = 1  # we have UDP only, whatever the size
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

    def _add_account(self) -> _Account:
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
        account = _Account(self)
        account.create(config)
        return account

    @property
    def sip_port(self) -> int:
        """UDP port of the SIP socket."""
        info = self._endpoint.transportGetInfo(self._transport)
        return int(str(info.localName).rpartition(":")[2])

    def create_port(self) -> PcmPort:
        """A port of the bridge; keep it for the life of the process."""
        with _pjsip_errors():
            return PcmPort(self._settings.sample_rate_hz, fast=self.fast_pcm)

    def dial(self, uri: str, handler: CallHandler, port: PcmPort, headers: Headers = ()) -> SipCall:
        """Start a call. Raises `PjsipError`."""
        call = _Call(self, self._account, -1)
        facade = call.facade
        assert facade is not None
        facade.port, call.handler = port, handler
        self._calls.add(call)
        try:
            with _pjsip_errors():
                call.makeCall(uri, _options(headers=headers))
        except PjsipError:
            self.forget(call)
            raise
        return facade

    def on_incoming(self, call_id: int, message: str, source: str) -> None:
        """An INVITE arrived; called by the account."""
        call = _Call(self, self._account, call_id)
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

    def forget(self, call: _Call) -> None:
        """Let go of a call that has ended, so that a later one may reuse its index."""
        self._calls.discard(call)
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

    def ready(self) -> list[tuple[int, int]]:
        """(fd, epoll events) of the watched descriptors that are ready now."""
        return self._wake.poll(0)

    def tick(self) -> None:
        """Advance the media clock by 20 ms: ports hear and speak one frame each."""
        self._clock.tick()
        for call in self._calls:
            call.expire_digits()
