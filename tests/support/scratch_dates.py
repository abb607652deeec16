"""The calendar of the self-test's pipeline, as a plan names it."""

from phasegate.selftest.scratch import dates

__all__ = ["dates"]
