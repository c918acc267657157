"""Revisions in a real registry: created once, adopted, renumbered, forgotten."""

from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.client import informer
from cluster.controllers import adoption, context, ownership
from cluster.controllers.config import Config
from cluster.controllers.history import keeper, naming, revisions, snapshot

CONFIG = Config(controllers=("*", "-statefulset", "-daemonset"))
REVISIONS = context.CONTROLLER_REVISIONS


class Bench:
    """A Deployment as the owner: what owns revisions does not matter to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.source = informer.Informer(
            world.client, REVISIONS, indexers=context._INDEXERS[REVISIONS]
        )
        self.history = keeper.History(world.client, self.source)

    async def start(self) -> None:
        await self.world.create("deployments.apps", deployment(replicas=0))
        self.owner = await self.world.get("deployments.apps", "web")
        await self.follow()

    async def follow(self) -> None:
        """Read all revisions anew."""
        items = await self.world.all(REVISIONS)
        self.source.replace(items, 0)

    @property
    def claimant(self) -> adoption.Owner:
        reference = ownership.reference(self.owner, "apps/v1", "Deployment")
        return adoption.Owner(self.owner, "deployments.apps", reference)

    def build(self, image: str, number: int = 1) -> keeper.Build:
        changed = deployment(image=image)
        data = snapshot.of(changed)
        return lambda collisions: revisions.new(
            self.owner, self.claimant.reference, data, labels={"app": "web"}, annotations={},
            number=number, collisions=collisions,
        )  # fmt: skip


def bench(scenario: Any) -> None:
    async def main() -> None:
        async with running(CONFIG) as world:
            found = Bench(world)
            await found.start()
            await scenario(found, world)

    virtual.run(main())


def test_data_comes_back_from_the_server_as_it_went_in() -> None:
    async def scenario(b: Bench, world: World) -> None:
        made, count = await b.history.create(b.build("a"), 0)
        assert count == 0
        read = await world.get(REVISIONS, objects.name(made))
        assert read["data"] == snapshot.of(deployment(image="a"))

    bench(scenario)


def test_a_revision_is_created_once() -> None:
    async def scenario(b: Bench, world: World) -> None:
        first, _ = await b.history.create(b.build("a"), 0)
        second, count = await b.history.create(b.build("a", number=2), 0)
        assert (objects.uid(first), count) == (objects.uid(second), 0)
        assert len(await world.all(REVISIONS)) == 1

    bench(scenario)


def test_a_collision_takes_the_next_name() -> None:
    async def scenario(b: Bench, world: World) -> None:
        build = b.build("a")
        squatter = build(0) | {"data": {"other": True}}
        await world.create(REVISIONS, squatter)
        made, count = await b.history.create(build, 0)
        assert count == 1
        assert objects.name(made) == objects.name(build(1)) != objects.name(squatter)
        assert objects.labels(made)[naming.LABEL] in objects.name(made)

    bench(scenario)


def test_collisions_without_end_are_told() -> None:
    async def scenario(b: Bench, world: World) -> None:
        build = b.build("a")
        for count in range(keeper.MAX_COLLISIONS):
            await world.create(REVISIONS, build(count) | {"data": {"other": True}})
        with pytest.raises(errors.Conflict, match="too many hashes collide"):
            await b.history.create(build, 0)

    bench(scenario)


def test_orphans_are_adopted_and_come_in_order() -> None:
    async def scenario(b: Bench, world: World) -> None:
        orphan = b.build("old", number=1)(0)
        del orphan["metadata"]["ownerReferences"]
        stranger = b.build("other", number=9)(0)
        stranger["metadata"] |= {"ownerReferences": [], "labels": {"app": "else"}}
        await b.history.create(b.build("new", number=2), 0)
        for one in (orphan, stranger):
            await world.create(REVISIONS, one)
        await b.follow()
        found = await b.history.of(b.claimant, release=False)
        assert [revisions.number(one) for one in found] == [1, 2]
        read = await world.get(REVISIONS, objects.name(orphan))
        assert (objects.controller_of(read) or {})["uid"] == objects.uid(b.owner)

    bench(scenario)


@pytest.mark.parametrize("release", [False, True])
def test_what_is_selected_no_more_is_let_go_or_left_alone(release: bool) -> None:
    async def scenario(b: Bench, world: World) -> None:
        made, _ = await b.history.create(b.build("a"), 0)
        name = objects.name(made)
        patch = {"metadata": {"labels": {"app": "else"}}}
        await world.client.patch(REVISIONS, name, patch, "default")
        await b.follow()
        assert await b.history.of(b.claimant, release=release) == []
        owned = objects.controller_of(await world.get(REVISIONS, name)) is not None
        assert owned is not release

    bench(scenario)


def test_a_number_changes_only_as_it_was_read() -> None:
    async def scenario(b: Bench, world: World) -> None:
        made, _ = await b.history.create(b.build("a"), 0)
        changed = await b.history.renumber(revisions.Renumber(made, 5))
        assert revisions.number(changed) == 5
        with pytest.raises(errors.Conflict):
            await b.history.renumber(revisions.Renumber(made, 6))

    bench(scenario)


def test_forgetting_takes_what_is_there() -> None:
    async def scenario(b: Bench, world: World) -> None:
        one, _ = await b.history.create(b.build("a"), 0)
        two, _ = await b.history.create(b.build("b"), 0)
        await world.client.delete(REVISIONS, objects.name(one), "default")
        await b.history.forget([one, two])
        assert await world.all(REVISIONS) == []

    bench(scenario)


def test_what_the_cache_does_not_show_yet_is_found() -> None:
    async def scenario(b: Bench, world: World) -> None:
        await b.history.create(b.build("b", number=2), 0)
        await b.history.create(b.build("a", number=1), 0)
        stranger = b.build("c", number=3)(0)
        stranger["metadata"]["ownerReferences"] = []
        await world.create(REVISIONS, stranger)
        assert await b.history.of(b.claimant, release=False) == []
        found = await b.history.fresh(b.claimant)
        assert [revisions.number(one) for one in found] == [1, 2]

    bench(scenario)
