//! The shell around the account core: actors, directory, hashing pool, ports.
