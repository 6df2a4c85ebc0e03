"""What an agent is told to do, put together from its configuration and the step of the plan."""

from dataclasses import replace

from gateway.config.agents_more import OpenAILiveAgent
from gateway.config.models import AgentConfig, OpenAIRealtimeAgent
from gateway.dialplan.runtime import TalkRequest


def completed(request: TalkRequest, agent: AgentConfig) -> TalkRequest:
    """The request with all its instructions in one; agents without instructions take none."""
    if not request.also or not isinstance(agent, OpenAIRealtimeAgent | OpenAILiveAgent):
        return request
    own = request.instructions or agent.instructions
    return replace(request, instructions="\n\n".join(filter(None, (own, request.also))), also="")
