"""The ClusterRoles of kube-apiserver for users and components, and whom they are bound to.

Source of the facts: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy.
"""

from typing import Final

_EVENTS = "create,patch,update core,events.k8s.io events"

AGGREGATED: Final = {"admin": "", "edit": "admin", "view": "edit"}
"""Roles that gather `aggregate-to-NAME` roles, and the role that each is itself gathered into."""

GATHERED: Final = {
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
    "system:aggregated-metrics-reader": "view",
}

NODE: Final = f"""
create authentication.k8s.io tokenreviews
create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews
read core services
create,get,list,watch core nodes
patch,update core nodes/status
patch,update core nodes
{_EVENTS}
read core pods
create,delete core pods
patch,update core pods/status
create core pods/eviction
read core configmaps,secrets
get core persistentvolumeclaims,persistentvolumes
get core endpoints
create,get,list,watch certificates.k8s.io certificatesigningrequests
create,delete,get,patch,update coordination.k8s.io leases
get storage.k8s.io volumeattachments
get,patch,update core persistentvolumeclaims/status
create core serviceaccounts/token
get core serviceaccounts
read storage.k8s.io csidrivers
create,delete,get,patch,update storage.k8s.io csinodes
read node.k8s.io runtimeclasses
get resource.k8s.io resourceclaims
create,delete,deletecollection,get,list,patch,update,watch resource.k8s.io resourceslices
read certificates.k8s.io clustertrustbundles
"""

