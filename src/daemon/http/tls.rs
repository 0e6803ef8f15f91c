//! The certificate that pages are served with, read again when its files change.
//!
//! It owns: reading the files, keeping what works while they do not.
//! It does not own: connections.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::{info, warn};

use crate::config::HttpTls;

/// Why a certificate cannot be served.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("`{key}` = `{path}` cannot be read: {source}: it must be PEM")]
    File { key: &'static str, path: String, source: pem::Error },
    #[error("`http.tls.certificate_file` = `{path}` holds no certificate: it must be PEM")]
    Empty { path: String },
    #[error(
        "`http.tls.certificate_file` and `http.tls.key_file` cannot be used together: {0}: does the key belong to the first certificate of the file?"
    )]
    Pair(#[from] rustls::Error),
}

/// When both files were changed last.
type Changed = [Option<SystemTime>; 2];

/// Cheap to clone; all serve the same certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    files: Arc<HttpTls>,
    now: Arc<Mutex<(Changed, Arc<ServerConfig>)>>,
}

impl Certificate {
    /// Reads both files.
    pub fn read(files: &HttpTls) -> Result<Self, CertificateError> {
        let now = (changed(files), Arc::new(configuration(files)?));
        Ok(Self { files: Arc::new(files.clone()), now: Arc::new(Mutex::new(now)) })
    }

    /// Returns what takes the next connection. Files that cannot be used leave what was.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed(&self.files);
        if changed != now.0 {
            now.0 = changed;
            match configuration(&self.files) {
                Ok(new) => {
                    now.1 = Arc::new(new);
                    info!("http: the certificate was read again");
                }
                Err(error) => warn!(%error, "http: the certificate of before is served on"),
            }
        }
        TlsAcceptor::from(Arc::clone(&now.1))
    }
}

fn changed(files: &HttpTls) -> Changed {
    let of = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    [of(&files.certificate_file), of(&files.key_file)]
}

fn configuration(files: &HttpTls) -> Result<ServerConfig, CertificateError> {
    let HttpTls { certificate_file, key_file } = files;
    let failed = |key, path: &Path| {
        let path = path.display().to_string();
        move |source| CertificateError::File { key, path, source }
    };
    let of_certificate = || failed("http.tls.certificate_file", certificate_file);
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .map_err(of_certificate())?
        .collect::<Result<Vec<_>, _>>()
        .map_err(of_certificate())?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: certificate_file.display().to_string() });
    }
    let key =
        PrivateKeyDer::from_pem_file(key_file).map_err(failed("http.tls.key_file", key_file))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}
