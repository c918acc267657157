"""One connection to a port of a pod, as a stream of bytes; with TLS in it where that is wanted."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from cluster.aio import rpc
from cluster.api import errors
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams.forwarding import Target
from cluster.streams.inputs import PIECE, Inputs

DIAL_SECONDS: Final = 30.0
"""How long a pod may take to take a connection, and to shake hands: that of Go's dialer."""
_READ: Final = 1 << 16


class Refused(Exception):
    """The pod did not take the connection; the message says why."""


class Stream(Protocol):
    """Bytes to and from a server."""

    async def read(self) -> bytes:
        """The next bytes; b"" at their end. ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Send bytes. ConnectionError."""


@asynccontextmanager
async def dial(target: Target, port: int, *, tls: bool = False) -> AsyncIterator[Stream]:
    """A connection to a port of a pod, for as long as the block lasts. Refused."""
    inputs = Inputs(target.start(port))
    outputs = target.kubelet.port_forward(inputs)
    async with contextlib.aclosing(outputs):  # type: ignore[type-var]
        stream = _PodStream(inputs, outputs)
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                await stream.connected()
                carrier = await _with_tls(stream) if tls else stream
        except TimeoutError:
            raise Refused("i/o timeout") from None
        except ssl.SSLError as error:
            raise Refused(f"tls: {error.reason or error}") from None
        except ConnectionError as error:
            raise Refused(str(error)) from None
        yield carrier


class _PodStream:
    def __init__(
        self, inputs: Inputs[pb.PortForwardInput], outputs: AsyncIterator[pb.PortForwardOutput]
    ) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._ended = False
        self._early = b""

    async def connected(self) -> None:
        """Wait until the pod has taken the connection. ConnectionError."""
        output = await self._next()
        if output is None:
            raise ConnectionRefusedError("EOF")
        self._early = output.data

    async def read(self) -> bytes:
        """See `Stream`."""
        early, self._early = self._early, b""
        if early:
            return early
        while not self._ended:
            output = await self._next()
            if output is None or output.closed:
                self._ended = True
            elif output.data:
                return output.data
        return b""

    async def write(self, data: bytes) -> None:
        """See `Stream`."""
        for start in range(0, len(data), PIECE):
            await self._inputs.put(pb.PortForwardInput(data=data[start : start + PIECE]))

    async def _next(self) -> pb.PortForwardOutput | None:
        try:
            output = await anext(self._outputs, None)
        except errors.StatusError as error:
            raise ConnectionResetError(error.message) from None
        except rpc.Failure as failure:
            raise ConnectionResetError(failure.text) from None
        if output is not None and output.WhichOneof("output") == "error":
            raise ConnectionResetError(output.error)
        return output


async def _with_tls(stream: Stream) -> "_TlsStream":
    # As kube-apiserver does: a pod's certificate is nobody's that it could know.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    found = _TlsStream(stream, context)
    await found.shake_hands()
    return found


class _TlsStream:
    """TLS, as a client, over another stream."""

    def __init__(self, stream: Stream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)

    async def shake_hands(self) -> None:
        """ssl.SSLError, ConnectionError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ConnectionResetError("EOF") from None
            else:
                await self._flush()
                return

    async def read(self) -> bytes:
        """See `Stream`."""
        while True:
            try:
                return self._tls.read(_READ)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise ConnectionResetError(f"tls: {error.reason or error}") from None

    async def write(self, data: bytes) -> None:
        """See `Stream`."""
        self._tls.write(data)
        await self._flush()

    async def _fill(self) -> bool:
        data = await self._stream.read()
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            await self._stream.write(data)
