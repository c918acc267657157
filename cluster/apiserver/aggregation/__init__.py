"""APIs that other servers serve behind this one: APIServices and the extension servers they name.

`services` says what an APIService means, `registration` keeps one for each group version that this
server serves itself, `availability` asks the others how they are and what they serve, `forwarding`
passes requests on.
"""
