"""What a custom resource brings in place of the rules that built-in kinds have.

A row of the table with `custom` set gets its shape, defaults, validation, columns and conversion
from there; `api.crd` makes it from a CustomResourceDefinition.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cluster.api import errors, schema, walker
    from cluster.api.objects import Object
    from cluster.api.printing.table import Printer


class Custom(Protocol):
    """The rules of one version of a custom resource. Pure; documents that come in stay as they are
    but where a method says that it changes one in place.
    """

    def decoded(self, document: "Object", unknown: "walker.Unknown") -> "Object":
        """The pruned copy of a document; paths of what was dropped go to `unknown`.

        walker.Malformed for a value of another type than metadata or the schema can hold, where
        Kubernetes would not get so far as to validate.
        """

    def default(self, obj: "Object") -> None:
        """Fill in the schema's defaults, in place."""

    def check_new(self, obj: "Object") -> "list[errors.Cause]":
        """What is wrong with a new object."""

    def check_update(self, old: "Object", new: "Object", subresource: str) -> "list[errors.Cause]":
        """What is wrong with an object that shall replace `old`."""

    @property
    def node(self) -> "schema.Node":
        """The shape, for server-side apply."""

    @property
    def printer(self) -> "Printer":
        """The columns of `kubectl get`."""

    def converted(self, obj: "Object", api_version: str) -> "Object | None":
        """The object in this version, from the one that it says it is in (`api_version`).

        None where only the resource's conversion webhook can tell.
        """
