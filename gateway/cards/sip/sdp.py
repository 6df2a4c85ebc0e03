"""The audio part of an SDP text: which codecs it names, and the same with one of them alone. Pure.

Codecs are called as ladders call them: upper case, with the clock rate where it is not the usual one
(`SPEEX/16000`).
"""

import re
from typing import Final

_STATIC: Final = {0: "PCMU", 3: "GSM", 8: "PCMA", 9: "G722"}
"""RFC 3551 table 4."""
_EVENTS: Final = "TELEPHONE-EVENT"
_USUAL_HZ: Final = "8000"


def codecs(sdp: str) -> tuple[str, ...]:
    """What the first audio line names, in its order; without telephone events and comfort noise."""
    _, names = _first_audio(sdp.splitlines())
    return tuple(dict.fromkeys(name for name in names.values() if name not in (_EVENTS, "CN", "")))


def with_codec_alone(sdp: str, codec: str, ptime_ms: int) -> str | None:
    """The text with this codec and packet time and telephone events alone; None if it lacks the codec."""
    lines = sdp.splitlines()
    at, names = _first_audio(lines)
    wanted = next((number for number, name in names.items() if name == codec), None)
    if at is None or wanted is None:
        return None
    kept = {wanted} | {number for number, name in names.items() if name == _EVENTS}
    head = lines[at].split()
    lines[at] = " ".join([*head[:3], *(word for word in head[3:] if _number(word) in kept)])
    end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("m=")), len(lines))
    body = [line for line in lines[at + 1 : end] if _stays(line, kept)]
    return "\r\n".join([*lines[: at + 1], *body, f"a=ptime:{ptime_ms}", *lines[end:], ""])


def _first_audio(lines: list[str]) -> tuple[int | None, dict[int, str]]:
    """Index of the first `m=audio` line, and its payload types with the codecs' names."""
    at = next((i for i, line in enumerate(lines) if line.startswith("m=audio ")), None)
    if at is None:
        return None, {}
    numbers = [number for word in lines[at].split()[3:] if (number := _number(word)) is not None]
    names = {number: _STATIC.get(number, "") for number in numbers}
    for line in lines[at + 1 :]:
        if line.startswith("m="):
            break
        if not line.startswith("a=rtpmap:"):
            continue
        word, _, mapping = line.removeprefix("a=rtpmap:").partition(" ")
        number = _number(word)
        if number in names:
            names[number] = _name(mapping)
    return at, names


def _number(word: str) -> int | None:
    """A payload type of 0 to 127 (RFC 3551 §6); None for anything else."""
    return int(word) if re.fullmatch("[0-9]{1,3}", word) and int(word) < 128 else None


def _name(mapping: str) -> str:
    """Of an rtpmap's `ENCODING/RATE[/CHANNELS]`."""
    encoding, _, rest = mapping.strip().upper().partition("/")
    rate_hz = rest.partition("/")[0]
    return encoding if rate_hz == _USUAL_HZ else f"{encoding}/{rate_hz}"


def _stays(line: str, kept: set[int]) -> bool:
    if line.startswith(("a=ptime:", "a=maxptime:")):
        return False
    if not line.startswith(("a=rtpmap:", "a=fmtp:")):
        return True
    return _number(line.partition(":")[2].partition(" ")[0]) in kept


def rtp_clock_hz(encoding: str, sample_rate_hz: int) -> int:
    """Clock rate of a codec in SDP and RTP; PJSIP names the sample rate (RFC 3551 §4.5.2)."""
    return 8000 if encoding.upper() == "G722" else sample_rate_hz


def codec_name(encoding: str, clock_rate_hz: int) -> str:
    """As above, of what an endpoint calls `speex` with 16000 Hz."""
    return _name(f"{encoding}/{clock_rate_hz}")
