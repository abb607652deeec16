"""The HTTP service, and who may call it."""
