"""What the tap before the bot notes."""

import base64
import json

import numpy as np
import pytest

from gateway.media.g711 import ulaw_encode
from gateway.rehearse.share import gateway_share_ms
from gateway.rehearse.tap import Notes
from tests.unit.rehearse.lines import voice

LOUD = ulaw_encode(np.rint(voice(0.2)[320:1120]).astype("<i2").tobytes())
SILENT = b"\xff" * 800


def _append(audio: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})


def _delta(audio: bytes, response: str) -> str:
    event = {"type": "response.output_audio.delta", "response_id": response, "item_id": "item_1"}
    return json.dumps(event | {"delta": base64.b64encode(audio).decode()})


def test_the_callers_loud_packets_are_noted_and_no_others() -> None:
    notes = Notes(1.0)
    notes.on_gateway(_append(SILENT[:160]), 2.0)
    notes.on_gateway(_append(LOUD[:160]), 2.02)
    notes.on_gateway(json.dumps({"type": "session.update", "session": {}}), 2.03)
    notes.on_gateway(_append(LOUD[:160]), 2.04)
    assert notes.result().heard_s == (2.02, 2.04)
    assert notes.result().opened_s == 1.0


def test_of_each_answer_the_first_audio_and_the_silence_before_its_first_sound() -> None:
    notes = Notes(1.0)
    notes.on_bot(json.dumps({"type": "response.created", "response": {"id": "a"}}), 3.0)
    notes.on_bot(_delta(SILENT, "a"), 3.1)
    notes.on_bot(_delta(SILENT[:400] + LOUD[:400], "a"), 3.2)
    notes.on_bot(_delta(LOUD, "a"), 3.3)
    notes.on_bot(_delta(LOUD, "b"), 4.0)
    (begun_a, silence_a), (begun_b, silence_b) = notes.result().answers
    assert (begun_a, begun_b) == (3.1, 4.0)
    assert [silence_a, silence_b] == pytest.approx([150, 0], abs=2)


def test_notes_lead_to_the_share() -> None:
    notes = Notes(1.0)
    notes.on_gateway(_append(LOUD[:160]), 2.02)
    notes.on_bot(_delta(SILENT[:160] + LOUD, "a"), 2.4)
    # The phone sent its last words at 2.0 s; the answer is audible 20 ms into its audio.
    assert gateway_share_ms(notes.result(), 2.0, 2.45) == pytest.approx(20 + 30, abs=2)
