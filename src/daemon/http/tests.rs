//! Over real sockets of the loopback: the bounds are those of the edge itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::super::live::Live;
use super::super::metrics::PartitionSeries;
use super::super::status::LoopName;
use super::*;
use crate::config::{FileText, HttpTls, Settings, Sources, load};

fn settings() -> Settings {
    settings_with("")
}

fn settings_with(more: &str) -> Settings {
    let text = "[kafka]\nbootstrap_servers = [\"localhost:9092\"]\ntopics = [\"pin\"]\n\
                [s3]\nbucket = \"bucket\"\n\
                credentials = { access_key_id = \"marker\", secret_access_key = \"marker\" }\n\
                [log]\nlevel = \"debug\"\n";
    let path = Path::new("connector.toml").into();
    let text = format!("{text}{more}");
    let file = FileText { path, text, mode: Some(0o600) };
    let (variables, cores) = (BTreeMap::new(), NonZeroUsize::MIN);
    let sources = Sources { file: Some(&file), variables: &variables, arguments: &[], cores };
    load(&sources).unwrap().settings
}

async fn server() -> (HttpServer, Site) {
    server_within(CONNECTION_TIME_MAX).await
}

async fn server_within(time_max: Duration) -> (HttpServer, Site) {
    let site = Site {
        metrics: Metrics::new(PartitionSeries::Shown).expect("the table is sound"),
        status: Status::new(),
        started: Instant::now(),
        title: "sluice".into(),
        settings: Live::new(Arc::new(settings())),
        certificate: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    (serve_within(time_max, listener, site.clone()).expect("listens"), site)
}

/// Sends `request` and returns everything until the other side closes.
async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("accepts");
    // The other side may close before it has read all of a bad request.
    stream.write_all(request).await.ok();
    let mut answer = Vec::new();
    let read = timeout(2 * CONNECTION_TIME_MAX, stream.read_to_end(&mut answer));
    read.await.expect("answers or closes in time").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn each_path_answers() {
    let (server, site) = server().await;
    let address = server.address();
    let page = get(address, "/").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.contains("connection: close\r\n") && page.ends_with("</html>\n"), "{page}");
    site.metrics.rebalanced();
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(metrics.contains("\nsluice_rebalances_total 1\n"), "{metrics}");
    assert!(get(address, "/nothing").await.starts_with("HTTP/1.1 404 "));
    assert!(get(address, "/metrics/").await.starts_with("HTTP/1.1 404 "));
    server.stop().await;
}

