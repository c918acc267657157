"""Floor 3: All controllers, one leader-elected process. Each is a pure decision (objects in,
actions out) with a thin shell; one a file or a folder.
"""
