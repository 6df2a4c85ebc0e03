"""One outgoing call's signalling, sans-IO (RFC 3261 §12, §13, §17): messages and time in, messages out.

    idle --start--> calling --2xx--> up --hang_up--> ending --response--> ended
                      |  `--3xx-6xx, timeout--> failed
                      `--up + BYE from the far end--> ended

Over UDP a request is repeated after 0.5 s, 1 s, 2 s … until something answers it: an INVITE until the
first provisional response (timer A), a BYE until its final one (timers E and F). A repeated 2xx is
acknowledged again. The caller speaks to one next hop only, like a phone with an outbound proxy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from gateway.bench.sip import (
    SipMessage,
    SipSyntaxError,
    build_message,
    build_offer,
    build_response,
    parse_answer,
)

T1_S = 0.5
T2_S = 4.0


class DialogState(StrEnum):
    """Where the call stands."""

    IDLE = "idle"
    CALLING = "calling"
    UP = "up"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DialogIds:
    """What must be unique to a call."""

    call_id: str
    tag: str
    branch: str
    """Begins with the magic cookie z9hG4bK."""


@dataclass(frozen=True, slots=True)
class Line:
    """Who calls whom, from where."""

    host: str
    """Our address, in Via, Contact and SDP."""
    sip_port: int
    rtp_port: int
    target: tuple[str, int]
    to_user: str
    from_user: str


def build_request(
    line: Line,
    ids: DialogIds,
    method: str,
    cseq: int,
    *,
    uri: str = "",
    to_tag: str = "",
    routes: Sequence[str] = (),
    body: str = "",
) -> bytes:
    """One request of a caller (RFC 3261 §8.1.1); `uri` defaults to the called user at the target."""
    address, port = line.target
    to = f"<sip:{line.to_user}@{address}>" + (f";tag={to_tag}" if to_tag else "")
    headers = [
        ("Via", f"SIP/2.0/UDP {line.host}:{line.sip_port};branch={ids.branch};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{line.from_user}@{line.host}>;tag={ids.tag}"),
        ("To", to),
        ("Call-ID", ids.call_id),
        ("CSeq", f"{cseq} {method}"),
        ("Contact", f"<sip:{line.from_user}@{line.host}:{line.sip_port}>"),
    ]
    headers += [("Route", route) for route in routes]
    return build_message(f"{method} {uri or f'sip:{line.to_user}@{address}:{port}'} SIP/2.0", headers, body)


def build_options(line: Line, ids: DialogIds) -> bytes:
    """Ask whether the target takes calls (RFC 3261 §11)."""
    return build_request(line, ids, "OPTIONS", 1)


class Dialog:
    """One outgoing call; read `state` after every step."""

    def __init__(self, line: Line, ids: DialogIds, answer_limit_s: float = 32.0) -> None:
        self.line, self.ids = line, ids
        self.state = DialogState.IDLE
        self.failure = ""
        """Why the call failed: a SIP status with its reason and any Retry-After, or our own words."""
        self.ended_by: Literal["caller", "far_end"] | None = None
        self.invited_s: float | None = None
        self.answered_s: float | None = None
        self.media: tuple[str, int] | None = None
        """Where our RTP goes, once answered."""
        self._answer_limit_s = answer_limit_s
        self._offer = build_offer(line.host, line.rtp_port)
        self._remote_uri = ""
        self._to_tag = ""
        self._routes: list[str] = []
        self._ack = b""
        self._pending = b""
        self._repeat_at_s: float | None = None
        self._interval_s = T1_S
        self._give_up_at_s: float | None = None
        self._provisional = False

    def start(self, now_s: float) -> list[bytes]:
        """Place the call."""
        self.state, self.invited_s = DialogState.CALLING, now_s
        invite = self._request("INVITE", 1, body=self._offer)
        return self._transact(invite, now_s, self._answer_limit_s)

    def hang_up(self, now_s: float) -> list[bytes]:
        """End an answered call with BYE; does nothing in any other state."""
        if self.state is not DialogState.UP:
            return []
        self.state = DialogState.ENDING
        return self._transact(self._request("BYE", 2, "b"), now_s, 64 * T1_S)

    def handle(self, message: SipMessage, now_s: float) -> list[bytes]:
        """Take a message that carries our Call-ID; returns what to send."""
        if message.status is None:
            return self._handle_request(message)
        if message.method == "INVITE":
            return self._handle_invite_response(message, message.status, now_s)
        if message.method == "BYE" and message.status >= 200 and self.state is DialogState.ENDING:
            self.state, self.ended_by = DialogState.ENDED, "caller"
            self._stop_timers()
        return []

    def next_deadline(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        deadlines = [at for at in (self._repeat_at_s, self._give_up_at_s) if at is not None]
        return min(deadlines, default=None)

    def handle_timeout(self, now_s: float) -> list[bytes]:
        """Repeat or give up what has not been answered."""
        if self._give_up_at_s is not None and now_s >= self._give_up_at_s:
            return self._give_up()
        if self._repeat_at_s is None or now_s < self._repeat_at_s:
            return []
        self._interval_s *= 2
        if self.state is DialogState.ENDING:
            self._interval_s = min(self._interval_s, T2_S)
        self._repeat_at_s = now_s + self._interval_s
        return [self._pending]

    def abandon(self) -> None:
        """Wait no longer for the answer to a BYE."""
        if self.state is DialogState.ENDING:
            self._fail("no answer to BYE")

    def _transact(self, request: bytes, now_s: float, limit_s: float) -> list[bytes]:
        self._pending, self._interval_s = request, T1_S
        self._repeat_at_s, self._give_up_at_s = now_s + T1_S, now_s + limit_s
        return [request]

    def _stop_timers(self) -> None:
        self._repeat_at_s = self._give_up_at_s = None

    def _fail(self, why: str) -> None:
        self.state, self.failure = DialogState.FAILED, why
        self._stop_timers()

    def _give_up(self) -> list[bytes]:
        if self.state is DialogState.ENDING:
            self._fail("no answer to BYE")
            return []
        self._fail("no answer to INVITE")
        # RFC 3261 §9.1: only an INVITE that something has seen may be cancelled.
        return [self._request("CANCEL", 1)] if self._provisional else []

    def _handle_request(self, message: SipMessage) -> list[bytes]:
        if message.method == "ACK":
            return []
        if message.method == "BYE":
            if self.state in (DialogState.UP, DialogState.ENDING):
                self.state, self.ended_by = DialogState.ENDED, "far_end"
                self._stop_timers()
            return [build_response(message, 200, "OK")]
        return [build_response(message, 501, "Not Implemented", self.ids.tag)]

    def _handle_invite_response(self, message: SipMessage, status: int, now_s: float) -> list[bytes]:
        if status < 200:
            if self.state is DialogState.CALLING:
                self._repeat_at_s, self._provisional = None, True
            return []
        if status >= 300:
            return self._handle_refusal(message)
        if self.state is DialogState.CALLING:
            self._answered(message, now_s)
        return [self._ack] if self._ack else []

    def _handle_refusal(self, message: SipMessage) -> list[bytes]:
        """RFC 3261 §17.1.1.3: the ACK of a refusal repeats the INVITE's branch and takes the To tag."""
        if self.state is DialogState.CALLING:
            self._to_tag = message.to_tag
            self._ack = self._request("ACK", 1)
            retry_after = message.first("retry-after")
            again = f" (Retry-After: {retry_after})" if retry_after else ""
            self._fail(message.start_line.removeprefix("SIP/2.0 ") + again)
        return [self._ack] if self._ack else []

    def _answered(self, message: SipMessage, now_s: float) -> None:
        self._to_tag = message.to_tag
        self._remote_uri = message.contact_uri or self._remote_uri
        self._routes = message.all("record-route")[::-1]
        self._ack = self._request("ACK", 1, "a")
        self._stop_timers()
        try:
            self.media = parse_answer(message.body)
        except SipSyntaxError as exc:
            self._fail(str(exc))
            return
        self.state, self.answered_s = DialogState.UP, now_s

    def _request(self, method: str, cseq: int, branch_suffix: str = "", body: str = "") -> bytes:
        ids = replace(self.ids, branch=self.ids.branch + branch_suffix)
        return build_request(
            self.line,
            ids,
            method,
            cseq,
            uri=self._remote_uri,
            to_tag=self._to_tag,
            routes=self._routes,
            body=body,
        )
