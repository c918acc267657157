"""Several kubectls at the kinds of networking, storage, node, certificates, events, resource."""

import base64
import json
from pathlib import Path

import certificate_objects
import kubectl_world
import pytest

pytestmark = pytest.mark.e2e

_WANTED = ("kubectl.1.27", "kubectl.1.30", "kubectl.1.33")
VERSIONS = [path for path in kubectl_world.versions() if Path(path).name in _WANTED] or [""]
MANIFEST = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-web}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: own, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: example.com/ingress}
---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: more}
spec: {cidrs: [10.97.0.0/24]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/disk
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: disk.example.com}
spec: {tokenRequests: [{audience: vault}]}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: n1}
spec: {drivers: [{name: disk.example.com, nodeID: n1}]}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: attached}
spec: {attacher: disk.example.com, nodeName: n1, source: {persistentVolumeName: v}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: gold}
driverName: disk.example.com
parameters: {iops: "4000"}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: gvisor}
handler: runsc
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: 'device.driver == "gpu.example.com"'}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: one-gpu}
spec:
  devices:
    requests:
    - name: gpu
      exactly: {deviceClassName: gpu, allocationMode: ExactCount, count: 1}
"""
CSR = json.dumps({
    "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
    "metadata": {"name": "jane"},
    "spec": {
        "request": certificate_objects.encoded(certificate_objects.request()),
        "signerName": "example.com/own", "usages": ["client auth"], "expirationSeconds": 3600,
    },
})  # fmt: skip
SHOWN = {
    "ingress": ("NAME CLASS HOSTS ADDRESS PORTS AGE", "web own example.com"),
    "networkpolicy": ("NAME POD-SELECTOR AGE", "only-web app=db"),
    "ingressclass": ("NAME CONTROLLER PARAMETERS AGE", "own example.com/ingress <none>"),
    "servicecidr": ("NAME CIDRS AGE", "kubernetes 10.96.0.0/12"),
    "sc": ("NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE",
           "fast (default) example.com/disk Delete Immediate false"),
    "csidriver": ("NAME ATTACHREQUIRED PODINFOONMOUNT STORAGECAPACITY TOKENREQUESTS "
                  "REQUIRESREPUBLISH MODES AGE", "disk.example.com true false false vault"),
    "csinode": ("NAME DRIVERS AGE", "n1 1"),
    "volumeattachment": ("NAME ATTACHER PV NODE ATTACHED AGE",
                         "attached disk.example.com v n1 false"),
    "vac": ("NAME DRIVERNAME AGE", "gold disk.example.com"),
    "runtimeclass": ("NAME HANDLER AGE", "gvisor runsc"),
    "resourceclaim": ("NAME STATE AGE", "one-gpu pending"),
    "csr": ("NAME AGE SIGNERNAME REQUESTOR REQUESTEDDURATION CONDITION", "jane"),
    "cs": ("NAME STATUS MESSAGE ERROR", "etcd-0 Healthy ok"),
}  # fmt: skip


@pytest.mark.parametrize("binary", VERSIONS, ids=[Path(path).name for path in VERSIONS])
def test_every_other_kind_is_made_shown_and_taken_away(binary: str, tmp_path: Path) -> None:
    with kubectl_world.running(tmp_path) as world:
        kubectl = kubectl_world.Kubectl(world, binary)
        kubectl("apply", "-f", "-", stdin=MANIFEST)
        again = kubectl("apply", "-f", "-", stdin=MANIFEST)
        assert again.count("unchanged") == MANIFEST.count("apiVersion"), again
        kubectl("create", "ingress", "web", "--rule=example.com/*=web:80,tls=secret")
        kubectl("apply", "-f", "-", stdin=CSR)
        for kind, (header, line) in SHOWN.items():
            lines = [" ".join(each.split()) for each in kubectl("get", kind).splitlines()]
            assert lines[0] == header, kind
            assert any(each.startswith(line) for each in lines[1:]), lines
        assert "example.com" in kubectl("describe", "ingress", "web")
        for kind in ("networkpolicy/only-web", "sc/fast", "csr/jane", "ingressclass/own",
                     "csinode/n1", "runtimeclass/gvisor", "volumeattachment/attached"):  # fmt: skip
            assert kubectl("describe", kind).split()[:2] == ["Name:", kind.split("/")[1]]
        assert "pathType" in kubectl("explain", "ingress.spec.rules.http.paths")
        assert "FIELD" in kubectl("explain", "csr.spec.signerName").upper()
        _certificates(kubectl, world)
        _events(kubectl)
        kubectl("delete", "-f", "-", stdin=MANIFEST)
        left = kubectl("get", "networkpolicy,ingressclass,sc,vac", "-o", "name")
        assert left.split() == ["storageclass.storage.k8s.io/standard"]  # every cluster has it


def _certificates(kubectl: kubectl_world.Kubectl, world: kubectl_world.World) -> None:
    kubectl("certificate", "approve", "jane")
    conditions = world.get("certificatesigningrequests.certificates.k8s.io", "jane", "")["status"]
    (approved,) = conditions["conditions"]
    assert (approved["type"], approved["reason"]) == ("Approved", "KubectlApprove")
    encoded = base64.b64encode(certificate_objects.authority().encode()).decode()
    patch = json.dumps({"status": {"certificate": encoded}})
    kubectl("patch", "csr", "jane", "--subresource=status", "--type=merge", "-p", patch)
    assert "Approved,Issued" in kubectl("get", "csr", "jane")


def _events(kubectl: kubectl_world.Kubectl) -> None:
    old = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Because", "message": "told", "type": "Normal",
    }  # fmt: skip
    kubectl("create", "-f", "-", stdin=json.dumps(old))
    assert "told" in kubectl("get", "events.events.k8s.io", "--field-selector=regarding.name=p")
    assert "told" in kubectl("events", "--types=Normal")
