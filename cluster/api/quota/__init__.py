"""What ResourceQuotas count: the usage of objects, and which quotas it concerns. Pure.

Shared by admission, which charges what is written, and by the quota controller, which recounts.
Source: the page "Resource Quotas" of the Kubernetes documentation, and k8s.io/kubernetes
pkg/quota/v1.
"""
