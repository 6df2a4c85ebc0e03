"""The dialplan of these tests, and the gateway that runs it for all of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.core.record import CallRecord, TimelineKind
from gateway.dialplan.language.hours import DAYS
from tests.integration.dialplan.office import Office
from tests.integration.dialplan.service import Service
from tests.integration.dialplan.sounds import write_tone
from tests.integration.harness import GatewayProcess
from tests.integration.realtime_backend import RealtimeBackend

PLAN_FILE: Final = Path(__file__).parent / "plan.yaml"

MENU_HZ, MUSIC_HZ, DONE_HZ, SORRY_HZ, OTHER_HZ = 1100, 1500, 700, 1700, 2100
"""What prompts sound like. The phones say 650, 950 and 1250 Hz, callers 1900 Hz and above 2300 Hz."""

_TONES: Final = {
    "menu": (MENU_HZ, 2500),
    "music": (MUSIC_HZ, 600),
    "done": (DONE_HZ, 600),
    "sorry": (SORRY_HZ, 600),
    "other": (OTHER_HZ, 600),
}


@dataclass(frozen=True, slots=True)
class Site:
    """What the tests share."""

    gateway: GatewayProcess
    office: Office
    service: Service
    """Asked by `http` steps, told by `webhook` steps."""
    backend: RealtimeBackend
    """Ends every conversation after its first words."""
    plans: Path
    """The directory of the dialplan in force."""


def noon_zone(now: datetime) -> str:
    """A time zone in which it is between noon and one o'clock."""
    offset = 12 - now.hour
    return "Etc/GMT" if offset == 0 else f"Etc/GMT{-offset:+d}"


def write_plan(directory: Path, service_port: int, now: datetime) -> None:
    """The plan and its sounds."""
    for name, (frequency_hz, duration_ms) in _TONES.items():
        write_tone(directory / f"{name}.wav", frequency_hz, duration_ms)
    # Noon of the zone is on today's date in UTC, too.
    today = DAYS[now.weekday()]
    text = PLAN_FILE.read_text()
    for word, value in (("ZONE", noon_zone(now)), ("TODAY", today), ("SERVICE", str(service_port))):
        text = text.replace(f"<{word}>", value)
    (directory / "main.yaml").write_text(text)


def now_utc() -> datetime:
    """Wall clock."""
    return datetime.now(UTC)


class Watched:
    """One caller's call on the gateway, from before it is made."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._since = len(gateway.log)

    async def record(self, caller: str = "phone") -> CallRecord:
        """What the caller's call left behind, once it is over."""
        offered = await self._gateway.logged(
            "call offered", since=self._since, where=lambda e: e["personal"]["from"] == caller
        )
        call_id = offered["call_id"]
        await self._gateway.logged(
            "call ended", 15, since=self._since, where=lambda e: e["call_id"] == call_id
        )
        return await self._gateway.record(str(call_id))


def steps(record: CallRecord) -> list[str]:
    """Names of the plan's steps and what became of them, in order."""
    return [str(event.fields["name"]) for event in record.timeline if event.kind is TimelineKind.STEP]


def failures(record: CallRecord) -> list[tuple[object, object]]:
    """Steps that failed, and how."""
    return [
        (event.fields.get("of"), event.fields["kind"])
        for event in record.timeline
        if event.kind is TimelineKind.STEP and event.fields["name"] == "failed"
    ]
