"""Failures of the way to a kubelet, as kube-apiserver answers them."""

from typing import Any

from cluster.api import errors


class Unknown(errors.StatusError):
    """500 without a reason: what Go's plain errors become (ErrorToAPIStatus)."""

    reason, code = "", 500

    def status(self) -> dict[str, Any]:
        """The Status, which has no reason at all."""
        found = super().status()
        del found["reason"]
        return found
