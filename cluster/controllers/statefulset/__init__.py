"""StatefulSets: pods that have names of their own, one for each ordinal, and keep their claims.

`settings`, `identity`, `claims`, `retention`, `observed` and `status` are pure pieces; `decision`
joins them into one step, of which `update` is the part that replaces pods; `acting` carries a step
out, `rollout` finds the revisions; `controller` is the shell.
"""
