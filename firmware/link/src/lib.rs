//! Messages and frames between a device that learns and its host.
#![no_std]
