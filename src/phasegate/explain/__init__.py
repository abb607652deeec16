"""The state of every run, in words."""
