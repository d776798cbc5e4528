//! `doctor`: what is wrong with a node's folder and machine, and how to mend
//! it.

mod opening;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::process::{Resource, getrlimit};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tidegate_runtime::SystemClock;
use tidegate_runtime::ports::Clock;
use tidegate_storage_fjall::FjallStore;

use super::{NO, YES, output};
use crate::certificates::{NEW_CA, expires_at_s};
use crate::config::Config;
use crate::credentials;
use crate::deployment::key_file;
use crate::disk::{is_read_only, mend};
use crate::folder::Folder;

/// Certificates are to be renewed this long before they end.
const RENEW_DAYS: i64 = 30;
const RENEW: &str = "`tidegate cert renew` (`--gateway NAME`, `--of-operator NAME`)";
/// What a QUIC endpoint under load wants of the kernel, in bytes.
const UDP_BUFFER_BYTES: u64 = 2 * 1024 * 1024;
/// A clock before this date (2026-01-01) was never set.
const CLOCK_EARLIEST_MS: u64 = 1_767_225_600_000;
/// Less free space than this, in percent, fills up before an operator looks.
const FREE_PERCENT: u64 = 10;
const TMPFS_MAGIC: i128 = 0x0102_1994;

#[derive(Args)]
pub(super) struct DoctorArgs {
    /// The node's folder.
    #[arg(long, value_name = "D", default_value = "./tidegate-data")]
    dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found about one thing.
enum Finding {
    Good(String),
    /// It works, but not for ever or not for all.
    Warning {
        what: String,
        mend: String,
    },
    /// The node does not start, or is not safe.
    Fault {
        what: String,
        mend: String,
    },
}

fn good(what: impl Into<String>) -> Finding {
    Finding::Good(what.into())
}

fn warning(what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding::Warning {
        what: what.into(),
        mend: mend.into(),
    }
}

fn fault(what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding::Fault {
        what: what.into(),
        mend: mend.into(),
    }
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<u8> {
    let folder = Folder::at(&args.dir);
    let findings = examine(&folder);
    let faults = findings
        .iter()
        .filter(|one| matches!(one, Finding::Fault { .. }));
    let faults = faults.count();
    if args.json {
        let rows = findings.iter().map(|finding| match finding {
            Finding::Good(what) => json!({ "level": "good", "what": what }),
            Finding::Warning { what, mend } => {
                json!({ "level": "warning", "what": what, "mend": mend })
            }
            Finding::Fault { what, mend } => {
                json!({ "level": "fault", "what": what, "mend": mend })
            }
        });
        let rows: Vec<_> = rows.collect();
        output::line(&json!({ "faults": faults, "findings": rows }).to_string());
    } else {
        for finding in &findings {
            match finding {
                Finding::Good(what) => output::line(&format!("good     {what}")),
                Finding::Warning { what, mend } => {
                    output::line(&format!("warning  {what}\n         {mend}"));
                }
                Finding::Fault { what, mend } => {
                    output::line(&format!("FAULT    {what}\n         {mend}"));
                }
            }
        }
    }
    Ok(match faults {
        0 => YES,
        _ => NO,
    })
}

fn examine(folder: &Folder) -> Vec<Finding> {
    if let Some(stranger) = wrong_user(folder) {
        return vec![stranger];
    }
    let config = match Config::read(&folder.config()) {
        Ok(config) => config,
        Err(error) => {
            let mend = "correct the file; `tidegate init` makes a new folder";
            return vec![fault(error.to_string(), mend)];
        }
    };
    let mut findings = vec![good("the configuration is valid")];
    findings.extend(secrets(folder));
    findings.extend(certificates(folder));
    findings.extend(disks(folder));
    findings.push(clock());
    findings.push(open_files(&config));
    findings.extend(udp_buffers());
    let address = std::fs::read_to_string(folder.address());
    // A running node holds its journal, whatever its store is.
    let held = FjallStore::is_in_use(&folder.journal());
    match (held, address) {
        (Ok(true), Ok(address)) => findings.push(good(format!(
            "a node runs at {}: its store, journal and ports are not tried",
            address.trim()
        ))),
        _ => {
            // Where nothing can be written, that is what is wrong.
            if !is_read_only(folder.root()) {
                findings.push(opening::store(folder, &config));
                findings.extend(opening::journal(folder));
            }
            findings.extend(ports(&config));
        }
    }
    findings
}

/// Another user sees other things than the node does, and leaves files that
/// the node cannot open.
fn wrong_user(folder: &Folder) -> Option<Finding> {
    let root = folder.root();
    let owner = std::fs::metadata(root).ok()?.uid();
    let us = rustix::process::geteuid().as_raw();
    (owner != us).then(|| {
        let shown = root.display();
        fault(
            format!("{shown} belongs to user {owner}, and this is user {us}"),
            format!("run it as the node's user: sudo -u '#{owner}' tidegate doctor --dir {shown}"),
        )
    })
}

/// Key files: there, whole, and readable by their owner alone.
fn secrets(folder: &Folder) -> Vec<Finding> {
    let entries = std::fs::read_dir(folder.root().join("secrets"));
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let mend = match error.kind() {
                ErrorKind::NotFound => {
                    "put the secrets of this deployment back from where they are kept safe"
                }
                kind => mend(kind, folder.root()),
            };
            let what = format!("the folder secrets/ cannot be read: {error}");
            return vec![fault(what, mend)];
        }
    };
    let mut findings = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if let Err(error) = key_file(&path) {
            let mend = match error.kind {
                None | Some(ErrorKind::NotFound) => "put the file back from where it is kept safe",
                Some(kind) => mend(kind, &path),
            };
            findings.push(fault(error.to_string(), mend));
        }
        findings.extend(private(&path));
    }
    if findings.is_empty() {
        findings.push(good("the key files are whole and private"));
    }
    findings
}

