"""Quality reports as a monitor makes them of typical paths."""

from typing import Any

from gateway.core.quality.monitor import QualityReport


def report(**changes: Any) -> QualityReport:
    """A good path but for `changes`."""
    figures: dict[str, Any] = {
        "at_s": 0.0,
        "loss": 0.0,
        "discarded": 0.0,
        "worst_loss": 0.0,
        "burst_ratio": 1.0,
        "concealed": None,
        "jitter_ms": 2.0,
        "jitter_buffer_ms": 20.0,
        "rtt_ms": 40.0,
        "queueing_ms": 0.0,
        "available_bps": None,
        "stalled": False,
        "one_way_ms": 60.0,
        "r_factor": 91.0,
        "mos": 4.35,
        "confidence": 1.0,
    }
    return QualityReport(**(figures | changes))


GOOD = report()
FAIR = report(loss=0.015)
LOSSY = report(loss=0.05, mos=3.6)
HEAVY = report(loss=0.15, mos=2.5)
THIN = report(queueing_ms=180.0, jitter_ms=8.0)
THIN_AND_LOSSY = report(queueing_ms=180.0, jitter_ms=8.0, loss=0.04)
JITTERY = report(queueing_ms=110.0, jitter_ms=45.0, discarded=0.03)
STALLED = report(stalled=True, mos=1.2)
UNKNOWN = report(confidence=0.1, loss=0.2)
