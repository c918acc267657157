"""Floor 1: packets, not pods.

- `wire`: codecs, bytes to values and back.
- `stack`: machines without I/O: a node's forwarding, and hosts with TCP, UDP and ICMP.
- `io`: the edge, asyncio around both.
- `underlay`: the seam between them: who carries datagrams from node to node.
"""
