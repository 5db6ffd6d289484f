//! Which threads compute.
//!
//! Passes on the CPU share their work in rayon's pool. A thread outside of it hands each piece over and sleeps until it is
//! done, and what it has just written lies in another core's cache: a step of a 784-128-10 perceptron took 1.16 ms that
//! way and 0.69 where the thread that trains is one of the pool, both with one thread (`benches/record/cpu.md`).
//!
//! Such a thread does work of the pool only while it waits for work of its own. Other threads that it waits for must not
//! need it, least of all where it is the only one: they have a pool to themselves.

use rayon::ThreadPoolBuilder;

/// Makes the calling thread one of those that compute, as many as the machine has cores, or `RAYON_NUM_THREADS` says.
/// For the thread that trains, first thing in `main`: once there is a pool, nothing happens. Returns whether it is done.
///
/// A program that does this must not wait in this thread for another one of its own that trains or predicts on the CPU.
pub fn join_pool() -> bool {
    ThreadPoolBuilder::new().use_current_thread().build_global().is_ok()
}

/// Does `work` in a pool of its own, of so many threads; where the system gives none, of this thread alone.
pub(crate) fn apart<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    match ThreadPoolBuilder::new().num_threads(threads.max(1)).build() {
        Ok(pool) => pool.install(work),
        Err(_) => {
            // Not in the pool of those who wait for this. It starts no thread, so it's there.
            let _alone = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
            work()
        }
    }
}
