"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): files as users have them.

- `document`: YAML text to plain values, within bounds; `decode`: those into the types, strictly.
- `types`, `argtypes`: the file's types and those of plugins' arguments, with Kubernetes' names.
- `validation`, `argvalidation`: Kubernetes' rules, messages and field paths.
- `settings`: what comes of it: profiles, and the lists of plugins merged with the default ones.
- `loading`: the whole way from text to settings.
"""
