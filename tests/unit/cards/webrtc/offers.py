"""Offers in the shape that browsers send."""

from collections.abc import Sequence

TRANSPORT = (
    "c=IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2113937151 6f0c.local 50000 typ host",
    "a=end-of-candidates",
    "a=ice-ufrag:Wx4K",
    "a=ice-pwd:0123456789abcdefghijkl",
    "a=ice-options:trickle",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
    "a=rtcp-mux",
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 126",
    *TRANSPORT,
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:14 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=sendrecv",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:63 red/48000/2",
    "a=fmtp:63 111/111",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:13 CN/8000",
    "a=rtpmap:126 telephone-event/8000",
)
CHANNEL = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    *TRANSPORT,
    "a=mid:1",
    "a=sctp-port:5000",
    "a=max-message-size:262144",
)
VIDEO = ("m=video 9 UDP/TLS/RTP/SAVPF 96", *TRANSPORT, "a=mid:2", "a=rtpmap:96 VP8/90000")


def offer(
    *sections: Sequence[str],
    bundle: str | None = "0 1",
    without: str = "",
    instead: tuple[str, str] = ("", ""),
) -> str:
    """An offer; `without` leaves out lines that begin so, `instead` replaces text."""
    head = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if bundle is not None:
        head.append(f"a=group:BUNDLE {bundle}")
    lines = [*head, *(line for section in sections for line in section)]
    if without:
        lines = [line for line in lines if not line.startswith(without)]
    return ("\r\n".join(lines) + "\r\n").replace(*instead)
