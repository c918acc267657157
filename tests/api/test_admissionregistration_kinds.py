"""Webhook configurations and admission policies: defaults, validation, rows."""

import copy
import random

import minimal_objects
import pytest

from cluster.api import errors, identity, printing, resources, rules

GROUP = "admissionregistration.k8s.io"
TABLE = resources.built_in()
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"
MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
POLICY = f"validatingadmissionpolicies.{GROUP}"
BINDING = f"validatingadmissionpolicybindings.{GROUP}"
MAP = f"mutatingadmissionpolicies.{GROUP}"
REQUEST = rules.Request(1.7e9, random.Random(1), identity.User("tester"))


def created(resource, **changes):
    """The minimal object with values put at dotted paths; None takes one away."""
    row = TABLE.get(resource)
    obj = minimal_objects.of(row)
    for path, value in changes.items():
        put(obj, path.split("__"), value)
    return rules.for_create(row, obj, REQUEST).object


def put(obj, path, value):
    for step in path[:-1]:
        obj = obj[int(step)] if step.isdigit() else obj.setdefault(step, {})
    if value is None:
        obj.pop(path[-1], None)
    else:
        obj[path[-1]] = value


def test_defaults_of_webhooks():
    (hook,) = created(VALIDATING)["webhooks"]
    assert hook["failurePolicy"] == "Fail"
    assert hook["matchPolicy"] == "Equivalent"
    assert (hook["namespaceSelector"], hook["objectSelector"]) == ({}, {})
    assert hook["timeoutSeconds"] == 10
    assert "reinvocationPolicy" not in hook
    (hook,) = created(MUTATING)["webhooks"]
    assert hook["reinvocationPolicy"] == "Never"
    service = {"name": "s", "namespace": "n"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]}
    more = {"webhooks__0__clientConfig": {"service": service}, "webhooks__0__rules": [rule]}
    (hook,) = created(VALIDATING, **more)["webhooks"]
    assert hook["clientConfig"]["service"]["port"] == 443
    assert hook["rules"][0]["scope"] == "*"


def test_defaults_of_policies():
    made = created(POLICY)
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["failurePolicy"] == "Fail"
    constraints = made["spec"]["matchConstraints"]
    assert constraints["matchPolicy"] == "Equivalent"
    assert (constraints["namespaceSelector"], constraints["objectSelector"]) == ({}, {})
    assert constraints["resourceRules"][0]["scope"] == "*"
    assert created(MAP)["spec"]["failurePolicy"] == "Fail"


