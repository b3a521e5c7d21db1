-- The files that were applied to this database, and the version that applied each.
SELECT name, checksum, version FROM queue_worker.migration
