"""What an emulated image is: a configuration as Docker's, files, and programs in Python."""

import dataclasses
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cluster.api.curves import Curve
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Program

Content = str | bytes
"""What is in a file; text is UTF-8."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a program uses over the seconds since its start: billionths of a core, and bytes. None
    is what an idle one uses.
    """

    cpu: Curve | None = None
    memory: Curve | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Image:
    """An image. ValueError, with a sentence, for what cannot be."""

    names: tuple[str, ...]
    """Repository paths that mean it, without registry and tag: `library/nginx`, `pause`."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    user: str = ""
    ports: tuple[int, ...] = ()
    """The TCP ports that it exposes."""
    stop_signal: str = ""
    """What it is asked to end with where that is not SIGTERM: `SIGQUIT`."""
    files: Mapping[str, Content] = field(default_factory=dict)
    """Content by absolute path; a path with a `/` at its end is a directory. What begins with `#!`
    is executable."""
    owners: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Who owns a path of `files` and what is below it, where that is not root: uid and gid. The
    group may write, too.
    """
    by_tag: Callable[[str], Mapping[str, Content]] | None = None
    """More files, which depend on the tag that the image is asked for by."""
    env_of_tag: Callable[[str], Mapping[str, str]] | None = None
    """More of `env`, which depends on the tag: `NGINX_VERSION`."""
    programs: Mapping[str, Program] = field(default_factory=dict)
    """By name (then it is in PATH, and in the root) or by absolute path."""
    uses: Callable[[Sequence[str]], Load] | None = None
    """What a command line of its programs uses, where that is more than idling."""
    userland: bool = True
    """Whether it has a shell and the usual small programs too; what is made `FROM scratch` (pause,
    coredns) has not."""

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("an image needs a name, such as library/nginx")
        for name in self.names:
            if not name or name.strip("/") != name or ":" in name or "@" in name:
                raise ValueError(f"{name!r} is no repository path, such as library/nginx")
        for path in self.files:
            if not path.startswith("/"):
                raise ValueError(f"{path!r} of image {self.names[0]} is no absolute path")
        for port in self.ports:
            if not 0 < port < 65536:
                raise ValueError(f"{port} of image {self.names[0]} is no port")

    def tagged(self, tag: str) -> "Image":
        """The image as it is under a tag: itself, where its environment is always the same."""
        return self if self.env_of_tag is None else _tagged(self, tag)

    def fill(self, target: FileSystem, tag: str = "") -> None:
        """Lay its files into a container's root."""
        more = self.by_tag(tag) if self.by_tag is not None else {}
        for path, content in {**self.files, **more}.items():
            if path.endswith("/"):
                target.make_folders(path.rstrip("/"))
                continue
            data = content.encode() if isinstance(content, str) else content
            target.make_folders(posixpath.dirname(path))
            target.put(path, data, 0o755 if data.startswith(b"#!") else 0o644)
        for path, (uid, gid) in self.owners.items():
            _own(target, path, uid, gid)

    def document(self) -> dict[str, object]:
        """Its configuration as that of a real image has it (`config` of the OCI image
        specification); what it does not say is left out.
        """
        found: dict[str, object] = {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "WorkingDir": self.working_dir,
            "User": self.user,
            "ExposedPorts": {f"{port}/tcp": {} for port in self.ports},
            "StopSignal": self.stop_signal,
        }
        return {key: value for key, value in found.items() if value}


@lru_cache(256)
def _tagged(image: Image, tag: str) -> Image:
    more = image.env_of_tag(tag) if image.env_of_tag is not None else {}
    return dataclasses.replace(image, env={**image.env, **more}, env_of_tag=None)


def _own(target: FileSystem, path: str, uid: int, gid: int) -> None:
    target.change_owner(path, uid, gid)
    folder = target.is_folder(path)
    target.change_mode(path, target.find(path).mode | (0o070 if folder else 0o060))
    for name in target.names(path) if folder else ():
        _own(target, posixpath.join(path, name), uid, gid)
