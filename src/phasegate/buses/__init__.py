"""How messages travel: one file per bus."""
