"""Admission policies and bindings for tests, short to write."""

from contextlib import asynccontextmanager

import registry_world as rw

GROUP = "admissionregistration.k8s.io"
VALIDATING = f"validatingadmissionpolicies.{GROUP}"
BINDINGS = f"validatingadmissionpolicybindings.{GROUP}"
MUTATING = f"mutatingadmissionpolicies.{GROUP}"
MUTATING_BINDINGS = f"mutatingadmissionpolicybindings.{GROUP}"


def rule(resources=("configmaps",), operations=("CREATE", "UPDATE"), groups=("",), **more):
    return {
        "apiGroups": list(groups), "apiVersions": ["v1"], "operations": list(operations),
        "resources": list(resources),
    } | more  # fmt: skip


def policy(*validations, rules=None, name="policy", **spec):
    """Validations are expressions, or whole items."""
    items = [each if isinstance(each, dict) else {"expression": each} for each in validations]
    constraints = {"resourceRules": rules or [rule()]}
    body = {"matchConstraints": constraints} | ({"validations": items} if items else {}) | spec
    return {"metadata": {"name": name}, "spec": body}


def mutating(*mutations, rules=None, name="policy", **spec):
    """Mutations are expressions: of JSON patches where they begin with a bracket."""
    items = []
    for text in mutations:
        if text.startswith("["):
            items.append({"patchType": "JSONPatch", "jsonPatch": {"expression": text}})
        else:
            holder = {"expression": text}
            items.append({"patchType": "ApplyConfiguration", "applyConfiguration": holder})
    constraints = {"resourceRules": rules or [rule()]}
    body = {"matchConstraints": constraints, "mutations": items, "reinvocationPolicy": "Never"}
    return {"metadata": {"name": name}, "spec": body | spec}


def binding(name="binding", policy="policy", actions=("Deny",), **spec):
    return {
        "metadata": {"name": name},
        "spec": {"policyName": policy, "validationActions": list(actions)} | spec,
    }


async def bind(world, policy, *bindings):
    """Make a policy and its bindings: one that denies, if there is none."""
    resource, bound = VALIDATING, BINDINGS
    if "mutations" in policy["spec"]:
        resource, bound = MUTATING, MUTATING_BINDINGS
    await world.create(resource, policy, "")
    name = policy["metadata"]["name"]
    for each in bindings or [binding(policy=name)]:
        if bound is MUTATING_BINDINGS:
            each["spec"].pop("validationActions")
        await world.create(bound, each, "")


async def heard(world, *operations, user=rw.USER):
    """The result of one write, with what was warned of and noted."""
    warnings, notes = [], {}
    results = await world.registry.write(
        operations,
        user,
        lambda _index, text: warnings.append(text),
        lambda _index, key, value: notes.update({key: value}),
    )
    return results[0], warnings, notes


@asynccontextmanager
async def world(**settings):
    async with rw.world(**settings) as found:
        yield found
