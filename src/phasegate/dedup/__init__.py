"""One row per key, for lists of dicts, Polars frames and Arrow tables."""
