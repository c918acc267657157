"""A node's part in the pod network: its data plane, the stacks of its pods, and its edges.

`cluster.network` knows packets and has no I/O; here it is given pods, a clock and sockets.

- `node`: the node's data plane, fed with frames, and what comes of them carried out.
- `podstack`: a pod's stack, which its sockets lead into (`podnetwork.Uplink`).
- `waking`: connections and datagrams to pods where nobody listens yet.
- `outside`: the way between the overlay and real sockets of the machine.

Nothing of it is imported, and nothing made, before a frame is to be sent or the node's agent
brings the overlay up.
"""
