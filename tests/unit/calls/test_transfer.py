"""`transfer_call`: whom the model is told that it may connect the caller with, and whom it really may."""

import pytest

from gateway.calls.meeting import Left
from gateway.calls.tools import Tool, ToolFailedError
from gateway.calls.transfer import transfer_tool
from gateway.dialplan.runtime import StepFailedError


class Reached:
    """Remembers who was rung."""

    def __init__(self, left: Left | StepFailedError) -> None:
        self.left = left
        self.targets: list[str] = []

    async def hand_over(self, targets: tuple[str, ...], ring_s: float) -> Left:
        """Ring them."""
        assert ring_s > 0
        self.targets += targets
        if isinstance(self.left, StepFailedError):
            raise self.left
        return self.left


def offered(tool: Tool) -> dict[str, object]:
    """The schema of the only parameter."""
    target = tool.parameters["properties"]["target"]
    assert isinstance(target, dict)
    return target


def test_single_targets_are_a_list_to_choose_from() -> None:
    tool = transfer_tool(("sip:op1@pbx", "webrtc:anna"), Reached("hung_up").hand_over)
    assert offered(tool)["enum"] == ["sip:op1@pbx", "webrtc:anna"]


@pytest.mark.parametrize("pattern", ["sip:30X@pbx", "tel:+49ZXX", "sip:N00@pbx", "webrtc:*"])
async def test_a_pattern_is_told_as_one_and_its_targets_can_be_reached(pattern: str) -> None:
    reached = Reached("handed_back")
    tool = transfer_tool(("sip:op1@pbx", pattern), reached.hand_over)
    assert "enum" not in offered(tool)
    assert f"sip:op1@pbx, {pattern}." in str(offered(tool)["description"])
    meant = pattern.replace("X", "7").replace("Z", "1").replace("N", "2").replace("*", "ben")
    assert not (await tool.run({"target": meant})).ends
    assert reached.targets == [meant]
    with pytest.raises(ToolFailedError, match="not allowed"):
        await tool.run({"target": "sip:op2@pbx"})


async def test_a_person_who_is_not_reached_is_told_to_the_model() -> None:
    reached = Reached(StepFailedError("busy", "486"))
    tool = transfer_tool(("sip:op1@pbx",), reached.hand_over)
    with pytest.raises(ToolFailedError, match="busy"):
        await tool.run({"target": "sip:op1@pbx"})


async def test_after_the_person_hung_up_the_conversation_is_over() -> None:
    tool = transfer_tool(("sip:op1@pbx",), Reached("hung_up").hand_over)
    assert (await tool.run({"target": "sip:op1@pbx"})).ends
