//! A server on loopback that answers tokens: the endpoint of OIDC, and STS.
//!
//! It owns: HTTP, what it answers now, how often it was asked. It does not own: who trusts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;

use super::certificates::Identity;

/// One request: its head and its body.
pub struct Request {
    pub head: String,
    pub body: String,
}

/// What is answered: a status and a body.
type Answer = Box<dyn Fn(&Request) -> (u16, String) + Send>;

/// Runs as long as the test binary.
pub struct Server {
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Self {
        Self::serve("http", None, answer)
    }

    /// With this certificate.
    pub fn start_tls(
        identity: &Identity,
        answer: impl Fn(&Request) -> (u16, String) + Send + 'static,
    ) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&X509::from_pem(&identity.certificate).unwrap()).unwrap();
        acceptor.set_private_key(&PKey::private_key_from_pem(&identity.key).unwrap()).unwrap();
        Self::serve("https", Some(acceptor.build()), answer)
    }

    fn serve(
        scheme: &str,
        acceptor: Option<SslAcceptor>,
        answer: impl Fn(&Request) -> (u16, String) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heard) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up has been stopped, or does not trust the certificate.
                match &acceptor {
                    None => serve(stream, &answers, &heard).ok(),
                    Some(acceptor) => acceptor
                        .accept(stream)
                        .ok()
                        .and_then(|stream| serve(stream, &answers, &heard).ok()),
                };
            }
        });
        Self { url, answer, asked }
    }

    /// From now on answers so.
    pub fn answer(&self, answer: impl Fn(&Request) -> (u16, String) + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    pub fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Whether each request so far has this in it.
    pub fn all_asked(&self, is_right: impl Fn(&Request) -> bool) -> bool {
        self.asked.lock().unwrap().iter().all(is_right)
    }
}

fn serve(
    stream: impl Read + Write,
    answer: &Mutex<Answer>,
    asked: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let request = Request { head, body: String::from_utf8_lossy(&body).into_owned() };
    let (status, text) = answer.lock().unwrap()(&request);
    asked.lock().unwrap().push(request);
    let length = text.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
    )
}
