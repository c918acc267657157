"""What a new container runs: its image, its command line, and what annotations say. Pure.

An image is known (it is emulated, or built upon one that is: then it has the programs that it has,
and a command that is none of them fails), or it is believed: nobody knows its programs, so it is a
well-behaved server unless its command names what every virtual OS has.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cluster.aio import rpc
from cluster.api import imagescripts
from cluster.api.imagescripts import Scripts
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import commandline, images, registryimages, retelling, script
from cluster.runtime.emulated import catalog, serving
from cluster.runtime.emulated.image import Image
from cluster.runtime.records import Container, Sandbox
from cluster.runtime.registryimages import RegistryImage
from cluster.runtime.script import Script
from cluster.runtime.vos.kernel import lookup


@dataclass(frozen=True, slots=True)
class Decision:
    """What a container runs. `emulated` is None where nothing is known of its image's programs."""

    image: images.Reference
    script: Script
    emulated: Image | None


def decide(
    sandbox: Sandbox,
    config: pb.ContainerConfig,
    pulled: RegistryImage | None,
    scripts: Scripts = imagescripts.NONE,
) -> Decision:
    """What a container runs; `pulled` is its image where a registry had it, `scripts` is what
    images do on this node. rpc.Failure.
    """
    reference = _reference(config)
    emulated = catalog.find(reference.path) if pulled is None else _base(pulled)
    if emulated is not None and pulled is None:
        emulated = emulated.tagged(reference.tag)
    argv = tuple(_argv(config, emulated if pulled is None else None))
    if pulled is not None and emulated is not None and not _runs(argv, emulated):
        emulated = None  # It adds a program of its own.
    init = script.INIT in config.annotations
    declared = script.ports(config.annotations.get(script.PORTS, ""))
    if emulated is not None:
        if not argv:
            text = f'failed to generate container "{config.metadata.name}" spec'
            raise rpc.Failure("UNKNOWN", f"{text}: failed to generate spec: no command specified")
        exposed = emulated.ports if pulled is None else registryimages.exposed(pulled)
        base = _suited(_known(argv, emulated, declared or exposed), argv, emulated, config)
    else:
        exposed = images.exposed(reference) if pulled is None else registryimages.exposed(pulled)
        job = script.JOB in config.annotations and not declared
        base = script.believed(argv, init=init, job=job, ports=declared or exposed)
    try:
        told = script.of(
            config.metadata.name, retelling.annotations(sandbox.config, config), base,
            init=init, scripted=_scripted(config, scripts),
        )  # fmt: skip
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error
    return Decision(reference, told, emulated)


def handed_over(container: Container) -> Script | None:
    """What a container does whose program is not there, but in a volume that it shares with one of
    an unknown image: that one is believed to have brought it (an installer, an injected agent).
    None where nobody can have.
    """
    path, config = container.script.program[0], container.config
    hosts = {
        mount.host_path
        for mount in config.mounts
        if path.startswith(mount.container_path.rstrip("/") + "/")
    }
    others = [one for one in container.sandbox.containers.values() if one.believed]
    if not any(mount.host_path in hosts for one in others for mount in one.config.mounts):
        return None
    declared = script.ports(config.annotations.get(script.PORTS, ""))
    job = script.JOB in config.annotations and not declared
    return script.unknown(init=script.INIT in config.annotations, job=job, ports=declared)


def _scripted(config: pb.ContainerConfig, scripts: Scripts) -> Mapping[str, str]:
    """What the container's image does, as the cluster says it by the kubelet, or else the node."""
    of_cluster = {
        key[len(imagescripts.PREFIX) :]: value
        for key, value in config.annotations.items()
        if key.startswith(imagescripts.PREFIX)
    }
    if of_cluster or not scripts.rules:
        return of_cluster
    return scripts.told(config.image.user_specified_image or config.image.image)


def _reference(config: pb.ContainerConfig) -> images.Reference:
    try:
        return images.parse(config.image.user_specified_image or config.image.image)
    except ValueError as error:
        raise rpc.Failure("INVALID_ARGUMENT", str(error)) from error


def _base(pulled: RegistryImage) -> Image | None:
    """The emulated image that an image was built upon."""
    found = registryimages.base(pulled)
    return catalog.find(found.path) if found is not None else None


def _argv(config: pb.ContainerConfig, image: Image | None) -> Sequence[str]:
    """The command line, completed by the image as containerd does it."""
    if config.command or image is None:
        return [*config.command, *config.args]
    return [*image.entrypoint, *(config.args or image.cmd)]


@lru_cache(1024)
def _runs(argv: tuple[str, ...], image: Image) -> bool:
    """Whether an image has every program that a command line names."""
    if not argv:
        return True
    found = catalog.programs(image)
    return commandline.understood(argv, lambda name: lookup(found, name) is not None)


@lru_cache(1024)
def _known(argv: tuple[str, ...], image: Image, ports: tuple[int, ...]) -> Script:
    """What a command line does in a known image. A server sleeps until somebody comes."""
    course = commandline.course(argv) if image.userland and not _own(argv, image) else None
    if course is not None:
        return Script(run_for=course.seconds, exit_code=course.code, stop_after=math.inf)
    program = catalog.program(image, argv[0])
    code = serving.stop_code(program, argv)
    if code is not None:
        return Script(program=argv, sleeps=True, stop_code=code, ports=ports)
    return Script(program=argv, stop_after=math.inf, ports=ports)


def _suited(
    base: Script, argv: tuple[str, ...], image: Image, config: pb.ContainerConfig
) -> Script:
    """The same, as the container's environment has it: a server that cannot start does not sleep,
    but runs and says why; and with what its command line says that it uses.
    """
    if base.sleeps:
        env = {**image.env, **{one.key: one.value for one in config.envs}}
        if not serving.starts(catalog.program(image, argv[0]), argv, env):
            base = Script(program=argv, stop_after=math.inf, ports=base.ports)
    if image.uses is None:
        return base
    load = image.uses(argv)
    return dataclasses.replace(base, cpu=load.cpu, memory=load.memory)


def _own(argv: Sequence[str], image: Image) -> bool:
    """Whether the image has a program of its own in place of one that only waits."""
    base = argv[0].rpartition("/")[2]
    return base in image.programs or argv[0] in image.programs or "sleep" in image.programs
