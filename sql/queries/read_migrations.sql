-- The files that were applied to this database.
SELECT name, checksum FROM queue_worker.migration
