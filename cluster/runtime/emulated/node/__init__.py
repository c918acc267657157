"""`library/node`: runs JavaScript, in an embedded engine (QuickJS)."""

from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.node.npm import npm
from cluster.runtime.emulated.node.program import node

IMAGES: Final = (
    Image(
        names=("library/node", "node"),
        # The image's docker-entrypoint.sh does no more than put `node` before what is no program.
        cmd=("node",),
        env={"NODE_VERSION": "20.19.5"},
        programs={
            "node": node, "nodejs": node, "npm": npm,
            "/usr/local/bin/node": node, "/usr/local/bin/npm": npm,
        },
    ),
)  # fmt: skip
