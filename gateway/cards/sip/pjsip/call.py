"""One SIP call: PJSIP's object, which may live only until DISCONNECTED, and the facade that may stay."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from gateway.cards.sip.answers import AnswerWatch
from gateway.cards.sip.border import callback
from gateway.cards.sip.contract import (
    CallHandler,
    CallState,
    DtmfMethod,
    Headers,
    MediaInfo,
    PjsipError,
    StreamQuality,
)
from gateway.cards.sip.digits import DigitCollector
from gateway.cards.sip.pjsip.native import pj
from gateway.cards.sip.pjsip.port import PcmPort
from gateway.cards.sip.round_trip import RttStat
from gateway.cards.sip.sdp import codec_name, codecs, rtp_clock_hz, with_codec_alone

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
_RECORD: Final = int(pj.PJMEDIA_DIR_DECODING)
_DIGITS: Final = frozenset("0123456789ABCD*#")
_DTMF_UPDATE: Final = 1
_DTMF_END: Final = 2
_TSX_OVER: Final = frozenset((pj.PJSIP_TSX_STATE_COMPLETED, pj.PJSIP_TSX_STATE_TERMINATED))
_CHALLENGES: Final = frozenset((401, 407))
_REFUSED: Final = 300
_FINAL: Final = 200
"""The least status of a final response."""
_UNKNOWN_DURATION_MS: Final = 60_000
"""PJSIP says -1 as an unsigned number."""
_SEND: Final = int(pj.PJMEDIA_DIR_ENCODING)


@contextlib.contextmanager
def pjsip_errors() -> Iterator[None]:
    """Turn pjsua2's exceptions into ours."""
    try:
        yield
    except pj.Error as exc:
        raise PjsipError(f"{exc.title}: {exc.reason} ({exc.status})") from exc


def call_options(status: int = 0, reason: str = "", headers: Headers = ()) -> Any:
    prm = pj.CallOpParam(True)
    prm.opt.audioCount, prm.opt.videoCount = 1, 0
    prm.statusCode, prm.reason = status, reason
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        prm.txOption.headers.append(header)
    return prm


