//! The thread beside a client that keeps it logged in.
//!
//! It owns: when a token is fetched, when files are looked at again, saying which fault a refused
//! login has.
//! It does not own: how a token is fetched (`oidc`, `msk`), the client.
//!
//! librdkafka asks for tokens on the polling thread and when it likes; here they are handed to it
//! before it asks, and polling never waits for an endpoint. Four fifths of a token's time pass
//! before the next one is fetched, which leaves the last fifth for repeating that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use aws_config::SdkConfig;
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::refusal::{Refusal, address, refusal};
use super::token::{Token, TokenError};
use super::{Login, Means, PasswordFile, Tls, broker_certificate, own_certificate, read_secret};
use crate::kafka::ffi::ClientHandle;
use crate::model::Secret;

/// Files are small, and the kernel has them in memory.
const LOOK: Duration = Duration::from_secs(1);
/// One try for a token, with the whole AWS chain behind it.
const FETCH_MAX: Duration = Duration::from_secs(20);
/// Between tries: doubled from the first to the last.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(15);
/// A token that is refused is replaced, but not by many a second.
const REPLACE_MIN: Duration = Duration::from_secs(5);
/// librdkafka says the same again after 30 s only. For so long after the last time files are looked
/// at, and tokens replaced.
const SUSPICION: Duration = Duration::from_secs(90);
const REFUSED: Duration = Duration::from_secs(45);
/// One fault is said in detail this often.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// A few brokers refuse at a time; what is too much says nothing new.
const RINGS_MAX: usize = 8;

/// What was heard of a refused connection.
type Ring = (Refusal, String);

/// Where the error callback of a client tells its keeper of refusals.
#[derive(Debug)]
pub(in crate::kafka) struct Bell(mpsc::Sender<Ring>);

/// The keeper's end.
pub(in crate::kafka) type Rings = mpsc::Receiver<Ring>;

/// Returns both ends.
pub(in crate::kafka) fn bell() -> (Bell, Rings) {
    let (sender, receiver) = mpsc::channel(RINGS_MAX);
    (Bell(sender), receiver)
}

impl Bell {
    pub(in crate::kafka) fn ring(&self, code: Option<RDKafkaErrorCode>, text: &str) {
        if let Some(refusal) = refusal(code, text) {
            // A keeper with its hands full, or without anything to do, needs no more of them.
            self.0.try_send((refusal, text.to_owned())).unwrap_or_default();
        }
    }
}

/// A running thread, ended on drop.
#[derive(Debug)]
pub struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    is_stale: Arc<AtomicBool>,
}

impl Keeper {
    /// Starts one for a client; none where nothing changes while it runs. Drop it before the client.
    pub(in crate::kafka) fn start(
        login: &Login,
        client: ClientHandle,
        rings: Rings,
    ) -> std::io::Result<Option<Self>> {
        if *login == Login::default() {
            return Ok(None);
        }
        let (stop, stopped) = oneshot::channel();
        let is_stale = Arc::new(AtomicBool::new(false));
        let work = Work::new(login.clone(), (client, rings), Arc::clone(&is_stale));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name("sluice-login".to_owned()).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        // The other end is never used to send: it is dropped.
                        _ = stopped => {}
                        () = work.run() => {}
                    }
                });
                // A look at a broker's certificate need not be waited for.
                runtime.shutdown_background();
            })?;
        Ok(Some(Self { stop: Some(stop), thread: Some(thread), is_stale }))
    }

    /// Returns whether its thread has ended, which is a bug.
    pub(in crate::kafka) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Returns whether the files of certificates have changed since the client was made, and it was
    /// refused meanwhile: only a new client reads them.
    pub(in crate::kafka) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::SeqCst)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the thread that keeps the login ended by a bug");
        }
    }
}

struct Work {
    login: Login,
    client: ClientHandle,
    rings: Rings,
    is_stale: Arc<AtomicBool>,
    chain: Option<SdkConfig>,
    password: Option<Secret>,
    tls: Option<Vec<Vec<u8>>>,
    /// When the next token is due; none where there are no tokens.
    token_at: Option<Instant>,
    fetched_at: Option<Instant>,
    token_ends: Option<SystemTime>,
    again: Duration,
    refused_until: Option<Instant>,
    suspicious_until: Option<Instant>,
    said: Option<(String, Instant)>,
}

impl Work {
    fn new(
        login: Login,
        (client, rings): (ClientHandle, Rings),
        is_stale: Arc<AtomicBool>,
    ) -> Self {
        let password = match &login.means {
            Means::PasswordFile(PasswordFile { file, .. }) => read_secret(file).ok(),
            Means::Nothing | Means::Oidc(_) | Means::MskIam(_) => None,
        };
        let has_tokens = matches!(login.means, Means::Oidc(_) | Means::MskIam(_));
        Self {
            tls: login.tls.as_ref().and_then(Tls::content),
            login,
            client,
            rings,
            is_stale,
            chain: None,
            password,
            token_at: has_tokens.then(Instant::now),
            fetched_at: None,
            token_ends: None,
            again: AGAIN_MIN,
            refused_until: None,
            suspicious_until: None,
            said: None,
        }
    }

