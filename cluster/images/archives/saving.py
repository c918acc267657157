"""Writes images into a tar that is an OCI image layout and a Docker archive at once."""

import io
import tarfile
from collections.abc import Sequence
from typing import IO

from cluster.images import faults, manifests, media, platforms
from cluster.images.descriptors import Descriptor
from cluster.images.store.layout import TAG, Named, Store, reachable

_NAME = "io.containerd.image.name"


def save(
    store: Store, images: Sequence[Named], platform: platforms.Platform, to: IO[bytes]
) -> None:
    """Write images under their names, to what need not be a file. faults.Fault, OSError. Blocks.

    Docker's part has the image for the platform; the layout has what the store has.
    """
    index, docker, digests = [], [], {}
    for named in images:
        one = _chosen(store, named.target, platform)
        manifest = store.manifest(one)
        assert isinstance(manifest, manifests.Manifest)
        unnamed = named.name.startswith("sha256:")
        annotations = {_NAME: named.name, TAG: named.name.rpartition(":")[2]}
        told = {} if unnamed else {"annotations": annotations}
        index.append({**named.target.document(), **told})
        docker.append({
            "Config": _place(manifest.config.digest),
            "RepoTags": None if unnamed or "@" in named.name else [named.name],
            "Layers": [_place(layer.digest) for layer in manifest.layers],
        })  # fmt: skip
        digests.update(dict.fromkeys(reachable(store.blobs, named.target)))
    with tarfile.open(fileobj=to, mode="w|") as archive:
        layout = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": index}
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", manifests.encode(layout))
        _add(archive, "manifest.json", manifests.encode(docker))  # type: ignore[arg-type]
        for digest in digests:
            if store.blobs.has(digest):
                member = tarfile.TarInfo(_place(digest))
                member.size = store.blobs.size(digest)
                with store.blobs.open(digest) as file:
                    archive.addfile(member, file)


def _chosen(store: Store, target: Descriptor, platform: platforms.Platform) -> Descriptor:
    found = store.manifest(target)
    if isinstance(found, manifests.Manifest):
        return target
    here = [one for one in found.manifests if store.blobs.has(one.digest)]
    one = platforms.choose(here, platform) or (here[0] if here else None)
    if one is None:
        raise faults.NotFound(f"{target.digest} is an index without images in the store")
    return one


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
