"""Between a leg's PCM and the format on a backend's connection, as chains of one-method stages."""

from collections.abc import Callable

from gateway.core.audio import PcmFormat, WireFormat
from gateway.media import g711
from gateway.media.resampler import Resampler

Stage = Callable[[bytes], bytes]


class Transcoder:
    """A fixed chain of stages for one direction of one stream."""

    def __init__(self, name: str, stages: list[tuple[str, Stage]]) -> None:
        self._name = name
        self._stages = stages
        self._functions = tuple(stage for _, stage in stages)

    def process(self, data: bytes) -> bytes:
        """Convert a chunk of any length."""
        for stage in self._functions:
            data = stage(data)
        return data

    def describe(self) -> str:
        """The chain in words, e.g. `pcm@8000 -> pcmu`."""
        return " -> ".join([self._name, *(name for name, _ in self._stages)])


def encoder(source: PcmFormat, wire: WireFormat) -> Transcoder:
    """PCM of a leg to the backend's format."""
    stages: list[tuple[str, Stage]] = []
    if source.sample_rate_hz != wire.sample_rate_hz:
        stages.append(
            (f"pcm@{wire.sample_rate_hz}", Resampler(source.sample_rate_hz, wire.sample_rate_hz).process)
        )
    if wire is WireFormat.PCMU:
        stages.append(("pcmu", g711.ulaw_encode))
    elif wire is WireFormat.PCMA:
        stages.append(("pcma", g711.alaw_encode))
    return Transcoder(f"pcm@{source.sample_rate_hz}", stages)


def decoder(wire: WireFormat, target: PcmFormat) -> Transcoder:
    """The backend's format to PCM of a leg."""
    stages: list[tuple[str, Stage]] = []
    if wire is WireFormat.PCMU:
        stages.append((f"pcm@{wire.sample_rate_hz}", g711.ulaw_decode))
    elif wire is WireFormat.PCMA:
        stages.append((f"pcm@{wire.sample_rate_hz}", g711.alaw_decode))
    if target.sample_rate_hz != wire.sample_rate_hz:
        stages.append(
            (f"pcm@{target.sample_rate_hz}", Resampler(wire.sample_rate_hz, target.sample_rate_hz).process)
        )
    return Transcoder(wire.value, stages)
