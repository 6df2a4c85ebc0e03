"""One sound laid over another."""

import warnings

with warnings.catch_warnings():
    # In the standard library up to 3.12, from audioop-lts after.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop


def overlay(base: bytes, above: bytes) -> bytes:
    """The sum of two pieces of s16le PCM, limited at full scale; as long as `base`."""
    if len(above) != len(base):
        above = above[: len(base)].ljust(len(base), b"\0")
    return audioop.add(base, above, 2)
