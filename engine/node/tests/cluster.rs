//! Several nodes in processes of their own on a real FoundationDB: the one that
//! `TIDEGATE_FDB_CLUSTER_FILE` names, with the client library at
//! `TIDEGATE_FDB_LIBRARY` or where the system looks. All of Tidegate's rows in
//! that database are cleared. Without one, each test says that it did not run.
//!
//! It has a `main` of its own, because FoundationDB's network has to be stopped
//! before a process ends, and because the cases share the database's keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

#[cfg(feature = "foundationdb")]
mod rig;

/// Names of the cases, given to a macro that runs them.
macro_rules! with_cases {
    ($run:ident) => {
        $run!(
            three_nodes_share_the_slots_and_every_one_names_the_owner,
            a_killed_nodes_people_are_served_by_the_others_and_lose_nothing,
            a_drained_node_gives_everything_away_and_takes_nothing,
            rights_change_on_every_node,
            a_second_deployment_and_a_name_that_lives_are_refused,
            an_embedded_store_is_moved_with_everybody_in_it,
            orders_for_one_node_are_refused_in_a_cluster,
            a_program_that_is_too_old_for_the_deployment_does_not_start,
            the_older_version_is_written_until_an_upgrade_is_finished,
            a_node_that_cannot_read_what_the_others_write_any_more_ends_itself,
            a_node_waits_for_its_store_and_ends_when_it_is_told,
            the_block_of_the_document_works_as_it_is_pasted,
            two_regions_share_a_directory_and_nothing_else,
            a_region_serves_its_own_while_the_directory_is_away,
        )
    };
}

fn say_that_none_ran(why: &str) {
    macro_rules! say {
        ($($case:ident),+ $(,)?) => {
            $(println!("test {} did not run: {why}", stringify!($case));)+
        };
    }
    with_cases!(say);
}

#[cfg(not(feature = "foundationdb"))]
fn main() {
    say_that_none_ran("built without the feature `foundationdb`");
}

