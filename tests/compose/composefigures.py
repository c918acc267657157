"""Prometheus and Grafana of docker-compose.yml, where their images are."""

import json
import os
import re
import subprocess
from collections import Counter
from typing import Any, Final
from urllib.parse import quote

import pytest
from composecluster import ROOT, ComposeCluster, page

DEBIANS: Final = "debian-prometheus"
"""What scripts/docker builds where Prometheus' own image cannot be pulled."""


def _is_there(image: str) -> bool:
    """Nothing is pulled for a test."""
    command = ["docker", "image", "inspect", image]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def image_of(service: str) -> str:
    """The image of a service of the profile observability: the one that docker-compose.yml takes,
    or, where that is not there, Debian's.
    """
    name = f"KUBEMU_{service.upper()}_IMAGE"
    text = (ROOT / "docker-compose.yml").read_text()
    (default,) = re.findall(rf"\$\{{{name}:-(.+?)\}}", text)
    wanted = os.environ.get(name, str(default))
    return DEBIANS if service == "prometheus" and not _is_there(wanted) else wanted


def start(cluster: ComposeCluster, service: str) -> str:
    """Start a service of the profile; its URL. Skips where its image is not there."""
    image = image_of(service)
    if not _is_there(image):
        pytest.skip(f"there is no image {image} (scripts/docker brings it where it can be had)")
    cluster.compose("--profile", "observability", "up", "-d", "--no-deps", service)
    return f"http://127.0.0.1:{cluster.ports[f'KUBEMU_{service.upper()}_PORT']}"


class Prometheus:
    """Prometheus, as it is asked over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str) -> Any:
        """What it answers; None while it does not."""
        try:
            return json.loads(page(f"{self._url}/api/v1/{path}"))["data"]
        except OSError:
            return None

    def find(self, query: str) -> list[Any]:
        """The series that a query gives now."""
        found: list[Any] = self.ask(f"query?query={quote(query)}")["result"]
        return found

    def targets(self) -> Counter[str]:
        """How many targets of each job answer; those that do not are "JOB INSTANCE: why"."""
        found = self.ask("targets?state=active")
        return Counter(
            one["labels"]["job"]
            if one["health"] == "up"
            else f"{one['labels']['job']} {one['labels']['instance']}: {one['lastError']}"
            for one in (found or {"activeTargets": []})["activeTargets"]
        )
