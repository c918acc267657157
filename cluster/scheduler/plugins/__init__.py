"""The plugins, one a file, and the default set with Kubernetes' default weights.

Not here yet: DynamicResources (pods that need it are scheduled without, with a warning: see
`unsupported`).
"""
