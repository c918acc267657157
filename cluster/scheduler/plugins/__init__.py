"""The plugins, one a file, and the default set with Kubernetes' default weights.

Not here yet (pods that need them are scheduled without, with a warning: see `unsupported`):
InterPodAffinity, PodTopologySpread, NodePorts, ImageLocality, the volume plugins,
DynamicResources; and DefaultPreemption removes no pods.
"""
