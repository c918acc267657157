"""The files that a container begins with."""

from collections.abc import Sequence

from cluster.runtime.vos import devices
from cluster.runtime.vos.files import FileSystem

_FOLDERS = ("/bin", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root", "/run",
            "/sbin", "/srv", "/sys", "/tmp", "/usr/bin", "/usr/local/bin", "/usr/share",
            "/var/lib", "/var/log", "/var/run")  # fmt: skip


def fill(
    target: FileSystem, hostname: str, addresses: Sequence[str], programs: Sequence[str]
) -> None:
    """Make directories, the files of /etc that programs read, and an entry for each program."""
    for folder in _FOLDERS:
        target.make_folders(folder)
    hosts = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    hosts += [f"{address}\t{hostname}" for address in addresses]
    target.put("/etc/hostname", f"{hostname}\n".encode())
    target.put("/etc/hosts", ("# Kubernetes-managed hosts file.\n" + "\n".join(hosts)).encode())
    target.put("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    target.put("/etc/group", b"root:x:0:\n")
    target.change_mode("/tmp", 0o1777)
    target.change_mode("/root", 0o700)
    target.put("/etc/os-release", b'NAME="kubemu"\nID=kubemu\nPRETTY_NAME="kubemu virtual OS"\n')
    devices.mount(target)
    for name in programs:
        target.show(f"/bin/{name}", lambda: b"")
        target.create(f"/bin/{name}", append=True).mode = 0o755
