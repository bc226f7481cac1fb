-- How the check of a seat's device went: a guest's says nothing of a patient's. What an earlier version kept stays at the consultation.
ALTER TABLE seats ADD COLUMN readiness TEXT;
