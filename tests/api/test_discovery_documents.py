"""Discovery over all emulated versions: its forms agree with each other and with the schemas."""

from typing import Any

import pytest

from cluster.api import discovery, resources, schema, subresources
from cluster.api.openapi import v2, v3

Row = tuple[Any, ...]


def _plain(table: resources.Table) -> dict[tuple[str, str, str], Row]:
    found = {}
    places = [("", "v1")] + [
        (group["name"], each["version"])
        for group in discovery.group_list(table)["groups"]
        for each in group["versions"]
    ]
    for group, version in places:
        listed = discovery.resource_list(table, group, version)
        assert listed is not None
        for each in listed["resources"]:
            kind = (each.get("group", group), each.get("version", version), each["kind"])
            found[group, version, each["name"]] = (
                kind, each["namespaced"], each["verbs"], each["singularName"],
                each.get("shortNames"), each.get("categories"),
            )  # fmt: skip
    return found


def _aggregated(table: resources.Table, form: str) -> dict[tuple[str, str, str], Row]:
    found = {}
    for core in (True, False):
        for item in discovery.aggregated(table, core=core, version=form)["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                for each in version["resources"]:
                    name, scoped = each["resource"], each["scope"] == "Namespaced"
                    kind = tuple(each["responseKind"].values())
                    found[group, version["version"], name] = (
                        kind, scoped, each["verbs"], each["singularResource"],
                        each.get("shortNames"), each.get("categories"),
                    )  # fmt: skip
                    for sub in each.get("subresources", ()):
                        kind = tuple(sub["responseKind"].values())
                        row = (kind, scoped, sub["verbs"], "", None, None)
                        found[group, version["version"], f"{name}/{sub['subresource']}"] = row
    return found


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_all_forms_tell_the_same(version: str) -> None:
    table = resources.built_in(version)
    plain = _plain(table)
    assert plain == _aggregated(table, "v2") == _aggregated(table, "v2beta1")
    assert all(row[2] == sorted(row[2]) for row in plain.values())
    assert all(row[2] for row in plain.values())


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_a_version_serves_kinds_that_it_has(version: str) -> None:
    """metrics.k8s.io is no part of Kubernetes' own schemas: another server's in a real cluster."""
    table = resources.built_in(version)
    missing = [
        (row.api_version, row.kind)
        for row in table
        if row.group != "metrics.k8s.io"
        and not schema.kind_exists(row.api_version, row.kind, version)
    ]
    assert missing == []
    for row in table:
        for name in row.subresources:
            sub = subresources.of(row, name)
            assert sub is not None, (row.id, name)


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_groups_stand_in_the_order_of_kube_apiserver(version: str) -> None:
    """Its own group first (kube-aggregator/pkg/apiserver/handler_apis.go), then by priority."""
    order = [
        "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io",
        "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io",
        "policy", "rbac.authorization.k8s.io", "storage.k8s.io", "admissionregistration.k8s.io",
        "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
        "discovery.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io",
        "storagemigration.k8s.io",
    ]  # fmt: skip
    groups = discovery.group_list(resources.built_in(version))["groups"]
    names = [group["name"] for group in groups if group["name"] in order]
    assert names == [name for name in order if name in names]
    assert all(group["preferredVersion"] == group["versions"][0] for group in groups)
    versions = {group["name"]: [each["version"] for each in group["versions"]] for group in groups}
    assert versions["autoscaling"] == ["v2", "v1"]


def test_the_hash_of_the_stored_version_is_that_of_kubernetes() -> None:
    """Seen in the answers of any cluster."""
    table = resources.built_in()
    core = discovery.resource_list(table, "", "v1")
    assert core is not None
    told = {each["name"]: each.get("storageVersionHash") for each in core["resources"]}
    assert told["pods"] == "xPOwRZ+Yhw8="
    assert told["configmaps"] == "qFsyl6wFWjQ="
    assert told["pods/status"] is None
    assert told["bindings"] is None
    for version in ("v1", "v2"):
        scalers = discovery.resource_list(table, "autoscaling", version)
        assert scalers is not None
        assert scalers["resources"][0]["storageVersionHash"] == "qwQve8ut294="


@pytest.mark.parametrize(("version", "more"), [("1.25", False), ("1.32", False), ("1.33", True)])
def test_the_version_tells_what_it_emulates_where_kubernetes_does(version: str, more: bool) -> None:
    said = discovery.server_version(version)
    assert said["gitVersion"] == f"v{version}.0+kubemu"
    assert (said.get("emulationMinor") == version[2:]) is more
    assert ("minCompatibilityMinor" in said) is more


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_references, value.values()))
    if isinstance(value, list):
        return set().union(*map(_references, value))
    return set()


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_every_document_of_every_version_holds_together(version: str) -> None:
    table = resources.built_in(version)
    seen: set[str] = set()
    for group, served in v3.paths(table).values():
        document = v3.document(table, group, served, version)
        schemas = document["components"]["schemas"]
        refs = {ref.removeprefix("#/components/schemas/") for ref in _references(document)}
        assert refs - set(schemas) == set()
        ids = [
            operation["operationId"]
            for item in document["paths"].values()
            for method, operation in item.items()
            if method != "parameters"
        ]
        assert len(ids) == len(set(ids))
        assert seen.isdisjoint(ids)
        seen |= set(ids)
        for path, item in document["paths"].items():
            for method in ("post", "put"):
                if method in item and item[method]["x-kubernetes-action"] != "connect":
                    assert "requestBody" in item[method], (path, method)
    whole = v2.document(table, version)
    refs = {ref.removeprefix("#/definitions/") for ref in _references(whole)}
    assert refs - set(whole["definitions"]) == set()


def test_operations_tell_every_answer_that_they_give() -> None:
    document = v3.document(resources.built_in(), "", "v1", schema.NEWEST)
    pods = document["paths"]["/api/v1/namespaces/{namespace}/pods"]
    pod = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    told = {
        method: sorted(pod[method]["responses"]) for method in ("get", "put", "patch", "delete")
    }
    assert told == {
        "get": ["200", "401"], "put": ["200", "201", "401"], "patch": ["200", "201", "401"],
        "delete": ["200", "202", "401"],
    }  # fmt: skip
    assert sorted(pods["post"]["responses"]) == ["200", "201", "202", "401"]
    assert sorted(pods["delete"]["responses"]) == ["200", "401"]
    assert sorted(pod["get"]["responses"]["200"]["content"]) == [
        "application/json", "application/vnd.kubernetes.protobuf", "application/yaml",
    ]  # fmt: skip
