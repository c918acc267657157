"""What all tests share: how logs are left, flags, the long fuzzing's seed, hypothesis' settings."""

import pathlib
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

# How long a draw or an example takes says how busy the machine is (the first draw makes a table of
# all letters, a first example imports); a test that hangs meets pytest's deadline.
hypothesis.settings.register_profile(
    "kubemu", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("kubemu")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Commands that run in a test set up their process's logs, which the next one would find."""
    yield
    structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests as well")
    parser.addoption("--clients", action="store_true", help="try every version of each client")
    parser.addoption("--compose", action="store_true", help="run the tests of docker-compose.yml")
    parser.addoption("--manifests", type=pathlib.Path, help="a folder of manifests to apply")
    parser.addoption(
        "--manifests-within", type=float, default=90.0, help="seconds until their pods are Ready"
    )
    parser.addoption("--fuzz-seed", type=int, default=2, help="where the long fuzzing begins")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for flag, mark, reason in (
        ("--slow", "slow", "slow: runs with --slow"),
        ("--compose", "composed", "docker-compose.yml: runs with --compose"),
        ("--clients", "every_version", "a version between: runs with --clients"),
    ):
        if config.getoption(flag):
            continue
        for item in items:
            if mark in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
