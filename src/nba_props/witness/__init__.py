"""The second witness: another source's team box scores against ours.

`compare` compares, `text` writes the report.
"""
