"""CoreDNS' plugins, one a file: each makes its part of a server of its lines in the Corefile."""
