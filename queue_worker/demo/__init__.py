"""The whole thing in one command: an embedded Postgres, sample events, a real worker."""
