"""The page about one call."""

import re
from xml.etree import ElementTree

import pytest

from gateway.cli.call_report import render
from gateway.core.quality.track import QualityPoint
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from tests.unit.store.records import record


def points(count: int, **bad: float) -> tuple[QualityPoint, ...]:
    return tuple(
        QualityPoint(
            1000.0 * second,
            0.06 if second > 10 else 0.0,
            None if second < 5 else 0.01,
            bad.get("mos", 4.2),
            None if second < 5 else 4.0,
            None,
            2.0,
            "ILBC/30" if second > 15 else "PCMU/20",
        )
        for second in range(1, count + 1)
    )


def call(**changes: object) -> CallRecord:
    timeline = (
        TimelineEvent(500.0, TimelineKind.AGENT_AUDIO),
        TimelineEvent(2000.0, TimelineKind.AGENT_SILENT),
        TimelineEvent(2500.0, TimelineKind.SPEECH_STARTED),
        TimelineEvent(4000.0, TimelineKind.SPEECH_STOPPED),
        TimelineEvent(4500.0, TimelineKind.AGENT_AUDIO),
        TimelineEvent(5000.0, TimelineKind.SAID, {"role": "caller", "text": "my secret is swordfish"}),
        TimelineEvent(
            15_000.0,
            TimelineKind.TIER,
            {
                "party": "caller",
                "direction": "both",
                "before": "PCMU/20",
                "after": "ILBC/30",
                "reason": "<loss>",
            },
        ),
    )
    return record(1, **({"timeline": timeline, "quality": points(30)} | changes))


def drawing(page: str) -> ElementTree.Element:
    """The SVG; its attributes without quotes are put into some."""
    (svg,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    return ElementTree.fromstring(re.sub(r"(\s[a-z0-9]+)=([^\"\s/>]+)", r'\1="\2"', svg))


def test_nothing_comes_from_outside_and_nobody_is_named() -> None:
    page = render(call())
    assert not re.search(r"(src|href|url\(|@import|https?:)", page)
    one = call()
    for personal in (one.from_number, one.to_number, one.peer, "swordfish"):
        assert personal not in page
    assert "&lt;loss&gt;" in page
    assert "<loss>" not in page


def test_each_stretch_of_a_tier_is_a_bar_with_its_name() -> None:
    svg = drawing(render(call()))
    assert len([each for each in svg.iter("rect") if each.get("class") == "tier"]) == 2
    texts = [each.text for each in svg.iter("text")]
    assert "PCMU/20" in texts
    assert "ILBC/30" in texts
    (mark,) = [each for each in svg.iter("line") if each.get("class") == "mark"]
    bars = [each for each in svg.iter("rect") if each.get("class") == "tier"]
    assert float(mark.get("x1", "")) == pytest.approx(float(bars[1].get("x", "")), abs=1)


def test_turns_are_bars_and_the_last_one_lasts_to_the_end() -> None:
    svg = drawing(render(call()))
    caller = [each for each in svg.iter("rect") if each.get("class") == "caller"]
    agent = [each for each in svg.iter("rect") if each.get("class") == "agent"]
    assert (len(caller), len(agent)) == (1, 2)
    end = float(agent[1].get("x", "")) + float(agent[1].get("width", ""))
    assert end == pytest.approx(980, abs=1)


def test_both_directions_are_drawn_and_gaps_are_left_open() -> None:
    svg = drawing(render(call()))
    curves = [each.get("class") for each in svg.iter("polyline")]
    assert sorted(str(each) for each in curves) == ["received", "received", "sent", "sent"]
    holed = tuple(point for point in points(30) if not 12 <= point.at_ms / 1000 < 20)
    svg = drawing(render(call(quality=holed)))
    assert len([each for each in svg.iter("polyline") if each.get("class") == "received"]) == 4


def test_worse_quality_is_drawn_lower() -> None:
    def lowest(mos: float) -> float:
        svg = drawing(render(call(quality=points(30, mos=mos))))
        curve = [each for each in svg.iter("polyline") if each.get("class") == "received"][1]
        return max(float(pair.split(",")[1]) for pair in curve.get("points", "").split())

    assert lowest(2.0) > lowest(4.2) + 30


def test_a_call_that_was_never_answered_has_a_page_too() -> None:
    page = render(call(quality=(), timeline=(), duration_s=0.0, mos_min=None, mos_mean=None))
    assert "MOS, mean" not in page
    assert drawing(page) is not None
