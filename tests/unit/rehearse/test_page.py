"""The report: complete, well-formed, and without anything from elsewhere."""

from xml.etree import ElementTree

from gateway.rehearse.figures import figures_of
from gateway.rehearse.page import page
from gateway.rehearse.plots import cumulative, histogram
from gateway.rehearse.summary import summarise
from gateway.rehearse.thresholds import checks, load_thresholds
from tests.unit.rehearse.lines import agent, packets, spoken, trace
from tests.unit.rehearse.test_thresholds import SETTING

TRACE = trace(packets(agent((0.3, 2.0), (4.6, 11.0))), spoken("speech", 2.5, 4.0))


def _page() -> str:
    calls = [figures_of(TRACE), figures_of(trace([]))]
    found = summarise(calls, SETTING)
    return page(found, checks(found, load_thresholds()), calls)


def test_it_tells_the_verdicts_and_shows_both_sides_of_every_call() -> None:
    text = _page()
    assert text.count('<svg class="call"') == 2
    assert 'class="caller"' in text
    assert 'class="agent"' in text
    assert "speech: speech · answered · answer after 600 ms" in text
    assert 'class="verdict fail">FAIL' in text  # the second call heard nothing


def test_it_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    text = _page()
    body = text[text.index("<body>") : text.index("</body>") + len("</body>")]
    ElementTree.fromstring(body)
    for outside in ("http://", "https://", "src=", "href=", "@import", "url("):
        assert outside not in text


def test_what_others_say_is_escaped() -> None:
    calls = [figures_of(trace([]))]
    found = summarise(calls, SETTING)
    hostile = type(SETTING)(
        **{name: getattr(SETTING, name) for name in SETTING.__slots__} | {"target": "<b>&"}
    )
    assert "<b>&" not in page(summarise(calls, hostile), [], calls)
    assert found.target == "sip:x"


def test_a_histogram_counts_every_value() -> None:
    values = [10.0, 20.0, 20.0, 500.0]
    root = ElementTree.fromstring(histogram(values))
    counts = [int((title.text or "").rpartition(" ")[2]) for title in root.iter("title")]
    assert sum(counts) == len(values)


def test_a_distribution_rises_from_none_to_all_and_shows_its_limits() -> None:
    root = ElementTree.fromstring(cumulative([100.0, 200.0, 300.0], [(250.0, "p95 ≤ 250 ms")]))
    curve = next(iter(root.iter("polyline"))).attrib["points"].split()
    heights = [float(point.partition(",")[2]) for point in curve]
    assert heights == sorted(heights, reverse=True)
    (limit,) = [line for line in root.iter("line") if line.attrib["class"] == "limit"]
    across = [float(point.partition(",")[0]) for point in curve]
    assert across[3] < float(limit.attrib["x1"]) < across[5]
