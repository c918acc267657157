"""The life of a pod, pure: state and time in, actions and a status out. No I/O, no clock."""
