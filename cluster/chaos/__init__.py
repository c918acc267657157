"""Breaks clusters by plan and tells what happened: experiments, faults, probes, reports.

It meets a cluster by its API, by the supervisor's control service and by the nodes' services, never
by the code of a component. `checking` judges what was seen and talks to nobody.
"""
