"""Redis' images, and those of its kin."""

from collections.abc import Mapping, Sequence
from typing import Final

from cluster.runtime.emulated import serving
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.redis import program
from cluster.runtime.emulated.redis.cli import redis_cli
from cluster.runtime.emulated.redis.program import redis_server
from cluster.runtime.vos.kernel import Call


@serving.server(when=program.sleeps)
async def _entrypoint(call: Call) -> int:
    """`docker-entrypoint.sh [redis-server] [WORD…]`, as the official image has it."""
    words = list(call.argv[1:]) or ["redis-server"]
    if words[0].startswith("-") or words[0].endswith(".conf"):
        words.insert(0, "redis-server")
    return await _run(call, words)


def _starts(_argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether the environment lets a server start, and sleep."""
    known = env.get("REDIS_PASSWORD") or env.get("REDIS_PASSWORD_FILE")
    empty = env.get("ALLOW_EMPTY_PASSWORD", "no").lower() in ("yes", "true", "1")
    return bool(known or empty) and not env.get("REDIS_MASTER_HOST")


@serving.server(starts=_starts)
async def _bitnami(call: Call) -> int:
    """`entrypoint.sh /run.sh [FLAG…]` of bitnami's images: settings by variables."""
    words = list(call.argv[1:])
    if words and words[0] not in ("/run.sh", "/opt/bitnami/scripts/redis/run.sh"):
        return await _run(call, words)
    env = call.env
    secret = env.get("REDIS_PASSWORD") or _secret(call, env.get("REDIS_PASSWORD_FILE", ""))
    if not secret and env.get("ALLOW_EMPTY_PASSWORD", "no").lower() not in ("yes", "true", "1"):
        text = (
            "The REDIS_PASSWORD environment variable is empty or not set. Set the environment "
            "variable ALLOW_EMPTY_PASSWORD=yes to allow the container to be started with blank "
            "passwords. This is recommended only for development."
        )
        await call.io.stderr.write(f"redis ERROR ==> {text}\n".encode())
        return 1
    flags = ["--port", env.get("REDIS_PORT_NUMBER", "6379"), "--appendonly",
             env.get("REDIS_AOF_ENABLED", "yes"), "--dir", "/bitnami/redis/data"]  # fmt: skip
    if secret:
        flags += ["--requirepass", secret]
    leader = env.get("REDIS_MASTER_HOST")
    if leader and env.get("REDIS_REPLICATION_MODE", "") in ("slave", "replica"):
        flags += ["--replicaof", leader, env.get("REDIS_MASTER_PORT_NUMBER", "6379")]
        flags += (
            ["--masterauth", env["REDIS_MASTER_PASSWORD"]]
            if env.get("REDIS_MASTER_PASSWORD")
            else []
        )
    return await _run(call, ["redis-server", *flags, *words[1:]])


def _secret(call: Call, path: str) -> str:
    try:
        return call.files.read(call.path(path)).decode(errors="replace").strip() if path else ""
    except OSError:
        return ""


async def _follower(call: Call) -> int:
    """`run.sh` of the guestbook's follower: it follows the Service of the leader."""
    env = call.env
    host = "redis-leader"
    if env.get("GET_HOSTS_FROM") == "env":
        host = env.get("REDIS_LEADER_SERVICE_HOST") or env.get("REDIS_MASTER_SERVICE_HOST") or host
    return await _run(call, ["redis-server", "--replicaof", host, "6379"])


async def _slave(call: Call) -> int:
    """The same of the older guestbook, whose leader is a master."""
    host = "redis-master"
    if call.env.get("GET_HOSTS_FROM") == "env":
        host = call.env.get("REDIS_MASTER_SERVICE_HOST") or host
    return await _run(call, ["redis-server", "--replicaof", host, "6379"])


async def _run(call: Call, words: list[str]) -> int:
    found = call.kernel.find(words[0])
    if found is None:
        return await call.complain(f"exec: {words[0]}: not found", 127)
    return await found(Call(words, call.process, call.io, call.env, call.cwd))


_PROGRAMS: Final = {"redis-server": redis_server, "redis-cli": redis_cli}

IMAGES: Final = (
    Image(
        names=("library/redis", "redis", "redis/redis-stack-server", "redis/redis-stack"),
        entrypoint=("docker-entrypoint.sh",), cmd=("redis-server",), working_dir="/data",
        ports=(6379,), files={"/data/": ""},
        programs=_PROGRAMS | {"docker-entrypoint.sh": _entrypoint},
    ),
    Image(
        names=("valkey/valkey",),
        entrypoint=("docker-entrypoint.sh",), cmd=("valkey-server",), working_dir="/data",
        ports=(6379,), files={"/data/": ""},
        programs=_PROGRAMS | {
            "docker-entrypoint.sh": _entrypoint, "valkey-server": redis_server,
            "valkey-cli": redis_cli,
        },
    ),
    Image(
        names=("bitnami/redis", "bitnamilegacy/redis"),
        entrypoint=("/opt/bitnami/scripts/redis/entrypoint.sh",),
        cmd=("/opt/bitnami/scripts/redis/run.sh",), ports=(6379,), user="1001",
        files={"/bitnami/redis/data/": ""},
        programs=_PROGRAMS | {"/opt/bitnami/scripts/redis/entrypoint.sh": _bitnami},
    ),
    Image(
        names=("google_samples/gb-redis-follower", "google-samples/gb-redis-follower",
               "google-samples/containers/gke/gb-redis-follower"),
        cmd=("/run.sh",), ports=(6379,), working_dir="/data", files={"/data/": ""},
        programs=_PROGRAMS | {"/run.sh": _follower},
    ),
    Image(
        names=("google_samples/gb-redisslave", "google-samples/gb-redisslave", "gb-redisslave",
               "google_containers/redis-slave"),
        cmd=("/run.sh",), ports=(6379,), working_dir="/data", files={"/data/": ""},
        programs=_PROGRAMS | {"/run.sh": _slave},
    ),
)  # fmt: skip
"""Among them the follower images of the guestbook example."""
