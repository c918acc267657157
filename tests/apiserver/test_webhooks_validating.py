"""ValidatingAdmissionWebhook over a registry whose webhooks are functions."""

import asyncio

import pytest
import registry_world as rw
import webhook_world as ww

from cluster.aio import virtual
from cluster.api import errors


def run(test, **hooks):
    async def main():
        async with ww.world(**hooks) as world:
            await test(world)

    virtual.run(main())


def deny(message):
    return lambda _request: {"allowed": False, "status": {"message": message, "code": 403}}


def test_all_are_asked_at_once_and_the_first_refusal_counts():
    async def test(world):
        hooks = [ww.hook(name) for name in ("a", "b", "c")]
        await ww.configure(world, ww.VALIDATING, *hooks)
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(errors.StatusError) as caught:
            await world.create("configmaps", rw.config_map("x"))
        assert loop.time() - started == pytest.approx(0.5)
        assert caught.value.message == (
            'admission webhook "b.example.com" denied the request: second'
        )
        assert caught.value.code == 403
        assert sorted(world.caller.asked) == ["a", "b", "c"]

    run(test, a=ww.allow, b=deny("second"), c=deny("third"))


def test_it_sees_the_object_as_it_will_be_stored():
    async def test(world):
        await ww.configure(world, ww.MUTATING, ww.hook("change"))
        await ww.configure(world, ww.VALIDATING, ww.hook("look", operations=["CREATE", "UPDATE"]))
        made = await world.create("configmaps", rw.config_map("x"))
        seen = world.caller.requests[-1]["object"]
        assert seen["metadata"]["uid"] == made["metadata"]["uid"]
        assert seen["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
        assert seen["metadata"]["labels"] == {"a": "1"}
        await world.patch("configmaps", "x", {"data": {"k": "v"}})
        seen = world.caller.requests[-1]
        before = made["metadata"]["resourceVersion"]
        assert seen["object"]["metadata"]["resourceVersion"] == before
        assert seen["oldObject"]["metadata"]["resourceVersion"] == before

    run(test, change=ww.label("a", "1"), look=ww.allow)


def test_it_may_not_change_anything():
    patch = {"op": "add", "path": "/data", "value": {}}

    async def test(world):
        await ww.configure(world, ww.VALIDATING, ww.hook("a"))
        why = "received invalid webhook response: validating webhook may not return response.patch"
        with pytest.raises(errors.InternalError, match=why):
            await world.create("configmaps", rw.config_map("x"))

    run(test, a=ww.patching(patch))


def test_a_webhook_with_side_effects_ends_a_dry_run():
    """Such webhooks are of old: validation takes none any more, but leaves those that are there."""

    async def test(world):
        await ww.configure(world, ww.VALIDATING, ww.hook("a"))
        plugin = next(
            each
            for each in world.registry._chain._plugins
            if each.name == "ValidatingAdmissionWebhook"
        )
        body = {"metadata": {"name": "hooks"}, "webhooks": [ww.hook("a", sideEffects="Some")]}
        plugin._index._by_name["hooks"] = plugin._index._build(body)
        plugin._index.items = tuple(plugin._index._by_name["hooks"])
        plugin._index._known.clear()
        with pytest.raises(errors.BadRequest) as caught:
            await world.create("configmaps", rw.config_map("x"), dry_run=True)
        assert caught.value.message == (
            'admission webhook "a.example.com" does not support dry run'
        )
        assert not world.caller.calls

    run(test, a=ww.allow)


@pytest.mark.parametrize("allowed", [True, False])
def test_warnings_reach_the_user_whether_it_goes_well_or_not(allowed):
    async def test(world):
        await ww.configure(world, ww.VALIDATING, ww.hook("a"))
        heard, noted = [], []
        (result,) = await world.registry.write(
            [rw.create("configmaps", rw.config_map("x"))],
            rw.USER,
            lambda _index, text: heard.append(text),
            lambda _index, key, value: noted.append((key, value)),
        )
        assert isinstance(result, errors.StatusError) is not allowed
        assert heard == ["beware"]
        assert noted == [("a.example.com/why", "because")]

    answer = {"allowed": allowed, "warnings": ["beware"], "auditAnnotations": {"why": "because"}}
    run(test, a=lambda _: answer)


NAMESPACED = {
    "not in": ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, ["free"]),
    "in": ({"matchLabels": {"a": "b"}}, ["bound"]),
    "all": ({}, ["free", "bound"]),
}


@pytest.mark.parametrize("name", NAMESPACED)
def test_the_labels_of_the_namespace_select(name):
    selector, seen = NAMESPACED[name]

    async def test(world):
        await world.create("namespaces", {"metadata": {"name": "free"}}, "")
        labelled = {"metadata": {"name": "bound", "labels": {"a": "b"}}}
        await world.create("namespaces", labelled, "")
        await ww.configure(world, ww.VALIDATING, ww.hook("a", namespaceSelector=selector))
        for space in ("free", "bound"):
            await world.create("configmaps", rw.config_map("x"), space)
        assert [request["namespace"] for request in world.caller.requests] == seen

    run(test, a=ww.allow)


