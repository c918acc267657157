"""cluster.v1.Kubelet on gRPC, for none but the API server.

TLS lets in who has a certificate of the cluster's authority; of those, only the API server's own
client and administrators are served, as webhook authorization would have it on a real node.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
import msgspec
import structlog

from cluster.aio import grpcserver, rpc
from cluster.api import errors
from cluster.kubelet.serving.service import KubeletService
from cluster.pb.cluster.v1 import kubelet_pb2_grpc

if TYPE_CHECKING:
    from cluster.aio.grpcserver import ServerTls

SERVICE_NAME: Final = "cluster.v1.Kubelet"
CLIENT: Final = "kube-apiserver-kubelet-client"
_GROUPS: Final = ("system:masters", "kubeadm:cluster-admins")
_MAX_KNOWN: Final = 64
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class Serving:
    """Where a kubelet serves: `host:port`, port 0 being a free one; and by what certificates.

    Without `tls` whoever reaches the address is served: for tests.
    """

    address: str
    tls: "ServerTls | None" = field(default=None, repr=False)


class Server:
    """Serves a `KubeletService`. `listen`, then `run`."""

    def __init__(self, serving: Serving, service: KubeletService) -> None:
        self._serving = serving
        self._service = service
        self._server = grpcserver.GrpcServer(tls=serving.tls, grace=0.2)
        servicer = _Servicer(service, secure=serving.tls is not None)
        self._server.add(SERVICE_NAME, kubelet_pb2_grpc.add_KubeletServicer_to_server, servicer)

    def listen(self) -> int:
        """Listen; the port. grpcserver.AddressInUse."""
        return self._server.listen(self._serving.address)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._server.serve()


class _Servicer(kubelet_pb2_grpc.KubeletServicer):  # type: ignore[misc]
    """The RPCs, with who may call them; errors become Statuses."""

    def __init__(self, service: KubeletService, *, secure: bool) -> None:
        self._service = service
        self._secure = secure
        self._known: dict[bytes, bool] = {}
        self._log = structlog.get_logger().bind(component="kubelet")

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for one in self._carried(lambda: self._service.logs(request), context):
            yield one

    async def Exec(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for one in self._carried(lambda: self._service.exec(aiter(requests)), context):
            yield one

    async def Attach(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for one in self._carried(lambda: self._service.attach(aiter(requests)), context):
            yield one

    async def PortForward(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for one in self._carried(
            lambda: self._service.port_forward(aiter(requests)), context
        ):
            yield one

    async def Page(self, request: Any, context: Any) -> Any:
        await self._admit(context)
        try:
            return await self._service.page(request)
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            await self._fail(context, error)

    async def _carried(
        self, call: Callable[[], AsyncIterator[Any]], context: Any
    ) -> AsyncIterator[Any]:
        await self._admit(context)
        try:
            async with contextlib.aclosing(call()) as stream:  # type: ignore[type-var]
                async for one in stream:
                    yield one
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            await self._fail(context, error)

    async def _admit(self, context: Any) -> None:
        """End the call of a stranger."""
        if not self._secure:
            return
        for certificate in context.auth_context().get("x509_pem_cert") or ():
            if self._trusted(certificate):
                return
        status = errors.Forbidden("Forbidden: only the API server may ask a kubelet")
        await self._fail(context, status)

    def _trusted(self, certificate: bytes) -> bool:
        found = self._known.get(certificate)
        if found is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            found = self._known[certificate] = _is_api_server(certificate)
        return found

    async def _fail(self, context: Any, error: Exception) -> None:
        if isinstance(error, rpc.Failure):
            status: errors.StatusError = errors.InternalError(error.message)
        elif isinstance(error, errors.StatusError):
            status = error
        else:
            self._log.error("call failed unexpectedly", exc_info=error)
            status = errors.InternalError(f"Internal error occurred: {error}")
        await context.abort(
            _CODES.get(status.code, grpc.StatusCode.INTERNAL),
            status.message[:1024],
            (("status-bin", msgspec.json.encode(status.status())),),
        )


def _is_api_server(certificate: bytes) -> bool:
    """Whether a certificate (PEM), which TLS has verified, is the API server's or a master's."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_certificate(certificate).subject
    except ValueError:
        return False
    names = [one.value for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [one.value for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return CLIENT in names or any(group in _GROUPS for group in groups)
