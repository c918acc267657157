"""A stage of a build: an image in the making, and what is known of its files."""

import copy
import io
import posixpath
import tarfile
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cluster.images import faults, manifests, media, rootfs
from cluster.images.descriptors import Descriptor, Document
from cluster.images.dockerfile.layering import Entry, Layer
from cluster.images.store.layout import Store

EMULATED: Final = "kubemu.dev/emulated"
"""The label of an image that is built upon an emulated one; its value is that one's name."""
# What every emulated image has.
_FOLDERS: Final = ("/", "/bin", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root",
                   "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/local",
                   "/usr/local/bin", "/usr/share", "/var", "/var/lib", "/var/log",
                   "/var/run")  # fmt: skip
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST: Final = 500_000


@dataclass(eq=False)
class Stage:
    """`kinds` says what is at each path: "dir", "file" or "link"."""

    name: str
    config: Document
    layers: list[Descriptor] = field(default_factory=list)
    diff_ids: list[str] = field(default_factory=list)
    history: list[Document] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=lambda: {"/": "dir"})
    arguments: dict[str, str] = field(default_factory=dict)
    shell: list[str] = field(default_factory=lambda: ["/bin/sh", "-c"])
    command_is_ours: bool = False

    @property
    def inner(self) -> dict[str, Any]:
        """The part of the configuration that containers run with."""
        found: dict[str, Any] = self.config.setdefault("config", {})
        return found

    @property
    def environment(self) -> dict[str, str]:
        """The variables, in their order."""
        pairs = (text.partition("=") for text in self.inner.get("Env") or ())
        return {key: value for key, _, value in pairs}

    @property
    def directory(self) -> str:
        """The working directory."""
        return self.inner.get("WorkingDir") or "/"

    def add(self, layer: Layer, entries: dict[str, Entry]) -> None:
        """Lay a layer on top."""
        self.layers.append(layer.descriptor)
        self.diff_ids.append(layer.diff_id)
        self.kinds.update({path: entry.kind for path, entry in entries.items()})

    def note(self, created_by: str, created: str, *, empty: bool) -> None:
        """Add a line to the history."""
        line: Document = {"created": created, "created_by": created_by}
        self.history.append(line | {"empty_layer": True} if empty else line)

    def copied(self, name: str) -> "Stage":
        """A stage that begins where this one ends."""
        other = copy.deepcopy(self)
        other.name, other.arguments, other.command_is_ours = name, {}, False
        return other


def scratch(name: str, os: str, architecture: str, variant: str) -> Stage:
    """A stage with nothing in it."""
    config: Document = {"architecture": architecture, "os": os}
    if variant:
        config["variant"] = variant
    return Stage(name, config | {"config": {}})


def emulated(stage: Stage, image: str, config: Document) -> Stage:
    """Let a stage be built upon an emulated image, whose configuration containers run with is
    `config` (Env, Entrypoint, Cmd and so on).
    """
    path = f"PATH={PATH}"
    stage.inner.update(copy.deepcopy(config))
    own = stage.inner.get("Env") or []
    stage.inner["Env"] = own if any(one.startswith("PATH=") for one in own) else [path, *own]
    stage.inner["Labels"] = {EMULATED: image}
    stage.kinds = dict.fromkeys(_FOLDERS, "dir")
    return stage


def of_image(name: str, store: Store, manifest: manifests.Manifest) -> Stage:
    """A stage upon an image of the store. faults.Fault. Blocks."""
    config = store.config(manifest)
    rootfs_of, history = config.pop("rootfs"), config.pop("history", None) or []
    for field_name in ("created", "container", "container_config", "docker_version", "id"):
        config.pop(field_name, None)
    if not isinstance(config.get("config"), dict):
        config["config"] = {}
    stage = Stage(name, config, list(manifest.layers), list(rootfs_of["diff_ids"]), list(history))
    stage.kinds |= {path: kind for path, kind, _ in _contents(store, stage.layers)}
    onbuild = stage.inner.get("OnBuild")
    if onbuild:
        raise faults.Fault(f"{name} has ONBUILD instructions, which are not built: {onbuild[0]}")
    shell = stage.inner.get("Shell")
    if isinstance(shell, list) and shell:
        stage.shell = shell
    return stage


def files(store: Store, stage: Stage, source: str, spool: Path) -> dict[str, Entry]:
    """What is at a path of a stage, by its path below it; contents go to `spool`.

    faults.Fault. Blocks.
    """
    wanted = posixpath.normpath("/" + source.lstrip("/"))
    owners = {path: number for path, _, number in _contents(store, stage.layers)}
    found: dict[str, Entry] = {}
    for number, layer in enumerate(stage.layers):
        inside = {
            path for path, owner in owners.items()
            if owner == number and (path == wanted or path.startswith(wanted.rstrip("/") + "/"))
        }  # fmt: skip
        if not inside:
            continue
        entries, links = _read(store, layer, inside, spool)
        absent = {target for target in links.values() if target not in entries}
        targets = entries | (_read(store, layer, absent, spool)[0] if absent else {})
        entries |= {path: targets[target] for path, target in links.items() if target in targets}
        found |= {path[len(wanted) :].lstrip("/"): entry for path, entry in entries.items()}
    if wanted == "/" or (found and "" not in found):
        found[""] = Entry("dir", 0o755)
    return found


def _read(
    store: Store, layer: Descriptor, wanted: Collection[str], spool: Path
) -> tuple[dict[str, Entry], dict[str, str]]:
    """What a layer has at these paths; and which of them are other names of which paths' files."""
    entries: dict[str, Entry] = {}
    links: dict[str, str] = {}
    with store.blobs.open(layer.digest) as file, rootfs.tar(file, layer.media_type) as archive:
        for member in archive:
            path = rootfs.clean(member.name)
            if path in wanted and member.islnk():
                links[path] = rootfs.clean(member.linkname)
            elif path in wanted:
                entries[path] = spooled(archive, member, spool)
    return entries, links


def spooled(archive: tarfile.TarFile, member: tarfile.TarInfo, spool: Path) -> Entry:
    """An entry of an archive, whose content goes to `spool`. faults.Fault."""
    mode = member.mode & 0o7777
    if member.isdir():
        return Entry("dir", mode)
    if member.issym():
        return Entry("link", 0o777, target=member.linkname)
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        raise faults.Fault(f"/{member.name} is neither file, directory nor symbolic link")
    with tempfile.NamedTemporaryFile(dir=spool, delete=False) as target:
        while data := content.read(1 << 20):
            target.write(data)
    return Entry("file", mode, source=Path(target.name), size=member.size)


def _contents(store: Store, layers: list[Descriptor]) -> Iterator[tuple[str, str, int]]:
    """What is at each path: its kind, and the number of the layer that has it. faults.Fault."""
    found: dict[str, tuple[str, int]] = {}
    for number, layer in enumerate(layers):
        if media.compression(layer.media_type) == "zstd":
            raise faults.Fault(f"{layer.digest} is compressed with zstd, which is not built")
        try:
            with (
                store.blobs.open(layer.digest) as file,
                rootfs.tar(file, layer.media_type) as archive,
            ):
                rootfs.lay(found, archive, number)
        except (tarfile.TarError, EOFError, io.UnsupportedOperation) as error:
            raise faults.Corrupt(f"{layer.digest} is no layer: {error}") from error
        if len(found) > _MOST:
            raise faults.Fault(f"the image has more than {_MOST} files")
    for path, (kind, number) in found.items():
        yield path, kind, number
