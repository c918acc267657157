"""Webhooks that answer anything at all, and worlds that are the same for the same seed."""

import base64
import json

import msgspec
import pytest
import registry_world as rw
import webhook_world as ww
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver.outbound.protocol import Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("uid", "patch", "patchType", "status", "warnings", "auditAnnotations")
STATUS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("message", "reason", "code", "details", "status", "metadata"), JSON),
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
            "path": st.sampled_from(
                ["", "/", "/data", "/data/k", "/metadata", "/metadata/name", "/metadata/labels",
                 "/metadata/managedFields", "/kind", "/apiVersion", "/data/-", "/metadata/uid"]
            ),
        },
        optional={"value": JSON, "from": st.sampled_from(["/data", "", "/x"])},
    ),
    max_size=4,
)  # fmt: skip
PATCHED = STEPS.map(
    lambda steps: {
        "allowed": True, "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(steps).encode()).decode(),
    }
)  # fmt: skip
RESPONSES = st.one_of(
    PATCHED,
    st.fixed_dictionaries({"allowed": JSON}, optional=dict.fromkeys(NAMES, JSON)),
    STATUS.map(lambda status: {"allowed": False, "status": status}),
)
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _fault(_operation, error):
    raise error


async def _asked(resource, answer):
    """What becomes of a new config map; every error is a Status that can be sent."""
    async with ww.world(a=lambda _: answer) as world:
        world.registry._writer._fault = _fault
        await ww.configure(world, resource, ww.hook("a"))
        try:
            made = await world.create("configmaps", rw.config_map("x", k="v"))
        except errors.StatusError as error:
            found = json.loads(msgspec.json.encode(error.status()))
            assert 400 <= found["code"] <= 599
            assert isinstance(found["reason"], str)
            assert not await world.exists("configmaps", "x")
        else:
            assert made["metadata"]["name"] == "x"
            assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
            for key, value in (made.get("data") or {}).items():
                assert (type(key), type(value)) == (str, str)


@QUIET
@given(response=RESPONSES)
@pytest.mark.parametrize("resource", [ww.MUTATING, ww.VALIDATING])
def test_no_response_breaks_the_server(resource, response):
    virtual.run(_asked(resource, response))


@QUIET
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_server(body):
    virtual.run(_asked(ww.VALIDATING, Answer(200, {}, body)))


@QUIET
@given(status=st.integers(100, 999), body=st.binary(max_size=50))
def test_no_status_breaks_the_server(status, body):
    virtual.run(_asked(ww.MUTATING, Answer(status, {}, body)))


def test_answers_that_are_nested_deeply_are_no_answers():
    deep = b'{"response":' * 100_000
    virtual.run(_asked(ww.MUTATING, Answer(200, {}, deep)))


def test_the_same_seed_gives_the_same_questions_byte_for_byte():
    async def once():
        async with ww.world(a=ww.label("a", "1"), b=ww.allow) as world:
            again = ww.hook("a", ["*"], ["*"], reinvocationPolicy="IfNeeded")
            await ww.configure(world, ww.MUTATING, again)
            await ww.configure(world, ww.VALIDATING, ww.hook("b", ["*"], ["*"]))
            batch = [rw.create("configmaps", rw.config_map(f"x{n}")) for n in range(5)]
            batch.append(rw.create("secrets", {"metadata": {"generateName": "s-"}}))
            await world.registry.write(batch, rw.USER)
            return world.caller.calls

    first = virtual.run(once())
    assert len(first) == 12
    assert first == virtual.run(once())