fn private(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let shown = path.display();
        fault(
            format!("{shown} can be read by others (mode {mode:o})"),
            format!("chmod 600 {shown}; others may have read it: rotate it"),
        )
    })
}

fn certificates(folder: &Folder) -> Vec<Finding> {
    let now_s = i64::try_from(SystemClock::new().unix_ms() / 1000).unwrap_or(i64::MAX);
    let troubles = credentials::examine(folder, now_s);
    let told = troubles.iter().map(|trouble| {
        let what = format!("{} {}", trouble.file.display(), trouble.what);
        fault(what, trouble.mend.clone())
    });
    let mut findings: Vec<_> = told.collect();
    for path in &folder.tls_files() {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") if troubles.iter().any(|trouble| trouble.file == *path) => {}
            Some("crt") => {
                findings.push(match *path == folder.certificate("ca") {
                    true => expiry(path, last_end_s(path), now_s, NEW_CA),
                    false => expiry(path, end_s(path), now_s, RENEW),
                });
            }
            Some("key") => findings.extend(private(path)),
            _ => {}
        }
    }
    let ca_key = folder.private_key("ca");
    if ca_key.exists() {
        let what = format!(
            "the CA's private key lies on this machine ({})",
            ca_key.display()
        );
        let mend = "an attacker who takes the node can make certificates: keep it elsewhere, \
                    and bring it for `gateway add` and `cert renew`";
        findings.push(warning(what, mend));
    }
    findings
}

/// When a certificate ends; what follows it in the file is not its owner's.
fn end_s(path: &Path) -> Option<i64> {
    expires_at_s(&CertificateDer::from_pem_file(path).ok()?)
}

/// When the last of several CAs ends: while one replaces another, the one that
/// stays is what counts.
fn last_end_s(path: &Path) -> Option<i64> {
    let found = CertificateDer::pem_file_iter(path).ok()?;
    found.filter_map(|der| expires_at_s(&der.ok()?)).max()
}

