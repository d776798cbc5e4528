//! Tables of transitions, kept as text in `tables/` and compared whole. Run
//! the tests with `TIDEGATE_WRITE_TABLES=1` to write them anew, and read the
//! difference before committing it.

use std::path::Path;

pub(crate) fn assert_table(name: &str, table: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables");
    let path = folder.join(name).with_extension("txt");
    if std::env::var_os("TIDEGATE_WRITE_TABLES").is_some() {
        std::fs::write(&path, table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(&path).unwrap(), "{name}");
}
