"""Offers in, answers out: what is taken of an offer and what an answer says. Pure text.

Of an offer we take the first audio section, with one codec, and the first data channel section. All other
sections are kept from aiortc and come back in the answer as refused (port 0, RFC 3264 section 6).
Candidates are taken out: a browser's are mostly mDNS names, whose resolution costs a second, and it finds
us anyway (peer-reflexive, RFC 8445 section 7.3.1.3).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.cards.webrtc.codecs import KINDS, CodecKind
from gateway.core.secure_media import DIGESTS, is_secure, is_trusted
from gateway.errors import RemoteError

MAX_OFFER_BYTES: Final = 64 << 10
_MAX_SECTIONS: Final = 32
_UNWANTED: Final = ("a=candidate:", "a=end-of-candidates", "a=ice-options:", "a=rid:", "a=simulcast:")
_EXTENSIONS: Final = ("urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level")
_FINGERPRINT: Final = re.compile(r"[A-Za-z0-9-]+ +[0-9A-Fa-f:]+")
_MEDIA: Final = re.compile(r"m=([a-z]+) (\d{1,5}) ([A-Za-z/]+) (.+)")

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]


class OfferError(RemoteError):
    """An offer that we don't serve; `status` is the HTTP status that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a peer can reach us."""

    address: str
    port: int
    transport: Literal["udp", "tcp"] = "udp"
    """tcp: passive, frames after RFC 4571."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked offer."""

    sdp: str
    """Only what we accept, for aiortc."""
    codec: CodecKind
    payload_type: int
    direction: Direction
    """As the peer says it."""
    refused: tuple[tuple[int, str, str], ...]
    """(index, m= line with port 0, mid) of the sections that we refuse."""


@dataclass(frozen=True, slots=True)
class _Section:
    kind: str
    profile: str
    formats: tuple[str, ...]
    lines: tuple[str, ...]

    def value(self, attribute: str) -> str | None:
        return next(iter(self.values(attribute)), None)

    def values(self, attribute: str) -> list[str]:
        start = f"a={attribute}:"
        return [line[len(start) :] for line in self.lines if line.startswith(start)]


def check_offer(text: str) -> Offer:
    """What of an offer we take. Raises `OfferError`."""
    head, sections = _split(text)
    audio = next((k for k, s in enumerate(sections) if s.kind == "audio"), None)
    if audio is None:
        raise OfferError(422, "the offer has no audio")
    channel = next((k for k, s in enumerate(sections) if _is_channel(s)), None)
    accepted = [k for k in (audio, channel) if k is not None]
    _check_bundle(head, [sections[k] for k in accepted])
    for k in accepted:
        _check_transport(head, sections[k])
    if not is_secure(sections[audio].profile):
        raise OfferError(422, f"the offered audio is not encrypted: its profile is {sections[audio].profile}")
    if "a=rtcp-mux" not in sections[audio].lines:
        raise OfferError(422, "the offer has no rtcp-mux")
    codec, payload_type = _choose_codec(sections[audio])
    direction = _direction(sections[audio])
    taken = [
        line for k in sorted(accepted) for line in _taken(sections[k], codec, payload_type, audio=k == audio)
    ]
    mids = " ".join(sections[k].value("mid") or "" for k in sorted(accepted))
    lines = [line for line in head if not line.startswith("a=group:")]
    lines.append(f"a=group:BUNDLE {mids}")
    refused = tuple(
        (k, f"m={s.kind} 0 {s.profile} {' '.join(s.formats)}", s.value("mid") or "")
        for k, s in enumerate(sections)
        if k not in accepted
    )
    return Offer("\r\n".join([*lines, *taken]) + "\r\n", codec, payload_type, direction, refused)


