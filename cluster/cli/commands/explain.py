"""`kubemu explain`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cluster.api import conditions, errors, objects, timestamps
from cluster.api.objects import Object
from cluster.cli import clusters, connection, explanations, flags, simulating
from cluster.cli.commands.simulate import print_document
from cluster.cli.connection import Connection
from cluster.cli.simulating import Unusable

if TYPE_CHECKING:
    from cluster.client.client import Client

_SECONDS: Final = 60.0
_ANSWER_WITHIN: Final = 10.0
_DEFAULT: Final = "default-scheduler"

Document = dict[str, Any]


@click.group()
def explain() -> None:
    """Say why things are as they are."""


@explain.command()
@click.argument("pod")
@click.option(
    "-n", "--namespace", default="default", help="Namespace of the pod; or say NAMESPACE/POD."
)
@clusters.name_option
@click.option("--kubeconfig", type=connection.FILE, help="Of the cluster, instead of --name.")
@flags.option(
    "scheduler",
    "Where the scheduler is asked, if `kubemu up` did not start it: "
    + connection.ENDPOINT_HELP.format("it").partition(": ")[2],
    flags.LIST,
)
@click.option(
    "--config", type=connection.FILE,
    help="KubeSchedulerConfiguration to go by where it is computed anew, instead of the cluster's.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(("table", "wide", "json", "yaml")), default="table",
    help="How it is printed; wide: the scores of every plugin.",
)  # fmt: skip
def pod(
    *, pod: str, namespace: str, name: str, kubeconfig: Path | None,
    scheduler: Sequence[str] | None, config: Path | None, output: str,
) -> None:  # fmt: skip
    """Say why POD is where it is, or why it is nowhere: node by node, plugin by plugin.

    It is what the scheduler thought in its last attempt. Where it does not remember that (it keeps
    the last 128), all is computed anew from the present state, and said so.
    """
    space, _, only = pod.rpartition("/")
    space = space or namespace
    reached = simulating.reached(name, kubeconfig)
    asked = _Asked(reached, space, only, _servers(scheduler, name, kubeconfig))
    try:
        document = asyncio.run(_story(asked, name, kubeconfig, config))
    except TimeoutError as error:
        raise Unusable(f"the API server does not answer within {_SECONDS:g} s") from error
    except errors.StatusError as error:
        raise Unusable(error.message) from error
    if output in ("json", "yaml"):
        print_document(document, output)
    else:
        explanations.show(document, wide=output == "wide")


class _Asked:
    """What is asked for, and whom to ask."""

    def __init__(
        self, reached: Connection, namespace: str, name: str, servers: Sequence[str]
    ) -> None:
        self.reached = reached
        self.namespace = namespace
        self.name = name
        self.servers = servers


def _servers(given: Sequence[str] | None, name: str, kubeconfig: Path | None) -> list[str]:
    """Where schedulers can be asked: all that there are, for only the leader knows."""
    if given:
        return list(given)
    if kubeconfig is not None:
        return []
    found = simulating.scheduler_processes(clusters.running(name))
    return [listen for one in found if (listen := simulating.flag(one, "listen"))]


async def _story(
    asked: _Asked, name: str, kubeconfig: Path | None, config: Path | None
) -> Document:
    async with asked.reached.client("kubemu-explain") as client, asyncio.timeout(_SECONDS):
        found = await client.get("pods", asked.name, asked.namespace)
        document = _head(found)
        notes: list[str] = document["notes"]
        answer = await _ask(asked, notes)
        if answer is not None and answer.HasField("attempt") and (
            answer.attempt.uid == objects.uid(found)
        ):  # fmt: skip
            document |= _attempt(answer.attempt)
            if answer.queue:
                document["queue"] = answer.queue
            return document
        if answer is not None and answer.queue:
            document["queue"] = answer.queue
        if _never(found, notes, answer):
            return document
        notes += await _bound_by(client, found)
        if config is not None or kubeconfig is not None:
            settings = simulating.config(config, "")
        else:
            settings = simulating.of_cluster(clusters.running(name))
        made = simulating.simulation(settings, 1)
        await simulating.read(client, made)
        return document | _computed(made, found, notes)


def _head(pod: Object) -> Document:
    spec = objects.spec(pod)
    return {
        "pod": objects.name(pod),
        "namespace": objects.namespace(pod),
        "scheduler": spec.get("schedulerName") or _DEFAULT,
        "node": spec.get("nodeName") or "",
        "remembered": False,
        "time": "",
        "message": "",
        "notes": [],
        "nodes": [],
    }


async def _ask(asked: _Asked, notes: list[str]) -> Any:
    """What the leader of the schedulers answers; None: nobody knows."""
    import grpc

    from cluster.pb.cluster.v1 import scheduling_pb2 as pb
    from cluster.pb.cluster.v1 import scheduling_pb2_grpc

    request = pb.ExplainRequest(namespace=asked.namespace, name=asked.name)
    silent = []
    for server in asked.servers:
        try:
            async with asked.reached.channel(server) as channel:
                stub = scheduling_pb2_grpc.SchedulingStub(channel)
                return await stub.Explain(request, timeout=_ANSWER_WITHIN)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise Unusable(str(error.details())) from error
            silent.append(f"the scheduler at {server} cannot be asked: {error.details()}")
    notes += silent  # those that do not lead are of no interest where one does
    return None


def _never(pod: Object, notes: list[str], answer: Any) -> bool:
    """Whether no scheduler would try the pod now; says why."""
    spec, before = objects.spec(pod), len(notes)
    if objects.status(pod).get("phase") in ("Succeeded", "Failed"):
        notes.append(f"it has ended ({objects.status(pod)['phase']})")
    elif objects.deleting(pod) and not spec.get("nodeName"):
        notes.append("it is being deleted")
    elif spec.get("schedulingGates"):
        names = " ".join(gate.get("name", "") for gate in spec["schedulingGates"])
        notes.append(f"it was never tried: it waits for scheduling gates: [{names}]")
    elif answer is not None and answer.gate:
        notes.append(f"it was not tried: it is kept out of the queue by {answer.gate}")
    return len(notes) > before


async def _bound_by(client: "Client", pod: Object) -> list[str]:
    """Who gave the pod its node, where it has one."""
    node = objects.spec(pod).get("nodeName")
    if not node:
        return []
    fields = f"involvedObject.uid={objects.uid(pod)},reason=Scheduled"
    events = (await client.list("events", objects.namespace(pod), fields=fields)).items
    if not events:
        return [
            f"it is on {node}, and no event tells of a scheduler: whoever made it said where, or "
            "its event has expired"
        ]
    by = events[-1].get("reportingComponent") or (events[-1].get("source") or {}).get("component")
    when = events[-1].get("lastTimestamp") or events[-1].get("eventTime") or ""
    return [f"it was put on {node} by {by} at {when}"]


def _computed(made: Any, pod: Object, notes: list[str]) -> Document:
    """What an attempt would find now."""
    from cluster.scheduler import serving

    found, outcome = made.explain(pod)
    if found is None:
        if outcome.message:
            notes.append(f"it was not tried: {outcome.message}")
        return {}
    notes.append("the attempt is not remembered: computed anew, from the present state")
    document = _attempt(serving.message(found))
    known = conditions.find(pod, "PodScheduled") or {}
    if known.get("status") == "False" and known.get("message"):
        notes.append(f"the last attempt said: {known['message']}")
    would = outcome.node if outcome.node else "no node"
    notes.append(f"it would go to {would} now")
    if outcome.victims:
        notes.append(f"these would be evicted for it: {', '.join(outcome.victims)}")
    document |= {"remembered": False, "node": objects.spec(pod).get("nodeName") or ""}
    return document


def _attempt(attempt: Any) -> Document:
    return {
        "remembered": True,
        "node": attempt.node,
        "time": timestamps.encode(attempt.time),
        "message": attempt.message,
        "nodes": [_node(one, attempt.weights) for one in attempt.nodes],
    }


def _node(one: Any, weights: Any) -> Document:
    if one.code:
        return {
            "node": one.node,
            "refusedBy": one.refused_by,
            "code": one.code,
            "reasons": list(one.reasons),
        }
    scores = [
        {
            "plugin": score.plugin,
            "raw": score.raw,
            "normalized": score.normalized,
            "weight": weights[score.plugin],
            "score": score.normalized * weights[score.plugin],
        }
        for score in one.scores
    ]
    return {"node": one.node, "total": one.total, "scores": scores}
