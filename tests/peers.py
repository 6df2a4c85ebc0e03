"""Programs and files that tests need beside Python packages, and whether they are here."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOUNDS_DIR = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
"""Recorded human speech, 8 kHz WAV."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One thing a test may need."""

    package: str
    """Debian package that brings it."""
    present: Callable[[], bool]


_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21


def _may_make_networks() -> bool:
    """Whether we may make network namespaces and TUN devices, as root in a virtual machine may."""
    status = Path("/proc/self/status").read_text()
    effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    wanted = 1 << _CAP_NET_ADMIN | 1 << _CAP_SYS_ADMIN
    return effective & wanted == wanted and os.access("/dev/net/tun", os.R_OK | os.W_OK)


PEERS = {
    "sipp": Peer("sip-tester", lambda: shutil.which("sipp") is not None),
    "baresip": Peer("baresip", lambda: shutil.which("baresip") is not None),
    "flite": Peer("flite", lambda: shutil.which("flite") is not None),
    "chromium": Peer("chromium", lambda: shutil.which("chromium") is not None),
    "namespaces": Peer("iproute2", lambda: shutil.which("ip") is not None and _may_make_networks()),
    "sounds": Peer("asterisk-core-sounds-en-wav", lambda: (SOUNDS_DIR / "vm-goodbye.wav").exists()),
}
"""What `@pytest.mark.needs(...)` may name."""


def peer(name: str) -> Peer:
    """The peer of that name or Debian package. Raises KeyError if there is none."""
    return next((peer for peer in PEERS.values() if peer.package == name), None) or PEERS[name]


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of the named peers that are not here. Raises KeyError for a name that is none."""
    return [name for name in names if not peer(name).present()]
