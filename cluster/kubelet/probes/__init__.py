"""Asks containers how they are, and runs their hooks: by exec, HTTP, TCP and gRPC.

What is due and what an answer means is decided in `lifecycle.probes`; this is the shell. Protocols
are sans-IO (`http`, `health`); bytes go through the runtime to whatever listens in the sandbox.
"""
