//! Drop that calls PostgreSQL.

/// Implements `Drop` with code that does not run while a panic unwinds.
///
/// An ERROR of PostgreSQL unwinds Rust code as a panic. The abort of the transaction then releases what the value holds
/// (references, pins, snapshots), and PostgreSQL must not be called before it: a second ERROR would abort the process.
macro_rules! drop_unless_panicking {
    ($type:ident $(<$lifetime:lifetime>)?, |$this:ident| $body:block) => {
        impl Drop for $type $(<$lifetime>)? {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    let $this = self;
                    $body
                }
            }
        }
    };
}

pub(crate) use drop_unless_panicking;
