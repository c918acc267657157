"""Requests of probes: sent at their rate, whatever became of those before, and counted."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.api import errors
from cluster.chaos import experiment as ex
from cluster.chaos import outages, pacing
from cluster.chaos.asking import Tally
from cluster.chaos.observing import Observer
from cluster.chaos.world import World

_MOST_UNDER_WAY: Final = 500
_LOOK_AGAIN: Final = 0.2
_FEW: Final = 10
"""So many requests are as good as a second."""


class Prober:
    """Sends the requests of one probe, and counts them in `tally`."""

    def __init__(
        self, probe: ex.Probe, world: World, observer: Observer, now: Callable[[], float]
    ) -> None:
        self.probe = probe
        self._world = world
        self._observer = observer
        self._now = now
        self._turn = 0
        self._begun = False
        self.last_failure = float("-inf")
        """When a request failed last, whenever it was sent, by the loop's time."""
        self.last_error = ""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count from now on: the tally is of requests that are sent from here."""
        # At a low rate each node of several has its turn before an outage is over.
        quiet = max(outages.QUIET, _FEW / self.probe.rate)
        self.tally = Tally(outages=outages.Outages(self.probe.timeout, quiet))
        self.answered = False
        """Whether any was answered well since then."""

    def failing(self) -> str:
        """The error of the last request, where one failed just now; "" otherwise."""
        lately = asyncio.get_running_loop().time() - self.last_failure < ex.WELL_FOR
        return self.last_error if lately else ""

    @property
    def waits_for(self) -> str:
        """Why no request was answered yet, in words."""
        if self._port or self.probe.kind != ex.HTTP:
            unsaid = "no request is answered yet" if self._begun else "no request was sent yet"
            return self.last_error or unsaid
        return self._no_port

    async def run(self) -> None:
        """Send until cancelled."""
        # The observer is pure, and wakes nobody.
        while self.probe.kind == ex.HTTP and not self._port:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN)
        name = f"probe {self.probe.name}"
        await pacing.steadily(self._one, self.probe.rate, _MOST_UNDER_WAY, name)

    async def _one(self) -> None:
        began = self._now()
        tally = self.tally
        self._begun = True
        error = ""
        try:
            async with asyncio.timeout(self.probe.timeout):
                error = await (self._http() if self.probe.kind == ex.HTTP else self._api())
        except TimeoutError:
            error = f"no answer within {self.probe.timeout:g} s"
        except OSError as failure:
            error = _why(failure)
        except errors.StatusError as failure:
            error = failure.reason
        if error:
            self.last_failure, self.last_error = asyncio.get_running_loop().time(), error
        else:
            self.answered = True
        if tally is self.tally:  # else the times have another zero
            tally.add(began, self._now() - began, error)

    async def _api(self) -> str:
        await self._world.client.get("namespaces", "default")
        return ""

    async def _http(self) -> str:
        """By a node's port: of each Ready node in turn, as a load balancer in front would."""
        probe = self.probe
        nodes = [node for node, ready in self._observer.nodes.items() if ready]
        addresses = [
            self._observer.addresses[one] for one in nodes if one in self._observer.addresses
        ]
        if not addresses:
            return "no node is Ready"
        port = self._port
        if not port:
            return self._no_port
        self._turn += 1
        address = addresses[self._turn % len(addresses)]
        host = probe.host or f"{probe.subject}.{probe.namespace}"
        request = (
            f"GET {probe.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kubemu-chaos\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        line = await self._world.ask(address, port, request, probe.timeout)
        version, _, rest = line.decode("latin-1").strip().partition(" ")
        if not version.startswith("HTTP/") or not rest[:3].isdigit():
            return "the answer is no HTTP" if line else "closed without an answer"
        return "" if int(rest[:3]) < 400 else f"HTTP {rest[:3]}"

    @property
    def _port(self) -> int:
        """The node port of the Service as it is now; 0: there is none."""
        probe = self.probe
        return _node_port(self._observer.ports.get(f"{probe.namespace}/{probe.subject}", ()), probe)

    @property
    def _no_port(self) -> str:
        which = f" {self.probe.port}" if self.probe.port else ""
        return f"no node port{which} of a Service {self.probe.namespace}/{self.probe.subject}"


def _why(failure: OSError) -> str:
    """As Go says it. The text of an error of asyncio's own is about its call, not about why."""
    if failure.errno:
        return os.strerror(failure.errno).lower()
    return str(failure) or type(failure).__name__


def _node_port(ports: Sequence[Mapping[str, Any]], probe: ex.Probe) -> int:
    """That of the port which a probe says by name or number, by default of the first; 0: none."""
    for port in ports:
        if probe.port in ("", port.get("name"), str(port.get("port"))):
            return int(port.get("nodePort") or 0)
    return 0
