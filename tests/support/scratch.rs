//! Folders for servers and daemons, below the build's own folder for tests.
//!
//! It owns: their names, which carry the process id, and sweeping away what processes left that
//! are gone. Servers shared by a whole test binary live in statics, which Rust never drops, so
//! their folders are removed by the next run.
//! It does not own: what lies in them.

use std::path::Path;
use std::sync::Once;

use tempfile::TempDir;

/// A new folder, removed on drop.
pub fn folder(purpose: &str) -> TempDir {
    static SWEPT: Once = Once::new();
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(parent).unwrap();
    SWEPT.call_once(|| sweep(parent));
    let prefix = format!("{purpose}-{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).unwrap()
}

fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('-').nth(1).and_then(|id| id.parse::<u32>().ok());
        if owner.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // Another test binary may sweep at the same moment: whoever comes second finds less.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}
