//! What a stage is: its contract, its context and how authors test one.
