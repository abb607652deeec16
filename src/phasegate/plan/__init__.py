"""The definition of a pipeline, read from TOML and checked."""