RULE = {
    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
}  # fmt: skip
AT = "webhooks[0]"
HOOKS = {
    "short name": (
        {"name": "a.b"},
        f'{AT}.name: Invalid value: "a.b": should be a domain with at least three segments '
        "separated by dots",
    ),
    "no name": ({"name": ""}, f"{AT}.name: Required value"),
    "effects": (
        {"sideEffects": None},
        f"{AT}.sideEffects: Required value: must specify one of None, NoneOnDryRun",
    ),
    "old effects": (
        {"sideEffects": "Unknown"},
        f'{AT}.sideEffects: Unsupported value: "Unknown": supported values: "None", "NoneOnDryRun"',
    ),
    "no review": (
        {"admissionReviewVersions": []},
        f"{AT}.admissionReviewVersions: Required value: must specify one of v1, v1beta1",
    ),
    "unknown review": (
        {"admissionReviewVersions": ["v2"]},
        f'{AT}.admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, '
        "v1beta1",
    ),
    "review twice": (
        {"admissionReviewVersions": ["v1", "v1"]},
        f'{AT}.admissionReviewVersions[1]: Invalid value: "v1": duplicate version',
    ),
    "seconds": (
        {"timeoutSeconds": 31},
        f"{AT}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 "
        "seconds",
    ),
    "no client": (
        {"clientConfig": {}},
        f"{AT}.clientConfig: Required value: exactly one of url or service is required",
    ),
    "plain http": (
        {"clientConfig": {"url": "http://x/"}},
        f'{AT}.clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; '
        "desired format: https://host[/path]",
    ),
    "policy": (
        {"failurePolicy": "x"},
        f'{AT}.failurePolicy: Unsupported value: "x": supported values: "Fail", "Ignore"',
    ),
    "operation": (
        {"rules": [RULE | {"operations": ["PATCH"]}]},
        f'{AT}.rules[0].operations[0]: Unsupported value: "PATCH": supported values: "*", '
        '"CONNECT", "CREATE", "DELETE", "UPDATE"',
    ),
    "operations": (
        {"rules": [RULE | {"operations": ["*", "CREATE"]}]},
        f'{AT}.rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not '
        "specify other operations",
    ),
    "groups": ({"rules": [RULE | {"apiGroups": []}]}, f"{AT}.rules[0].apiGroups: Required value"),
    "resources": (
        {"rules": [RULE | {"resources": ["pods/*", "pods/exec"]}]},
        f'{AT}.rules[0].resources[1]: Invalid value: "pods/exec": if \'pods/*\' is present, must '
        "not specify pods/exec",
    ),
    "all resources": (
        {"rules": [RULE | {"resources": ["*/*", "pods"]}]},
        f'{AT}.rules[0].resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, must not '
        "specify other resources",
    ),
    "scope": (
        {"rules": [RULE | {"scope": "x"}]},
        f'{AT}.rules[0].scope: Unsupported value: "x": supported values: "*", "Cluster", '
        '"Namespaced"',
    ),
    "condition": (
        {"matchConditions": [{"name": "a", "expression": "object.x +"}]},
        f'{AT}.matchConditions[0].expression: Invalid value: "object.x +": compilation failed: '
        "ERROR: <input>:1:11: Syntax error",
    ),
    "condition that gives a number": (
        {"matchConditions": [{"name": "a", "expression": "1 + 1"}]},
        f'{AT}.matchConditions[0].expression: Invalid value: "1 + 1": must evaluate to bool but '
        "got int",
    ),
    "condition without parameters": (
        {"matchConditions": [{"name": "a", "expression": "params == null"}]},
        "undeclared reference to 'params'",
    ),
    "conditions of one name": (
        {"matchConditions": [{"name": "a", "expression": "true"}] * 2},
        f'{AT}.matchConditions[1].name: Duplicate value: "a"',
    ),
    "many conditions": (
        {"matchConditions": [{"name": f"a{n}", "expression": "true"} for n in range(65)]},
        f"{AT}.matchConditions: Too many: 65: must have at most 64 items",
    ),
    "selector": (
        {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "x"}]}},
        f'{AT}.objectSelector.matchExpressions[0].operator: Invalid value: "x": not a valid '
        "selector operator",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOOKS)
def test_what_is_wrong_with_a_webhook(name):
    changes, message = HOOKS[name]
    paths = {f"webhooks__0__{field}": value for field, value in changes.items()}
    for resource in (VALIDATING, MUTATING):
        with pytest.raises(errors.Invalid) as caught:
            created(resource, **paths)
        assert message in caught.value.message


def test_webhooks_of_one_name_are_duplicates():
    hook = minimal_objects.of(TABLE.get(VALIDATING))["webhooks"][0]
    with pytest.raises(errors.Invalid, match=r"webhooks\[1\]\.name: Duplicate value"):
        created(VALIDATING, webhooks=[hook, copy.deepcopy(hook)])


