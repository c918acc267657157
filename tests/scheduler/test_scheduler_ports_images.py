"""NodePorts and ImageLocality."""

from typing import Any

import pytest
from scheduling import info, node, placed, scheduler, unfit

from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.imagelocality import ImageLocality
from cluster.scheduler.plugins.nodeports import NodePorts

Json = dict[str, Any]
TAKEN = "node(s) didn't have free ports for the requested pod ports"
MB = 1024 * 1024


def _ports(*ports: Json) -> list[Json]:
    return [{"name": "main", "image": "nginx", "ports": list(ports)}]


def _port(number: int, ip: str = "", protocol: str = "TCP") -> Json:
    found = {"containerPort": 80, "hostPort": number, "protocol": protocol}
    return found | ({"hostIP": ip} if ip else {})


@pytest.mark.parametrize(
    ("there", "wanted", "fits"),
    [
        pytest.param([_port(80)], [_port(80)], False, id="same port"),
        pytest.param([_port(80)], [_port(81)], True, id="other port"),
        pytest.param([_port(80)], [_port(80, protocol="UDP")], True, id="other protocol"),
        pytest.param([_port(80, "127.0.0.1")], [_port(80)], False, id="any address after one"),
        pytest.param([_port(80)], [_port(80, "127.0.0.1")], False, id="one address after any"),
        pytest.param([_port(80, "0.0.0.0")], [_port(80, "10.0.0.1")], False, id="any, spelled out"),
        pytest.param([_port(80, "10.0.0.1")], [_port(80, "10.0.0.2")], True, id="two addresses"),
        pytest.param([_port(80, "10.0.0.1")], [_port(80, "10.0.0.1")], False, id="one address"),
        pytest.param([_port(80)], [_port(81), _port(80)], False, id="one of two ports"),
        pytest.param([{"containerPort": 80}], [_port(80)], True, id="a container's port only"),
        pytest.param([_port(80)], [{"containerPort": 80}], True, id="no host port wanted"),
    ],
)
def test_host_ports(there: list[Json], wanted: list[Json], fits: bool) -> None:
    subject = scheduler(node("a"))
    subject.cache.set_pod(info("x", containers=_ports(*there), nodeName="a"))
    decision = subject.schedule(info("p", containers=_ports(*wanted)), 0)
    if fits:
        assert placed(decision) == "a"
    else:
        assert unfit(decision).message.startswith(f"0/1 nodes are available: 1 {TAKEN}.")
        assert unfit(decision).rejected_by == ("NodePorts",)


def test_a_port_is_free_again_when_its_last_user_has_gone() -> None:
    subject = scheduler(*(node(f"n{at}") for at in range(100)))
    names = []
    for at in range(100):
        one = info(f"p{at}", containers=_ports(_port(80)))
        names.append(placed(subject.schedule(one, 0)))
    assert sorted(names) == sorted(f"n{at}" for at in range(100))
    unfit(subject.schedule(info("more", containers=_ports(_port(80))), 0))
    subject.cache.remove_pod("default/p7")
    late = info("late", containers=_ports(_port(80)))
    assert placed(subject.schedule(late, 0)) == names[7]


def test_the_host_port_of_a_sidecar_counts_and_that_of_an_init_container_does_not() -> None:
    subject = scheduler(node("a"))
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [_port(80)]}
    passing = {"name": "i", "ports": [_port(81)]}
    subject.cache.set_pod(info("x", initContainers=[sidecar, passing], nodeName="a"))
    unfit(subject.schedule(info("p", containers=_ports(_port(80))), 0))
    placed(subject.schedule(info("q", containers=_ports(_port(81))), 0))


def test_a_pod_of_low_priority_is_preempted_for_its_port() -> None:
    subject = scheduler(node("a"), node("b"))
    for name, priority in (("a", 10), ("b", 5)):
        mine = {"containers": _ports(_port(80)), "nodeName": name, "priority": priority}
        subject.cache.set_pod(info(f"user-{name}", **mine))
        subject.cache.set_pod(info(f"other-{name}", nodeName=name, priority=0))
    urgent = info("p", containers=_ports(_port(80)), priority=100)
    result = unfit(subject.schedule(urgent, 0)).result
    assert result.nominated_node_name == "b"
    assert [victim.key for victim in result.victims] == ["default/user-b"]


def test_only_the_end_of_a_pod_with_the_port_wakes_who_waits_for_it() -> None:
    hint = NodePorts(Cache()).hints[Event.ASSIGNED_POD_DELETE]
    waiting = info("p", containers=_ports(_port(80)))
    for ports, helps in (([_port(80, "10.0.0.1")], True), ([_port(81)], False), ([], False)):
        gone = info("x", containers=_ports(*ports), nodeName="a").object
        assert hint(waiting, Occurrence(Event.ASSIGNED_POD_DELETE, gone, None)) is helps


def _with_images(name: str, **sizes: int) -> Json:
    found = node(name)
    found["status"]["images"] = [
        {"names": [f"{image}:latest", f"{image}@sha256:0"], "sizeBytes": size * MB}
        for image, size in sizes.items()
    ]
    return found


def _images(*names: str) -> list[Json]:
    return [{"name": f"c{at}", "image": name} for at, name in enumerate(names)]


@pytest.mark.parametrize(
    ("nodes", "images", "scores"),
    [
        pytest.param([{"big": 500}, {}], ["big"], [23, 0], id="half the nodes: half its size"),
        pytest.param([{"big": 500}, {"big": 500}], ["big"], [48, 48], id="everywhere"),
        pytest.param([{"big": 40}, {}], ["big"], [0, 0], id="too small to count"),
        pytest.param([{"big": 5000}, {}], ["big"], [100, 0], id="no more than all"),
        pytest.param(
            [{"big": 1000, "other": 500}, {"big": 1000}], ["big", "other"], [62, 49], id="two"
        ),
        pytest.param([{"big": 500}, {}], ["big:v2"], None, id="another tag"),
        pytest.param([{"big": 500}, {}], ["big@sha256:0"], [23, 0], id="by digest"),
    ],
)
def test_image_scores(
    nodes: list[dict[str, int]], images: list[str], scores: list[int] | None
) -> None:
    subject = scheduler(*(_with_images(f"n{at}", **sizes) for at, sizes in enumerate(nodes)))
    subject.schedule(info("p", containers=_images(*images)), 0)
    explained = subject._history.explain("default/p")
    assert explained is not None
    found = [one.scores.get(ImageLocality.name) for one in explained.nodes]
    assert found == (scores or [None, None])


def test_an_image_that_is_pulled_later_counts_for_pods_like_earlier_ones() -> None:
    subject = scheduler(node("a"), node("b"), node("c"))
    first = info("p0", containers=_images("big"))
    placed(subject.schedule(first, 0))
    subject.cache.remove_pod(first.key)
    subject.cache.set_node(_with_images("b", big=3000))
    for at in range(1, 4):
        one = info(f"p{at}", containers=_images("big"))
        assert placed(subject.schedule(one, 0)) == "b"
        subject.cache.remove_pod(one.key)
    subject.cache.remove_node("b")
    subject.cache.set_node(_with_images("c", big=3000))
    assert placed(subject.schedule(info("p4", containers=_images("big")), 0)) == "c"
