"""A call as one page: loss, tier, quality and turns on one time axis. Pure; nothing comes from outside."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from gateway.core.quality.track import QualityPoint
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind

_LEFT, _WIDTH, _RIGHT = 90, 1000, 20
_GAP_S: Final = 5.0
"""Points further apart are not joined, unless long calls put more seconds into each."""
_MOST_LOSS: Final = 0.2
"""Top of the scale, unless more was lost."""
_LABELS: Final = 10
_STEPS_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1060px; padding: 0 1rem;
  color: #1a1f26; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; } td { font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #55606e; }
.axis { stroke: #d5dae1; } .received { stroke: #0b6bcb; fill: none; stroke-width: 1.6; }
.sent { stroke: #c2410c; fill: none; stroke-width: 1.6; }
.dot.received { fill: #0b6bcb; } .dot.sent { fill: #c2410c; }
.tier { fill: #e8eef6; stroke: #b9c6d8; } .caller { fill: #0b6bcb; } .agent { fill: #c2410c; }
.mark { stroke: #7a1fa2; stroke-dasharray: 3 3; } .key b { font-weight: 600; } .key .r { color: #0b6bcb; }
.key .s { color: #c2410c; }
@media (prefers-color-scheme: dark) { body { color: #e6e9ee; background: #14181d; }
  svg text { fill: #9aa6b5; } .axis { stroke: #333c47; } .tier { fill: #222c38; stroke: #3c4a5c; } }
"""

_FACTS: Final[tuple[tuple[str, Callable[[CallRecord], object]], ...]] = (
    ("Began", lambda call: f"{call.started_at:%Y-%m-%d %H:%M:%S} UTC"),
    ("Lasted", lambda call: f"{call.duration_s:.1f} s"),
    ("Ended", lambda call: f"{call.result.value}, {call.reason.value}"),
    ("Agent", lambda call: call.agent or None),
    ("Codec at the end", lambda call: call.codec or None),
    ("MOS, mean", lambda call: None if call.mos_mean is None else f"{call.mos_mean:.2f}"),
    ("MOS, worst second", lambda call: None if call.mos_min is None else f"{call.mos_min:.2f}"),
    ("Changes because of the network", lambda call: call.tier_changes),
    ("Packets lost on the way to us", lambda call: f"{call.rx_lost} of {call.rx_packets + call.rx_lost}"),
    ("First words after the answer", lambda call: _ms(call.first_utterance_ms)),
    ("Response delay, median", lambda call: _ms(call.response_delay_p50_ms)),
    ("Interruptions", lambda call: call.barge_ins),
)


def _ms(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} ms"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Milliseconds of the call to the width of the page."""

    end_ms: float

    def x(self, at_ms: float) -> float:
        share = min(1.0, max(0.0, at_ms / self.end_ms))
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def render(record: CallRecord) -> str:
    """The page. Holds no phone numbers, addresses or words of the call."""
    scale = _Scale(max(1000.0, record.duration_s * 1000))
    points = record.quality
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, of in _FACTS
        if (value := of(record)) is not None
    )
    changes = "".join(_change_row(event) for event in _of(record.timeline, TimelineKind.TIER))
    table = f"<h2>Changes</h2><table>{changes}</table>" if changes else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>Call {escape(record.id)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Call {escape(record.id)}</h1><table>{facts}</table>"
        "<h2>The line</h2><p class=key><b class=r>blue</b>: what the gateway hears of the caller "
        "<b class=s>orange</b>: what the caller hears</p>"
        f"{_drawing(record, points, scale)}{table}</body></html>\n"
    )


def _drawing(record: CallRecord, points: Sequence[QualityPoint], scale: _Scale) -> str:
    most = max((_MOST_LOSS, *(max(p.received_loss, p.sent_loss or 0.0) for p in points)))
    parts = [
        _curves("Loss", points, scale, 20, (0.0, most), f"{most:.0%}", "0", _loss_of),
        _curves("MOS", points, scale, 150, (1.0, 4.5), "4.5", "1", _mos_of),
        _tiers(points, scale, 280),
        _turns(record.timeline, scale, 340),
        _axis(scale, 420),
    ]
    for event in _of(record.timeline, TimelineKind.TIER):
        x = scale.x(event.at_ms)
        parts.append(f'<line class=mark x1="{x:.1f}" x2="{x:.1f}" y1=20 y2=420 />')
    return f'<svg viewBox="0 0 {_WIDTH} 450" role=img>{"".join(parts)}</svg>'


def _loss_of(point: QualityPoint) -> tuple[float, float | None]:
    return point.received_loss, point.sent_loss


def _mos_of(point: QualityPoint) -> tuple[float, float | None]:
    return point.received_mos, point.sent_mos


