"""The pages of a kubelet: metrics in Kubernetes' names, the summary, logs, configuration."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from kubeletworld import NODE, World, container, phase, restarts, world
from prometheus_client.parser import text_string_to_metric_families

from cluster.aio import virtual
from cluster.kubelet.figures import Figures
from cluster.kubelet.measuredcri import operation
from cluster.kubelet.serving import exposition
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

Get = Callable[[str], Awaitable[pb.PageResponse]]
Story = Callable[[World, Get], Awaitable[None]]


def in_a_world(story: Story, **settings: Any) -> None:
    async def main() -> None:
        async with world() as here:
            runtime = here.runtime()
            kubelet, _ = here.start_kubelet(runtime.cri, **settings)

            async def get(path: str) -> pb.PageResponse:
                return await kubelet.service.page(pb.PageRequest(node=NODE, path=path))

            await story(here, get)

    virtual.run(main())


async def samples(get: Get, path: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """By name: what a page of metrics says. Another program's parser reads it."""
    answer = await get(path)
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.documentation
        for one in family.samples:
            found.setdefault(one.name, []).append((dict(one.labels), one.value))
    return found


async def document(get: Get, path: str) -> Any:
    answer = await get(path)
    assert (answer.status, answer.content_type) == (200, "application/json")
    return msgspec.json.decode(answer.body)


def only(rows: list[tuple[dict[str, str], float]], **labels: str) -> float:
    (found,) = [value for have, value in rows if labels.items() <= have.items()]
    return found


PROBED = {
    "name": "web", "image": "nginx:1", "ports": [{"containerPort": 80}],
    "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
    "livenessProbe": {"tcpSocket": {"port": 81}, "periodSeconds": 1, "failureThreshold": 100},
    "resources": {"limits": {"memory": "64Mi", "cpu": "250m"}},
}  # fmt: skip


def test_the_kubelet_tells_what_it_did() -> None:
    async def story(here: World, get: Get) -> None:
        await here.pod("web", containers=[PROBED])
        await here.pod("crash", annotations={"kubemu.dev/crash-after": "1s"})
        await here.pod("missing", image="registry.invalid/x:1")
        await here.wait("crash", restarts(1))
        await here.wait("web", phase("Running"))
        await virtual_sleep(5)
        found = await samples(get, "/metrics")
        assert found["kubelet_node_name"] == [({"node": NODE}, 1)]
        assert found["kubelet_running_pods"] == [({}, 3)]
        assert only(found["kubelet_desired_pods"], static="") == 3
        assert only(found["kubelet_active_pods"], static="") == 3
        assert only(found["kubelet_running_containers"], container_state="running") == 1
        assert found["kubelet_started_pods_total"] == [({}, 3)]
        assert only(found["kubelet_started_containers_total"], container_type="container") >= 4
        errors = found["kubelet_started_containers_errors_total"]
        assert only(errors, container_type="container", code="ErrImagePull") >= 1
        assert found["kubelet_pod_start_duration_seconds_count"] == [({}, 2)]
        operations = found["kubelet_runtime_operations_total"]
        assert only(operations, operation_type="run_podsandbox") == 3
        failed = found["kubelet_runtime_operations_errors_total"]
        assert only(failed, operation_type="pull_image") >= 1
        timed = found["kubelet_runtime_operations_duration_seconds_count"]
        assert only(timed, operation_type="run_podsandbox") == 3
        volumes = found["volume_manager_total_volumes"]
        assert (
            only(volumes, plugin_name="kubernetes.io/projected", state="actual_state_of_world") == 3
        )
        probed = (await samples(get, "/metrics/probes"))["prober_probe_total"]
        assert only(probed, probe_type="Readiness", result="successful", pod="web") >= 3
        assert only(probed, probe_type="Liveness", result="failed", container="web") >= 3
        await here.client.delete("pods", "web", "default", grace=0)
        await here.gone("web")
        rest = (await samples(get, "/metrics/probes")).get("prober_probe_total", [])
        assert not [labels for labels, _ in rest if labels["pod"] == "web"]

    in_a_world(story)


async def virtual_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


def test_a_pod_that_is_not_taken_is_counted() -> None:
    async def story(here: World, get: Get) -> None:
        await here.pod("one")
        await here.pod("two")
        await here.wait("two", phase("Failed"))
        rows = (await samples(get, "/metrics"))["kubelet_admission_rejections_total"]
        assert rows == [({"reason": "OutOfpods"}, 1)]

    in_a_world(story, max_pods=1)


def test_resources_and_cadvisor_tell_the_same_of_a_container() -> None:
    async def story(here: World, get: Get) -> None:
        await here.pod("web", containers=[PROBED], annotations={"kubemu.dev/memory": "32Mi"})
        await here.wait("web", phase("Running"))
        for page in ("/metrics/resource", "/metrics/cadvisor"):
            found = await samples(get, page)
            rows = found["container_memory_working_set_bytes"]
            assert only(rows, namespace="default", pod="web", container="web") == 32 << 20
        assert only(found["container_spec_memory_limit_bytes"], pod="web") == 64 << 20
        assert only(found["container_spec_cpu_quota"], pod="web") == 25_000
        assert found["machine_cpu_cores"] == [({}, 4)]
        assert only(found["container_cpu_usage_seconds_total"], cpu="total", pod="web") >= 0
        resource = await samples(get, "/metrics/resource")
        assert only(resource["pod_memory_working_set_bytes"], pod="web") == 32 << 20
        assert resource["resource_scrape_error"] == [({}, 0)]

    in_a_world(story)


