"""What all adapters of PostgreSQL share.

Addresses, connections, errors, and the version of the schema.
"""
