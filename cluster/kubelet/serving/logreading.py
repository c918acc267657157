"""Reads a container's log out of its runtime: from which place, how far, and as it grows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.kubelet.serving import logtext
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import streaming_pb2 as streams

_CHUNK: Final = 256 << 10
_WAIT: Final = 30
"""Seconds for which the runtime is asked to wait for more of a log that is followed."""
_SOON: Final = 0.05
"""Seconds from one look that found something to the next: a flood is read in large pieces."""
_LATER: Final = 0.5
"""The longest between looks at the log of a runtime that does not wait."""


async def read(
    cri: Cri,
    container: str,
    request: pb.LogsRequest,
    wanted: logtext.Wanted,
    scheme: str = "",
) -> AsyncIterator[bytes]:
    """What was asked for, in chunks. Where the runtime has no such container, that is said in place
    of its log, as kubelets do; `scheme` is what its id is shown with there. rpc.Failure.
    """
    said = False
    left = request.limit_bytes if request.HasField("limit_bytes") else None
    reading = logtext.Reading(wanted)
    place = await _start(cri, container, request)
    pause, wait = _SOON, _WAIT if request.follow else 0
    loop = asyncio.get_running_loop()
    while left is None or left > 0:
        asked = loop.time()
        answer = await _ask(cri, container, place, wait)
        if answer is None:
            if not said:
                yield f"unable to retrieve container logs for {scheme}{container}".encode()
            return
        said = True
        place = answer.offset + len(answer.data)
        shown = reading.take(answer.data)
        if left is not None:
            shown = shown[:left]
            left -= len(shown)
        if shown:
            yield shown
        if place < answer.end and answer.data:
            pause = _SOON
        elif not request.follow or answer.ended:
            return
        elif answer.data:
            pause = _SOON
            await asyncio.sleep(_SOON)
        elif loop.time() - asked < _SOON:
            pause = min(pause * 1.5, _LATER)
            await asyncio.sleep(pause)


async def _start(cri: Cri, container: str, request: pb.LogsRequest) -> int:
    """Where to begin: at the oldest byte, or so many lines before the end."""
    if not request.HasField("tail_lines"):
        return 0
    last = await _ask(cri, container, -1)
    if last is None:
        return 0
    missing, place = request.tail_lines, last.end
    if missing <= 0:
        return place
    missing += 1  # the last line's own end is one of those that are counted
    while place > last.start:
        begin = max(place - _CHUNK, last.start)
        part = await _ask(cri, container, begin)
        if part is None:
            return 0
        if part.offset >= place or not part.data:
            return part.offset  # it was thrown away meanwhile
        data = part.data[: place - part.offset]
        if part.offset + len(data) < place:  # a file's end lies between: take the rest first
            rest = await _ask(cri, container, part.offset + len(data))
            data += rest.data[: place - part.offset - len(data)] if rest else b""
        at = len(data)
        while missing and (at := data.rfind(b"\n", 0, at)) >= 0:
            missing -= 1
        if not missing:
            return part.offset + at + 1
        place = part.offset
    return last.start


async def _ask(
    cri: Cri, container: str, offset: int, wait: int = 0
) -> streams.ReadLogResponse | None:
    """Part of the log; None where the container is gone."""
    request = streams.ReadLogRequest(
        container_id=container, offset=offset, limit=_CHUNK, wait_seconds=wait
    )
    try:
        return await cri.read_log(request)
    except rpc.Failure as failure:
        if failure.code == "NOT_FOUND":
            return None
        raise
