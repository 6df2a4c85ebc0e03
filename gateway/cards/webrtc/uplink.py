"""What a peer says: packets in, 20 ms frames for the core out. No I/O, time injected."""

from collections.abc import Sequence

from gateway.cards.webrtc.arrivals import Arrivals
from gateway.cards.webrtc.codecs import CodecKind, make_decoder
from gateway.cards.webrtc.incoming import Incoming
from gateway.cards.webrtc.opus import has_fec
from gateway.cards.webrtc.receive import ReceiveBuffer, Step
from gateway.core.audio import PcmFormat
from gateway.errors import RemoteError


class Uplink:
    """Receive buffer, decoder and the frames between two ticks."""

    def __init__(self, kind: CodecKind, pcm_format: PcmFormat, now: float) -> None:
        self._kind, self._pcm_format = kind, pcm_format
        self._decoder = make_decoder(kind.name, pcm_format.sample_rate_hz)
        self._buffer = ReceiveBuffer(kind.clock_rate_hz)
        self._incoming = Incoming(pcm_format.frame_bytes)
        self._arrivals = Arrivals(kind.clock_rate_hz)
        self._ssrc: int | None = None
        self._past = (0, 0, 0, 0, 0)
        self.concealed_ms = 0.0
        """Made up by the decoder, not counting what came back from copies in other packets."""
        self.last_packet_s = now
        """When the last packet came."""
        self.undecodable = 0
        """Packets that the codec did not understand."""

    @property
    def packets(self) -> int:
        """Received since the beginning."""
        return self._past[0] + self._arrivals.packets

    @property
    def lost(self) -> int:
        """Not received since the beginning."""
        return self._past[1] + self._arrivals.lost

    @property
    def loss_runs(self) -> int:
        """Gaps since the beginning."""
        return self._past[3] + self._arrivals.loss_runs

    @property
    def repaired(self) -> int:
        """Received only when asked for again."""
        return self._past[4] + self._arrivals.repaired

    def delay_rise_ms(self, now: float) -> float | None:
        """See `Arrivals.delay_rise_ms`; once a second."""
        return self._arrivals.delay_rise_ms(now)

    @property
    def discarded(self) -> int:
        """Received and not played: too late, or not decodable."""
        return self._past[2] + self._buffer.counters.late + self.undecodable

    @property
    def concealed(self) -> int:
        """Lost packets in whose place something was played, of the current stream."""
        return self._buffer.counters.concealed

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter."""
        return self._arrivals.jitter_ms

    @property
    def wait_ms(self) -> float:
        """How long a gap is waited for."""
        return self._buffer.wait_s * 1000

    def take(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, now: float) -> Sequence[int]:
        """A packet; returns the sequence numbers to ask for again."""
        if ssrc != self._ssrc:
            self._new_stream(ssrc)
        self.last_packet_s = now
        self._arrivals.add(sequence, timestamp, now)
        return self._buffer.push(sequence, timestamp, payload, now)

    def tick(self, now: float) -> tuple[list[bytes], bool]:
        """Frames for the core, and whether they only stand for audio that did not come."""
        self._decode(now)
        return self._incoming.tick()

    def ready(self, now: float) -> list[bytes]:
        """Frames for the core that are there already; between two ticks."""
        self._decode(now)
        return self._incoming.take()

    def _decode(self, now: float) -> None:
        for step in self._buffer.pull(now):
            try:
                self._incoming.push(self._carry_out(step))
            except RemoteError:
                self.undecodable += 1

    def _carry_out(self, step: Step) -> bytes:
        if step.kind == "decode":
            return self._decoder.decode(step.payload)
        copied = step.kind == "recover" and self._kind.name == "opus" and has_fec(step.payload)
        pcm = self._decoder.recover(step.payload) if step.kind == "recover" else self._decoder.conceal()
        if not copied:
            self.concealed_ms += self._pcm_format.duration_ms(len(pcm))
        return pcm

    def _new_stream(self, ssrc: int) -> None:
        if self._ssrc is not None:
            self._past = (
                self.packets,
                self.lost,
                self.discarded - self.undecodable,
                self.loss_runs,
                self.repaired,
            )
            rate_hz = self._kind.clock_rate_hz
            self._buffer, self._arrivals = ReceiveBuffer(rate_hz), Arrivals(rate_hz)
        self._ssrc = ssrc
