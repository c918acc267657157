"""Lab tests: components log errors only, else a failing test drowns in their words."""

import pytest
import scenarios
import structlog


@pytest.fixture(autouse=True)
def _quiet():
    scenarios.quiet()
    yield
    structlog.reset_defaults()
