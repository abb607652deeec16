"""Processes that have this folder on their path cannot pull from Pub/Sub. Python runs this before every program."""

from benchmarks.pull_refused import refuse

refuse()
