"""The gateway and the dialogue of a rehearsal's own run."""

from pathlib import Path

from gateway.bot.cast import load_part
from gateway.config.models import GatewayConfig, OpenAIRealtimeAgent
from gateway.rehearse.own_agent import DIALOGUE, build_config


def test_the_configuration_is_valid_and_leads_through_the_tap() -> None:
    values = build_config(
        Path("/tmp/x"), max_calls=28, sip_port=5070, http_port=8070, rtp_low=12000, tap_port=9010
    )
    config = GatewayConfig.model_validate(values)
    (agent,) = config.agents.values()
    assert isinstance(agent, OpenAIRealtimeAgent)
    assert (agent.url, agent.audio) == ("ws://127.0.0.1:9010/v1/realtime", "pcmu")
    assert agent.greeting
    assert config.sip.max_calls == 28
    assert not config.needs_bot


def test_the_dialogue_is_without_mistakes_and_has_something_to_be_interrupted() -> None:
    part = load_part(DIALOGUE)
    story = part.dialogue.always["story"]
    assert sum(len(text) for text in story.say) > 600
    assert part.dialogue.intents["story"].key == "#"
    assert all(action.call is None for _, action in part.dialogue.actions())
