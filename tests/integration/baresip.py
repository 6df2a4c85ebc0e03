"""baresip as a second opinion on calls in, hold and resume, led over its own control port."""

import asyncio
import json
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.core.audio import PcmFormat
from gateway.softphone.recording import tone
from tests.integration.processes import free_sip_port, free_udp_range

MODULES = Path("/usr/lib/baresip/modules")

_CONFIG = """\
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
sip_listen 127.0.0.1:{sip_port}
ctrl_tcp_listen 127.0.0.1:{control_port}
audio_source aufile,{directory}/tone.wav
audio_player aubridge,line
audio_alert aubridge,line
rtp_ports {rtp_low}-{rtp_high}
snd_path {directory}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
"""


class Baresip:
    """One baresip that plays a tone into its calls and records what it hears."""

    def __init__(self, tone_hz: float, seconds: int = 30) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="baresip-")
        self._home = Path(self._directory.name)
        self._control_port = free_sip_port()
        self.sip_port = free_sip_port()
        """Where it is called."""
        low, high = free_udp_range(20)
        config = _CONFIG.format(
            modules=MODULES,
            sip_port=self.sip_port,
            control_port=self._control_port,
            directory=self._home,
            rtp_low=low,
            rtp_high=high,
        )
        (self._home / "config").write_text(config)
        (self._home / "accounts").write_text("<sip:baresip@127.0.0.1>;regint=0\n")
        (self._home / "contacts").write_text("")
        with wave.open(str(self._home / "tone.wav"), "wb") as wav:
            wav.setparams((1, 2, 8000, 0, "NONE", ""))
            wav.writeframes(tone(tone_hz, seconds * 1000, PcmFormat(8000)))
        self.events: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []
        self._news = asyncio.Condition()

    async def __aenter__(self) -> "Baresip":
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "TERM", "baresip", "-f", str(self._home)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        output = self._process.stdout
        async with asyncio.timeout(10):
            while b"baresip is ready" not in (line := await output.readline()):
                assert line, "baresip did not start"
        self._drain = asyncio.create_task(output.read())
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._control_port)
        self._reader = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._writer.close()
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        await self._drain
        await self._reader
        self._directory.cleanup()

    async def command(self, name: str, parameters: str = "") -> None:
        """Run one of baresip's long commands; fails unless baresip says ok."""
        text = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        before = len(self._answers)
        self._writer.write(b"%d:%s," % (len(text), text))
        await self._until(lambda: len(self._answers) > before)
        assert self._answers[before].get("ok"), self._answers[before]

    async def event(self, kind: str, count: int = 1) -> None:
        """Wait until `count` events of a type have come."""
        await self._until(lambda: len(self.events_of(kind)) >= count)

    def events_of(self, kind: str) -> list[dict[str, Any]]:
        """All events of a type so far."""
        return [event for event in self.events if event.get("type") == kind]

    def heard(self) -> npt.NDArray[np.int16]:
        """Everything decoded so far, all calls, 8000 Hz."""
        parts = []
        for path in sorted(self._home.glob("dump-*-dec.wav")):
            raw = path.read_bytes()
            parts.append(np.frombuffer(raw[44 : len(raw) - len(raw) % 2], dtype="<i2"))
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)

    async def _until(self, reached: Callable[[], bool], within_s: float = 10.0) -> None:
        async with self._news, asyncio.timeout(within_s):
            await self._news.wait_for(reached)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Netstrings with one JSON object each, until baresip closes."""
        try:
            while True:
                size = int((await reader.readuntil(b":"))[:-1])
                item = json.loads((await reader.readexactly(size + 1))[:-1])
                async with self._news:
                    (self.events if item.get("event") else self._answers).append(item)
                    self._news.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
