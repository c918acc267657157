"""Volumes as the scheduler sees them: what is there, what is assumed, and what fits which node.

- `store`: claims, volumes and classes, with the assumptions of pods that are on their way.
- `podclaims`: the claims of a pod, by what the scheduler has to do about them.
- `places`: on which nodes a volume can be used.
- `finding`: volumes for claims, on all nodes at once or on the one that was chosen.
- `usage`: which pods on which nodes use what.
- `waiting`: lets a binding wait for what the controllers do.

Rules: k8s.io/kubernetes pkg/scheduler/framework/plugins/volumebinding and its neighbours.
"""