#[cfg(feature = "foundationdb")]
fn main() {
    if std::env::var_os(place::CLUSTER_FILE).is_none() {
        return say_that_none_ran("TIDEGATE_FDB_CLUSTER_FILE names no FoundationDB");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    macro_rules! run {
        ($($case:ident),+ $(,)?) => {
            $(
                runtime.block_on(async {
                    place::emptied().await;
                    cases::$case().await;
                });
                println!("test {} ... ok", stringify!($case));
            )+
        };
    }
    with_cases!(run);
    drop(runtime);
    tidegate_storage_foundationdb::stop();
}

/// The database, and folders of nodes on it.
#[cfg(feature = "foundationdb")]
mod place {
    use serde_json::Value;
    use tidegate_storage_api::{Commit, KeyRange, Store};
    use tidegate_storage_foundationdb::{FoundationStore, Options};

    use super::rig::{Dir, Node, json, run};

    pub(super) const CLUSTER_FILE: &str = "TIDEGATE_FDB_CLUSTER_FILE";
    const LIBRARY: &str = "TIDEGATE_FDB_LIBRARY";
    /// How often it is looked whether something has come about.
    const LOOKS: u32 = 3_000;

    pub(super) fn store() -> FoundationStore {
        let options = Options {
            cluster_file: std::env::var_os(CLUSTER_FILE).map(Into::into),
            library: std::env::var_os(LIBRARY).map(Into::into),
            network: Vec::new(),
            node: 1,
            life: u128::from(std::process::id()),
        };
        FoundationStore::open(&options).unwrap()
    }

    pub(super) async fn emptied() {
        let all = Commit::default().clear(KeyRange::everything());
        store().commit(all).await.unwrap();
    }

    /// What says where FoundationDB is.
    pub(super) fn flags() -> Vec<String> {
        let mut flags = vec![
            "--cluster-file".to_owned(),
            std::env::var(CLUSTER_FILE).unwrap(),
        ];
        if let Ok(library) = std::env::var(LIBRARY) {
            flags.extend(["--client-library".to_owned(), library]);
        }
        flags
    }

    pub(super) fn strs(flags: &[String]) -> Vec<&str> {
        flags.iter().map(String::as_str).collect()
    }

    /// The first folder of a deployment.
    pub(super) fn first() -> Dir {
        Dir::made(&strs(&flags()))
    }

    /// What `init` says of a database that it does not take; it leaves nothing.
    pub(super) fn not_taken() -> String {
        let dir = Dir::empty();
        let made = run(
            &[&["init", "--dir", dir.text()], &strs(&flags())[..]].concat(),
            "",
        );
        assert_eq!(made.status.code(), Some(2));
        assert!(!dir.path().exists());
        String::from_utf8(made.stderr).unwrap()
    }

    /// A further one.
    pub(super) fn joined(first: &Dir, name: &str) -> Dir {
        let bundle = first.path().with_extension(name);
        let path = bundle.to_str().unwrap();
        let made = run(&["bundle", "--dir", first.text(), "--to", path], "");
        assert!(made.status.success(), "{made:?}");
        Dir::made(&["--join", path, "--node", name])
    }

    /// Three nodes that each have their share.
    pub(super) fn three() -> (Vec<Dir>, Vec<Node>) {
        let first = first();
        let others = ["node-2", "node-3"].map(|name| joined(&first, name));
        let dirs: Vec<Dir> = std::iter::once(first).chain(others).collect();
        let nodes: Vec<Node> = dirs.iter().map(Node::start).collect();
        settled(&dirs[0], &nodes[0]);
        (dirs, nodes)
    }

    pub(super) fn status(dir: &Dir, node: &Node) -> Value {
        let at = node.quic.to_string();
        json(&run(
            &["status", "--json", "--dir", dir.text(), "--connect", &at],
            "",
        ))
    }

    /// Asks until it is so; each look is a process of its own, so that time
    /// passes.
    pub(super) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
        let mut looks = (0..LOOKS).filter_map(|_| look());
        let found = looks.next();
        found.unwrap_or_else(|| panic!("{what} did not come about"))
    }

    /// The status once every slot is where it should be.
    pub(super) fn settled(dir: &Dir, node: &Node) -> Value {
        until("that every slot is in its place", || {
            Some(status(dir, node))
                .filter(|status| status["moving"] == 0 && status["old"].is_null())
        })
    }

    pub(super) fn slots(status: &Value, name: &str) -> u64 {
        let nodes = status["nodes"].as_array().unwrap();
        let node = nodes.iter().find(|node| node["node"] == name).unwrap();
        node["slots"].as_u64().unwrap()
    }
}

#[cfg(feature = "foundationdb")]
mod cases {
    use std::process::Stdio;

    use tidegate_client::{CallError, Client, Code, Granted, Options, RevokeScope, SignIn};

    use tidegate_storage_api::{Commit, Key, KeyRange, PersonPart, Store, SystemPart};

    use super::place::{
        first, flags, joined, not_taken, settled, slots, status, store, strs, three, until,
    };
    use super::rig::{
        Dir, Node, PASSWORD, client, json, log_of, no, options, run, signed_in, tidegate, yes,
    };

    fn person(number: usize) -> SignIn {
        SignIn::username(&format!("person-{number}"), PASSWORD)
    }

    async fn granted(client: &Client, count: usize) -> Vec<Granted> {
        let mut all = Vec::new();
        for number in 0..count {
            yes(client.sign_up(&person(number)).await);
            all.push(yes(client.sign_in(&person(number)).await));
        }
        all
    }

    fn patient(dir: &Dir, node: &Node) -> Client {
        let mut options: Options = options(dir, node.quic);
        options.deadline_ms = 20_000;
        Client::new(&options).unwrap()
    }

    pub(super) async fn three_nodes_share_the_slots_and_every_one_names_the_owner() {
        let (dirs, nodes) = three();
        let status = status(&dirs[0], &nodes[1]);
        let shares = ["node-1", "node-2", "node-3"].map(|name| slots(&status, name));
        assert_eq!(shares.iter().sum::<u64>(), 4_096);
        assert!(
            shares.iter().all(|share| (1_200..1_550).contains(share)),
            "{shares:?}"
        );
        let people = granted(&patient(&dirs[0], &nodes[0]), 12).await;
        for node in &nodes {
            let client = patient(&dirs[0], node);
            for (number, person) in people.iter().enumerate() {
                assert_eq!(yes(client.check(&person.session).await).user, person.user);
                // By the identifier alone, too, wherever its owner lives.
                let again = yes(client.sign_in(&self::person(number)).await);
                assert_eq!(again.user, person.user);
            }
        }
        assert_eq!(
            no(patient(&dirs[0], &nodes[2]).sign_up(&person(3)).await),
            Code::IdentifierTaken
        );
    }

