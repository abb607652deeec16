"""Where every run stands, in words."""
