"""Builds the stages of a Dockerfile, one instruction after another."""

import functools
import posixpath
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cluster.images import faults, manifests, media, platforms
from cluster.images.descriptors import Descriptor
from cluster.images.dockerfile import copying, layering, running, stage, steps, words
from cluster.images.dockerfile.context import Context
from cluster.images.dockerfile.layering import Entry
from cluster.images.dockerfile.stage import Stage
from cluster.images.dockerfile.syntax import BuildError, Dockerfile, Instruction
from cluster.images.store.layout import Store

Base = Callable[[str, str], Awaitable[Stage]]
"""Takes the reference after FROM and the stage's name; gives a stage to go on from. faults.Fault"""
_EMULATED_COPY = "is emulated: its files are made when a container runs, and none can be copied"


@dataclass(frozen=True, slots=True)
class Options:
    """How to build. `epoch`: the time of all files and of the image, in seconds since 1970."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: platforms.Platform = field(default_factory=platforms.here)
    target: str = ""
    epoch: int = 0
    cache: bool = True
    run: running.Run | None = None
    say: Callable[[str], None] = lambda _text: None

    @property
    def created(self) -> str:
        """The time, as configurations have it."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Built:
    """The manifest of what was built, and build arguments that nothing used."""

    target: Descriptor
    unused: tuple[str, ...]


async def build(
    dockerfile: Dockerfile, context: Context, store: Store, base: Base, options: Options
) -> Built:
    """Build an image into the store; it has no name yet. BuildError, faults.Fault."""
    with tempfile.TemporaryDirectory(prefix="kubemu-build-") as spool:
        build = _Build(dockerfile, context, store, base, options=options, spool=Path(spool))
        final = await build.all()
        return Built(build.finish(final), build.unused())


