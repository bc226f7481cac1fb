-- 1: both sides use the relay alone, so that neither learns the other's address.
ALTER TABLE consultations ADD COLUMN relayed_only BIGINT NOT NULL DEFAULT 0;
