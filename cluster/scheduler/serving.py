"""Serves what the scheduler thought of a pod: `proto/cluster/v1/scheduling.proto`."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.aio import grpcserver
from cluster.api import errors
from cluster.client.client import Client
from cluster.pb.cluster.v1 import scheduling_pb2 as pb
from cluster.pb.cluster.v1 import scheduling_pb2_grpc
from cluster.scheduler import explain
from cluster.scheduler.component import Scheduler

if TYPE_CHECKING:
    from cluster.aio.grpcserver import ServerTls

SERVICE: Final = "cluster.v1.Scheduling"
_REVIEWS: Final = "subjectaccessreviews.authorization.k8s.io"
_SECONDS: Final = 5.0

Asker = tuple[str, tuple[str, ...]]
"""A user and its groups."""


class Server:
    """Serves a scheduler on `host:port` (by `tls`, to those who may get the pod), or `unix:path`
    (to whoever can open it).
    """

    def __init__(
        self, scheduler: Scheduler, client: Client, listen: str, tls: "ServerTls | None"
    ) -> None:
        self._servicer = _Servicer(scheduler, client, secure=not listen.startswith("unix:"))
        self._listen = listen
        self._tls = tls
        self.ready = asyncio.Event()
        self.port = 0

    async def run(self) -> None:
        """Serve until cancelled. grpcserver.AddressInUse."""
        server = grpcserver.GrpcServer(tls=self._tls, grace=0.2)
        register = scheduling_pb2_grpc.add_SchedulingServicer_to_server
        server.add(SERVICE, register, self._servicer)
        self.port = server.listen(self._listen)
        async with server:
            await server.set_serving(True)
            self.ready.set()
            await asyncio.get_running_loop().create_future()


class _Servicer:
    def __init__(self, scheduler: Scheduler, client: Client, *, secure: bool) -> None:
        self._scheduler = scheduler
        self._client = client
        self._secure = secure
        self._log = structlog.get_logger().bind(component="scheduler")

    async def Explain(self, request: Any, context: Any) -> Any:
        """The last attempt for a pod, and where the pod waits."""
        if self._secure:
            await self._admit(request, context)
        if not self._scheduler.leads:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this scheduler does not lead")
        key = f"{request.namespace}/{request.name}"
        queue, gate = self._scheduler.waits(key)
        found = self._scheduler.explain(key)
        if found is None and not queue:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no attempt for {key} is remembered")
        attempt = message(found) if found is not None else None
        return pb.ExplainResponse(queue=queue, gate=gate, attempt=attempt)

    async def _admit(self, request: Any, context: Any) -> None:
        """End the call of whoever may not get the pod."""
        asker = _asker(context.auth_context().get("x509_pem_cert") or ())
        if asker is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "a client certificate is needed")
            return
        try:
            async with asyncio.timeout(_SECONDS):
                review = await self._client.create(_REVIEWS, _review(asker, request))
        except (TimeoutError, errors.StatusError) as failure:
            self._log.warning("cannot tell who may ask", error=str(failure))
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, "the API server does not say who may ask"
            )
            return
        if not (review.get("status") or {}).get("allowed"):
            told = f'{asker[0]} cannot get pod "{request.name}" in "{request.namespace}"'
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, told)


def _asker(certificates: Any) -> Asker | None:
    for one in certificates:
        subject = x509.load_pem_x509_certificate(one).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        groups = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if names:
            return str(names[0].value), tuple(str(group.value) for group in groups)
    return None


def _review(asker: Asker, request: Any) -> dict[str, Any]:
    user, groups = asker
    attributes = {
        "verb": "get", "resource": "pods", "namespace": request.namespace, "name": request.name,
    }  # fmt: skip
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": [*groups, "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }


def message(found: explain.Explanation) -> Any:
    """An attempt as it is sent."""
    return pb.Attempt(
        uid=found.uid,
        time=found.time,
        node=found.node,
        message=found.message,
        nodes=[_node(one) for one in found.nodes],
        weights=dict(found.weights),
    )


def _node(one: explain.NodeVerdict) -> Any:
    if one.rejection is not None:
        return pb.NodeVerdict(
            node=one.node,
            refused_by=one.rejection.plugin,
            reasons=one.rejection.reasons,
            code=one.rejection.code.value,
        )
    scores = [
        pb.PluginScore(plugin=name, raw=one.raw.get(name, 0), normalized=score)
        for name, score in one.scores.items()
    ]
    return pb.NodeVerdict(node=one.node, scores=scores, total=one.total or 0)