    pub(super) async fn a_killed_nodes_people_are_served_by_the_others_and_lose_nothing() {
        let (dirs, mut nodes) = three();
        let client = patient(&dirs[0], &nodes[0]);
        let mut people = granted(&client, 12).await;
        let ended = people.pop().unwrap();
        yes(client.revoke(&ended.session, RevokeScope::This).await);
        for person in &mut people {
            *person = yes(client.refresh(&person.refresh).await);
        }
        let address = nodes.remove(1).kill();
        for person in &people {
            yes(client.check(&person.session).await);
            yes(client.refresh(&person.refresh).await);
        }
        assert_eq!(no(client.check(&ended.session).await), Code::InvalidToken);
        let back = Node::start_at(&dirs[1], address);
        let status = settled(&dirs[0], &nodes[0]);
        assert!(slots(&status, "node-2") > 1_000, "{status}");
        for person in &people {
            yes(self::patient(&dirs[0], &back).check(&person.session).await);
        }
    }

    pub(super) async fn a_drained_node_gives_everything_away_and_takes_nothing() {
        let (dirs, nodes) = three();
        let client = patient(&dirs[0], &nodes[0]);
        let people = granted(&client, 6).await;
        let at = nodes[2].quic.to_string();
        let order = ["drain", "node-2", "--json", "--connect", &at];
        let drained = run(&[&order, &["--dir", dirs[0].text()][..]].concat(), "");
        assert_eq!(
            json(&drained),
            serde_json::json!({"drained": "node-2", "slots": 0})
        );
        let status = settled(&dirs[0], &nodes[0]);
        assert_eq!(slots(&status, "node-2"), 0);
        assert!(nodes[1].get("/health/ready").ends_with("draining\n"));
        assert!(nodes[0].get("/health/ready").ends_with("ready\n"));
        for person in &people {
            yes(patient(&dirs[0], &nodes[1]).check(&person.session).await);
        }
        let drain = |name: &str| run(&["drain", name, "--json", "--dir", dirs[0].text()], "");
        assert_eq!(
            json(&drain("node-3")),
            serde_json::json!({"drained": "node-3", "slots": 0})
        );
        let last = drain("node-1");
        assert_eq!(last.status.code(), Some(1));
        assert_eq!(json(&last)["code"], "last_node");
        assert!(nodes[0].get("/health/ready").ends_with("ready\n"));
        for person in &people {
            yes(client.check(&person.session).await);
        }
        let unknown = drain("node-9");
        assert_eq!(unknown.status.code(), Some(1));
        assert_eq!(json(&unknown)["code"], "unknown");
    }

    pub(super) async fn rights_change_on_every_node() {
        let (dirs, nodes) = three();
        let order = |args: &[&str], node: &Node| {
            let at = node.quic.to_string();
            let done = run(
                &[args, &["--connect", &at, "--dir", dirs[0].text()]].concat(),
                "",
            );
            assert!(done.status.success(), "{done:?}");
        };
        order(&["gateway", "add", "shop"], &nodes[0]);
        order(&["tenant", "add", "books"], &nodes[1]);
        let shop = |node: &Node| {
            let mut options = options(&dirs[0], node.quic);
            options.certificate_pem = dirs[0].file("tls/gateway-shop.crt");
            options.key_pem = dirs[0].file("tls/gateway-shop.key");
            options.deadline_ms = 500;
            Client::new(&options).unwrap()
        };
        // Every look is a connection, so that time passes.
        let becomes = async |node: &Node, let_in: bool| {
            for _ in 0..3_000 {
                if shop(node).ping().await.is_ok() == let_in {
                    return;
                }
            }
            panic!("let in: not {let_in}");
        };
        for node in &nodes {
            becomes(node, true).await;
        }
        order(&["gateway", "revoke", "shop"], &nodes[2]);
        for node in &nodes {
            becomes(node, false).await;
        }
    }

