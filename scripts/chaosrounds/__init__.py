"""Rounds of `kill -9` in a cluster of real processes: `scripts/chaos_kill_rounds.py`.

`rest` is a client of the REST API, `looking` sees what runtimes run, `store` what the store holds,
`rounds` is a round and its judgement, `running` brings a cluster up and carries out many.
"""
