//! The allocator's settings are taken where the program is still alone: so this test has no harness, which starts threads.

use emberlite_host::train::memory::keep_freed;

fn main() {
    assert_eq!(keep_freed(), cfg!(all(target_os = "linux", target_env = "gnu")), "alone");
    // Again, with a thread beside.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || stopped.recv());
    assert!(!keep_freed(), "beside another thread");
    drop(stop);
    let _ = other.join();
}
