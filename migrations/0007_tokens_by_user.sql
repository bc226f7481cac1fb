-- Who made an API token: it ends with them. Of earlier ones nobody knows.
ALTER TABLE api_tokens ADD COLUMN user_id TEXT;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);
