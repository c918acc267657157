"""Floor 3: binds pods to nodes. The framework and its plugins are pure; a thin shell feeds them
events and sends bindings.

- `framework/`: the extension points, the verdicts, the profile that runs plugins in order.
- `plugins/`: one plugin a file, named as in Kubernetes.
- `nodes/`: the node table (numpy columns) and the cache of pods on nodes, with assumed pods.
- `preemption/`: which pods to evict for one that fits nowhere, and their eviction.
- `queue/`: pods that wait: active, backing off, unschedulable, gated.
- `core`: one scheduling attempt; `evaluation`: its verdicts on all nodes, kept per pod template.
- `component`: the shell; `serving`: what it tells of attempts.
- `configuration/`: KubeSchedulerConfiguration files.
- `simulation/`: the same core over a state that is told, writing nothing.

Every node is filtered and scored at once, so there is no percentageOfNodesToScore.
"""
