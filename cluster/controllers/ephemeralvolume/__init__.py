"""Claims for the generic ephemeral volumes of pods."""
