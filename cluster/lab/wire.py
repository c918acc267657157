"""The lab's seams to what may be down: the API server, and a node's runtime."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import errors, identity
from cluster.api.operations import Operation
from cluster.apiserver.authn import serviceaccounts
from cluster.apiserver.chaos.watching import SufferingWatch
from cluster.apiserver.direct import DirectTransport
from cluster.apiserver.registry import Registry
from cluster.apiserver.views import ConvertedWatch
from cluster.apiserver.watchcache.events import Batch
from cluster.apiserver.watchcache.watch import Watch
from cluster.client.transport import ALONE, Outcome, Pushing, Raw, RawEvent, RawPage, Settle
from cluster.lab import pushing
from cluster.lab.pushing import Delay, Take
from cluster.runtime.nodedisk import MemoryDisk

T = TypeVar("T")
AnyWatch = Watch | ConvertedWatch | SufferingWatch


class ApiSocket:
    """Where the API server is reached: by nobody while `registry` is None."""

    def __init__(self) -> None:
        self.registry: Registry | None = None
        self._watches: dict[AnyWatch, None] = {}
        self._decoded = pushing.Decoded()

    def up(self, registry: Registry) -> None:
        """Connect clients to `registry` from now on."""
        self.registry = registry

    def down(self) -> None:
        """Refuse clients, and end their watches."""
        self.registry = None
        for watch in list(self._watches):
            watch.close()
        self._watches.clear()

    def transport(self, user: identity.User, delay: Delay) -> "LabTransport":
        """A client's own way in; each crossing takes `delay()` seconds."""
        return LabTransport(self, user, delay)

    async def watch(
        self,
        user: identity.User,
        resource: str,
        namespace: str,
        *,
        revision: int,
        labels: str,
        fields: str,
    ) -> AsyncGenerator[Batch, None]:
        """Batches of events that `user` may watch, until the API server goes down."""
        opened = self._opened(
            user, resource, namespace, str(revision), labels=labels, fields=fields
        )
        async with opened as watch:
            async for batch in watch:
                yield batch
        raise errors.ServiceUnavailable("the API server is down")

    async def follow(
        self,
        user: identity.User,
        resource: str,
        namespace: str,
        *,
        revision: int,
        labels: str,
        fields: str,
        delay: Delay,
        take: Take,
    ) -> None:
        """Push what `user` may watch, until the API server goes down: errors.ServiceUnavailable."""
        opened = self._opened(
            user, resource, namespace, str(revision), labels=labels, fields=fields
        )
        async with opened as watch:
            if isinstance(watch, Watch):
                await pushing.Push(watch, self._decoded, delay, take).ended()
            else:
                async for batch in watch:
                    await asyncio.sleep(delay())
                    take(self._decoded.events(batch))
        raise errors.ServiceUnavailable("the API server is down")

    @contextlib.asynccontextmanager
    async def _opened(
        self, user: identity.User, resource: str, namespace: str, revision: str, *, labels: str,
        fields: str,
    ) -> AsyncIterator[AnyWatch]:  # fmt: skip
        """A watch of `user`, as faults leave it, until it is left. errors.StatusError."""
        registry = self.here()
        registry.check_read(user, "watch", resource, (namespace, ""), fields)
        if registry.faults is not None:
            await registry.faults.meet(user, "watch", resource)
        made = await registry.watch(
            resource, namespace, revision=revision, labels=labels, fields=fields
        )
        watch = registry.suffering(made, user, resource)
        self._watches[watch] = None
        leave = registry.presence.enter(user)
        unfollow = registry.followers.enter(watch, user, resource)
        try:
            yield watch
        finally:
            leave()
            unfollow()
            self._watches.pop(watch, None)
            watch.close()

    def here(self) -> Registry:
        """The registry. errors.ServiceUnavailable while it is down."""
        if self.registry is None:
            raise errors.ServiceUnavailable("the API server is down")
        return self.registry