def finish_answer(text: str, offer: Offer, candidates: Sequence[Candidate], sample_rate_hz: int) -> str:
    """aiortc's answer with what it leaves out: candidates, codec parameters, refused sections."""
    head, sections = _cut(text)
    finished: list[list[str]] = []
    for section in sections:
        audio = section[0].startswith("m=audio")
        lines = [line for line in section if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        if audio:
            lines += _codec_lines(offer, sample_rate_hz)
        lines = _reachable(lines, candidates)
        finished.append(lines)
    for index, media, mid in offer.refused:
        finished.insert(index, [media, "c=IN IP4 0.0.0.0", "a=inactive", *([f"a=mid:{mid}"] if mid else [])])
    return "\r\n".join([*head, *(line for lines in finished for line in lines)]) + "\r\n"


def be_passive(text: str) -> str:
    """An answer in which we wait for the peer's ClientHello: a round trip less than the other way round."""
    return text.replace("a=setup:active", "a=setup:passive")


# ---- offer -------------------------------------------------------------------------------------


def _cut(text: str) -> tuple[list[str], list[list[str]]]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    head: list[str] = []
    sections: list[list[str]] = []
    for line in filter(None, lines):
        if line.startswith("m="):
            sections.append([line])
        else:
            (sections[-1] if sections else head).append(line)
    return head, sections


def _split(text: str) -> tuple[list[str], list[_Section]]:
    if len(text.encode(errors="replace")) > MAX_OFFER_BYTES:
        raise OfferError(413, f"the offer is longer than {MAX_OFFER_BYTES} bytes")
    head, raw = _cut(text)
    lines = [*head, *(line for section in raw for line in section)]
    if not head or head[0] != "v=0" or any(len(line) < 2 or line[1] != "=" for line in lines):
        raise OfferError(400, "the offer is no SDP")
    if not raw:
        raise OfferError(422, "the offer has no media")
    if len(raw) > _MAX_SECTIONS:
        raise OfferError(422, f"the offer has more than {_MAX_SECTIONS} media")
    return head, [_section(each) for each in raw]


def _section(lines: list[str]) -> _Section:
    match = _MEDIA.fullmatch(lines[0])
    if match is None:
        raise OfferError(400, "the offer has a malformed m= line")
    kind, _, profile, formats = match.groups()
    return _Section(kind, profile, tuple(formats.split()), tuple(lines))


def _is_channel(section: _Section) -> bool:
    return section.kind == "application" and section.formats == ("webrtc-datachannel",)


def _check_bundle(head: list[str], accepted: list[_Section]) -> None:
    groups = [line.split()[1:] for line in head if line.startswith("a=group:BUNDLE")]
    mids = [section.value("mid") for section in accepted]
    if not any(all(mid in group for mid in mids) for group in groups):
        raise OfferError(422, "the offer does not bundle its media (BUNDLE, RFC 9143)")


def _check_transport(head: list[str], section: _Section) -> None:
    """ICE credentials (RFC 8839 section 5.4), fingerprint and role (RFC 8842) are there."""
    whole = _Section("", "", (), (*section.lines, *head))
    if not re.fullmatch(r"[A-Za-z0-9+/]{4,256}", whole.value("ice-ufrag") or ""):
        raise OfferError(400, "the offer has no valid ice-ufrag")
    if not re.fullmatch(r"[A-Za-z0-9+/]{22,256}", whole.value("ice-pwd") or ""):
        raise OfferError(400, "the offer has no valid ice-pwd")
    fingerprints = whole.values("fingerprint")
    if not fingerprints or not all(_FINGERPRINT.fullmatch(each) for each in fingerprints):
        raise OfferError(400, "the offer has no valid fingerprint")
    if not any(is_trusted(each.split()[0]) for each in fingerprints):
        raise OfferError(422, f"no fingerprint of the offer is one of {', '.join(DIGESTS)}")
    if whole.value("setup") not in ("actpass", "active", "passive"):
        raise OfferError(400, "the offer has no valid setup attribute")


def _choose_codec(section: _Section) -> tuple[CodecKind, int]:
    """The codec that we prefer, and its payload type. Raises `OfferError`."""
    offered: dict[tuple[str, int], int] = {}
    for payload_type in section.formats:
        if not payload_type.isascii() or not payload_type.isdecimal() or int(payload_type) > 127:
            raise OfferError(400, "the offer has an impossible payload type")
        start = f"a=rtpmap:{payload_type} "
        mapped = next((line[len(start) :] for line in section.lines if line.startswith(start)), None)
        if mapped is not None:
            name, _, rate = mapped.partition("/")
            clock = rate.partition("/")[0]
            if clock.isascii() and clock.isdecimal():
                offered.setdefault((name.lower(), int(clock)), int(payload_type))
        for kind in KINDS:
            if mapped is None and payload_type == str(kind.static_payload_type):
                offered.setdefault((kind.name.lower(), kind.clock_rate_hz), int(payload_type))
    for kind in KINDS:
        found = offered.get((kind.name.lower(), kind.clock_rate_hz))
        # aiortc answers these three with the payload type of RFC 3551 whatever was offered.
        if found is not None and kind.static_payload_type in (None, found):
            return kind, found
    raise OfferError(422, f"the offer has none of {', '.join(kind.name for kind in KINDS)}")


def _direction(section: _Section) -> Direction:
    for direction in ("sendonly", "recvonly", "inactive"):
        if f"a={direction}" in section.lines:
            if direction == "inactive":
                raise OfferError(422, "the offered audio is inactive")
            return direction
    return "sendrecv"


def _taken(section: _Section, codec: CodecKind, payload_type: int, *, audio: bool) -> list[str]:
    """The lines of a section that aiortc gets to see."""
    lines = [line for line in section.lines[1:] if not line.startswith(_UNWANTED)]
    if not audio:
        return [section.lines[0], *lines]
    about = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=extmap:", "a=rtcp:")
    kept = [line for line in lines if not line.startswith(about)]
    kept += [line for line in lines if line.startswith("a=extmap:") and line.split()[-1] in _EXTENSIONS]
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    kept.append(f"a=rtpmap:{payload_type} {codec.name}/{codec.clock_rate_hz}{channels}")
    return [f"m=audio 9 {section.profile} {payload_type}", *kept]


# ---- answer ------------------------------------------------------------------------------------


def _codec_lines(offer: Offer, sample_rate_hz: int) -> list[str]:
    lines = [f"a=rtcp-fb:{offer.payload_type} nack", "a=ptime:20", "a=maxptime:60"]
    if offer.codec.name == "opus":
        parameters = f"minptime=10;useinbandfec=1;maxaveragebitrate=32000;maxplaybackrate={sample_rate_hz}"
        lines.insert(0, f"a=fmtp:{offer.payload_type} {parameters}")
    return lines


def _reachable(lines: list[str], candidates: Sequence[Candidate]) -> list[str]:
    """The section with its default address and candidates (RFC 8839 section 5.1, RFC 6544 section 4.5)."""
    first = candidates[0]
    kind, _, rest = lines[0].split(" ", 2)
    result = [f"{kind} {first.port} {rest}"]
    result += [f"c=IN IP4 {first.address}" if line.startswith("c=") else line for line in lines[1:]]
    for index, each in enumerate(candidates, 1):
        # Preference of the type host, then UDP before TCP, then our order (RFC 8445 section 5.1.2.1).
        priority = (126 << 24) | ((0x8000 if each.transport == "udp" else 0x4000) - index << 8) | 255
        tcp = " tcptype passive" if each.transport == "tcp" else ""
        where = f"{each.address} {each.port}"
        result.append(f"a=candidate:{index} 1 {each.transport} {priority} {where} typ host{tcp}")
    return [*result, "a=end-of-candidates"]
