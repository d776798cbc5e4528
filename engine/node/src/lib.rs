//! The Tidegate server: configuration, QUIC service, admin, command line.
