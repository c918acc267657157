"""Makes a server's plugins of the directives of its block, in CoreDNS' own order (plugin.cfg), and
asks them in turn.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.emulated.coredns.corefile import Block, Directive, Unusable
from cluster.runtime.emulated.coredns.messages import Query, Reply
from cluster.runtime.emulated.coredns.plugins import (
    cache,
    changing,
    forward,
    hosts,
    kubernetes,
    watching,
)
from cluster.runtime.emulated.coredns.plugins.plugin import Following, Plugin, Server, last

Setup = Callable[[Directive, Server], Plugin]

ORDER: Final[Mapping[str, Setup | None]] = {
    "root": None, "metadata": None, "geoip": None, "cancel": None, "tls": None, "timeouts": None,
    "multisocket": None, "reload": watching.reload, "nsid": None, "bufsize": None, "bind": None,
    "debug": None, "trace": None, "ready": watching.ready, "health": watching.health,
    "pprof": None, "prometheus": watching.prometheus, "errors": watching.errors,
    "log": watching.log, "dnstap": None, "local": None, "dns64": None, "any": changing.any_type,
    "acl": None, "chaos": None, "loadbalance": changing.loadbalance, "cache": cache.setup,
    "rewrite": changing.rewrite, "header": None, "dnssec": None, "autopath": None,
    "minimal": None, "template": None, "transfer": None, "hosts": hosts.setup, "route53": None,
    "azure": None, "clouddns": None, "k8s_external": None, "kubernetes": kubernetes.setup,
    "file": None, "auto": None, "secondary": None, "etcd": None, "loop": changing.loop,
    "forward": forward.setup, "grpc": None, "erratic": None, "whoami": changing.whoami,
    "on": None, "sign": None, "view": None, "nomad": None,
}  # fmt: skip
"""Directives that CoreDNS knows; None for those that are not built here."""
HARMLESS: Final = frozenset((
    "bind", "bufsize", "cancel", "debug", "dnstap", "local", "metadata", "minimal", "multisocket",
    "nsid", "pprof", "root", "timeouts", "trace", "header",
))  # fmt: skip
"""Those that names are answered without: they are taken, and do nothing."""


def known(name: str) -> bool:
    """Whether CoreDNS has a directive of this name."""
    return name in ORDER


def plugins(block: Block, server: Server) -> list[Plugin]:
    """The plugins of a server block, in order. Unusable."""
    found: list[Plugin] = []
    for name, setup in ORDER.items():
        for directive in block.directives:
            if directive.name != name or name in HARMLESS:
                continue
            if setup is None:
                raise Unusable(
                    f"plugin/{name}: {directive.file}:{directive.line} - Error during parsing: "
                    "it is not built in the emulated CoreDNS"
                )
            found.append(setup(directive, server))
    return found


def joined(found: Sequence[Plugin]) -> Following:
    """One function that asks each, the first one first."""
    following: Following = last
    for plugin in reversed(found):
        if type(plugin).answer is not Plugin.answer:
            following = functools.partial(_step, plugin, following)
    return following


async def _step(plugin: Plugin, following: Following, query: Query) -> Reply:
    return await plugin.answer(query, following)
