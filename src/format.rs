//! What is written of a record: its frame in an object, its line in the quarantine, and how frames
//! are compressed.
//!
//! It owns: the formats, the compressions, their names, extensions and content types, and the
//! reasons why a record cannot be written as asked.
//! It does not own: where records go (`layout`), when objects are closed (`engine`), what happens
//! to a bad record (the settings `on_bad`, `on_null` and `on_missing_route`).
//!
//! What stands in an object is a row of frames, each compressed on its own as a whole gzip member
//! or zstd frame; readers take such rows for one stream. So an open object costs its bytes and no
//! compressor.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod compression;
mod json;
mod quarantine;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

pub use compression::Compressors;
pub use quarantine::quarantine_line;

/// The longest separator of the raw format. It is part of the layout, and so of every plan, whose
/// text has 1,200 bytes for everything.
pub const SEPARATOR_BYTES_MAX: usize = 16;
/// The separator of the raw format where none is set.
pub const SEPARATOR_DEFAULT: &[u8] = b"\n";

/// How a record's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One JSON document a line, verbatim.
    Json,
    /// The value's bytes as they are, and a separator.
    Raw,
}

/// How frames are compressed. The levels are constants: 1 for both, the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Everything that decides which bytes a record becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    pub format: Format,
    pub compression: Compression,
    /// Behind each value of the raw format, at most `SEPARATOR_BYTES_MAX` bytes; JSON ignores it.
    pub separator: Arc<[u8]>,
}

/// Why a record cannot be written as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum BadRecord {
    #[error("its value is not UTF-8")]
    NotUtf8,
    #[error("its value is not JSON")]
    NotJson,
    #[error("its value holds several JSON documents")]
    SeveralDocuments,
    #[error("its value is empty")]
    Empty,
    #[error("its value is null")]
    Null,
    #[error("a field, header or key that its path needs is missing")]
    MissingRoute,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Json, Self::Raw];

    /// Returns the word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Raw => "raw",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Returns the end of an object's name, without the dot before it.
    pub const fn extension(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Json, Compression::None) => "json",
            (Self::Json, Compression::Gzip) => "json.gz",
            (Self::Json, Compression::Zstd) => "json.zst",
            (Self::Raw, Compression::None) => "bin",
            (Self::Raw, Compression::Gzip) => "bin.gz",
            (Self::Raw, Compression::Zstd) => "bin.zst",
        }
    }

    /// Returns the object's `Content-Type`. There is never a `Content-Encoding`: HTTP clients
    /// would inflate the object behind the back of readers that go by its extension.
    pub const fn content_type(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Json, Compression::None) => "application/x-ndjson",
            (Self::Raw, Compression::None) => "application/octet-stream",
            (Self::Json | Self::Raw, Compression::Gzip) => "application/gzip",
            (Self::Json | Self::Raw, Compression::Zstd) => "application/zstd",
        }
    }
}

impl Compression {
    pub const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// Returns the word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.as_str() == word)
    }
}

impl Encoding {
    /// Returns the encoding with the default separator.
    pub fn new(format: Format, compression: Compression) -> Self {
        Self { format, compression, separator: SEPARATOR_DEFAULT.into() }
    }

    /// Returns the end of an object's name, without the dot before it.
    pub fn extension(&self) -> &'static str {
        self.format.extension(self.compression)
    }

    /// Appends what `value` is written as. On an error `out` is unchanged. The raw format takes
    /// every value, and does not look for the separator in it.
    #[inline]
    pub fn frame(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), BadRecord> {
        match self.format {
            Format::Json => json::append_line(value, out),
            Format::Raw => {
                out.reserve(value.len() + self.separator.len());
                out.extend_from_slice(value);
                out.extend_from_slice(&self.separator);
                Ok(())
            }
        }
    }

    /// Returns the object's `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        self.format.content_type(self.compression)
    }
}

impl BadRecord {
    pub const ALL: [Self; 6] = [
        Self::NotUtf8,
        Self::NotJson,
        Self::SeveralDocuments,
        Self::Empty,
        Self::Null,
        Self::MissingRoute,
    ];

    /// Returns the word in the quarantine and the label of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::SeveralDocuments => "several_documents",
            Self::Empty => "empty",
            Self::Null => "null",
            Self::MissingRoute => "missing_route",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_others_refused() {
        for format in Format::ALL {
            assert_eq!(Format::parse(&format.to_string()), Some(format));
        }
        for compression in Compression::ALL {
            assert_eq!(Compression::parse(&compression.to_string()), Some(compression));
        }
        for bad in ["", "Json", "json ", "JSON", "gz", "zst", "csv"] {
            assert_eq!((Format::parse(bad), Compression::parse(bad)), (None, None), "{bad}");
        }
    }

    #[test]
    fn extensions_and_content_types_are_what_readers_go_by() {
        let cases = [
            (Format::Json, Compression::None, "json", "application/x-ndjson"),
            (Format::Json, Compression::Gzip, "json.gz", "application/gzip"),
            (Format::Json, Compression::Zstd, "json.zst", "application/zstd"),
            (Format::Raw, Compression::None, "bin", "application/octet-stream"),
            (Format::Raw, Compression::Gzip, "bin.gz", "application/gzip"),
            (Format::Raw, Compression::Zstd, "bin.zst", "application/zstd"),
        ];
        for (format, compression, extension, content_type) in cases {
            let encoding = Encoding::new(format, compression);
            assert_eq!(encoding.extension(), extension);
            assert_eq!(encoding.content_type(), content_type);
        }
    }

    #[test]
    fn raw_takes_every_value_as_it_is() {
        let mut encoding = Encoding::new(Format::Raw, Compression::None);
        let mut out = Vec::new();
        for value in [&b"a"[..], b"", b"\xff\0\n"] {
            assert_eq!(encoding.frame(value, &mut out), Ok(()));
        }
        assert_eq!(out, b"a\n\n\xff\0\n\n");
        encoding.separator = Arc::new([]);
        assert_eq!(encoding.frame(b"b", &mut out), Ok(()));
        assert_eq!(out, b"a\n\n\xff\0\n\nb");
    }

    #[test]
    fn json_makes_lines_and_leaves_out_what_it_refuses() {
        let encoding = Encoding::new(Format::Json, Compression::Gzip);
        let mut out = Vec::new();
        assert_eq!(encoding.frame(b" {\"a\":\n1}\n", &mut out), Ok(()));
        assert_eq!(encoding.frame(b"{\"a\":", &mut out), Err(BadRecord::NotJson));
        assert_eq!(encoding.frame(b"2", &mut out), Ok(()));
        assert_eq!(out, b"{\"a\": 1}\n2\n");
    }

    #[test]
    fn reasons_have_one_label_each() {
        let labels = BadRecord::ALL.map(BadRecord::as_str);
        assert_eq!(
            labels,
            ["not_utf8", "not_json", "several_documents", "empty", "null", "missing_route"]
        );
    }
}
