"""The systems that are compared, one adapter each."""
