//! Telling the allocator to keep what it has.
//!
//! Each step of a training run frees and asks again for the same megabytes. glibc hands large blocks straight back to
//! the system, which clears every page anew: a batch of 100 through a small convolutional network took 123 ms instead of
//! 81 with PyTorch, which suffers likewise. Three thresholds end that; jemalloc was tried instead and was slower.

/// Lets glibc keep freed memory for the next step. Call it first thing in `main`, before anything allocates much; on
/// other systems it does nothing. Returns whether the allocator took the settings.
pub fn keep_freed() -> bool {
    glibc::keep_freed()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "mallopt has no safe wrapper")]
mod glibc {
    /// Blocks below this come from the heap, which keeps them; glibc's own limit on 64 bits is 32 MiB.
    const MMAP_THRESHOLD: i32 = 32 << 20;
    /// The heap's free end is returned beyond this only.
    const TRIM_THRESHOLD: i32 = i32::MAX;
    /// What the heap grows by.
    const TOP_PAD: i32 = 64 << 20;

    pub(super) fn keep_freed() -> bool {
        let settings = [
            (libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD),
            (libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD),
            (libc::M_TOP_PAD, TOP_PAD),
        ];
        settings.into_iter().all(|(parameter, value)| {
            // SAFETY: `mallopt` takes two numbers by value, touches no memory of ours and locks its own state; it is
            // declared by `libc` as in <malloc.h>. A parameter that it doesn't know makes it return 0.
            unsafe { libc::mallopt(parameter, value) == 1 }
        })
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod glibc {
    pub(super) fn keep_freed() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn glibc_takes_the_settings() {
        assert_eq!(super::keep_freed(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }
}
