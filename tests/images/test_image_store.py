"""The store: true or not there, whoever is killed when; and names, locks, garbage, archives."""

import asyncio
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.images import digests, faults, manifests, media, platforms
from cluster.images.archives import loading, saving
from cluster.images.descriptors import Descriptor
from cluster.images.store import locks
from cluster.images.store.blobs import Blobs
from cluster.images.store.layout import Store

LINUX = platforms.Platform()


def image(store: Store, content: bytes) -> Descriptor:
    layer = tar({"file": content})
    config = manifests.encode(
        {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
         "rootfs": {"type": "layers", "diff_ids": [digests.of(layer)]}}
    )  # fmt: skip
    of_layer = Descriptor(media.OCI_LAYER, store.blobs.put(layer), len(layer))
    of_config = Descriptor(media.OCI_CONFIG, store.blobs.put(config), len(config))
    data = manifests.encode(manifests.of_image(of_config, [of_layer]))
    return Descriptor(media.OCI_MANIFEST, store.blobs.put(data), len(data))


def tar(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_what_is_written_is_read_again(tmp_path_factory, parts):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    with blobs.writer() as writer:
        for part in parts:
            writer.write(part)
        digest = writer.commit()
    whole = b"".join(parts)
    assert digest == digests.of(whole)
    assert blobs.read(digest, len(whole)) == whole
    assert list(blobs.all()) == [digest]


def test_a_blob_that_is_not_what_was_said_is_not_kept(tmp_path):
    blobs = Blobs(tmp_path)
    for expected, size in ((digests.of(b"else"), None), ("", 3)):
        with blobs.writer() as writer:
            writer.write(b"data")
            with pytest.raises(faults.Corrupt):
                writer.commit(expected, size)
    assert not list(blobs.all())
    assert not list(tmp_path.glob("ingest/*"))


def test_a_blob_that_changed_on_disk_is_told_of(tmp_path):
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"data")
    blobs.path(digest).write_bytes(b"DATA")
    with pytest.raises(faults.Corrupt, match="damaged"):
        blobs.read(digest, 100)
    with pytest.raises(faults.Corrupt, match="more than 3 bytes"):
        blobs.read(digest, 3)


@pytest.mark.parametrize("name", ["", "..", "sha256:../../etc/passwd", "sha256:" + "A" * 64, "x:y"])
def test_nothing_but_a_digest_becomes_a_path(tmp_path, name):
    with pytest.raises(ValueError, match="invalid digest"):
        Blobs(tmp_path).path(name)


KILLED = """
import asyncio, os, sys
from pathlib import Path
from cluster.images.store import blobs as b, layout
from test_image_store import image

step = int(sys.argv[2])
def at(name, inner):
    def call(*args, **kwargs):
        global step
        step -= 1
        if step == 0:
            os.kill(os.getpid(), 9)
        return inner(*args, **kwargs)
    return call
os.fsync = at("fsync", os.fsync)
Path.replace = at("replace", Path.replace)
os.replace = at("os.replace", os.replace)
store = layout.Store(Path(sys.argv[1]))
async def main():
    for number in range(2):
        async with store.adding():
            await store.name(f"localhost/a:{number}", image(store, b"x" * 5000 + bytes([number])))
asyncio.run(main())
"""


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 24, 28])
def test_a_kill_at_any_step_leaves_a_store_that_is_whole(tmp_path, step):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(step)], env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    for named in store.all():
        found = store.manifest(named.target)
        assert isinstance(found, manifests.Manifest)
        store.config(found)
    for digest in store.blobs.all():
        store.blobs.read(digest, 1 << 20)

    async def again() -> None:
        await store.name("localhost/a:new", image(store, b"new"))
        await store.collect()
        assert store.find("localhost/a:new") is not None
        assert not list(tmp_path.glob("ingest/*"))

    asyncio.run(again())


def test_garbage_is_what_no_name_leads_to(tmp_path):
    async def main() -> None:
        store = Store(tmp_path)
        one, two = image(store, b"one"), image(store, b"two")
        await store.name("localhost/a:1", one)
        await store.name("localhost/a:2", one)
        await store.name("localhost/b:1", two)
        assert await store.collect() == (0, 0)
        await store.unname("localhost/a:1")
        assert (await store.collect())[0] == 0
        assert await store.unname("localhost/a:2")
        assert not await store.unname("localhost/a:2")
        assert (await store.collect())[0] == 3
        assert [named.name for named in store.all()] == ["localhost/b:1"]
        store.config(store.manifest(two))  # type: ignore[arg-type]

    asyncio.run(main())


def test_nothing_is_collected_while_somebody_adds(tmp_path):
    async def main() -> None:
        store = Store(tmp_path)
        async with store.adding():
            image(store, b"not named yet")
            with pytest.raises(faults.Busy):
                async with locks.held(tmp_path / ".lock", alone=True, wait=0.05):
                    pass
            async with store.adding():
                pass  # others may add as well
        assert (await store.collect())[0] == 3

    asyncio.run(main())


def test_an_index_that_is_no_index_is_told_of(tmp_path):
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(faults.Corrupt):
        Store(tmp_path).all()


