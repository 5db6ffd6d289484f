//! The host side of Emberlite.
