-- Portable SQL: SQLite and PostgreSQL take it as it stands. Times are unix milliseconds, hashes base64url.
CREATE TABLE consultations (
    id         TEXT   NOT NULL PRIMARY KEY,
    opens_at   BIGINT NOT NULL,
    starts_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- A role's place in a consultation. Who holds it is decided by one conditional UPDATE of this row.
CREATE TABLE seats (
    consultation        TEXT   NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    seat                BIGINT NOT NULL,
    role                TEXT   NOT NULL,
    incarnation         BIGINT NOT NULL,
    claim               TEXT,
    token_hash          TEXT,
    previous_token_hash TEXT,
    admitted_at         BIGINT,
    PRIMARY KEY (consultation, seat)
);

-- Only keyed hashes: what opens a seat is nowhere at rest. A replaced code stays as revoked, so that its owner reads why it opens nothing.
CREATE TABLE codes (
    hash         TEXT   NOT NULL PRIMARY KEY,
    consultation TEXT   NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    seat         BIGINT NOT NULL,
    revoked_at   BIGINT
);

CREATE INDEX codes_by_seat ON codes (consultation, seat);
CREATE INDEX consultations_by_start ON consultations (starts_at);
