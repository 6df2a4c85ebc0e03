"""Every reason has its outcome and its SIP status."""

import pytest

from gateway.core.termination import Reason, Result, Termination

NORMAL = {
    Reason.CALLER_HANGUP,
    Reason.AGENT_HANGUP,
    Reason.PLAN_ENDED,
    Reason.PARTY_HANGUP,
    Reason.TRANSFERRED,
}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_in_the_table(reason: Reason) -> None:
    termination = Termination(reason)
    status, phrase = termination.sip_status
    assert termination.result in Result
    assert phrase
    assert (status == 200) == (reason in NORMAL)
    assert status == 200 or 400 <= status <= 606


def test_a_chosen_status_wins() -> None:
    assert Termination(Reason.DECLINED, "", 410, "Gone away").sip_status == (410, "Gone away")


@pytest.mark.parametrize(
    ("reason", "result", "status"),
    [
        (Reason.CALLER_HANGUP, Result.COMPLETED, 200),
        (Reason.CANCELLED, Result.ABANDONED, 487),
        (Reason.NO_ROUTE, Result.REJECTED, 404),
        (Reason.BACKEND_REFUSED, Result.FAILED, 503),
        (Reason.NOT_ACCEPTABLE, Result.REJECTED, 488),
    ],
)
def test_outcomes_that_others_rely_on(reason: Reason, result: Result, status: int) -> None:
    assert Termination(reason).result is result
    assert Termination(reason).sip_status[0] == status
