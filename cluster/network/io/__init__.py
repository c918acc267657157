"""The edge: sockets, devices and asyncio around the machines of `stack`.

- `udp`: the underlay as UDP sockets of the machine; `impaired`: an underlay whose links are bad.
- `sockets`: streams, listeners and pings of one host's stack, as programs have them; `datagrams`:
  its UDP sockets; `waiting`: those who wait for any of them.
- `device`: a descriptor of the kernel as a port; `plugging` makes one for a pod's network
  namespace, by `netlink`.
- `memory`: what the C library keeps for long frames.
"""
