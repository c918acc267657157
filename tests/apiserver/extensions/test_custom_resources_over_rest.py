"""Custom resources over REST: Tables, warnings, documents, and bodies that they do not take."""

import asyncio
import copy
import random
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from crd_world import VERSION, definition, widget
from rest_world import serving

from cluster.aio import tasks
from cluster.api.protobuf import decoder
from cluster.apiserver.extensions.controller import Extensions

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
V1 = "/apis/example.com/v1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@asynccontextmanager
async def extended(*versions: Any):
    async with serving() as api, tasks.Group("test") as group:
        extensions = Extensions(api.registry, random.Random(1))
        extensions.open()
        group.spawn(extensions.run(), "extensions")
        made = await api.create(CRDS, definition(*versions))
        assert made.status == 201
        async with asyncio.timeout(10):
            while api.registry.table.get("widgets.example.com") is None:
                await asyncio.sleep(0)
        yield api
        group.cancel()


def test_a_custom_resource_over_rest() -> None:
    async def scenario() -> None:
        old = copy.deepcopy(VERSION) | {
            "name": "v1beta1", "storage": False, "deprecated": True,
            "deprecationWarning": "use v1",
        }  # fmt: skip
        async with extended(VERSION, old) as api:
            path = f"{V1}/namespaces/default/widgets"
            assert (await api.create(path, widget())).status == 201
            shown = await api.get(path, Accept=TABLE)
            columns = [column["name"] for column in shown.json["columnDefinitions"]]
            assert columns == ["Name", "Color", "Age"]
            assert shown.json["rows"][0]["cells"][:2] == ["a", "red"]
            assert "Warning" not in shown.headers

            seen = await api.get("/apis/example.com/v1beta1/namespaces/default/widgets/a")
            assert seen.json["apiVersion"] == "example.com/v1beta1"
            assert seen.headers["Warning"] == '299 - "use v1"'

            body = {"Content_Type": "application/vnd.kubernetes.protobuf"}
            refused = await api.call("POST", path, b"k8s\0", **body)
            assert refused.status == 415
            patch = {"Content_Type": "application/strategic-merge-patch+json"}
            refused = await api.call("PATCH", f"{path}/a", b"{}", **patch)
            assert refused.status == 415

    asyncio.run(scenario())


def test_documents_tell_of_it_and_forget_it() -> None:
    async def scenario() -> None:
        async with extended() as api:
            groups = (await api.get("/apis")).json["groups"]
            (found,) = [group for group in groups if group["name"] == "example.com"]
            assert found["preferredVersion"]["version"] == "v1"
            listed = (await api.get(V1)).json["resources"]
            assert [each["name"] for each in listed] == [
                "widgets", "widgets/scale", "widgets/status",
            ]  # fmt: skip
            index = (await api.get("/openapi/v3")).json["paths"]
            document = (await api.get(index["apis/example.com/v1"]["serverRelativeURL"])).json
            schema = document["components"]["schemas"]["com.example.v1.Widget"]
            assert schema["x-kubernetes-group-version-kind"] == [
                {"group": "example.com", "kind": "Widget", "version": "v1"}
            ]
            assert schema["properties"]["spec"]["properties"]["size"]["default"] == 3
            patch = document["paths"][f"{V1}/namespaces/{{namespace}}/widgets/{{name}}"]["patch"]
            assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
            v2 = (await api.get("/openapi/v2")).json["definitions"]
            assert v2["com.example.v1.WidgetList"]["properties"]["items"]["items"] == {
                "$ref": "#/definitions/com.example.v1.Widget"
            }
            builtin = index["apis/apps/v1"]
            name = definition()["metadata"]["name"]
            assert (await api.call("DELETE", f"{CRDS}/{name}")).status == 200
            async with asyncio.timeout(10):
                while api.registry.table.get("widgets.example.com") is not None:
                    await asyncio.sleep(0.001)
            index = (await api.get("/openapi/v3")).json["paths"]
            assert "apis/example.com/v1" not in index
            assert index["apis/apps/v1"] == builtin
            assert (await api.get(V1)).status == 404
            assert "example.com" not in msgspec.json.encode((await api.get("/apis")).json).decode()

    asyncio.run(scenario())


def test_custom_objects_have_no_messages_but_their_metadata_has() -> None:
    protobuf = "application/vnd.kubernetes.protobuf"

    async def scenario() -> None:
        async with extended() as api:
            path = f"{V1}/namespaces/default/widgets"
            assert (await api.create(path, widget())).status == 201
            shown = await api.get(f"{path}/a", Accept=f"{protobuf},application/json")
            assert shown.headers["Content-Type"] == "application/json"
            partial = f"{protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            headers = {"Authorization": "Bearer secret", "Accept": protobuf}
            async with api.session.get(f"{api.url}{path}/a", headers=headers) as answer:
                assert answer.status == 406
                status = decoder.decode(await answer.read())
            assert status["message"].endswith("application/json, application/yaml")
            headers["Accept"] = partial
            async with api.session.get(f"{api.url}{path}/a", headers=headers) as answer:
                found = decoder.decode(await answer.read())
            assert found["kind"] == "PartialObjectMetadata"
            assert found["metadata"]["name"] == "a"

    asyncio.run(scenario())
