"""Faults on purpose: what this server does to requests because an administrator asked for it.

`table` says which requests a fault is for and what becomes of them; `watching` drops and delays
watches; `service` is the gRPC face. While there is no fault, `Registry.faults` is None, and that is
all that a request ever looks at.
"""
