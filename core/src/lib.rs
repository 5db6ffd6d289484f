//! Models that are trained on a host and keep learning on the microcontroller.
#![no_std]