ROLES: Final = {
    "cluster-admin": """
        * * *
        * url *
        """,
    "system:discovery": """
        get url /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,
            /version/
        """,
    "system:monitoring": """
        get url /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*
        """,
    "system:basic-user": """
        create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
        create authentication.k8s.io selfsubjectreviews
        """,
    "system:public-info-viewer": """
        get url /healthz,/livez,/readyz,/version,/version/
        """,
    "system:aggregate-to-admin": """
        create authorization.k8s.io localsubjectaccessreviews
        read,write rbac.authorization.k8s.io rolebindings,roles
        """,
    "system:aggregate-to-edit": """
        read core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
        impersonate core serviceaccounts
        write core pods,pods/attach,pods/exec,pods/portforward,pods/proxy
        create core pods/eviction
        write core configmaps,events,persistentvolumeclaims,replicationcontrollers,
            replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy
        create core serviceaccounts/token
        write apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,
            replicasets/scale,statefulsets,statefulsets/scale
        write autoscaling horizontalpodautoscalers
        write batch cronjobs,jobs
        write extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,
            networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale
        write policy poddisruptionbudgets
        write networking.k8s.io ingresses,networkpolicies
        read,write coordination.k8s.io leases
        write resource.k8s.io resourceclaims,resourceclaimtemplates
        """,
    "system:aggregate-to-view": """
        read core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,
            replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,
            services/status
        read core bindings,events,limitranges,namespaces/status,pods/log,pods/status,
            replicationcontrollers/status,resourcequotas,resourcequotas/status
        read core namespaces
        read discovery.k8s.io endpointslices
        read apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,
            deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,
            statefulsets/scale,statefulsets/status
        read autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status
        read batch cronjobs,cronjobs/status,jobs,jobs/status
        read extensions daemonsets,daemonsets/status,deployments,deployments/scale,
            deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,
            replicasets/scale,replicasets/status,replicationcontrollers/scale
        read policy poddisruptionbudgets,poddisruptionbudgets/status
        read networking.k8s.io ingresses,ingresses/status,networkpolicies
        read resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates
        """,
    # As metrics-server's manifests have it.
    "system:aggregated-metrics-reader": """
        read metrics.k8s.io nodes,pods
        """,
    "system:heapster": """
        read core events,namespaces,nodes,pods
        read extensions deployments
        """,
    "system:node": NODE,
    "system:node-problem-detector": f"""
        get core nodes
        patch core nodes/status
        {_EVENTS}
        """,
    "system:kubelet-api-admin": """
        read core nodes
        proxy core nodes
        * core nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,
            nodes/spec,nodes/stats
        """,
    "system:node-bootstrapper": """
        create,get,list,watch certificates.k8s.io certificatesigningrequests
        """,
    "system:auth-delegator": """
        create authentication.k8s.io tokenreviews
        create authorization.k8s.io subjectaccessreviews
        """,
    "system:kube-aggregator": """
        read core endpoints,services
        read discovery.k8s.io endpointslices
        """,
    "system:kube-controller-manager": f"""
        {_EVENTS}
        create coordination.k8s.io leases
        get,update coordination.k8s.io leases kube-controller-manager
        create core secrets,serviceaccounts
        delete core secrets
        get core configmaps,namespaces,secrets,serviceaccounts
        update core secrets,serviceaccounts
        create authentication.k8s.io tokenreviews
        create authorization.k8s.io subjectaccessreviews
        list,watch * *
        create core serviceaccounts/token
        """,
    "system:kube-dns": """
        list,watch core endpoints,services
        list,watch discovery.k8s.io endpointslices
        """,
    "system:persistent-volume-provisioner": f"""
        create,delete,get,list,watch core persistentvolumes
        get,list,update,watch core persistentvolumeclaims
        read storage.k8s.io storageclasses
        watch core events
        {_EVENTS}
        """,
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": """
        create certificates.k8s.io certificatesigningrequests/nodeclient
        """,
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": """
        create certificates.k8s.io certificatesigningrequests/selfnodeclient
        """,
    "system:volume-scheduler": """
        read,patch,update core persistentvolumes
        read storage.k8s.io storageclasses
        read,patch,update core persistentvolumeclaims
        """,
    "system:certificates.k8s.io:legacy-unknown-approver": """
        approve certificates.k8s.io signers kubernetes.io/legacy-unknown
        """,
    "system:certificates.k8s.io:kubelet-serving-approver": """
        approve certificates.k8s.io signers kubernetes.io/kubelet-serving
        """,
    "system:certificates.k8s.io:kube-apiserver-client-approver": """
        approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client
        """,
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": """
        approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet
        """,
    "system:service-account-issuer-discovery": """
        get url /.well-known/openid-configuration,/openid/v1/jwks
        """,
    "system:cluster-trust-bundle-discovery": """
        read certificates.k8s.io clustertrustbundles
        """,
    "system:node-proxier": f"""
        list,watch core endpoints,services
        read core nodes
        {_EVENTS}
        list,watch discovery.k8s.io endpointslices
        list,watch networking.k8s.io servicecidrs
        """,
    "system:kube-scheduler": f"""
        {_EVENTS}
        create coordination.k8s.io leases
        get,update coordination.k8s.io leases kube-scheduler
        read core nodes
        delete,get,list,watch core pods
        create core bindings,pods/binding
        patch,update core pods/status
        read core replicationcontrollers,services
        read apps,extensions replicasets
        read apps statefulsets
        read policy poddisruptionbudgets
        read core persistentvolumeclaims,persistentvolumes
        create authentication.k8s.io tokenreviews
        create authorization.k8s.io subjectaccessreviews
        read storage.k8s.io csinodes
        read core namespaces
        read storage.k8s.io csidrivers
        read storage.k8s.io csistoragecapacities
        read storage.k8s.io volumeattachments
        read resource.k8s.io deviceclasses,resourceclaims,resourceslices
        patch,update resource.k8s.io resourceclaims
        patch,update resource.k8s.io resourceclaims/status
        """,
}  # fmt: skip

BINDINGS: Final = {
    "cluster-admin": ("Group system:masters",),
    "system:monitoring": ("Group system:monitoring",),
    "system:discovery": ("Group system:authenticated",),
    "system:basic-user": ("Group system:authenticated",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:kube-dns": ("ServiceAccount kube-system/kube-dns",),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:volume-scheduler": ("User system:kube-scheduler",),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
    "system:cluster-trust-bundle-discovery": ("Group system:serviceaccounts",),
    "system:node": (),
}
"""ClusterRoleBindings of the role's own name. That of nodes has no subject: the Node authorizer
decides about them."""

NAMESPACED: Final = {
    ("kube-system", "extension-apiserver-authentication-reader"): """
        read core configmaps extension-apiserver-authentication
        """,
    ("kube-system", "system:controller:bootstrap-signer"): """
        read core secrets
        """,
    ("kube-system", "system:controller:cloud-provider"): """
        create,get,list,watch core configmaps
        """,
    ("kube-system", "system:controller:token-cleaner"): f"""
        delete,get,list,watch core secrets
        {_EVENTS}
        """,
    ("kube-system", "system::leader-locking-kube-controller-manager"): """
        watch core configmaps
        get,update core configmaps kube-controller-manager
        """,
    ("kube-system", "system::leader-locking-kube-scheduler"): """
        watch core configmaps
        get,update core configmaps kube-scheduler
        """,
    ("kube-public", "system:controller:bootstrap-signer"): f"""
        read core configmaps
        get,update core configmaps cluster-info
        {_EVENTS}
        """,
}

_MANAGER = "User system:kube-controller-manager"
_SCHEDULER = "User system:kube-scheduler"
NAMESPACED_BINDINGS: Final = {
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader", (_MANAGER, _SCHEDULER),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        (_MANAGER, "ServiceAccount kube-system/kube-controller-manager"),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        (_SCHEDULER, "ServiceAccount kube-system/kube-scheduler"),
    ),
    ("kube-system", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer", ("ServiceAccount kube-system/bootstrap-signer",),
    ),
    ("kube-system", "system:controller:cloud-provider"): (
        "system:controller:cloud-provider", ("ServiceAccount kube-system/cloud-provider",),
    ),
    ("kube-system", "system:controller:token-cleaner"): (
        "system:controller:token-cleaner", ("ServiceAccount kube-system/token-cleaner",),
    ),
    ("kube-public", "system:controller:bootstrap-signer"): (
        "system:controller:bootstrap-signer", ("ServiceAccount kube-system/bootstrap-signer",),
    ),
}  # fmt: skip
"""RoleBindings: the Role that each names, and its subjects."""
