"""A way for other descriptors to end PJSIP's wait."""

import ctypes

from gateway.cards.sip.contract import PjsipError

_ALWAYS_ASYNC = 1 << 31
"""PJ_IOQUEUE_ALWAYS_ASYNC: don't try the read at once."""


class _IoqueueCallbacks(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("read", "write", "accept", "connect"))


class Waker:
    """Lets an epoll descriptor end PJSIP's own wait, which has no descriptor to be waited on itself.

    The epoll fd sits in PJSIP's ioqueue with a pending read. When one of its descriptors is ready,
    PJSIP reads from it, gets ENOTSOCK and reports that to our callback, which is all we want.
    """

    def __init__(self, library: ctypes.CDLL, fd: int) -> None:
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        library.pjsua_get_pjsip_endpt.restype = pointer
        library.pjsip_endpt_get_ioqueue.restype = pointer
        library.pjsip_endpt_get_ioqueue.argtypes = [pointer]
        library.pjsua_pool_create.restype = pointer
        library.pjsua_pool_create.argtypes = [ctypes.c_char_p, size, size]
        library.pj_ioqueue_op_key_init.argtypes = [pointer, size]
        library.pj_ioqueue_register_sock.argtypes = [
            pointer,
            pointer,
            ctypes.c_long,
            pointer,
            pointer,
            pointer,
        ]
        self._recv = library.pj_ioqueue_recv
        self._recv.argtypes = [pointer, pointer, pointer, pointer, ctypes.c_uint]
        self.rang = False
        self._armed = False
        # PJSIP keeps addresses of all of these.
        self._on_read = ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_ssize_t)(self._on_ready)
        self._callbacks = _IoqueueCallbacks(read=ctypes.cast(self._on_read, pointer))
        self._operation = ctypes.create_string_buffer(1024)
        self._byte, self._length, self._key = ctypes.create_string_buffer(1), ctypes.c_ssize_t(1), pointer()
        library.pj_ioqueue_op_key_init(self._operation, len(self._operation))
        ioqueue = library.pjsip_endpt_get_ioqueue(library.pjsua_get_pjsip_endpt())
        pool = library.pjsua_pool_create(b"wake", 512, 512)
        status = library.pj_ioqueue_register_sock(
            pool, ioqueue, fd, None, ctypes.byref(self._callbacks), ctypes.byref(self._key)
        )
        if status:
            raise PjsipError(f"the ioqueue refused our descriptor ({status})")

    def _on_ready(self, _key: int, _operation: int, _result: int) -> None:
        self.rang, self._armed = True, False

    def arm(self) -> None:
        """Before waiting: reset `rang` and have a read pending."""
        self.rang = False
        if not self._armed:
            self._length.value, self._armed = 1, True
            self._recv(self._key, self._operation, self._byte, ctypes.byref(self._length), _ALWAYS_ASYNC)
