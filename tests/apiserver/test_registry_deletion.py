"""What becomes of objects that are asked to go."""

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors, resources, timestamps
from cluster.apiserver import deletion
from cluster.apiserver.deletion import Fate, Options

TABLE = resources.built_in()
NOW = 1_700_000_000.0


def thing(kind="Pod", spec=None, status=None, **meta):
    found = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "generation": 1, **meta}}
    if spec is not None:
        found["spec"] = spec
    if status is not None:
        found["status"] = status
    return found


RUNS = {"nodeName": "n1", "terminationGracePeriodSeconds": 30}
GOING = {"deletionTimestamp": timestamps.encode(NOW + 20), "deletionGracePeriodSeconds": 30}
GONE = {"deletionTimestamp": timestamps.encode(NOW), "deletionGracePeriodSeconds": 0}

# resource, object, options, fate, what metadata must then hold
CASES = {
    "unscheduled pod": ("pods", thing(spec={}), Options(), Fate.REMOVE, {}),
    "running pod": (
        "pods", thing(spec=RUNS), Options(), Fate.MARK,
        {"deletionTimestamp": timestamps.encode(NOW + 30), "deletionGracePeriodSeconds": 30,
         "generation": 2},
    ),
    "running pod, shorter": (
        "pods", thing(spec=RUNS), Options(grace=5), Fate.MARK,
        {"deletionTimestamp": timestamps.encode(NOW + 5), "deletionGracePeriodSeconds": 5},
    ),
    "running pod, negative": (
        "pods", thing(spec=RUNS), Options(grace=-7), Fate.MARK, {"deletionGracePeriodSeconds": 1},
    ),
    "running pod, now": ("pods", thing(spec=RUNS), Options(grace=0), Fate.REMOVE, {}),
    "finished pod": (
        "pods", thing(spec=RUNS, status={"phase": "Succeeded"}), Options(), Fate.REMOVE, {},
    ),
    "terminating pod": ("pods", thing(spec=RUNS, **GOING), Options(), Fate.KEEP, {}),
    "terminating pod, longer": (
        "pods", thing(spec=RUNS, **GOING), Options(grace=60), Fate.KEEP, {},
    ),
    "terminating pod, shorter": (
        "pods", thing(spec=RUNS, **GOING), Options(grace=10), Fate.MARK,
        {"deletionTimestamp": timestamps.encode(NOW), "deletionGracePeriodSeconds": 10},
    ),
    "terminating pod, now": ("pods", thing(spec=RUNS, **GOING), Options(grace=0), Fate.REMOVE, {}),
    "terminated pod with a finalizer": (
        "pods", thing(spec=RUNS, finalizers=["x/y"], **GONE), Options(), Fate.KEEP, {},
    ),
    "running pod with a finalizer, now": (
        "pods", thing(spec=RUNS, finalizers=["x/y"]), Options(grace=0), Fate.MARK,
        {"deletionGracePeriodSeconds": 0, "deletionTimestamp": timestamps.encode(NOW)},
    ),
    "plain object": ("configmaps", thing("ConfigMap"), Options(grace=30), Fate.REMOVE, {}),
    "object with a finalizer": (
        "configmaps", thing("ConfigMap", finalizers=["x/y"]), Options(), Fate.MARK,
        {"deletionTimestamp": timestamps.encode(NOW), "deletionGracePeriodSeconds": 0,
         "generation": 2, "finalizers": ["x/y"]},
    ),
    "object that waits for its finalizer": (
        "configmaps", thing("ConfigMap", finalizers=["x/y"], **GONE), Options(), Fate.KEEP, {},
    ),
    "foreground": (
        "configmaps", thing("ConfigMap"), Options(policy="Foreground"), Fate.MARK,
        {"finalizers": ["foregroundDeletion"]},
    ),
    "orphan": (
        "configmaps", thing("ConfigMap"), Options(policy="Orphan"), Fate.MARK,
        {"finalizers": ["orphan"]},
    ),
    "orphan after foreground": (
        "configmaps", thing("ConfigMap", finalizers=["foregroundDeletion"], **GONE),
        Options(policy="Orphan"), Fate.MARK, {"finalizers": ["orphan"]},
    ),
    "background after foreground": (
        "configmaps", thing("ConfigMap", finalizers=["foregroundDeletion"], **GONE),
        Options(policy="Background"), Fate.REMOVE, {},
    ),
    "namespace": (
        "namespaces", thing("Namespace", spec={"finalizers": ["kubernetes"]}), Options(),
        Fate.MARK, {"deletionTimestamp": timestamps.encode(NOW)},
    ),
    "terminating namespace": (
        "namespaces",
        thing("Namespace", {"finalizers": ["kubernetes"]}, {"phase": "Terminating"}, **GONE),
        Options(), Fate.KEEP, {},
    ),
    "namespace without finalizers": (
        "namespaces", thing("Namespace", spec={}), Options(), Fate.REMOVE, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_fate_of_an_object(case):
    resource, obj, asked, fate, meta = CASES[case]
    before = repr(obj)
    verdict = deletion.judge(TABLE.get(resource), obj, asked, NOW)
    assert verdict.fate is fate
    assert repr(obj) == before
    for field, value in meta.items():
        assert verdict.object["metadata"][field] == value


@pytest.mark.parametrize(
    ("resource", "old", "new", "ends"),
    [
        ("configmaps", thing(**GONE), thing(**GONE), True),
        ("configmaps", thing(**GONE), thing(finalizers=["x"], **GONE), False),
        ("configmaps", thing(), thing(), False),
        ("pods", thing(**GOING), thing(**GOING), False),
        ("namespaces", thing(**GONE), thing(spec={"finalizers": ["kubernetes"]}, **GONE), False),
        ("namespaces", thing(**GONE), thing(spec={}, **GONE), True),
    ],
)
def test_the_last_finalizer_lets_an_object_go(resource, old, new, ends):
    assert deletion.finished(TABLE.get(resource), old, new) is ends


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"propagationPolicy": "Sideways"}, errors.Invalid),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, errors.Invalid),
        ({"gracePeriodSeconds": "soon"}, errors.BadRequest),
        ({"gracePeriodSeconds": 2**63}, errors.BadRequest),
        ({"preconditions": []}, None),
        ({"preconditions": "x"}, errors.BadRequest),
    ],
)
def test_options_that_make_no_sense(body, error):
    if error is None:
        assert deletion.options(body) == Options()
        return
    with pytest.raises(error):
        deletion.options(body)


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


