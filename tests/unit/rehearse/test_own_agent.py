"""The gateway and the dialogue of a rehearsal's own run."""

from gateway.bot.cast import load_part
from gateway.config.models import GatewayConfig, OpenAIRealtimeAgent
from gateway.rehearse.own_agent import DIALOGUE, agent_behind


def test_the_configuration_is_valid_and_leads_through_the_tap() -> None:
    config = GatewayConfig.model_validate({"agents": {"bot": agent_behind(9010)}})
    (agent,) = config.agents.values()
    assert isinstance(agent, OpenAIRealtimeAgent)
    assert (agent.url, agent.audio) == ("ws://127.0.0.1:9010/v1/realtime", "pcmu")
    assert agent.greeting
    assert not config.needs_bot


def test_the_dialogue_is_without_mistakes_and_has_something_to_be_interrupted() -> None:
    part = load_part(DIALOGUE)
    story = part.dialogue.always["story"]
    assert sum(len(text) for text in story.say) > 600
    assert part.dialogue.intents["story"].key == "#"
    assert all(action.call is None for _, action in part.dialogue.actions())
