"""The configuration of the bench's own gateway."""

from pathlib import Path

import pytest

from gateway.bench.own_gateway import loopback_config, ports_needed, realtime_agent
from gateway.config.models import GatewayConfig, OpenAIRealtimeAgent


@pytest.mark.parametrize("max_calls", [1, 28, 108, 500])
def test_is_valid_and_sends_calls_to_the_echoing_backend(max_calls: int) -> None:
    values = loopback_config("bench", Path("/tmp/x"), max_calls, {"echo": realtime_agent(9010, "echo")})
    config = GatewayConfig.model_validate(values)
    (agent,) = config.agents.values()
    assert isinstance(agent, OpenAIRealtimeAgent)
    assert (agent.url, agent.audio) == ("ws://127.0.0.1:9010/v1/realtime", "pcmu")
    assert config.sip.max_calls == max_calls
    assert config.sip.rtp_ports.high - config.sip.rtp_ports.low + 1 == ports_needed(max_calls)
    assert not config.needs_bot
