"""What callers hear on bad networks, with the ladder and without.

    python -m tests.bench.ladder_figures [--seconds 60] [--seed 1]

A scripted PJSIP phone speaks to a gateway whose agent says everything back, through a forwarder that makes
the way to the phone bad. Per network, with the ladder and without: the codec at the end, what was sent on the
wire to the phone, MOS (ITU-T G.107, worse direction) and how well the words that came back can be understood
(STOI against what was said). Measured over the second half of each call. One Markdown row per network; exit
status 1 if the ladder makes any network less intelligible, or 5 % loss less so than 0.9.
"""

import argparse
import asyncio
import sys
import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gateway.impair.impairment import Impairment
from gateway.impair.sip import SipImpairer
from tests.integration.echo import echo_gateway
from tests.integration.softphone import Softphone
from tests.stoi import Signal, in_step, stoi

_NETWORKS: Final[Mapping[str, Impairment]] = {
    "good": Impairment(),
    "3 % loss": Impairment(loss=0.03),
    "5 % loss": Impairment(loss=0.05),
    "10 % loss": Impairment(loss=0.10),
    "15 % loss": Impairment(loss=0.15),
    "5 % in bursts of 4": Impairment(loss=0.05, burst_packets=4),
    "64 kbit/s": Impairment(rate_bps=64_000),
    "40 ms jitter": Impairment(jitter_ms=40),
}
_WINDOW_S: Final = 4.0
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


async def _call(network: Impairment, seconds: float, seed: int, *, ladder: bool) -> Heard:
    sections = {"sip": {"ladder": {"enabled": ladder}}}
    with tempfile.TemporaryDirectory() as directory:
        recording = Path(directory) / "call.wav"
        async with (
            echo_gateway(audio="pcmu", sections=sections, barge_in={"action": "notify"}) as (gateway, _),
            SipImpairer(("127.0.0.1", 0), ("127.0.0.1", gateway.sip_port), seed=seed) as impairer,
        ):
            uri = gateway.uri().replace(str(gateway.sip_port), str(impairer.address[1]))
            async with Softphone(uri, record=recording) as phone:
                await phone.done("say ask_billing.wav")
                impairer.change(down=network)
                await _speak(phone, seconds / 2)
                before = impairer.counters("down")
                began = asyncio.get_running_loop().time()
                await _speak(phone, seconds / 2)
                lasted_s = asyncio.get_running_loop().time() - began
                after = impairer.counters("down")
                await phone.finish()
            record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
        late = [point for point in record.quality if point.at_ms >= record.duration_s * 500]
        packets = after.packets - before.packets
        sent_bytes = after.payload_bytes - before.payload_bytes + _HEADER_BYTES * packets
        return Heard(
            codec=late[-1].tier,
            wire_kbps=sent_bytes * 8 / lasted_s / 1000,
            mos=float(np.mean([point.mos for point in late])),
            stoi=_understood(recording),
        )


async def _speak(phone: Softphone, seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        await phone.done("say ask_billing.wav", "pause 0.5")


def _understood(recording: Path) -> float:
    """Over the second half, of what came back."""
    with wave.open(str(recording)) as file:
        rate_hz = file.getframerate()
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    far, own = both[len(both) // 2 :, 0], both[len(both) // 2 :, 1]
    size, margin = int(_WINDOW_S * rate_hz), rate_hz
    scores = [
        _window_score(own[at : at + size], far[at : at + size + margin], rate_hz)
        for at in range(0, len(own) - size - margin, size)
    ]
    return float(np.mean([score for score in scores if score is not None]))


def _window_score(said: Signal, came: Signal, rate_hz: int) -> float | None:
    if np.abs(said).max() < 1000:
        return None
    return stoi(said, in_step(said, came, rate_hz, 900), rate_hz)


async def _run(seconds: float, seed: int) -> bool:
    sys.stdout.write(
        "| network | off: codec | kbit/s | MOS | STOI | on: codec | kbit/s | MOS | STOI |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    good = True
    for name, network in _NETWORKS.items():
        off = await _call(network, seconds, seed, ladder=False)
        on = await _call(network, seconds, seed, ladder=True)
        sys.stdout.write(f"| {name} | {off} | {on} |\n")
        sys.stdout.flush()
        good = good and on.stoi >= off.stoi - _ALIKE
        good = good and (name != "5 % loss" or on.stoi >= _UNDERSTOOD)
    return good


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ladder_figures", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    return 0 if asyncio.run(_run(arguments.seconds, arguments.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
