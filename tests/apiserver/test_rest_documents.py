import asyncio
from typing import Any

import pytest
from rest_world import serving

from cluster.api import discovery, resources, schema
from cluster.api.openapi import v2_protobuf, v3
from cluster.api.protobuf import wire

KUBECTL = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
OLDER = KUBECTL.partition(",")[2]


@pytest.mark.parametrize(("accept", "version"), [(KUBECTL, "v2"), (OLDER, "v2beta1")])
def test_one_document_tells_every_resource(accept: str, version: str) -> None:
    async def scenario() -> None:
        async with serving() as api:
            told = {}
            for path in ("/api", "/apis/"):
                answer = await api.get(path, Accept=accept)
                media = (
                    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                )
                assert answer.headers["Content-Type"] == media
                assert answer.json["apiVersion"] == f"apidiscovery.k8s.io/{version}"
                for group in answer.json["items"]:
                    for each in group["versions"]:
                        for resource in each["resources"]:
                            told[group["metadata"].get("name", ""), resource["resource"]] = resource
            assert sorted(told) == sorted({(row.group, row.plural) for row in resources.built_in()})
            scale = told["apps", "deployments"]["subresources"][0]
            assert scale["responseKind"] == {
                "group": "autoscaling", "version": "v1", "kind": "Scale",
            }  # fmt: skip
            assert told["apps", "deployments"]["shortNames"] == ["deploy"]
            assert told["", "nodes"]["scope"] == "Cluster"

    asyncio.run(scenario())


def test_plain_discovery_tells_the_same() -> None:
    async def scenario() -> None:
        async with serving() as api:
            assert (await api.get("/api")).json["versions"] == ["v1"]
            groups = (await api.get("/apis")).json["groups"]
            assert groups[0]["name"] == "apiregistration.k8s.io"
            assert (await api.get("/apis/apps")).json["preferredVersion"]["version"] == "v1"
            core = (await api.get("/api/v1/")).json["resources"]
            assert {"pods", "pods/status", "pods/binding"} <= {each["name"] for each in core}
            for path in ("/apis/none", "/apis/apps/v9", "/api/v9"):
                assert (await api.get(path)).status == 404

    asyncio.run(scenario())


def test_what_a_client_holds_is_not_sent_again() -> None:
    async def scenario() -> None:
        async with serving() as api:
            for path in ("/apis", "/openapi/v3", "/openapi/v3/apis/apps/v1", "/openapi/v2"):
                first = await api.get(path)
                etag = first.headers["ETag"]
                again = await api.get(path, If_None_Match=etag)
                assert (again.status, again.text, again.headers["ETag"]) == (304, "", etag)

    asyncio.run(scenario())


