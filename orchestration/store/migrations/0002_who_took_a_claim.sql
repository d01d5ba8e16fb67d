-- Version 2: a claim says which process took it, and when.

ALTER TABLE claims ADD COLUMN owner_pid INTEGER;
ALTER TABLE claims ADD COLUMN owner_born INTEGER;
ALTER TABLE claims ADD COLUMN boot_id TEXT;
ALTER TABLE claims ADD COLUMN since TEXT;
