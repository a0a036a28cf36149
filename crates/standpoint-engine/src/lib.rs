//! How documents move: sources, stages and sinks joined by bounded queues.