def test_open_api_v3() -> None:
    async def scenario() -> None:
        async with serving() as api:
            index = (await api.get("/openapi/v3")).json["paths"]
            assert sorted(index) == sorted(v3.paths(resources.built_in()))
            answer = await api.get(index["apis/apps/v1"]["serverRelativeURL"])
            assert "immutable" in answer.headers["Cache-Control"]
            item = answer.json["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
            patch = item["patch"]
            assert patch["x-kubernetes-group-version-kind"] == {
                "group": "apps", "version": "v1", "kind": "Deployment",
            }  # fmt: skip
            assert "fieldValidation" in [each["name"] for each in patch["parameters"]]
            stale = await api.get("/openapi/v3/apis/apps/v1?hash=OLD")
            assert "immutable" not in stale.headers["Cache-Control"]
            assert (await api.get("/openapi/v3/apis/none/v1")).status == 404

    asyncio.run(scenario())


def _message(data: object) -> dict[int, list[Any]]:
    assert isinstance(data, bytes)
    found: dict[int, list[Any]] = {}
    for number, value in wire.fields(data):
        found.setdefault(number, []).append(value)
    return found


def _map(data: object) -> dict[str, bytes]:
    """The entries of a map message: name in field 1, value in field 2."""
    entries = [_message(entry) for values in _message(data).values() for entry in values]
    return {entry[1][0].decode(): entry[2][0] for entry in entries}


@pytest.mark.parametrize("accept", v2_protobuf.ASKED)
def test_open_api_v2_in_both_forms_says_the_same(accept: str) -> None:
    async def scenario() -> None:
        async with serving() as api:
            plain = (await api.get("/openapi/v2")).json
            answer = await api.session.get(
                f"{api.url}/openapi/v2",
                headers={"Authorization": "Bearer secret", "Accept": accept},
            )
            assert answer.headers["Content-Type"] == v2_protobuf.MEDIA_TYPE
            document = _message(await answer.read())
            assert document[1] == [b"2.0"]
            paths, definitions = _map(document[8][0]), _map(document[9][0])
            assert sorted(paths) == sorted(plain["paths"])
            assert sorted(definitions) == sorted(plain["definitions"])
            spec = _message(definitions["io.k8s.api.core.v1.PodSpec"])
            properties = _map(spec[25][0])
            shown = plain["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]
            assert sorted(properties) == sorted(shown)
            containers = _message(properties["containers"])
            extensions = {
                _message(each)[1][0].decode(): _message(_message(each)[2][0])[2][0]
                for each in containers[31]
            }
            assert extensions["x-kubernetes-patch-merge-key"] == b'"name"'
            pod = _message(paths["/api/v1/namespaces/{namespace}/pods/{name}"])
            assert sorted(pod) == [2, 3, 5, 8, 9]  # get, put, delete, patch, parameters

    asyncio.run(scenario())


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [each for inner in value.values() for each in _references(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _references(inner)]
    return []


@pytest.mark.parametrize("version", [schema.VERSIONS[0], schema.NEWEST])
def test_every_reference_of_a_document_leads_somewhere(version: str) -> None:
    table = resources.built_in()
    for group, served in v3.paths(table).values():
        document = v3.document(table, group, served, version)
        schemas = document["components"]["schemas"]
        references = _references(document)
        assert references
        lost = [
            ref for ref in references if ref.removeprefix("#/components/schemas/") not in schemas
        ]
        assert lost == []


def test_the_root_names_the_paths() -> None:
    async def scenario() -> Any:
        async with serving() as api:
            return (await api.get("/")).json["paths"]

    paths = asyncio.run(scenario())
    assert {"/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3", "/version"} <= set(paths)


def test_v3_tells_of_values_of_two_types() -> None:
    schemas = v3.document(resources.built_in(), "apps", "v1", schema.NEWEST)["components"][
        "schemas"
    ]
    either = schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert either["oneOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "type" not in either
    amount = schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert amount["oneOf"] == [{"type": "string"}, {"type": "number"}]


def test_a_new_row_is_told_at_once() -> None:
    table = resources.built_in()
    row = resources.Resource("cats.io", "v1", "Cat", "cats", short_names=("meow",))
    table.add(row)
    assert discovery.groups(table)["cats.io"] == ["v1"]
    listed = discovery.resource_list(table, "cats.io", "v1")
    assert listed is not None
    assert listed["resources"][0]["shortNames"] == ["meow"]


def test_the_version_says_what_it_is() -> None:
    async def scenario() -> None:
        async with serving() as api:
            said = (await api.get("/version/")).json
            major, minor = schema.NEWEST.split(".")
            assert (said["major"], said["minor"]) == (major, minor)
            assert said["gitVersion"] == f"v{schema.NEWEST}.0+kubemu"

    asyncio.run(scenario())


def test_health_in_short_and_in_full() -> None:
    async def scenario() -> None:
        async with serving() as api:
            assert (await api.get("/healthz")).text == "ok"
            full = (await api.get("/readyz?verbose")).text
            assert full.startswith("[+]ping ok\n")
            assert full.endswith("readyz check passed\n")
            assert (await api.get("/livez/ping")).text == "ok"
            assert (await api.get("/livez/none")).status == 404

    asyncio.run(scenario())
