"""What a file of validation exports, as types."""

from collections.abc import Callable, Mapping

from cluster.api import errors
from cluster.api.objects import Object

Check = Callable[[Object, Object], list[errors.Cause]]
Creates = Mapping[str, Callable[[Object], list[errors.Cause]]]
Updates = Mapping[str, Check]
Others = Mapping[tuple[str, str], Check]