# ---- archives -----------------------------------------------------------------------------------


def saved(tmp_path: Path) -> tuple[Path, Descriptor]:
    async def main() -> Descriptor:
        store = Store(tmp_path / "mine")
        await store.name("localhost:5000/team/app:v1", image(store, b"content"))
        with (tmp_path / "saved.tar").open("wb") as file:
            saving.save(store, store.all(), LINUX, file)
        return store.all()[0].target

    return tmp_path / "saved.tar", asyncio.run(main())


def test_what_was_saved_is_loaded_as_a_tar_and_as_a_folder(tmp_path):
    path, target = saved(tmp_path)
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "folder", filter="data")
    for number, source in enumerate((path, tmp_path / "folder")):
        store = Store(tmp_path / f"theirs-{number}")
        found = asyncio.run(loading.load(store, source))
        assert found == [("localhost:5000/team/app:v1", target)]
        assert store.all()[0].target.digest == target.digest


def test_an_archive_of_older_dockers_is_loaded(tmp_path):
    layer = tar({"file": b"content"})
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digests.of(layer)]}}).encode()
    listed = [{"Config": "c.json", "RepoTags": ["app:1", "app:2"], "Layers": ["l/layer.tar"]}]
    files = {"c.json": config, "l/layer.tar": layer, "manifest.json": json.dumps(listed).encode()}
    (tmp_path / "old.tar").write_bytes(tar(files))
    store = Store(tmp_path / "store")
    found = asyncio.run(loading.load(store, tmp_path / "old.tar"))
    assert [name for name, _ in found] == [
        "docker.io/library/app:1", "docker.io/library/app:2",
    ]  # fmt: skip
    manifest = store.manifest(found[0][1])
    assert isinstance(manifest, manifests.Manifest)
    assert store.blobs.read(manifest.layers[0].digest, 1 << 20) == layer


BROKEN = [
    ({}, "neither an OCI image layout"),
    ({"index.json": b"["}, "no JSON"),
    ({"index.json": b'{"manifests":[{}]}'}, "mediaType is missing"),
    ({"index.json": b'{"manifests":1}'}, "no list"),
    ({"manifest.json": b"[{}]"}, "no Config"),
    ({"manifest.json": b'[{"Config":"../../../etc/passwd","Layers":[]}]'}, "the archive has no"),
    ({"manifest.json": b'[{"Config":"c","Layers":["x"]}]', "c": b'{"rootfs":{"diff_ids":[]}}'},
     "there are 1 layers, and 0 diff_ids"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "said"), BROKEN)
def test_a_broken_archive_is_told_of(tmp_path, files, said):
    (tmp_path / "x.tar").write_bytes(tar(files))
    with pytest.raises(faults.Fault) as caught:
        asyncio.run(loading.load(Store(tmp_path / "store"), tmp_path / "x.tar"))
    assert said in str(caught.value)


_COMPRESSED = gzip.compress(tar({"a": b"x" * 9000}), mtime=0)
"""Without the time: each process of a test run has to collect tests of the same names."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no tar at all" * 100, "archive/tar: invalid tar header"),
        (b"", "archive/tar: invalid tar header"),
        (gzip.compress(b"no tar" * 100, mtime=0), "archive/tar: invalid tar header"),
        (_COMPRESSED[:60], "unexpected EOF"),
        (_COMPRESSED[:20] + b"nonsense" * 9, "archive/tar: invalid"),
        (tar({"manifest.json": b"x" * 9000})[:3000], "unexpected EOF"),
    ],
)
def test_a_file_that_is_no_tar_is_told_of(tmp_path, content, said):
    (tmp_path / "x.tar").write_bytes(content)
    store = Store(tmp_path / "store")
    with pytest.raises(faults.Corrupt) as caught:
        asyncio.run(loading.load(store, tmp_path / "x.tar", shown="standard input"))
    assert str(caught.value).startswith(f"standard input is no tar: {said}")


def test_images_are_saved_to_what_is_no_file(tmp_path):
    path, _ = saved(tmp_path)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as back:
        with os.fdopen(writing, "wb") as pipe:
            store = Store(tmp_path / "mine")
            saving.save(store, store.all(), LINUX, pipe)
        data = back.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as piped, tarfile.open(path) as file:
        assert piped.getnames() == file.getnames()


def test_skopeo_reads_what_is_saved_and_what_is_stored(tmp_path):
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        pytest.skip("there is no skopeo on the PATH (scripts/peers)")
    path, target = saved(tmp_path)
    for number, source in enumerate((
        f"docker-archive:{path}", f"oci-archive:{path}",
        f"oci:{tmp_path / 'mine'}:localhost:5000/team/app:v1",
    )):  # fmt: skip
        to = tmp_path / f"dir-{number}"
        command = [skopeo, "--insecure-policy", "copy", source, f"dir:{to}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        names = [path.name for path in to.iterdir()]
        config = Store(tmp_path / "mine").manifest(target)
        assert isinstance(config, manifests.Manifest)
        assert config.config.digest.removeprefix("sha256:") in names
