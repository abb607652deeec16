"""Channels that people are told through, one file each; all send with bounds, and show no secret."""
