"""Custom resources through the registry, on virtual time: from a definition's birth to its end."""

import asyncio
import copy

import pytest
from crd_world import DEFINITIONS, VERSION, WIDGETS, causes, definition, widget, world

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.crd import names
from cluster.api.operations import APPLY_PATCH, Verb
from cluster.storage.memory import MemoryStorage


def conditions(obj):
    return {one["type"]: (one["status"], one["reason"]) for one in obj["status"]["conditions"]}


def test_a_definition_is_named_established_and_served_within_milliseconds() -> None:
    async def scenario() -> None:
        async with world() as w:
            made = await w.create(DEFINITIONS, definition())
            assert made["status"]["storedVersions"] == ["v1"]
            assert made["spec"]["names"] == {
                "plural": "widgets", "kind": "Widget", "shortNames": ["wd"],
                "singular": "widget", "listKind": "WidgetList",
            }  # fmt: skip
            assert made["spec"]["conversion"] == {"strategy": "None"}
            started = asyncio.get_running_loop().time()
            found = await w.established()
            assert asyncio.get_running_loop().time() - started < 0.05
            assert conditions(found) == {
                "NamesAccepted": ("True", "NoConflicts"),
                "Established": ("True", "InitialNamesAccepted"),
            }
            assert found["status"]["acceptedNames"]["listKind"] == "WidgetList"
            row = w.registry.table.at("example.com", "v1", "widgets")
            assert row is not None
            assert row.short_names == ("wd",)
            obj = await w.create(WIDGETS, widget())
            assert obj["spec"] == {"color": "red", "size": 3}
            assert obj["metadata"]["generation"] == 1

    virtual.run(scenario())


def test_a_bad_object_is_refused_and_an_unknown_field_is_told() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            with pytest.raises(errors.Invalid) as refused:
                await w.create(WIDGETS, widget(color="green", size=0))
            assert causes(refused.value) == [
                'spec.color: Unsupported value: "green": supported values: "red", "blue"',
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal "
                "to 1",
            ]
            assert refused.value.message.startswith('Widget.example.com "a" is invalid: [')
            await w.create(WIDGETS, widget(bogus=1), field_validation="Warn")
            assert w.warnings == ['unknown field "spec.bogus"']
            with pytest.raises(errors.BadRequest, match='strict decoding error: unknown field "sp'):
                await w.create(WIDGETS, widget("b", bogus=1), field_validation="Strict")

    virtual.run(scenario())


def test_status_and_spec_are_written_apart_and_generations_count_what_is_wanted() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            made = await w.create(WIDGETS, widget() | {"status": {"phase": "Sneaky"}})
            assert "status" not in made
            stated = await w.merge(
                WIDGETS, "a",
                {"status": {"phase": "Up"}, "spec": {"size": 9}, "metadata": {"labels": {"x": "y"}}},  # noqa: E501
                subresource="status",
            )  # fmt: skip
            assert stated["status"] == {"phase": "Up"}
            assert stated["spec"]["size"] == 3
            assert "labels" not in stated["metadata"]
            assert stated["metadata"]["generation"] == 1
            wanted = await w.merge(WIDGETS, "a", {"spec": {"size": 9}, "status": {"phase": "No"}})
            assert wanted["status"] == {"phase": "Up"}
            assert wanted["metadata"]["generation"] == 2

    virtual.run(scenario())


def test_scale_reads_and_writes_the_paths_of_the_definition() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            await w.create(WIDGETS, widget(replicas=2))
            status = {"status": {"replicas": 1, "selector": "app=web"}}
            await w.merge(WIDGETS, "a", status, subresource="status")
            scale = await w.get(WIDGETS, "a", subresource="scale")
            assert scale["spec"] == {"replicas": 2}
            assert scale["status"] == {"replicas": 1, "selector": "app=web"}
            scale = await w.merge(WIDGETS, "a", {"spec": {"replicas": 5}}, subresource="scale")
            assert scale["spec"] == {"replicas": 5}
            obj = await w.get(WIDGETS, "a")
            assert obj["spec"]["replicas"] == 5
            assert obj["metadata"]["generation"] == 2
            with pytest.raises(errors.Invalid):
                await w.merge(WIDGETS, "a", {"spec": {"replicas": -1}}, subresource="scale")

    virtual.run(scenario())


