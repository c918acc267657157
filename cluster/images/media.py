"""Media types of OCI (image specification 1.1) and of Docker's schema 2, which mean the same."""

from typing import Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_SCHEMA_1: Final = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
ACCEPTED: Final = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
"""What a client takes as a manifest, the best first."""

_NOT_DISTRIBUTED: Final = ("nondistributable", "foreign")


def is_distributed(media_type: str) -> bool:
    """Whether a registry is to have a layer of this type (others are fetched from their URLs)."""
    return not any(word in media_type for word in _NOT_DISTRIBUTED)


def compression(media_type: str) -> str:
    """How a layer is compressed: "gzip", "zstd", or "" for a plain tar. ValueError otherwise."""
    for ending, found in (("gzip", "gzip"), ("zstd", "zstd"), ("tar", "")):
        if media_type.endswith(ending):
            return found
    raise ValueError(f"{media_type} is no type of a layer")


def as_oci(media_type: str) -> str:
    """The OCI name of what Docker names in its own way."""
    return _OCI.get(media_type, media_type)


_OCI: Final = {
    DOCKER_MANIFEST: OCI_MANIFEST, DOCKER_LIST: OCI_INDEX, DOCKER_CONFIG: OCI_CONFIG,
    DOCKER_LAYER: OCI_LAYER, DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
}  # fmt: skip
