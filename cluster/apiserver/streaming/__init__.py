"""Streaming and proxy subresources: log, exec, attach, portforward, proxy.

Codecs (`channels`, `spdy/`) are sans-IO: bytes in, events out. `pipes` carries bytes to and from a
client that has upgraded its connection, `remotecommand`, `forwarding`, `logs` and `proxying` join
a client to the kubelet of a pod's node, and `face` is what the router calls. Nothing here knows
how a kubelet is reached: that is `apiserver.kubelets`.
"""
