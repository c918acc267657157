"""`status`: the observed half of an object. Writes to it leave the wanted half alone."""

from cluster.apiserver import changes
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.watchcache.entry import Entry


def get(entry: Entry) -> Entry:
    """The whole object."""
    return entry


def update(call: Call, chain: Chain) -> Plan | Entry:
    """Replace the status by the body's. errors.NotFound, errors.Conflict."""
    return changes.update(call, chain)


def patch(call: Call, chain: Chain) -> Plan | Entry:
    """Patch the status. errors.NotFound, errors.Conflict."""
    return changes.patch(call, chain)
