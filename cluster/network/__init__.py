"""Floor 1: packets, not pods. The overlay comes with a later issue; see docs/design.md."""
