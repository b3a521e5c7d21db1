"""Retention: what is kept how long, and how the rest goes without harm.

A plan is made and stored, and only what matches it is removed, in small batches. See
docs/RETENTION.md.
"""
