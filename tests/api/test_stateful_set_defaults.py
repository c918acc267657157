"""Defaults of StatefulSets that depend on the version emulated."""

from typing import Any

import pytest

from cluster.api import defaults, resources


@pytest.mark.parametrize(
    ("version", "rolling"),
    [("1.34", {"partition": 0}), ("1.35", {"partition": 0, "maxUnavailable": 1})],
)
def test_one_pod_may_be_unavailable_where_that_can_be_said(
    version: str, rolling: dict[str, Any]
) -> None:
    obj: dict[str, Any] = {"spec": {"template": {"spec": {"containers": []}}}}
    defaults.apply(resources.built_in(version).get("statefulsets.apps"), obj, version)
    assert obj["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


def test_on_delete_has_no_numbers() -> None:
    obj: dict[str, Any] = {"spec": {"updateStrategy": {"type": "OnDelete"}}}
    obj["spec"]["template"] = {"spec": {"containers": []}}
    defaults.apply(resources.built_in().get("statefulsets.apps"), obj)
    assert obj["spec"]["updateStrategy"] == {"type": "OnDelete"}
