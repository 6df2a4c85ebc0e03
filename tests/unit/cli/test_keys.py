"""`gateway keys`."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from gateway.store.database import DATABASE_NAME, Database
from gateway.store.keys import ApiKey, KeyStore
from tests.unit.cli.commands import Gateway


def _key_of(run_dir: Path, text: str) -> ApiKey | None:
    async def look_up() -> ApiKey | None:
        database = await Database.open(run_dir / DATABASE_NAME, create=False)
        try:
            return await KeyStore(database).key_of(text)
        finally:
            await database.close()

    return asyncio.run(look_up())


def test_a_key_that_is_created_works_until_it_is_revoked(gateway: Gateway, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    created = gateway("keys", "create", "web shop", "--role", "read", "--run-dir", run_dir)
    assert created.status == 0
    text = created.out.strip()
    key = _key_of(run_dir, text)
    assert key is not None
    assert (key.name, key.role) == ("web shop", "read")
    assert key.id in created.err
    assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
    revoked = gateway("keys", "revoke", key.id, "--run-dir", run_dir)
    assert revoked.status == 0
    assert _key_of(run_dir, text) is None
    again = gateway("keys", "revoke", key.id, "--run-dir", run_dir)
    assert (again.status, again.err) == (1, f"gateway: there is no key {key.id} in force\n")


def test_the_list_never_shows_a_key(gateway: Gateway, tmp_path: Path) -> None:
    made = json.loads(gateway("keys", "create", "one", "--run-dir", tmp_path, "--json").out)
    assert made["role"] == "operate"
    table = gateway("keys", "list", "--run-dir", tmp_path)
    assert made["id"] in table.out
    assert "in force" in table.out
    data = gateway("keys", "list", "--run-dir", tmp_path, "--json")
    assert [(one["id"], one["name"], one["revoked_at"]) for one in json.loads(data.out)] == [
        (made["id"], "one", None)
    ]
    assert made["key"] not in table.out + data.out


def test_no_keys_and_no_database(gateway: Gateway, tmp_path: Path) -> None:
    missing = gateway("keys", "list", "--run-dir", tmp_path / "no")
    assert missing.status == 1
    assert "does not exist" in missing.err
    made = json.loads(gateway("keys", "create", "one", "--run-dir", tmp_path, "--json").out)
    gateway("keys", "revoke", made["id"], "--run-dir", tmp_path)
    assert "revoked 20" in gateway("keys", "list", "--run-dir", tmp_path).out


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 64])
def test_names_that_cannot_be(gateway: Gateway, tmp_path: Path, name: str) -> None:
    assert gateway("keys", "create", name, "--run-dir", tmp_path).status == 2


def test_roles_that_do_not_exist(gateway: Gateway, tmp_path: Path) -> None:
    assert gateway("keys", "create", "a", "--role", "king", "--run-dir", tmp_path).status == 2
