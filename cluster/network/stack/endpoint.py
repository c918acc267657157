"""One end of a flow."""

from typing import NamedTuple

from cluster.network.wire import addresses


class Endpoint(NamedTuple):
    """An IPv4 address (u32) and a port."""

    address: int
    port: int

    def __str__(self) -> str:
        return f"{addresses.text(self.address)}:{self.port}"
