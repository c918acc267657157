"""ValidatingAdmissionPolicy over a registry, beginning with the documentation's first example."""

import json

import policy_world as pw
import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors


def run(test):
    async def main():
        async with pw.world() as world:
            await test(world)

    virtual.run(main())


def deployment(name="web", replicas=1, image="nginx"):
    spec = {"containers": [{"name": "main", "image": image}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    selector = {"matchLabels": {"a": "b"}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


DEPLOYMENTS = pw.rule(["deployments"], groups=["apps"])


async def refused(world, resource, obj, namespace="default", **more):
    with pytest.raises(errors.StatusError) as caught:
        await world.create(resource, obj, namespace, **more)
    return caught.value


def test_the_first_example_of_the_documentation():
    async def test(world):
        policy = pw.policy("object.spec.replicas <= 5", rules=[DEPLOYMENTS], name="demo-policy")
        await world.create("namespaces", {"metadata": {"name": "free"}}, "")
        labels = {"environment": "test"}
        await world.create("namespaces", {"metadata": {"name": "test", "labels": labels}}, "")
        binding = pw.binding(
            "demo-binding-test", "demo-policy",
            matchResources={"namespaceSelector": {"matchLabels": labels}},
        )  # fmt: skip
        await pw.bind(world, policy, binding)
        await world.create("deployments.apps", deployment(replicas=9), "free")
        await world.create("deployments.apps", deployment(replicas=5), "test")
        error = await refused(world, "deployments.apps", deployment("big", 6), "test")
        why = (
            "ValidatingAdmissionPolicy 'demo-policy' with binding 'demo-binding-test' denied "
            "request: failed expression: object.spec.replicas <= 5"
        )
        assert (error.reason, error.code) == ("Invalid", 422)
        assert error.message == f'deployments.apps "big" is forbidden: {why}'
        assert error.details == {
            "name": "big", "group": "apps", "kind": "deployments", "causes": [{"message": why}],
        }  # fmt: skip

    run(test)


def test_message_expression_and_reason():
    async def test(world):
        check = {
            "expression": "object.data.n == '1'",
            "messageExpression": "'n is ' + object.data.n",
            "message": "never shown",
            "reason": "Forbidden",
        }
        await pw.bind(world, pw.policy(check))
        error = await refused(world, "configmaps", rw.config_map("x", n="2"))
        assert (error.reason, error.code) == ("Forbidden", 403)
        assert error.message.endswith("denied request: n is 2")

    run(test)


MESSAGES = {
    "'a\\nb'": "the message",
    "string(object.data.nothing)": "the message",
    "'  '": "the message",
    "'x'.matches('x') ? 'long' : ''": "long",
}


@pytest.mark.parametrize("expression", MESSAGES)
def test_a_message_expression_that_gives_nothing_leaves_it_to_the_message(expression):
    async def test(world):
        check = {"expression": "false", "messageExpression": expression, "message": "the message"}
        await pw.bind(world, pw.policy(check))
        error = await refused(world, "configmaps", rw.config_map("x"))
        assert error.message.endswith(f"denied request: {MESSAGES[expression]}")

    run(test)


@pytest.mark.parametrize(("actions", "denied"), [(["Deny"], True), (["Warn", "Audit"], False)])
def test_actions_say_what_becomes_of_a_failure(actions, denied):
    async def test(world):
        await pw.bind(world, pw.policy("true", "false"), pw.binding(actions=actions))
        operation = rw.create("configmaps", rw.config_map("x"))
        result, warnings, notes = await pw.heard(world, operation)
        assert isinstance(result, errors.StatusError) is denied
        if denied:
            assert (warnings, notes) == ([], {})
            return
        assert warnings == [
            "Validation failed for ValidatingAdmissionPolicy 'policy' with binding 'binding': "
            "failed expression: false"
        ]
        (text,) = notes.values()
        assert list(notes) == ["validation.policy.admission.k8s.io/validation_failure"]
        assert json.loads(text) == [
            {
                "message": "failed expression: false",
                "policy": "policy",
                "binding": "binding",
                "expressionIndex": 1,
                "validationActions": ["Warn", "Audit"],
            }
        ]

    run(test)


def test_variables_are_composed_and_made_once():
    variables = [
        {"name": "images", "expression": "object.spec.template.spec.containers.map(c, c.image)"},
        {"name": "bad", "expression": "variables.images.filter(i, !i.startsWith('example.com/'))"},
    ]

    async def test(world):
        check = {
            "expression": "size(variables.bad) == 0",
            "messageExpression": "'not ours: ' + variables.bad.join(', ')",
        }
        policy = pw.policy(check, rules=[DEPLOYMENTS], variables=variables)
        await pw.bind(world, policy)
        await world.create("deployments.apps", deployment("a", image="example.com/x"))
        error = await refused(world, "deployments.apps", deployment("b", image="nginx"))
        assert error.message.endswith("denied request: not ours: nginx")

    run(test)


def test_a_variable_without_a_value_is_told_by_name():
    async def test(world):
        variables = [{"name": "foo", "expression": "object.data.nothing"}]
        await pw.bind(world, pw.policy("variables.foo == 'x'", variables=variables))
        error = await refused(world, "configmaps", rw.config_map("x", a="b"))
        assert error.message.endswith(
            "denied request: expression 'variables.foo == 'x'' resulted in error: composited "
            'variable "foo" fails to evaluate: no such key: nothing'
        )

    run(test)


@pytest.mark.parametrize("fails", ["Fail", "Ignore"])
def test_an_error_goes_by_the_failure_policy(fails):
    async def test(world):
        await pw.bind(world, pw.policy("object.data.nothing == ''", failurePolicy=fails))
        if fails == "Ignore":
            await world.create("configmaps", rw.config_map("x", a="b"))
        else:
            error = await refused(world, "configmaps", rw.config_map("x", a="b"))
            assert "resulted in error: no such key: nothing" in error.message

    run(test)


EXPRESSIONS = [
    "request.operation == 'CREATE' && oldObject == null",
    "request.kind.kind == 'ConfigMap' && request.requestKind.version == 'v1'",
    "request.resource.resource == 'configmaps' && request.name == 'x'",
    "request.namespace == 'default' && !request.dryRun",
    "request.userInfo.username == 'tester' && 'system:authenticated' in request.userInfo.groups",
    "namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'",
    "!has(namespaceObject.metadata.labels.nothing)",
    "authorizer.group('').resource('configmaps').namespace('default').check('create').allowed()",
    "authorizer.serviceAccount('default', 'default').path('/x').check('get').allowed()",
    "authorizer.requestResource.check('custom').allowed()",
    "object.metadata.uid != '' && object.data.key == 'value'",
    "has(object.metadata.creationTimestamp)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_expressions_are_given(expression):
    async def test(world):
        await pw.bind(world, pw.policy(expression))
        await world.create("configmaps", rw.config_map("x", key="value"))

    run(test)


def test_an_update_and_a_deletion_show_the_old_object():
    async def test(world):
        rules = [pw.rule(operations=["*"])]
        policy = pw.policy(
            "request.operation != 'UPDATE' || object.data.n >= oldObject.data.n",
            "request.operation != 'DELETE' || (object == null && oldObject.data.n == '2')",
            rules=rules,
        )
        await pw.bind(world, policy)
        await world.create("configmaps", rw.config_map("x", n="1"))
        with pytest.raises(errors.StatusError, match=r"oldObject\.data\.n"):
            await world.patch("configmaps", "x", {"data": {"n": "0"}})
        with pytest.raises(errors.StatusError, match="object == null"):
            await world.delete("configmaps", "x")
        await world.patch("configmaps", "x", {"data": {"n": "2"}})
        await world.delete("configmaps", "x")

    run(test)


KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
SECRETS = pw.rule(["secrets"])
LIMITED = "int(params.data.most) >= size(object.data)"


async def limited(world, reference, *objects, **spec):
    await pw.bind(
        world,
        pw.policy(LIMITED, rules=[SECRETS], paramKind=KIND, **spec),
        pw.binding(paramRef={"parameterNotFoundAction": "Deny"} | reference),
    )
    for each in objects:
        await world.create("configmaps", each, each["metadata"].get("namespace", "default"))


def params(name, most, namespace="default", **labels):
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"metadata": meta, "data": {"most": str(most)}}


SECRET = {"metadata": {"name": "s"}, "stringData": {}, "data": {"a": "YQ==", "b": "YQ=="}}
REFERENCES = {
    "by name": ({"name": "one"}, [params("one", 1)], "failed expression"),
    "fits": ({"name": "two"}, [params("two", 2)], ""),
    "elsewhere": (
        {"name": "far", "namespace": "kube-system"},
        [params("far", 1, "kube-system")],
        "failed expression",
    ),
    "missing": (
        {"name": "none"},
        [],
        "failed to configure binding: no params found for policy binding with `Deny` "
        "parameterNotFoundAction",
    ),
    "missing, allowed": ({"name": "none", "parameterNotFoundAction": "Allow"}, [], ""),
    "selected": (
        {"selector": {"matchLabels": {"a": "b"}}},
        [params("one", 9, a="b"), params("two", 1, a="b"), params("three", 0)],
        "failed expression",
    ),
    "selected, all fit": (
        {"selector": {"matchLabels": {"a": "b"}}}, [params("one", 9, a="b"), params("two", 1)], "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCES)
def test_parameters_are_found_by_name_and_by_label(name):
    reference, objects, message = REFERENCES[name]

    async def test(world):
        await limited(world, reference, *objects)
        if not message:
            await world.create("secrets", SECRET)
        else:
            assert message in (await refused(world, "secrets", SECRET)).message

    run(test)


def test_a_parameter_kind_that_is_not_there_is_the_policys_fault():
    async def test(world):
        kind = {"apiVersion": "rules.example.com/v1", "kind": "ReplicaLimit"}
        policy = pw.policy("params.x == 1", rules=[SECRETS], paramKind=kind)
        reference = {"name": "one", "parameterNotFoundAction": "Deny"}
        await pw.bind(world, policy, pw.binding(paramRef=reference))
        error = await refused(world, "secrets", SECRET)
        assert error.message.endswith(
            "ValidatingAdmissionPolicy 'policy' denied request: failed to configure policy: failed "
            "to find resource referenced by paramKind: 'rules.example.com/v1, Kind=ReplicaLimit'"
        )

    run(test)


def test_a_policy_without_parameters_in_its_binding_sees_null():
    async def test(world):
        policy = pw.policy("params == null", rules=[SECRETS], paramKind=KIND)
        await pw.bind(world, policy)
        await world.create("secrets", SECRET)

    run(test)


def test_audit_annotations_are_noted_and_joined():
    async def test(world):
        annotations = [
            {
                "key": "high",
                "valueExpression": "object.data.n > '5' ? 'is ' + object.data.n : ''",
            },
            {"key": "low", "valueExpression": "object.data.n <= '5' ? 'low' : ''"},
        ]
        policy = pw.policy(auditAnnotations=annotations)
        await pw.bind(world, policy, pw.binding("a"), pw.binding("b"))
        operation = rw.create("configmaps", rw.config_map("x", n="7"))
        _, _, notes = await pw.heard(world, operation)
        assert notes == {"policy/high": "is 7"}

    run(test)


def test_names_and_exclusions_narrow_a_policy_down():
    async def test(world):
        constraints = {
            "resourceRules": [pw.rule(resourceNames=["x", "y"])],
            "excludeResourceRules": [pw.rule(resourceNames=["y"])],
        }
        await pw.bind(world, pw.policy("false", matchConstraints=constraints))
        await refused(world, "configmaps", rw.config_map("x"))
        await world.create("configmaps", rw.config_map("y"))
        await world.create("configmaps", rw.config_map("z"))

    run(test)


def test_match_conditions_exempt():
    async def test(world):
        conditions = [{"name": "not-me", "expression": "request.userInfo.username != 'tester'"}]
        await pw.bind(world, pw.policy("false", matchConditions=conditions))
        await world.create("configmaps", rw.config_map("x"))

    run(test)


def test_a_policy_that_costs_too_much_is_stopped():
    async def test(world):
        heavy = (
            "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, "
            "object.data.all(e, a + b + c + d + e != 'x')))))"
        )
        await pw.bind(world, pw.policy(heavy))
        data = {f"k{index}": "v" for index in range(60)}
        error = await refused(world, "configmaps", rw.config_map("x", **data))
        assert "operation cancelled: actual cost limit exceeded" in error.message

    run(test)


def test_equivalent_versions_are_shown_as_the_rule_names_them():
    async def test(world):
        resource = "horizontalpodautoscalers"
        policy = pw.policy(
            "object.apiVersion == 'autoscaling/v1' && request.requestKind.version == 'v2'",
            "!has(object.spec.metrics) && request.kind.version == 'v1'",
            rules=[pw.rule([resource], groups=["autoscaling"])],
        )
        await pw.bind(world, policy)
        spec = {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}
        hpa = {"metadata": {"name": "x"}, "spec": spec}
        await world.create(f"{resource}.autoscaling", hpa, version="v2")

    run(test)


def test_policies_count_at_once_and_are_themselves_exempt():
    async def test(world):
        everything = [pw.rule(["*"], ["*"], ["*"], apiVersions=["*"])]
        await pw.bind(world, pw.policy("false", rules=everything))
        await refused(world, "configmaps", rw.config_map("x"))
        await world.delete(pw.BINDINGS, "binding", "")
        await world.create("configmaps", rw.config_map("x"))

    run(test)
