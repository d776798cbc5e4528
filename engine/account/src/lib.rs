//! The account core: one person's sign-in state as a pure machine.
