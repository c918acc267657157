"""metrics.k8s.io: what nodes and pods use, in place of a metrics-server.

`collector` asks kubelets for their summaries when somebody asks, `summary` reads these, `metrics`
makes NodeMetrics and PodMetrics of them. Nobody who asks, nothing that is collected.
"""
