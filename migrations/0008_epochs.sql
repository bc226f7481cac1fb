-- A fencing token: grows with every claim and every end of a stay, so that of two words about a seat the later one is known.
ALTER TABLE seats ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
-- The how manyth socket of which device (by its label) holds the seat: of two that came at once a device goes on with the later.
ALTER TABLE seats ADD COLUMN attempt BIGINT NOT NULL DEFAULT 0;
ALTER TABLE seats ADD COLUMN device TEXT;
-- A doctor was sent back or removed by another: who comes with the seat's code knocks as long as a doctor is there.
ALTER TABLE seats ADD COLUMN barred BIGINT NOT NULL DEFAULT 0;
