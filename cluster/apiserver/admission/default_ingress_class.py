"""DefaultIngressClass: ingresses that name no class get the cluster's default one.

Source: k8s.io/kubernetes plugin/pkg/admission/network/defaultingressclass.
"""

from typing import ClassVar

from cluster.apiserver.admission.defaultclass import DefaultClass


class DefaultIngressClass(DefaultClass):
    """Sets spec.ingressClassName of new ingresses."""

    name: ClassVar[str] = "DefaultIngressClass"
    resources: ClassVar[tuple[str, ...]] = ("ingresses.networking.k8s.io",)
    classes: ClassVar[str] = "ingressclasses.networking.k8s.io"
    marks: ClassVar[tuple[str, ...]] = ("ingressclass.kubernetes.io/is-default-class",)
    field: ClassVar[str] = "ingressClassName"
    old: ClassVar[str] = "kubernetes.io/ingress.class"