    pub(super) async fn a_second_deployment_and_a_name_that_lives_are_refused() {
        let dir = first();
        let told = not_taken();
        assert!(told.contains("holds a deployment already"), "{told}");
        let node = Node::start(&dir);
        let bundle = dir.path().with_extension("bundle");
        let path = bundle.to_str().unwrap();
        let bundled = run(&["bundle", "--dir", dir.text(), "--to", path], "");
        assert!(bundled.status.success(), "{bundled:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&bundle).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let again = run(&["bundle", "--dir", dir.text(), "--to", path], "");
        assert_eq!(again.status.code(), Some(2));
        let join = |node: &str| {
            let dir = Dir::empty();
            let args = ["init", "--join", path, "--node", node, "--dir", dir.text()];
            (run(&args, ""), dir)
        };
        let (taken, dir) = join("node-1");
        let told = String::from_utf8(taken.stderr).unwrap();
        assert!(told.contains("a node named node-1 lives"), "{told}");
        assert!(!dir.path().join("config.toml").exists());
        let address = node.kill();
        let (joined, dir) = join("node-1");
        assert!(joined.status.success(), "{joined:?}");
        drop(Node::start_at(&dir, address));
    }

    pub(super) async fn an_embedded_store_is_moved_with_everybody_in_it() {
        let dir = Dir::new();
        let node = Node::start(&dir);
        let kept = signed_in(&client(&dir, &node)).await;
        let mover = || {
            let args = ["move", "--json", "--dir", dir.text()];
            run(&[&args, &strs(&flags())[..]].concat(), "")
        };
        let refused = mover();
        assert_eq!(refused.status.code(), Some(2));
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains("in use by another process"), "{told}");
        assert!(node.terminate().success());
        // One that was broken off blocks nothing but a new one.
        let moving = || Key::system(SystemPart::Move);
        let begun = Commit::default().put(moving(), &b"of another store"[..]);
        store().commit(begun).await.unwrap();
        let told = not_taken();
        assert!(told.contains("repeat `tidegate move`"), "{told}");
        let taken = mover();
        let told = String::from_utf8(taken.stderr).unwrap();
        assert!(told.contains("holds another deployment"), "{told}");
        let given_up = Commit::default().delete(moving());
        store().commit(given_up).await.unwrap();
        let moved = json(&mover());
        assert_eq!(moved["rows"], moved["compared"]);
        assert!(moved["rows"].as_u64().unwrap() > 4_096, "{moved}");
        assert_eq!(moved["generation"], 2);
        let again = mover();
        let told = String::from_utf8(again.stderr).unwrap();
        assert!(told.contains("in FoundationDB already"), "{told}");
        let second = joined(&dir, "node-2");
        let nodes = [Node::start(&dir), Node::start(&second)];
        settled(&dir, &nodes[0]);
        for node in &nodes {
            let client = patient(&dir, node);
            yes(client.check(&kept.session).await);
            let person = SignIn::username(super::rig::NAME, PASSWORD);
            yes(client.sign_in(&person).await);
        }
        yes(patient(&dir, &nodes[1]).refresh(&kept.refresh).await);
    }

    pub(super) async fn orders_for_one_node_are_refused_in_a_cluster() {
        let dir = first();
        let node = Node::start(&dir);
        let aside = dir.path().with_extension("aside");
        let aside = aside.to_str().unwrap();
        for (order, code) in [
            (vec!["keys", "rotate", "index"], "not_clustered"),
            (
                vec!["backup", "--rows", aside, "--keys", "/nowhere"],
                "not_embedded",
            ),
        ] {
            let said = run(&[&order[..], &["--json", "--dir", dir.text()]].concat(), "");
            assert_eq!(said.status.code(), Some(1), "{said:?}");
            assert_eq!(json(&said)["code"], code);
        }
        drop(node);
        let doctor = json(&run(&["doctor", "--json", "--dir", dir.text()], ""));
        assert_eq!(doctor["faults"], 0, "{doctor}");
        assert!(!dir.path().join("store").exists());
        // Without a node the folder asks the database itself.
        let offline = json(&run(&["status", "--json", "--dir", dir.text()], ""));
        assert_eq!(offline["nodes"][0]["node"], "node-1");
    }

