"""Addresses of names, for the client and for a follower."""

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call


async def address(call: Call, host: str) -> str:
    """The first address of a host. OSError, with the resolver's words, where it has none."""
    found = await resolving.addresses(host.strip("[]"), files=call.files, net=call.net)
    return found[0]
