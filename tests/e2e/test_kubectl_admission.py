"""Every kubectl that is at hand meets webhooks and admission policies.

The policies are those of https://kubernetes.io/docs/reference/access-authn-authz/, the pages
validating-admission-policy and mutating-admission-policy.
"""

import contextlib
import sys
from pathlib import Path

import kubectl_world
import pytest

sys.path.append(str(Path(__file__).parent.parent / "apiserver"))
import webhook_server

pytestmark = pytest.mark.e2e
VERSIONS = kubectl_world.versions() or [""]
each_kubectl = pytest.mark.parametrize(
    "binary", VERSIONS, ids=[Path(path).name for path in VERSIONS]
)
APPLY = ("apply", "-f", "-")

DEMO_POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: "demo-policy.example.com"
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups:   ["apps"]
      apiVersions: ["v1"]
      operations:  ["CREATE", "UPDATE"]
      resources:   ["deployments"]
  validations:
    - expression: "object.spec.replicas <= 5"
"""
DEMO_BINDING = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: "demo-binding-test.example.com"
spec:
  policyName: "demo-policy.example.com"
  validationActions: [Deny]
  matchResources:
    namespaceSelector:
      matchLabels:
        environment: test
"""
MISTYPED = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: "deploy-replica-policy.example.com"
spec:
  matchConstraints:
    resourceRules:
    - apiGroups:   ["apps"]
      apiVersions: ["v1"]
      operations:  ["CREATE", "UPDATE"]
      resources:   ["deployments"]
  validations:
  - expression: "object.replicas > 1"
    message: "must be replicated"
    reason: Invalid
"""
SIDECAR = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata:
  name: "sidecar-policy.example.com"
spec:
  matchConstraints:
    resourceRules:
    - apiGroups:   [""]
      apiVersions: ["v1"]
      operations:  ["CREATE"]
      resources:   ["pods"]
  matchConditions:
    - name: does-not-already-have-sidecar
      expression: >-
        !object.spec.?initContainers.orValue([]).exists(container, container.name == "mesh-proxy")
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  mutations:
    - patchType: "ApplyConfiguration"
      applyConfiguration:
        expression: >
          Object{
            spec: Object.spec{
              initContainers: [
                Object.spec.initContainers{
                  name: "mesh-proxy",
                  image: "mesh/proxy:v1.0.0",
                  args: ["proxy", "sidecar"],
                  restartPolicy: "Always"
                }
              ]
            }
          }
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata:
  name: "sidecar-binding.example.com"
spec:
  policyName: "sidecar-policy.example.com"
"""
HOOKS = """
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}
metadata: {{name: demo}}
webhooks:
- name: demo.example.com
  clientConfig: {{url: "https://localhost:{port}/{path}", caBundle: {bundle}}}
  rules:
  - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}
  sideEffects: None
  admissionReviewVersions: [v1]
"""


@each_kubectl
def test_the_demo_policy_of_the_documentation(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        kubectl("create", "namespace", "test")
        kubectl("label", "namespace", "test", "environment=test")
        policy = "validatingadmissionpolicy.admissionregistration.k8s.io/demo-policy.example.com"
        assert kubectl(*APPLY, stdin=DEMO_POLICY) == f"{policy} created\n"
        kubectl(*APPLY, stdin=DEMO_BINDING)
        create = ("create", "deployment", "web", "--image=nginx", "--replicas=9")
        kubectl(*create)
        refused = kubectl.run(*create, "-n", "test")
        assert refused.code != 0
        assert (
            "ValidatingAdmissionPolicy 'demo-policy.example.com' with binding "
            "'demo-binding-test.example.com' denied request: failed expression: "
            "object.spec.replicas <= 5" in refused.err
        )
        kubectl("create", "deployment", "web", "--image=nginx", "--replicas=5", "-n", "test")
        refused = kubectl.run("scale", "deployment/web", "--replicas=6", "-n", "test")
        assert refused.code == 0, "the policy is about deployments, not about their scale"
        head, row = kubectl("get", "validatingadmissionpolicies").splitlines()
        assert head.split() == ["NAME", "VALIDATIONS", "PARAMKIND", "AGE"]
        assert row.split()[:3] == ["demo-policy.example.com", "1", "<unset>"]


def test_types_are_checked_and_told_in_the_status(tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        world.kubectl(*APPLY, stdin=MISTYPED)
        name = "validatingadmissionpolicy/deploy-replica-policy.example.com"
        world.kubectl("wait", "--for=jsonpath={.status.observedGeneration}=1", name)
        told = world.kubectl("get", name, "-o", "yaml")
        assert "fieldRef: spec.validations[0].expression" in told
        assert "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'" in told


def test_an_invalid_policy_is_refused_with_the_compilers_words(tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        wrong = DEMO_POLICY.replace("object.spec.replicas <= 5", "object.spec.replicas <=")
        refused = world.kubectl.run(*APPLY, stdin=wrong)
        assert refused.code != 0
        assert "spec.validations[0].expression: Invalid value" in refused.err
        assert "compilation failed: ERROR: <input>:1:24: Syntax error" in refused.err


@each_kubectl
def test_the_sidecar_policy_of_the_documentation(binary: str, tmp_path: Path) -> None:
    """But for `args`: those of a container are one thing, and may not be mutated."""
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        kubectl(*APPLY, stdin=SIDECAR.replace('args: ["proxy", "sidecar"],', ""))
        kubectl("run", "web", "--image=nginx")
        (proxy,) = world.get("pods", "web")["spec"]["initContainers"]
        assert (proxy["name"], proxy["image"]) == ("mesh-proxy", "mesh/proxy:v1.0.0")
        assert proxy["restartPolicy"] == "Always"


@each_kubectl
def test_webhooks_change_and_refuse(binary: str, tmp_path: Path) -> None:
    def label(_request):
        return webhook_server.patch({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}})

    def refuse(request):
        if request["name"] != "bad":
            return {"allowed": True, "warnings": ["do not do that often"]}
        return {"allowed": False, "status": {"message": "bad is not good", "code": 403}}

    with kubectl_world.running(tmp_path) as world, contextlib.ExitStack() as stack:
        kubectl = kubectl_world.Kubectl(world, binary)
        server = webhook_server.serving(tmp_path, label=label, refuse=refuse)
        port = world.do(server.__aenter__())
        stack.callback(lambda: world.do(server.__aexit__(None, None, None)))
        for kind, path in (("Mutating", "label"), ("Validating", "refuse")):
            text = HOOKS.format(
                kind=f"{kind}WebhookConfiguration", port=port, path=path,
                bundle=webhook_server.BUNDLE,
            )  # fmt: skip
            kubectl(*APPLY, stdin=text)
        done = kubectl.run("create", "configmap", "good")
        assert done.code == 0, done.err
        assert "Warning: do not do that often" in done.err
        assert world.get("configmaps", "good")["metadata"]["labels"] == {"a": "b"}
        refused = kubectl.run("create", "configmap", "bad")
        assert refused.code != 0
        assert 'admission webhook "demo.example.com" denied the request: bad is not good' in (
            refused.err
        )
        kubectl("delete", "validatingwebhookconfiguration", "demo")
        kubectl("create", "configmap", "bad")