class _Build:
    """One build."""

    def __init__(
        self, dockerfile: Dockerfile, context: Context, store: Store, base: Base, *,
        options: Options, spool: Path,
    ) -> None:  # fmt: skip
        self._file = dockerfile
        self._context = context
        self._store = store
        self._base = base
        self._options = options
        self._spool = spool
        self._stages: dict[str, Stage] = {}
        platform = options.platform
        self._global = {
            "TARGETPLATFORM": str(platform), "TARGETOS": platform.os,
            "TARGETARCH": platform.architecture, "TARGETVARIANT": platform.variant,
        }  # fmt: skip
        self._before: dict[str, str] = {}
        self._declared: set[str] = set()

    async def all(self) -> Stage:
        """Every stage up to the one that is wanted; that one."""
        current: Stage | None = None
        count = 0
        for number, one in enumerate(self._file.instructions, 1):
            self._options.say(f"Step {number}/{len(self._file.instructions)} : {one.text}")
            try:
                if one.name == "FROM":
                    if current is not None and self._options.target in (current.name, str(count)):
                        return current
                    count += current is not None
                    current = await self._from(one, count)
                elif current is None:
                    self._early(one)
                else:
                    await self._do(current, one)
            except BuildError:
                raise
            except ValueError as error:
                raise self._file.error(one.line, str(error)) from error
            except faults.Fault as error:
                raise BuildError(
                    f"{self._file.file}:{one.line}: {one.text[:200]}: {error}"
                ) from error
        if current is None:
            raise BuildError(f"{self._file.file}: no build stage in current context")
        if self._options.target not in ("", current.name, str(count)):
            raise BuildError(f"target stage {self._options.target!r} could not be found")
        return current

    def finish(self, final: Stage) -> Descriptor:
        """Write configuration and manifest."""
        if self._options.labels:
            labels = (final.inner.get("Labels") or {}) | dict(self._options.labels)
            final.inner["Labels"] = labels
        config = {
            "created": self._options.created,
            **final.config,
            "rootfs": {"type": "layers", "diff_ids": final.diff_ids},
            "history": final.history,
        }
        data = manifests.encode(config)
        of_config = Descriptor(media.OCI_CONFIG, self._store.blobs.put(data), len(data))
        layers = [
            Descriptor(media.as_oci(one.media_type), one.digest, one.size) for one in final.layers
        ]
        data = manifests.encode(manifests.of_image(of_config, layers))
        return Descriptor(media.OCI_MANIFEST, self._store.blobs.put(data), len(data))

    def unused(self) -> tuple[str, ...]:
        """The build arguments that no ARG takes."""
        return tuple(sorted(set(self._options.arguments) - self._declared - set(_PREDEFINED)))

    # ---- stages ------------------------------------------------------------------------------

    async def _from(self, one: Instruction, number: int) -> Stage:
        values = self._global | self._before
        found = [words.expanded(text, values) for text in words.split(one.rest, self._file.escape)]
        if len(found) not in (1, 3) or (len(found) == 3 and found[1].lower() != "as"):
            raise ValueError("FROM requires either one or three arguments")
        if not found[0]:
            raise ValueError(f"base name ({one.rest}) should not be blank")
        name = found[2].lower() if len(found) == 3 else str(number)
        if found[0].lower() in self._stages:
            current = self._stages[found[0].lower()].copied(name)
        elif found[0] == "scratch":
            platform = self._options.platform
            current = stage.scratch(name, platform.os, platform.architecture, platform.variant)
        else:
            current = await self._base(found[0], name)
        self._stages[name] = self._stages[str(number)] = current
        return current

    def _early(self, one: Instruction) -> None:
        if one.name != "ARG":
            raise ValueError("no build stage in current context")
        self._argument(one, self._before, self._global)

    def _argument(self, one: Instruction, into: dict[str, str], values: dict[str, str]) -> None:
        for text in words.split(one.rest, self._file.escape):
            name, equals, default = text.partition("=")
            self._declared.add(name)
            known = {**self._global, **self._before}
            if name in self._options.arguments:
                into[name] = self._options.arguments[name]
            elif equals:
                into[name] = words.expanded(default, values | into, self._file.escape)
            elif name in known:
                into[name] = known[name]

    # ---- instructions ------------------------------------------------------------------------

    async def _do(self, current: Stage, one: Instruction) -> None:
        if one.name == "ARG":
            self._argument(one, current.arguments, current.environment)
            return
        if one.name == "RUN":
            await self._run(current, one)
            return
        if one.name == "ONBUILD":
            raise faults.Fault("ONBUILD is not built")
        if one.name in ("COPY", "ADD"):
            await self._copy(current, one)
            return
        self._configure(current, one)
        if one.name == "WORKDIR" and current.directory not in current.kinds:
            made = copying.placed(
                [("", True, {"": Entry("dir", 0o755)})], current.directory, "/", current.kinds
            )
            self._lay(current, one, made)
        else:
            current.note(one.text, self._options.created, empty=True)

    def _configure(self, current: Stage, one: Instruction) -> None:
        if one.name in steps.LINES:
            steps.LINES[one.name](current, one.rest)
        elif one.name == "HEALTHCHECK":
            steps.health_check(current, dict(one.flags), one.rest)
        else:
            exact = words.array(one.rest) if one.name == "VOLUME" else None
            steps.WORDS[one.name](current, exact or self._words(current, one.rest))

    def _words(self, current: Stage, text: str) -> list[str]:
        values = self._values(current)
        found = words.split(text, self._file.escape)
        return [words.expanded(word, values, self._file.escape) for word in found]

    def _values(self, current: Stage) -> dict[str, str]:
        # What ENV says wins over ARG.
        return current.arguments | current.environment

    async def _run(self, current: Stage, one: Instruction) -> None:
        if self._options.run is None:
            raise faults.Fault("RUN is not built: nothing can be run here")
        command = running.command(current, one)
        key = running.key(current, command, self._options.epoch)
        layer = layering.find(self._store, key) if self._options.cache else None
        if layer is not None:
            self._options.say(" ---> Using cache")
        else:
            target = self._spool / "changes.tar"
            code = await self._options.run(command, target)
            if code:
                raise running.failure(command, code)
            layer = layering.take(self._store, key, target)
            target.unlink()
        current.add(layer, {})
        running.lay(current, self._store)
        current.note(one.text, self._options.created, empty=False)

    async def _copy(self, current: Stage, one: Instruction) -> None:
        exact = words.array(one.rest)
        found = exact if exact is not None else self._words(current, one.rest)
        if len(found) < 2:
            raise ValueError(
                f"{one.name} requires at least two arguments, but only one was provided. "
                "Destination could not be determined."
            )
        values = self._values(current)
        flags = {key: words.expanded(value, values) for key, value in one.flags}
        for flag in flags:
            if flag not in ("from", "chown", "chmod", "link"):
                raise ValueError(f"unknown flag: {flag}")
        *sources, target = found
        gathered: copying.Found = []
        for source in sources:
            gathered += await self._gathered(current, one, source, flags.get("from", ""))
        entries = copying.placed(
            gathered, target, current.directory, current.kinds,
            owner=self._owner(current, flags.get("chown", "")), mode=_mode(flags.get("chmod", "")),
        )  # fmt: skip
        self._lay(current, one, entries)

    async def _gathered(
        self, current: Stage, one: Instruction, source: str, origin: str
    ) -> copying.Found:
        for document in one.heredocs:
            if source.lstrip("<-").strip("'\"") == document.name and source.startswith("<<"):
                text = document.text
                if document.expands:
                    text = words.expanded(text, self._values(current))
                return [(document.name, False, {"": Entry("file", 0o644, data=text.encode())})]
        if copying.is_remote(source):
            raise faults.Fault(f"ADD of what is not in the context is not built: {source}")
        if origin:
            return await self._from_stage(source, origin)
        gathered: copying.Found = []
        for name, is_folder in self._context.find(source):
            entries = dict(self._context.entries(name, directory=is_folder))
            archive = self._archive(entries) if one.name == "ADD" and not is_folder else None
            base = posixpath.basename(posixpath.normpath("/" + name))
            gathered.append((base, is_folder or archive is not None, archive or entries))
        if not gathered:
            raise faults.NotFound(
                'failed to calculate checksum of ref: "/'
                f'{posixpath.normpath("/" + source).lstrip("/")}": not found'
            )
        return gathered

    async def _from_stage(self, source: str, origin: str) -> copying.Found:
        known = self._stages.get(origin.lower())
        if known is None:
            known = self._stages[origin.lower()] = await self._base(origin, origin)
        entries = stage.files(self._store, known, source, self._spool)
        if not entries:
            if (known.inner.get("Labels") or {}).get(stage.EMULATED):
                raise faults.NotFound(f'"{source}": not found: {origin} {_EMULATED_COPY}')
            raise faults.NotFound(f'failed to calculate checksum of ref: "{source}": not found')
        is_folder = entries[""].kind == "dir"
        return [(posixpath.basename(source.rstrip("/")), is_folder, entries)]

    def _archive(self, entries: dict[str, Entry]) -> dict[str, Entry] | None:
        path = entries[""].source if "" in entries else None
        if path is None:
            return None
        return copying.unpacked(path, functools.partial(stage.spooled, spool=self._spool))

    def _owner(self, current: Stage, said: str) -> tuple[int, int]:
        if not said or all(part.isdecimal() for part in said.split(":")):
            return copying.owner_of(said, b"", b"")
        tables = []
        for path in ("/etc/passwd", "/etc/group"):
            found = stage.files(self._store, current, path, self._spool).get("")
            with_content = found is not None and found.kind == "file" and found.length < 1 << 20
            tables.append(found.open().read() if found and with_content else b"")
        return copying.owner_of(said, *tables)

    def _lay(self, current: Stage, one: Instruction, entries: dict[str, Entry]) -> None:
        layer, cached = layering.make(
            self._store, entries, self._options.epoch, cached=self._options.cache
        )
        if cached:
            self._options.say(" ---> Using cache")
        current.add(layer, entries)
        current.note(one.text, self._options.created, empty=False)


_PREDEFINED = (
    "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY",
    "no_proxy", "ALL_PROXY", "all_proxy", "SOURCE_DATE_EPOCH",
)  # fmt: skip


def _mode(said: str) -> int | None:
    if not said:
        return None
    if len(said) > 5 or not all(char in "01234567" for char in said):
        raise ValueError(f"invalid chmod parameter: '{said}'. it should be octal string")
    return int(said, 8)
