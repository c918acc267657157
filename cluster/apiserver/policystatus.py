"""Keeps status.typeChecking of ValidatingAdmissionPolicies.

kube-controller-manager does this (validatingadmissionpolicy-status-controller), with the schemas
that it fetches from the API server; here they are at hand.
"""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Final

import structlog

from cluster.aio.retrying import Retries
from cluster.api import errors, objects, schema
from cluster.api.objects import Object
from cluster.api.operations import APPLY_PATCH, Operation, Verb
from cluster.api.resources import Resource
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event

if TYPE_CHECKING:
    from cluster.api.cel.types import Type

POLICIES: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
_MANAGER: Final = "validatingadmissionpolicy-status"
RETRY_INITIAL, RETRY_MAXIMUM = 1.0, 60.0
"""Seconds before a policy is looked at again whose status could not be told."""


class PolicyStatus:
    """Looks at each new generation of the policies of an open registry."""

    def __init__(self, registry: Registry, random: Random, version: str = "") -> None:
        self._registry = registry
        self._version = version or schema.NEWEST
        self._waiting: dict[str, None] = {}
        self._retries = Retries(
            self._again, random=random, initial=RETRY_INITIAL, maximum=RETRY_MAXIMUM
        )
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind(component="apiserver")

    def open(self) -> None:
        """Hear of policies from now on."""
        if self._registry.table.get(POLICIES) is not None:
            self._registry.cache.of(POLICIES).observe(self._heard)

    async def run(self) -> None:
        """Check what is new. Until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for name in waiting:
                try:
                    await self._check(name)
                except Exception as error:  # noqa: BLE001  (one policy must not end the others)
                    self._log.error(
                        "type checking failed unexpectedly", policy=name, exc_info=error
                    )
                    self._retries.later(name)

    def _heard(self, event: Event) -> None:
        if event.entry is not None:
            self._again(event.entry.name)

    def _again(self, name: str) -> None:
        self._waiting[name] = None
        self._wake.set()

    async def _check(self, name: str) -> None:
        entry = self._registry.cache.get(POLICIES, "", name)
        if entry is None:
            self._retries.forget(name)
            return
        policy = entry.document()
        generation = objects.meta(policy).get("generation") or 0
        if generation <= (objects.status(policy).get("observedGeneration") or 0):
            return
        operation = _operation(name, generation, self._warnings(policy))
        (result,) = await self._registry.write([operation], bootstrap.USER)
        if isinstance(result, errors.StatusError) and not isinstance(result, errors.NotFound):
            self._log.warning("cannot tell of type checking", policy=name, error=result.message)
            self._retries.later(name)
        else:
            self._retries.forget(name)

    def _warnings(self, policy: Object) -> list[Object]:
        from cluster.api.policies import typechecking

        table = self._registry.table
        kinds = [
            (f"{row.api_version}, Kind={row.kind}", kind)
            for row in typechecking.rows(policy, table)
            if (kind := self._type(row)) is not None
        ]
        said = objects.spec(policy).get("paramKind") or {}
        row = table.of_kind(said.get("apiVersion") or "", said.get("kind") or "")
        return typechecking.warnings(policy, kinds, self._type(row) if row is not None else None)

    def _type(self, row: Resource) -> "Type | None":
        """The type of a kind's objects; None where there is no schema of them."""
        from cluster.api.cel import builtin, structural, types

        if row.custom is None:
            return builtin.for_kind(row.api_version, row.kind, self._version)
        document = row.custom.document
        found = structural.from_schema(document, root=True) if document else None
        if found is None:
            return None
        metadata = builtin.from_node(schema.object_meta(self._version))
        fields = {**found.fields, "metadata": types.Field(metadata, "metadata")}
        return types.object_of(row.kind, fields)


def _operation(name: str, generation: int, warnings: list[Object]) -> Operation:
    checking = {"expressionWarnings": warnings} if warnings else {}
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "status": {"observedGeneration": generation, "typeChecking": checking},
    }
    return Operation(
        Verb.PATCH, POLICIES, "", name, "status", codec.document(body), APPLY_PATCH,
        field_manager=_MANAGER, force=True, want_object=False,
    )  # fmt: skip
