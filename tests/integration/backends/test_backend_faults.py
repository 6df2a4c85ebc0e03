"""AI services that are killed and frozen under real calls: callers are comforted and served on."""

from tests.bench.backend_faults import broken
from tests.bench.fault_run import Plan, run

PLAN = Plan(faults=("killed", "frozen"), calls=4, before=1, after=1)


def test_callers_go_on_with_the_standby() -> None:
    told = run(PLAN)
    assert [call.fault for call in told] == ["killed", "frozen"] * 2
    for call in told:
        assert call.dropped == "", call
        assert call.comfort_s is not None, call
        assert call.standby_s is not None, call
        assert broken(call.said, turns=3) == "", call
        assert None not in (*call.delays_before_s, *call.delays_after_s), call
