-- The tables of the state file, as a new file gets them. An older file gets to the same by `migrations/`.
--
-- `events` is the only truth; a run's status, `standings` and the end of a claim follow from it in the transaction that
-- adds the event. Times are ISO 8601 in UTC, bodies are JSON.

CREATE TABLE runs (
    number     INTEGER PRIMARY KEY,  -- in the order in which they were opened, whatever the clock said
    run_id     TEXT NOT NULL UNIQUE,
    status     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,        -- for a run without events; else its last event says
    tasks      TEXT NOT NULL,
    shape      TEXT NOT NULL,
    kind       TEXT NOT NULL DEFAULT 'batch'  -- only those of the backlog (`batch`) say how its tasks stand
);

CREATE TABLE events (
    run_id  TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    type    TEXT NOT NULL,
    task_id TEXT,
    attempt INTEGER,
    body    TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- An event is the next one of a run that exists, or it is refused. Compare-and-set, held by the file itself.
CREATE TRIGGER events_without_a_gap BEFORE INSERT ON events
WHEN new.seq IS NOT (
    SELECT 1 + coalesce((SELECT max(seq) FROM events WHERE run_id = new.run_id), 0)
    FROM runs WHERE run_id = new.run_id
)
BEGIN
    SELECT raise(ABORT, 'not the next event of a known run');
END;

-- An attempt ends once. (For `type IN (…)` SQLite would build a table for every event that it looks at.)
CREATE UNIQUE INDEX one_end_of_an_attempt ON events (run_id, task_id, attempt)
WHERE attempt IS NOT NULL
  AND (type = 'task_completed' OR type = 'task_error' OR type = 'task_cancelled' OR type = 'attempt_interrupted');

CREATE TABLE standings (
    task_id TEXT PRIMARY KEY,
    run_id  TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    status  TEXT NOT NULL,
    at      TEXT NOT NULL
) WITHOUT ROWID;

-- Whether a claim holds is decided by the owner lock of its run; who took it is for people and for `orch doctor`.
CREATE TABLE claims (
    task_id    TEXT PRIMARY KEY,
    run_id     TEXT NOT NULL,
    owner_pid  INTEGER,  -- null in claims of before version 2
    owner_born INTEGER,  -- in ticks since the boot; null where the system does not tell
    boot_id    TEXT,
    since      TEXT
) WITHOUT ROWID;

CREATE INDEX claims_of_a_run ON claims (run_id);

CREATE TABLE commands (
    number  INTEGER PRIMARY KEY,
    run_id  TEXT NOT NULL,
    task_id TEXT,
    action  TEXT NOT NULL,
    body    TEXT NOT NULL,
    answer  TEXT
);

CREATE INDEX commands_without_answer ON commands (run_id, number) WHERE answer IS NULL;
