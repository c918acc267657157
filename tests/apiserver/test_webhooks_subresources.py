"""What webhooks are shown of writes that are to no plain object, and of connections."""

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


def deployment():
    template = {"metadata": {"labels": {"a": "b"}}, "spec": rw.pod()["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"metadata": {"name": "web"}, "spec": spec}


SCALE = {"kind": "Scale", "group": "autoscaling", "version": "v1"}


def test_a_scale_is_shown_as_a_scale_and_may_be_changed():
    more = {"op": "replace", "path": "/spec/replicas", "value": 7}

    async def test(world):
        await world.create("deployments.apps", deployment())
        rule = ww.hook("change", ["deployments/scale"], ["UPDATE"], ["apps"])
        await ww.configure(world, ww.MUTATING, rule)
        rule = ww.hook("look", ["deployments/scale"], ["UPDATE"], ["apps"])
        await ww.configure(world, ww.VALIDATING, rule)
        scale = await world.patch(
            "deployments.apps", "web", {"spec": {"replicas": 3}}, subresource="scale"
        )
        assert scale["spec"]["replicas"] == 7
        first, second = world.caller.requests
        assert first["kind"] == second["kind"] == SCALE
        assert first["resource"]["resource"] == "deployments"
        assert [each["object"]["spec"]["replicas"] for each in (first, second)] == [3, 7]
        assert [each["oldObject"]["spec"]["replicas"] for each in (first, second)] == [1, 1]
        assert second["object"]["kind"] == second["oldObject"]["kind"] == "Scale"

    run(test, change=ww.patching(more), look=ww.allow)


def test_a_binding_is_shown_and_may_be_refused():
    async def test(world):
        await world.create("nodes", {"metadata": {"name": "n"}}, "")
        await world.create("pods", rw.pod())
        await ww.configure(world, ww.VALIDATING, ww.hook("a", ["pods/binding"]))
        binding = {"target": {"kind": "Node", "name": "n"}, "metadata": {"name": "web"}}
        operation = rw.create("pods", binding)
        operation = rw.Operation(
            operation.verb, "pods", "default", "web", "binding", body=operation.body
        )
        with pytest.raises(errors.StatusError, match="denied the request: not there"):
            await world.do(operation)
        (request,) = world.caller.requests
        assert request["kind"] == {"group": "", "version": "v1", "kind": "Binding"}
        assert request["object"]["target"] == {"kind": "Node", "name": "n"}
        assert (request["name"], request["subResource"]) == ("web", "binding")
        assert "nodeName" not in (await world.get("pods", "web"))["spec"]

    run(test, a=lambda _: {"allowed": False, "status": {"message": "not there"}})


def test_an_eviction_is_shown_once_however_many_writes_it_takes():
    async def test(world):
        await world.create("pods", rw.pod())
        await ww.configure(world, ww.VALIDATING, ww.hook("a", ["pods/eviction", "pods"], ["*"]))
        eviction = {"metadata": {"name": "web"}}
        operation = rw.create("pods", eviction)
        await world.do(
            rw.Operation(operation.verb, "pods", "default", "web", "eviction", body=operation.body)
        )
        (request,) = world.caller.requests
        assert request["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
        assert not await world.exists("pods", "web")

    run(test, a=ww.allow)


def test_access_reviews_are_shown():
    async def test(world):
        resource = "selfsubjectaccessreviews"
        await ww.configure(
            world, ww.VALIDATING, ww.hook("a", [resource], groups=["authorization.k8s.io"])
        )
        review = {"spec": {"nonResourceAttributes": {"path": "/x", "verb": "get"}}}
        await world.create(f"{resource}.authorization.k8s.io", review, "")
        (request,) = world.caller.requests
        assert request["object"]["spec"]["nonResourceAttributes"]["path"] == "/x"

    run(test, a=ww.allow)


def test_a_connection_is_shown_and_its_options_may_be_changed():
    sh = {"op": "replace", "path": "/command/0", "value": "sh"}

    async def test(world):
        hook = ww.hook("a", ["pods/exec"], ["CONNECT"])
        await ww.configure(world, ww.MUTATING, hook)
        await ww.configure(world, ww.VALIDATING, ww.hook("b", ["pods/exec"], ["CONNECT"]))
        row = world.registry.row("pods")
        options = {"kind": "PodExecOptions", "apiVersion": "v1", "command": ["rm"], "tty": True}
        place = ("default", "web", "exec")
        found = await world.registry.connections.admitted(row, place, rw.USER, options)
        assert found == options | {"command": ["sh"]}
        first, second = world.caller.requests
        assert first["operation"] == "CONNECT"
        assert first["object"] == options
        assert second["object"] == found
        assert first["kind"] == {"group": "", "version": "v1", "kind": "PodExecOptions"}
        assert (first["oldObject"], first["options"]) == (None, None)

    run(test, a=ww.patching(sh), b=ww.allow)


def test_a_connection_may_be_refused():
    async def test(world):
        await ww.configure(world, ww.VALIDATING, ww.hook("a", ["pods/attach"], ["CONNECT"]))
        options = {"kind": "PodAttachOptions", "apiVersion": "v1"}
        row = world.registry.row("pods")
        with pytest.raises(errors.StatusError, match="denied the request: no") as caught:
            await world.registry.connections.admitted(
                row, ("default", "web", "attach"), rw.USER, options
            )
        assert caught.value.warnings == ("careful",)

    answer = {"allowed": False, "status": {"message": "no"}, "warnings": ["careful"]}
    run(test, a=lambda _: answer)
