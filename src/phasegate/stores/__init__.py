"""Where documents live: one file per database."""
