"""The programs of BIND that ask name servers, for the images that have them: `dig`, `host`."""
