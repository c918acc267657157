"""CronJobs: Jobs on a schedule.

`schedule` says when, `missed` what is due, `decision` what to do, and `controller` does it.
"""
