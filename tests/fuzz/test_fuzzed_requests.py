"""Thousands of made-up requests: none is answered 5xx, holds others up or leaves wrong objects."""

from collections.abc import Iterator
from pathlib import Path

import fuzz_campaign
import pytest
from fuzz_server import Server

pytestmark = pytest.mark.e2e


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


def check(server: Server, seed: int, own: int, by_contract: int) -> None:
    outcome = fuzz_campaign.run(server, seed, own, by_contract)
    print(f"\nseed {seed}\n{outcome.table()}")  # noqa: T201 - what a run is made for
    assert outcome.faults == [], "\n\n".join(outcome.faults[:40])
    assert outcome.total > 0.9 * (own + by_contract)
    assert {status for _, status in outcome.counts} >= {200, 201, 400, 401, 403, 404, 405, 409, 415}


@pytest.mark.timeout(300)
def test_two_thousand_made_up_requests_do_no_harm(server: Server) -> None:
    check(server, seed=1, own=2000, by_contract=150)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_made_up_requests_do_no_harm(
    server: Server, request: pytest.FixtureRequest
) -> None:
    check(server, seed=request.config.getoption("--fuzz-seed"), own=8000, by_contract=2000)
