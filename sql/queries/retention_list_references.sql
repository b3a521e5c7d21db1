-- The tables with a foreign key to this one, and what becomes of their rows.
SELECT conrelid::regclass || CASE confdeltype
    WHEN 'c' THEN ' (its rows go along)'
    WHEN 'n' THEN ' (set to null)'
    WHEN 'd' THEN ' (set to its default)'
    ELSE ' (its reference is cleared, or keeps the row)'
END
FROM pg_constraint
WHERE contype = 'f' AND confrelid = to_regclass(%(table)s)
ORDER BY 1
