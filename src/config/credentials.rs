//! Secrets and the files that hold them.
//!
//! It owns: where a secret may come from (environment, `..._file`, a systemd credential named by
//! the key's path, the file's own text) and what is refused. It does not own: what it opens.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::fault::{Caution, Place, Spot};
use super::problem::Problem;
use super::reader::{Found, Reader};
use super::{Secret, Sources};

/// Longer than any key or token; a path given by mistake may name something huge.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Read permission of group and others.
const MODE_OTHERS_READ: u32 = 0o044;

/// A secret and where it came from.
pub(super) type FoundSecret = Found<Secret>;

enum ReadError {
    Io(std::io::ErrorKind),
    NotASecret,
}

impl Reader<'_> {
    /// Returns the secret at `key`, or at `<key>_file`, or in the systemd credential of that name.
    pub(super) fn secret(&mut self, key: &str, sources: &Sources<'_>) -> Option<FoundSecret> {
        let file_key = format!("{key}_file");
        match (self.text(key), self.text(&file_key)) {
            (Some(_), Some(file)) => {
                self.fault(&file.spot, Problem::SecretTwice { other: key.to_owned() });
                None
            }
            (Some(text), None) => self.plain_secret(text, sources),
            (None, Some(file)) => self.secret_file(file),
            (None, None) => self.systemd_credential(key, sources),
        }
    }

    fn plain_secret(&mut self, text: Found<String>, sources: &Sources<'_>) -> Option<FoundSecret> {
        if text.value.is_empty() {
            self.fault(&text.spot, Problem::Empty);
            return None;
        }
        self.judge_plain_secret(&text.spot, sources);
        Some(Found { spot: text.spot, value: Secret::new(text.value) })
    }

    /// Judges the place of a secret that is given as it is.
    pub(super) fn judge_plain_secret(&mut self, spot: &Spot, sources: &Sources<'_>) {
        match spot.place {
            Place::File { .. } => match sources.file.and_then(|file| file.mode) {
                Some(mode) if mode & MODE_OTHERS_READ != 0 => {
                    self.fault(spot, Problem::Exposed { mode: mode & 0o777 });
                }
                Some(_) | None => self.warn(spot, Caution::SecretInFile),
            },
            Place::Argument => self.warn(spot, Caution::SecretInArguments),
            Place::Variable(_) | Place::Default | Place::NoFile => {}
        }
    }

    fn secret_file(&mut self, file: Found<String>) -> Option<FoundSecret> {
        let problem = match read_secret(Path::new(&file.value)) {
            Ok(value) => return Some(Found { spot: file.spot, value }),
            Err(ReadError::Io(kind)) => Problem::FileUnreadable { kind },
            Err(ReadError::NotASecret) => Problem::NotASecret,
        };
        self.fault(&file.spot, problem);
        None
    }

    /// Returns the file that the secret at `key` is read from, if it comes from one.
    pub(super) fn path_of_secret(&mut self, key: &str, sources: &Sources<'_>) -> Option<PathBuf> {
        match (self.text(key), self.text(&format!("{key}_file"))) {
            (None, Some(file)) => Some(PathBuf::from(file.value)),
            (None, None) => {
                let directory = sources.variables.get(CREDENTIALS_DIRECTORY)?;
                Some(PathBuf::from(directory).join(key)).filter(|path| path.exists())
            }
            (Some(_), _) => None,
        }
    }

    fn systemd_credential(&mut self, key: &str, sources: &Sources<'_>) -> Option<FoundSecret> {
        let directory = sources.variables.get(CREDENTIALS_DIRECTORY)?;
        let path = PathBuf::from(directory).join(key);
        let place = Place::Variable(CREDENTIALS_DIRECTORY.to_owned());
        let spot = Spot { place, key: key.to_owned(), value: None };
        let problem = match read_secret(&path) {
            Ok(value) => return Some(Found { spot, value }),
            Err(ReadError::Io(std::io::ErrorKind::NotFound)) => return None,
            Err(ReadError::Io(kind)) => Problem::CredentialUnreadable { path, kind },
            Err(ReadError::NotASecret) => Problem::NotASecret,
        };
        self.fault(&spot, problem);
        None
    }

    /// Returns the path at `key` if a file can be read there.
    pub(super) fn file(&mut self, key: &str) -> Option<Found<PathBuf>> {
        let Found { spot, value } = self.text(key)?;
        let path = PathBuf::from(value);
        let opened = File::open(&path).and_then(|file| file.metadata());
        let kind = match opened {
            Ok(metadata) if metadata.is_file() => return Some(Found { spot, value: path }),
            Ok(_) => std::io::ErrorKind::IsADirectory,
            Err(error) => error.kind(),
        };
        self.fault(&spot, Problem::FileUnreadable { kind });
        None
    }
}

/// Reads a secret without the newline that editors leave behind it.
fn read_secret(path: &Path) -> Result<Secret, ReadError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| ReadError::Io(error.kind()))?;
    let is_long = u64::try_from(bytes.len()).is_ok_and(|length| length > SECRET_BYTES_MAX);
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotASecret)?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() || is_long || text.chars().any(char::is_control) {
        return Err(ReadError::NotASecret);
    }
    Ok(Secret::new(text.to_owned()))
}
