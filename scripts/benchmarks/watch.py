"""gRPC watches: how fast one client drinks, and what a hundred of them cost the writers."""

import asyncio
import time
from collections.abc import Iterator

from benchmarks import documents, solo
from benchmarks.figures import Figure, Outcome
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client.transport import Transport
from cluster.pb.cluster.v1 import resources_pb2

_OBJECTS = 1_000
_BATCH = 200


def measure() -> Iterator[Outcome]:
    """Events a second to one client, then the same writers with 0 and with 100 watchers."""
    with solo.ApiServer() as server:
        server.write([documents.config_map(f"cm-{number}") for number in range(_OBJECTS)])
        rate = server.call(_one)
        yield Figure("gRPC watch: events to one client", rate, "a second", 100_000)
        alone = server.call(lambda transport: _writers(transport, 0))[0]
        writes, delivered = server.call(lambda transport: _writers(transport, 100))
        yield Figure("gRPC: writes with no watcher", alone, "a second")
        yield Figure("gRPC: writes with 100 watchers", writes, "a second", alone / 2)
        yield Figure("gRPC: events to 100 watchers, in all", delivered, "a second", 50_000)


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


async def _writers(transport: Transport, watchers: int) -> tuple[float, float]:
    """Write for some seconds with `watchers` streams open; (writes, deliveries) a second."""
    begin = await _revision(transport)
    counts = [0] * watchers
    streams = [
        asyncio.get_running_loop().create_task(_count(transport, begin, counts, index))
        for index in range(watchers)
    ]
    started = time.perf_counter()
    written = 0
    while time.perf_counter() - started < 5:
        batches = [[_touch(written + n + k * _BATCH) for n in range(_BATCH)] for k in range(2)]
        await asyncio.gather(*(transport.write(batch) for batch in batches))
        written += 2 * _BATCH
    seconds = time.perf_counter() - started
    async with asyncio.timeout(60):
        while any(count < written for count in counts):
            await asyncio.sleep(0.005)
    whole = time.perf_counter() - started
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return written / seconds, sum(counts) / whole


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
