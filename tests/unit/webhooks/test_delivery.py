"""What a receiver's answer means."""

import pytest

from gateway.webhooks.delivery import Address, DeliveryError, GoneError, judge


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_arrived(status: int) -> None:
    judge(status, "")


@pytest.mark.parametrize("status", [199, 301, 307, 400, 401, 404, 429, 500, 503])
def test_not_arrived(status: int) -> None:
    with pytest.raises(DeliveryError, match=str(status)) as caught:
        judge(status, "")
    assert not isinstance(caught.value, GoneError)


def test_gone_for_good() -> None:
    with pytest.raises(GoneError):
        judge(410, "5")


def test_logs_name_the_host_alone() -> None:
    assert Address("https://me.example:8443/token/abc?key=1", b"").host == "me.example"
