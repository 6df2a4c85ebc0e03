"""Speech for the bot's tests: the demo phone's recordings on the phone band, and other sounds."""

import wave
from importlib.resources import files

import numpy as np

from gateway.core.audio import WireFormat
from gateway.media.g711 import alaw_encode, ulaw_decode, ulaw_encode
from gateway.media.levels import to_pcm
from gateway.media.resampler import Resampler

RATE_HZ = 8000


def recording(name: str) -> bytes:
    """PCM at 8 kHz of a demo recording, after a µ-law round trip."""
    with (
        (files("gateway.softphone") / "speech" / f"{name}.wav").open("rb") as file,
        wave.open(file) as reader,
    ):
        return ulaw_decode(ulaw_encode(reader.readframes(reader.getnframes())))


def silence(duration_ms: int) -> bytes:
    """Digital silence."""
    return bytes(RATE_HZ * 2 * duration_ms // 1000)


def spoken(name: str) -> bytes:
    """A recording with silence around it."""
    return silence(500) + recording(name) + silence(800)


def noise(duration_ms: int, *, rms: float, seed: int = 1) -> bytes:
    """White noise."""
    samples = np.random.default_rng(seed).standard_normal(RATE_HZ * duration_ms // 1000) * rms
    return samples.astype("<i2").tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    """Two signals added, as long as the first."""
    a = np.frombuffer(one, "<i2").astype(float)
    b = np.frombuffer(other, "<i2").astype(float)[: len(a)]
    a[: len(b)] += b
    return to_pcm(a.astype(np.float32))


def as_wire(pcm: bytes, wire: WireFormat) -> bytes:
    """8 kHz PCM in a format of the protocol."""
    if wire is WireFormat.PCMU:
        return ulaw_encode(pcm)
    return alaw_encode(pcm) if wire is WireFormat.PCMA else Resampler(RATE_HZ, 24000).process(pcm)