#[tokio::test]
async fn other_methods_are_refused_and_head_is_answered_without_a_body() {
    let (server, _site) = server().await;
    for method in ["POST", "PUT", "DELETE", "BREW"] {
        let request = format!("{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let answer = ask(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
        assert!(answer.contains("allow: GET,HEAD\r\n"), "{method}: {answer}");
    }
    let head = ask(server.address(), b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn health_and_readiness_follow_the_status() {
    let (server, site) = server().await;
    let address = server.address();
    let health = get(address, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    let stuck = Site { started: Instant::now() - Duration::from_secs(100), ..site.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let other = serve(listener, stuck).expect("listens");
    let _silent = site.status.loop_started(LoopName::Poll, Uptime::ZERO);
    let health = get(other.address(), "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
    assert!(health.ends_with("no progress: poll thread for 100 s\n"), "{health}");
    let ready = get(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.ends_with("no assignment from the consumer group yet (starting)\n"), "{ready}");
    site.status.assignment_received();
    site.status.store_answered(Uptime::ZERO);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn garbage_and_huge_headers_are_refused_and_others_are_served() {
    let (server, _site) = server().await;
    let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(1 << 20));
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00".repeat(10);
    let cases: [&[u8]; 7] = [
        b"\0\xff\xfe garbage \r\n\r\n",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
        &tls,
    ];
    for request in cases {
        let answer = ask(server.address(), request).await;
        assert!(!answer.contains(" 200 "), "{answer}");
        assert!(get(server.address(), "/healthz").await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn who_says_nothing_or_reads_nothing_is_cut_off() {
    let time_max = Duration::from_secs(1);
    let (server, site) = server_within(time_max).await;
    for index in 0..20_000 {
        let name = format!("topic-{}-{index}", "x".repeat(200));
        let partition = crate::model::TopicPartition::new(&name, 0).expect("a valid name");
        site.metrics.partition_stopped(&partition, "gap"); // 5 MB: more than sockets hold
    }
    let address = server.address();
    let began = Instant::now();
    let mut half = TcpStream::connect(address).await.expect("accepts");
    half.write_all(b"GET / HT").await.expect("sends");
    let mut deaf = TcpStream::connect(address).await.expect("accepts");
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sends");
    let mut answer = Vec::new();
    timeout(10 * time_max, half.read_to_end(&mut answer)).await.expect("closes").ok();
    assert!(answer.is_empty(), "{answer:?}");
    assert!(began.elapsed() >= time_max);
    tokio::time::sleep(time_max).await;
    deaf.read_to_end(&mut answer).await.ok();
    let whole = get(address, "/metrics").await;
    assert!(answer.len() < whole.len(), "{} of {}", answer.len(), whole.len());
}

#[tokio::test]
async fn a_thousand_connections_are_bounded_and_afterwards_all_is_as_before() {
    let (server, _site) = server().await;
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(TcpStream::connect(server.address()).await.expect("accepts"));
    }
    let mut closed = 0;
    for stream in &mut streams {
        let read = timeout(Duration::from_millis(20), stream.read_u8()).await;
        closed += usize::from(matches!(read, Ok(Err(_))));
    }
    assert!(closed >= 1_000 - CONNECTIONS_MAX, "{closed}");
    drop(streams);
    for _ in 0..100 {
        if get(server.address(), "/healthz").await.starts_with("HTTP/1.1 200 ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place came free");
}

#[tokio::test]
async fn stopping_closes_the_port_and_does_not_wait_for_the_idle() {
    let (server, _site) = server().await;
    let address = server.address();
    let _idle = TcpStream::connect(address).await.expect("accepts");
    timeout(Duration::from_secs(5), server.stop()).await.expect("stops in time");
    TcpStream::connect(address).await.expect_err("nobody listens");
}

#[tokio::test]
async fn the_page_shows_the_configuration_without_its_secrets_and_has_its_script() {
    let (server, _site) = server().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let page = ask(server.address(), get("/").as_bytes()).await;
    assert!(page.contains("<td>log.level</td><td class=\"key\">&quot;debug&quot;</td>"), "{page}");
    assert!(page.contains("<td>s3.credentials.secret_access_key</td>"), "{page}");
    assert!(page.contains("(not shown)") && !page.contains("marker"), "{page}");
    let script = ask(server.address(), get("/live.js").as_bytes()).await;
    assert!(script.contains("content-type: text/javascript") && script.contains("fetch(\"/\""));
    server.stop().await;
}

#[tokio::test]
async fn with_a_login_only_probes_are_answered_without_it() {
    let login = "[http.auth]\nusername = \"ann\"\npassword = \"pw\"\ntoken = \"t0k\"\n";
    let (_, mut site) = server().await;
    site.settings = Live::new(Arc::new(settings_with(login)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = serve(listener, site).expect("listens");
    let address = server.address();
    let with = |path: &str, header: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        async move { ask(address, request.as_bytes()).await }
    };
    for path in ["/", "/metrics", "/live.js", "/nothing"] {
        let refused = with(path, "").await;
        assert!(refused.starts_with("HTTP/1.1 401 "), "{path}: {refused}");
        assert!(refused.contains("www-authenticate: Basic realm=\"sluice\""), "{refused}");
        assert!(!refused.contains("sluice_"), "{refused}");
    }
    assert!(with("/healthz", "").await.starts_with("HTTP/1.1 200 "));
    assert!(with("/readyz", "").await.starts_with("HTTP/1.1 503 "));
    // `ann:pw`
    let known = ["Authorization: Basic YW5uOnB3\r\n", "authorization: Bearer t0k\r\n"];
    for header in known {
        assert!(with("/metrics", header).await.starts_with("HTTP/1.1 200 "), "{header}");
    }
    assert!(with("/", "Authorization: Bearer other\r\n").await.starts_with("HTTP/1.1 401 "));
}

/// Makes a certificate of `localhost` and its key.
fn certificate(folder: &Path, name: &str) -> HttpTls {
    let certificate_file = folder.join(format!("{name}.pem"));
    let key_file = folder.join(format!("{name}.key"));
    let mut command = std::process::Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    command.args([
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.arg("-keyout").arg(&key_file).arg("-out").arg(&certificate_file);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    HttpTls { certificate_file, key_file }
}

/// Asks for `path` by https, trusting this certificate alone.
async fn ask_tls(address: SocketAddr, trusted: &Path) -> Result<String, std::io::Error> {
    let mut roots = rustls::RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(trusted).unwrap() {
        roots.add(found.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider);
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok(); // hyper closes without a last word
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn https_is_served_and_a_new_certificate_is_taken_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path(), "first");
    let (_, mut site) = server().await;
    site.certificate = Some(Certificate::read(&first).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let server = serve(listener, site).expect("listens");
    let old = folder.path().join("old.pem");
    std::fs::copy(&first.certificate_file, &old).unwrap();
    let answer = ask_tls(server.address(), &old).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!get(server.address(), "/healthz").await.contains("200"), "not in the clear");

    let second = certificate(folder.path(), "second");
    std::fs::copy(&second.certificate_file, &first.certificate_file).unwrap();
    let answer = ask_tls(server.address(), &old).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "the new key is not there yet: {answer}");
    std::fs::copy(&second.key_file, &first.key_file).unwrap();
    let answer = ask_tls(server.address(), &second.certificate_file).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    ask_tls(server.address(), &old).await.unwrap_err();
}

#[test]
fn a_certificate_that_cannot_be_used_says_which_file_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (certificate(folder.path(), "one"), certificate(folder.path(), "other"));
    let said = |files: &HttpTls| Certificate::read(files).unwrap_err().to_string();
    let mixed = HttpTls { key_file: other.key_file, ..one.clone() };
    assert!(
        said(&mixed).contains("does the key belong to the first certificate"),
        "{}",
        said(&mixed)
    );
    let swapped =
        HttpTls { certificate_file: one.key_file.clone(), key_file: one.key_file.clone() };
    assert!(said(&swapped).contains("holds no certificate"), "{}", said(&swapped));
    let missing = HttpTls { key_file: folder.path().join("none"), ..one };
    assert!(said(&missing).starts_with("`http.tls.key_file` = `"), "{}", said(&missing));
}
