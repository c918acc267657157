"""What a hook answers: nothing where the packet goes on, else what becomes of it.

Reasons are short names under which drops are counted; rules say to people which rule it was.
"""

from typing import Final, NamedTuple

from cluster.network.wire import icmp

INVALID: Final = "conntrack-invalid"
FULL: Final = "conntrack-full"
NO_SOURCE_PORT: Final = "nat-ports-exhausted"
NO_ENDPOINTS: Final = "service-no-endpoints"
NO_LOCAL_ENDPOINTS: Final = "service-no-local-endpoints"
NO_SUCH_PORT: Final = "service-no-such-port"
UNALLOCATED: Final = "service-address-unallocated"
SOURCE_RANGE: Final = "service-source-range"
POLICY_INGRESS: Final = "policy-ingress"
POLICY_EGRESS: Final = "policy-egress"

REASONS: Final = (
    INVALID, FULL, NO_SOURCE_PORT, NO_ENDPOINTS, NO_LOCAL_ENDPOINTS, NO_SUCH_PORT, UNALLOCATED,
    SOURCE_RANGE, POLICY_INGRESS, POLICY_EGRESS,
)  # fmt: skip
"""All reasons there are."""


class Drop(NamedTuple):
    """The packet ends here, and nobody is told."""

    reason: str
    rule: str = ""


class Reject(NamedTuple):
    """The packet ends here, and its sender is told by an ICMP error (nftables' plain `reject`)."""

    reason: str
    rule: str = ""
    type: int = icmp.UNREACHABLE
    code: int = icmp.PORT_UNREACHABLE


Verdict = Drop | Reject
