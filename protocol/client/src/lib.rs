//! The client library that gateways link.
