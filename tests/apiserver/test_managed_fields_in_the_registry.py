"""Who owns what, as writes through the registry leave it; and server-side apply."""

import json
from typing import Any

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.operations import APPLY_PATCH, Operation, Verb
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.plugin import Plugin


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def document(result) -> dict[str, Any]:
    assert not isinstance(result, errors.StatusError), result
    return json.loads(result.json)


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    """Who did what: the fields of each manager, as `manager/operation[/subresource]`."""
    return {
        "/".join(filter(None, (entry["manager"], entry["operation"], entry.get("subresource")))):
        entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields") or ()
    }  # fmt: skip


def operation(verb, resource, name, body, manager, **more) -> Operation:
    text = json.dumps(body).encode()
    namespace = more.pop("namespace", "default")
    return Operation(verb, resource, namespace, name, body=text, field_manager=manager, **more)


def applied(name, body, manager="tool", *, resource="configmaps", **more) -> Operation:
    return operation(Verb.PATCH, resource, name, body, manager, patch_type=APPLY_PATCH, **more)


def config_map(name="a", **data) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(**spec) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "nginx"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template} | spec,
    }


async def do(world, *operations) -> list[Any]:
    return [(await world.registry.write([item], rw.USER))[0] for item in operations]


def test_a_create_owns_what_was_said_and_defaulted_but_not_what_admission_adds():
    async def test(world):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]},
            "status": {"phase": "Running"},
        }
        made = document(
            (await do(world, operation(Verb.CREATE, "pods", "", pod, "kubectl-run")))[0]
        )
        found = owners(made)["kubectl-run/Update"]
        assert found["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
        assert "f:status" not in found
        assert "f:tolerations" not in found["f:spec"]
        assert "tolerations" in made["spec"]
        container = found["f:spec"]["f:containers"]['k:{"name":"c"}']
        assert list(container) == [
            ".", "f:image", "f:imagePullPolicy", "f:name", "f:resources",
            "f:terminationMessagePath", "f:terminationMessagePolicy",
        ]  # fmt: skip
        (entry,) = made["metadata"]["managedFields"]
        assert list(entry) == [
            "manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1",
        ]  # fmt: skip

    run(test)


def test_an_update_takes_what_it_changes_and_an_idle_one_writes_nothing():
    async def test(world):
        made, changed = await do(
            world,
            operation(Verb.CREATE, "configmaps", "", config_map(x="1", y="1"), "one"),
            operation(Verb.UPDATE, "configmaps", "a", config_map(x="2", y="1"), "two"),
        )
        assert owners(document(changed)) == {
            "one/Update": {"f:data": {".": {}, "f:y": {}}},
            "two/Update": {"f:data": {"f:x": {}}},
        }
        (idle,) = await do(
            world, operation(Verb.UPDATE, "configmaps", "a", config_map(x="2", y="1"), "three")
        )
        assert idle.revision == changed.revision > made.revision

    run(test)


def test_a_status_write_owns_status_alone():
    async def test(world):
        made, status = await do(
            world,
            operation(Verb.CREATE, "deployments.apps", "", deployment(), "one"),
            operation(
                Verb.PATCH, "deployments.apps", "web",
                {"spec": {"replicas": 9}, "status": {"observedGeneration": 1}}, "controller",
                subresource="status", patch_type="application/merge-patch+json",
            ),
        )  # fmt: skip
        assert "one/Update" in owners(document(made))
        found = owners(document(status))
        assert found["controller/Update/status"] == {"f:status": {"f:observedGeneration": {}}}
        assert "f:replicas" in found["one/Update"]["f:spec"]

    run(test)


def test_a_scale_takes_the_replicas_from_an_applier():
    async def test(world):
        scale = {
            "apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 5},
        }  # fmt: skip
        made, _ = await do(
            world,
            applied("web", deployment(replicas=2), resource="deployments.apps"),
            operation(Verb.UPDATE, "deployments.apps", "web", scale, "hpa", subresource="scale"),
        )
        assert made.created == made.revision
        found = owners(await world.get("deployments.apps", "web"))
        assert found["hpa/Update/scale"] == {"f:spec": {"f:replicas": {}}}
        assert "f:replicas" not in found["tool/Apply"]["f:spec"]
        (conflict,) = await do(
            world, applied("web", deployment(replicas=2), resource="deployments.apps")
        )
        assert isinstance(conflict, errors.Conflict)
        assert conflict.message == (
            'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using '
            "apps/v1: .spec.replicas"
        )

    run(test)


def test_a_scale_can_be_applied():
    async def test(world):
        scale = {
            "apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 5},
        }  # fmt: skip
        await do(world, applied("web", deployment(), resource="deployments.apps"))
        (forced,) = await do(
            world, applied("web", scale, "s", resource="deployments.apps", subresource="scale")
        )
        assert document(forced)["spec"] == {"replicas": 5}
        found = await world.get("deployments.apps", "web")
        assert found["spec"]["replicas"] == 5
        assert owners(found)["s/Apply/scale"] == {"f:spec": {"f:replicas": {}}}

    run(test)


def test_applying_makes_changes_and_leaves_in_peace():
    async def test(world):
        first, second, third = await do(
            world,
            applied("a", config_map(x="1")),
            applied("a", config_map(x="1")),
            applied("a", config_map(y="2")),
        )
        assert (first.created, first.namespace) == (first.revision, "default")
        assert (second.revision, second.created) == (first.revision, 0)
        assert document(third)["data"] == {"y": "2"}
        assert owners(document(third)) == {"tool/Apply": {"f:data": {"f:y": {}}}}

    run(test)


def test_a_conflict_names_its_owner_and_force_takes_the_field():
    async def test(world):
        await do(
            world, operation(Verb.CREATE, "configmaps", "", config_map(x="1"), "kubectl-create")
        )
        (refused,) = await do(world, applied("a", config_map(x="2")))
        assert isinstance(refused, errors.Conflict)
        assert refused.status() == {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": 'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: '
            ".data.x",
            "reason": "Conflict", "code": 409,
            "details": {"causes": [{
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-create" using v1', "field": ".data.x",
            }]},
        }  # fmt: skip
        (forced,) = await do(world, applied("a", config_map(x="2"), force=True))
        assert owners(document(forced)) == {
            "tool/Apply": {"f:data": {"f:x": {}}},
            "kubectl-create/Update": {"f:data": {}},
        }

    run(test)


def test_managed_fields_are_given_up_where_one_empty_entry_is_written():
    async def test(world):
        await do(world, operation(Verb.CREATE, "configmaps", "", config_map(x="1"), "one"))
        reset = {"metadata": {"managedFields": [{}]}}
        cleared, later, empty = await do(
            world,
            operation(
                Verb.PATCH, "configmaps", "a", reset, "two",
                patch_type="application/merge-patch+json",
            ),
            operation(Verb.UPDATE, "configmaps", "a", config_map(x="3"), "two"),
            applied("a", config_map(x="3")),
        )  # fmt: skip
        assert owners(document(cleared)) == owners(document(later)) == {}
        assert owners(document(empty)) == {
            "tool/Apply": {"f:data": {"f:x": {}}},
            "before-first-apply/Update": {"f:data": {".": {}, "f:x": {}}},
        }

    run(test)


@pytest.mark.parametrize(
    "said", [[], None, "x", [{"manager": "m"}], [{"operation": "Eat", "fieldsType": "FieldsV1"}]]
)
def test_managed_fields_that_cannot_be_read_change_nothing(said):
    async def test(world):
        (made,) = await do(
            world, operation(Verb.CREATE, "configmaps", "", config_map(x="1"), "one")
        )
        body = config_map(x="1")
        body["metadata"]["managedFields"] = said
        (result,) = await do(world, operation(Verb.UPDATE, "configmaps", "a", body, "two"))
        if not isinstance(result, errors.BadRequest):  # of a type that no ObjectMeta has
            assert result.revision == made.revision

    run(test)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"kind": "Pod"}, errors.BadRequest, "invalid object type: /v1, Kind=Pod"),
        ({"apiVersion": None}, errors.BadRequest, "invalid object type: /, Kind=ConfigMap"),
        ({"foo": 1}, errors.BadRequest,
         "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not "
         "declared in schema"),
        ({"data": []}, errors.BadRequest, ".data: expected map, got"),
        ({"metadata": {"name": "b"}}, errors.BadRequest,
         "the name of the object (b) does not match the name on the URL (a)"),
        ({"metadata": {}}, errors.BadRequest, "name must be provided"),
        ({"metadata": []}, errors.BadRequest, "metadata must be an object"),
        ({"metadata": {"name": "a", "managedFields": []}}, errors.BadRequest,
         "metadata.managedFields must be nil"),
        ({"metadata": {"name": "a", "uid": "u"}}, errors.Conflict, "uid mismatch"),
        ({"metadata": {"name": "a", "resourceVersion": "7"}}, errors.Conflict, "modified"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_applied_is_refused(change, kind, words):
    async def test(world):
        (refused,) = await do(world, applied("a", config_map(x="1") | change))
        assert isinstance(refused, kind)
        assert words in refused.message

    run(test)


def test_a_resource_version_and_a_uid_in_a_configuration_are_preconditions():
    async def test(world):
        (made,) = await do(world, applied("a", config_map(x="1")))
        for precondition in ({"resourceVersion": "1"}, {"uid": "other"}):
            body = config_map(x="2")
            body["metadata"] |= precondition
            (refused,) = await do(world, applied("a", body))
            assert isinstance(refused, errors.Conflict)
        body["metadata"] = {"name": "a", "resourceVersion": str(made.revision)}
        (fine,) = await do(world, applied("a", body))
        assert document(fine)["data"] == {"x": "2"}

    run(test)


def test_a_dry_run_of_an_apply_answers_and_stores_nothing():
    async def test(world):
        (made,) = await do(world, applied("a", config_map(x="1")))
        dry, anew = await do(
            world,
            applied("a", config_map(x="2"), dry_run=True),
            applied("b", config_map("b", x="2"), dry_run=True),
        )
        assert document(dry)["data"] == {"x": "2"}
        assert dry.created != dry.revision
        assert anew.created == anew.revision
        assert (await world.get("configmaps", "a"))["data"] == {"x": "1"}
        assert world.registry.revision == made.revision

    run(test)


def test_status_can_be_applied_where_the_object_is():
    async def test(world):
        body = deployment() | {"status": {"observedGeneration": 7}}
        missing, _, done = await do(
            world,
            applied("web", body, "c", resource="deployments.apps", subresource="status"),
            applied("web", deployment(), resource="deployments.apps"),
            applied("web", body, "c", resource="deployments.apps", subresource="status"),
        )
        assert isinstance(missing, errors.NotFound)
        found = owners(document(done))
        assert found["c/Apply/status"] == {"f:status": {"f:observedGeneration": {}}}

    run(test)


def autoscaler(version: str, **spec) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 9} | spec,
    }


