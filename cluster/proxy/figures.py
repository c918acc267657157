"""What kube-proxy counts for /metrics: names and help texts of pkg/proxy/metrics."""

from typing import Final

from cluster.client.figures import Family

SYNC: Final = "kubeproxy_sync_proxy_rules_duration_seconds"
LAST: Final = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
SERVICES: Final = "kubeproxy_sync_proxy_rules_service_changes_total"
ENDPOINTS: Final = "kubeproxy_sync_proxy_rules_endpoint_changes_total"
FAMILIES: Final = {
    SYNC: Family(
        "SyncProxyRules latency in seconds", (), "histogram",
        tuple(0.001 * 2.0**power for power in range(15)),
    ),
    LAST: Family("The last time proxy rules were successfully synced", kind="gauge"),
    SERVICES: Family("Cumulative proxy rules Service changes"),
    ENDPOINTS: Family("Cumulative proxy rules Endpoint changes"),
}  # fmt: skip
