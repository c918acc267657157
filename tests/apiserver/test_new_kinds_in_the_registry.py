"""Kinds that are views, computed, or written by their subresources: through the registry."""

import msgspec
import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors

EVENTS = "events.events.k8s.io"


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def event(name="a", **more):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "action": "Sending", "eventTime": "2023-01-01T00:00:00.000000Z", "reason": "Sent",
        "regarding": {"kind": "Pod", "name": name, "namespace": "default"},
        "reportingController": "example.com/sender", "reportingInstance": "one",
        "type": "Normal", "note": "hello",
    } | more  # fmt: skip


def test_an_event_of_the_new_group_is_the_same_object_in_the_old_one():
    async def test(world):
        made = await world.create(EVENTS, event())
        assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "hello")
        old = await world.get("events", "a")
        assert old["metadata"]["uid"] == made["metadata"]["uid"]
        assert old["involvedObject"] == {"kind": "Pod", "name": "a", "namespace": "default"}
        assert (old["message"], old["reportingComponent"]) == ("hello", "example.com/sender")
        assert not {"note", "regarding", "reportingController"} & set(old)
        await world.delete(EVENTS, "a")
        assert not await world.exists("events", "a")

    run(test)


def test_events_are_selected_by_the_labels_of_either_group():
    async def test(world):
        for name in ("a", "b"):
            await world.create(EVENTS, event(name))
        for resource, fields in (
            (EVENTS, "regarding.name=b"),
            (EVENTS, "regarding.kind=Pod,reportingController=example.com/sender,"
                     "regarding.name!=a"),
            ("events", "involvedObject.name=b"),
        ):  # fmt: skip
            page = await world.registry.list(resource, "default", fields=fields)
            assert [entry.name for entry in page.items] == ["b"], fields
        with pytest.raises(errors.BadRequest, match="field label not supported: involvedObject"):
            await world.registry.list(EVENTS, "default", fields="involvedObject.name=b")

    run(test)


def test_a_watch_of_the_new_group_tells_of_what_the_old_one_writes():
    async def test(world):
        watch = await world.registry.watch(EVENTS, "default", fields="regarding.name=x")
        old = {"metadata": {"name": "e"}, "involvedObject": {"name": "x", "namespace": "default"}}
        await world.create("events", old | {"message": "from the old one"})
        async with watch:
            while True:
                batch = await anext(watch)
                told = [msgspec.json.decode(each.json) for each in batch.events if each.json]
                seen = [each for each in told if each["metadata"].get("name") == "e"]
                if seen:
                    break
        assert (seen[0]["apiVersion"], seen[0]["note"]) == ("events.k8s.io/v1", "from the old one")

    run(test)


def test_component_statuses_are_listed_and_read_and_not_written():
    async def test(world):
        page = await world.registry.list("componentstatuses")
        assert [entry.name for entry in page.items] == [
            "controller-manager", "etcd-0", "scheduler",
        ]  # fmt: skip
        found = await world.get("componentstatuses", "etcd-0", "")
        assert found["conditions"][0]["status"] == "True"
        with pytest.raises(errors.NotFound):
            await world.get("componentstatuses", "none", "")
        with pytest.raises(errors.MethodNotAllowed):
            await world.create("componentstatuses", {"metadata": {"name": "x"}}, "")

    run(test)


def test_a_service_cidr_is_there_from_the_start():
    async def test(world):
        found = await world.get("servicecidrs.networking.k8s.io", "kubernetes", "")
        assert found["spec"] == {"cidrs": ["10.96.0.0/12"]}
        (ready,) = found["status"]["conditions"]
        assert (ready["type"], ready["status"]) == ("Ready", "True")
        assert ready["message"] == "Kubernetes default Service CIDR is ready"

    run(test)