def test_a_new_namespace_is_selected_by_its_own_labels():
    async def test(world):
        selector = {"matchLabels": {"a": "b"}}
        hook = ww.hook("a", ["namespaces"], namespaceSelector=selector)
        await ww.configure(world, ww.VALIDATING, hook)
        await world.create("namespaces", {"metadata": {"name": "one"}}, "")
        labelled = {"metadata": {"name": "two", "labels": {"a": "b"}}}
        await world.create("namespaces", labelled, "")
        (request,) = world.caller.requests
        assert (request["name"], request["namespace"]) == ("two", "two")

    run(test, a=ww.allow)


def test_the_object_selector_looks_at_both_states():
    async def test(world):
        selector = {"matchLabels": {"a": "b"}}
        hook = ww.hook("a", operations=["CREATE", "UPDATE"], objectSelector=selector)
        await ww.configure(world, ww.VALIDATING, hook)
        body = rw.config_map("x")
        body["metadata"]["labels"] = {"a": "b"}
        await world.create("configmaps", body)
        await world.patch("configmaps", "x", {"metadata": {"labels": {"a": None}}})
        await world.patch("configmaps", "x", {"data": {"now": "unlabelled"}})
        assert [request["operation"] for request in world.caller.requests] == ["CREATE", "UPDATE"]

    run(test, a=ww.allow)


@pytest.mark.parametrize(
    ("scope", "asked"), [("Cluster", ["two"]), ("Namespaced", ["x"]), ("*", ["x", "two"])]
)
def test_scope_tells_apart_what_lies_in_a_namespace(scope, asked):
    async def test(world):
        hook = ww.hook("a", ["configmaps", "namespaces"])
        hook["rules"][0]["scope"] = scope
        await ww.configure(world, ww.VALIDATING, hook)
        await world.create("configmaps", rw.config_map("x"))
        await world.create("namespaces", {"metadata": {"name": "two"}}, "")
        assert [request["name"] for request in world.caller.requests] == asked

    run(test, a=ww.allow)


HPA = {
    "metadata": {"name": "x"},
    "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
}


@pytest.mark.parametrize(("policy", "seen"), [("Equivalent", ["v1"]), ("Exact", [])])
def test_a_rule_of_another_version_is_shown_that_version(policy, seen):
    async def test(world):
        resource = "horizontalpodautoscalers"
        hook = ww.hook("a", [resource], groups=["autoscaling"], matchPolicy=policy)
        await ww.configure(world, ww.VALIDATING, hook)
        await world.create(f"{resource}.autoscaling", HPA, version="v2")
        assert [each["resource"]["version"] for each in world.caller.requests] == seen
        for request in world.caller.requests:
            assert request["object"]["apiVersion"] == "autoscaling/v1"
            assert request["kind"]["version"] == "v1"
            assert request["requestKind"]["version"] == "v2"
            assert request["requestResource"]["version"] == "v2"

    run(test, a=ww.allow)


CONDITIONS = {
    "true": ("object.data.k == 'v'", ["x"]),
    "false": ("object.data.k != 'v'", []),
    "user": ("request.userInfo.username == 'tester' && request.operation == 'CREATE'", ["x"]),
    "authorizer": ("authorizer.group('').resource('pods').check('list').allowed()", ["x"]),
    "own": ("authorizer.requestResource.check('create').allowed()", ["x"]),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_match_conditions_decide_whether_to_ask(name):
    expression, asked = CONDITIONS[name]

    async def test(world):
        conditions = [{"name": "c", "expression": expression}]
        await ww.configure(world, ww.VALIDATING, ww.hook("a", matchConditions=conditions))
        await world.create("configmaps", rw.config_map("x", k="v"))
        assert [request["name"] for request in world.caller.requests] == asked

    run(test, a=ww.allow)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_a_condition_without_a_value_goes_by_the_failure_policy(policy):
    async def test(world):
        conditions = [{"name": "c", "expression": "object.data.nothing == ''"}]
        hook = ww.hook("a", matchConditions=conditions, failurePolicy=policy)
        await ww.configure(world, ww.VALIDATING, hook)
        if policy == "Ignore":
            assert await world.create("configmaps", rw.config_map("x", k="v"))
        else:
            with pytest.raises(errors.Forbidden) as caught:
                await world.create("configmaps", rw.config_map("x", k="v"))
            assert caught.value.message == (
                "configmaps \"x\" is forbidden: expression 'object.data.nothing == ''' resulted in "
                "error: no such key: nothing"
            )
        assert not world.caller.calls

    run(test, a=deny("never asked"))


def test_configurations_count_from_the_write_that_made_them_to_the_one_that_ends_them():
    async def test(world):
        await world.create("configmaps", rw.config_map("x"))
        await ww.configure(world, ww.VALIDATING, ww.hook("a"))
        with pytest.raises(errors.StatusError):
            await world.create("configmaps", rw.config_map("y"))
        await world.delete(ww.VALIDATING, "hooks", "")
        await world.create("configmaps", rw.config_map("z"))

    run(test, a=deny("no"))
