import asyncio
import json

import pytest
from rest_world import MAPS, PODS, config_map, pod, serving


def test_an_object_from_its_creation_to_its_end() -> None:
    async def scenario() -> None:
        async with serving() as api:
            made = await api.create(MAPS, config_map("a", x="1"))
            assert (made.status, made.json["data"]) == (201, {"x": "1"})
            assert made.headers["Content-Type"] == "application/json"
            got = await api.get(f"{MAPS}/a")
            assert got.json == made.json
            changed = made.json | {"data": {"x": "2"}}
            put = await api.call("PUT", f"{MAPS}/a", changed)
            assert (put.status, put.json["data"]) == (200, {"x": "2"})
            gone = await api.call("DELETE", f"{MAPS}/a")
            assert (gone.status, gone.json["status"]) == (200, "Success")
            assert gone.json["details"]["uid"] == made.json["metadata"]["uid"]
            assert (await api.get(f"{MAPS}/a")).status == 404

    asyncio.run(scenario())


PATCHES = [
    ("application/merge-patch+json", {"data": {"y": "2"}}, {"x": "1", "y": "2"}),
    ("application/strategic-merge-patch+json", {"data": {"x": None}}, None),
    ("application/json-patch+json", [{"op": "replace", "path": "/data/x", "value": "7"}],
     {"x": "7"}),
]  # fmt: skip


@pytest.mark.parametrize(("media", "patch", "data"), PATCHES)
def test_patches_by_content_type(media: str, patch: object, data: object) -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a", x="1"))
            done = await api.call("PATCH", f"{MAPS}/a", patch, Content_Type=media)
            assert (done.status, done.json.get("data") or None) == (200, data)

    asyncio.run(scenario())


def test_yaml_in_and_out() -> None:
    async def scenario() -> None:
        async with serving() as api:
            text = (
                b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {when: 2024-01-01}\n"
            )
            made = await api.create(MAPS, text, Content_Type="application/yaml")
            assert (made.status, made.json["data"]) == (201, {"when": "2024-01-01"})
            got = await api.get(f"{MAPS}/a", Accept="application/yaml")
            assert got.headers["Content-Type"] == "application/yaml"
            assert "kind: ConfigMap" in got.text

    asyncio.run(scenario())


def test_lists_in_pages() -> None:
    async def scenario() -> None:
        async with serving() as api:
            for name in "abc":
                await api.create(MAPS, config_map(name))
            everything = (await api.get(MAPS)).json
            assert everything["kind"] == "ConfigMapList"
            assert int(everything["metadata"]["resourceVersion"]) > 0
            first = (await api.get(f"{MAPS}?limit=2&labelSelector=n")).json
            assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
            token = first["metadata"]["continue"]
            rest = (await api.get(f"{MAPS}?limit=2&labelSelector=n&continue={token}")).json
            assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
            assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
            one = (await api.get(f"{MAPS}?fieldSelector=metadata.name%3Db")).json
            assert [item["metadata"]["name"] for item in one["items"]] == ["b"]

    asyncio.run(scenario())


def test_a_list_larger_than_a_chunk_arrives_whole() -> None:
    async def scenario() -> None:
        async with serving() as api:
            for number in range(8):
                await api.create(MAPS, config_map(f"m{number}", x="x" * 300_000))
            answer = await api.get(MAPS)
            assert int(answer.headers["Content-Length"]) == len(answer.text.encode())
            found = [len(item["data"]["x"]) for item in answer.json["items"] if "data" in item]
            assert found.count(300_000) == 8

    asyncio.run(scenario())


def test_dry_run_changes_nothing() -> None:
    async def scenario() -> None:
        async with serving() as api:
            made = await api.create(f"{MAPS}?dryRun=All", config_map("a"))
            assert (made.status, made.json["metadata"]["name"]) == (201, "a")
            assert (await api.get(f"{MAPS}/a")).status == 404
            await api.create(MAPS, config_map("b"))
            for path, body in ((f"{MAPS}/b?dryRun=All", None), (f"{MAPS}/b", {"dryRun": ["All"]})):
                assert (await api.call("DELETE", path, body)).status == 200
                assert (await api.get(f"{MAPS}/b")).status == 200

    asyncio.run(scenario())


def test_deleting_a_collection_spares_what_is_not_selected() -> None:
    async def scenario() -> None:
        async with serving() as api:
            for name in "abc":
                await api.create(MAPS, config_map(name))
            gone = await api.call("DELETE", f"{MAPS}?labelSelector=n+in+(a,b)")
            assert [item["metadata"]["name"] for item in gone.json["items"]] == ["a", "b"]
            left = (await api.get(f"{MAPS}?labelSelector=n")).json["items"]
            assert [item["metadata"]["name"] for item in left] == ["c"]

    asyncio.run(scenario())


