"""A shop: orders come in, receipts go out, and each night the day is summed up."""
