"""The Pod Security Standards: levels, versions, and every check with its words. Pure.

Source: the page "Pod Security Standards" of the Kubernetes documentation, and
k8s.io/pod-security-admission.
"""
