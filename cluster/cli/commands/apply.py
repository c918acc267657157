"""`kubemu apply`: manifests without kubectl."""

import asyncio
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Final

import click

from cluster.api import conditions, errors, faults, objects, operations, resources
from cluster.cli import clusters, connection, flags

if TYPE_CHECKING:
    from cluster.client.client import Client

_WAITED_FOR: Final = "deployments.apps"


class NotApplied(faults.Fault):
    """A manifest cannot be applied; the message says which document, and why."""


@click.command()
@clusters.name_option
@click.option(
    "-f", "--file", "file", required=True, type=click.File("rb"), help="Manifest; - for stdin."
)
@flags.option("namespace", "Where objects go that name none.", default="default")
@click.option("--wait/--no-wait", default=False, help="Wait until Deployments are available.")
@flags.option("timeout", "How long to wait.", flags.DURATION, default="60s")
def apply(file: IO[bytes], name: str, namespace: str, *, wait: bool, timeout: float) -> None:
    """Create the objects of a manifest, or merge it into those that are there.

    A small stand-in for kubectl apply, which also removes what a later manifest leaves out.
    """
    documents = _documents(file)
    reached = connection.of_kubeconfig(clusters.running(name).kubeconfig)

    async def story() -> None:
        async with reached.client("kubemu-apply") as client:
            done = [
                await _apply(client, row, _placed(obj, row, namespace)) for row, obj in documents
            ]
            if wait:
                async with asyncio.timeout(timeout):
                    for obj in done:
                        await _available(client, obj)

    try:
        asyncio.run(story())
    except TimeoutError as error:
        raise NotApplied(
            f"after {timeout:g} s not every Deployment is available; kubemu status shows more"
        ) from error


def _documents(file: IO[bytes]) -> list[tuple[resources.Resource, objects.Object]]:
    """The objects of a manifest, each with its resource. NotApplied."""
    from cluster.api import yaml_text

    try:
        found = yaml_text.documents(file.read())
    except yaml_text.Unreadable as error:
        raise NotApplied(f"{file.name} is not YAML: {error}") from error
    return [_typed(obj, f"{file.name}, document {number}") for number, obj in _numbered(found)]


def _numbered(found: list[Any]) -> Iterator[tuple[int, Any]]:
    """Documents, with the items of lists in place of the lists."""
    for number, obj in enumerate(found, 1):
        if obj is None:
            continue
        if isinstance(obj, dict) and obj.get("kind") == "List":
            yield from ((number, item) for item in obj.get("items") or ())
        else:
            yield number, obj


def _typed(obj: Any, where: str) -> tuple[resources.Resource, objects.Object]:
    if not isinstance(obj, dict) or not obj.get("kind") or not obj.get("apiVersion"):
        raise NotApplied(f"{where}: an object needs apiVersion and kind")
    row = resources.built_in().of_kind(obj["apiVersion"], obj["kind"])
    if row is None:
        raise NotApplied(
            f'{where}: no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"'
        )
    if not objects.name(obj):
        raise NotApplied(f"{where}: metadata.name is missing")
    return row, obj


def _placed(obj: objects.Object, row: resources.Resource, namespace: str) -> objects.Object:
    if not row.namespaced or objects.namespace(obj):
        return obj
    return {**obj, "metadata": {**objects.meta(obj), "namespace": namespace}}


async def _apply(client: "Client", row: resources.Resource, obj: objects.Object) -> objects.Object:
    """The object as it is then stored. NotApplied."""
    group = f".{row.group}" if row.group else ""
    name = f"{row.singular}{group}/{objects.name(obj)}"
    try:
        try:
            done = await client.create(row.id, obj)
            click.echo(f"{name} created")
        except errors.AlreadyExists:
            before = await client.get(row.id, objects.name(obj), objects.namespace(obj))
            done = await client.patch(
                row.id, objects.name(obj), obj, objects.namespace(obj),
                patch_type=operations.STRATEGIC_PATCH,
            )  # fmt: skip
            same = objects.revision(before) == objects.revision(done)
            click.echo(f"{name} {'unchanged' if same else 'configured'}")
    except errors.StatusError as error:
        raise NotApplied(f"{name}: {error.message}") from error
    return done


async def _available(client: "Client", obj: objects.Object) -> None:
    """Wait until a Deployment is as its spec says; other objects are waited for by nobody."""
    if obj.get("kind") != "Deployment":
        return
    name, namespace = objects.name(obj), objects.namespace(obj)
    fields = f"metadata.name={name}"
    listing = await client.list(_WAITED_FOR, namespace, fields=fields)
    if any(_complete(item) for item in listing.items):
        return
    async for batch in client.watch(
        _WAITED_FOR, namespace, revision=listing.revision, fields=fields
    ):
        if any(event.type != "BOOKMARK" and _complete(event.object) for event in batch):
            return


def _complete(deployment: objects.Object) -> bool:
    status = objects.status(deployment)
    wanted = objects.spec(deployment).get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= objects.meta(deployment).get("generation", 0)
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and conditions.is_true(deployment, "Available")
    )
