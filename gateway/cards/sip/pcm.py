"""Where the bytes of a pjsua2 media frame lie in memory, checked before it is relied upon.

A SWIG `MediaFrame` starts with its type (int), then at +8 a `std::vector<uint8_t>` (begin, end,
capacity pointers). Reading those through ctypes takes about 1 µs per frame where `bytes(frame.buf)`
takes more than 100. Nothing here imports pjsua2; addresses come from the caller.
"""

from ctypes import (
    CDLL,
    Structure,
    addressof,
    c_int,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    create_string_buffer,
    memmove,
    sizeof,
    string_at,
)

VECTOR_OFFSET = 8
"""Bytes from the start of a MediaFrame to its vector."""

_pointer_pair = (c_uint64 * 2).from_address
_pointer_triple = (c_uint64 * 3).from_address
_int_at = c_int.from_address


class _PjmediaFrame(Structure):
    """`pjmedia_frame`, as `pjmedia_port_get_frame` fills it."""

    _fields_ = (
        ("type", c_int),
        ("buf", c_void_p),
        ("size", c_size_t),
        ("timestamp", c_uint64),
        ("bit_info", c_uint32),
    )


def vector_span(vector_address: int) -> tuple[int, int, int]:
    """(begin, end, end of capacity) of the vector at an address."""
    begin, end, capacity = _pointer_triple(vector_address)
    return begin, end, capacity


def read_frame(frame_address: int) -> bytes:
    """Bytes of the MediaFrame at an address; empty when it holds none."""
    begin, end = _pointer_pair(frame_address + VECTOR_OFFSET)
    return string_at(begin, end - begin)


def write_span(begin: int, pcm: bytes) -> None:
    """Copy PCM over a vector's storage; the caller has checked that it fits."""
    memmove(begin, pcm, len(pcm))


def set_frame_type(frame_address: int, frame_type: int) -> None:
    """Write the type of the MediaFrame at an address."""
    _int_at(frame_address).value = frame_type


def layout_holds(frame_address: int, vector_address: int, pattern: bytes, frame_type: int) -> bool:
    """Whether a MediaFrame that holds `pattern` lies in memory as this module believes."""
    if vector_address - frame_address != VECTOR_OFFSET or sizeof(c_void_p) != 8:
        return False
    begin, end, capacity = vector_span(vector_address)
    if not begin or end - begin != len(pattern) or capacity < end:
        return False
    return read_frame(frame_address) == pattern and _int_at(frame_address).value == frame_type


class MediaClock:
    """PJSIP's master port, which moves every stream on by one frame when it is asked for audio."""

    def __init__(self, library: CDLL, master: int, sample_rate_hz: int) -> None:
        self._bytes = sample_rate_hz // 50 * 2
        self._storage = create_string_buffer(self._bytes)
        self._frame = _PjmediaFrame(buf=addressof(self._storage))
        self._arguments = (master, addressof(self._frame))
        self._get_frame = library.pjmedia_port_get_frame
        self._get_frame.argtypes = [c_void_p, c_void_p]

    def tick(self) -> None:
        """20 ms pass."""
        self._frame.size = self._bytes
        self._get_frame(*self._arguments)
