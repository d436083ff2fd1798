//! Backtraces of Rust are nothing for clients.

/// Has pgrx report no backtraces: it would put them into DETAIL, which goes to clients. Rust looks at the environment
/// once, when it is asked for the first backtrace.
pub fn never_trace() {
    const NAMES: [&str; 2] = ["RUST_LIB_BACKTRACE", "RUST_BACKTRACE"];
    let before = NAMES.map(std::env::var_os);
    // SAFETY: the library is being loaded; no thread of ours runs, and PostgreSQL has none. The environment is as it was
    // when this returns, for the programs that the server starts.
    unsafe {
        NAMES.iter().for_each(|name| std::env::remove_var(name));
        drop(std::backtrace::Backtrace::capture());
        for (name, value) in NAMES.iter().zip(before) {
            value.into_iter().for_each(|value| std::env::set_var(name, value));
        }
    }
}
