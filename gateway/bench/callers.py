"""N plain phones in one process: each with its own RTP socket and clock phase, all behind one SIP port.

The phones' 20 ms clocks are spread over ten slots of 2 ms, because real phones don't tick together and a
burst of all calls at once would measure the burst.
"""

import random
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from gateway.bench.clock import Loop, Socket
from gateway.bench.dialog import Dialog, DialogIds, DialogState, Line, build_options
from gateway.bench.measure import distribution
from gateway.bench.result import InstrumentHealth
from gateway.bench.rtp import PACKET_MS, PACKETS_PER_SECOND, Reception, Sender
from gateway.bench.sip import SipMessage, SipSyntaxError, build_response, parse_message

SLOT_MS = 2
SLOTS = PACKET_MS // SLOT_MS
_TICK_S = PACKET_MS / 1000
CATCH_UP_S = 0.2
"""Beyond this the clock jumps instead of sending what is overdue; counted."""
_TIMER_STEP_S = 0.05
"""How often unanswered SIP requests are looked at; they repeat after 500 ms."""
_FROM_USER = "+15550001"


@dataclass(frozen=True, slots=True)
class Aim:
    """What is measured, and from where."""

    target: tuple[str, int]
    """SIP over UDP."""
    host: str
    """Our own address, as the target sees it."""
    to_user: str
    tree_pid: int | None
    """Root of the process tree to account; None accounts nothing."""
    ready_limit_s: float
    """How long to ask by OPTIONS until the target is ready; 0 doesn't ask, as not all SIP answers it."""
    alive: Callable[[], bool] = lambda: True
    """Whether the target may still become ready."""
    seed: int = 1
    """Of ids, sequence numbers and click phases."""


class Caller:
    """One phone call."""

    __slots__ = ("dialog", "hearing", "sender", "slot", "socket")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.hearing = Reception()
        self.dialog: Dialog
        self.sender: Sender
        self.socket: Socket

    def on_rtp(self, data: bytes, _source: tuple[str, int], arrived_s: float) -> None:
        """A datagram at our RTP port."""
        self.hearing.on_packet(data, arrived_s)

    def send_frame(self) -> bool:
        """Speak for 20 ms; False when the packet could not be sent."""
        media = self.dialog.media
        if self.dialog.state is not DialogState.UP or media is None:
            return True
        packet, click = self.sender.next_packet()
        if click is not None and self.hearing.first_packet_s is not None:
            self.hearing.on_click_sent(click, time.time())
        return self.socket.send(packet, media)


AnyCaller = TypeVar("AnyCaller", bound=Caller)


