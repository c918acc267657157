"""`--config` and `--config-dir` of the kubelet: from files to the fields of its Config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import structlog

from cluster.cli import flags
from cluster.cli.flags import BOOLEAN, DURATION, LIST, NUMBER, PAIRS, TEXT, Setting


class _Statements(flags.ParamType):
    """`signal<value,signal<value`, as --eviction-hard has it; or with `=`."""

    def __init__(self, operator: str) -> None:
        self.name = f"signal{operator}value,…"
        self.operator = operator

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        """A dict of the text."""
        if isinstance(value, Mapping):
            return dict(value)
        from cluster.kubelet.eviction import thresholds

        try:
            return thresholds.pairs(value, self.operator)
        except ValueError as error:
            self.fail(str(error), param, ctx)


THRESHOLDS = _Statements("<")
STATEMENTS = _Statements("=")

SETTINGS = (
    Setting("pod_manifest_path", TEXT, "Directory, or file, of static pods."),
    Setting("file_check_frequency", DURATION, "How often it is read again."),
    Setting("manifest_url", TEXT, "URL of static pods."),
    Setting("manifest_url_header", PAIRS, "HTTP headers that are sent to it."),
    Setting("http_check_frequency", DURATION, "How often it is asked again."),
    Setting("eviction_hard", THRESHOLDS, "Thresholds at which pods are evicted at once."),
    Setting("eviction_soft", THRESHOLDS, "Thresholds at which pods are evicted after a grace."),
    Setting("eviction_soft_grace_period", STATEMENTS, "How long each of those has to be met."),
    Setting("eviction_minimum_reclaim", STATEMENTS, "How much more has to be free afterwards."),
    Setting(
        "eviction_pressure_transition_period", DURATION,
        "How long a pressure is told of after it was seen last.",
    ),
    Setting(
        "eviction_max_pod_grace_period", NUMBER,
        "Seconds of grace that a soft threshold leaves a pod at most.",
    ),
    Setting("kube_reserved", PAIRS, "What is reserved for Kubernetes: cpu=200m,memory=150Mi…"),
    Setting("system_reserved", PAIRS, "What is reserved for the system."),
    Setting("enforce_node_allocatable", LIST, "For whom reserves are enforced."),
    Setting("pods_per_core", NUMBER, "Pods for each core of the node at most; 0: any number."),
    Setting("cpu_cfs_quota", BOOLEAN, "Whether limits of CPU are enforced."),
    Setting("cpu_cfs_quota_period", DURATION, "Over which period they are."),
    Setting("image_gc_high_threshold_percent", NUMBER, "Use of the disk at which images go.",
            "image-gc-high-threshold"),
    Setting("image_gc_low_threshold_percent", NUMBER, "Use of the disk down to which they go.",
            "image-gc-low-threshold"),
    Setting("image_minimum_gc_age", DURATION, "How old an unused image has to be.",
            "minimum-image-ttl-duration"),
    Setting(
        "container_log_max_size", TEXT,
        "Size of a container's log at which it is turned over; kubemu's own runtime has flags of "
        "its own for it.",
    ),
    Setting("container_log_max_files", NUMBER, "Log files of a container then."),
    Setting("node_status_max_images", NUMBER, "Images that the Node lists; -1: all."),
    Setting("serialize_image_pulls", BOOLEAN, "Whether images are pulled one after another."),
    Setting("max_parallel_image_pulls", NUMBER, "Pulls at once otherwise; 0: any number."),
    Setting("registry_pull_qps", NUMBER, "Pulls a second; 0: any number.", "registry-qps"),
    Setting("registry_burst", NUMBER, "Pulls at once where there is such a limit."),
    Setting("provider_id", TEXT, "spec.providerID of the Node."),
)  # fmt: skip

OPTIONS = flags.together(
    (
        flags.option(
            "config",
            "KubeletConfiguration (kubelet.config.k8s.io/v1beta1); flags win over it.",
            click.Path(exists=True, dir_okay=False, path_type=Path),
            default=None,
        ),
        flags.option(
            "config-dir",
            "Directory of drop-ins for it: files named *.conf, taken in the order of their names.",
            click.Path(exists=True, file_okay=False, path_type=Path),
            default=None,
        ),
    )
)


def fields(values: dict[str, Any], context: click.Context) -> dict[str, Any]:
    """The fields of a Config that files set; flags of the command that they set and that were not
    given are put into `values`. click.UsageError.
    """
    main, folder = values.pop("config"), values.pop("config_dir")
    paths = ([main] if main else []) + (sorted(folder.glob("*.conf")) if folder else [])
    if not paths:
        return {}
    # Imported here: most kubelets have flags alone.
    from cluster.kubelet.configuration import reading

    try:
        found = reading.read([(str(path), _text(path)) for path in paths])
    except reading.Unusable as error:
        raise click.UsageError(f"failed to load kubelet config: {error}") from error
    for line in found.warnings:
        structlog.get_logger().warning(line)
    for name, value in found.command.items():
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            continue
        if isinstance(value, bool):
            values[name] = value
        else:
            values[name] = Path(value) if name == "resolv_conf" and value else value or None
    return found.fields


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error
