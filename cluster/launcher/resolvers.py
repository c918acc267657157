"""Which resolv.conf of the machine its nodes have."""

from pathlib import Path
from typing import Final

_FILES: Final = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
"""As kubeadm: systemd's own list of servers before its stub on loopback, which no pod reaches."""


def of_machine() -> str:
    """The path of the file; "" where there is none."""
    return next((path for path in _FILES if Path(path).is_file()), "")
