"""Endpoints: an older picture of the pods behind a Service. `subsets` decides, the shell acts."""
