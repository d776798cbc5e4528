//! The library's symbols, handed on.
#![allow(
    clippy::missing_safety_doc,
    clippy::too_many_arguments,
    reason = "they are another library's, documented there"
)]

use std::ffi::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;
use thiserror::Error;

/// Looked for along the loader's search path.
#[cfg(not(target_os = "macos"))]
const NAME: &str = "libfdb_c.so";
#[cfg(target_os = "macos")]
const NAME: &str = "libfdb_c.dylib";

/// Why the library could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It is not there, or not for this machine.
    #[error(
        "FoundationDB's client library {path} cannot be loaded ({reason}): install the package foundationdb-clients 7.3 of https://github.com/apple/foundationdb/releases"
    )]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// It lacks something that version 7.3 has.
    #[error("FoundationDB's client library {path} is older than 7.3 ({reason})")]
    TooOld {
        /// What was loaded.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}

static SYMBOLS: OnceLock<Symbols> = OnceLock::new();

/// Loads the library from a path, or by its name from where the system looks.
pub(crate) fn load(path: Option<&Path>) -> Result<(), LoadError> {
    if SYMBOLS.get().is_some() {
        return Ok(());
    }
    let path = path.unwrap_or(Path::new(NAME)).to_owned();
    // SAFETY: the library's own initialisation runs; it is FoundationDB's,
    // named by the operator.
    let library = unsafe { Library::new(&path) }.map_err(|error| LoadError::Missing {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    // Never unloaded: its threads and what it registered outlive everything.
    let library = Box::leak(Box::new(library));
    let symbols = Symbols::of(library).map_err(|error| LoadError::TooOld {
        path,
        reason: error.to_string(),
    })?;
    let _ = SYMBOLS.set(symbols);
    Ok(())
}

fn loaded() -> &'static Symbols {
    SYMBOLS.get().unwrap_or_else(|| {
        eprintln!("libfdb_c was called before it was loaded");
        std::process::abort()
    })
}

macro_rules! symbols {
    ($(fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?;)+) => {
        struct Symbols {
            $($name: unsafe extern "C" fn($($type),*) $(-> $result)?,)+
        }

        impl Symbols {
            fn of(library: &'static Library) -> Result<Symbols, libloading::Error> {
                Ok(Symbols {
                    // SAFETY: the signatures are those of `fdb_c.h`.
                    $($name: *unsafe {
                        library.get(concat!(stringify!($name), "\0").as_bytes())
                    }?,)+
                })
            }
        }

        $(
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
                // SAFETY: the caller keeps to what `fdb_c.h` asks.
                unsafe { (loaded().$name)($($arg),*) }
            }
        )+

        /// Keeps a linker that looks at each archive once from passing over
        /// what only another crate calls.
        #[used]
        static KEPT: &[Kept] = &[$(Kept($name as *const c_void)),+];
    };
}

struct Kept(#[allow(dead_code, reason = "it is there to be linked")] *const c_void);

// SAFETY: an address of code, never read through.
unsafe impl Sync for Kept {}

type Error = c_int;
type Flag = c_int;
type Future = *mut c_void;
type Database = *mut c_void;
type Tenant = *mut c_void;
type Transaction = *mut c_void;
type Bytes = *const u8;
type Callback = Option<unsafe extern "C" fn(Future, *mut c_void)>;

symbols! {
    fn fdb_get_error(code: Error) -> *const c_char;
    fn fdb_error_predicate(predicate: c_int, code: Error) -> Flag;
    fn fdb_get_max_api_version() -> c_int;
    fn fdb_get_client_version() -> *const c_char;
    fn fdb_select_api_version_impl(runtime: c_int, header: c_int) -> Error;
    fn fdb_network_set_option(option: c_int, value: Bytes, length: c_int) -> Error;
    fn fdb_setup_network() -> Error;
    fn fdb_run_network() -> Error;
    fn fdb_stop_network() -> Error;

    fn fdb_future_cancel(future: Future);
    fn fdb_future_release_memory(future: Future);
    fn fdb_future_destroy(future: Future);
    fn fdb_future_block_until_ready(future: Future) -> Error;
    fn fdb_future_is_ready(future: Future) -> Flag;
    fn fdb_future_set_callback(future: Future, callback: Callback, with: *mut c_void) -> Error;
    fn fdb_future_get_error(future: Future) -> Error;
    fn fdb_future_get_int64(future: Future, out: *mut i64) -> Error;
    fn fdb_future_get_key(future: Future, out: *mut Bytes, length: *mut c_int) -> Error;
    fn fdb_future_get_value(future: Future, present: *mut Flag, out: *mut Bytes, length: *mut c_int) -> Error;
    fn fdb_future_get_key_array(future: Future, out: *mut *const c_void, count: *mut c_int) -> Error;
    fn fdb_future_get_keyvalue_array(future: Future, out: *mut *const c_void, count: *mut c_int, more: *mut Flag) -> Error;
    fn fdb_future_get_mappedkeyvalue_array(future: Future, out: *mut *const c_void, count: *mut c_int, more: *mut Flag) -> Error;
    fn fdb_future_get_string_array(future: Future, out: *mut *mut *const c_char, count: *mut c_int) -> Error;

    fn fdb_create_database(cluster_file: *const c_char, out: *mut Database) -> Error;
    fn fdb_database_destroy(database: Database);
    fn fdb_database_set_option(database: Database, option: c_int, value: Bytes, length: c_int) -> Error;
    fn fdb_database_create_transaction(database: Database, out: *mut Transaction) -> Error;
    fn fdb_database_get_main_thread_busyness(database: Database) -> f64;
    fn fdb_database_get_client_status(database: Database) -> Future;
    fn fdb_database_open_tenant(database: Database, name: Bytes, length: c_int, out: *mut Tenant) -> Error;
    fn fdb_tenant_create_transaction(tenant: Tenant, out: *mut Transaction) -> Error;
    fn fdb_tenant_destroy(tenant: Tenant);

    fn fdb_transaction_destroy(transaction: Transaction);
    fn fdb_transaction_cancel(transaction: Transaction);
    fn fdb_transaction_reset(transaction: Transaction);
    fn fdb_transaction_set_option(transaction: Transaction, option: c_int, value: Bytes, length: c_int) -> Error;
    fn fdb_transaction_set_read_version(transaction: Transaction, version: i64);
    fn fdb_transaction_get_read_version(transaction: Transaction) -> Future;
    fn fdb_transaction_get(transaction: Transaction, key: Bytes, length: c_int, snapshot: Flag) -> Future;
    fn fdb_transaction_get_key(transaction: Transaction, key: Bytes, length: c_int, or_equal: Flag, offset: c_int, snapshot: Flag) -> Future;
    fn fdb_transaction_get_addresses_for_key(transaction: Transaction, key: Bytes, length: c_int) -> Future;
    fn fdb_transaction_get_range(
        transaction: Transaction,
        begin: Bytes, begin_length: c_int, begin_or_equal: Flag, begin_offset: c_int,
        end: Bytes, end_length: c_int, end_or_equal: Flag, end_offset: c_int,
        limit: c_int, target_bytes: c_int, mode: c_int, iteration: c_int, snapshot: Flag, reverse: Flag
    ) -> Future;
    fn fdb_transaction_get_mapped_range(
        transaction: Transaction,
        begin: Bytes, begin_length: c_int, begin_or_equal: Flag, begin_offset: c_int,
        end: Bytes, end_length: c_int, end_or_equal: Flag, end_offset: c_int,
        mapper: Bytes, mapper_length: c_int,
        limit: c_int, target_bytes: c_int, mode: c_int, iteration: c_int, snapshot: Flag, reverse: Flag
    ) -> Future;
    fn fdb_transaction_set(transaction: Transaction, key: Bytes, key_length: c_int, value: Bytes, value_length: c_int);
    fn fdb_transaction_atomic_op(transaction: Transaction, key: Bytes, key_length: c_int, param: Bytes, param_length: c_int, operation: c_int);
    fn fdb_transaction_clear(transaction: Transaction, key: Bytes, length: c_int);
    fn fdb_transaction_clear_range(transaction: Transaction, begin: Bytes, begin_length: c_int, end: Bytes, end_length: c_int);
    fn fdb_transaction_watch(transaction: Transaction, key: Bytes, length: c_int) -> Future;
    fn fdb_transaction_commit(transaction: Transaction) -> Future;
    fn fdb_transaction_get_committed_version(transaction: Transaction, out: *mut i64) -> Error;
    fn fdb_transaction_get_approximate_size(transaction: Transaction) -> Future;
    fn fdb_transaction_get_versionstamp(transaction: Transaction) -> Future;
    fn fdb_transaction_on_error(transaction: Transaction, error: Error) -> Future;
    fn fdb_transaction_add_conflict_range(transaction: Transaction, begin: Bytes, begin_length: c_int, end: Bytes, end_length: c_int, kind: c_int) -> Error;
    fn fdb_transaction_get_estimated_range_size_bytes(transaction: Transaction, begin: Bytes, begin_length: c_int, end: Bytes, end_length: c_int) -> Future;
    fn fdb_transaction_get_range_split_points(transaction: Transaction, begin: Bytes, begin_length: c_int, end: Bytes, end_length: c_int, chunk_bytes: i64) -> Future;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_says_what_to_install() {
        let refused = load(Some(Path::new("/nowhere/libfdb_c.so")));
        let Err(LoadError::Missing { path, .. }) = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(path, Path::new("/nowhere/libfdb_c.so"));
        let said = refused.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(
            said.contains("install the package foundationdb-clients 7.3"),
            "{said}"
        );
    }
}
