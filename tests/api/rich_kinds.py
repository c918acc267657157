"""Valid objects of workloads, batch, autoscaling, policy and core that say nearly all they can."""

from typing import Any

META: Any = {"name": "web", "namespace": "default", "labels": {"app": "web"}}
TEMPLATE: Any = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
    "spec": {"containers": [{"name": "main", "image": "nginx", "ports": [{"containerPort": 80}]}]},
}
ONCE: Any = TEMPLATE | {"spec": TEMPLATE["spec"] | {"restartPolicy": "Never"}}
SELECTOR: Any = {"matchLabels": {"app": "web"}}
CLAIM: Any = {
    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    "storageClassName": "fast", "volumeMode": "Filesystem",
    "dataSource": {"kind": "PersistentVolumeClaim", "name": "old"},
    "selector": SELECTOR,
}  # fmt: skip
JOB: Any = {
    "template": ONCE, "completions": 4, "parallelism": 2, "completionMode": "Indexed",
    "backoffLimitPerIndex": 1, "maxFailedIndexes": 2, "ttlSecondsAfterFinished": 5,
    "podFailurePolicy": {"rules": [
        {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1, 3],
                                                "containerName": "main"}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]},
    "successPolicy": {"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 2}]},
    "managedBy": "example.com/jobs",
}  # fmt: skip
AVERAGE: Any = {"type": "AverageValue", "averageValue": "10"}
METRIC: Any = {"name": "queue", "selector": SELECTOR}
DEPLOYMENT: Any = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}

RICH: dict[str, Any] = {
    "statefulsets.apps": {
        "metadata": META,
        "spec": {
            "serviceName": "web", "selector": SELECTOR, "template": TEMPLATE, "replicas": 3,
            "ordinals": {"start": 1}, "minReadySeconds": 1,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
        },
    },
    "daemonsets.apps": {
        "metadata": META,
        "spec": {
            "selector": SELECTOR, "template": TEMPLATE, "minReadySeconds": 3,
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "10%"}},
        },
    },
    "jobs.batch": {"metadata": META, "spec": JOB},
    "cronjobs.batch": {
        "metadata": META,
        "spec": {
            "schedule": "*/5 2-4,7 1 jan mon", "timeZone": "Europe/Vienna",
            "jobTemplate": {"spec": JOB}, "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 9,
        },
    },
    "horizontalpodautoscalers.autoscaling": {
        "metadata": META,
        "spec": {
            "scaleTargetRef": DEPLOYMENT, "minReplicas": 2, "maxReplicas": 5,
            "metrics": [
                {"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}},
                {"type": "ContainerResource", "containerResource": {
                    "name": "memory", "container": "main",
                    "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                {"type": "Pods", "pods": {"metric": METRIC, "target": AVERAGE}},
                {"type": "Object", "object": {
                    "metric": METRIC, "describedObject": DEPLOYMENT,
                    "target": {"type": "Value", "value": "3"}}},
                {"type": "External", "external": {"metric": METRIC, "target": AVERAGE}},
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": 60}]}},
        },
    },
    "poddisruptionbudgets.policy": {
        "metadata": META,
        "spec": {
            "minAvailable": "50%", "selector": SELECTOR,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    },
    "replicationcontrollers": {
        "metadata": META,
        "spec": {"selector": {"app": "web"}, "template": TEMPLATE, "replicas": 2},
    },
    "podtemplates": {"metadata": META, "template": TEMPLATE},
    "endpoints": {
        "metadata": META,
        "subsets": [{
            "addresses": [{"ip": "10.0.0.1", "hostname": "a", "nodeName": "n"}],
            "notReadyAddresses": [{"ip": "fd00::1"}],
            "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81, "protocol": "UDP"}],
        }],
    },
    "limitranges": {
        "metadata": META,
        "spec": {"limits": [
            {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"},
             "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m"},
             "maxLimitRequestRatio": {"cpu": "4"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Ti"}},
        ]},
    },
    "resourcequotas": {
        "metadata": META,
        "spec": {
            "hard": {"pods": "10", "requests.cpu": "4", "limits.memory": "8Gi"},
            "scopes": ["NotTerminating"],
            "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
        },
    },
    "persistentvolumes": {
        "metadata": {"name": "disk"},
        "spec": {
            "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
            "local": {"path": "/mnt"}, "storageClassName": "fast",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}]}},
        },
    },
    "persistentvolumeclaims": {"metadata": META, "spec": CLAIM},
}  # fmt: skip
