"""The private names are where we think they are, and we notice when they are not."""

import pytest
from aioice import Connection

from gateway.cards.webrtc import seam
from gateway.errors import LocalError


def test_the_installed_versions_have_every_name() -> None:
    seam.check_names()


def test_a_name_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Connection, "_check_periodic")
    with pytest.raises(LocalError, match=r"Connection\._check_periodic"):
        seam.check_names()


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "version", lambda _: "2.0.0")
    with pytest.raises(LocalError, match=r"aiortc 2\.0\.0 is installed, 1\.16\.\* is needed"):
        seam.check_names()
