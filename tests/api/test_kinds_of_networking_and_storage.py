"""Networking, storage, node and events: what is refused, filled in, kept and printed."""

import copy
from random import Random

import minimal_objects
import pytest

from cluster.api import errors, identity, printing, resources, rules

TABLE = resources.built_in()
REQUEST = rules.Request(1_700_000_000.0, Random(1), identity.User("u"))
INGRESS, POLICY = "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io"
CLASS, RANGE = "ingressclasses.networking.k8s.io", "servicecidrs.networking.k8s.io"
ADDRESS, STORAGE = "ipaddresses.networking.k8s.io", "storageclasses.storage.k8s.io"
DRIVER, NODE = "csidrivers.storage.k8s.io", "csinodes.storage.k8s.io"
ATTACHED, CAPACITY = "volumeattachments.storage.k8s.io", "csistoragecapacities.storage.k8s.io"
GOLD, RUNTIME = "volumeattributesclasses.storage.k8s.io", "runtimeclasses.node.k8s.io"
EVENT = "events.events.k8s.io"
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


def made(resource, obj=None):
    row = TABLE.get(resource)
    return rules.for_create(row, minimal_objects.of(row) | (obj or {}), REQUEST).object


def causes(call):
    with pytest.raises(errors.Invalid) as error:
        call()
    return [(each["field"], each["message"]) for each in error.value.details["causes"]]


def path(**fields):
    one = {"path": "/", "pathType": "Prefix", "backend": BACKEND} | fields
    one = {key: value for key, value in one.items() if value is not None}
    return {"spec": {"rules": [{"http": {"paths": [one]}}]}}


def rule(**fields):
    return {"spec": {"rules": [fields]}}


def port(**fields):
    return {"spec": {"ingress": [{"ports": [fields]}]}}


def peer(*peers):
    return {"spec": {"ingress": [{"from": list(peers)}]}}


