"""Who may do what, in a whole cluster: aggregated roles, and components with their own rights."""

import pytest
from scenarios import WEB

from cluster.api import errors, identity, objects
from cluster.apiserver.authz.policy import wanted
from cluster.controllers.clusterroleaggregation import gathered
from cluster.lab.lab import Lab

ROLES = "clusterroles.rbac.authorization.k8s.io"
JANE = identity.User("jane", (identity.AUTHENTICATED,))


def named(name, labels=None, **more):
    meta = {"name": name, "labels": labels or {}}
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return {**kind, "metadata": meta, **more}


def rule(verb, resource):
    return {"verbs": [verb], "apiGroups": ["example.com"], "resources": [resource]}


def gathering(label):
    return {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}


def rules_of(cluster, name):
    return cluster.get(ROLES, name).get("rules") or []


def test_aggregated_roles_follow_what_they_gather():
    async def scenario(cluster):
        into_view = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        await cluster.apply(
            [
                named("outer", aggregationRule=gathering("outer")),
                named("inner", {"outer": "true"}, aggregationRule=gathering("inner")),
                named("leaf", {"inner": "true"}, rules=[rule("get", "cats")]),
                named("crd-view", into_view, rules=[rule("list", "cats")]),
            ]
        )
        await cluster.until(lambda: rules_of(cluster, "outer") == [rule("get", "cats")], within=10)
        for name in ("view", "edit", "admin"):
            await cluster.until(
                lambda name=name: rule("list", "cats") in rules_of(cluster, name), within=10
            )
        await cluster.apply([named("leaf", {"inner": "true"}, rules=[rule("get", "dogs")])])
        await cluster.until(lambda: rules_of(cluster, "outer") == [rule("get", "dogs")], within=10)

    Lab(seed=3, nodes=1).run(scenario)


def test_the_bootstrap_roles_are_as_the_controller_would_make_them():
    policy = list(wanted())
    aggregated = [role for role in policy if role.get("aggregationRule")]
    assert {objects.name(role) for role in aggregated} == {"admin", "edit", "view"}
    for role in aggregated:
        assert (
            gathered(role, (each for each in policy if each["kind"] == "ClusterRole"))
            == (role["rules"])
        )


def test_a_user_who_may_view_reads_and_writes_nothing():
    async def scenario(cluster):
        await cluster.apply(WEB)
        await cluster.apply(
            [
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "RoleBinding",
                    "metadata": {"name": "jane", "namespace": "default"},
                    "roleRef": {"kind": "ClusterRole", "name": "view"},
                    "subjects": [{"kind": "User", "name": "jane"}],
                }
            ]
        )
        await cluster.until(lambda: len(cluster.pods(ready=True)) == 3, within=60)
        async with cluster.acting_as(JANE) as jane:
            page = await jane.list("pods", "default")
            assert len(page.items) == 3
            with pytest.raises(errors.Forbidden) as refused:
                await jane.delete("pods", objects.name(page.items[0]), "default")
            assert 'User "jane" cannot delete resource "pods"' in refused.value.message
            with pytest.raises(errors.Forbidden):
                await jane.list("pods", "kube-system")
            with pytest.raises(errors.Forbidden):
                await jane.list("secrets", "default")

    Lab(seed=4, nodes=2).run(scenario)
