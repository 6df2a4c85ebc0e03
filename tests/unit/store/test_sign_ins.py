"""Sign-ins of people, on a real SQLite file."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.store.database import Database
from gateway.store.sign_ins import SignIn, SignIns
from tests.unit.store.records import START

OLIVIA = SignIn("a" * 64, "pss_1", "olivia", "b" * 64, START + timedelta(hours=12))


@pytest.fixture
async def sign_ins(tmp_path: Path) -> AsyncIterator[SignIns]:
    database = await Database.open(tmp_path / "calls.db")
    yield SignIns(database)
    await database.close()


async def test_those_in_force_come_back_the_first_to_expire_first(sign_ins: SignIns) -> None:
    longer = replace(OLIVIA, digest="c" * 64, expires_at=OLIVIA.expires_at + timedelta(seconds=1))
    await sign_ins.add(longer)
    await sign_ins.add(OLIVIA)
    assert await sign_ins.load(START) == [OLIVIA, longer]
    assert await sign_ins.load(OLIVIA.expires_at) == [longer]
    assert await sign_ins.load(START) == [longer], "what has expired is forgotten"


async def test_a_new_one_may_end_others(sign_ins: SignIns) -> None:
    await sign_ins.add(OLIVIA)
    await sign_ins.add(replace(OLIVIA, digest="c" * 64), ["a" * 64, "f" * 64])
    assert [each.digest for each in await sign_ins.load(START)] == ["c" * 64]


async def test_signing_out_is_for_good(sign_ins: SignIns) -> None:
    await sign_ins.add(OLIVIA)
    await sign_ins.remove("f" * 64)
    assert await sign_ins.load(START) == [OLIVIA]
    await sign_ins.remove(OLIVIA.digest)
    assert await sign_ins.load(START) == []
