"""Which emulated image a name means. Built-in ones are imported when they are first asked for.

`BUILT_IN` names the module of this package that has the image of a repository path in its `IMAGES`
(a sequence of `image.Image`). Images of users are entry points of the group `kubemu.images`: an
`Image`, or a sequence of them. They come before the built-in ones.
"""

import importlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import structlog

from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Program, lookup

GROUP: Final = "kubemu.images"

BUILT_IN: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("library/busybox", "busybox", "google-containers/busybox", "google_containers/busybox",
         "e2e-test-images/busybox", "library/alpine", "alpine", "library/bash", "library/debian",
         "bitnami/minideb", "library/ubuntu", "library/fedora", "fedora/fedora", "library/centos",
         "centos/centos", "library/rockylinux", "rockylinux/rockylinux", "library/almalinux",
         "library/amazonlinux", "amazonlinux/amazonlinux", "distroless/static", "distroless/base",
         "distroless/cc", "distroless/static-debian12", "distroless/base-debian12",
         "distroless/cc-debian12", "distroless/static-debian11", "distroless/base-debian11",
         "pause", "google_containers/pause", "google-containers/pause",
         "google_containers/pause-amd64", "rancher/mirrored-pause", "kubernetes/pause",
         "e2e-test-images/pause", "pause-amd64"),
        "systems",
    ),
    **dict.fromkeys(
        ("curlimages/curl", "curl/curl", "alpine/curl", "appropriate/curl", "byrnedo/alpine-curl",
         "radial/busyboxplus", "nicolaka/netshoot", "tutum/curl", "tutum/dnsutils",
         "giantswarm/tiny-tools", "arunvelsriram/utils", "library/buildpack-deps",
         "e2e-test-images/jessie-dnsutils", "kubernetes-e2e-test-images/jessie-dnsutils",
         "kubernetes-e2e-test-images/dnsutils", "infoblox/dnstools",
         "wbitt/network-multitool", "praqma/network-multitool"),
        "clients",
    ),
    **dict.fromkeys(
        ("polinux/stress", "progrium/stress", "alexeiled/stress-ng", "polinux/stress-ng",
         "colinianking/stress-ng", "lorel/docker-stress-ng", "vish/stress"),
        "load",
    ),
    **dict.fromkeys(
        ("hpa-example", "google_containers/hpa-example", "google-containers/hpa-example",
         "resource_consumer",
         "e2e-test-images/resource-consumer", "kubernetes-e2e-test-images/resource-consumer"),
        "consumers",
    ),
    **dict.fromkeys(
        ("library/perl", "perl", "library/hello-world", "docker/whalesay", "bitnami/kubectl",
         "bitnamilegacy/kubectl", "kubectl", "rancher/kubectl"),
        "jobs",
    ),
    **dict.fromkeys(
        ("library/memcached", "bitnami/memcached", "bitnamilegacy/memcached"),
        "memcached",
    ),
    **dict.fromkeys(
        ("library/postgres", "postgis/postgis", "timescale/timescaledb", "pgvector/pgvector",
         "bitnami/postgresql", "bitnamilegacy/postgresql"),
        "databases.postgres",
    ),
    **dict.fromkeys(
        ("library/mysql", "mysql/mysql-server", "percona/percona-server", "library/percona",
         "library/mariadb", "bitnami/mysql", "bitnamilegacy/mysql", "bitnami/mariadb",
         "bitnamilegacy/mariadb"),
        "databases.mysql",
    ),
    **dict.fromkeys(
        ("library/mongo", "mongodb/mongodb-community-server", "bitnami/mongodb",
         "bitnamilegacy/mongodb"),
        "databases.mongo",
    ),
    **dict.fromkeys(
        ("library/rabbitmq", "bitnami/rabbitmq", "bitnamilegacy/rabbitmq", "apache/kafka",
         "bitnami/kafka", "bitnamilegacy/kafka", "confluentinc/cp-kafka", "wurstmeister/kafka",
         "library/zookeeper", "bitnami/zookeeper", "bitnamilegacy/zookeeper",
         "confluentinc/cp-zookeeper", "wurstmeister/zookeeper", "library/nats"),
        "databases.brokers",
    ),
    **dict.fromkeys(
        ("coreos/etcd", "etcd", "etcd-development/etcd", "google_containers/etcd",
         "google-containers/etcd", "bitnami/etcd", "bitnamilegacy/etcd", "library/cassandra"),
        "databases.stores",
    ),
    **dict.fromkeys(
        ("library/redis", "redis", "redis/redis-stack-server", "redis/redis-stack",
         "valkey/valkey", "bitnami/redis", "bitnamilegacy/redis",
         "google_samples/gb-redis-follower", "google-samples/gb-redis-follower",
         "google-samples/containers/gke/gb-redis-follower",
         "google_samples/gb-redisslave", "google-samples/gb-redisslave", "gb-redisslave",
         "google_containers/redis-slave"),
        "redis.images",
    ),
    **dict.fromkeys(
        ("library/nginx", "nginx/nginx", "nginx", "nginx-slim", "google_containers/nginx",
         "google-containers/nginx", "google_containers/nginx-slim", "google-containers/nginx-slim",
         "e2e-test-images/nginx", "kubernetes-e2e-test-images/nginx",
         "nginxinc/nginx-unprivileged", "nginx/nginx-unprivileged", "bitnami/nginx",
         "bitnamilegacy/nginx"),
        "nginx",
    ),
    **dict.fromkeys(
        ("library/httpd", "e2e-test-images/httpd", "kubernetes-e2e-test-images/httpd"), "httpd"
    ),
    **dict.fromkeys(
        ("coredns/coredns", "coredns", "google_containers/coredns",
         "rancher/mirrored-coredns-coredns", "bitnami/coredns", "bitnamilegacy/coredns"),
        "coredns",
    ),
    **dict.fromkeys(
        ("ingress-nginx/controller", "ingress-nginx/controller-chroot",
         "rancher/nginx-ingress-controller", "ingress-nginx/kube-webhook-certgen",
         "rancher/mirrored-ingress-nginx-kube-webhook-certgen", "defaultbackend-amd64",
         "defaultbackend", "google_containers/defaultbackend"),
        "ingressnginx",
    ),
    "alpine/socat": "relays",
    "library/wordpress": "wordpress",
    **dict.fromkeys(("library/node", "node"), "node"),
    **dict.fromkeys(
        ("e2e-test-images/agnhost", "kubernetes-e2e-test-images/agnhost", "agnhost",
         "k8s-staging-e2e-test-images/agnhost"),
        "agnhost",
    ),
    **dict.fromkeys(
        ("library/nodeinfo", "nodeinfo", "kubemu/nodeinfo", "luksa/kubia", "luksa/kubia-unhealthy",
         "google-samples/hello-app", "google-samples/containers/gke/hello-app",
         "google_samples/hello-app", "hashicorp/http-echo", "traefik/whoami", "containous/whoami",
         "jwilder/whoami", "ealen/echo-server", "mendhak/http-https-echo", "echoserver",
         "google_containers/echoserver", "google-containers/echoserver",
         "e2e-test-images/echoserver", "ingress-nginx/e2e-test-echo", "jmalloc/echo-server",
         "kicbase/echo-server", "inanimate/echo-server", "stefanprodan/podinfo"),
        "demos",
    ),
    **dict.fromkeys(
        ("google-samples/gb-frontend", "google_samples/gb-frontend",
         "google-samples/containers/gke/gb-frontend"),
        "frontend",
    ),
}  # fmt: skip
"""Module of this package by repository path."""


