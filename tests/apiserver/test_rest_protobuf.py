"""Answers in protobuf form: objects, lists, watches, errors and discovery."""

import asyncio
from typing import Any

import pytest
from rest_world import MAPS, PODS, TOKEN, Api, config_map, pod, serving

from cluster.api.protobuf import decoder, encoder, wire

PROTOBUF = "application/vnd.kubernetes.protobuf"
PARTIAL = f"{PROTOBUF};as=PartialObjectMetadata%s;g=meta.k8s.io;v=v1"


async def ask(
    api: Api, method: str, path: str, accept: str = PROTOBUF, body: Any = None
) -> tuple[int, str, bytes]:
    """Status, content type and bytes of an answer; `body` is a document, sent as protobuf."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept, "Content-Type": PROTOBUF}
    data = encoder.encode(body) if body is not None else None
    async with api.session.request(method, api.url + path, headers=headers, data=data) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.read()


def full(value: Any) -> Any:
    """The value without empty structs, which no message need say."""
    if isinstance(value, dict):
        return {key: full(inner) for key, inner in value.items() if inner != {}}
    return [full(inner) for inner in value] if isinstance(value, list) else value


def run(scenario: Any) -> None:
    async def whole() -> None:
        async with serving() as api:
            await scenario(api)

    asyncio.run(whole())


def test_objects_come_and_go_as_messages() -> None:
    async def scenario(api: Api) -> None:
        status, media, made = await ask(api, "POST", PODS, body=pod("a"))
        assert (status, media) == (201, PROTOBUF)
        assert made.startswith(b"k8s\0")
        in_json = (await api.get(f"{PODS}/a")).json
        assert full(decoder.decode(made)) == full(in_json)
        _, _, read = await ask(api, "GET", f"{PODS}/a")
        assert full(decoder.decode(read)) == full(in_json)
        _, media, _ = await ask(api, "GET", f"{PODS}/a", "application/json")
        assert media == "application/json"

    run(scenario)


def test_lists_and_their_metadata() -> None:
    async def scenario(api: Api) -> None:
        for name in ("a", "b", "c"):
            await api.create(MAPS, config_map(name, key=name))
        _, media, raw = await ask(api, "GET", f"{MAPS}?limit=2")
        listed = decoder.decode(raw)
        in_json = (await api.get(f"{MAPS}?limit=2")).json
        for item in in_json["items"]:
            item.pop("kind", None)
            item.pop("apiVersion", None)
        assert media == PROTOBUF
        assert listed == in_json
        _, media, raw = await ask(api, "GET", MAPS, PARTIAL % "List")
        partial = decoder.decode(raw)
        assert (partial["kind"], partial["apiVersion"]) == (
            "PartialObjectMetadataList", "meta.k8s.io/v1",
        )  # fmt: skip
        assert [set(item) for item in partial["items"]] == [{"metadata"}] * 3
        status, _, raw = await ask(api, "GET", f"{MAPS}/a", PARTIAL % "")
        assert (status, decoder.decode(raw)["kind"]) == (200, "PartialObjectMetadata")
        status, _, _ = await ask(api, "GET", MAPS, PARTIAL % "")
        assert status == 406

    run(scenario)


def test_a_watch_sends_frames() -> None:
    async def scenario(api: Api) -> None:
        await api.create(MAPS, config_map("a"))
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": f"{PROTOBUF};stream=watch"}
        url = f"{api.url}{MAPS}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Da"
        async with api.session.get(url, headers=headers) as answer:
            assert answer.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
            await api.call("DELETE", f"{MAPS}/a")
            for expected in (b"ADDED", b"DELETED"):
                size = int.from_bytes(await answer.content.readexactly(4))
                event = dict(wire.fields(await answer.content.readexactly(size)))
                assert event[1] == expected
                raw = event[2]
                assert isinstance(raw, bytes)
                body = dict(wire.fields(raw))[1]
                assert isinstance(body, bytes)
                assert decoder.decode(body)["metadata"]["name"] == "a"

    run(scenario)


def test_an_old_watch_hears_its_error_as_a_message() -> None:
    async def scenario(api: Api) -> None:
        status, media, raw = await ask(api, "GET", f"{MAPS}?watch=1&resourceVersion=999999")
        found = decoder.decode(raw)
        assert (status, media) == (504, PROTOBUF)
        assert found["reason"] == "Timeout"

    run(scenario)


def test_errors_are_messages_where_messages_are_wanted_first() -> None:
    async def scenario(api: Api) -> None:
        status, media, raw = await ask(api, "GET", f"{PODS}/none", f"{PROTOBUF},application/json")
        found = decoder.decode(raw)
        assert (status, media) == (404, PROTOBUF)
        assert found == full((await api.get(f"{PODS}/none")).json)
        _, media, _ = await ask(api, "GET", f"{PODS}/none", f"application/json,{PROTOBUF}")
        assert media == "application/json"

    run(scenario)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/api", "APIVersions"), ("/apis", "APIGroupList"), ("/apis/apps", "APIGroup"),
     ("/apis/apps/v1", "APIResourceList"), ("/api/v1", "APIResourceList")],
)  # fmt: skip
def test_discovery_as_messages(path: str, kind: str) -> None:
    async def scenario(api: Api) -> None:
        status, media, raw = await ask(api, "GET", path)
        found, in_json = decoder.decode(raw), (await api.get(path)).json
        assert (status, media, found["kind"]) == (200, PROTOBUF, kind)
        for resource in in_json.get("resources", ()):  # what is false or empty is not said
            if not resource["singularName"]:
                del resource["singularName"]
        assert found.get("resources") == in_json.get("resources")
        assert found.get("groups") == in_json.get("groups")

    run(scenario)


def test_a_table_is_json_only() -> None:
    async def scenario(api: Api) -> None:
        table = "as=Table;g=meta.k8s.io;v=v1"
        status, _, _ = await ask(api, "GET", PODS, f"{PROTOBUF};{table}")
        assert status == 406
        _, media, _ = await ask(api, "GET", PODS, f"{PROTOBUF};{table},application/json;{table}")
        assert media == "application/json"

    run(scenario)


def test_yaml_cannot_be_watched() -> None:
    async def scenario(api: Api) -> None:
        answer = await api.get(f"{PODS}?watch=1", Accept="application/yaml")
        assert answer.status == 406
        assert answer.json["message"].endswith(
            "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        )

    run(scenario)
