"""Hardened background jobs for Python on nothing but Postgres."""
