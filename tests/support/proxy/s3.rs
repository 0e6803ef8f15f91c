//! The proxy before S3: knows operation and key of each request.
//!
//! It owns: naming requests, and pairing each connection of a client with one to the server.
//! It does not own: signatures. They cover the `Host` header, so that one goes on as it came and
//! the server checks it against the proxy's address without knowing.

use std::collections::BTreeMap;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::connections::{Connections, Registered};
use super::http::{self, Head, NoLength};
use super::rules::{AnswerFate, Effect, Ending, Hold, On, Passage, Rules, When};

/// An operation of S3, as far as the tests tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    PutObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    HeadObject,
    GetObject,
    DeleteObject,
    ListObjects,
    ListMultipartUploads,
    ListParts,
    HeadBucket,
    Other,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct S3Request {
    pub operation: Operation,
    pub bucket: String,
    pub key: String,
    pub query: BTreeMap<String, String>,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
}

impl S3Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

/// Requests of this operation.
pub fn on(operation: Operation) -> On<S3Request> {
    On::matching(move |request: &S3Request| request.operation == operation)
}

impl On<S3Request> {
    /// Only with a key that contains this text.
    #[must_use]
    pub fn key(self, text: &str) -> Self {
        let text = text.to_owned();
        self.and(move |request| request.key.contains(&text))
    }
}

/// An answer that no server gave.
#[derive(Debug, Clone)]
pub struct Canned {
    status: u16,
    body: String,
}

impl Canned {
    /// An error as S3 says it: `Canned::error(503, "SlowDown")`.
    pub fn error(status: u16, code: &str) -> Self {
        Self::told(status, (code, "scripted by a test"))
    }

    /// A refusal that names the action of IAM which is not granted, as AWS does to its own account.
    pub fn denied(action: &str) -> Self {
        let message = format!(
            "User: arn:aws:iam::123456789012:user/tests is not authorized to perform: {action} on \
             resource: arn:aws:s3:::bucket because no identity-based policy allows it"
        );
        Self::told(403, ("AccessDenied", &message))
    }

    fn told(status: u16, (code, message): (&str, &str)) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{message}</Message><RequestId>test</RequestId></Error>"
        );
        Self { status, body }
    }

    /// 200 with an error in its body, as Complete answers when it fails late.
    pub fn error_inside_200(code: &str) -> Self {
        Self::error(200, code)
    }

    fn bytes(&self, operation: Operation) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {} Scripted\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\
             x-amz-request-id: test\r\n\r\n",
            self.status,
            self.body.len()
        );
        let bodiless = matches!(operation, Operation::HeadObject | Operation::HeadBucket);
        let body = if bodiless { "" } else { &self.body };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

type S3Rules = Rules<S3Request, Canned>;

/// A proxy on a port of its own; gone, with all its connections, on drop.
pub struct S3Proxy {
    address: SocketAddr,
    rules: Arc<S3Rules>,
    connections: Arc<Connections>,
    closed: Arc<AtomicBool>,
}

impl S3Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (rules, connections) = (Arc::<S3Rules>::default(), Arc::<Connections>::default());
        let closed = Arc::new(AtomicBool::new(false));
        let proxy = Self { address, rules, connections, closed };
        let (rules, connections) = (Arc::clone(&proxy.rules), Arc::clone(&proxy.connections));
        let closed = Arc::clone(&proxy.closed);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let Some(registered) = connections.admit(&client) else { continue };
                let pair = Pair { rules: Arc::clone(&rules), client, server, upstream: None };
                std::thread::spawn(move || pair.serve(registered));
            }
        });
        proxy
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn hold(&self, on: On<S3Request>, when: When) -> Hold<S3Request> {
        self.rules.hold(on, when)
    }

    /// The server sees nothing, the client gets this answer.
    pub fn answer(&self, on: On<S3Request>, answer: Canned) {
        self.rules.add(on, Effect::Answer(answer));
    }

    /// The server acts, and the client gets this answer in place of the true one.
    pub fn deliver_then_answer(&self, on: On<S3Request>, answer: Canned) {
        self.rules.add(on, Effect::DeliverThenAnswer(answer));
    }

    pub fn drop_requests(&self, on: On<S3Request>) {
        self.rules.add(on, Effect::DropRequest);
    }

    pub fn drop_answers(&self, on: On<S3Request>) {
        self.rules.add(on, Effect::DropAnswer);
    }

    pub fn delay(&self, on: On<S3Request>, delay: Duration) {
        self.rules.add(on, Effect::Delay(delay));
    }

    pub fn hang(&self, on: On<S3Request>) {
        self.rules.add(on, Effect::Hang);
    }

    /// Every request from now on passes; what is held or hangs stays so.
    pub fn clear(&self) {
        self.rules.clear();
    }

    pub fn seen(&self) -> Vec<Arc<S3Request>> {
        self.rules.seen()
    }

    /// How many requests of this operation came so far.
    pub fn count(&self, operation: Operation) -> usize {
        self.seen().iter().filter(|request| request.operation == operation).count()
    }

    pub fn connections(&self) -> &Connections {
        &self.connections
    }
}

impl Drop for S3Proxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        self.connections.cut_off();
        // Wakes the thread that accepts.
        TcpStream::connect(self.address).ok();
    }
}

/// A client's connection and, once there was a request, its own to the server.
struct Pair {
    rules: Arc<S3Rules>,
    client: TcpStream,
    server: SocketAddr,
    upstream: Option<TcpStream>,
}

