//! An S3 server in this process, on loopback, whose objects are plain files.
//!
//! It owns: the port, the credentials, the folder of the bucket, and that conditional writes have
//! one winner. It does not own: the S3 protocol (`s3s`) and how objects become files (`s3s-fs`).
//!
//! `s3s-fs` 0.14 looks whether an object exists before it takes the body, so of 64 conditional
//! puts all would win. Here a request on a key is read whole, then waits for its turn. It also
//! keeps two small files per object beside the buckets; its folder is hidden and taken away at
//! the end, and the bucket in it is a link to the visible one.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::error_handling::HandleError;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use s3s::HttpError;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use crate::model::Bucket;

const ACCESS_KEY: &str = "sluice-demo";
/// Where `s3s-fs` works, beside the bucket: on one file system, because it renames.
const HIDDEN_FOLDER: &str = ".sluice-demo-s3";
/// A key's turn is that of its hash: more locks than a demo has requests at a time.
const TURNS: usize = 64;
/// Larger objects come in parts, of which the default is 8 MiB.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Connections that clients keep have so long to finish when the server stops.
const STOP_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why there is no S3 server.
#[derive(Debug, Error)]
pub enum S3ServerError {
    #[error(
        "`{}` is not empty: objects of an earlier run would stand in the way; name another folder \
         or remove it", path.display()
    )]
    NotEmpty { path: PathBuf },
    #[error("cannot {verb} `{}`: {source}", path.display())]
    Folder { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("the S3 server does not take its folder `{}`: {source}", path.display())]
    Store { path: PathBuf, source: Box<s3s::S3Error> },
    #[error("cannot listen on loopback: {0}")]
    Listen(#[source] io::Error),
}

/// A running server. Dropping it ends the server with the runtime; [`S3Server::stop`] is cleaner.
pub struct S3Server {
    address: SocketAddr,
    secret_key: String,
    bucket_folder: PathBuf,
    hidden_folder: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for S3Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Server")
            .field("address", &self.address)
            .field("secret_key", &"***")
            .field("bucket_folder", &self.bucket_folder)
            .finish_non_exhaustive()
    }
}

/// Starts a server with one empty bucket, whose objects become files below `<folder>/<bucket>`.
/// Must be called in a tokio runtime, which then runs the server.
pub async fn start(folder: &Path, bucket: &Bucket) -> Result<S3Server, S3ServerError> {
    let bucket_folder = folder.join(bucket.as_str());
    let hidden_folder = folder.join(HIDDEN_FOLDER);
    make_folders(&bucket_folder, &hidden_folder, bucket)?;
    let store = FileSystem::new(&hidden_folder).map_err(|error| S3ServerError::Store {
        path: hidden_folder.clone(),
        source: Box::new(error.into()),
    })?;
    let secret_key = format!("{:032x}", rand::random::<u128>());
    let mut service = S3ServiceBuilder::new(store);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, secret_key.as_str()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(S3ServerError::Listen)?;
    let address = listener.local_addr().map_err(S3ServerError::Listen)?;
    let (stop, stopped) = oneshot::channel();
    let serve = axum::serve(listener, router(service.build())).with_graceful_shutdown(async {
        // A sender that is gone means the same as one that spoke.
        stopped.await.unwrap_or_default();
    });
    let task = tokio::spawn(serve.into_future());
    Ok(S3Server { address, secret_key, bucket_folder, hidden_folder, stop, task })
}

impl S3Server {
    /// Returns the address for the setting `s3.endpoint`; keys go into the path (`path_style`).
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Returns the folder whose files are the objects, each at its key.
    pub fn bucket_folder(&self) -> &Path {
        &self.bucket_folder
    }

    /// Finishes the requests under way, five seconds at most, stops, and removes what is not an
    /// object.
    pub async fn stop(self) -> Result<(), S3ServerError> {
        // An error means that the server is gone already.
        self.stop.send(()).unwrap_or_default();
        let abort = self.task.abort_handle();
        if tokio::time::timeout(STOP_WAIT_MAX, self.task).await.is_err() {
            abort.abort();
        }
        std::fs::remove_dir_all(&self.hidden_folder).map_err(|source| S3ServerError::Folder {
            verb: "remove",
            path: self.hidden_folder,
            source,
        })
    }
}

fn make_folders(visible: &Path, hidden: &Path, bucket: &Bucket) -> Result<(), S3ServerError> {
    let failed = |verb, path: &Path| {
        let path = path.to_owned();
        move |source| S3ServerError::Folder { verb, path, source }
    };
    std::fs::create_dir_all(visible).map_err(failed("create", visible))?;
    let mut entries = std::fs::read_dir(visible).map_err(failed("read", visible))?;
    if entries.next().is_some() {
        return Err(S3ServerError::NotEmpty { path: visible.to_owned() });
    }
    if hidden.exists() {
        // Left by a demo that was killed. Does not follow the link to the bucket.
        std::fs::remove_dir_all(hidden).map_err(failed("remove", hidden))?;
    }
    std::fs::create_dir(hidden).map_err(failed("create", hidden))?;
    let link = hidden.join(bucket.as_str());
    let target = Path::new("..").join(bucket.as_str());
    std::os::unix::fs::symlink(target, &link).map_err(failed("create", &link))
}

fn router(service: S3Service) -> Router {
    let broken = |error: HttpError| async move {
        tracing::warn!(error = %s3s::StdError::from(error), "the demo's S3 server broke a request");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let turns: Turns = Arc::new(std::array::from_fn(|_| Mutex::new(())));
    Router::new()
        .fallback_service(HandleError::new(service, broken))
        .layer(from_fn_with_state(turns, take_turns))
}

type Turns = Arc<[Mutex<()>; TURNS]>;

/// Lets one request at a time act on a key. Parts of multipart uploads touch no key and pass.
async fn take_turns(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    if request.uri().query().is_some_and(|query| query.contains("partNumber=")) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // Read to the end first: who is refused early must not find its connection reset, and nobody
    // waits for a slow sender.
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut hasher = DefaultHasher::new();
    parts.uri.path().hash(&mut hasher);
    let turn = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or(0);
    let _turn = turns[turn].lock().await;
    next.run(Request::from_parts(parts, Body::from(body))).await
}

#[cfg(test)]
mod tests;
