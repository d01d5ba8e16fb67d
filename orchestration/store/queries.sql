-- Every statement of the store, by name. They keep to what SQLite 3.37 understands.

-- insert_run --
INSERT INTO runs (run_id, status, created_at, updated_at, tasks, shape, kind) VALUES (?, ?, ?, ?, ?, ?, ?)

-- insert_event --
INSERT INTO events (run_id, seq, type, task_id, attempt, body) VALUES (?, ?, ?, ?, ?, ?)

-- last_seq --
-- No row for a run that does not exist.
SELECT coalesce((SELECT max(seq) FROM events WHERE events.run_id = runs.run_id), 0) FROM runs WHERE run_id = ?

-- select_kind --
SELECT kind FROM runs WHERE run_id = ?

-- set_run_status --
UPDATE runs SET status = ? WHERE run_id = ?

-- set_standing --
INSERT INTO standings (task_id, run_id, seq, status, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE
SET run_id = excluded.run_id, seq = excluded.seq, status = excluded.status, at = excluded.at

-- set_standing_untried --
-- For an end without an attempt: what another run did stays done.
INSERT INTO standings (task_id, run_id, seq, status, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE
SET run_id = excluded.run_id, seq = excluded.seq, status = excluded.status, at = excluded.at
WHERE standings.run_id = excluded.run_id OR standings.status <> 'success'

-- delete_standing --
-- By whom it is taken away. What another run did stays done.
DELETE FROM standings WHERE task_id = ? AND (run_id = ? OR status NOT IN ('success', 'skipped'))

-- select_events --
SELECT body FROM events WHERE run_id = ? AND seq > ? ORDER BY seq

-- select_runs --
-- The last event comes along: its number and its time are the run's.
SELECT runs.run_id, runs.status, runs.created_at, runs.updated_at, runs.tasks, runs.shape, runs.kind,
    events.seq, events.body
FROM runs
LEFT JOIN events ON events.run_id = runs.run_id
    AND events.seq = (SELECT max(seq) FROM events AS own WHERE own.run_id = runs.run_id)
ORDER BY runs.number DESC

-- select_standings --
SELECT standings.task_id, standings.run_id, standings.seq, standings.status, standings.at, events.body
FROM standings JOIN events USING (run_id, seq)
ORDER BY standings.task_id

-- select_standing --
SELECT standings.task_id, standings.run_id, standings.seq, standings.status, standings.at, events.body
FROM standings JOIN events USING (run_id, seq)
WHERE standings.task_id = ?

-- select_claim --
SELECT run_id FROM claims WHERE task_id = ?

-- set_claim --
INSERT INTO claims (task_id, run_id, owner_pid, owner_born, boot_id, since) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE
SET run_id = excluded.run_id, owner_pid = excluded.owner_pid, owner_born = excluded.owner_born,
    boot_id = excluded.boot_id, since = excluded.since

-- end_claim --
DELETE FROM claims WHERE task_id = ? AND run_id = ?

-- end_claims_of_run --
DELETE FROM claims WHERE run_id = ?

-- insert_command --
-- Nothing is left for a run that does not exist.
INSERT INTO commands (run_id, task_id, action, body)
SELECT run_id, ?, ?, ? FROM runs WHERE run_id = ?

-- select_commands --
SELECT number, run_id, task_id, action, body FROM commands WHERE run_id = ? AND answer IS NULL ORDER BY number

-- set_answer --
UPDATE commands SET answer = ? WHERE number = ? AND answer IS NULL

-- select_answer --
SELECT answer FROM commands WHERE number = ?

-- count_runs_and_events --
SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events)

-- find_gaps --
-- Runs whose events are not numbered 1, 2, 3 …; a trigger refuses them, so only damage or another program makes them.
SELECT run_id, min(seq), max(seq), count(*) FROM events
GROUP BY run_id HAVING min(seq) <> 1 OR max(seq) <> count(*)
ORDER BY run_id

-- find_second_ends --
SELECT run_id, task_id, attempt, count(*) FROM events
WHERE attempt IS NOT NULL AND type IN ('task_completed', 'task_error', 'task_cancelled', 'attempt_interrupted')
GROUP BY run_id, task_id, attempt HAVING count(*) > 1
ORDER BY run_id, task_id, attempt

-- find_events_of_nobody --
SELECT DISTINCT run_id FROM events WHERE run_id NOT IN (SELECT run_id FROM runs) ORDER BY run_id

-- find_standings_of_nothing --
SELECT task_id FROM standings
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.run_id = standings.run_id AND events.seq = standings.seq)
ORDER BY task_id

-- select_claims --
SELECT task_id, run_id, owner_pid, owner_born, boot_id, since FROM claims ORDER BY run_id, task_id

-- select_waiting_commands --
SELECT run_id, number, action, task_id FROM commands WHERE answer IS NULL ORDER BY number

-- select_open_runs --
SELECT run_id, status FROM runs WHERE status IN ('running', 'paused') ORDER BY number

-- select_run_ids --
SELECT run_id FROM runs
