"""The content-addressed store on disk: an OCI image layout, shared by processes."""
