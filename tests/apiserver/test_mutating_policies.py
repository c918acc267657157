"""MutatingAdmissionPolicy over a registry."""

import policy_world as pw
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


PODS = [pw.rule(["pods"], ["CREATE"])]
SIDECAR = """
Object{spec: Object.spec{initContainers: [Object.spec.initContainers{
  name: "mesh-proxy", image: "mesh/proxy:v1", restartPolicy: "Always"}]}}
"""


def test_an_apply_configuration_is_merged_by_the_keys_of_lists():
    """The sidecar of the documentation of MutatingAdmissionPolicy."""

    async def test(world):
        condition = {
            "name": "does-not-already-have-sidecar",
            "expression": "!object.spec.?initContainers.orValue([]).exists(c, "
            'c.name == "mesh-proxy")',
        }
        policy = pw.mutating(SIDECAR, rules=PODS, matchConditions=[condition])
        await pw.bind(world, policy)
        pod = rw.pod()
        pod["spec"]["initContainers"] = [{"name": "first", "image": "a"}]
        made = await world.create("pods", pod)
        found = made["spec"]["initContainers"]
        assert [each["name"] for each in found] == ["first", "mesh-proxy"]
        assert found[1]["restartPolicy"] == "Always"
        assert found[1]["terminationMessagePath"] == "/dev/termination-log"
        managed = made["metadata"]["managedFields"]
        assert "mesh-proxy" not in str(managed)  # what admission adds is nobody's

    run(test)


def test_a_json_patch_is_applied():
    async def test(world):
        patch = """[
          JSONPatch{op: "test", path: "/data/n", value: "1"},
          JSONPatch{op: "add", path: "/metadata/labels", value: {"old": "1"}},
          JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a.b/c"),
                    value: object.data.n},
          JSONPatch{op: "remove", path: "/data/n"}
        ]"""
        await pw.bind(world, pw.mutating(patch))
        made = await world.create("configmaps", rw.config_map("x", n="1"))
        assert made["metadata"]["labels"] == {"old": "1", "a.b/c": "1"}
        assert not made.get("data")
        made = await world.create("configmaps", rw.config_map("y", n="2"))
        assert made["data"] == {"n": "2"}  # the test failed

    run(test)


def test_mutations_follow_each_other_and_see_what_was_done():
    async def test(world):
        first = '[JSONPatch{op: "replace", path: "/data/n", value: "2"}]'
        second = '[JSONPatch{op: "add", path: "/data/m", value: "n is " + object.data.n}]'
        await pw.bind(world, pw.mutating(first, second))
        made = await world.create("configmaps", rw.config_map("x", n="1"))
        assert made["data"] == {"n": "2", "m": "n is 2"}

    run(test)


def test_policies_run_in_the_order_of_their_names_with_variables_and_parameters():
    async def test(world):
        kind = {"apiVersion": "v1", "kind": "ConfigMap"}
        await world.create("configmaps", rw.config_map("team", colour="blue"))
        label = 'Object{metadata: Object.metadata{labels: {"team": variables.team}}}'
        policy = pw.mutating(
            label, rules=PODS, paramKind=kind,
            variables=[{"name": "team", "expression": "params.data.colour"}],
        )  # fmt: skip
        reference = {"name": "team", "parameterNotFoundAction": "Deny"}
        await pw.bind(world, policy, pw.binding(paramRef=reference))
        made = await world.create("pods", rw.pod())
        assert made["metadata"]["labels"] == {"team": "blue"}

    run(test)


WRONG = {
    "atomic list": (
        'Object{spec: Object.spec{containers: [Object.spec.containers{name: "main", '
        'args: ["x"]}]}}',
        "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or "
        "structs: .spec.containers[0].args",
    ),
    "unknown field": (
        'Object{spec: Object.spec{nothing: "x"}}',
        "error applying patch: failed to convert patch object to typed object: .spec.nothing: "
        "field not declared in schema",
    ),
    "misplaced": (
        'Object{spec: Object.metadata{name: "x"}}',
        'type mismatch: unexpected type name "Object.metadata", expected "Object.spec", which '
        "matches field name path from root Object type",
    ),
    "no value": (
        "Object{spec: Object.spec{nodeName: string(object.spec.nothing)}}",
        "resulted in error: no such key: nothing",
    ),
    "no path": ('[JSONPatch{op: "remove", path: "/nowhere"}]', "JSONPath: "),
}


@pytest.mark.parametrize("fails", ["Fail", "Ignore"])
@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_goes_by_the_failure_policy(name, fails):
    expression, message = WRONG[name]

    async def test(world):
        await pw.bind(world, pw.mutating(expression, rules=PODS, failurePolicy=fails))
        if fails == "Ignore":
            await world.create("pods", rw.pod())
            return
        with pytest.raises(errors.StatusError) as caught:
            await world.create("pods", rw.pod())
        found = caught.value
        assert found.message.startswith("policy 'policy' with binding 'binding' denied request: ")
        assert message in found.message
        assert (found.reason, found.code) == ("Invalid", 403)
        assert found.details["causes"] == [{"message": found.message}]

    run(test)


def test_a_policy_may_not_match_deletions():
    async def test(world):
        rules = [pw.rule(operations=["CREATE", "DELETE"])]
        with pytest.raises(errors.Invalid) as caught:
            await world.create(pw.MUTATING, pw.mutating("Object{}", rules=rules), "")
        assert (
            "spec.matchConstraints.resourceRules[0].operations: Unsupported value: "
            '"DELETE": supported values: "CREATE", "UPDATE"' in caught.value.message
        )

    run(test)


COUNTED = '[JSONPatch{op: "add", path: "/data/seen", value: string(size(object.data))}]'


@pytest.mark.parametrize(("again", "seen"), [("Never", "1"), ("IfNeeded", "3")])
def test_a_policy_may_look_again_at_what_webhooks_have_made(again, seen):
    async def test(world):
        await pw.bind(world, pw.mutating(COUNTED, reinvocationPolicy=again))
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        made = await world.create("configmaps", rw.config_map("x", n="1"))
        assert made["data"] == {"n": "1", "more": "1", "seen": seen}

    step = {"op": "add", "path": "/data/more", "value": "1"}
    run(test, a=ww.patching(step))


def test_a_webhook_sees_what_policies_have_made():
    async def test(world):
        await pw.bind(world, pw.mutating(COUNTED))
        await ww.configure(world, ww.MUTATING, ww.hook("a"))
        await world.create("configmaps", rw.config_map("x", n="1"))
        assert world.caller.requests[0]["object"]["data"] == {"n": "1", "seen": "1"}

    run(test, a=ww.allow)
