"""The table of resources against the schemas: what a version of Kubernetes has, it serves."""

import re

import pytest

from cluster.api import resources, schema

GA = re.compile(r"(.*/)?v\d+")
NO_RESOURCES = {("v1", "APIGroup")}
FIRST, LAST = (int(version.partition(".")[2]) for version in (schema.VERSIONS[0], schema.NEWEST))


def kinds(version):
    """The kinds that have a list, in versions that are neither alpha nor beta."""
    known = {
        (api, kind)
        for api in {api for api, _, _ in schema._all_kinds(version)}
        for kind in schema.kinds(api, version)
    }
    return {
        (api, kind) for api, kind in known if GA.fullmatch(api) and (api, f"{kind}List") in known
    } - NO_RESOURCES


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_a_version_serves_the_stable_kinds_that_its_schemas_have(version):
    rows = [row for row in resources.built_in(version) if "list" in row.verbs]
    rows = [row for row in rows if row.group != "metrics.k8s.io"]  # another server's, in a cluster
    assert {(row.api_version, row.kind) for row in rows} == kinds(version)


@pytest.mark.parametrize("row", resources.BUILT_IN, ids=lambda row: f"{row.id}-{row.since}")
def test_a_row_is_served_since_the_version_whose_schemas_have_its_kind(row):
    if row.group == "metrics.k8s.io":
        return
    first = max(row.since, FIRST)
    assert schema.kind_exists(row.api_version, row.kind, f"1.{first}")
    if row.until <= LAST or row.since <= FIRST:
        return
    before = f"1.{row.since - 1}"
    earlier = [
        other
        for other in resources.BUILT_IN
        if (other.id, other.version) == (row.id, row.version) and other.until == row.since - 1
    ]
    assert earlier or not schema.kind_exists(row.api_version, row.kind, before)


# As `kubectl api-resources` of a cluster shows them: kubernetes.io/docs/reference/kubectl.
SHORT = {
    "certificatesigningrequests": "csr", "componentstatuses": "cs", "configmaps": "cm",
    "cronjobs": "cj", "customresourcedefinitions": "crd,crds", "daemonsets": "ds",
    "deployments": "deploy", "endpoints": "ep", "events": "ev",
    "horizontalpodautoscalers": "hpa", "ingresses": "ing", "ipaddresses": "ip",
    "limitranges": "limits", "namespaces": "ns", "networkpolicies": "netpol", "nodes": "no",
    "persistentvolumeclaims": "pvc", "persistentvolumes": "pv", "poddisruptionbudgets": "pdb",
    "pods": "po", "priorityclasses": "pc", "replicasets": "rs", "replicationcontrollers": "rc",
    "resourcequotas": "quota", "serviceaccounts": "sa", "services": "svc",
    "statefulsets": "sts", "storageclasses": "sc", "volumeattributesclasses": "vac",
}  # fmt: skip
ALL = {
    "cronjobs", "daemonsets", "deployments", "horizontalpodautoscalers", "jobs", "pods",
    "replicasets", "replicationcontrollers", "services", "statefulsets",
}  # fmt: skip
EXTENSIONS = {
    "apiservices", "customresourcedefinitions", "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations",
    "validatingadmissionpolicies", "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
}  # fmt: skip


def test_short_names_and_categories_are_those_of_a_real_cluster():
    table = list(resources.built_in())
    found = {row.plural: ",".join(row.short_names) for row in table if row.short_names}
    assert found == SHORT
    assert {row.plural for row in table if "all" in row.categories} == ALL
    assert {row.plural for row in table if "api-extensions" in row.categories} == EXTENSIONS
