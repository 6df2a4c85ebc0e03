"""The two kinds of error this program tells apart: ours and the far end's."""


class GatewayError(Exception):
    """Base of every error the gateway raises on purpose."""


class LocalError(GatewayError):
    """We, or whoever configured us, did something wrong; repeating it will not help."""


class RemoteError(GatewayError):
    """A peer, a backend or the network misbehaved; `retryable` says whether to try again."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
