"""Lab tests: components log errors only, else a failing test drowns in their words."""

import gc

import pytest
import scenarios
import structlog


@pytest.fixture(scope="module")
def seldom_collected():
    """For tests of many small labs: each would collect garbage, in a third of its time."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _quiet():
    scenarios.quiet()
    yield
    structlog.reset_defaults()
