"""Writes through the registry: batches, conflicts, names, dry runs, and what they answer."""

import asyncio

import msgspec
import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.operations import JSON_PATCH, Operation, Verb
from cluster.apiserver import bodies, expiry, writer
from cluster.storage import interface as storage


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def test_answers_come_in_the_order_of_the_batch():
    async def test(world):
        results = await world.registry.write(
            [
                rw.create("configmaps", rw.config_map("a")),
                rw.delete("configmaps", "missing"),
                rw.create("configmaps", rw.config_map("b"), want_object=False),
                rw.create("configmaps", rw.config_map("a")),
            ],
            rw.USER,
        )
        assert results[0].name == "a"
        assert isinstance(results[1], errors.NotFound)
        assert results[1].message == 'configmaps "missing" not found'
        assert results[2] is None
        assert isinstance(results[3], errors.AlreadyExists)

    run(test)


def test_writes_to_one_object_in_a_batch_happen_in_order():
    async def test(world):
        results = await world.registry.write(
            [
                rw.create("configmaps", rw.config_map("a", k="1")),
                rw.patch("configmaps", "a", {"data": {"k": "2"}}),
                rw.patch("configmaps", "a", {"data": {"l": "3"}}),
                rw.delete("configmaps", "a"),
                rw.create("configmaps", rw.config_map("a", k="4")),
            ],
            rw.USER,
        )
        assert not [result for result in results if isinstance(result, errors.StatusError)]
        assert msgspec.json.decode(results[2].json)["data"] == {"k": "2", "l": "3"}
        assert (await world.get("configmaps", "a"))["data"] == {"k": "4"}

    run(test)


def test_a_batch_is_one_commit():
    store = rw.LateStorage()

    async def test(world):
        before = store.calls
        batch = [rw.create("configmaps", rw.config_map(f"c{n}")) for n in range(20)]
        await world.registry.write(batch, rw.USER)
        assert store.calls == before + 1

    run(test, store=store)


def test_a_large_batch_goes_in_parts_so_that_others_have_their_turn():
    store = rw.LateStorage()

    async def test(world):
        names = [f"c{number}" for number in range(1, writer.TOGETHER + 2)] + ["c1"]
        batch = [rw.create("configmaps", rw.config_map(name)) for name in names]
        before = store.calls
        large = world.group.spawn(world.registry.write(batch, rw.USER), "large")
        await asyncio.sleep(0)
        await world.create("configmaps", rw.config_map("other"))
        assert not large.done()
        *made, twice = await large
        assert [entry.name for entry in made] == names[:-1]
        assert isinstance(twice, errors.AlreadyExists)
        assert store.calls == before + 3

    run(test, store=store)


def test_patches_that_race_are_all_applied():
    async def test(world):
        await world.create("configmaps", rw.config_map("a"))
        writes = [world.patch("configmaps", "a", {"data": {f"k{n}": "x"}}) for n in range(10)]
        await asyncio.gather(*writes)
        assert len((await world.get("configmaps", "a"))["data"]) == 10

    run(test, store=rw.LateStorage())


