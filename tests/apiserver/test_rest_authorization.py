"""RBAC over REST: refusals, escalation, reviews, and acting as somebody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from rest_world import MAPS, PODS, Answer, Api, config_map, pod, serving

from cluster.api import identity

JANE = identity.User("jane", ("dev", "system:authenticated"))
NODE = identity.User("system:node:n1", ("system:nodes", "system:authenticated"))
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
TOKENS = {"jane-token": JANE, "node-token": NODE}


def run(scenario: Callable[[Api], Awaitable[None]], *modes: str) -> None:
    async def main() -> None:
        async with serving(others=TOKENS, authorization=modes or ("Node", "RBAC")) as api:
            await scenario(api)

    asyncio.run(main())


async def as_jane(api: Api, method: str, path: str, body: Any = None, **more: str) -> Answer:
    return await api.call(method, path, body, Authorization="Bearer jane-token", **more)


def role(name: str, *rules: Any, kind: str = "Role", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name}, "rules": list(rules), **more,
    }  # fmt: skip


def rule(verbs: str, resources: str, group: str = "") -> dict[str, Any]:
    return {"verbs": verbs.split(","), "apiGroups": [group], "resources": resources.split(",")}


def binding(name: str, kind: str, target: str, user: str = "jane", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name}, "subjects": [{"kind": "User", "name": user}],
        "roleRef": {"kind": kind, "name": target}, **more,
    }  # fmt: skip


async def grant(api: Api, *rules: Any) -> None:
    space = f"{RBAC}/namespaces/default"
    assert (await api.create(f"{space}/roles", role("granted", *rules))).status == 201
    made = await api.create(f"{space}/rolebindings", binding("granted", "Role", "granted"))
    assert made.status == 201, made.text
    assert made.json["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("method", "path", "message", "details"),
    [
        (
            "GET", PODS,
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the '
            'namespace "default"',
            {"kind": "pods"},
        ),
        (
            "GET", f"{PODS}/web",
            'pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in '
            'the namespace "default"',
            {"name": "web", "kind": "pods"},
        ),
        (
            "GET", "/apis/apps/v1/deployments?watch=1",
            'deployments.apps is forbidden: User "jane" cannot watch resource "deployments" in '
            'API group "apps" at the cluster scope',
            {"group": "apps", "kind": "deployments"},
        ),
        (
            "PATCH", f"{PODS}/web/status",
            'pods "web" is forbidden: User "jane" cannot patch resource "pods/status" in API group '
            '"" in the namespace "default"',
            {"name": "web", "kind": "pods"},
        ),
        (
            "DELETE", MAPS,
            'configmaps is forbidden: User "jane" cannot deletecollection resource "configmaps" in '
            'API group "" in the namespace "default"',
            {"kind": "configmaps"},
        ),
        (
            "GET", "/api/v1/nodes?fieldSelector=metadata.name%3Dn1",
            'nodes "n1" is forbidden: User "jane" cannot list resource "nodes" in API group "" at '
            "the cluster scope",
            {"name": "n1", "kind": "nodes"},
        ),
        (
            "GET", "/api/v1/namespaces/default",
            'namespaces "default" is forbidden: User "jane" cannot get resource "namespaces" in '
            'API group "" in the namespace "default"',
            {"name": "default", "kind": "namespaces"},
        ),
        (
            "GET", "/apis/no.such/v1/things",
            'things.no.such is forbidden: User "jane" cannot list resource "things" in API group '
            '"no.such" at the cluster scope',
            {"group": "no.such", "kind": "things"},
        ),
        ("GET", "/metrics", 'forbidden: User "jane" cannot get path "/metrics"', {}),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_the_words_of_kubernetes(method, path, message, details) -> None:
    async def scenario(api: Api) -> None:
        answer = await as_jane(api, method, path)
        assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
        assert answer.json["message"] == message
        assert (answer.json.get("details") or {}) == details

    run(scenario)


def test_what_is_granted_is_served_and_nothing_else() -> None:
    async def scenario(api: Api) -> None:
        await grant(api, rule("get,list,create", "configmaps"))
        assert (await as_jane(api, "POST", MAPS, config_map("a"))).status == 201
        assert (await as_jane(api, "GET", f"{MAPS}/a")).status == 200
        assert (await as_jane(api, "DELETE", f"{MAPS}/a")).status == 403
        assert (await as_jane(api, "GET", "/api/v1/configmaps")).status == 403
        assert (await as_jane(api, "GET", "/apis")).status == 200  # system:discovery
        await api.call("DELETE", f"{RBAC}/namespaces/default/rolebindings/granted")
        assert (await as_jane(api, "GET", f"{MAPS}/a")).status == 403

    run(scenario)


def test_nobody_grants_more_than_he_has() -> None:
    async def scenario(api: Api) -> None:
        await grant(
            api, rule("create", "roles,rolebindings", "rbac.authorization.k8s.io"),
            rule("get,list", "pods"),
        )  # fmt: skip
        space = f"{RBAC}/namespaces/default"
        assert (
            await as_jane(api, "POST", f"{space}/roles", role("r", rule("get", "pods")))
        ).status == 201
        more = role("more", rule("get,delete", "pods"), rule("get", "secrets"))
        answer = await as_jane(api, "POST", f"{space}/roles", more)
        assert answer.status == 403
        assert answer.json["message"] == (
            'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" '
            '(groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not '
            'currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
            '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
        )
        answer = await as_jane(
            api, "POST", f"{space}/rolebindings", binding("b", "ClusterRole", "edit")
        )
        assert answer.status == 403
        assert "is attempting to grant RBAC permissions not currently held" in answer.text
        answer = await as_jane(
            api, "POST", f"{space}/rolebindings", binding("b", "ClusterRole", "lost")
        )
        assert (answer.status, answer.json["message"]) == (
            404, 'clusterroles.rbac.authorization.k8s.io "lost" not found',
        )  # fmt: skip

    run(scenario)


@pytest.mark.parametrize(("verb", "resource"), [("escalate", "roles"), ("bind", "clusterroles")])
def test_escalate_and_bind_allow_it_all_the_same(verb: str, resource: str) -> None:
    async def scenario(api: Api) -> None:
        await grant(
            api, rule("create", "roles,rolebindings", "rbac.authorization.k8s.io"),
            rule(verb, resource, "rbac.authorization.k8s.io"),
        )  # fmt: skip
        space = f"{RBAC}/namespaces/default"
        made = await as_jane(api, "POST", f"{space}/roles", role("r", rule("get", "secrets")))
        bound = await as_jane(
            api, "POST", f"{space}/rolebindings", binding("b", "ClusterRole", "view")
        )
        assert (made.status == 201, bound.status == 201) == (verb == "escalate", verb == "bind")

    run(scenario)


def test_aggregation_takes_an_administrator() -> None:
    async def scenario(api: Api) -> None:
        wide = role(
            "gather", kind="ClusterRole",
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        )  # fmt: skip
        maker = role("maker", rule("create", "clusterroles", "rbac.authorization.k8s.io"),
                     kind="ClusterRole")  # fmt: skip
        await api.create(f"{RBAC}/clusterroles", maker)
        bound = binding("maker", "ClusterRole", "maker") | {"kind": "ClusterRoleBinding"}
        assert (await api.create(f"{RBAC}/clusterrolebindings", bound)).status == 201
        answer = await as_jane(api, "POST", f"{RBAC}/clusterroles", wide)
        assert answer.status == 403
        assert answer.json["message"] == (
            'clusterroles.rbac.authorization.k8s.io "gather" is forbidden: must have '
            "cluster-admin privileges to use the aggregationRule"
        )

    run(scenario)


def test_what_an_update_or_an_apply_would_make_has_to_be_allowed_as_a_creation() -> None:
    async def scenario(api: Api) -> None:
        group = "rbac.authorization.k8s.io"
        await grant(api, rule("update,patch", "configmaps"), rule("update", "roles", group))
        applied = await as_jane(
            api, "PATCH", f"{MAPS}/a?fieldManager=t", config_map("a"),
            Content_Type="application/apply-patch+yaml",
        )  # fmt: skip
        assert applied.json["message"] == (
            'configmaps "a" is forbidden: User "jane" cannot create resource "configmaps" in API '
            'group "" in the namespace "default"'
        )
        path = f"{RBAC}/namespaces/default/roles/r"
        put = await as_jane(api, "PUT", path, role("r", rule("update", "configmaps")))
        assert (put.status, "cannot create resource" in put.text) == (403, True)

    run(scenario)


def test_the_role_of_a_binding_stays() -> None:
    async def scenario(api: Api) -> None:
        await grant(api, rule("get", "pods"))
        path = f"{RBAC}/namespaces/default/rolebindings/granted"
        answer = await api.call("PUT", path, binding("granted", "ClusterRole", "view"))
        assert answer.status == 422
        (cause,) = answer.json["details"]["causes"]
        assert cause["field"] == "roleRef"
        assert cause["message"].endswith("cannot change roleRef")

    run(scenario)


def review(kind: str, spec: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": meta, "spec": spec}


def test_reviews_tell_what_would_be_decided() -> None:
    async def scenario(api: Api) -> None:
        await grant(api, rule("get,list", "pods"))
        wanted = {"namespace": "default", "verb": "list", "resource": "pods"}
        own = review("SelfSubjectAccessReview", {"resourceAttributes": wanted})
        answer = await as_jane(api, "POST", f"{REVIEWS}/selfsubjectaccessreviews", own)
        assert answer.status == 201
        assert answer.json["status"] == {
            "allowed": True,
            "reason": 'RBAC: allowed by RoleBinding "granted/default" of Role "granted" to User '
            '"jane"',
        }
        other = review("SubjectAccessReview", {"user": "bob", "resourceAttributes": wanted})
        answer = await api.create(f"{REVIEWS}/subjectaccessreviews", other)
        assert answer.json["status"] == {"allowed": False}
        assert (await as_jane(api, "POST", f"{REVIEWS}/subjectaccessreviews", other)).status == 403
        local = review("LocalSubjectAccessReview", {"user": "jane", "resourceAttributes": wanted})
        path = f"{REVIEWS}/namespaces/default/localsubjectaccessreviews"
        assert (await api.create(path, local)).json["status"]["allowed"]
        open_path = {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}
        nobody = review("SubjectAccessReview", {"groups": ["system:unauthenticated"]} | open_path)
        answer = await api.create(f"{REVIEWS}/subjectaccessreviews", nobody)
        assert answer.json["status"]["allowed"]
        rules = review("SelfSubjectRulesReview", {"namespace": "default"})
        answer = await as_jane(api, "POST", f"{REVIEWS}/selfsubjectrulesreviews", rules)
        assert rule("get,list", "pods") in answer.json["status"]["resourceRules"]
        assert answer.json["status"]["incomplete"] is False

    run(scenario)


_PODS = {"verb": "get", "resource": "pods"}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"user": "x"}, "spec.resourceAttributes", "Invalid value: null: exactly one of "
         "nonResourceAttributes or resourceAttributes must be specified"),
        ({"resourceAttributes": _PODS}, "spec.user",
         'Invalid value: "": at least one of user or group must be specified'),
        ({"user": "x", "resourceAttributes": _PODS, "nonResourceAttributes": {"path": "/"}},
         "spec.nonResourceAttributes", 'Invalid value: {"path":"/"}: cannot be specified in '
         "combination with resourceAttributes"),
    ],
)  # fmt: skip
def test_reviews_that_make_no_sense_are_invalid(spec, field, message) -> None:
    async def scenario(api: Api) -> None:
        body = review("SubjectAccessReview", spec)
        answer = await api.create(f"{REVIEWS}/subjectaccessreviews", body)
        assert answer.status == 422
        assert answer.json["details"]["causes"] == [
            {"reason": "FieldValueInvalid", "message": message, "field": field}
        ]

    run(scenario)


def test_one_learns_who_one_is_and_whose_a_token_is() -> None:
    async def scenario(api: Api) -> None:
        group = "/apis/authentication.k8s.io/v1"
        answer = await as_jane(api, "POST", f"{group}/selfsubjectreviews", {})
        assert answer.json["status"]["userInfo"] == {
            "username": "jane", "groups": ["dev", "system:authenticated"],
        }  # fmt: skip
        asked = {"spec": {"token": "jane-token"}}
        answer = await api.create(f"{group}/tokenreviews", asked)
        assert answer.json["status"]["authenticated"] is True
        assert answer.json["status"]["user"]["username"] == "jane"
        answer = await api.create(f"{group}/tokenreviews", {"spec": {"token": "no"}})
        assert answer.json["status"].get("authenticated") is None
        assert answer.json["status"]["error"]
        assert (await api.create(f"{group}/tokenreviews", {})).status == 400
        listed = await api.get(f"{group}/tokenreviews")
        assert listed.status == 405

    run(scenario)


def test_acting_as_another_has_the_rights_of_the_other() -> None:
    async def scenario(api: Api) -> None:
        answer = await api.get(PODS, Impersonate_User="bob", Impersonate_Group="ops")
        assert answer.status == 403
        assert 'User "bob" cannot list' in answer.json["message"]
        answer = await as_jane(api, "GET", PODS, Impersonate_User="bob")
        assert answer.json["message"].startswith('users "bob" is forbidden: User "jane" cannot')

    run(scenario)


def test_a_node_sees_what_its_pods_refer_to() -> None:
    async def scenario(api: Api) -> None:
        await api.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "x"}})
        mine = pod("web")
        mine["spec"] |= {"nodeName": "n1", "imagePullSecrets": [{"name": "pull"}]}
        assert (await api.create(PODS, mine)).status == 201
        for name in ("pull", "other"):
            secret = {"metadata": {"name": name}}
            await api.create("/api/v1/namespaces/default/secrets", secret)
        known = {"Authorization": "Bearer node-token"}
        path = "/api/v1/namespaces/default/secrets"
        assert (await api.get(f"{path}/pull", **known)).status == 200
        answer = await api.get(f"{path}/other", **known)
        assert answer.json["message"] == (
            'secrets "other" is forbidden: User "system:node:n1" cannot get resource "secrets" in '
            'API group "" in the namespace "default": no relationship found between node '
            "'n1' and this object"
        )

    run(scenario)


def test_where_everything_is_allowed_nothing_is_asked() -> None:
    async def scenario(api: Api) -> None:
        assert (await as_jane(api, "POST", MAPS, config_map("a"))).status == 201
        body = role("r", rule("*", "*"))
        made = await as_jane(api, "POST", f"{RBAC}/namespaces/default/roles", body)
        assert made.status == 201

    run(scenario, "AlwaysAllow")
