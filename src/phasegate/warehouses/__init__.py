"""Warehouses for tables: one file per adapter of ``ports.Warehouse``."""
