"""nginx: `library/nginx` (and `nginx-slim`, which is one by Kubernetes), `nginx-unprivileged`,
`bitnami/nginx`.

`parsing`, `directives`, `values`, `variables`, `building` and `rules` make a `model` of the
configuration; `routing`, `exchange` and `handling` answer requests by it; `program` runs it.
"""

from collections.abc import Mapping

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.nginx import files
from cluster.runtime.emulated.nginx.exchange import version
from cluster.runtime.emulated.nginx.program import docker_entrypoint, nginx

_PROGRAMS = {
    "nginx": nginx,
    "nginx-debug": nginx,
    "/usr/sbin/nginx": nginx,
    "/docker-entrypoint.sh": docker_entrypoint,
}
_ENTRYPOINT = ("/docker-entrypoint.sh",)
_CMD = ("nginx", "-g", "daemon off;")


def _env(tag: str) -> Mapping[str, str]:
    return {"NGINX_VERSION": version(tag)}


IMAGES = (
    Image(
        names=("library/nginx", "nginx/nginx", "nginx", "nginx-slim", "google_containers/nginx",
               "google-containers/nginx", "google_containers/nginx-slim",
               "google-containers/nginx-slim", "e2e-test-images/nginx",
               "kubernetes-e2e-test-images/nginx"),
        entrypoint=_ENTRYPOINT,
        cmd=_CMD,
        ports=(80,),
        stop_signal="SIGQUIT",
        env_of_tag=_env,
        files=files.LIBRARY,
        programs=_PROGRAMS,
    ),
    Image(
        names=("nginxinc/nginx-unprivileged", "nginx/nginx-unprivileged"),
        entrypoint=_ENTRYPOINT,
        cmd=_CMD,
        user="101",
        ports=(8080,),
        stop_signal="SIGQUIT",
        env_of_tag=_env,
        files=files.UNPRIVILEGED,
        owners={"/etc/nginx": (101, 0), "/var/cache/nginx": (101, 0)},
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
        owners={f"/opt/bitnami/nginx/{name}": (0, 0) for name in ("conf", "html", "tmp")},
        programs=_PROGRAMS,
    ),
)  # fmt: skip
