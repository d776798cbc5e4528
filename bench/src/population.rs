//! Who exists in a node's folder, and what each of them holds. People are made
//! by the engine itself, with cheap password hashes, and all of them are
//! signed in; a few *members* sign up through the real protocol, at full cost.

mod making;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use tidegate_wire::SecretBytes;

pub(crate) use making::{PASSWORD, make, name};

const FILE: &str = "population";
/// What is written before it takes the file's place.
const NEW: &str = "population.new";
/// Says that a run has its people's refresh tokens, and has not put them back.
const AWAY: &str = "population.away";
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
    /// Whether it is not known what their refresh token is.
    pub(crate) fn is_unsure(&self) -> bool {
        self.refresh.0 == [0; 24]
    }

    /// It is not known what their refresh token is: they refresh no more.
    pub(crate) fn forget_refresh(&mut self) {
        self.refresh = SecretBytes([0; 24]);
    }

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

/// All people of a folder.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Vec<Person>> {
    let path = dir.join(FILE);
    let bytes = std::fs::read(&path);
    let bytes = bytes.with_context(|| format!("{} cannot be read", path.display()))?;
    let (people, rest) = bytes.as_chunks::<PERSON_BYTES>();
    ensure!(rest.is_empty(), "{} is not whole", path.display());
    Ok(people.iter().map(Person::from_bytes).collect())
}

fn write(dir: &Path, people: &[Person]) -> anyhow::Result<()> {
    written(&dir.join(FILE), people).map(drop)
}

/// Writes people into a new file.
fn written(path: &Path, people: &[Person]) -> anyhow::Result<File> {
    let mut out = std::io::BufWriter::new(new_file(path)?);
    for person in people {
        out.write_all(&person.to_bytes())?;
    }
    Ok(out.into_inner()?)
}

fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

/// A folder whose people's refresh tokens a run has taken with it.
#[must_use]
pub(crate) struct Lent(PathBuf);

/// Takes the refresh tokens of a folder's people: until they are put back no
/// other process may use them.
pub(crate) fn lend(dir: &Path) -> anyhow::Result<Lent> {
    match new_file(&dir.join(AWAY)) {
        Ok(_) => Ok(Lent(dir.to_owned())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{}: an earlier run on it ended midway and took its people's refresh tokens with it: \
             make people anew, or run a mix without refreshes",
            dir.display()
        ),
        Err(error) => Err(error).with_context(|| dir.display().to_string()),
    }
}

impl Lent {
    /// Puts them back as they are now.
    pub(crate) fn put_back(self, people: &[Person]) -> anyhow::Result<()> {
        let Lent(dir) = self;
        let new = dir.join(NEW);
        if new.exists() {
            // Left behind by a process that was stopped while putting back.
            std::fs::remove_file(&new)?;
        }
        written(&new, people)?.sync_all()?;
        std::fs::rename(&new, dir.join(FILE))?;
        std::fs::remove_file(dir.join(AWAY))?;
        Ok(File::open(&dir)?.sync_all()?)
    }
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

/// A copy of the folder with so many people, gone with its handle: changes
/// leave the kept people as they were.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::People;

    fn person(number: u8) -> Person {
        let secret = |purpose| SecretBytes([number * 3 + purpose; 24]);
        Person {
            user: [number; 16],
            session: u64::from(number),
            secret: secret(0),
            family: secret(1),
            refresh: secret(2),
        }
    }

    #[test]
    fn tokens_are_put_back_and_people_whose_token_is_unknown_refresh_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        write(dir, &[person(1), person(2)]).unwrap();
        let lent = lend(dir).unwrap();
        let mut people = read(dir).unwrap();
        assert!(people.iter().all(|person| !person.is_unsure()));
        people[0].refresh = SecretBytes([77; 24]);
        people[1].forget_refresh();
        let kept = People::new(people).kept();
        lent.put_back(&kept).unwrap();
        let found = read(dir).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].refresh.0, [77; 24]);
        assert_eq!(found[0].secret.0, person(1).secret.0);
        assert!(!found[0].is_unsure() && found[1].is_unsure());
        assert_eq!(found[1].user, [2; 16]);
        // Nothing else is left, and another run can have them.
        let left = std::fs::read_dir(dir).unwrap().count();
        assert_eq!(left, 1);
        assert!(lend(dir).is_ok());
    }

    #[test]
    fn a_run_that_ended_midway_is_said() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[person(1)]).unwrap();
        drop(lend(folder.path()).unwrap());
        let refused = lend(folder.path()).err().unwrap().to_string();
        assert!(
            refused.contains("took its people's refresh tokens with it"),
            "{refused}"
        );
    }
}
