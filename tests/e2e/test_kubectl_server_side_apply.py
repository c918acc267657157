"""Server-side apply with the real kubectl: conflicts, force, migration, managed fields shown."""

import json
from collections.abc import Iterator
from pathlib import Path

import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ovens.example.com}
spec:
  group: example.com
  names: {plural: ovens, singular: oven, kind: Oven, listKind: OvenList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              degrees: {type: integer}
              trays:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, cake: {type: string}}
"""
OVEN = """
apiVersion: example.com/v1
kind: Oven
metadata: {name: big}
spec:
  degrees: 180
  trays: [{name: top, cake: apple}]
"""
SERVER_SIDE = ("apply", "--server-side", "-f", "-")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubectl_world.World]:
    with kubectl_world.running(tmp_path_factory.mktemp("apply")) as world:
        yield world


@pytest.fixture
def kubectl(world: kubectl_world.World) -> Iterator[kubectl_world.Kubectl]:
    yield world.kubectl
    world.kubectl("delete", "deployment", "--all")


def owners(kubectl: kubectl_world.Kubectl, *what: str) -> dict[str, dict[str, object]]:
    obj = json.loads(kubectl("get", *what, "-o", "json", "--show-managed-fields"))
    entries = obj["metadata"].get("managedFields", [])
    return {f"{entry['manager']}/{entry['operation']}": entry["fieldsV1"] for entry in entries}


def test_apply_makes_changes_and_finds_nothing_to_do(kubectl: kubectl_world.Kubectl) -> None:
    assert kubectl(*SERVER_SIDE, stdin=DEPLOYMENT) == "deployment.apps/web serverside-applied\n"
    found = owners(kubectl, "deployment", "web")
    assert list(found) == ["kubectl/Apply"]
    version = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}")
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT)
    assert version == kubectl(
        "get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}"
    )
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT.replace("labels: {app: web}\nspec", "labels: {}\nspec"))
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.labels}") == ""


def test_managed_fields_are_shown_on_request(kubectl: kubectl_world.Kubectl) -> None:
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT)
    assert "managedFields" not in kubectl("get", "deployment", "web", "-o", "yaml")
    shown = kubectl("get", "deployment", "web", "-o", "yaml", "--show-managed-fields")
    assert 'k:{"containerPort":80,"protocol":"TCP"}' in shown


def test_a_conflict_is_told_and_can_be_forced(kubectl: kubectl_world.Kubectl) -> None:
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT)
    kubectl("scale", "deployment", "web", "--replicas=5")
    refused = kubectl.run(*SERVER_SIDE, stdin=DEPLOYMENT)
    assert refused.code == 1
    assert "Apply failed with 1 conflict: conflict with" in refused.err
    assert ".spec.replicas" in refused.err
    kubectl(*SERVER_SIDE, "--force-conflicts", stdin=DEPLOYMENT)
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    kubectl("scale", "deployment", "web", "--replicas=5")
    without = DEPLOYMENT.replace("  replicas: 2\n", "")
    kubectl(*SERVER_SIDE, stdin=without)
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "5"


def test_two_managers_share_an_object(kubectl: kubectl_world.Kubectl) -> None:
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT)
    sidecar = DEPLOYMENT.replace("name: web, image", "name: side, image").replace(
        "containerPort: 80", "containerPort: 90"
    )
    kubectl(*SERVER_SIDE, "--field-manager=injector", stdin=sidecar)
    names = "jsonpath={.spec.template.spec.containers[*].name}"
    assert kubectl("get", "deployment", "web", "-o", names) == "web side"
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT.replace("nginx:1.27", "nginx:1.28"))
    assert kubectl("get", "deployment", "web", "-o", names) == "web side"
    assert set(owners(kubectl, "deployment", "web")) == {"kubectl/Apply", "injector/Apply"}


def test_client_side_apply_moves_to_server_side_and_back(kubectl: kubectl_world.Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "kubectl-client-side-apply/Update" in owners(kubectl, "deployment", "web")
    changed = DEPLOYMENT.replace("nginx:1.27", "nginx:1.28")
    kubectl(*SERVER_SIDE, stdin=changed)
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl("get", "deployment", "web", "-o", image) == "nginx:1.28"
    last = json.loads(kubectl("apply", "view-last-applied", "deployment/web", "-o", "json"))
    assert last["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.28"
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("get", "deployment", "web", "-o", image) == "nginx:1.27"


def test_a_dry_run_and_a_diff_change_nothing(kubectl: kubectl_world.Kubectl) -> None:
    kubectl(*SERVER_SIDE, stdin=DEPLOYMENT)
    changed = DEPLOYMENT.replace("nginx:1.27", "nginx:1.28")
    done = kubectl(*SERVER_SIDE, "--dry-run=server", stdin=changed)
    assert done == "deployment.apps/web serverside-applied (server dry run)\n"
    diff = kubectl.run("diff", "--server-side", "-f", "-", stdin=changed)
    assert diff.code == 1
    assert "+      - image: nginx:1.28" in diff.out
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl("get", "deployment", "web", "-o", image) == "nginx:1.27"


def test_what_the_schema_does_not_have_is_refused(kubectl: kubectl_world.Kubectl) -> None:
    wrong = DEPLOYMENT.replace("  replicas: 2", "  replicant: 2")
    refused = kubectl.run(*SERVER_SIDE, "--validate=false", stdin=wrong)
    assert refused.code == 1
    assert ".spec.replicant: field not declared in schema" in refused.err


def test_custom_resources_are_applied_by_their_schema(
    world: kubectl_world.World, kubectl: kubectl_world.Kubectl
) -> None:
    kubectl("apply", "-f", "-", stdin=CRD)
    kubectl("wait", "--for=condition=Established", "crd/ovens.example.com", "--timeout=20s")
    kubectl(*SERVER_SIDE, stdin=OVEN)
    bottom = OVEN.replace("  degrees: 180\n", "").replace("top, cake: apple", "low, cake: plum")
    kubectl(*SERVER_SIDE, "--field-manager=cook", stdin=bottom)
    assert kubectl("get", "oven", "big", "-o", "jsonpath={.spec.trays[*].cake}") == "apple plum"
    assert owners(kubectl, "oven", "big")["cook/Apply"] == {
        "f:spec": {"f:trays": {'k:{"name":"low"}': {".": {}, "f:cake": {}, "f:name": {}}}}
    }
    hotter = kubectl.run(*SERVER_SIDE, "--field-manager=cook", stdin=OVEN.replace("180", "200"))
    assert "conflict with" in hotter.err
    assert ".spec.degrees" in hotter.err


VERSIONS = kubectl_world.versions() or [""]


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_every_kubectl_applies_server_side(
    binary: str, world: kubectl_world.World, kubectl: kubectl_world.Kubectl
) -> None:
    one = kubectl_world.Kubectl(world, binary)
    for image in ("nginx:1.27", "nginx:1.28"):
        done = one(*SERVER_SIDE, stdin=DEPLOYMENT.replace("nginx:1.27", image))
        assert done == "deployment.apps/web serverside-applied\n"
