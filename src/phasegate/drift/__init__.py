"""Which code serves, compared with the code that is desired."""
