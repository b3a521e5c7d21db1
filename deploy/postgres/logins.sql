-- The login of the workers, with the rights of a worker and no others; docs/SECURITY.md has the roles.
-- psql, once, as a superuser, before or after `queue-worker migrate --roles`; its password comes from
-- the environment, so that it stands in no history and no list of processes.
\set ON_ERROR_STOP on
\getenv worker_password WORKER_PASSWORD
SELECT 'CREATE ROLE queue_worker_worker NOLOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'queue_worker_worker') \gexec
CREATE ROLE app_worker LOGIN PASSWORD :'worker_password' IN ROLE queue_worker_worker;
