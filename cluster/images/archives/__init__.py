"""Images in files: what `docker save` writes, and OCI image layouts as a tar or a folder."""
