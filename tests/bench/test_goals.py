"""The measured goals of the product; run by hand on a quiet machine with two cores or more.

python -m pytest tests/bench -s --timeout 600
"""

import subprocess
import sys

import pytest


def _bench(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", "bench", *arguments], check=False)
    assert done.returncode == 0


@pytest.mark.timeout(300)
def test_a_hundred_calls() -> None:
    goals = ("--max-cpu-per-call", "0.8", "--max-click-p50-ms", "60", "--max-setup-p95-ms", "20")
    _bench("calls", "--calls", "100", "--max-lost-percent", "0", *goals)


@pytest.mark.timeout(300)
def test_a_thousand_short_calls() -> None:
    _bench("churn", "--calls", "1000")


@pytest.mark.timeout(300)
def test_a_peer_on_a_bad_network_is_heard_whole_and_soon() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench.webrtc_uplink"], check=False)
    assert done.returncode == 0


def test_a_dialplan_of_ten_thousand_routes_decides_within_a_millisecond() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench.dialplan_matching"], check=False)
    assert done.returncode == 0


@pytest.mark.needs("chromium")
@pytest.mark.timeout(600)
def test_a_person_at_a_browser_hears_the_agent_soon_and_silences_it_soon() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench.page_figures"], check=False)
    assert done.returncode == 0
