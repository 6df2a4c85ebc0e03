"""What the API says of changes to the dialplan."""

from datetime import UTC, datetime
from pathlib import Path

from gateway.api.dialplan import Dialplans
from gateway.dialplan.live import LivePlan
from tests.unit.dialplan.plans import SURROUNDINGS


async def test_every_change_may_meet_a_plan_that_is_wrong() -> None:
    plans = await LivePlan.open(None, SURROUNDINGS, Path("/nowhere"), lambda: datetime.now(UTC))
    changes = [each for each in Dialplans(plans).operations() if each.method == "POST"]
    assert sorted(each.id for each in changes) == ["promoteDialplan", "reloadDialplan", "rollbackDialplan"]
    assert all({409, 422} <= set(each.fails) for each in changes)
