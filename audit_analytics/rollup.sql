-- One text for DuckDB and Spark SQL: only what both define alike (no dayofweek, quantile,
-- time_bucket). $keys is the list of key columns, the only difference between the two rollups.
-- `at` alone is a keyword in DuckDB 2, events.at is a column everywhere.
SELECT
    $keys,
    COUNT(*) AS calls_count,
    SUM(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) AS ok_count,
    SUM(CASE WHEN outcome = 'auth' THEN 1 ELSE 0 END) AS auth_count,
    SUM(CASE WHEN outcome = 'permission' THEN 1 ELSE 0 END) AS permission_count,
    SUM(CASE WHEN outcome = 'not_found' THEN 1 ELSE 0 END) AS not_found_count,
    SUM(CASE WHEN outcome = 'rate_limit' THEN 1 ELSE 0 END) AS rate_limit_count,
    SUM(CASE WHEN outcome = 'param' THEN 1 ELSE 0 END) AS param_count,
    SUM(CASE WHEN outcome = 'server' THEN 1 ELSE 0 END) AS server_count,
    SUM(CASE WHEN outcome = 'other' THEN 1 ELSE 0 END) AS other_count,
    SUM(CASE WHEN outcome = 'unknown' THEN 1 ELSE 0 END) AS unknown_count,
    SUM(CASE WHEN response_code = 99991401 THEN 1 ELSE 0 END) AS ip_denied_count,
    COUNT(DISTINCT object) AS objects_count,
    COUNT(DISTINCT CASE WHEN outcome = 'ok' THEN object END) AS ok_objects_count,
    MIN(events.at) AS first_at,
    MAX(events.at) AS last_at
FROM events
GROUP BY $keys
ORDER BY $keys
