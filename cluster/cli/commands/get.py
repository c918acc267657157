"""`kubemu get`."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import click

from cluster.aio.clock import SystemClock
from cluster.api import faults, objects, timestamps
from cluster.cli import clusters, connection, flags, moments, restreads, storereach, tables
from cluster.cli.restreads import Refused, Server

_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
_OUTPUTS: Final = ("wide", "yaml", "json", "name")


class Unknown(faults.Fault):
    """There is no such resource, object or moment; the message is one sentence."""


class Kind(NamedTuple):
    """A resource as discovery tells of it."""

    group: str
    version: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool

    @property
    def path(self) -> str:
        """Where its group version is served."""
        if self.group:
            return f"/apis/{self.group}/{self.version}"
        return f"/api/{self.version}"

    def called(self, name: str) -> bool:
        """Whether people mean it by `pods`, `po`, `pod`, `deployments.apps`…"""
        plain, dot, group = name.lower().partition(".")
        if dot and group not in (self.group, f"{self.version}.{self.group}", self.version):
            return False
        return plain in (self.plural, self.singular, *self.short_names)


@click.command()
@click.argument("resource", metavar="TYPE[/NAME]")
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

    The past can be read as far back as the API server keeps history: five minutes where
    --etcd-compaction-interval does not say otherwise. docs/storage.md says how to keep more.
    """
    resource, slash, named = resource.partition("/")
    if slash and (name or not named):
        raise click.UsageError("say TYPE NAME or TYPE/NAME.")
    name = name or named
    place = storereach.Place(values.pop("cluster"), values.pop("kubeconfig"), None, None)
    path = place.kubeconfig or clusters.running(place.name).kubeconfig
    revision = _revision(values.pop("at"), place)
    with restreads.connected(path) as server:
        kind = _kind(server, resource)
        space = "" if values["all_namespaces"] or not kind.namespaced else values["namespace"]
        if name and kind.namespaced and not space:
            raise click.UsageError("NAME and --all-namespaces do not go together.")
        asked = _Asked(kind, space, name, values["selector"], revision)
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
    def resource(self) -> str:
        """`deployments.apps`."""
        return f"{self.kind.plural}.{self.kind.group}" if self.kind.group else self.kind.plural


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


def _kind(server: Server, said: str) -> Kind:
    found = [kind for kind in _kinds(server) if kind.called(said)]
    if not found:
        raise Unknown(f'the server doesn\'t have a resource type "{said}"')
    return found[0]


def _kinds(server: Server) -> list[Kind]:
    """Preferred versions first, as discovery has them."""
    groups = [*server.get("/api", _DISCOVERY)["items"], *server.get("/apis", _DISCOVERY)["items"]]
    return [
        Kind(
            (group.get("metadata") or {}).get("name") or "",
            version["version"],
            one["resource"],
            one.get("singularResource") or "",
            tuple(one.get("shortNames") or ()),
            one.get("scope") == "Namespaced",
        )
        for group in groups
        for version in group.get("versions") or ()
        for one in version.get("resources") or ()
        if "list" in one.get("verbs", ())
    ]


def _show(server: Server, asked: _Asked, output: str) -> None:
    if output in ("", "wide"):
        _print_table(server.get(asked.url, _TABLE), asked, wide=output == "wide")
        return
    found = server.get(asked.url)
    items = found.get("items") or []
    if asked.name and not items:
        raise _not_found(asked)
    if output == "name":
        group = f".{asked.kind.group}" if asked.kind.group else ""
        for item in items:
            click.echo(f"{asked.kind.singular}{group}/{objects.name(item)}")
        return
    kind = found["kind"].removesuffix("List")
    whole = [{"apiVersion": found["apiVersion"], "kind": kind} | item for item in items]
    document = whole[0] if asked.name else {"apiVersion": "v1", "kind": "List", "items": whole}
    click.echo(_written(document, output), nl=False)


def _written(document: Mapping[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(document, indent=4) + "\n"
    import yaml

    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False)


def _print_table(table: Mapping[str, Any], asked: _Asked, *, wide: bool) -> None:
    rows: Sequence[Any] = table.get("rows") or ()
    if not rows:
        if asked.name:
            raise _not_found(asked)
        where = f" in {asked.namespace} namespace." if asked.namespace else ""
        click.echo(f"No resources found{where}", err=True)
        return
    columns = [
        (index, column["name"].upper())
        for index, column in enumerate(table["columnDefinitions"])
        if wide or not column.get("priority")
    ]
    spaces = asked.kind.namespaced and not asked.namespace
    heads = [*(["NAMESPACE"] if spaces else []), *(name for _, name in columns)]
    tables.show(
        heads,
        [
            [
                *([row["object"]["metadata"]["namespace"]] if spaces else []),
                *(_cell(row["cells"][index]) for index, _ in columns),
            ]
            for row in rows
        ],
    )


def _cell(value: Any) -> str:
    return "<none>" if value is None else str(value).replace("\n", "\\n")


def _not_found(asked: _Asked) -> Unknown:
    then = f" at revision {asked.revision}" if asked.revision else ""
    return Unknown(f'{asked.resource} "{asked.name}" not found{then}')
