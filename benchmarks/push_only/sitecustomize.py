"""Processes that have this folder on their path cannot pull from Pub/Sub. Python runs this before every program."""

from benchmarks.pull_refused import refused

until_the_end = refused()  # of the process: what is not referred to would end at once
until_the_end.__enter__()
