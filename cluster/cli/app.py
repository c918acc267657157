"""The tree of commands. A command's module is imported when it is called, not before, so that
`kubemu --help` is quick.
"""

import importlib
from dataclasses import dataclass
from typing import Final

import click

import cluster


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is (`module:attribute` under `cluster.cli`), and its line in the help."""

    where: str
    help: str

    def load(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self.where.partition(":")
        command = getattr(importlib.import_module(f"cluster.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


SECTIONS: Final[dict[str, dict[str, Lazy]]] = {
    "Clusters": {
        "up": Lazy("commands.up:up", "Start a cluster."),
        "down": Lazy("commands.down:down", "Stop a cluster and remove what it leaves."),
        "status": Lazy("commands.status:status", "Show clusters, nodes and processes."),
        "kubeconfig": Lazy("commands.kubeconfig:kubeconfig", "Print or merge the kubeconfig."),
        "apply": Lazy("commands.apply:apply", "Apply manifests, where there is no kubectl."),
        "get": Lazy("commands.get:get", "Show objects, now or as they were."),
        "snapshot": Lazy(
            "commands.snapshot:snapshot", "Save a cluster's objects, or restore them."
        ),
        "store": Lazy("commands.store:store", "Verify, compact and defragment the store."),
        "certs": Lazy("commands.certs:certs", "See when certificates end; issue them anew."),
        "explain": Lazy("commands.explain:explain", "Say why a pod is where it is, or nowhere."),
        "init": Lazy(
            "commands.init:init", "Make certificates for processes on other hosts (compose)."
        ),
        "compare": Lazy(
            "commands.compare:compare", "Show what a workload costs under each RuntimeClass."
        ),
    },
    "Processes of a cluster": {
        "ps": Lazy("commands.ps:ps", "List processes: pid, CPU, memory, restarts."),
        "logs": Lazy("commands.logs:logs", "Show the log of a process."),
        "stop": Lazy("commands.control:stop", "Stop a process; it stays stopped."),
        "start": Lazy("commands.control:start", "Start a stopped process."),
        "restart": Lazy("commands.control:restart", "Stop a process and start it."),
        "kill": Lazy("commands.control:kill", "Send a signal; what dies of it comes back."),
        "pause": Lazy("commands.control:pause", "Let a process hang (SIGSTOP)."),
        "resume": Lazy("commands.control:resume", "Let a paused process go on (SIGCONT)."),
    },
    "The pod network": {
        "net": Lazy("commands.net.group:net", "Capture, trace, ping, and break its links."),
    },
    "Chaos": {
        "chaos": Lazy("commands.chaos.group:chaos", "Break the cluster by plan, and tell of it."),
    },
    "Components, each a process by itself": {
        "apiserver": Lazy("components.apiserver:apiserver", "The API server."),
        "scheduler": Lazy("components.scheduler:scheduler", "The scheduler."),
        "controller-manager": Lazy(
            "components.controller_manager:controller_manager", "All controllers."
        ),
        "kubelet": Lazy("components.kubelet:kubelet", "The agent of a node, or of hollow nodes."),
        "runtime": Lazy("components.runtime:runtime", "The machine and container runtime."),
        "kube-proxy": Lazy("components.kube_proxy:kube_proxy", "Services on a node."),
        "registry": Lazy("components.registry:registry", "A registry of images."),
        "balancer": Lazy("components.balancer:balancer", "A TCP balancer before API servers."),
        "etcd": Lazy("components.etcd:etcd", "A member of etcd, which has to be installed."),
    },
    "Images": {
        "image": Lazy("commands.image.group:image", "Build, pull, push, load, save, list images."),
    },
    "Other": {
        "healthcheck": Lazy("commands.healthcheck:healthcheck", "Ask whether a component is well."),
        "version": Lazy("commands.version:version", "Print versions."),
    },
}

COMMANDS: Final = {name: lazy for lazies in SECTIONS.values() for name, lazy in lazies.items()}


class LazyGroup(click.Group):
    """A group whose commands are in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        lazy = COMMANDS.get(cmd_name)
        return lazy.load() if lazy else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what was probably meant where there is no such command."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib  # here: each process of a cluster comes this way

            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else " See kubemu --help."
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, without importing them."""
        for title, lazies in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.help) for name, lazy in lazies.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="kubemu up is where to begin.",
)
@click.version_option(cluster.__version__, "--version", message="kubemu %(version)s")
def kubemu() -> None:
    """A Kubernetes cluster emulator: every component a process, in seconds, without Docker."""