def test_a_deletion_answers_with_a_status_or_the_pod():
    async def test(world):
        made = await world.create("configmaps", rw.config_map("a"))
        assert await world.delete("configmaps", "a") == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
        }
        await world.create("pods", rw.pod())
        assert (await world.delete("pods", "web"))["kind"] == "Pod"
        assert not await world.exists("pods", "web")

    run(test)


def test_a_pod_may_take_longer_than_calendars_last():
    async def test(world):
        await world.create("pods", rw.pod(node="n"))
        marked = await world.delete("pods", "web", gracePeriodSeconds=2**63 - 1)
        assert marked["metadata"]["deletionGracePeriodSeconds"] == deletion.LONGEST_GRACE
        sooner = await world.delete("pods", "web", gracePeriodSeconds=5)
        assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
        assert sooner["metadata"]["deletionTimestamp"] == timestamps.encode(rw.EPOCH + 5)

    run(test)


def test_a_collection_is_deleted_by_options_that_make_sense_or_not_at_all():
    async def test(world):
        with pytest.raises(errors.Invalid):
            await world.registry.delete_collection(
                "pods", "default", rw.USER, body=b'{"propagationPolicy":"Sideways"}'
            )

    run(test)


def test_preconditions_guard_a_deletion():
    async def test(world):
        made = await world.create("configmaps", rw.config_map("a"))
        for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
            with pytest.raises(errors.Conflict):
                await world.delete("configmaps", "a", preconditions=wrong)
        meta = made["metadata"]
        right = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        await world.delete("configmaps", "a", preconditions=right)

    run(test)


def test_a_pod_with_a_finalizer_goes_in_two_steps():
    async def test(world):
        await world.create("pods", rw.pod(node="n1", finalizers=["example.com/hold"]))
        await world.delete("pods", "web")
        await world.delete("pods", "web", gracePeriodSeconds=0)
        held = await world.get("pods", "web")
        assert held["metadata"]["deletionGracePeriodSeconds"] == 0
        await world.patch("pods", "web", {"metadata": {"finalizers": None}})
        assert not await world.exists("pods", "web")

    run(test)


def test_a_namespace_goes_when_it_is_finalized():
    async def test(world):
        await world.create("namespaces", {"metadata": {"name": "team"}}, namespace="")
        answer = await world.delete("namespaces", "team", "")
        assert answer["status"]["phase"] == "Terminating"
        with pytest.raises(errors.Forbidden, match="because it is being terminated") as caught:
            await world.create("configmaps", rw.config_map("a"), "team")
        assert caught.value.details["causes"][0]["reason"] == "NamespaceTerminating"
        await world.delete("namespaces", "team", "")
        assert await world.exists("namespaces", "team", "")
        namespace = await world.get("namespaces", "team", "")
        namespace["spec"] = {}
        await world.update("namespaces", namespace, "finalize")
        assert not await world.exists("namespaces", "team", "")
        with pytest.raises(errors.NotFound, match='namespaces "team" not found'):
            await world.create("configmaps", rw.config_map("a"), "team")

    run(test)


def test_deletions_that_race_with_a_slow_store_happen_once():
    import asyncio

    async def test(world):
        await world.create("configmaps", rw.config_map("a"))
        results = await asyncio.gather(
            *(world.delete("configmaps", "a") for _ in range(4)),
            world.patch("configmaps", "a", {"data": {"k": "1"}}),
            return_exceptions=True,
        )
        gone = [result for result in results[:4] if isinstance(result, dict)]
        assert len(gone) == 1
        assert all(isinstance(result, errors.NotFound) for result in results if result not in gone)

    run(test, store=rw.LateStorage())
