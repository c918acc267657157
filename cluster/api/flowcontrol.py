"""The FlowSchemas and PriorityLevelConfigurations that every cluster has.

kube-apiserver makes them at its start; the mandatory ones nobody may change. What they say is
k8s.io/apiserver pkg/apis/flowcontrol/bootstrap's.
"""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api import identity
from cluster.api.objects import Object

GROUP: Final = "flowcontrol.apiserver.k8s.io"
EXEMPT: Final = "exempt"
CATCH_ALL: Final = "catch-all"
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"

_EVERYBODY: Final = (identity.UNAUTHENTICATED, identity.AUTHENTICATED)
_NODES: Final = "system:nodes"
_MANAGER: Final = "system:kube-controller-manager"
_SCHEDULER: Final = "system:kube-scheduler"
_WRITE: Final = ("get", "create", "update")
_USER: Final = "ByUser"
_NAMESPACE: Final = "ByNamespace"


def levels() -> Iterator[Object]:
    """The priority levels."""
    exempt = {"nominalConcurrencyShares": 0, "lendablePercent": 0}
    yield _level(EXEMPT, {"type": "Exempt", "exempt": exempt})
    yield _level(CATCH_ALL, _limited(5, 0, None))
    yield _level("system", _limited(30, 33, (64, 6, 50)))
    yield _level("node-high", _limited(40, 25, (64, 6, 50)))
    yield _level("leader-election", _limited(10, 0, (16, 4, 50)))
    yield _level("workload-high", _limited(40, 50, (128, 6, 50)))
    yield _level("workload-low", _limited(100, 90, (128, 6, 50)))
    yield _level("global-default", _limited(20, 50, (128, 6, 50)))


def schemas() -> Iterator[Object]:
    """The flow schemas, by precedence."""
    yield _schema(EXEMPT, EXEMPT, 1, "", _all(_groups(identity.MASTERS)))
    probes = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
    yield _schema(
        "probes", EXEMPT, 2, "", {"subjects": _groups(*_EVERYBODY), "nonResourceRules": [probes]}
    )
    robots = _accounts("*")
    yield _schema(
        "system-leader-election", "leader-election", 100, _USER,
        _rule([*_users(_MANAGER, _SCHEDULER), *robots], _leases()),
    )  # fmt: skip
    endpoints = _accounts("endpoint-controller", "endpointslicemirroring-controller")
    yield _schema(
        "endpoint-controller", "workload-high", 150, _USER,
        _rule([*_users(_MANAGER), *endpoints], _resources(_WRITE, "", ["endpoints"], "*")),
    )  # fmt: skip
    yield _schema(
        "workload-leader-election", "leader-election", 200, _USER, _rule(robots, _leases())
    )
    yield _schema(
        "system-node-high", "node-high", 400, _USER,
        _rule(
            _groups(_NODES),
            _resources(["*"], "", ["nodes", "nodes/status"], "*", cluster=True),
            _resources(["*"], "coordination.k8s.io", ["leases"], "kube-node-lease"),
        ),
    )  # fmt: skip
    yield _schema("system-nodes", "system", 500, _USER, _all(_groups(_NODES)))
    for name in ("kube-controller-manager", "kube-scheduler"):
        subjects = _all(_users(f"system:{name}"))
        yield _schema(name, "workload-high", 800, _NAMESPACE, subjects)
    yield _schema("kube-system-service-accounts", "workload-high", 900, _NAMESPACE, _all(robots))
    yield _schema(
        "service-accounts", "workload-low", 9000, _USER, _all(_groups(identity.SERVICE_ACCOUNTS))
    )
    yield _schema("global-default", "global-default", 9900, _USER, _all(_groups(*_EVERYBODY)))
    yield _schema(CATCH_ALL, CATCH_ALL, 10000, _USER, _all(_groups(*_EVERYBODY)))


def _level(name: str, spec: Object) -> Object:
    return _object("PriorityLevelConfiguration", name, spec)


def _limited(shares: int, lends: int, queues: tuple[int, int, int] | None) -> Object:
    response: Object = {"type": "Reject"}
    if queues is not None:
        number, hand, length = queues
        queuing = {"queues": number, "handSize": hand, "queueLengthLimit": length}
        response = {"type": "Queue", "queuing": queuing}
    limited = {
        "nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lends,
    }  # fmt: skip
    return {"type": "Limited", "limited": limited}


def _schema(name: str, level: str, precedence: int, method: str, rule: Object) -> Object:
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
    }
    if method:
        spec["distinguisherMethod"] = {"type": method}
    spec["rules"] = [rule]
    return _object("FlowSchema", name, spec)


def _object(kind: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": spec,
    }


def _all(subjects: list[Object]) -> Object:
    every = ["*"]
    resource = {
        "verbs": every, "apiGroups": every, "resources": every, "clusterScope": True,
        "namespaces": every,
    }  # fmt: skip
    path = {"verbs": every, "nonResourceURLs": every}
    return {"subjects": subjects, "resourceRules": [resource], "nonResourceRules": [path]}


def _rule(subjects: list[Object], *rules: Object) -> Object:
    return {"subjects": subjects, "resourceRules": list(rules)}


def _leases() -> Object:
    return _resources(_WRITE, "coordination.k8s.io", ["leases"], "*")


def _resources(
    verbs: Any, group: str, resources: list[str], namespace: str, *, cluster: bool = False
) -> Object:
    found: Object = {"verbs": list(verbs), "apiGroups": [group], "resources": resources}
    if cluster:
        found["clusterScope"] = True
    return found | {"namespaces": [namespace]}


def _users(*names: str) -> list[Object]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _groups(*names: str) -> list[Object]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _accounts(*names: str) -> list[Object]:
    return [
        {"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}}
        for name in names
    ]
