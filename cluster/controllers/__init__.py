"""Floor 3: the controllers of the control plane, one process of them, leader-elected.

Each controller is a folder or a file: pure decisions (objects and time in, actions out) and a thin
shell that feeds them from the shared informers and carries the actions out. Controllers meet only
through the API; none calls another.
"""
