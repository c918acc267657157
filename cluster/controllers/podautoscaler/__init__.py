"""The horizontal pod autoscaler: keeps the replicas of workloads in step with what is measured.

Pure, in the order in which a reconciliation goes through them: `questions` (what has to be asked
for the metrics of an autoscaler), `readings` (what the answers say), `grouping` and `replicas` (how
many replicas one metric calls for), `proposals` (what all of them call for together), `history` and
`normalizing` (stabilization, policies, bounds), `decision` (the whole). `sources` asks,
`controller` is the shell.

Source: k8s.io/kubernetes pkg/controller/podautoscaler, and
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""
