//! Why the store did not do what was asked, told from each engine's own codes.

/// What stands in the way of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No room is left on the disk: nothing was written.
    Full,
    /// The disk reports an error, or takes no more writes: what was being written may be there or not.
    Disk,
    /// The file may not be read or written by this user.
    Permission,
    /// What the file holds is no database, or a damaged one.
    Damaged,
    /// Others were at it for too long: nothing was written.
    Busy,
    /// It cannot be reached, or anything else.
    Away,
}

impl Failure {
    /// By SQLite's result codes (<https://www.sqlite.org/rescode.html>, the lowest byte is the primary one) and PostgreSQL's SQLSTATEs
    /// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>, five characters).
    pub fn of(error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(error) => error.code(),
            sqlx::Error::PoolTimedOut => return Self::Busy,
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => return Self::Full,
            sqlx::Error::Migrate(error) => return Self::of_migration(error),
            _ => return Self::Away,
        };
        let code = code.unwrap_or_default();
        match &*code {
            "53100" => Self::Full,
            "58030" | "25006" => Self::Disk,
            "55P03" | "40001" | "40P01" | "53300" => Self::Busy,
            sqlstate if sqlstate.len() == 5 => Self::Away,
            number => number.parse().map_or(Self::Away, Self::of_sqlite),
        }
    }

    fn of_migration(error: &sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        match error {
            Execute(error) | ExecuteMigration(error, _) => Self::of(error),
            _ => Self::Away,
        }
    }

    const fn of_sqlite(code: u32) -> Self {
        /// SQLITE_IOERR_SHMSIZE: the file beside the log of changes cannot grow.
        const SHARED_MEMORY_SIZE: u32 = 4874;
        match (code, code & 0xff) {
            (_, 13) | (SHARED_MEMORY_SIZE, _) => Self::Full,
            (_, 5 | 6) => Self::Busy,
            (_, 3 | 8 | 14) => Self::Permission,
            (_, 10) => Self::Disk,
            (_, 11 | 26) => Self::Damaged,
            _ => Self::Away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_primary_code_of_sqlite_is_told_whatever_its_extension() {
        for (code, failure) in [
            (13, Failure::Full),
            (4874, Failure::Full),
            (10, Failure::Disk),
            (778, Failure::Disk),
            (5, Failure::Busy),
            (517, Failure::Busy),
            (8, Failure::Permission),
            (1032, Failure::Permission),
            (11, Failure::Damaged),
            (26, Failure::Damaged),
            (1, Failure::Away),
        ] {
            assert_eq!(Failure::of_sqlite(code), failure, "{code}");
        }
    }

    #[test]
    fn a_pool_that_has_nothing_to_give_is_busy_and_a_full_disk_is_told_by_its_kind() {
        assert_eq!(Failure::of(&sqlx::Error::PoolTimedOut), Failure::Busy);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Failure::of(&sqlx::Error::Io(full)), Failure::Full);
    }
}