PATH = "spec.rules[0].http.paths[0]"
REFUSED = [
    (INGRESS, {"spec": {}}, "spec",
     "Invalid value: null: either `defaultBackend` or `rules` must be specified"),
    (INGRESS, path(pathType=None), f"{PATH}.pathType",
     "Required value: pathType must be specified"),
    (INGRESS, path(pathType="Some"), f"{PATH}.pathType",
     'Unsupported value: "Some": supported values: "Exact", "ImplementationSpecific", "Prefix"'),
    (INGRESS, path(path="a"), f"{PATH}.path", 'Invalid value: "a": must be an absolute path'),
    (INGRESS, path(path="/a//b"), f"{PATH}.path",
     "Invalid value: \"/a//b\": must not contain '//'"),
    (INGRESS, path(path="/a/.."), f"{PATH}.path",
     "Invalid value: \"/a/..\": cannot end with '/..'"),
    (INGRESS, path(backend={}), f"{PATH}.backend",
     'Invalid value: "": resource or service backend is required'),
    (INGRESS, path(backend={"service": {"name": "web"}}), f"{PATH}.backend",
     "Required value: port name or number is required"),
    (INGRESS, path(backend={"service": {"name": "web", "port": {"name": "a", "number": 1}}}),
     f"{PATH}.backend", 'Invalid value: "": cannot set both port name & port number'),
    (INGRESS, path(backend=BACKEND | {"resource": {"kind": "A", "name": "b"}}), f"{PATH}.backend",
     'Invalid value: "": cannot set both resource and service backends'),
    (INGRESS, rule(host="10.0.0.1"), "spec.rules[0].host",
     'Invalid value: "10.0.0.1": must be a DNS name, not an IP address'),
    (INGRESS, rule(host="a.*.com"), "spec.rules[0].host",
     "a wildcard DNS-1123 subdomain must start"),
    (INGRESS, rule(http={"paths": []}), "spec.rules[0].http.paths", "Required value"),
    (INGRESS, {"metadata": {"name": "a", "namespace": "b",
                            "annotations": {"kubernetes.io/ingress.class": "x"}},
               "spec": {"defaultBackend": BACKEND, "ingressClassName": "y"}},
     "annotations.kubernetes.io/ingress.class",
     'Invalid value: "x": must match `ingressClassName` when both are specified'),
    (CLASS, {"spec": {}}, "spec.controller", "Required value"),
    (CLASS, {"spec": {"controller": "x"}}, "spec.controller",
     'Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'),
    (CLASS, {"spec": {"controller": "a.b/c", "parameters": {"kind": "A", "name": "b",
                                                            "scope": "Namespace"}}},
     "spec.parameters.namespace", "Required value: `parameters.scope` is set to 'Namespace'"),
    (POLICY, port(port=80, endPort=79), "spec.ingress[0].ports[0].endPort",
     "Invalid value: 79: must be greater than or equal to `port`"),
    (POLICY, port(endPort=79), "spec.ingress[0].ports[0].endPort",
     "Invalid value: 79: may not be specified when `port` is not specified"),
    (POLICY, peer({}), "spec.ingress[0].from[0]", "Required value: must specify a peer"),
    (POLICY, peer({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
     "spec.ingress[0].from[0]", "Forbidden: may not specify both ipBlock and another peer"),
    (POLICY, peer({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}),
     "spec.ingress[0].from[0].ipBlock.except[0]",
     'Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`'),
    (POLICY, {"spec": {"policyTypes": ["Both"]}}, "spec.policyTypes[0]",
     'Unsupported value: "Both": supported values: "Egress", "Ingress"'),
    (RANGE, {"spec": {"cidrs": []}}, "spec.cidrs", "Required value: at least one CIDR required"),
    (RANGE, {"spec": {"cidrs": ["10.0.0.1/8"]}}, "spec.cidrs[0]",
     'Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'),
    (RANGE, {"spec": {"cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}}, "spec.cidrs",
     "may specify no more than one IP for each IP family"),
    (ADDRESS, {"metadata": {"name": "010.0.0.1"}}, "metadata.name", "must be a valid IP address"),
    (ADDRESS, {"metadata": {"name": "FD00::1"}}, "metadata.name",
     'must be in canonical form ("fd00::1")'),
    (ADDRESS, {"spec": {"parentRef": {"resource": "services"}}}, "spec.parentRef.name",
     "Required value"),
    (STORAGE, {"provisioner": ""}, "provisioner", "Required value"),
    (STORAGE, {"reclaimPolicy": "Recycle"}, "reclaimPolicy",
     'Unsupported value: "Recycle": supported values: "Delete", "Retain"'),
    (STORAGE, {"parameters": {"": "x"}}, "parameters", "field can not be empty."),
    (GOLD, {"parameters": {}}, "parameters", "must contain at least one key/value pair"),
    (DRIVER, {"spec": {"fsGroupPolicy": "x"}}, "spec.fsGroupPolicy", 'Unsupported value: "x"'),
    (DRIVER, {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "a"}]}},
     "spec.tokenRequests[1].audience", 'Duplicate value: "a"'),
    (NODE, {"spec": {"drivers": [{"name": "a.b", "nodeID": ""}]}}, "spec.drivers[0].nodeID",
     "Required value"),
    (ATTACHED, {"spec": {"attacher": "a.b", "nodeName": "n", "source": {}}}, "spec.source",
     "must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
    (CAPACITY, {"capacity": "-1"}, "capacity", "must be greater than or equal to 0"),
    (RUNTIME, {"handler": "A"}, "handler", "a lowercase RFC 1123 label"),
    (RUNTIME, {"scheduling": {"tolerations": [{"key": "a"}, {"key": "a"}]}},
     "scheduling.tolerations[1]", "Duplicate value"),
    (EVENT, {"type": "Odd"}, "type", 'Invalid value: "": has invalid value: Odd'),
    (EVENT, {"deprecatedCount": 2}, "count", 'Invalid value: "": needs to be unset'),
    (EVENT, {"series": {"count": 1, "lastObservedTime": "2023-01-01T00:00:00.000000Z"}},
     "series.count", "should be at least 2"),
    (EVENT, {"action": ""}, "action", "Required value"),
    (EVENT, {"note": "x" * 1025}, "message", "can have at most 1024 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "obj", "field", "message"), REFUSED)
def test_what_a_new_object_may_not_say(resource, obj, field, message):
    (found,) = causes(lambda: made(resource, obj))
    assert (found[0], message in found[1]) == (field, True), found


CHANGES = [
    (CLASS, ("spec", "controller"), "a.b/other", "spec.controller", "field is immutable"),
    (RANGE, ("spec", "cidrs"), ["10.98.0.0/24"], "spec.cidrs[0]", "field is immutable"),
    (ADDRESS, ("spec", "parentRef", "name"), "x", "spec.parentRef", "field is immutable"),
    (STORAGE, ("parameters",), {"a": "b"}, "parameters", "updates to parameters are forbidden."),
    (STORAGE, ("volumeBindingMode",), "WaitForFirstConsumer", "volumeBindingMode",
     "field is immutable"),
    (GOLD, ("driverName",), "x.y", "driverName", "updates to driverName are forbidden."),
    (DRIVER, ("spec", "attachRequired"), False, "spec.attachedRequired", "field is immutable"),
    (ATTACHED, ("spec", "nodeName"), "other", "spec", "field is immutable"),
    (CAPACITY, ("storageClassName",), "x", "storageClassName", "field is immutable"),
    (RUNTIME, ("handler",), "x", "handler", "field is immutable"),
    (EVENT, ("note",), "x", "message", "field is immutable"),
    (EVENT, ("regarding", "name"), "x", "involvedObject", "field is immutable"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "where", "value", "field", "message"), CHANGES)
def test_what_may_not_change(resource, where, value, field, message):
    old = made(resource)
    new = copy.deepcopy(old)
    inner = new
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    (found,) = causes(lambda: rules.for_update(TABLE.get(resource), old, new, REQUEST))
    assert (found[0], message in found[1]) == (field, True), found


def test_a_service_cidr_may_gain_the_other_family():
    old = made(RANGE)
    new = copy.deepcopy(old)
    new["spec"]["cidrs"].append("fd00::/112")
    rules.for_update(TABLE.get(RANGE), old, new, REQUEST)


def test_faults_of_an_ingress_that_were_there_may_stay():
    tls = {"spec": {"defaultBackend": BACKEND, "tls": [{"secretName": "A"}]}}
    old = made(INGRESS) | tls
    changed = copy.deepcopy(old)
    changed["metadata"]["labels"] = {"a": "b"}
    rules.for_update(TABLE.get(INGRESS), old, changed, REQUEST)
    (found,) = causes(lambda: made(INGRESS, tls))
    assert found[0] == "spec.tls[0].secretName"


def test_defaults():
    policy = made(POLICY, {"spec": {"egress": [{"ports": [{"port": 53}]}]}})
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["egress"][0]["ports"][0]["protocol"] == "TCP"
    assert policy["metadata"]["generation"] == 1
    storage = made(STORAGE)
    assert (storage["reclaimPolicy"], storage["volumeBindingMode"]) == ("Delete", "Immediate")
    driver = made(DRIVER)["spec"]
    assert driver["volumeLifecycleModes"] == ["Persistent"]
    assert driver["fsGroupPolicy"] == "ReadWriteOnceWithFSType"
    assert driver["seLinuxMount"] is False
    parameters = {"controller": "a.b/c", "parameters": {"kind": "A", "name": "b"}}
    assert made(CLASS, {"spec": parameters})["spec"]["parameters"]["scope"] == "Cluster"


def test_a_driver_of_an_old_cluster_says_nothing_of_selinux():
    row = TABLE.get(DRIVER)
    old = rules.Request(1.7e9, Random(1), identity.User("u"), version="1.26")
    spec = rules.for_create(row, minimal_objects.of(row), old).object["spec"]
    assert "seLinuxMount" not in spec


CELLS = [
    (INGRESS, {"spec": {"ingressClassName": "own", "tls": [{}],
                        "rules": [{"host": f"{letter}.b"} for letter in "abcde"]},
               "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "h"}]}}},
     ["own", "a.b,b.b,c.b + 2 more...", "1.2.3.4,h", "80, 443"]),
    (INGRESS, {}, ["<none>", "*", "", "80"]),
    (CLASS, {"spec": {"controller": "a/b", "parameters": {"apiGroup": "g", "kind": "K",
                                                          "name": "n"}}}, ["a/b", "K.g/n"]),
    (ADDRESS, {"spec": {"parentRef": {"resource": "services", "namespace": "a", "name": "b"}}},
     ["services/a/b"]),
    (ADDRESS, {"spec": {"parentRef": {"resource": "x", "group": "g", "name": "b"}}}, ["x.g/b"]),
    (STORAGE, {"provisioner": "p", "allowVolumeExpansion": True},
     ["p", "Delete", "Immediate", True]),
    (DRIVER, {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "b"}]}},
     [True, False, False, "a,b", False, "<none>"]),
    (CAPACITY, {"storageClassName": "fast"}, ["fast", "<unset>"]),
    (EVENT, {"regarding": {"kind": "Pod", "name": "p"}, "note": " hi ", "type": "Normal",
             "reportingController": "c"}, ["Normal", None, "pod/p", "", "c", "hi"]),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "obj", "wanted"), CELLS)
def test_a_row(resource, obj, wanted):
    cells = printing.of(TABLE.get(resource)).cells({"metadata": {"name": "x"}} | obj, 0.0)
    for index, cell in enumerate(wanted):
        assert cell is None or cells[index + 1] == cell, cells


def test_the_default_storage_class_is_marked():
    key = "storageclass.kubernetes.io/is-default-class"
    obj = {"metadata": {"name": "fast", "annotations": {key: "true"}}}
    assert printing.of(TABLE.get(STORAGE)).cells(obj, 0.0)[0] == "fast (default)"
