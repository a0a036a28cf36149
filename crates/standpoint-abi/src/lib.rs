//! How a stage goes into and comes out of a shared library.
