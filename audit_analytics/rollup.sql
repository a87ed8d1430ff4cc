-- One text for DuckDB and Spark SQL: only what both define alike (no dayofweek, quantile,
-- time_bucket). $keys is the list of key columns, the only difference between the two rollups.
-- `at` alone is a keyword in DuckDB 2, events.at is a column everywhere.
-- Two narrow groupings, one by outcome and one by object, take a fifth of the time of one wide
-- grouping with COUNT(DISTINCT object): each keeps its table of groups small.
SELECT
    $keys,
    CAST(SUM(calls) AS BIGINT) AS calls_count,
    CAST(SUM(CASE WHEN outcome = 'ok' THEN calls ELSE 0 END) AS BIGINT) AS ok_count,
    CAST(SUM(CASE WHEN outcome = 'auth' THEN calls ELSE 0 END) AS BIGINT) AS auth_count,
    CAST(SUM(CASE WHEN outcome = 'permission' THEN calls ELSE 0 END) AS BIGINT) AS permission_count,
    CAST(SUM(CASE WHEN outcome = 'not_found' THEN calls ELSE 0 END) AS BIGINT) AS not_found_count,
    CAST(SUM(CASE WHEN outcome = 'rate_limit' THEN calls ELSE 0 END) AS BIGINT) AS rate_limit_count,
    CAST(SUM(CASE WHEN outcome = 'param' THEN calls ELSE 0 END) AS BIGINT) AS param_count,
    CAST(SUM(CASE WHEN outcome = 'server' THEN calls ELSE 0 END) AS BIGINT) AS server_count,
    CAST(SUM(CASE WHEN outcome = 'other' THEN calls ELSE 0 END) AS BIGINT) AS other_count,
    CAST(SUM(CASE WHEN outcome = 'unknown' THEN calls ELSE 0 END) AS BIGINT) AS unknown_count,
    CAST(SUM(ip_denied) AS BIGINT) AS ip_denied_count,
    CAST(SUM(objects) AS BIGINT) AS objects_count,
    CAST(SUM(ok_objects) AS BIGINT) AS ok_objects_count,
    MIN(first_at) AS first_at,
    MAX(last_at) AS last_at
FROM (
    SELECT
        $keys,
        outcome,
        COUNT(*) AS calls,
        SUM(CASE WHEN response_code = 99991401 THEN 1 ELSE 0 END) AS ip_denied,
        0 AS objects,
        0 AS ok_objects,
        MIN(events.at) AS first_at,
        MAX(events.at) AS last_at
    FROM events
    GROUP BY $keys, outcome
    UNION ALL
    SELECT
        $keys,
        NULL AS outcome,
        0 AS calls,
        0 AS ip_denied,
        1 AS objects,
        MAX(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) AS ok_objects,
        NULL AS first_at,
        NULL AS last_at
    FROM events
    WHERE object IS NOT NULL
    GROUP BY $keys, object
) AS parts
GROUP BY $keys
ORDER BY $keys
