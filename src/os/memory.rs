//! The heap of this process.

/// Returns free memory of the C heap to the system. Otherwise each thread keeps it in an arena of its own.
pub fn release_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim reads the free lists of malloc, under malloc's own locks, in any thread, at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
