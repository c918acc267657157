"""SPDY/3.1 as Kubernetes' clients speak it for exec, attach and port-forward.

`frames` and `headers` are the codec, `session` is the protocol's state machine without I/O, and
`connection` drives it over a pipe. Specification: SPDY Protocol Draft 3.1 (chromium.org).
"""
