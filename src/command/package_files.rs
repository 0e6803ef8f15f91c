//! `sluice package-files`: manual pages and completions, for those who build packages.
//!
//! It owns: which files there are and how they are called.
//! It does not own: what they say, which is the command line's own help.
//!
//! Why in the program: the pages are those of the program that is packaged, and no second program
//! has to be built, shipped or kept in step.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::settings::say;

const EXIT_FAILED: u8 = 1;
/// The shells, with the folder of their completions below `completions`.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes manual pages (`man/`) and completions (`completions/`) for packages
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where to; made if it is not there
    folder: PathBuf,
}

pub fn main(arguments: &Arguments) -> u8 {
    match write_all(&arguments.folder) {
        Ok(()) => 0,
        Err(error) => {
            let folder = arguments.folder.display();
            say(&format!("cannot write below {folder}: {error}; choose a folder you may write to"));
            EXIT_FAILED
        }
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    let [manual, completions] = ["man", "completions"].map(|name| folder.join(name));
    std::fs::create_dir_all(&manual)?;
    std::fs::create_dir_all(&completions)?;
    let mut command = visible(&super::Arguments::command());
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command, "sluice", &completions)?;
    }
    // A command that was built, as the completions do, has pages of its `help` too.
    clap_mangen::generate_to(super::Arguments::command(), &manual)
}

/// Returns the command line without its hidden commands, which completions would offer.
fn visible(all: &Command) -> Command {
    let about = all.get_about().cloned().unwrap_or_default();
    Command::new("sluice")
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|one| !one.is_hide_set()).cloned())
}
