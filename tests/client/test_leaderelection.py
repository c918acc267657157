"""Leader election: one leads, others wait, and a leader that cannot renew stops."""

import asyncio
import random

import pytest
from fake_api import FakeApi

from cluster.aio import clock, tasks, virtual
from cluster.api import errors
from cluster.client import election, leaderelection
from cluster.client.client import Client

EPOCH = 1_800_000_000.0
LEASE = ("leases.coordination.k8s.io", "kube-system", "kube-controller-manager")


class World:
    """An API and the log of who led when."""

    def __init__(self):
        self.api = FakeApi()
        self.log = []
        self.leading = 0

    def elector(self, identity, api=None):
        config = leaderelection.Config("kube-controller-manager", identity)
        loop = asyncio.get_running_loop()
        client = Client(api or self.api)
        wall = clock.LoopClock(loop, EPOCH)
        return client, leaderelection.LeaderElector(config, client, wall, random.Random(identity))

    async def stand(self, identity, api=None, seconds=1e9):
        client, elector = self.elector(identity, api)

        async def lead():
            self.leading += 1
            assert self.leading == 1
            self.log.append((identity, "leads", asyncio.get_running_loop().time()))
            try:
                await asyncio.sleep(seconds)
            finally:
                self.leading -= 1
                self.log.append((identity, "ends", asyncio.get_running_loop().time()))

        async with client:
            await elector.run(lead)

    @property
    def lease(self):
        return self.api.objects[LEASE]["spec"]


def test_the_first_candidate_leads_at_once_and_renews():
    async def main():
        world = World()
        async with tasks.Group("g") as group:
            group.spawn(world.stand("a"), "a")
            await asyncio.sleep(61)
            assert world.lease == {
                "holderIdentity": "a",
                "leaseDurationSeconds": 15,
                "acquireTime": "2027-01-15T08:00:00.000000Z",
                "renewTime": "2027-01-15T08:01:00.000000Z",
                "leaseTransitions": 0,
            }
            assert world.log == [("a", "leads", 0)]
            group.cancel()

    virtual.run(main())


def test_a_leader_that_stops_gives_the_lease_back_and_the_next_follows_soon():
    async def main():
        world = World()
        async with tasks.Group("g") as group:
            first = group.spawn(world.stand("a"), "a")
            await asyncio.sleep(1)
            group.spawn(world.stand("b"), "b")
            await asyncio.sleep(30)
            first.cancel()
            await asyncio.sleep(10)
            assert [entry[:2] for entry in world.log] == [
                ("a", "leads"),
                ("a", "ends"),
                ("b", "leads"),
            ]
            assert world.log[2][2] - 31 < 6
            assert world.lease["holderIdentity"] == "b"
            assert world.lease["leaseTransitions"] == 1
            group.cancel()

    virtual.run(main())


class Cut:
    """A transport to an API that can be cut off."""

    def __init__(self, api):
        self.api = api
        self.cut = False

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            if self.cut:
                raise errors.ServiceUnavailable("cut off")
            return await getattr(self.api, name)(*args, **kwargs)

        return call


def test_a_leader_that_is_cut_off_stops_before_another_takes_over():
    async def main():
        world = World()
        wire = Cut(world.api)

        async def first():
            with pytest.raises(leaderelection.LostLeadership, match="not renewed within 10 s"):
                await world.stand("a", wire)

        async with tasks.Group("g") as group:
            group.spawn(first(), "a")
            await asyncio.sleep(1)
            group.spawn(world.stand("b"), "b")
            await asyncio.sleep(30)
            wire.cut = True
            await asyncio.sleep(40)
            (_, ended, taken) = world.log
            assert ended[:2] == ("a", "ends")
            assert 37 <= ended[2] <= 41
            assert taken[:2] == ("b", "leads")
            assert 45 <= taken[2] <= 52
            group.cancel()

    virtual.run(main())


class Mute(Cut):
    """A transport whose calls, once it is cut, are never answered."""

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            if self.cut:
                await asyncio.sleep(1e6)
            return await getattr(self.api, name)(*args, **kwargs)

        return call


def test_a_leader_that_gets_no_answers_stops_at_the_renew_deadline():
    async def main():
        world = World()
        wire = Mute(world.api)

        async def first():
            with pytest.raises(leaderelection.LostLeadership):
                await world.stand("a", wire)

        async with tasks.Group("g") as group:
            group.spawn(first(), "a")
            await asyncio.sleep(29)  # the last renewal was at 28 s
            wire.cut = True
            await asyncio.sleep(20)
            (_, ended) = world.log
            assert ended == ("a", "ends", pytest.approx(38))

    virtual.run(main())


def test_it_returns_when_what_it_leads_ends():
    async def main():
        world = World()
        await world.stand("a", seconds=7)
        assert not world.lease.get("holderIdentity")
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 7


def test_a_failure_of_what_it_leads_comes_through_after_giving_the_lease_back():
    async def main():
        world = World()
        client, elector = world.elector("a")

        async def lead():
            await asyncio.sleep(1)
            raise ZeroDivisionError("fault")

        async with client:
            with pytest.raises(ZeroDivisionError):
                await elector.run(lead)
        return world.lease.get("holderIdentity")

    assert not virtual.run(main())


def test_many_candidates_have_one_leader_at_a_time():
    async def main():
        world = World()
        async with tasks.Group("g") as group:
            standing = {
                name: group.spawn(world.stand(name), name) for name in map("c{}".format, range(8))
            }
            while len(standing) > 1:
                await asyncio.sleep(40)
                standing.pop(world.log[-1][0]).cancel()
            group.cancel()
        return [entry[0] for entry in world.log if entry[1] == "leads"]

    leaders = virtual.run(main())
    assert len(leaders) >= 7
    assert len(set(leaders)) == len(leaders)


def test_a_candidate_trusts_only_what_it_saw_change():
    config = election.Config("x", "me")
    candidate = election.Candidate(config)
    theirs = {"holderIdentity": "them", "leaseDurationSeconds": 15, "leaseTransitions": 3}
    candidate.see(theirs | {"renewTime": "long ago"}, 100)
    assert candidate.claim(114.9, EPOCH) is None
    candidate.see(theirs | {"renewTime": "long ago"}, 114.9)  # no change: not counted anew
    assert candidate.claim(115, EPOCH)["leaseTransitions"] == 4
    candidate.see(theirs | {"renewTime": "still long ago"}, 115)
    assert candidate.claim(129.9, EPOCH) is None


def test_a_candidate_that_comes_back_under_its_name_goes_on_leading():
    candidate = election.Candidate(election.Config("x", "me"))
    mine = {"holderIdentity": "me", "acquireTime": "then", "leaseTransitions": 2}
    candidate.see(mine, 0)
    claimed = candidate.claim(0, EPOCH)
    assert (claimed["acquireTime"], claimed["leaseTransitions"]) == ("then", 2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"renew_deadline": 15.0}, "longer than the renew deadline"),
        ({"retry_period": 9.0}, "longer than 1.2 times the retry period"),
        ({"retry_period": 0.0}, "must be positive"),
        ({"identity": ""}, "an identity"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        election.Config(**({"name": "x", "identity": "me"} | changes))
