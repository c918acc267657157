"""Verbs, options and forms of every resource in the table, over REST.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import minimal_objects
import pytest
from rest_world import TOKEN, Api, serving

from cluster.api import resources
from cluster.api.protobuf import decoder, encoder, messages

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata%s;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MERGE = {"Content_Type": "application/merge-patch+json"}
ROWS = [
    row
    for row in resources.built_in()
    if {"create", "get", "list", "watch", "delete", "patch"} <= set(row.verbs)
]
NAMED = {
    # Names that mean something, and what cannot be made without other parts of a cluster.
    "apiservices.apiregistration.k8s.io", "customresourcedefinitions.apiextensions.k8s.io",
    "ipaddresses.networking.k8s.io", "servicecidrs.networking.k8s.io",
    "events", "events.events.k8s.io",
}  # fmt: skip


def _id(row: resources.Resource) -> str:
    return f"{row.id}/{row.version}"


every = pytest.mark.parametrize("row", ROWS, ids=_id)


def place(row: resources.Resource) -> str:
    base = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
    return f"{base}/namespaces/default/{row.plural}" if row.namespaced else f"{base}/{row.plural}"


def body(row: resources.Resource, **metadata: Any) -> Any:
    found = minimal_objects.of(row)
    found["metadata"] = (found.get("metadata") or {}) | metadata
    if "generateName" in metadata:
        found["metadata"].pop("name", None)
    return found


@contextlib.asynccontextmanager
async def made(row: resources.Resource) -> AsyncIterator[tuple[Api, str, Any]]:
    """An API that has an object of `row`, its path, and the object."""
    async with serving() as api:
        answer = await api.create(place(row), body(row))
        assert answer.status == 201, answer.text
        yield api, f"{place(row)}/{answer.json['metadata']['name']}", answer.json


def run(row: resources.Resource, scenario: Callable[[Api, str, Any], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with made(row) as (api, path, obj):
            await scenario(api, path, obj)

    asyncio.run(whole())


@every
def test_dry_runs_store_nothing(row: resources.Resource) -> None:
    async def scenario() -> None:
        async with serving() as api:
            before = (await api.get(place(row))).json["items"]
            answer = await api.create(f"{place(row)}?dryRun=All", body(row))
            assert answer.status == 201, answer.text
            assert answer.json["metadata"]["uid"]
            assert (await api.get(place(row))).json["items"] == before

    asyncio.run(scenario())


@every
def test_updates_in_a_dry_run_and_conditional_ones(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        patch = {"metadata": {"labels": {"new": "label"}}}
        dry = await api.call("PATCH", f"{path}?dryRun=All", patch, **MERGE)
        assert dry.status == 200, dry.text
        assert dry.json["metadata"]["labels"]["new"] == "label"
        same = await api.get(path)
        assert same.json == obj
        put = await api.call("PUT", f"{path}?dryRun=All", obj)
        assert put.status == 200, put.text
        real = await api.call("PATCH", path, patch, **MERGE)
        assert real.status == 200
        late = await api.call("PUT", path, obj)
        assert (late.status, late.json["reason"]) == (409, "Conflict")
        strict = await api.call("PATCH", f"{path}?fieldValidation=Strict", {"colour": 1}, **MERGE)
        assert strict.status in (400, 422), strict.text
        assert "colour" in strict.json["message"]
        warned = await api.call("PATCH", f"{path}?fieldValidation=Warn", {"colour": 1}, **MERGE)
        assert warned.status == 200, warned.text
        assert 'unknown field \\"colour\\"' in ", ".join(warned.headers.getall("Warning"))

    run(row, scenario)


@every
def test_deletes_with_preconditions(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        metadata = obj["metadata"]
        for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
            answer = await api.call("DELETE", path, {"preconditions": wrong})
            assert (answer.status, answer.json["reason"]) == (409, "Conflict")
        assert (await api.call("DELETE", f"{path}?dryRun=All")).status == 200
        assert (await api.get(path)).json["metadata"].get("deletionTimestamp") is None
        right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        options = {"preconditions": right, "propagationPolicy": "Background"}
        answer = await api.call("DELETE", path, options | {"gracePeriodSeconds": 0})
        assert answer.status in (200, 202), answer.text
        gone = await api.get(path)
        assert gone.status == 404 or "deletionTimestamp" in gone.json["metadata"]
        unknown = await api.call("DELETE", f"{place(row)}/none-there")
        assert (unknown.status, unknown.json["reason"]) == (404, "NotFound")

    run(row, scenario)


@every
def test_every_form_of_a_get_and_a_list(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        name = obj["metadata"]["name"]
        for at in (path, place(row)):
            table = (await api.get(at, Accept=TABLE)).json
            assert table["kind"] == "Table"
            width = len(table["columnDefinitions"])
            assert all(len(each["cells"]) == width for each in table["rows"])
            assert name in [each["cells"][0] for each in table["rows"]] or "events" in row.id
            metadata = [each["object"]["metadata"]["name"] for each in table["rows"]]
            assert name in metadata
        partial = (await api.get(path, Accept=PARTIAL % "")).json
        assert set(partial) == {"kind", "apiVersion", "metadata"}
        listed = (await api.get(place(row), Accept=PARTIAL % "List")).json
        assert all(set(each) == {"kind", "apiVersion", "metadata"} for each in listed["items"])
        for at, kind in ((path, row.kind), (place(row), row.list_kind)):
            headers = {"Authorization": f"Bearer {TOKEN}", "Accept": PROTOBUF}
            async with api.session.get(api.url + at, headers=headers) as answer:
                if messages.named(row.api_version, row.kind) is None:
                    assert answer.status == 406
                    continue
                found = decoder.decode(await answer.read())
            assert (found["apiVersion"], found["kind"]) == (row.api_version, kind)
            whole = (await api.get(at)).json
            assert found == decoder.decode(encoder.encode(whole))

    run(row, scenario)


@every
def test_every_form_of_a_watch(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        name = obj["metadata"]["name"]
        query = f"?watch=1&resourceVersion=0&timeoutSeconds=5&fieldSelector=metadata.name%3D{name}"
        for accept, kind in (("application/json", row.kind), (TABLE, "Table"),
                             (PARTIAL % "", "PartialObjectMetadata")):  # fmt: skip
            async with api.watch(place(row) + query, Accept=accept) as events:
                event = await events.next()
                assert (event["type"], event["object"]["kind"]) == ("ADDED", kind)
        initial = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1"
        async with api.watch(place(row) + query + initial) as events:
            assert (await events.next())["type"] == "ADDED"
            mark = await events.next()
            assert mark["type"] == "BOOKMARK"
            assert (mark["object"]["apiVersion"], mark["object"]["kind"]) == (
                row.api_version, row.kind,
            )  # fmt: skip
            assert mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"

    run(row, scenario)


@every
def test_selectors_and_what_is_no_selector(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        for label in row.fields:
            for operator in ("=", "==", "!="):
                answer = await api.get(f"{place(row)}?fieldSelector={label}{operator}x".replace(
                    f"{operator}x", f"{operator.replace('=', '%3D')}x"))  # fmt: skip
                assert answer.status == 200, (label, answer.text)
        name = obj["metadata"]["name"]
        one = await api.get(f"{place(row)}?fieldSelector=metadata.name%3D{name}")
        assert [each["metadata"]["name"] for each in one.json["items"]] == [name]
        wrong = await api.get(f"{place(row)}?fieldSelector=spec.nobody%3Dx")
        assert (wrong.status, wrong.json["reason"]) == (400, "BadRequest")
        patch = {"metadata": {"labels": {"kept": "yes"}}}
        assert (await api.call("PATCH", path, patch, **MERGE)).status == 200
        found = await api.get(f"{place(row)}?labelSelector=kept+in+(yes)&limit=1&colour=red")
        assert [each["metadata"]["name"] for each in found.json["items"]] == [name]
        assert (await api.get(f"{place(row)}?labelSelector=!kept,kept")).json["items"] == []
        assert (await api.get(f"{place(row)}/?labelSelector=kept")).status == 200

    run(row, scenario)


@every
def test_collections_and_methods(row: resources.Resource) -> None:
    async def scenario(api: Api, path: str, obj: Any) -> None:
        if "deletecollection" in row.verbs:
            dry = await api.call("DELETE", f"{place(row)}?labelSelector=none%3Dhere")
            assert (dry.status, dry.json["items"]) == (200, [])
        else:
            assert (await api.call("DELETE", place(row))).status == 405
        assert (await api.get(path)).status == 200
        for method, at in (("PUT", place(row)), ("PATCH", place(row)), ("POST", path)):
            refused = await api.call(method, at, {})
            assert (refused.status, refused.json["reason"]) == (405, "MethodNotAllowed")
        if row.namespaced:
            everywhere = place(row).replace("/namespaces/default", "")
            assert (await api.get(everywhere)).status == 200
            assert (await api.create(everywhere, body(row))).status == 405

    run(row, scenario)


@pytest.mark.parametrize("row", [row for row in ROWS if row.id not in NAMED], ids=_id)
def test_names_that_the_server_makes(row: resources.Resource) -> None:
    async def scenario() -> None:
        async with serving() as api:
            names = set()
            for _ in range(2):
                answer = await api.create(
                    f"{place(row)}?dryRun=All", json.loads(json.dumps(body(row, generateName="g-")))
                )
                assert answer.status == 201, answer.text
                names.add(answer.json["metadata"]["name"])
            assert len(names) == 2
            assert all(name.startswith("g-") and len(name) == 7 for name in names)

    asyncio.run(scenario())
