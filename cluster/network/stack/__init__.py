"""Machines of the network without I/O: frames and the time in, frames and actions out.

They import `wire` and each other, never `io` nor asyncio; what is random comes in as a Random.
"""
