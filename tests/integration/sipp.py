"""SIPp as the far end: one scenario file, run to its end, with every message it saw."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.integration.processes import free_sip_port

SCENARIOS = Path(__file__).parent / "sip" / "scenarios"


@dataclass(frozen=True, slots=True)
class SippResult:
    """What a run of SIPp came to."""

    status: int
    """0: every call went as the scenario says."""
    messages: str
    """All SIP messages sent and received, as SIPp traced them."""
    errors: str
    """SIPp's own account of what did not match."""

    def assert_passed(self) -> None:
        """Fails with SIPp's explanation unless every call went as the scenario says."""
        assert self.status == 0, f"SIPp ended with {self.status}\n{self.errors}\n{self.messages[-4000:]}"


class Sipp:
    """A running SIPp; `async with Sipp(...) as sipp: ...; (await sipp.result()).assert_passed()`."""

    def __init__(
        self,
        scenario: str,
        port: int,
        *,
        calls: int = 1,
        at_once: int = 1,
        transport: str = "u1",
        user: str = "demo",
        within_s: float = 20.0,
    ) -> None:
        """`scenario`: name without `.xml`; `port`: of the gateway; `transport`: SIPp's `-t`."""
        self._directory = tempfile.TemporaryDirectory(prefix="sipp-")
        self._within_s = within_s
        self._process: asyncio.subprocess.Process | None = None
        traces = Path(self._directory.name)
        self._messages, self._errors = traces / "messages", traces / "errors"
        self._command = [
            "sipp",
            f"127.0.0.1:{port}",
            *("-sf", str(SCENARIOS / f"{scenario}.xml"), "-s", user),
            *("-i", "127.0.0.1", "-p", str(free_sip_port()), "-t", transport),
            *("-m", str(calls), "-l", str(at_once), "-r", str(at_once), "-nostdin"),
            *("-timeout", f"{within_s:g}s", "-timeout_error"),
            *("-trace_msg", "-message_file", str(self._messages)),
            *("-trace_err", "-error_file", str(self._errors)),
        ]

    async def __aenter__(self) -> "Sipp":
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._directory.name,
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._directory.cleanup()

    async def result(self) -> SippResult:
        """Wait for the end of the scenario."""
        assert self._process is not None
        async with asyncio.timeout(self._within_s + 5):
            status = await self._process.wait()
        return SippResult(status, _text(self._messages), _text(self._errors))


async def run_sipp(
    scenario: str, port: int, *, calls: int = 1, transport: str = "u1", user: str = "demo"
) -> SippResult:
    """Run a scenario that needs nothing from outside; fails unless it passes."""
    async with Sipp(scenario, port, calls=calls, transport=transport, user=user) as sipp:
        result = await sipp.result()
    result.assert_passed()
    return result


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
