"""The group `admissionregistration.k8s.io`: everything counts generations, little has a status."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "admissionregistration.k8s.io"
_COUNTED: Final = Strategy(generations=True, unconditional=False)

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"mutatingwebhookconfigurations.{_GROUP}": _COUNTED,
    f"validatingwebhookconfigurations.{_GROUP}": _COUNTED,
    f"validatingadmissionpolicies.{_GROUP}": _COUNTED,
    f"validatingadmissionpolicybindings.{_GROUP}": _COUNTED,
    f"mutatingadmissionpolicies.{_GROUP}": _COUNTED,
    f"mutatingadmissionpolicybindings.{_GROUP}": _COUNTED,
}
