"""A write, as a value: what clients send, gRPC carries and the registry carries out.

`body` is JSON text as bytes: the object (create, update), the patch (patch), DeleteOptions or
nothing (delete), the subresource's own kind (create on `binding`).
"""

from enum import IntEnum

import msgspec


class Verb(IntEnum):
    """What a write does. The numbers are those of `cluster.v1.Operation.Verb`."""

    CREATE = 1
    UPDATE = 2
    PATCH = 3
    DELETE = 4


VERB_NAMES = {verb: verb.name.lower() for verb in Verb}
"""Each verb as authorization knows it."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


FENCE = "kubemu-lease-bin"
"""The metadata of a gRPC write that says by which Lease its writer leads, as JSON of a Fence."""


class Fence(msgspec.Struct, frozen=True):
    """By which Lease a writer leads: it counts only while the Lease names `identity` as its holder
    and `transitions` as its leaseTransitions.
    """

    namespace: str
    name: str
    identity: str
    transitions: int


class Operation(msgspec.Struct, frozen=True):
    """One write to one object.

    `resource` is the row's id (`deployments.apps`). `cause` is the revision of the event that
    made the writer act, 0 where a person asked. With `want_object` false the answer leaves the
    object out. `force`: an apply takes fields that others own. `version` is that in which bodies
    and the answer are, "" for the one that is stored. `fence`: it is to be done only while the
    writer leads.
    """

    verb: Verb
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: bytes = b""
    patch_type: str = ""
    cause: int = 0
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    want_object: bool = True
    version: str = ""
    force: bool = False
    fence: Fence | None = None

    def stamped(
        self, cause: int, field_manager: str, field_validation: str, fence: Fence | None = None
    ) -> "Operation":
        """The operation with these, where it names none itself."""
        # A general replace takes three times as long, and every write comes by here.
        return Operation(
            self.verb, self.resource, self.namespace, self.name, self.subresource, self.body,
            self.patch_type, self.cause or cause, self.dry_run,
            self.field_manager or field_manager, self.field_validation or field_validation,
            self.want_object, self.version, self.force, self.fence or fence,
        )  # fmt: skip
