"""`sysctl`: settings of the kernel that a container sees, below /proc/sys.

What is written is kept in the container's own tree: a simulated node has no kernel that heeds it.
"""

from typing import Final

from cluster.runtime.vos.kernel import Call, Program, decoded, encoded

DEFAULTS: Final = {
    "fs.file-max": "9223372036854775807",
    "fs.inotify.max_user_instances": "128",
    "fs.inotify.max_user_watches": "65536",
    "kernel.pid_max": "4194304",
    "kernel.shm_rmid_forced": "0",
    "kernel.shmmax": "18446744073692774399",
    "net.core.rmem_max": "212992",
    "net.core.somaxconn": "4096",
    "net.core.wmem_max": "212992",
    "net.ipv4.ip_forward": "1",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0\t2147483647",
    "net.ipv4.tcp_keepalive_time": "7200",
    "net.ipv4.tcp_syncookies": "1",
    "vm.max_map_count": "65530",
    "vm.overcommit_memory": "1",
    "vm.swappiness": "60",
}
"""Linux 6.1 in a container of containerd."""


async def sysctl(call: Call) -> int:
    """`sysctl [-neqw] KEY[=VALUE]…`, `sysctl -a`."""
    flags = "".join(word[1:] for word in call.argv[1:] if word.startswith("-"))
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    if "a" in flags:
        words = list(DEFAULTS)
    if not words:
        return await call.complain("no variables specified")
    code = 0
    for word in words:
        name, equals, value = word.replace("/", ".").partition("=")
        if not equals:
            value = _value(call, name) or ""
        elif _value(call, name) is not None:
            call.files.make_folders(_path(name).rpartition("/")[0])
            call.files.put(_path(name), encoded(value + "\n"))
        if _value(call, name) is None:
            code = 1
            if "e" not in flags:
                await call.complain(f"error: '{name[:200]}' is an unknown key")
        elif not (equals and "q" in flags):
            await call.out(f"{value}\n" if "n" in flags else f"{name} = {value}\n")
    return 0 if "e" in flags else code


def _path(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def _value(call: Call, name: str) -> str | None:
    """None for a setting that there is not."""
    try:
        return decoded(call.files.read(_path(name))).rstrip("\n")
    except OSError:
        return DEFAULTS.get(name)


PROGRAMS: Final[dict[str, Program]] = {"sysctl": sysctl}
