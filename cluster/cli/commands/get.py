"""`kubemu get`."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
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
    wanted,
)
from cluster.cli.restreads import Refused, Server
from cluster.cli.servedkinds import Kind

_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
_OUTPUTS: Final = ("wide", "yaml", "json", "name")


class Unknown(faults.Fault):
    """There is no such object or moment; the message is one sentence."""


@click.command()
@click.argument("words", metavar="TYPE[,TYPE…] [NAME…] | TYPE/NAME…", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", help="Namespace that is looked into.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into all namespaces.")
@click.option("-l", "--selector", default="", help="Only objects with these labels.")
@click.option("-o", "--output", type=click.Choice(_OUTPUTS), help="How they are shown.")
@click.option("--show-managed-fields", is_flag=True, help="With -o yaml and json: all of metadata.")
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
def get(words: Sequence[str], **values: Any) -> None:
    """Show objects, as they are or as they were.

    TYPE is what kubectl calls it (po, pods, deployments.apps), several with commas between, or a
    category (all).

    The past can be read as far back as the API server keeps history: five minutes where
    --etcd-compaction-interval does not say otherwise. docs/storage.md says how to keep more.
    """
    try:
        whom = wanted.read(words)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    if values["selector"] and any(one.name for one in whom):
        raise click.UsageError("NAME and --selector do not go together.")
    place = storereach.Place(values.pop("cluster"), values.pop("kubeconfig"), None, None)
    path = place.kubeconfig or clusters.running(place.name).kubeconfig
    revision = _revision(values.pop("at"), place)
    how = _How(values["output"] or "", values["show_managed_fields"])
    with restreads.connected(path) as server:
        asked = list(_asked(server, whom, revision, values))
        try:
            _show(server, asked, how)
        except Refused as error:
            if error.code == 410 and revision:
                raise Unknown(_too_old(revision, asyncio.run(_past(place, 0)))) from error
            raise


class _How(NamedTuple):
    output: str
    managed_fields: bool


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


def _asked(
    server: Server, whom: Iterable[wanted.Wanted], revision: int, values: Mapping[str, Any]
) -> Iterable[_Asked]:
    everywhere = values["all_namespaces"]
    namespace = values["namespace"] or "default"
    served = servedkinds.of(server)
    for one in whom:
        for kind in servedkinds.chosen(served, one.types):
            if one.name and everywhere and kind.namespaced:
                raise click.UsageError("NAME and --all-namespaces do not go together.")
            yield _Asked(
                kind, namespace if kind.namespaced and not everywhere else "",
                one.name, values["selector"], revision,
            )  # fmt: skip


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


def _show(server: Server, asked: Sequence[_Asked], how: _How) -> None:
    """What is there, and then what is not. Unknown, Refused."""
    if how.output in ("", "wide"):
        found = _show_tables(server, asked, how)
    else:
        found = _show_objects(server, asked, how)
    if missing := [one.missing for one in asked if one.name and one not in found]:
        raise Unknown("; ".join(missing))
    if not found and how.output in ("", "wide"):
        inside = all(one.namespace for one in asked)
        where = f" in {asked[0].namespace} namespace." if inside else ""
        click.echo(f"No resources found{where}", err=True)


def _show_objects(server: Server, asked: Sequence[_Asked], how: _How) -> list[_Asked]:
    """As documents or by name. Those of which there was something."""
    whole: list[Any] = []
    found = []
    for one in asked:
        answer = server.get(one.url)
        items = answer.get("items") or []
        if items:
            found.append(one)
        if how.output == "name":
            for item in items:
                click.echo(one.kind.shown(objects.name(item)))
        kind = answer["kind"].removesuffix("List")
        for item in items:
            if not how.managed_fields:
                item["metadata"].pop("managedFields", None)
            whole.append({"apiVersion": answer["apiVersion"], "kind": kind} | item)
    if how.output != "name" and (whole or not asked[0].name):
        single = asked[0].name and len(asked) == 1
        document = whole[0] if single else {"apiVersion": "v1", "kind": "List", "items": whole}
        click.echo(_written(document, how.output), nl=False)
    return found


def _written(document: Mapping[str, Any], output: str) -> str:
    """Keys in their order, as kubectl writes them."""
    if output == "json":
        return json.dumps(document, indent=4, sort_keys=True) + "\n"
    import yaml

    return yaml.dump(document, Dumper=yaml.CSafeDumper)


def _show_tables(server: Server, asked: Sequence[_Asked], how: _How) -> list[_Asked]:
    """A table of each kind, with an empty line between. Those of which there was something."""
    found: list[_Asked] = []
    several = len({one.kind for one in asked}) > 1
    for _, alike in groupby(asked, key=lambda one: one.kind):
        parts = [(one, server.get(one.url, _TABLE)) for one in alike]
        there = [(one, table) for one, table in parts if table.get("rows")]
        if not there:
            continue
        if found:
            click.echo()
        found += [one for one, _ in there]
        # Tables of one kind at one revision have the same columns.
        whole = there[0][1] | {"rows": [row for _, table in there for row in table["rows"]]}
        _print_table(whole, there[0][0], wide=how.output == "wide", among_others=several)
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
