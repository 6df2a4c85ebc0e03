"""A gateway that starts deletes the records of calls that are too old."""

from datetime import UTC, datetime, timedelta

from gateway.store.calls import CallStore
from gateway.store.database import DATABASE_NAME
from tests.integration.harness import GatewayProcess
from tests.unit.store.records import record


async def test_old_calls_are_deleted_at_the_start() -> None:
    now = datetime.now(UTC)
    old, new = (record(number, started_at=now - timedelta(days=days)) for number, days in ((1, 8), (2, 6)))
    gateway = GatewayProcess(sections={"node": {"keep_calls_days": 7}})
    gateway.run_dir.mkdir(mode=0o700)
    async with await CallStore.open(gateway.run_dir / DATABASE_NAME) as store:
        await store.save(old)
        await store.save(new)
    async with gateway:
        line = await gateway.logged("old calls deleted")
        assert (line["calls"], line["older_than_days"]) == (1, 7)
        async with await CallStore.open(gateway.run_dir / DATABASE_NAME, create=False) as store:
            assert [call.id for call in await store.list_calls()] == [new.id]
