"""Every kubectl that is at hand works with custom resources such as operators have."""

import json
from pathlib import Path

import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: deliveries.ship.example.com}
spec:
  group: ship.example.com
  scope: Namespaced
  names:
    {plural: deliveries, singular: delivery, kind: Delivery, shortNames: [dv], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    selectableFields: [{jsonPath: .spec.strategy}]
    additionalPrinterColumns:
    - {name: Strategy, type: string, jsonPath: .spec.strategy}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Revision, type: integer, jsonPath: .status.revision, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        description: A Delivery brings what a repository holds to a cluster.
        type: object
        required: [spec]
        properties:
          spec:
            description: What to deliver, and where to.
            type: object
            required: [source]
            properties:
              source:
                description: The repository.
                type: object
                required: [repoURL]
                properties:
                  repoURL: {type: string, pattern: "^https://", description: Its address.}
                  targetRevision: {type: string, default: HEAD}
                  helm:
                    type: object
                    properties:
                      values: {type: object, x-kubernetes-preserve-unknown-fields: true}
                      parameters:
                        type: array
                        x-kubernetes-list-type: map
                        x-kubernetes-list-map-keys: [name]
                        items:
                          type: object
                          required: [name]
                          properties: {name: {type: string}, value: {type: string}}
              replicas: {type: integer, minimum: 0, default: 1}
              strategy: {type: string, enum: [Rolling, Recreate], default: Rolling}
              maxSurge: {x-kubernetes-int-or-string: true}
          status:
            type: object
            properties:
              replicas: {type: integer}
              revision: {type: integer}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties: {type: {type: string}, status: {type: string}}
"""
DELIVERY = """
apiVersion: ship.example.com/v1
kind: Delivery
metadata: {name: web}
spec:
  source:
    repoURL: https://git.example.com/web
    helm: {values: {any: {thing: 1}}, parameters: [{name: a, value: "1"}]}
"""
VERSIONS = kubectl_world.versions() or [""]
APPLY = ("apply", "-f", "-")


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_a_custom_resource_lives_as_any_other(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        crd = "customresourcedefinition.apiextensions.k8s.io/deliveries.ship.example.com"
        assert kubectl(*APPLY, stdin=DEFINITION) == f"{crd} created\n"
        waited = kubectl("wait", "--for=condition=Established", "crd/deliveries.ship.example.com")
        assert waited == f"{crd} condition met\n"
        assert kubectl("get", "crd").split()[:4] == [
            "NAME", "CREATED", "AT", "deliveries.ship.example.com",
        ]  # fmt: skip
        assert kubectl(*APPLY, stdin=DEFINITION) == f"{crd} unchanged\n"

        assert kubectl(*APPLY, stdin=DELIVERY) == "delivery.ship.example.com/web created\n"
        assert kubectl(*APPLY, stdin=DELIVERY) == "delivery.ship.example.com/web unchanged\n"
        changed = DELIVERY.replace('value: "1"', 'value: "2"')
        assert kubectl(*APPLY, stdin=changed) == "delivery.ship.example.com/web configured\n"
        found = world.get("deliveries.ship.example.com", "web")
        assert found["spec"]["source"]["targetRevision"] == "HEAD"
        assert found["spec"]["source"]["helm"]["parameters"] == [{"name": "a", "value": "2"}]
        assert found["metadata"]["generation"] == 2

        world.set_status(
            "deliveries.ship.example.com",
            "web",
            {"revision": 7, "conditions": [{"type": "Ready", "status": "True"}]},
        )
        head, row = kubectl("get", "dv").splitlines()
        assert head.split() == ["NAME", "STRATEGY", "READY", "AGE"]
        assert row.split()[:3] == ["web", "Rolling", "True"]
        assert "REVISION" in kubectl("get", "deliveries", "-o", "wide")
        assert "delivery.ship.example.com/web" in kubectl("get", "all")
        assert "web" in kubectl("get", "dv", "--field-selector", "spec.strategy=Rolling")
        kubectl("scale", "delivery/web", "--replicas=3")
        assert world.get("deliveries.ship.example.com", "web")["spec"]["replicas"] == 3
        kubectl("patch", "dv", "web", "--type=merge", "-p", '{"spec":{"strategy":"Recreate"}}')

        explained = kubectl("explain", "delivery.spec.source")
        assert "The repository." in explained
        assert "repoURL" in explained

        refused = kubectl.run(*APPLY, stdin=DELIVERY.replace("https:", "http:"))
        assert refused.code != 0
        assert "spec.source.repoURL in body should match '^https://'" in refused.err
        unknown = kubectl.run(*APPLY, stdin=DELIVERY + "  bogus: 1\n")
        assert 'unknown field "spec.bogus"' in unknown.err
        assert unknown.code != 0

        kubectl("delete", "crd", "deliveries.ship.example.com")
        assert kubectl.run("get", "dv").code != 0  # the words depend on what kubectl remembers
        groups = json.loads(kubectl("get", "--raw", "/apis"))["groups"]
        assert "ship.example.com" not in [group["name"] for group in groups]


def test_server_side_apply_knows_lists_that_are_maps(tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = world.kubectl
        kubectl(*APPLY, stdin=DEFINITION)
        kubectl("wait", "--for=condition=Established", "crd/deliveries.ship.example.com")
        kubectl(*APPLY, "--server-side", "--field-manager=one", stdin=DELIVERY)
        second = DELIVERY.replace('[{name: a, value: "1"}]', "[{name: b, value: x}]")
        kubectl(*APPLY, "--server-side", "--field-manager=two", stdin=second)
        found = world.get("deliveries.ship.example.com", "web")
        names = [each["name"] for each in found["spec"]["source"]["helm"]["parameters"]]
        assert sorted(names) == ["a", "b"]
        other = DELIVERY.replace('value: "1"', 'value: "9"')
        refused = kubectl.run(*APPLY, "--server-side", "--field-manager=three", stdin=other)
        assert 'conflict with "one": .spec.source.helm.parameters[name="a"].value' in refused.err
