"""One gateway, one office and one service for all tests of dialplans."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.dialplan.office import Office
from tests.integration.dialplan.service import Service
from tests.integration.dialplan.site import Site, now_utc, write_plan
from tests.integration.harness import GatewayProcess
from tests.integration.realtime_backend import RealtimeBackend


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def whole_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    plans, heard = tmp_path_factory.mktemp("plans"), tmp_path_factory.mktemp("heard")
    async with (
        Office(heard) as office,
        Service() as service,
        RealtimeBackend("close", answer=bytes([0xFF]) * 800) as backend,
    ):
        write_plan(plans, service.port, now_utc())
        dead = {"backend": "openai_realtime", "url": "ws://127.0.0.1:9/", "api_key": "${TEST_KEY}"}
        sections = {"trunks": {"pbx": {"address": f"127.0.0.1:{office.port}", "allow": ["op*"]}}}
        async with GatewayProcess(
            agents={"dead": dead, "short": backend.agent()},
            environment={"TEST_KEY": "sk-test"},
            sections=sections,
            dialplans=plans,
            max_calls=12,
        ) as gateway:
            yield Site(gateway, office, service, backend, plans)


@pytest_asyncio.fixture(loop_scope="package")
async def site(whole_site: Site) -> AsyncIterator[Site]:
    """The gateway, which has no call left when the test is over."""
    yield whole_site
    await whole_site.gateway.settled()
