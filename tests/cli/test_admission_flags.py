"""The API server's flags of admission plugins."""

import click
import pytest

from cluster.apiserver.admission import configuration, selection
from cluster.cli import admissionflags

DEFAULTS = (
    "NamespaceLifecycle", "LimitRanger", "ServiceAccount", "DefaultStorageClass",
    "PersistentVolumeClaimResize", "DefaultTolerationSeconds", "ResourceQuota",
    "StorageObjectInUseProtection", "Priority", "TaintNodesByCondition", "RuntimeClass",
    "DefaultIngressClass", "PodSecurity", "MutatingAdmissionWebhook",
    "ValidatingAdmissionWebhook",
)  # fmt: skip


def flags(enable=None, disable=None, file=None):
    return admissionflags.from_flags(
        {
            "enable_admission_plugins": enable,
            "disable_admission_plugins": disable,
            "admission_control_config_file": file,
        }
    )["admission"]


def test_the_defaults_are_kubernetes_own_and_in_its_order():
    names = flags().names()
    assert {*DEFAULTS} <= {*names}
    assert not {*names} & {"NodeRestriction", "AlwaysPullImages", "AlwaysDeny", "PodNodeSelector"}
    assert list(names) == [name for name in selection.ORDER if name in names]
    assert names[-1] == "ResourceQuota"


def test_plugins_are_enabled_and_disabled():
    found = flags("NodeRestriction, AlwaysPullImages", "PodSecurity,LimitRanger")
    names = found.names()
    assert "NodeRestriction" in names
    assert "AlwaysPullImages" in names
    assert "PodSecurity" not in names
    assert "LimitRanger" not in names


WRONG = [
    (("Nonsense", None), 'plugin "Nonsense" is unknown: known are AlwaysAdmit, Namespace'),
    ((None, "nodeRestriction"), 'plugin "nodeRestriction" is unknown'),
    (("ImagePolicyWebhook", None), "kubemu does not have ImagePolicyWebhook"),
    (("PodSecurity", "PodSecurity"), "overlapped"),
    (("EventRateLimit", None), "limits must be given"),
]


@pytest.mark.parametrize(("said", "why"), WRONG)
def test_what_cannot_be_followed_is_said(said, why):
    with pytest.raises(click.UsageError) as error:
        flags(*said)
    assert why in error.value.message


CONFIGURED = """
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: baseline, enforce-version: latest}
    exemptions: {namespaces: [kube-system]}
- name: EventRateLimit
  path: limits.yaml
"""


def test_plugins_are_told_by_a_file_and_by_files_beside_it(tmp_path):
    main = tmp_path / "admission.yaml"
    main.write_text(CONFIGURED)
    (tmp_path / "limits.yaml").write_text("limits: [{type: Server, qps: 5, burst: 9}]")
    found = flags("EventRateLimit", None, main)
    assert found.configuration["PodSecurity"]["defaults"]["enforce"] == "baseline"
    assert found.configuration["EventRateLimit"]["limits"][0]["qps"] == 5
    main.write_text(CONFIGURED.replace("baseline", "strict"))
    with pytest.raises(click.UsageError, match="must be one of privileged, baseline, restricted"):
        flags("EventRateLimit", None, main)
    main.write_text(CONFIGURED.replace("limits.yaml", "none.yaml"))
    with pytest.raises(click.UsageError, match=r"none\.yaml"):
        flags("EventRateLimit", None, main)


BAD_FILES = [
    [],
    {"kind": "Policy", "apiVersion": "v1"},
    {"kind": "AdmissionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "plugins": 3},
    {"kind": "AdmissionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
     "plugins": [{"name": "Nonsense"}]},
    {"kind": "AdmissionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
     "plugins": [{"name": "PodSecurity", "configuration": []}]},
]  # fmt: skip


@pytest.mark.parametrize("document", BAD_FILES)
def test_a_file_of_another_form_is_refused(document):
    with pytest.raises(ValueError, match=r"."):
        configuration.read(document, lambda path: None)
