"""The way to an API server over a rough wire: a request travels, is served, and its answer travels
back, and each of the two ends may die at any of these steps without the other knowing.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from cluster.aio import tasks
from cluster.api import errors, identity
from cluster.api.operations import Operation
from cluster.apiserver.direct import DirectTransport
from cluster.apiserver.registry import Registry
from cluster.client.transport import Event, Outcome, Raw, RawEvent, RawPage, Settle
from cluster.lab.pushing import Delay, Take
from cluster.lab.rough.crossings import World
from cluster.lab.wire import ApiSocket, LabTransport
from cluster.storage import interface as storage

T = TypeVar("T")
Work = Callable[[DirectTransport], Awaitable[Any]]

_PART: Final = "apiserver"


class RoughSocket(ApiSocket):
    """Where the API server is reached. Requests live here: those that a client has sent arrive
    though it dies, and those that the server was at work on end with it.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.wire = tasks.Background("wire", self._failed)
        self._serving: dict[asyncio.Task[Any], None] = {}
        self._travelling: dict[asyncio.Task[Any], None] = {}
        self.faults: list[BaseException] = []
        """What failed on the way: the lab's own faults."""

    def down(self) -> None:
        """Refuse clients, end their watches, and leave those without an answer that waited."""
        super().down()
        serving, self._serving = self._serving, {}
        for task in serving:
            task.cancel()

    async def serve(self, registry: Registry, work: Awaitable[T]) -> T:
        """What the server makes of a request. errors.ServiceUnavailable where it dies with it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("requests travel in tasks")
        self._serving[task] = None
        try:
            done = await work
        except asyncio.CancelledError:
            if self.registry is registry:
                raise
            task.uncancel()
            raise _reset() from None
        except storage.Unavailable as fault:
            raise errors.ServiceUnavailable(str(fault)) from fault
        finally:
            self._serving.pop(task, None)
        if self.registry is not registry:
            raise _reset()
        return done

    def carry(self, journey: Coroutine[Any, Any, None], part: str) -> None:
        """Let a request travel."""
        task = self.wire.spawn(journey, part)
        self._travelling[task] = None
        task.add_done_callback(self._travelling.pop)

    async def quiet(self) -> None:
        """End what is still under way."""
        self.wire.cancel()
        for task in list(self._travelling):
            await asyncio.gather(task, return_exceptions=True)

    def _failed(self, _name: str, error: BaseException) -> None:
        self.faults.append(error)


class RoughTransport(LabTransport):
    """A part's way in, for one life of it; `smooth` loses nothing but what dies."""

    def __init__(
        self,
        socket: RoughSocket,
        user: identity.User,
        delay: Delay,
        part: str,
        *,
        smooth: bool = False,
    ) -> None:
        super().__init__(socket, user, delay)
        self._rough = socket
        self._part = part
        self._smooth = smooth
        self._cut = False

    def cut(self) -> None:
        """The part is gone: nothing of it leaves any more, and nothing reaches it."""
        self._cut = True

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        found: Raw = await self._call(lambda direct: direct.get(resource, namespace, name))
        return found

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`."""
        page: RawPage = await self._call(
            lambda direct: direct.list(
                resource, namespace, labels=labels, fields=fields, limit=limit, token=token
            )
        )
        return page

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        found: bytes = await self._call(lambda direct: direct.read(path))
        return found

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`."""
        outcomes: Sequence[Outcome] = await self._call(lambda direct: direct.write(batch))
        return outcomes

    def send(
        self, batch: Sequence[Operation], deadline: float, settle: Settle
    ) -> Callable[[], None] | None:
        """None: everything takes its time here."""
        return None

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
        """See `Pushing.follow`: batches may be late, and the watch may break before or at any."""
        self._leave()
        socket, roughly = self._rough, self._roughly(take)
        await socket.follow(
            self._user, resource, namespace, revision=revision, labels=labels, fields=fields,
            delay=self._lateness, take=roughly,
        )  # fmt: skip

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See `Transport.watch`."""
        self._leave()
        stream = super().watch(resource, namespace, revision=revision, labels=labels, fields=fields)
        async with contextlib.aclosing(stream):
            async for batch in stream:
                await asyncio.sleep(self._lateness())
                self._arrives()
                yield batch

    def _roughly(self, take: Take) -> Take:
        def taken(events: Sequence[Event]) -> None:
            self._arrives()
            take(events)

        return taken

    def _arrives(self) -> None:
        """A batch of a watch comes, or the watch breaks."""
        self._rough.world.crossings.crossed(self._part)
        if self._cut:
            raise _reset()
        world = self._rough.world
        if self._smooth:
            return
        if world.happens(world.roughness.expired_watches):
            raise errors.Expired("too old resource version: the history was lost")
        if world.happens(world.roughness.broken_watches):
            raise errors.ServiceUnavailable("the watch broke")

    def _lateness(self) -> float:
        world = self._rough.world
        if not self._smooth and world.happens(world.roughness.late_batches):
            return world.random.uniform(0, world.roughness.lateness)
        return self._delay()

    def _leave(self) -> None:
        """Something leaves the part."""
        self._rough.world.crossings.crossed(self._part)
        if self._cut:
            raise _reset()

    async def _call(self, work: Work) -> Any:
        self._leave()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._rough.carry(self._travel(work, answer), self._part)
        found = await answer
        if isinstance(found, Exception):
            raise found
        return found

    async def _travel(self, work: Work, answer: asyncio.Future[Any]) -> None:
        """Take a request to the server and its answer back; whoever asked may be gone by then."""
        found: Any
        try:
            found = await self._journey(work)
        except Exception as error:  # noqa: BLE001  (it reaches whoever asked, as without a wire)
            found = error
            if not isinstance(error, errors.StatusError):
                self._rough.faults.append(error)
        if not answer.done():
            answer.set_result(found)

    async def _journey(self, work: Work) -> Any:
        socket, world = self._rough, self._rough.world
        await asyncio.sleep(self._delay())
        if not self._smooth and world.happens(world.roughness.lost_requests):
            raise errors.ServiceUnavailable("the request was lost")
        world.crossings.crossed(_PART)
        registry = socket.here()
        made = await socket.serve(registry, work(DirectTransport(registry, self._user)))
        world.crossings.crossed(_PART)
        if socket.registry is not registry:
            raise _reset()
        await asyncio.sleep(self._delay())
        lost = 0.5 if socket.registry is not registry else world.roughness.lost_answers
        if not self._smooth and world.happens(lost):
            raise errors.ServiceUnavailable("the answer was lost")
        world.crossings.crossed(self._part)
        return made


def _reset() -> errors.ServiceUnavailable:
    return errors.ServiceUnavailable("the connection was reset")
