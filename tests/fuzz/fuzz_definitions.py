"""Definitions, policies and webhooks that try what a server can bear: schemas, rules, patterns."""

from typing import Any

from fuzz_values import NASTY, mutated, scalars
from fuzz_world import definition, version
from hypothesis import strategies as st

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_HOOKS = "/apis/admissionregistration.k8s.io/v1"
RULES = (
    "self.a == 1", "self.all(x, self.all(y, self.all(z, x == y && y == z)))", "1/0 == 1", "((((",
    "self.a.matches('(a+)+$')", "'" + "a" * 5000 + "'.matches('(a|a)*b')", "self", "true", "''",
    "[" * 400 + "]" * 400, "(" * 900 + "true" + ")" * 900, "!" * 900 + "true", "a.b.c.d", "\x00",
    "-" * 900 + "1 == 1", "true " + "&& true " * 3000, "x" * 20_000, "self.map(x, x + x) == []",
    "[1,2,3].map(x, [1,2,3].map(y, [1,2,3].map(z, x*y*z))).size() > 0", "oldSelf.a == self.a",
    "9223372036854775807 + 1 > 0", "int('9' + '9') > 1", "duration('1h') > duration('x')",
    "timestamp('9999-12-31T23:59:59Z') + duration('1h') > timestamp(0)", "b'\\xff' == b''",
    "quantity('1e99999').isGreaterThan(quantity('1'))", "ip('::1').family() == 6", "\ud800",
    "cel.bind(x, 1, x) == 1", "self.?a.orValue(1) == 1", "optional.of(1).hasValue()", "é == 1",
    "format.dns1123Label().validate('a').hasValue()", "'%d'.format(['a']) == ''", "dyn(1) == '1'",
    "'a'.replace('', 'bbbbbbbbbb') == ''", "{'a': 1}[b'a'] == 1", "1.0 / 0.0 > 1.0", "has(self)",
    "object.metadata.name == 'a'", "request.userInfo.username != ''", "variables.x == 1",
    "authorizer.group('').resource('pods').check('get').allowed()", "namespaceObject == null",
    "Object{metadata: Object.metadata{labels: {'a': 'b'}}}", "JSONPatch{op: 'x', path: '/'}",
    "has(self.a) ? 'a'.repeat(1000000) == '' : false", "self.a.b.c.exists_one(x, x)", "1u - 2u < 0",
)  # fmt: skip
PATTERNS = (
    "^(a+)+$", "(a|aa)*b", "(?<=a)b", "\\1", "[", "a{1000}{1000}", "(" * 500, "\\p{Greek}", "(?i)A",
    "a" * 10_000, "(?P<a>b)", "\\Q", "[[:alpha:]]", "$^", "", ".{0,999999}", "\x00", "(?#x)",
)  # fmt: skip
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null", "any", "", None)


def _schema(draw: Any, depth: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(_TYPES if draw(st.integers(0, 9)) == 0 else _TYPES[:6]))
    found: dict[str, Any] = {"type": kind}
    if kind == "object" and depth:
        names = ["a", "b", "metadata", "spec", "a/b", "é", "self", "__proto__", "x-y"]
        chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        if draw(st.integers(0, 3)):
            found["properties"] = {name: _schema(draw, depth - 1) for name in chosen}
        else:
            found["additionalProperties"] = _schema(draw, depth - 1)
    if kind == "array" and depth:
        found["items"] = _schema(draw, depth - 1)
    odd = st.fixed_dictionaries({}, optional={
        "pattern": st.sampled_from(PATTERNS), "enum": st.lists(scalars, max_size=3),
        "default": scalars, "format": st.sampled_from(("date-time", "int32", "x", "byte", "cidr")),
        "maxLength": st.integers(-1, 3), "maximum": scalars, "multipleOf": scalars,
        "required": st.lists(st.sampled_from(("a", "b", "z")), max_size=2),
        "x-kubernetes-preserve-unknown-fields": st.sampled_from((True, False, 1)),
        "x-kubernetes-int-or-string": st.booleans(), "nullable": st.booleans(),
        "x-kubernetes-embedded-resource": st.booleans(), "$ref": st.just("#/x"),
        "x-kubernetes-list-type": st.sampled_from(("map", "set", "atomic", "x")),
        "x-kubernetes-list-map-keys": st.lists(st.sampled_from(("a", "z")), max_size=2),
        "x-kubernetes-map-type": st.sampled_from(("atomic", "granular", "x")),
        "x-kubernetes-validations": st.lists(st.fixed_dictionaries(
            {"rule": st.sampled_from(RULES)}, optional={
                "messageExpression": st.sampled_from(RULES), "message": st.sampled_from(NASTY),
                "reason": st.sampled_from(NASTY), "fieldPath": st.sampled_from((".a", ".z[", "")),
                "optionalOldSelf": st.booleans()}), max_size=2),
        "allOf": st.lists(st.just({"required": ["a"]}), max_size=1),
        "not": st.just({"type": "string"}), "anyOf": st.just([{"minimum": 1}, {"pattern": "("}]),
    })  # fmt: skip
    chosen_ = draw(odd)
    keep = draw(st.lists(st.sampled_from(sorted(chosen_) or ["x"]), max_size=2))
    return found | {name: chosen_[name] for name in keep if name in chosen_}


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _definition(draw: Any) -> dict[str, Any]:
    plural = draw(st.sampled_from(("gadgets", "things", "pods", "A", "x" * 64)))
    schema = _schema(draw, 4) | {"type": "object"}
    if draw(st.integers(0, 14)) == 0:
        schema = _deep(draw(st.sampled_from((50, 200, 400))))
    made = version(draw(st.sampled_from(("v1", "v1alpha1", "V1", "x"))), schema)
    more = draw(st.sampled_from((
        {}, {"subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.a",
                                                      "statusReplicasPath": "x"}}},
        {"additionalPrinterColumns": [{"name": "A", "type": "date", "jsonPath": ".a[?(@.b)]"}]},
        {"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".[["}]},
        {"selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": "["}]},
    )))  # fmt: skip
    hook = {
        "conversion": {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {"url": "https://127.0.0.1:1/"},
            },
        }
    }
    extra = hook if draw(st.integers(0, 4)) == 0 else {}
    return definition(plural, plural.capitalize()[:-1] or "X", [made | more], **extra)  # fmt: skip


