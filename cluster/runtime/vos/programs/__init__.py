"""What is in a container's PATH: small programs in the manner of busybox, by name."""

from collections.abc import Mapping
from typing import Final

from cluster.runtime.vos.kernel import Program
from cluster.runtime.vos.programs import archive, network, printing, system, text, tools, tree
from cluster.runtime.vos.shell import program as shell

SHELLS: Final = ("sh", "ash", "bash", "dash")
PROGRAMS: Final[Mapping[str, Program]] = {
    **printing.PROGRAMS,
    **text.PROGRAMS,
    **tree.PROGRAMS,
    **system.PROGRAMS,
    **network.PROGRAMS,
    **tools.PROGRAMS,
    "tar": archive.tar,
    **dict.fromkeys(SHELLS, shell.sh),
}
"""Every program. Users' images add their own to a copy."""
