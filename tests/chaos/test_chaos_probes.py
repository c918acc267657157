"""Requests of probes: what is said of those that are not answered, and of what is not there."""

import asyncio

import pytest

from cluster.aio import tasks, virtual
from cluster.chaos import experiment as ex
from cluster.chaos.observing import Observer
from cluster.chaos.probing import Prober
from cluster.chaos.reaching import ask
from cluster.client.informer import Change

WEB = ex.Probe("requests", ex.HTTP, subject="web", port="http", rate=100.0)


class World:
    """Asks real ports."""

    client = None

    async def ask(self, *arguments):
        return await ask(*arguments)


class Answering:
    """Remembers which ports were asked, and answers."""

    client = None

    def __init__(self):
        self.ports = []

    async def ask(self, _address, port, *_more):
        self.ports.append(port)
        return b"HTTP/1.1 200 OK"


def service(*ports):
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": list(ports)}}


def watched(ports):
    """What is seen of a node, and of a Service with these ports."""
    observer = Observer()
    observer.nodes["node-1"], observer.addresses["node-1"] = True, "127.0.0.1"
    if ports is not None:
        observer.service(Change(None, service(*ports), 1), 0.0)
    return observer


def probed(ports):
    async def story():
        prober = Prober(WEB, World(), watched(ports), asyncio.get_running_loop().time)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await prober.run()
        return prober

    return asyncio.run(story())


def test_an_error_of_a_probe_is_in_plain_words():
    prober = probed([{"name": "http", "nodePort": 1}])
    assert list(prober.tally.errors) == ["connection refused"]
    [outage] = prober.tally.outages.found()
    assert outage.error == "connection refused"
    assert outage.failed == prober.tally.failed
    prober.begin_anew()
    assert (prober.tally.sent, prober.tally.outages.found()) == (0, ())


@pytest.mark.parametrize("ports", [None, [], [{"name": "https", "nodePort": 1}]])
def test_a_probe_says_what_it_does_not_find(ports):
    prober = probed(ports)
    assert prober.tally.sent == 0
    assert prober.waits_for == "no node port http of a Service default/web"


def test_a_service_that_is_made_anew_is_asked_at_its_new_port_and_missed_while_it_is_gone():
    old, new = service({"name": "http", "nodePort": 1}), service({"name": "http", "nodePort": 2})

    async def story():
        world, observer = Answering(), watched([])
        observer.service(Change(None, old, 1), 0.0)
        prober = Prober(WEB, world, observer, asyncio.get_running_loop().time)
        async with tasks.Group("test") as group:
            group.spawn(prober.run(), "probe")
            await asyncio.sleep(0.095)
            observer.service(Change(old, None, 2), 0.0)
            await asyncio.sleep(0.1)
            observer.service(Change(None, new, 3), 0.0)
            await asyncio.sleep(0.1)
            group.cancel()
        return prober, world

    prober, world = virtual.run(story())
    assert world.ports == [1] * 10 + [2] * 10
    assert prober.tally.errors == {"no node port http of a Service default/web": 10}