_MATCH = {"resourceRules": [{
    "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}]}  # fmt: skip


def _policy(draw: Any, kind: str) -> dict[str, Any]:
    rule = st.sampled_from(RULES)
    spec: dict[str, Any] = {
        "matchConstraints": _MATCH, "failurePolicy": "Ignore",
        "variables": [{"name": "x", "expression": draw(rule)}],
        "matchConditions": [{"name": "m", "expression": draw(rule)}],
    }  # fmt: skip
    if kind.startswith("Validating"):
        spec["validations"] = [{"expression": draw(rule), "messageExpression": draw(rule)}]
        spec["auditAnnotations"] = [{"key": "a", "valueExpression": draw(rule)}]
    else:
        spec |= {"reinvocationPolicy": "Never", "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": draw(rule)}},
            {"patchType": "JSONPatch", "jsonPatch": {"expression": draw(rule)}}]}  # fmt: skip
    name = draw(st.sampled_from(("policy-a", "policy-b", "policy-c")))
    return {"metadata": {"name": name}, "spec": spec}


def _webhook(draw: Any) -> dict[str, Any]:
    hook = {
        "name": "odd.fuzz.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "failurePolicy": "Ignore", "timeoutSeconds": 1,
        "clientConfig": draw(st.sampled_from((
            {"url": "https://127.0.0.1:1/"}, {"service": {"name": "x", "namespace": "fuzz"}},
            {"url": "https://127.0.0.1:1/", "caBundle": "YQ=="}, {"url": "http://x"}, {},
        ))),
        "matchConditions": [{"name": "m", "expression": draw(st.sampled_from(RULES))}],
        "objectSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]},
        "rules": _MATCH["resourceRules"],
    }  # fmt: skip
    return {"metadata": {"name": "odd"}, "webhooks": [hook]}


_BINDING: dict[str, Any] = {
    "metadata": {"name": "bind"}, "spec": {"policyName": "policy-a", "validationActions": ["Warn"]},
}  # fmt: skip


def hostile(draw: Any) -> tuple[str, dict[str, Any]]:
    """A collection's path, and an object for it."""
    how = draw(st.integers(0, 7))
    group = "admissionregistration.k8s.io/v1"
    if how < 4:
        return _CRDS, _definition(draw)
    plural, kind, body = (
        ("validatingadmissionpolicies", "ValidatingAdmissionPolicy",
         lambda: _policy(draw, "Validating")),
        ("mutatingadmissionpolicies", "MutatingAdmissionPolicy", lambda: _policy(draw, "Mutating")),
        ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
         lambda: _webhook(draw)),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding",
         lambda: mutated(draw, _BINDING, most=1)),
    )[how - 4]  # fmt: skip
    made = body()
    rest = made if isinstance(made, dict) else {}
    return f"{_HOOKS}/{plural}", {"apiVersion": group, "kind": kind, **rest}