@lru_cache(4096)
def find(path: str) -> Image | None:
    """The image of a repository path (`library/nginx`); None for one of which nothing is known.

    One that is named `hello` is Docker Hub's `library/hello`, too.
    """
    for name in (path, path.removeprefix("library/")):
        own = _of_users().get(name)
        if own is not None:
            return own
        module = BUILT_IN.get(name)
        if module is not None:
            images = importlib.import_module(f"cluster.runtime.emulated.{module}").IMAGES
            return next((one for one in images if name in one.names), None)
    return None


def forget() -> None:
    """Look for users' images anew."""
    find.cache_clear()
    _of_users.cache_clear()


@lru_cache(1)
def _of_users() -> Mapping[str, Image]:
    # Imported here: the node has no image yet.
    from importlib import metadata

    found: dict[str, Image] = {}
    for point in metadata.entry_points(group=GROUP):
        try:
            found.update(_by_name(point.load()))
        except Exception:  # noqa: BLE001
            # Somebody else's code: whatever it raises, the other images go on.
            structlog.get_logger().exception("an image cannot be loaded", entry_point=point.value)
    return found


def _by_name(loaded: Any) -> Iterable[tuple[str, Image]]:
    images = [loaded] if isinstance(loaded, Image) else list(loaded)
    for one in images:
        if not isinstance(one, Image):
            raise TypeError(f"{one!r} is no cluster.runtime.emulated.image.Image")
        yield from ((name, one) for name in one.names)


@lru_cache(256)
def programs(image: Image | None) -> Mapping[str, Program]:
    """Every program that a container of an image has, by name or absolute path. One of which
    nothing is known has those of the virtual OS.
    """
    if image is not None and not image.userland:
        return image.programs
    # Imported here: it is much, and most containers never need it.
    from cluster.runtime.vos.programs import PROGRAMS

    return PROGRAMS if image is None else {**PROGRAMS, **image.programs}


def program(image: Image, name: str) -> Program | None:
    """The program that a command line of an image names; None where it is none of its own."""
    return lookup(image.programs, name)
