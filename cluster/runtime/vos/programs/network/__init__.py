"""Programs that use the pod's network, in the manner of busybox. Each is imported when it runs."""

import importlib
from typing import Final

from cluster.runtime.vos.kernel import Call, Program

_MODULES: Final = {
    "arp": "tables", "curl": "curl", "httpd": "httpd", "ifconfig": "interfaces",
    "ip": "interfaces", "nc": "netcat",
    "netstat": "tables", "nslookup": "nslookup", "ping": "ping", "ping6": "ping", "route": "tables",
    "ss": "tables", "telnet": "netcat", "traceroute": "traceroute", "wget": "wget",
}  # fmt: skip
"""Module by program."""


def _late(name: str, module: str) -> Program:
    async def run(call: Call) -> int:
        found = importlib.import_module(f"{__name__}.{module}")
        program: Program = getattr(found, name)
        return await program(call)

    run.__name__ = name
    return run


PROGRAMS: Final[dict[str, Program]] = {
    name: _late(name, module) for name, module in _MODULES.items()
}
