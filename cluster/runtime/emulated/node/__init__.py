"""`library/node`: runs JavaScript, in an embedded engine (QuickJS)."""

from collections.abc import Mapping
from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.node.npm import npm
from cluster.runtime.emulated.node.program import node, version


def _env(tag: str) -> Mapping[str, str]:
    return {"NODE_VERSION": version(tag)}


IMAGES: Final = (
    Image(
        names=("library/node", "node"),
        # The image's docker-entrypoint.sh does no more than put `node` before what is no program.
        cmd=("node",),
        env_of_tag=_env,
        programs={
            "node": node, "nodejs": node, "npm": npm,
            "/usr/local/bin/node": node, "/usr/local/bin/npm": npm,
        },
    ),
)  # fmt: skip
