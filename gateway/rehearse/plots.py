"""Plots as inline SVG: waveforms of a call with its turns, histograms, cumulative distributions. Pure."""

from collections.abc import Sequence
from html import escape
from math import ceil, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.media.g711 import ulaw_decode
from gateway.rehearse.result import CallResult, Event

PX_PER_S: Final = 16.0
_BIN_S: Final = 0.04
_LANE_PX: Final = 46
_BAND_PX: Final = 14
_WIDTH: Final = 380
_HEIGHT: Final = 150
_LEFT, _BOTTOM = 34, 18
_BARS: Final = 24

Peaks = NDArray[np.float32]


def caller_peaks(sent: Sequence[bytes], sent_s: Sequence[float], start_s: float, duration_s: float) -> Peaks:
    """Loudest sample of every `_BIN_S` of the caller, 0 to 1."""
    peaks = np.zeros(ceil(duration_s / _BIN_S) + 1, np.float32)
    for payload, at_s in zip(sent, sent_s, strict=True):
        index = int((at_s - 0.02 - start_s) / _BIN_S)
        if payload.count(0xFF) != len(payload) and 0 <= index < len(peaks):
            loudest = np.abs(np.frombuffer(ulaw_decode(payload), "<i2").astype(np.float32)).max() / 32768
            peaks[index] = max(peaks[index], loudest)
    return peaks


def agent_peaks(samples: NDArray[np.float32], rate_hz: int) -> Peaks:
    """The same of what was heard."""
    size = int(rate_hz * _BIN_S)
    whole = np.abs(samples[: len(samples) // size * size]).reshape(-1, size)
    return np.asarray(whole.max(axis=1) / 32768, np.float32) if len(whole) else np.zeros(1, np.float32)


def call_plot(call: CallResult, caller: Peaks, agent: Peaks) -> str:
    """Both sides of a call on one time axis, and what was found."""
    width = call.duration_s * PX_PER_S + 20
    top, middle, bottom = _LANE_PX, 2 * _LANE_PX + _BAND_PX, 3 * _LANE_PX + _BAND_PX + 6
    parts = [_wave(caller, top, "caller"), _wave(agent, middle + _LANE_PX / 2, "agent")]
    parts += [_span(begin, end, top + _LANE_PX, 4, "utterance", "agent speaks") for begin, end in call.agent]
    parts += [_event(event, top + _LANE_PX - _BAND_PX) for event in call.events]
    for begin, end in call.dead_air:
        parts.append(_span(begin, end, 2, bottom - 14, "dead", f"silence of {end - begin:.1f} s"))
    for at_s in call.clipped_s:
        parts.append(
            _span(at_s - 0.03, at_s + 0.03, top + _LANE_PX, bottom - top - _LANE_PX, "cut", "word cut")
        )
    for second in range(0, int(call.duration_s) + 1, 5):
        x = second * PX_PER_S
        parts.append(f'<line class="tick" x1="{x:.0f}" x2="{x:.0f}" y1="2" y2="{bottom - 12}"/>')
        parts.append(f'<text x="{x + 2:.0f}" y="{bottom}">{second} s</text>')
    return (
        f'<svg class="call" width="{width:.0f}" height="{bottom + 4}" role="img" '
        f'aria-label="call {call.number}">{"".join(parts)}</svg>'
    )


def _wave(peaks: Peaks, middle: float, kind: str) -> str:
    """Peaks on a scale of 50 dB, mirrored."""
    heights = np.clip(1 + 20 * np.log10(np.maximum(peaks, 1e-5)) / 50, 0, 1) * _LANE_PX * 0.48
    step = _BIN_S * PX_PER_S
    strokes = [
        f"M{index * step:.1f} {middle - height:.1f}v{2 * height:.1f}"
        for index, height in enumerate(heights)
        if height > 0.5
    ]
    return f'<path class="{kind}" d="{"".join(strokes)}"/>'


def _event(event: Event, y: float) -> str:
    said = [f"{event.kind}: {event.name}", event.outcome.replace("_", " ")]
    for name, value in (
        ("agent silent after", event.stop_ms),
        ("silent for", event.silence_ms),
        ("answer after", event.response_delay_ms),
        ("gateway's share", event.gateway_share_ms),
    ):
        if value is not None:
            said.append(f"{name} {value:.0f} ms")
    bad = event.over and event.kind != "interruption" and event.outcome == "stopped"
    bad |= event.outcome in ("missed", "resumed", "unanswered", "talked_over")
    style = "bad" if bad else event.kind if event.kind in ("speech", "interruption", "key") else "wordless"
    box = _span(event.at_s, event.end_s, y, _BAND_PX, f"event {style}", " · ".join(said))
    delay_ms = event.response_delay_ms
    if delay_ms is None or delay_ms <= 0:
        return box
    waited = _span(
        event.end_s, event.end_s + delay_ms / 1000, y, _BAND_PX, "waited", f"answer after {delay_ms:.0f} ms"
    )
    return box + waited


def _span(begin_s: float, end_s: float, y: float, height: float, kind: str, title: str) -> str:
    x, width = begin_s * PX_PER_S, max(1.5, (end_s - begin_s) * PX_PER_S)
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}">'
        f"<title>{escape(title)}</title></rect>"
    )


