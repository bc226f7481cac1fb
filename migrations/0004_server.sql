-- One row: what ties this database to its key, and to the one data directory whose server may use it, and until when (unix milliseconds).
CREATE TABLE server (
    one        BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    key_check  TEXT,
    directory  TEXT,
    run        TEXT,
    held_until BIGINT NOT NULL
);
INSERT INTO server (one, held_until) VALUES (1, 0);
