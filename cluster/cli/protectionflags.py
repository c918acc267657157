"""The API server's flags of audit and of priority and fairness, as kube-apiserver has them."""

from typing import Any

import click

from cluster.apiserver.audit import logfile, policy
from cluster.apiserver.audit.settings import Settings
from cluster.apiserver.fairness import settings as fairness
from cluster.apiserver.limits import Limits
from cluster.cli import connection, flags
from cluster.cli.flags import BOOLEAN, NUMBER

_OPTIONS = (
    flags.option(
        "enable-priority-and-fairness",
        "Share the server by FlowSchemas; without it so many requests run and no more.",
        BOOLEAN, default="true",
    ),
    flags.option(
        "max-requests-inflight", "Reading requests carried out at a time.", NUMBER, default=400
    ),
    flags.option(
        "max-mutating-requests-inflight",
        "Writing ones; with priority and fairness both count together.", NUMBER, default=200,
    ),
    flags.option(
        "request-timeout", "How long the body of a request may take to come.", flags.DURATION,
        default="1m",
    ),
    flags.option(
        "read-header-timeout", "How long its head may take, and the handshake of TLS before.",
        flags.DURATION, default="32s",
    ),
    flags.option(
        "max-connections", "Connections of REST that are open at a time; 0: no bound.", NUMBER,
        default=10_000,
    ),
    flags.option(
        "max-watches", "Watches that are open at a time; 0: no bound.", NUMBER, default=100_000
    ),
    flags.option(
        "max-watches-per-user", "The same, of one user.", NUMBER, default=50_000
    ),
    flags.option(
        "http2-max-streams-per-connection",
        "Calls of one connection of gRPC at a time; 0: no bound.", NUMBER, default=1000,
    ),
    flags.option("audit-policy-file", "What the audit log tells (Policy, YAML).", connection.FILE),
    flags.option("audit-log-path", "File of the audit log; - for standard output."),
    flags.option(
        "audit-log-maxsize", "Megabytes after which a new file is begun.", NUMBER, default=100
    ),
    flags.option("audit-log-maxage", "Days that old files stay; 0: for ever.", NUMBER, default=0),
    flags.option("audit-log-maxbackup", "Old files that stay; 0: all.", NUMBER, default=0),
)  # fmt: skip


options = flags.together(_OPTIONS)
"""A decorator: the flags."""


def from_flags(values: dict[str, Any]) -> dict[str, Any]:
    """The Config's fields, out of `values`. click.UsageError."""
    return {
        "fairness": flags.checked(
            fairness.Settings,
            enabled=values.pop("enable_priority_and_fairness"),
            reading=values.pop("max_requests_inflight"),
            mutating=values.pop("max_mutating_requests_inflight"),
        ),
        "audit": _audit(values),
        "limits": flags.checked(
            Limits,
            head_seconds=values.pop("read_header_timeout"),
            body_seconds=values.pop("request_timeout"),
            connections=values.pop("max_connections"),
            watches=values.pop("max_watches"),
            watches_of_one=values.pop("max_watches_per_user"),
            streams=values.pop("http2_max_streams_per_connection"),
        ),
    }


def _audit(values: dict[str, Any]) -> Settings | None:
    file, path = values.pop("audit_policy_file"), values.pop("audit_log_path")
    rotation = flags.checked(
        logfile.Rotation,
        megabytes=values.pop("audit_log_maxsize"),
        days=values.pop("audit_log_maxage"),
        backups=values.pop("audit_log_maxbackup"),
    )
    if file is None or not path:
        if file is not None or path:
            raise click.UsageError("--audit-policy-file and --audit-log-path go together.")
        return None
    from cluster.api import yaml_text  # late: few audit

    try:
        found = policy.read(yaml_text.read(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--audit-policy-file {file}: {error}") from error
    return Settings(found, path, rotation)