enum Next {
    AnotherRequest,
    Cut,
    Hang,
}

impl Pair {
    fn serve(mut self, registered: Registered) {
        self.client.set_nodelay(true).ok();
        let Ok(reading) = self.client.try_clone() else { return };
        let mut reading = BufReader::new(reading);
        loop {
            // An error is a connection that broke: both ends go, as they would without us.
            match self.exchange(&mut reading) {
                Ok(Next::AnotherRequest) => (),
                Ok(Next::Hang) => return registered.abandon(),
                Ok(Next::Cut) | Err(_) => return,
            }
        }
    }

    fn exchange(&mut self, reading: &mut BufReader<TcpStream>) -> std::io::Result<Next> {
        let Some(head) = http::read_head(reading)? else { return Ok(Next::Cut) };
        if head.header("expect").is_some() {
            self.client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = http::read_body(reading, &head, NoLength::Empty)?;
        let request = Arc::new(parse(&head, body.len()));
        let passage = self.rules.decide(&request).map_or_else(
            || Passage::Forward(AnswerFate::Pass(None)),
            |effect| effect.admit(&request),
        );
        match passage {
            Passage::Forward(fate) => self.forward(&request, (&head, &body), fate),
            Passage::Reply(answer) => {
                self.client.write_all(&answer.bytes(request.operation))?;
                Ok(Next::AnotherRequest)
            }
            Passage::Cut => Ok(Next::Cut),
            Passage::Hang => Ok(Next::Hang),
        }
    }

    fn forward(
        &mut self,
        request: &S3Request,
        (head, body): (&Head, &[u8]),
        fate: AnswerFate<S3Request, Canned>,
    ) -> std::io::Result<Next> {
        let upstream = self.upstream()?;
        upstream.write_all(&[&head.bytes, body].concat())?;
        let (answer, closes) = read_answer(upstream, head.first_line.starts_with("HEAD "))?;
        if closes {
            self.upstream = None;
        }
        let (ending, _ticket) = fate.settle();
        match ending {
            Ending::Pass => self.client.write_all(&answer)?,
            Ending::Replace(other) => self.client.write_all(&other.bytes(request.operation))?,
            Ending::Cut => return Ok(Next::Cut),
        }
        Ok(if closes { Next::Cut } else { Next::AnotherRequest })
    }

    /// The connection to the server, made anew if the server closed it while nothing was asked.
    /// Never made anew once a request is under way: the server must not see one twice.
    fn upstream(&mut self) -> std::io::Result<&mut TcpStream> {
        if let Some(stream) = &self.upstream {
            stream.set_nonblocking(true)?;
            let silent = stream.peek(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
            stream.set_nonblocking(false)?;
            if !silent {
                self.upstream = None;
            }
        }
        if self.upstream.is_none() {
            let stream = TcpStream::connect(self.server)?;
            stream.set_nodelay(true)?;
            self.upstream = Some(stream);
        }
        Ok(self.upstream.as_mut().expect("made above"))
    }
}

/// Reads one answer whole, and whether the connection ends with it.
fn read_answer(upstream: &mut TcpStream, to_head: bool) -> std::io::Result<(Vec<u8>, bool)> {
    let mut reading = BufReader::new(upstream as &mut dyn Read);
    loop {
        let Some(head) = http::read_head(&mut reading)? else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        // The client had its 100 from us.
        if head.status() / 100 == 1 {
            continue;
        }
        let bodiless = to_head || matches!(head.status(), 204 | 304);
        let unbounded =
            head.header("content-length").is_none() && head.header("transfer-encoding").is_none();
        let body = if bodiless {
            Vec::new()
        } else {
            http::read_body(&mut reading, &head, NoLength::UntilEnd)?
        };
        let closes = head.closes() || (unbounded && !bodiless);
        return Ok(([head.bytes, body].concat(), closes));
    }
}

fn parse(head: &Head, body_bytes: usize) -> S3Request {
    let mut words = head.first_line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (bucket, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or_else(|| (path.trim_start_matches('/'), ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query: BTreeMap<String, String> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let operation = operation(method, key, &query);
    let (bucket, key) = (decode(bucket), decode(key));
    S3Request { operation, bucket, key, query, headers: head.headers.clone(), body_bytes }
}

fn operation(method: &str, key: &str, query: &BTreeMap<String, String>) -> Operation {
    let has = |name: &str| query.contains_key(name);
    match (method, key.is_empty()) {
        ("PUT", false) if has("uploadId") => Operation::UploadPart,
        ("PUT", false) => Operation::PutObject,
        ("POST", false) if has("uploads") => Operation::CreateMultipartUpload,
        ("POST", false) if has("uploadId") => Operation::CompleteMultipartUpload,
        ("DELETE", false) if has("uploadId") => Operation::AbortMultipartUpload,
        ("DELETE", false) => Operation::DeleteObject,
        ("HEAD", false) => Operation::HeadObject,
        ("HEAD", true) => Operation::HeadBucket,
        ("GET", false) if has("uploadId") => Operation::ListParts,
        ("GET", false) => Operation::GetObject,
        ("GET", true) if has("uploads") => Operation::ListMultipartUploads,
        ("GET", true) if query.is_empty() || has("list-type") || has("prefix") => {
            Operation::ListObjects
        }
        _ => Operation::Other,
    }
}

/// Undoes `%XX`.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = bytes.get(index + 1..index + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if bytes[index] == b'%' => {
                decoded.push(byte);
                index += 3;
            }
            _ => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
