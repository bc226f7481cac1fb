-- One row: what ties this database to its key, and to the one data directory whose server may use it, and until when (unix milliseconds);
-- when it was copied, if it is a copy, and when a copy was last put back.
CREATE TABLE server (
    one         BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    key_check   TEXT,
    directory   TEXT,
    run         TEXT,
    held_until  BIGINT NOT NULL,
    copied_at   BIGINT,
    restored_at BIGINT
);
INSERT INTO server (one, held_until) VALUES (1, 0);
