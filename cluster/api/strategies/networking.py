"""The group `networking.k8s.io` (pkg/registry/networking)."""

import ipaddress
from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "networking.k8s.io"


def address_name(text: str) -> metadata.Complaints:
    """An IPAddress is named after itself, in the one form that it has."""
    try:
        canonical = str(ipaddress.ip_address(text))
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    if canonical == text and "%" not in text:
        return ()
    return (f'must be in canonical form ("{canonical}")',)


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"ingresses.{_GROUP}": Strategy(empty_status={"loadBalancer": {}}),
    f"ingressclasses.{_GROUP}": Strategy(generations=True),
    f"ipaddresses.{_GROUP}": Strategy(name_rule=address_name),
    f"networkpolicies.{_GROUP}": Strategy(generations=True),
    f"servicecidrs.{_GROUP}": Strategy(generations=False),
}