def test_of_racing_updates_that_name_a_revision_one_wins():
    async def test(world):
        read = await world.create("configmaps", rw.config_map("a"))
        writes = [world.update("configmaps", read | {"data": {"winner": str(n)}}) for n in range(5)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        lost = [result for result in results if isinstance(result, errors.Conflict)]
        assert len(lost) == 4
        assert lost[0].message == (
            'Operation cannot be fulfilled on configmaps "a": ' + errors.MODIFIED
        )

    run(test, store=rw.LateStorage())


def test_an_update_that_a_deletion_overtakes_finds_nothing():
    async def test(world):
        read = await world.create("configmaps", rw.config_map("a"))
        gone, late = await asyncio.gather(
            world.delete("configmaps", "a"),
            world.update("configmaps", read | {"data": {"late": "yes"}}),
            return_exceptions=True,
        )
        assert not isinstance(gone, Exception)
        assert isinstance(late, errors.NotFound)
        assert late.message == 'configmaps "a" not found'

    run(test, store=rw.LateStorage())


def test_a_stale_resource_version_is_a_conflict():
    async def test(world):
        read = await world.create("configmaps", rw.config_map("a"))
        await world.patch("configmaps", "a", {"data": {"k": "1"}})
        with pytest.raises(errors.Conflict):
            await world.update("configmaps", read | {"data": {"k": "2"}})
        stale = {"metadata": {"resourceVersion": read["metadata"]["resourceVersion"]}}
        with pytest.raises(errors.Conflict):
            await world.patch("configmaps", "a", stale)
        no_version = {**read, "metadata": {"name": "a", "namespace": "default"}}
        assert (await world.update("configmaps", no_version | {"data": {"k": "3"}}))["data"] == {
            "k": "3"
        }

    run(test)


def test_another_uid_is_a_conflict():
    async def test(world):
        await world.create("configmaps", rw.config_map("a"))
        with pytest.raises(errors.Conflict, match="Precondition failed: UID"):
            await world.patch("configmaps", "a", {"metadata": {"uid": "other"}})

    run(test)


def test_a_json_patch_tests_the_resource_version_it_finds():
    async def test(world):
        read = await world.create("configmaps", rw.config_map("a", k="1"))

        def patch(version: str) -> Operation:
            steps = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "replace", "path": "/data/k", "value": "2"},
            ]
            body = msgspec.json.encode(steps)
            return Operation(
                Verb.PATCH, "configmaps", "default", "a", body=body, patch_type=JSON_PATCH
            )

        with pytest.raises(errors.Invalid):
            await world.do(patch("1"))
        await world.do(patch(read["metadata"]["resourceVersion"]))
        assert (await world.get("configmaps", "a"))["data"] == {"k": "2"}

    run(test)


def test_a_write_that_changes_nothing_makes_no_revision():
    async def test(world):
        read = await world.create("configmaps", rw.config_map("a", k="1"))
        before = world.registry.revision
        same = await world.patch("configmaps", "a", {"data": {"k": "1"}})
        assert same["metadata"]["resourceVersion"] == read["metadata"]["resourceVersion"]
        reordered = {"data": read["data"], "metadata": dict(reversed(read["metadata"].items()))}
        await world.update("configmaps", reordered)
        assert world.registry.revision == before

    run(test)


def test_generated_names_avoid_those_in_use():
    async def test(world):
        batch = [rw.create("configmaps", {"metadata": {"generateName": "x-"}}) for _ in range(50)]
        results = await world.registry.write(batch, rw.USER)
        names = [result.name for result in results]
        assert len(set(names)) == 50
        assert all(name.startswith("x-") and len(name) == 7 for name in names)

    run(test)


def test_a_generated_name_that_collides_is_drawn_again(monkeypatch):
    drawn = iter(["x-taken", "x-taken", "x-free"])
    monkeypatch.setattr("cluster.api.objectmeta.generated_name", lambda base, random: next(drawn))

    async def test(world):
        await world.create("configmaps", rw.config_map("x-taken"))
        made = await world.create("configmaps", {"metadata": {"generateName": "x-"}})
        assert made["metadata"]["name"] == "x-free"

    run(test)


def test_a_dry_run_answers_and_stores_nothing():
    async def test(world):
        before = world.registry.revision
        made = await world.create("configmaps", rw.config_map("a"), dry_run=True)
        assert made["metadata"]["uid"]
        assert "resourceVersion" not in made["metadata"]
        assert not await world.exists("configmaps", "a")
        assert world.registry.revision == before

    run(test)


BAD_BODIES = [
    (b"", "couldn't get version/kind; json parse error", "<empty>"),
    (b'{"metadata":', "must be of type ConfigMap", '({"metadata":)'),
    (b"[1]", "cannot unmarshal array", "5b315d"),
    (b"\xff\xfe", "json parse error", "fffe"),
    (b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}', "Pod", "ConfigMap"),
    (b'{"metadata":{"name":"a","namespace":"other"}}', "does not match the namespace", ""),
    (b'{"metadata":{"name":"a","resourceVersion":"5"}}', "resourceVersion should not be set", ""),
    (b'{"metadata":"x"}', "", ""),
]


@pytest.mark.parametrize(("body", "first", "second"), BAD_BODIES)
def test_a_bad_body_is_a_bad_request(body, first, second):
    async def test(world):
        with pytest.raises(errors.BadRequest) as caught:
            await world.do(Operation(Verb.CREATE, "configmaps", "default", body=body))
        assert first in caught.value.message
        assert second in caught.value.message

    run(test)