def test_the_summary_is_whole() -> None:
    async def story(here: World, get: Get) -> None:
        writer = {
            "name": "web", "image": "busybox", "command": ["sh", "-c", "seq 1 999 >/d/f; sleep 9"],
            "volumeMounts": [{"name": "d", "mountPath": "/d"}],
        }  # fmt: skip
        noted = {"kubemu.dev/ephemeral-storage": "5Mi"}
        volumes = [{"name": "d", "emptyDir": {}}]
        await here.pod("web", containers=[writer], volumes=volumes, annotations=noted)
        await here.wait("web", phase("Running"))
        await virtual_sleep(1)
        found = await document(get, "/stats/summary")
        node, (pod,) = found["node"], found["pods"]
        assert set(node) == {
            "nodeName", "startTime", "cpu", "memory", "network", "fs", "runtime", "rlimit", "swap",
        }  # fmt: skip
        assert node["fs"]["capacityBytes"] == 100 << 30
        assert 0 < node["runtime"]["imageFs"]["usedBytes"] < node["fs"]["usedBytes"]
        assert node["rlimit"]["curproc"] == 2
        assert pod["podRef"] == {"name": "web", "namespace": "default", "uid": pod["podRef"]["uid"]}
        held = {one["name"]: one["usedBytes"] for one in pod["volume"]}
        assert held["d"] > 3000
        assert len(held) == 2
        (one,) = pod["containers"]
        assert one["rootfs"]["usedBytes"] == 5 << 20
        assert pod["ephemeral-storage"]["usedBytes"] >= (5 << 20) + held["d"]
        assert pod["process_stats"] == {"process_count": 2}
        short = await document(get, "/stats/summary?only_cpu_and_memory=true")
        assert set(short["node"]) == {"nodeName", "startTime", "cpu", "memory"}
        assert set(short["pods"][0]["containers"][0]) == {"name", "startTime", "cpu", "memory"}

    in_a_world(story)


def test_what_runs_is_listed_and_logs_are_pages() -> None:
    async def story(here: World, get: Get) -> None:
        await here.pod("web", command=["sh", "-c", "echo one; echo two; sleep 1000"])
        pod = await here.wait("web", phase("Running"))
        await virtual_sleep(1)
        (item,) = (await document(get, "/runningpods/"))["items"]
        assert item["metadata"]["uid"] == pod["metadata"]["uid"]
        assert item["spec"]["containers"][0]["image"] == container(pod)["image"]
        path = "/containerLogs/default/web/web"
        assert (await get(path)).body == b"one\ntwo\n"
        assert (await get(f"{path}?tailLines=1")).body == b"two\n"
        assert (await get(f"{path}?limitBytes=2")).body == b"on"
        assert (await get(f"{path}?tailLines=-1")).status == 400
        assert (await get(f"{path}?previous=true")).status == 400
        assert (await get("/containerLogs/default/none/web")).status == 404
        assert (await get("/containerLogs/default")).status == 404
        assert (await get("/pods?" + "a=1&" * 1000)).status == 200
        shown = (await document(get, "/configz"))["kubeletconfig"]
        assert shown["evictionHard"]["memory.available"] == "100Mi"
        assert shown["nodeStatusReportFrequency"] == "5m0s"

    in_a_world(story)


def test_values_of_labels_are_escaped() -> None:
    page = exposition.Page()
    odd = 'a"b\\c\nd'
    page.family("odd", "Odd.", [({"value": odd}, 1.5)])
    (family,) = text_string_to_metric_families(page.data().decode())
    assert family.samples[0].labels == {"value": odd}
    assert family.samples[0].value == 1.5


def test_a_histogram_counts_what_is_at_most_so_much() -> None:
    figures, page = Figures(), exposition.Page()
    for seconds in (0.5, 0.6, 5000.0):
        figures.observe("kubelet_pod_start_duration_seconds", seconds)
    page.figures(figures)
    text = page.data().decode()
    assert 'kubelet_pod_start_duration_seconds_bucket{le="0.5"} 1\n' in text
    assert 'kubelet_pod_start_duration_seconds_bucket{le="1"} 2\n' in text
    assert 'kubelet_pod_start_duration_seconds_bucket{le="+Inf"} 3\n' in text
    assert "kubelet_pod_start_duration_seconds_count 3\n" in text
    assert "kubelet_started_pods_total 0\n" in text


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("run_pod_sandbox", "run_podsandbox"),
        ("pod_sandbox_status", "podsandbox_status"),
        ("create_container", "create_container"),
        ("update_container_resources", "update_container"),
    ],
)
def test_operations_have_their_names(method: str, name: str) -> None:
    assert operation(method) == name