class Callers:
    """All phones, and the port they share."""

    def __init__(self, loop: Loop, aim: Aim) -> None:
        self._loop, self._aim = loop, aim
        self._random = random.Random(aim.seed)
        self._sip = loop.open_socket(aim.host, self._on_sip)
        self._by_call_id: dict[str, Caller] = {}
        self._waiting: set[Caller] = set()
        self._slots: list[list[Caller]] = [[] for _ in range(SLOTS)]
        self._placed = 0
        self._lateness_s = array("d")
        self._clock_jumps = self._unsent = 0
        self.malformed = 0
        """Datagrams at the SIP port that were no SIP."""
        self._options_call_id = ""
        self.options_status: int | None = None
        now_s = time.time()
        for slot in range(SLOTS):
            self._schedule(slot, now_s + slot * SLOT_MS / 1000)
        loop.call_at(now_s + _TIMER_STEP_S, self._on_timer)

    def place(self) -> Caller:
        """Start one call now."""
        return self.place_for(Caller(self._placed % SLOTS))

    def place_for(self, caller: AnyCaller) -> AnyCaller:
        """Start one call now for a caller who may speak and hear in a way of its own."""
        self._placed += 1
        bits = self._random.getrandbits
        caller.socket = self._loop.open_socket(self._aim.host, caller.on_rtp)
        caller.sender = Sender(bits(32), bits(15), self._random.randrange(PACKETS_PER_SECOND))
        ids = DialogIds(f"{bits(64):016x}@bench", f"{bits(32):08x}", f"z9hG4bK{bits(64):016x}")
        caller.dialog = Dialog(self._line(caller.socket.port), ids)
        self._by_call_id[ids.call_id] = caller
        self._slots[caller.slot].append(caller)
        self._waiting.add(caller)
        self._send(caller.dialog.start(time.time()))
        return caller

    def hang_up(self, caller: Caller, now_s: float) -> None:
        """Send BYE if the call is up."""
        self._send(caller.dialog.hang_up(now_s))
        self._waiting.add(caller)

    def forget(self, caller: Caller) -> None:
        """Free what a finished call holds here."""
        self._slots[caller.slot].remove(caller)
        self._waiting.discard(caller)
        del self._by_call_id[caller.dialog.ids.call_id]
        self._loop.close_socket(caller.socket)

    def ping(self) -> None:
        """Ask the target whether it takes calls (OPTIONS); the answer sets `options_status`."""
        self._options_call_id = f"{self._random.getrandbits(64):016x}@bench"
        branch = f"z9hG4bK{self._random.getrandbits(64):016x}"
        self._send([build_options(self._line(0), DialogIds(self._options_call_id, "ping", branch))])

    def restart_measurement(self, callers: Iterable[Caller]) -> None:
        """Forget what was measured so far."""
        del self._lateness_s[:]
        self._clock_jumps = self._unsent = 0
        now_s = time.time()
        for caller in callers:
            caller.hearing.restart(now_s)

    def stop_measurement(self, callers: Iterable[Caller]) -> None:
        """Listen no more."""
        for caller in callers:
            caller.hearing.stop()

    def health(self, cpu_share: float) -> InstrumentHealth:
        """How well the callers kept time since `restart_measurement`."""
        return InstrumentHealth(
            cpu_percent=round(100 * cpu_share, 1),
            lateness=distribution(self._lateness_s),
            clock_jumps=self._clock_jumps,
            unsent=self._unsent,
        )

    def _line(self, rtp_port: int) -> Line:
        aim = self._aim
        return Line(aim.host, self._sip.port, rtp_port, aim.target, aim.to_user, _FROM_USER)

    def _send(self, messages: list[bytes]) -> None:
        for message in messages:
            self._unsent += not self._sip.send(message, self._aim.target)

    def _schedule(self, slot: int, due_s: float) -> None:
        self._loop.call_at(due_s, lambda now_s: self._on_slot(slot, due_s, now_s))

    def _on_slot(self, slot: int, due_s: float, now_s: float) -> None:
        for caller in self._slots[slot]:
            self._unsent += not caller.send_frame()
        self._lateness_s.append(now_s - due_s)
        next_s = due_s + _TICK_S
        if now_s - next_s > CATCH_UP_S:
            self._clock_jumps += 1
            next_s = now_s + _TICK_S
        self._schedule(slot, next_s)

    def _on_timer(self, now_s: float) -> None:
        for caller in list(self._waiting):
            deadline_s = caller.dialog.next_deadline()
            if deadline_s is None:
                self._waiting.discard(caller)
            elif deadline_s <= now_s:
                self._send(caller.dialog.handle_timeout(now_s))
        self._loop.call_at(now_s + _TIMER_STEP_S, self._on_timer)

    def _on_sip(self, data: bytes, source: tuple[str, int], arrived_s: float) -> None:
        try:
            message = parse_message(data)
        except SipSyntaxError:
            self.malformed += 1
            return
        call_id = message.first("call-id")
        caller = self._by_call_id.get(call_id)
        if caller is not None:
            replies = caller.dialog.handle(message, arrived_s)
            self._reply(message, replies, source)
        elif call_id == self._options_call_id and message.status is not None:
            self.options_status = message.status
        elif message.status is None and message.method != "ACK":
            # A repeated BYE of a call that is over (RFC 3261 §12.2.2).
            self._sip.send(build_response(message, 481, "Call/Transaction Does Not Exist"), source)

    def _reply(self, message: SipMessage, replies: list[bytes], source: tuple[str, int]) -> None:
        if message.status is None:
            for reply in replies:
                self._unsent += not self._sip.send(reply, source)
        else:
            self._send(replies)
