"""`agnhost grpc-health-checking`: a health service that can be told how it is."""

from typing import Final

from cluster.runtime.emulated.agnhost.flags import read
from cluster.runtime.emulated.web import golang, running
from cluster.runtime.emulated.web.grpc import Grpc
from cluster.runtime.emulated.web.messages import Request, Response, text
from cluster.runtime.emulated.web.serving import Site
from cluster.runtime.grpcserving import NOT_SERVING, SERVING, Health
from cluster.runtime.vos.kernel import Call

_FLAGS: Final = {"port": "5000", "http-port": "8080", "delay-unhealthy-sec": "-1", "service": ""}


class _State:
    """How it is: well for as long as it is told to be."""

    def __init__(self, call: Call, service: str, well_for: int) -> None:
        self._call = call
        self._service = service
        self._well_for = well_for
        self._forced: bool | None = None

    def age(self) -> float:
        """Seconds since the container began: it may have slept until now."""
        return max(self._call.kernel.clock.now() - self._call.kernel.started, 0.0)

    def check(self, service: str) -> int | None:
        """See `grpcserving.Health`."""
        if service != self._service:
            return None
        late = self._well_for >= 0 and self.age() >= self._well_for
        return NOT_SERVING if self._forced or late else SERVING

    async def force(self, request: Request) -> Response:
        """Answer a request: be ill, or no longer so."""
        pages = {"/make-not-serving": ("unhealthy", True), "/make-serving": ("healthy", False)}
        found = pages.get(request.path)
        if found is None:
            return golang.not_found()
        word, self._forced = found
        await golang.log(self._call, f"Mark as {word}")
        return text(golang.duration(self.age()))


async def grpc_health_checking(call: Call) -> int:
    """`agnhost grpc-health-checking [--port=5000] [--http-port=8080] [--service=NAME]
    [--delay-unhealthy-sec=-1]`.
    """
    given = read(call.argv[2:], _FLAGS)
    port, http_port = given.port("port"), given.port("http-port")
    state = _State(call, given.text("service"), given.number("delay-unhealthy-sec"))
    site = Site(handler=state.force, now=call.kernel.clock.now)
    try:
        async with running.serving(call, {http_port: site}) as group:
            await golang.log(call, f"Http server starting to listen on :{http_port}")
            listener = running.listen(call, port)
            await golang.log(call, f"gRPC server starting to listen on :{port}")
            Grpc(Health(state.check), group).listen(listener)
            await running.forever()
    except running.Taken as taken:
        said = f"listen tcp :{taken.port}: bind: {taken.reason}"
        await golang.log(call, f"Error while starting the listening service {said}")
    return 1
