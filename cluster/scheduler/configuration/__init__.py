"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): files as users have them.

- `types`: the shapes of the file and of plugins' arguments, with Kubernetes' names.
- `validation`, `argvalidation`: Kubernetes' rules, messages and field paths.
- `arguments`: arguments as plugins take them, with Kubernetes' defaults.
- `loading`: the whole way from text to what a scheduler runs.
- `settings`: that: profiles, and their plugins merged with the default ones by extension point.
"""
