"""ingress-nginx: `registry.k8s.io/ingress-nginx/controller`, the job that makes its webhook's
certificate, and the default back end.

`annotations` and `model` make of Ingresses what is served (pure), `endpoints` knows who is behind
a service, `handling` and `proxying` answer requests, `status` tells the API, `controller` runs it.
Not built: HTTP/2 and gRPC, snippets, external authentication, client certificates.
"""

from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.emulated.web import running
from cluster.runtime.emulated.web.messages import Request, Response, text
from cluster.runtime.vos.kernel import Call

_TERM: Final = 15


async def _controller(call: Call) -> int:
    # Imported here: few nodes have one.
    from cluster.runtime.emulated.ingressnginx import controller

    return await controller.controller(call)


async def _dumb_init(call: Call) -> int:
    """`/usr/bin/dumb-init -- PROGRAM…`."""
    words = [word for word in call.argv[1:] if word != "--"]
    program = call.kernel.find(words[0]) if words else None
    if program is None:
        return await call.complain(f"{words[0] if words else ''}: No such file or directory", 2)
    return await program(Call(words, call.process, call.io, call.env, call.cwd))


async def _wait_shutdown(call: Call) -> int:
    """The preStop hook: asks the controller to end, and waits for it."""
    main = call.kernel.main_pid
    call.kernel.signal(main, _TERM)
    process = call.kernel.processes.get(main)
    if process is not None:
        await process.wait()
    return 0


async def _certgen(call: Call) -> int:
    from cluster.runtime.emulated.ingressnginx import certgen

    return await certgen.certgen(call)


async def _default_page(request: Request) -> Response:
    if request.path == "/healthz":
        return text("ok")
    return text("default backend - 404", 404)


@server(stop_code=0)
async def _default(call: Call) -> int:
    return await running.run(call, {8080: _default_page})


IMAGES = (
    Image(
        names=("ingress-nginx/controller", "ingress-nginx/controller-chroot",
               "rancher/nginx-ingress-controller"),
        entrypoint=("/usr/bin/dumb-init", "--"),
        cmd=("/nginx-ingress-controller",),
        user="101",
        working_dir="/etc/nginx",
        ports=(80, 443, 8443, 10254),
        programs={"/nginx-ingress-controller": _controller, "/usr/bin/dumb-init": _dumb_init,
                  "/wait-shutdown": _wait_shutdown},
    ),
    Image(
        names=("ingress-nginx/kube-webhook-certgen",
               "rancher/mirrored-ingress-nginx-kube-webhook-certgen"),
        entrypoint=("/kube-webhook-certgen",),
        programs={"/kube-webhook-certgen": _certgen},
        userland=False,
    ),
    Image(
        names=("defaultbackend-amd64", "defaultbackend", "google_containers/defaultbackend"),
        entrypoint=("/server",),
        ports=(8080,),
        programs={"/server": _default},
        userland=False,
    ),
)  # fmt: skip
