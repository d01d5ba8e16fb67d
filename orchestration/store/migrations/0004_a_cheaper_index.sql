-- Version 4: the same index, told without a list, for which SQLite builds a table for every event that it looks at.

DROP INDEX one_end_of_an_attempt;

CREATE UNIQUE INDEX one_end_of_an_attempt ON events (run_id, task_id, attempt)
WHERE attempt IS NOT NULL
  AND (type = 'task_completed' OR type = 'task_error' OR type = 'task_cancelled' OR type = 'attempt_interrupted');
