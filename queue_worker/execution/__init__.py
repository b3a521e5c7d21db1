"""What happens to one run: lock, deadline, call, outcome."""
