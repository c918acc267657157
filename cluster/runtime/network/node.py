"""A node's data plane on a running loop: frames in, what comes of them carried out.

Ports are named by what is behind them: a pod's by its address, `host` is the node's own stack,
`outside` the way to the machine. A pod's stack is made when the first frame for it comes, or when a
program of it first sends one.
"""

import asyncio
import functools
import random as randoms
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cluster.network.io.sockets import Stack
from cluster.network.stack.actions import Action, ToPeer, ToPort
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.endhost.settings import Settings as HostSettings
from cluster.network.stack.host import Host
from cluster.network.stack.nat.hooks import Nat
from cluster.network.stack.nat.services import Entry
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.router import BRIDGE, WIRE
from cluster.network.stack.tcp.settings import Memory
from cluster.network.underlay import Address, Endpoint, Underlay
from cluster.network.wire import addresses, mac
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.pb.cluster.v1 import overlay_pb2 as overlay
from cluster.runtime import podlinks
from cluster.runtime.network import entrances, hostports, overlayentries, serviceentries, showing
from cluster.runtime.network.doors import Door
from cluster.runtime.network.outside import Outside
from cluster.runtime.network.podstack import PodStack
from cluster.runtime.network.sealed import Sealed
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace
from cluster.runtime.vos.sockets import Link, Neighbour, Route

_FLOWS_A_CONNECTION: Final = 4
_FEW: Final = 16

if TYPE_CHECKING:
    from cluster.network.io.device import Device
    from cluster.runtime.network.links import Ports
    from cluster.runtime.overlay import Tables