def test_names_and_verbs_that_do_not_exist():
    async def test(world):
        for operation, kind in (
            (rw.create("widgets", rw.config_map("a")), errors.NotFound),
            (Operation(Verb.UPDATE, "pods", "default", "a", "nothing"), errors.NotFound),
            (Operation(Verb.UPDATE, "pods", "default", "a", "binding"), errors.MethodNotAllowed),
            (Operation(Verb.DELETE, "configmaps", "default", ""), errors.BadRequest),
            (rw.create("pods", rw.pod(), namespace=""), errors.BadRequest),
        ):
            with pytest.raises(kind):
                await world.do(operation)

    run(test)


def test_the_name_in_the_body_must_be_the_name_asked_for():
    async def test(world):
        made = await world.create("configmaps", rw.config_map("a"))
        body = msgspec.json.encode(made)
        await world.create("configmaps", rw.config_map("b"))
        with pytest.raises(errors.BadRequest, match=r"the name of the object \(a\) does not match"):
            await world.do(Operation(Verb.UPDATE, "configmaps", "default", "b", body=body))

    run(test)


def test_a_fault_is_an_internal_error_and_not_the_end(monkeypatch):
    async def test(world):
        with monkeypatch.context() as patched:
            patched.setattr("cluster.api.rules.for_create", lambda *a: 1 / 0)
            results = await world.registry.write(
                [rw.create("configmaps", rw.config_map("a"))], rw.USER
            )
        assert isinstance(results[0], errors.InternalError)
        await world.create("configmaps", rw.config_map("a"))

    run(test)


def test_a_store_that_is_away_is_service_unavailable():
    class Away(rw.MemoryStorage):
        away = False

        async def write(self, changes):
            if self.away:
                raise storage.Unavailable("disk full")
            return await super().write(changes)

    store = Away()

    async def test(world):
        store.away = True
        with pytest.raises(errors.ServiceUnavailable, match="disk full"):
            await world.create("services", {"metadata": {"name": "a"}, "spec": SERVICE})
        store.away = False
        await world.create("services", {"metadata": {"name": "a"}, "spec": SERVICE})

    run(test, store=store)


SERVICE = {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}


def test_the_ledger_tells_who_wrote_what_and_why():
    async def test(world):
        seen = []
        world.registry.ledger.hook(seen.append)
        made = await world.create("configmaps", rw.config_map("a"))
        first = int(made["metadata"]["resourceVersion"])
        entry = await world.do(rw.create("configmaps", rw.config_map("b"), cause=first))
        chain = world.registry.ledger.chain(entry.revision)
        assert [(fact.key, fact.verb, fact.actor) for fact in chain] == [
            ("default/b", "create", "tester"),
            ("default/a", "create", "tester"),
        ]
        assert [fact.revision for fact in seen] == [first, entry.revision]

    run(test)


def test_status_is_written_apart_from_spec():
    async def test(world):
        made = await world.create("pods", rw.pod())
        made["status"]["phase"] = "Running"
        made["metadata"]["labels"] = {"a": "b"}
        after = await world.update("pods", made, "status")
        assert after["status"]["phase"] == "Running"
        again = await world.patch("pods", "web", {"status": {"phase": "Failed"}})
        assert again["status"]["phase"] == "Running"

    run(test)


def test_scale_reads_and_sets_the_replicas():
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    deployment = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }

    async def test(world):
        await world.create("deployments.apps", deployment)
        scale = await world.get("deployments.apps", "web", subresource="scale")
        assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 1})
        assert scale["status"]["selector"] == "a=b"
        scale["spec"]["replicas"] = 4
        assert (await world.update("deployments.apps", scale, "scale"))["spec"] == {"replicas": 4}
        after = await world.patch(
            "deployments.apps", "web", {"spec": {"replicas": 2}}, subresource="scale"
        )
        assert after["kind"] == "Scale"
        assert (await world.get("deployments.apps", "web"))["spec"]["replicas"] == 2
        with pytest.raises(errors.Invalid):
            await world.patch(
                "deployments.apps", "web", {"spec": {"replicas": -1}}, subresource="scale"
            )
        with pytest.raises(errors.Invalid, match="of type int32"):
            await world.patch(
                "deployments.apps", "web", {"spec": {"replicas": "many"}}, subresource="scale"
            )

    run(test)


