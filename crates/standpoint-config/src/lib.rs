//! What a pipeline file may say, and what is wrong with this one.
