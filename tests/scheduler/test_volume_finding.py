"""Volumes for claims on all nodes at once: compared with looking at one node after the other."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scheduling import node

from cluster.api import nodeselectors, objects
from cluster.api.persistentvolumes import facts
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.volumes import finding
from cluster.scheduler.volumes.podclaims import PodClaims
from cluster.scheduler.volumes.store import CAPACITIES, CLASSES, CSI_DRIVERS, VOLUMES, VolumeStore

Json = dict[str, Any]
HOST = "kubernetes.io/hostname"
NODES = ("a", "b", "c")


def nodes() -> NodeTable:
    table = NodeTable()
    for number, name in enumerate(NODES):
        table.set(node(name, labels={"zone": "z1" if number else "z2"}))
    return table


def volume(name: str, size: int, place: str, claim_ref: Json | None = None) -> Json:
    spec: Json = {
        "capacity": {"storage": f"{size}Gi"}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "wait",
    }  # fmt: skip
    terms = {
        "anywhere": None,
        "not-a": [{"matchExpressions": [{"key": HOST, "operator": "NotIn", "values": ["a"]}]}],
        "z1": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z1"]}]}],
        "nowhere": [{"matchExpressions": []}],
    }.get(place, [{"matchExpressions": [{"key": HOST, "operator": "In", "values": [place]}]}])
    if terms is not None:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    if claim_ref:
        spec["claimRef"] = claim_ref
    return {
        "metadata": {"name": name, "uid": name}, "spec": spec, "status": {"phase": "Available"},
    }  # fmt: skip


def claim(name: str, size: int, node: str = "", volume: str = "") -> Json:
    spec: Json = {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "wait",
        "resources": {"requests": {"storage": f"{size}Gi"}},
    }  # fmt: skip
    meta: Json = {"name": name, "namespace": "n", "uid": name, "annotations": {}}
    if node:
        meta["annotations"][facts.SELECTED_NODE] = node
    if volume:
        spec["volumeName"] = volume
        meta["annotations"][facts.BIND_COMPLETED] = "yes"
    return {"metadata": meta, "spec": spec}


def store(provisioner: str, topologies: list[str], *volumes: Json) -> VolumeStore:
    known = VolumeStore()
    kind: Json = {"metadata": {"name": "wait"}, "provisioner": provisioner,
                  "volumeBindingMode": facts.WAIT}  # fmt: skip
    if topologies:
        labels = [{"key": "zone", "values": topologies}]
        kind["allowedTopologies"] = [{"matchLabelExpressions": labels}]
    known.set(CLASSES, kind)
    for one in volumes:
        known.set(VOLUMES, one)
    return known


places = st.sampled_from((*NODES, "anywhere", "not-a", "z1", "nowhere"))
sized = st.integers(1, 4)


@given(
    st.lists(st.tuples(sized, places), max_size=6),
    st.lists(st.tuples(sized, st.sampled_from(("", "", "", *NODES))), max_size=3),
    st.lists(st.integers(0, 6), max_size=2),
    st.sampled_from(("disks", facts.NO_PROVISIONER)),
    st.sampled_from(([], ["z1"])),
)
def test_all_nodes_at_once_are_judged_as_each_by_itself(
    made: Any, wanted: Any, bound: list[int], provisioner: str, topologies: list[str]
) -> None:
    table = nodes()
    volumes = [volume(f"v{at}", *fields) for at, fields in enumerate(made)]
    known = store(provisioner, topologies, *volumes)
    claims = PodClaims(
        [claim(f"b{at}", 1, volume=f"v{number}") for at, number in enumerate(bound)],
        [claim(f"c{at}", *fields) for at, fields in enumerate(wanted)],
    )
    rows = table.rows()
    codes = finding.judge(claims, known, table, rows)
    for at, row in enumerate(rows.tolist()):
        alone = reference(claims, volumes, table.node(row), provisioner, topologies)
        assert codes[at] == alone, objects.name(table.node(row))
        chosen = finding.choose(PodClaims(delayed=claims.delayed), known, table, row)
        if alone & finding.BIND_CONFLICT:
            assert chosen is None
            continue
        assert chosen is not None
        names = [objects.name(one) for one, _ in chosen.bindings]
        assert len(names) == len({*names})
        served = [*(one for _, one in chosen.bindings), *chosen.provisions]
        assert sorted(map(objects.name, served)) == sorted(map(objects.name, claims.delayed))


def reference(
    claims: PodClaims, volumes: list[Json], on: Json, provisioner: str, topologies: list[str]
) -> int:
    """FindPodVolumes of Kubernetes, on one node."""
    code = 0
    by_name = {objects.name(one): one for one in volumes}
    for one in claims.bound:
        found = by_name.get(one["spec"]["volumeName"])
        if found is None:
            code |= finding.NO_VOLUME
        elif not usable(found, on):
            code |= finding.NODE_CONFLICT
    used: set[str] = set()
    for one in sorted(claims.delayed, key=facts.requested):
        selected = objects.annotations(one).get(facts.SELECTED_NODE)
        if selected not in (None, objects.name(on)):
            code |= finding.BIND_CONFLICT
            continue
        able = [
            (facts.capacity(each), objects.name(each))
            for each in volumes
            if selected is None and objects.name(each) not in used and usable(each, on)
            and facts.capacity(each) >= facts.requested(one)
        ]  # fmt: skip
        if able:
            used.add(min(able)[1])
            continue
        fits = not topologies or objects.labels(on)["zone"] in topologies
        if provisioner == facts.NO_PROVISIONER or not fits:
            code |= finding.BIND_CONFLICT
    return code


def usable(one: Json, on: Json) -> bool:
    required = (one["spec"].get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    return any(nodeselectors.term(each).matches(on) for each in required["nodeSelectorTerms"])


def capacity(name: str, size: str, zone: str | None, **more: str) -> Json:
    made: Json = {"metadata": {"name": name, "namespace": "n"}, "storageClassName": "wait",
                  "capacity": size} | more  # fmt: skip
    if zone is not None:
        made["nodeTopology"] = {"matchLabels": {"zone": zone}}
    return made


def test_a_driver_that_tells_what_it_has_left_is_believed() -> None:
    table, known = nodes(), store("disks", [])
    claims = PodClaims(delayed=[claim("c", 3)])
    known.set(CAPACITIES, capacity("some", "2Gi", "z1"))
    known.set(CAPACITIES, capacity("much", "9Gi", None))
    assert not finding.judge(claims, known, table, table.rows()).any()
    known.set(CSI_DRIVERS, {"metadata": {"name": "disks"}, "spec": {"storageCapacity": True}})
    assert (finding.judge(claims, known, table, table.rows()) == finding.NO_SPACE).all()
    known.set(CAPACITIES, capacity("some", "3Gi", "z1"))
    codes = finding.judge(claims, known, table, table.rows())
    told = dict(zip((table.name(row) for row in table.rows()), codes.tolist(), strict=True))
    assert told == {"a": finding.NO_SPACE, "b": 0, "c": 0}
    known.set(CAPACITIES, capacity("some", "3Gi", "z1", maximumVolumeSize="1Gi"))
    assert finding.judge(claims, known, table, table.rows()).all()


def test_an_assumption_holds_until_the_api_tells_of_something_newer() -> None:
    known = store("disks", [], free := volume("v", 1, "anywhere"))
    wanted = claim("c", 1)
    assumed = facts.volume_bound(free, wanted)
    assert assumed is not None
    known.assume_volume(assumed)
    assert [*known.volumes.free(claim("d", 1))] == []
    known.restore_volume("v")
    assert [*known.volumes.free(claim("d", 1))] == [free]
    known.assume_volume(assumed)
    newer = {**free, "metadata": {**free["metadata"], "resourceVersion": "7"}}
    known.set(VOLUMES, newer)
    assert [*known.volumes.free(claim("d", 1))] == [newer]


def test_a_reserved_volume_is_the_only_one_for_its_claim() -> None:
    table = nodes()
    reserved = volume("mine", 1, "b", {"namespace": "n", "name": "c"})
    known = store(facts.NO_PROVISIONER, [], reserved, volume("free", 1, "a"))
    codes = finding.judge(PodClaims(delayed=[claim("c", 1)]), known, table, table.rows())
    good = table.rows()[np.flatnonzero(codes == 0)]
    assert [table.name(row) for row in good] == ["b"]


def test_the_smallest_claim_chooses_first() -> None:
    known = store(facts.NO_PROVISIONER, [], volume("v2", 2, "a"), volume("v3", 3, "a"))
    claims = PodClaims(delayed=[claim("big", 2), claim("small", 1)])
    table = nodes()
    row = table.row("a")
    assert row is not None
    found = finding.choose(claims, known, table, row)
    assert found is not None
    chosen = {objects.name(one): objects.name(given) for given, one in found.bindings}
    assert chosen == {"small": "v2", "big": "v3"}
