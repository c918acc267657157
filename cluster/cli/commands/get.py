"""`kubemu get`."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import click

from cluster.aio.clock import SystemClock
from cluster.api import faults, objects, timestamps
from cluster.cli import (
    clusters,
    connection,
    flags,
    moments,
    restreads,
    servedkinds,
    storereach,
    tables,
)
from cluster.cli.restreads import Refused, Server
from cluster.cli.servedkinds import Kind

_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
_OUTPUTS: Final = ("wide", "yaml", "json", "name")


class Unknown(faults.Fault):
    """There is no such object or moment; the message is one sentence."""


@click.command()
@click.argument("resource", metavar="TYPE[,TYPE…][/NAME]")
@click.argument("name", metavar="[NAME]", required=False, default="")
@click.option("-n", "--namespace", default="default", help="Namespace that is looked into.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into all namespaces.")
@click.option("-l", "--selector", default="", help="Only objects with these labels.")
@click.option("-o", "--output", type=click.Choice(_OUTPUTS), help="How they are shown.")
@click.option(
    "--at",
    help="Show what was there: at a revision (1234), a time (2026-01-02T03:04:05Z), or so long ago "
    "(90s ago, 1h30m).",
)  # fmt: skip
@click.option("--kubeconfig", type=connection.FILE, help="Of the cluster, not --name.")
@click.option(
    "--name", "cluster", type=clusters.NAME, default="kubemu", help="Name of the cluster.",
    envvar=flags.variable("name"), show_envvar=True,
)  # fmt: skip
def get(resource: str, name: str, **values: Any) -> None:
    """Show objects, as they are or as they were.

    TYPE is what kubectl calls it (po, pods, deployments.apps), several with commas between, or a
    category (all).

    The past can be read as far back as the API server keeps history: five minutes where
    --etcd-compaction-interval does not say otherwise. docs/storage.md says how to keep more.
    """
    resource, slash, named = resource.partition("/")
    if slash and (name or not named):
        raise click.UsageError("say TYPE NAME or TYPE/NAME.")
    name = name or named
    if "," in name or "/" in name:
        raise click.UsageError("name one object, or several types (deploy,pods) with commas.")
    place = storereach.Place(values.pop("cluster"), values.pop("kubeconfig"), None, None)
    path = place.kubeconfig or clusters.running(place.name).kubeconfig
    revision = _revision(values.pop("at"), place)
    with restreads.connected(path) as server:
        kinds = servedkinds.chosen(server, resource)
        everywhere = values["all_namespaces"]
        if name and everywhere and any(kind.namespaced for kind in kinds):
            raise click.UsageError("NAME and --all-namespaces do not go together.")
        namespace = values["namespace"] or "default"
        asked = [
            _Asked(
                kind, namespace if kind.namespaced and not everywhere else "",
                name, values["selector"], revision,
            )
            for kind in kinds
        ]  # fmt: skip
        try:
            _show(server, asked, values["output"] or "")
        except Refused as error:
            if error.code == 410 and revision:
                raise Unknown(_too_old(revision, asyncio.run(_past(place, 0)))) from error
            raise


class _Asked(NamedTuple):
    kind: Kind
    namespace: str
    name: str
    selector: str
    revision: int

    @property
    def url(self) -> str:
        """What is read. The past of one object is a list of one: a GET knows no exact revision."""
        where = f"/namespaces/{quote(self.namespace)}" if self.namespace else ""
        query = {"labelSelector": self.selector}
        if self.revision:
            query |= {"resourceVersion": str(self.revision), "resourceVersionMatch": "Exact"}
        if self.name:
            query["fieldSelector"] = f"metadata.name={self.name}"
        given = {key: value for key, value in query.items() if value}
        return f"{self.kind.path}{where}/{self.kind.plural}?{urlencode(given)}"

    @property
    def missing(self) -> str:
        """What is said where the object that is named is not there."""
        then = f" at revision {self.revision}" if self.revision else ""
        return f'{self.kind.resource} "{self.name}" not found{then}'


def _revision(at: str | None, place: storereach.Place) -> int:
    """The revision of a moment; 0 for the present."""
    if at is None:
        return 0
    try:
        moment = moments.read(at, SystemClock().now())
    except ValueError as error:
        raise click.UsageError(f"--at: {error}.") from error
    if moment.revision:
        kept = asyncio.run(_past(place, 0))
        if moment.revision > kept.newest:
            raise Unknown(f"revision {at} has not happened yet: the newest is {kept.newest}")
        if moment.revision < kept.oldest:
            raise Unknown(_too_old(moment.revision, kept))
        return moment.revision
    return int(asyncio.run(_past(place, moment.seconds)).revision)


async def _past(place: storereach.Place, seconds: float) -> Any:
    from cluster.pb.cluster.v1 import store_pb2 as pb

    async with place.stub() as stub:
        return await stub.Past(pb.PastRequest(seconds=seconds), timeout=storereach.SECONDS)


def _too_old(revision: int, kept: Any) -> str:
    since = f", of {timestamps.encode(kept.since)}" if kept.since else ""
    return (
        f"revision {revision} is no longer kept: the oldest that can be read is {kept.oldest}"
        f"{since} (--etcd-compaction-interval of the API server says how much is kept)"
    )


def _show(server: Server, asked: Sequence[_Asked], output: str) -> None:
    """What is there, and then what is not. Unknown, Refused."""
    show = _show_tables if output in ("", "wide") else _show_objects
    found = show(server, asked, output)
    if missing := [one.missing for one in asked if one.name and one not in found]:
        raise Unknown("; ".join(missing))
    if not found and output in ("", "wide"):
        inside = all(one.namespace for one in asked)
        where = f" in {asked[0].namespace} namespace." if inside else ""
        click.echo(f"No resources found{where}", err=True)


def _show_objects(server: Server, asked: Sequence[_Asked], output: str) -> list[_Asked]:
    """As documents or by name. Those of which there was something."""
    whole: list[Any] = []
    found = []
    for one in asked:
        answer = server.get(one.url)
        items = answer.get("items") or []
        if items:
            found.append(one)
        if output == "name":
            for item in items:
                click.echo(one.kind.shown(objects.name(item)))
        kind = answer["kind"].removesuffix("List")
        whole += [{"apiVersion": answer["apiVersion"], "kind": kind} | item for item in items]
    if output != "name" and (whole or not asked[0].name):
        single = asked[0].name and len(asked) == 1
        document = whole[0] if single else {"apiVersion": "v1", "kind": "List", "items": whole}
        click.echo(_written(document, output), nl=False)
    return found


def _written(document: Mapping[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(document, indent=4) + "\n"
    import yaml

    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False)


def _show_tables(server: Server, asked: Sequence[_Asked], output: str) -> list[_Asked]:
    """A table of each kind, with an empty line between. Those of which there was something."""
    found: list[_Asked] = []
    for one in asked:
        table = server.get(one.url, _TABLE)
        if not table.get("rows"):
            continue
        if found:
            click.echo()
        found.append(one)
        _print_table(table, one, wide=output == "wide", among_others=len(asked) > 1)
    return found


def _print_table(
    table: Mapping[str, Any], asked: _Asked, *, wide: bool, among_others: bool
) -> None:
    columns = [
        (index, column["name"].upper())
        for index, column in enumerate(table["columnDefinitions"])
        if wide or not column.get("priority")
    ]
    spaces = asked.kind.namespaced and not asked.namespace
    heads = [*(["NAMESPACE"] if spaces else []), *(name for _, name in columns)]
    rows = []
    for row in table["rows"]:
        cells = {index: _cell(row["cells"][index]) for index, _ in columns}
        if among_others:
            # The first column of every table is the name.
            cells[0] = asked.kind.shown(cells[0])
        space = [row["object"]["metadata"]["namespace"]] if spaces else []
        rows.append([*space, *cells.values()])
    tables.show(heads, rows)


def _cell(value: Any) -> str:
    return "<none>" if value is None else str(value).replace("\n", "\\n")
