"""An emulated Redis: the protocol, the data, the commands, `redis-server` and `redis-cli`.

`resp`, `values`, `database` and `commands/` are pure: bytes and the time go in, replies come out.
`program` and `cli` are the thin shells around them. What is kept on disk is Redis' own format in
its oldest encodings (`rdb`), so a real server reads it. Not here: streams, scripts, modules,
clusters, Sentinel, access lists beyond the default user; such a command says so.
"""
