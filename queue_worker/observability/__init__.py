"""Metrics, logs and alerts: they watch the runner and can never change an outcome."""
