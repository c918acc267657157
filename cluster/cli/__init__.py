"""Floor 5: the `kubemu` command: flags, progress, output. Every component has a command here."""
