"""What each command prints with ``--json``, as types.

The schema of a command is made from the type that is printed, so the two cannot differ. Every field is always there,
unless its type has UNSET.
"""
