"""The table of what the pod network does, in clusters of processes: pods that are emulated, and
pods that are processes in network namespaces (as root, with crun or runc and busybox).
"""

import asyncio
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import networkscenarios as table
import networkverdicts as verdicts
import pytest
import rollingupdate as rolling
import yaml
from realcluster import KUBEMU, Cluster, until

from cluster.runtime.oci import facts

pytestmark = pytest.mark.usefixtures("kubectl")

EMULATED = (
    f'image: traefik/whoami, args: ["--port={table.PORT}"]',
    "image: busybox, command: [sleep, '100000']",
)
BUSYBOX = shutil.which("busybox")
LACKING = (
    facts.look().problem()
    or ("" if BUSYBOX else "there is no busybox-static")
    or ("" if os.getuid() == 0 else "it is tried as root")
)
DOCKERFILE = """FROM scratch
COPY bin/ /bin/
COPY www/ /www/
ENV PATH=/bin
"""
WHO = """#!/bin/sh
seen=${REMOTE_ADDR##*:}
echo; echo "Hostname: $(hostname)"; echo "RemoteAddr: ${seen%]}:$REMOTE_PORT"
"""


class Asked:
    """A cluster that is asked by kubectl, and from the machine."""

    clients: Sequence[str] = (*verdicts.askers(), "machine")

    def __init__(self, cluster: Cluster, folder: Path, asking: str = verdicts.WGET) -> None:
        self._cluster = cluster
        self._asking = asking
        self._file = folder / "given.yaml"
        pods = cluster.get("pods", "-A")["items"]
        self._pods = {pod["metadata"]["name"]: pod for pod in pods}
        self._nodes = {node["metadata"]["name"]: node for node in cluster.get("nodes")["items"]}
        self._services: dict[str, Any] = {}

    async def apply(self, given: str) -> None:
        self._file.write_text(listed(given))
        await self._kubectl("create", "-f", str(self._file))
        self._services = {}

    async def remove(self, given: str) -> None:
        self._file.write_text(listed(given))
        await self._kubectl("delete", "--wait=false", "-f", str(self._file))

    async def end(self, pod: str) -> None:
        await self._kubectl("delete", "--wait=false", "pod", pod)

    async def pod(self, pod: table.Pod) -> str:
        return str(self._pods[pod.name]["status"]["podIP"])

    async def node(self, name: str) -> tuple[str, str]:
        found = self._nodes[name]
        addresses = {one["type"]: one["address"] for one in found["status"]["addresses"]}
        return addresses["InternalIP"], found["spec"]["podCIDR"]

    async def service(self, name: str) -> Mapping[str, Any] | None:
        if name not in self._services:
            found = json.loads(await self._kubectl("get", "services", "-o", "json"))["items"]
            self._services = {one["metadata"]["name"]: one for one in found}
        found = self._services[name]
        if found["spec"]["type"] == "LoadBalancer" and not found["status"]["loadBalancer"]:
            del self._services[name]
        return dict(found)

    async def say(self, client: str, urls: Sequence[str]) -> str:
        if client == "machine":
            return "".join([f"{await _fetched(url)}\n==" for url in urls])
        namespace = next(pod.namespace for pod in table.PODS if pod.name == client)
        command = ("--", "sh", "-c", verdicts.script(urls, self._asking))
        return await self._kubectl("exec", "-n", namespace, client, "-c", "client", *command)

    async def pause(self) -> None:
        await asyncio.sleep(0.3)

    async def _kubectl(self, *arguments: str) -> str:
        return await asyncio.to_thread(self._cluster.kubectl, *arguments)


