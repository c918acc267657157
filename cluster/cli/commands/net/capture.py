"""`kubemu net capture`."""

import abc
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import click

from cluster.cli import clusters
from cluster.cli.commands.net import common

_ANY: Final = "any"
_BEGUN: Final = "kubemu-begun"
_WHERE: Final = ("any", "cni0", "flannel.1", "eth0", "host")


def _file(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value == "":
        raise click.BadParameter("that is no file: say FILE, or - for the standard output")
    return value


@click.command()
@click.argument("what", metavar="NODE|POD")
@click.argument("filter", nargs=-1)
@clusters.name_option
@common.namespace_option
@click.option(
    "-i", "--interface", default="",
    help="Of a node: any (the default), eth0 (the wire to other nodes and outside), flannel.1 "
    "(inside of VXLAN), cni0 (all pods), host (the node's own stack), or a pod's address.",
)  # fmt: skip
@click.option(
    "-w", "--write", type=click.Path(dir_okay=False, allow_dash=True), callback=_file,
    help="Write a pcap file for Wireshark instead; -: to the standard output.",
)  # fmt: skip
@click.option("-c", "--count", type=click.IntRange(min=1), help="End after so many frames.")
@common.duration("duration", "End after this time (30s).", default="0s")
@click.option(
    "-s", "--snapshot-length", type=click.IntRange(min=14, max=262144), default=262144,
    help="Bytes kept of each frame.",
)  # fmt: skip
def capture(
    *, what: str, filter: tuple[str, ...], name: str, namespace: str, interface: str,
    write: str | None, count: int | None, duration: float, snapshot_length: int,
) -> None:  # fmt: skip
    """Show the frames that pass a node's interfaces, or a pod's, as tcpdump prints them.

    Frames are real ones: cut to the MTU, with all checksums, and on eth0 in VXLAN as they would be
    on a wire. To look at them live: kubemu net capture web-0 -w - | wireshark -k -i -

    FILTER is a part of tcpdump's language: [tcp|udp|icmp|arp|ip] [src|dst] host ADDRESS, net CIDR,
    port N, portrange N-M, joined by and, or, not and parentheses. It looks at what VXLAN carries,
    too, so `port 80` finds a request between nodes as well. Put -- before a filter that begins
    with a dash.

    It ends with --count, --duration, or Ctrl-C, and says how many frames were lost because nobody
    took them in time.
    """
    asked = _Asked(what, namespace, interface, " ".join(filter), count or 0, duration, write)
    # A shell that puts it into the background of a script has it ignore what ends it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # That is how one ends it.
        common.run(name, lambda net: _story(net, asked, snapshot_length))


@dataclass(frozen=True, slots=True)
class _Asked:
    what: str
    namespace: str
    interface: str
    filter: str
    count: int
    seconds: float
    write: str | None


async def _story(net: common.Net, asked: _Asked, snaplen: int) -> None:
    from cluster.pb.cluster.v1 import netops_pb2 as pb

    node, interface = await _place(net, asked)
    call = net.netops(node).Capture(
        pb.CaptureRequest(
            interface=interface, filter=asked.filter, snaplen=snaplen, count=asked.count,
            seconds=asked.seconds,
        )
    )  # fmt: skip
    told = f"capturing on {interface} of {node}"
    with _Sink.of(asked.write, interface) as sink:

        async def read() -> None:
            # A capture that is refused has no such word, and its stream says why.
            if _BEGUN in (await call.initial_metadata() or ()):
                click.echo(told, err=True)
                sink.begin()
            async for batch in call:
                sink.take(batch.frames, batch.dropped)

        try:
            await net.answer(node, read())
        finally:
            call.cancel()
            if sink.begun:
                sink.end()


async def _place(net: common.Net, asked: _Asked) -> tuple[str, str]:
    """The node, and the interface there."""
    what = asked.what
    if what.startswith("node/") or what in net.nodes:
        return await net.node(what), asked.interface or _ANY
    try:
        pod = await net.pod(what, asked.namespace)
    except common.Failed as missing:
        if "/" in what or "not found" not in str(missing):
            raise
        known = ", ".join(net.nodes)
        raise common.Failed(f"{missing}, and no node has the name: there are {known}") from None
    if asked.interface not in ("", "eth0"):
        raise common.Failed("a pod has one interface that can be captured at, eth0")
    return pod.node, "host" if pod.host_network else pod.address


class _Sink(contextlib.AbstractContextManager["_Sink"], abc.ABC):
    """Where frames go."""

    def __init__(self) -> None:
        self.count = 0
        self.dropped = 0
        self.begun = False

    @staticmethod
    def of(write: str | None, interface: str) -> "_Sink":
        return _Text(several=interface in (_ANY, "cni0")) if write is None else _File(write)

    def begin(self) -> None:
        """It has begun."""
        self.begun = True

    def take(self, frames: Sequence[Any], dropped: int) -> None:
        """Some more."""
        self.dropped = dropped
        self.count += len(frames)
        for frame in frames:
            self._put(frame)
        self._flush()

    @abc.abstractmethod
    def _put(self, frame: Any) -> None:
        """One frame."""

    @abc.abstractmethod
    def _flush(self) -> None:
        """Have whoever looks see what there is."""

    def end(self) -> None:
        """Say what came of it."""
        with contextlib.suppress(OSError):
            click.echo(f"{self.count} packets captured", err=True)
            click.echo(f"{self.dropped} packets dropped", err=True)

    def __exit__(self, *_error: object) -> None:
        """Close it."""


class _Text(_Sink):
    def __init__(self, *, several: bool) -> None:
        from cluster.network.wire import printing

        super().__init__()
        self._printer = printing.Printer()
        self._several = several

    def _put(self, frame: Any) -> None:
        at = datetime.fromtimestamp(frame.time, UTC).astimezone()
        where = ""
        if self._several:
            # A node's port is the other end of a pod's: what comes in there, the pod has sent.
            where = f"{frame.interface} {'In ' if frame.inbound else 'Out'} "
        text = self._printer.text(frame.data).replace("\n", "\n    ")
        click.echo(f"{at:%H:%M:%S.%f} {where}{text}")

    def _flush(self) -> None:
        sys.stdout.flush()


class _File(_Sink):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._own = path != "-"
        if not self._own and sys.stdout.isatty():
            raise common.Failed("a pcap is no text: say -w FILE, or pipe it to somebody")
        self._file: IO[bytes] = sys.stdout.buffer
        if self._own:
            self._file = Path(path).open("wb")  # noqa: SIM115  (until the sink is left)

    def begin(self) -> None:
        from cluster.network.wire import pcap

        super().begin()
        self._file.write(pcap.header())
        self._file.flush()

    def _put(self, frame: Any) -> None:
        from cluster.network.wire import pcap

        self._file.write(pcap.record(frame.time, frame.data, length=frame.length))

    def _flush(self) -> None:
        self._file.flush()

    def __exit__(self, *_error: object) -> None:
        if self._own:
            self._file.close()
