"""Requests of probes: what is said of those that are not answered, and of what is not there."""

import asyncio

import pytest

from cluster.api import errors
from cluster.chaos import experiment as ex
from cluster.chaos.observing import Observer
from cluster.chaos.probing import Prober
from cluster.chaos.reaching import ask

WEB = ex.Probe("requests", ex.HTTP, subject="web", port="http", rate=100.0)


class World:
    """Its Service may have a node port at which nobody listens."""

    def __init__(self, ports):
        self.client = self
        self._ports = ports

    async def get(self, _resource, name, _namespace):
        if self._ports is None:
            raise errors.NotFound(f"services {name}")
        return {"spec": {"ports": self._ports}}

    async def ask(self, *arguments):
        return await ask(*arguments)


def probed(ports):
    async def story():
        observer = Observer()
        observer.nodes["node-1"], observer.addresses["node-1"] = True, "127.0.0.1"
        prober = Prober(WEB, World(ports), observer, asyncio.get_running_loop().time)
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
