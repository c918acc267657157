"""The group `apiregistration.k8s.io`."""

from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.strategies.strategy import Strategy

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    # Its name, VERSION.GROUP, ends with a dot in the core group; validation says what it has to be.
    "apiservices.apiregistration.k8s.io": Strategy(
        name_rule=metadata.path_segment, generations=False
    ),
}
