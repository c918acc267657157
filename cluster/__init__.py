"""kubemu: a Kubernetes cluster emulator. See docs/design.md for the plan of the house."""

__version__ = "0.1.0"
