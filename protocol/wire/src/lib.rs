//! Frames and messages between gateways and nodes.
