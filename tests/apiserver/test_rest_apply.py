"""Server-side apply over HTTP: codes, managers, bodies, and what is hostile."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_world import MAPS, PODS, Answer, Api, config_map, pod, serving

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


async def apply(api: Api, path: str, body: Any, manager: str = "me", **query: str) -> Answer:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return await api.call("PATCH", f"{path}?fieldManager={manager}{more}", body, Content_Type=APPLY)


def managers(answer: Answer) -> list[str]:
    return [entry["manager"] for entry in answer.json["metadata"].get("managedFields", [])]


def test_what_apply_makes_is_created_and_what_it_finds_is_ok() -> None:
    async def scenario() -> None:
        async with serving() as api:
            body = config_map("a", x="1")
            codes = [
                (await apply(api, f"{MAPS}/a", body, dryRun="All")).status,
                (await apply(api, f"{MAPS}/a", body)).status,
                (await apply(api, f"{MAPS}/a", body)).status,
                (await apply(api, f"{MAPS}/a", body, dryRun="All")).status,
                (await apply(api, f"{MAPS}/a", config_map("a", x="2"), dryRun="All")).status,
                (await apply(api, f"{MAPS}/a", config_map("a", x="2"))).status,
            ]
            assert codes == [201, 201, 200, 200, 200, 200]

    asyncio.run(scenario())


def test_a_body_may_be_yaml_or_json() -> None:
    async def scenario() -> None:
        async with serving() as api:
            text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n"
            made = await apply(api, f"{MAPS}/a", text)
            assert (made.status, made.json["data"]) == (201, {"x": "y"})
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
            same = await apply(api, f"{MAPS}/a", body | {"data": {"x": "y"}})
            assert same.json == made.json

    asyncio.run(scenario())


def test_a_conflict_is_409_until_it_is_forced() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a", x="1"), User_Agent="curl/8.1 (x)")
            refused = await apply(api, f"{MAPS}/a", config_map("a", x="2"))
            assert (refused.status, refused.json["reason"]) == (409, "Conflict")
            assert refused.json["details"]["causes"] == [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "curl" using v1',
                    "field": ".data.x",
                }
            ]
            done = await apply(api, f"{MAPS}/a", config_map("a", x="2"), force="true")
            assert (done.status, done.json["data"]) == (200, {"x": "2"})

    asyncio.run(scenario())


def test_a_manager_is_named_by_parameter_or_user_agent_or_is_unknown() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a", x="1"), User_Agent="curl/8.1")
            path = f"{MAPS}/a?fieldManager=named"
            changed = await api.call("PATCH", path, {"data": {"y": "1"}}, Content_Type=MERGE)
            assert managers(changed) == ["curl", "named"]
            bare = await api.create(MAPS, config_map("b", x="1"))
            assert managers(bare) == ["admin"]

    asyncio.run(scenario())


def test_times_of_managers_tell_their_last_change() -> None:
    async def scenario() -> None:
        async with serving() as api:
            made = await apply(api, f"{MAPS}/a", config_map("a", x="1"))
            api.clock.time += 60
            same = await apply(api, f"{MAPS}/a", config_map("a", x="1"))
            assert same.json == made.json
            await apply(api, f"{MAPS}/a", config_map("a", y="1"), "you")
            later = await apply(api, f"{MAPS}/a", config_map("a", x="2"))
            times = {e["manager"]: e["time"] for e in later.json["metadata"]["managedFields"]}
            assert times == {"me": "2027-01-15T08:01:00Z", "you": "2027-01-15T08:01:00Z"}

    asyncio.run(scenario())


@pytest.mark.parametrize(("validation", "status"), [("Strict", 400), ("Warn", 201)])
def test_repeated_fields_are_refused_or_warned_of(validation: str, status: int) -> None:
    async def scenario() -> None:
        async with serving() as api:
            text = json.dumps(config_map("a")).replace('"data": {', '"data": {"x":"1","x":"2",')
            text = text.replace(",}", "}")
            done = await apply(api, f"{MAPS}/a", text.encode(), fieldValidation=validation)
            assert done.status == status
            told = done.text if status == 400 else done.headers["Warning"]
            assert "duplicate field" in told

    asyncio.run(scenario())


def test_old_managers_become_one_when_there_are_too_many() -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(f"{MAPS}?fieldManager=m0", config_map("a", k0="1"))
            for number in range(1, 13):
                api.clock.time += 1
                path = f"{MAPS}/a?fieldManager=m{number}"
                body = {"data": {f"k{number}": "1"}}
                done = await api.call("PATCH", path, body, Content_Type=MERGE)
            assert managers(done) == ["ancient-changes", *(f"m{n}" for n in range(4, 13))]
            oldest = done.json["metadata"]["managedFields"][0]
            assert list(oldest["fieldsV1"]["f:data"]) == [".", "f:k0", "f:k1", "f:k2", "f:k3"]

    asyncio.run(scenario())


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4)
)
names = st.sampled_from(
    ["metadata", "spec", "data", "containers", "name", "ports", "labels", "managedFields", "env",
     "fieldsV1", "f:data", "k:{}", ".", "v:1", "finalizers", "ownerReferences", "uid", "status"]
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)


def laid_on(base: dict[str, Any], wild: Any) -> Any:
    """A document that is right to begin with, and wild somewhere."""
    if not isinstance(wild, dict):
        return wild
    found = dict(base)
    for name, value in wild.items():
        inside = found.get(name)
        found[name] = laid_on(inside, value) if isinstance(inside, dict) else value
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(documents, st.sampled_from(["APPLY", "MERGE", "PUT"])), max_size=30))
def test_wild_bodies_are_answered_with_sense(bodies: list[tuple[Any, str]]) -> None:
    async def scenario() -> None:
        async with serving() as api:
            await api.create(MAPS, config_map("a", x="1"))
            await api.create(PODS, pod("a"))
            for wild, how in bodies:
                for path, base in ((f"{MAPS}/a", config_map("a")), (f"{PODS}/a", pod("a"))):
                    body = laid_on(base, wild)
                    if how == "APPLY":
                        done = await apply(api, path, body, force="true")
                    elif how == "PUT":
                        done = await api.call("PUT", path, body)
                    else:
                        done = await api.call("PATCH", path, wild, Content_Type=MERGE)
                    assert done.status < 500, (how, body, done.text)
            for path in (f"{MAPS}/a", f"{PODS}/a"):
                assert (await api.get(path)).status == 200

    asyncio.run(scenario())