    pub(super) async fn a_program_that_is_too_old_for_the_deployment_does_not_start() {
        let dir = first();
        let node = Node::start(&dir);
        let order =
            |args: &[&str]| json(&run(&[args, &["--json", "--dir", dir.text()]].concat(), ""));
        let status = order(&["upgrade", "status"]);
        // A folder that is made today is written in what its program reads.
        let active = &status["active"];
        assert_eq!(status["reads"], serde_json::json!({ "node-1": active }));
        assert_eq!(order(&["upgrade", "finish"])["code"], "nothing_newer");
        drop(node);
        let (version, newer) = newer(&status);
        let commit = Commit::default().put(Key::system(SystemPart::Version), newer);
        store().commit(commit).await.unwrap();
        let refused = run(&["serve", "--dir", dir.text()], "");
        assert_eq!(refused.status.code(), Some(2));
        let told = String::from_utf8(refused.stderr).unwrap();
        let said = format!("written in version {version}");
        assert!(told.contains(&said), "{told}");
    }

    /// A version newer than a fresh deployment's, and the row that says it.
    fn newer(status: &serde_json::Value) -> (u64, Vec<u8>) {
        let version = status["active"].as_u64().unwrap() + 1;
        let row = serde_json::json!({ "version": 1, "active": version });
        (version, row.to_string().into_bytes())
    }

    /// One that stood still while an upgrade was finished wakes to this.
    pub(super) async fn a_node_that_cannot_read_what_the_others_write_any_more_ends_itself() {
        let dir = first();
        let node = Node::start(&dir);
        let status = run(&["upgrade", "status", "--json", "--dir", dir.text()], "");
        let (_, newer) = newer(&json(&status));
        let commit = Commit::default()
            .put(Key::system(SystemPart::Version), newer)
            .put(Key::system(SystemPart::News), vec![1; 8]);
        store().commit(commit).await.unwrap();
        assert_eq!(node.ended().code(), Some(2));
        let log = std::fs::read_to_string(log_of(&dir.path())).unwrap();
        assert!(log.contains("node.outdated"), "{log}");
        assert!(log.contains("cluster.left"), "{log}");
    }

    /// In which versions people's records are stored, and how many are in each.
    async fn versions() -> std::collections::BTreeMap<u8, usize> {
        let rows = store()
            .range(KeyRange::everything(), 100_000)
            .await
            .unwrap();
        let mut versions = std::collections::BTreeMap::new();
        for (key, value) in rows {
            if let Some((_, PersonPart::Record)) = PersonPart::of(&key) {
                *versions.entry(value[0]).or_default() += 1;
            }
        }
        versions
    }

    pub(super) async fn the_older_version_is_written_until_an_upgrade_is_finished() {
        let first = Dir::made(&[&strs(&flags())[..], &["--formats", "1"]].concat());
        let second = joined(&first, "node-2");
        let dirs = [first, second];
        let mut nodes: Vec<Node> = dirs.iter().map(Node::start).collect();
        settled(&dirs[0], &nodes[0]);
        let people = granted(&patient(&dirs[0], &nodes[0]), 12).await;
        assert_eq!(versions().await, [(1, 12)].into());
        let order = |args: &[&str], node: &Node| {
            let at = node.quic.to_string();
            let with = ["--json", "--dir", dirs[0].text(), "--connect", &at];
            json(&run(&[args, &with].concat(), ""))
        };
        let status = order(&["upgrade", "status"], &nodes[1]);
        assert_eq!(status["active"], 1);
        let finished = order(&["upgrade", "finish"], &nodes[0]);
        assert_eq!(finished["active"], status["can_be"]);
        // The node that the order did not reach hears of it, and what was written
        // before is read as ever.
        let client = patient(&dirs[0], &nodes[1]);
        for number in 0..1_000 {
            for person in &people {
                yes(client.check(&person.session).await);
            }
            yes(client.sign_in(&person(number % 12)).await);
            if versions().await == [(3, 12)].into() {
                break;
            }
            assert_ne!(number, 999, "{:?}", versions().await);
        }
        let address = nodes.remove(0).kill();
        nodes.push(Node::start_at(&dirs[0], address));
        let client = patient(&dirs[0], &nodes[1]);
        for person in &people {
            yes(client.refresh(&person.refresh).await);
        }
    }

