"""Stores of documents: one file per database."""