async def _fetched(url: str, late: float = 1.0) -> str:
    """What wget would say."""
    host, _, path = url.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(late):
            reader, writer = await asyncio.open_connection(address, int(port))
            writer.write(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
            return (await reader.read()).decode()
    except TimeoutError:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return str(error)
    finally:
        if writer is not None:
            writer.close()


def listed(manifests: str) -> str:
    """Manifests in YAML that looks like JSON to kubectl, as JSON."""
    items = [one for one in yaml.safe_load_all(manifests) if one]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def populate(cluster: Cluster, folder: Path, server: str, client: str) -> None:
    """Make the pods of the table."""
    path = folder / "pods.yaml"
    path.write_text(listed(table.manifests(server, client)))
    cluster.kubectl("create", "-f", str(path))

    def running() -> bool:
        pods = cluster.get("pods", "-A")["items"]
        found = [pod for pod in pods if pod["metadata"]["namespace"] in ("default", "other")]
        states = [one for pod in found for one in pod["status"].get("containerStatuses", [])]
        return len(states) == 2 * len(table.PODS) and all(one["ready"] for one in states)

    until("all pods run", running)


@pytest.fixture(scope="module")
def emulated(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters("table", "--nodes", "2", "--no-registry")


def test_the_table_holds_for_emulated_pods(emulated: Cluster, tmp_path: Path) -> None:
    populate(emulated, tmp_path, *EMULATED)
    wrong = asyncio.run(verdicts.differing(Asked(emulated, tmp_path)))
    assert not wrong, "\n".join(wrong)


def passed(cluster: Cluster) -> list[Any]:
    """The pods of the rolling Deployment, after those that wait were passed."""
    found = cluster.pods("app=rolling")
    for pod in found:
        if rolling.waiting(pod):
            cluster.kubectl(
                "patch", "pod", pod["metadata"]["name"], "--subresource=status",
                "-p", json.dumps(rolling.PASS),
            )  # fmt: skip
    return found


async def asked_on(address: str, path: str, stop: asyncio.Event) -> str:
    """What somebody on the machine is told at a node port until it stops."""
    said = []
    while not stop.is_set():
        text = await _fetched(f"http://{address}:{rolling.NODE_PORT}/{path}", 5)
        name = [line for line in text.splitlines() if line.startswith("Name: ")]
        said += name or [f"failed at {address}: {text}"]
        await asyncio.sleep(0.02)
    return "\n".join(said)


async def under_load(cluster: Cluster) -> Counter[str]:
    """Update the Deployment while pods and the machine ask it; who answered them."""
    stop = asyncio.Event()
    nodes = [one["status"]["addresses"] for one in cluster.get("nodes")["items"]]
    addresses = [
        one["address"] for each in nodes for one in each if one["type"] == "InternalIP"
    ]  # fmt: skip
    virtual = cluster.get("service", "rolling")["spec"]["clusterIP"]
    queries = ("", rolling.SLOW)
    load = ("exec", "load", "--", "sh", "-c")
    async with asyncio.TaskGroup() as group:
        loads = [
            group.create_task(asked_on(address, query, stop))
            for address in addresses
            for query in queries
        ]
        loads += [
            group.create_task(
                asyncio.to_thread(cluster.kubectl, *load, rolling.script(f"http://{place}/{query}"))
            )
            for place in (virtual, f"{addresses[1]}:{rolling.NODE_PORT}")
            for query in queries
        ]
        await asyncio.sleep(0.5)
        patch = ("patch", "deployment", "rolling", "-p", json.dumps(rolling.update("v2")))
        await asyncio.to_thread(cluster.kubectl, *patch)

        def rolled() -> bool:
            pods = passed(cluster)
            return len(pods) == 3 and rolling.rolled(cluster.get("deployment", "rolling"))

        try:
            await asyncio.to_thread(until, "the Deployment is updated", rolled)
        finally:
            stop.set()
            await asyncio.to_thread(cluster.kubectl, "exec", "load", "--", "touch", "/tmp/stop")
    return rolling.judged(load.result() for load in loads)


def test_no_request_fails_while_a_deployment_is_updated(emulated: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "rolling.yaml"
    file.write_text(f"{rolling.CLIENT}---\n{rolling.manifest()}")
    emulated.kubectl("apply", "-f", str(file))
    until("the Deployment is there", lambda: (
        len(passed(emulated)) == 3 and rolling.rolled(emulated.get("deployment", "rolling"))
    ))  # fmt: skip
    emulated.kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=30s")
    until("the node port answers", lambda: asyncio.run(_answers(emulated)))
    answered = asyncio.run(under_load(emulated))
    assert set(answered) == {"v1", "v2"}
    assert min(answered.values()) > 50


async def _answers(cluster: Cluster) -> bool:
    """Whether the node port of each node leads to a pod."""
    nodes = [one["status"]["addresses"] for one in cluster.get("nodes")["items"]]
    found = [
        await _fetched(f"http://{one['address']}:{rolling.NODE_PORT}/")
        for each in nodes
        for one in each
        if one["type"] == "InternalIP"
    ]
    return all("Name: v1" in said for said in found)


def pushed(cluster: Cluster, folder: Path) -> str:
    """An image that serves and asks, built here."""
    plan = json.loads(cluster.folder.plan.read_bytes())
    argv = next(one["argv"] for one in plan["processes"] if one["component"] == "registry")
    port = next(flag for flag in argv if flag.startswith("--port="))[7:]
    (folder / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX or "", folder / "bin" / "busybox")
    for name in ("sh", "sleep", "httpd", "hostname", "nc", "nslookup", "echo"):
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "www" / "cgi-bin").mkdir(parents=True)
    script = folder / "www" / "cgi-bin" / "who"
    script.write_text(WHO)
    script.chmod(0o755)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    name = f"localhost:{port}/busybox:1"
    cluster.run([*KUBEMU, "image", "build", "-q", "-t", name, str(folder)])
    cluster.run([*KUBEMU, "image", "push", "-q", name])
    return name


@pytest.mark.skipif(bool(LACKING), reason=LACKING or "-")
def test_the_table_holds_for_processes_in_namespaces(
    clusters: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = clusters("spaces", "--nodes", "2", "--driver", "oci")
    image = pushed(cluster, tmp_path / "image")
    server = f"image: {image}, command: [httpd, -f, -p, '{table.PORT}', -h, /www]"
    client = f"image: {image}, command: [sleep, '100000']"
    populate(cluster, tmp_path, server, client)
    asked = Asked(cluster, tmp_path, verdicts.NETCAT)
    wrong = asyncio.run(verdicts.differing(asked))
    assert not wrong, "\n".join(wrong)