    /// The flags of a region whose store is in its folder.
    fn region(number: &str) -> Vec<String> {
        let mut flags = flags();
        flags[0] = "--directory".to_owned();
        flags.extend(["--region".to_owned(), number.to_owned()]);
        flags
    }

    /// Two regions, made.
    fn regions() -> (Dir, Dir) {
        let eu = Dir::made(&strs(&region("1")));
        let key = eu.path().join("secrets/directory-1.key");
        let mut second = region("2");
        let refused = |flags: &[String], why: &str| {
            let dir = Dir::empty();
            let args = ["init", "--dir", dir.text()];
            let said = run(&[&args, &strs(flags)[..]].concat(), "");
            assert_eq!(said.status.code(), Some(2));
            let told = String::from_utf8(said.stderr).unwrap();
            assert!(told.contains(why), "{told}");
        };
        refused(&second, "bring its key with --directory-key");
        let mut taken = region("1");
        for flags in [&mut second, &mut taken] {
            let key = key.to_str().unwrap().to_owned();
            flags.extend(["--directory-key".to_owned(), key]);
        }
        refused(&taken, "region 1 is another deployment's");
        let mut wrong = region("2");
        let index = eu.path().join("secrets/index-1.key");
        let index = index.to_str().unwrap().to_owned();
        wrong.extend(["--directory-key".to_owned(), index]);
        refused(&wrong, "not this directory's");
        (eu, Dir::made(&strs(&second)))
    }

    pub(super) async fn two_regions_share_a_directory_and_nothing_else() {
        let (eu, us) = regions();
        let policy = us.path().with_extension("toml");
        std::fs::write(&policy, "home_region = 1\n").unwrap();
        let pin = ["tenant", "add", "pinned", "--json", "--dir", us.text()];
        let with = ["--policy", policy.to_str().unwrap()];
        let pinned = json(&run(&[&pin[..], &with].concat(), ""));
        assert_eq!(pinned["tenant"], "pinned");
        let nodes = [Node::start(&eu), Node::start(&us)];
        let (here, there) = (client(&eu, &nodes[0]), client(&us, &nodes[1]));
        let ada = signed_in(&here).await;
        assert_eq!(ada.user.0[0], 1);
        let (name, alone) = (SignIn::username(super::rig::NAME, PASSWORD), &there);
        assert_eq!(no(alone.sign_up(&name).await), Code::IdentifierTaken);
        let elsewhere = alone.sign_in(&name).await;
        assert!(
            matches!(elsewhere, Err(CallError::WrongRegion { region: 1 })),
            "{elsewhere:?}"
        );
        let both = client(&us, &nodes[1]).with_region(1, &here);
        let granted = yes(both.sign_in(&name).await);
        assert_eq!(granted.user, ada.user);
        yes(both.check(&granted.session).await);
        yes(both.refresh(&granted.refresh).await);
        let bob = yes(both.sign_up(&person(1)).await);
        assert_eq!(bob.0[0], 2);
        assert_eq!(no(here.sign_up(&person(1)).await), Code::IdentifierTaken);
        // What the two databases hold in common: a row for each name.
        let rows = store().range(KeyRange::everything(), 1_000).await.unwrap();
        // A question goes with the next look of the region that is asked.
        let question = |key: &Key| key.as_bytes()[3] == 0x41;
        let rows = rows
            .iter()
            .filter(|(key, _)| !key.is_marker() && !question(key));
        let (entries, others): (Vec<_>, Vec<_>) =
            rows.partition(|(key, _)| key.as_bytes()[..4] != [0xFF, 0, 0, 0]);
        let mut homes: Vec<_> = entries.iter().map(|(_, entry)| entry[2]).collect();
        homes.sort_unstable();
        assert_eq!(homes, [1, 2]);
        assert!(
            entries
                .iter()
                .all(|(key, entry)| { (key.as_bytes().len(), entry.len()) == (36, 20) })
        );
        // The directory's own row, and one for each region.
        assert_eq!(others.len(), 3, "{others:?}");
    }

