//! The compilation engine (quantise, export, prove), and the thin service around it.
