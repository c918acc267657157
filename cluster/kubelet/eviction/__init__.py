"""Eviction on node pressure: thresholds, ranking, limits of local storage (pure), and the watch.

Everything but `watch` is a function of what was observed and of the time. Follows
pkg/kubelet/eviction of Kubernetes.
"""
