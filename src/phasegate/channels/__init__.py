"""Channels for alerts; each bounds its sending and shows no secret."""
