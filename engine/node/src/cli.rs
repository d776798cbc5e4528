//! The command line.

mod at;
mod cluster;
mod connection;
mod credentials;
mod device;
mod doctor;
mod flow;
mod input;
mod logging;
mod lost;
mod node;
mod operator;
pub(crate) mod output;
mod person;
mod restoring;
mod shell;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::demo;

/// Exit status: the answer is yes.
const YES: u8 = 0;
/// Exit status: a "no" of the domain, with its code.
const NO: u8 = 1;
/// Exit status: the answer is not known.
const UNKNOWN: u8 = 2;

/// The authentication engine under consumer-scale login.
///
/// Exit status: 0 yes, 1 a "no" of the domain with its stable code, 2 the
/// answer is not known.
#[derive(Parser)]
#[command(name = "tidegate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a node's folder: configuration, CA, certificates, keys, the
    /// tenant `default` and its gateways. Never overwrites.
    Init(node::InitArgs),
    /// Write what a further node of this deployment needs into a file.
    Bundle(node::BundleArgs),
    /// Run a node; prints one line with its addresses when it is ready.
    Serve(node::ServeArgs),
    /// Make an account. The password is read from the terminal or standard
    /// input, one line.
    SignUp(person::SignUpArgs),
    /// Sign in with a password, read from the terminal or standard input.
    SignIn(person::SignInArgs),
    /// Ask whether a session is alive. The session token is read from the
    /// terminal or standard input.
    Check(person::CheckArgs),
    /// Replace a refresh token, read from the terminal or standard input.
    Refresh(person::RefreshArgs),
    /// End sessions. The session token is read from the terminal or standard
    /// input; without a flag, its own session ends.
    Revoke(person::RevokeArgs),
    /// List a person's sessions. The session token is read from the terminal
    /// or standard input.
    Sessions(person::SessionsArgs),
    /// Sign up, in or recover an account step by step: by codes sent by mail, by
    /// password.
    #[command(subcommand)]
    Flow(flow::FlowCommand),
    /// List the devices that a person's account remembers. The session token is
    /// read from the terminal or standard input.
    Devices(device::DevicesArgs),
    /// Forget a remembered device, and end the sessions that it made. The session
    /// token is read from the terminal or standard input.
    ForgetDevice(device::ForgetDeviceArgs),
    /// What an account has to prove with: list, remove.
    #[command(subcommand)]
    Credentials(credentials::CredentialsCommand),
    /// Attest that a mail address or phone number belongs to a person. A
    /// password is read from the terminal or standard input: the account's own
    /// keeps everything that was set up, another takes the account over.
    Verify(person::VerifyArgs),
    /// Claim one more mail address or phone number. The session token is read
    /// from the terminal or standard input.
    Claim(person::ClaimArgs),
    /// Erase a person for good: the key to their data, and every row of theirs.
    /// There is no way back.
    Erase(person::EraseArgs),
    /// Add, change and list tenants.
    #[command(subcommand)]
    Tenant(operator::TenantCommand),
    /// Add, revoke and list gateways and operators.
    #[command(subcommand)]
    Gateway(operator::GatewayCommand),
    /// Renew certificates before they expire.
    #[command(subcommand)]
    Cert(operator::CertCommand),
    /// Rotate keys while people are served.
    #[command(subcommand)]
    Keys(operator::KeysCommand),
    /// Show the nodes of the cluster, what they own and how they stand.
    Status(cluster::StatusArgs),
    /// Give every slot of a node away, so that it can be ended; it takes none
    /// until it starts again.
    Drain(cluster::DrainArgs),
    /// See how far an upgrade is, and finish it.
    #[command(subcommand)]
    Upgrade(cluster::UpgradeCommand),
    /// Copy the embedded store of a folder into a FoundationDB cluster, compare
    /// every row, and serve from there from then on. No node may run in the
    /// folder. What was interrupted can be repeated.
    Move(cluster::MoveArgs),
    /// Copy the store while it serves; rows and wrapped keys go apart.
    Backup(operator::BackupArgs),
    /// Put a backup back into a folder that has its secrets and no store.
    Restore(restoring::RestoreArgs),
    /// Make a store ready that FoundationDB's own tools have put back, before
    /// any node serves from it.
    Restored(restoring::RestoredArgs),
    /// Show the newest administrative acts on the deployment, or on a person.
    Audit(operator::AuditArgs),
    /// List messages that could not be delivered, without what they say.
    Outbox(operator::OutboxArgs),
    /// Look for what is wrong with a node's folder and machine, and say how to
    /// mend it. Exit status 1 when something is.
    Doctor(doctor::DoctorArgs),
    /// Print what a shell needs to complete these commands.
    Completion(shell::CompletionArgs),
    /// Write the manual pages, one for each command, into a folder.
    Man(shell::ManArgs),
    /// Show the whole story in a temporary folder: a real node, a real
    /// gateway, SIGKILL in the middle, and every acknowledged change still
    /// there.
    Demo,
    /// The gateway process of `demo`.
    #[command(hide = true)]
    DemoGateway(demo::GatewayArgs),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return ExitCode::from(output::heard(output::usage(&told))),
    };
    let status = match cli.command {
        Command::Init(args) => node::init(&args),
        Command::Bundle(args) => node::bundle(&args),
        Command::Serve(args) => node::serve(&args),
        Command::SignUp(args) => person::sign_up(&args),
        Command::SignIn(args) => person::sign_in(&args),
        Command::Check(args) => person::check(&args),
        Command::Refresh(args) => person::refresh(&args),
        Command::Revoke(args) => person::revoke(&args),
        Command::Sessions(args) => person::sessions(&args),
        Command::Flow(command) => flow::run(&command),
        Command::Devices(args) => device::devices(&args),
        Command::ForgetDevice(args) => device::forget(&args),
        Command::Credentials(command) => credentials::run(&command),
        Command::Verify(args) => person::verify(&args),
        Command::Claim(args) => person::claim(&args),
        Command::Erase(args) => person::erase(&args),
        Command::Tenant(command) => operator::tenant(&command),
        Command::Gateway(command) => operator::gateway(&command),
        Command::Cert(command) => operator::cert(&command),
        Command::Keys(command) => operator::keys(&command),
        Command::Status(args) => cluster::status(&args),
        Command::Drain(args) => cluster::drain(&args),
        Command::Upgrade(command) => cluster::upgrade(&command),
        Command::Move(args) => cluster::move_store(&args),
        Command::Backup(args) => operator::backup(&args),
        Command::Restore(args) => restoring::restore(&args),
        Command::Restored(args) => restoring::restored(&args),
        Command::Audit(args) => operator::audit(&args),
        Command::Outbox(args) => operator::outbox(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completion(args) => shell::completion(&args, &Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
        Command::Demo => demo::run(),
        Command::DemoGateway(args) => demo::gateway(&args),
    };
    crate::backend::stop();
    let status = status.unwrap_or_else(|error| {
        output::error(&error);
        UNKNOWN
    });
    ExitCode::from(output::heard(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_helpful(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{} {arg}", command.get_name());
        }
        command
            .get_subcommands()
            .filter(|one| !one.is_hide_set())
            .for_each(assert_helpful);
    }

    #[test]
    fn the_command_line_is_consistent_and_every_flag_has_a_help_text() {
        Cli::command().debug_assert();
        assert_helpful(&Cli::command());
    }

    #[test]
    fn secrets_have_no_flags_and_unknown_ones_are_refused_by_name() {
        for line in [
            "tidegate sign-in --email a@b.c --password x",
            "tidegate check --token x",
        ] {
            let error = Cli::try_parse_from(line.split(' '))
                .err()
                .unwrap()
                .to_string();
            let flag = line
                .split(' ')
                .find(|word| word.contains("--p") || word.contains("--t"));
            assert!(error.contains(flag.unwrap()), "{error}");
        }
    }
}
