//! The memory that Rust has in this process.

/// Gives what is free back to the system: threads have areas of their own, in which it would stay.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it looks at what malloc has marked as free, under malloc's own locks, in any thread, at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
