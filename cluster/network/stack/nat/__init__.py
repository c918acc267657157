"""Network address translation and the packet filter of a node: sans-IO, one conntrack.

It knows addresses, ports and connections; it never learns what a Service or a Pod is. The node's
forwarding (`stack.datapath`) calls the hooks of `hooks.Nat` in the order of a Linux kernel's; what
they decide for a connection's first packet holds for the rest of it.

- `packet`: a packet on its way through the node, as the hooks see it.
- `verdicts`: what hooks answer.
- `related`: ICMP errors about connections.
- `rewrite`: the change of a direction's packets, made once, applied to each.
- `conntrack`: connections, their states (`tcpstates`) and their ends (`expiry`).
- `services`: the service table's entries; `servicetable`: destination NAT by them, as kube-proxy's
  nftables mode does it.
- `affinity`: which client sticks to which backend.
- `masquerade`: source NAT, as kube-proxy's and flannel's rules do it.
- `filter`: which new connections may enter and leave the addresses of this node.
- `hooks`: all of it together.
"""