HPAS = "horizontalpodautoscalers.autoscaling"


def test_a_change_in_one_version_takes_fields_from_owners_in_another():
    async def test(world):
        made, changed = await do(
            world,
            applied("h", autoscaler("v2", minReplicas=2), resource=HPAS, version="v2"),
            operation(
                Verb.PATCH, HPAS, "h", {"spec": {"minReplicas": 3}}, "two", version="v1",
                patch_type="application/merge-patch+json",
            ),
        )  # fmt: skip
        assert "f:minReplicas" in owners(document(made))["tool/Apply"]["f:spec"]
        found = owners(document(changed))
        assert list(found["tool/Apply"]["f:spec"]) == ["f:maxReplicas", "f:scaleTargetRef"]
        assert found["two/Update"] == {"f:spec": {"f:minReplicas": {}}}
        (refused,) = await do(
            world, applied("h", autoscaler("v2", minReplicas=2), resource=HPAS, version="v2")
        )
        assert refused.message == (
            'Apply failed with 1 conflict: conflict with "two" using autoscaling/v1: '
            ".spec.minReplicas"
        )

    run(test)


def test_what_was_applied_in_one_version_can_be_given_up_in_another():
    async def test(world):
        first, second = await do(
            world,
            applied("h", autoscaler("v2", minReplicas=2), resource=HPAS, version="v2"),
            applied("h", autoscaler("v1"), resource=HPAS, version="v1"),
        )
        assert document(first)["spec"]["minReplicas"] == 2
        found = document(second)
        assert found["spec"]["minReplicas"] == 1  # the default
        assert found["spec"]["maxReplicas"] == 9
        (entry,) = found["metadata"]["managedFields"]
        assert (entry["apiVersion"], entry["manager"]) == ("autoscaling/v1", "tool")

    run(test)


