"""The terminal is spared gRPC's own remarks, and nothing else."""

import logging
import os
from collections.abc import Iterator

import pytest

from cluster.cli import grpcnoise

POLLER = "Exception in callback PollerCompletionQueue._handle_events(<loop>)()"


@pytest.fixture
def silenced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    logger = logging.getLogger("asyncio")
    before = list(logger.filters)
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    grpcnoise.silence()
    yield
    logger.filters[:] = before


@pytest.mark.usefixtures("silenced")
@pytest.mark.parametrize(
    ("message", "error", "told"),
    [
        (POLLER, BlockingIOError(11, "Resource temporarily unavailable"), False),
        (POLLER, RuntimeError("Event loop is closed"), False),
        (POLLER, ValueError("broken"), True),
        ("Exception in callback Mine()", BlockingIOError(11, "again"), True),
        ("Task was destroyed but it is pending!", None, True),
    ],
)
def test_only_pollers_that_wake_for_nothing_are_not_told(
    message: str, error: Exception | None, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("asyncio").error(message, exc_info=error)
    assert bool(caplog.records) is told


@pytest.mark.usefixtures("silenced")
def test_grpc_is_told_to_say_errors_only() -> None:
    assert os.environ["GRPC_VERBOSITY"] == "ERROR"