def test_fields_can_be_selected_and_others_cannot() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            await w.create(WIDGETS, widget("r"))
            await w.create(WIDGETS, widget("b", color="blue"))
            page = await w.registry.list(WIDGETS, "default", fields="spec.color=blue")
            assert [entry.name for entry in page.items] == ["b"]
            with pytest.raises(errors.BadRequest, match=r"field label not supported: spec\.size"):
                await w.registry.list(WIDGETS, "default", fields="spec.size=3")

    virtual.run(scenario())


FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def other_version(name: str, **more):
    return copy.deepcopy(VERSION) | {"name": name, "storage": False, **more}


def test_each_version_shows_the_same_objects_and_one_that_is_not_served_none() -> None:
    async def scenario() -> None:
        async with world() as w:
            old = other_version("v1beta1", deprecated=True)
            gone = other_version("v1alpha1", served=False)
            await w.create(DEFINITIONS, definition(old, gone, VERSION))
            await w.established()
            await w.create(WIDGETS, widget())
            table = w.registry.table
            assert [row.version for row in table.versions(WIDGETS)] == ["v1", "v1beta1", "v1alpha1"]
            assert table.at("example.com", "v1alpha1", "widgets") is None
            row = table.at("example.com", "v1beta1", "widgets")
            assert row is not None
            assert row.deprecated == "example.com/v1beta1 Widget is deprecated"
            seen = await w.registry.get(WIDGETS, "default", "a", version="v1beta1")
            assert seen.document()["apiVersion"] == "example.com/v1beta1"
            body = widget("b") | {"apiVersion": "example.com/v1beta1"}
            made = await w.create(WIDGETS, body, version="v1beta1")
            assert made["apiVersion"] == "example.com/v1beta1"
            assert (await w.get(WIDGETS, "b"))["apiVersion"] == "example.com/v1"

    virtual.run(scenario())


def test_what_the_stored_version_does_not_know_is_not_stored_by_another() -> None:
    async def scenario() -> None:
        async with world() as w:
            free = other_version("v1beta1", schema={"openAPIV3Schema": FREE})
            await w.create(DEFINITIONS, definition(VERSION, free))
            await w.established()
            body = widget() | {"apiVersion": "example.com/v1beta1", "more": {"a": 1}}
            await w.create(WIDGETS, body, version="v1beta1")
            assert "more" not in await w.get(WIDGETS, "a")

    virtual.run(scenario())


def test_objects_of_before_are_read_with_the_defaults_of_now() -> None:
    async def scenario() -> None:
        async with world() as w:
            made = await w.create(DEFINITIONS, definition())
            await w.established()
            await w.create(WIDGETS, widget())
            made = await w.get(DEFINITIONS, WIDGETS, "")
            spec = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
            spec["properties"]["mode"] = {"type": "string", "default": "fast"}
            await w.update(DEFINITIONS, made)
            assert (await w.get(WIDGETS, "a"))["spec"]["mode"] == "fast"
            page = await w.registry.list(WIDGETS, "default")
            assert page.items[0].document()["spec"]["mode"] == "fast"
            patched = await w.merge(WIDGETS, "a", {"metadata": {"labels": {"a": "b"}}})
            assert patched["spec"]["mode"] == "fast"
            assert patched["metadata"]["generation"] == 1

    virtual.run(scenario())


def test_a_definition_that_goes_takes_its_objects_along_and_ends_the_watches() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            await w.create(WIDGETS, widget("a"))
            await w.create(WIDGETS, widget("b"))
            watch = await w.registry.watch(WIDGETS, "default", revision=str(w.registry.revision))
            everywhere = await w.registry.watch(WIDGETS, revision=str(w.registry.revision))
            marked = await w.delete(DEFINITIONS, WIDGETS)
            assert marked["metadata"]["finalizers"] == [
                "customresourcecleanup.apiextensions.k8s.io"
            ]
            assert conditions(marked)["Terminating"] == ("True", "InstanceDeletionPending")
            await w.gone(DEFINITIONS, WIDGETS)
            assert w.registry.table.get(WIDGETS) is None
            for one in (watch, everywhere):
                seen = [event.type async for batch in one for event in batch.events]
                assert seen == ["DELETED", "DELETED"]
            with pytest.raises(errors.NotFound):
                await w.registry.list(WIDGETS)
            await w.create(DEFINITIONS, definition())
            await w.established()
            assert (await w.registry.list(WIDGETS)).items == []

    virtual.run(scenario())


