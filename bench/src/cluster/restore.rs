//! FoundationDB's tools put back a copy of the rows that is older than some
//! people's erasure, and the newest copy of the keys: nothing of them opens.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use tidegate_client::{CallError, Client, Code, Decision};
use tidegate_wire::{RefreshToken, SessionToken};

use super::Ground;
use super::judge::code;
use super::rig::{Rig, done};

/// People who are erased, and as many others who are asked at the end.
const PEOPLE: usize = 200;
/// Where rows lie, and where the keys of people (`docs/storage.md`).
const ROWS: &str = "tg th";
const KEYS: &str = "tk tl";

/// FoundationDB's tools, on one cluster.
struct Tools<'a> {
    ground: &'a Ground,
    cluster_file: PathBuf,
    folder: PathBuf,
}

/// A `backup_agent`, which ends with this.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Tools<'_> {
    fn agent(&self) -> anyhow::Result<Agent> {
        let agent = Command::new(&self.ground.backup_agent)
            .arg("-C")
            .arg(&self.cluster_file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let agent = agent.with_context(|| format!("{:?}", self.ground.backup_agent))?;
        Ok(Agent(agent))
    }

    /// Copies a range as it is when this ends.
    fn copy(&self, name: &str, range: &str) -> anyhow::Result<()> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let to = format!("file://{}", folder.display());
        let mut copy = Command::new(&self.ground.fdbbackup);
        copy.arg("start").arg("-C").arg(&self.cluster_file);
        done(copy.args(["-t", name, "-k", range, "-d", &to, "-w"]))?;
        say!("{name} are copied ({range})");
        Ok(())
    }

    fn put_back(&self, name: &str, range: &str) -> anyhow::Result<()> {
        let copies = std::fs::read_dir(self.folder.join(name))?;
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        let copy = copies.first().context("nothing was copied")?.path();
        let from = format!("file://{}", copy.display());
        let mut restore = Command::new(&self.ground.fdbrestore);
        restore.arg("start").arg("--dest-cluster-file");
        restore.arg(&self.cluster_file);
        done(restore.args(["-r", &from, "-k", range, "-w"]))?;
        say!("{name} are put back");
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        let mut clear = Command::new(&self.ground.fdbcli);
        clear.arg("-C").arg(&self.cluster_file);
        done(clear.args(["--exec", "writemode on; clearrange '' \\xff"]))?;
        say!("the database is empty");
        Ok(())
    }
}

/// How much was wrong.
pub(super) async fn drill(ground: &Ground) -> anyhow::Result<usize> {
    let mut rig = Rig::make(ground).await?;
    ensure!(
        rig.people.len() >= 2 * PEOPLE,
        "{} people are needed",
        2 * PEOPLE
    );
    let tools = Tools {
        ground,
        cluster_file: rig.database.cluster_file(),
        folder: rig.folder().join("copies"),
    };
    let agent = tools.agent()?;
    let (gone, others) = rig.people[..2 * PEOPLE].split_at(PEOPLE);
    let (gone, others) = (gone.to_vec(), others.to_vec());

    tools.copy("rows", ROWS)?;
    let erased = erase(&rig.office(0)?, &gone).await?;
    say!("{} people are erased", erased.len());
    tools.copy("keys", KEYS)?;

    for member in &mut rig.members {
        member.terminate().await?;
    }
    tools.empty()?;
    tools.put_back("rows", ROWS)?;
    tools.put_back("keys", KEYS)?;
    drop(agent);
    let ready = rig.restored()?;
    say!("restored: {ready}");
    let mut wrong = usize::from(ready["erased_again"] != PEOPLE);
    for member in &mut rig.members {
        member.start().await?;
    }
    rig.settled().await?;

    let (client, office) = (rig.client(1)?, rig.office(1)?);
    for (person, at) in gone.iter().zip(&erased) {
        wrong += usize::from(!is_gone((&client, &office), person, *at).await?);
    }
    for (session, _) in &others {
        let answer = client.check(session).await?;
        wrong += usize::from(!matches!(answer, Decision::Yes(_)));
    }
    say!(
        "of {PEOPLE} erased people and {PEOPLE} others asked after it, {wrong} answers were wrong"
    );
    Ok(wrong)
}

/// Since when each is erased.
async fn erase(
    office: &Client,
    people: &[(SessionToken, RefreshToken)],
) -> anyhow::Result<Vec<u64>> {
    let mut erased = Vec::new();
    for (session, _) in people {
        match office.erase(session.user).await? {
            Decision::Yes(at) => erased.push(at),
            Decision::No(refusal) => anyhow::bail!("no person is erased: {}", refusal.code.name()),
        }
    }
    Ok(erased)
}

/// Whether nothing of a person answers, and they are known as erased since then.
async fn is_gone(
    (client, office): (&Client, &Client),
    (session, refresh): &(SessionToken, RefreshToken),
    at: u64,
) -> Result<bool, CallError> {
    let checked = code(&client.check(session).await?);
    let refreshed = code(&client.refresh(refresh).await?);
    let erased = office.erase(session.user).await?;
    let nobodys = Some(Code::InvalidToken);
    Ok(checked == nobodys
        && refreshed == nobodys
        && matches!(erased, Decision::Yes(then) if then == at))
}
