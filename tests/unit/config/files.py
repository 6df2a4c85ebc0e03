"""Configuration files for the tests."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.loader import load_config
from gateway.config.models import GatewayConfig
from gateway.config.problems import ConfigError, Problem

# ruff: noqa: E501 -- the documented lines are as long as they are
DOCUMENTED = """\
node: {name: gw1, run_dir: run/}            # unix sockets, pid files, the call database
sip:
  listen: ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"]
  public_address: 127.0.0.1                 # what Via, Record-Route, Contact and SDP say; default: the interface's
  rtp_ports: 20000-24999
  max_calls: 200
http: {listen: 127.0.0.1:8080}
agents:
  receptionist:
    backend: openai_realtime
    url: ws://127.0.0.1:9010/v1/realtime
    model: gpt-realtime-2.1
    api_key: ${OPENAI_API_KEY}              # environment reference; never printed
    audio: pcmu                             # pcmu | pcma | pcm24k | auto
    instructions: You answer the phone for Example Ltd.
    greeting: Say hello and ask how you can help.
dialplans: dialplans/
"""
"""The configuration that the documentation shows."""

SECRET = "sk-a-very-secret-key"

ENVIRONMENT = {"OPENAI_API_KEY": SECRET}


def load_text(
    directory: Path, text: str | bytes, environment: Mapping[str, str] = ENVIRONMENT
) -> GatewayConfig:
    """Load `text` as the file gw.yaml in `directory`."""
    path = directory / "gw.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(path, environment)


def problems(
    directory: Path, text: str | bytes, environment: Mapping[str, str] = ENVIRONMENT
) -> tuple[Problem, ...]:
    """What is wrong with `text`; fails if nothing is."""
    with pytest.raises(ConfigError) as caught:
        load_text(directory, text, environment)
    return caught.value.problems


def lines(directory: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> list[str]:
    """The messages for `text`, with the file's name instead of its path."""
    return [str(problem).replace(f"{directory}/", "") for problem in problems(directory, text, environment)]
