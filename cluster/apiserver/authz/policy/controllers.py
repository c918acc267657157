"""The ClusterRoles `system:controller:NAME`, each bound to the service account kube-system/NAME.

Source of the facts: bootstrappolicy/controller_policy.go of k8s.io/kubernetes.
"""

from typing import Final

_EVENTS = "create,patch,update core,events.k8s.io events"

PREFIX: Final = "system:controller:"

CONTROLLERS: Final = {
    "attachdetach-controller": f"""
        list,watch core persistentvolumeclaims,persistentvolumes
        read core nodes
        patch,update core nodes/status
        list,watch core pods
        {_EVENTS}
        create,delete,get,list,watch storage.k8s.io volumeattachments
        read storage.k8s.io csidrivers
        read storage.k8s.io csinodes
        """,
    "clusterrole-aggregation-controller": """
        escalate,get,list,patch,update,watch rbac.authorization.k8s.io clusterroles
        """,
    "cronjob-controller": f"""
        get,list,update,watch batch cronjobs
        create,delete,get,list,patch,update,watch batch jobs
        update batch cronjobs/status
        update batch cronjobs/finalizers
        delete,list,watch core pods
        {_EVENTS}
        """,
    "daemon-set-controller": f"""
        read apps,extensions daemonsets
        update apps,extensions daemonsets/status
        update apps,extensions daemonsets/finalizers
        list,watch core nodes
        create,delete,list,patch,watch core pods
        create core pods/binding
        create,delete,get,list,patch,update,watch apps controllerrevisions
        {_EVENTS}
        """,
    "deployment-controller": f"""
        get,list,update,watch apps,extensions deployments
        update apps,extensions deployments/status
        update apps,extensions deployments/finalizers
        create,delete,get,list,patch,update,watch apps,extensions replicasets
        get,list,update,watch core pods
        {_EVENTS}
        """,
    "disruption-controller": f"""
        read apps,extensions deployments
        read apps,extensions replicasets
        read core replicationcontrollers
        read policy poddisruptionbudgets
        read apps statefulsets
        update policy poddisruptionbudgets/status
        patch,update core pods/status
        get * */scale
        {_EVENTS}
        """,
    "endpoint-controller": f"""
        read core pods,services
        create,delete,get,list,update,watch core endpoints
        create core endpoints/restricted
        {_EVENTS}
        """,
    "endpointslice-controller": f"""
        read core nodes,pods,services
        update core services/finalizers
        create,delete,get,list,update,watch discovery.k8s.io endpointslices
        {_EVENTS}
        """,
    "endpointslicemirroring-controller": f"""
        read core endpoints,services
        update core services/finalizers
        update core endpoints/finalizers
        create,delete,get,list,update,watch discovery.k8s.io endpointslices
        {_EVENTS}
        """,
    "expand-controller": f"""
        get,list,patch,update,watch core persistentvolumes
        patch,update core persistentvolumeclaims/status
        read core persistentvolumeclaims
        {_EVENTS}
        get core services
        """,
    "ephemeral-volume-controller": f"""
        read core pods
        update core pods/finalizers
        create,get,list,watch core persistentvolumeclaims
        {_EVENTS}
        """,
    "resource-claim-controller": f"""
        read core pods
        update core pods/finalizers
        create,delete,get,list,watch resource.k8s.io resourceclaims
        patch,update resource.k8s.io resourceclaims,resourceclaims/status
        patch,update core pods/status
        {_EVENTS}
        """,
    "device-taint-eviction-controller": f"""
        delete,get,list,watch core pods
        patch,update core pods/status
        read resource.k8s.io resourceclaims
        read resource.k8s.io resourceslices
        read resource.k8s.io deviceclasses
        read resource.k8s.io devicetaintrules
        {_EVENTS}
        """,
    "generic-garbage-collector": f"""
        delete,get,list,patch,update,watch * *
        {_EVENTS}
        """,
    "horizontal-pod-autoscaler": f"""
        read autoscaling horizontalpodautoscalers
        update autoscaling horizontalpodautoscalers/status
        get,update * */scale
        list,watch core pods
        list,watch metrics.k8s.io pods
        read custom.metrics.k8s.io *
        read external.metrics.k8s.io *
        {_EVENTS}
        """,
    "job-controller": f"""
        get,list,patch,update,watch batch jobs
        update batch jobs/status
        update batch jobs/finalizers
        create,delete,list,patch,watch core pods
        {_EVENTS}
        """,
    "namespace-controller": """
        delete,get,list,watch core namespaces
        update core namespaces/finalize,namespaces/status
        delete,deletecollection,get,list,watch * *
        """,
    "node-controller": f"""
        delete,get,list,patch,update,watch core nodes
        patch,update core nodes/status
        patch,update core pods/status
        delete,get,list,watch core pods
        {_EVENTS}
        """,
    "persistent-volume-binder": f"""
        create,delete,get,list,update,watch core persistentvolumes
        update core persistentvolumes/status
        get,list,update,watch core persistentvolumeclaims
        update core persistentvolumeclaims/status
        create,delete,get,list,watch core pods
        read storage.k8s.io storageclasses
        list,watch core nodes
        {_EVENTS}
        watch core events
        get core services
        """,
    "pod-garbage-collector": """
        delete,list,watch core pods
        read core nodes
        patch core pods/status
        """,
    "replicaset-controller": f"""
        get,list,update,watch apps,extensions replicasets
        update apps,extensions replicasets/status
        update apps,extensions replicasets/finalizers
        create,delete,list,patch,watch core pods
        {_EVENTS}
        """,
    "replication-controller": f"""
        get,list,update,watch core replicationcontrollers
        update core replicationcontrollers/status
        update core replicationcontrollers/finalizers
        create,delete,list,patch,watch core pods
        {_EVENTS}
        """,
    "resourcequota-controller": f"""
        list,watch * *
        update core resourcequotas/status
        {_EVENTS}
        """,
    "root-ca-cert-publisher": f"""
        create,update core configmaps
        {_EVENTS}
        """,
    "route-controller": f"""
        list,watch core nodes
        patch core nodes/status
        {_EVENTS}
        """,
    "selinux-warning-controller": f"""
        {_EVENTS}
        read core persistentvolumes
        read core persistentvolumeclaims
        read core pods
        read storage.k8s.io csidrivers
        """,
    "service-account-controller": f"""
        create core serviceaccounts
        {_EVENTS}
        """,
    "service-cidrs-controller": f"""
        get,list,patch,update,watch networking.k8s.io servicecidrs
        patch,update networking.k8s.io servicecidrs/finalizers
        patch,update networking.k8s.io servicecidrs/status
        read networking.k8s.io ipaddresses
        {_EVENTS}
        """,
    "service-controller": f"""
        read core services
        patch,update core services/status
        list,watch core nodes
        {_EVENTS}
        """,
    "statefulset-controller": f"""
        list,watch core pods
        read apps statefulsets
        update apps statefulsets/status
        update apps statefulsets/finalizers
        create,delete,get,patch,update core pods
        create,delete,get,list,patch,update,watch apps controllerrevisions
        create,get,list,watch core persistentvolumeclaims
        delete,update core persistentvolumeclaims
        update core pods/finalizers
        {_EVENTS}
        """,
    "ttl-controller": f"""
        list,patch,update,watch core nodes
        {_EVENTS}
        """,
    "ttl-after-finished-controller": f"""
        delete,get,list,watch batch jobs
        {_EVENTS}
        """,
    "certificate-controller": f"""
        delete,get,list,watch certificates.k8s.io certificatesigningrequests
        update certificates.k8s.io certificatesigningrequests/approval,
            certificatesigningrequests/status
        approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet
        sign certificates.k8s.io signers kubernetes.io/kube-apiserver-client,
            kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,
            kubernetes.io/legacy-unknown
        create authorization.k8s.io subjectaccessreviews
        {_EVENTS}
        """,
    "pvc-protection-controller": f"""
        get,list,update,watch core persistentvolumeclaims
        read core pods
        {_EVENTS}
        """,
    "pv-protection-controller": f"""
        get,list,update,watch core persistentvolumes
        {_EVENTS}
        """,
    "volumeattributesclass-protection-controller": f"""
        read core persistentvolumeclaims
        read core persistentvolumes
        get,list,update,watch storage.k8s.io volumeattributesclasses
        {_EVENTS}
        """,
    "validatingadmissionpolicy-status-controller": f"""
        read admissionregistration.k8s.io validatingadmissionpolicies
        get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status
        {_EVENTS}
        """,
    "legacy-service-account-token-cleaner": """
        get core configmaps kube-apiserver-legacy-service-account-token-tracking
        delete,patch core secrets
        """,
}  # fmt: skip
