"""The node's overlay tables: configured, replaced, changed, and refused where they are others."""

import random
from collections.abc import AsyncIterator

import pytest

from cluster.aio import rpc, virtual
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime.overlay import Overlay, Tables


class Carrier:
    def __init__(self) -> None:
        self.configured = 0
        self.refuses = ""

    async def up(self, settings: pb.OverlaySettings) -> pb.Vtep:
        self.configured += 1
        if self.refuses:
            raise OSError(self.refuses)
        return pb.Vtep(mtu=1450)

    def program(self, tables: Tables, change: pb.UpdateOverlayRequest | None) -> None:
        if "bad" in tables.peers:
            raise ValueError("bad is no peer")


async def made(carrier: Carrier) -> tuple[Overlay, str]:
    overlay = Overlay(random.Random(1), carrier)
    answer = await overlay.configure(pb.ConfigureRequest(settings=pb.OverlaySettings(vni=1)))
    assert answer.vtep.mtu == 1450
    return overlay, answer.state.instance


async def chunks(*requests: pb.ReplaceOverlayRequest) -> AsyncIterator[pb.ReplaceOverlayRequest]:
    for request in requests:
        yield request


async def filled(overlay: Overlay, instance: str) -> pb.OverlayState:
    return await overlay.replace_overlay(
        chunks(
            pb.ReplaceOverlayRequest(instance=instance, peers=[pb.Peer(name="b")]),
            pb.ReplaceOverlayRequest(
                sets=[pb.AddressSet(key="s", addresses=["10.0.0.1", "10.0.0.2"])],
                policies=[pb.Policy(key="p")],
            ),
        )
    )


def test_tables_are_replaced_and_changed_in_one_step() -> None:
    async def scenario() -> None:
        overlay, instance = await made(Carrier())
        state = await filled(overlay, instance)
        change = pb.AddressSetChange(key="s", added=["10.0.0.9"], removed=["10.0.0.1"])
        answer = await overlay.update_overlay(
            pb.UpdateOverlayRequest(
                expected=state, set_peers=[pb.Peer(name="a")], removed_peers=["b", "unknown"],
                changed_sets=[change], set_policies=[pb.Policy(key="q")], removed_policies=["p"],
            )
        )  # fmt: skip
        assert (answer.applied, answer.state.generation) == (True, 2)
        found = await overlay.list_overlay(pb.ListOverlayRequest())
        assert [one.name for one in found.peers] == ["a"]
        assert [list(one.addresses) for one in found.sets] == [["10.0.0.2", "10.0.0.9"]]
        assert [one.key for one in found.policies] == ["q"]

    virtual.run(scenario())


def test_tables_of_another_generation_or_instance_are_not_changed() -> None:
    async def scenario() -> None:
        overlay, instance = await made(Carrier())
        state = await filled(overlay, instance)
        late = pb.OverlayState(instance=instance, generation=0, configured=True)
        request = pb.UpdateOverlayRequest(expected=late, removed_peers=["b"])
        answer = await overlay.update_overlay(request)
        assert (answer.applied, answer.state) == (False, state)
        with pytest.raises(rpc.Failure, match="no tables 'other' here"):
            await filled(overlay, "other")
        assert list(overlay.tables.peers) == ["b"]

    virtual.run(scenario())


def test_what_cannot_be_changes_nothing() -> None:
    async def scenario() -> None:
        overlay, instance = await made(Carrier())
        state = await filled(overlay, instance)
        for request, message in (
            (pb.UpdateOverlayRequest(set_peers=[pb.Peer(name="bad")]), "bad is no peer"),
            (pb.UpdateOverlayRequest(changed_sets=[pb.AddressSetChange(key="t")]), "no set 't'"),
        ):
            request.expected.CopyFrom(state)
            request.removed_policies.append("p")
            with pytest.raises(rpc.Failure, match=message):
                await overlay.update_overlay(request)
        assert overlay.state == state
        assert (list(overlay.tables.peers), list(overlay.tables.policies)) == (["b"], ["p"])

    virtual.run(scenario())


def test_the_same_settings_again_change_nothing_and_others_begin_anew() -> None:
    async def scenario() -> None:
        carrier = Carrier()
        overlay, instance = await made(carrier)
        state = await filled(overlay, instance)
        request = pb.ConfigureRequest(settings=pb.OverlaySettings(vni=1))
        assert (await overlay.configure(request)).state == state
        request.settings.vni = 2
        other = (await overlay.configure(request)).state
        assert carrier.configured == 2
        assert (other.instance != instance, other.generation) == (True, 0)
        assert not overlay.tables.peers

    virtual.run(scenario())


def test_a_back_end_that_does_not_come_up_is_told_and_tried_again() -> None:
    async def scenario() -> None:
        carrier = Carrier()
        overlay, _ = await made(carrier)
        carrier.refuses = "address in use"
        request = pb.ConfigureRequest(settings=pb.OverlaySettings(vni=2))
        with pytest.raises(rpc.Failure, match="address in use"):
            await overlay.configure(request)
        assert not overlay.state.configured
        carrier.refuses = ""
        assert (await overlay.configure(request)).state.configured

    virtual.run(scenario())


def test_a_watch_tells_of_the_latest_state_until_the_machine_goes() -> None:
    async def scenario() -> None:
        overlay, instance = await made(Carrier())
        states = await overlay.watch_overlay(pb.WatchOverlayRequest())
        assert (await anext(states)).generation == 0
        await filled(overlay, instance)
        await filled(overlay, instance)
        assert (await anext(states)).generation == 2
        overlay.close()
        with pytest.raises(rpc.Failure, match="closed"):
            await anext(states)

    virtual.run(scenario())


def test_a_machine_without_an_overlay_says_so() -> None:
    async def scenario() -> None:
        overlay = Overlay(random.Random(1), None)
        with pytest.raises(rpc.Failure) as told:
            await overlay.configure(pb.ConfigureRequest())
        assert told.value.code == "UNIMPLEMENTED"

    virtual.run(scenario())