    async fn run(mut self) {
        loop {
            if self.token_at.is_some_and(|at| at <= Instant::now()) {
                self.renew_token().await;
            }
            self.look_at_password();
            self.look_at_certificates();
            let token_in = self.token_at.map(|at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                biased;
                // Cancel-safe: what is not taken stays.
                Some(ring) = self.rings.recv() => self.refused(ring).await,
                () = tokio::time::sleep(token_in.unwrap_or(LOOK).min(LOOK)) => {}
            }
        }
    }

    async fn renew_token(&mut self) {
        self.fetched_at = Some(Instant::now());
        let fetched = tokio::time::timeout(FETCH_MAX, self.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_elapsed| {
            let why = format!("nothing within {} s", FETCH_MAX.as_secs());
            Err(TokenError::Unreached { why })
        });
        let wait = match fetched.map_err(|error| error.to_string()).and_then(|token| {
            let ends = token.ends;
            self.client.client().set_token(&token).map(|()| ends)
        }) {
            Ok(ends) => {
                self.token_ends = Some(ends);
                self.again = AGAIN_MIN;
                let rest = ends.duration_since(SystemTime::now()).unwrap_or_default();
                let is_refused = self.refused_until.is_some_and(|until| Instant::now() < until);
                // The next one may come from keys that were put right.
                self.chain.take_if(|_| is_refused);
                let wait = rest.mul_f64(0.8).max(AGAIN_MIN);
                if is_refused { wait.min(REPLACE_MIN) } else { wait }
            }
            Err(why) => {
                // Profiles are read once for each chain.
                self.chain = None;
                // The client's error callback says it.
                self.client.client().set_token_failure(&why);
                let wait = self.again;
                self.again = (self.again * 2).min(AGAIN_MAX);
                wait
            }
        };
        self.token_at = Some(Instant::now() + wait);
    }

    async fn fetch(&mut self) -> Result<Token, TokenError> {
        match &self.login.means {
            Means::Oidc(oidc) => oidc.fetch().await,
            Means::MskIam(msk) => {
                if self.chain.is_none() {
                    self.chain = Some(msk.chain().await);
                }
                let none = || TokenError::Credentials { why: "no chain".to_owned() };
                msk.fetch(self.chain.as_ref().ok_or_else(none)?).await
            }
            Means::Nothing | Means::PasswordFile(_) => Err(TokenError::NotAToken),
        }
    }

    /// Gives a password that has changed to the client, for its next connections.
    fn look_at_password(&mut self) {
        let Means::PasswordFile(PasswordFile { username, file }) = &self.login.means else {
            return;
        };
        // While it is being replaced there is none.
        let Ok(password) = read_secret(file) else { return };
        if self.password.as_ref() == Some(&password) {
            return;
        }
        match self.client.client().set_password(username, password.reveal()) {
            Ok(()) => info!(file = %file.display(), "the password has changed and is read anew"),
            Err(error) => warn!(%error, "a password that has changed cannot be used"),
        }
        self.password = Some(password);
    }

    fn look_at_certificates(&mut self) {
        let is_suspicious = self.suspicious_until.is_some_and(|until| Instant::now() < until);
        let Some(tls) = self.login.tls.as_ref().filter(|_| is_suspicious) else { return };
        let content = tls.content();
        if content.is_some() && content != self.tls && !self.is_stale.load(Ordering::SeqCst) {
            info!("files of `kafka.tls` have changed: a new client reads them");
            self.is_stale.store(true, Ordering::SeqCst);
        }
    }

    async fn refused(&mut self, (refusal, text): Ring) {
        let now = Instant::now();
        match refusal {
            Refusal::Token => {
                self.refused_until = Some(now + REFUSED);
                self.chain = None;
                let soon = self.fetched_at.map_or(now, |at| (at + REPLACE_MIN).max(now));
                self.token_at = self.token_at.map(|at| at.min(soon));
                if let Some(words) = self.token_ends.and_then(expired_words) {
                    self.say(words);
                }
            }
            Refusal::OwnCertificate(_) | Refusal::Tls => {
                self.suspicious_until = Some(now + SUSPICION);
                let file = self.login.tls.as_ref().and_then(|tls| tls.certificate_file.as_deref());
                if let Some(words) = file.and_then(own_certificate) {
                    self.say(words);
                }
            }
            Refusal::BrokerCertificate => {
                self.suspicious_until = Some(now + SUSPICION);
                let Some(address) = address(&text).map(str::to_owned) else { return };
                let ca_file = self.login.tls.as_ref().and_then(|tls| tls.ca_file.clone());
                let looked = tokio::task::spawn_blocking(move || {
                    let words = broker_certificate(&address, ca_file.as_deref())?;
                    Some(format!("{address}: {words}"))
                });
                if let Ok(Some(words)) = looked.await {
                    self.say(words);
                }
            }
            Refusal::Password | Refusal::NoToken | Refusal::Mechanism => {}
        }
    }

    fn say(&mut self, words: String) {
        let now = Instant::now();
        let is_new = self
            .said
            .as_ref()
            .is_none_or(|(said, at)| *said != words || now.duration_since(*at) >= SAY_EVERY);
        if is_new {
            warn!("Kafka: {words}");
            self.said = Some((words, now));
        }
    }
}

fn expired_words(ends: SystemTime) -> Option<String> {
    let ago = SystemTime::now().duration_since(ends).ok()?;
    Some(format!("the token has expired {} s ago, a new one is fetched", ago.as_secs()))
}
