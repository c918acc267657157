"""Images whose own program is a shell: the userland of the virtual OS, and little else."""

from typing import Final

from cluster.runtime.emulated.image import Image

_DEBIAN: Final = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""
_UBUNTU: Final = """PRETTY_NAME="Ubuntu 24.04 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
"""
_ALPINE: Final = """NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.0
PRETTY_NAME="Alpine Linux v3.20"
"""
_FEDORA: Final = """NAME="Fedora Linux"
ID=fedora
VERSION_ID=40
PRETTY_NAME="Fedora Linux 40 (Container Image)"
"""
_CENTOS: Final = """NAME="CentOS Stream"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="9"
PRETTY_NAME="CentOS Stream 9"
"""

IMAGES: Final = (
    Image(
        names=("library/busybox", "busybox", "google-containers/busybox",
               "e2e-test-images/busybox"),
        cmd=("sh",),
    ),
    Image(
        names=("library/alpine", "alpine"), cmd=("/bin/sh",),
        files={"/etc/os-release": _ALPINE, "/etc/alpine-release": "3.20.0\n"},
    ),
    Image(
        names=("library/debian",), cmd=("bash",),
        files={"/etc/os-release": _DEBIAN, "/etc/debian_version": "12.5\n"},
    ),
    Image(names=("library/ubuntu",), cmd=("/bin/bash",), files={"/etc/os-release": _UBUNTU}),
    Image(names=("library/fedora",), cmd=("/bin/bash",), files={"/etc/os-release": _FEDORA}),
    Image(names=("library/centos",), cmd=("/bin/bash",), files={"/etc/os-release": _CENTOS}),
)  # fmt: skip
