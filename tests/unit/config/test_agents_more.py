"""Agents on other services than OpenAI's Realtime API."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.agents_more import OpenAILiveAgent, TwilioMediaStreamsAgent
from tests.unit.config.files import ENVIRONMENT, load_text

_EXAMPLE = Path(__file__).parents[3] / "deploy" / "gateway.example.yaml"

BOT = {"backend": "twilio_media_streams", "url": "wss://bot.example/ws"}


def test_a_bot_needs_nothing_but_its_url() -> None:
    agent = TwilioMediaStreamsAgent.model_validate(BOT)
    assert agent.parameters == {}
    assert agent.auth_token.get_secret_value() == ""
    with pytest.raises(ValidationError):
        TwilioMediaStreamsAgent.model_validate({"backend": "twilio_media_streams"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://bot.example/ws"},
        {"url": "wss://user:secret@bot.example/ws"},
        {"account_sid": "AC1"},
        {"account_sid": "SK" + "0" * 32},
        {"parameters": {"x": "y" * 501}},
        {"parameters": {str(n): "" for n in range(51)}},
        {"instructions": "Be brief."},
    ],
)
def test_what_a_bot_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TwilioMediaStreamsAgent.model_validate(BOT | wrong)
    assert caught.value.error_count() == 1


def test_secrets_are_given_to_children_alone() -> None:
    agent = TwilioMediaStreamsAgent.model_validate(BOT | {"auth_token": "t-1"})
    assert "t-1" not in agent.model_dump_json()
    assert "t-1" in agent.model_dump_json(context={"reveal_secrets": True})


def test_gpt_live_needs_nothing_at_all() -> None:
    agent = OpenAILiveAgent(backend="openai_live")
    assert agent.url == "wss://api.openai.com/v1/live/sessions"
    with pytest.raises(ValidationError):
        OpenAILiveAgent.model_validate({"backend": "openai_live", "greeting": "x" * 1501})


def test_the_agents_of_the_shipped_example_work(tmp_path: Path) -> None:
    example = _EXAMPLE.read_text()
    first = example.index("agents:\n")
    section = example[first : example.index("\n\n", first)]
    text = example.replace(section, re.sub("^#", "", section, flags=re.MULTILINE))
    agents = load_text(tmp_path, text).agents
    assert [agent.backend for agent in agents.values()] == [
        "openai_realtime",
        "openai_live",
        "twilio_media_streams",
    ]
    duplex, bot = agents["duplex"], agents["own_bot"]
    assert isinstance(duplex, OpenAILiveAgent)
    assert duplex.api_key.get_secret_value() == ENVIRONMENT["OPENAI_API_KEY"]
    assert isinstance(bot, TwilioMediaStreamsAgent)
    assert bot.parameters == {"from_number": "{from}", "to_number": "{to}"}
