"""The less common programs of a userland. Each module is imported when one of its programs runs."""

import importlib
from typing import Final

from cluster.runtime.vos.kernel import Call, Program

_HERE: Final = __name__
_ABOVE: Final = __name__.rpartition(".")[0]
_MODULES: Final = {
    f"{_ABOVE}.awk.program": "awk gawk mawk",
    f"{_ABOVE}.sed.program": "sed",
    f"{_ABOVE}.grep": "grep egrep fgrep",
    f"{_HERE}.finding": "find xargs",
    f"{_HERE}.sums": "md5sum sha1sum sha256sum sha512sum cksum base64 od hexdump xxd",
    f"{_HERE}.figures": "du free top nproc arch vmstat",
    f"{_HERE}.lines": "tac rev nl paste comm fold expand shuf cmp diff strings less more",
    f"{_HERE}.names": "mktemp stat chown chgrp truncate unlink realpath install sync dd getent",
    f"{_HERE}.identity": "id whoami groups logname",
    f"{_HERE}.running": "watch nice renice setsid pidof pgrep pkill killall usleep su time logger",
    f"{_HERE}.mounts": "df mount mountpoint umount",
    f"{_HERE}.busybox": "busybox",
    f"{_HERE}.packing": "gzip gunzip zcat",
    f"{_HERE}.expressions": "expr factor",
    f"{_HERE}.settings": "sysctl",
}
"""Programs by module."""


def _late(name: str, module: str) -> Program:
    async def run(call: Call) -> int:
        found = importlib.import_module(module)
        program: Program = found.PROGRAMS[name]
        return await program(call)

    run.__name__ = name.replace("-", "_")
    return run


PROGRAMS: Final[dict[str, Program]] = {
    name: _late(name, module) for module, names in _MODULES.items() for name in names.split()
}
