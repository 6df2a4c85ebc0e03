"""What a peer's browser measures, as it comes over the data channel."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.oai_requests import PeerStats, RefusedEventError, read_stats

SENT: dict[str, Any] = {
    "type": "gateway.stats",
    "packets_received": 500,
    "packets_lost": 5,
    "jitter_ms": 2.5,
    "total_samples": 480_000,
    "concealed_samples": 4800,
    "silent_concealed_samples": 960,
    "jitter_buffer_delay_s": 19200.5,
    "jitter_buffer_emitted": 475_200,
    "rtt_ms": 31.5,
    "uplink_lost_percent": 1.5,
    "target_bitrate_bps": 32_000,
}


def test_all_of_it_is_read() -> None:
    found = read_stats(json.dumps(SENT))
    assert found == PeerStats(**{name: value for name, value in SENT.items() if name != "type"})


def test_what_the_browser_does_not_know_is_none() -> None:
    optional = ("rtt_ms", "uplink_lost_percent", "target_bitrate_bps")
    found = read_stats(json.dumps({name: value for name, value in SENT.items() if name not in optional}))
    assert found is not None
    assert [getattr(found, name) for name in optional] == [None, None, None]
    assert found.jitter_ms == 2.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        '{"type": "response.create"}',
        '{"type": "note", "about": "gateway.stats"}',
        "x" * 40_000,
    ],
)
def test_other_messages_are_left_alone(text: str) -> None:
    assert read_stats(text) is None


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"packets_received": -1}, "packets_received"),
        ({"packets_received": 1.5}, "packets_received"),
        ({"packets_lost": "5"}, "packets_lost"),
        ({"jitter_ms": 1e9}, "jitter_ms"),
        ({"uplink_lost_percent": 101}, "uplink_lost_percent"),
        ({"target_bitrate_bps": True}, "target_bitrate_bps"),
        ({"more": 1}, ""),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], param: str) -> None:
    with pytest.raises(RefusedEventError) as caught:
        read_stats(json.dumps(SENT | change))
    assert (caught.value.code, caught.value.param) == ("invalid_event", param)


@pytest.mark.parametrize("missing", ["packets_received", "jitter_ms", "total_samples"])
def test_nothing_may_be_missing(missing: str) -> None:
    with pytest.raises(RefusedEventError, match=missing):
        read_stats(json.dumps({name: value for name, value in SENT.items() if name != missing}))


@pytest.mark.parametrize("text", ['{"type": "gateway.stats"', '{"type": "gateway.stats", "x": NaN}'])
def test_broken_json_is_refused(text: str) -> None:
    with pytest.raises(RefusedEventError) as caught:
        read_stats(text)
    assert caught.value.code == "invalid_json"


@given(st.text(max_size=50), st.text(max_size=50))
def test_nothing_breaks_it(before: str, after: str) -> None:
    with contextlib.suppress(RefusedEventError):
        assert read_stats(f"{before}gateway.stats{after}") is None
