"""Claims, classes and slices of devices, trust bundles, pods' certificates, migrations."""

import copy
from random import Random

import certificate_objects
import minimal_objects
import pytest

from cluster.api import errors, identity, printing, resources, rules

TABLE = resources.built_in()
REQUEST = rules.Request(1_700_000_000.0, Random(1), identity.User("u"))
CLAIM, CLASS = "resourceclaims.resource.k8s.io", "deviceclasses.resource.k8s.io"
SLICE, TAINTS = "resourceslices.resource.k8s.io", "devicetaintrules.resource.k8s.io"
BUNDLE = "clustertrustbundles.certificates.k8s.io"
POD = "podcertificaterequests.certificates.k8s.io"
MIGRATION = "storageversionmigrations.storagemigration.k8s.io"
MOMENT = "2023-01-01T00:00:00Z"


def made(resource, obj=None):
    row = TABLE.get(resource)
    return rules.for_create(row, minimal_objects.of(row) | (obj or {}), REQUEST).object


def causes(call):
    with pytest.raises(errors.Invalid) as error:
        call()
    return [(each["field"], each["message"]) for each in error.value.details["causes"]]


def status(resource, old, new):
    row = TABLE.get(resource)
    return rules.for_update(row, old, old | {"status": new}, REQUEST, "status").object


def selecting(expression):
    return {"spec": {"selectors": [{"cel": {"expression": expression}}]}}


def asking(*requests, **more):
    return {"spec": {"devices": {"requests": list(requests)} | more}}


def wanting(**fields):
    return {"name": "a", "exactly": {"deviceClassName": "gpu"} | fields}


def holding(**device):
    spec = minimal_objects.of(TABLE.get(SLICE))["spec"]
    return {"spec": spec | {"devices": [{"name": "d"} | device]}}


def placed(**place):
    spec = minimal_objects.of(TABLE.get(SLICE))["spec"]
    spec.pop("nodeName")
    return {"spec": spec | place}


def offering(**policy):
    capacity = {"memory": {"value": "10Gi", "requestPolicy": policy}}
    return holding(allowMultipleAllocations=True, capacity=capacity)


