"""Pod requests, as Kubernetes' resource helpers compute them."""

from typing import Any

import pytest

from cluster.scheduler import requests

MIB = 1024 * 1024


def _container(**asked: str) -> dict[str, Any]:
    return {
        "resources": {"requests": {name.replace("_", "-"): text for name, text in asked.items()}}
    }


def _sidecar(**asked: str) -> dict[str, Any]:
    return _container(**asked) | {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "amounts"),
    [
        pytest.param({"containers": [{}]}, {}, id="nothing asked"),
        pytest.param(
            {"containers": [_container(cpu="100m"), _container(cpu="1", memory="1Mi")]},
            {"cpu": 1100, "memory": MIB},
            id="containers add up",
        ),
        pytest.param(
            {"containers": [_container(cpu="1")], "initContainers": [_container(cpu="3")]},
            {"cpu": 3000},
            id="a larger init container counts",
        ),
        pytest.param(
            {
                "containers": [_container(cpu="2")],
                "initContainers": [_container(cpu="1"), _container(cpu="1500m", memory="1Mi")],
            },
            {"cpu": 2000, "memory": MIB},
            id="init containers run one after another",
        ),
        pytest.param(
            {"containers": [_container(cpu="1")], "initContainers": [_sidecar(cpu="500m")]},
            {"cpu": 1500},
            id="a sidecar adds to the containers",
        ),
        pytest.param(
            {
                "containers": [_container(cpu="1")],
                "initContainers": [_sidecar(cpu="500m"), _container(cpu="2")],
            },
            {"cpu": 2500},
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param(
            {
                "containers": [_container(cpu="1")],
                "initContainers": [_container(cpu="2"), _sidecar(cpu="500m")],
            },
            {"cpu": 2000},
            id="but not beside those after it",
        ),
        pytest.param(
            {"containers": [_container(cpu="1")], "overhead": {"cpu": "250m", "memory": "1Mi"}},
            {"cpu": 1250, "memory": MIB},
            id="overhead",
        ),
        pytest.param(
            {
                "containers": [_container(cpu="1", memory="1Mi")],
                "resources": {"requests": {"cpu": "3"}},
            },
            {"cpu": 3000, "memory": MIB},
            id="pod-level requests",
        ),
        pytest.param(
            {"containers": [_container(cpu="0", **{"example.com/gpu": "2"})]},
            {"example.com/gpu": 2},
            id="extended resources; zero is nothing",
        ),
    ],
)
def test_requests_of(spec: dict[str, Any], amounts: dict[str, int]) -> None:
    assert dict(requests.of({"spec": spec}).amounts) == amounts


def test_scoring_assumes_defaults_for_each_container_that_asks_for_none() -> None:
    spec = {"containers": [_container(cpu="1"), _container(memory="1Mi"), {}]}
    assert requests.of({"spec": spec}).scoring == (1200, 401 * MIB)


def test_an_explicit_zero_is_no_missing_request() -> None:
    spec = {"containers": [_container(cpu="0", memory="0")]}
    assert requests.of({"spec": spec}).scoring == (0, 0)


def test_a_fraction_of_a_byte_rounds_up() -> None:
    assert dict(requests.of({"spec": {"containers": [_container(memory="100m")]}}).amounts) == {
        "memory": 1
    }
