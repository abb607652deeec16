"""The plan: what a pipeline consists of, read from TOML and checked."""
