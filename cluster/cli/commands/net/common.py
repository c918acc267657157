"""What the commands of `kubemu net` share: the nodes of a cluster, its objects, and their names."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from cluster.api import errors, faults, objects
from cluster.cli import clusters, connection, flags, simulating, tables

if TYPE_CHECKING:
    from cluster.client.client import Client

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

SECONDS: Final = 10.0
"""How long a node may take to answer."""


class Failed(faults.Fault):
    """It cannot be done, and why."""


output_option = click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", help="How to print it."
)
namespace_option = click.option(
    "-n", "--namespace", default="default", help="Namespace of pods and services without one."
)


class Pod(NamedTuple):
    """A pod that has an address."""

    namespace: str
    name: str
    node: str
    address: str
    host_network: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Net:
    """A running cluster: its API, and the runtimes of its nodes."""

    def __init__(self, client: "Client", endpoints: dict[str, str]) -> None:
        self.client = client
        self._endpoints = endpoints
        self._channels: dict[str, Any] = {}
        self.nodes = list(endpoints)
        """Those with a runtime of their own, in order."""

    def channel(self, node: str) -> Any:
        """A channel to the runtime of a node. Failed."""
        if node not in self._endpoints:
            raise Failed(f'nodes "{node}" not found: there are {", ".join(self.nodes) or "none"}')
        if node not in self._channels:
            from cluster.client import channel

            self._channels[node] = channel.connect([self._endpoints[node]])
        return self._channels[node]

    def netops(self, node: str) -> Any:
        """The stub of a node's NetOps. Failed."""
        from cluster.pb.cluster.v1 import netops_pb2_grpc

        return netops_pb2_grpc.NetOpsStub(self.channel(node))

    async def ask(self, node: str, method: str, request: Any) -> Any:
        """What a node's NetOps answers. Failed; rpc.Failure for what it refuses."""
        return await self.answer(node, getattr(self.netops(node), method)(request, timeout=SECONDS))

    async def answer(self, node: str, call: Awaitable[Any]) -> Any:
        """What a call to a node gives. Failed, where it cannot be reached; rpc.Failure."""
        import grpc

        from cluster.aio import grpcfailures

        try:
            return await call
        except grpc.aio.AioRpcError as error:
            failure = grpcfailures.failure(error)
            if failure.code == "UNAVAILABLE" and "connect" in failure.message.lower():
                raise Failed(
                    f"the runtime of {node} does not answer: the machine is down "
                    f"(kubemu start runtime-{node})"
                ) from error
            raise failure from error

    async def close(self) -> None:
        """Let all go."""
        for one in self._channels.values():
            await one.close()

    # ---- names -------------------------------------------------------------------------------

    async def node(self, text: str) -> str:
        """The node that an argument names. Failed."""
        name = text.removeprefix("node/")
        if name in self._endpoints:
            return name
        try:
            await self.client.get("nodes", name)
        except errors.NotFound as missing:
            raise Failed(missing.message) from missing
        raise Failed(
            f"node {name} is hollow: many such share one process and one network, "
            "which cannot be looked into"
        )

    async def pod(self, text: str, namespace: str) -> Pod:
        """The pod that an argument names: NAME, pod/NAME or NAMESPACE/NAME. Failed."""
        found = await self.find_pod(text, namespace)
        if found is None:
            space, _, name = text.rpartition("/")
            shown = f'pods "{name}" not found'
            where = namespace if space in ("", "pod", "pods") else space
            raise Failed(f"{shown} in namespace {where}")
        return found

    async def find_pod(self, text: str, namespace: str) -> Pod | None:
        """As `pod`; None where there is none. Failed where it has no address."""
        space, _, name = text.rpartition("/")
        if space in ("", "pod", "pods"):
            space = namespace
        try:
            found = await self.client.get("pods", name, space)
        except errors.NotFound:
            return None
        address = _ipv4(found)
        node = objects.spec(found).get("nodeName", "")
        if not address or not node:
            phase = found.get("status", {}).get("phase", "Pending")
            raise Failed(f"pod {space}/{name} has no IPv4 address: it is {phase}")
        if node not in self._endpoints:
            await self.node(node)
        host = bool(objects.spec(found).get("hostNetwork"))
        return Pod(space, name, node, address, host)

    async def names(self) -> dict[str, str]:
        """Who has which address: pods and nodes."""
        found: dict[str, str] = {}
        for pod in (await self.client.list("pods")).items:
            address = _ipv4(pod)
            if address and not objects.spec(pod).get("hostNetwork"):
                found[address] = f"{objects.namespace(pod)}/{objects.name(pod)}"
        for node in (await self.client.list("nodes")).items:
            name = objects.name(node)
            for one in node.get("status", {}).get("addresses", ()):
                if one.get("type") == "InternalIP":
                    found[one["address"]] = name
            base, _, _ = objects.spec(node).get("podCIDR", "").rpartition(".")
            if base:
                found[f"{base}.0"] = f"{name} flannel.1"
                found[f"{base}.1"] = f"{name} cni0"
        return found


def _ipv4(pod: objects.Object) -> str:
    status = pod.get("status", {})
    listed = [one.get("ip", "") for one in status.get("podIPs") or ()] or [status.get("podIP", "")]
    return next((one for one in listed if one and ":" not in one), "")


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Net]:
    """A running cluster. faults.Fault."""
    folder = clusters.running(name)
    endpoints = {
        one.node: simulating.flag(one, "listen")
        for one in clusters.plan(folder).processes
        if one.component == "runtime" and one.node
    }
    async with connection.of_kubeconfig(folder.kubeconfig).client("kubemu-net") as client:
        net = Net(client, endpoints)
        try:
            yield net
        finally:
            await net.close()


def run(name: str, story: Callable[[Net], Awaitable[T]]) -> T:
    """Do something with a running cluster. faults.Fault."""
    from cluster.aio import rpc

    async def main() -> T:
        async with opened(name) as net:
            return await story(net)

    try:
        return asyncio.run(main())
    except errors.StatusError as error:
        raise Failed(error.message) from error
    except rpc.Failure as failure:
        raise Failed(failure.message) from failure


def show(heads: Sequence[str], rows: Sequence[Sequence[str]], document: Any, output: str) -> None:
    """Print a table, or the document in its stead."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif rows:
        tables.show(heads, rows)
    else:
        click.echo("None.", err=True)


def document(message: Any, many: str) -> list[dict[str, Any]]:
    """The rows of an answer, for JSON."""
    from google.protobuf import json_format

    return [
        json_format.MessageToDict(
            one, preserving_proto_field_name=False, always_print_fields_with_no_presence=True
        )
        for one in getattr(message, many)
    ]


def duration(flag: str, help: str, **more: Any) -> Callable[[F], F]:
    """A flag that is a time, as Go writes it."""
    return flags.option(flag, help, flags.DURATION, **more)
