"""What OpenAI's services have in common: keys, Azure and audio formats."""

from typing import Literal
from urllib.parse import urlsplit

from gateway.core.audio import WireFormat


def choose_format(choice: str, leg_rate_hz: int, *, narrow: bool = False) -> WireFormat:
    """The connection's audio format; `auto` avoids resampling a G.711 call, and PCM if `narrow`."""
    if choice == "auto":
        return WireFormat.PCMU if narrow or leg_rate_hz == 8000 else WireFormat.PCM24K
    return WireFormat(choice)


def key_headers(url: str, key: str, auth: Literal["auto", "bearer", "api-key"]) -> dict[str, str]:
    """The header that carries the key; none without a key."""
    if not key:
        return {}
    azure = (urlsplit(url).hostname or "").endswith(".openai.azure.com")
    if auth == "api-key" or (auth == "auto" and azure):
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