class Node:
    """The network of one node. See `podbridge.Overlay`."""

    def __init__(
        self,
        bridge: Bridge,
        host: Namespace,
        datapath: Datapath,
        nat: Nat,
        random: randoms.Random,
    ) -> None:
        self._bridge = bridge
        self._host = host
        self._random = random
        self._memory = Memory()
        self._loop = asyncio.get_running_loop()
        self._stacks: dict[str, Stack] = {}
        self._devices: dict[str, Device] = {}
        """Of pods whose interfaces are the kernel's."""
        self._spaces: dict[str, Namespace] = {}
        self._vxlan: Endpoint | None = None
        self._cable: Endpoint | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self._arming = False
        self._services: dict[str, pb.ServicePort] = {}
        self._mapped: dict[str, Sequence[Entry]] = {}
        """Ports of the node that lead to pods, by the pods' addresses."""
        self.outside: Outside | None = None
        """The way to the machine, where there is one."""
        self._entered_at = "", ""
        self._sealed: Sealed | None = None
        self.reserved: tuple[Prefix, ...] = ()
        """The cluster's own addresses: those of all pods and services."""
        self.closed = False
        self.watchers: dict[Callable[[], None], None] = {}
        """Are called when the network goes."""
        self.own_ports: tuple[int, ...] = ()
        """Ports of the node's own that the machine can reach, too."""
        self.on_left: Callable[[str], None] | None = None
        """Takes the address of a pod that goes."""
        self.links_of_pods: Ports | None = None
        """Those that are bad on purpose."""
        self.datapath = datapath
        self.nat = nat
        datapath.nat = nat
        self._mac = mac.made_up(random)
        datapath.add_port(self._loop.time(), HOST, self._mac, ())

    async def open(self, underlay: Underlay, vxlan: Address, cable: Address) -> overlay.Vtep:
        """Receive what other nodes send; how they reach this one. AddressInUse, OSError."""
        self._vxlan = await underlay.bind_trains(vxlan, self._from_peer)
        self._cable = await underlay.bind_trains(cable, self._from_cable)
        own = addresses.text(self.datapath.settings.address)
        return overlay.Vtep(
            mac=self.datapath.vtep.mac,
            host="" if vxlan.host == own else vxlan.host,
            vxlan_port=self._vxlan.address.port,
            cable_port=self._cable.address.port,
            mtu=self.datapath.settings.pod_mtu,
            turbo=self.datapath.settings.turbo,
        )

    def open_outside(self, gateway: int, host: str) -> None:
        """Open the way to the machine, whose 127.0.0.1 pods reach at `gateway` and where services
        are entered at the address `host`.
        """
        core = self.datapath.settings
        stack = self._outer(((gateway, 32),) if gateway else ())
        self.outside = Outside(stack, gateway, self._is_reserved)
        self._entered_at = addresses.text(core.address), host

    def _is_reserved(self, address: int) -> bool:
        """Whether an address is of the cluster, so that nothing leaves to it, whoever has it."""
        return any(address in one for one in self.reserved)

    def seal(self) -> None:
        """Have no way out: all that is not of the cluster is unreachable."""
        self._sealed = Sealed(self._outer(()))

    @property
    def outer(self) -> Stack | None:
        """The stack of all that is not of the cluster; None before there is one."""
        end = self.outside or self._sealed
        return end.stack if end is not None else None

    def _outer(self, own: tuple[tuple[int, int], ...]) -> Stack:
        """The stack that is behind the node's eth0."""
        core = self.datapath
        settings = HostSettings(
            mac=mac.made_up(self._random), addresses=own, gateway_mac=core.devices[WIRE].mac,
            mtu=core.settings.pod_mtu, any_address=True, loops=False,
        )  # fmt: skip
        self._carry(core.add_port(self._loop.time(), OUTSIDE, settings.mac, ()))
        return self.stack(OUTSIDE, settings)

    def close(self) -> None:
        """The node goes, or its network is made anew."""
        self.closed = True
        for gone in list(self.watchers):
            gone()
        for end in (self.outside, self._sealed):
            if end is not None:
                end.close()
        if self._timer is not None:
            self._timer.cancel()
        for endpoint in (self._vxlan, self._cable):
            if endpoint is not None:
                endpoint.close()
        for space in list(self._spaces.values()):
            space.unplug()
        for device in self._devices.values():
            device.close()
        self._devices.clear()
        self._spaces.clear()
        self._stacks.clear()

    # ---- pods --------------------------------------------------------------------------------

    def _is_pod(self, address: str) -> bool:
        return ":" not in address and address not in self._host.addresses

    def joined(self, address: str) -> None:
        """See Overlay."""
        if self._is_pod(address):
            number = addresses.parse(address)
            self.datapath.add_port(
                self._loop.time(), address, mac.of_address(number), (number,), asleep=True
            )
            mapped = self._bridge.mapped.get(address)
            if mapped:
                self._map(address, hostports.entries(address, mapped, self._address))

    def _map(self, address: str, entries: Sequence[Entry]) -> None:
        """Have these ports of the node lead to a pod, and no others."""
        before = self._mapped.pop(address, ())
        if entries:
            self._mapped[address] = entries
        if before or entries:
            gone = [one.key for one in before]
            self.nat.update_services(self._loop.time(), entries, gone)
            self._programmed()

    @property
    def _address(self) -> int:
        return self.datapath.settings.address

    def left(self, address: str) -> None:
        """See Overlay."""
        if self._is_pod(address):
            self._stacks.pop(address, None)
            self._spaces.pop(address, None)
            self._detach(address)
            self._map(address, ())
            self.datapath.remove_port(address)
            if self.on_left is not None:
                self.on_left(address)

    def interface(self, address: str) -> Mapping[str, str | int]:
        """See Overlay."""
        core, number = self.datapath.settings, addresses.parse(address)
        return {
            "name": "eth0", "mac": mac.text(mac.of_address(number)), "address": address,
            "length": core.network.length, "gateway": addresses.text(core.gateway),
            "mtu": core.pod_mtu,
        }  # fmt: skip

    def attach(self, address: str, descriptor: int) -> None:
        """See Overlay."""
        # Imported here: most nodes have no such pods.
        from cluster.network.io.device import Device

        number, now = addresses.parse(address), self._loop.time()
        self._detach(address)
        self._devices[address] = Device(
            descriptor,
            functools.partial(self._transmit, address),
            gone=functools.partial(self.left, address),
        )
        self._carry(self.datapath.add_port(now, address, mac.of_address(number), (number,)))

    def _detach(self, address: str) -> None:
        device = self._devices.pop(address, None)
        if device is not None:
            device.close()

    def uplink(self, space: Namespace) -> PodStack:
        """See Overlay."""
        core = self.datapath
        if space is self._host:
            own = core.settings.address, core.settings.gateway, core.settings.network.network
            settings = HostSettings(
                mac=self._mac, addresses=tuple((one, 32) for one in own),
                gateway_mac=core.devices[BRIDGE].mac, mtu=core.settings.pod_mtu, loops=False,
            )  # fmt: skip
            name = HOST
        else:
            name = next(one for one in space.addresses if ":" not in one)
            number = addresses.parse(name)
            settings = HostSettings(
                mac=mac.of_address(number), addresses=((number, core.settings.network.length),),
                gateway=core.settings.gateway, mtu=core.settings.pod_mtu,
            )  # fmt: skip
            core.awaken(name)
        self._spaces[name] = space
        return PodStack(space, self.stack(name, settings))

    def translates(self, space: Namespace) -> bool:
        """See Overlay."""
        return space is self._host

    def stack(self, port: str, settings: HostSettings) -> Stack:
        """A stack behind a port that is there."""
        host = Host(settings, self._random, self._memory)
        made = self._stacks[port] = Stack(host, lambda frames: self._transmit(port, frames))
        return made

    # ---- what is programmed --------------------------------------------------------------------

    def program(self, tables: "Tables", change: overlay.UpdateOverlayRequest | None) -> None:
        """See `overlay.Carrier`."""
        wanted = overlayentries.Program(tables, change)
        if wanted.peers is not None:
            self._carry(self.datapath.set_peers(self._loop.time(), wanted.peers))
        wanted.carry_out(self.nat.filter)
        self.datapath.forget_flows()

    def replaced(self, services: Iterable[pb.ServicePort]) -> None:
        """See `dataplane.Listener`."""
        self._services = {one.key: one for one in services}
        own = [one for mapped in self._mapped.values() for one in mapped]
        entries = [*_entries(self._services.values()), *own]
        self.nat.replace_services(self._loop.time(), entries)
        self._programmed()

    def updated(self, put: Iterable[pb.ServicePort], removed: Iterable[str]) -> None:
        """See `dataplane.Listener`."""
        changed, gone = list(put), list(removed)
        for key in gone:
            self._services.pop(key, None)
        self._services.update((one.key, one) for one in changed)
        self.nat.update_services(self._loop.time(), _entries(changed), gone)
        self._programmed()

    def _programmed(self) -> None:
        self.datapath.forget_flows()
        self._arm()
        self.entered()

    def entered(self) -> None:
        """See Overlay: have the doors that are wanted now."""
        if self.outside is not None:
            own = [one for mapped in self._mapped.values() for one in mapped]
            address, host = self._entered_at
            self.outside.doors.want(
                [
                    *(Door("tcp", host, port, address) for port in self.own_ports),
                    *entrances.doors(self._services.values(), *self._entered_at),
                    *hostports.doors(own, *self._entered_at),
                    *hostports.node_doors(self._bridge.on_node, *self._entered_at),
                ]
            )

    # ---- frames ------------------------------------------------------------------------------

    def _transmit(self, port: str, frames: Sequence[Frame]) -> None:
        """Take frames that a stack sends."""
        bad = self.links_of_pods
        if bad is not None and port in bad.bad:
            frames = bad.offer(port, frames, up=True)
        self.sent_by(port, frames)

    def sent_by(self, port: str, frames: Sequence[Frame]) -> None:
        """Take frames that have made it over a pod's link."""
        if not self.closed:
            self._carry(self.datapath.receive_all(self._loop.time(), port, frames))

    def _from_peer(self, train: Train, sender: Address) -> None:
        self._carry(self.datapath.from_peer(self._loop.time(), sender, (train,)))

    def _from_cable(self, train: Train, sender: Address) -> None:
        self._carry(self.datapath.from_cable(self._loop.time(), sender, (train,)))

    def _carry(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, ToPort):
                self._to_port(action.port, action.frames)
            elif isinstance(action, ToPeer):
                if self._vxlan is not None:
                    self._vxlan.send_many(action.payloads, Address(*action.address))
            elif self._cable is not None:
                self._cable.send_many(action.frames, Address(*action.address))
        self._arm()

    def _to_port(self, port: str, frames: list[Frame]) -> None:
        bad = self.links_of_pods
        if bad is not None and port in bad.bad:
            frames = bad.offer(port, frames, up=False)
        self.deliver(port, frames)

    def deliver(self, port: str, frames: list[Frame]) -> None:
        """Hand frames to who is behind a port."""
        if not frames:  # All of them are late, or lost: nobody is woken by them.
            return
        device = self._devices.get(port)
        if device is not None:
            device.send(frames)
            return
        stack = self._stacks.get(port) or self._awoken(port)
        if stack is not None:
            stack.receive(frames)

    def _awoken(self, port: str) -> Stack | None:
        """The stack of a pod that had none until now."""
        space = self._host if port == HOST else self._bridge.holder(port)
        if space is None or space.uplink() is None:
            return None
        return self._stacks.get(port)

    # ---- what is shown -------------------------------------------------------------------------

    def socket_drops(self) -> dict[str, int]:
        """Datagrams that the machine dropped before they were read, by socket."""
        sockets = {"vxlan": self._vxlan, "cable": self._cable}
        return {name: int(getattr(one, "dropped", 0)) for name, one in sockets.items()}

    def has_pod(self, address: str) -> bool:
        """Whether a pod of this node has the address."""
        return self.datapath.port(address) is not None and address not in (HOST, OUTSIDE)

    def is_kernels(self, address: str) -> bool:
        """Whether a pod's stack is the kernel's."""
        return address in self._devices

    def holder(self, address: str) -> Namespace | None:
        """Who has an address here: a pod, or the node itself."""
        return self._bridge.holder(address)

    def named(self, address: Address) -> str:
        """The node that datagrams to an address of the underlay go to; the address, if none."""
        peers = self.datapath.peers
        found = peers.sender(address) or peers.cable_sender(address)
        return found.name if found is not None else address.host

    def links(self, space: Namespace, held: Sequence[str]) -> Sequence[Link]:
        """See Overlay."""
        if space is self._host:
            return showing.links(self.datapath)
        return podlinks.links(held, self.datapath.settings.pod_mtu)

    def routes(self, space: Namespace, held: Sequence[str]) -> Sequence[Route]:
        """See Overlay."""
        return showing.routes(self.datapath) if space is self._host else podlinks.routes(held)

    def neighbours(self, space: Namespace) -> Sequence[Neighbour]:
        """See Overlay."""
        now = self._loop.time()
        if space is self._host:
            return showing.neighbours(self.datapath, now)
        stack = self._stacks.get(next((one for one in space.addresses if ":" not in one), ""))
        return showing.pods_neighbours(stack.host, now) if stack is not None else ()

    # ---- time --------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Look when the data plane is due, once for all that happens in this turn of the loop."""
        if not self._arming:
            self._arming = True
            self._loop.call_soon(self._armed)

    def _armed(self) -> None:
        """Be called again when the data plane is due. A timer that is too early does no harm."""
        self._arming = False
        if self.closed:
            return
        found = self.datapath.deadline, self.nat.deadline
        due = min((one for one in found if one is not None), default=float("inf"))
        if due >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer, self._due = None, float("inf")
        now = self._loop.time()
        self.nat.tick(now)
        # What is learned of flows outlives their connections, two or four to each.
        if self.datapath.flows > _FLOWS_A_CONNECTION * (len(self.nat.conntrack) + _FEW):
            self.datapath.forget_flows()
        self._carry(self.datapath.tick(now))


def _entries(services: Iterable[pb.ServicePort]) -> list[Entry]:
    """Those that are no entries (SCTP) are nowhere."""
    found = (serviceentries.entry(one) for one in services)
    return [one for one in found if one is not None]
