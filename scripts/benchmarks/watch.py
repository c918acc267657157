"""gRPC watches: how fast one client drinks, and what a hundred of them cost the writers."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from benchmarks import documents, solo
from benchmarks.figures import Figure, Outcome
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client.transport import Transport
from cluster.pb.cluster.v1 import resources_pb2

_OBJECTS = 1_000
_BATCH = 100
_PACE = 4_000


def measure() -> Iterator[Outcome]:
    """Events a second to one client, then the same writers with 0 and with 100 watchers."""
    with solo.ApiServer() as server:
        server.write([documents.config_map(f"cm-{number}") for number in range(_OBJECTS)])
        rate = server.call(_one)
        yield Figure("gRPC watch: events to one client", rate, "a second", 100_000)
        yield from _hundred(server)


def _hundred(server: solo.ApiServer) -> Iterator[Outcome]:
    """100 watchers, first at a load that many clusters never reach, then with no bound at all.

    Without a bound the readers of several hundred thousand events a second take a core of their
    own: on a machine of two the writers have to share the other.
    """

    def watched(watchers: int, pace: int) -> tuple[float, float]:
        return server.call(lambda t: _watched(t, server.connection, watchers, pace))

    writes, delivered = watched(100, _PACE)
    name = f"gRPC: {_PACE:,} writes a second offered, 100 watchers: "
    yield Figure(f"{name}written", writes, "a second", _PACE / 2)
    yield Figure(f"{name}delivered", delivered, "a second", 50_000)
    alone, _ = watched(0, 0)
    writes, delivered = watched(100, 0)
    yield Figure("gRPC: unbounded writes, no watcher", alone, "a second")
    ratio = f"{writes / alone:.2f} of it; {delivered:,.0f} delivered a second in all"
    yield Figure("gRPC: unbounded writes, 100 watchers", writes, "a second", note=ratio)


async def _one(transport: Transport) -> float:
    """Replay to one watcher what was written before it came: the server never has to wait."""
    begin = await _revision(transport)
    total = 20_000
    for start in range(0, total, _BATCH):
        await transport.write([_touch(number) for number in range(start, start + _BATCH)])
    seen = 0
    started = time.perf_counter()
    stream = transport.watch("configmaps", "", revision=begin, labels="", fields="")
    async with asyncio.timeout(60):
        async for batch in stream:
            seen += sum(event.type != "BOOKMARK" for event in batch)
            if seen >= total:
                break
    return seen / (time.perf_counter() - started)


async def _watched(
    transport: Transport, connection: solo.Connection, watchers: int, pace: int
) -> tuple[float, float]:
    """Let another process write for some seconds with `watchers` streams open here.

    (writes, deliveries) a second.
    """
    begin = await _revision(transport)
    counts = [0] * watchers
    loop = asyncio.get_running_loop()
    streams = [
        loop.create_task(_count(transport, begin, counts, index)) for index in range(watchers)
    ]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        await loop.run_in_executor(pool, write_for, connection, pace, 0.0)  # starts the process
        before = sum(counts)
        started = time.perf_counter()
        written, seconds = await loop.run_in_executor(pool, write_for, connection, pace, 5.0)
    async with asyncio.timeout(60):
        while any(count < written for count in counts):
            await asyncio.sleep(0.005)
    whole = time.perf_counter() - started
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return written / seconds, (sum(counts) - before) / whole


def write_for(connection: solo.Connection, pace: int, least: float) -> tuple[int, float]:
    """Write for at least so many seconds, `pace` times a second (0: as fast as it goes).

    How many writes there were, in how many seconds.
    """
    return connection.call(lambda transport: _write(transport, pace, least))


async def _write(transport: Transport, pace: int, least: float) -> tuple[int, float]:
    written = 0
    await _revision(transport)
    started = time.perf_counter()
    while (seconds := time.perf_counter() - started) < least:
        if pace and written > pace * seconds:
            await asyncio.sleep(0.001)
            continue
        batches = [[_touch(written + n + k * _BATCH) for n in range(_BATCH)] for k in range(2)]
        await asyncio.gather(*(transport.write(batch) for batch in batches))
        written += 2 * _BATCH
    return written, seconds


async def _count(transport: Transport, revision: int, counts: list[int], index: int) -> None:
    """Count events as they come, without decoding objects: the client is not what is measured."""
    channel = transport.channel  # type: ignore[attr-defined]
    call = channel.unary_stream(
        "/cluster.v1.Resources/Watch",
        request_serializer=resources_pb2.WatchRequest.SerializeToString,
        response_deserializer=resources_pb2.WatchResponse.FromString,
    )(resources_pb2.WatchRequest(resource="configmaps", revision=revision))
    async for response in call:
        counts[index] += sum(
            event.type != resources_pb2.Event.BOOKMARK for event in response.events
        )


async def _revision(transport: Transport) -> int:
    page = await transport.list("configmaps", "", labels="", fields="", limit=1, token="")
    return page.revision


def _touch(number: int) -> Operation:
    body = b'{"data":{"level":"%d"}}' % number
    name = f"cm-{number % _OBJECTS}"
    return Operation(
        Verb.PATCH, "configmaps", "default", name, body=body, patch_type=MERGE_PATCH,
        want_object=False,
    )  # fmt: skip
