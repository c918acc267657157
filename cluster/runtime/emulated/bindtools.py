"""BIND's programs in images that have them (bind-tools, dnsutils). Imported when they run: most
containers only sleep, and with a program all of the userland is.
"""

from collections.abc import Mapping
from typing import Final

from cluster.runtime.vos.kernel import Call, Program


async def _dig(call: Call) -> int:
    from cluster.runtime.vos.programs.network.bind import dig

    return await dig.dig(call)


async def _host(call: Call) -> int:
    from cluster.runtime.vos.programs.network.bind import host

    return await host.host(call)


async def _nslookup(call: Call) -> int:
    from cluster.runtime.vos.programs.network import nslookup

    return await nslookup.of_bind(call)


PROGRAMS: Final[Mapping[str, Program]] = {"dig": _dig, "host": _host, "nslookup": _nslookup}
