-- Version 3: a run says of what it is one. All runs of earlier versions are runs of the backlog.

ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'batch';