def test_nothing_is_made_while_a_definition_waits_for_an_object_with_a_finalizer() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            held = widget("held")
            held["metadata"]["finalizers"] = ["example.com/held"]
            await w.create(WIDGETS, held)
            await w.delete(DEFINITIONS, WIDGETS)
            going = await w.condition(WIDGETS, "Terminating", "True")
            assert going["metadata"]["deletionTimestamp"]
            late = widget("late")
            for verb, body, more in (
                (Verb.CREATE, late, {}),
                (Verb.PATCH, late, {"patch_type": APPLY_PATCH, "field_manager": "me"}),
            ):
                name = "late" if more else ""
                with pytest.raises(errors.MethodNotAllowed, match="definition is terminating"):
                    await w.do(verb, WIDGETS, body, name, **more)
            await asyncio.sleep(90)
            assert conditions(await w.get(DEFINITIONS, WIDGETS, ""))["Terminating"] == (
                "True", "InstanceDeletionCheck",
            )  # fmt: skip
            row = w.registry.table.get(WIDGETS)
            assert row is not None
            assert "create" not in row.verbs

    virtual.run(scenario())


@pytest.mark.parametrize("how", ["patch", "update"])
def test_a_definition_goes_once_the_finalizer_of_its_last_object_is_taken_away(how: str) -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            held = widget("held")
            held["metadata"]["finalizers"] = ["example.com/held"]
            await w.create(WIDGETS, held)
            await w.delete(DEFINITIONS, WIDGETS)
            await w.condition(WIDGETS, "Terminating", "True")
            if how == "patch":
                await w.merge(WIDGETS, "held", {"metadata": {"finalizers": None}})
            else:
                going = await w.get(WIDGETS, "held")
                del going["metadata"]["finalizers"]
                await w.update(WIDGETS, going)
            await w.gone(DEFINITIONS, WIDGETS)
            assert w.registry.table.get(WIDGETS) is None

    virtual.run(scenario())


def test_names_that_are_taken_are_refused_and_given_when_they_are_free() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            second = definition(
                names={"plural": "gadgets", "kind": "Gadget", "listKind": "WidgetList"}
            )
            second["metadata"]["name"] = "gadgets.example.com"
            await w.create(DEFINITIONS, second)
            found = await w.condition("gadgets.example.com", "NamesAccepted", "False")
            assert conditions(found) == {
                "NamesAccepted": ("False", "ListKindConflict"),
                "Established": ("False", "NotAccepted"),
            }
            assert found["status"]["conditions"][0]["message"] == '"WidgetList" is already in use'
            assert w.registry.table.get("gadgets.example.com") is None
            await w.delete(DEFINITIONS, WIDGETS)
            await w.gone(DEFINITIONS, WIDGETS)
            await w.established("gadgets.example.com")
            assert w.registry.table.get("gadgets.example.com") is not None

    virtual.run(scenario())


def test_after_a_restart_everything_is_served_before_anybody_asks() -> None:
    async def scenario() -> None:
        store = MemoryStorage()
        async with world(store) as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            await w.create(WIDGETS, widget("b", color="blue"))
        async with world(store) as w:
            page = await w.registry.list(WIDGETS, "default", fields="spec.color=blue")
            assert [entry.name for entry in page.items] == ["b"]

    virtual.run(scenario())


def test_a_protected_group_needs_an_approval() -> None:
    async def scenario() -> None:
        async with world() as w:
            wanted = definition(group="example.k8s.io")
            wanted["metadata"]["name"] = "widgets.example.k8s.io"
            with pytest.raises(errors.Invalid, match="protected groups must have approval annot"):
                await w.create(DEFINITIONS, wanted)
            wanted["metadata"]["annotations"] = {
                "api-approved.kubernetes.io": "unapproved, for a test"
            }
            await w.create(DEFINITIONS, wanted)
            found = await w.established("widgets.example.k8s.io")
            name = "KubernetesAPIApprovalPolicyConformant"
            assert conditions(found)[name] == ("False", "UnapprovedAnnotation")

    virtual.run(scenario())


