"""What scripts/soak.py is made of.

`churn` lets pods come and go, `counting` counts them, `sampling` looks at the cluster's processes
from outside, and `running` has both go on side by side and enters what is seen into a `record`
(pure). `verdict` (pure) says which process has grown or died, `report` (pure) what is told of it
all.
"""
