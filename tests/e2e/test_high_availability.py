"""Several of everything on real etcd: what is killed or stopped is not missed for long."""

import asyncio
import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
import pytest
from realcluster import Cluster, until

from cluster.aio import tasks
from cluster.api import errors
from cluster.cli import connection
from cluster.client import client, informer

pytestmark = pytest.mark.slow

GRACE = 3.0
"""How much longer than on a quiet machine things may take here; two seconds are asked for."""
ELECTION = 10.0
"""How long etcd may take for an election where the machine is busy: votes come late."""


@pytest.fixture(scope="module")
def ha(clusters: Callable[..., Cluster]) -> Cluster:
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on the PATH (scripts/etcd)")
    return clusters("ha", "--ha", "--nodes", "2", "--no-registry", "--timeout", "120s")


@dataclass
class Load:
    """Writes and a watch over a moment: when they were done, and what went wrong."""

    done: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    heard: list[float] = field(default_factory=list)

    def longest(self, moments: list[float], after: float) -> float:
        """The longest time between two of these that ended after a moment."""
        ordered = sorted(moments)
        pairs = itertools.pairwise(ordered)
        return max(late - early for early, late in pairs if late > after)


async def _write(client: client.Client, load: Load, prefix: str, ended: asyncio.Event) -> None:
    number = 0
    while not ended.is_set():
        name = f"{prefix}-{number}"
        number += 1
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default"},
        }
        try:
            await client.create("configmaps", body)
        except errors.StatusError as error:
            load.failed.append(error.message)
        else:
            load.done.append(time.monotonic())
            load.made.append(name)
        await asyncio.sleep(0.02)


def under_load(
    cluster: Cluster, prefix: str, act: Callable[[], None], seconds: float, within: float
) -> Load:
    """Write and watch by way of all API servers, `act` in the middle of it, and go on."""
    load = Load()
    moment = 0.0

    def hear(change: informer.Change) -> None:
        name = change.object["metadata"]["name"]
        if change.new is not None and change.old is None and name.startswith(prefix):
            load.seen[name] = load.seen.get(name, 0) + 1
            load.heard.append(time.monotonic())

    async def scenario() -> None:
        nonlocal moment
        reached = connection.of_kubeconfig(cluster.folder.kubeconfig)
        assert len(reached.servers) == 2
        ended = asyncio.Event()
        async with reached.client("load") as client, tasks.Group("load") as group:
            follower = informer.Informer(client, "configmaps", namespace="default")
            follower.on_change(hear)
            following = group.spawn(follower.run(), "watch")
            await follower.synced()
            writers = [
                group.spawn(_write(client, load, f"{prefix}-{n}", ended), "writer")
                for n in range(3)
            ]
            await asyncio.sleep(2)
            moment = time.monotonic()
            act()
            await asyncio.sleep(seconds)
            ended.set()
            for writer in writers:
                await writer
            async with asyncio.timeout(20):
                while len(load.seen) < len(load.made):
                    await asyncio.sleep(0.05)
            following.cancel()

    asyncio.run(scenario())
    writes, watch = load.longest(load.done, moment), load.longest(load.heard, moment)
    print(f"{prefix}: no write for {writes:.2f} s, no event for {watch:.2f} s")  # noqa: T201
    assert load.failed == []
    assert set(load.seen) == set(load.made), "the watch missed something"
    assert set(load.seen.values()) == {1}, "the watch told something twice"
    assert max(writes, watch) < within + GRACE
    return load


def _leader(cluster: Cluster, component: str) -> str:
    """The process that holds the lease."""
    lease = cluster.get("lease", "-n", "kube-system", f"kube-{component}")
    holder = lease["spec"]["holderIdentity"]
    for number in (1, 2):
        log = cluster.folder.log(f"{component}-{number}").read_text()
        if holder in log:
            return f"{component}-{number}"
    raise AssertionError(f"nobody calls himself {holder}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_clients_go_on_when_an_api_server_is_lost(ha: Cluster, number: int) -> None:
    pid = ha.process("apiserver-1").pid
    try:
        under_load(ha, f"api{number}", lambda: os.kill(pid, number), 4.0, 2.0)
        ha.kubectl("create", "deployment", f"after-{number}", "--image=nginx", "--replicas=2")
        ha.running(2, f"app=after-{number}")
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)
    until("the API server is back", lambda: ha.is_in("apiserver-1", "RUNNING"))


@pytest.mark.parametrize("member", ["etcd-1", "etcd-2", "etcd-3"])
def test_no_write_fails_when_a_member_of_etcd_is_killed(ha: Cluster, member: str) -> None:
    pid = ha.process(member).pid
    under_load(ha, member, lambda: os.kill(pid, signal.SIGKILL), 4.0, ELECTION)
    until("the member is back", lambda: ha.is_in(member, "RUNNING"))


@pytest.mark.parametrize("member", ["etcd-1", "etcd-2", "etcd-3"])
def test_kubectl_goes_on_by_the_balancer_while_a_member_of_etcd_hangs(
    ha: Cluster, member: str
) -> None:
    log = ha.folder.log("balancer")
    before = log.read_text().count("lost")
    ha.kubemu("pause", member)
    try:
        end, number = time.monotonic() + 5, 0  # longer than a check of the balancer's takes
        while time.monotonic() < end:
            ha.kubectl("create", "configmap", f"hanging-{member}-{number}")
            number += 1
    finally:
        ha.kubemu("resume", member)
    assert log.read_text().count("lost") == before


@pytest.mark.parametrize("component", ["scheduler", "controller-manager"])
def test_a_leader_that_was_stopped_is_followed_and_writes_nothing_more(
    ha: Cluster, component: str
) -> None:
    stopped = _leader(ha, component)
    ha.kubemu("pause", stopped)
    try:
        name = f"without-{stopped}"
        ha.kubectl("create", "deployment", name, "--image=nginx", "--replicas=2")
        ha.running(2, f"app={name}")
        assert _leader(ha, component) != stopped
    finally:
        ha.kubemu("resume", stopped)
    log = ha.folder.log(stopped)
    until("it knows that it leads no longer", lambda: "lost leadership" in log.read_text())
    assert _leader(ha, component) != stopped


def test_pods_find_all_api_servers_and_the_dead_one_is_taken_out(ha: Cluster) -> None:
    def ports() -> set[int]:
        slices = ha.get("endpointslices", "-l", "kubernetes.io/service-name=kubernetes")
        return {port["port"] for each in slices["items"] for port in each["ports"]}

    both = until("both are there", lambda: found if len(found := ports()) == 2 else None)
    ha.kubemu("stop", "apiserver-2")
    until("one is left", lambda: len(ports()) == 1)
    ha.kubemu("start", "apiserver-2")
    assert until("both are back", lambda: found if len(found := ports()) == 2 else None) == both


def test_etcd_does_not_outlive_the_supervisor(ha: Cluster) -> None:
    members = [ha.process(f"etcd-{number}").pid for number in (1, 2, 3)]
    supervisor = psutil.Process(members[0]).parent().parent()
    supervisor.kill()
    until("the members are gone", lambda: not any(map(psutil.pid_exists, members)))
