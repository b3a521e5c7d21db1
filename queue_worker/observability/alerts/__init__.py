"""Alerts: what is told of them, and the sinks that take it."""
