"""What goes wrong for reasons that a user can mend."""

from cluster.api.faults import Fault

__all__ = ["Fault"]
