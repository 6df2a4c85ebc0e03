"""What calls may fall back to, from the file to the ladders."""

from pathlib import Path

import pytest

from gateway.calls.line.ladders import Ladders
from gateway.core.ladder.sip import SipSettings
from tests.unit.config.files import lines, load_text

TRUNK = "trunks:\n  pbx:\n    address: 192.0.2.5\n"


def test_without_a_word_phones_have_one_and_there_are_no_peers(tmp_path: Path) -> None:
    ladders = Ladders.of(load_text(tmp_path, ""))
    assert ladders.phone == SipSettings()
    assert ladders.peer is None


def test_each_trunk_has_its_own(tmp_path: Path) -> None:
    text = TRUNK + "    ladder: {codecs: [pcma, ilbc], most_ptime_ms: 40, up_after_s: 60}\n"
    ladders = Ladders.of(load_text(tmp_path, text))
    found = ladders.for_trunk("pbx")
    assert found is not None
    assert (found.codecs, found.most_ptime_ms, found.pace.up_after_s) == (("PCMA", "ILBC"), 40, 60.0)
    assert ladders.for_trunk("") == SipSettings()


def test_loss_is_answered_by_prediction_unless_told_otherwise(tmp_path: Path) -> None:
    ladders = Ladders.of(load_text(tmp_path, TRUNK + "    ladder: {lossy: ilbc}\n"))
    found = ladders.for_trunk("pbx")
    assert found is not None
    assert found.lossy == "ilbc"
    assert ladders.for_trunk("") == SipSettings(lossy="best")


def test_they_can_be_switched_off(tmp_path: Path) -> None:
    text = TRUNK + "    ladder: {enabled: false}\nsip: {ladder: {enabled: false}}\n"
    text += "webrtc: {ladder: {enabled: false}}\n"
    ladders = Ladders.of(load_text(tmp_path, text))
    assert (ladders.phone, ladders.for_trunk("pbx"), ladders.peer) == (None, None, None)


def test_peers_are_steered_unless_told_otherwise(tmp_path: Path) -> None:
    for text, steer in (("webrtc: {}\n", True), ("webrtc: {ladder: {steer_peer: false}}\n", False)):
        peer = Ladders.of(load_text(tmp_path, text)).peer
        assert peer is not None
        assert peer.steer is steer


@pytest.mark.parametrize(
    "ladder", ["{codecs: [opus]}", "{most_ptime_ms: 80}", "{lossy: opus}", "{up_after_s: 1}", "{step: 1}"]
)
def test_what_cannot_be_is_named(tmp_path: Path, ladder: str) -> None:
    (line,) = lines(tmp_path, f"sip: {{ladder: {ladder}}}\n")
    assert "sip.ladder" in line