NEWER = "spec.validations[0]"
POLICIES = {
    "no constraints": ({"matchConstraints": None}, "spec.matchConstraints: Required value"),
    "no rules": (
        {"matchConstraints": {"resourceRules": []}},
        "spec.matchConstraints.resourceRules: Required value",
    ),
    "nothing to do": (
        {"validations": None},
        "spec.validations: Required value: validations or auditAnnotations must contain at least "
        "one item",
    ),
    "syntax": (
        {"validations": [{"expression": "object.spec.replicas <="}]},
        f'{NEWER}.expression: Invalid value: "object.spec.replicas <=": compilation failed: '
        "ERROR: <input>:1:24: Syntax error",
    ),
    "no expression": (
        {"validations": [{"expression": " "}]},
        f"{NEWER}.expression: Required value: expression is not specified",
    ),
    "no bool": (
        {"validations": [{"expression": "'x'"}]},
        f"{NEWER}.expression: Invalid value: \"'x'\": must evaluate to bool but got string",
    ),
    "dynamic": (
        {"validations": [{"expression": "object.spec"}]},
        "must evaluate to bool but got dyn",
    ),
    "no text": (
        {"validations": [{"expression": "true", "messageExpression": "1"}]},
        f'{NEWER}.messageExpression: Invalid value: "1": must evaluate to string but got int',
    ),
    "no authorizer in messages": (
        {"validations": [{"expression": "true", "messageExpression":
            "authorizer.path('/').check('get').reason()"}]},
        "undeclared reference to 'authorizer'",
    ),
    "lines": (
        {"validations": [{"expression": "true", "message": "a\nb"}]},
        f'{NEWER}.message: Invalid value: "a\\nb": message must not contain line breaks',
    ),
    "reason": (
        {"validations": [{"expression": "true", "reason": "Nope"}]},
        f'{NEWER}.reason: Unsupported value: "Nope": supported values: "Forbidden", "Invalid", '
        '"RequestEntityTooLarge"',
    ),
    "params": (
        {"validations": [{"expression": "params.x == 1"}]},
        "undeclared reference to 'params'",
    ),
    "param kind": (
        {"paramKind": {"apiVersion": "a/b/c", "kind": "X_"}},
        'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    ),
    "variable": (
        {"variables": [{"name": "in", "expression": "1"}]},
        'spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier',
    ),
    "variable of a later one": (
        {"variables": [{"name": "a", "expression": "variables.b"},
                       {"name": "b", "expression": "1"}]},
        "spec.variables[0].expression: Invalid value: \"variables.b\": compilation failed: ERROR: "
        "<input>:1:10: undefined field 'b'",
    ),
    "annotation": (
        {"auditAnnotations": [{"key": "a", "valueExpression": "1"}]},
        'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of '
        "[string null_type] but got int",
    ),
    "annotation key": (
        {"auditAnnotations": [{"key": "_", "valueExpression": "''"}]},
        'spec.auditAnnotations[0].key: Invalid value: "web/_"',
    ),
    "resource name": (
        {"matchConstraints": {"resourceRules": [RULE | {"resourceNames": ["a/b", "c", "c"]}]}},
        'spec.matchConstraints.resourceRules[0].resourceNames[2]: Duplicate value: "c"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_wrong_with_a_policy(name):
    changes, message = POLICIES[name]
    with pytest.raises(errors.Invalid) as caught:
        created(POLICY, **{f"spec__{field}": value for field, value in changes.items()})
    assert message in caught.value.message


BINDINGS = {
    "no policy": ({"policyName": ""}, "spec.policyName: Required value"),
    "no action": (
        {"validationActions": []},
        "spec.validationActions: Required value: at least one validation action is required",
    ),
    "both": (
        {"validationActions": ["Deny", "Warn"]},
        'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and '
        "Warn (repeating the same validation failure information in the API response and headers "
        "serves no purpose)",
    ),
    "action": (
        {"validationActions": ["Log"]},
        'spec.validationActions[0]: Unsupported value: "Log": supported values: "Audit", "Deny", '
        '"Warn"',
    ),
    "empty reference": (
        {"paramRef": {"parameterNotFoundAction": "Deny"}},
        "spec.paramRef: Required value: one of name or selector must be specified",
    ),
    "two references": (
        {"paramRef": {"name": "a", "selector": {}, "parameterNotFoundAction": "Deny"}},
        "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
    ),
    "not found": (
        {"paramRef": {"name": "a"}},
        "spec.paramRef.parameterNotFoundAction: Required value",
    ),
}


@pytest.mark.parametrize("name", BINDINGS)
def test_what_is_wrong_with_a_binding(name):
    changes, message = BINDINGS[name]
    with pytest.raises(errors.Invalid) as caught:
        created(BINDING, **{f"spec__{field}": value for field, value in changes.items()})
    assert message in caught.value.message


PATCHES = {
    "no type": ([{"applyConfiguration": {"expression": "Object{}"}}], "patchType: Required value"),
    "wrong type": ([{"patchType": "x"}], 'patchType: Unsupported value: "x"'),
    "the other": (
        [{"patchType": "JSONPatch", "applyConfiguration": {"expression": "Object{}"}}],
        'applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when '
        "patchType is JSONPatch",
    ),
    "no object": (
        [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "object"}}],
        'applyConfiguration.expression: Invalid value: "object": must evaluate to Object but got '
        "dyn",
    ),
    "no patch": (
        [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[1]"}}],
        "must evaluate to list(JSONPatch) but got list(int)",
    ),
    "blank": (
        [{"patchType": "JSONPatch", "jsonPatch": {"expression": " "}}],
        "jsonPatch.expression: Required value",
    ),
}


@pytest.mark.parametrize("name", PATCHES)
def test_what_is_wrong_with_a_mutation(name):
    mutations, message = PATCHES[name]
    with pytest.raises(errors.Invalid) as caught:
        created(MAP, spec__mutations=mutations)
    assert f"spec.mutations[0].{message}" in caught.value.message or message in caught.value.message


def test_generations_count_changes_of_what_is_wanted():
    for resource in (VALIDATING, POLICY, BINDING, MAP):
        row = TABLE.get(resource)
        old = created(resource)
        new = copy.deepcopy(old)
        new["metadata"]["labels"] = {"a": "b"}
        same = rules.for_update(row, old, new, REQUEST).object
        assert same["metadata"]["generation"] == 1
        if "webhooks" in new:
            new["webhooks"][0]["timeoutSeconds"] = 5
        elif "policyName" in new["spec"]:
            new["spec"]["policyName"] = "other"
        else:
            new["spec"]["failurePolicy"] = "Ignore"
        changed = rules.for_update(row, old, new, REQUEST).object
        assert changed["metadata"]["generation"] == 2


def test_an_old_webhook_with_side_effects_may_be_kept():
    row = TABLE.get(VALIDATING)
    old = created(VALIDATING)
    old["webhooks"][0]["sideEffects"] = "Unknown"
    new = copy.deepcopy(old)
    new["webhooks"][0]["timeoutSeconds"] = 5
    assert rules.for_update(row, old, new, REQUEST).object["webhooks"][0]["timeoutSeconds"] == 5


ROWS = {
    VALIDATING: ["web", 1],
    POLICY: ["web", 1, "<unset>"],
    BINDING: ["web", "web", "<unset>"],
    MAP: ["web", 1, "<unset>"],
}


@pytest.mark.parametrize("resource", ROWS)
def test_rows(resource):
    printer = printing.of(TABLE.get(resource))
    assert printer.cells(created(resource), 1.7e9 + 60)[:-1] == ROWS[resource]


REFERENCES = [
    ({"name": "a"}, "*/a"),
    ({"name": "a", "namespace": "b"}, "b/a"),
    (
        {"selector": {"matchLabels": {"x": "y"}}},
        "&LabelSelector{MatchLabels:map[string]string{x: y,},"
        "MatchExpressions:[]LabelSelectorRequirement{},}",
    ),
]


@pytest.mark.parametrize(("reference", "shown"), REFERENCES)
def test_what_a_binding_refers_to_is_shown(reference, shown):
    made = created(BINDING, spec__paramRef=reference | {"parameterNotFoundAction": "Allow"})
    assert printing.of(TABLE.get(BINDING)).cells(made, 1.7e9)[2] == shown


@pytest.mark.parametrize(("version", "kinds"), [("1.29", 2), ("1.30", 4), ("1.35", 4), ("1.36", 6)])
def test_policies_are_served_since_they_are_generally_available(version, kinds):
    rows = [row for row in resources.built_in(version) if row.group == GROUP]
    assert len(rows) == kinds
