//! Telling the allocator to keep what it has.
//!
//! Each step of a training run frees and asks again for the same megabytes. glibc hands large blocks straight back to
//! the system, which clears every page anew: a batch of 100 through a small convolutional network took 123 ms instead of
//! 81 with PyTorch, which suffers likewise. Three thresholds end that; jemalloc was tried instead and was slower.
//!
//! This is the host's port to the C library, and the one place of the crate that has `unsafe`: the workspace's lints deny
//! it everywhere else.

/// Lets glibc keep freed memory for the next step. Call it first thing in `main`, before anything allocates much and
/// before another thread starts: beside other threads, where `/proc` can't tell, and on other systems it does nothing.
/// Returns whether the allocator took the settings.
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

    /// Whether the calling thread is the only one of the process, so that none can be allocating, or start to.
    fn alone() -> bool {
        std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
    }

    pub(super) fn keep_freed() -> bool {
        if !alone() {
            return false;
        }
        let settings = [
            (libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD),
            (libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD),
            (libc::M_TOP_PAD, TOP_PAD),
        ];
        settings.into_iter().all(|(parameter, value)| {
            // SAFETY: `mallopt` takes two numbers by value and is declared by `libc` as in <malloc.h>; a parameter that it
            // doesn't know makes it return 0. Precondition: no other thread allocates meanwhile, as glibc reads its
            // settings without a lock. `alone` above keeps it: only this thread is there, and it starts none before the
            // last call.
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
    fn beside_other_threads_nothing_is_set() {
        // The harness runs a test on a thread of its own; to be sure, here is one more.
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv());
        assert!(!super::keep_freed());
        drop(stop);
        let _ = other.join();
    }
}
