//! The binary `tidegate`.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// People become hot and cold thousands of times a second, which the system's
/// allocator spends more on than the work itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    keep_private();
    tidegate_node::cli::run()
}

/// What this program writes is its owner's alone, and none of its memory goes
/// into a core dump.
fn keep_private() {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A limit that is lower already may refuse, and is as good.
    let _ = setrlimit(Resource::Core, none);
}
