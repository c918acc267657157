"""How many pods a soak lets be alive."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))

from soaking import churn


@pytest.mark.parametrize("rate", [0.1, 1.0, 5.0, 10.0, 50.0, 200.0])
def test_there_is_room_for_what_is_made_beside_what_stands(rate: float) -> None:
    grown = churn.REPLICAS * churn.DEPLOYMENTS + churn.growth(rate) * churn.DEPLOYMENTS / 2
    client = 1
    assert churn.most(rate) > client + grown + rate * churn.BARE_SECONDS / 2


def test_at_the_usual_rate_it_is_little_more_than_what_comes_in_ten_seconds() -> None:
    assert 500 < churn.most(50.0) < 515
