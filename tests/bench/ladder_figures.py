"""What callers hear on bad networks, with the ladder and without.

    python -m tests.bench.ladder_figures [--seconds 60] [--seed 1]

PJSIP phones call gateways whose dialplan speaks to them, through forwarders that make the way to the phone
bad. Per network, without the ladder, with it, and where packets are lost with `lossy: ilbc` too: the codec at
the end, what was sent on the wire to the phone, MOS (ITU-T G.107, worse direction) and how well the words can
be understood (STOI against what the dialplan plays). Measured over the second half of each call. The calls of
a network run at the same time. One Markdown row per call; exit status 1 if the ladder makes any network less
intelligible, or 5 % loss less so than 0.9. Takes nine minutes.
"""

import argparse
import asyncio
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import gateway.softphone
from gateway.impair.impairment import Impairment
from gateway.impair.sip import SipImpairer
from tests.integration.harness import GatewayProcess
from tests.integration.softphone import Softphone
from tests.stoi import Signal, in_step, stoi

_NETWORKS: Final[Mapping[str, Impairment]] = {
    "good": Impairment(),
    "5 % loss": Impairment(loss=0.05),
    "15 % loss": Impairment(loss=0.15),
    "5 % in bursts of 4": Impairment(loss=0.05, burst_packets=4),
    "64 kbit/s": Impairment(rate_bps=64_000),
    "64 kbit/s and 5 % loss": Impairment(rate_bps=64_000, loss=0.05),
    "64 kbit/s, policed": Impairment(rate_bps=64_000, queue_ms=15),
    "40 ms jitter": Impairment(jitter_ms=40),
}
_LADDERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "off": {"enabled": False},
    "on": {},
    "`lossy: ilbc`": {"lossy": "ilbc"},
}
_PLAN: Final = """version: 1
routes:
  - {name: all, match: {to: "*"}, do: [{play: {file: speech.wav}}, hangup]}
"""
_RATE_HZ: Final = 8000
_GOOD_S: Final = 5.0
"""Before the network gets bad; also tells how late the recording is."""
_SPARE_S: Final = 15.0
_LATEST_S: Final = 5.0
"""So late may the speech begin; less than it takes to repeat itself."""
_WINDOW_S: Final = 2.5
_WANDER_S: Final = 0.45
"""By so much playout may move either way."""
_HEADER_BYTES: Final = 28
"""IPv4 and UDP."""
_UNDERSTOOD: Final = 0.9
_ALIKE: Final = 0.03


@dataclass(frozen=True)
class Heard:
    """One call."""

    codec: str
    wire_kbps: float
    mos: float
    stoi: float

    def __str__(self) -> str:
        return f"{self.codec} | {self.wire_kbps:.0f} | {self.mos:.2f} | {self.stoi:.2f}"


def speech_for(seconds: float) -> Signal:
    """What softphones say, over and over, for a call with a bad network so long."""
    said = []
    for path in sorted((Path(gateway.softphone.__file__).parent / "speech").glob("*.wav")):
        with wave.open(str(path)) as file:
            said += [np.frombuffer(file.readframes(file.getnframes()), "<i2"), np.zeros(2400, np.int16)]
    return np.resize(np.concatenate(said), round((_GOOD_S + seconds + _SPARE_S) * _RATE_HZ)).astype(
        np.float64
    )


@asynccontextmanager
async def speaking_gateway(ladder: Mapping[str, Any], speech: Signal) -> AsyncIterator[GatewayProcess]:
    """A gateway that plays this to everybody; ladder: the section `sip.ladder`."""
    with tempfile.TemporaryDirectory() as plans:
        (Path(plans) / "plan.yaml").write_text(_PLAN)
        with wave.open(str(Path(plans) / "speech.wav"), "wb") as file:
            file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
            file.writeframes(speech.astype("<i2").tobytes())
        sections = {"sip": {"ladder": ladder}}
        async with GatewayProcess(dialplans=Path(plans), sections=sections) as running:
            yield running


