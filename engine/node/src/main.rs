//! The binary `tidegate`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// People become hot and cold thousands of times a second, which the system's
/// allocator spends more on than the work itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tidegate_node::cli::run()
}
