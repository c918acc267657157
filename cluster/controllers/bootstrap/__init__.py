"""Bootstrap tokens, by which machines join: the signer of cluster-info, and the tokens' cleaner.

Source: k8s.io/kubernetes pkg/controller/bootstrap.
"""
