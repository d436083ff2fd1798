//! The heap of this process.

/// Returns free memory of the C heap to the system. Each thread allocates from an arena of its own, which would keep it.
pub fn release_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim reads the free lists of malloc, under malloc's own locks, in any thread, at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
