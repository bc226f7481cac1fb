//! visavis: arguments, logs, signals. Everything else is in the library.

mod logs;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind};
use visavis::{BackupCommand, Config, ConsultationCommand, PracticeCommand, Refusal, RestoreCommand};

/// glibc's keeps for good what a storm took (docs/architecture.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Self-hosted video consultations: two codes, two links, a call from face to face
#[derive(Parser)]
#[command(name = "visavis", version)]
struct Arguments {
    #[command(flatten)]
    config: Config,

    /// Try it: a temporary directory, a consultation that starts now, both links printed
    #[arg(long)]
    demo: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Plan consultations and issue their codes
    #[command(subcommand)]
    Consultation(ConsultationCommand),
    /// Let practices in
    #[command(subcommand)]
    Practice(PracticeCommand),
    Backup(BackupCommand),
    Restore(RestoreCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::command()
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
    {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    logs::start(&arguments.config);
    let done = match arguments.command {
        Some(Command::Consultation(command)) => {
            visavis::carry_out(command, &arguments.config).await.map(|text| print(&text))
        }
        Some(Command::Practice(command)) => {
            visavis::keep_practices(command, &arguments.config).await.map(|text| print(&text))
        }
        Some(Command::Backup(command)) => {
            visavis::back_up(command, &arguments.config).await.map(|text| print(&text))
        }
        Some(Command::Restore(command)) => {
            visavis::put_back(command, &arguments.config).await.map(|text| print(&text))
        }
        None if arguments.demo => demo(arguments.config).await,
        None => serve(arguments.config).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => refuse(&refusal.to_string()),
    }
}

async fn serve(config: Config) -> Result<(), Refusal> {
    let asked_to_stop = asked_to_stop();
    let running = visavis::start(config).await?;
    // It writes: whoever reads that the server listens reads of a start that is done.
    let set_up_link = running.set_up_link().await?;
    print(&format!("visavis listens on {}\n", running.public_url().as_str().trim_end_matches('/')));
    if let Some(sentence) = set_up_link {
        print(&sentence);
    }
    let lost = tokio::select! {
        () = asked_to_stop => None,
        refusal = running.lost() => Some(refusal),
    };
    running.stop().await;
    lost.map_or(Ok(()), Err)
}

async fn demo(mut config: Config) -> Result<(), Refusal> {
    let asked_to_stop = asked_to_stop();
    let directory = tempfile::Builder::new().prefix("visavis-demo-").tempdir();
    let directory = directory.map_err(|error| {
        Refusal(format!("No temporary directory can be made ({error}). Set TMPDIR to one that is writable."))
    })?;
    config.data_dir = directory.path().to_owned();
    let running = visavis::start(config).await?;
    let (doctor, patient) = running.demo_links().await?;
    print(&format!("Arzt/doctor: {doctor}\nPatient/patient: {patient}\n"));
    asked_to_stop.await;
    running.stop().await;
    Ok(())
}

/// SIGTERM or SIGINT, heard from the call on: one that comes during the start is not lost.
fn asked_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = |kind| signal(kind).expect("the runtime handles signals, and this one may be caught");
    let (mut terminate, mut interrupt) = (heard(SignalKind::terminate()), heard(SignalKind::interrupt()));
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Help and version as asked for; a wrong option as one sentence.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        print(&error.to_string());
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // The first paragraph: what is wrong, and below it what is missing.
    let cause: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let cause = cause.join(" ");
    let cause = cause.trim_start_matches("error: ");
    refuse(&format!("{cause} (visavis --help lists the options)"))
}

fn print(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    // A closed pipe takes nothing more; that is its reader's choice.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[expect(clippy::print_stderr, reason = "the one sentence that says why nothing runs")]
fn refuse(sentence: &str) -> ExitCode {
    eprintln!("visavis: {sentence}");
    ExitCode::from(2)
}
