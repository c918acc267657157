"""Which name servers a pod asks, by its DNS policy and DNS config. Pure.

Source: pkg/kubelet/network/dns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object

MAX_SERVERS: Final = 3
MAX_SEARCHES: Final = 32
MAX_SEARCH_TEXT: Final = 2048
_CLUSTER_OPTIONS: Final = ("ndots:5",)


@dataclass(frozen=True, slots=True)
class Resolver:
    """What a resolv.conf says."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A resolver, and the warnings to tell: (reason, message)."""

    resolver: Resolver
    warnings: tuple[tuple[str, str], ...] = field(default=())


def of(pod: Object, cluster: Sequence[str], domain: str, node: Resolver, title: str) -> Said:
    """The resolver of a pod. `cluster` are the cluster's servers, `node` is what its node has,
    `title` how messages name the pod.
    """
    spec = objects.spec(pod)
    warnings: list[tuple[str, str]] = []
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and not cluster:
        warnings.append((
            "MissingClusterDNS",
            f'pod: "{title}". kubelet does not have ClusterDNS IP configured and cannot create Pod '
            'using "ClusterFirst" policy. Falling back to "Default" policy.',
        ))  # fmt: skip
        policy = "Default"
    if policy == "None":
        base = Resolver()
    elif policy == "Default":
        base = node
    else:
        own = f"svc.{domain}"
        searches = (f"{objects.namespace(pod)}.{own}", own, domain) if domain else ()
        base = Resolver(tuple(cluster), _once((*searches, *node.searches)), _CLUSTER_OPTIONS)
    return _limited(_configured(pod, base), warnings)


def parse(text: str) -> Resolver:
    """Of a resolv.conf. Lines that say nothing known are passed over."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text[: 1 << 20].splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "search":
            searches = tuple(word if word == "." else word.rstrip(".") for word in words[1:])
        elif words[0] == "options":
            options = (*options, *words[1:])
    return Resolver(tuple(servers), searches, _merged(options, ()))


def _configured(pod: Object, base: Resolver) -> Resolver:
    config = objects.spec(pod).get("dnsConfig")
    if not config:
        return base
    more = [
        f"{one['name']}:{one['value']}" if one.get("value") else one["name"]
        for one in config.get("options") or ()
        if one.get("name")
    ]
    return Resolver(
        _once((*base.servers, *(config.get("nameservers") or ()))),
        _once((*base.searches, *(config.get("searches") or ()))),
        _merged(base.options, more),
    )


def _merged(first: Sequence[str], then: Sequence[str]) -> tuple[str, ...]:
    """Options, of each name the last."""
    return tuple({one.partition(":")[0]: one for one in (*first, *then)}.values())


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _limited(found: Resolver, warnings: list[tuple[str, str]]) -> Said:
    servers, searches = found.servers[:MAX_SERVERS], found.searches[:MAX_SEARCHES]
    while len(" ".join(searches)) > MAX_SEARCH_TEXT:
        searches = searches[:-1]
    if servers != found.servers:
        warnings.append((
            "DNSConfigForming",
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied "
            f"nameserver line is: {' '.join(servers)}",
        ))  # fmt: skip
    if searches != found.searches:
        warnings.append((
            "DNSConfigForming",
            "Search Line limits were exceeded, some search paths have been omitted, the applied "
            f"search line is: {' '.join(searches)}",
        ))  # fmt: skip
    return Said(Resolver(servers, searches, found.options), tuple(warnings))
