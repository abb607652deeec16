"""The field's bugs, put in on purpose: each must be caught."""
