//! The crate `foundationdb` asks the linker for `-lfdb_c`. This gives it an
//! archive with nothing in it: the symbols are in `src/symbols.rs`, so that a
//! program can be linked, and started, where the library is not.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(folder.join("libfdb_c.a"), "!<arch>\n")?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
