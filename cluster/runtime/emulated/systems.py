"""Images whose own program is a shell: the userland of the virtual OS, and little else; and those
that have not even that (distroless, pause).
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.emulated.image import Content, Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.vos.kernel import Call, Program

_RELEASE: Final = "/etc/os-release"
ByTag = Callable[[str], Mapping[str, Content]]


def _version(tag: str, default: str, parts: int = 3) -> str:
    """The version that a tag begins with, as many parts of it as it says."""
    found = re.match(rf"v?(\d{{1,4}}(?:\.\d{{1,4}}){{0,{parts - 1}}})(?![\d.])", tag)
    return found[1] if found else default


def _alpine(tag: str) -> Mapping[str, Content]:
    version = _version(tag, "3.21.0")
    if version.count(".") == 1:
        version += ".0"
    text = f"""NAME="Alpine Linux"
ID=alpine
VERSION_ID={version}
PRETTY_NAME="Alpine Linux v{".".join(version.split(".")[:2])}"
HOME_URL="https://alpinelinux.org/"
"""
    return {_RELEASE: text, "/etc/alpine-release": f"{version}\n"}


_DEBIANS: Final = {"13": "trixie", "12": "bookworm", "11": "bullseye", "10": "buster"}


def _debian(tag: str) -> Mapping[str, Content]:
    named = next((number for number, name in _DEBIANS.items() if tag.startswith(name)), "")
    version = named or _version(tag, "12")
    major = version.split(".")[0]
    name = _DEBIANS.get(major, "bookworm")
    text = f"""PRETTY_NAME="Debian GNU/Linux {major} ({name})"
NAME="Debian GNU/Linux"
VERSION_ID="{major}"
VERSION="{major} ({name})"
VERSION_CODENAME={name}
ID=debian
HOME_URL="https://www.debian.org/"
"""
    return {_RELEASE: text, "/etc/debian_version": f"{version}\n"}


_UBUNTUS: Final = {
    "24.04": "Noble Numbat", "22.04": "Jammy Jellyfish", "20.04": "Focal Fossa",
    "18.04": "Bionic Beaver",
}  # fmt: skip


def _ubuntu(tag: str) -> Mapping[str, Content]:
    names = {name.split(" ")[0].lower(): number for number, name in _UBUNTUS.items()}
    version = names.get(tag.split("-", maxsplit=1)[0]) or _version(tag, "24.04", 2)
    name = _UBUNTUS.get(version, "")
    code = name.split(" ")[0].lower()
    text = f"""PRETTY_NAME="Ubuntu {version} LTS"
NAME="Ubuntu"
VERSION_ID="{version}"
VERSION="{version} LTS ({name})"
VERSION_CODENAME={code}
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
"""
    return {_RELEASE: text}


def _red(name: str, id_: str, default: str, like: str = "rhel fedora") -> ByTag:
    def files(tag: str) -> Mapping[str, Content]:
        version = _version(tag.removeprefix("stream"), default, 2)
        text = f"""NAME="{name}"
ID="{id_}"
ID_LIKE="{like}"
VERSION_ID="{version}"
PRETTY_NAME="{name} {version}"
"""
        return {_RELEASE: text, "/etc/redhat-release": f"{name} release {version}\n"}

    return files


_DISTROLESS: Final = """PRETTY_NAME="Distroless"
NAME="Debian GNU/Linux"
ID="debian"
VERSION_ID="12"
HOME_URL="https://github.com/GoogleContainerTools/distroless"
"""
_DISTROLESSES: Final = tuple(
    f"distroless/{kind}{system}"
    for kind in ("static", "base", "cc") for system in ("", "-debian12", "-debian11")
)  # fmt: skip


def _manager(name: str) -> Program:
    """A package manager. It is imported when it runs, for with it all of the userland is; most
    containers of these images only sleep.
    """

    async def run(call: Call) -> int:
        from cluster.runtime.vos.programs.tools import packages

        return await packages.PROGRAMS[name](call)

    run.__name__ = name
    return run


_APK: Final = {"apk": _manager("apk")}
_APT: Final = dict.fromkeys(("apt", "apt-get"), _manager("apt"))
_DNF: Final = dict.fromkeys(("dnf", "yum"), _manager("yum"))


def _waits(argv: Sequence[str]) -> bool:
    return "-v" not in argv[1:]


@server(when=_waits)
async def pause(call: Call) -> int:
    """`/pause`: waits until it is told to end."""
    if not _waits(call.argv):
        await call.out("pause.c (emulated by kubemu)\n")
        return 0
    await asyncio.get_running_loop().create_future()
    return 0


async def _bash(call: Call) -> int:
    """`docker-entrypoint.sh [WORD…]` of Docker's bash: flags are bash's own."""
    words = list(call.argv[1:])
    if not words or words[0].startswith("-"):
        words.insert(0, "bash")
    program = call.kernel.find(words[0])
    if program is None:
        return await call.complain(f"exec: {words[0]}: not found", 127)
    return await program(Call(words, call.process, call.io, call.env, call.cwd))


IMAGES: Final = (
    Image(
        names=("library/busybox", "busybox", "google-containers/busybox",
               "google_containers/busybox", "e2e-test-images/busybox"),
        cmd=("sh",),
    ),
    Image(names=("library/alpine", "alpine"), cmd=("/bin/sh",), by_tag=_alpine,
          programs=_APK),
    Image(names=("library/bash",), entrypoint=("docker-entrypoint.sh",), cmd=("bash",),
          programs={"docker-entrypoint.sh": _bash}),
    Image(names=("library/debian", "bitnami/minideb"), cmd=("bash",), by_tag=_debian,
          programs=_APT),
    Image(names=("library/ubuntu",), cmd=("/bin/bash",), by_tag=_ubuntu, programs=_APT),
    Image(names=("library/fedora", "fedora/fedora"), cmd=("/bin/bash",), programs=_DNF,
          by_tag=_red("Fedora Linux", "fedora", "41", "")),
    Image(names=("library/centos", "centos/centos"), cmd=("/bin/bash",), programs=_DNF,
          by_tag=_red("CentOS Stream", "centos", "9")),
    Image(names=("library/rockylinux", "rockylinux/rockylinux"), cmd=("/bin/bash",),
          programs=_DNF, by_tag=_red("Rocky Linux", "rocky", "9.5", "rhel centos fedora")),
    Image(names=("library/almalinux",), cmd=("/bin/bash",), programs=_DNF,
          by_tag=_red("AlmaLinux", "almalinux", "9.5", "rhel centos fedora")),
    Image(names=("library/amazonlinux", "amazonlinux/amazonlinux"), cmd=("/bin/bash",),
          programs=_DNF, by_tag=_red("Amazon Linux", "amzn", "2023", "fedora")),
    Image(names=_DISTROLESSES,
        userland=False, files={_RELEASE: _DISTROLESS, "/home/nonroot/": ""}),
    Image(names=("pause", "google_containers/pause", "google-containers/pause",
                 "google_containers/pause-amd64", "rancher/mirrored-pause", "kubernetes/pause",
                 "e2e-test-images/pause", "pause-amd64"),
          entrypoint=("/pause",), userland=False, user="65535:65535", programs={"/pause": pause}),
)  # fmt: skip
