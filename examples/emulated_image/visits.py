"""An image of one's own: a server that counts its visitors. `pip install .`, then `kubemu up`."""

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import running
from cluster.runtime.emulated.web.messages import Request, Response, text
from cluster.runtime.vos.kernel import Call


@server()
async def visits(call: Call) -> int:
    """It sleeps until the first visitor comes, and ends with 0 when it is asked to."""
    seen = 0

    async def answer(request: Request) -> Response:
        nonlocal seen
        seen += 1
        await call.out(f"{request.method} {request.target}\n")
        return text(f"{call.env['GREETING']}, visitor {seen} of {call.kernel.hostname}\n")

    return await running.run(call, {8080: answer})


IMAGE = Image(
    names=("example/visits",),
    entrypoint=("visits",),
    env={"GREETING": "Welcome"},
    ports=(8080,),
    programs={"visits": visits},
)
