"""The Pod Security Standards: every check with its words, by version."""

import pytest

from cluster.api.podsecurity import evaluation, levels, significance
from cluster.api.podsecurity.levels import LATEST, Policy, Standard

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def said(level, spec, minor=LATEST, annotations=None):
    meta = {"annotations": annotations} if annotations else {}
    return ", ".join(str(f) for f in evaluation.findings(Standard(level, minor), meta, spec))


def pod(*contexts, **spec):
    containers = [
        {"name": "abc"[n], "image": "i", "securityContext": context}
        for n, context in enumerate(contexts or ({},))
    ]
    return {"containers": containers, **spec}


BASELINE = [
    (pod({"privileged": True}), 'privileged (container "a" must not set securityContext.privileged=true)'),  # noqa: E501
    (pod({"capabilities": {"add": ["NET_RAW", "CHOWN"]}}, {"capabilities": {"add": ["SYS_ADMIN"]}}),
     'non-default capabilities (containers "a", "b" must not include "NET_RAW", "SYS_ADMIN" in '
     "securityContext.capabilities.add)"),
    (pod(hostPID=True, hostNetwork=True, hostIPC=True),
     "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)"),
    (pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "hostPath": {}}]),
     'hostPath volumes (volumes "v", "w")'),
    ({"containers": [{"name": "a", "ports": [{"hostPort": 80}, {"hostPort": 443}, {}]}]},
     'hostPort (container "a" uses hostPorts 443, 80)'),
    ({"containers": [{"name": "a", "livenessProbe": {"httpGet": {"host": "h"}}, "lifecycle": {
        "preStop": {"tcpSocket": {"host": "g"}}}}]},
     'probe or lifecycle host (container "a" uses probe or lifecycle hosts "g", "h")'),
    (pod({"procMount": "Unmasked"}),
     'procMount (container "a" must not set securityContext.procMount to "Unmasked")'),
    (pod({"seLinuxOptions": {"type": "spc_t"}}, {"seLinuxOptions": {"user": "u", "role": "r"}},
         securityContext={"seLinuxOptions": {"type": "x"}}),
     'seLinuxOptions (pod and containers "a", "b" set forbidden securityContext.seLinuxOptions: '
     'types "spc_t", "x"; user may not be set; role may not be set)'),
    (pod({"seccompProfile": {"type": "Unconfined"}}, securityContext={"seccompProfile": {"type": "Unconfined"}}),  # noqa: E501
     'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to '
     '"Unconfined")'),
    (pod(securityContext={"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}),
     "forbidden sysctls (kernel.msgmax)"),
    (pod({"windowsOptions": {"hostProcess": True}}, securityContext={"windowsOptions": {"hostProcess": True}}),  # noqa: E501
     'hostProcess (pod and container "a" must not set '
     "securityContext.windowsOptions.hostProcess=true)"),
    (pod({"appArmorProfile": {"type": "Unconfined"}}),
     'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")'),  # noqa: E501
    (pod(SAFE), ""),
    (pod(), ""),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "words"), BASELINE)
def test_what_baseline_has_against_a_pod(spec, words):
    assert said("baseline", spec) == words
    assert said("privileged", spec) == ""


