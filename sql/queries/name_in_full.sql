-- For this transaction: what the server writes out names its schema, whoever asks.
SET LOCAL search_path = pg_catalog