def test_an_object_that_is_nested_absurdly_deep_is_a_bad_request() -> None:
    async def scenario() -> None:
        async with world() as w:
            version = other_version("v1", storage=True, selectableFields=[])
            schema = version["schema"]["openAPIV3Schema"]["properties"]
            schema["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            await w.create(DEFINITIONS, definition(version))
            await w.established()
            for depth in (100, 400, 900):
                deep = b'{"a":' * depth + b"1" + b"}" * depth
                head = b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"d%d"}'
                body = head % depth + b',"spec":' + deep + b"}"
                try:
                    await w.do(Verb.CREATE, WIDGETS, body)
                    await w.merge(WIDGETS, f"d{depth}", {"spec": {"replicas": 4}})
                    await w.merge(
                        WIDGETS, f"d{depth}", {"spec": {"replicas": 5}}, subresource="scale"
                    )
                except errors.BadRequest:
                    assert depth > 100

    virtual.run(scenario())


def test_an_object_of_another_kind_or_version_is_refused() -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            with pytest.raises(errors.Invalid, match='Invalid value: "Gadget": must be Widget'):
                await w.create(WIDGETS, widget() | {"kind": "Gadget"})
            with pytest.raises(errors.BadRequest, match="does not match the expected API version"):
                await w.create(WIDGETS, widget() | {"apiVersion": "example.com/v9"})

    virtual.run(scenario())


def test_a_definition_whose_status_is_refused_is_tried_less_and_less_often(monkeypatch) -> None:
    async def scenario() -> None:
        async with world() as w:
            write, asked = w.registry.one, []

            async def refused(operation, *more):
                if operation.subresource == "status":
                    asked.append(operation.name)
                    raise errors.InternalError("a webhook is away")
                return await write(operation, *more)

            monkeypatch.setattr(w.registry, "one", refused)
            await w.create(DEFINITIONS, definition())
            await asyncio.sleep(10)
            assert 3 < len(asked) < 12
            monkeypatch.undo()
            await asyncio.sleep(60)
            assert conditions(await w.established())["Established"][0] == "True"

    virtual.run(scenario())


def test_a_definition_that_nobody_foresaw_does_not_keep_others_from_being_served(
    monkeypatch,
) -> None:
    accepted = names.accepted

    def faulty(wanted, *more):
        if wanted["metadata"]["name"] != WIDGETS:
            raise RecursionError("nobody thought of this")
        return accepted(wanted, *more)

    monkeypatch.setattr(names, "accepted", faulty)

    async def scenario() -> None:
        async with world() as w:
            odd = definition(names={"plural": "odds", "kind": "Odd"})
            odd["metadata"]["name"] = "odds.example.com"
            await w.create(DEFINITIONS, odd)
            await asyncio.sleep(1)
            await w.create(DEFINITIONS, definition())
            assert conditions(await w.established())["Established"][0] == "True"

    virtual.run(scenario())


def test_a_finalizer_that_could_be_anybodys_is_warned_of_when_it_comes() -> None:
    text = (
        "prefer a domain-qualified finalizer name including a path (/) to avoid accidental "
        "conflicts with other finalizer writers"
    )

    async def scenario() -> None:
        async with world() as w:
            await w.create(DEFINITIONS, definition())
            await w.established()
            held = widget("held")
            held["metadata"]["finalizers"] = ["mine.example.com", "example.com/mine", "orphan"]
            await w.create(WIDGETS, held)
            assert w.warnings == [f'metadata.finalizers: "mine.example.com": {text}']
            w.warnings.clear()
            await w.merge(WIDGETS, "held", {"spec": {"size": 5}})
            assert w.warnings == []
            more = {"metadata": {"finalizers": [*held["metadata"]["finalizers"], "b", "a"]}}
            await w.merge(WIDGETS, "held", more)
            assert w.warnings == [f'metadata.finalizers: "{name}": {text}' for name in "ab"]

    virtual.run(scenario())
