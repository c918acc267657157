"""Database servers as ports that accept and log: their handshakes and logins are real, their data
are not. A query is answered with an error that says so, but for those of health checks.
"""
