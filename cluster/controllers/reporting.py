"""When a status is worth writing, and which failures are no news."""

from cluster.api import errors, objects


def same(old: objects.Object, new: objects.Object) -> bool:
    """Whether two statuses say the same: zero, empty and absent are one."""
    return _told(old) == _told(new)


def namespace_terminating(failure: errors.StatusError) -> bool:
    """Whether a creation failed because its namespace is going: trying again is no use."""
    causes = failure.details.get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _told(found: objects.Object) -> objects.Object:
    return {name: value for name, value in found.items() if value not in (None, 0, "", [], {})}
