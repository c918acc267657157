"""The smallest valid object of each kind, which tests start from. A new kind has an entry here."""

import copy
from typing import Any

import certificate_objects

from cluster.api import resources

POD_SPEC: Any = {"containers": [{"name": "a", "image": "a"}]}
_TEMPLATE: Any = {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}
_SELECTED: Any = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}}
_ONCE: Any = {"template": {"spec": POD_SPEC | {"restartPolicy": "Never"}}}
_ROLE: Any = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
_NAMED = "crontabs.stable.example.com"

_HOOK: Any = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://hook.example.com/"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
_CONSTRAINTS: Any = {
    "resourceRules": [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["configmaps"],
        }
    ]
}

_DEVICES: Any = {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "gpu"}}]}}

_BODIES: dict[str, Any] = {
    "certificatesigningrequests.certificates.k8s.io": {
        "spec": {
            "request": certificate_objects.encoded(certificate_objects.request()),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        }
    },
    "clustertrustbundles.certificates.k8s.io": {
        "spec": {"trustBundle": certificate_objects.authority()}
    },
    "csidrivers.storage.k8s.io": {"spec": {}},
    "csinodes.storage.k8s.io": {"spec": {"drivers": []}},
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "standard"},
    "deviceclasses.resource.k8s.io": {"spec": {}},
    "devicetaintrules.resource.k8s.io": {
        "spec": {"taint": {"key": "example.com/broken", "effect": "NoSchedule"}}
    },
    "events.events.k8s.io": {
        "action": "Sending",
        "eventTime": "2023-01-01T00:00:00.000000Z",
        "reason": "Sent",
        "regarding": {"kind": "Pod", "name": "a", "namespace": "default"},
        "reportingController": "example.com/sender",
        "reportingInstance": "sender-1",
        "type": "Normal",
    },
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "example.com/ingress"}},
    "ingresses.networking.k8s.io": {
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    },
    "ipaddresses.networking.k8s.io": {
        "metadata": {"name": "10.96.0.9"},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}},
    },
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": {}}},
    "podcertificaterequests.certificates.k8s.io": {
        "spec": {
            "nodeName": "n",
            "nodeUID": "u",
            "podName": "p",
            "podUID": "u",
            "serviceAccountName": "s",
            "serviceAccountUID": "u",
            "signerName": "example.com/signer",
            "stubPKCS10Request": certificate_objects.stub(),
        }
    },
    "resourceclaims.resource.k8s.io": {"spec": _DEVICES},
    "resourceclaimtemplates.resource.k8s.io": {"spec": {"spec": _DEVICES}},
    "resourceslices.resource.k8s.io": {
        "spec": {
            "driver": "gpu.example.com",
            "nodeName": "n",
            "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
        }
    },
    "runtimeclasses.node.k8s.io": {"handler": "runsc"},
    "servicecidrs.networking.k8s.io": {"spec": {"cidrs": ["10.97.0.0/24"]}},
    "storageclasses.storage.k8s.io": {"provisioner": "example.com/disk"},
    "storageversionmigrations.storagemigration.k8s.io": {
        "spec": {"resource": {"group": "apps", "resource": "deployments"}}
    },
    "volumeattachments.storage.k8s.io": {
        "spec": {
            "attacher": "example.com",
            "nodeName": "n",
            "source": {"persistentVolumeName": "v"},
        }
    },
    "volumeattributesclasses.storage.k8s.io": {
        "driverName": "example.com",
        "parameters": {"iops": "1000"},
    },
    "apiservices.apiregistration.k8s.io": {
        "metadata": {"name": "v1.example.com"},
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
        },
    },
    "clusterrolebindings.rbac.authorization.k8s.io": {"roleRef": _ROLE},
    "controllerrevisions.apps": {"data": {}, "revision": 1},
    "cronjobs.batch": {"spec": {"schedule": "@hourly", "jobTemplate": {"spec": _ONCE}}},
    "customresourcedefinitions.apiextensions.k8s.io": {
        "metadata": {"name": _NAMED},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    },
    "daemonsets.apps": _SELECTED,
    "deployments.apps": _SELECTED,
    "endpointslices.discovery.k8s.io": {"addressType": "IPv4", "endpoints": []},
    "events": {"involvedObject": {"namespace": "default"}},
    "flowschemas.flowcontrol.apiserver.k8s.io": {
        "spec": {"priorityLevelConfiguration": {"name": "exempt"}}
    },
    "horizontalpodautoscalers.autoscaling": {
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}
    },
    "jobs.batch": {"spec": _ONCE},
    "mutatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {
            "matchConstraints": _CONSTRAINTS,
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": "Object{}"},
                }
            ],
        }
    },
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": {"spec": {"policyName": "web"}},
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": [_HOOK]},
    "persistentvolumeclaims": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
    },
    "persistentvolumes": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"},
        }
    },
    "pods": {"spec": POD_SPEC},
    "podtemplates": {"template": _TEMPLATE},
    "priorityclasses.scheduling.k8s.io": {"value": 5},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {
        "spec": {
            "type": "Limited",
            "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}},
        }
    },
    "replicasets.apps": _SELECTED,
    "replicationcontrollers": {"spec": {"selector": {"a": "b"}, "template": _TEMPLATE}},
    "rolebindings.rbac.authorization.k8s.io": {"roleRef": _ROLE},
    "services": {"spec": {"ports": [{"port": 80}]}},
    "validatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {
            "matchConstraints": _CONSTRAINTS,
            "validations": [{"expression": "has(object.data)"}],
        }
    },
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": {
        "spec": {"policyName": "web", "validationActions": ["Deny"]}
    },
    "validatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": [_HOOK]},
    "statefulsets.apps": {"spec": _SELECTED["spec"] | {"serviceName": "web"}},
}


def of(row: resources.Resource) -> dict[str, Any]:
    """A new object of the row's kind, called `web` unless its kind wants otherwise."""
    meta = {"name": "web"} | ({"namespace": "default"} if row.namespaced else {})
    return {"metadata": meta} | copy.deepcopy(_BODIES.get(row.id, {}))
