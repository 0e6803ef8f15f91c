//! What keeps a client logged in: passwords and tokens that change, and why a login is refused.
//!
//! It owns: the thread beside a client (`keeper`), tokens by OIDC (`oidc`) and for MSK (`msk`), the
//! reasons of brokers in words (`refusal`), looking at certificates (`probe`).
//! It does not own: the properties that a client is made with, nor when it is made anew.

mod keeper;
mod msk;
mod oidc;
mod probe;
mod refusal;
mod token;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use keeper::Keeper;
pub(super) use keeper::{Bell, Rings, bell};
pub use msk::{MskIam, Role};
pub use oidc::Oidc;
pub use probe::{broker_certificate, own_certificate};
pub use refusal::{Refusal, address, refusal};
pub(super) use token::Token;

use super::ConsumerError;
use super::ffi::ClientHandle;
use crate::model::Secret;

/// Longer than any password; a path given by mistake may name something huge.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What a client logs in with, as far as that changes while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub means: Means,
    /// None is no encryption.
    pub tls: Option<Tls>,
}

/// Who the client says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// Nobody, or whoever the properties say once and for all.
    #[default]
    Nothing,
    PasswordFile(PasswordFile),
    Oidc(Oidc),
    MskIam(MskIam),
}

/// A password that is read anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordFile {
    pub username: String,
    pub file: PathBuf,
}

/// Files of certificates and keys, which librdkafka reads once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// None is what the system trusts.
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Returns what the files hold now, to compare; none where they cannot be read.
    fn content(&self) -> Option<Vec<Vec<u8>>> {
        let files = [&self.ca_file, &self.certificate_file, &self.key_file];
        files.into_iter().flatten().map(|file| std::fs::read(file).ok()).collect()
    }
}

/// Keeps a client logged in that says nothing of refusals. Drop what is returned before the client.
pub fn keep_logged_in(
    login: &Login,
    client: ClientHandle,
) -> Result<Option<Keeper>, ConsumerError> {
    let (_bell, rings) = bell();
    let keeper = Keeper::start(login, client, rings);
    keeper.map_err(|error| ConsumerError::Thread(error.kind()))
}

/// Reads a secret without the newline that editors leave behind it.
pub fn read_secret(path: &Path) -> std::io::Result<Secret> {
    let mut text = String::new();
    File::open(path)?.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(std::io::ErrorKind::InvalidData.into()),
        secret => Ok(Secret::new(secret.to_owned())),
    }
}
