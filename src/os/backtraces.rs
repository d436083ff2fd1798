//! Backtraces of Rust panics.

/// Disables backtraces: pgrx would put them into DETAIL, which goes to clients. Rust reads the environment once, for the
/// first backtrace.
pub fn disable() {
    const NAMES: [&str; 2] = ["RUST_LIB_BACKTRACE", "RUST_BACKTRACE"];
    let before = NAMES.map(std::env::var_os);
    // SAFETY: PostgreSQL is loading the library: this process has one thread. The environment is as it was when this
    // returns, for the programs that the server starts.
    unsafe {
        NAMES.iter().for_each(|name| std::env::remove_var(name));
        drop(std::backtrace::Backtrace::capture());
        for (name, value) in NAMES.iter().zip(before) {
            value.into_iter().for_each(|value| std::env::set_var(name, value));
        }
    }
}
