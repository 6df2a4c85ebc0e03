"""URLs of services as people see them."""

from urllib.parse import urlsplit

from gateway.backends.contract import BackendError


def shown(url: str) -> str:
    """A URL for people: without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def named(error: BackendError, url: str) -> BackendError:
    """The error with the URL it is about."""
    return BackendError(error.kind, f"{shown(url)}: {error}", retryable=error.retryable)
