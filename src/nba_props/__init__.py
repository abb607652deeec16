"""The reference pipeline of Phasegate: one NBA night from box scores to a player cache.

It holds the sources of raw rows, their checks, the four `sql` steps and a model of the hand-off
that Phasegate replaces. It uses Phasegate's public names only, and refuses to mend bad rows:
what does not hold is named and left out of every table.
"""
