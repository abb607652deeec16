"""Where tables live: one file per adapter, all of them behind ``ports.Warehouse``."""
