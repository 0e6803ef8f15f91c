//! Where the file is: asked for, named by the environment, or in one of two places.
//!
//! It owns: where the file is looked for, and reading its text with its mode. It does not
//! own: what the text says (`tree`).

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Fault, Faults, Place, Spot};
use super::problem::Problem;

/// The variable that names the file. One underscore: it is no key.
pub const FILE_VARIABLE: &str = "SLUICE_CONFIG";
/// Where the file is looked for where nothing names it, in this order.
pub const FILES: [&str; 2] = ["/etc/sluice/connector.toml", "./connector.toml"];
/// A thousand times what the longest sensible file has; a path given by mistake may be huge.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A file's text, with what faults need to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    pub path: Arc<Path>,
    pub text: String,
    /// The permission bits; none for a text that is in no file.
    pub mode: Option<u32>,
}

/// Returns the path of the file: `given`, else the variable's, else the first that exists; none
/// if there is no file at all.
pub fn find_file(given: Option<&Path>, variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named = given.map(Path::to_owned);
    let named = named.or_else(|| variables.get(FILE_VARIABLE).map(PathBuf::from));
    named.or_else(|| FILES.into_iter().map(PathBuf::from).find(|path| path.exists()))
}

/// Reads the file at `path`.
pub fn read_file(path: &Path) -> Result<FileText, Faults> {
    let shared: Arc<Path> = path.into();
    let fault = |problem| {
        let place = Place::File { path: Arc::clone(&shared), line: None };
        let spot = Spot { place, key: String::new(), value: None };
        Faults(vec![Fault { spot, problem }])
    };
    let unreadable = |error: std::io::Error| fault(Problem::Unreadable { kind: error.kind() });
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| fault(Problem::NotUtf8))?;
    Ok(FileText { path: shared, text, mode: Some(mode) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_goes_before_the_environment() {
        let variables = BTreeMap::from([(FILE_VARIABLE.to_owned(), "/b.toml".to_owned())]);
        let given = Path::new("/a.toml");
        assert_eq!(find_file(Some(given), &variables), Some(PathBuf::from("/a.toml")));
        assert_eq!(find_file(None, &variables), Some(PathBuf::from("/b.toml")));
    }

    #[test]
    fn a_file_brings_its_mode_along() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"[s3]\n").unwrap();
        let read = read_file(file.path()).unwrap();
        assert_eq!(
            (read.text.as_str(), read.mode.map(|mode| mode & 0o777)),
            ("[s3]\n", Some(0o600))
        );
        std::io::Write::write_all(&mut file, b"\xff").unwrap();
        let faults = read_file(file.path()).unwrap_err();
        assert_eq!(faults.list()[0].problem, Problem::NotUtf8);
    }

    #[test]
    fn an_unreadable_file_is_a_fault() {
        let faults = read_file(Path::new("/nowhere/connector.toml")).unwrap_err();
        let expected = "/nowhere/connector.toml: cannot be read (entity not found): name a file that this user may read";
        assert_eq!(faults.to_string(), expected);
    }
}