def histogram(values_ms: Sequence[float]) -> str:
    """How often which duration occurred."""
    values = np.asarray(values_ms)
    low, high = _axis(values)
    counts, edges = np.histogram(np.clip(values, low, high), bins=_BARS, range=(low, high))
    most = max(1, int(counts.max()))
    bars = []
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            x, width = _x(left, low, high), _x(right, low, high) - _x(left, low, high) - 1
            height = (_HEIGHT - _BOTTOM - 8) * count / most
            bars.append(
                f'<rect class="bar" x="{x:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}"><title>{left:.0f} to {right:.0f} ms: {count}</title></rect>'
            )
    return _frame("".join(bars), low, high, f"{most}")


def cumulative(values_ms: Sequence[float], limits: Sequence[tuple[float, str]] = ()) -> str:
    """Share of the durations that are no longer; with limits drawn in."""
    ordered = np.sort(np.asarray(values_ms))
    low, high = _axis(np.concatenate([ordered, [most for most, _ in limits]]))
    points = [f"{_x(low, low, high):.1f},{_y(0):.1f}"]
    for index, value in enumerate(ordered):
        x = _x(value, low, high)
        points += [f"{x:.1f},{_y(index / len(ordered)):.1f}", f"{x:.1f},{_y((index + 1) / len(ordered)):.1f}"]
    points.append(f"{_x(high, low, high):.1f},{_y(1):.1f}")
    marks = "".join(
        f'<line class="limit" x1="{_x(most, low, high):.1f}" x2="{_x(most, low, high):.1f}" y1="8" '
        f'y2="{_HEIGHT - _BOTTOM}"><title>{escape(name)}</title></line>'
        for most, name in limits
    )
    half = f'<line class="tick" x1="{_LEFT}" x2="{_WIDTH - 6}" y1="{_y(0.95):.1f}" y2="{_y(0.95):.1f}"/>'
    return _frame(f'{half}<polyline class="curve" points="{" ".join(points)}"/>{marks}', low, high, "100 %")


def _axis(values: NDArray[np.float64]) -> tuple[float, float]:
    """From zero, or a little below the least, to a round number above the greatest."""
    low, high = min(0.0, float(values.min())), max(10.0, float(values.max()))
    step = 10 ** int(log10(high))
    return low, ceil(high / step * 2) * step / 2


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - 6)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - 8)


def _frame(content: str, low: float, high: float, top: str) -> str:
    base = _HEIGHT - _BOTTOM
    labels = "".join(
        f'<text class="{anchor}" x="{_x(value, low, high):.0f}" y="{_HEIGHT - 4}">{value:.0f}</text>'
        for value, anchor in ((low, "start"), ((low + high) / 2, "middle"), (high, "end"))
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"><line class="axis" x1="{_LEFT}" '
        f'x2="{_WIDTH - 6}" y1="{base}" y2="{base}"/><line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="8" '
        f'y2="{base}"/><text class="end" x="{_LEFT - 3}" y="14">{top}</text>{labels}{content}</svg>'
    )
