"""ResourceQuota: `book` knows what is used and what is about to be, `plugin` refuses, `publishing`
writes status.used.
"""
