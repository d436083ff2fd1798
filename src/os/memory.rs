//! The heap of this process.

use std::alloc::System;
use std::io;

use trips_memory::Reserve;

/// All of this library allocates here, in the backend and in its threads.
#[global_allocator]
static ALLOCATOR: Reserve<System> = Reserve::new(System);

/// Bytes of an allocation for which the system had no memory, once. The reserve gave it, and is still in use.
pub fn take_shortage() -> Option<usize> {
    ALLOCATOR.take_shortage()
}

/// A buffer of so many zeros.
///
/// # Errors
/// `OutOfMemory`.
pub fn buffer(bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    buffer.resize(bytes, 0);
    Ok(buffer)
}

/// Returns free memory of the C heap to the system. Otherwise each thread keeps it in an arena of its own.
pub fn release_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim reads the free lists of malloc, under malloc's own locks, in any thread, at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
