"""Streams of Kubernetes over HTTP: exec, attach and port-forward, by SPDY and by WebSocket.

Codecs (`channels`, `spdy/`) are sans-IO: bytes in, events out. `pipes` carries bytes to and from a
peer that has upgraded its connection. `upgrade`, `remotecommand`, `commandclients` and `forwarding`
are a server's side, which the API server has for its clients and a container runtime for those of
its CRI; `sessions` says how long it lasts.
"""
