"""Making room for a pod that fits nowhere, by evicting pods of lower priority.

- `budgets`: which evictions would violate a PodDisruptionBudget.
- `resources`: the dry run on many nodes at once, where nothing but resources is in the way.
- `dryrun`: the dry run on one node after the other, with every filter.
- `choice`: which node of those where it would work.
- `executor`: the shell that evicts the victims.

The plugin DefaultPreemption puts the pure ones together. Rules: pkg/scheduler/framework/preemption.
"""
