"""examples/emulated_image: the package's own files, in the lab; and packages that are broken."""

import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api import conditions, objects
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster
from cluster.runtime.emulated import catalog

EXAMPLE = Path(__file__).parents[2] / "examples" / "emulated_image"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    catalog.forget()
    sys.modules.pop("visits", None)


def _installed(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """As pip would have installed packages with these entry points."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    points = [
        metadata.EntryPoint(name=f"n{number}", value=value, group=catalog.GROUP)
        for number, value in enumerate(values)
    ]
    own = metadata.EntryPoints(points)
    monkeypatch.setattr(metadata, "entry_points", own.select)
    catalog.forget()


def _declared() -> str:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    return str(project["entry-points"][catalog.GROUP]["visits"])


def test_the_package_offers_its_image_where_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _installed(monkeypatch, _declared())
    found = catalog.find("example/visits")
    assert found is not None
    assert importlib.util.find_spec("visits") is not None
    assert found.ports == (8080,)


def test_the_manifest_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, _declared())
    documents = list(yaml.safe_load_all((EXAMPLE / "pod.yaml").read_text()))

    async def scenario(cluster: Cluster) -> None:
        await cluster.apply(documents)

        def pod(name: str) -> dict[str, Any]:
            return cluster.get("pods", name, "default") or {}

        await cluster.until(
            lambda: all(conditions.is_true(pod(name), "Ready") for name in ("visits", "guest")),
            within=60,
        )
        address = objects.status(pod("visits"))["podIP"]
        said = await cluster.exec("guest", "wget", "-q", "-O-", f"http://{address}:8080/hello")
        assert said.out.startswith("Good morning, visitor ")
        assert said.out.endswith(" of visits\n")
        assert "GET /hello\n" in await cluster.logs("visits")

    Lab(seed=1, nodes=1).run(scenario)


def test_a_broken_package_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, "no_such_module:IMAGE", "visits:visits", "os:sep", _declared())
    assert catalog.find("example/visits") is not None
    assert catalog.find("library/busybox") is not None
