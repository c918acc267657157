"""The audit log: who did what, as far as a policy wants it told.

`policy` decides (pure), `events` writes down (pure), `logfile` keeps, `auditor` joins them to the
REST face. Without a policy none of it is built. Source: k8s.io/apiserver pkg/audit and
kubernetes.io/docs/tasks/debug/debug-cluster/audit.
"""