def test_subresources() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(PODS, pod("a"))
            binding = {"target": {"kind": "Node", "name": "n1"}, "metadata": {"name": "a"}}
            assert (await api.create(f"{PODS}/a/binding", binding)).status == 201
            status = {"status": {"phase": "Running"}}
            merge = "application/merge-patch+json"
            done = await api.call("PATCH", f"{PODS}/a/status", status, Content_Type=merge)
            assert done.json["status"]["phase"] == "Running"
            assert (await api.get(f"{PODS}/a")).json["spec"]["nodeName"] == "n1"
            found = (await api.get("/api/v1/pods?fieldSelector=spec.nodeName=n1")).json
            assert len(found["items"]) == 1

    asyncio.run(scenario())


def test_warnings_are_headers() -> None:
    async def scenario() -> None:
        async with serving() as api:
            odd = pod("a")
            odd["spec"]['no"such\\field'] = 1
            made = await api.create(f"{PODS}?fieldValidation=Warn", odd)
            assert made.status == 201
            assert made.headers.getall("Warning") == [
                '299 - "unknown field \\"spec.no\\"such\\\\field\\""'
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "agent", "indented"),
    [
        (f"{MAPS}/a", "kubectl/v1", False),
        (f"{MAPS}/a", "curl/8", True),
        (f"{MAPS}/a?pretty=false", "curl/8", False),
        (f"{MAPS}/a?pretty=true", "kubectl/v1", True),
    ],
)
def test_people_get_line_breaks(path: str, agent: str, indented: bool) -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a"))
            answer = await api.get(path, User_Agent=agent)
            assert ("\n" in answer.text.strip()) is indented

    asyncio.run(scenario())


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def test_tables() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(PODS, pod("a"))
            api.clock.time += 90
            for path in (PODS, f"{PODS}/a"):
                table = (await api.get(path, Accept=TABLE)).json
                assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
                columns = [column["name"] for column in table["columnDefinitions"]]
                row = table["rows"][0]
                shown = dict(zip(columns, row["cells"], strict=True))
                assert (shown["Name"], shown["Ready"], shown["Age"]) == ("a", "0/1", "90s")
                assert row["object"]["kind"] == "PartialObjectMetadata"
                assert row["object"]["metadata"]["name"] == "a"
                assert int(table["metadata"]["resourceVersion"]) > 0
            whole = (await api.get(f"{PODS}?includeObject=Object", Accept=TABLE)).json
            assert whole["rows"][0]["object"]["spec"]["containers"][0]["image"] == "nginx"
            bare = (await api.get(f"{PODS}?includeObject=None", Accept=TABLE)).json
            assert bare["rows"][0]["object"] is None
            wrong = await api.get(f"{PODS}?includeObject=Some", Accept=TABLE)
            assert (wrong.status, wrong.json["reason"]) == (400, "BadRequest")

    asyncio.run(scenario())


def test_metadata_only() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a", x="1"))
            one = await api.get(
                f"{MAPS}/a", Accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
            )
            assert sorted(one.json) == ["apiVersion", "kind", "metadata"]
            many = await api.get(
                MAPS, Accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
            )
            assert many.json["kind"] == "PartialObjectMetadataList"
            assert all("data" not in item for item in many.json["items"])

    asyncio.run(scenario())


def test_bodies_in_protobuf() -> None:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    about = field(1, b"v1") + field(2, b"Namespace")
    metadata = field(1, field(1, b"team"))
    body = b"k8s\0" + field(1, about) + field(2, metadata)

    async def scenario() -> None:
        async with serving() as api:
            made = await api.create(
                "/api/v1/namespaces", body, Content_Type="application/vnd.kubernetes.protobuf"
            )
            assert (made.status, made.json["metadata"]["name"]) == (201, "team")

    asyncio.run(scenario())


def test_bodies_without_kind_or_type_are_taken_as_their_url_says() -> None:
    async def scenario() -> None:
        async with serving() as api:
            body = json.dumps({"metadata": {"name": "a"}}).encode()
            made = await api.create(MAPS, body, Content_Type="")
            assert (made.status, made.json["kind"]) == (201, "ConfigMap")

    asyncio.run(scenario())


def test_a_client_that_leaves_in_the_middle_of_a_list_is_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with serving() as api:
            for number in range(16):
                await api.create(MAPS, config_map(f"m{number}", x="x" * 1_000_000))
            response = await api.session.get(
                api.url + MAPS, headers={"Authorization": "Bearer secret"}
            )
            await response.content.readexactly(1000)
            response.close()
            assert (await api.get(f"{MAPS}/m1")).status == 200

    asyncio.run(scenario())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(("version", "promised"), [("1.34", "n0"), ("1.35", None)])
def test_a_bound_pod_is_promised_no_node_any_more(version: str, promised: str | None) -> None:
    async def scenario() -> None:
        async with serving(version=version) as api:
            await api.create(PODS, pod("a"))
            merge = "application/merge-patch+json"
            status = {"status": {"nominatedNodeName": "n0"}}
            await api.call("PATCH", f"{PODS}/a/status", status, Content_Type=merge)
            await api.create(f"{PODS}/a/binding", {"target": {"kind": "Node", "name": "n1"}})
            found = (await api.get(f"{PODS}/a")).json
            assert found["spec"]["nodeName"] == "n1"
            assert found["status"].get("nominatedNodeName") == promised

    asyncio.run(scenario())