class LabTransport(Pushing):
    """A `client.transport.Transport` to an API server that is some way off and may be down."""

    def __init__(self, socket: ApiSocket, user: identity.User, delay: Delay) -> None:
        self._socket = socket
        self._user = user
        self._delay = delay

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        direct = await self._reach()
        return await direct.get(resource, namespace, name)

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`."""
        direct = await self._reach()
        return await direct.list(
            resource, namespace, labels=labels, fields=fields, limit=limit, token=token
        )

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See `Transport.watch`."""
        stream = self._socket.watch(
            self._user, resource, namespace, revision=revision, labels=labels, fields=fields
        )
        async with contextlib.aclosing(stream):
            async for batch in stream:
                await asyncio.sleep(self._delay())
                yield [RawEvent(event.type, event.json, event.revision) for event in batch.events]

    async def follow(
        self,
        resource: str,
        namespace: str,
        *,
        revision: int,
        labels: str,
        fields: str,
        take: Take,
    ) -> None:
        """See `Pushing.follow`."""
        await self._socket.follow(
            self._user,
            resource,
            namespace,
            revision=revision,
            labels=labels,
            fields=fields,
            delay=self._delay,
            take=take,
        )

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`."""
        direct = await self._reach()
        return await direct.write(batch)

    def send(
        self, batch: Sequence[Operation], deadline: float, settle: Settle
    ) -> Callable[[], None] | None:
        """See `Pushing.send`. What is converted by others is for `write`: it may have to wait."""
        registry = self._socket.registry
        if registry is None or not all(registry.plain(operation) for operation in batch):
            return None
        if registry.faults is not None:  # they may make it wait
            return None
        delay = self._delay()
        loop = asyncio.get_running_loop()
        if delay > deadline:
            return loop.call_later(deadline, settle, TimeoutError()).cancel
        return loop.call_later(delay, self._arrived, batch, settle).cancel

    def _arrived(self, batch: Sequence[Operation], settle: Settle) -> None:
        try:
            registry = self._socket.here()
            if registry.faults is not None:
                settle([ALONE] * len(batch))
                return
            direct = DirectTransport(registry, self._user)
            outcomes = _at_once(direct.write_promptly(batch))
        except Exception as error:  # noqa: BLE001  (it reaches every writer of the batch)
            settle(error)
        else:
            settle(outcomes)

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        direct = await self._reach()
        return await direct.read(path)

    async def _reach(self) -> DirectTransport:
        await asyncio.sleep(self._delay())
        return DirectTransport(self._socket.here(), self._user)


class PodTransport(LabTransport):
    """The way of a program in a pod: who it is, its token says each time."""

    def __init__(
        self,
        socket: ApiSocket,
        token: Callable[[], str],
        settings: serviceaccounts.Settings,
        clock: clocks.Clock,
        delay: Delay,
    ) -> None:
        self._socket = socket
        self._token = token
        self._settings = settings
        self._clock = clock
        self._delay = delay

    @property
    def _user(self) -> identity.User:  # type: ignore[override]
        """errors.Unauthorized; errors.ServiceUnavailable while the API server is down."""
        accounts = serviceaccounts.ServiceAccounts(
            self._settings, self._socket.here().cache, self._clock
        )
        try:
            return accounts.verify(self._token()).user
        except serviceaccounts.Refused as refused:
            raise errors.Unauthorized("Unauthorized") from refused


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that has nothing to wait for, without a task."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    work.close()
    raise RuntimeError("a write to the memory of this process had to wait")


class Machine:
    """A node's runtime as its kubelet and proxy reach it: there, or a dead machine.

    Its disk outlives its runtime, as a machine's does.
    """

    def __init__(self, node: str, clock: clocks.Clock) -> None:
        self.disk = MemoryDisk(clock)
        self.cri = Socket(f"the runtime of {node}")
        self.dataplane = Socket(f"the data plane of {node}")
        self.overlay = Socket(f"the overlay of {node}")
        self.netops = Socket(f"the network of {node}")

    def up(self, cri: object, dataplane: object, overlay: object, netops: object) -> None:
        """Connect callers to these service objects."""
        self.cri.service = cri
        self.dataplane.service = dataplane
        self.overlay.service = overlay
        self.netops.service = netops

    def down(self) -> None:
        """Refuse callers."""
        self.cri.service = self.dataplane.service = None
        self.overlay.service = self.netops.service = None


class Socket:
    """Passes calls on to `service`; None refuses them with `rpc.Failure` UNAVAILABLE, as gRPC.

    What only a caller in the same process has (`on_event`) is not passed on: the lab's kubelet
    follows the stream that a process would.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self.service: Any = None

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name.startswith("_") or name == "on_event":
            raise AttributeError(name)

        async def call(request: Any) -> Any:
            if self.service is None:
                raise rpc.Failure("UNAVAILABLE", f"{self._title} is down")
            return await getattr(self.service, name)(request)

        return call
