"""Encryption at rest by choice: kube-apiserver's --encryption-provider-config.

A transformer between the registry and the storage: what is stored is `k8s:enc:PROVIDER:v1:KEY:` and
ciphertext, as Kubernetes writes it, and everything above the storage (watch cache, history, faces)
has plain text. It knows storage keys and bytes, and nothing of objects.
"""
