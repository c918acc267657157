"""What a cluster at rest has to look like: each thing that is not so is said."""

import copy

import pytest

from cluster.chaos.checking import convergence


def meta(name, uid="", owner=None, generation=1, **labels):
    found = {"name": name, "namespace": "n", "uid": uid or name, "generation": generation}
    if owner:
        kind, of = owner
        found["ownerReferences"] = [{"kind": kind, "name": of, "uid": of, "controller": True}]
    return found | {"labels": labels}


def ready(yes=True):
    return [{"type": "Ready", "status": "True" if yes else "False"}]


def pod(name, owner, **labels):
    return {
        "metadata": meta(name, owner=owner, **labels),
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "conditions": ready()},
    }


def counts(*names, count=2):
    return dict.fromkeys(names, count) | {"observedGeneration": 1}


WORLD = {
    "nodes": [{"metadata": {"name": "node-1", "uid": "1"}, "status": {"conditions": ready()}}],
    "deployments.apps": [
        {
            "metadata": meta("web"),
            "spec": {"replicas": 2},
            "status": counts("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"),
        }
    ],
    "replicasets.apps": [
        {"metadata": meta("web-1", owner=("Deployment", "web")), "spec": {"replicas": 2}}
    ],
    "statefulsets.apps": [
        {
            "metadata": meta("set"),
            "spec": {"replicas": 1},
            "status": counts("replicas", "currentReplicas", "readyReplicas", count=1),
        }
    ],
    "daemonsets.apps": [],
    "jobs.batch": [
        {
            "metadata": meta("job"),
            "spec": {"completions": 1},
            "status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
        }
    ],
    "pods": [
        pod("web-a", ("ReplicaSet", "web-1"), app="web"),
        pod("web-b", ("ReplicaSet", "web-1"), app="web"),
        pod("set-0", ("StatefulSet", "set"), app="set"),
    ],
    "services": [{"metadata": meta("web"), "spec": {"selector": {"app": "web"}}}],
    "endpointslices.discovery.k8s.io": [
        {
            "metadata": meta("web-x", **{"kubernetes.io/service-name": "web"}),
            "endpoints": [{"targetRef": {"uid": "web-a"}}, {"targetRef": {"uid": "web-b"}}],
        }
    ],
}


def test_a_cluster_at_rest_has_nothing_to_complain_of():
    assert convergence.complaints(WORLD) == []
    assert set(WORLD) == set(convergence.KINDS)


def drop(kind, at):
    return lambda world: world[kind].pop(at)


def put(kind, at, *path, value):
    def change(world):
        place = world[kind][at]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("nodes", 0, "status", "conditions", value=ready(yes=False)), "node-1 is not Ready"),
        (put("deployments.apps", 0, "status", "readyReplicas", value=1), "readyReplicas is 1 of 2"),
        (put("deployments.apps", 0, "metadata", "generation", value=2), "has not been observed"),
        (put("replicasets.apps", 0, "spec", "replicas", value=3), "asks for 3 pods and has 2"),
        (put("statefulsets.apps", 0, "status", "currentReplicas", value=0), "is 0 of 1"),
        (put("pods", 2, "metadata", "name", value="set-1"), "StatefulSet n/set asks for 1 pods"),
        (put("jobs.batch", 0, "status", "conditions", value=[]), "Job n/job is not complete"),
        (put("jobs.batch", 0, "status", "succeeded", value=2), "with 2 pods that succeeded"),
        (put("jobs.batch", 0, "status", "active", value=1), "counts 1 active pods"),
        (put("pods", 0, "metadata", "deletionTimestamp", value="now"), "still being deleted"),
        (put("pods", 0, "status", "phase", value="Pending"), "on node-1 is Pending"),
        (put("pods", 0, "spec", "nodeName", value="node-9"), "node-9, which does not exist"),
        (drop("replicasets.apps", 0), "is an orphan of ReplicaSet web-1"),
        (drop("endpointslices.discovery.k8s.io", 0), "has endpoints for 0 pods, 2 are Ready"),
        (put("pods", 1, "status", "conditions", value=ready(yes=False)), "1 are Ready, 1 are in"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(change, said):
    world = copy.deepcopy(WORLD)
    change(world)
    assert [one for one in convergence.complaints(world) if said in one]


def test_finished_pods_are_no_ones_worry():
    world = copy.deepcopy(WORLD)
    done = pod("job-x", ("Job", "job"))
    done["status"] = {"phase": "Succeeded"}
    world["pods"].append(done)
    assert convergence.complaints(world) == []
