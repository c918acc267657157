"""Images of real registries: what a runtime is given from outside, and what they give a container.

Their programs are not run: the container lives as one of an emulated image does (docs/images.md).
"""

import errno
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from cluster.api import imagereferences
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.vos.files import FileSystem

EMULATED: Final = "kubemu.dev/emulated"
"""The label of an image that is built upon an emulated one; its value is that one's name."""


class RegistryImage(Protocol):
    """An image that was pulled. `config` is the image's configuration as it is."""

    @property
    def id(self) -> str:
        """The digest of the configuration."""

    @property
    def name(self) -> str:
        """The name that it was pulled by, in its normal form."""

    @property
    def digest(self) -> str:
        """That of the manifest or index that the name means."""

    @property
    def size(self) -> int:
        """Bytes, compressed."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration: architecture, config.Env and so on."""

    @property
    def layers(self) -> Sequence[tuple[str, str]]:
        """Its layers from the bottom up: digest, and the path of the blob."""

    def files(self) -> Iterator[tuple[str, int, bytes | str | None]]:
        """What is in its root: path, mode, and content (bytes), target (text) or None (folder)."""


class Registries(Protocol):
    """The registries that are asked, and what was pulled from them."""

    def serves(self, reference: imagereferences.Reference) -> bool:
        """Whether the reference is of one of them."""

    def find(self, name: str) -> RegistryImage | None:
        """The image of a normal name, or of an id."""

    def all(self) -> Sequence[RegistryImage]:
        """Every image that was pulled."""

    async def pull(
        self, reference: imagereferences.Reference, username: str, password: str
    ) -> RegistryImage:
        """Get an image. rpc.Failure in containerd's words."""

    async def remove(self, id: str) -> None:
        """Forget an image."""


class NoRegistries:
    """There are none: every image is emulated."""

    def serves(self, reference: imagereferences.Reference) -> bool:
        """See Registries."""
        return False

    def find(self, name: str) -> RegistryImage | None:
        """See Registries."""
        return None

    def all(self) -> list[RegistryImage]:
        """See Registries."""
        return []

    async def pull(
        self, reference: imagereferences.Reference, username: str, password: str
    ) -> RegistryImage:
        """See Registries."""
        raise AssertionError(reference)

    async def remove(self, id: str) -> None:
        """See Registries."""


def described(image: RegistryImage) -> pb.Image:
    """The image as CRI has it."""
    reference = imagereferences.parse(image.name)
    tagged = f"{reference.repository}:{reference.tag}"
    user = str(_inner(image).get("User") or "")
    found = pb.Image(
        id=image.id,
        repo_tags=[tagged] if reference.tag else [],
        repo_digests=[f"{reference.repository}@{image.digest}"],
        size=image.size,
        spec=pb.ImageSpec(image=image.name),
    )
    name = user.partition(":")[0]
    if name.isdecimal() and len(name) < 10:
        found.uid.value = int(name)
    elif name:
        found.username = name
    return found


def completed(config: pb.ContainerConfig, image: RegistryImage) -> pb.ContainerConfig:
    """A container's configuration with what the image says and the pod does not: command,
    environment, working directory. As containerd does it.
    """
    inner = _inner(image)
    found = pb.ContainerConfig()
    found.CopyFrom(config)
    if not config.command:
        if not config.args:
            found.args[:] = _texts(inner.get("Cmd"))
        found.command[:] = _texts(inner.get("Entrypoint"))
    named = {one.key for one in config.envs}
    fresh = [text.partition("=") for text in _texts(inner.get("Env"))]
    mine = [pb.KeyValue(key=key, value=value) for key, _, value in fresh if key not in named]
    if mine:
        theirs = list(config.envs)
        del found.envs[:]
        found.envs.extend([*mine, *theirs])
    if not config.working_dir:
        found.working_dir = working_dir(image)
    return found


def labels(image: RegistryImage) -> Mapping[str, str]:
    """The labels of an image."""
    found = _inner(image).get("Labels")
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def base(image: RegistryImage) -> imagereferences.Reference | None:
    """The emulated image that an image was built upon; None where it was upon none."""
    name = labels(image).get(EMULATED)
    if name is None:
        return None
    try:
        return imagereferences.parse(name)
    except ValueError:
        return None


def release(reference: imagereferences.Reference, image: RegistryImage | None) -> str:
    """The tag that tells the release of a container's programs: that of the image which they come
    from, whatever the one that was built upon it is tagged.
    """
    found = base(image) if image is not None else None
    return (found or reference).tag


def stop_signal(image: RegistryImage) -> str:
    """The signal that an image says its containers end with; "" where it says none."""
    return str(_inner(image).get("StopSignal") or "")


def working_dir(image: RegistryImage) -> str:
    """Where an image says that its containers work; "" where it says nothing."""
    return str(_inner(image).get("WorkingDir") or "")


def exposed(image: RegistryImage) -> tuple[int, ...]:
    """The TCP ports that an image says that it listens on."""
    found = _inner(image).get("ExposedPorts")
    ports = []
    for text in sorted(found) if isinstance(found, dict) else ():
        port, _, protocol = str(text).partition("/")
        if protocol in ("", "tcp") and port.isdecimal() and 0 < int(port) < 65536:
            ports.append(int(port))
    return tuple(sorted(ports))


def user(image: RegistryImage) -> str:
    """Whom an image says to run as: `name`, `uid`, `user:group`, or ""."""
    return str(_inner(image).get("User") or "")


def fill(target: FileSystem, image: RegistryImage) -> None:
    """Lay an image's files over those that every container has, as far as there is room."""
    for path, mode, content in image.files():
        try:
            target.make_folders(path if content is None else posixpath.dirname(path))
            if isinstance(content, bytes):
                target.put(path, content, mode)
            elif content is not None and not target.exists(path):
                target.link(content, path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return
            # A file where a folder is, or the like: an entry of the virtual OS stays.


def _inner(image: RegistryImage) -> Mapping[str, Any]:
    found = image.config.get("config")
    return found if isinstance(found, dict) else {}


def _texts(found: Any) -> list[str]:
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