def _curves(
    title: str,
    points: Sequence[QualityPoint],
    scale: _Scale,
    top: float,
    span: tuple[float, float],
    high: str,
    low: str,
    of: Callable[[QualityPoint], tuple[float, float | None]],
) -> str:
    bottom = top + 100
    lines = "".join(
        f'<line class=axis x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" />' for y in (top, bottom)
    )
    words = f'<text x=0 y="{top + 55}">{title}</text><text x=50 y="{top + 10}">{high}</text>'
    words += f'<text x=50 y="{bottom}">{low}</text>'

    def y(value: float) -> float:
        return bottom - 100 * (min(span[1], max(span[0], value)) - span[0]) / (span[1] - span[0])

    drawn = ""
    for name, side in (("received", 0), ("sent", 1)):
        pairs = [(point.at_ms, of(point)[side]) for point in points]
        known = [(scale.x(at_ms), y(value), at_ms) for at_ms, value in pairs if value is not None]
        drawn += _lines(name, known)
    return lines + words + drawn


def _lines(name: str, points: Sequence[tuple[float, float, float]]) -> str:
    """Curves through the points, broken where seconds are missing."""
    steps = sorted(b[2] - a[2] for a, b in pairwise(points))
    gap_ms = max(_GAP_S * 1000, 3 * steps[len(steps) // 2]) if steps else 0.0
    runs: list[list[tuple[float, float, float]]] = []
    for point in points:
        if runs and point[2] - runs[-1][-1][2] <= gap_ms:
            runs[-1].append(point)
        else:
            runs.append([point])
    drawn = ""
    for run in runs:
        if len(run) == 1:
            drawn += f'<circle class="dot {name}" cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r=2 />'
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in run)
            drawn += f'<polyline class={name} points="{path}" />'
    return drawn


def _tiers(points: Sequence[QualityPoint], scale: _Scale, top: float) -> str:
    """A bar for each stretch of time with the same codec and packet time."""
    drawn = f'<text x=0 y="{top + 25}">Sent as</text>'
    begin = 0
    for index, point in enumerate(points):
        last = index + 1 == len(points)
        if not last and points[index + 1].tier == point.tier:
            continue
        start_ms = points[begin - 1].at_ms if begin else max(0.0, points[0].at_ms - 1000)
        x, end = scale.x(start_ms), scale.x(point.at_ms)
        drawn += f'<rect class=tier x="{x:.1f}" width="{max(1.0, end - x):.1f}" y="{top + 5}" height=32 />'
        drawn += f'<text x="{x + 4:.1f}" y="{top + 25}">{escape(point.tier)}</text>'
        begin = index + 1
    return drawn


def _turns(timeline: Sequence[TimelineEvent], scale: _Scale, top: float) -> str:
    rows = (
        ("caller", "Caller", TimelineKind.SPEECH_STARTED, (TimelineKind.SPEECH_STOPPED,)),
        ("agent", "Agent", TimelineKind.AGENT_AUDIO, (TimelineKind.AGENT_SILENT, TimelineKind.BARGE_IN)),
    )
    drawn = ""
    for row, (name, title, begins, ends) in enumerate(rows):
        y = top + 32 * row
        drawn += f'<text x=0 y="{y + 20}">{title}</text>'
        for start_ms, end_ms in _spans(timeline, begins, ends, scale.end_ms):
            x, end = scale.x(start_ms), scale.x(end_ms)
            drawn += (
                f'<rect class={name} x="{x:.1f}" width="{max(1.0, end - x):.1f}" y="{y + 6}" height=18 />'
            )
    return drawn


def _spans(
    timeline: Sequence[TimelineEvent],
    begins: TimelineKind,
    ends: Sequence[TimelineKind],
    end_ms: float,
) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    since: float | None = None
    for event in timeline:
        if event.kind is begins and since is None:
            since = event.at_ms
        elif event.kind in ends and since is not None:
            spans.append((since, event.at_ms))
            since = None
    return spans if since is None else [*spans, (since, end_ms)]


def _axis(scale: _Scale, y: float) -> str:
    seconds = scale.end_ms / 1000
    step = next((each for each in _STEPS_S if seconds / each <= _LABELS), _STEPS_S[-1])
    drawn = f'<line class=axis x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" />'
    for at_s in range(0, int(seconds) + 1, step):
        label = f"{at_s // 60}:{at_s % 60:02}"
        drawn += f'<text x="{scale.x(at_s * 1000):.1f}" y="{y + 18}">{label}</text>'
    return drawn


def _of(timeline: Iterable[TimelineEvent], kind: TimelineKind) -> list[TimelineEvent]:
    return [event for event in timeline if event.kind is kind]


def _change_row(event: TimelineEvent) -> str:
    cells = (
        f"{event.at_ms / 1000:.1f} s",
        *(str(event.fields.get(name, "")) for name in ("party", "direction")),
        f"{event.fields.get('before', '')} → {event.fields.get('after', '')}",
        str(event.fields.get("reason", "")),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
