"""nginx: `library/nginx`, `nginxinc/nginx-unprivileged` and `bitnami/nginx`.

`parsing`, `directives`, `values`, `variables`, `building` and `rules` make a `model` of the
configuration; `routing`, `exchange` and `handling` answer requests by it; `program` runs it.
"""

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.nginx import files
from cluster.runtime.emulated.nginx.program import docker_entrypoint, nginx

_PROGRAMS = {
    "nginx": nginx,
    "nginx-debug": nginx,
    "/usr/sbin/nginx": nginx,
    "/docker-entrypoint.sh": docker_entrypoint,
}
_ENTRYPOINT = ("/docker-entrypoint.sh",)
_CMD = ("nginx", "-g", "daemon off;")

IMAGES = (
    Image(
        names=("library/nginx", "nginx/nginx"),
        entrypoint=_ENTRYPOINT,
        cmd=_CMD,
        ports=(80,),
        stop_signal="SIGQUIT",
        files=files.LIBRARY,
        programs=_PROGRAMS,
    ),
    Image(
        names=("nginxinc/nginx-unprivileged",),
        entrypoint=_ENTRYPOINT,
        cmd=_CMD,
        user="101",
        ports=(8080,),
        stop_signal="SIGQUIT",
        files=files.UNPRIVILEGED,
        programs=_PROGRAMS,
    ),
    Image(
        names=("bitnami/nginx", "bitnamilegacy/nginx"),
        cmd=("nginx", "-c", "/opt/bitnami/nginx/conf/nginx.conf", "-g", "daemon off;"),
        user="1001",
        working_dir="/app",
        ports=(8080, 8443),
        stop_signal="SIGQUIT",
        files=files.BITNAMI,
        programs=_PROGRAMS,
    ),
)
