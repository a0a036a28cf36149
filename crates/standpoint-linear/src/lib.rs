//! Features in, class scores out: the linear classifier that the fast stages share.
