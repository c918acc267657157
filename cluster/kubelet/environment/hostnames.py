"""What a pod calls itself, and the hosts file of its containers. Pure.

Source: GeneratePodHostNameAndDomain and managedHostsFileContent of pkg/kubelet.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

_LONGEST: Final = 63
_LONGEST_QUALIFIED: Final = 64


def names(pod: Object, domain: str) -> tuple[str, str]:
    """The pod's hostname, and its domain: "" where it has none."""
    spec = objects.spec(pod)
    hostname = spec.get("hostnameOverride") or spec.get("hostname") or objects.name(pod)
    if len(hostname) > _LONGEST and not spec.get("hostnameOverride"):
        hostname = hostname[:_LONGEST].rstrip("-.")
    if spec.get("hostnameOverride") or not spec.get("subdomain"):
        return hostname, ""
    return hostname, f"{spec['subdomain']}.{objects.namespace(pod)}.svc.{domain}"


def shown(pod: Object, domain: str) -> str:
    """The hostname that the kernel has: the qualified one on request. ValueError."""
    hostname, own = names(pod, domain)
    if not own or not objects.spec(pod).get("setHostnameAsFQDN"):
        return hostname
    full = f"{hostname}.{own}"
    if len(full) > _LONGEST_QUALIFIED:
        raise ValueError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too "
            f"long ({_LONGEST_QUALIFIED} characters is the max, {len(full)} characters requested)"
        )
    return full


def hosts_file(pod: Object, addresses: Sequence[str], domain: str, node: str) -> bytes:
    """/etc/hosts; `node` is the name of the node, whose own file a pod on its network has."""
    lines = _of_node(node)
    if not objects.spec(pod).get("hostNetwork"):
        hostname, own = names(pod, domain)
        title = f"{hostname}.{own}\t{hostname}" if own else hostname
        lines = [
            "# Kubernetes-managed hosts file.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "fe00::0\tip6-localnet",
            "fe00::0\tip6-mcastprefix",
            "fe00::1\tip6-allnodes",
            "fe00::2\tip6-allrouters",
            *(f"{address}\t{title}" for address in addresses),
        ]
    aliases: Sequence[Mapping[str, Any]] = objects.spec(pod).get("hostAliases") or ()
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += ["\t".join([one["ip"], *(one.get("hostnames") or ())]) for one in aliases]
    return "".join(f"{line}\n" for line in lines).encode()


def _of_node(node: str) -> list[str]:
    return [
        "# Kubernetes-managed hosts file (host network).",
        "127.0.0.1\tlocalhost",
        f"127.0.1.1\t{node}",
        "::1\tlocalhost ip6-localhost ip6-loopback",
    ]
