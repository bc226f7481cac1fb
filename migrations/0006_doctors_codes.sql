-- A doctor's code that *Start* made: whose it is, from which session, until when it must be used, and by which device it was. Other codes have none of these.
ALTER TABLE codes ADD COLUMN user_id TEXT;
ALTER TABLE codes ADD COLUMN session_id TEXT;
ALTER TABLE codes ADD COLUMN use_by BIGINT;
ALTER TABLE codes ADD COLUMN used_by TEXT;
CREATE INDEX codes_by_user ON codes (user_id);

-- With which code the seat was taken, so that the code's end is the seat's.
ALTER TABLE seats ADD COLUMN code_hash TEXT;

-- Whose the codes of earlier releases are is not known: those of a practice's doctor that nobody sits by are dead. *Start* makes another.
UPDATE codes SET revoked_at = 0 WHERE revoked_at IS NULL AND EXISTS (SELECT 1 FROM seats s JOIN consultations c ON c.id = s.consultation
    WHERE s.consultation = codes.consultation AND s.seat = codes.seat AND s.role = 'doctor' AND s.admitted_at IS NULL AND c.practice IS NOT NULL);