def bind(name, node="n1", **meta):
    body = {"metadata": {"name": name, **meta}, "target": {"kind": "Node", "name": node}}
    return Operation(Verb.CREATE, "pods", "default", name, "binding", msgspec.json.encode(body))


def test_a_pod_is_bound_once():
    async def test(world):
        made = await world.create("pods", rw.pod())
        with pytest.raises(errors.Conflict):
            await world.do(bind("web", uid="other"))
        answer = await world.do(bind("web", uid=made["metadata"]["uid"]))
        assert msgspec.json.decode(answer.json)["status"] == "Success"
        bound = await world.get("pods", "web")
        assert bound["spec"]["nodeName"] == "n1"
        (condition,) = bound["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
        with pytest.raises(errors.Conflict, match='already assigned to node "n1"'):
            await world.do(bind("web", "n2"))
        with pytest.raises(errors.NotFound):
            await world.do(bind("other"))

    run(test)


def test_delete_collection_deletes_what_is_selected():
    async def test(world):
        for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
            obj = rw.config_map(name)
            obj["metadata"]["labels"] = {"app": app}
            await world.create("configmaps", obj)
        page = await world.registry.delete_collection(
            "configmaps", "default", rw.USER, labels="app=x"
        )
        assert [entry.name for entry in page.items] == ["a", "c"]
        left = await world.registry.list("configmaps", "default")
        assert [entry.name for entry in left.items] == ["b"]

    run(test)


def test_events_go_an_hour_after_they_were_last_written():
    event = {
        "metadata": {"name": "e1"},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Started",
    }

    async def test(world):
        await world.create("events", event)
        world.group.spawn(expiry.Expiry(world.registry).run(3600), "expiry")
        await asyncio.sleep(600)
        await world.create("events", {**event, "metadata": {"name": "e2"}})
        await asyncio.sleep(600)
        await world.patch("events", "e1", {"reason": "Stopped"})
        left = []
        for _ in range(3):
            await asyncio.sleep(1600)
            left.append([entry.name for entry in (await world.registry.list("events")).items])
        assert left == [["e1", "e2"], ["e1"], []]
        world.group.cancel()

    run(test)


def test_the_oldest_events_go_early_where_there_are_too_many():
    def event(number):
        about = {"kind": "Pod", "namespace": "default", "name": "web"}
        return {
            "metadata": {"name": f"e{number}"}, "involvedObject": about,
            "lastTimestamp": "2026-01-01T00:00:00Z",
        }  # fmt: skip

    async def test(world):
        world.group.spawn(expiry.Expiry(world.registry).run(3600, most=3), "expiry")
        for number in range(3):
            await world.create("events", event(number))
        await asyncio.sleep(100)
        await world.patch("events", "e0", {"reason": "Stopped"})
        assert len((await world.registry.list("events")).items) == 3
        for number in range(3, 5):
            await world.create("events", event(number))
        await asyncio.sleep(100)
        left = [entry.name for entry in (await world.registry.list("events")).items]
        assert left == ["e0", "e3", "e4"]
        world.group.cancel()

    run(test)


def test_an_object_of_too_many_values_is_refused_before_the_rules_go_through_it():
    # One request of 150,000 labels kept everybody else waiting for seconds.
    async def test(world):
        many = {f"k{number}": "v" for number in range(bodies.MOST_VALUES)}
        body = rw.config_map("a") | {"data": many}
        (result,) = await world.registry.write([rw.create("configmaps", body)], rw.USER)
        assert isinstance(result, errors.RequestEntityTooLarge)
        assert result.message == "Request entity too large: limit is 100000 values"

    run(test)


def test_an_object_that_has_grown_too_large_is_not_stored():
    # With its managed fields it would take more than twice what was sent.
    async def test(world):
        many = {"k" * 30 + str(number): "v" for number in range(40_000)}
        body = rw.config_map("a") | {"data": many}
        assert len(msgspec.json.encode(body)) < bodies.MAX_BODY
        (result,) = await world.registry.write([rw.create("configmaps", body)], rw.USER)
        assert isinstance(result, errors.RequestEntityTooLarge)
        assert "in the store: limit is 3145728" in result.message

    run(test)