fn expiry(path: &Path, expires_at_s: Option<i64>, now_s: i64, mend: &str) -> Finding {
    let shown = path.display();
    let Some(expires_at_s) = expires_at_s else {
        return fault(format!("{shown} is no certificate"), mend);
    };
    let days = (expires_at_s - now_s).div_euclid(86_400);
    match days {
        ..0 => fault(format!("{shown} has expired"), mend),
        0..RENEW_DAYS => warning(format!("{shown} expires in {days} days"), mend),
        _ => good(format!("{shown} is valid for {days} days")),
    }
}

/// The disks on which parts of the folder lie.
fn disks(folder: &Folder) -> Vec<Finding> {
    let parts = [
        folder.root().to_owned(),
        folder.store(),
        folder.store().join("keys"),
        folder.journal(),
    ];
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for path in parts {
        let device = std::fs::metadata(&path).map(|meta| meta.dev());
        if device.is_ok_and(|device| seen.insert(device)) {
            findings.extend(disk(&path));
        }
    }
    findings
}

fn disk(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    let (Ok(kind), Ok(space)) = (rustix::fs::statfs(path), rustix::fs::statvfs(path)) else {
        let what = format!("{shown} cannot be examined");
        return vec![fault(what, "is the disk mounted?")];
    };
    if is_read_only(path) {
        let what = format!("{shown} cannot be written");
        return vec![fault(what, mend(ErrorKind::ReadOnlyFilesystem, path))];
    }
    let disk = match i128::from(kind.f_type) == TMPFS_MAGIC {
        true => warning(
            format!("{shown} lies in memory (tmpfs)"),
            "every account is lost with the next start of the machine: use a disk",
        ),
        false => good(format!("{shown} lies on a disk")),
    };
    let percent = (space.f_bavail * 100)
        .checked_div(space.f_blocks)
        .unwrap_or(0);
    let what = format!("{percent}% of the disk of {shown} is free");
    let free = match percent {
        _ if space.f_bavail == 0 => fault(what, mend(ErrorKind::StorageFull, path)),
        0..FREE_PERCENT => warning(
            what,
            "a full disk ends all changes until the node is started again: make room",
        ),
        _ => good(what),
    };
    vec![disk, free]
}

fn clock() -> Finding {
    match SystemClock::new().unix_ms() < CLOCK_EARLIEST_MS {
        true => fault(
            "the clock was never set",
            "run a time service (chrony, systemd-timesyncd)",
        ),
        false => good("the clock is set"),
    }
}

fn open_files(config: &Config) -> Finding {
    // Sockets of the metrics page, the store's files, and room to spare; QUIC
    // connections share one socket.
    let wanted = 1_024 + config.node.read_threads as u64;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < wanted => warning(
            format!("{limit} files may be open"),
            format!("raise it to {wanted} or more (ulimit -n, LimitNOFILE=)"),
        ),
        Some(limit) => good(format!("{limit} files may be open")),
        None => good("any number of files may be open"),
    }
}

fn udp_buffers() -> Vec<Finding> {
    let examine = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?;
        let bytes: u64 = text.trim().parse().ok()?;
        Some(match bytes < UDP_BUFFER_BYTES {
            true => warning(
                format!("the kernel gives a UDP socket at most {bytes} bytes (net.core.{name})"),
                format!(
                    "bursts are lost before they are read: sysctl -w net.core.{name}={UDP_BUFFER_BYTES}"
                ),
            ),
            false => good(format!("net.core.{name} is {bytes}")),
        })
    };
    ["rmem_max", "wmem_max"]
        .into_iter()
        .filter_map(examine)
        .collect()
}

fn ports(config: &Config) -> Vec<Finding> {
    let free = |what: &str, bound: std::io::Result<()>| match bound {
        Ok(()) => good(format!("{what} is free")),
        Err(error) => fault(
            format!("{what} cannot be had: {error}"),
            "end what uses it, or set another address in config.toml",
        ),
    };
    let (quic, metrics) = (config.node.listen, config.node.metrics);
    vec![
        free(&format!("{quic} (UDP)"), UdpSocket::bind(quic).map(|_| ())),
        free(
            &format!("{metrics} (TCP)"),
            TcpListener::bind(metrics).map(|_| ()),
        ),
    ]
}