PLACES = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`"
REFUSED = [
    (CLASS, selecting("device.driver =="), "spec.selectors[0].cel.expression",
     "compilation failed: ERROR: <input>:1:17: Syntax error"),
    (CLASS, selecting("device.driver"), "spec.selectors[0].cel.expression",
     "must evaluate to bool or the unknown type, not string"),
    (CLASS, selecting("device.colour == 'red'"), "spec.selectors[0].cel.expression",
     "undefined field 'colour'"),
    (CLASS, selecting(" " * 10241), "spec.selectors[0].cel.expression", "Too long"),
    (CLASS, {"spec": {"config": [{"opaque": {"driver": "a.b"}}]}},
     "spec.config[0].opaque.parameters", "Required value"),
    (CLASS, {"spec": {"extendedResourceName": "cpu"}}, "spec.extendedResourceName",
     "must be a valid extended resource name"),
    (CLAIM, asking({"name": "a"}), "spec.devices.requests[0]",
     "exactly one of `exactly` or `firstAvailable` is required"),
    (CLAIM, asking(wanting(), wanting()), "spec.devices.requests[1]", 'Duplicate value: "a"'),
    (CLAIM, asking(wanting(deviceClassName="")), "spec.devices.requests[0].exactly.deviceClassName",
     "Required value"),
    (CLAIM, asking(wanting(allocationMode="All", count=1)),
     "spec.devices.requests[0].exactly.count",
     "must not be specified when allocationMode is 'All'"),
    (CLAIM, asking(wanting(allocationMode="Some")),
     "spec.devices.requests[0].exactly.allocationMode", 'Unsupported value: "Some"'),
    (CLAIM, asking(wanting(), constraints=[{"requests": ["b"], "matchAttribute": "a.b/c"}]),
     "spec.devices.constraints[0].requests[0]", "must be the name of a request in the claim"),
    (CLAIM, asking(wanting(), constraints=[{"matchAttribute": "c"}]),
     "spec.devices.constraints[0].matchAttribute", "a fully qualified name must be a domain"),
    (CLAIM, asking(*(wanting() for _ in range(33))), "spec.devices.requests",
     "Too many: 33: must have at most 32 items"),
    (SLICE, placed(), "spec", f"Required value: {PLACES} is required"),
    (SLICE, placed(nodeName="a", allNodes=True), "spec", f"{PLACES} is required, but multiple"),
    (SLICE, holding(attributes={"a": {}}), "spec.devices[0].attributes[a]",
     "exactly one value must be specified"),
    (SLICE, holding(attributes={"a": {"version": "1"}}), "spec.devices[0].attributes[a].version",
     "must be a string compatible with semver.org spec 2.0.0"),
    (SLICE, holding(attributes={"a/b/c": {"int": 1}}), "spec.devices[0].attributes",
     "must not contain more than one slash"),
    (SLICE, holding(nodeName="n"), "spec.devices[0]", "can only be set if"),
    (SLICE, holding(bindingConditions=["a"]), "spec.devices[0].bindingFailureConditions",
     "bindingFailureConditions are required to use bindingConditions"),
    (SLICE, holding(capacity={"m": {"value": "1", "requestPolicy": {}}}),
     "spec.devices[0].capacity[m].requestPolicy", "allowMultipleAllocations must be true"),
    (SLICE, offering(default="1Gi", validValues=["2Gi"]),
     "spec.devices[0].capacity[memory].requestPolicy.validValues",
     "default value is not valid according to the requestPolicy"),
    (SLICE, offering(default="1Gi", validRange={"min": "1Gi", "step": "0"}),
     "spec.devices[0].capacity[memory].requestPolicy.validRange.step", "must be greater than zero"),
    (SLICE, offering(default="1500Mi", validRange={"min": "1Gi", "step": "1Gi"}),
     "spec.devices[0].capacity[memory].requestPolicy.validRange.step",
     "value is not a multiple of a given step (1Gi) from (1Gi)"),
    (TAINTS, {"spec": {"taint": {"key": "a", "effect": "Odd"}}}, "spec.taint.effect",
     'Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "None"'),
    (BUNDLE, {"spec": {"trustBundle": ""}}, "spec.trustBundle",
     "at least one trust anchor must be provided"),
    (BUNDLE, {"spec": {"trustBundle": certificate_objects.authority(ca=False)}},
     "spec.trustBundle", "entry 0 does not have the CA bit set"),
    (BUNDLE, {"spec": {"trustBundle": certificate_objects.authority() * 2}}, "spec.trustBundle",
     "duplicate trust anchor (indices [0 1])"),
    (BUNDLE, {"spec": {"signerName": "a.b/c", "trustBundle": certificate_objects.authority()}},
     "metadata.name", "must be named with prefix a.b:c:"),
    (MIGRATION, {"spec": {"resource": {}}}, "spec.resource.resource", "resource is required"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "obj", "field", "message"), REFUSED)
def test_what_a_new_object_may_not_say(resource, obj, field, message):
    (found,) = causes(lambda: made(resource, obj))
    assert (found[0], message in found[1]) == (field, True), found


def test_a_request_of_a_pod_is_for_so_long_as_its_signer_may():
    spec = minimal_objects.of(TABLE.get(POD))["spec"]
    assert made(POD)["spec"]["maxExpirationSeconds"] == 86400
    week = {"spec": spec | {"maxExpirationSeconds": 7 * 86400}}
    made(POD, week)
    week["spec"]["signerName"] = "kubernetes.io/kube-apiserver-client-pod"
    (found,) = causes(lambda: made(POD, week))
    assert "must be in the range [3600, 86400]" in found[1]


def test_a_claim_is_for_one_device_unless_it_says_otherwise():
    (request,) = made(CLAIM)["spec"]["devices"]["requests"]
    assert request["exactly"] == {
        "deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1,
    }  # fmt: skip
    all_of_them = made(CLAIM, asking(wanting(allocationMode="All")))
    assert "count" not in all_of_them["spec"]["devices"]["requests"][0]["exactly"]


def test_an_allocation_is_made_once_and_then_stays():
    result = {"request": "a", "driver": "gpu.example.com", "pool": "p", "device": "d"}
    allocation = {"devices": {"results": [result]}}
    claim = status(CLAIM, made(CLAIM), {"allocation": allocation})
    other = copy.deepcopy(allocation)
    other["devices"]["results"][0]["device"] = "e"
    (found,) = causes(lambda: status(CLAIM, claim, {"allocation": other}))
    assert found[0] == "status.allocation"
    (found,) = causes(lambda: status(CLAIM, made(CLAIM), {"reservedFor": [
        {"resource": "pods", "name": "a", "uid": "1"}
    ]}))  # fmt: skip
    assert found == (
        "status.reservedFor", "Forbidden: may not be specified when `allocated` is not set"
    )  # fmt: skip
    cells = printing.of(TABLE.get(CLAIM)).cells(claim, 1.7e9)
    assert cells[1] == "allocated"


def test_a_slice_stays_with_its_driver_and_node():
    old = made(SLICE)
    new = copy.deepcopy(old)
    new["spec"] |= {"driver": "other.example.com", "nodeName": "m"}
    found = causes(lambda: rules.for_update(TABLE.get(SLICE), old, new, REQUEST))
    assert [field for field, _ in found] == ["spec.driver", "spec.nodeName"]


def test_a_migration_ends_once():
    def condition(kind, value="True"):
        return {"type": kind, "status": value, "reason": "R", "message": "",
                "lastTransitionTime": MOMENT}  # fmt: skip

    done = status(MIGRATION, made(MIGRATION), {"conditions": [condition("Succeeded")]})
    (found,) = causes(lambda: status(MIGRATION, done, {"conditions": [condition("Failed")]}))
    assert "Success condition cannot be set to false once it is true" in found[1]
    both = [condition("Running"), condition("Failed")]
    (found,) = causes(lambda: status(MIGRATION, made(MIGRATION), {"conditions": both}))
    assert "Running condition cannot be true when failed condition is true" in found[1]
    (found,) = causes(lambda: status(MIGRATION, done, {"conditions": [
        condition("Succeeded"), condition("Succeeded")
    ]}))  # fmt: skip
    assert found == ("status.conditions[1].type", 'Duplicate value: "Succeeded"')
