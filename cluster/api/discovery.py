"""Discovery documents: which groups, versions and resources there are. Pure.

Shapes: APIVersions, APIGroup(List), APIResourceList of meta/v1, and APIGroupDiscoveryList of
apidiscovery.k8s.io, which says it all in one document.
"""

import base64
import hashlib
from typing import Any

from cluster.api import subresources
from cluster.api.resources import Resource, Table
from cluster.api.versions import preference

Document = dict[str, Any]

# In the order of kube-apiserver's group priorities; others follow by name.
_ORDER = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io",
    "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io",
    "policy", "rbac.authorization.k8s.io", "storage.k8s.io", "admissionregistration.k8s.io",
    "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
    "discovery.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io",
    "storagemigration.k8s.io",
)  # fmt: skip

_EMULATION = 33  # the minor version that tells which one it emulates


def groups(table: Table) -> dict[str, list[str]]:
    """The versions of each group, groups in order of priority, "" (core) first."""
    found: dict[str, list[str]] = {}
    for row in table:
        versions = found.setdefault(row.group, [])
        if row.version not in versions:
            versions.append(row.version)
        if row.custom is not None:  # several definitions share a group: theirs is no order
            versions.sort(key=preference)
    return {group: found[group] for group in sorted(found, key=_priority)}


def rows(table: Table, group: str, version: str) -> list[Resource]:
    """The resources of a group version, by plural."""
    found = [row for row in table if (row.group, row.version) == (group, version)]
    return sorted(found, key=lambda row: row.plural)


def api_versions(table: Table, address: str) -> Document:
    """`/api`, in the old form; `address` is host:port as clients reach it."""
    return {
        "kind": "APIVersions",
        "versions": groups(table).get("", []),
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(table: Table) -> Document:
    """`/apis`, in the old form."""
    found = [_group(group, versions) for group, versions in groups(table).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(table: Table, name: str) -> Document | None:
    """`/apis/GROUP`; None where there is no such group."""
    versions = groups(table).get(name)
    if versions is None or not name:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, versions)


def resource_list(table: Table, group: str, version: str) -> Document | None:
    """`/api/v1` and `/apis/GROUP/VERSION`, in the old form; None where nothing is there."""
    found = rows(table, group, version)
    if not found:
        return None
    listed = []
    for row in found:
        listed.append(_resource(row, table))
        listed += [_sub_resource(row, name) for name in sorted(row.subresources)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": listed,
    }


def aggregated(table: Table, *, core: bool, version: str = "v2") -> Document:
    """`/api` (`core`) or `/apis` as an APIGroupDiscoveryList of v2 or v2beta1."""
    items = []
    for name, versions in groups(table).items():
        if core == (name == ""):
            found = [
                {
                    "version": each,
                    "resources": [_discovered(row) for row in rows(table, name, each)],
                    "freshness": "Current",
                }
                for each in versions
            ]
            metadata: Document = {"name": name} if name else {}
            items.append({"metadata": metadata | {"creationTimestamp": None}, "versions": found})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def server_version(version: str) -> Document:
    """`/version` for an emulated Kubernetes `version` (`1.37`); the build says it is kubemu."""
    major, _, minor = version.partition(".")
    found = {
        "major": major,
        "minor": minor,
        "gitVersion": git_version(version),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "kubemu",
        "platform": "linux/amd64",
    }
    if int(minor) >= _EMULATION:
        found |= {
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": str(int(minor) - 1),
        }
    return found


def git_version(version: str) -> str:
    """The version as clients parse it: semantic, with kubemu as build metadata."""
    return f"v{version}.0+kubemu"


def _priority(group: str) -> tuple[int, str]:
    return (_ORDER.index(group) if group in _ORDER else len(_ORDER), group)


def _group(name: str, versions: list[str]) -> Document:
    shown = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def _resource(row: Resource, table: Table) -> Document:
    found: Document = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    if "watch" in row.verbs and not row.remote:
        found["storageVersionHash"] = _storage_version_hash(table.stored(row))
    return found


def _storage_version_hash(row: Resource) -> str:
    """Tells the version in which objects are stored, so that migrators see it change.

    k8s.io/apiserver/pkg/endpoints/discovery/storageversionhash.go: clients compare it, no more.
    """
    said = f"{row.group}/{row.version}/{row.kind}".encode()
    return base64.b64encode(hashlib.sha256(said).digest()[:8]).decode()


def _sub_resource(row: Resource, name: str) -> Document:
    found: Document = {
        "name": f"{row.plural}/{name}",
        "singularName": "",
        "namespaced": row.namespaced,
    }
    sub = subresources.of(row, name)
    group, version, kind = sub.gvk(row) if sub else (row.group, row.version, row.kind)
    if (group, version) != (row.group, row.version):
        found |= {"group": group, "version": version}
    return found | {"kind": kind, "verbs": list(sub.verbs) if sub else []}


def _discovered(row: Resource) -> Document:
    found: Document = {
        "resource": row.plural,
        "responseKind": _kind(row.group, row.version, row.kind),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    subs = [subresources.of(row, name) for name in sorted(row.subresources)]
    if subs:
        found["subresources"] = [
            {"subresource": s.name, "responseKind": _kind(*s.gvk(row)), "verbs": list(s.verbs)}
            for s in subs
            if s is not None
        ]
    return found


def _kind(group: str, version: str, kind: str) -> Document:
    return {"group": group, "version": version, "kind": kind}
