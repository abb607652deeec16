"""Checks of a pipeline, and the commands that fix what they find."""
