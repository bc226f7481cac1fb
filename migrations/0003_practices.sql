-- Practices, who works in them, and what their pages seal (R36). "wrapped" and "sealed" are ciphertext made in a browser: nothing here opens it.
CREATE TABLE practices (
    id             TEXT   NOT NULL PRIMARY KEY,
    short          TEXT   NOT NULL UNIQUE,
    name           TEXT   NOT NULL,
    phone          TEXT,
    time_zone      TEXT   NOT NULL,
    key_version    BIGINT NOT NULL,
    retention_days BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);

-- The hashes are Argon2id of what a browser derives from a password or a recovery key.
CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    practice      TEXT   NOT NULL REFERENCES practices (id) ON DELETE CASCADE,
    short         TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    recovery_hash TEXT,
    public_key    TEXT   NOT NULL,
    by_password   TEXT   NOT NULL,
    by_recovery   TEXT,
    must_change   BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT,
    UNIQUE (practice, short)
);

-- A browser of the practice. Until it is released it opens nothing.
CREATE TABLE workplaces (
    id           TEXT   NOT NULL PRIMARY KEY,
    practice     TEXT   NOT NULL REFERENCES practices (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    public_key   TEXT   NOT NULL,
    token_hash   TEXT   NOT NULL UNIQUE,
    requested_by TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    released_at  BIGINT,
    released_by  TEXT,
    last_seen_at BIGINT
);
CREATE INDEX workplaces_by_practice ON workplaces (practice);

-- The practice's key in each of its versions, sealed for one holder.
CREATE TABLE user_keys (
    user_id TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    wrapped TEXT   NOT NULL,
    PRIMARY KEY (user_id, version)
);
CREATE TABLE workplace_keys (
    workplace_id TEXT   NOT NULL REFERENCES workplaces (id) ON DELETE CASCADE,
    version      BIGINT NOT NULL,
    wrapped      TEXT   NOT NULL,
    PRIMARY KEY (workplace_id, version)
);

CREATE TABLE sessions (
    hash         TEXT   NOT NULL PRIMARY KEY,
    id           TEXT   NOT NULL UNIQUE,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    workplace_id TEXT   REFERENCES workplaces (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_workplace ON sessions (workplace_id);

CREATE TABLE passkeys (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

CREATE TABLE api_tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    practice   TEXT   NOT NULL REFERENCES practices (id) ON DELETE CASCADE,
    hash       TEXT   NOT NULL UNIQUE,
    name       TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX api_tokens_by_practice ON api_tokens (practice);

-- Who did what, without a word about patients.
CREATE TABLE audit (
    id       TEXT   NOT NULL PRIMARY KEY,
    practice TEXT   NOT NULL REFERENCES practices (id) ON DELETE CASCADE,
    at       BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    about    TEXT   NOT NULL
);
CREATE INDEX audit_by_practice ON audit (practice, id);

-- One-time links: printed by a start (first), by the operator for a further practice (set-up), for a user who lost everything (rescue).
CREATE TABLE links (
    hash       TEXT   NOT NULL PRIMARY KEY,
    purpose    TEXT   NOT NULL,
    user_id    TEXT   REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);

-- A consultation of a practice; those of the operator have none.
ALTER TABLE consultations ADD COLUMN practice TEXT REFERENCES practices (id) ON DELETE CASCADE;
ALTER TABLE consultations ADD COLUMN duration_minutes BIGINT NOT NULL DEFAULT 20;
ALTER TABLE consultations ADD COLUMN language TEXT NOT NULL DEFAULT 'de';
ALTER TABLE consultations ADD COLUMN sealed TEXT;
ALTER TABLE consultations ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consultations ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consultations ADD COLUMN created_by TEXT;
ALTER TABLE consultations ADD COLUMN readiness TEXT;
CREATE INDEX consultations_by_practice ON consultations (practice, starts_at, id);
CREATE INDEX consultations_by_expiry ON consultations (expires_at);
