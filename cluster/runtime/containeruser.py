"""Who an emulated container's processes are: what its pod says, or else its image. runc's words."""

from collections.abc import Mapping

from cluster.runtime import registryimages
from cluster.runtime.emulated import accounts
from cluster.runtime.oci import users
from cluster.runtime.records import Container
from cluster.runtime.vos.credentials import Credentials

Unknown = users.Unknown


def names(container: Container) -> Mapping[str, str]:
    """/etc/passwd and /etc/group of the image, by path."""
    found = container.emulated
    path = container.image.path
    if container.pulled is not None:
        path = found.names[0] if found is not None else ""
    tag = registryimages.release(container.image, container.pulled)
    return accounts.of(path, tag, known=found is not None)


def image_user(container: Container) -> str:
    """Whom the image says to run as."""
    if container.pulled is not None:
        return registryimages.user(container.pulled)
    return container.emulated.user if container.emulated is not None else ""


def named(container: Container) -> bool:
    """Whether a user or group is asked for by name, so that there may be none of it."""
    security = container.config.linux.security_context
    if security.HasField("run_as_user"):
        return False
    asked = str(security.run_as_username) or image_user(container)
    return bool(asked) and not asked.replace(":", "").isdecimal()


def of(container: Container, passwd: str, group: str) -> Credentials:
    """Who its processes are, with what its image has in these files. Unknown."""
    security = container.config.linux.security_context
    found = users.identity(security, image_user(container), passwd, group)
    return Credentials(found.uid, found.gid, tuple(sorted(found.groups)))


def check(container: Container) -> None:
    """Unknown, where the image has no such user. Where it costs little to know who its processes
    will be, it is noted.
    """
    if not named(container):
        if container.pulled is None and _told(container):
            files = names(container)
            note(container, of(container, files[accounts.PASSWD], files[accounts.GROUP]))
        return
    texts = dict(names(container))
    if container.pulled is not None:
        for path, _, content in container.pulled.files():
            place = "/" + path.lstrip("/")
            if place in texts and isinstance(content, bytes):
                texts[place] = content.decode("utf-8", "replace")
    note(container, of(container, texts[accounts.PASSWD], texts[accounts.GROUP]))


def note(container: Container, who: Credentials) -> None:
    """Have its status tell who it is, where its kubelet has said all of that: one in the same
    process says nothing of rights.
    """
    if _told(container):
        container.user = (who.uid, who.gid, tuple(who.groups))


def _told(container: Container) -> bool:
    return bool(container.config.linux.HasField("security_context"))
