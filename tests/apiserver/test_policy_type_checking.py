"""status.typeChecking of ValidatingAdmissionPolicies."""

import asyncio
from random import Random

import policy_world as pw

from cluster.aio import virtual
from cluster.api.policies import typechecking
from cluster.apiserver.policystatus import PolicyStatus


def checked(policy):
    async def main():
        async with pw.world() as world:
            status = PolicyStatus(world.registry, Random(1))
            status.open()
            world.group.spawn(status.run(), "policy status")
            await world.create(pw.VALIDATING, policy, "")
            await asyncio.sleep(1)
            found = await world.get(pw.VALIDATING, policy["metadata"]["name"], "")
            world.group.cancel()
            return found

    return virtual.run(main())


DEPLOYMENTS = pw.rule(["deployments"], groups=["apps"])


def test_a_field_that_there_is_not_is_warned_of():
    """The example of the documentation, "Type checking"."""
    found = checked(pw.policy("object.replicas > 1", rules=[DEPLOYMENTS]))
    assert found["status"]["observedGeneration"] == 1
    assert found["status"]["typeChecking"]["expressionWarnings"] == [
        {
            "fieldRef": "spec.validations[0].expression",
            "warning": (
                "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n"
                " | object.replicas > 1\n"
                " | ......^\n"
            ),
        }
    ]


def test_several_kinds_are_told_one_after_the_other_in_order():
    rule = pw.rule(["deployments", "replicasets"], groups=["apps"])
    policy = pw.policy("object.replicas > 1", rules=[rule])
    (warning,) = checked(policy)["status"]["typeChecking"]["expressionWarnings"]
    heads = [line for line in warning["warning"].split("\n") if "Kind=" in line]
    assert [line.partition(":")[0] for line in heads] == [
        "apps/v1, Kind=Deployment", "apps/v1, Kind=ReplicaSet",
    ]  # fmt: skip


def test_what_is_right_is_checked_and_not_warned_of():
    variables = [{"name": "n", "expression": "object.spec.replicas"}]
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    check = {
        "expression": "variables.n > 1 && params.data.x == 'y' && oldObject.metadata.name != ''",
        "messageExpression": "object.metadata.name + string(request.dryRun)",
    }
    policy = pw.policy(check, rules=[DEPLOYMENTS], variables=variables, paramKind=kind)
    status = checked(policy)["status"]
    assert status["observedGeneration"] == 1
    assert not status["typeChecking"].get("expressionWarnings")


def test_wildcards_are_not_looked_at():
    rule = pw.rule(["*"], groups=["*"])
    status = checked(pw.policy("object.nothing == 1", rules=[rule]))["status"]
    assert not status["typeChecking"].get("expressionWarnings")


def test_message_expressions_and_variables_are_looked_at_too():
    variables = [{"name": "n", "expression": "object.spec.replicas"}]
    shown = "string(object.spec.pausd)"
    check = {"expression": "variables.n == 'x'", "messageExpression": shown}
    policy = pw.policy(check, rules=[DEPLOYMENTS], variables=variables)
    found = checked(policy)["status"]["typeChecking"]["expressionWarnings"]
    fields = [each["fieldRef"] for each in found]
    assert fields == ["spec.validations[0].expression", "spec.validations[0].messageExpression"]
    assert "no matching overload for '_==_' applied to '(int, string)'" in found[0]["warning"]
    assert "undefined field 'pausd'" in found[1]["warning"]


def test_a_policy_that_nobody_foresaw_does_not_keep_the_others_from_being_checked(monkeypatch):
    warnings = typechecking.warnings

    def faulty(policy, *more):
        if policy["metadata"]["name"] == "first":
            raise RecursionError("nobody thought of this")
        return warnings(policy, *more)

    monkeypatch.setattr(typechecking, "warnings", faulty)

    async def main():
        async with pw.world() as world:
            status = PolicyStatus(world.registry, Random(1))
            status.open()
            world.group.spawn(status.run(), "policy status")
            for name in ("first", "second"):
                policy = pw.policy("true", rules=[DEPLOYMENTS])
                policy["metadata"]["name"] = name
                await world.create(pw.VALIDATING, policy, "")
                await asyncio.sleep(1)
            found = await world.get(pw.VALIDATING, "second", "")
            world.group.cancel()
            return found

    assert virtual.run(main())["status"]["observedGeneration"] == 1
