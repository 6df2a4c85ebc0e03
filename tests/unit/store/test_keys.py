"""API keys and client secrets, on a real SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.ids import CallId
from gateway.store.calls import CallStore
from gateway.store.database import Database, StoreError
from gateway.store.keys import ROLES, ApiKey, KeyStore, Role
from tests.unit.store.records import START, record

NOW = START
CALL = CallId("call_1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
async def keys(path: Path) -> AsyncIterator[KeyStore]:
    database = await Database.open(path)
    yield KeyStore(database)
    await database.close()


async def secret(keys: KeyStore, *, created_by: str = "", lives_s: int = 60) -> tuple[str, str]:
    """Id and text of a secret for the agent `bot`."""
    made, text = await keys.create_secret("bot", "Rhyme.", created_by=created_by, now=NOW, lives_s=lives_s)
    return made.id, text


async def test_a_key_is_found_by_its_text_alone(keys: KeyStore) -> None:
    key, text = await keys.create_key("web shop", "operate", NOW)
    assert await keys.key_of(text) == key
    assert await keys.key_of(text + "x") is None
    assert await keys.key_of(key.id) is None
    assert await keys.key_of("\ud800") is None


async def test_neither_texts_are_in_the_file(keys: KeyStore, path: Path) -> None:
    _, key = await keys.create_key("web shop", "operate", NOW)
    _, text = await secret(keys)
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"web shop" in stored
    for hidden in (key, text):
        assert len(hidden) == 3 + 43
        assert hidden.encode() not in stored
        assert hidden[3:].encode() not in stored


async def test_a_revoked_key_opens_nothing(keys: KeyStore) -> None:
    assert not await keys.any_key()
    key, text = await keys.create_key("a", "admin", NOW)
    assert await keys.any_key()
    assert await keys.revoke_key(key.id, NOW)
    assert not await keys.revoke_key(key.id, NOW)
    assert await keys.key_of(text) is None
    assert not await keys.any_key()
    assert [one.revoked_at for one in await keys.list_keys()] == [NOW]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_those_before_it(role: Role) -> None:
    key = ApiKey("k", "n", role, NOW)
    assert [key.may(other) for other in ROLES] == [ROLES.index(other) <= ROLES.index(role) for other in ROLES]


async def test_a_secret_is_good_once(keys: KeyStore) -> None:
    name, text = await secret(keys)
    found = await keys.redeem(text, NOW)
    assert found is not None
    assert (found.id, found.target, found.instructions) == (name, "bot", "Rhyme.")
    assert await keys.redeem(text, NOW) is None


async def test_of_many_at_once_one_gets_it(keys: KeyStore) -> None:
    _, text = await secret(keys)
    results = await asyncio.gather(*(keys.redeem(text, NOW) for _ in range(10)))
    assert sum(result is not None for result in results) == 1


async def test_a_secret_expires(keys: KeyStore) -> None:
    _, text = await secret(keys, lives_s=60)
    assert await keys.redeem(text, NOW + timedelta(seconds=60)) is None
    assert await keys.redeem(text, NOW + timedelta(seconds=59)) is not None


async def test_a_secret_can_be_revoked_by_itself_and_with_its_key(keys: KeyStore) -> None:
    name, text = await secret(keys)
    assert await keys.revoke_secret(name, NOW)
    assert not await keys.revoke_secret(name, NOW)
    assert await keys.redeem(text, NOW) is None
    key, _ = await keys.create_key("a", "operate", NOW)
    _, text = await secret(keys, created_by=key.id)
    await keys.revoke_key(key.id, NOW)
    assert await keys.redeem(text, NOW) is None


async def test_a_secret_that_made_no_call_is_good_again(keys: KeyStore) -> None:
    name, text = await secret(keys)
    await keys.redeem(text, NOW)
    await keys.give_back(name)
    assert await keys.redeem(text, NOW) is not None


async def test_a_secret_knows_the_call_it_made(keys: KeyStore) -> None:
    name, text = await secret(keys)
    await keys.redeem(text, NOW)
    assert not await keys.made(text, CALL)
    await keys.bind(name, CALL)
    assert await keys.made(text, CALL)
    assert not await keys.made(text, CallId("call_2"))
    assert not await keys.made("ek_other", CALL)


async def test_long_expired_secrets_are_forgotten(keys: KeyStore, path: Path) -> None:
    await secret(keys)
    later = NOW + timedelta(days=2)
    await keys.create_secret("bot", "", created_by="", now=later, lives_s=60)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from client_secrets").fetchone() == (1,)


async def test_a_database_of_the_first_version_gets_the_tables_it_lacks(path: Path) -> None:
    async with await CallStore.open(path) as store:
        await store.save(record())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "drop table api_keys; drop table client_secrets; update schema set version = 1"
        )
    database = await Database.open(path, create=False)
    await KeyStore(database).create_key("a", "read", NOW)
    assert await CallStore(database).get(record().id) == record()
    await database.close()
    again = await Database.open(path, create=False)
    await again.close()


async def test_a_role_that_nobody_knows(keys: KeyStore, path: Path) -> None:
    _, text = await keys.create_key("a", "read", NOW)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update api_keys set role = 'king'")
    with pytest.raises(StoreError, match="unknown role 'king'"):
        await keys.key_of(text)