RESTRICTED = [
    (pod(),
     'allowPrivilegeEscalation != false (container "a" must set '
     'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "a" '
     'must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container '
     '"a" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "a" must '
     'set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'),
    (pod(SAFE | {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}}),
     'unrestricted capabilities (container "a" must not include "CHOWN" in '
     "securityContext.capabilities.add)"),
    (pod(SAFE | {"runAsNonRoot": False}, securityContext={"runAsNonRoot": False}),
     'runAsNonRoot != true (pod and container "a" must not set securityContext.runAsNonRoot=false)'),  # noqa: E501
    (pod(SAFE | {"runAsUser": 0}), 'runAsUser=0 (container "a" must not set runAsUser=0)'),
    (pod(SAFE, volumes=[{"name": "n", "nfs": {}}, {"name": "h", "hostPath": {}}, {"name": "s", "secret": {}}]),  # noqa: E501
     'restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs")'),
    (pod(SAFE | {"seccompProfile": {"type": "Unconfined"}}),
     'seccompProfile (container "a" must not set securityContext.seccompProfile.type to '
     '"Unconfined")'),
    (pod(SAFE | {"privileged": True}),
     'privileged (container "a" must not set securityContext.privileged=true)'),
    (pod(SAFE), ""),
    (pod({"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}, securityContext={
        "runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}), ""),
    (pod({"runAsNonRoot": True}, os={"name": "windows"}), ""),
    (pod(SAFE | {"runAsNonRoot": None, "runAsUser": 0}, hostUsers=False), ""),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "words"), RESTRICTED)
def test_what_restricted_has_against_a_pod(spec, words):
    assert said("restricted", spec) == words


VERSIONS = [
    ("restricted", 7, pod(SAFE | {"allowPrivilegeEscalation": True}), True),
    ("restricted", 8, pod(SAFE | {"allowPrivilegeEscalation": True}), False),
    ("restricted", 21, pod(SAFE | {"capabilities": {}}), True),
    ("restricted", 22, pod(SAFE | {"capabilities": {}}), False),
    ("restricted", 21, pod(SAFE | {"capabilities": {"add": ["SYS_ADMIN"]}}), False),
    ("restricted", 22, pod(SAFE | {"runAsUser": 0}), True),
    ("restricted", 23, pod(SAFE | {"runAsUser": 0}), False),
    ("restricted", 24, pod({"runAsNonRoot": True}, os={"name": "windows"}), False),
    ("restricted", 25, pod({"runAsNonRoot": True}, os={"name": "windows"}), True),
    ("restricted", 34, pod(SAFE | {"runAsNonRoot": False}, hostUsers=False), False),
    ("baseline", 30, pod({"seLinuxOptions": {"type": "container_engine_t"}}), False),
    ("baseline", 31, pod({"seLinuxOptions": {"type": "container_engine_t"}}), True),
    ("baseline", 18, pod({"seccompProfile": {"type": "Unconfined"}}), True),
    ("baseline", 19, pod({"seccompProfile": {"type": "Unconfined"}}), False),
    ("baseline", 26, pod(securityContext={"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}), False),  # noqa: E501
    ("baseline", 27, pod(securityContext={"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}), True),  # noqa: E501
    ("baseline", 28, pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_keepalive_time"}]}), False),  # noqa: E501
    ("baseline", 29, pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_keepalive_time"}]}), True),  # noqa: E501
    ("baseline", 31, pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_wmem"}]}), False),
    ("baseline", 32, pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_wmem"}]}), True),
    ("baseline", 33, {"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"host": "h"}}}]}, True),  # noqa: E501
    ("baseline", 34, {"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"host": "h"}}}]}, False),  # noqa: E501
    ("baseline", 34, pod({"procMount": "Unmasked"}, hostUsers=False), False),
    ("baseline", 35, pod({"procMount": "Unmasked"}, hostUsers=False), True),
]  # fmt: skip


@pytest.mark.parametrize(("level", "minor", "spec", "allowed"), VERSIONS)
def test_standards_change_with_their_versions(level, minor, spec, allowed):
    assert (said(level, spec, minor) == "") is allowed


ANNOTATIONS = [
    (18, {"seccomp.security.alpha.kubernetes.io/pod": "unconfined",
          "container.seccomp.security.alpha.kubernetes.io/a": "x"},
     'seccompProfile (forbidden annotations container.seccomp.security.alpha.kubernetes.io/a="x", '
     'seccomp.security.alpha.kubernetes.io/pod="unconfined")'),
    (18, {"seccomp.security.alpha.kubernetes.io/pod": "localhost/p"}, ""),
    (LATEST, {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"},
     "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
     '"container.apparmor.security.beta.kubernetes.io/a="unconfined"")'),
    (LATEST, {"container.apparmor.security.beta.kubernetes.io/a": "runtime/default"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("minor", "annotations", "words"), ANNOTATIONS)
def test_annotations_that_fields_replaced_are_read_too(minor, annotations, words):
    assert said("baseline", pod(), minor, annotations) == words


def test_all_kinds_of_containers_are_looked_at_init_containers_first():
    spec = pod({"privileged": True})
    spec["initContainers"] = [{"name": "i", "securityContext": {"privileged": True}}]
    spec["ephemeralContainers"] = [{"name": "e", "securityContext": {"privileged": True}}]
    assert said("baseline", spec).startswith('privileged (containers "i", "a", "e" must not')


LABELS = [
    ({}, Policy(), []),
    ({"enforce": "baseline", "enforce-version": "v1.30", "warn": "restricted"},
     Policy(Standard("baseline", 30), Standard(), Standard("restricted")), []),
    ({"enforce": "strict"}, Policy(Standard("restricted")),
     ['Invalid value: "strict": must be one of privileged, baseline, restricted']),
    ({"warn": "strict", "audit": "x"}, Policy(), ["Invalid value"] * 2),
    ({"warn-version": "1.2"}, Policy(), ['Invalid value: "1.2": must be "latest" or "v1.x"']),
    ({"audit-version": "v1.01"}, Policy(), ["Invalid value"]),
]  # fmt: skip


@pytest.mark.parametrize(("labels", "policy", "problems"), LABELS)
def test_namespaces_ask_by_labels(labels, policy, problems):
    full = {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}
    asked = levels.of_labels(full, Policy())
    assert asked.policy == policy
    found = [problem.message for problem in asked.problems]
    assert len(found) == len(problems)
    assert all(message.startswith(start) for message, start in zip(found, problems, strict=True))


def test_standards_and_policies_are_written_as_kubernetes_writes_them():
    assert str(Standard("baseline", 30)) == "baseline:v1.30"
    assert str(Standard("restricted")) == "restricted:latest"
    policy = Policy(Standard("baseline"), Standard(), Standard("restricted", 31))
    assert str(policy) == "enforce=baseline:latest, warn=restricted:v1.31"


CHANGES = [
    ({}, False),
    ({"image": "other"}, True),
    ({"securityContext": {"privileged": True}}, False),
]


@pytest.mark.parametrize(("change", "counts"), CHANGES)
def test_only_some_changes_of_a_pod_count(change, counts):
    old = {"spec": pod()}
    new = {"spec": {"containers": [old["spec"]["containers"][0] | change]}}
    assert significance.changed(new, old) is counts
    more = {"spec": old["spec"] | {"ephemeralContainers": [{"name": "e", "image": "i"}]}}
    assert significance.changed(more, old)
