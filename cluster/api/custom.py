"""What a custom resource brings in place of the rules that built-in kinds have.

A row of the table with `custom` set gets its shape, defaults, validation, columns and conversion
from there; `api.crd` makes it from a CustomResourceDefinition.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cluster.api import errors, schema, walker
    from cluster.api.objects import Object
    from cluster.api.printing.table import Printer


class Scale(Protocol):
    """The scale of a custom object."""

    def wanted(self, obj: "Object") -> int:
        """The replicas that it asks for."""

    def present(self, obj: "Object") -> int:
        """The replicas that it has."""

    def selector_text(self, obj: "Object") -> str:
        """The label selector of its pods, as text."""

    def put(self, obj: "Object", replicas: int) -> None:
        """Ask for so many replicas, in place."""


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
    def webhook(self) -> bool:
        """Whether a webhook converts objects of other versions."""

    @property
    def since(self) -> int:
        """The revision from which on the rules have been as they are: what was stored before it
        is read through `converted`.
        """

    @property
    def document(self) -> Mapping[str, Any]:
        """The structural schema (openAPIV3Schema), for server-side apply and OpenAPI."""

    @property
    def scale(self) -> "Scale | None":
        """Where the scale subresource reads and writes; None without one."""

    @property
    def node(self) -> "schema.Node":
        """What is known of the shape as of a built-in kind's."""

    @property
    def printer(self) -> "Printer":
        """The columns of `kubectl get`."""

    def pruned(self, obj: "Object") -> "Object":
        """The object without what the schema does not know; what it is given stays as it is."""

    def converted(self, obj: "Object", api_version: str) -> "Object | None":
        """The object in this version, from the one that it says it is in (`api_version`).

        None where only the resource's conversion webhook can tell.
        """
