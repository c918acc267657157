"""A node in a process of its own: pods in network namespaces, the data plane, UDP. Run by tests.

Its argument is a JSON object: name, host, network, pods (address to the path of a namespace), kind.
It says the MAC of its VTEP, reads its peers, says `ready`, and at the end what it counted.
"""

import asyncio
import ctypes
import json
import os
import random
import sys

from cluster.network.io import plugging
from cluster.network.io.device import Device
from cluster.network.io.plugging import Interface
from cluster.network.io.udp import UdpUnderlay
from cluster.network.stack.actions import ToPeer, ToPort
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.peers import Peer
from cluster.network.stack.settings import Settings
from cluster.network.underlay import Address
from cluster.network.wire import addresses, mac

_libc = ctypes.CDLL(None, use_errno=True)


def enter(descriptor: int) -> None:
    if _libc.setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


def plugged(wanted: Interface, path: str, kind: str) -> int:
    """The descriptor of a device for a pod."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    theirs = os.open(path, os.O_RDONLY)
    try:
        made = -1
        if kind == "veth":
            made = plugging.veth(wanted, f"v{addresses.text(wanted.address)[-9:]}", theirs)
        enter(theirs)
        if kind == "tap":
            made = plugging.tap(wanted)
        else:
            plugging.configure(wanted)
        return made
    finally:
        enter(own)
        os.close(own)
        os.close(theirs)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(told) -> None:
    loop = asyncio.get_running_loop()
    network = addresses.prefix(told["network"])
    settings = Settings(
        name=told["name"],
        network=network,
        address=addresses.parse(told["host"]),
        turbo=told.get("turbo", False),
        mtu=told.get("mtu", 0),
    )
    datapath = Datapath(settings, random.Random(told["name"]))
    say(datapath.vtep.mac.hex(":"))
    devices: dict[str, Device] = {}

    def act(actions) -> None:
        for action in actions:
            if isinstance(action, ToPort):
                if action.port in devices:
                    devices[action.port].send(action.frames)
            elif isinstance(action, ToPeer):
                endpoint.send_many(action.payloads, Address(*action.address))

    def from_wire(train, sender) -> None:
        payload = train if len(train.data) > train.size else train.data
        act(datapath.from_peer(loop.time(), sender, (payload,)))

    endpoint = await UdpUnderlay().bind_trains(Address(told["host"], 4789), from_wire)
    for text, path in told["pods"].items():
        address = addresses.parse(text)
        wanted = Interface(
            "eth0", mac.of_address(address), address, network.length, settings.gateway,
            settings.pod_mtu,
        )  # fmt: skip
        devices[text] = Device(
            plugged(wanted, path, told["kind"]),
            lambda frames, port=text: act(datapath.receive_all(loop.time(), port, frames)),
        )
        act(datapath.add_port(loop.time(), text, wanted.mac, (address,)))
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    peers = json.loads(await reader.readline())
    act(datapath.set_peers(loop.time(), [
        Peer(
            one["name"], addresses.parse(one["host"]), addresses.prefix(one["network"]),
            mac.parse(one["mac"]), turbo=one.get("turbo", False),
        )
        for one in peers
    ]))  # fmt: skip
    say("ready")
    await reader.read()
    say(json.dumps({
        "drops": dict(datapath.drops.counts),
        "devices": {name: repr(device.counters) for name, device in devices.items()},
        "udp": repr(endpoint.counters), "dropped": endpoint.dropped,
    }))  # fmt: skip


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(json.loads(sys.argv[1])))