    pub(super) async fn a_region_serves_its_own_while_the_directory_is_away() {
        let (eu, _) = regions();
        let node = Node::start(&eu);
        signed_in(&client(&eu, &node)).await;
        assert!(node.terminate().success());
        let nowhere = eu.path().with_extension("cluster");
        std::fs::write(&nowhere, "no:body@127.0.0.1:1\n").unwrap();
        let path = format!("{:?}", nowhere.to_str().unwrap());
        eu.configure("directory.cluster_file", &path);
        let node = Node::start(&eu);
        let client = client(&eu, &node);
        let name = |password| SignIn::username(super::rig::NAME, password);
        yes(client.sign_in(&name(PASSWORD)).await);
        for unsaid in [name("a wrong password"), person(7)] {
            let answer = client.sign_in(&unsaid).await;
            let code = Code::Unavailable;
            assert!(
                matches!(answer, Err(CallError::NotDone { code: said, .. }) if said == code),
                "{answer:?}"
            );
        }
    }

    pub(super) async fn a_node_waits_for_its_store_and_ends_when_it_is_told() {
        let dir = first();
        let nowhere = dir.path().with_extension("cluster");
        std::fs::write(&nowhere, "no:body@127.0.0.1:1\n").unwrap();
        let path = format!("{:?}", nowhere.to_str().unwrap());
        dir.configure("storage.cluster_file", &path);
        let log = log_of(&dir.path());
        let mut child = tidegate(&["serve", "--dir", dir.text()])
            .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        until("that the node says that it waits", || {
            let _ = run(&["--version"], "");
            let text = std::fs::read_to_string(&log).unwrap();
            text.contains("store.awaited").then_some(())
        });
        let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The block as it stands in the document, but for the build, for the ports,
    /// which others may have, and for where FoundationDB is.
    fn block() -> String {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cluster.md");
        let page = std::fs::read_to_string(page).unwrap();
        let block = page.split("```sh\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        // The shell is somewhere else.
        let whole = |flag: String| match std::fs::canonicalize(&flag) {
            Ok(path) => path.to_str().unwrap().to_owned(),
            Err(_) => flag,
        };
        let flags: Vec<String> = flags().into_iter().map(whole).collect();
        let lines = block.lines().filter(|line| !line.starts_with("cargo "));
        let lines = lines.map(|line| match line.split_once("--cluster-file fdb.cluster") {
            Some((before, after)) => format!("{before}{}{after}", flags.join(" ")),
            None => line.to_owned(),
        });
        let mut block = lines.collect::<Vec<_>>().join("\n");
        for port in ["7501", "7502", "7503", "7601", "7602", "7603"] {
            block = block.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:0");
        }
        block
    }

    pub(super) async fn the_block_of_the_document_works_as_it_is_pasted() {
        let dir = Dir::empty();
        let place = dir.path();
        std::fs::create_dir(&place).unwrap();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_tidegate"));
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let script = format!("{}\njobs -p > pids\nwait\n", block());
        let mut shell = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(&place)
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log_of(&place)).unwrap())
            .spawn()
            .unwrap();
        let node = |name: &str| {
            let there = place.join(name).join("address");
            std::fs::read_to_string(there).ok()
        };
        until("that all three nodes serve", || {
            let _ = run(&["--version"], "");
            ["n1", "n2", "n3"]
                .into_iter()
                .all(|name| node(name).is_some())
                .then_some(())
        });
        let n1 = place.join("n1");
        until("that each has its share", || {
            let status = json(&run(
                &["status", "--json", "--dir", n1.to_str().unwrap()],
                "",
            ));
            let nodes = status["nodes"].as_array()?;
            let serving = |node: &serde_json::Value| node["state"] == "serving";
            (nodes.len() == 3 && nodes.iter().all(serving)).then_some(())
        });
        let pids = std::fs::read_to_string(place.join("pids")).unwrap();
        let pids: Vec<i32> = pids
            .lines()
            .map(|pid| pid.trim().parse().unwrap())
            .collect();
        assert_eq!(pids.len(), 3, "{pids:?}");
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        }
        assert!(shell.wait().unwrap().success());
    }
}
