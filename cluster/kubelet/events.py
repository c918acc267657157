"""The events that a kubelet speaks of, in Kubernetes' words (pkg/kubelet/events)."""

from typing import Final, Protocol

from cluster.api import durations, objects
from cluster.kubelet import resizemessages
from cluster.kubelet.lifecycle import deadlines, podspec
from cluster.kubelet.version import Version

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
_LONGEST: Final = 1024
"""Characters of a message; the API takes no more."""


class Recorder(Protocol):
    """What takes events: `client.recorder.Recorder`."""

    def event(
        self,
        obj: objects.Object,
        type: str,
        reason: str,
        message: str,
        action: str = "",
        *,
        field_path: str = "",
    ) -> None:
        """Say something about `obj`. Never blocks."""
        ...


class Speaker:
    """Says what happens to pods. With `normal` false only warnings are said."""

    def __init__(self, recorder: Recorder, version: Version, *, normal: bool) -> None:
        self._recorder = recorder
        self._version = version
        self.normal = normal

    def pulling(self, pod: objects.Object, name: str, image: str, *, init: bool) -> None:
        """A pull begins."""
        self._say(pod, "Pulling", f'Pulling image "{image}"', name, init=init)

    def pulled(
        self,
        pod: objects.Object,
        name: str,
        image: str,
        seconds: tuple[float, float],
        size: int,
        *,
        init: bool,
    ) -> None:
        """A pull is done; it took so many `seconds`, alone and with the wait for its turn, and
        brought `size` bytes.
        """
        if not self.normal:
            return
        took, whole = durations.format(seconds[0]), durations.format(seconds[1])
        self._say(
            pod,
            "Pulled",
            f'Successfully pulled image "{image}" in {took} ({whole} including waiting). '
            f"Image size: {size} bytes.",
            name,
            init=init,
        )

    def present(self, pod: objects.Object, name: str, image: str, *, init: bool) -> None:
        """The image was there already."""
        self._say(pod, "Pulled", self._version.present(image), name, init=init)

    def pull_failed(
        self, pod: objects.Object, name: str, image: str, why: str, *, init: bool
    ) -> None:
        """A pull did not work."""
        message = f'Failed to pull image "{image}": {why}'
        self._say(pod, "Failed", message, name, init=init, warning=True)
        self._say(pod, "Failed", "Error: ErrImagePull", name, init=init, warning=True)

    def pull_backoff(self, pod: objects.Object, name: str, image: str, *, init: bool) -> None:
        """A pull that failed is waited with."""
        self._say(pod, "BackOff", f'Back-off pulling image "{image}"', name, init=init)
        self._say(pod, "Failed", "Error: ImagePullBackOff", name, init=init, warning=True)

    def never_pulled(self, pod: objects.Object, name: str, message: str, *, init: bool) -> None:
        """An image is not there, and may not be pulled."""
        self._say(pod, "ErrImageNeverPull", message, name, init=init, warning=True)

    def inspect_failed(self, pod: objects.Object, name: str, message: str, *, init: bool) -> None:
        """An image could not be looked at."""
        self._say(pod, "InspectFailed", message, name, init=init, warning=True)

    def created(self, pod: objects.Object, name: str, *, init: bool) -> None:
        """A container was made."""
        self._say(pod, "Created", self._version.created(name), name, init=init)

    def started(self, pod: objects.Object, name: str, *, init: bool) -> None:
        """A container runs."""
        self._say(pod, "Started", self._version.started(name), name, init=init)

    def failed(self, pod: objects.Object, name: str, message: str, *, init: bool) -> None:
        """A container could not be made or started."""
        self._say(pod, "Failed", f"Error: {message}", name, init=init, warning=True)

    def crash_backoff(self, pod: objects.Object, name: str, title: str, *, init: bool) -> None:
        """A container that keeps ending is waited with."""
        message = f"Back-off restarting failed container {name} in pod {title}"
        self._say(pod, "BackOff", message, name, init=init, warning=True)

    def killing(self, pod: objects.Object, name: str, message: str, *, init: bool) -> None:
        """A container is asked to end."""
        self._say(pod, "Killing", message or f"Stopping container {name}", name, init=init)

    def probed(
        self, pod: objects.Object, name: str, kind: str, result: str, output: str, *, init: bool
    ) -> None:
        """A probe did not simply succeed; `result` is warning, failure or unknown."""
        what = kind.capitalize()
        reason, said = {
            "warning": ("ProbeWarning", f"{what} probe warning: {output}"),
            "failure": ("Unhealthy", f"{what} probe failed: {output}"),
        }.get(result, ("Unhealthy", self._version.probe_errored(what, output)))
        self._say(pod, reason, said[:_LONGEST], name, init=init, warning=True)

    def hook_failed(self, pod: objects.Object, name: str, reason: str, *, init: bool) -> None:
        """A lifecycle hook failed; what it said is not told, for it may hold secrets."""
        what = reason.removeprefix("Failed")
        self._say(pod, reason, f"{what} failed", name, init=init, warning=True)

    def deadline_exceeded(self, pod: objects.Object) -> None:
        """The pod's time on the node is over."""
        if self.normal:
            self._recorder.event(pod, NORMAL, deadlines.EXCEEDED.reason, deadlines.EVENT)

    def mount_failed(self, pod: objects.Object, why: str) -> None:
        """A volume could not be set up."""
        self._recorder.event(pod, WARNING, "FailedMount", why[:_LONGEST])

    def unmounted(
        self, pod: objects.Object, waiting: list[str], unprocessed: list[str], why: str
    ) -> None:
        """A pod waits for volumes: all of them, those of which too little is known, and why."""
        message = self._version.unmounted(waiting, unprocessed, why)
        self._recorder.event(pod, WARNING, "FailedMount", message[:_LONGEST])

    def misnamed_variables(self, pod: objects.Object, message: str) -> None:
        """Keys of an object are no names of variables."""
        self._recorder.event(pod, WARNING, "InvalidEnvironmentVariableNames", message[:_LONGEST])

    def pull_secrets_missing(self, pod: objects.Object, message: str) -> None:
        """Secrets that a pod names for its pulls are not there."""
        self._recorder.event(pod, WARNING, "FailedToRetrieveImagePullSecret", message[:_LONGEST])

    def resolver_formed(self, pod: objects.Object, reason: str, message: str) -> None:
        """The pod's resolver is not quite what was asked for."""
        self._recorder.event(pod, WARNING, reason, message[:_LONGEST])

    def sandbox_failed(self, pod: objects.Object, why: str) -> None:
        """The sandbox could not be made."""
        message = f"Failed to create pod sandbox: {why}"
        self._recorder.event(pod, WARNING, "FailedCreatePodSandBox", message)

    def sandbox_changed(self, pod: objects.Object) -> None:
        """The sandbox went, and another one is made."""
        message = "Pod sandbox changed, it will be killed and re-created."
        if self.normal:
            self._recorder.event(pod, NORMAL, "SandboxChanged", message)

    def evicted(self, pod: objects.Object, reason: str, message: str) -> None:
        """The node ends the pod for its own sake."""
        self._recorder.event(pod, WARNING, reason, message[:_LONGEST])

    def resized(self, pod: objects.Object, what: str, error: str = "") -> None:
        """A resize is `started`, `completed`, `Deferred` or `Infeasible`: 1.34 tells of its end
        alone, and later ones of all.
        """
        told = self._version
        if what != "completed" and not told.tells_of_resizes:
            return
        if not told.tracks_generation or (error == "" and not self.normal):
            return
        text = resizemessages.message(what, pod, error, generation=told.tells_of_resizes)
        kind = WARNING if error else NORMAL
        self._recorder.event(pod, kind, f"Resize{what[0].upper()}{what[1:]}", text[:_LONGEST])

    def rejected(self, pod: objects.Object, reason: str, message: str) -> None:
        """The node would not take the pod."""
        self._recorder.event(pod, WARNING, reason, message)

    def _say(
        self,
        pod: objects.Object,
        reason: str,
        message: str,
        name: str,
        *,
        init: bool,
        warning: bool = False,
    ) -> None:
        if not (warning or self.normal):
            return
        part = "initContainers" if init else "containers"
        if any(one["name"] == name for one in podspec.ephemeral_containers(pod)):
            part = "ephemeralContainers"
        self._recorder.event(
            pod,
            WARNING if warning else NORMAL,
            reason,
            message,
            field_path=f"spec.{part}{{{name}}}",
        )
