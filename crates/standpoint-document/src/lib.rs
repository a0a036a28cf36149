//! What flows: a text and the layers of annotation on it.