def test_entries_of_versions_that_are_no_more_are_dropped():
    async def test(world):
        await do(world, operation(Verb.CREATE, "configmaps", "", config_map(x="1"), "one"))
        made = await world.get("configmaps", "a")
        old = {
            "manager": "old", "operation": "Update", "apiVersion": "v0", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:z": {}}},
        }  # fmt: skip
        body = config_map(x="2")
        body["metadata"]["managedFields"] = [*made["metadata"]["managedFields"], old]
        (changed,) = await do(world, operation(Verb.UPDATE, "configmaps", "a", body, "two"))
        assert set(owners(document(changed))) == {"one/Update", "two/Update"}

    run(test)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([{"manager": "x"}], {"one/Update"}),
        ("nonsense", {"one/Update"}),
        ([{"manager": "hook", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
           "fieldsV1": {"f:data": {"f:x": {}}}}], {"hook/Update"}),
    ],
)  # fmt: skip
def test_admission_may_not_make_managed_fields_unreadable(said, found):
    class Meddler(Plugin):
        resources = ("configmaps",)

        def mutate(self, request):
            request.object["metadata"]["managedFields"] = said

    async def test(world):
        made, later = await do(
            world,
            operation(Verb.CREATE, "configmaps", "", config_map(x="1"), "one"),
            operation(Verb.UPDATE, "configmaps", "a", config_map(x="1", y="2"), "one"),
        )
        assert set(owners(document(made))) == found
        assert set(owners(document(later))) == found

    run(test, admission=Chain([Meddler()]))