class NativeCall(pj.Call):
    """PJSIP's side of a call; the endpoint holds the only lasting reference, until DISCONNECTED."""

    def __init__(self, forget: Callable[["NativeCall"], None], account: Any, call_id: int) -> None:
        super().__init__(account, call_id)
        self._forget = forget
        self.facade: SipCall | None = SipCall(self)
        self.handler: CallHandler | None = None
        self.audio_index = -1
        self.agreed = 0
        """How often offer and answer have been agreed on."""
        self.answers: AnswerWatch | None = None
        """Of a call that we place, until it is answered."""
        self.confirmed = False
        self.digits = DigitCollector()
        self.wanted: tuple[str, int] | None = None
        """Codec and packet time in ms that our offers name alone, once they have been asked for."""
        self.offered: tuple[str, ...] = ()
        """Codecs that the far end named last."""

    def onCallSdpCreated(self, prm: Any) -> None:
        with callback("onCallSdpCreated"):
            theirs = str(prm.remSdp.wholeSdp)
            if theirs:
                self.offered = codecs(theirs)
            elif self.wanted is not None:
                ours = with_codec_alone(str(prm.sdp.wholeSdp), *self.wanted)
                if ours is not None:
                    prm.sdp.wholeSdp = ours

    def onCallTsxState(self, prm: Any) -> None:
        with callback("onCallTsxState"):
            if prm.e.type != pj.PJSIP_EVENT_TSX_STATE or self.handler is None:
                return
            tsx = prm.e.body.tsxState.tsx
            ours = tsx.role == pj.PJSIP_ROLE_UAC and str(tsx.method) == "INVITE"
            status = int(tsx.statusCode)
            # A transaction that was completed is terminated long afterwards (RFC 3261 §17.1.1.2, timer D).
            over = tsx.state in _TSX_OVER and prm.e.body.tsxState.prevState not in _TSX_OVER
            if ours and status >= _REFUSED and status not in _CHALLENGES and self.confirmed and over:
                self.handler.on_refused(status, str(tsx.statusText))

    def onCallState(self, prm: Any) -> None:
        with callback("onCallState"):
            info = self.getInfo()
            state, status, reason = _STATES.get(info.state), int(info.lastStatusCode), str(info.lastReason)
            handler = self.handler
            if state == "disconnected":
                self._forget(self)
            elif state == "confirmed":
                self.answers, self.confirmed = None, True
            if state is not None and handler is not None:
                handler.on_state(state, status, reason)

    def onCallMediaState(self, prm: Any) -> None:
        with callback("onCallMediaState"):
            media = self._negotiated()
            self.agreed += media is not None
            if media is not None and self.handler is not None:
                self.handler.on_media(media)

    def onStreamPreCreate(self, prm: Any) -> None:
        with callback("onStreamPreCreate"):
            stream = prm.streamInfo
            stream.jbInit, stream.jbMinPre, stream.jbMaxPre, stream.jbMax = _JITTER_BUFFER_MS

    def onDtmfEvent(self, prm: Any) -> None:
        with callback("onDtmfEvent"):
            digit, duration_ms, flags = str(prm.digit).upper(), int(prm.duration), int(prm.flags)
            if digit not in _DIGITS:
                return
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

    def onCallTransferStatus(self, prm: Any) -> None:
        with callback("onCallTransferStatus"):
            status, final = int(prm.statusCode), bool(prm.finalNotify)
            prm.cont = not final
            if self.handler is not None:
                self.handler.on_transfer(status, str(prm.reason), final=final or status >= _FINAL)

    def onCallRedirected(self, prm: Any) -> int:
        # Whoever is called must not choose whom we pay for; this way the core learns of the 3xx.
        return int(pj.PJSIP_REDIRECT_REJECT)

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
        facade.frames_per_packet = max(1, int(codec.setting.frmPerPkt))
        ptime_ms = int(codec.info.frameLen) * int(codec.setting.frmPerPkt)
        facade.media = MediaInfo(
            name,
            rtp_clock_hz(name, int(stream.codecClockRate)),
            ptime_ms,
            srtp,
            sending,
            receiving,
            self.offered,
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

    def __init__(self, call: NativeCall) -> None:
        self._call: NativeCall | None = call
        self.port: PcmPort | None = None
        """Set before media is negotiated: the port that carries the call's audio."""
        self.media: MediaInfo | None = None
        """Last result of offer and answer."""
        self.frames_per_packet = 1
        """The jitter buffer counts the codec's frames."""

    def detach(self) -> None:
        """PJSIP's call has gone; called by the endpoint."""
        self._call = None

    @property
    def _alive(self) -> NativeCall:
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
        with pjsip_errors():
            self._alive.answer(call_options(status, reason, headers))

    def hangup(self, status: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """End the call: final response, CANCEL or BYE, whatever its state asks for.

        PJSIP leaves `reason` and `headers` out of a final response; use `answer` to refuse.
        """
        with pjsip_errors():
            self._alive.hangup(call_options(status, reason, headers))

    def hold(self, held: bool) -> None:
        """Offer sendonly, or sendrecv again."""
        prm = call_options()
        with pjsip_errors():
            if held:
                self._alive.setHold(prm)
            else:
                prm.opt.flag = pj.PJSUA_CALL_UNHOLD
                self._alive.reinvite(prm)

    def renegotiate(self, codec: str, ptime_ms: int) -> None:
        """Offer this codec and packet time alone, in this call alone (RFC 3261 §14)."""
        call = self._alive
        before, call.wanted = call.wanted, (codec, ptime_ms)
        try:
            prm = call_options()
            # Without it PJSIP goes on to offer a hold that the far end has refused.
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            with pjsip_errors():
                call.reinvite(prm)
        except PjsipError:
            call.wanted = before
            raise

    def keep_media(self) -> None:
        """The far end refused: our next offer names what is spoken now."""
        if self._call is not None and self.media is not None:
            name = codec_name(self.media.codec, self.media.clock_rate_hz)
            self._call.wanted = (name, self.media.ptime_ms)

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
        with pjsip_errors():
            self._alive.sendDtmf(prm)

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        """REFER (RFC 3515)."""
        with pjsip_errors():
            self._alive.xfer(uri, call_options(headers=headers))

    def quality(self) -> StreamQuality | None:
        """Counters of the audio stream; None while there is none."""
        call = self._alive
        if call.audio_index < 0:
            return None
        try:
            stat = call.getStreamStat(call.audio_index)  # `rtcp` and `jbuf` point into it
        except pj.Error:
            return None
        rx, tx, rtt = stat.rtcp.rxStat, stat.rtcp.txStat, stat.rtcp.rttUsec
        return StreamQuality(
            rx_packets=int(rx.pkt),
            rx_lost=int(rx.loss),
            rx_discarded=int(stat.jbuf.discard) // self.frames_per_packet,
            rx_jitter_ms=int(rx.jitterUsec.last) / 1000,
            jitter_buffer_ms=float(stat.jbuf.avgDelayMsec),
            tx_packets=int(tx.pkt),
            tx_reports=int(tx.updateCount),
            tx_lost=int(tx.loss) if tx.updateCount else -1,
            tx_jitter_ms=int(tx.jitterUsec.last) / 1000,
            rx_loss_runs=int(rx.lossPeriodUsec.n),
            rtt=RttStat(int(rtt.n), int(rtt.last), int(rtt.mean)),
        )
