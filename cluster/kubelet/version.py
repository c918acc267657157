"""The Kubernetes version that is emulated, and what a kubelet of it says differently."""

import re
from dataclasses import dataclass
from typing import Final

from cluster.api import schema

DEFAULT: Final = f"v{schema.NEWEST}.0"
_SHAPE: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """A version such as v1.34.0."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"

    @property
    def shows_sandbox_condition(self) -> bool:
        """PodReadyToStartContainers is on by default (1.29)."""
        return (self.major, self.minor) >= (1, 29)

    @property
    def shows_handlers(self) -> bool:
        """RecursiveReadOnlyMounts is on by default (1.31): nodes list the runtime's handlers, and
        containers what they mount.
        """
        return (self.major, self.minor) >= (1, 31)

    @property
    def shows_users(self) -> bool:
        """SupplementalGroupsPolicy is on by default (1.33): statuses tell who containers run as."""
        return (self.major, self.minor) >= (1, 33)

    @property
    def resizes(self) -> bool:
        """InPlacePodVerticalScaling is on by default (1.33)."""
        return (self.major, self.minor) >= (1, 33)

    @property
    def tracks_generation(self) -> bool:
        """PodObservedGenerationTracking is on by default (1.34)."""
        return (self.major, self.minor) >= (1, 34)

    @property
    def restarts_all(self) -> bool:
        """RestartAllContainersOnContainerExits is on by default (1.36)."""
        return (self.major, self.minor) >= (1, 36)

    @property
    def tells_of_resizes(self) -> bool:
        """There are events for the beginning of a resize, and for one that waits (1.35)."""
        return (self.major, self.minor) >= (1, 35)

    @property
    def guards_images(self) -> bool:
        """KubeletEnsureSecretPulledImages is on by default (1.35)."""
        return (self.major, self.minor) >= (1, 35)

    def created(self, container: str) -> str:
        """The message of the event Created."""
        if (self.major, self.minor) >= (1, 35):
            return "Container created"
        colon = ":" if (self.major, self.minor) >= (1, 32) else ""
        return f"Created container{colon} {container}"

    def started(self, container: str) -> str:
        """The message of the event Started."""
        if (self.major, self.minor) >= (1, 35):
            return "Container started"
        return f"Started container {container}"

    @property
    def probe_agent(self) -> str:
        """How probes call themselves in requests."""
        return f"kube-probe/{self.major}.{self.minor}"

    def probe_errored(self, what: str, why: str) -> str:
        """The message of the event Unhealthy where a probe could not be carried out."""
        if (self.major, self.minor) >= (1, 33):
            return f"{what} probe errored and resulted in unknown state: {why}"
        return f"{what} probe errored: {why}"

    def unmounted(self, waiting: list[str], unprocessed: list[str], why: str) -> str:
        """The message of the event FailedMount about a pod that waits for volumes."""
        late = "timed out waiting for the condition"
        head = f"Unable to attach or mount volumes: unmounted volumes=[{' '.join(waiting)}], "
        if (self.major, self.minor) < (1, 28):
            return f"{head}unattached volumes=[{' '.join(waiting)}]: {why or late}"
        if (self.major, self.minor) >= (1, 30):
            late = "context deadline exceeded"
        failed = f"failed to process volumes=[{' '.join(unprocessed)}]"
        return f"{head}unattached volumes=[], {failed}: {why or late}"

    @property
    def strict_variable_names(self) -> bool:
        """Names of variables are C identifiers, with dots and dashes (before 1.34)."""
        return (self.major, self.minor) < (1, 34)

    def present(self, image: str) -> str:
        """The message of the event Pulled where the image was there already."""
        tail = " and can be accessed by the pod" if (self.major, self.minor) >= (1, 35) else ""
        return f'Container image "{image}" already present on machine{tail}'


def parse(text: str) -> Version:
    """Of `1.34` or `v1.34.2`. ValueError, with a sentence."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no Kubernetes version: write it like v1.34.0 or 1.34")
    return Version(int(found[1]), int(found[2]), int(found[3] or 0))
