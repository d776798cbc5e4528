//! Who exists in a node's folder, and what each of them holds. People are made
//! by the engine itself, with cheap password hashes, and all of them are
//! signed in; a few *members* sign up through the real protocol, at full cost.

mod making;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tidegate_wire::SecretBytes;

pub(crate) use making::{PASSWORD, make, name};

const FILE: &str = "population";
const PERSON_BYTES: usize = 96;

/// What a signed-in person's browser and app hold.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: [u8; 16],
    pub(crate) session: u64,
    pub(crate) secret: SecretBytes,
    pub(crate) family: SecretBytes,
    pub(crate) refresh: SecretBytes,
}

impl Person {
    fn to_bytes(&self) -> [u8; PERSON_BYTES] {
        let mut bytes = [0; PERSON_BYTES];
        bytes[..16].copy_from_slice(&self.user);
        bytes[16..24].copy_from_slice(&self.session.to_le_bytes());
        bytes[24..48].copy_from_slice(&self.secret.0);
        bytes[48..72].copy_from_slice(&self.family.0);
        bytes[72..].copy_from_slice(&self.refresh.0);
        bytes
    }

    fn from_bytes(bytes: &[u8; PERSON_BYTES]) -> Person {
        let secret = |from: usize| {
            let mut secret = [0; 24];
            secret.copy_from_slice(&bytes[from..from + 24]);
            SecretBytes(secret)
        };
        let (mut user, mut session) = ([0; 16], [0; 8]);
        user.copy_from_slice(&bytes[..16]);
        session.copy_from_slice(&bytes[16..24]);
        Person {
            user,
            session: u64::from_le_bytes(session),
            secret: secret(24),
            family: secret(48),
            refresh: secret(72),
        }
    }
}

/// Everybody of a folder.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Vec<Person>> {
    let path = dir.join(FILE);
    let bytes = std::fs::read(&path);
    let bytes = bytes.with_context(|| format!("{} cannot be read", path.display()))?;
    let (people, rest) = bytes.as_chunks::<PERSON_BYTES>();
    ensure!(rest.is_empty(), "{} is not whole", path.display());
    Ok(people.iter().map(Person::from_bytes).collect())
}

fn write(dir: &Path, people: &[Person]) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let file = options.open(dir.join(FILE))?;
    let mut out = std::io::BufWriter::new(file);
    for person in people {
        out.write_all(&person.to_bytes())?;
    }
    Ok(out.flush()?)
}

/// Makes a folder with so many people, in a process of its own, so that its
/// memory and files are given back. `flags` go to `tidegate init`.
pub(crate) fn folder(parent: &Path, people: usize, flags: &[&str]) -> anyhow::Result<PathBuf> {
    let dir = crate::node::init(parent, flags)?;
    let made = Command::new(std::env::current_exe()?)
        .args(["people", &people.to_string(), "--dir"])
        .arg(&dir)
        .status()?;
    ensure!(made.success(), "the people were not made");
    Ok(dir)
}

/// A copy of the folder with so many people, gone with its handle: whoever
/// changes people leaves the kept ones as they were.
pub(crate) fn copied(people: usize) -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let kept = kept(people)?;
    let beside = kept.parent().and_then(Path::parent).context("no folder")?;
    let scratch = tempfile::tempdir_in(beside)?;
    let dir = scratch.path().join("node");
    copy(&kept, &dir)?;
    Ok((scratch, dir))
}

/// A folder of a deployment that an older program can serve.
pub(crate) fn older(people: usize) -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let here = std::env::current_exe()?;
    let scratch = tempfile::tempdir_in(here.parent().context("no folder")?)?;
    let dir = folder(scratch.path(), people, &["--formats", "1"])?;
    Ok((scratch, dir))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(std::fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// The folder with so many people that earlier runs left behind, or a new one.
pub(crate) fn kept(people: usize) -> anyhow::Result<PathBuf> {
    let mut parent = std::env::current_exe()?;
    parent.pop();
    let parent = parent.join(format!("bench-people-{people}"));
    let dir = parent.join("node");
    if dir.join(FILE).exists() {
        return Ok(dir);
    }
    if parent.exists() {
        // What an interrupted run left.
        std::fs::remove_dir_all(&parent)?;
    }
    std::fs::create_dir_all(&parent)?;
    folder(&parent, people, &[])
}
