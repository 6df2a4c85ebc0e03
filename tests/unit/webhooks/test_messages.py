"""What receivers are told."""

import json
import time
from base64 import b64encode
from typing import Any

from openai import OpenAI

from gateway.core.ids import CallId, LegId
from gateway.core.record import TimelineEvent, TimelineKind
from gateway.webhooks import messages
from gateway.webhooks.messages import Message
from gateway.webhooks.signature import signed_headers
from gateway.wire import card as wire
from tests.unit.store.records import record

NOW_S = 1_700_000_000.25
CALL = CallId("call_0123456789abcdef0123")
KEY = b"k" * 32
OFFERED = wire.Incoming(
    LegId(1),
    "abc@far",
    "sip:200@gw",
    "<sip:+4930@far>",
    "<sip:200@gw>",
    (
        ("X-Shop", "a"),
        ("X-Shop", "b"),
        ("Proxy-Authorization", "Digest secret"),
        ("authorization", "Digest secret"),
        ("User-Agent", "phone"),
    ),
    "udp:192.0.2.1:5060",
    1.0,
)


def _read(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(message.body)
    assert body["id"] == message.id
    assert body["type"] == message.event
    assert (body["object"], body["created_at"]) == ("event", int(NOW_S))
    return body


def test_a_phone_call_comes_in_as_openai_has_it() -> None:
    message = messages.incoming("evt_1", NOW_S, CALL, "sip", OFFERED)
    assert message.urgent
    data = _read(message)["data"]
    assert set(data) == {"call_id", "sip_headers"}
    assert data["call_id"] == CALL
    assert [(header["name"], header["value"]) for header in data["sip_headers"]] == [
        ("From", "<sip:+4930@far>"),
        ("To", "<sip:200@gw>"),
        ("Call-ID", "abc@far"),
        ("X-Shop", "a"),
        ("X-Shop", "b"),
        ("User-Agent", "phone"),
    ]


def test_openais_client_reads_it() -> None:
    message = messages.incoming("evt_1", NOW_S, CALL, "sip", OFFERED)
    headers = signed_headers(KEY, message.id, time.time(), message.body)
    secret = "whsec_" + b64encode(KEY).decode()
    event = OpenAI(api_key="unused").webhooks.unwrap(message.body, headers, secret=secret)
    assert event.type == "realtime.call.incoming"
    assert event.data.call_id == CALL
    assert event.data.sip_headers[3].value == "a"


def test_a_peer_has_no_sip_call_id() -> None:
    offered = wire.Incoming(LegId(1), "", "sales", "key crm", "", (), "http:127.0.0.1", 1.0)
    data = _read(messages.incoming("evt_1", NOW_S, CALL, "webrtc", offered))["data"]
    assert data["sip_headers"] == [{"name": "From", "value": "key crm"}, {"name": "To", "value": "sales"}]


def test_an_answer() -> None:
    event = TimelineEvent(412.5, TimelineKind.ANSWERED, {"setup_ms": 412.5})
    message = messages.answered("evt_2", NOW_S, CALL, event)
    assert not message.urgent
    assert _read(message)["data"] == {"call_id": CALL, "at_ms": 412.5, "setup_ms": 412.5}


def test_an_end_is_told_with_the_record_and_without_what_was_said() -> None:
    message = messages.ended("evt_3", NOW_S, record())
    data = _read(message)["data"]
    assert data["call_id"] == record().id
    assert (data["from_number"], data["reason"], data["duration_s"]) == (
        "+4930123456",
        "caller_hangup",
        31.5,
    )
    assert "timeline" not in data
    assert "id" not in data
