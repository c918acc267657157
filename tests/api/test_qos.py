"""The class of service follows from what containers request."""

import pytest

from cluster.api import qos


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Burstable"),  # before defaults
        (
            [
                {
                    "requests": {"cpu": "1000m", "memory": "1Gi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                }
            ],
            "Guaranteed",
        ),
        (
            [{"requests": {"cpu": "500m"}, "limits": {"cpu": "1", "memory": "1Gi"}}],
            "Burstable",
        ),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
    ],
)
def test_the_class_of_service(resources, expected):
    containers = [{"name": f"c{number}", "resources": one} for number, one in enumerate(resources)]
    assert qos.of({"containers": containers}) == expected