class Caller:
    """Calls one gateway, again and again."""

    def __init__(self, running: GatewayProcess, speech: Signal) -> None:
        self._gateway, self._speech = running, speech
        self._calls = 0

    async def hear(self, network: Impairment, seconds: float, seed: int) -> Heard:
        """One call."""
        running, loop = self._gateway, asyncio.get_running_loop()
        recording, known = running.directory / f"call{self._calls}.wav", len(running.feed.items)
        async with SipImpairer(("127.0.0.1", 0), ("127.0.0.1", running.sip_port), seed=seed) as impairer:
            uri = running.uri().replace(str(running.sip_port), str(impairer.address[1]))
            async with Softphone(uri, record=recording) as phone:
                await phone.done("hear 20", f"pause {_GOOD_S}")
                impairer.change(down=network)
                await phone.done(f"pause {seconds / 2}", within_s=seconds)
                before, began = impairer.counters("down"), loop.time()
                await phone.done(f"pause {seconds / 2}", within_s=seconds)
                after, lasted_s = impairer.counters("down"), loop.time() - began
                await phone.finish()
        ended = await running.logged("call ended", since=known)
        record = await running.record(str(ended["call_id"]))
        self._calls += 1
        late = [point for point in record.quality if point.at_ms >= (_GOOD_S + seconds / 2) * 1000]
        packets = after.packets - before.packets
        sent_bytes = after.payload_bytes - before.payload_bytes + _HEADER_BYTES * packets
        return Heard(
            codec=late[-1].tier,
            wire_kbps=sent_bytes * 8 / lasted_s / 1000,
            mos=float(np.mean([point.mos for point in late])),
            stoi=_understood(recording, self._speech, _GOOD_S + seconds / 2),
        )


def _understood(recording: Path, speech: Signal, since_s: float) -> float:
    """What was heard from a moment of the speech on."""
    with wave.open(str(recording)) as file:
        assert file.getframerate() == _RATE_HZ
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    far = both[:, 0].astype(np.float64)
    first = speech[: round(_GOOD_S * _RATE_HZ)]
    late = _lag(first, far[: round((_GOOD_S + _LATEST_S) * _RATE_HZ)])
    size, wander = round(_WINDOW_S * _RATE_HZ), round(_WANDER_S * _RATE_HZ)
    scores = []
    for at in range(round(since_s * _RATE_HZ), len(far) - late - size - wander, size):
        said, came = speech[at : at + size], far[at + late - wander : at + late + size + wander]
        scores.append(stoi(said, in_step(said, came, _RATE_HZ, round(2000 * _WANDER_S)), _RATE_HZ))
    return float(np.mean(scores))


def _lag(clean: Signal, heard: Signal) -> int:
    """Samples after which the clean signal begins in what was heard."""
    length = 1 << (len(clean) + len(heard)).bit_length()
    spectrum = np.fft.rfft(heard, length) * np.conj(np.fft.rfft(clean, length))
    return int(np.argmax(np.fft.irfft(spectrum, length)[: len(heard) - len(clean)]))


async def _run(seconds: float, seed: int) -> bool:
    sys.stdout.write("| network | ladder | codec | kbit/s | MOS | STOI |\n|---|---|---|---|---|---|\n")
    speech, good = speech_for(seconds), True
    async with AsyncExitStack() as running:
        callers = {
            name: Caller(await running.enter_async_context(speaking_gateway(ladder, speech)), speech)
            for name, ladder in _LADDERS.items()
        }
        for name, network in _NETWORKS.items():
            names = [each for each in _LADDERS if each in ("off", "on") or network.loss]
            async with asyncio.TaskGroup() as calls:
                tasks = {
                    each: calls.create_task(callers[each].hear(network, seconds, seed)) for each in names
                }
            heard = {each: task.result() for each, task in tasks.items()}
            sys.stdout.writelines(f"| {name} | {each} | {found} |\n" for each, found in heard.items())
            sys.stdout.flush()
            good = good and heard["on"].stoi >= heard["off"].stoi - _ALIKE
            good = good and (name != "5 % loss" or heard["on"].stoi >= _UNDERSTOOD)
    return good


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ladder_figures", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call on the bad network")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    return 0 if asyncio.run(_run(arguments.seconds, arguments.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
