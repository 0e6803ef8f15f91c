//! A proxy as companies have one: it is given whole URLs, and passes them on.
//!
//! It owns: what it was asked for. It does not own: TLS; tunnels (`CONNECT`) are not opened.

use std::sync::{Arc, Mutex};

use super::gate::forward;
use super::http::{Request, Server, answer};

/// A proxy on a port of its own.
pub struct Forward {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Forward {
    pub fn start() -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let server = Server::start(move |mut request: Request| {
            noted.lock().unwrap().push(format!("{} {}", request.method, request.target));
            let Some(rest) = request.target.strip_prefix("http://").map(str::to_owned) else {
                return answer(502, &[], "");
            };
            let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
            request.target = format!("/{path}");
            forward(host, &request)
        });
        Self { server, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
