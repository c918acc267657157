"""The terminal is spared gRPC's own remarks, and nothing else."""

import logging
import os
from collections.abc import Iterator

import pytest

from cluster.cli import grpcnoise

SERVER = "grpc._cython.cygrpc"
POLLER = "Exception in callback PollerCompletionQueue._handle_events(<loop>)()"


@pytest.fixture
def silenced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("asyncio", SERVER)]
    before = [list(logger.filters) for logger in loggers]
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    grpcnoise.silence()
    yield
    for logger, filters in zip(loggers, before, strict=True):
        logger.filters[:] = filters


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


@pytest.mark.usefixtures("silenced")
def test_a_client_that_hangs_up_is_told_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger(SERVER).error(
        "ExecuteBatchError raised in core by servicer method [%s]", "/store/Save",
        exc_info=RuntimeError('Failed "execute_batch"'),
    )  # fmt: skip
    (record,) = caplog.records
    assert record.getMessage() == "a client of /store/Save hung up before all was sent"
    assert (record.levelname, record.exc_info) == ("INFO", None)


@pytest.mark.usefixtures("silenced")
def test_other_faults_of_servers_keep_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger(SERVER).error("Unexpected [x] raised", exc_info=ValueError("broken"))
    (record,) = caplog.records
    assert (record.levelname, bool(record.exc_info)) == ("ERROR", True)
