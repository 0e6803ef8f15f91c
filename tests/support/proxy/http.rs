//! As much HTTP/1.1 as a proxy needs that changes no byte.
//!
//! It owns: where a message ends.
//! It does not own: what it means. Signatures cover the head, so the bytes go on as they came.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// Far above what S3 allows, far below what a broken peer could make of it.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Request line or status line, and headers.
pub struct Head {
    pub bytes: Vec<u8>,
    pub first_line: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header's value by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// Whether the sender closes the connection behind this message.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads a head; None is an end between two messages.
pub fn read_head(from: &mut impl BufRead) -> Result<Option<Head>> {
    let mut bytes = Vec::new();
    let mut lines = Vec::new();
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(cut_short()) };
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidData, "the head is too long"));
        }
        let line = String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Some(Head { first_line: lines.first().cloned().unwrap_or_default(), bytes, headers }))
}

/// What a message without a length means.
#[derive(Debug, Clone, Copy)]
pub enum NoLength {
    /// A request: no body.
    Empty,
    /// A response: it lasts until the connection ends.
    UntilEnd,
}

/// Reads a body as it travels, chunk headers included.
pub fn read_body(from: &mut impl BufRead, head: &Head, otherwise: NoLength) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        read_chunks(from, &mut body)?;
    } else if let Some(length) = head.header("content-length") {
        let length: u64 =
            length.parse().map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        if u64::try_from(from.take(length).read_to_end(&mut body)?).ok() != Some(length) {
            return Err(cut_short());
        }
    } else if matches!(otherwise, NoLength::UntilEnd) {
        from.read_to_end(&mut body)?;
    }
    Ok(body)
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let start = body.len();
        if from.read_until(b'\n', body)? == 0 {
            return Err(cut_short());
        }
        let line = String::from_utf8_lossy(&body[start..]).trim().to_owned();
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        if size == 0 {
            return read_trailers(from, body);
        }
        // The chunk and its line end.
        from.take(size + 2).read_to_end(body)?;
    }
}

fn read_trailers(from: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let start = body.len();
        if from.read_until(b'\n', body)? == 0 {
            return Err(cut_short());
        }
        if body[start..].trim_ascii().is_empty() {
            return Ok(());
        }
    }
}

fn cut_short() -> Error {
    Error::new(ErrorKind::UnexpectedEof, "the message was cut short")
}
